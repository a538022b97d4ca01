"""What a ray finds in a field: values, how they change, where there is nothing.

A field is float32 in closest-RAS order, trilinear between voxel centres and level from the outer centres to the outer
faces. Its `matrix` is the one place where an affine is applied: it carries rays into index space. Over every 4 x 4 x 4
voxels there is a block that says how many blocks around have nothing in them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender.draw.compiled import Loop, apart, inner
from volrender.draw.rays.scenery import BLOCK, Marks, Point, Pool, Record, Tables

SHALLOW, LEVEL = 0.92, 0.98  # how steep a label's edge is, far around, against a level one: in folds, and elsewhere
BELL = 16 / 15  # the sum of all weights along an axis, over the reach
STEEPEST = 1.052  # of a plane that fits the smooth edge of labels, over the farther reach
AGREE = 0.7  # the least cosine between the normals of a place and of its neighbourhood


@inner
def into(f: Record, x: float, y: float, z: float) -> Point:
    """A world point in a field's index space."""
    m = f.matrix
    return (
        m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3],
        m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3],
        m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3],
    )


@inner
def carry(f: Record, r: Record, o: Point, d: Point) -> int:
    """Carry a world ray into a field's index space; the axis across which it enters the outer faces."""
    m, at, along = f.matrix, r.at, r.along
    first, last, axis = -np.inf, np.inf, 0
    for a in range(3):
        at[a] = m[a, 0] * o[0] + m[a, 1] * o[1] + m[a, 2] * o[2] + m[a, 3]
        along[a] = m[a, 0] * d[0] + m[a, 1] * d[1] + m[a, 2] * d[2]
        low, high = -0.5 - at[a], f.shape[a] - 0.5 - at[a]
        if abs(along[a]) < 1e-12:
            if low > 0 or high < 0:
                last = -np.inf
            continue
        low, high = low / along[a], high / along[a]
        if low > high:
            low, high = high, low
        if low > first:
            first, axis = low, a
        last = min(last, high)
    r.first, r.last = first, last
    return axis


@inner
def value(pool: Pool, start: int, shape: NDArray[np.int64], i: float, j: float, k: float) -> float:
    """What lies in the pool from `start` on, in C order, at an index."""
    ni, nj, nk = shape[0], shape[1], shape[2]
    i, j, k = min(max(i, 0.0), ni - 1.0), min(max(j, 0.0), nj - 1.0), min(max(k, 0.0), nk - 1.0)
    i0, j0, k0 = int(i), int(j), int(k)
    u, v, w = i - i0, j - j0, k - k0
    at = np.uint64(start + (i0 * nj + j0) * nk + k0)
    a = np.uint64(nj * nk if i0 + 1 < ni else 0)
    b = np.uint64(nk if j0 + 1 < nj else 0)
    c = np.uint64(1 if k0 + 1 < nk else 0)
    x0, x1, y0, y1 = pool[at], pool[at + c], pool[at + b], pool[at + b + c]
    at += a
    z0, z1, w0, w1 = pool[at], pool[at + c], pool[at + b], pool[at + b + c]
    near0, near1 = x0 + (x1 - x0) * w, y0 + (y1 - y0) * w
    far0, far1 = z0 + (z1 - z0) * w, w0 + (w1 - w0) * w
    near, far = near0 + (near1 - near0) * v, far0 + (far1 - far0) * v
    between: float = near + (far - near) * u
    return between


@inner
def at_t(pool: Pool, f: Record, r: Record, t: float) -> float:
    """A field where a ray is at t."""
    o, d = r.at, r.along
    return value(pool, f.start, f.shape, o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2])


@inner
def round_at(pool: Pool, f: Record, r: Record, t: float) -> float:
    """A field where a ray is at t, by a cubic if it is to be smooth."""
    o, d = r.at, r.along
    i, j, k = o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2]
    return round_value(pool, f.start, f.shape, i, j, k) if f.round else value(pool, f.start, f.shape, i, j, k)


