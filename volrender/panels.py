"""How layers are drawn: `Scene`, `Slices`, `Voxels` and `Histogram`.

A panel checks what it is given at once and draws only when it is saved, shown or asked for its native object; its
engine is imported then. A bare volume, path or nibabel image becomes an `Intensity`, or a `LabelMap`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from numpy.typing import ArrayLike, NDArray

from volrender import paint, space
from volrender.color import RGB, as_rgb
from volrender.draw.annotate import Frame, title
from volrender.io.files import warn
from volrender.layers import CutPlane, Intensity, Isosurface, LabelMap
from volrender.page import TRANSPARENT
from volrender.panel import FOOT, Panel, orient
from volrender.rendering import Rendering
from volrender.sources import load
from volrender.volume import Volume
from volrender.words import our_words

if TYPE_CHECKING:
    import pyvista

    from volrender.draw.slices import Cut
    from volrender.draw.voxel_grid import Cubes
    from volrender.draw.voxels import VoxelCollection

MOST_FACES = 1_500_000  # of cubes, unless their number is asked for
FILL = 0.92  # the part of a picture that the subject takes up in its tighter direction


def as_panel(item: Any) -> Panel:
    """A panel, or the `Slices` of a layer, volume, path or nibabel image."""
    return item if isinstance(item, Panel) else Slices(item)


@our_words
class Scene(Panel):
    """A 3-D view: volume rendering, surfaces, label maps and cut planes in world millimetres.

    Parameters
    ----------
    *layers : layer, Volume, path or nibabel image
    camera : name, (elevation, azimuth) or Camera
        "left", "right", "anterior", "posterior", "superior", "inferior": where the viewer stands.
    quality : {"final", "draft"}
        Final takes two samples a voxel and smooths edges; draft one, and none.
    light : {"studio", "flat"}
        Soft light from above the viewer's left shoulder; or none, every color as it is given.
    silhouette : bool
        Whether bodies, surfaces and labels have an outline.
    title : str
    colorbar : bool, optional
        Color bars and the legend; by default for maps with a sign, a unit or a colormap of your choice, and where
        there are several layers or colors to tell apart.
    annotate : bool
        Whether a scale bar and the directions are drawn.
    background : color or "transparent"

    Examples
    --------
    >>> import volrender as vr
    >>> head = vr.Intensity(vr.sample("mni152"), clip=vr.Box(x=(None, 0), y=(0, None), z=(0, None)))
    >>> vr.Scene(head, camera=(25, 150))
    <Scene: Intensity(MNI152 T1)>
    """

    def __init__(
        self,
        *layers: Any,
        camera: Any = (25, 150),
        quality: str = "final",
        light: str = "studio",
        silhouette: bool = False,
        title: str = "",
        colorbar: bool | None = None,
        annotate: bool = True,
        background: Any = "white",
    ) -> None:
        self._set_up(layers, title, colorbar, background)
        self.rendering = Rendering(quality, light, silhouette)
        self.camera = space.as_camera(camera)
        self.annotate = annotate

    @cached_property
    def _subject(self) -> NDArray[np.float64]:
        return paint.subject_points(self.layers)

    @property
    def _ground(self) -> RGB | None:
        """The color behind the scene, None where it is transparent."""
        return None if self.background == TRANSPARENT else as_rgb(self.background)

    def _view(self, size: tuple[int, int]) -> space.View:
        return space.View.fit(self._subject, self.camera, size, FILL)

    def render(self, size: tuple[int, int] = (800, 800)) -> NDArray[np.uint8]:
        """The bare raster, without annotation.

        Parameters
        ----------
        size : (width, height)
            Pixels.

        Returns
        -------
        ndarray, shape (height, width, 4), uint8
            Straight-alpha RGBA; opaque unless the background is "transparent".
        """
        from volrender.draw import scene_pyvista

        return scene_pyvista.render(self.layers, self._view(_as_size(size)), self._ground, self.rendering)

    def project(self, points_xyz: ArrayLike, size: tuple[int, int] = (800, 800)) -> NDArray[np.float64]:
        """Where world points (..., 3) fall in a raster of `size`: (column, row), (0, 0) the first pixel's centre."""
        return self._view(_as_size(size)).project(points_xyz)

    def plotter(self, size: tuple[int, int] = (800, 800)) -> pyvista.Plotter:
        """The pyvista Plotter with everything in it, off screen, for those who go on from there; close it yourself."""
        from volrender.draw import scene_pyvista

        ground = self._ground or (1.0, 1.0, 1.0)
        return scene_pyvista.plotter(self.layers, self._view(_as_size(size)), ground, self.rendering)

    def _seen_labels(self, layer: LabelMap) -> NDArray[Any]:
        return paint.labels_toward(layer, self.camera)

    def _foot(self, frame: Frame) -> float:
        return FOOT * frame.line_height if self.annotate else 0.0

    def height(self, width: float, font_size: float = 7.0) -> float:
        """The height (mm) in which the subject fills the panel."""
        frame = self._paperless(width, font_size)
        flat = np.ptp(self._subject @ self.camera.axes[:2].T, axis=0)
        ratio = float(np.clip(flat[1] / flat[0], 0.45, 1.35))
        side = self._sidebar(frame, "volume")
        picture = max((width - side.width) * ratio, side.least_height)
        return picture + self._foot(frame) + self._head(frame)

    def compose(self, frame: Frame) -> None:
        """Draw the raster at exactly its pixels, and the lettering around it."""
        from volrender.draw import scene_pyvista

        side, foot, head = self._sidebar(frame, "volume"), self._foot(frame), self._head(frame)
        width, height = frame.width - side.width, frame.height - foot - head
        ax, size = frame.picture(0, foot, width, height)
        view = self._view(size)
        raster = scene_pyvista.render(self.layers, view, self._ground, self.rendering)
        ax.imshow(raster, extent=(0, size[0], 0, size[1]), interpolation="none", aspect="auto")
        side.draw(width, foot, height)
        if self.annotate:
            orient(frame, width, view.mm_per_pixel * frame.dots_per_mm, self.camera)
        if self.title:
            title(frame, self.title)


