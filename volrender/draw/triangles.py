"""Triangles in space, as points (n, 3) and the places (m, 3) of their corners: their bodies, sizes and repair."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


def bodies(faces: NDArray[np.intp], n_points: int) -> NDArray[np.intp]:
    """The number of the connected piece that each point belongs to."""
    start, end = faces[:, :2].T.ravel(), faces[:, 1:].T.ravel()
    links = sparse.coo_array((np.ones(len(start), dtype=bool), (start, end)), shape=(n_points, n_points))
    return np.asarray(sparse.csgraph.connected_components(links, directed=False)[1], dtype=np.intp)


def areas(points: NDArray[np.float64], faces: NDArray[np.intp]) -> NDArray[np.float64]:
    """The normal of each triangle, as long as its area."""
    a, b, c = (points[corner] for corner in faces.T)
    (x, y, z), (u, v, w) = (b - a).T / 2, (c - a).T
    return np.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=1)


def volumes(
    points: NDArray[np.float64], faces: NDArray[np.intp], areas: NDArray[np.float64], body: NDArray[np.intp]
) -> NDArray[np.float64]:
    """The volume that each closed piece encloses, below 0 for a cavity (the divergence theorem)."""
    each = np.einsum("ij,ij->i", points[faces[:, 0]], areas) / 3
    sums = np.bincount(body[faces[:, 0]], weights=each, minlength=int(body.max()) + 1)
    return np.asarray(sums, dtype=np.float64)


def normals(faces: NDArray[np.intp], areas: NDArray[np.float64], n_points: int) -> NDArray[np.float64]:
    """The unit normal at each point: of the triangles around it, by their areas."""
    at = faces.T.ravel()
    sums = np.stack([np.bincount(at, weights=np.tile(part, 3), minlength=n_points) for part in areas.T], axis=1)
    return unit(sums)


def unit(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Vectors (n, 3) with length 1; a vector of none stays."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30))


def filled(points: NDArray[Any], faces: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """A mesh without the holes that collapsed edges left: each ring of sides without a neighbour is fanned shut.

    It is closed, and every side has two triangles.
    """
    faces, n = faces.astype(np.int64), len(points)
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    low, high = np.minimum(start, end), np.maximum(start, end)
    edges, place = np.unique(low * n + high, return_inverse=True)
    excess = np.bincount(place, weights=np.where(start < end, 1, -1)).astype(int)
    onward: dict[int, list[int]] = {}
    for edge, times in zip(edges[excess != 0], excess[excess != 0]):
        one, two = divmod(int(edge), n)
        here, there = (two, one) if times > 0 else (one, two)
        onward.setdefault(here, []).extend([there] * abs(int(times)))
    fans = []
    while onward:
        first = here = next(iter(onward))
        while (there := onward[here].pop()) != first:
            fans.append((first, here, there))
            if not onward[here]:
                del onward[here]
            here = there
        if not onward[here]:
            del onward[here]
    fans = [fan for fan in fans if len({*fan}) == 3]
    return _apart(points, np.concatenate([faces, fans]) if fans else faces)


def _apart(points: NDArray[Any], faces: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """A closed mesh in which every side has two triangles: where sheets touch, each has points of its own.

    The uses of a side in either direction are paired, and corners that paired triangles share are one point. Sheets
    that still share a side, as of a tube that became a line, get a point of their own half way along it.
    """
    faces = _single(faces)
    while True:
        forth, back = _paired(faces)
        n = faces.size
        after = np.arange(n) // 3 * 3 + (np.arange(n) + 1) % 3
        ones, others = np.concatenate([forth, after[forth]]), np.concatenate([after[back], back])
        links = sparse.coo_array((np.ones(len(ones), dtype=bool), (ones, others)), shape=(n, n))
        count, corner = sparse.csgraph.connected_components(links, directed=False)
        own = np.empty(count, dtype=np.int64)
        own[corner] = faces.ravel()
        points, faces = points[own], corner.reshape(-1, 3).astype(np.int64)
        forth, back = _paired(faces)
        sides = np.stack([faces.ravel()[forth], faces.ravel()[after[forth]]])
        shared = 1 + np.flatnonzero((sides[:, 1:] == sides[:, :-1]).all(axis=0))
        if not len(shared):
            return points, faces
        touched: set[int] = set()
        middles: list[NDArray[Any]] = []
        halves: list[tuple[int, int, int]] = []
        for one, other in zip(forth[shared].tolist(), back[shared].tolist()):
            if touched & {one // 3, other // 3}:
                continue
            touched |= {one // 3, other // 3}
            middle = count + len(middles)
            middles.append(points[faces[one // 3][[one % 3, (one + 1) % 3]]].mean(axis=0))
            for side in (one, other):
                begin, end, apex = np.roll(faces[side // 3], -(side % 3))
                faces[side // 3] = begin, middle, apex
                halves.append((middle, end, apex))
        points, faces = np.concatenate([points, middles]).astype(points.dtype), np.concatenate([faces, halves])


def _single(faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """The triangles but for those that lie back to back, of the same points in opposite order."""
    place = np.unique(np.sort(faces, axis=1), axis=0, return_inverse=True)[1].ravel()
    turn = np.sign((faces - np.roll(faces, 1, axis=1)).prod(axis=1, dtype=np.float64))
    left = np.bincount(place, weights=turn)
    rows = np.flatnonzero(turn * left[place] > 0)
    rows = rows[np.argsort(place[rows], kind="stable")]
    rank = np.arange(len(rows)) - np.searchsorted(place[rows], place[rows])
    return faces[np.sort(rows[rank < np.abs(left[place[rows]])])]


def _paired(faces: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The sides of triangles, each numbered as the corner where it begins, and those that pass them the other way."""
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    return np.lexsort((end, start)), np.lexsort((start, end))
