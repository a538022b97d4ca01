"""DICOM: one file, or a folder with the slices of a series (pydicom reads them).

Slices are ordered by where they lie along their normal, never by name. Positions are LPS and become RAS+; a tilted
gantry stays what it is, a shear. Slices that are missing, doubled or unevenly spaced are refused: no affine is true of
them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender.io.files import (
    LPS,
    File,
    Image,
    check_claim,
    check_shape,
    file_at,
    optional,
    sentence,
    short_name,
    title,
    warn,
)

TAGS = [
    "SOPClassUID",
    "Modality",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelSpacing",
    "SpacingBetweenSlices",
    "SliceThickness",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "RescaleSlope",
    "RescaleIntercept",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]
MACROS = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SpacingBetweenSlices": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
}
PLACE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
GROWN = 5_000  # the most that a compressed frame may grow by
LINE = 0.1  # mm, or of the gap: how far a slice may be from its even place


@dataclass(frozen=True)
class Slice:
    """One slice: whose frame it is, where its first pixel's centre lies (LPS, mm), and how its values are scaled."""

    file: File
    frame: int
    position: NDArray[np.float64]
    directions: NDArray[np.float64]  # of rows (along columns) and columns, shape (2, 3)
    spacing: tuple[float, float]  # between columns and between rows, mm
    apart: float  # what the header says of the distance to the next slice, mm
    slope: float
    intercept: float
    shape: tuple[int, ...]  # columns, rows, and 3 for colors


def fits(head: bytes) -> bool:
    """Whether a file that starts like this is DICOM, with its preamble or without."""
    if head[128:132] == b"DICM":
        return True
    bare = head[:2] == b"\x08\x00" and len(head) > 8 and head[3] == 0
    return bare and (head[4:6].isalpha() or head[6:8] == b"\0\0")


def read(file: File) -> Image:
    """Read one file: a slice, or all frames of a multi-frame image."""
    header = _header(file)
    if "Rows" not in header:
        raise ValueError(f"{file.where}: must be a DICOM image; it holds none ({_class(header)})")
    return _image([(file, header)], file.where, title(file.where))


