"""Names and colors of labels in a NIfTI file: they come back, and what a file says of them is checked."""

import gzip
import struct
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from helpers import ramp, refuses, storage_affine

import volrender as vr
from volrender import Volume
from volrender.io import Label

AFFINE = storage_affine("LPS", (2, 3, 4), (10, -20, 30))
DATA = ramp((3, 4, 5), np.int16) % 4


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_names_and_colors_come_back(tmp_path, name):
    labels = {1: Label("left \u2212 right", (0.1, 1.0, 0.0)), 3: Label("", (1, 0, 1)), -7: Label("absent", (0, 0, 0))}
    Volume(DATA, AFFINE, "labels", labels=labels).save(tmp_path / name)
    for source in (tmp_path / name, (tmp_path / name).read_bytes(), nib.load(tmp_path / name)):
        again = vr.load(source)
        assert (again.kind, again.labels) == ("labels", labels)
        assert np.array_equal(again.data, DATA)
        assert np.allclose(again.affine, AFFINE)
    Volume(DATA, AFFINE, labels=labels).save(tmp_path / name)
    assert vr.load(tmp_path / name).labels is None


def test_the_atlas_comes_back_whole_and_others_can_read_it(tmp_path):
    atlas = vr.sample("atlas")
    atlas.save(tmp_path / "a.nii.gz")
    assert vr.load(tmp_path / "a.nii.gz").labels == atlas.labels
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is absent")
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "a.nii.gz")).transpose(2, 1, 0)
    assert np.array_equal(theirs, atlas.data)


def commented(path, text, intent="label"):
    image = nib.Nifti1Image(DATA, AFFINE)
    image.header.set_intent(intent)
    image.header.extensions.append(nib.nifti1.Nifti1Extension(6, text))
    nib.save(image, path)
    return path


WRONG = {
    "no number": '"one": ["a", [0, 0, 1]]',
    "too bright": '"1": ["a", [0, 0, 2]]',
    "no color": '"1": ["a", [0, 0, NaN]]',
    "two parts": '"1": ["a", [0, 0]]',
    "a word": '"1": ["a", "red"]',
    "alone": '"1": ["a"]',
    "no name": '"1": [1, [0, 0, 1]]',
    "two lines": '"1": ["a\\nb", [0, 0, 1]]',
    "too long": f'"1": ["{"a" * 201}", [0, 0, 1]]',
    "no JSON": '"1": ["a", [0, 0, 1]], ',
    "too deep": "[" * 100_000,
    "too much": f'"1": ["a", [0, 0, 1]]{" " * (1 << 20)}',
}


@pytest.mark.parametrize("row", WRONG.values(), ids=WRONG)
def test_names_and_colors_that_cannot_be(tmp_path, row):
    path = commented(tmp_path / "v.nii", f'{{"volrender labels": {{{row}}}}}'.encode())
    with pytest.warns(UserWarning, match=r"v\.nii: the names and colors of its labels cannot be read and are left out"):
        volume = vr.load(path)
    assert (volume.kind, volume.labels) == ("labels", None)


@pytest.mark.parametrize(
    ("text", "intent"),
    [(b"made by hand", "label"), (b"", "label"), (b'{"volrender labels": {"1": ["a", [0, 0, 1]]}}', "z score")],
)
def test_other_comments_say_nothing(tmp_path, text, intent):
    assert vr.load(commented(tmp_path / "v.nii", text, intent)).labels is None


def test_too_many_names_are_not_saved(tmp_path):
    labels = {n: Label("a" * 100, (0, 0, 1)) for n in range(10_000)}
    with pytest.warns(UserWarning, match="the names and colors of its 10000 labels are not saved; they take more than"):
        Volume(DATA, AFFINE, "labels", labels=labels).save(tmp_path / "v.nii")
    assert np.array_equal(vr.load(tmp_path / "v.nii").data, DATA)


def test_an_extension_that_never_ends(tmp_path):
    whole = bytearray(commented(tmp_path / "v.nii", b"x").read_bytes())
    whole[352:356] = struct.pack("<i", (1 << 27) + 16)
    (tmp_path / "v.nii.gz").write_bytes(gzip.compress(bytes(whole) + bytes(1 << 27)))
    tracemalloc.start()
    refuses(ValueError, lambda: vr.load(tmp_path / "v.nii.gz"), "v.nii.gz: must be a whole image")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e8
