import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import ball, refuses
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from volrender import (
    CutPlane,
    Histogram,
    Intensity,
    Plane,
    Scene,
    Slices,
    TransferFunction,
    Volume,
    looks,
    preset,
    sample,
)
from volrender.cli import main
from volrender.presets import CT, NAMES, RELATIVE
from volrender.property_files import MAX_BYTES, SCHEMA, UNSHADED

EYE = np.eye(4)
WIDE = np.diag([10.0, 10, 10, 1])  # 200 mm across: nothing is enlarged
CT_NAMES = list(CT)
SHADED = {"ambient": 0.2, "diffuse": 1.0, "specular": 0.0, "power": 1.0}
RAMP = TransferFunction([(0, 0), (100, 0.5)], [(0, "black"), (100, "white")])


def body(offset=0, unit="", affine=WIDE, dtype=np.int16):
    """A head in air in Hounsfield units, a shell of bone about soft tissue, with an offset."""
    far = np.sqrt(((np.indices((20, 20, 20)) - 9.5) ** 2).sum(axis=0))
    noise = np.random.default_rng(0).normal(0, 15, far.shape)
    data = np.select([far < 6, far < 7, far < 9], [40, 900, -40], -1000) + noise
    return Volume(np.clip(data, -1024, None).astype(dtype) + dtype(offset), affine, name="head", unit=unit)


def component(**changes):
    """A component as Slicer writes it."""
    straight = {"midpoint": 0.5, "sharpness": 0.0}
    one = {
        "componentWeight": 1.0,
        "shade": True,
        "lighting": {"diffuse": 1.0, "ambient": 0.2, "specular": 0.0, "specularPower": 1.0},
        "disableGradientOpacity": False,
        "scalarOpacityUnitDistance": 1.0,
        "rgbTransferFunction": {
            "type": "colorTransferFunction",
            "points": [
                {"x": 0.0, "color": [0.0, 0.0, 0.0]} | straight,
                {"x": 20.0, "color": [0.168627, 0.0, 0.0]} | straight,
                {"x": 220.0, "color": [0.847059, 0.835294, 0.788235]} | straight,
            ],
        },
        "scalarOpacity": {
            "type": "piecewiseLinearFunction",
            "points": [{"x": 0.0, "y": 0.0} | straight, {"x": 120.0, "y": 0.3} | straight, {"x": 1024.0, "y": 0.5}],
        },
        "gradientOpacity": {
            "type": "piecewiseLinearFunction",
            "points": [{"x": 0.0, "y": 1.0} | straight, {"x": 255.0, "y": 1.0} | straight],
        },
    }
    return one | changes


def written(folder, *components, name="own.vp.json", **changes):
    """A file as Slicer writes it."""
    whole = {
        "effectiveRange": [0.0, 220.0],
        "isoSurfaceValues": [0.0],
        "independentComponents": True,
        "interpolationType": "linear",
        "useClippedVoxelIntensity": False,
        "clippedVoxelIntensity": -10000000000.0,
        "scatteringAnisotropy": 0.0,
        "components": list(components or [component()]),
    }
    path = folder / name
    path.write_text(json.dumps({"@schema": SCHEMA, "volumeProperties": [whole]} | changes))
    return path


# Presets, and how they adapt


@pytest.mark.filterwarnings("ignore:the preset")
@pytest.mark.parametrize("name", CT_NAMES)
def test_nodes_in_hounsfield_units_are_exact(name):
    for volume in (body(), Volume(np.full((20, 20, 20), 7.0), WIDE, unit="HU")):
        assert preset(name, volume).opacity == CT[name].opacity
        assert preset(name, volume).colors == CT[name].colors


@pytest.mark.filterwarnings("ignore:the preset")
@pytest.mark.parametrize("name", CT_NAMES)
def test_raw_units_that_are_off_by_1024_move_the_nodes_by_1024(name):
    raw = body(offset=1024)
    for volume in (raw, Volume(raw.data.astype(np.float32), WIDE)):
        moved = preset(name, volume)
        assert np.allclose(np.subtract(moved.opacity, CT[name].opacity), [1024, 0])
        assert moved.clim == tuple(np.add(CT[name].clim, 1024))


