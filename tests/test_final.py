"""A scene as a journal prints it: no rings, the same bytes, framed from anywhere, in perspective, within limits."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers import affines, ball, refuses, tilted
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from printed import texts
from scipy import ndimage

from volrender import (
    Camera,
    CutPlane,
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
from volrender.draw import opengl, shaders, volumes_pyvista
from volrender.draw.rays import assemble
from volrender.transfer import TransferFunction

pytestmark = pytest.mark.usefixtures("gl")

EYE = np.eye(4)


def seen(raster):
    """Where a picture is not the white page."""
    return (raster[..., :3] < 250).any(axis=-1)


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


@pytest.mark.parametrize(
    "look",
    [{}, {"cmap": "bone"}, {"clip": Plane(x=0)}, {"preset": "mr-t1"}],
    ids=["body", "colormap", "cut", "preset"],
)
def test_final_is_as_if_sampled_sixteen_times_as_finely(look, monkeypatch):
    """Rings are what coarse sampling leaves; held over the head alone, without the page."""
    head = Intensity(sample("mni152"), **look)
    pictures = []
    for factor in (1, 16):
        monkeypatch.setattr(shaders, "SAMPLE", 0.5 / factor)
        pictures.append(Scene(head, camera=(25, 150)).render((90, 90)))
    subject = seen(pictures[1])
    assert psnr(pictures[0][subject], pictures[1][subject]) >= 38


def test_a_draft_is_the_same_subject():
    head = Isosurface(sample("mni152").downsize(70), level=60)
    final, draft = (seen(Scene(head, quality=quality).render((200, 200))) for quality in ("final", "draft"))
    assert (final & draft).sum() / (final | draft).sum() > 0.97


@pytest.mark.parametrize(("quality", "step"), [("final", 0.5), ("draft", 1.0)])
def test_samples_in_a_voxel(quality, step):
    volume = Volume(ball().data, np.diag([2.0, 2, 3, 1]), name="ball")
    plotter = Scene(Intensity(volume), quality=quality).plotter((20, 20))
    (actor,) = plotter.renderer.GetVolumes()
    assert actor.GetMapper().GetSampleDistance() == step * 2
    assert actor.GetMapper().GetUseJittering()  # rings become noise
    plotter.close()


TWICE = """
import hashlib, sys
import numpy as np
import volrender as vr
head, motor, atlas = (vr.sample(name).downsize(40) for name in ("mni152", "motor", "atlas"))
octant = vr.Box(x=(None, 0), y=(0, None), z=(0, None))
scenes = [
    vr.Scene(vr.Intensity(head, clip=octant), vr.Isosurface(motor, level=2)),
    vr.Scene(vr.Isosurface(head, opacity=0.3), vr.Intensity(motor), silhouette=True),
    vr.Scene(vr.LabelMap(atlas)),
]
print(*(hashlib.sha256(scene.render((120, 120)).tobytes()).hexdigest() for scene in scenes))
"""


def test_two_processes_give_the_same_bytes():
    first, second = (
        subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    )
    assert len(set(first)) == 3
    assert first == second
    assert len(first[0]) == len(hashlib.sha256().hexdigest())


# Limits


def test_what_the_graphics_cannot_hold_is_shown_in_fewer_voxels(monkeypatch):
    layer = Intensity(Volume(ball(40, 14.0).data, EYE, name="ball"), opacity=[(0, 0), (49, 0), (51, 0.3), (100, 0.3)])
    whole = Scene(layer).render((100, 100))
    small = opengl.require()._replace(largest=24)
    monkeypatch.setattr(opengl, "window", lambda: small)
    with pytest.warns(UserWarning, match="Scene shows ball in 24 x 24 x 24 voxels, not 40 x 40 x 40: the graphics"):
        reduced = Scene(layer).render((100, 100))
    a, b = seen(whole), seen(reduced)
    assert (a & b).sum() / (a | b).sum() > 0.93
    assert np.abs(whole[45:55, 45:55].mean(axis=(0, 1)) - reduced[45:55, 45:55].mean(axis=(0, 1))).max() < 13


def test_what_the_memory_cannot_hold_is_shown_in_fewer_voxels(monkeypatch):
    monkeypatch.setattr(volumes_pyvista, "MOST_VOXELS", 1000)
    assert volumes_pyvista._within_limits((20, 20, 20)) == (10, 10, 10)
    assert volumes_pyvista._within_limits((10, 10, 10)) == (10, 10, 10)
    assert np.prod(volumes_pyvista._within_limits((400, 3, 2))) <= 1000
    with pytest.warns(UserWarning, match=r"crop\(\) or downsize\(\) it"):
        assert seen(Scene(Intensity(ball())).render((40, 40))).any()


# Cameras


def markers():
    """Small boxes around the origin, a label each, and where they are."""
    at = np.array([[-30, 0, 0], [30, 0, 0], [0, -30, 0], [0, 30, 0], [0, 0, -30], [0, 0, 30], [20, 20, 20]])
    data = np.zeros((70, 70, 70), np.uint8)
    for n, xyz in enumerate(at):
        i, j, k = xyz + 35
        data[i - 2 : i + 3, j - 2 : j + 3, k - 2 : k + 3] = n + 1
    hues = {n + 1: hue for n, hue in enumerate(("red", "lime", "blue", "cyan", "magenta", "yellow", "black"))}
    return LabelMap(Volume(data, space.translation(-35, -35, -35), "labels"), colors=hues), at, hues


@pytest.mark.parametrize(
    "camera",
    [
        Camera(25, 150, perspective=30),
        Camera(-30, 40, roll=20, perspective=60),
        Camera(10, 300, perspective=40, look_at=(20, 20, 20), zoom=1.3),
        Camera(60, 200, look_at=(0, 0, 30)),
    ],
)
def test_what_is_drawn_is_where_project_says(camera):
    from matplotlib.colors import to_rgb

    layer, at, hues = markers()
    scene = Scene(layer, camera=camera, light="flat")
    raster = scene.render((300, 240))[..., :3] / 255
    where = scene.project(at, (300, 240))
    found = 0
    for point, hue in zip(where, hues.values(), strict=True):
        rows, columns = np.nonzero(np.abs(raster - to_rgb(hue)).max(axis=-1) < 0.02)
        if len(rows) > 12:  # else hidden, or beyond the picture
            found += 1
            assert np.hypot(columns.mean() - point[0], rows.mean() - point[1]) < 1.5, hue
    assert found >= 5
    if camera.look_at:
        assert np.allclose(scene.project(camera.look_at, (300, 240)), (149.5, 119.5))


@pytest.mark.filterwarnings("ignore:.*lie apart")
def test_what_is_nearer_is_larger_in_perspective():
    near, far = ball(11, 5.0), ball(11, 5.0)
    layers = [
        Isosurface(volume.transform(space.translation(x, y)), color=hue)
        for volume, x, y, hue in ((near, -12, 25, "red"), (far, 12, -25, "blue"))
    ]
    for perspective, low, high in ((0, 0.97, 1.03), (30, 1.3, 3)):
        raster = Scene(*layers, camera=Camera(0, 90, perspective=perspective), light="flat").render((200, 200))
        red, blue = ((raster[..., n] > 200) & (raster[..., 2 - n] < 60) for n in (0, 2))
        assert low < np.ptp(np.nonzero(red)[0]) / np.ptp(np.nonzero(blue)[0]) < high


@pytest.mark.parametrize("perspective", [0, 45])
@pytest.mark.parametrize("view", [(25, 150), (-60, 10), (0, 90), (90, 270), (35, 250)])
def test_the_subject_fills_most_of_the_panel_from_anywhere(view, perspective):
    """Of the visible subject, not of its empty grid."""
    data = np.zeros((60, 60, 60), np.float32)
    data[5:25, 30:55, 8:20] = 100
    raster = Scene(Isosurface(Volume(data, EYE), 50), camera=Camera(*view, perspective=perspective)).render((240, 200))
    rows, columns = np.nonzero(seen(raster))
    fill = max((np.ptp(rows) + 1) / 200, (np.ptp(columns) + 1) / 240)
    assert 0.85 <= fill <= 0.95
    assert abs((rows.min() + rows.max()) / 2 - 99.5) < 4
    assert abs((columns.min() + columns.max()) / 2 - 119.5) < 4


@settings(max_examples=12)
@given(affines(shear=0.2), st.integers(0, 2**32 - 1))
def test_a_subject_of_few_voxels_fills_most_of_the_panel(affine, seed):
    """As it is drawn: smoothed, cut, seen through, projected, and near the viewer."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(15, 40, size=3)
    data = np.zeros(shape, np.float32)
    size = np.where(rng.random(3) < 0.5, rng.integers(2, 5, size=3), shape // 2)  # rods, sheets, blocks
    low = rng.integers(2, shape - size - 1)
    data[tuple(map(slice, low, low + size))] = 100
    volume = Volume(ndimage.gaussian_filter(data, rng.uniform(0.3, 1)), affine)
    middle = space.apply_affine(affine, low + (size - 1) / 2)
    plane = Plane(normal=tuple(rng.normal(size=3)), origin=tuple(middle))
    clip = plane if rng.random() < 0.5 else ()
    high = float(volume.data.max())
    layer = [
        lambda: Intensity(volume, clip=clip),
        lambda: Intensity(volume, blend="maximum"),
        lambda: Intensity(volume, opacity=[(0.2 * high, 0), (0.6 * high, 0.4)]),
        lambda: Isosurface(volume, level=0.5 * high, clip=clip),
        lambda: LabelMap(Volume((volume.data > 0.4 * high).astype(np.uint8), affine, "labels"), clip=clip),
        lambda: CutPlane(volume, plane),
    ][rng.integers(6)]()
    camera = Camera(rng.uniform(-90, 90), rng.uniform(0, 360), rng.uniform(0, 360), perspective=rng.choice([0, 40]))
    scene = Scene(layer, camera=camera, engine="raycast", quality="draft", background="transparent")
    rows, columns = np.nonzero(scene.render((220, 220))[..., 3] > 20)
    assert 0.89 <= max(np.ptp(rows) + 1, np.ptp(columns) + 1) / 220 <= 0.95


def extents(scene):
    """The part of the panel in which there is more than a trace, in the longer direction."""
    rows, columns = np.nonzero(scene.render((200, 200))[..., 3] > 20)
    return max(np.ptp(rows) + 1, np.ptp(columns) + 1) / 200


@pytest.mark.filterwarnings("ignore:.*lie apart")
@pytest.mark.parametrize("spacing", [4.0, 0.2])
def test_a_small_subject_of_several_layers_fills_most_of_the_panel(spacing):
    """Whatever the voxels of a layer inside it."""
    cubes = np.pad(np.full((4, 4, 4), 100.0), 3)
    one, two = (
        Isosurface(Volume(cubes, EYE * [4, 4, 4, 1]).transform(space.translation(x)), color=hue)
        for x, hue in ((0, "red"), (30, "blue"))
    )
    inner = Isosurface(ball(9, 3.0, spacing).transform(space.translation(18, 18, 18)), 50)
    scene = Scene(one, inner, two, camera=(10, 70), background="transparent", engine="raycast", quality="draft")
    assert 0.88 <= extents(scene) <= 0.95
    assert np.abs(scene.project((33, 18, 18), (200, 200)) - 99.5).max() < 5


@pytest.mark.parametrize("size", [50, 130])
@pytest.mark.parametrize("perspective", [0, 40])
def test_haze_around_an_opaque_core_is_in_the_picture(size, perspective):
    """Of which a millimetre is not seen."""
    far = np.linalg.norm(np.indices((size,) * 3) - (size - 1) / 2, axis=0) / size
    data = np.where(far < 0.12, 100.0, np.where(far < 0.45, 40.0, 0.0))
    thin = 1 - 0.75 ** (1 / (0.9 * size))
    layer = Intensity(Volume(data, EYE), opacity=[(20, 0), (30, thin), (50, thin), (80, 1)], clim=(0, 100))
    camera = Camera(20, 150, perspective=perspective)
    assert 0.85 <= extents(Scene(layer, camera=camera, background="transparent", engine="raycast")) <= 0.95


@pytest.mark.parametrize("layer", [Intensity, Isosurface, LabelMap])
@pytest.mark.parametrize("view", [(25, 150), (35, 45)])
def test_a_small_subject_that_fills_its_scan_is_framed_with_its_corners(layer, view):
    data = np.full((10, 10, 10), 100, np.uint8)
    data[0, 0, 0] = 0
    kind = {"kind": "labels"} if layer is LabelMap else {}
    scene = Scene(layer(Volume(data, EYE, **kind)), camera=view, quality="draft", background="transparent")
    rows, columns = np.nonzero(scene.render((300, 300))[..., 3] > 20)
    assert 0.85 <= max(np.ptp(rows) + 1, np.ptp(columns) + 1) / 300 <= 0.95


@pytest.mark.parametrize("engine", ["raycast", "pyvista"])
@pytest.mark.parametrize(("where", "view"), [(slice(None), (25, 150)), (slice(70, 90), (10, 270))])
def test_thin_tips_of_large_label_maps_are_in_the_picture(where, view, engine):
    """Of so many voxels not every one is a cell of its own to frame a picture, and a tip is one voxel thick."""
    data = np.zeros((160, 140, 150), np.uint8)
    data[60:100, 50:90, 55:95] = 1
    data[3:157, 71, 75] = data[81, 3:137, 75] = data[81, 71, 5:145] = 2
    data[where.stop or 160 :] = 0
    data[: where.start or 0] = 0
    turned = Volume(data, tilted(1, seed=5)[0] @ np.diag([0.5, 0.5, 0.5, 1]), "labels")
    raster = Scene(LabelMap(turned), camera=Camera(*view), engine=engine, light="flat").render((180, 150))
    rows, columns = np.nonzero(seen(raster))
    assert 0.85 <= max((np.ptp(rows) + 1) / 150, (np.ptp(columns) + 1) / 180) <= 0.95


@pytest.mark.parametrize("engine", ["raycast", "pyvista"])
@pytest.mark.parametrize("view", [(25, 150), (60, 10), (0, 270)])
def test_a_thresholded_map_fills_most_of_the_panel(view, engine):
    """Of its clusters between voxels, not of its voxels; one that hardly reaches the level is not seen."""
    index = np.moveaxis(np.indices((20, 20, 20)), 0, -1)
    at = [(5, 6, 7), (13, 12, 11)]
    hills = [4.0 - 0.5 * np.linalg.norm(index - place, axis=-1) for place in at]
    data = np.maximum(*hills).clip(0)
    data[18, 2, 2] = 3.02
    data[0, 0, 0] = -3.9
    layer = Intensity(Volume(data, np.diag([4.0, 4, 4, 1])), level=3.0)
    signed = Intensity(Volume(np.where(index[..., :1].sum(axis=-1) > 9, data, -data), np.diag([4.0, 4, 4, 1])), level=3)
    for one in (layer, signed):
        rows, columns = np.nonzero(
            seen(Scene(one, camera=Camera(*view), engine=engine, light="flat").render((120, 100)))
        )
        assert 0.85 <= max((np.ptp(rows) + 1) / 100, (np.ptp(columns) + 1) / 120) <= 0.95
    refuses(
        ValueError,
        lambda: Scene(Intensity(layer.volume, level=4.0)).render((20, 20)),
        "beyond its level 4",
        "-3.9 to 4",
    )


def test_there_is_no_scale_bar_in_perspective():
    def words(camera):
        figure = Scene(Isosurface(ball()), camera=camera).figure(60, 60)
        return [text.get_text() for ax in figure.axes for text in ax.texts]

    assert any("mm" in word for word in words(Camera(25, 150)))
    assert not any("mm" in word for word in words(Camera(25, 150, perspective=20)))
    assert {"S", "R"} <= set(words(Camera(25, 150, perspective=20)))
    refuses(ValueError, lambda: Voxels(ball(), camera=Camera(perspective=20)), "parallel projection")


@pytest.mark.parametrize(
    ("options", "says"),
    [({"perspective": 120}, "0 to 90 degrees; got 120"), ({"look_at": (1, 2)}, "look_at"), ({"zoom": 0}, "above 0")],
)
def test_a_camera_is_checked(options, says):
    refuses(ValueError, lambda: Camera(**options), says)


# Outlines and gradients


def test_an_outline_runs_around_what_is_nearer():
    small = ball(16, 6.0).transform(space.translation(0, 30, 0))
    layers = [Isosurface(ball(40, 15.0), color="whitesmoke"), Isosurface(small, color="whitesmoke")]
    plain, drawn = (
        Scene(*layers, camera="anterior", light="flat", silhouette=outline, background="white").render((200, 200))
        for outline in (False, True)
    )
    assert (plain[..., 0] > 240).all()
    dark = drawn[..., 0] < 200
    middle = np.flatnonzero(dark[100])  # left and right of the large one, and of the small one in front of it
    leaps = np.split(middle, np.flatnonzero(np.diff(middle) > 2) + 1)
    assert len(leaps) == 4
    assert 2.2 < (middle[-1] - middle[0]) / (leaps[2][0] - leaps[1][-1]) < 2.9
    assert ndimage.binary_fill_holes(ndimage.binary_closing(dark, np.ones((3, 3))))[100, 100]
    refuses(TypeError, lambda: Slices(ball(), silhouette=True), "Slices")


@pytest.mark.parametrize("engine", ["raycast", "pyvista"])
@pytest.mark.parametrize(("ink", "background"), [(True, "white"), (True, "black"), ("cyan", "black")])
def test_the_outline_of_a_body_is_its_border_in_one_ink(engine, ink, background):
    """Outside of it there is no rim of the body; its ink is the same on every page."""
    plain, drawn = (
        Scene(Intensity(ball(40, 15.0)), silhouette=line, light="flat", background=background, engine=engine)
        .render((160, 160))[80, :80, :3]
        .astype(int)
        for line in (False, ink)
    )
    color = np.array((0, 255, 255) if ink == "cyan" else (38, 38, 38))
    page, body = plain[0], plain[40]
    first, inside = (
        int(np.flatnonzero(np.abs(plain - tone).max(axis=-1) > far)[n])
        for tone, far, n in ((page, 40, 0), (body, 12, -1))
    )
    assert np.abs(drawn[first - 1 : inside + 2] - color).max(axis=-1).min() < 60
    assert np.abs(drawn[first] - page).max() > 40  # no rim
    assert np.abs(drawn[first + 4 : 70] - body).max() < 12


def darker(*layers, engine):
    """By what part a black silhouette darkens each pixel, in flat light."""
    plain, drawn = (
        Scene(*layers, camera="anterior", light="flat", engine=engine, silhouette=ink)
        .render((160, 160))[..., :3]
        .max(axis=-1)
        for ink in (False, "black")
    )
    return 1 - drawn / plain


@pytest.mark.parametrize("engine", ["raycast", "pyvista"])
def test_all_that_is_seen_is_outlined_in_what_is_translucent_too(engine):
    """Three balls, each in the next: a line is as strong as what is seen of it."""
    glass = Isosurface(ball(40, 16.0), 50, color="lavender", opacity=0.3)
    inner = Isosurface(ball(40, 11.0), 50, color="bisque", opacity=0.4)
    core = Isosurface(ball(40, 5.0), 50, color="white")
    scene = Scene(glass, camera="anterior")
    middle = scene.project([[0, 0, 0], [5, 0, 0], [11, 0, 0], [16, 0, 0]], (160, 160))[:, 0]
    places = [np.rint(2 * middle[0] - middle[n]).astype(int) for n in (1, 2, 3)]
    row = darker(glass, inner, core, engine=engine)[80]
    amount = [row[place - 3 : place + 4].sum() for place in places]
    assert 0.8 < amount[2] < 1.6
    assert amount[1] / amount[2] == pytest.approx(0.7, abs=0.15)
    assert amount[0] / amount[2] == pytest.approx(0.7 * 0.6, abs=0.15)
    for place in places:
        row[place - 3 : place + 4] = 0
    assert row[60:100].max() < 0.05
    behind = Isosurface(ball(40, 3.0).transform(space.translation(0, -12, 0)), 50, color="red")
    opaque = Isosurface(ball(40, 16.0), 50, color="lavender")
    alone, hiding = (darker(opaque, *others, engine=engine) for others in ([], [core, behind]))
    assert (alone == hiding).all()


def test_the_engines_outline_alike():
    """Surfaces, one in the other, and a dense mist."""
    layers = [
        Isosurface(sample("mni152").downsize(45), opacity=0.4),
        Isosurface(sample("motor"), level=3.1, color="red"),
    ]
    layers += [Intensity(ball(20, 8.0).transform(space.translation(-60, 0, -60)), opacity=[(0, 0), (100, 0.3)])]
    one, two = (darker(*layers, engine=engine) > 0.3 for engine in ("raycast", "pyvista"))
    near = [ndimage.binary_dilation(lines, iterations=2) for lines in (one, two)]
    assert one.sum() > 400
    assert (one & near[1]).sum() > 0.95 * one.sum()
    assert (two & near[0]).sum() > 0.95 * two.sum()


@pytest.mark.parametrize("engine", ["raycast", "pyvista"])
def test_outlines_are_exact_on_a_transparent_page(engine):
    layers = (
        Isosurface(ball(24, 9.0), 50, color="red", opacity=0.3),
        Intensity(ball(24, 5.0), opacity=[(0, 0), (90, 0.2)]),
    )
    clear = Scene(*layers, silhouette=True, background="transparent", engine=engine).render((60, 60)).astype(float)
    alpha = clear[..., 3:] / 255
    for ground in ((0, 0, 0), (1, 1, 1), (0.2, 0.4, 0.9)):
        page = Scene(*layers, silhouette=True, background=ground, engine=engine).render((60, 60)).astype(int)
        over = np.rint(clear[..., :3] * alpha + 255 * np.array(ground) * (1 - alpha))
        assert np.abs(over - page[..., :3]).max() <= 1


@pytest.mark.usefixtures("gl")
def test_a_draft_of_a_map_has_no_specks():
    layer = Intensity(sample("motor"), level=3.1, opacity=0.1)
    raster = Scene(layer, quality="draft", engine="pyvista").render((150, 150))[..., :3].astype(float)
    assert (raster - ndimage.median_filter(raster, size=(3, 3, 1))).std() < 3.5


@pytest.mark.usefixtures("gl")
def test_a_plotter_tells_that_a_projection_can_hide_what_is_with_it():
    layers = Intensity(ball(), blend="maximum"), Isosurface(ball(20, 4.0), 50)
    with pytest.warns(UserWarning, match=r"maximum projection can hide other layers.* save\(\)"):
        Scene(*layers).plotter((40, 40)).close()
    Scene(layers[0]).plotter((40, 40)).close()


def test_the_ink_of_outlines_is_checked():
    refuses(
        ValueError, lambda: Scene(ball(), silhouette="nocolor"), "silhouette", "must be a matplotlib color", "'nocolor'"
    )
    refuses(ValueError, lambda: Scene(ball(), silhouette=1), "silhouette, if not True or False", "got 1")


@pytest.mark.parametrize("spacing", [(1, 1, 1), (2, 2, 2), (1, 1, 4)])
def test_opacity_falls_where_values_hardly_change(spacing):
    """A ramp of 5 per mm: seen if the factor is 1 from 4 per mm on, not if from 6."""
    along = np.arange(30) * spacing[0] * 5.0
    ramp = Volume(
        np.broadcast_to(along[:, None, None], (30, 30, 30)).astype(np.float32).copy(), np.diag([*spacing, 1.0])
    )
    scenes = []
    for least in (4, 6):
        look = TransferFunction(
            [(0, 0.2), (along[-1], 0.2)], [(0, "black"), (along[-1], "black")], gradient=[(least, 0), (least, 1)]
        )
        scenes.append(Scene(Intensity(ramp, preset=look), camera="anterior", light="flat"))
    assert scenes[0].render((60, 60))[30, 30, 0] < 40
    refuses(ValueError, lambda: scenes[1].render((60, 60)), "nothing is to be seen", "0 to")


@pytest.mark.parametrize("look", [{}, {"preset": "mr-t1"}], ids=["body", "preset"])
def test_the_ray_caster_is_as_if_sampled_far_more_finely(look, monkeypatch):
    head = Intensity(sample("mni152").downsize(60), **look)
    pictures = []
    for factor in (1, 16):
        monkeypatch.setattr(assemble, "SAMPLE", 0.5 / factor)
        pictures.append(Scene(head, engine="raycast").render((160, 160)))
    there = seen(pictures[1])
    assert psnr(pictures[0][there], pictures[1][there]) > 38


def test_a_translucent_body_has_no_rings(monkeypatch):
    head, shades = Intensity(sample("mni152").downsize(90), opacity=0.3), []
    for factor in (1, 16):
        monkeypatch.setattr(assemble, "SAMPLE", 0.5 / factor)
        shades.append(Scene(head, engine="raycast").render((150, 150))[..., :3].mean(axis=-1))
    inside = ndimage.binary_erosion(shades[1] < 245, iterations=8)
    assert (shades[0] - shades[1])[inside].std() < 0.38


@pytest.mark.parametrize("opacity", [None, [(49, 0), (51, 1)]], ids=["body", "nodes"])
@pytest.mark.parametrize("size", [10, 24])
def test_a_small_subject_fills_the_panel_by_what_is_drawn_of_it(size, opacity):
    """What is drawn is smoothed: of a few voxels that is much, one way or the other."""
    data = np.zeros((size + 16,) * 3, np.float32)
    data[8:-8, 8:-8, 8:-8] = 100
    box = Intensity(Volume(data, EYE, name="box"), opacity=opacity)
    for camera in (Camera(76, 131, 134), Camera(25, 150), Camera(-40, 20, 60, perspective=40)):
        rows, columns = np.nonzero(
            seen(Scene(box, camera=camera, quality="draft", engine="raycast").render((120, 120)))
        )
        assert 0.88 <= max(np.ptp(rows) + 1, np.ptp(columns) + 1) / 120 <= 0.95


@pytest.mark.parametrize("elevation", [76, 85])
def test_the_lattice_of_samples_is_not_seen_on_a_flat_face(elevation, monkeypatch):
    """A face seen nearly face on would have stripes, a pixel or two wide, of several parts of 255."""
    data = np.zeros((36, 36, 36), np.float32)
    data[8:28, 8:28, 8:28] = 100
    box, shades = Intensity(Volume(data, EYE, name="box")), []
    for factor in (1, 16):
        monkeypatch.setattr(assemble, "SAMPLE", 0.5 / factor)
        raster = Scene(box, camera=Camera(elevation, 131, 134), engine="raycast").render((150, 150))
        shades.append(raster[..., :3].mean(axis=-1))
    face = ndimage.binary_erosion(shades[1] < 245, iterations=8)
    stripes = ndimage.gaussian_filter(shades[0] - shades[1], 1.0)
    assert np.abs(stripes[face]).max() < 1
    assert (shades[0] - shades[1])[face].std() < 0.4


def test_a_map_without_its_zeros_is_projected():
    """Clear where nothing is beyond the threshold; of a minimum the negative side alone is seen."""
    data = np.zeros((20, 20, 20), np.float32)
    data[4:8, 8:12, 8:12], data[13:17, 8:12, 8:12] = 5.5, -5.5
    zmap = Volume(data, EYE, name="z")
    for blend, seen in (("maximum", 10.0), ("minimum", 14.5)):
        scene = Scene(Intensity(zmap, level=3.0, clim=(-8, 8), blend=blend), camera="posterior", engine="raycast")
        drawn = (scene.render((120, 120))[..., :3] < 250).any(axis=-1)
        assert not drawn[:3].any()
        assert np.abs(np.mean(np.nonzero(drawn)[1]) - scene.project((seen, 9.5, 9.5), (120, 120))[0]) < 2


def test_a_maximum_projection_is_bright_on_a_dark_page():
    light, dark = (
        Scene(Intensity(ball(20, 6.0), blend="maximum"), background=page, engine="raycast").render((60, 60))
        for page in ("white", "black")
    )
    assert light[30, 30, 0] < 60
    assert dark[30, 30, 0] > 200


@pytest.mark.parametrize("engine", ["raycast", "pyvista"])
def test_both_signs_of_a_map_are_lit_alike(gl, engine):
    grid = np.indices((32, 16, 16))
    one, two = (np.clip(7 - np.sqrt(sum((w - c) ** 2 for w, c in zip(grid, (x, 7.5, 7.5)))), 0, 4) for x in (7.5, 24.5))
    zmap = Volume((one - two).astype(np.float32), EYE)
    layer = Intensity(zmap, level=2.0, clim=(-4, 4), cmap=ListedColormap(["#999999"] * 2))
    scene = Scene(layer, camera="anterior", engine=engine)
    raster = scene.render((160, 80)).astype(int)
    tones = [raster[tuple(scene.project((x, 7.5, 7.5), (160, 80)).round().astype(int)[::-1])][0] for x in (7.5, 24.5)]
    assert abs(tones[0] - tones[1]) <= 6


def test_light_does_not_depend_on_other_volumes():
    """A finer volume in the scene: finer samples, and the same shades."""
    body = Intensity(ball(24, 9.0))
    fine = Intensity(Volume(np.eye(3)[None] + np.zeros((3, 1, 1)), np.diag([0.05, 0.05, 0.05, 1])))
    alone, beside = (
        Scene(*layers, camera=(25, 150), engine="raycast").render((80, 80)).astype(float)
        for layers in ((body,), (body, fine))
    )
    assert np.abs(alone - beside).mean() < 1.5


def test_a_camera_that_looks_past_everything_is_refused():
    scene = Scene(Isosurface(ball(), 50), camera=Camera(0, 0, look_at=(0, 1e4, 0), zoom=100), engine="raycast")
    refuses(ValueError, scene.figure, "nothing is to be seen", "look_at")


PARTS = ("core", "shell", "pole", "behind")


def nested():
    """A ball of three labels: a core, a shell with a pole of its own; and a loose neighbour behind it."""
    away = np.indices((30, 30, 30)) - 14.5
    radius = np.linalg.norm(away, axis=0)
    data = np.where(radius < 6, 1, np.where(radius < 11, np.where(away[0] > 8, 3, 2), 0))
    data[1:3, 14:16, 14:16] = 4
    return Volume(data, EYE, "labels", labels=dict(enumerate(PARTS, 1)))


@pytest.mark.parametrize(
    ("change", "camera", "expected"),
    [
        ({}, (0, 0), ["shell", "pole"]),
        ({}, (0, 180), ["shell", "behind"]),
        ({"clip": Plane(y=14.5)}, (0, 90), ["core", "shell", "pole", "behind"]),
        ({"opacity": 0.5}, (0, 0), ["core", "shell", "pole", "behind"]),
    ],
)
def test_a_legend_has_the_labels_that_are_seen(change, camera, expected):
    scene = Scene(LabelMap(nested(), **change), camera=camera)
    assert [name for name, _ in scene._entries] == expected
    assert all((name in scene.caption()) == (name in expected) for name in PARTS)


@pytest.mark.parametrize("blend", ["maximum", "average"])
def test_a_projection_that_later_ones_or_what_has_a_depth_hide_is_told(blend):
    small, large = (Intensity(volume, blend=blend) for volume in (ball(24, 4.0), ball(24, 9.0)))
    body = Intensity(ball(24, 9.0))
    for layers in ((small, large), (small, body), (body, small)):
        with pytest.warns(UserWarning, match="nothing is to be seen of .*hidden by other layers"):
            Scene(*layers, engine="raycast").caption()
    for layers in ((large, small), (small, replace(large, opacity=0.5)), (small, replace(body, opacity=0.05))):
        Scene(*layers, engine="raycast").caption()


def test_a_layer_that_others_hide_is_told_and_not_in_the_legend():
    inner, outer = Isosurface(ball(24, 4.0), 50, color="red"), Isosurface(ball(24, 9.0), 40, color="gray")
    scene = Scene(outer, inner, engine="raycast")
    with pytest.warns(UserWarning, match="nothing is to be seen of .*hidden by other layers"):
        assert len(scene._entries) == 1
    for open_ in (replace(outer, opacity=0.5), replace(outer, clip=Plane(x=0))):
        assert len(Scene(open_, inner, camera=(0, 0), engine="raycast")._entries) == 2


@pytest.mark.parametrize(("width", "dpi"), [(60, 200), (89, 150)])
def test_the_scale_bar_under_a_scene_measures_what_is_in_it(width, dpi):
    """Of a block of 60 mm, seen from the front, so many pixels are printed as the bar says."""
    data = np.zeros((30, 30, 30))
    data[5:25, 5:25, 5:25] = 1
    block = Isosurface(Volume(data, np.diag([3.0, 3, 3, 1])), level=0.5, smooth=False, color="red")
    scene = Scene(block, camera="anterior", light="flat")
    figure = scene.figure(width, dpi)
    figure.canvas.draw()
    raster = np.asarray(figure.canvas.buffer_rgba()).astype(int)
    red = raster[..., 0] - raster[..., 1]
    wide = np.median((red / red.max()).sum(axis=1)[(red > 200).any(axis=1)])
    bar = max((line for line in figure.findobj(Line2D) if line.get_linewidth() > 1), key=lambda n: n.get_linewidth())
    length = np.ptp(bar.get_transform().transform(bar.get_xydata())[:, 0])
    label = next(text.get_text() for text, _ in texts(figure) if text.get_text().endswith(" mm"))
    assert length / wide == pytest.approx(float(label.split()[0]) / 60, rel=0.005)
