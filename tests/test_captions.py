"""Legends and texts for those who cannot see a picture: true of what is drawn."""

import numpy as np
import pytest
from helpers import ball, hill, refuses, tilted

import volrender as vr
from volrender import captions
from volrender.cli import main

BODY = ball(16, 5.0, spacing=4.0)
FAR = np.indices(BODY.shape) - np.array([11, 4, 9])[:, None, None, None]
NEAR = np.indices(BODY.shape) - np.array([4, 10, 5])[:, None, None, None]
BLOBS = np.where((FAR**2).sum(axis=0) < 5, 6.5, 0.0) - np.where((NEAR**2).sum(axis=0) < 4, 5.5, 0.0)
ZMAP = vr.Volume(BLOBS + 0.01 * FAR[0], BODY.affine, name="map", unit="z", space="MNI152")
LABELS = vr.Volume(np.indices(BODY.shape)[0] // 6, BODY.affine, "labels", name="regions")
SERIES = vr.Volume(np.stack([BODY.data] * 2, axis=-1), BODY.affine, name="film")
MANY = vr.Volume(np.arange(4096).reshape(BODY.shape) % 30, BODY.affine, "labels", name="many")


def test_slices_with_a_map():
    said = vr.Slices(BODY, vr.Intensity(ZMAP, level=2, clim=(-6, 6)), z=[0, -12.5], x=4).caption()
    assert said == (
        "Sagittal slice at x = 4 mm and axial slices at z = 0 and −12.5 mm of ball (gray, 0 to 100), "
        "with map (coolwarm, −6 to 6 z; shown where |z| ≥ 2). "
        "Neurological convention: the subject's left is on the left of axial and coronal slices. "
        "Coordinates are in mm, in MNI152 space (x to the right, y to the front, z up). "
        f"Drawn with volrender {vr.__version__}."
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"x": 0}, "Sagittal slice at x = 0 mm of ball (gray, 0 to 100). Coordinates"),
        ({"z": 0, "radiological": True}, "Radiological convention: the subject's left is on the right"),
        ({"plane": vr.Plane(normal=(1, 1, 0), origin=(2, 0, 0))}, "through (2, 0, 0) mm across (0.71, 0.71, 0)"),
        ({"z": 0, "title": "Patients."}, "Patients. Axial slice at"),
        ({"z": 0, "title": "Is it\nso?"}, "Is it so? Axial slice at"),
        ({"z": 0, "space": hill(tilted(2)[1])}, "along the axes of"),
        ({"plane": vr.Plane(normal=(1, 1, 0)), "space": "native"}, "(0, 0, 0) mm across (0.71, 0.71, 0) of ball"),
        (
            {"z": 0, "plane": vr.Plane(normal=(1, 1, 0)), "space": "native"},
            "Axial slice at z′ = 0 mm along the axes of ball and oblique slice through (0, 0, 0) mm",
        ),
    ],
)
def test_views_of_slices(options, said):
    text = vr.Slices(BODY, **options).caption()
    assert said in text


