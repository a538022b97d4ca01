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
from volrender.draw.scene_raycast import draft
from volrender.layers import Layer
from volrender.space import Camera, View

SIZE = (240, 240)  # pixels of a draft
LOOSE = 0.75  # the part of the first one that the voxels take up
SEEN = 0.08  # of what is behind a pixel, hidden by it, at most, for it to be seen
AT_BORDER = 0.49  # of the size, from the middle


def seen_points(
    layers: Sequence[Layer], camera: Camera, points_xyz: NDArray[np.float64], fill: float
) -> NDArray[np.float64]:
    """World points (n, 3) that span what is seen of layers whose voxels are spanned by `points_xyz`.

    Parameters
    ----------
    fill : float
        The part of the picture that the subject will take up: in perspective it is looked at from there.

    Raises
    ------
    ValueError
        If nothing is seen of an only layer.
    """
    camera, points = replace(camera, zoom=1.0, look_at=None), points_xyz
    for part in (LOOSE, fill, fill) if camera.perspective else (LOOSE, LOOSE):
        view = View.fit(points, camera, SIZE, part)
        found = _ends(layers, view)
        if not len(found) and len(layers) == 1:
            raise framing.nothing(layers[0])
        if not len(found):
            return points
        points = found
        cropped = np.abs(view.project(found) / SIZE - 0.5).max() > AT_BORDER
        if not cropped and (part == fill or not camera.perspective):
            break
    return points


def _ends(layers: Sequence[Layer], view: View) -> NDArray[np.float64]:
    """World points (n, 3) at the corners of the pixels beside which nothing is seen."""
    alpha, ways = draft(layers, view)
    seen = alpha > min(SEEN, float(alpha.max()) / 4)
    row, column = np.nonzero(seen & ~ndimage.binary_erosion(seen))
    corners = np.stack([column, row], axis=-1) + np.array([[[x, y]] for x in (-0.5, 0.5) for y in (-0.5, 0.5)])
    return view.points(corners, ways[row, column]).reshape(-1, 3)
