import dataclasses
import tempfile
from fractions import Fraction

import numpy as np
import pytest
from helpers import CODES, SHAPES, affines, ball, placed, ramp, refuses, storage_affine
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from volrender import Transform, Volume, load, sample, space
from volrender.fields import Field
from volrender.io import Label

EYE = np.eye(4)
ONE = Volume(ramp((3, 4, 5)), np.diag([-2, 2, 3, 1]), name="one")
SERIES = Volume(ramp((3, 4, 5, 6), np.float32), EYE, name="bold")
LABELS = Volume(ramp((4, 4, 4)) % 3, EYE, "labels", "regions")


# What a volume is


def test_a_volume_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ONE.name = "two"
    refuses(ValueError, lambda: ONE.data.__setitem__((0, 0, 0), 1), "read-only")
    refuses(ValueError, lambda: ONE.affine.__setitem__((0, 3), 1), "read-only")
    refuses(ValueError, lambda: ONE.canonical.data.__setitem__((0, 0, 0), 1), "read-only")


def test_the_array_it_was_made_from_stays_writable():
    mine = np.zeros((2, 2, 2))
    volume = Volume(mine, EYE)
    mine[0, 0, 0] = 1
    assert np.shares_memory(volume.data, mine)
    loaded = load(mine, affine=EYE)
    mine[0, 0, 0] = 2
    assert loaded.data[0, 0, 0] == 1


def test_what_it_says_of_itself():
    assert (ONE.shape, ONE.spacing, ONE.orientation, ONE.obliquity) == ((3, 4, 5), (2, 2, 3), "LAS", 0)
    assert ONE.bounds.tolist() == [[-5, 1], [-1, 7], [-1.5, 13.5]]
    assert repr(ONE) == "<Volume one: 3 x 4 x 5 int32, 2 x 2 x 3 mm, LAS, intensity>"


def test_foreign_byte_order_becomes_native_with_the_same_values():
    data = ramp((2, 3, 4), ">f4")
    volume = Volume(data, EYE)
    assert volume.data.dtype == np.float32
    assert volume.data.dtype.isnative
    assert np.array_equal(volume.data, data)


@pytest.mark.parametrize(
    ("data", "options", "kind", "says"),
    [
        (np.zeros((2, 2)), {}, ValueError, "three axes, or four with time; got shape (2, 2)"),
        (np.zeros((2,) * 5), {}, ValueError, "three axes, or four"),
        (np.zeros((2, 0, 2)), {}, ValueError, "must have voxels; got shape (2, 0, 2)"),
        (np.zeros((2, 2, 2), complex), {}, TypeError, "real numbers; got complex128"),
        (np.full((2, 2, 2), Fraction(1)), {}, TypeError, "real numbers; got object"),
        (np.full((2, 2, 2), "a"), {}, TypeError, "real numbers"),
        (np.zeros((2, 2, 2), "datetime64[s]"), {}, TypeError, "real numbers"),
        (np.zeros((2, 2, 2)), {"kind": "mask"}, ValueError, "kind must be one of intensity, labels, rgb; got 'mask'"),
        (np.full((2, 2, 2), 0.5), {"kind": "labels"}, ValueError, "whole numbers"),
        (np.full((2, 2, 2), np.nan), {"kind": "labels"}, ValueError, "whole numbers"),
        (np.full((2, 2, 2), 2.0**31), {"kind": "labels"}, ValueError, "below 2147483648 in size; got 2147483648"),
    ],
)
def test_a_volume_is_checked(data, options, kind, says):
    refuses(kind, lambda: Volume(data, EYE, **options), says)


def test_whole_floats_become_integer_labels():
    assert Volume(np.full((2, 2, 2), 3.0), EYE, "labels").data.dtype == np.int32


