"""Which layers, clusters and labels a slice crosses: of the others nothing is in the picture, nor is it told."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender import paint, space
from volrender.cuts import Cut, Sheet, along, trace
from volrender.layers import CutPlane, Intensity, Isosurface, LabelMap, Layer
from volrender.space import Floats

FINE, MOST = 0.25, 1000  # of a voxel, how closely a surface is looked for; samples along a side


@singledispatch
def meets(layer: Layer, cut: Cut, extent: Floats) -> bool:
    """Whether something of a layer is in the part of a cut that is shown, ((u, u), (v, v)) in mm.

    Of a label map `labels` tells.

    Examples
    --------
    >>> import volrender as vr
    >>> shown, surface = np.array([[-90.0, 90.0], [-120.0, 90.0]]), vr.Isosurface(vr.sample("motor"), level=3.1)
    >>> [meets(surface, along(vr.Plane(z=z)), shown) for z in (50, -45)]
    [True, False]
    """
    return True


@meets.register
def _(layer: Intensity, cut: Cut, extent: Floats) -> bool:
    """Whether it has color there, as an overlay."""
    return bool((paint.paint(layer, _sheet(layer, cut, extent, FINE), "overlay")[..., 3] > 0).any())


@meets.register
def _(layer: Isosurface, cut: Cut, extent: Floats) -> bool:
    sheet = _sheet(layer, cut, extent, FINE)
    values = paint.values_at(layer, sheet)
    within, there = paint.enclosed(layer, values), np.isfinite(values)
    if layer.clip:
        there &= ~space.removed(layer.clip, sheet.points)
    return bool((within & there).any() and (~within & there).any())


@meets.register
def _(layer: CutPlane, cut: Cut, extent: Floats) -> bool:
    return trace(cut, along(layer.plane), extent) is not None


def is_met(layer: Layer, cut: Cut, extent: Floats, points_xyz: Floats) -> bool:
    """Whether something of an overlay is shown where a cut goes through voxels with their centres at (n, 3)."""
    away = points_xyz @ cut.normal - cut.offset
    half = np.abs(cut.normal @ layer.volume.affine[:3, :3]).sum() / 2
    places = (points_xyz - away[:, None] * cut.normal)[np.abs(away) <= half]
    flat = cut.flat(places)
    places = places[((flat >= extent[:, 0]) & (flat <= extent[:, 1])).all(axis=1)]
    return bool((paint.paint(layer, places, "overlay")[..., 3] > 0).any())


def labels(layer: LabelMap, cut: Cut, extent: Floats) -> NDArray[Any]:
    """The labels (n,) at places evenly spread over the part of a cut that is shown, where no clip removes them."""
    sheet = _sheet(layer, cut, extent, 1.0)
    found = paint.values_at(layer, sheet)
    return found[~space.removed(layer.clip, sheet.points)] if layer.clip else found.ravel()


def _sheet(layer: Layer, cut: Cut, extent: Floats, share: float) -> Sheet:
    """Places that are a share of a voxel apart, in a cut."""
    step = share * min(layer.volume.spacing)
    columns, rows = np.ceil(np.ptp(extent, axis=1) / step).clip(1, MOST if share < 1 else None).astype(int).tolist()
    return cut.sheet(extent, (columns, rows))
