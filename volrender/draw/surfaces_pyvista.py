"""Meshes for the OpenGL engine: isosurfaces, label surfaces and cuts, in world millimetres.

They are built in the closest-RAS index space with spacing in mm; `placement` is the one function that takes what the
engine draws to the world, as a matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyvista as pv
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.spatial import cKDTree
from scipy.special import erf

from volrender.draw import nets, triangles
from volrender.draw.rays.fields import label_field, near, parts_of, refined, shells, surface_field
from volrender.draw.rays.grids import LEVEL, SHALLOW
from volrender.io.files import warn
from volrender.layers import Isosurface, LabelMap
from volrender.rendering import LABEL_REACHES, LABEL_SMOOTH, presmooth
from volrender.space import Clip, canonical, spacing
from volrender.volume import Volume

NEAR = 0.01  # of a voxel: no point of a surface lies nearer to a voxel's centre
AGREE = 0.7  # the least cosine between the normals of faces and of values that are those of one surface
PUSH = 0.25  # of a voxel: how far a smooth surface may be moved to be as large as the plain one
STEPS, PASSED = 20, 0.1  # of a windowed sinc (Taubin et al., ECCV 1996)
SHARP = 50.0  # degrees between the triangles of a decimated surface, from which on their side is an edge
WHOLE = 100  # triangles: a body of fewer is not decimated
WALLS = 18  # of the 27 voxels around one of a whole slit: there are more where it is a pit
BELL = 0.3  # the sigma of what looks so far around, in the ray caster's weights
ROUNDS = 2  # in which a smooth surface is pushed
VOTES = 100  # points of a body that tell which it is among the smooth ones


def placement(volume: Volume) -> NDArray[np.float64]:
    """The matrix from closest-RAS index space in mm (index times spacing) to the world: the residual of the affine."""
    _, _, affine = canonical(volume.shape, volume.affine)
    return np.asarray(affine @ np.diag([*(1 / spacing(affine)), 1.0]))


def grid_of(volume: Volume, data: NDArray[Any], pad: int = 0) -> pv.ImageData:
    """The volume as a pyvista grid in index space times spacing, which `placement` takes to the world."""
    step = spacing(volume.canonical.affine)
    grid = pv.ImageData(dimensions=data.shape, spacing=step, origin=-pad * step)
    grid.point_data["values"] = data.ravel(order="F")
    return grid


def finite_data(volume: Volume, *, highest: bool = False) -> NDArray[Any]:
    """The voxels in closest-RAS order; those not finite as where nothing is: 0 in a signed map, else the lowest."""
    data = volume.canonical.data
    finite = np.isfinite(data)
    if finite.all():
        return data
    survey = volume.survey
    return np.where(finite, data, survey.high if highest else 0.0 if survey.signed else survey.low)


def isosurface(layer: Isosurface) -> pv.PolyData:
    """The surface in the world: flying edges, smoothed without shrinking, closed and flat at the volume's edge.

    Raises
    ------
    ValueError
        If the level encloses nothing.
    """
    field = surface_field(layer)
    values = np.empty(field.volume.shape, dtype=np.float32)
    replace(field, weights=None).fill(values)
    mesh = _contour(layer.volume, values)
    if layer.smooth:
        parts = parts_of(values.size)
        if parts > 1:
            field.fill(values)
            smooth = _contour(layer.volume, refined(values, parts), parts)
        else:
            smooth = _relaxed(mesh, layer.volume)
        steepest = _steepest(layer)
        mesh = _as_large(smooth, mesh, layer, steepest(smooth))
        outward = steepest(mesh)
    matrix = placement(layer.volume)
    mesh = mesh.transform(matrix, inplace=False)
    mesh = mesh.flip_faces() if np.linalg.det(matrix[:3, :3]) < 0 else mesh
    if layer.decimate:
        return _decimated(mesh, layer)
    mesh = with_normals(mesh)
    if layer.smooth:
        # But where they leave those of the faces, as where a volume ends.
        outward = triangles.unit(outward @ np.linalg.inv(matrix[:3, :3]))
        agree = (np.asarray(mesh.point_data["Normals"], dtype=np.float64) * outward).sum(axis=1)
        _turn(mesh, outward, (agree > AGREE).astype(float))
    return mesh


def _contour(volume: Volume, values: NDArray[np.float32], parts: int = 1) -> pv.PolyData:
    """Where values are 0 at the centres of voxels, or of so many parts of them along each axis, closed at the edge."""
    step = spacing(volume.canonical.affine) / parts
    above = _closed(values)
    grid = pv.ImageData(dimensions=above.shape, spacing=step, origin=-step - step * (parts - 1) / 2)
    grid.point_data["values"] = above.ravel(order="F")
    return grid.contour([0.0], method="flying_edges", compute_normals=False, compute_scalars=False)


def with_normals(mesh: pv.PolyData) -> pv.PolyData:
    """The mesh with the normals of its own faces at its points, unless it has some; large faces end sharply."""
    if "Normals" in mesh.point_data or mesh.n_points == 0:
        return mesh
    return mesh.compute_normals(
        cell_normals=False,
        split_vertices="error_mm" in mesh.field_data,
        feature_angle=SHARP,
        consistent_normals=False,
        auto_orient_normals=False,
    )


def _steepest(layer: Isosurface) -> Callable[[pv.PolyData], NDArray[np.float64]]:
    """What tells the direction (n, 3) in which smoothed values fall most at the points of a mesh in index space.

    In light the faces of a surface between whole numbers show every step of these as a ring.
    """
    data = finite_data(layer.volume)
    field = ndimage.gaussian_filter(data.astype(np.float32), presmooth(data), mode="nearest")
    step = spacing(layer.volume.canonical.affine)
    return lambda mesh: _falls(field, np.asarray(mesh.points, dtype=np.float64) / step, step) * layer.side


def _falls(field: NDArray[np.float32], index_ijk: NDArray[Any], step: NDArray[np.float64]) -> NDArray[np.float64]:
    """The direction (n, 3) in which a field falls most at indices (n, 3) of its grid of voxels of `step` mm."""
    slopes = []
    for axis in range(3):
        ahead, back = (
            ndimage.map_coordinates(field, (index_ijk + side * np.eye(3)[axis]).T, order=1, mode="nearest")
            for side in (1, -1)
        )
        slopes.append((back - ahead) / step[axis])
    return np.stack(slopes, axis=-1).astype(np.float64)


def _turn(mesh: pv.PolyData, outward: NDArray[np.float64], share: NDArray[np.float64]) -> None:
    """Turn the normals of a mesh toward other unit vectors (n, 3), by a share (n,) of the way from 0 to 1."""
    own = np.asarray(mesh.point_data["Normals"], dtype=np.float64)
    turned = triangles.unit(own + share[:, None] * (outward - own))
    mesh.point_data["Normals"] = turned.astype(np.float32)


def _closed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values, never quite 0, with a border that puts the edge on the outer faces.

    At a voxel that has just the level several points of the surface would fall together.
    """
    above = np.pad(values, 1, mode="edge")
    flat, near = above.ravel(), np.zeros(above.shape, dtype=bool)
    near[1:-1, 1:-1, 1:-1] = np.abs(values) < NEAR * np.abs(values).max()
    places = np.flatnonzero(near)
    steps = [sign * stride // above.itemsize for stride in above.strides for sign in (-1, 1)]
    least = NEAR * np.max([np.abs(flat[places + step]) for step in steps], axis=0)
    least = np.maximum(least, np.finfo(np.float32).tiny)
    flat[places] = np.where(flat[places] < 0, np.minimum(flat[places], -least), np.maximum(flat[places], least))
    inner = above[1:-1, 1:-1, 1:-1]
    edges = np.pad(inner, 1, mode="edge")
    above = np.where(edges > 0, -edges, edges)
    above[1:-1, 1:-1, 1:-1] = inner
    return above


def _relaxed(mesh: pv.PolyData, volume: Volume) -> pv.PolyData:
    """The plain surface of a volume too large to be divided, its points smoothed; at the volume's edge they stay.

    In a sheet thinner than a voxel smoothed values at the voxels alone would leave more holes than the plain ones do.
    """
    smooth = mesh.smooth_taubin(n_iter=STEPS, pass_band=PASSED)
    edge = _at_edge(np.asarray(mesh.points, dtype=np.float64), volume)
    smooth.points = np.where(edge.any(axis=1, keepdims=True), mesh.points, smooth.points)
    return smooth


def _at_edge(points: NDArray[np.float64], volume: Volume) -> NDArray[np.bool_]:
    """Which coordinates (n, 3) lie on the volume's outer faces."""
    low, high = _outer_faces(volume)
    near = 2e-4 * -low
    return (points <= low + near) | (points >= high - near)


def _outer_faces(volume: Volume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where along each axis of index space the volume begins and ends (mm)."""
    step = spacing(volume.canonical.affine)
    return -0.5 * step, (np.array(volume.canonical.shape) - 0.5) * step


def _as_large(mesh: pv.PolyData, plain: pv.PolyData, layer: Isosurface, steepest: NDArray[np.float64]) -> pv.PolyData:
    """A smooth surface, pushed along its normals so that each body is as large as in the plain one.

    The normals are where values fall `steepest` (n, 3): between points that lie close together a triangle's own can
    turn it. No point moves by more than a part of a voxel, a cavity by itself stays where it is under the skin, and the
    edge of the volume keeps its planes.
    """
    if mesh.n_points == 0 or plain.n_points == 0:
        return mesh
    step, (low, high) = spacing(layer.volume.canonical.affine), _outer_faces(layer.volume)
    points, faces = np.asarray(mesh.points, dtype=np.float64), mesh.regular_faces
    areas, (group, target) = triangles.areas(points, faces), _matched(points, faces, plain)
    own, smooth = triangles.normals(faces, areas, len(points)), triangles.unit(steepest)
    outward = np.where((own * smooth).sum(axis=1, keepdims=True) > 0, smooth, own)
    edge = _at_edge(points, layer.volume)
    most = PUSH * step.min()
    push, pushed = np.zeros(len(target)), points
    for _ in range(ROUNDS):
        surface = np.bincount(group[faces[:, 0]], np.linalg.norm(areas, axis=1), len(target))
        missing = np.where(target <= 0, 0, target - triangles.volumes(pushed, faces, areas, group))
        push = (push + missing / np.maximum(surface, 1e-30)).clip(-most, most)
        pushed = np.where(edge, points, (points + outward * push[group][:, None]).clip(low, high))
        areas = triangles.areas(pushed, faces)
    mesh.points = pushed.astype(np.float32)
    return mesh


def _matched(
    points: NDArray[np.float64], faces: NDArray[np.intp], plain: pv.PolyData
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Which bodies are the same ones as of the plain surface: the group of each point, and each group's volume there.

    A body joins the one that most of its points lie nearest to, so that what one surface splits, merges or closes is
    one group.
    """
    before, others = np.asarray(plain.points, dtype=np.float64), plain.regular_faces
    one, two = triangles.bodies(faces, len(points)), triangles.bodies(others, len(before))
    n = int(one.max()) + 1
    two += n
    pairs = np.concatenate([_nearest(points, one, before, two), _nearest(before, two, points, one)], axis=1)
    links = sparse.coo_array((np.ones(pairs.shape[1]), tuple(pairs)), shape=(two.max() + 1,) * 2)
    group = sparse.csgraph.connected_components(links, directed=False)[1].astype(np.intp)
    volumes = triangles.volumes(before, others, triangles.areas(before, others), group[two])
    return group[one], np.pad(volumes, (0, int(group.max()) + 1 - len(volumes)))


def _nearest(
    points: NDArray[np.float64], body: NDArray[np.intp], others: NDArray[np.float64], other: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Each body and the one of the others that most of its points lie nearest to (2, n)."""
    order = np.argsort(body, kind="stable")
    rank = np.arange(len(order)) - np.searchsorted(body[order], body[order])
    some = order[rank % np.maximum(np.bincount(body)[body[order]] // VOTES, 1) == 0]
    _, nearest = cKDTree(others).query(points[some])
    votes = sparse.coo_array((np.ones(len(some)), (body[some], other[nearest]))).tocsr()
    found = np.unique(body)
    return np.stack([found, np.ravel(votes.argmax(axis=1))[found]])


def _decimated(mesh: pv.PolyData, layer: Isosurface) -> pv.PolyData:
    """The mesh with fewer triangles, and a note of how far it lies off (mm), which `error_mm` in its data keeps.

    Of a body of a few triangles none can be left out, or the whole would go.
    """
    faces = mesh.regular_faces
    body = triangles.bodies(faces, mesh.n_points)[faces[:, 0]]
    whole = np.bincount(body)[body] < WHOLE
    parts = [_some(mesh, ~whole).decimate(layer.decimate, volume_preservation=True), _some(mesh, whole)]
    both = pv.merge([part for part in parts if part.n_cells], merge_points=False)
    fewer = pv.PolyData.from_regular_faces(*triangles.filled(np.asarray(both.points), both.regular_faces))
    error = max(_farthest(mesh, fewer), _farthest(fewer, mesh))
    fewer.field_data["error_mm"] = [error]
    warn(
        f"the surface of {layer.volume.name or 'the volume'} has {fewer.n_cells:,} of {mesh.n_cells:,} triangles left "
        f"and lies up to {error:.2g} mm off"
    )
    return fewer


def _some(mesh: pv.PolyData, which: NDArray[np.bool_]) -> pv.PolyData:
    """Some of the triangles of a mesh, and their points."""
    used, faces = np.unique(mesh.regular_faces[which], return_inverse=True)
    return pv.PolyData.from_regular_faces(np.asarray(mesh.points)[used], faces.reshape(-1, 3))


def _farthest(points: pv.PolyData, mesh: pv.PolyData) -> float:
    """The largest distance (mm) of one mesh's points from the other's surface."""
    _, nearest = mesh.find_closest_cell(points.points, return_closest_point=True)
    return float(np.linalg.norm(nearest - points.points, axis=1).max())


def label_surface(layer: LabelMap) -> pv.PolyData:
    """What is seen of the labels in the world, colored by label: the outer surface of all.

    Inside it, if it is translucent, are the surfaces of the labels that do not reach it, and no cavities.
    """
    web = nets.smoothed(nets.net(_numbered(layer)))
    colors = np.rint(np.array([(0, 0, 0), *(rgb for _, rgb in layer.table.values())]) * 255).astype(np.uint8)
    solids = [solid for _, solid in shells(layer)]
    if layer.opacity == 1:
        parts = [web.part(web.sides[:, 1] == 0)]
    else:
        parts = [web.closed(np.pad(solid, 1).ravel()[web.voxels]) for solid in solids]
    meshes = [_in_world(layer.volume, each, colors[each.sides[:, 0]], solid) for each, solid in zip(parts, solids)]
    return pv.merge(meshes, merge_points=False) if len(meshes) > 1 else meshes[0]


def _numbered(layer: LabelMap) -> NDArray[np.intp]:
    """The place of each voxel's label among those that are shown, from 1; 0 elsewhere.

    In an opaque map pits that `label_field` smooths shut are given to a label beside them.
    """
    shown = np.array(list(layer.table))
    data = layer.volume.canonical.data
    place = np.searchsorted(shown, data).clip(max=len(shown) - 1)
    numbers = np.where(shown[place] == data, place + 1, 0)
    if layer.opacity == 1:
        part = near(solid := numbers > 0)
        field = label_field(layer, solid, part)
        values = np.empty(field.volume.shape, dtype=np.float32)
        field.fill(values)
        own = numbers[part]
        around = ndimage.convolve((own > 0).astype(np.uint8), np.ones((3, 3, 3), dtype=np.uint8), mode="constant")
        beside = ndimage.grey_dilation(own.astype(np.int32), (3, 3, 3))
        own[:] = np.where((values > 0) & (own == 0) & (around > WALLS), beside, own)
    return numbers


def _in_world(volume: Volume, web: nets.Net, colors: NDArray[np.uint8], solid: NDArray[np.bool_]) -> pv.PolyData:
    """A net in closest-RAS index space as a mesh in the world, seen from its second side, in a color a face.

    It is lit as what it is like farther around, but in folds, where that is not level.
    """
    matrix, step = placement(volume), spacing(volume.canonical.affine)
    faces = web.triangles[:, ::-1] if np.linalg.det(matrix[:3, :3]) < 0 else web.triangles
    mesh = pv.PolyData.from_regular_faces((web.points * step).astype(np.float32), faces)
    mesh = with_normals(mesh.transform(matrix, inplace=False))
    part, sigma = near(solid), np.hypot(LABEL_SMOOTH, BELL * LABEL_REACHES[1])
    body = ndimage.gaussian_filter(solid[part].astype(np.float32), sigma)
    falls = _falls(body, web.points - [along.start for along in part], step)
    level = np.linalg.norm(falls * step, axis=1) / erf(1 / (sigma * np.sqrt(2)))
    share = np.clip((level - SHALLOW) / (LEVEL - SHALLOW), 0, 1)
    _turn(mesh, triangles.unit(falls @ np.linalg.inv(matrix[:3, :3])), share)
    mesh.cell_data["rgb"] = np.repeat(colors, 2, axis=0)
    return mesh


def half(mesh: pv.PolyData, row: NDArray[np.float64], *, keep_inside: bool) -> pv.PolyData:
    """The part of a mesh where ax + by + cz > d, or the other part."""
    if mesh.n_points == 0:
        return mesh
    return mesh.clip(normal=tuple(row[:3]), origin=tuple(row[:3] * row[3]), invert=not keep_inside)


def cut(mesh: pv.PolyData, clips: Sequence[Clip]) -> pv.PolyData:
    """What the clips leave of a mesh, cut exactly: outside the first side, or inside it and outside the next..."""
    for clip in clips:
        parts = []
        for row in clip.halfspaces:
            parts.append(half(mesh, row, keep_inside=False))
            mesh = half(mesh, row, keep_inside=True)
        parts = [part for part in parts if part.n_points]
        mesh = pv.merge(parts) if len(parts) > 1 else parts[0] if parts else pv.PolyData()
        mesh = mesh if isinstance(mesh, pv.PolyData) else mesh.extract_surface()
    return mesh
