"""Layers seen at points: world positions in, colors out.

Slices, voxels and cut faces all ask here, so one layer cannot look different in two panels. This is the one place
where a volume's affine is applied for sampling: `sample` carries the points into the closest-RAS index space.
Colors are straight (not premultiplied) RGBA in 0..1, float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from volrender import bodies, sheets, space
from volrender.bodies import Body
from volrender.color import as_rgb
from volrender.cuts import Sheet
from volrender.intensity import luma
from volrender.layers import CutPlane, Intensity, Isosurface, LabelMap, Layer
from volrender.presets import TISSUES
from volrender.rendering import presmooth
from volrender.sheets import EDGE, HALF
from volrender.volume import Volume

RGBA = NDArray[np.float32]
Points: TypeAlias = ArrayLike | Sheet
FRAMING_VOXELS = 2_000_000
MOST_SMOOTHED = 40_000_000  # voxels around the points beyond which a spline would take too long
HARDLY_ANY = 0.001  # of the voxels
RIND = 3.0  # voxels over which a minimum projection sets in under a subject's surface
DISC = 2.25  # thirds of a voxel around its centre, within which it hides what is behind it
SPECK = 0.2  # voxels from its centre to its border, of what is hardly seen
BETWEEN = 17  # places between two voxels where the end of a map is looked for
BLUR = 0.48  # of a voxel, for labels on a cut face: a single voxel is still seen


def sample(volume: Volume, points_xyz: Points, *, hollow: bool = False, smooth: bool = False) -> NDArray[np.float32]:
    """Values at world points (..., 3) or a sheet's pixels: trilinear, up to the outer voxel faces; NaN beyond.

    Voxels that are NaN or infinite are left out, and where they weigh half and more the result is NaN; so are zeros if
    `hollow`. Of a color volume (..., 3 or 4), 0 to 255. `smooth` takes a cubic spline where all is finite, within the
    range of the data.
    """
    if volume.kind == "rgb":
        channels = [replace(volume, data=channel, kind="intensity") for channel in np.moveaxis(volume.data, -1, 0)]
        return np.stack([sample(channel, points_xyz, smooth=smooth) for channel in channels], axis=-1)
    if isinstance(points_xyz, Sheet):
        values = sheets.sample(volume, points_xyz, hollow)
        return sample(volume, points_xyz.points, hollow=hollow) if values is None else values
    source = volume.canonical
    points = space.apply_affine(np.linalg.inv(source.affine), points_xyz)
    inside = ((points >= -EDGE) & (points <= np.array(source.shape) - 1 + EDGE)).all(axis=-1)
    index = np.moveaxis(points, -1, 0)

    smooth &= source.data.dtype.kind != "f" or bool(np.isfinite(source.data).all())

    def interpolated(data: NDArray[Any]) -> NDArray[np.float32]:
        values = _spline(data, index) if smooth else None
        if values is not None:
            return values
        return ndimage.map_coordinates(data, index, output=np.float32, order=1, mode="nearest", prefilter=False)

    return np.where(inside, sheets.without_gaps(source.data, hollow, interpolated), np.float32(np.nan))


def _spline(data: NDArray[Any], index: NDArray[np.float64]) -> NDArray[np.float32] | None:
    """Values at indices (3, ...) by a cubic spline, within those of the eight voxels around; None if it takes too many.

    Beside a hard edge a spline alone would ring.
    """
    margin = 8  # beyond, a voxel's weight is below 1e-4
    ends = index.reshape(3, -1)
    low = np.clip(np.floor(ends.min(axis=1)).astype(int) - margin, 0, np.array(data.shape) - 1)
    high = np.clip(np.ceil(ends.max(axis=1)).astype(int) + margin + 1, low + 1, data.shape)
    if np.prod((high - low).astype(float)) > MOST_SMOOTHED:
        return None
    near = data[tuple(slice(a, b) for a, b in zip(low, high))].astype(np.float32)
    inner = index - low.reshape(3, *[1] * (index.ndim - 1))
    values = ndimage.map_coordinates(near, inner, output=np.float32, order=3, mode="nearest")
    cell = tuple(np.floor(axis).astype(np.intp).clip(0, n - 1) for axis, n in zip(inner, near.shape))
    around = (extreme(near, size=2, origin=-1)[cell] for extreme in (ndimage.minimum_filter, ndimage.maximum_filter))
    return np.asarray(np.clip(values, *around))


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


def softness(layer: Layer) -> float:
    """By how many voxels (sigma) a volume is smoothed before it is rendered, for normals without rings.

    A map is not: what is little larger than a voxel would fall below its threshold, at which it is smoothed as surfaces
    are. See `is_fine`, too.
    """
    if not isinstance(layer, Intensity) or (is_sharp(layer) and layer.look.survey.hollow):
        return 0.0
    return presmooth(layer.field.data)


def is_fine(layer: Intensity) -> bool:
    """Whether what is thin in a volume rendering stays as wide as it is: what the user's own curve or level shows.

    Of presets, bone, vessels and cells; the surfaces of soft tissue are wide, and smoother without it.
    """
    if layer.preset is not None:
        return layer.preset.name not in TISSUES and layer.volume.kind != "rgb"
    return (isinstance(layer.opacity, tuple) or layer.level is not None) and layer.volume.kind != "rgb"


def is_sharp(layer: Intensity) -> bool:
    """Whether a volume is opaque at once from a threshold on."""
    return layer.look.survey.signed or layer.look.level is not None


def on_face(layer: Layer, points_xyz: NDArray[np.float64], *, overlay: bool) -> RGBA:
    """Colors of a layer on a cut face of a scene: those of a slice, smooth between voxels.

    The colors of a preset that rests on light more than on its own glow are those of surfaces, and say little of what
    is inside: the face is as without it, in gray or in the layer's own colormap. A surface of anatomy shows the slice
    of its volume.
    """
    if isinstance(layer, Isosurface) and not overlay and has_body(layer):
        colors = on_face(Intensity(layer.volume), points_xyz, overlay=False)
        colors[..., 3] *= layer.opacity
        return colors
    if not isinstance(layer, (Intensity, CutPlane)) or overlay or layer.look.survey.signed:
        return rgba(layer, face_values(layer, points_xyz), "overlay" if overlay else "slice")
    shading = layer.preset.shading if isinstance(layer, Intensity) and layer.preset is not None else None
    if shading is not None and shading["diffuse"] > shading["ambient"] and not layer.look.sparse:
        layer = replace(layer, preset=None, opacity=None)
    return rgba(layer, sample(layer.volume, points_xyz, smooth=True), "slice")


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
    if isinstance(layer, (Isosurface, LabelMap)) and layer.opacity == 0:
        return np.zeros(data.shape, dtype=bool)
    if isinstance(layer, Isosurface):
        return enclosed(layer, data)
    if isinstance(layer, LabelMap):
        return np.isin(data, list(layer.table))
    alpha = layer.look.alpha(data, "volume")
    return np.asarray(alpha > 0.02 * alpha.max())


def has_body(layer: Layer) -> TypeGuard[Intensity | CutPlane | Isosurface]:
    """Whether a layer is the anatomy of a subject, which a cut face shows as solid; labels and signed maps are not."""
    return not isinstance(layer, LabelMap) and not layer.volume.luminance.survey.signed


def solid(layer: Layer, points_xyz: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points of a grid (u, v, 3) across the whole volume a cut face covers; see `coverage`."""
    return coverage(layer, points_xyz, closed(layer)) >= 0.5


