"""A panel that the user draws: a function of matplotlib axes, or of a subfigure, at its place on the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, permutations
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import FigureBase, SubFigure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from volrender.affines import Floats
from volrender.draw.annotate import INK, MM_PER_INCH, MM_PER_POINT, Frame, broken, fitted
from volrender.page import UNHINTED, as_background
from volrender.panel import Panel
from volrender.space import finite
from volrender.words import as_text, our_words

TARGETS = ("axes", "subfigure")
EDGE = 0.3  # mm left free at the sides
ROUNDS, STILL = 9, 1e-3  # until nothing moves by more than this part of the whole
NEXT_TO_NOTHING = 1e-6  # mm
SLANTED = 1.5  # lines that names have from one to the next where they are turned by half a right angle
APART = 0.2  # lines between numbers beside one another
NAMES = 0.4  # of a panel's height or width, that the name of an axis takes at most
LINES = 1.5  # lines that axes which give way to others are high and wide at least
TOO_SMALL = "the drawing is too small for its lettering: give it more width or a larger ratio, or smaller type"
LOW = 7.0  # lines of text that it is high at least


@our_words
class Drawing(Panel):
    """A panel of the user's own: a function that draws with matplotlib.

    Its axes are moved and scaled until all that belongs to them, numbers and names included, lies within the panel;
    names that are longer than their axes are broken into lines. Numbers that would lie over one another are thinned,
    the names of bars broken or turned.

    Parameters
    ----------
    function : callable
        Called with matplotlib axes, or with a subfigure, in the figure's type size and line widths.
    on : {"axes", "subfigure"}
        What the function draws on.
    ratio : float
        Height over width of the panel, 0.05 to 20; it is seven lines of text high at least.
    title : str
    background : color or "transparent"

    Examples
    --------
    >>> import volrender as vr
    >>> curve = vr.Drawing(lambda ax: ax.plot([0, 1, 0]), ratio=0.5)
    >>> vr.Figure([[vr.Histogram(vr.sample("mni152")), curve]])
    <Figure: 183 mm, 2 panels>
    """

    elastic = True
    least = 5.0

    def __init__(
        self,
        function: Callable[[Any], object],
        *,
        on: str = "axes",
        ratio: float = 0.62,
        title: str = "",
        background: Any = "white",
    ) -> None:
        if not callable(function):
            raise TypeError(f"Drawing needs a function of matplotlib axes; got {type(function).__name__}")
        if on not in TARGETS:
            raise ValueError(f"on must be {' or '.join(TARGETS)}; got {on!r}")
        if not 0.05 <= finite(ratio, "ratio") <= 20:
            raise ValueError(f"ratio must be 0.05 to 20; got {ratio}")
        self.layers = ()
        self.function = function
        self.on = on
        self.ratio = float(ratio)
        self.title = as_text(title, "title")
        self.colorbar = False
        self.background = as_background(background)
        self.font_size = 7.0

    def __repr__(self) -> str:
        return f"<Drawing: {self.name}>"

    @property
    def name(self) -> str:
        """The function's own name."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    @property
    def said(self) -> str:
        """Its function's name, unless there is a title."""
        return "" if self.title else f"Plot drawn by {self.name}."

    def _body(self, frame: Frame) -> float:
        return max(self.ratio * frame.width, LOW * frame.line_height)

    def draw(self, target: Axes | FigureBase) -> None:
        """Draw into a figure or subfigure, or straight onto the user's axes."""
        if isinstance(target, Axes) and self.on == "axes":
            self.function(target)
        else:
            super().draw(target)

    def _picture(self, frame: Frame, most: float) -> None:
        """Let the function draw, and bring what it drew to its place."""
        part = subfigure(frame)
        with rc_context(_inks(frame)):
            self.function(part.subplots() if self.on == "axes" else part)
        for axis in (axis for ax in part.axes for axis in (ax.xaxis, ax.yaxis)):
            # Said here, or matplotlib chooses the ticks by the user's settings when it draws.
            axis.set_tick_params(labelsize=axis.get_tick_params().get("labelsize", frame.font_size))
        with rc_context(UNHINTED):
            _fit(part, frame)


