"""Label maps as one net of faces: a closed surface for each label, borders shared, smoothed within limits.

Surface nets (Gibson, MICCAI 1998): the faces between voxels of different labels, whose corners then move, none by more
than half a voxel along an axis. Faces between two labels are the same faces of both, so there is no gap and no overlap.
All is in index space: the voxel (i, j, k) is the cube from -0.5 to 0.5 around its index.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

Ints = NDArray[np.intp]
Floats = NDArray[np.float32]

ROUNDS = 40
PASS = 0.01  # what the smoothing lets through: the longest waves alone
INWARD = 1 / (PASS - 2)  # after each step of 0.5, a larger step back: smoothing that does not shrink (Taubin, 1995)
BORDER = 8.0  # the pull along a line where labels meet, against that across: lines without stairs
REACH = 0.5  # of a voxel: how far a corner goes along an axis; none goes from where the map ends
SWELLS, STEP = 13, 0.5  # how often faces move until the volumes are right, and how far (voxels) at once
FIRM = 1.8  # how much more than is missing is asked for: a corner moves less than its faces (over-relaxation)


@dataclass(frozen=True)
class Net:
    """Faces between labels.

    Attributes
    ----------
    points : ndarray, shape (n, 3)
        Corners, in index space.
    quads : ndarray, shape (m, 4)
        Corners of each face, counterclockwise as seen from its second side.
    voxels, pieces : ndarray, shape (m, 2)
        The voxel, and the piece of one number, joined by its corners at least, on the first and the second side.
    numbers, sizes : ndarray
        The number, and how many voxels, each piece has. Piece 0 is the outside, its number is 0.
    shape : tuple of int
        Of the label map: faces at its ends are flat.
    """

    points: Floats
    quads: Ints
    voxels: Ints
    pieces: Ints
    numbers: Ints
    sizes: Ints
    shape: tuple[int, ...]

    @cached_property
    def sides(self) -> Ints:
        """The numbers (m, 2) on the two sides; the first is never 0, the second is 0 on the outer surface."""
        return self.numbers[self.pieces]

    @cached_property
    def corners(self) -> Floats:
        """The points of the faces, one corner after the other (4, m, 3)."""
        return self.points[self.quads.T]

    @cached_property
    def areas(self) -> Floats:
        """The normal of each face toward its second side, as long as its area."""
        a, b, c, d = self.corners
        (x, y, z), (u, v, w) = (c - a).T / 2, (d - b).T
        return np.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=1)

    @property
    def volumes(self) -> NDArray[np.float64]:
        """The volume (voxels) of each piece by the divergence theorem; that of the outside is below 0."""
        each = np.einsum("cmi,mi->m", self.corners, self.areas) / 12
        first, second = (np.bincount(p, weights=each, minlength=len(self.sizes)) for p in self.pieces.T)
        return np.asarray(first - second)

    @property
    def triangles(self) -> Ints:
        """Two triangles a quad (2 m, 3), parted along its shorter diagonal."""
        a, b, c, d = self.corners
        straight = ((a - c) ** 2).sum(axis=1) <= ((b - d) ** 2).sum(axis=1)
        halves = np.where(straight[:, None], self.quads[:, [0, 1, 2, 0, 2, 3]], self.quads[:, [0, 1, 3, 1, 2, 3]])
        return np.asarray(halves.reshape(-1, 3))

    def part(self, faces: NDArray[np.bool_]) -> Net:
        """Some of the faces, and their corners."""
        used = np.zeros(len(self.points), dtype=bool)
        used[self.quads[faces]] = True
        quads = (np.cumsum(used) - 1)[self.quads[faces]]
        return replace(
            self, points=self.points[used], quads=quads, voxels=self.voxels[faces], pieces=self.pieces[faces]
        )

    def closed(self, inside: NDArray[np.bool_]) -> Net:
        """The closed surface around a body, seen from outside: each of its edges is an edge of two faces.

        `inside` (m, 2) says which sides of the faces are in the body. Where it touches itself in an edge it has corners
        of its own, so that it is parted.
        """
        outer = inside[:, 0] != inside[:, 1]
        web, turned = self.part(outer), inside[outer, 1, None]
        quads, voxels, pieces = (np.where(turned, x[:, ::-1], x) for x in (web.quads, web.voxels, web.pieces))
        return _parted(replace(web, quads=quads, voxels=voxels, pieces=pieces), np.ones(len(quads), dtype=bool))


def net(numbers: NDArray[Any]) -> Net:
    """The faces of a label map (i, j, k), of whole numbers from 0, which is outside.

    Where the outer surface touches itself in an edge it is parted, so that a fold stays a fold.

    Examples
    --------
    >>> one = net(np.ones((1, 1, 1), dtype=int))
    >>> one.quads.shape, one.volumes.round(5).tolist()
    ((6, 4), [-1.0, 1.0])
    """
    from skimage.measure import label

    padded = np.pad(numbers, 1).astype(np.int32)
    pieces = label(padded, background=-1).ravel() - 1
    of_piece = np.zeros(pieces.max() + 1, dtype=np.intp)
    of_piece[pieces] = padded.ravel()
    quads, voxels = _faces(padded)
    used = np.zeros(padded.size, dtype=bool)
    used[quads] = True
    points = np.stack(np.unravel_index(np.flatnonzero(used), padded.shape), axis=1).astype(np.float32) - np.float32(1.5)
    web = Net(
        points, (np.cumsum(used) - 1)[quads], voxels, pieces[voxels], of_piece, np.bincount(pieces), numbers.shape
    )
    return _parted(web, web.sides[:, 1] == 0)


def _faces(padded: NDArray[np.int32]) -> tuple[Ints, Ints]:
    """Corners (m, 4) of the faces between unlike voxels, and the voxels (m, 2) on their sides; all as flat places.

    The corner at a place is the voxel's lowest.
    """
    stride = [s // padded.itemsize for s in padded.strides]
    quads, voxels = [], []
    for axis, u, v in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        ahead = (slice(None),) * axis + (slice(1, None),)
        back = (slice(None),) * axis + (slice(None, -1),)
        at = np.stack(np.nonzero(padded[ahead] != padded[back]), axis=1) @ stride
        corner = at + stride[axis]
        ring = np.stack([corner, corner + stride[u], corner + stride[u] + stride[v], corner + stride[v]], axis=1)
        pair = np.stack([at, corner], axis=1)
        turned = (padded.ravel()[at] == 0)[:, None]
        quads.append(np.where(turned, ring[:, ::-1], ring))
        voxels.append(np.where(turned, pair[:, ::-1], pair))
    return np.concatenate(quads), np.concatenate(voxels)


def _edges(quads: Ints) -> tuple[Ints, Ints]:
    """The edges (e, 2), lower corner first, and the edge from each corner of each quad to the next (m, 4)."""
    following = np.roll(quads, -1, axis=1)
    most = int(quads.max()) + 1
    keys, place = np.unique(np.minimum(quads, following) * most + np.maximum(quads, following), return_inverse=True)
    return np.stack([keys // most, keys % most], axis=1), place.reshape(quads.shape)


def _parted(web: Net, sheet: NDArray[np.bool_]) -> Net:
    """The net, with corners for each fold of a sheet of faces.

    Folds touch in an edge of four of the faces; there the voxel on the first side keeps its own two. Where the folds
    are one round both ends of the edge, the voxel on the second side does.
    """
    for side in (0, 1):
        web = _parted_by(web, sheet, web.voxels[:, side])
    return web


def _parted_by(web: Net, sheet: NDArray[np.bool_], owner: Ints) -> Net:
    """The net, parted where four faces of a sheet meet in an edge: faces with one owner stay together."""
    edges, edge = _edges(web.quads)
    touching = np.bincount(edge[sheet].ravel(), minlength=len(edges)) == 4
    where = np.zeros(len(web.points), dtype=bool)
    where[edges[touching]] = True
    face, slot = np.nonzero(where[web.quads])
    if len(face) == 0:
        return web
    # What stays together at a corner: faces with an edge, if folds touch there those of one owner.
    at, links = web.quads[face, slot], []
    for near in (slot, slot - 1):
        along = edge[face, near]
        links.append(np.stack([at, along, np.where(touching[along], owner[face] + 1, 0)], axis=1))
    _, link = np.unique(np.concatenate(links), axis=0, return_inverse=True)
    n, link = len(face), np.asarray(link, dtype=np.intp).ravel()
    graph = sparse.coo_array((np.ones(2 * n), (np.tile(np.arange(n), 2), n + link)), shape=(n + link.max() + 1,) * 2)
    _, together = sparse.csgraph.connected_components(graph, directed=False)
    _, first, fold = np.unique(together[:n], return_index=True, return_inverse=True)
    quads = web.quads.copy()
    quads[face, slot] = len(web.points) + fold
    parted = replace(web, points=np.concatenate([web.points, web.points[at[first]]]), quads=quads)
    return parted.part(np.ones(len(quads), dtype=bool))


def smoothed(web: Net) -> Net:
    """The net with smooth faces and lines, in which each piece of a label has its volume.

    What a piece lost is given back as by the pressure of bubbles in a foam: a face moves along its normal by the
    difference of the pressures on its sides, that of the outside and of cavities being 0. A cavity that touches the
    outside in an edge is one with it, since folds are parted there.
    """
    given = web
    bubble = np.where(web.numbers > 0, np.cumsum(web.numbers > 0), 0)
    web = replace(web, pieces=bubble[web.pieces], sizes=np.append(0, web.sizes[web.numbers > 0]))
    before, (first, second) = web.points, web.pieces.T
    corners = (web.quads.ravel(), np.repeat(np.arange(len(web.quads)), 4))
    at_points = sparse.coo_array((np.ones(web.quads.size, dtype=np.float32), corners)).tocsr()
    at_end = (before == -0.5) | (before == np.array(web.shape) - 0.5)
    reach = np.where(at_end, 0, np.float32(REACH))
    web = replace(web, points=before + np.clip(_relaxed(web) - before, -reach, reach))
    for _ in range(SWELLS):
        areas = web.areas
        size = np.linalg.norm(areas, axis=1) + np.float32(1e-9)
        shared = sparse.coo_array((size, (first, second)), shape=(len(web.sizes),) * 2).tocsr()
        shared = shared + shared.T
        stiff = sparse.csc_array(sparse.diags_array(shared.sum(axis=1)) - shared)[1:, 1:]
        pressure = np.append(0.0, spsolve(stiff, FIRM * (web.sizes - web.volumes)[1:]))
        depth = np.clip(pressure[first] - pressure[second], -STEP, STEP).astype(np.float32)
        moves = (at_points @ (areas * depth[:, None])) / (at_points @ size)[:, None]
        web = replace(web, points=before + np.clip(web.points + moves - before, -reach, reach))
    return replace(given, points=web.points)


def _relaxed(web: Net) -> Floats:
    """Points after so many rounds of a step to the mean of the neighbours and a larger one back.

    The outer surface is smoothed by itself, or borders that reach it would be furrows in it.
    """
    edges, edge = _edges(web.quads)
    n = len(web.points)
    border = np.bincount(edge.ravel(), minlength=len(edges)) > 2
    outer = np.zeros(len(edges), dtype=bool)
    outer[edge[web.sides[:, 1] == 0]] = True
    open_air = np.zeros(n, dtype=bool)
    open_air[edges[outer]] = True
    start, end = np.concatenate([edges, edges[:, ::-1]]).T
    weight = np.where(np.tile(border, 2), BORDER, 1.0) * (np.tile(outer, 2) | ~open_air[start])
    weight /= np.bincount(start, weights=weight)[start]
    pull = sparse.csr_array((weight.astype(np.float32), (start, end)), shape=(n, n))
    at = web.points.copy()
    for _ in range(ROUNDS):
        for step in (0.5, INWARD):
            at += np.float32(step) * (pull @ at - at)
    return at
