"""From layers to arrays: everything that the compiled loops are given.

World points are taken relative to the middle of the view, and rounded where the order in which voxels are stored could
show in the last bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from volrender.color import as_rgb
from volrender.draw.compiled import run
from volrender.draw.faces import Face, cut_faces, ended, slice_faces
from volrender.draw.rays import tables
from volrender.draw.rays.fields import Field, intensity_field, label_field, near, shells, surface_field
from volrender.draw.rays.grids import block_ranges
from volrender.draw.rays.scenery import (
    BLOCK,
    CLIP,
    FACE,
    FIELD,
    MEDIUM,
    MOST_CLIPS,
    PROJECTION,
    SIGHT,
    SURFACE,
    WALL,
    Pool,
    Records,
    Scenery,
)
from volrender.layers import CutPlane, Intensity, Isosurface, LabelMap, Layer, takes_both_signs
from volrender.paint import is_sharp
from volrender.rendering import FLAT, FRONTAL, LABEL_REACHES, LIGHTS, MATERIAL, Rendering, presmooth
from volrender.space import NEAREST, Clip, View

MOST_LABELS = 65_535
SAMPLE, DRAFT_SAMPLE = 0.5, 1.0  # voxels between samples along a ray
SURE = 0.5  # voxels over which the change at a surface is measured
REACH = 2.5  # of the sigma without which normals draw rings, how far around those of an isosurface look


class Shelf:
    """Arrays of one type that are laid one after another."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        self.parts: list[NDArray[Any]] = []
        self.size = 0

    def add(self, array: Any) -> int:
        """Where the array will begin."""
        part = np.asarray(array, dtype=self.dtype).reshape(-1)
        self.parts.append(part)
        self.size += part.size
        return self.size - part.size

    def all(self) -> NDArray[Any]:
        """One array of all."""
        return self.parts[0] if len(self.parts) == 1 else np.concatenate([*self.parts, np.zeros(0, dtype=self.dtype)])