def subfigure(frame: Frame) -> SubFigure:
    """A subfigure that covers the frame, clear of ground."""
    mm = MM_PER_INCH / frame.figure.dpi
    whole = [frame.figure.bbox.width * mm, frame.figure.bbox.height * mm]
    # Matplotlib's constrained layout divides by what lies beside it.
    across = np.maximum([frame.x, frame.width, whole[0] - frame.x - frame.width], NEXT_TO_NOTHING)
    down = np.maximum([whole[1] - frame.y - frame.height, frame.height, frame.y], NEXT_TO_NOTHING)
    grid = frame.figure.add_gridspec(3, 3, width_ratios=across, height_ratios=down)
    part: SubFigure = frame.figure.add_subfigure(grid[1, 1], facecolor="none")
    return part


def _inks(frame: Frame) -> Any:
    """Matplotlib's settings for lines and letters that can be read on the page."""
    words = ("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color")
    dark = {"legend.facecolor": frame.background} if frame.ink != INK else {}
    return dict.fromkeys(words, frame.ink) | dark | {"axes.facecolor": "none"}


def _fit(part: SubFigure, frame: Frame) -> None:
    """Move and scale the axes so that they and all that belongs to them fill the subfigure, beside its own texts.

    Names are broken into lines: those along x as long as the axes then are, so that those along y, which may be as long
    as the subfigure is high, meet none of them at a corner.
    """
    if not part.axes:
        return
    low, high = _room(part)
    names = [(ax, {text: text.get_text() for text in (ax.title, ax.xaxis.label, ax.yaxis.label)}) for ax in part.axes]
    taken = np.zeros((2, 2))  # what numbers and names take before and after the axes
    for _ in range(ROUNDS):
        places = [ax.get_position(original=True).get_points() for ax in part.axes]
        first, last = np.min([place[0] for place in places], axis=0), np.max([place[1] for place in places], axis=0)
        for (ax, said), place in zip(names, places):
            across, up = (place[1] - place[0]) * [frame.width, (frame.height - 2 * EDGE - 1.0) / (last - first)[1]]
            _break(ax, said, frame, float(across), float(up))
        drawn = [box.get_points() for ax in part.axes if ax.get_visible() and (box := ax.get_tightbbox()) is not None]
        inside = [part.transSubfigure.transform(ax.get_position().get_points()) for ax in part.axes]
        beside = np.array(
            [np.min(inside, axis=0)[0] - np.min(drawn, axis=0)[0], np.max(drawn, axis=0)[1] - np.max(inside, axis=0)[1]]
        )
        # Numbers change with space: some take turns.
        wanted = np.array([low, high]) + [[1], [-1]] * np.maximum(beside, taken)
        taken = beside
        if (wanted[1] <= wanted[0]).any():
            raise ValueError(TOO_SMALL)
        start, end = part.transSubfigure.inverted().transform(wanted)
        for ax, place in zip(part.axes, places):
            ax.set_position(Bbox((place - first) / (last - first) * (end - start) + start), which="both")
            _hold(ax, float(low[1]), float(high[1]))
        changed = [_clear(axis, frame) for ax in part.axes for axis in (ax.xaxis, ax.yaxis)]
        changed += [_part_from_power(ax.xaxis, frame) for ax in part.axes]
        changed += [_part_ways(part, frame), np.abs(np.array([start, end]) - [first, last]).max() >= STILL]
        if not any(changed):
            return


