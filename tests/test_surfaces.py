"""Isosurfaces and label surfaces as bodies: their volume, their borders, their normals, and how far they may be off."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import affines, ball, refuses
from hypothesis import given, settings
from scipy import ndimage
from skimage.metrics import structural_similarity

from volrender import Isosurface, LabelMap, Scene, Slices, Volume, paint, sample, space
from volrender.draw import nets
from volrender.draw.rays import fields
from volrender.draw.surfaces_pyvista import isosurface, label_surface, with_normals

EYE = np.eye(4)


def ellipsoid(radii, margin=4):
    """How far inside an ellipsoid (voxels) each voxel lies, as smooth values around 50."""
    shape = [int(2 * (r + margin)) for r in radii]
    grid = np.moveaxis(np.indices(shape), 0, -1) - (np.array(shape) - 1) / 2
    far = np.linalg.norm(grid / np.array(radii), axis=-1)
    return Volume((50 + 50 * (1 - far)).clip(0, 100).astype(np.float32), EYE, name="ellipsoid")


@pytest.mark.parametrize("radii", [(3, 3, 3), (5, 5, 5), (12, 12, 12), (25, 25, 25), (4, 8, 15), (20, 10, 6)])
def test_smoothing_keeps_the_volume(radii):
    volume = ellipsoid(radii)
    plain, smooth = (isosurface(Isosurface(volume, 50, smooth=smooth)).volume for smooth in (False, True))
    assert abs(smooth - plain) <= 0.01 * plain
    assert abs(smooth - 4 / 3 * np.pi * np.prod(radii)) < 0.08 * smooth


def signed_volume(mesh):
    """What a mesh encloses (mm3), less its cavities."""
    corners = np.asarray(mesh.points, dtype=float)[mesh.regular_faces]
    return np.linalg.det(corners).sum() / 6


def beyond(values, parts, order):
    """How much of a field lies above 0 (voxels), by so many parts of a voxel along each axis."""
    at = [((np.arange(size * parts) + 0.5) / parts - 0.5).clip(0, size - 1) for size in values.shape]
    finer = ndimage.map_coordinates(values, np.meshgrid(*at, indexing="ij"), order=1) if order == 1 else None
    return ((fields.refined(values, parts) if finer is None else finer) > 0).sum() / parts**3


@pytest.fixture(scope="module")
def small_head():
    head = sample("mni152").canonical
    data = head.data[20:-20:2, 20:-20:2, 20:-40:2]
    return Volume(data, head.affine @ np.diag([2, 2, 2, 1]), name="head")


@pytest.mark.parametrize("level", ["95%", "otsu", "90%", 150])
def test_smoothing_keeps_the_volume_of_a_head(small_head, level):
    """As meshes, and as the fields that rays meet."""
    smooth, plain = (Isosurface(small_head, level, smooth=smooth) for smooth in (True, False))
    one, two = isosurface(smooth), isosurface(plain)
    assert one.n_open_edges == 0
    assert signed_volume(one) == pytest.approx(signed_volume(two), rel=0.01)
    counted = []
    for layer, order in ((smooth, 3), (plain, 1)):
        values = np.empty(small_head.shape, np.float32)
        fields.surface_field(layer).fill(values)
        counted.append(beyond(values, 4, order))
    assert counted[0] == pytest.approx(counted[1], rel=0.01)


@pytest.mark.parametrize("level", [-3.1, 3.1])
def test_a_map_keeps_its_volume_and_every_cluster(level):
    motor = sample("motor")
    plain, smooth = (isosurface(Isosurface(motor, level, smooth=smooth)) for smooth in (False, True))
    assert smooth.n_open_edges == 0
    assert smooth.volume == pytest.approx(plain.volume, rel=0.01)
    clusters, count = ndimage.label(motor.data * np.sign(level) >= abs(level), np.ones((3, 3, 3)))
    points = space.apply_affine(np.linalg.inv(motor.affine), smooth.points)
    reached = np.rint(points).astype(int).clip(0, np.array(motor.shape) - 1)
    near = ndimage.grey_dilation(clusters, size=(3, 3, 3))
    assert set(range(1, count + 1)) <= set(near[tuple(reached.T)].tolist())


@pytest.mark.usefixtures("gl")
@pytest.mark.parametrize("level", [-3.1, 3.1])
def test_a_map_with_gaps_is_one_surface_in_both_engines(level):
    """Where single voxels fall short of the level there are no pits."""
    layer = Isosurface(sample("motor"), level)
    one, two = (Scene(layer, engine=engine).render((180, 180))[..., :3] for engine in ("raycast", "pyvista"))
    assert structural_similarity(one, two, channel_axis=2) >= 0.975
    masks = [(raster < 250).any(axis=-1) for raster in (one, two)]
    assert (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum() >= 0.955


@settings(max_examples=15)
@given(affines())
def test_normals_look_outward_whatever_the_affine(affine):
    volume = Volume(ellipsoid((6, 5, 4)).data, affine, name="ellipsoid")
    mesh = isosurface(Isosurface(volume, 50))
    assert mesh.n_open_edges == 0
    assert mesh.volume > 0
    mesh = mesh.compute_normals(auto_orient_normals=False, consistent_normals=False, split_vertices=False)
    outward = np.asarray(mesh.points) - np.asarray(mesh.center)
    assert (np.einsum("ij,ij->i", outward, np.asarray(mesh.point_data["Normals"])) > 0).mean() > 0.99


@pytest.mark.parametrize("parts", [3, 2])
def test_a_sheet_thinner_than_a_voxel_is_whole(parts, monkeypatch):
    monkeypatch.setattr(fields, "SAMPLES", {parts: fields.SAMPLES[parts]})
    at = np.moveaxis(np.indices((30, 30, 30)), 0, -1) - 14.5
    filled = (0.75 - np.abs(at @ [3, 2, 1]) / np.sqrt(14)).clip(0, 0.5) * (np.linalg.norm(at, axis=-1) < 11)
    mesh = isosurface(Isosurface(Volume(100 * filled, EYE), 30))
    assert mesh.n_points - mesh.n_cells / 2 == 2  # one piece without holes


@pytest.mark.parametrize("large", [False, True])
def test_a_surface_is_clean_and_capped_where_the_volume_ends(large, monkeypatch):
    if large:
        monkeypatch.setattr(fields, "SAMPLES", {})
    data = np.zeros((20, 20, 20), np.float32)
    data[5:, 5:15, :] = 100
    for smooth in (False, True):
        mesh = isosurface(Isosurface(Volume(data, EYE), 50, smooth=smooth))
        assert mesh.n_open_edges == 0
        assert mesh.clean().n_points == mesh.n_points
        assert (mesh.compute_cell_sizes()["Area"] > 0).all()
        assert mesh.bounds[1] == pytest.approx(19.5, abs=1e-3)
        assert mesh.bounds[4:] == pytest.approx((-0.5, 19.5), abs=1e-3)


@pytest.mark.parametrize(("level", "expected"), [("otsu", 50), ("0%", 0), ("100%", 100), ("50%", 0), (30, 30)])
def test_levels_by_number_otsu_and_percentile(level, expected):
    data = np.zeros((10, 10, 10))
    data[:4] = 100
    assert Isosurface(Volume(data, EYE), level).level == pytest.approx(expected)


@pytest.mark.parametrize("level", ["half", "120%", "-1%", "%", "o%", "nan%"])
def test_a_level_that_is_none_is_refused(level):
    refuses(ValueError, lambda: Isosurface(ball(), level), "a percentile from '0%' to '100%'", repr(level))
    refuses(ValueError, lambda: Isosurface(Volume(np.ones((3, 3, 3)), EYE), "otsu"), "Otsu's level needs two values")


@pytest.mark.usefixtures("gl")
def test_an_empty_surface_is_refused_with_the_range_of_the_data():
    refuses(ValueError, lambda: Scene(Isosurface(ball(), 100)).render((40, 40)), "empty", "0 to 100")


def test_decimation_tells_how_far_the_surface_is_off():
    radius = 20.0
    volume = ellipsoid((radius, radius, radius))
    full = isosurface(Isosurface(volume, 50))
    with pytest.warns(UserWarning, match=r"ellipsoid.* mm"):
        thin = isosurface(Isosurface(volume, 50, decimate=0.9))
    assert thin.n_cells <= 0.12 * full.n_cells
    off = np.abs(np.linalg.norm(np.asarray(thin.points) - thin.center, axis=1) - radius)
    assert off.max() < 0.5
    for decimate, kind in ((1, ValueError), (-0.1, ValueError), ("a", TypeError)):
        refuses(kind, lambda d=decimate: Isosurface(volume, decimate=d), "decimate")


@pytest.mark.parametrize("decimate", [0.5, 0.97])
def test_a_decimated_surface_is_closed_and_says_how_far_it_is_off(small_head, decimate):
    """Half a head that goes on to the volume's edge, between and under many small bodies."""
    half = replace(small_head, data=small_head.data[: small_head.shape[0] // 2])
    full = isosurface(Isosurface(half, "90%"))
    with pytest.warns(UserWarning, match=r"head.* mm off$"):
        thin = isosurface(Isosurface(half, "90%", decimate=decimate))
    assert thin.n_open_edges == 0
    assert thin.is_manifold
    assert thin.n_cells < (1.05 - 0.8 * decimate) * full.n_cells
    far = []
    for one, other in ((full, thin), (thin, full)):
        points = np.concatenate([one.points, one.cell_centers().points])
        nearest = other.find_closest_cell(points, return_closest_point=True)[1]
        far.append(np.linalg.norm(nearest - points, axis=1).max())
    assert 0.8 * max(far) <= thin.field_data["error_mm"][0] <= 1.05 * max(far)


def test_a_decimated_surface_ends_flat_and_sharp_where_the_volume_does():
    i = np.moveaxis(np.indices((24, 24, 20)), 0, -1) - [11.5, 11.5, 0]
    far = np.hypot(i[..., 0], i[..., 1])
    tube = Volume((50 + 20 * (3 - np.abs(far - 7))).clip(0, 100), EYE, name="tube")
    with pytest.warns(UserWarning, match="tube"):
        mesh = isosurface(Isosurface(tube, 50, decimate=0.9))
    assert mesh.n_open_edges == 0
    assert mesh.bounds[4:] == pytest.approx((-0.5, 19.5), abs=0.1)
    lit = with_normals(mesh)
    faces = lit.regular_faces
    corners = np.asarray(lit.points)[faces]
    own = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    end = np.abs(own[:, 2]) > 0.99 * np.linalg.norm(own, axis=1)
    assert (np.abs(lit.point_data["Normals"][faces[end], 2]) > 0.9).mean() > 0.8


def test_small_bodies_are_left_when_a_surface_is_decimated():
    data = ellipsoid((20.0, 20.0, 20.0)).data.astype(float)
    data[2:5, 2:5, 2:5], data[2, 2, -3] = 100, 100
    volume = Volume(data, EYE, name="specks")
    full = isosurface(Isosurface(volume, 50, smooth=False))
    with pytest.warns(UserWarning, match=r"specks .* lies up to 0\.\d+ mm off$"):
        thin = isosurface(Isosurface(volume, 50, smooth=False, decimate=0.9))
    assert thin.n_cells < 0.12 * full.n_cells
    assert thin.split_bodies().n_blocks == full.split_bodies().n_blocks == 3
    assert thin.field_data["error_mm"][0] < 0.5
    assert thin.volume == pytest.approx(full.volume, rel=0.01)


def two_boxes():
    data = np.zeros((24, 20, 20), np.uint8)
    data[4:12, 4:16, 4:16], data[12:20, 4:16, 4:16] = 1, 2
    return data


def nested(*radii):
    """Balls in balls, numbered from the outer one in."""
    far = np.linalg.norm(np.indices((int(2 * radii[0]) + 5,) * 3) - radii[0] - 1.7, axis=0)
    return sum((far <= radius).astype(np.uint8) for radius in radii)


def touching():
    """Voxels that meet in edges and corners alone, of two labels and of one."""
    return np.random.default_rng(3).integers(0, 3, (9, 9, 9))


def assert_closed(part):
    """Every edge has two triangles, which pass it in opposite directions."""
    triangles = part.triangles
    start, end = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    ways, back = (np.sort(one * len(part.points) + other) for one, other in ((start, end), (end, start)))
    assert (np.diff(ways) > 0).all()
    assert np.array_equal(ways, back)


@pytest.mark.parametrize("numbers", [two_boxes(), nested(11, 7, 3), touching()], ids=["boxes", "balls", "touching"])
def test_every_label_is_closed_and_neighbours_share_their_border(numbers):
    web = nets.smoothed(nets.net(numbers))
    pairs = {}
    for number in np.unique(numbers)[1:]:
        part = web.closed(web.sides == number)
        assert_closed(part)
        assert (part.sides[:, 0] == number).all()
        for other in {*part.sides[:, 1].tolist()} - {0}:
            faces = part.points[part.quads[part.sides[:, 1] == other]].tolist()
            pairs[number, other] = {frozenset(map(tuple, face)) for face in faces}
    assert pairs
    assert all(pairs[one, two] == pairs[two, one] for one, two in pairs)


def test_labels_are_flat_where_their_map_ends():
    numbers = np.ones((6, 7, 8), dtype=int)
    numbers[3:, 2:5, 4:] = 2
    points = nets.smoothed(nets.net(numbers)).points
    before = nets.net(numbers).points
    at_end = (before == -0.5) | (before == np.array(numbers.shape) - 0.5)
    assert np.array_equal(points[at_end], before[at_end])
    assert np.abs(points - before)[~at_end].max() > 0.1


def test_every_label_of_an_atlas_is_closed_and_as_large_as_its_voxels():
    data = sample("atlas").canonical.data
    labels, numbers, voxels = np.unique(data, return_inverse=True, return_counts=True)
    web = nets.smoothed(nets.net(numbers.reshape(data.shape)))
    volumes = np.bincount(web.numbers, weights=web.volumes)
    for number in range(1, len(labels)):
        assert_closed(web.closed(web.sides == number))
    assert len(labels) - 1 == 138
    assert volumes[1:] == pytest.approx(voxels[1:], rel=0.01)


@pytest.mark.parametrize("radius", [1.5, 2, 3, 5, 7, 10])
def test_labels_are_smooth_and_keep_their_volume(radius):
    before = nets.net(nested(radius))
    after = nets.smoothed(before)
    assert after.volumes[1] == pytest.approx(before.sizes[1], rel=0.01)
    rough, smooth = (np.linalg.norm(p - p.mean(axis=0), axis=1).std() for p in (before.points, after.points))
    assert smooth < 0.6 * rough
    assert np.abs(after.points - before.points).max() <= 0.5


@settings(max_examples=15)
@given(affines())
def test_labels_lie_where_their_voxels_are_whatever_the_affine(affine):
    data = two_boxes()
    mesh = label_surface(LabelMap(Volume(data, affine, "labels"), colors={1: "red", 2: "blue"}))
    cell = abs(np.linalg.det(affine[:3, :3]))
    assert mesh.volume == pytest.approx(cell * np.count_nonzero(data), rel=0.01)
    assert mesh.n_open_edges == 0
    middle = space.apply_affine(affine, [11.5, 9.5, 9.5])
    assert np.linalg.norm(np.asarray(mesh.center) - middle) < 0.5 * np.cbrt(cell)
    index = space.apply_affine(np.linalg.inv(affine), mesh.cell_centers().points)[:, 0]
    red = (np.asarray(mesh.cell_data["rgb"]) == (255, 0, 0)).all(axis=1)
    assert index[red].max() < 12
    assert index[~red].min() > 11


def test_a_label_of_which_voxels_touch_in_edges_alone_has_no_spikes():
    """A ball of two labels on a sheared grid, where single voxels of one lie among the other."""
    affine = np.array([[1, 0.6, 0, 0], [0, 1, 0.3, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    affine[:3, 3] = affine[:3, :3] @ [-29.5, -29.5, -29.5]
    x = space.apply_affine(affine, np.moveaxis(np.indices((60, 60, 60)), 0, -1))
    data = (np.linalg.norm(x, axis=-1) < 20) * np.where(x[..., 0] + x[..., 2] > 8, 2, 1)
    mesh = label_surface(LabelMap(Volume(data.astype(np.uint8), affine, "labels")))
    assert np.linalg.norm(mesh.points, axis=1).max() < 20.5


def test_labels_inside_a_translucent_map_are_drawn_and_cavities_of_it_are_not():
    volume = Volume(nested(9, 5), EYE, "labels")
    colors = {1: "red", 2: "blue"}
    solid, clear = (label_surface(LabelMap(volume, colors=colors, opacity=opacity)) for opacity in (1.0, 0.5))
    assert len(np.unique(solid.cell_data["rgb"], axis=0)) == 1
    assert len(np.unique(clear.cell_data["rgb"], axis=0)) == 2
    assert clear.n_open_edges == 0
    hollow = Volume(nested(9, 5) % 2, EYE, "labels")
    assert label_surface(LabelMap(hollow, opacity=0.5)).n_cells == solid.n_cells
    assert label_surface(LabelMap(hollow)).n_cells > solid.n_cells


@pytest.mark.usefixtures("gl")
def test_two_layers_with_equal_clips_have_one_closed_face():
    """Equal planes, each made anew, are one plane."""
    block = np.zeros((30, 30, 30), np.float32)
    block[4:26, 4:26, 4:26] = 100
    volume = Volume(block, space.translation(-15, -15, -15))
    pictures = []
    plane = space.Plane(y=0)
    for second in (plane, space.Plane(y=0)):
        layers = [Isosurface(volume, 50, clip=plane), Isosurface(volume, 40, color="blue", clip=second)]
        pictures.append(Scene(*layers, camera=(20, 80)).render((80, 80)))
    assert np.array_equal(*pictures)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_small_labels_are_as_large_as_their_voxels(size):
    data = np.zeros((20, 20, 20), np.uint8)
    data[4 : 4 + size, 4 : 4 + size, 4 : 4 + size] = 1
    data[12 : 12 + size, 12 : 12 + size, 12 : 12 + size] = 2
    mesh = label_surface(LabelMap(Volume(data, np.diag([2.0, 2, 2, 1]), "labels")))
    assert mesh.volume == pytest.approx(2 * 8 * size**3, rel=0.05 if size > 1 else 0.1)


def test_borders_of_labels_on_a_cut_face_are_smooth():
    """A slanted border: no point of its label lies far beyond it, where those of voxels do."""
    normal = np.array([0.8, 0.6, 0.0])
    i = np.moveaxis(np.indices((40, 40, 3)), 0, -1) - [19.5, 19.5, 1]
    layer = LabelMap(Volume(np.where(i @ normal > 0, 2, 1), space.translation(-19.5, -19.5, -1), "labels"))
    grid = np.moveaxis(np.mgrid[-12:12:0.1, -12:12:0.1, 0:1], 0, -1)
    wrong = {}
    for how in (paint.values_at, paint.face_values):
        off = how(layer, grid) != np.where(grid @ normal > 0, 2, 1)
        wrong[how] = np.abs(grid[off] @ normal).max()
    assert wrong[paint.face_values] < 0.6 * wrong[paint.values_at]


def test_a_single_voxel_is_seen_on_a_cut_face():
    data = np.ones((7, 7, 7), np.uint8)
    data[3, 3, 3] = 2
    layer = LabelMap(Volume(data, EYE, "labels"))
    assert paint.face_values(layer, [[3, 3, 3], [3.2, 3, 3], [5, 3, 3], [-0.4, 3, 3], [-9, 3, 3]]).tolist() == [
        2,
        2,
        1,
        1,
        0,
    ]


def test_a_long_legend_begins_with_what_the_camera_sees():
    """Twenty-four labels on each side, and one within; the nearest to the viewer hides the rest."""
    data = np.zeros((26, 24, 12), np.uint8)
    data[2:24] = 49
    data[23, :, :] = 1 + np.arange(24)[:, None]
    data[2, :, :] = 25 + np.arange(24)[:, None]
    data[2, 3, :] = data[2, 2, 0]  # two rows
    layer = LabelMap(Volume(data, EYE, "labels"), colors={n: (n / 50, 0.5, 0.5) for n in range(1, 50)})
    names = {camera: [name for name, _ in Scene(layer, camera=camera)._entries] for camera in ("right", "left")}
    assert sorted(names["right"], key=int) == [str(n) for n in range(1, 25)]
    assert names["left"][0] == "27"
    assert {*names["left"]} == {str(n) for n in range(25, 49) if n != 28}
    sliced = [name for name, _ in Slices(layer, x=[2], y=[6], z=[6])._entries]
    assert sliced[0] == "49"
    clipped = Scene(replace(layer, clip=space.Plane(x=20)), camera="right")
    assert [name for name, _ in clipped._entries] == ["49"]
