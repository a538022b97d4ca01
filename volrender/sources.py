"""Where volumes come from: `load` for yours, `sample` for the bundled ones."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from volrender import io
from volrender.origin import Call, SourceFile, begin
from volrender.volume import Volume


def load(
    source: Any,
    *,
    affine: ArrayLike | None = None,
    kind: str | None = None,
    series: str | int | None = None,
) -> Volume:
    """Load a volume.

    Parameters
    ----------
    source : path, folder, nibabel image, array, open binary file or bytes
        A path may name a folder of DICOM slices, or a member of a zip, ``"images.zip!sub/struct.hdr"``; a header finds
        its data beside it.
    affine : array_like, shape (4, 4), optional
        For an array or a ``.npy`` file, where it is needed, and for ``.npz`` and TIFF: index of a voxel's centre to
        world mm, RAS+.
    kind : {"intensity", "labels", "rgb"}, optional
        By default what the header says; without a word there, intensity.
    series : int or str, optional
        Which of several: the number or the UID of a DICOM series in a folder, or a channel of a TIFF, from 0.

    Returns
    -------
    Volume
        In the file's own type and order, in world mm, RAS+. Trailing axes of length one are dropped, 4-D is kept.

    Raises
    ------
    FileNotFoundError
        If there is no such file or member.
    TypeError, ValueError
        If it is not a volume, is cut short, or claims more than it can hold; the sentence names the file.
    ImportError
        If the format needs a library that is not installed; the sentence says how to get it.

    Warns
    -----
    UserWarning
        If a header gives two answers to where the volume is, or none.

    Examples
    --------
    >>> load(np.zeros((4, 5, 6)), affine=np.diag([2, 2, 2, 1]))
    <Volume array: 4 x 5 x 6 float64, 2 x 2 x 2 mm, RAS, intensity>
    """
    if isinstance(source, Volume) and affine is None:
        return source if kind is None else replace(source, kind=kind, history=(*source.history, f"taken as {kind}"))
    if isinstance(source, np.ndarray):
        return _from_array(source, affine, kind, "array")
    if isinstance(source, Volume):
        raise ValueError("affine= goes with an array; a volume has its own")
    file = _file_of(source)
    volume = _from_image(io.read(source, affine=affine, series=series), kind, _described(source))
    if file is None:
        return volume
    said = {"affine": affine, "kind": kind, "series": series}
    return begin(volume, Call("load", {word: value for word, value in said.items() if value is not None}), file)


def sample(name: str) -> Volume:
    """A bundled volume, without the network.

    Parameters
    ----------
    name : {"mni152", "atlas", "motor"}
        The MNI152 2009 T1 group average with its skull (1.5 mm); the Allen human reference atlas on the same grid,
        with names and colors; a group z-map of left against right button presses (3 mm, stored LAS).

    Returns
    -------
    Volume

    Examples
    --------
    >>> sample("motor").orientation
    'LAS'
    """
    return begin(_from_image(io.read_sample(name), None, name), Call("sample", {"name": name}))


def _from_image(image: io.Image, kind: str | None, where: str) -> Volume:
    history = image.history if kind in (None, image.kind) else (*image.history, f"taken as {kind}")
    kind = kind or image.kind
    if image.kind == "rgb" != kind:
        raise ValueError(f"{where}: holds colors; its kind must be 'rgb', got {kind!r}")
    try:
        return Volume(image.data, image.affine, kind, image.name, image.unit, history, image.labels, image.space)
    except (TypeError, ValueError) as error:
        raise _naming(where, error) from None


def _from_array(data: np.ndarray[Any, Any], affine: ArrayLike | None, kind: str | None, name: str) -> Volume:
    if affine is None:
        raise ValueError("an array has no position: give affine=, 4x4, index of a voxel's centre to world mm")
    history = [f"array of {data.dtype}"]
    if data.dtype.kind == "c":
        data = np.abs(data)
        history.append("complex values replaced by their magnitude")
    data = np.ma.filled(data.astype(float), np.nan) if np.ma.is_masked(data) else np.array(data)
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if kind is not None:
        history.append(f"taken as {kind}")
    kind = kind or ("labels" if data.dtype == bool else "intensity")
    return Volume(data, np.asarray(affine, dtype=float), kind, name, history=tuple(history))


def _file_of(source: Any) -> SourceFile | None:
    """The file that a source is: a path, or a nibabel image whose data are still on disk."""
    if isinstance(getattr(source, "dataobj", None), np.ndarray):
        return None
    if hasattr(source, "dataobj") and hasattr(source, "get_filename"):
        source = source.get_filename()
    if not isinstance(source, (str, os.PathLike)):
        return None
    try:
        return SourceFile.at(os.fspath(source))
    except (OSError, ValueError):  # no such file, or no name that a file can have
        return None


def _described(source: Any) -> str:
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else "the image given"


def _naming(where: Any, error: Exception) -> Exception:
    return type(error)(f"{where}: {error}")
