import struct
import warnings

import nibabel as nib
import numpy as np
import pytest
from helpers import ramp, refuses, storage_affine

import volrender as vr
from volrender import Volume, cli_info, space

DATA = ramp((3, 4, 5), np.int16)
AFFINE = storage_affine("LPS", (2, 3, 4), (10, -20, 30))
AT = {"pixdim": 80, "slope": 112, "units": 123, "codes": 252, "srow": 280}
SHAPES = {"pixdim": "<3f", "slope": "<2f", "units": "<B", "codes": "<2h", "srow": "<12f"}


def made(path, qform=None, data=DATA, affine=AFFINE, **written):
    """A NIfTI file into whose header values are written by hand, as nibabel would not."""
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine, 1)
    if qform is not None:
        image.set_qform(qform, 1)
    packed = bytearray(image.to_bytes())
    for word, values in written.items():
        packed[AT[word] : AT[word] + struct.calcsize(SHAPES[word])] = struct.pack(SHAPES[word], *values)
    path.write_bytes(packed)
    return path


def sources(path):
    return path, path.read_bytes(), nib.load(path)


def test_two_forms_that_agree_say_nothing(tmp_path):
    near = AFFINE.copy()
    near[0, 3] += 0.9
    for source in sources(made(tmp_path / "v.nii", near)):
        assert np.allclose(vr.load(source).affine, AFFINE)


def test_two_forms_that_disagree_are_both_told(tmp_path):
    path = made(tmp_path / "v.nii", storage_affine("RAS", (2, 3, 4), (10, -20, 30)))
    for source in sources(path):
        with pytest.warns(UserWarning, match="disagree") as caught:
            volume = vr.load(source)
        said = str(caught[0].message)
        assert "its sform, LPS with its middle at (8, -24.5, 38) mm" in said
        assert "its qform, RAS with its middle at (12, -15.5, 38) mm, disagree by up to" in said
        assert said.endswith("placed by the sform")
        assert caught[0].filename == __file__
        assert np.allclose(volume.affine, AFFINE)


def test_forms_are_compared_at_the_outer_corners(tmp_path):
    turned = AFFINE.copy()
    angle = np.radians(0.5)  # at the centre of the world, but 0.9 mm off at 100 mm
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    turned[:3, :3] = turn @ AFFINE[:3, :3]
    data = np.zeros((60, 60, 2), np.uint8)
    with pytest.warns(UserWarning, match="disagree by up to 1.87 mm"):
        vr.load(made(tmp_path / "v.nii", turned, data))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vr.load(made(tmp_path / "v.nii", turned, data[:20, :20]))


@pytest.mark.parametrize(("gap", "told"), [(0.95, False), (1.05, True)])
def test_the_limit_between_the_forms_is_a_millimetre(tmp_path, gap, told):
    """Shifted, and turned about a corner so that only the far one is as much off."""
    shift = AFFINE.copy()
    shift[0, 3] += gap
    far = np.linalg.norm(AFFINE[:2, :2] @ DATA.shape[:2])
    angle = np.degrees(2 * np.arcsin(gap / 2 / far))
    corner = AFFINE[:3] @ [-0.5, -0.5, 0, 1]
    turn = space.translation(*corner) @ space.rotation("z", angle) @ space.translation(*-corner)
    for moved in (shift, turn @ AFFINE):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            vr.load(made(tmp_path / "v.nii", moved))
        assert [f"disagree by up to {gap:.3g} mm" in str(one.message) for one in caught] == [True] * told


def test_no_form_at_all(tmp_path):
    for source in sources(made(tmp_path / "v.nii", codes=(0, 0))):
        with pytest.warns(UserWarning, match="has neither sform nor qform, so left and right are a guess") as caught:
            volume = vr.load(source)
        said = str(caught[0].message)
        assert "placed as Analyze would, LAS with its middle at (0, 0, 0) mm" in said
        assert "NIfTI's own rule is RAS with its middle at (2, 4.5, 8) mm" in said
        assert (volume.orientation, volume.space) == ("LAS", "")


@pytest.mark.parametrize("size", [0.0, np.nan, np.inf, -2.0])
def test_a_voxel_size_that_cannot_be(tmp_path, size):
    path = made(tmp_path / "v.nii", pixdim=(size, 3, 4))
    for source in (path, path.read_bytes()):
        with pytest.warns(
            UserWarning, match=rf"claims voxels of {size:.4g} x 3 x 4 mm, its sform 2 x 3 x 4; placed by"
        ):
            assert np.allclose(vr.load(source).affine, AFFINE)


