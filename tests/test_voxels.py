from dataclasses import replace

import numpy as np
import pytest
from helpers import CODES, affines, ball, hill, refuses, storage_affine
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LightSource
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from mpl_toolkits.mplot3d import art3d, proj3d
from scipy import ndimage
from skimage.metrics import structural_similarity

from volrender import (
    Box,
    CutPlane,
    Intensity,
    Isosurface,
    LabelMap,
    Plane,
    Volume,
    Voxels,
    expand_coordinates,
    explode,
    sample,
    space,
)
from volrender.draw import sight, voxel_grid, voxels
from volrender.space import CAMERAS

EYE = np.eye(4)
SEEDS = st.integers(0, 2**31)
GAPS = st.floats(0, 0.9)
VIEWS = [(30, 320), (25, 150), (-20, 40), (-35, 250), *CAMERAS.values()]


def cubes_of(rgba, affine=EYE):
    return voxels.Cubes(np.asarray(rgba, dtype=np.float32), affine)


def put(ax, cubes, gap=0.0, **options):
    """The cubes, in 3-D axes."""
    found = voxels.VoxelCollection(cubes, gap, **options)
    voxels.add(ax, found)
    return found


def faces(found):
    """All faces that are drawn: corners, colors, and the cube and the side of each."""
    return tuple(np.concatenate(part) for part in zip(*found.faces(), strict=True))


def in_world(found):
    """The corners of all faces (n, 4, 3), in the world: two views along the axes."""
    flat = []
    for first in (0, 1):
        found._to_screen = np.eye(4)[[first, first + 1, 2, 3]] @ found.cubes.affine
        found._sight = voxels.Sight(np.array([1.0, 1, 1, 0]))
        flat.append(faces(found)[0])
    return np.concatenate([flat[0], flat[1][..., 1:]], axis=-1)


def axes(view=(30, 320), side=4.0, dpi=60, limits=(0, 10), projection="ortho"):
    """The user's own 3-D axes on a figure that is about to be drawn."""
    figure = Figure(figsize=(side, side), dpi=dpi)
    FigureCanvasAgg(figure)
    ax = figure.add_subplot(projection="3d")
    ax.set_proj_type(projection)
    ax.view_init(*view)
    ax.set(xlim=limits, ylim=limits, zlim=limits)
    return ax


def raster(ax):
    ax.figure.canvas.draw()
    return np.asarray(ax.figure.canvas.buffer_rgba())[..., :3].astype(int)


def collection(panel, view=(30, 320), **options):
    """What a panel adds to 3-D axes."""
    ax = axes(view, **options)
    panel.draw(ax)
    (found,) = [artist for artist in ax.collections if isinstance(artist, voxels.VoxelCollection)]
    return found


def one_cube(value=1.0, affine=EYE):
    return Voxels(Intensity(Volume(np.full((1, 1, 1), value), affine), clim=(0, 1), opacity=1.0), size=None)


# Cubes in the world


@given(affines(), GAPS, SEEDS)
def test_cubes_stand_at_their_voxels_with_their_gap(affine, gap, seed):
    filled = np.random.default_rng(seed).random((3, 4, 2)) > 0.5
    filled[1, 2, 1] = True
    rgba = np.where(filled[..., None], np.float32([1, 0, 0, 0.5]), np.float32(0))
    found = voxels.VoxelCollection(cubes_of(rgba, affine), gap)
    found._order, found._ends = np.flatnonzero(filled).astype(np.int32), np.array([filled.sum()])
    corners = in_world(found).reshape(-1, 24, 3)
    centers = space.apply_affine(affine, np.argwhere(filled))
    assert len(corners) == filled.sum()
    assert np.allclose(corners.mean(axis=1), centers, atol=1e-9 * np.abs(affine).max() + 1e-9)
    index = space.apply_affine(np.linalg.inv(affine), corners) - np.argwhere(filled)[:, None]
    assert np.allclose(np.abs(index), (1 - gap) / 2, atol=1e-9)


@given(affines())
def test_neighbours_touch_without_a_gap_and_the_grid_ends_at_the_outer_faces(affine):
    cubes = cubes_of(np.ones((2, 3, 4, 4)), affine)
    found = voxels.VoxelCollection(cubes)
    found._order, found._ends = np.arange(24, dtype=np.int32), np.array([24])
    found._opaque[:] = False
    corners = in_world(found).reshape(-1, 3)
    low, high = corners.min(axis=0), corners.max(axis=0)
    assert np.allclose(np.stack([low, high], axis=1), space.bounds((2, 3, 4), affine))
    assert np.allclose(np.ptp(cubes.corners_xyz, axis=0), high - low)
    assert np.allclose(np.ptp(cubes.outline_xyz, axis=0), high - low)


def test_the_box_is_that_of_the_filled_cubes():
    rgba = np.zeros((9, 9, 9, 4))
    rgba[2:4, 5, 1:8] = 1
    corners = cubes_of(rgba, np.diag([-1, 2, 3, 1])).corners_xyz
    assert np.allclose(corners.min(axis=0), [-3.5, 9, 1.5])
    assert np.allclose(corners.max(axis=0), [-1.5, 11, 22.5])