def read_folder(folder: Path, series: str | int | None) -> Image:
    """Read the one series of a folder, or of several the one that `series` names by number or UID."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        files = [file for file in map(file_at, paths) if fits(file.head(132))]
    except OSError as error:
        raise ValueError(f"{folder}: cannot be read; {error.strerror}") from None
    found = [(file, header) for file in files if "Rows" in (header := _header(file))]
    if not found:
        below = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]
        hint = f"; it holds folders: {', '.join(below[:5])}" if below else ""
        raise ValueError(f"{folder}: must be an image file or hold a DICOM series; it is a folder without one{hint}")
    groups: dict[str, list[tuple[File, Any]]] = {}
    for file, header in found:
        groups.setdefault(str(header.get("SeriesInstanceUID", "")), []).append((file, header))
    return _image(groups[_chosen(groups, series, folder)], str(folder), folder.name)


def _chosen(groups: dict[str, list[tuple[File, Any]]], series: str | int | None, folder: Path) -> str:
    """The UID of the series that is asked for."""
    if series is None and len(groups) == 1:
        return next(iter(groups))
    numbers = {uid: _text(found[0][1], "SeriesNumber") for uid, found in groups.items()}
    asked = [uid for uid in groups if str(series) in (uid, numbers[uid])]
    if len(asked) == 1:
        return asked[0]
    doubled = len(set(numbers.values())) < len(numbers)
    listed = []
    for uid, found in groups.items():
        words = _text(found[0][1], "SeriesDescription")
        name = uid if doubled or not numbers[uid] else numbers[uid]
        listed.append(f"{name} ({words + ', ' if words else ''}{len(found)} file{'s' * (len(found) > 1)})")
    got = "" if series is None else f"; got {series!r}"
    if len(asked) > 1:
        got += f", the number of {len(asked)} of them"
    raise ValueError(f"{folder}: holds {len(groups)} series; choose with series= from {', '.join(listed)}{got}")


def _header(file: File) -> Any:
    return _dataset(file, stop_before_pixels=True, specific_tags=TAGS)


def _dataset(file: File, **options: Any) -> Any:
    pydicom = optional("pydicom", "dicom", f"{file.where}: DICOM")
    stream = file.whole()
    try:
        with stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(stream, force=True, **options)
            if options:
                list(dataset.iterall())  # values are converted now, and their flaws show now
            return dataset
    except Exception as error:
        raise ValueError(f"{file.where}: must be a whole DICOM file; {sentence(error)}") from None


def _class(header: Any) -> str:
    name = getattr(header.get("SOPClassUID"), "name", "")
    return " ".join(str(name).split())[:80] or "no class"


def _text(header: Any, word: str) -> str:
    """A short text of the header, in one line."""
    return " ".join(str(header.get(word, "")).split())[:80]


def _image(found: Sequence[tuple[File, Any]], where: str, fallback: str) -> Image:
    first = found[0][1]
    slices = [part for file, header in found for part in _slices(file, header)]
    _same(slices, where)
    slices, step = _row(slices, where)
    (across, down), (dx, dy) = slices[0].directions, slices[0].spacing
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([across * dx, down * dy, step])
    affine[:3, 3] = slices[0].position
    stored = _pixels(slices, where)
    colored = len(slices[0].shape) == 3
    data, scaled = (stored, []) if colored else _rescaled(stored, slices, where)
    if _text(first, "PhotometricInterpretation") == "MONOCHROME1":
        warn(f"{where}: is MONOCHROME1, whose low values are meant to be bright; the values are as stored")
        scaled = [*scaled, "MONOCHROME1: low values are meant to be bright, values as stored"]
    number = _text(first, "SeriesNumber")
    series = f" series {number}" if number not in ("", "None") else ""
    history = [
        f"read {short_name(where)}, DICOM{series}, {len(slices)} slice{'s' * (len(slices) > 1)}, {stored.dtype}",
        "converted from LPS to RAS",
        *scaled,
    ]
    normal = np.cross(across, down)
    tilt = float(np.degrees(np.arccos(np.clip(normal @ step / np.linalg.norm(step), -1, 1))))
    if tilt > 0.1:
        history.append(f"gantry tilt of {tilt:.1f} degrees kept as shear")
    modality = str(first.get("Modality", ""))
    name = _text(first, "SeriesDescription") or fallback
    kind = "rgb" if colored else "labels" if modality == "SEG" else "intensity"
    unit = "HU" if modality == "CT" else ""
    return Image(data, LPS @ affine, name, unit, None, kind, tuple(history), "scanner")


def _slices(file: File, header: Any) -> Iterator[Slice]:
    """The slices of one file."""
    where = file.where
    try:
        frames = int(header.get("NumberOfFrames") or 1)
        size = int(header.Columns), int(header.Rows)
        groups = header.get("PerFrameFunctionalGroupsSequence")
        shared = header.get("SharedFunctionalGroupsSequence") or [None]
    except Exception as error:
        raise ValueError(f"{where}: must be a DICOM image; {sentence(error)}") from None
    check_shape(where, (*size, frames))
    shape = (*size, 3) if _is_rgb(header, where) else size
    if groups is None and frames > 1:
        raise ValueError(f"{where}: must say where its slices lie; its {frames} frames have no positions of their own")
    if groups is not None and len(groups) != frames:
        raise ValueError(f"{where}: must place each of its {frames} frames; it places {len(groups)}")
    for n in range(frames):
        places = [header] if groups is None else [groups[n], shared[0], header]

        def found(word: str, places: list[Any] = places) -> Any:
            for place in places:
                macro = place.get(MACROS[word]) if place is not None else None
                value = (macro[0] if macro else place or {}).get(word)
                if value is not None and str(value) != "":
                    return value
            return None

        try:
            position = np.array(found("ImagePositionPatient"), dtype=float)
            directions = np.array(found("ImageOrientationPatient"), dtype=float).reshape(2, 3)
            rows, columns = (float(size) for size in found("PixelSpacing"))
            apart = float(found("SpacingBetweenSlices") or found("SliceThickness") or 1.0)
            slope, intercept = (found("RescaleSlope"), found("RescaleIntercept"))
            scale = (1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept))
        except (TypeError, ValueError):
            raise ValueError(f"{where}: must say where its slices lie; {_held(found)}") from None
        numbers = np.array([*position.ravel(), *directions.ravel(), rows, columns])
        if position.shape != (3,) or not np.isfinite(numbers).all() or min(rows, columns) <= 0:
            raise ValueError(f"{where}: must say where its slices lie; {_held(found)}")
        yield Slice(file, n, position, directions, (columns, rows), abs(apart), *scale, shape)


def _held(found: Callable[[str], Any]) -> str:
    """What the three fields that place a slice hold."""
    held = [(word, found(word)) for word in PLACE]
    lacking = [word for word, value in held if value is None]
    if lacking:
        return f"it has no {' and no '.join(lacking)}"
    return ", ".join(f"its {word} is {value}" for word, value in held)


def _is_rgb(header: Any, where: str) -> bool:
    """Whether a pixel is a color; an error if it is one that is not read."""
    samples, bits = int(header.get("SamplesPerPixel") or 1), int(header.get("BitsAllocated") or 16)
    if samples == 1:
        return False
    means = _text(header, "PhotometricInterpretation")
    if (samples, bits, means) != (3, 8, "RGB"):
        raise ValueError(
            f"{where}: must hold one number a pixel, or RGB of 8 bits; it holds {samples} of {bits} bits, "
            f"{means or 'of no said meaning'}"
        )
    return True


def _same(slices: Sequence[Slice], where: str) -> None:
    """All slices are parallel and of one size."""
    first = slices[0]
    for part in slices[1:]:
        if part.shape != first.shape or not np.allclose(part.spacing, first.spacing, rtol=1e-3):
            raise ValueError(
                f"{where}: must have slices of one size; {part.file.where} differs from {first.file.where}"
            )
        if not np.allclose(part.directions, first.directions, atol=1e-3):
            raise ValueError(f"{where}: must have parallel slices; {part.file.where} is turned (is it a localizer?)")


def _row(slices: Sequence[Slice], where: str) -> tuple[list[Slice], NDArray[np.float64]]:
    """The slices along their normal, and the step (LPS, mm) from one to the next."""
    normal = np.cross(*slices[0].directions)
    length = np.linalg.norm(normal)
    if not 0.9 < length < 1.1:
        raise ValueError(
            f"{where}: must have rows and columns at right angles; {slices[0].directions.tolist()} are not"
        )
    row = sorted(slices, key=lambda part: float(part.position @ normal))
    if len(row) == 1:
        return row, normal / length * (row[0].apart or 1.0)
    positions = np.array([part.position for part in row])
    gaps = np.diff(positions @ normal / length)
    usual = float(np.median(gaps))
    if gaps.min() <= 1e-3 * max(usual, gaps.max()):
        doubled = int((gaps <= 1e-3 * gaps.max()).sum())
        raise ValueError(
            f"{where}: must have one slice at each position; {doubled} of its {len(row)} share theirs with another "
            "(a time series, several echoes, or a file twice)"
        )
    step = (positions[-1] - positions[0]) / (len(row) - 1)
    off = np.linalg.norm(positions - positions[0] - np.arange(len(row))[:, None] * step, axis=1)
    if off.max() > LINE * min(1.0, usual):
        at = int(np.argmax(np.abs(gaps - usual)))
        raise ValueError(
            f"{where}: must have evenly spaced slices; {_called(row[at])} and {_called(row[at + 1])} are "
            f"{gaps[at]:.4g} mm apart, others {usual:.4g} mm (is a slice missing?)"
        )
    return row, step


def _called(part: Slice) -> str:
    """The name of a slice's file, and its frame if it is not the first."""
    return short_name(part.file.where) + (f" frame {part.frame + 1}" if part.frame else "")


