import numpy as np
import pytest
from helpers import ball, refuses
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib import colormaps
from matplotlib.colors import ListedColormap
from scipy import ndimage
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab

from volrender import Intensity, Volume, color, looks, sample
from volrender.surveys import survey

NOISE = np.random.default_rng(7)
MAP = NOISE.normal(size=(24, 24, 24))
T1 = ndimage.gaussian_filter(np.where(ball(32).data > 0, NOISE.normal(800, 60, (32,) * 3), 0), 0.7).astype(np.float32)
CT = np.where(ball(32).data > 0, NOISE.integers(20, 80, (32,) * 3), -1000).astype(np.int16)
VALUES = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=3, max_dims=4, max_side=4),
    elements=st.one_of(st.floats(-1e6, 1e6, width=32), st.just(np.nan), st.just(np.inf)),
).filter(lambda a: np.isfinite(a).any())
PANELS = ["slice", "overlay", "voxel", "volume"]


# Surveys


@given(VALUES)
def test_a_survey_is_sound_for_any_values(a):
    seen = survey(a)
    finite = a[np.isfinite(a)]
    assert (seen.low, seen.high) == (finite.min(), finite.max())
    assert seen.low <= seen.air <= seen.high
    assert seen.robust[0] <= seen.robust[1]
    assert seen.smallest >= 0
    assert all(map(np.isfinite, (*seen.robust, seen.air, seen.smallest)))


def test_a_statistical_map_is_signed_and_symmetric():
    for data in (MAP, np.where(abs(MAP) > 2.3, MAP, 0), np.where(MAP > -1, MAP * 3, MAP)):
        seen = survey(data)
        assert seen.signed
        assert seen.robust[0] == -seen.robust[1]
    assert survey(np.where(abs(MAP) > 2.3, MAP, 0)).smallest == pytest.approx(2.3, abs=0.01)


def test_the_negative_side_of_a_map_is_signed():
    seen = survey(np.minimum(MAP, 0))
    assert seen.signed
    assert seen.robust[0] == -seen.robust[1]
    assert not survey(-1 - abs(MAP)).signed  # no zeros: all in decibels, say


def test_a_thresholded_map_with_few_deactivations_is_signed():
    data = np.zeros((20, 20, 20))
    data[:4, :4] = NOISE.uniform(3, 8, (4, 4, 20))
    data[10, 10, :8] = -4.5
    assert survey(data).signed


@pytest.mark.parametrize(
    "data", [T1, T1.astype(np.int16), CT, CT.astype(np.uint16), abs(MAP), np.where(MAP > 3, MAP, 0)]
)
def test_images_are_not_signed(data):
    assert not survey(data).signed


@pytest.mark.parametrize("order", [3, 5])
def test_an_image_that_undershoots_after_spline_resampling_is_not_signed(order):
    for data in (T1, sample("mni152").data.astype(np.float32)[::2, ::2, ::2]):
        resampled = ndimage.zoom(data, 0.8, order=order)
        assert resampled.min() < 0
        assert not survey(resampled).signed


def test_air_parts_the_subject_from_its_surroundings():
    assert 0 < survey(T1).air < 740
    assert -1000 < survey(CT).air < 20
    head = sample("mni152")
    assert 0.2 < (head.data > head.survey.air).mean() < 0.6


def test_the_two_values_of_a_mask_are_parted_well_between():
    assert survey(ball().data).air == pytest.approx(25, abs=1)


def test_robust_limits_ignore_a_hot_voxel():
    data = T1.copy()
    data[0, 0, 0] = 1e6
    assert survey(data).robust[1] < 1200


def test_default_limits_are_those_of_the_subject_with_its_dark_insides():
    noise = NOISE.normal(20, 4, (30, 30, 30)).clip(0)
    head = noise.copy()
    head[6:24, 6:24, 6:24] = NOISE.uniform(100, 200, (18, 18, 18))
    low, high = look(head).clim
    assert low == pytest.approx(102, abs=1)
    assert high == pytest.approx(200, abs=1)
    head[10:20, 10:20, 10:20] = NOISE.uniform(40, 60, (10, 10, 10))
    assert look(head).clim == pytest.approx((42, high), abs=2)
    assert survey(head).floor < 20


def test_colors_do_not_move_what_is_transparent():
    wide = look(T1, clim=(float(survey(T1).floor), 1000.0))
    assert look(T1).clim != wide.clim
    assert look(T1).air == pytest.approx(wide.air)
    assert look(T1).nodes("volume")[:2] == wide.nodes("volume")[:2]
    assert look(T1).span("composite")[0] == wide.span("composite")[0]


