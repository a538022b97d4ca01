"""Layers seen at points: world positions in, colors out.

Slices, voxels and cut faces all ask here, so one layer cannot look different in two panels. This is the one place
where a volume's affine is applied for sampling: `sample` carries the points into the closest-RAS index space.
Colors are straight (not premultiplied) RGBA in 0..1, float32.
"""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import Any, TypeAlias, TypeGuard, cast

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from volrender import bodies, sheets, space
from volrender.bodies import Body
from volrender.color import as_rgb
from volrender.cuts import Sheet
from volrender.intensity import luma
from volrender.layers import CutPlane, Intensity, Isosurface, LabelMap, Layer
from volrender.rendering import presmooth
from volrender.sheets import EDGE, HALF
from volrender.volume import Volume

RGBA = NDArray[np.float32]
Points: TypeAlias = ArrayLike | Sheet
LOOKED_AT = 2_000_000  # voxels
MOST_SMOOTHED = 40_000_000  # voxels around the points beyond which a spline would take too long
HARDLY_ANY = 0.001  # of the voxels
MOST_BODIES = 2  # that are kept for a volume, for the next draft or picture of it
FAINTEST = 0.05  # of what lies behind that is hidden where something is seen
RIND = 3.0  # voxels over which a minimum projection sets in under a subject's surface
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
        return scipy.ndimage.map_coordinates(data, index, output=np.float32, order=1, mode="nearest", prefilter=False)

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
    values = scipy.ndimage.map_coordinates(near, inner, output=np.float32, order=3, mode="nearest")
    cell = tuple(np.floor(axis).astype(np.intp).clip(0, n - 1) for axis, n in zip(inner, near.shape))
    around = (
        extreme(near, size=2, origin=-1)[cell]
        for extreme in (scipy.ndimage.minimum_filter, scipy.ndimage.maximum_filter)
    )
    return np.asarray(np.clip(values, *around))


def sample_labels(volume: Volume, points_xyz: Points) -> NDArray[Any]:
    """Labels at world points (..., 3) or a sheet's pixels: the voxel that holds the point, 0 outside."""
    if isinstance(points_xyz, Sheet):
        labels = sheets.pick(volume, points_xyz)
        return sample_labels(volume, points_xyz.points) if labels is None else labels
    source = volume.canonical
    index = np.floor(space.apply_affine(np.linalg.inv(source.affine), points_xyz) + HALF)
    inside = np.asarray(((index >= 0) & (index < np.array(source.shape))).all(axis=-1))
    labels = at_voxels(source.data, np.where(inside[..., None], index, 0).astype(np.intp))
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
    mixed = at_voxels(scipy.ndimage.maximum_filter(data, 3) != scipy.ndimage.minimum_filter(data, 3), index)
    around = index[mixed][:, None] + (np.indices((3, 3, 3)).reshape(3, 27).T - 1)
    votes = at_voxels(data, around)
    weights = np.exp(-((points[mixed][:, None] - around) ** 2).sum(axis=-1) / (2 * BLUR**2)).astype(np.float32)
    shares = np.stack([np.where(votes == each[:, None], weights, 0).sum(axis=1) for each in votes.T], axis=1)
    labels = at_voxels(data, index)
    labels[mixed] = np.take_along_axis(votes, shares.argmax(axis=1)[:, None], axis=1)[:, 0]
    return labels.astype(source.data.dtype)


def at_voxels(data: NDArray[Any], index_ijk: NDArray[np.intp]) -> NDArray[Any]:
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
        return not layer.preset.soft and layer.volume.kind != "rgb"
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


def foreground(layer: Layer, data: NDArray[Any], thick: float = 0.0) -> NDArray[np.bool_]:
    """Which of a layer's own voxels show something, its clips aside; in a rendered volume also what `thick` mm show."""
    if isinstance(layer, (Isosurface, LabelMap)) and layer.opacity == 0:
        return np.zeros(data.shape, dtype=bool)
    if isinstance(layer, Isosurface):
        return enclosed(layer, data)
    if isinstance(layer, LabelMap):
        return data != 0 if len(layer.table) == len(layer.sizes) else np.isin(data, list(layer.table))
    alpha = layer.look.alpha(data, "volume")
    least = 0.02 * float(alpha.max())
    if thick and isinstance(layer, Intensity) and layer.blend == "composite":
        least = min(least, 1 - (1 - FAINTEST) ** (layer.look.distance / thick))
    return np.asarray(alpha > least)


