"""Isosurfaces and label surfaces as bodies: their volume, their borders, their normals, and how far they may be off."""

import numpy as np
import pytest
from helpers import affines, ball, refuses
from hypothesis import given, settings

from volrender import Isosurface, LabelMap, Scene, Volume, sample, space
from volrender.draw.surfaces_pyvista import isosurface, label_surface

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


def test_smoothing_keeps_the_volume_of_a_head():
    head = sample("mni152")
    plain, smooth = (isosurface(Isosurface(head, 60, smooth=smooth)).volume for smooth in (False, True))
    assert abs(smooth - plain) <= 0.01 * plain


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


def test_a_surface_is_clean_and_capped_where_the_volume_ends():
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


def test_every_label_is_closed_and_neighbours_share_their_border():
    data = np.zeros((24, 20, 20), np.uint8)
    data[4:12, 4:16, 4:16], data[12:20, 4:16, 4:16] = 1, 2
    mesh = label_surface(LabelMap(Volume(data, EYE, "labels"), colors={1: "red", 2: "blue"}))
    assert mesh.n_open_edges == 0
    assert mesh.clean(tolerance=1e-9, absolute=True).n_points == mesh.n_points  # border points are the same ones
    colors = {tuple(rgb) for rgb in np.asarray(mesh.active_scalars if mesh.active_scalars is not None else mesh["rgb"])}
    assert colors == {(255, 0, 0), (0, 0, 255)}


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
    assert abs(mesh.volume) == pytest.approx(2 * 8 * size**3, rel=0.05 if size > 1 else 0.9)
