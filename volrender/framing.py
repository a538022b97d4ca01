"""What there is to see of layers, and where: what a picture is framed by, and the error where there is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from volrender import paint, space
from volrender.layers import CutPlane, Intensity, LabelMap, Layer
from volrender.volume import Volume

FRAMING_VOXELS = 2_000_000
DISC = 2.25  # thirds of a voxel around its centre, within which it hides what is behind it
PARTS = 4  # of a voxel, on a slice that is smaller than one


def labels_toward(layer: LabelMap, camera: space.Camera) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The labels that a camera sees in pixels of a third of a voxel, and where: the nearest voxel in each.

    A voxel covers a disc that reaches beyond its corners, so that nothing is seen through between voxels.
    """
    source = layer.volume.canonical
    shown = paint.foreground(layer, source.data)
    _remove(layer, shown, source.affine)
    index = np.argwhere(shown & ~scipy.ndimage.binary_erosion(shown))
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
    return paint.at_voxels(source.data, index[found]), points[found]


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
    level, clear = getattr(layer, "level", None) or 0.0, "its opacity hides everything"
    if isinstance(layer, Intensity) and layer.clim is not None and layer.clim[0] > volume.luminance.survey.high:
        clear = f"all values lie below its clim ({layer.clim[0]:g}, {layer.clim[1]:g})"
    if isinstance(layer, Intensity) and layer.opacity is None and is_even(layer):
        clear = f"every value is {low}"
    hidden = {
        "Intensity": f"nothing lies beyond its level {level:g}" if level else clear,
        "Isosurface": f"it encloses nothing at level {level:g}" if layer.opacity != 0 else clear,
        "LabelMap": "none of its labels is left" if layer.opacity != 0 else clear,
        "CutPlane": "its plane misses the subject, or is seen from its edge" if layer.opacity != 0 else clear,
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
    return not isinstance(layer, CutPlane) and bool(paint.foreground(layer, source.data).any())


def layer_points(layer: Layer, *, faint: bool = False) -> NDArray[np.float64]:
    """World points (n, 3) that span what is seen of one layer; none if nothing is.

    With what is `faint`: what is seen only where much of it lies on a line of sight.
    """
    source = (layer.field if isinstance(layer, Intensity) else layer.volume).canonical
    if isinstance(layer, CutPlane):
        return _on_plane(layer) if layer.opacity != 0 else np.empty((0, 3))
    step = framing_step(source)
    if isinstance(layer, Intensity):
        thick = float(np.ptp(source.bounds, axis=1).max()) if faint else 0.0
        shown, affine = seen(layer, source, step, thick)
        if not shown.any() and step > 1:  # what is small can slip through
            step = 1
            shown, affine = seen(layer, source, step, thick)
        return _cube_corners(line_ends(shown), 0.5 / step, affine)
    shown, affine = _occupied(layer, source, step)
    return _cube_corners(line_ends(shown), 0.5, affine)


def _cube_corners(centers_ijk: NDArray[Any], half: float, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """World corners (8 n, 3) of cubes on a grid."""
    cube = np.array([[x, y, z] for x in (-half, half) for y in (-half, half) for z in (-half, half)])
    return space.apply_affine(affine, (centers_ijk[:, None, :] + cube).reshape(-1, 3))


def _occupied(layer: Layer, source: Volume, step: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which cells of `step` voxels a side have something that no clip removes, and the affine of their grid.

    Every voxel is looked at, so that a thin tip is not missed. Where they fill a small part of the volume, finer cells.
    """
    if step == 1:
        return seen(layer, source, 1)
    starts = range(0, len(source.data), step)
    shown = np.stack([_cells(paint.foreground(layer, source.data[i : i + step]), step) for i in starts])
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
    cells = reduce(np.logical_or, mask)  # `any` would take thirty times as long where i lies together in memory
    for axis in (0, 1):
        cells = np.logical_or.reduceat(cells, np.arange(0, cells.shape[axis], step), axis=axis)
    return np.asarray(cells)


def framing_step(source: Volume, most: int = FRAMING_VOXELS) -> int:
    """Of how many voxels in a row one is looked at to frame a picture, so that there are `most`."""
    return int(np.ceil((source.data.size / most) ** (1 / 3)))


def seen(layer: Layer, source: Volume, step: int, thick: float = 0.0) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which of every `step`-th voxel show something that no clip removes, or `thick` mm of it, and their affine."""
    affine = source.affine @ np.diag([step, step, step, 1.0])
    if _is_within(source, layer.clip):
        return np.zeros(source.data[::step, ::step, ::step].shape, dtype=bool), affine
    shown = paint.foreground(layer, source.data[::step, ::step, ::step], thick)
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
    """World points (n, 3) that span what is seen of a slice, within a voxel."""
    body, points = paint.closed(layer), np.empty((0, 3))
    for parts in (1, PARTS):
        grid = plane_grid(layer.plane.halfspaces[0], [layer.volume], max(layer.volume.spacing) / parts)
        points = grid[paint.coverage(layer, grid, body) >= 0.5]
        if len(points):
            break
    sides = (grid[1, 0] - grid[0, 0]) / 2, (grid[0, 1] - grid[0, 0]) / 2
    return np.concatenate([points + a * sides[0] + b * sides[1] for a in (-1, 1) for b in (-1, 1)])


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
