from dataclasses import replace
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from helpers import ball, refuses
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as MplFigure
from printed import MM, assert_lettering_is_clear, assert_pictures_are_clear, png_facts, texts, words

from volrender import (
    Annotation,
    Drawing,
    Figure,
    Histogram,
    Intensity,
    Isosurface,
    LabelMap,
    Plane,
    Scene,
    Slices,
    Volume,
    Voxels,
    rows,
)
from volrender.draw import slices
from volrender.draw.annotate import Frame, Raster
from volrender.io import Label
from volrender.panel import Panel
from volrender.rows import BETWEEN
from volrender.sharing import shared

DPI = 100
BALL = ball(14, 5.0, spacing=10.0)
SIDE = np.indices(BALL.shape)[0] - 6.5
ZMAP = Volume(BALL.data / 100 * SIDE * 2, BALL.affine, name="left − right hand", unit="z").threshold(3.1)
NAMES = {n: Label(f"region {n}", (0.1 * n, 0.2, 0.3)) for n in range(1, 4)}
REGIONS = Volume(np.where(BALL.data > 0, np.indices(BALL.shape)[0] // 4, 0), BALL.affine, "labels", labels=NAMES)
OBLONG = Volume(np.full((12, 36, 12), 9.0), np.diag([5.0, 5, 5, 1]))
MANY = Volume(np.arange(2744).reshape(BALL.shape) % 30, BALL.affine, "labels", name="many")

PANELS = {
    "slices": lambda: Slices(BALL),
    "slices, map": lambda: Slices(BALL, Intensity(ZMAP), z=[-20, 0, 20, 30, 40]),
    "slices, many": lambda: Slices(BALL, z=np.arange(-50, 60, 10.0), title="Many"),
    "slices, mosaic": lambda: Slices(OBLONG, n=2),
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
EVERY = [*PANELS, *SCENES]


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
        *(each for name in PANELS for each in ((name, 89, 7), (name, 60, 8), (name, 183, 10))),
        *((name, *place) for name in SCENES for place in ((60, 10), (89, 7))),
    ],
)
def test_a_panels_lettering_is_clear(name, width, font_size):
    panel = make(name)
    panel.font_size = font_size
    assert_lettering_is_clear(panel.figure(width, DPI), slack=0.1 * DPI / MM)


@pytest.mark.parametrize("name", EVERY)
def test_a_panel_is_as_narrow_as_its_lettering_allows_and_not_narrower(name):
    panel = make(name)
    least = np.ceil(10 * panel.narrowest(7.0)) / 10
    assert_lettering_is_clear(panel.figure(max(least, 10), DPI), slack=0.1 * DPI / MM)
    if least > 10.5:
        refuses(
            ValueError,
            lambda: panel.figure(least - 0.2),
            f"{type(panel).__name__} needs a width of {least:g} mm or more for its lettering of 7 points; got",
        )
    page = Figure([[panel]], width=10)
    refuses(
        ValueError, page.figure, f"the {type(panel).__name__} a of the Figure needs a width of {least:g} mm or more"
    )


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
        [["scene", "slices, map"]],
        [["scene, legend", "voxels, map", "scene, bare"]],
    ],
)
def test_a_figures_lettering_is_clear(rows, font_size):
    page = Figure([[make(name) for name in row] for row in rows], font_size=font_size)
    said = assert_lettering_is_clear(page.figure(dpi=DPI), slack=0.1 * DPI / MM)
    assert set("abcdefg"[: sum(map(len, rows))]) <= set(said)


LONG = "contrast of left minus right button press, group level, all subjects"
TITLES = ("", "Patients", "A title of a panel with rather many words in it, as somebody will write")
WAYS = ("one slice", "a row", "ortho", "by number", "histogram", "voxels", "bare voxels", "a drawing")


