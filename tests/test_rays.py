"""The ray caster: where things are, how much they absorb, and that nothing but the scene decides a byte."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from helpers import CODES, ball, hill, refuses, tilted
from numba.core.caching import NullCache
from scipy import ndimage
from test_scene import AFFINES, BALLS, CAMERA, SIZE, STEP, assert_same_shape, silhouette, subject, three_balls

from volrender import Box, Camera, CutPlane, Intensity, Isosurface, LabelMap, Plane, Scene, Volume, paint, space
from volrender.draw import compiled, scene_raycast
from volrender.draw.rays import air
from volrender.draw.rays.assemble import scenery
from volrender.draw.rays.fields import label_field, near, refined, shells

EYE = np.eye(4)
BOX = Box(x=(-9, 6), y=(None, 3), z=(-12, 30))


@pytest.fixture(autouse=True)
def raycast(monkeypatch):
    monkeypatch.setenv("VOLRENDER_ENGINE", "raycast")


def slab(thickness, value=100.0, spacing=1.0):
    """Layers across y, `thickness` mm deep, of one value; far wider than deep."""
    count = round(thickness / spacing)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = -spacing * np.array([9.5, (count - 1) / 2, 9.5])
    return Volume(np.full((20, count, 20), value), affine, name="slab")


def middle(scene, size=21):
    """The pixel in the middle, as floats."""
    return scene.render((size, size))[size // 2, size // 2] / 255


def depths(scene, size):
    """How far (mm) each pixel sees behind the middle of the view, and that view."""
    view = scene._view(size)
    canvas = scene_raycast.Canvas(scenery(scene.layers, view, scene.rendering), size, lambda part: None)
    canvas.trace_coarse_to_fine(1)
    return canvas.depth, view


# Where things are


@pytest.mark.parametrize("affine", AFFINES[::10])
@pytest.mark.parametrize("blend", ["composite", "maximum"])
def test_a_volume_is_where_its_affine_says(affine, blend):
    layer = Intensity(three_balls(affine), opacity=STEP, blend=blend)
    scene = Scene(layer, background="blue", camera=CAMERA)
    assert_same_shape(subject(scene.render(SIZE)), silhouette(scene, affine))


@pytest.mark.parametrize("affine", AFFINES[::10])
@pytest.mark.parametrize("clip", [None, BOX, Plane(normal=(-1, 2, -1), origin=(2, 0, 1))])
def test_a_surface_is_where_it_lies_and_is_cut(affine, clip):
    scene = Scene(Isosurface(three_balls(affine), level=1, clip=clip or ()), background="blue", camera=CAMERA)
    assert_same_shape(subject(scene.render(SIZE)), silhouette(scene, affine, clip=clip), 1 if clip is None else 2)


@pytest.mark.parametrize("affine", AFFINES[1::16])
@pytest.mark.parametrize("camera", [CAMERA, Camera(30, 200, perspective=40)])
def test_a_surface_is_met_within_a_twentieth_of_a_voxel(affine, camera):
    """A hill's level is a sphere; between voxels its slope bends a little, which is counted."""
    volume, radius = hill(affine, reach=36), 18.0
    scene = Scene(Isosurface(volume, level=50, smooth=False), camera=camera)
    depth, view = depths(scene, (60, 60))
    right, up, toward = camera.axes if isinstance(camera, Camera) else view.camera.axes
    rows, columns = np.nonzero(np.isfinite(depth))
    across = (columns - 29.5)[:, None] * right - (rows - 29.5)[:, None] * up
    points = np.array(view.center) + across * view.mm_per_pixel - depth[rows, columns, None] * toward
    if view.camera.perspective:
        eye = np.array(view.center) + view.distance * toward
        along = np.array(view.center) + across * view.mm_per_pixel - eye
        points = eye + along / np.linalg.norm(along, axis=1)[:, None] * depth[rows, columns, None]
    values = paint.sample(volume, points)
    slope = 100 / 36 * min(volume.spacing)  # by a voxel
    assert len(points) > 500
    assert np.abs(values - 50).max() < slope / 20
    assert np.abs(np.linalg.norm(points, axis=1) - radius).max() < 0.2 * max(volume.spacing)


