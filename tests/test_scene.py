import numpy as np
import pytest
from helpers import CODES, ball, hill, refuses, storage_affine, tilted
from scipy import ndimage

from volrender import (
    Box,
    CutPlane,
    Intensity,
    Isosurface,
    LabelMap,
    Plane,
    Scene,
    Volume,
    framing,
    paint,
    sample,
    space,
)
from volrender.color import BODY
from volrender.space import CAMERAS

EYE = np.eye(4)
SIZE = (160, 160)
BALLS = ((7.5, 8.0, 9.0, 5.0), (17.0, 16.5, 7.5, 3.5), (8.5, 17.0, 17.5, 3.0))  # index centre, radius in voxels
STEP = [(0, 0), (1, 0), (1, 1), (9, 1)]
AFFINES = tilted(50, seed=4)
DRAWN = AFFINES[::6]  # what is measured in pixels, which takes far longer than meshes
CAMERA = (25, 150)

pytestmark = pytest.mark.usefixtures("gl")


def three_balls(affine):
    """A field with three balls as its level set 1, of no symmetry; harmonic, so that smoothing leaves the level set."""
    index = np.moveaxis(np.indices((24, 24, 24)), 0, -1)
    field = np.max([r / np.maximum(np.linalg.norm(index - c, axis=-1), 0.4 * r) for *c, r in BALLS], axis=0)
    return Volume(field, affine, name="balls")


def subject(raster):
    """Which pixels are not the blue background."""
    return raster[..., 2].astype(int) - raster[..., 0] < 127


def silhouette(scene, affine, radius=1.0, clip=None):
    """Where the three balls, clipped, must be seen: every pixel's ray is intersected with them in index space."""
    columns, rows = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    view = scene._view(SIZE)
    right, up, toward = view.camera.axes
    across = (columns - (SIZE[0] - 1) / 2)[..., None] * right - (rows - (SIZE[1] - 1) / 2)[..., None] * up
    start_xyz = np.array(view.center) + across * view.mm_per_pixel
    inverse = np.linalg.inv(affine)
    start, along = space.apply_affine(inverse, start_xyz), inverse[:3, :3] @ toward
    gone_from, gone_to = np.full(SIZE[::-1], np.inf), np.full(SIZE[::-1], -np.inf)
    if clip is not None:
        slopes, heights = clip.halfspaces[:, :3] @ toward, start_xyz @ clip.halfspaces[:, :3].T - clip.halfspaces[:, 3]
        cross = -heights / np.where(np.abs(slopes) > 1e-9, slopes, 1e-9)
        gone_from = np.where(slopes > 0, cross, -np.inf).max(axis=-1)
        gone_to = np.where(slopes > 0, np.inf, cross).min(axis=-1)
    seen = np.zeros(SIZE[::-1], dtype=bool)
    for *center, r in BALLS:
        away = start - center
        a, b, c = along @ along, away @ along, (away**2).sum(axis=-1) - (r * radius) ** 2
        root = np.sqrt(np.maximum(b**2 - a * c, 0))
        first, last = (-b - root) / a, (-b + root) / a
        all_gone = (gone_from <= first) & (gone_to >= last) & (gone_from < gone_to)
        seen |= (b**2 > a * c) & ~all_gone
    return seen


def assert_same_shape(found, expected, pixels=1, closed=0):
    """Two silhouettes differ nowhere by more than so many pixels, but where narrow gaps of the expected are closed."""
    square = np.ones((2 * pixels + 1,) * 2, dtype=bool)
    wide = np.pad(expected, 2 * closed, mode="edge")
    most = wide | (ndimage.binary_closing(wide, iterations=closed) if closed else False)
    most = most[2 * closed : 2 * closed + len(found), 2 * closed : 2 * closed + len(found[0])]
    assert expected.sum() > 500
    assert not (found & ~ndimage.binary_dilation(most, square)).any()
    assert not (ndimage.binary_erosion(expected, square) & ~found).any()


# Where things are


@pytest.mark.parametrize("affine", DRAWN)
def test_a_volume_is_drawn_where_its_affine_says(affine):
    scene = Scene(Intensity(three_balls(affine), opacity=STEP), background="blue", camera=CAMERA)
    assert_same_shape(subject(scene.render(SIZE)), silhouette(scene, affine))


@pytest.mark.parametrize("affine", DRAWN)
def test_a_projection_is_drawn_where_the_affine_says(affine):
    layer = Intensity(three_balls(affine), opacity=STEP, blend="maximum")
    scene = Scene(layer, background="blue", camera=CAMERA)
    assert_same_shape(subject(scene.render(SIZE)), silhouette(scene, affine))


@pytest.mark.parametrize(
    ("affine", "clip"),
    [
        (AFFINES[0], Plane(normal=(-1, 2, -1), origin=(2, 0, 1))),
        (AFFINES[9], Box(x=(-9, 6), y=(None, 3), z=(-12, 30))),
    ],
)
def test_a_clipped_volume_is_seen_where_it_is_left(affine, clip):
    # As a signed map, so that its cut faces are just where it has opacity: in the balls.
    middle = float(np.median(three_balls(affine).data))
    volume = Volume(three_balls(affine).data - middle, affine)
    level = 1 - middle
    layer = Intensity(volume, clip=clip, opacity=[(-9, 0), (level, 0), (level, 1), (9, 1)], clim=(-1, 1), cmap="autumn")
    assert layer.look.survey.signed
    scene = Scene(layer, background="blue", camera=CAMERA)
    expected = silhouette(scene, affine, clip=clip)
    assert (silhouette(scene, affine) & ~expected).any()
    assert_same_shape(subject(scene.render(SIZE)), expected, 2)


