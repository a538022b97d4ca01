"""What a ray meets: clips, faces, surfaces and projections, as a list of hits along it.

All distances t are world mm along the ray; it grows away from the viewer. A hit is (t, red, green, blue, alpha),
straight; hits are kept in order, the nearest first.
"""

from __future__ import annotations

import math

import numpy as np

from volrender.draw.compiled import apart, inner
from volrender.draw.rays.grids import at_t, block_at, gradient, is_gone, leave, outward, round_at, unit, value
from volrender.draw.rays.light import shaded
from volrender.draw.rays.scenery import TONES, Marks, Numbers, Point, Pool, Record, Records, Tables

OPAQUE = 0.999
SURFACE_STEP = 0.5  # voxels
REFINEMENTS = 12  # of a crossing, at most
NEAR_ZERO = 1e-6  # of a field's range
UNDER = 0.5  # voxels under a surface where its label is looked for
REACH = 3  # voxels around, at most
TAPS, OVER = 2, 1.25  # places over a surface, so many voxels apart, that tell whether it lies in a groove


@apart
def cut_away(clips: Records, walls: Records, gone: Tables, o: Point, d: Point) -> None:
    """From where to where each clip removes: inside all of its walls."""
    for c in range(len(clips)):
        first, last = -np.inf, np.inf
        for n in range(clips[c].first_wall, clips[c].last_wall):
            w = walls[n].side
            slope = w[0] * d[0] + w[1] * d[1] + w[2] * d[2]
            over = w[0] * o[0] + w[1] * o[1] + w[2] * o[2] - w[3]
            if abs(slope) < 1e-12:
                if over <= 0:
                    last = -np.inf
            elif slope > 0:
                first = max(first, -over / slope)
            else:
                last = min(last, -over / slope)
        gone[c, 0], gone[c, 1] = (first, last) if first < last else (np.inf, -np.inf)


@apart
def hit(hits: Tables, count: int, t: float, color: Point, alpha: float) -> int:
    """Put a hit in its place in the list; how many there are. The farthest is dropped if there are too many."""
    if alpha <= 0.0:
        return count
    at = count
    if count == len(hits):
        at -= 1
        if hits[at, 0] <= t:
            return count
    while at > 0 and hits[at - 1, 0] > t:
        for a in range(5):
            hits[at, a] = hits[at - 1, a]
        at -= 1
    hits[at, 0], hits[at, 1], hits[at, 2], hits[at, 3], hits[at, 4] = t, color[0], color[1], color[2], alpha
    return min(count + 1, len(hits))


@apart
def meet_faces(
    pool: Pool, nearest: float, faces: Records, walls: Records, hits: Tables, gone: Tables, o: Point, d: Point,
) -> tuple[int, float]:  # fmt: skip
    """How many faces are met, and where the nearest opaque one lies."""
    count, end = 0, np.inf
    for n in range(len(faces)):
        f = faces[n]
        p = f.plane
        slope = p[0] * d[0] + p[1] * d[1] + p[2] * d[2]
        if abs(slope) < 1e-9:
            continue
        t = (p[3] - p[0] * o[0] - p[1] * o[1] - p[2] * o[2]) / slope
        if t < nearest or t >= end or is_gone(f.clips, gone, t):
            continue
        at = (o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2])
        inside = True
        for w in range(f.first_wall, f.last_wall):
            side = walls[w].side
            inside = inside and side[0] * at[0] + side[1] * at[1] + side[2] * at[2] >= side[3]
        if not inside:
            continue
        color, alpha, covered = texel(pool, f, at)
        if covered >= 0.5:
            count = hit(hits, count, t, color, alpha)
            if alpha >= OPAQUE:
                end = t
    return count, end


@inner
def texel(pool: Pool, f: Record, at: Point) -> tuple[Point, float, float]:
    """The picture of a face at a world point, between its texels: color, alpha and cover; nothing beyond its edge."""
    m = f.to_pixel
    u = m[0, 0] * at[0] + m[0, 1] * at[1] + m[0, 2] * at[2] + m[0, 3]
    v = m[1, 0] * at[0] + m[1, 1] * at[1] + m[1, 2] * at[2] + m[1, 3]
    if not (0 <= u < f.shape[0] - 1 and 0 <= v < f.shape[1] - 1):
        return (0.0, 0.0, 0.0), 0.0, 0.0
    i, j = int(u), int(v)
    u, v = u - i, v - j
    a = f.start + 5 * (i * f.shape[1] + j)
    b = a + 5 * f.shape[1]
    red, green, blue, alpha, covered = 0.0, 0.0, 0.0, 0.0, 0.0
    for corner in range(4):
        place = (b if corner & 1 else a) + (5 if corner & 2 else 0)
        share = (u if corner & 1 else 1 - u) * (v if corner & 2 else 1 - v)
        red += share * pool[place]
        green += share * pool[place + 1]
        blue += share * pool[place + 2]
        alpha += share * pool[place + 3]
        covered += share * pool[place + 4]
    return (red, green, blue), alpha, covered


