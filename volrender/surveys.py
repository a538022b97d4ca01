"""What a volume's values are like: the range without outliers, the level of the air, whether it is a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender.intensity import finite_range

SURVEYED = 2_000_000
ENCLOSED = 300_000
NEGATIVE = 0.95  # of the voxels of a map are not 0
PEAKS = 2.0, 99.8  # percentiles of what is the brightest on each ray
MANY = 0.3  # of them, too many to be outliers
THRESHOLDED = 0.05  # of the robust top: a gap from 0 to the smallest value that is wider is a threshold


@dataclass(frozen=True)
class Survey:
    """What a volume's values are like.

    Attributes
    ----------
    low, high : float
        The finite range.
    robust : (float, float)
        The range without outliers: percentile 2 of the subject with its dark insides, and 99.8 of the foreground.
    floor : float
        The lowest value without outliers: percentile 0.5 of all.
    air : float
        The level (data units) that parts background from foreground: Otsu's threshold, halved toward the background.
    signed : bool
        Whether values lie on both sides of a zero that means "nothing", as in a statistical map.
    smallest : float
        The smallest magnitude other than 0: the level of a map that has been thresholded.
    background : float
        The background's own level: the median of what is below Otsu's threshold.
    hollow : bool
        Whether a value of exactly 0 is the absence of one: in a signed map, and in one that was thresholded.
    """

    low: float
    high: float
    robust: tuple[float, float]
    floor: float
    air: float
    signed: bool
    smallest: float
    background: float
    hollow: bool = False


def survey(data: NDArray[Any]) -> Survey:
    """Look over a volume's values (a regular subsample of at most two million).

    Raises
    ------
    ValueError
        If no value is finite.

    Examples
    --------
    >>> survey(np.arange(1000.0).reshape(10, 10, 10)).signed
    False
    """
    low, high = finite_range(data)
    looked_at = thinned(data)
    values = looked_at[np.isfinite(looked_at)].astype(np.float64)
    if values.size == 0 or values.min() == values.max():  # a few bright voxels can slip through the subsample
        values = data[np.isfinite(data)].astype(np.float64)
    if high - low <= max(1e-12 * max(abs(low), abs(high)), 1e-300):
        return Survey(low, high, (low, high), low, low, False, abs(low), low)
    background, air = _background(values)
    front = values[values > air] if (values > air).any() else values
    nonzero = values[values != 0]
    smallest, top = float(np.abs(nonzero).min()), float(np.percentile(np.abs(nonzero), 99.8))
    whole = bool((values[:: max(1, values.size // 4096)] % 1 == 0).all())
    # An image that was resampled with splines undershoots a little below 0: both sides must have weight.
    below, above = np.percentile(nonzero, (0.5, 99.5)).tolist()
    signed = not whole and min(-below, above) > 0.1 * top >= abs(float(np.median(values)))
    # Nothing above 0 and much at exactly 0: the one side of a map.
    signed = signed or (not whole and high == 0 and nonzero.size < NEGATIVE * values.size)
    first, last = float(np.percentile(_subject(looked_at, air), 2)), float(np.percentile(front, 99.8))
    robust = (-top, top) if signed else (first, last) if first < last else (low, high)
    floor = min(float(np.percentile(values, 0.5)), robust[0])
    hollow = signed or (not whole and nonzero.size < values.size and smallest > THRESHOLDED * top)
    return Survey(low, high, robust, floor, air, signed, smallest, background, hollow)


def _subject(data: NDArray[Any], air: float) -> NDArray[Any]:
    """The values in front of the background and, as in a head, of what has such values on all six sides."""
    some = thinned(data, ENCLOSED)
    inside = np.isfinite(some) & enclosed(some > air)
    return np.asarray(some[inside] if inside.any() else data[np.isfinite(data)], dtype=np.float64)


def thinned(data: NDArray[Any], most: int = SURVEYED) -> NDArray[Any]:
    """A regular subsample of at most about so many voxels."""
    step = int(np.ceil((data.size / most) ** (1 / data.ndim)))
    return data[(slice(None, None, step),) * data.ndim]


def enclosed(front: NDArray[np.bool_], axes: int = 3) -> NDArray[np.bool_]:
    """What is in front, and what has that on both sides along so many axes."""
    inside = np.zeros(front.shape, dtype=np.uint8)
    for axis in range(min(front.ndim, 3)):
        behind = np.logical_or.accumulate(front, axis=axis)
        before = np.flip(np.logical_or.accumulate(np.flip(front, axis), axis=axis), axis)
        inside += behind & before
    return inside >= min(front.ndim, axes)


def _background(values: NDArray[np.float64]) -> tuple[float, float]:
    """The background's own level, and half way from it to Otsu's threshold (Otsu, IEEE Trans. SMC 9, 1979)."""
    low, high = np.percentile(values, (0.01, 99.99))
    if high - low > 1e-9 * np.ptp(values):  # a few hot voxels would press all tissue into one bin
        values = np.clip(values, low, high)
    counts, edges = np.histogram(values, bins=256)
    centers = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    total = np.cumsum(counts * centers)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = below * above * (total / below - (total[-1] - total) / above) ** 2
    otsu = centers[apart > (1 - 1e-9) * np.nanmax(apart[:-1])].mean()  # of a gap between two peaks, the middle
    background = float(np.median(values[values <= otsu]))
    return background, float(background + 0.5 * (otsu - background))


def projected(data: NDArray[Any], air: float) -> tuple[float, float] | None:
    """The robust range of what a maximum projection shows, seen along the axes of (i, j, k); None if it is one value.

    Nearly all rays through a body meet something bright: on the range of its voxels the picture would be of one tone.
    """
    peaks = np.concatenate([np.fmax.reduce(data, axis=axis).ravel() for axis in range(3)])
    front = peaks[np.isfinite(peaks) & (peaks > air)]
    low, high = np.percentile(front, PEAKS) if front.size else (0.0, 0.0)
    if low < high and np.mean(front <= low) > MANY:
        low = air  # of few values the lowest is no outlier: it is to be seen
    return (float(low), float(high)) if low < high else None
