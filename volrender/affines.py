"""Affines: 4x4 matrices that take points to points, in numpy alone.

A volume's affine takes the index (i, j, k) of a voxel's **centre** to world millimetres, RAS+; a world matrix takes
millimetres to millimetres. Matrices multiply points from the left, so ``a @ b`` is "first b, then a". Angles are in
degrees and turn counter-clockwise as seen from the tip of the axis (the right-hand rule).

The twelve parameters of spatial normalization are three translations, three rotations, three zooms and three shears.
In this worked example, which turns the point (-40, 10, 0) of a subject whose x runs to the left into (47, -2, 11) of
a template, the parameters are this package's own, chosen to give that example:

>>> matrix = translation(4.4, -15.7, 6.1) @ euler(8, -4, 5) @ zooms(-1.1, 1.05, 1.15) @ shears(0.02, -0.01, 0.03)
>>> matrix.round(3)
array([[ -1.093,  -0.113,  -0.072,   4.4  ],
       [ -0.084,   1.035,  -0.128, -15.7  ],
       [ -0.089,   0.137,   1.141,   6.1  ],
       [  0.   ,   0.   ,   0.   ,   1.   ]])
>>> apply_affine(matrix, (-40, 10, 0)).round().tolist()
[47.0, -2.0, 11.0]
>>> apply_affine(np.linalg.inv(matrix), apply_affine(matrix, (-40, 10, 0))).round(6).tolist()
[-40.0, 10.0, 0.0]
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations, product
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]

AXES = "xyz"


def as_affine(value: ArrayLike) -> Floats:
    """Return `value` as a checked, read-only 4x4 affine (index of a voxel centre to world mm).

    Parameters
    ----------
    value : array_like, shape (4, 4)

    Returns
    -------
    ndarray, shape (4, 4), float64

    Raises
    ------
    ValueError
        If it is not 4x4, not finite, not affine, or maps the volume onto a plane.

    Examples
    --------
    >>> as_affine(np.diag([2, 2, 2, 1]))[0]
    array([2., 0., 0., 0.])
    """
    affine = np.array(value, dtype=float)
    if affine.shape != (4, 4):
        raise ValueError(f"an affine must be 4x4; got shape {affine.shape}")
    if not np.isfinite(affine).all():
        raise ValueError("an affine must be finite; got NaN or infinity")
    if not np.allclose(affine[3], (0, 0, 0, 1)):
        raise ValueError(f"the last row of an affine must be (0, 0, 0, 1); got {tuple(affine[3].tolist())}")
    lengths = spacing(affine)
    if (lengths == 0).any() or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-6:
        raise ValueError("an affine must be invertible; got one that maps the volume onto a plane, a line or a point")
    affine.setflags(write=False)
    return affine


def apply_affine(affine: ArrayLike, points: ArrayLike) -> Floats:
    """Carry `points` (..., 3) through a 4x4 affine.

    Examples
    --------
    >>> apply_affine(np.diag([2, 3, 4, 1]), [[1, 1, 1], [0, 1, 2]])
    array([[2., 3., 4.],
           [0., 3., 8.]])
    """
    matrix = np.asarray(affine, dtype=float)
    return np.asarray(np.asarray(points, dtype=float) @ matrix[:3, :3].T + matrix[:3, 3])


def spacing(affine: ArrayLike) -> Floats:
    """Voxel size along each index axis (mm), shape (3,).

    Examples
    --------
    >>> spacing(np.diag([-2, 2, 3, 1]))
    array([2., 2., 3.])
    """
    return np.asarray(np.sqrt((np.asarray(affine, dtype=float)[:3, :3] ** 2).sum(axis=0)))


def axis_order(affine: ArrayLike) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Which index axis runs along each world axis, and whether it runs backwards.

    Of the six ways to pair index axes with world axes, the one with the largest sum of cosines is taken; the cosines
    are those of the nearest rotation, so that shear does not tip the choice.

    Returns
    -------
    axes : tuple of int
        ``axes[w]`` is the index axis nearest to world axis ``w``.
    flipped : tuple of bool
        ``flipped[w]`` is true where that index axis runs from right to left, anterior to posterior, or superior to
        inferior.

    Examples
    --------
    >>> axis_order([[0, -2, 0, 0], [2, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]])
    ((1, 0, 2), (True, False, False))
    """
    matrix = np.asarray(affine, dtype=float)
    left, _, right = np.linalg.svd(matrix[:3, :3] / spacing(matrix))
    cosines = np.round(left @ right, 9)
    orders = list(permutations(range(3)))
    best = max(orders, key=lambda order: sum(abs(cosines[w, a]) for w, a in enumerate(order)))
    flipped = [bool(cosines[w, a] < 0) for w, a in enumerate(best)]
    return (best[0], best[1], best[2]), (flipped[0], flipped[1], flipped[2])


