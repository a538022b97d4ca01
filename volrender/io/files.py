"""What every format shares: the `File` that is read, the `Image` that comes out, and the limits in between.

No header is believed. What it claims is held against `MAX_VOXELS` and the size of the file before memory is asked for,
and compressed voxels are read up to the claim and no further.
"""

from __future__ import annotations

import gzip
import importlib
import io
import logging
import math
import os
import re
import sys
import tempfile
import threading
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_VOXELS = 4_000_000_000
GROWTH = {".gz": 1_100, ".mgz": 1_100, ".bz2": 1_200_000, ".zst": 40_000}  # the most that a stream can grow by
LARGE, PLAIN_GROWTH = 1 << 30, 250  # a larger volume (bytes) does not grow by more
CHUNK = 1 << 22
BEYOND = 1 << 16  # bytes after the voxels that are read for the sake of the checksum
ENDING = re.compile(
    r"(\.(nii|img|hdr|mgh|mgz|mnc|v|head|brik|par|rec|seg|nrrd|nhdr|mha|mhd|ome|tiff?|npy|npz|dcm))*(\.(gz|bz2|zst))?$",
    re.IGNORECASE,
)
MM = {"mm": 1, "cm": 10, "dm": 100, "m": 1000, "um": 1e-3, "nm": 1e-6, "pm": 1e-9, "inch": 25.4, "in": 25.4}
SPELLINGS = {
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
    "nanometer": "nm",
    "micron": "um",
    "micrometer": "um",
}
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # LPS+ to RAS+, and back
FROM_LPS = np.array([-1, -1, 1], dtype=np.float32)  # for vectors
SCREEN = np.diag([1.0, -1.0, -1.0, 1.0])


class Label(NamedTuple):
    """One region of a label map: its name and its color (red, green, blue in 0..1)."""

    name: str
    color: tuple[float, float, float]


@dataclass(frozen=True)
class Image:
    """What a file holds: voxels in its own type, the affine (to world mm, RAS+), and what the header says of them.

    `data` is (i, j, k[, t]), or (i, j, k, 3 | 4) if `kind` is "rgb".
    """

    data: NDArray[Any]
    affine: NDArray[np.float64]
    name: str = ""
    unit: str = ""
    labels: Mapping[int, Label] | None = None
    kind: str = "intensity"
    history: tuple[str, ...] = field(default=())
    space: str = ""


@dataclass(frozen=True)
class File:
    """Bytes that can be opened: a file, a member of a zip (`packed` there) or a buffer.

    `near` gives another in the same folder.
    """

    where: str
    opened: Callable[[], Any]
    size: int
    near: Callable[[str], File] | None = None
    packed: int | None = None
    path: Path | None = None

    def open(self) -> BinaryIO:
        """A fresh binary stream."""
        try:
            stream: BinaryIO = self.opened()
        except Exception as error:
            raise ValueError(f"{self.where}: cannot be read; {sentence(error)}") from None
        return stream

    def head(self, size: int = 1024) -> bytes:
        """The first bytes."""
        try:
            with self.open() as stream:
                return stream.read(size)
        except Exception as error:
            raise ValueError(f"{self.where}: cannot be read; {sentence(error)}") from None

    def whole(self) -> BinaryIO:
        """A stream that can be searched; a member of a zip is unpacked for it, unless it can only be a bomb."""
        if self.path is not None:
            return self.open()
        if self.packed is not None and self.size > max(CHUNK, 200 * self.packed):
            raise ValueError(f"{self.where}: must not grow more than 200 times; the zip claims {self.size:,} bytes")
        with self.open() as stream:
            try:
                return io.BytesIO(stream.read())
            except Exception as error:
                raise ValueError(f"{self.where}: cannot be read; {sentence(error)}") from None

    def beside(self, name: str) -> File:
        """A data file that a header names: in the header's own folder or below, nowhere else."""
        if self.near is None:
            raise ValueError(f"{self.where}: must be given as a path; its voxels are in another file, {name!r}")
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in name or "\0" in name or not name.strip():
            raise ValueError(f"{self.where}: must keep its voxels in its own folder; it names {name!r}")
        try:
            return self.near(str(parts))
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{self.where}: needs {error}") from None


def file_at(path: Path) -> File:
    """A file on disk."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    return File(
        str(path), lambda: path.open("rb"), path.stat().st_size, lambda name: file_at(path.parent / name), path=path
    )


def file_of(data: bytes, where: str) -> File:
    """A file in memory."""
    return File(where, lambda: io.BytesIO(data), len(data))


class Inflating(io.RawIOBase):
    """What a zlib or gzip stream holds, read no further than asked."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._zlib = zlib.decompressobj(47)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` as far as the stream goes."""
        view = memoryview(buffer).cast("B")
        while not self._zlib.eof:
            packed = self._zlib.unconsumed_tail or self._stream.read(CHUNK)
            data = self._zlib.decompress(packed, len(view))
            if data or not packed:
                view[: len(data)] = data
                return len(data)
        return 0


def capacity(size: int, growth: int) -> int:
    """The most bytes of voxels that `size` bytes may claim, of a kind that can grow so many times as it is unpacked.

    What a gigabyte holds is taken as it comes: sparse masks shrink nearly as far as a stream can. Beyond, a volume that
    has shrunk further than `PLAIN_GROWTH` is taken for a bomb.
    """
    return min(growth * size, max(LARGE, PLAIN_GROWTH * size))


