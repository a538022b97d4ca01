"""One scene, two engines: which draws, and that they draw the same."""

import json
import signal
import subprocess
import sys
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
from helpers import ball, hill, refuses, tilted
from scipy import ndimage
from skimage.metrics import structural_similarity

from volrender import Box, CutPlane, Intensity, Isosurface, LabelMap, Plane, Scene, Volume, console, load, sample
from volrender import doctor as doctors
from volrender.cli import main
from volrender.draw import engines, opengl, scene_pyvista
from volrender.draw.faces import cut_faces, ended
from volrender.rendering import Rendering

SIZE = (180, 180)
SHEARED = tilted(2, seed=4)[1]
HARDWARE = opengl.Window("vtkEGLRenderWindow", 2048, "NVIDIA H100/PCIe")
SOFT = opengl.Window("vtkEGLRenderWindow", 2048, "llvmpipe (LLVM 15.0.6, 256 bits)")


def head():
    return sample("mni152").downsize(70)


def halves():
    """A ball of two labels beside a third."""
    index = np.moveaxis(np.indices((24, 24, 24)), 0, -1)
    data = (np.linalg.norm(index - [9, 12, 12], axis=-1) <= 7) * (1 + (index[..., 2] > 12))
    data = np.where(np.linalg.norm(index - [19, 12, 10], axis=-1) <= 4, 3, data)
    return Volume(data, np.diag([2.0, 2, 2, 1]), "labels", "halves")


def scenes():
    """The scenes that both engines must draw alike."""
    t1, motor = head(), sample("motor")
    octant = Box(x=(None, 0), y=(0, None), z=(0, None))
    mist, soft = [(0, 0), (40, 0), (140, 0.03)], [(0, 0), (30, 0), (45, 0.3), (100, 0.3)]
    index = np.moveaxis(np.indices((24, 24, 24)), 0, -1)
    mask = Volume((np.linalg.norm(index - 11.5, axis=-1) < 8).astype(int), tilted(3, seed=9)[2], "labels", "mask")
    return {
        "volume": [Intensity(t1)],
        "maximum": [Intensity(t1, blend="maximum")],
        "surface": [Isosurface(t1)],
        "labels": [LabelMap(halves())],
        "cut": [Intensity(t1, clip=Plane(y=0)), CutPlane(t1, Plane(z=-20))],
        "box": [Intensity(t1, clip=octant), Isosurface(motor, level=-3.1, color="royalblue")],
        "oblique": [Intensity(t1, clip=Plane(normal=(1, 2, 2), origin=(0, 0, 20)))],
        "sheared": [Isosurface(hill(SHEARED), level=40, color="goldenrod")],
        "translucent in volume": [
            Intensity(t1, opacity=mist, cmap="gray", clim=(0, 200)),
            Isosurface(motor, level=-3.1, color="royalblue", opacity=0.6),
        ],
        "mists": [
            Intensity(hill(np.diag([2.0, 2, 2, 1]), (x, 23, 23), 14), clim=(-100, 100), cmap=hue, opacity=soft)
            for x, hue in ((12, "bone"), (33, "copper"))
        ],
        "masks on another grid": [Intensity(t1, clip=octant), LabelMap(mask, colors="crimson")],
    }


