"""Names and colors of labels in a NIfTI file: JSON in a header extension (a comment), which other readers pass over.

``{"volrender labels": {"1": ["left hippocampus", [1.0, 0.5, 0.0]], ...}}``: whole numbers, printable names, and red,
green and blue from 0 to 1. What a file says is checked entry by entry, and read up to `MOST` bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from volrender.io.files import Label, warn

COMMENT = 6  # NIfTI's code for plain text
KEY = "volrender labels"
MOST = 1 << 20  # bytes: an atlas of 138 regions takes 11,000
LONGEST = 200  # letters of a name


def write_labels(header: Any, labels: Mapping[int, Label], where: str) -> None:
    """Put names and colors into the header of a nibabel image, unless they are too many."""
    from nibabel.nifti1 import Nifti1Extension

    rows = {str(int(n)): [str(name), [float(part) for part in color]] for n, (name, color) in sorted(labels.items())}
    text = json.dumps({KEY: rows}).encode()
    if len(text) > MOST:
        warn(
            f"{where}: the names and colors of its {len(rows)} labels are not saved; they take more than {MOST:,} bytes"
        )
        return
    header.extensions.append(Nifti1Extension(COMMENT, text))


def read_labels(header: Any, where: str) -> dict[int, Label] | None:
    """Names and colors from the header of a nibabel image; None if it holds none, or none that can be used."""
    mark = json.dumps({KEY: {}}).encode()[:-2]
    for extension in getattr(header, "extensions", ()):
        content = extension.get_content() if extension.get_code() == COMMENT else b""
        text = content if isinstance(content, bytes) else str(content).encode()
        if not text.startswith(mark):
            continue
        try:
            if len(text) > MOST:
                raise ValueError(f"they take more than {MOST:,} bytes")
            return {int(n): _label(*row) for n, row in json.loads(text)[KEY].items()}
        except Exception:
            warn(f"{where}: the names and colors of its labels cannot be read and are left out")
    return None


def _label(name: Any, color: Any) -> Label:
    if not isinstance(name, str) or len(name) > LONGEST or not name.isprintable():
        raise ValueError(f"a name must be at most {LONGEST} printable letters; got {name!r}")
    red, green, blue = (float(part) for part in color)
    if not all(0 <= part <= 1 for part in (red, green, blue)):
        raise ValueError(f"a color must be from 0 to 1; got {color!r}")
    return Label(name, (red, green, blue))
