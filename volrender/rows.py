"""Rows of panels: how they share the width of a page, in paper millimetres.

No panel is narrower than its lettering. Where a row has no room for all of them it is broken into several; else its
panels get the widths at which they are equally high, so that nothing is stretched and little is empty. Panels that are
to be compared, such as slices of one grid, get those at which they have one scale.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from volrender.draw.sidebar import Key
from volrender.panel import Panel

BETWEEN = 4.0  # mm between panels
TRIED = 33  # widths of each panel, until all are about equally high
POLISHED = 6  # rounds that make them so
FAIR = 3  # a panel has at least its share of a row over this
LONE = 0.55  # of the page's width: how high a picture is at most that has been given a row of its own
VOID, HIGHER = 0.2, 1.3  # the part of a row that may be left empty, and how much higher two may be that are full


@dataclass(frozen=True)
class Row:
    """A row as it lies on the page, in mm.

    Parameters
    ----------
    panels, widths : lists
    left : float
        Where the first begins.
    head : float
        The height of the band in which their titles stand, so that all pictures begin at one height.
    height : float
        With the titles.
    key : Key
        The color bars and the legend that they share.
    alike : bool
        Whether those that are to be compared have one scale; not where their widths are the user's.
    """

    panels: list[Panel]
    widths: list[float]
    left: float
    head: float
    height: float
    key: Key
    alike: bool

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

    def laid(parts: list[list[int]]) -> tuple[float, float]:
        """The height (mm) of rows, and the part of them that is empty."""
        tall = used = 0.0
        for row in ([panels[n] for n in part] for part in parts):
            found = widths(row, None, width, font_size)
            heights = [panel.body(w, font_size) for panel, w in zip(row, found)]
            highest = min(max(heights), most(row, width))
            tall += highest + max(panel.head(w, font_size) for panel, w in zip(row, found)) + BETWEEN
            filled = [highest if panel.elastic and panel.peer is None else h for panel, h in zip(row, heights)]
            used += sum(w * min(h, highest) for w, h in zip(found, filled)) - highest * sum(found)
        return tall, -used / (width * tall)

    for count in range(1, len(panels) + 1):
        parts = parted(count)
        if all(needed([panels[n] for n in part], font_size) <= width for part in parts):
            break
    if count == len(panels):
        return parts
    (one, void), (other, _) = laid(parts), laid(more := parted(count + 1))
    return more if other < one or (void > VOID and other < HIGHER * one) else parts


def most(panels: Sequence[Panel], width: float) -> float:
    """How high (mm) a part of a broken row is to be at most: one picture in the page's width would be too large."""
    return LONE * width if len(panels) == 1 and not panels[0].elastic else np.inf


def widths(panels: Sequence[Panel], shares: Sequence[float] | None, width: float, font_size: float) -> list[float]:
    """Widths (mm) of the panels of a row of `width` mm: in proportion to `shares`, or so that they are equally high."""
    room = width - BETWEEN * (len(panels) - 1)
    least = np.array([panel.narrowest(font_size) for panel in panels])
    if shares is not None:
        return [float(w) for w in _at_least(room * np.array(shares) / sum(shares), least, room)]
    if len(panels) == 1:
        return [room]
    alike = _alike_at(panels, least, font_size)
    least = alike if alike.sum() <= room else least
    fair = np.maximum(least, room / (FAIR * len(panels)))
    least = fair if fair.sum() <= room else least
    tall = _heights(panels, np.maximum(least, room / len(panels)), font_size)
    best, least_waste = np.full(len(panels), room / len(panels)), np.inf
    for found in _even(tall, least, room):
        for _ in range(POLISHED):
            heights = tall(found)
            waste = 1 - found @ heights / (room * heights.max())
            if waste < least_waste - 1e-3:
                best, least_waste = found, waste
            shapes = found / heights
            found = _at_least(room * shapes / shapes.sum(), least, room)
    return [float(w) for w in best]


def scales(row: Row, font_size: float) -> list[float]:
    """How many paper mm a world mm has at most in each panel.

    Those that are to be compared have the least of theirs, if their lettering has room there.
    """
    found, body = [np.inf] * len(row.panels), row.height - row.head
    for group in _peers(row.panels) if row.alike else ():
        places = [(row.panels[n], row.widths[n]) for n in group]
        tall = [body if panel.elastic else min(body, panel.body(w, font_size)) for panel, w in places]
        one = min(panel.sized(w, font_size, h)[0] for (panel, w), h in zip(places, tall))
        if all(one >= (1 - 1e-6) * panel.least_scale(font_size) for panel, _ in places):
            for n in group:
                found[n] = one
    return found


def _peers(panels: Sequence[Panel]) -> list[list[int]]:
    """The numbers of panels that are to be compared."""
    groups: dict[Hashable, list[int]] = {}
    for n, panel in enumerate(panels):
        groups.setdefault(panel.peer, []).append(n)
    return [group for peer, group in groups.items() if peer is not None and len(group) > 1]


def _alike_at(panels: Sequence[Panel], least: NDArray[np.float64], font_size: float) -> NDArray[np.float64]:
    """The least widths at which panels that are to be compared have one scale."""
    found = least.copy()
    for group in _peers(panels):
        near, far = (np.array([panels[n].sized(part * least[n], font_size)[0] for n in group]) for part in (1.0, 1.02))
        slope = np.where(far > near, (far - near) / (0.02 * least[group]), near / least[group])
        one = max(panels[n].least_scale(font_size) for n in group)
        found[group] += np.maximum(one - near, 0.0) / slope
    return found


def _heights(
    panels: Sequence[Panel], usual: NDArray[np.float64], font_size: float
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """How high (mm) panels are at given widths, without titles.

    Of those that are to be compared each is as high as the one with the highest picture would be at its scale: where
    these heights are equal, so are the scales.
    """
    highest = np.zeros(len(panels))
    for group in _peers(panels):
        highest[group] = max(panels[n].sized(float(usual[n]), font_size)[1] for n in group)

    def height(panel: Panel, width: float, highest: float) -> float:
        scale, world = panel.sized(width, font_size) if highest else (0.0, 0.0)
        return panel.body(width, font_size) + scale * max(highest - world, 0.0)

    return lambda widths: np.array([height(p, float(w), float(h)) for p, w, h in zip(panels, widths, highest)])


def _even(
    tall: Callable[[NDArray[np.float64]], NDArray[np.float64]], least: NDArray[np.float64], room: float
) -> list[NDArray[np.float64]]:
    """Widths at which a row is about equally high: those that just do not fill it, and those that more than do.

    And those at which it is lowest: what is narrow can be higher than all that the others would fill.
    """
    tried = np.linspace(least, np.maximum(room - least.sum() + least, least), TRIED)
    heights = np.array([tall(row) for row in tried])
    fewer = best = lowest = least
    for height in np.unique(heights)[::-1]:
        narrowest = np.where(heights <= height, tried, np.inf).min(axis=0)
        if narrowest.sum() > room:
            break
        lowest = narrowest + (tall(narrowest).argmin() == np.arange(len(least))) * (room - narrowest.sum())
    for height in np.unique(heights):
        # The widest that is no higher: what breaks its tiles into rows is low again when it is wider.
        best = np.where(heights <= height, tried, least).max(axis=0)
        if best.sum() >= room:
            break
        fewer = best
    return [_at_least(room * found / found.sum(), least, room) for found in (fewer, best, lowest)]


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
