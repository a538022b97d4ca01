"""MetaImage, ``.mha`` and ``.mhd``: a page of ``Key = value`` lines, then voxels, here or in files of their own.

Positions are LPS. ``TransformMatrix`` lists the direction of each axis in turn, as for ITK. Without it the
``AnatomicalOrientation`` counts, whose letters say where the axes come *from* (RAI is LPS+); ITK does not look at it
and takes RAI, so that a warning tells both. Without either it is RAI, with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from volrender.io.files import (
    FROM_LPS,
    GROWTH,
    LPS,
    File,
    Image,
    Inflating,
    by,
    capacity,
    check_claim,
    check_shape,
    in_mm,
    read_voxels,
    short_name,
    title,
    warn,
)
from volrender.io.forms import named_space, usable, warn_of_guess
from volrender.io.nrrd import lines_of, numbered

MAX_HEADER = 1 << 16
TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
SPACING, ORIGIN = ("ElementSpacing", "ElementSize"), ("Offset", "Position", "Origin")
MATRIX = ("TransformMatrix", "Rotation", "Orientation")
FLOATS = ("MET_FLOAT", "MET_DOUBLE")
ITK = "RAI"  # where ITK takes the axes to come from if there is no matrix
FIRST = re.compile(rb"(ObjectType|ObjectSubType|Comment|NDims|Name|ID|FormTypeName)\s*=")


def fits(head: bytes) -> bool:
    """Whether a file that starts like this is MetaImage."""
    return FIRST.match(head) is not None


def read(file: File) -> Image:
    """Read a ``.mha``, or a ``.mhd`` and the files that it names."""
    where = file.where
    header, data = _voxels(file, vectors=False)
    kind = "rgb" if data.shape[0] > 1 else "intensity"
    shape = data.shape[1:]
    data = np.moveaxis(data, 0, -1)
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    affine = _affine(header, shape, where)
    history = (f"read {short_name(where)}, MetaImage, {data.dtype}", "converted from LPS to RAS")
    return Image(data, affine, title(where), kind=kind, history=history, space=named_space(where))


def read_vectors(file: File) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """A displacement at each voxel (mm, RAS+), (i, j, k, 3), and the affine, of a field that ITK wrote."""
    header, data = _voxels(file, vectors=True)
    if (in_mm(header.get("DistanceUnits", "mm")) or 1.0) != 1:
        raise ValueError(f"must be a displacement field in mm; its DistanceUnits are {header['DistanceUnits']}")
    return np.moveaxis(data, 0, -1) * FROM_LPS, _affine(header, data.shape[1:], file.where)


def _voxels(file: File, vectors: bool) -> tuple[Mapping[str, str], NDArray[Any]]:
    """The header, and the voxels with their channels first."""
    where = file.where
    with file.open() as stream:
        header, start = _header(stream, where)
        names = _named(header, stream, where)
    shape, channels, dtype = _claim(header, where, vectors)
    packed = _yes(header, "CompressedData")
    parts = [file.beside(name) for name in names] or [file]
    growth = GROWTH[".gz"] if packed else 1
    full = (channels, *shape)
    check_claim(where, shape, np.dtype((dtype, (channels,))), capacity(sum(part.size for part in parts), growth))
    if shape[-1] % len(parts):
        raise ValueError(f"{where}: must share its {shape[-1]} slices among its data files; it names {len(parts)}")
    share = (*full[:-1], full[-1] // len(parts))
    pieces = []
    for part in parts:
        with part.open() as stream:
            skip = int(_number(header, "HeaderSize", where)) if names else start
            size = int(np.prod(share, dtype=np.int64)) * dtype.itemsize
            stream.seek(max(part.size - size, 0) if skip < 0 else skip)
            pieces.append(read_voxels(Inflating(stream) if packed else stream, share, dtype, part.where))
    return header, pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=-1)


def _header(stream: BinaryIO, where: str) -> tuple[Mapping[str, str], int]:
    """The fields up to ElementDataFile, and where they end."""
    header: dict[str, str] = {}
    start = 0
    while start < MAX_HEADER and "ElementDataFile" not in header:
        line = stream.readline(MAX_HEADER)
        start += len(line)
        if not line:
            break
        key, equals, value = line.decode("utf-8", "replace").partition("=")
        if equals:
            header[key.strip()] = value.strip()
    if "ElementDataFile" not in header:
        raise ValueError(f"{where}: must be a whole MetaImage header; it names no ElementDataFile")
    return header, start


def _named(header: Mapping[str, str], stream: BinaryIO, where: str) -> list[str]:
    """The data files in order; none if the voxels follow the header."""
    text = header["ElementDataFile"]
    if text.upper() == "LOCAL":
        return []
    if text.upper().startswith("LIST"):
        return lines_of(stream)
    return numbered(text.split(), where) if "%" in text else [text]


def _claim(header: Mapping[str, str], where: str, vectors: bool) -> tuple[tuple[int, ...], int, np.dtype[Any]]:
    """The shape, the channels and the type of a voxel."""
    kind = header.get("ElementType", "").removesuffix("_ARRAY")
    if kind not in TYPES:
        raise ValueError(f"{where}: must have voxels of {', '.join(TYPES)}; its ElementType is {kind or 'missing'}")
    if not _yes(header, "BinaryData", "True"):
        raise ValueError(f"{where}: must hold binary voxels; it holds text")
    try:
        shape = tuple(int(n) for n in header["DimSize"].split())
        channels = int(header.get("ElementNumberOfChannels", 1))
    except (KeyError, ValueError):
        raise ValueError(f"{where}: must have a DimSize; it says {header.get('DimSize', 'nothing')!r}") from None
    shape = (*shape, 1) if len(shape) == 2 else shape
    check_shape(where, shape)
    if len(shape) > 4:
        raise ValueError(f"{where}: must have three axes, or four with time; it has {len(shape)} ({by(shape)})")
    color = channels in (3, 4) and kind == "MET_UCHAR" and len(shape) == 3
    field = channels == 3 and kind in FLOATS and len(shape) == 3
    if not (field if vectors else color or channels == 1):
        wanted = "three floating-point numbers a voxel (a field)" if vectors else "one number a voxel, or a color"
        raise ValueError(f"{where}: must hold {wanted}; it holds {channels} of {kind}")
    big = _yes(header, "BinaryDataByteOrderMSB") or _yes(header, "ElementByteOrderMSB")
    return shape, channels, np.dtype(TYPES[kind]).newbyteorder(">" if big else "<")


def _affine(header: Mapping[str, str], shape: tuple[int, ...], where: str) -> NDArray[np.float64]:
    dims = int(_number(header, "NDims", where)) or len(shape)
    spacing = _vector(header, where, *SPACING)
    spacing = np.ones(3) if spacing is None else np.append(spacing, np.ones(3))[:3]
    origin = _vector(header, where, *ORIGIN)
    matrix = _vector(header, where, *MATRIX)
    letters = header.get("AnatomicalOrientation", "")
    named = _axes_of(letters)
    if matrix is not None and matrix.size == dims * dims:
        steps = np.eye(3)
        m = min(dims, 3)
        steps[:m, :m] = matrix.reshape(dims, dims)[:m, :m].T
        if named is not None and _nearest(steps) != letters.upper():
            warn(
                f"{where}: its TransformMatrix runs from {_nearest(steps)}, its AnatomicalOrientation says {letters}; "
                "placed by the matrix"
            )
    elif matrix is not None:
        raise ValueError(f"{where}: must have a TransformMatrix of {dims} x {dims}; it has {matrix.size} numbers")
    else:
        steps = np.eye(3) if named is None else named
        if named is not None and _nearest(steps) != ITK:
            warn(
                f"{where}: has no TransformMatrix, and its AnatomicalOrientation says {letters}; placed by it, from "
                f"{_nearest(steps)}, where ITK does not look at it and takes {ITK}"
            )
    scale = in_mm(header.get("DistanceUnits", "mm")) or 1.0
    affine = np.eye(4)
    affine[:3, :3] = steps @ np.diag(spacing) * scale
    affine[:3, 3] = 0 if origin is None else np.append(origin, np.zeros(3))[:3] * scale
    sound = bool(np.isfinite(spacing).all() and (spacing != 0).all())
    guilty = MATRIX if sound and np.isfinite(affine[:3, 3]).all() else ORIGIN if sound else SPACING
    affine = usable(LPS @ affine, where, ", ".join(f"its {key} is {header[key]}" for key in guilty if key in header))
    told = {"TransformMatrix or AnatomicalOrientation": matrix is not None or named is not None}
    missing = [what for what, there in {**told, "Offset": origin is not None}.items() if not there]
    warn_of_guess(where, missing, affine, shape)
    return affine


def _axes_of(letters: str) -> NDArray[np.float64] | None:
    """Directions (columns, LPS) of axes that come from these sides."""
    pairs = ("RL", "AP", "IS")
    found = [next((w for w, pair in enumerate(pairs) if letter in pair), -1) for letter in letters.upper()]
    if sorted(found) != [0, 1, 2]:
        return None
    steps = np.zeros((3, 3))
    for axis, (world, letter) in enumerate(zip(found, letters.upper())):
        steps[world, axis] = 1.0 if letter == pairs[world][0] else -1.0
    return steps


def _nearest(steps: NDArray[np.float64]) -> str:
    """The sides that three directions (columns, LPS) come from."""
    worlds = [int(np.argmax(np.abs(column))) for column in steps.T]
    return "".join(("RL", "AP", "IS")[w][int(column[w] < 0)] for w, column in zip(worlds, steps.T))


def _vector(header: Mapping[str, str], where: str, *keys: str) -> NDArray[np.float64] | None:
    key = next((key for key in keys if key in header), None)
    if key is None:
        return None
    try:
        return np.array([float(part) for part in header[key].split()])
    except ValueError:
        raise ValueError(f"{where}: must have numbers for {key}; it says {header[key]!r}") from None


def _number(header: Mapping[str, str], key: str, where: str) -> float:
    try:
        return float(header.get(key, 0))
    except ValueError:
        raise ValueError(f"{where}: must have a number for {key}; it says {header[key]!r}") from None


def _yes(header: Mapping[str, str], key: str, default: str = "False") -> bool:
    return header.get(key, default).lower() in ("true", "1", "yes")
