"""Commands for whole pages: from a spec, from the recipe in a picture, and the words that go with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from volrender.console import progress, report
from volrender.page import as_dpi, as_target, as_width
from volrender.recipe import FOLDERS

if TYPE_CHECKING:
    from volrender.reader import Printed

Output = Annotated[Path, Parameter(alias="-o", help="The figure: .png, .tif, .pdf or .svg.")]
Picture = Annotated[Path, Parameter(help="A PNG that volrender wrote.")]
Width = Annotated[str | None, Parameter(help="single (89 mm), 1.5 (120), double (183), or mm.")]
Dpi = Annotated[float | None, Parameter(help="Pixels per inch.")]
Recipe = Annotated[str, Parameter(help="Inputs kept: names (default), paths, none.", show_default=False)]


def as_recipe(text: str) -> str | None:
    """What a picture is to say of its files, as `save` takes it."""
    if text not in (*FOLDERS, "none"):
        raise ValueError(f"--recipe must be {', '.join(FOLDERS)} or none; got {text!r}")
    return None if text == "none" else text


def figure(
    spec: Annotated[Path, Parameter(help="A page, in TOML.")],
    /,
    *,
    output: Output,
    width: Width = None,
    dpi: Dpi = None,
    recipe: Recipe = "names",
) -> None:
    """Draw a whole page from a spec."""
    from volrender.spec import read_spec

    _draw(lambda: read_spec(spec), output, width, dpi, recipe)


def redo(
    picture: Picture,
    /,
    *,
    output: Annotated[Path | None, Parameter(alias="-o", help="By default PICTURE-redone.png, beside it.")] = None,
    input: Annotated[
        tuple[str, ...],
        Parameter(help="Another file in the place of one: T1.nii.gz=other.nii.gz; repeatable.", show_default=False),
    ] = (),
    width: Width = None,
    dpi: Dpi = None,
    recipe: Recipe = "names",
) -> None:
    """Draw a picture again, from the recipe that it carries."""
    from volrender import spec

    given: dict[str, str] = {}
    for text in input:
        old, equals, new = text.partition("=")
        if not (old and equals and new):
            raise ValueError(f"--input must be old=new, such as T1.nii.gz=other.nii.gz; got {text!r}")
        given[old] = new
    target = output or picture.with_name(f"{picture.stem}-redone.png")
    _draw(lambda: spec.redo(picture, given), target, width, dpi, recipe)


def show_recipe(picture: Picture, /) -> None:
    """Print what a picture was made of and how, as JSON."""
    from volrender.recipe import as_text
    from volrender.spec import read_recipe

    print(_printable(as_text(read_recipe(picture), indent=2)))


def caption(
    picture: Annotated[Path, Parameter(help="A PNG that volrender wrote, or a spec in TOML.")],
    /,
    *,
    alt: Annotated[
        bool, Parameter(help="For those who cannot see it, in place of the legend.", show_default=False)
    ] = False,
) -> None:
    """Print the legend of a figure."""
    from volrender.spec import read_recipe, read_spec

    if picture.suffix.lower() == ".toml":
        made = read_spec(picture).figure
        said = made.alt_text() if alt else made.caption()
    else:
        word = "alt_text" if alt else "caption"
        said = str(read_recipe(picture).get(word, ""))
        if not said:
            raise ValueError(f"{picture}: its recipe has no {word}")
    print(_printable(said))


def _printable(text: str) -> str:
    """Text without what a terminal would obey."""
    return "".join(c for c in text if c.isprintable() or c == "\n")


def _draw(make: Callable[[], Printed], output: Path, width: str | None, dpi: float | None, recipe: str) -> None:
    """Check the output before any work, make the figure and write it, as it says or as it is asked for."""
    target, mm, dots = (
        as_target(output),
        None if width is None else as_width(width),
        None if dpi is None else as_dpi(dpi),
    )
    folders = as_recipe(recipe)
    with progress(target.name, 2) as advance:
        made = make()
        advance()
        if mm is not None:
            made = replace(made, width=mm, where="")
        replace(made, dpi=dots or made.dpi).save(target, recipe=folders)
        advance()
    report(target)
