"""Fields of numbers, each on its own grid, and what a ray finds in them.

A field is float32 in closest-RAS order, trilinear between voxel centres and level from the outer centres to the outer
faces. All fields of a scene lie one after another in `Grids.voxels`. `Grids.to_index` is the one place where affines
are applied: it carries rays into a field's index space. Over every 4 x 4 x 4 voxels there is a block that says how
many blocks around have nothing in them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from volrender.draw.rays.compiled import Loop, inner

BLOCK = 4  # voxels along the side of a block


class Grids(NamedTuple):
    """Fields on their grids.

    Attributes
    ----------
    voxels : float32
        All fields, each in C order.
    start : (n,)
        Where each begins.
    shape : (n, 3)
    to_index : (n, 3, 4)
        From the world (mm, relative to the middle of the view) to the index of a voxel's centre.
    room : uint8
        For each block 0 if it has something, else to how many blocks around there is nothing either.
    block_start : (n,)
    blocks : (n, 3)
    clips : (n, m)
        Which clips cut which field.
    """

    voxels: NDArray[np.float32]
    start: NDArray[np.int64]
    shape: NDArray[np.int64]
    to_index: NDArray[np.float64]
    room: NDArray[np.uint8]
    block_start: NDArray[np.int64]
    blocks: NDArray[np.int64]
    clips: NDArray[np.bool_]


@inner
def into(grids, g, x, y, z):  # type: ignore[no-untyped-def]
    """A world point in the index space of field g."""
    m = grids.to_index
    return (
        m[g, 0, 0] * x + m[g, 0, 1] * y + m[g, 0, 2] * z + m[g, 0, 3],
        m[g, 1, 0] * x + m[g, 1, 1] * y + m[g, 1, 2] * z + m[g, 1, 3],
        m[g, 2, 0] * x + m[g, 2, 1] * y + m[g, 2, 2] * z + m[g, 2, 3],
    )


@inner
def turned(grids, g, x, y, z):  # type: ignore[no-untyped-def]
    """A world direction in the index space of field g."""
    m = grids.to_index
    return (
        m[g, 0, 0] * x + m[g, 0, 1] * y + m[g, 0, 2] * z,
        m[g, 1, 0] * x + m[g, 1, 1] * y + m[g, 1, 2] * z,
        m[g, 2, 0] * x + m[g, 2, 1] * y + m[g, 2, 2] * z,
    )


@inner
def value(voxels, start, ni, nj, nk, i, j, k):  # type: ignore[no-untyped-def]
    """A field at an index."""
    i, j, k = min(max(i, 0.0), ni - 1.0), min(max(j, 0.0), nj - 1.0), min(max(k, 0.0), nk - 1.0)
    i0, j0, k0 = int(i), int(j), int(k)
    u, v, w = i - i0, j - j0, k - k0
    di = nj * nk if i0 + 1 < ni else 0
    dj = nk if j0 + 1 < nj else 0
    dk = 1 if k0 + 1 < nk else 0
    at = np.uint64(start + (i0 * nj + j0) * nk + k0)
    a, b, c = np.uint64(di), np.uint64(dj), np.uint64(dk)
    near = (voxels[at] * (1 - w) + voxels[at + c] * w) * (1 - v) + (
        voxels[at + b] * (1 - w) + voxels[at + b + c] * w
    ) * v
    at += a
    far = (voxels[at] * (1 - w) + voxels[at + c] * w) * (1 - v) + (
        voxels[at + b] * (1 - w) + voxels[at + b + c] * w
    ) * v
    return near * (1 - u) + far * u


@inner
def field(grids, g, i, j, k):  # type: ignore[no-untyped-def]
    """Field g at an index."""
    s = grids.shape
    return value(grids.voxels, grids.start[g], s[g, 0], s[g, 1], s[g, 2], i, j, k)


@inner
def gradient(grids, g, i, j, k):  # type: ignore[no-untyped-def]
    """How field g changes per mm along the world's axes: central differences over a voxel to each side."""
    a = 0.5 * (field(grids, g, i + 1, j, k) - field(grids, g, i - 1, j, k))
    b = 0.5 * (field(grids, g, i, j + 1, k) - field(grids, g, i, j - 1, k))
    c = 0.5 * (field(grids, g, i, j, k + 1) - field(grids, g, i, j, k - 1))
    m = grids.to_index
    return (
        m[g, 0, 0] * a + m[g, 1, 0] * b + m[g, 2, 0] * c,
        m[g, 0, 1] * a + m[g, 1, 1] * b + m[g, 2, 1] * c,
        m[g, 0, 2] * a + m[g, 1, 2] * b + m[g, 2, 2] * c,
    )


@inner
def span(grids, g, i, j, k, di, dj, dk):  # type: ignore[no-untyped-def]
    """Between which t a ray (index space) is within the outer faces of field g, and the axis by which it enters."""
    first, last, axis = -np.inf, np.inf, 0
    for a in range(3):
        at, along = (i, di) if a == 0 else (j, dj) if a == 1 else (k, dk)
        low, high = -0.5 - at, grids.shape[g, a] - 0.5 - at
        if abs(along) < 1e-12:
            if low > 0 or high < 0:
                return np.inf, -np.inf, 0
            continue
        low, high = low / along, high / along
        if low > high:
            low, high = high, low
        if low > first:
            first, axis = low, a
        last = min(last, high)
    return first, last, axis


@inner
def leave(grids, g, i, j, k, di, dj, dk):  # type: ignore[no-untyped-def]
    """How far a ray at an index goes on through empty blocks; 0 in a block that has something."""
    n = grids.blocks
    bi = min(max(int(i), 0) // BLOCK, n[g, 0] - 1)
    bj = min(max(int(j), 0) // BLOCK, n[g, 1] - 1)
    bk = min(max(int(k), 0) // BLOCK, n[g, 2] - 1)
    room = np.int64(grids.room[grids.block_start[g] + (bi * n[g, 1] + bj) * n[g, 2] + bk])
    if room == 0:
        return 0.0
    far = np.inf
    for a in range(3):
        at, along, b = (i, di, bi) if a == 0 else (j, dj, bj) if a == 1 else (k, dk, bk)
        if along > 1e-12:
            if b + room < n[g, a]:
                far = min(far, ((b + room) * BLOCK - at) / along)
        elif along < -1e-12 and b - room + 1 > 0:
            far = min(far, ((b - room + 1) * BLOCK - at) / along)
    return max(far, 0.0)


@Loop
def block_ranges(data, low, high, first, last):  # type: ignore[no-untyped-def]
    """Fill in the lowest and highest value (blocks) of the blocks first to last along i.

    A block has the voxels at its far faces too, since values between them belong to it.
    """
    ni, nj, nk = data.shape
    for bi in range(first, last):
        for bj in range(low.shape[1]):
            for bk in range(low.shape[2]):
                least, most = np.float32(np.inf), np.float32(-np.inf)
                for i in range(bi * BLOCK, min(bi * BLOCK + BLOCK + 1, ni)):
                    for j in range(bj * BLOCK, min(bj * BLOCK + BLOCK + 1, nj)):
                        for k in range(bk * BLOCK, min(bk * BLOCK + BLOCK + 1, nk)):
                            least, most = min(least, data[i, j, k]), max(most, data[i, j, k])
                low[bi, bj, bk], high[bi, bj, bk] = least, most


@Loop
def blur(data, sizes, steps, weights, first, last):  # type: ignore[no-untyped-def]
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
