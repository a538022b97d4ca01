"""Layers seen at points: world positions in, colors out.

Slices, voxels and cut faces all ask here, so one layer cannot look different in two panels. This is the one place
where a volume's affine is applied for sampling: `sample` carries the points into the closest-RAS index space.
Colors are straight (not premultiplied) RGBA in 0..1, float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from volrender import space
from volrender.color import as_rgb
from volrender.cuts import Sheet
from volrender.intensity import luma
from volrender.layers import CutPlane, Intensity, Isosurface, LabelMap, Layer
from volrender.volume import Volume

RGBA = NDArray[np.float32]
FRAMING_VOXELS = 2_000_000
HALF = 0.5 + 1e-9  # a point between two voxels is in the latter, whatever the last bit of its affine says
OPENING = 0.05  # of the subject's size: nostrils and sutures are narrower, the face's own hollows wider


Points: TypeAlias = ArrayLike | Sheet


def sample(volume: Volume, points_xyz: Points, *, hollow: bool = False) -> NDArray[np.float32]:
    """Values at world points (..., 3) or a sheet's pixels: trilinear, up to the outer voxel faces; NaN beyond.

    Voxels that are NaN or infinite are left out, where they weigh half and more the result is NaN; so are zeros if
    `hollow`. Of a color volume (..., 3 or 4), 0 to 255.
    """
    if volume.kind == "rgb":
        channels = [replace(volume, data=channel, kind="intensity") for channel in np.moveaxis(volume.data, -1, 0)]
        return np.stack([sample(channel, points_xyz) for channel in channels], axis=-1)
    source = volume.canonical
    into = np.linalg.inv(source.affine)
    if isinstance(points_xyz, Sheet):
        sheet = points_xyz.through(into)
        lines = _lines(sheet)
        if lines is not None:
            return _sample_lines(source.data, lines, hollow)
        points_xyz, into = sheet.points, np.eye(4)
    points = space.apply_affine(into, points_xyz)
    inside = ((points >= -0.5 - 1e-6) & (points <= np.array(source.shape) - 0.5 + 1e-6)).all(axis=-1)
    index = np.moveaxis(points, -1, 0)

    def interpolated(data: NDArray[Any]) -> NDArray[np.float32]:
        return ndimage.map_coordinates(data, index, output=np.float32, order=1, mode="nearest", prefilter=False)

    return np.where(inside, _without_gaps(source.data, hollow, interpolated), np.float32(np.nan))


def _without_gaps(
    data: NDArray[Any], hollow: bool, interpolated: Callable[[NDArray[Any]], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """What `interpolated` makes of data, those left out that are not finite or, if `hollow`, 0."""
    data = data.view(np.uint8) if data.dtype == bool else data
    there = np.isfinite(data) if data.dtype.kind == "f" else None
    if hollow:
        there = data != 0 if there is None else there & (data != 0)
    if there is None or there.all():
        return interpolated(data)
    weight = interpolated(there.astype(np.float32))
    values = interpolated(np.where(there, data, 0).astype(np.float32))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight >= 0.5, values / weight, np.float32(np.nan))


@dataclass(frozen=True)
class Lines:
    """A sheet along index axes: the indices along the axis of its columns, of its rows, and the one of the third.

    `axes` are those three.
    """

    axes: tuple[int, int, int]
    columns: NDArray[np.float64]
    rows: NDArray[np.float64]
    depth: float

    def plane(self, data: NDArray[Any], k: int) -> NDArray[Any]:
        """The voxels of one index along the third axis, (rows, columns)."""
        return np.moveaxis(data, (self.axes[1], self.axes[0]), (0, 1))[..., k]


def _lines(sheet: Sheet) -> Lines | None:
    """A sheet in index space as lines along its axes; None if it is oblique to them."""
    moved = np.abs([sheet.across * sheet.size[0], sheet.up * sheet.size[1]]) > 1e-6
    if moved.sum() != 2 or (moved.sum(axis=1) != 1).any() or moved.all(axis=0).any():
        return None
    column, row = moved.argmax(axis=1).tolist()
    third = 3 - column - row
    columns, rows = (
        sheet.start[axis] + np.arange(n) * step[axis]
        for axis, n, step in zip((column, row), sheet.size, (sheet.across, sheet.up))
    )
    return Lines((column, row, third), columns, rows, float(sheet.start[third]))


def _sample_lines(data: NDArray[Any], lines: Lines, hollow: bool) -> NDArray[np.float32]:
    """Trilinear interpolation, one axis after the other: the third, columns, rows."""
    result = np.full((len(lines.rows), len(lines.columns)), np.nan, dtype=np.float32)
    ends = [data.shape[axis] - 0.5 + 1e-6 for axis in lines.axes]
    if not -0.5 - 1e-6 <= lines.depth <= ends[2]:
        return result
    inside = [(line > -0.5 - 1e-6) & (line < end) for line, end in zip((lines.columns, lines.rows), ends)]
    if not all(part.any() for part in inside):
        return result
    columns, rows = (slice(*(np.flatnonzero(part)[[0, -1]] + [0, 1])) for part in inside)
    (near, far), (share,) = _neighbours(np.array([lines.depth]), data.shape[lines.axes[2]])
    near, far = near[0], far[0]
    across = _neighbours(lines.columns[columns], data.shape[lines.axes[0]])
    up = _neighbours(lines.rows[rows], data.shape[lines.axes[1]])

    def interpolated(slab: NDArray[Any]) -> NDArray[np.float32]:
        plane = slab[..., 0] * (1 - share) + slab[..., 1] * share
        plane = _between(plane.T, across).astype(np.float32).T
        return _between(np.ascontiguousarray(plane), up)

    slab = np.stack([lines.plane(data, near), lines.plane(data, far)], axis=-1)
    result[rows, columns] = _without_gaps(slab, hollow, interpolated)
    return result


Neighbours: TypeAlias = tuple[tuple[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]]


def _neighbours(index: NDArray[np.float64], count: int) -> Neighbours:
    """The voxels before and after each index, of `count`, and the share of the latter."""
    near = np.floor(index).astype(np.intp)
    share = index - near
    return (near.clip(0, count - 1), (near + 1).clip(0, count - 1)), share


def _between(rows: NDArray[Any], neighbours: Neighbours) -> NDArray[Any]:
    """Rows (first axis) between those given."""
    (near, far), share = neighbours
    weight = share.astype(rows.dtype)[:, None]
    result = rows[near]
    result *= 1 - weight
    other = rows[far]
    other *= weight
    result += other
    return result


def sample_labels(volume: Volume, points_xyz: Points) -> NDArray[Any]:
    """Labels at world points (..., 3) or a sheet's pixels: the voxel that holds the point, 0 outside."""
    source = volume.canonical
    into = np.linalg.inv(source.affine)
    if isinstance(points_xyz, Sheet):
        sheet = points_xyz.through(into)
        lines = _lines(sheet)
        if lines is not None:
            return _pick_lines(source.data, lines)
        points_xyz, into = sheet.points, np.eye(4)
    index = np.floor(space.apply_affine(into, points_xyz) + HALF)
    inside = np.asarray(((index >= 0) & (index < np.array(source.shape))).all(axis=-1))
    i, j, k = np.moveaxis(np.where(inside[..., None], index, 0).astype(np.intp), -1, 0)
    return np.where(inside, source.data[i, j, k], 0).astype(source.data.dtype)