@our_words
class Slices(Panel):
    """Slices across the world's axes, all layers sampled where they are.

    Parameters
    ----------
    *layers : layer, Volume, path or nibabel image
    x, y, z : float or list of float, optional
        Positions (mm) of sagittal, coronal and axial slices; by default one of each through the middle, or, if the
        last layer is a signed map over another, through its strongest value.
    camera : name, optional
        The side that slices across its direction are seen from, "left" for sagittal slices with the face to the
        left; without positions it chooses that plane alone.
    radiological : bool
        Whether the subject's right is on the left of the picture.
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
    """

    def __init__(
        self,
        *layers: Any,
        x: Any = None,
        y: Any = None,
        z: Any = None,
        camera: str | None = None,
        radiological: bool = False,
        title: str = "",
        colorbar: bool | None = None,
        background: Any = "white",
    ) -> None:
        self._set_up(layers, title, colorbar, background)
        self._check_places()
        if camera is not None and camera not in space.CAMERAS:
            raise ValueError(f"camera of Slices must be one of {', '.join(space.CAMERAS)}; got {camera!r}")
        self.camera = camera
        self.radiological = radiological
        self._positions = tuple(_as_positions(values, axis) for values, axis in zip((x, y, z), space.AXES))
        self._check_positions()

    def _check_positions(self) -> None:
        every = np.stack([layer.volume.bounds for layer in self.layers])
        low, high = every[..., 0].min(axis=0), every[..., 1].max(axis=0)
        for w, positions in enumerate(self._positions):
            for position in positions or ():
                if not low[w] <= position <= high[w]:
                    raise ValueError(
                        f"{space.AXES[w]} must lie within the volumes, {low[w]:g} to {high[w]:g} mm; got {position:g}"
                    )

    @cached_property
    def cuts(self) -> list[Cut]:
        """The slices, sagittal first."""
        if any(positions is not None for positions in self._positions):
            return [self._cut(w, p) for w, positions in enumerate(self._positions) for p in positions or ()]
        middle = enumerate(self._middle().tolist())
        return [self._cut(w, p) for w, p in middle if self.camera is None or w == self._faced]

    @property
    def _faced(self) -> int | None:
        """The world axis that the camera looks along."""
        return None if self.camera is None else int(np.argmax(np.abs(space.as_camera(self.camera).toward)))

    def _cut(self, axis: int, position: float) -> Cut:
        """A slice as it is seen: from the camera's side, else with the subject's right or front on the right."""
        from volrender.draw.slices import Cut

        if axis == self._faced and self.camera is not None:
            across = Cut(axis, position).across[0]
            return Cut(axis, position, mirrored=bool(space.as_camera(self.camera).axes[0, across] < 0))
        return Cut(axis, position, mirrored=self.radiological and axis != 0)

    def _middle(self) -> NDArray[np.float64]:
        """The default crossing point: the strongest voxel of a signed overlay, else the middle of the subject."""
        last = self.layers[-1]
        if len(self.layers) > 1 and isinstance(last, (Intensity, Isosurface)) and last.volume.survey.signed:
            source = last.volume.canonical
            index = np.unravel_index(int(np.nanargmax(np.abs(source.data))), source.shape)
            return np.asarray(np.round(space.apply_affine(source.affine, index)) + 0.0)
        return np.asarray(np.round(self._bounds.mean(axis=1)) + 0.0)  # no -0

    @cached_property
    def _bounds(self) -> NDArray[np.float64]:
        """The world box (mm) that tiles show: what is seen of all layers, a little air, never beyond the volumes."""
        points = np.concatenate([paint.layer_points(layer) for layer in self.layers])
        if not len(points):
            first = self.layers[0]
            if first.clip or first.volume.survey.low < first.volume.survey.high:
                raise paint.nothing(first)
            points = space.corners(first.volume.shape, first.volume.affine)  # one value everywhere
        edge = np.array([[-4.0, 4.0]])
        around = np.stack([points.min(axis=0), points.max(axis=0)], axis=1) + edge
        every = np.stack([layer.volume.bounds for layer in self.layers])
        limits = np.stack([every[..., 0].min(axis=0), every[..., 1].max(axis=0)], axis=1)
        return np.stack([np.maximum(around[:, 0], limits[:, 0]), np.minimum(around[:, 1], limits[:, 1])], axis=1)

    def _seen_labels(self, layer: LabelMap) -> NDArray[Any]:
        step, axes = min(layer.volume.spacing), np.eye(3)
        rows = [np.append(axes[cut.axis], cut.position) for cut in self.cuts]
        grids = [paint.plane_grid(row, [layer.volume], step) for row in rows]
        return np.concatenate([paint.values_at(layer, grid).ravel() for grid in grids])

    def height(self, width: float, font_size: float = 7.0) -> float:
        """The height (mm) of the rows of tiles."""
        from volrender.draw import slices

        frame = self._paperless(width, font_size)
        side = self._sidebar(frame, "slice")
        room = width - side.width
        rows = slices.arrange(self.cuts, self._bounds, slices.most_abreast(self.cuts, self._bounds, frame, room))
        scale = slices.scale_for(rows, self._bounds, room)
        tiles = slices.height_of(rows, self._bounds, scale, slices.band_of(frame))
        return max(tiles, side.least_height) + self._head(frame)

    def compose(self, frame: Frame) -> None:
        """Draw the tiles and the sidebar."""
        from volrender.draw import slices

        side, head = self._sidebar(frame, "slice"), self._head(frame)
        width, height = frame.width - side.width, frame.height - head
        rows = slices.arrange(self.cuts, self._bounds, slices.most_abreast(self.cuts, self._bounds, frame, width))
        slices.draw(frame.part(0, 0, width, height), self.layers, rows, self._bounds)
        side.draw(width, 0, height)
        if self.title:
            title(frame, self.title)