def test_the_head_of_the_samples_is_off_by_1024(samples):
    from volrender import load

    with pytest.warns(UserWarning, match="quarter.nhdr"):
        volume = load(samples / "ct_headsq_nrrd" / "quarter.nhdr")
    assert preset("ct-bone", volume).opacity[0] == (1174.0, 0.0)


@pytest.mark.parametrize(
    "volume",
    [
        sample("mni152"),
        Volume(np.arange(8000).reshape(20, 20, 20) % 4000, WIDE, name="an even spread"),
        Volume(body().data.astype(float) / 1000, WIDE, name="scaled"),
    ],
    ids=lambda v: v.name,
)
def test_what_is_not_in_hounsfield_units_is_told_and_spread(volume):
    with pytest.warns(
        UserWarning, match=rf"{volume.name} is not in Hounsfield units \(.* to .*\): ct-bone, for bone in CT, is spread"
    ):
        found = preset("ct-bone", volume)
    assert volume.survey.low < found.opacity[0][0] < volume.survey.high


@pytest.mark.parametrize(
    ("name", "volume", "why"),
    [
        (
            "stat",
            sample("mni152"),
            "statistical maps, with values on both sides of 0; MNI152 T1, 0 to 250, has none below",
        ),
        ("mr-t1", sample("motor"), "T1-weighted MR; left − right hand, -7.94144 to 7.94135, has a sign"),
        (
            "mr-head",
            Volume(np.arange(8000.0).reshape(20, 20, 20) - 1000, WIDE, unit="HU"),
            "is a CT in Hounsfield units",
        ),
        ("mr-angio", sample("mni152"), "is as bright in 6. % of its foreground"),
    ],
)
def test_a_preset_on_what_it_is_not_for_is_told_once(name, volume, why):
    with pytest.warns(UserWarning, match=f"the preset {name} is for .*{why}") as told:
        replace(Intensity(volume, preset=name), clip=())
    assert len(told) == 1
    assert told[0].filename == __file__


def chest(vessel=0):
    """A body with lungs, fat under its skin, ribs and, if it has values, a vessel 4 voxels wide; off by 1024."""
    i, j, k = np.indices((40, 32, 30)) - np.array([19.5, 15.5, 14.5])[:, None, None, None]
    body, lungs = (i / 18) ** 2 + (j / 14) ** 2, ((abs(i) - 8) / 6) ** 2 + (j / 8) ** 2
    data = np.select([body < 0.75, body < 1], [40.0, -100.0], -1000)
    data[lungs < 1] = -820
    data[(body > 0.65) & (body < 0.85) & (k.astype(int) % 6 < 2)] = 900
    data[(i**2 + (j + 4) ** 2 < 4)] = vessel or 40
    noise = np.random.default_rng(0).normal(0, 15, data.shape)
    return Volume((ndimage.gaussian_filter(data, 0.6) + noise + 1024).clip(0).astype(np.int16), WIDE, name="chest")


@pytest.mark.parametrize(
    ("volume", "absent"),
    [
        (body(), {"ct-lung", "ct-angio"}),
        (chest(), {"ct-angio"}),
        (chest(vessel=350), set()),
        (Volume(np.full((20, 20, 20), 30.0), WIDE, unit="HU"), {"ct-bone", "ct-lung", "ct-angio"}),
    ],
    ids=["head", "chest", "angiogram", "water"],
)
def test_what_a_preset_of_ct_is_for_must_be_there(volume, absent):
    for name in CT_NAMES:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            preset(name, volume)
        assert [f"the preset {name} is for" in str(one.message) for one in told] == [True] * (name in absent)
        assert all("has almost none" in str(one.message) for one in told)


def test_of_the_head_of_the_samples_it_is_told_what_it_does_not_hold(samples):
    from volrender import load

    with pytest.warns(UserWarning, match="quarter.nhdr"):
        volume = load(samples / "ct_headsq_nrrd" / "quarter.nhdr")
    for name in ("ct-lung", "ct-angio"):
        with pytest.warns(UserWarning, match=f"the preset {name} is for .* quarter, 0 to 3926, has almost none"):
            preset(name, volume)
    for name in ("ct-bone", "ct-skin", "ct-soft-tissue"):
        preset(name, volume)


