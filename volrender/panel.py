"""What the four panels share: layers, a title, a sidebar with color bars and a legend, a scale bar and directions.

A bare volume, path or nibabel image given to a panel becomes an `Intensity`, or a `LabelMap`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from itertools import combinations
from typing import Any, ClassVar, TypeGuard

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import FigureBase
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from volrender import captions, space
from volrender.color import OVERLAY, RGB, as_rgb
from volrender.cuts import Cut
from volrender.draw.annotate import Frame, compass, number, scale_bar, title, title_height
from volrender.draw.sidebar import MAX_LEGEND, Bar, Entry, Key, Sidebar
from volrender.io.files import warn
from volrender.layers import CutPlane, Intensity, Isosurface, LabelMap, Layer, is_projection
from volrender.page import TRANSPARENT, Printable, TooNarrow, as_background, drawing
from volrender.sources import load
from volrender.volume import Volume
from volrender.words import as_bool, as_text, given

FOOT = 3.0  # lines of text under a 3-D picture, for its scale bar and directions


def as_layer(item: Any) -> Layer:
    """A layer, or the default layer of a volume, path or nibabel image."""
    if isinstance(item, (Intensity, Isosurface, LabelMap, CutPlane)):
        return item
    volume = item if isinstance(item, Volume) else load(item)
    return LabelMap(volume) if volume.kind == "labels" else Intensity(volume)


def _told_apart(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers, with a colormap where another volume's intensities would be gray over gray."""
    gray = next((layer.volume for layer in layers if _is_plain(layer)), None)
    return tuple(
        replace(layer, cmap=OVERLAY) if _is_plain(layer) and layer.volume is not gray else layer for layer in layers
    )


def _is_plain(layer: Layer) -> TypeGuard[Intensity]:
    """Whether a layer is intensities without a sign that are left to be gray, or of one tone."""
    if not isinstance(layer, Intensity) or layer.blend != "composite" or layer.volume.kind != "intensity":
        return False
    return layer.cmap is None and layer.preset is None and not layer.volume.survey.signed


