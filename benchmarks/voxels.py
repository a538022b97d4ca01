"""Exploded voxels: `Axes3D.voxels` against `volrender.Voxels`, the same array at the same settings.

    python benchmarks/voxels.py --size 50

The first is the well-known recipe: `explode` the colors, `expand_coordinates`, viridis with alpha = value, 30 cm at
100 dpi, seen from (30, 320). The second draws the same cubes into the same axes through `Voxels(...).draw(ax)`. Both
times are from an empty figure to its pixels. SSIM compares the two rasters (structural similarity, 1 is equal), whole
and in the box around the head, where there is no white page to agree on. `Axes3D.voxels` makes one collection a voxel
and looks all of them over at each, so its time grows with the square of their number: 50 takes minutes.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

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

SIDE_CM, DPI, VIEW = 30, 100, (30, 320)


def recipe(ax: Axes3D, cube: NDArray[np.floating]) -> None:
    """The tutorial's way; a voxel is 2 wide, from 2i to 2i + 2."""
    colors = colormaps["viridis"](cube)
    colors[..., 3] = cube
    colors = vr.explode(colors)
    filled = colors[..., 3] != 0
    x, y, z = vr.expand_coordinates(np.indices(np.array(filled.shape) + 1))
    ax.voxels(x, y, z, filled, facecolors=colors)


def ours(ax: Axes3D, cube: NDArray[np.floating]) -> None:
    """The same cubes in world coordinates: spacing 2, the first voxel's centre at 1."""
    affine = np.array([[2, 0, 0, 1], [0, 2, 0, 1], [0, 0, 2, 1], [0, 0, 0, 1.0]])
    layer = vr.Intensity(vr.Volume(cube, affine), clim=(0, 1), cmap="viridis", opacity=[(0, 0), (1, 1)])
    vr.Voxels(layer, size=max(cube.shape), explode=0).draw(ax)


def raster(draw: Callable[[Axes3D, NDArray[np.floating]], None], cube: NDArray[np.floating]) -> tuple[NDArray, float]:
    """The picture (h, w, 3) and the seconds it took."""
    start = time.perf_counter()
    figure = Figure(figsize=(SIDE_CM / 2.54, SIDE_CM / 2.54), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    ax = figure.add_subplot(projection="3d")
    ax.view_init(*VIEW)
    end = 2 * max(cube.shape)
    ax.set(xlim=(0, end), ylim=(0, end), zlim=(0, end))
    draw(ax, cube)
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return picture, time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=50, help="voxels along each side (%(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of volrender; the best counts (%(default)s)")
    parser.add_argument("--save", type=Path, help="an existing folder for the two pictures")
    options = parser.parse_args()

    size = (options.size,) * 3
    cube = vr.sample("mni152").contrast().downsize(size).normalize().data
    print(f"{options.size}^3 voxels, {np.count_nonzero(cube)} drawn; matplotlib {matplotlib.__version__}", flush=True)

    runs = [raster(ours, cube) for _ in range(options.repeat)]
    mine, fastest = runs[0][0], min(seconds for _, seconds in runs)
    print(f"{'volrender.Voxels':<20}{fastest:9.2f} s", flush=True)
    theirs, slow = raster(recipe, cube)
    empty, _ = raster(lambda ax, cube: None, cube)
    rows, columns = np.nonzero((theirs != empty).any(axis=2))
    head = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    print(f"{'Axes3D.voxels':<20}{slow:9.2f} s")
    print(f"{'ratio':<20}{slow / fastest:9.0f}")
    print(f"{'SSIM':<20}{structural_similarity(theirs, mine, channel_axis=2):9.4f}")
    print(f"{'SSIM, head alone':<20}{structural_similarity(theirs[head], mine[head], channel_axis=2):9.4f}")
    if options.save:
        Image.fromarray(theirs).save(options.save / "axes3d.png")
        Image.fromarray(mine).save(options.save / "volrender.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
