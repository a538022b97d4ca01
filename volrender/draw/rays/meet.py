"""What a ray meets: clips, faces, surfaces and projections, as a list of hits along it.

All distances t are world mm along the ray; it grows away from the viewer.
"""

from __future__ import annotations

import numpy as np

from volrender.draw.rays.compiled import inner
from volrender.draw.rays.grids import field, gradient, leave, span
from volrender.draw.rays.light import shaded
from volrender.draw.rays.scenery import MOST_HITS, TONES

OPAQUE = 0.999
SURFACE_STEP = 0.5  # voxels
REFINEMENTS = 8  # of a crossing: far below a twentieth of a voxel
UNDER = 0.5  # voxels under a surface where its label is looked for


@inner
def cut_away(scene, notes, o, d):  # type: ignore[no-untyped-def]
    """From where to where each clip removes: inside all of its half-spaces."""
    for c in range(len(scene.clip_start) - 1):
        first, last = -np.inf, np.inf
        for row in range(scene.clip_start[c], scene.clip_start[c + 1]):
            h = scene.halfspaces[row]
            slope = h[0] * d[0] + h[1] * d[1] + h[2] * d[2]
            over = h[0] * o[0] + h[1] * o[1] + h[2] * o[2] - h[3]
            if abs(slope) < 1e-12:
                if over <= 0:
                    last = -np.inf
            elif slope > 0:
                first = max(first, -over / slope)
            else:
                last = min(last, -over / slope)
        notes.gone[c, 0], notes.gone[c, 1] = (first, last) if first < last else (np.inf, -np.inf)


@inner
def is_gone(clips, which, notes, t):  # type: ignore[no-untyped-def]
    """Whether a clip removes t; `which` row of `clips` says which clips count."""
    for c in range(clips.shape[1]):
        if clips[which, c] and notes.gone[c, 0] < t < notes.gone[c, 1]:
            return True
    return False


@inner
def hit(notes, count, t, red, green, blue, alpha):  # type: ignore[no-untyped-def]
    """Put a hit in its place in the list; how many there are. The farthest is dropped if there are too many."""
    if alpha <= 0.0:
        return count
    at = count
    if count == MOST_HITS:
        at -= 1
        if notes.hits[at, 0] <= t:
            return count
    while at > 0 and notes.hits[at - 1, 0] > t:
        for a in range(5):
            notes.hits[at, a] = notes.hits[at - 1, a]
        at -= 1
    row = notes.hits[at]
    row[0], row[1], row[2], row[3], row[4] = t, red, green, blue, alpha
    return min(count + 1, MOST_HITS)


@inner
def meet_faces(scene, notes, o, d, count, end):  # type: ignore[no-untyped-def]
    """Faces before `end`; how many hits there are, and where the nearest opaque one lies."""
    faces = scene.faces
    for f in range(len(faces.plane)):
        p = faces.plane[f]
        slope = p[0] * d[0] + p[1] * d[1] + p[2] * d[2]
        if abs(slope) < 1e-9:
            continue
        t = (p[3] - p[0] * o[0] - p[1] * o[1] - p[2] * o[2]) / slope
        if t < scene.sight.nearest or t >= end or is_gone(faces.clips, f, notes, t):
            continue
        x, y, z = o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2]
        outside = False
        for row in faces.within:
            if row[0] == f and row[1] * x + row[2] * y + row[3] * z < row[4]:
                outside = True
        red, green, blue, alpha, covered = texel(faces, f, x, y, z)
        if outside or covered < 0.5:
            continue
        count = hit(notes, count, t, red, green, blue, alpha)
        if alpha >= OPAQUE:
            end = t
    return count, end


@inner
def texel(faces, f, x, y, z):  # type: ignore[no-untyped-def]
    """The picture of face f at a world point, between its four texels; nothing beyond its edge."""
    m, rows, columns = faces.to_pixel[f], faces.shape[f, 0], faces.shape[f, 1]
    u = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
    v = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
    if not (0 <= u < rows - 1 and 0 <= v < columns - 1):
        return 0.0, 0.0, 0.0, 0.0, 0.0
    i, j = int(u), int(v)
    u, v = u - i, v - j
    at = faces.start[f] + i * columns + j
    a, b, c, e = faces.texels[at], faces.texels[at + 1], faces.texels[at + columns], faces.texels[at + columns + 1]
    wa, wb, wc, we = (1 - u) * (1 - v), (1 - u) * v, u * (1 - v), u * v
    return (
        wa * a[0] + wb * b[0] + wc * c[0] + we * e[0],
        wa * a[1] + wb * b[1] + wc * c[1] + we * e[1],
        wa * a[2] + wb * b[2] + wc * c[2] + we * e[2],
        wa * a[3] + wb * b[3] + wc * c[3] + we * e[3],
        wa * a[4] + wb * b[4] + wc * c[4] + we * e[4],
    )


