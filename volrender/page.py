"""Paper: millimetres, dots per inch, and files that are written beside and then renamed.

`Printable` is what a panel and a figure have in common. It composes a fresh matplotlib figure at a given width and
resolution, so that everything in it, a rendered scene too, has exactly the pixels of its place.
"""

from __future__ import annotations

import io as streams
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from matplotlib import rc_context, style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import is_color_like
from matplotlib.figure import Figure as MplFigure
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text
from numpy.typing import NDArray

from volrender import rasters
from volrender import recipe as recipes
from volrender.draw.annotate import MM_PER_INCH, Frame
from volrender.io import write_beside
from volrender.io.files import warn
from volrender.version import __version__

WIDTHS = {"single": 89.0, "1.5": 120.0, "double": 183.0}
FORMATS = ("png", "pdf", "svg", "tif", "tiff")
TALLEST = 420.0  # mm; higher than any printed page is
RASTERS = ("png", "tif", "tiff")
MOST_PIXELS = 600_000_000  # of a page: A0 at 600 dpi, 2.4 GB while it is drawn
TRANSPARENT = "transparent"
SOFTWARE = {"Software": f"volrender {__version__}"}
UNHINTED: Any = {"text.hinting": "no_hinting"}
STYLE: dict[str, Any] = {
    "axes.linewidth": 0.5,
    "axes.titlesize": "medium",
    "figure.facecolor": "white",
    "figure.titlesize": "medium",
    "font.family": "DejaVu Sans",
    "hatch.linewidth": 0.5,
    "lines.linewidth": 0.8,
    "mathtext.default": "regular",
    "path.simplify": True,
    "pdf.fonttype": 42,
    "savefig.facecolor": "auto",
    "svg.fonttype": "none",
    "svg.hashsalt": "volrender",
    "xtick.major.size": 2.0,
    "xtick.major.width": 0.5,
    "ytick.major.size": 2.0,
    "ytick.major.width": 0.5,
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


class Page(MplFigure):
    """A page on which letters are as wide as in print at any resolution: hinted ones are a tenth off at 90 dpi."""

    def draw(self, renderer: Any) -> None:
        """Draw all that is on it."""
        with rc_context(UNHINTED):
            super().draw(renderer)


class TooNarrow(ValueError):
    """A width in which lettering has no room."""


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
    def _check_width(self, width: float) -> None:
        """Refuse a width (mm) in which the lettering has no room."""

    @abstractmethod
    def compose(self, frame: Frame) -> None:
        """Draw into a frame of paper."""

    @abstractmethod
    def caption(self) -> str:
        """The legend under the picture."""

    @abstractmethod
    def alt_text(self) -> str:
        """What the picture shows, for those who cannot see it."""

    def recipe(self, *, width: str | float | None = None, dpi: float = 300, folders: str = "names") -> dict[str, Any]:
        """What the picture is made of and how, as plain values; what a PNG carries.

        Parameters
        ----------
        width : "single" (89 mm), "1.5" (120), "double" (183) or mm, optional
        dpi : float
        folders : {"names", "paths"}
            Whether files are named as they were given, or by their whole paths.
        """
        mm = self.usual_width if width is None else as_width(width)
        return self._recipe({"width": mm, "dpi": as_dpi(dpi)}, folders)

    def _recipe(self, printing: dict[str, Any], folders: str, beside: Path | None = None) -> dict[str, Any]:
        said = {"caption": self.caption(), "alt_text": self.alt_text()}
        return recipes.describe(self, printing, folders, beside) | said

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
        return self._page(mm, as_dpi(dpi), whole=True)

    def _page(self, width: float, dpi: float, *, whole: bool) -> MplFigure:
        """The page (mm), of whole pixels or exactly as large as asked for."""
        self._check_width(width)
        with drawing(self.font_size):
            sides = [side / MM_PER_INCH for side in (width, self.height(width, self.font_size))]
            if np.prod(sides) * dpi**2 > MOST_PIXELS:
                across, up = (round(side * dpi) for side in sides)
                raise ValueError(f"a page must have at most {MOST_PIXELS:,} pixels; this has {across:,} x {up:,}")
            if sides[1] * MM_PER_INCH > TALLEST:
                warn(f"the page is {sides[1] * MM_PER_INCH:.0f} mm high at a width of {width:g} mm: give it more width")
            inches = [round(side * dpi) / dpi if whole else side for side in sides]
            clear = self.background == TRANSPARENT
            page = Page(figsize=(inches[0], inches[1]), dpi=dpi, facecolor="none" if clear else self.background)
            FigureCanvasAgg(page)
            self.compose(Frame.whole(page, self.font_size, self.background))
            if missing := _missing(page):
                warn(f"the font, {STYLE['font.family']}, has no {' '.join(missing)}: an empty box stands for each")
        return page

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        width: str | float | None = None,
        dpi: float = 300,
        palette: bool = False,
        recipe: str | None = "names",
    ) -> Path:
        """Write a PNG, TIFF, PDF or SVG of exact size; an existing file stays whole until the new one is complete.

        Text is text in a PDF and an SVG, and every panel's picture is one image there.

        Parameters
        ----------
        path : path
            Ending in .png, .tif, .tiff, .pdf or .svg, in a folder that exists.
        width : "single" (89 mm), "1.5" (120), "double" (183) or mm, optional
        dpi : float
            Of a PNG or TIFF, and of the pictures inside a PDF or SVG.
        palette : bool
            Whether a PNG has 8 bits a pixel where nothing is lost by it: grays, or at most 256 colors.
        recipe : {"names", "paths", None}
            What a PNG says of how it was made, for `volrender.redo`: with files as they are seen from the picture,
            ``"../data/T1.nii.gz"``, or by their names alone where that would tell whose they are; with their whole
            paths; or nothing.

        Returns
        -------
        Path
            The file: ``save(...).stat().st_size`` is its size in bytes.
        """
        target = as_target(path)
        kind = target.suffix.lower().lstrip(".")
        mm, dpi = self.usual_width if width is None else as_width(width), as_dpi(dpi)
        page = self._page(mm, dpi, whole=kind in RASTERS)
        with drawing(self.font_size):
            if kind == "png":
                pixels = _pixels(page)
                texts = dict(SOFTWARE)
                if recipe is not None:
                    made = self._recipe({"width": mm, "dpi": dpi, "palette": palette}, recipe, target.absolute().parent)
                    texts |= {"Description": made["alt_text"], recipes.KEYWORD: recipes.as_text(made)}
                write_beside(target, lambda file: rasters.write_png(file, pixels, dpi, palette=palette, texts=texts))
            elif kind in RASTERS:
                pixels = _pixels(page)
                write_beside(target, _at_once(lambda file: rasters.write_tiff(file, pixels, dpi)))
            else:
                # Without a date the same figure gives the same bytes.
                stamp = {"Creator": SOFTWARE["Software"], "CreationDate" if kind == "pdf" else "Date": None}
                write_beside(target, _at_once(lambda file: page.savefig(file, format=kind, dpi=dpi, metadata=stamp)))
        return target

    def show(self) -> None:
        """Show it: in a notebook inline, elsewhere in the system's picture viewer."""
        if not self._shown_inline():
            from PIL import Image

            Image.open(streams.BytesIO(self._repr_png_())).show()

    def _shown_inline(self) -> bool:
        """Show it in the notebook; False outside of one."""
        try:
            from IPython import get_ipython
        except ImportError:
            return False
        if get_ipython() is None:
            return False
        from IPython.display import display

        display(self)
        return True

    def _repr_png_(self) -> bytes:
        buffer = streams.BytesIO()
        page = self.figure(dpi=150)
        with drawing(self.font_size):
            rasters.write_png(buffer, _pixels(page), page.dpi)
        return buffer.getvalue()


