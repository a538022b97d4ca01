"""The slice engine: planes across the world axes, sampled at the picture's own pixels.

Each tile is a `Cut`: a world axis and a position in mm. Every layer is painted at the world points of the pixels, so
grids, orders and obliquity do not matter; contour lines come from the same samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from volrender import color, paint
from volrender.draw.annotate import INK, Frame
from volrender.layers import CutPlane, Intensity, Isosurface, Layer
from volrender.space import AXES, removed

ENDS = (("L", "R"), ("P", "A"), ("I", "S"))
GAP = 0.6


@dataclass(frozen=True)
class Cut:
    """One slice: the world axis it crosses (0, 1, 2), where (mm), and whether its world axis runs to the left."""

    axis: int
    position: float
    mirrored: bool = False

    @property
    def across(self) -> tuple[int, int]:
        """The world axes that run to the right and up in the picture."""
        across = [w for w in range(3) if w != self.axis]
        return across[0], across[1]

    @property
    def label(self) -> str:
        """What stands in the tile, e.g. "z = 20 mm"."""
        return f"{AXES[self.axis]} = {round(self.position, 3) + 0.0:.4g} mm".replace("-", "−")


def size_of(cut: Cut, bounds: NDArray[np.float64]) -> tuple[float, float]:
    """Width and height (world mm) of a tile."""
    right, up = cut.across
    return float(np.ptp(bounds[right])), float(np.ptp(bounds[up]))


def arrange(cuts: Sequence[Cut], bounds: NDArray[np.float64], most: int = 7) -> list[list[Cut]]:
    """The tiles in rows of equal length, at most `most` in a row."""
    rows = int(np.ceil(len(cuts) / most))
    each = int(np.ceil(len(cuts) / rows))
    return [list(cuts[i : i + each]) for i in range(0, len(cuts), each)]


def most_abreast(cuts: Sequence[Cut], bounds: NDArray[np.float64], frame: Frame, width: float) -> int:
    """How many tiles a row of `width` paper mm takes so that the lettering over each has room, at most seven."""
    needs = [_ends_width(frame) + frame.text_width(cut.label.removesuffix(" mm")) for cut in cuts]
    for most in range(min(7, len(cuts)), 1, -1):
        scale = scale_for(arrange(cuts, bounds, most), bounds, width)
        if all(size_of(cut, bounds)[0] / scale >= need for cut, need in zip(cuts, needs)):
            return most
    return 1


def _ends_width(frame: Frame) -> float:
    """What the letters at the ends of a tile take of its width (mm), air included."""
    return 2 * frame.text_width("R") + 3


def scale_for(rows: Sequence[Sequence[Cut]], bounds: NDArray[np.float64], width: float) -> float:
    """World mm per paper mm at which the widest row fills `width`."""
    widest = max(sum(size_of(cut, bounds)[0] for cut in row) / (width - GAP * (len(row) - 1)) for row in rows)
    return float(widest)


def height_of(rows: Sequence[Sequence[Cut]], bounds: NDArray[np.float64], scale: float, band: float) -> float:
    """The paper height (mm) of all rows, each with a band of lettering above its tiles."""
    tall = sum(max(size_of(cut, bounds)[1] for cut in row) for row in rows)
    return tall / scale + (GAP + band) * (len(rows) - 1) + band


def draw(frame: Frame, layers: Sequence[Layer], rows: Sequence[Sequence[Cut]], bounds: NDArray[np.float64]) -> None:
    """Draw the tiles into the frame, centred."""
    band = band_of(frame)
    lettering = height_of(rows, bounds, np.inf, band)
    scale = max(
        scale_for(rows, bounds, frame.width), height_of(rows, bounds, 1.0, 0.0) / max(frame.height - lettering, 1.0)
    )
    top = (frame.height + height_of(rows, bounds, scale, band)) / 2
    every = [cut for row in rows for cut in row]
    fits = all(_ends_width(frame) + frame.text_width(c.label) < size_of(c, bounds)[0] / scale for c in every)
    for row in rows:
        tall = max(size_of(cut, bounds)[1] for cut in row) / scale
        wide = sum(size_of(cut, bounds)[0] for cut in row) / scale + GAP * (len(row) - 1)
        left = (frame.width - wide) / 2
        for cut in row:
            width, height = (extent / scale for extent in size_of(cut, bounds))
            tile = frame.part(left, top - band - tall, width, tall + band)
            _draw_tile(tile, height, layers, cut, bounds)
            _letters(tile, cut, ground(layers), cut.label if fits else cut.label.removesuffix(" mm"))
            left += width + GAP
        top -= tall + band + GAP


def band_of(frame: Frame) -> float:
    """The height (mm) of the lettering above a tile."""
    return 1.25 * frame.line_height


def pixel_points(cut: Cut, bounds: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """The world points (rows, columns, 3) of a tile's pixel centres, rows from the bottom up."""
    right, up = cut.across
    points = np.empty((size[1], size[0], 3))
    points[..., cut.axis] = cut.position
    points[..., right] = _centers(bounds[right], size[0])[None, :]
    points[..., up] = _centers(bounds[up], size[1])[:, None]
    return points