@pytest.mark.parametrize("affine", AFFINES)
def test_a_surface_lies_where_its_affine_says(affine):
    from volrender.draw.surfaces_pyvista import isosurface

    mesh = isosurface(Isosurface(three_balls(affine), level=1))
    index = space.apply_affine(np.linalg.inv(affine), mesh.points)
    off = [np.linalg.norm(index - center, axis=1) - r for *center, r in BALLS]
    assert np.abs(off).min(axis=0).max() < 0.12
    assert mesh.is_manifold


@pytest.mark.parametrize("affine", DRAWN)
def test_a_surface_is_drawn_where_it_lies(affine):
    scene = Scene(Isosurface(three_balls(affine), level=1), background="blue", camera=CAMERA)
    assert_same_shape(subject(scene.render(SIZE)), silhouette(scene, affine))


@pytest.mark.parametrize("affine", DRAWN[::2])
def test_a_clipped_surface_is_drawn_where_it_is_left(affine):
    clip = Box(x=(-9, 6), y=(None, 3), z=(-12, 30))
    scene = Scene(Isosurface(three_balls(affine), level=1, clip=clip), background="blue", camera=CAMERA)
    assert_same_shape(subject(scene.render(SIZE)), silhouette(scene, affine, clip=clip), 2)


@pytest.mark.parametrize("affine", AFFINES)
def test_label_surfaces_lie_on_the_faces_of_their_voxels(affine):
    from volrender.draw.surfaces_pyvista import label_surface

    data = np.zeros((24, 24, 24), np.int16)
    data[2:13, 3:20, 4:16], data[14:22, 3:20, 12:22] = 3, -5
    mesh = label_surface(LabelMap(Volume(data, affine, "labels"), colors={3: "red", -5: "blue"}))
    index = space.apply_affine(np.linalg.inv(affine), mesh.points)
    boxes = {(255, 0, 0): ((1.5, 2.5, 3.5), (12.5, 19.5, 15.5)), (0, 0, 255): ((13.5, 2.5, 11.5), (21.5, 19.5, 21.5))}
    for rgb, (low, high) in boxes.items():
        cells = (np.asarray(mesh.cell_data["rgb"]) == rgb).all(axis=1)
        own = index[np.unique(mesh.regular_faces[cells])]
        # Smoothing that does not shrink swings out at an edge, by a quarter of a voxel.
        assert np.allclose(own.min(axis=0), low, atol=0.25)
        assert np.allclose(own.max(axis=0), high, atol=0.25)
    assert len(np.unique(mesh.cell_data["rgb"], axis=0)) == 2


def test_a_finding_behind_a_translucent_cut_plane_is_seen():
    finding = Isosurface(ball(24, 4), color="red")
    wall = Volume(np.full((24, 24, 24), 50.0), ball(24, 4).affine)
    plane = {opacity: CutPlane(wall, Plane(y=8), opacity=opacity) for opacity in (None, 0.3)}
    red = {}
    for opacity, layer in plane.items():
        raster = Scene(finding, layer, camera="anterior").render((80, 80)).astype(int)
        red[opacity] = (raster[..., 0] - raster[..., 1]).max()
    assert red[None] < 60 < red[0.3]


def test_a_cut_plane_through_a_single_bright_voxel_shows_it():
    data = np.zeros((14, 14, 14), np.float32)
    data[10, 10, 10] = 100
    volume = Volume(data, np.diag([2, 2, 2, 1.0]))
    scene = Scene(CutPlane(volume, Plane(normal=(0.9, 0.2, 0.6), origin=(20, 20, 20))), camera=(30, 20))
    rows, columns = np.nonzero((scene.render((100, 100))[..., :3] < 250).any(axis=-1))
    assert len(rows) > 20
    assert np.hypot(*(np.array([columns.mean(), rows.mean()]) - scene.project((20, 20, 20), (100, 100)))) < 25


def test_one_hot_voxel_does_not_change_the_picture():
    data = np.array(hill(EYE, (11, 11, 11), 12).data)
    hot = data.copy()
    hot[11, 11, 11] = 1e6
    look = {"clim": (0, 100), "opacity": [(0, 0), (30, 0), (60, 0.2), (100, 0.2)], "cmap": "viridis"}
    cool, heated = (Scene(Intensity(Volume(d, EYE), **look)).render((80, 80)).astype(int) for d in (data, hot))
    assert np.abs(cool - heated)[10:70, 10:70].mean() < 6


def test_a_slice_of_one_voxel_is_drawn():
    layer = Intensity(Volume(np.arange(30.0).reshape(5, 6, 1), EYE))
    assert (Scene(layer, camera="superior").render((40, 40))[..., :3] < 250).any()


@pytest.mark.parametrize("affine", DRAWN)
def test_labels_are_drawn_where_their_surface_lies(affine):
    mask = Volume((three_balls(affine).data >= 1).astype(np.uint8), affine, "labels")
    scene = Scene(LabelMap(mask, colors="red"), background="blue", camera=CAMERA)
    rows, columns = np.nonzero(subject(scene.render(SIZE)))
    from volrender.draw.surfaces_pyvista import label_surface

    flat = scene.project(label_surface(scene.layers[0]).points, SIZE)
    assert np.allclose([columns.min() - 0.5, rows.min() - 0.5], flat.min(axis=0), atol=1)
    assert np.allclose([columns.max() + 0.5, rows.max() + 0.5], flat.max(axis=0), atol=1)


