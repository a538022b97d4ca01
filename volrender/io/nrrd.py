"""NRRD, attached and detached (pynrrd parses the header; the voxels are read here, within the header's claim).

The ``space`` says what its coordinates mean: LPS, RAS and LAS are brought to RAS+. Without an anatomical space they are
taken as LPS, as ITK takes them; said to be left-handed, as LPI, so that nobody is mirrored (ITK does not look). A
warning tells what the header does not.
"""

from __future__ import annotations

import bz2
import gzip
import re
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from volrender.io.files import (
    CHUNK,
    FROM_LPS,
    GROWTH,
    LPS,
    File,
    Image,
    Label,
    by,
    capacity,
    centred,
    check_claim,
    check_shape,
    in_mm,
    optional,
    read_voxels,
    sentence,
    short_name,
    title,
)
from volrender.io.forms import named_space, usable, warn_of_guess

MAX_HEADER = 1 << 20
TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(
        ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"), "i8"
    ),
    **dict.fromkeys(("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"), "u8"),
    "float": "f4",
    "double": "f8",
}
ENCODINGS: Mapping[str, tuple[int, Callable[[BinaryIO], Any]]] = {
    "raw": (1, lambda stream: stream),
    "gzip": (GROWTH[".gz"], lambda stream: gzip.GzipFile(fileobj=stream)),
    "bzip2": (GROWTH[".bz2"], lambda stream: bz2.BZ2File(stream)),
}
SHORT = {"gz": "gzip", "bz2": "bzip2"}
SPATIAL = ("domain", "space")
COLORS = ("rgb-color", "3-color", "rgba-color", "4-color", "vector", "3-vector", "4-vector")  # of bytes


def fits(head: bytes) -> bool:
    """Whether a file that starts like this is NRRD."""
    return head.startswith(b"NRRD000")


def read(file: File) -> Image:
    """Read a ``.nrrd``, or a ``.nhdr`` and the files that it names."""
    where = file.where
    header, data, axes, colors = _voxels(file, vectors=False)
    sizes = data.shape
    history = [f"read {short_name(where)}, NRRD, {data.dtype}"]
    affine, convention = _affine(header, sizes, axes, where)
    history.append(convention)
    other = [axis for axis in range(data.ndim) if axis not in axes]
    data = data.transpose(*axes, *other)
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if other and str(_kinds(header, sizes)[other[0]]) == "complex":
        data = np.hypot(data[..., 0].astype(float), data[..., 1]).astype(np.float32)
        history.append("complex values replaced by their magnitude")
    labels = _segments(header, where)
    kind = "rgb" if colors else "intensity" if labels is None else "labels"
    return Image(data, affine, title(where), "", labels, kind, tuple(history), named_space(where))


def read_vectors(file: File) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """A displacement at each voxel (mm, RAS+), (i, j, k, 3), and the affine, of a field that ITK wrote: in LPS, mm."""
    header, data, axes, _ = _voxels(file, vectors=True)
    affine, convention = _affine(header, data.shape, axes, file.where)
    units = {str(unit) for unit in header.get("space units", [])}
    if convention != "converted from LPS to RAS" or any((in_mm(unit) or 1.0) != 1 for unit in units):
        said = ", ".join([str(header.get("space", "nothing of its space")), *sorted(units)])
        raise ValueError(f"must be a displacement field in LPS and mm; its header says {said}")
    (other,) = {0, 1, 2, 3} - set(axes)
    return data.transpose(*axes, other) * FROM_LPS, affine


def _voxels(file: File, vectors: bool) -> tuple[Mapping[str, Any], NDArray[Any], list[int], bool]:
    """The header, the voxels in the order of the file, which axes are space, and whether the other one is color."""
    where = file.where
    with file.open() as stream:
        header, start = _header(stream, where)
        try:
            sizes = tuple(int(n) for n in header["sizes"])
            dtype = _dtype(header)
            encoding = str(header["encoding"]).lower()
            skips = [
                int(header.get(a, header.get(b, 0))) for a, b in (("line skip", "lineskip"), ("byte skip", "byteskip"))
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{where}: must have sizes, a type and an encoding in its header; {sentence(error)}"
            ) from None
        encoding = SHORT.get(encoding, encoding)
        if encoding not in ENCODINGS:
            raise ValueError(f"{where}: must be encoded as {', '.join(ENCODINGS)}; its header says {encoding}")
        if len(sizes) != int(header.get("dimension", len(sizes))):
            raise ValueError(f"{where}: must have one size an axis; it has {by(sizes)} for {header['dimension']} axes")
        growth, unpacked = ENCODINGS[encoding]
        names = _named(header, stream, where)
        check_shape(where, sizes)
        parts = [file.beside(name) for name in names] or [file]
        shares = _shares(sizes, len(parts), where)
        check_claim(where, sizes, dtype, capacity(sum(part.size for part in parts), growth))
    axes, colors = _axes(header, sizes, where, vectors)
    pieces = []
    for shape, part in zip(shares, parts):
        with part.open() as stream:
            stream.seek(0 if names else start)
            lines, skipped = skips
            for _ in range(lines):
                stream.readline(CHUNK)
            if skipped == -1 and encoding == "raw":
                stream.seek(part.size - int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
            inner = unpacked(stream)
            if skipped > 0:
                inner.read(min(skipped, CHUNK))
            pieces.append(read_voxels(inner, shape, dtype, part.where))
    return header, pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=-1), axes, colors


