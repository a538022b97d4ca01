import errno
import gzip
import io
import os
import struct
import time
import tracemalloc
import warnings
import zipfile
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from helpers import placed, ramp, refuses, rotten, storage_affine
from hypothesis import given, settings
from hypothesis import strategies as st

import volrender as vr
from volrender import Volume
from volrender.io import SAMPLES, write_beside

EYE = np.eye(4)
AFFINE = storage_affine("LPS", (2, 3, 4), (10, -20, 30))
DATA = ramp((3, 4, 5), np.int16)
NIBABELS = Path(nib.__file__).parent / "tests" / "data"
IMAGES = {
    "v.nii": nib.Nifti1Image,
    "v.nii.gz": nib.Nifti1Image,
    "v.nii.bz2": nib.Nifti1Image,
    "v2.nii": nib.Nifti2Image,
    "v2.nii.gz": nib.Nifti2Image,
    "pair.hdr": nib.Nifti1Pair,
    "pair.img": nib.Nifti1Pair,
    "v.mgh": nib.MGHImage,
    "v.mgz": nib.MGHImage,
}
ALONE = [name for name in IMAGES if "pair" not in name and "bz2" not in name]


def made(folder, name, data=DATA, affine=AFFINE):
    nib.save(IMAGES[name](data, affine), folder / name)
    return folder / name


def same(volume, data=DATA, affine=AFFINE):
    assert np.array_equal(volume.data, data)
    assert np.allclose(volume.affine, affine, atol=1e-4)
    return True


def nibabels(name):
    path = NIBABELS / name
    if not path.is_file():
        pytest.skip(f"nibabel came without its test file {name}")
    return path


def zipped(folder, *paths, name="all.zip"):
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path in paths:
            bundle.write(path, f"sub/{path.name}")
    return folder / name


# Ways in


@pytest.mark.parametrize("name", IMAGES)
def test_from_a_path(tmp_path, name):
    path = made(tmp_path, name)
    assert same(vr.load(path))
    assert same(vr.load(str(path)))
    assert vr.load(path).name == name.split(".")[0]


@pytest.mark.parametrize("name", ALONE)
def test_from_bytes_and_open_files(tmp_path, name):
    path = made(tmp_path, name)
    packed = path.read_bytes()
    assert same(vr.load(packed))
    assert same(vr.load(bytearray(packed)))
    assert same(vr.load(memoryview(packed)))
    assert same(vr.load(io.BytesIO(packed)))
    with open(path, "rb") as file:
        assert same(vr.load(file))


@pytest.mark.parametrize("name", ALONE)
def test_from_a_zip(tmp_path, name):
    volume = vr.load(f"{zipped(tmp_path, made(tmp_path, name))}!sub/{name}")
    assert same(volume)
    assert volume.name == name.split(".")[0]


@pytest.mark.filterwarnings("ignore:.*has no .mat beside it")
@pytest.mark.parametrize("image_class", [nib.Nifti1Pair, nib.Nifti2Pair, nib.AnalyzeImage])
@pytest.mark.parametrize("member", ["x.hdr", "x.img"])
def test_a_pair_in_a_zip_finds_its_other_half(tmp_path, image_class, member):
    nib.save(image_class(DATA, AFFINE), tmp_path / "x.img")
    outside = vr.load(tmp_path / "x.hdr")
    inside = vr.load(f"{zipped(tmp_path, tmp_path / 'x.hdr', tmp_path / 'x.img')}!sub/{member}")
    assert same(inside, outside.data, outside.affine)


def test_a_pair_in_capitals(tmp_path):
    made(tmp_path, "pair.hdr")
    for ending in ("hdr", "img"):
        (tmp_path / f"pair.{ending}").rename(tmp_path / f"PAIR.{ending.upper()}")
    archive = zipped(tmp_path, tmp_path / "PAIR.HDR", tmp_path / "PAIR.IMG")
    assert same(vr.load(f"{archive}!sub/PAIR.HDR"))


