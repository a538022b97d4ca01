"""The voxel engine: translucent cubes on mplot3d, as one collection drawn back to front.

The grid of cubes is the first layer's own, cut into fewer voxels; every layer is painted at its cube centres and
composited there. The affine is applied once, in `VoxelCollection`, which takes cube corners to the world. Faces are
shaded as ``Axes3D.voxels`` shades them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
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
HIDDEN = 1 / 512
HAZE = 0.005


@dataclass(frozen=True)
class Cubes:
    """Colored cubes on a grid: `rgba` (i, j, k, 4), transparent where there is none, and the grid's affine."""

    rgba: NDArray[np.float32]
    affine: NDArray[np.float64]

    @property
    def filled(self) -> NDArray[np.bool_]:
        """Which voxels have a cube."""
        return np.asarray(self.rgba[..., 3] > 0)

    @cached_property
    def corners_xyz(self) -> NDArray[np.float64]:
        """World corners of the filled grid, shape (8, 3): the box that the axes show."""
        index = np.argwhere(self.filled)
        low, high = index.min(axis=0), index.max(axis=0)
        return space.apply_affine(self.affine, (low + high) / 2 + CORNERS * (high - low + 1))

    @cached_property
    def outline_xyz(self) -> NDArray[np.float64]:
        """World corners (n, 3) that span the cubes that are more than a haze."""
        ends = paint.line_ends(self.rgba[..., 3] > min(HAZE, 0.1 * self.rgba[..., 3].max()))
        return space.apply_affine(self.affine, (ends[:, None, :] + CORNERS).reshape(-1, 3))


def build(layers: Sequence[Layer], size: int | Sequence[int] | None) -> Cubes:
    """Paint all layers on one grid: the first layer's, downsized.

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
    centers = space.apply_affine(grid.affine, np.moveaxis(np.indices(grid.shape[:3]), 0, -1))
    picture = np.zeros((*grid.shape[:3], 4), dtype=np.float32)
    for n, layer in enumerate(layers):
        look = "overlay" if n else "glass" if len(layers) > 1 else "voxel"
        colors = paint.rgba(layer, _values(layer, grid, first, centers), look)
        if layer.clip:
            colors[space.removed(layer.clip, centers)] = 0
        picture = paint.over(picture, colors) if n else colors
    cubes = Cubes(picture, grid.affine)
    if not cubes.filled.any():
        raise ValueError("no voxel is left to be seen: the opacity hides everything, or the clips remove it")
    return cubes


def _values(layer: Layer, grid: Volume, first: Volume, centers: NDArray[np.float64]) -> NDArray[Any]:
    """A layer's data at the cube centres: no finer than the cubes, so that nothing aliases."""
    if layer.volume.canonical is first:
        return grid.data
    if isinstance(layer, LabelMap):
        return paint.sample_labels(layer.volume, centers)
    source = layer.volume.canonical
    coarser = np.maximum(np.rint(np.array(source.shape[:3]) * source.spacing / np.array(grid.spacing).min()), 1)
    return paint.sample(source.downsize(np.minimum(coarser, source.shape[:3]).astype(int).tolist()), centers)


