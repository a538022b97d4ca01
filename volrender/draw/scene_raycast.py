"""The ray-casting engine: compiled loops, no OpenGL.

Rays are carried into each layer's own grid, so any affine is drawn where it says. Along a ray volumes, surfaces and
cut faces of all layers are met in the order in which they lie. Every pixel is by itself, so the picture is the same
whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender.color import RGB
from volrender.console import working
from volrender.draw import outlines
from volrender.draw.compiled import run, telling
from volrender.draw.rays import raster
from volrender.draw.rays.air import with_air
from volrender.draw.rays.assemble import scenery
from volrender.draw.rays.march import trace
from volrender.draw.rays.scenery import RAY, Scenery
from volrender.layers import Layer
from volrender.rendering import Rendering
from volrender.space import View, corners

TILE, RAYS = 64, 4096  # pixels along the side of a tile, and how many are traced at once
PREPARED, TRACED = 0.1, 0.8  # parts of the work after which pixels are traced, and edges smoothed
MOST_HITS = 256  # that one ray can collect
COARSEST = 4  # pixels between the first rays
COMPILING = "compiling, once after an installation"
CENTER = np.zeros((1, 2))
# Eight places in a pixel, no two in a row or column of eighths.
SPREAD = (np.array([[1, -3], [-1, 3], [5, 1], [-3, -5], [-5, 5], [-7, -1], [3, 7], [7, -7]]) / 16).astype(np.float64)


def render(layers: Sequence[Layer], view: View, background: RGB | None, how: Rendering) -> NDArray[np.uint8]:
    """The bare raster (h, w, 4); without a background its alpha is exact."""
    with working("scene") as done, telling(lambda: done(0, COMPILING)):
        picture = _traced(layers, view, how, done)
        if how.silhouette:
            seen = [_sighting(layer, outlines.finer(view)) for layer in outlines.outlined(layers)]
            picture = outlines.drawn(picture, (*how.silhouette, 1.0), seen, view)
        return finished(picture, background)


def draft(layers: Sequence[Layer], view: View) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Alpha (h, w) of a draft in flat light, and after how many mm a ray meets what is seen; infinite if nothing is."""
    with working("framing") as done, telling(lambda: done(0, COMPILING)):
        canvas = Canvas(scenery(layers, view, Rendering("draft", "flat")), view.size, done)
        canvas.trace_coarse_to_fine(_stride(layers, view))
    return canvas.picture[..., 3], canvas.depth


def _traced(layers: Sequence[Layer], view: View, how: Rendering, done: Callable[[float], None]) -> NDArray[np.float32]:
    """The premultiplied picture (h, w, 4); what was made for it is gone."""
    scene = scenery(layers, view, how)
    done(PREPARED / 2)
    if how.lit and not how.draft:
        scene = with_air(scene, *_extent(layers, view))
    canvas = Canvas(scene, view.size, done)
    canvas.trace_coarse_to_fine(_stride(layers, view))
    if not how.draft:
        canvas.smooth_edges()
    return canvas.picture


def _sighting(layer: Layer, view: View) -> outlines.Sighting:
    """Where a layer is seen that is alone."""
    scene = scenery([outlines.solid(layer)], view, Rendering("draft", "flat"))
    canvas = Canvas(scene, view.size, lambda _: None, outlines.leap(view) / 2)
    canvas.trace_coarse_to_fine(_stride([layer], view))
    return outlines.Sighting(canvas.depth, outlines.front(layer) * canvas.picture[..., 3], outlines.bordered(layer))


def _extent(layers: Sequence[Layer], view: View) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    every = np.concatenate([corners(v.shape, v.affine) for v in (layer.volume for layer in layers)]) - view.center
    return every.min(axis=0).round(6), every.max(axis=0).round(6)


def _stride(layers: Sequence[Layer], view: View) -> int:
    """How many pixels may lie between the first rays: half a voxel at most, so that none is missed."""
    voxel = min(min(layer.volume.spacing) for layer in layers) / view.mm_per_pixel
    if view.camera.perspective:
        voxel /= 2  # what is far is smaller
    stride = 1
    while stride < COARSEST and 2 * stride <= voxel / 2:
        stride *= 2
    return stride


