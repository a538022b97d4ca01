"""A box of known world corners is drawn where `scene.project` puts it, to a pixel, in fifty random places.

Flips, permutations, rotations, shears and unequal spacings; as a volume, a surface, a label and a cut plane, and cut by
a plane. The voxels are smaller than the pixels, so that what smoothing takes off a corner is less than one.
"""

from itertools import combinations

import numpy as np
import pytest
from helpers import tilted

from volrender import CutPlane, Intensity, Isosurface, LabelMap, Plane, Scene, Volume, space

N, LOW, HIGH = 96, 14, 81  # voxels; first and last voxel of the box
SIZE = (44, 44)
FINER = 2  # the raster is measured at half pixels
CAMERA = (25, 150)
PLANE = Plane(normal=(0.5, 0.6, 0.3), origin=(6, -4, 5))
FACING = Plane(normal=(-0.7, 0.6, 0.1), origin=(6, -4, 5))  # for a slice, which is not to be seen edge on
PLACES = [affine @ np.diag([0.25, 0.25, 0.25, 1]) for affine in tilted(50, seed=11, spacing=(4, 8))]


def placed(affine):
    """The box as 0 and 100, centred on the world's origin, and its eight outer corners."""
    affine = affine.copy()
    affine[:3, 3] = -affine[:3, :3] @ np.full(3, (LOW + HIGH) / 2)
    data = np.zeros((N, N, N), np.float32)
    data[LOW : HIGH + 1, LOW : HIGH + 1, LOW : HIGH + 1] = 100
    ends = (LOW - 0.5, HIGH + 0.5)
    index = np.array([[i, j, k] for i in ends for j in ends for k in ends])
    return Volume(data, affine, name="box"), space.apply_affine(affine, index)


def crossing(corners, plane):
    """Where the plane meets the box's edges (n, 3)."""
    row = plane.halfspaces[0]
    height = corners @ row[:3] - row[3]
    points = []
    for a, b in combinations(range(8), 2):
        if bin(a ^ b).count("1") == 1 and height[a] * height[b] < 0:
            points.append(corners[a] + (corners[b] - corners[a]) * height[a] / (height[a] - height[b]))
    return np.array(points).reshape(-1, 3)


def left(corners, plane):
    """The corners of what the plane leaves of the box."""
    row = plane.halfspaces[0]
    return np.concatenate([corners[corners @ row[:3] <= row[3]], crossing(corners, plane)])


CASES = {
    "volume": (lambda v: Intensity(v), lambda c: c),
    "surface": (lambda v: Isosurface(v, level=50, smooth=False), lambda c: c),
    "label": (lambda v: LabelMap(Volume(v.data.astype(np.uint8), v.affine, "labels")), lambda c: c),
    "cut plane": (lambda v: CutPlane(v, FACING), lambda c: crossing(c, FACING)),
    "clipped volume": (lambda v: Intensity(v, clip=PLANE), lambda c: left(c, PLANE)),
    "clipped surface": (lambda v: Isosurface(v, level=50, smooth=False, clip=PLANE), lambda c: left(c, PLANE)),
    "clipped label": (
        lambda v: LabelMap(Volume(v.data.astype(np.uint8), v.affine, "labels"), clip=PLANE),
        lambda c: left(c, PLANE),
    ),
}


@pytest.mark.usefixtures("gl")
@pytest.mark.parametrize("kind", CASES)
def test_a_box_is_drawn_where_its_corners_project(kind):
    make, expected = CASES[kind]
    for n, affine in enumerate(PLACES):
        volume, corners = placed(affine)
        scene = Scene(make(volume), camera=CAMERA, background="blue")
        size = (FINER * SIZE[0], FINER * SIZE[1])
        where = scene.project(expected(corners), size)
        raster = scene.render(size).astype(int)
        rows, columns = np.nonzero(np.abs(raster[..., :3] - [0, 0, 255]).max(axis=-1) > 12)
        # The border runs through the pixels that it touches: on average, through their centres.
        found = np.array([[columns.min(), rows.min()], [columns.max(), rows.max()]])
        off = np.abs(found - [where.min(axis=0), where.max(axis=0)]) / FINER
        assert off.max() <= 0.75, (kind, n, off.round(2).tolist())
