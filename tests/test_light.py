"""How bodies are lit and closed: the same tone in a volume and a surface, and what cut faces and scan ends show."""

import numpy as np
import pytest
from scipy import ndimage

from volrender import Intensity, Isosurface, LabelMap, Plane, Scene, TransferFunction, Volume, paint
from volrender.color import BODY
from volrender.draw import faces
from volrender.draw.surfaces_pyvista import isosurface

pytestmark = pytest.mark.usefixtures("either")

BONE = TransferFunction(
    [(0, 0), (78, 0), (86, 0.9), (100, 0.9)],
    [(0, "black"), (50, "brown"), (100, "ivory")],
    shading={"ambient": 0.3, "diffuse": 0.7, "specular": 0.0, "power": 1.0},
)


def picture(*layers, size=120, **options):
    return Scene(*layers, **options).render((size, size))[..., :3].astype(float)


def test_folds_are_dark_and_what_is_shaded_is():
    """The floor of a groove in a block, against its own tone where no light is lost in folds, as in a draft."""
    data = np.zeros((60, 60, 60))
    data[4:56, 4:56, 4:50] = 1
    data[30:32, 4:56, 48:] = 0
    block = Isosurface(Volume(data, np.eye(4)), 0.5, color="whitesmoke", smooth=False)
    looks = ({}, {"quality": "draft"}, {"light": "flat"})
    final, draft, flat = (Scene(block, camera="superior", **look) for look in looks)
    column, row = np.rint(final.project([[30.5, 30, 48]], (240, 240))[0]).astype(int)
    tones = [int(scene.render((240, 240))[row, column, 0]) for scene in (final, draft, flat)]
    assert tones[0] < tones[1] - 4
    assert tones[2] == 245


def smooth_ball(radius=16.0, sign=1):
    """A ball of 100 in 0, or of -100, with a border as soft as a scan's."""
    far = np.linalg.norm(np.indices((44, 44, 44)) - 21.5, axis=0)
    return Volume(sign * 100 * np.clip((radius - far) / 3 + 0.5, 0, 1), np.eye(4), name="ball")


@pytest.mark.parametrize("affine", [np.eye(4), [[1, 0.6, 0, 0], [0, 1.6, 0.9, 0], [0, 0, 0.8, 0], [0, 0, 0, 1]]])
def test_a_volume_and_a_surface_have_one_tone_from_every_side(affine):
    body = Volume(smooth_ball().data, np.array(affine), name="ball")
    for camera in ("left", "inferior", (35, 45)):
        volume, surface = (
            picture(layer, camera=camera) for layer in (Intensity(body), Isosurface(body, level=50, color=BODY))
        )
        inner = ndimage.binary_erosion((surface < 250).any(axis=-1), iterations=14)
        assert np.abs(volume - surface)[inner].mean() < 8


def test_light_comes_from_above_the_left_and_burns_nothing_out():
    raster = picture(Intensity(smooth_ball()))
    lit, shadow = raster[35, 45], raster[85, 80]
    assert lit.min() > 1.5 * shadow.max()
    assert shadow.min() > 30
    body = raster[(raster < 250).any(axis=-1)]
    assert (body.max(axis=-1) < 254).mean() > 0.97


def test_what_is_negative_is_lit_from_the_same_side():
    curve = [(-100, 0.9), (-50, 0.9), (-40, 0), (0, 0), (40, 0), (50, 0.9), (100, 0.9)]
    look = TransferFunction(curve, [(-100, "white"), (100, "white")])
    positive, negative = (picture(Intensity(smooth_ball(sign=s), preset=look)).mean(axis=-1) for s in (1, -1))
    assert positive[35, 45] > 1.3 * positive[85, 80]
    assert np.abs(positive - negative)[40:80, 40:80].mean() < 10


def test_the_ambient_part_of_a_preset_reaches_what_is_in_shadow():
    tones = []
    for ambient in (0.0, 0.5):
        light = {"ambient": ambient, "diffuse": 0.5, "specular": 0.0, "power": 1.0}
        look = TransferFunction([(0, 0), (40, 0), (60, 0.9)], [(0, "red"), (100, "red")], shading=light)
        tones.append(picture(Intensity(smooth_ball(), preset=look))[75, 75])
    assert tones[1][0] - tones[0][0] == pytest.approx(0.5 * 255, abs=12)
    assert tones[1][1] < 12  # in the color of what is lit


def test_where_a_scan_ends_inside_the_subject_its_last_slice_is_seen():
    i, j, _ = np.indices((30, 30, 20))
    body = np.hypot(i - 14.5, j - 14.5) < 11
    volume = Volume(np.where(body, 40 + 4.0 * i, 0), np.eye(4), name="post")
    layer = Intensity(volume, clim=(0, 160))
    scene = Scene(layer, camera="superior")
    raster = scene.render((150, 150))
    for x in (8, 14, 20):
        column, row = np.rint(scene.project((x, 14, 19.5), (150, 150))).astype(int)
        assert raster[row, column, :3] == pytest.approx(255 * (40 + 4 * x) / 160, abs=8)
    # Seen through, it has no face.
    thin = picture(Intensity(volume, clim=(0, 160), opacity=[(0, 0), (30, 0), (40, 0.02), (160, 0.02)]), size=150)
    assert thin[75, 75].min() > 80