@inner
def crossing(pool: Pool, f: Record, r: Record, t0: float, v0: float, t1: float, v1: float) -> float:
    """Where a field is 0 between t0 and t1, at which it has opposite signs (the Illinois method)."""
    for _ in range(REFINEMENTS):
        t = t0 + (t1 - t0) * v0 / (v0 - v1)
        v = round_at(pool, f, r, t)
        if abs(v) < NEAR_ZERO:
            return t
        if (v >= 0) == (v1 >= 0):
            t1, v1 = t, v
            v0 *= 0.5
        else:
            t0, v0 = t, v
            v1 *= 0.5
    return t0 + (t1 - t0) * v0 / (v0 - v1)


@inner
def next_crossing(
    pool: Pool, marks: Marks, f: Record, r: Record, gone: Tables, t: float, v: float, stop: float
) -> tuple[float, float, float]:
    """The next crossing of a surface from t on, where its field is v; where to go on after it, and the field there.

    Infinite if there is none before `stop`; what clips remove is passed over. Where a ray grazes a surface, in it for
    less than a step, a parabola through three samples finds the middle.
    """
    step, before = SURFACE_STEP / math.sqrt(r.along[0] ** 2 + r.along[1] ** 2 + r.along[2] ** 2), np.nan
    while t < stop:
        jump = leave(marks, f, r, t)
        if jump > step:
            t, before = t + jump, np.nan
            v = round_at(pool, f, r, t) if t < stop else v
            continue
        t1 = min(t + step, stop)
        v1 = round_at(pool, f, r, t1)
        if (v >= 0) != (v1 >= 0):
            at = crossing(pool, f, r, t, v, t1, v1)
            if not is_gone(f.clips, gone, at):
                return at, t1, v1
        elif before < v < 0 and v1 < v and 8 * v * (before + v1 - 2 * v) < (v1 - before) ** 2:
            t2 = t + 0.5 * step * (v1 - before) / (2 * v - before - v1)
            v2 = round_at(pool, f, r, t2)
            if v2 >= 0:
                at = crossing(pool, f, r, t, v, t2, v2) if t2 > t else crossing(pool, f, r, t - step, before, t2, v2)
                if not is_gone(f.clips, gone, at):
                    return at, t2, v2
        t, before, v = t1, v, v1
    return np.inf, stop, v


@apart
def meet_surface(
    pool: Pool, air: Pool, marks: Marks, numbers: Numbers, tables: Tables,
    sight: Record, f: Record, r: Record, s: Record,
    hits: Tables, gone: Tables, o: Point, d: Point, count: int, end: float, axis: int,
) -> tuple[int, float]:  # fmt: skip
    """Hits of a surface before `end`: of an opaque one the first, which is the new end; of a translucent one all.

    It is closed by the outer faces of its field, across whose `axis` the ray enters.
    """
    t, stop = max(r.first, sight.nearest), min(r.last, end)
    if t >= stop:
        return count, end
    opaque = s.rgba[3] >= OPAQUE
    v = round_at(pool, f, r, t)
    at = t if v >= 0 and t == r.first and not is_gone(f.clips, gone, t) else np.inf
    m, sign = f.matrix, -1.0 if r.along[axis] > 0 else 1.0
    n = unit(sign * m[axis, 0], sign * m[axis, 1], sign * m[axis, 2], d)
    while True:
        if at == np.inf:
            at, t, v = next_crossing(pool, marks, f, r, gone, t, v, stop)
            if at == np.inf:
                break
            n = outward(pool, f, r, d, at, s.reach, s.far)
            if v < 0:  # left from within
                n = (-n[0], -n[1], -n[2])
        color = surface_color(pool, air, numbers, tables, sight, f, r, s, o, d, n, at)
        count = hit(hits, count, at, color, s.rgba[3])
        if opaque:
            return count, at
        at = np.inf
    if not opaque and stop == r.last and v >= 0 and not is_gone(f.clips, gone, stop):
        color = surface_color(pool, air, numbers, tables, sight, f, r, s, o, d, (-d[0], -d[1], -d[2]), stop)
        count = hit(hits, count, stop, color, s.rgba[3])
    return count, end


@apart
def surface_color(
    pool: Pool, air: Pool, numbers: Numbers, tables: Tables, sight: Record, f: Record, r: Record, s: Record,
    o: Point, d: Point, n: Point, t: float,
) -> Point:  # fmt: skip
    """The color of a surface that a ray meets at t, in its light."""
    red, green, blue = s.rgba[0], s.rgba[1], s.rgba[2]
    if s.numbers >= 0:
        at = s.palette + 3 * label_under(numbers, s.numbers, f, r, n, t)
        red, green, blue = tables[at], tables[at + 1], tables[at + 2]
    at_xyz = (o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2])
    opened = 1.0 if s.rgba[3] >= OPAQUE else -1.0  # through what is translucent light comes from behind as well
    if s.numbers >= 0 and opened > 0 and sight.cell > 0:
        opened -= sight.groove * grooved(pool, f, r, n, t)
    return shaded(air, tables, sight, s, red, green, blue, n, 1.0, opened, at_xyz, d)


