"""How slices lie on paper: tiles in rows, with what is written over and under them.

All lengths are paper millimetres unless they are said to be the world's; a scale is world mm for a paper mm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from volrender.annotation import Annotation
from volrender.cuts import Cut
from volrender.draw.annotate import INK, Frame
from volrender.space import Floats

GAP, DARK_GAP, BARE_GAP = 0.6, 2.4, 4.0  # mm between tiles: on a light page, a dark one, without grounds of their own
MOST = 7  # tiles in a row
SMALL = 0.6  # of the others' scale: a reference view
SMALLEST = 2.0  # mm for each point of type: a tile whose letters stand over it
AIR, SIDE = 4.5, 0.8  # mm that letters and position keep free together; from a letter to the side of its tile
TIGHT = 0.25  # of the air, in a place that is too low for all
ROUNDED = 0.7  # mm that a page of whole pixels may be lower or narrower than it was measured
BAR = 4.0  # mm of a scale bar, at least


@dataclass(frozen=True, eq=False)
class Tile:
    """A cut's part of the picture.

    Parameters
    ----------
    cut : Cut
    extent : (2, 2) floats
        What of the plane is shown, ((u, u), (v, v)) in mm.
    lines : tuple of Cut
        Those whose places a reference view shows.
    """

    cut: Cut
    extent: Floats
    lines: tuple[Cut, ...] = ()

    @cached_property
    def size(self) -> tuple[float, float]:
        """Width and height in world mm, at the scale of the others."""
        width, height = np.ptp(self.extent, axis=1) * (SMALL if self.lines else 1.0)
        return float(width), float(height)

    def label(self, unit: bool = False) -> list[str]:
        """The lines of its position, with or without the unit; a reference view has none."""
        lines = [] if self.lines else self.cut.label.split("\n")
        return lines if unit else [line.removesuffix(" mm") for line in lines]


Rows = Sequence[Sequence[Tile]]


@dataclass(frozen=True, eq=False)
class Layout:
    """Tiles in rows of a frame's width.

    Parameters
    ----------
    rows : lists of Tile
    frame : Frame
    notes : Annotation
    gap : float
        Between tiles.
    stacked : bool
        Whether the letters stand under the positions, for which side by side there is no room.
    air : float
        How much of the usual air there is around the lettering.
    """

    rows: Rows
    frame: Frame
    notes: Annotation
    gap: float
    stacked: bool = False
    air: float = 1.0

    @property
    def tiles(self) -> Iterator[Tile]:
        """All tiles, row by row."""
        return (tile for row in self.rows for tile in row)

    @property
    def scale(self) -> float:
        """The scale at which the widest row fills the frame's width; infinite where the gaps alone do."""
        rooms = [(row, self.frame.width - self._gaps(row)) for row in self.rows]
        return max(sum(tile.size[0] for tile in row) / room if room > 0 else np.inf for row, room in rooms)

    def scale_in(self, height: float) -> float:
        """The scale at which the rows fill the frame's width or a height, lettering and foot included."""
        lettering = self.height(np.inf)
        return max(self.scale, self.world_height / max(height - lettering, 1.0))

    @cached_property
    def world_height(self) -> float:
        """The height of all pictures in world mm."""
        return sum(max(tile.size[1] for tile in row) for row in self.rows)

    def height(self, scale: float) -> float:
        """The height of all rows, each with a band of lettering above its tiles, and of the foot."""
        gaps = self.gap * (len(self.rows) - 1)
        return self.world_height / scale + gaps + self.band * len(self.rows) + self.foot

    def width(self, row: Sequence[Tile], scale: float) -> float:
        """The width of a row."""
        return sum(tile.size[0] for tile in row) / scale + self._gaps(row)

    def _gaps(self, row: Sequence[Tile]) -> float:
        return self.gap * (len(row) - 1)

    @property
    def band(self) -> float:
        """The height of the lettering above a tile."""
        positions = max(len(tile.label()) for tile in self.tiles) if self.notes.positions else 0
        lines = max(positions + (self.stacked and self.notes.letters), int(self.notes.letters))
        return (lines + 0.25) * self.frame.line_height if lines else 0.0

    @cached_property
    def foot(self) -> float:
        """The height of what stands under the tiles."""
        lines = len(self.footing)
        return (lines + 0.3) * self.frame.line_height if lines else 0.0

    @property
    def footing(self) -> list[tuple[bool, str]]:
        """The lines under the tiles: whether each has the scale bar, and its words. Two where one is too short."""
        bar, words = self.notes.scale_bar, self.convention
        if bar and words and self.frame.text_width(words) + self.least_bar + 4 * SIDE > self.frame.width:
            return [(True, ""), (False, words)]
        return [(bar, words)] if bar or words else []

    @property
    def least_bar(self) -> float:
        """The width of a short scale bar and its label."""
        return BAR + 1 + self.frame.text_width("100 mm")

    @cached_property
    def convention(self) -> str:
        """On which side the subject's left is, in a word; "" where none is to be said."""
        return convention([tile.cut for tile in self.tiles]) if self.notes.convention else ""

    def need(self, tile: Tile, *, unit: bool = False) -> float:
        """The width of a tile's lettering, with air around it."""
        said = tile.label(unit) if self.notes.positions else []
        lines = [self.frame.text_width(line) + 2 * self.air * SIDE for line in said]
        ends = sum(self.frame.text_width(letter) for letter in tile.cut.ends) if self.notes.letters else 0.0
        air = self.air * AIR if self.notes.letters else 0.0
        if self.stacked:
            least = 0.0 if tile.lines else self.air * SMALLEST * self.frame.font_size
            return max(least, ends + air / 2, *lines, 0.0)
        return max([ends + air + (self.frame.text_width(said[0]) if said else 0.0), *lines[1:]])

    @property
    def coarsest(self) -> float:
        """The scale at which the lettering over each tile just has room."""
        return min((tile.size[0] / need for tile in self.tiles if (need := self.need(tile))), default=np.inf)

    def fits(self, scale: float, *, unit: bool = False, slack: float = 1e-6) -> bool:
        """Whether at a scale all lettering has room over its tile, to `slack`."""
        return scale < np.inf and all(tile.size[0] / scale >= self.need(tile, unit=unit) - slack for tile in self.tiles)


