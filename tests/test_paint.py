import numpy as np
import pytest
from helpers import affines, ball, refuses
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from volrender import Box, CutPlane, Intensity, Isosurface, LabelMap, Plane, Volume, framing, paint, sightlines, space

EYE = np.eye(4)
SEEDS = st.integers(0, 2**31)


def noise(seed, shape=(5, 6, 7)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def points_around(shape, affine, seed, reach=2.0, count=200):
    """Random world points in and around a volume, with their indices in its own storage."""
    index = np.random.default_rng(seed).uniform(-reach, np.array(shape) - 1 + reach, size=(count, 3))
    return space.apply_affine(affine, index), index


def shell(size=41, outer=15.0, inner=9.0):
    """A bright shell around a dark core, in air, centred on the world's origin."""
    affine = EYE.copy()
    affine[:3, 3] = -(size - 1) / 2
    radius = np.linalg.norm(np.indices((size,) * 3) - (size - 1) / 2, axis=0)
    return Volume(np.where((radius <= outer) & (radius >= inner), 100.0, 0.0), affine, name="shell")


def mid_plane(half=24.0, count=97):
    """World points (u, v, 3) on z = 0 and their distance from the origin."""
    line = np.linspace(-half, half, count)
    grid = np.stack(np.broadcast_arrays(line[:, None], line[None, :], 0.0), axis=-1)
    return grid, np.linalg.norm(grid, axis=-1)


# Samples


@given(affines(), SEEDS)
def test_a_sample_is_the_trilinear_value_in_the_volumes_own_storage(affine, seed):
    data = noise(seed)
    points, index = points_around(data.shape, affine, seed, reach=0.49)
    expected = ndimage.map_coordinates(data, index.T, order=1, mode="nearest")
    assert np.allclose(paint.sample(Volume(data, affine), points), expected, atol=1e-4)


@given(affines(), SEEDS)
def test_beyond_the_outer_faces_there_is_no_value_and_no_label(affine, seed):
    data = noise(seed)
    points, index = points_around(data.shape, affine, seed)
    inside = ((index > -0.5) & (index < np.array(data.shape) - 0.5)).all(axis=1)
    assert np.array_equal(np.isfinite(paint.sample(Volume(data, affine), points)), inside)
    labels = Volume(np.ones(data.shape, np.uint8), affine, "labels")
    assert np.array_equal(paint.sample_labels(labels, points) > 0, inside)


@pytest.mark.parametrize(
    "dtype", [bool, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float16, float]
)
def test_every_type_of_number_is_sampled(dtype):
    volume = Volume(np.arange(8).reshape(2, 2, 2).astype(dtype), np.diag([-1, 1, 1, 1]))
    centers = space.apply_affine(volume.affine, np.moveaxis(np.indices((2, 2, 2)), 0, -1))
    assert np.array_equal(paint.sample(volume, centers), volume.data.astype(np.float32))
    assert paint.sample(volume, [[-0.5, 0.5, 0.5]])[0] == pytest.approx(volume.data.astype(float).mean(), rel=1e-6)


@given(affines(), SEEDS)
def test_nan_neither_spreads_nor_invents_values(affine, seed):
    data = noise(seed)
    data[noise(seed + 1) > 0.8] = np.nan
    volume = Volume(data, affine)
    points, index = points_around(data.shape, affine, seed, reach=0.0)
    values = paint.sample(volume, points)
    weight = ndimage.map_coordinates(np.isfinite(data).astype(float), index.T, order=1)
    clear = np.abs(weight - 0.5) > 1e-3
    assert np.array_equal(np.isfinite(values)[clear], weight[clear] >= 0.5)
    assert np.nanmin(data) - 1e-4 <= np.nanmin(values) <= np.nanmax(values) <= np.nanmax(data) + 1e-4
    centers = space.apply_affine(affine, np.moveaxis(np.indices(data.shape), 0, -1))
    assert np.allclose(paint.sample(volume, centers), data, atol=1e-3, equal_nan=True)


def test_infinities_are_no_values():
    data = noise(0)
    data[2, 3, 4] = np.inf
    data[0, 0, 0] = -np.inf
    assert np.isnan(paint.sample(Volume(data, EYE), [[2, 3, 4], [0, 0, 0]])).all()
    assert np.isfinite(paint.sample(Volume(data, EYE), [[2, 3, 4.6], [0.6, 0, 0]])).all()


@given(affines(), SEEDS)
def test_a_label_is_that_of_the_voxel_that_holds_the_point(affine, seed):
    data = np.random.default_rng(seed).choice([0, 3, 7, -2], size=(5, 6, 7)).astype(np.int16)
    points, index = points_around(data.shape, affine, seed)
    near = np.rint(index).astype(int)
    clear = (np.abs(index - near) < 0.499).all(axis=1)
    inside = ((near >= 0) & (near < data.shape)).all(axis=1)
    expected = np.where(inside, data[tuple(np.where(inside[:, None], near, 0).T)], 0)
    found = paint.sample_labels(Volume(data, affine, "labels"), points)
    assert np.array_equal(found[clear], expected[clear])
    assert set(found.tolist()) <= {0, 3, 7, -2}
    assert found.dtype == data.dtype


# Colors


def test_an_intensity_is_painted_in_its_looks_colors():
    layer = Intensity(ball(), clim=(0, 100), cmap="viridis", opacity=[(0, 0), (100, 0.5)])
    colors = paint.paint(layer, [[0, 0, 0], [9, 9, 9], [99, 0, 0]])
    assert np.allclose(colors[0], [*layer.look.rgb([100])[0], 0.5], atol=1e-6)
    assert colors[1:, 3].tolist() == [0, 0]
    assert colors.dtype == np.float32


def test_what_is_not_finite_is_transparent():
    volume = Volume(np.array([0, 1, np.nan, np.inf, -np.inf], dtype=float).reshape(5, 1, 1), EYE)
    colors = paint.paint(Intensity(volume, opacity=1.0), [[x, 0, 0] for x in range(5)])
    assert colors[:, 3].tolist() == [1, 1, 0, 0, 0]
    assert np.isfinite(colors).all()


def test_labels_have_their_own_colors_and_no_others():
    volume = Volume(np.array([0, 5, 7, 9, -1], np.int16).reshape(5, 1, 1), EYE, "labels")
    layer = LabelMap(volume, colors={5: "red", 9: "blue", -1: "lime"}, opacity=0.5)
    line = np.linspace(-1, 5, 301)
    colors = paint.paint(layer, np.stack([line, 0 * line, 0 * line], axis=-1))
    assert {tuple(c) for c in colors.tolist()} == {
        (0, 0, 0, 0),
        (1, 0, 0, 0.5),
        (0, 0, 1, 0.5),
        (0, 1, 0, 0.5),
    }
    assert paint.paint(layer, [[2, 0, 0]])[0, 3] == 0
    assert paint.paint(layer, [[4, 0, 0]])[0].tolist() == [0, 1, 0, 0.5]


def test_a_surface_colors_what_it_encloses():
    layer = Isosurface(ball(), level=50, color="red", opacity=0.25)
    assert paint.paint(layer, [[0, 0, 0], [9, 0, 0], [99, 0, 0]]).tolist() == [[1, 0, 0, 0.25], [0] * 4, [0] * 4]


def test_below_zero_a_maps_surface_encloses_what_is_lower():
    volume = Volume(np.random.default_rng(0).normal(size=(9, 9, 9)), EYE)
    layer = Isosurface(volume, level=-1)
    assert np.array_equal(paint.enclosed(layer, np.array([-2, -1, 0, 2, np.nan])), [True, True, False, False, False])


@given(SEEDS)
def test_what_a_clip_removes_is_transparent(seed):
    points = np.random.default_rng(seed).uniform(-9, 9, size=(300, 3))
    clips = (Plane(normal=(1, 2, 3), origin=(1, 1, 1)), Box(x=(None, 0), y=(0, 4)))
    for layer in (Intensity(ball(), opacity=1.0, clip=clips), LabelMap(Volume(ball().data > -1, EYE), clip=clips)):
        shift = points if isinstance(layer, Intensity) else points + 9.5
        gone = space.removed(clips, shift)
        assert np.array_equal(paint.paint(layer, shift)[:, 3] == 0, gone)


def test_the_cut_face_itself_stays():
    face = [[3.0, y, 0.1] for y in np.linspace(-5, 5, 21)]
    assert (paint.paint(Intensity(ball(), opacity=1.0, clip=Plane(x=3)), face)[:, 3] == 1).all()


# One picture over another

PIXELS = st.tuples(*[st.floats(0, 1, width=32)] * 4).map(np.float32)


@given(PIXELS, PIXELS)
def test_over_keeps_to_porter_and_duff(below, above):
    result = paint.over(below, above)
    assert result[3] == pytest.approx(1 - (1 - below[3]) * (1 - above[3]), abs=1e-6)
    expected = above[:3] * above[3] + below[:3] * below[3] * (1 - above[3])
    assert np.allclose(result[:3] * result[3], expected, atol=1e-6)


@given(PIXELS, PIXELS, PIXELS)
def test_over_may_be_grouped_either_way(a, b, c):
    left, right = paint.over(paint.over(a, b), c), paint.over(a, paint.over(b, c))
    assert np.allclose(left[3], right[3], atol=1e-5)
    assert np.allclose(left[:3] * left[3], right[:3] * right[3], atol=1e-5)


def test_over_at_its_ends():
    red, blue = np.float32([1, 0, 0, 1]), np.float32([0, 0, 1, 1])
    clear = np.float32([0.3, 0.3, 0.3, 0])
    assert paint.over(red, blue).tolist() == [0, 0, 1, 1]
    assert paint.over(red, clear).tolist() == [1, 0, 0, 1]
    assert paint.over(clear, red).tolist() == [1, 0, 0, 1]
    assert paint.over(clear, clear)[3] == 0


# What a cut face covers


def test_a_dark_core_is_covered_and_the_air_outside_is_not():
    points, radius = mid_plane()
    for layer in (Intensity(shell()), CutPlane(shell(), Plane(z=0))):
        covered = _covers(layer, points)
        assert covered[radius < 14.5].all()
        assert not covered[radius > 16].any()


def _covers(layer, points):
    return paint.coverage(layer, points, paint.closed(layer)) >= 0.5


def test_a_core_that_opens_by_a_narrow_passage_is_covered():
    volume = shell()
    data = np.array(volume.data)
    data[20:, 20, 20] = 0
    points, radius = mid_plane()
    covered = _covers(Intensity(Volume(data, volume.affine)), points)
    assert covered[radius < 8].all()
    assert not covered[radius > 16].any()


def test_a_wide_hollow_of_the_outside_stays_open():
    volume = shell()
    data = np.array(volume.data)
    data[20:, 12:29] = 0
    points, radius = mid_plane()
    covered = _covers(Intensity(Volume(data, volume.affine)), points)
    assert not covered[(np.abs(points[..., 1]) < 6) & (points[..., 0] > 2)].any()
    assert covered[(radius < 14) & (radius > 10) & (points[..., 0] < 0)].all()


def test_what_opens_from_a_hollow_is_hollow_and_what_is_shut_off_is_not():
    """A recess of the skull has brain in it and is empty as the rest, the marrow of the bone beside it is a face."""
    data = np.zeros((80, 80, 80))
    data[4:76, 4:76, 4:76] = 95  # bone
    data[14:66, 14:66, 14:66] = data[66:72, 38:43, 38:43] = 70  # brain
    data[6:12, 38:43, 38:43] = 70  # marrow
    layer = Intensity(Volume(data, EYE), opacity=[(80, 0), (90, 1)])
    line = np.arange(0, 79.5, 0.5)
    points = np.stack(np.broadcast_arrays(line[:, None], line[None, :], 40.0), axis=-1)
    covered = _covers(layer, points)
    assert not covered[2 * 20 : 2 * 70, 80].any()
    assert covered[2 * 6 : 2 * 12, 80].all()
    assert covered[2 * 6 : 2 * 74, 20].all()


def test_a_cut_through_the_edge_of_the_volume_ends_there():
    full = Volume(np.random.default_rng(0).uniform(50, 100, (9, 9, 9)), EYE)
    line = np.linspace(-3, 11, 141)
    points = np.stack(np.broadcast_arrays(line[:, None], line[None, :], 4.0), axis=-1)
    covered = _covers(Intensity(full), points)
    inside = ((points > -0.51) & (points < 8.51)).all(axis=-1)
    assert not covered[~inside].any()


@pytest.mark.parametrize("layer", [Intensity, Isosurface])
def test_faces_in_all_directions_agree_on_what_is_inside(layer):
    """A bore through a block is open, and a chamber that a narrow passage opens is closed, however they are cut."""
    data = np.zeros((48, 48, 48), np.float32)
    data[4:44, 4:44, 4:44] = 100
    data[8:22, 8:40, 10:30], data[14:16, 14:16, 30:] = 0, 0
    data[27:41, 17:31] = 0
    body = layer(Volume(data, EYE))
    line = np.arange(0, 47.5, 0.5)
    for at, expected in (((34, 24), False), ((15, 15), True)):
        middle = np.zeros((3, len(line)), dtype=bool)
        across = np.stack([np.full_like(line, at[0]), np.full_like(line, at[1]), line], axis=-1)
        for n, way in enumerate(([1, 0, 0], [0, 1, 0], [1, 1, 0])):
            plane = across[None] + line[:, None, None] * way - [24 * way[0], 24 * way[1], 0]
            middle[n] = _covers(body, plane)[48]
        assert np.array_equal(middle[0], middle[1])
        assert np.array_equal(middle[0], middle[2])
        assert (middle[0, 12:84] == expected).all()
        flat = np.stack(np.broadcast_arrays(line[:, None], line[None, :], 20.0), axis=-1)
        assert _covers(body, flat)[2 * at[0], 2 * at[1]] == expected


def test_bays_of_a_body_with_deep_hollows_stay_open_and_its_chambers_are_dark():
    """The bays are narrower than the nostrils and sutures that are closed in a head."""
    data = np.zeros((80, 80, 80), np.float32)
    data[8:72, 8:72, 8:72] = 100
    data[12:68, 12:40, 40:] = 0  # a wide hollow
    data[12:36, 46:68, 12:32] = data[22:25, 56:59, 30:] = 0  # a chamber, which opens by a bore
    data[44:48, 50:72, 8:72] = 0  # a bay
    line = np.arange(0, 79.5, 0.5)
    x, y = np.broadcast_arrays(line[:, None], line[None, :])
    covered = _covers(Intensity(Volume(data, EYE)), np.stack([x, y, np.full_like(x, 20.0)], axis=-1))
    assert not covered[(x > 44.5) & (x < 46.5) & (y > 54)].any()
    assert covered[(x > 10) & (x < 42) & (y > 10) & (y < 69)].all()
    covered = _covers(Intensity(Volume(data, EYE)), np.stack([x, np.full_like(x, 57.0), y], axis=-1))
    assert not covered[(x > 44.5) & (x < 46.5)].any()
    assert covered[(x > 10) & (x < 42) & (y > 10) & (y < 64)].all()


def test_a_face_of_labels_and_signed_maps_is_where_they_have_color():
    points, radius = mid_plane()
    labels = Volume(shell().data > 0, shell().affine, "labels")
    signed = Volume(np.where(shell().data > 0, np.sign(np.indices((41,) * 3)[0] - 20.5) * 3.25, 0), shell().affine)
    for layer in (LabelMap(labels), Isosurface(signed, level=3), Intensity(signed)):
        covered = _covers(layer, points)
        assert not covered[radius < 8].any(), layer
        assert not covered[radius > 16].any(), layer
        side = points[..., 0] > 1 if isinstance(layer, Isosurface) else np.abs(points[..., 0]) > 1
        assert covered[(radius > 10) & (radius < 14) & side].all(), layer


# What there is to see


@given(SEEDS)
def test_line_ends_are_as_extreme_as_the_mask_in_any_direction(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((5, 6, 7)) > 0.8
    mask[2, 3, 4] = True
    ends, every = framing.line_ends(mask), np.argwhere(mask)
    assert mask[tuple(ends.T)].all()
    directions = rng.normal(size=(3, 20))
    assert np.allclose((ends @ directions).max(axis=0), (every @ directions).max(axis=0))
    assert np.allclose((ends @ directions).min(axis=0), (every @ directions).min(axis=0))


@given(affines())
def test_the_subject_spans_the_outer_faces_of_its_voxels(affine):
    data = np.zeros((9, 9, 9))
    data[2:5, 3:7, 1] = 100.0
    points = framing.subject_points([Isosurface(Volume(data, affine), level=50, smooth=False)])
    index = space.apply_affine(np.linalg.inv(affine), points)
    assert np.allclose(index.min(axis=0), [1.5, 2.5, 0.5], atol=1e-6)
    assert np.allclose(index.max(axis=0), [4.5, 6.5, 1.5], atol=1e-6)


def test_the_subject_is_without_what_the_clips_remove():
    whole = framing.subject_points([Isosurface(ball())])
    half = framing.subject_points([Isosurface(ball(), clip=Plane(x=0))])
    assert whole[:, 0].max() == pytest.approx(6, abs=0.3)
    assert half[:, 0].max() == pytest.approx(0)
    assert half[:, 0].min() == whole[:, 0].min()


def test_the_subject_of_a_large_volume_is_surveyed_in_steps():
    big = Volume(np.kron(ball(20, 6.0).data, np.ones((10, 10, 10), np.uint8)).astype(np.uint8), EYE)
    points = framing.subject_points([Intensity(big)])
    expected = np.argwhere(big.data)
    assert np.allclose(points.min(axis=0), expected.min(axis=0) - 0.5, atol=2)
    assert np.allclose(points.max(axis=0), expected.max(axis=0) + 0.5, atol=2)


def test_the_subject_of_a_plane_lies_on_it():
    points = framing.subject_points([CutPlane(ball(40, 12), Plane(normal=(1, 1, 0), origin=(1, 2, 3)))])
    assert np.allclose(points @ [1, 1, 0], 3)
    assert np.linalg.norm(points, axis=1).max() == pytest.approx(12, abs=1)


def test_several_layers_are_one_subject():
    far = ball().transform([[1, 0, 0, 50], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    points = framing.subject_points([Isosurface(ball()), Isosurface(far)])
    assert points[:, 0].min() + points[:, 0].max() == pytest.approx(50)
    assert points[:, 0].max() == pytest.approx(56, abs=0.3)


@pytest.mark.parametrize(
    "layer",
    [
        Intensity(ball(), opacity=0.0),
        CutPlane(ball(), Plane(x=0), opacity=0.0),
        Intensity(ball(), clip=Plane(x=-99)),
        LabelMap(Volume(ball().data > 0, EYE), clip=Box(x=(-9, 99))),
        CutPlane(ball(), Plane(x=99)),
    ],
)
def test_nothing_left_to_see_is_an_error(layer):
    for layers in ([layer], [layer, Intensity(ball())]):
        refuses(
            ValueError,
            lambda layers=layers: framing.subject_points(layers),
            "nothing is to be seen of",
            "values run from 0 to",
        )


def test_a_clip_of_everything_is_found_without_a_look_at_the_voxels(monkeypatch):
    cases = (
        (Plane(x=-99), "its clips remove all of it; it lies from ("),
        ([Box(x=(-99, 0)), Box(x=(-1, 99))], "its clips remove all of it; it lies from ("),
        ((), "its opacity hides everything; its values"),
    )
    for clip, why in cases:
        layer = Intensity(ball(), clip=clip, opacity=None if clip else 0.0)
        refuses(ValueError, lambda layer=layer: framing.subject_points([layer]), why)
    layer = Intensity(ball(), clip=Plane(x=-99))
    monkeypatch.setattr(paint, "foreground", None)
    refuses(ValueError, lambda: framing.subject_points([layer]), "its clips remove all of it")


# Planes


@given(SEEDS, affines())
def test_a_plane_grid_lies_on_the_plane_and_spans_the_volume(seed, affine):
    rng = np.random.default_rng(seed)
    volume = Volume(np.zeros((4, 5, 6)), affine)
    middle = space.apply_affine(affine, [1.5, 2, 2.5])
    row = Plane(normal=tuple(rng.normal(size=3)), origin=tuple(middle)).halfspaces[0]
    step = max(volume.spacing)
    grid = framing.plane_grid(row, [volume], step)
    assert np.allclose(grid @ row[:3], row[3], atol=1e-6)
    sides = np.diff(grid, axis=0)[0, 0], np.diff(grid, axis=1)[0, 0]
    assert np.allclose([np.linalg.norm(side) for side in sides], step)
    axes = np.stack(sides) / step
    flat, seen = space.corners(volume.shape, affine) @ axes.T, grid.reshape(-1, 3) @ axes.T
    assert (seen.min(axis=0) <= flat.min(axis=0)).all()
    assert (seen.max(axis=0) >= flat.max(axis=0)).all()


def test_a_cut_face_hides_labels_under_its_dark_parts():
    index = np.moveaxis(np.indices((32, 32, 32)), 0, -1) - 15.5
    far = np.linalg.norm(index, axis=-1)
    head = Intensity(Volume(np.where(far < 6, 0.0, 100.0) * (far < 14), EYE), clip=space.Plane(z=15.5))
    labels = np.zeros(far.shape, np.int16)
    labels[14:18, 14:18, 14:16], labels[14:18, 20:24, 12:16] = 1, 2  # both reach the face
    labels[14:18, 10:13, 8:11] = 3  # in the hole, far under it
    layer = LabelMap(Volume(labels, EYE, "labels"))
    assert set(sightlines.seen_labels(layer, [head], space.Camera(90, 0)).tolist()) == {1, 2}
    assert set(sightlines.seen_labels(layer, [], space.Camera(90, 0)).tolist()) == {1, 2, 3}


def test_noise_around_a_subject_is_no_part_of_its_cut_face():
    far = np.linalg.norm(np.indices((60, 60, 60)) - 29.5, axis=0)
    data = np.where(far < 16, 100.0, 0) + np.abs(np.random.default_rng(0).normal(0, 20, far.shape))
    line = np.arange(0, 59.5, 0.5)
    points = np.stack(np.broadcast_arrays(line[:, None], line[None, :], 29.5), axis=-1)
    radius = np.linalg.norm(points - 29.5, axis=-1)
    covered = _covers(Intensity(Volume(data, EYE)), points)
    assert covered[radius < 14].all()
    assert covered[radius > 20].mean() < 0.03