# Steps and their history


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (lambda v: v.normalize(), "normalize()"),
        (lambda v: v.window(40, 400), "window(level=40, width=400)"),
        (lambda v: v.contrast(), "contrast(black=0.1, gamma=0.4, gain=2)"),
        (lambda v: v.equalize(), "equalize()"),
        (lambda v: v.threshold(2.3), "threshold(level=2.3)"),
        (lambda v: v.smooth(6), "smooth(fwhm=6)"),
        (lambda v: v.downsize((2, 2, 2)), "downsize(2 x 2 x 2)"),
        (lambda v: v.reorient("lps"), "reorient(LPS)"),
        (lambda v: v.resample_to(LABELS), "resample_to(regions)"),
        (lambda v: v.transform(EYE), "transform(4x4 matrix)"),
        (lambda v: v.crop(), "crop("),
    ],
)
def test_each_step_is_a_new_volume_and_a_line(step, line):
    before = ONE.data.copy()
    start = dataclasses.replace(ONE, history=("read one.nii",))
    after = step(start)
    assert after is not start
    assert start.history == ("read one.nii",)
    assert after.history[0] == "read one.nii"
    assert after.history[1].startswith(line)
    assert len(after.history) == 2
    assert np.array_equal(ONE.data, before)


@pytest.mark.parametrize("step", ["normalize", "contrast", "equalize"])
def test_values_without_a_unit_lose_it(step):
    assert getattr(dataclasses.replace(ONE, unit="HU"), step)().unit == ""
    assert dataclasses.replace(ONE, unit="z").threshold(1).unit == "z"


@pytest.mark.parametrize(
    "step",
    [
        lambda v: v.normalize(),
        lambda v: v.window(0, 1),
        lambda v: v.contrast(),
        lambda v: v.equalize(),
        lambda v: v.smooth(3),
        lambda v: v.threshold(1),
    ],
)
def test_labels_are_never_blended(step):
    refuses(ValueError, lambda: step(LABELS), "would invent labels; regions is a label map")


def test_a_volume_without_finite_values_is_named():
    empty = Volume(np.full((2, 2, 2), np.nan), EYE, name="broken")
    refuses(ValueError, empty.normalize, "broken: must have finite values")
    refuses(ValueError, lambda: empty.survey, "broken: the volume must have finite values")


# Fewer voxels


@given(affines(), SHAPES, SHAPES)
def test_downsize_keeps_the_bounds(affine, shape, size):
    volume = Volume(ramp(shape), affine)
    for smaller in (volume.downsize(np.minimum(shape, size)), volume.downsize(size[0])):
        assert np.allclose(smaller.bounds, volume.bounds, atol=1e-6, rtol=0)
        assert all(new <= old for new, old in zip(smaller.shape, shape))


@given(st.tuples(*[st.integers(2, 40)] * 3), st.tuples(*[st.floats(0.5, 4)] * 3), st.integers(1, 40))
def test_downsize_to_one_number_keeps_proportions(shape, spacing, size):
    volume = Volume(np.zeros(shape, bool), np.diag([*spacing, 1]), "labels")
    out = volume.downsize(size)
    extent = np.array(shape) * spacing
    for new, old, mm in zip(out.shape, shape, extent):
        wanted = mm / extent.max() * size
        assert new == old or (new == 1 and wanted < 1) or abs(new - wanted) <= 0.5 + 1e-9


def test_downsize_picks_labels_and_never_enlarges():
    assert set(np.unique(LABELS.downsize(2).data)) <= {0, 1, 2}
    assert LABELS.downsize(2).kind == "labels"
    assert ONE.downsize(500) is ONE


@pytest.mark.parametrize(
    ("size", "kind", "says"),
    [
        (0, ValueError, "size must be 1 voxel or more; got 0"),
        (2.5, TypeError, "size must be a whole number of voxels, or three; got 2.5"),
        ("2", TypeError, "size must be a whole number"),
        ((2, 2), ValueError, "or three that do not exceed 3 x 4 x 5; got (2, 2)"),
        ((3, 4, 6), ValueError, "do not exceed 3 x 4 x 5"),
        ((0, 1, 1), ValueError, "do not exceed"),
        ((1.5, 1, 1), TypeError, "a whole number"),
    ],
)
def test_downsize_is_checked(size, kind, says):
    refuses(kind, lambda: ONE.downsize(size), says)


