"""`Histogram`: how often each value of a layer occurs."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from volrender.draw.annotate import Frame
from volrender.layers import Intensity, Layer
from volrender.panel import Panel
from volrender.words import our_words


@our_words
class Histogram(Panel):
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

    elastic = True

    def __init__(self, layer: Any, *, title: str = "", background: Any = "white") -> None:
        self._set_up((layer,), title, False, background)
        if not isinstance(self.layers[0], Intensity):
            raise TypeError(f"Histogram shows an Intensity; got {type(self.layers[0]).__name__}")
        if self.layers[0].volume.kind == "rgb":
            raise TypeError("Histogram needs one number a voxel; the volume holds colors: take .luminance")

    def narrowest(self, font_size: float) -> float:
        """The width (mm) of the words beside the axes, and of a few numbers below them."""
        from volrender.draw import histogram

        return max(super().narrowest(font_size), histogram.least_width(self._paperless(100, font_size)))

    def _body(self, frame: Frame) -> float:
        """A little over half of the width (mm), or what the words beside the axes need."""
        from volrender.draw import histogram

        return max(0.55 * frame.width, frame.text_width(histogram.OPACITY) + 3 * frame.line_height)

    def draw(self, target: Axes | FigureBase) -> None:
        """Draw into a figure or subfigure, or onto the user's own axes."""
        if isinstance(target, Axes):
            from volrender.draw import histogram

            histogram.draw_axes(target, self._layer, self.font_size)
        else:
            super().draw(target)

    @property
    def view(self) -> str:
        """What is counted, in words."""
        return "histogram, with the opacity of each value as a curve,"

    @property
    def located(self) -> tuple[Layer, ...]:
        """The layer if it is told what is cut away of it."""
        return tuple(layer for layer in self.layers if layer.clip)

    @property
    def _layer(self) -> Intensity:
        layer = self.layers[0]
        assert isinstance(layer, Intensity)
        return layer

    def _picture(self, frame: Frame, most: float) -> None:
        """Draw the bars and the curve."""
        from volrender.draw import histogram

        histogram.draw(frame, self._layer)
