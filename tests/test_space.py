import nibabel as nib
import numpy as np
import pytest
from helpers import CODES, SHAPES, affines, placed, ramp, refuses, storage_affine
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.figure import Figure

from volrender import Box, Camera, Plane, Volume, space

COORDINATES = hnp.arrays(float, st.tuples(st.integers(1, 5), st.just(3)), elements=st.floats(-300, 300, width=32))
ANGLES = st.tuples(st.floats(-89, 89, width=32), st.floats(-360, 360, width=32))


def unambiguous(affine):
    """Whether each index axis leans clearly to one world axis of its own."""
    left, _, right = np.linalg.svd(affine[:3, :3] / space.spacing(affine))
    cosines = np.abs(left @ right)
    first, second = -np.sort(-cosines, axis=0)[:2]
    return (first - second > 0.05).all() and len(set(cosines.argmax(axis=0))) == 3


# Affines


@given(affines(), COORDINATES)
def test_apply_affine_is_homogeneous_multiplication(affine, points):
    expected = (affine @ np.c_[points, np.ones(len(points))].T).T[:, :3]
    assert np.allclose(space.apply_affine(affine, points), expected)
    assert np.allclose(space.apply_affine(affine, points[0]), expected[0])
    assert np.allclose(space.apply_affine(np.linalg.inv(affine), expected), points, atol=1e-6)


@given(affines())
def test_orientation_is_nibabels(affine):
    assume(unambiguous(affine))
    assert space.orientation(affine) == "".join(nib.aff2axcodes(affine))


@pytest.mark.parametrize("code", CODES)
def test_orientation_of_every_storage_order(code):
    assert space.orientation(storage_affine(code, (1, 2, 3))) == code


@given(affines(tilt=180))
def test_axes_are_each_used_once_even_at_45_degrees(affine):
    axes, _ = space.axis_order(affine)
    assert sorted(axes) == [0, 1, 2]


def test_orientation_at_an_exact_tie_is_still_a_permutation():
    tie = np.eye(4)
    tie[:2, :2] = [[1, -1], [1, 1]]
    assert sorted("RL AP SI".replace(" ", "").index(c) // 2 for c in space.orientation(tie)) == [0, 1, 2]


@given(affines(tilt=25, shear=0))
def test_obliquity_is_nibabels(affine):
    assert np.isclose(space.obliquity(affine), np.degrees(nib.affines.obliquity(affine)).max(), atol=1e-4)


@given(affines())
def test_spacing_is_nibabels(affine):
    assert np.allclose(space.spacing(affine), nib.affines.voxel_sizes(affine))


@pytest.mark.parametrize("code", CODES)
def test_canonical_is_lossless_for_every_storage_order(code):
    volume = Volume(ramp((2, 3, 4)), storage_affine(code, (1, 2, 3), (5, -6, 7)))
    ras = volume.canonical
    assert ras.orientation == "RAS"
    assert np.shares_memory(ras.data, volume.data)
    assert np.array_equal(placed(ras), placed(volume))


@given(affines(), SHAPES)
def test_canonical_moves_no_voxel(affine, shape):
    data = ramp(shape)
    order, flips, ras = space.canonical(shape, affine)
    assert np.linalg.det(ras[:3, :3]) > 0 or not unambiguous(affine)
    moved = data.transpose(order)[flips]
    at = {value: space.apply_affine(ras, ijk) for ijk, value in np.ndenumerate(moved)}
    assert all(np.allclose(at[value], space.apply_affine(affine, ijk)) for ijk, value in np.ndenumerate(data))
    assert np.allclose(space.bounds(moved.shape, ras), space.bounds(shape, affine))


@given(affines())
def test_canonical_of_canonical_changes_nothing(affine):
    assume(unambiguous(affine))
    _, _, ras = space.canonical((3, 4, 5), affine)
    order, flips, again = space.canonical((3, 4, 5), ras)
    assert order == (0, 1, 2)
    assert flips == (slice(None),) * 3
    assert np.array_equal(again, ras)


@given(affines(), SHAPES, SHAPES)
def test_rescaled_keeps_the_bounds(affine, shape, new):
    assert np.allclose(
        space.corners(new, space.rescaled(affine, shape, new)), space.corners(shape, affine), atol=1e-6, rtol=0
    )


def test_bounds_lie_half_a_voxel_beyond_the_centres():
    affine = storage_affine("LPI", (2, 3, 4))
    assert space.bounds((3, 3, 3), affine).tolist() == [[-5, 1], [-7.5, 1.5], [-10, 2]]


@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        (np.eye(3), "must be 4x4; got shape (3, 3)"),
        (np.full((4, 4), np.nan), "must be finite"),
        (np.diag([1, 1, 1, 2]), "last row"),
        (np.diag([1, 1, 0, 1]), "invertible"),
        (np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "invertible"),
    ],
)
def test_an_affine_is_checked(matrix, says):
    refuses(ValueError, lambda: space.as_affine(matrix), says)