def any_panel(rng):
    zmap = replace(ZMAP, name=str(rng.choice(["z", "left − right hand", LONG])))
    title, way = str(rng.choice(TITLES)), rng.choice(WAYS)
    if way == "histogram":
        return Histogram(zmap, title=title)
    if way == "voxels":
        return Voxels(Intensity(zmap), size=3, title=title)
    if way == "bare voxels":
        return Voxels(LabelMap(REGIONS), size=3, axes=False, title=title)
    if way == "a drawing":
        return Drawing(curve, title=title)
    places = {"one slice": {"z": 10}, "a row": {"z": np.linspace(-40, 40, rng.integers(2, 8))}, "ortho": {}}
    over = ([], [Intensity(zmap)], [LabelMap(REGIONS)], [LabelMap(REGIONS, outline=True), Intensity(zmap)])
    notes = Annotation(reference=bool(rng.integers(2)), crosshair=bool(rng.integers(2)))
    options = places.get(way, {"n": int(rng.integers(1, 4))}) | {"radiological": bool(rng.integers(2))}
    return Slices(BALL, *over[rng.integers(4)], **options, annotate=notes, title=title)


@pytest.mark.parametrize("seed", range(8))
def test_nothing_overlaps_or_is_cut_whatever_the_panels(seed):
    rng = np.random.default_rng(seed)
    rows = [[any_panel(rng) for _ in range(rng.integers(1, 4))] for _ in range(rng.integers(1, 3))]
    page = Figure(
        rows,
        width=float(rng.choice([60, 89, 120, 183])),
        heights=[1, 2][: len(rows)] if rng.random() < 0.3 else None,
        font_size=float(rng.choice([6, 7, 8])),
        title=str(rng.choice(TITLES)),
        colorbars=str(rng.choice(["row", "page", "panel"])),
    ).figure(dpi=DPI)
    assert_lettering_is_clear(page, slack=0.1 * DPI / MM)
    assert_pictures_are_clear(page, slack=0.1 * DPI / MM)


def test_a_panel_on_a_dark_page_has_the_height_that_its_tiles_need_there():
    narrow = Slices(OBLONG, x=[20, 30, 40], y=[50, 60, 70, 80], z=[10, 20], background="white")
    page = Figure([[narrow, Drawing(curve), Drawing(curve)]], width=60, background="black")
    assert_lettering_is_clear(page.figure(dpi=DPI), slack=0.1 * DPI / MM)


@pytest.mark.parametrize("dpi", [72, 90, 300])
def test_texts_are_as_wide_at_any_resolution(dpi):
    zmap = Intensity(replace(ZMAP, name=LONG))
    page = Figure([[Slices(BALL, zmap, z=0, title=LONG), Histogram(zmap)]], width=89, title=LONG + LONG).figure(dpi=dpi)
    frame = Frame.paperless(89)
    for text, box in texts(page):
        if "\n" not in text.get_text() and text.get_fontsize() == frame.font_size and not text.get_rotation():
            assert box.width * MM / dpi < frame.text_width(text.get_text()) + 2 * MM / dpi


def curve(ax):
    ax.plot([0, 1e4], [0, 1])
    ax.set(xlabel="time since the beginning (s)", ylabel="signal (%)", title="Mine")


def pair(part):
    one, two = part.subplots(1, 2, sharey=True)
    one.bar([1, 2], [3, 4])
    two.imshow(np.eye(3))
    two.set_xlabel("column")
    part.suptitle("Two axes")