@settings(max_examples=60)
@given(affines(), st.sampled_from(VIEWS), st.sampled_from(["ortho", "persp"]), SEEDS)
def test_along_every_line_of_sight_the_nearer_cube_is_drawn_later(affine, view, projection, seed):
    """Flipped, sheared and squeezed grids; the eye far off, near, or between the cubes."""
    rng = np.random.default_rng(seed)
    shape = (4, 5, 6)
    cubes = cubes_of(np.full((*shape, 4), 0.01), affine)
    ax = axes(view, projection=projection)
    found = put(ax, cubes)
    ax.set_box_aspect(rng.uniform(0.5, 2, 3), zoom=float(rng.choice([1, 1, 6])))
    raster(ax)
    place = np.empty(np.prod(shape), int)
    place[found._order] = np.arange(len(found._order))
    assert np.array_equal(np.sort(found._order), np.arange(np.prod(shape)))
    *eye, far = found._sight.eye
    for start in rng.uniform(-0.5, np.array(shape) - 0.5, (40, 3)):
        way = np.array(eye) - far * start
        steps = np.linspace(0, 1, 2000)[:, None] * (1 if far else 20 / np.linalg.norm(way))
        cells = np.rint(start + steps * way).astype(int)
        cells = cells[((cells >= 0) & (cells < shape)).all(axis=1)]
        met = place[np.ravel_multi_index(cells.T, shape)]
        assert (np.diff(met) >= 0).all()


def test_each_cube_is_drawn_at_once():
    ax = axes()
    found = put(ax, cubes_of(np.full((3, 3, 3, 4), 0.1)))
    raster(ax)
    cube, side = faces(found)[2].T
    assert (cube.reshape(-1, 6) == cube[::6, None]).all()
    assert (np.sort(side.reshape(-1, 6)) == np.arange(6)).all()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    "affine",
    [
        EYE,
        storage_affine("PIL", (1, 2, 3)),
        np.array([[1, 0.4, 0, 0], [-0.2, 2, 0.3, 0], [0.1, 0, 1.5, 0], [0, 0, 0, 1]]),
    ],
    ids=["straight", "PIL", "oblique"],
)
def test_a_cubes_near_faces_are_drawn_last(view, affine):
    ax = axes(view)
    cubes = cubes_of([[[[1, 1, 1, 0.5]]]], affine)
    found = put(ax, cubes)
    raster(ax)
    order = faces(found)[2][:, 1]
    *_, depth = proj3d.proj_transform(*cubes.corners_xyz[voxels.FACES].mean(axis=1).T, ax.M)
    assert sorted(order) == list(range(6))
    for axis in range(3):  # of two parallel faces
        first, second = (np.flatnonzero(order == 2 * axis + end)[0] for end in (0, 1))
        step = depth[2 * axis + 1] - depth[2 * axis]
        assert abs(step) < 1e-9 or (second > first) == (step < 0)


# Shades


@given(affines())
def test_faces_are_shaded_as_matplotlib_shades_polygons(affine):
    corners = space.apply_affine(affine, voxels.CORNERS)
    quads = corners[voxels.FACES]
    theirs = art3d._shade_colors(np.ones((6, 4)), art3d._generate_normals(quads), LightSource(225, 19.4712))
    assert np.allclose(theirs[:, 0], voxels.shades(affine), atol=1e-5)


def test_the_upright_cube_is_shaded_as_axes3d_voxels_does():
    ax = axes()
    polygons = ax.voxels(np.ones((1, 1, 1)), facecolors="white")[0, 0, 0]
    assert np.allclose(np.sort(polygons.get_facecolor()[:, 0]), np.sort(voxels.shades(EYE)), atol=1e-6)


def test_every_face_looks_outward():
    for affine in (EYE, storage_affine("RAS", (1, 2, 3))):
        corners = space.apply_affine(affine, voxels.CORNERS)
        for face in voxels.FACES:
            quad = corners[face]
            normal = np.cross(quad[1] - quad[0], quad[2] - quad[1])
            assert normal @ (quad.mean(axis=0) - corners.mean(axis=0)) > 0


# What hides what


def stack(front_alpha):
    """Two cubes in a row along y, red before blue as seen from behind."""
    rgba = np.zeros((1, 2, 1, 4))
    rgba[0, 0, 0], rgba[0, 1, 0] = [1, 0, 0, front_alpha], [0, 0, 1, 1]
    return cubes_of(rgba)


CORNERS = [(elevation, azimuth) for elevation in (-35, 35) for azimuth in (45, 135, 225, 315)]


@pytest.mark.parametrize("gap", [0.0, 0.3])
@pytest.mark.parametrize("view", CORNERS)
@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_an_opaque_cube_hides_what_is_behind_and_a_translucent_one_does_not(gap, view, alpha):
    """A red cube on the line from a blue one to the viewer, at the eight corners of the view sphere."""
    toward = np.sign(space.Camera(*view).toward).astype(int)
    rgba = np.zeros((5, 5, 5, 4))
    rgba[2, 2, 2], rgba[tuple(2 + toward)] = [0, 0, 1, 1], [1, 0, 0, alpha]
    ax = axes(view, limits=(0, 4))
    ax.set_box_aspect((1, 1, 1))
    ax.set_axis_off()
    put(ax, cubes_of(rgba), gap)
    picture = raster(ax)
    x, y, _ = proj3d.proj_transform(2, 2, 2, ax.M)
    column, row = np.rint(ax.transData.transform((x, y))).astype(int)
    seen = picture[picture.shape[0] - row, column]
    assert seen[0] > 50
    assert seen[2] <= 2 if alpha == 1 else seen[2] > 20


