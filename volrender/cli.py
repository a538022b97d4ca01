"""The command line, thin over the same constructors.

Whatever goes wrong is one sentence on stderr and exit code 2; a progress bar is shown on a terminal and nowhere else.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from json import dumps
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter, UnknownOptionError, UnusedCliTokensError

from volrender import __version__, cli_page
from volrender.cli_info import facts
from volrender.cli_layers import DEFAULT, SERIES, Reading, as_layers, check, loaded, naming, parse_plane
from volrender.cli_page import Recipe
from volrender.console import Terminated, complain, progress, report
from volrender.layers import Intensity, LabelMap
from volrender.page import Printable, as_dpi, as_target, as_width
from volrender.presets import NAMES
from volrender.sources import load
from volrender.space import as_camera
from volrender.words import FOREIGN

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
PRESETS = f"A look: {', '.join(NAMES)}, or a .vp.json file."
Bars = Annotated[bool | None, Parameter(help="Color bars and a legend, or none.", negative="--no-colorbar")]
Files = Annotated[list[str], Parameter(help="Volumes; the first is the ground, the others lie over it.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Printing:
    """Where and how large."""

    output: Annotated[Path, Parameter(alias="-o", help="A .png, .tif, .pdf or .svg.")]
    width: Annotated[str, Parameter(help="mm, or single (89), 1.5 (120), double (183).", show_default=False)] = "single"
    dpi: Annotated[float, Parameter(help="Pixels per inch.")] = 300
    title: Annotated[str, Parameter(help="A line over the picture.", show_default=False)] = ""
    background: Annotated[str, Parameter(help="A color, or transparent.")] = "white"
    recipe: Recipe = "names"


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
    check(files, spacing, series)
    for n, name in enumerate(files):
        with naming(name):
            lines = facts(loaded(name, spacing, series, kind))
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
    colorbar: Bars = None,
) -> None:
    """Draw an exploded-voxel figure: every voxel a translucent cube."""
    from volrender.panels import Voxels

    with _printing(printing, len(files)) as (save, advance):
        layers = as_layers(files, reading, advance, surfaces=False, contrast=contrast, cmap="viridis")
        save(
            Voxels(
                *layers,
                size=None if size == "max" else size,
                explode=explode,
                mask=None if only is None else load(only),
                edgecolor=edgecolor,
                axes=not bare,
                camera=_camera(camera),
                colorbar=colorbar,
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
    perspective: Annotated[float, Parameter(help="Degrees the height spans; no scale bar.", show_default=False)] = 0.0,
    blend: Annotated[str, Parameter(help="composite, maximum, minimum or average.", show_default=False)] = "composite",
    preset: Annotated[str | None, Parameter(help=PRESETS)] = None,
    quality: Annotated[str, Parameter(help="final, or draft: quick.")] = "final",
    light: Annotated[str, Parameter(help="studio (default), or flat: no shades.", show_default=False)] = "studio",
    engine: Annotated[str, Parameter(help="auto (default), pyvista or raycast.", show_default=False)] = "auto",
    silhouette: Annotated[bool, Parameter(help="Outline every layer.", show_default=False)] = False,
    colorbar: Bars = None,
) -> None:
    """Draw a 3-D view: the first file as a volume, the others as surfaces."""
    from volrender.panels import Scene

    with _printing(printing, len(files)) as (save, advance):
        layers = as_layers(files, reading, advance, surfaces=True, blend=blend, preset=preset)
        save(
            Scene(
                *layers,
                camera=replace(_camera(camera), perspective=perspective),
                quality=quality,
                light=light,
                engine=engine,
                silhouette=silhouette,
                colorbar=colorbar,
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
    space: Annotated[str, Parameter(help="world, or native: across the voxels' axes.", show_default=False)] = "world"
    radiological: Annotated[bool, Parameter(help="The subject's right on the left.", show_default=False)] = False
    camera: Annotated[str | None, Parameter(help="The side to look from, such as left.")] = None

    @property
    def options(self) -> dict[str, Any]:
        """What `Slices` is given."""
        places = {axis: list(at) for axis, at in (("x", self.x), ("y", self.y), ("z", self.z)) if at}
        n: Any = self.n[0] if len(self.n) == 1 else self.n or None
        planes = [parse_plane(text) for text in self.plane] or None
        return {
            **places,
            "n": n,
            "plane": planes,
            "space": self.space,
            "radiological": self.radiological,
            "camera": self.camera,
        }


USUAL = Cutting()


@app.command(help_epilogue="Example: volrender slices T1.nii.gz zmap.nii.gz --level 3 -z 20 50 -o cuts.png")
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
    bare: Annotated[bool, Parameter(help="No positions, letters or scale bar.", show_default=False)] = False,
    colorbar: Bars = None,
    preset: Annotated[str | None, Parameter(help="Colors by name; see scene --help.")] = None,
) -> None:
    """Draw slices with overlays; without positions one of each kind."""
    from volrender.annotation import as_annotation
    from volrender.slices import Slices

    with _printing(printing, len(files)) as (save, advance):
        options = cutting.options
        layers = as_layers(files, reading, advance, surfaces=False, preset=preset)
        if outline and not any(isinstance(layer, LabelMap) for layer in layers):
            raise ValueError("--outline would change nothing: it is for masks and label maps, and there is none")
        if outline:
            layers = [replace(layer, outline=True) if isinstance(layer, LabelMap) else layer for layer in layers]
        notes = replace(as_annotation(not bare), crosshair=crosshair, reference=reference)
        save(
            Slices(
                *layers,
                **options,
                annotate=notes,
                colorbar=colorbar,
                title=printing.title,
                background=printing.background,
            )
        )


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
        layer, *masks = as_layers([file], reading, advance, surfaces=False, preset=preset)
        if isinstance(layer, Intensity) and masks:
            layer = replace(layer, volume=layer.volume.within(*(mask.volume for mask in masks)))
        save(Histogram(layer, title=printing.title, background=printing.background))


@app.command(help_epilogue="Example: volrender timecourse bold.nii.gz --mask roi.nii.gz --interval 2 -o course.png")
def timecourse(
    file: Annotated[str, Parameter(help="A 4-D volume.")],
    /,
    *,
    printing: Printing,
    mask: Annotated[str | None, Parameter(help="Where to take the mean; a curve for each of its labels.")] = None,
    interval: Annotated[float | None, Parameter(help="Seconds between frames.")] = None,
) -> None:
    """Draw the mean of each frame of a series as a curve."""
    from volrender.panels import Timecourse

    with _printing(printing, 1) as (save, advance):
        with naming(file):
            series = load(file)
        with naming(mask or file):
            inside = None if mask is None else load(mask, kind="labels")
            course = Timecourse(
                series, mask=inside, interval=interval, title=printing.title, background=printing.background
            )
        advance()
        save(course)


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
        text = _apart(error) or " ".join(str(error).split()) or type(error).__name__
        complain(f"volrender: {text}{_hint(error, text)}")
        return 2
    except KeyboardInterrupt as error:
        complain("stopped")
        return 143 if isinstance(error, Terminated) else 130
    return 0


def _apart(error: BaseException) -> str:
    """What to say of words that no option takes; "" of another mistake."""
    if not isinstance(error, UnusedCliTokensError) or not error.unused_tokens:
        return ""
    said = [str(token) for token in error.root_input_tokens or ()]
    word = error.unused_tokens[0]
    before = said[: said.index(word)] if word in said else []
    camera = ", and --camera takes one word, such as left or 25,150" if before[-2:-1] == ["--camera"] else ""
    return f"{word!r} belongs to no option: files come before the options{camera}"


def _hint(error: BaseException, text: str) -> str:
    """The option that another library's word, or a mistyped one, stands for; "" if none is known, or it is said."""
    if not isinstance(error, UnknownOptionError) or error.argument_collection is None or error.token is None:
        return ""
    known = [name.lstrip("-") for argument in error.argument_collection for name in argument.names if len(name) > 2]
    word = str(error.token.keyword or error.token.value).lstrip("-")
    near = [FOREIGN.get(word, ""), *get_close_matches(word, known, n=1)]
    return next((f" Take --{name}." for name in near if name in known and f" --{name}?" not in text), "")


@contextmanager
def _printing(printing: Printing, files: int) -> Iterator[Any]:
    """Check the output before any work, then give `save` and the function that moves the progress bar on."""
    target, width, dpi = as_target(printing.output), as_width(printing.width), as_dpi(printing.dpi)
    recipe = cli_page.as_recipe(printing.recipe)

    with progress(target.name, files + 1) as advance:

        def save(panel: Printable) -> None:
            panel.save(target, width=width, dpi=dpi, recipe=recipe)
            advance()

        yield save, advance
    report(target)


def _camera(text: str) -> Any:
    if "," not in text:
        return as_camera(text)
    try:
        return as_camera([float(part) for part in text.split(",")])
    except (TypeError, ValueError):
        raise ValueError(
            f"--camera must be a side such as left, or elevation,azimuth in degrees; got {text!r}"
        ) from None