def crowded():
    panels = [make("slices, map"), Slices(BALL, Intensity(ZMAP), y=0, title="Another"), make("histogram, map")]
    return [*panels, make("voxels"), curve, Drawing(pair, on="subfigure", title="Both")]


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        ([[0, 1], [2, 4]], {"title": "A page", "colorbars": "page", "font_size": 5}),
        ([[3, 4, 5], [0]], {"heights": [1, 2], "font_size": 9}),
        ([[0], [4, 2]], {"heights": [1, 5], "widths": [None, [2, 1]], "letters": "A"}),
        ([[1, 5], [0, 1]], {"widths": [1, 2], "width": 150, "font_size": 8}),
    ],
)
def test_what_a_panel_draws_stays_at_its_place(monkeypatch, rows, options):
    drawn = []

    place = Panel.place

    def watched(panel, frame, *options):
        before = set(frame.figure.findobj(mpl.axes.Axes))
        place(panel, frame, *options)
        drawn.append((frame, [ax for ax in frame.figure.findobj(mpl.axes.Axes) if ax not in before]))

    monkeypatch.setattr(Panel, "place", watched)
    panels = crowded()
    page = Figure([[panels[n] for n in row] for row in rows], **options).figure(dpi=DPI)
    assert_lettering_is_clear(page, slack=0.1 * DPI / MM)
    places = [np.array([[f.x, f.y], [f.x + f.width, f.y + f.height]]) for f, _ in drawn]
    assert len(places) == sum(map(len, rows))
    for (low, high), (_, axes) in zip(places, drawn):
        assert (low > -0.13).all()  # half a pixel
        assert (high < np.array([page.bbox.width, page.bbox.height]) * MM / DPI + 0.2).all()
        for ax in axes:
            box = ax.get_tightbbox()
            if not hasattr(ax, "zaxis") and box is not None:
                assert (box.min * MM / DPI > low - 0.3).all()
                assert (box.max * MM / DPI < high + 0.3).all()
    for (a, b), (c, d) in combinations(places, 2):
        assert (np.minimum(b, d) - np.maximum(a, c)).min() <= BETWEEN * -0.99


# Rows, widths and letters


def widths_of(page):
    """The widths (mm) of the panels of the first row."""
    return page._layout(Frame.paperless(page.width))[0].widths


@pytest.mark.parametrize("width", ["single", "1.5", "double"])
@pytest.mark.parametrize("row", [["slices", "histogram"], ["voxels", "slices"], ["slices, map"]])
def test_the_panels_of_a_row_are_equally_high_and_fill_it(row, width):
    page = Figure([[make(name) for name in row]], width=width)
    widths = widths_of(page)
    heights = [panel.height(w) for panel, w in zip(page.rows[0], widths)]
    assert sum(widths) + BETWEEN * (len(row) - 1) == pytest.approx(page.width)
    # What is as narrow as its lettering allows is higher than the others.
    tight = any(w < panel.narrowest(7.0) + 0.1 for panel, w in zip(page.rows[0], widths))
    assert np.allclose(heights, heights[0], rtol=0.3 if tight else 0.03)


def test_a_panel_never_gets_less_than_a_third_of_its_share():
    page = Figure([[Slices(BALL, z=[0, 10, 20, 30, 40, 50]), Histogram(BALL), Voxels(BALL, size=4)]])
    assert min(widths_of(page)) >= (183 - 2 * BETWEEN) / 9 - 1e-6


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


def test_heights_and_widths_are_proportions():
    panels = [[make("histogram"), make("slices")], [make("slices, map")]]
    plain = Figure(panels)
    page = Figure(panels, heights=[1, 2], widths=[[3, 1], None])
    one, two = page._layout(Frame.paperless(183))
    assert two.height == pytest.approx(2 * one.height)
    assert one.widths[0] == pytest.approx(3 * one.widths[1])
    even = Figure([[make("histogram"), make("slices")], [make("slices, map")]], heights=[1, 1])
    assert even.height(183) == pytest.approx(plain.height(183))


def test_a_row_that_must_be_low_becomes_narrow():
    panels = [make("slices"), make("slices, map")]
    row, _ = Figure([[p] for p in panels], heights=[1, 3])._layout(Frame.paperless(183))
    natural = panels[0].height(row.widths[0])
    assert natural <= row.height
    assert row.widths[0] < 100
    assert row.left == pytest.approx((183 - row.widths[0]) / 2)


def test_a_row_without_room_for_its_panels_becomes_two():
    four = [Slices(BALL, z=z) for z in (0, 10, 20, 30)]
    found = Figure([four, four[:1]], width=60)._layout(Frame.paperless(60))
    assert [row.panels for row in found] == [four[:2], four[2:], four[:1]]
    (row,) = Figure([[four[0], curve]], widths=[[40, 1]], width=89)._layout(Frame.paperless(89))
    assert row.widths[1] == pytest.approx(35)  # what its lettering needs


