"""What the ray caster holds in memory while it renders, as a multiple of the volume as float32.

    python benchmarks/memory.py --size 512

A phantom of n x n x n voxels is rendered at 1200 x 1200 pixels, each kind of layer in a process of its own. "Whole" is
the most the process ever held while it rendered, libraries and volume and picture included; "share" is that less what
it held after a small picture (libraries, compiled loops) and less the picture, in volumes of float32: the volume
itself is counted, 0.5 if it is of int16. Linux only.
"""

import argparse
import json
import subprocess
import sys

CHILD = """
import json, re, sys
from pathlib import Path
import numpy as np
import volrender as vr

kind, n, side = sys.argv[1], int(sys.argv[2]), 1200
dtype = {"map": np.float32, "labels": np.uint8, "glass": np.uint8}.get(kind, np.int16)
levels = {"volume": {}, "outlined": {}, "curve": {"opacity": [(200, 0), (260, 1)]}, "map": {"level": 3.1}}


def held(what):
    return int(re.search(what + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024


def phantom(n):
    x = np.linspace(-1, 1, n, dtype=np.float32)
    data = np.empty((n, n, n), dtype)
    for plane, at in zip(data, x):
        far = np.sqrt(at**2 + (x[:, None] / 1.1) ** 2 + x**2)
        waves = np.sin(9 * at) * np.sin(8 * x[:, None]) * np.sin(7 * x)
        if kind == "map":
            plane[:] = np.where(far < 0.85, 6 * waves, 0)
        elif dtype is np.uint8:
            plane[:] = np.where(far < 0.85, 1 + (at > 0) + 2 * (x[:, None] > 0) + 4 * (x > 0), 0)
        else:
            plane[:] = np.where(far < 0.85, 400 + 200 * waves, 10)
    return data


def render(data, size):
    volume = vr.Volume(data, np.diag([1.0, 1.0, 1.0, 1.0]))
    if dtype is np.uint8:
        layer = vr.LabelMap(volume, opacity=0.4 if kind == "glass" else 1)
    elif kind == "surface":
        layer = vr.Isosurface(volume, 300)
    else:
        layer = vr.Intensity(volume, blend="maximum") if kind == "maximum" else vr.Intensity(volume, **levels[kind])
    vr.Scene(layer, engine="raycast", silhouette=kind == "outlined").render((size, size))


render(phantom(32), 64)
before = held("VmRSS")
data = phantom(n)
Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
render(data, side)
peak = held("VmHWM")
print(json.dumps([peak, (peak - before - 4 * side * side) / (4 * data.size)]))
"""
KINDS = ("volume", "outlined", "curve", "maximum", "map", "surface", "labels", "glass")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, help="voxels along each side")
    parser.add_argument("--kind", choices=KINDS, action="append", help="kinds of layers; all if not given")
    options = parser.parse_args()
    print(f"{options.size}^3 voxels\n{'kind':<8} {'whole':>10} {'share':>6}")
    for kind in options.kind or KINDS:
        command = [sys.executable, "-c", CHILD, kind, str(options.size)]
        child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        peak, share = json.loads(child.stdout)
        print(f"{kind:<8} {peak / 2**30:6.2f} GiB {share:6.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
