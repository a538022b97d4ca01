"""One bright voxel at a known place in the world is at that place in every panel.

It lies on a grid of its own, turned, sheared and flipped, over an anatomy on another. Half of its voxel is 0.9 to 1.8
mm, and what each test allows is less.
"""

import numpy as np
import pytest
from drawn import drawn
from helpers import tilted
from matplotlib.colors import ListedColormap
from mpl_toolkits.mplot3d import proj3d

from volrender import (
    Box,
    CutPlane,
    Histogram,
    Intensity,
    Isosurface,
    LabelMap,
    Plane,
    Scene,
    Slices,
    Volume,
    Voxels,
    space,
)
from volrender.draw.voxels import VoxelCollection

SHAPE = (24, 24, 24)
AFFINES = tilted(6, seed=11)
SPOTS = [(5, 7, 16), (18, 4, 9), (10, 19, 6), (3, 3, 3), (20, 20, 12), (12, 20, 20)]
CASES = list(zip(AFFINES, SPOTS, strict=True))


RED = ListedColormap(["red"])


def anatomy(step=3.0):
    """A body of one gray on an upright grid, under the spot that lies on a grid of its own."""
    count = int(90 / step) + 1
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = -45
    grid = np.moveaxis(np.indices((count,) * 3), 0, -1) * step - 45
    return Volume(np.where(np.linalg.norm(grid, axis=-1) < 43, 50.0, 0), affine)


def bright(affine, index, body=0):
    """One voxel of 100 in a body of another value, and where its centre lies."""
    data = np.zeros(SHAPE, np.float32)
    data[2:22, 2:22, 2:22] = body
    data[index] = 100
    return Volume(data, affine, name="bright"), space.apply_affine(affine, index)


def spot(affine, index):
    """One voxel of a label map, and where its centre lies."""
    data = np.zeros(SHAPE, np.uint8)
    data[index] = 1
    return LabelMap(Volume(data, affine, "labels"), colors="red"), space.apply_affine(affine, index)


def corners(affine, index):
    offsets = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)])
    return space.apply_affine(affine, np.array(index) + offsets)


def red_spot(kind, affine, index):
    """The bright voxel as a layer, all red, and where it lies."""
    if kind == "labels":
        return spot(affine, index)
    volume, xyz = bright(affine, index)
    return Intensity(volume, cmap=RED, opacity=[(30, 0), (31, 1)]), xyz


@pytest.mark.parametrize("kind", ["labels", "intensity"])
@pytest.mark.parametrize(("affine", "index"), CASES)
def test_slices(affine, index, kind):
    layer, xyz = red_spot(kind, affine, index)
    panel = Slices(anatomy(), layer, x=xyz[0], y=xyz[1], z=xyz[2])
    for tile in drawn(panel, 183, 150):
        found = tile.middle((tile.picture[..., 0] > 0.9) & (tile.picture[..., 1] < 0.1))
        # The section of a parallelepiped through its centre is symmetric about it, and so are interpolated values.
        assert np.allclose(found, tile.uv(xyz), atol=0.35)


def slanted(affine, index):
    """A plane through a bright voxel in a body: what is brighter than 3/4 is red."""
    volume, xyz = bright(affine, index, body=50)
    plane = Plane(normal=(0.9, 0.2, 0.6), origin=tuple(xyz))
    return CutPlane(volume, plane, clim=(0, 100), cmap=ListedColormap(["gray", "gray", "gray", "red"]))


SHOWN = {
    "surface": lambda *place: Isosurface(bright(*place)[0], level=5, color="red", smooth=False),
    # A volume is smoothed by 0.9 voxels before it is drawn: of 100 in one voxel 9 are left.
    "volume": lambda *place: Intensity(bright(*place)[0], cmap=RED, opacity=[(1, 0), (2, 1)]),
    "cut plane": slanted,
}


@pytest.mark.usefixtures("gl")
@pytest.mark.parametrize("kind", SHOWN)
@pytest.mark.parametrize(("affine", "index"), CASES)
def test_scene(affine, index, kind):
    xyz = space.apply_affine(affine, index)
    faint = Isosurface(anatomy(), level=25, color="gray", opacity=0.05)
    scene = Scene(faint, SHOWN[kind](affine, index), camera=(30, 20))
    raster = scene.render((300, 300)).astype(int)
    rows, columns = np.nonzero(raster[..., 0] - raster[..., 1] > 40)
    assert np.allclose([columns.mean(), rows.mean()], scene.project(xyz, (300, 300)), atol=1)


def drawn_cubes(panel):
    """The axes and the cubes of a panel that has been drawn."""
    figure = panel.figure(40, 60)
    ax = next(ax for ax in figure.axes if hasattr(ax, "get_proj"))
    (cubes,) = [artist for artist in ax.collections if isinstance(artist, VoxelCollection)]
    figure.canvas.draw()
    return ax, cubes