def has_body(layer: Layer) -> TypeGuard[Intensity | CutPlane | Isosurface]:
    """Whether a layer is the anatomy of a subject, which a cut face shows as solid; labels and signed maps are not."""
    return not isinstance(layer, LabelMap) and not layer.volume.luminance.survey.signed


def closed(layer: Layer) -> Body | None:
    """The closed body of a layer's subject, None where a cut face shows only what has color.

    Where an opacity curve was given the subject is what it shows; and within an opaque one wide parts that the curve
    hides are left out, as the brain in a skull, while the marrow in a bone is not.
    """
    if not has_body(layer):
        return None
    uncut = layer if isinstance(layer, CutPlane) else replace(layer, clip=())
    kept = layer.volume.__dict__.setdefault("_bodies", {})  # gone with the volume
    if uncut not in kept:
        if len(kept) == MOST_BODIES:
            del kept[next(iter(kept))]
        kept[uncut] = _closed(uncut)
    return cast(Body, kept[uncut])


def _closed(layer: Intensity | CutPlane | Isosurface) -> Body:
    source = layer.volume.luminance.canonical
    steps = bodies.strides(source.shape, np.array(source.spacing))
    some = tuple(slice(None, None, step) for step in steps)
    values = np.nan_to_num(source.data[some].astype(np.float32), nan=source.survey.low)
    hollow = None
    if not isinstance(layer, Isosurface) and isinstance(layer.opacity, tuple) and opaque(layer):
        matter = values > 2 * layer.look.survey.air - layer.look.survey.background
        hollow = (layer.look.alpha(values, "volume") == 0) & matter
    affine = source.affine @ np.diag([*steps, 1.0])
    firm = within(layer, scipy.ndimage.gaussian_filter(values, presmooth(source.data), mode="nearest")) > 0.5
    mask = bodies.joined(within(layer, values) > 0.5, firm)
    return bodies.body(mask, affine, min(source.spacing), hollow)


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

    For the anatomy of a subject, smoothed by a Gaussian of `sigma` points, it is all within the `closed` body, so that
    dark bone and ventricles are not holes; only the air outside is left out. Else it is where the layer has color.
    """
    if not has_body(layer) or body is None:
        return (rgba(layer, face_values(layer, points_xyz), "slice")[..., 3] > 0).astype(np.float32)
    values = sample(layer.volume, points_xyz, smooth=True)
    values = luma(values) if layer.volume.kind == "rgb" else values
    filled = scipy.ndimage.gaussian_filter(np.nan_to_num(values, nan=layer.volume.luminance.survey.low), sigma)
    # The subject's own edge is as fine as its values; what is sealed lies behind it.
    covered = np.maximum(within(layer, filled), body.covers(points_xyz))
    return np.asarray(np.where(np.isfinite(values), covered, 0), dtype=np.float32)


def unshrinking(data: NDArray[Any], sigma: float, **edge: Any) -> NDArray[Any]:
    """Data smoothed so that what is round keeps its size: twice a Gaussian, less its own blur."""
    once = scipy.ndimage.gaussian_filter(data, sigma, **edge)
    return np.asarray(2 * once - scipy.ndimage.gaussian_filter(once, sigma, **edge))


def within(layer: Intensity | CutPlane | Isosurface, values: NDArray[Any]) -> NDArray[Any]:
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
    step = int(np.ceil((data.size / LOOKED_AT) ** (1 / data.ndim)))
    alpha = layer.look.alpha(data[(slice(None, None, step),) * data.ndim], "volume")
    shown = alpha[alpha > 0]
    if shown.size <= HARDLY_ANY * alpha.size:
        return 0.0, 0.0
    faint, usual = np.percentile(shown, (20, 50)).tolist()
    return faint, usual
