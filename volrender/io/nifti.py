"""The room that knows nibabel: NIfTI, Analyze, MGH/MGZ, MINC, AFNI, PAR/REC and ECAT; and the writing of NIfTI.

Voxels come out in the file's own type; scaled ones as float32, complex ones as their magnitude, structured ones (RGB24
and RGBA32) as colors.
"""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender.io.files import (
    CHUNK,
    GROWTH,
    File,
    Image,
    by,
    capacity,
    check_end,
    check_shape,
    file_of,
    quiet,
    sentence,
    short_name,
    title,
    warn,
    write_beside,
)
from volrender.io.forms import code_of, length_unit, placement, told
from volrender.io.label_table import read_labels, write_labels

READS = "NIfTI, Analyze, MGH/MGZ, MINC, AFNI, PAR/REC, DICOM, NRRD, MetaImage, TIFF, or a NumPy .npy or .npz"
LOG = "nibabel.global"
PARTNERS = {".hdr": ".img", ".img": ".hdr", ".par": ".rec", ".rec": ".par", ".head": ".brik", ".brik": ".head"}
MOST = 1 << 26  # bytes of a header
PACKED = ("", ".gz", ".bz2", ".zst")
UNITS = {"z score": "z", "t test": "t", "f test": "F", "p value": "p", "correlation": "r"}
CIFTI = range(3000, 3100)  # intents
COLORS = ("rgb vector", "rgba vector", "vector", "none")  # of bytes


def fits(head: bytes) -> bool:
    """Whether a file that starts like this can be read from a stream."""
    return head[:2] == b"\x1f\x8b" or any(test(head) for _, test in _SNIFF)


def read(file: File) -> Image:
    """Read what nibabel knows: a single file by how it starts, a pair from both its files, others by their ending."""
    ending = Path(short_name(file.where)).suffix.lower()
    if file.path is None and ending in (".hdr", ".img"):
        return _from_pair(file)
    if file.path is None or _alone(file):  # nibabel would leave the file open, or hold the voxels twice
        return _from_stream(file)
    import nibabel as nib

    _check_partner(file.path)
    try:
        with quiet(LOG):
            image: Any = _ecat(file.path) if ending == ".v" else nib.load(file.path)
    except Exception as error:
        raise ValueError(f"{file.where}: must be an image ({READS}); {sentence(error)}") from None
    return from_nibabel(image, file.where)


def _alone(file: File) -> bool:
    """Whether a path leads to a single-file image, whatever its name; one of a pair must start as NIfTI does."""
    name, head = file.where.lower(), file.head()
    if name.endswith((".nii", ".nii.gz", ".mgh", ".mgz")):
        return True
    if name.removesuffix(".gz").endswith((*PARTNERS, ".mnc", ".v")):
        return any(test(head) for kind, test in _SNIFF if kind != "MGHImage")
    return fits(head)


def _check_partner(path: Path) -> None:
    """Both files of a pair must be there; either may be packed."""
    plain = next((path.name[: -len(end)] for end in PACKED if end and path.name.lower().endswith(end)), path.name)
    ending = Path(plain).suffix
    other = PARTNERS.get(ending.lower())
    if other is None:
        return
    other = other if ending.islower() else other.upper()
    partner = path.with_name(plain.removesuffix(ending) + other)
    if not any(path.with_name(partner.name + end).is_file() for end in PACKED):
        raise FileNotFoundError(f"{path}: needs {partner}: no such file")


def _ecat(path: Path) -> Any:
    """An ECAT image, which `nibabel.load` does not try and whose proxy knows no type, as one that does."""
    import nibabel as nib
    from nibabel.fileholders import FileHolder

    stream = BytesIO(path.read_bytes())  # nibabel would leave the file open
    image = nib.ecat.EcatImage.from_file_map({part: FileHolder(fileobj=stream) for part in ("header", "image")})
    if 2 * np.prod([float(n) for n in image.shape]) > path.stat().st_size:
        raise ValueError(f"its header claims {' x '.join(map(str, image.shape))} voxels, more than the file holds")
    out = nib.Nifti1Image(np.asarray(image.dataobj, dtype=np.float32), image.affine)
    out.header.set_sform(image.affine, code="scanner")
    out.header.set_qform(None, code="unknown")
    return out