@pytest.mark.parametrize("value", [0, 5, -3.5, 1e30])
def test_a_constant_survey(value):
    seen = survey(np.full((3, 3, 3), value))
    assert (seen.low, seen.high, seen.air, seen.signed) == (value, value, value, False)


def test_values_that_differ_by_rounding_only_are_a_constant():
    data = np.ones((4, 4, 4))
    data[0] += 2**-52
    assert not survey(data).signed


def test_a_lone_voxel_in_a_large_volume_is_not_overlooked():
    data = np.zeros((140, 140, 140), np.uint8)
    data[71, 71, 71] = 9
    seen = survey(data)
    assert (seen.high, seen.smallest) == (9, 9)
    assert 0 < seen.air < 9


def test_a_survey_of_nothing():
    refuses(ValueError, lambda: survey(np.full((2, 2, 2), np.nan)), "must have finite values")


# Looks


def look(data, **options):
    chosen = {"clim": None, "cmap": None, "opacity": None} | options
    return looks.make_look(survey(data), **chosen)


def test_default_looks():
    assert (look(T1).cmap.name, look(T1).chosen) == ("gray", False)
    assert (look(MAP).cmap.name, look(MAP).chosen) == ("coolwarm", True)
    low, high = look(MAP).clim
    assert low == -high
    assert survey(MAP).robust[1] <= high <= 1.1 * survey(MAP).robust[1]
    assert float(f"{high:.2g}") == high
    assert look(T1, cmap="gray").chosen
    assert look(T1, clim=(1.0, 2.0)).clim == (1, 2)


@pytest.mark.parametrize("value", [0, 7, -1e18, 1e18])
def test_the_look_of_a_constant_has_a_range(value):
    constant = look(np.full((2, 2, 2), float(value)))
    assert constant.clim[0] < value < constant.clim[1]
    assert np.allclose(constant.rgb(value), 0.5, atol=0.01)


def test_colors_are_the_colormaps_within_clim_and_its_ends_beyond():
    hot = look(T1, clim=(0.0, 255.0), cmap="hot")
    values = np.arange(256)
    assert np.allclose(hot.rgb(values), colormaps["hot"](values)[:, :3])
    assert np.array_equal(hot.rgb([-1e9, -np.inf]), hot.rgb([0, 0]))
    assert np.array_equal(hot.rgb([1e9, np.inf]), hot.rgb([255, 255]))
    assert np.isfinite(hot.rgb([np.nan])).all()
    assert hot.rgb(np.zeros((2, 3))).shape == (2, 3, 3)


@given(VALUES, st.one_of(st.none(), st.just((2.0, 5.0)), st.just((-5.0, -2.0)), st.just((-1.0, 1.0))))
def test_every_panel_gets_a_rising_curve_within_0_and_1(a, clim):
    for opacity in (None, 0.4, ((0.0, 0.1), (3.0, 1.0))):
        chosen = look(a, clim=clim, opacity=opacity)
        for panel in PANELS:
            values, opacities = np.array(chosen.nodes(panel)).T
            assert (np.diff(values) >= 0).all()
            assert opacities.min() >= 0
            assert opacities.max() <= 1
            alpha = chosen.alpha(a, panel)
            assert alpha.shape == a.shape
            assert not alpha[~np.isfinite(a)].any()
            assert alpha.min() >= 0
            assert alpha.max() <= 1


@pytest.mark.parametrize("panel", PANELS)
def test_a_signed_map_shows_both_tails_and_hides_its_zeros(panel):
    chosen = look(np.where(abs(MAP) > 2.3, MAP, 0))
    assert chosen.alpha([-3, -2.4, 0, 1e-9, 2.4, 3], panel).tolist() == [1, 1, 0, 0, 1, 1]


def test_tissue_shows_and_air_does_not():
    chosen = look(CT)
    assert chosen.alpha([-1000, 50], "overlay").tolist() == [0, 1]
    assert chosen.alpha([-1000, 50], "volume").tolist() == [0, 1]
    assert chosen.alpha([-1000, 50], "slice").tolist() == [1, 1]


def test_a_number_is_the_top_of_each_panels_own_curve():
    third = look(T1, opacity=0.3)
    assert np.allclose(third.alpha([0, 400, 800], "slice"), 0.3)
    assert np.allclose(third.alpha([0, 400, 800], "overlay"), [0, 0.3, 0.3])
    assert np.allclose(third.alpha([0, 400, 800], "voxel"), [0, 0.3, 0.3])
    level = np.abs(MAP[MAP != 0]).min()
    shown = look(MAP, opacity=0.6).alpha([-level, 0, level / 2, level], "overlay")
    assert np.allclose(shown, [0.6, 0, 0, 0.6])