def closed(layer: Layer) -> Body | None:
    """The closed body of a layer's subject, None where a cut face shows only what has color.

    Where an opacity curve was given the subject is what it shows; and within an opaque one wide parts that the curve
    hides are left out, as the brain in a skull, while the marrow in a bone is not.
    """
    if not has_body(layer):
        return None
    source = layer.volume.luminance.canonical
    step = bodies.stride(source.shape)
    values = np.nan_to_num(source.data[::step, ::step, ::step].astype(np.float32), nan=source.survey.low)
    hollow = None
    if not isinstance(layer, Isosurface) and isinstance(layer.opacity, tuple) and opaque(layer):
        matter = values > 2 * layer.look.survey.air - layer.look.survey.background
        hollow = (layer.look.alpha(values, "volume") == 0) & matter
    affine = source.affine @ np.diag([step, step, step, 1.0])
    return bodies.body(_within(layer, values) > 0.5, affine, min(source.spacing), hollow)


def projected(layer: Intensity) -> Volume:
    """The field that is rendered, in closest-RAS order.

    Through the air around a subject a minimum projection would see nothing else: there it has the highest value, which
    is not seen, unless an opacity was given. Dark spaces in the body are what it is for.
    """
    source = layer.field.canonical
    if layer.blend != "minimum" or layer.opacity is not None or (body := closed(layer)) is None:
        return source
    data = np.nan_to_num(source.data.astype(np.float32), nan=source.survey.high)
    for i, plane in enumerate(data):
        at = np.concatenate([np.full((1, *plane.shape), i), np.indices(plane.shape)])
        inside = body.covers(space.apply_affine(source.affine, np.moveaxis(at, 0, -1)), RIND)
        plane += (1 - inside) * (max(layer.look.clim[1], source.survey.high) - plane)
    return replace(source, data=data)