def test_a_letter_stands_at_its_picture():
    page = Figure([[Histogram(BALL)], [Slices(BALL, z=[-20, 0, 20])]], heights=[1, 3], width=60).figure(dpi=DPI)
    picture = next(ax for ax in page.axes if ax.images)
    top = max(t.get_window_extent().y1 for t in picture.texts)
    assert (page.bbox.height - top) * MM / DPI - letters(page)["b"][1] < 6
    assert picture.get_window_extent().height * MM / DPI > 50  # a second row of tiles fills it


def bars_of(page):
    """Where the color bars stand, mm from the left, from their labels."""
    found = [t for t in page.findobj(mpl.text.Text) if "right hand" in t.get_text() and t.get_rotation() == 90]
    return sorted(t.get_window_extent().x1 * MM / page.dpi for t in found)


def test_equal_color_bars_of_a_row_are_one():
    zmap = Intensity(ZMAP, clim=(-8, 8))
    row = [Slices(BALL, zmap, z=0), Slices(BALL, zmap, y=0), Slices(BALL, Intensity(ZMAP, clim=(-5, 5)), x=0)]
    assert len(bars_of(Figure([row], colorbars="panel").figure(dpi=DPI))) == 3
    shared = bars_of(Figure([row]).figure(dpi=DPI))
    assert len(shared) == 2
    assert 175 < shared[1] <= 183
    assert len(bars_of(Figure([row[:2], row[:2]]).figure(dpi=DPI))) == 2
    assert len(bars_of(Figure([row[:2], row[:2]], colorbars="page").figure(dpi=DPI))) == 1
    assert len(bars_of(row[0].figure(dpi=DPI))) == 1


def test_a_legend_of_a_row_is_one():
    row = [Slices(BALL, LabelMap(REGIONS), z=0), Slices(BALL, LabelMap(REGIONS, outline=True), z=[0, 5])]
    said = words(Figure([row]).figure(dpi=DPI))
    assert [said.count(f"region {n}") for n in (1, 2)] == [1, 1]
    assert words(Figure([row], colorbars="panel").figure(dpi=DPI)).count("region 1") == 2
    assert words(Figure([row, row], colorbars="page").figure(dpi=DPI)).count("region 1") == 1
    other = Slices(BALL, LabelMap(REGIONS, colors={1: "red", 2: "green"}), z=0)
    assert words(Figure([[row[0], other]]).figure(dpi=DPI)).count("region 1") == 2  # one name of two colors


