"""Volumes sampled at the pixels of a sheet, one axis after the other.

A sheet that runs along a volume's own axes, as most slices do, needs no coordinates of its pixels: the voxels are
interpolated along the third axis, the columns and the rows in turn. That is the trilinear interpolation of
`paint.sample`, twenty times as fast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from volrender.cuts import Sheet
from volrender.volume import Volume

HALF = 0.5 + 1e-9  # a point between two voxels is in the latter, whatever the last bit of its affine says
EDGE = 0.5 + 1e-6  # voxels from the outermost centres, where a volume ends


def sample(volume: Volume, sheet: Sheet, hollow: bool) -> NDArray[np.float32] | None:
    """Values at a sheet's pixels, as `paint.sample`; None if the sheet is oblique to the voxels."""
    source = volume.canonical
    lines = _lines(sheet.through(np.linalg.inv(source.affine)))
    return None if lines is None else _sample_lines(source.data, lines, hollow)


def pick(volume: Volume, sheet: Sheet) -> NDArray[Any] | None:
    """Labels at a sheet's pixels, as `paint.sample_labels`; None if the sheet is oblique to the voxels."""
    source = volume.canonical
    lines = _lines(sheet.through(np.linalg.inv(source.affine)))
    return None if lines is None else _pick_lines(source.data, lines)


def without_gaps(
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
    ends = [data.shape[axis] - 1 + EDGE for axis in lines.axes]
    if not -EDGE <= lines.depth <= ends[2]:
        return result
    inside = [(line > -EDGE) & (line < end) for line, end in zip((lines.columns, lines.rows), ends)]
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
    result[rows, columns] = without_gaps(slab, hollow, interpolated)
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
