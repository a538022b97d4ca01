"""Transforms: where the points of a volume go, in world millimetres, RAS+.

A `Transform` moves a volume. Its steps are 4x4 matrices and displacement fields, in the order in which they move it;
`apply` follows the volume's points to where they go, `pull` goes back from the points of the result to those of the
volume. Neighbouring matrices are multiplied, and data are sampled once, through the whole chain.

What programs write down differs. A matrix of world to world, FSL's flirt and FreeSurfer's LTA take the moving volume's
points to the fixed one's, as here. ITK and ANTs write the way back, from fixed to moving, in LPS; their files are
turned round as they are read, so that ANTs's transform puts the moving volume where antsApplyTransforms does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from volrender import affines, intensity, transform_files
from volrender.affines import Floats
from volrender.fields import Field
from volrender.transform_files import Step

POINTS_AT_ONCE = 2_000_000


class Grid(Protocol):
    """What has voxels and a place in the world, as a `Volume`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis."""

    @property
    def affine(self) -> Floats:
        """Index of a voxel's centre to world mm, RAS+."""


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Transform:
    """A movement of volumes and points: matrices and displacement fields, one after the other.

    Parameters
    ----------
    *steps : array_like, path, Field or Transform
        In the order in which they move a volume (the reverse of the ``-t`` of antsApplyTransforms); none is the
        identity. A 4x4 array takes the points (mm, RAS+) of the volume to where they go. A file is a 4x4 matrix as
        text or ``.npy``; ITK's ``.tfm``, ``.txt``, ``.mat`` or ``.h5``, affine, displacement field or composite; a
        displacement field as ANTs and ITK write it (``1Warp.nii.gz``, ``.mha``, ``.nrrd``); a deformation as SPM does
        (``y_T1.nii``); FreeSurfer's ``.lta``. FSL's matrices need their two images: see `fsl`.

    Attributes
    ----------
    steps : tuple
        Matrices and fields; neighbouring matrices are multiplied.
    name : str
        For the history of what it moves.
    space : str
        The space that it leads to, where that is known: that of the last step. `volrender.register` knows it from the
        fixed volume, a file and a matrix do not.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError, ValueError
        If a matrix is not 4x4, finite and invertible, or a file is not a transform; the sentence names the file.
    ModuleNotFoundError
        If an ``.h5`` is given and h5py is not installed.

    Examples
    --------
    First to the right by 10 mm, then about z by a quarter turn:

    >>> from volrender import space
    >>> move = Transform(space.translation(x=10), space.rotation("z", 90))
    >>> move.apply((0, 0, 0)).round(6)
    array([ 0., 10.,  0.])
    >>> move.inverse.apply((0, 10, 0)).round(6)
    array([0., 0., 0.])

    As with matrices, ``a @ b`` is first `b`, then `a`:

    >>> a, b = Transform(space.translation(x=10)), Transform(space.rotation("z", 90))
    >>> (a @ b).apply((1, 0, 0)).round(6)
    array([10.,  1.,  0.])
    """

    steps: tuple[Step, ...]
    name: str = field(default="")
    space: str = field(default="")

    __array_ufunc__ = None  # so that an array @ a transform comes here

    def __init__(self, *steps: Any) -> None:
        chain: list[Step] = []
        names: list[str] = []
        space = ""
        for given in steps:
            parts, name = _steps(given)
            names.append(name)
            if parts:
                space = given.space if isinstance(given, Transform) else ""
            for part in parts:
                if chain and not isinstance(part, Field) and not isinstance(chain[-1], Field):
                    chain[-1] = affines.as_affine(part @ chain[-1])
                else:
                    chain.append(part)
        object.__setattr__(self, "steps", tuple(chain))
        object.__setattr__(self, "name", ", ".join(names))
        object.__setattr__(self, "space", space)

    def __repr__(self) -> str:
        kinds = ["field" if isinstance(step, Field) else "affine" for step in self.steps]
        return f"<Transform {self.name or 'identity'}: {', then '.join(kinds) or 'affine'}>"

    def __matmul__(self, other: Any) -> Transform:
        return Transform(other, self)

    def __rmatmul__(self, other: Any) -> Transform:
        return Transform(self, other)

    @property
    def is_affine(self) -> bool:
        """Whether one matrix says it all."""
        return not any(isinstance(step, Field) for step in self.steps)

    @property
    def matrix(self) -> Floats:
        """The 4x4 matrix of an affine transform: points (mm, RAS+) of the volume to where they go."""
        for step in self.steps:  # neighbouring matrices are multiplied: the first is the only one
            if not self.is_affine or isinstance(step, Field):
                raise ValueError(f"a transform with a displacement field has no matrix; got {self!r}")
            return step
        return np.eye(4)

    @property
    def inverse(self) -> Transform:
        """The way back, of an affine transform."""
        if not self.is_affine:
            raise ValueError(
                "the inverse of a displacement field is a field of its own: "
                f"give the file of the inverse (ANTs writes 1InverseWarp.nii.gz); got {self!r}"
            )
        return Transform(np.linalg.inv(self.matrix))

    def named(self, name: str, space: str | None = None) -> Transform:
        """The same transform, with another name for the history of what it moves, or to another space."""
        same = Transform(*self.steps)
        object.__setattr__(same, "name", name)
        object.__setattr__(same, "space", self.space if space is None else space)
        return same

    def apply(self, points_xyz: ArrayLike) -> Floats:
        """Where points (..., 3) of the volume go, in mm; NaN where a displacement field folds and has no answer."""
        points = np.asarray(points_xyz, dtype=float)
        for step in self.steps:
            points = step.push(points) if isinstance(step, Field) else affines.apply_affine(step, points)
        return points

    def pull(self, points_xyz: ArrayLike) -> Floats:
        """Where the values at points (..., 3) of the result come from, in mm."""
        points = np.asarray(points_xyz, dtype=float)
        for step in reversed(self.steps):
            points = step.pull(points) if isinstance(step, Field) else affines.apply_affine(np.linalg.inv(step), points)
        return points

    @staticmethod
    def fsl(path: str | os.PathLike[str], moving: Grid, reference: Grid) -> Transform:
        """The matrix that FSL's flirt writes (``-omat``), with the two volumes between which it was made.

        FSL measures from the first voxel, in millimetres, along a left-handed (radiological) first axis: without
        the grids of its ``-in`` and ``-ref`` images, its numbers say nothing about the world.

        Parameters
        ----------
        path : path
            4x4 numbers as text.
        moving, reference : Volume
            The ``-in`` and the ``-ref`` of flirt.

        Returns
        -------
        Transform
            It moves `moving` onto `reference`.
        """
        for grid in (moving, reference):
            if not (hasattr(grid, "shape") and hasattr(grid, "affine")):
                raise TypeError(f"Transform.fsl needs two Volumes, from volrender.load(...); got {type(grid).__name__}")
        matrix = transform_files.fsl_matrix(path)
        push = reference.affine @ np.linalg.inv(_fsl_mm(reference)) @ matrix @ _fsl_mm(moving)
        return Transform(push @ np.linalg.inv(moving.affine)).named(Path(path).name)