def test_legends_that_are_mostly_alike_are_joined():
    regions = replace(REGIONS, data=np.where(BALL.data > 0, np.indices(BALL.shape)[0] // 3, 0))
    colors = {1: "red", 2: "green", 3: "blue"}
    many, two, one, other = (
        Slices(BALL, LabelMap(regions, colors={n: colors[n] for n in shown}), z=0)
        for shown in ((1, 2, 3), (1, 2), (3,), (2, 3))
    )
    assert [name for name, _ in shared([two, many]).entries] == ["region 1", "region 2", "region 3"]
    assert shared([two, one]).entries == shared([two, other]).entries == []


def pictures(page):
    """The left, top, right and bottom (mm) of every picture."""
    boxes = [ax.get_window_extent() for ax in page.axes if any(isinstance(image, Raster) for image in ax.images)]
    height = page.bbox.height
    return np.array([[b.x0, height - b.y1, b.x1, height - b.y0] for b in boxes]) * MM / page.dpi


def test_pictures_of_a_row_begin_at_one_height_whatever_their_titles():
    row = [Slices(BALL, z=n, title=title) for n, title in enumerate(("", "One", "A title of several words, " * 3))]
    found = pictures(Figure([row], width=120).figure(dpi=DPI))
    assert np.ptp(found[:, 1]) < 0.3
    assert np.ptp(found[:, 2] - found[:, 0]) < 0.3


@pytest.mark.parametrize("width", [120, 183])
@pytest.mark.parametrize("heights", [None, [1]])
def test_slices_of_one_grid_have_one_scale_in_a_row(monkeypatch, width, heights):
    oblong = Volume(np.full((12, 30, 18), 9.0), np.diag([5.0, 5, 5, 1]))
    found = []
    monkeypatch.setattr(slices, "draw", lambda frame, layers, layout, scale, cross: found.append(scale))
    row = [Slices(oblong, x=30), Slices(oblong, y=70, title="Another"), Slices(oblong, Intensity(ZMAP), z=40)]
    Figure([row], width=width, heights=heights).figure(dpi=DPI)
    assert np.ptp(found) < 1e-6
    found.clear()
    Figure([row], width=183, widths=[3, 2, 2]).figure(dpi=DPI)  # as wide as they are asked for
    assert np.ptp(found) > 0.1


def test_letters_as_they_are_asked_for():
    few = [Histogram(BALL)] * 3
    assert sorted(letters(Figure(few, letters="A").figure(dpi=DPI))) == ["A", "B", "C"]
    assert sorted(letters(Figure(few, letters=["i", "ii", ""]).figure(dpi=DPI))) == ["", "i", "ii"]
    assert Figure([[Histogram(BALL)] * 28]).letters[24:] == ["y", "z", "aa", "ab"]


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


@pytest.mark.parametrize("name", sorted({*EVERY} - {"slices, mosaic"}))
def test_a_panel_is_drawn_into_a_subfigure(name):
    page = blank()
    left, right = page.subfigures(1, 2, width_ratios=(1, 2))
    theirs = right.subplots()
    make(name).draw(left)
    drawn = [ax.get_window_extent() for ax in page.axes if ax is not theirs and not hasattr(ax, "zaxis")]
    assert drawn
    assert max(box.x1 for box in drawn) <= 202
    assert min(box.x0 for box in drawn) >= -2
    FigureCanvasAgg(page).draw()


def test_tiles_without_room_for_their_letters_are_refused():
    left, _ = blank().subfigures(1, 2, width_ratios=(1, 2))
    refuses(ValueError, lambda: make("slices, mosaic").draw(left), "Slices needs a height of 155 mm or more")


@pytest.mark.parametrize("name", sorted({*EVERY} - {"histogram", "histogram, map", "slices, mosaic"}))
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


@pytest.mark.parametrize(
    ("make", "place"), [(Slices, "axes"), (Scene, "axes"), (Slices, "figure"), (Scene, "figure"), (Histogram, "figure")]
)
def test_a_drawn_panel_has_its_background_or_that_of_the_figure(make, place):
    for options, facecolor, dark in (
        ({"background": "black"}, "white", True),
        ({}, "black", True),
        ({}, "white", False),
    ):
        page = blank(3, 2)
        page.set_facecolor(facecolor)
        target = page.subfigures(1, 2)[0] if place == "figure" else page.add_axes((0, 0, 0.5, 1))
        make(Isosurface(BALL) if make is Scene else BALL, title="A title", **options).draw(target)
        page.canvas.draw()
        pixels = np.asarray(page.canvas.buffer_rgba())[..., :3]
        width = pixels.shape[1] // 2
        assert (pixels[0, 2] < 50).all() == (pixels[-1, 2] < 50).all() == dark
        assert (pixels[0, width + 5] < 50).all() == (facecolor == "black")
        (said,) = (text for text in page.findobj(mpl.text.Text) if text.get_text() == "A title")
        assert (mpl.colors.to_rgb(said.get_color())[0] > 0.5) == dark


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


def test_voxels_fit_in_matplotlibs_own_layouts():
    page = blank()
    ax = page.add_subplot(projection="3d")
    Voxels(BALL, size=4).draw(ax)
    FigureCanvasAgg(page).draw()
    cubes = ax.collections[0].get_tightbbox()
    page.tight_layout()
    assert 50 < cubes.width < page.bbox.width
    assert ax.get_tightbbox().contains(*cubes.min)


def test_drawing_leaves_the_users_settings():
    page = blank()
    with mpl.rc_context({"font.size": 23.0}):
        Slices(BALL, z=0).draw(page)
        assert mpl.rcParams["font.size"] == 23.0
    assert {t.get_fontsize() for t in page.findobj(mpl.text.Text) if t.get_text()} == {7.0}


def test_a_function_draws_in_the_ink_of_the_page():
    for background, ink in (("black", "#f2f2f2"), ("white", "#1a1a1a")):
        page = Figure([[Drawing(curve, title="Mine")]], background=background).figure(dpi=DPI)
        (ax,) = [ax for ax in page.findobj(mpl.axes.Axes) if ax.lines]
        said = [ax.xaxis.label, ax.title, *ax.get_yticklabels()]
        assert {mpl.colors.to_hex(text.get_color()) for text in said} == {ink}
        assert mpl.colors.to_hex(ax.spines["left"].get_edgecolor()) == ink
        assert ax.get_facecolor()[3] == 0


def test_a_function_is_a_panel():
    (row,) = Figure([[curve, BALL]]).rows
    assert repr(row[0]) == "<Drawing: curve>"
    page = blank()
    ax = page.subplots()
    Drawing(curve).draw(ax)
    assert ax.get_ylabel() == "signal (%)"
    said = words(Figure([[curve]], font_size=9).figure(dpi=DPI))
    assert {"Mine", "10000", "signal (%)"} <= set(said)


def long_names(ax):
    ax.plot([0, 1e5], [0, 1e-6])
    ax.set_xlabel("time since the beginning of the experiment (s)")
    ax.set_ylabel("signal change in the region of interest (%)")


@pytest.mark.parametrize(("width", "ratio", "font_size"), [(60, 0.62, 7), (40, 1.0, 8), (32.8, 0.62, 5), (50, 0.2, 7)])
def test_long_names_of_axes_are_broken_and_meet_nothing(width, ratio, font_size):
    panel = Drawing(long_names, ratio=ratio)
    panel.font_size = font_size
    page = panel.figure(width, DPI)
    assert_lettering_is_clear(page, slack=0.1 * DPI / MM)
    (ax,) = page.findobj(mpl.axes.Axes)
    assert ax.xaxis.label.get_window_extent().width < ax.get_window_extent().width + 1
    assert ax.xaxis.label.get_text().replace("\n", " ") == "time since the beginning of the experiment (s)"


def powers(ax, side="bottom"):
    ax.plot([0, 1e6], [0, 1])
    ax.set_xlabel("time since the beginning of the experiment, in seconds")
    ax.xaxis.set(label_position=side, ticks_position=side)


TINY = Volume(np.random.default_rng(0).normal(1e-6, 3e-7, (9, 9, 9)), np.eye(4), name="a parameter map of a long name")


@pytest.mark.parametrize(
    "panel",
    [Drawing(powers), Drawing(lambda ax: powers(ax, "top")), Histogram(TINY)],
    ids=["below", "above", "histogram"],
)
def test_the_power_of_ten_of_numbers_is_clear_of_the_name(panel):
    page = panel.figure(65, DPI)
    page.canvas.draw()
    ax = next(ax for ax in page.findobj(mpl.axes.Axes) if ax.get_xlabel())
    power, name = (text.get_window_extent() for text in (ax.xaxis.get_offset_text(), ax.xaxis.label))
    assert power.width > 0
    assert not power.overlaps(name)
    assert min(name.y0, power.y0) >= 0
    assert max(name.y1, power.y1) <= page.bbox.height


def test_slices_beside_a_plot_are_no_column_where_they_have_room():
    panels = [Slices(BALL, n=2), Drawing(curve)]
    tall = [panel.body(width, 7) for panel, width in zip(panels, rows.widths(panels, None, 89, 7))]
    assert max(tall) < 2.5 * min(tall)


@pytest.mark.parametrize(("width", "count", "angle"), [(120, 4, 0), (60, 4, 45), (60, 14, 90)])
def test_names_of_bars_are_broken_or_turned_where_they_have_no_room(width, count, angle):
    names = [f"precentral gyrus {n}" for n in range(count)]
    page = Drawing(lambda ax: ax.bar(names, range(count))).figure(width, DPI)
    (ax,) = page.findobj(mpl.axes.Axes)
    assert {text.get_rotation() for text in ax.get_xticklabels()} == {angle}
    if angle != 45:  # the boxes of slanted ones say nothing
        assert_lettering_is_clear(page, slack=0.1 * DPI / MM)


def one_over_the_other(part):
    for ax in part.subplots(2, 1):
        ax.plot([0, 1e5], [0, 1])
        ax.set(xlabel="time (s)", title="a curve")


def test_axes_one_over_the_other_give_way_to_their_numbers():
    page = Drawing(one_over_the_other, on="subfigure", ratio=1.2).figure(45, DPI)
    assert_lettering_is_clear(page, slack=0.1 * DPI / MM)
    refuses(ValueError, lambda: Drawing(one_over_the_other, on="subfigure", ratio=0.3).figure(40), "a larger ratio")


def test_a_name_that_would_take_the_whole_panel_is_cut():
    panel = Drawing(long_names)
    panel.font_size = 8
    page = panel.figure(40, DPI)
    (ax,) = page.findobj(mpl.axes.Axes)
    assert ax.xaxis.label.get_text() == "time since\nthe begi… (s)"
    assert_lettering_is_clear(page, slack=0.1 * DPI / MM)


def test_a_drawing_in_a_constrained_figure():
    page = MplFigure(figsize=(6, 3), layout="constrained")
    one, two = page.subfigures(1, 2)
    two.subplots().plot([0, 1])
    Drawing(curve).draw(one)
    FigureCanvasAgg(page).draw()
    (ax,) = one.findobj(mpl.axes.Axes)
    assert ax.get_window_extent().x1 < 300 < two.axes[0].get_window_extent().x0


# What is refused


def test_proportions_letters_and_drawings_that_are_none():
    two = [[BALL], [BALL, BALL]]
    refuses(ValueError, lambda: Figure(two, heights=[1]), "heights must be numbers above 0, one for each of the 2 rows")
    refuses(ValueError, lambda: Figure(two, heights=[1, -1]), "heights must be numbers above 0")
    refuses(TypeError, lambda: Figure(two, heights="ab"), "heights must be numbers, one for each of the 2 rows")
    refuses(ValueError, lambda: Figure(two, widths=[1, 2]), "widths must be a list for each row, of 1, 2 panels")
    refuses(ValueError, lambda: Figure(two, widths=[None, [1]]), "widths of row 2 must be numbers above 0")
    refuses(ValueError, lambda: Figure(two, widths=[None]), "widths must be a list for each of the 2 rows")
    refuses(TypeError, lambda: Figure(two, widths=3), "widths must be a list of numbers")
    refuses(TypeError, lambda: Figure(two, title=5), "title must be a text; got 5")
    for make in (Slices, Scene, Voxels, Histogram):
        refuses(TypeError, lambda make=make: make(BALL, title=5), "title must be a text; got 5")
    refuses(TypeError, lambda: Drawing(curve, title=5), "title must be a text; got 5")
    refuses(TypeError, lambda: Slices(BALL, colorbar="no"), "colorbar must be True or False; got 'no'")
    refuses(TypeError, lambda: Scene(BALL, annotate="no"), "annotate must be True or False; got 'no'")
    refuses(TypeError, lambda: Voxels(BALL, axes=1), "axes must be True or False; got 1")
    refuses(TypeError, lambda: Isosurface(BALL, smooth="no"), "smooth must be True or False; got 'no'")
    refuses(TypeError, lambda: LabelMap(REGIONS, outline="no"), "outline must be True or False; got 'no'")
    refuses(ValueError, lambda: Figure(two, letters="1"), "letters must be True, False, 'a', 'A' or a list of texts")
    refuses(ValueError, lambda: Figure(two, letters=["a"]), "letters must be one text for each of the 3 panels")
    refuses(ValueError, lambda: Figure(two, colorbars="all"), "colorbars must be one of row, page, panel; got 'all'")
    refuses(TypeError, lambda: Drawing(3), "Drawing needs a function of matplotlib axes; got int")
    refuses(ValueError, lambda: Drawing(curve, on="paper"), "on must be axes or subfigure; got 'paper'")
    refuses(ValueError, lambda: Drawing(curve, ratio=0), "ratio must be 0.05 to 20; got 0")
    refuses(ValueError, lambda: Drawing(curve).figure(12), "Drawing needs a width of 35 mm or more")


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