class Panel(Printable):
    """What the four panels share: layers, a title, a sidebar with color bars and a legend."""

    layers: tuple[Layer, ...]
    title: str
    colorbar: bool | None
    elastic: ClassVar[bool] = False  # whether it fills a place that is higher than it needs
    least: float = 2.5  # mm for each point of type, that it takes beside its color bars
    drawn_as: ClassVar[str] = "slice"  # whose opacity curves the color bars show
    elsewhere: Key = Key()  # what the figure draws for several panels
    paper: Any = None  # the background of the figure that it is a part of

    def _set_up(self, layers: Sequence[Any], title: str, colorbar: bool | None, background: Any) -> None:
        owner = type(self).__name__
        if not layers:
            raise TypeError(f"{owner} needs a layer, or a volume; got none")
        self.layers = _told_apart([as_layer(item) for item in layers])
        # What is "aligned", or in a "template", the header does not name; MNI152 may be any of its versions.
        spaces = sorted({layer.volume.space for layer in self.layers} - {"", "aligned", "template"})
        if any(not b.startswith(a) for a, b in combinations(spaces, 2)):
            warn(
                f"{owner} shows volumes of different spaces, {' and '.join(spaces)}: register them, or resample one "
                "through the transform between them"
            )
        if alike := _alike(self.layers):
            warn(f"{owner} shows {' and '.join(alike)} in one color: give each its own")
        for clip in dict.fromkeys(clip for layer in self.layers for clip in layer.clip):
            if not any(space.meets(clip, layer.volume.bounds) for layer in self.layers if clip in layer.clip):
                warn(f"{owner}: {clip} removes nothing, it lies beside {self.layers[0].volume.name or 'the volume'}")
        self.title = as_text(title, "title")
        self.colorbar = None if colorbar is None else as_bool(colorbar, "colorbar")
        self.background = as_background(background)
        self.font_size = 7.0

    def _check_places(self, gap: float = 0.0) -> None:
        """Warn of volumes that lie beside the first, `gap` times its length away: the usual sign of a wrong header."""
        ground = self.layers[0].volume
        least = gap * np.ptp(ground.bounds, axis=1)
        for other in (layer.volume for layer in self.layers[1:]):
            beside = other.bounds[:, 0] > ground.bounds[:, 1] + least
            beside |= other.bounds[:, 1] < ground.bounds[:, 0] - least
            if not beside.any():
                continue
            w = int(np.argmax(beside))
            one, two = (f"{low:.4g} to {high:.4g}" for low, high in (other.bounds[w], ground.bounds[w]))
            warn(
                f"{type(self).__name__}: {other.name or 'a volume'} and {ground.name or 'the first volume'} lie apart, "
                f"{space.AXES[w]} = {one} and {two} mm: see whether their headers say the same of where they are"
            )

    def __repr__(self) -> str:
        shown = ", ".join(f"{type(layer).__name__}({layer.volume.name or 'volume'})" for layer in self.layers)
        return f"<{type(self).__name__}: {shown}>"

    @property
    def usual_width(self) -> float:
        """Single column, 89 mm."""
        return 89.0

    def draw(self, target: Axes | FigureBase) -> None:
        """Draw into a matplotlib figure or subfigure, or in the place of the given axes.

        A background that was asked for is painted there; else the panel lies on the figure's own.

        Parameters
        ----------
        target : matplotlib Figure, SubFigure or Axes
        """
        if not isinstance(target, (Axes, FigureBase)):
            raise TypeError(f"draw takes matplotlib axes, a figure or a subfigure; got {type(target).__name__}")
        figure: Any = target.figure if isinstance(target, Axes) else target
        panel, asked = copy(self), "background" in given(self) and self.background != TRANSPARENT
        if not asked:
            # A subfigure is clear, unless it was given a color.
            seen = (part.get_facecolor() for part in (figure, figure.canvas.figure))
            panel.background = next((to_hex(color) for color in seen if color[3] > 0), self.background)
        frame = Frame.whole(figure, self.font_size, panel.background)
        if isinstance(target, Axes):
            target.set_axis_off()
            place = target.get_position()
            width, height = place.width * frame.width, place.height * frame.height
            frame = frame.part(place.x0 * frame.width, place.y0 * frame.height, width, height)
            if asked:
                target.add_artist(Rectangle((0, 0), 1, 1, transform=target.transAxes, color=self.background, zorder=-1))
        elif asked:
            target.set_facecolor(self.background)
        self._check_width(frame.width)
        with drawing(self.font_size):
            panel.compose(frame)

    @property
    def view(self) -> str:
        """How the layers are shown, in words: "axial slices at z = 0 mm"."""
        return "a picture"

    @property
    def cuts(self) -> list[Cut]:
        """The slices that are shown."""
        return []

    @property
    def convention(self) -> str:
        """On which side of slices the subject's left is; "" where none shows it."""
        return captions.convention(self.cuts)

    @property
    def located(self) -> tuple[Layer, ...]:
        """The layers of which coordinates are shown or told."""
        return self.layers

    def caption(self) -> str:
        """The legend under the panel: what is shown, where, in which colors and limits, and what drew it.

        Examples
        --------
        >>> import volrender as vr
        >>> print(vr.Slices(vr.sample("mni152"), z=[0, 20]).caption())
        Axial slices at z = 0 and 20 mm of MNI152 T1 (gray, 0 to 192). Neurological convention: the subject's left ...
        """
        return f"{self.titled} {captions.closing(self.located, self.convention)}"

    def alt_text(self) -> str:
        """What the picture shows, for those who cannot see it."""
        return f"{self.titled} {captions.finding(self._visible, self._is_seen)}".rstrip()

    @property
    def titled(self) -> str:
        """The title, and a sentence on what the panel shows."""
        told = self.said.lower().startswith(self.title.rstrip(".").lower())  # as of a histogram, "Histogram"
        return self.said if told else f"{captions.heading(self.title)} {self.said}".rstrip()

    @property
    def said(self) -> str:
        """A sentence on what the panel shows."""
        return captions.sentence(self.view, self._visible, self.drawn_as)

    def _bars(self, panel: str) -> list[Bar]:
        """Color bars for the layers whose values mean something; for all or none if the user says so."""
        bars: list[Bar] = []
        for n, layer in enumerate(self.layers):
            if not isinstance(layer, (Intensity, CutPlane)) or self.colorbar is False:
                continue
            volume = layer.volume
            # In a volume rendering a preset's colors are those of a body, seen through one another.
            body = layer.preset is not None and not layer.preset.sparse and panel == "volume"
            meant = layer.look.survey.signed or (volume.unit and not body) or layer.cmap is not None
            if self.colorbar or meant:
                label = f"{volume.name} ({volume.unit})" if volume.name and volume.unit else volume.name or volume.unit
                bar = Bar(layer.look, "slice" if body else _curve(layer, panel, over=n > 0), label)
                if all((bar.look.clim, bar.look.cmap.name) != (b.look.clim, b.look.cmap.name) for b in bars):
                    bars.append(bar)
        return [bar for bar in bars if not any(same_bar(bar, other) for other in self.elsewhere.bars)]

    @property
    def key(self) -> Key:
        """The color bars and the legend that stand beside the panel."""
        entries = self._entries
        wanted = len(self.layers) > 1 or len(entries) > 1 if self.colorbar is None else self.colorbar
        told = all(entry in self.elsewhere.entries for entry in entries)
        return Key(self._bars(self.drawn_as), [] if told or not wanted else entries)

    @cached_property
    def _entries(self) -> list[Entry]:
        """Legend entries of the surfaces and labels; a long legend is cut, so what is seen most comes first."""
        entries: list[Entry] = []
        for layer in self._visible:
            if isinstance(layer, Isosurface):
                assert isinstance(layer.level, float)
                relation = "≤" if layer.side < 0 else "≥"
                unit = layer.volume.unit or layer.volume.name or "level"
                entries.append((f"{unit} {relation} {number(layer.level)}", as_rgb(layer.color)))
            elif isinstance(layer, LabelMap) and isinstance(layer.colors, tuple):
                entries.append((layer.volume.name or "mask", as_rgb(layer.colors)))
            elif isinstance(layer, LabelMap):
                order = list(layer.table)
                if len(order) > MAX_LEGEND:
                    seen = Counter(self._seen_labels(layer).tolist())
                    order.sort(key=lambda label: (seen[label], layer.sizes[label]), reverse=True)
                entries.extend(layer.table[label] for label in order)
        return entries

    @cached_property
    def _visible(self) -> list[Layer]:
        """The layers, label maps with those labels that the picture shows."""
        return list(self.layers)

    def _seen_labels(self, layer: LabelMap) -> NDArray[Any]:
        """The labels at places evenly spread over what is seen of the layer."""
        return layer.volume.data.ravel()

    def _is_seen(self, layer: Layer, points_xyz: NDArray[np.float64]) -> bool:
        """Whether something of a layer is in the picture at world points (n, 3), the centres of voxels."""
        return True

    def _sidebar(self, frame: Frame) -> Sidebar:
        return Sidebar(frame, *self.key)

    def narrowest(self, font_size: float) -> float:
        """The width (mm) below which the panel's lettering has no room."""
        frame = self._paperless(100, font_size)
        words = max((frame.text_width(word) for word in self.title.split()), default=0.0)
        return max(self.least * font_size + self._sidebar(frame).width, min(words, 30.0) * 1.1)

    def _check_width(self, width: float) -> None:
        """Refuse a width (mm) in which the lettering has no room."""
        if width < (needed := self.narrowest(self.font_size)) - 1e-6:
            raise TooNarrow(too_narrow(type(self).__name__, needed, self.font_size, width))

    def height(self, width: float, font_size: float = 7.0) -> float:
        """The height (mm) that suits a width (mm), with text of `font_size` points."""
        frame = self._paperless(width, font_size)
        return self.body(width, font_size) + self._head(frame)

    def body(self, width: float, font_size: float) -> float:
        """The height (mm) of all but the title."""
        return self._body(self._paperless(width, font_size))

    def head(self, width: float, font_size: float) -> float:
        """The height (mm) that the title takes."""
        return self._head(self._paperless(width, font_size))

    def _head(self, frame: Frame) -> float:
        return title_height(frame, self.title)

    @property
    def peer(self) -> Hashable:
        """What panels have in common that are to be compared, and so have one scale; None where there is no scale."""
        return None

    def sized(self, width: float, font_size: float, height: float = 0.0) -> tuple[float, float]:
        """Paper mm for a world mm in a width (mm), or in a height without title too, and how many world mm high the
        picture then is; of panels that have a `peer`.
        """
        raise NotImplementedError

    def least_scale(self, font_size: float) -> float:
        """Paper mm for a world mm that a panel with a `peer` has at least."""
        return self.sized(self.narrowest(font_size), font_size)[0]

    def compose(self, frame: Frame) -> None:
        """Draw everything into a frame of paper."""
        self.place(frame, self._head(frame))

    def place(self, frame: Frame, head: float, most: float = np.inf) -> None:
        """Draw everything into a frame, the title at the foot of a band of `head` mm.

        `most` is how many paper mm a world mm has at most.
        """
        if self.title:
            title(frame.part(0, frame.height - head, frame.width, self._head(frame)), self.title)
        self._picture(frame.part(0, 0, frame.width, frame.height - head), most)

    @abstractmethod
    def _body(self, frame: Frame) -> float:
        """The height (mm) of all but the title in a frame's width."""

    @abstractmethod
    def _picture(self, frame: Frame, most: float) -> None:
        """Draw all but the title."""

    def _paperless(self, width: float, font_size: float) -> Frame:
        """A frame to measure text in, before there is a figure."""
        return Frame.paperless(width, font_size, self.background if self.paper is None else self.paper)


