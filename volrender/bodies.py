"""Closed bodies: what lies within a subject's silhouette, found once in the volume, so that all its cut faces agree.

Dark bone, ventricles and sinuses are part of the body, a wide hollow that is open to the outside is not. Of a compact
body, as a head, narrow passages are part of it too; of one that has deep hollows, as an engine, what is seen into from
outside is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from volrender import space

CREASE = 0.35  # of half an opening: a ball as large finds room in a space, but not in a crease
OPENING = 0.09  # of the subject's size: nostrils and sutures are narrower, the face's own hollows wider
HOLLOWS = 0.1  # of a body: if more air lies in hollows that one side in six is seen from, it has deep hollows
SEEN_INTO = 0.07  # of all directions: where fewer lead out a hollow is hardly seen into
MOST = 1_000_000  # voxels of the grid on which a body is sealed
MARGIN = 1.5  # voxels under the body's surface from which on it covers; the edge itself is as fine as the values

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Body:
    """How deep inside a closed body the voxels of a grid lie.

    Attributes
    ----------
    depth : ndarray, shape (i, j, k)
        mm, 0 outside.
    affine : ndarray, shape (4, 4)
        Index of a voxel's centre to world mm.
    margin : float
        From which depth on (mm) a place is inside.
    finest : float
        The least size (mm) of the volume's voxels.
    """

    depth: NDArray[np.float32]
    affine: NDArray[np.float64]
    margin: float
    finest: float

    def covers(self, points_xyz: NDArray[np.float64], voxels: float = 1.0) -> NDArray[np.float32]:
        """How far world points (..., 3) are inside: 0 to 1 over so many voxels, 0.5 at the margin."""
        index = np.moveaxis(space.apply_affine(np.linalg.inv(self.affine), points_xyz), -1, 0)
        depth = scipy.ndimage.map_coordinates(self.depth, index, output=np.float32, order=1, mode="nearest")
        return np.asarray(np.clip(0.5 + (depth - self.margin) / (voxels * self.finest), 0, 1))


def strides(shape: Sequence[int], spacing: NDArray[np.float64]) -> tuple[int, ...]:
    """Of how many voxels in a row one is taken along each axis, for a grid on which a body is sealed in little time.

    Examples
    --------
    >>> strides((512, 512, 28), np.array([0.45, 0.45, 5.0]))
    (3, 3, 1)
    """
    steps = np.ones(3, dtype=int)
    while np.prod(np.ceil(np.array(shape[:3]) / steps)) > MOST:
        steps[np.argmin(np.where(steps < shape[:3], steps * spacing, np.inf))] += 1
    return tuple(steps.tolist())


def joined(mask: Mask, firm: Mask) -> Mask:
    """The parts of a mask in which something is firm, if anything is: the noise around a subject is not."""
    parts, n = scipy.ndimage.label(mask)
    kept = np.zeros(n + 1, dtype=bool)
    kept[np.unique(parts[firm & mask])] = True
    kept[0] = False
    return np.asarray(kept[parts]) if kept.any() else mask


def body(mask: Mask, affine: NDArray[np.float64], finest: float, hollow: Mask | None = None) -> Body:
    """The closed body around what a mask (i, j, k) holds, of a volume whose voxels measure `finest` mm.

    Wide parts of it that are `hollow` are left out.
    """
    spacing = space.spacing(affine)
    inside = sealed(mask, spacing)
    if hollow is not None:
        reach = _reach(mask, spacing)
        inside &= ~_wide(hollow & inside, reach, spacing, CREASE * reach)
    wall = np.pad(inside, 1, mode="edge")  # the end of a scan is no outside
    depth = scipy.ndimage.distance_transform_edt(wall, sampling=spacing)[1:-1, 1:-1, 1:-1].astype(np.float32)
    depth = scipy.ndimage.gaussian_filter(depth, spacing.min() / spacing, mode="nearest")  # of cubes it is stepped
    squeeze = np.linalg.svd(affine[:3, :3] / spacing, compute_uv=False).min()  # of a sheared grid
    return Body(depth, affine, max(MARGIN * finest, float(spacing.max())) / float(squeeze), finest)


def sealed(mask: Mask, spacing: NDArray[np.float64]) -> Mask:
    """A mask (of two or three axes) with its inner spaces filled.

    Those too that open to the outside by a passage narrower than `OPENING`, or where the scan ends; of a body with deep
    hollows those that are hardly seen into.
    """
    if not mask.any():
        return mask
    walls = mask.copy()
    for axis in range(mask.ndim) if mask.ndim > 2 else ():
        for end in (0, -1):
            face = (slice(None),) * axis + (end,)
            walls[face] |= sealed(mask[face], np.delete(spacing, axis))
    reach = _reach(mask, spacing)
    edge = [int(reach / step) + 2 for step in spacing]
    away = scipy.ndimage.distance_transform_edt(~np.pad(walls, [(n, n) for n in edge]), sampling=spacing)
    inner = tuple(slice(n, -n) for n in edge)

    def filled(reach: float) -> Mask:
        grown = scipy.ndimage.binary_fill_holes(away <= reach)
        inside = scipy.ndimage.distance_transform_edt(grown, sampling=spacing) > reach
        return np.asarray(scipy.ndimage.binary_fill_holes(inside)[inner] | mask)

    # What a large ball closes of a crease in the outer surface is narrow; what a small one does is hardly seen.
    spaces = _wide(filled(reach) & ~mask, CREASE * reach, spacing)
    inside = np.asarray(scipy.ndimage.binary_fill_holes(filled(reach / 2) | spaces))
    if mask.ndim < 3 or not _is_open(inside):
        return inside
    deep = inside & (_openness(walls, _around(3)) < SEEN_INTO)
    return np.asarray(scipy.ndimage.binary_fill_holes(filled(reach / 3) | deep))


def _is_open(inside: Mask) -> bool:
    """Whether a body has deep hollows, as an engine or a skeleton: air that is seen at most from one side in six."""
    hollows = ~inside & (_openness(inside, np.concatenate([np.eye(3, dtype=int), -np.eye(3, dtype=int)])) < 0.2)
    return bool(np.count_nonzero(hollows) > HOLLOWS * np.count_nonzero(inside))


def _around(n_axes: int) -> NDArray[np.intp]:
    """The steps from a voxel to all that touch it."""
    steps = np.indices((3,) * n_axes).reshape(n_axes, -1).T - 1
    return np.asarray(steps[steps.any(axis=1)])


def _openness(walls: Mask, steps: NDArray[np.intp]) -> NDArray[np.float32]:
    """In what part of some directions, steps on the grid, each voxel is left without meeting a wall; 0 in walls."""
    free = np.zeros(walls.shape, dtype=np.uint8)
    for step in steps:
        axis = int(np.flatnonzero(step)[0])
        across = np.delete(step, axis)
        here = tuple(slice(max(0, -n), min(0, -n) or None) for n in across)
        beside = tuple(slice(max(0, n), min(0, n) or None) for n in across)
        clear = ~walls
        layers = np.moveaxis(clear, axis, 0)[:: -step[axis]]
        for behind, before in zip(layers[1:], layers):
            behind[here] &= before[beside]
        free += clear
    return np.asarray(free / np.float32(len(steps)), dtype=np.float32)


def _wide(mask: Mask, reach: float, spacing: NDArray[np.float64], neck: float | None = None) -> Mask:
    """The parts of a mask where a ball of radius `reach` has room, and where one of radius `neck` gets from there."""
    neck = reach if neck is None else neck
    depth = scipy.ndimage.distance_transform_edt(mask, sampling=spacing)
    parts, n = scipy.ndimage.label(depth > neck)
    core = (scipy.ndimage.maximum(depth, parts, np.arange(n + 1)) > reach)[parts] & (parts > 0)
    if not core.any():
        return np.asarray(core)
    around = scipy.ndimage.distance_transform_edt(~core, sampling=spacing) <= neck + spacing.max()
    return np.asarray(mask & around)


def _reach(mask: Mask, spacing: NDArray[np.float64]) -> float:
    """Half the width (mm) of what is narrow."""
    extents = [np.ptp(index) * step for index, step in zip(np.nonzero(mask), spacing) if len(index)]
    return OPENING * float(max(extents, default=0.0)) / 2
