"""The slice engine: planes through the world, sampled at the picture's own pixels.

All tiles of a panel are one raster. Each `Tile` shows a `Cut`; every layer is painted at the world points of the
tile's pixels, so grids, orders and obliquity do not matter. Lines are vectors: contours of the same field, borders of
labels, traces of planes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np
from contourpy import contour_generator
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import is_color_like, to_rgba
from numpy.typing import NDArray

from volrender import color, paint, space
from volrender.cuts import Cut, along, trace
from volrender.draw.annotate import INK, Frame, Raster, round_length
from volrender.draw.pixels import lay
from volrender.draw.tiles import SIDE, Layout, Place, places
from volrender.layers import CutPlane, Intensity, Isosurface, LabelMap, Layer
from volrender.space import Floats

PLANE, CROSS, PLACES = "#ffcc33", "#56b4e9", "#e69f00"
FEW = 10  # lines in a reference view
FINE = 0.25  # of a voxel: how closely lines follow the field between voxels


def draw(frame: Frame, layers: Sequence[Layer], layout: Layout, scale: float, cross: Floats | None) -> None:
    """Draw the tiles into the frame, centred, `scale` world mm to a paper mm, with lines through a world point."""
    ax, size = frame.picture(0, layout.foot, frame.width, frame.height - layout.foot)
    found, pixel = places(layout, frame, scale, size), scale / frame.dots_per_mm
    page = to_rgba(frame.background) if is_color_like(frame.background) else (0.0, 0.0, 0.0, 0.0)
    pixels = np.full(size[::-1], _pixel(page))
    base = ground(layers)
    for place in found:
        _paint(pixels[::-1], place, layers, base)
    Raster(ax, pixels.view(np.uint8).reshape(*pixels.shape, 4))
    for place in found:
        for layer in layers:
            _lines(layer, ax, place, pixel)
        _marks(ax, place, cross, frame.dots_per_mm)
    _letters(ax, found, frame, layout, scale, base)
    _footing(ax, found, frame, layout, scale)


def _pixel(rgba: Sequence[float]) -> np.uint32:
    """A color in the four bytes of one number."""
    return np.uint32(np.asarray(np.rint(255 * np.asarray(rgba)), dtype=np.uint8).view(np.uint32)[0])


def _paint(pixels: NDArray[np.uint32], place: Place, layers: Sequence[Layer], base: color.RGB | None) -> None:
    """One tile on its ground, which is under the lettering too."""
    width, height = place.size
    part = pixels[:, place.left : place.left + width]
    if base is not None:
        part[place.bottom : place.bottom + height] = _pixel((*base, 1.0))
    tile = part[place.sill : place.sill + place.tall]
    sheet = place.tile.cut.sheet(place.tile.extent, (width, place.tall))
    for n, layer in enumerate(layers[:1] if place.tile.lines else layers):
        if isinstance(layer, Intensity) or (isinstance(layer, LabelMap) and not layer.outline):
            lay(tile, layer, sheet, "overlay" if n else "slice")


def ground(layers: Sequence[Layer]) -> color.RGB | None:
    """The color behind the slices: black under gray anatomy, else the page."""
    first = layers[0]
    if isinstance(first, Intensity) and not first.look.survey.signed:
        low = first.look.rgb(np.array([first.look.clim[0]]))[0]
        return float(low[0]), float(low[1]), float(low[2])
    return None


@singledispatch
def _lines(layer: Layer, ax: Axes, place: Place, pixel: float) -> None:
    """The lines that a layer leaves in a slice; `pixel` is the size of one in mm."""


@_lines.register
def _(layer: Isosurface, ax: Axes, place: Place, pixel: float) -> None:
    assert isinstance(layer.level, float)
    if not place.tile.lines:
        lines = _contour(layer, layer.level, place.tile.cut, place.tile.extent, pixel)
        _add(ax, place, lines, layer.color, alpha=layer.opacity)


@_lines.register
def _(layer: CutPlane, ax: Axes, place: Place, pixel: float) -> None:
    line = trace(place.tile.cut, along(layer.plane), place.tile.extent)
    if line is not None:
        _add(ax, place, [line], PLANE, linestyle="--")


@_lines.register
def _(layer: LabelMap, ax: Axes, place: Place, pixel: float) -> None:
    if not layer.outline or place.tile.lines:
        return
    cut, shown = place.tile.cut, place.tile.extent
    for label, region in layer.regions.items():
        corners = space.corners(region.shape, region.affine)
        depth, flat = corners @ cut.normal - cut.offset, cut.flat(corners)
        extent = np.stack(
            [np.maximum(flat.min(axis=0), shown[:, 0]), np.minimum(flat.max(axis=0), shown[:, 1])], axis=1
        )
        if depth.min() < 0 < depth.max() and (np.ptp(extent, axis=1) > 0).all() and (extent[:, 0] < extent[:, 1]).all():
            border = Isosurface(region, level=0.5, clip=layer.clip)
            _add(ax, place, _contour(border, 0.5, cut, extent, pixel), layer.table[label][1], alpha=layer.opacity)


def _contour(layer: Isosurface, level: float, cut: Cut, extent: Floats, pixel: float) -> list[NDArray[np.float64]]:
    """Lines (n, 2) in mm where the field that the surface is made of crosses the level in a part of a cut."""
    step = max(FINE * min(layer.volume.spacing), pixel)
    columns, rows = (max(int(np.ceil(reach / step)), 2) for reach in np.ptp(extent, axis=1))
    sheet = cut.sheet(extent, (columns, rows))
    field = paint.values_at(layer, sheet).astype(np.float64)
    if layer.clip:
        field[space.removed(layer.clip, sheet.points)] = np.nan
    x, y = (lo + (np.arange(n) + 0.5) / n * (hi - lo) for (lo, hi), n in zip(extent, (columns, rows)))
    generator = contour_generator(x, y, np.ma.masked_invalid(field))
    return [np.asarray(line) for line in generator.lines(level)]


def _add(ax: Axes, place: Place, lines: Sequence[NDArray[np.float64]], tone: Any, **style: Any) -> None:
    """Lines (n, 2) in mm of a tile's plane."""
    if lines:
        drawn = [place.pixels(line) for line in lines]
        ax.add_collection(LineCollection(drawn, colors=[tone], **{"linewidth": 0.8, **style}), autolim=False)