def _from_stream(file: File) -> Image:
    """Read a single-file image: NIfTI-1, NIfTI-2 or MGH, gzipped or not."""
    import nibabel as nib

    packed = file.head(2) == b"\x1f\x8b"
    with file.open() as raw:
        stream: Any = _Gzip(fileobj=raw) if packed else raw
        try:
            head = stream.read(1024)
        except Exception as error:
            raise ValueError(f"{file.where}: must be a whole gzip stream; {sentence(error)}") from None
        image_class = next((c for c, test in _SNIFF if test(head)), None)
        if image_class is None:
            raise ValueError(f"{file.where}: must be an image ({READS}); it starts with {head[:4]!r}")
        if image_class == "MGHImage":
            check_shape(file.where, struct.unpack(">4i", head[4:20]))
        try:
            stream.seek(0)
            known = getattr(nib, image_class)
            with quiet(LOG):
                image = known.from_file_map(known.make_file_map({"image": stream}), mmap=False)
        except Exception as error:
            raise ValueError(f"{file.where}: must be a whole image; {sentence(error)}") from None
        out = from_nibabel(image, file.where, size=capacity(file.size, GROWTH[".gz"] if packed else 1))
        check_end(stream, file.where)
        return out


class _Gzip(gzip.GzipFile):
    """A gzip stream that fills a buffer piece by piece; its parent unpacks all of it into a second one first.

    Voxels are read into buffers; what is read otherwise, such as an extension of the header, is no longer than `MOST`.
    """

    def read(self, size: int | None = -1) -> bytes:
        """Read some bytes."""
        return super().read(MOST if size is None or size < 0 else min(size, MOST))

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` as far as the stream goes."""
        view, at = memoryview(buffer).cast("B"), 0
        while piece := self.read(min(CHUNK, len(view) - at)):
            view[at : at + len(piece)] = piece
            at += len(piece)
        return at


def _is_nifti(head: bytes, size: int, magic: bytes, at: int) -> bool:
    whole = len(head) >= at + 4 and head[at : at + len(magic)] == magic
    return whole and size in (struct.unpack("<i", head[:4])[0], struct.unpack(">i", head[:4])[0])


_SNIFF: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("Nifti1Image", lambda head: _is_nifti(head, 348, b"n+1", 344)),
    ("Nifti2Image", lambda head: _is_nifti(head, 540, b"n+2", 4)),
    ("MGHImage", lambda head: len(head) >= 284 and head[:4] == b"\x00\x00\x00\x01"),
)


def _from_pair(file: File) -> Image:
    """Read a pair as the first format that its header fits, in nibabel's own order; never as a lesser one."""
    import nibabel as nib
    from nibabel.fileholders import FileHolder

    header, data = (_partner(file, ending) for ending in ("hdr", "img"))
    pairs = (nib.Nifti1Pair, nib.Nifti2Pair, nib.Spm2AnalyzeImage)
    pair: Any = next((p for p in pairs if p.header_class.may_contain_header(header.head())), None)
    if pair is None:
        raise ValueError(f"{file.where}: must be a NIfTI or Analyze pair; no format fits its header")
    with header.open() as head, data.open() as voxels, _matrix(file).open() as matrix:
        parts = {"header": head, "image": voxels, "mat": matrix}
        try:
            holders = {part: FileHolder(fileobj=parts[part]) for part, _ in pair.files_types}
            with quiet(LOG):
                image = pair.from_file_map(holders, mmap=False)
        except Exception as error:
            raise ValueError(f"{file.where}: must be a NIfTI or Analyze pair; {sentence(error)}") from None
        return from_nibabel(image, file.where, size=data.size)


def _partner(file: File, ending: str) -> File:
    """The header or the voxels of a pair."""
    own = short_name(file.where)
    if own.lower().endswith(ending):
        return file
    for name in (own[:-3] + ending, own[:-3] + ending.upper()):
        with suppress(FileNotFoundError):
            return file.beside(name)
    raise FileNotFoundError(f"{file.where}: its .{ending} file is not in the zip")


def _matrix(file: File) -> File:
    """The position that SPM keeps beside a pair, if it does."""
    try:
        return file.beside(short_name(file.where)[:-3] + "mat")
    except FileNotFoundError:
        return file_of(b"", file.where)


def _guessed(image: Any) -> bool:
    """Whether an Analyze image was read without the position that SPM keeps in a file beside it."""
    voxels, matrix = (image.file_map.get(part) for part in ("image", "mat"))
    if "Analyze" not in type(image).__name__ or voxels.filename is None is voxels.fileobj:  # made in memory
        return False
    if matrix is None:
        return True
    return not (matrix.fileobj.tell() if matrix.fileobj is not None else Path(str(matrix.filename)).is_file())


def from_nibabel(image: Any, where: str, size: int | None = None) -> Image:
    """Check what the header claims, then read the voxels in their own type; scaled ones become float32."""
    kind = type(image).__name__
    if "Cifti" in kind or ("Nifti" in kind and int(image.header["intent_code"]) in CIFTI):
        raise ValueError(f"{where}: must be a volume; it is a CIFTI file (values on surfaces and grayordinates)")
    if not hasattr(image, "affine") or not hasattr(image, "shape"):
        raise ValueError(f"{where}: must be a volume; it is {kind}, a surface or a tractogram")
    intent = _intent(image.header)
    shape = _checked_shape(image, where, size, intent)
    affine, space = placement(image, where, shape)
    dtype = np.dtype(getattr(image.dataobj, "dtype", image.get_data_dtype())).newbyteorder("=")
    try:
        data = np.asanyarray(image.dataobj)
        if isinstance(data, np.memmap) or data is image.dataobj:
            data = np.array(data)  # the volume outlives its file and its image
        data = (np.moveaxis(data, 0, -1) if _time_first(image) else data).reshape(shape)
    except Exception as error:
        raise ValueError(f"{where}: must be a whole image; {sentence(error)}") from None
    plain = "RGBA"[: len(dtype.names)] if dtype.names else dtype.name
    history = [f"read {short_name(where)}, {kind}, {plain}"]
    if unit := length_unit(image.header)[0]:
        history.append(f"converted from {unit} to mm")
    if dtype.names:
        data = _colors(data, where)
    elif data.dtype.kind == "c":
        data = np.abs(data)
        history.append("complex values replaced by their magnitude")
    elif data.dtype == np.float64 and dtype != np.float64:
        data = data.astype(np.float32)
        history.append("scaled by the header's slope and intercept")
    if data.dtype.kind == "f" and data.dtype.itemsize > 8:
        data = data.astype(np.float64)
    if _guessed(image):
        warn(f"{where}: has no .mat beside it, so left and right are a guess; placed {told(affine, shape)}")
        history.append("without a position in the header: taken as LAS")
    kind = "rgb" if dtype.names or _bytes_of_color(image, intent) else "labels" if intent == "label" else "intensity"
    labels = read_labels(image.header, where) if kind == "labels" else None
    return Image(data, affine, title(where), UNITS.get(intent, ""), labels, kind, tuple(history), space)


def _colors(data: NDArray[Any], where: str) -> NDArray[Any]:
    """Structured voxels, R, G, B and perhaps A, as a last axis."""
    letters = data.dtype.names or ()
    if data.ndim != 3 or any(data.dtype[letter] != np.uint8 for letter in letters):
        raise ValueError(f"{where}: must be one volume of colors; it is {data.ndim}-D, {data.dtype}")
    return np.ascontiguousarray(data).view(np.uint8).reshape(*data.shape, len(letters))


def _checked_shape(image: Any, where: str, size: int | None, intent: str) -> tuple[int, ...]:
    shape = tuple(int(n) for n in image.shape)
    if _time_first(image):
        shape = (*shape[1:], shape[0])
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if _bytes_of_color(image, intent):
        shape = (*shape[:3], shape[4])
    if len(shape) == 5 and (shape[3] == 1 or "vector" in intent):
        raise ValueError(
            f"{where}: must have three axes, or four with time; it has 5 ({by(shape)}), vectors of {shape[4]}: "
            "give volume.transform the file to move a volume by them, or load one component as an array"
        )
    if len(shape) > 4:
        raise ValueError(f"{where}: must have three axes, or four with time; it has {len(shape)} ({by(shape)})")
    if type(image).__name__ == "MGHImage" and sorted(shape[:3])[1] == 1:
        raise ValueError(f"{where}: must be a volume; it holds {max(shape)} values on a surface ({by(shape)})")
    voxels = check_shape(where, shape)
    path = getattr(getattr(image, "file_map", {}).get("image"), "filename", None)
    hdf5 = type(image).__module__ == "nibabel.minc2"
    if size is None and path and os.path.isfile(path) and not isinstance(image.dataobj, np.ndarray):
        growth = GROWTH[".gz"] if hdf5 else GROWTH.get(Path(path).suffix.lower(), 1)
        size = capacity(os.path.getsize(path), growth)
    needed = voxels * np.dtype(image.get_data_dtype()).itemsize
    if size is not None and needed > size:
        raise ValueError(f"{where}: must be a whole image; its header claims {by(shape)} voxels, {needed:,} bytes")
    return shape


def _bytes_of_color(image: Any, intent: str) -> bool:
    """Whether each voxel is a vector of three or four bytes, which is how many write colors."""
    shape, dtype = tuple(image.shape), image.get_data_dtype()
    return intent in COLORS and len(shape) == 5 and shape[3] == 1 and shape[4] in (3, 4) and dtype == np.uint8


def _time_first(image: Any) -> bool:
    """Whether a series has its frames along the first axis, as in MINC."""
    return type(image).__name__.startswith("Minc") and len(image.shape) == 4


def _intent(header: Any) -> str:
    """What a NIfTI header says that its values are: "z score", "label", ..., or nothing."""
    if not hasattr(header, "get_intent"):
        return ""
    try:
        return str(header.get_intent()[0])
    except Exception:
        return ""


def write(path: str | os.PathLike[str], image: Image) -> None:
    """Write a NIfTI-1 file (``.nii`` or ``.nii.gz``), beside and then renamed."""
    import nibabel as nib

    target = Path(path)
    if not target.name.endswith((".nii", ".nii.gz")):
        raise ValueError(f"{target}: a volume is saved as .nii or .nii.gz; got {target.suffix or 'no extension'}")
    dtype = _storable(image.data)
    if image.kind == "labels" and dtype.kind == "f":
        low, high = int(image.data.min()), int(image.data.max())
        raise ValueError(f"{target}: labels must be below 2147483648 in size to be saved; they go from {low} to {high}")
    data = image.data.astype(dtype, copy=False)
    if image.kind == "rgb":
        data = np.ascontiguousarray(data).view([(letter, "u1") for letter in "RGBA"[: data.shape[3]]])[..., 0]
    try:
        out = nib.Nifti1Image(data, image.affine)
    except Exception as error:
        raise ValueError(f"{target}: cannot be written as NIfTI-1; {sentence(error)}") from None
    out.header.set_xyzt_units("mm")
    out.header["sform_code"] = code_of(image.space)
    intents = {unit: intent for intent, unit in UNITS.items()}
    if image.kind == "labels" or image.unit in intents:
        name = image.name[:16] if image.name.isascii() else ""
        out.header.set_intent("label" if image.kind == "labels" else intents[image.unit], name=name)
    if image.labels:
        write_labels(out.header, image.labels, str(target))
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
