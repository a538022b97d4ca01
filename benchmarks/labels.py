"""A label map of 138 regions: `pyvista`'s surface nets, drawn by `add_mesh`, against `volrender.Scene`.

    python benchmarks/labels.py --repeat 5

Both draw the bundled atlas from the left into as many pixels, with ambient occlusion and smooth edges, in one process.
"Surface" is from the array to a mesh, "drawn" from the array to the pixels. The volumes of the labels are held against
those of their voxels: smoothing must not shrink them.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyvista as pv
from numpy.typing import NDArray
from PIL import Image

import volrender as vr
from volrender.draw import nets
from volrender.draw.surfaces_pyvista import label_surface


def numbered(atlas: vr.Volume) -> tuple[NDArray, NDArray]:
    """The atlas with its labels numbered from 1, and how many voxels each has."""
    _, numbers, voxels = np.unique(atlas.canonical.data, return_inverse=True, return_counts=True)
    return numbers.reshape(atlas.shape), voxels[1:]


def theirs(numbers: NDArray, style: str) -> pv.PolyData:
    """The labels by surface nets with VTK's constrained smoothing; `style` is "external" or "all"."""
    grid = pv.ImageData(dimensions=numbers.shape)
    grid.point_data["values"] = numbers.ravel(order="F").astype(np.uint16)
    return grid.contour_labels(style, output_mesh_type="triangles", scalars="values", smoothing=True)


def drawn(numbers: NDArray, size: tuple[int, int]) -> NDArray:
    """Their surface in a `Plotter`, from the left."""
    plotter = pv.Plotter(off_screen=True, window_size=list(size))
    plotter.add_mesh(theirs(numbers, "external"), smooth_shading=True, show_scalar_bar=False)
    plotter.enable_ssao(radius=5)
    plotter.enable_anti_aliasing("ssaa")
    plotter.view_vector((-1, 0, 0), viewup=(0, 0, 1))
    plotter.enable_parallel_projection()
    try:
        return np.asarray(plotter.screenshot(None, return_img=True))[..., :3]
    finally:
        plotter.close()


def shares(numbers: NDArray, voxels: NDArray) -> tuple[NDArray, NDArray]:
    """What part of its voxels' volume each label's surface encloses: theirs and ours."""
    mesh = theirs(numbers, "all")
    corners, sides = np.asarray(mesh.points)[mesh.regular_faces], np.asarray(mesh.cell_data["boundary_labels"])
    each = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    signed = np.bincount(sides[:, 0], each, len(voxels) + 1) - np.bincount(sides[:, 1], each, len(voxels) + 1)
    web = nets.smoothed(nets.net(numbers))
    own = np.bincount(web.numbers, web.volumes)
    return np.abs(signed[1:]) / voxels, own[1:] / voxels


def timed(call: Callable[[], object], repeat: int) -> float:
    """The quickest of some runs, s: what else the machine does only adds to it."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, default=(1051, 800), help="pixels (%(default)s: 89 mm at 300 dpi)")
    parser.add_argument("--repeat", type=int, default=5, help="runs, of which the quickest counts (%(default)s)")
    parser.add_argument("--save", type=Path, help="an existing folder for the pictures")
    options = parser.parse_args()

    atlas, size = vr.sample("atlas"), tuple(options.size)
    layer = vr.LabelMap(atlas)
    numbers, voxels = numbered(atlas)
    scene = vr.Scene(layer, camera="left")
    pictures = {"pyvista": drawn(numbers, size), "volrender": scene.render(size)[..., :3]}  # and all is imported
    print(f"{len(voxels)} labels in {atlas.shape} voxels, {size[0]} x {size[1]} pixels; pyvista {pv.__version__}")
    rows = {
        "surface": (lambda: theirs(numbers, "external"), lambda: label_surface(layer)),
        "drawn": (lambda: drawn(numbers, size), lambda: vr.Scene(layer, camera="left").render(size)),
    }
    for name, (one, two) in rows.items():
        slow, fast = timed(one, options.repeat), timed(two, options.repeat)
        print(f"{name:<8} pyvista {slow:5.2f} s   volrender {fast:5.2f} s   ratio {fast / slow:.2f}")
    for name, share in zip(pictures, shares(numbers, voxels), strict=True):
        low, middle, high = np.percentile(share, (0, 50, 100))
        print(f"volume of a label, of that of its voxels, {name}: {low:.2f} to {high:.2f}, median {middle:.3f}")
    if options.save:
        for name, picture in pictures.items():
            Image.fromarray(picture).save(options.save / f"labels_{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