@pytest.mark.parametrize("image_class", [nib.Spm99AnalyzeImage, nib.Spm2AnalyzeImage])
def test_the_position_that_spm_keeps_in_a_mat_file_is_found_in_a_zip_too(tmp_path, image_class):
    nib.save(image_class(DATA, AFFINE), tmp_path / "x.img")
    parts = [tmp_path / f"x.{ending}" for ending in ("hdr", "img", "mat")]
    assert same(vr.load(parts[0]))
    zipped(tmp_path, *parts)
    inside = vr.load(f"{tmp_path / 'all.zip'}!sub/x.hdr")
    assert same(inside)
    assert not any("LAS" in line for line in inside.history)


@pytest.mark.parametrize("image_class", [nib.AnalyzeImage, nib.Spm99AnalyzeImage, nib.Spm2AnalyzeImage])
def test_without_it_left_and_right_are_a_guess(tmp_path, image_class):
    image = image_class(DATA, np.diag([-2, 3, 4, 1]))
    assert vr.load(image).orientation == "LAS"  # the position was given with it
    nib.save(image, tmp_path / "x.img")
    (tmp_path / "x.mat").unlink(missing_ok=True)
    archive = zipped(tmp_path, tmp_path / "x.hdr", tmp_path / "x.img")
    for source in (tmp_path / "x.hdr", tmp_path / "x.img", nib.load(tmp_path / "x.hdr"), f"{archive}!sub/x.hdr"):
        with pytest.warns(UserWarning, match="has no .mat beside it, so left and right are a guess; placed LAS with"):
            volume = vr.load(source)
        assert volume.orientation == "LAS"
        assert volume.history[-1] == "without a position in the header: taken as LAS"


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (("x.hdr", "x.img"), 0),
        (("x.hdr", "x.img"), 1),
        (("x.hdr.gz", "x.img.gz"), 0),
        (("X.HDR", "X.IMG"), 1),
        (("x.PAR", "x.REC"), 0),
        (("x.par", "x.rec"), 1),
        (("x+orig.HEAD", "x+orig.BRIK"), 0),
    ],
)
def test_half_a_pair(tmp_path, names, kept):
    (tmp_path / names[kept]).write_bytes(bytes(400))
    missing = tmp_path / names[1 - kept].removesuffix(".gz")
    path = tmp_path / names[kept]
    refuses(FileNotFoundError, lambda: vr.load(path), f"{path}: needs {missing}: no such file")


def test_halves_that_are_packed_in_two_ways(tmp_path):
    path = made(tmp_path, "pair.hdr")
    voxels = tmp_path / "pair.img"
    (tmp_path / "pair.img.gz").write_bytes(gzip.compress(voxels.read_bytes()))
    voxels.unlink()
    with pytest.raises(ValueError, match=r"pair\.hdr: "):  # nibabel packs both or neither
        vr.load(path)


@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".tif", ".npy", ".npz", ".dcm", ".xyz", ".mgz", ".img", ""])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_nifti_by_another_name(tmp_path, ending, pack):
    if ending == ".img" and pack is gzip.compress:
        ending = ".raw"
    path = tmp_path / f"v{ending}"
    path.write_bytes(pack(made(tmp_path, "v.nii").read_bytes()))
    assert same(vr.load(path))


def test_capitals_do_not_change_the_format(tmp_path):
    made(tmp_path, "v.nii.gz", np.zeros((40, 40, 40), np.int16)).rename(tmp_path / "V.NII.GZ")
    assert vr.load(tmp_path / "V.NII.GZ").name == "V"


def test_emptiness_packed_tighter_than_gzip_can(tmp_path):
    path = made(tmp_path, "v.nii.bz2", np.zeros((128, 128, 128), np.uint8))
    assert path.stat().st_size * 2000 < 128**3
    assert vr.load(path).shape == (128, 128, 128)


