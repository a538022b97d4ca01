"""The voxel engine: translucent cubes on mplot3d, as one collection drawn back to front.

The grid of cubes is the first layer's own, cut into fewer voxels; every layer is painted at its cube centres and
composited there. The affine is applied once, in `VoxelCollection`, which takes cube corners to the world. Faces are
shaded as ``Axes3D.voxels`` shades them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.artist import allow_rasterization
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import Collection
from matplotlib.colors import LightSource
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform
from mpl_toolkits.mplot3d import Axes3D
from numpy.typing import NDArray

from volrender import paint, space
from volrender.color import RGB
from volrender.draw.annotate import INK, MM_PER_INCH, Frame, nice_ticks
from volrender.layers import CutPlane, LabelMap, Layer
from volrender.volume import Volume

# Two faces along each axis, corners counted around the face seen from outside; a corner is its bits (i, j, k).
FACES = np.array(
    [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]  # -i, +i, -j, +j, -k, +k
)
CORNERS = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)])
LIGHT = LightSource(azdeg=225, altdeg=19.4712)  # matplotlib's own, for 3-D polygons
OPAQUE = 0.996
HIDDEN = 1 / 1024
HAZE = 0.005
AT_ONCE = 1_000_000  # voxels painted
CUBES_AT_ONCE = 50_000  # drawn
EDGE_POINTS = 0.25
MOST_PATHS = 100_000


@dataclass(frozen=True)
class Cubes:
    """Colored cubes on a grid: `rgba` (i, j, k, 4), transparent where there is none, and the grid's affine."""

    rgba: NDArray[np.float32]
    affine: NDArray[np.float64]

    @property
    def alpha(self) -> NDArray[np.float32]:
        """How opaque each voxel is; 0 where there is no cube."""
        return self.rgba[..., 3]

    @cached_property
    def corners_xyz(self) -> NDArray[np.float64]:
        """World corners of the filled grid, shape (8, 3): the box that the axes show."""
        ends = []
        for a in range(3):
            occupied = np.flatnonzero(self.alpha.any(axis=tuple({0, 1, 2} - {a})))
            ends.append((occupied[0], occupied[-1]))
        low, high = np.array(ends).T
        return space.apply_affine(self.affine, (low + high) / 2 + CORNERS * (high - low + 1))

    @cached_property
    def outline_xyz(self) -> NDArray[np.float64]:
        """World corners (n, 3) that span the cubes that are more than a haze."""
        ends = paint.line_ends(self.alpha > min(HAZE, 0.1 * self.alpha.max()))
        return space.apply_affine(self.affine, (ends[:, None, :] + CORNERS).reshape(-1, 3))