def test_an_affine_is_copied_and_read_only():
    mine = np.eye(4)
    theirs = space.as_affine(mine)
    mine[0, 3] = 9
    assert theirs[0, 3] == 0
    refuses(ValueError, lambda: theirs.__setitem__((0, 3), 1), "read-only")


@pytest.mark.parametrize("mm", [1e-4, 1e4])
def test_voxels_may_be_microscopic_or_huge(mm):
    assert np.allclose(space.spacing(space.as_affine(np.diag([mm, mm, mm, 1]))), mm)


# World matrices


def test_the_twelve_parameters_of_the_worked_example():
    matrix = space.translation(4.4, -15.7, 6.1) @ space.euler(8, -4, 5)
    matrix = matrix @ space.zooms(-1.1, 1.05, 1.15) @ space.shears(0.02, -0.01, 0.03)
    assert np.abs(space.apply_affine(matrix, (-40, 10, 0)) - (47, -2, 11)).max() < 0.05


@given(affines())
def test_matvec_is_nibabels(affine):
    matrix, vector = space.to_matvec(affine)
    assert np.array_equal(space.from_matvec(matrix, vector), nib.affines.from_matvec(matrix, vector))
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip((matrix, vector), nib.affines.to_matvec(affine)))


@given(st.tuples(*[st.floats(-360, 360)] * 3))
def test_euler_is_nibabels(angles):
    x, y, z = np.radians(angles)
    assert np.allclose(space.euler(*angles)[:3, :3], nib.eulerangles.euler2mat(z, y, x))
    assert np.isclose(np.linalg.det(space.euler(*angles)), 1)


@pytest.mark.parametrize(("axis", "start", "end"), [("x", "y", "z"), ("y", "z", "x"), ("z", "x", "y")])
def test_rotation_follows_the_right_hand(axis, start, end):
    unit = dict(zip("xyz", np.eye(3)))
    assert np.allclose(space.apply_affine(space.rotation(axis, 90), unit[start]), unit[end])
    assert np.allclose(space.apply_affine(space.reflection(axis), unit[axis]), -unit[axis])
    assert np.allclose(space.apply_affine(space.reflection(axis), unit[start]), unit[start])


def test_shears_and_zooms_are_spms():
    assert space.shears(1, 2, 3)[:3, :3].tolist() == [[1, 1, 2], [0, 1, 3], [0, 0, 1]]
    assert np.array_equal(space.apply_affine(space.translation(1, 2, 3) @ space.zooms(2, 3, 4), (1, 1, 1)), (3, 5, 7))


@pytest.mark.parametrize("call", [lambda: space.rotation("w", 1), lambda: space.reflection("xy")])
def test_an_axis_is_checked(call):
    refuses(ValueError, call, "axis must be x, y or z; got")


# Planes and boxes


def test_a_plane_removes_the_side_its_normal_points_to():
    points = [[9.9, 0, 0], [10, 0, 0], [10.1, 0, 0]]
    assert space.removed([Plane(x=10)], points).tolist() == [False, False, True]
    assert space.removed([Plane(normal=(-5, 0, 0), origin=(10, 3, 3))], points).tolist() == [True, False, False]


@given(st.sampled_from("xyz"), st.floats(-100, 100), COORDINATES)
def test_a_plane_across_an_axis_is_a_plane_with_a_normal(axis, at, points):
    unit = np.eye(3)["xyz".index(axis)]
    named, general = Plane(**{axis: at}), Plane(normal=7 * unit, origin=unit * at)
    assert named.normal == general.normal
    assert np.array_equal(space.removed([named], points), space.removed([general], points))