def test_a_map_whose_limits_leave_one_side_out_does_not_show_it():
    values = [-4, -2, 0, 2, 4]
    assert look(MAP, clim=(1.0, 4.0)).alpha(values, "overlay").tolist() == [0, 0, 0, 1, 1]
    assert look(MAP, clim=(-4.0, -3.0)).alpha(values, "overlay").tolist() == [1, 0, 0, 0, 0]


def test_a_window_hides_what_is_below_it_where_air_is_not_shown():
    windowed = look(T1, clim=(300.0, 800.0))
    assert windowed.alpha([200, 290, 310, 900], "overlay").tolist() == [0, 0, 1, 1]
    assert windowed.alpha([200], "volume")[0] < 0.2


def test_steps_belong_to_both_sides():
    nodes = ((0.0, 0.2), (1.0, 0.2), (1.0, 0.8), (2.0, 0.8))
    assert looks.interpolate([0.99, 1, 1.01, 9], nodes).round(3).tolist() == [0.2, 0.8, 0.8, 0.8]
    assert looks.interpolate([1], ((0, 1), (1, 1), (1, 0), (2, 0))).tolist() == [1]


# Checks


@pytest.mark.parametrize("value", [(1, 2), [1, 2], np.array([1, 2]), ("1", "2")])
def test_clim_becomes_two_floats(value):
    assert color.as_clim(value) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        ((3, 1), ValueError, "clim must be increasing and finite; got (3, 1)"),
        ((1, 1), ValueError, "increasing"),
        ((0, np.nan), ValueError, "increasing and finite"),
        ((-np.inf, 0), ValueError, "increasing and finite"),
        (3, TypeError, "clim must be (low, high); got 3"),
        ((1, 2, 3), TypeError, "clim must be (low, high)"),
        ((None, 3), TypeError, "clim must be (low, high)"),
        ("robust", TypeError, "got 'robust'"),
    ],
)
def test_clim_is_checked(value, kind, says):
    refuses(kind, lambda: color.as_clim(value), says)


@pytest.mark.parametrize(("value", "becomes"), [(None, None), (1, 1.0), (np.float32(0.5), 0.5), (0, 0.0)])
def test_opacity_becomes_a_float(value, becomes):
    assert color.as_opacity(value) == becomes


def test_opacity_nodes_become_floats():
    assert color.as_opacity([(0, 0), (5, 1)]) == ((0.0, 0.0), (5.0, 1.0))
    assert color.as_opacity(np.array([[0, 0], [5, 1]])) == ((0.0, 0.0), (5.0, 1.0))


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        (1.1, ValueError, "opacity must be between 0 and 1; got 1.1"),
        (-0.1, ValueError, "between 0 and 1"),
        (np.nan, ValueError, "between 0 and 1"),
        ("half", TypeError, "opacity must be a number, or nodes"),
        ([0.1, 0.2], TypeError, "opacity must be a number, or nodes"),
        ({0: 1}, TypeError, "opacity must be a number, or nodes"),
        ([], ValueError, "two or more"),
        ([(0, 1)], ValueError, "two or more"),
        ([(1, 0), (0, 1)], ValueError, "rising order"),
        ([(0, 0), (1, 2)], ValueError, "with opacities between 0 and 1"),
        ([(0, 0), (np.nan, 1)], ValueError, "finite"),
        ([(0, 0), (1, np.nan)], ValueError, "finite"),
    ],
)
def test_opacity_is_checked(value, kind, says):
    refuses(kind, lambda: color.as_opacity(value), says)


def test_a_diverging_colormap_has_its_middle_at_zero_whatever_the_limits():
    signed = survey(np.linspace(-9.0, 9.0, 4000).reshape(10, 20, 20) + 1e-3)
    whole = looks.make_look(signed, (-8, 8), None, None)
    for clim in ((3.1, 8), (0, 8), (-8, -2), (-4, 8)):
        part = looks.make_look(signed, clim, None, None)
        values = np.linspace(*clim, 9)
        assert np.abs(part.rgb(values) - whole.rgb(values)).max() < 0.02
    assert looks.make_look(signed, (3, 8), "coolwarm", None).rgb(3)[2] > 0.7  # as it was asked for


def test_cmap_by_name_or_itself():
    mine = ListedColormap(["red", "blue"])
    assert color.as_cmap(mine) is mine
    assert color.as_cmap("hot").name == "hot"
    refuses(ValueError, lambda: color.as_cmap("virids"), "there is no colormap 'virids'; did you mean viridis")
    refuses(ValueError, lambda: color.as_cmap("qqqqqq"), "choose from")
    refuses(TypeError, lambda: color.as_cmap(3), "cmap must be the name of a matplotlib colormap, or a Colormap; got 3")


