"""The tiles of a drawn `Slices`: what each shows and where its lines are, in mm."""

from dataclasses import dataclass

import numpy as np
from matplotlib.collections import LineCollection

from volrender.cuts import Cut
from volrender.draw import tiles
from volrender.draw.annotate import Frame, Raster


@dataclass
class Drawn:
    """A tile: `picture` (rows from the bottom, columns, 4) in 0..1, of the rectangle `extent` ((u, u), (v, v))."""

    cut: Cut
    picture: np.ndarray
    extent: np.ndarray
    lines: list
    box: tuple
    reference: bool

    def uv(self, points_xyz):
        return self.cut.flat(points_xyz)

    def at(self, points_xyz):
        """The colors at world points of the plane."""
        share = (self.uv(points_xyz) - self.extent[:, 0]) / np.ptp(self.extent, axis=1)
        column, row = np.moveaxis((share * self.picture.shape[1::-1]).astype(int), -1, 0)
        return self.picture[row, column]

    def middle(self, chosen):
        """The middle of chosen pixels, as (u, v)."""
        rows, columns = np.nonzero(chosen)
        share = (np.array([columns.mean(), rows.mean()]) + 0.5) / self.picture.shape[1::-1]
        return self.extent[:, 0] + share * np.ptp(self.extent, axis=1)

    def colored(self, color):
        """The lines of a color, (n, 2) each as (u, v)."""
        return [line for line, tone in self.lines if np.allclose(tone[:3], color)]


def places(panel, figure):
    """Where the tiles of a drawn panel lie, and its raster."""
    frame = Frame.whole(figure, panel.font_size, panel.background)
    (raster,) = figure.findobj(Raster)
    size = raster.get_array().shape[1::-1]
    whole = frame.part(0, 0, frame.width, frame.height - panel._head(frame))
    layout = panel._layout(whole, whole.height)
    scale = layout.scale_in(whole.height)
    tall = max(layout.height(scale), panel._sidebar(frame).least_height)
    return tiles.places(layout, whole.part(0, 0, layout.frame.width, tall), scale, size), raster


def drawn(panel, width=89, dpi=100, figure=None):
    """The tiles of a panel, in order."""
    figure = figure or panel.figure(width, dpi)
    found, raster = places(panel, figure)
    pixels = np.asarray(raster.get_array())[::-1] / 255
    lines = [
        (np.asarray(path.vertices), collection.get_edgecolor()[0])
        for collection in raster.axes.collections
        if isinstance(collection, LineCollection)
        for path in collection.get_paths()
    ]
    tiles = []
    for place in found:
        left, sill, across, tall = place.left, place.sill, place.size[0], place.tall
        picture = pixels[sill : sill + tall, left : left + across]
        extent = place.tile.extent
        step = np.ptp(extent, axis=1) / (across, tall)
        mine = [
            (extent[:, 0] + (line - (left, sill)) * step, tone)
            for line, tone in lines
            if left - 1e-6 <= line[:, 0].min() and line[:, 0].max() <= left + across + 1e-6
            if sill - 1e-6 <= line[:, 1].min() and line[:, 1].max() <= sill + tall + 1e-6
        ]
        box = (left, place.bottom, left + across, place.bottom + place.size[1])
        tiles.append(Drawn(place.tile.cut, picture, extent, mine, box, bool(place.tile.lines)))
    return tiles