def _pixels(slices: Sequence[Slice], where: str) -> NDArray[Any]:
    """Stored values, columns x rows x slices."""
    data: NDArray[Any] | None = None
    open_file, frames = "", np.empty(0)
    size, colors = slices[0].shape[:2], slices[0].shape[2:]
    check_shape(where, (*size, len(slices), *colors))
    for n, part in enumerate(slices):
        if part.file.where != open_file:
            frames, open_file = _frames(part.file), part.file.where
        plane = frames[part.frame].swapaxes(0, 1)
        if data is None:
            data = np.empty((*size, len(slices), *colors), plane.dtype)
        if plane.shape != part.shape:
            raise ValueError(f"{part.file.where}: must be a whole image; its pixels are not of its size")
        data = data.astype(np.result_type(data, plane), copy=False)
        data[:, :, n] = plane
    assert data is not None
    return data


def _frames(file: File) -> NDArray[Any]:
    """The decoded frames of one file, frames x rows x columns [x 3]; their claim is held against the file first."""
    dataset = _dataset(file)
    syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
    try:
        packed = bool(getattr(syntax, "is_compressed", False))
        frames = int(dataset.get("NumberOfFrames") or 1)
        shape = (int(dataset.Columns), int(dataset.Rows), frames)
        samples = int(dataset.get("SamplesPerPixel") or 1)
        bits = int(dataset.get("BitsAllocated", 16)) * samples
    except Exception as error:
        raise ValueError(f"{file.where}: must be a whole DICOM file; {sentence(error)}") from None
    check_claim(
        file.where, shape, np.dtype(f"V{max(bits // 8, 1)}"), file.size * (GROWN if packed else 8 if bits == 1 else 1)
    )
    if syntax is None:
        dataset.file_meta.TransferSyntaxUID = (
            "1.2.840.10008.1.2" if dataset.original_encoding[0] else "1.2.840.10008.1.2.1"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array = np.asarray(dataset.pixel_array)
        array = array.reshape(frames, shape[1], shape[0], *([samples] if samples > 1 else []))
    except Exception as error:
        said = f", stored as {getattr(syntax, 'name', 'compressed')}," if packed else ""
        raise ValueError(
            f"{file.where}: must be a whole image; its pixels{said} cannot be decoded: {sentence(error)}"
        ) from None
    return array


def _rescaled(stored: NDArray[Any], slices: Sequence[Slice], where: str) -> tuple[NDArray[Any], list[str]]:
    """Values in their unit: integers where slope and intercept are whole, else float32."""
    slopes, intercepts = (np.array([getattr(part, word) for part in slices]) for word in ("slope", "intercept"))
    if not np.isfinite([slopes, intercepts]).all() or (slopes == 0).any():
        warn(f"{where}: its rescale slope of 0 or not a number was not applied; the values are as stored")
        return stored, []
    if (slopes == 1).all() and (intercepts == 0).all():
        return stored, []
    several = len(set(slopes)) > 1 or len(set(intercepts)) > 1
    told = "slice by slice" if several else f"by slope {slopes[0]:g} and intercept {intercepts[0]:g}"
    if stored.dtype.kind in "iu" and (slopes % 1 == 0).all() and (intercepts % 1 == 0).all():
        low, high = stored.min(axis=(0, 1)).astype(float), stored.max(axis=(0, 1)).astype(float)
        ends = np.concatenate([low * slopes + intercepts, high * slopes + intercepts])
        fitting = next(
            (t for t in (np.int16, np.int32) if np.iinfo(t).min <= ends.min() and ends.max() <= np.iinfo(t).max), None
        )
        if fitting is not None:
            data = np.empty(stored.shape, fitting)
            for n, (slope, intercept) in enumerate(zip(slopes, intercepts)):
                data[..., n] = stored[..., n].astype(np.int64) * int(slope) + int(intercept)
            return data, [f"rescaled {told}"]
    scaled = stored * slopes.astype(np.float32) + intercepts.astype(np.float32)
    return scaled.astype(np.float32, copy=False), [f"rescaled {told}"]