def test_layers():
    box = vr.Box(x=(None, 0), y=(-30, 10), z=(5, None))
    for layer, drawn_as, said in [
        (vr.Intensity(BODY, clip=box), "volume", "ball (x < 0, −30 < y < 10 and z > 5 mm removed)"),
        (vr.Intensity(BODY, clip=vr.Plane(z=-7)), "volume", "ball (z > −7 mm removed)"),
        (vr.Intensity(BODY, blend="maximum"), "volume", "a maximum projection of ball (gray_r, 0 to 100)"),
        (vr.Intensity(BODY, blend="average"), "volume", "an average projection of ball (gray, 0 to 100)"),
        (vr.Intensity(BODY, cmap="viridis"), "volume", "ball (viridis, 0 to 100)"),
        (vr.Intensity(ZMAP, level=2, clim=(3, 6)), "overlay", "map (coolwarm, 3 to 6 z; shown where z ≥ 3)"),
        (vr.Intensity(ZMAP, clim=(-5, 0)), "overlay", "map (coolwarm, −5 to 0 z; shown where z ≤ 0)"),
        (
            vr.Intensity(ZMAP.threshold(2).smooth(9)),
            "overlay",
            "map (coolwarm, −4.2 to 4.2 z; thresholded at 2; smoothed with 9 mm FWHM)",
        ),
        (
            vr.Isosurface(BODY.smooth(4.5), 50),
            "slice",
            "the outline of ball (value ≥ 50; pink; smoothed with 4.5 mm FWHM)",
        ),
        (vr.Intensity(BODY.contrast()), "volume", "ball (contrast enhanced, black 0.1, gamma 0.4, gain 2)"),
        (vr.Intensity(BODY.window(50, 80)), "slice", "ball (gray, 0 to 1; window of level 50 and width 80)"),
        (vr.Intensity(BODY, opacity=[(30, 0), (30, 1)]), "overlay", "ball (gray, 0 to 100; shown where value ≥ 30)"),
        (vr.Intensity(SERIES.frame(1)), "overlay", "frame 1 of film (gray, 0 to 100)"),
        (vr.Intensity(SERIES.mean()), "volume", "the mean of film"),
        (vr.Intensity(ZMAP.threshold(2)), "overlay", "map (coolwarm, −6.6 to 6.6 z; shown where |z| ≥ 2)"),
        (vr.Isosurface(ZMAP, -1, color="#2a62c4"), "volume", "the surface of map (z ≤ −1; blue)"),
        (vr.Isosurface(BODY, 50, color="gold"), "slice", "the outline of ball (value ≥ 50; yellow)"),
        (vr.LabelMap(LABELS, colors={1: "red"}), "slice", "regions (1 in red)"),
        (vr.LabelMap(LABELS), "slice", "regions (1 in vermilion, 2 in blue)"),
        (vr.LabelMap(LABELS, colors={1: "red", 2: "navy"}), "slice", "regions (1 in red, 2 in dark blue)"),
        (vr.LabelMap(MANY, outline=True), "slice", "the outlines of many (29 regions, each in a color of its own)"),
        (vr.CutPlane(BODY, vr.Plane(y=-4)), "volume", "ball on the plane y = −4 mm (gray, 0 to 100)"),
        (vr.CutPlane(BODY, vr.Plane(y=-4)), "slice", "the place of the plane y = −4 mm"),
    ]:
        assert captions.layer_words(layer, drawn_as) == said


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        ("left", "from the left"),
        ("anterior", "from the front"),
        ("superior", "from above"),
        ((0, 0), "from the right"),
        ((25, 150), "from the left front and above (elevation 25°, azimuth 150°)"),
        ((-30, 300), "from the right back and below (elevation −30°, azimuth 300°)"),
        ((5, 359), "from the right (elevation 5°, azimuth 359°)"),
        ((80, 20), "from above (elevation 80°, azimuth 20°)"),
    ],
)
def test_where_the_viewer_stands(camera, said):
    assert captions.viewpoint(vr.space.as_camera(camera)) == said


def test_the_sides_in_words_are_those_of_the_camera():
    for azimuth in range(0, 360, 15):
        camera = vr.Camera(0, azimuth)
        words = captions.viewpoint(camera)
        x, y, _ = camera.toward
        assert ("right" in words.partition("(")[0]) == (x > 0.39)
        assert ("front" in words) == (y > 0.39)


def test_words_and_legend_tell_of_the_labels_on_the_slices():
    panel = vr.Slices(BODY, vr.LabelMap(LABELS), x=0)
    assert "with regions (1 in vermilion)" in panel.caption()
    assert [name for name, _ in panel._entries] == ["1"]


def test_masks_that_look_alike_are_told():
    one, other = (vr.Volume(BODY.data > 0, BODY.affine, "labels", name=name) for name in ("tumor", "edema"))
    with pytest.warns(UserWarning, match="Slices shows tumor and edema in one color: give each its own"):
        vr.Slices(BODY, vr.LabelMap(one), vr.LabelMap(other))
    vr.Slices(BODY, vr.LabelMap(one), vr.LabelMap(other, colors="navy"))


def test_a_figure_letters_its_panels():
    page = vr.Figure([[vr.Slices(BODY, z=0), vr.Voxels(BODY, size=4, explode=0.2)], [vr.Histogram(BODY)]], letters="A")
    said = page.caption()
    assert said.startswith("A, Axial slice at z = 0 mm of ball")
    assert "B, 4 × 4 × 4 voxels, 20 % of a voxel apart, seen from the left front and above" in said
    assert "C, Histogram" in said
    assert said.count("Neurological") == said.count("Drawn with") == 1
    bare = vr.Figure([[vr.Slices(BODY, z=0)]], letters=False, title="All").caption()
    assert bare.startswith("All. Axial slice")


def test_coordinates_are_told_where_there_are_any():
    counts = vr.Histogram(BODY)
    assert "mm" not in counts.caption() + vr.Figure([[counts]]).caption()
    assert "Coordinates are in mm (x" in vr.Histogram(vr.Intensity(BODY, clip=vr.Plane(x=0))).caption()
    assert "Coordinates are in mm (x" in vr.Figure([[counts, vr.Slices(BODY, z=0)]]).caption()


def test_panels_of_two_conventions_each_say_their_own():
    page = vr.Figure([[vr.Slices(BODY, z=0), vr.Slices(BODY, z=0, radiological=True)]])
    one, two = page.caption().split("b, ")
    assert "Neurological" in one
    assert "Radiological" in two
    assert page.caption().count("convention") == 2


