"""Lettering: titles, numbers, scale bars and orientation, all matplotlib's, placed in millimetres.

A `Frame` is a rectangle of a matplotlib figure measured in paper millimetres from its lower left corner. Engines
draw into frames and know neither pages nor panels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import is_color_like, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.mathtext import MathTextParser
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from volrender.intensity import luma
from volrender.space import Camera

MM_PER_INCH = 25.4
MM_PER_POINT = MM_PER_INCH / 72
BEARING = 0.07  # mm for each point of type that a text takes beside its outline
WORD = re.compile(r"(?:\$[^$]*\$|\S)+")  # of a text with formulas
INK, CHALK = "#1a1a1a", "#f2f2f2"  # lettering on a light page, and on a dark one


def is_dark(background: Any) -> bool:
    """Whether lettering must be light to be read on a background."""
    return is_color_like(background) and float(luma(np.array(to_rgb(background)))) < 0.4


def has_pixels(renderer: Any) -> bool:
    """Whether a renderer of matplotlib's puts pixels, also those that stand in a PDF or SVG."""
    return isinstance(renderer, RendererAgg) or isinstance(getattr(renderer, "_renderer", None), RendererAgg)


@dataclass(frozen=True)
class Frame:
    """A rectangle of a figure or subfigure: `x`, `y`, `width`, `height` in paper mm from its lower left corner."""

    figure: Any
    x: float
    y: float
    width: float
    height: float
    font_size: float = 7.0
    background: Any = "white"

    @property
    def ink(self) -> str:
        """The color of lettering that can be read on the background."""
        return CHALK if is_dark(self.background) else INK

    @staticmethod
    def whole(figure: Any, font_size: float = 7.0, background: Any = "white") -> Frame:
        """The frame of a whole figure or subfigure."""
        mm = MM_PER_INCH / figure.dpi
        return Frame(figure, 0, 0, figure.bbox.width * mm, figure.bbox.height * mm, font_size, background)

    @staticmethod
    def paperless(width: float, font_size: float = 7.0, background: Any = "white") -> Frame:
        """A frame to measure text in, before there is a figure."""
        return Frame(_blank(), 0, 0, width, width, font_size, background)

    def part(self, x: float, y: float, width: float, height: float) -> Frame:
        """A rectangle inside this one, measured from its lower left corner."""
        return Frame(self.figure, self.x + x, self.y + y, width, height, self.font_size, self.background)

    def _fraction(self, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
        mm = MM_PER_INCH / self.figure.dpi
        w, h = self.figure.bbox.width * mm, self.figure.bbox.height * mm
        return (self.x + x) / w, (self.y + y) / h, width / w, height / h

    def axes(self, x: float, y: float, width: float, height: float, projection: str | None = None) -> Axes:
        """New matplotlib axes at a place in this frame, without a ground of their own."""
        if width <= 0 or height <= 0:
            raise ValueError("the panel is too small for its lettering: give it more width, or smaller type")
        place = self._fraction(x, y, width, height)
        return self.figure.add_axes(place, projection=projection, facecolor="none")  # type: ignore[no-any-return]

    def move(self, ax: Axes) -> None:
        """Move axes to this frame."""
        ax.set_position(self._fraction(0, 0, self.width, self.height))

    def canvas(self) -> Axes:
        """Invisible axes over the whole frame whose data units are paper mm."""
        ax = self.axes(0, 0, self.width, self.height)
        ax.set_zorder(5)
        ax.set_axis_off()
        ax.set(xlim=(0, self.width), ylim=(0, self.height))
        return ax

    def picture(self, x: float, y: float, width: float, height: float) -> tuple[Axes, tuple[int, int]]:
        """Bare axes that cover whole pixels of the figure, and how many: an image drawn there is not resampled."""
        px = self.figure.dpi / MM_PER_INCH
        left, bottom = round((self.x + x) * px), round((self.y + y) * px)
        right, top = round((self.x + x + width) * px), round((self.y + y + height) * px)
        size = (max(1, right - left), max(1, top - bottom))
        ax = self.axes(left / px - self.x, bottom / px - self.y, size[0] / px, size[1] / px)
        ax.set_axis_off()
        ax.set(xlim=(0, size[0]), ylim=(0, size[1]))
        return ax, size

    @property
    def dots_per_mm(self) -> float:
        """Pixels of the figure in one paper mm."""
        return float(self.figure.dpi / MM_PER_INCH)

    @property
    def line_height(self) -> float:
        """The height of a line of text, mm."""
        return self.font_size * MM_PER_POINT * 1.3

    def text_width(self, text: str) -> float:
        """The width of a text, mm, with what its letters keep free at both ends."""
        width = _points(text, self.font_size) * MM_PER_POINT
        return width + BEARING * self.font_size if width else 0.0


@cache
def _blank() -> Figure:
    return Figure()


class Raster(AxesImage):
    """Pixels (height, width, 4), uint8, that fill axes; drawn as they are where the axes have as many on paper."""

    def __init__(self, ax: Axes, pixels: NDArray[np.uint8]) -> None:
        super().__init__(ax, interpolation="none", origin="upper")
        self.set_data(pixels)
        self.set_extent((*ax.get_xlim(), *ax.get_ylim()))
        ax.add_image(self)

    def make_image(self, renderer: Any, magnification: float = 1.0, unsampled: bool = False) -> Any:
        """Matplotlib's resampling takes longer than all else, and is the identity here."""
        pixels, place = np.asarray(self.get_array()), self.axes.bbox
        left, bottom, width, height = (round(side * magnification) for side in place.bounds)
        if unsampled or (width, height) != pixels.shape[1::-1]:
            return super().make_image(renderer, magnification, unsampled)
        return np.ascontiguousarray(pixels[::-1]), left, bottom, None


@lru_cache(maxsize=1024)
def _points(text: str, size: float) -> float:
    if not text.strip():
        return 0.0
    outline = TextPath((0, 0), written(text), prop=FontProperties(family="DejaVu Sans", size=size))
    # Between the points that curves are drawn by, as letters have some at their sides: ten times as fast as extents.
    return float(np.ptp(outline.vertices[outline.codes != TextPath.CLOSEPOLY, 0]))


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round values within two limits: about `count`, and two where there is a choice.

    Examples
    --------
    >>> nice_ticks(-78.2, 114.7)
    [-50.0, 0.0, 50.0, 100.0]
    """
    for bins in (count, count + 1, count + 2):
        values = MaxNLocator(nbins=bins, steps=[1, 2, 5, 10], min_n_ticks=1).tick_values(low, high)
        within = [float(v) + 0.0 for v in values if low <= v <= high]
        if len(within) > 1:
            break
    return within


def round_length(value: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that does not exceed `value`.

    Examples
    --------
    >>> round_length(37.0), round_length(0.19)
    (20.0, 0.1)
    """
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(m * power for m in (5.0, 2.0, 1.0) if m * power <= value * (1 + 1e-9)))