@pytest.mark.parametrize("name", ["v.nii", "v2.nii", "v.mgh"])
def test_the_checksum_of_gzip_is_asked(tmp_path, name):
    data = ramp((20, 21, 22), np.int16)
    whole = made(tmp_path, name, data).read_bytes()
    packed = tmp_path / "p.nii.gz"
    packed.write_bytes(rotten(whole))
    assert zlib.decompressobj(31).decompress(packed.read_bytes()[:-8]) != whole
    for source in (packed, packed.read_bytes()):
        refuses(ValueError, lambda source=source: vr.load(source), "must be a whole image; CRC check failed")
    packed.write_bytes(gzip.compress(whole)[:-5])
    refuses(ValueError, lambda: vr.load(packed), "p.nii.gz: must be a whole image; Compressed file ended before")
    for after in (b"no part of it", bytes(30), gzip.compress(bytes(100_000))):
        packed.write_bytes(gzip.compress(whole) + after)
        assert same(vr.load(packed), data)


def test_the_checksum_of_a_zip_is_asked(tmp_path):
    np.savez(tmp_path / "v.npz", data=DATA, affine=AFFINE)
    packed = (tmp_path / "v.npz").read_bytes()
    (tmp_path / "v.npz").write_bytes(packed.replace(DATA.tobytes(), DATA[::-1].tobytes()))
    refuses(ValueError, lambda: vr.load(tmp_path / "v.npz"), "v.npz", "Bad CRC-32")


def test_from_a_nibabel_image(tmp_path):
    image = nib.Nifti1Image(DATA, AFFINE)
    assert same(vr.load(image))
    assert same(vr.load(nib.load(made(tmp_path, "v.nii.gz"))))
    assert vr.load(nib.load(tmp_path / "v.nii.gz")).name == "v"


def test_an_image_in_memory_is_copied_and_keeps_its_own_type():
    data = np.random.default_rng(0).normal(size=(3, 4, 5))
    image = nib.Nifti1Image(data.copy(), EYE)
    image.set_data_dtype(np.int16)
    volume = vr.load(image)
    np.asanyarray(image.dataobj)[...] = 0
    assert same(volume, data, EYE)


def test_a_volume_outlives_its_file(tmp_path):
    path = made(tmp_path, "v.nii")
    volume = vr.load(path)
    path.write_bytes(b"\0" * path.stat().st_size)
    assert same(volume)


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 5, 1), (3, 4, 5, 1, 1)])
def test_from_an_array(shape):
    assert same(vr.load(DATA.reshape(shape), affine=AFFINE))


def test_what_a_masked_array_hides_stays_hidden():
    volume = vr.load(np.ma.masked_greater(DATA, 30), affine=EYE)
    assert np.array_equal(volume.data, np.where(DATA > 30, np.nan, DATA), equal_nan=True)
    assert vr.load(np.ma.array(DATA), affine=EYE).data.dtype == DATA.dtype


def test_a_boolean_array_is_a_mask():
    assert vr.load(DATA > 3, affine=EYE).kind == "labels"
    assert vr.load(DATA > 3, affine=EYE, kind="intensity").kind == "intensity"


def test_from_npy(tmp_path):
    np.save(tmp_path / "v.npy", DATA)
    volume = vr.load(tmp_path / "v.npy", affine=AFFINE)
    assert same(volume)
    assert volume.name == "v"


def test_a_volume_is_returned_as_it_is():
    volume = Volume(DATA, EYE)
    assert vr.load(volume) is volume
    assert vr.load(volume, kind="labels").kind == "labels"


def test_a_flag_says_labels(tmp_path):
    made(tmp_path, "v.nii")
    assert vr.load(tmp_path / "v.nii", kind="labels").kind == "labels"
    image = nib.Nifti1Image(DATA, EYE)
    image.header.set_intent("label")
    assert vr.load(image).kind == "labels"
    image.header.set_intent("z score")
    assert (vr.load(image).kind, vr.load(image).unit) == ("intensity", "z")


# What is in a file


