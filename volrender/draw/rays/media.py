"""What rays see through: media that absorb, and have a color and a sheen.

Between two samples a medium's value is taken to run straight, so that what it absorbs is the integral of its
extinction over the values between (pre-integration: Engel et al., Graphics Hardware 2001): the sum is exact however
long the step, no thin shell slips through, and there are no rings and no noise to hide them.
"""

from __future__ import annotations

import math

from volrender.draw.compiled import apart, inner
from volrender.draw.rays.grids import gradient, is_gone, round_at, unit
from volrender.draw.rays.light import fading, shaded
from volrender.draw.rays.scenery import TONES, Marks, Point, Pool, Record, Records, Tables

VISIBLE_DEPTH = 0.7  # optical depth up to which a medium's color is seen
LEVEL = 0.01  # the change of a field from sample to sample below which it hardly has a side
CLOSE = 0.1  # how far off that middle may be
THIN = 1e-7
FAINT = 0.5  # what is absorbed on a way to a threshold, below which it is looked into
NEARBY = 0.04  # of the field's 0 to 1: how far values between two samples may be off
FINER = 8  # parts of a way between two samples that is looked into


@inner
def look_up(tables: Tables, start: int, v: float) -> float:
    """A table between its entries."""
    at = min(max(v, 0.0), 1.0) * (TONES - 1)
    n = min(int(at), TONES - 2)
    low = tables[start + n]
    between: float = low + (tables[start + n + 1] - low) * (at - n)
    return between


@inner
def absorbed(tables: Tables, m: Record, v0: float, v1: float, part: float) -> float:
    """The mean extinction per mm over the first part of a way on which the value runs from v0 to v1, times the part."""
    to = v0 + part * (v1 - v0)
    if abs(to - v0) < THIN:
        return part * look_up(tables, m.density, v0)
    return part * (look_up(tables, m.total, to) - look_up(tables, m.total, v0)) / (to - v0)


@inner
def seen(tables: Tables, m: Record, v0: float, v1: float, length: float, amount: float) -> float:
    """The part of a way after which the middle of what is seen of it lies."""
    wanted = min(0.5 * amount, VISIBLE_DEPTH)
    low, high, part = 0.0, 1.0, 0.5
    for _ in range(8):
        over = absorbed(tables, m, v0, v1, part) * length - wanted
        if abs(over) < CLOSE * wanted:
            break
        if over < 0:
            low = part
        else:
            high = part
        part = 0.5 * (low + high)
    return part


@inner
def borders(tables: Tables, m: Record, v0: float, v1: float) -> bool:
    """Whether anything is seen of values little beyond those at the ends of a way."""
    low, high = min(v0, v1) - NEARBY, max(v0, v1) + NEARBY
    beyond: bool = look_up(tables, m.total, high) > look_up(tables, m.total, low)
    return beyond


@apart
def looked_into(
    pool: Pool, tables: Tables, f: Record, r: Record, m: Record, t: float, to: float, v0: float
) -> tuple[float, float, float]:
    """What is absorbed on a way with little at its ends: its amount, after which part it lies, and its value.

    What stands out between two samples, as a cap that just comes out of a cut face, would have holes.
    """
    total, where, value, step = 0.0, 0.0, v0, (to - t) / FINER
    for n in range(1, FINER + 1):
        v = round_at(pool, f, r, t + n * step)
        amount = absorbed(tables, m, v0, v, 1.0) * step
        if amount > 0 and total == 0:
            where, value = (n - 0.5) / FINER, 0.5 * (v0 + v)
        total, v0 = total + amount, v
    return total, where, value


@inner
def thickness(
    pool: Pool, tables: Tables, fields: Records, media: Records, rays: Records, last: Tables, gone: Tables,
    t: float, to: float,
) -> float:  # fmt: skip
    """The optical depth between two places of a ray; each medium's amount and its value at the end in `last`."""
    middle, total = 0.5 * (t + to), 0.0
    for n in range(len(media)):
        m = media[n]
        f, r = fields[m.field], rays[m.field]
        last[n, 3] = -1.0
        if not r.first <= middle <= r.last or is_gone(f.clips, gone, middle):
            continue
        if last[n, 0] != t:
            last[n, 0], last[n, 1] = t, round_at(pool, f, r, t)
        last[n, 2] = round_at(pool, f, r, to)
        last[n, 3] = absorbed(tables, m, last[n, 1], last[n, 2], 1.0) * (to - t)
        total += last[n, 3]
    return total


