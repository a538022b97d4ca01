"""Cut faces and slices in a scene: a picture of the layers on a plane, whatever engine shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from volrender import paint
from volrender.layers import CutPlane, Intensity, Layer
from volrender.space import Clip

LARGE_FACE = 1400  # points along one side of a cut face, at most


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


def slice_face(layer: CutPlane) -> Face:
    """The slice of a volume."""
    return _face(layer.plane.halfspaces[0], [layer], (), ())


def cut_faces(layers: Sequence[Layer]) -> list[Face]:
    """Every side of every clip, with the slice of what it cut, so that a cut body is solid.

    Layers with the same clip share a picture.
    """
    clips: dict[Clip, list[Layer]] = {}
    for layer in layers:
        for clip in layer.clip:
            clips.setdefault(clip, []).append(layer)
    found = []
    for clip, members in clips.items():
        others = list(dict.fromkeys(other for layer in members for other in layer.clip if other != clip))
        for n, row in enumerate(clip.halfspaces):
            found.append(_face(row, members, [*np.delete(clip.halfspaces, n, axis=0)], others))
    return found


def _face(
    row: NDArray[np.float64], layers: Sequence[Layer], within: Sequence[NDArray[np.float64]], clips: Sequence[Clip]
) -> Face:
    finest = min(min(layer.volume.spacing) for layer in layers) / 2
    widest = max(float(np.ptp(layer.volume.bounds, axis=1).max()) for layer in layers)
    grid = paint.plane_grid(row, [layer.volume for layer in layers], max(finest, widest / LARGE_FACE))
    picture = np.zeros((*grid.shape[:2], 4), dtype=np.float32)
    covered = np.zeros(grid.shape[:2], dtype=np.float32)
    for n, layer in enumerate(layers):
        cover = paint.coverage(layer, grid)
        colors = paint.rgba(layer, paint.values_at(layer, grid), "overlay" if n else "slice")
        if isinstance(layer, CutPlane) and isinstance(layer.opacity, tuple):
            cover = np.minimum(cover, np.ceil(colors[..., 3]))
        elif n == 0 and isinstance(layer, (Intensity, CutPlane)) and not layer.look.survey.signed:
            # A face is closed: where the subject is dark it is drawn all the same.
            whole = isinstance(layer, Intensity) or layer.opacity is None
            colors[..., 3] = 1.0 if whole else layer.opacity
        picture = paint.over(picture, colors)
        covered = np.maximum(covered, cover)
    if covered.max() >= 0.5:
        smooth = ndimage.gaussian_filter(covered, 2.0)  # a voxel: the grid is twice as fine
        covered = smooth if smooth.max() >= 0.5 else covered  # a single voxel would be smoothed away
        # Between the last point with color and the next the border runs: it has that color, not a fade to none.
        nearest = ndimage.distance_transform_edt(picture[..., 3] == 0, return_distances=False, return_indices=True)
        picture = picture[tuple(nearest)]
    return Face(row, within, clips, grid, picture, covered)