@pytest.mark.parametrize("affine", AFFINES[2::16])
def test_labels_are_where_they_are_and_none_is_invented(affine):
    balls = three_balls(affine)
    index = np.moveaxis(np.indices((24, 24, 24)), 0, -1)
    data = sum((np.linalg.norm(index - c, axis=-1) <= r) * (n + 4) for n, (*c, r) in enumerate(BALLS))
    colors = {4: "red", 5: "lime", 6: "yellow"}
    layer = LabelMap(Volume(data, balls.affine, "labels"), colors=colors)
    scene = Scene(layer, background="blue", camera=CAMERA, light="flat", quality="draft")
    raster = scene.render(SIZE)
    assert_same_shape(subject(raster), silhouette(scene, affine), 3)  # voxels are coarser than balls
    found = {tuple(color) for color in raster.reshape(-1, 4)[:, :3].tolist()}
    assert found == {(255, 0, 0), (0, 255, 0), (255, 255, 0), (0, 0, 255)}


def test_a_speck_is_not_smoothed_away():
    data = np.zeros((9, 9, 9))
    data[4, 4, 4] = 1
    for layer in (LabelMap(Volume(data.astype(int), EYE, "labels")), Isosurface(Volume(data, EYE), level=0.5)):
        raster = Scene(layer, background="blue").render((60, 60))
        assert subject(raster).mean() > 0.1


def test_a_slit_is_not_smoothed_shut():
    data = np.ones((12, 12, 12))
    data[:, 5] = 0
    for layer in (LabelMap(Volume(data.astype(int), EYE, "labels")), Isosurface(Volume(data, EYE), level=0.1)):
        scene = Scene(layer, background="blue", camera="left")
        column, row = np.rint(scene.project([[0, 5, 5]], (60, 60))[0]).astype(int)
        assert scene.render((60, 60))[row, column].tolist() == [0, 0, 255, 255]


def test_a_slit_that_is_open_in_parts_is_no_row_of_pits():
    """Pinholes in the seam of two labels are smoothed shut, and no voxel of a label is lost."""
    data = np.zeros((24, 24, 24), np.uint8)
    data[4:20, 4:20, 4:20] = 1
    data[12:20, 4:20, 4:20] = 2
    plain = Scene(LabelMap(Volume(data, EYE, "labels"), colors="white"), camera="anterior")
    data[12, 18:20, 5:19:2] = 0
    pitted = Scene(LabelMap(Volume(data, EYE, "labels"), colors="white"), camera="anterior")
    one, two = (scene.render((120, 120))[30:90, 30:90, 0].astype(int) for scene in (plain, pitted))
    assert (one - two).max() < 80
    (_, solid), *_ = shells(pitted.layers[0])
    field = label_field(pitted.layers[0], solid, near(solid))
    values = np.empty(data.shape, np.float32)
    field.fill(values)
    assert (refined(values, 3) > 0).mean() == pytest.approx((data > 0).mean(), rel=0.02)
    assert (values[data > 0] > 0).all()


def test_noise_does_not_roughen_a_surface():
    """A plane askew to the voxels, with noise of a tenth of the step across it: lit almost evenly."""
    depth = (np.moveaxis(np.indices((30, 30, 30)), 0, -1) - 14.5) @ [1, 2, 5] / np.sqrt(30)
    noise = np.random.default_rng(0).normal(0, 8, depth.shape)
    data = (np.clip(50 - 20 * depth, 0, 100) * 0.8 + 10 + noise).clip(0, 100).astype(np.uint8)
    scene = Scene(Isosurface(Volume(data, np.diag([2.0, 2, 1, 1])), level=50.5), camera="superior")
    assert scene.render((100, 100))[35:65, 35:65, 0].std() < 3


@pytest.mark.parametrize("size", [4, 6, 9])
def test_label_bodies_keep_their_volume(size):
    index = np.moveaxis(np.indices((30, 30, 30)), 0, -1)
    data = (np.linalg.norm(index - 14.5, axis=-1) <= size).astype(int)
    scene = Scene(LabelMap(Volume(data, EYE, "labels")), background="blue")
    seen = subject(scene.render((200, 200))).sum() * scene._view((200, 200)).mm_per_pixel ** 2
    radius = (data.sum() * 3 / 4 / np.pi) ** (1 / 3)
    assert seen == pytest.approx(np.pi * radius**2, rel=0.015)


