import numpy as np
import pytest
from helpers import CODES, affines, ball, hill, refuses, storage_affine
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LightSource
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import art3d, proj3d
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
from volrender.draw import voxels
from volrender.space import CAMERAS

EYE = np.eye(4)
SEEDS = st.integers(0, 2**31)
GAPS = st.floats(0, 0.9)
VIEWS = [(30, 320), (25, 150), (-20, 40), (-35, 250), *CAMERAS.values()]


def cubes_of(rgba, affine=EYE):
    return voxels.Cubes(np.asarray(rgba, dtype=np.float32), affine)


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
    found = voxels.VoxelCollection(cubes_of(rgba, affine), gap)._corners
    centers = space.apply_affine(affine, np.argwhere(filled))
    assert found.shape == (filled.sum(), 8, 3)
    assert np.allclose(found.mean(axis=1), centers, atol=1e-9 * np.abs(affine).max() + 1e-9)
    sides = np.linalg.norm(found[:, [4, 2, 1]] - found[:, :1], axis=-1)
    assert np.allclose(sides, space.spacing(affine) * (1 - gap))


@given(affines())
def test_neighbours_touch_without_a_gap_and_the_grid_ends_at_the_outer_faces(affine):
    cubes = cubes_of(np.ones((2, 3, 4, 4)), affine)
    corners = voxels.VoxelCollection(cubes)._corners
    assert np.allclose(corners[0][1], corners[1][0])
    low, high = corners.reshape(-1, 3).min(axis=0), corners.reshape(-1, 3).max(axis=0)
    assert np.allclose(np.stack([low, high], axis=1), space.bounds((2, 3, 4), affine))
    assert np.allclose(np.ptp(cubes.corners_xyz, axis=0), high - low)
    assert np.allclose(np.ptp(cubes.outline_xyz, axis=0), high - low)


def test_the_box_is_that_of_the_filled_cubes():
    rgba = np.zeros((9, 9, 9, 4))
    rgba[2:4, 5, 1:8] = 1
    corners = cubes_of(rgba, np.diag([-1, 2, 3, 1])).corners_xyz
    assert np.allclose(corners.min(axis=0), [-3.5, 9, 1.5])
    assert np.allclose(corners.max(axis=0), [-1.5, 11, 22.5])


@pytest.mark.parametrize("view", VIEWS)
def test_cubes_are_drawn_back_to_front(view):
    rng = np.random.default_rng(0)
    rgba = np.ones((4, 5, 6, 4))
    rgba[..., :3] = rng.random((4, 5, 6, 3))
    rgba[..., 3] = 0.02
    ax = axes(view)
    found = voxels.add(ax, cubes_of(rgba))
    raster(ax)
    # Each cube has its own color: faces name their cube by the ratio of their channels, whatever the shade.
    hues = rgba[..., :3].reshape(-1, 3) / rgba[..., :3].reshape(-1, 3).sum(axis=1, keepdims=True)
    drawn = found._colors[:, :3] / found._colors[:, :3].sum(axis=1, keepdims=True)
    order = np.abs(drawn[::6, None] - hues).sum(axis=2).argmin(axis=1)
    assert np.array_equal(np.sort(order), np.arange(120))
    toward = space.Camera(*view).toward
    depth = np.argwhere(np.ones((4, 5, 6)))[order] @ toward
    step = np.diff(depth)
    if view in CAMERAS.values():
        assert (step > -1e-6).all()
    # mplot3d squeezes the box to its own proportions: cubes that hide one another keep their order in any.
    octant = np.sign(np.round(toward, 6))
    index = np.argwhere(np.ones((4, 5, 6)))[order]
    place = {tuple(i): n for n, i in enumerate(index.tolist())}
    for n, i in enumerate(index.tolist()):
        for a in range(3):
            if octant[a]:
                nearer = list(i)
                nearer[a] += int(octant[a])
                assert place.get(tuple(nearer), 999) > n


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
    found = voxels.add(ax, cubes_of([[[[1, 1, 1, 1]]]], affine))
    found._shades = np.arange(1, 7) / 8  # to tell the faces apart
    raster(ax)
    order = np.rint(found._colors[:, 0] * 8).astype(int) - 1
    corners = found._corners[0]
    *_, depth = proj3d.proj_transform(*corners[voxels.FACES].mean(axis=1).T, ax.M)
    assert sorted(order) == list(range(6))
    assert np.allclose(np.sort(depth[order[3:]]), np.sort(depth)[:3])


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


