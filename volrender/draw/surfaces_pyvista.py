"""Meshes for the OpenGL engine: isosurfaces, label surfaces, cuts and cut faces, in world millimetres.

They are built in the closest-RAS index space with spacing in mm; `placement` is the one function that takes what the
engine draws to the world, as a matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyvista as pv
from numpy.typing import NDArray
from scipy import ndimage

from volrender.layers import Isosurface, LabelMap
from volrender.space import Clip, canonical, spacing
from volrender.volume import Volume


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
    """The surface in the world: flying edges, smoothed without shrinking, closed at the volume's edge."""
    assert layer.level is not None
    data = finite_data(layer.volume).astype(np.float32) * layer.side
    padded = np.pad(data, 1, constant_values=float(data.min()) - 1e-3)
    mesh = grid_of(layer.volume, padded, pad=1).contour([layer.level * layer.side], method="flying_edges")
    if mesh.n_points == 0:
        return mesh
    if layer.smooth:
        mesh = mesh.smooth_taubin(n_iter=20, pass_band=0.1)
    return mesh.transform(placement(layer.volume), inplace=False)


def label_surface(layer: LabelMap) -> pv.PolyData:
    """The outer surface of all shown labels in the world, colored by label: surface nets, smoothed without shrinking.

    A face takes the label that holds most of the space within a voxel under it, so that borders are smooth and a
    label that reaches the surface with a corner does not speckle it; none is invented.
    """
    shown = list(layer.table)
    data = layer.volume.canonical.data
    numbers = (np.searchsorted(shown, data) + 1).clip(max=len(shown))
    numbers = np.where(np.isin(data, shown), numbers, 0)
    padded = np.pad(numbers, 1).astype(np.uint16 if len(shown) < 65_000 else np.int32)
    grid = grid_of(layer.volume, padded, pad=1)
    mesh = grid.contour_labels("external", output_mesh_type="triangles", scalars="values", smoothing=False)
    mesh.cell_data.clear()
    mesh = mesh.smooth_taubin(n_iter=30, pass_band=0.045, non_manifold_smoothing=True)
    colors = np.array([(0, 0, 0), *(rgb for _, rgb in layer.table.values())])
    owners = _owners(padded, mesh, np.asarray(grid.spacing))
    mesh.cell_data["rgb"] = np.rint(colors[owners] * 255).astype(np.uint8)
    return mesh.transform(placement(layer.volume), inplace=False)


def _owners(numbers: NDArray[Any], mesh: pv.PolyData, step: NDArray[np.float64]) -> NDArray[np.intp]:
    """The number that most of the 27 points around each face's inner side have; 0, outside, has no vote."""
    normals = mesh.compute_normals(point_normals=False, cell_normals=True, auto_orient_normals=False).cell_data[
        "Normals"
    ]
    inner = np.asarray(mesh.cell_centers().points) / step + 1 - 0.5 * np.asarray(normals)
    around = np.stack(np.meshgrid(*[(-0.8, 0.0, 0.8)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    place = np.rint(inner[:, None, :] + around).astype(np.intp).clip(0, np.array(numbers.shape) - 1)
    votes = numbers[place[..., 0], place[..., 1], place[..., 2]].astype(np.int32)
    owner = votes.max(axis=1).astype(np.intp)
    mixed = np.flatnonzero(((votes != owner[:, None]) & (votes > 0)).any(axis=1))
    votes, weight = votes[mixed], np.exp(-(around**2).sum(axis=1)).astype(np.float32)
    best = np.zeros(len(mixed), dtype=np.float32)
    for candidate in votes.T:
        total = np.where(candidate > 0, (votes == candidate[:, None]) @ weight, 0)
        owner[mixed] = np.where(total > best, candidate, owner[mixed])
        best = np.maximum(best, total)
    return np.asarray(owner)


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


def face_mesh(grid: NDArray[np.float64], picture: NDArray[np.float32], covered: NDArray[np.float32]) -> pv.PolyData:
    """A flat mesh over a grid (u, v, 3) of world points where it is covered, its border smooth."""
    covered = ndimage.gaussian_filter(covered, 2.0)  # a voxel: the grid is twice as fine
    if covered.max() < 0.5:
        return pv.PolyData()
    flat = pv.StructuredGrid(*(np.ascontiguousarray(grid[:, :, None, axis]) for axis in range(3)))
    flat.point_data["covered"] = covered.ravel(order="F")
    # Between the last point with color and the next the border runs: it has that color, not a fade to none.
    nearest = ndimage.distance_transform_edt(picture[..., 3] == 0, return_distances=False, return_indices=True)
    clear = (picture[..., 3][covered >= 0.5] < 0.999).any()
    colors = np.rint(picture[(*nearest, slice(4 if clear else 3))] * 255).astype(np.uint8)
    flat.point_data["rgb"] = np.stack([c.ravel(order="F") for c in np.moveaxis(colors, -1, 0)], axis=-1)
    return flat.extract_surface(algorithm="dataset_surface").clip_scalar(scalars="covered", value=0.5, invert=False)