def gap(frame: Frame, *, bare: bool) -> float:
    """Between tiles: `bare` ones, without a ground of their own, and black ones on a dark page would run into one."""
    return BARE_GAP if bare else GAP if frame.ink == INK else DARK_GAP


def arrange(
    groups: Rows, frame: Frame, notes: Annotation, gap: float, height: float = 0.0, coarsest: float = 0.0
) -> Layout:
    """The tiles in rows of the frame's width in which the lettering over each has room, at most seven in a row.

    Groups of several tiles each begin a row of their own; else all follow one another. Where there is a `height` to
    fill they lie as they are largest. At least the scale will be `coarsest`.
    """
    if not all(sum(not tile.lines for tile in group) > 1 for group in groups):
        groups = [[tile for group in groups for tile in group]]
    every = [_layouts(groups, Layout(groups, frame, notes, gap, air=air)) for air in (1.0, TIGHT)]
    usual = next((layout for layout in every[0] if layout.fits(max(layout.scale, coarsest))), every[0][-1])
    if not height:
        return usual
    largest = _largest(every[0], height, coarsest)
    if largest is None:  # on a page of whole pixels they may be too narrow by one
        nearly = (one for one in every[0] if one.fits(max(one.scale_in(height), coarsest), slack=ROUNDED))
        largest = next(nearly, None) or _largest(every[1], height, coarsest)
    wide = [one for one in every[1] if one.fits(one.scale, slack=ROUNDED)] or every[1]
    return largest or min(wide, key=lambda layout: layout.height(layout.coarsest))


