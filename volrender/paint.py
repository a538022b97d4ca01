"""Layers seen at points: world positions in, colors out.

Slices, voxels and cut faces all ask here, so one layer cannot look different in two panels. This is the one place
where a volume's affine is applied for sampling: `sample` carries the points into the closest-RAS index space.
Colors are straight (not premultiplied) RGBA in 0..1, float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from volrender import sheets, space
from volrender.color import as_rgb
from volrender.cuts import Sheet
from volrender.intensity import luma
from volrender.layers import CutPlane, Intensity, Isosurface, LabelMap, Layer
from volrender.sheets import EDGE, HALF
from volrender.volume import Volume

RGBA = NDArray[np.float32]
Points: TypeAlias = ArrayLike | Sheet
FRAMING_VOXELS = 2_000_000
BLUR = 0.48  # of a voxel, for labels on a cut face: a single voxel is still seen
OPENING = 0.05  # of the subject's size: nostrils and sutures are narrower, the face's own hollows wider


def sample(volume: Volume, points_xyz: Points, *, hollow: bool = False) -> NDArray[np.float32]:
    """Values at world points (..., 3) or a sheet's pixels: trilinear, up to the outer voxel faces; NaN beyond.

    Voxels that are NaN or infinite are left out, and where they weigh half and more the result is NaN; so are zeros if
    `hollow`. Of a color volume (..., 3 or 4), 0 to 255.
    """
    if volume.kind == "rgb":
        channels = [replace(volume, data=channel, kind="intensity") for channel in np.moveaxis(volume.data, -1, 0)]
        return np.stack([sample(channel, points_xyz) for channel in channels], axis=-1)
    if isinstance(points_xyz, Sheet):
        values = sheets.sample(volume, points_xyz, hollow)
        return sample(volume, points_xyz.points, hollow=hollow) if values is None else values
    source = volume.canonical
    points = space.apply_affine(np.linalg.inv(source.affine), points_xyz)
    inside = ((points >= -EDGE) & (points <= np.array(source.shape) - 1 + EDGE)).all(axis=-1)
    index = np.moveaxis(points, -1, 0)

    def interpolated(data: NDArray[Any]) -> NDArray[np.float32]:
        return ndimage.map_coordinates(data, index, output=np.float32, order=1, mode="nearest", prefilter=False)

    return np.where(inside, sheets.without_gaps(source.data, hollow, interpolated), np.float32(np.nan))


def sample_labels(volume: Volume, points_xyz: Points) -> NDArray[Any]:
    """Labels at world points (..., 3) or a sheet's pixels: the voxel that holds the point, 0 outside."""
    if isinstance(points_xyz, Sheet):
        labels = sheets.pick(volume, points_xyz)
        return sample_labels(volume, points_xyz.points) if labels is None else labels
    source = volume.canonical
    index = np.floor(space.apply_affine(np.linalg.inv(source.affine), points_xyz) + HALF)
    inside = np.asarray(((index >= 0) & (index < np.array(source.shape))).all(axis=-1))
    labels = _at(source.data, np.where(inside[..., None], index, 0).astype(np.intp))
    return np.where(inside, labels, 0).astype(source.data.dtype)


@singledispatch
def values_at(layer: Layer, points_xyz: Points) -> NDArray[Any]:
    """A layer's data at world points or a sheet's pixels: interpolated intensities, or the labels."""
    return sample(layer.volume, points_xyz)


@values_at.register
def _(layer: Intensity, points_xyz: Points) -> NDArray[Any]:
    return sample(layer.volume, points_xyz, hollow=layer.volume.kind != "rgb" and layer.volume.survey.hollow)


@values_at.register
def _(layer: LabelMap, points_xyz: Points) -> NDArray[Any]:
    return sample_labels(layer.volume, points_xyz)


@singledispatch
def face_values(layer: Layer, points_xyz: ArrayLike) -> NDArray[Any]:
    """A layer's data at points (..., 3) of a cut face: as `values_at`, but borders between labels are smooth."""
    return values_at(layer, points_xyz)


