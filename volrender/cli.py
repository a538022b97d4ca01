"""The command line, thin over the same constructors.

Whatever goes wrong is one sentence on stderr and exit code 2; a progress bar is shown on a terminal and nowhere else.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from json import dumps
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from cyclopts import App, CycloptsError, Parameter

from volrender import __version__, cli_page, presets
from volrender.color import QUALITATIVE, as_rgb
from volrender.console import complain, progress, report
from volrender.intensity import finite_range
from volrender.layers import Intensity, Isosurface, LabelMap, Layer, as_level
from volrender.page import Printable, as_dpi, as_target, as_width
from volrender.presets import NAMES
from volrender.sources import load
from volrender.space import Box, Clip, Plane, as_camera
from volrender.volume import Volume

app = App(
    name="volrender",
    help="Turn 3-D volumes into publication figures.",
    help_flags=["--help"],
    default_parameter=Parameter(negative=()),
    version=__version__,
    help_format="plaintext",
    help_epilogue="Start with: volrender demo",
    suppress_keyboard_interrupt=False,
)

VIEW = Parameter(help="A side, or elevation,azimuth in degrees.", allow_leading_hyphen=True)
SERIES = "DICOM series, or TIFF channel, of several."
PRESETS = f"A look: {', '.join(NAMES)}, or a .vp.json file."
Files = Annotated[list[str], Parameter(help="Volumes; the first is the ground, the others lie over it.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Reading:
    """How files become layers."""

    mask: Annotated[
        tuple[str, ...], Parameter(help="A mask or labels to lay over; repeatable.", show_default=False)
    ] = ()
    clip: Annotated[
        tuple[str, ...],
        Parameter(
            help="Cut the first file where ranges hold, in mm: 'x=:0,y=-30:,z=0:' a box; 'x=10:' right of 10.",
            show_default=False,
        ),
    ] = ()
    level: Annotated[
        float | str | None,
        Parameter(help="Threshold of the overlays, or of the only file: a number, otsu, or a percentile: 95%."),
    ] = None
    labels: Annotated[bool, Parameter(help="Take the first file as a label map.", show_default=False)] = False
    cmap: Annotated[str | None, Parameter(help="Matplotlib colormap of the first file.")] = None
    clim: Annotated[tuple[float, float] | None, Parameter(help="Values at the ends of that colormap.")] = None
    frame: Annotated[int | None, Parameter(help="Frame of a 4-D file, from 0.")] = None
    spacing: Annotated[tuple[float, float, float] | None, Parameter(help="Voxel size in mm of a .npy file.")] = None
    series: Annotated[str | None, Parameter(help=SERIES)] = None


DEFAULT = Reading()


@Parameter(name="*")
@dataclass(frozen=True)
class Printing:
    """Where and how large."""

    output: Annotated[Path, Parameter(alias="-o", help="The figure: .png, .tif, .pdf or .svg.")]
    width: Annotated[str, Parameter(help="single (89 mm), 1.5 (120), double (183), or mm.")] = "single"
    dpi: Annotated[float, Parameter(help="Pixels per inch.")] = 300
    title: Annotated[str, Parameter(help="A line over the picture.", show_default=False)] = ""
    background: Annotated[str, Parameter(help="A color, or transparent.")] = "white"


@app.command(help_epilogue="Example: volrender demo --output figures")
def demo(
    output: Annotated[Path, Parameter(alias="-o", help="Folder for the figures; made if absent.")] = Path(
        "volrender-demo"
    ),
    *,
    dpi: Annotated[float, Parameter(help="Pixels per inch.")] = 300,
) -> None:
    """Draw five figures of the bundled head, offline."""
    from volrender import demo as figures

    as_dpi(dpi)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{output}: cannot be made a folder; {error.strerror}") from None
    with progress("figures", len(figures.FIGURES)) as advance:
        for name in figures.FIGURES:
            try:
                path = figures.draw(name, output, dpi)
            except RuntimeError as error:
                complain(f"{name} was left out: {error}")
            else:
                report(path)
            advance()


@app.command(help_epilogue="Example: volrender doctor --json")
def doctor(*, json: Annotated[bool, Parameter(help="As JSON, for programs.", show_default=False)] = False) -> None:
    """Say what draws scenes here, and what would improve it; exit code 0 if figures can be drawn."""
    from volrender import doctor as ward

    found = ward.examine()
    if json:
        print(dumps(found, indent=2))
    else:
        ward.show(found)
    if not found["figures"]:
        raise RuntimeError("no scene can be drawn here; Slices, Voxels and Histogram can")


@app.command(help_epilogue="Example: volrender info T1.nii.gz")
def info(
    files: Annotated[list[str], Parameter(help="Volumes.")],
    /,
    *,
    spacing: Annotated[tuple[float, float, float] | None, Parameter(help="Voxel size in mm of a .npy file.")] = None,
    series: Annotated[str | None, Parameter(help=SERIES)] = None,
    kind: Annotated[str | None, Parameter(help="Take them as labels, intensity or rgb.")] = None,
) -> None:
    """Print what a file holds and where it lies."""
    _check(files, spacing, series)
    for n, name in enumerate(files):
        with _naming(name):
            lines = _facts(_load(name, spacing, series, kind))
        if n:
            print()
        print(name)
        width = max(len(word) for word, _ in lines)
        for word, value in lines:
            print(f"  {word:<{width}}  {value}")


@app.command(help_epilogue="Example: volrender voxels T1.nii.gz -o voxels.png --size 50 --contrast")
def voxels(
    files: Files,
    /,
    *,
    reading: Reading = DEFAULT,
    printing: Printing,
    camera: Annotated[str, VIEW] = "25,150",
    size: Annotated[
        int | Literal["max"],
        Parameter(help="Cubes along the longest side; max for as many as can be drawn.", show_choices=False),
    ] = 50,
    only: Annotated[str | None, Parameter(help="Cubes only where this mask is not 0.")] = None,
    edgecolor: Annotated[str | None, Parameter(help="Color of the cubes' edges.")] = None,
    bare: Annotated[bool, Parameter(help="A scale bar and directions, no axes in mm.", show_default=False)] = False,
    explode: Annotated[float, Parameter(help="Gap between cubes, as a fraction of a voxel.")] = 0.0,
    contrast: Annotated[bool, Parameter(help="Lift the contrast of the first file.", show_default=False)] = False,
) -> None:
    """Draw an exploded-voxel figure: every voxel a translucent cube."""
    from volrender.panels import Voxels

    with _printing(printing, len(files)) as (save, advance):
        layers = _layers(files, reading, advance, surfaces=False, contrast=contrast, cmap="viridis")
        save(
            Voxels(
                *layers,
                size=None if size == "max" else size,
                explode=explode,
                mask=None if only is None else load(only),
                edgecolor=edgecolor,
                axes=not bare,
                camera=_camera(camera),
                title=printing.title,
                background=printing.background,
            )
        )


@app.command(
    help_epilogue="Example: volrender scene T1.nii.gz zmap.nii.gz --level 3.1 --clip x=:0,y=0:,z=0: -o scene.png"
)
def scene(
    files: Files,
    /,
    *,
    reading: Reading = DEFAULT,
    printing: Printing,
    camera: Annotated[str, VIEW] = "25,150",
    blend: Annotated[str, Parameter(help="composite, maximum, minimum or average.")] = "composite",
    preset: Annotated[str | None, Parameter(help=PRESETS)] = None,
    quality: Annotated[str, Parameter(help="final, or draft: quick.")] = "final",
    light: Annotated[str, Parameter(help="studio, or flat: no shades.")] = "studio",
    engine: Annotated[str, Parameter(help="auto, pyvista (OpenGL) or raycast.")] = "auto",
    silhouette: Annotated[bool, Parameter(help="Outline bodies, surfaces and labels.", show_default=False)] = False,
) -> None:
    """Draw a 3-D view: the first file as a volume, the others as surfaces."""
    from volrender.panels import Scene

    with _printing(printing, len(files)) as (save, advance):
        layers = _layers(files, reading, advance, surfaces=True, blend=blend, preset=preset)
        save(
            Scene(
                *layers,
                camera=_camera(camera),
                quality=quality,
                light=light,
                engine=engine,
                silhouette=silhouette,
                title=printing.title,
                background=printing.background,
            )
        )


@Parameter(name="*")
@dataclass(frozen=True)
class Cutting:
    """Which slices, and how they are seen."""

    x: Annotated[
        tuple[float, ...],
        Parameter(alias="-x", help="Sagittal, mm.", consume_multiple=(1, None), show_default=False),
    ] = ()
    y: Annotated[
        tuple[float, ...],
        Parameter(alias="-y", help="Coronal, mm.", consume_multiple=(1, None), show_default=False),
    ] = ()
    z: Annotated[
        tuple[float, ...],
        Parameter(alias="-z", help="Axial, mm.", consume_multiple=(1, None), show_default=False),
    ] = ()
    n: Annotated[
        tuple[int, ...],
        Parameter(
            alias="-n",
            help="How many of each direction, as 7 or 0 0 7.",
            consume_multiple=(1, None),
            show_default=False,
        ),
    ] = ()
    plane: Annotated[
        tuple[str, ...],
        Parameter(
            help="Any plane, normal@point: 0,0.5,1@0,-20,40.",
            show_default=False,
            allow_leading_hyphen=True,
        ),
    ] = ()
    native: Annotated[bool, Parameter(help="Cut along the first file's voxels.", show_default=False)] = False
    radiological: Annotated[bool, Parameter(help="The subject's right on the left.", show_default=False)] = False
    camera: Annotated[str | None, Parameter(help="The side to look from, such as left.")] = None

    @property
    def options(self) -> dict[str, Any]:
        """What `Slices` is given."""
        places = {axis: list(at) for axis, at in (("x", self.x), ("y", self.y), ("z", self.z)) if at}
        n: Any = self.n[0] if len(self.n) == 1 else self.n or None
        planes = [parse_plane(text) for text in self.plane] or None
        space = "native" if self.native else "world"
        return {
            **places,
            "n": n,
            "plane": planes,
            "space": space,
            "radiological": self.radiological,
            "camera": self.camera,
        }


USUAL = Cutting()


@app.command(help_epilogue="Example: volrender slices T1.nii.gz zmap.nii.gz --level 3.1 -z -20 0 40 -o slices.png")
def slices(
    files: Files,
    /,
    *,
    reading: Reading = DEFAULT,
    printing: Printing,
    cutting: Cutting = USUAL,
    outline: Annotated[bool, Parameter(help="Masks and labels as outlines.", show_default=False)] = False,
    crosshair: Annotated[bool, Parameter(help="Lines where single slices meet.", show_default=False)] = False,
    reference: Annotated[bool, Parameter(help="A small view of where they are.", show_default=False)] = False,
    preset: Annotated[str | None, Parameter(help="Colors by name; see scene --help.")] = None,
) -> None:
    """Draw slices with overlays; without positions one of each kind."""
    from volrender.annotation import Annotation
    from volrender.slices import Slices

    with _printing(printing, len(files)) as (save, advance):
        options = cutting.options
        layers = _layers(files, reading, advance, surfaces=False, preset=preset)
        if outline:
            layers = [replace(layer, outline=True) if isinstance(layer, LabelMap) else layer for layer in layers]
        notes = Annotation(crosshair=crosshair, reference=reference)
        save(Slices(*layers, **options, annotate=notes, title=printing.title, background=printing.background))


@app.command(help_epilogue="Example: volrender histogram T1.nii.gz -o histogram.png")
def histogram(
    file: Annotated[str, Parameter(help="A volume.")],
    /,
    *,
    reading: Reading = DEFAULT,
    printing: Printing,
    preset: Annotated[str | None, Parameter(help="Colors by name; see scene --help.")] = None,
) -> None:
    """Draw how often each value occurs, with the opacity curve over it."""
    from volrender.panels import Histogram

    with _printing(printing, 1) as (save, advance):
        layer, *masks = _layers([file], reading, advance, surfaces=False, preset=preset)
        if isinstance(layer, Intensity) and masks:
            layer = replace(layer, volume=layer.volume.within(*(mask.volume for mask in masks)))
        save(Histogram(layer, title=printing.title, background=printing.background))


app.command(cli_page.figure, help_epilogue="Example: volrender figure page.toml -o figure1.png")
app.command(
    cli_page.redo, help_epilogue="Example: volrender redo figure1.png --input T1.nii.gz=sub-02_T1.nii.gz -o figure2.png"
)
app.command(cli_page.show_recipe, help_epilogue="Example: volrender show-recipe figure1.png")
app.command(cli_page.caption, help_epilogue="Example: volrender caption figure1.png")


MISTAKES = (
    ArithmeticError,
    CycloptsError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def main(tokens: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: complain(f"note: {message}")
            app(tokens, exit_on_error=False, print_error=False, result_action="return_none")
    except MISTAKES as error:
        text = " ".join(str(error).split()) or type(error).__name__
        complain(f"volrender: {text}")
        return 2
    except KeyboardInterrupt:
        complain("stopped")
        return 130
    return 0


@contextmanager
def _printing(printing: Printing, files: int) -> Iterator[Any]:
    """Check the output before any work, then give `save` and the function that moves the progress bar on."""
    target, width, dpi = as_target(printing.output), as_width(printing.width), as_dpi(printing.dpi)

    with progress(target.name, files + 1) as advance:

        def save(panel: Printable) -> None:
            panel.save(target, width=width, dpi=dpi)
            advance()

        yield save, advance
    report(target)


def _check(files: Sequence[str], spacing: tuple[float, float, float] | None, series: str | None) -> None:
    """What says something of some files must find one of them."""
    if spacing is not None and not any(name.endswith(".npy") for name in files):
        raise ValueError("--spacing is for .npy files, which have none; an image brings its own")
    if series is not None and not any(_has_series(name) for name in files):
        raise ValueError("--series is for a folder of DICOM slices or a TIFF; none is given")


def _has_series(name: str) -> bool:
    return Path(name).is_dir() or name.lower().endswith((".tif", ".tiff"))


def _load(name: str, spacing: tuple[float, float, float] | None, series: str | None, kind: str | None = None) -> Volume:
    affine = None
    if name.endswith(".npy") and spacing is None and Path(name).is_file():
        raise ValueError(f"{name}: has no voxel size; give it in mm, as in --spacing 1 1 1.2")
    if spacing is not None and name.endswith(".npy"):
        if min(spacing) <= 0 or not np.isfinite(spacing).all():
            raise ValueError(f"--spacing must be three sizes above 0 mm; got {spacing}")
        affine = np.diag([*spacing, 1.0])
    chosen = series if series is not None and _has_series(name) else None
    return load(name, affine=affine, kind=kind, series=int(chosen) if chosen and chosen.isdecimal() else chosen)


def _still(name: str, reading: Reading, kind: str | None = None) -> Volume:
    """A file's volume; of a series, the frame that is asked for."""
    with _naming(name):
        volume = _load(name, reading.spacing, reading.series, kind)
        if volume.data.ndim == 4 and volume.kind != "rgb":
            if reading.frame is None:
                frames = volume.shape[3]
                raise ValueError(f"has {frames} frames; choose one with --frame 0 to {frames - 1}")
            volume = volume.frame(reading.frame)
        elif reading.frame is not None:
            raise ValueError("is one volume; --frame chooses among those of a series")
        if volume.kind != "rgb":
            finite_range(volume.data)
    return volume


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Let what is said of a file say its name, and the option instead of the argument."""
    try:
        yield
    except (TypeError, ValueError) as error:
        text = str(error).replace("series=", "--series ")
        raise ValueError(text if name in text else f"{name}: {text}") from None


def _layers(
    files: Sequence[str],
    reading: Reading,
    advance: Any,
    *,
    surfaces: bool,
    contrast: bool = False,
    cmap: str | None = None,
    blend: str = "composite",
    preset: str | None = None,
) -> list[Layer]:
    """The first file as the ground, further files over it, masks on top."""
    _check([*files, *reading.mask], reading.spacing, reading.series)
    clips = [parse_clip(text) for text in reading.clip]
    layers: list[Layer] = []
    for n, name in enumerate(files):
        volume = _still(name, reading, "labels" if reading.labels and n == 0 else None)
        if volume.kind == "labels":
            if n == 0 and preset:
                raise ValueError(f"{name}: --preset is for intensities; this is a label map")
            layers.append(LabelMap(volume, clip=clips if n == 0 else ()))
        elif n == 0 and (len(files) > 1 or reading.level is None or preset):
            volume = volume.contrast() if contrast else volume
            look = _preset(volume, preset, _level(volume, reading.level) if len(files) == 1 else None)
            plain = volume.kind != "rgb" and not volume.survey.signed and look is None
            mapped = reading.cmap or (cmap if plain else None)
            layers.append(Intensity(volume, reading.clim, mapped, blend=blend, clip=clips, preset=look))
        elif surfaces:
            layers.extend(_surfaces(volume, _level(volume, reading.level), clips if n == 0 else []))
        else:
            level = _level(volume, reading.level)
            if level is not None and not (np.abs(volume.data) >= level).any():
                raise _outside(volume, level)
            own = reading.cmap or (None if volume.survey.signed else cmap)
            alone: dict[str, Any] = {"clim": reading.clim, "cmap": own, "clip": clips}
            layers.append(Intensity(volume, level=level, **(alone if n == 0 else {})))
        advance()
    opacity = 1.0 if surfaces else 0.6
    for name in reading.mask:
        layer = LabelMap(_still(name, reading, "labels"), opacity=opacity)
        plain = len(layer.sizes) == 1 and not layer.volume.labels
        layers.append(replace(layer, colors=_free(layers)) if plain else layer)
    return layers


def _free(layers: Sequence[Layer]) -> str:
    """The first of the usual label colors that no label of the layers has."""
    taken = {rgb for layer in layers if isinstance(layer, LabelMap) for _, rgb in layer.table.values()}
    return next((color for color in QUALITATIVE if as_rgb(color) not in taken), QUALITATIVE[0])


def _preset(volume: Volume, name: str | None, level: float | None) -> Any:
    """A preset as it was asked for; the level of an only file is that of "stat"."""
    return presets.preset(name, volume, level=level) if name in NAMES and level is not None else name


def _level(volume: Volume, level: float | str | None) -> float | None:
    """The level that was asked for, in the volume's data units."""
    try:
        return None if level is None else as_level(level, volume)
    except ValueError as error:
        raise ValueError(f"--{error}" if str(error).startswith("level") else f"--level: {error}") from None


