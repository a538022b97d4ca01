"""Displacement fields: a vector in millimetres at each voxel of a grid of its own.

A field is written from where the values are going to lie: the value at the point y of the result is the one that lay
at y + u(y), so fields are read backwards ("pull"), in one look-up. Where a point of the volume goes ("push") is
found by iteration. Vectors are in world millimetres, RAS+, as everything else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from volrender import affines
from volrender.affines import Floats

MOST_STEPS = 100
CLOSE = 1e-3  # mm: how near a pushed point must come back to where it started


@dataclass(frozen=True, eq=False, repr=False)
class Field:
    """A displacement field.

    Parameters
    ----------
    vectors : array_like, shape (i, j, k, 3)
        Displacements (mm, RAS+) at the voxel centres; linear between them, zero outside the grid's outer faces, as
        in ITK.
    affine : array_like, shape (4, 4)
        Index of a voxel's centre to world mm, RAS+.

    Examples
    --------
    >>> field = Field(np.full((3, 3, 3, 3), (5, 0, 0)), np.eye(4))
    >>> field.pull([[1, 1, 1], [9, 9, 9]])
    array([[6., 1., 1.],
           [9., 9., 9.]])
    """

    vectors: NDArray[np.floating[Any]]
    affine: Floats

    def __post_init__(self) -> None:
        vectors = np.asarray(self.vectors)
        if vectors.ndim != 4 or vectors.shape[3] != 3 or 0 in vectors.shape:
            raise ValueError(f"a displacement field must have shape (i, j, k, 3); got {vectors.shape}")
        vectors = vectors.astype(np.float32)  # a copy: the field does not change with the array it came from
        if not np.isfinite(vectors).all():
            raise ValueError("a displacement field must be finite; got NaN or infinity")
        vectors.setflags(write=False)
        object.__setattr__(self, "vectors", vectors)
        object.__setattr__(self, "affine", affines.as_affine(self.affine))

    def __repr__(self) -> str:
        return f"<Field {' x '.join(map(str, self.vectors.shape[:3]))}>"

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the vectors and the affine."""
        total = hashlib.sha256(f"{self.vectors.shape} {self.affine.tolist()}".encode())
        total.update(np.ascontiguousarray(self.vectors).data)
        return total.hexdigest()

    def displacement(self, points_xyz: ArrayLike) -> Floats:
        """The vectors u (mm) at points (..., 3)."""
        points = affines.apply_affine(np.linalg.inv(self.affine), points_xyz)
        far = np.array(self.vectors.shape[:3]) - 0.5
        inside = np.asarray(((points >= -0.5 - 1e-6) & (points <= far + 1e-6)).all(axis=-1, keepdims=True))
        index = points.reshape(-1, 3).T
        parts = [scipy.ndimage.map_coordinates(self.vectors[..., w], index, float, 1, "nearest") for w in range(3)]
        return np.where(inside, np.stack(parts, axis=-1).reshape(points.shape), 0.0)

    def pull(self, points_xyz: ArrayLike) -> Floats:
        """Where the values at points (..., 3) of the result come from."""
        points = np.asarray(points_xyz, dtype=float)
        return points + self.displacement(points)

    def push(self, points_xyz: ArrayLike) -> Floats:
        """Where points (..., 3) of the volume go; NaN where the field folds or tears, so that no answer is found."""
        points = np.asarray(points_xyz, dtype=float)
        reached = points - self.displacement(points)
        for _ in range(MOST_STEPS):
            error = self.pull(reached) - points
            if (np.abs(error) < CLOSE / 10).all():
                break
            reached = reached - error
        off = np.abs(self.pull(reached) - points).max(axis=-1, keepdims=True)
        return np.where(off < CLOSE, reached, np.nan)
