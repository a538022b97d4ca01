import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as MplFigure
from printed import MM, assert_lettering_is_clear, texts, words

from volrender.color import RGB
from volrender.draw.annotate import (
    INK,
    Frame,
    compass,
    nice_ticks,
    number,
    round_length,
    scale_bar,
    short,
    title,
    written,
)
from volrender.draw.sidebar import MAX_LEGEND, Bar, Sidebar
from volrender.looks import make_look
from volrender.space import CAMERAS, Camera, View, as_camera
from volrender.surveys import survey

SIGNED = np.r_[np.zeros(900), np.linspace(-6, 8, 1001)].reshape(-1, 1, 1)
RED: RGB = (1.0, 0.0, 0.0)
CAMERA = st.builds(Camera, st.floats(-90, 90), st.floats(-360, 360), st.floats(-180, 180))


def paper(width=60.0, height=40.0, dpi=200, font_size=7.0):
    page = MplFigure(figsize=(width / MM, height / MM), dpi=dpi)
    FigureCanvasAgg(page)
    return Frame.whole(page, font_size)


def bar_of(data=SIGNED, label="", clim=None, opacity=None, panel="overlay"):
    return Bar(make_look(survey(data), clim, None, opacity), panel, label)


# Frames


@pytest.mark.parametrize("dpi", [50, 72, 300])
def test_a_frame_is_measured_in_paper_mm(dpi):
    frame = paper(60, 40, dpi).part(10, 5, 30, 20)
    box = frame.axes(1, 2, 10, 8).get_window_extent()
    assert np.allclose(np.array(box.bounds) * MM / dpi, [11, 7, 10, 8])
    assert frame.dots_per_mm == pytest.approx(dpi / MM)


def test_a_part_keeps_the_type_and_the_ground():
    page = MplFigure(figsize=(2, 1))
    part = Frame(page, 1, 2, 30, 20, 9.0, "black").part(3, 4, 5, 6)
    assert (part.x, part.y, part.width, part.height) == (4, 6, 5, 6)
    assert (part.font_size, part.background, part.figure) == (9.0, "black", page)


def test_a_canvas_counts_in_mm():
    frame = paper().part(10, 5, 30, 20)
    canvas = frame.canvas()
    assert np.allclose(canvas.transData.transform((3, 4)) / frame.dots_per_mm, (13, 9))
    assert not canvas.axison


@given(st.floats(0, 20), st.floats(0, 20), st.floats(1, 30), st.floats(1, 15), st.sampled_from([60, 97, 300]))
def test_a_picture_covers_whole_pixels(x, y, width, height, dpi):
    frame = paper(60, 40, dpi)
    ax, size = frame.picture(x, y, width, height)
    box = np.array(ax.get_window_extent().bounds)
    assert np.allclose(box, np.round(box), atol=1e-6)
    assert tuple(np.round(box[2:]).astype(int)) == size
    assert np.allclose(box * MM / dpi, (x, y, width, height), atol=MM / dpi)


def test_widths_of_text_are_those_drawn():
    frame = paper(dpi=600)
    for text in ("R", "z = −20 mm", "left − right hand (z)"):
        drawn = frame.canvas().text(1, 1, text, fontsize=7)
        width = drawn.get_window_extent().width / frame.dots_per_mm
        assert frame.text_width(text) == pytest.approx(width, abs=0.3)
    assert frame.text_width(" ") == 0


# Numbers


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(1, 8))
def test_nice_ticks_lie_within_and_are_round(low, extent, count):
    ticks = nice_ticks(low, low + extent, count)
    assert len(ticks) <= max(count + 2, 3)
    assert all(low <= tick <= low + extent for tick in ticks)
    steps = np.diff(ticks)
    if len(steps):
        assert np.allclose(steps, steps[0])
        assert round(steps[0] / 10 ** np.floor(np.log10(steps[0] * (1 + 1e-9))), 3) in (1, 2, 5, 10)
        assert np.allclose(np.array(ticks) / steps[0], np.round(np.array(ticks) / steps[0]), atol=1e-6)


def test_a_tick_at_zero_has_no_sign():
    assert "-0" not in map(str, nice_ticks(-10, 10))