def orientation(affine: ArrayLike) -> str:
    """The direction in which each index axis runs, as in ``nibabel.aff2axcodes``: "RAS", "LPI", ...

    Examples
    --------
    >>> orientation(np.diag([-3, 3, 3, 1]))
    'LAS'
    """
    axes, flipped = axis_order(affine)
    letters = [("RL", "AP", "SI")[w][flipped[w]] for w in range(3)]
    return "".join(letters[axes.index(a)] for a in range(3))


def obliquity(affine: ArrayLike) -> float:
    """The largest angle (degrees) between an index axis and its nearest world axis.

    Examples
    --------
    >>> obliquity(np.diag([2, 2, 2, 1]))
    0.0
    """
    matrix = np.asarray(affine, dtype=float)
    cosines = np.abs(matrix[:3, :3] / spacing(matrix)).max(axis=0)
    return float(np.degrees(np.arccos(np.clip(cosines, 0, 1))).max())


def canonical(shape: Sequence[int], affine: ArrayLike) -> tuple[tuple[int, int, int], tuple[slice, ...], Floats]:
    """The lossless way to closest RAS: the axis order, the flips and the new affine.

    ``data.transpose(order)[flips]`` with the new affine is the same volume in the same place, and its affine is
    right-handed with the smallest possible rotation.

    Examples
    --------
    >>> order, flips, affine = canonical((3, 4, 5), np.diag([-1, 1, 1, 1]))
    >>> order, flips[0], affine[0].tolist()
    ((0, 1, 2), slice(None, None, -1), [1.0, 0.0, 0.0, -2.0])
    """
    axes, flipped = axis_order(affine)
    step = np.zeros((4, 4))
    step[3, 3] = 1
    for w, axis in enumerate(axes):
        step[axis, w] = -1 if flipped[w] else 1
        step[axis, 3] = shape[axis] - 1 if flipped[w] else 0
    flips = tuple(slice(None, None, -1) if back else slice(None) for back in flipped)
    return axes, flips, np.asarray(affine, dtype=float) @ step


def corners(shape: Sequence[int], affine: ArrayLike) -> Floats:
    """The eight outer corners (mm) of a volume's voxels, shape (8, 3).

    Examples
    --------
    >>> corners((2, 2, 2), np.eye(4))[[0, -1]]
    array([[-0.5, -0.5, -0.5],
           [ 1.5,  1.5,  1.5]])
    """
    return apply_affine(affine, list(product(*[(-0.5, n - 0.5) for n in shape[:3]])))


def bounds(shape: Sequence[int], affine: ArrayLike) -> Floats:
    """The world box (mm) around a volume's outer voxel faces, shape (3, 2).

    Examples
    --------
    >>> bounds((2, 2, 2), np.diag([-1, 1, 1, 1])).tolist()
    [[-1.5, 0.5], [-0.5, 1.5], [-0.5, 1.5]]
    """
    points = corners(shape, affine)
    return np.stack([points.min(axis=0), points.max(axis=0)], axis=1)