def number(value: float) -> str:
    """A value as a tick label: three digits at most, a true minus sign."""
    text = f"{value:.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3g}"
    return text.replace("-", "−")


def short(text: str, most: int = 26) -> str:
    """The text, cut with an ellipsis where it is too long."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def scale_bar(canvas: Axes, x: float, y: float, room: float, scale: float, font_size: float, ink: str = INK) -> float:
    """Draw a scale bar from (x, y), at most `room` paper mm long; 1 paper mm is `scale` world mm. Its world mm."""
    world = round_length(room * scale)
    length = world / scale
    canvas.add_line(Line2D([x, x + length], [y, y], color=ink, linewidth=1.2, solid_capstyle="butt"))
    label = f"{world:g} mm"
    middle = x + max(length, _points(label, font_size) * MM_PER_POINT) / 2
    canvas.text(middle, y + 0.7, label, ha="center", va="bottom", fontsize=font_size, color=ink)
    return world


def compass(canvas: Axes, x: float, y: float, camera: Camera, length: float, font_size: float, ink: str = INK) -> None:
    """Draw where right, anterior and superior lie, as lines with letters at their ends, all of it centred on (x, y).

    An axis that points away from the viewer or at them is left out when it is too short to be read.
    """
    flat = camera.axes[:2]
    shown: list[tuple[str, NDArray[np.float64]]] = []
    for w in np.argsort(-np.hypot(*flat)):
        step = flat[:, w]
        if np.hypot(*step) < 0.25:
            continue
        # A letter needs room: a foreshortened axis beside another's line is turned round to its opposite letter.
        letter = "RAS"[w]
        if any(_beside(step, other) for _, other in shown):
            step, letter = -step, "LPI"[w]
        shown.append((letter, step))
    beyond = 0.6 * font_size * MM_PER_POINT
    letters = np.array([step * (length + beyond / np.hypot(*step)) for _, step in shown])
    start = (x, y) - (np.minimum(letters.min(axis=0), 0) + np.maximum(letters.max(axis=0), 0)) / 2
    for (letter, step), place in zip(shown, start + letters):
        end = start + step * length
        canvas.add_line(Line2D([start[0], end[0]], [start[1], end[1]], color=ink, linewidth=0.7))
        canvas.text(place[0], place[1], letter, ha="center", va="center", fontsize=font_size, color=ink)


def tidy(ax: Axes, font_size: float, ink: str, side: str = "left") -> None:
    """Fine lines and ticks, numbers of one size, and no frame but a side and the bottom."""
    ax.tick_params(labelsize=font_size, width=0.5, length=2, pad=1.5)
    ax.tick_params(axis="both" if side == "left" else "y", colors=ink)
    ax.tick_params(axis="x", pad=2.5)  # the last number is clear of the other axis' first
    shown = (side, "bottom") if side == "left" else (side,)
    for name, spine in ax.spines.items():
        spine.set(linewidth=0.5, visible=name in shown, color=ink)


def _beside(step: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether the letter at the end of one axis would lie on the line or the letter of another, longer one."""
    off = abs(step[0] * other[1] - step[1] * other[0]) / np.hypot(*other)
    return bool(np.hypot(*(step - other)) < 0.45 or (step @ other > 0 and off < 0.2))