@pytest.mark.parametrize("level", [15, 85])
def test_a_smoothed_surface_lies_where_its_level_does(level):
    """The blur of an edge crosses a level that is not half way up elsewhere: here by an eighth of a voxel.

    Between voxels even the plain surface of so bent an edge lies up to a tenth of one off.
    """
    away = np.linalg.norm(np.indices((36, 36, 36)) - 17.5, axis=0)
    edge = Volume(np.clip(50 * (13 - away), 0, 100), ball(36).affine, name="edge")
    radii = []
    for smooth in (True, False):
        scene = Scene(Isosurface(edge, level=level, smooth=smooth), background="transparent")
        area = scene.render((200, 200))[..., 3].sum() / 255 * scene._view((200, 200)).mm_per_pixel ** 2
        radii.append(np.sqrt(area / np.pi))
    assert radii[0] == pytest.approx(radii[1], abs=0.05)
    assert radii[0] == pytest.approx(13 - level / 50, abs=0.1)


def test_a_surface_is_closed_where_the_volume_ends():
    scene = Scene(Isosurface(Volume(np.where(np.indices((8, 8, 8))[0] < 6, 9.0, 0), EYE), 5), background="blue")
    bounds = np.ptp(np.argwhere(subject(scene.render((100, 100)))), axis=0)
    assert bounds.max() > 85  # it fills its frame


# How much is absorbed


@pytest.mark.parametrize("quality", ["final", "draft"])
@pytest.mark.parametrize(("amount", "thickness", "spacing"), [(0.1, 6, 1.0), (0.2, 3, 0.5), (0.02, 40, 2.0)])
def test_what_a_slab_absorbs_is_exact(amount, thickness, spacing, quality):
    layer = Intensity(slab(thickness, spacing=spacing), opacity=[(0, amount), (200, amount)], clim=(0, 200))
    scene = Scene(layer, camera="anterior", background="transparent", quality=quality, light="flat")
    assert middle(scene)[3] == pytest.approx(1 - (1 - amount) ** thickness, abs=0.003)


def test_a_thin_shell_of_opacity_is_not_missed():
    """Between two samples the value runs through it: what it absorbs is the integral."""
    ramp = Volume(np.broadcast_to(np.linspace(0, 100, 11)[:, None, None], (11, 20, 20)).copy(), EYE)
    layer = Intensity(ramp, opacity=[(0, 0), (48, 0), (48, 0.9), (52, 0.9), (52, 0), (100, 0)], clim=(0, 100))
    alphas = [
        middle(Scene(layer, camera="right", background="transparent", light="flat", quality=quality))[3]
        for quality in ("final", "draft")
    ]
    assert alphas == pytest.approx([1 - 0.1**0.4] * 2, abs=0.03)


def test_surfaces_and_volumes_are_blended_in_the_order_in_which_they_lie():
    """In front of a red slab, in its middle and behind it: what half of the slab lets through of a green surface."""
    amount, thickness = 0.1, 20.0
    look = {"opacity": [(0, amount), (200, amount)], "clim": (0, 200), "cmap": "autumn"}
    red = np.array(Intensity(slab(thickness), **look).look.rgb(np.array(100.0)))
    green = np.array([0.0, 0.5, 0.0])
    for depth, before in ((-12.0, 0.0), (0.0, thickness / 2), (12.0, thickness)):
        wall = slab(1.0)
        affine = wall.affine.copy()
        affine[1, 3] -= depth
        data = np.pad(wall.data, ((0, 0), (1, 1), (0, 0)))
        affine[1, 3] -= 1
        layers = [Intensity(slab(thickness), **look), Isosurface(Volume(data, affine), 50, color=tuple(green))]
        first = 1 - (1 - amount) ** max(before - 0.5 if before == thickness / 2 else before, 0)
        expected = first * red + (1 - first) * green
        for order in (layers, layers[::-1]):
            pixel = middle(Scene(*order, camera="anterior", light="flat"))
            assert np.abs(pixel[:3] - expected).max() < 0.03


def test_two_volumes_on_different_grids_absorb_together():
    one, two = (slab(thickness, spacing=s) for thickness, s in ((6, 1.0), (6, 0.75)))
    layers = [Intensity(v, opacity=[(0, 0.1), (200, 0.1)], clim=(0, 200)) for v in (one, two)]
    both = middle(Scene(*layers, camera="anterior", background="transparent", light="flat"))
    assert both[3] == pytest.approx(1 - 0.9**12, abs=0.004)


