import os
import re
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from printed import MM, png_facts

import volrender as vr
from volrender import __version__, cli, cli_layers, console, demo
from volrender.cli import main
from volrender.cli_layers import parse_clip
from volrender.console import size
from volrender.draw import opengl
from volrender.layers import Intensity
from volrender.space import Box
from volrender.volume import Volume

READING = ["info", "voxels", "scene", "slices", "histogram"]
COMMANDS = ["demo", *READING, "timecourse", "figure", "redo", "show-recipe", "caption"]
DRAWING = ["voxels", "slices", "histogram", "scene"]
SMALL = ["--width", "60", "--dpi", "60"]
CALL = [sys.executable, "-c", "import sys; from volrender.cli import main; sys.exit(main())"]
TRUTH = "must lie within"


def phantom():
    """A bright ball in a noisy box, 16 x 18 x 14."""
    grid = np.indices((16, 18, 14)) - np.array([8, 9, 7])[:, None, None, None]
    far = (grid**2).sum(axis=0)
    noise = np.random.default_rng(0).integers(0, 20, far.shape)
    return far, np.where(far < 36, 100, 0) + noise


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    """A folder of small files, good and bad."""
    folder = tmp_path_factory.mktemp("inputs")
    far, head = phantom()
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = -15, -17, -13
    zmap = np.where(far < 9, 6.5, 0.0)
    zmap[:4] = np.roll(zmap, -5, axis=0)[:4] * -5.25 / 6.5

    def keep(name, data):
        nib.save(nib.Nifti1Image(data, affine), folder / name)

    keep("head.nii.gz", head.astype(np.int16))
    keep("mask.nii.gz", (far < 16).astype(np.uint8))
    keep("fractions.nii.gz", (far < 16) * 0.5)
    keep("series.nii", np.stack([head, head[::-1], 0 * head], axis=-1).astype(np.int16))
    keep("nan.nii", np.full((5, 5, 5), np.nan))
    keep("flat.nii", np.ones((8, 9)))
    keep("zmap.nii.gz", zmap)
    np.save(folder / "head.npy", head)
    nib.save(nib.MGHImage(np.ones((500, 1, 1), np.float32), np.eye(4)), folder / "lh.thickness.mgz")
    model = nib.cifti2.BrainModelAxis.from_mask(np.ones((3, 3, 3), bool), affine=np.eye(4), name="thalamus_left")
    series = nib.cifti2.SeriesAxis(0, 1, 2)
    nib.save(nib.Cifti2Image(np.ones((2, 27), np.float32), (series, model)), folder / "rest.dtseries.nii")
    (folder / "text.nii").write_text("not an image\n" * 50)
    whole = (folder / "head.nii.gz").read_bytes()
    (folder / "truncated.nii.gz").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.fixture
def run(capsys, monkeypatch, inputs):
    """Type a command in the folder of inputs: exit code, stdout and stderr."""
    monkeypatch.chdir(inputs)
    monkeypatch.setenv("COLUMNS", "80")

    def typed(*words):
        code = main([str(word) for word in words])
        return code, *capsys.readouterr()

    return typed


def told(path):
    """What a command says of a file that it has written."""
    return f"{path}, {size(path.stat().st_size)}\n"


