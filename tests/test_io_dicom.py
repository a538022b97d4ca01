import io
import struct
import zipfile

import numpy as np
import pytest
from helpers import placed, refuses

import volrender as vr

pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed")
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEGLSLossless  # noqa: E402

STACK = np.arange(4 * 3 * 5).reshape(5, 3, 4).astype(np.int16)  # slices, rows, columns
LPS = np.diag([-1, -1, 1, 1])
OBLIQUE = [0.96, 0.28, 0, -0.28, 0.96, 0]


def dataset(n=0, orientation=(1, 0, 0, 0, 1, 0), position=None, pixels=None, **tags):
    pixels = STACK[n % 5] if pixels is None else pixels
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = f"1.2.3.{n + 1}"
    made.PatientName, made.PatientID = "Secret^Person", "12345"
    made.Modality, made.SeriesInstanceUID, made.SeriesNumber = "MR", "1.2.3", 7
    made.Rows, made.Columns = pixels.shape[-2:]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation = 15, 1
    made.PixelSpacing, made.SliceThickness = [2, 3], 4
    made.ImageOrientationPatient = list(orientation)
    made.ImagePositionPatient = [10, 20, 30 + 4 * n] if position is None else list(position)
    made.PixelData = pixels.astype("<i2").tobytes()
    for word, value in tags.items():
        if value is None:
            delattr(made, word)
        else:
            setattr(made, word, value)
    return made


def write(path, made):
    made.save_as(path, enforce_file_format=True)
    return path


def folder(path, *sets, names=None):
    path.mkdir(exist_ok=True)
    for n, made in enumerate(sets):
        write(path / (names[n] if names else f"I{n}.dcm"), made)
    return path


def series(path, count=5, **tags):
    return folder(path, *[dataset(n, **tags) for n in range(count)])


def test_slices_are_ordered_by_where_they_lie(tmp_path):
    order = [3, 0, 4, 2, 1]
    volume = vr.load(folder(tmp_path / "s", *[dataset(n) for n in order]))
    assert np.array_equal(volume.data, STACK.transpose(2, 1, 0))
    assert volume.data.dtype == np.int16
    expected = LPS @ np.array([[3, 0, 0, 10], [0, 2, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1]])
    assert np.allclose(volume.affine, expected)
    assert (volume.space, volume.unit, volume.kind) == ("scanner", "", "intensity")
    assert "converted from LPS to RAS" in volume.history


def test_a_series_run_backwards_is_the_same_volume(tmp_path):
    back = [dataset(n, InstanceNumber=5 - n) for n in range(5)]
    assert np.array_equal(placed(vr.load(series(tmp_path / "a"))), placed(vr.load(folder(tmp_path / "b", *back[::-1]))))


def test_an_oblique_series(tmp_path):
    normal = np.cross(OBLIQUE[:3], OBLIQUE[3:])
    sets = [dataset(n, OBLIQUE, np.array([1, 2, 3]) + 2.5 * n * normal) for n in range(5)]
    volume = vr.load(folder(tmp_path / "s", *sets))
    for n in range(5):
        assert np.allclose(LPS @ volume.affine @ [0, 0, n, 1], [*sets[n].ImagePositionPatient, 1])
    assert np.allclose((LPS @ volume.affine)[:3, 0], 3 * np.array(OBLIQUE[:3]))  # columns are PixelSpacing[1] apart
    assert np.allclose((LPS @ volume.affine)[:3, 1], 2 * np.array(OBLIQUE[3:]))


def test_a_tilted_gantry_is_a_shear(tmp_path):
    sets = [dataset(n, position=[0, 1.0 * n, 4.0 * n]) for n in range(5)]
    volume = vr.load(folder(tmp_path / "s", *sets))
    assert np.allclose(volume.affine[:3, 2], [0, -1, 4])
    assert "gantry tilt of 14.0 degrees kept as shear" in volume.history


def test_ct_is_in_hounsfield_units(tmp_path):
    volume = vr.load(series(tmp_path / "s", Modality="CT", RescaleSlope=1, RescaleIntercept=-1024))
    assert volume.unit == "HU"
    assert volume.data.dtype == np.int16
    assert np.array_equal(volume.data, STACK.transpose(2, 1, 0) - 1024)
    assert "rescaled by slope 1 and intercept -1024" in volume.history