def rescaled(affine: ArrayLike, shape: Sequence[int], new_shape: Sequence[int]) -> Floats:
    """The affine of the same outer box cut into `new_shape` voxels: the bounds stay, the spacing changes."""
    factor = np.asarray(shape[:3], float) / np.asarray(new_shape[:3], float)
    step = np.diag([*factor, 1.0])
    step[:3, 3] = (factor - 1) / 2
    return np.asarray(affine, dtype=float) @ step


def from_matvec(matrix: ArrayLike, vector: ArrayLike = (0, 0, 0)) -> Floats:
    """The 4x4 affine of a 3x3 matrix and a translation, as ``nibabel.affines.from_matvec``.

    Examples
    --------
    >>> from_matvec(np.diag([3, 4, 5]), [11, 12, 13])[0]
    array([ 3.,  0.,  0., 11.])
    """
    return np.vstack([np.column_stack([np.reshape(matrix, (3, 3)), np.reshape(vector, 3)]), (0.0, 0.0, 0.0, 1.0)])


def to_matvec(affine: ArrayLike) -> tuple[Floats, Floats]:
    """The 3x3 matrix and the translation of a 4x4 affine, as ``nibabel.affines.to_matvec``.

    Examples
    --------
    >>> matrix, vector = to_matvec(translation(1, 2, 3))
    >>> vector
    array([1., 2., 3.])
    """
    return np.array(affine, dtype=float)[:3, :3], np.array(affine, dtype=float)[:3, 3]


def translation(x: float = 0, y: float = 0, z: float = 0) -> Floats:
    """Move by (x, y, z).

    Examples
    --------
    >>> apply_affine(translation(x=5), (1, 1, 1))
    array([6., 1., 1.])
    """
    return from_matvec(np.eye(3), (x, y, z))


def rotation(axis: str, degrees: float) -> Floats:
    """Turn about the axis "x", "y" or "z" through the origin, by the right-hand rule.

    Examples
    --------
    >>> apply_affine(rotation("z", 90), (1, 0, 0)).round(9)
    array([0., 1., 0.])
    """
    n = _axis(axis)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return from_matvec(np.roll([[1, 0, 0], [0, cos, -sin], [0, sin, cos]], n, axis=(0, 1)))


def euler(x: float = 0, y: float = 0, z: float = 0) -> Floats:
    """Turn about z, then y, then x (degrees): ``rotation("x", x) @ rotation("y", y) @ rotation("z", z)``.

    The order of ``nibabel.eulerangles.euler2mat`` and of SPM's ``spm_matrix``, whose angles have the opposite sign.

    Examples
    --------
    >>> apply_affine(euler(x=90, z=90), (1, 0, 0)).round(9)
    array([0., 0., 1.])
    """
    return rotation("x", x) @ rotation("y", y) @ rotation("z", z)


def zooms(x: float = 1, y: float = 1, z: float = 1) -> Floats:
    """Stretch along the axes.

    Examples
    --------
    >>> apply_affine(zooms(2, 3, 4), (1, 1, 1))
    array([2., 3., 4.])
    """
    return np.diag([x, y, z, 1.0])


def reflection(axis: str) -> Floats:
    """Mirror across the origin along the axis "x" (left and right change sides), "y" or "z".

    Examples
    --------
    >>> apply_affine(reflection("x"), (-40, 10, 0))
    array([40., 10.,  0.])
    """
    return np.diag(np.where(np.arange(4) == _axis(axis), -1.0, 1.0))


def shears(xy: float = 0, xz: float = 0, yz: float = 0) -> Floats:
    """Lean x by `xy` times y and `xz` times z, and y by `yz` times z: SPM's last three parameters.

    Examples
    --------
    >>> apply_affine(shears(xy=0.5), (1, 2, 0))
    array([2., 2., 0.])
    """
    return np.array([[1, xy, xz, 0], [0, 1, yz, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=float)


def _axis(name: str) -> int:
    if name not in tuple(AXES):
        raise ValueError(f"axis must be x, y or z; got {name!r}")
    return AXES.index(name)