@face_values.register
def _(layer: LabelMap, points_xyz: ArrayLike) -> NDArray[Any]:
    """The label that has most of the space around each point, by a Gaussian of `BLUR` voxels."""
    source = layer.volume.canonical
    data = np.pad(source.data.astype(np.int64), 3)
    points = space.apply_affine(np.linalg.inv(source.affine), points_xyz) + 3
    index = np.floor(points + 0.5).clip(1, np.array(data.shape) - 2).astype(np.intp)
    mixed = _at(ndimage.maximum_filter(data, 3) != ndimage.minimum_filter(data, 3), index)
    around = index[mixed][:, None] + (np.indices((3, 3, 3)).reshape(3, 27).T - 1)
    votes = _at(data, around)
    weights = np.exp(-((points[mixed][:, None] - around) ** 2).sum(axis=-1) / (2 * BLUR**2)).astype(np.float32)
    shares = np.stack([np.where(votes == each[:, None], weights, 0).sum(axis=1) for each in votes.T], axis=1)
    labels = _at(data, index)
    labels[mixed] = np.take_along_axis(votes, shares.argmax(axis=1)[:, None], axis=1)[:, 0]
    return labels.astype(source.data.dtype)


def _at(data: NDArray[Any], index_ijk: NDArray[np.intp]) -> NDArray[Any]:
    """The elements of an array at indices (..., 3)."""
    return np.asarray(data[tuple(np.moveaxis(index_ijk, -1, 0))])


@singledispatch
def rgba(layer: Layer, values: NDArray[Any], panel: str = "slice") -> RGBA:
    """Colors of a layer's values; `panel` is "slice", "overlay" (over another layer) or "voxel"."""
    raise TypeError(f"a layer must be Intensity, Isosurface, LabelMap or CutPlane; got {type(layer).__name__}")


@rgba.register
def _(layer: Intensity, values: NDArray[Any], panel: str = "slice") -> RGBA:
    return _mapped(layer, values, panel)


@rgba.register
def _(layer: Isosurface, values: NDArray[Any], panel: str = "slice") -> RGBA:
    inside = enclosed(layer, values)
    color = np.array([*as_rgb(layer.color), layer.opacity], dtype=np.float32)
    return np.where(inside[..., None], color, np.float32(0))


@rgba.register
def _(layer: LabelMap, values: NDArray[Any], panel: str = "slice") -> RGBA:
    labels = np.array(list(layer.table))
    colors = np.array([[0, 0, 0, 0], *([*rgb, layer.opacity] for _, rgb in layer.table.values())], dtype=np.float32)
    place = np.clip(np.searchsorted(labels, values), 0, len(labels) - 1)
    return np.asarray(colors[np.where(labels[place] == values, place + 1, 0)])


@rgba.register
def _(layer: CutPlane, values: NDArray[Any], panel: str = "slice") -> RGBA:
    return _mapped(layer, values, panel)


def _mapped(layer: Intensity | CutPlane, values: NDArray[Any], panel: str) -> RGBA:
    """Values through the layer's colormap, or colors as they are; opacity by value, or by how bright."""
    look = layer.look
    if layer.volume.kind != "rgb":
        return np.concatenate([look.rgb(values), look.alpha(values, panel)[..., None]], axis=-1)
    alpha = look.alpha(luma(values[..., :3]), panel)
    if values.shape[-1] == 4:
        alpha = alpha * np.nan_to_num(values[..., 3]) / 255
    own = np.nan_to_num(values[..., :3]).astype(np.float32) / 255
    return np.concatenate([own, alpha[..., None]], axis=-1, dtype=np.float32)