def skull():
    """A shell of bone about a brain, with marrow in the bone, in air."""
    far = np.linalg.norm(np.indices((60, 60, 60)) - 29.5, axis=0)
    data = np.select([far < 17, far < 19.5, far < 20.5, far < 24], [70, 95, 72, 95], 0.0)
    affine = np.eye(4)
    affine[:3, 3] = -29.5
    return Volume(data, affine, name="skull")


def test_a_cut_under_a_preset_is_gray_and_leaves_out_what_it_hides():
    scene = Scene(Intensity(skull(), preset=BONE, clip=Plane(x=0)), camera="right", background="blue")
    raster = scene.render((200, 200)).astype(int)

    def at(radius):
        column, row = np.rint(scene.project((0, radius, 0), (200, 200))).astype(int)
        return raster[row, column, :3]

    assert np.ptp(at(22)) <= 3  # bone
    assert at(22).min() > 200
    assert np.ptp(at(20)) <= 3  # marrow
    assert at(20).max() < at(22).min() - 30
    assert np.ptp(at(5)) > 20  # into the empty skull, or on its far wall: ivory


def test_a_surface_of_whole_numbers_is_lit_without_rings():
    """Normals on a ball whose edge has a few gray levels only."""
    far = np.linalg.norm(np.indices((44, 44, 44)) - 21.5, axis=0)
    stepped = Volume(np.rint(8 * np.clip((16 - far) / 3 + 0.5, 0, 1)).astype(np.uint8), np.eye(4), name="ball")
    mesh = isosurface(Isosurface(stepped, level=4.3))
    radial = np.asarray(mesh.points) - 21.5
    radial /= np.linalg.norm(radial, axis=1, keepdims=True)
    off = np.degrees(np.arccos((np.asarray(mesh.point_data["Normals"]) * radial).sum(axis=1).clip(-1, 1)))
    del mesh.point_data["Normals"]
    own = mesh.compute_normals(cell_normals=False, split_vertices=False, auto_orient_normals=False)
    rough = np.degrees(np.arccos((np.asarray(own.point_data["Normals"]) * radial).sum(axis=1).clip(-1, 1)))
    assert np.percentile(off, 95) < 4
    assert np.percentile(off, 95) < 0.6 * np.percentile(rough, 95)


def test_the_flat_end_of_a_surface_keeps_its_normal():
    post = Volume(np.where(np.hypot(*np.indices((30, 30, 20))[:2] - 14.5) < 11, 100.0, 0), np.eye(4), name="post")
    mesh = isosurface(Isosurface(post, level=50))
    top = np.asarray(mesh.points)[:, 2] > 19.4
    middle = np.hypot(*(np.asarray(mesh.points)[:, :2].T - 14.5)) < 8
    assert np.asarray(mesh.point_data["Normals"])[top & middle][:, 2].min() > 0.99


def test_a_cut_face_is_a_slice_up_to_its_edge():
    """A light rind on a darker core, as blurred as it was scanned: nothing is moved, and nothing made up."""
    far = np.linalg.norm(np.indices((40, 40)) - 19.5, axis=0)
    disc = ndimage.gaussian_filter(np.where(far < 13, 110.0, np.where(far < 16, 200.0, 0)), 0.7)
    volume = Volume(np.repeat(disc[None], 20, axis=0), np.eye(4))
    (face,) = faces.cut_faces([Intensity(volume, clip=Plane(x=10.2), clim=(0, 200))], 0.1)
    inside = face.covered >= 0.5
    values = paint.sample(volume, face.grid[inside])
    assert np.percentile(values, 1) < 60
    assert np.abs(face.picture[inside][:, 0] - values.clip(0, 200) / 200).max() < 0.1


def test_the_steps_between_the_voxels_of_labels_are_no_rings():
    """A large ball of one label is lit as a ball: by a tone that a polynomial follows."""
    far = np.linalg.norm(np.indices((84, 84, 84)) - 41.5, axis=0)
    ball = LabelMap(Volume((far < 38).astype(np.uint8), np.eye(4), "labels"), colors="white")
    tone = picture(ball, size=160, camera="left")[..., 0]
    y, x = np.indices(tone.shape) / 80 - 1
    inner = np.hypot(x, y) < 0.6
    terms = np.stack([x[inner] ** a * y[inner] ** b for a in range(7) for b in range(7 - a)], axis=-1)
    rest = tone[inner] - terms @ np.linalg.lstsq(terms, tone[inner], rcond=None)[0]
    assert np.abs(rest).max() < 14
    assert rest.std() < 2.4
