"""What stands right of a picture: color bars and a legend of colors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.path import Path
from numpy.typing import NDArray

from volrender.color import RGB
from volrender.draw.annotate import Frame, broken, fitted, has_pixels, nice_ticks, number, short, written
from volrender.looks import Look

GAP = 1.5
BAR_WIDTH = 2.6
SHORTEST_BAR = 8.0
SHADES = 512  # of a color bar
MAX_LEGEND = 20
WHOLE_LEGEND = 5  # entries, for which a panel makes itself high enough
EMPTY = 0.86  # the gray that stands for "transparent" in a color bar
LONGEST = 26  # letters of names in one entry of a legend
SIDE = re.compile(r"(^|[\s._-])(left|right|lh|rh|l|r)(?=$|[\s._-])", re.IGNORECASE)
LABEL_LINE, LABEL_LINES = 3.2, 3  # mm of a color bar's label in a line for each point of type, and lines

Entry: TypeAlias = tuple[str, RGB]


def merged(entries: Sequence[Entry]) -> list[Entry]:
    """Legend entries, those of one color as one.

    Examples
    --------
    >>> red, blue = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
    >>> merged([("Left-Putamen", red), ("SFG", blue), ("Right-Putamen", red), ("MFG", blue)])
    [('Putamen', (1.0, 0.0, 0.0)), ('SFG, MFG', (0.0, 0.0, 1.0))]
    """
    names: dict[RGB, list[str]] = {}
    for name, rgb in entries:
        names.setdefault(rgb, []).append(name)
    return [(_together(alike), rgb) for rgb, alike in names.items()]


def _together(names: Sequence[str]) -> str:
    """Names in one line: left and right as one, and of too many the first."""
    sideless = list(dict.fromkeys(SIDE.sub("", name).strip(" ._-") for name in names))
    if len(sideless) == len(names) or not all(sideless):
        sideless = list(names)
    said = ", ".join(sideless)
    return said if len(said) <= LONGEST or len(sideless) == 1 else f"{sideless[0]} and {len(sideless) - 1} more"


@dataclass(frozen=True)
class Bar:
    """A color bar: a look, its opacity curve as the panel draws it, and what the values are."""

    look: Look
    panel: str
    label: str

    @property
    def values(self) -> NDArray[np.float64]:
        """The values whose colors it shows, from below."""
        return np.linspace(*self.look.clim, SHADES)

    @property
    def alpha(self) -> NDArray[np.floating[Any]]:
        """How much of each value is seen; in a volume, where what is thin adds up along a ray, of what most is."""
        alpha = self.look.alpha(self.values, self.panel)
        most = float(alpha.max()) if self.panel == "volume" else 0.0
        return alpha / (most or 1.0)

    def ticks(self, height: float, line: float) -> list[float]:
        """The limits, the steps of the opacity curve (thresholds) and round values between, none closer than a line."""
        low, high = self.look.clim
        # Where air ends is our guess and no number to print; a threshold is the user's.
        guessed = self.look.opacity is None and self.look.level is None and not self.look.survey.signed
        nodes = () if guessed else self.look.nodes(self.panel)
        steps = [a[0] for a, b in pairwise(nodes) if a[0] == b[0]]
        within = [v for v in steps if low < v < high and abs(v) > 0.02 * (high - low)]
        middle = [0.0] if low < 0 < high and not within else []
        if not within and not middle:
            middle = [v for v in nice_ticks(low, high) if low < v < high]
        chosen = [low, high]
        for value in within + middle:
            if all(abs(value - other) / (high - low) * height > line for other in chosen):
                chosen.append(value)
        return sorted(chosen)


class Key(NamedTuple):
    """What colors mean: color bars, and the names of a legend with their colors."""

    bars: Sequence[Bar] = ()
    entries: Sequence[Entry] = ()


class Tones(AxesImage):
    """The colors of a bar, from below; in a PDF or SVG they are shapes that a drawing program can take up."""

    def __init__(self, ax: Axes, colors: NDArray[np.floating[Any]]) -> None:
        super().__init__(ax, interpolation="nearest", origin="lower", extent=(*ax.get_xlim(), *ax.get_ylim()))
        self.set_data(colors[:, None, :])

    def draw(self, renderer: Any) -> None:
        """Draw pixels where there are pixels, else a rectangle for each color."""
        if has_pixels(renderer):
            super().draw(renderer)
            return
        colors: Any = self.get_array()
        gc = renderer.new_gc()
        gc.set_linewidth(0)
        for n, tone in enumerate(colors[:, 0]):
            # Each reaches to the top and the next lies over it, so that no paper shines through between them.
            if n == 0 or (tone != colors[n - 1, 0]).any():
                reach = Path([(0, n / len(colors)), (1, n / len(colors)), (1, 1), (0, 1), (0, 0)], closed=True)
                renderer.draw_path(gc, reach, self.axes.transAxes.frozen(), (*tone, 1.0))
        gc.restore()
        self.stale = False


@dataclass(frozen=True)
class Sidebar:
    """What stands right of a picture: color bars, then a legend of colors."""

    frame: Frame
    bars: Sequence[Bar]
    entries: Sequence[Entry]

    def __post_init__(self) -> None:
        object.__setattr__(self, "entries", merged(self.entries))

    @property
    def width(self) -> float:
        """How much paper it takes, mm; 0 when it is empty."""
        widths = [self._bar_width(bar) for bar in self.bars]
        if self.entries:
            names = [name for name, _ in self._shown()]
            rest = [f"and {len(self.entries)} more"] if len(self.entries) > WHOLE_LEGEND else []
            widths.append(3.2 + max(self.frame.text_width(name) for name in names + rest))
        return max(widths) + GAP + 0.5 if widths else 0.0

    @property
    def least_height(self) -> float:
        """How much it needs, mm: short color bars, and a legend that is whole if it is short."""
        line = self.frame.line_height
        bars = sum(self._shortest(bar) + 2 * line for bar in self.bars)
        return bars + min(len(self.entries), WHOLE_LEGEND) * line

    def _bar_width(self, bar: Bar) -> float:
        ticks = max(self.frame.text_width(number(v)) for v in bar.ticks(20, self.frame.line_height))
        lines = len(self._label(bar, self._line))
        return BAR_WIDTH + 1.3 + ticks + (0.8 + lines * self.frame.line_height if bar.label else 0)

    @property
    def _line(self) -> float:
        return LABEL_LINE * self.frame.font_size

    def _shortest(self, bar: Bar) -> float:
        """The least length of a color bar, mm: its label is to be read."""
        words = max(map(self.frame.text_width, self._label(bar, self._line)), default=0.0)
        return max(SHORTEST_BAR, words - self.frame.line_height / 2)

    def _label(self, bar: Bar, room: float, most: int = LABEL_LINES) -> list[str]:
        """The lines of a color bar's label, at most so many in `room` mm; what is too long is cut."""
        lines = broken(self.frame, bar.label, room)
        rest = [" ".join(lines[most - 1 :])] if len(lines) >= most else []
        return [fitted(self.frame, line, room) for line in [*lines[: most - 1], *rest]]

    def _shown(self, height: float = np.inf) -> list[tuple[str, RGB | None]]:
        """The legend's lines, as many as fit in `height` beside the color bars; the last one counts the rest."""
        line = self.frame.line_height
        room = (height - sum(self._shortest(bar) + 2 * line for bar in self.bars)) / line
        most = len(self.entries)
        if most > min(room + 0.05, MAX_LEGEND):  # a page is of whole pixels
            most = int(max(0, min(room - 1, MAX_LEGEND)))
        shown: list[tuple[str, RGB | None]] = [(short(name), rgb) for name, rgb in self.entries[:most]]
        if most < len(self.entries):
            shown.append((f"and {len(self.entries) - most} more", None))
        return shown

    def draw(self, x: float, y: float, height: float) -> None:
        """Draw it with its left edge at `x`, centred in `height` from `y`."""
        if self.width == 0:
            return
        line = self.frame.line_height
        entries = self._shown(height)
        # The numbers at the ends of a bar reach half a line beyond it.
        between = max(len(self.bars) - 1, 0) * 2 * line + len(entries) * line
        between += GAP + line if self.bars and entries else 0
        each = float(np.clip((height - line - between) / max(len(self.bars), 1), 1.0, 32.0))
        top = y + (height + len(self.bars) * each + between) / 2
        room = each + line / 2 if len(self.bars) > 1 or entries else height - line / 2
        for bar in self.bars:
            self._draw_bar(bar, x + GAP, top - each, each, room)
            top -= each + 2 * line
        if entries:
            top += line - GAP if self.bars else 0
            canvas = self.frame.canvas()
            for row, (name, rgb) in enumerate(entries):
                middle = top - (row + 0.5) * line
                if rgb is not None:
                    edge: dict[str, Any] = {"edgecolor": "0.6" if min(rgb) > 0.8 else "none", "linewidth": 0.4}
                    canvas.add_artist(Rectangle((x + GAP, middle - 0.9), 1.8, 1.8, facecolor=rgb, **edge))
                canvas.text(
                    x + GAP + 3.0,
                    middle,
                    written(name),
                    va="center_baseline",
                    fontsize=self.frame.font_size,
                    color=self.frame.ink,
                )

    def _draw_bar(self, bar: Bar, x: float, y: float, height: float, room: float) -> None:
        ax = self.frame.axes(x, y, BAR_WIDTH, height)
        low, high = bar.look.clim
        alpha = bar.alpha[:, None]
        colors = bar.look.rgb(bar.values) * alpha + EMPTY * (1 - alpha)
        ax.set(xlim=(0, 1), ylim=(low, high), xticks=[])
        ax.add_image(Tones(ax, colors))
        ticks = bar.ticks(height, self.frame.line_height)
        ax.yaxis.tick_right()
        ax.set_yticks(ticks, [number(v) for v in ticks])
        ax.tick_params(
            axis="y", length=1.5, width=0.5, pad=1.2, labelsize=self.frame.font_size, labelcolor=self.frame.ink
        )
        for spine in ax.spines.values():
            spine.set(linewidth=0.5, color=self.frame.ink)
        if bar.label:
            # The label stands clear of the widest tick label, whatever the numbers.
            lines = self._label(bar, room, len(self._label(bar, self._line)))
            shift = 1.3 + max(self.frame.text_width(number(v)) for v in ticks) + 0.8
            shift += len(lines) * self.frame.line_height / 2
            ax.text(
                1 + shift / BAR_WIDTH,
                0.5,
                written("\n".join(lines)),
                linespacing=1.0,
                transform=ax.transAxes,
                rotation=90,
                ha="center",
                va="center",
                fontsize=self.frame.font_size,
                color=self.frame.ink,
            )
