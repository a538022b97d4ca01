from itertools import pairwise

import numpy as np
import pytest
from helpers import ball, refuses
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from volrender import Histogram, Intensity, Isosurface, LabelMap, Volume, sample

EYE = np.eye(4)
NOISE = Volume(np.random.default_rng(0).normal(100, 10, (20, 20, 20)), EYE, name="noise", unit="HU")
SIGNED = Volume(np.random.default_rng(0).normal(size=(12, 12, 12)), EYE, name="zmap", unit="z")


def axes(layer, width=89):
    """The axes of the bars and of the opacity curve."""
    figure = Histogram(layer).figure(width, 100)
    bars, curve = [ax for ax in figure.axes if ax.patches or ax.get_lines()]
    return bars, curve


def heights(ax):
    return np.array([bar.get_height() for bar in ax.patches])


@pytest.mark.parametrize("volume", [NOISE, SIGNED, ball(), sample("mni152"), sample("motor")], ids=lambda v: v.name)
def test_the_bars_are_the_share_of_every_voxel(volume):
    bars, _ = axes(Intensity(volume))
    assert heights(bars).sum() == pytest.approx(100)
    low = [bar.get_x() for bar in bars.patches]
    assert np.allclose(np.diff(low), bars.patches[0].get_width())


def test_each_bar_counts_its_own_values():
    bars, _ = axes(Intensity(NOISE))
    for bar in bars.patches[::7]:
        left, right = bar.get_x(), bar.get_x() + bar.get_width()
        share = 100 * ((NOISE.data >= left) & (NOISE.data < right)).mean()
        assert bar.get_height() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(("cmap", "clim"), [("viridis", (80, 120)), ("gray", None)])
def test_bars_have_the_layers_colors(cmap, clim):
    layer = Intensity(NOISE, cmap=cmap, clim=clim)
    bars, _ = axes(layer)
    centers = np.array([bar.get_x() + bar.get_width() / 2 for bar in bars.patches])
    colors = np.array([bar.get_facecolor()[:3] for bar in bars.patches])
    assert np.allclose(colors, layer.look.rgb(centers), atol=1e-6)


def test_whole_numbers_fall_evenly_into_bins():
    volume = Volume(np.arange(1000, dtype=np.int16).reshape(10, 10, 10), EYE)
    bars, _ = axes(Intensity(volume))
    widths = {round(bar.get_width(), 9) for bar in bars.patches}
    assert widths == {11}
    assert len(set(np.round(heights(bars)[:-1], 9))) == 1


def test_the_curve_is_the_opacity_of_a_volume_rendering():
    nodes = ((80.0, 0.0), (100.0, 0.2), (120.0, 0.9))
    layer = Intensity(NOISE, opacity=nodes)
    bars, curve = axes(layer)
    (line,) = curve.get_lines()
    x, y = line.get_data()
    assert np.allclose(np.column_stack([x, y])[1:-1], nodes)
    assert (x[0], x[-1]) == bars.get_xlim() == curve.get_xlim()
    assert (y[0], y[-1]) == (0, 0.9)
    _, curve = axes(Intensity(NOISE))
    usual = curve.get_lines()[0].get_xydata()[1:-1]
    assert np.allclose(usual, Intensity(NOISE).look.nodes("volume"))


def test_labels_say_what_is_counted():
    bars, curve = axes(Intensity(NOISE))
    assert bars.get_xlabel() == "noise (HU)"
    assert "voxels" in bars.get_ylabel()
    assert "opacity" in curve.get_ylabel()
    bars, _ = axes(Intensity(Volume(NOISE.data, EYE)))
    assert bars.get_xlabel() == "intensity"


def test_a_bin_of_background_does_not_flatten_the_rest():
    volume = Volume(
        np.concatenate([np.zeros(90_000), np.random.default_rng(0).normal(100, 10, 10_000)]).reshape(100, 100, 10), EYE
    )
    bars, _ = axes(Intensity(volume))
    front = heights(bars)[1:].max()
    assert bars.get_ylim()[1] < 2 * front
    assert any("90 %" in text.get_text() for text in bars.texts)


