"""What values look like, as tables over a field's 0 to 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from volrender.color import BODY
from volrender.draw.rays.scenery import TONES, Pool, Tables
from volrender.layers import Intensity, takes_both_signs
from volrender.looks import interpolate

SOLID = 40.0  # extinction over one voxel of what is opaque
FINER = 8  # parts of a table's entry that its integral is summed over
PLACES = np.linspace(0, 1, TONES)


def values(layer: Intensity) -> Tables:
    """The data values of the entries; those of a minimum projection fall."""
    low, high = layer.look.span(layer.blend)
    rising = np.linspace(low, high, TONES)
    return rising[::-1] if layer.blend == "minimum" else rising


def tones(layer: Intensity) -> Tables:
    """Colors (TONES, 3); of a body whose colormap was not chosen one tone."""
    if not layer.look.chosen and layer.blend == "composite":
        return np.tile(np.array(BODY), (TONES, 1))
    return layer.look.rgb(values(layer)).astype(np.float64)


def alphas(layer: Intensity) -> Tables:
    """Opacities of a projection."""
    return interpolate(values(layer), layer.look.blended(layer.blend))


def zero(layer: Intensity) -> float:
    """The value of a projection's field from which what it shows is farthest: 0 of a signed map, else the lowest."""
    low, high = layer.look.span(layer.blend)
    return -low / (high - low) if takes_both_signs(layer) else 0.0


def counted(layer: Intensity) -> tuple[float, float]:
    """Between which of a field's values a projection looks: a mean leaves out the background."""
    low, high = layer.look.span(layer.blend)
    if layer.blend != "average" or layer.opacity is not None or takes_both_signs(layer):
        return 0.0, 1.0
    least, most = np.clip((np.array([layer.look.air, layer.look.survey.high]) - low) / (high - low), 0, 1).tolist()
    return least, most


def absorption(layer: Intensity) -> tuple[Tables, Tables]:
    """Extinction per mm at the entries, and its integral up to them over the field's 0 to 1."""
    low, high = layer.look.span(layer.blend)
    n = (TONES - 1) * FINER
    middles = low + (high - low) * (np.arange(n) + 0.5) / n
    parts = _extinction(layer, middles).reshape(-1, FINER).sum(axis=1) / n
    return _extinction(layer, values(layer)), np.concatenate([[0.0], np.cumsum(parts)])


def _extinction(layer: Intensity, at: Tables) -> Tables:
    """Per mm, from the opacity of a distance; what is opaque is so within a voxel."""
    most = SOLID / min(layer.volume.spacing)
    with np.errstate(divide="ignore"):
        return np.minimum(-np.log1p(-interpolate(at, layer.look.blended(layer.blend))) / layer.look.distance, most)


def steepness(layer: Intensity) -> Tables:
    """Factors of the opacity over the field's change per mm (n, 2); one alone where there are none."""
    low, high = layer.look.span(layer.blend)
    return np.array([(steep / (high - low), factor) for steep, factor in layer.look.gradient or ((0.0, 1.0),)])


def has_matter(density: Tables, total: Tables, low: Pool, high: Pool) -> NDArray[np.bool_]:
    """Whether anything is seen of the values between."""
    through = np.interp(high, PLACES, total) - np.interp(low, PLACES, total)
    return np.asarray((through > 0) | (np.interp(low, PLACES, density) > 0) | (np.interp(high, PLACES, density) > 0))


def anything(low: Pool, high: Pool) -> NDArray[np.bool_]:
    """Every block counts."""
    return np.ones(low.shape, dtype=bool)
