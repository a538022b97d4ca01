"""Cut faces for the OpenGL engine: flat meshes in world millimetres, painted as a slice, that close what was cut.

The end of a scan within an opaque body is such a face too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pyvista as pv
from numpy.typing import NDArray
from scipy import ndimage

from volrender import paint
from volrender.draw.surfaces_pyvista import presmooth
from volrender.layers import CutPlane, Intensity, LabelMap, Layer
from volrender.space import Clip, Plane, View, apply_affine, removed

LARGE = 1400  # points along one side of a face, at most
FINE = 1.5  # pixels between the points of a face, at least
AT_END = 2e-3  # voxels beyond the outer faces; there the face of a scan's end hides all that VTK would draw behind it


def by_clip(layers: Sequence[Layer]) -> list[tuple[Clip, list[Layer]]]:
    """Each clip with the layers that it cuts: their cut faces are one picture."""
    clips: dict[Clip, list[Layer]] = {}
    for layer in layers:
        for clip in layer.clip:
            clips.setdefault(clip, []).append(layer)
    return list(clips.items())


def ended(layer: Layer) -> Layer:
    """The layer, clipped where the scan ends within an opaque body: the end is a cut face like any other.

    VTK would shade it by what lies beyond the last voxel, where there is nothing.
    """
    if not isinstance(layer, Intensity) or layer.blend != "composite" or layer.look.survey.signed:
        return layer
    field = layer.field.canonical
    planes = []
    for axis in range(3):
        normal = np.cross(*np.delete(field.affine[:3, :3], axis, axis=1).T)
        normal /= np.linalg.norm(normal) * np.sign(normal @ field.affine[:3, axis])
        for side, place in ((-1, -0.5 - AT_END), (1, field.shape[axis] - 0.5 + AT_END)):
            index = np.zeros(3)
            index[axis] = place
            if paint.opaque(layer, field.data.take(0 if side < 0 else -1, axis=axis)):
                at = apply_affine(field.affine, index)
                planes.append(Plane(normal=tuple(side * normal), origin=tuple(at)))
    return replace(layer, clip=(*layer.clip, *planes)) if planes else layer


def face(
    row: NDArray[np.float64], layers: Sequence[Layer], view: View, clips: Sequence[Collection[Clip]]
) -> pv.PolyData:
    """The slice of what lies on the plane ax + by + cz = d, where it covers anything; colors are its "rgb".

    `clips` are what is removed of each layer there.
    """
    spacings = [layer.volume.spacing for layer in layers]
    finest = min(min(layer.volume.spacing) / (2 if isinstance(layer, LabelMap) else 1) for layer in layers)
    widest = max(float(np.ptp(layer.volume.bounds, axis=1).max()) for layer in layers)
    step = max(min(finest / 2, FINE * view.mm_per_pixel), widest / LARGE)
    grid = paint.plane_grid(row, [layer.volume for layer in layers], step)
    below = grid - 2 * AT_END * max(map(max, spacings)) * row[:3]
    picture = np.zeros((*grid.shape[:2], 4), dtype=np.float32)
    covered = np.zeros(grid.shape[:2], dtype=np.float32)
    for n, layer in enumerate(layers):
        cover = paint.coverage(layer, below, presmooth(layer.field.data) if isinstance(layer, Intensity) else 0.0)
        colors = paint.on_face(layer, below, overlay=n > 0)
        if isinstance(layer, CutPlane) and isinstance(layer.opacity, tuple):
            cover = np.minimum(cover, np.ceil(colors[..., 3]))
        elif n == 0 and isinstance(layer, (Intensity, CutPlane)) and not layer.look.survey.signed:
            # A face is closed: where the subject is dark it is drawn all the same.
            whole = isinstance(layer, Intensity) or layer.opacity is None
            colors[..., 3] = 1.0 if whole else layer.opacity
        if clips[n]:
            gone = removed(tuple(clips[n]), below)
            cover, colors = np.where(gone, 0, cover), np.where(gone[..., None], 0, colors)
        picture = paint.over(picture, colors)
        covered = np.maximum(covered, cover)
    return _mesh(grid, picture, covered, finest)


def _mesh(
    grid: NDArray[np.float64], picture: NDArray[np.float32], covered: NDArray[np.float32], voxel: float
) -> pv.PolyData:
    """A flat mesh over a grid (u, v, 3) of world points where it is covered, its border smooth within a voxel (mm)."""
    if covered.max() < 0.5:
        return pv.PolyData()
    smooth = ndimage.gaussian_filter(covered, voxel / np.linalg.norm(grid[1, 0] - grid[0, 0]))
    covered = smooth if smooth.max() >= 0.5 else covered  # a single voxel would be smoothed away
    flat = pv.StructuredGrid(*(np.ascontiguousarray(grid[:, :, None, axis]) for axis in range(3)))
    flat.point_data["covered"] = covered.ravel(order="F")
    # Between the last point with color and the next the border runs: it has that color, not a fade to none.
    nearest = ndimage.distance_transform_edt(picture[..., 3] == 0, return_distances=False, return_indices=True)
    clear = (picture[..., 3][covered >= 0.5] < 0.999).any()
    colors = np.rint(picture[(*nearest, slice(4 if clear else 3))] * 255).astype(np.uint8)
    flat.point_data["rgb"] = np.stack([c.ravel(order="F") for c in np.moveaxis(colors, -1, 0)], axis=-1)
    return flat.extract_surface(algorithm="dataset_surface").clip_scalar(scalars="covered", value=0.5, invert=False)
