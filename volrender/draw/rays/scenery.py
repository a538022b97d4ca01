"""What a scene is to the compiled loops: plain arrays, and what a ray collects on its way."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from volrender.draw.rays.grids import Grids
from volrender.draw.rays.light import Light

TONES = 4096  # entries of a table over a field's values, 0 to 1
MOST_HITS = 256  # that one ray can collect


class Media(NamedTuple):
    """Volumes that are seen through; their fields run from 0 to 1.

    Attributes
    ----------
    field : (n,)
        Which of the grids.
    density, total : (n, TONES)
        Extinction per mm (the negative logarithm of what one mm lets through), and its integral over the values.
    rgb : (n, TONES, 3)
    material : (n, 4)
        Ambient, diffuse, specular and power; diffuse 0 for no shades.
    steep : (n, m, 2)
        Factors of the opacity over the change of the field per mm; 1 throughout where there are none.
    paint : (n,)
        Where the voxels' own colors begin in `pigments`, -1 where they have none.
    pigments : uint8
    """

    field: NDArray[np.int64]
    density: NDArray[np.float64]
    total: NDArray[np.float64]
    rgb: NDArray[np.float64]
    material: NDArray[np.float64]
    steep: NDArray[np.float64]
    paint: NDArray[np.int64]
    pigments: NDArray[np.uint8]


class Projections(NamedTuple):
    """Volumes of which each ray shows one value: the highest of the field, or the mean.

    Attributes
    ----------
    field : (n,)
    mean : (n,)
        Whether it is the mean.
    within : (n, 2)
        The values that count.
    rgba : (n, TONES, 4)
    peak : float32
        The highest value of each block, of all fields that have it, at `Grids.block_start`.
    """

    field: NDArray[np.int64]
    mean: NDArray[np.bool_]
    within: NDArray[np.float64]
    rgba: NDArray[np.float64]
    peak: NDArray[np.float32]


class Surfaces(NamedTuple):
    """Where a field crosses 0, above it inside.

    Attributes
    ----------
    field : (n,)
    rgba : (n, 4)
    material : (n, 4)
    numbers : uint16
        For label maps, the place of each voxel's color in `palette`; 0 is no label.
    number_start : (n,)
        Where those of a surface begin; -1 for an isosurface.
    palette : (p, 3)
    """

    field: NDArray[np.int64]
    rgba: NDArray[np.float64]
    material: NDArray[np.float64]
    numbers: NDArray[np.uint16]
    number_start: NDArray[np.int64]
    palette: NDArray[np.float64]


class Faces(NamedTuple):
    """Pictures on planes: cut faces and slices, in their own colors.

    Attributes
    ----------
    plane : (n, 4)
        ax + by + cz = d.
    to_pixel : (n, 2, 4)
        From the world to row and column of the picture.
    start : (n,)
        Where its texels begin.
    shape : (n, 2)
    texels : float32 (t, 5)
        Straight RGBA, and how far it is covered.
    within : (r, 5)
        Half-spaces that a face lies in: face, a, b, c, d.
    clips : (n, m)
        Which clips cut it.
    """

    plane: NDArray[np.float64]
    to_pixel: NDArray[np.float64]
    start: NDArray[np.int64]
    shape: NDArray[np.int64]
    texels: NDArray[np.float32]
    within: NDArray[np.float64]
    clips: NDArray[np.bool_]


class Sight(NamedTuple):
    """How pixels become rays, relative to the middle of the view.

    Attributes
    ----------
    start, along : (3, 3)
        A ray's start and direction: the first row, plus column times the second, plus row times the third.
    nearest : float
        Where rays set out (mm).
    step : float
        The mm between samples.
    width : int
        Of the picture.
    """

    start: NDArray[np.float64]
    along: NDArray[np.float64]
    nearest: float
    step: float
    width: int


class Scenery(NamedTuple):
    """All of it."""

    sight: Sight
    grids: Grids
    media: Media
    projections: Projections
    surfaces: Surfaces
    faces: Faces
    light: Light
    halfspaces: NDArray[np.float64]
    clip_start: NDArray[np.int64]


class Notes(NamedTuple):
    """What one ray collects: arrays that are used again for the next.

    Attributes
    ----------
    hits : (MOST_HITS, 5)
        Where (mm) a surface is met, its straight color and alpha.
    gone : (clips, 2)
        From where to where each clip removes.
    ends : (2 * fields + 2 * clips)
        Where something begins or ends.
    spans : (fields, 2)
    index, along : (fields, 3)
        The ray in each index space.
    last : (media, 2)
        Where a medium was looked up last, and the value.
    weights : (media, 4)
    """

    hits: NDArray[np.float64]
    gone: NDArray[np.float64]
    ends: NDArray[np.float64]
    spans: NDArray[np.float64]
    index: NDArray[np.float64]
    along: NDArray[np.float64]
    last: NDArray[np.float64]
    weights: NDArray[np.float64]