def test_slope_and_intercept(tmp_path):
    image = nib.Nifti1Image(DATA, EYE)
    image.header.set_slope_inter(0.5, -1000)
    image.to_filename(tmp_path / "ct.nii")
    with open(tmp_path / "ct.nii", "r+b") as file:  # nibabel rescales on writing; the header is set by hand
        file.seek(112)
        file.write(struct.pack("<2f", 0.5, -1000))
    stored = np.asarray(nib.load(tmp_path / "ct.nii").dataobj.get_unscaled())
    volume = vr.load(tmp_path / "ct.nii")
    assert np.allclose(volume.data, stored * 0.5 - 1000)
    assert volume.data.dtype == np.float32
    assert "scaled by the header's slope and intercept" in volume.history


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_big_endian(tmp_path, dtype):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.dtype(dtype).newbyteorder(">"))
    nib.save(nib.Nifti1Image(DATA.astype(dtype), AFFINE, header), tmp_path / "v.nii")
    assert (tmp_path / "v.nii").read_bytes()[:4] == struct.pack(">i", 348)
    volume = vr.load(tmp_path / "v.nii")
    assert same(volume)
    assert volume.data.dtype == dtype


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.uint32, np.float32, np.float64])
def test_types_are_kept(tmp_path, dtype):
    volume = vr.load(made(tmp_path, "v.nii", DATA.astype(dtype)))
    assert volume.data.dtype == dtype
    assert len(volume.history) == 1


@pytest.mark.parametrize(("dtype", "real"), [(np.complex64, np.float32), (np.complex128, np.float64)])
def test_complex_becomes_its_magnitude(tmp_path, dtype, real):
    volume = vr.load(made(tmp_path, "v.nii", (DATA * (3 + 4j)).astype(dtype)))
    assert volume.data.dtype == real
    assert np.allclose(volume.data, DATA * 5)
    assert volume.history[1:] == ("complex values replaced by their magnitude",)


def test_trailing_axes_of_one_go_and_time_stays(tmp_path):
    assert vr.load(made(tmp_path, "v.nii", DATA[..., None, None])).shape == (3, 4, 5)
    assert vr.load(made(tmp_path, "v.nii", ramp((3, 4, 5, 2)))).shape == (3, 4, 5, 2)
    assert vr.load(made(tmp_path, "v.nii", ramp((3, 4, 5, 2, 1)))).shape == (3, 4, 5, 2)
    assert vr.load(made(tmp_path, "v.nii", ramp((3, 4, 1)))).shape == (3, 4, 1)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("anatomical.nii", (33, 41, 25)),
        ("functional.nii", (17, 21, 3, 20)),
        ("example4d.nii.gz", (128, 96, 24, 2)),
        ("example_nifti2.nii.gz", (32, 20, 12, 2)),
        ("example4d+orig.HEAD", (33, 41, 25, 3)),
        ("scaled+tlrc.BRIK", (47, 54, 43)),
        ("tiny.mnc", (10, 20, 20)),
        ("test.mgz", (3, 4, 5, 2)),
    ],
)
def test_the_formats_that_nibabel_has_examples_of(name, shape):
    path = nibabels(name)
    volume = vr.load(path)
    assert volume.shape == shape
    assert volume.orientation == "".join(nib.aff2axcodes(nib.load(path).affine))
    assert np.allclose(volume.data, np.asanyarray(nib.load(path).dataobj).reshape(shape), rtol=1e-5)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # nibabel leaves the .REC file open
def test_parrec():
    nibabels("phantom_EPI_asc_CLEAR_2_1.REC")
    assert vr.load(nibabels("phantom_EPI_asc_CLEAR_2_1.PAR")).shape == (64, 64, 9, 3)


def test_minc_keeps_time_first_and_we_keep_it_last():
    path = nibabels("minc1_4d.mnc")
    volume = vr.load(path)
    assert volume.shape == (10, 20, 20, 2)
    assert np.allclose(volume.frame(1).data, nib.load(path).get_fdata()[1], rtol=1e-5)


# Samples


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(name):
    volume = vr.sample(name)
    assert volume.history == (f"sample {name}",)
    assert volume.kind == ("labels" if name == "atlas" else "intensity")
    assert {"mni152": "", "atlas": "", "motor": "z"}[name] == volume.unit


def test_the_atlas_names_and_colors_its_regions():
    atlas = vr.sample("atlas")
    present = set(np.unique(atlas.data)) - {0}
    assert present <= set(atlas.labels)
    assert all(label.name and all(0 <= c <= 1 for c in label.color) for label in atlas.labels.values())