def cubic(u: Any) -> tuple[Any, Any, Any, Any]:
    """Of the voxels behind, before and after a place at the part u of the way, and the next (Catmull-Rom)."""
    return (
        ((2.0 - u) * u - 1.0) * u * 0.5,
        ((3.0 * u - 5.0) * u * u + 2.0) * 0.5,
        ((4.0 - 3.0 * u) * u + 1.0) * u * 0.5,
        (u - 1.0) * u * u * 0.5,
    )


weights = inner(cubic)


@apart
def round_value(pool: Pool, start: int, shape: NDArray[np.int64], i: float, j: float, k: float) -> float:
    """What lies in the pool at an index, by a cubic through the voxels: surfaces without facets."""
    ni, nj, nk = shape[0], shape[1], shape[2]
    i, j, k = min(max(i, 0.0), ni - 1.0), min(max(j, 0.0), nj - 1.0), min(max(k, 0.0), nk - 1.0)
    i0, j0, k0 = int(i), int(j), int(k)
    along, across, up = weights(i - i0), weights(j - j0), weights(k - k0)
    total = 0.0
    for a in range(4):
        x = min(max(i0 + a - 1, 0), ni - 1)
        for b in range(4):
            row = start + (x * nj + min(max(j0 + b - 1, 0), nj - 1)) * nk
            line = 0.0
            for c in range(4):
                line += up[c] * pool[np.uint64(row + min(max(k0 + c - 1, 0), nk - 1))]
            total += along[a] * across[b] * line
    return total


@inner
def gradient(pool: Pool, f: Record, r: Record, t: float) -> Point:
    """How a field changes per mm along the world's axes: central differences at the voxels around, interpolated."""
    n, m, o, d = f.shape, f.matrix, r.at, r.along
    i = min(max(o[0] + t * d[0], 0.0), n[0] - 1.0)
    j = min(max(o[1] + t * d[1], 0.0), n[1] - 1.0)
    k = min(max(o[2] + t * d[2], 0.0), n[2] - 1.0)
    i0, j0, k0 = int(i), int(j), int(k)
    u, v, w = i - i0, j - j0, k - k0
    di, dj = n[1] * n[2], n[2]
    at = f.start + (i0 * n[1] + j0) * n[2] + k0
    i1, j1, k1 = (di if i0 + 1 < n[0] else 0), (dj if j0 + 1 < n[1] else 0), (1 if k0 + 1 < n[2] else 0)
    i2, j2, k2 = (i1 + di if i0 + 2 < n[0] else i1), (j1 + dj if j0 + 2 < n[1] else j1), (2 if k0 + 2 < n[2] else k1)
    ib, jb, kb = (-di if i0 else 0), (-dj if j0 else 0), (-1 if k0 else 0)
    a = slope(pool, at, ib, i1, i2, u, j1, v, k1, w)
    b = slope(pool, at, jb, j1, j2, v, i1, u, k1, w)
    c = slope(pool, at, kb, k1, k2, w, i1, u, j1, v)
    return (
        m[0, 0] * a + m[1, 0] * b + m[2, 0] * c,
        m[0, 1] * a + m[1, 1] * b + m[2, 1] * c,
        m[0, 2] * a + m[1, 2] * b + m[2, 2] * c,
    )


@inner
def slope(
    pool: Pool, at: int, back: int, one: int, two: int, u: float, side: int, v: float, other: int, w: float
) -> float:
    """The central difference along an axis on which the voxels behind and ahead lie so far from `at`, at part u.

    The two other axes have their next voxel at `side` and `other`, and the parts v and w.
    """
    total = 0.0
    for corner in range(4):
        place = at + (side if corner & 1 else 0) + (other if corner & 2 else 0)
        weight = (v if corner & 1 else 1 - v) * (w if corner & 2 else 1 - w)
        here, ahead = pool[np.uint64(place)], pool[np.uint64(place + one)]
        far, behind = pool[np.uint64(place + two)], pool[np.uint64(place + back)]
        total += weight * ((1 - u) * (ahead - behind) + u * (far - here))
    return 0.5 * total


