"""From pixels to colors: along each ray what is met and what is seen through, nearest first.

Samples lie on a lattice of the world, and wherever something begins or ends there is one more, so that lengths are
exact. Where a ray gains much between two, and most where shades change with depth, there are more: else the lattice
would be seen, as rings.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from volrender.draw.compiled import Loop, borrowed, inner
from volrender.draw.rays.grids import carry, leave
from volrender.draw.rays.media import segment, thickness
from volrender.draw.rays.meet import cut_away, meet_faces, meet_projection, meet_surface
from volrender.draw.rays.scenery import Marks, Numbers, Point, Pool, Record, Records, Tables

ENOUGH = 0.998  # of the light: nothing is seen behind
# A way between two samples that adds more than so much of a ray's light is halved, down to the finest part of a step.
ADDED, FINEST = 0.2, 1 / 8
ADDED_CHANGING, CHANGING = 0.05, 0.01  # where colors change from one way to the next by more than so much
OPAQUE = 1.0  # optical depth of a step, below which more is seen through it than its color tells


@Loop
def trace(
    pool: Pool, air: Pool, marks: Marks, numbers: Numbers, tables: Tables,
    sights: Records, fields: Records, media: Records, projections: Records, surfaces: Records, faces: Records,
    clips: Records, walls: Records, rays: Records, hits: Tables, gone: Tables, last: Tables, ends: Tables,
    pixels: NDArray[np.int64], offsets: Tables, picture: Pool, depth: Pool,
) -> None:  # fmt: skip
    """Fill in pixels (flat places) of a picture (n, 4), premultiplied: the mean over `offsets` (column, row).

    `depth` (n,), if it has room, gets how far (mm) behind the middle of the view a surface is met, or half of the light
    has ended.
    `rays` (a field each) and `hits` are notes that are used again for every ray.
    """
    pool, air, marks, numbers, tables = (
        borrowed(pool), borrowed(air), borrowed(marks), borrowed(numbers), borrowed(tables)
    )  # fmt: skip
    fields, media, projections, surfaces = borrowed(fields), borrowed(media), borrowed(projections), borrowed(surfaces)
    faces, clips, walls, rays, hits = borrowed(faces), borrowed(clips), borrowed(walls), borrowed(rays), borrowed(hits)
    gone, last, ends = borrowed(gone), borrowed(last), borrowed(ends)
    sight = borrowed(sights)[0]
    for pixel in pixels:
        red, green, blue, alpha = 0.0, 0.0, 0.0, 0.0
        for n in range(len(offsets)):
            column, row = pixel % sight.width + offsets[n, 0], pixel // sight.width + offsets[n, 1]
            o, d = ray(sight, column, row)
            cut_away(clips, walls, gone, o, d)
            count, end = meet_faces(pool, sight.nearest, faces, walls, hits, gone, o, d)
            for g in range(len(fields)):
                carry(fields[g], rays[g], o, d)
            for q in range(len(surfaces)):
                s = surfaces[q]
                f, r = fields[s.field], rays[s.field]
                axis = carry(f, r, o, d)
                count, end = meet_surface(
                    pool, air, marks, numbers, tables, sight, f, r, s, hits, gone, o, d, count, end, axis
                )  # fmt: skip
            for q in range(len(projections)):
                p = projections[q]
                f, r = fields[p.field], rays[p.field]
                count = meet_projection(pool, tables, sight, f, r, p, hits, gone, count, end)
            color, a, far = gather(
                pool, air, marks, tables, sight, fields, media, rays, last, ends, hits, gone, o, d, count, end
            )  # fmt: skip
            red, green, blue, alpha = red + color[0], green + color[1], blue + color[2], alpha + a
            if n == 0 and len(depth):
                depth[pixel] = far
        share = 1.0 / len(offsets)
        picture[pixel, 0], picture[pixel, 1] = red * share, green * share
        picture[pixel, 2], picture[pixel, 3] = blue * share, alpha * share


@inner
def ray(sight: Record, column: float, row: float) -> tuple[Point, Point]:
    """Where the ray of a place in the picture starts, and its direction."""
    s, w = sight.start, sight.along
    o = (
        s[0, 0] + column * s[1, 0] + row * s[2, 0],
        s[0, 1] + column * s[1, 1] + row * s[2, 1],
        s[0, 2] + column * s[1, 2] + row * s[2, 2],
    )
    x = w[0, 0] + column * w[1, 0] + row * w[2, 0]
    y = w[0, 1] + column * w[1, 1] + row * w[2, 1]
    z = w[0, 2] + column * w[1, 2] + row * w[2, 2]
    size = math.sqrt(x * x + y * y + z * z)
    return o, (x / size, y / size, z / size)


@inner
def reach(nearest: float, media: Records, rays: Records, last: Tables, ends: Tables, gone: Tables) -> Point:
    """From where to where the media of a ray reach, and in how many places something begins or ends, in `ends`."""
    n, first, final = 0, np.inf, -np.inf
    for m in range(len(media)):
        last[m, 0] = np.nan
        r = rays[media[m].field]
        if r.first < r.last:
            first, final = min(first, r.first), max(final, r.last)
            ends[n], ends[n + 1] = r.first, r.last
            n += 2
    for c in range(len(gone)):
        if n and gone[c, 0] < gone[c, 1]:
            ends[n], ends[n + 1] = gone[c, 0], gone[c, 1]
            n += 2
    return max(first, nearest), final, n


@inner
def gather(
    pool: Pool, air: Pool, marks: Marks, tables: Tables, sight: Record, fields: Records, media: Records, rays: Records,
    last: Tables, ends: Tables, hits: Tables, gone: Tables, o: Point, d: Point, count: int, end: float,
) -> tuple[Point, float, float]:  # fmt: skip
    """Composite media and hits, the nearest first: premultiplied color, alpha, and how far to what is seen first."""
    red, green, blue, alpha, far = 0.0, 0.0, 0.0, 0.0, np.inf
    t, final, n = reach(sight.nearest, media, rays, last, ends, gone)
    final, done, shade, change = min(final, end), 0, -1.0, np.inf
    while alpha < ENOUGH and (t < final or done < count):
        before = hits[done, 0] if done < count else np.inf
        if t < final and t < before:
            jump = to_matter(marks, fields, media, rays, t)
            to = (math.floor(t / sight.step) + 1) * sight.step
            to = to if to > t + 1e-9 else to + sight.step
            empty = jump > to - t
            if empty:
                to = max(math.floor((t + jump) / sight.step) * sight.step, to) if jump < np.inf else np.inf
            to = min(to, before, final)
            for e in range(int(n)):
                if t < ends[e] < to:
                    to = ends[e]
            if not empty:
                left = 1.0 - alpha
                thick = thickness(pool, tables, fields, media, rays, last, gone, t, to)
                most = ADDED if thick > OPAQUE * (to - t) / sight.step and change < CHANGING else ADDED_CHANGING
                while left * thick > most and to - t > sight.step * FINEST:
                    to = t + 0.5 * (to - t)
                    thick = thickness(pool, tables, fields, media, rays, last, gone, t, to)
                r, g, b, a = segment(
                    pool, air, marks, tables, sight, fields, media, rays, last, o, d, t, to
                )  # fmt: skip
                red, green, blue, alpha = red + left * r, green + left * g, blue + left * b, alpha + left * a
                if a > 0:
                    shade, change = g / a, abs(g / a - shade)
            t = to
        else:
            left = (1.0 - alpha) * hits[done, 4]
            red, green, blue = red + left * hits[done, 1], green + left * hits[done, 2], blue + left * hits[done, 3]
            alpha, t = alpha + left, max(t, hits[done, 0])
            far = min(far, hits[done, 0])
            done += 1
        if alpha >= 0.5 and far == np.inf:
            far = t
    if alpha >= ENOUGH:
        red, green, blue, alpha = red / alpha, green / alpha, blue / alpha, 1.0
    return (red, green, blue), alpha, far


@inner
def to_matter(marks: Marks, fields: Records, media: Records, rays: Records, t: float) -> float:
    """How far it is from t to the next block of a medium that has something; infinite if there is none."""
    nearest = np.inf
    for n in range(len(media)):
        g = media[n].field
        r = rays[g]
        if t >= r.last:
            continue
        if t < r.first:
            nearest = min(nearest, r.first - t)
        else:
            nearest = min(nearest, leave(marks, fields[g], r, t + 1e-9))
    return nearest
