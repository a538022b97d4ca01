import bz2
import gzip
import zipfile

import numpy as np
import pytest
from helpers import affines, ramp, refuses, rotten
from hypothesis import given

import volrender as vr

pytest.importorskip("nrrd", reason="pynrrd is not installed")
DATA = ramp((3, 4, 5), np.int16)
LPS = np.diag([-1.0, -1, 1, 1])
PACK = {"raw": bytes, "gzip": gzip.compress, "bzip2": bz2.compress}


def head(shape=(3, 4, 5), kind="short", encoding="raw", space="left-posterior-superior", affine=None, more=()):
    lines = ["NRRD0004", f"type: {kind}", f"dimension: {len(shape)}", f"sizes: {' '.join(map(str, shape))}"]
    if space:
        affine = np.diag([2.0, 3, 4, 1]) if affine is None else affine
        rows = " ".join("({},{},{})".format(*[repr(float(x)) for x in column]) for column in affine[:3, :3].T)
        origin = "({},{},{})".format(*[repr(float(x)) for x in affine[:3, 3]])
        lines += [f"space: {space}", f"space directions: {rows}", f"space origin: {origin}"]
    return "\n".join([*lines, "endian: little", f"encoding: {encoding}", *more]) + "\n\n"


def made(path, data=DATA, encoding="raw", **said):
    body = PACK[encoding](data.tobytes(order="F"))
    path.write_bytes(head(data.shape, encoding=encoding, **said).encode() + body)
    return path


@pytest.mark.parametrize("encoding", PACK)
def test_encodings(tmp_path, encoding):
    volume = vr.load(made(tmp_path / "v.nrrd", encoding=encoding))
    assert np.array_equal(volume.data, DATA)
    assert volume.data.dtype == np.int16
    assert np.allclose(volume.affine, np.diag([-2, -3, 4, 1]))
    assert volume.history == ("read v.nrrd, NRRD, int16", "converted from LPS to RAS")
    assert (volume.name, volume.kind) == ("v", "intensity")


@given(affine=affines())
def test_any_affine(tmp_path, affine):
    assert np.allclose(vr.load(made(tmp_path / "v.nrrd", affine=affine)).affine, LPS @ affine)


@pytest.mark.parametrize(
    ("space", "flips"),
    [("RAS", (1, 1, 1)), ("right-anterior-superior", (1, 1, 1)), ("LAS", (-1, 1, 1)), ("LPS", (-1, -1, 1))],
)
def test_spaces(tmp_path, space, flips):
    affine = np.eye(4)
    affine[:3, 3] = 5, 6, 7
    volume = vr.load(made(tmp_path / "v.nrrd", space=space, affine=affine))
    assert np.allclose(volume.affine, np.diag([*flips, 1]) @ affine)


def test_units_of_space(tmp_path):
    volume = vr.load(made(tmp_path / "v.nrrd", more=['space units: "um" "um" "um"']))
    assert np.allclose(volume.spacing, (0.002, 0.003, 0.004))


GUESS = "so where it lies is a guess; placed"
NOWHERE = {
    "none": "spacings: 2 3 4\n",
    "a dimension": "space dimension: 3\nspace directions: (0,3,0) (2,0,0) (0,0,4)\nspace origin: (7,8,9)\n",
    "right-handed": "space: 3D-right-handed\nspace directions: (2,0,0) (0,3,0) (0,0,4)\nspace origin: (7,8,9)\n",
    "scanner": "space: scanner-xyz\nspace directions: (2,0,0) (0,3,0) (0,0,4)\nspace origin: (7,8,9)\n",
}


