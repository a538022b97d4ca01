"""TOML with the lines that its keys stand on; the standard library reads it without."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any, TypeAlias

Keys: TypeAlias = tuple[Any, ...]

# Texts of one or several lines, and comments: what is in them is no bracket and no key.
PLAIN = re.compile(r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL)
PART = re.compile(r"""[\w-]+|"[^"\n]*"|'[^'\n]*'""")
DOTTED = rf"(?:{PART.pattern})(?:\s*\.\s*(?:{PART.pattern}))*"
HEADER = re.compile(rf"(\[\[?)\s*({DOTTED})\s*\]\]?")
KEY = re.compile(rf"({DOTTED})\s*=\s*")


class Lines:
    r"""A TOML document: its `tables`, and where each key and each item of a list stands.

    Raises
    ------
    ValueError
        If it is no TOML.

    Examples
    --------
    >>> lines = Lines("[a]\nb = 1\nc = { d = [\n 2,\n] }")
    >>> lines.line_of(("a", "b")), lines.line_of(("a", "c", "d", 0)), lines.line_of(("x",))
    (2, 4, 0)
    """

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        try:
            self.tables: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(self._named(str(error))) from None
        self._bare = PLAIN.sub(lambda found: ("#" if found[0][0] == "#" else "_") * len(found[0]), self._text)
        self._lines: dict[Keys, int] = {}
        counts: dict[Keys, int] = {}
        table: Keys = ()
        at = 0
        while (at := self._next(at)) < len(self._text):
            if header := HEADER.match(self._text, at):
                table = _parts(header[2])
                if header[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                    table = (*table, counts[table])
                for end in range(1, len(table) + 1):
                    self._note(table[:end], at)
                at = header.end()
            else:
                at = self._key(table, at)

    def line_of(self, keys: Sequence[Any]) -> int:
        """The line of a key, or of what it stands in; 0 if there is none."""
        return next((n for end in range(len(keys), 0, -1) if (n := self._lines.get(tuple(keys[:end]), 0))), 0)

    def _named(self, said: str) -> str:
        """A complaint about a key that is there twice, with its name if it stands on the line."""
        at = re.match(r"Cannot overwrite a value( \(at line (\d+).*)", said)
        key = KEY.match(self._text.split("\n")[int(at[2]) - 1].lstrip()) if at else None
        return f"{key[1]} is there twice{at[1]}" if at and key else said

    def _note(self, keys: Keys, at: int) -> None:
        self._lines.setdefault(keys, self._text.count("\n", 0, at) + 1)

    def _next(self, at: int) -> int:
        """Where the next thing begins after space, commas and comments."""
        while at < len(self._bare) and (self._bare[at].isspace() or self._bare[at] in ",#"):
            at += 1
        return at

    def _key(self, table: Keys, at: int) -> int:
        """Note a key and what its value holds; where that ends."""
        found = KEY.match(self._text, at)
        if found is None:  # tomllib would have refused it
            return len(self._text)
        keys = (*table, *_parts(found[1]))
        self._note(keys, at)
        return self._value(keys, found.end())

    def _value(self, keys: Keys, at: int) -> int:
        opening = self._bare[at]
        if opening not in "[{":
            while at < len(self._bare) and self._bare[at] not in ",]}\n#":
                at += 1
            return at
        item, at = 0, self._next(at + 1)
        while self._bare[at] not in "]}":
            if opening == "[":
                self._note((*keys, item), at)
                at = self._value((*keys, item), at)
                item += 1
            else:
                at = self._key(keys, at)
            at = self._next(at)
        return at + 1


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in PART.findall(dotted))
