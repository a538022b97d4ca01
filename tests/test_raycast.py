"""The ray caster, which needs no OpenGL, and the choice between the engines."""

import json

import numba
import numpy as np
import pytest
from helpers import CODES, ball, refuses, storage_affine
from scipy import ndimage
from skimage.metrics import structural_similarity

from volrender import Box, Camera, CutPlane, Intensity, Isosurface, LabelMap, Plane, Scene, Volume, sample, space
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


@pytest.mark.parametrize("name", SCENES)
def test_every_storage_order_and_number_of_threads_gives_the_same_bytes(name, monkeypatch):
    first = cast(*SCENES[name](), camera=(20, 140))
    assert first[..., :3].std() > 5
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 1)
    assert np.array_equal(cast(*SCENES[name](), camera=(20, 140)), first)
    for code in ("LPS", "PIR", "SAL"):
        assert code in CODES
        turned = [type(layer)(layer.volume.reorient(code), **_options(layer)) for layer in SCENES[name]()]
        assert np.array_equal(cast(*turned, camera=(20, 140)), first), code


def _options(layer):
    names = ("clim", "cmap", "opacity", "blend", "clip", "level", "color", "colors", "plane")
    fixed = {
        "Intensity": ("blend", "clip", "clim"),
        "Isosurface": ("level", "opacity"),
        "LabelMap": ("colors",),
        "CutPlane": ("plane",),
    }
    return {name: getattr(layer, name) for name in names if name in fixed[type(layer).__name__]}


@pytest.mark.parametrize("perspective", [False, True])
def test_a_surface_is_where_it_is(perspective):
    """The outline of a ball in a sheared grid is that of the ball."""
    radius, spacing = 20.0, 2.0
    affine = np.linalg.multi_dot([space.translation(-25, -31, -22), SHEARED * [[1], [1], [1], [1]]])
    affine[:3, :3] *= spacing
    shape = (34, 30, 38)
    middle = space.apply_affine(affine, (np.array(shape) - 1) / 2)
    away = np.linalg.norm(space.apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1)) - middle, axis=-1)
    volume = Volume((radius - away).astype(np.float32), affine)
    scene = Scene(
        Isosurface(volume, level=0.0, smooth=False), engine="raycast", camera=Camera(20, 140, perspective=perspective)
    )
    body = (scene.render((200, 200))[..., :3].astype(int) < 250).any(axis=-1)
    across = np.sqrt(4 * body.sum() / np.pi)
    edges = [scene.project(middle + sign * radius * np.array(scene.camera.axes[0]), (200, 200)) for sign in (-1, 1)]
    expected = float(np.hypot(*(edges[1] - edges[0])))
    assert across == pytest.approx(expected, rel=0.03 if perspective else 0.012)
    assert np.allclose(ndimage.center_of_mass(body)[::-1], scene.project(middle, (200, 200)), atol=0.6)


def test_what_is_in_front_is_in_front():
    red = Isosurface(ball(24, 4.0), level=50, color="red")
    wall = Isosurface(
        Volume(np.pad(np.full((2, 12, 12), 100.0), ((18, 4), (6, 6), (6, 6))), ball(24).affine), level=50, color="lime"
    )
    for camera, seen in (("right", 1), ("left", 0)):
        center = cast(red, wall, camera=camera, light="flat")[45, 45, :3].astype(int)
        assert center[seen] > 200 > 60 > center[1 - seen]


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