def coverage(
    layer: Layer, points_xyz: NDArray[np.float64], body: Body | None, sigma: float = 0.0
) -> NDArray[np.float32]:
    """How far a cut face covers the points of a grid (u, v, 3) across the whole volume: its border is where it is 0.5.

    For the anatomy of a subject it is all within the `closed` body, so that dark bone and ventricles are not holes;
    only the air outside is left out. Else it is where the layer has color.
    """
    if not has_body(layer) or body is None:
        return (rgba(layer, face_values(layer, points_xyz), "slice")[..., 3] > 0).astype(np.float32)
    values = sample(layer.volume, points_xyz, smooth=True)
    values = luma(values) if layer.volume.kind == "rgb" else values
    step = float(np.linalg.norm(points_xyz[1, 0] - points_xyz[0, 0])) if len(points_xyz) > 1 else 1.0
    voxel = min(layer.volume.spacing) / step
    filled = ndimage.gaussian_filter(np.nan_to_num(values, nan=layer.volume.luminance.survey.low), sigma * voxel)
    # The subject's own edge is as fine as its values; what is sealed lies behind it.
    covered = np.maximum(_within(layer, filled), body.covers(points_xyz))
    return np.asarray(np.where(np.isfinite(values), covered, 0), dtype=np.float32)


def _within(layer: Intensity | CutPlane | Isosurface, values: NDArray[Any]) -> NDArray[Any]:
    """How far values belong to the subject, 0 to 1; 0.5 where its surface is seen."""
    low = layer.volume.luminance.survey.low
    if isinstance(layer, Isosurface):
        assert isinstance(layer.level, float)
        edge = layer.level
    elif isinstance(layer.opacity, tuple):
        faint, _ = _opacities(layer)
        return np.asarray(np.clip(layer.look.alpha(values, "volume") / (faint or 1.0), 0, 1))
    else:
        edge = layer.look.survey.air if layer.look.level is None else layer.look.level
    return np.asarray(np.clip((values - low) / (2 * (edge - low)), 0, 1) if low < edge else np.ones(values.shape))


def opaque(layer: Intensity | CutPlane, values: NDArray[Any] | None = None) -> bool:
    """Whether what is seen of some values, or of the volume, lets little through."""
    faint, usual = _opacities(layer, values)
    return usual >= 0.3 and faint >= 0.06


def _opacities(layer: Intensity | CutPlane, values: NDArray[Any] | None = None) -> tuple[float, float]:
    """What a millimetre of the faint and of the middling part of what is seen absorbs; 0 if hardly any is seen."""
    data = layer.volume.luminance.data if values is None else values
    step = int(np.ceil((data.size / FRAMING_VOXELS) ** (1 / data.ndim)))
    alpha = layer.look.alpha(data[(slice(None, None, step),) * data.ndim], "volume")
    shown = alpha[alpha > 0]
    if shown.size <= HARDLY_ANY * alpha.size:
        return 0.0, 0.0
    faint, usual = np.percentile(shown, (20, 50)).tolist()
    return faint, usual