@pytest.mark.parametrize("affine", AFFINES[:12])
def test_a_cut_plane_is_drawn_where_it_cuts(affine):
    at = space.apply_affine(affine, [7.5, 8, 9])
    plane = Plane(normal=tuple(space.Camera(*CAMERA).toward + [0.1, 0.3, 0.2]), origin=tuple(at))
    layer = CutPlane(three_balls(affine), plane)
    scene = Scene(layer, background="blue", camera=CAMERA)
    found = subject(scene.render(SIZE))
    # Every pixel's ray meets the plane at one point, and the field is known there.
    columns, rows = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    view = scene._view(SIZE)
    right, up, toward = view.camera.axes
    across = (columns - (SIZE[0] - 1) / 2)[..., None] * right - (rows - (SIZE[1] - 1) / 2)[..., None] * up
    start = np.array(view.center) + across * view.mm_per_pixel
    normal, offset = plane.halfspaces[0, :3], plane.halfspaces[0, 3]
    points = start + ((offset - start @ normal) / (toward @ normal))[..., None] * toward
    index = space.apply_affine(np.linalg.inv(affine), points)
    inner = ((index > 1) & (index < 22)).all(axis=-1)
    field = np.max([r / np.linalg.norm(index - center, axis=-1) for *center, r in BALLS], axis=0)
    expected = field > layer.look.survey.air
    assert_same_shape(np.where(inner, found, expected), expected, 2, closed=14)


@pytest.mark.parametrize("blend", ["composite", "maximum"])
def test_a_volume_reaches_its_outer_voxel_faces(blend):
    data = np.full((8, 8, 8), 100.0)
    data[0, 0, 0] = 99
    affine = np.diag([-10, 10, 10, 1.0])
    scene = Scene(Intensity(Volume(data, affine), opacity=1.0, blend=blend), background="blue", camera="posterior")
    rows, columns = np.nonzero(subject(scene.render(SIZE)))
    flat = scene.project(space.corners((8, 8, 8), affine), SIZE)
    assert np.allclose([columns.min() - 0.5, rows.min() - 0.5], flat.min(axis=0), atol=1)
    assert np.allclose([columns.max() + 0.5, rows.max() + 0.5], flat.max(axis=0), atol=1)


@pytest.mark.parametrize("name", CAMERAS)
def test_a_marker_on_the_subjects_left_anterior_superior_is_there_from_every_side(name):
    body = ball(24, 11)
    marker = Isosurface(ball(8, 3).transform([[1, 0, 0, -7], [0, 1, 0, 5], [0, 0, 1, 3], [0, 0, 0, 1]]), color="blue")
    scene = Scene(Isosurface(body, color="red", opacity=0.1), marker, camera=name)
    raster = scene.render((90, 90)).astype(int)
    rows, columns = np.nonzero(raster[..., 2] - raster[..., 0] > 10)
    column, row = scene.project([-7, 5, 3], (90, 90))
    assert (columns.min() + columns.max()) / 2 == pytest.approx(column, abs=2)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(row, abs=2)
    sides = {
        "left": (-5, 3),
        "right": (5, 3),
        "anterior": (7, 3),
        "posterior": (-7, 3),
        "superior": (-7, 5),
        "inferior": (7, 5),
    }[name]  # mm to the right and up, as seen: the left of the subject is on the viewer's right from the front
    assert np.sign(column - 44.5) == np.sign(sides[0])
    assert np.sign(44.5 - row) == np.sign(sides[1])


def test_storage_orders_are_drawn_alike_to_the_byte():
    rng = np.random.default_rng(0)
    data = ndimage.gaussian_filter(rng.random((12, 14, 16)), 1.5)
    volume = Volume(data, storage_affine("RAS", (2, 1.5, 1), (-11, -10, -8)))
    layers = [
        lambda v: Intensity(v, clip=Box(x=(0, None), z=(0, None))),
        lambda v: Isosurface(v, level=float(np.median(data))),
    ]
    for make in layers:
        expected = Scene(make(volume)).render((90, 90))
        for code in CODES[7::16]:
            assert np.array_equal(Scene(make(volume.reorient(code))).render((90, 90)), expected), code


# Cut faces


def textured(affine=None):
    """A bright body with a smooth texture that fills its volume but for a border of air."""
    affine = np.diag([2, 2, 2, 1.0]) if affine is None else affine
    i, j, k = np.indices((24, 24, 24))
    body = np.linalg.norm(np.indices((24, 24, 24)) - 11.5, axis=0) < 10
    return Volume(np.where(body, 60 + 30 * np.sin(i / 4) * np.cos(j / 5 + k / 6), 0), affine, name="T1")


