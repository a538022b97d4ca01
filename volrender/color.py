"""From values to colors: color limits, colormaps, opacity curves, and what is chosen when nothing is said.

A `Survey` is what the choices rest on, a `Look` is the outcome: every engine asks the same look for its colors, so
two panels of one layer cannot differ. Opacity is a number in 0..1 or nodes [(value, opacity), ...] in data units.
In a volume rendering it is what one millimetre absorbs; on a slice, a surface or a voxel it is the alpha.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap, ListedColormap, is_color_like, to_rgb
from numpy.typing import ArrayLike, NDArray

from volrender.intensity import finite_range
from volrender.words import choices

Nodes: TypeAlias = tuple[tuple[float, float], ...]
Opacity: TypeAlias = float | Nodes
Color: TypeAlias = str | tuple[float, ...]
RGB: TypeAlias = tuple[float, float, float]

GRAY, INK = "gray", "gray_r"
GLASS = 0.015  # the alpha of cubes around a finding
DIVERGING = "coolwarm"
OVERLAY = "inferno"  # of intensities over others: perceptually uniform, and apart from gray
BODY: RGB = (0.94, 0.83, 0.74)  # the one tone of a body whose colormap was not chosen: what has color is the finding
SURVEYED = 2_000_000
ENCLOSED = 300_000
NEGATIVE = 0.95  # of the voxels of a map are not 0
PEAKS = 2.0, 99.8  # percentiles of what is the brightest on each ray
THRESHOLDED = 0.05  # of the robust top: a gap from 0 to the smallest value that is wider is a threshold
# Okabe & Ito, Color Universal Design (2008), without black, ordered for contrast on gray; then each the color that is
# furthest from those before it, also for who sees no red or no green (Machado et al., IEEE TVCG 15, 2009).
OKABE_ITO = ("#D55E00", "#0072B2", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#F0E442")
XYZ_OF_RGB = np.array([[0.412453, 0.35758, 0.180423], [0.212671, 0.71516, 0.072169], [0.019334, 0.119193, 0.950227]])
WHITE_POINT = np.array([0.95047, 1.0, 1.08883])
QUALITATIVE = (*OKABE_ITO, "#801A4D", "#990000", "#4DE6B3", "#80E6E6", "#0033B3", "#6680FF", "#994D4D")


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


@dataclass(frozen=True)
class Look:
    """The colors and opacities of one intensity layer, complete.

    Attributes
    ----------
    clim : (float, float)
    cmap : Colormap
    opacity : float, nodes or None
        As the user gave it; None where each panel takes its own usual curve.
    survey : Survey
    floor : float
        The value at which there is nothing: the user's lower limit, or the lowest but for outliers.
    chosen : bool
        Whether the user named the colormap; if not, a volume rendering draws the body in one tone.
    curve : nodes or None
        A preset's opacity for one millimetre of a volume rendering, where the user gave none.
    sparse : bool
        Whether what the curve leaves out of a volume rendering is left out of slices and voxels too.
    gradient : nodes or None
        Factors of the opacity in a volume rendering, [(change of the value per mm, factor), ...].
    distance : float
        The length (mm) that absorbs what `curve` says.
    shading : mapping or None
        "ambient", "diffuse", "specular" and "power" of a volume rendering; None where the engine's own are meant.
    level : float or None
        The user's threshold: what lies below it is not drawn; of a signed map what lies between it and its negative.
    """

    clim: tuple[float, float]
    cmap: Colormap
    opacity: Opacity | None
    survey: Survey
    floor: float
    chosen: bool
    curve: Nodes | None = None
    sparse: bool = False
    gradient: Nodes | None = None
    shading: Mapping[str, float] | None = None
    level: float | None = None
    distance: float = 1.0

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """The colormap as 256 colors, shape (256, 3)."""
        return np.asarray(self.cmap(np.linspace(0, 1, 256)))[:, :3].astype(np.float32)

    def steps(self, values: ArrayLike) -> NDArray[np.uint8]:
        """Where values lie in `table`; beyond `clim` at its ends, NaN at its start."""
        low, high = self.clim
        array = np.asarray(values)
        array = array if array.dtype == np.float32 else array.astype(np.float64)
        with np.errstate(over="ignore"):
            scaled = np.asarray((array - low) / (high - low) * 255)
        # Of a number and NaN, fmin and fmax take the number.
        return np.asarray(np.rint(np.fmin(np.fmax(scaled, 0), 255)).astype(np.uint8))

    def rgb(self, values: ArrayLike) -> NDArray[np.float32]:
        """Colors (..., 3) of values; beyond `clim` the end colors."""
        return np.asarray(self.table[self.steps(values)])

    def nodes(self, panel: str) -> Nodes:
        """The opacity curve as the named panel draws it.

        `panel` is "slice", "overlay" (over another layer), "voxel", "glass" (cubes around another layer) or
        "volume". Nodes of the user's are taken as they are; a number is the top of the panel's usual curve.
        """
        if isinstance(self.opacity, tuple):
            return self.opacity
        top = 1.0 if self.opacity is None else self.opacity
        low, high = self.survey.low, self.survey.high
        if self.curve is not None and panel == "volume":
            return tuple((value, top * amount) for value, amount in self.curve)
        if self.curve is not None and self.sparse:
            return tuple((value, top * (amount > 0)) for value, amount in self.curve)
        if self.survey.signed and panel == "volume" and self.level is None and not self._gap:
            return self._rising(top)
        if self.survey.signed:
            return self._beyond_zero(top)
        if low == high == 0 and panel != "slice":  # a map of which nothing is beyond its threshold
            return ((-1.0, 0.0), (1.0, 0.0))
        air = self.air
        if (panel == "slice" and self.level is None) or low == high:
            return ((low, top), (high, top))
        if panel == "glass" and self.opacity is None:
            return ((low, 0.0), (air, 0.0), (air, GLASS), (max(air, high), GLASS))
        if panel == "voxel" and self.opacity is None:
            # The value itself is the alpha, as in the exploded-voxel recipe; air, which is never quite 0, is left out.
            first, last = self.floor, self.clim[1]
            start = min(max(air, first), last)
            return ((first, 0.0), (start, 0.0), (start, top * (start - first) / (last - first)), (last, top))
        if panel == "volume" and self.level is None:
            if self.chosen:
                # Where opacity sets in a surface has its color: not the dark end of the user's colormap.
                return (
                    (low, 0.0),
                    (air, 0.0),
                    (air + 0.5 * max(self.clim[1] - air, 0.0), top),
                    (max(high, self.clim[1]), top),
                )
            # Above the background's own level, which in a CT lies far above the lowest value.
            half = 0.45 * min(air - min(self.survey.background, air), high - air)
            return ((low, 0.0), (air - half, 0.0), (air + half, top), (max(high, air + half), top))
        return ((low, 0.0), (air, 0.0), (air, top), (max(air, high), top))

    def blended(self, blend: str) -> Nodes:
        """The opacity curve in a volume, by what rays show of it: an `Intensity`'s `blend`.

        In a projection ("maximum", "minimum", "average") a value is shown as it is. It fades only toward what is
        nothing: the lower limit, the upper one of a minimum, 0 in a signed map.
        """
        if blend == "composite" or isinstance(self.opacity, tuple) or self.survey.signed:
            return self.nodes("volume")
        low, high = self.clim
        if self.opacity is not None:
            return ((low, self.opacity), (high, self.opacity))
        if blend == "minimum":
            return ((low, 1.0), (high, 0.0))
        return ((low, 0.0), (low + 0.1 * (high - low), 1.0), (high, 1.0))

    def span(self, blend: str) -> tuple[float, float]:
        """The values between which colors or opacity change in a volume; beyond, one value is like another."""
        changes = [v for a, b in pairwise(self.blended(blend)) if a[1] != b[1] for v in (a[0], b[0])]
        lowest = self.floor if blend == "composite" else self.clim[0]
        return min(lowest, *self.clim, *changes), max(*self.clim, *changes)

    @property
    def air(self) -> float:
        """The level under which nothing is drawn where air is not: the user's, the background's, or the lower limit."""
        if self.level is not None:
            return self.level
        return min(max(self.survey.air, self.floor), self.survey.high)

    @property
    def _gap(self) -> bool:
        """Whether a signed map has a threshold: no values next to 0."""
        return self.survey.smallest > THRESHOLDED * max(map(abs, self.survey.robust))

    def _rising(self, top: float) -> Nodes:
        """The curve of a map without a threshold, which fills its grid: clear up to a third of the colors' limit."""
        low, high = min(self.clim[0], 0.0), max(self.clim[1], 0.0)
        below, above = (top if low < 0 else 0.0), (top if high > 0 else 0.0)
        return ((low, below), (low / 3, 0.0), (0.0, 0.0), (high / 3, 0.0), (high, above))

    def _beyond_zero(self, top: float) -> Nodes:
        """The curve of a signed map: transparent around 0, to its threshold, and on a side that `clim` leaves out."""
        first, last = self.clim
        level = abs(self.level) if self.level is not None else min(self.survey.smallest, max(map(abs, self.clim)))
        low, high = min(self.survey.low, -level), max(self.survey.high, level)
        below, above = (top if first < 0 else 0.0), (top if last > 0 else 0.0)
        down, up = min(-level, last) if last < 0 else -level, max(level, first) if first > 0 else level
        high, low = max(high, up), min(low, down)
        return ((low, below), (down, below), (down, 0.0), (up, 0.0), (up, above), (high, above))

    @property
    def sets_in(self) -> float:
        """The lowest value of which a volume rendering shows half as much as of any."""
        (value, amount), *rest = self.nodes("volume")
        half = max(amount, *(top for _, top in rest)) / 2
        for after, more in rest:
            if amount < half <= more:
                return value + (after - value) * (half - amount) / (more - amount)
            value, amount = after, more
        return value

    @property
    def thresholds(self) -> tuple[tuple[float, int], ...]:
        """Where in a volume rendering something is seen at once: the values, and on which side of each, 1 or -1."""
        steps = [(a, b) for a, b in pairwise(self.nodes("volume")) if a[0] == b[0] and (a[1] > 0) != (b[1] > 0)]
        return tuple((below[0], 1 if above[1] > 0 else -1) for below, above in steps)

    def alpha(self, values: ArrayLike, panel: str) -> NDArray[np.float32]:
        """Opacity of values on a slice or a voxel; NaN is transparent."""
        array = np.asarray(values)
        array = array if array.dtype == np.float32 else array.astype(np.float64)
        nodes = self.nodes(panel)
        amounts = {amount for _, amount in nodes}
        if len(amounts) == 1:
            return np.asarray(np.isfinite(array) * np.float32(amounts.pop()))
        alpha = np.zeros(array.shape, dtype=np.float32)
        shown = _above_zero(array, nodes)
        alpha[shown] = interpolate(array[shown], nodes)
        return alpha