def test_alternative_text_says_where_the_finding_is():
    said = vr.Slices(BODY, vr.Intensity(ZMAP, level=2), z=4).alt_text()
    assert "The largest cluster of map peaks at x = 14, y = −14, z = 6 mm, on the subject's right side." in said
    page = vr.Figure([[vr.Slices(BODY, z=0, title="Mine"), lambda ax: ax.plot([1])]])
    assert page.alt_text().startswith("Figure of 2 panels. Panel a: Mine. Axial slice at z = 0 mm of ball")
    assert "Panel b: Plot drawn by <lambda>." in page.alt_text()


def test_every_picture_has_words():
    colors = vr.Volume((np.indices((6, 6, 6)).transpose(1, 2, 3, 0) * 40).astype("u1"), BODY.affine, "rgb", name="hues")
    flat = vr.Volume(np.ones((6, 6, 6)), BODY.affine, name="flat")
    floats = vr.Intensity(ZMAP, level="80%", opacity=0.5)
    for layers in ([colors], [BODY, colors], [colors, floats], [flat], [ZMAP], [LABELS], [BODY, LABELS, floats]):
        for panel in (vr.Slices(*layers), vr.Voxels(*layers, size=4), vr.Figure([[vr.Slices(*layers)]])):
            assert panel.caption().endswith(f"Drawn with volrender {vr.__version__}.")
            assert len(panel.alt_text()) > 40
            assert "None" not in panel.caption() + panel.alt_text()


def test_a_scene():
    said = vr.Scene(BODY, vr.Isosurface(ZMAP, 3, color="crimson"), camera="left").caption()
    assert said.startswith("3-D view from the left of ball, with the surface of map (z ≥ 3; red). Coordinates")


def test_a_picture_carries_its_words(tmp_path, capsys):
    path = tmp_path / "one.png"
    panel = vr.Slices(BODY, z=0)
    panel.save(path, width=30, dpi=50)
    assert main(["caption", str(path)]) == 0
    assert capsys.readouterr().out == panel.caption() + "\n"
    assert vr.read_recipe(path)["alt_text"] == panel.alt_text()
    panel.save(path, width=30, dpi=50, recipe=None)
    refuses(ValueError, lambda: vr.read_recipe(path), "carries no recipe")


def test_a_title_is_not_said_twice():
    page = vr.Figure([[vr.Slices(BODY, z=0)]], letters=False, title="Is it so?")
    assert page.caption().startswith("Is it so? Axial slice")
    assert page.alt_text().startswith("Is it so? Figure of 1 panel.")
    assert vr.Histogram(vr.sample("mni152"), title="Histogram").caption().startswith("Histogram, with the opacity")
    assert vr.Histogram(vr.sample("mni152"), title="Values.").caption().startswith("Values. Histogram, with")


def test_an_oblique_slice_has_the_words_of_its_caption_over_it():
    panel = vr.Slices(vr.sample("mni152"), plane=vr.Plane(normal=(-0.3, -0.5, -1), origin=(1.25, -20.333, 40)))
    assert panel.cuts[0].label == "(1.2, −20.3, 40) mm\nacross (0.26, 0.43, 0.86)"
    assert "blique slice through (1.2, −20.3, 40) mm across (0.26, 0.43, 0.86) of" in panel.caption()
    said = [text.get_text() for text in panel.figure(60, 60).axes[0].texts]
    assert said[2:4] == ["(1.2, −20.3, 40) mm", "across (0.26, 0.43, 0.86)"]


def test_the_cluster_that_is_told_is_of_a_side():
    both = vr.Slices(BODY, vr.Isosurface(ZMAP, -2), vr.Isosurface(ZMAP, 2), x=[-14, 14])
    assert "The largest cluster of map (z ≥ 2) peaks at x = 14, y = −14, z = 6 mm" in both.alt_text()


def test_only_a_cluster_that_the_picture_shows_is_told():
    one, other = vr.Isosurface(ZMAP, 2), vr.Isosurface(ZMAP, -2, color="navy")
    for panel, said in [
        (
            vr.Slices(BODY, vr.Intensity(ZMAP, level=2), x=-12),
            "visible cluster of map peaks at x = −14, y = 10, z = −10 mm, on the subject's left side.",
        ),
        (vr.Slices(BODY, one, other, x=[-12, 14]), "The largest cluster of map (z ≥ 2) peaks at x = 14"),
        (vr.Slices(BODY, vr.Intensity(ZMAP), x=-12), "−6.6 to 6.6 z)."),
    ]:
        assert said in panel.alt_text()
        assert panel.alt_text().count("peaks") == ("visible" in said) + ("largest" in said)