@pytest.mark.parametrize("kind", ["labels", "intensity"])
@pytest.mark.parametrize(("affine", "index"), CASES)
def test_voxels(affine, index, kind):
    layer, xyz = red_spot(kind, affine, index)
    ax, collection = drawn_cubes(Voxels(layer, size=SHAPE, camera=(30, 20), axes=False))
    expected = corners(affine, index)
    found = collection.cubes.corners_xyz
    assert np.allclose(found[np.lexsort(found.round(6).T)], expected[np.lexsort(expected.round(6).T)])
    assert np.allclose(found.mean(axis=0), xyz)
    x, y, _ = proj3d.proj_transform(*expected.T, ax.M)
    quads = np.concatenate([quads for quads, _, _ in collection.faces()]).reshape(-1, 2)
    assert np.allclose(quads.min(axis=0), [x.min(), y.min()])
    assert np.allclose(quads.max(axis=0), [x.max(), y.max()])


@pytest.mark.parametrize(("affine", "index"), CASES)
def test_voxels_over_anatomy(affine, index):
    """The cubes are those of the first layer: the spot colors the cube that holds it, or none of another place."""
    data = np.zeros(SHAPE, np.uint8)
    near = tuple(slice(max(i - 1, 0), i + 2) for i in index)
    data[near] = 1
    xyz = space.apply_affine(affine, index)
    panel = Voxels(anatomy(1.5), LabelMap(Volume(data, affine, "labels"), colors="red"), size=None)
    cubes = panel._cubes
    red = np.argwhere((cubes.rgba[..., :3] == (1, 0, 0)).all(axis=-1) & (cubes.rgba[..., 3] == 1))
    found = space.apply_affine(cubes.affine, red)
    assert len(found)
    assert np.allclose(found.mean(axis=0), xyz, atol=0.6)


@pytest.mark.parametrize(("affine", "index"), CASES)
def test_intensities_in_voxels_over_anatomy(affine, index):
    """Interpolated at the cubes' centres, it fades alike to all sides of its own."""
    volume, xyz = bright(affine, index)
    clear = Intensity(anatomy(1.5), opacity=[(0, 0), (100, 0)])
    cubes = Voxels(clear, Intensity(volume, cmap=RED, opacity=[(0, 0), (100, 1)]), size=None)._cubes
    red = np.argwhere(cubes.alpha > 0)
    weights = cubes.alpha[tuple(red.T)]
    found = np.average(space.apply_affine(cubes.affine, red), axis=0, weights=weights)
    assert np.allclose(found, xyz, atol=0.3)


@pytest.mark.parametrize(("affine", "index"), CASES)
def test_histogram(affine, index):
    """It tells of no place, but of what a clip leaves: the bar of a value goes with the voxel that holds it."""
    volume, xyz = bright(affine, index, body=50)
    count = volume.data.size
    reach = min(volume.spacing) * 0.45

    def share(value, **clip):
        bars = Histogram(Intensity(volume, **clip)).figure(89, 60).axes[0].patches
        return sum(bar.get_height() for bar in bars if bar.get_x() <= value <= bar.get_x() + bar.get_width())

    assert share(100) == pytest.approx(100 / count)
    around = Box(**{axis: (x - reach, x + reach) for axis, x in zip("xyz", xyz, strict=True)})
    assert share(100, clip=around) == 0
    assert share(50, clip=around) == pytest.approx(100 * (20**3 - 1) / (count - 1))
    # Of the whole volume, planes just beyond the voxel's centre leave it, and those just before it do not.
    for axis, x in zip("xyz", xyz, strict=True):
        assert share(100, clip=Plane(**{axis: x + 0.1})) > 0
        assert share(100, clip=Plane(**{axis: x - 0.1})) == 0


@pytest.mark.parametrize("camera", [*space.CAMERAS, (30, 20), space.Camera(10, 200, roll=30)])
def test_a_scene_and_voxels_look_from_the_same_place(camera):
    camera = space.as_camera(camera)
    layer, _ = spot(AFFINES[0], SPOTS[0])
    scene = Scene(layer, camera=camera)
    ax, _ = drawn_cubes(Voxels(layer, size=SHAPE, camera=camera, axes=False))
    points = corners(AFFINES[0], SPOTS[0])
    x, y, _ = proj3d.proj_transform(*points.T, ax.M)
    theirs = ax.transData.transform(np.column_stack([x, y])) * [1, -1]
    ours = scene.project(points, (200, 200))
    theirs, ours = theirs - theirs.mean(axis=0), ours - ours.mean(axis=0)
    scale = np.linalg.norm(theirs) / np.linalg.norm(ours)
    assert np.allclose(theirs, ours * scale, atol=1e-3 * np.abs(theirs).max())


@pytest.mark.parametrize(("affine", "index"), CASES)
def test_voxels_of_unequal_spacing_are_all_there(affine, index):
    layer, _ = spot(affine, index)
    assert Voxels(layer, size=None)._cubes.rgba.shape == (*SHAPE, 4)