@inner
def segment(
    pool: Pool, air: Pool, marks: Marks, tables: Tables, sight: Record, fields: Records, media: Records, rays: Records,
    last: Tables, o: Point, d: Point, t: float, to: float,
) -> tuple[float, float, float, float]:  # fmt: skip
    """The premultiplied color and alpha of the media between two places of a ray, whose `thickness` was asked."""
    length, total = to - t, 0.0
    red, green, blue = 0.0, 0.0, 0.0
    for n in range(len(media)):
        m = media[n]
        f, r = fields[m.field], rays[m.field]
        v0, v1, amount = last[n, 1], last[n, 2], last[n, 3]
        if amount < 0:
            continue
        last[n, 0], last[n, 1] = to, v1
        if amount < THIN and not (m.sharp and borders(tables, m, v0, v1)):
            continue
        if m.sharp and amount < FAINT:
            amount, part, v = looked_into(pool, tables, f, r, m, t, to, v0)
        else:
            part = seen(tables, m, v0, v1, length, amount)
            v = v0 + part * (v1 - v0)
        if amount < THIN:
            continue
        at = t + part * length
        if m.n_steep > 1:
            amount = steepened(pool, tables, f, r, m, at, amount, length)
        color = colored(pool, air, marks, tables, sight, f, r, m, o, d, at, v)
        red, green, blue = red + amount * color[0], green + amount * color[1], blue + amount * color[2]
        total += amount
    if total < THIN:
        return 0.0, 0.0, 0.0, 0.0
    alpha = 1.0 - fading(total)
    share = alpha / total
    return red * share, green * share, blue * share, alpha


@inner
def colored(
    pool: Pool, air: Pool, marks: Marks, tables: Tables, sight: Record, f: Record, r: Record, m: Record,
    o: Point, d: Point, t: float, v: float,
) -> Point:  # fmt: skip
    """The color of a medium at t, where its value is v, in its light."""
    if m.pigments >= 0:
        red, green, blue = pigment(marks, f, r, m.pigments, t)
    else:
        at = m.rgb + 3 * int(min(max(v, 0.0), 1.0) * (TONES - 1) + 0.5)
        red, green, blue = tables[at], tables[at + 1], tables[at + 2]
    if m.diffuse <= 0:
        return red, green, blue
    x, y, z = gradient(pool, f, r, t)
    out = 1.0 if v < m.zero else -1.0
    n, steep = unit(out * x, out * y, out * z, d), (x * x + y * y + z * z) * m.reach**2
    at_xyz = (o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2])
    # Where a scan ends values have a side only along its end.
    within = min((t - r.first) * math.sqrt(r.along[0] ** 2 + r.along[1] ** 2 + r.along[2] ** 2), 1.0)
    return shaded(air, tables, sight, m, red, green, blue, n, within * steep / (steep + LEVEL * LEVEL), 1.0, at_xyz, d)


@apart
def pigment(marks: Marks, f: Record, r: Record, start: int, t: float) -> Point:
    """The color that voxels themselves have at t, between their centres."""
    shape = f.shape
    i = min(max(r.at[0] + t * r.along[0], 0.0), shape[0] - 1.0)
    j = min(max(r.at[1] + t * r.along[1], 0.0), shape[1] - 1.0)
    k = min(max(r.at[2] + t * r.along[2], 0.0), shape[2] - 1.0)
    a, b, c = int(i), int(j), int(k)
    u, v, w = i - a, j - b, k - c
    red, green, blue = 0.0, 0.0, 0.0
    for corner in range(8):
        x, y, z = corner & 1, (corner >> 1) & 1, corner >> 2
        share = (u if x else 1 - u) * (v if y else 1 - v) * (w if z else 1 - w)
        place = (min(a + x, shape[0] - 1) * shape[1] + min(b + y, shape[1] - 1)) * shape[2] + min(c + z, shape[2] - 1)
        red += share * marks[start + 3 * place]
        green += share * marks[start + 3 * place + 1]
        blue += share * marks[start + 3 * place + 2]
    return red / 255, green / 255, blue / 255


@apart
def steepened(
    pool: Pool, tables: Tables, f: Record, r: Record, m: Record, t: float, amount: float, length: float
) -> float:
    """What is absorbed when opacity has the factor that belongs to the field's steepness at t."""
    x, y, z = gradient(pool, f, r, t)
    steepness = math.sqrt(x * x + y * y + z * z)
    factor = tables[m.steep + 1]
    for n in range(1, m.n_steep):
        at = m.steep + 2 * n
        if steepness >= tables[at]:
            factor = tables[at + 1]
        elif steepness > tables[at - 2]:
            part = (steepness - tables[at - 2]) / (tables[at] - tables[at - 2])
            factor = tables[at - 1] + part * (tables[at + 1] - tables[at - 1])
    if factor >= 1.0:
        return amount
    return -math.log1p(-factor * (1.0 - fading(amount / length))) * length