def test_projections_show_the_value_that_they_are_named_after():
    data = ndimage.gaussian_filter(np.random.default_rng(5).uniform(0, 600, (12, 12, 12)), 1.5) - 250
    expected = {"maximum": data.max(axis=1), "minimum": data.min(axis=1), "average": data.mean(axis=1)}
    for blend, values in expected.items():
        layer = Intensity(Volume(data, EYE), clim=(0, 100), cmap="gray", opacity=1.0, blend=blend)
        scene = Scene(layer, camera="posterior", quality="draft")
        column, row = np.rint(scene.project([[5, 0, 6]], (120, 120))[0]).astype(int)
        found = scene.render((120, 120))[row, column, 0] / 255 * 100
        assert found == pytest.approx(values[5, 6], abs=6 if blend == "average" else 3)


def test_a_map_ends_smoothly_where_its_voxels_do():
    """Steps of large voxels against zeros are rounded; the surface stays half a voxel beyond them, of both signs."""
    far = np.linalg.norm(np.moveaxis(np.indices((20, 20, 20)), 0, -1) - 9.5, axis=-1)
    both = Volume(np.concatenate([6.1 * (far < 8), -6.1 * (far < 8)]), np.diag([3, 3, 3, 1]))
    scene = Scene(Intensity(both, level=3.0, clim=(-8, 8)), camera="posterior", light="flat")
    drawn = (scene.render((320, 160))[..., :3] < 250).any(axis=-1)
    rim = np.argwhere(drawn & ~ndimage.binary_erosion(drawn))[:, ::-1]
    one, two = scene.project([[28.5] * 3, [88.5, 28.5, 28.5]], (320, 160))
    voxel = (two[0] - one[0]) / 20
    for center, mine in ((one, rim[:, 0] < 160), (two, rim[:, 0] >= 160)):
        radius = np.linalg.norm(rim[mine] - center, axis=1) / voxel
        assert radius.mean() == pytest.approx(8.15, abs=0.1)
        assert radius.std() < 0.1


def test_colors_of_voxels_are_their_own():
    data = np.zeros((10, 10, 10, 3), dtype=np.uint8)
    data[..., 1] = 200
    raster = Scene(Intensity(Volume(data, EYE, "rgb")), light="flat").render((40, 40))
    assert raster[20, 20].tolist() == pytest.approx([0, 200, 0, 255], abs=2)


def test_gradient_factors_hide_what_is_level():
    from volrender import TransferFunction

    look = TransferFunction([(0, 0.2), (100, 0.2)], [(0, "red"), (100, "red")], gradient=[(0, 0), (5, 0), (6, 1)])
    level = Scene(Intensity(slab(10), preset=look), camera="anterior", background="transparent")
    ramp = Volume(np.broadcast_to(np.linspace(0, 100, 11)[:, None, None], (11, 20, 20)).copy(), EYE)
    steep = Scene(Intensity(ramp, preset=look), camera="right", background="transparent")
    refuses(ValueError, lambda: middle(level), "nothing is to be seen")
    assert middle(steep)[3] == pytest.approx(1 - 0.8**11, abs=0.05)


# Cut faces


@pytest.mark.parametrize("affine", [*tilted(2, seed=8), EYE * [3, 3, 3, 1]])
def test_a_cut_face_shows_what_was_cut(affine):
    volume = hill(affine, center=affine[:3, :3] @ [11.5, 11.5, 11.5] + affine[:3, 3], reach=60)
    origin = affine[:3, :3] @ [11.5, 11.5, 11.5] + affine[:3, 3]
    plane = Plane(normal=(0, 1, 0), origin=tuple(origin))
    layer = Intensity(volume, clim=(0, 100), cmap="gray", clip=plane)
    scene = Scene(layer, camera="anterior", light="flat")
    raster = scene.render((81, 81))
    for offset in ([0, 0, 0], [6, 0, 3], [-5, 0, 8]):
        point = origin + offset
        column, row = np.rint(scene.project(point, (81, 81))).astype(int)
        expected = layer.look.rgb(paint.sample(volume, [point - [0, 1e-6, 0]]))[0]
        assert raster[row, column, 0] / 255 == pytest.approx(expected, abs=0.05)


@pytest.mark.filterwarnings("ignore:.*removes nothing")
def test_a_clip_removes_and_a_plane_is_a_slice():
    whole, cut = (Scene(Intensity(ball(), clip=clip), background="blue") for clip in ((), Plane(z=100)))
    assert np.array_equal(whole.render((40, 40)), cut.render((40, 40)))
    scene = Scene(CutPlane(ball(20, 6), Plane(z=0)), camera="superior", background="blue")
    assert 0.3 < subject(scene.render((60, 60))).mean() < 0.9