def enclosed(layer: Isosurface, values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values the surface encloses."""
    assert layer.level is not None
    with np.errstate(invalid="ignore"):
        return np.asarray(values * layer.side >= layer.level * layer.side)


def paint(layer: Layer, points_xyz: Points, panel: str = "slice") -> RGBA:
    """Colors of a layer at world points (..., 3) or a sheet's pixels; what its clips remove is transparent."""
    colors = rgba(layer, values_at(layer, points_xyz), panel)
    if layer.clip:
        points = points_xyz.points if isinstance(points_xyz, Sheet) else points_xyz
        colors[space.removed(layer.clip, points, tolerance=1e-6)] = 0
    return colors


def over(below: RGBA, above: RGBA) -> RGBA:
    """Put one straight-alpha picture over another (Porter and Duff, SIGGRAPH 1984).

    Examples
    --------
    >>> over(np.float32([1, 0, 0, 1]), np.float32([0, 0, 1, 0.5])).tolist()
    [0.5, 0.0, 0.5, 1.0]
    """
    a, b = above[..., 3:], below[..., 3:] * (1 - above[..., 3:])
    total = a + b
    color = (above[..., :3] * a + below[..., :3] * b) / np.where(total > 0, total, 1)
    return np.concatenate([color, total], axis=-1)


def foreground(layer: Layer, data: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of a layer's own voxels show something, its clips aside."""
    if isinstance(layer, Isosurface):
        return enclosed(layer, data)
    if isinstance(layer, LabelMap):
        return np.isin(data, list(layer.table))
    alpha = layer.look.alpha(data, "volume")
    return np.asarray(alpha > 0.02 * alpha.max())


def solid(layer: Layer, points_xyz: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points of a grid (u, v, 3) across the whole volume a cut face covers; see `coverage`."""
    return coverage(layer, face_values(layer, points_xyz)) >= 0.5


def coverage(layer: Layer, values: NDArray[Any]) -> NDArray[np.float32]:
    """How far a cut face covers each point of a grid (u, v) across the whole volume, from the `face_values` there.

    Its border is where it is 0.5.

    For the anatomy of an `Intensity` or a `CutPlane` it is all within the subject's closed silhouette, so that dark
    bone and ventricles are not holes; only the air outside is left out, or what the user's own opacity curve hides.
    Else it is where the layer has color.
    """
    if isinstance(layer, (Intensity, CutPlane)) and not layer.look.survey.signed:
        values = luma(values) if layer.volume.kind == "rgb" else values
        with np.errstate(invalid="ignore"):
            low, air = layer.look.survey.low, layer.look.survey.air
            if isinstance(layer.opacity, tuple):
                top = max(opacity for _, opacity in layer.opacity)
                ramp = layer.look.alpha(values, "volume") / max(top, 1e-12)
            elif low < air:
                ramp = np.clip((np.nan_to_num(values, nan=low) - low) / (2 * (air - low)), 0, 1)
            else:
                ramp = np.isfinite(values).astype(np.float32)
        # The subject's own edge is as fine as its values; what is sealed lies behind it.
        inner = ndimage.binary_erosion(_sealed(ramp > 0.5), iterations=3)
        return np.asarray(np.where(np.isfinite(values), np.maximum(ramp, inner), 0), dtype=np.float32)
    return (rgba(layer, values, "slice")[..., 3] > 0).astype(np.float32)


def _sealed(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask with its inner spaces filled, those too that open to the outside by a passage narrower than `OPENING`."""
    if not mask.any():
        return mask
    reach = OPENING * max(np.ptp(index) for index in np.nonzero(mask)) / 2
    wide = np.pad(mask, int(reach) + 2)
    grown = ndimage.binary_fill_holes(ndimage.distance_transform_edt(~wide) <= reach)
    inside = ndimage.distance_transform_edt(grown) > reach
    edge = int(reach) + 2
    return np.asarray(ndimage.binary_fill_holes(inside)[edge:-edge, edge:-edge])


def labels_toward(layer: LabelMap, camera: space.Camera) -> NDArray[Any]:
    """The labels that a camera sees, one a pixel as large as a voxel: of the voxels in a line, the nearest one's."""
    source = layer.volume.canonical
    index = np.argwhere(foreground(layer, source.data))
    points = space.apply_affine(source.affine, index)
    kept = ~space.removed(layer.clip, points)
    index, points = index[kept], points[kept]
    column, row = np.rint(camera.axes[:2] @ points.T / max(layer.volume.spacing)).astype(np.intp)
    order = np.argsort(-(points @ camera.toward), kind="stable")
    _, nearest = np.unique((column * (row.max(initial=0) - row.min(initial=0) + 1) + row)[order], return_index=True)
    return _at(source.data, index[order[nearest]])


def subject_points(layers: Sequence[Layer]) -> NDArray[np.float64]:
    """World points (n, 3) that span what is seen of the layers: outer corners of the foreground voxels.

    Raises
    ------
    ValueError
        If nothing is to be seen of a layer.
    """
    found = [(layer, layer_points(layer)) for layer in layers]
    for layer, points in found:
        if not len(points):
            raise nothing(layer)
    return np.concatenate([points for _, points in found])


def is_even(layer: Layer) -> bool:
    """Whether the layer's volume has one value everywhere, as an empty map."""
    survey = layer.volume.luminance.survey
    return survey.low == survey.high


def nothing(layer: Layer) -> ValueError:
    """The error that tells that nothing is to be seen of a layer, and why that may be."""
    volume = layer.volume
    low, high = f"{volume.survey.low:g}", f"{volume.survey.high:g}"
    level = getattr(layer, "level", None) or 0.0
    hidden = {
        "Intensity": "its opacity hides everything",
        "Isosurface": f"it encloses nothing at level {level:g}",
        "LabelMap": "none of its labels is left",
        "CutPlane": "its plane misses the volume",
    }[type(layer).__name__]
    removed = ", or its clips remove it" if layer.clip else ""
    where = f"the {type(layer).__name__} of {volume.name or 'a volume'}"
    return ValueError(f"nothing is to be seen of {where}: {hidden}{removed}; its values run from {low} to {high}")


def layer_points(layer: Layer) -> NDArray[np.float64]:
    """World points (n, 3) that span what is seen of one layer; none if nothing is."""
    source = (layer.field if isinstance(layer, Intensity) else layer.volume).canonical
    if isinstance(layer, CutPlane):
        return _on_plane(layer)
    step = framing_step(source)
    ends, affine = _shown_ends(layer, source, step)
    if not len(ends) and step > 1:  # what is small can slip through
        ends, affine = _shown_ends(layer, source, 1)
        step = 1
    half = 0.5 / step
    cube = np.array([[x, y, z] for x in (-half, half) for y in (-half, half) for z in (-half, half)])
    return space.apply_affine(affine, (ends[:, None, :] + cube).reshape(-1, 3))


def _shown_ends(layer: Layer, source: Volume, step: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The line ends of what is seen of every `step`-th voxel, and the affine of their grid."""
    shown, affine = seen(layer, source, step)
    return line_ends(shown), affine


def framing_step(source: Volume, most: int = FRAMING_VOXELS) -> int:
    """Of how many voxels in a row one is looked at to frame a picture, so that there are `most`."""
    return int(np.ceil((source.data.size / most) ** (1 / 3)))


def seen(layer: Layer, source: Volume, step: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which of every `step`-th voxel show something that no clip removes, and the affine of their grid."""
    affine = source.affine @ np.diag([step, step, step, 1.0])
    shown = foreground(layer, source.data[::step, ::step, ::step])
    if layer.clip:
        index = np.argwhere(shown)
        shown[tuple(index[space.removed(layer.clip, space.apply_affine(affine, index))].T)] = False
    return shown, affine


def line_ends(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Indices (n, 3) of the first and last true voxel of each line along i: no other can be extreme in any direction.

    Examples
    --------
    >>> line_ends(np.ones((4, 1, 1), dtype=bool)).tolist()
    [[0, 0, 0], [3, 0, 0]]
    """
    j, k = np.nonzero(mask.any(axis=0))
    first = mask.argmax(axis=0)[j, k]
    last = mask.shape[0] - 1 - mask[::-1].argmax(axis=0)[j, k]
    return np.concatenate([np.stack([first, j, k], axis=1), np.stack([last, j, k], axis=1)])


def _on_plane(layer: CutPlane) -> NDArray[np.float64]:
    step = max(layer.volume.spacing)
    grid = plane_grid(layer.plane.halfspaces[0], [layer.volume], step=step)
    points = grid[solid(layer, grid)]
    if len(points) > 2:
        return points
    # Hardly anything: a finer grid, and not a frame around a point.
    grid = plane_grid(layer.plane.halfspaces[0], [layer.volume], step=step / 4)
    points = grid[solid(layer, grid)]
    sides = step / 2 * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    return np.asarray((points[:, None, :] + sides).reshape(-1, 3))


def plane_grid(row: NDArray[np.float64], volumes: Sequence[Volume], step: float) -> NDArray[np.float64]:
    """World points (u, v, 3), `step` mm apart, on the plane ax + by + cz = d where it may cross the volumes."""
    normal, offset = row[:3], row[3]
    helper = np.eye(3)[np.argmin(np.abs(normal))]
    first = np.cross(helper, normal)
    first /= np.linalg.norm(first)
    axes = np.stack([first, np.cross(normal, first)])
    flat = np.concatenate([space.corners(v.shape, v.affine) for v in volumes]) @ axes.T
    low, high = flat.min(axis=0) - step, flat.max(axis=0) + step
    u, v = (np.arange(lo, hi + step, step) for lo, hi in zip(low, high))
    points = u[:, None, None] * axes[0] + v[None, :, None] * axes[1] + offset * normal
    return np.asarray(points)