def _pick_lines(data: NDArray[Any], lines: Lines) -> NDArray[Any]:
    """The voxels that hold the points of a sheet along the index axes."""
    picked = [np.floor(line + HALF).astype(np.intp) for line in (lines.rows, lines.columns, np.array([lines.depth]))]
    counts = [data.shape[axis] for axis in (lines.axes[1], lines.axes[0], lines.axes[2])]
    rows, columns, depth = ((line >= 0) & (line < count) for line, count in zip(picked, counts))
    result = np.zeros((len(rows), len(columns)), dtype=data.dtype)
    if depth[0]:
        plane = lines.plane(data, int(picked[2][0]))
        result[np.ix_(rows, columns)] = plane[picked[0][rows]][:, picked[1][columns]]
    return result


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


def paint(layer: Layer, points_xyz: ArrayLike, panel: str = "slice") -> RGBA:
    """Colors of a layer at world points (..., 3); what its clips remove is transparent."""
    colors = rgba(layer, values_at(layer, points_xyz), panel)
    if layer.clip:
        colors[space.removed(layer.clip, points_xyz, tolerance=1e-6)] = 0
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


def lay(picture: NDArray[np.uint8], layer: Layer, sheet: Sheet, panel: str = "slice") -> None:
    """Paint a layer over a picture (height, width, 4) of a sheet, rows from the bottom, in place."""
    colors = _bytes(layer, values_at(layer, sheet), panel)
    if layer.clip:
        colors[space.removed(layer.clip, sheet.points, tolerance=1e-6)] = 0
    alpha = colors[..., 3]
    opaque = alpha == 255
    if opaque.all():
        picture[...] = colors
        return
    np.copyto(picture.view(np.uint32)[..., 0], colors.view(np.uint32)[..., 0], where=opaque)
    between = (alpha > 0) & ~opaque
    if between.any():
        mixed = over(*(part[between].astype(np.float32) / 255 for part in (picture, colors)))
        picture[between] = np.rint(mixed * 255).astype(np.uint8)


