import os
import re
import shutil
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
import zlib

import matplotlib as mpl
import numpy as np
import pytest
from helpers import ball, refuses
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure as MplFigure
from PIL import Image
from printed import MM, png_facts, words

from volrender import Figure, Histogram, Intensity, Slices, Volume, Voxels, rasters
from volrender.page import STYLE, as_background, as_dpi, as_target, as_width, drawing

BALL = ball(12, 4.0)
PANEL = Slices(BALL, z=[0, 1], title="A ball")
POINT = 72 / MM


def media_box(path):
    """Width and height of a PDF page, points."""
    found = re.search(rb"/MediaBox \[ ?([\d. ]+) ?\]", path.read_bytes())
    left, bottom, right, top = map(float, found[1].split())
    assert (left, bottom) == (0, 0)
    return right, top


def svg_text(path):
    return [e.text for e in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def in_a_new_process(code):
    run = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout


# Sizes


@pytest.mark.parametrize(("width", "mm"), [("single", 89), ("1.5", 120), ("double", 183), (50, 50), (61.3, 61.3)])
@pytest.mark.parametrize("dpi", [72, 150])
def test_a_png_has_the_pixels_and_the_dpi_asked_for(tmp_path, width, mm, dpi):
    PANEL.save(tmp_path / "p.png", width=width, dpi=dpi)
    across, up, written = png_facts(tmp_path / "p.png")
    assert across == round(mm / MM * dpi)
    assert up == round(PANEL.height(mm) / MM * dpi)
    assert written == pytest.approx(dpi, rel=1e-3)
    with Image.open(tmp_path / "p.png") as image:
        assert image.size == (across, up)


def test_print_resolution(tmp_path):
    PANEL.save(tmp_path / "p.png", dpi=600)
    assert png_facts(tmp_path / "p.png")[::2] == (2102, pytest.approx(600, rel=1e-4))


@pytest.mark.parametrize("dpi", [100, 300])
@pytest.mark.parametrize("width", ["single", "double", 70])
def test_vector_pages_have_the_width_asked_for(tmp_path, width, dpi):
    for ending in ("pdf", "svg"):
        PANEL.save(tmp_path / f"p.{ending}", width=width, dpi=dpi)
    root = ET.parse(tmp_path / "p.svg").getroot()
    svg = tuple(float(root.get(side).removesuffix("pt")) for side in ("width", "height"))
    wanted = as_width(width) * POINT, PANEL.height(as_width(width)) * POINT
    assert svg == pytest.approx(wanted, abs=0.02 * POINT)
    assert media_box(tmp_path / "p.pdf") == pytest.approx(svg, abs=0.01)


def test_text_is_text(tmp_path):
    for ending in ("svg", "pdf"):
        PANEL.save(tmp_path / f"p.{ending}", dpi=100)
    said = svg_text(tmp_path / "p.svg")
    assert {"A ball", "L", "R", "z = 0 mm"} <= set(said)
    assert sorted(said) == sorted(words(PANEL.figure()))
    pdf = (tmp_path / "p.pdf").read_bytes()
    assert b"/Subtype /Type0" in pdf or b"/Subtype /TrueType" in pdf
    assert b"/Type3" not in pdf
    streams = [s.lstrip(b"\r\n") for s in re.findall(rb"stream(.*?)endstream", pdf, re.DOTALL)]
    pages = b"".join(zlib.decompress(s) for s in streams if s[:1] == b"x")
    assert b"BT" in pages


needs_poppler = pytest.mark.skipif(not shutil.which("pdfimages"), reason="pdfimages and pdftotext are not installed")


@needs_poppler
def test_a_pdf_as_a_drawing_program_takes_it(tmp_path):
    zmap = Intensity(Volume(BALL.data - 50, BALL.affine, name="map", unit="z").threshold(3), clim=(-50, 50))
    panels = [[Histogram(BALL), Voxels(BALL, size=4)], [Slices(BALL, zmap, z=0), Slices(BALL, zmap, y=0)]]
    Figure(panels).save(tmp_path / "p.pdf", dpi=150)
    listed = poppler("pdfimages", "-list", tmp_path / "p.pdf").splitlines()[2:]
    assert sum(line.split()[2] == "image" for line in listed) == 3
    said = poppler("pdftotext", "-layout", tmp_path / "p.pdf", "-")
    for text in ("a", "d", "z = 0 mm", "voxels (%)", "map (z)", "−50"):
        assert text in said
    fonts = poppler("pdffonts", tmp_path / "p.pdf")
    assert "TrueType" in fonts
    assert "Type 3" not in fonts


def poppler(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout


def test_a_color_bar_is_shapes_in_an_svg(tmp_path):
    Slices(Intensity(BALL, cmap="viridis"), z=0).save(tmp_path / "p.svg", dpi=72)
    root = ET.parse(tmp_path / "p.svg").getroot()
    assert sum(e.tag.endswith("}image") for e in root.iter()) == 1
    fills = {m[1] for m in re.finditer(r"fill: (#[0-9a-f]{6})", (tmp_path / "p.svg").read_text())}
    assert {"#440154", "#fde725"} <= fills
    assert len(fills) > 200


# Pixels


def chunks(path):
    """The names of a PNG's chunks, in their order."""
    data, at, found = path.read_bytes(), 8, []
    while at < len(data):
        found.append(data[at + 4 : at + 8].decode())
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return found


def test_a_png_says_that_it_is_srgb(tmp_path):
    PANEL.save(tmp_path / "p.png", dpi=72)
    found = chunks(tmp_path / "p.png")
    assert found.index("sRGB") < found.index("IDAT")
    with Image.open(tmp_path / "p.png") as image:
        assert (image.mode, image.info["srgb"]) == ("RGB", 0)


@pytest.mark.parametrize(
    ("cmap", "mode"), [("gray", "L"), (ListedColormap(["#102030", "#ff8000"]), "P"), ("viridis", "RGB")]
)
def test_a_palette_loses_nothing(tmp_path, cmap, mode):
    panel = Slices(Intensity(BALL, cmap=cmap, clim=(0, 1)), z=0, colorbar=False)
    for name, palette in (("p", True), ("q", False)):
        panel.save(tmp_path / f"{name}.png", dpi=72 if mode == "P" else 150, palette=palette)
    with Image.open(tmp_path / "p.png") as small, Image.open(tmp_path / "q.png") as full:
        assert small.mode == mode
        assert (np.asarray(small.convert("RGB")) == np.asarray(full)).all()
    assert png_facts(tmp_path / "p.png") == png_facts(tmp_path / "q.png")


@pytest.mark.parametrize("ending", ["tif", "TIFF"])
def test_a_tiff_as_journals_take_it(tmp_path, ending):
    PANEL.save(tmp_path / f"p.{ending}", width=61.3, dpi=300)
    PANEL.save(tmp_path / "p.png", width=61.3, dpi=300)
    with Image.open(tmp_path / f"p.{ending}") as image, Image.open(tmp_path / "p.png") as png:
        assert (image.mode, image.info["compression"]) == ("RGB", "tiff_lzw")
        assert [float(dots) for dots in image.info["dpi"]] == [300, 300]
        assert image.size[0] / 300 * MM == pytest.approx(61.3, abs=0.1)
        assert (np.asarray(image) == np.asarray(png)).all()


def test_a_page_that_no_machine_holds():
    refuses(ValueError, lambda: PANEL.figure(2000, 2400), "a page must have at most 600,000,000 pixels; this has")


def test_type_has_the_same_size_at_any_width_and_resolution():
    for width, dpi in ((50, 100), (183, 100), (89, 300)):
        page = PANEL.figure(width, dpi)
        sizes = {t.get_fontsize() for t in page.findobj(mpl.text.Text) if t.get_text().strip()}
        assert sizes == {7.0}


def test_a_panel_is_89_mm_wide_and_a_figure_as_it_was_made():
    assert PANEL.figure().get_size_inches()[0] * MM == pytest.approx(89, abs=0.1)
    assert Figure([PANEL], width=100).figure().get_size_inches()[0] * MM == pytest.approx(100, abs=0.1)


# Ground


def corners(path):
    with Image.open(path) as image:
        array = np.asarray(image.convert("RGBA"))
    return array[[0, 0, -1, -1], [0, -1, 0, -1]]


@pytest.mark.parametrize(
    ("background", "seen"),
    [("white", (255, 255, 255, 255)), ("transparent", None), ("#204060", (0x20, 0x40, 0x60, 255))],
)
def test_background(tmp_path, background, seen):
    Histogram(BALL, background=background).save(tmp_path / "p.png", dpi=60)
    Figure([Histogram(BALL)], background=background).save(tmp_path / "f.png", dpi=60)
    for name in ("p.png", "f.png"):
        if seen is None:
            assert (corners(tmp_path / name)[:, 3] == 0).all()
        else:
            assert (corners(tmp_path / name) == seen).all()


# Files


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    for ending in ("png", "pdf", "svg"):
        for name in "ab":
            Slices(BALL, z=0).save(tmp_path / f"{name}.{ending}", dpi=72)
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes(), ending


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch, ending):
    target = tmp_path / f"p.{ending}"
    target.write_bytes(b"old")

    def broken(first, *rest, **options):
        file = first if ending == "png" else rest[0]
        file.write(b"half of a picture")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((rasters, "write_png") if ending == "png" else (MplFigure, "savefig")), broken)
    with pytest.raises(OSError, match="No space left"):
        PANEL.save(target, dpi=60)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_replaced_whole(tmp_path):
    target = tmp_path / "p.png"
    target.write_bytes(b"old")
    PANEL.save(str(target), dpi=60)
    assert png_facts(target)
    assert list(tmp_path.iterdir()) == [target]
    assert target.stat().st_mode & 0o777 == 0o666 & ~umask()


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_endings_may_be_upper_case(tmp_path):
    path = PANEL.save(tmp_path / "P.PNG", dpi=60)
    assert path == tmp_path / "P.PNG"
    assert png_facts(path)


