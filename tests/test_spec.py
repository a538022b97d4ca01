"""Pages described in TOML: what they make, and errors that name the key and the line."""

from pathlib import Path

import pytest
from helpers import ball, refuses
from printed import MM, png_facts

import volrender as vr
from volrender.cli import main
from volrender.toml_lines import Lines

DOCS = Path(__file__).parents[1] / "docs"

SPEC = """
[volumes.ball]
load = "ball.nii"
steps = [
    "normalize",
    { threshold = 0.1 },
    { window = { level = 0.5, width = 1 } },
]

[layers.body]
type = "Intensity"
volume = "ball"
clim = [0, 1]

[panels.a]
type = "Slices"
layers = ["body"]
z = [0, 2]

[panels.b]
type = "Voxels"
layers = ["ball"]
size = inf
clip = 1

[figure]
rows = [["a", "b"]]
width = 60

[print]
dpi = 72
"""
GOOD = SPEC.replace("clip = 1\n", "")


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """Write a spec beside its volume, and be elsewhere."""
    ball(8, 3.0).save(tmp_path / "ball.nii")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def write(text):
        (tmp_path / "page.toml").write_text(text)
        return tmp_path / "page.toml"

    return write


def line_of(text, start):
    return next(n for n, line in enumerate(text.splitlines(), start=1) if line.startswith(start))


def test_a_spec_is_the_script_that_says_the_same(spec, tmp_path):
    vr.read_spec(spec(GOOD)).save("one.png", recipe=None)
    volume = vr.load(tmp_path / "ball.nii").normalize().threshold(0.1).window(level=0.5, width=1)
    panels = [vr.Slices(vr.Intensity(volume, clim=(0, 1)), z=[0, 2]), vr.Voxels(volume, size=None)]
    vr.Figure([panels], width=60).save("two.png", dpi=72, recipe=None)
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()


def test_the_page_of_the_docs(tmp_path, capsys):
    target = tmp_path / "figure1.png"
    assert main(["figure", str(DOCS / "page.toml"), "-o", str(target), "--dpi", "60"]) == 0
    assert capsys.readouterr().out.startswith(f"{target}, ")
    assert png_facts(target)[0] == round(89 / MM * 60)
    assert main(["caption", str(DOCS / "page.toml")]) == 0
    said = capsys.readouterr().out
    assert main(["caption", str(target)]) == 0
    assert capsys.readouterr().out == said
    assert said.startswith("a, Axial slices at z = 20, 40 and 60 mm of MNI152 T1 (gray, 0 to 192), with left − right")
    assert main(["caption", str(target), "--alt"]) == 0
    assert capsys.readouterr().out.startswith("Figure of 3 panels. Panel a: Axial slices at z = 20, 40 and 60 mm")
    assert main(["redo", str(target), "-o", str(tmp_path / "again.png")]) == 0
    assert (tmp_path / "again.png").read_bytes() == target.read_bytes()


def test_the_width_and_dpi_of_the_command_come_first(spec, tmp_path):
    target = tmp_path / "o.png"
    assert main(["figure", str(spec(GOOD)), "-o", str(target), "--width", "50", "--dpi", "40"]) == 0
    assert png_facts(target)[::2] == (round(50 / MM * 40), pytest.approx(40, rel=1e-3))


def test_names_of_files_lead_anywhere(spec, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "page.toml").write_text(GOOD.replace("ball.nii", "../ball.nii"))
    assert vr.read_spec(tmp_path / "deep" / "page.toml").width is None


def test_a_panel_that_is_nowhere_on_the_page_is_told_on(spec):
    with pytest.warns(UserWarning, match=r"page.toml:20: panels.b is nowhere on the page"):
        vr.read_spec(spec(GOOD.replace('[["a", "b"]]', '[["a"]]')))


WRONG = [
    ("clip = 1", "clip = 1", "panels.b.clip: Voxels takes no clip: clip belongs to the layer"),
    ("size = inf", "size = 'many'", "panels.b.size: size must be a whole number of cubes"),
    ("z = [0, 2]", "z = [0, 200]", "panels.a.z: z must lie within the volumes"),
    ("clim = [0, 1]", "clim = [1, 0]", "layers.body.clim: clim must be increasing"),
    ("clim = [0, 1]", "vmax = 1", "layers.body.vmax: Intensity takes clim, not vmax"),
    ("volume = ", 'volume = "bal"', "layers.body.volume: there is no volume 'bal'; choose from ball"),
    ("rows = ", 'rows = [["a", "c"]]', "figure.rows[0][1]: there is no panel 'c'; choose from a, b, body, ball"),
    ("width = 60", 'width = "wide"', "figure.width: width must be single, 1.5, double"),
    ("load = ", 'load = "none.nii"', "volumes.ball.load: there is no none.nii in the folder of the spec"),
    ("load = ", 'laod = "ball.nii"', "volumes.ball: must say where it comes from: load = a file, or sample = a name"),
    ("dpi = 72", "dpi = 5", "dpi must be between 30 and 2400; got 5"),
    ("dpi = 72", "dip = 5", "print.dip: there is no 'dip'; choose from width, dpi, palette"),
    ("dpi = 72", 'palette = "yes"', "print.palette: palette must be true or false; got 'yes'"),
    ("[print]", "[sheet.print]", "sheet: there is no table 'sheet'; choose from volumes, layers, panels, figure"),
    ("clim = [0, 1]", 'cmap = "virids"', "layers.body.cmap: there is no colormap 'virids'"),
    ("width = 60", "width = 20", "figure.width: the Voxels b of the Figure needs"),
    ("[layers.body]", "[layers.bare]\ntype = 'Isosurface'\n[layers.body]", "layers.bare: Isosurface needs volume"),
    ("load = ", 'load = "ball.nii"\nsha256 = "ab"', "is not the file that sha256 says: leave that out to draw it"),
    ("dpi = 72", "width = 20", "print.width: the"),
    ("[figure]", "[figures]", "figures: there is no table 'figures'"),
    ("[layers.body]", "[layers]\nbody = 3", "layers.body: must be a table; got 3"),
    ('type = "Slices"', 'type = "Slice"', "panels.a.type: there is no type 'Slice'; did you mean Slices"),
]