def _clear(axis: Axis, frame: Frame) -> bool:
    """Thin numbers that lie over one another, break or turn names below the axes; whether there were any."""
    texts, k = axis.get_majorticklabels(), int(axis is axis.axes.yaxis)
    ends = sorted(text.get_window_extent().get_points()[:, k].tolist() for text in texts if text.get_text())
    turned = any(text.get_rotation() for text in texts)
    apart = 0 if k else APART * frame.line_height * frame.dots_per_mm  # the height of a line holds what lines keep free
    if turned or all(a[1] + apart <= b[0] for a, b in pairwise(ends)):
        return False
    locator = axis.get_major_locator()
    if isinstance(locator, MaxNLocator):
        locator.set_params(nbins=max(len(texts) // 2, 1), min_n_ticks=1)
        return len(texts) > 2
    if k:
        return False
    written = replace(frame, font_size=float(texts[0].get_fontsize()))
    room = min(sum(b) - sum(a) for a, b in pairwise(ends)) / 2 / frame.dots_per_mm
    names = ["\n".join(broken(written, text.get_text(), 0.9 * room)) for text in texts]
    if max(written.text_width(line) for name in names for line in name.splitlines()) < room:
        axis.set_ticks(axis.get_majorticklocs(), names)
        return True
    for text in texts:
        if room < SLANTED * written.line_height:
            text.set(rotation=90)
        else:
            text.set(rotation=45, ha="right", rotation_mode="anchor")
    return True


def _part_from_power(axis: Axis, frame: Frame) -> bool:
    """Move a name away from the power of ten of its numbers where it lies on it; whether it did."""
    power, name = (text.get_window_extent() for text in (axis.get_offset_text(), axis.label))
    if not power.width or not name.width or not power.overlaps(name):
        return False
    away = min(name.y1 - power.y0, power.y1 - name.y0) / frame.dots_per_mm + NEXT_TO_NOTHING
    axis.labelpad += away / MM_PER_POINT
    return True


def _part_ways(part: SubFigure, frame: Frame) -> bool:
    """Shrink axes whose numbers and names lie over those of others beside or below them; whether there were any."""
    shown = [ax for ax in part.axes if ax.get_visible()]
    places = np.array([part.transSubfigure.transform(ax.get_position().get_points()) for ax in shown])
    drawn = np.array([(ax.get_tightbbox() or ax.bbox).get_points() for ax in shown])
    moved = places.copy()
    for (n, one), (m, other) in permutations(enumerate(places), 2):
        for k in (0, 1):
            beside = drawn[[n, m], :, 1 - k]
            over = drawn[n, 1, k] - drawn[m, 0, k]
            if one[1, k] <= other[0, k] and over > 0 and beside[:, 0].max() < beside[:, 1].min():
                # All that end, or begin, at one line do so afterwards.
                for end, line, way in ((1, one[1, k], -1), (0, other[0, k], 1)):
                    same = np.abs(places[:, end, k] - line) < 1
                    step = line + way * (over / 2 + 1)
                    moved[same, end, k] = (np.minimum if end else np.maximum)(moved[same, end, k], step)
    changed = bool((moved != places).any())
    if changed and (moved[:, 1] - moved[:, 0]).min() < LINES * frame.line_height * frame.dots_per_mm:
        raise ValueError(TOO_SMALL)
    for ax, place in zip(shown if changed else (), moved):
        ax.set_position(Bbox(part.transSubfigure.inverted().transform(place)), which="both")
    return changed


def _break(ax: Axes, said: dict[Text, str], frame: Frame, across: float, up: float) -> None:
    """Break what the names of axes say into lines of `across` and `up` mm, unless the user has.

    They take less than half of the panel: what is longer is cut.
    """
    for text, words in said.items():
        room, whole = (up, frame.width) if text is ax.yaxis.label else (across, frame.height)
        written = replace(frame, font_size=float(text.get_fontsize()))
        if "\n" not in words:
            lines = broken(written, words, room) if written.text_width(words) > room else [words]
            most = max(int(NAMES * whole / written.line_height), 1)
            rest = [fitted(written, " ".join(lines[most - 1 :]), room)] if len(lines) > most else lines[most - 1 :]
            text.set_text("\n".join([*lines[: most - 1], *rest]))


def _hold(ax: Axes, low: float, high: float) -> None:
    """Keep the name along y, which may be longer than the axes, between two heights (pixels)."""
    label = ax.yaxis.label
    box, height = label.get_window_extent(), ax.get_window_extent().height
    away = max(low - box.y0, 0.0) + min(high - box.y1, 0.0)
    if label.get_text() and height:
        label.set_y(label.get_position()[1] + away / height)


def _room(part: SubFigure) -> tuple[Floats, Floats]:
    """The corners (pixels) of what the subfigure's own texts, such as a title over all axes, leave of it."""
    edge = EDGE / MM_PER_INCH * part.dpi
    low, high = np.array(part.bbox.min) + edge, np.array(part.bbox.max) - edge
    for text in part.texts:
        box = text.get_window_extent().get_points()
        beside = np.array([box[1] - low, high - box[0]])  # what each side would lose
        side, axis = np.unravel_index(int(np.argmin(beside)), (2, 2))
        if side == 0:
            low[axis] = max(low[axis], box[1, axis] + edge)
        else:
            high[axis] = min(high[axis], box[0, axis] - edge)
    return low, high
