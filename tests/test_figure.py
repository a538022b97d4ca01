from itertools import product

import matplotlib as mpl
import numpy as np
import pytest
from helpers import ball, refuses
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as MplFigure
from printed import MM, assert_lettering_is_clear, needs_opengl, png_facts, words

from volrender import Figure, Histogram, Intensity, Isosurface, LabelMap, Plane, Scene, Slices, Volume, Voxels
from volrender.figure import BETWEEN
from volrender.io import Label

DPI = 100
BALL = ball(14, 5.0, spacing=10.0)
SIDE = np.indices(BALL.shape)[0] - 6.5
ZMAP = Volume(BALL.data / 100 * SIDE * 2, BALL.affine, name="left − right hand", unit="z").threshold(3.1)
NAMES = {n: Label(f"region {n}", (0.1 * n, 0.2, 0.3)) for n in range(1, 4)}
REGIONS = Volume(np.where(BALL.data > 0, np.indices(BALL.shape)[0] // 4, 0), BALL.affine, "labels", labels=NAMES)
MANY = Volume(np.arange(2744).reshape(BALL.shape) % 30, BALL.affine, "labels", name="many")

PANELS = {
    "slices": lambda: Slices(BALL),
    "slices, map": lambda: Slices(BALL, Intensity(ZMAP), z=[-20, 0, 20, 30, 40]),
    "slices, many": lambda: Slices(BALL, z=np.arange(-50, 60, 10.0), title="Many"),
    "slices, legend": lambda: Slices(BALL, LabelMap(REGIONS), Intensity(ZMAP), x=[0], y=[1], radiological=True),
    "slices, long legend": lambda: Slices(BALL, LabelMap(MANY), y=0),
    "voxels": lambda: Voxels(BALL, size=6),
    "voxels, map": lambda: Voxels(Intensity(ZMAP), size=6, camera=(20, 60), title="A map"),
    "voxels, bare": lambda: Voxels(BALL, size=6, axes=False),
    "voxels, bare, legend": lambda: Voxels(LabelMap(REGIONS), size=6, axes=False, camera=(60, 100)),
    "histogram": lambda: Histogram(BALL),
    "histogram, map": lambda: Histogram(ZMAP, title="A map"),
}
SCENES = {
    "scene": lambda: Scene(Isosurface(BALL, 50)),
    "scene, legend": lambda: Scene(LabelMap(REGIONS), Isosurface(BALL, 50, opacity=0.2), camera=(45, 100), title="T"),
    "scene, bare": lambda: Scene(Isosurface(BALL, 50), annotate=False),
}
EVERY = [*PANELS, *(pytest.param(name, marks=needs_opengl) for name in SCENES)]


def make(name):
    return (PANELS | SCENES)[name]()


def letters(page):
    """Letter to its place in mm from the page's upper left corner."""
    found = [t for t in page.findobj(mpl.text.Text) if t.get_fontweight() == "bold"]
    places = {t.get_text(): t.get_window_extent().get_points()[[0, 1], [0, 1]] for t in found}
    return {letter: np.array([x, page.bbox.height - y]) * MM / page.dpi for letter, (x, y) in places.items()}


# No text on another, none beside the page


@pytest.mark.parametrize(
    ("name", "width", "font_size"),
    [
        *(each for name in PANELS for each in ((name, 89, 7), *product([name], (60, 183), (5, 10)))),
        *(pytest.param(name, *place, marks=needs_opengl) for name in SCENES for place in ((60, 10), (89, 7), (60, 5))),
    ],
)
def test_a_panels_lettering_is_clear(name, width, font_size):
    panel = make(name)
    panel.font_size = font_size
    assert_lettering_is_clear(panel.figure(width, DPI), slack=0.1 * DPI / MM)


@pytest.mark.parametrize("camera", ["left", "anterior", "superior", "inferior", (5, 5), (85, 40), (-30, 225), (15, 20)])
@pytest.mark.parametrize("axes", [True, False])
def test_the_lettering_of_voxels_is_clear_from_any_side(camera, axes):
    panel = Voxels(BALL, size=4, camera=camera, axes=axes)
    assert_lettering_is_clear(panel.figure(60, DPI), slack=0.1 * DPI / MM)


@pytest.mark.parametrize("font_size", [5, 7, 10])
@pytest.mark.parametrize(
    "rows",
    [
        [["slices", "histogram"]],
        [["slices, map"], ["voxels", "histogram, map"]],
        [["voxels, bare", "voxels, bare, legend", "voxels"], ["slices, many"]],
        [["slices, legend", "voxels, map"]],
        pytest.param([["scene", "slices, map"]], marks=needs_opengl),
        pytest.param([["scene, legend", "voxels, map", "scene, bare"]], marks=needs_opengl),
    ],
)
def test_a_figures_lettering_is_clear(rows, font_size):
    page = Figure([[make(name) for name in row] for row in rows], font_size=font_size)
    said = assert_lettering_is_clear(page.figure(dpi=DPI), slack=0.1 * DPI / MM)
    assert set("abcdefg"[: sum(map(len, rows))]) <= set(said)


# Rows, widths and letters


@pytest.mark.parametrize("width", ["single", "1.5", "double", 150])
@pytest.mark.parametrize("row", [["slices", "histogram"], ["voxels", "voxels, bare", "slices"], ["slices, map"]])
def test_the_panels_of_a_row_are_equally_high_and_fill_it(row, width):
    page = Figure([[make(name) for name in row]], width=width)
    widths = page._widths(page.rows[0], page.width)
    heights = [panel.height(w) for panel, w in zip(page.rows[0], widths)]
    assert sum(widths) + BETWEEN * (len(row) - 1) == pytest.approx(page.width)
    # A narrow panel may be kept higher by its words, or break its tiles into rows.
    assert np.allclose(heights, heights[0], rtol=0.1 if page.width < 100 else 0.03)


def test_a_panel_never_gets_less_than_a_third_of_its_share():
    page = Figure([[Slices(BALL, z=[0, 10, 20, 30, 40, 50]), Histogram(BALL), Voxels(BALL, size=4)]])
    assert min(page._widths(page.rows[0], 183)) >= (183 - 2 * BETWEEN) / 9 - 1e-6


def test_heights_add_up():
    a, b = Slices(BALL, z=0), Histogram(BALL)
    one, other = Figure([a], letters=False), Figure([b], letters=False)
    both = Figure([[a], [b]], letters=False)
    assert both.height(100) == pytest.approx(one.height(100) + other.height(100) + BETWEEN)
    assert one.height(100) == pytest.approx(a.height(100))
    assert Figure([a]).height(100) > one.height(100)


def test_the_page_has_its_width_and_height(tmp_path):
    page = Figure([[Slices(BALL, z=0), Histogram(BALL)], [Voxels(BALL, size=4)]], width=120)
    page.save(tmp_path / "f.png", dpi=80)
    assert png_facts(tmp_path / "f.png")[:2] == (round(120 / MM * 80), round(page.height(120) / MM * 80))


def test_letters_follow_the_rows():
    page = Figure([[Slices(BALL, z=0), Histogram(BALL)], [Histogram(BALL)], [Slices(BALL, y=0), Slices(BALL, x=0)]])
    where = letters(page.figure(dpi=DPI))
    assert sorted(where) == ["a", "b", "c", "d", "e"]
    x, y = np.array([where[letter] for letter in "abcde"]).T
    assert y[0] == pytest.approx(y[1])
    assert y[3] == pytest.approx(y[4])
    assert y[0] < y[2] < y[3]
    assert np.allclose(x[[0, 2, 3]], x[0])
    assert x[1] > x[0] + 30
    assert x[0] < 1.5
    assert y[0] < 1.5


def test_letters_are_bold_and_a_point_larger():
    page = Figure([Slices(BALL, z=0)], font_size=8).figure(dpi=DPI)
    (letter,) = [t for t in page.findobj(mpl.text.Text) if t.get_text() == "a"]
    assert (letter.get_fontsize(), letter.get_fontweight()) == (9, "bold")


def test_letters_may_be_left_out():
    assert "a" not in words(Figure([Slices(BALL, z=0)], letters=False).figure(dpi=DPI))


def test_type_is_the_figures_in_every_panel():
    page = Figure([[Slices(BALL, z=0), Voxels(BALL, size=4)]], font_size=9).figure(dpi=DPI)
    sizes = {t.get_fontsize() for t in page.findobj(mpl.text.Text) if t.get_text().strip()}
    assert sizes <= {8, 9, 10}


def test_rows_can_be_given_short():
    assert repr(Figure([BALL, BALL])) == "<Figure: 183 mm, 2 panels>"
    assert repr(Figure([[BALL], BALL], width="single")) == "<Figure: 89 mm, 1 / 1 panels>"
    (row,) = Figure([BALL]).rows
    assert isinstance(row[0], Slices)
    (row,) = Figure([Intensity(BALL)]).rows
    assert row[0].layers[0].volume is BALL


@needs_opengl
def test_a_scene_has_exactly_the_pixels_of_its_place():
    page = Figure([[Scene(Isosurface(BALL, 50)), Slices(BALL)]]).figure(dpi=DPI)
    images = [ax.images[0] for ax in page.axes if ax.images]
    assert len(images) == 2
    for image in images:
        box = np.array(image.axes.get_window_extent().bounds)
        assert np.allclose(box, np.round(box), atol=1e-6)
        assert tuple(np.round(box[2:]).astype(int)) == image.get_array().shape[1::-1]


# Into the user's own matplotlib


def blank(width=6.0, height=4.0):
    page = MplFigure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(page)
    return page


def boxes(page):
    return np.array([ax.get_window_extent().get_points() for ax in page.axes])


@pytest.mark.parametrize("name", EVERY)
def test_a_panel_is_drawn_into_a_subfigure(name):
    page = blank()
    left, right = page.subfigures(1, 2, width_ratios=(1, 2))
    right.subplots()
    make(name).draw(left)
    drawn = [ax.get_window_extent() for ax in left.axes if not hasattr(ax, "zaxis")]
    assert drawn
    assert max(box.x1 for box in drawn) <= 202
    assert min(box.x0 for box in drawn) >= -2
    FigureCanvasAgg(page).draw()


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("histogram", "histogram, map")])
def test_a_panel_is_drawn_in_the_place_of_axes(name):
    page = blank()
    _, ax = page.subplots(1, 2)
    before = ax.get_window_extent()
    make(name).draw(ax)
    assert not ax.axison
    drawn = [a.get_window_extent() for a in page.axes[2:] if not hasattr(a, "zaxis")]
    assert min(box.x0 for box in drawn) >= before.x0 - 2
    assert max(box.x1 for box in drawn) <= before.x1 + 2
    FigureCanvasAgg(page).draw()