Movement: TypeAlias = Transform | ArrayLike | str | os.PathLike[str]


def _steps(given: Any) -> tuple[Sequence[Step], str]:
    """The checked steps of whatever is taken for a transform, and its name for the history."""
    if isinstance(given, Transform):
        return given.steps, given.name or "identity"
    if isinstance(given, Field):
        return (given,), "displacement field"
    if isinstance(given, (str, os.PathLike)):
        return transform_files.read(given), Path(given).name
    try:
        matrix = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"a transform must be a 4x4 matrix, a path or a Transform; got {given!r}") from None
    return (affines.as_affine(matrix),), "4x4 matrix"


def _fsl_mm(grid: Grid) -> Floats:
    """Index to FSL's millimetres: voxel sizes, the first axis turned round if the grid is right-handed."""
    i, j, k = affines.spacing(grid.affine)
    scaled = affines.zooms(i, j, k)
    if np.linalg.det(grid.affine[:3, :3]) > 0:
        return affines.translation(x=(grid.shape[0] - 1) * i) @ affines.reflection("x") @ scaled
    return scaled


def resample(
    data: NDArray[Any], affine: Floats, target: Grid, transform: Transform, *, labels: bool = False
) -> NDArray[Any]:
    """The values of a moved volume at the voxel centres of `target`, sampled once.

    Parameters
    ----------
    data : ndarray, shape (i, j, k[, t])
    affine : ndarray, shape (4, 4)
        Of the data, before they move.
    target : Volume
        Whose grid is filled.
    transform : Transform
    labels : bool
        Take the nearest voxel's value; else linear between voxels, in float32 or float64. Voxels that are not
        finite are left out; where they weigh half and more, the result is NaN. Zero outside the data.

    Returns
    -------
    ndarray, shape (target's i, j, k[, t])
    """
    if data.ndim == 4:
        frames = [resample(data[..., t], affine, target, transform, labels=labels) for t in range(data.shape[3])]
        return np.stack(frames, axis=3)
    if labels:
        return _look_up(data, affine, target, transform, 0, 0)
    values = intensity.as_float(data)
    finite = np.isfinite(values)
    if finite.all():
        return _look_up(values, affine, target, transform, 1, 0)
    weight = _look_up(finite.astype(values.dtype), affine, target, transform, 1, 1)
    filled = _look_up(np.where(finite, values, 0), affine, target, transform, 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(weight >= 0.5, filled / weight, np.nan), dtype=values.dtype)


def _look_up(
    data: NDArray[Any], affine: Floats, target: Grid, transform: Transform, order: Literal[0, 1], outside: float
) -> NDArray[Any]:
    to_index = np.linalg.inv(affine)
    shape = target.shape[:3]
    if transform.is_affine:
        matrix = to_index @ np.linalg.inv(transform.matrix) @ target.affine
        return np.asarray(
            scipy.ndimage.affine_transform(
                data, matrix[:3, :3], matrix[:3, 3], output_shape=shape, order=order, cval=outside, prefilter=False
            )
        )
    out = np.empty(shape, dtype=data.dtype)
    slab = max(1, POINTS_AT_ONCE // max(1, shape[1] * shape[2]))
    for first in range(0, shape[0], slab):
        part = out[first : first + slab]
        ijk = np.moveaxis(np.indices(part.shape), 0, -1) + (first, 0, 0)
        index = affines.apply_affine(to_index, transform.pull(affines.apply_affine(target.affine, ijk)))
        scipy.ndimage.map_coordinates(data, np.moveaxis(index, -1, 0), part, order, cval=outside, prefilter=False)
    return out
