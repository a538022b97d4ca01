import dataclasses

import numpy as np
import pytest
from helpers import ball, ramp, refuses

from volrender import Box, Camera, CutPlane, Intensity, Isosurface, LabelMap, Plane, Slices, Volume, sample
from volrender.io import Label
from volrender.layers import ABOVE, BELOW, SAND
from volrender.words import FOREIGN, choices, our_words, unknown_word

EYE = np.eye(4)
BALL = ball()
MASK = Volume(BALL.data > 0, EYE, "labels", "tumor")
REGIONS = Volume(ramp((2, 2, 2)) % 4, EYE, "labels", "regions", labels={1: Label("one", (0.1, 0.2, 0.3))})
SERIES = Volume(np.zeros((2, 2, 2, 9)), EYE, name="bold")
MAP = Volume(np.random.default_rng(0).normal(size=(9, 9, 9)), EYE, name="zmap")
LAYERS = {
    Intensity: lambda v, **options: Intensity(v, **options),
    Isosurface: lambda v, **options: Isosurface(v, **options),
    LabelMap: lambda v, **options: LabelMap(v, **options),
    CutPlane: lambda v, **options: CutPlane(v, Plane(x=0), **options),
}
OF = [pytest.param(make, MASK if cls is LabelMap else BALL, id=cls.__name__) for cls, make in LAYERS.items()]


@pytest.mark.parametrize(("make", "volume"), OF)
def test_a_layer_does_not_change(make, volume):
    layer = make(volume)
    with pytest.raises(dataclasses.FrozenInstanceError):
        layer.opacity = 0.5
    assert layer.volume is volume


@pytest.mark.parametrize(("make", "volume"), OF)
def test_a_layer_can_be_varied(make, volume):
    varied = dataclasses.replace(make(volume), opacity=0.25)
    assert varied.opacity == 0.25
    assert varied.volume is volume


@pytest.mark.parametrize(("make", "volume"), OF)
def test_a_layer_needs_a_still_volume(make, volume):
    refuses(ValueError, lambda: make(SERIES), "needs a 3-D volume; bold has 9 frames: call .frame(t) or .mean()")
    for wrong in (None, "T1.nii", np.zeros((2, 2, 2))):
        refuses(
            TypeError,
            lambda wrong=wrong: make(wrong),
            "needs a Volume, from volrender.load(...); got",
            type(wrong).__name__,
        )


@pytest.mark.parametrize("make", [make for cls, make in LAYERS.items() if cls is not LabelMap])
def test_a_label_map_is_not_shown_as_intensities(make):
    refuses(TypeError, lambda: make(MASK), "cannot show the label map 'tumor'", "LabelMap")


@pytest.mark.parametrize(("make", "volume"), [case for case in OF if case.id != "CutPlane"])
def test_clips_become_a_tuple(make, volume):
    plane, box = Plane(x=1), Box(y=(0, 1))
    assert make(volume).clip == ()
    assert make(volume, clip=plane).clip == (plane,)
    assert make(volume, clip=[plane, box]).clip == (plane, box)
    refuses(TypeError, lambda: make(volume, clip=7), "clip must be a Plane, a Box, or several of them; got 7")


def test_the_clip_of_a_cut_plane_is_nothing():
    assert LAYERS[CutPlane](BALL).clip == ()


# Our words


@pytest.mark.parametrize(
    ("make", "volume", "word", "says"),
    [
        (Intensity, BALL, "vmin", "Intensity takes clim, not vmin"),
        (Intensity, BALL, "vmax", "Intensity takes clim, not vmax"),
        (Intensity, BALL, "contrast_limits", "takes clim"),
        (Intensity, BALL, "alpha", "Intensity takes opacity, not alpha"),
        (Intensity, BALL, "colormap", "takes cmap, not colormap"),
        (Intensity, BALL, "rendering", "takes blend, not rendering"),
        (Intensity, BALL, "clip_plane", "takes clip, not clip_plane"),
        (Intensity, BALL, "threshold", "Intensity takes level, not threshold"),
        (Intensity, BALL, "cut_coords", "Intensity has no cut_coords; it takes"),
        (Intensity, BALL, "opactiy", "did you mean opacity?"),
        (Isosurface, BALL, "threshold", "Isosurface takes level, not threshold"),
        (Isosurface, BALL, "isovalue", "takes level, not isovalue"),
        (Isosurface, BALL, "colour", "did you mean color?"),
        (LabelMap, MASK, "alpha", "LabelMap takes opacity, not alpha"),
        (CutPlane, BALL, "vmax", "CutPlane takes clim, not vmax"),
    ],
)
def test_a_foreign_word_is_answered_with_ours(make, volume, word, says):
    refuses(TypeError, lambda: make(volume, **{word: 1}), says)


def test_angles_belong_to_the_camera():
    refuses(TypeError, lambda: Camera(elev=3), "did you mean elevation?")
    refuses(TypeError, lambda: Camera(azim=3), "did you mean azimuth?")
    assert str(unknown_word("elev", "Scene", ["layers", "camera"])) == "Scene takes camera, not elev"
    assert str(unknown_word("cut_coords", "Slices", ["x", "y", "z"])) == "Slices takes x, y or z, not cut_coords"


