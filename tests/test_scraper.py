from pathlib import Path

import numpy as np
import pytest
from helpers import ball
from printed import MM, png_facts

from volrender import Figure, Histogram, Slices

pytest.importorskip("sphinx_gallery", reason="sphinx-gallery, of the docs extra, is not installed")

from volrender.sphinx_scraper import DPI, scrape

BALL = ball(10, 3.0)


@pytest.fixture
def gallery(tmp_path):
    """Run the scraper on the variables that a block leaves, as sphinx-gallery does."""
    images = (str(tmp_path / f"image_{n:03}.png") for n in range(1, 99))

    def run(**variables):
        shown = {"example_globals": variables, "image_path_iterator": images}
        return scrape(("code", "", 1), shown, {"src_dir": str(tmp_path)})

    run.folder = tmp_path
    return run


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def test_each_panel_is_drawn_once(gallery):
    first, second = Slices(BALL, z=0), Histogram(BALL)
    said = gallery(first=first)
    assert names(gallery.folder) == ["image_001.png"]
    assert "image_001.png" in said
    assert gallery(first=first, again=first, second=second, ___=second).count("image_002.png") >= 1
    assert names(gallery.folder) == ["image_001.png", "image_002.png"]
    assert gallery(first=first, second=second) == ""
    assert names(gallery.folder) == ["image_001.png", "image_002.png"]


def test_an_equal_panel_is_another(gallery):
    gallery(one=Slices(BALL, z=0))
    gallery(one=Slices(BALL, z=0))
    assert names(gallery.folder) == ["image_001.png", "image_002.png"]


def test_several_in_a_block_come_in_their_order(gallery):
    said = gallery(a=Slices(BALL, z=0), b=Figure([BALL], width=100), c=Slices(BALL, y=0))
    assert names(gallery.folder) == ["image_001.png", "image_002.png", "image_003.png"]
    widths = [png_facts(gallery.folder / name)[0] for name in names(gallery.folder)]
    assert widths == [round(mm / MM * DPI) for mm in (89, 100, 89)]
    assert said.index("image_001.png") < said.index("image_002.png") < said.index("image_003.png")


def test_what_is_no_picture_is_left_alone(gallery):
    assert gallery(ball=BALL, array=np.zeros(3), kind=Slices, many=[Slices(BALL)]) == ""
    assert names(gallery.folder) == []
