"""`Timecourse`: the mean of a 4-D series over time, in a mask or in each region of a label map."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from numpy.typing import NDArray

from volrender import captions
from volrender.color import QUALITATIVE, RGB, as_rgb
from volrender.draw.annotate import number, tidy
from volrender.draw.sidebar import MAX_LEGEND
from volrender.drawing import Drawing
from volrender.layers import LabelMap
from volrender.page import drawing
from volrender.space import finite
from volrender.volume import Volume, check_volume
from volrender.words import our_words


@our_words
class Timecourse(Drawing):
    """The mean of each frame of a 4-D series as a curve: of all voxels, those in a mask, or each region of a label map.

    Parameters
    ----------
    volume : Volume
        4-D.
    mask : Volume, optional
        3-D, on any grid: where it is not 0 counts. Each region of a label map has a curve in its color, at most 20.
    interval : float, optional
        Seconds between frames; by default the axis counts frames, from 0.
    title : str
    background : color or "transparent"

    Examples
    --------
    >>> import volrender as vr
    >>> series = np.random.default_rng(0).normal(size=(4, 4, 4, 30))
    >>> vr.Timecourse(vr.load(series, affine=np.eye(4)), interval=2)
    <Timecourse: array>
    """

    def __init__(
        self,
        volume: Volume,
        *,
        mask: Volume | None = None,
        interval: float | None = None,
        title: str = "",
        background: Any = "white",
    ) -> None:
        super().__init__(self._plot, ratio=0.4, title=title, background=background)
        check_volume(volume, "Timecourse")
        if mask is not None:
            check_volume(mask, "the mask of a Timecourse")
        if interval is not None and finite(interval, "interval") <= 0:
            raise ValueError(f"interval must be above 0 seconds; got {interval}")
        self.volume = volume
        self._mask = mask
        self.interval = interval
        self._curves = self._means()

    def __repr__(self) -> str:
        return f"<Timecourse: {self.volume.name or 'volume'}>"

    @property
    def said(self) -> str:
        """What the curves are."""
        names = [region for region, *_ in self._curves]
        what = self._place if len(names) == 1 else f"the regions {captions.listed(names)} of {self._place}"
        values = np.concatenate([values for *_, values in self._curves])
        low, high = (number(float(end)) for end in (np.nanmin(values), np.nanmax(values)))
        frames = f"the {self.volume.shape[-1]} frames of {self.volume.name or 'the series'}"
        apart = "" if self.interval is None else f", {number(self.interval)} s apart"
        return f"Mean of {what} in {frames}{apart}: from {low} to {high} {self.volume.unit}".rstrip() + "."

    @property
    def _place(self) -> str:
        return "all voxels" if self._mask is None else self._mask.name or "the mask"

    @cached_property
    def _labels(self) -> Volume | None:
        """The mask on the grid of the series."""
        if self._mask is None:
            return None
        return self._mask if self.volume.holds(self._mask) else self._mask.resample_to(self.volume.frame(0))

    def _means(self) -> list[tuple[str, RGB, NDArray[np.float64]]]:
        """Each curve with its name and its color."""
        usual, labels = as_rgb(QUALITATIVE[0]), self._labels
        if labels is None or labels.kind != "labels":
            return [(self._place, usual, self.volume.timecourse(labels))]
        table = LabelMap(labels).table
        if len(table) > MAX_LEGEND:
            raise ValueError(f"a Timecourse shows at most {MAX_LEGEND} regions; the mask has {len(table)}")
        parts = {label: Volume(labels.data == label, labels.affine, "labels") for label in table}
        return [(*table[label], self.volume.timecourse(part)) for label, part in parts.items()]

    def draw(self, target: Axes | FigureBase) -> None:
        """Draw into a figure or subfigure, or onto the user's own axes."""
        if isinstance(target, Axes):
            with drawing(self.font_size):
                self._plot(target)
        else:
            super().draw(target)

    def _plot(self, ax: Axes) -> None:
        """Draw the curves, in the type size and the ink of matplotlib's settings."""
        size, ink = rcParams["font.size"], rcParams["axes.edgecolor"]
        step = self.interval or 1.0
        for name, rgb, values in self._curves:
            ax.plot(step * np.arange(len(values)), values, color=rgb, label=name)
        unit = f" ({self.volume.unit})" if self.volume.unit else ""
        ax.set_xlabel("frame" if self.interval is None else "time (s)", fontsize=size)
        ax.margins(x=0)
        tidy(ax, size, ink)
        if len(self._curves) > 1:
            ax.set_ylabel(f"mean{unit}", fontsize=size)
            ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, handlelength=1.2)
        else:
            ax.set_ylabel(f"mean of {self._place}{unit}", fontsize=size)
