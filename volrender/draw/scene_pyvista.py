"""The OpenGL engine: pyvista, off screen, for the time of one render.

Volumes are built in the closest-RAS index space with spacing in mm, and taken to the world by `placement`. Clips are
half-spaces cut exactly: in a volume by the shader at every sample, in a surface plane by plane. The cut faces show what
was cut, painted as in a slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatchmethod
from typing import Any

import numpy as np
import pyvista as pv
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkVolume
from vtkmodules.vtkRenderingVolume import vtkMultiVolume
from vtkmodules.vtkRenderingVolumeOpenGL2 import vtkOpenGLGPUVolumeRayCastMapper

from volrender import framing, paint
from volrender.color import BODY, RGB
from volrender.draw import opengl, outlines, volumes_pyvista
from volrender.draw.faces import Face, cut_faces, ended, slice_faces
from volrender.draw.faces_pyvista import face_mesh
from volrender.draw.pixels import straight
from volrender.draw.shaders import clip_and_light, end_at_surfaces, light_together, project
from volrender.draw.surfaces_pyvista import (
    cut,
    grid_of,
    half,
    isosurface,
    label_surface,
    placement,
    with_normals,
)
from volrender.draw.volumes_pyvista import (
    cells,
    core_level,
    depth_and_alpha,
    dress,
    find_depth,
    is_mist,
    prepared,
    shading_of,
    unseen,
    with_colors,
)
from volrender.layers import CutPlane, Intensity, Isosurface, LabelMap, Layer, is_projection, takes_both_signs
from volrender.rendering import FLAT, FRONTAL, LIGHTS, MATERIAL, Rendering
from volrender.space import NEAREST, View, apply_affine, removed
from volrender.volume import Volume

BLEND = {
    "composite": "SetBlendModeToComposite",
    "maximum": "SetBlendModeToMaximumIntensity",
    "minimum": "SetBlendModeToMinimumIntensity",
    "average": "SetBlendModeToAverageIntensity",
}
BLACK = (0.0, 0.0, 0.0)
LARGEST = 8192  # pixels along a side of what is drawn to be averaged


def render(layers: Sequence[Layer], view: View, background: RGB | None, how: Rendering) -> NDArray[np.uint8]:
    """The bare raster (h, w, 4); without a background its alpha is exact.

    A projection has no depth: it is the ground on which later ones and the rest are drawn.
    """
    picture = _picture(layers, view, background, how)
    if not how.silhouette:
        return straight(*picture)
    seen = [_sighting(layer, outlines.finer(view)) for layer in outlines.outlined(layers)]
    drawn = outlines.drawn(np.dstack(picture), (*how.silhouette, 1.0), seen, view)
    return straight(drawn[..., :3], drawn[..., 3:])


def _picture(
    layers: Sequence[Layer], view: View, background: RGB | None, how: Rendering
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Premultiplied colors (h, w, 3) of 0 to 1, and alpha (h, w, 1)."""
    flat: list[list[Layer]] = [[layer] for layer in layers if is_projection(layer)]
    rest = [layer for layer in layers if not is_projection(layer)]
    last, *front = [*flat, rest] if rest else flat
    if background is None:
        color, alpha = _solved(last, view, how)
    else:
        (color,) = _rasters(last, view, [background], how)
        alpha = np.ones((*color.shape[:2], 1))
    for part in front:
        over, amount = _solved(part, view, how)
        color, alpha = over + (1 - amount) * color, amount + (1 - amount) * alpha
    return color / 255, alpha