def _curve(layer: Intensity | CutPlane, panel: str, *, over: bool) -> str:
    """Which of a layer's opacity curves a panel shows, where the layer may lie over another."""
    if panel == "volume" and isinstance(layer, CutPlane):
        return "slice"
    if panel == "volume" and is_projection(layer):
        return layer.blend
    return "overlay" if over and panel == "slice" else panel


def _alike(layers: Sequence[Layer]) -> list[str]:
    """The names of masks and surfaces that have one color, though none was chosen for them; none if all differ."""
    plain: dict[RGB, list[str]] = {}
    for layer in layers:
        name = layer.volume.name or "a volume"
        if isinstance(layer, Isosurface) and "color" not in given(layer):
            plain.setdefault(as_rgb(layer.color), []).append(name)
        elif isinstance(layer, LabelMap) and layer.colors is None and not layer.volume.labels and len(layer.sizes) == 1:
            plain.setdefault(next(iter(layer.table.values()))[1], []).append(name)
    return next((names for names in plain.values() if len(names) > 1), [])


def with_labels(layers: Sequence[Layer], found: Mapping[int, NDArray[Any]]) -> list[Layer]:
    """The layers, label maps with those of their labels that were found, given for each by its place."""
    visible = list(layers)
    for n, labels in found.items():
        layer, there = layers[n], set(np.unique(labels).tolist())
        if isinstance(layer, LabelMap):
            shown = {label: rgb for label, (_, rgb) in layer.table.items() if label in there}
            visible[n] = replace(layer, colors=shown) if 0 < len(shown) < len(layer.table) else layer
    return visible


