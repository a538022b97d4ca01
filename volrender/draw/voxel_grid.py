"""Layers painted on one grid of cubes: the first layer's own, cut into fewer voxels.

Every layer is evaluated at the cubes' centres in the world and composited there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender import framing, paint, space
from volrender.draw.sight import OPAQUE, Sight, open_faces
from volrender.io.files import warn
from volrender.layers import CutPlane, LabelMap, Layer
from volrender.volume import Volume

CORNERS = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)])
HAZE = 0.005
AT_ONCE = 1_000_000  # voxels painted


@dataclass(frozen=True)
class Cubes:
    """Colored cubes on a grid: `rgba` (i, j, k, 4), transparent where there is none, and the grid's affine.

    And of each layer that is a label map, by its place, the labels that have a cube.
    """

    rgba: NDArray[np.float32]
    affine: NDArray[np.float64]
    labels: Mapping[int, NDArray[Any]] = field(default_factory=dict)

    @property
    def alpha(self) -> NDArray[np.float32]:
        """How opaque each voxel is; 0 where there is no cube."""
        return self.rgba[..., 3]

    @cached_property
    def corners_xyz(self) -> NDArray[np.float64]:
        """World corners of the filled grid, shape (8, 3): the box that the axes show."""
        ends = []
        for a in range(3):
            occupied = np.flatnonzero(self.alpha.any(axis=tuple({0, 1, 2} - {a})))
            ends.append((occupied[0], occupied[-1]))
        low, high = np.array(ends).T
        return space.apply_affine(self.affine, (low + high) / 2 + CORNERS * (high - low + 1))

    @cached_property
    def outline_xyz(self) -> NDArray[np.float64]:
        """World corners (n, 3) that span the cubes that are more than a haze."""
        ends = framing.line_ends(self.alpha > min(HAZE, 0.1 * self.alpha.max()))
        return space.apply_affine(self.affine, (ends[:, None, :] + CORNERS).reshape(-1, 3))


def build(layers: Sequence[Layer], size: int | Sequence[int] | None, mask: Volume | None = None) -> Cubes:
    """Paint all layers on one grid: the first layer's, downsized; where a mask is 0 there is no cube.

    Raises
    ------
    ValueError
        If no voxel is left to be seen.
    """
    for layer in layers:
        if isinstance(layer, CutPlane):
            raise TypeError("Voxels cannot show a CutPlane: cut with clip=Plane(...) instead")
    first = layers[0].volume.canonical
    grid = first if size is None else first.downsize(size)
    sources = [_no_finer(layer, grid, first) for layer in layers]
    picture = np.zeros((*grid.shape[:3], 4), dtype=np.float32)
    found = [np.zeros(0, dtype=np.intp) for _ in layers]
    labels: dict[int, NDArray[Any]] = {}
    thick = max(1, AT_ONCE // (grid.shape[1] * grid.shape[2]))
    for start in range(0, grid.shape[0], thick):
        part = slice(start, min(start + thick, grid.shape[0]))
        centers = _centers(grid, part)
        gone = None if mask is None else paint.sample_labels(mask, centers) == 0
        for n, (layer, source) in enumerate(zip(layers, sources)):
            look = "overlay" if n else "glass" if len(layers) > 1 else "voxel"
            values = source.data[part] if source is grid else _values(layer, source, centers)
            colors = paint.rgba(layer, values, look)
            found[n] = np.union1d(found[n], values if isinstance(layer, LabelMap) else colors[..., 3] > 0)
            if layer.clip:
                colors[space.removed(layer.clip, centers)] = 0
            if gone is not None:
                colors[gone] = 0
            if isinstance(layer, LabelMap):
                labels[n] = np.union1d(labels.get(n, values[:0].ravel()), values[colors[..., 3] > 0])
            picture[part] = paint.over(picture[part], colors) if n else colors
    for layer, values in zip(layers, found):
        _tell_lost(layer, values, grid)
    if not picture[..., 3].any():
        raise ValueError(
            "no voxel is left to be seen: the opacity hides everything, a clip or the mask removes it, or it is too "
            f"small for cubes of {max(grid.spacing):.3g} mm"
        )
    return Cubes(picture, grid.affine, labels)


def _tell_lost(layer: Layer, found: NDArray[Any], grid: Volume) -> None:
    """Warn of what is too small for the cubes: it lies between their centres, which choose the color.

    Raises
    ------
    ValueError
        If the layer is an empty map.
    """
    if isinstance(layer, LabelMap):
        lost = [name for n, (name, _) in layer.table.items() if n not in found]
    elif framing.is_even(layer) and not found.any():
        raise framing.nothing(layer)
    else:
        lost = [layer.volume.name or "a layer"] if not found.any() and len(framing.layer_points(layer)) else []
    if lost:
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        warn(
            f"Voxels of {max(grid.spacing):.3g} mm show nothing of {', '.join(lost[:5])}{more}: too small; "
            "take a larger size"
        )


def within(
    layers: Sequence[Layer], mask: Volume | None, explode: float, toward: NDArray[np.float64], budget: int
) -> tuple[Cubes, int | None]:
    """The volume's own voxels as cubes, or, if they have more than `budget` faces, as many as have no more.

    And how many then lie along the longest side.

    Parameters
    ----------
    toward : ndarray, shape (3,)
        World direction to the viewer: what nobody sees does not count.
    """

    def made(size: int | None) -> tuple[Cubes, int]:
        cubes = build(layers, size, mask)
        sight = Sight.from_afar(cubes.affine, toward)
        order, _ = sight.order(cubes.alpha, explode)
        solid = cubes.alpha >= OPAQUE
        opaque = order[solid.ravel()[order]]
        index = np.stack(np.unravel_index(opaque, solid.shape), axis=-1)
        shown = open_faces(np.pad(solid, 1), index, sight.facing(index, (1 - explode) / 2), explode)
        return cubes, 6 * (len(order) - len(opaque)) + int(shown.sum())

    cubes, faces = made(None)
    volume = layers[0].volume
    least, most = 1, int(np.ceil((np.array(volume.shape) * volume.spacing).max() / min(volume.spacing) - 1e-6))
    if faces <= budget:
        return cubes, None
    best, size = None, most
    # Faces grow with the square of the size if only the outside is seen, with the cube if everything is.
    while most - least > 1:
        guess = int(size * (budget / faces) ** 0.4)
        size = min(max(guess, least + 1), most - 1)
        cubes, faces = made(size)
        if faces <= budget:
            best, least = cubes, size
        else:
            most = size
    return best or build(layers, least, mask), least


def _no_finer(layer: Layer, grid: Volume, first: Volume) -> Volume:
    """A layer's volume in voxels no smaller than the cubes, so that nothing aliases; labels as they are."""
    source = layer.volume.canonical
    if source is first:
        return grid
    if isinstance(layer, LabelMap):
        return source
    coarser = np.maximum(np.rint(np.array(source.shape[:3]) * source.spacing / np.array(grid.spacing).min()), 1)
    return source.downsize(np.minimum(coarser, source.shape[:3]).astype(int).tolist())


def _values(layer: Layer, source: Volume, centers: NDArray[np.float64]) -> NDArray[Any]:
    return paint.sample_labels(source, centers) if isinstance(layer, LabelMap) else paint.sample(source, centers)


def _centers(grid: Volume, part: slice) -> NDArray[np.float64]:
    """World centres (i, j, k, 3) of the voxels of a slab along the first axis."""
    shape = (part.stop - part.start, *grid.shape[1:3])
    return space.apply_affine(grid.affine, np.moveaxis(np.indices(shape), 0, -1) + (part.start, 0, 0))