def title_height(frame: Frame, text: str) -> float:
    """The height (mm) that a title takes, 0 if there is none."""
    return len(_title_lines(frame, text)) * frame.line_height + 0.8 if text else 0.0


def title(frame: Frame, text: str) -> None:
    """Write a title at the top of its frame, centred, in as many lines as it takes."""
    canvas = frame.canvas()
    style: dict[str, Any] = {"fontsize": frame.font_size, "color": frame.ink}
    for n, line in enumerate(_title_lines(frame, text)):
        y = frame.height - 0.4 - n * frame.line_height
        canvas.text(frame.width / 2, y, written(line), ha="center", va="top", **style)


def _title_lines(frame: Frame, text: str) -> list[str]:
    return [fitted(frame, line, frame.width) for line in broken(frame, text, frame.width - 1)]


def broken(frame: Frame, text: str, room: float) -> list[str]:
    """A text in lines that are no wider than `room` mm, broken between words where it can be."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in WORD.findall(paragraph) if is_math(paragraph) else paragraph.split():
            longer = f"{line} {word}".strip()
            if line and frame.text_width(longer) > room:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def fitted(frame: Frame, text: str, room: float) -> str:
    """A text cut with an ellipsis where it is longer than `room` mm; a unit in brackets stays."""
    if frame.text_width(text) <= room or is_math(text):
        return text
    name, bracket, unit = text.rpartition(" (")
    name, unit = (name, bracket + unit) if bracket else (text, "")
    cuts = (short(name, most) + unit for most in range(len(name) - 1, 0, -1))
    return next((cut for cut in cuts if frame.text_width(cut) <= room), "")


def is_math(text: str) -> bool:
    r"""Whether a text has formulas in matplotlib's way: between dollars, with a command, an index or a power.

    Examples
    --------
    >>> is_math(r"$\beta$ of $x_1$"), is_math("costs $5 and $6_x"), is_math(r"a $\frac{$ b")
    (True, False, False)
    """
    parts = text.split("$")
    if len(parts) < 3 or len(parts) % 2 == 0 or not all(set("\\^_") & set(part) for part in parts[1::2]):
        return False
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return False
    return True


def written(text: str) -> str:
    """A text as matplotlib is to be given it, which takes a dollar for the begin of a formula."""
    return text if is_math(text) else text.replace("$", r"\$")