@pytest.mark.filterwarnings("ignore:the preset")
@given(scale=st.floats(0.01, 1000), offset=st.floats(-1000, 1000))
def test_relative_presets_follow_scale_and_offset(scale, offset):
    plain = body(dtype=np.float64)
    other = Volume(plain.data * scale + offset, WIDE)
    for name in RELATIVE:
        expected = preset(name, plain).moved(scale, offset)
        reach = scale * np.ptp(plain.data)
        found = preset(name, other)
        assert np.allclose(found.opacity, expected.opacity, atol=1e-2 * reach)
        assert np.allclose(found.clim, expected.clim, atol=1e-2 * reach)


@pytest.mark.filterwarnings("ignore:the preset")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:.*not in Hounsfield")
@pytest.mark.parametrize(
    "volume",
    [ball(), sample("motor"), Volume(np.full((3, 3, 3), 7), EYE), Volume(np.arange(27.0).reshape(3, 3, 3) * 1e-9, EYE)],
    ids=["ball", "motor", "constant", "tiny values"],
)
def test_every_preset_fits_any_volume(name, volume):
    look = Intensity(volume, preset=name).look
    assert look.chosen
    assert look.cmap.name == name
    low, high = look.clim
    assert low < high
    values = np.linspace(volume.survey.low, volume.survey.high, 50)
    for panel in ("slice", "overlay", "voxel", "glass", "volume"):
        alpha = look.alpha(values, panel)
        assert ((alpha >= 0) & (alpha <= 1)).all()


@pytest.mark.filterwarnings("ignore:the preset")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:.*not in Hounsfield")
def test_what_is_not_there_is_transparent(name):
    volume = sample("motor") if name == "stat" else sample("mni152") if name in RELATIVE else body()
    nothing = 0.0 if name == "stat" else volume.survey.low
    assert Intensity(volume, preset=name).look.alpha([nothing], "volume")[0] == 0


def test_stat_is_two_sided_and_steps_at_its_level():
    volume = sample("motor")
    found = preset("stat", volume, level=3.1)
    assert found.clim == (-8.0, 8.0)
    look = Intensity(volume, preset=found).look
    for panel in ("slice", "overlay", "voxel", "volume"):
        shown = look.alpha([-5, -3.11, -3.09, 0, 3.09, 3.11, 5], panel) > 0
        assert shown.tolist() == [True, True, False, False, False, True, True]
    red, _, blue = look.rgb(5)
    assert red > blue
    red, _, blue = look.rgb(-5)
    assert blue > red


def test_stat_takes_a_maps_own_threshold():
    thresholded = sample("motor").threshold(2.3)
    level = thresholded.survey.smallest
    assert preset("stat", thresholded).opacity[3] == (-level, 0.0)
    one_sided = Volume(np.abs(sample("motor").data), sample("motor").affine)
    found = preset("stat", one_sided, level=3)
    assert found.clim[0] == 0
    assert Intensity(one_sided, preset=found).look.alpha([2.9, 3.1], "slice").tolist() == [0, 1]


@pytest.mark.parametrize("level", [0, -2, 9, np.nan])
def test_a_level_lies_within_the_map(level):
    refuses(ValueError, lambda: preset("stat", sample("motor"), level=level), "level must be")


def test_small_things_absorb_as_if_enlarged_to_100_mm():
    mouse = preset("ct-bone", body(affine=np.eye(4)))  # 20 mm
    assert mouse.opacity == CT["ct-bone"].opacity
    assert mouse.distance == 0.2
    assert preset("ct-bone", body()).distance == 1


def test_a_stack_of_micrometres_looks_as_if_it_were_large():
    bead = np.clip(ball(24, 9).data * np.linspace(0.2, 1, 24), 0, 100)
    stacks = [Volume(bead, np.diag([mm, mm, mm, 1.0]), name="stack") for mm in (4.5, 4.5e-4)]
    large, small = (Scene(Intensity(v, preset="fluorescence"), annotate=False).render((60, 60)) for v in stacks)
    assert np.abs(large.astype(int) - small).max() <= 10
    assert 10 < large[..., 0].min() < 200  # neither gone nor opaque