@pytest.mark.parametrize("gap", [0.0, 0.3])
def test_an_opaque_cube_hides_what_is_behind(gap):
    ax = axes((0, 270), limits=(-1.5, 1.5))
    ax.set_axis_off()
    voxels.add(ax, stack(1.0), gap)
    middle = raster(ax)[118:122, 118:122]
    assert (middle[..., 2] == 0).all()
    assert (middle[..., 0] > 60).all()


def test_a_translucent_cube_lets_through_what_is_behind():
    ax = axes((0, 270), limits=(-1.5, 1.5))
    ax.set_axis_off()
    voxels.add(ax, stack(0.3))
    middle = raster(ax)[118:122, 118:122]
    assert (middle[..., 2] > 20).all()
    assert (middle[..., 0] > 20).all()


@pytest.mark.parametrize("projection", ["ortho", "persp"])
@pytest.mark.parametrize("view", VIEWS)
def test_leaving_out_what_cannot_be_seen_changes_no_pixel(view, projection, monkeypatch):
    rng = np.random.default_rng(int(abs(view[0]) + view[1]))
    alpha = rng.random((9, 8, 7)) ** rng.choice([0.2, 0.5]) * (rng.random((9, 8, 7)) > 0.1)
    rgba = np.concatenate([rng.random((9, 8, 7, 3)), alpha[..., None]], axis=-1)
    pictures = []
    for everything in (False, True):
        if everything:
            monkeypatch.setattr(voxels.VoxelCollection, "_seen", lambda self: np.ones(len(self._index), dtype=bool))
            monkeypatch.setattr(voxels.VoxelCollection, "_open_faces", lambda _, kept: np.ones((kept.sum(), 6), bool))
        ax = axes(view, projection=projection)
        ax.set_axis_off()
        found = voxels.add(ax, cubes_of(rgba))
        pictures.append(raster(ax))
        if everything or projection == "ortho":
            assert (len(found._quads) < 6 * (alpha > 0).sum()) != everything
    assert np.abs(pictures[0] - pictures[1]).max() <= 3


