"""The histogram engine: how often each value occurs, in the layer's colors, with its opacity curve over it."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from volrender import space
from volrender.draw.annotate import INK, tidy, written
from volrender.layers import Intensity
from volrender.looks import Look

BINS = 96
CURVE, LIGHT_CURVE = "#9c4f10", "#f0a860"  # on a light page, and on a dark one
OPACITY = "opacity per mm"


def draw(ax: Axes, layer: Intensity, font_size: float, ink: str = INK) -> None:
    """Draw the histogram on given axes, with lettering in `ink`."""
    look = layer.look
    low, high = look.survey.low, look.survey.high
    if low == high:
        low, high = low - 0.5, high + 0.5
    data = _shown(layer)
    counts, edges = _counted(data, low, high)
    centers = (edges[:-1] + edges[1:]) / 2
    share = 100 * counts / counts.sum()
    ax.bar(centers, share, width=np.diff(edges), color=look.rgb(centers), edgecolor="0.45", linewidth=0.2)
    # The background's bin is often a hundred times the rest; the axis ends where the subject's bins do.
    zero = max(look.survey.smallest, float(np.diff(edges).max()))
    front = share[np.abs(centers) > zero] if look.survey.signed else share[centers > look.survey.air]
    peak = float(front.max()) if front.size and front.max() > 0 else float(share.max())
    ax.set(xlim=(low, high), ylim=(0, 1.15 * peak))
    tall = np.flatnonzero(share > 1.15 * peak)
    if tall.size:
        # What the cut bars hold stands above them, where no bar and no curve runs.
        total, middle = share[tall].sum(), (edges[tall[0]] + edges[tall[-1] + 1]) / 2
        note = f"{total:.0f} %" if total >= 1 else f"{total:.1g} %"
        note += f" in {tall.size} bars" if tall.size > 1 else ""
        note, side, back = (f"↑ {note}", "left", -1) if 2 * middle < low + high else (f"{note} ↑", "right", 1)
        above: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        place: dict[str, Any] = {"xytext": (0.4 * back * font_size, 1), "ha": side, "va": "bottom"}
        ax.annotate(note, (middle, 1), fontsize=font_size - 1, color=ink, **above, **place)
    ax.set_xlabel(written(_name(layer)), fontsize=font_size, labelpad=1.5, color=ink)
    ax.set_ylabel("voxels (%)", fontsize=font_size, labelpad=1.5, color=ink)
    tidy(ax, font_size, ink)
    _curve(ax, look, (low, high), font_size, CURVE if ink == INK else LIGHT_CURVE)


def _name(layer: Intensity) -> str:
    unit, name = layer.volume.unit, layer.volume.name or "intensity"
    return f"{name} ({unit})" if unit else name


def _shown(layer: Intensity) -> NDArray[Any]:
    """The finite values that no clip removes."""
    volume = layer.volume
    data = volume.data.view(np.uint8) if volume.data.dtype == bool else volume.data
    kept = np.isfinite(data)
    if layer.clip:
        centers_xyz = space.apply_affine(volume.affine, np.moveaxis(np.indices(volume.shape), 0, -1))
        kept &= ~space.removed(layer.clip, centers_xyz)
    if not kept.any():
        raise ValueError("nothing is left to count: the clips remove every voxel")
    return np.asarray(data[kept])


def _counted(data: NDArray[Any], low: float, high: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Counts in about a hundred bins, and their edges.

    Whole numbers fall evenly into bins that are whole numbers wide, else a comb appears. Also where every other number
    is rarer, as after a change of contrast: of two widths the one with less of a comb.
    """
    if data.dtype.kind not in "iu":
        return np.histogram(data, bins=np.linspace(low, high, BINS + 1))
    least = max(1, int(np.ceil((high - low + 1) / BINS)))
    both = [np.histogram(data, bins=np.arange(low - 0.5, high + step + 0.5, step)) for step in (least, least + 1)]
    return min(both, key=lambda counted: _comb(counted[0]))


def _comb(counts: NDArray[np.intp]) -> float:
    """How far counts go up and down from one bin to the next, without the few that are far above the rest."""
    held = np.minimum(counts, np.percentile(counts, 95))
    return float(np.abs(np.diff(held, 2)).sum() / max(held.sum(), 1))


def _curve(ax: Axes, look: Look, limits: tuple[float, float], font_size: float, ink: str) -> None:
    """The opacity curve, on an axis of its own at the right."""
    nodes = look.nodes("volume")
    twin = ax.twinx()
    x = [limits[0], *(value for value, _ in nodes), limits[1]]
    y = [nodes[0][1], *(opacity for _, opacity in nodes), nodes[-1][1]]
    twin.plot(x, y, color=ink, linewidth=1.0, clip_on=True)
    # What is translucent absorbs little in a millimetre: its curve would lie on the axis.
    top = next(nice for nice in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if nice >= min(max(y), 1.0))
    ticks = [0, top / 2, top]
    twin.set(xlim=limits, ylim=(0, 1.05 * top))
    label = OPACITY if look.distance == 1 else f"opacity per {look.distance:.2g} mm"
    twin.set_ylabel(label, fontsize=font_size, labelpad=2, color=ink)
    twin.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    tidy(twin, font_size, ink, side="right")
