"""TOML with the lines that its keys stand on; the standard library reads it without."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any

HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]\]?")
KEY = re.compile(r"""\s*((?:[\w-]+|"[^"\n]*"|'[^'\n]*')(?:\s*\.\s*(?:[\w-]+|"[^"\n]*"|'[^'\n]*'))*)\s*=""")
PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
# What a value may hold that is no bracket: texts of one or several lines, and comments.
PLAIN = re.compile(r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL)


class Lines:
    r"""A TOML document: its `tables`, and where each key stands.

    Raises
    ------
    ValueError
        If it is no TOML.

    Examples
    --------
    >>> lines = Lines("[a]\nb = 1\nc = { d = [\n 2,\n] }")
    >>> lines.line_of(("a", "b")), lines.line_of(("a", "c", "d", 0)), lines.line_of(("x",))
    (2, 3, 0)
    """

    def __init__(self, text: str) -> None:
        self.tables: dict[str, Any] = tomllib.loads(text)
        self._lines: dict[tuple[Any, ...], int] = {}
        bare = PLAIN.sub(lambda found: re.sub(r"[^\n]", "_", found[0]), text.replace("\r\n", "\n"))
        depth = 0  # of brackets
        table: tuple[Any, ...] = ()
        counts: dict[tuple[Any, ...], int] = {}
        for number, (line, masked) in enumerate(zip(text.splitlines(), bare.splitlines()), start=1):
            if depth == 0:
                if header := HEADER.match(line):
                    table = _parts(header[2])
                    if header[1] == "[[":
                        counts[table] = counts.get(table, -1) + 1
                        table = (*table, counts[table])
                    self._lines[table] = number
                elif key := KEY.match(line):
                    self._lines[(*table, *_parts(key[1]))] = number
            if depth or not HEADER.match(line):
                depth += sum(masked.count(c) for c in "[{") - sum(masked.count(c) for c in "]}")

    def line_of(self, keys: Sequence[Any]) -> int:
        """The line of a key, or of what it stands in; 0 if there is none."""
        for end in range(len(keys), 0, -1):
            if tuple(keys[:end]) in self._lines:
                return self._lines[tuple(keys[:end])]
        return 0


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in PART.findall(dotted))
