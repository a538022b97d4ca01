"""Nonlinear registration by mutual information: the displacement field that bends one volume onto another.

Arrays and affines in, a field out. Every voxel is drawn along the gradient of the moved volume to where the two values
go together more often; the forces are smoothed, as in a viscous fluid, and followed in small steps for as long as the
mutual information grows, from a coarse grid to the finest.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from volrender import affines, intensity
from volrender.affines import Floats
from volrender.fields import Field

BINS = 48
STEPS = 40  # at each level
LARGEST_STEP = 0.5  # voxels


def bend(
    fixed: NDArray[np.float32],
    fixed_affine: Floats,
    moving: NDArray[np.float32],
    moving_affine: Floats,
    *,
    stiffness: float,
    levels: list[int],
    report: Callable[[float], object],
) -> Field:
    """The field on the fixed volume's grid that bends the moving volume onto it.

    Parameters
    ----------
    fixed, moving : ndarray, shape (i, j, k)
        Finite values.
    fixed_affine, moving_affine : ndarray, shape (4, 4)
        The moving one's after whatever has brought it near.
    stiffness : float
        Full width at half maximum (mm) of the smoothing of the forces.
    levels : list of int
        By how much the grid is coarser, from coarse to fine.
    report : callable
        Told the part that is done, 0 to 1.

    Returns
    -------
    Field

    References
    ----------
    .. [1] E. D'Agostino et al., A viscous fluid model for multimodal non-rigid image registration using mutual
       information. Medical Image Analysis 7 (2003) 565-575.
    """
    field = Field(np.zeros((1, 1, 1, 3), np.float32), fixed_affine)
    for n, factor in enumerate(levels):
        shape = tuple(max(1, round(size / factor)) for size in fixed.shape)
        affine = affines.rescaled(fixed_affine, fixed.shape, shape)
        coarse = fixed if factor == 1 else intensity.downsize(fixed, shape)
        blur = 0.5 * (factor > 1) * affines.spacing(affine) / affines.spacing(moving_affine)
        level = _Level(coarse, affine, ndimage.gaussian_filter(moving, blur), moving_affine, stiffness)
        field = Field(level.climb(field, partial(in_part, report, n, len(levels))), affine)
    return field


def in_part(report: Callable[[float], object], part: int, parts: int, done: float) -> None:
    """Tell how much of the whole is done, from what is done of one of its parts."""
    report((part + done) / parts)


class _Level:
    """One resolution: the two volumes, and the grid of the fixed one."""

    def __init__(
        self,
        fixed: NDArray[np.float32],
        affine: Floats,
        moving: NDArray[np.float32],
        moving_affine: Floats,
        stiffness: float,
    ) -> None:
        self.fixed_bins = _in_bins(fixed)
        self.moving, self.range = moving, intensity.finite_range(moving)
        self.xyz = affines.apply_affine(affine, np.moveaxis(np.indices(fixed.shape), 0, -1))
        self.to_moving = np.linalg.inv(moving_affine)
        self.to_world = np.linalg.inv(affine[:3, :3])
        self.voxel = float(affines.spacing(affine).min())
        self.sigma = stiffness / intensity.FWHM_PER_SIGMA / affines.spacing(affine)

    def climb(self, field: Field, report: Callable[[float], object]) -> Floats:
        """Follow the forces, by half the step each time that the mutual information has not grown."""
        best = field.displacement(self.xyz)
        information, force = self._look(best)
        step = LARGEST_STEP * self.voxel
        for n in range(STEPS):
            if step < 0.05 * self.voxel:
                break
            tried = best + step * force
            found, next_force = self._look(tried)
            if found > information:
                best, information, force = tried, found, next_force
            else:
                step /= 2
            report((n + 1) / STEPS)
        return best

    def _look(self, displacement: Floats) -> tuple[float, Floats]:
        """The mutual information (nats) under a displacement, and the smoothed forces, the strong ones of length 1."""
        index = np.moveaxis(affines.apply_affine(self.to_moving, self.xyz + displacement), -1, 0)
        moved = ndimage.map_coordinates(self.moving, index, order=1, mode="nearest", prefilter=False)
        far = np.array(self.moving.shape).reshape(3, 1, 1, 1) - 0.5
        seen = np.asarray(((index >= -0.5) & (index <= far)).all(axis=0))
        bins = _in_bins(moved, self.range)
        information, slope = _mutual_information(self.fixed_bins, bins, seen)
        pull = ndimage.map_coordinates(
            slope, np.stack([self.fixed_bins, bins]), order=1, mode="nearest", prefilter=False
        )
        slopes: list[NDArray[Any]] = [np.asarray(np.gradient(moved, axis=a)) for a in range(3)]
        gradient = np.stack(slopes, axis=-1) @ self.to_world
        force = np.where(seen[..., None], pull[..., None] * gradient, 0)
        force = ndimage.gaussian_filter(force, (*self.sigma, 0), mode="constant")
        length = np.linalg.norm(force, axis=-1, keepdims=True)
        strong = float(np.percentile(length, 99))
        return information, force / np.maximum(length, strong or 1.0)


def _in_bins(values: NDArray[np.float32], span: tuple[float, float] | None = None) -> Floats:
    """Values as places along an axis of the joint histogram."""
    low, high = span or intensity.finite_range(values)
    return np.clip((values.astype(float) - low) / max(high - low, 1e-12), 0, 1) * (BINS - 1)


def _mutual_information(fixed: Floats, moved: Floats, seen: NDArray[np.bool_]) -> tuple[float, Floats]:
    """The mutual information of two binned volumes, and how it grows with the moved value in each pair of bins."""
    edges = np.arange(BINS + 1) - 0.5
    counts, _, _ = np.histogram2d(fixed[seen], moved[seen], bins=(edges, edges))
    joint = ndimage.gaussian_filter(counts, 1.0, mode="nearest") + 1e-9
    joint /= joint.sum()
    by_fixed, by_moved = joint.sum(axis=1, keepdims=True), joint.sum(axis=0, keepdims=True)
    information = float((joint * np.log(joint / (by_fixed * by_moved))).sum())
    return information, np.asarray(np.gradient(np.log(joint / by_moved), axis=1))