def test_a_histogram_is_drawn_onto_axes():
    page = blank()
    ax = page.subplots()
    place = ax.get_position().bounds
    Histogram(BALL).draw(ax)
    assert ax.get_position().bounds == place
    assert ax.patches
    assert ax.get_ylabel() == "voxels (%)"


def test_voxels_are_drawn_onto_3_d_axes_whose_view_stays():
    page = blank()
    ax = page.add_subplot(projection="3d")
    ax.view_init(12, 34)
    ax.set(xlim=(-500, 500))
    Voxels(BALL, size=4).draw(ax)
    assert (ax.elev, ax.azim) == (12, 34)
    assert ax.get_xlim() == (-500, 500)
    assert len(ax.collections) == 1
    FigureCanvasAgg(page).draw()


def test_drawing_leaves_the_users_settings():
    page = blank()
    with mpl.rc_context({"font.size": 23.0}):
        Slices(BALL, z=0).draw(page)
        assert mpl.rcParams["font.size"] == 23.0
    assert {t.get_fontsize() for t in page.findobj(mpl.text.Text) if t.get_text()} == {7.0}


# What is refused


def test_rows_that_are_none():
    refuses(TypeError, lambda: Figure(BALL), "Figure takes rows of panels, [[a, b], [c]]; got")
    refuses(TypeError, lambda: Figure([]), "Figure takes rows of panels")
    refuses(ValueError, lambda: Figure([[BALL], []]), "every row of a Figure must hold a panel; got an empty one")


