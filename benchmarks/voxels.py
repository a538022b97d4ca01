"""Exploded voxels: `Axes3D.voxels` against `volrender.Voxels`, the same array at the same settings.

    python benchmarks/voxels.py --size 50
    python benchmarks/voxels.py --size 30 --view 30,320 --view 20,50 --view -25,200 --cmap viridis --cmap hot

The first is the well-known recipe: `explode` the colors, `expand_coordinates`, viridis with alpha = value, 30 cm at
100 dpi. The second draws the same cubes into the same axes through `Voxels(...).draw(ax)`. Both times are from an empty
figure to its PNG, ours packed as `Voxels.save` packs it, the recipe's as matplotlib does. SSIM compares the two rasters
(structural similarity, 1 is equal), whole and in the box around the head, where there is no white page to agree on.
`Axes3D.voxels` makes one collection a voxel and looks all of them over at each, so its time grows with the square of
their number: 50 takes minutes.
"""

import argparse
import sys
import time
from collections.abc import Callable
from io import BytesIO
from itertools import product
from pathlib import Path
from statistics import median

import matplotlib
import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.axes3d import Axes3D
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import structural_similarity

import volrender as vr
from volrender.rasters import write_png

SIDE_CM, DPI = 30, 100
View = tuple[float, float]


def recipe(ax: Axes3D, cube: NDArray[np.floating], cmap: str) -> None:
    """The tutorial's way; a voxel is 2 wide, from 2i to 2i + 2."""
    colors = colormaps[cmap](cube)
    colors[..., 3] = cube
    colors = vr.explode(colors)
    filled = colors[..., 3] != 0
    x, y, z = vr.expand_coordinates(np.indices(np.array(filled.shape) + 1))
    ax.voxels(x, y, z, filled, facecolors=colors)


def ours(ax: Axes3D, cube: NDArray[np.floating], cmap: str) -> None:
    """The same cubes in world coordinates: spacing 2, the first voxel's centre at 1."""
    affine = np.array([[2, 0, 0, 1], [0, 2, 0, 1], [0, 0, 2, 1], [0, 0, 0, 1.0]])
    layer = vr.Intensity(vr.Volume(cube, affine), clim=(0, 1), cmap=cmap, opacity=[(0, 0), (1, 1)])
    vr.Voxels(layer, size=max(cube.shape), explode=0).draw(ax)


def as_usual(canvas: FigureCanvasAgg) -> None:
    canvas.print_png(BytesIO())


def as_saved(canvas: FigureCanvasAgg) -> None:
    canvas.draw()
    write_png(BytesIO(), np.asarray(canvas.buffer_rgba()), DPI)


def raster(
    draw: Callable[[Axes3D, NDArray[np.floating], str], None],
    cube: NDArray[np.floating],
    view: View,
    cmap: str,
    write: Callable[[FigureCanvasAgg], None] = as_usual,
) -> tuple[NDArray, float]:
    """The picture (h, w, 3) and the seconds it took, from an empty figure to a PNG."""
    start = time.perf_counter()
    figure = Figure(figsize=(SIDE_CM / 2.54, SIDE_CM / 2.54), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    ax = figure.add_subplot(projection="3d")
    ax.view_init(*view)
    end = 2 * max(cube.shape)
    ax.set(xlim=(0, end), ylim=(0, end), zlim=(0, end))
    draw(ax, cube, cmap)
    write(canvas)
    seconds = time.perf_counter() - start
    return np.asarray(canvas.buffer_rgba())[..., :3].copy(), seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=50, help="voxels along each side (%(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of volrender; their median counts (%(default)s)")
    parser.add_argument("--view", action="append", help="elevation,azimuth; may be repeated (30,320)")
    parser.add_argument("--cmap", action="append", help="may be repeated (viridis)")
    parser.add_argument("--save", type=Path, help="an existing folder for the pictures")
    options = parser.parse_args()

    size = (options.size,) * 3
    cube = vr.sample("mni152").contrast().downsize(size).normalize().data
    print(f"{options.size}^3 voxels, {np.count_nonzero(cube)} drawn; matplotlib {matplotlib.__version__}")
    print(
        f"{'view':>8} {'cmap':>8} {'Axes3D.voxels':>14} {'volrender':>10} {'ratio':>6} {'SSIM':>7} {'head alone':>10}"
    )
    views = [tuple(float(angle) for angle in view.split(",")) for view in options.view or ["30,320"]]
    for view, cmap in product(views, options.cmap or ["viridis"]):
        runs = [raster(ours, cube, view, cmap, as_saved) for _ in range(options.repeat)]
        mine, fast = runs[0][0], median(seconds for _, seconds in runs)
        theirs, slow = raster(recipe, cube, view, cmap)
        empty, _ = raster(lambda ax, cube, cmap: None, cube, view, cmap)
        rows, columns = np.nonzero((theirs != empty).any(axis=2))
        head = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        whole, part = (structural_similarity(theirs[box], mine[box], channel_axis=2) for box in (np.s_[:], head))
        name = ",".join(f"{angle:g}" for angle in view)
        row = f"{name:>8} {cmap:>8} {slow:12.2f} s {fast:8.2f} s {slow / fast:6.0f} {whole:7.4f} {part:10.4f}"
        print(row, flush=True)
        if options.save:
            Image.fromarray(theirs).save(options.save / f"axes3d_{name}_{cmap}.png")
            Image.fromarray(mine).save(options.save / f"volrender_{name}_{cmap}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
