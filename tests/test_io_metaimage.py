import warnings
import zipfile
import zlib

import numpy as np
import pytest
from helpers import affines, ramp, refuses, rotten
from hypothesis import given

import volrender as vr

DATA = ramp((3, 4, 5), np.int16)
BODY = DATA.tobytes(order="F")
LPS = np.diag([-1.0, -1, 1, 1])


def head(data="LOCAL", **said):
    fields = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "Offset": "1 2 3",
        "ElementSpacing": "2 3 4",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "DimSize": "3 4 5",
        "ElementType": "MET_SHORT",
        **said,
        "ElementDataFile": data,
    }
    return "".join(f"{key} = {value}\n" for key, value in fields.items() if value is not None).encode()


def made(path, body=BODY, **said):
    path.write_bytes(head(**said) + body)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_local(tmp_path, packed):
    body = zlib.compress(DATA.tobytes(order="F")) if packed else DATA.tobytes(order="F")
    path = made(tmp_path / "v.mha", body, CompressedData=packed)
    for source in (path, path.read_bytes()):
        volume = vr.load(source)
        assert np.array_equal(volume.data, DATA)
        assert volume.data.dtype == np.int16
        assert np.allclose(volume.affine, [[-2, 0, 0, -1], [0, -3, 0, -2], [0, 0, 4, 3], [0, 0, 0, 1]])
        assert volume.history[1] == "converted from LPS to RAS"


@given(affine=affines())
def test_any_affine(tmp_path, affine):
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    rows = (affine[:3, :3] / spacing).T  # the direction of each axis in turn
    said = {
        "TransformMatrix": " ".join(map(repr, rows.ravel().tolist())),
        "ElementSpacing": " ".join(map(repr, spacing.tolist())),
        "Offset": " ".join(map(repr, affine[:3, 3].tolist())),
    }
    assert np.allclose(vr.load(made(tmp_path / "v.mha", **said)).affine, LPS @ affine)


@pytest.mark.parametrize(("matrix", "offset"), [("Rotation", "Position"), ("Orientation", "Origin")])
def test_other_names_for_the_same(tmp_path, matrix, offset):
    said = {"TransformMatrix": None, matrix: "0 1 0 1 0 0 0 0 1", offset: "7 8 9", "Offset": None}
    volume = vr.load(made(tmp_path / "v.mha", **said))
    assert np.allclose(volume.affine, LPS @ [[0, 3, 0, 7], [2, 0, 0, 8], [0, 0, 4, 9], [0, 0, 0, 1]])
    volume = vr.load(made(tmp_path / "v.mha", ElementSpacing=None, ElementSize="2 2 2"))
    assert volume.spacing == (2, 2, 2)


@pytest.mark.parametrize(("letters", "ours"), [("RAI", "LPS"), ("LPI", "RAS"), ("ASL", "PIR")])
def test_letters_say_where_axes_come_from(tmp_path, letters, ours):
    """ITK does not look at them where there is no matrix; where its answer is another, both are told."""
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is absent")
    path = made(tmp_path / "v.mha", AnatomicalOrientation=letters, TransformMatrix=None)
    assert np.allclose(sitk.ReadImage(str(path)).GetDirection(), np.eye(3).ravel())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert vr.load(path).orientation == ours
    said = (
        f"AnatomicalOrientation says {letters}; placed by it, from {letters}, where ITK does not look at it and takes"
    )
    assert [said in str(told.message) for told in caught] == [True] * (letters != "RAI")
    assert vr.load(made(path, AnatomicalOrientation=letters, TransformMatrix=matrix_of(letters))).orientation == ours


def matrix_of(letters):
    rows = {"R": "1 0 0", "L": "-1 0 0", "A": "0 1 0", "P": "0 -1 0", "I": "0 0 1", "S": "0 0 -1"}
    return " ".join(rows[letter] for letter in letters)


@pytest.mark.parametrize("letters", [None, "???"])
def test_without_an_orientation_it_is_a_guess_that_is_told(tmp_path, letters):
    path = made(tmp_path / "v.mha", AnatomicalOrientation=letters, TransformMatrix=None)
    where = r"LPS with its middle at \(-3, -6.5, 11\) mm, voxels of 2 x 3 x 4 mm"
    with pytest.warns(UserWarning, match=f"v.mha: has no TransformMatrix or AnatomicalOrientation, .* placed {where}"):
        assert vr.load(path).orientation == "LPS"
    with pytest.warns(UserWarning, match="v.mha: has no Offset, so where it lies is a guess"):
        vr.load(made(path, Offset=None))


def test_two_answers_are_told(tmp_path):
    path = made(tmp_path / "v.mha", TransformMatrix="1 0 0 0 1 0 0 0 1", AnatomicalOrientation="LPI")
    with pytest.warns(
        UserWarning, match="TransformMatrix runs from RAI, its AnatomicalOrientation says LPI; placed by"
    ):
        assert vr.load(path).orientation == "LPS"


@pytest.mark.parametrize(
    ("kind", "dtype"), [("MET_UCHAR", "u1"), ("MET_USHORT", "u2"), ("MET_FLOAT", "f4"), ("MET_DOUBLE", "f8")]
)
@pytest.mark.parametrize("big", [False, True])
def test_types(tmp_path, kind, dtype, big):
    body = DATA.astype((">" if big else "<") + dtype).tobytes(order="F")
    volume = vr.load(made(tmp_path / "v.mha", body, ElementType=kind, BinaryDataByteOrderMSB=big))
    assert volume.data.dtype == np.dtype(dtype)
    assert np.array_equal(volume.data, DATA)


