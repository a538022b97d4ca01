"""The slice engine: planes through the world, sampled at the picture's own pixels.

All tiles of a panel are one raster. Each `Tile` shows a `Cut`; every layer is painted at the world points of the
tile's pixels, so grids, orders and obliquity do not matter. Lines are vectors: contours of the same field, borders of
labels, traces of planes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from contourpy import contour_generator
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import is_color_like, to_rgba
from numpy.typing import NDArray

from volrender import color, paint, space
from volrender.annotation import Annotation
from volrender.cuts import Cut, along, trace
from volrender.draw.annotate import INK, Frame, Raster, round_length
from volrender.draw.pixels import lay
from volrender.layers import CutPlane, Intensity, Isosurface, LabelMap, Layer
from volrender.space import Floats

GAP, DARK_GAP = 0.6, 2.4  # mm between tiles, on a light page and on a dark one
MOST = 7  # tiles in a row
SMALL = 0.6  # of the others' scale: a reference view
PLANE, CROSS, PLACES = "#ffcc33", "#56b4e9", "#e69f00"
FEW = 10  # lines in a reference view
FINE = 0.25  # of a voxel: how closely lines follow the field between voxels


@dataclass(frozen=True, eq=False)
class Tile:
    """A cut's part of the picture.

    Parameters
    ----------
    cut : Cut
    extent : (2, 2) floats
        What of the plane is shown, ((u, u), (v, v)) in mm.
    lines : tuple of Cut
        Those whose places a reference view shows.
    """

    cut: Cut
    extent: Floats
    lines: tuple[Cut, ...] = ()

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in world mm, at the scale of the others."""
        width, height = np.ptp(self.extent, axis=1) * (SMALL if self.lines else 1.0)
        return float(width), float(height)


Rows = Sequence[Sequence[Tile]]


def arrange(groups: Rows, frame: Frame, width: float, notes: Annotation, height: float = 0.0) -> list[list[Tile]]:
    """The tiles in rows of `width` paper mm in which the lettering over each has room, at most seven in a row.

    Groups of several tiles each begin a row of their own; else all follow one another. Where there is a `height` to
    fill they lie as they are largest.
    """
    if not all(sum(not tile.lines for tile in group) > 1 for group in groups):
        groups = [[tile for group in groups for tile in group]]
    longest = max(len(group) for group in groups)
    best: tuple[float, list[list[Tile]]] | None = None
    for most in range(min(MOST + any(tile.lines for tile in groups[0]), longest), 0, -1):
        rows = [row for group in groups for row in _even(group, most)]
        scale = scale_in(rows, frame, width, height, notes) if height else scale_for(rows, width, frame)
        if all(tile.size[0] / scale >= _need(tile, frame, notes) for row in rows for tile in row):
            if best is None or scale < 0.98 * best[0]:
                best = scale, rows
            if not height:
                break
    if best is None and height:
        return arrange(groups, frame, width, notes)
    return rows if best is None else best[1]


def _even(group: Sequence[Tile], most: int) -> list[list[Tile]]:
    rows = int(np.ceil(len(group) / most))
    each = int(np.ceil(len(group) / rows))
    return [list(group[i : i + each]) for i in range(0, len(group), each)]


def _need(tile: Tile, frame: Frame, notes: Annotation) -> float:
    """The width (mm) of a tile's lettering, air included; that of its position without the unit."""
    ends = sum(frame.text_width(letter) for letter in tile.cut.ends) + 4.5 if notes.letters else 0.0
    named = notes.positions and not tile.lines
    return ends + (frame.text_width(tile.cut.label.removesuffix(" mm")) if named else 0.0)


def least_width(tiles: Sequence[Tile], frame: Frame, notes: Annotation) -> float:
    """The width (mm) in which the lettering over and under a column of tiles has room."""
    words = convention([tile.cut for tile in tiles]) if notes.convention else ""
    widest = max(tile.size[0] for tile in tiles)
    return max(
        frame.text_width(words) + 2, *(_need(tile, frame, notes) * widest / tile.size[0] * 1.01 for tile in tiles)
    )


def gap(frame: Frame) -> float:
    """The paper mm between tiles; on a dark page their black grounds would run into one."""
    return GAP if frame.ink == INK else DARK_GAP


def scale_for(rows: Rows, width: float, frame: Frame) -> float:
    """World mm per paper mm at which the widest row fills `width`."""
    return max(sum(tile.size[0] for tile in row) / (width - gap(frame) * (len(row) - 1)) for row in rows)


def scale_in(rows: Rows, frame: Frame, width: float, height: float, notes: Annotation) -> float:
    """World mm per paper mm at which the rows fill `width` or `height`, lettering and foot included."""
    lettering = height_of(rows, np.inf, frame, notes)
    tall = height_of(rows, 1.0, frame, notes) - lettering
    return max(scale_for(rows, width, frame), tall / max(height - lettering, 1.0))


def height_of(rows: Rows, scale: float, frame: Frame, notes: Annotation) -> float:
    """The paper height (mm) of all rows, each with a band of lettering above its tiles, and of the foot."""
    tall = sum(max(tile.size[1] for tile in row) for row in rows) / scale
    return tall + gap(frame) * (len(rows) - 1) + _band(frame, notes) * len(rows) + _foot(frame, notes)


def _band(frame: Frame, notes: Annotation) -> float:
    """The height (mm) of the lettering above a tile."""
    return 1.25 * frame.line_height if notes.letters or notes.positions else 0.0


def _foot(frame: Frame, notes: Annotation) -> float:
    """The height (mm) of the line under the tiles."""
    return 1.3 * frame.line_height if notes.convention or notes.scale_bar else 0.0


