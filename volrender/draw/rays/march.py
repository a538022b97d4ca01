"""From pixels to colors: along each ray what is met and what is seen through, nearest first.

Samples lie on a lattice of the world, and wherever something begins or ends there is one more, so that lengths are
exact.
"""

from __future__ import annotations

import math

import numpy as np

from volrender.draw.rays.compiled import Loop, inner
from volrender.draw.rays.grids import into, leave, span, turned
from volrender.draw.rays.media import segment
from volrender.draw.rays.meet import cut_away, meet_faces, meet_projections, meet_surfaces
from volrender.draw.rays.scenery import MOST_HITS, Notes

ENOUGH = 0.998  # of the light: nothing is seen behind


@Loop
def trace(scene, pixels, offsets, picture, depth):  # type: ignore[no-untyped-def]
    """Fill in pixels (flat places) of a picture (n, 4), premultiplied: the mean over `offsets` (column, row).

    `depth` (n,) gets how far (mm) behind the middle of the view the first half of the light ends, at the first offset.
    """
    fields, clips, media = len(scene.grids.start), len(scene.clip_start) - 1, len(scene.media.field)
    notes = Notes(
        np.empty((MOST_HITS, 5)),
        np.empty((clips, 2)),
        np.empty(2 * fields + 2 * clips + 1),
        np.empty((fields, 2)),
        np.empty((fields, 3)),
        np.empty((fields, 3)),
        np.empty((media, 2)),
        np.empty((media, 4)),
    )
    mean = np.empty(4)
    for pixel in pixels:
        mean[:] = 0
        for n in range(len(offsets)):
            column, row = pixel % scene.sight.width + offsets[n, 0], pixel // scene.sight.width + offsets[n, 1]
            red, green, blue, alpha, far = ray(scene, notes, column, row)
            mean[0] += red
            mean[1] += green
            mean[2] += blue
            mean[3] += alpha
            if n == 0 and len(depth):
                depth[pixel] = far
        for a in range(4):
            picture[pixel, a] = mean[a] / len(offsets)


@inner
def ray(scene, notes, column, row):  # type: ignore[no-untyped-def]
    """The premultiplied color of one ray, and how far it goes until half of the light has ended."""
    s, w = scene.sight.start, scene.sight.along
    o = (
        s[0, 0] + column * s[1, 0] + row * s[2, 0],
        s[0, 1] + column * s[1, 1] + row * s[2, 1],
        s[0, 2] + column * s[1, 2] + row * s[2, 2],
    )
    x = w[0, 0] + column * w[1, 0] + row * w[2, 0]
    y = w[0, 1] + column * w[1, 1] + row * w[2, 1]
    z = w[0, 2] + column * w[1, 2] + row * w[2, 2]
    size = math.sqrt(x * x + y * y + z * z)
    d = (x / size, y / size, z / size)
    cut_away(scene, notes, o, d)
    for g in range(len(scene.grids.start)):
        i, j, k = into(scene.grids, g, o[0], o[1], o[2])
        a, b, c = turned(scene.grids, g, d[0], d[1], d[2])
        notes.index[g, 0], notes.index[g, 1], notes.index[g, 2] = i, j, k
        notes.along[g, 0], notes.along[g, 1], notes.along[g, 2] = a, b, c
        first, last, _ = span(scene.grids, g, i, j, k, a, b, c)
        notes.spans[g, 0], notes.spans[g, 1] = first, last
    count, end = meet_faces(scene, notes, o, d, 0, np.inf)
    count, end = meet_surfaces(scene, notes, o, d, count, end)
    count = meet_projections(scene, notes, count, end)
    return gather(scene, notes, o, d, count, end)


@inner
def border(notes, t, n):  # type: ignore[no-untyped-def]
    """The next of n ends after t."""
    found = np.inf
    for e in range(n):
        if t < notes.ends[e] < found:
            found = notes.ends[e]
    return found


@inner
def media_ends(scene, notes):  # type: ignore[no-untyped-def]
    """Note where media and what clips remove of them begin and end; how many, from where to where they reach."""
    n, first, last = 0, np.inf, -np.inf
    for m in range(len(scene.media.field)):
        g = scene.media.field[m]
        notes.last[m, 0] = np.nan
        if notes.spans[g, 0] < notes.spans[g, 1]:
            first, last = min(first, notes.spans[g, 0]), max(last, notes.spans[g, 1])
            notes.ends[n], notes.ends[n + 1] = notes.spans[g, 0], notes.spans[g, 1]
            n += 2
    for c in range(len(scene.clip_start) - 1):
        if n and notes.gone[c, 0] < notes.gone[c, 1]:
            notes.ends[n], notes.ends[n + 1] = notes.gone[c, 0], notes.gone[c, 1]
            n += 2
    return n, max(first, scene.sight.nearest), last


@inner
def gather(scene, notes, o, d, count, end):  # type: ignore[no-untyped-def]
    """Composite the media and the hits, nearest first."""
    red, green, blue, alpha, far = 0.0, 0.0, 0.0, 0.0, np.inf
    n_ends, t, last = media_ends(scene, notes)
    last = min(last, end)
    step, done = scene.sight.step, 0
    while alpha < ENOUGH and (t < last or done < count):
        before = notes.hits[done, 0] if done < count else np.inf
        if t < last and t < before:
            jump = first_matter(scene, notes, t)
            to = (math.floor(t / step) + 1) * step
            to = to if to > t + 1e-9 else to + step
            empty = jump > to - t
            if empty:
                to = max(math.floor((t + jump) / step) * step, to) if jump < np.inf else np.inf
            to = min(to, min(border(notes, t, n_ends), min(before, last)))
            if not empty:
                r, g, b, a = segment(scene, notes, o, d, t, to)
                left = 1.0 - alpha
                red, green, blue, alpha = red + left * r, green + left * g, blue + left * b, alpha + left * a
            t = to
        else:
            h = notes.hits[done]
            left = (1.0 - alpha) * h[4]
            red, green, blue, alpha = red + left * h[1], green + left * h[2], blue + left * h[3], alpha + left
            t = max(t, h[0])
            done += 1
        if alpha >= 0.5 and far == np.inf:
            far = t
    if alpha >= ENOUGH:
        red, green, blue, alpha = red / alpha, green / alpha, blue / alpha, 1.0
    return red, green, blue, alpha, far


@inner
def first_matter(scene, notes, t):  # type: ignore[no-untyped-def]
    """How far it is from t to the next block of a medium that has something; infinite if there is none."""
    nearest = np.inf
    for m in range(len(scene.media.field)):
        g = scene.media.field[m]
        if t >= notes.spans[g, 1]:
            continue
        if t < notes.spans[g, 0]:
            nearest = min(nearest, notes.spans[g, 0] - t)
            continue
        inside = t + 1e-9
        o, d = notes.index[g], notes.along[g]
        i, j, k = o[0] + inside * d[0], o[1] + inside * d[1], o[2] + inside * d[2]
        nearest = min(nearest, leave(scene.grids, g, i, j, k, d[0], d[1], d[2]))
    return nearest
