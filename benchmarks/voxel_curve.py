"""How long exploded voxels take and how much memory, from 25^3 to 200^3 cubes: the curve in the docs.

    python benchmarks/voxel_curve.py --save docs/images/voxel_curve.png

The bundled head in a process of its own for each size, figure and PNG at 1181 x 1181 pixels, the median of three.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from matplotlib.figure import Figure

SIZES = (25, 50, 75, 100, 150, 200)
CHILD = """
import io, json, re, sys, time
from statistics import median
import numpy as np
import volrender as vr
n = int(sys.argv[1])
head = vr.sample("mni152").contrast()
grid = vr.Volume(np.zeros((n, n, n), np.uint8), head.affine @ np.diag([*np.divide(head.shape, n), 1]))
cube = head.resample_to(grid) if n > min(head.shape) else head.downsize((n, n, n))
layer = vr.Intensity(cube, cmap="viridis", opacity=[(0, 0), (1, 1)])
seconds = []
for _ in range(3):
    start = time.perf_counter()
    panel = vr.Voxels(layer, size=(n, n, n), camera=(30, 320))
    page = panel.figure(300.0, 100)
    page.savefig(io.BytesIO(), dpi=100)
    seconds.append(time.perf_counter() - start)
(found,) = [a for ax in page.axes for a in ax.collections if hasattr(a, "cubes")]
faces = sum(len(quads) for quads, _, _ in found.faces())
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
print(json.dumps([n, int((panel._cubes.alpha > 0).sum()), faces, median(seconds), peak]))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", type=Path, help="a PNG of the curve")
    options = parser.parse_args()
    rows = []
    print(f"{'size':>5} {'cubes':>9} {'faces drawn':>12} {'time':>8} {'a face':>8} {'memory':>9}")
    for size in SIZES:
        child = subprocess.run([sys.executable, "-c", CHILD, str(size)], capture_output=True, text=True, check=True)
        _, cubes, faces, seconds, peak = row = json.loads(child.stdout)
        rows.append(row)
        each = f"{1e6 * seconds / faces:6.2f} us"
        print(f"{size:>4}^3 {cubes:9,} {faces:12,} {seconds:6.2f} s {each} {peak:6.0f} MB", flush=True)
    if options.save:
        draw(rows, options.save)
    return 0


def draw(rows: list[list[float]], path: Path) -> None:
    """Time and memory against size, side by side."""
    figure = Figure(figsize=(6.5, 2.4), dpi=200, layout="constrained")
    sizes, _, _, seconds, peak = zip(*rows, strict=True)
    for ax, values, name in zip(
        figure.subplots(1, 2), (seconds, [mb / 1024 for mb in peak]), ("time (s)", "memory (GiB)"), strict=True
    ):
        ax.plot(sizes, values, "o-", color="#20639b", markersize=4)
        ax.set(xlabel="cubes along each side", ylabel=name, ylim=(0, None), xticks=sizes)
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


if __name__ == "__main__":
    sys.exit(main())
