import numpy as np
import pytest
from helpers import CODES, ball, hill, refuses, storage_affine, tilted

from volrender import Box, CutPlane, Intensity, Isosurface, LabelMap, Plane, Slices, Volume, sample, space
from volrender.draw import slices
from volrender.io import Label

EYE = np.eye(4)
CENTERED = np.array([[2, 0, 0, -23], [0, 2, 0, -23], [0, 0, 2, -23], [0, 0, 0, 1.0]])
SIGNED = Volume(np.random.default_rng(0).normal(size=(9, 9, 9)), EYE, name="zmap", unit="z")


def tiles(panel, width=89, dpi=100):
    """The axes of the tiles of a drawn figure."""
    return [ax for ax in panel.figure(width, dpi).axes if ax.get_images() and not ax.axison]


def pictures(panel, **options):
    """The picture (rows from the bottom up, columns, 4) of each tile."""
    return [np.asarray(ax.get_images()[0].get_array()) for ax in tiles(panel, **options)]


def bars(figure):
    """The axes of the color bars."""
    return [ax for ax in figure.axes if ax.get_images() and ax.axison]


def texts(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def value_at(ax, right, up):
    """The picture's color at a place (mm) of the tile."""
    image = ax.get_images()[0]
    picture, (left, east, bottom, top) = np.asarray(image.get_array()), image.get_extent()
    column = int((right - left) / (east - left) * picture.shape[1])
    row = int((up - bottom) / (top - bottom) * picture.shape[0])
    return picture[row, column]


# Where things are


@pytest.mark.parametrize("affine", tilted(6, seed=1))
@pytest.mark.parametrize("axis", range(3))
def test_a_marker_is_at_its_place_in_the_tile(affine, axis):
    at = np.array([5.0, -3.0, 8.0])
    panel = Slices(hill(affine, at, reach=15), **{"xyz"[axis]: at[axis]})
    (ax,) = tiles(panel)
    image = ax.get_images()[0]
    picture, extent = np.asarray(image.get_array())[..., 0], image.get_extent()
    rows, columns = np.nonzero(picture > 0.5 * picture.max())
    right, up = (np.delete(at, axis)).tolist()
    size = picture.shape[::-1]
    middle = [columns.mean() + 0.5, rows.mean() + 0.5] / np.array(size)
    found = np.array(extent[::2]) + middle * np.ptp(np.reshape(extent, (2, 2)), axis=1)
    assert np.allclose(found, [right, up], atol=0.7)


@pytest.mark.parametrize("affine", tilted(8, seed=2))
def test_a_tile_is_the_field_itself_whatever_the_grid(affine):
    def field(xyz):
        return 50 + 30 * np.sin(xyz[..., 0] / 12) + 20 * np.cos(xyz[..., 1] / 15 + xyz[..., 2] / 20)

    index = np.moveaxis(np.indices((24, 24, 24)), 0, -1)
    layer = Intensity(Volume(field(space.apply_affine(affine, index)), affine), clim=(0, 100), opacity=1.0)
    for cut, ax in zip(Slices(layer, x=1, y=2, z=-3).cuts, tiles(Slices(layer, x=1, y=2, z=-3)), strict=True):
        image = ax.get_images()[0]
        picture, extent = np.asarray(image.get_array()), image.get_extent()
        bounds = np.empty((3, 2))
        bounds[list(cut.across)] = np.reshape(extent, (2, 2))
        points = slices.pixel_points(cut, bounds, picture.shape[1::-1])
        inside = space.apply_affine(np.linalg.inv(affine), points)
        inside = ((inside > 0) & (inside < 23)).all(axis=-1)
        assert inside.mean() > 0.1
        assert np.abs(picture[..., 0] - field(points) / 100)[inside].max() < 0.02


def asymmetric():
    data = np.zeros((7, 8, 9), np.uint8)
    data[1:5, 2:7, 3:8] = 50
    data[4, 5, 4:7] = 100
    return Volume(data, storage_affine("RAS", (1, 1.5, 2), (-3, -5, -8)))


def test_all_storage_orders_give_the_same_tiles():
    cuts = Slices(asymmetric()).cuts
    one = [{"xyz"[cut.axis]: cut.position} for cut in cuts]
    expected = [pictures(Slices(asymmetric(), **position), width=20, dpi=60) for position in one]
    for n, code in enumerate(CODES):
        stored = asymmetric().reorient(code)
        assert stored.orientation == code
        axis = n % 3  # every axis meets every permutation and every flip
        assert np.array_equal(pictures(Slices(stored, **one[axis]), width=20, dpi=60), expected[axis]), code


def test_pixel_centres_fill_the_bounds():
    bounds = np.array([[-4.0, 6.0], [0.0, 5.0], [-1.0, 1.0]])
    points = slices.pixel_points(slices.Cut(1, 2.5), bounds, (20, 4))
    assert points.shape == (4, 20, 3)
    assert (points[..., 1] == 2.5).all()
    assert points[0, 0].tolist() == [-3.75, 2.5, -0.75]
    assert points[-1, -1].tolist() == [5.75, 2.5, 0.75]


# Left and right


@pytest.mark.parametrize("radiological", [False, True])
def test_the_letters_and_the_picture_agree(radiological):
    data = np.zeros((24, 24, 24))
    data[4:20, 4:20, 4:20] = 30
    data[5:8, 10:14, 10:14] = 100  # on the subject's left
    panel = Slices(Volume(data, CENTERED), z=0, radiological=radiological)
    figure = panel.figure(60, 100)
    (ax,) = [ax for ax in figure.axes if ax.get_images()]
    left_edge, right_edge = ax.get_xlim()
    assert (left_edge < right_edge) != radiological
    assert value_at(ax, -10, 0)[0] > 0.9 > value_at(ax, 10, 0)[0]
    letters = {t.get_text(): t.get_window_extent().x0 for a in figure.axes for t in a.texts}
    assert (letters["L"] < letters["R"]) != radiological
    figure.canvas.draw()
    drawn = np.asarray(figure.canvas.buffer_rgba())[..., 0]
    bright = np.nonzero(drawn[60:-20] > 220)[1]
    assert (bright.mean() < drawn.shape[1] / 2) != radiological


@pytest.mark.parametrize(
    ("axis", "ends"), [("x", ("P", "A")), ("y", ("L", "R")), ("z", ("L", "R"))], ids=["sagittal", "coronal", "axial"]
)
def test_each_tile_is_lettered(axis, ends):
    figure = Slices(ball(), **{axis: 1.5}).figure(60, 100)
    assert texts(figure) == [*ends, f"{axis} = 1.5 mm"]
    mirrored = texts(Slices(ball(), **{axis: -1.5}, radiological=True).figure(60, 100))
    assert mirrored[:2] == (["R", "L"] if "L" in ends else ["P", "A"])
    assert mirrored[2] == f"{axis} = −1.5 mm"


def test_letters_stand_beside_the_tiles_and_apart():
    figure = Slices(ball(), z=[-4, 0, 4]).figure(60, 200)
    ends = [text.get_window_extent() for ax in figure.axes for text in ax.texts]
    places = [ax.get_window_extent() for ax in figure.axes if ax.get_images()]
    for n, end in enumerate(ends):
        assert figure.bbox.x0 <= end.x0 < end.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= end.y0 < end.y1 <= figure.bbox.y1
        assert not any(end.overlaps(other) for other in ends[n + 1 :])
        assert not any(end.overlaps(place) for place in places)


# Lines


@pytest.mark.parametrize("affine", tilted(6, seed=3))
def test_the_contour_of_a_sphere_has_its_radius(affine):
    center = np.array([2.0, -3.0, 1.0])
    panel = Slices(Isosurface(hill(affine, center, reach=30), level=60), x=2, y=0, z=-3)
    radii = np.sqrt(12.0**2 - (np.array([2, 0, -3]) - center) ** 2)
    for cut, ax, radius in zip(panel.cuts, tiles(panel), radii, strict=True):
        (contour,) = ax.collections
        line = np.concatenate([path.vertices for path in contour.get_paths()])
        assert np.allclose(np.hypot(*(line - center[list(cut.across)]).T), radius, atol=0.35)


def test_a_contour_has_the_surfaces_color_and_stops_at_its_clip():
    surface = Isosurface(hill(CENTERED), level=60, color="lime", opacity=0.5, clip=Plane(x=4))
    (ax,) = tiles(Slices(surface, z=0))
    (contour,) = ax.collections
    assert np.allclose(contour.get_edgecolor(), [[0, 1, 0, 0.5]])
    line = np.concatenate([path.vertices for path in contour.get_paths()])
    assert line[:, 0].min() == pytest.approx(-16, abs=0.2)
    assert line[:, 0].max() <= 4 + 1e-6


def test_a_surface_off_the_slice_leaves_no_line():
    (ax,) = tiles(Slices(ball(), Isosurface(ball(), level=50), z=9))
    assert not ax.collections


def test_a_cut_plane_leaves_its_trace():
    plane = Plane(normal=(1, 2, 0), origin=(1, 0, 0))
    axes = tiles(Slices(hill(CENTERED), CutPlane(hill(CENTERED), plane), x=3, z=0))
    (across,), (along,) = axes[0].collections, axes[1].collections
    assert np.allclose(across.get_paths()[0].vertices[:, 0], -1, atol=1e-6)
    line = along.get_paths()[0].vertices
    assert np.allclose(line @ [1, 2], 1, atol=1e-6)
    assert np.ptp(line[:, 0]) > 20
    assert across.get_linestyle()[0][1] is not None


def test_a_plane_that_lies_elsewhere_leaves_no_trace():
    (ax,) = tiles(Slices(hill(CENTERED), CutPlane(hill(CENTERED), Plane(z=5)), z=0))
    assert not ax.collections


# Layers over one another


def test_layers_on_other_grids_lie_where_they_are():
    head = hill(CENTERED, reach=60)
    (affine,) = tilted(1, seed=5)
    labels = hill(affine, (6, 2, -4), reach=20)
    mask = Volume((labels.data > 60).astype(np.uint8), affine, "labels")
    (ax,) = tiles(Slices(head, LabelMap(mask, colors="red"), z=-4))
    assert value_at(ax, 6, 2)[:3].tolist() == [1, 0, 0]
    gray = value_at(ax, -6, 2)
    assert gray[0] == gray[1] == gray[2]


def test_what_a_clip_removes_is_ground():
    (ax,) = tiles(Slices(Intensity(hill(CENTERED, reach=60), clip=Box(x=(0, None))), z=0))
    assert value_at(ax, -3, 0)[0] > 0.5
    assert value_at(ax, 3, 0).tolist() == [0, 0, 0, 1]


def test_the_ground_is_black_under_gray_anatomy_and_else_the_page():
    assert slices.ground([Intensity(ball())]) == (0, 0, 0)
    assert slices.ground([Intensity(ball(), cmap="gray_r")]) == (1, 1, 1)
    assert slices.ground([Intensity(SIGNED)]) is None
    assert slices.ground([LabelMap(Volume(ball().data > 0, EYE))]) is None


# Which slices


def test_by_default_three_slices_meet_in_the_middle_of_the_subject():
    moved = ball().transform([[1, 0, 0, 10], [0, 1, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1]])
    assert [(cut.axis, cut.position) for cut in Slices(moved).cuts] == [(0, 10), (1, 20), (2, 30)]


def test_by_default_slices_meet_at_the_peak_of_a_signed_overlay():
    data = np.random.default_rng(0).normal(size=(20, 20, 20))
    data[3, 5, 12] = -9
    overlay = Volume(data, np.array([[-1, 0, 0, 9], [0, 1, 0, -9], [0, 0, 1, -9], [0, 0, 0, 1]]))
    assert [cut.position for cut in Slices(ball(), overlay).cuts] == [6, -4, 3]


def test_slices_come_in_order_and_in_rows():
    panel = Slices(ball(), z=[4, 0], x=1)
    assert [cut.label for cut in panel.cuts] == ["x = 1 mm", "z = 4 mm", "z = 0 mm"]
    rows = slices.arrange([slices.Cut(2, float(z)) for z in range(9)], np.zeros((3, 2)))
    assert [len(row) for row in rows] == [5, 4]


@pytest.mark.parametrize(
    ("positions", "kind", "says"),
    [
        ({"z": 40}, ValueError, "z must lie within the volumes, -10 to 10 mm; got 40"),
        ({"x": [0, -11]}, ValueError, "x must lie within the volumes, -10 to 10 mm; got -11"),
        ({"y": np.nan}, ValueError, "y must be finite positions in mm"),
        ({"y": []}, ValueError, "y must be finite positions in mm"),
        ({"z": "top"}, TypeError, "z must be a position in mm, or a list of them; got 'top'"),
    ],
)
def test_positions_are_checked_where_they_are_typed(positions, kind, says):
    refuses(kind, lambda: Slices(ball(), **positions), says)


def test_the_outer_faces_may_be_sliced():
    assert len(tiles(Slices(ball(), z=[-10, 10]))) == 2


def test_a_panel_needs_a_layer():
    refuses(TypeError, lambda: Slices(), "Slices needs a layer, or a volume; got none")
    refuses(ValueError, lambda: Slices(Intensity(ball(), opacity=0.0)).figure(), "nothing is to be seen of")


# The page


@pytest.mark.parametrize(("width", "dpi"), [(30, 150), (89, 100), (183, 72)])
def test_tiles_are_whole_pixels_of_one_scale_inside_the_page(width, dpi):
    panel = Slices(sample("mni152"), x=[0, 20], y=-10, z=[0, 30, 50])
    axes = tiles(panel, width=width, dpi=dpi)
    page = axes[0].figure.bbox
    scales = []
    for n, ax in enumerate(axes):
        place, picture = ax.get_window_extent(), np.asarray(ax.get_images()[0].get_array())
        assert np.allclose(place.bounds, np.rint(place.bounds), atol=1e-6)
        assert (round(place.width), round(place.height)) == picture.shape[1::-1]
        assert page.x0 - 1e-6 <= place.x0 < place.x1 <= page.x1 + 1e-6
        assert page.y0 - 1e-6 <= place.y0 < place.y1 <= page.y1 + 1e-6
        extent = np.ptp(np.reshape(ax.get_images()[0].get_extent(), (2, 2)), axis=1)
        scales.extend(extent / picture.shape[1::-1])
        assert not any(place.shrunk(0.99, 0.99).overlaps(other.get_window_extent()) for other in axes[n + 1 :])
    assert max(scales) / min(scales) < 1 + 3 / min(min(np.shape(p)[:2]) for p in pictures(panel, width=width, dpi=dpi))


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
    right = max(ax.get_window_extent().x1 for ax in figure.axes if ax.get_images() and not ax.axison)
    whole = bar.get_tightbbox()
    assert right < whole.x0
    assert whole.x1 <= figure.bbox.x1
    assert figure.bbox.y0 <= whole.y0 < whole.y1 <= figure.bbox.y1
    title = next(t for ax in figure.axes for t in ax.texts if t.get_text() == "A title").get_window_extent()
    assert title.y1 <= figure.bbox.y1
    assert all(title.y0 > ax.get_window_extent().y1 - 1 for ax in figure.axes if ax.get_images())


def test_several_labels_have_a_legend():
    data = np.zeros((9, 9, 9), np.uint8)
    data[2:4], data[4:7] = 1, 2
    labels = {1: Label("one", (1, 0, 0)), 2: Label("two", (0, 0, 1))}
    volume = Volume(data, EYE, "labels", labels=labels)
    assert texts(Slices(volume, z=4).figure(60, 60))[-2:] == ["one", "two"]
    assert "two" not in texts(Slices(LabelMap(volume, colors={1: "red"}), z=4).figure(60, 60))


@pytest.mark.parametrize("affine", tilted(4, seed=5))
def test_a_tilted_atlas_has_no_color_outside_its_palette(affine):
    """At a size that is no multiple of the voxels; and matplotlib blends none of the pixels."""
    colors = np.array([[255, 0, 0], [0, 102, 255], [0, 204, 0], [255, 204, 0]]) / 255
    labels = {n: Label(str(n), tuple(color)) for n, color in zip((3, 7, 40, 200), colors)}
    data = np.random.default_rng(0).choice([0, *labels], (6, 6, 6)).repeat(4, 0).repeat(4, 1).repeat(4, 2)
    atlas = LabelMap(Volume(data.astype(np.uint8), affine, "labels", labels=labels), opacity=1.0)
    images = [ax.get_images()[0] for ax in tiles(Slices(atlas, x=0, y=0, z=0), width=83, dpi=97)]
    assert len(images) == 3
    for image in images:
        assert image.get_interpolation() == "none"
        drawn = np.asarray(image.get_array())
        drawn = drawn[drawn[..., 3] > 0]
        assert np.allclose(np.unique(drawn[:, 3]), 1)
        gaps = np.abs(drawn[:, None, :3] - colors).max(axis=-1)
        assert gaps.min(axis=1).max() < 1e-6
        assert len(np.unique(gaps.argmin(axis=1))) == 4
