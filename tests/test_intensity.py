import numpy as np
import pytest
from helpers import refuses
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

import volrender as vr
from volrender import Volume, intensity

SHAPE = hnp.array_shapes(min_dims=3, max_dims=4, min_side=1, max_side=4)
NUMBERS = st.floats(-1e6, 1e6, width=32)
DIRTY = st.one_of(NUMBERS, st.sampled_from([np.nan, np.inf, -np.inf]))
TYPES = st.sampled_from([np.int8, np.uint8, np.int16, np.uint16, np.int32, np.float16, np.float32, np.float64, ">i2"])


def scale_by(a, factor):
    """As published with the exploded-voxel tutorial."""
    mean = a.mean()
    return (a - mean) * factor + mean


def dirty(dtype=np.float64):
    return hnp.arrays(dtype, SHAPE, elements=DIRTY).filter(lambda a: np.isfinite(a).any())


# Ranges


@given(hnp.arrays(np.float64, SHAPE, elements=NUMBERS))
def test_normalize_reaches_0_and_1_exactly(a):
    assume(a.min() < a.max())
    scaled = vr.normalize(a)
    assert scaled.min() == 0
    assert scaled.max() == 1
    assert np.allclose(scaled, (a - a.min()) / (a.max() - a.min()))


@given(hnp.arrays(np.float64, SHAPE, elements=NUMBERS), st.floats(0.1, 0.9), st.floats(0.3, 3), st.floats(0, 4))
def test_contrast_is_the_published_recipe(a, black, gamma, gain):
    expected = np.clip(scale_by(np.clip(vr.normalize(a) - black, 0, 1) ** gamma, gain) - black, 0, 1)
    assert np.allclose(vr.contrast(a, black, gamma, gain), expected, atol=1e-12, rtol=0)


@given(hnp.arrays(np.int16, SHAPE, elements=st.integers(-2000, 2000)))
def test_contrast_by_default_and_in_float32(a):
    scaled = vr.normalize(a.astype(float))
    expected = np.clip(scale_by(np.clip(scaled - 0.1, 0, 1) ** 0.4, 2) - 0.1, 0, 1)
    ours = vr.contrast(a)
    assert ours.dtype == np.float32
    # The recipe's own power is steep just above black: a float32 rounding there shows.
    assert np.allclose(ours, expected, atol=5e-3)