@pytest.mark.parametrize(("start", "other", "said"), WRONG, ids=[said for *_, said in WRONG])
def test_an_error_names_the_key_and_the_line(spec, capsys, start, other, said):
    base = SPEC if start.startswith("clip") else GOOD
    line = line_of(base, start)
    lines = base.splitlines()
    lines[line - 1] = other
    path = spec("\n".join(lines))
    assert main(["figure", str(path), "-o", "o.png"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert said in err
    if "dpi must" not in said:
        near = {"[layers.body]": line + ("table" in said), "load = ": line - ("must say" in said)}
        assert f"page.toml:{near.get(start, line)}: " in err
    assert not Path("o.png").exists()


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ('"explode"', "page.toml:6: volumes.ball.steps[1]: there is no step 'explode'; choose from contrast"),
        ("{ smooth = -1 }", "page.toml:6: volumes.ball.steps[1].smooth.fwhm: fwhm must be 0 mm or more; got -1"),
        ('{ smooth = "a" }', "page.toml:6: volumes.ball.steps[1].smooth.fwhm: fwhm must be a number; got 'a'"),
        ("{ set = { labels = 5 } }", "steps[1].set.labels: must be a table; got 5"),
        ("{ set = { name = 5 } }", "page.toml:6: volumes.ball.steps[1].set.name: name of a volume must be a text"),
        ("{ crop = 3 }", "steps[1].crop: takes nothing; got 3"),
        ("{ smooth = { size = 1 } }", "smooth.size: there is no 'size'; choose from fwhm"),
        ('{ transform = "no.mat" }', "transform.transforms: there is no no.mat in the folder of the spec"),
        ("{ a = 1, b = 2 }", "steps[1]: must be the name of a step, or {name = arguments}; got {"),
    ],
)
def test_a_step_that_cannot_be(spec, step, said):
    refuses(ValueError, lambda: vr.read_spec(spec(GOOD.replace("{ threshold = 0.1 }", step))), said)


def test_what_is_no_toml(spec, tmp_path):
    refuses(ValueError, lambda: vr.read_spec(spec("[figure\n")), "page.toml: must be TOML; ", "line 1")
    twice = GOOD.replace("width = 60", "width = 60\nwidth = 80")
    said = f"must be TOML; width is there twice (at line {line_of(twice, 'width = 80')}, "
    refuses(ValueError, lambda: vr.read_spec(spec(twice)), said)
    refuses(ValueError, lambda: vr.read_spec(spec("")), "page.toml: must say what the figure is, [figure] with rows")
    assert vr.read_spec(spec("\ufeff" + GOOD)).figure.width == 60
    (tmp_path / "page.toml").write_bytes(b"\xff\xfe")
    refuses(ValueError, lambda: vr.read_spec(tmp_path / "page.toml"), "page.toml: must be TOML")
    refuses(FileNotFoundError, lambda: vr.read_spec(tmp_path / "none.toml"), "none.toml: no such file")


def test_lines_of_keys():
    text = '''title = """
[not.a.table]
a = 1
"""
[one]  # [two]
"a b" = "x # y"
list = [  # of
  1, "]",
  { b = 2 },
]
c.d = 3
[[many]]
e = 1
[[many]]
e = 2
'''
    lines = Lines(text)
    found = {keys: lines.line_of(keys) for keys in [("one",), ("one", "a b"), ("one", "list", 1), ("one", "c", "d")]}
    assert list(found.values()) == [5, 6, 8, 11]
    assert [lines.line_of(("many", n, "e")) for n in range(2)] == [13, 15]
    assert lines.line_of(("not", "a", "table")) == 0


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["[layers.z]", 'type = "Isosurface"', 'volume = "head"', 'colour = "red"'], ["6", "layers.z.colour", "color"]),
        (["[print]", 'dpi = "high"'], ["4", "print.dpi", "high"]),
        (["[layers.spare]", 'type = "Isosurface"', 'volume = "head"', "level = 999"], ["6", "layers.spare.level"]),
        (["[panels.p]", 'type = "Figure"', 'rows = [["p"]]'], ["holds itself"]),
    ],
)
def test_what_is_wrong_is_told_with_its_own_key_and_line(tmp_path, lines, said):
    head = ["[volumes.head]", 'sample = "mni152"']
    tail = ["[figure]", f'rows = [["{"z" if "layers.z" in lines[0] else "p" if "panels" in lines[0] else "head"}"]]']
    path = tmp_path / "s.toml"
    path.write_text("\n".join([*head, *lines, *tail]))
    with pytest.raises(ValueError, match="toml") as complaint:
        vr.read_spec(path)
    for words in said:
        assert words in str(complaint.value)
