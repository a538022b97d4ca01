"""Rows of panels: how they share the width of a page, in paper millimetres.

No panel is narrower than its lettering. Where a row has no room for all of them it is broken into several; else its
panels get the widths at which they are equally high, so that nothing is stretched and little is empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from volrender.draw.sidebar import Bar
from volrender.panel import Panel

BETWEEN = 4.0  # mm between panels
TRIED = 33  # widths of each panel, until all are about equally high
POLISHED = 6  # rounds that make them so
FAIR = 3  # a panel has at least its share of a row over this


@dataclass(frozen=True)
class Row:
    """A row as it lies on the page: its panels, their widths and place from the left (mm), and the bars they share."""

    panels: list[Panel]
    widths: list[float]
    left: float
    height: float
    bars: list[Bar]

    @property
    def places(self) -> Iterator[tuple[Panel, float, float]]:
        """Each panel, where it begins and how wide it is (mm)."""
        left = self.left
        for panel, width in zip(self.panels, self.widths):
            yield panel, left, width
            left += width + BETWEEN

    @property
    def right(self) -> float:
        """Where the last panel ends (mm)."""
        return self.left + sum(self.widths) + BETWEEN * (len(self.widths) - 1)


def needed(panels: Sequence[Panel], font_size: float) -> float:
    """The width (mm) without which a row has no room for the lettering of its panels."""
    return sum(panel.narrowest(font_size) for panel in panels) + BETWEEN * (len(panels) - 1)


def broken(panels: Sequence[Panel], width: float, font_size: float) -> list[list[int]]:
    """The numbers of a row's panels, in as few rows of `width` mm as have room for them, about equally many in each.

    One more where they are lower together: in a narrow place slices lie one under the other.
    """

    def parted(count: int) -> list[list[int]]:
        return [part.tolist() for part in np.array_split(np.arange(len(panels)), count)]

    def height(parts: list[list[int]]) -> float:
        rows = [[panels[n] for n in part] for part in parts]
        found = [(row, widths(row, None, width, font_size)) for row in rows]
        return sum(max(panel.height(w, font_size) for panel, w in zip(*pair)) + BETWEEN for pair in found)

    for count in range(1, len(panels) + 1):
        parts = parted(count)
        if all(needed([panels[n] for n in part], font_size) <= width for part in parts):
            break
    more = parted(min(count + 1, len(panels)))
    return parts if len(panels) == 1 or height(parts) <= height(more) else more


def widths(panels: Sequence[Panel], shares: Sequence[float] | None, width: float, font_size: float) -> list[float]:
    """Widths (mm) of the panels of a row of `width` mm: in proportion to `shares`, or so that they are equally high."""
    room = width - BETWEEN * (len(panels) - 1)
    least = np.array([panel.narrowest(font_size) for panel in panels])
    if shares is not None:
        return [float(w) for w in _at_least(room * np.array(shares) / sum(shares), least, room)]
    if len(panels) == 1:
        return [room]
    fair = np.maximum(least, room / (FAIR * len(panels)))
    least = fair if fair.sum() <= room else least

    def heights(tried: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([panel.height(float(w), font_size) for panel, w in zip(panels, tried)])

    best, least_waste = np.full(len(panels), room / len(panels)), np.inf
    for found in _even(panels, least, room, font_size):
        for _ in range(POLISHED):
            tall = heights(found)
            waste = 1 - found @ tall / (room * tall.max())
            if waste < least_waste - 1e-3:
                best, least_waste = found, waste
            shapes = found / tall
            found = _at_least(room * shapes / shapes.sum(), least, room)
    return [float(w) for w in best]


def _even(
    panels: Sequence[Panel], least: NDArray[np.float64], room: float, font_size: float
) -> list[NDArray[np.float64]]:
    """Widths at which a row is about equally high: those that just do not fill it, and those that more than do."""
    tried = np.linspace(least, np.maximum(room - least.sum() + least, least), TRIED)
    tall = np.array([[panel.height(float(w), font_size) for panel, w in zip(panels, row)] for row in tried])
    fewer = best = least
    for height in np.unique(tall):
        # The widest that is no higher: what breaks its tiles into rows is low again when it is wider.
        best = np.where(tall <= height, tried, least).max(axis=0)
        if best.sum() >= room:
            break
        fewer = best
    return [_at_least(room * found / found.sum(), least, room) for found in (fewer, best)]


def _at_least(wanted: NDArray[np.float64], least: NDArray[np.float64], room: float) -> NDArray[np.float64]:
    """Widths that fill a row, none below its least: what some lack for their lettering, the others give."""
    if least.sum() >= room:
        return np.asarray(least * room / least.sum())
    short = np.zeros(len(least), dtype=bool)
    while True:
        found = np.where(short, least, wanted * (room - least[short].sum()) / wanted[~short].sum())
        if not (found < least).any():
            return found
        short |= found < least
