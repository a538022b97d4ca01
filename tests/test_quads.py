"""Shapes on pixels: how much of each pixel a shape covers is known."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from volrender.draw import quads

SIDE = 24
BLACK = np.array([[0, 0, 0, 1.0]])
TRAPEZIA = st.tuples(*[st.floats(0.1, 6.2) for _ in range(4)], st.floats(4, 11), st.floats(7, 17), st.floats(7, 17))


def cover(corners, *, rows=SIDE, sharp=False):
    """The alpha (rows, SIDE) of one opaque shape."""
    picture = np.zeros((rows, SIDE, 4), np.float32)
    corners = np.reshape(np.asarray(corners, float), (1, -1, 4, 2))
    quads.paint(picture, corners, BLACK, np.array([sharp]))
    return picture[..., 3]


def around(case):
    """Four corners of a convex shape on an ellipse, in order."""
    *turns, radius, x, y = case
    angles = np.sort(turns)
    return np.stack([x + radius * np.cos(angles), y + 0.7 * radius * np.sin(angles)], axis=-1)


def area(corners):
    x, y = np.transpose(corners)
    return abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2


@given(TRAPEZIA)
def test_what_is_covered_is_the_area(case):
    corners = around(case) / 2 + 6
    assert cover(corners).sum() == pytest.approx(area(corners), abs=1e-3)
    assert cover(corners[::-1]).sum() == pytest.approx(area(corners), abs=1e-3)


@settings(max_examples=15)
@given(TRAPEZIA)
def test_each_pixel_is_covered_by_its_part(case):
    """Against 16 x 16 points in each pixel; a shape may reach beyond the picture."""
    corners = around(case)
    assume(area(corners) > 1)
    points = (np.arange(16 * SIDE) + 0.5) / 16
    x, y = np.meshgrid(points, points)
    inside = np.ones(x.shape, bool)
    for here, there in zip(corners, np.roll(corners, -1, axis=0)):
        inside &= (there[0] - here[0]) * (y - here[1]) - (there[1] - here[1]) * (x - here[0]) >= 0
    part = inside.reshape(SIDE, 16, SIDE, 16).mean(axis=(1, 3))
    assert np.abs(cover(corners) - part).max() < 0.07
    assert np.abs(cover(corners) - part).mean() < 0.003


def test_neighbours_share_an_edge():
    """One color in two halves along a slanted edge: together they cover each pixel once."""
    corners = np.array([[3, 3], [20, 4], [19, 20], [4, 18.5]])
    cut = [(corners[0] + corners[1]) / 2, (corners[2] + corners[3]) / 2]
    halves = cover([corners[0], cut[0], cut[1], corners[3]]) + cover([cut[0], corners[1], corners[2], cut[1]])
    assert halves == pytest.approx(cover(corners), abs=1e-5)


def test_an_outline_the_other_way_round_is_a_hole():
    square = np.array([[4, 4], [14, 4], [14, 14], [4, 14]])
    inner = np.array([[6, 6], [6, 12], [12, 12], [12, 6]])
    ring = cover([square, inner])
    assert ring.sum() == pytest.approx(100 - 36, abs=1e-3)
    assert ring[9, 9] == pytest.approx(0, abs=1e-6)


def test_a_sharp_shape_fills_what_it_touches():
    corners = [[4.9, 4.9], [8.1, 4.9], [8.1, 8.1], [4.9, 8.1]]
    filled = cover(corners, sharp=True)
    assert set(np.unique(filled)) == {0, 1}
    assert filled.sum() == 25


def test_later_shapes_lie_over_earlier_ones():
    square = np.array([[[[2, 2], [8, 2], [8, 8], [2, 8]]]] * 2, float)
    picture = np.zeros((SIDE, SIDE, 4), np.float32)
    quads.paint(picture, square, np.array([[1, 0, 0, 1], [0, 0, 1, 0.25]]), np.zeros(2, bool))
    assert picture[5, 5] == pytest.approx([0.75, 0, 0.25, 1])
    assert quads.as_image(picture)[5, 5].tolist() == [191, 0, 64, 255]


def test_bands_of_rows_meet():
    """A tall shape is painted in several parts."""
    corners = [[3, 2], [20, 30], [21, 190], [2, 180]]
    tall = cover(corners, rows=3 * quads.BAND)
    assert tall.sum() == pytest.approx(area(corners), rel=1e-5)


@pytest.mark.parametrize("far", [1e9, -1e9])
def test_what_lies_far_off_is_left_out(far):
    assert cover([[far, far], [far + 5, far], [far + 5, far + 5], [far, far + 5]]).max() == 0


def test_upright_rectangles_are_moved_onto_pixels():
    upright = np.array([[[1.2, 1.4], [4.7, 1.4], [4.7, 3.3], [1.2, 3.3]]])
    slanted = upright + [[[0, 0], [0, 0.5], [0, 0], [0, 0]]]
    assert quads.snapped(upright).tolist() == [[[1, 1], [5, 1], [5, 3], [1, 3]]]
    assert quads.snapped(upright, 0.5)[0, 0].tolist() == [1.5, 1.5]
    assert (quads.snapped(slanted) == slanted).all()