def _solved(layers: Sequence[Layer], view: View, how: Rendering) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Premultiplied colors (h, w, 3) of 0 to 255, and alpha (h, w, 1).

    VTK's own transparent picture is wrong where a volume is partly transparent, so it is drawn on black and on white
    and solved: what a pixel lets through of the difference is its transparency (Smith and Blinn, SIGGRAPH 1996).
    """
    on_black, on_white = _rasters(layers, view, [BLACK, (1.0, 1.0, 1.0)], how)
    return on_black, np.clip(1 - (on_white - on_black).mean(axis=-1, keepdims=True) / 255, 0, 1)


def _rasters(
    layers: Sequence[Layer], view: View, backgrounds: Sequence[RGB], how: Rendering
) -> list[NDArray[np.float64]]:
    """Colors (h, w, 3) of 0 to 255, the mean of a larger picture's."""
    width, height = view.size
    factor = 1 if how.draft else _factor(layers, max(view.size))
    larger = View(view.camera, view.center, view.mm_per_pixel / factor, (width * factor, height * factor))
    stage = plotter(layers, larger, backgrounds[0], how)
    rasters = []
    try:
        stage.show(auto_close=False, interactive=False)
        for n, background in enumerate(backgrounds):
            if n:
                stage.set_background(background)
                stage.render()
            rasters.append(np.asarray(stage.screenshot(None, return_img=True))[..., :3])
    finally:
        stage.close()
    shape = (height, factor, width, factor, 3)
    return [raster.reshape(shape).mean(axis=(1, 3)) for raster in rasters]


def _factor(layers: Sequence[Layer], side: int) -> int:
    """How many times larger than a raster of so many pixels a final picture is drawn, to be averaged.

    VTK's own multisampling mixes light and not values, and knows no peels, no occlusion and no edges of volumes.
    """
    volumes = [layer for layer in layers if isinstance(layer, Intensity)]
    if any(layer.blend in ("minimum", "average") or paint.is_sharp(layer) for layer in volumes):
        return 3 if 3 * side <= LARGEST else 2  # their edges are hard
    edged = any(layer.clip or core_level(layer) is not None for layer in volumes) or len(volumes) < len(layers)
    return 2 if edged else 1


def _is_peeled(layers: Sequence[Layer]) -> bool:
    """Whether a surface is translucent, so that what is in front of what must be found at each pixel."""
    return any(not isinstance(layer, Intensity) and layer.opacity not in (None, 1.0) for layer in layers)


def _seen_through(layer: Layer) -> bool:
    """Whether a layer is not an opaque volume."""
    return not isinstance(layer, Intensity) or core_level(layer) is None


def _sighting(layer: Layer, view: View) -> outlines.Sighting:
    """Where a layer is seen that is alone: its surfaces, and in a volume where half of the light has ended."""
    stage = plotter([outlines.solid(layer)], view, BLACK, Rendering(light="flat"))
    try:
        for actor in stage.renderer.GetActors():
            actor.ForceTranslucentOff()
            actor.ForceOpaqueOn()
        mappers = [find_depth(volume) for volume in stage.renderer.GetVolumes()]
        stage.show(auto_close=False, interactive=False)
        camera = stage.camera
        depth = np.nan_to_num(-np.asarray(stage.get_image_depth(), dtype=float), nan=np.inf)
        alpha = np.where(np.isfinite(depth), outlines.front(layer), 0.0)
        for mapper in mappers:
            found, amount = depth_and_alpha(mapper, *camera.clipping_range, parallel=camera.parallel_projection)
            depth, alpha = np.minimum(depth, found), np.maximum(alpha, amount)
        return outlines.Sighting(depth - camera.distance, alpha, outlines.bordered(layer))
    finally:
        stage.close()


def _shell(layer: Intensity, source: Volume, level: float) -> pv.PolyData:
    """The surface in the world where a prepared volume crosses a level, closed where it ends."""
    padded = np.pad(source.data, 1, constant_values=source.data.min())
    shell = grid_of(source, padded, pad=1).contour([level], method="flying_edges", compute_normals=True)
    return cut(shell.transform(placement(source), inplace=False), layer.clip)


def plotter(
    layers: Sequence[Layer], view: View, background: RGB, how: Rendering, *, window: bool = False
) -> pv.Plotter:
    """A pyvista Plotter, off screen or in a window, with every layer in it and the camera of the view."""
    with opengl.onscreen() if window else opengl.offscreen():
        stage = pv.Plotter(off_screen=not window, window_size=list(view.size), lighting="none", title="volrender")
        stage.set_background(background)
        try:
            Stage(stage, view, how).add_all(layers)
        except BaseException:
            stage.close()
            raise
    return stage