@given(COORDINATES, st.tuples(st.floats(-50, 0), st.floats(1, 50)))
def test_a_box_removes_its_inside(points, ends):
    inside = ((points > ends[0]) & (points < ends[1])).all(axis=1)
    assert np.array_equal(space.removed([Box(x=ends, y=ends, z=ends)], points), inside)
    half = (points[:, 1] > ends[0]) & (points[:, 2] < ends[1])
    assert np.array_equal(space.removed([Box(y=(ends[0], None), z=(None, ends[1]))], points), half)


@given(COORDINATES)
def test_each_of_several_clips_is_removed(points):
    clips = (Plane(x=1), Box(y=(0, 5)))
    both = space.removed(clips[:1], points) | space.removed(clips[1:], points)
    assert np.array_equal(space.removed(clips, points), both)
    assert not space.removed((), points).any()


def test_points_within_the_tolerance_of_a_cut_face_stay():
    assert space.removed([Plane(z=0)], [[0, 0, 0.1], [0, 0, 0.3]], tolerance=0.2).tolist() == [False, True]


def test_clips_come_alone_in_numbers_or_not_at_all():
    plane, box = Plane(x=0), Box(z=(0, None))
    assert space.as_clips(None) == ()
    assert space.as_clips(plane) == (plane,)
    assert space.as_clips(clip for clip in [plane, box]) == (plane, box)


@pytest.mark.parametrize("clip", [5, "x", [Plane(x=0), 3], (0, 1)])
def test_a_clip_is_checked(clip):
    refuses(TypeError, lambda: space.as_clips(clip), "clip must be a Plane, a Box, or several of them")


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({}, ValueError, "one of x=, y=, z=, or normal= with origin="),
        ({"x": 1, "y": 2}, ValueError, "one of"),
        ({"x": 1, "normal": (1, 0, 0)}, ValueError, "one of"),
        ({"x": 1, "origin": (0, 0, 0)}, ValueError, "one of"),
        ({"x": float("nan")}, ValueError, "x of a Plane must be finite; got nan"),
        ({"y": float("inf")}, ValueError, "y of a Plane must be finite"),
        ({"z": "top"}, TypeError, "z of a Plane must be a number; got 'top'"),
        ({"normal": (0, 0, 0)}, ValueError, "must not be zero"),
        ({"normal": (1, 0)}, ValueError, "normal must be three finite numbers; got (1, 0)"),
        ({"normal": (1, 0, 0), "origin": (0, float("nan"), 0)}, ValueError, "origin must be three finite"),
        ({"w": 1}, TypeError, "Plane has no w; it takes x, y, z, normal, origin"),
    ],
)
def test_a_plane_is_checked(options, kind, says):
    refuses(kind, lambda: Plane(**options), says)


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({}, ValueError, "at least one finite side"),
        ({"x": (None, None)}, ValueError, "at least one finite side"),
        ({"x": (1, 1)}, ValueError, "Box x must be increasing; got (1, 1)"),
        ({"y": 3}, TypeError, "Box y must be (lo, hi) in mm, or None; got 3"),
        ({"y": (1, 2, 3)}, TypeError, "Box y must be (lo, hi)"),
        ({"z": (0, float("inf"))}, ValueError, "z of a Box must be finite"),
        ({"z": ("low", 1)}, TypeError, "z of a Box must be a number; got 'low'"),
    ],
)
def test_a_box_is_checked(options, kind, says):
    refuses(kind, lambda: Box(**options), says)


# Cameras


@pytest.mark.parametrize(
    ("name", "toward", "right", "up"),
    [
        ("left", "L", "P", "S"),
        ("right", "R", "A", "S"),
        ("anterior", "A", "L", "S"),
        ("posterior", "P", "R", "S"),
        ("superior", "S", "R", "A"),
        ("inferior", "I", "L", "A"),
    ],
)
def test_a_named_camera_stands_where_it_says(name, toward, right, up):
    unit = {code: sign * np.eye(3)[w] for w, pair in enumerate(("RL", "AP", "SI")) for code, sign in zip(pair, (1, -1))}
    assert np.allclose(space.as_camera(name).axes, [unit[right], unit[up], unit[toward]], atol=1e-12)


@given(ANGLES, st.floats(-180, 180))
def test_camera_axes_are_a_right_handed_frame(angles, roll):
    axes = Camera(*angles, roll=roll).axes
    assert np.allclose(axes @ axes.T, np.eye(3))
    assert np.isclose(np.linalg.det(axes), 1)