def _bytes(layer: Layer, values: NDArray[Any], panel: str) -> NDArray[np.uint8]:
    """The colors of `rgba` in eight bits; quicker, as slices have millions of pixels."""
    if isinstance(layer, LabelMap) and values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        every = np.arange(np.iinfo(values.dtype).max + 1, dtype=values.dtype)
        return _taken(np.rint(rgba(layer, every) * 255).astype(np.uint8), values)
    if not isinstance(layer, Intensity) or layer.volume.kind == "rgb":
        return np.asarray(np.rint(rgba(layer, values, panel) * 255).astype(np.uint8))
    look = layer.look
    table = np.concatenate([np.rint(look.table * 255), np.full((256, 1), 255)], axis=1).astype(np.uint8)
    alpha = look.alpha(values, panel)
    if (alpha == 1).all():
        return _taken(table, look.steps(values))
    shown = alpha > 0
    colors = np.zeros((*values.shape, 4), dtype=np.uint8)
    part = _taken(table, look.steps(values[shown]))
    part[:, 3] = np.rint(255 * alpha[shown])
    colors[shown] = part
    return colors


def _taken(table: NDArray[np.uint8], steps: NDArray[Any]) -> NDArray[np.uint8]:
    """Colors (n, 4) of a table by their place in it, four bytes at a time."""
    return np.take(table.view(np.uint32)[:, 0], steps)[..., None].view(np.uint8)


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
    return coverage(layer, points_xyz) >= 0.5


def coverage(layer: Layer, points_xyz: NDArray[np.float64]) -> NDArray[np.float32]:
    """How far a cut face covers the points of a grid (u, v, 3) across the whole volume: its border is where it is 0.5.

    For the anatomy of an `Intensity` or a `CutPlane` it is all within the subject's closed silhouette, so that dark
    bone and ventricles are not holes; only the air outside is left out, or what the user's own opacity curve hides.
    Else it is where the layer has color.
    """
    values = values_at(layer, points_xyz)
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


def framing_step(source: Volume) -> int:
    """Of how many voxels one is looked at to frame a picture."""
    return int(np.ceil((source.data.size / FRAMING_VOXELS) ** (1 / 3)))


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
