"""Color volumes in every panel."""

import numpy as np
import pytest
from drawn import drawn
from helpers import refuses

from volrender import CutPlane, Histogram, Intensity, Isosurface, LabelMap, Plane, Scene, Slices, Volume, Voxels, paint
from volrender.draw import voxel_grid
from volrender.fields import Field
from volrender.intensity import luma

RED, BLUE = (220, 30, 20), (40, 60, 250)


def halves(channels=3):
    """A box in air, red on the subject's left and blue on the right."""
    data = np.zeros((16, 14, 12, channels), np.uint8)
    data[3:8, 3:11, 3:9, :3], data[8:13, 3:11, 3:9, :3] = RED, BLUE
    if channels == 4:
        data[..., 3] = np.where(data.any(axis=-1), 255, 0)
    affine = np.diag([2, 2, 2, 1.0])
    affine[:3, 3] = (-15, -13, -11)
    return Volume(data, affine, "rgb", "halves")


@pytest.mark.parametrize("channels", [3, 4])
def test_a_slice_shows_the_colors_themselves(channels):
    points = np.array([[-6.0, 0, 0], [6.0, 0, 0]])
    colors = paint.paint(Intensity(halves(channels)), points)
    assert np.allclose(colors, [[*np.divide(RED, 255), 1], [*np.divide(BLUE, 255), 1]], atol=1e-6)


def test_the_left_is_on_the_left_of_a_tile():
    (tile,) = drawn(Slices(halves(), z=0), 60, 100)
    middle = tile.picture[tile.picture.shape[0] // 2]
    reds = np.flatnonzero(middle[:, 0] > 0.7)
    blues = np.flatnonzero(middle[:, 2] > 0.7)
    assert reds.max() < blues.min()


def test_cubes_have_the_colors():
    cubes = voxel_grid.build([Intensity(halves())], None)
    assert np.allclose(cubes.rgba[5, 6, 5, :3], np.divide(RED, 255), atol=1e-6)
    assert np.count_nonzero(cubes.alpha) == 10 * 8 * 6
    assert Voxels(halves(), size=8).figure(60, 80).axes


@pytest.mark.usefixtures("gl")
def test_a_scene_has_the_colors_where_they_are():
    raster = Scene(halves(), camera="posterior").render((100, 100)).astype(int)
    row = raster[50]
    assert (row[25:40, 0] > row[25:40, 2] + 40).all()
    assert (row[60:75, 2] > row[60:75, 0] + 40).all()


@pytest.mark.usefixtures("gl")
def test_a_cut_face_and_a_cut_plane_show_the_colors():
    for layer in (Intensity(halves(), clip=Plane(y=0)), CutPlane(halves(), Plane(y=0))):
        raster = Scene(layer, camera="anterior").render((100, 100))
        assert np.abs(raster[50, 62, :3].astype(int) - RED).max() <= 3
        assert np.abs(raster[50, 38, :3].astype(int) - BLUE).max() <= 3


@pytest.mark.parametrize("channels", [3, 4])
def test_colors_are_sampled_as_colors(channels):
    volume = halves(channels)
    fine = Volume(np.zeros((32, 28, 24)), volume.affine @ np.diag([0.5, 0.5, 0.5, 1]))
    shift = Field(np.full((16, 14, 12, 3), (2, 0, 0)), volume.affine)
    for moved in (volume.resample_to(fine), volume.transform(shift)):
        assert (moved.kind, moved.data.dtype, moved.data.shape[3]) == ("rgb", np.uint8, channels)
    assert np.array_equal(volume.resample_to(fine).data[2::2, ::2, ::2], volume.data[1:])
    assert np.array_equal(volume.transform(shift).data[:-1], volume.data[1:])


def test_what_needs_one_number_a_voxel_says_so():
    volume = halves()
    refuses(TypeError, lambda: Isosurface(volume), "halves", ".luminance")
    refuses(TypeError, lambda: LabelMap(volume), "halves", "use Intensity")
    refuses(TypeError, lambda: Histogram(volume), ".luminance")
    refuses(TypeError, lambda: Intensity(volume, clim=(0, 1)), "no clim")
    refuses(TypeError, lambda: Intensity(volume, blend="maximum"), "blend")
    refuses(TypeError, lambda: CutPlane(volume, Plane(x=0), cmap="hot"), "no clim or cmap")


def test_luminance_is_an_intensity_volume_in_the_same_place():
    bright = halves().luminance
    assert (bright.kind, bright.shape, bright.data.dtype) == ("intensity", (16, 14, 12), np.uint8)
    assert bright.data[5, 6, 5] == round(float(luma(np.uint8([RED]))[0]))
    assert np.array_equal(bright.affine, halves().affine)
    assert Histogram(bright)
