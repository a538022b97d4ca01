"""Scenes: the ray caster against pyvista on the OpenGL that is here, the same picture in the same run.

    python benchmarks/engines.py --size 2400
    python benchmarks/engines.py --size 2400 --repeat 3 --head T1_1mm.nii.gz --save pictures

The bundled head as a shaded volume at two samples a voxel, the same cut open, the atlas, an isosurface, and any heads
given. Each engine draws once small first, so that nothing is compiled, loaded or surveyed in the time that counts; then
the median of the runs. Both smooth edges as in a final picture. SSIM (structural similarity, 1 is equal) and the
overlap of the silhouettes compare the pictures. On a machine with graphics hardware pyvista uses that, and the ratio
says little.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import structural_similarity

import volrender as vr
from volrender.draw import opengl

ENGINES = ("raycast", "pyvista")


def scenes(heads: list[str]) -> dict[str, list]:
    """Layers by what they show."""
    head, motor = vr.sample("mni152"), vr.sample("motor")
    octant = vr.Box(x=(None, 0), y=(-30, None), z=(0, None))
    found = {
        "head": [vr.Intensity(head)],
        "cutaway": [vr.Intensity(head, clip=octant), vr.Isosurface(motor, level=-3.1, color="royalblue")],
        "atlas": [vr.LabelMap(vr.sample("atlas"))],
        "isosurface": [vr.Isosurface(head)],
    }
    return found | {Path(path).name: [vr.Intensity(vr.load(path))] for path in heads}


def timed(layers: list, engine: str, size: int, repeat: int) -> tuple[NDArray[np.uint8], float]:
    """The picture, and the seconds that it takes."""
    scene = vr.Scene(*layers, engine=engine)
    scene.render((64, 64))
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        raster = scene.render((size, size))
        seconds.append(time.perf_counter() - start)
    return raster, median(seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2400, help="pixels along each side (%(default)s)")
    parser.add_argument("--repeat", type=int, default=1, help="runs, of which the median counts (%(default)s)")
    parser.add_argument("--head", action="append", default=[], help="a file to draw as a volume; may be repeated")
    parser.add_argument("--save", type=Path, help="an existing folder for the pictures")
    options = parser.parse_args()
    print(f"{options.size} x {options.size}; pyvista draws with {opengl.require().renderer}")
    print(f"{'scene':>24} {'raycast':>9} {'pyvista':>9} {'ratio':>6} {'SSIM':>7} {'overlap':>8}")
    for name, layers in scenes(options.head).items():
        (one, fast), (two, slow) = (timed(layers, engine, options.size, options.repeat) for engine in ENGINES)
        likeness = structural_similarity(one[..., :3], two[..., :3], channel_axis=2)
        a, b = ((raster[..., :3] < 250).any(axis=-1) for raster in (one, two))
        overlap = (a & b).sum() / (a | b).sum()
        print(f"{name:>24} {fast:7.2f} s {slow:7.2f} s {slow / fast:6.1f} {likeness:7.4f} {overlap:8.4f}", flush=True)
        if options.save:
            Image.fromarray(np.concatenate([one, two], axis=1)).save(options.save / f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