@apart
def trend(pool: Pool, f: Record, r: Record, t: float, reach: float, every: int) -> tuple[float, float, float, float]:
    """How a field changes per mm along the world's axes: the plane that fits the voxels up to `reach` away.

    Or the voxels whose indices are multiples of `every`.

    The last is how steep it is against that of a level edge of labels, of which a fold has a part.
    Weights are 0 at the end of the reach and rise smoothly, (1 - x^2)^2 along each axis.
    """
    shape, m = f.shape, f.matrix
    i, j, k = r.at[0] + t * r.along[0], r.at[1] + t * r.along[1], r.at[2] + t * r.along[2]
    total, a, b, c = 0.0, 0.0, 0.0, 0.0
    for x in range(lowest(i - reach, every), math.floor(i + reach) + 1, every):
        wx, plane = bell((x - i) / reach), min(max(x, 0), shape[0] - 1) * shape[1]
        for y in range(lowest(j - reach, every), math.floor(j + reach) + 1, every):
            w, row = wx * bell((y - j) / reach), f.start + (plane + min(max(y, 0), shape[1] - 1)) * shape[2]
            line, sloped = 0.0, 0.0
            for z in range(lowest(k - reach, every), math.floor(k + reach) + 1, every):
                part = bell((z - k) / reach) * pool[np.uint64(row + min(max(z, 0), shape[2] - 1))]
                line, sloped = line + part, sloped + part * (z - k)
            total, a, b, c = total + w * line, a + w * line * (x - i), b + w * line * (y - j), c + w * sloped
    a, b, c = leaning(a, total, i, reach, every), leaning(b, total, j, reach, every), leaning(c, total, k, reach, every)
    return (
        m[0, 0] * a + m[1, 0] * b + m[2, 0] * c,
        m[0, 1] * a + m[1, 1] * b + m[2, 1] * c,
        m[0, 2] * a + m[1, 2] * b + m[2, 2] * c,
        math.sqrt(a * a + b * b + c * c) * reach / (STEEPEST * (BELL * reach / every) ** 3),
    )


@inner
def lowest(least: float, every: int) -> int:
    """The lowest multiple that is not below."""
    return every * math.ceil(least / every)


@inner
def bell(x: float) -> float:
    """The weight of a voxel at the part x of the reach."""
    return (1.0 - x * x) * (1.0 - x * x)


@inner
def leaning(moment: float, total: float, at: float, reach: float, every: int) -> float:
    """The slope along an axis that belongs to a weighted sum of values and to their moment about `at`."""
    weight, mean, square = 0.0, 0.0, 0.0
    for x in range(lowest(at - reach, every), math.floor(at + reach) + 1, every):
        w = bell((x - at) / reach)
        weight, mean, square = weight + w, mean + w * (x - at), square + w * (x - at) ** 2
    mean /= weight
    return (moment - mean * total) / (square / weight - mean * mean)


@inner
def outward(pool: Pool, f: Record, r: Record, d: Point, t: float, reach: float, far: float) -> Point:
    """The unit vector to where a field falls, at t; toward the viewer where it is level.

    With a reach (voxels) it is that of a wider neighbourhood where the two agree, as they do not on what is thin. With a
    farther one the steps between voxels are left out, where the surface is level as far as that.
    """
    x, y, z = gradient(pool, f, r, t)
    own = unit(-x, -y, -z, d)
    if reach > 0:
        x, y, z, _ = trend(pool, f, r, t, reach, 1)
        wide = unit(-x, -y, -z, d)
        if own[0] * wide[0] + own[1] * wide[1] + own[2] * wide[2] > AGREE:
            own = wide
    if far > 0:
        x, y, z, level = trend(pool, f, r, t, far, 2)
        wide = unit(-x, -y, -z, d)
        part = min(max((level - SHALLOW) / (LEVEL - SHALLOW), 0.0), 1.0)
        x, y, z = wide[0] - own[0], wide[1] - own[1], wide[2] - own[2]
        own = unit(own[0] + part * x, own[1] + part * y, own[2] + part * z, d)
    return own


