"""TIFF stacks: ImageJ's and OME's, with their voxel sizes, and plain ones (tifffile reads the pages).

A picture has no anatomy: columns run to the right, rows down and slices away from the viewer, as on a screen (RPI), and
the middle of the stack is the world's origin, with a warning, unless ``affine=`` says where it is. OME-XML is parsed
here, within this one file and without entities.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike, NDArray

from volrender.io.files import (
    SCREEN,
    File,
    Image,
    by,
    capacity,
    centred,
    check_claim,
    check_shape,
    in_mm,
    optional,
    quiet,
    sentence,
    short_name,
    title,
)
from volrender.io.forms import named_space, warn_of_guess

DEPTH = "ZQI"  # slices: said to be, or pages of no said meaning
GROWN = {1: 1, 8: 1_100, 32946: 1_100}  # none, deflate; others may pack tighter
MOST = 40_000
RGB = 2


@dataclass(frozen=True)
class Stack:
    """Pages that make one volume: the letters of their axes, the size of a voxel (mm) where told, and how to read."""

    axes: str
    shape: tuple[int, ...]
    spacing: tuple[float | None, ...]
    form: str
    channels: Sequence[str]
    planes: NDArray[np.int64] | None = None  # of OME: the page of each plane, over the leading axes


def fits(head: bytes) -> bool:
    """Whether a file that starts like this is TIFF or BigTIFF."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read(file: File, affine: ArrayLike | None, series: str | int | None) -> Image:
    """Read a stack; of several channels the one that `series` counts, from 0."""
    tifffile = optional("tifffile", "tiff", f"{file.where}: TIFF")
    where = file.where
    with file.whole() as stream:
        try:
            with quiet("tifffile"), tifffile.TiffFile(stream, is_ome=False) as tif:
                page = tif.pages[0]
                _check_pages(tif, file.size, where)
                stack = _ome(tif, page.description, where) if "<OME" in page.description else _stack(tif, where)
                claimed = (1,) * (3 - len(stack.shape)) + stack.shape
                growth = GROWN.get(int(page.compression), MOST)
                check_claim(where, claimed, page.dtype, capacity(file.size, growth))
                data = _pixels(tif, stack)
                colored = int(page.photometric) == RGB
        except (ValueError, ImportError) as error:
            if str(error).startswith(where):
                raise
            raise ValueError(f"{where}: cannot be read as TIFF; {sentence(error)}") from None
        except Exception as error:
            raise ValueError(f"{where}: cannot be read as TIFF; {sentence(error)}") from None
    if data.shape != stack.shape:
        raise ValueError(
            f"{where}: must be whole; its header claims {by(stack.shape)}, its pages give {by(data.shape)}"
        )
    history = [f"read {short_name(where)}, {stack.form}, {data.dtype}"]
    data, axes = _channel(data, stack, colored, series, where, history)
    data = _ordered(data, axes, where)
    if data.dtype.kind == "c":
        data = np.abs(data)
        history.append("complex values replaced by their magnitude")
    rgb = "S" in axes
    if rgb and data.dtype != np.uint8:
        data = _eight_bits(data, where)
        history.append("colors reduced to 8 bits")
    if affine is None:
        missing = ["anatomical space"]
        affine = centred(data.shape, SCREEN[:3, :3] @ np.diag(_spacing(stack, data.shape, missing, history)))
        warn_of_guess(where, missing, affine, data.shape, "; give affine=")
        history.append("no anatomical space: taken as RPI, as on a screen, and centred")
    name = title(where)
    kind = "rgb" if rgb else "labels" if data.dtype == bool else "intensity"
    return Image(data, np.asarray(affine), name, kind=kind, history=tuple(history), space=named_space(where))


def _check_pages(tif: Any, size: int, where: str) -> None:
    """All pages are in the file: the last one says that it is the last, and none has its pixels beyond the end."""
    form, stream = tif.tiff, tif.filehandle
    count = len(tif.pages)
    try:
        stream.seek(tif.pages[count - 1].offset)
        (tags,) = struct.unpack(form.tagnoformat, stream.read(form.tagnosize))
        stream.seek(tags * form.tagsize, 1)
        (following,) = struct.unpack(form.offsetformat, stream.read(form.offsetsize))
    except Exception:
        raise ValueError(f"{where}: must be whole; its page {count} is cut short") from None
    if following and following not in {page.offset for page in tif.pages}:
        raise ValueError(f"{where}: must be whole; it ends before its page {count + 1}")
    for n, page in enumerate(tif.pages):
        if any(at + packed > size for at, packed in zip(page.dataoffsets, page.databytecounts)):
            raise ValueError(f"{where}: must be whole; it ends before the pixels of its page {n + 1}")


