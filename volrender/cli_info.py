"""What `volrender info` says of a volume."""

from __future__ import annotations

import numpy as np

from volrender.intensity import finite_range
from volrender.volume import Volume


def facts(volume: Volume) -> list[tuple[str, str]]:
    """What `info` says of a volume."""
    times = " x "
    rows = [
        ("shape", times.join(map(str, volume.shape[:3]))),
        ("frames", str(volume.shape[3] if volume.data.ndim == 4 and volume.kind != "rgb" else 1)),
        ("spacing", times.join(f"{s:.4g}" for s in volume.spacing) + " mm"),
        ("orientation", volume.orientation),
        ("obliquity", f"{volume.obliquity:.1f} degrees"),
        ("bounds", ", ".join(f"{axis} {lo:.4g} to {hi:.4g}" for axis, (lo, hi) in zip("xyz", volume.bounds)) + " mm"),
        ("space", volume.space or "unknown"),
        ("kind", f"{volume.kind}, {volume.data.dtype}{f', unit {volume.unit}' if volume.unit else ''}"),
        ("why", _why(volume)),
    ]
    if volume.kind == "rgb":
        return rows
    if volume.kind == "labels":
        labels = np.unique(volume.data)
        rows.append(("labels", f"{np.count_nonzero(labels)}, up to {labels.max()}"))
        return rows
    low, high = finite_range(volume.data)
    values = volume.data[np.isfinite(volume.data)] if volume.data.dtype.kind == "f" else volume.data
    marks = (1, 25, 50, 75, 99)
    percents = np.percentile(values, marks)
    rows.append(("range", f"{low:.6g} to {high:.6g}"))
    rows.append(("percentiles", ", ".join(f"{m} %: {p:.5g}" for m, p in zip(marks, percents))))
    missing = volume.data.size - values.size
    if missing:
        rows.append(("not finite", f"{missing} voxels"))
    return rows


def _why(volume: Volume) -> str:
    """Why a volume is of its kind, where it could be taken for another."""
    if any(step == f"taken as {volume.kind}" for step in volume.history):
        return "as asked for"
    if volume.kind == "rgb":
        return "colors, red, green and blue" + (" and alpha" if volume.shape[3] == 4 else "")
    if volume.kind == "labels":
        return "true or false" if volume.data.dtype == bool else "the header says labels"
    values = volume.data[np.isfinite(volume.data)] if volume.data.dtype.kind == "f" else np.zeros(1)
    return "not whole numbers" if (values % 1).any() else "the header does not say labels"
