"""What every panel does with its layers, whatever it draws them with."""

import warnings

import numpy as np
import pytest

from volrender import Histogram, Scene, Slices, Volume, Voxels

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
