"""What is translucent is blended in the order of depth: alpha sums that are known, in flat light."""

import numpy as np
import pytest
from helpers import refuses
from matplotlib.colors import ListedColormap

from volrender import Box, CutPlane, Intensity, Isosurface, LabelMap, Plane, Scene, Volume, space

pytestmark = pytest.mark.usefixtures("either")

RED, GREEN, BLUE, WHITE = np.eye(3)[0], np.array([0, 0.5, 0]), np.eye(3)[2], np.ones(3)
HUES = {"red": RED, "green": GREEN, "blue": BLUE}
SIZE = (80, 80)
CAMERA = "anterior"  # looks from +y


def slab(y, thickness=6.0, side=40.0, step=1.0):
    """100 within a plate across y around `y` (mm), on a grid of its own."""
    shape = (int(side / step), int((thickness + 12) / step), int(side / step))
    affine = space.translation(-side / 2 + step / 2, y - (thickness + 12) / 2 + step / 2, -side / 2 + step / 2)
    affine = affine @ space.zooms(step, step, step)
    across = np.abs((np.arange(shape[1]) + 0.5) * step - (thickness + 12) / 2) < thickness / 2
    data = np.zeros(shape, np.float32)
    data[3:-3, across, 3:-3] = 100
    return Volume(data, affine, name=f"slab at {y:g}")


def plate(y, hue, opacity=1.0, thickness=6.0):
    return Isosurface(slab(y, thickness), level=50, color=hue, opacity=opacity, smooth=False)


def fog(y, hue, per_mm, thickness=6.0, **options):
    """A volume of one color; a plate of it lets (1 - per_mm) ** thickness through."""
    curve = [(0, 0), (49.9, 0), (50, per_mm), (100, per_mm)]
    cmap = ListedColormap([hue])
    return Intensity(slab(y, thickness), clim=(0, 100), cmap=cmap, opacity=curve, **options)


def middle(*layers, **options):
    raster = Scene(*layers, camera=CAMERA, light="flat", **options).render(SIZE)
    return raster[36:44, 36:44, :3].reshape(-1, 3).mean(axis=0) / 255


def over(*hues_and_alphas):
    """Colors with alphas from back to front, over white."""
    seen = WHITE
    for hue, alpha in hues_and_alphas:
        seen = alpha * np.asarray(HUES[hue]) + (1 - alpha) * seen
    return seen


def twice(alpha):
    """Of a plate's front and back face."""
    return 1 - (1 - alpha) ** 2


def through(per_mm, thickness):
    return 1 - (1 - per_mm) ** thickness


@pytest.mark.parametrize("order", [1, -1])
def test_translucent_surfaces_whatever_the_order_they_are_given_in(order):
    layers = [plate(-20, "blue"), plate(0, "green", 0.4), plate(20, "red", 0.3)]
    expected = over(("blue", 1), ("green", twice(0.4)), ("red", twice(0.3)))
    assert np.allclose(middle(*layers[::order]), expected, atol=0.02)


def test_many_translucent_surfaces():
    layers = [plate(y, hue, 0.25) for y, hue in ((-24, "blue"), (-8, "red"), (8, "green"), (24, "red"))]
    expected = over(*[(hue, twice(0.25)) for hue in ("blue", "red", "green", "red")])
    assert np.allclose(middle(*layers), expected, atol=0.02)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_walls_of_labels_within_labels(depth):
    """Cubes in cubes with cavities in them: a ray meets the front and the back of each, and no border and no cavity."""
    hues = ("red", "green", "blue")[:depth]
    data = np.zeros((40, 40, 40), np.uint8)
    for n, inset in zip(range(depth), (4, 10, 15)):
        data[inset:-inset, inset:-inset, inset:-inset] = n + 1
    data[18:22, 5:7, 18:22] = data[18:22, 17:19, 18:22] = 0
    layer = LabelMap(Volume(data, space.translation(-19.5, -19.5, -19.5)), dict(enumerate(hues, 1)), opacity=0.3)
    expected = over(*[(hue, 0.3) for hue in (*hues, *hues[::-1])])
    assert np.allclose(middle(layer), expected, atol=0.02)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(("at", "in_front"), [(-20, 12), (0, 5), (20, 0)])
def test_an_opaque_surface_behind_inside_and_in_front_of_a_volume(order, at, in_front):
    """A plate 2 mm thick; of the fog's twelve millimetres what lies in front of it counts, give or take a sample."""
    thick = fog(0, "red", 0.1, thickness=12)
    expected = over(("blue", 1), ("red", through(0.1, in_front)))
    assert np.allclose(middle(*[thick, plate(at, "blue", thickness=2)][::order]), expected, atol=0.04)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("at", [-20, 20])
