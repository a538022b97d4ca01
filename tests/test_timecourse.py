"""Time courses: the right numbers in the right colors, in masks on any grid, drawn again from a recipe."""

import numpy as np
import pytest
from helpers import refuses, tilted
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import volrender as vr
from volrender.cli import main
from volrender.color import QUALITATIVE

FRAMES = np.array([3.0, 1, 4, 1, 5])


def series(affine):
    """One half of it goes up and down, the other stays at 10."""
    data = np.full((12, 10, 8, len(FRAMES)), 10.0)
    data[:6] = FRAMES
    return vr.Volume(data, affine, name="bold", unit="%")


def halves(affine, labels=(1, 2)):
    """The halves of the series, on a finer grid of the same place."""
    data = np.zeros((24, 20, 16), np.uint8)
    data[:11], data[13:] = labels
    fine = affine @ np.diag([0.5, 0.5, 0.5, 1]) @ vr.space.translation(-0.5, -0.5, -0.5)
    return vr.Volume(data, fine, "labels", name="halves")


def curves(panel):
    (ax,) = panel.figure(60, 80).axes
    return {line.get_label(): (to_rgb(line.get_color()), *line.get_data()) for line in ax.lines}, ax


@pytest.mark.parametrize("code", ["RAS", "LPI"])
def test_each_region_has_a_curve_in_its_color(code):
    affine = tilted(1)[0]
    found, ax = curves(vr.Timecourse(series(affine).reorient(code), mask=halves(affine), interval=2.5))
    assert list(found) == ["1", "2"]
    (one, seconds, ups), (two, _, still) = found.values()
    assert (one, two) == (to_rgb(QUALITATIVE[0]), to_rgb(QUALITATIVE[1]))
    assert np.allclose(seconds, [0, 2.5, 5, 7.5, 10])
    assert np.allclose(ups, FRAMES)
    assert np.allclose(still, 10)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "mean (%)")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["1", "2"]


def test_all_voxels_and_a_mask():
    whole, ax = curves(vr.Timecourse(series(np.eye(4))))
    ((_, frames, values),) = whole.values()
    assert np.allclose(values, (FRAMES + 10) / 2)
    assert frames.tolist() == [0, 1, 2, 3, 4]
    assert (ax.get_xlabel(), ax.get_ylabel().replace("\n", " "), ax.get_legend()) == (
        "frame",
        "mean of all voxels (%)",
        None,
    )
    mask = vr.Timecourse(series(np.eye(4)), mask=halves(np.eye(4), (1, 0)))
    ((_, _, values),) = curves(mask)[0].values()
    assert np.allclose(values, FRAMES)
    assert mask.said == "Mean of halves in the 5 frames of bold: from 1 to 5 %."


def test_on_the_users_axes_it_has_the_type_of_a_histogram():
    page = Figure(figsize=(6, 2))
    both = page.subplots(1, 2)
    for ax, panel in zip(both, (vr.Histogram(series(np.eye(4)).frame(0)), vr.Timecourse(series(np.eye(4))))):
        panel.draw(ax)
        texts = [ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()]
        assert {text.get_fontsize() for text in texts} == {7.0}
        assert (ax.spines["left"].get_linewidth(), ax.spines["right"].get_visible()) == (0.5, False)


def test_the_words_say_which_regions():
    said = vr.Timecourse(series(np.eye(4)), mask=halves(np.eye(4)), interval=2).caption()
    assert said.startswith("Mean of the regions 1 and 2 of halves in the 5 frames of bold, 2 s apart: from 1 to 10 %. ")


def test_what_a_timecourse_refuses():
    bold = series(np.eye(4))
    refuses(ValueError, lambda: vr.Timecourse(bold.frame(0)), "timecourse needs a 4-D volume")
    refuses(TypeError, lambda: vr.Timecourse("bold.nii"), "Timecourse needs a Volume, from volrender.load(...)")
    refuses(ValueError, lambda: vr.Timecourse(bold, interval=0), "interval must be above 0 seconds; got 0")
    refuses(ValueError, lambda: vr.Timecourse(bold, mask=halves(np.eye(4), (0, 0))), "must hold a label other than 0")
    many = vr.Volume(np.arange(960).reshape(12, 10, 8), np.eye(4), "labels")
    refuses(ValueError, lambda: vr.Timecourse(bold, mask=many), "at most 20 regions; the mask has 959")


def test_it_is_drawn_from_the_command_line_and_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    series(np.eye(4)).save("bold.nii.gz")
    halves(np.eye(4)).save("halves.nii.gz")
    words = ["--mask", "halves.nii.gz", "--interval", "2", "--width", "60", "--dpi", "60"]
    assert main(["timecourse", "bold.nii.gz", *words, "-o", "one.png"]) == 0
    assert main(["redo", "one.png", "-o", "two.png"]) == 0
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    capsys.readouterr()
    assert main(["timecourse", "halves.nii.gz", "-o", "three.png"]) == 2
    assert capsys.readouterr().err.startswith("volrender: halves.nii.gz: timecourse needs a 4-D volume")
