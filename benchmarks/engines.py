"""Scenes: the ray caster against pyvista on the OpenGL that is here, the same picture in the same run.

    python benchmarks/engines.py --size 2400
    python benchmarks/engines.py head atlas --size 2400 --repeat 3 --head T1_1mm.nii.gz --save pictures

The bundled head, the atlas and the motor map: as a volume, projected, as surfaces, cut, oblique and sheared, and in one
another. Each engine draws once small first, so that nothing is compiled, loaded or surveyed in the time that counts;
then the median of the runs. Both smooth edges as in a final picture. SSIM (structural similarity, 1 is equal), the
overlap of the silhouettes and how far apart (pixels) their centroids lie compare the pictures. On a machine with
graphics hardware pyvista uses that, and the ratio says little.
"""

import argparse
import csv
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.metrics import structural_similarity

import volrender as vr
from volrender.draw import opengl

ENGINES = ("raycast", "pyvista")


def scenes(heads: list[str]) -> dict[str, list]:
    """Layers by what they show."""
    head, motor, atlas = (vr.sample(name) for name in ("mni152", "motor", "atlas"))
    octant = vr.Box(x=(None, 0), y=(-30, None), z=(0, None))
    oblique, shear = vr.Plane(normal=(1, 2, 2), origin=(0, 0, 20)), np.eye(4)
    shear[0, 1], shear[2, 0] = 0.3, -0.2
    mist = [(0, 0), (40, 0), (140, 0.03)]
    hand = vr.Isosurface(motor, level=-3.1, color="royalblue")
    mask = vr.Volume(motor.data < -4, motor.affine, "labels", "mask")
    found = {
        "head": [vr.Intensity(head)],
        "cutaway": [vr.Intensity(head, clip=octant), hand],
        "atlas": [vr.LabelMap(atlas)],
        "isosurface": [vr.Isosurface(head)],
        "maximum": [vr.Intensity(head, blend="maximum")],
        "cut": [vr.Intensity(head, clip=vr.Plane(y=0)), vr.CutPlane(head, vr.Plane(z=-20))],
        "oblique": [vr.Intensity(head, clip=oblique)],
        "sheared": [vr.Intensity(vr.Volume(head.data, shear @ head.affine, name="sheared"))],
        "translucent": [vr.Intensity(head, opacity=mist, cmap="gray", clim=(0, 200)), replace(hand, opacity=0.6)],
        "mask": [vr.Intensity(head, clip=octant), vr.LabelMap(mask, colors="crimson")],
    }
    return found | {path: [vr.Intensity(vr.load(path))] for path in heads}


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


def alike(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> tuple[float, float, float]:
    """SSIM of two pictures on white, overlap of their silhouettes, and the way between their centroids (pixels)."""
    likeness = structural_similarity(one[..., :3], two[..., :3], channel_axis=2)
    a, b = ((raster[..., :3] < 250).any(axis=-1) for raster in (one, two))
    apart = np.subtract(ndimage.center_of_mass(a), ndimage.center_of_mass(b))
    return likeness, (a & b).sum() / (a | b).sum(), float(np.linalg.norm(apart))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="of the scenes to draw; all by default")
    parser.add_argument("--size", type=int, default=2400, help="pixels along each side (%(default)s)")
    parser.add_argument("--repeat", type=int, default=1, help="runs, of which the median counts (%(default)s)")
    parser.add_argument("--head", action="append", default=[], help="a file to draw as a volume; may be repeated")
    parser.add_argument("--save", type=Path, help="an existing folder for the pictures")
    parser.add_argument("--csv", type=Path, help="a file for the table, as in the docs")
    options = parser.parse_args()
    every = scenes(options.head)
    chosen = {name: every[name] for name in options.names + options.head} if options.names else every
    print(f"{options.size} x {options.size}; pyvista draws with {opengl.require().renderer}")
    print(f"{'scene':>24} {'raycast':>9} {'pyvista':>9} {'ratio':>6} {'SSIM':>7} {'overlap':>8} {'apart':>6}")
    rows = [["Scene", "pyvista", "Ray caster", "Ratio", "SSIM", "Overlap", "Centers apart"]]
    for name, layers in chosen.items():
        (one, fast), (two, slow) = (timed(layers, engine, options.size, options.repeat) for engine in ENGINES)
        likeness, overlap, apart = alike(one, two)
        times = f"{fast:7.2f} s {slow:7.2f} s {slow / fast:6.1f}"
        print(f"{Path(name).name:>24} {times} {likeness:7.4f} {overlap:8.4f} {apart:6.2f}", flush=True)
        times = [f"{slow:.1f} s", f"{fast:.1f} s", f"{slow / fast:.2g}"]
        rows.append([Path(name).name, *times, f"{likeness:.3f}", f"{overlap:.4f}", f"{apart:.2f} px"])
        if options.save:
            Image.fromarray(np.concatenate([one, two], axis=1)).save(options.save / f"{Path(name).name}.png")
    if options.csv:
        with options.csv.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