def test_a_translucent_surface_and_a_volume(order, at):
    sheet, thick = plate(at, "blue", 0.4), fog(0, "red", 0.1, thickness=12)
    alphas = [("blue", twice(0.4)), ("red", through(0.1, 12))]
    expected = over(*(alphas if at < 0 else alphas[::-1]))
    assert np.allclose(middle(*[thick, sheet][::order]), expected, atol=0.03)


def test_a_translucent_surface_inside_a_volume():
    sheet, thick = plate(0, "blue", 0.5, thickness=2), fog(0, "red", 0.08, thickness=14)
    half = through(0.08, 6)
    inside = through(0.08, 2)
    expected = over(("red", half), ("blue", 0.5), ("red", inside), ("blue", 0.5), ("red", half))
    assert np.allclose(middle(sheet, thick), expected, atol=0.04)


@pytest.mark.parametrize("opacity", [0.5, 1.0])
def test_a_volume_ends_and_begins_at_the_surfaces_in_it(opacity):
    """To 2 of 255 steps: no sample counts on both sides of a surface."""
    sheet, thick = plate(0, "blue", opacity, thickness=2), fog(0, "red", 0.05, thickness=10)
    half, inside = through(0.05, 4), through(0.05, 2)
    expected = over(("red", half), ("blue", opacity), ("red", inside), ("blue", opacity), ("red", half))
    assert np.abs(middle(sheet, thick) - expected).max() <= 2 / 255


@pytest.mark.parametrize("order", [1, -1])
def test_two_volumes_one_behind_the_other(order):
    near, far = fog(12, "blue", 0.1), fog(-12, "red", 0.2)
    expected = over(("red", through(0.2, 6)), ("blue", through(0.1, 6)))
    assert np.allclose(middle(*[near, far][::order]), expected, atol=0.03)


def test_two_volumes_in_the_same_place_absorb_together():
    """Where both are, each of n thin sheets of one is followed by one of the other."""
    expected = WHITE
    for _ in range(600):
        for hue, per_mm in (("red", 0.1), ("blue", 0.15)):
            alpha = 1 - (1 - per_mm) ** (6 / 600)
            expected = alpha * HUES[hue] + (1 - alpha) * expected
    assert np.allclose(middle(fog(0, "red", 0.1), fog(0, "blue", 0.15)), expected, atol=0.03)


def test_three_volumes_and_a_surface_among_them():
    layers = [fog(-30, "red", 0.1), plate(-15, "green"), fog(0, "red", 0.05), fog(20, "blue", 0.08)]
    expected = over(("green", 1), ("red", through(0.05, 6)), ("blue", through(0.08, 6)))
    assert np.allclose(middle(*layers), expected, atol=0.03)


def test_one_of_several_volumes_is_cut_and_the_other_is_whole():
    """The plane of the clip lies in front of the fog, but for its corner: it takes a part and leaves no face there."""
    corner = Plane(normal=(1, 0, 0), origin=(10, 0, 0))
    cut, whole = fog(12, "red", 0.2, clip=corner), fog(-12, "blue", 0.1)
    raster = Scene(cut, whole, camera=CAMERA, light="flat").render(SIZE)[..., :3] / 255
    expected = over(("blue", through(0.1, 6)), ("red", through(0.2, 6)))
    assert np.allclose(raster[36:44, 46:54].reshape(-1, 3).mean(axis=0), expected, atol=0.03)
    # From the front the subject's right is on the left of the picture: there the red fog is gone.
    assert np.allclose(raster[36:44, 8:14].reshape(-1, 3).mean(axis=0), over(("blue", through(0.1, 6))), atol=0.03)


@pytest.mark.parametrize("opacity", [1.0, 0.3])
def test_a_cut_face_behind_a_translucent_surface(opacity):
    """The face of a body that a plane cut at y = 0, seen through a sheet in front of it."""
    body = LabelMap(
        Volume((slab(0, 20).data > 0).astype(np.uint8), slab(0, 20).affine, "labels"), "blue", clip=Plane(y=0)
    )
    sheet = plate(20, "red", opacity)
    expected = over(("blue", 1), ("red", 1 if opacity == 1 else twice(opacity)))
    assert np.allclose(middle(body, sheet), expected, atol=0.02)


def test_a_box_cut_out_of_a_volume_has_no_faces_beyond_its_sides():
    clip = Box(x=(0, None), y=(0, None), z=(0, None))
    whole, cut = (
        Scene(fog(0, "red", 0.1, 20, clip=clip), camera=CAMERA, light="flat").render(SIZE)[..., :3].astype(int)
        for clip in ((), clip)
    )
    low, other = (slice(46, 66), slice(14, 66)), (slice(14, 66), slice(46, 66))  # z < 0; x < 0, on the right
    for part in (low, other):
        assert np.abs(cut[part] - whole[part]).max() <= 3
    assert np.abs(cut - whole)[20:34, 20:34].max(axis=-1).min() > 20