def test_letters_that_the_font_does_not_have_are_told_once(tmp_path):
    panel = Slices(Volume(BALL.data, BALL.affine, unit="脳"), z=0, title="脳波 z")
    with pytest.warns(UserWarning, match="the font, DejaVu Sans, has no 波 脳: an empty box stands for each") as told:
        panel.save(tmp_path / "p.png", width=40, dpi=60)
    assert len(told) == 1


def test_where_a_file_cannot_be(tmp_path):
    refuses(ValueError, lambda: PANEL.save(tmp_path / "p.jpg"), "one of .png, .pdf, .svg, .tif, .tiff; got .jpg")
    refuses(ValueError, lambda: PANEL.save(tmp_path / "p"), "got no extension")
    refuses(FileNotFoundError, lambda: PANEL.save(tmp_path / "no" / "p.png"), "the output folder does not exist")
    (tmp_path / "folder.png").mkdir()
    refuses(IsADirectoryError, lambda: PANEL.save(tmp_path / "folder.png", dpi=60), "it is a folder")
    assert as_target(tmp_path / "p.svg") == tmp_path / "p.svg"


@pytest.mark.parametrize("width", ["huge", None, 9, 2001, float("nan"), "", -89, []])
def test_widths_that_are_none(width):
    refuses(
        ValueError, lambda: as_width(width), "width must be single, 1.5, double, or 10 to 2000 mm; got", repr(width)
    )