def _centers(ends: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    return np.asarray(ends[0] + (np.arange(count) + 0.5) / count * (ends[1] - ends[0]))


def _draw_tile(frame: Frame, tall: float, layers: Sequence[Layer], cut: Cut, bounds: NDArray[np.float64]) -> None:
    """One tile: its picture, `tall` mm high, centred under a band for the letters, all on one ground."""
    band = band_of(frame)
    ground_ax, _ = frame.picture(0, 0, frame.width, frame.height)
    ax, size = frame.picture(0, (frame.height - band - tall) / 2, frame.width, tall)
    right, up = cut.across
    points = pixel_points(cut, bounds, size)
    base = ground(layers)
    picture = np.zeros((*points.shape[:2], 4), dtype=np.float32)
    if base is not None:
        picture[...] = [*base, 1]
    for n, layer in enumerate(layers):
        if not isinstance(layer, (Isosurface, CutPlane)):
            picture = paint.over(picture, paint.paint(layer, points, "overlay" if n else "slice"))
    extent = (*bounds[right], *bounds[up])
    ax.imshow(picture, origin="lower", extent=extent, interpolation="none", aspect="auto")
    for layer in layers:
        _outline(ax, layer, points)
    ax.set(xlim=bounds[right], ylim=bounds[up])
    if cut.mirrored:
        ax.invert_xaxis()
    if base is not None:
        ground_ax.add_patch(Rectangle((0, 0), 1, 1, transform=ground_ax.transAxes, facecolor=base, edgecolor="none"))


def ground(layers: Sequence[Layer]) -> color.RGB | None:
    """The color behind the slices: black under gray anatomy, else the page."""
    first = layers[0]
    if isinstance(first, Intensity) and not first.look.survey.signed:
        low = first.look.rgb(np.array([first.look.clim[0]]))[0]
        return float(low[0]), float(low[1]), float(low[2])
    return None


def _outline(ax: Axes, layer: Layer, points: NDArray[np.float64]) -> None:
    """The line that a surface or a plane leaves in a slice."""
    if isinstance(layer, Isosurface):
        field = paint.values_at(layer, points)
        level, line, tone, alpha = layer.level, "-", layer.color, layer.opacity
    elif isinstance(layer, CutPlane):
        row = layer.plane.halfspaces[0]
        field = points @ row[:3] - row[3]
        level, line, tone, alpha = 0.0, "--", (1.0, 0.8, 0.2), 1.0
    else:
        return
    field = np.where(removed(layer.clip, points), np.nan, field)
    finite = field[np.isfinite(field)]
    if finite.size and finite.min() < level < finite.max():
        right, up = (w for w in range(3) if np.ptp(points[..., w]) > 0)
        lines: dict[str, Any] = {"colors": [tone], "linewidths": 0.8, "linestyles": line, "alpha": alpha}
        ax.contour(points[0, :, right], points[:, 0, up], np.ma.masked_invalid(field), levels=[level], **lines)


def _letters(frame: Frame, cut: Cut, base: color.RGB | None, label: str) -> None:
    """Where the tile's sides lie in the subject, and its position, over the tile."""
    ink = frame.ink if base is None else "white" if sum(base) < 1.5 else INK
    ax = frame.canvas()
    style: dict[str, Any] = {"fontsize": frame.font_size, "color": ink, "va": "center_baseline"}
    height = frame.height - 0.5 * band_of(frame)
    start, end = ENDS[cut.across[0]][:: -1 if cut.mirrored else 1]
    ax.text(0.8, height, start, ha="left", **style)
    ax.text(frame.width - 0.8, height, end, ha="right", **style)
    ax.text(frame.width / 2, height, label, ha="center", **style)
