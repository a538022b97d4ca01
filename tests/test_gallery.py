import ast
import runpy
from pathlib import Path

import pytest
from printed import png_facts

from volrender.page import Printable

FOLDER = Path(__file__).parents[1] / "gallery"
SCRIPTS = sorted(FOLDER.glob("plot_*.py"))


def test_there_is_a_gallery():
    assert len(SCRIPTS) >= 4


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_is_short_and_says_why(script):
    text = script.read_text()
    assert len(text.splitlines()) <= 60
    said = ast.get_docstring(ast.parse(text)).splitlines()
    assert set(said[1]) == {"="}
    assert len(said[1]) == len(said[0])
    assert len(said) > 3


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_makes_its_pictures(script, tmp_path):
    made = {id(v): v for v in runpy.run_path(str(script)).values() if isinstance(v, Printable)}
    assert made
    for n, picture in enumerate(made.values()):
        picture.save(tmp_path / f"{n}.png", width=60, dpi=40)
        assert png_facts(tmp_path / f"{n}.png")[0] == round(60 / 25.4 * 40)