def test_two_interleaved_layers_are_sorted_as_one():
    data = np.indices((6, 6, 6)).sum(axis=0) % 2 + 1
    both = LabelMap(Volume(data, EYE, "labels"), colors={1: "red", 2: "blue"}, opacity=0.5)
    apart = [
        LabelMap(Volume(np.where(data == n, n, 0), EYE, "labels"), colors=hue, opacity=0.5)
        for n, hue in ((1, "red"), (2, "blue"))
    ]
    for view in CORNERS:
        pictures = []
        for layers in ([both], apart, apart[::-1]):
            ax = axes(view)
            Voxels(*layers, size=None).draw(ax)
            pictures.append(raster(ax))
        assert np.array_equal(pictures[0], pictures[1])
        assert np.array_equal(pictures[0], pictures[2])


@pytest.mark.parametrize("projection", ["ortho", "persp"])
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("field", ["noise", "blobs", "shells", "nearly opaque", "half opaque"])
def test_leaving_out_what_cannot_be_seen_changes_no_pixel(view, projection, field, monkeypatch):
    rng = np.random.default_rng(int(abs(view[0]) + view[1]))
    noise = rng.random((9, 8, 7))
    alpha = noise ** rng.choice([0.2, 0.5]) * (rng.random((9, 8, 7)) > 0.1)
    if field == "nearly opaque":
        alpha = 0.9 + 0.095 * noise
    elif field == "half opaque":
        alpha = np.where(noise < 0.5, 1, rng.random((9, 8, 7)))
    elif field != "noise":
        smooth = ndimage.gaussian_filter(noise, 1.5)
        smooth = (smooth - smooth.min()) / np.ptp(smooth)
        alpha = smooth if field == "blobs" else np.where(np.abs(smooth - 0.5) < 0.2, 0.95, 0.05 * (smooth > 0.5))
    rgba = np.concatenate([rng.random((9, 8, 7, 3)).round(), alpha[..., None]], axis=-1)  # colors far apart
    pictures, counts = [], []
    for everything in (False, True):
        if everything:
            monkeypatch.setattr(sight, "visible", lambda alpha, steps: np.ones(alpha.shape, bool))
        ax = axes(view, projection=projection)
        ax.set_axis_off()
        found = put(ax, cubes_of(rgba))
        pictures.append(raster(ax))
        counts.append(len(faces(found)[0]))
    if field == "noise":
        assert counts[0] < counts[1]
    assert np.abs(pictures[0] - pictures[1]).max() <= 3


def steps_toward(sign, shape=(6, 7, 8)):
    return voxels.Sight(np.array([*sign, 0.0])).steps(shape)