def _outside(volume: Volume, level: float) -> ValueError:
    low, high = volume.survey.low, volume.survey.high
    return ValueError(f"{volume.name}: --level must lie within the data, {low:g} to {high:g}; got {level:g}")


def _surfaces(volume: Volume, level: float | None, clips: Sequence[Clip]) -> list[Layer]:
    """Both sides of a signed map, one side of any other."""
    if not volume.survey.signed:
        return [Isosurface(volume, level=level, clip=clips)]
    at = 0.5 * volume.survey.robust[1] if level is None else level
    sides = [(at, "#c1272d"), (-at, "#2a62c4")]
    found = [(v, c) for v, c in sides if volume.survey.low <= v <= volume.survey.high]
    if not found:
        raise _outside(volume, at)
    return [Isosurface(volume, level=v, color=c, clip=clips) for v, c in found]


def parse_clip(text: str) -> Clip:
    """A clip from its command-line form.

    Examples
    --------
    >>> parse_clip("x=:0,z=10:")
    Box(x=(None, 0.0), y=None, z=(10.0, None))
    """
    ranges: dict[str, tuple[float | None, float | None]] = {}
    try:
        for part in text.split(","):
            axis, ends = part.split("=")
            low, high = ends.split(":")
            if axis.strip() not in ("x", "y", "z") or axis.strip() in ranges:
                raise ValueError
            ranges[axis.strip()] = (float(low) if low.strip() else None, float(high) if high.strip() else None)
    except ValueError:
        raise ValueError(f"--clip must be ranges in mm such as 'x=:0,y=-30:,z=0:50' or 'x=10:'; got {text!r}") from None
    return Box(**ranges)