def test_words_and_values_that_are_not_ours():
    refuses(TypeError, lambda: Figure([BALL], figsize=(3, 4)), "Figure takes width, not figsize")
    refuses(TypeError, lambda: Figure([BALL], facecolor="red"), "Figure takes background, not facecolor")
    refuses(TypeError, lambda: Figure([BALL], letter=True), "did you mean letters?")
    refuses(ValueError, lambda: Figure([BALL], width="wide"), "width must be single, 1.5, double")
    refuses(ValueError, lambda: Figure([BALL], font_size=1), "font_size must be between 3 and 30 points; got 1")
    refuses(ValueError, lambda: Figure([BALL], background="pinkish"), "background must be")
    refuses(ValueError, lambda: Figure([BALL]).figure("wide"), "width must be")
    refuses(ValueError, lambda: Figure([BALL]).figure(dpi=1), "dpi must be")


def test_what_a_panel_cannot_be_drawn_on():
    refuses(TypeError, lambda: Slices(BALL).draw("ax"), "draw takes matplotlib axes, a figure or a subfigure; got str")
    refuses(TypeError, lambda: Histogram(BALL).draw(None), "got NoneType")
    refuses(TypeError, lambda: Voxels(BALL).draw([]), "got list")


def test_panels_need_something_to_show():
    for panel in (Slices, Voxels, Scene):
        refuses(TypeError, lambda panel=panel: panel(), f"{panel.__name__} needs a layer, or a volume; got none")
    hidden = Intensity(BALL, clip=[Plane(x=-999)])
    for panel in (Slices, Voxels, Scene):
        refuses(ValueError, lambda panel=panel: panel(hidden).height(89), "to be seen")
    refuses(TypeError, lambda: Histogram(LabelMap(REGIONS)), "Histogram shows an Intensity; got LabelMap")


@pytest.mark.parametrize("panel", [Slices, Scene, Voxels])
def test_foreign_words_of_panels(panel):
    refuses(TypeError, lambda: panel(BALL, frobnicate=1), "has no frobnicate; it takes")
    refuses(TypeError, lambda: panel(BALL, bgcolor="red"), f"{panel.__name__} takes background, not bgcolor")
    if panel is Slices:
        refuses(TypeError, lambda: panel(BALL, cut_coords=[1]), "Slices takes x, y or z, not cut_coords")
    else:
        refuses(TypeError, lambda: panel(BALL, elev=1), f"{panel.__name__} takes camera, not elev")
