"""Cut faces and slices in a scene: a picture of the layers on a plane, whatever engine shows it.

The end of a scan within an opaque body is such a face too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from volrender import framing, paint
from volrender.bodies import Body
from volrender.layers import CutPlane, Intensity, LabelMap, Layer, is_projection
from volrender.space import Clip, Plane, apply_affine, removed

LARGE = 1400  # points along one side of a face, at most
FINE = 1.5  # pixels between the points of a face, at least
FINEST = 32  # points to a voxel, at most
ISLAND = 6  # voxels, and smaller ones are asked for
FAINT = 0.3  # of the greatest opacity
AT_END = 2e-3  # voxels beyond the outer faces; there the face of a scan's end hides all that could be drawn behind it


@dataclass(frozen=True)
class Face:
    """A picture on a plane.

    Attributes
    ----------
    row : (4,)
        The plane, ax + by + cz = d.
    within : sequence of (4,)
        Half-spaces ax + by + cz > d that the face lies in: the other sides of its clip.
    clips : sequence of Clip
        What else is removed of it.
    grid : (u, v, 3)
        World points.
    picture : (u, v, 4), float32
        Straight RGBA at them.
    covered : (u, v), float32
        Its border is where this is 0.5.
    """

    row: NDArray[np.float64]
    within: Sequence[NDArray[np.float64]]
    clips: Sequence[Clip]
    grid: NDArray[np.float64]
    picture: NDArray[np.float32]
    covered: NDArray[np.float32]


def slice_faces(layers: Sequence[Layer], pixel: float, draft: bool = False) -> list[Face]:
    """The slices of volumes, as fine as pixels of so many mm show; those on one plane are one picture.

    Finer where voxels are smaller than pixels, but in a `draft`.
    """
    planes: dict[Plane, list[Layer]] = {}
    for layer in layers:
        if isinstance(layer, CutPlane):
            planes.setdefault(layer.plane, []).append(layer)
    bodies = {layer: paint.closed(layer) for members in planes.values() for layer in members}
    return [_face(plane.halfspaces[0], members, bodies, (), (), pixel, draft) for plane, members in planes.items()]


def cut_faces(layers: Sequence[Layer], pixel: float, draft: bool = False) -> list[Face]:
    """Every side of every clip, with the slice of what it cut, so that a cut body is solid.

    Layers with the same clip share a picture, as fine as pixels of so many mm show. A projection has no faces: they
    would hide it.
    """
    layers = [layer for layer in layers if not is_projection(layer)]
    clips: dict[Clip, list[Layer]] = {}
    for layer in layers:
        for clip in layer.clip:
            clips.setdefault(clip, []).append(layer)
    bodies = {layer: paint.closed(layer) for layer in layers if layer.clip}
    found = []
    for clip, members in clips.items():
        others = [tuple(other for other in layer.clip if other != clip) for layer in members]
        for n, row in enumerate(clip.halfspaces):
            found.append(_face(row, members, bodies, [*np.delete(clip.halfspaces, n, axis=0)], others, pixel, draft))
    return found


def ended(layer: Layer) -> Layer:
    """The layer, clipped where the scan ends within an opaque body: the end is a cut face like any other.

    It would be shaded by what lies beyond the last voxel, where there is nothing.
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