def _layouts(groups: Rows, like: Layout) -> list[Layout]:
    """The ways to lay groups of tiles in rows, those with most in a row first."""
    most = min(MOST + any(tile.lines for tile in groups[0]), max(len(group) for group in groups))
    rows = [[row for group in groups for row in _even(group, n)] for n in range(most, 0, -1)]
    return [replace(like, rows=few, stacked=stacked) for few in rows for stacked in (False, True)]


def _largest(layouts: Sequence[Layout], height: float, coarsest: float) -> Layout | None:
    """The first of the layouts in which the tiles are about largest, if in any their lettering has room."""
    best: tuple[float, Layout] | None = None
    for layout in layouts:
        scale = max(layout.scale_in(height), coarsest)
        if layout.fits(scale) and (best is None or scale < 0.98 * best[0]):
            best = scale, layout
    return best and best[1]


def _even(group: Sequence[Tile], most: int) -> list[list[Tile]]:
    """Rows of at most so many tiles, as few and as equal as can be."""
    count = -(-len(group) // most)
    ends = [-(-n * len(group) // count) for n in range(count + 1)]
    return [list(group[start:end]) for start, end in pairwise(ends)]


def coarsest_scale(groups: Rows, frame: Frame, notes: Annotation) -> float:
    """The scale at which the lettering over each tile just has room: all groups have one."""
    columns = [Layout(groups, frame, notes, GAP, stacked) for stacked in (False, True)]
    return max(layout.coarsest for layout in columns)


def least_width(groups: Rows, frame: Frame, notes: Annotation) -> float:
    """The width in which the lettering over and under a column of all tiles has room."""
    words = Layout(groups, frame, notes, GAP).convention
    over = max(tile.size[0] for group in groups for tile in group) / coarsest_scale(groups, frame, notes)
    return max(over, frame.text_width(words) + 2 * SIDE)


@dataclass(frozen=True)
class Place:
    """Where a tile lies in the raster, in pixels from its lower left corner.

    Parameters
    ----------
    left, bottom, size
        With the lettering.
    sill, tall
        The bottom and the height of its picture.
    """

    tile: Tile
    left: int
    bottom: int
    size: tuple[int, int]
    sill: int
    tall: int

    def pixels(self, points_uv: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places in the cut as pixels of the raster, (column, row from the bottom), to a millionth."""
        share = (points_uv - self.tile.extent[:, 0]) / np.ptp(self.tile.extent, axis=1)
        # What the last bit of an affine says must not show: rounded, every storage order gives the same line.
        return np.asarray(np.round(share * (self.size[0], self.tall) + (self.left, self.sill), 6))


def places(layout: Layout, frame: Frame, scale: float, size: tuple[int, int]) -> list[Place]:
    """Where the tiles lie in a raster of `size` pixels that covers the frame above its foot, from its top on."""
    px, band = frame.dots_per_mm, layout.band
    top = frame.height - layout.foot
    found = []
    for row in layout.rows:
        height = max(tile.size[1] for tile in row) / scale
        left = (frame.width - layout.width(row, scale)) / 2
        bottom = max(round((top - band - height) * px), 0)
        for tile in row:
            whole = (round(tile.size[0] / scale * px), round((height + band) * px))
            width, up = max(min(whole[0], size[0]), 1), max(min(whole[1], size[1] - bottom), 1)
            across = min(max(round(left * px), 0), size[0] - width)
            picture = max(min(round(tile.size[1] / scale * px), up), 1)
            sill = bottom + max(round((up - band * px - picture) / 2), 0)
            found.append(Place(tile, across, bottom, (width, up), sill, picture))
            left += tile.size[0] / scale + layout.gap
        top -= height + band + layout.gap
    return found


def convention(cuts: Sequence[Cut]) -> str:
    """How left and right are shown: "neurological" has the subject's left on the left; "" where none is seen."""
    turned = {cut.turned for cut in cuts} - {None}
    if len(turned) > 1:
        return "sides as lettered"
    return "".join("radiological" if side else "neurological" for side in turned)
