"""Pixels from their neighbours: which can be told without a ray, which need several, and their last form.

A picture is traced on a coarse lattice first. A pixel half way between two on which the colors run smoothly is filled
in by a cubic; where they do not, it is traced. So a large print of few voxels costs little more than a small one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from volrender.draw.compiled import Loop
from volrender.draw.rays.scenery import Pool, Tables

SMOOTH = 1 / 255  # how far a straight line may be off for a cubic to be good
STEADY = 12 / 255  # how far apart two pixels may be for one between them to be told
EDGE = 0.05  # a pixel that differs from its neighbours' mean by half of it lies at an edge

Mask = NDArray[np.bool_]


@Loop
def between(
    picture: Pool, depth: Pool, wanted: Mask, leap: float, half: int, across: bool, first: int, last: int
) -> None:
    """Fill in what can be told of rows first to last: pixels half way on a lattice of `2 * half`; want the others.

    Across, in the lattice's own rows; else in the rows between, at every column of the finer lattice. Between two
    depths that are more than `leap` (mm) apart nothing is told.
    """
    height, width = wanted.shape
    for row in range(first, last):
        if row % (2 * half) != (0 if across else half):
            continue
        for column in range(half if across else 0, width, 2 * half if across else half):
            place, size = (column, width) if across else (row, height)
            if place < 3 * half or place + 3 * half >= size:
                wanted[row, column] = True
                continue
            dr, dc = (0, half) if across else (half, 0)
            told = True
            for a in range(4):
                near, far = picture[row - dr, column - dc, a], picture[row + dr, column + dc, a]
                outer = picture[row - 3 * dr, column - 3 * dc, a] + picture[row + 3 * dr, column + 3 * dc, a]
                told = told and abs(near + far - outer) < 16 * SMOOTH and abs(near - far) < STEADY
                picture[row, column, a] = min(max((9 * (near + far) - outer) / 16, 0.0), 1.0)
            behind, ahead = depth[row - dr, column - dc], depth[row + dr, column + dc]
            told = told and not abs(behind - ahead) > leap
            depth[row, column] = 0.5 * (behind + ahead)
            wanted[row, column] = not told


@Loop
def edges(picture: Pool, wanted: Mask, first: int, last: int) -> None:
    """Want the pixels of rows first to last at which the colors bend: a slope that pixels resolve is no edge."""
    height, width = wanted.shape
    for row in range(first, last):
        up, down = max(row - 1, 0), min(row + 1, height - 1)
        for column in range(width):
            left, right = max(column - 1, 0), min(column + 1, width - 1)
            bend = 0.0
            for a in range(4):
                here = 2 * picture[row, column, a]
                bend = max(bend, abs(picture[up, column, a] + picture[down, column, a] - here))
                bend = max(bend, abs(picture[row, left, a] + picture[row, right, a] - here))
            wanted[row, column] = bend > EDGE


@Loop
def finish(picture: Pool, ground: Tables, raster: NDArray[np.uint8], first: int, last: int) -> None:
    """Straight RGBA of rows first to last of a premultiplied picture: on a ground (r, g, b), clear if it is empty.

    What the rounding of alpha adds on white and takes on black is shared by both.
    """
    for row in range(first, last):
        for column in range(picture.shape[1]):
            alpha = float(picture[row, column, 3])
            steps = int(min(max(alpha, 0.0), 1.0) * 255 + 0.5)
            for a in range(3):
                shade = float(picture[row, column, a])
                if len(ground):
                    shade += (1.0 - alpha) * ground[a]
                elif steps > 0:
                    shade = (shade + 0.5 * (steps / 255 - alpha)) * 255 / steps
                raster[row, column, a] = int(min(max(shade, 0.0), 1.0) * 255 + 0.5)
            raster[row, column, 3] = 255 if len(ground) else steps