def parse_plane(text: str) -> Plane:
    """A plane from its command-line form.

    Examples
    --------
    >>> parse_plane("0,0,2@0,0,20")
    Plane(x=None, y=None, z=None, normal=(0.0, 0.0, 1.0), origin=(0.0, 0.0, 20.0))
    """
    normal, _, origin = text.partition("@")
    try:
        vectors = [[float(part) for part in side.split(",")] for side in (normal, origin or "0,0,0")]
        if [len(vector) for vector in vectors] != [3, 3]:
            raise ValueError
    except ValueError:
        raise ValueError(f"--plane must be normal@point in mm, such as 0,0.5,1@0,-20,40; got {text!r}") from None
    (a, b, c), (x, y, z) = vectors
    return Plane(normal=(a, b, c), origin=(x, y, z))


def _camera(text: str) -> Any:
    if "," not in text:
        return as_camera(text)
    try:
        return as_camera([float(part) for part in text.split(",")])
    except (TypeError, ValueError):
        raise ValueError(
            f"--camera must be a side such as left, or elevation,azimuth in degrees; got {text!r}"
        ) from None


def _facts(volume: Volume) -> list[tuple[str, str]]:
    """What `info` says of a volume."""
    times = " x "
    rows = [
        ("shape", times.join(map(str, volume.shape[:3]))),
        ("frames", str(volume.shape[3] if volume.data.ndim == 4 and volume.kind != "rgb" else 1)),
        ("spacing", times.join(f"{s:.4g}" for s in volume.spacing) + " mm"),
        ("orientation", volume.orientation),
        ("obliquity", f"{volume.obliquity:.1f} degrees"),
        ("bounds", ", ".join(f"{axis} {lo:.4g} to {hi:.4g}" for axis, (lo, hi) in zip("xyz", volume.bounds)) + " mm"),
        ("space", volume.space or "unknown"),
        ("kind", f"{volume.kind}, {volume.data.dtype}{f', unit {volume.unit}' if volume.unit else ''}"),
        ("why", _why(volume)),
    ]
    if volume.kind == "rgb":
        return rows
    if volume.kind == "labels":
        labels = np.unique(volume.data)
        rows.append(("labels", f"{np.count_nonzero(labels)}, up to {labels.max()}"))
        return rows
    low, high = finite_range(volume.data)
    values = volume.data[np.isfinite(volume.data)] if volume.data.dtype.kind == "f" else volume.data
    marks = (1, 25, 50, 75, 99)
    percents = np.percentile(values, marks)
    rows.append(("range", f"{low:.6g} to {high:.6g}"))
    rows.append(("percentiles", ", ".join(f"{m} %: {p:.5g}" for m, p in zip(marks, percents))))
    missing = volume.data.size - values.size
    if missing:
        rows.append(("not finite", f"{missing} voxels"))
    return rows


def _why(volume: Volume) -> str:
    """Why a volume is of its kind, where it could be taken for another."""
    if any(step == f"taken as {volume.kind}" for step in volume.history):
        return "as asked for"
    if volume.kind == "rgb":
        return "colors, red, green and blue" + (" and alpha" if volume.shape[3] == 4 else "")
    if volume.kind == "labels":
        return "true or false" if volume.data.dtype == bool else "the header says labels"
    values = volume.data[np.isfinite(volume.data)] if volume.data.dtype.kind == "f" else np.zeros(1)
    return "not whole numbers" if (values % 1).any() else "the header does not say labels"