def picture(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


# What is drawn


@pytest.mark.parametrize("command", DRAWING)
def test_a_command_draws_and_says_where(run, tmp_path, command):
    code, out, err = run(command, "head.nii.gz", "-o", tmp_path / "o.png", "--width", "50", "--dpi", "72")
    assert (code, out, err) == (0, told(tmp_path / "o.png"), "")
    width, _, dpi = png_facts(tmp_path / "o.png")
    assert width == round(50 / MM * 72)
    assert dpi == pytest.approx(72, rel=1e-3)
    assert picture(tmp_path / "o.png").std() > 10
    assert [path.name for path in tmp_path.iterdir()] == ["o.png"]


@pytest.mark.parametrize(("word", "mm"), [("single", 89), ("1.5", 120), ("double", 183)])
def test_widths_by_name(run, tmp_path, word, mm):
    assert run("slices", "head.nii.gz", "-o", tmp_path / "o.png", "--width", word, "--dpi", "50")[0] == 0
    assert png_facts(tmp_path / "o.png")[0] == round(mm / MM * 50)


def test_300_dpi_and_a_single_column_unless_told(run, tmp_path):
    assert run("histogram", "head.nii.gz", "-o", tmp_path / "o.png")[0] == 0
    assert png_facts(tmp_path / "o.png")[::2] == (round(89 / MM * 300), pytest.approx(300, rel=1e-4))


@pytest.mark.parametrize("ending", ["pdf", "svg"])
def test_vector_files(run, tmp_path, ending):
    assert run("slices", "head.nii.gz", "-o", tmp_path / f"o.{ending}", *SMALL)[::2] == (0, "")
    assert (tmp_path / f"o.{ending}").stat().st_size > 1000


def test_an_existing_figure_is_replaced(run, tmp_path):
    (tmp_path / "o.png").write_bytes(b"old")
    assert run("slices", "head.nii.gz", "-o", tmp_path / "o.png", *SMALL)[0] == 0
    assert png_facts(tmp_path / "o.png")


OPTIONS = [
    ("voxels", ["--clip", "x=0:,z=:5"]),
    ("voxels", ["--camera", "left"]),
    ("voxels", ["--camera", "-10,200"]),
    ("voxels", ["--size", "6"]),
    ("voxels", ["--explode", "0.4"]),
    ("voxels", ["--contrast"]),
    ("voxels", ["--cmap", "magma"]),
    ("voxels", ["--clim", "50", "90"]),
    ("voxels", ["--level", "60"]),
    ("voxels", ["--title", "A title"]),
    ("voxels", ["--background", "0.5"]),
    ("scene", ["--clip", "y=-5:5", "--clip", "x=0:"]),
    ("scene", ["--camera", "superior"]),
    ("scene", ["--level", "60"]),
    ("scene", ["--blend", "maximum"]),
    ("scene", ["--quality", "draft"]),
    ("scene", ["--light", "flat"]),
    ("scene", ["--silhouette"]),
    ("scene", ["--colorbar"]),
    ("scene", ["--opacity", "0.05"]),
    ("scene", ["--level", "60", "--color", "teal"]),
    ("scene", ["--perspective", "40"]),
    ("slices", ["--clip", "x=0:"]),
    ("slices", ["--camera", "anterior"]),
    ("slices", ["-x", "0", "4"]),
    ("slices", ["-z", "-5", "5", "-y", "0"]),
    ("slices", ["--radiological"]),
    ("slices", ["-n", "2", "--reference"]),
    ("slices", ["-n", "0", "1", "3", "--space", "native"]),
    ("slices", ["--plane", "-0.2,0.5,1@0,-2,4", "--crosshair"]),
    ("slices", ["--mask", "mask.nii.gz", "--outline"]),
    ("slices", ["zmap.nii.gz", "--level", "3.1"]),
    ("slices", ["--level", "60"]),
    ("slices", ["--cmap", "magma", "--clim", "20", "70"]),
    ("slices", ["--opacity", "0.5"]),
    ("slices", ["--recipe", "none"]),
    ("slices", ["--bare"]),
    ("slices", ["--colorbar"]),
    ("histogram", ["--cmap", "magma"]),
    ("histogram", ["--level", "50"]),
    ("histogram", ["--title", "Values"]),
]


@pytest.fixture(scope="session")
def plain(inputs, tmp_path_factory):
    """Each command's picture without options, drawn once."""
    folder, drawn = tmp_path_factory.mktemp("plain"), {}

    def of(command):
        if command not in drawn:
            path = folder / f"{command}.png"
            assert main([command, str(inputs / "head.nii.gz"), "-o", str(path), *SMALL]) == 0
            drawn[command] = path.read_bytes()
        return drawn[command]

    return of


@pytest.mark.parametrize(
    ("command", "options"),
    [pytest.param(command, options, id=" ".join([command, *options])) for command, options in OPTIONS],
)
def test_an_option_changes_the_picture(run, capsys, tmp_path, plain, command, options):
    before = plain(command)
    capsys.readouterr()
    code, out, err = run(command, "head.nii.gz", *options, "-o", tmp_path / "o.png", *SMALL)
    assert (code, out, err) == (0, told(tmp_path / "o.png"), "")
    assert (tmp_path / "o.png").read_bytes() != before


@pytest.mark.parametrize("command", ["voxels", "slices", "scene"])
def test_a_mask_is_seen_in_its_color(run, tmp_path, command):
    """The head is cut open; the mask in it is not."""
    run(command, "head.nii.gz", "--mask", "mask.nii.gz", "--clip", "z=0:", "-o", tmp_path / "o.png", *SMALL)
    red, _, blue = np.moveaxis(picture(tmp_path / "o.png"), -1, 0)
    assert (red - blue > 60).mean() > 0.02


@pytest.fixture
def layers_of(run, tmp_path):
    """The layers of the picture that a command draws, as its recipe has them."""

    def drawn(*words):
        code, _, err = run(*words, "-o", tmp_path / "o.png", *SMALL)
        assert (code, err) == (0, "")
        return list(vr.read_recipe(tmp_path / "o.png")["layers"].values())

    return drawn


def test_one_opacity_is_that_of_the_overlays_and_several_those_of_all(layers_of):
    over = ["head.nii.gz", "zmap.nii.gz", "--mask", "mask.nii.gz"]
    one = layers_of("slices", *over, "--opacity", "0.5")
    assert [layer.get("opacity") for layer in one] == [None, 0.5, 0.5]
    each = layers_of("slices", *over, "--opacity", "0.9", "--opacity", "0.7", "--opacity", "0.2")
    assert [layer["opacity"] for layer in each] == [0.9, 0.7, 0.2]
    alone = layers_of("slices", "head.nii.gz", "--opacity", "0.4")
    assert [layer["opacity"] for layer in alone] == [0.4]
    sides = layers_of("scene", "head.nii.gz", "zmap.nii.gz", "--level", "3", "--opacity", "0.05", "--opacity", "0.5")
    assert [layer["opacity"] for layer in sides] == [0.05, 0.5, 0.5]


@pytest.mark.filterwarnings("ignore:nothing is to be seen of zmap")
def test_colors_are_those_of_surfaces_and_masks_in_order(layers_of):
    words = ["head.nii.gz", "zmap.nii.gz", "--level", "3", "--mask", "mask.nii.gz", "--opacity", "0.05"] + 2 * [
        "--opacity",
        "1",
    ]
    made = layers_of("scene", *words, "--color", "gold", "--color", "teal", "--color", "black")
    assert [layer.get("color", layer.get("colors")) for layer in made] == [None, "gold", "teal", "black"]
    made = layers_of("scene", *words, "--color", "gold")
    assert [layer.get("color") for layer in made[1:3]] == ["gold", None]


def test_a_recipe_has_whole_paths_where_they_are_asked_for(run, inputs, tmp_path):
    seen = Path(os.path.relpath(inputs / "head.nii.gz", tmp_path)).as_posix()
    for kind, wanted in [("names", seen), ("paths", (inputs / "head.nii.gz").as_posix())]:
        run("slices", "head.nii.gz", "--recipe", kind, "-o", tmp_path / "o.png", *SMALL)
        assert vr.read_recipe(tmp_path / "o.png")["volumes"]["head"]["load"] == wanted
    run("redo", tmp_path / "o.png", "--recipe", "paths", "-o", tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "o.png").read_bytes()


def test_the_level_of_a_map_is_on_both_sides(run, tmp_path):
    run("slices", "head.nii.gz", "zmap.nii.gz", "--level", "3.1", "-z", "-8", "0", "-o", tmp_path / "o.png", *SMALL)
    red, _, blue = np.moveaxis(picture(tmp_path / "o.png"), -1, 0)
    assert (red - blue > 60).any()
    assert (blue - red > 60).any()


def test_a_level_by_otsu_or_percentile_is_a_number(run, inputs, tmp_path):
    values = nib.load(inputs / "head.nii.gz").get_fdata()
    pictures = []
    for level in ("95%", f"{np.percentile(values, 95)}", "otsu"):
        code, _, err = run("slices", "head.nii.gz", "--level", level, "-o", tmp_path / "o.png", *SMALL)
        assert (code, err.startswith(f"note: --level {level} of head is ")) == (
            0,
            level[0] not in "0123456789" or level[-1] == "%",
        )
        pictures.append(picture(tmp_path / "o.png"))
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_the_level_that_was_found_is_told(run, tmp_path):
    code, _, err = run("scene", "head.nii.gz", "--level", "otsu", "-o", tmp_path / "o.png", *SMALL)
    found = float(err.removeprefix("note: --level otsu of head is "))
    layer = vr.Isosurface(vr.load("head.nii.gz"), level="otsu")
    assert (code, found) == (0, pytest.approx(layer.level, rel=1e-3))
    said = vr.read_recipe(tmp_path / "o.png")
    assert f"≥ {found:.3g}, Otsu's threshold; " in said["caption"]
    assert f"≥ {found:.3g}, Otsu's threshold; " in said["alt_text"]
    (layer,) = said["layers"].values()
    assert layer["level"] == "otsu"  # so that another file, in its place, has its own


def test_frames_are_told_apart(run, tmp_path):
    for frame in "012":
        where = tmp_path / f"{frame}.png"
        assert run("slices", "series.nii", "--frame", frame, "-z", "0", "-o", where, *SMALL)[0] == 0
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 3


@pytest.mark.parametrize("command", DRAWING)
def test_a_numpy_file_with_spacing(run, tmp_path, command):
    assert run(command, "head.npy", "--spacing", "2", "2", "2", "-o", tmp_path / "o.png", *SMALL)[::2] == (0, "")


def test_a_transparent_figure(run, tmp_path):
    run("histogram", "head.nii.gz", "--background", "transparent", "-o", tmp_path / "o.png", *SMALL)
    with Image.open(tmp_path / "o.png") as image:
        assert image.getpixel((0, 0))[3] == 0


def test_a_scene_shows_both_sides_of_a_map(run, tmp_path):
    clip = ["--clip", "z=-9:", "--camera", "superior"]
    run("scene", "head.nii.gz", "zmap.nii.gz", "--level", "3", *clip, "-o", tmp_path / "o.png", *SMALL)
    red, _, blue = np.moveaxis(picture(tmp_path / "o.png"), -1, 0)
    assert (red - blue > 60).any()
    assert (blue - red > 60).any()


# The demo


def test_the_demo_writes_its_figures(run, tmp_path):
    code, out, err = run("demo", "-o", tmp_path / "a" / "b", "--dpi", "30")
    names = ["voxels.png", "cutaway.png", "atlas.png", "slices.png", "figure.png"]
    assert (code, err) == (0, "")
    assert out == "".join(told(tmp_path / "a" / "b" / name) for name in names)
    for name in names:
        assert png_facts(tmp_path / "a" / "b" / name)[0] == round(demo.FIGURES[name][1] / MM * 30)


# What info says


def facts(out):
    lines = [line.split(maxsplit=1) for line in out.splitlines() if line.startswith("  ")]
    return dict(lines)


def test_info(run):
    code, out, err = run("info", "head.nii.gz")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "head.nii.gz"
    said = facts(out)
    assert said["shape"] == "16 x 18 x 14"
    assert said["frames"] == "1"
    assert said["spacing"] == "2 x 2 x 2 mm"
    assert said["orientation"] == "RAS"
    assert said["obliquity"] == "0.0 degrees"
    assert said["bounds"] == "x -16 to 16, y -18 to 18, z -14 to 14 mm"
    assert said["kind"] == "intensity, int16"
    data = phantom()[1]
    percents = ", ".join(f"{n} %: {np.percentile(data, n):.5g}" for n in (1, 25, 50, 75, 99))
    assert said["percentiles"] == percents
    assert said["range"] == f"{data.min()} to {data.max()}"


def test_info_of_several_files(run):
    code, out, _ = run("info", "series.nii", "head.npy", "--spacing", "1", "2", "3")
    first, second = out.split("\n\n")
    assert code == 0
    assert facts(first)["frames"] == "3"
    assert facts(first)["shape"] == "16 x 18 x 14"
    assert second.startswith("head.npy\n")
    assert facts(second)["spacing"] == "1 x 2 x 3 mm"


def test_info_of_labels_and_of_an_oblique_volume(run, tmp_path):
    turn = nib.eulerangles.euler2mat(x=0.2)
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-1, 1, 1])
    data = np.zeros((4, 5, 6), np.uint8)
    data[1, 1, 1:3] = 3, 7
    image = nib.Nifti1Image(data, affine)
    image.header.set_intent("label")
    nib.save(image, tmp_path / "l.nii")
    said = facts(run("info", tmp_path / "l.nii")[1])
    assert said["labels"] == "2, up to 7"
    assert said["kind"].startswith("labels, uint8")
    assert said["orientation"] == "LAS"
    assert said["obliquity"] == f"{np.degrees(0.2):.1f} degrees"