def test_no_word_is_its_own_translation():
    assert not set(FOREIGN) & {name for ours in FOREIGN.values() for name in ours.replace(" or", ",").split(", ")}


def test_our_words_leaves_the_signature():
    @our_words
    class Thing:
        def __init__(self, *parts, width=1):
            self.parts, self.width = parts, width

    assert (Thing(1, 2, width=3).parts, Thing(width=3).width) == ((1, 2), 3)
    refuses(TypeError, lambda: Thing(figsize=3), "Thing takes width, not figsize")


def test_choices_are_all_or_the_nearest():
    assert choices(["a", "b"], "c") == "choose from a, b"
    many = [f"region{n}" for n in range(20)]
    assert "region1" in choices(many, "regoin1")
    assert choices(many, "zzz").endswith(", ...")


# Intensity


def test_an_intensity_says_what_is_wrong_where_it_is_typed():
    refuses(ValueError, lambda: Intensity(BALL, clim=(3, 1)), "clim must be increasing")
    refuses(ValueError, lambda: Intensity(BALL, opacity=2), "opacity must be between 0 and 1")
    refuses(ValueError, lambda: Intensity(BALL, cmap="virids"), "did you mean viridis")
    refuses(
        ValueError, lambda: Intensity(BALL, blend="mip"), "blend must be one of composite, maximum, minimum, average"
    )
    refuses(ValueError, lambda: Intensity(Volume(np.full((2, 2, 2), np.nan), EYE, name="nan.nii")).look, "nan.nii: ")


def test_looks_follow_the_volume():
    assert Intensity(BALL).look.cmap.name == "gray"
    assert Intensity(sample("motor")).look.cmap.name == "coolwarm"
    layer = Intensity(BALL, clim=(10, 20), cmap="hot", opacity=0.5)
    assert (layer.look.clim, layer.look.cmap.name, layer.look.opacity) == ((10, 20), "hot", 0.5)
    assert layer.look is layer.look


# Isosurface


def test_an_isosurface_by_default_parts_background_from_foreground():
    assert 0 < Isosurface(BALL).level < 100
    assert Isosurface(BALL).color == SAND
    assert [Isosurface(sample("motor"), level).color for level in (3.1, -3.1)] == [ABOVE, BELOW]
    assert Isosurface(BALL, level=50, color="red").color == (1, 0, 0)


@pytest.mark.parametrize("level", [-1, 100.5, np.nan, np.inf])
def test_a_level_outside_the_data_is_refused(level):
    refuses(ValueError, lambda: Isosurface(BALL, level=level), "level must")


def test_an_isosurface_says_what_is_wrong():
    refuses(ValueError, lambda: Isosurface(BALL, level=200), "within the data of ball, 0 to 100; got 200")
    refuses(TypeError, lambda: Isosurface(BALL, level=[1]), "level must be a number; got [1]")
    refuses(ValueError, lambda: Isosurface(BALL, color="rde"), "color must be a matplotlib color")
    refuses(
        TypeError, lambda: Isosurface(BALL, opacity=[(0, 0), (1, 1)]), "the opacity of a surface must be one number"
    )
    refuses(TypeError, lambda: Isosurface(BALL, opacity=None), "must be one number, 0 to 1; got None")


def test_below_zero_a_maps_surface_encloses_what_is_lower():
    assert Isosurface(MAP, level=-1).side == -1
    assert Isosurface(MAP, level=1).side == 1
    ct = Volume(np.where(BALL.data > 0, 40, -1000), EYE)
    assert Isosurface(ct, level=-300).side == 1


# Label maps


def test_a_mask_is_one_label_with_the_volumes_name():
    (only,) = LabelMap(MASK).table.items()
    assert only[0] == 1
    assert only[1][0] == "tumor"
    assert LabelMap(MASK, colors="red").table == {1: ("tumor", (1, 0, 0))}


def test_whole_numbers_become_labels():
    layer = LabelMap(Volume(np.full((2, 2, 2), 3.0), EYE, name="three"))
    assert layer.volume.kind == "labels"
    assert list(layer.table) == [3]
    refuses(ValueError, lambda: LabelMap(MAP), "zmap: a label map must hold whole numbers")


def test_names_and_colors_come_with_the_volume_or_by_default():
    table = LabelMap(REGIONS).table
    assert list(table) == [1, 2, 3]
    assert table[1] == ("one", (0.1, 0.2, 0.3))
    assert [name for name, _ in table.values()] == ["one", "2", "3"]
    assert len({rgb for _, rgb in table.values()}) == 3


def test_one_color_for_all_or_one_for_each():
    assert {rgb for _, rgb in LabelMap(REGIONS, colors="lime").table.values()} == {(0, 1, 0)}
    assert LabelMap(REGIONS, colors={3: "red", np.int16(1): "blue", 9: "k"}).table == {
        1: ("one", (0, 0, 1)),
        3: ("3", (1, 0, 0)),
    }


