"""NumPy's ``.npy`` and ``.npz``. An array has no position: it is given, or is in the ``.npz`` under ``affine``."""

from __future__ import annotations

import math
import zipfile
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from volrender.io.files import File, Image, by, check_claim, read_voxels, sentence, short_name, title
from volrender.words import choices

MAGIC = b"\x93NUMPY"


def is_array(head: bytes) -> bool:
    """Whether it is a ``.npy``."""
    return head.startswith(MAGIC)


def is_zip(head: bytes) -> bool:
    """Whether it is a zip, as a ``.npz`` is."""
    return head[:4] == b"PK\x03\x04"


def read_array(file: File, affine: ArrayLike | None) -> Image:
    """Read a ``.npy`` that is given its position."""
    if affine is None:
        raise ValueError(
            f"{file.where}: a NumPy array has no position; give affine= (or --spacing at the command line)"
        )
    with file.open() as stream:
        return _placed(_array(stream, file.size, file.where), affine, file.where)


def read_arrays(file: File, affine: ArrayLike | None) -> Image:
    """Read a ``.npz``: its one array, or the one called ``data``, and its ``affine``."""
    with file.whole() as stream:
        try:
            bundle = zipfile.ZipFile(stream)
        except Exception as error:
            raise ValueError(f"{file.where}: must be a .npz or a zip archive; {sentence(error)}") from None
        names = [name.removesuffix(".npy") for name in bundle.namelist() if name.endswith(".npy")]
        if len(names) < len(bundle.namelist()):
            members = [name for name in bundle.namelist() if not name.endswith("/")]
            raise ValueError(
                f"{file.where}: must be asked for a member, as {file.where}!{members[0] if members else 'name'}; "
                f"{choices(members, '')}"
            )
        found = [name for name in names if name != "affine"]
        if "data" not in found and len(found) != 1:
            raise ValueError(
                f"{file.where}: must hold one array, or data and affine; it holds {', '.join(names) or 'none'}"
            )
        data = _member(bundle, "data" if "data" in found else found[0], file.where)
        if affine is None and "affine" not in names:
            raise ValueError(f"{file.where}: has no affine among its arrays ({', '.join(names)}); give affine=")
        if affine is None:
            affine = _member(bundle, "affine", file.where, (4, 4))
        return _placed(data, affine, file.where)


def _member(bundle: zipfile.ZipFile, name: str, where: str, shape: tuple[int, ...] = ()) -> NDArray[Any]:
    try:
        packed = bundle.getinfo(f"{name}.npy")
        stream = bundle.open(packed)
    except Exception as error:
        raise ValueError(f"{where}: cannot be read; {sentence(error)}") from None
    with stream:
        return _array(stream, packed.file_size, f"{where}, its array {name!r}", shape)


def _array(stream: Any, size: int, where: str, wanted: tuple[int, ...] = ()) -> NDArray[Any]:
    """Read an array; its header's claim is held against the size before memory is asked for. No pickles."""
    try:
        version = np.lib.format.read_magic(stream)
        reader: Any = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = reader(stream)
    except Exception as error:
        raise ValueError(f"{where}: must be a NumPy array of numbers; {sentence(error)}") from None
    if dtype.kind not in "biufc":
        raise ValueError(f"{where}: must be a NumPy array of numbers; it holds {dtype}")
    if wanted and shape != wanted:
        raise ValueError(f"{where}: must be {by(wanted)}; it is {by(shape)}")
    if not wanted:
        check_claim(where, shape, dtype, size)
    flat = read_voxels(stream, (math.prod(shape),), dtype, where)
    return flat.reshape(shape, order="F" if fortran else "C")


def _placed(data: NDArray[Any], affine: ArrayLike, where: str) -> Image:
    history = [f"read {short_name(where)}, array of {data.dtype}"]
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.dtype.kind == "c":
        data = np.abs(data)
        history.append("complex values replaced by their magnitude")
    kind = "labels" if data.dtype == bool else "intensity"
    return Image(data, np.asarray(affine), title(where), kind=kind, history=tuple(history))