def test_info_counts_what_is_not_finite(run, tmp_path):
    data = np.arange(27.0).reshape(3, 3, 3)
    data[0, 0, :2] = np.nan, np.inf
    nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "n.nii")
    assert facts(run("info", tmp_path / "n.nii")[1])["not"].split() == ["finite", "2", "voxels"]


def test_info_takes_them_as_asked(run):
    said = facts(run("info", "mask.nii.gz", "--kind", "labels")[1])
    assert (said["kind"], said["why"], said["labels"]) == ("labels, uint8", "as asked for", "1, up to 1")
    code, _, err = run("info", "head.nii.gz", "--kind", "mask")
    assert (code, err) == (2, "volrender: head.nii.gz: kind must be one of intensity, labels, rgb; got 'mask'\n")


@pytest.fixture
def several(tmp_path):
    """A folder of two DICOM series and a TIFF of two channels."""
    pytest.importorskip("pydicom", reason="pydicom is not installed")
    tifffile = pytest.importorskip("tifffile", reason="tifffile is not installed")
    from test_io_dicom import dataset, folder

    other = [dataset(n, SeriesInstanceUID="1.2.3.5", SeriesNumber=9) for n in range(4)]
    folder(tmp_path / "dicom", *[dataset(n) for n in range(5)], *other)
    stack = np.random.default_rng(0).integers(1, 99, (5, 2, 6, 7)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "c.tif", stack, imagej=True, metadata={"axes": "ZCYX", "unit": "mm", "spacing": 2})
    return tmp_path