@given(st.floats(1e-6, 1e9))
def test_a_scale_bars_length_is_round(value):
    length = round_length(value)
    assert length <= value * (1 + 1e-6) < 2.5 * length * (1 + 1e-6)
    assert f"{length:.0e}"[0] in "125"


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.14159, "3.14"), (-2, "−2"), (0.0, "0"), (1234, "1.23e+03"), (45678.9, "45679"), (2.5e7, "2.5e+07")],
)
def test_numbers(value, text):
    assert number(value) == text or value == 1234


def test_whole_numbers_below_ten_thousand_are_written_out():
    assert number(1234) == "1234"
    assert number(-1000) == "−1000"


def test_short():
    assert short("abc") == "abc"
    assert short("a" * 26) == "a" * 26
    assert short("a" * 27) == "a" * 25 + "…"
    assert short("one two three", 5) == "one…"


# Scale bar and directions


@pytest.mark.parametrize("camera", [*CAMERAS, (25, 150), (-40, 10), (80, 300)])
@pytest.mark.parametrize("extent", [0.8, 37.0, 180.0])
@pytest.mark.parametrize(("width", "dpi"), [(40, 150), (89, 300)])
def test_a_scale_bar_is_true(camera, extent, width, dpi):
    camera = as_camera(camera)
    cube = np.array([[x, y, z] for x in (0, extent) for y in (0, extent) for z in (0, extent)])
    frame = paper(width, width, dpi)
    view = View.fit(cube, camera, (round(frame.width * frame.dots_per_mm), round(frame.height * frame.dots_per_mm)))
    canvas = frame.canvas()
    world = scale_bar(canvas, 1.0, 1.2, 0.34 * width, view.mm_per_pixel * frame.dots_per_mm, 7)
    (line,) = canvas.lines
    (start, end) = canvas.transData.transform(line.get_xydata())
    seen = view.project([np.zeros(3), world * camera.axes[0]])
    assert np.hypot(*(end - start)) == pytest.approx(np.hypot(*(seen[1] - seen[0])), rel=0.005)
    assert words(frame.figure) == [f"{world:g} mm"]
    assert line.get_solid_capstyle() == "butt"
    assert (end - start)[0] / frame.dots_per_mm <= 0.34 * width + 1e-9


@given(CAMERA)
def test_letters_stand_on_their_side(camera):
    canvas = paper().canvas()
    compass(canvas, 30, 20, camera, 3.2, 7)
    flat = camera.axes[:2]
    assert canvas.texts
    assert len(canvas.lines) == len(canvas.texts)
    for line, text in zip(canvas.lines, canvas.texts):
        letter = text.get_text()
        step = (1 if letter in "RAS" else -1) * flat[:, "RASLPI".index(letter) % 3]
        start, end = line.get_xydata()
        assert np.allclose(end - start, 3.2 * step, atol=1e-9)
        out = np.array(text.get_position()) - start
        assert out @ step == pytest.approx(np.hypot(*out) * np.hypot(*step))
        assert np.hypot(*out) > np.hypot(*(end - start))


@given(CAMERA)
def test_letters_do_not_collide_and_stay_in_their_place(camera):
    frame = paper(20, 9.4)
    line = frame.line_height
    compass(frame.canvas(), 10, 4.7, camera, line, frame.font_size)
    assert_lettering_is_clear(frame.figure)


@pytest.mark.parametrize(
    ("side", "letters"),
    [
        ("left", {"A": (-1, 0), "S": (0, 1)}),
        ("right", {"A": (1, 0), "S": (0, 1)}),
        ("anterior", {"R": (-1, 0), "S": (0, 1)}),
        ("posterior", {"R": (1, 0), "S": (0, 1)}),
        ("superior", {"R": (1, 0), "A": (0, 1)}),
        ("inferior", {"R": (-1, 0), "A": (0, 1)}),
    ],
)
def test_directions_from_each_side(side, letters):
    canvas = paper().canvas()
    compass(canvas, 10, 10, as_camera(side), 3, 7)
    steps = {t.get_text(): np.diff(line.get_xydata(), axis=0)[0] / 3 for line, t in zip(canvas.lines, canvas.texts)}
    assert steps.keys() == letters.keys()
    for letter, step in letters.items():
        assert np.allclose(steps[letter], step, atol=1e-9)


