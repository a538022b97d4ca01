"""Levels of a volume's values: numbers, percentiles, Otsu's threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender import space
from volrender.volume import Volume


def as_level(level: Any, volume: Volume, *, both: bool = False) -> float:
    """A level in data units from a number, "otsu", or a percentile of all finite values such as "95%".

    Those of a map that is shown on `both` sides of 0 are of how far its values are from 0.

    Raises
    ------
    ValueError
        If it is another text, a percentile beyond 0 to 100, or Otsu's of a volume with one value.

    Examples
    --------
    >>> as_level("50%", Volume(np.arange(27.0).reshape(3, 3, 3), np.eye(4)))
    13.0
    """
    if not isinstance(level, str):
        return space.finite(level, "level")
    values = volume.data[np.isfinite(volume.data)]
    values = np.abs(values.astype(np.float64)) if both else values
    if level == "otsu":
        return _otsu(values, volume.name)
    try:
        percent = float(level.removesuffix("%")) if level.endswith("%") else np.nan
    except ValueError:
        percent = np.nan
    if not 0 <= percent <= 100:
        raise ValueError(f"level must be a number, 'otsu', or a percentile from '0%' to '100%'; got {level!r}")
    return float(np.percentile(values, percent))


def as_threshold(level: Any, volume: Volume) -> float:
    """The level of an `Intensity`: beyond it, on either side of 0 for a signed map, there must be values."""
    if volume.kind == "rgb":
        raise TypeError(f"Intensity of {volume.name!r} takes no level: its voxels are colors")
    survey, value = volume.survey, as_level(level, volume, both=volume.survey.signed)
    low, high = (0.0, max(-survey.low, survey.high)) if survey.signed else (survey.low, survey.high)
    if not low <= value <= high:
        sides = " on either side of 0" if survey.signed else ""
        name = volume.name or "the volume"
        raise ValueError(f"level must lie within the data of {name}, {low:g} to {high:g}{sides}; got {value:g}")
    return value


def _otsu(values: NDArray[Any], name: str) -> float:
    """Otsu's threshold, a few outliers aside; of a gap between the classes, the middle."""
    from skimage.filters import threshold_otsu

    values = values.astype(np.float64)
    if np.ptp(values) == 0:
        raise ValueError(f"Otsu's level needs two values; {name or 'the volume'} has one, {values[0]:g}")
    low, high = np.percentile(values, (0.01, 99.99))
    kept = values.clip(low, high) if high - low > 1e-9 * np.ptp(values) else values
    level = float(threshold_otsu(kept))
    return float(values[values <= level].max() + values[values > level].min()) / 2