@pytest.mark.parametrize(
    ("clip", "at", "camera"),
    [
        (Plane(x=23), [[23, y, z] for y in range(12, 36, 5) for z in range(12, 36, 5)], "right"),
        (
            Plane(normal=(1, 1, 1), origin=(23, 23, 23)),
            [[23 + a, 23 - a - b, 23 + b] for a in (-6, 0, 5) for b in (-6, 0, 4)],
            (35, 45),
        ),
        (
            Box(x=(23, None), y=(23, None), z=(23, None)),
            [[30, 33, 23], [23, 30, 33], [30, 23, 30], [36, 27, 23]],
            (35, 45),
        ),
    ],
)
@pytest.mark.parametrize("oblique", [False, True])
def test_a_cut_face_shows_the_values_that_lie_there(clip, at, camera, oblique):
    affine = np.diag([2, 2, 2, 1.0])
    if oblique:
        (affine,) = tilted(1, seed=8, spacing=(2, 2.2))
        affine[:3, 3] += 23
    layer = Intensity(textured(affine), clip=clip, cmap="gray")
    scene = Scene(layer, camera=camera)
    raster = scene.render((300, 300))
    columns, rows = np.rint(scene.project(at, (300, 300))).astype(int).T
    expected = layer.look.rgb(paint.sample(layer.volume, at)) * 255
    found = raster[rows, columns, :3]
    # A pixel is up to half a pixel off the point.
    slack = 3 + 0.5 * scene._view((300, 300)).mm_per_pixel * 14
    assert np.abs(found - expected).max() <= slack
    assert np.abs(found - expected).mean() <= 3


def test_a_constant_face_has_exactly_its_color():
    layer = Intensity(ball(24, 10), clim=(0, 200), cmap="viridis", clip=Plane(x=0))
    scene = Scene(layer, camera="right")
    raster = scene.render((120, 120))
    near = np.array([[0, y, z] for y in range(-6, 7, 2) for z in range(-6, 7, 2)])
    columns, rows = np.rint(scene.project(near, (120, 120))).astype(int).T
    assert np.abs(raster[rows, columns, :3] - layer.look.rgb(np.float32([100])) * 255).max() <= 1


def hollow():
    radius = np.linalg.norm(np.indices((30, 30, 30)) - 14.5, axis=0)
    affine = EYE.copy()
    affine[:3, 3] = -14.5
    return Volume(np.where((radius < 13) & (radius > 8), 100.0, 0), affine)


def test_a_dark_core_is_drawn_on_the_face_and_is_not_a_hole():
    scene = Scene(Intensity(hollow(), clip=Plane(x=0)), camera="right", background="lime")
    raster = scene.render((120, 120)).astype(int)
    core = raster[50:70, 50:70, :3]
    assert core.max() <= 3
    white = raster[60, 60 + int(10.5 / scene._view((120, 120)).mm_per_pixel), :3]
    assert white.min() >= 250


@pytest.mark.parametrize("clip", [Plane(z=3), Box(x=(None, 2), y=(-1, None), z=(0, 9))])
def test_nothing_is_seen_in_what_was_removed(clip):
    thin = [(0, 0), (20, 0), (60, 0.3), (100, 0.3)]
    scene = Scene(Intensity(hollow(), opacity=thin, clip=clip), background="blue", camera=CAMERA)
    whole = np.moveaxis(np.indices((60, 60, 60)), 0, -1).reshape(-1, 3) / 2 - 14.75
    body = whole[np.linalg.norm(whole, axis=1) < 14.5]
    left = np.zeros((140, 140), dtype=bool)
    columns, rows = np.rint(scene.project(body[~space.removed([clip], body)], (140, 140))).astype(int).T
    left[rows, columns] = True
    left = ndimage.binary_dilation(ndimage.binary_closing(left, np.ones((3, 3))), iterations=2)
    assert not (subject(scene.render((140, 140))) & ~left).any()


@pytest.mark.parametrize("engine", ["pyvista", "raycast"])
@pytest.mark.parametrize("kind", ["anatomy", "map", "labels"])
def test_clipped_surfaces_are_closed_by_the_slice_of_their_volume_and_others_by_their_color(kind, engine):
    clip, volume = Plane(x=0), hollow()
    mask = Volume((ball(24, 9).data > 0).astype(np.uint8), ball(24, 9).affine, "labels")
    signed = Volume(ball(24, 9).data * np.where(np.indices((24, 24, 24))[2] < 12, -1.1, 1.0), mask.affine)
    layer, radius = {
        "anatomy": (Isosurface(volume, level=50, color="gold", clip=clip), 13),
        "map": (Isosurface(signed, level=50, color="gold", clip=clip), 9),
        "labels": (LabelMap(mask, colors="gold", clip=clip), 9),
    }[kind]
    scene = Scene(layer, camera="right", background="blue", engine=engine)
    raster = scene.render(SIZE).astype(int)
    seen = subject(raster)
    face = raster[ndimage.binary_erosion(seen, iterations=8)][:, :3]
    if kind == "anatomy":
        assert (np.ptp(face, axis=1) <= 1).mean() > 0.97
        assert (face[:, 0] < 10).mean() > 0.3
        assert (face[:, 0] > 245).mean() > 0.3
    else:
        assert np.abs(face - [255, 215, 0]).max() <= 1
    part = 0.5 if kind == "map" else 1.0
    assert part * np.pi * (radius / scene._view(SIZE).mm_per_pixel) ** 2 == pytest.approx(seen.sum(), rel=0.06)