@given(st.tuples(st.floats(-179, 179, width=32), st.floats(-360, 360, width=32)), st.floats(-180, 180))
def test_camera_is_matplotlibs_view_init(angles, roll):
    assume(abs(abs(angles[0]) - 90) > 0.01)
    axes = Figure().add_subplot(projection="3d")
    axes.view_init(*angles, roll=-roll)  # matplotlib rolls the camera, not the picture
    axes.get_proj()
    ours = Camera(*angles, roll=roll)
    assert np.allclose(ours.axes, [axes._view_u, axes._view_v, axes._view_w], atol=1e-6)
    assert np.allclose(ours.toward, axes._view_w, atol=1e-6)


def test_roll_turns_the_picture_clockwise():
    column, row = space.View(Camera(0, 0, roll=90), (0, 0, 0), 1, (11, 11)).project([0, 0, 4])
    assert np.allclose((column, row), (9, 5))  # what was up is now right


@pytest.mark.parametrize("value", [(10, 20), [10, 20], np.array([10, 20]), Camera(10, 20)])
def test_a_camera_comes_as_angles_or_itself(value):
    assert space.as_camera(value) == Camera(10.0, 20.0)


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        ("front", ValueError, "camera must be one of left, right, anterior, posterior, superior, inferior, or"),
        ((1, 2, 3), TypeError, "(elevation, azimuth) in degrees, or a Camera; got (1, 2, 3)"),
        (5, TypeError, "got 5"),
        (None, TypeError, "got None"),
        ((0, float("nan")), ValueError, "must be finite numbers"),
    ],
)
def test_as_camera_is_checked(value, kind, says):
    refuses(kind, lambda: space.as_camera(value), says)


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"zoom": 0}, ValueError, "zoom of a Camera must be above 0; got 0"),
        ({"roll": "a"}, ValueError, "finite numbers"),
        ({"azim": 3}, TypeError, "did you mean azimuth?"),
        ({"elev": 3}, TypeError, "did you mean elevation?"),
    ],
)
def test_a_camera_is_checked(options, kind, says):
    refuses(kind, lambda: Camera(**options), says)


# Views


@given(ANGLES, COORDINATES, st.floats(0.1, 3), st.tuples(st.integers(2, 400), st.integers(2, 400)))
def test_project_is_the_camera_frame_in_pixels(angles, points, mm, size):
    camera = Camera(*angles)
    view = space.View(camera, (1.0, 2.0, 3.0), mm, size)
    right, up, toward = camera.axes
    column, row = view.project(points).T
    assert np.allclose(column, (size[0] - 1) / 2 + (points - [1, 2, 3]) @ right / mm)
    assert np.allclose(row, (size[1] - 1) / 2 - (points - [1, 2, 3]) @ up / mm)
    assert np.allclose(view.project(points + 50 * toward), view.project(points), atol=1e-6)


@given(ANGLES, st.sampled_from([0, 25, 90]))
def test_points_of_pixels_are_projected_to_them(angles, perspective):
    view = space.View(Camera(*angles, perspective=perspective), (1.0, 2.0, 3.0), 0.7, (60, 40))
    pixels = np.stack(np.meshgrid([0, 17.5, 59], [0, 39]), axis=-1)
    for ways in (12.0, np.inf):
        points = view.points(pixels, np.full(pixels.shape[:-1], ways))
        assert np.allclose(view.project(points), pixels)
    assert np.allclose((points - view.center) @ view.camera.toward, 0)  # of what meets nothing
    start = view.center + (0 if perspective == 0 else view.distance) * view.camera.toward
    assert np.allclose(view.points([29.5, 19.5], 12.0), start - 12 * view.camera.toward)


@given(ANGLES, affines(), SHAPES, st.floats(0.5, 2), st.tuples(st.integers(20, 400), st.integers(20, 400)))
def test_fit_centres_and_fills_the_tighter_side(angles, affine, shape, zoom, size):
    points = space.corners(shape, affine)
    view = space.View.fit(points, Camera(*angles, zoom=zoom), size, fill=0.9)
    seen = view.project(points)
    low, high = seen.min(axis=0), seen.max(axis=0)
    assert np.allclose((low + high) / 2, (np.array(size) - 1) / 2, atol=1e-6)
    assert np.isclose(((high - low) / size).max(), 0.9 * zoom)


def test_fit_of_a_single_point_is_finite():
    view = space.View.fit([[1, 2, 3]], Camera(), (10, 20))
    assert np.allclose(view.project([1, 2, 3]), (4.5, 9.5))