@dataclass(frozen=True)
class Place:
    """Where a tile lies in the raster, in pixels from its lower left corner.

    Parameters
    ----------
    left, bottom, size
        With the lettering.
    sill, tall
        The bottom and the height of its picture.
    """

    tile: Tile
    left: int
    bottom: int
    size: tuple[int, int]
    sill: int
    tall: int

    def pixels(self, points_uv: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places in the cut as pixels of the raster, (column, row from the bottom), to a millionth."""
        share = (points_uv - self.tile.extent[:, 0]) / np.ptp(self.tile.extent, axis=1)
        # What the last bit of an affine says must not show: rounded, every storage order gives the same line.
        return np.asarray(np.round(share * (self.size[0], self.tall) + (self.left, self.sill), 6))


def places(frame: Frame, rows: Rows, notes: Annotation, size: tuple[int, int]) -> tuple[list[Place], float]:
    """Where the tiles lie in a raster of `size` pixels, centred, and how many world mm a pixel is."""
    px, band, foot = frame.dots_per_mm, _band(frame, notes), _foot(frame, notes)
    scale = scale_in(rows, frame, frame.width, frame.height, notes)
    top = (frame.height + height_of(rows, scale, frame, notes)) / 2 - foot
    found = []
    for row in rows:
        height = max(tile.size[1] for tile in row) / scale
        left = (frame.width - sum(tile.size[0] for tile in row) / scale - gap(frame) * (len(row) - 1)) / 2
        bottom = max(round((top - band - height) * px), 0)
        for tile in row:
            whole = (round(tile.size[0] / scale * px), round((height + band) * px))
            width, up = max(min(whole[0], size[0]), 1), max(min(whole[1], size[1] - bottom), 1)
            across = min(max(round(left * px), 0), size[0] - width)
            picture = max(min(round(tile.size[1] / scale * px), up), 1)
            sill = bottom + max(round((up - band * px - picture) / 2), 0)
            found.append(Place(tile, across, bottom, (width, up), sill, picture))
            left += tile.size[0] / scale + gap(frame)
        top -= height + band + gap(frame)
    return found, scale / px


def draw(frame: Frame, layers: Sequence[Layer], rows: Rows, notes: Annotation, cross: Floats | None) -> None:
    """Draw the tiles into the frame, centred, with lines through the world point `cross`."""
    foot = _foot(frame, notes)
    ax, size = frame.picture(0, foot, frame.width, frame.height - foot)
    found, pixel = places(frame, rows, notes, size)
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
    _letters(ax, found, frame, notes, base)
    _footing(ax, found, frame, notes, pixel)


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


def _letters(ax: Axes, found: Sequence[Place], frame: Frame, notes: Annotation, base: color.RGB | None) -> None:
    """Over each tile, where its sides lie in the subject, and its position."""
    px = frame.dots_per_mm
    ink = frame.ink if base is None else "white" if sum(base) < 1.5 else INK
    style: dict[str, Any] = {"fontsize": frame.font_size, "color": ink, "va": "center_baseline"}
    whole = all(
        _need(p.tile, frame, notes) + frame.text_width(" mm") + 4 < p.size[0] / px for p in found if not p.tile.lines
    )
    for place in found:
        cut, (width, height) = place.tile.cut, place.size
        middle = place.bottom + height - 0.5 * _band(frame, notes) * px
        # Where the three have no room side by side, the letters stand under the position, on the picture.
        tight = notes.positions and not place.tile.lines and _need(place.tile, frame, notes) > width / px
        side = middle - tight * 1.1 * frame.line_height * px
        if notes.letters:
            ax.text(place.left + 0.8 * px, side, cut.ends[0], ha="left", **style)
            ax.text(place.left + width - 0.8 * px, side, cut.ends[1], ha="right", **style)
        if notes.positions and not place.tile.lines:
            label = cut.label if whole else cut.label.removesuffix(" mm")
            ax.text(place.left + width / 2, middle, label, ha="center", **style)


def _footing(ax: Axes, found: Sequence[Place], frame: Frame, notes: Annotation, pixel: float) -> None:
    """Under the tiles a scale bar, and on which side the subject's left is."""
    px = frame.dots_per_mm
    left, right = min(p.left for p in found), max(p.left + p.size[0] for p in found)
    y = min(p.bottom for p in found) - 0.52 * _foot(frame, notes) * px
    style: dict[str, Any] = {"fontsize": frame.font_size, "color": frame.ink, "va": "center_baseline"}
    room = (right - left) / px
    if notes.convention and (words := convention([p.tile.cut for p in found])):
        words = words if frame.text_width(words) < room else f"{words[:5]}."
        ax.text(right - 0.8 * px, y, words, ha="right", **style)
        room -= frame.text_width(words) + 4
    length = round_length(0.5 * min(p.size[0] for p in found) * pixel)
    if notes.scale_bar and length / pixel / px + frame.text_width(f"{length:g} mm") + 3 < room:
        start, end = left + 0.8 * px, left + 0.8 * px + length / pixel
        ax.plot([start, end], [y, y], color=frame.ink, linewidth=1.2, solid_capstyle="butt", clip_on=False)
        ax.text(end + px, y, f"{length:g} mm", ha="left", **style)


def convention(cuts: Sequence[Cut]) -> str:
    """How left and right are shown: "neurological" has the subject's left on the left; "" where none is seen."""
    turned = {cut.turned for cut in cuts} - {None}
    if len(turned) > 1:
        return "sides as lettered"
    return "".join("radiological" if side else "neurological" for side in turned)
