"""The files that a recipe or a spec names: where they are, whether they are those that are meant, and others in their
place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
        """Where a file is: beside, below or as seen from one of the folders, and the one that is meant."""
        pure, member = _disk(name), name.removeprefix(origin.archive(name))
        out = ".." in pure.parts or pure.is_absolute()  # what is let out must be the very file that was drawn
        if not self.trusted and ("\0" in name or (out and not sha256)):
            raise ValueError(f"must be a file in a folder or below it; got {name!r}")
        found = []
        for candidate in self._places(pure):
            if candidate.exists():
                found.append(candidate)
                if sha256 is None or origin.file_hash(candidate) == sha256:
                    return str(candidate) + member
        if found:
            if self.trusted:
                raise ValueError(f"{found[0]} is not the file that sha256 says: leave that out to draw it nevertheless")
            hint = f"give --input {pure.name}=PATH to draw another"
            raise ValueError(f"{found[0]} is not the file that was drawn, its SHA-256 differs; {hint}")
        beside = "in the folder of the spec" if self.trusted else "beside the picture or in the current folder"
        hint = "" if self.trusted else f"; give --input {pure.name}=PATH"
        raise FileNotFoundError(f"there is no {name} {beside}{hint}")

    def _places(self, pure: PurePosixPath) -> Iterator[Path]:
        """Where a file may be: for each folder its place seen from there, the part of it that leads down, its name."""
        below = PurePosixPath(*[part for part in pure.parts if part != ".."])
        places = (pure, pure.name) if self.trusted else (pure, below, pure.name)
        for folder in self.folders:
            yield from (folder / place for place in places)

    def require(self, files: Mapping[str, str]) -> None:
        """See whether there is a file for each of several volumes, or another in its place; their names to its name.

        Raises
        ------
        FileNotFoundError
            If not; it says what to give.
        """
        lost = {
            volume: file
            for volume, file in files.items()
            if self.other(volume, file) is None and not any(place.exists() for place in self._places(_disk(file)))
        }
        if lost:
            last = [_disk(file).name for file in set(files.values())]
            words = [short if last.count(short := _disk(file).name) == 1 else name for name, file in lost.items()]
            asked = " ".join(f"--input {word}=PATH" for word in dict.fromkeys(words))
            missing = " and no ".join(dict.fromkeys(lost.values()))
            where = "where it was, beside the picture or in the current folder"
            raise FileNotFoundError(f"there is no {missing} {where}: say where, with {asked}")

    def load(self, path: str, words: Mapping[str, Any], name: str | None = None) -> Volume:
        """A file's volume, known by the name that it has in a recipe, if any; read once for all that is made of it."""
        key = f"{path} {sorted(words.items(), key=str)}"
        if key not in self._loaded:
            self._loaded[key] = load(path, **words)
        volume = replace(self._loaded[key])
        return volume if name is None or self.trusted or volume.origin is None else origin.named(volume, name)


def _disk(name: str) -> PurePosixPath:
    """The part of a file's name that is on disk."""
    return PurePosixPath(origin.archive(name).replace("\\", "/"))
