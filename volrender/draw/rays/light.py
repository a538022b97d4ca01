"""Light on what rays meet: directions that go with the viewer, folds that are dark, soft shadow.

How much of the light reaches a place is kept on a coarse grid in the world (`Air`), made from what is opaque there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from volrender.draw.rays.compiled import Loop, inner
from volrender.draw.rays.grids import value

LOG2E, LN2_HIGH, LN2_LOW = 1.4426950408889634, 0.693147180369123816490, 1.90821492927058770002e-10
POWERS = 2.0 ** -np.arange(1100.0)
FLAT_WALL = 0.16  # what is counted around a point one blur above a flat wall
FOLD, SHADE = 1.15, 0.55  # how dark a fold and a full shadow are
CONE = 0.25  # the key light's reach to its sides, a part of the distance


class Air(NamedTuple):
    """How open each place is, on a coarse grid along the world's axes.

    Attributes
    ----------
    solid, lit : float32
        How much of the surroundings is filled, and how much of the key light arrives, in C order.
    shape : (3,)
    origin : (3,)
        The first cell's centre (mm, relative to the middle of the view).
    cell : float
        Its side (mm); 0 where there is no such light.
    """

    solid: NDArray[np.float32]
    lit: NDArray[np.float32]
    shape: NDArray[np.int64]
    origin: NDArray[np.float64]
    cell: float


class Light(NamedTuple):
    """Lights at infinity, and the air they come through.

    Attributes
    ----------
    toward : (n, 4)
        Unit vectors toward the lights, and how strong they are; the first throws shadows.
    air : Air
    """

    toward: NDArray[np.float64]
    air: Air


@inner
def fading(x):  # type: ignore[no-untyped-def]
    """exp(-x) for x >= 0 by a series, the same bits on every machine."""
    if x > 700.0:
        return 0.0
    n = int(x * LOG2E + 0.5)
    r = -((x - n * LN2_HIGH) - n * LN2_LOW)
    series = 1.0
    for term in range(12, 0, -1):
        series = 1.0 + series * r / term
    return series * POWERS[n]


@inner
def power(base, exponent):  # type: ignore[no-untyped-def]
    """base ** exponent for a base of 0 to 1 and an exponent of 0 or more; whole exponents by multiplication."""
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
def near(grid, air, x, y, z):  # type: ignore[no-untyped-def]
    """A grid of the air's at a world point."""
    n = air.shape
    i, j, k = (x - air.origin[0]) / air.cell, (y - air.origin[1]) / air.cell, (z - air.origin[2]) / air.cell
    return value(grid, 0, n[0], n[1], n[2], i, j, k)


@inner
def openness(light, x, y, z, nx, ny, nz):  # type: ignore[no-untyped-def]
    """How open a surface point lies (0 to 1), and how much of the key light reaches it."""
    air = light.air
    if air.cell == 0.0:
        return 1.0, 1.0
    up = 2.0 * air.cell
    around = near(air.solid, air, x + up * nx, y + up * ny, z + up * nz)
    fold = min(max((around - FLAT_WALL) / (1.0 - FLAT_WALL), 0.0), 1.0)
    lit = near(air.lit, air, x + up * nx, y + up * ny, z + up * nz)
    return max(1.0 - FOLD * fold, 0.0), 1.0 - SHADE * (1.0 - lit)


@inner
def shaded(light, material, red, green, blue, n, at, eye):  # type: ignore[no-untyped-def]
    """The color of a lit point: of a material (ambient, diffuse, specular, power), with the outward unit normal `n`.

    The model is Phong's (Communications of the ACM 18, 1975).
    """
    opened, lit = openness(light, at[0], at[1], at[2], n[0], n[1], n[2])
    diffuse, specular = 0.0, 0.0
    for a in range(len(light.toward)):
        to = light.toward[a]
        facing = n[0] * to[0] + n[1] * to[1] + n[2] * to[2]
        if facing > 0:
            strength = to[3] * (lit if a == 0 else 1.0)
            diffuse += strength * facing
            mirrored = 2 * facing * (n[0] * eye[0] + n[1] * eye[1] + n[2] * eye[2])
            mirrored -= to[0] * eye[0] + to[1] * eye[1] + to[2] * eye[2]
            if mirrored > 0:
                specular += strength * power(min(mirrored, 1.0), material[3])
    body = (material[0] + material[1] * diffuse) * opened
    gloss = material[2] * specular * opened
    return min(red * body + gloss, 1.0), min(green * body + gloss, 1.0), min(blue * body + gloss, 1.0)


@Loop
def cast(solid, lit, n, direction, first, last):  # type: ignore[no-untyped-def]
    """Fill planes first to last of `lit`: how much of a light from `direction` gets to each cell through `solid`."""
    for i in range(first, last):
        for j in range(n[1]):
            for k in range(n[2]):
                passed, away, step = 1.0, 1.5, 1.0
                while passed > 0.02:
                    x, y, z = i + away * direction[0], j + away * direction[1], k + away * direction[2]
                    if not (-1 < x < n[0] and -1 < y < n[1] and -1 < z < n[2]):
                        break
                    passed *= fading(step * max(value(solid, 0, n[0], n[1], n[2], x, y, z) - 0.25, 0.0))
                    step = 1.0 + CONE * away
                    away += step
                lit[(i * n[1] + j) * n[2] + k] = passed