def test_rescaling(tmp_path):
    wide = vr.load(series(tmp_path / "a", RescaleSlope=1000, RescaleIntercept=5))
    assert wide.data.dtype == np.int32
    assert np.array_equal(wide.data, STACK.transpose(2, 1, 0).astype(np.int32) * 1000 + 5)
    part = vr.load(series(tmp_path / "b", RescaleSlope=0.5, RescaleIntercept=0))
    assert part.data.dtype == np.float32
    assert np.allclose(part.data, STACK.transpose(2, 1, 0) / 2)
    sets = [dataset(n, RescaleSlope=n + 0.5, RescaleIntercept=0) for n in range(5)]
    pet = vr.load(folder(tmp_path / "c", *sets))
    assert np.allclose(pet.data, STACK.transpose(2, 1, 0) * (np.arange(5) + 0.5))
    assert "rescaled slice by slice" in pet.history
    with pytest.warns(UserWarning, match="rescale slope of 0 or not a number was not applied"):
        assert np.array_equal(
            vr.load(series(tmp_path / "d", RescaleSlope=0, RescaleIntercept=3)).data, STACK.transpose(2, 1, 0)
        )


def test_low_values_that_are_meant_to_be_bright(tmp_path):
    path = series(tmp_path / "s", PhotometricInterpretation="MONOCHROME1")
    with pytest.warns(UserWarning, match="s: is MONOCHROME1, whose low values are meant to be bright; .* as stored"):
        volume = vr.load(path)
    assert np.array_equal(volume.data, STACK.transpose(2, 1, 0))
    assert volume.history[-1] == "MONOCHROME1: low values are meant to be bright, values as stored"


def colored(n, pixels, **tags):
    made = dataset(n, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, **tags)
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.PixelData = pixels.tobytes()
    return made


def test_colors(tmp_path):
    stack = np.arange(2 * 4 * 4 * 3).reshape(2, 4, 4, 3).astype(np.uint8)[:, :3]
    path = folder(tmp_path / "s", *(colored(n, stack[n]) for n in range(2)))
    volume = vr.load(path)
    assert (volume.kind, volume.data.dtype) == ("rgb", np.uint8)
    assert np.array_equal(volume.data, stack.transpose(2, 1, 0, 3))
    assert np.allclose(volume.affine, vr.load(series(tmp_path / "gray")).affine)
    write(path / "I5.dcm", dataset(2))
    refuses(ValueError, lambda: vr.load(path), "must have slices of one size")
    made = colored(0, stack[0])
    made.PhotometricInterpretation = "YBR_FULL"
    path = write(tmp_path / "y.dcm", made)
    refuses(ValueError, lambda: vr.load(path), "y.dcm: must hold one number a pixel, or RGB of 8 bits; it holds 3 of 8")


def test_of_several_series_one_is_chosen(tmp_path):
    path = series(tmp_path / "s")
    other = [dataset(n, SeriesInstanceUID="1.2.9", SeriesNumber=8, SeriesDescription="T2 axial") for n in range(2)]
    folder(path, *other, names=["x", "y"])
    refuses(
        ValueError, lambda: vr.load(path), "holds 2 series; choose with series= from 7 (5 files), 8 (T2 axial, 2 fi"
    )
    assert vr.load(path, series=7).shape == (4, 3, 5)
    assert vr.load(path, series="8").shape == vr.load(path, series="1.2.9").shape == (4, 3, 2)
    assert vr.load(path, series=8).name == "T2 axial"
    refuses(ValueError, lambda: vr.load(path, series=9), "got 9")
    refuses(ValueError, lambda: vr.load(path / "x", series=8), "series= chooses from a folder")
    folder(path, dataset(0, SeriesInstanceUID="1.2.10"), names=["z"])
    said = "1.2.3 (5 files)", "1.2.10 (1 file)", "; got 7, the number of 2 of them"
    refuses(ValueError, lambda: vr.load(path, series=7), *said)


