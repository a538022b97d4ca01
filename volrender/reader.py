"""Tables of plain values into figures: what they name is looked up, checked and made.

Nothing is evaluated: types, steps and words are those that can be constructed in a script, and no others. What is
wrong is said with the key that it stands under, and where that is.
"""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from matplotlib.colors import ListedColormap

from volrender import origin
from volrender.inputs import Inputs
from volrender.io import MAX_VOXELS, Label
from volrender.io.files import warn
from volrender.page import Printable, TooNarrow, as_dpi, as_width
from volrender.sources import sample
from volrender.transforms import Transform
from volrender.volume import Volume
from volrender.words import MADE, choices, unknown_word

Keys: TypeAlias = tuple[Any, ...]
T = TypeVar("T")

WRITTEN = ("volumes", "layers", "panels", "figure", "print")
TABLES = (*WRITTEN, "recipe", "versions", "caption", "alt_text")  # a recipe has these too
SOURCES = ("load", "sample", "array")
METHODS = (
    *("contrast", "crop", "downsize", "equalize", "frame", "mean", "normalize", "reorient", "resample_to", "smooth"),
    *("threshold", "transform", "window", "within"),
)
PROPERTIES = ("canonical", "luminance")
NAMED = {  # under which words a text is the name of something, and of what
    "volume": ("volumes",),
    "mask": ("volumes",),
    "masks": ("volumes",),
    "target": ("volumes",),
    "layer": ("layers", "volumes"),
    "layers": ("layers", "volumes"),
    "rows": ("panels", "layers", "volumes"),
}
FILES = ("transforms", "transform")  # under which words a text is a file
LONGEST = 500  # letters of a complaint
MOST = 1000  # entries of a table
MISTAKES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    TypeError,
    ValueError,
)


class Mistake(ValueError):
    """What is wrong with a spec or a recipe, and where."""


@dataclass(frozen=True)
class Printed:
    """A figure and how it is to be printed: `width` (mm or a journal's word), `dpi`, `palette`; None as usual."""

    figure: Printable
    width: Any = None
    dpi: float = 300.0
    palette: bool = False
    where: str = ""  # the key that says the width, and where it stands

    def save(self, path: str | os.PathLike[str], *, recipe: str | None = "names") -> Path:
        """Write it; see `Figure.save`."""
        try:
            return self.figure.save(path, width=self.width, dpi=self.dpi, palette=self.palette, recipe=recipe)
        except TooNarrow as error:
            raise Mistake(f"{self.where}: {error}" if self.where else str(error)) from None


