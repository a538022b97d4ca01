import numpy as np
import pytest
from drawn import drawn, places
from helpers import CODES, ball, hill, refuses, tilted
from matplotlib.figure import Figure
from matplotlib.text import Text
from printed import assert_lettering_is_clear

from volrender import (
    Annotation,
    Box,
    CutPlane,
    Intensity,
    Isosurface,
    LabelMap,
    Plane,
    Slices,
    Volume,
    cuts,
    focus,
    sample,
    space,
)
from volrender.draw import slices, tiles
from volrender.draw.annotate import Raster
from volrender.io import Label

EYE = np.eye(4)
CENTERED = np.array([[2, 0, 0, -23], [0, 2, 0, -23], [0, 0, 2, -23], [0, 0, 0, 1.0]])
SIGNED = Volume(np.random.default_rng(0).normal(size=(9, 9, 9)), EYE, name="zmap", unit="z")


def pictures(panel, **options):
    """The picture (rows from the bottom up, columns, 4) of each tile."""
    return [tile.picture for tile in drawn(panel, **options)]


def bars(figure):
    """The axes of the color bars."""
    return [ax for ax in figure.axes if ax.get_images() and ax.axison]


def texts(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


# Where things are


@pytest.mark.parametrize("affine", tilted(6, seed=1))
@pytest.mark.parametrize("axis", range(3))
def test_a_marker_is_at_its_place_in_the_tile(affine, axis):
    at = np.array([5.0, -3.0, 8.0])
    (tile,) = drawn(Slices(hill(affine, at, reach=15), **{"xyz"[axis]: at[axis]}))
    gray = tile.picture[..., 0]
    assert np.allclose(tile.middle(gray > 0.5 * gray.max()), np.delete(at, axis), atol=0.7)


def wave(xyz):
    return 50 + 30 * np.sin(xyz[..., 0] / 12) + 20 * np.cos(xyz[..., 1] / 15 + xyz[..., 2] / 20)


SLANT = Plane(normal=(0.3, -0.5, 0.8), origin=(1, 2, 3))


@pytest.mark.parametrize("affine", tilted(8, seed=2))
@pytest.mark.parametrize(
    "how", [{"x": 1, "y": 2, "z": -3}, {"plane": SLANT}, {"z": -3, "y": 2, "space": "native"}], ids=str
)
def test_a_tile_is_the_field_itself_whatever_the_grid(affine, how):
    index = np.moveaxis(np.indices((24, 24, 24)), 0, -1)
    layer = Intensity(Volume(wave(space.apply_affine(affine, index)), affine), clim=(0, 100), opacity=1.0)
    for tile in drawn(Slices(layer, **how)):
        points = tile.cut.sheet(tile.extent, tile.picture.shape[1::-1]).points
        inside = space.apply_affine(np.linalg.inv(affine), points)
        inside = ((inside > 0) & (inside < 23)).all(axis=-1)
        assert inside.mean() > 0.1
        assert np.abs(tile.picture[..., 0] - wave(points) / 100)[inside].max() < 0.02


@pytest.mark.parametrize("affine", tilted(6, seed=7))
def test_the_edges_of_a_box_are_at_their_mm_in_any_plane(affine):
    """A box of voxels in a sheared volume, cut by a plane of any direction: a polygon with known corners."""
    data = np.zeros((24, 24, 24))
    data[6:18, 8:16, 5:20] = 100
    rng = np.random.default_rng(int(abs(affine[0, 0]) * 1e6))
    plane = Plane(normal=rng.normal(size=3), origin=rng.uniform(-3, 3, size=3))
    volume = Volume(data, affine)
    surface = Isosurface(volume, level=50, color="red")
    (tile,) = drawn(Slices(volume, surface, plane=plane), width=120, dpi=150)
    (line,) = tile.colored((1, 0, 0))
    world = line @ np.stack([tile.cut.right, tile.cut.up]) + tile.cut.offset * tile.cut.normal
    assert np.allclose((world - plane.origin) @ plane.normal, 0, atol=1e-9)
    low, high = np.array([5.5, 7.5, 4.5]), np.array([17.5, 15.5, 19.5])  # outer faces
    index = space.apply_affine(np.linalg.inv(affine), world)
    off = np.max([low - index, index - high], axis=(0, 2))  # 0 on the faces; interpolation rounds edges, inward
    assert off.max() < 0.02
    assert off.min() > -0.6
    assert np.quantile(off, 0.25) > -0.03
    values = tile.at(world - 0.5 * (world - world.mean(axis=0)))
    assert (values[:, 0] > 0.99).all()


def test_pixel_centres_fill_the_extent():
    cut = cuts.across(np.eye(3), 1, 2.5)
    points = cut.sheet(np.array([[-4.0, 6.0], [-1.0, 1.0]]), (20, 4)).points
    assert points.shape == (4, 20, 3)
    assert (points[..., 1] == 2.5).all()
    assert points[0, 0].tolist() == [-3.75, 2.5, -0.75]
    assert points[-1, -1].tolist() == [5.75, 2.5, 0.75]


# Left and right


TURNED = np.array([[0.9, -0.3, 0.2, 0], [0.3, 0.9, 0.1, 0], [-0.2, 0.0, 1.0, 0], [0, 0, 0, 1.0]])
MODES = {
    "axial": {"z": 0},
    "coronal": {"y": 0},
    "three": {},
    "rows": {"n": 2},
    "oblique": {"plane": [Plane(normal=(0.3, -0.4, 0.8)), Plane(normal=(0.2, 0.9, -0.4))]},
    "native": {"y": 0, "z": 0, "space": "native"},
    "another's": {"y": 0, "z": 0, "space": Volume(np.zeros((3, 3, 3)), TURNED)},
    "from above": {"camera": "superior"},
    "from below": {"camera": "inferior"},
    "from before": {"camera": "anterior"},
    "from behind": {"camera": "posterior", "n": 2},
}


@pytest.mark.parametrize("radiological", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_a_marker_on_the_subjects_left_is_under_the_l(mode, radiological):
    data = np.zeros((24, 24, 24))
    data[4:20, 4:20, 4:20] = 30
    data[4:9, 4:20, 4:20] = 100  # on the subject's left
    ground = Volume(data, TURNED @ CENTERED)
    if radiological and mode in ("from above", "from behind"):
        refuses(ValueError, lambda: Slices(ground, radiological=True, **MODES[mode]), "radiological slices are not")
        return
    panel = Slices(ground, radiological=radiological, annotate=Annotation(reference=True), **MODES[mode])
    figure = panel.figure(120, 100)
    seen = 0
    for tile in drawn(panel, figure=figure):
        letters = {
            text.get_text(): text.get_position()[0]
            for ax in figure.axes
            for text in ax.texts
            if tile.box[0] <= text.get_position()[0] <= tile.box[2]
            and tile.box[1] < text.get_position()[1] < tile.box[3]
        }
        sides = {letter: at for name, at in letters.items() for letter in ("L", "R") if letter in name}
        bright = np.nonzero(tile.picture[..., 0] > 0.9)[1]
        if tile.cut.axis == 0 or not bright.size:
            continue
        seen += 1
        left_of_middle = bright.mean() < tile.picture.shape[1] / 2
        assert (sides["L"] < sides["R"]) == left_of_middle
        if "from" not in mode:
            assert left_of_middle != radiological
            assert ("radiological" if radiological else "neurological") in texts(figure)
    assert seen


def test_both_conventions_in_one_picture_are_told():
    panel = Slices(ball(), y=0, z=0, camera="anterior")
    assert "sides as lettered" in texts(panel.figure(60, 60))
    assert tiles.convention(Slices(ball(), x=0).cuts) == ""


@pytest.mark.parametrize(
    ("axis", "ends"), [("x", ("P", "A")), ("y", ("L", "R")), ("z", ("L", "R"))], ids=["sagittal", "coronal", "axial"]
)
def test_each_tile_is_lettered(axis, ends):
    figure = Slices(ball(), **{axis: 1.5}).figure(60, 100)
    assert texts(figure)[:3] == [*ends, f"{axis} = 1.5 mm"]
    mirrored = texts(Slices(ball(), **{axis: -1.5}, radiological=True).figure(60, 100))
    assert mirrored[:2] == (["R", "L"] if "L" in ends else ["P", "A"])
    assert mirrored[2] == f"{axis} = −1.5 mm"


def test_letters_stand_over_the_tiles_and_apart():
    panel = Slices(ball(), z=[-4, 0, 4])
    figure = panel.figure(60, 200)
    ends = [text.get_window_extent() for ax in figure.axes for text in ax.texts]
    found, raster = places(panel, figure)
    for n, end in enumerate(ends):
        assert figure.bbox.x0 <= end.x0 < end.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= end.y0 < end.y1 <= figure.bbox.y1
        assert not any(end.overlaps(other) for other in ends[n + 1 :])
        middle = raster.axes.transData.inverted().transform([(end.x0 + end.x1) / 2, (end.y0 + end.y1) / 2])
        assert all(middle[1] > place.sill + place.tall or middle[1] < place.sill for place in found)


# Lines


@pytest.mark.parametrize("affine", tilted(6, seed=3))
def test_the_contour_of_a_sphere_has_its_radius(affine):
    center = np.array([2.0, -3.0, 1.0])
    panel = Slices(Isosurface(hill(affine, center, reach=30), level=60), x=2, y=0, z=-3)
    radii = np.sqrt(12.0**2 - (np.array([2, 0, -3]) - center) ** 2)
    for tile, radius in zip(drawn(panel), radii, strict=True):
        line = np.concatenate([line for line, _ in tile.lines])
        assert np.allclose(np.hypot(*(line - tile.uv(center)).T), radius, atol=0.35)


def test_a_contour_has_the_surfaces_color_and_stops_at_its_clip():
    surface = Isosurface(hill(CENTERED), level=60, color="lime", opacity=0.5, clip=Plane(x=4))
    (tile,) = drawn(Slices(surface, z=0))
    assert all(np.allclose(tone, [0, 1, 0, 0.5]) for _, tone in tile.lines)
    line = np.concatenate([line for line, _ in tile.lines])
    assert line[:, 0].min() == pytest.approx(-16, abs=0.2)
    assert line[:, 0].max() <= 4 + 1e-6


def test_a_surface_off_the_slice_leaves_no_line():
    with pytest.warns(UserWarning, match="nothing is to be seen of ball on the axial slice at z = 9 mm"):
        (tile,) = drawn(Slices(ball(), Isosurface(ball(), level=50), z=9))
    assert not tile.lines


def test_a_cut_plane_leaves_its_trace():
    plane = Plane(normal=(1, 2, 0), origin=(1, 0, 0))
    panel = Slices(hill(CENTERED), CutPlane(hill(CENTERED), plane), x=3, z=0)
    across, along = drawn(panel)
    assert np.allclose(across.lines[0][0][:, 0], -1, atol=1e-6)
    line = along.lines[0][0]
    assert np.allclose(line @ [1, 2], 1, atol=1e-6)
    assert np.ptp(line[:, 0]) > 20
    _, raster = places(panel, panel.figure())
    assert raster.axes.collections[0].get_linestyle()[0][1] is not None


def test_a_plane_that_lies_elsewhere_leaves_no_trace():
    with pytest.warns(UserWarning, match="nothing is to be seen of hill on the axial slice at z = 0 mm"):
        (tile,) = drawn(Slices(hill(CENTERED), CutPlane(hill(CENTERED), Plane(z=5)), z=0))
    assert not tile.lines


def test_the_outline_of_a_label_is_its_border():
    """A box of voxels in a turned grid: lines half a voxel beyond its outer centres, and no area."""
    (affine,) = tilted(1, seed=11)
    data = np.zeros((24, 24, 24), np.uint8)
    data[6:18, 4:12, 5:20], data[6:18, 12:20, 5:20] = 3, 9
    layer = LabelMap(Volume(data, affine, "labels"), colors={3: "lime", 9: "red"}, outline=True, opacity=0.8)
    for tile in drawn(Slices(hill(affine, reach=60), layer, plane=SLANT, z=0), width=120, dpi=150):
        for color, low, high in (((0, 1, 0), 3.5, 11.5), ((1, 0, 0), 11.5, 19.5)):
            lines = np.concatenate(tile.colored(color))
            world = lines @ np.stack([tile.cut.right, tile.cut.up]) + tile.cut.offset * tile.cut.normal
            index = space.apply_affine(np.linalg.inv(affine), world)
            low, high = np.array([5.5, low, 4.5]), np.array([17.5, high, 19.5])
            off = np.max([low - index, index - high], axis=(0, 2))
            assert off.max() < 0.02
            assert np.median(off) > -0.02  # corners are rounded, inward
        assert (np.ptp(tile.picture[..., :3], axis=-1) == 0).all()


def test_a_crosshair_is_at_its_point_on_the_slices_that_hold_it():
    body = hill(CENTERED, reach=60)
    tiles = drawn(Slices(body, z=[4, 10], x=-5, plane=SLANT, annotate=Annotation(crosshair=(-5, 2, 10))))
    assert [len(tile.lines) for tile in tiles] == [4, 0, 4, 0]
    for tile in (tiles[0], tiles[2]):
        u, v = tile.uv([-5, 2, 10])
        level, upright = ([line for line, _ in tile.lines if np.ptp(line[:, w]) < 1e-4] for w in (1, 0))
        assert np.allclose([line[:, 1] for line in level], v, atol=1e-4)
        assert np.allclose([line[:, 0] for line in upright], u, atol=1e-4)
        assert not any(line[:, 0].min() < u < line[:, 0].max() for line in level)  # what it points at is not covered


def test_a_crosshair_beside_all_slices_is_told():
    body = hill(CENTERED, reach=60)
    with pytest.warns(UserWarning, match=r"the crosshair at \(0, 0, 9\) mm lies on none of the slices, axial slices"):
        Slices(body, z=[4, 10], annotate=Annotation(crosshair=(0, 0, 9))).figure(30, 50)


def test_of_several_slices_the_crosshair_is_in_those_next_to_the_finding():
    body = hill(CENTERED, (4, -6, 2), reach=60)
    panel = Slices(body, x=3, z=[-9, 1, 9], annotate=Annotation(crosshair=True))
    assert [len(tile.lines) for tile in drawn(panel)] == [4, 0, 4, 0]
    assert "The crosshair is at (3, −" in panel.caption()


@pytest.mark.parametrize("how", [{}, {"space": "native"}, {"x": 3, "z": -4}, {"plane": SLANT}])
def test_the_crosshair_is_where_single_slices_meet(how):
    (affine,) = tilted(1, seed=4)
    tiles = drawn(Slices(hill(affine, (4, -6, 2)), annotate=Annotation(crosshair=True), **how))
    found = []
    for tile in tiles:
        assert len(tile.lines) == 4
        ends = np.concatenate([line for line, _ in tile.lines])
        u, v = (np.median(ends[:, w]) for w in (0, 1))  # half of the ends lie on the other line
        found.append(u * tile.cut.right + v * tile.cut.up + tile.cut.offset * tile.cut.normal)
    assert np.allclose(found, found[0], atol=1e-3)


@pytest.mark.parametrize("how", [{"z": [-9, 0, 12]}, {"y": [-5, 5]}, {"x": [0, 7]}, {"plane": SLANT}, {"n": 3}])
def test_the_reference_view_shows_where_the_slices_are(how):
    affine = tilted(1, seed=9)[0]
    panel = Slices(hill(affine, reach=50), annotate=Annotation(reference=True), **how)
    tiles = drawn(panel, width=150, dpi=150)
    group = []
    for tile in tiles:
        if not tile.reference:
            group.append(tile.cut)
            continue
        assert len(tile.lines) == len(group)
        for cut, (line, _) in zip(group, tile.lines, strict=True):
            world = line @ np.stack([tile.cut.right, tile.cut.up]) + tile.cut.offset * tile.cut.normal
            assert np.allclose(world @ cut.normal, cut.offset, atol=1e-3)
            assert np.hypot(*np.ptp(line, axis=0)) > 20
        group = []
    assert sum(tile.reference for tile in tiles) == (3 if "n" in how else 1)


# Layers over one another


def test_layers_on_other_grids_lie_where_they_are():
    head = hill(CENTERED, reach=60)
    (affine,) = tilted(1, seed=5)
    labels = hill(affine, (6, 2, -4), reach=20)
    mask = Volume((labels.data > 60).astype(np.uint8), affine, "labels")
    (tile,) = drawn(Slices(head, LabelMap(mask, colors="red"), z=-4))
    assert tile.at([6, 2, -4])[:3].tolist() == [1, 0, 0]
    gray = tile.at([-6, 2, -4])
    assert gray[0] == gray[1] == gray[2]


@pytest.mark.parametrize("thresholded", [False, True])
def test_a_thresholded_map_has_no_pale_fringe(thresholded):
    """Whether the layer or the volume has the threshold: no color is nearer to 0 than the level's."""
    (affine,) = tilted(1, seed=6)
    zmap = Volume(hill(affine, (6, 2, -4), 20, peak=8).data - hill(affine, (-9, 2, -4), 15, peak=7).data, affine)
    layer = Intensity(zmap.threshold(3), cmap="bwr") if thresholded else Intensity(zmap, level=3, cmap="bwr")
    assert layer.look.survey.signed
    (tile,) = drawn(Slices(hill(CENTERED, reach=60), layer, z=-4), width=120, dpi=150)
    colored = np.ptp(tile.picture[..., :3], axis=-1) > 0
    assert 0.02 < colored.mean() < 0.5
    paleness = tile.picture[..., :3][colored].min(axis=-1)
    assert paleness.max() <= layer.look.rgb([3.0, -3.0]).min() + 0.02
    both = tile.picture[..., :3][colored]
    assert (both[:, 0] > both[:, 2]).any()
    assert (both[:, 2] > both[:, 0]).any()
    if not thresholded:  # the border is where the field crosses the level
        points = tile.cut.sheet(tile.extent, tile.picture.shape[1::-1]).points
        radius = np.linalg.norm(points - [6, 2, -4], axis=-1)
        assert radius[colored & (points[..., 0] > 2)].max() == pytest.approx(20 * 5 / 8, abs=0.6)


def test_what_a_clip_removes_is_ground():
    (tile,) = drawn(Slices(Intensity(hill(CENTERED, reach=60), clip=Box(x=(0, None))), z=0))
    assert tile.at([-3, 0, 0])[0] > 0.5
    assert tile.at([2, 0, 0]).tolist() == [0, 0, 0, 1]


def test_the_ground_is_black_under_gray_anatomy_and_else_the_page():
    assert slices.ground([Intensity(ball())]) == (0, 0, 0)
    assert slices.ground([Intensity(ball(), cmap="gray_r")]) == (1, 1, 1)
    assert slices.ground([Intensity(SIGNED)]) is None
    assert slices.ground([LabelMap(Volume(ball().data > 0, EYE))]) is None


# Which slices


def test_by_default_three_slices_meet_in_the_middle_of_the_subject():
    moved = ball().transform([[1, 0, 0, 10], [0, 1, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1]])
    assert [(cut.axis, cut.offset) for cut in Slices(moved).cuts] == [(0, 10), (1, 20), (2, 30)]


def test_by_default_slices_meet_at_the_peak_of_a_signed_overlay():
    data = np.random.default_rng(0).normal(size=(20, 20, 20))
    data[3, 5, 12] = -9
    overlay = Volume(data, np.array([[-1, 0, 0, 9], [0, 1, 0, -9], [0, 0, 1, -9], [0, 0, 0, 1]]))
    assert [cut.offset for cut in Slices(ball(), overlay).cuts] == [6, -4, 3]


def blobs():
    """A large weak cluster on the right, a small strong one on the left, on a grid of half millimetres."""
    data = np.zeros((40, 30, 20), np.float32)
    data[25:35, 10:20, 5:15], data[28, 14, 9] = 4.0, 4.5
    data[4:7, 4:7, 4:7] = -9.5
    affine = np.diag([0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] = (-10, -7, -5)
    return Volume(data, affine, name="blobs")


def test_a_map_is_what_slices_are_about_not_the_labels_or_the_surface_beside_it():
    head, motor, atlas = (sample(name) for name in ("mni152", "motor", "atlas"))
    zmap = Intensity(motor, level=3.1)
    peak = focus.point([Intensity(head), zmap]).tolist()
    assert focus.point([Intensity(head), zmap, LabelMap(atlas, outline=True)]).tolist() == peak
    assert focus.point([Intensity(head), zmap, Isosurface(head, 60)]).tolist() == peak
    assert focus.point([Intensity(head), Isosurface(head, 60)]).tolist() == focus.point([Intensity(head)]).tolist()


def test_slices_hit_the_peak_of_the_largest_cluster():
    wide = Volume(np.pad(blobs().data, 4), space.from_matvec(np.eye(3) / 2, [-12, -9, -7]))
    ground = Volume(hill(CENTERED).data, CENTERED)
    assert [cut.offset for cut in Slices(ground, Intensity(wide, level=3)).cuts] == [4, 0, -0.5]
    assert [cut.offset for cut in Slices(ground, wide).cuts] == [4, 0, -0.5]  # thresholded already
    mask = Volume((wide.data != 0).astype(np.uint8), wide.affine, "labels")
    inside = [cut.offset for cut in Slices(ground, LabelMap(mask)).cuts]
    assert np.allclose(inside, [4.8, 0.2, -0.2], atol=0.4)
    upside = [cut.offset for cut in Slices(ground, Isosurface(wide, level=-5)).cuts]
    assert np.allclose(upside, [-7.5, -4.5, -2.5])
    for code in CODES[::7]:
        assert [cut.offset for cut in Slices(ground, Intensity(wide.reorient(code), level=3)).cuts] == [4, 0, -0.5]


def test_slices_by_number_span_the_finding_and_one_is_at_its_peak():
    head, motor = sample("mni152"), Intensity(sample("motor"), level=3.1)
    panel = Slices(head, motor, n=(0, 3, 5))
    middle = {cut.axis: cut.offset for cut in Slices(head, motor).cuts}
    for axis, count in ((1, 3), (2, 5)):
        found = [cut.offset for cut in panel.cuts if cut.axis == axis]
        assert len(found) == count
        assert middle[axis] in found
        assert np.ptp(np.diff(found)) <= 1
    assert {cut.axis for cut in panel.cuts} == {1, 2}
    assert [cut.axis for cut in Slices(head, n=2, camera="left").cuts] == [0, 0]
    whole = [cut.offset for cut in Slices(head, n=6, camera="superior").cuts]
    assert -70 < whole[0] < whole[-1] < 90
    assert len(Slices(ball(), n=1).cuts) == 3


def test_small_subjects_are_cut_at_fine_positions():
    tiny = Volume(ball().data, ball().affine * [[0.01], [0.01], [0.01], [1]])
    moved = tiny.transform(space.translation(0.0213, 0, 0))
    assert Slices(moved).cuts[0].offset == pytest.approx(0.02, abs=1e-9)
    assert Slices(moved).cuts[0].label == "x = 0.02 mm"
    assert Slices(moved, n=3).figure(60, 60)


def test_slices_along_a_volumes_own_axes():
    (affine,) = tilted(1, seed=12)
    volume = hill(affine, (3, 2, 1))
    axes = cuts.own_axes(volume.shape, volume.affine)
    panel = Slices(volume, x=1, y=2, z=[0, 3], space="native")
    assert [cut.label for cut in panel.cuts] == ["x′ = 1 mm", "y′ = 2 mm", "z′ = 0 mm", "z′ = 3 mm"]
    for cut, w in zip(panel.cuts, (0, 1, 2, 2)):
        others = [axes[:, other] for other in range(3) if other != w]
        assert np.allclose([cut.normal @ other for other in others], 0, atol=1e-12)  # a plane of voxels
        assert np.allclose(cut.right, others[0])
    assert np.allclose(np.stack([cut.normal for cut in Slices(ball(), space=volume).cuts[:1]]), panel.cuts[0].normal)
    turned = Volume(np.ones((20, 30, 10)), space.rotation("x", 30), name="box")
    sizes = [np.ptp(tile.extent, axis=1) for (tile,) in Slices(turned, space="native", n=1)._tiles]
    assert np.allclose(sizes, [(30, 10), (20, 10), (20, 30)])  # nothing of a tile is empty
    assert all(float(cut.offset).is_integer() for cut in Slices(volume, space="native").cuts)  # as they are written
    straight = Slices(ball(), space="native", z=1).cuts[0]
    assert np.array_equal(straight.normal, Slices(ball(), z=1).cuts[0].normal)


def test_slices_come_in_order_and_in_rows():
    panel = Slices(ball(), z=[4, 0], x=1)
    assert [cut.label for cut in panel.cuts] == ["x = 1 mm", "z = 4 mm", "z = 0 mm"]


def rows_of(panel, width=183):
    frame = panel._paperless(width, 7.0)
    return [len(row) for row in panel._layout(frame).rows]


def test_rows_hold_as_many_as_their_lettering_has_room_for():
    assert rows_of(Slices(ball(40, spacing=0.5), z=np.arange(-9, 9, 2.0))) == [5, 4]
    assert rows_of(Slices(ball(), n=5)) == [5, 5, 5]  # a row for each direction
    assert rows_of(Slices(ball(), n=5, annotate=Annotation(reference=True))) == [6, 6, 6]
    assert rows_of(Slices(ball(), x=[0, 1], y=-1, z=[0, 1])) == [5]
    assert max(rows_of(Slices(ball(), n=7), width=60)) < 5
    assert rows_of(Slices(ball(), z=np.arange(7.0)), width=20) == [1] * 7
    assert rows_of(Slices(ball(), z=np.arange(7.0)), width=70) == [4, 3]
    assert rows_of(Slices(ball(), z=np.arange(7.0)), width=50) == [3, 2, 2]


@pytest.mark.parametrize(
    ("positions", "kind", "says"),
    [
        ({"n": 0}, ValueError, "n must be 1 to 100 slices; got 0"),
        ({"n": (0, 0, 0)}, ValueError, "n must be 1 to 100 slices"),
        ({"n": (1, 2)}, TypeError, "n must be a number of slices, or three; got (1, 2)"),
        ({"n": 2.5}, TypeError, "n must be a number of slices, or three; got 2.5"),
        ({"n": 3, "z": 1}, TypeError, "n, which chooses the positions, or x, y, z and plane; got both"),
        ({"plane": 3}, TypeError, "plane must be a Plane, or a list of them; got 3"),
        ({"plane": Plane(normal=(1, 1, 0), origin=(90, 0, 0))}, ValueError, "a plane must cross the volumes"),
        ({"space": "voxel"}, ValueError, "space must be world or native, or a Volume; got 'voxel'"),
        ({"space": 3}, TypeError, "space must be world or native, or a Volume; got int"),
        ({"annotate": "all"}, TypeError, "annotate must be True, False or an Annotation; got 'all'"),
        ({"crosshair": True}, TypeError, "Slices takes annotate, not crosshair"),
        ({"space": "native", "z": 40}, ValueError, "z must lie within the volumes, -10 to 10 mm; got 40"),
        ({"z": 40}, ValueError, "z must lie within the volumes, -10 to 10 mm; got 40"),
        ({"x": [0, -11]}, ValueError, "x must lie within the volumes, -10 to 10 mm; got -11"),
        ({"y": np.nan}, ValueError, "y must be finite positions in mm"),
        ({"y": []}, ValueError, "y must be finite positions in mm"),
        ({"z": "top"}, TypeError, "z must be a position in mm, or a list of them; got 'top'"),
    ],
)
def test_positions_are_checked_where_they_are_typed(positions, kind, says):
    refuses(kind, lambda: Slices(ball(), **positions), says)


def test_an_annotation_is_checked():
    refuses(ValueError, lambda: Annotation(crosshair=(1, 2)), "crosshair must be three finite numbers")
    refuses(TypeError, lambda: Annotation(letters=1), "letters of an Annotation must be True or False; got 1")
    refuses(TypeError, lambda: Annotation(cross=True), "did you mean crosshair?")


@pytest.mark.parametrize("width", [60, 89, 183])
@pytest.mark.parametrize("mode", ["three", "oblique", "another's", "many"])
def test_lettering_is_clear_at_the_journals_widths(mode, width):
    notes = Annotation(reference=True, crosshair=True)
    how = {"n": 7} if mode == "many" else MODES[mode]
    panel = Slices(ball(), SIGNED, annotate=notes, radiological=True, title="A title", **how)
    said = assert_lettering_is_clear(panel.figure(width, 100))
    assert "A title" in said
    assert "zmap (z)" in said


def test_what_is_not_annotated_takes_no_paper():
    bare, lettered = (Slices(ball(), z=[0, 2], annotate=annotate) for annotate in (False, True))
    assert texts(bare.figure(60, 80)) == []
    assert texts(lettered.figure(60, 80))[-2:] == ["neurological", "5 mm"]
    assert bare.height(60) < lettered.height(60) - 5
    few = Slices(ball(), z=0, annotate=Annotation(letters=False, scale_bar=False))
    assert texts(few.figure(60, 80)) == ["z = 0 mm", "neurological"]


@pytest.mark.parametrize("width", [17.5, 30, 60, 89, 183])
def test_the_scale_bar_is_true(width):
    panel = Slices(ball(), z=[0, 2], x=0)
    figure = panel.figure(width, 200)
    (raster,) = figure.findobj(Raster)
    for line in raster.axes.lines:
        (label,) = [
            text for text in raster.axes.texts if text.get_text().endswith(" mm") and "=" not in text.get_text()
        ]
        tile = drawn(panel, figure=figure)[0]
        step = np.ptp(tile.extent, axis=1)[0] / tile.picture.shape[1]
        assert np.ptp(line.get_xdata()) * step == pytest.approx(float(label.get_text().split()[0]), rel=0.02)
    assert len(raster.axes.lines) == 1


def test_a_page_of_whole_pixels_has_the_rows_of_the_page_that_was_asked_for():
    brick = Volume(np.indices((22, 40, 26)).sum(axis=0) + 9.0, np.diag([3.0, 3, 3, 1]), name="brick")
    panel = Slices(brick, x=33, y=60, z=36)
    layout = panel._layout(panel._paperless(60, 7))
    (first, *_) = layout.rows
    just = panel._paperless(sum(tile.size[0] for tile in first) / layout.coarsest + layout.gap * (len(first) - 1), 7)
    asked = panel._layout(just)
    found = panel._layout(panel._paperless(just.width - 0.05, 7), asked.height(asked.scale) - 0.05)
    assert (list(map(len, found.rows)), found.stacked) == (list(map(len, asked.rows)), asked.stacked)


def test_gaps_that_are_wider_than_a_place_are_no_layout():
    assert Slices(ball(14, 5.0, spacing=10.0), n=7, background="black").body(12, 5) > 100


def test_a_place_too_low_or_too_narrow_for_the_lettering_is_refused():
    panel = Slices(ball(), z=[0, 2], x=0)
    part = Figure(figsize=(60 / 25.4, 12 / 25.4))
    refuses(
        ValueError, lambda: panel.draw(part), "Slices needs a height of 19 mm or more for its lettering of 7 points"
    )
    panel.draw(Figure(figsize=(60 / 25.4, 24 / 25.4)))
    narrow = Figure(figsize=(12 / 25.4, 60 / 25.4))
    refuses(ValueError, lambda: panel.draw(narrow), "Slices needs a width of 17.5 mm or more")


def test_planes_whose_long_labels_have_no_room_in_a_low_place_are_refused():
    planes = [Plane(normal=normal, origin=(0, -20, 30)) for normal in ((0.5, 0.02, 0.86), (0.3, 0.9, 0.3))]
    panel = Slices(sample("mni152").downsize(40), plane=planes, colorbar=True)
    low = Figure(figsize=(60 / 25.4, 60 / 25.4))
    refuses(ValueError, lambda: panel.draw(low), "Slices needs a height of ")
    high = Figure(figsize=(60 / 25.4, 90 / 25.4))
    panel.draw(high)
    high.canvas.draw()
    said = [text for text in high.findobj(Text) if text.get_text().startswith("across")]
    assert len(said) == 2
    assert min(text.get_window_extent().x0 for text in said) >= 0


def test_the_outer_faces_may_be_sliced():
    assert len(drawn(Slices(ball(), z=[-10, 10]))) == 2


def test_a_panel_needs_a_layer():
    refuses(TypeError, lambda: Slices(), "Slices needs a layer, or a volume; got none")
    refuses(ValueError, lambda: Slices(Intensity(ball(), opacity=0.0)).figure(), "nothing is to be seen of")


# The page


@pytest.mark.parametrize(("width", "dpi"), [(30, 150), (89, 100), (183, 72)])
def test_tiles_are_whole_pixels_of_one_scale_inside_the_page(width, dpi):
    panel = Slices(sample("mni152"), x=[0, 20], y=-10, z=[0, 30, 50])
    figure = panel.figure(width, dpi)
    _, raster = places(panel, figure)
    place = raster.axes.get_window_extent()
    assert np.allclose(place.bounds, np.rint(place.bounds), atol=1e-6)
    assert (round(place.width), round(place.height)) == raster.get_array().shape[1::-1]
    assert -1e-6 <= place.x0 < place.x1 <= figure.bbox.x1 + 1e-6
    assert -1e-6 <= place.y0 < place.y1 <= figure.bbox.y1 + 1e-6
    tiles = drawn(panel, figure=figure)
    scales = [step for tile in tiles for step in np.ptp(tile.extent, axis=1) / tile.picture.shape[1::-1]]
    assert max(scales) / min(scales) < 1 + 3 / min(min(tile.picture.shape[:2]) for tile in tiles)
    taken = np.zeros(raster.get_array().shape[:2], int)
    for left, bottom, right, top in (tile.box for tile in tiles):
        assert 0 <= left < right <= taken.shape[1]
        assert 0 <= bottom < top <= taken.shape[0]
        taken[bottom:top, left:right] += 1
    assert taken.max() == 1


@pytest.mark.parametrize("width", [60, 183])
def test_the_subject_fills_its_tiles(width):
    for picture in pictures(Slices(sample("mni152"), z=[0, 20]), width=width):
        rows, columns = np.nonzero(picture[..., 0] > 0.15)
        assert np.ptp(columns) > 0.8 * picture.shape[1]
        assert np.ptp(rows) > 2 / 3 * picture.shape[0]


def test_a_color_bar_stands_beside_values_that_mean_something():
    plain = Volume(ball().data, ball().affine)
    for panel, count in [
        (Slices(plain), 0),
        (Slices(plain, colorbar=True), 1),
        (Slices(Intensity(plain, cmap="hot")), 1),
        (Slices(Intensity(plain, cmap="hot"), colorbar=False), 0),
        (Slices(Volume(ball().data, ball().affine, unit="HU")), 1),
        (Slices(ball(), SIGNED, z=2), 1),
        (Slices(SIGNED, Intensity(SIGNED), z=2), 1),
        (Slices(Isosurface(ball())), 0),
    ]:
        assert len(bars(panel.figure(89, 60))) == count, panel


def test_a_color_bar_has_the_limits_the_label_and_the_colors_of_its_layer():
    layer = Intensity(SIGNED, clim=(-2, 2), cmap="coolwarm", opacity=1.0)
    (bar,) = bars(Slices(layer, z=2).figure(89, 100))
    assert bar.get_ylim() == (-2, 2)
    assert [label.get_text() for label in bar.get_yticklabels()][:: len(bar.get_yticks()) - 1] == ["−2", "2"]
    assert [text.get_text() for text in bar.texts] == ["zmap (z)"]
    colors = np.asarray(bar.get_images()[0].get_array())[:, 0]
    assert np.allclose(colors, layer.look.rgb(np.linspace(-2, 2, len(colors))), atol=1e-6)


def test_the_sidebar_stands_right_of_the_tiles_and_on_the_page():
    figure = Slices(ball(), SIGNED, z=[0, 4], title="A title").figure(60, 150)
    (bar,) = bars(figure)
    figure.canvas.draw()
    (raster,) = figure.findobj(Raster)
    right = raster.axes.get_window_extent().x1
    whole = bar.get_tightbbox()
    assert right < whole.x0
    assert whole.x1 <= figure.bbox.x1
    assert figure.bbox.y0 <= whole.y0 < whole.y1 <= figure.bbox.y1
    title = next(t for ax in figure.axes for t in ax.texts if t.get_text() == "A title").get_window_extent()
    assert title.y1 <= figure.bbox.y1
    assert title.y0 > raster.axes.get_window_extent().y1 - 1


def test_several_labels_have_a_legend():
    data = np.zeros((9, 9, 9), np.uint8)
    data[2:4], data[4:7] = 1, 2
    labels = {1: Label("one", (1, 0, 0)), 2: Label("two", (0, 0, 1))}
    volume = Volume(data, EYE, "labels", labels=labels)
    assert texts(Slices(volume, z=4).figure(60, 60))[-2:] == ["one", "two"]
    assert "two" not in texts(Slices(LabelMap(volume, colors={1: "red"}), z=4).figure(60, 60))


@pytest.mark.parametrize("affine", tilted(4, seed=5))
def test_a_tilted_atlas_has_no_color_outside_its_palette(affine):
    """At a size that is no multiple of the voxels."""
    colors = np.array([[255, 0, 0], [0, 102, 255], [0, 204, 0], [255, 204, 0]]) / 255
    labels = {n: Label(str(n), tuple(color)) for n, color in zip((3, 7, 40, 200), colors)}
    data = np.random.default_rng(0).choice([0, *labels], (6, 6, 6)).repeat(4, 0).repeat(4, 1).repeat(4, 2)
    atlas = LabelMap(Volume(data.astype(np.uint8), affine, "labels", labels=labels), opacity=1.0)
    pages = pictures(Slices(atlas, x=0, y=0, z=0, background="transparent"), width=83, dpi=97)
    assert len(pages) == 3
    for picture in pages:
        shown = picture[picture[..., 3] > 0]
        assert np.allclose(np.unique(shown[:, 3]), 1)
        gaps = np.abs(shown[:, None, :3] - colors).max(axis=-1)
        assert gaps.min(axis=1).max() < 1e-6
        assert len(np.unique(gaps.argmin(axis=1))) == 4
