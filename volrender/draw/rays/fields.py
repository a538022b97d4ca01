"""Layers as fields: the numbers that rays look up, smoothed where normals need it.

A field is filled in slabs, so that an interrupt is heard and memory is held for one copy of the volume, as float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from volrender import paint
from volrender.draw.compiled import run
from volrender.draw.rays.grids import blur, cubic
from volrender.layers import Intensity, Isosurface, LabelMap
from volrender.rendering import LABEL_KEPT, LABEL_SMOOTH, SURFACE_SMOOTH
from volrender.space import Clip, translation
from volrender.volume import Volume

Slab: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
SLAB = 8  # voxels
HALF = 0.5  # of a smoothed label map's 0 to 1
LOOKED_AT = 4_000_000  # voxels, of which it is told where a smoothed surface lies
# Parts of a voxel along each axis, from which a smooth surface is made, and how many there may be of them in all. Of
# three one is at the voxel's centre; two are enough for a sheet thinner than a voxel.
SAMPLES = {3: 8_000_000, 2: 24_000_000}
ROOM = 10  # voxels around a label map's bodies, more than its smoothing reaches
KEPT_SPECK = 0.9  # of what a voxel was beyond a surface's level, where all around it would vanish


def _weights(along: NDArray[Any]) -> NDArray[np.float32]:
    """From those of values in a row at each part (n, parts) to those of a block of values at all (n^3, parts^3)."""
    return np.einsum("ia,jb,kc->ijkabc", along, along, along).reshape(len(along) ** 3, -1).astype(np.float32)


PARTS, ROUNDS = 4, 4  # of a cell between voxels along each axis, in which what a surface encloses is counted; how often
MIDDLES = (np.arange(PARTS) + 0.5) / PARTS
LINEAR, CUBIC = _weights(np.stack([1 - MIDDLES, MIDDLES])), _weights(np.stack(cubic(MIDDLES)))
CUBES = np.full((8, 1), 1 / 8, dtype=np.float32)
CELLS = 40_000  # that are counted, at most
SETTLED = 2e-4  # of a field's range: what a surface encloses is then what it should


@dataclass(frozen=True)
class Count:
    """How many cells' worth a field encloses at a level in some cells between voxels, of lowest voxels (3, n)."""

    level: float
    cells: NDArray[np.intp]
    full: float

    def gain(self, out: NDArray[np.float32]) -> float:
        """How much higher than the level a smoothed field encloses as much there; less that, it does so at the level."""
        values = (_around(out, tuple(self.cells), 4) @ CUBIC).ravel() - np.float32(self.level)
        above = int(np.clip(self.full * PARTS**3, 0, values.size))
        if not 0 < above < values.size:
            return 0.0
        return float(np.partition(values, values.size - above)[values.size - above])