@pytest.mark.parametrize(("codes", "says"), [((1, 0), "it has no sform"), ((0, 0), "or an sform")])
def test_no_voxel_size_and_no_sform(tmp_path, codes, says):
    path = made(tmp_path / "v.nii", pixdim=(0, 3, 4), codes=codes)
    refuses(ValueError, lambda: vr.load(path), "v.nii: must have voxel sizes above 0 mm", "pixdim is 0 x 3 x 4", says)


@pytest.mark.parametrize("wrong", [0.0, np.nan])
def test_an_sform_that_cannot_be(tmp_path, wrong):
    path = made(tmp_path / "v.nii", AFFINE, srow=[wrong] * 12)
    with pytest.warns(UserWarning, match="its sform is no position .* placed by its qform, LPS with its middle"):
        assert np.allclose(vr.load(path).affine, AFFINE, atol=1e-4)
    path = made(tmp_path / "w.nii", srow=[wrong] * 12)
    rows = ", ".join(f"srow_{axis} {' '.join([f'{wrong:.4g}'] * 4)}" for axis in "xyz")
    said = f"must have a position that is finite and invertible; its sform is not ({rows})"
    refuses(ValueError, lambda: vr.load(path), "w.nii: ", said)


def test_neither_form_can_be(tmp_path):
    path = made(tmp_path / "v.nii", AFFINE, srow=[0] * 12)
    packed = bytearray(path.read_bytes())
    packed[256:268] = struct.pack("<3f", 2, 2, 2)  # no rotation has such a quaternion
    path.write_bytes(packed)
    refuses(ValueError, lambda: vr.load(path), "its sform and its qform are not (srow_x 0 0 0 0, ", "quatern_d 2)")


@pytest.mark.filterwarnings("ignore:.*its pixdim claims")
def test_nibabels_own_log_is_not_heard(tmp_path, caplog):
    path = made(tmp_path / "v.nii", pixdim=(-2, 3, 4))
    vr.load(path)
    vr.load(path.read_bytes())
    assert not caplog.records
    nib.load(path)
    assert len(caplog.records) == 1


# Voxel sizes and units


@pytest.mark.parametrize(("size", "told"), [(2.01, False), (2.05, True), (1.0, True)])
def test_voxel_sizes_that_are_not_those_of_the_sform(tmp_path, size, told):
    for source in sources(made(tmp_path / "v.nii", pixdim=(size, 3, 4))):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert np.allclose(vr.load(source).affine, AFFINE)
        said = f"its pixdim claims voxels of {size:.4g} x 3 x 4 mm, its sform 2 x 3 x 4; placed by the sform"
        assert [said in str(one.message) for one in caught] == [True] * told


UNITS = {1: ("meter", 1000), 3: ("micron", 1e-3), 0: ("", 1), 2: ("", 1), 7: ("", 1)}


def in_unit(affine, code):
    return np.diag([1 / UNITS[code][1]] * 3 + [1]) @ affine


@pytest.mark.parametrize("code", UNITS)
@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (1, 1)], ids=["qform", "sform", "both"])
def test_the_unit_of_the_header(tmp_path, code, codes):
    affine = in_unit(AFFINE, code)
    path = made(tmp_path / "v.nii", affine, affine=affine, codes=codes, units=[code | 8])  # and seconds
    for source in sources(path):
        volume = vr.load(source)
        assert np.allclose(volume.affine, AFFINE, atol=1e-4)
        assert volume.space == "scanner"
        assert [line for line in volume.history if " to mm" in line] == (
            [f"converted from {UNITS[code][0]} to mm"] if UNITS[code][0] else []
        )


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_the_unit_of_the_header_as_simpleitk_reads_it(tmp_path, code):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is absent")
    affine = in_unit(AFFINE, code)
    path = made(tmp_path / "v.nii", affine, affine=affine, units=[code])
    image, volume = sitk.ReadImage(path), vr.load(path)
    assert np.allclose(image.GetSpacing(), volume.spacing, rtol=1e-5)
    assert np.allclose(np.array([-1, -1, 1]) * image.GetOrigin(), volume.affine[:3, 3], rtol=1e-5)