@given(SEEDS, st.sampled_from([(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if x or y or z]))
def test_cubes_on_the_near_sides_are_seen_and_those_behind_a_thick_wall_are_not(seed, sign):
    rng = np.random.default_rng(seed)
    alpha = rng.random((6, 7, 8)).astype(np.float32)
    seen = voxels.visible(alpha, sign)
    for axis, s in enumerate(sign):
        if s:
            assert np.take(seen, -1 if s > 0 else 0, axis=axis).all()
    turned = [slice(1, None) if s < 0 else slice(None, -1) if s > 0 else slice(None) for s in sign]
    alpha[...] = 1
    assert not voxels.visible(alpha, sign)[tuple(turned)].any()
    assert voxels.visible(np.zeros((6, 7, 8), np.float32), sign).all()


@given(SEEDS)
def test_more_opacity_hides_no_less(seed):
    rng = np.random.default_rng(seed)
    alpha = rng.random((6, 7, 8)).astype(np.float32)
    assert (voxels.visible(alpha, (1, -1, 1)) <= voxels.visible(alpha * np.float32(0.7), (1, -1, 1))).all()


def test_between_opaque_cubes_no_face_is_drawn():
    ax = axes((30, 320))
    found = voxels.add(ax, cubes_of(np.ones((2, 1, 1, 4))))
    raster(ax)
    assert len(found._quads) == 10


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
    cubes = voxels.build([layer], None)
    data = layer.volume.canonical.data
    assert np.allclose(cubes.rgba[..., 3], data / 200, atol=1e-6)
    assert np.allclose(cubes.rgba[..., :3], layer.look.rgb(data), atol=1e-6)
    assert np.allclose(cubes.affine, layer.volume.canonical.affine)


def test_a_second_layer_is_put_over_the_first_wherever_its_grid_lies():
    head = ball(20, 9.0)
    turn = np.array([[0, -1, 0, 3], [1, 0, 0, -2], [0, 0, 1, 1], [0, 0, 0, 1.0]])
    spot = ball(8, 2.0).transform(turn)
    mask = Volume((spot.data > 0).astype(np.uint8), spot.affine, "labels")
    cubes = voxels.build([Intensity(head, clim=(0, 100), opacity=0.5), LabelMap(mask, colors="red")], None)
    centers = space.apply_affine(cubes.affine, np.moveaxis(np.indices(cubes.rgba.shape[:3]), 0, -1))
    near = np.linalg.norm(centers - [3, -2, 1], axis=-1)
    red = (cubes.rgba == np.float32([1, 0, 0, 1])).all(axis=-1)
    assert red[near < 1.1].all()
    assert not red[near > 3.1].any()
    assert (cubes.rgba[~red][:, 3] <= 0.5).all()


def test_half_transparent_layers_are_composited():
    base = Intensity(ball(), clim=(0, 100), cmap="gray", opacity=1.0)
    cubes = voxels.build([base, Isosurface(ball(), level=50, color="red", opacity=0.5)], None)
    assert np.allclose(cubes.rgba[10, 10, 10], [1, 0.5, 0.5, 1], atol=1e-6)


def test_surfaces_and_labels_become_cubes():
    surface = voxels.build([Isosurface(ball(), level=50, color="lime", opacity=0.25)], None)
    assert np.array_equal(surface.filled, ball().data >= 50)
    assert (surface.rgba[surface.filled] == np.float32([0, 1, 0, 0.25])).all()
    data = np.zeros((3, 3, 3), np.int16)
    data[0], data[2] = 7, 9
    labels = voxels.build([LabelMap(Volume(data, EYE, "labels"), colors={7: "red", 9: "blue"})], None)
    assert np.array_equal(labels.filled, data > 0)
    assert labels.rgba[2, 1, 1].tolist() == [0, 0, 1, 1]


def test_clips_take_cubes_away():
    clipped = voxels.build([Intensity(ball(), opacity=1.0, clip=(Plane(x=0), Box(y=(None, 0), z=(None, 0))))], None)
    centers = space.apply_affine(clipped.affine, np.argwhere(clipped.filled))
    assert centers[:, 0].max() < 0
    assert not ((centers[:, 1] < 0) & (centers[:, 2] < 0)).any()
    assert len(centers) == 20**3 * 3 / 8


def test_the_grid_is_downsized_in_true_proportion():
    volume = Volume(np.random.default_rng(0).random((40, 30, 20)), np.diag([1, 1, 2, 1]))
    for size, shape in [(20, (20, 15, 20)), ((10, 5, 4), (10, 5, 4)), (None, (40, 30, 20)), (99, (40, 30, 20))]:
        cubes = voxels.build([Intensity(volume, opacity=1.0)], size)
        assert cubes.rgba.shape == (*shape, 4)
        assert np.allclose(space.bounds(shape, cubes.affine), volume.bounds, atol=1e-6)


def test_storage_order_does_not_matter():
    rng = np.random.default_rng(0)
    volume = Volume(rng.random((5, 6, 7)), storage_affine("RAS", (1, 1.5, 2)))
    expected = voxels.build([Intensity(volume)], 5)
    for code in CODES:
        cubes = voxels.build([Intensity(volume.reorient(code))], 5)
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
    refuses(ValueError, lambda: Voxels(layer).figure(), "no voxel is left to be seen")


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"explode": 1}, ValueError, "explode must be 0 or more and below 1; got 1"),
        ({"explode": -0.1}, ValueError, "explode must be 0 or more and below 1; got -0.1"),
        ({"camera": "top"}, ValueError, "camera must be one of left, right"),
        ({"gap": 0.3}, TypeError, "Voxels"),
        ({"figsize": 3}, TypeError, "Voxels"),
    ],
)
def test_options_are_checked_where_they_are_typed(options, kind, says):
    refuses(kind, lambda: Voxels(ball(), **options), says)


def test_a_wrong_target_is_named():
    refuses(TypeError, lambda: one_cube().draw(3), "draw takes matplotlib axes, a figure or a subfigure; got int")


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
    cubes = ax.collections[0]._cubes
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