def test_a_cluster_of_which_a_tip_comes_through_a_cut_face_is_not_told():
    opened = vr.Intensity(vr.sample("mni152"), clip=vr.Box(x=(None, 0), y=(-30, None), z=(0, None)))
    motor = vr.sample("motor")
    signs = [vr.Isosurface(motor, 3.1), vr.Isosurface(motor, -3.1)]
    for layers in (signs, signs[::-1]):
        said = vr.Scene(opened, *layers).alt_text()
        assert "The largest cluster of left − right hand (z ≤ −3.1) peaks at x = −39, y = −25, z = 58 mm" in said


@pytest.mark.filterwarnings("ignore:nothing is to be seen of map")
def test_of_the_outlines_of_both_signs_the_larger_cluster_is_told_in_any_order():
    signs = [vr.Isosurface(ZMAP, 2), vr.Isosurface(ZMAP, -2)]
    told = [vr.Slices(BODY, *layers) for layers in (signs, signs[::-1], [vr.Intensity(ZMAP, level=2)])]
    assert all("peaks at x = 14, y = −14, z = 6 mm" in panel.alt_text() for panel in told)
    assert all([cut.label for cut in panel.cuts] == ["x = 14 mm", "y = −14 mm", "z = 6 mm"] for panel in told)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (vr.Intensity(ZMAP, level=2, opacity=0.5), "shown where |z| ≥ 2; opacity 0.5"),
        (vr.Intensity(ZMAP, opacity=[(-3, 1), (-3, 0.6), (0, 0), (3, 0.6), (3, 1)]), "z; fading below |z| = 3"),
        (vr.Intensity(ZMAP, opacity=[(0, 0), (2, 0.5)]), "opacity 0.5, fading below |z| = 2"),
        (vr.Intensity(ZMAP, opacity=[(2, 0), (2, 1)]), "z; shown where |z| ≥ 2)"),
        (vr.Intensity(BODY, opacity=[(0, 1), (90, 0)]), "opacity varies with the value"),
        (vr.Isosurface(ZMAP, 2, opacity=0.5), "z ≥ 2; red; opacity 0.5"),
        (vr.LabelMap(LABELS, opacity=0.7), "opacity 0.7)"),
        (vr.LabelMap(LABELS), "2 in blue)"),
    ],
)
def test_opacity_is_told_where_something_shines_through(layer, said):
    assert said in vr.Slices(BODY, layer, z=6).caption()


def test_the_convention_names_the_slices_that_show_a_side():
    oblique = vr.Slices(BODY, plane=vr.Plane(normal=(0, 0.5, 1), origin=(0, 0, 4)))
    assert "the subject's left is on the left of oblique slices." in oblique.caption()
    page = vr.Figure([[vr.Slices(BODY, z=0), oblique]])
    assert page.caption().count("convention") == 1
    assert "on the left of axial, coronal and oblique slices." in page.caption()


def test_what_no_slice_meets_is_warned_of_and_not_told():
    top = vr.Volume(np.where(np.indices(BODY.shape)[2] > 13, 4, 0), BODY.affine, "labels", name="the top")
    plane, surface = vr.CutPlane(BODY, vr.Plane(z=-6)), vr.Isosurface(ZMAP, 2)
    for layers, options in [
        ([vr.LabelMap(top), surface], {"z": [-28, -29]}),
        ([vr.LabelMap(top, outline=True), surface, plane], {"z": -28, "annotate": False}),
        ([vr.LabelMap(top, clip=vr.Box(x=(0, None)))], {"x": 10}),
    ]:
        panel = vr.Slices(BODY, *layers, **options)
        with pytest.warns(UserWarning, match=r"nothing is to be seen of the top.* on the .* slice"):
            assert panel.key.entries == []
        assert f"of ball (gray, 0 to 100). {panel.convention}".strip() in panel.caption()
        assert panel.alt_text().endswith("of ball (gray, 0 to 100).")
    low = vr.Volume(ZMAP.data[..., :8], ZMAP.affine, name="low", unit="z")  # its grid ends at z = 0
    for layer, z in [(vr.Intensity(low), 20), (vr.Intensity(ZMAP, level=2), -28)]:
        with pytest.warns(UserWarning, match=r"nothing is to be seen of (low|map) on the axial slice"):
            assert "of ball (gray, 0 to 100). Neuro" in vr.Slices(BODY, layer, z=z).caption()
    met = vr.Slices(BODY, vr.LabelMap(top), surface, plane, x=10)
    assert [name for name, _ in met.key.entries] == ["the top", "z ≥ 2"]
    assert "with the top (vermilion)" in met.caption()
    assert "the place of the plane z = −6 mm" in met.caption()
