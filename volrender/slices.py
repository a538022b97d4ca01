"""`Slices`: planes through the world with all layers on them, as rows of tiles.

Which planes, how they are seen and what they show of the subject is decided here; `draw.slices` draws them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volrender import captions, crossed, focus, framing
from volrender import space as world
from volrender.annotation import as_annotation
from volrender.cuts import Cut, across, along, mirrored, number, own_axes, section
from volrender.draw.annotate import Frame
from volrender.io.files import warn
from volrender.layers import CutPlane, Intensity, LabelMap, Layer
from volrender.panel import Panel, too_low, with_labels
from volrender.space import AXES, Floats, Plane
from volrender.volume import Volume
from volrender.words import as_bool, our_words

if TYPE_CHECKING:
    from volrender.draw.tiles import Layout, Tile

AIR = 4.0  # mm around what is seen
SPACES = ("world", "native")
NEUROLOGICAL = {"superior": "inferior", "posterior": "anterior"}  # sides with the right on the right, and the others
MOST_SLICES = 100  # of a direction, chosen by number


@our_words
class Slices(Panel):
    """Slices across the world's axes or any others, all layers sampled where they are.

    Parameters
    ----------
    *layers : layer, Volume, path or nibabel image
    x, y, z : float or list of float, optional
        Positions (mm) of sagittal, coronal and axial slices; by default one of each, through the peak of the largest
        cluster of the last layer, or through the middle of the subject if there is but one.
    n : int or (int, int, int), optional
        How many slices to choose from the extent of what is shown: of each direction, in rows; or sagittal, coronal
        and axial.
    plane : Plane, or list of them, optional
        Slices of any direction.
    space : "world", "native" or Volume
        Whose axes `x`, `y`, `z` and `n` cut across: the world's, those of the first layer's voxels, or of the
        volume's. Along voxel axes positions are mm along the slices' normal, from the world's origin.
    camera : name, optional
        The side that slices across its direction are seen from, "left" for sagittal slices with the face to the
        left; without positions it chooses that plane alone. From "superior" and "posterior" the subject's right is on
        the right, from "inferior" and "anterior" on the left.
    radiological : bool
        Whether the subject's right is on the left of the picture.
    annotate : bool or Annotation
        What is written and drawn over the slices: positions, letters, a scale bar, a crosshair, a reference view.
    title : str
    colorbar : bool, optional
        Color bars and the legend; by default for maps with a sign, a unit or a colormap of your choice, and where
        there are several layers or colors to tell apart.
    background : color or "transparent"

    Examples
    --------
    >>> import volrender as vr
    >>> [cut.label for cut in vr.Slices(vr.sample("mni152"), z=[0, 20]).cuts]
    ['z = 0 mm', 'z = 20 mm']
    >>> [cut.ends for cut in vr.Slices(vr.sample("mni152"), z=0, radiological=True).cuts]
    [('R', 'L')]
    """

    elastic = True

    def __init__(
        self,
        *layers: Any,
        x: Any = None,
        y: Any = None,
        z: Any = None,
        n: int | Sequence[int] | None = None,
        plane: Plane | Sequence[Plane] | None = None,
        space: str | Volume = "world",
        camera: str | None = None,
        radiological: bool = False,
        annotate: Any = True,
        title: str = "",
        colorbar: bool | None = None,
        background: Any = "white",
    ) -> None:
        self._set_up(layers, title, colorbar, background)
        self._check_places()
        if camera is not None and camera not in world.CAMERAS:
            raise ValueError(f"camera of Slices must be one of {', '.join(world.CAMERAS)}; got {camera!r}")
        self.radiological = as_bool(radiological, "radiological")
        if radiological and camera in NEUROLOGICAL:
            raise ValueError(
                f"radiological slices are not seen from camera={camera!r}: take {NEUROLOGICAL[camera]!r}, or none"
            )
        self.camera = camera
        self.annotate = as_annotation(annotate)
        self._axes = self._as_axes(space)
        self._owner = space if isinstance(space, Volume) else self.layers[0].volume if space == "native" else None
        self._prime = "" if self._owner is None else "′"
        self._positions = tuple(_as_positions(values, axis) for values, axis in zip((x, y, z), AXES))
        self._planes = _as_planes(plane)
        self._counts = _as_counts(n)
        if self._counts and (self._planes or any(self._positions)):
            raise TypeError("Slices takes n, which chooses the positions, or x, y, z and plane; got both")
        self._check_positions()

    def _as_axes(self, given: str | Volume) -> Floats:
        """The directions, as columns, that slices are cut across."""
        if isinstance(given, Volume):
            return own_axes(given.shape, given.affine)
        if not isinstance(given, str):
            raise TypeError(f"space must be {' or '.join(SPACES)}, or a Volume; got {type(given).__name__}")
        if given not in SPACES:
            raise ValueError(f"space must be {' or '.join(SPACES)}, or a Volume; got {given!r}")
        volume = self.layers[0].volume
        return np.eye(3) if given == "world" else own_axes(volume.shape, volume.affine)

    def _check_positions(self) -> None:
        for w, positions in enumerate(self._positions):
            for position in positions or ():
                low, high = self._reach(self._cut(w, position))
                if not low <= position <= high:
                    raise ValueError(f"{AXES[w]} must lie within the volumes, {low:g} to {high:g} mm; got {position:g}")
        for plane in self._planes:
            low, high = self._reach(cut := along(plane))
            if not low <= cut.offset <= high:
                reach = f"which along its normal lie from {low:g} to {high:g} mm"
                raise ValueError(f"a plane must cross the volumes, {reach}; got one at {cut.offset:g}")

    def _reach(self, cut: Cut) -> tuple[float, float]:
        """Where the volumes begin and end along a cut's normal (mm)."""
        depth = self._corners @ cut.normal
        return float(depth.min().round(6)), float(depth.max().round(6))

    @property
    def view(self) -> str:
        """Where the slices lie, in words."""
        if self._owner is None:
            return captions.cuts(self.cuts)
        count = len(self.cuts) - len(self._planes)  # which come last, and lie in the world
        own, free = self.cuts[:count], self.cuts[count:]
        said = [f"{captions.cuts(own)} along the axes of {self._owner.name or 'the volume'}"] if own else []
        return captions.listed([*said, captions.cuts(free)] if free else said)

    @property
    def cuts(self) -> list[Cut]:
        """The slices, sagittal first, planes of any direction last."""
        return [cut for group in self._groups for cut in group]

    @cached_property
    def _groups(self) -> list[list[Cut]]:
        """The slices of each direction."""
        if self._counts:
            normals = [self._cut(w, 0.0).normal for w in range(3)]
            places = focus.spread(self.layers, normals, self._wanted)
            return [[self._cut(w, p) for p in chosen] for w, chosen in enumerate(places) if chosen]
        if self._planes or any(self._positions):
            groups = [[self._cut(w, p) for p in places] for w, places in enumerate(self._positions) if places]
            return groups + [[self._seen(along(plane)) for plane in self._planes]] * bool(self._planes)
        facing = range(3) if self._faced is None else [self._faced]
        return [[self._through(w, self._focus)] for w in facing]

    @property
    def _wanted(self) -> list[int]:
        """How many slices of each direction are to be chosen."""
        counts = self._counts * 3 if len(self._counts) == 1 else self._counts
        return [n if self._faced in (None, w) else 0 for w, n in enumerate(counts)]

    @property
    def _faced(self) -> int | None:
        """The axis that the camera looks along."""
        return None if self.camera is None else int(np.argmax(np.abs(world.as_camera(self.camera).toward)))

    def _cut(self, w: int, offset: float) -> Cut:
        return self._seen(across(self._axes, w, offset, prime=self._prime))

    def _through(self, w: int, point: Floats) -> Cut:
        """The cut of a direction through a world point, at a round position."""
        return self._cut(w, focus.rounded(self.layers, float(self._cut(w, 0.0).normal @ point)))

    def _seen(self, cut: Cut) -> Cut:
        """A cut as it is seen: from the camera's side, else with the subject's right or front on the right."""
        turned = self.radiological and cut.axis != 0
        if self.camera is not None and cut.axis == self._faced:
            turned = float(world.as_camera(self.camera).axes[0] @ cut.right) < 0
        return mirrored(cut) if turned else cut

    @cached_property
    def _focus(self) -> Floats:
        """The world point that the picture is about."""
        return focus.point(self.layers)

    @cached_property
    def _points(self) -> NDArray[np.float64]:
        """World points that span what is seen of all layers."""
        parts = [framing.layer_points(layer) for layer in self.layers]
        for layer, points in zip(self.layers, parts):
            if len(points) == 0 and layer is not self.layers[0]:
                warn(str(framing.nothing(layer)))
        if len(parts[0]) == 0:
            ground = self.layers[0]
            if ground.clip or not framing.is_even(ground):
                raise framing.nothing(ground)
            parts[0] = world.corners(ground.volume.shape, ground.volume.affine)
        return np.concatenate(parts)

    @cached_property
    def _corners(self) -> NDArray[np.float64]:
        volumes = [layer.volume for layer in self.layers]
        return np.concatenate([world.corners(volume.shape, volume.affine) for volume in volumes])

    @cached_property
    def _bounds(self) -> NDArray[np.float64]:
        """The world box (mm) of what is seen of all layers, a little air, never beyond the volumes."""
        low = np.maximum(self._points.min(axis=0) - AIR, self._corners.min(axis=0))
        return np.stack([low, np.minimum(self._points.max(axis=0) + AIR, self._corners.max(axis=0))], axis=1)

    def _extent(self, cut: Cut) -> Floats:
        """What of a plane is shown, ((u, u), (v, v)) in mm: what crosses the box of what is seen."""
        extents = [flat] if len(flat := section(cut, self._bounds)) else []
        if not extents or min(np.abs(cut.right).max(), np.abs(cut.up).max()) < 1 - 1e-12:
            shown = cut.flat(self._points)
            ends = np.stack([shown.min(axis=0) - AIR, shown.max(axis=0) + AIR])
            extents += [ends, cut.flat(self._corners)]
        low, high = (np.array([getattr(flat, end)(axis=0) for flat in extents]) for end in ("min", "max"))
        return np.stack([low.max(axis=0), high.min(axis=0)], axis=1).round(9)

    @cached_property
    def _tiles(self) -> list[list[Tile]]:
        """The tiles of each direction, with its reference view if there is to be one."""
        from volrender.draw.tiles import Tile

        groups = []
        for group in self._groups:
            extents = [self._extent(cut) for cut in group]
            if all(np.array_equal(cut.normal, group[0].normal) for cut in group):  # a row of equal tiles
                low, high = np.min(extents, axis=0)[:, 0], np.max(extents, axis=0)[:, 1]
                extents = [np.stack([low, high], axis=1)] * len(group)
            tiles = [Tile(cut, extent) for cut, extent in zip(group, extents)]
            if self.annotate.reference:
                side = self._reference(group)
                tiles.append(Tile(side, self._extent(side), tuple(group)))
            groups.append(tiles)
        return groups

    def _reference(self, group: Sequence[Cut]) -> Cut:
        """The view from the side, sagittal if it can be, through the middle of the subject."""
        w = 1 if group[0].axis == 0 else 0
        middle = (self._points.min(axis=0) + self._points.max(axis=0)) / 2
        return self._through(w, middle)

    @cached_property
    def _cross(self) -> Floats | None:
        """The world point of the crosshair: the user's, or where of each direction the slices meet that are next to
        what the picture is about.
        """
        given = self.annotate.crosshair
        if not isinstance(given, bool):
            point = np.array(given)
            if not any(cut.holds(point) for cut in self.cuts):
                at = ", ".join(number(value) for value in given)
                warn(f"the crosshair at ({at}) mm lies on none of the slices, {captions.cuts(self.cuts)}")
            return point
        if not given:
            return None
        if len(self._planes) == 1 and not any(self._positions):
            return np.array(self._planes[0].origin)
        through = [self._through(w, self._focus) for w in range(3)]
        for group in self._groups:
            near = min(group, key=lambda cut: abs(float(cut.normal @ self._focus) - cut.offset))
            parallel = [w for w, cut in enumerate(through) if abs(float(cut.normal @ near.normal)) > 1 - 1e-9]
            through[parallel[0] if parallel else near.axis] = near
        return np.linalg.solve(np.stack([cut.normal for cut in through]), np.array([cut.offset for cut in through]))

    @property
    def said(self) -> str:
        """A sentence on what the panel shows, and where its crosshair is."""
        if self._cross is None or not any(cut.holds(self._cross) for cut in self.cuts):
            return super().said
        return f"{super().said} The crosshair is at ({', '.join(number(value) for value in self._cross)}) mm."

    @cached_property
    def _visible(self) -> list[Layer]:
        """The layers that are on a slice, label maps with those labels that are."""
        labels = {layer: self._seen_labels(layer) for layer in self.layers if isinstance(layer, LabelMap)}

        def is_met(layer: Layer) -> bool:
            if isinstance(layer, LabelMap):
                return bool(np.isin(labels[layer], list(layer.table)).any())
            ground = layer is self.layers[0] and isinstance(layer, Intensity)
            return ground or any(crossed.meets(layer, *part) for part in self._parts(layer))

        lost = [layer for layer in self.layers if not is_met(layer)]
        names = [layer.volume.name or type(layer).__name__ for layer in lost if len(framing.layer_points(layer))]
        if names:
            where = captions.cuts(self.cuts)
            warn(f"nothing is to be seen of {captions.listed(names)} on the {where}: cut where there is something")
        kept = [layer for layer in self.layers if layer not in lost]
        return with_labels(kept, {n: labels[one] for n, one in enumerate(kept) if isinstance(one, LabelMap)})

    def _seen_labels(self, layer: LabelMap) -> NDArray[Any]:
        return np.concatenate([crossed.labels(layer, *part) for part in self._parts(layer)])

    def _is_seen(self, layer: Layer, points_xyz: Floats) -> bool:
        return any(crossed.is_met(layer, *part, points_xyz) for part in self._parts(layer))

    def _parts(self, layer: Layer) -> list[tuple[Cut, Floats]]:
        """The cuts on which a layer is drawn, and what of each is shown; planes are in the reference views too."""
        tiles = [tile for group in self._tiles for tile in group]
        return [(tile.cut, tile.extent) for tile in tiles if not tile.lines or isinstance(layer, CutPlane)]

    def narrowest(self, font_size: float) -> float:
        """The width (mm) of one tile with its lettering, and of the color bars."""
        from volrender.draw import tiles

        frame = self._paperless(100, font_size)
        column = tiles.least_width(self._tiles, frame, self.annotate)
        return max(super().narrowest(font_size), column + self._sidebar(frame).width)

    def least_scale(self, font_size: float) -> float:
        """Paper mm for a world mm at which the lettering over each tile just has room."""
        from volrender.draw import tiles

        frame = self._paperless(100, font_size)
        return 1 / tiles.coarsest_scale(self._tiles, frame, self.annotate)

    def _layout(self, frame: Frame, height: float = 0.0, most: float = np.inf) -> Layout:
        """The tiles in a frame's width, beside the color bars, with at most so many paper mm for a world mm."""
        from volrender.draw import slices, tiles

        place = frame.part(0, 0, frame.width - self._sidebar(frame).width, frame.height)
        gap = tiles.gap(frame, bare=slices.ground(self.layers) is None)
        return tiles.arrange(self._tiles, place, self.annotate, gap, height, 1 / most)

    def _body(self, frame: Frame) -> float:
        layout = self._layout(frame)
        return max(layout.height(layout.scale), self._sidebar(frame).least_height)

    @property
    def peer(self) -> Hashable:
        """Slices as many of a volume on one grid."""
        ground = self.layers[0].volume
        return "slices", ground.shape, ground.affine.tobytes(), tuple(map(len, self._tiles))

    def sized(self, width: float, font_size: float, height: float = 0.0) -> tuple[float, float]:
        """Paper mm for a world mm, and the height of the pictures in world mm."""
        layout = self._layout(self._paperless(width, font_size), height)
        return 1 / (layout.scale_in(height) if height else layout.scale), layout.world_height

    def _picture(self, frame: Frame, most: float) -> None:
        """Draw the tiles and the sidebar, at the top of a frame that is higher than they need."""
        from volrender.draw import slices

        side, layout = self._sidebar(frame), self._layout(frame, frame.height, most)
        needed = layout.height(layout.coarsest)
        if frame.height < needed - 1.0:  # a page is of whole pixels
            raise ValueError(too_low("Slices", needed, frame.font_size, frame.height))
        scale = max(layout.scale_in(frame.height), 1 / most)
        tall = min(frame.height, max(layout.height(scale), side.least_height))
        bottom, width = frame.height - tall, layout.frame.width
        slices.draw(frame.part(0, bottom, width, tall), self.layers, layout, scale, self._cross)
        side.draw(width, bottom, tall)