@given(SEEDS, st.sampled_from([(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if x or y or z]))
def test_cubes_on_the_near_sides_are_seen_and_those_behind_a_thick_wall_are_not(seed, sign):
    rng = np.random.default_rng(seed)
    alpha = rng.random((6, 7, 8)).astype(np.float32)
    seen = sight.visible(alpha, steps_toward(sign))
    for axis, s in enumerate(sign):
        if s:
            assert np.take(seen, -1 if s > 0 else 0, axis=axis).all()
    turned = [slice(1, None) if s < 0 else slice(None, -1) if s > 0 else slice(1, -1) for s in sign]
    alpha[...] = 1
    assert not sight.visible(alpha, steps_toward(sign))[tuple(turned)].any()
    assert sight.visible(np.zeros((6, 7, 8), np.float32), steps_toward(sign)).all()


@given(SEEDS)
def test_more_opacity_hides_no_less(seed):
    rng = np.random.default_rng(seed)
    alpha = rng.random((6, 7, 8)).astype(np.float32)
    steps = steps_toward((1, -1, 1))
    assert (sight.visible(alpha, steps) <= sight.visible(alpha * np.float32(0.7), steps)).all()


def test_of_opaque_cubes_only_what_can_be_seen_is_drawn():
    ax = axes((30, 320))
    found = put(ax, cubes_of(np.ones((2, 1, 1, 4))))
    raster(ax)
    assert len(faces(found)[0]) == 5  # of twelve: six look away, one is between the two
    ax = axes((30, 320))
    found = put(ax, cubes_of(np.ones((2, 1, 1, 4))), 0.2)
    raster(ax)
    assert len(faces(found)[0]) == 6


def test_opaque_neighbours_have_no_seam():
    """A wall of one color: the page does not shine through where its cubes meet."""
    ax = axes((20, 300), limits=(-0.5, 7.5), side=5)
    ax.set_axis_off()
    put(ax, cubes_of(np.broadcast_to([0.2, 0.2, 0.2, 1], (8, 8, 8, 4))))
    picture = raster(ax)[..., 0]
    inside = ndimage.binary_erosion(ndimage.binary_fill_holes(picture < 128), iterations=4)
    assert inside.sum() > 5000
    assert picture[inside].max() <= 52


def test_the_outline_of_opaque_cubes_is_smooth():
    """One slanted edge of a black cube: as many grays as an antialiased line has."""
    ax = axes((20, 300), limits=(-0.5, 1.5), side=4)
    ax.set_axis_off()
    put(ax, cubes_of(np.broadcast_to([0, 0, 0, 1.0], (2, 2, 2, 4))))
    picture = raster(ax)[..., 0]
    body = picture < 128
    beside = ndimage.binary_dilation(body, iterations=2) & ~ndimage.binary_erosion(body, iterations=2)
    assert len(np.unique(picture[beside])) > 20
    assert np.isin(picture[~beside], (0, 255)).all()


@pytest.mark.parametrize("view", [(0, 0), (0, 90), (90, 0), (10, 0), (25, 150)])
def test_opaque_cubes_on_the_users_own_perspective_axes(view):
    ax = axes(view, limits=(0, 24), projection="persp")
    Voxels(Isosurface(ball(), level=50), size=10).draw(ax)
    assert (raster(ax) < 250).any()


def test_turning_the_camera_within_an_octant_sorts_nothing_anew(monkeypatch):
    ax = axes((30, 320))
    found = put(ax, cubes_of(np.full((3, 3, 3, 4), 0.5)))
    raster(ax)
    first = found._order
    ax.view_init(40, 300)
    raster(ax)
    assert found._order is first
    ax.view_init(40, 30)
    raster(ax)
    assert found._order is not first


def test_the_picture_is_that_of_axes3d_voxels():
    """The well-known recipe: explode the colors, expand the coordinates, viridis with alpha = value."""
    cube = sample("mni152").contrast().downsize((12, 12, 12)).normalize().data
    options = {"side": 4.7, "dpi": 100, "limits": (0, 24), "projection": "persp"}
    colors = colormaps["viridis"](cube)
    colors[..., 3] = cube
    colors = explode(colors)
    filled = colors[..., 3] != 0
    theirs = axes(**options)
    theirs.voxels(*expand_coordinates(np.indices(np.array(filled.shape) + 1)), filled, facecolors=colors)
    affine = np.array([[2, 0, 0, 1], [0, 2, 0, 1], [0, 0, 2, 1], [0, 0, 0, 1.0]])
    layer = Intensity(Volume(cube, affine), clim=(0, 1), cmap="viridis", opacity=[(0, 0), (1, 1)])
    ours = axes(**options)
    Voxels(layer, size=12).draw(ours)
    a, b = (raster(ax).astype(np.uint8) for ax in (theirs, ours))
    assert structural_similarity(a, b, channel_axis=2) > 0.995
    assert np.abs(a.astype(int) - b).mean() < 1


def test_the_users_own_axes_keep_their_view_and_limits():
    ax = axes((10, 20), limits=(-50, 50))
    one_cube().draw(ax)
    assert (ax.elev, ax.azim) == (10, 20)
    assert np.allclose([ax.get_xlim3d(), ax.get_ylim3d(), ax.get_zlim3d()], [(-50, 50)] * 3, atol=3)


# Layers into cubes


def test_every_cube_has_its_layers_color_and_alpha():
    layer = Intensity(
        hill(storage_affine("LPS", (2, 2, 2), (23, 23, -23))), clim=(0, 100), cmap="hot", opacity=[(0, 0), (100, 0.5)]
    )
    cubes = voxel_grid.build([layer], None)
    data = layer.volume.canonical.data
    assert np.allclose(cubes.rgba[..., 3], data / 200, atol=1e-6)
    assert np.allclose(cubes.rgba[..., :3], layer.look.rgb(data), atol=1e-6)
    assert np.allclose(cubes.affine, layer.volume.canonical.affine)


def test_a_second_layer_is_put_over_the_first_wherever_its_grid_lies():
    head = ball(20, 9.0)
    turn = np.array([[0, -1, 0, 3], [1, 0, 0, -2], [0, 0, 1, 1], [0, 0, 0, 1.0]])
    spot = ball(8, 2.0).transform(turn)
    mask = Volume((spot.data > 0).astype(np.uint8), spot.affine, "labels")
    cubes = voxel_grid.build([Intensity(head, clim=(0, 100), opacity=0.5), LabelMap(mask, colors="red")], None)
    centers = space.apply_affine(cubes.affine, np.moveaxis(np.indices(cubes.rgba.shape[:3]), 0, -1))
    near = np.linalg.norm(centers - [3, -2, 1], axis=-1)
    red = (cubes.rgba == np.float32([1, 0, 0, 1])).all(axis=-1)
    assert red[near < 1.1].all()
    assert not red[near > 3.1].any()
    assert (cubes.rgba[~red][:, 3] <= 0.5).all()


def test_a_clip_of_the_second_layer_removes_nothing_of_the_first():
    upper = space.Plane(z=0)
    surface = Isosurface(ball(), level=50, color="lime", clip=upper)
    cubes = voxel_grid.build(
        [LabelMap(Volume(np.ones((21, 21, 21), np.uint8), ball().affine), colors="red"), surface], None
    )
    lime = (cubes.rgba[..., :3] == np.float32([0, 1, 0])).all(axis=-1)
    above = space.apply_affine(cubes.affine, np.moveaxis(np.indices(lime.shape), 0, -1))[..., 2] > 1e-6
    assert lime.any()
    assert not lime[above].any()
    assert (cubes.alpha == 1).all()


def test_half_transparent_layers_are_composited():
    base = Intensity(ball(), clim=(0, 100), cmap="gray", opacity=1.0)
    cubes = voxel_grid.build([base, Isosurface(ball(), level=50, color="red", opacity=0.5)], None)
    assert np.allclose(cubes.rgba[10, 10, 10], [1, 0.5, 0.5, 1], atol=1e-6)


def test_surfaces_and_labels_become_cubes():
    surface = voxel_grid.build([Isosurface(ball(), level=50, color="lime", opacity=0.25)], None)
    assert np.array_equal((surface.alpha > 0), ball().data >= 50)
    assert (surface.rgba[surface.alpha > 0] == np.float32([0, 1, 0, 0.25])).all()
    data = np.zeros((3, 3, 3), np.int16)
    data[0], data[2] = 7, 9
    labels = voxel_grid.build([LabelMap(Volume(data, EYE, "labels"), colors={7: "red", 9: "blue"})], None)
    assert np.array_equal(labels.alpha > 0, data > 0)
    assert labels.rgba[2, 1, 1].tolist() == [0, 0, 1, 1]


def test_clips_take_cubes_away():
    whole = [(0, 1), (100, 1)]
    clips = (Plane(x=0), Box(y=(None, 0), z=(None, 0)))
    clipped = voxel_grid.build([Intensity(ball(), opacity=whole, clip=clips)], None)
    centers = space.apply_affine(clipped.affine, np.argwhere(clipped.alpha > 0))
    assert centers[:, 0].max() < 0
    assert not ((centers[:, 1] < 0) & (centers[:, 2] < 0)).any()
    assert len(centers) == 20**3 * 3 / 8


def test_the_grid_is_downsized_in_true_proportion():
    volume = Volume(np.random.default_rng(0).random((40, 30, 20)), np.diag([1, 1, 2, 1]))
    for size, shape in [(20, (20, 15, 20)), ((10, 5, 4), (10, 5, 4)), (None, (40, 30, 20)), (99, (40, 30, 20))]:
        cubes = voxel_grid.build([Intensity(volume, opacity=1.0)], size)
        assert cubes.rgba.shape == (*shape, 4)
        assert np.allclose(space.bounds(shape, cubes.affine), volume.bounds, atol=1e-6)


def test_storage_order_does_not_matter():
    rng = np.random.default_rng(0)
    volume = Volume(rng.random((5, 6, 7)), storage_affine("RAS", (1, 1.5, 2)))
    expected = voxel_grid.build([Intensity(volume)], 5)
    for code in CODES:
        cubes = voxel_grid.build([Intensity(volume.reorient(code))], 5)
        assert np.array_equal(cubes.rgba, expected.rgba), code
        assert np.allclose(cubes.affine, expected.affine)


def test_a_cut_plane_is_refused():
    refuses(
        TypeError,
        lambda: Voxels(CutPlane(ball(), Plane(x=0))).figure(),
        "Voxels cannot show a CutPlane: cut with clip=Plane(...) instead",
    )


@pytest.mark.parametrize(
    "layer",
    [Intensity(ball(), opacity=0.0), Intensity(ball(), clip=Plane(z=-99)), Isosurface(ball(), clip=Plane(z=-99))],
)
def test_nothing_left_is_an_error(layer):
    refuses(ValueError, lambda: Voxels(layer).figure(), "to be seen")


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"explode": 1}, ValueError, "explode must be 0 or more and below 1; got 1"),
        ({"explode": -0.1}, ValueError, "explode must be 0 or more and below 1; got -0.1"),
        ({"camera": "top"}, ValueError, "camera must be one of left, right"),
        ({"size": "max"}, TypeError, "size must be a whole number of cubes, three, or None; got 'max'"),
        ({"size": (5, 5)}, TypeError, "size must be a whole number of cubes, three, or None; got (5, 5)"),
        ({"size": 5.5}, TypeError, "size must be a whole number"),
        ({"gap": 0.3}, TypeError, "Voxels"),
        ({"figsize": 3}, TypeError, "Voxels"),
    ],
)
def test_options_are_checked_where_they_are_typed(options, kind, says):
    refuses(kind, lambda: Voxels(ball(), **options), says)