def test_the_unit_of_a_pair_and_of_a_header_without_forms(tmp_path):
    image = nib.Nifti1Pair(DATA, in_unit(AFFINE, 3))
    image.header.set_xyzt_units("micron")
    nib.save(image, tmp_path / "v.hdr")
    assert np.allclose(vr.load(tmp_path / "v.hdr").affine, AFFINE, atol=1e-4)
    path = made(tmp_path / "w.nii", affine=in_unit(AFFINE, 3), codes=(0, 0), units=[3])
    with pytest.warns(UserWarning, match=r"neither sform .* own rule is RAS with its middle at \(2, 4.5, 8\) mm"):
        assert vr.load(path).spacing == pytest.approx((2, 3, 4))


def test_the_limits_between_answers_are_in_mm(tmp_path):
    near, far = AFFINE.copy(), AFFINE.copy()
    near[0, 3] += 0.9
    far[0, 3] += 1.1
    affine = in_unit(AFFINE, 1)
    assert vr.load(made(tmp_path / "v.nii", in_unit(near, 1), affine=affine, units=[1])).orientation == "LPS"
    with pytest.warns(UserWarning, match="disagree by up to 1.1 mm"):
        vr.load(made(tmp_path / "v.nii", in_unit(far, 1), affine=affine, units=[1]))
    path = made(tmp_path / "v.nii", affine=in_unit(AFFINE, 3), units=[3], pixdim=(1000, 3000, 4000))
    with pytest.warns(UserWarning, match="claims voxels of 1 x 3 x 4 mm, its sform 2 x 3 x 4"):
        vr.load(path)


# Slopes


@pytest.mark.parametrize("slope", [(0, 7), (np.nan, 7), (np.inf, 7)])
def test_a_slope_that_is_none(tmp_path, slope):
    volume = vr.load(made(tmp_path / "v.nii", slope=slope))
    assert volume.data.dtype == np.int16
    assert np.array_equal(volume.data, DATA)


def test_an_intercept_that_is_no_number(tmp_path):
    refuses(ValueError, lambda: vr.load(made(tmp_path / "v.nii", slope=(1, np.nan))), "v.nii: must be", "intercept nan")


def test_infinities_are_kept(tmp_path):
    data = DATA.astype(np.float32)
    data[0, 0, :2] = np.inf, np.nan
    volume = vr.load(made(tmp_path / "v.nii", data=data))
    assert np.array_equal(volume.data, data, equal_nan=True)


# Spaces


@pytest.mark.parametrize(
    ("code", "world"), [(1, "scanner"), (2, "aligned"), (3, "talairach"), (4, "MNI152"), (5, "template")]
)
def test_the_space_of_a_code_goes_there_and_back(tmp_path, code, world):
    image = nib.Nifti1Image(DATA, AFFINE)
    image.set_sform(AFFINE, code)
    volume = vr.load(image)
    assert volume.space == world
    volume.save(tmp_path / "v.nii")
    assert vr.load(tmp_path / "v.nii").space == world


def test_a_name_tells_more_than_a_code(tmp_path):
    path = made(tmp_path / "sub-01_space-MNI152NLin2009cAsym_res-2_T1w.nii")
    assert vr.load(path).space == "MNI152NLin2009cAsym"
    assert vr.load(path.rename(tmp_path / "tpl-MNI152NLin6Asym_T1w.nii")).space == "MNI152NLin6Asym"
    assert {vr.sample(name).space for name in ("mni152", "atlas", "motor")} == {"MNI152"}
    vr.sample("motor").save(tmp_path / "m.nii")
    assert vr.load(tmp_path / "m.nii").space == "MNI152"


def test_every_method_keeps_the_space():
    volume = Volume(ramp((6, 7, 8, 2)).astype(float), AFFINE, space="MNI152")
    still = volume.mean()
    made_of_it = [volume.frame(0), still, still.normalize(), still.smooth(3), still.downsize(3), still.reorient("LPI")]
    made_of_it += [still.crop(), still.canonical, still.resample_to(still), still.threshold(3), still.window(3, 3)]
    assert {made.space for made in made_of_it} == {"MNI152"}


# Vectors and colors

COLORS = ramp((3, 4, 5, 3), np.uint8)


def structured(colors):
    return np.ascontiguousarray(colors).view([(letter, "u1") for letter in "RGBA"[: colors.shape[3]]])[..., 0]


