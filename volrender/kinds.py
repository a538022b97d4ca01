"""What voxels may hold: numbers, colors and labels, checked where a `Volume` is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender import color, intensity
from volrender.io import Label

KINDS = ("intensity", "labels", "rgb")
COUNTED = 4_000_000  # voxels at a time: numpy counts in integers of 64 bits


def voxels(data: Any, kind: str) -> NDArray[Any]:
    """Checked data of a kind, in the machine's byte order and a type that all engines know."""
    array = np.asarray(data)
    if array.ndim not in (3, 4):
        raise ValueError(f"a volume must have three axes, or four with time; got shape {array.shape}")
    if 0 in array.shape:
        raise ValueError(f"a volume must have voxels; got shape {array.shape}")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a volume must hold real numbers; got {array.dtype}")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):  # half and quad: no engine knows them
        array = intensity.as_float(array)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    return _whole(array) if kind == "labels" else _colors(array) if kind == "rgb" else array


def _colors(data: NDArray[Any]) -> NDArray[Any]:
    """Colors as uint8, (i, j, k, 3 | 4)."""
    if data.ndim != 4 or data.shape[3] not in (3, 4):
        raise ValueError(f"colors must have the shape (i, j, k, 3) or (i, j, k, 4); got {data.shape}")
    if data.dtype.kind == "f" and np.nanmin(data) >= 0 and np.nanmax(data) <= 1:
        return np.asarray(np.rint(np.nan_to_num(data) * 255), np.uint8)
    if data.dtype != np.uint8:
        raise ValueError(f"colors must be uint8, or floats from 0 to 1; got {data.dtype}")
    return data


def _whole(data: NDArray[Any]) -> NDArray[Any]:
    """Label values as integers (or booleans), unchanged in value."""
    if data.dtype.kind in "biu":
        return data
    if not np.isfinite(data).all() or (data % 1 != 0).any():
        raise ValueError("a label map must hold whole numbers; got fractions, NaN or infinities")
    if np.abs(data).max() >= 2**31:
        raise ValueError(f"labels in floats must be below 2147483648 in size; got {np.abs(data).max():.12g}")
    return data.astype(np.int32)


def label_sizes(data: NDArray[Any]) -> dict[int, int]:
    """How many voxels each label has, in rising order of label; background is left out."""
    if data.dtype in (np.uint8, np.uint16):  # a third of the time
        flat, most = data.ravel(order="K"), int(np.iinfo(data.dtype).max) + 1
        counts = np.zeros(most, dtype=np.intp)
        for first in range(0, flat.size, COUNTED):
            counts += np.bincount(flat[first : first + COUNTED], minlength=most)
        return {label: int(counts[label]) for label in np.flatnonzero(counts).tolist() if label}
    labels, counts = np.unique(data, return_counts=True)
    return {int(label): int(count) for label, count in zip(labels, counts) if label}


def labels_named(labels: Any) -> Mapping[int, Label]:
    """Checked names and colors of labels; a name alone gets a color of its own."""
    if not isinstance(labels, Mapping) or not all(isinstance(n, (int, np.integer)) for n in labels):
        raise TypeError(f'labels must map numbers to names, such as {{1: "putamen"}}; got {labels!r}')
    if all(isinstance(entry, Label) for entry in labels.values()):
        return labels
    usual = color.label_colors(sorted(labels))
    named = {}
    for n, entry in labels.items():
        name, own = (
            (entry, usual[n])
            if isinstance(entry, str)
            else entry
            if isinstance(entry, tuple) and len(entry) == 2
            else (0, 0)
        )
        if not isinstance(name, str):
            raise TypeError(f"the label {n} must have a name, or a name and a color; got {entry!r}")
        named[int(n)] = Label(name, color.as_rgb(own, f"the color of label {n}"))
    return named
