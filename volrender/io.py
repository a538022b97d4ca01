"""Files in, arrays and affines out: the only room that knows nibabel.

`read` takes a path, an open binary file, bytes, a member of a zip or a nibabel image and answers with an `Image`:
plain arrays in the file's own type, with the affine in world millimetres, RAS+. Headers are not trusted: what they
claim is held against limits and the size of the file before memory is asked for.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from volrender.words import choices

MAX_VOXELS = 4_000_000_000
GROWTH = {".gz": 1_100, ".mgz": 1_100, ".bz2": 1_200_000, ".zst": 40_000}  # the most that a stream can grow by
SAMPLES = {"mni152": "mni152_t1.nii.gz", "atlas": "allen_atlas.nii.gz", "motor": "motor_zmap.nii.gz"}
READS = "NIfTI, Analyze, MGH/MGZ, MINC, AFNI, PAR/REC, or a NumPy .npy"
ENDING = re.compile(r"(\.(nii|img|hdr|mgh|mgz|mnc|head|brik|par|rec))?(\.(gz|bz2|zst))?$", re.IGNORECASE)
UNITS = {"z score": "z", "t test": "t", "f test": "F", "p value": "p", "correlation": "r"}


class Label(NamedTuple):
    """One region of a label map: its name and its color (red, green, blue in 0..1)."""

    name: str
    color: tuple[float, float, float]


@dataclass(frozen=True)
class Image:
    """What a file holds: `data` (i, j, k[, t]) in its own type, the affine, and what the header says of them."""

    data: NDArray[Any]
    affine: NDArray[np.float64]
    name: str = ""
    unit: str = ""
    labels: Mapping[int, Label] | None = None
    is_labels: bool = False
    history: tuple[str, ...] = field(default=())


def read(source: Any) -> Image:
    """Read one image from a path, ``"archive.zip!member"``, an open binary file, bytes or a nibabel image."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(source), "the bytes given")
    if hasattr(source, "dataobj") and hasattr(source, "header"):
        return _from_nibabel(source, _short_name(source.get_filename() or "image"))
    if hasattr(source, "read"):
        return _from_stream(source)
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(
            "load takes a path, a nibabel image, an array with affine=, an open binary file or bytes; "
            f"got {type(source).__name__}"
        )
    text = os.fspath(source)
    archive, bang, member = text.partition("!")
    if bang and archive.lower().endswith(".zip"):
        return _from_zip(Path(archive), member)
    path = Path(text)
    if path.is_dir():
        raise ValueError(f"{path}: must be an image file; it is a folder")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if path.suffix == ".npy":
        raise ValueError(f"{path}: a NumPy array has no position; give affine= (or --spacing at the command line)")
    return _from_path(path)