@pytest.mark.parametrize("told", NOWHERE.values(), ids=NOWHERE)
def test_without_anatomy_it_is_taken_as_itk_does(tmp_path, told):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is absent")
    path = tmp_path / "v.nrrd"
    path.write_bytes(head(space="").replace("endian", f"{told}endian").encode() + DATA.tobytes(order="F"))
    with pytest.warns(UserWarning, match=f"v.nrrd: has no anatomical space .*, {GUESS} ") as caught:
        volume = vr.load(path)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    image = sitk.ReadImage(str(path))
    steps = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    assert np.allclose(volume.affine[:3, :3], LPS[:3, :3] @ steps)
    if "origin" in told:
        assert np.allclose(volume.affine[:3, 3], LPS[:3, :3] @ image.GetOrigin())
    else:
        assert np.allclose(volume.bounds.sum(axis=1), 0)
    assert "taken as LPS" in volume.history[1]


def test_a_left_handed_space_mirrors_nobody(tmp_path):
    told = "space: 3D-left-handed\nspacings: 2 3 4"
    with pytest.warns(UserWarning, match=rf"\(3D-left-handed\) and no directions and no origin, {GUESS} LPI with its"):
        volume = vr.load(made(tmp_path / "v.nrrd", space="", more=[told]))
    assert (volume.orientation, volume.spacing) == ("LPI", (2, 3, 4))


@pytest.mark.parametrize(
    ("left_out", "missing"),
    [("space origin", "origin"), ("space directions", "directions and no spacing")],
)
def test_what_a_header_does_not_tell_is_told(tmp_path, left_out, missing):
    text = head().replace(left_out, f"# {left_out}").encode()
    (tmp_path / "v.nrrd").write_bytes(text + DATA.tobytes(order="F"))
    with pytest.warns(UserWarning, match=f"v.nrrd: has no {missing}, {GUESS} LPS with its middle at"):
        assert vr.load(tmp_path / "v.nrrd").orientation == "LPS"


def test_types_and_big_endian(tmp_path):
    for kind, dtype in (("unsigned char", "u1"), ("uint16", "u2"), ("int", "i4"), ("float", "f4"), ("double", "f8")):
        volume = vr.load(made(tmp_path / "v.nrrd", DATA.astype(dtype), kind=kind))
        assert volume.data.dtype == np.dtype(dtype)
        assert np.array_equal(volume.data, DATA)
    text = head().replace("little", "big").encode()
    (tmp_path / "v.nrrd").write_bytes(text + DATA.astype(">i2").tobytes(order="F"))
    assert np.array_equal(vr.load(tmp_path / "v.nrrd").data, DATA)


def test_time_colors_and_other_axes(tmp_path):
    series = ramp((3, 4, 5, 2), np.int16)
    rows = "space directions: (1,0,0) (0,1,0) (0,0,1) none\nspace origin: (0,0,0)"
    text = head(series.shape, space="").replace(
        "endian", f"space: RAS\n{rows}\nkinds: domain domain domain time\nendian"
    )
    (tmp_path / "t.nrrd").write_bytes(text.encode() + series.tobytes(order="F"))
    assert np.array_equal(vr.load(tmp_path / "t.nrrd").data, series)

    def first(kind, data, name="short"):
        rows = "space directions: none (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)"
        text = head(data.shape, name, space="").replace(
            "endian", f"space: RAS\n{rows}\nkinds: {kind} domain domain domain\nendian"
        )
        (tmp_path / "f.nrrd").write_bytes(text.encode() + data.tobytes(order="F"))
        return vr.load(tmp_path / "f.nrrd")

    listed = first("list", ramp((2, 3, 4, 5), np.int16))
    assert np.array_equal(listed.data, np.moveaxis(ramp((2, 3, 4, 5)), 0, -1))
    colors = first("RGB-color", ramp((3, 3, 4, 5), np.uint8), "uchar")
    assert (colors.kind, colors.shape) == ("rgb", (3, 4, 5, 3))
    assert np.array_equal(colors.data, np.moveaxis(ramp((3, 3, 4, 5), np.uint8), 0, -1))
    refuses(ValueError, lambda: first("vector", ramp((3, 3, 4, 5), np.int16)), "axis 0 holds 3 of kind vector")
    assert first("vector", ramp((3, 3, 4, 5), np.uint8), "uchar").kind == "rgb"
    magnitude = first("complex", np.stack([3 * DATA, 4 * DATA]).astype(np.int16))
    assert np.allclose(magnitude.data, 5 * DATA)
    assert "complex values replaced by their magnitude" in magnitude.history