@our_words
class Voxels(Panel):
    """An exploded-voxel figure: every voxel a translucent cube, in matplotlib's 3-D axes.

    Parameters
    ----------
    *layers : layer, Volume, path or nibabel image
        The first one's grid, downsized, is the grid of the cubes. Under other layers intensities are as clear as
        glass, unless they have an opacity of their own.
    size : int, three ints or None
        Cubes along the longest side, or along each; None takes as many as the volume has voxels, or, if they would
        show more than 1,500,000 faces, as many as show no more, and says how many. Larger voxels are means of
        smaller ones: threshold a map through its layer, as ``Isosurface(volume, level=3.1)``, and not before.
    explode : float
        The gap between cubes as a fraction of a voxel, 0 to below 1.
    mask : Volume, path, nibabel image or array of bool, optional
        Only where it is not 0 are there cubes: a volume on any grid, or an array of the first volume's shape.
    edgecolor : color, optional
        Of the cubes' edges.
    vector : bool
        Whether PDF and SVG get a path for each face, at most 100,000, instead of one picture of all.
    camera : name, (elevation, azimuth) or Camera
    axes : bool
        Whether axes in mm are drawn; without them a scale bar and the directions are.
    title : str
    colorbar : bool, optional
        Color bars and the legend; by default for maps with a sign, a unit or a colormap of your choice, and where
        there are several layers or colors to tell apart.
    background : color or "transparent"

    Examples
    --------
    >>> import volrender as vr
    >>> vr.Voxels(vr.sample("mni152").contrast(), size=50, camera=(30, 320))
    <Voxels: Intensity(MNI152 T1)>
    """

    def __init__(
        self,
        *layers: Any,
        size: int | Sequence[int] | None = 50,
        explode: float = 0.0,
        mask: Volume | ArrayLike | None = None,
        edgecolor: Any = None,
        vector: bool = False,
        camera: Any = (25, 150),
        axes: bool = True,
        title: str = "",
        colorbar: bool | None = None,
        background: Any = "white",
    ) -> None:
        self._set_up(layers, title, colorbar, background)
        self._check_places()
        if any(isinstance(layer, CutPlane) for layer in self.layers):
            raise TypeError("Voxels cannot show a CutPlane: cut with clip=Plane(...) instead")
        if not isinstance(explode, (int, float, np.number)) or not 0 <= float(explode) < 1:
            raise ValueError(f"explode must be 0 or more and below 1; got {explode!r}")
        sides: list[Any] = list(size) if isinstance(size, (Sequence, np.ndarray)) else [size]
        if not all(n is None or isinstance(n, (int, np.integer)) for n in sides) or len(sides) not in (1, 3):
            raise TypeError(f"size must be a whole number of cubes, three, or None; got {size!r}")
        self.size: int | list[int] | None = sides if len(sides) == 3 else sides[0]
        self.explode = float(explode)
        self.mask = None if mask is None else _as_mask(mask, self.layers[0].volume)
        self.edgecolor = None if edgecolor is None else as_rgb(edgecolor, "edgecolor")
        self.vector = vector
        self.camera = space.as_camera(camera)
        if self.camera.perspective:
            raise ValueError("Voxels are drawn in parallel projection; take a Camera without perspective")
        self.axes = axes

    @cached_property
    def _cubes(self) -> Cubes:
        from volrender.draw import voxel_grid

        if self.size is not None:
            return voxel_grid.build(self.layers, self.size, self.mask)
        cubes, fewer = voxel_grid.within(self.layers, self.mask, self.explode, self.camera.toward, MOST_FACES)
        if fewer:
            warn(f"Voxels shows {fewer} cubes along the longest side: more have over {MOST_FACES:,} faces")
        return cubes

    def _collection(self) -> VoxelCollection:
        from volrender.draw.voxels import VoxelCollection

        return VoxelCollection(self._cubes, self.explode, self.edgecolor, vector=self.vector)

    def height(self, width: float, font_size: float = 7.0) -> float:
        """The height (mm) in which the cubes fill the panel."""
        from volrender.draw.box import margins

        frame = self._paperless(width, font_size)
        foot = self._foot(frame)
        left, right, top, bottom = margins(frame, self.camera, self.axes)
        cubes = self._cubes
        corners = cubes.corners_xyz if self.axes else cubes.outline_xyz
        flat = np.ptp(corners @ self.camera.axes[:2].T, axis=0)
        if self.axes:
            flat = np.abs(self.camera.axes[:2]) @ np.ptp(corners, axis=0)
        side = self._sidebar(frame, "voxel")
        tall = (width - side.width - left - right) * float(np.clip(flat[1] / flat[0], 0.4, 1.5)) + top + bottom + foot
        return max(tall, side.least_height) + self._head(frame)

    def _seen_labels(self, layer: LabelMap) -> NDArray[Any]:
        return paint.labels_toward(layer, self.camera)

    def _foot(self, frame: Frame) -> float:
        return 0.0 if self.axes else FOOT * frame.line_height

    def draw(self, target: Axes | FigureBase) -> None:
        """Draw into a figure or subfigure, or the cubes alone onto the user's own 3-D axes.

        These keep their view, limits and proportions: ``ax.set_aspect("equal")`` makes cubes of boxes. Title, color
        bars and lettering are then the user's.
        """
        from mpl_toolkits.mplot3d import Axes3D

        if isinstance(target, Axes3D):
            from volrender.draw import voxels

            voxels.add(target, self._collection())
        else:
            super().draw(target)

    def compose(self, frame: Frame) -> None:
        """Draw the 3-D axes and the sidebar."""
        from volrender.draw import voxels

        side, head = self._sidebar(frame, "voxel"), self._head(frame)
        width, height = frame.width - side.width, frame.height - head
        foot = self._foot(frame)
        place = frame.part(0, foot, width, height - foot)
        scale = voxels.draw(place, self._collection(), self.camera, self.axes)
        if not self.axes:
            orient(frame, width, scale, self.camera)
        side.draw(width, 0, height)
        if self.title:
            title(frame, self.title)