@pytest.mark.parametrize("dpi", [0, 29, 2401, float("nan"), float("inf")])
def test_resolutions_that_are_none(dpi):
    refuses(ValueError, lambda: as_dpi(dpi), "dpi must be between 30 and 2400; got")


def test_backgrounds_that_are_none():
    refuses(ValueError, lambda: as_background("pinkish"), "'transparent' or a matplotlib color; got 'pinkish'")
    refuses(ValueError, lambda: Slices(BALL, background=(1, 2)), "background must be")


# The user's matplotlib


def test_the_users_settings_do_not_leak_in(tmp_path):
    PANEL.save(tmp_path / "plain.png", dpi=100)
    dark = {
        "font.size": 20,
        "figure.facecolor": "black",
        "savefig.facecolor": "red",
        "text.color": "yellow",
        "axes.facecolor": "blue",
        "savefig.bbox": "tight",
        "figure.autolayout": True,
        "image.origin": "lower",
        "axes.grid": True,
        "font.family": "serif",
        "savefig.transparent": True,
        "image.interpolation": "bicubic",
    }
    with mpl.rc_context(dark):
        before = dict(mpl.rcParams)
        PANEL.save(tmp_path / "dark.png", dpi=100)
        assert dict(mpl.rcParams) == before
    assert (tmp_path / "dark.png").read_bytes() == (tmp_path / "plain.png").read_bytes()


def test_settings_are_left_as_they_were_after_an_error():
    before = dict(mpl.rcParams)

    def fail():
        with drawing(12.0):
            assert mpl.rcParams["font.size"] == 12.0
            assert all(mpl.rcParams[word] == value for word, value in STYLE.items() if word != "font.family")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert dict(mpl.rcParams) == before


def test_importing_starts_no_engine():
    code = """
        import sys
        import volrender
        print([m for m in ("pyvista", "vtk", "vtkmodules", "matplotlib", "numba", "nibabel") if m in sys.modules])
        dir(volrender), volrender.Slices, volrender.Scene, volrender.Figure, volrender.Volume
        print([m for m in ("pyvista", "vtk", "vtkmodules", "matplotlib.pyplot") if m in sys.modules])
    """
    assert in_a_new_process(code).split("\n")[:2] == ["[]", "[]"]


def test_drawing_slices_starts_neither_pyvista_nor_pyplot(tmp_path):
    code = f"""
        import sys
        import numpy as np, volrender as vr
        ball = vr.load(np.random.default_rng(0).random((9, 9, 9)), affine=np.eye(4))
        vr.Figure([vr.Slices(ball), vr.Histogram(ball)]).save({str(tmp_path / "p.png")!r}, dpi=60)
        vr.Voxels(ball, size=4).save({str(tmp_path / "v.png")!r}, dpi=60)
        vr.Scene(ball)
        print([m for m in ("pyvista", "vtk", "vtkmodules", "matplotlib.pyplot", "tkinter") if m in sys.modules])
    """
    assert in_a_new_process(code).strip() == "[]"
    assert png_facts(tmp_path / "p.png")


# On screen


def test_a_notebook_gets_a_png():
    for shown in (PANEL, Figure([PANEL]), Voxels(BALL, size=4), Histogram(Intensity(BALL))):
        data = shown._repr_png_()
        assert data.startswith(b"\x89PNG")


def test_show_opens_the_systems_viewer(monkeypatch):
    seen = []
    monkeypatch.setattr(Image.Image, "show", lambda self: seen.append(self.size))
    PANEL.show()
    assert seen == [tuple(PANEL.figure(dpi=150).bbox.size.astype(int))]
