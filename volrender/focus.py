"""What a picture is about: the point and the positions at which slices are cut when none are given.

The finding is a layer that lies over another, a map before labels: its largest cluster, and in it the peak, so that the
cut hits it. Without one it is the middle of the subject. All is computed on the closest-RAS voxels, so the order of
storage does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from volrender import framing, space
from volrender.layers import CutPlane, Intensity, Isosurface, LabelMap, Layer
from volrender.space import Floats
from volrender.surveys import THRESHOLDED
from volrender.volume import Volume

PLATEAU = 0.02  # of a peak: what is as high belongs to it
LOOKED_AT = 500_000  # voxels of a mask or an anatomy
COUNTED = 100_000  # voxels that a row of slices is spread over
EDGE = 2.0  # percent of the subject's voxels at either end of a row of slices that are no reason for a slice


def finding(layers: Sequence[Layer]) -> Layer:
    """The layer that the picture is about: the last map of a statistic over others, else the last over them, else they.

    A plane, or a surface of what lies below, is no finding. Of several surfaces of one map, as of its two signs, it is
    the one with the largest cluster.
    """
    ground, *over = [layer for layer in layers if not isinstance(layer, CutPlane)] or layers
    over = [layer for layer in over if layer.volume is not ground.volume]
    maps = [layer for layer in over if not isinstance(layer, LabelMap) and _field(layer).survey.hollow]
    last = (maps or over or [ground])[-1]
    alike = [layer for layer in over if isinstance(layer, Isosurface) and layer.volume is last.volume]
    return max(alike, key=_extent) if isinstance(last, Isosurface) and len(alike) > 1 else last


def _extent(layer: Isosurface) -> int:
    """How many voxels its largest cluster has."""
    return int(np.count_nonzero(_largest(framing.seen(layer, layer.volume.canonical, 1)[0])))


def point(layers: Sequence[Layer]) -> Floats:
    """The world point (mm) in which slices cross by default, to a round number within the voxel.

    Of an overlay or a map with a sign the peak of the largest cluster (of a label map, its voxel next to the centre);
    of a map without a threshold, whose clusters mean nothing, the peak of all. Of anatomy the centre of mass.
    """
    layer = finding(layers)
    source = _field(layer)
    signed = not isinstance(layer, LabelMap) and source.survey.signed
    place = _middle(layer) if layer is layers[0] and not signed else _peak(layer, source.canonical)
    return np.asarray(np.round(place / _step(source)) * _step(source) + 0.0)


def rounded(layers: Sequence[Layer], place: float) -> float:
    """A position (mm) as the round number next to it, within the voxel of what the picture is about."""
    step = _step(_field(finding(layers)))
    return float(np.round(np.round(place / step) * step, 9) + 0.0)


def spread(layers: Sequence[Layer], normals: Sequence[Floats], counts: Sequence[int]) -> list[list[float]]:
    """Positions (mm along each direction) of so many slices, evenly through what the picture is about.

    Of an overlay one goes through its `point`.

    Examples
    --------
    >>> from volrender import Intensity, sample
    >>> spread([Intensity(sample("mni152"))], [np.array([0.0, 0.0, 1.0])], [4])
    [[-50.0, -12.0, 27.0, 65.0]]
    """
    layer = finding(layers)
    shown, affine = _seen(layer)
    index = np.argwhere(shown)
    points_xyz = space.apply_affine(affine, index[:: 1 + len(index) // COUNTED])
    middle, step = point(layers), _step(_field(layer))
    found = []
    for normal, count in zip(normals, counts):
        low, high = np.percentile(points_xyz @ normal, (EDGE, 100 - EDGE))
        places = low + (np.arange(count) + 0.5) / max(count, 1) * (high - low)
        if count and (layer is not layers[0] or count == 1):
            away = float(middle @ normal) - places
            places = places + away[np.argmin(np.abs(away))]
        rounded = np.round(places / step) * step + 0.0
        found.append([float(place) for place in np.unique(np.round(rounded, 9))])
    return found


def _field(layer: Layer) -> Volume:
    return layer.field if isinstance(layer, (Intensity, CutPlane)) else layer.volume


def _step(volume: Volume) -> float:
    """A round number of mm, 1 or a tenth, a hundredth, ..., not above the voxel size."""
    return float(10.0 ** min(0, np.floor(np.log10(min(volume.spacing)))))


def _seen(layer: Layer) -> tuple[NDArray[np.bool_], Floats]:
    """Which voxels are seen, of a regular subsample if there are many, and the affine of their grid."""
    source = _field(layer).canonical
    shown, affine = framing.seen(layer, source, framing.framing_step(source, LOOKED_AT))
    if not shown.any():
        shown, affine = framing.seen(layer, source, 1)
    if not shown.any():
        if layer.clip or not framing.is_even(layer):
            raise framing.nothing(layer)
        shown = np.ones_like(shown)
    return shown, affine


def _middle(layer: Layer) -> Floats:
    """The centre of mass (mm) of the voxels that are seen."""
    shown, affine = _seen(layer)
    return space.apply_affine(affine, _centre(shown))


def _peak(layer: Layer, source: Volume) -> Floats:
    """The world centre of the voxel that stands for an overlay."""
    if isinstance(layer, LabelMap):
        shown, affine = _seen(layer)
        return space.apply_affine(affine, _heart(_largest(shown)))
    shown, affine = framing.seen(layer, source, 1)
    if not shown.any():
        return _middle(layer)
    size: NDArray[Any] = np.abs(source.data) if source.survey.signed else source.data
    if not isinstance(layer, Intensity) or not source.survey.signed:
        shown = _largest(shown)
    elif (layer.look.level or source.survey.smallest) > THRESHOLDED * source.survey.robust[1]:
        shown = max((_largest(shown & (source.data * sign > 0)) for sign in (1, -1)), key=np.count_nonzero)
    top = size[shown & np.isfinite(size)].max()
    # Of a peak that is cut off flat, the middle.
    return space.apply_affine(affine, _heart(_largest(shown & (size >= top - PLATEAU * abs(top)))))


def _heart(body: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The index of the voxel of a body that lies next to its centre of mass."""
    middle = _centre(body)
    nearest = np.rint(middle).astype(np.intp)
    if body[tuple(nearest)]:
        return nearest
    index = np.argwhere(body)
    return np.asarray(index[np.argmin(((index - middle) ** 2).sum(axis=1))])


def _centre(body: NDArray[np.bool_]) -> Floats:
    """The index of the centre of mass."""
    others = [tuple(other for other in range(3) if other != axis) for axis in range(3)]
    counts = [np.count_nonzero(body, axis=pair) for pair in others]
    return np.array([along @ np.arange(len(along)) / along.sum() for along in counts])


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest body of voxels that touch by their faces."""
    bodies, count = scipy.ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(bodies.ravel())
    return np.asarray(bodies == 1 + np.argmax(sizes[1:]))