def test_a_cut_plane_within_a_volume():
    ramp = Volume(np.full((40, 40, 40), 100, np.float32), space.translation(-19.5, -19.5, -19.5), name="even")
    face = CutPlane(ramp, Plane(y=0), clim=(0, 100), cmap="gray", opacity=[(0, 1), (200, 1)])
    expected = over(("red", 0)) * (1 - through(0.1, 6)) + RED * through(0.1, 6)
    assert np.allclose(middle(face, fog(0, "red", 0.1, thickness=12)), expected, atol=0.03)


def test_flat_light_gives_the_colors_themselves():
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[5:25, 5:25, 5:25] = 7
    box = LabelMap(Volume(labels, space.translation(-15, -15, -15), "labels"), colors={7: (0.2, 0.6, 0.4)})
    for camera in ("left", (35, 45), (-20, 250)):
        raster = Scene(box, camera=camera, light="flat").render(SIZE)
        assert np.abs(raster[38:42, 38:42, :3] - np.rint(np.array([0.2, 0.6, 0.4]) * 255)).max() <= 1
    refuses(ValueError, lambda: Scene(box, light="dim"), "light must be studio or flat; got 'dim'")
    refuses(ValueError, lambda: Scene(box, quality="best"), "quality must be final or draft; got 'best'")


# Projections


def flat(y, hue, alpha, blend):
    return Intensity(slab(y), clim=(0, 100), cmap=ListedColormap([hue]), opacity=alpha, blend=blend)


@pytest.mark.parametrize(
    ("one", "two"), [("maximum", "maximum"), ("maximum", "minimum"), ("average", "average"), ("minimum", "average")]
)
def test_later_projections_lie_over_earlier_ones_wherever_they_are(one, two):
    near, far = flat(8, "red", 0.6, one), flat(-8, "blue", 0.5, two)
    assert middle(near, far) == pytest.approx(over(("red", 0.6), ("blue", 0.5)), abs=0.01)
    assert middle(far, near) == pytest.approx(over(("blue", 0.5), ("red", 0.6)), abs=0.01)


def test_projections_lie_behind_all_else_in_any_order():
    ground, map_over = flat(8, "red", 1.0, "maximum"), flat(8, "blue", 0.5, "maximum")
    mist = fog(-8, "green", 0.1)
    seen = over(("red", 1.0), ("blue", 0.5), ("green", through(0.1, 6)))
    assert middle(ground, map_over, mist) == pytest.approx(seen, abs=0.02)
    assert middle(mist, ground, map_over) == pytest.approx(seen, abs=0.02)
    assert middle(plate(-8, "green"), ground, map_over) == pytest.approx(GREEN, abs=0.01)


def test_a_projected_map_shows_what_is_farthest_from_zero():
    """Of what is seen: beyond the colors' limits too, and not on a side that they leave out."""
    columns = [(3.5, -6.5), (6.5, -3.5), (-5.5, 2.0), (20.5, -24.5), (2.0, 0.0)]
    data = np.zeros((40, 16, 12), np.float32)
    for n, (near, far) in enumerate(columns):
        data[8 * n + 1 : 8 * n + 7, 1:7], data[8 * n + 1 : 8 * n + 7, 9:15] = near, far
    zmap = Volume(data, np.eye(4), name="z")
    for options in ({}, {"clim": (0, 8)}, {"clim": (-8, 0)}):
        low, high = options.get("clim", (-8, 8))
        layer = Intensity(zmap, level=2.5, blend="maximum", **{"clim": (-8, 8)} | options)
        scene = Scene(layer, camera="posterior", light="flat")
        raster = scene.render((200, 60)) / 255
        for n, pair in enumerate(columns):
            kept = [value for value in pair if abs(value) > 2.5 and (value < 0 if high == 0 else value > 0 or low < 0)]
            expected = layer.look.rgb(max(kept, key=abs)) if kept else WHITE
            column, row = np.rint(scene.project((8 * n + 3.5, 7.5, 5.5), (200, 60))).astype(int)
            assert raster[row, column, :3] == pytest.approx(expected, abs=0.02), (options, pair)


def test_the_mean_of_a_map_is_that_of_what_is_seen_in_its_colors():
    data = np.zeros((12, 24, 12), np.float32)
    data[2:10, 2:10, 2:10], data[2:10, 12:20, 2:10] = -4.5, -5.5
    layer = Intensity(Volume(data, np.eye(4), name="z"), level=2.5, clim=(-8, 8), blend="average")
    assert middle(layer) == pytest.approx(layer.look.rgb(-5.0), abs=0.05)