def test_a_wrong_target_is_named():
    refuses(TypeError, lambda: one_cube().draw(3), "draw takes matplotlib axes, a figure or a subfigure; got int")


# What is chosen


EVERYWHERE = [(-1e3, 1), (1e3, 1)]


def grades(shape=(6, 5, 4)):
    return Volume(np.linspace(1, 2, int(np.prod(shape))).reshape(shape), np.diag([2.0, 2, 2, 1]), name="grades")


def test_a_mask_chooses_cubes_whatever_its_grid_or_storage():
    volume = grades()
    chosen = np.zeros(volume.shape, bool)
    chosen[1:3, 2:, 1] = True
    layer = Intensity(volume, opacity=EVERYWHERE)
    expected = chosen
    weights = Volume(np.where(chosen, 3.5, 0), volume.affine)
    for mask in (chosen, Volume(chosen, volume.affine), weights.reorient("LPI")):
        panel = Voxels(layer, size=None, mask=mask)
        assert np.array_equal(panel._cubes.alpha > 0, expected)
    fine = Volume(np.repeat(np.repeat(np.repeat(chosen, 2, 0), 2, 1), 2, 2), space.translation(-0.5, -0.5, -0.5))
    assert np.array_equal(Voxels(layer, size=None, mask=fine)._cubes.alpha > 0, expected)
    flipped = Voxels(Intensity(volume.reorient("LPS"), opacity=EVERYWHERE), size=None, mask=chosen[::-1, ::-1])
    assert np.array_equal(flipped._cubes.alpha > 0, expected)
    hollow = Volume(np.where(chosen, 1, np.nan), volume.affine)
    assert np.array_equal(Voxels(layer, size=None, mask=hollow)._cubes.alpha > 0, expected)


