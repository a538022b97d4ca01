"""The ray-casting engine: compiled loops, no OpenGL.

Rays are carried into each layer's own grid, so any affine is drawn where it says. Along a ray volumes, surfaces and
cut faces of all layers are met in the order in which they lie. Every pixel is by itself, so the picture is the same
whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from volrender.color import RGB
from volrender.draw.rays.air import with_air
from volrender.draw.rays.assemble import scenery
from volrender.draw.rays.compiled import run
from volrender.draw.rays.march import trace
from volrender.draw.rays.scenery import RAY, Scenery
from volrender.layers import Layer
from volrender.rendering import Rendering
from volrender.space import View, corners

TILE = 4096  # pixels that are traced at once
MOST_HITS = 256  # that one ray can collect
CENTER = np.zeros((1, 2))
# Eight places in a pixel, no two in a row or column of eighths.
SPREAD = (np.array([[1, -3], [-1, 3], [5, 1], [-3, -5], [-5, 5], [-7, -1], [3, 7], [7, -7]]) / 16).astype(np.float64)
EDGE = 0.035  # a pixel whose color differs from a neighbour's by more is traced at eight places


def render(layers: Sequence[Layer], view: View, background: RGB | None, how: Rendering) -> NDArray[np.uint8]:
    """The bare raster (h, w, 4); without a background its alpha is exact."""
    scene = scenery(layers, view, how)
    if how.lit and not how.draft:
        scene = with_air(scene, *_extent(layers, view))
    width, height = view.size
    picture = np.zeros((width * height, 4), dtype=np.float32)
    depth = np.full(width * height, np.inf, dtype=np.float32)
    _trace(scene, np.arange(width * height), CENTER, picture, depth)
    if not how.draft:
        edges = _edges(picture.reshape(height, width, 4), depth.reshape(height, width), view.mm_per_pixel)
        _trace(scene, np.flatnonzero(edges), SPREAD, picture, depth[:0])
    return _finished(picture.reshape(height, width, 4), background)


def _extent(layers: Sequence[Layer], view: View) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    every = np.concatenate([corners(v.shape, v.affine) for v in (layer.volume for layer in layers)]) - view.center
    return every.min(axis=0).round(6), every.max(axis=0).round(6)


def _trace(
    scene: Scenery,
    pixels: NDArray[np.int64],
    offsets: NDArray[np.float64],
    picture: NDArray[np.float32],
    depth: NDArray[np.float32],
) -> None:
    def part(first: int) -> None:
        rays, hits = np.zeros(len(scene.fields), dtype=RAY), np.empty((MOST_HITS, 5))
        trace(*scene, rays, hits, pixels[first : first + TILE], offsets, picture, depth)

    run(partial(part, first) for first in range(0, len(pixels), TILE))


def _edges(picture: NDArray[np.float32], depth: NDArray[np.float32], mm_per_pixel: float) -> NDArray[np.bool_]:
    """Which pixels lie beside one of another color, or at a leap of the depth."""
    found = np.zeros(depth.shape, dtype=bool)
    for axis in range(2):
        ahead, back = (np.s_[:, 1:], np.s_[:, :-1]) if axis else (np.s_[1:], np.s_[:-1])
        leap = (np.abs(picture[ahead] - picture[back]) > EDGE).any(axis=-1)
        found[ahead] |= leap
        found[back] |= leap
    return found


def _finished(picture: NDArray[np.float32], background: RGB | None) -> NDArray[np.uint8]:
    """Straight-alpha RGBA of a premultiplied picture, over a background if there is one."""
    alpha = picture[..., 3:]
    if background is None:
        picture[..., :3] /= np.where(alpha > 0, alpha, 1)
    else:
        picture[..., :3] += (1 - alpha) * np.array(background, dtype=np.float32)
        picture[..., 3] = 1
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