class Reader:
    """Makes what tables say; `place` says where keys stand."""

    def __init__(self, tables: Mapping[str, Any], place: Callable[[Keys], str], inputs: Inputs) -> None:
        self.tables = tables
        self.place = place
        self.inputs = inputs
        self._made: dict[tuple[str, str], Any] = {}
        self._begun: set[Keys] = set()

    def read(self, usual: str) -> Printed:
        """The figure, of the `usual` type if it does not say, and how it is to be printed."""
        for word in self.tables:
            if word not in TABLES:
                raise self._wrong((word,), f"there is no table {word!r}; {choices(list(WRITTEN), word)}")
        for name in ("volumes", "layers", "panels", "print"):
            if len(self._table((name,), self.tables.get(name, {}))) > MOST:
                raise self._wrong((name,), f"must have at most {MOST:,} entries")
        for name in self.tables.get("volumes", {}):
            self._named(("volumes", name), name, ("volumes",))
        if "figure" not in self.tables:
            raise self._wrong((), "must say what the figure is, [figure] with rows = [[...], ...]")
        figure = self.make(("figure",), {"type": usual} | self._table(("figure",), self.tables["figure"]))
        if not isinstance(figure, Printable):
            raise self._wrong(("figure",), f"must be a Figure or a panel; it is {type(figure).__name__}")
        for table in ("panels", "layers"):
            for name in self.tables.get(table, {}):
                if (table, name) not in self._made:
                    self._named((table, name), name, (table,))
                    warn(f"{self.place((table, name))}: {table}.{name} is nowhere on the page")
        printing = self.tables.get("print", {})
        for word in printing:
            if word not in ("width", "dpi", "palette"):
                raise self._wrong(("print", word), f"there is no {word!r}; choose from width, dpi, palette")
        for word, check in (("width", as_width), ("dpi", as_dpi), ("palette", _as_bool)):
            if word in printing:
                self._checked(("print", word), partial(check, printing[word]))
        width = ("print", "width") if "width" in printing else ("figure", "width")
        return self._checked(("print",), lambda: Printed(figure, **printing, where=self._where(width)))

    def make(self, keys: Keys, table: Mapping[str, Any]) -> Any:
        """The thing that a table says, by its type."""
        kind = table.get("type")
        words = {word: value for word, value in table.items() if word != "type"}
        if kind == "function":
            name = words.get("name")
            raise self._wrong(keys, f"is drawn by a function, {name}, that a recipe does not hold: run its script")
        if kind == "unknown":
            raise self._wrong(keys, f"is a {words.get('name')}, which a recipe does not hold: run its script")
        foreign = {"Colormap": self._colormap, "Transform": self._transform, "grid": self._grid}
        if isinstance(kind, str) and kind in foreign:
            return self._checked(keys, lambda: foreign[kind](keys, words))
        if not isinstance(kind, str) or kind not in MADE:
            known = [*MADE, *foreign]
            raise self._wrong((*keys, "type"), f"there is no type {kind!r}; {choices(known, str(kind))}")
        arguments = {word: self.value((*keys, word), value, word) for word, value in words.items()}
        return self._call(keys, MADE[kind], arguments)

    def value(self, keys: Keys, value: Any, word: str = "") -> Any:
        """What a value stands for under a word."""
        if isinstance(value, Mapping):
            if "type" in value:
                return self.make(keys, value)
            if word in NAMED and any(source in value for source in SOURCES):
                return self._volume(keys, "", value)
            if set(value) == {"volume"}:
                return self._named((*keys, "volume"), value["volume"], ("volumes",))
            items = {key: self.value((*keys, key), item) for key, item in value.items()}
            return {int(k) if k.lstrip("-").isdecimal() else k: v for k, v in items.items()}
        if isinstance(value, list):
            return [self.value((*keys, n), item, word) for n, item in enumerate(value)]
        if isinstance(value, str) and word in NAMED:
            return self._named(keys, value, NAMED[word])
        if isinstance(value, str) and word in FILES:
            return self._checked(keys, lambda: self.inputs.find(value))
        if isinstance(value, float) and math.isinf(value):  # TOML has no other word for an open end
            return None
        return value

    def _named(self, keys: Keys, name: str, tables: Sequence[str]) -> Any:
        """The thing of this name, made once."""
        for table in tables:
            entries = self.tables.get(table, {})
            if name in entries:
                if (table, name) not in self._made:
                    place: Keys = (table, name)
                    if place in self._begun:
                        raise self._wrong(keys, f"{name!r} holds itself")
                    self._begun.add(place)
                    entry = self._table(place, entries[name])
                    thing = self._volume(place, name, entry) if table == "volumes" else self.make(place, entry)
                    self._made[table, name] = thing
                return self._made[table, name]
        known = [known for table in tables for known in self.tables.get(table, {})]
        hint = choices(known, name) if known else "there are none"
        raise self._wrong(keys, f"there is no {tables[0].removesuffix('s')} {name!r}; {hint}")

    def _volume(self, keys: Keys, name: str, table: Mapping[str, Any]) -> Volume:
        """A volume from its source, after its steps; of a recipe, as it was drawn."""
        words = {word: value for word, value in table.items() if word not in ("steps", "drawn", "sha256")}
        sources = [word for word in SOURCES if word in words]
        if len(sources) != 1 or not isinstance(words[sources[0]], str):
            raise self._wrong(keys, "must say where it comes from: load = a file, or sample = a name")
        how = sources[0]
        source = words.pop(how)
        said = {word: self.value((*keys, word), value) for word, value in words.items()}
        other = self.inputs.other(name, source) if how != "sample" else None
        volume: Volume
        if how == "sample":
            volume = self._call(keys, sample, {"name": source, **said}, about=how)
        elif other is not None:
            volume = self._checked(keys, lambda: self.inputs.load(other, said))
        elif how == "array":
            asked = "load = a file" if self.inputs.trusted else f"--input {name}=PATH"
            raise self._wrong(keys, f"was an array in memory: give it as a file, {asked}")
        else:
            path = self._checked((*keys, how), lambda: self.inputs.find(source, table.get("sha256")))
            volume = self._checked((*keys, how), lambda: self.inputs.load(path, said, source))
        for n, step in enumerate(self._list((*keys, "steps"), table.get("steps", []))):
            volume = self._step((*keys, "steps", n), volume, step)
        drawn = table.get("drawn", {})
        if other is None and isinstance(drawn, Mapping) and drawn.get("voxels", volume.sha256) != volume.sha256:
            hint = f"give --input {name}=PATH to draw it nevertheless"
            raise self._wrong(keys, f"its voxels are not those that were drawn, though made in the same way; {hint}")
        return volume

    def _step(self, keys: Keys, volume: Volume, step: Any) -> Volume:
        """A volume after a step: a method's name, or {name = arguments}; a lone argument is the first."""
        if isinstance(step, Mapping) and len(step) == 1:
            ((name, said),) = step.items()
        else:
            name, said = step, {}
        if not isinstance(name, str):
            raise self._wrong(keys, f"must be the name of a step, or {{name = arguments}}; got {step!r}")
        keys = (*keys, name) if isinstance(step, Mapping) else keys
        if name == "set":
            fields = self._fields(keys, said)
            return self._checked(keys, lambda: replace(volume, **fields), fields)
        if name in PROPERTIES:
            seen: Volume = getattr(volume, name)
            return seen
        if name not in METHODS:
            known = [*METHODS, *PROPERTIES, "set"]
            raise self._wrong(keys, f"there is no step {name!r}; choose from {', '.join(known)}")
        method = getattr(volume, name)
        first = next(iter(inspect.signature(method).parameters), "")
        if not isinstance(said, Mapping) or "type" in said:
            if not first:
                raise self._wrong(keys, f"takes nothing; got {said!r}")
            said = {first: said}
        made = self._call(keys, method, {word: self.value((*keys, word), v, word) for word, v in said.items()})
        assert isinstance(made, Volume)
        return made

    def _fields(self, keys: Keys, said: Any) -> dict[str, Any]:
        """What a volume is to be, beside its data."""
        fields = dict(self._table(keys, said))
        for word in fields:
            if word not in origin.FIELDS:
                raise self._wrong((*keys, word), f"there is no {word!r}; choose from {', '.join(origin.FIELDS)}")
        if fields.get("labels") is not None:
            place = (*keys, "labels")
            entries = self._table(place, fields["labels"])
            try:
                fields["labels"] = {int(n): Label(name, (r, g, b)) for n, (name, (r, g, b)) in entries.items()}
            except (TypeError, ValueError):
                raise self._wrong(place, f"must be {{1 = [name, [red, green, blue]]}}, 0 to 1; got {entries}") from None
        return fields

    def _call(self, keys: Keys, function: Callable[..., Any], words: Mapping[str, Any], about: str = "") -> Any:
        """A function's answer; the words of what it takes many of are listed under one."""
        parameters = inspect.signature(function).parameters.values()
        many = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
        items = words.get(many, []) if many else []
        if not isinstance(items, (list, tuple)):
            items = [items]
        options = {word: value for word, value in words.items() if word != many}
        known = [p.name for p in parameters]
        needed = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
        for word in options:
            if word not in known and isinstance(function, type):
                raise self._wrong((*keys, word), str(unknown_word(word, function.__name__, known)))
            if word not in known:
                hint = choices(known, word) if known else f"{function.__name__} takes nothing"
                raise self._wrong((*keys, word), f"there is no {word!r}; {hint}")
        if missing := [word for word in needed if word not in options]:
            raise self._wrong(keys, f"{function.__name__} needs {' and '.join(missing)}")
        place = (*keys, about) if about else keys
        return self._checked(place, lambda: function(*items, **options), {} if about else options)

    def _colormap(self, keys: Keys, words: Mapping[str, Any]) -> ListedColormap:
        return ListedColormap([tuple(rgb) for rgb in words["colors"]], name=str(words["name"]))

    def _grid(self, keys: Keys, words: Mapping[str, Any]) -> Volume:
        shape = [int(n) for n in words["shape"]]
        if len(shape) != 3 or min(shape) < 1 or math.prod(shape) > MAX_VOXELS:
            raise ValueError(f"a grid must have three sides and at most {MAX_VOXELS:,} voxels; got {shape}")
        zeros = np.broadcast_to(np.uint8(0), shape)
        return Volume(zeros, np.array(words["affine"], float), name=words.get("name", ""), space=words.get("space", ""))

    def _transform(self, keys: Keys, words: Mapping[str, Any]) -> Transform:
        """A transform by its matrices; with a displacement field, from the files that it is named after."""
        name, space, steps = str(words.get("name", "")), str(words.get("space", "")), words["steps"]
        if not any(isinstance(step, Mapping) for step in steps):
            return Transform(*[np.array(step, float) for step in steps]).named(name, space)
        files = name.split(", ")
        others = {file: self.inputs.other(file) for file in files}
        found = Transform(*[other or self.inputs.find(file) for file, other in others.items()])
        wanted = [step.get("field") for step in steps if isinstance(step, Mapping)]
        same = wanted == [step.sha256 for step in found.steps if not isinstance(step, np.ndarray)]
        if not same and not any(others.values()):
            raise ValueError(f"{name} is not the transform that was used, its SHA-256 differs")
        return found.named(name, space)

    def _table(self, keys: Keys, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise self._wrong(keys, f"must be a table; got {value!r}")
        return dict(value)

    def _list(self, keys: Keys, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self._wrong(keys, f"must be a list; got {value!r}")
        return value

    def _checked(self, keys: Keys, make: Callable[[], T], words: Mapping[str, Any] | None = None) -> T:
        """What `make` makes, or its complaint with the key that it is about."""
        try:
            return make()
        except Mistake:
            raise
        except MISTAKES as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise self._wrong((*keys, *_about(said, words or {})), said) from None

    def _wrong(self, keys: Keys, said: str) -> Mistake:
        return Mistake(f"{self._where(keys)}: {said if len(said) <= LONGEST else f'{said[:LONGEST]}…'}")

    def _where(self, keys: Keys) -> str:
        """Where keys stand, and their name."""
        name = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
        return f"{self.place(keys)}: {name}" if name else self.place(keys)


def _about(said: str, words: Mapping[str, Any]) -> Keys:
    """The word that a complaint is about: it has the word, or the text that was given under it; none if unknown."""
    spoken = said.replace(",", " ").replace(".", " ").split()
    named = (word for word in words if word in spoken)
    quoted = (word for word, value in words.items() if isinstance(value, str) and value and value in said)
    return tuple([*named, *quoted][:1])


def _as_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"palette must be true or false; got {value!r}")
    return value
