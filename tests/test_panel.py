"""What every panel does with its layers, whatever it draws them with."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from helpers import ball
from matplotlib.colors import to_rgb
from printed import texts as drawn_texts

from volrender import (
    Box,
    Histogram,
    Intensity,
    Isosurface,
    LabelMap,
    Plane,
    Scene,
    Slices,
    Volume,
    Voxels,
    sample,
    space,
)
from volrender.intensity import luma

PANELS = [Scene, Slices, Voxels]


def at(world):
    return Volume(np.arange(60.0).reshape(3, 4, 5), np.eye(4), space=world)


@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("MNI152", "scanner"),
        ("talairach", "scanner"),
        ("MNI152NLin6Asym", "MNI152NLin2009cAsym"),
        ("MNI152NLin6Asym", "talairach"),
    ],
)
def test_volumes_of_different_spaces_in_one_panel_are_told_on(panel, one, two):
    names = " and ".join(sorted((one, two)))
    for pair in ((one, two), (two, one)):
        with pytest.warns(UserWarning, match=f"^{panel.__name__} shows volumes of different spaces, {names}: register"):
            panel(*map(at, pair))
    with pytest.warns(UserWarning, match="different spaces"):
        panel(at(one), at(""), at("aligned"), at(two))


@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize(
    "worlds",
    [
        ("MNI152", "MNI152"),
        ("scanner", "scanner"),
        ("MNI152", "MNI152NLin6Asym"),
        ("MNI152NLin2009cAsym", "MNI152"),
        *[(unnamed, named) for unnamed in ("", "aligned", "template") for named in ("MNI152", "scanner")],
        ("", "aligned", "template"),
    ],
)
def test_what_may_be_one_space_is_not_told_on(panel, worlds):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        panel(*map(at, worlds))


def test_the_warning_is_at_the_line_that_was_typed():
    for panel in PANELS:
        with pytest.warns(UserWarning, match="different spaces") as caught:
            panel(at("MNI152"), at("scanner"))
        assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Histogram(at("MNI152"))


def test_volumes_that_lie_apart_are_told_on():
    """The usual sign of a mistaken unit or of LPS for RAS: nothing of the other would be seen, or far away."""
    near = Volume(np.arange(60.0).reshape(3, 4, 5), np.eye(4), name="near")
    far = Volume(np.arange(60.0).reshape(3, 4, 5), space.translation(y=300), name="far")
    for panel in (Slices, Voxels, Scene):
        with pytest.warns(UserWarning, match="far and near lie apart, y = 299.5 to 303.5 and -0.5 to 3.5 mm"):
            panel(near, far)
        assert panel(near, near)
    assert Scene(near, replace(near, affine=space.translation(y=7)))  # side by side, both are seen


def test_a_clip_that_removes_nothing_is_told_on():
    near = Volume(np.arange(60.0).reshape(3, 4, 5), np.eye(4), name="near")
    for clip in (Plane(y=3.5), Plane(normal=(-1, 0, 0), origin=(-1, 0, 0)), Box(x=(0, 1), z=(20, None))):
        with pytest.warns(UserWarning, match=re.escape(f"{clip} removes nothing, it lies beside near")):
            Scene(Intensity(near, clip=clip))
    # Of several layers one suffices.
    beside = Intensity(replace(near, affine=space.translation(y=3)), clip=Plane(y=3.5))
    assert Scene(Intensity(near, clip=Plane(y=3.5)), beside)


def test_slices_show_all_that_is_seen_of_every_layer():
    """An overlay that reaches beyond the ground's subject is not cut at its edge."""
    ground = np.zeros((40, 40, 40))
    ground[10:20, 10:20, 10:20] = 100
    over = np.zeros((40, 40, 40), np.uint8)
    over[15:30, 15:18, 15:18] = 1
    panel = Slices(Volume(ground, np.eye(4)), LabelMap(Volume(over, np.eye(4), "labels")), z=16)
    assert panel._bounds[0, 1] >= 29.5
    assert panel._bounds[0, 0] <= 9.5


def test_no_tile_is_at_minus_zero():
    data = np.zeros((20, 20, 20))
    data[5:14, 5:14, 5:14] = 100
    volume = Volume(data, space.translation(-9.3, -9.3, -9.3))
    assert [cut.label for cut in Slices(volume).cuts] == ["x = 0 mm", "y = 0 mm", "z = 0 mm"]
    assert Slices(volume, y=-1e-9).cuts[0].label == "y = 0 mm"


@pytest.mark.parametrize(("background", "dark"), [("white", False), ("black", True), ("#222", True), ("0.9", False)])
def test_lettering_can_be_read_on_any_page(background, dark):
    volume = at("")
    for panel in (Voxels(volume, axes=False, background=background), Slices(volume, volume, background=background)):
        figure = panel.figure(60, 80)
        tones = {sum(to_rgb(text.get_color())) / 3 for ax in figure.axes for text in ax.texts if text.get_text()}
        assert tones
        assert all((tone > 0.6) == dark for tone in tones) or isinstance(panel, Slices)


@pytest.mark.parametrize(("background", "dark"), [("white", False), ("#101418", True)])
def test_a_histogram_can_be_read_on_any_page(background, dark):
    figure = Histogram(sample("mni152"), background=background).figure(60, 80)
    found = [text for text, _ in drawn_texts(figure)]
    assert len(found) > 8
    for text in found:
        assert (luma(np.array(to_rgb(text.get_color()))) > 0.5) == dark, text
    lines = [spine for ax in figure.axes for spine in ax.spines.values() if spine.get_visible()]
    assert all((luma(np.array(to_rgb(line.get_edgecolor()))) > 0.5) == dark for line in lines)


def test_cubes_stand_around_what_the_camera_looks_at():
    data = np.zeros((21, 21, 21))
    data[4:17, 4:17, 4:17] = 100
    volume = Volume(data, space.translation(-10, -10, -10))
    page = []
    for look_at in ((0, 0, 0), (0, 0, 6)):
        camera = space.Camera(0, 90, look_at=look_at, zoom=0.5)
        figure = Voxels(volume, camera=camera, axes=False).figure(60, 80)
        figure.canvas.draw()
        rows, _ = np.nonzero(np.asarray(figure.canvas.buffer_rgba())[:-40, :, 0] < 200)
        page.append((rows.min(), rows.max()))
    assert page[1][0] > page[0][0]  # what lies above the middle sinks
    assert page[1][1] > page[0][1] - 3


def test_intensities_over_other_intensities_are_not_gray_over_gray():
    under, over = ball(11, 4.0), ball(11, 3.0)
    first, second = Slices(under, over, z=0).layers
    assert (first.look.cmap.name, second.look.cmap.name) == ("gray", "inferno")
    assert Slices(under, Intensity(over, cmap="gray"), z=0).layers[1].look.cmap.name == "gray"
    # Under what has a color of its own there is no gray to be apart from.
    assert Scene(Isosurface(over, level=50), under).layers[1].look.cmap.name == "gray"
    shell, core = Scene(Intensity(under, opacity=0.1), Intensity(under, opacity=[(90, 0), (95, 1)])).layers
    assert [layer.look.chosen for layer in (shell, core)] == [False, False]  # two curves of one volume
