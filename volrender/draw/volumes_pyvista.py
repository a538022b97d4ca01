"""Volumes for VTK's ray caster: their values, opacities and colors, and the clips that its shader tests.

Volumes are built in the closest-RAS index space with spacing in mm, and taken to the world by `placement`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyvista as pv
from numpy.typing import NDArray
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPiecewiseFunction
from vtkmodules.vtkRenderingCore import vtkColorTransferFunction, vtkVolume
from vtkmodules.vtkRenderingVolumeOpenGL2 import vtkOpenGLGPUVolumeRayCastMapper

from volrender import paint
from volrender.color import BODY
from volrender.draw import opengl, shaders
from volrender.draw.rays.fields import crossed, intensity_field, parts_of, refined
from volrender.draw.surfaces_pyvista import finite_data
from volrender.intensity import downsize
from volrender.io.files import by, warn
from volrender.layers import Intensity
from volrender.rendering import MATERIAL
from volrender.space import spacing, translation
from volrender.volume import Volume

SHADING = {name: MATERIAL[name] for name in ("ambient", "diffuse", "specular")} | {"power": MATERIAL["specular_power"]}
DRAFT_SAMPLE = 1.0  # voxels between samples along a ray
# Of the usual distance, through a map: its voxels are large, and at its threshold it is opaque at once. A draft with
# less is full of specks.
STEEP, DRAFT_STEEP = 1 / 8, 1 / 4
CORE = 0.6  # what of a millimetre is absorbed where an opaque body has its core
MOST_VOXELS = 400_000_000  # of one volume in the memory of graphics


def step(layers: Sequence[Intensity], *, draft: bool) -> float:
    """The mm between samples along a ray through volumes."""
    usual, steep = (DRAFT_SAMPLE, DRAFT_STEEP) if draft else (shaders.SAMPLE, STEEP)
    finer = steep if any(paint.is_sharp(layer) for layer in layers) else 1.0
    return usual * finer * min(min(layer.volume.spacing) for layer in layers)


def cells(volume: Volume, data: NDArray[Any]) -> pv.ImageData:
    """The volume as `_grid`, a cell a voxel or part of one: a ray caster takes points only from first to last centre.

    Of more voxels than the graphics can hold, fewer are made.
    """
    step = spacing(volume.canonical.affine)
    origin = -step / 2
    fewer = _within_limits(data.shape[:3])
    if fewer != data.shape[:3]:
        warn(
            f"Scene shows {volume.name or 'a volume'} in {by(fewer)} voxels, not {by(data.shape[:3])}: "
            "the graphics here hold no more; crop() or downsize() it"
        )
        data = downsize(data, fewer)
    step = step * np.divide(volume.canonical.shape[:3], fewer)
    grid = pv.ImageData(dimensions=np.add(data.shape[:3], 1), spacing=step, origin=origin)
    grid.cell_data["values"] = data.reshape(-1, *data.shape[3:], order="F")
    return grid


def _within_limits(shape: Sequence[int]) -> tuple[int, ...]:
    """As many voxels along each axis as graphics here can hold."""
    largest = opengl.require().largest
    fewer = [min(n, largest) for n in shape]
    excess = np.prod(np.array(fewer, float)) / MOST_VOXELS
    return tuple(max(1, int(n / excess ** (1 / 3))) for n in fewer) if excess > 1 else tuple(fewer)


def with_colors(volume: Volume, bright: NDArray[Any]) -> NDArray[np.uint8]:
    """Red, green, blue and, as the fourth, the brightness on which opacity and shading rest."""
    return np.concatenate([volume.canonical.data[..., :3], np.rint(bright)[..., None].astype(np.uint8)], axis=-1)


def _within_span(data: NDArray[Any], layer: Intensity) -> NDArray[Any]:
    """The values, clipped to the span where any lie beyond it.

    VTK spreads its color and opacity tables over the data's range: one hot voxel would leave the subject a few cells.
    """
    low, high = layer.look.span(layer.blend)
    survey = layer.look.survey
    return data if low <= survey.low and survey.high <= high else np.clip(data, low, high, dtype=np.float32)


def is_mist(layer: Intensity) -> bool:
    """Whether a volume is seen through, and can be sampled together with others."""
    return layer.blend == "composite" and layer.volume.kind != "rgb" and core_level(layer) is None


def prepared(layer: Intensity) -> Volume:
    """The volume as the ray caster gets it: finite, within the span, smooth enough for normals."""
    field, (low, high) = intensity_field(layer, crossed), layer.look.span(layer.blend)
    source = field.volume
    if field.weights is None:
        return replace(source, data=_within_span(finite_data(source, highest=layer.blend == "minimum"), layer))
    values = np.empty(source.shape, dtype=np.float32)
    field.fill(values)
    parts = parts_of(values.size) if field.round else 1
    values = np.clip(refined(values, parts), 0, 1) * np.float32(high - low) + np.float32(low)
    affine = source.affine @ translation(*[(1 - parts) / (2 * parts)] * 3) @ np.diag([*[1 / parts] * 3, 1.0])
    return replace(source, data=values, affine=affine)


def unseen(layer: Intensity) -> float:
    """A value that is not seen: the one of least opacity."""
    return min(layer.look.nodes("volume"), key=lambda node: node[1])[0]


def shading_of(layer: Intensity) -> Mapping[str, float]:
    """How a volume answers light: ambient, diffuse, specular and power; its own color where it does not."""
    shading = layer.look.shading or SHADING
    return shading if shading["diffuse"] > 0 else {"ambient": 1.0, "diffuse": 0.0, "specular": 0.0, "power": 1.0}


def dress(prop: Any, layer: Intensity, *, lit: bool) -> None:
    """Colors, opacity per millimetre and shading of a volume."""
    look = layer.look
    low, high = look.clim
    colors = vtkColorTransferFunction()
    values = np.linspace(low, high, 256)
    body = not look.chosen and layer.blend == "composite"
    for value, rgb in zip(values, look.rgb(values)):
        colors.AddRGBPoint(value, *(BODY if body else rgb.tolist()))
    opacity = vtkPiecewiseFunction()
    # VTK's table has a cell for the smallest step between nodes, and 16384 cells at most.
    span = layer.look.span(layer.blend)
    step = 1e-4 * (span[1] - span[0])
    for n, (value, amount) in enumerate(look.blended(layer.blend)):
        opacity.AddPoint(value + n * step, amount)
    prop.SetColor(colors)
    prop.SetScalarOpacity(opacity)
    prop.SetScalarOpacityUnitDistance(look.distance)
    prop.SetInterpolationTypeToLinear()
    shading = look.shading or SHADING
    prop.SetShade(lit and layer.blend == "composite" and shading["diffuse"] > 0)
    prop.SetAmbient(shading["ambient"])
    prop.SetDiffuse(shading["diffuse"])
    prop.SetSpecular(shading["specular"])
    prop.SetSpecularPower(shading["power"])
    if look.gradient and layer.blend == "composite":
        prop.SetGradientOpacity(_gradient(layer, look.gradient))


def _gradient(layer: Intensity, nodes: Sequence[tuple[float, float]]) -> vtkPiecewiseFunction:
    """Factors of the opacity by steepness; VTK counts steepness by the mean voxel, and knows no steps."""
    low, high = layer.look.span(layer.blend)
    voxel = float(np.mean(layer.volume.spacing))
    factors = vtkPiecewiseFunction()
    for n, (steepness, factor) in enumerate(nodes):
        factors.AddPoint(steepness * voxel + n * 1e-4 * (high - low), factor)
    return factors


def core_level(layer: Intensity) -> float | None:
    """The value just under the surface of an opaque body; None if the volume is seen through."""
    survey = layer.look.survey
    if layer.blend != "composite" or layer.volume.kind == "rgb" or survey.signed or survey.low == survey.high:
        return None
    nodes = layer.look.nodes("volume")
    rising = all(a[1] <= b[1] for a, b in pairwise(nodes)) and nodes[0][1] == 0
    if layer.opacity is None:
        return nodes[2][0]
    if not rising or nodes[-1][1] < CORE or not paint.opaque(layer):
        return None
    low, high = layer.look.span(layer.blend)
    values = np.linspace(max(low, survey.low), min(high, survey.high), 1024)
    bodily = values[layer.look.alpha(values, "volume") >= CORE]
    return float(bodily[0]) if len(bodily) else None


def find_depth(actor: vtkVolume) -> vtkOpenGLGPUVolumeRayCastMapper:
    """Let a volume's mapper note where rays end, and what of their light, instead of painting."""
    half = "if (g_fragColor.a > 0.5 && l_updateDepth) { l_opaqueFragPos = g_dataPos; l_updateDepth = false; }"
    actor.GetShaderProperty().AddFragmentShaderReplacement("//VTK::RenderToImage::Impl", True, half, False)
    mapper = actor.GetMapper()
    mapper.RenderToImageOn()
    return mapper


def depth_and_alpha(
    mapper: vtkOpenGLGPUVolumeRayCastMapper, near: float, far: float, *, parallel: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far (mm) from the camera half of each ray's light has ended (h, w), and how much of it ends at all.

    `near` and `far` are the camera's clipping range (mm).
    """
    images = vtkImageData(), vtkImageData()
    mapper.GetDepthImage(images[0])
    mapper.GetColorImage(images[1])
    depth, color = (
        np.flipud(pv.wrap(image).active_scalars.reshape(*image.GetDimensions()[1::-1], -1)) for image in images
    )
    part = depth[..., 0].astype(np.float64)
    found = near + part * (far - near) if parallel else near * far / (far - part * (far - near))
    return np.where(part < 1, found, np.inf), color[..., 3] / 255