@given(hnp.arrays(np.float64, SHAPE, elements=NUMBERS), st.floats(-3, 3))
def test_scale_by_keeps_the_mean(a, factor):
    assert np.allclose(vr.scale_by(a, factor), scale_by(a, factor))
    assert np.isclose(vr.scale_by(a, factor).mean(), a.mean(), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("value", [0, 7, -3.5, 1e30, True])
@pytest.mark.parametrize("function", [vr.normalize, vr.contrast, intensity.equalize])
def test_a_constant_becomes_zeros(function, value):
    assert not function(np.full((2, 3, 4), value)).any()


@given(st.one_of(dirty(np.float32), dirty(np.float64)))
def test_nothing_that_is_not_finite_comes_out(a):
    before = a.copy()
    for rescale in (
        vr.normalize,
        vr.contrast,
        intensity.equalize,
        lambda x: vr.scale_by(x, 2),
        lambda x: vr.window(x, 40, 400),
        lambda x: intensity.smooth(x, (1, 0.5, 2)),
    ):
        out = rescale(a)
        assert out.shape == a.shape
        assert np.isfinite(out).all()
        assert not np.shares_memory(out, a)
    assert np.array_equal(a, before, equal_nan=True)


@given(TYPES, SHAPE)
def test_every_type_gives_floats_in_0_to_1(dtype, shape):
    a = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
    for rescale in (vr.normalize, vr.contrast, intensity.equalize, lambda x: vr.window(x, 3, 4)):
        out = rescale(a)
        assert out.dtype in (np.float32, np.float64)
        assert out.dtype.isnative
        assert out.min() >= 0
        assert out.max() <= 1


def test_extremes_of_a_type_do_not_wrap():
    assert vr.normalize(np.array([-128, 0, 127], np.int8)).tolist() == pytest.approx([0, 128 / 255, 1])
    assert vr.normalize(np.array([0, 65535], np.uint16)).tolist() == [0, 1]
    assert vr.window(np.array([-32768, 0], np.int16), 0, 2).tolist() == [0, 0.5]
    assert intensity.threshold(np.array([-128, 5], np.int8), 100).tolist() == [-128, 0]


@pytest.mark.parametrize("function", [vr.normalize, vr.contrast, intensity.equalize, intensity.finite_range])
def test_what_has_no_finite_value_is_refused(function):
    refuses(ValueError, lambda: function(np.full((2, 2, 2), np.nan)), "must have finite values")
    refuses(ValueError, lambda: function(np.zeros((0, 2, 2))), "empty")


@given(st.floats(-1000, 1000), st.floats(0.1, 4000), st.floats(-5000, 5000))
def test_window_is_linear_between_its_ends(level, width, value):
    expected = np.clip((value - (level - width / 2)) / width, 0, 1)
    assert np.isclose(vr.window(np.array([value]), level, width)[0], expected, atol=1e-6)


def test_a_window_of_no_width_is_black():
    assert not vr.window([1.0, 2.0, np.inf], 1, 0).any()


@pytest.mark.parametrize(("level", "width"), [(0, -1), (np.nan, 1), (0, np.inf)])
def test_a_window_is_checked(level, width):
    refuses(
        ValueError, lambda: vr.window([0, 1], level, width), "a window needs a finite level and a width of 0 or more"
    )


@pytest.mark.parametrize("options", [{"gamma": 0}, {"gamma": np.nan}, {"black": np.nan}, {"gain": np.inf}])
def test_contrast_is_checked(options):
    refuses(ValueError, lambda: vr.contrast([0, 1], **options), "contrast needs finite numbers and a gamma above 0")


@given(hnp.arrays(np.float64, SHAPE, elements=NUMBERS), st.floats(0, 1e5))
def test_threshold_keeps_both_tails_as_they_were(a, level):
    out = intensity.threshold(a, level)
    assert np.array_equal(out, np.where(abs(a) >= level, a, 0))


def test_threshold_keeps_the_type_the_infinite_peaks_and_drops_nan():
    assert intensity.threshold(np.array([1, 9], np.uint8), 5).dtype == np.uint8
    assert intensity.threshold([np.nan, np.inf, -np.inf, 1], 3).tolist() == [0, np.inf, -np.inf, 0]


@pytest.mark.parametrize("level", [-1, np.nan])
def test_threshold_is_checked(level):
    refuses(ValueError, lambda: intensity.threshold([1], level), "must be 0 or more")


@given(hnp.arrays(np.float64, (5, 5, 5), elements=NUMBERS))
def test_equalize_keeps_order_and_background(a):
    out = intensity.equalize(a).ravel()
    assert not out[a.ravel() == a.min()].any()
    assert (np.diff(out[np.argsort(a, axis=None)]) >= 0).all()


def test_equalize_spreads_a_skewed_histogram_evenly():
    values = np.r_[np.zeros(1000), np.random.default_rng(0).gamma(2, 1, 8000)]
    inside = intensity.equalize(values.reshape(10, 30, 30)).ravel()[1000:]
    counts, _ = np.histogram(inside, bins=4, range=(0, 1))
    assert np.allclose(counts / 8000, 0.25, atol=0.03)


# Smoothing


def half_width(profile, mm):
    """The full width at half maximum of a peak, by linear interpolation."""
    above = np.flatnonzero(profile >= profile.max() / 2)
    left, right = above[0], above[-1]
    rise = (profile.max() / 2 - profile[left - 1]) / (profile[left] - profile[left - 1])
    fall = (profile[right] - profile.max() / 2) / (profile[right] - profile[right + 1])
    return (right + fall - (left - 1 + rise)) * mm


@pytest.mark.parametrize("fwhm", [6.0, 9.0])
def test_fwhm_is_in_millimetres_along_every_axis(fwhm):
    spacing = (1.0, 2.0, 1.5)
    data = np.zeros((41, 31, 35))
    data[20, 15, 17] = 1
    out = Volume(data, np.diag([*spacing, 1])).smooth(fwhm).data
    profiles = out[:, 15, 17], out[20, :, 17], out[20, 15, :]
    assert [half_width(p, mm) for p, mm in zip(profiles, spacing)] == pytest.approx([fwhm] * 3, rel=0.02)
    assert np.isclose(out.sum(), 1)


def test_smoothing_of_a_series_does_not_mix_frames():
    data = np.random.default_rng(0).normal(size=(6, 7, 8, 3))
    out = intensity.smooth(data, (1, 1, 1))
    assert np.allclose(out[..., 1], ndimage.gaussian_filter(data[..., 1], 1, mode="nearest"))


def test_smoothing_leaves_holes_out_instead_of_bleeding_zeros():
    data = np.full((9, 9, 9), 5.0)
    data[4, 4, 4] = np.nan
    assert np.allclose(intensity.smooth(data, (1, 1, 1)), 5)


def test_smoothing_by_nothing_changes_nothing():
    volume = Volume(np.random.default_rng(0).normal(size=(4, 4, 4)), np.eye(4))
    assert np.array_equal(volume.smooth(0).data, volume.data)


# Fewer voxels


@pytest.mark.parametrize("new", [8, 6, 4, 3])
def test_downsizing_a_checkerboard_gives_its_mean(new):
    board = (np.indices((16, 16, 16)).sum(axis=0) % 2).astype(float)
    out = intensity.downsize(board, (new,) * 3)
    assert np.allclose(out, 0.5, atol=0.06)


@given(hnp.arrays(np.int16, (5, 6, 7), elements=st.integers(0, 9)), st.tuples(*[st.integers(1, 5)] * 3))
def test_downsizing_labels_invents_none(labels, shape):
    out = intensity.downsize(labels, shape, labels=True)
    assert out.shape == shape
    assert out.dtype == labels.dtype
    assert set(np.unique(out)) <= set(np.unique(labels))


@given(hnp.arrays(np.float64, (5, 6, 7), elements=NUMBERS), st.tuples(*[st.integers(1, 5)] * 3))
def test_downsizing_stays_within_the_range(a, shape):
    out = intensity.downsize(a, shape)
    assert out.shape == shape
    assert a.min() - 1e-6 <= out.min()
    assert out.max() <= a.max() + 1e-6


def test_downsizing_a_series_is_frame_by_frame():
    series = np.random.default_rng(0).normal(size=(6, 6, 6, 2))
    out = intensity.downsize(series, (3, 3, 3))
    assert np.array_equal(out[..., 1], intensity.downsize(series[..., 1], (3, 3, 3)))


def test_downsizing_keeps_holes_as_holes():
    data = np.ones((8, 8, 8))
    data[:4] = np.nan
    out = intensity.downsize(data, (4, 4, 4))
    assert np.isnan(out[0]).all()
    assert np.allclose(out[2:], 1)


def test_downsizing_keeps_a_ramp_in_place():
    ramp = np.broadcast_to(np.arange(12.0), (2, 2, 12))
    assert np.allclose(intensity.downsize(ramp, (2, 2, 4))[0, 0, 1:-1], [4, 7])


# The exploded-voxel recipe, as published


def explode_as_published(data):
    shape_arr = np.array(data.shape)
    size = shape_arr[:3] * 2 - 1
    exploded = np.zeros(np.concatenate([size, shape_arr[3:]]), dtype=data.dtype)
    exploded[::2, ::2, ::2] = data
    return exploded


def expand_as_published(indices):
    x, y, z = indices
    x[1::2, :, :] += 1
    y[:, 1::2, :] += 1
    z[:, :, 1::2] += 1
    return x, y, z


@given(hnp.arrays(st.sampled_from([np.uint8, np.float32, bool]), SHAPE))
def test_explode_is_the_tutorials(a):
    before = a.copy()
    ours = vr.explode(a)
    assert np.array_equal(ours, explode_as_published(a), equal_nan=a.dtype.kind == "f")
    assert ours.dtype == a.dtype
    ours[...] = 1
    assert np.array_equal(a, before, equal_nan=a.dtype.kind == "f")


@given(st.tuples(*[st.integers(1, 6)] * 3))
def test_expand_coordinates_is_the_tutorials(shape):
    indices = np.indices(np.array(shape) + 1)
    before = indices.copy()
    ours = vr.expand_coordinates(indices)
    assert np.array_equal(indices, before)
    assert np.array_equal(ours, expand_as_published(indices.copy()))


def test_the_recipe_checks_its_shapes():
    refuses(ValueError, lambda: vr.explode(np.zeros((2, 2))), "three or more axes; got shape (2, 2)")
    refuses(ValueError, lambda: vr.expand_coordinates(np.zeros((2, 2, 2, 2))), "shape (3, a, b, c)")