@pytest.mark.filterwarnings("ignore:.*c.tif. has no anatomical space")
def test_one_of_several_series_is_chosen(run, several):
    dicom, tiff = str(several / "dicom"), str(several / "c.tif")
    code, _, err = run("info", dicom)
    assert code == 2
    assert "holds 2 series; choose with --series from 7 (5 files), 9 (4 files)" in err
    for asked in ("9", "1.2.3.5"):
        assert facts(run("info", dicom, "--series", asked)[1])["shape"].endswith("x 4")
    assert "choose one with --series 0 to --series 1" in run("info", tiff)[2]
    both = run("info", tiff, dicom, "head.nii.gz", "--series", "7")
    assert (both[0], "c.tif: --series must be a channel, 0 to 1; got 7" in both[2]) == (2, True)
    assert run("info", tiff, "head.nii.gz", "--series", "1")[0] == 0
    code, _, err = run("info", "head.nii.gz", "--series", "1")
    assert (code, err) == (2, "volrender: --series is for a folder of DICOM slices or a TIFF; none is given\n")


@pytest.mark.parametrize("command", DRAWING)
def test_one_of_several_series_is_drawn(run, several, command):
    more = ["--size", "5"] if command == "voxels" else []
    call = [command, several / "dicom", *more, *SMALL, "-o", several / "s.png"]
    assert "choose with --series from" in run(*call)[2]
    code, out, err = run(*call, "--series", "9")
    assert (code, err, out) == (0, "", told(several / "s.png"))


# Help