def test_a_space_with_time(tmp_path):
    series = ramp((3, 4, 5, 2), np.int16)
    rows = "space directions: (2,0,0,0) (0,3,0,0) (0,0,4,0) (0,0,0,1)\nspace origin: (1,2,3,0)"
    text = head(series.shape, space="").replace("endian", f"space: left-posterior-superior-time\n{rows}\nendian")
    (tmp_path / "t.nrrd").write_bytes(text.encode() + series.tobytes(order="F"))
    volume = vr.load(tmp_path / "t.nrrd")
    assert np.array_equal(volume.data, series)
    assert np.allclose(volume.affine[:3], [[-2, 0, 0, -1], [0, -3, 0, -2], [0, 0, 4, 3]])


def test_segments_bring_their_names(tmp_path):
    segments = ["Segment0_ID:=a", "Segment0_Name:=liver", "Segment0_LabelValue:=2", "Segment0_Color:=0.5 0.25 0"]
    volume = vr.load(made(tmp_path / "x.seg.nrrd", (DATA % 3).astype(np.uint8), kind="uchar", more=segments))
    assert (volume.kind, volume.name) == ("labels", "x")
    assert volume.labels == {2: ("liver", (0.5, 0.25, 0.0))}


# Detached


def detached(folder, where, files, **said):
    for name, body in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(body)
    (folder / "v.nhdr").write_text(head(**said).rstrip("\n") + f"\n{where}")
    return folder / "v.nhdr"


SLICES = {f"s.{n}": DATA[..., n].tobytes(order="F") for n in range(5)}


@pytest.mark.parametrize(
    ("where", "files"),
    [
        ("data file: v.raw\n", {"v.raw": DATA.tobytes(order="F")}),
        ("data file: sub/v.raw\n", {"sub/v.raw": DATA.tobytes(order="F")}),
        ("datafile: v.raw\nbyte skip: -1\n", {"v.raw": b"header" + DATA.tobytes(order="F")}),
        ("data file: v.raw\nline skip: 2\nbyte skip: 3\n", {"v.raw": b"a\nbb\nccc" + DATA.tobytes(order="F")}),
        ("data file: s.%d 0 4 1\n", SLICES),
        ("data file: LIST\n" + "\n".join(SLICES) + "\n", SLICES),
    ],
)
def test_detached(tmp_path, where, files):
    path = detached(tmp_path, where, files)
    assert np.array_equal(vr.load(path).data, DATA)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as bundle:
        for name in ("v.nhdr", *files):
            bundle.write(tmp_path / name, f"in/{name}")
    assert np.array_equal(vr.load(f"{tmp_path / 'all.zip'}!in/v.nhdr").data, DATA)
    refuses(ValueError, lambda: vr.load(path.read_bytes()), "must be given as a path; its voxels are in another file")


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../secret.raw", "sub/../../secret.raw", "..\\secret.raw", "C:\\secret", "LIST\n../secret.raw"],
)
def test_a_header_reads_nothing_outside_its_folder(tmp_path, name):
    (tmp_path / "secret.raw").write_bytes(DATA.tobytes())
    (tmp_path / "in").mkdir()
    path = detached(tmp_path / "in", f"data file: {name}\n", {})
    refuses(ValueError, lambda: vr.load(path), f"{path}: must keep its voxels in its own folder; it names")


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("data file: s.%d 1 999999999 1\n", "must name its data files as name%d first last step"),
        ("data file: s.%d 1 5 0\n", "must name its data files as"),
        ("data file: s.%s 1 5 1\n", "must name its data files as"),
        ("data file: s.%d 0 3 1\n", "must share its 5 slices among its data files; it names 4"),
    ],
)
def test_names_that_are_no_names(tmp_path, where, says):
    refuses(ValueError, lambda: vr.load(detached(tmp_path, where, SLICES)), says)


