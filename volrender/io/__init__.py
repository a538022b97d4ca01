"""Files in, arrays and affines out: the only room that knows nibabel, pydicom, pynrrd and tifffile.

`read` takes a path, a folder of DICOM slices, an open binary file, bytes, a member of a zip or a nibabel image and
answers with an `Image`: plain arrays in the file's own type, with the affine in world millimetres, RAS+, whatever the
format's own convention is. `FORMATS` is the one table of what is read: how a file starts, and who reads it.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from volrender.io import arrays, dicom, metaimage, nifti, nrrd, tiff
from volrender.io.files import MAX_VOXELS, File, Image, Label, file_at, file_of, sentence, write_beside
from volrender.io.nifti import write
from volrender.words import choices

__all__ = ["MAX_VOXELS", "SAMPLES", "Image", "Label", "read", "read_sample", "write", "write_beside"]

SAMPLES = {"mni152": "mni152_t1.nii.gz", "atlas": "allen_atlas.nii.gz", "motor": "motor_zmap.nii.gz"}


class Wish(NamedTuple):
    """What the caller adds to a source: its position, and which of several series."""

    affine: ArrayLike | None = None
    series: str | int | None = None


class Format(NamedTuple):
    """One format: how its files start, how their names end, who reads it, and which wishes it can grant."""

    fits: Callable[[bytes], bool]
    endings: tuple[str, ...]
    read: Callable[[File, Wish], Image]
    grants: tuple[str, ...] = ()


FORMATS = (
    Format(dicom.fits, (".dcm",), lambda file, wish: dicom.read(file)),
    Format(nrrd.fits, (".nrrd", ".nhdr"), lambda file, wish: nrrd.read(file)),
    Format(metaimage.fits, (".mha", ".mhd"), lambda file, wish: metaimage.read(file)),
    Format(
        tiff.fits, (".tif", ".tiff"), lambda file, wish: tiff.read(file, wish.affine, wish.series), ("affine", "series")
    ),
    Format(arrays.is_array, (".npy",), lambda file, wish: arrays.read_array(file, wish.affine), ("affine",)),
    Format(arrays.is_zip, (".npz", ".zip"), lambda file, wish: arrays.read_arrays(file, wish.affine), ("affine",)),
)
OTHERS = Format(lambda head: True, (), lambda file, wish: nifti.read(file))  # those that nibabel tells apart


def read(source: Any, *, affine: ArrayLike | None = None, series: str | int | None = None) -> Image:
    """Read one image from a path, a folder, ``"archive.zip!member"``, an open file, bytes or a nibabel image.

    Parameters
    ----------
    source : path, nibabel image, open binary file or bytes
    affine : array_like, shape (4, 4), optional
        For what has no position of its own: NumPy arrays and TIFF.
    series : int or str, optional
        Which of several: the number or UID of a DICOM series, a channel of a TIFF.
    """
    wish = Wish(affine, series)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read(file_of(bytes(source), "the bytes given"), wish)
    if hasattr(source, "dataobj") and hasattr(source, "header"):
        _refuse(wish, ())
        return nifti.from_nibabel(source, str(source.get_filename() or "image"))
    if hasattr(source, "read"):
        return _read(_from_stream(source), wish)
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(
            "load takes a path, a nibabel image, an array with affine=, an open binary file or bytes; "
            f"got {type(source).__name__}"
        )
    text = os.fspath(source)
    if not text:
        raise ValueError("a path must not be empty; got ''")
    archive, bang, member = text.partition("!")
    if bang and archive.lower().endswith(".zip"):
        return _from_zip(Path(archive), member, wish)
    path = Path(text)
    if path.is_dir():
        _refuse(wish, ("series",))
        return dicom.read_folder(path, series)
    return _read(file_at(path), wish)


def read_sample(name: str) -> Image:
    """Read a bundled sample: "mni152", "atlas" or "motor"."""
    if name not in SAMPLES:
        raise ValueError(f"there is no sample {name!r}; {choices(list(SAMPLES), name)}")
    folder = resources.files("volrender") / "data"
    image = nifti.read(file_of((folder / SAMPLES[name]).read_bytes(), name))
    title, unit = {"mni152": ("MNI152 T1", ""), "atlas": ("Allen atlas", ""), "motor": ("left − right hand", "z")}[name]
    history = (f"sample {name}",)
    if name != "atlas":
        return Image(image.data, image.affine, title, unit, history=history, space="MNI152")
    table = json.loads((folder / "allen_atlas.json").read_text(encoding="utf-8"))
    colors = np.stack([table["R"], table["G"], table["B"]], axis=1) / 255
    rows = enumerate(zip(table["labels"], colors.tolist(), strict=True))
    labels = {number: Label(region, (r, g, b)) for number, (region, (r, g, b)) in rows if number}
    return Image(image.data, image.affine, title, "", labels, "labels", history, "MNI152")


def _read(file: File, wish: Wish) -> Image:
    """Read a file as the first format that it starts like; damaged, as the one that its name ends like."""
    head, name = file.head(), file.where.lower()
    fitting = (known for known in FORMATS if known.fits(head))
    ending = (known for known in FORMATS if name.endswith(known.endings) and not nifti.fits(head))
    chosen = next(fitting, None) or next(ending, OTHERS)
    _refuse(wish, chosen.grants)
    return chosen.read(file, wish)


def _refuse(wish: Wish, grants: tuple[str, ...]) -> None:
    if wish.affine is not None and "affine" not in grants:
        raise ValueError("affine= goes with an array; an image file brings its own")
    if wish.series is not None and "series" not in grants:
        raise ValueError("series= chooses from a folder of DICOM slices, or a channel of a TIFF; this is one image")


def _from_stream(file: Any) -> File:
    name = str(getattr(file, "name", None) or "the open file")
    if isinstance(file, io.TextIOBase):
        raise TypeError(f"{name}: must be opened in binary mode; it is open as text")
    data = file.read()
    if not isinstance(data, bytes):
        raise TypeError(f"{name}: must be opened in binary mode; it gives {type(data).__name__}")
    return file_of(data, name)


def _from_zip(archive: Path, member: str, wish: Wish) -> Image:
    """Read a member in memory; what its header names is looked for in the zip."""
    if not archive.is_file():
        raise FileNotFoundError(f"{archive}: no such file")
    try:
        bundle = zipfile.ZipFile(archive)
    except Exception as error:
        raise ValueError(f"{archive}: must be a zip archive; {sentence(error)}") from None
    with bundle:
        return _read(_member(bundle, archive, member), wish)


def _member(bundle: zipfile.ZipFile, archive: Path, name: str) -> File:
    names = bundle.namelist()
    if name not in names or name.endswith("/"):
        listed = choices([n for n in names if not n.endswith("/")], name)
        raise FileNotFoundError(f"{archive}: has no member {name!r}; {listed}")
    entry = bundle.getinfo(name)
    folder = name.rpartition("/")[0]
    return File(
        f"{archive}!{name}",
        lambda: bundle.open(name),
        entry.file_size,
        lambda beside: _member(bundle, archive, f"{folder}/{beside}" if folder else beside),
        entry.compress_size,
    )
