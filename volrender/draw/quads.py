"""Four-sided shapes painted over one another, each pixel by how much of it a shape covers."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from volrender.draw.compiled import Loop, inner, run
from volrender.draw.rays.raster import finish

BAND = 64  # rows painted at once
STRAIGHT = 1e-4  # pixels
TOUCHED = 1 / 256  # of a pixel
OPEN = np.zeros(0)  # no ground under a picture


class Shapes(NamedTuple):
    """What is painted.

    Attributes
    ----------
    corners : ndarray, shape (n, outlines, 4, 2)
        x to the right, y down, in pixels from the picture's corner. An outline that runs the other way round inside
        another is a hole.
    colors : ndarray, shape (n, 4)
        Straight RGBA, 0 to 1.
    sharp : ndarray, shape (n,), bool
        Which fill every pixel that they touch.
    """

    corners: NDArray[np.float64]
    colors: NDArray[np.float64]
    sharp: NDArray[np.bool_]


def paint(picture: NDArray[np.float32], corners: NDArray[Any], colors: NDArray[Any], sharp: NDArray[np.bool_]) -> None:
    """Paint `Shapes` onto a picture (rows, columns, 4), premultiplied RGBA from 0 to 1, the first one first."""
    colors = colors.astype(np.float32)
    run(partial(paint_rows, picture, corners, colors, sharp, *rows) for rows in bands(len(picture)))


def as_image(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A premultiplied picture in eight bits, straight RGBA."""
    image = np.empty(picture.shape, np.uint8)
    run(partial(finish, picture, OPEN, image, *rows) for rows in bands(len(picture)))
    return image


def snapped(corners: NDArray[np.float64], offset: float = 0.0) -> NDArray[np.float64]:
    """Corners (n, 4, 2), those of upright rectangles moved so far from the edges of pixels, as matplotlib does."""
    upright = np.ones(len(corners), bool)
    for n in range(4):
        upright &= np.abs(corners[:, n] - corners[:, n - 1]).min(axis=1) < STRAIGHT
        if not upright.any():
            return corners
    return np.where(upright[:, None, None], np.floor(corners + 0.5) + offset, corners)


def bands(rows: int) -> list[tuple[int, int]]:
    """The rows of a picture in parts, for `run`."""
    return [(row, min(row + BAND, rows)) for row in range(0, rows, BAND)]


@Loop
def paint_rows(
    picture: NDArray[np.float32],
    shapes: NDArray[np.float64],
    colors: NDArray[np.float32],
    sharp: NDArray[np.bool_],
    first: int,
    last: int,
) -> None:
    """Paint rows first to last of a picture."""
    height, width = last - first, picture.shape[1]
    change = np.zeros((height, width + 1), np.float32)  # of what is covered, from a pixel to the next
    begin, end = np.full(height, width), np.zeros(height, np.int64)
    for n in range(len(shapes)):
        top, bottom = np.inf, -np.inf
        for outline in range(shapes.shape[1]):
            for corner in range(4):
                top = min(top, shapes[n, outline, corner, 1])
                bottom = max(bottom, shapes[n, outline, corner, 1])
        if not (bottom > first and top < last):
            continue
        for outline in range(shapes.shape[1]):
            for corner in range(4):
                here, there = shapes[n, outline, corner], shapes[n, outline, (corner + 1) % 4]
                if here[1] < there[1]:
                    add_edge(change, begin, end, here[0], here[1] - first, there[0], there[1] - first, 1.0)
                elif here[1] > there[1]:
                    add_edge(change, begin, end, there[0], there[1] - first, here[0], here[1] - first, -1.0)
        red, green, blue, alpha = colors[n]
        for row in range(int(max(math.floor(top) - first, 0)), int(min(math.ceil(bottom) - first, height))):
            line, covered = change[row], np.float32(0)
            for column in range(begin[row], min(end[row] + 1, width)):
                covered += line[np.uint64(column)]
                line[np.uint64(column)] = 0
                share = min(abs(covered), np.float32(1))
                if sharp[n]:
                    share = np.float32(1) if share > TOUCHED else np.float32(0)
                share *= alpha
                kept = np.float32(1) - share
                pixel = picture[first + row, np.uint64(column)]
                pixel[0] = pixel[0] * kept + red * share
                pixel[1] = pixel[1] * kept + green * share
                pixel[2] = pixel[2] * kept + blue * share
                pixel[3] = pixel[3] * kept + share
            begin[row], end[row] = width, 0


@inner
def add_edge(
    change: NDArray[np.float32],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    sign: float,
) -> None:
    """Add what lies to the right of an edge that goes down; of each pixel its exact part."""
    height, width = float(change.shape[0]), float(change.shape[1] - 1)
    slope = (x1 - x0) / (y1 - y0)
    for row in range(int(max(y0, 0.0)), int(min(math.ceil(y1), height))):
        above, below = max(y0, float(row)), min(y1, row + 1.0)
        share = sign * (below - above)
        upper, lower = x0 + slope * (above - y0), x0 + slope * (below - y0)
        left, right = min(upper, lower), max(upper, lower)
        if left >= width:
            end[row] = change.shape[1] - 1
            continue
        start = stop = int(max(left, 0.0))
        line, before = change[row], 0.0
        if left >= 0 and right <= start + 1:  # within a pixel
            before = share * (start + 1 - 0.5 * (left + right))
            line[np.uint64(start)] += before
            stop += 1
        elif right > 0:
            steep, stop = share / (right - left), int(min(right + 1.0, width))
            for column in range(start, stop):
                now = steep * (ramp(column + 1 - left) - ramp(column + 1 - right))
                line[np.uint64(column)] += now - before
                before = now
        line[np.uint64(stop)] += share - before
        begin[row], end[row] = min(begin[row], start), max(end[row], stop)


@inner
def ramp(x: float) -> float:
    """The integral of x held between 0 and 1."""
    held = min(max(x, 0.0), 1.0)
    return 0.5 * held * held + max(x - 1.0, 0.0)
