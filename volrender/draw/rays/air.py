"""The air of a scene: how open each place in it is, and how much of the key light arrives there."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from volrender.draw.compiled import Loop, inner, run
from volrender.draw.rays.fields import gaussian, smooth
from volrender.draw.rays.grids import into, value
from volrender.draw.rays.light import cast, fading
from volrender.draw.rays.media import look_up
from volrender.draw.rays.meet import OPAQUE
from volrender.draw.rays.scenery import Point, Pool, Record, Records, Scenery, Tables

CELLS = 96  # along the longest side
BLUR = 2.0  # cells
FOLD, GROOVE, SHADE = 0.6, 0.2, 0.2  # how dark wide folds, narrow ones and full shadows are


def with_air(scene: Scenery, low: NDArray[np.float64], high: NDArray[np.float64]) -> Scenery:
    """The scene with light that goes through the air of a world box, relative to the middle of the view."""
    if len(scene.media) + len(scene.surfaces) == 0:
        return scene
    cell = float((high - low).max()) / CELLS
    shape = (np.ceil((high - low) / cell) + 4).astype(np.int64)
    origin, size = (low + high) / 2 - (shape - 1) / 2 * cell, int(shape.prod())
    air = np.zeros(2 * size, dtype=np.float32)
    parts = (scene.pool, scene.tables, scene.fields, scene.media, scene.surfaces, scene.clips, scene.walls)
    run(partial(fill, *parts, air, shape, origin, cell, i, i + 1) for i in range(shape[0]))
    for axis in range(3):
        smooth(air[:size].reshape(shape), gaussian(BLUR), axis)
    light = scene.sight[0]["lights"]
    toward = scene.tables[light : light + 3]
    run(partial(cast, air, 0, size, shape, toward, i, i + 1) for i in range(shape[0]))
    sight = scene.sight.copy()
    sight[0]["fold"], sight[0]["groove"], sight[0]["shade"] = FOLD, GROOVE, SHADE
    for name, at in {"cell": cell, "origin": origin, "shape": shape, "solid": 0, "lit": size}.items():
        sight[0][name] = at
    return scene._replace(sight=sight, air=air)


@inner
def inside(f: Record, clips: Records, walls: Records, at: Point, index: Point) -> bool:
    """Whether a point (world, index) is within a field and not clipped from it."""
    for a in range(3):
        if not -0.5 <= index[a] <= f.shape[a] - 0.5:
            return False
    for c in range(len(clips)):
        if f.clips >> c & 1:
            out = True
            for n in range(clips[c].first_wall, clips[c].last_wall):
                w = walls[n].side
                out = out and w[0] * at[0] + w[1] * at[1] + w[2] * at[2] > w[3]
            if out:
                return False
    return True


@Loop
def fill(
    pool: Pool, tables: Tables, fields: Records, media: Records, surfaces: Records, clips: Records, walls: Records,
    air: Pool, shape: NDArray[np.int64], origin: Tables, cell: float, first: int, last: int,
) -> None:  # fmt: skip
    """How far the cells of planes first to last are filled, from eight points in each."""
    for i in range(first, last):
        for j in range(shape[1]):
            for k in range(shape[2]):
                total = 0.0
                for corner in range(8):
                    at = (
                        origin[0] + cell * (i - 0.25 + 0.5 * (corner & 1)),
                        origin[1] + cell * (j - 0.25 + 0.5 * ((corner >> 1) & 1)),
                        origin[2] + cell * (k - 0.25 + 0.5 * (corner >> 2)),
                    )
                    through = 1.0
                    for n in range(len(media)):
                        f = fields[media[n].field]
                        index = into(f, at[0], at[1], at[2])
                        if inside(f, clips, walls, at, index):
                            v = value(pool, f.start, f.shape, index[0], index[1], index[2])
                            through *= fading(cell * look_up(tables, media[n].density, v))
                    for n in range(len(surfaces)):
                        if surfaces[n].rgba[3] < OPAQUE:  # a thin sheet, which hardly holds light off
                            continue
                        f = fields[surfaces[n].field]
                        index = into(f, at[0], at[1], at[2])
                        v = value(pool, f.start, f.shape, index[0], index[1], index[2])
                        if v >= 0 and inside(f, clips, walls, at, index):
                            through = 0.0
                    total += 1.0 - through
                air[(i * shape[1] + j) * shape[2] + k] = total / 8