def build(layers: Sequence[Layer], size: int | Sequence[int] | None, mask: Volume | None = None) -> Cubes:
    """Paint all layers on one grid: the first layer's, downsized; where a mask is 0 there is no cube.

    Raises
    ------
    ValueError
        If no voxel is left to be seen.
    """
    for layer in layers:
        if isinstance(layer, CutPlane):
            raise TypeError("Voxels cannot show a CutPlane: cut with clip=Plane(...) instead")
    first = layers[0].volume.canonical
    grid = first if size is None else first.downsize(size)
    sources = [_no_finer(layer, grid, first) for layer in layers]
    picture = np.zeros((*grid.shape[:3], 4), dtype=np.float32)
    thick = max(1, AT_ONCE // (grid.shape[1] * grid.shape[2]))
    for start in range(0, grid.shape[0], thick):
        part = slice(start, min(start + thick, grid.shape[0]))
        centers = _centers(grid, part)
        for n, (layer, source) in enumerate(zip(layers, sources)):
            look = "overlay" if n else "glass" if len(layers) > 1 else "voxel"
            values = source.data[part] if source is grid else _values(layer, source, centers)
            colors = paint.rgba(layer, values, look)
            if layer.clip:
                colors[space.removed(layer.clip, centers)] = 0
            picture[part] = paint.over(picture[part], colors) if n else colors
        if mask is not None:
            picture[part][paint.sample_labels(mask, centers) == 0] = 0
    if not picture[..., 3].any():
        raise ValueError("no voxel is left to be seen: the opacity hides everything, or a clip or the mask removes it")
    return Cubes(picture, grid.affine)


def within(
    layers: Sequence[Layer], mask: Volume | None, explode: float, toward: NDArray[np.float64], budget: int
) -> tuple[Cubes, int | None]:
    """The volume's own voxels as cubes, or, if they have more than `budget` faces, as many as have no more.

    And how many then lie along the longest side.

    Parameters
    ----------
    toward : ndarray, shape (3,)
        World direction to the viewer: what nobody sees does not count.
    """

    def made(size: int | None) -> tuple[Cubes, int]:
        cubes = build(layers, size, mask)
        return cubes, 6 * len(Sight.from_afar(cubes.affine, toward).order(cubes, explode)[0])

    cubes, faces = made(None)
    volume = layers[0].volume
    least, most = 1, int(np.ceil((volume.shape * np.array(volume.spacing)).max() / min(volume.spacing) - 1e-6))
    if faces <= budget:
        return cubes, None
    best, size = None, most
    # Faces grow with the square of the size if only the outside is seen, with the cube if everything is.
    while most - least > 1:
        guess = int(size * (budget / faces) ** 0.4)
        size = min(max(guess, least + 1), most - 1)
        cubes, faces = made(size)
        if faces <= budget:
            best, least = cubes, size
        else:
            most = size
    return best or build(layers, least, mask), least


def _no_finer(layer: Layer, grid: Volume, first: Volume) -> Volume:
    """A layer's volume in voxels no smaller than the cubes, so that nothing aliases; labels as they are."""
    source = layer.volume.canonical
    if source is first:
        return grid
    if isinstance(layer, LabelMap):
        return source
    coarser = np.maximum(np.rint(np.array(source.shape[:3]) * source.spacing / np.array(grid.spacing).min()), 1)
    return source.downsize(np.minimum(coarser, source.shape[:3]).astype(int).tolist())


def _values(layer: Layer, source: Volume, centers: NDArray[np.float64]) -> NDArray[Any]:
    return paint.sample_labels(source, centers) if isinstance(layer, LabelMap) else paint.sample(source, centers)


def _centers(grid: Volume, part: slice) -> NDArray[np.float64]:
    """World centres (i, j, k, 3) of the voxels of a slab along the first axis."""
    shape = (part.stop - part.start, *grid.shape[1:3])
    return space.apply_affine(grid.affine, np.moveaxis(np.indices(shape), 0, -1) + (part.start, 0, 0))


@dataclass(frozen=True)
class Sight:
    """Where cubes are seen from: the eye's homogeneous index (i, j, k, w); a direction, w = 0, if it is far off."""

    eye: NDArray[np.float64]

    @classmethod
    def from_afar(cls, affine: NDArray[np.float64], toward: NDArray[np.float64]) -> Sight:
        """In parallel projection, from a world direction."""
        return cls(np.r_[np.linalg.inv(affine[:3, :3]) @ toward, 0.0])

    @classmethod
    def through(cls, to_screen: NDArray[np.float64]) -> Sight:
        """The eye of a projection (4, 4) of index space onto a screen whose depth grows away from it.

        It is the point that the screen does not know where to show: x = y = w = 0.
        """
        eye = np.linalg.svd(to_screen[[0, 1, 3]])[2][3]
        if abs(eye[3]) > 1e-9 * np.abs(eye[:3]).max():
            return cls(eye / eye[3])
        return cls(np.r_[eye[:3] * -np.sign(to_screen[2, :3] @ eye[:3]), 0.0])

    def steps(self, shape: Sequence[int]) -> list[NDArray[np.int16]]:
        """Along each index axis, for each voxel, how many voxels it lies behind the nearest in sight; signed toward
        the eye.
        """
        along: list[NDArray[np.int16]] = []
        for n, position in zip(shape, self.eye):
            index = np.arange(n)
            if self.eye[3] == 0:
                sign = int(np.sign(np.round(position / np.abs(self.eye[:3]).max(), 6)))
                away = sign * (np.where(sign > 0, n - index, index + 1) if sign else 0 * index)
            else:
                away = position - index
                far = np.ceil(np.abs(away) - 0.5)
                away = np.sign(away) * (far - max(far.min() - 1, 0))
            along.append(away.astype(np.int16))
        return along

    def facing(self, index: NDArray[Any], half: float) -> NDArray[np.bool_]:
        """Which of the six faces of cubes at `index` (n, 3) look at the eye: (n, 6), or (1, 6) from afar."""
        if self.eye[3] == 0:
            away = self.eye[None, :3]
            sides = np.stack([away < 0, away > 0], axis=-1)
        else:
            away = self.eye[:3] - index
            sides = np.stack([away < -half, away > half], axis=-1)
        return sides.reshape(-1, 6)

    def order(self, cubes: Cubes, explode: float) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Flat indices of the cubes that can be seen, far ones first, and where in that order each wave ends.

        A cube can hide another only if along no axis the other is nearer to the eye; so the sum of steps sorts them,
        whatever their shape. Through gaps everything may be seen.
        """
        steps = self.steps(cubes.alpha.shape)
        kept = cubes.alpha > 0 if explode > 0 else (cubes.alpha > 0) & visible(cubes.alpha, steps)
        chosen = np.flatnonzero(kept).astype(np.int32)
        wave = -_wave(steps).ravel()[chosen]
        order = np.argsort(wave, kind="stable")
        return chosen[order], np.append(np.flatnonzero(np.diff(wave[order])) + 1, len(order))


def _wave(steps: Sequence[NDArray[np.int16]]) -> NDArray[np.int16]:
    """How many voxels lie between each voxel and the eye (i, j, k), along all axes together."""
    i, j, k = (np.abs(along) for along in steps)
    return np.asarray(i[:, None, None] + j[:, None] + k)


def visible(alpha: NDArray[np.float32], steps: Sequence[NDArray[np.int16]]) -> NDArray[np.bool_]:
    """Of which voxels something can be seen, `steps` voxels away from the eye along each axis (`Sight.steps`).

    A ray toward the eye leaves a cube through one of its near faces and crosses two faces of the cube there, so the
    light that gets out of a cube is at most the largest, over its near neighbours, of what gets out of the neighbour
    times (1 - alpha) squared. Swept in waves away from the eye; below 1/1024 nothing is seen.
    """
    through = np.pad((1 - np.clip(alpha, 0, 1)) ** 2, 1, constant_values=1.0)
    light = np.ones_like(through)
    strides = [stride // light.itemsize for stride in light.strides]
    wave = _wave(steps).ravel()
    order = np.argsort(wave, kind="stable").astype(np.int32)
    ends = np.flatnonzero(np.diff(wave[order])) + 1
    out, passing = light.ravel(), through.ravel()
    signs = [np.sign(along).astype(np.int32) for along in steps]
    for part in np.split(order, ends):
        index = np.unravel_index(part, alpha.shape)
        at = np.add.reduce([(i + 1) * stride for i, stride in zip(index, strides)])
        best = np.zeros(len(part), dtype=light.dtype)
        inside = np.ones(len(part), dtype=bool)
        for i, sign, stride in zip(index, signs, strides):
            toward = sign[i]
            near = at + toward * stride
            best = np.maximum(best, np.where(toward, out[near] * passing[near], 0))
            inside &= toward == 0
        out[at] = np.where(inside, 1, best)
    seen = light > HIDDEN
    for axis, sign in enumerate(signs):
        if (sign == 0).any():  # seen edge on: a pixel may show the rows on both sides of an edge
            seen |= np.roll(seen, 1, axis) | np.roll(seen, -1, axis)
    return seen[1:-1, 1:-1, 1:-1]


class VoxelCollection(Collection):
    """All cubes as one mplot3d artist, sorted back to front whenever the view changes.

    Parameters
    ----------
    cubes : Cubes
    explode : float
        The gap between cubes as a fraction of a voxel, 0 to below 1.
    edgecolor : (red, green, blue), optional
        Of a line around each face; it is as opaque as the face.
    vector : bool
        Whether PDF and SVG get a path a face and not one picture.
    """

    def __init__(
        self, cubes: Cubes, explode: float = 0.0, edgecolor: RGB | None = None, *, vector: bool = False
    ) -> None:
        super().__init__(rasterized=not vector)
        self._vector = vector
        self.cubes = cubes
        self._explode = explode
        self._edge = edgecolor
        self._shades = shades(cubes.affine)
        self._opaque = np.pad(cubes.alpha >= OPAQUE, 1)
        self._order: NDArray[np.int32] = np.empty(0, np.int32)
        self._ends: NDArray[np.int64] = np.empty(0, np.int64)
        self._seen_from: bytes = b""
        self._to_screen = np.eye(4)
        self._sight = Sight(np.array([0.0, 0, 1, 0]))

    def set_sort_zpos(self, value: float | None) -> None:
        """Accepted for mplot3d, which calls it when a 2-D artist joins 3-D axes."""

    def do_3d_projection(self) -> float:
        """Sort the cubes for the axes' present view, if it is another; the depth of the nearest."""
        axes: Any = self.axes
        self._to_screen = np.asarray(axes.M) @ self.cubes.affine
        self._sight = Sight.through(self._to_screen)
        seen_from = b"".join(along.tobytes() for along in self._sight.steps(self.cubes.alpha.shape))
        if seen_from != self._seen_from:
            (self._order, self._ends), self._seen_from = self._sight.order(self.cubes, self._explode), seen_from
        homogeneous = np.c_[self.cubes.corners_xyz, np.ones(8)] @ np.asarray(axes.M).T
        return float((homogeneous[:, 2] / homogeneous[:, 3]).min())

    def faces(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]]:
        """The faces that are drawn, back to front, in portions: corners on the screen (n, 4, 2), colors (n, 4), and of
        each the cube (its place in the order of voxels) and the side.

        A portion with opaque cubes is one wave of cubes that do not hide each other.
        """
        count = len(self._order)
        ends = self._ends if self._opaque.any() else [*range(CUBES_AT_ONCE, count, CUBES_AT_ONCE), count]
        for start, end in pairwise([0, *ends]):
            flat = self._order[start:end]
            index = np.stack(np.unravel_index(flat, self.cubes.alpha.shape), axis=-1)
            facing = self._sight.facing(index, (1 - self._explode) / 2)
            kept = self._open_faces(index, facing)
            # Neither two far faces of a cube nor two near ones hide each other.
            sides = np.broadcast_to(np.argsort(facing, axis=1, kind="stable"), (len(index), 6))
            which, nth = np.nonzero(np.take_along_axis(kept, sides, axis=1))
            side = sides[which, nth]
            corners = index[:, None, :] + CORNERS * (1 - self._explode)
            homogeneous = corners @ self._to_screen[:, :3].T + self._to_screen[:, 3]
            screen = homogeneous[..., :2] / homogeneous[..., 3:]
            colors = self.cubes.rgba[tuple(index.T)][which].astype(float)
            colors[:, :3] *= self._shades[side, None]
            yield screen[which[:, None], FACES[side]], colors, np.stack([flat[which], side], axis=-1)

    def _open_faces(self, index: NDArray[np.int64], facing: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of the six faces (n, 6) of each cube can be seen: of an opaque one, not those that look away, nor
        those that touch another opaque one.
        """
        i, j, k = (index + 1).T
        own = self._opaque[i, j, k][:, None]
        kept = facing | ~own
        if self._explode == 0 and own.any():
            steps = [(-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)]
            touched = np.stack([self._opaque[i + a, j + b, k + c] for a, b, c in steps], axis=1)
            kept &= ~(own & touched)
        return np.asarray(kept)

    @allow_rasterization  # type: ignore[untyped-decorator]
    def draw(self, renderer: Any) -> None:
        """Draw the sorted faces; Agg takes them as meshes, other backends as paths."""
        if not self.get_visible():
            return
        gc = renderer.new_gc()
        self._set_gc_clip(gc)  # type: ignore[attr-defined]
        gc.set_linewidth(renderer.points_to_pixels(EDGE_POINTS) if self._edge else 0)
        transform = self.get_transform().frozen()
        if self._vector and 6 * len(self._order) > MOST_PATHS:
            faces = f"{6 * len(self._order):,}"
            raise ValueError(f"vector must draw at most {MOST_PATHS:,} faces; these cubes have {faces}")
        agg = isinstance(renderer, RendererAgg) or isinstance(getattr(renderer, "_renderer", None), RendererAgg)
        for quads, colors, _ in self.faces():
            edges = np.column_stack([np.tile(self._edge, (len(colors), 1)), colors[:, 3]]) if self._edge else None
            if agg:
                opaque = colors[:, 3] >= OPAQUE
                if opaque.any():
                    # Where two smooth edges meet, what is behind would shine through the seam; not through sharp ones.
                    _draw_mesh(renderer, gc, transform, quads[opaque], colors[opaque])
                _draw_mesh(renderer, gc, transform, quads, colors, edges, smooth=True)
            else:
                _draw_paths(renderer, gc, transform, quads, colors, edges)
        gc.restore()
        self.stale = False


def _draw_mesh(
    renderer: Any,
    gc: Any,
    transform: Any,
    quads: NDArray[np.float64],
    colors: NDArray[np.float64],
    edges: NDArray[np.float64] | None = None,
    *,
    smooth: bool = False,
) -> None:
    """One strip of quads; a row of NaN after every second row keeps neighbours in the list apart."""
    mesh = np.full((3 * len(quads), 2, 2), np.nan)
    mesh[0::3] = quads[:, [0, 1]]
    mesh[1::3] = quads[:, [3, 2]]
    fills = np.zeros((len(mesh) - 1, 4))
    fills[0::3] = colors
    lines = np.zeros((0 if edges is None else len(fills), 4))
    if edges is not None:
        lines[0::3] = edges
    nowhere = np.zeros((1, 2))
    renderer.draw_quad_mesh(gc, transform, 1, len(fills), mesh, nowhere, IdentityTransform(), fills, smooth, lines)


def _draw_paths(
    renderer: Any,
    gc: Any,
    transform: Any,
    quads: NDArray[np.float64],
    colors: NDArray[np.float64],
    edges: NDArray[np.float64] | None,
) -> None:
    for n, (quad, rgba) in enumerate(zip(quads, colors)):
        if edges is not None:
            gc.set_foreground(tuple(edges[n]), isRGBA=True)
        renderer.draw_path(gc, Path(np.r_[quad, quad[:1]], closed=True), transform, tuple(rgba))


def shades(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """How bright each of the six faces is: matplotlib's shading of 3-D polygons, 0.3 to 1 with the cosine."""
    corners = space.apply_affine(affine, CORNERS)[FACES]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 1])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(0.3 + 0.7 * (normals @ LIGHT.direction + 1) / 2)