class Stage:
    """Records and arrays while they are filled, layer by layer.

    The pool is made once, as large as it must be: fields are filled in place.
    """

    def __init__(self, layers: Sequence[Layer], view: View, how: Rendering) -> None:
        self.view, self.how = view, how
        self.center = round_to(view.center)
        self.clips: list[Clip] = list(dict.fromkeys(clip for layer in layers for clip in layer.clip))
        if len(self.clips) > MOST_CLIPS:
            raise ValueError(f"a Scene can be clipped in at most {MOST_CLIPS} ways; got {len(self.clips)}")
        self.fields: list[Field] = []
        self.tables, self.marks, self.numbers = Shelf(np.float64), Shelf(np.uint8), Shelf(np.uint16)
        self.media: list[Any] = []
        self.projections: list[Any] = []
        self.surfaces: list[Any] = []
        self.walls: list[NDArray[np.float64]] = []
        self.tables.add(np.zeros(3))  # the color of no label
        for layer in layers:
            self.add(layer)

    def bits(self, clips: Sequence[Clip]) -> int:
        """Some of the clips as bits."""
        return sum(1 << self.clips.index(clip) for clip in clips)

    def add(self, layer: Layer) -> None:
        """Add what there is of a layer besides faces."""
        if isinstance(layer, Intensity):
            self._add_intensity(layer)
        elif isinstance(layer, Isosurface):
            reach = REACH * presmooth(layer.volume.data) if layer.smooth else 0.0
            self._add_surface(surface_field(layer), (*as_rgb(layer.color), layer.opacity), (reach, 0.0), -1, 0)
        elif isinstance(layer, LabelMap):
            for labels, solid in shells(layer):
                self._add_labels(layer, labels, solid)
        elif not isinstance(layer, CutPlane):
            raise TypeError(f"a layer must be Intensity, Isosurface, LabelMap or CutPlane; got {type(layer).__name__}")

    def _add_intensity(self, layer: Intensity) -> None:
        n, add = len(self.fields), self.tables.add
        if layer.blend != "composite":
            self.fields.append(intensity_field(layer, tables.anything))
            rgba = np.column_stack([tables.tones(layer), tables.alphas(layer)])
            ranked = (*tables.counted(layer), tables.zero(layer), takes_both_signs(layer))
            self.projections.insert(0, (n, layer.blend == "average", *ranked, add(rgba)))  # the later lies over it
            return
        density, total = tables.absorption(layer)
        self.fields.append(intensity_field(layer, partial(tables.has_matter, density, total)))
        pigments = -1
        if layer.volume.kind == "rgb":
            pigments = self.marks.add(layer.volume.canonical.data[..., :3])
        steep = tables.steepness(layer)
        starts = (add(density), add(total), add(tables.tones(layer)))
        low, high = layer.look.span(layer.blend)
        zero = -low / (high - low)
        if not (0 < zero < 1 and density[int(zero * len(density))] < density[0]):  # not seen on both sides of 0
            zero = 2.0 if density[0] > density[-1] else -1.0
        rest = (add(steep), len(steep), pigments, is_sharp(layer), zero, SURE * min(layer.volume.spacing))
        self.media.append((n, *starts, *self._material(layer), *rest))

    def _material(self, layer: Intensity) -> tuple[float, ...]:
        """Ambient, diffuse, specular and power of a volume; all 0 for no shades."""
        shading = layer.look.shading
        if not self.how.lit or (shading is not None and shading["diffuse"] == 0):
            return (0.0,) * 4
        if shading is None:
            return tuple(MATERIAL.values())
        return tuple(shading[name] for name in ("ambient", "diffuse", "specular", "power"))

    def _add_labels(self, layer: LabelMap, labels: NDArray[Any], solid: NDArray[np.bool_]) -> None:
        if len(labels) > MOST_LABELS:
            raise ValueError(
                f"the ray caster draws at most {MOST_LABELS:,} labels; {layer.volume.name} has {len(labels):,}"
            )
        part = near(solid)
        field = label_field(layer, solid, part)
        data = layer.volume.canonical.data[part]
        places = np.empty(data.shape, np.uint16)
        for plane, found in zip(data, places):
            place = np.searchsorted(labels, plane).clip(max=len(labels) - 1)
            found[:] = np.where(labels[place] == plane, place + 1, 0)
        numbers = self.numbers.add(places)
        palette = self.tables.add([(0.0, 0.0, 0.0), *(layer.table[label][1] for label in labels.tolist())])
        self._add_surface(field, (0.0, 0.0, 0.0, layer.opacity), LABEL_REACHES, numbers, palette)

    def _add_surface(
        self, field: Field, rgba: tuple[float, ...], reaches: tuple[float, float], numbers: int, palette: int
    ) -> None:
        material = tuple((MATERIAL if self.how.lit else FLAT).values())
        self.surfaces.append((len(self.fields), rgba, *material, *reaches, numbers, palette))
        self.fields.append(field)

    def add_walls(self, rows: NDArray[np.float64]) -> tuple[int, int]:
        """Half-spaces ax + by + cz > d; the first of them, and the first after them."""
        first = len(self.walls)
        self.walls.extend(self.moved(np.reshape(rows, (-1, 4))))
        return first, len(self.walls)

    def moved(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Planes or half-spaces relative to the middle of the view."""
        return np.column_stack([rows[:, :3], rows[:, 3] - rows[:, :3] @ self.center])

    def scenery(self, faces: Sequence[Face], step: float) -> Scenery:
        """Everything as arrays; fields filled."""
        clips = [self.add_walls(clip.halfspaces) for clip in self.clips]
        faces = [face for face in faces if face.covered.max() >= 0.5]
        fields = np.zeros(len(self.fields), dtype=FIELD)
        zeros = {row[0]: row[4] for row in self.projections}
        size = 0
        for n, field in enumerate(self.fields):
            f, shape = fields[n], np.array(field.volume.shape[:3])
            f["shape"], f["start"], f["blocks"] = shape, size, -(-shape // BLOCK)
            f["clips"], f["round"] = self.bits(field.clip), field.round
            f["matrix"] = self._matrix(field)
            size += int(shape.prod())
            if n in zeros:
                f["peak"] = size
                size += int(f["blocks"].prod())
        starts = size + np.cumsum([0, *(5 * face.covered.size for face in faces)])
        pool = np.empty(starts[-1], dtype=np.float32)
        records = [self._face(face, start, pool) for face, start in zip(faces, starts.tolist())]
        for n, field in enumerate(self.fields):
            self._fill(field, fields[n], pool, zeros.get(n))
        sight = self._sight(step)
        return Scenery(
            pool,
            np.zeros(0, dtype=np.float32),
            self.marks.all(),
            self.numbers.all(),
            self.tables.all(),
            sight,
            fields,
            np.array(self.media, dtype=MEDIUM),
            np.array(self.projections, dtype=PROJECTION),
            np.array(self.surfaces, dtype=SURFACE),
            np.array(records, dtype=FACE),
            np.array(clips, dtype=CLIP),
            np.array([(tuple(wall),) for wall in self.walls], dtype=WALL),
        )

    def _matrix(self, field: Field) -> NDArray[np.float64]:
        """From the world relative to the middle of the view to the index of a voxel's centre."""
        affine = field.volume.affine.copy()
        affine[:3, 3] -= self.view.center
        return np.asarray(np.linalg.inv(round_to(affine))[:3])

    def _fill(self, field: Field, f: Any, pool: Pool, zero: float | None) -> None:
        """Fill a field and its blocks; `zero` is that of a projection."""
        shape, blocks = tuple(f["shape"].tolist()), tuple(f["blocks"].tolist())
        data = pool[f["start"] : f["start"] + int(np.prod(shape))].reshape(shape)
        field.fill(data)
        low, high = np.empty(blocks, dtype=np.float32), np.empty(blocks, dtype=np.float32)
        run(partial(block_ranges, data, low, high, b, b + 1) for b in range(blocks[0]))
        f["room"] = self.marks.add(_room(field.has(low, high)))
        if zero is not None:
            pool[f["peak"] : f["peak"] + high.size] = np.maximum(high - zero, zero - low).ravel()

    def _face(self, face: Face, start: int, pool: Pool) -> tuple[Any, ...]:
        """A face's record, its picture put in the pool."""
        texels = np.dstack([face.picture, face.covered])
        pool[start : start + texels.size] = texels.ravel()
        first = face.grid[0, 0]
        rows = []
        for along in (face.grid[1, 0] - first, face.grid[0, 1] - first):
            axis = along / (along @ along)
            rows.append([*axis, axis @ (self.center - first)])
        (plane,) = self.moved(face.row[None])
        walls = self.add_walls(np.array(face.within))
        return plane, rows, start, face.covered.shape, *walls, self.bits(face.clips)

    def _sight(self, step: float) -> Records:
        """How the pixels of the view become rays, and the lights."""
        view, sight = self.view, np.zeros(1, dtype=SIGHT)
        right, up, toward = view.camera.axes
        width, height = view.size
        pixel = float(round_to(view.mm_per_pixel))
        corner = -(width - 1) / 2 * pixel * right + (height - 1) / 2 * pixel * up
        raster = np.stack([corner, pixel * right, -pixel * up])
        s = sight[0]
        s["width"], s["step"], s["nearest"] = width, step, -np.inf
        if view.camera.perspective:
            eye = view.distance * toward
            raster[0] -= eye
            s["start"][0], s["along"], s["nearest"] = eye, raster, NEAREST * view.distance
        else:
            s["start"], s["along"][0] = raster, -toward
        lights = LIGHTS if self.how.lit else FRONTAL
        rows = [[*(np.asarray(position) / np.linalg.norm(position) @ view.camera.axes), n] for position, n in lights]
        s["lights"], s["n_lights"] = self.tables.add(rows), len(rows)
        return sight


def scenery(layers: Sequence[Layer], view: View, how: Rendering) -> Scenery:
    """Fields filled, tables made; the light comes through no air yet."""
    layers = [ended(layer) for layer in layers]
    stage, pixel = Stage(layers, view, how), view.mm_per_pixel
    faces = [*slice_faces(layers, pixel, how.draft), *cut_faces(layers, pixel, how.draft)]
    spacings = [min(stage.fields[row[0]].volume.spacing) for row in (*stage.media, *stage.projections)]
    return stage.scenery(faces, (DRAFT_SAMPLE if how.draft else SAMPLE) * min(spacings, default=1.0))


def round_to(value: Any, digits: int = 12) -> Any:
    """Numbers rounded to so many digits of the largest."""
    array = np.asarray(value, dtype=np.float64)
    size = float(np.abs(array).max(initial=0.0))
    return np.round(array, digits - int(np.ceil(np.log10(size)))) if size > 0 else array


def _room(has: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """How many blocks around each there is nothing, itself counted."""
    if not has.any():
        return np.full(has.shape, 255, dtype=np.uint8)
    far = np.asarray(ndimage.distance_transform_cdt(~has, "chessboard"))
    return np.minimum(far, 255).astype(np.uint8)
