"""The voxel engine: translucent cubes on mplot3d, as one collection drawn back to front.

The grid of cubes is the first layer's own, cut into fewer voxels; every layer is painted at its cube centres and
composited there. The affine is applied once, in `VoxelCollection`, which takes cube corners to the world. Faces are
shaded as ``Axes3D.voxels`` shades them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.artist import allow_rasterization
from matplotlib.collections import Collection
from matplotlib.colors import LightSource
from matplotlib.path import Path
from matplotlib.transforms import Bbox
from mpl_toolkits.mplot3d import Axes3D
from numpy.typing import NDArray

from volrender import space
from volrender.color import RGB
from volrender.draw import quads
from volrender.draw.annotate import Frame, has_pixels
from volrender.draw.box import Edges, margins, on_paper, pane
from volrender.draw.sight import OPAQUE, STEPS, Sight, open_faces
from volrender.draw.voxel_grid import CORNERS, Cubes

# Two faces along each axis, corners counted around the face seen from outside; a corner is its bits (i, j, k).
FACES = np.array(
    [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]  # -i, +i, -j, +j, -k, +k
)
# Of each face the face of the same cube beyond the edge from a corner to the next.
BEYOND = np.array(
    [
        [next(n for n in range(6) if n != side and {*edge} <= {*FACES[n]}) for edge in zip(face, np.roll(face, -1))]
        for side, face in enumerate(FACES)
    ]
)
LIGHT = LightSource(azdeg=225, altdeg=19.4712)  # matplotlib's own, for 3-D polygons
CUBES_AT_ONCE = 50_000
SHAPES_AT_ONCE = 200_000  # painted
EDGE_POINTS, EDGE_PART = 0.25, 0.06  # at most, and of a cube's longest side as it is drawn
MOST_PATHS = 100_000
LAP = 0.75  # pixels, as far as a smooth edge is not opaque


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
            (self._order, self._ends), self._seen_from = self._sight.order(self.cubes.alpha, self._explode), seen_from
        homogeneous = np.c_[self.cubes.corners_xyz, np.ones(8)] @ np.asarray(axes.M).T
        return float((homogeneous[:, 2] / homogeneous[:, 3]).min())

    def get_tightbbox(self, renderer: Any = None) -> Bbox:
        """Where on the page (pixels) the cubes lie, for matplotlib's layouts."""
        axes: Any = self.axes
        homogeneous = np.c_[self.cubes.corners_xyz, np.ones(8)] @ np.asarray(axes.get_proj()).T
        corners = self.get_transform().transform(homogeneous[:, :2] / homogeneous[:, 3:])
        return Bbox([corners.min(axis=0), corners.max(axis=0)])

    def faces(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]]:
        """The faces that are drawn, back to front, in portions: corners on the screen (n, 4, 2), colors (n, 4), and of
        each the cube (its place in the order of voxels) and the side.

        A portion with opaque cubes is one wave of cubes that do not hide each other.
        """
        for start, end in pairwise([0, *self._portions()]):
            flat = self._order[start:end]
            index = np.stack(np.unravel_index(flat, self.cubes.alpha.shape), axis=-1)
            facing = self._sight.facing(index, (1 - self._explode) / 2)
            kept = open_faces(self._opaque, index, facing, self._explode)
            # Neither two far faces of a cube nor two near ones hide each other.
            sides = np.broadcast_to(np.argsort(facing, axis=1, kind="stable"), (len(index), 6))
            which, nth = np.nonzero(np.take_along_axis(kept, sides, axis=1))
            side = sides[which, nth]
            corners = index[:, None, :] + CORNERS * (1 - self._explode)
            screen = self._on_screen(corners)
            colors = self.cubes.rgba[tuple(index.T)][which].astype(float)
            colors[:, :3] *= self._shades[side, None]
            yield screen[which[:, None], FACES[side]], colors, np.stack([flat[which], side], axis=-1)

    def _portions(self) -> Iterator[int]:
        """Where in the order of cubes a portion ends."""
        solid = self._opaque[1:-1, 1:-1, 1:-1].ravel()[self._order]
        waves = np.r_[0, self._ends]
        start, was = 0, False
        for begin, end in pairwise(waves):
            has = bool(solid[begin:end].any())
            if begin > start and (has or was or begin - start >= CUBES_AT_ONCE):
                yield begin
                start = begin
            was = has
        yield len(self._order)

    def _on_screen(self, corners: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where points (..., 3) of index space are drawn."""
        homogeneous = corners @ self._to_screen[:, :3].T + self._to_screen[:, 3]
        return np.asarray(homogeneous[..., :2] / homogeneous[..., 3:])

    def _laps(self, which: NDArray[np.int64]) -> NDArray[np.float64]:
        """How far (pixels) the sharp faces under smooth ones reach beyond their edges (n, 4).

        Under the face that lies along an edge and is drawn later: up a wall, on in the plane, or down another side of
        the cube; else they stay within the outline. `which` (n, 2) holds cubes and sides.
        """
        cube, side = which[:, 0], which[:, 1, None]
        index = np.stack(np.unravel_index(cube, self.cubes.alpha.shape), axis=-1)
        facing = np.broadcast_to(self._sight.facing(index, (1 - self._explode) / 2), (len(index), 6))
        beyond = BEYOND[side[:, 0]]
        near, far = (np.take_along_axis(facing, sides, axis=1) for sides in (beyond, beyond ^ 1))
        down = np.where(near & (side < beyond), LAP, -2 * LAP)
        if self._explode > 0:
            return down
        level = index[:, None] + 1 + STEPS[beyond]
        flat, wall = (self._opaque[tuple(np.moveaxis(at, -1, 0))] for at in (level, level + STEPS[side]))
        # Up a wall both cubes are of one wave, which is drawn in the order of the list of voxels.
        place = STEPS @ [4, 2, 1]
        up = np.where(far & (place[side] + place[beyond] > 0), LAP, -2 * LAP)
        on = np.where(near, LAP, np.where(far, -2 * LAP, 0))
        return np.where(wall, up, np.where(flat, on, down))

    @allow_rasterization  # type: ignore[untyped-decorator]
    def draw(self, renderer: Any) -> None:
        """Draw the sorted faces: as one image where pixels are wanted, as paths elsewhere."""
        if not self.get_visible():
            return
        gc = renderer.new_gc()
        self._set_gc_clip(gc)  # type: ignore[attr-defined]
        if has_pixels(renderer):
            self._draw_image(renderer, gc)
        else:
            self._draw_paths(renderer, gc)
        gc.restore()
        self.stale = False

    def _draw_image(self, renderer: Any, gc: Any) -> None:
        """Paint the faces where they are on the canvas."""
        line = float(renderer.points_to_pixels(self._edge_points(renderer)))
        on_canvas = self.get_tightbbox().get_points() + [[-line], [line]]
        on_canvas = np.clip(on_canvas, 0, [renderer.width, renderer.height])
        (left, low), (right, high) = np.floor(on_canvas[0]).astype(int), np.ceil(on_canvas[1]).astype(int)
        if left == right or low == high:
            return
        picture = np.zeros((high - low, right - left, 4), np.float32)
        for shapes in _gathered(self._shapes(np.array([left, high]), line)):
            quads.paint(picture, *shapes)
        renderer.draw_image(gc, left, low, quads.as_image(picture)[::-1])

    def _shapes(self, corner: NDArray[np.int64], line: float) -> Iterator[quads.Shapes]:
        """What is painted, in portions, in pixels right of and below a corner of the canvas; lines so many pixels wide.

        Where two smooth edges meet, what is behind would shine through the seam; not through sharp ones. So sharp faces
        lie under opaque ones.
        """
        transform: Any = self.get_transform().frozen()
        for faces, colors, which in self.faces():
            pixels = (transform.transform(faces.reshape(-1, 2)).reshape(faces.shape) - corner) * (1, -1)
            if self._edge is not None:
                yield _outlined(pixels, colors, self._edge, line)
                continue
            pixels = quads.snapped(pixels)
            opaque = colors[:, 3] >= OPAQUE
            if opaque.any():
                below = _moved(pixels[opaque], self._laps(which[opaque]))
                yield quads.Shapes(below[:, None], colors[opaque], np.ones(len(below), bool))
            yield quads.Shapes(pixels[:, None], colors, np.zeros(len(pixels), bool))

    def _edge_points(self, renderer: Any) -> float:
        """How wide (points) the lines around faces are."""
        if self._edge is None:
            return 0.0
        corners = self._on_screen(np.array(self.cubes.alpha.shape) / 2 + CORNERS)
        pixels = self.get_transform().transform(corners)
        longest = np.linalg.norm(pixels[[1, 2, 4]] - pixels[0], axis=1).max()
        return float(min(EDGE_POINTS, EDGE_PART * longest / renderer.points_to_pixels(1.0)))

    def _draw_paths(self, renderer: Any, gc: Any) -> None:
        """Draw each face as a path."""
        if len(self._order) > MOST_PATHS / 6:
            count = sum(len(faces) for faces, _, _ in self.faces())
            if count > MOST_PATHS:
                raise ValueError(f"vector must draw at most {MOST_PATHS:,} faces; these cubes have {count:,}")
        transform: Any = self.get_transform().frozen()
        gc.set_linewidth(self._edge_points(renderer))
        for faces, colors, _ in self.faces():
            for face, rgba in zip(faces, colors):
                if self._edge:
                    gc.set_foreground((*self._edge, rgba[3]), isRGBA=True)
                renderer.draw_path(gc, Path(np.r_[face, face[:1]], closed=True), transform, tuple(rgba))


def _gathered(portions: Iterator[quads.Shapes]) -> Iterator[quads.Shapes]:
    """Portions joined into large ones."""
    waiting: list[quads.Shapes] = []
    for portion in portions:
        waiting.append(portion)
        if sum(len(shapes.sharp) for shapes in waiting) >= SHAPES_AT_ONCE:
            yield quads.Shapes(*map(np.concatenate, zip(*waiting)))
            waiting = []
    if waiting:
        yield quads.Shapes(*map(np.concatenate, zip(*waiting)))


def _outlined(pixels: NDArray[np.float64], colors: NDArray[np.float64], edge: RGB, line: float) -> quads.Shapes:
    """Each face, and over it the line around it: what lies within half its width of the edges."""
    fill = quads.snapped(pixels)
    middle = quads.snapped(pixels, 0.5 if round(line) % 2 or line < 1 else 0.0)
    half = np.full(pixels.shape[:2], line / 2)
    ring = np.stack([_moved(middle, half), _moved(middle, -half)[:, ::-1]], axis=1)
    nothing = np.broadcast_to(fill[:, :1], fill.shape)
    fill = np.stack([fill, nothing], axis=1)
    lines = np.column_stack([np.tile(edge, (len(colors), 1)), colors[:, 3]])
    both = np.stack([fill, ring], axis=1).reshape(-1, *fill.shape[1:])
    return quads.Shapes(both, np.stack([colors, lines], axis=1).reshape(-1, 4), np.zeros(len(both), bool))


def _moved(pixels: NDArray[np.float64], out: NDArray[np.float64]) -> NDArray[np.float64]:
    """Faces (n, 4, 2) whose edges have moved out by so many pixels (n, 4); in, at most to the middle."""
    on = np.roll(pixels, -1, axis=1) - pixels
    back = -np.roll(on, 1, axis=1)
    long_on, long_back = (np.maximum(np.hypot(step[..., 0], step[..., 1]), 1e-9) for step in (on, back))
    slope = np.abs(back[..., 0] * on[..., 1] - back[..., 1] * on[..., 0]) / (long_on * long_back)
    # A corner slides along one of its edges, out of the other.
    far = np.stack([out, np.roll(out, 1, axis=1)]) / np.maximum(slope, 1 / 3)
    far = np.where(slope < 1 / 3, np.minimum(far, 0), far)  # of a face seen edge on it would be a spike
    along_back, along_on = np.maximum(far / np.stack([long_back, long_on]), -0.5)
    return np.asarray(pixels - along_back[..., None] * back - along_on[..., None] * on)


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
    _fill(ax, place, bounds, _box(bounds) if lettered else cubes.outline_xyz, camera)
    if lettered:
        pane(ax, frame, bounds)
        Edges(ax, frame, bounds, camera).draw()
    else:
        ax.set_axis_off()
    across = camera.axes[0]
    step = np.ptp(on_paper(ax, place, np.stack([bounds.mean(axis=1), bounds.mean(axis=1) + across])), axis=0)
    return float(1 / np.hypot(*step))


def _fill(
    ax: Any, frame: Frame, bounds: NDArray[np.float64], points_xyz: NDArray[np.float64], camera: space.Camera
) -> None:
    """Zoom and move the axes so that the points fill the frame, `camera.zoom` times over, around what it looks at."""
    extent = np.ptp(bounds, axis=1)

    def seen(zoom: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        ax.set_box_aspect(extent, zoom=zoom)
        paper = on_paper(ax, frame, points_xyz)
        middle = (paper.min(axis=0) + paper.max(axis=0)) / 2
        if camera.look_at is not None:
            middle = on_paper(ax, frame, np.array(camera.look_at))
        return middle, 2 * np.abs(paper - middle).max(axis=0)

    room = np.array([frame.width, frame.height])
    _, drawn = seen(1.0)
    middle, _ = seen(camera.zoom * float((room / np.maximum(drawn, 1e-6)).min()))
    off = room / 2 - middle
    frame.part(off[0], off[1], frame.width, frame.height).move(ax)


def _box(bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([[x, y, z] for x in bounds[0] for y in bounds[1] for z in bounds[2]])