@pytest.mark.parametrize(
    "data",
    [
        np.full((3, 3, 3), 7.0),
        np.full((3, 3, 3), 7, np.uint8),
        np.array([0, 1, np.nan, np.inf, -np.inf, 2, 3, 4]).reshape(2, 2, 2),
        np.arange(8).reshape(2, 2, 2) > 3,
        np.array([0, 2**62, 2**63 - 1, 5, 6, 7, 8, 9], dtype=np.int64).reshape(2, 2, 2),
        np.arange(8).reshape(2, 2, 2).astype(np.float16),
        np.arange(8).reshape(2, 2, 2) * 1e-12,
        np.arange(8).reshape(2, 2, 2) * 1e30,
    ],
    ids=["constant", "constant integers", "not finite", "mask", "large integers", "half", "tiny", "huge"],
)
def test_any_numbers_have_a_histogram(data):
    bars, _ = axes(Intensity(Volume(data, EYE)))
    assert heights(bars).sum() == pytest.approx(100)
    low, high = bars.get_xlim()
    assert low < high


def test_a_histogram_can_be_drawn_on_the_users_own_axes():
    ax = Figure().add_subplot()
    Histogram(NOISE).draw(ax)
    assert heights(ax).sum() == pytest.approx(100)


@pytest.mark.parametrize("width", [40, 89, 183])
def test_nothing_is_cut(width):
    figure = Histogram(SIGNED, title="A title").figure(width, 100)
    figure.canvas.draw()
    for ax in figure.axes:
        box = ax.get_tightbbox()
        if box is not None and ax.axison:
            assert figure.bbox.x0 - 0.5 <= box.x0 < box.x1 <= figure.bbox.x1 + 0.5
            assert figure.bbox.y0 - 0.5 <= box.y0 < box.y1 <= figure.bbox.y1 + 0.5


def test_only_intensities_have_a_histogram():
    refuses(TypeError, lambda: Histogram(Isosurface(ball())), "Histogram shows an Intensity; got Isosurface")
    mask = Volume(ball().data > 0, EYE, "labels")
    refuses(TypeError, lambda: Histogram(LabelMap(mask)), "Histogram shows an Intensity; got LabelMap")
    refuses(TypeError, lambda: Histogram(mask), "got LabelMap")
    refuses(ValueError, lambda: Histogram(Volume(np.full((2, 2, 2), np.nan), EYE, name="empty")).figure(), "empty: ")


def notes(parts):
    """What is said over the bars of a volume with so many voxels of each value, in percent."""
    values = np.concatenate([np.full(100 * share, value, np.int16) for value, share in parts.items()])
    figure = Histogram(Intensity(Volume(values.reshape(-1, 10, 10), EYE))).figure(89, 100)
    return sorted(text.get_text() for ax in figure.axes for text in ax.texts if "%" in text.get_text())


def test_bars_that_are_cut_say_how_much_they_hold_and_how_many_they_are():
    body = {100 + n: 1 for n in range(10)}
    assert notes({0: 90, **body}) == ["↑ 90 %"]
    assert notes({0: 50, 6: 40, **body}) == ["↑ 90 % in 2 bars"]


@pytest.mark.parametrize("font_size", [5, 7, 10])
def test_the_words_beside_the_axes_are_on_the_page(font_size):
    panel = Histogram(ball())  # numbers as wide as "12.5"
    panel.font_size = font_size
    figure = panel.figure(60, 100)
    figure.draw(figure.canvas.get_renderer())
    places = [ax.yaxis.label.get_window_extent() for ax in figure.axes if ax.get_ylabel()]
    assert min(box.x0 for box in places) >= 0
    assert max(box.x1 for box in places) <= figure.bbox.width


@pytest.mark.parametrize(("mean", "width"), [(8e-4, 89), (-1e5, 89), (-1e5, 50), (2e5, 60)])
def test_numbers_along_x_are_clear_of_one_another(mean, width):
    data = mean * np.abs(np.random.default_rng(0).normal(1, 0.3, (20, 24, 18)))
    bars, _ = axes(Intensity(Volume(data, EYE)), width)
    bars.figure.canvas.draw()
    low, high = bars.get_xlim()
    drawn = [text for text in bars.get_xticklabels() if low <= text.get_position()[0] <= high]
    ends = [text.get_window_extent() for text in drawn]
    assert ends
    assert all(one.x1 < other.x0 for one, other in pairwise(ends))


def test_a_place_that_is_too_low_is_refused_and_a_low_one_holds_all_words():
    page = Figure(figsize=(60 / 25.4, 15 / 25.4))
    refuses(ValueError, lambda: Histogram(NOISE).draw(page), "Histogram needs a height of 16 mm or more")
    page = Figure(figsize=(60 / 25.4, 20 / 25.4))
    Histogram(NOISE).draw(page)
    page.canvas.draw()
    said = [ax.yaxis.label.get_window_extent() for ax in page.findobj(Axes)]
    assert min(box.y0 for box in said) >= -0.5
    assert max(box.y1 for box in said) <= page.bbox.height + 0.5