# Other storage, other grids, other places


@pytest.mark.parametrize("code", CODES)
def test_reorient_is_lossless(code):
    start = Volume(ramp((2, 3, 4)), storage_affine("PSR", (1, 2, 3), (7, 8, 9)))
    moved = start.reorient(code)
    assert moved.orientation == code
    assert np.array_equal(placed(moved), placed(start))


@given(affines(), st.sampled_from(CODES))
def test_reorient_of_an_oblique_volume_moves_nothing(affine, code):
    start = Volume(ramp((2, 3, 4)), affine)
    assert np.allclose(placed(start.reorient(code)), placed(start), atol=1e-6)


def test_reorient_of_a_series_leaves_time_last():
    assert SERIES.reorient("SLP").shape == (5, 3, 4, 6)
    assert np.array_equal(placed(SERIES.reorient("SLP")), placed(SERIES))


@pytest.mark.parametrize("code", ["RAX", "RRS", "RA", "", "RASL", "RL S"])
def test_reorient_is_checked(code):
    refuses(ValueError, lambda: ONE.reorient(code), "three of R/L, A/P and S/I, such as 'RAS'", repr(code))


@given(affines(), affines(), st.sampled_from(["intensity", "labels"]))
def test_resample_to_is_scipys_affine_transform(here, there, kind):
    source, target = Volume(ramp((5, 6, 7)), here, kind), Volume(np.zeros((3, 4, 5)), there)
    matrix = np.linalg.inv(here) @ there
    expected = ndimage.affine_transform(
        source.data.astype(float), matrix[:3, :3], matrix[:3, 3], output_shape=(3, 4, 5), order=int(kind != "labels")
    )
    moved = source.resample_to(target)
    assert np.allclose(moved.data, expected, atol=1e-3)
    assert np.array_equal(moved.affine, target.affine)
    assert moved.kind == kind


def test_resampling_the_bundled_volumes_is_scipys():
    """To 1e-5 of the largest value: T1 (integers) to the map's grid, map (left-handed) to the T1's, oblique too."""
    head, motor = sample("mni152"), sample("motor")
    tilt = space.euler(10, 20, 30)
    for source, target in ((head, motor), (motor, head.downsize(60)), (head, motor.transform(tilt))):
        matrix = np.linalg.inv(source.affine) @ target.affine
        expected = ndimage.affine_transform(
            source.data.astype(float), matrix[:3, :3], matrix[:3, 3], output_shape=target.shape, order=1
        )
        moved = source.resample_to(target)
        assert moved.data.dtype == np.float32
        assert np.abs(moved.data - expected).max() <= 1e-5


def test_resampling_leaves_nan_out():
    data = np.arange(5.0).reshape(5, 1, 1)
    data[2] = np.nan
    line = Volume(data, EYE)
    fine = Volume(np.zeros((17, 1, 1)), np.diag([0.25, 1, 1, 1]))
    moved = line.resample_to(fine).data[:, 0, 0]
    assert np.array_equal(np.isnan(moved), np.isin(np.arange(17), [7, 8, 9]))
    assert np.array_equal(moved[[0, 1, 4, 5, 6, 10, 12, 16]], [0, 0.25, 1, 1, 1, 3, 3, 4])


def test_resampling_labels_invents_none():
    atlas = sample("atlas")
    moved = atlas.resample_to(sample("motor").transform(space.euler(10, 20, 30)))
    assert moved.data.dtype == atlas.data.dtype
    assert set(np.unique(moved.data)) <= set(np.unique(atlas.data))
    assert moved.labels is atlas.labels


def test_resampling_through_a_transform_is_resampling_what_it_moved():
    move, target = space.translation(1, 2, 0) @ space.euler(z=30), Volume(np.zeros((5, 5, 5)), EYE)
    through = ONE.resample_to(target, move)
    assert np.allclose(through.data, ONE.transform(move).resample_to(target).data)
    assert through.history[-1] == "resample_to(target, 4x4 matrix)"