def _stack(tif: Any, where: str) -> Stack:
    """A stack as ImageJ, or tifffile for any other, lays it out."""
    if not tif.series:
        raise ValueError(f"{where}: must have pages; it has none")
    first = tif.series[0]
    imagej = tif.imagej_metadata or {}
    planes = int(np.prod([n for n, axis in zip(first.shape, first.axes) if axis not in "YXS"]))
    if imagej.get("images", 1) > planes:
        raise ValueError(f"{where}: must be whole; its ImageJ header claims {imagej['images']} images, it has {planes}")
    count = first.shape[first.axes.index("C")] if "C" in first.axes else 1
    spacing: tuple[float | None, ...] = (None, None, None)
    if imagej:
        mm = in_mm(str(imagej.get("unit", "")))
        across = [_per_pixel(tif.pages[0], tag) for tag in ("XResolution", "YResolution")]
        depth = float(imagej.get("spacing", 1.0))
        spacing = tuple(None if mm is None or size is None else abs(size) * mm for size in (*across, depth))
    names = [str(label) for label in imagej.get("Labels", [])[:count]]
    return Stack(first.axes, first.shape, spacing, "TIFF of ImageJ" if imagej else "TIFF", names)


def _per_pixel(page: Any, tag: str) -> float | None:
    """The size of a pixel in ImageJ's unit, which a TIFF keeps as pixels per unit."""
    if tag not in page.tags:
        return None
    pixels, units = page.tags[tag].value
    return units / pixels if pixels and units else None


