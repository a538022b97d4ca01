"""Figures from files: from a spec that the user writes in TOML, and from the recipe that a PNG carries.

Both say the same in the same words; see `volrender.reader`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from volrender import rasters
from volrender.figure import Figure
from volrender.inputs import Inputs
from volrender.io.files import warn
from volrender.reader import Keys, Mistake, Printed, Reader
from volrender.recipe import FORM, KEYWORD, drawn_by, versions
from volrender.toml_lines import Lines


def read_spec(path: str | os.PathLike[str]) -> Printed:
    """Read a page from a spec in TOML; files are looked for from its folder.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it is no spec; the sentence names the key and the line.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file")
    try:
        lines = Lines(file.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Mistake(f"{file}: must be TOML; {error}") from None

    def place(keys: Keys) -> str:
        line = lines.line_of(keys)
        return f"{file}:{line}" if line else str(file)

    return Reader(lines.tables, place, Inputs([file.parent], {}, trusted=True)).read(Figure.__name__)


def read_recipe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The recipe that a PNG carries.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is no PNG, or it carries none.
    """
    file = Path(path)
    text = rasters.read_text(file, KEYWORD)
    if text is None:
        raise Mistake(f"{file}: carries no recipe of volrender")
    try:
        recipe = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Mistake(f"{file}: its recipe cannot be read; {error}") from None
    if not isinstance(recipe, dict):
        raise Mistake(f"{file}: its recipe must be a table; it is {type(recipe).__name__}")
    return recipe


def redo(path: str | os.PathLike[str], inputs: Mapping[str, str | os.PathLike[str]] | None = None) -> Printed:
    """Make the figure of a PNG again, from the recipe that it carries.

    Parameters
    ----------
    path : path
        A PNG that was saved with its recipe.
    inputs : mapping, optional
        Other files in the place of those of the recipe: name to path.

    Returns
    -------
    Printed
        The figure, and how it was printed: ``redo("fig.png").save("again.png")``.

    Raises
    ------
    FileNotFoundError
        If a file of the recipe is neither where it was, nor beside the picture or in the current folder.
    ValueError
        If a file is not the one that was drawn, or the recipe is wrong; the sentence says where.

    Warns
    -----
    UserWarning
        If the picture was drawn by other versions.
    """
    file, recipe = Path(path), read_recipe(path)
    if recipe.get("recipe") != FORM:
        raise Mistake(f"{file}: its recipe must be of form {FORM}; it is of {recipe.get('recipe')!r}")
    given = {name: os.fspath(source) for name, source in (inputs or {}).items()}
    found = Inputs([file.parent, Path()], given, trusted=False)
    try:
        found.require(_files(recipe.get("volumes")))
    except OSError as error:
        raise Mistake(f"{file}: {error}") from None
    made = Reader(recipe, lambda keys: str(file), found).read(Figure.__name__)
    if unused := set(given) - found.used:
        raise Mistake(f"{file}: has no input {', '.join(sorted(unused))}; it has {', '.join(found.names) or 'none'}")
    before = recipe.get("versions")
    before = before if isinstance(before, dict) else {}
    now = versions(drawn_by([*recipe.get("panels", {}).values(), recipe.get("figure", {})]))
    changed = {name: was for name, was in before.items() if now.get(name) != was} if isinstance(before, dict) else {}
    if changed:
        said = ", ".join(f"{name} {was}" for name, was in changed.items())
        warn(f"{file} was drawn with {said}: the picture may differ")
    return made


def _files(volumes: Any) -> dict[str, str]:
    """Of the volumes in a recipe those that were read, and from which files, if their SHA-256 is known."""
    tables = volumes if isinstance(volumes, dict) else {}
    known = {name: table for name, table in tables.items() if isinstance(table, dict) and table.get("sha256")}
    return {name: table["load"] for name, table in known.items() if isinstance(table.get("load"), str)}
