"""One volume, stored in all 48 ways: the same picture to the byte; oblique and sheared copies differ by resampling."""

from functools import cache

import numpy as np
import pytest
from drawn import drawn
from helpers import CODES
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import ndimage

from volrender import (
    Annotation,
    CutPlane,
    Intensity,
    Isosurface,
    LabelMap,
    Plane,
    Scene,
    Slices,
    Volume,
    Voxels,
    sample,
    space,
)

SIDE = Plane(normal=(1, 1, 0), origin=(4, 0, 0))
SLANT = Plane(normal=(-0.6, 0.5, 0.4), origin=(-1, 2, -4))


def phantom():
    """A body without symmetry, with a marker on its left, above and in front."""
    data = np.zeros((10, 12, 9), np.int16)
    data[2:8, 2:10, 1:7] = 100
    data[2:4, 7:10, 5:7] = 300
    data[5:7, 3:5, 2:4] = 200
    affine = np.diag([4.0, 3.0, 6.0, 1.0])
    affine[:3, 3] = (-20, -17, -24)
    return Volume(data, affine, name="phantom")


@cache
def head():
    return sample("mni152").downsize(14)


def regions():
    straight = phantom()
    return Volume((straight.data // 100).astype(np.uint8), straight.affine, "labels", "regions")


def colors():
    """The phantom in colors that change along every axis."""
    straight = phantom()
    ramps = np.moveaxis(np.indices(straight.shape), 0, -1) * 15 + 60
    return Volume((ramps * (straight.data > 0)[..., None]).astype(np.uint8), straight.affine, "rgb", "colors")


def signed():
    """A map with a sign on a turned grid of its own, with two voxels alike extreme off the phantom's middle."""
    affine = space.rotation("y", 35) @ np.diag([5.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = space.apply_affine(affine, (-4, -5, -3.5))
    data = np.zeros((9, 10, 8), np.float32)
    data[2:4, 6:8, 4:7], data[3, 7, 5], data[6:8, 2:5, 2:4] = 4.5, 6.5, -3.5
    data[7, 2, 3] = -6.5  # whole numbers would be an image, not a map
    volume = Volume(data, affine, name="map")
    assert volume.survey.signed
    return volume


def oblique():
    """The phantom, lying turned and sheared in the world."""
    straight = phantom()
    return Volume(straight.data, turned() @ sheared() @ straight.affine, name="oblique")


def turned():
    return space.rotation("z", 30) @ space.rotation("x", 12)


def sheared():
    return np.array([[1, 0.25, 0, 0], [0, 1, 0.2, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def other(code):
    """Another order, so that two volumes of one picture are not stored alike."""
    return CODES[(CODES.index(code) + 29) % len(CODES)]


# What is drawn of volumes that are stored in the order `code`: in which panels, and the layers.
CASES = {
    "head": ("slices voxels", lambda code: [Intensity(head().reorient(code), clip=SIDE)]),
    "surfaces": (
        "slices scene",
        lambda code: [
            Isosurface(phantom().reorient(code), level=150),
            LabelMap(regions().reorient(other(code)), clip=SIDE),
            CutPlane(phantom().reorient(code), SLANT),
        ],
    ),
    "labels": ("voxels", lambda code: [LabelMap(regions().reorient(code), clip=SIDE)]),
    "colors": ("voxels scene", lambda code: [Intensity(colors().reorient(code), clip=SIDE)]),
    "maximum": ("scene", lambda code: [Intensity(phantom().reorient(code), blend="maximum")]),
    "surface on another grid": (
        "voxels scene",
        lambda code: [Intensity(phantom().reorient(code), clip=SIDE), Isosurface(signed().reorient(other(code)), 3)],
    ),
    "map on another grid": (
        "slices",
        lambda code: [Intensity(colors().reorient(code)), Intensity(signed().reorient(other(code)))],
    ),
    "oblique": ("slices voxels scene", lambda code: [Intensity(oblique().reorient(code), clip=SIDE)]),
}


def pixels(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


def slices(layers):
    """At the default positions, which are the volumes' to tell."""
    return pixels(Slices(*layers).figure(60, 50))


EVERYTHING = Annotation(crosshair=True, reference=True)
WAYS = {
    "any plane": {"x": 3.5, "y": [-8, 4], "plane": [SLANT, SIDE], "annotate": EVERYTHING, "colorbar": False},
    "by number": {"n": (1, 2, 3), "annotate": EVERYTHING, "colorbar": False, "radiological": True},
    "along the voxels": {"space": "native", "n": 2, "camera": "superior", "annotate": EVERYTHING, "colorbar": False},
    "along another's voxels": {"space": oblique(), "z": 1, "y": -2, "annotate": EVERYTHING, "colorbar": False},
}


def overlaid(code):
    """Every sort of layer, each stored in its own way."""
    return [
        Intensity(oblique().reorient(code)),
        Intensity(signed().reorient(other(code)), level=3),
        LabelMap(regions().reorient(code), outline=True, clip=SIDE),
        Isosurface(phantom().reorient(other(code)), level=150),
        CutPlane(phantom().reorient(code), SLANT),
    ]


@pytest.mark.parametrize("way", WAYS)
def test_every_storage_order_gives_the_same_slices_of_any_sort(way):
    in_every_order(lambda layers: pixels(Slices(*layers, **WAYS[way]).figure(60, 40)), overlaid)


def voxels(layers):
    return pixels(Voxels(*layers, size=6).figure(60, 40))


def scene(layers):
    return Scene(*layers, camera=(20, 140)).render((48, 48))


def in_every_order(draw, make, whole=False):
    """All 48 where they may tell most; for the rest 16, each axis and direction in each place among them."""
    first = draw(make("RAS"))
    assert first.std() > 10
    for code in CODES if whole else CODES[1::6]:
        assert np.array_equal(draw(make(code)), first), code


@pytest.mark.filterwarnings("ignore:nothing is to be seen of phantom on the sagittal slice")
@pytest.mark.parametrize("case", [name for name, (panels, _) in CASES.items() if "slices" in panels])
def test_every_storage_order_gives_the_same_slices(case):
    in_every_order(slices, CASES[case][1], case == "oblique")


@pytest.mark.filterwarnings("ignore:Voxels of 10 mm show nothing")
@pytest.mark.parametrize("case", [name for name, (panels, _) in CASES.items() if "voxels" in panels])
def test_every_storage_order_gives_the_same_voxels(case):
    in_every_order(voxels, CASES[case][1])


@pytest.mark.usefixtures("gl")
@pytest.mark.parametrize("case", [name for name, (panels, _) in CASES.items() if "scene" in panels])
def test_every_storage_order_gives_the_same_scene(case):
    in_every_order(scene, CASES[case][1])


def pair(matrix, size):
    """The head, and a copy whose voxels lie on rotated or sheared axes: their values are the head's there."""
    straight = sample("mni152").downsize(size).smooth(5)
    low, high = straight.bounds[:, 0], straight.bounds[:, 1]
    corners = space.apply_affine(np.linalg.inv(matrix), np.array(np.meshgrid(*zip(low, high))).reshape(3, -1).T)
    step = np.diag([*[min(straight.spacing)] * 3, 1.0])
    step[:3, 3] = corners.min(axis=0)
    shape = np.ceil(np.ptp(corners, axis=0) / min(straight.spacing)).astype(int)
    copy = straight.resample_to(Volume(np.zeros(shape, np.uint8), matrix @ step))
    assert copy.obliquity > 5
    return straight, copy


def assert_same_silhouette(one, two):
    assert 0.1 < one.mean() < 0.9
    assert (one & two).sum() / (one | two).sum() >= 0.99
    assert np.abs(np.subtract(*map(ndimage.center_of_mass, (one, two)))).max() <= 0.5


@pytest.mark.usefixtures("gl")
@pytest.mark.parametrize("make", [turned, sheared])
@pytest.mark.parametrize("layer", [Intensity, Isosurface])
def test_a_copy_on_another_grid_is_the_same_subject_in_a_scene(make, layer):
    pictures = [Scene(layer(volume), camera=(15, 140)) for volume in pair(make(), 80)]
    view = pictures[0]._view((240, 240))
    masks = []
    for picture in pictures:
        picture.__dict__["_subject"] = pictures[0]._subject
        assert picture._view((240, 240)) == view
        masks.append((picture.render((240, 240))[..., :3] < 250).any(axis=-1))
    assert_same_silhouette(*masks)


@pytest.mark.parametrize("make", [turned, sheared])
def test_a_copy_on_another_grid_is_the_same_subject_in_slices(make):
    panels = [Slices(Intensity(volume, clim=(0, 200)), x=4, y=-8, z=12) for volume in pair(make(), 128)]
    for name in ("_points", "_corners"):  # one frame for both
        panels[1].__dict__[name] = getattr(panels[0], name)
    tiles = [[tile.picture[..., 0] > 0.3 for tile in drawn(panel, 183, 150)] for panel in panels]
    assert len(tiles[0]) == 3
    for one, two in zip(*tiles, strict=True):
        assert_same_silhouette(one, two)


@pytest.mark.parametrize("make", [turned, sheared])
def test_a_copy_on_another_grid_is_the_same_subject_in_voxels(make):
    masks = []
    for volume in pair(make(), 128):
        figure = Figure((3, 3), dpi=100)
        FigureCanvasAgg(figure)
        ax = figure.add_axes((0, 0, 1, 1), projection="3d", proj_type="ortho", elev=15, azim=140)
        ax.set(xlim=(-110, 110), ylim=(-130, 90), zlim=(-100, 120), autoscale_on=False)
        ax.set_box_aspect((1, 1, 1), zoom=1.3)
        ax.set_axis_off()
        Voxels(Isosurface(volume, level=60), size=None).draw(ax)
        assert ax.get_xlim() == (-110, 110)
        masks.append((pixels(figure)[..., :3] < 250).any(axis=-1))
    assert_same_silhouette(*masks)