def _ome(tif: Any, text: str, where: str) -> Stack:
    """A stack as its OME-XML lays it out; entities and other files are refused."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError(f"{where}: must have OME-XML without a document type; it has one")
    try:
        root = ElementTree.fromstring(text)
    except Exception as error:
        raise ValueError(f"{where}: must have whole OME-XML; {sentence(error)}") from None
    pixels = next((element for element in root.iter() if element.tag.endswith("}Pixels")), None)
    if pixels is None:
        raise ValueError(f"{where}: must have Pixels in its OME-XML; it has none")
    try:
        sizes = {axis: int(pixels.attrib[f"Size{axis}"]) for axis in "XYZCT"}
        order = pixels.attrib["DimensionOrder"]
        spacing = tuple(_physical(pixels, axis) for axis in "XYZ")
    except (KeyError, ValueError) as error:
        raise ValueError(f"{where}: must have its sizes and their order in its OME-XML; {sentence(error)}") from None
    page = tif.pages[0]
    samples = int(page.samplesperpixel)
    if min(sizes.values()) < 1 or sorted(order) != sorted("XYZCT") or sizes["C"] % samples:
        raise ValueError(f"{where}: must have planes in its OME-XML; it claims {by(list(sizes.values()))} of {order}")
    lead = "".join(axis for axis in reversed(order) if axis in "ZCT")
    sizes["C"] //= samples
    shape = tuple(sizes[axis] for axis in lead)
    check_shape(where, (*shape, sizes["Y"], sizes["X"]))
    if len(tif.pages) < np.prod(shape) or (sizes["Y"], sizes["X"]) != (page.imagelength, page.imagewidth):
        planes = f"{int(np.prod(shape))} planes of {sizes['X']} x {sizes['Y']}"
        raise ValueError(
            f"{where}: must hold all its planes; its OME-XML claims {planes}, "
            f"the file holds {len(tif.pages)} of {page.imagewidth} x {page.imagelength}"
        )
    names = [element.get("Name", "") for element in pixels if element.tag.endswith("}Channel")]
    full = shape + tuple(page.shape)
    return Stack(
        lead + page.axes, full, spacing, "OME-TIFF", names, _planes(pixels, lead, shape, len(tif.pages), where)
    )


def _planes(pixels: Any, lead: str, shape: tuple[int, ...], pages: int, where: str) -> NDArray[np.int64]:
    """The page that holds each plane: what TiffData says, one after the other where it says nothing."""
    count = int(np.prod(shape))
    planes = np.full(count, -1, dtype=np.int64)
    try:
        for data in (element for element in pixels if element.tag.endswith("}TiffData")):
            at = int(np.ravel_multi_index([int(data.get(f"First{axis}", 0)) for axis in lead], shape))
            alone = "IFD" in data.attrib
            many = min(int(data.get("PlaneCount", 1 if alone else count - at)), count - at)
            planes[at : at + many] = int(data.get("IFD", 0)) + np.arange(many)
    except ValueError as error:
        raise ValueError(f"{where}: must map its planes to pages; {sentence(error)}") from None
    if (planes < 0).all():
        planes = np.arange(count)
    if planes.min() < 0 or planes.max() >= pages:
        raise ValueError(f"{where}: must hold all its planes; its OME-XML places some elsewhere")
    return planes.reshape(shape)


def _physical(pixels: Any, axis: str) -> float | None:
    """The size of a voxel (mm) along an axis of OME; micrometres unless it says otherwise."""
    size = pixels.get(f"PhysicalSize{axis}")
    mm = in_mm(pixels.get(f"PhysicalSize{axis}Unit", "um"))
    return None if size is None or mm is None else float(size) * mm


def _pixels(tif: Any, stack: Stack) -> NDArray[Any]:
    if stack.planes is None:
        return np.asarray(tif.series[0].asarray(maxworkers=1))
    page = tif.pages[0]
    data = np.empty(stack.shape, page.dtype)
    for index in np.ndindex(stack.planes.shape):
        data[index] = tif.pages[int(stack.planes[index])].asarray()
    return data


def _channel(
    data: NDArray[Any], stack: Stack, colored: bool, series: str | int | None, where: str, history: list[str]
) -> tuple[NDArray[Any], str]:
    """One channel of several; colors stay together."""
    single = [n for n, axis in enumerate(stack.axes) if axis in "TC" and data.shape[n] == 1]
    data = data.squeeze(tuple(single))
    axes = "".join(axis for n, axis in enumerate(stack.axes) if n not in single)
    if "S" in axes and not (colored and data.shape[axes.index("S")] in (3, 4)):
        axes = axes.replace("S", "C") if "C" not in axes else axes
    if "C" not in axes:
        if series is not None:
            raise ValueError(f"{where}: has one channel; series= is for several")
        return data, axes
    count = data.shape[axes.index("C")]
    if count > 1 and series is None:
        named = f" ({', '.join(stack.channels)})" if any(stack.channels) else ""
        raise ValueError(f"{where}: has {count} channels{named}; choose one with series=0 to series={count - 1}")
    chosen = 0 if series is None else series
    if not isinstance(chosen, (int, np.integer)) or not 0 <= chosen < count:
        raise ValueError(f"{where}: series= must be a channel, 0 to {count - 1}; got {series!r}")
    if count > 1:
        history.append(f"channel {chosen} of {count}")
    return np.take(data, int(chosen), axis=axes.index("C")), axes.replace("C", "")


def _ordered(data: NDArray[Any], axes: str, where: str) -> NDArray[Any]:
    """Columns, rows, slices, then time or color."""
    depth = [axis for axis in axes if axis in DEPTH]
    known = "".join(axis for axis in axes if axis in "XYTS")
    if len(depth) > 1 or len(depth) + len(known) != len(axes) or "X" not in axes or "Y" not in axes:
        raise ValueError(
            f"{where}: must be a stack of pages, with time or channels; its axes are {axes} {by(data.shape)}"
        )
    order = "XY" + "".join(depth)
    if not depth:
        data, axes, order = data[..., None], axes + "Z", "XYZ"
    order += "".join(axis for axis in "TS" if axis in axes)
    if len(order) > 4:
        raise ValueError(f"{where}: must have three axes and time or color; its axes are {axes} ({by(data.shape)})")
    return data.transpose([axes.index(axis) for axis in order])


def _eight_bits(data: NDArray[Any], where: str) -> NDArray[np.uint8]:
    if data.dtype == np.uint16:
        return np.asarray(data // 257, np.uint8)
    if data.dtype.kind == "f" and np.nanmin(data) >= 0 and np.nanmax(data) <= 1:
        return np.asarray(np.rint(np.nan_to_num(data) * 255), np.uint8)
    raise ValueError(f"{where}: must have colors of 8 or 16 bits, or from 0 to 1; they are {data.dtype}")


def _spacing(
    stack: Stack, shape: tuple[int, ...], missing: list[str], history: list[str]
) -> tuple[float, float, float]:
    """The size of a voxel (mm); 1 mm, and so slices apart as columns are, where it is missing."""
    x, y, z = (size if size is not None and np.isfinite(size) and size > 0 else None for size in stack.spacing)
    if x is None or y is None:
        missing.append("voxel size")
        history.append("voxels of 1 mm assumed")
        return 1.0, 1.0, 1.0
    if z is None:
        if shape[2] > 1:
            missing.append("distance between slices")
            history.append(f"slices {x:g} mm apart assumed")
        z = x
    return x, y, z
