"""A few small reference pictures, for what numbers cannot say: look at each before it is committed.

They are drawn without OpenGL, so that one set serves every machine. Type may be rasterised a little differently
elsewhere; what is compared is the mean difference, and how many pixels differ plainly.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import volrender as vr

FOLDER = Path(__file__).parent / "baselines"
MEAN, PLAIN, SHARE = 1.5, 40, 0.01  # gray levels; gray levels; of all pixels


def slices():
    motor = vr.sample("motor")
    return vr.Slices(vr.sample("mni152"), vr.Intensity(motor, level=3.1), x=40, y=-25, z=56)


def contours():
    motor = vr.sample("motor")
    return vr.Slices(vr.sample("mni152"), vr.Isosurface(motor, 3.1), vr.Isosurface(motor, -3.1, "blue"), z=[-20, 56])


def voxels():
    head = vr.Intensity(vr.sample("mni152").contrast(), cmap="viridis", clim=(0, 1), clip=vr.Plane(x=0))
    return vr.Voxels(head, size=24)


def labels():
    return vr.Voxels(vr.sample("atlas"), size=30, camera="left", axes=False, colorbar=False)


def histogram():
    return vr.Histogram(vr.sample("mni152"))


@pytest.mark.filterwarnings("ignore:Voxels of")
@pytest.mark.parametrize("make", [slices, contours, voxels, labels, histogram], ids=lambda make: make.__name__)
def test_picture_matches_its_baseline(make, request, tmp_path):
    drawn = tmp_path / f"{make.__name__}.png"
    make().save(drawn, width=80, dpi=100)
    kept = FOLDER / drawn.name
    if request.config.getoption("--regenerate-baselines"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(drawn.read_bytes())
    now, before = (np.asarray(Image.open(path).convert("RGB"), dtype=float) for path in (drawn, kept))
    assert now.shape == before.shape
    difference = np.abs(now - before)
    assert difference.mean() < MEAN, f"{drawn} differs from {kept}"
    assert (difference.max(axis=-1) > PLAIN).mean() < SHARE, f"{drawn} differs from {kept}"
