"""Outlines of what a scene shows, whatever engine draws it.

Every layer that has a border has its own, found as if it were alone, so that what lies in a translucent body is
outlined and so is the body. A line is as strong as the light that gets from its place through the layers in front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from volrender import paint
from volrender.layers import Intensity, Isosurface, LabelMap, Layer, is_projection
from volrender.space import View

FloatT = TypeVar("FloatT", bound=np.floating)
LINES = 400  # how many of its lines a picture is wide
FINE = 4  # pixels: a line less wide is found in a picture twice as large
LEAP = 0.03  # of the picture's longer side
LEAST = 8  # widths of a line: a shorter one is a speck


class Sighting(NamedTuple):
    """What is seen of a layer that is alone.

    Attributes
    ----------
    depth : (h, w)
        How far (mm) it lies behind the middle of the view, infinite where it is not.
    alpha : (h, w)
        What it takes of the light that comes from behind.
    bordered : bool
        Whether it has outlines of its own.
    """

    depth: NDArray[np.floating]
    alpha: NDArray[np.floating]
    bordered: bool


def outlined(layers: Sequence[Layer]) -> list[Layer]:
    """The layers that have outlines: a projection has no depth."""
    return [layer for layer in layers if not is_projection(layer)]


def bordered(layer: Layer) -> bool:
    """Whether a layer has a border: a volume that is seen through fades out."""
    return not isinstance(layer, Intensity) or paint.opaque(layer)


def solid(layer: Layer) -> Layer:
    """A surface as an opaque one: where it is, and not how much of it is seen."""
    return replace(layer, opacity=1.0) if isinstance(layer, (Isosurface, LabelMap)) else layer


def front(layer: Layer) -> float:
    """What the side of a layer that faces the viewer takes of the light, at most."""
    return layer.opacity if isinstance(layer, (Isosurface, LabelMap)) else 1.0


def finer(view: View) -> View:
    """The view in which outlines are found."""
    factor = 2 if max(view.size) < FINE * LINES else 1
    return View(view.camera, view.center, view.mm_per_pixel / factor, (view.size[0] * factor, view.size[1] * factor))


def leap(view: View) -> float:
    """The difference in depth (mm) at which something is nearer than what is beside it."""
    return LEAP * view.mm_per_pixel * max(view.size)


def drawn(picture: NDArray[FloatT], ink: Sequence[float], seen: Sequence[Sighting], view: View) -> NDArray[FloatT]:
    """A picture (h, w, n) with the outlines of what is seen in the `finer` view in `ink` (n,)."""
    height, width = picture.shape[:2]
    fine = finer(view)
    factor = fine.size[0] // width
    thick = max(factor, max(fine.size) / LINES)
    line = lines(seen, fine, thick).reshape(height, factor, width, factor).mean(axis=(1, 3))
    color = np.array(ink, dtype=picture.dtype)
    inked: NDArray[FloatT] = picture + line[..., None].astype(picture.dtype) * (color - picture)
    return inked


def lines(seen: Sequence[Sighting], view: View, width: float) -> NDArray[np.float64]:
    """How dark (h, w) the outlines of layers, so many pixels wide, make the pixels of a view."""
    every = np.zeros(view.size[::-1])
    for own in (each for each in seen if each.bordered):
        through = np.ones_like(every)
        for other in seen:
            hides = other.depth < own.depth - view.mm_per_pixel
            through *= 1 - hides * other.alpha
        every = np.maximum(every, _line(own.depth, through, view, width))
    return every


def _line(depth: NDArray[np.floating], through: NDArray[np.float64], view: View, width: float) -> NDArray[np.float64]:
    """The outline of one layer: where its depth leaps, on the nearer side, as strong as that pixel is seen through."""
    enough, finite = leap(view), np.isfinite(depth)
    far = depth.max(where=finite, initial=0.0) + 10 * enough
    filled = np.where(finite, depth, far)
    behind = ndimage.maximum_filter(filled, 3)
    slope = filled - ndimage.minimum_filter(filled, 3)
    edge = (behind - filled > enough + 2 * slope) & finite
    pieces, _ = ndimage.label(edge, np.ones((3, 3)))
    edge &= np.bincount(pieces.ravel())[pieces] > LEAST * width
    if not edge.any():
        return np.zeros(depth.shape)
    reach, nearest = ndimage.distance_transform_edt(~edge, return_indices=True)
    return np.asarray(np.clip(width / 2 + 0.5 - reach, 0, 1) * through[tuple(nearest)])
