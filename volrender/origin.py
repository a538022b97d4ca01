"""Where a volume comes from, so that it can be had again: what it was read from, and the steps since.

An origin is true of the memory that it was made for. A volume with other data has none; one whose name, affine or kind
alone was changed has it still, with that change as a step.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

V = TypeVar("V")  # a Volume

FIELDS = ("affine", "kind", "name", "unit", "labels", "space")  # of a volume, beside its data
PIECE = 1 << 20


@dataclass(frozen=True)
class Call:
    """A function or a method by its name, and its arguments."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class SourceFile:
    """What a volume was read from: a file or folder, how it was named, and its state at that time.

    A name that is `kept` is that of a recipe, and stays in the next.
    """

    path: Path
    name: str
    state: tuple[Any, ...]
    kept: bool = False

    @staticmethod
    def at(name: str) -> SourceFile:
        """The file of a path, or the archive of ``"archive.zip!member"``, as it is now."""
        path = Path(os.path.abspath(archive(name)))  # noqa: PTH100 (a link keeps its own name)
        return SourceFile(path, name, _state(path))

    @property
    def unchanged(self) -> bool:
        """Whether it is still what was read."""
        try:
            return _state(self.path) == self.state
        except OSError:
            return False

    @property
    def sha256(self) -> str:
        """The hash of a file; of a folder, that of its files' names and contents."""
        return _hash(self.path, self.state)


@dataclass(frozen=True, eq=False)
class Origin:
    """How data came to be: the first call reads or makes a volume, the others are steps; `fields` as they left them."""

    calls: tuple[Call, ...]
    file: SourceFile | None
    data: NDArray[Any]
    fields: Mapping[str, Any]

    def fits(self, data: NDArray[Any]) -> bool:
        """Whether it is of these data: the same memory, not merely equal."""
        one, other = self.data.__array_interface__, data.__array_interface__
        return all(one[key] == other[key] for key in ("data", "strides", "shape", "typestr"))


def _data(volume: Any) -> NDArray[Any]:
    return np.asarray(volume.data)


def fields_of(volume: Any) -> dict[str, Any]:
    """What a volume is beside its data."""
    return {name: getattr(volume, name) for name in FIELDS}


def calls_of(volume: Any) -> tuple[Call, ...] | None:
    """The calls that lead to a volume, None if they are not known."""
    origin: Origin | None = volume.origin
    if origin is None:
        return None
    now = fields_of(volume)
    changed = {name: now[name] for name in FIELDS if not _equal(now[name], origin.fields[name])}
    return (*origin.calls, Call("set", changed)) if changed else origin.calls


def trace(made: V, source: Any, call: Call) -> V:
    """Let a volume that a step made of another know it."""
    calls = calls_of(source)
    origin = None if calls is None else Origin((*calls, call), source.origin.file, _data(made), fields_of(made))
    object.__setattr__(made, "origin", origin)
    return made


def begin(made: V, call: Call, file: SourceFile | None = None) -> V:
    """Let a volume know what it was read from."""
    object.__setattr__(made, "origin", Origin((call,), file, _data(made), fields_of(made)))
    return made


def named(volume: V, name: str) -> V:
    """The volume, its file known by the name that it has in a recipe."""
    origin: Origin | None = vars(volume)["origin"]
    assert origin is not None
    assert origin.file is not None
    object.__setattr__(volume, "origin", replace(origin, file=replace(origin.file, name=name, kept=True)))
    return volume


def archive(name: str) -> str:
    """The part of a source's name that is on disk."""
    before, bang, _ = name.partition("!")
    return before if bang and before.lower().endswith(".zip") else name


def way(path: Path, folder: Path) -> str | None:
    """Where a file is, seen from a folder: ``"../data/T1.nii.gz"``; None if that would tell whose files they are.

    The folders on the way down are told only below a folder that is someone's: two below the root at least, as
    ``/home/someone`` is, and none that the user's own home lies in. None may have the user's name.
    """
    try:
        shared = Path(os.path.commonpath([path.parent, folder]))
    except ValueError:  # on another drive
        return None
    home, down = Path(os.path.expanduser("~")), path.parent.relative_to(shared).parts  # noqa: PTH111 (never raises)
    public = len(shared.parts) < 3 or shared in home.parents or home.name in down
    return None if down and public else Path(os.path.relpath(path, folder)).as_posix()


def file_hash(path: Path) -> str:
    """The SHA-256 of a file's bytes, or of a folder's files, by name."""
    total = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(path.iterdir()):
        if file.is_file():
            total.update(b"" if file == path else file.name.encode() + b"\0")
            with file.open("rb") as stream:
                while piece := stream.read(PIECE):
                    total.update(piece)
    return total.hexdigest()


@lru_cache(maxsize=256)
def _hash(path: Path, state: tuple[Any, ...]) -> str:
    """The hash of a file in a known state."""
    return file_hash(path)


def voxel_hash(volume: Any) -> str:
    """The SHA-256 of a volume's voxels, their type and shape, and the affine."""
    data: NDArray[Any] = volume.data
    total = hashlib.sha256(f"{data.dtype.str} {data.shape} {volume.affine.tolist()}".encode())
    total.update(np.ascontiguousarray(data.T).reshape(-1).view(np.uint8).data)
    return total.hexdigest()


def _state(path: Path) -> tuple[Any, ...]:
    """What tells whether a file, or one of a folder, was written since."""
    if path.is_dir():
        return tuple((entry.name, *_facts(entry.stat())) for entry in sorted(os.scandir(path), key=lambda e: e.name))
    return _facts(path.stat())


def _facts(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_size, stat.st_mtime_ns


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    return one is other or bool(one == other)