def labels_toward(layer: LabelMap, camera: space.Camera) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The labels that a camera sees in pixels of a third of a voxel, and where: the nearest voxel in each.

    A voxel covers a disc that reaches beyond its corners, so that nothing is seen through between voxels.
    """
    source = layer.volume.canonical
    shown = foreground(layer, source.data)
    _remove(layer, shown, source.affine)
    index = np.argwhere(shown & ~ndimage.binary_erosion(shown))
    points = space.apply_affine(source.affine, index)
    order = np.argsort(points @ camera.toward, kind="stable")
    index, points = index[order], points[order]
    flat = camera.axes[:2] @ points.T / max(layer.volume.spacing) * 3
    column, row = np.rint(flat - flat.min(axis=1, initial=np.inf, keepdims=True)).astype(np.intp) + 2
    nearest = np.full((column.max(initial=0) + 3, row.max(initial=0) + 3), -1)
    disc = np.argwhere(np.hypot(*(np.indices((5, 5)) - 2)) <= DISC) - 2
    for right, up in disc.tolist():
        here = np.full(nearest.shape, -1)
        here[column + right, row + up] = np.arange(len(index))  # of several in a pixel the last, which is the nearest
        nearest = np.maximum(nearest, here)
    found = nearest[nearest >= 0]
    return _at(source.data, index[found]), points[found]


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
        "Intensity": f"nothing lies beyond its level {level:g}" if level else "its opacity hides everything",
        "Isosurface": f"it encloses nothing at level {level:g}",
        "LabelMap": "none of its labels is left",
        "CutPlane": "its plane misses the volume",
    }[type(layer).__name__]
    if layer.clip:
        hidden = "its clips remove all of it" if _is_clipped_away(layer) else f"{hidden}, or its clips remove it"
        lows, highs = volume.bounds.T
        hidden += f"; it lies from ({', '.join(f'{x:g}' for x in lows)}) to ({', '.join(f'{x:g}' for x in highs)}) mm"
    where = f"the {type(layer).__name__} of {volume.name or 'a volume'}"
    return ValueError(f"nothing is to be seen of {where}: {hidden}; its values run from {low} to {high}")


def _is_clipped_away(layer: Layer) -> bool:
    """Whether what would be seen of a layer of which nothing is lies in its clips."""
    if _is_within(layer.volume, layer.clip):
        return True
    source = (layer.field if isinstance(layer, Intensity) else layer.volume).canonical
    return not isinstance(layer, CutPlane) and bool(foreground(layer, source.data).any())


def layer_points(layer: Layer) -> NDArray[np.float64]:
    """World points (n, 3) that span what is seen of one layer; none if nothing is."""
    source = (layer.field if isinstance(layer, Intensity) else layer.volume).canonical
    if isinstance(layer, CutPlane):
        return _on_plane(layer)
    step = framing_step(source)
    sharp = isinstance(layer, Intensity) and layer.blend == "composite" and is_sharp(layer)
    if isinstance(layer, Intensity) and sharp and not layer.clip and step < 3:
        return space.apply_affine(source.affine, _crossings(layer, source.data))
    if not isinstance(layer, Intensity):
        shown, affine = _occupied(layer, source, step)
        return _cube_corners(line_ends(shown), 0.5, affine)
    shown, affine = seen(layer, source, step)
    if not shown.any() and step > 1:  # what is small can slip through
        step = 1
        shown, affine = seen(layer, source, step)
    return _cube_corners(line_ends(shown), 0.5 / step, affine)


def _cube_corners(centers_ijk: NDArray[np.intp], half: float, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """World corners (8 n, 3) of cubes on a grid."""
    cube = np.array([[x, y, z] for x in (-half, half) for y in (-half, half) for z in (-half, half)])
    return space.apply_affine(affine, (centers_ijk[:, None, :] + cube).reshape(-1, 3))


def _crossings(layer: Intensity, data: NDArray[Any]) -> NDArray[np.float64]:
    """Indices (n, 3) where what is seen ends between two voxels, one seen and one not, or at the outer faces.

    A single voxel that hardly reaches its level is too small to be seen. None if all is, or has no volume.
    """
    shown = np.pad(foreground(layer, data), 1)
    values = np.pad(data.astype(np.float64), 1, mode="edge")
    joined = np.logical_or.reduce([shown & np.roll(shown, side, axis) for axis in range(3) for side in (-1, 1)])
    visible = 0.02 * layer.look.alpha(data, "volume").max()
    found, thick, body = [], False, shown
    for axis in range(3):
        body = body & np.roll(body, 1, axis)
        for side in (-1, 1):
            index = np.argwhere(shown & ~np.roll(shown, -side, axis))
            beside = index + side * np.eye(3, dtype=int)[axis]
            inner = ((beside > 0) & (beside < np.array(shown.shape) - 1)).all(axis=1)
            share = np.where(inner, 1.0, 0.5)[:, None] * np.linspace(0, 1, BETWEEN)
            here, there = _at(values, index)[:, None], _at(values, beside)[:, None]
            seen = layer.look.alpha(here + share * (there - here), "volume") > visible
            last = BETWEEN - 1 - seen[:, ::-1].argmax(axis=1)
            far = np.take_along_axis(share, last[:, None], axis=1)
            kept = (far[:, 0] > SPECK) | _at(joined, index)
            found.append((index - 1 + side * far * np.eye(3)[axis])[kept])
            thick |= bool((far > 0).any())
    return np.concatenate(found) if thick or body.any() else np.empty((0, 3))


def _occupied(layer: Layer, source: Volume, step: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which cells of `step` voxels a side have something that no clip removes, and the affine of their grid.

    Every voxel is looked at, so that a thin tip is not missed. Where they fill a small part of the volume, finer cells.
    """
    if step == 1:
        return seen(layer, source, 1)
    starts = range(0, len(source.data), step)
    shown = np.stack([_cells(foreground(layer, source.data[i : i + step]), step) for i in starts])
    affine = source.affine @ space.translation(*[(step - 1) / 2] * 3) @ np.diag([step, step, step, 1.0])
    _remove(layer, shown, affine)
    index = np.argwhere(shown)
    if not len(index):  # what a clip leaves of a cell can be less than its middle
        return _occupied(layer, source, 1)
    first, last = step * index.min(axis=0), step * (index.max(axis=0) + 1)
    inner = source.data[tuple(slice(a, b) for a, b in zip(first, last))]
    inner_source = replace(source, data=inner, affine=source.affine @ space.translation(*first))
    finer = framing_step(inner_source)
    return (shown, affine) if finer == step else _occupied(layer, inner_source, finer)