def test_time_colors_and_pictures(tmp_path):
    series = ramp((3, 4, 5, 2), np.int16)
    unit = " ".join(map(str, np.eye(4, dtype=int).ravel()))
    said = {"NDims": 4, "TransformMatrix": unit, "DimSize": "3 4 5 2", "Offset": "1 2 3 0", "ElementSpacing": "2 3 4 1"}
    volume = vr.load(made(tmp_path / "t.mha", series.tobytes(order="F"), **said))
    assert np.array_equal(volume.data, series)
    assert volume.spacing == (2, 3, 4)
    colors = ramp((3, 3, 4, 5), np.uint8)
    said = {"ElementNumberOfChannels": 3, "ElementType": "MET_UCHAR"}
    volume = vr.load(made(tmp_path / "c.mha", colors.tobytes(order="F"), **said))
    assert (volume.kind, volume.shape) == ("rgb", (3, 4, 5, 3))
    assert np.array_equal(volume.data, np.moveaxis(colors, 0, -1))
    flat = {"NDims": 2, "TransformMatrix": "1 0 0 1", "DimSize": "3 4", "Offset": "1 2", "ElementSpacing": "2 3"}
    assert vr.load(made(tmp_path / "f.mha", **flat)).shape == (3, 4, 1)
    vectors = np.zeros(180, np.float32).tobytes()
    path = made(tmp_path / "w.mha", vectors, ElementType="MET_FLOAT", ElementNumberOfChannels=3)
    refuses(ValueError, lambda: vr.load(path), "must hold one number a voxel, or a color; it holds 3 of MET_FLOAT")


def test_micrometres(tmp_path):
    assert vr.load(made(tmp_path / "v.mha", DistanceUnits="um")).spacing == pytest.approx((0.002, 0.003, 0.004))


SLICES = {f"s{n:02d}.raw": DATA[..., n].tobytes(order="F") for n in range(5)}


@pytest.mark.parametrize(
    ("data", "files", "said"),
    [
        ("v.raw", {"v.raw": DATA.tobytes(order="F")}, {}),
        ("v.raw", {"v.raw": b"skipped" + DATA.tobytes(order="F")}, {"HeaderSize": 7}),
        ("v.raw", {"v.raw": b"skipped" + DATA.tobytes(order="F")}, {"HeaderSize": -1}),
        ("v.zraw", {"v.zraw": zlib.compress(DATA.tobytes(order="F"))}, {"CompressedData": True}),
        ("s%02d.raw 0 4 1", SLICES, {}),
        ("LIST\n" + "\n".join(SLICES), SLICES, {}),
    ],
)
def test_detached(tmp_path, data, files, said):
    (tmp_path / "v.mhd").write_bytes(head(data, **said))
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    assert np.array_equal(vr.load(tmp_path / "v.mhd").data, DATA)
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as bundle:
        for name in ("v.mhd", *files):
            bundle.write(tmp_path / name, name)
    assert np.array_equal(vr.load(f"{tmp_path / 'all.zip'}!v.mhd").data, DATA)
    (tmp_path / next(iter(files))).unlink()
    refuses(FileNotFoundError, lambda: vr.load(tmp_path / "v.mhd"), f"{next(iter(files))}: no such file")


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret.raw", "LIST\n../secret.raw"])
def test_a_header_reads_nothing_outside_its_folder(tmp_path, name):
    (tmp_path / "v.mhd").write_bytes(head(name))
    refuses(ValueError, lambda: vr.load(tmp_path / "v.mhd"), "v.mhd: must keep its voxels in its own folder; it names")


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"DimSize": "100000 100000 100000"}, "must have at most 4,000,000,000 voxels"),
        ({"DimSize": "300 300 300"}, "must be a whole image; its header claims 300 x 300 x 300 voxels"),
        ({"DimSize": "300 300 300", "CompressedData": True}, "must be a whole image; its header claims"),
        ({"DimSize": "3 4 0"}, "must have voxels"),
        ({"DimSize": "3 4 z"}, "must have a DimSize; it says '3 4 z'"),
        ({"DimSize": None}, "must have a DimSize"),
        ({"ElementType": "MET_STRING"}, "its ElementType is MET_STRING"),
        ({"ElementSpacing": "1 a 1"}, "must have numbers for ElementSpacing"),
        (
            {"ElementSpacing": "0 1 1"},
            "must have a position that is finite and invertible; its ElementSpacing is 0 1 1",
        ),
        ({"Offset": "nan 1 1"}, "must have a position that is finite and invertible; its Offset is nan 1 1"),
        ({"TransformMatrix": "1 0 0 1 0 0 0 0 1"}, "invertible; its TransformMatrix is 1 0 0 1 0 0 0 0 1"),
        ({"TransformMatrix": "1 0 0 1"}, "must have a TransformMatrix of 3 x 3; it has 4"),
        ({"BinaryData": "False"}, "must hold binary voxels"),
        ({"NDims": "many"}, "must have a number for NDims"),
    ],
)
def test_a_bad_header(tmp_path, said, says):
    refuses(ValueError, lambda: vr.load(made(tmp_path / "v.mha", **said)), "v.mha: ", says)


@pytest.mark.parametrize("container", [15, 31], ids=["zlib", "gzip"])
def test_the_checksum_is_asked(tmp_path, container):
    path = made(tmp_path / "v.mha", rotten(DATA.tobytes(), container), CompressedData=True)
    refuses(ValueError, lambda: vr.load(path), "v.mha: must be a whole image; ", "incorrect data check")


def test_cut_short(tmp_path):
    packed = zlib.compress(DATA.tobytes())
    path = made(tmp_path / "v.mha", packed[:-30], CompressedData=True)
    refuses(ValueError, lambda: vr.load(path), "v.mha: must be a whole image")
    (tmp_path / "v.mha").write_bytes(head()[:60])
    refuses(ValueError, lambda: vr.load(path), "must be a whole MetaImage header; it names no ElementDataFile")