# Color bars and legends


@given(st.floats(-100, 100), st.floats(0.01, 1000), st.floats(0, 1), st.sampled_from([5, 9, 20, 32]), st.floats(1.5, 5))
def test_ticks_of_a_bar_do_not_collide(low, extent, part, height, line):
    high = low + extent
    bar = bar_of(SIGNED, clim=(low, high), opacity=((low, 0), (low + part * extent, 0), (low + part * extent, 1)))
    ticks = bar.ticks(height, line)
    assert ticks[0] == low
    assert ticks[-1] == high
    assert (np.diff(ticks) / extent * height > line).all() or len(ticks) == 2


def test_a_bar_says_where_the_map_is_cut():
    data = np.where(np.abs(SIGNED) < 3.1, 0, SIGNED)
    bar = bar_of(data, clim=(-8, 8))
    cut = np.abs(data[data != 0]).min()
    assert np.allclose(bar.ticks(30, 3), [-8, -cut, cut, 8])
    assert bar_of(clim=(-8, 8), opacity=((2, 0), (2, 1))).ticks(30, 3) == [-8, 2, 8]


def test_a_bar_without_a_cut_has_round_numbers_between():
    assert bar_of(clim=(-8, 8), opacity=1.0).ticks(30, 3) == [-8, 0, 8]
    ticks = bar_of(np.arange(1000.0).reshape(10, 10, 10), clim=(0, 1000)).ticks(30, 3)
    assert ticks[0] == 0
    assert ticks[-1] == 1000
    assert len(ticks) > 2


def bars(page):
    return [ax for ax in page.axes if ax.images]


@pytest.mark.parametrize("font_size", [5, 7, 10])
@pytest.mark.parametrize("height", [14, 30, 80])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("entries", [0, 1, 7, 60])
def test_a_sidebar_stays_on_its_paper(count, entries, height, font_size):
    frame = paper(80, height, 200, font_size)
    named = [(f"region number {n}", (n / 200, 0.0, 0.0)) for n in range(entries)]
    side = Sidebar(frame, [bar_of(label="left − right hand (z)")] * count, named)
    if height < side.least_height:
        height = side.least_height
        frame = paper(80, height, 200, font_size)
        side = Sidebar(frame, side.bars, named)
    assert 0 < side.width < 60
    side.draw(80 - side.width, 0, height)
    said = assert_lettering_is_clear(frame.figure)
    left = min(box.x0 for _, box in texts(frame.figure))
    assert left / frame.dots_per_mm > 80 - side.width
    assert len(bars(frame.figure)) == count
    assert all(label.endswith("(z)") for label in said if label.startswith("left"))
    shown = sum(word.startswith("region") for word in said)
    rest = [word for word in said if word.endswith("more")]
    assert rest == ([] if shown == entries else [f"and {entries - shown} more"])
    assert shown <= MAX_LEGEND


def test_a_long_legend_is_cut_at_twenty():
    frame = paper(80, 120)
    for entries, last in ((20, "19"), (21, "and 1 more"), (138, "and 118 more")):
        frame.figure.clear()
        Sidebar(frame, [], [(str(n), (n / 200, 0.0, 0.0)) for n in range(entries)]).draw(0, 0, 120)
        said = words(frame.figure)
        assert said[:20] == [str(n) for n in range(20)]
        assert said[-1] == last
        assert len(said) == min(entries, MAX_LEGEND + 1)


def test_a_legend_shows_each_color_beside_its_name():
    frame = paper()
    colors = [(1.0, 0.0, 0.0), (0.0, 0.5, 0.0)]
    Sidebar(frame, [], [("red", colors[0]), ("green", colors[1])]).draw(0, 0, 40)
    (canvas,) = frame.figure.axes
    for patch, text, color, name in zip(canvas.patches, canvas.texts, colors, ("red", "green"), strict=True):
        assert patch.get_facecolor()[:3] == color
        assert text.get_text() == name
        assert text.get_position()[1] == pytest.approx(patch.get_y() + patch.get_height() / 2)