def too_narrow(what: str, needed: float, font_size: float, width: float) -> str:
    """What is said of a width (mm) in which the lettering has no room."""
    least = np.ceil(10 * needed) / 10
    return f"{what} needs a width of {least:g} mm or more for its lettering of {font_size:g} points; got {width:g} mm"


def too_low(what: str, needed: float, font_size: float, height: float) -> str:
    """What is said of a height (mm) in which the lettering has no room."""
    least = f"a height of {needed:.0f} mm or more for its lettering of {font_size:g} points"
    return f"{what} needs {least}; got {height:.3g} mm"


def same_bar(one: Bar, other: Bar) -> bool:
    """Whether two color bars say the same."""

    def said(bar: Bar) -> tuple[Any, ...]:
        return bar.label, bar.look.clim, bar.look.cmap, bar.alpha.tolist()

    return said(one) == said(other)


def orient(frame: Frame, width: float, scale: float, camera: space.Camera) -> None:
    """Under a picture, a scale bar on the left and the directions on the right; 1 paper mm is `scale` world mm.

    In perspective there is no scale.
    """
    canvas = frame.canvas()
    if not camera.perspective:
        scale_bar(canvas, 1.0, 1.2, 0.34 * width, scale, frame.font_size, frame.ink)
    line = frame.line_height
    compass(canvas, width - 2 * line, FOOT * line / 2, camera, line, frame.font_size, frame.ink)
