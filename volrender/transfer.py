"""Transfer functions: what a value looks like in a volume rendering, as data that can be kept in a file.

Nodes are in data units, and opacity is what one millimetre absorbs, or another distance. The file is 3D Slicer's volume
property, `.vp.json`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from matplotlib.colors import ListedColormap

from volrender import property_files
from volrender.color import RGB, as_nodes, as_rgb
from volrender.space import finite
from volrender.words import our_words

ColorNodes: TypeAlias = tuple[tuple[float, RGB], ...]

TONES = 256


@our_words
@dataclass(frozen=True)
class TransferFunction:
    """What a value looks like in a volume rendering.

    Parameters
    ----------
    opacity : [(value, opacity), ...]
        What one millimetre, or `distance`, absorbs, 0 to 1, over values in data units.
    colors : [(value, color), ...]
        Any matplotlib colors; between nodes they are mixed, beyond the ends they stay.
    gradient : [(magnitude, factor), ...], optional
        Factors of the opacity, 0 to 1, over how steeply the value changes (data units per mm).
    shading : mapping, optional
        "ambient", "diffuse" and "specular", 0 to 1, and "power", the sharpness of the highlight.
    name : str
    sparse : bool
        Whether what is transparent in a volume rendering is left out of slices and voxels too, as below the threshold
        of a statistical map.
    distance : float
        The length (mm) that absorbs what `opacity` says. What is much smaller than a millimetre needs less: no opacity
        of a millimetre is so near 1 that a micrometre of it is translucent.
    soft : bool
        Whether it shows surfaces that are wide, as those of soft tissue, which are smoothed the more; else what is thin
        keeps its width.

    Raises
    ------
    TypeError, ValueError
        If nodes are not two or more, finite and in rising order, or a number lies beyond its range.

    Examples
    --------
    >>> bone = TransferFunction([(200, 0), (700, 0.8)], [(0, "black"), (1000, "ivory")])
    >>> bone.clim
    (0.0, 1000.0)
    """

    opacity: Any
    colors: Any
    gradient: Any = None
    shading: Mapping[str, float] | None = field(default=None, hash=False)
    name: str = ""
    sparse: bool = False
    distance: float = 1.0
    soft: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "opacity", as_nodes(self.opacity))
        object.__setattr__(self, "colors", _as_color_nodes(self.colors))
        if self.gradient is not None:
            object.__setattr__(self, "gradient", as_nodes(self.gradient, "gradient"))
        if self.shading is not None:
            object.__setattr__(self, "shading", _as_shading(self.shading))
        if not finite(self.distance, "distance") > 0:
            raise ValueError(f"distance must be above 0 mm; got {self.distance!r}")

    @cached_property
    def clim(self) -> tuple[float, float]:
        """The values between which colors change."""
        changes = [v for (v, a), (w, b) in pairwise(self.colors) if a != b for v in (v, w)]
        if changes and changes[0] < changes[-1]:
            return changes[0], changes[-1]
        return self.colors[0][0], self.colors[-1][0]

    @cached_property
    def cmap(self) -> ListedColormap:
        """The colors over `clim`, as a matplotlib colormap."""
        values = [value for value, _ in self.colors]
        tones = np.linspace(*self.clim, TONES)
        table = [np.interp(tones, values, [rgb[n] for _, rgb in self.colors]) for n in range(3)]
        return ListedColormap(np.stack(table, axis=-1).tolist(), name=self.name or "transfer function")

    def moved(self, scale: float, offset: float) -> TransferFunction:
        """The same look for values that have become ``scale * value + offset``.

        Examples
        --------
        >>> TransferFunction([(0, 0), (100, 1)], [(0, "black"), (100, "white")]).moved(1, 1024).opacity
        ((1024.0, 0.0), (1124.0, 1.0))
        """
        return replace(
            self,
            opacity=tuple((scale * value + offset, amount) for value, amount in self.opacity),
            colors=tuple((scale * value + offset, rgb) for value, rgb in self.colors),
            gradient=self.gradient and tuple((scale * steepness, factor) for steepness, factor in self.gradient),
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TransferFunction:
        """Read 3D Slicer's `.vp.json`, or its older text `.vp`; of several components, the first.

        A gradient's magnitudes are taken as per millimetre. A curve that is not straight between two points gets
        nodes in between.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such file, or it is not a volume property.
        """
        file = Path(path)
        held = property_files.read(file)
        name = file.name.removesuffix(".json").removesuffix(".vp")
        colors = tuple((at, (r, g, b)) for at, r, g, b in held.colors)
        rest = (held.sparse, held.distance, held.soft)
        try:
            return cls(held.opacity, colors, held.gradient, held.shading, name, *rest)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{file}: {error}") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a `.vp.json` that 3D Slicer and `load` read; beside `path` first, and then renamed.

        Raises
        ------
        ValueError
            If `path` does not end in .vp.json.
        """
        file = Path(path)
        if not file.name.endswith(".vp.json"):
            raise ValueError(f"{file}: a transfer function must be saved as .vp.json")
        colors = [(at, *rgb) for at, rgb in self.colors]
        rest = (self.distance, self.sparse, self.soft)
        held = property_files.Property(self.opacity, colors, self.gradient, self.shading, *rest)
        property_files.write(file, held)


def _as_color_nodes(value: Any) -> ColorNodes:
    try:
        pairs = [(float(at), rgb) for at, rgb in value]
    except (TypeError, ValueError):
        raise TypeError(f"colors must be nodes [(value, color), ...]; got {value!r}") from None
    nodes = tuple((at, as_rgb(rgb, f"the color at {at:g}")) for at, rgb in pairs)
    values = [at for at, _ in nodes]
    if len(nodes) < 2 or values != sorted(values) or not values[0] < values[-1] or not np.isfinite(values).all():
        raise ValueError(f"colors must be two nodes or more, with finite values in rising order; got values {values}")
    return nodes


def _as_shading(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping) or set(value) != set(property_files.SHADING):
        raise TypeError(f"shading must map {', '.join(property_files.SHADING)} to numbers; got {value!r}")
    numbers = {name: float(value[name]) for name in property_files.SHADING}
    for name, number in numbers.items():
        top, said = (property_files.LARGEST, "0 or more") if name == "power" else (1, "0 to 1")
        if not 0 <= number <= top:
            raise ValueError(f"the {name} of shading must be {said}; got {number:g}")
    return numbers
