"""`Histogram`: how often each value of a layer occurs."""

from __future__ import annotations

from typing import Any

from matplotlib import rcParams
from matplotlib.axes import Axes

from volrender import captions
from volrender.draw.annotate import INK, Frame
from volrender.drawing import Drawing
from volrender.layers import Intensity, Layer
from volrender.panel import Panel, too_low
from volrender.words import our_words

LOWEST = 5.0  # lines of text that it is high at least


@our_words
class Histogram(Drawing):
    """How often each value occurs, in the layer's colors, with its opacity curve drawn over.

    Parameters
    ----------
    layer : Intensity, Volume, path or nibabel image
    title : str
    background : color or "transparent"

    Examples
    --------
    >>> import volrender as vr
    >>> vr.Histogram(vr.sample("mni152"))
    <Histogram: Intensity(MNI152 T1)>
    """

    def __init__(self, layer: Any, *, title: str = "", background: Any = "white") -> None:
        super().__init__(self._plot, ratio=0.55, title=title, background=background)
        self._set_up((layer,), title, False, background)
        if not isinstance(self.layers[0], Intensity):
            raise TypeError(f"Histogram shows an Intensity; got {type(self.layers[0]).__name__}")
        if self.layers[0].volume.kind == "rgb":
            raise TypeError("Histogram needs one number a voxel; the volume holds colors: take .luminance")

    def __repr__(self) -> str:
        return Panel.__repr__(self)

    def _body(self, frame: Frame) -> float:
        """A little over half of the width (mm), or what the words beside the axes need."""
        from volrender.draw import histogram

        return max(self.ratio * frame.width, frame.text_width(histogram.OPACITY) + 3 * frame.line_height)

    def _picture(self, frame: Frame, most: float) -> None:
        if frame.height < (needed := LOWEST * frame.line_height):
            raise ValueError(too_low("Histogram", needed, frame.font_size, frame.height))
        super()._picture(frame, most)

    @property
    def said(self) -> str:
        """What is counted, in words."""
        view = "histogram, with the opacity of each value as a curve,"
        return captions.sentence(view, self._visible, self.drawn_as)

    @property
    def located(self) -> tuple[Layer, ...]:
        """The layer if it is told what is cut away of it."""
        return tuple(layer for layer in self.layers if layer.clip)

    @property
    def _layer(self) -> Intensity:
        layer = self.layers[0]
        assert isinstance(layer, Intensity)
        return layer

    def _plot(self, ax: Axes) -> None:
        """Draw the bars and the curve, in the ink of matplotlib's settings."""
        from volrender.draw import histogram

        ink = rcParams["axes.edgecolor"]
        histogram.draw(ax, self._layer, self.font_size, INK if ink == "black" else ink)
