"""A figure: rows of panels on a journal's page, lettered a, b, c.

`rows` tells how the panels of a row share its width. Heights and widths that the user gives are proportions; a row that
must be lower than its panels are at the page's width becomes narrower, so that they keep their shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np

from volrender import captions, rows
from volrender.draw.annotate import Frame, title, title_height
from volrender.draw.sidebar import Key, Sidebar
from volrender.drawing import Drawing
from volrender.page import Printable, TooNarrow, as_background, as_width
from volrender.panel import Panel, too_narrow
from volrender.panels import as_panel
from volrender.rows import BETWEEN, Row
from volrender.sharing import on_page, shared
from volrender.words import as_text, our_words

SHARING = ("row", "page", "panel")
NARROWEST = 6.0  # mm for each point of type: what a panel keeps in a row that is to be low
STEPS = 31  # widths that are tried for it


@dataclass(frozen=True)
class Part:
    """A row that was asked for, or a part of one.

    Its panels, their proportions, what they share, the number of the row, and how high (mm) it is to be at most.
    """

    panels: list[Panel]
    shares: list[float] | None
    key: Key
    row: int
    most: float


@our_words
class Figure(Printable):
    """Rows of panels at a journal's width.

    Parameters
    ----------
    rows : list of lists of panels
        Or one list, for a single row. A volume or a layer becomes its `Slices`, a function of matplotlib axes a
        `Drawing`.
    width : "single" (89 mm), "1.5" (120), "double" (183) or mm
    heights : list of numbers, optional
        How high the rows are, in proportion; by default as high as their panels.
    widths : list of numbers, or a list of them for each row, optional
        How wide the panels are, in proportion; by default so that those of a row are equally high, and those that are
        to be compared have one scale. None stands for a row that is left to itself. No panel is narrower than its
        lettering: a row without room for all becomes two.
    letters : bool, "a", "A" or list of str
        How the panels are lettered.
    title : str
        A line over the page.
    colorbars : {"row", "page", "panel"}
        Where equal color bars, and legends that are mostly alike, become one: beside the row or the page.
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
        heights: Sequence[float] | None = None,
        widths: Sequence[Any] | None = None,
        letters: bool | str | Sequence[str] = True,
        title: str = "",
        colorbars: str = "row",
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
        self.rows: list[list[Panel]] = [[_as_panel(item) for item in row] for row in nested]
        self.width = as_width(width)
        self.heights = None if heights is None else _as_proportions(heights, len(self.rows), "heights", "rows")
        self.widths = _as_widths(widths, [len(row) for row in self.rows])
        self.letters = _as_letters(letters, sum(map(len, self.rows)))
        self.title = as_text(title, "title")
        if colorbars not in SHARING:
            raise ValueError(f"colorbars must be one of {', '.join(SHARING)}; got {colorbars!r}")
        if not isinstance(font_size, (int, float)) or not 3 <= font_size <= 30:
            raise ValueError(f"font_size must be between 3 and 30 points; got {font_size}")
        self.font_size = float(font_size)
        self.background = as_background(background)
        self.colorbars = colorbars
        self._laid: tuple[float, list[Row]] | None = None  # at a width (mm)

    def __repr__(self) -> str:
        return f"<Figure: {self.width:g} mm, {' / '.join(str(len(row)) for row in self.rows)} panels>"

    @property
    def usual_width(self) -> float:
        """The width (mm) that the figure was made with."""
        return self.width

    def caption(self) -> str:
        """The legend under the figure: what each panel shows, where, in which colors and limits, and what drew it."""
        panels = [panel for row in self.rows for panel in row]
        layers = [layer for panel in panels for layer in panel.located]
        cuts = [cut for panel in panels for cut in panel.cuts]
        mixed = len({cut.turned for cut in cuts} - {None}) > 1  # then each panel says its own
        said = [captions.heading(self.title)]
        for letter, panel in self._lettered():
            said += [f"{letter}, {panel.titled}" if letter else panel.titled, panel.convention if mixed else ""]
        return " ".join([*filter(None, said), captions.closing(layers, "" if mixed else captions.convention(cuts))])

    def alt_text(self) -> str:
        """What the figure shows, panel by panel, for those who cannot see it."""
        said = [f"{f'Panel {letter}: ' if letter else ''}{panel.alt_text()}" for letter, panel in self._lettered()]
        count = sum(map(len, self.rows))
        title = captions.heading(self.title)
        return f"{title} Figure of {count} panel{'s' if count > 1 else ''}. {' '.join(said)}".lstrip()

    def _lettered(self) -> Iterator[tuple[str, Panel]]:
        """Each panel with its letter, "" without."""
        return zip(self.letters or repeat(""), (panel for row in self.rows for panel in row))

    @cached_property
    def _key(self) -> Key:
        """What stands beside the page."""
        return shared([panel for row in self.rows for panel in row]) if self.colorbars == "page" else Key()

    @cached_property
    def _placed(self) -> list[tuple[list[Panel], Key]]:
        """For each row its panels, without what they share, and this."""
        keys = [shared(row) if self.colorbars == "row" else Key() for row in self.rows]
        paper = self.background
        return [([on_page(panel, paper, self._key, key) for panel in row], key) for row, key in zip(self.rows, keys)]

    def _check_width(self, width: float) -> None:
        """Refuse a page (mm) without room for the lettering of its panels."""
        frame = Frame.paperless(width, self.font_size, self.background)
        letters = iter(self.letters or repeat(""))
        for panels, key in self._placed:
            side = Sidebar(frame, *self._key).width + Sidebar(frame, *key).width
            for panel in panels:
                needed, letter = panel.narrowest(self.font_size) + side, next(letters)
                if width < needed - 1e-6:
                    which = f"the {type(panel).__name__}{f' {letter}' if letter else ''} of the Figure"
                    raise TooNarrow(too_narrow(which, needed, self.font_size, width))

    def _parts(self, frame: Frame, room: float) -> list[Part]:
        """The rows, those broken that have no room for the lettering of all their panels."""
        found = []
        for n, ((panels, key), shares) in enumerate(zip(self._placed, self.widths)):
            side = Sidebar(frame, *key).width
            parts = rows.broken(panels, room - side, self.font_size)
            for part in parts:
                own = None if shares is None else [shares[k] for k in part]
                few = [panels[k] for k in part]
                most = rows.most(few, room - side) if len(parts) > 1 else np.inf
                found.append(Part(few, own, key, n, most))
        return found

    def _row(self, part: Part, frame: Frame, room: float, most: float = np.inf) -> Row:
        """A row in the middle of `room` mm: of that width, or the widest that is no more than `most` mm high."""
        side, panels, size = Sidebar(frame, *part.key), part.panels, self.font_size
        needed = max(rows.needed(panels, size), NARROWEST * size * len(panels))
        best: Row | None = None
        for share in np.linspace(1, 0.1, STEPS):
            width = float(share) * room - side.width
            if best is not None and (width < needed or best.height <= most):
                break
            widths = rows.widths(panels, part.shares, width, size)
            head = max(panel.head(w, size) for panel, w in zip(panels, widths))
            body = max(panel.body(w, size) for panel, w in zip(panels, widths))
            height = head + max(side.least_height, body)
            if best is None or height < best.height:
                best = Row(panels, widths, (room - width - side.width) / 2, head, height, part.key, part.shares is None)
        assert best is not None
        return best

    def _layout(self, frame: Frame) -> list[Row]:
        """The rows in a frame's width, as high as they are to be.

        A page of whole pixels is a little narrower or wider than the paper that its height was measured for: its rows
        lie as they were measured.
        """
        if self._laid is None or abs(self._laid[0] - frame.width) > 1 / frame.dots_per_mm:
            self._laid = frame.width, self._lay(frame)
        return self._laid[1]

    def _lay(self, frame: Frame) -> list[Row]:
        room = frame.width - Sidebar(frame, *self._key).width
        parts = self._parts(frame, room)
        found = [self._row(part, frame, room, part.most) for part in parts]
        if self.heights is None:
            return found
        natural = [sum(row.height for part, row in zip(parts, found) if part.row == n) for n in range(len(self.rows))]
        shares = [self.heights[part.row] * row.height / natural[part.row] for part, row in zip(parts, found)]
        total = sum(natural)
        for _ in range(2):  # where a row cannot be as low as it should, all others are the higher
            found = [self._row(part, frame, room, 1.001 * share * total) for part, share in zip(parts, shares)]
            total = max(total, *(row.height / share for row, share in zip(found, shares)))
        return [replace(row, height=share * total) for row, share in zip(found, shares)]

    def _head(self, frame: Frame) -> float:
        """The height (mm) over a row that its letters take."""
        return frame.font_size * 0.45 + 1.2 if self.letters else 0.0

    def _top(self, frame: Frame) -> float:
        """The height (mm) that the page's title takes."""
        return title_height(frame, self.title) + 0.2 if self.title else 0.0

    def height(self, width: float, font_size: float = 7.0) -> float:
        """The height (mm) of all rows."""
        frame = Frame.paperless(width, self.font_size, self.background)
        tall = [row.height + self._head(frame) for row in self._layout(frame)]
        whole = sum(tall) + BETWEEN * (len(tall) - 1)
        return max(whole, Sidebar(frame, *self._key).least_height) + self._top(frame)

    def compose(self, frame: Frame) -> None:
        """Draw every panel into its place, the letters, and the color bars that panels share."""
        canvas, head, top = frame.canvas(), self._head(frame), frame.height - self._top(frame)
        letters = iter(self.letters)
        if self.title:
            title(frame, self.title)
        side = Sidebar(frame, *self._key)
        side.draw(frame.width - side.width, 0, top)
        for row in self._layout(frame):
            body = row.height - row.head
            most = rows.scales(row, self.font_size)
            for (panel, left, width), scale in zip(row.places, most):
                # A figure letter is bold and a point larger than the text, as journals set it.
                style: dict[str, Any] = {"fontsize": self.font_size + 1, "fontweight": "bold", "color": frame.ink}
                canvas.text(left + 0.3, top - 0.3, next(letters, ""), va="top", ha="left", **style)
                # The letter stands at its picture: what keeps its shape lies at the top of a row that is higher.
                tall = row.head + (body if panel.elastic else min(body, panel.body(width, self.font_size)))
                panel.place(frame.part(left, top - head - tall, width, tall), row.head, scale)
            Sidebar(frame, *row.key).draw(row.right, top - head - row.height, body)
            top -= head + row.height + BETWEEN