def add(ax: Axes3D, collection: VoxelCollection) -> None:
    """Add the cubes to 3-D axes, whose view and limits stay; autoscaled limits grow to hold them."""
    ax.add_collection(collection, autolim=False)
    ax.auto_scale_xyz(*collection.cubes.corners_xyz.T, had_data=True)


def draw(frame: Frame, collection: VoxelCollection, camera: space.Camera, lettered: bool) -> float:
    """Draw cubes into a frame on new 3-D axes: world mm, parallel projection, the subject filling the frame.

    Returns how many world mm one paper mm is.
    """
    cubes = collection.cubes
    left, right, top, bottom = margins(frame, camera, lettered)
    place = frame.part(left, bottom, frame.width - left - right, frame.height - bottom - top)
    ax: Any = place.axes(0, 0, place.width, place.height, projection="3d")
    ax.set_proj_type("ortho")
    ax.view_init(camera.elevation, camera.azimuth, -camera.roll)
    add(ax, collection)
    collection.set_clip_on(False)
    bounds = np.stack([cubes.corners_xyz.min(axis=0), cubes.corners_xyz.max(axis=0)], axis=1)
    ax.set(xlim=bounds[0], ylim=bounds[1], zlim=bounds[2])
    _fill(ax, place, bounds, _box(bounds) if lettered else cubes.outline_xyz, camera.zoom)
    if lettered:
        _pane(ax, bounds)
        _Edges(ax, frame, bounds, camera).draw()
    else:
        ax.set_axis_off()
    across = camera.axes[0]
    step = np.ptp(_on_paper(ax, place, np.stack([bounds.mean(axis=1), bounds.mean(axis=1) + across])), axis=0)
    return float(1 / np.hypot(*step))