@pytest.mark.parametrize(
    ("mask", "kind", "says"),
    [
        (np.ones((2, 2, 2), bool), ValueError, "mask must have the first volume's shape, (6, 5, 4); got (2, 2, 2)"),
        (np.ones((6, 5, 4)), TypeError, "mask must be a Volume or an array of bool; got ndarray of float64"),
        ("mask.nii", FileNotFoundError, "mask.nii: no such file"),
        (Volume(np.ones((2, 2, 2, 2)), EYE), ValueError, "frame"),
    ],
)
def test_a_mask_is_checked(mask, kind, says):
    refuses(kind, lambda: Voxels(grades(), mask=mask), says)
    nothing = np.zeros((6, 5, 4), bool)
    refuses(ValueError, lambda: Voxels(grades(), mask=nothing).figure(), "no voxel is left to be seen", "mask")


@pytest.mark.parametrize("alpha", [0.05, 1.0])
def test_as_many_cubes_as_the_budget_allows(alpha, monkeypatch):
    from volrender import panels

    layer = Intensity(ball(30, 12.0), clim=(0, 100), opacity=[(0, 0), (100, alpha)])
    most = 8_000 if alpha < 1 else 1_000
    assert Voxels(layer, size=None)._cubes.alpha.shape == (30, 30, 30)
    monkeypatch.setattr(panels, "MOST_FACES", most)
    with pytest.warns(UserWarning, match=rf"shows \d+ cubes along the longest side: more have over {most:,}"):
        taken = Voxels(layer, size=None)._cubes.alpha.shape[0]

    def count(size):
        ax = axes((25, 150), limits=(-15, 15))
        Voxels(layer, size=size).draw(ax)
        raster(ax)
        return len(faces(ax.collections[0])[0])

    assert count(taken) <= most < count(taken + 1)


def test_cubes_are_the_volumes_own_voxels_if_they_can_be():
    """Not cubes of one size, if its voxels are longer one way."""
    volume = Volume(np.ones((24, 20, 24)), np.diag([1, 1, 3, 1.0]))
    cubes = Voxels(Intensity(volume, opacity=EVERYWHERE), size=None)._cubes
    assert cubes.alpha.shape == (24, 20, 24)
    assert np.allclose(cubes.affine, volume.affine)


def test_edges_are_drawn_and_are_as_opaque_as_their_faces():
    pictures = []
    for options in ({}, {"edgecolor": "lime"}):
        panel = Voxels(Intensity(Volume(np.ones((3, 3, 3)), EYE), opacity=0.5), size=None, axes=False, **options)
        figure = panel.figure(40, 100)
        figure.canvas.draw()
        pictures.append(np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int))
    green = [((p[..., 1] - p[..., 0]) > 40).sum() for p in pictures]
    assert green[0] == 0 < 200 < green[1]
    assert (pictures[1][..., 1] - pictures[1][..., 0]).max() < 250
    refuses(ValueError, lambda: Voxels(ball(), edgecolor="greenish"), "edgecolor", "greenish")


@pytest.mark.parametrize("ending", ["pdf", "svg"])
def test_vectors_on_request_for_few_faces(tmp_path, ending):
    layer = Intensity(Volume(np.ones((3, 3, 3)), EYE), opacity=0.5)
    sizes = []
    for vector in (False, True):
        path = tmp_path / f"{vector}.{ending}"
        Voxels(layer, size=None, vector=vector).save(path)
        text = path.read_bytes()
        pictures = text.count(b"<image") if ending == "svg" else text.count(b"/Subtype /Image")
        assert (pictures > 0) != vector
        sizes.append(len(text))
    many = Voxels(Intensity(Volume(np.ones((60, 60, 60)), EYE), opacity=0.01), size=None, vector=True)
    refuses(ValueError, lambda: many.save(tmp_path / f"many.{ending}"), "vector must draw at most 100,000 faces")
    assert not (tmp_path / f"many.{ending}").exists()
    many.save(tmp_path / "many.png", dpi=40)  # which has no paths