def test_stray_files_are_left_aside(tmp_path):
    path = series(tmp_path / "s")
    (path / "notes.txt").write_text("not an image")
    (path / "empty").touch()
    (path / "sub").mkdir()
    report = dataset(0, SOPClassUID="1.2.840.10008.1.3.10", Rows=None, Columns=None, PixelData=None)
    write(path / "DICOMDIR", report)
    assert vr.load(path).shape == (4, 3, 5)
    refuses(ValueError, lambda: vr.load(path / "DICOMDIR"), "DICOMDIR: must be a DICOM image; it holds none (Media")


def test_nobody_is_named(tmp_path):
    volume = vr.load(series(tmp_path / "s"))
    said = " ".join([volume.name, *volume.history, repr(volume)])
    assert "Secret" not in said
    assert "12345" not in said


def test_without_a_preamble(tmp_path):
    path = series(tmp_path / "s")
    for file in path.iterdir():
        buffer = io.BytesIO()
        made = dataset(int(file.stem[1:]))
        del made.file_meta
        made.save_as(buffer, implicit_vr=True, little_endian=True)
        file.write_bytes(buffer.getvalue())
    assert np.array_equal(vr.load(path).data, STACK.transpose(2, 1, 0))


def test_one_file_bytes_and_a_member_of_a_zip(tmp_path):
    path = write(tmp_path / "one.dcm", dataset(2))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as bundle:
        bundle.write(path, "one.dcm")
    for source in (path, path.read_bytes(), f"{tmp_path / 'all.zip'}!one.dcm"):
        volume = vr.load(source)
        assert np.array_equal(volume.data[..., 0], STACK[2].T)
        assert volume.spacing == (3, 2, 4)


def enhanced(count=5, **tags):
    made = dataset(0, pixels=STACK[:count], NumberOfFrames=count, PixelSpacing=None, SliceThickness=None, **tags)
    del made.ImagePositionPatient, made.ImageOrientationPatient
    shared, measures, plane = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [2, 3], 4
    plane.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    made.SharedFunctionalGroupsSequence = [shared]
    made.PerFrameFunctionalGroupsSequence = []
    for n in range(count):
        frame, where = Dataset(), Dataset()
        where.ImagePositionPatient = [10, 20, 30 - 4 * n]
        frame.PlanePositionSequence = [where]
        made.PerFrameFunctionalGroupsSequence.append(frame)
    return made


def test_a_multi_frame_image(tmp_path):
    volume = vr.load(write(tmp_path / "e.dcm", enhanced()))
    assert np.array_equal(volume.data, STACK[::-1].transpose(2, 1, 0))
    assert volume.spacing == (3, 2, 4)
    assert np.allclose((LPS @ volume.affine)[:3, 3], [10, 20, 14])


def cut(path):
    whole = write(path / "I2.dcm", dataset(2)).read_bytes()
    (path / "I2.dcm").write_bytes(whole[:-50])


WRONG = [
    (
        "a slice missing",
        lambda p: (p / "I2.dcm").unlink(),
        "I1.dcm and I3.dcm are 8 mm apart, others 4 mm (is a slice mis",
    ),
    ("uneven", lambda p: write(p / "I4.dcm", dataset(4, position=[10, 20, 47])), "must have evenly spaced slices"),
    ("doubled", lambda p: write(p / "J.dcm", dataset(4)), "must have one slice at each position; 1 of its 6 share"),
    (
        "all in one place",
        lambda p: [write(p / f"I{n}.dcm", dataset(n, position=[1, 2, 3])) for n in range(5)],
        "must have one slice at each position; 4 of its 5 share",
    ),
    ("bent", lambda p: write(p / "I4.dcm", dataset(4, position=[15, 20, 46])), "must have evenly spaced slices"),
    ("turned", lambda p: write(p / "I4.dcm", dataset(4, (0, 1, 0, 0, 0, 1))), "must have parallel slices"),
    (
        "larger",
        lambda p: write(p / "I4.dcm", dataset(4, pixels=np.zeros((6, 6), "i2"))),
        "must have slices of one size",
    ),
    ("finer", lambda p: write(p / "I4.dcm", dataset(4, PixelSpacing=[1, 1])), "must have slices of one size"),
    (
        "nowhere",
        lambda p: write(p / "I4.dcm", dataset(4, ImagePositionPatient=None)),
        "I4.dcm: must say where its slices lie; it has no ImagePositionPatient",
    ),
    ("flat", lambda p: write(p / "I4.dcm", dataset(4, PixelSpacing=[0, 1])), "its PixelSpacing is [0.0, 1.0]"),
    ("cut", cut, "I2.dcm: must be a whole"),
    ("colors", lambda p: write(p / "I4.dcm", dataset(4, SamplesPerPixel=3)), "it holds 3 of 16 bits, MONOCHROME2"),
    ("frames", lambda p: write(p / "I4.dcm", dataset(4, NumberOfFrames=3)), "its 3 frames have no positions"),
    (
        "claim",
        lambda p: write(p / "I4.dcm", dataset(4, Rows=65535, Columns=65535)),
        "I4.dcm: must have at most 4,000,000,000",
    ),
]


