"""What a printed file says of itself, and what a drawn figure says of its text."""

import struct
import zlib
from itertools import combinations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.textpath import TextPath

from volrender.draw import opengl

needs_opengl = pytest.mark.skipif(opengl.window() is None, reason="a Scene needs OpenGL, and none works here")
MM = 25.4


def png_facts(path):
    """Width and height (pixels) and dpi of a PNG, from its own chunks, whose checksums must hold."""
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size]) == (zlib.crc32(name + body),)
        chunks.setdefault(name, body)
        at += 12 + size
    assert b"IEND" in chunks
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    across, up, unit = struct.unpack(">IIB", chunks[b"pHYs"])
    assert (across, unit) == (up, 1)
    return width, height, across * MM / 1000


def texts(figure):
    """Every text that is drawn, with its box in pixels from the page's lower left corner."""
    renderer = figure.canvas.get_renderer()
    boxes = {}

    def noted(text, renderer):
        boxes[id(text)] = text.get_window_extent(renderer)
        return draw(text, renderer)

    draw = Text.draw
    with pytest.MonkeyPatch.context() as patch:  # measured while they are drawn: what a page sets holds then
        patch.setattr(Text, "draw", noted)
        figure.draw(renderer)
    drawn = [t for t in figure.findobj(Text) if id(t) in boxes and t.get_visible() and t.get_text().strip()]
    # A tick label outside its axis' limits is an artist but is not drawn.
    hidden = set()
    for ax in figure.findobj(lambda artist: hasattr(artist, "get_xaxis")):
        for axis in (ax.xaxis, ax.yaxis, *([ax.zaxis] if hasattr(ax, "zaxis") else [])):
            shown = {id(t) for tick in axis._update_ticks() for t in (tick.label1, tick.label2)}
            every = {id(t) for tick in (*axis.majorTicks, *axis.minorTicks) for t in (tick.label1, tick.label2)}
            hidden |= every if not ax.axison or not axis.get_visible() else every - shown
    return [(t, boxes[id(t)]) for t in drawn if id(t) not in hidden]


def ink(text, box, renderer):
    """The corners of what a text inks, as it lies on paper; a slanted one has the middle of its upright box."""
    angle = text.get_rotation()
    text.set_rotation(0)
    low, high = text.get_window_extent(renderer).get_points()
    text.set_rotation(angle)
    _, _, descent = renderer.get_text_width_height_descent("lp", text.get_fontproperties(), ismath=False)
    if "\n" in text.get_text():
        drawn = np.array([[0, -descent], high - low - [0, descent]])
    else:
        drawn = TextPath((0, 0), text.get_text(), prop=text.get_fontproperties()).get_extents().get_points()
        drawn *= renderer.points_to_pixels(1.0)
    (left, bottom), (right, top) = drawn + [0, descent] - (high - low) / 2
    turn = np.array([[np.cos(np.radians(angle)), np.sin(np.radians(angle))], [0, 0]])
    turn[1] = -turn[0, 1], turn[0, 0]
    return (box.min + box.max) / 2 + np.array([[left, bottom], [right, bottom], [right, top], [left, top]]) @ turn


def overlap(one, two):
    """How far two rectangles reach into each other, pixels; none where some line parts them."""
    depth = np.inf
    for corners in (one, two):
        for side in (corners[1] - corners[0], corners[3] - corners[0]):
            a, b = one @ side / np.hypot(*side), two @ side / np.hypot(*side)
            depth = min(depth, min(a.max(), b.max()) - max(a.min(), b.min()))
    return depth


def assert_lettering_is_clear(figure, slack=1.0):
    """No two texts overlap and none leaves the page, to `slack` pixels."""
    renderer = figure.canvas.get_renderer()
    found = [(text, ink(text, box, renderer)) for text, box in texts(figure)]
    page = np.array([figure.bbox.width, figure.bbox.height])
    for text, corners in found:
        inside = corners.min() > -slack and (corners < page + slack).all()
        assert inside, f"{text.get_text()!r} leaves the page, {page}: {corners.round(1).tolist()}"
    for (one, a), (two, b) in combinations(found, 2):
        reach = overlap(a, b)
        assert reach < slack, f"{one.get_text()!r} overlaps {two.get_text()!r} by {reach:.1f} px"
    return [text.get_text() for text, _ in found]


def assert_pictures_are_clear(figure, slack=1.0):
    """No text lies on a picture, or a color bar, that it does not belong to."""
    renderer = figure.canvas.get_renderer()
    found = [(text, ink(text, box, renderer)) for text, box in texts(figure)]
    for ax in (ax for ax in figure.findobj(Axes) if ax.images):
        (left, bottom), (right, top) = ax.get_window_extent().get_points()
        picture = np.array([[left, bottom], [right, bottom], [right, top], [left, top]])
        for text, corners in found:
            reach = overlap(corners, picture)
            assert text.axes is ax or reach < slack, f"{text.get_text()!r} lies {reach:.1f} px on a picture"


def words(figure):
    """What the texts of a figure say."""
    return [text.get_text() for text, _ in texts(figure)]