def test_what_a_preset_is_not():
    volume = body()
    said = refuses(ValueError, lambda: Intensity(volume, preset="ct-bones"), "'ct-bones'", "did you mean ct-bone?")
    assert all(name in said for name in NAMES)
    refuses(ValueError, lambda: preset("nothing like it", volume), "choose from ct-bone")
    refuses(TypeError, lambda: Intensity(volume, preset=3), "preset must be a name, a .vp.json file", "got 3")
    refuses(ValueError, lambda: preset("ct-bone", volume, level=3), "level belongs to the preset stat")
    refuses(FileNotFoundError, lambda: Intensity(volume, preset="none.vp.json"), "none.vp.json: no such file")
    rgb = Volume(np.zeros((3, 3, 3, 3), np.uint8), EYE, "rgb", name="photo")
    refuses(TypeError, lambda: Intensity(rgb, preset="ct-bone"), "photo takes no preset: its voxels are colors")
    labels = Volume(np.ones((3, 3, 3), np.uint8), EYE, "labels", name="atlas")
    refuses(TypeError, lambda: preset("ct-bone", labels), "atlas holds labels")


# Layers


def test_what_a_layer_says_comes_before_its_preset():
    volume = body()
    nodes = ((0.0, 0.0), (100.0, 0.3))
    layer = Intensity(volume, clim=(0, 500), cmap="viridis", opacity=nodes, preset="ct-bone")
    assert layer.look.clim == (0, 500)
    assert layer.look.cmap.name == "viridis"
    assert layer.look.nodes("volume") == nodes
    half = Intensity(volume, opacity=0.5, preset="ct-bone").look.nodes("volume")
    assert np.allclose(half, [(value, amount / 2) for value, amount in CT["ct-bone"].opacity])


@pytest.mark.filterwarnings("ignore:the preset")
def test_slices_have_the_colors_but_not_the_absorption():
    look = Intensity(body(), preset="ct-soft-tissue").look
    assert look.nodes("volume") == CT["ct-soft-tissue"].opacity
    assert look.alpha([40.0], "slice").tolist() == [1]
    assert look.clim == CT["ct-soft-tissue"].clim
    plane = CutPlane(body(), Plane(x=0), preset="ct-soft-tissue").look
    assert plane.rgb([40.0]).tolist() == look.rgb([40.0]).tolist()


def test_a_changed_copy_keeps_its_preset():

    layer = Intensity(body(), preset="ct-bone")
    copy = replace(layer, volume=body().smooth(20))
    assert copy.look.nodes("volume") == CT["ct-bone"].opacity
    assert copy.look.alpha([40.0], "slice").tolist() == [1]


def test_a_look_tells_of_gradient_and_shading():
    transfer = TransferFunction(RAMP.opacity, RAMP.colors, [(0, 0), (50, 1)], SHADED)
    look = Intensity(ball(), preset=transfer).look
    assert look.gradient == ((0.0, 0.0), (50.0, 1.0))
    assert look.shading == SHADED
    plain = Intensity(ball()).look
    assert (plain.gradient, plain.shading, plain.curve) == (None, None, None)


@pytest.mark.filterwarnings("ignore:the preset")
def test_the_histogram_draws_the_curve():
    layer = Intensity(body(), preset="ct-lung")
    figure = Histogram(layer).figure(89, 100)
    (line,) = [line for ax in figure.axes for line in ax.get_lines()]
    assert np.allclose(line.get_xydata()[1:-1], CT["ct-lung"].opacity)
    assert line.axes.get_ylim()[1] < 0.2  # it fills its axis
    bars = next(ax for ax in figure.axes if ax.patches).patches
    centers = np.array([bar.get_x() + bar.get_width() / 2 for bar in bars])
    assert np.allclose([bar.get_facecolor()[:3] for bar in bars], layer.look.rgb(centers), atol=1e-6)


@pytest.mark.parametrize(("name", "bars"), [("ct-bone", 0), ("stat", 1)])
def test_a_color_bar_where_colors_are_values(name, bars):
    layer = Intensity(sample("motor") if name == "stat" else body(unit="HU"), preset=name)
    assert len(Scene(layer)._bars("volume")) == bars
    assert len(Scene(layer, colorbar=True)._bars("volume")) == 1
    assert len(Slices(layer)._bars("slice")) == 1


