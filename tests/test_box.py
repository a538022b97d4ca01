"""A box of known world corners is drawn where `scene.project` puts it, to a pixel, in ten random places.

Flips, permutations, rotations, shears and unequal spacings; as a volume, a surface, a label and a cut plane, and cut by
a plane. The box lies off the middle of its grid and its sides differ, so that what is mirrored or transposed is
elsewhere; half a voxel is more than a pixel, so that what is shifted by that is, too.
"""

from itertools import product

import numpy as np
import pytest
from helpers import affines
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from volrender import CutPlane, Intensity, Isosurface, LabelMap, Plane, Scene, Volume, space

SHAPE = (27, 33, 24)
LOW, HIGH = np.array([3, 12, 7]), np.array([13, 28, 20])  # the first and the last voxel of the box
SIZE = (76, 76)
FINER = 2  # the raster is measured at half pixels
TURNS = np.radians(np.arange(0, 360, 22.5))
WAYS = np.stack([np.cos(TURNS), np.sin(TURNS)])  # sixteen directions on the page
CAMERAS = st.tuples(st.integers(-80, 80), st.integers(0, 359))


def placed(affine):
    """The box as 0 and 100, in voxels of 2 to 4 mm."""
    affine = affine.copy()
    step = space.spacing(affine)
    affine[:3, :3] *= (2 + step / 3) / step
    data = np.zeros(SHAPE, np.float32)
    data[tuple(slice(low, high + 1) for low, high in zip(LOW, HIGH, strict=True))] = 100
    return Volume(data, affine, name="box")


def corners(volume, taken=0, grown=0):
    """What spans the box in the world, `grown` voxels larger on all sides, or with `taken` voxels cut off its edges."""
    ends = np.array(list(product((-1, 1), repeat=3)))
    middle, half = (LOW + HIGH) / 2, (HIGH - LOW + 1) / 2 + grown
    index = middle + ends * (half - taken)
    return space.apply_affine(volume.affine, np.concatenate([index + taken * ends * np.eye(3)[a] for a in range(3)]))


def crossing(points, plane):
    """What spans the section of a convex body, given by points that span it."""
    row = plane.halfspaces[0]
    height = points @ row[:3] - row[3]
    below, above = (np.flatnonzero(side) for side in (height <= 0, height > 0))
    a, b = (index.ravel() for index in np.meshgrid(below, above))
    return points[a] + (points[b] - points[a]) * (height[a] / (height[a] - height[b]))[:, None]


def left(points, plane):
    """What spans what the plane leaves of a convex body."""
    row = plane.halfspaces[0]
    return np.concatenate([points[points @ row[:3] <= row[3]], crossing(points, plane)])


def polygon_center(points):
    """The centroid of the hull of points on the page, from the triangles around its first corner."""
    around = points[ConvexHull(points).vertices]
    a, b = around[1:-1] - around[0], around[2:] - around[0]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return around[0] + (area[:, None] * (a + b) / 3).sum(axis=0) / area.sum()


def labels(volume):
    return Volume(volume.data.astype(np.uint8), volume.affine, "labels")


def body(volume, **clip):
    """A volume rendering that begins at half of the box's value; by default a haze begins further out."""
    return Intensity(volume, opacity=[(40, 0), (60, 1)], **clip)


def unclipped(points, plane):
    return points


# Of each kind: the layer, what its plane leaves of a body, how many voxels the layer adds to the box and how many it
# may take off its edges. A plane's slice ends where the air does, here at a quarter of the box's value. Flying edges
# cut an edge by half a voxel; the surface of labels is relaxed; a volume is smoothed by 0.9 voxels before it is drawn.
KINDS = {
    "volume": (lambda v, p: body(v), unclipped, 0, 1.5),
    "surface": (lambda v, p: Isosurface(v, level=50, smooth=False), unclipped, 0, 0.5),
    "label": (lambda v, p: LabelMap(labels(v), "red"), unclipped, 0, 1),
    "cut plane": (CutPlane, crossing, 0.25, 0.75),
    "clipped volume": (lambda v, p: body(v, clip=p), left, 0, 1.5),
    "clipped surface": (lambda v, p: Isosurface(v, level=50, smooth=False, clip=p), left, 0, 0.5),
    "clipped label": (lambda v, p: LabelMap(labels(v), "red", clip=p), left, 0, 1),
}


def facing(volume, camera):
    """A plane through the box, off its middle, that the camera sees at a slant."""
    right, up, toward = space.as_camera(camera).axes
    middle = space.apply_affine(volume.affine, (LOW + HIGH) / 2)
    return Plane(normal=tuple(toward + 0.5 * right - 0.2 * up), origin=tuple(middle + [4, -3, 2]))


@pytest.mark.usefixtures("gl")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if "clipped" not in kind])
@settings(max_examples=10, phases=[Phase.generate])
@given(affine=affines(), camera=CAMERAS)
def test_a_box_is_drawn_where_its_corners_project(kind, affine, camera):
    assert_drawn_in_place(kind, affine, camera)


@pytest.mark.usefixtures("gl")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if "clipped" in kind])
@settings(max_examples=6, phases=[Phase.generate])
@given(affine=affines(), camera=CAMERAS)
def test_a_clipped_box_ends_at_its_plane(kind, affine, camera):
    assert_drawn_in_place(kind, affine, camera)


def assert_drawn_in_place(kind, affine, camera):
    make, shape, grown, taken = KINDS[kind]
    volume = placed(affine)
    plane = facing(volume, camera)
    scene = Scene(make(volume, plane), camera=camera, background="blue", light="flat")
    size = (FINER * SIZE[0], FINER * SIZE[1])
    whole = scene.project(shape(corners(volume, grown=grown), plane), size)
    rounded = scene.project(shape(corners(volume, taken), plane), size)
    raster = scene.render(size).astype(int)
    rows, columns = np.nonzero(np.abs(raster[..., :3] - [0, 0, 255]).max(axis=-1) > 100)
    drawn = np.column_stack([columns, rows])
    # How far it reaches in sixteen directions: not beyond the box, nor short of what the layer leaves of it.
    reach = (drawn @ WAYS).max(axis=0)
    beyond = (reach - (whole @ WAYS).max(axis=0)) / FINER
    short = ((rounded @ WAYS).max(axis=0) - reach) / FINER
    # What is taken off a whole box is the same on all sides, so its middle is known better than any edge.
    off = (drawn.mean(axis=0) - polygon_center(rounded)) / FINER
    assert beyond.max() <= 1.1, beyond.round(2)
    assert short.max() <= (1.1 if shape is unclipped else 1.8), short.round(2)  # a cut has acute corners
    assert np.abs(off).max() <= (0.5 if shape is unclipped else 1.2), off.round(2)
