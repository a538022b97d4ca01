"""The files that a recipe or a spec names: where they are, whether they are those that are meant, and others in their
place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from volrender import origin
from volrender.sources import load
from volrender.volume import Volume


class Inputs:
    """Finds and loads files.

    Parameters
    ----------
    folders : sequence of Path
        Where they are looked for.
    given : mapping
        Files in the place of others: the name of a volume or a file to a path.
    trusted : bool
        Whether names may lead anywhere and need no SHA-256, as in a spec that the user wrote.
    """

    def __init__(self, folders: Sequence[Path], given: Mapping[str, str], *, trusted: bool) -> None:
        self.folders = folders
        self.given = given
        self.trusted = trusted
        self.used: set[str] = set()
        self.names: list[str] = []
        self._loaded: dict[str, Volume] = {}

    def other(self, *names: str) -> str | None:
        """The file that the user gives in the place of what has these names."""
        short = PurePosixPath(names[-1]).name
        if short not in self.names:
            self.names.append(short)
        for name in (*names, short):
            if name in self.given:
                self.used.add(name)
                return self.given[name]
        return None

    def find(self, name: str, sha256: Any = None) -> str:
        """Where a file is: in or below one of the folders, of this name or its last part, and the one that is meant."""
        path, member = origin.archive(name), name.removeprefix(origin.archive(name))
        pure = PurePosixPath(path.replace("\\", "/"))
        if not self.trusted and (".." in pure.parts or "\0" in name or (sha256 is None and pure.is_absolute())):
            raise ValueError(f"must be a file in a folder or below it; got {name!r}")
        found = []
        for candidate in (each for folder in self.folders for each in (folder / pure, folder / pure.name)):
            if candidate.exists():
                found.append(candidate)
                if sha256 is None or origin.file_hash(candidate) == sha256:
                    return str(candidate) + member
        if found:
            hint = f"give --input {pure.name}=FILE to draw another"
            raise ValueError(f"{found[0]} is not the file that was drawn, its SHA-256 differs; {hint}")
        beside = "in the folder of the spec" if self.trusted else "beside the picture or in the current folder"
        hint = "" if self.trusted else f"; give --input {pure.name}=FILE"
        raise FileNotFoundError(f"there is no {name} {beside}{hint}")

    def load(self, path: str, words: Mapping[str, Any], name: str) -> Volume:
        """A file's volume, known by the name that it has in a recipe; read once for all that is made of it."""
        key = f"{path} {sorted(words.items(), key=str)}"
        if key not in self._loaded:
            self._loaded[key] = load(path, **words)
        volume = replace(self._loaded[key])
        return volume if self.trusted or volume.origin is None else origin.named(volume, name)