def test_a_scene_has_the_presets_colors():
    red = TransferFunction([(0, 0), (40, 0), (60, 1)], [(0, "red"), (50, "red"), (100, "red")])
    raster = Scene(Intensity(ball(), preset=red), camera="left").render(size=(40, 40))
    r, g, b, _ = raster[20, 20].astype(int)
    assert r > 80
    assert max(g, b) < 40


# Transfer functions


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (([(0, 0)], RAMP.colors), ValueError, "opacity nodes must be two or more"),
        ((0.5, RAMP.colors), TypeError, "opacity must be nodes"),
        (([(0, 0), (1, 2)], RAMP.colors), ValueError, "between 0 and 1"),
        (([(0, 0), (np.inf, 1)], RAMP.colors), ValueError, "finite"),
        ((RAMP.opacity, [(0, "red")]), ValueError, "two nodes or more"),
        ((RAMP.opacity, [(1, "red"), (0, "blue")]), ValueError, "rising order"),
        ((RAMP.opacity, [(1, "red"), (1, "blue")]), ValueError, "rising order"),
        ((RAMP.opacity, [(0, "rod"), (1, "blue")]), ValueError, "the color at 0 must be"),
        ((RAMP.opacity, "red"), TypeError, "colors must be nodes"),
        ((RAMP.opacity, 7), TypeError, "colors must be nodes"),
        ((RAMP.opacity, RAMP.colors, [(0, 0), (1, 7)]), ValueError, "gradient nodes"),
        ((RAMP.opacity, RAMP.colors, None, {"ambient": 1}), TypeError, "shading must map"),
        ((RAMP.opacity, RAMP.colors, None, SHADED | {"diffuse": 2}), ValueError, "the diffuse of shading must be"),
        ((RAMP.opacity, RAMP.colors, None, SHADED | {"power": np.nan}), ValueError, "the power of shading must be"),
    ],
)
def test_a_transfer_function_is_checked_where_it_is_typed(arguments, kind, said):
    refuses(kind, lambda: TransferFunction(*arguments), said)


def test_colors_are_mixed_between_nodes():
    transfer = TransferFunction(RAMP.opacity, [(-50, "black"), (0, "black"), (100, "white"), (500, "white")])
    assert transfer.clim == (0, 100)
    look = Intensity(ball(), preset=transfer).look
    assert np.allclose(look.rgb([-20, 0, 50, 100, 900])[:, 0], [0, 0, 0.5, 1, 1], atol=0.003)


def test_one_color_is_a_colormap_too():
    transfer = TransferFunction(RAMP.opacity, [(0, "red"), (100, "red")])
    assert transfer.clim == (0, 100)
    assert np.allclose(transfer.cmap(0.5)[:3], (1, 0, 0))


# Files


@given(
    values=st.lists(st.floats(-3000, 3000, width=32), min_size=2, max_size=9, unique=True).map(sorted),
    amounts=st.lists(st.floats(0, 1), min_size=9, max_size=9),
    extra=st.booleans(),
    sparse=st.booleans(),
)
def test_a_round_trip_is_exact(tmp_path, values, amounts, extra, sparse):
    rgb = [(a, b, c) for a, b, c in zip(amounts, amounts[1:] + amounts, amounts[2:] + amounts)]
    steep = ((0.0, 0.0), (30.0, 1.0)) if extra else None
    shade = SHADED if extra else None
    kept = TransferFunction(tuple(zip(values, amounts)), tuple(zip(values, rgb)), steep, shade, "kept", sparse)
    kept.save(tmp_path / "kept.vp.json")
    assert TransferFunction.load(tmp_path / "kept.vp.json") == kept
    assert preset(str(tmp_path / "kept.vp.json"), ball()) == preset(tmp_path / "kept.vp.json", ball()) == kept


@pytest.mark.filterwarnings("ignore:the preset")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:.*not in Hounsfield")
def test_every_preset_can_be_kept(name, tmp_path):
    kept = preset(name, sample("motor"))
    kept.save(tmp_path / "kept.vp.json")
    assert TransferFunction.load(tmp_path / "kept.vp.json") == replace(kept, name="kept")


