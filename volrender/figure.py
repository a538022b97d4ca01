"""A figure: rows of panels on a journal's page, lettered a, b, c.

The panels of a row get the widths at which they are equally high, so that nothing is stretched and little is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from volrender.draw.annotate import Frame
from volrender.page import Printable, as_background, as_width
from volrender.panel import Panel
from volrender.panels import as_panel
from volrender.words import our_words

BETWEEN = 4.0  # mm between panels


@our_words
class Figure(Printable):
    """Rows of panels at a journal's width.

    Parameters
    ----------
    rows : list of lists of panels
        Or one list, for a single row. A volume or a layer becomes its `Slices`.
    width : "single" (89 mm), "1.5" (120), "double" (183) or mm
    letters : bool
        Whether the panels are lettered.
    font_size : float
        Points; the same at any width and resolution.
    background : color or "transparent"

    Examples
    --------
    >>> import volrender as vr
    >>> head = vr.sample("mni152")
    >>> page = vr.Figure([[vr.Slices(head, z=[0, 30]), vr.Histogram(head)]], width="double")
    >>> page.usual_width
    183.0
    """

    def __init__(
        self,
        rows: Sequence[Any],
        *,
        width: str | float = "double",
        letters: bool = True,
        font_size: float = 7.0,
        background: Any = "white",
    ) -> None:
        if not isinstance(rows, (list, tuple)) or not rows:
            raise TypeError(f"Figure takes rows of panels, [[a, b], [c]]; got {rows!r}")
        nested = [row if isinstance(row, (list, tuple)) else [row] for row in rows]
        if not any(isinstance(row, (list, tuple)) for row in rows):
            nested = [list(rows)]
        if not all(nested):
            raise ValueError("every row of a Figure must hold a panel; got an empty one")
        self.rows: list[list[Panel]] = [[as_panel(item) for item in row] for row in nested]
        self.width = as_width(width)
        self.letters = letters
        if not isinstance(font_size, (int, float)) or not 3 <= font_size <= 30:
            raise ValueError(f"font_size must be between 3 and 30 points; got {font_size}")
        self.font_size = float(font_size)
        self.background = as_background(background)

    def __repr__(self) -> str:
        return f"<Figure: {self.width:g} mm, {' / '.join(str(len(row)) for row in self.rows)} panels>"

    @property
    def usual_width(self) -> float:
        """The width (mm) that the figure was made with."""
        return self.width

    def _widths(self, row: Sequence[Panel], width: float) -> list[float]:
        """Widths (mm) at which the panels of a row are equally high, none under a third of its fair share."""
        room = width - BETWEEN * (len(row) - 1)
        widths = np.full(len(row), room / len(row))
        for _ in range(8):
            ratios = np.array([panel.height(w, self.font_size) / w for panel, w in zip(row, widths)])
            wanted = np.maximum(1 / ratios, (1 / ratios).sum() / (3 * len(row)))
            widths = room * wanted / wanted.sum()
        return [float(w) for w in widths]

    def _head(self) -> float:
        return self.font_size * 0.45 + 1.2 if self.letters else 0.0

    def _row_height(self, row: Sequence[Panel], width: float) -> float:
        return max(panel.height(w, self.font_size) for panel, w in zip(row, self._widths(row, width)))

    def height(self, width: float, font_size: float = 7.0) -> float:
        """The height (mm) of all rows."""
        rows = sum(self._row_height(row, width) + self._head() for row in self.rows)
        return rows + BETWEEN * (len(self.rows) - 1)

    def compose(self, frame: Frame) -> None:
        """Draw every panel into its place, and the letters."""
        canvas = frame.canvas()
        top, number = frame.height, 0
        for row in self.rows:
            height = self._row_height(row, frame.width)
            left = 0.0
            for panel, width in zip(row, self._widths(row, frame.width)):
                # A figure letter is bold and a point larger than the text, as journals set it.
                if self.letters:
                    letter = chr(ord("a") + number % 26)
                    style: dict[str, Any] = {"fontsize": self.font_size + 1, "fontweight": "bold", "color": frame.ink}
                    canvas.text(left + 0.3, top - 0.3, letter, va="top", ha="left", **style)
                panel.compose(frame.part(left, top - self._head() - height, width, height))
                left += width + BETWEEN
                number += 1
            top -= self._head() + height + BETWEEN
