"""Cuts: planes through the world as a picture shows them, and their pixels.

A `Cut` is a plane in world millimetres with what runs to the right and up on paper; places in it are (u, v), the mm
along those two from the world's origin. A `Sheet` is a rectangle of such a plane in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from volrender.space import AXES, Floats, Plane, apply_affine, canonical

SIDES = ("LR", "PA", "IS")
TOUCHING = 0.05  # mm from a plane to what lies on it
OBLIQUE = 0.4  # the part of a direction that is worth a letter of its own, about 24 degrees


@dataclass(frozen=True, eq=False)
class Sheet:
    """Pixels in the world: the centre of (column, row) lies at start + column * across + row * up, in mm.

    Parameters
    ----------
    start, across, up : (3,) floats
    size : (width, height)
        Pixels; rows are counted from the bottom.
    """

    start: Floats
    across: Floats
    up: Floats
    size: tuple[int, int]

    @cached_property
    def points(self) -> Floats:
        """The centres of all pixels, shape (height, width, 3)."""
        columns, rows = (np.arange(n, dtype=float)[:, None] for n in self.size)
        return self.start + (columns * self.across)[None] + (rows * self.up)[:, None]

    def through(self, affine: ArrayLike) -> Sheet:
        """The same pixels where an affine takes them."""
        matrix = np.asarray(affine, dtype=float)[:3, :3]
        return Sheet(apply_affine(affine, self.start), matrix @ self.across, matrix @ self.up, self.size)


@dataclass(frozen=True, eq=False)
class Cut:
    """One slice: a plane, and how it is seen.

    Parameters
    ----------
    normal : (3,) floats
        A unit vector; its largest part is above 0.
    offset : float
        Where the plane lies along the normal (mm).
    right, up : (3,) floats
        Unit vectors of the plane that run to the right and up in the picture.
    label : str
        What stands over it, e.g. "z = 20 mm"; of an oblique one a point and, in a second line, its normal.
    """

    normal: Floats
    offset: float
    right: Floats
    up: Floats
    label: str

    @property
    def axis(self) -> int:
        """The world axis that the plane is crossed by most squarely."""
        return _main(self.normal)

    @property
    def ends(self) -> tuple[str, str]:
        """Letters of the subject's sides that lie left and right in the picture; two where it is oblique."""
        return letters(-self.right), letters(self.right)

    @property
    def turned(self) -> bool | None:
        """Whether the subject's right is on the left; None for sagittal cuts, which show no side."""
        return None if self.axis == 0 else bool(self.right[0] < 0)

    def holds(self, point_xyz: Floats) -> bool:
        """Whether a world point lies on the plane."""
        return abs(float(self.normal @ point_xyz) - self.offset) <= TOUCHING

    def flat(self, points_xyz: ArrayLike) -> Floats:
        """World points (..., 3) as (u, v)."""
        return np.asarray(np.asarray(points_xyz, dtype=float) @ np.stack([self.right, self.up], axis=1))

    def sheet(self, extent: Floats, size: tuple[int, int]) -> Sheet:
        """The pixels that fill the rectangle ((u, u), (v, v))."""
        step = np.ptp(extent, axis=1) / size
        u, v = extent[:, 0] + step / 2
        start = self.offset * self.normal + u * self.right + v * self.up
        return Sheet(start, step[0] * self.right, step[1] * self.up, size)


def letters(direction: Floats) -> str:
    """The side of the subject that a direction leads to.

    Examples
    --------
    >>> letters(np.array([0.0, 1.0, 0.0])), letters(np.array([-0.8, 0.0, 0.6]))
    ('A', 'LS')
    """
    order = np.argsort(-np.abs(direction), kind="stable")
    return "".join(SIDES[w][int(direction[w] > 0)] for w in order if abs(direction[w]) > OBLIQUE)


def across(axes: Floats, w: int, offset: float, *, prime: str = "") -> Cut:
    """The cut that holds the two axes (columns) other than `w`, `offset` mm along its normal from the world's origin.

    Examples
    --------
    >>> across(np.eye(3), 2, 20.0).label, across(np.eye(3), 2, 20.0).ends
    ('z = 20 mm', ('L', 'R'))
    """
    right, up = (axes[:, other] for other in range(3) if other != w)
    normal = np.cross(right, up)
    label = f"{AXES[w]}{prime} = {number(offset)} mm"
    return _seen(normal * np.sign(normal @ axes[:, w]), offset, right, up, label)