def _cells(mask: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Which cells of `step` voxels along j and k have a true voxel in a mask (i, j, k)."""
    cells = mask.any(axis=0)
    for axis in (0, 1):
        cells = np.logical_or.reduceat(cells, np.arange(0, cells.shape[axis], step), axis=axis)
    return np.asarray(cells)


def framing_step(source: Volume, most: int = FRAMING_VOXELS) -> int:
    """Of how many voxels in a row one is looked at to frame a picture, so that there are `most`."""
    return int(np.ceil((source.data.size / most) ** (1 / 3)))


def seen(layer: Layer, source: Volume, step: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which of every `step`-th voxel show something that no clip removes, and the affine of their grid."""
    affine = source.affine @ np.diag([step, step, step, 1.0])
    if _is_within(source, layer.clip):
        return np.zeros(source.data[::step, ::step, ::step].shape, dtype=bool), affine
    shown = foreground(layer, source.data[::step, ::step, ::step])
    _remove(layer, shown, affine)
    return shown, affine


def _remove(layer: Layer, shown: NDArray[np.bool_], affine: NDArray[np.float64]) -> None:
    """Take out of a mask what a layer's clips remove; plane by plane, since an index is larger than a voxel."""
    for i, plane in enumerate(shown if layer.clip else ()):
        j, k = np.nonzero(plane)
        gone = space.removed(layer.clip, space.apply_affine(affine, np.stack([np.full(len(j), i), j, k], axis=1)))
        plane[j[gone], k[gone]] = False


def _is_within(volume: Volume, clips: Sequence[space.Clip]) -> bool:
    """Whether one clip holds a whole volume: it is convex, so it does if it holds the corners."""
    corners = space.corners(volume.shape, volume.affine)
    return any(space.removed([clip], corners).all() for clip in clips)


def line_ends(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Indices (n, 3) of true voxels that end a line along each axis: no other can be extreme in any direction.

    Examples
    --------
    >>> line_ends(np.ones((4, 1, 1), dtype=bool)).tolist()
    [[0, 0, 0], [3, 0, 0]]
    """
    ends = np.argwhere(mask.any(axis=0))
    first, last = (_outermost(mask, 0, ends, side) for side in (1, -1))
    index = np.concatenate([np.insert(ends, 0, place, axis=1) for place in (first, last)])
    for axis in (1, 2):
        line = np.delete(index, axis, axis=1)
        outer = [index[:, axis] == _outermost(mask, axis, line, side) for side in (1, -1)]
        index = index[outer[0] | outer[1]]
    return index


def _outermost(mask: NDArray[np.bool_], axis: int, lines: NDArray[np.intp], side: int) -> NDArray[np.intp]:
    """Where the first true voxel from one side lies in lines along an axis, given by their other indices (n, 2)."""
    first = np.flip(mask, axis).argmax(axis=axis) if side < 0 else mask.argmax(axis=axis)
    places = first[lines[:, 0], lines[:, 1]]
    return np.asarray(mask.shape[axis] - 1 - places if side < 0 else places)


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