def _as_mask(mask: Any, volume: Volume) -> Volume:
    """What chooses voxels, as a volume of 0 and 1."""
    if isinstance(mask, (str, os.PathLike)) or hasattr(mask, "dataobj"):
        mask = load(mask)
    if not isinstance(mask, Volume):
        chosen = np.asarray(mask)
        if chosen.dtype != bool:
            raise TypeError(f"mask must be a Volume or an array of bool; got {type(mask).__name__} of {chosen.dtype}")
        if chosen.shape != volume.shape[:3]:
            raise ValueError(f"mask must have the first volume's shape, {volume.shape[:3]}; got {chosen.shape}")
        mask = Volume(chosen, volume.affine, "labels", "mask")
    data = mask.still("mask").data
    return Volume(np.isfinite(data) & (data != 0), mask.affine, "labels", mask.name)


@our_words
class Histogram(Panel):
    """How often each value occurs, in the layer's colors, with its opacity curve drawn over.

    Parameters
    ----------
    layer : Intensity, Volume, path or nibabel image
    title : str
    background : color or "transparent"

    Examples
    --------
    >>> import volrender as vr
    >>> vr.Histogram(vr.sample("mni152"))
    <Histogram: Intensity(MNI152 T1)>
    """

    def __init__(self, layer: Any, *, title: str = "", background: Any = "white") -> None:
        self._set_up((layer,), title, False, background)
        if not isinstance(self.layers[0], Intensity):
            raise TypeError(f"Histogram shows an Intensity; got {type(self.layers[0]).__name__}")
        if self.layers[0].volume.kind == "rgb":
            raise TypeError("Histogram needs one number a voxel; the volume holds colors: take .luminance")

    def height(self, width: float, font_size: float = 7.0) -> float:
        """A little over half of the width (mm), or what the words beside the axes need."""
        from volrender.draw import histogram

        frame = self._paperless(width, font_size)
        return max(0.55 * width, frame.text_width(histogram.OPACITY) + 3 * frame.line_height) + self._head(frame)

    def draw(self, target: Axes | FigureBase) -> None:
        """Draw into a figure or subfigure, or onto the user's own axes."""
        if isinstance(target, Axes):
            from volrender.draw import histogram

            histogram.draw_axes(target, self._layer, self.font_size)
        else:
            super().draw(target)

    @property
    def _layer(self) -> Intensity:
        layer = self.layers[0]
        assert isinstance(layer, Intensity)
        return layer

    def compose(self, frame: Frame) -> None:
        """Draw the bars and the curve."""
        from volrender.draw import histogram

        histogram.draw(frame.part(0, 0, frame.width, frame.height - self._head(frame)), self._layer)
        if self.title:
            title(frame, self.title)


def _as_size(size: Sequence[int]) -> tuple[int, int]:
    try:
        width, height = (int(n) for n in size)
    except (TypeError, ValueError):
        raise TypeError(f"size must be (width, height) in pixels; got {size!r}") from None
    if not (1 <= width <= 30_000 and 1 <= height <= 30_000):
        raise ValueError(f"size must be between 1 and 30000 pixels each way; got {size}")
    return width, height


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
