"""Which layers and labels a slice crosses: of the others nothing is in the picture, nor is it told.

A map has its color bar and its limits wherever it is cut: that nothing of it lies beyond a threshold is a finding.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender import paint, space
from volrender.cuts import Cut, Sheet, along, trace
from volrender.layers import CutPlane, Isosurface, LabelMap, Layer
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
