"""What a PNG says of how it was made, and making it again: the same bytes, or one sentence on why not."""

import dataclasses
import hashlib
import json
import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from helpers import ball, hill, refuses, storage_affine, tilted
from matplotlib.colors import ListedColormap
from printed import png_facts

import volrender as vr
from volrender import origin, rasters
from volrender.cli import main
from volrender.draw import engines
from volrender.recipe import KEYWORD

DPI = 60
NOISE = np.random.default_rng(3)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a head, a map and labels of it in different orders, where the user is."""
    monkeypatch.chdir(tmp_path)
    one, two, three = (storage_affine(code, (4, 5, 6), (-30, -40, -50)) for code in ("LAS", "RAS", "PSR"))
    one[:3, 3] = 16, -20, -20  # where the slices are
    (tmp_path / "below").mkdir()
    hill(tilted(1)[0]).save("head.nii.gz")
    vr.Volume(NOISE.normal(size=(9, 8, 7)).astype("f4") * 3, one, name="map", unit="z").save("below/map.nii.gz")
    vr.Volume(NOISE.integers(0, 4, (9, 8, 7)).astype("u1"), two, "labels").save("labels.nii")
    np.save("array.npy", NOISE.normal(size=(6, 7, 8)))
    (tmp_path / "move.txt").write_text("1 0 0 2\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    three[1, 3] = 0
    nib.save(nib.Nifti1Image(NOISE.normal(size=(9, 8, 7, 3)), three), "series.nii")
    return tmp_path


def layers():
    head = vr.load("head.nii.gz")
    zmap = vr.load("below/map.nii.gz").threshold(2)
    return vr.Intensity(head, clim=(0, 90)), vr.Intensity(zmap, clim=(-6, 6)), vr.LabelMap(vr.load("labels.nii"))


def slices():
    return vr.Slices(
        *layers(), z=[0, 3.25], x=range(0, 9, 4), y=np.array([1.0]), radiological=True, title="Äpfel", annotate=False
    )


def own_axes():
    head, zmap, _ = layers()
    notes = vr.Annotation(crosshair=(0, 0, 0), reference=True)
    return vr.Slices(head, zmap, plane=vr.Plane(normal=(1, 1, 0)), space=zmap.volume, annotate=notes)


def steps():
    head = vr.load("head.nii.gz")
    moved = head.transform("move.txt", vr.space.rotation("z", 20)).smooth(5).resample_to(vr.load("labels.nii"))
    frame = vr.load("series.nii").frame(-1).window(level=0, width=4)
    renamed = dataclasses.replace(moved.crop().reorient("LPS"), name="renamed", unit="mT")
    cmap = ListedColormap([(0.1, 0.2, 0.3), (0.9, 0.8, 0.12345678901234567)])
    array = (
        vr.load("array.npy", affine=storage_affine("RAS", (5, 5, 5), (-20, -20, -30)))
        .downsize((3, 4, 5))
        .equalize()
        .canonical
    )
    return vr.Slices(vr.Intensity(renamed, cmap=cmap), vr.Intensity(frame), vr.Isosurface(array, level="60%"), x=0)


def voxels():
    head = vr.Intensity(vr.load("head.nii.gz").contrast(), clip=[vr.Box(x=(None, -10)), vr.Plane(z=20)], cmap="viridis")
    return vr.Voxels(head, size=5, explode=0.2, mask="labels.nii", camera=vr.Camera(10, 20, zoom=1.2), edgecolor="red")


def presets():
    vr.TransferFunction([(0, 0), (50, 1)], [(0, "red"), (50, "blue")]).save("own.vp.json")
    return vr.Histogram(vr.Intensity(vr.load("head.nii.gz"), preset="own.vp.json"))


def figure():
    head, zmap, labels = layers()
    row = [
        vr.Slices(head, zmap, z=0),
        vr.Slices(head, vr.LabelMap(labels.volume, colors={1: "red", 3: (0, 0, 1)}), x=0),
    ]
    return vr.Figure([row, [vr.Histogram(head)]], width=120, heights=[2, 1], letters="A", title="T", font_size=6)


@pytest.mark.parametrize("make", [slices, own_axes, steps, voxels, presets, figure], ids=lambda make: make.__name__)
def test_a_picture_is_made_again_to_the_byte(folder, make):
    make().save("one.png", width=70, dpi=DPI)
    (folder / "own.vp.json").unlink(missing_ok=True)
    assert main(["redo", "one.png"]) == 0
    assert (folder / "one-redone.png").read_bytes() == (folder / "one.png").read_bytes()
    made = vr.redo("one.png")
    assert (made.width, made.dpi) == (70, DPI)


@pytest.mark.parametrize(
    "command",
    [
        ["histogram", "head.nii.gz", "--mask", "labels.nii", "--clim", "5", "90"],
        ["slices", "head.nii.gz", "below/map.nii.gz", "--level", "2", "-x", "0", "-z", "5", "--mask", "labels.nii"],
        ["voxels", "head.nii.gz", "--size", "5", "--contrast", "--only", "labels.nii", "--bare"],
        ["slices", "series.nii", "--frame", "1", "-x", "0"],
    ],
    ids=lambda words: words[0],
)
def test_a_picture_of_the_command_line_is_made_again(folder, command):
    assert main([*command, "-o", "one.png", "--width", "50", "--dpi", "60"]) == 0
    assert main(["redo", "one.png"]) == 0
    assert (folder / "one-redone.png").read_bytes() == (folder / "one.png").read_bytes()


def test_within_masks():
    volume = ball(8, 3.0)
    far = vr.Volume(np.indices(volume.shape)[0] > 5, volume.affine, "labels", name="far")
    near = vr.Volume(np.indices(volume.shape)[0] < 2, volume.affine, "labels", name="near")
    kept = volume.within(far, near)
    assert (np.isnan(kept.data) == ((np.indices(volume.shape)[0] <= 5) & (np.indices(volume.shape)[0] >= 2))).all()
    assert kept.history[-1] == "within(far, near)"
    none = vr.Volume(np.zeros(volume.shape, bool), volume.affine, "labels")
    refuses(ValueError, lambda: volume.within(none), "a mask must hold a voxel of ball; none does")
    refuses(TypeError, lambda: volume.within(none.data), "within needs a Volume")


def test_a_scene_is_made_again_to_the_byte(folder):
    head, _, labels = layers()
    look = {"camera": "left", "quality": "draft", "silhouette": "royalblue"}
    vr.Scene(head, vr.Isosurface(head.volume, 30, opacity=0.5), labels, **look).save("one.png", width=50, dpi=DPI)
    vr.redo("one.png").save("two.png")
    assert (folder / "two.png").read_bytes() == (folder / "one.png").read_bytes()
    drawn = vr.read_recipe("one.png")["versions"]
    assert drawn["engine"] == engines.chosen()
    assert ("numba" in drawn) == (drawn["engine"] == "raycast")


def test_a_recipe_says_what_was_drawn(folder):
    figure().save("one.png", dpi=DPI)
    recipe = vr.read_recipe("one.png")
    head, zmap = (recipe["volumes"][name] for name in ("head", "map"))
    assert head["load"] == "head.nii.gz"
    assert zmap["load"] == "below/map.nii.gz"
    assert head["sha256"] == hashlib.sha256((folder / "head.nii.gz").read_bytes()).hexdigest()
    assert zmap["steps"] == [{"threshold": {"level": 2}}]
    assert zmap["drawn"]["history"][-1] == "threshold(level=2)"
    assert np.allclose(zmap["drawn"]["affine"], vr.load("below/map.nii.gz").affine)
    assert recipe["layers"]["map-intensity"] == {"type": "Intensity", "volume": "map", "clim": [-6, 6]}
    assert recipe["panels"]["b"]["layers"] == ["head-intensity", "labels-labelmap"]
    assert recipe["figure"]["rows"] == [["a", "b"], ["c"]]
    assert recipe["print"] == {"width": 120, "dpi": DPI, "palette": False}
    assert recipe["versions"]["volrender"] == vr.__version__
    assert "vtk" not in recipe["versions"]
    assert recipe["caption"] == figure().caption()


def test_a_recipe_names_no_folders_unless_asked(folder, monkeypatch):
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    panel = vr.Slices(vr.load(folder / "head.nii.gz"), vr.load("../below/map.nii.gz"), z=0)
    panel.save("one.png", dpi=DPI)
    panel.save("two.png", dpi=DPI, recipe="paths")
    panel.save("none.png", dpi=DPI, recipe=None)
    said = json.dumps(vr.read_recipe("one.png"))
    assert str(folder) not in said
    assert str(folder.parent.name) not in said
    files = {name: table["load"] for name, table in vr.read_recipe("one.png")["volumes"].items()}
    assert files == {"head": "../head.nii.gz", "map": "../below/map.nii.gz"}
    assert vr.read_recipe("two.png")["volumes"]["map"]["load"] == (folder / "below" / "map.nii.gz").as_posix()
    refuses(ValueError, lambda: vr.read_recipe("none.png"), "none.png: carries no recipe of volrender")
    refuses(ValueError, lambda: panel.save("x.png", dpi=DPI, recipe="all"), "recipe must be names, paths or None")
    vr.redo("two.png").save("again.png", recipe="paths")
    assert (folder / "elsewhere" / "again.png").read_bytes() == (folder / "elsewhere" / "two.png").read_bytes()


HOME = Path("/home/ann")


@pytest.mark.parametrize(
    ("file", "picture", "seen"),
    [
        ("study/T1.nii", "study/figures", "../T1.nii"),
        ("study/sub-01/T1.nii", "study/figures/main", "../../sub-01/T1.nii"),
        ("study/T1.nii", "figures", "../study/T1.nii"),
        ("T1.nii", "", "T1.nii"),
        ("/home/bob/T1.nii", "figures", None),
        ("/data/T1.nii", "figures", None),
        ("study/T1.nii", "/home", None),
        ("/data/T1.nii", "/data/figures", "../T1.nii"),
        ("/data/ann/T1.nii", "/data/figures", None),
        ("/data/lab/study/T1.nii", "/data/lab/figures", "../study/T1.nii"),
        ("/data/lab/ann/T1.nii", "/data/lab/bob", None),
        ("/T1.nii", "/figures", "../T1.nii"),
    ],
)
def test_a_recipe_has_no_folder_that_may_be_named_after_someone(monkeypatch, file, picture, seen):
    monkeypatch.setenv("HOME", str(HOME))
    assert origin.way(HOME / file, HOME / picture) == seen


def test_a_picture_is_made_again_from_any_folder(folder, monkeypatch, capsys):
    small = ["--width", "40", "--dpi", "40"]
    (folder / "out").mkdir()
    (folder / "far" / "away").mkdir(parents=True)
    assert (
        main(["slices", str(folder / "head.nii.gz"), "below/map.nii.gz", "-z", "0", *small, "-o", "out/one.png"]) == 0
    )
    assert main(["redo", "out/one.png"]) == 0
    assert main(["redo", "out/one.png", "-o", "two.png"]) == 0
    monkeypatch.chdir(folder / "far" / "away")
    assert main(["redo", "../../out/one.png", "-o", "three.png"]) == 0
    one = (folder / "out" / "one.png").read_bytes()
    assert all(
        (folder / again).read_bytes() == one for again in ("out/one-redone.png", "two.png", "far/away/three.png")
    )
    monkeypatch.chdir(folder)  # and from where the files are, when the picture is elsewhere
    (folder / "out" / "one.png").rename(folder.parent / "moved.png")
    assert main(["redo", str(folder.parent / "moved.png"), "-o", "four.png"]) == 0
    capsys.readouterr()
    monkeypatch.chdir(folder / "far" / "away")
    assert main(["redo", str(folder.parent / "moved.png"), "-o", "five.png"]) == 2
    said = capsys.readouterr().err
    asked = said.rpartition("with ")[2].split()
    assert asked == ["--input", "head.nii.gz=PATH", "--input", "map.nii.gz=PATH"]
    given = ["--input", "head.nii.gz=../../head.nii.gz", "--input", "map.nii.gz=../../below/map.nii.gz"]
    assert main(["redo", str(folder.parent / "moved.png"), *given, "-o", "five.png"]) == 0
    assert main(["redo", "five.png", "-o", "six.png"]) == 0


def test_files_are_looked_for_beside_the_picture_and_here(folder, monkeypatch):
    slices().save("one.png", dpi=DPI)
    (folder / "moved").mkdir()
    for name in ("one.png", "head.nii.gz", "below/map.nii.gz"):
        (folder / name).rename(folder / "moved" / name.rpartition("/")[2])
    vr.redo("moved/one.png").save("two.png")
    assert (folder / "two.png").read_bytes() == (folder / "moved" / "one.png").read_bytes()
    monkeypatch.chdir(folder / "below")
    refuses(ValueError, lambda: vr.redo("../moved/one.png"), "there is no labels.nii")


def test_another_file_is_refused_unless_it_is_given(folder, capsys):
    slices().save("one.png", dpi=DPI)
    hill(tilted(1)[0], center=(10, 0, 0)).save("other.nii.gz")
    (folder / "head.nii.gz").write_bytes((folder / "other.nii.gz").read_bytes())
    refuses(ValueError, lambda: vr.redo("one.png"), "volumes.head.load: head.nii.gz is not the file that was drawn")
    assert main(["redo", "one.png", "--input", "head.nii.gz=other.nii.gz", "-o", "two.png"]) == 0
    assert vr.read_recipe("two.png")["volumes"]["other"]["load"] == "other.nii.gz"
    assert (folder / "one.png").read_bytes() != (folder / "two.png").read_bytes()
    vr.redo("one.png", {"head": folder / "other.nii.gz"}).save("three.png")
    assert (folder / "three.png").read_bytes() == (folder / "two.png").read_bytes()
    capsys.readouterr()
    assert main(["redo", "one.png", "--input", "tail=other.nii.gz", "--input", "head=other.nii.gz"]) == 2
    assert "one.png: has no input tail; it has head.nii.gz, map.nii.gz, labels.nii" in capsys.readouterr().err
    assert main(["redo", "one.png", "--input", "head"]) == 2
    assert "--input must be old=new" in capsys.readouterr().err


def test_a_file_that_changed_after_it_was_read_is_not_named(folder):
    panel = vr.Slices("head.nii.gz", z=0)
    hill(tilted(1)[0], center=(10, 0, 0)).save("head.nii.gz")
    with pytest.warns(UserWarning, match=r"head.nii.gz has changed since it was read"):
        panel.save("one.png", dpi=DPI)
    assert vr.read_recipe("one.png")["volumes"]["head"]["array"] == "head"


def test_an_array_must_be_given(folder):
    volume = ball(8, 3.0)
    vr.Slices(volume.smooth(2), z=0).save("one.png", dpi=DPI)
    entry = vr.read_recipe("one.png")["volumes"]["ball"]
    assert (entry["array"], entry["drawn"]["voxels"]) == ("ball", volume.smooth(2).sha256)
    refuses(ValueError, lambda: vr.redo("one.png"), "volumes.ball: was an array in memory: give it as a file, --input")
    volume.smooth(2).save("ball.nii")
    vr.redo("one.png", {"ball": "ball.nii"}).save("two.png")
    assert png_facts(folder / "two.png") == png_facts(folder / "one.png")


def test_data_of_others_have_no_origin(folder):
    head = vr.load("head.nii.gz")
    assert head.origin is not None
    assert dataclasses.replace(head, name="other").origin is not None
    assert dataclasses.replace(head, data=head.data * 2).origin is None
    assert dataclasses.replace(head, data=head.data.copy()).origin is None
    assert vr.Volume(head.data, head.affine).origin is None
    image = nib.load("head.nii.gz")
    assert vr.load(image).origin is not None
    assert vr.load(nib.Nifti1Image(np.asarray(image.dataobj) + 1, image.affine)).origin is None


def test_the_hash_of_voxels_is_of_values_not_of_their_order_in_memory():
    data = NOISE.normal(size=(3, 4, 5))
    one, two = vr.Volume(data, np.eye(4)), vr.Volume(np.asfortranarray(data), np.eye(4))
    assert one.sha256 == two.sha256
    assert one.sha256 != vr.Volume(data, np.diag([2, 1, 1, 1])).sha256
    assert one.sha256 != vr.Volume(data + 1e-9, np.eye(4)).sha256


def test_what_only_a_script_can_draw_is_said(folder):
    def curve(ax):
        ax.plot([0, 1])

    vr.Figure([[vr.Slices("head.nii.gz", z=0), curve]]).save("one.png", dpi=DPI)
    refuses(ValueError, lambda: vr.redo("one.png"), "panels.b.function: is drawn by a function, curve")


def test_other_versions_are_told_on(folder):
    slices().save("one.png", dpi=DPI)
    tamper(folder / "one.png", lambda recipe: recipe["versions"].update(numpy="1.0"))
    with pytest.warns(UserWarning, match=r"one.png was drawn with numpy 1.0: the picture may differ"):
        vr.redo("one.png")


# Recipes of those who mean no good


def rewrite(path, text, *, checksum=True):
    """Put another text in the place of a PNG's recipe."""
    body = KEYWORD.encode() + b"\0\1\0\0\0" + zlib.compress(text if isinstance(text, bytes) else text.encode())
    chunk = b"iTXt" + body
    made = struct.pack(">I", len(body)) + chunk + struct.pack(">I", zlib.crc32(chunk) ^ (not checksum))
    head = path.read_bytes()[:33]
    path.write_bytes(head + made + struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND")))


def tamper(path, change):
    recipe = vr.read_recipe(path)
    change(recipe)
    rewrite(path, json.dumps(recipe))


BAD = [
    (
        lambda r: r["volumes"]["head"].update(load="../../etc/passwd", sha256=None),
        "volumes.head.load: must be a file in a folder",
    ),
    (lambda r: r["volumes"]["head"].update(load="..\\secret", sha256=""), "must be a file in a folder or below it"),
    (lambda r: r["volumes"]["head"].update(load="/etc/passwd", sha256=None), "must be a file in a folder or below it"),
    (lambda r: r["volumes"]["head"].update(load="/etc/passwd"), "there is no /etc/passwd|is not the file that was"),
    (lambda r: r["volumes"]["head"].update(load="../../etc/passwd"), "there is no ../../etc/passwd|is not the file"),
    (lambda r: r["volumes"]["head"].update(load=["x"]), "volumes.head: must say where it comes from"),
    (
        lambda r: r["volumes"]["head"].update(load="nothere.nii"),
        "there is no nothere.nii where it was, beside the picture",
    ),
    (lambda r: r["volumes"]["head"].update(steps=["__init__"]), "steps[0]: there is no step '__init__'"),
    (lambda r: r["volumes"]["head"].update(steps=[{"save": {"path": "x"}}]), "there is no step 'save'"),
    (lambda r: r["volumes"]["head"].update(steps=[{"set": {"data": 1}}]), "steps[0].set.data: there is no 'data'"),
    (lambda r: r["volumes"]["head"].update(steps=[{"smooth": {"size": 1}}]), "smooth.size: there is no 'size'"),
    (lambda r: r["volumes"]["head"].update(steps=[{"smooth": {"fwhm": 5}}]), "voxels are not those"),
    (lambda r: r["volumes"]["head"].update(steps="abc"), "volumes.head.steps: must be a list"),
    (lambda r: r["volumes"]["head"].update(kind="x" * 10**6), "volumes.head"),
    (lambda r: r["volumes"].update({f"v{n}": {} for n in range(1001)}), "volumes: must have at most 1,000 entries"),
    (lambda r: r["layers"]["head-intensity"].update(type="os.system"), "there is no type 'os.system'"),
    (lambda r: r["layers"]["head-intensity"].update(type=["Box"]), "layers.head-intensity.type: there is no type"),
    (lambda r: r["layers"]["head-intensity"].update(volume="nobody"), "there is no volume 'nobody'"),
    (lambda r: r["layers"]["head-intensity"].update(volume=3), "Intensity needs a Volume"),
    (lambda r: r["layers"]["head-intensity"].update(clip={"type": "Figure", "rows": []}), "Figure takes rows"),
    (lambda r: r["layers"]["head-intensity"].update(cmap={"type": "Colormap"}), "layers.head-intensity.cmap: 'colors'"),
    (lambda r: r["layers"]["head-intensity"].update(frobnicate=1), "Intensity has no frobnicate"),
    (lambda r: r["figure"].update(layers=[None]), "figure: load takes a path"),
    (lambda r: r["figure"].update(type="Box"), "figure"),
    (lambda r: r.update(figure=[]), "figure: must be a table"),
    (lambda r: r.update(volumes=None), "volumes: must be a table; got None"),
    (lambda r: r.update(evil={}), "there is no table 'evil'"),
    (lambda r: r.update(recipe=99), "its recipe must be of form 1; it is of 99"),
    (lambda r: r["print"].update(width=1e9), "width must be"),
    (lambda r: r["print"].update(dpi="many"), "dpi must be"),
    (lambda r: r["print"].update(path="x"), "print.path: there is no 'path'"),
    (lambda r: r["print"].update(width=2000, dpi=2400), "a page must have at most"),
]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A small picture with its recipe, and the one file of it."""
    place = tmp_path_factory.mktemp("drawn")
    hill(tilted(1)[0]).save(place / "head.nii.gz")
    vr.Slices(vr.Intensity(vr.load(place / "head.nii.gz")), z=0).save(place / "one.png", width=30, dpi=40)
    return place


@pytest.fixture
def bad(drawn, tmp_path, monkeypatch, capsys):
    """What the command says of a copy of the picture with another recipe."""
    monkeypatch.chdir(tmp_path)
    for file in drawn.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())

    def told(change):
        change(tmp_path / "one.png")
        code = main(["redo", "one.png", "-o", "two.png"])
        out, err = capsys.readouterr()
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert not (tmp_path / "two.png").exists()
        return err

    return told


@pytest.mark.parametrize(("change", "said"), BAD, ids=[said for _, said in BAD])
def test_a_hostile_recipe_is_a_sentence(bad, change, said):
    err = bad(lambda path: tamper(path, change))
    assert any(words in err for words in said.split("|")), err
    assert len(err) < 1000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "its recipe cannot be read"),
        ("{", "its recipe cannot be read"),
        ("3", "its recipe must be a table; it is int"),
        (b"\xff\xfe", "its text cannot be read"),
        (b" " * (rasters.MOST_TEXT + 10), "its text cannot be read; at most 16,000,000 bytes"),
    ],
    ids=["deep", "open", "number", "bytes", "bomb"],
)
def test_a_text_that_is_no_recipe(bad, text, said):
    assert said in bad(lambda path: rewrite(path, text))


def test_files_that_are_no_pictures(bad):
    assert "the checksum of its text is wrong" in bad(lambda path: rewrite(path, "{}", checksum=False))
    assert "must be a whole PNG; it is cut short" in bad(lambda path: path.write_bytes(path.read_bytes()[:50]))
    assert "must be a PNG; it starts otherwise" in bad(lambda path: path.write_bytes(b"GIF89a"))
    assert "one.png: no such file" in bad(lambda path: path.unlink())


def test_what_a_terminal_would_obey_is_not_printed(drawn, tmp_path, capsys):
    path = tmp_path / "one.png"
    path.write_bytes((drawn / "one.png").read_bytes())
    tamper(path, lambda recipe: recipe.update(caption="red \x1b[31m\x9b text"))
    assert main(["caption", str(path)]) == 0
    assert capsys.readouterr().out == "red [31m text\n"
    assert main(["show-recipe", str(path)]) == 0
    said = capsys.readouterr().out
    assert not {"\x1b", "\x9b"} & set(said)
    assert json.loads(said)["figure"]["type"] == "Slices"
