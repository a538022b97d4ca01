"""Layers painted on a raster of eight-bit pixels, in place.

Slices have millions of pixels, and most of them one opaque color: a pixel here is the four bytes of its straight RGBA
in one number, and only what is translucent is computed with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender import paint, space
from volrender.cuts import Sheet
from volrender.layers import Intensity, LabelMap, Layer
from volrender.looks import Look


def lay(picture: NDArray[np.uint32], layer: Layer, sheet: Sheet, panel: str = "slice") -> None:
    """Paint a layer over a picture (height, width) of a sheet, rows from the bottom, in place."""
    colors = _packed(layer, sheet, panel)
    alpha = _unpacked(colors)[..., 3]
    opaque = alpha == 255
    np.copyto(picture, colors, where=opaque)
    between = (alpha > 0) & ~opaque
    if between.any():
        below, above = _unpacked(picture[between]), _unpacked(colors[between])
        picture[between] = _mixed(below, above).view(np.uint32)[:, 0]


def straight(color: NDArray[np.floating[Any]], alpha: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Eight-bit straight RGBA (h, w, 4) of premultiplied colors (h, w, 3) and alpha (h, w, 1), all in 0 to 1.

    What the rounding of alpha adds on white and takes on black is shared by both.
    """
    steps = np.rint(255 * alpha) / 255
    shared = np.clip(np.where(steps > 0, (color + (steps - alpha) / 2) / np.where(steps > 0, steps, 1), 0), 0, 1)
    return np.asarray(np.rint(255 * np.concatenate([shared, steps], axis=-1)).astype(np.uint8))


def _unpacked(pixels: NDArray[np.uint32]) -> NDArray[np.uint8]:
    return pixels[..., None].view(np.uint8)


def _mixed(below: NDArray[np.uint8], above: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colors (n, 4) over others; `over` in whole numbers where what is below is opaque."""
    if (below[:, 3] == 255).all():
        alpha = above[:, 3:].astype(np.uint16)
        mixed = below * (255 - alpha) + above * alpha + np.uint16(127)
        mixed //= 255
        mixed[:, 3] = 255
        return mixed.astype(np.uint8)
    mixture = paint.over(*((part / np.float32(255)).astype(np.float32) for part in (below, above)))
    return np.asarray(np.rint(mixture * 255).astype(np.uint8))


def _packed(layer: Layer, sheet: Sheet, panel: str) -> NDArray[np.uint32]:
    """The colors of `paint.paint` as pixels; by a table where there is one."""
    colored = isinstance(layer, Intensity) and layer.volume.kind == "rgb"
    if colored or not isinstance(layer, (Intensity, LabelMap)):
        return _as_pixels(paint.paint(layer, sheet, panel))
    values = paint.values_at(layer, sheet)
    if isinstance(layer, Intensity):
        pixels = _mapped(layer.look, values, panel)
    elif values.dtype in (np.uint8, np.uint16):
        every = np.arange(np.iinfo(values.dtype).max + 1, dtype=values.dtype)
        pixels = np.take(_as_pixels(paint.rgba(layer, every)), values)
    else:
        pixels = _as_pixels(paint.rgba(layer, values))
    if layer.clip:
        pixels[space.removed(layer.clip, sheet.points, tolerance=1e-6)] = 0
    return pixels


def _mapped(look: Look, values: NDArray[Any], panel: str) -> NDArray[np.uint32]:
    """Values through a colormap; only where they are seen."""
    table = _as_pixels(np.concatenate([look.table, np.ones((256, 1), np.float32)], axis=1))
    alpha = look.alpha(values, panel)
    if (alpha == 1).all():
        return np.take(table, look.steps(values))
    shown = alpha > 0
    part = np.take(table, look.steps(values[shown]))
    part[:, None].view(np.uint8)[:, 3] = np.rint(255 * alpha[shown])
    pixels = np.zeros(values.shape, dtype=np.uint32)
    pixels[shown] = part
    return pixels


def _as_pixels(colors: paint.RGBA) -> NDArray[np.uint32]:
    return np.asarray(np.rint(colors * 255).astype(np.uint8).view(np.uint32)[..., 0])