def read_array(path: Path) -> NDArray[Any]:
    """Read a ``.npy`` array; its header's claim is held against the file's size before anything is read."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except Exception as error:
        raise ValueError(f"{path}: must be a NumPy array of numbers; {_sentence(error)}") from None


def read_sample(name: str) -> Image:
    """Read a bundled sample: "mni152", "atlas" or "motor"."""
    if name not in SAMPLES:
        raise ValueError(f"there is no sample {name!r}; {choices(list(SAMPLES), name)}")
    folder = resources.files("volrender") / "data"
    image = _from_bytes((folder / SAMPLES[name]).read_bytes(), name)
    title, unit = {"mni152": ("MNI152 T1", ""), "atlas": ("Allen atlas", ""), "motor": ("left − right hand", "z")}[name]
    history = (f"sample {name}",)
    if name != "atlas":
        return Image(image.data, image.affine, title, unit, history=history)
    table = json.loads((folder / "allen_atlas.json").read_text(encoding="utf-8"))
    colors = np.stack([table["R"], table["G"], table["B"]], axis=1) / 255
    rows = enumerate(zip(table["labels"], colors.tolist(), strict=True))
    labels = {number: Label(region, (r, g, b)) for number, (region, (r, g, b)) in rows if number}
    return Image(image.data, image.affine, title, labels=labels, is_labels=True, history=history)


def write(path: str | os.PathLike[str], image: Image) -> None:
    """Write a NIfTI-1 file (``.nii`` or ``.nii.gz``), beside and then renamed."""
    import nibabel as nib

    target = Path(path)
    if not target.name.endswith((".nii", ".nii.gz")):
        raise ValueError(f"{target}: a volume is saved as .nii or .nii.gz; got {target.suffix or 'no extension'}")
    data = image.data.astype(_storable(image.data), copy=False)
    try:
        out = nib.Nifti1Image(data, image.affine)
    except Exception as error:
        raise ValueError(f"{target}: cannot be written as NIfTI-1; {_sentence(error)}") from None
    out.header.set_xyzt_units("mm")
    intents = {unit: intent for intent, unit in UNITS.items()}
    if image.is_labels or image.unit in intents:
        name = image.name[:16] if image.name.isascii() else ""
        out.header.set_intent("label" if image.is_labels else intents[image.unit], name=name)
    packed = gzip.compress(out.to_bytes(), 6, mtime=0) if target.name.endswith(".gz") else out.to_bytes()
    write_beside(target, lambda file: file.write(packed))


def _storable(data: NDArray[Any]) -> np.dtype[Any]:
    """The type in which NIfTI-1, and those who read it, can hold the values."""
    kind, size = data.dtype.kind, data.dtype.itemsize
    if kind == "b":
        return np.dtype(np.uint8)
    if kind == "f" and size not in (4, 8):
        return np.dtype(np.float32 if size < 4 else np.float64)
    if kind in "iu" and size == 8:
        return np.dtype(np.int32 if data.min() >= -(2**31) and data.max() < 2**31 else np.float64)
    return data.dtype


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
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise


def _from_path(path: Path) -> Image:
    import nibabel as nib

    freesurfer = path.suffix.lower() in (".mgh", ".mgz")  # nibabel would leave the file open
    try:
        image: Any = path.read_bytes() if freesurfer else nib.load(path)
    except Exception as error:
        raise ValueError(f"{path}: must be an image ({READS}); {_sentence(error)}") from None
    return _from_bytes(image, str(path)) if freesurfer else _from_nibabel(image, str(path))


def _from_stream(file: Any) -> Image:
    name = str(getattr(file, "name", None) or "the open file")
    if isinstance(file, io.TextIOBase):
        raise TypeError(f"{name}: must be opened in binary mode; it is open as text")
    data = file.read()
    if not isinstance(data, bytes):
        raise TypeError(f"{name}: must be opened in binary mode; it gives {type(data).__name__}")
    return _from_bytes(data, name)


def _from_zip(archive: Path, member: str) -> Image:
    """Read a member in memory; for a ``.hdr`` or ``.img`` its partner, and SPM's ``.mat``, are taken from the zip."""
    if not archive.is_file():
        raise FileNotFoundError(f"{archive}: no such file")
    try:
        bundle = zipfile.ZipFile(archive)
    except Exception as error:
        raise ValueError(f"{archive}: must be a zip archive; {_sentence(error)}") from None
    with bundle:
        names = bundle.namelist()
        if member not in names:
            listed = choices([n for n in names if not n.endswith("/")], member)
            raise FileNotFoundError(f"{archive}: has no member {member!r}; {listed}")
        where = f"{archive}!{member}"
        stem, dot, ending = member.rpartition(".")
        if ending.lower() not in ("hdr", "img"):
            return _from_bytes(_member(bundle, member, where), where)
        header, data = (_partner(names, stem + dot, kind, where) for kind in ("hdr", "img"))
        matrix = _member(bundle, stem + ".mat", where) if stem + ".mat" in names else b""
        return _from_pair(_member(bundle, header, where), _member(bundle, data, where), matrix, where)