def _at_once(fill: Callable[[BinaryIO], Any]) -> Callable[[BinaryIO], Any]:
    """Make a file in memory and then write it: libtiff and matplotlib's PDF do not say that a disk is full."""

    def write(file: BinaryIO) -> None:
        made = streams.BytesIO()
        fill(made)
        file.write(made.getbuffer())

    return write


def _pixels(page: MplFigure) -> NDArray[np.uint8]:
    """What is drawn, (height, width, 4)."""
    canvas: Any = page.canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def _missing(page: MplFigure) -> list[str]:
    """The letters of a page in the house's font that the font does not have."""
    texts: list[Text] = [*page.texts]
    for ax in page.axes:
        texts += [*ax.texts, ax.title]
        if ax.axison:  # else its ticks are not even made
            texts += [text for axis in (ax.xaxis, ax.yaxis) for text in (axis.label, *axis.get_ticklabels())]
    said = {letter for text in texts if text.get_fontfamily() == [STYLE["font.family"]] for letter in text.get_text()}
    known = get_font(findfont(STYLE["font.family"])).get_charmap()
    return sorted(letter for letter in said if ord(letter) not in known and letter.isprintable())


@contextmanager
def drawing(font_size: float) -> Iterator[None]:
    """Draw in the house style, whatever the user's own matplotlib settings are, and leave those as they were."""
    with rc_context(), style.context(["default", {**STYLE, "font.size": font_size}]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # said once, in `_page`
        yield
