"""Which cubes of a grid are seen, and in what order they hide each other.

All in index space, where every grid is one of unit cubes whatever its affine: a projection is only an eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HIDDEN = 1 / 4096
GRAZING = 0.02
OPAQUE = 0.996
STEPS = np.array([(-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)])  # to the cubes at six sides
SEAM = 0.75**4  # of the light: what passes where the smooth corners of four faces meet in a pixel, a quarter each


@dataclass(frozen=True)
class Sight:
    """Where cubes are seen from: the eye's homogeneous index (i, j, k, w); a direction, w = 0, if it is far off."""

    eye: NDArray[np.float64]

    @classmethod
    def from_afar(cls, affine: NDArray[np.float64], toward: NDArray[np.float64]) -> Sight:
        """In parallel projection, from a world direction."""
        return cls(np.r_[np.linalg.inv(affine[:3, :3]) @ toward, 0.0])

    @classmethod
    def through(cls, to_screen: NDArray[np.float64]) -> Sight:
        """The eye of a projection (4, 4) of index space onto a screen whose depth grows away from it.

        It is the point that the screen does not know where to show: x = y = w = 0.
        """
        eye = np.linalg.svd(to_screen[[0, 1, 3]])[2][3]
        if abs(eye[3]) > 1e-9 * np.abs(eye[:3]).max():
            return cls(eye / eye[3])
        return cls(np.r_[eye[:3] * -np.sign(to_screen[2, :3] @ eye[:3]), 0.0])

    def steps(self, shape: Sequence[int]) -> list[NDArray[np.int16]]:
        """Along each index axis, for each voxel, how many voxels it lies behind the nearest in sight; signed toward
        the eye.
        """
        along: list[NDArray[np.int16]] = []
        for n, position in zip(shape, self.eye):
            index = np.arange(n)
            if self.eye[3] == 0:
                sign = int(np.sign(np.round(position / np.abs(self.eye[:3]).max(), 6)))
                away = sign * (np.where(sign > 0, n - index, index + 1) if sign else 0 * index)
            else:
                away = position - index
                far = np.ceil(np.abs(away) - 0.5)
                away = np.sign(away) * (far - max(far.min() - 1, 0))
            along.append(away.astype(np.int16))
        return along

    def facing(self, index: NDArray[Any], half: float) -> NDArray[np.bool_]:
        """Which of the six faces of cubes at `index` (n, 3) look at the eye: (n, 6), or (1, 6) from afar."""
        if self.eye[3] == 0:
            away = self.eye[None, :3] / np.abs(self.eye[:3]).max()
            sides = np.stack([away < -1e-6, away > 1e-6], axis=-1)
        else:
            away = self.eye[:3] - index
            sides = np.stack([away < -half, away > half], axis=-1)
        return sides.reshape(-1, 6)

    def order(self, alpha: NDArray[np.float32], explode: float) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Flat indices of the cubes that can be seen, far ones first, and where in that order each wave ends.

        A cube can hide another only if along no axis the other is nearer to the eye; so the sum of steps sorts them,
        whatever their shape. Through gaps everything may be seen.
        """
        steps = self.steps(alpha.shape)
        kept = alpha > 0
        if explode == 0:
            seen = visible(alpha, steps)
            for axis in np.flatnonzero(self._edge_on(alpha.shape)):
                seen |= np.roll(seen, 1, axis) | np.roll(seen, -1, axis)
            kept &= seen
        chosen = np.flatnonzero(kept).astype(np.int32)
        wave = -_wave(steps).ravel()[chosen]
        order = np.argsort(wave, kind="stable")
        return chosen[order], np.append(np.flatnonzero(np.diff(wave[order])) + 1, len(order))

    def _edge_on(self, shape: Sequence[int]) -> NDArray[np.bool_]:
        """Along which axes (3,) voxels are seen edge on: a pixel may show the rows on both sides of an edge."""
        if self.eye[3] == 0:
            return np.asarray(np.abs(self.eye[:3]) < GRAZING * np.abs(self.eye[:3]).max())
        return np.asarray((self.eye[:3] > -1) & (self.eye[:3] < shape))


def _wave(steps: Sequence[NDArray[np.int16]]) -> NDArray[np.int16]:
    """How many voxels lie between each voxel and the eye (i, j, k), along all axes together."""
    i, j, k = (np.abs(along) for along in steps)
    return np.asarray(i[:, None, None] + j[:, None] + k)


def visible(alpha: NDArray[np.float32], steps: Sequence[NDArray[np.int16]]) -> NDArray[np.bool_]:
    """Of which voxels something can be seen, `steps` voxels away from the eye along each axis (`Sight.steps`).

    A ray toward the eye leaves a cube through one of its near faces and crosses two faces of the cube there, so the
    light that gets out of a cube is at most the largest, over its near neighbours, of what gets out of the neighbour
    times (1 - alpha) squared. Along the seams of nearly opaque cubes more comes through, of opaque ones, of which only
    near faces are drawn, past one face. Swept in waves away from the eye; below 1/4096 nothing is seen, nor of an
    opaque cube whose near neighbours are opaque.
    """
    solid = np.pad(alpha >= OPAQUE, 1)
    through = np.pad((1 - alpha.clip(0, 1)) ** 2, 1, constant_values=1.0)
    through = np.maximum(through, np.where(solid, SEAM, SEAM**2)).astype(np.float32)
    light = np.ones_like(through)
    strides = [stride // light.itemsize for stride in light.strides]
    wave = _wave(steps).ravel()
    order = np.argsort(wave, kind="stable").astype(np.int32)
    ends = np.flatnonzero(np.diff(wave[order])) + 1
    out, passing, wall = light.ravel(), through.ravel(), solid.ravel()
    covered = wall.copy()
    signs = [np.sign(along).astype(np.int32) for along in steps]
    for part in np.split(order, ends):
        index = np.unravel_index(part, alpha.shape)
        at = np.add.reduce([(i + 1) * stride for i, stride in zip(index, strides)])
        best = np.zeros(len(part), dtype=light.dtype)
        inside = np.ones(len(part), dtype=bool)
        for i, sign, stride in zip(index, signs, strides):
            toward = sign[i]
            near = at + toward * stride
            best = np.maximum(best, np.where(toward, out[near] * passing[near], 0))
            covered[at] &= (toward == 0) | wall[near]
            inside &= toward == 0
        out[at] = np.where(inside, 1, best)
    seen = (light > HIDDEN) & ~covered.reshape(light.shape)
    return np.asarray(seen[1:-1, 1:-1, 1:-1])


def open_faces(
    solid: NDArray[np.bool_], index: NDArray[Any], facing: NDArray[np.bool_], explode: float
) -> NDArray[np.bool_]:
    """Which of the six faces (n, 6) of cubes at `index` (n, 3) are drawn: of an opaque one, not those that look away,
    nor those that touch another opaque one. `solid` has a border of one.
    """
    i, j, k = (index + 1).T
    own = solid[i, j, k][:, None]
    kept = facing | ~own
    if explode == 0 and own.any():
        kept &= ~(own & np.stack([solid[i + a, j + b, k + c] for a, b, c in STEPS], axis=1))
    return np.asarray(kept)