def test_a_finding_is_drawn_on_the_cut_face_of_the_anatomy():
    clip = Plane(x=0)
    mask = Volume((ball(24, 4).data > 0).astype(np.uint8), ball(24, 4).affine, "labels")
    scene = Scene(Intensity(ball(24, 10), clip=clip), LabelMap(mask, colors="red", clip=clip), camera="right")
    raster = scene.render((100, 100))
    assert raster[50, 50].tolist() == [255, 0, 0, 255]
    outside = int(50 + 7 / scene._view((100, 100)).mm_per_pixel)
    assert raster[50, outside, :3].min() >= 250


# Light and opacity


def slab(spacing, thickness=16.0, across=32.0):
    """A block `thickness` mm deep along y, in voxels of `spacing` mm, centred on the world's origin."""
    shape = np.array([across, thickness, across]) / spacing
    affine = np.diag([spacing] * 3 + [1.0])
    affine[:3, 3] = -spacing * (shape - 1) / 2
    return Volume(np.full(shape.astype(int), 100, np.uint8), affine)


@pytest.mark.parametrize("opacity", [0.02, 0.05, 0.2])
def test_opacity_is_what_a_millimetre_absorbs_whatever_the_voxels(opacity):
    alphas = []
    for spacing in (1.0, 2.0):
        layer = Intensity(slab(spacing), clim=(0, 100), opacity=opacity)
        raster = Scene(layer, camera="posterior", background="transparent").render((60, 60))
        alphas.append(raster[25:35, 25:35, 3].astype(float) / 255)
    expected = 1 - (1 - opacity) ** 16
    assert np.abs(np.subtract(*alphas)).max() <= 4 / 255
    assert np.abs(np.array(alphas) - expected).max() <= 0.02


def test_oblique_voxels_absorb_per_world_millimetre_too():
    data = np.full((24, 24, 24), 100, np.uint8)
    affine = np.diag([1, 3, 2, 1.0])
    affine[0, 1] = 1.0  # sheared: the way through along y is still 3 mm a voxel
    layer = Intensity(Volume(data, affine), clim=(0, 100), opacity=0.02)
    scene = Scene(layer, camera="posterior", background="transparent")
    column, row = np.rint(scene.project(space.apply_affine(affine, [11.5, 11.5, 11.5]), (80, 80))).astype(int)
    # At the middle of the parallelogram a ray along y crosses 24 voxels in x at 1 mm each, thus 24 mm of y.
    path = 24 / np.abs(np.linalg.inv(affine)[:3, 1]).max()
    expected = 1 - 0.98 ** min(72, path)
    assert scene.render((80, 80))[row, column, 3] / 255 == pytest.approx(expected, abs=0.03)