def check_shape(where: str, shape: Sequence[int]) -> int:
    """The number of voxels of a shape that a header claims, if there can be such a volume."""
    claimed = by(shape)
    if len(shape) < 3:
        raise ValueError(
            f"{where}: must be a volume of three axes, or four with time; it is {len(shape)}-D ({claimed})"
        )
    if min(shape) < 1:
        raise ValueError(f"{where}: must have voxels; its header claims {claimed}")
    voxels = math.prod(int(n) for n in shape)
    if voxels > MAX_VOXELS:
        raise ValueError(f"{where}: must have at most {MAX_VOXELS:,} voxels; its header claims {claimed}")
    return voxels


def check_claim(where: str, shape: Sequence[int], dtype: Any, size: int) -> int:
    """The bytes of a claimed volume, if `size` bytes can hold them."""
    needed = int(check_shape(where, shape) * np.dtype(dtype).itemsize)
    if needed > size:
        raise ValueError(f"{where}: must be a whole image; its header claims {by(shape)} voxels, {needed:,} bytes")
    return needed


def read_voxels(stream: Any, shape: Sequence[int], dtype: np.dtype[Any], where: str) -> NDArray[Any]:
    """Voxels in Fortran order, in the machine's own byte order; the shape has been checked."""
    data = np.empty(int(np.prod(shape, dtype=np.int64)), dtype)
    view, at = data.view(np.uint8), 0
    while at < len(view):
        try:
            piece = stream.read(min(CHUNK, len(view) - at))
        except Exception as error:
            raise ValueError(f"{where}: must be a whole image; {sentence(error)}") from None
        if not piece:
            raise ValueError(f"{where}: must be a whole image; it holds {at:,} of {len(view):,} bytes of voxels")
        view[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
        at += len(piece)
    check_end(stream, where)
    return data.astype(dtype.newbyteorder("="), copy=False).reshape(tuple(shape), order="F")


def check_end(stream: Any, where: str) -> None:
    """Let a packed stream that ends near its voxels hold them against its checksum; no more than `BEYOND` is read."""
    left = BEYOND
    try:
        while left > 0 and (piece := stream.read(left)):
            left -= len(piece)
    except gzip.BadGzipFile as error:
        if "Not a gzipped file" not in str(error):  # what follows the stream is no part of it
            raise ValueError(f"{where}: must be a whole image; {sentence(error)}") from None
    except Exception as error:
        raise ValueError(f"{where}: must be a whole image; {sentence(error)}") from None


def optional(module: str, extra: str, what: str) -> Any:
    """A library that not everybody needs, or one sentence on how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(f'{what} is read with {module}: pip install "volrender[{extra}]"') from None


@contextmanager
def quiet(library: str) -> Iterator[None]:
    """Keep a library's log lines of this thread back: what matters of them is an error or a warning of ours."""
    logger, here = logging.getLogger(library), threading.get_ident()

    def others(record: logging.LogRecord) -> bool:
        return record.thread != here

    logger.addFilter(others)
    try:
        yield
    finally:
        logger.removeFilter(others)


def warn(text: str) -> None:
    """Warn at the line that called this package, whatever lies between."""
    frame: FrameType | None = sys._getframe(1)
    level = outside = 2
    while frame is not None:
        frame, level = frame.f_back, level + 1
        if frame is not None and str(frame.f_globals.get("__name__")).startswith("volrender."):
            outside = level
    warnings.warn(text, UserWarning, stacklevel=outside + 1)


def in_mm(unit: str) -> float | None:
    r"""How many mm a unit of length is, by any of its names; None if it is none.

    Examples
    --------
    >>> in_mm("micron"), in_mm("\u00b5m"), in_mm("pixel")
    (0.001, 0.001, None)
    """
    plain = unit.strip().strip('"').replace("\\u00B5", "u").replace("\u00b5", "u").replace("\u03bc", "u")
    plain = plain.lower().replace("metre", "meter")
    plain = SPELLINGS.get(plain.removesuffix("s"), plain)
    return MM.get(plain)


def centred(shape: Sequence[int], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The affine whose columns are `steps` (3, 3), with the middle of the volume in the world's origin."""
    affine = np.eye(4)
    affine[:3, :3] = steps
    affine[:3, 3] = -steps @ ((np.array(shape[:3]) - 1) / 2)
    return affine


def by(sizes: Iterable[Any]) -> str:
    """Sizes as they are read aloud: 3 x 4 x 5."""
    return " x ".join(f"{n:.4g}" if isinstance(n, (float, np.floating)) else str(n) for n in sizes)


def short_name(where: str) -> str:
    """A source's own name, without its folder or archive."""
    return where.rpartition("!")[2].replace("\\", "/").rpartition("/")[2] or where


def title(where: str) -> str:
    """A source's name without its ending."""
    return ENDING.sub("", short_name(where))


def sentence(error: BaseException) -> str:
    """The first sentence of a library's complaint, as the end of ours."""
    first = re.split(r"\.\s|\n", str(error).strip())[0]
    return (first or type(error).__name__).rstrip(".")[:200]


def write_beside(path: Path, fill: Callable[[BinaryIO], Any]) -> None:
    """Let `fill` write a file beside `path`, then rename it: an existing file stays whole until the new one is."""
    folder = path.parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: the output folder does not exist")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: the output must be a file; it is a folder")
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=folder)
    except OSError as error:
        raise OSError(f"{path}: cannot be written; {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            fill(file)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(beside, 0o666 & ~mask)
        os.replace(beside, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(beside)
        if isinstance(error, OSError) and error.strerror:  # a full disk, a lost drive
            raise OSError(f"{path}: cannot be written; {error.strerror}") from None
        raise