@pytest.mark.parametrize(
    ("value", "rgb"), [("red", (1, 0, 0)), ("#0f0", (0, 1, 0)), ((0, 0, 1), (0, 0, 1)), ("0.5", (0.5, 0.5, 0.5))]
)
def test_colors_in_all_of_matplotlibs_ways(value, rgb):
    assert color.as_rgb(value) == rgb


@pytest.mark.parametrize("value", ["rde", "none", None, 0.5, (1, 2, 3), (1, 0), [], np.nan])
def test_a_color_is_checked(value):
    refuses(ValueError, lambda: color.as_rgb(value), "color must be a matplotlib color", repr(value))


@pytest.mark.parametrize("many", [1, 7, 8, 138, 400])
def test_labels_get_colors_of_their_own(many):
    labels = list(range(5, 5 + many))
    chosen = color.label_colors(labels)
    assert list(chosen) == labels
    assert len({tuple(np.round(rgb, 3)) for rgb in chosen.values()}) == many
    assert np.ptp(list(chosen.values())) <= 1


@pytest.mark.parametrize(("many", "apart", "least"), [(20, 20, 10), (138, 34, 5)])
def test_labels_near_one_another_are_told_apart(many, apart, least):
    """By CIEDE2000, where about 2 is the least that is noticed."""
    lab = rgb2lab(np.array([*color.label_colors(range(many)).values()]))
    for step in range(1, apart):
        assert deltaE_ciede2000(lab[step:], lab[:-step]).min() > least


def test_a_volume_is_surveyed_once_and_in_any_order():
    volume = Volume(T1, np.diag([-1, 1, 1, 1]))
    assert volume.survey is volume.survey
    assert volume.survey == Volume(T1[::-1], np.eye(4)).survey


# What a color-blind reader sees of linear RGB (Machado, Oliveira and Fernandes, IEEE TVCG 15, 2009; severity 1).
SIGHTS = {
    "all": np.eye(3),
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("count", [2, 7, 14])
def test_default_label_colors_can_be_told_apart(count, sight):
    colors = np.array(list(color.label_colors(range(1, count + 1)).values()))
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(SIGHTS[sight]), 0, 1)
    lab = rgb2lab(np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)[None])[0]
    apart = deltaE_ciede2000(lab[:, None], lab[None])
    assert apart[~np.eye(count, dtype=bool)].min() > 10


def test_a_maximum_projection_has_the_range_of_what_it_shows():
    """Of a bright core in a dimmer shell, in noise: the shell is not white, and the core not black with it."""
    far = np.sqrt(((np.indices((40, 40, 40)) - 20.0) ** 2).sum(axis=0))
    data = np.select([far < 4, far < 15], [100, 60], 0.0) + np.random.default_rng(0).uniform(0, 5, far.shape)
    data[0, 0, 0] = np.nan
    volume = Volume(data, np.eye(4))
    low, high = Intensity(volume, blend="maximum").look.clim
    assert 60 < low < 70
    assert 100 < high <= 105
    usual = Intensity(volume).look.clim  # a mean is of all along a ray, faint or not
    assert Intensity(volume, blend="average").look.clim == (volume.survey.air, usual[1]) != usual != (low, high)
    assert Intensity(volume, blend="maximum", clim=(0, 50)).look.clim == (0, 50)
    turned = Volume(data.transpose(2, 0, 1)[::-1], np.eye(4))
    assert Intensity(turned, blend="maximum").look.clim == (low, high)
    flat = Intensity(Volume(np.full((3, 3, 3), 7.0), np.eye(4)), blend="maximum")
    assert flat.look.clim[0] < 7 < flat.look.clim[1]


def test_the_hues_of_many_labels_are_those_of_the_cie():
    place = np.arange(60)
    turns, chroma = place * (3 - np.sqrt(5)) * np.pi, np.where(place // 21 % 2, 20, 48)
    lab = np.stack([50.0 + 15 * (place % 3), chroma * np.cos(turns), chroma * np.sin(turns)], axis=-1)
    assert np.allclose(list(color.label_colors(range(60)).values()), lab2rgb(lab[None])[0].clip(0, 1), atol=1e-5)


def test_a_side_of_a_map_whose_color_the_bar_lacks_is_told():
    with pytest.warns(UserWarning, match=r"clim \(-2, 8\) begins within the threshold: values of -3.1 and less"):
        assert Intensity(sample("motor"), level=3.1, clim=(-2, 8)).look.clim == (-2, 8)