class Canvas:
    """A picture while it is traced: premultiplied float32 (h, w, 4), and the depth of each pixel (mm).

    Of a depth that changes by more than `leap` (mm) from pixel to pixel every pixel is traced.
    """

    def __init__(
        self, scene: Scenery, size: tuple[int, int], done: Callable[[float], None], leap: float = np.inf
    ) -> None:
        self.scene, self.done, self.leap = scene, done, leap
        self.width, self.height = size
        self.picture = np.zeros((self.height, self.width, 4), dtype=np.float32)
        self.depth = np.full((self.height, self.width), np.inf, dtype=np.float32)
        self.wanted = np.zeros((self.height, self.width), dtype=bool)

    def trace_coarse_to_fine(self, stride: int) -> None:
        """Trace every pixel of a lattice; then, of the pixels between, those that cannot be told from it."""
        self.wanted[::stride, ::stride] = True
        halves = [stride >> n for n in range(1, stride.bit_length())]
        passes = [(half, across) for half in halves for across in (True, False)]
        shares = np.linspace(PREPARED, TRACED, len(passes) + 2).tolist()
        self._trace(CENTER, *shares[:2])
        for (half, across), start, end in zip(passes, shares[1:], shares[2:]):
            self.wanted[:] = False
            _rows(raster.between, self.picture, self.depth, self.wanted, self.leap, half, across)
            self._trace(CENTER, start, end)

    def smooth_edges(self) -> None:
        """Trace the pixels at edges at eight places."""
        _rows(raster.edges, self.picture, self.wanted)
        self._trace(SPREAD, TRACED, 1.0)

    def _trace(self, offsets: NDArray[np.float64], start: float, end: float) -> None:
        """Trace the wanted pixels, from the part `start` of all work to the part `end`."""
        clips, media = len(self.scene.clips), len(self.scene.media)
        colors = self.picture.reshape(-1, 4)
        depth = self.depth.reshape(-1) if len(offsets) == 1 else np.empty(0, dtype=np.float32)

        def part(pixels: NDArray[np.int64]) -> None:
            notes = [np.zeros(len(self.scene.fields), dtype=RAY), np.empty((MOST_HITS, 5))]
            notes += [np.empty((clips, 2)), np.empty((media, 4)), np.empty(2 * (clips + media))]
            trace(*self.scene, *notes, pixels, offsets, colors, depth)

        total, traced = max(int(self.wanted.sum()), 1), count()
        some = RAYS // len(offsets)
        run(
            (partial(part, pixels) for pixels in self._parts(some)),
            lambda: self.done(start + (end - start) * min(next(traced) * some / total, 1.0)),
        )

    def _parts(self, some: int) -> Iterator[NDArray[np.int64]]:
        """The wanted pixels (flat places), about so many at a time, of tiles: neighbours use the same memory."""
        kept: list[NDArray[np.int64]] = []
        for row in range(0, self.height, TILE):
            for column in range(0, self.width, TILE):
                rows, columns = np.nonzero(self.wanted[row : row + TILE, column : column + TILE])
                kept.append((rows + row) * self.width + columns + column)
                if sum(map(len, kept)) >= some:
                    pixels = np.concatenate(kept)
                    yield from np.array_split(pixels, -(-len(pixels) // some))
                    kept = []
        if sum(map(len, kept)):
            yield np.concatenate(kept)


def finished(picture: NDArray[np.float32], background: RGB | None) -> NDArray[np.uint8]:
    """The straight-alpha raster (h, w, 4) of a premultiplied picture."""
    done = np.empty(picture.shape, dtype=np.uint8)
    _rows(raster.finish, picture, np.array(background or (), dtype=np.float64), done)
    return done


def _rows(loop: Any, picture: NDArray[np.float32], *arguments: Any) -> None:
    """Run a loop over the rows of a picture."""
    height = len(picture)
    run(partial(loop, picture, *arguments, n, min(n + TILE, height)) for n in range(0, height, TILE))