@inner
def at_t(grids, g, notes, t):  # type: ignore[no-untyped-def]
    """Field g where the ray is at t."""
    o, d = notes.index[g], notes.along[g]
    return field(grids, g, o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2])


@inner
def crossing(grids, g, notes, t0, v0, t1, v1):  # type: ignore[no-untyped-def]
    """Where field g is 0 between t0 and t1, at which it has opposite signs (the Illinois method)."""
    for _ in range(REFINEMENTS):
        t = (t0 * v1 - t1 * v0) / (v1 - v0)
        v = at_t(grids, g, notes, t)
        if (v >= 0) == (v1 >= 0):
            t1, v1 = t, v
            v0 *= 0.5
        else:
            t0, v0 = t, v
            v1 *= 0.5
        if abs(v) < 1e-7:
            return t
    return (t0 * v1 - t1 * v0) / (v1 - v0)


@inner
def meet_surfaces(scene, notes, o, d, count, end):  # type: ignore[no-untyped-def]
    """Surfaces before `end`: of an opaque one the first crossing, of a translucent one all."""
    grids = scene.grids
    for s in range(len(scene.surfaces.field)):
        g = scene.surfaces.field[s]
        first, last, axis = span(
            grids, g, notes.index[g, 0], notes.index[g, 1], notes.index[g, 2],
            notes.along[g, 0], notes.along[g, 1], notes.along[g, 2],
        )  # fmt: skip
        entered = first >= scene.sight.nearest
        t = max(first, scene.sight.nearest)
        stop = min(last, end)
        if t >= stop:
            continue
        opaque = scene.surfaces.rgba[s, 3] >= OPAQUE
        v = at_t(grids, g, notes, t)
        if v >= 0 and entered and not is_gone(grids.clips, g, notes, t):
            count = touch(scene, notes, s, o, d, t, axis, count)
            if opaque:
                end = t
                continue
        a, b, c = notes.along[g, 0], notes.along[g, 1], notes.along[g, 2]
        step = SURFACE_STEP / np.sqrt(a * a + b * b + c * c)
        while t < stop:
            i, j, k = notes.index[g, 0] + t * a, notes.index[g, 1] + t * b, notes.index[g, 2] + t * c
            jump = leave(grids, g, i, j, k, a, b, c)
            if jump > step:
                t += jump
                if t < stop:
                    v = at_t(grids, g, notes, t)
                continue
            t1 = min(t + step, stop)
            v1 = at_t(grids, g, notes, t1)
            if (v >= 0) != (v1 >= 0):
                at = crossing(grids, g, notes, t, v, t1, v1)
                if at < end and not is_gone(grids.clips, g, notes, at):
                    count = touch(scene, notes, s, o, d, at, -1, count)
                    if opaque:
                        end = at
                        break
            t, v = t1, v1
        if not opaque and stop == last and v >= 0 and not is_gone(grids.clips, g, notes, last):
            count = touch(scene, notes, s, o, d, last, 3, count)
    return count, end


@inner
def outward(scene, notes, g, d, t, axis):  # type: ignore[no-untyped-def]
    """The unit normal toward the viewer of a surface of field g at t, or of its outer face across an index axis."""
    m = scene.grids.to_index
    if 0 <= axis < 3:
        x, y, z = m[g, axis, 0], m[g, axis, 1], m[g, axis, 2]
    else:
        i, n = notes.index[g], notes.along[g]
        x, y, z = gradient(scene.grids, g, i[0] + t * n[0], i[1] + t * n[1], i[2] + t * n[2])
    size = np.sqrt(x * x + y * y + z * z)
    if size < 1e-12:
        return -d[0], -d[1], -d[2]
    if x * d[0] + y * d[1] + z * d[2] > 0:
        size = -size
    return x / size, y / size, z / size