def test_vectors_are_refused_in_words(tmp_path):
    path = tmp_path / "warp.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((3, 4, 5, 1, 3), np.float32), AFFINE), path)
    refuses(ValueError, lambda: vr.load(path), "it has 5 (3 x 4 x 5 x 1 x 3), vectors of 3: give volume.transform the")


@pytest.mark.parametrize("count", [3, 4])
def test_colors_of_nifti_go_there_and_back(tmp_path, count):
    colors = ramp((3, 4, 5, count), np.uint8)
    nib.save(nib.Nifti1Image(structured(colors), AFFINE), tmp_path / "c.nii")
    volume = vr.load(tmp_path / "c.nii")
    assert (volume.kind, volume.data.dtype) == ("rgb", np.uint8)
    assert np.array_equal(volume.data, colors)
    assert volume.history == (f"read c.nii, Nifti1Image, {'RGBA'[:count]}",)
    volume.save(tmp_path / "d.nii.gz")
    assert np.array_equal(vr.load(tmp_path / "d.nii.gz").data, colors)
    assert np.allclose(vr.load(tmp_path / "d.nii.gz").affine, AFFINE)


def test_vectors_of_bytes_are_colors(tmp_path):
    nib.save(nib.Nifti1Image(COLORS[:, :, :, None], AFFINE), tmp_path / "c.nii")
    assert vr.load(tmp_path / "c.nii").kind == "rgb"
    assert np.array_equal(vr.load(tmp_path / "c.nii").data, COLORS)


def test_what_colors_are():
    half = Volume(np.full((2, 2, 2, 3), 0.5), AFFINE, kind="rgb")
    assert half.data.dtype == np.uint8
    assert np.unique(half.data) == [128]
    assert vr.load(COLORS, affine=AFFINE, kind="rgb").kind == "rgb"
    refuses(ValueError, lambda: Volume(DATA, AFFINE, kind="rgb"), "colors must have the shape (i, j, k, 3) or")
    refuses(ValueError, lambda: Volume(COLORS * 2.0, AFFINE, kind="rgb"), "uint8, or floats from 0 to 1; got float64")


def test_colors_are_not_time():
    volume = Volume(COLORS, AFFINE, kind="rgb", name="c")
    assert volume.still("a slice") is volume
    for call in (lambda: volume.frame(0), volume.mean, volume.timecourse):
        refuses(ValueError, call, "needs a 4-D volume")
    for call in (
        volume.normalize,
        volume.equalize,
        volume.contrast,
        lambda: volume.smooth(1),
        lambda: volume.threshold(1),
    ):
        refuses(ValueError, call, "needs one number a voxel; c holds colors")
    refuses(ValueError, lambda: volume.survey, "holds colors")


def test_colors_move_as_numbers_do():
    volume = Volume(COLORS, AFFINE, kind="rgb")
    assert volume.canonical.shape == volume.reorient("RAS").shape == (3, 4, 5, 3)
    assert np.array_equal(volume.reorient("RPS").data, COLORS[::-1])
    small = Volume(np.full((8, 8, 8, 3), 200, np.uint8), np.eye(4), kind="rgb").downsize(4)
    assert (small.shape, small.data.dtype) == ((4, 4, 4, 3), np.uint8)
    assert np.unique(small.data) == [200]
    assert np.array_equal(volume.resample_to(volume).data, COLORS)
    assert np.array_equal(volume.transform(np.eye(4)).data, COLORS)
    spot = np.zeros((5, 5, 5, 4), np.uint8)
    spot[1:3, 2, 2, 3] = 255
    assert Volume(spot, AFFINE, kind="rgb").crop().shape == (2, 1, 1, 4)
    assert Volume(spot[..., 1:], AFFINE, kind="rgb").crop().shape == (2, 1, 1, 3)


# NumPy archives


def test_an_archive_of_one_array(tmp_path):
    np.savez(tmp_path / "v.npz", DATA)
    volume = vr.load(tmp_path / "v.npz", affine=AFFINE)
    assert np.array_equal(volume.data, DATA)
    assert volume.name == "v"
    refuses(ValueError, lambda: vr.load(tmp_path / "v.npz"), "has no affine among its arrays (arr_0); give affine=")


