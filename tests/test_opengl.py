import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from helpers import ball, refuses
from printed import needs_opengl, png_facts

from volrender import Intensity, Isosurface, Scene, Slices
from volrender.draw import opengl

BALL = ball(12, 4.0)
# A machine without OpenGL: a mount namespace of its own in which every library that could draw is empty.
LIBRARIES = r"/\S*lib(EGL|GL|OSMesa|GLX|OpenGL|gallium|X11|GLdispatch)\S*\.so\S*$"
HIDE = f'for f in $(ldconfig -p | grep -oE "{LIBRARIES}"); do mount --bind /dev/null "$f"; done; exec "$@"'
WITHOUT = ["unshare", "--mount", "bash", "-c", HIDE, "without-opengl"]


def child(code, launcher=()):
    command = [*launcher, sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def without_opengl():
    """What to put before a command so that it finds no OpenGL."""
    if shutil.which("unshare") is None or shutil.which("ldconfig") is None:
        pytest.skip("hiding OpenGL takes Linux with unshare and ldconfig")
    # The bare probe says whether hiding worked: without a library VTK ends the process.
    hidden = subprocess.run([*WITHOUT, sys.executable, "-c", opengl.PROBE], capture_output=True, text=True, check=False)
    if "unshare" in hidden.stderr or "mount" in hidden.stderr:
        pytest.skip("OpenGL cannot be hidden here: no mount namespace without more rights")
    if hidden.returncode == 0 and hidden.stdout.split()[2:3] == ["1"]:
        pytest.skip("OpenGL cannot be hidden here: it is found elsewhere")
    return WITHOUT


@pytest.fixture
def forgetful():
    """The answer is kept for a process' life: ask anew in a test, and after it."""
    opengl.window.cache_clear()
    yield
    opengl.window.cache_clear()


def interpreter(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.skipif(os.name != "posix", reason="the fake interpreter is a shell script")
@pytest.mark.parametrize(
    "body",
    [
        "kill -SEGV $$",
        "exit 1",
        "echo window vtkSomeWindow 0 2048",
        "echo nothing of use",
        "exit 0",
        "echo boom >&2; exit 139",
    ],
)
def test_a_probe_that_fails_is_one_sentence(tmp_path, monkeypatch, forgetful, body):
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path / "python", body))
    said = refuses(RuntimeError, opengl.require, "OpenGL", "apt install", "dnf install", "raycast")
    assert "libegl" in said


def test_an_interpreter_that_is_not_there(tmp_path, monkeypatch, forgetful):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    refuses(RuntimeError, opengl.require, "OpenGL")


def test_the_sentence_comes_from_every_way_into_a_scene(monkeypatch, tmp_path):
    monkeypatch.setattr(opengl, "window", lambda: None)
    scene = Scene(Isosurface(BALL, 50), engine="pyvista")
    (tmp_path / "s.png").write_bytes(b"old")
    refuses(RuntimeError, lambda: scene.render((20, 20)), "OpenGL")
    refuses(RuntimeError, lambda: scene.plotter((20, 20)), "OpenGL")
    refuses(RuntimeError, lambda: scene.save(tmp_path / "s.png"), "OpenGL")
    refuses(RuntimeError, scene._repr_png_, "OpenGL")
    assert (tmp_path / "s.png").read_bytes() == b"old"
    assert scene.project([0, 0, 0]).shape == (2,)
    Slices(BALL).save(tmp_path / "slices.png", dpi=60)
    assert png_facts(tmp_path / "slices.png")


@needs_opengl
def test_the_probe_is_asked_once(monkeypatch):
    found = opengl.window()
    assert found.name.startswith("vtk")
    assert found.largest >= 512
    monkeypatch.setattr(subprocess, "run", None)
    assert opengl.window() == opengl.require() == found


@needs_opengl
@pytest.mark.parametrize("before", [None, "vtkOther"])
def test_the_users_choice_of_window_comes_back(monkeypatch, before):
    monkeypatch.delenv(opengl.WINDOW, raising=False)
    if before:
        monkeypatch.setenv(opengl.WINDOW, before)
    with opengl.offscreen():
        assert os.environ[opengl.WINDOW] == opengl.window().name
    assert os.environ.get(opengl.WINDOW) == before


@needs_opengl
def test_a_step_in_the_opacity_draws_in_silence(capfd):
    """VTK says on stderr when a table has more cells than the machine's textures."""
    steps = [(1, 0), (10, 0), (10, 0.5), (50, 0.5), (50, 1)]
    Scene(Intensity(BALL, opacity=steps, clim=(0, 20)), engine="pyvista").render((40, 40))
    assert capfd.readouterr() == ("", "")


# For real


def test_without_opengl_every_command_draws(without_opengl, tmp_path):
    np.save(tmp_path / "ball.npy", BALL.data)
    code = f"""
import sys
import os
from volrender.cli import main
source = [{str(tmp_path / "ball.npy")!r}, "--spacing", "1", "1", "1", "--dpi", "60", "-o"]
folder = {str(tmp_path)!r}
for command in ("voxels", "slices", "histogram", "scene"):
    assert main([command, *source, folder + "/" + command + ".png"]) == 0
assert main(["demo", "-o", folder + "/demo", "--dpi", "30"]) == 0
assert main(["doctor"]) == 0
sys.exit(main(["scene", *source, folder + "/none.png", "--engine", "pyvista"]))
"""
    done = child(code, without_opengl)
    assert done.returncode == 2, done
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("volrender: pyvista needs OpenGL")
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["ball.npy", "demo", "histogram.png", "scene.png", "slices.png", "voxels.png"]
    written = sorted(path.name for path in (tmp_path / "demo").iterdir())
    assert written == ["atlas.png", "cutaway.png", "figure.png", "slices.png", "voxels.png"]


@pytest.mark.parametrize("chosen", ["vtkNoSuchWindow", "vtkXOpenGLRenderWindow"])
def test_a_bad_choice_of_window_is_no_crash(tmp_path, chosen):
    code = "from volrender import Scene, Isosurface, Volume; import numpy as np\n"
    code += "v = Volume(np.pad(np.ones((4, 4, 4)), 2), np.eye(4)); Scene(Isosurface(v, 0.5)).render((20, 20))"
    environment = os.environ | {opengl.WINDOW: chosen, "DISPLAY": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