def _partner(names: list[str], stem: str, ending: str, where: str) -> str:
    for name in (stem + ending, stem + ending.upper()):
        if name in names:
            return name
    raise FileNotFoundError(f"{where}: its .{ending} file is not in the zip")


def _member(bundle: zipfile.ZipFile, name: str, where: str) -> bytes:
    size = bundle.getinfo(name).file_size
    if size > 8 * MAX_VOXELS:
        raise ValueError(f"{where}: must be under {8 * MAX_VOXELS} bytes; the zip claims {size}")
    try:
        return bundle.read(name)
    except Exception as error:
        raise ValueError(f"{where}: cannot be read; {_sentence(error)}") from None


def _from_bytes(data: bytes, where: str) -> Image:
    """Read a single-file image held in memory: NIfTI-1, NIfTI-2 or MGH, gzipped or not, or a NIfTI-like Analyze."""
    import nibabel as nib

    packed = data[:2] == b"\x1f\x8b"
    try:
        head = gzip.GzipFile(fileobj=io.BytesIO(data)).read(1024) if packed else data[:1024]
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{where}: must be a whole gzip stream; {_sentence(error)}") from None
    image_class = next((c for c, test in _SNIFF if test(head)), None)
    if image_class is None:
        raise ValueError(f"{where}: must be NIfTI or MGH, gzipped or not; it starts with {head[:4]!r}")
    stream: Any = gzip.GzipFile(fileobj=io.BytesIO(data)) if packed else io.BytesIO(data)
    try:
        image = getattr(nib, image_class).from_stream(stream)
    except Exception as error:
        raise ValueError(f"{where}: must be a whole image; {_sentence(error)}") from None
    return _from_nibabel(image, where, size=len(data) * (GROWTH[".gz"] if packed else 1))


def _is_nifti(head: bytes, size: int, magic: bytes, at: int) -> bool:
    whole = len(head) >= at + 4 and head[at : at + len(magic)] == magic
    return whole and size in (struct.unpack("<i", head[:4])[0], struct.unpack(">i", head[:4])[0])


_SNIFF: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("Nifti1Image", lambda head: _is_nifti(head, 348, b"n+1", 344)),
    ("Nifti2Image", lambda head: _is_nifti(head, 540, b"n+2", 4)),
    ("MGHImage", lambda head: len(head) >= 284 and head[:4] == b"\x00\x00\x00\x01"),
)


def _from_pair(header: bytes, data: bytes, matrix: bytes, where: str) -> Image:
    """Read a pair as the first format that its header fits, in nibabel's own order; never as a lesser one."""
    import nibabel as nib
    from nibabel.fileholders import FileHolder

    pairs = (nib.Nifti1Pair, nib.Nifti2Pair, nib.Spm2AnalyzeImage)
    pair: Any = next((p for p in pairs if p.header_class.may_contain_header(header)), None)
    if pair is None:
        raise ValueError(f"{where}: must be a NIfTI or Analyze pair; no format fits its header")
    parts = {"header": header, "image": data, "mat": matrix}
    files = {part: FileHolder(fileobj=io.BytesIO(parts[part])) for part, _ in pair.files_types}
    try:
        image = pair.from_file_map(files)
    except Exception as error:
        raise ValueError(f"{where}: must be a NIfTI or Analyze pair; {_sentence(error)}") from None
    return _from_nibabel(image, where, size=len(data))