def _header(stream: BinaryIO, where: str) -> tuple[Mapping[str, Any], int]:
    """The fields, and where they end."""
    nrrd = optional("nrrd", "nrrd", f"{where}: NRRD")
    lines: list[bytes] = []
    start = 0
    while start < MAX_HEADER:
        line = stream.readline(MAX_HEADER)
        start += len(line)
        if not line.strip():
            break
        lines.append(line)
        if re.match(rb"data ?file\s*:\s*LIST", line):
            break
    try:
        return nrrd.read_header(iter(lines)), start
    except Exception as error:
        raise ValueError(f"{where}: must have a NRRD header; {sentence(error)}") from None


def _dtype(header: Mapping[str, Any]) -> np.dtype[Any]:
    name = str(header["type"])
    if name not in TYPES:
        raise ValueError(f"its type is {name}")
    dtype = np.dtype(TYPES[name])
    if dtype.itemsize == 1:
        return dtype
    endian = str(header.get("endian", "little")).lower()
    if endian not in ("little", "big"):
        raise ValueError(f"its endian is {endian}")
    return dtype.newbyteorder(">" if endian == "big" else "<")


def _named(header: Mapping[str, Any], stream: BinaryIO, where: str) -> list[str]:
    """The data files of a detached header, in order; none if the voxels follow the header."""
    text = str(header.get("data file", header.get("datafile", ""))).strip()
    if not text:
        return []
    if text.startswith("LIST"):
        return lines_of(stream)
    pattern = text.split()
    if "%" not in pattern[0]:
        return [text]
    return numbered(pattern, where)


def lines_of(stream: BinaryIO) -> list[str]:
    """The names that follow a header, one a line."""
    return [line.strip() for line in stream.read(CHUNK).decode("utf-8", "replace").splitlines() if line.strip()]


def numbered(pattern: list[str], where: str) -> list[str]:
    """The names that ``quarter.%03d 1 93 1`` stands for.

    Examples
    --------
    >>> numbered(["slice%02d.raw", "8", "10", "2"], "x.nhdr")
    ['slice08.raw', 'slice10.raw']
    """
    found = re.fullmatch(r"([^%]*)%(0?)(\d?)d([^%]*)", pattern[0])
    try:
        first, last, step = (int(n) for n in [*pattern[1:4], "1"][:3])
        numbers = range(first, last + (1 if step > 0 else -1), step)
    except ValueError:
        found = None
    if not found or not 0 < len(numbers) <= 100_000:
        raise ValueError(f"{where}: must name its data files as name%d first last step; it says {' '.join(pattern)!r}")
    before, zero, width, after = found.groups()
    return [f"{before}{n:{zero}{width}d}{after}" for n in numbers]