@pytest.mark.parametrize(("name", "spoil", "says"), WRONG, ids=[name for name, _, _ in WRONG])
def test_what_no_affine_is_true_of_is_refused(tmp_path, name, spoil, says):
    path = series(tmp_path / "s")
    spoil(path)
    refuses(ValueError, lambda: vr.load(path), path, says)


def test_a_claim_that_the_file_cannot_hold(tmp_path):
    path = write(tmp_path / "I.dcm", dataset(0, Rows=60000, Columns=60000))
    refuses(ValueError, lambda: vr.load(path), "must be a whole image; its header claims 60000 x 60000 x 1 voxels")


def test_a_syntax_that_cannot_be_decoded(tmp_path):
    made = dataset(0)
    made.file_meta.TransferSyntaxUID = JPEGLSLossless
    made.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xf7 and so on"])
    made["PixelData"].is_undefined_length = True
    path = write(tmp_path / "I.dcm", made)
    refuses(ValueError, lambda: vr.load(path), "its pixels, stored as JPEG-LS", "cannot be decoded")


def test_a_folder_without_an_image(tmp_path):
    refuses(ValueError, lambda: vr.load(tmp_path), f"{tmp_path}: must be an image file or hold a DICOM series; it is")
    series(tmp_path / "PAT0")
    refuses(ValueError, lambda: vr.load(tmp_path), "a folder without one; it holds folders: PAT0")


@pytest.mark.parametrize("keep", [133, 200, 340, -500, -100, -1])
def test_cut_anywhere(tmp_path, keep):
    whole = write(tmp_path / "I.dcm", dataset(0)).read_bytes()
    (tmp_path / "I.dcm").write_bytes(whole[:keep])
    refuses(ValueError, lambda: vr.load(tmp_path / "I.dcm"), "I.dcm: must")


def test_garbage_after_a_true_preamble(tmp_path):
    path = tmp_path / "I.dcm"
    path.write_bytes(bytes(128) + b"DICM" + struct.pack("<HH2sH", 8, 22, b"UI", 65000) + b"\xff" * 300)
    refuses(ValueError, lambda: vr.load(path), "I.dcm: must")


def test_the_phantom_of_the_samples(samples):
    path = samples / "dicom_ct_phantom_5mm"
    volume = vr.load(path)
    assert volume.shape == (512, 512, 28)
    assert np.allclose(volume.spacing, (0.451171875, 0.451171875, 5))
    assert (volume.unit, volume.orientation, volume.data.dtype) == ("HU", "LPS", np.int16)
    for name in ("I10", "I100", "I20", "I280"):  # by name I100 comes before I20
        said = pydicom.dcmread(path / name)
        at = np.linalg.inv(volume.affine) @ LPS @ [*map(float, said.ImagePositionPatient), 1]
        assert np.allclose(at, [0, 0, said.InstanceNumber - 1, 1], atol=1e-3)
        assert np.array_equal(volume.data[..., said.InstanceNumber - 1], said.pixel_array.T.astype(int) - 1024)
    assert volume.data.min() == -1024