LOOKS = {
    "opaque volume": lambda: [Intensity(ball(24, 9))],
    "thin volume": lambda: [Intensity(hill(np.diag([2, 2, 2, 1.0]), (23, 23, 23), 20), opacity=[(0, 0), (100, 0.1)])],
    "clipped volume": lambda: [Intensity(ball(24, 9), clip=Plane(x=0))],
    "surface": lambda: [Isosurface(ball(24, 9))],
    "clear surface": lambda: [Isosurface(ball(24, 9), opacity=0.4), Isosurface(ball(24, 4), color="blue")],
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_transparent_background_composites_to_the_direct_picture(look):
    layers = LOOKS[look]()
    clear = Scene(*layers, background="transparent").render((100, 100)).astype(float)
    alpha = clear[..., 3:] / 255
    assert alpha.max() > 0.3
    assert alpha[[0, -1], [0, -1]].max() == 0
    color = np.array([30, 120, 220])
    direct = Scene(*layers, background=tuple(color / 255)).render((100, 100))
    assert (direct[..., 3] == 255).all()
    off = np.abs(clear[..., :3] * alpha + color * (1 - alpha) - direct[..., :3]).max(axis=-1)
    # VTK resolves the samples of a multisampled edge as light, not as values: there alpha depends on the color behind.
    edges = 0.01 if look == "clipped volume" else 0
    assert (off > 2).mean() <= edges


def test_a_body_has_one_tone_unless_a_colormap_is_chosen():
    raster = Scene(Intensity(textured())).render((100, 100)).astype(float)
    body = raster[40:60, 40:60, :3]
    assert np.allclose(body / body.sum(axis=-1, keepdims=True), np.array(BODY) / sum(BODY), atol=0.02)
    layer = Intensity(ball(24, 9), cmap="viridis", clim=(0, 100), opacity=[(0, 0), (50, 0), (50, 1), (100, 1)])
    colored = Scene(layer).render((100, 100)).astype(float)[40:60, 40:60]
    assert (colored[..., 1] > 1.3 * colored[..., 0]).all()


@pytest.mark.parametrize("blend", ["maximum", "minimum", "average"])
def test_projections_show_the_value_they_name(blend):
    data = np.full((16, 16, 16), 50.0)
    data[:, 4:8] = 100
    data[:, 11:14] = 20
    data[0] = 0
    layer = Intensity(Volume(data, EYE), clim=(0, 100), cmap="gray", opacity=1.0, blend=blend)
    raster = Scene(layer, camera="posterior").render((80, 80))
    value = {"maximum": 100, "minimum": 20, "average": (9 * 50 + 4 * 100 + 3 * 20) / 16}[blend]
    assert raster[40, 50, 0] / 2.55 == pytest.approx(value, abs=4)


def test_a_finding_inside_a_translucent_body_is_seen():
    body = Intensity(ball(24, 10), opacity=[(0, 0), (40, 0), (60, 0.03), (100, 0.03)])
    finding = Isosurface(ball(24, 4), level=50, color="red")
    alone = Scene(body).render((100, 100)).astype(int)[50, 50]
    both = Scene(body, finding).render((100, 100)).astype(int)
    assert alone[0] - alone[1] < 40
    assert both[50, 50, 0] - both[50, 50, 1] > 60
    assert both[50, 20, 0] - both[50, 20, 1] < 40


def test_an_opaque_body_hides_what_is_inside():
    body = Intensity(ball(24, 10), opacity=[(0, 0), (40, 0), (50, 1), (100, 1)])
    both = Scene(body, Isosurface(ball(24, 4), level=50, color="red")).render((100, 100)).astype(int)
    assert both[50, 50, 0] - both[50, 50, 1] < 40


def test_a_nearer_surface_hides_a_farther_one():
    near = ball(16, 5).transform([[1, 0, 0, 0], [0, 1, 0, -12], [0, 0, 1, 0], [0, 0, 0, 1]])
    layers = [Isosurface(ball(16, 5), color="blue"), Isosurface(near, color="red")]
    for order in (layers, layers[::-1]):
        raster = Scene(*order, camera="posterior").render((60, 60)).astype(int)
        assert raster[30, 30, 0] > 2 * raster[30, 30, 2]


def test_two_translucent_surfaces_do_not_depend_on_their_order():
    far = ball(16, 5).transform([[1, 0, 0, 0], [0, 1, 0, 12], [0, 0, 1, 0], [0, 0, 0, 1]])
    layers = [Isosurface(ball(16, 5), color="blue", opacity=0.5), Isosurface(far, color="red", opacity=0.5)]
    one, other = (Scene(*order, camera="posterior").render((60, 60)).astype(int) for order in (layers, layers[::-1]))
    assert np.abs(one - other).max() <= 2
    red, _, blue, _ = one[30, 30]
    assert 255 > blue > red + 20 > 20


@pytest.mark.parametrize("kind", ["surface", "labels"])
@pytest.mark.parametrize("beside", ["alone", "with a surface", "with a volume"])
def test_a_translucent_surface_is_seen(kind, beside):
    mask = Volume((ball(24, 9).data > 0).astype(np.uint8), ball(24, 9).affine, "labels")
    clear = Isosurface(ball(24, 9), color="red", opacity=0.4)
    layers = [clear if kind == "surface" else LabelMap(mask, colors="red", opacity=0.4)]
    if beside == "with a surface":
        layers.append(Isosurface(ball(24, 3), color="blue"))
    elif beside == "with a volume":
        layers.append(Intensity(ball(24, 3)))
    raster = Scene(*layers).render((80, 80)).astype(int)
    red, green, blue, _ = raster[40, 20]
    assert red > green + 40
    assert 60 < green < 220
    assert abs(green - blue) < 10


def test_the_same_scene_is_the_same_to_the_byte():
    layers = [Intensity(textured(), clip=Plane(x=20)), Isosurface(ball(24, 4).transform(np.diag([2, 2, 2, 1.0])))]
    assert np.array_equal(Scene(*layers).render((90, 90)), Scene(*layers).render((90, 90)))
    scene = Scene(LabelMap(Volume(ball().data > 0, EYE)))
    assert np.array_equal(scene.render((90, 90)), scene.render((90, 90)))


# Surfaces by numbers


@pytest.mark.parametrize("smooth", [True, False])
def test_the_surface_of_a_sphere_has_its_volume_and_its_centre(smooth):
    from volrender.draw.surfaces_pyvista import isosurface

    for affine in tilted(3, seed=6, spacing=(1.2, 1.7)):
        center = np.array([1.0, -2, 1])
        mesh = isosurface(Isosurface(hill(affine, center, reach=30), level=70, smooth=smooth))
        assert mesh.volume == pytest.approx(4 / 3 * np.pi * 9**3, rel=0.02)
        assert np.allclose(mesh.center_of_mass(), center, atol=0.1)
        assert np.abs(np.linalg.norm(mesh.points - center, axis=1) - 9).max() < 0.3


def test_a_surface_is_closed_at_the_edge_of_its_volume():
    from volrender.draw.surfaces_pyvista import isosurface

    full = hill(np.diag([2, 2, 2, 1.0]), (23, 23, 0), 60)
    mesh = isosurface(Isosurface(full, level=30, smooth=False))
    assert mesh.is_manifold
    assert mesh.n_open_edges == 0
    assert mesh.bounds[4] == pytest.approx(-1, abs=1.01)


def test_a_negative_level_of_a_map_encloses_what_is_lower():
    from volrender.draw.surfaces_pyvista import isosurface

    top = hill(np.diag([2, 2, 2, 1.0]), (23, 35, 23), 12).data
    low = hill(np.diag([2, 2, 2, 1.0]), (23, 11, 23), 12).data
    signed = Volume((top - low) * 0.0531, np.diag([2, 2, 2, 1.0]))
    for level, y in [(2.0, 35), (-2.0, 11)]:
        mesh = isosurface(Isosurface(signed, level=level))
        assert np.allclose(mesh.center, (23, y, 23), atol=0.7)
        assert mesh.volume > 0


def test_labels_next_to_each_other_have_their_own_colors():
    data = np.zeros((12, 12, 12), np.uint8)
    data[2:6, 2:10, 2:10], data[6:10, 2:10, 2:10] = 1, 2
    layer = LabelMap(Volume(data, EYE, "labels"), colors={1: (1, 0, 0), 2: (0, 0, 1)})
    raster = Scene(layer, camera="posterior").render((80, 80)).astype(int)
    assert (raster[40, 15:35, 0] > 2 * raster[40, 15:35, 2]).all()
    assert (raster[40, 45:65, 2] > 2 * raster[40, 45:65, 0]).all()


def test_only_the_labels_that_have_a_color_are_shown():
    data = np.zeros((12, 12, 12), np.uint8)
    data[2:6, 2:10, 2:10], data[6:10, 2:10, 2:10] = 1, 2
    scene = Scene(LabelMap(Volume(data, EYE, "labels"), colors={2: "red"}))
    assert scene._subject[:, 0].min() == pytest.approx(5.5, abs=0.3)
    assert len(np.unique(scene.render((60, 60)).reshape(-1, 4), axis=0)) > 1


# The plotter and the panel


def test_the_plotter_is_pyvistas_own():
    import pyvista

    layers = [Intensity(ball(), clip=Plane(x=0)), Isosurface(ball(16, 5))]
    plotter = Scene(*layers, camera="left").plotter((120, 80))
    try:
        assert isinstance(plotter, pyvista.Plotter)
        assert plotter.window_size == [120, 80]
        assert plotter.camera.parallel_projection
        kinds = [type(actor).__name__ for actor in plotter.actors.values()]
        assert kinds.count("vtkVolume") == 1
        assert kinds.count("Actor") >= 2
        assert np.allclose(plotter.camera.up, (0, 0, 1))
        assert plotter.camera.position[0] < plotter.camera.focal_point[0]
    finally:
        plotter.close()


def test_a_mesh_of_the_users_own_joins_the_scene_in_world_millimetres():
    import pyvista

    scene = Scene(Isosurface(ball(24, 9), opacity=0.2), background="white")
    plotter = scene.plotter((100, 100))
    try:
        plotter.add_mesh(pyvista.Sphere(radius=2, center=(6, 4, 3)), color="blue", lighting=False, reset_camera=False)
        plotter.show(auto_close=False)
        raster = plotter.screenshot(None, return_img=True).astype(int)
    finally:
        plotter.close()
    rows, columns = np.nonzero(raster[..., 2] - raster[..., 0] > 60)
    column, row = scene.project([6, 4, 3], (100, 100))
    assert columns.mean() == pytest.approx(column, abs=1)
    assert rows.mean() == pytest.approx(row, abs=1)


@pytest.mark.parametrize("size", [(120, 60), (60, 120)])
def test_the_raster_has_its_size_and_the_subject_fills_it(size):
    scene = Scene(Intensity(ball(24, 9)), background="blue")
    raster = scene.render(size)
    assert raster.shape == (size[1], size[0], 4)
    assert raster.dtype == np.uint8
    rows, columns = np.nonzero(subject(raster))
    assert np.ptp(rows) + 1 > 0.8 * min(size)
    assert (rows.min(), columns.min()) > (0, 0)
    assert rows.max() < size[1] - 1
    assert columns.max() < size[0] - 1


def test_zoom_and_roll_keep_to_the_projection():
    marker = ball(8, 3).transform([[1, 0, 0, 5], [0, 1, 0, 1], [0, 0, 1, 6], [0, 0, 0, 1]])
    layers = [Isosurface(ball(24, 9), color="red", opacity=0.2), Isosurface(marker, color="blue")]
    scene = Scene(*layers, camera=space.Camera(20, 200, roll=40, zoom=0.7))
    raster = scene.render((100, 100)).astype(int)
    rows, columns = np.nonzero(raster[..., 2] - raster[..., 0] > 40)
    expected = scene.project([5, 1, 6], (100, 100))
    assert np.allclose([columns.mean(), rows.mean()], expected, atol=1.5)


def test_the_panel_holds_the_raster_itself_at_whole_pixels():
    scene = Scene(ball(24, 9))
    figure = scene.figure(40, 100)
    (ax,) = [ax for ax in figure.axes if ax.get_images()]
    place, picture = ax.get_window_extent(), np.asarray(ax.get_images()[0].get_array())
    assert (round(place.width), round(place.height)) == picture.shape[1::-1]
    assert np.array_equal(picture, scene.render(picture.shape[1::-1]))


@pytest.mark.parametrize(
    ("size", "kind", "says"),
    [
        ((0, 10), ValueError, "size must be between 1 and 30000 pixels each way; got (0, 10)"),
        (300, TypeError, "size must be (width, height) in pixels; got 300"),
        ("big", TypeError, "size must be (width, height) in pixels; got 'big'"),
    ],
)
def test_sizes_are_checked(size, kind, says):
    refuses(kind, lambda: Scene(ball()).render(size), says)


def test_limits_of_color_beyond_the_data_are_an_error():
    beyond = Intensity(ball(), clim=(300, 900))
    refuses(
        ValueError, lambda: Scene(beyond).render((50, 50)), "all values lie below its clim (300, 900)", "from 0 to 100"
    )
    refuses(ValueError, lambda: Scene(Isosurface(ball(), 50, opacity=0.2), beyond).figure(), "all values lie below")


def test_a_map_shows_nothing_below_its_limits_of_color():
    signed = Volume(np.linspace(-8, 8, 8000).reshape(20, 20, 20), EYE)
    look = Intensity(signed, clim=(6, 8)).look
    assert look.alpha([-8, 5.9, 7.9], "volume").tolist() == [0, 0, pytest.approx(0.95)]
    assert Intensity(signed, clim=(-8, -6)).look.alpha([-7.9, -5.9, 8], "volume")[1:].tolist() == [0, 0]


@pytest.mark.parametrize("blend", ["maximum", "average"])
def test_a_projection_of_few_values_shows_the_lowest(blend):
    data = np.zeros((30, 30, 30), np.float32)
    data[2:8, 2:8, 2:8], data[-8:-2, -8:-2, -8:-2] = 100, 90
    raster = Scene(Intensity(Volume(data, EYE), blend=blend), camera="left", background="transparent").render((80, 80))
    assert min(raster[:40, :40, 3].max(), raster[40:, 40:, 3].max()) > 200


def test_nothing_left_is_an_error():
    refuses(ValueError, lambda: Scene(Intensity(ball(), opacity=0.0)).render((50, 50)), "nothing is to be seen of")
    refuses(ValueError, lambda: Scene(Isosurface(ball(), clip=Plane(x=-99))).figure(), "nothing is to be seen of")


def test_a_faint_volume_is_a_subject_too():
    assert len(framing.subject_points([Intensity(ball(), opacity=0.01)]))
    assert len(framing.subject_points([Intensity(ball(), opacity=[(0, 0), (50, 0), (100, 0.002)])]))


def test_where_a_ct_is_not_finite_there_is_no_tissue():
    from volrender.draw.surfaces_pyvista import isosurface

    ct = ball(24, 6).data * 10.4 - 1000  # air and tissue in Hounsfield units
    data = np.where(np.indices(ct.shape)[0] < 3, np.nan, ct)
    mesh = isosurface(Isosurface(Volume(data, ball(24, 6).affine), level=-300))
    assert mesh.bounds[0] > -6.6
    raster = Scene(Intensity(Volume(data, ball(24, 6).affine)), camera="left", background="blue").render((60, 60))
    assert 0.3 < subject(raster).mean() < 0.9  # a slab of the body's own value would fill it


def test_a_signed_map_is_drawn_on_both_its_sides_without_a_word(capfd):
    top, low = (hill(np.diag([2, 2, 2, 1.0]), (23, y, 23), 12).data for y in (35, 11))
    signed = Volume((top - low) * 0.0531 * ((top > 40) | (low > 40)), np.diag([2, 2, 2, 1.0]))
    layer = Intensity(signed)
    assert layer.look.survey.signed
    raster = Scene(layer, camera="left").render((100, 50)).astype(int)
    anterior, posterior = raster[:, :50], raster[:, 50:]
    assert (anterior[..., 0] - anterior[..., 2]).max() > 60
    assert (posterior[..., 2] - posterior[..., 0]).max() > 60
    assert (anterior[..., 2] - anterior[..., 0]).max() < 20
    assert "WARN" not in capfd.readouterr().err


def test_voxels_that_are_not_finite_are_air():
    data = np.array(ball(24, 9).data)
    data[:3] = np.nan
    data[-3:] = np.inf
    for blend in ("composite", "maximum"):
        layer = Intensity(Volume(data, ball(24, 9).affine), blend=blend, clip=Plane(z=0))
        scene = Scene(layer, background="blue")
        seen = subject(scene.render((80, 80)))
        assert 0.2 < seen.mean() < 0.9, blend


def test_a_cut_face_is_not_cut_by_a_clip_of_another_layer():
    first, second = Plane(x=0), Plane(y=0)
    block = np.zeros((30, 30, 30))
    block[5:25, 5:25, 5:25] = 100
    affine = np.diag([1, 1, 1, 1.0])
    affine[:3, 3] = -15
    body, core = Volume(block, affine), Volume(np.pad(block[10:20, 10:20, 10:20], 10), affine)
    bare = Intensity(body, clim=(0, 200), clip=first)
    red = Isosurface(core, level=50, color="red", clip=(first, second))
    faces = []
    for layers in ([bare], [bare, red]):
        raster = Scene(*layers, camera="right", light="flat").render((120, 120)).astype(int)
        gray = (np.ptp(raster[..., :3], axis=-1) < 8) & (raster[..., 0] < 250)
        faces.append(int((gray | (raster[..., 0] - raster[..., 1] > 60)).sum()))
    assert faces[1] == pytest.approx(faces[0], rel=0.02)


def test_a_clip_given_twice_is_one():
    assert Intensity(ball(), clip=(Plane(x=0), Plane(x=0))).clip == (Plane(x=0),)


def test_no_body_shows_through_its_cut_face():
    """Whatever stands before it: rays that start with a jitter end at the face."""
    face = Plane(z=50)
    plain = Scene(Intensity(sample("mni152"), clip=face), camera="superior")
    beside = Scene(Intensity(sample("mni152"), clip=face), Isosurface(sample("motor"), level=3.1), camera="superior")
    at = np.array([[x, y, 50.0] for x in range(-45, -20, 2) for y in range(-60, 20, 2)])
    found = []
    for scene in (plain, beside):
        raster = scene.render((250, 250)).astype(int)
        columns, rows = np.rint(scene.project(at, (250, 250))).astype(int).T
        found.append(np.ptp(raster[rows, columns, :3], axis=-1))
    assert max(map(np.max, found)) < 8