def projected(data: NDArray[Any], air: float) -> tuple[float, float] | None:
    """The robust range of what a maximum projection shows, seen along the axes of (i, j, k); None if it is one value.

    Nearly all rays through a body meet something bright: on the range of its voxels the picture would be of one tone.
    """
    peaks = np.concatenate([np.fmax.reduce(data, axis=axis).ravel() for axis in range(3)])
    front = peaks[np.isfinite(peaks) & (peaks > air)]
    low, high = np.percentile(front, PEAKS) if front.size else (0.0, 0.0)
    return (float(low), float(high)) if low < high else None


def interpolate(values: ArrayLike, nodes: Nodes) -> NDArray[np.float64]:
    """The piecewise linear curve through `nodes`; where two share a value it steps, and the step belongs to both sides.

    Examples
    --------
    >>> interpolate([1, 2, 3], ((0, 0), (2, 0), (2, 1), (4, 1)))
    array([0., 1., 1.])
    """
    x = np.array([value for value, _ in nodes])
    y = np.array([opacity for _, opacity in nodes])
    array = np.asarray(values, dtype=np.float64)
    curve = np.interp(array, x, y)
    for value in x[:-1][np.diff(x) == 0]:
        curve = np.where(array == value, y[x == value].max(), curve)
    return np.asarray(curve)