# Nothing but the scene decides


def scene_of(volume, other):
    return Scene(
        Intensity(volume, clip=BOX),
        Isosurface(other, 60, opacity=0.5, color="crimson"),
        LabelMap(Volume((other.data > 80).astype(int), other.affine, "labels")),
        camera=(20, 130),
    )


def pictures():
    volume, other = hill(tilted(1, seed=3)[0]), hill(tilted(2, seed=3)[1], reach=30)
    return volume, other, scene_of(volume, other)


def digest():
    return hashlib.sha256(pictures()[2].render((90, 70)).tobytes()).hexdigest()


def test_the_order_of_storage_does_not_show(monkeypatch):
    monkeypatch.setattr(air, "CELLS", 24)  # of what every scene of any size has
    volume, other, scene = pictures()
    expected = scene.render((50, 50))
    for code in CODES[1::6]:
        stored = [volume.reorient(code), other.reorient(code)]
        assert np.array_equal(scene_of(*stored).render((50, 50)), expected), code


@pytest.mark.parametrize("threads", [1, 8])
def test_the_number_of_threads_does_not_show(monkeypatch, threads):
    expected = digest()
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
    assert digest() == expected


def test_another_process_draws_the_same():
    code = "import test_rays; print(test_rays.digest())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="tests", check=True)
    assert other.stdout.strip() == digest()


def test_pixels_between_rays_are_as_if_traced(monkeypatch):
    """A large print of few voxels is traced on a lattice first."""
    scene = Scene(Intensity(hill(EYE * [3, 3, 3, 1])), Isosurface(ball(16, 5, 3.0), 50))
    assert scene_raycast._stride(scene.layers, scene._view((500, 500))) == 4
    told = scene.render((500, 500)).astype(int)
    monkeypatch.setattr(scene_raycast, "COARSEST", 1)
    off = np.abs(told - scene.render((500, 500)))
    assert off.max() <= 24
    assert (off > 2).mean() < 0.002


def test_edges_are_smooth_and_alpha_is_exact():
    layer = Isosurface(ball(12, 4.0), 50, color="red")
    final, draft = (
        Scene(layer, quality=q, background="transparent", light="flat").render((40, 40)) for q in ("final", "draft")
    )
    assert set(np.unique(draft[..., 3])) == {0, 255}
    assert ((final[..., 3] > 0) & (final[..., 3] < 255)).sum() > 20
    assert (final[final[..., 3] > 0][:, :3] == [255, 0, 0]).all()


def test_an_outline_runs_around_a_body():
    plain, lined = (
        Scene(Isosurface(ball(), 50, color="white"), silhouette=s).render((100, 100)) for s in (False, True)
    )
    changed = (plain != lined).any(axis=-1)
    assert 100 < changed.sum() < 1500
    assert lined[changed][:, :3].mean() < plain[changed][:, :3].mean()


# The machine


def test_memory_is_held_for_one_copy():
    data = np.random.default_rng(0).integers(0, 1000, (128, 128, 128)).astype(np.int16)
    layer = Intensity(Volume(data, EYE), opacity=[(0, 0), (1000, 0.1)])
    (scene := Scene(layer, quality="draft")).render((20, 20))  # what is looked up once
    tracemalloc.start()
    scene.render((100, 100))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak + data.nbytes < 2.5 * 4 * data.size + 40 * 100 * 100


def test_an_interrupt_ends_the_work_soon():
    done = []

    def work():
        time.sleep(0.001)
        done.append(0)

    def stop():
        if len(done) > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compiled.run((work for _ in range(10_000)), stop)
    assert len(done) < 5000


@pytest.mark.skipif(os.name != "posix", reason="signals are sent by kill")
def test_an_interrupt_does_not_wait_for_a_compiler(interrupts):
    compiles = threading.Event()
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        compiled.run([lambda: compiles.wait(60)])
    compiles.set()


def test_progress_only_grows():
    parts = []
    view = (scene := Scene(Intensity(ball()), Isosurface(ball(), 50)))._view((150, 150))
    canvas = scene_raycast.Canvas(scenery(scene.layers, view, scene.rendering), view.size, parts.append)
    canvas.trace_coarse_to_fine(2)
    canvas.smooth_edges()
    assert len(parts) > 5
    assert parts == sorted(parts)
    assert parts[-1] <= 1