@pytest.mark.parametrize("name", scenes())
def test_the_engines_agree(gl, name):
    layers = scenes()[name]
    one, two = (Scene(*layers, engine=engine).render(SIZE) for engine in ("raycast", "pyvista"))
    one, two = one[..., :3], two[..., :3]
    assert structural_similarity(one, two, channel_axis=2) >= 0.95
    masks = [(raster < 250).any(axis=-1) for raster in (one, two)]
    assert (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum() >= 0.99
    assert np.abs(np.subtract(*map(ndimage.center_of_mass, masks))).max() <= 0.5


def test_transparency_agrees(gl):
    layer = Isosurface(ball(20, 6), 50, opacity=0.4, color="red")
    one, two = (
        Scene(layer, engine=engine, background="transparent", light="flat").render((60, 60))[30, 30].astype(int)
        for engine in ("raycast", "pyvista")
    )
    assert np.abs(one - two).max() <= 3
    assert one[3] == pytest.approx(255 * (1 - 0.6**2), abs=2)


def test_what_is_opaque_in_a_translucent_shell_is_lit_alike(gl):
    layers = Isosurface(ball(24, 9), 50, opacity=0.4, color="red"), Isosurface(ball(24, 4), 50, color="blue")
    one, two = (
        Scene(*layers, engine=engine).render((80, 80))[30:50, 30:50, :3].astype(int)
        for engine in ("raycast", "pyvista")
    )
    assert np.abs(one - two).mean() < 6


def mixed():
    """Translucent and opaque volumes, surfaces and faces, among them a projection: what a page can show through."""
    t1 = sample("mni152").downsize(30)
    clear = Isosurface(ball(24, 8.0), level=50, color="red", opacity=0.4)
    inner = Isosurface(ball(24, 5.0), level=50, color="lime", opacity=0.6)
    mist = Intensity(hill(np.diag([2.0, 2, 2, 1]), (23, 23, 23), 16), opacity=[(0, 0), (100, 0.1)])
    return {
        "cut": [Intensity(t1, clip=Plane(x=0))],
        "cut mist": [Intensity(t1, preset="mr-t1", clip=Plane(z=0)), clear],
        "cut surface": [Isosurface(t1, opacity=0.5, clip=Plane(x=0))],
        "mists": [mist, Intensity(ball(24, 7.0), cmap="bone", opacity=[(0, 0), (100, 0.05)]), inner],
        "projection": [Intensity(t1, blend="maximum", cmap="gray_r"), clear],
    }


@pytest.mark.parametrize("engine", ["raycast", "pyvista"])
@pytest.mark.parametrize("name", mixed())
def test_a_transparent_background_is_exact(gl, name, engine):
    """On a page, and on nothing and then on the page, is one picture, to one of 255 steps."""
    layers = mixed()[name]
    clear = Scene(*layers, background="transparent", engine=engine).render((48, 48)).astype(float)
    alpha = clear[..., 3:] / 255
    assert ((alpha > 0.1) & (alpha < 0.9)).mean() > 0.01
    for ground in ((0, 0, 0), (1, 0, 0), (0.5, 0.5, 0.5)):
        page = Scene(*layers, background=ground, engine=engine).render((48, 48)).astype(int)
        over = np.rint(clear[..., :3] * alpha + 255 * np.array(ground) * (1 - alpha))
        assert np.abs(over - page[..., :3]).max() <= 1


@pytest.mark.parametrize("engine", ["raycast", "pyvista"])
@pytest.mark.parametrize("blend", ["minimum", "average"])
def test_projections_are_as_if_sampled_sixteen_times_as_finely(gl, blend, engine):
    layer = Intensity(sample("mni152").downsize(60), blend=blend)
    found, fine = (Scene(layer, engine=engine).render((n, n))[..., :3].astype(float) for n in (80, 320))
    off = found - fine.reshape(80, 4, 80, 4, 3).mean(axis=(1, 3))
    assert 10 * np.log10(255**2 / np.mean(off**2)) >= 38


@pytest.mark.parametrize("engine", ["raycast", "pyvista"])
def test_a_projection_is_the_ground_of_what_has_a_depth(gl, engine):
    """Of a least value dark spaces in the body are seen, and the air around it is not."""
    index = np.linalg.norm(np.indices((40, 40, 40)) - 19.5, axis=0)
    body = Volume(np.where(index < 17, np.where(index < 6, 5.0, 100.0), 0.0), ball(40, 9).affine, name="body")
    finding = Isosurface(ball(40, 3.0), color="red")
    least = Intensity(body, blend="minimum", clim=(0, 100), clip=Plane(x=18))
    raster = Scene(least, engine=engine, light="flat", camera="right").render((80, 80))
    assert raster[40, 40, :3].max() < 40
    assert raster[40, 18, :3].min() > 230
    raster = Scene(least, finding, engine=engine, light="flat", camera="right").render((80, 80)).astype(int)
    assert raster[40, 40, :3].tolist() == [255, 0, 0]
    assert raster[40, 50, :3].max() < 40
    assert raster[2, 2, :3].min() == 255


@pytest.mark.parametrize("engine", ["raycast", "pyvista"])
def test_what_just_comes_out_of_a_face_has_no_holes(gl, engine):
    """A cap 0.8 mm high, of a map in voxels of 4 mm, over a plane that is seen askance."""
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = -46
    found = hill(affine, reach=44)
    wall = Volume(np.full((24, 24, 24), 50.0), affine, name="wall")
    layers = [CutPlane(wall, Plane(x=21.2)), Intensity(found, level=50.0, cmap="Reds", clim=(0, 60))]
    scene = Scene(*layers, camera=(12, 70), engine=engine, light="flat")
    raster = scene.render((240, 240)).astype(int)
    red = raster[..., 0] - raster[..., 1] > 60
    on_plane = np.array([[21.2, y, z] for y in np.arange(-3, 3.1, 0.5) for z in np.arange(-3, 3.1, 0.5)])
    columns, rows = np.rint(scene.project(on_plane, (240, 240))).astype(int).T
    assert red[rows, columns].mean() > 0.97
    assert (ndimage.binary_fill_holes(red) & ~red).sum() <= 2


# Which draws


@pytest.fixture
def machine(monkeypatch):
    """A machine with the given window and devices; nothing is asked of this one."""

    def be(window, devices=("/dev/dri/renderD128",), platform="linux"):
        opengl.hardware.cache_clear()
        monkeypatch.delenv(engines.VARIABLE, raising=False)
        monkeypatch.setattr(opengl, "window", lambda: window)
        monkeypatch.setattr(opengl, "devices", lambda: list(devices))
        monkeypatch.setattr(sys, "platform", platform)

    yield be
    opengl.hardware.cache_clear()


@pytest.mark.parametrize(
    ("window", "devices", "expected"),
    [
        (HARDWARE, ["/dev/dri/renderD128"], "pyvista"),
        (SOFT, ["/dev/dri/renderD128"], "raycast"),
        (None, ["/dev/dri/renderD128"], "raycast"),
        (HARDWARE, [], "raycast"),
    ],
)
def test_hardware_draws_with_pyvista_and_all_else_casts_rays(machine, window, devices, expected):
    machine(window, devices)
    assert engines.chosen() == expected


def test_without_a_device_nothing_is_tried(machine, monkeypatch):
    machine(HARDWARE, [])
    monkeypatch.setattr(opengl, "window", None)
    assert engines.chosen() == "raycast"


def test_other_systems_are_asked(machine):
    machine(HARDWARE, [], "darwin")
    assert engines.chosen() == "pyvista"


def test_what_is_asked_for_comes_first(machine, monkeypatch):
    machine(HARDWARE)
    monkeypatch.setenv(engines.VARIABLE, "raycast")
    assert engines.chosen() == "raycast"
    assert engines.chosen("pyvista") == "pyvista"
    monkeypatch.setenv(engines.VARIABLE, "")
    assert engines.chosen() == "pyvista"
    monkeypatch.setenv(engines.VARIABLE, "vulkan")
    refuses(ValueError, engines.chosen, "VOLRENDER_ENGINE must be one of auto, pyvista, raycast", "'vulkan'")
    refuses(ValueError, lambda: Scene(ball(), engine="vulkan"), "engine must be auto or pyvista or raycast", "'vulkan'")


def test_pyvista_without_opengl_is_one_sentence(machine, tmp_path):
    machine(None)
    scene = Scene(Isosurface(ball(), 50), engine="pyvista")
    refuses(RuntimeError, lambda: scene.render((20, 20)), "pyvista needs OpenGL", "engine='raycast'", "apt install")
    refuses(RuntimeError, lambda: scene.save(tmp_path / "s.png"), "pyvista needs OpenGL")
    assert not list(tmp_path.iterdir())
    assert Scene(Isosurface(ball(), 50)).render((20, 20)).shape == (20, 20, 4)


def test_show_opens_pyvistas_window(gl, monkeypatch):
    """Where there is a display; the window here is one off screen."""
    import pyvista

    seen = []
    monkeypatch.setattr(opengl, "display", opengl.window)
    monkeypatch.setattr(pyvista.Plotter, "show", lambda self, **options: seen.append((self, self.off_screen)))
    Scene(Isosurface(ball(), 50), engine="raycast").show()
    ((stage, off_screen),) = seen
    assert not off_screen
    assert stage._closed


def test_show_without_a_display_is_one_sentence(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    opengl.display.cache_clear()
    refuses(RuntimeError, Scene(Isosurface(ball(), 50)).show, "no display", "save(path)", "plotter()")
    opengl.display.cache_clear()


def test_the_command_line_chooses(tmp_path, machine, capsys):
    machine(None)
    np.save(tmp_path / "ball.npy", ball().data)
    command = ["scene", str(tmp_path / "ball.npy"), "--spacing", "1", "1", "1", "--dpi", "40", "-o"]
    assert main([*command, str(tmp_path / "one.png"), "--engine", "raycast"]) == 0
    assert main([*command, str(tmp_path / "two.png"), "--engine", "pyvista"]) == 2
    assert "OpenGL" in capsys.readouterr().err
    assert not (tmp_path / "two.png").exists()


def test_an_interrupt_ends_a_command_that_draws_with_pyvista(machine, monkeypatch, interrupts):
    """OpenGL hears of none until it is done; of a program that uses the package the process is not ours to end."""
    machine(HARDWARE)
    seen = []
    monkeypatch.setattr(scene_pyvista, "render", lambda *_: seen.append(signal.getsignal(signal.SIGINT)))
    engines.render((), None, None, Rendering())
    with console.own_process():
        engines.render((), None, None, Rendering())
    assert seen == [signal.default_int_handler, signal.SIG_DFL]
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


@pytest.mark.parametrize("hardware", [False, True])
def test_slow_opengl_is_told_before_it_draws(monkeypatch, hardware):
    told = []

    @contextmanager
    def working(what):
        yield lambda part, now=what: told.append((part, now))

    drawn = np.zeros((4, 4, 4), np.uint8)
    monkeypatch.setattr(engines, "working", working)
    monkeypatch.setattr(opengl, "hardware", lambda: hardware)
    monkeypatch.setattr(scene_pyvista, "render", lambda *_: told.append("drawn") or drawn)
    assert Scene(Isosurface(ball(), 50), engine="pyvista").render((4, 4)) is drawn
    assert told == [*([] if hardware else [(0.0, engines.SLOW)]), "drawn"]


# The doctor


def doctor(capsys, *options):
    code = main(["doctor", *options])
    return code, capsys.readouterr()


def test_the_doctor_says_what_draws(machine, capsys):
    machine(SOFT)
    code, said = doctor(capsys, "--json")
    found = json.loads(said.out)
    assert (code, said.err) == (0, "")
    assert found["engine"] == "raycast"
    assert found["figures"] is True
    assert found["opengl"]["renderer"] == SOFT.renderer
    assert found["opengl"]["hardware"] is False
    assert found["raycast"]["threads"] >= 1
    assert "apt install" in found["improve"]["Debian, Ubuntu"]  # there is a device, and software draws
    machine(HARDWARE)
    assert json.loads(doctor(capsys, "--json")[1].out)["improve"] == {}


def test_the_doctor_has_a_line_for_every_way_to_install(machine, capsys):
    machine(None, [])
    code, said = doctor(capsys)
    assert (code, said.err) == (0, "")
    for line in (
        "apt install libegl1",
        "dnf install mesa-libEGL",
        'conda install -c conda-forge "vtk>=9.5" "mesalib<25.1"',
        "pip: no package brings OpenGL",
    ):
        assert line in said.out
    assert "does not work" in said.out


def test_the_doctor_has_a_line_for_what_is_too_old(machine, capsys, monkeypatch):
    machine(None, [])
    found = {"vtk": "9.3.1", "numba": None}
    version = doctors._version
    monkeypatch.setattr(doctors, "_version", lambda name: found.get(name, version(name)))
    assert 'pip: pip install --upgrade "vtk>=9.5" "numba>=0.60"\n' in doctor(capsys)[1].out


def test_the_doctor_says_when_no_scene_can_be_drawn(machine, capsys, monkeypatch):
    machine(None)
    monkeypatch.setenv(engines.VARIABLE, "pyvista")
    code, said = doctor(capsys)
    assert code == 2
    assert said.err.count("\n") == 1
    assert "no scene can be drawn" in said.err


def test_a_terminal_sees_how_far_a_long_scene_is():
    """A bar under that of the command, and alone; in a pipe nothing is said."""
    code = (
        "import io, rich.console, volrender.console as c; c.PATIENCE = 0\n"
        "real, out = rich.console.Console, io.StringIO()\n"
        "rich.console.Console = lambda **k: real(file=out, force_terminal=True, width=80)\n"
        "with c.progress('files', 2) as advance, c.working('scene') as done:\n"
        "    done(0.25)\n"
        "with c.working('alone') as done:\n"
        "    done(1.0)\n"
        "c.PATIENCE = 1000\n"
        "with c.working('patient') as done:\n"
        "    done(0.1)\n"
        "    done(0.2, 'other')\n"
        "assert all(word in out.getvalue() for word in ('scene', 'other', 'alone', '/100'))\n"
        "rich.console.Console, c.PATIENCE = real, 0\n"
        "with c.working('silent') as done:\n"
        "    done(1.0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def ended_block():
    """A block of one value in air that reaches the end of the scan above; a little noise, as scans have."""
    data = np.full((28, 28, 28), 5.0, np.float32)
    data[5:23, 5:23, 5:] = 100
    data += np.random.default_rng(0).normal(0, 1, data.shape)
    return Volume(data, np.array([[2.0, 0, 0, -28], [0, 2, 0, -28], [0, 0, 2, -28], [0, 0, 0, 1]]), name="block")


@pytest.mark.parametrize("engine", ["raycast", "pyvista"])
def test_no_seam_where_a_cut_meets_the_end_of_the_scan(gl, engine):
    layer = Intensity(ended_block(), clim=(0, 110), clip=Plane(normal=(-1, 0.6, 0.2), origin=(0, 0, 0)))
    raster = Scene(layer, camera=(30, 140), light="flat", engine=engine).render((200, 200))[..., :3].astype(int)
    gray = np.ptp(raster, axis=-1) < 6
    assert (gray & (raster[..., 0] > 200) & (raster[..., 0] < 250)).mean() > 0.25  # the faces
    seams = ndimage.binary_closing(gray & (raster[..., 0] < 250), iterations=4) & ~gray
    assert seams.sum() < 20  # of the body, between faces


@pytest.mark.parametrize("engine", ["raycast", "pyvista"])
@pytest.mark.parametrize("opacity", [None, [(40, 0), (60, 0.2)]])
def test_a_cut_face_has_no_black_line_where_the_scan_ends(gl, engine, opacity):
    data = np.full((30, 30, 30), 100.0, np.float32)
    data[:, :6] = data[:, -6:] = 0
    layer = Intensity(
        Volume(data, np.diag([3, 3, 1.5, 1])), clip=Plane(x=45), clim=(0, 120), cmap="gray", opacity=opacity
    )
    column = Scene(layer, camera="right", light="flat", engine=engine).render((200, 200))[:, 100, 0].astype(int)
    assert column[100] == 212
    assert column.min() > 205


def test_the_end_of_a_scan_has_no_face_of_what_is_too_small_to_be_drawn(samples):
    """The tip of the chin lies in the last slices of this head, and is smoothed away."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # its header does not say which way it lies
        head = Intensity(load(samples / "ct_headsq_nrrd" / "quarter.nhdr"), preset="ct-skin")
    (end,) = (face for face in cut_faces([ended(head)], 0.5) if face.row[2] < -0.9)
    assert ndimage.label(end.covered >= 0.5)[1] == 1
