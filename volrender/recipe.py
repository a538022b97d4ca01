"""Recipes: what a picture was made of and how, as data that can be kept in it and made again.

A recipe is a mapping of plain values: volumes, by where they come from and their steps; layers, panels and figure, by
the words that they were made with; how it was printed; and the versions of what drew it. It names files, and says
nothing of the folders above them unless it is asked to.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap

from volrender.draw import engines
from volrender.io.files import warn
from volrender.layers import CutPlane, Intensity, Isosurface, LabelMap
from volrender.origin import Call, SourceFile, archive, calls_of, way
from volrender.presets import NAMES
from volrender.transforms import Transform
from volrender.version import __version__
from volrender.volume import Volume
from volrender.words import MADE, given

FORM = 1  # of recipes; raised when older ones can no longer be read
KEYWORD = "volrender"  # of the text in a PNG
LAYERS = (Intensity, Isosurface, LabelMap, CutPlane)
DRAWS = ("numpy", "scipy", "scikit-image", "matplotlib", "pillow", "nibabel")
DRAWS_SCENES = {"pyvista": ("pyvista", "vtk"), "raycast": ("numba",)}
MOST_NUMBERS = 4096  # of an array that is written down
FOLDERS = ("names", "paths")


def describe(
    picture: Any, printing: Mapping[str, Any], folders: str = "names", beside: Path | None = None
) -> dict[str, Any]:
    """The recipe of a panel or figure.

    Parameters
    ----------
    picture : Printable
    printing : mapping
        How it was printed.
    folders : {"names", "paths"}
        Whether files are named as they are seen from the picture, or by their whole paths. A name that would tell
        whose files they are is left without its folders; see `volrender.origin.way`.
    beside : Path, optional
        The folder of the picture; without one names are as they were given.
    """
    if folders not in FOLDERS:
        raise ValueError(f"recipe must be names, paths or None; got {folders!r}")
    writer = Writer(folders == "paths", beside)
    figure = writer.made(picture)
    return {
        "recipe": FORM,
        "versions": versions(drawn_by([*writer.panels.values(), figure])),
        "volumes": writer.volumes,
        "layers": writer.layers,
        "panels": writer.panels,
        "figure": figure,
        "print": dict(printing),
    }


def as_text(recipe: Mapping[str, Any], *, indent: int | None = None) -> str:
    """A recipe as JSON."""
    return json.dumps(recipe, indent=indent, ensure_ascii=False)


def drawn_by(tables: Iterable[Mapping[str, Any]]) -> str:
    """The engines that draw the scenes among panels as they are written down."""
    scenes = (table for table in tables if table.get("type") == "Scene")
    return ", ".join(sorted({engines.chosen(table.get("engine", "auto")) for table in scenes}))


@lru_cache
def versions(engine: str = "") -> dict[str, str]:
    """The versions of what draws; of scenes by the engine that drew them."""
    found = {"volrender": __version__, "python": platform.python_version()} | ({"engine": engine} if engine else {})
    for library in (*DRAWS, *(name for word in engine.split(", ") for name in DRAWS_SCENES.get(word, ()))):
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            found[library] = "unknown"
    return found | {"platform": f"{sys.platform} {platform.machine()}"}


class Writer:
    """Writes things down; volumes, layers and panels once, by names that others refer to."""

    def __init__(self, folders: bool, beside: Path | None) -> None:
        self.folders = folders
        self.beside = beside
        self.volumes: dict[str, Any] = {}
        self.layers: dict[str, Any] = {}
        self.panels: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._kept: list[Any] = []  # so that no two things have one id

    def value(self, item: Any) -> Any:
        """Any value as one of JSON, in which a volume, a layer or a panel is its name."""
        if isinstance(item, np.generic):
            item = item.item()
        if item is None or isinstance(item, (bool, int, float, str)):
            return item
        if isinstance(item, Volume):
            return self._volume(item)
        if isinstance(item, LAYERS):
            kind, name = type(item).__name__, item.volume.name or "volume"
            return self._named(item, self.layers, f"{name} {kind}", lambda: self.made(item))
        if hasattr(item, "compose"):
            return self._named(item, self.panels, _letter(len(self.panels)), lambda: self.made(item))
        if type(item).__name__ in MADE:
            return self.made(item)
        if isinstance(item, Mapping):
            return {str(key): self.value(value) for key, value in item.items()}
        if isinstance(item, (list, tuple, set, range)):
            return [self.value(value) for value in item]
        return self._foreign(item)

    def made(self, item: Any) -> dict[str, Any]:
        """A thing of ours, by its type and the words that it was made with."""
        words = given(item)
        preset = words.get("preset")
        if isinstance(preset, os.PathLike) or (isinstance(preset, str) and preset not in NAMES):
            words["preset"] = item.preset  # a file's content, not its name
        written = {word: self.value(value) for word, value in words.items()}
        if isinstance(words.get("space"), Volume):  # beside the spaces that are words
            written["space"] = {"volume": written["space"]}
        return {"type": type(item).__name__} | written

    def _foreign(self, item: Any) -> Any:
        """What other libraries made."""
        if isinstance(item, np.ndarray) and item.size <= MOST_NUMBERS:
            return item.tolist()
        if isinstance(item, Colormap):
            if item.name in colormaps and colormaps[item.name] == item:
                return item.name
            colors = np.asarray(item(np.arange(item.N)))[:, :3].tolist()
            return {"type": "Colormap", "name": item.name, "colors": colors}
        if isinstance(item, Transform):
            steps = [step.tolist() if isinstance(step, np.ndarray) else {"field": step.sha256} for step in item.steps]
            return {"type": "Transform", "name": item.name, "space": item.space, "steps": steps}
        if callable(item) and not isinstance(item, type):
            return {"type": "function", "name": getattr(item, "__name__", type(item).__name__)}
        return {"type": "unknown", "name": type(item).__name__}

    def _named(self, item: Any, table: dict[str, Any], wanted: str, write: Callable[[], Any]) -> str:
        """The name in a table of a thing that is there, or is written there now; equal things are one."""
        if id(item) not in self._names:
            written = write()
            equal = next((name for name, other in table.items() if other == written), None)
            name = equal or _unused(_slug(wanted), table)
            table[name] = written
            self._names[id(item)] = name
            self._kept.append(item)
        return self._names[id(item)]

    def _volume(self, volume: Volume) -> Any:
        if 0 in volume.data.strides and not any(volume.data.strides):  # Volume.grid
            said = {"shape": list(volume.shape), "affine": volume.affine.tolist()}
            return {"type": "grid", **said, "name": volume.name, "space": volume.space}
        return self._named(volume, self.volumes, volume.name or "volume", lambda: self._source(volume))

    def _source(self, volume: Volume) -> dict[str, Any]:
        """Where a volume comes from, the steps since, and what was drawn."""
        calls = calls_of(volume)
        file = None if volume.origin is None else volume.origin.file
        if file is not None and not file.unchanged:
            warn(f"{file.name} has changed since it was read: the recipe can name its voxels, not the file")
            calls = None
        written: dict[str, Any] = {"array": volume.name or "array"}
        if calls is not None:
            first, *steps = calls
            words = {word: self.value(value) for word, value in first.arguments.items()}
            if file is not None:
                written = {first.name: self._file(file), **words, "sha256": file.sha256}
            else:
                written = {first.name: words.pop("name"), **words}
            if steps:
                written["steps"] = [self._step(step) for step in steps]
        return written | {"drawn": _facts(volume)}

    def _step(self, step: Call) -> Any:
        words = {word: self.value(value) for word, value in step.arguments.items()}
        return {step.name: words} if words else step.name

    def _file(self, file: SourceFile) -> str:
        """A file's name: as it is seen from the picture, or was given, if that leads down from where it was done."""
        member = file.name.removeprefix(archive(file.name))
        if self.folders:
            return file.path.as_posix() + member
        path = PurePath(archive(file.name))
        if file.kept and not path.is_absolute():
            return file.name
        seen = None if self.beside is None else way(file.path, self.beside)
        if seen is not None:
            return seen + member
        out = path.is_absolute() or ".." in path.parts or path.drive
        return (file.path.name if out else path.as_posix()) + member


def _facts(volume: Volume) -> dict[str, Any]:
    """What a volume is, for people who read a recipe, and to tell whether it is the same again."""
    facts = {"shape": list(volume.shape), "affine": volume.affine.tolist(), "kind": volume.kind, "name": volume.name}
    return facts | {
        "unit": volume.unit,
        "space": volume.space,
        "history": list(volume.history),
        "voxels": volume.sha256,
    }


def _slug(text: str) -> str:
    """A name in lower case, of letters, figures and hyphens."""
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split()) or "volume"


def _unused(name: str, table: Mapping[str, Any]) -> str:
    """The name, with a number after it if it is taken."""
    tries = (f"{name}-{n}" if n > 1 else name for n in range(1, len(table) + 2))
    return next(name for name in tries if name not in table)


def _letter(n: int) -> str:
    """A to z, then aa to az, ..."""
    return (_letter(n // 26 - 1) if n >= 26 else "") + chr(ord("a") + n % 26)