def _above_zero(values: NDArray[Any], nodes: Nodes) -> NDArray[np.bool_]:
    """Which values are finite and lie where the curve through `nodes` may be above 0."""
    spans: list[list[float]] = []
    for (start, one), (end, two) in pairwise([(-np.inf, nodes[0][1]), *nodes, (np.inf, nodes[-1][1])]):
        if max(one, two) > 0:
            if spans and spans[-1][1] == start:
                spans[-1][1] = end
            else:
                spans.append([start, end])
    shown = np.zeros(values.shape, dtype=bool)
    for start, end in spans:
        within = np.isfinite(values)
        if start > -np.inf:
            within &= values >= start
        if end < np.inf:
            within &= values <= end
        shown |= within
    return shown


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


def make_look(
    data_survey: Survey,
    clim: tuple[float, float] | None,
    cmap: str | Colormap | None,
    opacity: Opacity | None,
    *,
    ink: bool = False,
    level: float | None = None,
) -> Look:
    """Fill what the user left open: robust limits, gray or a diverging colormap.

    With `ink` what is bright is dark, as a maximum projection is printed on white paper.
    """
    low, high = clim or data_survey.robust
    if clim is None and data_survey.signed:
        step = 10.0 ** (np.floor(np.log10(high)) - 1)  # two digits, for a color bar that can be read
        high = float(np.round(np.ceil(high / step - 1e-9) * step, 12))
        low = -high
    if low == high:
        half = max(0.5, 1e-6 * abs(low))
        low, high = low - half, high + half
    chosen = as_cmap(cmap or (DIVERGING if data_survey.signed else INK if ink else GRAY))
    if cmap is None and data_survey.signed and low != -high:
        chosen = _around_zero(chosen, low, high)
    floor = low if clim is not None or data_survey.signed else min(data_survey.floor, low)
    return Look((low, high), chosen, opacity, data_survey, floor, cmap is not None or data_survey.signed, level=level)


def _around_zero(cmap: Colormap, low: float, high: float) -> Colormap:
    """The part of a diverging colormap, its middle at 0, that lies between two values."""
    first, last = (0.5 + value / (2 * max(-low, high)) for value in (low, high))
    return ListedColormap(cmap(np.linspace(first, last, 256)), name=cmap.name)
