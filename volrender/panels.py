"""How layers are drawn in three dimensions: `Scene` and `Voxels`; the other panels have their own rooms.

A panel checks what it is given at once and draws only when it is saved, shown or asked for its native object; its
engine is imported then. A bare volume, path or nibabel image becomes an `Intensity`, or a `LabelMap`.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from numpy.typing import ArrayLike, NDArray

from volrender import captions, framing, sightlines, space
from volrender.color import RGB, as_rgb
from volrender.draw import engines, preview
from volrender.draw.annotate import Frame, Raster, is_dark
from volrender.histograms import Histogram as Histogram
from volrender.io.files import warn
from volrender.layers import CutPlane, Intensity, LabelMap, Layer, is_projection
from volrender.page import TRANSPARENT
from volrender.panel import FOOT, Panel, orient, with_labels
from volrender.rendering import Rendering
from volrender.slices import Slices
from volrender.sources import load
from volrender.timecourses import Timecourse as Timecourse
from volrender.volume import Volume
from volrender.words import as_bool, our_words

if TYPE_CHECKING:
    import pyvista

    from volrender.draw.voxel_grid import Cubes
    from volrender.draw.voxels import VoxelCollection

MOST_FACES = 1_500_000  # of cubes, unless their number is asked for
INK = (0.15, 0.15, 0.15)  # of outlines
FILL = 0.92  # the part of a picture that the subject takes up in its tighter direction
BESIDE, NUMBERED = 3.6, 4.4  # mm for each point of type: a scale bar beside the directions, numbers along three axes
MANY = 10**9  # pixels: a side of a picture that is no limit
WINDOW = (900, 900)  # pixels of what `show` opens


def as_panel(item: Any) -> Panel:
    """A panel, or the `Slices` of a layer, volume, path or nibabel image."""
    return item if isinstance(item, Panel) else Slices(item)


@our_words
class Scene(Panel):
    """A 3-D view: volume rendering, surfaces, label maps and cut planes in world millimetres.

    Parameters
    ----------
    *layers : layer, Volume, path or nibabel image
        Where a scan ends within an opaque body its last slice is seen. Several translucent volumes are blended at
        every point. Projections lie behind everything else, the later over the earlier, each with its own alpha.
    camera : name, (elevation, azimuth) or Camera
        "left", "right", "anterior", "posterior", "superior", "inferior": where the viewer stands.
    quality : {"final", "draft"}
        Final takes two samples a voxel and smooths edges; draft one, and none.
    light : {"studio", "flat"}
        Soft light from above the viewer's left shoulder; or none, every color as it is given.
    silhouette : bool or color
        Whether layers are outlined, translucent surfaces and what is seen through them too; a volume that is seen
        through fades out and has no border. True is a dark ink on any background; "white" is one for a dark page.
    title : str
    colorbar : bool, optional
        Color bars and the legend; by default for maps with a sign, a unit or a colormap of your choice, and where
        there are several layers or colors to tell apart.
    annotate : bool
        Whether a scale bar and the directions are drawn.
    background : color or "transparent"
    engine : {"auto", "pyvista", "raycast"}
        What draws it: pyvista, by OpenGL, or volrender's own ray caster, which needs none. By default pyvista on
        graphics hardware, the ray caster elsewhere, or what the environment's ``VOLRENDER_ENGINE`` says.

    Examples
    --------
    >>> import volrender as vr
    >>> head = vr.Intensity(vr.sample("mni152"), clip=vr.Box(x=(None, 0), y=(0, None), z=(0, None)))
    >>> vr.Scene(head, camera=(25, 150))
    <Scene: Intensity(MNI152 T1)>
    """

    drawn_as = "volume"

    def __init__(
        self,
        *layers: Any,
        camera: Any = (25, 150),
        quality: str = "final",
        light: str = "studio",
        silhouette: Any = False,
        title: str = "",
        colorbar: bool | None = None,
        annotate: bool = True,
        background: Any = "white",
        engine: str = "auto",
    ) -> None:
        self._set_up(layers, title, colorbar, background)
        if is_dark(background):
            self.layers = tuple(layer.for_dark() if isinstance(layer, Intensity) else layer for layer in self.layers)
        self._check_places(gap=2.0)
        self.rendering = Rendering(quality, light, _as_ink(silhouette), engine)
        self.camera = space.as_camera(camera)
        self.annotate = as_bool(annotate, "annotate")
        self.least = BESIDE if annotate else Panel.least

    @property
    def view(self) -> str:
        """From where it is seen, in words."""
        return f"3-D view {captions.viewpoint(self.camera)}"

    @cached_property
    def _subject(self) -> NDArray[np.float64]:
        """World points (n, 3) that span what is seen."""
        return preview.subject_points(self.layers, self.camera, FILL)

    @cached_property
    def _ratio(self) -> float:
        """Height over width of the picture that the subject fills."""
        flat = np.ptp(self._subject @ self.camera.axes[:2].T, axis=0)
        return float(np.clip(flat[1] / flat[0], 0.45, 1.35))

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

        Raises
        ------
        ValueError
            If nothing is to be seen.
        """
        return self._drawn(self._view(_as_size(size)))

    def _drawn(self, view: space.View) -> NDArray[np.uint8]:
        """The raster of a view in which something is to be seen."""
        raster = engines.render(self.layers, view, self._ground, self.rendering)
        if (raster == (0 if self._ground is None else [*np.rint(255 * np.array(self._ground)), 255])).all():
            surveys = {layer.volume.name or "a volume": layer.volume.luminance.survey for layer in self.layers}
            ranges = ", ".join(f"{s.low:g} to {s.high:g} in {name}" for name, s in surveys.items())
            raise ValueError(
                "nothing is to be seen: the layers absorb too little (opacity, the transfer function's distance), or "
                "the camera looks past them (look_at, zoom), or they have the color of the background; values run from "
                f"{ranges}"
            )
        return raster

    def project(self, points_xyz: ArrayLike, size: tuple[int, int] = (800, 800)) -> NDArray[np.float64]:
        """Where world points (..., 3) fall in a raster of `size`: (column, row), (0, 0) the first pixel's centre."""
        return self._view(_as_size(size)).project(points_xyz)

    def plotter(self, size: tuple[int, int] = (800, 800)) -> pyvista.Plotter:
        """The pyvista Plotter with everything in it, off screen, for those who go on from there; close it yourself."""
        return self._plotter(_as_size(size))

    def show(self) -> None:
        """Show it: in a notebook inline, elsewhere in pyvista's window, to be turned; it returns when that is closed.

        Raises
        ------
        RuntimeError
            If there is no display with OpenGL.
        """
        if self._shown_inline():
            return
        stage = self._plotter(WINDOW, window=True)
        try:
            stage.show(auto_close=False)
        finally:
            stage.close()

    def _plotter(self, size: tuple[int, int], *, window: bool = False) -> pyvista.Plotter:
        from volrender.draw import scene_pyvista

        projections = [layer for layer in self.layers if is_projection(layer)]
        if projections and len(self.layers) > 1:
            warn(
                f"in a pyvista Plotter the {projections[0].blend} projection can hide other layers, as VTK gives it "
                "a depth; save() and render() draw it behind surfaces and volumes, and under later projections"
            )
        ground = self._ground or (1.0, 1.0, 1.0)
        return scene_pyvista.plotter(self.layers, self._view(size), ground, self.rendering, window=window)

    @cached_property
    def _visible(self) -> list[Layer]:
        """The layers that no other hides, opaque label maps with those labels that are seen."""
        lost = sightlines.hidden(self.layers, self.camera)
        if lost and len(lost) < len(self.layers):
            names = " and ".join(layer.volume.name or type(layer).__name__ for layer in lost)
            warn(
                f"nothing is to be seen of {names}, hidden by other layers: cut them open with clip=, or give them a "
                "low opacity, of a hundredth or two per mm for a volume"
            )
            kept = [layer for layer in self.layers if layer not in lost]
        else:
            kept = list(self.layers)
        # Of a translucent map what is inside is seen too.
        maps = {n: one for n, one in enumerate(kept) if isinstance(one, LabelMap) and one.opacity == 1}
        return with_labels(kept, {n: self._seen_labels(one) for n, one in maps.items() if len(one.table) > 1})

    def _seen_labels(self, layer: LabelMap) -> NDArray[Any]:
        others = [one for one in self.layers if not isinstance(one, LabelMap) or one.volume is not layer.volume]
        return sightlines.seen_labels(layer, others, self.camera)

    def _is_seen(self, layer: Layer, points_xyz: NDArray[np.float64]) -> bool:
        return sightlines.shows(self.layers, self.camera, layer, points_xyz)

    def _foot(self, frame: Frame) -> float:
        return FOOT * frame.line_height if self.annotate else 0.0

    def _body(self, frame: Frame) -> float:
        """The height (mm) in which the subject fills the panel."""
        side = self._sidebar(frame)
        return max((frame.width - side.width) * self._ratio, side.least_height) + self._foot(frame)

    @property
    def peer(self) -> Hashable:
        """Scenes of a volume on one grid, in parallel projection."""
        ground = self.layers[0].volume
        free = self.camera.perspective or self.camera.zoom != 1
        return None if free else ("scene", ground.shape, ground.affine.tobytes())

    def sized(self, width: float, font_size: float, height: float = 0.0) -> tuple[float, float]:
        """Paper mm for a world mm, and the height of the picture in world mm."""
        frame = self._paperless(width, font_size)
        tall = (height or self._body(frame)) - self._foot(frame)
        scale = float(min(np.array([width - self._sidebar(frame).width, tall]) / self._reach))
        return scale, tall / scale

    @cached_property
    def _reach(self) -> NDArray[np.float64]:
        """The width and height (world mm) of a picture that the subject just fills, in parallel projection."""
        return np.array([self._view((1, MANY)).mm_per_pixel, self._view((MANY, 1)).mm_per_pixel])

    def _picture(self, frame: Frame, most: float) -> None:
        """Draw the raster at exactly its pixels, and the lettering around it."""
        side, foot = self._sidebar(frame), self._foot(frame)
        width, height = frame.width - side.width, frame.height - foot
        ax, size = frame.picture(0, foot, width, height)
        view = self._view(size)
        view = replace(view, mm_per_pixel=max(view.mm_per_pixel, 1 / (most * frame.dots_per_mm)))
        raster = self._drawn(view)
        Raster(ax, raster)
        side.draw(width, foot, height)
        if self.annotate:
            orient(frame, width, view.mm_per_pixel * frame.dots_per_mm, self.camera)


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

    drawn_as = "voxel"

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
        self._mask = None if mask is None else _as_mask(mask, self.layers[0].volume)
        self.mask = None if self._mask is None else _chosen(self._mask)
        self.edgecolor = None if edgecolor is None else as_rgb(edgecolor, "edgecolor")
        self.vector = as_bool(vector, "vector")
        self.camera = space.as_camera(camera)
        if self.camera.perspective:
            raise ValueError("Voxels are drawn in parallel projection; take a Camera without perspective")
        self.axes = as_bool(axes, "axes")
        self.least = NUMBERED if axes else BESIDE

    @property
    def view(self) -> str:
        """How many cubes there are, and from where they are seen, in words."""
        count = " × ".join(map(str, self._cubes.alpha.shape))
        apart = f", {100 * self.explode:.0f} % of a voxel apart" if self.explode else ""
        return f"{count} voxels{apart}, seen {captions.viewpoint(self.camera)},"

    @cached_property
    def _cubes(self) -> Cubes:
        from volrender.draw import voxel_grid

        if self.size is not None:
            return voxel_grid.build(self.layers, self.size, self.mask)
        cubes, fewer = voxel_grid.within(self.layers, self.mask, self.explode, self.camera.toward, MOST_FACES)
        if fewer:
            warn(f"Voxels shows {fewer} cubes along the longest side: more have over {MOST_FACES:,} faces")
        return cubes

    @cached_property
    def _visible(self) -> list[Layer]:
        """The layers, label maps with those labels that have a cube."""
        return with_labels(self.layers, self._cubes.labels)

    def _collection(self) -> VoxelCollection:
        from volrender.draw.voxels import VoxelCollection

        return VoxelCollection(self._cubes, self.explode, self.edgecolor, vector=self.vector)

    def _body(self, frame: Frame) -> float:
        """The height (mm) in which the cubes fill the panel."""
        from volrender.draw.box import margins

        foot = self._foot(frame)
        left, right, top, bottom = margins(frame, self.camera, self.axes)
        cubes = self._cubes
        corners = cubes.corners_xyz if self.axes else cubes.outline_xyz
        flat = np.ptp(corners @ self.camera.axes[:2].T, axis=0)
        if self.axes:
            flat = np.abs(self.camera.axes[:2]) @ np.ptp(corners, axis=0)
        side = self._sidebar(frame)
        tall = (frame.width - side.width - left - right) * float(np.clip(flat[1] / flat[0], 0.4, 1.5))
        return max(tall + top + bottom + foot, side.least_height)

    def _seen_labels(self, layer: LabelMap) -> NDArray[Any]:
        return framing.labels_toward(layer, self.camera)[0]

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

    def _picture(self, frame: Frame, most: float) -> None:
        """Draw the 3-D axes and the sidebar."""
        from volrender.draw import voxels

        side, foot = self._sidebar(frame), self._foot(frame)
        width = frame.width - side.width
        scale = voxels.draw(frame.part(0, foot, width, frame.height - foot), self._collection(), self.camera, self.axes)
        if not self.axes:
            orient(frame, width, scale, self.camera)
        side.draw(width, 0, frame.height)


