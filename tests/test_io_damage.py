"""A damaged file of any format gives a sound volume or one sentence; a missing library says how to get it."""

import sys
import zlib

import numpy as np
import pytest
from helpers import refuses
from hypothesis import given, settings
from hypothesis import strategies as st
from test_io import survives
from test_io_dicom import dataset, enhanced, write
from test_io_metaimage import BODY
from test_io_metaimage import made as metaimage
from test_io_nrrd import made as nrrd
from test_io_tiff import imagej, ome

import volrender as vr

WRITERS = {
    "v.nrrd": lambda path: nrrd(path, encoding="gzip"),
    "w.nrrd": nrrd,
    "v.mha": metaimage,
    "w.mha": lambda path: metaimage(
        path, zlib.compress(BODY), CompressedData=True, TransformMatrix="1 0 0 0 1 0 0 0 1"
    ),
    "v.tif": imagej,
    "w.ome.tif": lambda path: ome(path, X=1, Y=1, Z=1),
    "v.dcm": lambda path: write(path, dataset(0)),
    "w.dcm": lambda path: write(path, enhanced()),
    "v.npz": lambda path: np.savez_compressed(path, data=np.ones((3, 4, 5)), affine=np.eye(4)),
}
DAMAGE = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=6)


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=60)
@given(damage=DAMAGE, keep=st.integers(0, 30_000))
def test_damage(tmp_path, name, damage, keep):
    whole = tmp_path / f"whole-{name}"
    if not whole.exists():
        WRITERS[name](whole)
    packed = bytearray(whole.read_bytes())
    for at, value in damage:
        packed[at % len(packed)] = value
    (tmp_path / name).write_bytes(packed[:keep] if keep < len(packed) else packed)
    survives(lambda: vr.load(tmp_path / name), name)
    survives(lambda: vr.load((tmp_path / name).read_bytes()))


@pytest.mark.parametrize(
    ("module", "name", "extra"),
    [("pydicom", "v.dcm", "dicom"), ("nrrd", "v.nrrd", "nrrd"), ("tifffile", "v.tif", "tiff")],
)
def test_a_missing_library_says_how_to_get_it(tmp_path, monkeypatch, module, name, extra):
    WRITERS[name](tmp_path / name)
    monkeypatch.setitem(sys.modules, module, None)
    refuses(ImportError, lambda: vr.load(tmp_path / name), f"{name}: ", f'pip install "volrender[{extra}]"')