@pytest.mark.parametrize("command", [[], *([c] for c in COMMANDS)], ids=lambda words: " ".join(words) or "volrender")
def test_help_fits_a_screen(run, command):
    code, out, err = run(*command, "--help")
    assert (code, err) == (0, "")
    lines = out.rstrip().splitlines()
    assert len(lines) <= 46
    assert max(map(len, lines)) <= 80
    said = " ".join(out.split())
    if command:
        assert f"Example: volrender {command[0]}" in said
    else:
        assert "Start with: volrender demo" in said
        assert all(name in said for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_in_the_help_is_a_command(command, monkeypatch):
    example = cli.app[command].help_epilogue.removeprefix("Example: ").split()
    assert example[0] == "volrender"
    _, bound, _ = cli.app.parse_args(example[1:], print_error=False, exit_on_error=False)
    assert bound.arguments


def test_version(run):
    assert run("--version") == (0, f"{__version__}\n", "")


# What goes wrong: one sentence, exit code 2, and the old figure is whole

FILES = [
    ("missing.nii", "no such file"),
    ("text.nii", "must be an image"),
    ("truncated.nii.gz", "must be a whole image"),
    ("rest.dtseries.nii", "CIFTI"),
    ("lh.thickness.mgz", "on a surface"),
    ("nan.nii", "finite values"),
    ("flat.nii", "it is 2-D (8 x 9)"),
    ("head.npy", "--spacing"),
    (".", "it is a folder"),
]

ARGUMENTS = [
    (["slices", "head.nii.gz", "--camera", "top"], "left, right, anterior"),
    (["voxels", "head.nii.gz", "--camera", "top"], "got 'top'"),
    (["scene", "head.nii.gz", "--camera", "1,2,3"], "--camera must be a side such as left, or elevation,azimuth"),
    (["voxels", "head.nii.gz", "--camera", "nan,1"], "--camera must be"),
    (["slices", "head.nii.gz", "--cmap", "virids"], "viridis"),
    (["voxels", "head.nii.gz", "--cmap", "virids"], "there is no colormap 'virids'"),
    (["scene", "head.nii.gz", "--cmap", "virids"], "viridis"),
    (["histogram", "head.nii.gz", "--cmap", "virids"], "viridis"),
    (["slices", "head.nii.gz", "--clip", "x=1"], "--clip must be ranges in mm"),
    (["voxels", "head.nii.gz", "--clip", "w=1:2"], "got 'w=1:2'"),
    (["scene", "head.nii.gz", "--clip", "x=0:,x=1:"], "--clip must be ranges"),
    (["voxels", "head.nii.gz", "--clip", "x=5:1"], "increasing"),
    (["voxels", "head.nii.gz", "--clip", "x=:"], "at least one finite side"),
    (["slices", "head.nii.gz", "--clip", "x=nan:"], "finite"),
    (["voxels", "head.nii.gz", "--clip", "x=-99:99"], "no voxel is left"),
    (["slices", "head.nii.gz", "--clip", "x=-99:99"], "nothing is to be seen of"),
    (["scene", "head.nii.gz", "--clip", "x=-99:99"], "nothing is to be seen of"),
    (["slices", "series.nii"], "series.nii: has 3 frames; choose one with --frame 0 to 2"),
    (["voxels", "series.nii"], "--frame"),
    (["scene", "head.nii.gz", "series.nii"], "--frame"),
    (["slices", "head.nii.gz", "--mask", "series.nii"], "--frame"),
    (["slices", "series.nii", "--frame", "3"], "series.nii: frame must be between 0 and 2; got 3"),
    (["slices", "series.nii", "--frame", "one"], "--frame"),
    (
        ["slices", "head.npy", "--spacing", "1", "0", "1"],
        "--spacing must be three sizes above 0 mm; got (1.0, 0.0, 1.0)",
    ),
    (["slices", "head.npy", "--spacing", "nan", "1", "1"], "--spacing must be"),
    (["slices", "head.npy", "--spacing", "1", "1"], "--spacing"),
    (["slices", "head.nii.gz", "--mask", "fractions.nii.gz"], "fractions.nii.gz: a label map must hold whole numbers"),
    (["slices", "head.nii.gz", "--mask", "missing.nii"], "missing.nii: no such file"),
    (["slices", "head.nii.gz", "-z", "0", "99"], "z must lie within the volumes, -14 to 14 mm; got 99"),
    (["slices", "head.nii.gz", "-x", "-17"], "x must lie within the volumes, -16 to 16 mm; got -17"),
    (["slices", "head.nii.gz", "-y", "nan"], "y must be finite"),
    (["slices", "head.nii.gz", "-y", "front"], "-y"),
    (["slices", "head.nii.gz", "-n", "0"], "n must be 1 to 100 slices; got 0"),
    (["slices", "head.nii.gz", "-n", "2", "-z", "0"], "n, which chooses the positions"),
    (["slices", "head.nii.gz", "--plane", "0,1@0,0,0"], "--plane must be normal@point in mm"),
    (["slices", "head.nii.gz", "--plane", "0,0,1@0,0,999"], "a plane must cross the volumes"),
    (["slices", "head.nii.gz", "--level", "999"], TRUTH),
    (["voxels", "head.nii.gz", "--level", "999"], TRUTH),
    (["scene", "head.nii.gz", "--level", "999"], TRUTH),
    (["histogram", "head.nii.gz", "--level", "999"], TRUTH),
    (["slices", "head.nii.gz", "zmap.nii.gz", "--level", "7"], "--level must lie within the data, -5.25 to 6.5; got 7"),
    (["scene", "head.nii.gz", "zmap.nii.gz", "--level", "7"], "--level must lie within the data, -5.25 to 6.5; got 7"),
    (["slices", "head.nii.gz", "--level", "nan"], "level"),
    (["slices", "head.nii.gz", "--level", "140%"], "--level must be a number, 'otsu', or a percentile"),
    (["slices", "head.nii.gz", "--opacity", "2"], "opacity must be between 0 and 1; got 2"),
    (["slices", "head.nii.gz", "--opacity", "1", "--opacity", "1"], "one number, or one for the only file; got 2"),
    (
        ["slices", "head.nii.gz", "head.nii.gz", "--mask", "mask.nii.gz", "--opacity", "1", "--opacity", "1"],
        "one for each of the 3 files and masks; got 2",
    ),
    (["slices", "head.nii.gz", "--color", "red"], "--color would change nothing: it is for surfaces and masks"),
    (["scene", "head.nii.gz", "--level", "60", "--color", "reddish"], "color must be a matplotlib color"),
    (
        ["scene", "head.nii.gz", "--level", "60", "--color", "red", "--color", "tan"],
        "each surface and mask, here 1; got 2",
    ),
    (["scene", "head.nii.gz", "--perspective", "120"], "the perspective of a Camera must be 0 to 90 degrees; got 120"),
    (["slices", "head.nii.gz", "--recipe", "all"], "--recipe must be names, paths or none; got 'all'"),
    (
        ["scene", "head.nii.gz", "--camera", "25", "150"],
        "'150' belongs to no option: files come before the options, and",
    ),
    (["slices", "head.nii.gz", "--dpi", "90", "mask.nii.gz"], "files come before the options\n"),
    (["scene", "head.nii.gz", "--cmra", "left"], "Unknown option: --cmra. Did you mean --camera?\n"),
    (["scene", "head.nii.gz", "--quality", "best"], "quality must be final or draft; got 'best'"),
    (["scene", "head.nii.gz", "--light", "dim"], "light must be studio or flat; got 'dim'"),
    (["slices", "head.nii.gz", "--clim", "3", "1"], "clim must be increasing"),
    (["slices", "head.nii.gz", "--dpi", "3"], "dpi must be between 30 and 2400; got 3"),
    (["slices", "head.nii.gz", "--dpi", "many"], "--dpi"),
    (["slices", "head.nii.gz", "--width", "huge"], "width must be single, 1.5, double, or 10 to 2000 mm; got 'huge'"),
    (["slices", "head.nii.gz", "--background", "pinkish"], "background must be"),
    (["histogram", "head.nii.gz", "--width", "10"], "for its lettering of 7 points; got 10 mm"),
    (["voxels", "head.nii.gz", "--width", "10"], "for its lettering of 7 points; got 10 mm"),
    (["voxels", "head.nii.gz", "--size", "0"], "size must be 1 voxel or more"),
    (["voxels", "head.nii.gz", "--explode", "1"], "explode must be"),
    (["scene", "head.nii.gz", "--blend", "mix"], "blend must be one of composite, maximum"),
    (["slices", "head.nii.gz", "--colour", "red"], "Unknown option: --colour. Did you mean --color?\n"),
    (["scene", "head.nii.gz", "--threshold", "3"], "Unknown option: --threshold. Take --level."),
    (["slices", "head.nii.gz", "--radiologic"], "Did you mean --radiological?\n"),
    (["slices", "head.nii.gz", "--outline"], "--outline would change nothing: it is for masks and label maps"),
    (["slices", "mask.nii.gz", "--labels", "--level", "1"], "--level would change nothing: it is for intensities"),
    (["scene", "head.nii.gz", "--level", "60", "--cmap", "magma"], "--cmap would change nothing"),
    (["slices", "head.nii.gz", "--camera", "superior", "--radiological"], "take 'inferior', or none"),
    (["histogram", "head.nii.gz", "head.nii.gz"], "head.nii.gz"),
    (["slices"], "FILES"),
    (["slice", "head.nii.gz"], "slices"),
]


@pytest.fixture
def complains(run, tmp_path):
    """A command must fail in one sentence and leave the old figure, and nothing beside it."""

    def typed(*words, said=(), output=None):
        old = tmp_path / "old.png"
        old.write_bytes(b"an older figure")
        target = ["-o", output or old] if words[0] != "info" else []
        code, out, err = run(*words, *target)
        assert (code, out) == (2, "")
        assert err.startswith("volrender: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1, err
        assert "Traceback" not in err
        for word in said:
            assert word in err
        assert old.read_bytes() == b"an older figure"
        assert list(tmp_path.iterdir()) == [old]

    return typed


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize(("name", "said"), FILES, ids=[name for name, _ in FILES])
def test_a_bad_file(complains, command, name, said):
    complains(command, name, said=[name, said])


@pytest.mark.parametrize("command", ["voxels", "scene", "slices"])
def test_a_bad_file_over_a_good_one(complains, command):
    for name, said in FILES:
        complains(command, "head.nii.gz", name, said=[name, said])


@pytest.mark.parametrize(("words", "said"), ARGUMENTS, ids=[" ".join(words) for words, _ in ARGUMENTS])
def test_a_bad_argument(complains, words, said):
    complains(*words, said=[said])


@pytest.mark.parametrize("command", ["voxels", "scene", "slices", "histogram"])
def test_a_bad_output(complains, tmp_path, command):
    none = tmp_path / "none" / "o.png"
    complains(command, "head.nii.gz", output=none, said=[str(none.parent), "the output folder does not exist"])
    for name in ("o.jpg", "o", "o.nii.gz"):
        complains(command, "head.nii.gz", output=tmp_path / name, said=["one of .png, .pdf, .svg"])


def test_the_output_is_checked_before_the_input(complains, tmp_path):
    complains("scene", "missing.nii", output=tmp_path / "o.bmp", said=["got .bmp"])


def test_an_output_is_needed(run):
    code, out, err = run("slices", "head.nii.gz")
    assert (code, out) == (2, "")
    assert "--output" in err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_cannot_be_written(run, tmp_path):
    tmp_path.chmod(0o500)
    code, _, err = run("slices", "head.nii.gz", "-o", tmp_path / "o.png", *SMALL)
    tmp_path.chmod(0o700)
    assert code == 2
    assert "cannot be written" in err


@pytest.mark.parametrize("memory", [False, True])
def test_where_nothing_can_be_written(tmp_path, memory):
    """Without a folder for matplotlib there is a sentence; with one in memory all works, and it goes again."""
    code = (
        "import sys, tempfile\n"
        "from pathlib import Path\n"
        "def full(*a, **k): raise FileNotFoundError(28, 'No usable temporary directory found')\n"
        "make = tempfile.mkdtemp\n"
        "tempfile.gettempdir = full\n"
        "tempfile.mkdtemp = lambda *a, dir=None, **k: make(*a, dir=dir, **k) if dir else full()\n"
        "from volrender import __main__ as program\n"
        "program.MEMORY = Path(sys.argv.pop())\n"
        "sys.exit(program.main())"
    )
    place = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), os.devnull)
    environment = {k: v for k, v in os.environ.items() if k != "MPLCONFIGDIR"} | place
    command = [sys.executable, "-c", code, "doctor", str(tmp_path if memory else tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if memory:
        assert (done.returncode, done.stderr) == (0, "")
        assert "figures              can be drawn" in done.stdout
    else:
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("volrender: no folder can be written to")
        assert "set MPLCONFIGDIR" in done.stderr
        assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="files are limited by resource")
@pytest.mark.parametrize("ending", ["png", "tif", "pdf", "svg"])
def test_a_full_disk_is_one_sentence_and_no_half_file(inputs, tmp_path, capfd, ending):
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        code = main(["slices", str(inputs / "head.nii.gz"), "-o", str(tmp_path / f"o.{ending}"), *SMALL])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (code, *capfd.readouterr()) == (
        2,
        "",
        f"volrender: {tmp_path}/o.{ending}: cannot be written; File too large\n",
    )
    assert not list(tmp_path.iterdir())


def test_the_demo_in_the_way(run, tmp_path):
    (tmp_path / "file").write_bytes(b"whole")
    code, out, err = run("demo", "-o", tmp_path / "file")
    assert (code, out) == (2, "")
    assert "cannot be made a folder" in err
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert run("demo", "-o", tmp_path / "new", "--dpi", "3")[0] == 2
    assert not (tmp_path / "new").exists()


def test_without_opengl_a_scene_is_a_sentence(complains, monkeypatch):
    monkeypatch.setattr(opengl, "window", lambda: None)
    monkeypatch.setenv("VOLRENDER_ENGINE", "pyvista")
    complains("scene", "head.nii.gz", said=["OpenGL", "apt install"])


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "stopped\n"),
        (MemoryError(), 2, "volrender: MemoryError\n"),
        (OSError(28, "No space left on device"), 2, "volrender: [Errno 28] No space left on device\n"),
        (ValueError("two\nlines"), 2, "volrender: two lines\n"),
    ],
)
def test_what_happens_while_drawing(run, tmp_path, monkeypatch, error, code, said):
    def stop(self, path, **options):
        raise error

    monkeypatch.setattr("volrender.page.Printable.save", stop)
    assert run("slices", "head.nii.gz", "-o", tmp_path / "o.png") == (code, "", said)