def _marks(ax: Axes, place: Place, cross: Floats | None, px: float) -> None:
    """The places of other slices in a reference view; lines through a point, open around it."""
    tile = place.tile
    found = [trace(tile.cut, other, tile.extent) for other in tile.lines]
    fine = {"linewidth": 0.5} if len(found) <= FEW else {"linewidth": 0.3, "alpha": 0.6}  # the subject stays in sight
    _add(ax, place, [line for line in found if line is not None], PLACES, **fine)
    if cross is None or tile.lines or not tile.cut.holds(cross):
        return
    u, v = tile.cut.flat(cross)
    (left, right), (low, high) = tile.extent
    open_u, open_v = np.ptp(tile.extent, axis=1) / (place.size[0], place.tall) * 1.5 * px
    ends = [((left, v), (u - open_u, v)), ((u + open_u, v), (right, v))]
    ends += [((u, low), (u, v - open_v)), ((u, v + open_v), (u, high))]
    _add(ax, place, [np.array(line) for line in ends], CROSS, alpha=0.9)


def _letters(
    ax: Axes, found: Sequence[Place], frame: Frame, layout: Layout, scale: float, base: color.RGB | None
) -> None:
    """Over each tile its position, and where its sides lie in the subject; one tile without room for its unit, all."""
    px, line = frame.dots_per_mm, frame.line_height * frame.dots_per_mm
    ink = frame.ink if base is None else "white" if sum(base) < 1.5 else INK
    style: dict[str, Any] = {"fontsize": frame.font_size, "color": ink, "va": "center_baseline"}
    unit = layout.fits(scale, unit=True)
    for place in found:
        cut, (width, height) = place.tile.cut, place.size
        first = place.bottom + height - 0.625 * line
        said = place.tile.label(unit) if layout.notes.positions else []
        if layout.notes.letters:
            beside = first - layout.stacked * len(said) * line
            ax.text(place.left + SIDE * px, beside, cut.ends[0], ha="left", **style)
            ax.text(place.left + width - SIDE * px, beside, cut.ends[1], ha="right", **style)
        for n, text in enumerate(said):
            ax.text(place.left + width / 2, first - n * line, text, ha="center", **style)


def _footing(ax: Axes, found: Sequence[Place], frame: Frame, layout: Layout, scale: float) -> None:
    """Under the tiles a scale bar, and on which side the subject's left is."""
    px = frame.dots_per_mm
    style: dict[str, Any] = {"fontsize": frame.font_size, "color": frame.ink, "va": "center_baseline"}
    ends = min(p.left for p in found) / px, max(p.left + p.size[0] for p in found) / px
    lowest, narrowest = min(p.bottom for p in found) / px, min(p.size[0] for p in found) / px
    for n, (bar, words) in enumerate(layout.footing):
        y = (lowest - (n + 0.67) * frame.line_height) * px
        said = frame.text_width(words) + 2 * SIDE if words else 0.0
        least = said + (layout.least_bar if bar else 0.0) + 2 * SIDE
        # Under tiles that are narrower than this it reaches beyond them at both sides.
        beyond = max(least - (ends[1] - ends[0]), 0.0) / 2
        left, right = max(ends[0] - beyond, 0.0) + SIDE, min(ends[1] + beyond, frame.width) - SIDE
        if words:
            ax.text(right * px, y, words, ha="right", **style)
        if bar:
            length, label = _scale_bar(frame, scale, narrowest / 2, right - left - said)
            end = left + length / scale
            ax.plot([left * px, end * px], [y, y], color=frame.ink, linewidth=1.2, solid_capstyle="butt", clip_on=False)
            ax.text((end + 1) * px, y, label, ha="left", **style)


def _scale_bar(frame: Frame, scale: float, most: float, room: float) -> tuple[float, str]:
    """The longest round length (world mm) of at most `most` paper mm that with its label has room, and the label."""
    length = round_length(most * scale)
    while (most := length / scale) > 1.0 and most + 1 + frame.text_width(f"{length:g} mm") > room:
        length = round_length(0.99 * length)
    return length, f"{length:g} mm"