@dataclass(frozen=True)
class Field:
    """A field that is still to be filled.

    Attributes
    ----------
    volume : Volume
        In closest-RAS order.
    slab : callable
        From the volume's own values to the field's, a slab at a time.
    weights : (n,) or None
        What the field is convolved with along each axis.
    has : callable
        From the lowest and the highest value of each block to whether there is something in it.
    clip : tuple of Clip
    round : bool
        Whether values between voxels are those of a cubic, and the surfaces at what is `kept` enclose as much as before.
    firm : 0, 1 or 2
        Whether every voxel above 0 stays there when the field is smoothed; of 2 every voxel below stays there too.
    kept : tuple of float
        The values, ascending, beyond which, on either side, nothing vanishes when the field is smoothed.
    limits : (low, high)
        Between which values stay.
    """

    volume: Volume
    slab: Slab
    weights: NDArray[np.float64] | None
    has: Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.bool_]]
    clip: tuple[Clip, ...]
    round: bool = False
    firm: int = 0
    kept: tuple[float, ...] = ()
    limits: tuple[float, float] = (-np.inf, np.inf)

    def fill(self, out: NDArray[np.float32]) -> None:
        """Fill in the field (i, j, k)."""
        data = self.volume.data

        def copy(first: int) -> None:
            part = slice(first, first + SLAB)
            out[part] = self.slab(data[part])

        run(partial(copy, first) for first in range(0, len(data), SLAB))
        if self.weights is None:
            return
        for axis in range(3):
            smooth(out, self.weights, axis)
        counts = [self._count(out, level) for level in self.kept] if self.round else []
        for n in range(ROUNDS if self.round else 1):
            if counts:
                gains = [count.gain(out) for count in counts]
                if n and max(map(abs, gains)) < SETTLED:
                    break
                for part in out:
                    part -= np.interp(part, self.kept, gains).astype(np.float32)
            for level in self.kept:
                self._keep(out, np.float32(level))
        np.clip(out, *self.limits, out=out)  # the weights of `unshrinking` overshoot

    def _count(self, out: NDArray[np.float32], level: float) -> Count:
        """What the given field encloses at a level, in some of the cells where the smoothed one may enclose other."""
        every, found = SLAB * -(-out.size // LOOKED_AT), []
        for first in range(0, max(len(out) - 1, 1), every):
            given = self.slab(self.volume.data[first : first + SLAB + 1]) - level
            beyond, after = given > 0, out[first : first + SLAB + 1] > level
            i, j, k = np.nonzero(_some_differ(beyond, after))
            corners = _around((beyond if self.firm else given).astype(np.float32), (i, j, k), 2)
            found.append((np.stack([i + first, j, k]), corners))
        cells, corners = np.concatenate([c for c, _ in found], axis=1), np.concatenate([v for _, v in found])
        some = slice(None, None, -(-len(corners) // CELLS) or 1)
        full = corners[some] @ CUBES if self.firm else (corners[some] @ LINEAR > 0) / PARTS**3
        return Count(level, cells[:, some], float(full.sum()))

    def _keep(self, out: NDArray[np.float32], level: np.float32) -> None:
        """Let what would go all around, a speck or a gap, stay almost as it was."""
        around, behind = np.ones((3, 3, 3), dtype=bool), out[:0]
        for first in range(0, len(out), SLAB):
            part = slice(first, first + SLAB)
            inside = np.concatenate([behind, out[first : first + SLAB + 1]]) > level
            middle = slice(len(behind), len(behind) + len(out[part]))
            full, empty = (ndimage.binary_dilation(side, around)[middle] for side in (inside, ~inside))
            behind = out[part][-1:].copy()
            before = self.slab(self.volume.data[part]) - level
            lost = np.where(before > 0, ~full, ~empty)
            if self.firm:
                least = LABEL_KEPT * before
                within = np.minimum(out[part], least) if self.firm == 2 else out[part]
                out[part] = np.where(before > 0, np.maximum(out[part], least), within)
            out[part] = np.where(lost, level + KEPT_SPECK * before, out[part])


def _some_differ(*masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether not all of the voxels around each cell are in all of the masks, or all in none."""
    every, some = np.logical_and.reduce(masks), np.logical_or.reduce(masks)
    for axis in range(3):
        if every.shape[axis] > 1:
            ahead, back = ((slice(None),) * axis + (end,) for end in (slice(1, None), slice(None, -1)))
            every, some = every[ahead] & every[back], some[ahead] | some[back]
    return np.asarray(some & ~every)


def _around(values: NDArray[np.float32], cells: Sequence[NDArray[np.intp]], reach: int) -> NDArray[np.float32]:
    """The values (n, reach^3) of the voxels around cells."""
    steps = np.arange(reach) - (reach - 1) // 2
    i, j, k = ((at[:, None] + steps).clip(0, size - 1) for at, size in zip(cells, values.shape))
    return values[i[:, :, None, None], j[:, None, :, None], k[:, None, None, :]].reshape(len(i), reach**3)


def smooth(out: NDArray[np.float32], weights: NDArray[np.float64], axis: int) -> None:
    """Convolve a C-ordered field along one axis, in place."""
    planes, across = ((1, 2), (0, 2), (0, 1))[axis]
    strides = [stride // out.itemsize for stride in out.strides]
    sizes = np.array([out.shape[axis], out.shape[across]])
    steps = np.array([strides[planes], strides[axis], strides[across]])
    flat, n = out.reshape(-1), out.shape[planes]
    run(partial(blur, flat, sizes, steps, weights, p, min(p + SLAB, n)) for p in range(0, n, SLAB))


def gaussian(sigma: float) -> NDArray[np.float64]:
    """Weights of a Gaussian (voxels), cut at four sigma."""
    reach = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.asarray(weights / weights.sum())


def unshrinking(sigma: float) -> NDArray[np.float64]:
    """Weights that take away as much as a Gaussian does of what is rough, and leave what is bent where it is.

    Twice a Gaussian less its own blur: the second moment is 0, so that quadratic shapes stay.
    """
    once = gaussian(sigma)
    twice = np.convolve(once, once)
    return np.asarray(2 * np.pad(once, (len(twice) - len(once)) // 2) - twice)


def _finite(volume: Volume, *, highest: bool = False) -> Slab:
    """Values in float64; those not finite as where nothing is: 0 in a signed map, else the lowest."""
    survey = volume.survey
    instead = survey.high if highest else 0.0 if survey.signed else survey.low

    def slab(data: NDArray[Any]) -> NDArray[Any]:
        values = data.astype(np.float64)
        return values if data.dtype.kind in "biu" else np.where(np.isfinite(values), values, instead)

    return slab


def parts_of(size: int) -> int:
    """Into how many parts along each axis the voxels of a volume are divided, where a surface is to be smooth."""
    return next((parts for parts, most in SAMPLES.items() if parts**3 * size <= most), 1)


def refined(values: NDArray[np.float32], parts: int) -> NDArray[np.float32]:
    """Values at the middles of parts of voxels along each axis, by a cubic through the voxels (Catmull-Rom)."""
    for axis, size in enumerate(values.shape if parts > 1 else ()):
        at = ((np.arange(size * parts) + 0.5) / parts - 0.5).clip(0, size - 1)
        behind = np.minimum(at.astype(np.intp), max(size - 2, 0))
        u = (at - behind).astype(np.float32)
        along = [1, 1, 1]
        along[axis] = -1
        values = np.sum(
            [w.reshape(along) * values.take((behind + n - 1).clip(0, size - 1), axis) for n, w in enumerate(cubic(u))],
            axis=0,
            dtype=np.float32,
        )
    return values


def intensity_field(layer: Intensity, has: Any) -> Field:
    """Values from 0 to 1 over the layer's span; of a minimum projection from 1 to 0, so that it is a maximum too.

    A map is as smooth at its thresholds as isosurfaces are: of its large voxels, and the zeros around it, every step
    would be seen where it ends.
    """
    low, high = layer.look.span(layer.blend)
    source, least = paint.projected(layer), layer.blend == "minimum"
    finite = _finite(source, highest=least)

    def slab(data: NDArray[Any]) -> NDArray[Any]:
        values = np.clip((finite(data) - low) / (high - low), 0, 1)
        return 1 - values if least else values

    given = Field(source, slab, None, has, layer.clip, limits=(0, 1))
    if layer.blend != "composite":
        return given
    if ends := _steps(layer):
        kept = tuple((level - low) / (high - low) for level in ends)
        return replace(given, weights=unshrinking(SURFACE_SMOOTH), round=True, kept=kept)
    if not (sigma := paint.softness(layer)):
        return given
    if not paint.is_fine(layer):
        return replace(given, weights=gaussian(sigma))
    return replace(given, weights=unshrinking(sigma), kept=((layer.look.sets_in - low) / (high - low),))


def _steps(layer: Intensity) -> tuple[float, ...]:
    """The thresholds from which on a map is opaque, ascending; none if it fades in or is no map."""
    ends = layer.look.thresholds
    is_map = layer.volume.kind != "rgb" and paint.is_sharp(layer) and layer.look.survey.hollow
    return tuple(level for level, _ in ends) if is_map and [side for _, side in ends] in ([1], [-1], [-1, 1]) else ()


def crossed(low: NDArray[np.float32], high: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether a block has values on both sides of 0, or just 0."""
    return (low <= 0) & (high >= 0)


def surface_field(layer: Isosurface) -> Field:
    """How far values lie beyond the level, as a part of their range."""
    survey, level = layer.volume.survey, layer.level
    assert isinstance(level, float)
    first, last = (survey.low, survey.high)[:: int(layer.side)]
    if level in (first, last):
        raise ValueError(
            f"the surface of {layer.volume.name or 'the volume'} at {level:g} "
            f"{'is empty' if level == last else 'encloses every voxel'}: "
            f"choose a level inside its data, {survey.low:g} to {survey.high:g}"
        )
    finite, scale = _finite(layer.volume), layer.side / ((survey.high - survey.low) or 1.0)

    def slab(data: NDArray[Any]) -> NDArray[Any]:
        return np.asarray((finite(data) - level) * scale)

    weights = unshrinking(SURFACE_SMOOTH) if layer.smooth else None
    return Field(layer.volume.canonical, slab, weights, crossed, layer.clip, round=layer.smooth, kept=(0,))


def shells(layer: LabelMap) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_]]]:
    """The labels whose outer surface is seen, and what that encloses (i, j, k); if it is translucent, those within too.

    Within are the labels of which no voxel lies at the surface, and so on inward. Cavities are not seen through it.
    """
    data, labels = layer.volume.canonical.data, np.array(list(layer.table))
    while len(labels):
        solid = np.empty(data.shape, dtype=bool)
        for part, found in zip(data, solid):
            found[:] = np.isin(part, labels)
        if layer.opacity == 1:
            yield labels, solid
            return
        solid = ndimage.binary_fill_holes(solid)
        yield labels, solid
        labels = np.setdiff1d(labels, data[solid & ~ndimage.binary_erosion(solid)])


def near(solid: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The box of voxels around a body, with room for what is smoothed."""
    (found,) = ndimage.find_objects(solid.view(np.uint8))
    return tuple(slice(max(along.start - ROOM, 0), along.stop + ROOM) for along in found)


def label_field(layer: LabelMap, solid: NDArray[np.bool_], part: tuple[slice, ...]) -> Field:
    """How far the smoothed part that a body fills of a voxel's surroundings lies above half, in the part `near` it.

    Of a slit that is open in parts every voxel would be a dark pit in an opaque body: it is smoothed shut. Through a
    translucent one the rims of such parts would be seen.
    """

    def slab(data: NDArray[Any]) -> NDArray[Any]:
        return data - HALF

    source = layer.volume.canonical
    affine = source.affine @ translation(*[float(along.start) for along in part])
    source = replace(source, data=solid[part].view(np.uint8), affine=affine)
    firm = 1 if layer.opacity == 1 else 2
    return Field(source, slab, unshrinking(LABEL_SMOOTH), crossed, layer.clip, round=True, firm=firm, kept=(0,))