@pytest.mark.skipif(os.name != "posix", reason="signals are sent by kill")
def test_a_process_that_is_asked_to_end_leaves_no_file(run, tmp_path, monkeypatch):
    monkeypatch.setattr("volrender.rasters.write_png", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    (tmp_path / "new").mkdir()
    with console.own_process():
        assert run("slices", "head.nii.gz", "-o", tmp_path / "new" / "o.png") == (143, "", "stopped\n")
    assert not list((tmp_path / "new").iterdir())
    assert signal.signal(signal.SIGTERM, before) == signal.SIG_DFL


def test_a_warning_is_a_line(run, tmp_path, monkeypatch):
    monkeypatch.setattr(cli_layers, "load", lambda *_, **__: warnings.warn("the affine is odd", stacklevel=2) or 1 / 0)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        code, _, err = run("slices", "head.nii.gz", "-o", tmp_path / "o.png")
    assert code == 2
    assert err.splitlines() == ["note: the affine is odd", "volrender: division by zero"]


# Words to things


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("x=:0", Box(x=(None, 0))),
        ("x=0:10,y=-30:,z=0:", Box(x=(0, 10), y=(-30, None), z=(0, None))),
        (" z = 1e1 : 20.5 ", Box(z=(10, 20.5))),
    ],
)
def test_clips(text, box):
    assert parse_clip(text) == box