def _face(
    row: NDArray[np.float64],
    layers: Sequence[Layer],
    bodies: Mapping[Layer, Body | None],
    within: Sequence[NDArray[np.float64]],
    others: Sequence[tuple[Clip, ...]],
    pixel: float,
    draft: bool,
) -> Face:
    """`others` are the clips that remove more of each layer; what all have in common is cut exactly."""
    common = tuple(clip for clip in others[0] if all(clip in each for each in others)) if others else ()
    spacings = [layer.volume.spacing for layer in layers]
    finest = min(min(layer.volume.spacing) / (2 if isinstance(layer, LabelMap) else 1) for layer in layers)
    widest = max(float(np.ptp(layer.volume.bounds, axis=1).max()) for layer in layers)
    apart = min(min(layer.volume.spacing) / _parts(layer) for layer in layers)
    fine = FINE * pixel if draft else min(apart, FINE * pixel)
    step = max(fine, min(map(min, spacings)) / FINEST, widest / LARGE)
    grid = framing.plane_grid(row, [layer.volume for layer in layers], step)
    below = grid - 2 * AT_END * max(map(max, spacings)) * row[:3]
    picture = np.zeros((*grid.shape[:2], 4), dtype=np.float32)
    covered = np.zeros(grid.shape[:2], dtype=np.float32)
    for n, layer in enumerate(layers):
        points = _continued(layer, others[n] if others else (), below)
        blur = paint.softness(layer) * min(layer.volume.spacing) / step
        cover = paint.coverage(layer, points, bodies[layer], blur)
        if n == 0 and bodies[layer] is not None and paint.has_body(layer):
            cover = _where_drawn(layer, points, cover)
        colors = paint.on_face(layer, points, overlay=n > 0)
        if isinstance(layer, CutPlane) and isinstance(layer.opacity, tuple):
            cover = np.minimum(cover, np.ceil(colors[..., 3]))
        elif n == 0 and paint.has_body(layer):
            # A face is closed: where the subject is dark it is drawn all the same.
            whole = isinstance(layer, Intensity) or layer.opacity is None
            colors[..., 3] = np.where(_beyond(layer, points), 0, 1.0 if whole else layer.opacity)
        if others and (own := [clip for clip in others[n] if clip not in common]):
            gone = removed(own, below)
            cover, colors = np.where(gone, 0, cover), np.where(gone[..., None], 0, colors)
        picture = paint.over(picture, colors)
        covered = np.maximum(covered, cover)
    if covered.max() >= 0.5:
        smooth = paint.unshrinking(covered, finest / step)
        covered = smooth if smooth.max() >= 0.5 else covered  # a single voxel would be smoothed away
        # Between the last point with color and the next the border runs: it has that color, not a fade to none.
        nearest = ndimage.distance_transform_edt(picture[..., 3] == 0, return_distances=False, return_indices=True)
        picture = picture[tuple(nearest)]
    return Face(row, within, common, grid, picture, covered)


def _parts(layer: Layer) -> int:
    """How many points of a face there are to a voxel: more where colors end at once."""
    if isinstance(layer, (Intensity, CutPlane)) and (layer.look.survey.signed or layer.look.thresholds):
        return 8
    return 4 if isinstance(layer, LabelMap) else 2


def _continued(layer: Layer, clips: Sequence[Clip], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (u, v, 3), those that clips remove not beyond the scan.

    So the face goes on to where another face cuts it: else a gap of half a voxel would be seen between the two.
    """
    if not clips:
        return points
    source = layer.volume.canonical
    last = np.array(source.shape[:3]) - 0.5 - AT_END
    index = apply_affine(np.linalg.inv(source.affine), points)
    gone = removed(clips, points, tolerance=-3 * AT_END * max(source.spacing))
    return np.where(gone[..., None], apply_affine(source.affine, np.clip(index, AT_END - 0.5, last)), points)


def _beyond(layer: Layer, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points (u, v, 3) lie outside a layer's volume."""
    source = layer.volume.canonical
    index = apply_affine(np.linalg.inv(source.affine), points)
    return np.asarray(((index < -0.5) | (index > np.array(source.shape[:3]) - 0.5)).any(axis=-1))


def _where_drawn(layer: Layer, points: NDArray[np.float64], cover: NDArray[np.float32]) -> NDArray[np.float32]:
    """The cover of points (u, v, 3) without small islands of which, smoothed, hardly anything is drawn."""
    if not isinstance(layer, Intensity) or paint.is_fine(layer) or not (sigma := paint.softness(layer)):
        return cover
    islands, _ = ndimage.label(cover >= 0.5)
    source = layer.field.canonical
    least = FAINT * max(opacity for _, opacity in layer.look.nodes("volume"))
    kept, to_index, around = cover.copy(), np.linalg.inv(source.affine), int(4 * sigma) + 1
    for n, place in enumerate(ndimage.find_objects(islands), 1):
        here = islands[place] == n
        index = apply_affine(to_index, points[place][here])
        first = (index.min(axis=0).astype(int) - around).clip(0)
        last = index.max(axis=0).astype(int) + around + 2
        if np.prod(np.ptp(index, axis=0) + 1) > ISLAND**3:
            continue
        data = source.data[tuple(slice(a, b) for a, b in zip(first, last))].astype(np.float32)
        data = ndimage.gaussian_filter(np.nan_to_num(data, nan=source.survey.low), sigma, mode="nearest")
        values = ndimage.map_coordinates(data, (index - first).T, order=1, mode="nearest")
        if layer.look.alpha(values, "volume").max() < least:
            kept[place][here] = 0
    return kept
