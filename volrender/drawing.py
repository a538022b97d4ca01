"""A panel that the user draws: a function of matplotlib axes, or of a subfigure, at its place on the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase, SubFigure
from matplotlib.transforms import Bbox

from volrender.affines import Floats
from volrender.draw.annotate import INK, MM_PER_INCH, Frame, broken
from volrender.page import as_background
from volrender.panel import Panel
from volrender.space import finite
from volrender.words import as_text, our_words

TARGETS = ("axes", "subfigure")
EDGE = 0.3  # mm left free at the sides
ROUNDS = 4


@our_words
class Drawing(Panel):
    """A panel of the user's own: a function that draws with matplotlib.

    Its axes are moved and scaled until all that belongs to them, numbers and names included, lies within the panel;
    names that are longer than their axes are broken into lines.

    Parameters
    ----------
    function : callable
        Called with matplotlib axes, or with a subfigure, in the figure's type size and line widths.
    on : {"axes", "subfigure"}
        What the function draws on.
    ratio : float
        Height over width of the panel, 0.05 to 20.
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
        return self.ratio * frame.width

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
        _break(part, frame)
        _fit(part)


def subfigure(frame: Frame) -> SubFigure:
    """A subfigure that covers the frame, clear of ground."""
    mm = MM_PER_INCH / frame.figure.dpi
    whole = [frame.figure.bbox.width * mm, frame.figure.bbox.height * mm]
    across = [frame.x, frame.width, max(whole[0] - frame.x - frame.width, 0)]
    down = [max(whole[1] - frame.y - frame.height, 0), frame.height, frame.y]
    grid = frame.figure.add_gridspec(3, 3, width_ratios=across, height_ratios=down)
    part: SubFigure = frame.figure.add_subfigure(grid[1, 1], facecolor="none")
    return part


def _inks(frame: Frame) -> Any:
    """Matplotlib's settings for lines and letters that can be read on the page."""
    words = ("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color")
    dark = {"legend.facecolor": frame.background} if frame.ink != INK else {}
    return dict.fromkeys(words, frame.ink) | dark | {"axes.facecolor": "none"}


def _break(part: SubFigure, frame: Frame) -> None:
    """Break names that are longer than their axes will be into lines."""
    places = np.array([ax.get_position(original=True).size for ax in part.axes]).reshape(-1, 2)
    whole = np.array([ax.get_position(original=True).get_points() for ax in part.axes]).reshape(-1, 2, 2)
    sides = np.array([frame.width, frame.height]) - 2 * EDGE - 1.0
    for ax, size in zip(part.axes, places):
        across, up = size / np.ptp(whole, axis=(0, 1)) * sides
        for text, room in ((ax.title, across), (ax.xaxis.label, across), (ax.yaxis.label, up)):
            written = replace(frame, font_size=float(text.get_fontsize()))
            if written.text_width(text.get_text()) > room and "\n" not in text.get_text():
                text.set_text("\n".join(broken(written, text.get_text(), room)))


def _fit(part: SubFigure) -> None:
    """Move and scale the axes so that they and all that belongs to them fill the subfigure, beside its own texts."""
    if not part.axes:
        return
    low, high = _room(part)
    before, after = np.zeros(2), np.zeros(2)  # what numbers and names take beside the axes; numbers change with space
    for _ in range(ROUNDS):
        places = [ax.get_position(original=True).get_points() for ax in part.axes]
        first, last = np.min([place[0] for place in places], axis=0), np.max([place[1] for place in places], axis=0)
        drawn = [box.get_points() for ax in part.axes if ax.get_visible() and (box := ax.get_tightbbox()) is not None]
        inside = [part.transSubfigure.transform(ax.get_position().get_points()) for ax in part.axes]
        before = np.maximum(before, np.min(inside, axis=0)[0] - np.min(drawn, axis=0)[0])
        after = np.maximum(after, np.max(drawn, axis=0)[1] - np.max(inside, axis=0)[1])
        wanted = np.array([low + before, high - after])
        if (wanted[1] <= wanted[0]).any():
            raise ValueError("the drawing is too small for its lettering: give it more width, or smaller type")
        start, end = part.transSubfigure.inverted().transform(wanted)
        for ax, place in zip(part.axes, places):
            ax.set_position(Bbox((place - first) / (last - first) * (end - start) + start), which="both")


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