# Volumes with hardly anything in them


@pytest.mark.parametrize("shape", [(1, 1, 1), (8, 1, 6), (1, 9, 1)])
@pytest.mark.parametrize("lettered", [True, False])
def test_a_voxel_a_row_and_a_slice_are_drawn(shape, lettered):
    data = np.linspace(1, 2, int(np.prod(shape))).reshape(shape)
    panel = Voxels(Intensity(Volume(data, np.diag([2.0, 2, 5, 1])), clim=(0, 2), opacity=EVERYWHERE), axes=lettered)
    figure = panel.figure(60, 80)
    assert (panel._cubes.alpha > 0).all()
    rows, _ = inked(figure)
    assert len(rows) > 300


def test_equal_values_and_nan_are_drawn_or_refused():
    flat = Volume(np.full((4, 4, 4), 7.0), EYE, name="flat")
    assert len(inked(Voxels(Intensity(flat, opacity=1.0)).figure(60, 80))[0]) > 300
    data = np.ones((6, 6, 6))
    data[:3] = np.nan
    data[4] = 2
    cubes = Voxels(Intensity(Volume(data, EYE), opacity=EVERYWHERE), size=None)._cubes
    assert np.array_equal(cubes.alpha > 0, np.isfinite(data))
    refuses(ValueError, lambda: Voxels(Volume(np.full((3, 3, 3), np.nan), EYE)).figure(), "finite")


# The page


def inked(figure):
    """Where the drawn figure is not white, as (rows, columns)."""
    figure.canvas.draw()
    return np.nonzero((np.asarray(figure.canvas.buffer_rgba())[..., :3] < 250).any(axis=-1))


@pytest.mark.parametrize("camera", [(30, 320), (20, 150), "left", "superior"])
@pytest.mark.parametrize("lettered", [True, False])
def test_the_subject_fills_the_panel_and_nothing_is_cut(camera, lettered):
    layer = Intensity(sample("mni152"), opacity=[(55, 0), (60, 1)])
    figure = Voxels(layer, size=20, camera=camera, axes=lettered).figure(89, 100)
    words = [text.get_window_extent() for ax in figure.axes for text in ax.texts if text.get_text()]
    assert words
    for word in words:
        assert figure.bbox.x0 <= word.x0 < word.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= word.y0 < word.y1 <= figure.bbox.y1
    ax = next(ax for ax in figure.axes if hasattr(ax, "get_proj"))
    cubes = ax.collections[0].cubes
    raster(ax)
    points = cubes.corners_xyz if lettered else cubes.outline_xyz
    x, y, _ = proj3d.proj_transform(*points.T, ax.M)
    found = ax.transData.transform(np.column_stack([x, y]))
    low, high, page = found.min(axis=0), found.max(axis=0), figure.bbox.size
    assert (low >= 0).all()
    assert (high <= page).all()
    assert ((high - low) / page).max() > 2 / 3


def test_a_brighter_side_is_on_its_side_of_the_picture():
    data = np.full((8, 8, 8), 0.5)
    data[:3] = 1.0  # left
    layer = Intensity(Volume(data, EYE), clim=(0, 1), cmap="gray", opacity=1.0)
    for camera, side in [("anterior", 1), ("posterior", 0), ("superior", 0), ("inferior", 1)]:
        figure = Voxels(layer, camera=camera, axes=False).figure(40, 80)
        figure.canvas.draw()
        picture = np.asarray(figure.canvas.buffer_rgba())[..., 0].astype(float)
        rows, columns = inked(figure)
        rows, columns = rows[rows < 0.7 * picture.shape[0]], columns[rows < 0.7 * picture.shape[0]]
        middle = (columns.min() + columns.max()) / 2
        tone = picture[rows, columns]
        halves = [tone[columns < middle - 2].mean(), tone[columns > middle + 2].mean()]
        assert np.argmax(halves) == side, camera


@settings(max_examples=10)
@given(st.floats(-80, 80), st.floats(0, 360))
def test_the_camera_is_the_same_as_in_a_scene(elevation, azimuth):
    panel = Voxels(ball(8, 3.0), camera=(elevation, azimuth), axes=False)
    figure = panel.figure(40, 60)
    ax = next(ax for ax in figure.axes if hasattr(ax, "get_proj"))
    matrix = ax.get_proj()
    camera = space.Camera(elevation, azimuth)
    moved = matrix[:2, :3] @ camera.axes.T
    scale = moved[0, 0]
    assert np.allclose(moved / scale, [[1, 0, 0], [0, 1, 0]], atol=1e-6)


# What a printed panel says


def texts(figure):
    return [(t, t.get_window_extent()) for t in figure.findobj(Text) if t.get_text().strip()]