def _as_panel(item: Any) -> Panel:
    """A panel as it is; the panel that a function, a layer, a volume or a path stands for."""
    if callable(item) and not isinstance(item, type):
        return Drawing(item)
    return as_panel(item)


def _as_proportions(values: Any, count: int, name: str, of: str) -> list[float]:
    """Shares of a whole from `count` numbers."""
    try:
        shares = np.array([float(value) for value in values])
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be numbers, one for each of the {count} {of}; got {values!r}") from None
    if len(shares) != count or not (np.isfinite(shares) & (shares > 0)).all():
        raise ValueError(f"{name} must be numbers above 0, one for each of the {count} {of}; got {values!r}")
    return [float(share) for share in shares / shares.sum()]


def _as_widths(values: Any, counts: list[int]) -> list[list[float] | None]:
    """For each row the shares of its panels, or None; one list of numbers goes for all rows that have as many."""
    if values is None:
        return [None] * len(counts)
    if not isinstance(values, (list, tuple)) or not values:
        raise TypeError(f"widths must be a list of numbers, or one for each row; got {values!r}")
    if not any(isinstance(value, (list, tuple)) or value is None for value in values):
        if set(counts) != {len(values)}:
            given = ", ".join(map(str, counts))
            raise ValueError(f"widths must be a list for each row, of {given} panels; got {values!r}")
        values = [values] * len(counts)
    if len(values) != len(counts):
        raise ValueError(f"widths must be a list for each of the {len(counts)} rows; got {values!r}")
    return [
        None if row is None else _as_proportions(row, count, f"widths of row {n}", "panels")
        for n, (row, count) in enumerate(zip(values, counts), start=1)
    ]


def _as_letters(value: Any, count: int) -> list[str]:
    """What stands over each of the panels."""
    if isinstance(value, (list, tuple)):
        if len(value) != count or not all(isinstance(letter, str) for letter in value):
            raise ValueError(f"letters must be one text for each of the {count} panels; got {value!r}")
        return list(value)
    if value not in (True, False, "a", "A"):
        raise ValueError(f"letters must be True, False, 'a', 'A' or a list of texts; got {value!r}")
    first = ord(value if isinstance(value, str) else "a")
    return [_letter(first, n) for n in range(count)] if value else []


def _letter(first: int, n: int) -> str:
    """A to z, then aa to az, ..."""
    return (_letter(first, n // 26 - 1) if n >= 26 else "") + chr(first + n % 26)