def test_an_archive_with_its_affine(tmp_path):
    np.savez_compressed(tmp_path / "v.npz", data=DATA, affine=AFFINE)
    for source in (tmp_path / "v.npz", (tmp_path / "v.npz").read_bytes()):
        assert np.array_equal(vr.load(source).data, DATA)
        assert np.allclose(vr.load(source).affine, AFFINE)
    np.savez(tmp_path / "w.npz", other=DATA, affine=np.eye(3))
    refuses(ValueError, lambda: vr.load(tmp_path / "w.npz"), "its array 'affine': must be 4 x 4; it is 3 x 3")
    np.savez(tmp_path / "x.npz", one=DATA, two=DATA)
    refuses(
        ValueError, lambda: vr.load(tmp_path / "x.npz"), "must hold one array, or data and affine; it holds one, two"
    )
    np.savez(tmp_path / "o.npz", data=np.array([[[object()]]]), affine=AFFINE)
    refuses(ValueError, lambda: vr.load(tmp_path / "o.npz"), "must be a NumPy array of numbers")


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_arrays_by_hand(dtype):
    data = (DATA * (3 + 4j)).astype(dtype)
    hidden = np.zeros(DATA.shape, bool)
    hidden[0, 0, 0] = True
    for array in (data, np.ma.masked_array(data, hidden)):
        volume = vr.load(array, affine=AFFINE)
        assert np.allclose(volume.data[1:], DATA[1:] * 5)
        assert volume.history == (f"array of {np.dtype(dtype)}", "complex values replaced by their magnitude")
    assert np.isnan(volume.data[0, 0, 0])


def test_complex_arrays(tmp_path):
    np.savez(tmp_path / "v.npz", data=DATA * (3 + 4j), affine=AFFINE)
    assert np.allclose(vr.load(tmp_path / "v.npz").data, DATA * 5)


# Labels that do not fit


@pytest.mark.parametrize("size", [2**31, 2**40, -(2**31) - 1])
def test_labels_that_no_file_holds_are_refused_before_they_are_written(tmp_path, size):
    data = DATA.astype(np.int64)
    data[0, 0, 0] = size
    path = tmp_path / "l.nii"
    refuses(ValueError, lambda: Volume(data, AFFINE, "labels").save(path), f"{path}: labels must be below 2147483648")
    assert not path.exists()
    refuses(ValueError, lambda: Volume(data.astype(float), AFFINE, "labels"), "labels in floats must be below 21474836")
    for fitting in (np.int64(2**31 - 1), np.uint32(2**32 - 1)):
        data = np.full((2, 2, 2), fitting)
        Volume(data, AFFINE, "labels").save(path)
        assert np.array_equal(vr.load(path).data, data)


# What info says


def facts(volume, word):
    return dict(cli_info.facts(volume))[word]


def test_info_says_which_kind_and_why(tmp_path):
    image = nib.Nifti1Image(DATA, AFFINE)
    assert facts(vr.load(image), "kind") == "intensity, int16"
    assert facts(vr.load(image), "why") == "the header does not say labels"
    image.header.set_intent("label")
    assert facts(vr.load(image), "kind") == "labels, int16"
    assert facts(vr.load(image), "why") == "the header says labels"
    assert facts(vr.sample("motor"), "why") == "not whole numbers"
    assert facts(vr.load(image, kind="intensity"), "why") == "as asked for"
    assert facts(vr.load(nib.Nifti1Image(DATA, AFFINE), kind="labels"), "why") == "as asked for"
    assert facts(vr.load(vr.load(DATA, affine=AFFINE), kind="labels"), "why") == "as asked for"
    assert facts(vr.load(image, kind="labels"), "why") == "the header says labels"
    assert facts(vr.load(DATA > 3, affine=AFFINE), "why") == "true or false"


@pytest.mark.parametrize("hole", [0, np.nan])
def test_whole_numbers_in_floats_are_whole_numbers(hole):
    data = DATA.astype(np.float32)
    data[0, 0, 0] = hole
    assert facts(vr.load(data, affine=AFFINE), "why") == "the header does not say labels"
    assert facts(vr.load(data + np.float32(0.5), affine=AFFINE), "why") == "not whole numbers"
    assert facts(Volume(COLORS, AFFINE, kind="rgb"), "why") == "colors, red, green and blue"
    assert facts(Volume(COLORS, AFFINE, kind="rgb"), "frames") == "1"
    assert facts(vr.sample("motor"), "space") == "MNI152"