@given(affines())
def test_resample_to_itself_changes_nothing(affine):
    volume = Volume(ramp((3, 4, 5)), affine)
    inner = volume.resample_to(volume).data[1:-1, 1:-1, 1:-1]
    assert np.allclose(inner, volume.data[1:-1, 1:-1, 1:-1], rtol=1e-4)


def test_resample_of_a_series_is_frame_by_frame():
    target = Volume(np.zeros((2, 2, 2)), np.diag([1.5, 1.5, 1.5, 1]))
    assert np.array_equal(SERIES.resample_to(target).data[..., 2], SERIES.frame(2).resample_to(target).data)


@pytest.mark.parametrize("dtype", [bool, np.uint8, ">i2", np.int64])
def test_labels_of_every_type_resample(dtype):
    labels = Volume((ramp((4, 4, 4)) % 2).astype(dtype), EYE, "labels")
    assert np.array_equal(labels.resample_to(labels).data, labels.data)


@given(affines(), affines())
def test_transform_carries_the_corners(affine, matrix):
    moved = Volume(ramp((2, 3, 4)), affine).transform(matrix)
    assert np.allclose(moved.affine, matrix @ affine)


def test_transform_refuses_a_flat_matrix():
    refuses(ValueError, lambda: ONE.transform(np.zeros((4, 4))), "last row")


# Labels, after whatever is done to them


def saved(volume):
    with tempfile.TemporaryDirectory() as folder:
        volume.save(f"{folder}/l.nii.gz")
        return load(f"{folder}/l.nii.gz")


def doubled(volume):
    return Volume(np.stack([volume.data] * 2, axis=-1), volume.affine, "labels")


