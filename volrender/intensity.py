"""Arrays in, arrays out: what prepares intensities before they are drawn.

Nothing here knows affines or files. Every function accepts 3-D and 4-D arrays and returns a new array. Those that
rescale intensities let no NaN or infinity through; those that only move or pick voxels keep them. Small types are
computed in float32, the rest in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))


def as_float(a: ArrayLike) -> Array:
    """The array in the smallest float type that holds its values well: float32 for 16 bits and less."""
    array = np.asarray(a)
    if array.dtype.kind == "c":
        array = np.abs(array)
    small = array.dtype.kind in "biuf" and array.dtype.itemsize <= (4 if array.dtype.kind == "f" else 2)
    return array.astype(np.float32 if small else np.float64, copy=False)


def finite_range(a: ArrayLike) -> tuple[float, float]:
    """The smallest and largest finite value.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> finite_range([1.0, np.nan, 3.0, np.inf])
    (1.0, 3.0)
    """
    array = np.asarray(a)
    if array.size == 0:
        raise ValueError("the volume must have voxels; it is empty")
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        array = array[np.isfinite(array)]
        if array.size == 0:
            raise ValueError("the volume must have finite values; all are NaN or infinite")
        low, high = array.min(), array.max()
    return float(low), float(high)


def normalize(a: ArrayLike) -> Array:
    """Scale to 0..1: the smallest finite value becomes 0, the largest 1.

    Parameters
    ----------
    a : array_like
        Any real array.

    Returns
    -------
    ndarray
        A float array of the same shape; a constant array gives zeros, NaN gives 0, infinities give 0 and 1.

    Raises
    ------
    ValueError
        If there is no finite value.

    Examples
    --------
    >>> normalize([2, 4, 6])
    array([0. , 0.5, 1. ])
    """
    low, high = finite_range(a)
    return _ramp(a, low, high - low)


def window(a: ArrayLike, level: float, width: float) -> Array:
    """Radiology's window: `level` - `width`/2 becomes 0, `level` + `width`/2 becomes 1, beyond is clipped.

    Parameters
    ----------
    a : array_like
    level, width : float
        In data units.

    Returns
    -------
    ndarray
        Floats in 0..1; NaN gives 0.

    Examples
    --------
    >>> window([-1000, 40, 240, 3000], level=40, width=400)
    array([0. , 0.5, 1. , 1. ])
    """
    _numbers(level=level, width=width)
    if not (np.isfinite(level) and np.isfinite(width)) or width < 0:
        raise ValueError(f"a window needs a finite level and a width of 0 or more; got level {level}, width {width}")
    return _ramp(a, level - width / 2, width)


def _numbers(**given: Any) -> None:
    """Refuse what is no number, by its name."""
    for name, value in given.items():
        if not isinstance(value, (int, float, np.number)):
            raise TypeError(f"{name} must be a number; got {value!r}")


def _ramp(a: ArrayLike, low: float, width: float) -> Array:
    """0 at `low` and below, 1 at `low` + `width` and above; all 0 if the width is 0."""
    scaled = as_float(a) - low
    if width > 0:
        scaled /= width
    else:
        scaled[...] = 0
    return np.clip(np.nan_to_num(scaled, copy=False, nan=0.0, posinf=1.0, neginf=0.0), 0, 1, out=scaled)


def scale_by(a: ArrayLike, factor: float) -> Array:
    """Stretch the contrast about the mean: ``(a - mean(a)) * factor + mean(a)``; what is not finite becomes the mean.

    Examples
    --------
    >>> scale_by([0.0, 1.0], 2)
    array([-0.5,  1.5])
    """
    array = as_float(a)
    finite = np.isfinite(array)
    mean = array.mean(dtype=np.float64, where=finite) if finite.any() else 0.0
    return np.asarray((np.where(finite, array, mean) - mean) * factor + mean, dtype=array.dtype)


def contrast(a: ArrayLike, black: float = 0.1, gamma: float = 0.4, gain: float = 2.0) -> Array:
    """Cut the noise floor, lift the dark tones and stretch the contrast.

    The result is ``clip(scale_by(clip(normalize(a) - black, 0, 1)**gamma, gain) - black, 0, 1)``.

    Parameters
    ----------
    a : array_like
    black : float
        The part of the range that becomes black, 0..1.
    gamma : float
        The exponent; below 1 lifts dark tones.
    gain : float
        The stretch about the mean.

    Returns
    -------
    ndarray
        Floats in 0..1.

    Examples
    --------
    >>> contrast([0, 50, 100]).round(3)
    array([0.   , 0.736, 1.   ])
    """
    _numbers(black=black, gamma=gamma, gain=gain)
    if not (np.isfinite([black, gamma, gain]).all() and gamma > 0):
        raise ValueError(
            f"contrast needs finite numbers and a gamma above 0; got black {black}, gamma {gamma}, gain {gain}"
        )
    lifted = np.clip(normalize(a) - black, 0, 1) ** gamma
    return np.asarray(np.clip(scale_by(lifted, gain) - black, 0, 1))


def equalize(a: ArrayLike, bins: int = 256) -> Array:
    """Spread the values evenly over 0..1 by their rank; the lowest value, the background, stays 0 and is not counted.

    Examples
    --------
    >>> equalize([0, 0, 0, 1, 10, 100]).round(2)
    array([0.  , 0.  , 0.  , 0.33, 0.67, 1.  ])
    """
    array = normalize(a)
    inside = array > 0
    if not inside.any():
        return array
    counts, edges = np.histogram(array[inside], bins=bins, range=(0, 1))
    ranks = np.cumsum(counts) / counts.sum()
    spread = np.interp(array, (edges[:-1] + edges[1:]) / 2, ranks)
    return np.where(inside, spread, 0).astype(array.dtype)


def luma(a: ArrayLike) -> Array:
    """The brightness of colors (..., 3 or 4), weighted as the eye does (ITU-R BT.601); an alpha of 255 counts whole.

    Examples
    --------
    >>> luma([[255, 0, 0], [255, 255, 255]]).round(1)
    array([ 76.2, 255. ])
    """
    colors = as_float(a)
    bright = colors[..., :3] @ np.array([0.299, 0.587, 0.114], dtype=colors.dtype)
    return np.asarray(bright if colors.shape[-1] == 3 else bright * colors[..., 3] / 255)


def threshold(a: ArrayLike, level: float) -> Array:
    """Set to zero what lies between -`level` and `level`; NaN becomes zero too, infinities stay.

    Examples
    --------
    >>> threshold([-4, -1, 2, 5], 3)
    array([-4,  0,  0,  5])
    """
    _numbers(level=level)
    if not level >= 0:
        raise ValueError(f"the level of a threshold must be 0 or more, it holds on both sides of 0; got {level}")
    array = np.asarray(a)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(array.astype(float, copy=False)) >= level, array, np.zeros((), array.dtype))


def smooth(a: ArrayLike, sigma: Sequence[float]) -> Array:
    """Gaussian smoothing of the first three axes, `sigma` in voxels; voxels that are not finite are left out.

    Examples
    --------
    >>> smooth(np.eye(3)[None], (0, 0, 1)).shape
    (1, 3, 3)
    """
    array = as_float(a)
    sigmas = [*sigma, *[0.0] * (array.ndim - 3)]
    finite = np.isfinite(array)
    if finite.all():
        return np.asarray(scipy.ndimage.gaussian_filter(array, sigmas, mode="nearest"))
    weight = scipy.ndimage.gaussian_filter(finite.astype(array.dtype), sigmas, mode="nearest")
    filled = scipy.ndimage.gaussian_filter(np.where(finite, array, 0), sigmas, mode="nearest")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(weight > 1e-3, filled / weight, 0), dtype=array.dtype)


def downsize(a: ArrayLike, shape: Sequence[int], *, labels: bool = False) -> Array:
    """Cut the first three axes into fewer voxels over the same extent.

    Intensities are smoothed against aliasing and interpolated (``skimage.transform.resize``); labels take the value
    of the voxel at the new voxel's centre, so no value is invented.

    Parameters
    ----------
    a : array_like, shape (i, j, k[, t])
    shape : three ints
    labels : bool
        True for label maps.

    Returns
    -------
    ndarray, shape (*shape[, t])

    Examples
    --------
    >>> downsize(np.arange(8).reshape(1, 1, 8), (1, 1, 2), labels=True)
    array([[[2, 6]]])
    """
    from skimage.transform import resize

    array = np.asarray(a)
    new = tuple(int(n) for n in shape)
    if labels:
        picks = [np.floor((np.arange(n) + 0.5) * old / n).astype(int) for n, old in zip(new, array.shape, strict=False)]
        return array[np.ix_(*picks)]
    if array.ndim == 4:
        return np.stack([downsize(array[..., t], new) for t in range(array.shape[3])], axis=3)
    array = as_float(array)
    finite = np.isfinite(array)

    def fit(values: Array) -> Array:
        # resize's own default blur, (old / new - 1) / 2 voxels, removes what the coarser grid cannot hold.
        return np.asarray(resize(values, new, order=1, mode="edge", anti_aliasing=True, preserve_range=True))

    if finite.all():
        return fit(array)
    weight = fit(finite.astype(array.dtype))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(weight >= 0.5, fit(np.where(finite, array, 0)) / weight, np.nan), dtype=array.dtype)


def explode(a: ArrayLike) -> Array:
    """Put an empty voxel between every two: shape (n, m, p, ...) becomes (2n-1, 2m-1, 2p-1, ...).

    The first half of the exploded-voxel recipe for ``Axes3D.voxels``: with gaps between them, all faces are drawn.

    Examples
    --------
    >>> explode(np.ones((2, 1, 1)))[:, 0, 0]
    array([1., 0., 1.])
    """
    array = np.asarray(a)
    if array.ndim < 3:
        raise ValueError(f"explode needs an array of three or more axes; got shape {array.shape}")
    size = np.maximum(np.array(array.shape[:3]) * 2 - 1, 0)
    spread = np.zeros((*size, *array.shape[3:]), dtype=array.dtype)
    spread[::2, ::2, ::2] = array
    return spread


def expand_coordinates(indices: ArrayLike) -> tuple[Array, Array, Array]:
    """Close the gaps of an exploded grid: the corner coordinates to give to ``Axes3D.voxels``.

    Parameters
    ----------
    indices : array_like, shape (3, a, b, c)
        ``np.indices(np.array(filled.shape) + 1)`` for the exploded `filled`.

    Returns
    -------
    x, y, z : ndarray, shape (a, b, c)
        New arrays in which every second plane has moved by 1, so that a voxel is 2 wide and a gap 0.

    Examples
    --------
    >>> x, y, z = expand_coordinates(np.indices((4, 2, 2)))
    >>> x[:, 0, 0]
    array([0, 2, 2, 4])
    """
    grid = np.asarray(indices)
    if grid.ndim != 4 or len(grid) != 3:
        raise ValueError(f"expand_coordinates needs indices of shape (3, a, b, c); got shape {grid.shape}")
    x, y, z = (np.array(part) for part in grid)
    x[1::2, :, :] += 1
    y[:, 1::2, :] += 1
    z[:, :, 1::2] += 1
    return x, y, z