class VoxelCollection(Collection):
    """All cubes as one mplot3d artist, sorted back to front whenever the view changes.

    Parameters
    ----------
    cubes : Cubes
    explode : float
        The gap between cubes as a fraction of a voxel, 0 to below 1.
    """

    def __init__(self, cubes: Cubes, explode: float = 0.0) -> None:
        super().__init__(rasterized=True)
        self._cubes = cubes
        self._explode = explode
        self._corners = space.apply_affine(cubes.affine, cubes_corners(cubes.filled, explode)).reshape(-1, 8, 3)
        self._index = np.argwhere(cubes.filled)
        self._shades = shades(cubes.affine)
        self._quads = np.empty((0, 4, 2))
        self._colors = np.empty((0, 4))

    def set_sort_zpos(self, value: float | None) -> None:
        """Accepted for mplot3d, which calls it when a 2-D artist joins 3-D axes."""

    def do_3d_projection(self) -> float:
        """Project and sort the cubes for the axes' present view; the depth of the nearest."""
        axes: Any = self.axes
        matrix = np.asarray(axes.M)
        kept = self._seen()
        corners = self._corners[kept]
        homogeneous = corners @ matrix[:, :3].T + matrix[:, 3]
        flat = homogeneous[..., :2] / homogeneous[..., 3:]
        depth = homogeneous[..., 2] / homogeneous[..., 3]
        order = np.argsort(-depth.mean(axis=1), kind="stable")
        # Inside a cube the faces follow the order that the middle cube has; far faces first.
        sides = np.argsort(-depth.mean(axis=0)[FACES].mean(axis=1), kind="stable")
        colors = self._cubes.rgba[tuple(self._index[kept][order].T)]
        faces = self._open_faces(kept)[order][:, sides]
        self._quads = flat[order][:, FACES[sides]][faces]
        shaded = np.repeat(colors[:, None, :], 6, axis=1).astype(float)
        shaded[..., :3] *= self._shades[sides][None, :, None]
        self._colors = shaded[faces]
        return float(depth.min()) if depth.size else float("nan")

    def _seen(self) -> NDArray[np.bool_]:
        if self._explode > 0:
            return np.ones(len(self._index), dtype=bool)
        sign = _viewing_octant(self.axes, self._cubes)
        if sign is None:
            return np.ones(len(self._index), dtype=bool)
        return visible(self._cubes.rgba[..., 3], sign)[tuple(self._index.T)]

    def _open_faces(self, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of the six faces (n, 6) of each kept cube can be seen: not those between two opaque cubes."""
        opaque = np.pad(self._cubes.rgba[..., 3] >= OPAQUE, 1)
        i, j, k = (self._index[kept] + 1).T
        own = opaque[i, j, k]
        if self._explode > 0 or not own.any():
            return np.ones((len(i), 6), dtype=bool)
        steps = [(-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)]
        return np.stack([~(own & opaque[i + a, j + b, k + c]) for a, b, c in steps], axis=1)

    @allow_rasterization  # type: ignore[untyped-decorator]
    def draw(self, renderer: Any) -> None:
        """Draw the sorted faces; Agg takes them as one mesh, other backends as paths."""
        if not self.get_visible() or len(self._quads) == 0:
            return
        gc = renderer.new_gc()
        self._set_gc_clip(gc)  # type: ignore[attr-defined]
        gc.set_linewidth(0)
        transform = self.get_transform().frozen()
        agg = isinstance(renderer, RendererAgg) or isinstance(getattr(renderer, "_renderer", None), RendererAgg)
        if agg:
            # One strip of quads; a row of NaN after every second row keeps neighbours in the list apart.
            mesh = np.full((3 * len(self._quads), 2, 2), np.nan)
            mesh[0::3] = self._quads[:, [0, 1]]
            mesh[1::3] = self._quads[:, [3, 2]]
            colors = np.zeros((len(mesh), 4))
            colors[0::3] = self._colors
            nothing = np.zeros((0, 4))
            renderer.draw_quad_mesh(
                gc, transform, 1, len(mesh) - 1, mesh, np.zeros((1, 2)), IdentityTransform(), colors[:-1], True, nothing
            )
        else:
            for quad, rgba in zip(self._quads, self._colors):
                renderer.draw_path(gc, Path(np.r_[quad, quad[:1]], closed=True), transform, tuple(rgba))
        gc.restore()
        self.stale = False


def cubes_corners(filled: NDArray[np.bool_], explode: float) -> NDArray[np.float64]:
    """Index-space corners (n, 8, 3) of the filled cubes, each shrunk about its centre by the gap."""
    return np.asarray(np.argwhere(filled)[:, None, :] + CORNERS * (1 - explode))


def shades(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """How bright each of the six faces is: matplotlib's shading of 3-D polygons, 0.3 to 1 with the cosine."""
    corners = space.apply_affine(affine, CORNERS)[FACES]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 1])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(0.3 + 0.7 * (normals @ LIGHT.direction + 1) / 2)