BENT = Field(np.random.default_rng(1).normal(scale=1.5, size=(8, 9, 10, 3)), space.translation(-4, -4, -4))
TILT = space.translation(1, -2, 0.5) @ space.euler(20, -35, 50) @ space.shears(0.2, 0.1, 0)
FINE = Volume(np.zeros((11, 13, 9)), TILT @ space.zooms(0.7, 0.9, 1.1) @ space.translation(-5, -6, -4))
STEPS = {
    "downsize": lambda v: v.downsize(4),
    "downsize each": lambda v: v.downsize((3, 5, 6)),
    "crop": lambda v: v.crop(),
    "reorient": lambda v: v.reorient("PIL"),
    "canonical": lambda v: v.canonical,
    "resample_to": lambda v: v.resample_to(FINE),
    "resample_to, moved": lambda v: v.resample_to(FINE, TILT),
    "resample_to, bent": lambda v: v.resample_to(FINE, Transform(BENT, TILT)),
    "transform": lambda v: v.transform(TILT),
    "transform, bent": lambda v: v.transform(BENT),
    "frame": lambda v: doubled(v).frame(1),
    "series": lambda v: doubled(v).resample_to(FINE).frame(0),
    "save": saved,
    "load": lambda v: load(v.data, affine=v.affine, kind="labels"),
    "all": lambda v: saved(v.reorient("SAR").transform(BENT).resample_to(FINE).downsize(6)).crop(),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_no_label_is_invented(step, dtype):
    """Labels far apart, each beside each: whatever lies between two of them is none."""
    known = np.array([0, 3, 50, 121] if dtype == np.uint8 else [0, -700, 11, 30_000])
    data = np.random.default_rng(0).choice(known, (9, 10, 8)).astype(dtype)
    made = step(Volume(data, TILT @ space.translation(-4, -4.5, -3.5), "labels"))
    assert made.kind == "labels"
    assert set(np.unique(made.data)) == set(known)


# Cropping


@given(affines())
def test_crop_keeps_the_foreground_where_it_was(affine):
    data = np.zeros((8, 9, 10))
    data[2:5, 3:7, 4:6] = 100 + ramp((3, 4, 2))
    volume = Volume(data, affine)
    cropped = volume.crop()
    assert cropped.shape == (3, 4, 2)
    rows = placed(volume)
    assert np.allclose(placed(cropped), rows[rows[:, 3] > 0])


def test_crop_of_ct_leaves_air_out_also_in_a_series():
    frame = np.pad(np.full((3, 4, 5), 40), 2, constant_values=-1000)
    assert Volume(frame, EYE).crop().shape == (3, 4, 5)
    series = np.stack([frame, np.full_like(frame, -1000)], axis=3)
    assert Volume(series, EYE).crop().shape == (3, 4, 5, 2)


def test_crop_of_a_map_ignores_nan_outside_the_brain():
    data = np.full((8, 8, 8), np.nan)
    data[2:6, 2:6, 2:6] = np.random.default_rng(0).normal(size=(4, 4, 4))
    assert Volume(data, EYE).crop().shape == (4, 4, 4)


def test_crop_finds_something_or_says_so():
    refuses(ValueError, Volume(np.zeros((3, 3, 3)), EYE, name="void").crop, "crop found no foreground in void")


# Time


def test_frames_and_their_mean():
    assert np.array_equal(SERIES.frame(2).data, SERIES.data[..., 2])
    assert np.array_equal(SERIES.frame(-1).data, SERIES.data[..., 5])
    assert np.allclose(SERIES.mean().data, SERIES.data.mean(axis=3))
    assert SERIES.frame(2).history == ("frame(2)",)


def test_the_mean_of_small_integers_does_not_wrap():
    series = Volume(np.full((2, 2, 2, 300), 200, np.uint8), EYE)
    assert np.allclose(series.mean().data, 200)
    assert np.allclose(series.timecourse(), 200)


def test_the_mean_skips_frames_that_are_nan():
    data = np.ones((2, 2, 2, 3))
    data[0, 0, 0] = [np.nan, 2, 4]
    data[1, 1, 1] = np.nan
    mean = Volume(data, EYE).mean().data
    assert mean[0, 0, 0] == 3
    assert np.isnan(mean[1, 1, 1])


def test_the_timecourse_leaves_nan_out():
    data = np.ones((2, 2, 2, 3))
    data[0, 0, 0, 1], data[..., 2] = np.nan, np.nan
    for mask in (None, Volume(np.ones((2, 2, 2)), EYE)):
        assert np.array_equal(Volume(data, EYE).timecourse(mask), [1, 1, np.nan], equal_nan=True)


@pytest.mark.parametrize("target", ["T1.nii", np.zeros((3, 4, 5)), None])
def test_what_is_resampled_to_is_a_volume(target):
    volume = Volume(ramp((3, 4, 5)), np.eye(4))
    said = f"resample_to needs a Volume, from volrender.load(...); got {type(target).__name__}"
    refuses(TypeError, lambda: volume.resample_to(target), said)


def test_a_frame_is_counted_in_whole_numbers():
    refuses(TypeError, lambda: SERIES.frame(1.5), "frame must be a whole number; got 1.5")


def test_the_timecourse_of_a_mask():
    mask = Volume(ramp((3, 4, 5)) > 30, EYE, "labels")
    assert np.allclose(SERIES.timecourse(), SERIES.data.mean(axis=(0, 1, 2)))
    assert np.allclose(SERIES.timecourse(mask), SERIES.data[mask.data].mean(axis=0))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: SERIES.still("Scene"), "Scene needs a 3-D volume; bold has 6 frames: call .frame(t) or .mean()"),
        (lambda: SERIES.frame(6), "frame must be between 0 and 5; got 6"),
        (lambda: SERIES.frame(-7), "frame must be between 0 and 5; got -7"),
        (lambda: ONE.frame(0), "frame needs a 4-D volume; one has shape (3, 4, 5)"),
        (lambda: ONE.mean(), "mean is over time and needs a 4-D volume"),
        (lambda: ONE.timecourse(), "timecourse needs a 4-D volume"),
        (lambda: SERIES.timecourse(LABELS), "on the volume's grid: call mask.resample_to(volume)"),
        (lambda: SERIES.timecourse(Volume(np.ones((3, 4, 5)), 2 * EYE - np.diag([0, 0, 0, 1]))), "volume's grid"),
        (lambda: SERIES.timecourse(Volume(np.zeros((3, 4, 5)), EYE)), "must not be empty"),
        (lambda: ONE.smooth(-1), "fwhm must be 0 mm or more; got -1"),
        (lambda: ONE.smooth(np.nan), "fwhm must be finite; got nan"),
    ],
)
def test_what_cannot_be_done_is_said(call, says):
    refuses(ValueError, call, says)