@pytest.mark.filterwarnings("ignore:.*not in Hounsfield")
@pytest.mark.parametrize("name", ["mr-t1", "ct-skin"])
def test_a_preset_that_was_kept_draws_the_same_picture(name, tmp_path):
    head = sample("mni152").downsize(40)
    preset(name, head).save(tmp_path / "look.vp.json")
    one, two = (Scene(Intensity(head, preset=look)).render((60, 60)) for look in (name, tmp_path / "look.vp.json"))
    assert np.array_equal(one, two)


def test_a_file_of_slicers_is_read(tmp_path):
    found = TransferFunction.load(written(tmp_path))
    assert found.opacity == ((0, 0), (120, 0.3), (1024, 0.5))
    assert found.colors[1] == (20, (0.168627, 0, 0))
    assert found.clim == (0, 220)
    assert found.gradient is None  # 1 everywhere
    assert found.shading == SHADED
    assert found.name == "own"
    assert Intensity(ball(), preset=tmp_path / "own.vp.json").look.nodes("volume") == found.opacity
    assert Intensity(ball(), preset=str(tmp_path / "own.vp.json")).look.clim == (0, 220)


def test_what_is_written_keeps_to_slicers_schema(tmp_path):
    RAMP.save(tmp_path / "a.vp.json")
    whole = json.loads((tmp_path / "a.vp.json").read_text())
    assert whole["@schema"] == SCHEMA
    (one,) = whole["volumeProperties"]
    assert one["effectiveRange"] == [0, 100]
    (part,) = one["components"]
    for function in ("scalarOpacity", "gradientOpacity", "rgbTransferFunction"):
        for point in part[function]["points"]:
            assert {"x", "midpoint", "sharpness"} < set(point)
    assert part["scalarOpacityUnitDistance"] == 1


@pytest.mark.parametrize("distance", [0.1, 0.5, 3.0, 20.0])
def test_the_distance_over_which_opacity_holds_is_kept(distance, tmp_path):
    found = TransferFunction.load(written(tmp_path, component(scalarOpacityUnitDistance=distance)))
    assert found.opacity == ((0, 0), (120, 0.3), (1024, 0.5))
    found.save(tmp_path / "again.vp.json")
    assert TransferFunction.load(tmp_path / "again.vp.json").distance == found.distance == distance


@pytest.mark.usefixtures("either")
def test_opacity_is_that_of_its_distance():
    volume = Volume(np.where(np.indices((20, 20, 20))[1] < 10, 100.0, 0), EYE)  # 10 mm deep
    for distance, amount in ((1.0, 0.1), (5.0, 0.1), (0.01, 0.001)):
        look = TransferFunction([(0, 0), (49, 0), (50, amount), (100, amount)], RAMP.colors, distance=distance)
        raster = Scene(Intensity(volume, preset=look), camera="posterior", background="transparent").render((40, 40))
        assert raster[20, 20, 3] / 255 == pytest.approx(1 - (1 - amount) ** (10 / distance), abs=0.04)
    refuses(ValueError, lambda: TransferFunction(RAMP.opacity, RAMP.colors, distance=0), "distance must be above 0")


def test_gradient_and_shade_are_switched_off(tmp_path):
    steep = {"points": [{"x": 0, "y": 0}, {"x": 90, "y": 1}]}
    assert TransferFunction.load(written(tmp_path, component(gradientOpacity=steep))).gradient == ((0, 0), (90, 1))
    off = component(gradientOpacity=steep, disableGradientOpacity=True, shade=False)
    found = TransferFunction.load(written(tmp_path, off))
    assert (found.gradient, found.shading) == (None, UNSHADED)
    found.save(tmp_path / "again.vp.json")
    assert TransferFunction.load(tmp_path / "again.vp.json").shading == UNSHADED