def test_loops_run_where_nothing_can_be_kept(monkeypatch):
    def njit(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return numba.core.decorators.njit(**options)

    monkeypatch.setattr(compiled, "numba", SimpleNamespace(njit=njit))

    @compiled.Loop
    def fill(out, value):
        for n in range(len(out)):
            out[n] = value

    out = np.zeros(3)
    fill(out, 2.0)
    assert out.tolist() == [2, 2, 2]
    assert fill.folder is None


@pytest.mark.parametrize("kind", ["*.nbi", "*.nbc"])
@pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 2], lambda whole: bytes(len(whole))])
def test_loops_outlive_a_damaged_copy_and_mend_it(monkeypatch, tmp_path, kind, damage):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    def loop():
        def fill(out, value):
            for n in range(len(out)):
                out[n] = value

        return compiled.Loop(fill)

    def filled(one):
        one(out := np.zeros(3), 2.0)
        return out.tolist()

    assert filled(loop()) == [2, 2, 2]
    (kept,) = tmp_path.rglob(kind)
    kept.write_bytes(damage(kept.read_bytes()))
    assert filled(loop()) == [2, 2, 2]
    assert filled(loop()) == [2, 2, 2]
    after = loop()
    assert filled(after) == [2, 2, 2]
    assert sum(after._compiled.stats.cache_hits.values()) == 1


def test_loops_run_where_their_copy_cannot_be_written(monkeypatch, tmp_path):
    @compiled.Loop
    def fill(out, value):
        for n in range(len(out)):
            out[n] = value

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fill._compiled._cache, "save_overload", full)
    out = np.zeros(3)
    fill(out, 3.0)
    assert out.tolist() == [3, 3, 3]


@pytest.mark.filterwarnings("ignore:.*removes nothing")
def test_what_cannot_be_drawn_is_a_sentence():
    refuses(ValueError, lambda: Scene(Isosurface(ball(), 100)).render((20, 20)), "is empty")
    refuses(ValueError, lambda: Scene(Isosurface(ball(), 0)).render((20, 20)), "encloses every voxel")
    many = [Plane(x=float(100 + n)) for n in range(70)]
    refuses(ValueError, lambda: Scene(Intensity(ball(), clip=many)).render((20, 20)), "at most 62 ways", "got 70")


def test_affines_reach_the_rays_through_one_matrix():
    affine = tilted(5, seed=11)[4]
    scene = Scene(Intensity(hill(affine)))
    view = scene._view((10, 10))
    (f,) = scenery(scene.layers, view, scene.rendering).fields
    canonical = scene.layers[0].volume.canonical.affine
    index = np.array([3.0, 4.0, 5.0])
    xyz = space.apply_affine(canonical, index) - view.center
    assert f["matrix"] @ [*xyz, 1] == pytest.approx(index, abs=1e-6)


def test_what_is_compiled_is_said():
    @compiled.Loop
    def fill(out, value):
        for n in range(len(out)):
            out[n] = value

    fill._compiled._cache = NullCache()  # not the copy that an earlier run of the test left
    said = []
    with compiled.telling(lambda: said.append("compiling")):
        fill(np.zeros(3), 1.5)
    assert said
    said.clear()
    with compiled.telling(lambda: said.append("compiling")):
        fill(np.zeros(5), 1.5)
    assert not said


def test_where_a_scan_ends_its_last_slice_is_not_lit_from_the_side():
    """Stripes of bone in much clear tissue, seen from above the end: light leaves their values as they are."""
    x = np.indices((60, 30, 20))[0]
    data = np.where(x < 30, 130 + 40.0 * np.sin(x / 1.5), 40)
    body = Intensity(Volume(data, EYE), opacity=[(0, 0), (30, 0.01), (60, 0.01), (80, 0.9)], clim=(0, 200), cmap="gray")
    scenes = [Scene(body, camera="superior", light=light, annotate=False) for light in ("studio", "flat")]
    left = int(scenes[0].project((3, 15, 20), (120, 60))[0])
    lit, flat = (scene.render((120, 60))[20:40, left : left + 45, 0].astype(float) for scene in scenes)
    assert (lit - flat).std() < 0.58 * flat.std()