@pytest.mark.parametrize("camera", [(25, 150), (25, 40), (20, 300), (-30, 220), (90, 0), (60, 110)])
def test_the_letters_along_an_axis_are_at_the_ends_they_name(camera):
    figure = Voxels(ball(), size=6, camera=camera).figure(120, 60)
    figure.canvas.draw()
    named = [t for t, _ in texts(figure) if "←" in t.get_text()]
    assert named
    for text in named:
        first, last = text.get_text()[0], text.get_text()[-1]
        axis = next(w for w in range(3) if space.AXES[w] in text.get_text()[1:-1])
        low, high = ("LR", "PA", "IS")[axis]
        angle = np.radians(text.get_rotation())
        along = space.as_camera(camera).axes[:2, axis] @ (np.cos(angle), np.sin(angle))
        assert (first, last) == ((low, high) if along > 0 else (high, low))


@pytest.mark.parametrize("width", [60, 120])
def test_the_scale_bar_under_cubes_is_true(width):
    block = Volume(np.ones((4, 30, 10), np.uint8), np.diag([2, 2, 2, 1.0]), "labels")
    figure = Voxels(LabelMap(block, colors="red"), size=None, camera="left", axes=False).figure(width, 200)
    figure.canvas.draw()
    picture = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
    body = np.flatnonzero((picture[..., 1] < 100).sum(axis=0) > 20)
    label = next(t.get_text() for t, _ in texts(figure) if t.get_text().endswith(" mm"))
    bar = max((line for line in figure.findobj(Line2D) if line.get_linewidth() > 1), key=lambda n: n.get_linewidth())
    length = np.ptp(bar.get_transform().transform(bar.get_xydata())[:, 0])
    assert np.ptp(body) + 1 == pytest.approx(60 * length / float(label.split()[0]), abs=2.5)


def test_zoom_brings_cubes_nearer():
    sizes = []
    for zoom in (1.0, 0.5):
        figure = Voxels(
            LabelMap(Volume(np.ones((4, 4, 4), np.uint8), EYE, "labels"), colors="red"),
            size=None,
            camera=space.Camera(20, 150, zoom=zoom),
            axes=False,
        ).figure(60, 150)
        figure.canvas.draw()
        picture = np.asarray(figure.canvas.buffer_rgba()).astype(int)
        sizes.append(np.ptp(np.nonzero(picture[..., 0] - picture[..., 1] > 60)[1]))
    assert sizes[0] == pytest.approx(2 * sizes[1], rel=0.03)


def test_through_gaps_every_cube_may_be_seen():
    ax = axes()
    found = put(ax, cubes_of(np.broadcast_to([1.0, 0, 0, 0.99], (6, 6, 6, 4))), 0.3)
    raster(ax)
    assert len(found._order) == 216


@pytest.mark.parametrize("dpi", [200, 400])
def test_an_edge_is_as_wide_at_any_resolution(dpi):
    volume = Volume(np.ones((4, 4, 4), np.uint8), EYE, "labels")
    layer = LabelMap(volume, colors="red")
    figure = Voxels(layer, size=None, edgecolor="black", camera=(0, 0), axes=False).figure(60, dpi)
    figure.canvas.draw()
    row = np.asarray(figure.canvas.buffer_rgba())[round(0.37 * figure.bbox.height), :, 0] / 255.0
    row = row[slice(*np.flatnonzero(row < 0.98)[[0, -1]])]
    red = np.median(row)
    inner = (red - row).clip(0).sum() / red / dpi * 72 / 4  # three lines within, and half of one at either end
    assert inner == pytest.approx(voxels.EDGE_POINTS, rel=0.35)


def test_what_is_too_small_for_the_cubes_is_told():
    head = hill(EYE)
    spot = np.zeros(head.shape, np.uint8)
    spot[0, 0, 0] = 3
    lesion = LabelMap(Volume(spot, head.affine, "labels", labels={3: "lesion"}))
    with pytest.warns(UserWarning, match="show nothing of lesion: too small; take a larger size"):
        Voxels(Intensity(head, opacity=EVERYWHERE), lesion, size=3)._cubes  # noqa: B018


def test_the_legend_lists_what_has_a_cube():
    data = np.zeros((6, 6, 6), np.uint8)
    data[:3], data[3:], data[0, 0, 0] = 1, 2, 3
    regions = LabelMap(Volume(data, EYE, "labels", labels={1: "left", 2: "right", 3: "dot"}))
    with pytest.warns(UserWarning, match="show nothing of dot"):
        assert [name for name, _ in Voxels(regions, size=3)._entries] == ["left", "right"]
    cut = replace(regions, clip=Plane(normal=(-1, 0, 0), origin=(2.5, 0, 0)))
    with pytest.warns(UserWarning, match="show nothing of dot"):
        assert [name for name, _ in Voxels(cut, size=3)._entries] == ["right"]
    choice = Volume((data != 2).astype(np.uint8), EYE, "labels")
    with pytest.warns(UserWarning, match="show nothing of dot"):
        assert [name for name, _ in Voxels(regions, size=3, mask=choice)._entries] == ["left"]


def test_a_map_without_anything_in_it_is_refused():
    empty = Volume(np.zeros((4, 4, 4)), EYE, name="nothing")
    refuses(ValueError, lambda: Voxels(ball(), empty).figure(), "nothing is to be seen", "0 to 0")