@pytest.mark.parametrize("midpoint", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("sharpness", [0.0, 0.4, 1.0])
def test_bent_curves_are_vtks(midpoint, sharpness, tmp_path):
    vtk = pytest.importorskip("vtkmodules.vtkCommonDataModel")
    theirs = vtk.vtkPiecewiseFunction()
    theirs.AddPoint(0, 0.1, midpoint, sharpness)
    theirs.AddPoint(100, 0.9, 0.5, 0)
    points = [{"x": 0, "y": 0.1, "midpoint": midpoint, "sharpness": sharpness}, {"x": 100, "y": 0.9}]
    mine = TransferFunction.load(written(tmp_path, component(scalarOpacity={"points": points}))).opacity
    values = np.array([0, 5, 15, 22, 33, 47, 61, 80, 88, 97, 100.0])
    assert np.allclose(looks.interpolate(values, mine), [theirs.GetValue(v) for v in values], atol=0.03)


def test_points_in_any_order_are_sorted(tmp_path):
    points = [{"x": 9, "y": 1}, {"x": 3, "y": 0}, {"x": 9, "y": 0.5}]
    found = TransferFunction.load(written(tmp_path, component(scalarOpacity={"points": points})))
    assert found.opacity == ((3, 0), (9, 1), (9, 0.5))


def test_the_older_text_is_read(tmp_path):
    path = tmp_path / "old.vp"
    path.write_text("1\n1\n0.9\n0.1\n0.2\n10\n4 -86 0 45.3 0.17\n4 0 1 255 1\n8 -86 0 0.25 1 45.3 1 0 0\n")
    found = TransferFunction.load(path)
    assert found.opacity == ((-86, 0), (45.3, 0.17))
    assert found.colors == ((-86, (0, 0.25, 1)), (45.3, (1, 0, 0)))
    assert found.shading == {"ambient": 0.1, "diffuse": 0.9, "specular": 0.2, "power": 10}
    for text in ("", "1\n" * 9, "a\n" * 9, path.read_text().replace("4 -86", "5 -86"), "nan\n" * 9):
        path.write_text(text)
        refuses(ValueError, lambda: TransferFunction.load(path), "old.vp: must")


POINTS = [{"x": 0, "y": 0}, {"x": 1, "y": 1}]
HOSTILE = {
    "no JSON": "{",
    "nothing": "",
    "a list": "[]",
    "a number": "7",
    "deep": "[" * 200_000,
    "no schema": "{}",
    "another schema": '{"@schema": "markups-schema-v1.0.3.json#"}',
    "no properties": {"volumeProperties": []},
    "properties that are none": {"volumeProperties": {"components": []}},
    "no components": {"volumeProperties": [{"components": 3}]},
    "no opacity": {"scalarOpacity": None},
    "opacity without points": {"scalarOpacity": {"points": []}},
    "points that are none": {"scalarOpacity": {"points": "many"}},
    "a point that is none": {"scalarOpacity": {"points": [1, 2]}},
    "a point without a value": {"scalarOpacity": {"points": [{"y": 1}, {"x": 3, "y": 1}]}},
    "a true number": {"scalarOpacity": {"points": [{"x": True, "y": 1}, *POINTS]}},
    "a number in words": {"scalarOpacity": {"points": [{"x": "9" * 10_000, "y": 1}, *POINTS]}},
    "a number too large": {"scalarOpacity": {"points": [{"x": 10**400, "y": 1}, *POINTS]}},
    "not a number": {"scalarOpacity": {"points": [{"x": float("nan"), "y": 1}, *POINTS]}},
    "infinity": {"scalarOpacity": {"points": [{"x": float("inf"), "y": 1}, *POINTS]}},
    "more than opaque": {"scalarOpacity": {"points": [{"x": 0, "y": 2}, *POINTS]}},
    "less than clear": {"scalarOpacity": {"points": [{"x": 0, "y": -1}, *POINTS]}},
    "a midpoint outside": {"scalarOpacity": {"points": [{"x": 0, "y": 0, "midpoint": -3}, *POINTS]}},
    "too many points": {"scalarOpacity": {"points": POINTS * 3000}},
    "two channels": {"rgbTransferFunction": {"points": [{"x": 0, "color": [0, 1]}, {"x": 1, "color": [0, 1]}]}},
    "a color in words": {"rgbTransferFunction": {"points": [{"x": 0, "color": ["a", 1, 1]}]}},
    "a color too bright": {"rgbTransferFunction": {"points": [{"x": 0, "color": [0, 1, 9]}]}},
    "colors at one value": {"rgbTransferFunction": {"points": [{"x": 0, "color": [0, 1, 1]}] * 2}},
    "no distance": {"scalarOpacityUnitDistance": 0},
    "a distance back": {"scalarOpacityUnitDistance": -1},
    "a distance in words": {"scalarOpacityUnitDistance": "1 mm"},
    "light that is none": {"lighting": [1, 2]},
    "light too bright": {"lighting": {"ambient": 50}},
    "a gradient that is a number": {"gradientOpacity": 7},
    "no gradient": {"gradientOpacity": {"points": [{"x": 0, "y": None}]}},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_no_file_is_believed(case, tmp_path):
    content = HOSTILE[case]
    if isinstance(content, str):
        path = tmp_path / "own.vp.json"
        path.write_text(content)
    elif "volumeProperties" in content:
        path = written(tmp_path, **content)
    else:
        path = written(tmp_path, component(**content))
    said = refuses(ValueError, lambda: TransferFunction.load(path), "own.vp.json: ")
    assert len(said) < len(str(path)) + 160
    assert ("beyond reason" in said) == (case == "a number too large")


def test_a_file_beyond_reason_is_not_read(tmp_path):
    path = tmp_path / "large.vp.json"
    path.write_bytes(b" " * (MAX_BYTES + 1))
    refuses(ValueError, lambda: TransferFunction.load(path), "large.vp.json", "must have at most 4,194,304 bytes")
    path.write_bytes(b"\xff\xfe\x00")
    refuses(ValueError, lambda: TransferFunction.load(path), "must be text in UTF-8")
    refuses(FileNotFoundError, lambda: TransferFunction.load(tmp_path), "no such file")


def test_saving_leaves_an_older_file_whole(tmp_path):
    refuses(ValueError, lambda: RAMP.save(tmp_path / "a.json"), "must be saved as .vp.json")
    refuses(FileNotFoundError, lambda: RAMP.save(tmp_path / "none" / "a.vp.json"), "does not exist")
    RAMP.save(tmp_path / "a.vp.json")
    RAMP.moved(2, 0).save(tmp_path / "a.vp.json")
    assert TransferFunction.load(tmp_path / "a.vp.json").clim == (0, 200)
    assert [path.name for path in tmp_path.iterdir()] == ["a.vp.json"]


# The command line


@pytest.fixture
def head(tmp_path):
    body().save(tmp_path / "head.nii.gz")
    return tmp_path / "head.nii.gz"


def run(*words):
    return main([str(word) for word in words])


@pytest.mark.parametrize("command", ["slices", "histogram", "scene"])
def test_the_command_line_takes_a_preset(command, head, capsys):
    def draw(*words):
        target = head.with_name("out.png")
        code = run(command, head, "-o", target, "--width", 40, "--dpi", 60, *words)
        assert (code, capsys.readouterr().err) == (0, "")
        return np.asarray(Image.open(target).convert("RGB"))

    plain, bone = draw(), draw("--preset", "ct-bone")
    assert not np.array_equal(plain, bone)
    CT["ct-bone"].save(head.with_name("same.vp.json"))
    kept = draw("--preset", head.with_name("same.vp.json"))
    assert np.abs(kept.astype(int) - bone).mean() < 2


def test_the_command_line_names_what_is_wrong(head, capsys):
    def says(*words):
        code = run("slices", *words, "-o", head.with_name("out.png"))
        said = capsys.readouterr().err.strip()
        assert code == 2
        assert "\n" not in said
        return said

    assert "did you mean ct-bone?" in says(head, "--preset", "ct-bon")
    assert "level belongs to the preset stat" in says(head, "--preset", "ct-bone", "--level", 3)
    assert "none.vp.json: no such file" in says(head, "--preset", head.with_name("none.vp.json"))
    mask = head.with_name("mask.nii.gz")
    Volume((body().data > 0).astype(np.uint8), WIDE, "labels").save(mask)
    assert "--preset is for intensities" in says(mask, "--preset", "ct-bone")


def test_help_lists_the_names(capsys):
    run("scene", "--help")
    said = capsys.readouterr().out
    assert all(name in said for name in NAMES)


def test_stat_takes_the_level_of_the_command_line(tmp_path, capsys):
    sample("motor").save(tmp_path / "z.nii.gz")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code = run("histogram", tmp_path / "z.nii.gz", "--preset", "stat", "--level", 3.1, "-o", tmp_path / "h.png")
    assert code == 0, capsys.readouterr().err
    assert Path(tmp_path / "h.png").is_file()