class Stage:
    """One plotter while it is filled: lights, camera, and a way to add each kind of layer."""

    def __init__(self, stage: pv.Plotter, view: View, how: Rendering) -> None:
        self.stage = stage
        self.view = view
        self.how = how
        self.material = MATERIAL if how.lit else FLAT
        self.peeled = False

    def add_all(self, layers: Sequence[Layer]) -> None:
        """Add lights, layers, cut faces and the camera."""
        layers = [ended(layer) for layer in layers]
        self.peeled = _is_peeled(layers)
        for position, intensity in LIGHTS if self.how.lit else FRONTAL:
            self.stage.add_light(pv.Light(position=position, light_type="camera light", intensity=intensity))
        mist = [layer for layer in layers if isinstance(layer, Intensity) and is_mist(layer)]
        mist = mist if len(mist) > 1 else []
        # An opaque body ends rays by its depth: what comes after it is right in front of it and behind.
        alone = [layer for layer in layers if layer not in mist]
        for layer in sorted(alone, key=_seen_through):
            self.add(layer)
        if mist:
            self._add_mist(mist)
        pixel = self.view.mm_per_pixel
        for face in (*slice_faces(layers, pixel), *cut_faces(layers, pixel)):
            self._add_face(face)
        self._smooth(layers)
        self._look_from()

    def _smooth(self, layers: Sequence[Layer]) -> None:
        """Order what is translucent, and darken folds: VTK does not do both at once."""
        self.stage.disable_anti_aliasing()
        if self.peeled:
            self.stage.enable_depth_peeling(number_of_peels=8, occlusion_ratio=0)
            self.stage.renderer.SetUseDepthPeelingForVolumes(any(isinstance(layer, Intensity) for layer in layers))
            for actor in self.stage.renderer.GetActors():
                actor.ForceTranslucentOn()  # in front of what is drawn as opaque the peels lose surfaces
        elif self.how.lit and not self.how.draft and not any(isinstance(a, (Intensity, CutPlane)) for a in layers):
            # Ambient occlusion would darken a slice too, whose colors are values.
            reach = 0.03 * self.view.mm_per_pixel * max(self.view.size)
            self.stage.enable_ssao(radius=reach, bias=0.1 * reach, kernel_size=96, blur=True)

    def _look_from(self) -> None:
        # No farther off than what is drawn needs: of a distance the ambient occlusion knows 11 bits, and it would show.
        ends = np.array(self.stage.renderer.ComputeVisiblePropBounds()).reshape(3, 2)
        radius = float(np.linalg.norm(np.abs(ends.T - self.view.center).max(axis=0))) + 1.0
        _, up, toward = self.view.camera.axes
        camera, half = self.stage.camera, self.view.mm_per_pixel * self.view.size[1] / 2
        distance = min(self.view.distance, 2 * radius)
        if self.view.camera.perspective:
            distance = self.view.distance
            camera.view_angle = 2 * float(np.degrees(np.arctan(half / distance)))
        else:
            camera.enable_parallel_projection()
            camera.parallel_scale = half
        camera.focal_point = self.view.center
        camera.position = tuple(np.array(self.view.center) + distance * toward)
        camera.up = tuple(up)
        camera.clipping_range = (max(distance - 1.1 * radius, NEAREST * distance), distance + 1.1 * radius)

    @singledispatchmethod
    def add(self, layer: Layer) -> None:
        """Add one layer's actors."""
        raise TypeError(f"a layer must be Intensity, Isosurface, LabelMap or CutPlane; got {type(layer).__name__}")

    @add.register
    def _(self, layer: Intensity) -> None:
        source = prepared(layer)
        mapper = self._mapper([layer])
        getattr(mapper, BLEND[layer.blend])()
        if layer.opacity is None and not takes_both_signs(layer):
            mapper.SetAverageIPScalarRange(layer.look.air, layer.look.survey.high)
        colored = layer.volume.kind == "rgb"
        mapper.SetInputData(cells(layer.volume, with_colors(layer.volume, source.data) if colored else source.data))
        actor = self._volume(layer)
        actor.SetMapper(mapper)
        actor.GetProperty().SetIndependentComponents(not colored)
        clip_and_light(actor, layer, self.view)
        if is_projection(layer):
            project(actor, layer)
        self.stage.add_actor(actor, reset_camera=False, render=False)
        level = core_level(layer)
        if level is None:
            end_at_surfaces(actor, peeled=self.peeled)
        else:
            self._add_core(layer, source, level)

    def _add_mist(self, layers: Sequence[Intensity]) -> None:
        """Add translucent volumes that are sampled together along each ray."""
        mapper = self._mapper(layers)
        together = vtkMultiVolume()
        together.SetMapper(mapper)
        for n, layer in enumerate(layers):
            source = prepared(layer)
            data = source.data
            if layer.clip:
                centers = apply_affine(source.affine, np.moveaxis(np.indices(data.shape), 0, -1))
                data = np.where(removed(layer.clip, centers), unseen(layer), data).astype(np.float32)
            mapper.SetInputDataObject(n, cells(layer.volume, data))
            together.SetVolume(self._volume(layer), n)
        if self.how.lit:
            light_together(together, [shading_of(layer) for layer in layers])
        end_at_surfaces(together, peeled=self.peeled)
        self.stage.add_actor(together, reset_camera=False, render=False)

    def _mapper(self, layers: Sequence[Intensity]) -> vtkOpenGLGPUVolumeRayCastMapper:
        mapper = vtkOpenGLGPUVolumeRayCastMapper()
        mapper.SetAutoAdjustSampleDistances(0)
        mapper.SetSampleDistance(volumes_pyvista.step(layers, draft=self.how.draft))
        mapper.SetUseJittering(1)
        return mapper

    def _volume(self, layer: Intensity) -> vtkVolume:
        actor = vtkVolume()
        actor.SetUserMatrix(pv.vtkmatrix_from_array(placement(layer.volume)))
        dress(actor.GetProperty(), layer, lit=self.how.lit)
        return actor

    def _material(self, layer: Intensity) -> dict[str, float]:
        """How a surface answers light, as the layer's volume does."""
        if layer.look.shading is None or not self.how.lit:
            return self.material
        names = {"power": "specular_power"}
        return {names.get(name, name): value for name, value in layer.look.shading.items()}

    def _add_core(self, layer: Intensity, source: Volume, level: float) -> None:
        """Put an opaque surface just under that of an opaque body, in its tone: it ends rays early, and has a depth."""
        tone = layer.look.rgb(np.array(level)) if layer.look.chosen else BODY
        core = _shell(layer, source, level)
        if core.n_points:
            look = {"show_scalar_bar": False, "reset_camera": False, "render": False, "color": tone}
            self.stage.add_mesh(core, scalars=None, smooth_shading=True, **self._material(layer), **look)

    @add.register
    def _(self, layer: Isosurface) -> None:
        self._add_surface(cut(isosurface(layer), layer.clip), layer, color=layer.color)

    @add.register
    def _(self, layer: LabelMap) -> None:
        mesh = label_surface(layer)
        self._add_surface(cut(mesh, layer.clip), layer, scalars="rgb", rgb=True)

    @add.register
    def _(self, layer: CutPlane) -> None:
        """Planes are drawn together, by `add_all`."""

    def _add_surface(self, mesh: pv.PolyData, layer: Isosurface | LabelMap, **look: Any) -> None:
        if mesh.n_points == 0:
            raise framing.nothing(layer)
        self.stage.add_mesh(
            with_normals(mesh),
            opacity=layer.opacity,
            smooth_shading=True,
            show_scalar_bar=False,
            reset_camera=False,
            render=False,
            **self.material,
            **look,
        )

    def _add_face(self, face: Face) -> None:
        mesh = face_mesh(face)
        for other in face.within:
            mesh = half(mesh, other, keep_inside=True)
        mesh = cut(mesh, face.clips)
        if mesh.n_points:
            look = {"show_scalar_bar": False, "lighting": False, "reset_camera": False, "render": False}
            self.stage.add_mesh(mesh, scalars="rgb", rgb=True, **look)