def along(plane: Plane) -> Cut:
    """A plane of any direction, seen as the cut of the nearest world axis is."""
    row = plane.halfspaces[0]
    normal, offset = row[:3], float(row[3])
    w = _main(normal)
    if abs(normal[w]) > 1 - 1e-12:
        return across(np.eye(3), w, offset * float(np.sign(normal[w])))
    right, up = np.delete(np.eye(3), w, axis=0)
    assert plane.origin is not None
    said = np.round(plane.origin, 1), np.round(_upward(normal), 2)
    point, direction = (", ".join(map(number, values)) for values in said)
    label = f"({point}) mm\nacross ({direction})"
    return _seen(normal, offset, right, up, label)


def mirrored(cut: Cut) -> Cut:
    """The cut as it is seen from its other side."""
    return Cut(cut.normal, cut.offset, -cut.right, cut.up, cut.label)


def own_axes(shape: tuple[int, ...], affine: ArrayLike) -> Floats:
    """The directions of a volume's index axes, unit columns in closest-RAS order."""
    matrix = canonical(shape, affine)[2][:3, :3]
    return np.asarray(matrix / np.linalg.norm(matrix, axis=0))


def number(value: float) -> str:
    """A position as it is printed: four digits at most, a true minus sign."""
    return f"{round(value, 3) + 0.0:.4g}".replace("-", "−")


def trace(cut: Cut, other: Cut, extent: Floats) -> NDArray[np.float64] | None:
    """The ends (2, 2) of the line, as (u, v), that another cut leaves in a rectangle of this one; None if it misses it.

    Examples
    --------
    >>> trace(across(np.eye(3), 0, 5.0), across(np.eye(3), 2, 20.0), np.array([[-9.0, 9.0], [0.0, 50.0]])).tolist()
    [[-9.0, 20.0], [9.0, 20.0]]
    """
    # Where the other plane is met: slope @ (u, v) = height.
    slope = np.array([other.normal @ cut.right, other.normal @ cut.up])
    height = other.offset - cut.offset * float(other.normal @ cut.normal)
    length = float(np.hypot(*slope))
    if length < 1e-6:
        return None
    foot, run = slope * height / length**2, np.array([slope[1], -slope[0]]) / length
    low, high = -np.inf, np.inf
    for at, step, (first, last) in zip(foot, run, extent):
        if abs(step) < 1e-12:
            if not first <= at <= last:
                return None
            continue
        ends = sorted([(first - at) / step, (last - at) / step])
        low, high = max(low, ends[0]), min(high, ends[1])
    line = np.stack([foot + low * run, foot + high * run])
    return line[np.lexsort(line.T[::-1])] if low < high else None


def section(cut: Cut, box: ArrayLike) -> Floats:
    """Where the edges of a world box (3, 2) meet a plane, (n, 2) as (u, v); none where the plane misses it.

    Examples
    --------
    >>> section(across(np.eye(3), 2, 20.0), [[-1, 2], [-3, 4], [0, 50]]).tolist()
    [[-1.0, -3.0], [-1.0, 4.0], [2.0, -3.0], [2.0, 4.0]]
    """
    ends = np.asarray(box, dtype=float)
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1)
    found = []
    for w in range(3):
        one, two = (np.take(corners, side, axis=w).reshape(-1, 3) for side in (0, 1))
        near, far = one @ cut.normal - cut.offset, two @ cut.normal - cut.offset
        met = (near * far <= 0) & (near != far)
        share = (near[met] / (near[met] - far[met]))[:, None]
        found.append(one[met] + share * (two[met] - one[met]))
    return cut.flat(np.concatenate(found))


def _seen(normal: Floats, offset: float, right: Floats, up: Floats, label: str) -> Cut:
    """The cut with its directions made square, the right first, and the normal's largest part above 0."""
    sign = np.sign(normal[_main(normal)])
    length = np.linalg.norm(normal)
    normal = _upward(normal) / length
    right = _square(right, normal)
    up = _square(_square(up, normal), right)
    return Cut(normal + 0.0, float(sign * offset), right + 0.0, up + 0.0, label)


def _upward(normal: Floats) -> Floats:
    """The normal whose largest part is above 0."""
    return np.asarray(normal * np.sign(normal[_main(normal)]))


def _square(direction: Floats, to: Floats) -> Floats:
    rest = direction - (direction @ to) * to
    return np.asarray(rest / np.linalg.norm(rest))


def _main(direction: Floats) -> int:
    """The largest part; of parts that are alike the last, so that a plane half way between is axial."""
    size = np.abs(direction)
    return int(np.flatnonzero(size > size.max() - 1e-9)[-1])