def _as_mask(mask: Any, volume: Volume) -> Volume:
    """What chooses voxels, as a volume."""
    if isinstance(mask, (str, os.PathLike)) or hasattr(mask, "dataobj"):
        mask = load(mask)
    if not isinstance(mask, Volume):
        chosen = np.asarray(mask)
        if chosen.dtype != bool:
            raise TypeError(f"mask must be a Volume or an array of bool; got {type(mask).__name__} of {chosen.dtype}")
        if chosen.shape != volume.shape[:3]:
            raise ValueError(f"mask must have the first volume's shape, {volume.shape[:3]}; got {chosen.shape}")
        return Volume(chosen, volume.affine, "labels", "mask")
    return mask.still("mask")


def _chosen(mask: Volume) -> Volume:
    """1 where a mask is not 0."""
    return Volume(np.isfinite(mask.data) & (mask.data != 0), mask.affine, "labels", mask.name)


def _as_ink(silhouette: Any) -> RGB | None:
    if isinstance(silhouette, (bool, np.bool_)):
        return INK if silhouette else None
    return as_rgb(silhouette, "silhouette, if not True or False,")


def _as_size(size: Sequence[int]) -> tuple[int, int]:
    try:
        width, height = (int(n) for n in size)
    except (TypeError, ValueError):
        raise TypeError(f"size must be (width, height) in pixels; got {size!r}") from None
    if not (1 <= width <= 30_000 and 1 <= height <= 30_000):
        raise ValueError(f"size must be between 1 and 30000 pixels each way; got {size}")
    return width, height
