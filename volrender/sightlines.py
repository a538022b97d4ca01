"""Which layers and labels of a scene nobody sees, because others hide them: told by straight lines to the viewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender import framing, paint
from volrender.layers import CutPlane, Intensity, LabelMap, Layer, is_projection
from volrender.space import Camera, corners, removed

LINES = 400  # from a layer
OF_LABEL = 60  # lines from a label
SAMPLES = 160  # along each
FAINTEST = 1 / 255
TIP = 0.05  # of a cluster: less of it, as where it just comes through a cut face, does not show it
IN_FACE = 2.0  # voxels under a cut face, in which the face itself shows what is there
PARALLEL = 1e-9
ONTO = 1e-3  # mm


def hidden(layers: Sequence[Layer], camera: Camera) -> list[Layer]:
    """The layers of which nothing is seen, whatever way light takes to the viewer.

    Examples
    --------
    >>> from volrender import Camera, Intensity, Isosurface, Plane, sample
    >>> head, map_inside = Intensity(sample("mni152")), Isosurface(sample("motor"), level=6)
    >>> [layer.volume.name for layer in hidden([head, map_inside], Camera(25, 150))]
    ['left − right hand']
    >>> hidden([Intensity(sample("mni152"), clip=Plane(z=20)), map_inside], Camera(25, 150))
    []
    """
    return [layer for layer in layers if not _is_seen(layer, layers, camera)]


def seen_labels(layer: LabelMap, others: Sequence[Layer], camera: Camera) -> NDArray[Any]:
    """The labels at places evenly spread over what is seen of a label map among other layers.

    Examples
    --------
    >>> from volrender import Camera, LabelMap, sample
    >>> atlas = LabelMap(sample("atlas"))
    >>> len(atlas.table), len(np.unique(seen_labels(atlas, [], Camera(25, 150))))
    (138, 31)
    """
    labels, points = framing.labels_toward(layer, camera)
    if not others:
        return labels
    order = np.argsort(labels, kind="stable")
    _, first, counts = np.unique(labels[order], return_index=True, return_counts=True)
    every = np.maximum(1, counts // OF_LABEL)
    lines = [start + np.arange(0, n, step) for start, n, step in zip(first, counts, every)]
    chosen, stands_for = order[np.concatenate(lines)], np.repeat(every, list(map(len, lines)))
    seen = _passed(points[chosen], others, camera) > FAINTEST
    return np.repeat(labels[chosen][seen], stands_for[seen])


def shows(layers: Sequence[Layer], camera: Camera, layer: Layer, points_xyz: NDArray[np.float64]) -> bool:
    """Whether more than a tip is seen of what a layer has at points (n, 3)."""
    return bool((_light(layer, points_xyz, layers, camera) > FAINTEST).mean() > TIP)


def _is_seen(layer: Layer, layers: Sequence[Layer], camera: Camera) -> bool:
    if len(layers) == 1 or isinstance(layer, CutPlane):
        return True
    points = framing.layer_points(layer)
    return not len(points) or bool((_light(layer, points, layers, camera) > FAINTEST).any())


def _light(layer: Layer, points: NDArray[np.float64], layers: Sequence[Layer], camera: Camera) -> NDArray[np.float64]:
    """How much light from some of a layer's points (n, 3) gets through the others: 0 to 1.

    That of a projection comes from behind them all, and goes through the later projections too.
    """
    points = points[:: max(1, len(points) // LINES)]
    others = [other for other in layers if other is not layer]
    if not is_projection(layer):
        return _passed(points, others, camera)
    over = [other for other in layers[list(layers).index(layer) + 1 :] if is_projection(other)]
    behind = min(float((corners(one.volume.shape, one.volume.affine) @ camera.toward).min()) for one in layers)
    passed = _passed(points - (points @ camera.toward - behind)[:, None] * camera.toward, others, camera)
    for other in over:
        passed *= 1 - _projected(other, points, camera.toward)
    return passed


def _passed(points: NDArray[np.float64], others: Sequence[Layer], camera: Camera) -> NDArray[np.float64]:
    """How much light from points (n, 3) gets through other layers: (n,), 0 to 1; projections lie behind them."""
    passed = np.ones(len(points))
    for other in others:
        if not isinstance(other, CutPlane) and not is_projection(other):
            passed *= _through(other, points, camera.toward)
    return passed


def _through(layer: Layer, points: NDArray[np.float64], toward: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much light from each point (n, 3) gets through a layer in a direction: (n,), 0 to 1."""
    bounds = layer.volume.bounds
    reach = float(np.linalg.norm(np.ptp(bounds, axis=1))) + float(np.abs(points - bounds.mean(axis=1)).max())
    step = reach / SAMPLES
    along = points[:, None] + step * (np.arange(SAMPLES)[:, None] + 0.5) * toward
    alpha = paint.paint(layer, along, "volume")[..., 3].astype(np.float64)
    if isinstance(layer, Intensity) and layer.clip and paint.opaque(layer):
        alpha[_behind_face(layer, points, toward), 0] = 1
    if isinstance(layer, Intensity):
        return np.asarray(np.prod((1 - np.minimum(alpha, 1)) ** (step / layer.look.distance), axis=1))
    return np.asarray(1 - alpha.max(axis=1))


def _projected(layer: Intensity, points: NDArray[np.float64], toward: NDArray[np.float64]) -> NDArray[np.float64]:
    """About which alpha a projection has on the lines through points (n, 3): (n,)."""
    bounds = layer.volume.bounds
    reach = float(np.linalg.norm(np.ptp(bounds, axis=1)))
    middle = points + ((bounds.mean(axis=1) - points) @ toward)[:, None] * toward
    along = middle[:, None] + np.linspace(-reach / 2, reach / 2, SAMPLES)[:, None] * toward
    values = paint.sample(paint.projected(layer), along)
    values[removed(layer.clip, along)] = np.nan
    alpha = layer.look.alpha(values, layer.blend)
    if layer.blend == "average":
        total = np.where(alpha > 0, values, 0).sum(axis=1, keepdims=True)
        alpha = layer.look.alpha(total / np.maximum((alpha > 0).sum(axis=1, keepdims=True), 1), layer.blend)
    return np.asarray(alpha.max(axis=1), dtype=np.float64)


def _behind_face(layer: Intensity, points: NDArray[np.float64], toward: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points (n, 3) a cut face hides, which covers all of a subject: its dark parts too.

    Points that lie hardly under a face are what the face itself shows.
    """
    behind, near = np.zeros(len(points), dtype=bool), IN_FACE * max(layer.volume.spacing)
    body = paint.closed(layer)
    if body is None:
        return behind
    for clip in layer.clip:
        first, last = np.full(len(points), near), np.full(len(points), np.inf)
        for row in clip.halfspaces:
            rises, over = float(row[:3] @ toward), points @ row[:3] - row[3]
            if abs(rises) < PARALLEL:
                last[over <= 0] = -np.inf
            elif rises > 0:
                first = np.maximum(first, -over / rises)
            else:
                last = np.minimum(last, -over / rises)
        under = points + (first[:, None] - ONTO) * toward
        entered = (first > near) & (first < last) & ~removed(layer.clip, under)
        behind |= entered & (body.covers(under) >= 0.5)
    return behind
