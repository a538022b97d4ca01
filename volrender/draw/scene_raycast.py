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

TILE = 64  # pixels along a side that are traced at once
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
    picture = np.zeros((height, width, 4), dtype=np.float32)
    depth = np.full((height, width), np.inf, dtype=np.float32)
    _trace(scene, np.ones((height, width), dtype=bool), CENTER, picture, depth)
    if not how.draft:
        _trace(scene, _edges(picture), SPREAD, picture, np.empty(0, dtype=np.float32))
    return _finished(picture, background)


def _extent(layers: Sequence[Layer], view: View) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    every = np.concatenate([corners(v.shape, v.affine) for v in (layer.volume for layer in layers)]) - view.center
    return every.min(axis=0).round(6), every.max(axis=0).round(6)


def _trace(
    scene: Scenery,
    wanted: NDArray[np.bool_],
    offsets: NDArray[np.float64],
    picture: NDArray[np.float32],
    depth: NDArray[np.float32],
) -> None:
    """Trace the wanted pixels, tile by tile: neighbours find what they need in the same memory."""
    clips, media = len(scene.clips), len(scene.media)
    colors, depths = picture.reshape(-1, 4), depth.reshape(-1)

    def part(row: int, column: int) -> None:
        rows, columns = np.nonzero(wanted[row : row + TILE, column : column + TILE])
        pixels = (rows + row) * wanted.shape[1] + columns + column
        notes = [np.zeros(len(scene.fields), dtype=RAY), np.empty((MOST_HITS, 5))]
        notes += [np.empty((clips, 2)), np.empty((media, 2)), np.empty(2 * (clips + media))]
        trace(*scene, *notes, pixels, offsets, colors, depths)

    height, width = wanted.shape
    run(partial(part, row, column) for row in range(0, height, TILE) for column in range(0, width, TILE))


def _edges(picture: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which pixels lie beside one of another color."""
    found = np.zeros(picture.shape[:2], dtype=bool)
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