@inner
def unit(x: float, y: float, z: float, d: Point) -> Point:
    """A vector with length 1; against the direction d if it has none."""
    size = math.sqrt(x * x + y * y + z * z)
    if size < 1e-12:
        return -d[0], -d[1], -d[2]
    return x / size, y / size, z / size


@inner
def block_at(f: Record, i: float, j: float, k: float) -> int:
    """The place of the block that an index is in."""
    n = f.blocks
    a = min(max(int(i), 0) // BLOCK, n[0] - 1)
    b = min(max(int(j), 0) // BLOCK, n[1] - 1)
    c = min(max(int(k), 0) // BLOCK, n[2] - 1)
    place: int = (a * n[1] + b) * n[2] + c
    return place


@inner
def leave(marks: Marks, f: Record, r: Record, t: float) -> float:
    """How far a ray at t goes on through empty blocks; 0 in a block that has something."""
    i, j, k = r.at[0] + t * r.along[0], r.at[1] + t * r.along[1], r.at[2] + t * r.along[2]
    room = np.int64(marks[f.room + block_at(f, i, j, k)])
    if room == 0:
        return 0.0
    far = np.inf
    for a in range(3):
        at, along = i if a == 0 else j if a == 1 else k, r.along[a]
        b = min(max(int(at), 0) // BLOCK, f.blocks[a] - 1)
        if along > 1e-12:
            if b + room < f.blocks[a]:
                far = min(far, ((b + room) * BLOCK - at) / along)
        elif along < -1e-12 and b - room + 1 > 0:
            far = min(far, ((b - room + 1) * BLOCK - at) / along)
    return max(far, 0.0)


@inner
def is_gone(clips: int, gone: Tables, t: float) -> bool:
    """Whether one of some clips (bits) removes t."""
    c = 0
    while clips:
        if clips & 1 and gone[c, 0] < t < gone[c, 1]:
            return True
        clips >>= 1
        c += 1
    return False


@Loop
def block_ranges(data: Pool, low: Pool, high: Pool, first: int, last: int) -> None:
    """Fill in the lowest and highest value (blocks) of the blocks first to last along i.

    A block has the voxels at its far faces too, since values between them belong to it.
    """
    ni, nj, nk = data.shape
    for a in range(first, last):
        for b in range(low.shape[1]):
            for c in range(low.shape[2]):
                least, most = np.float32(np.inf), np.float32(-np.inf)
                for i in range(a * BLOCK, min(a * BLOCK + BLOCK + 1, ni)):
                    for j in range(b * BLOCK, min(b * BLOCK + BLOCK + 1, nj)):
                        for k in range(c * BLOCK, min(c * BLOCK + BLOCK + 1, nk)):
                            least, most = min(least, data[i, j, k]), max(most, data[i, j, k])
                low[a, b, c], high[a, b, c] = least, most


@Loop
def blur(
    data: Pool, sizes: NDArray[np.int64], steps: NDArray[np.int64], weights: Tables, first: int, last: int
) -> None:
    """Convolve planes first to last of a flat field in place; edge values go on beyond.

    `sizes` are those of a plane along the axis and across it, `steps` from plane to plane, along and across.
    """
    n, m = sizes[0], sizes[1]
    reach = len(weights) // 2
    plane = np.empty((n, m), dtype=np.float32)
    line = np.empty(m, dtype=np.float64)
    for p in range(first, last):
        for a in range(n):
            for b in range(m):
                plane[a, b] = data[p * steps[0] + a * steps[1] + b * steps[2]]
        for a in range(n):
            line[:] = 0
            for w in range(-reach, reach + 1):
                at = min(max(a + w, 0), n - 1)
                for b in range(m):
                    line[b] += weights[w + reach] * plane[at, b]
            for b in range(m):
                data[p * steps[0] + a * steps[1] + b * steps[2]] = line[b]