def test_a_missing_slice(tmp_path):
    path = detached(tmp_path, "data file: s.%d 1 5 1\n", SLICES)
    refuses(FileNotFoundError, lambda: vr.load(path), "s.5: no such file")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("3 4 5", "100000 100000 100000", "must have at most 4,000,000,000 voxels"),
        ("3 4 5", "300 400 500", "must be a whole image; its header claims 300 x 400 x 500 voxels"),
        ("3 4 5", "-3 4 5", "must have voxels"),
        ("3 4 5", "3 4 x", "must have"),
        ("3 4 5", "12 5", "must have one size an axis"),
        ("short", "block", "its type is block"),
        ("encoding: raw", "encoding: hex", "must be encoded as raw, gzip, bzip2; its header says hex"),
        ("(2.0,0.0,0.0)", "(0,0,0)", "its space directions are (0, 0, 0) (0, 3, 0) (0, 0, 4)"),
        ("(2.0,0.0,0.0) ", "", "must have one of its space directions for each axis; it has 2 for 3"),
        ("(2.0,0.0,0.0)", "(2,0)", "v.nrrd: must have"),
        ("(2.0,0.0,0.0)", "(nan,0,0)", "v.nrrd: must have three axes in space"),
        ("(2.0,0.0,0.0)", "none", "v.nrrd: must have three axes in space"),
        ("endian: little", "endian: middle", "its endian is middle"),
        ("NRRD0004", "NRRD0009", "v.nrrd: must have a NRRD header"),
        ("sizes:", "sizes", "v.nrrd: must have a NRRD header"),
    ],
)
def test_a_bad_header(tmp_path, old, new, says):
    path = made(tmp_path / "v.nrrd")
    path.write_bytes(path.read_bytes().replace(old.encode(), new.encode(), 1))
    refuses(ValueError, lambda: vr.load(path), path, says)


def test_the_checksum_of_gzip_is_asked(tmp_path):
    path = tmp_path / "v.nrrd"
    path.write_bytes(head(encoding="gzip").encode() + rotten(DATA.tobytes(order="F")))
    refuses(ValueError, lambda: vr.load(path), "v.nrrd: must be a whole image; CRC check failed")


@pytest.mark.parametrize("encoding", PACK)
def test_cut_short(tmp_path, encoding):
    path = made(tmp_path / "v.nrrd", encoding=encoding)
    path.write_bytes(path.read_bytes()[:-20])
    refuses(ValueError, lambda: vr.load(path), "v.nrrd: must be a whole image")


def test_from_bytes(tmp_path):
    path = made(tmp_path / "v.nrrd", encoding="gzip")
    assert np.array_equal(vr.load(path.read_bytes()).data, DATA)
    refuses(ValueError, lambda: vr.load(path, affine=np.eye(4)), "affine= goes with an array")


def test_raw_slices_of_the_samples(samples):
    with pytest.warns(UserWarning, match=r"\(3D-left-handed\) and no directions and no origin"):
        volume = vr.load(samples / "ct_headsq_nrrd" / "quarter.nhdr")
    assert volume.shape == (64, 64, 93)
    assert np.allclose(volume.spacing, (3.2, 3.2, 1.5))
    assert 0.02 < (volume.data > 1150).mean() < 0.2  # bone
    ras = volume.canonical
    front, back = np.array_split(np.argwhere(ras.data > 1150)[:, 1], 2)
    assert ras.data[:, :, -1].max() > 1150  # the cranium is cut by the upper face, the neck by the lower
    assert (ras.data[:, :, -1] > 1150).sum() > (ras.data[:, :, 0] > 1150).sum()
    assert len(front) == pytest.approx(len(back), abs=1)