@inner
def grooved(pool: Pool, f: Record, r: Record, n: Point, t: float) -> float:
    """How far a place on labels lies in a groove of a few voxels: how full it is over it, 0 to 1."""
    m = f.matrix
    a = m[0, 0] * n[0] + m[0, 1] * n[1] + m[0, 2] * n[2]
    b = m[1, 0] * n[0] + m[1, 1] * n[1] + m[1, 2] * n[2]
    c = m[2, 0] * n[0] + m[2, 1] * n[1] + m[2, 2] * n[2]
    voxel = 1.0 / math.sqrt(a * a + b * b + c * c)
    x, y, z = gradient(pool, f, r, t)
    fall = math.sqrt(x * x + y * y + z * z) * voxel
    if fall < NEAR_ZERO:
        return 0.0
    i, j, k = r.at[0] + t * r.along[0], r.at[1] + t * r.along[1], r.at[2] + t * r.along[2]
    full = 0.0
    for tap in range(1, TAPS + 1):
        up = tap * OVER * voxel
        v = value(pool, f.start, f.shape, i + up * a, j + up * b, k + up * c)
        full += min(max(0.5 + v / (2 * OVER * fall), 0.0), 1.0)
    return full / TAPS


@apart
def label_under(numbers: Numbers, start: int, f: Record, r: Record, n: Point, t: float) -> int:
    """The label with the most weight around a place just under a surface; outside has no vote, none is invented."""
    m, shape = f.matrix, f.shape
    i = m[0, 0] * n[0] + m[0, 1] * n[1] + m[0, 2] * n[2]
    j = m[1, 0] * n[0] + m[1, 1] * n[1] + m[1, 2] * n[2]
    k = m[2, 0] * n[0] + m[2, 1] * n[1] + m[2, 2] * n[2]
    under = UNDER / math.sqrt(i * i + j * j + k * k)
    i = r.at[0] + t * r.along[0] - under * i
    j = r.at[1] + t * r.along[1] - under * j
    k = r.at[2] + t * r.along[2] - under * k
    a, b, c = math.floor(i + 0.5), math.floor(j + 0.5), math.floor(k + 0.5)
    for reach in range(1, REACH + 1):
        best, most = 0, 0.0
        for cell in range((2 * reach + 1) ** 3):
            number = number_at(numbers, start, shape, a, b, c, cell, reach)
            if number == 0 or number == best:
                continue
            total = 0.0
            for other in range((2 * reach + 1) ** 3):
                if number_at(numbers, start, shape, a, b, c, other, reach) == number:
                    side = 2 * reach + 1
                    x, y, z = (
                        a + other // side**2 - reach - i,
                        b + other // side % side - reach - j,
                        c + other % side - reach - k,
                    )
                    total += 1.0 / (0.05 + (x * x + y * y + z * z) ** 2)
            if total > most:
                best, most = number, total
        if best:
            return best
    return 0


@inner
def number_at(numbers: Numbers, start: int, shape: Tables, a: int, b: int, c: int, cell: int, reach: int) -> int:
    """The number of one of the voxels around (a, b, c)."""
    side = 2 * reach + 1
    x, y, z = a + cell // side**2 - reach, b + cell // side % side - reach, c + cell % side - reach
    if 0 <= x < shape[0] and 0 <= y < shape[1] and 0 <= z < shape[2]:
        number: int = numbers[start + (x * shape[1] + y) * shape[2] + z]
        return number
    return 0


@apart
def meet_projection(
    pool: Pool, tables: Tables, sight: Record, f: Record, r: Record, p: Record, hits: Tables, gone: Tables,
    count: int, end: float,
) -> int:  # fmt: skip
    """The value that a projection shows, as a hit behind all others: it has no depth, and is the ground of the rest."""
    t, best, shown, total, met = max(r.first, sight.nearest), -1.0, 0.0, 0.0, 0
    while t < r.last and end == np.inf:
        i, j, k = r.at[0] + t * r.along[0], r.at[1] + t * r.along[1], r.at[2] + t * r.along[2]
        if (p.mean or pool[f.peak + block_at(f, i, j, k)] > best) and not is_gone(f.clips, gone, t):
            v = at_t(pool, f, r, t)
            if p.low <= v <= p.high and not (p.signed and tables[toned(p, v) + 3] <= 0):
                total += v
                met += 1
                if abs(v - p.zero) > best:
                    best, shown = abs(v - p.zero), v
        t += sight.step
    if met == 0:
        return count
    at = toned(p, total / met if p.mean else shown)
    return hit(hits, count, np.inf, (tables[at], tables[at + 1], tables[at + 2]), tables[at + 3])


@inner
def toned(p: Record, v: float) -> int:
    """Where a projection's color and alpha of a value begin in the tables."""
    at: int = p.rgba + 4 * int(min(max(v, 0.0), 1.0) * (TONES - 1) + 0.5)
    return at