def _shares(sizes: tuple[int, ...], parts: int, where: str) -> list[tuple[int, ...]]:
    """The shape that each of several data files holds: slices, or slabs of them."""
    if sizes[-1] % parts:
        raise ValueError(f"{where}: must share its {sizes[-1]} slices among its data files; it names {parts}")
    return [(*sizes[:-1], sizes[-1] // parts)] * parts


def _kinds(header: Mapping[str, Any], sizes: tuple[int, ...]) -> list[str]:
    kinds = [str(kind).lower() for kind in header.get("kinds", [])]
    return kinds if len(kinds) == len(sizes) else ["???"] * len(sizes)


def _axes(header: Mapping[str, Any], sizes: tuple[int, ...], where: str, vectors: bool) -> tuple[list[int], bool]:
    """Which axes are space, and whether the other one is color."""
    kinds, directions = _kinds(header, sizes), _directions(header, where)
    if directions is not None and len(directions) != len(sizes):
        raise ValueError(
            f"{where}: must have one of its space directions for each axis; it has {len(directions)} for {len(sizes)}"
        )
    if directions is not None:
        axes = [n for n, row in enumerate(directions) if np.isfinite(row).all()]
    elif set(kinds) & set(SPATIAL):
        axes = [n for n, kind in enumerate(kinds) if kind in SPATIAL]
    else:
        axes = [n for n, kind in enumerate(kinds) if kind == "???"][:3]
    other = [n for n in range(len(sizes)) if n not in axes]
    if len(axes) != 3 or len(other) > 1:
        raise ValueError(
            f"{where}: must have three axes in space and at most one other; its kinds are {', '.join(kinds)}"
        )
    if vectors and (not other or sizes[other[0]] != 3 or str(header["type"]) not in ("float", "double")):
        raise ValueError(f"{where}: must hold three floating-point numbers a voxel (a field); it is {by(sizes)}")
    if not other or vectors:
        return axes, False
    kind, size = kinds[other[0]], sizes[other[0]]
    if kind in COLORS and size in (3, 4) and TYPES[str(header["type"])] == "u1":
        return axes, True
    if size == 1 or kind in ("time", "list", "???", *SPATIAL) or (kind, size) == ("complex", 2):
        if _segments(header, where) is not None and size > 1:
            raise ValueError(f"{where}: must have one layer of segments; it has {size}, which may overlap")
        return axes, False
    raise ValueError(f"{where}: must hold one number a voxel; its axis {other[0]} holds {size} of kind {kind}")


def _directions(header: Mapping[str, Any], where: str) -> NDArray[np.float64] | None:
    """What one step along each axis is in space, a row an axis; NaN where it is none."""
    rows = header.get("space directions")
    if rows is None:
        return None
    try:
        wide = max(len(row) for row in rows if row is not None)
        table = np.array([[np.nan] * wide if row is None else row for row in rows], dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: must have space directions of numbers; {sentence(error)}") from None
    if wide == 4:  # space and time
        table = table[:, :3]
        table[(table == 0).all(axis=1)] = np.nan
    elif wide != 3:
        raise ValueError(f"{where}: must lie in a space of three dimensions; its directions have {wide}")
    return table


def _affine(
    header: Mapping[str, Any], sizes: tuple[int, ...], axes: list[int], where: str
) -> tuple[NDArray[np.float64], str]:
    """The affine to RAS+ mm, and the convention that it came from; a warning if the header does not tell it all."""
    named = str(header.get("space", ""))
    frame, convention, missing = _frame(named)
    directions = _directions(header, where)
    if directions is not None:
        steps = directions[axes].T
        told = "its space directions are " + " ".join(f"({', '.join(f'{n:g}' for n in row)})" for row in directions)
    else:
        missing.append("directions")
        spacings = [float(header["spacings"][n]) if "spacings" in header else np.nan for n in axes]
        if not np.isfinite(spacings).all():
            missing.append("spacing")
            convention += ", voxels of 1 mm assumed where no spacing is told"
        steps = np.diag(np.nan_to_num(spacings, nan=1.0))
        told = f"its spacings are {' '.join(f'{n:g}' for n in spacings)}"
    scale = [in_mm(str(unit)) or 1.0 for unit in header.get("space units", [])] or [1.0]
    steps = frame[:3, :3] @ np.diag(np.resize(scale, 3)) @ steps
    shape = [sizes[n] for n in axes]
    affine = centred(shape, steps)
    origin = header.get("space origin")
    if origin is not None and np.isfinite(origin).all() and len(origin) >= 3:
        affine[:3, 3] = frame[:3, :3] @ np.diag(np.resize(scale, 3)) @ np.asarray(origin[:3], dtype=float)
    else:
        missing.append("origin")
        convention += ", centred"
    affine = usable(affine, where, told)
    warn_of_guess(where, missing, affine, shape)
    return affine, convention


def _frame(named: str) -> tuple[NDArray[np.float64], str, list[str]]:
    """What takes a named space to RAS+, the convention, and what is missing: nothing, or the anatomy."""
    letters = "".join(word[0] for word in named.lower().split("-") if word).upper()
    letters = (letters if "-" in named else named.upper()).removesuffix("T")
    if letters in ("LPS", "RAS", "LAS"):
        flips = [1.0 if letter in "RAS" else -1.0 for letter in letters]
        return np.diag([*flips, 1.0]), f"converted from {letters} to RAS", []
    left = named.lower().removesuffix("-time") in ("3d-left-handed", "3dlh")
    frame = LPS @ np.diag([1.0, 1.0, -1.0, 1.0]) if left else LPS
    missing = f"anatomical space ({named or 'none given'})"
    return frame, f"no {missing}: taken as {'LPI' if left else 'LPS'}", [missing]


def _segments(header: Mapping[str, Any], where: str) -> dict[int, Label] | None:
    """Names and colors of a ``.seg.nrrd``; None if it is none."""
    found = {int(m[1]) for key in header if (m := re.fullmatch(r"Segment(\d{1,6})_ID", key))}
    if not found:
        return None
    labels = {}
    for n in sorted(found):
        try:
            value = int(header.get(f"Segment{n}_LabelValue", n + 1))
            r, g, b = (min(max(float(part), 0.0), 1.0) for part in str(header[f"Segment{n}_Color"]).split())
        except (KeyError, ValueError) as error:
            raise ValueError(f"{where}: must have a value and a color for each segment; {sentence(error)}") from None
        labels[value] = Label(str(header.get(f"Segment{n}_Name", f"segment {n}")), (r, g, b))
    return labels