# Files


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
@pytest.mark.parametrize(
    "dtype", [bool, np.uint8, np.int16, np.uint32, np.int64, np.uint64, np.float16, np.float32, float]
)
def test_what_is_saved_loads_again(tmp_path, name, dtype):
    volume = Volume(ramp((3, 4, 5)).astype(dtype), storage_affine("PIL", (1, 2, 3), (4, 5, 6)), name="v")
    volume.save(tmp_path / name)
    again = load(tmp_path / name)
    assert np.array_equal(placed(again), placed(volume))
    assert (again.name, again.kind, again.orientation) == ("v", "intensity", "PIL")


@given(affine=affines())
def test_a_saved_affine_is_good_to_a_micrometre(tmp_path, affine):
    Volume(ramp((2, 3, 4)), affine).save(tmp_path / "v.nii")
    assert np.allclose(load(tmp_path / "v.nii").bounds, Volume(ramp((2, 3, 4)), affine).bounds, atol=1e-3)


def test_int64_beyond_int32_is_not_wrapped(tmp_path):
    data = np.array([-(2**31) - 1, np.iinfo(np.int64).min, 2**40]).reshape(3, 1, 1)
    Volume(data, EYE).save(tmp_path / "v.nii")
    assert np.array_equal(load(tmp_path / "v.nii").data, data.astype(float))


def test_a_series_and_its_values_survive(tmp_path):
    SERIES.save(tmp_path / "s.nii.gz")
    assert np.array_equal(load(tmp_path / "s.nii.gz").data, SERIES.data)


@pytest.mark.parametrize("unit", ["z", "t", "F", "p", "r"])
def test_the_unit_of_a_statistic_survives(tmp_path, unit):
    dataclasses.replace(ONE, unit=unit).save(tmp_path / "v.nii")
    assert load(tmp_path / "v.nii").unit == unit


@pytest.mark.parametrize("name", ["regions", "left − right", ""])
def test_a_label_map_comes_back_as_one(tmp_path, name):
    Volume(LABELS.data, EYE, "labels", name, labels={1: Label("one", (1, 0, 0))}).save(tmp_path / "l.nii")
    assert load(tmp_path / "l.nii").kind == "labels"


def test_saving_over_the_file_that_was_loaded(tmp_path):
    ONE.save(tmp_path / "v.nii")
    volume = load(tmp_path / "v.nii")
    volume.normalize().save(tmp_path / "v.nii")
    assert np.array_equal(volume.data, ONE.data)


def test_the_same_volume_makes_the_same_bytes(tmp_path):
    for name in ("a.nii.gz", "b.nii.gz"):
        ball().save(tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_labels_are_named_alone_or_with_a_color():
    data = np.array([[[0, 1, 2]]])
    volume = Volume(data, np.eye(4), "labels", labels={1: "left", 2: ("right", "gold")})
    assert [volume.labels[n].name for n in (1, 2)] == ["left", "right"]
    assert volume.labels[2].color == (1.0, 215 / 255, 0.0)
    for wrong in ({"1": "left"}, {1: 5.0}, {1: (2, "red")}, "left"):
        with pytest.raises(TypeError, match="label"):
            Volume(data, np.eye(4), "labels", labels=wrong)
    with pytest.raises(ValueError, match="the color of label 1"):
        Volume(data, np.eye(4), "labels", labels={1: ("left", "reddish")})