def _as_positions(values: Any, axis: str) -> list[float] | None:
    if values is None:
        return None
    try:
        positions = [float(v) for v in np.atleast_1d(np.asarray(values, dtype=float))]
    except (TypeError, ValueError):
        raise TypeError(f"{axis} must be a position in mm, or a list of them; got {values!r}") from None
    if not positions or not np.isfinite(positions).all():
        raise ValueError(f"{axis} must be finite positions in mm; got {values!r}")
    return positions


def _as_planes(given: Any) -> tuple[Plane, ...]:
    planes = () if given is None else tuple(given) if isinstance(given, (list, tuple)) else (given,)
    if not all(isinstance(plane, Plane) for plane in planes) or (given is not None and not planes):
        raise TypeError(f"plane must be a Plane, or a list of them; got {given!r}")
    return planes


def _as_counts(given: Any) -> tuple[int, ...]:
    """How many slices of all directions, or of each; none if they are not to be chosen."""
    counts = () if given is None else tuple(given) if isinstance(given, (list, tuple)) else (given,)
    if given is not None and (len(counts) not in (1, 3) or not all(isinstance(c, (int, np.integer)) for c in counts)):
        raise TypeError(f"n must be a number of slices, or three; got {given!r}")
    if counts and (min(counts) < (1 if len(counts) == 1 else 0) or not 1 <= max(counts) <= MOST_SLICES):
        raise ValueError(f"n must be 1 to {MOST_SLICES} slices; got {given!r}")
    return tuple(int(count) for count in counts)
