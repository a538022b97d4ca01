"""Light on what rays meet: directions that go with the viewer, folds that are dark, soft shadow.

How open each place is, and how much of the key light arrives there, lies on a coarse grid in the world, the air.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from volrender.draw.compiled import Loop, inner
from volrender.draw.rays.grids import value
from volrender.draw.rays.scenery import Point, Pool, Record, Tables

LOG2E, LN2_HIGH, LN2_LOW = 1.4426950408889634, 0.693147180369123816490, 1.90821492927058770002e-10
POWERS = 2.0 ** -np.arange(1100.0)
UP = 2.0  # cells above a surface where its air is looked up
WALL_AIR = 0.16  # how full it is there above a flat wall
ASKANCE, AWAY = -0.05, -0.35  # the cosines between which a side is seen less and less from its front
CONE = 0.25  # the key light's reach to its sides, a part of the distance


@inner
def fading(x: float) -> float:
    """exp(-x) for x >= 0 by a series, the same bits on every machine."""
    if x > 700.0:
        return 0.0
    n = int(x * LOG2E + 0.5)
    r = (n * LN2_HIGH - x) + n * LN2_LOW
    series = 1.0 + r * (1 / 11) * (1.0 + r * (1 / 12))
    series = 1.0 + r * (1 / 9) * (1.0 + r * (1 / 10) * series)
    series = 1.0 + r * (1 / 7) * (1.0 + r * (1 / 8) * series)
    series = 1.0 + r * (1 / 5) * (1.0 + r * (1 / 6) * series)
    series = 1.0 + r * (1 / 3) * (1.0 + r * (1 / 4) * series)
    left: float = (1.0 + r * (1.0 + r * 0.5 * series)) * POWERS[n]
    return left


@inner
def power(base: float, exponent: float) -> float:
    """A power, for a base of 0 to 1 and an exponent of 0 or more; whole exponents by multiplication."""
    whole = int(exponent)
    result, square, left = 1.0, base, whole
    while left > 0:
        if left & 1:
            result *= square
        square *= square
        left >>= 1
    if exponent > whole:
        result *= 1.0 - (exponent - whole) * (1.0 - base)
    return result


@inner
def shaded(
    air: Pool, tables: Tables, sight: Record, material: Record, red: float, green: float, blue: float,
    n: Point, sure: float, opened: float, at: Point, d: Point,
) -> Point:  # fmt: skip
    """The color of a point in the light, with an outward unit normal `n`, seen along `d`; of the side that is seen.

    The model is Phong's (Communications of the ACM 18, 1975). As far as the normal is not sure (0 to 1), the point is
    lit as if it faced the viewer. `opened` says how much of the light gets into the groove that it lies in; below 0 no
    air is asked.
    """
    lit = 1.0
    if sight.cell > 0 and opened > 0:
        i = (at[0] - sight.origin[0]) / sight.cell + UP * n[0]
        j = (at[1] - sight.origin[1]) / sight.cell + UP * n[1]
        k = (at[2] - sight.origin[2]) / sight.cell + UP * n[2]
        around = value(air, sight.solid, sight.shape, i, j, k)
        opened *= max(1.0 - sight.fold * max(around - WALL_AIR, 0.0) / (1.0 - WALL_AIR), 0.0)
        lit = 1.0 - sight.shade * (1.0 - value(air, sight.lit, sight.shape, i, j, k))
    diffuse, specular = 0.0, 0.0
    head_on = -(n[0] * d[0] + n[1] * d[1] + n[2] * d[2])
    front = min(max((head_on - AWAY) / (ASKANCE - AWAY), 0.0), 1.0)
    for light in range(sight.n_lights):
        to = sight.lights + 4 * light
        facing = n[0] * tables[to] + n[1] * tables[to + 1] + n[2] * tables[to + 2]
        strength = tables[to + 3] * (lit if light == 0 else 1.0) * (front if facing > 0 else 1.0 - front)
        if strength > 0:
            diffuse += sure * strength * abs(facing)
            mirrored = 2 * facing * head_on + tables[to] * d[0] + tables[to + 1] * d[1] + tables[to + 2] * d[2]
            if mirrored > 0:
                specular += sure * strength * power(min(mirrored, 1.0), material.power)
        level = -(tables[to] * d[0] + tables[to + 1] * d[1] + tables[to + 2] * d[2])
        diffuse += (1.0 - sure) * tables[to + 3] * max(level, 0.0)
    opened = abs(opened)
    body = (material.ambient + material.diffuse * diffuse) * opened
    gloss = material.specular * specular * opened
    return min(red * body + gloss, 1.0), min(green * body + gloss, 1.0), min(blue * body + gloss, 1.0)


@Loop
def cast(pool: Pool, solid: int, lit: int, n: NDArray[np.int64], direction: Tables, first: int, last: int) -> None:
    """Fill planes first to last of `lit`: how much of a light from `direction` gets to each cell through `solid`."""
    for i in range(first, last):
        for j in range(n[1]):
            for k in range(n[2]):
                passed, away, step = 1.0, 1.5, 1.0
                while passed > 0.02:
                    x, y, z = i + away * direction[0], j + away * direction[1], k + away * direction[2]
                    if not (-1 < x < n[0] and -1 < y < n[1] and -1 < z < n[2]):
                        break
                    passed *= fading(step * max(value(pool, solid, n, x, y, z) - 0.25, 0.0))
                    step = 1.0 + CONE * away
                    away += step
                pool[lit + (i * n[1] + j) * n[2] + k] = passed
