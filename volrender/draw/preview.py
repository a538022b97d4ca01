"""Where what is seen of a scene ends, from a small draft of it.

What is smoothed, seen through, cut or projected does not end where its voxels do, and of few voxels that is seen in the
frame of a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from volrender import framing
from volrender.layers import Intensity, Layer
from volrender.paint import FAINTEST
from volrender.space import Camera, View

FEW = 100  # voxels across, below which it is seen in the frame that a subject does not end with them
FAR = 0.02  # of the subject: how much farther its faint parts must reach so that it is looked where they are seen
SIZE = (240, 240)  # pixels of a draft
MOST = 5  # drafts
LOOSE = 0.75  # the part of the first one that the voxels take up
LEAST = 0.5  # of the part that it was to take up: of a smaller picture of the subject another draft is made
AT_BORDER = 0.49  # of the size, from the middle


def subject_points(layers: Sequence[Layer], camera: Camera, fill: float) -> NDArray[np.float64]:
    """World points (n, 3) that span what is seen of layers.

    Parameters
    ----------
    fill : float
        The part of the picture that the subject will take up: in perspective it is looked at from there.

    Raises
    ------
    ValueError
        If nothing is seen of a layer.
    """
    parts = [framing.subject_points([layer]) for layer in layers]
    points = np.concatenate(parts)
    hazy = (isinstance(layer, Intensity) and layer.blend == "composite" for layer in layers)
    both = zip(layers, parts, hazy)
    whole = np.concatenate([framing.layer_points(layer, faint=True) if haze else part for layer, part, haze in both])
    flat, more = (each @ camera.axes[:2].T for each in (points, whole))
    low, high = flat.min(axis=0), flat.max(axis=0)
    rough = any(_is_rough(layer, part @ camera.axes[:2].T, low, high) for layer, part in zip(layers, parts))
    if not rough and (np.ptp(more, axis=0) < (1 + FAR) * (high - low)).all():
        return points
    return _seen_points(layers, camera, whole, fill)


def _is_rough(layer: Layer, flat: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> bool:
    """Whether a layer at points (n, 2) of the picture ends the subject, in voxels so large that one is seen there."""
    voxel = float(np.prod(layer.volume.spacing)) ** (1 / 3)
    ends = (flat.min(axis=0) < low + voxel) | (flat.max(axis=0) > high - voxel)
    return bool(ends.any() and (high - low).max() < FEW * voxel)


def _seen_points(
    layers: Sequence[Layer], camera: Camera, points: NDArray[np.float64], fill: float
) -> NDArray[np.float64]:
    """World points (n, 3) that span what drafts show of layers whose voxels are spanned by points (n, 3)."""
    camera, part = replace(camera, zoom=1.0, look_at=None), LOOSE
    for _ in range(MOST):
        view = View.fit(points, camera, SIZE, part)
        found = _ends(layers, view)
        if not len(found) and len(layers) == 1:
            raise framing.nothing(layers[0])
        if not len(found):
            return points
        points = found
        places = view.project(found) / SIZE
        if np.abs(places - 0.5).max() > AT_BORDER or np.ptp(places, axis=0).max() < LEAST * part:
            continue
        if part == fill or not camera.perspective:
            break
        part = fill
    return points


def _ends(layers: Sequence[Layer], view: View) -> NDArray[np.float64]:
    """World points (n, 3) at the corners of the pixels beside which nothing is seen."""
    from volrender.draw.scene_raycast import draft

    alpha, ways = draft(layers, view)
    seen = alpha > min(FAINTEST, float(alpha.max()) / 4)
    row, column = np.nonzero(seen & ~ndimage.binary_erosion(seen))
    corners = np.stack([column, row], axis=-1) + np.array([[[x, y]] for x in (-0.5, 0.5) for y in (-0.5, 0.5)])
    return view.points(corners, ways[row, column]).reshape(-1, 3)
