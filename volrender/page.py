"""Paper: millimetres, dots per inch, and files that are written beside and then renamed.

`Printable` is what a panel and a figure have in common. It composes a fresh matplotlib figure at a given width and
resolution, so that everything in it, a rendered scene too, has exactly the pixels of its place.
"""

from __future__ import annotations

import io as streams
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib import rc_context, style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import is_color_like
from matplotlib.figure import Figure as MplFigure

from volrender.draw.annotate import MM_PER_INCH, Frame
from volrender.io import write_beside

WIDTHS = {"single": 89.0, "1.5": 120.0, "double": 183.0}
FORMATS = ("png", "pdf", "svg")
TRANSPARENT = "transparent"
PACKED = 2  # of 9: a third of the time of the usual 6, for files a fifth larger
STYLE: dict[str, Any] = {
    "axes.linewidth": 0.5,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "hatch.linewidth": 0.5,
    "lines.linewidth": 0.8,
    "mathtext.default": "regular",
    "path.simplify": True,
    "pdf.fonttype": 42,
    "savefig.facecolor": "auto",
    "svg.fonttype": "none",
    "svg.hashsalt": "volrender",
}


def as_width(width: str | float) -> float:
    """A width in mm from a journal's word ("single", "1.5", "double") or a number.

    Examples
    --------
    >>> as_width("single"), as_width(100)
    (89.0, 100.0)
    """
    if isinstance(width, str) and width in WIDTHS:
        return WIDTHS[width]
    try:
        mm = float(width)
    except (TypeError, ValueError):
        mm = 0.0
    if not 10 <= mm <= 2000:
        raise ValueError(f"width must be {', '.join(WIDTHS)}, or 10 to 2000 mm; got {width!r}")
    return mm


def as_dpi(dpi: float) -> float:
    """A checked resolution."""
    try:
        value = float(dpi)
    except (TypeError, ValueError):
        value = 0.0
    if not 30 <= value <= 2400:
        raise ValueError(f"dpi must be between 30 and 2400; got {dpi!r}")
    return value


def as_background(value: Any) -> Any:
    """A checked background: "transparent", or any matplotlib color."""
    if value != TRANSPARENT and not is_color_like(value):
        raise ValueError(f"background must be 'transparent' or a matplotlib color; got {value!r}")
    return value


def as_target(path: str | os.PathLike[str]) -> Path:
    """A checked output path: its folder exists and its ending is one that can be written."""
    target = Path(path)
    if target.suffix.lower().lstrip(".") not in FORMATS:
        got = target.suffix or "no extension"
        raise ValueError(f"{target}: the extension must be one of .{', .'.join(FORMATS)}; got {got}")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target.parent}: the output folder does not exist")
    return target


class Printable(ABC):
    """What can be printed: a panel, or a figure of panels."""

    background: Any
    font_size: float

    @property
    @abstractmethod
    def usual_width(self) -> float:
        """The width (mm) when none is asked for."""

    @abstractmethod
    def height(self, width: float, font_size: float = 7.0) -> float:
        """The height (mm) that suits a width (mm), with text of `font_size` points."""

    @abstractmethod
    def compose(self, frame: Frame) -> None:
        """Draw into a frame of paper."""

    def figure(self, width: str | float | None = None, dpi: float = 150) -> MplFigure:
        """Draw a matplotlib figure.

        Parameters
        ----------
        width : "single" (89 mm), "1.5" (120), "double" (183) or mm, optional
        dpi : float

        Returns
        -------
        matplotlib.figure.Figure
            Not known to pyplot; it goes when its last reference does.
        """
        mm = self.usual_width if width is None else as_width(width)
        dpi = as_dpi(dpi)
        with drawing(self.font_size):
            tall = self.height(mm, self.font_size)
            inches = [round(side / MM_PER_INCH * dpi) / dpi for side in (mm, tall)]
            clear = self.background == TRANSPARENT
            page = MplFigure(figsize=(inches[0], inches[1]), dpi=dpi, facecolor="none" if clear else self.background)
            FigureCanvasAgg(page)
            self.compose(Frame.whole(page, self.font_size, self.background))
        return page

    def save(self, path: str | os.PathLike[str], *, width: str | float | None = None, dpi: float = 300) -> None:
        """Write a PNG, PDF or SVG of exact size; an existing file stays whole until the new one is complete.

        Parameters
        ----------
        path : path
            Ending in .png, .pdf or .svg, in a folder that exists.
        width : "single" (89 mm), "1.5" (120), "double" (183) or mm, optional
        dpi : float
            Of a PNG, and of the pictures inside a PDF or SVG.
        """
        target = as_target(path)
        kind = target.suffix.lower().lstrip(".")
        page = self.figure(width, dpi)
        # Without a date the same figure gives the same bytes.
        stamp = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[kind]
        with drawing(self.font_size):
            pixels: dict[str, Any] = {"pil_kwargs": {"compress_level": PACKED}} if kind == "png" else {}
            write_beside(target, lambda file: page.savefig(file, format=kind, dpi=page.dpi, metadata=stamp, **pixels))

    def show(self) -> None:
        """Show it: in a notebook inline, elsewhere in the system's picture viewer."""
        try:
            from IPython import get_ipython

            inline = get_ipython() is not None
        except ImportError:
            inline = False
        if inline:
            from IPython.display import display

            display(self)
            return
        from PIL import Image

        Image.open(streams.BytesIO(self._repr_png_())).show()

    def _repr_png_(self) -> bytes:
        page = self.figure(dpi=150)
        buffer = streams.BytesIO()
        with drawing(self.font_size):
            page.savefig(buffer, format="png", dpi=page.dpi)
        return buffer.getvalue()


@contextmanager
def drawing(font_size: float) -> Iterator[None]:
    """Draw in the house style, whatever the user's own matplotlib settings are, and leave those as they were."""
    with rc_context(), style.context(["default", {**STYLE, "font.size": font_size}]):
        yield