def test_an_unknown_sample():
    refuses(ValueError, lambda: vr.sample("mni"), "there is no sample 'mni'; choose from mni152, atlas, motor")


def test_further_samples_load(samples):
    for path in sorted(samples.glob("*.nii*")):
        assert vr.load(path).spacing > (0, 0, 0)


# What is refused, in one sentence that names the file


def cifti(path):
    scalars = nib.cifti2.ScalarAxis(["thickness"])
    surface = nib.cifti2.BrainModelAxis.from_mask(np.ones(10, bool), name="CortexLeft")
    nib.save(nib.Cifti2Image(np.zeros((1, 10), np.float32), (scalars, surface)), path)


def colored(path):
    data = np.zeros((3, 4, 5, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(data, EYE), path)


def cut(name, keep):
    def write(path):
        whole = made(path.parent, name, np.random.default_rng(0).integers(0, 999, (9, 9, 9)).astype(np.int16))
        path.write_bytes(whole.read_bytes()[:keep])

    return write


def claiming(image_class, *dims, at, kind):
    """A small file whose header claims `dims`, written as `kind` at byte `at`."""

    def write(path):
        packed = bytearray(image_class(DATA, EYE).to_bytes())
        packed[at : at + struct.calcsize(kind)] = struct.pack(kind, *dims)
        path.write_bytes(gzip.compress(bytes(packed)) if path.name.endswith(("gz", "mgz")) else bytes(packed))

    return write


HUGE = [
    ("huge.nii", claiming(nib.Nifti2Image, 3, *[100_000] * 3, at=16, kind="<4q"), "100000 x 100000 x 100000"),
    ("huge2.nii.gz", claiming(nib.Nifti2Image, 3, *[100_000] * 3, at=16, kind="<4q"), "at most 4,000,000,000 voxels"),
    ("huge.mgh", claiming(nib.MGHImage, *[100_000] * 3, at=4, kind=">3i"), "100000 x 100000 x 100000"),
    ("huge.mgz", claiming(nib.MGHImage, *[100_000] * 3, at=4, kind=">3i"), "100000 x 100000 x 100000"),
    ("bomb.nii.gz", claiming(nib.Nifti1Image, 3, 1500, 1500, 1500, at=40, kind="<4h"), "must be a whole image"),
    ("wide.nii", claiming(nib.Nifti1Image, 3, 1500, 1500, 1500, at=40, kind="<4h"), "must be a whole image"),
    ("wrap.nii", claiming(nib.Nifti2Image, 3, 2**32, 2**32, 1, at=16, kind="<4q"), "at most"),
    ("minus.nii", claiming(nib.Nifti2Image, 3, -5, 5, 5, at=16, kind="<4q"), ""),
]
BAD = [
    *HUGE,
    ("text.nii", lambda path: path.write_text("this is not an image\n" * 50), "must be an image"),
    ("text.txt", lambda path: path.write_text("neither is this"), "must be an image"),
    ("empty.nii", lambda path: path.write_bytes(b""), "must be an image"),
    ("cut.nii", cut("v.nii", 700), "must be a whole image"),
    ("head.nii", cut("v.nii", 200), "must be an image"),
    ("cut.nii.gz", cut("v.nii.gz", 900), "must be a whole image"),
    ("head.nii.gz", cut("v.nii.gz", 60), "must be"),
    ("cut.mgz", cut("v.mgz", 500), "must be"),
    ("x.dscalar.nii", cifti, "it is a CIFTI file"),
    ("rgb.nii", colored, "must be one volume of colors; it is 4-D"),
    (
        "lh.thickness.mgz",
        lambda p: nib.save(nib.MGHImage(np.zeros((163842, 1, 1), "f4"), EYE), p),
        "163842 values on a",
    ),
    ("flat.nii", lambda p: nib.save(nib.Nifti1Image(np.zeros((4, 5), "i2"), EYE), p), "it is 2-D (4 x 5)"),
    ("tensor.nii", lambda p: nib.save(nib.Nifti1Image(np.zeros((2, 2, 2, 1, 3), "i2"), EYE), p), "it has 5 (2 x 2"),
    ("pts.gii", lambda p: nib.save(nib.GiftiImage(), p), "a surface or a tractogram"),
    ("flattened.nii", lambda p: singular(p), "invertible"),
]


def singular(path):
    packed = bytearray(nib.Nifti1Image(DATA, EYE).to_bytes())
    packed[280:328] = bytes(48)
    path.write_bytes(packed)


@pytest.mark.parametrize(("name", "write", "says"), BAD, ids=[name for name, _, _ in BAD])
def test_a_bad_file_is_refused_by_name(tmp_path, name, write, says):
    write(tmp_path / name)
    refuses((ValueError, TypeError), lambda: vr.load(tmp_path / name), tmp_path / name, says)


@pytest.mark.parametrize(("name", "write", "says"), BAD, ids=[name for name, _, _ in BAD])
def test_bad_bytes_are_refused(tmp_path, name, write, says):
    write(tmp_path / name)
    refuses((ValueError, TypeError), lambda: vr.load((tmp_path / name).read_bytes()))
    archive = zipped(tmp_path, tmp_path / name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refuses((ValueError, TypeError, FileNotFoundError), lambda: vr.load(f"{archive}!sub/{name}"), f"!sub/{name}")


@pytest.mark.parametrize(("name", "write", "says"), HUGE, ids=[name for name, _, _ in HUGE])
def test_a_claim_is_not_paid_for(tmp_path, name, write, says):
    write(tmp_path / name)
    start = time.perf_counter()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    refuses(ValueError, lambda: vr.load(tmp_path / name))
    refuses(ValueError, lambda: vr.load((tmp_path / name).read_bytes()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - before < 20e6
    assert time.perf_counter() - start < 2


def test_missing_files_and_folders(tmp_path):
    missing = tmp_path / "none.nii"
    refuses(FileNotFoundError, lambda: vr.load(missing), f"{missing}: no such file")
    refuses(FileNotFoundError, lambda: vr.load(tmp_path / "none.npy", affine=EYE), "none.npy: no such file")
    refuses(FileNotFoundError, lambda: vr.load(f"{tmp_path}/none.zip!x.nii"), "none.zip: no such file")
    refuses(FileNotFoundError, lambda: vr.load("nul\0byte.nii"), "no such file")
    refuses(ValueError, lambda: vr.load(tmp_path), f"{tmp_path}: must be an image file or hold a DICOM series; it")


@pytest.mark.parametrize("source", [None, 5, 2.5, [1, 2], {"a": 1}])
def test_what_is_no_source_at_all(source):
    refuses(TypeError, lambda: vr.load(source), f"got {type(source).__name__}")


def test_an_array_needs_a_position(tmp_path):
    np.save(tmp_path / "v.npy", DATA)
    refuses(ValueError, lambda: vr.load(DATA), "an array has no position: give affine=")
    refuses(ValueError, lambda: vr.load(tmp_path / "v.npy"), "v.npy: a NumPy array has no position; give affine=")
    refuses(ValueError, lambda: vr.load(made(tmp_path, "v.nii"), affine=EYE), "affine= goes with an array")
    refuses(ValueError, lambda: vr.load(Volume(DATA, EYE), affine=EYE), "affine= goes with an array")


def test_an_array_is_checked():
    refuses(TypeError, lambda: vr.load(np.full((2, 2, 2), None), affine=EYE), "real numbers; got object")
    refuses(ValueError, lambda: vr.load(DATA[0], affine=EYE), "three axes, or four")
    refuses(ValueError, lambda: vr.load(DATA, affine=np.eye(3)), "an affine must be 4x4")


def forged(descr="'<f8'", shape="(100000, 100000, 100000)", extra=""):
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, {extra}}}".encode()
    head += b" " * (-(10 + len(head) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(64)


@pytest.mark.parametrize(
    "packed",
    [
        b"garbage",
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{",
        forged(),
        forged(shape=f"({10**30},)"),
        forged(shape="(-2, 2, 2)"),
        forged(shape="'abc'"),
        forged(descr="'<q99'"),
        forged(descr="'|O'", shape="(2, 2, 2)"),
        forged(descr="'|S8'", shape="(2, 2, 2)"),
        forged(extra="'more': 1"),
        b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + b"(" * 118,
    ],
)
def test_a_bad_npy_is_refused_by_name(tmp_path, packed):
    (tmp_path / "v.npy").write_bytes(packed)
    refuses((ValueError, TypeError), lambda: vr.load(tmp_path / "v.npy", affine=EYE), f"{tmp_path / 'v.npy'}: ")


def test_a_pickle_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.save(tmp_path / "v.npy", np.array([[[Trap()]]], dtype=object), allow_pickle=True)
    refuses(ValueError, lambda: vr.load(tmp_path / "v.npy", affine=EYE), "v.npy: must be a NumPy array of numbers")
    assert not (tmp_path / "sprung").exists()


def test_a_file_is_what_it_starts_like_whatever_its_name(tmp_path):
    np.savez(tmp_path / "v.npz", DATA)
    (tmp_path / "v.npz").rename(tmp_path / "v.npy")
    assert same(vr.load(tmp_path / "v.npy", affine=AFFINE))


def test_a_file_open_as_text(tmp_path):
    with open(made(tmp_path, "v.nii.gz")) as file:
        refuses(TypeError, lambda: vr.load(file), "v.nii.gz: must be opened in binary mode")
    refuses(TypeError, lambda: vr.load(io.StringIO("a")), "the open file: must be opened in binary mode")


# Zips


def encrypted(path):
    """A zip whose member says that it is encrypted."""
    packed = bytearray(path.read_bytes())
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.index(magic) + at] |= 1
    path.write_bytes(packed)


def test_zips_that_cannot_be_read(tmp_path):
    archive = zipped(tmp_path, made(tmp_path, "v.nii"))
    whole = archive.read_bytes()
    refuses(FileNotFoundError, lambda: vr.load(f"{archive}!w.nii"), "all.zip: has no member 'w.nii'; choose from sub/v")
    refuses(FileNotFoundError, lambda: vr.load(f"{archive}!"), "all.zip: has no member ''")
    encrypted(archive)
    refuses(ValueError, lambda: vr.load(f"{archive}!sub/v.nii"), "all.zip!sub/v.nii: cannot be read; ", "encrypted")
    archive.write_bytes(b"PK\x03\x04 and then nothing of the kind")
    refuses(ValueError, lambda: vr.load(f"{archive}!sub/v.nii"), "all.zip: must be a zip archive")
    archive.write_bytes(whole[: len(whole) // 2])
    refuses(ValueError, lambda: vr.load(f"{archive}!sub/v.nii"), "all.zip: must be a zip archive")
    archive.write_bytes(whole[:80] + b"\xff" * 9 + whole[89:])
    refuses(ValueError, lambda: vr.load(f"{archive}!sub/v.nii"), "all.zip!sub/v.nii: cannot be read")


def test_half_a_pair_in_a_zip(tmp_path):
    archive = zipped(tmp_path, made(tmp_path, "pair.hdr"))
    refuses(FileNotFoundError, lambda: vr.load(f"{archive}!sub/pair.hdr"), "sub/pair.hdr: its .img file is not in")


def test_a_pair_with_a_broken_position_is_not_read_as_something_less(tmp_path):
    path = made(tmp_path, "pair.hdr")
    packed = bytearray(path.read_bytes())
    packed[252:260] = struct.pack("<2hf", 1, 0, 5.0)  # an impossible quaternion instead of the sform
    path.write_bytes(packed)
    archive = zipped(tmp_path, path, tmp_path / "pair.img")
    refuses(ValueError, lambda: vr.load(f"{archive}!sub/pair.hdr"), "must be a NIfTI or Analyze pair")


# Damage of any kind


def survives(call, *named):
    """Either a sound volume or one sentence; never anything else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            volume = call()
        except (ValueError, TypeError, FileNotFoundError) as error:
            message = str(error)
            assert message
            assert "\n" not in message
            assert all(word in message for word in named), message
        else:
            assert np.isfinite(volume.affine).all()
            assert volume.data.ndim in (3, 4)


@settings(max_examples=150)
@given(
    image_class=st.sampled_from([nib.Nifti1Image, nib.Nifti2Image, nib.MGHImage]),
    damage=st.lists(st.tuples(st.integers(0, 560), st.integers(0, 255)), min_size=1, max_size=6),
    pack=st.booleans(),
)
def test_a_damaged_header_gives_a_volume_or_a_sentence(tmp_path, image_class, damage, pack):
    packed = bytearray(image_class(DATA, AFFINE).to_bytes())
    for at, value in damage:
        packed[at % len(packed)] = value
    ending = "mg" if image_class is nib.MGHImage else "nii"
    path = (
        tmp_path / {("mg", 0): "d.mgh", ("mg", 1): "d.mgz", ("nii", 0): "d.nii", ("nii", 1): "d.nii.gz"}[ending, pack]
    )
    path.write_bytes(gzip.compress(packed, 1) if pack else packed)
    survives(lambda: vr.load(path), path.name)
    survives(lambda: vr.load(path.read_bytes()))


@settings(max_examples=100)
@given(damage=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_zip_gives_a_volume_or_a_sentence(tmp_path, damage):
    if not (tmp_path / "all.zip").exists():
        zipped(tmp_path, made(tmp_path, "v.nii"))
    packed = bytearray((tmp_path / "all.zip").read_bytes())
    for at, value in damage:
        packed[at % len(packed)] = value
    (tmp_path / "d.zip").write_bytes(packed)
    survives(lambda: vr.load(f"{tmp_path / 'd.zip'}!sub/v.nii"), "d.zip")


@settings(max_examples=60)
@given(keep=st.integers(0, 2000), name=st.sampled_from(["v.nii", "v.nii.gz", "v.mgz", "v.mgh"]))
def test_a_file_cut_anywhere_gives_a_sentence(tmp_path, keep, name):
    whole = made(tmp_path, name).read_bytes()
    (tmp_path / f"cut-{name}").write_bytes(whole[: keep % len(whole)])
    survives(lambda: vr.load(tmp_path / f"cut-{name}"), f"cut-{name}")


# Ways out


@pytest.mark.parametrize("name", ["v.png", "v", "v.nii.bz2", "v.mgz"])
def test_other_formats_are_not_written(tmp_path, name):
    refuses(ValueError, lambda: Volume(DATA, EYE).save(tmp_path / name), name, "saved as .nii or .nii.gz")
    assert not list(tmp_path.iterdir())


def test_what_nifti_cannot_hold_is_not_written(tmp_path):
    long = Volume(np.zeros((1, 1, 40_000), np.uint8), EYE)
    refuses(ValueError, lambda: long.save(tmp_path / "v.nii"), "v.nii: cannot be written as NIfTI-1")
    assert not list(tmp_path.iterdir())


def test_the_output_folder_must_exist(tmp_path):
    refuses(
        FileNotFoundError, lambda: Volume(DATA, EYE).save(tmp_path / "no" / "v.nii"), "no: the output folder does not"
    )
    (tmp_path / "v.nii").mkdir()
    refuses(IsADirectoryError, lambda: Volume(DATA, EYE).save(tmp_path / "v.nii"), "must be a file; it is a folder")


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_existing_file_stays_whole_when_writing_fails(tmp_path, error):
    target = tmp_path / "v.nii"
    target.write_bytes(b"precious")

    def fill(file):
        file.write(b"half")
        raise error

    with pytest.raises(type(error)):
        write_beside(target, fill)
    assert target.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_names_the_file(tmp_path):
    def fill(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    said = refuses(OSError, lambda: write_beside(tmp_path / "v.nii", fill), f"{tmp_path / 'v.nii'}: cannot be written")
    assert said.endswith("; No space left on device")


def test_a_new_file_has_the_usual_rights(tmp_path):
    Volume(DATA, EYE).save(tmp_path / "v.nii")
    (tmp_path / "plain").touch()
    assert (tmp_path / "v.nii").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert np.array_equal(placed(vr.load(tmp_path / "v.nii")), placed(Volume(DATA, EYE)))