@pytest.mark.parametrize(
    "text", ["", "x", "x=", "x=1", "x=1:2:3", "x=a:b", "t=1:2", "x=1:2,", "x=1:2;y=1:2", "x=1:,x=:2"]
)
def test_clips_that_are_none(text):
    with pytest.raises(
        ValueError,
        match=re.escape(f"--clip must be ranges in mm such as 'x=:0,y=-30:,z=0:50', or normal@point; got {text!r}"),
    ):
        parse_clip(text)


# As a program


def test_the_installed_program(inputs, tmp_path):
    program = shutil.which("volrender", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("volrender is not installed beside this Python")
    out = tmp_path / "o.png"
    done = subprocess.run(
        [program, "slices", "head.nii.gz", "-o", out, *SMALL], cwd=inputs, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, told(out), "")
    bad = subprocess.run([program, "info", "text.nii"], cwd=inputs, capture_output=True, text=True, check=False)
    assert bad.returncode == 2
    assert bad.stderr.count("\n") == 1


def test_a_progress_bar_on_a_terminal_and_none_in_a_pipe(inputs, tmp_path):
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
    command = [*CALL, "slices", "head.nii.gz", "-o", str(tmp_path / "o.png"), *SMALL]
    piped = subprocess.run(command, cwd=inputs, capture_output=True, text=True, check=True)
    assert (piped.stdout, piped.stderr) == (told(tmp_path / "o.png"), "")
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI")}
    done = subprocess.run(
        command, cwd=inputs, stdout=subprocess.PIPE, stderr=theirs, env=environment | {"TERM": "xterm"}, check=True
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # Linux answers the end of a terminal with an error
        pass
    os.close(ours)
    assert done.stdout.decode() == told(tmp_path / "o.png")
    assert b"o.png" in shown
    assert re.search(rb"\d/2", shown)


# Real data


@pytest.fixture(scope="session")
def head_as_array(samples, tmp_path_factory):
    """A real head as a bare array, a third of its resolution."""
    image = nib.load(samples / "mni152_2009_t1_skull.nii.gz")
    path = tmp_path_factory.mktemp("array") / "head.npy"
    np.save(path, np.asarray(image.dataobj)[::3, ::3, ::3])
    return path


@pytest.mark.parametrize("command", ["voxels", "slices", "scene"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mni152_2009_t1_skull.nii.gz", []),
        ("someones_epi.nii.gz", []),
        ("epi_4d.nii", ["--frame", "0"]),
        ("seg3d_t1_skull.nii.gz", []),
        ("head.npy", ["--spacing", "3", "3", "3"]),
    ],
)
def test_a_real_head(run, samples, head_as_array, tmp_path, name, options, command):
    source = head_as_array if name == "head.npy" else samples / name
    small = ["--size", "20"] if command == "voxels" else []
    code, out, err = run(command, source, *options, *small, "-o", tmp_path / "o.png", "--width", "60", "--dpi", "60")
    assert (code, out, err) == (0, told(tmp_path / "o.png"), "")
    pixels = picture(tmp_path / "o.png")
    assert pixels.shape[1] == round(60 / MM * 60)
    drawn = (np.abs(pixels - 255).max(axis=-1) > 20).any(axis=0)
    assert np.ptp(np.flatnonzero(drawn)) > 0.66 * pixels.shape[1]


def test_a_layer_of_the_command_line_is_the_constructors(inputs, monkeypatch):
    monkeypatch.chdir(inputs)
    (layer,) = cli_layers.as_layers(
        ["head.nii.gz"], cli_layers.Reading(clim=(1, 2), cmap="magma"), lambda: None, surfaces=False
    )
    assert isinstance(layer, Intensity)
    assert (layer.clim, layer.cmap) == ((1, 2), "magma")


def main_of(*words):
    return main([str(word) for word in words])


def test_a_histogram_counts_what_the_mask_holds_and_the_clip_leaves(tmp_path, capsys):
    values = np.zeros((8, 8, 8), np.int16)
    values[:4], values[4:] = 10, 20
    image, mask = tmp_path / "values.nii", tmp_path / "mask.nii"
    Volume(values, np.eye(4)).save(image)
    Volume((values == 20).astype(np.uint8), np.eye(4), "labels").save(mask)
    assert main_of("histogram", image, "-o", tmp_path / "all.svg") == 0
    assert main_of("histogram", image, "--mask", mask, "-o", tmp_path / "masked.svg") == 0
    assert main_of("histogram", image, "--clip", "x=:3.5", "-o", tmp_path / "clipped.svg") == 0
    assert main_of("histogram", image, "--clip", "x=-9:9", "-o", tmp_path / "none.svg") == 2
    assert "clips remove" in capsys.readouterr().err
    sizes = {path.stem: path.read_text() for path in tmp_path.glob("*.svg")}
    assert sizes["masked"] != sizes["all"] != sizes["clipped"]


def test_words_that_would_do_nothing_are_refused(tmp_path, capsys):
    image = tmp_path / "values.nii"
    Volume(np.arange(512.0).reshape(8, 8, 8), np.eye(4)).save(image)
    assert main_of("slices", image, "--spacing", 1, 1, 1, "-o", tmp_path / "a.png") == 2
    assert "--spacing is for .npy files" in capsys.readouterr().err
    assert main_of("slices", image, "--frame", 1, "-o", tmp_path / "a.png") == 2
    assert "--frame chooses among those of a series" in capsys.readouterr().err