@inner
def touch(scene, notes, s, o, d, t, axis, count):  # type: ignore[no-untyped-def]
    """Note the hit of a surface, in its light."""
    surfaces = scene.surfaces
    n = outward(scene, notes, surfaces.field[s], d, t, axis)
    red, green, blue = surfaces.rgba[s, 0], surfaces.rgba[s, 1], surfaces.rgba[s, 2]
    if surfaces.number_start[s] >= 0:
        number = label_under(scene, notes, s, n, t)
        red, green, blue = surfaces.palette[number, 0], surfaces.palette[number, 1], surfaces.palette[number, 2]
    at = (o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2])
    eye = (-d[0], -d[1], -d[2])
    red, green, blue = shaded(scene.light, surfaces.material[s], red, green, blue, n, at, eye)
    return hit(notes, count, t, red, green, blue, surfaces.rgba[s, 3])


@inner
def label_under(scene, notes, s, n, t):  # type: ignore[no-untyped-def]
    """The label that has most weight around a place just under a surface; outside has no vote, and none is invented."""
    surfaces, g = scene.surfaces, scene.surfaces.field[s]
    m, shape = scene.grids.to_index[g], scene.grids.shape[g]
    inward = np.empty(3)
    for a in range(3):
        inward[a] = -(m[a, 0] * n[0] + m[a, 1] * n[1] + m[a, 2] * n[2])
    size = np.sqrt((inward**2).sum())
    best, most = 0, 0.0
    for reach in range(1, 4):
        c = notes.index[g] + t * notes.along[g] + inward * (UNDER / size)
        base = np.empty(3, dtype=np.int64)
        for a in range(3):
            base[a] = min(max(int(np.floor(c[a] + 0.5)), 0), shape[a] - 1)
        numbers, weights, found = np.empty(343, dtype=np.int64), np.empty(343), 0
        for i in range(max(base[0] - reach, 0), min(base[0] + reach + 1, shape[0])):
            for j in range(max(base[1] - reach, 0), min(base[1] + reach + 1, shape[1])):
                for k in range(max(base[2] - reach, 0), min(base[2] + reach + 1, shape[2])):
                    number = surfaces.numbers[surfaces.number_start[s] + (i * shape[1] + j) * shape[2] + k]
                    if number == 0:
                        continue
                    far = (c[0] - i) ** 2 + (c[1] - j) ** 2 + (c[2] - k) ** 2
                    weight = 1.0 / (0.05 + far * far)
                    at = 0
                    while at < found and numbers[at] != number:
                        at += 1
                    if at == found:
                        numbers[at], weights[at] = number, 0.0
                        found += 1
                    weights[at] += weight
                    if weights[at] > most:
                        best, most = numbers[at], weights[at]
        if found:
            break
    return best


@inner
def meet_projections(scene, notes, count, end):  # type: ignore[no-untyped-def]
    """The value that a projection shows, as a hit where the highest lies, or where the ray enters."""
    grids, projections = scene.grids, scene.projections
    for p in range(len(projections.field)):
        g = projections.field[p]
        t, stop = max(notes.spans[g, 0], scene.sight.nearest), min(notes.spans[g, 1], end)
        a, b, c = notes.along[g, 0], notes.along[g, 1], notes.along[g, 2]
        best, where, total, met, begin = -1.0, t, 0.0, 0, t
        step, n = scene.sight.step, grids.blocks[g]
        while t < stop:
            i, j, k = notes.index[g, 0] + t * a, notes.index[g, 1] + t * b, notes.index[g, 2] + t * c
            if not is_gone(grids.clips, g, notes, t):
                block = ((max(int(i), 0) // 4) * n[1] + max(int(j), 0) // 4) * n[2] + max(int(k), 0) // 4
                if projections.mean[p] or projections.peak[grids.block_start[g] + block] > best:
                    v = field(grids, g, i, j, k)
                    if projections.within[p, 0] <= v <= projections.within[p, 1]:
                        total += v
                        met += 1
                        if v > best:
                            best, where = v, t
            t += step
        if met == 0:
            continue
        if projections.mean[p]:
            best, where = total / met, begin
        row = projections.rgba[p, int(min(max(best, 0.0), 1.0) * (TONES - 1) + 0.5)]
        count = hit(notes, count, where, row[0], row[1], row[2], row[3])
    return count