def margins(frame: Frame, camera: space.Camera, lettered: bool) -> tuple[float, float, float, float]:
    """Paper (mm) left, right, above and below the box, for the numbers and names along its edges."""
    line = frame.line_height
    sides = np.full(4, 0.5 * line if lettered else 0.5)
    for w in range(3) if lettered else ():
        if (edge := _edge_directions(camera, w)) is not None:
            _, (right, up) = edge
            # A tick, a number as wide as "−000" and the name, as `_Edges` sets them.
            across = 1.1 + abs(right) * frame.text_width("−000") + abs(up) * line / 1.3 + 1.05 * line
            sides = np.maximum(sides, across * np.array([-right, right, up, -up]) + 0.15 * line)
    left, right, top, bottom = sides.tolist()
    return left, right, top, bottom


def _edge_directions(camera: space.Camera, w: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Along the box's edges of one world axis on paper, and out from it to where its numbers stand: down, or left for
    upright edges; None where the edge is seen nearly end on.
    """
    along = camera.axes[:2, w]
    length = float(np.hypot(*along))
    if length < 0.3:
        return None
    along = along / length
    out = np.array([along[1], -along[0]])
    level = abs(along[0]) > 0.4
    return along, -out if (out[1] > 0 if level else out[0] > 0) else out


def _fill(ax: Any, frame: Frame, bounds: NDArray[np.float64], points_xyz: NDArray[np.float64], zoom: float) -> None:
    """Zoom and move the axes so that the points fill the frame, `zoom` times over."""
    extent = np.ptp(bounds, axis=1)
    ax.set_box_aspect(extent, zoom=1.0)
    drawn = np.ptp(_on_paper(ax, frame, points_xyz), axis=0)
    fitting = float((np.array([frame.width, frame.height]) / np.maximum(drawn, 1e-6)).min())
    ax.set_box_aspect(extent, zoom=zoom * fitting)
    paper = _on_paper(ax, frame, points_xyz)
    off = (np.array([frame.width, frame.height]) - paper.min(axis=0) - paper.max(axis=0)) / 2
    frame.part(off[0], off[1], frame.width, frame.height).move(ax)


def _box(bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([[x, y, z] for x in bounds[0] for y in bounds[1] for z in bounds[2]])


def _on_paper(ax: Any, frame: Frame, points_xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where world points lie in the frame, mm, as mplot3d draws them."""
    ax.apply_aspect()
    homogeneous = np.concatenate([points_xyz, np.ones_like(points_xyz[..., :1])], axis=-1) @ ax.get_proj().T
    pixels = ax.transData.transform((homogeneous[..., :2] / homogeneous[..., 3:]).reshape(-1, 2))
    origin = frame.figure.bbox.min
    paper = (pixels - origin) * MM_PER_INCH / frame.figure.dpi - [frame.x, frame.y]
    return np.asarray(paper.reshape(*points_xyz.shape[:-1], 2))


def _pane(ax: Any, bounds: NDArray[np.float64]) -> None:
    """Leave of mplot3d's own axes the panes and their grid; numbers and names are ours."""
    for axis, ends in zip((ax.xaxis, ax.yaxis, ax.zaxis), bounds):
        ticks = nice_ticks(ends[0], ends[1])
        axis.set_ticks(ticks, [""] * len(ticks))
        axis.set_pane_color((0.97, 0.97, 0.97, 1.0))
        axis.line.set_visible(False)
        axis._axinfo["grid"].update(linewidth=0.3, color="0.85")
        axis._axinfo["tick"].update(inward_factor=0.0, outward_factor=0.0)


class _Edges:
    """Numbers and names along three edges of the box: the outermost at the bottom, and at the left for upright ones."""

    def __init__(self, ax: Any, frame: Frame, bounds: NDArray[np.float64], camera: space.Camera) -> None:
        self.frame = frame
        self.bounds = bounds
        self.canvas = frame.canvas()
        self.camera = camera
        self.ax = ax
        self.center = self.place(bounds.mean(axis=1))

    def place(self, points_xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where world points lie on paper."""
        return _on_paper(self.ax, self.frame, points_xyz)

    def draw(self) -> None:
        """Draw each edge that is not seen end on."""
        for w in range(3):
            self._edge(w)

    def _edge(self, w: int) -> None:
        others = [a for a in range(3) if a != w]
        ends = np.empty((4, 2, 3))
        ends[:, :, w] = self.bounds[w]
        for n, (a, b) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
            ends[n, :, others[0]] = self.bounds[others[0], a]
            ends[n, :, others[1]] = self.bounds[others[1], b]
        directions = _edge_directions(self.camera, w)
        if directions is None:
            return
        along, out = directions
        paper = self.place(ends)
        best = int(np.argmax(np.round((paper.mean(axis=1) - self.center) @ out, 6)))
        self._line(paper[best])
        reach = self._numbers(w, ends[best], out, float(np.hypot(*(paper[best, 1] - paper[best, 0]))))
        self._name(w, paper[best], along, out, reach)

    def _line(self, ends: NDArray[np.float64]) -> None:
        self.canvas.add_line(Line2D(ends[:, 0], ends[:, 1], color="0.35", linewidth=0.6))

    def _numbers(self, w: int, ends: NDArray[np.float64], out: NDArray[np.float64], length: float) -> float:
        """Ticks and their numbers; how far out (mm) they reach."""
        size = self.frame.font_size - 1
        count = max(1, min(5, int(length / (2 * self.frame.line_height))))
        ticks = nice_ticks(self.bounds[w, 0], self.bounds[w, 1], count)
        points = np.repeat(ends[:1], len(ticks), axis=0)
        points[:, w] = ticks
        reach = 1.0
        for value, spot in zip(ticks, self.place(points)):
            text = f"{value:g}".replace("-", "−")
            half = np.array([self.frame.text_width(text) / 2, self.frame.line_height / 2.6])
            offset = 1.1 + float(np.abs(out) @ half)
            self.canvas.add_line(Line2D(*np.stack([spot, spot + 0.8 * out], axis=-1), color="0.35", linewidth=0.6))
            middle = spot + offset * out
            self.canvas.text(middle[0], middle[1], text, ha="center", va="center", fontsize=size, color=INK)
            reach = max(reach, offset + float(np.abs(out) @ half))
        return reach

    def _name(
        self, w: int, ends: NDArray[np.float64], along: NDArray[np.float64], out: NDArray[np.float64], reach: float
    ) -> None:
        """The axis and where it runs to, written along the edge; only its name where the edge is short."""
        low, high = ("LR", "PA", "IS")[w]
        rightward = along[0] > 0 if abs(along[0]) > 1e-6 else along[1] > 0
        first, last = (low, high) if rightward else (high, low)
        text = f"{first}  ←  {space.AXES[w]} (mm)  →  {last}"
        if self.frame.text_width(text) > np.hypot(*(ends[1] - ends[0])):
            text = f"{first} ← {space.AXES[w]} → {last}"
        angle = float(np.degrees(np.arctan2(along[1], along[0])))
        angle = (angle + 90) % 180 - 90 if abs(along[0]) > 1e-6 else 90.0
        spot = ends.mean(axis=0) + (reach + 0.55 * self.frame.line_height) * out
        style: dict[str, Any] = {
            "rotation": angle,
            "rotation_mode": "anchor",
            "fontsize": self.frame.font_size,
            "color": INK,
        }
        self.canvas.text(spot[0], spot[1], text, ha="center", va="center", **style)
