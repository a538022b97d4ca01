"""Colors, color limits and opacities as a user may name them, and the colors of labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap, is_color_like, to_rgb
from numpy.typing import NDArray

from volrender.words import choices

Nodes: TypeAlias = tuple[tuple[float, float], ...]
Opacity: TypeAlias = float | Nodes
Color: TypeAlias = str | tuple[float, ...]
RGB: TypeAlias = tuple[float, float, float]

GRAY, INK = "gray", "gray_r"
DIVERGING = "coolwarm"
OVERLAY = "inferno"  # of intensities over others: perceptually uniform, and apart from gray
BODY: RGB = (0.94, 0.83, 0.74)  # the one tone of a body whose colormap was not chosen: what has color is the finding
# Okabe & Ito, Color Universal Design (2008), without black, ordered for contrast on gray; then each the color that is
# furthest from those before it, also for who sees no red or no green (Machado et al., IEEE TVCG 15, 2009).
OKABE_ITO = ("#D55E00", "#0072B2", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#F0E442")
XYZ_OF_RGB = np.array([[0.412453, 0.35758, 0.180423], [0.212671, 0.71516, 0.072169], [0.019334, 0.119193, 0.950227]])
WHITE_POINT = np.array([0.95047, 1.0, 1.08883])
QUALITATIVE = (*OKABE_ITO, "#801A4D", "#990000", "#4DE6B3", "#80E6E6", "#0033B3", "#6680FF", "#994D4D")


def as_opacity(value: Any) -> Opacity | None:
    """A checked opacity: None, a number in 0..1, or nodes [(value, opacity), ...] with values that do not fall."""
    if value is None:
        return None
    if isinstance(value, (int, float, np.number)):
        if not 0 <= float(value) <= 1:
            raise ValueError(f"opacity must be between 0 and 1; got {value}")
        return float(value)
    try:
        return as_nodes(value)
    except TypeError:
        raise TypeError(f"opacity must be a number, or nodes [(value, opacity), ...]; got {value!r}") from None


def as_nodes(value: Any, what: str = "opacity") -> Nodes:
    """Checked nodes [(value, opacity), ...]: two or more, with values that do not fall and opacities in 0..1."""
    try:
        nodes = tuple((float(x), float(y)) for x, y in value)
    except (TypeError, ValueError):
        raise TypeError(f"{what} must be nodes [(value, {what}), ...]; got {value!r}") from None
    if len(nodes) < 2 or any(b[0] < a[0] for a, b in pairwise(nodes)):
        raise ValueError(f"{what} nodes must be two or more, with values in rising order; got {value}")
    if not all(np.isfinite(x) and 0 <= y <= 1 for x, y in nodes):
        raise ValueError(f"{what} nodes must be finite, with opacities between 0 and 1; got {value}")
    return nodes


def as_clim(value: Any) -> tuple[float, float] | None:
    """Checked color limits: None, or (low, high) with low < high."""
    if value is None:
        return None
    try:
        low, high = (float(v) for v in value)
    except (TypeError, ValueError):
        raise TypeError(f"clim must be (low, high); got {value!r}") from None
    if not (np.isfinite(low) and np.isfinite(high)) or low >= high:
        raise ValueError(f"clim must be increasing and finite; got ({low:g}, {high:g})")
    return low, high


def as_cmap(value: str | Colormap) -> Colormap:
    """A matplotlib colormap from its name, or itself."""
    if isinstance(value, Colormap):
        return value
    if not isinstance(value, str):
        raise TypeError(f"cmap must be the name of a matplotlib colormap, or a Colormap; got {value!r}")
    if value not in colormaps:
        raise ValueError(f"there is no colormap {value!r}; {choices([*colormaps], value)}")
    return colormaps[value]


def as_rgb(value: Any, what: str = "color") -> RGB:
    """A color, in any of matplotlib's ways of naming one, as (red, green, blue)."""
    if not is_color_like(value) or str(value).lower() == "none":
        raise ValueError(f"{what} must be a matplotlib color (a name, '#rrggbb' or (r, g, b)); got {value!r}")
    red, green, blue = to_rgb(value)
    return red, green, blue


def label_colors(labels: Sequence[int]) -> dict[int, RGB]:
    """A distinct color for each label: of 14 that the color-blind can tell apart, golden-angle hues for more.

    Hues come round again after 3, 5, 8, 13, 21 labels: the first have another lightness, the last another saturation.
    """
    if len(labels) <= len(QUALITATIVE):
        return {label: as_rgb(QUALITATIVE[i]) for i, label in enumerate(labels)}
    place = np.arange(len(labels))
    turns = place * (3 - np.sqrt(5)) * np.pi
    light, chroma = 50.0 + 15 * (place % 3), np.where(place // 21 % 2, 20, 48)
    lab = np.stack([light, chroma * np.cos(turns), chroma * np.sin(turns)], axis=-1)
    return {label: (r, g, b) for label, (r, g, b) in zip(labels, _rgb_of_lab(lab).tolist(), strict=True)}


def _rgb_of_lab(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L*a*b* colors (n, 3) under daylight (D65, 2°) as sRGB, 0 to 1 (IEC 61966-2-1).

    As `skimage.color.lab2rgb`, which to import takes as long as to draw a picture.
    """
    y = (lab[:, 0] + 16) / 116
    f = np.stack([y + lab[:, 1] / 500, y, y - lab[:, 2] / 200], axis=-1)
    xyz = WHITE_POINT * np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    linear = np.clip(np.linalg.solve(XYZ_OF_RGB, xyz.T).T, 0, 1)
    return np.asarray(np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear))