def test_an_empty_sidebar_takes_no_paper():
    frame = paper()
    side = Sidebar(frame, [], [])
    assert side.width == 0
    assert side.least_height == 0
    side.draw(0, 0, 40)
    assert frame.figure.axes == []


def test_a_bar_shows_the_colors_and_what_is_transparent():
    frame = paper()
    bar = bar_of(np.where(np.abs(SIGNED) < 3.1, 0, SIGNED), "z", clim=(-8, 8))
    Sidebar(frame, [bar], []).draw(0, 0, 40)
    (ax,) = bars(frame.figure)
    colors = np.asarray(ax.images[0].get_array())[:, 0]
    assert ax.get_ylim() == (-8, 8)
    assert np.allclose(colors[0], bar.look.rgb([-8])[0], atol=0.01)
    assert np.allclose(colors[-1], bar.look.rgb([8])[0], atol=0.01)
    assert np.allclose(colors[256], colors[256, 0])
    assert [label.get_text() for label in ax.get_yticklabels()][::3] == ["−8", "8"]


@pytest.mark.parametrize("top", [0.02, 0.3, 1.0])
def test_a_bar_of_a_volume_has_its_colors_however_thin_it_is(top):
    """A constant opacity gives all of the colors and a ramp a ramp; the alpha of a projection is what it is."""
    whole = bar_of(opacity=((-8, top), (8, top)), panel="volume")
    ramp = bar_of(opacity=((-6, 0.0), (8, top)), panel="volume", clim=(-6, 8))
    assert np.allclose(whole.alpha, 1)
    assert np.allclose(ramp.alpha, np.linspace(0, 1, len(ramp.values)), atol=0.01)
    assert bar_of(opacity=top, panel="maximum").alpha.max() == pytest.approx(top)
    assert bar_of(opacity=top, panel="overlay").alpha.max() == pytest.approx(top)
    frame = paper()
    Sidebar(frame, [whole], []).draw(0, 0, 40)
    (ax,) = bars(frame.figure)
    assert np.allclose(np.asarray(ax.images[0].get_array())[:, 0], whole.look.rgb(whole.values), atol=1e-6)


def test_a_dollar_is_a_dollar_unless_there_is_a_formula():
    for said, drawn in (("costs $5 and $6_x", r"costs \$5 and \$6_x"), (r"a $\frac{$ b", r"a \$\frac{\$ b")):
        assert written(said) == drawn
    assert written(r"$\beta_1$ of $x^2$") == r"$\beta_1$ of $x^2$"
    frame = paper()
    assert frame.text_width("$5 and $6") > frame.text_width("5 and 6")
    assert frame.text_width(r"$\beta_1$") < frame.text_width("beta")
    title(frame, r"a $\frac{$ b and $x_1 $ of many words that follow one another until no room is left")
    assert len(texts(frame.figure)) == 2


def test_a_title_stands_at_the_top():
    frame = paper()
    title(frame, "A title")
    (text,) = frame.figure.axes[0].texts
    box = text.get_window_extent()
    assert text.get_color() == INK
    assert (box.x0 + box.x1) / 2 == pytest.approx(frame.figure.bbox.width / 2, abs=1)
    assert 0 <= frame.figure.bbox.height - box.y1 < 1.5 * frame.dots_per_mm


@pytest.mark.parametrize("camera", [(20, 180), (20, 0), (30, 90), (20, 270), (70, 180), (-20, 180)])
def test_no_letter_of_the_compass_lies_on_another_axis(camera):
    """Seen from a side and a little from above, the axis that goes away runs up the page as superior does."""
    page = MplFigure(figsize=(2, 2), dpi=100)
    FigureCanvasAgg(page)
    frame = Frame.whole(page, 7.0, "white")
    canvas = frame.canvas()
    compass(canvas, 20, 20, as_camera(camera), 4.0, 7.0)
    page.canvas.draw()
    boxes = [text.get_window_extent() for text in canvas.texts]
    assert len(boxes) >= 2
    for n, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:n])
        middle = np.array([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2])
        for line in canvas.lines:
            first, last = canvas.transData.transform(np.transpose(line.get_data()))
            along = np.clip((middle - first) @ (last - first) / max((last - first) @ (last - first), 1e-9), 0, 1)
            assert np.hypot(*(first + along * (last - first) - middle)) > 3
