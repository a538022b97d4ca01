"""Outlines of what is nearer, from the depth of a scene's pixels, whatever engine found it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from volrender.color import RGB
from volrender.intensity import luma
from volrender.space import View

DARK, LIGHT, OUTLINES = (0.15, 0.15, 0.15), (0.85, 0.85, 0.85), 400  # its color, and how many widths a picture is wide


def ink(background: RGB | None) -> RGB:
    """The color of outlines on a background; dark where there is none."""
    return LIGHT if background is not None and float(luma(background)) < 0.35 else DARK


def outline(depth: NDArray[np.floating], view: View, least: float = 1.0) -> NDArray[np.float64]:
    """How dark (h, w) a pixel is with outlines: where the depth (mm, or infinite) leaps, on the nearer side.

    They are `least` pixels wide at least.
    """
    leap = 0.03 * view.mm_per_pixel * max(view.size)
    finite = np.isfinite(depth)
    far = depth.max(where=finite, initial=0.0) + 10 * leap
    filled = np.where(finite, depth, far)
    behind = ndimage.maximum_filter(filled, 3)
    slope = filled - ndimage.minimum_filter(filled, 3)
    edge = (behind - filled > leap + 2 * slope) & finite
    width = max(least, max(view.size) / OUTLINES)
    lines, _ = ndimage.label(edge, np.ones((3, 3)))
    edge &= np.bincount(lines.ravel())[lines] > 8 * width
    reach = ndimage.distance_transform_edt(~edge) if edge.any() else np.full(depth.shape, np.inf)
    return np.asarray(np.clip(width / 2 + 0.5 - reach, 0, 1))