def _from_nibabel(image: Any, where: str, size: int | None = None) -> Image:
    """Check what the header claims, then read the voxels in their own type; scaled ones become float32."""
    kind = type(image).__name__
    if "Cifti" in kind:
        raise ValueError(f"{where}: must be a volume; it is a CIFTI file (values on surfaces and grayordinates)")
    if not hasattr(image, "affine") or not hasattr(image, "shape"):
        raise ValueError(f"{where}: must be a volume; it is {kind}, a surface or a tractogram")
    shape = _checked_shape(image, where, size)
    dtype = np.dtype(getattr(image.dataobj, "dtype", image.get_data_dtype())).newbyteorder("=")
    if dtype.names:
        raise ValueError(f"{where}: must hold one number a voxel; its voxels are {'/'.join(dtype.names)} colors")
    try:
        data = np.asanyarray(image.dataobj)
        if isinstance(data, np.memmap) or data is image.dataobj:
            data = np.array(data)  # the volume outlives its file and its image
        data = (np.moveaxis(data, 0, -1) if _time_first(image) else data).reshape(shape)
    except Exception as error:
        raise ValueError(f"{where}: must be a whole image; {_sentence(error)}") from None
    history = [f"read {_short_name(where)}, {kind}, {dtype.name}"]
    if data.dtype.kind == "c":
        data = np.abs(data)
        history.append("complex values replaced by their magnitude")
    elif data.dtype == np.float64 and dtype != np.float64:
        data = data.astype(np.float32)
        history.append("scaled by the header's slope and intercept")
    if data.dtype.itemsize > 8:
        data = data.astype(np.float64)
    affine = image.affine
    if affine is None:
        raise ValueError(f"{where}: must have a position; its header holds none")
    unit, is_labels = _intent(image.header)
    name = ENDING.sub("", _short_name(where))
    return Image(data, np.array(affine, dtype=float), name, unit, is_labels=is_labels, history=tuple(history))


def _checked_shape(image: Any, where: str, size: int | None) -> tuple[int, ...]:
    shape = tuple(int(n) for n in image.shape)
    if _time_first(image):
        shape = (*shape[1:], shape[0])
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    claimed = " x ".join(map(str, shape))
    if len(shape) < 3:
        raise ValueError(
            f"{where}: must be a volume of three axes, or four with time; it is {len(shape)}-D ({claimed})"
        )
    if len(shape) > 4:
        raise ValueError(f"{where}: must have three axes, or four with time; it has {len(shape)} ({claimed})")
    if type(image).__name__ == "MGHImage" and sorted(shape[:3])[1] == 1:
        raise ValueError(f"{where}: must be a volume; it holds {max(shape)} values on a surface ({claimed})")
    if min(shape) < 1:
        raise ValueError(f"{where}: must have voxels; its header claims {claimed}")
    voxels = 1
    for n in shape:
        voxels *= n
    if voxels > MAX_VOXELS:
        raise ValueError(f"{where}: must have at most {MAX_VOXELS:,} voxels; its header claims {claimed}")
    path = getattr(getattr(image, "file_map", {}).get("image"), "filename", None)
    if size is None and path and os.path.isfile(path) and not isinstance(image.dataobj, np.ndarray):
        size = os.path.getsize(path) * GROWTH.get(Path(path).suffix.lower(), 1)
    needed = voxels * np.dtype(image.get_data_dtype()).itemsize
    if size is not None and type(image).__module__ not in ("nibabel.minc2",) and needed > size:
        raise ValueError(f"{where}: must be a whole image; its header claims {claimed} voxels, {needed:,} bytes")
    return shape


def _time_first(image: Any) -> bool:
    """Whether a series has its frames along the first axis, as in MINC."""
    return type(image).__name__.startswith("Minc") and len(image.shape) == 4


def _intent(header: Any) -> tuple[str, bool]:
    """The unit of a statistic ("z", "t", ...) and whether the header says that the values are labels."""
    if not hasattr(header, "get_intent"):
        return "", False
    try:
        code = header.get_intent()[0]
    except Exception:
        return "", False
    return UNITS.get(str(code), ""), str(code) == "label"


def _short_name(where: str) -> str:
    return where.rpartition("!")[2].replace("\\", "/").rpartition("/")[2] or where


def _sentence(error: BaseException) -> str:
    """The first sentence of a library's complaint, as the end of ours."""
    first = re.split(r"\.\s|\n", str(error).strip())[0]
    return (first or type(error).__name__).rstrip(".")[:200]