def _viewing_octant(ax: Axes3D, cubes: Cubes) -> tuple[int, int, int] | None:
    """The sign of the index directions toward the viewer, if it is the same for every cube."""
    matrix = np.linalg.inv(np.asarray(ax.M))
    corners = cubes.corners_xyz
    to_index = np.linalg.inv(cubes.affine)[:3, :3]
    directions = []
    for corner in corners:
        flat = np.asarray(ax.M) @ np.r_[corner, 1]
        nearer = flat / flat[3] - [0, 0, 1e-4, 0]
        back = matrix @ nearer
        directions.append(to_index @ (back[:3] / back[3] - corner))
    steps = np.sign(np.round(np.array(directions) / np.abs(directions).max(), 6))
    if (steps.max(axis=0) != steps.min(axis=0)).any():
        return None
    x, y, z = steps[0].astype(int).tolist()
    return x, y, z


def visible(alpha: NDArray[np.float32], sign: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Which cubes something can be seen of, looking against `sign`, the index direction toward the viewer.

    A ray toward the viewer leaves a cube through one of its near faces and crosses two faces of the cube there, so
    the light that gets out of a cube is at most the largest, over its near neighbours, of what gets out of the
    neighbour times (1 - alpha) squared. Swept along the diagonal from the viewer; below 1/512 nothing is seen.
    """
    turned = alpha[tuple(slice(None, None, -1) if s > 0 else slice(None) for s in sign)]
    through = np.pad((1 - np.clip(turned, 0, 1).astype(np.float64)) ** 2, 1, constant_values=1.0)
    light = np.ones_like(through)
    strides = [stride // light.itemsize for stride in light.strides]
    near = [stride for stride, s in zip(strides, sign) if s != 0]
    inner = np.stack(np.meshgrid(*[np.arange(1, n + 1) for n in turned.shape], indexing="ij"), axis=-1).reshape(-1, 3)
    flat = inner @ np.array(strides)
    wave = inner @ np.array([1 if s != 0 else 0 for s in sign])
    order = np.argsort(wave, kind="stable")
    out, passing = light.ravel(), through.ravel()
    for part in np.split(flat[order], np.flatnonzero(np.diff(wave[order])) + 1):
        out[part] = np.max([out[part - step] * passing[part - step] for step in near], axis=0)
    seen = light[1:-1, 1:-1, 1:-1] > HIDDEN
    return np.asarray(seen[tuple(slice(None, None, -1) if s > 0 else slice(None) for s in sign)])


def add(ax: Axes3D, cubes: Cubes, explode: float = 0.0) -> VoxelCollection:
    """Add the cubes to 3-D axes, whose view and limits stay; autoscaled limits grow to hold them."""
    collection = VoxelCollection(cubes, explode)
    ax.add_collection(collection, autolim=False)
    ax.auto_scale_xyz(*cubes.corners_xyz.T, had_data=True)
    return collection


def draw(frame: Frame, cubes: Cubes, explode: float, camera: space.Camera, lettered: bool) -> float:
    """Draw the cubes into a frame on new 3-D axes: world mm, parallel projection, the subject filling the frame.

    Returns how many world mm one paper mm is.
    """
    left, right, top, bottom = margins(frame, camera, lettered)
    place = frame.part(left, bottom, frame.width - left - right, frame.height - bottom - top)
    ax: Any = place.axes(0, 0, place.width, place.height, projection="3d")
    ax.set_proj_type("ortho")
    ax.view_init(camera.elevation, camera.azimuth, -camera.roll)
    add(ax, cubes, explode).set_clip_on(False)
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
