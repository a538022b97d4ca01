"""One volume, stored in all 48 ways: the same picture to the byte; oblique and sheared copies differ by resampling."""

import numpy as np
import pytest
from helpers import CODES
from scipy import ndimage

from volrender import Intensity, Isosurface, Plane, Scene, Slices, Volume, Voxels, paint, sample, space

SIZE = (120, 120)


def phantom():
    """A body without symmetry, with a marker on its left, above and in front."""
    data = np.zeros((20, 24, 18), np.int16)
    data[4:16, 3:20, 2:14] = 100
    data[4:7, 14:20, 10:14] = 300
    affine = np.diag([2.0, 1.5, 3.0, 1.0])
    affine[:3, 3] = (-20, -17, -24)
    return Volume(data, affine, name="phantom")


def head():
    return sample("mni152").downsize(32)


def slices(volume):
    page = Slices(volume, x=2, y=-3, z=4).figure(60, 100)
    return np.asarray(page.canvas.buffer_rgba() if page.canvas.draw() is None else ())


def voxels(volume):
    page = Voxels(volume, size=12).figure(60, 100)
    return np.asarray(page.canvas.buffer_rgba() if page.canvas.draw() is None else ())


def scene(volume):
    cut = Intensity(volume, clip=Plane(normal=(1, 1, 0), origin=(4, 0, 0)))
    return Scene(cut, camera=(20, 140)).render(SIZE)


@pytest.mark.parametrize("make", [phantom, head], ids=["phantom", "head"])
@pytest.mark.parametrize("draw", [slices, voxels])
def test_every_storage_order_gives_the_same_picture(make, draw):
    volume = make()
    first = draw(volume)
    assert first.std() > 10
    for code in CODES:
        assert np.array_equal(draw(volume.reorient(code)), first), code


@pytest.mark.usefixtures("gl")
@pytest.mark.parametrize("make", [phantom, head], ids=["phantom", "head"])
def test_every_storage_order_gives_the_same_scene(make):
    volume = make()
    first = scene(volume)
    assert first.std() > 10
    for code in CODES:
        assert np.array_equal(scene(volume.reorient(code)), first), code


def turned():
    return space.rotation("z", 30) @ space.rotation("x", 12)


def sheared():
    return np.array([[1, 0.25, 0, 0], [0, 1, 0.2, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


@pytest.mark.usefixtures("gl")
@pytest.mark.parametrize("make", [turned, sheared])
@pytest.mark.parametrize("layer", [Intensity, Isosurface])
def test_a_copy_on_another_grid_is_the_same_subject(make, layer):
    # The copy's voxels lie on rotated or sheared axes; their values are those that the head has there.
    straight = sample("mni152").downsize(96).smooth(5)
    matrix = make()
    low, high = straight.bounds[:, 0], straight.bounds[:, 1]
    corners = space.apply_affine(np.linalg.inv(matrix), np.array(np.meshgrid(*zip(low, high))).reshape(3, -1).T)
    step = np.diag([*[min(straight.spacing)] * 3, 1.0])
    step[:3, 3] = corners.min(axis=0)
    shape = np.ceil(np.ptp(corners, axis=0) / min(straight.spacing)).astype(int)
    target = Volume(np.zeros(shape, np.uint8), matrix @ step)
    copy = straight.resample_to(target)
    assert copy.obliquity > 5
    pictures = [Scene(layer(volume), camera=(15, 140)) for volume in (straight, copy)]
    view = pictures[0]._view((300, 300))
    masks = []
    for picture in pictures:
        picture.__dict__["_subject"] = paint.subject_points(pictures[0].layers)
        assert picture._view((300, 300)) == view
        masks.append((picture.render((300, 300))[..., :3] < 250).any(axis=-1))
    assert (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum() >= 0.99
    centers = [ndimage.center_of_mass(mask) for mask in masks]
    assert np.abs(np.subtract(*centers)).max() <= 0.5
