"""From values to colors: color limits, colormaps, opacity curves, and what is chosen when nothing is said.

A `Survey` is what the choices rest on, a `Look` is the outcome: every engine asks the same look for its colors, so
two panels of one layer cannot differ. Opacity is a number in 0..1 or nodes [(value, opacity), ...] in data units.
In a volume rendering it is what one millimetre absorbs; on a slice, a surface or a voxel it is the alpha.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.colors import Colormap, ListedColormap
from numpy.typing import ArrayLike, NDArray

from volrender.color import DIVERGING, GRAY, INK, Nodes, Opacity, as_cmap
from volrender.surveys import THRESHOLDED, Survey

GLASS = 0.015  # the alpha of cubes around a finding
PROJECTIONS = ("maximum", "minimum", "average")
FARTHEST = 4.0  # times the colors' limit: of what lies beyond no projection tells which is farther from 0


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

        `panel` is "slice", "overlay" (over another layer), "voxel", "glass" (cubes around another layer), "volume", or
        of a projection its name, as in `blended`. Nodes of the user's are taken as they are; a number is the top of the
        panel's usual curve.
        """
        if panel in PROJECTIONS:
            return self.blended(panel)
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
            half = 0.45 * max(0.0, min(air - min(self.survey.background, air), high - air))
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
        """The values between which colors or opacity change in a volume; beyond, one value is like another.

        A signed map's projection has to tell which of two values is farther from 0, though they have one color.
        """
        changes = [v for a, b in pairwise(self.blended(blend)) if a[1] != b[1] for v in (a[0], b[0])]
        lowest = self.floor if blend == "composite" else self.clim[0]
        low, high = min(lowest, *self.clim, *changes), max(*self.clim, *changes)
        if blend != "maximum" or not self.survey.signed:
            return low, high
        most = min(max(-self.survey.low, self.survey.high), FARTHEST * max(map(abs, self.clim)))
        return min(low, -most), max(high, most)

    @property
    def air(self) -> float:
        """The level under which nothing is drawn where air is not: the user's, the background's, or the lower limit."""
        if self.level is not None:
            return self.level
        return max(min(self.survey.air, self.survey.high), self.floor)

    @property
    def _gap(self) -> bool:
        """Whether a signed map has a threshold: no values next to 0."""
        return self.survey.smallest > THRESHOLDED * max(map(abs, self.survey.robust))

    def _rising(self, top: float) -> Nodes:
        """The curve of a map without a threshold, which fills its grid: clear up to a third of the colors' limit."""
        first, last = self.clim
        low, high = min(first, 0.0), max(last, 0.0)
        below, above = (top if low < 0 else 0.0), (top if high > 0 else 0.0)
        return ((low, below), (min(low / 3, last), 0.0), (0.0, 0.0), (max(high / 3, first), 0.0), (high, above))

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
