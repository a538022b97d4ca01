"""What a picture is about: the point and the positions at which slices are cut when none are given.

The finding is a layer that lies over another, a map before labels: its largest cluster, and in it the peak, so that the
cut hits it. Without one it is the middle of the subject. All is computed on the closest-RAS voxels, so the order of
storage does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
TOLD = 20  # clusters, the largest, of which one that is seen is looked for


@dataclass(frozen=True)
class Told:
    """A cluster that is told: its layer, the world point (mm) of its peak, and whether it is the layer's largest."""

    layer: Layer
    point: Floats
    largest: bool


def finding(layers: Sequence[Layer]) -> Layer:
    """The layer that the picture is about: the last map of a statistic over others, else the last over them, else they.

    A plane, or a surface of what lies below, is no finding. Of several surfaces of one map, as of its two signs, it is
    the one with the largest cluster.
    """
    alike = _alike(layers)
    return max(alike, key=_extent) if len(alike) > 1 else alike[0]


def _alike(layers: Sequence[Layer]) -> list[Layer]:
    """The layer that the picture is about; if it is a surface all those of its map."""
    ground, *over = [layer for layer in layers if not isinstance(layer, CutPlane)] or layers
    over = [layer for layer in over if layer.volume is not ground.volume]
    maps = [layer for layer in over if not isinstance(layer, LabelMap) and _field(layer).survey.hollow]
    last = (maps or over or [ground])[-1]
    alike: list[Layer] = [layer for layer in over if isinstance(layer, Isosurface) and layer.volume is last.volume]
    return alike if isinstance(last, Isosurface) and len(alike) > 1 else [last]


def told(layers: Sequence[Layer], is_seen: Callable[[Layer, Floats], bool]) -> Told | None:
    """The largest cluster of the finding that is in the picture, by its peak; None if none of the large ones is.

    Parameters
    ----------
    layers : sequence of layers
    is_seen : callable
        Whether something of a layer is seen at world points (n, 3), the centres of the voxels of a cluster.
    """
    found = [(layer, *_clusters(layer)) for layer in _alike(layers)]
    places = [(size, layer, bodies, body) for layer, bodies, sizes in found for body, size in sizes.items()]
    places.sort(key=lambda place: -place[0])
    for size, layer, bodies, body in places[:TOLD]:
        source, shown = _field(layer).canonical, bodies == body
        if is_seen(layer, space.apply_affine(source.affine, np.argwhere(shown))):
            return Told(
                layer,
                _rounded(_summit(shown, source), source),
                size == max(place[0] for place in places if place[1] is layer),
            )
    return None


def _extent(layer: Layer) -> int:
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
    return _rounded(place, source)


def _rounded(place: Floats, volume: Volume) -> Floats:
    """A world point with round numbers, within its voxel."""
    return np.asarray(np.round(place / _step(volume)) * _step(volume) + 0.0)


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
    shown = framing.seen(layer, source, 1)[0]
    if not shown.any():
        return _middle(layer)
    parts = _sides(layer, source, shown)
    return _summit(max(map(_largest, parts), key=np.count_nonzero) if parts else shown, source)


def _sides(layer: Layer, source: Volume, shown: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Of what is seen of an overlay the parts that have clusters, by sign; none of a map without a threshold."""
    if not isinstance(layer, Intensity) or not source.survey.signed:
        return [shown]
    if (layer.look.level or source.survey.smallest) > THRESHOLDED * source.survey.robust[1]:
        return [shown & (source.data * sign > 0) for sign in (1, -1)]
    return []


def _clusters(layer: Layer) -> tuple[NDArray[np.int32], dict[int, int]]:
    """The clusters of an overlay, numbered from 1 in its voxels, and how many each has; else the peak of all."""
    source = _field(layer).canonical
    shown = framing.seen(layer, source, 1)[0]
    bodies = np.zeros(shown.shape, dtype=np.int32)
    if not shown.any():
        return bodies, {}
    for part in _sides(layer, source, shown) or [_plateau(shown, source)]:
        found, _ = scipy.ndimage.label(part)
        bodies[part] = found[part] + bodies.max()
    sizes = np.bincount(bodies.ravel())
    return bodies, {body: int(sizes[body]) for body in range(1, len(sizes))}


def _plateau(shown: NDArray[np.bool_], source: Volume) -> NDArray[np.bool_]:
    """Where a map is as high as at its peak, in a part of it."""
    size: NDArray[Any] = np.abs(source.data) if source.survey.signed else source.data
    top = size[shown & np.isfinite(size)].max()
    return _largest(shown & (size >= top - PLATEAU * abs(top)))


def _summit(shown: NDArray[np.bool_], source: Volume) -> Floats:
    """The world centre of the voxel that is the peak of a part of a map; of one that is cut off flat, the middle."""
    return space.apply_affine(source.affine, _heart(_plateau(shown, source)))


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
