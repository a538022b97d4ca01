"""One bright voxel at a known place in the world is at that place in every panel."""

import numpy as np
import pytest
from helpers import tilted
from mpl_toolkits.mplot3d import proj3d

from volrender import Intensity, Isosurface, LabelMap, Scene, Slices, Volume, Voxels, space
from volrender.draw.voxels import VoxelCollection

SHAPE = (24, 24, 24)
AFFINES = tilted(6, seed=11)
SPOTS = [(5, 7, 16), (18, 4, 9), (10, 19, 6), (3, 3, 3), (20, 20, 12), (12, 20, 20)]
CASES = list(zip(AFFINES, SPOTS, strict=True))


def anatomy():
    """A body of one gray on an upright grid, under the spot that lies on a grid of its own."""
    affine = np.diag([3, 3, 3, 1.0])
    affine[:3, 3] = -45
    grid = np.moveaxis(np.indices((31, 31, 31)), 0, -1) * 3.0 - 45
    return Volume(np.where(np.linalg.norm(grid, axis=-1) < 43, 50.0, 0), affine)


def spot(affine, index):
    """One voxel of a label map, and where its centre lies."""
    data = np.zeros(SHAPE, np.uint8)
    data[index] = 1
    return LabelMap(Volume(data, affine, "labels"), colors="red"), space.apply_affine(affine, index)


def corners(affine, index):
    offsets = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)])
    return space.apply_affine(affine, np.array(index) + offsets)


@pytest.mark.parametrize(("affine", "index"), CASES)
def test_slices(affine, index):
    layer, xyz = spot(affine, index)
    panel = Slices(anatomy(), layer, x=xyz[0], y=xyz[1], z=xyz[2])
    axes = [ax for ax in panel.figure(183, 150).axes if ax.get_images() and not ax.axison]
    for cut, ax in zip(panel.cuts, axes, strict=True):
        image = ax.get_images()[0]
        picture, extent = np.asarray(image.get_array()), np.reshape(image.get_extent(), (2, 2))
        rows, columns = np.nonzero((picture[..., 0] > 0.9) & (picture[..., 1] < 0.1))
        middle = np.array([columns.mean() + 0.5, rows.mean() + 0.5]) / picture.shape[1::-1]
        found = extent[:, 0] + middle * np.ptp(extent, axis=1)
        # The section of a parallelepiped through its centre is symmetric about it.
        assert np.allclose(found, xyz[list(cut.across)], atol=0.35)


@pytest.mark.usefixtures("gl")
@pytest.mark.parametrize(("affine", "index"), CASES)
def test_scene(affine, index):
    bright = np.zeros(SHAPE)
    bright[index] = 100
    xyz = space.apply_affine(affine, index)
    faint = Intensity(anatomy(), opacity=[(0, 0), (20, 0), (30, 0.002), (50, 0.002)])
    surface = Isosurface(Volume(bright, affine), level=5, color="red", smooth=False)
    scene = Scene(faint, surface, camera=(30, 20))
    raster = scene.render((300, 300)).astype(int)
    rows, columns = np.nonzero(raster[..., 0] - raster[..., 1] > 40)
    assert np.allclose([columns.mean(), rows.mean()], scene.project(xyz, (300, 300)), atol=1)


@pytest.mark.parametrize(("affine", "index"), CASES)
def test_voxels(affine, index):
    layer, xyz = spot(affine, index)
    panel = Voxels(layer, size=None, camera=(30, 20), axes=False)
    figure = panel.figure(40, 60)
    ax = next(ax for ax in figure.axes if hasattr(ax, "get_proj"))
    (cubes,) = [artist for artist in ax.collections if isinstance(artist, VoxelCollection)]
    expected = corners(affine, index)
    assert np.allclose(np.sort(cubes._corners[0], axis=0), np.sort(expected, axis=0))
    assert np.allclose(cubes._corners.mean(axis=1), xyz)
    figure.canvas.draw()
    x, y, _ = proj3d.proj_transform(*expected.T, ax.M)
    drawn = cubes._quads.reshape(-1, 2)
    assert np.allclose(drawn.min(axis=0), [x.min(), y.min()])
    assert np.allclose(drawn.max(axis=0), [x.max(), y.max()])


@pytest.mark.parametrize(("affine", "index"), CASES)
def test_voxels_over_anatomy(affine, index):
    """The cubes are those of the first layer: the spot colors the cube that holds it, or none of another place."""
    data = np.zeros(SHAPE, np.uint8)
    near = tuple(slice(max(i - 1, 0), i + 2) for i in index)
    data[near] = 1
    xyz = space.apply_affine(affine, index)
    panel = Voxels(anatomy(), LabelMap(Volume(data, affine, "labels"), colors="red"), size=None)
    cubes = panel._cubes
    red = np.argwhere((cubes.rgba[..., :3] == (1, 0, 0)).all(axis=-1) & (cubes.rgba[..., 3] == 1))
    found = space.apply_affine(cubes.affine, red)
    assert len(found)
    assert np.allclose(found.mean(axis=0), xyz, atol=2)


@pytest.mark.parametrize("camera", [*space.CAMERAS, (30, 20), space.Camera(10, 200, roll=30)])
def test_a_scene_and_voxels_look_from_the_same_place(camera):
    camera = space.as_camera(camera)
    layer, _ = spot(AFFINES[0], SPOTS[0])
    scene = Scene(layer, camera=camera)
    figure = Voxels(layer, size=None, camera=camera, axes=False).figure(40, 60)
    ax = next(ax for ax in figure.axes if hasattr(ax, "get_proj"))
    figure.canvas.draw()
    points = corners(AFFINES[0], SPOTS[0])
    x, y, _ = proj3d.proj_transform(*points.T, ax.M)
    theirs = ax.transData.transform(np.column_stack([x, y])) * [1, -1]
    ours = scene.project(points, (200, 200))
    theirs, ours = theirs - theirs.mean(axis=0), ours - ours.mean(axis=0)
    scale = np.linalg.norm(theirs) / np.linalg.norm(ours)
    assert np.allclose(theirs, ours * scale, atol=1e-3 * np.abs(theirs).max())
