"""The two engines side by side, the choice between them, and what the doctor says."""

import json

import numpy as np
import pytest
from helpers import ball, refuses, storage_affine
from scipy import ndimage
from skimage.metrics import structural_similarity

from volrender import Box, CutPlane, Intensity, Isosurface, LabelMap, Plane, Scene, Volume, sample
from volrender.cli import main
from volrender.draw import engines, opengl

SHEARED = np.array([[1.0, 0.3, 0, -9], [-0.2, 1.1, 0.2, -12], [0, 0.1, -0.9, 10], [0, 0, 0, 1]])


def cast(*layers, size=(90, 90), **options):
    return Scene(*layers, engine="raycast", **options).render(size)


def labels():
    data = np.zeros((20, 20, 20), np.uint8)
    data[4:16, 4:16, 4:10], data[4:16, 4:16, 10:16] = 1, 2
    return Volume(data, storage_affine("RAS", (2, 2, 2), (-19, -19, -19)), "labels")


SCENES = {
    "volume": lambda: [Intensity(sample("mni152").downsize(60))],
    "maximum": lambda: [Intensity(sample("mni152").downsize(40), blend="maximum")],
    "surface": lambda: [Isosurface(ball(24, 8.0), level=50)],
    "labels": lambda: [LabelMap(labels(), colors={1: "red", 2: "blue"})],
    "cut": lambda: [Intensity(sample("mni152").downsize(60), clip=Box(x=(None, 0), y=(0, None), z=(0, None)))],
    "plane": lambda: [CutPlane(sample("mni152").downsize(40), Plane(x=0))],
    "translucent": lambda: [Isosurface(ball(24, 9.0), level=50, opacity=0.4), Isosurface(ball(24, 4.0), level=50)],
}


@pytest.mark.usefixtures("gl")
@pytest.mark.parametrize("name", SCENES)
def test_both_engines_draw_one_scene(name):
    layers = SCENES[name]()
    ours, theirs = (
        Scene(*layers, engine=engine, camera=(20, 140)).render((160, 160)) for engine in ("raycast", "pyvista")
    )
    bodies = [(raster[..., :3].astype(int) < 245).any(axis=-1) for raster in (ours, theirs)]
    both, either = np.logical_and(*bodies).sum(), np.logical_or(*bodies).sum()
    assert both / either > 0.96
    places = [np.array(ndimage.center_of_mass(body)) for body in bodies]
    assert np.abs(places[0] - places[1]).max() < 0.5
    assert structural_similarity(ours[..., :3], theirs[..., :3], channel_axis=2) > 0.88


def test_a_transparent_background_is_exact():
    layer = Isosurface(ball(24, 9.0), level=50, color="red", opacity=0.5)
    clear = cast(layer, light="flat", background="transparent").astype(float)
    for page in ("white", "black", "#3060a0"):
        direct = cast(layer, light="flat", background=page)[..., :3].astype(float)
        ground = np.array([int(c * 255 + 0.5) for c in __import__("matplotlib").colors.to_rgb(page)])
        over = clear[..., :3] * clear[..., 3:] / 255 + ground * (1 - clear[..., 3:] / 255)
        assert np.abs(over - direct).max() <= 1.5


def test_the_engine_is_chosen(monkeypatch):
    monkeypatch.delenv(engines.VARIABLE, raising=False)
    monkeypatch.setattr(opengl, "window", lambda: None)
    assert engines.chosen() == "raycast"
    monkeypatch.setattr(opengl, "window", lambda: opengl.Window("vtkSomeWindow", 2048, "llvmpipe"))
    assert engines.chosen() == "pyvista"
    monkeypatch.setenv(engines.VARIABLE, "raycast")
    assert engines.chosen() == "raycast"
    assert engines.chosen("pyvista") == "pyvista"
    monkeypatch.setenv(engines.VARIABLE, "povray")
    refuses(ValueError, engines.chosen, engines.VARIABLE, "povray", "raycast")
    refuses(ValueError, lambda: Scene(ball(), engine="opengl"), "engine", "opengl", "raycast")


def test_the_doctor_tells_what_draws(capsys, monkeypatch):
    def run(*words):
        return main([*words]), *capsys.readouterr()

    monkeypatch.delenv(engines.VARIABLE, raising=False)
    code, out, err = run("doctor", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found["engine"] == engines.chosen()
    assert found["figures"]
    code, out, _ = run("doctor")
    assert code == 0
    assert "scenes are drawn by" in out
    monkeypatch.setattr(opengl, "window", lambda: None)
    code, out, _ = run("doctor")
    assert code == 0
    assert "raycast" in out
    assert "apt install" in out