def test_background_is_not_a_label():
    assert 0 not in LabelMap(REGIONS).table
    negative = Volume(np.array([-1, 0, 2]).reshape(3, 1, 1), EYE, "labels")
    assert list(LabelMap(negative).table) == [-1, 2]


def test_the_atlas_keeps_its_names():
    table = LabelMap(sample("atlas")).table
    assert len(table) > 100
    assert all(name and not name.isdigit() for name, _ in table.values())


@pytest.mark.parametrize(
    ("colors", "kind", "says"),
    [
        ("rde", ValueError, "colors must be a matplotlib color"),
        ({1: "rde"}, ValueError, "the color of label 1 must be a matplotlib color"),
        ({"one": "red"}, TypeError, "the keys of colors must be label numbers; got 'one'"),
        ({1.5: "red"}, TypeError, "the keys of colors must be label numbers; got 1.5"),
    ],
)
def test_colors_of_labels_are_checked(colors, kind, says):
    refuses(kind, lambda: LabelMap(REGIONS, colors=colors), says)


def test_label_maps_without_labels():
    empty = Volume(np.zeros((2, 2, 2), np.uint8), EYE, "labels", "void")
    refuses(ValueError, lambda: LabelMap(empty).table, "void: must hold a label other than 0")
    refuses(ValueError, lambda: LabelMap(REGIONS, colors={9: "red"}).table, "labels that occur (1, 2, 3); got [9]")


# Thresholds


def zmap():
    data = np.random.default_rng(0).normal(size=(10, 10, 10))
    data[4, 4, 4], data[7, 7, 7] = -9, 7
    return Volume(data, np.eye(4), name="zmap")


def test_what_is_below_the_level_is_not_drawn():
    values = np.array([-8, -3.2, -2.9, 0, 2.9, 3.2, 8])
    assert Intensity(zmap(), level=3).look.alpha(values, "overlay").tolist() == [1, 1, 0, 0, 0, 1, 1]
    assert Intensity(zmap(), level=3, opacity=0.5).look.alpha(values, "voxel").max() == 0.5
    assert Intensity(zmap(), level=3, clim=(0, 9)).look.alpha(values, "slice").tolist() == [0, 0, 0, 0, 0, 1, 1]
    one_sided = Volume(np.arange(1000).reshape(10, 10, 10), np.eye(4))
    for panel in ("slice", "overlay", "volume"):
        assert Intensity(one_sided, level=300).look.alpha([0, 299, 300, 999], panel).tolist() == [0, 0, 1, 1]
    cubes = Intensity(one_sided, level=300, clim=(0, 1000)).look.alpha([0, 299, 300, 999], "voxel")
    assert np.allclose(cubes, [0, 0, 0.3, 1], atol=2e-3)  # of cubes the value is the opacity
    assert Intensity(one_sided, level="90%").level == pytest.approx(899.1)
    for level, share in (("95%", 0.95), ("40%", 0.4)):  # as the caption says, of |z|
        both = Intensity(Volume(np.linspace(-8, 9, 1000).reshape(10, 10, 10), np.eye(4)), level=level)
        assert np.mean(np.abs(both.volume.data) < both.level) == pytest.approx(share, abs=2e-3)


def test_a_level_must_leave_something():
    refuses(
        ValueError, lambda: Intensity(zmap(), level=9.5), "within the data of zmap, 0 to 9 on either side of 0; got 9"
    )
    refuses(ValueError, lambda: Intensity(zmap(), level=-3), "level must lie within", "got -3")
    refuses(ValueError, lambda: Intensity(BALL, level=1e9), "level must lie within the data of", "got 1e+09")
    refuses(
        TypeError, lambda: Intensity(zmap(), level=3, opacity=[(0, 0), (1, 1)]), "level, or the threshold of opacity"
    )
    refuses(
        TypeError,
        lambda: Intensity(zmap(), level=3, preset="stat"),
        "got both: take preset=volrender.preset('stat', volume, level=3)",
    )


# Cut planes


def test_a_cut_plane_needs_a_plane():
    for plane in (5, Box(x=(0, 1)), None):
        refuses(TypeError, lambda plane=plane: CutPlane(BALL, plane), "CutPlane needs a Plane, such as Plane(x=0); got")
    refuses(ValueError, lambda: CutPlane(BALL, Plane(x=0), cmap="qqq"), "there is no colormap")
    assert CutPlane(BALL, Plane(x=0), clim=(0, 50)).look.clim == (0, 50)


@pytest.mark.parametrize(("word", "ours"), [("vmax", "clim"), ("alpha", "opacity"), ("cmap", "cmap")])
def test_a_panel_says_that_a_layers_word_belongs_to_the_layer(word, ours):
    refuses(TypeError, lambda: Slices(BALL, **{word: 1}), f"{ours} belongs to the layer", f"Intensity(volume, {ours}=")
