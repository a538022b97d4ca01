"""What a scene is to the compiled loops: records, and a few arrays that hold what records are long for.

The loops are given arrays one by one: what is taken out of a tuple is counted by every thread, which is slow. So the
numbers of everything lie in `pool` (fields, blocks, pictures), `air` (what light comes through), `tables` (curves,
colors, lights), `marks` (bytes) and `numbers` (labels), and a record says where its own begin. World points are
relative to the middle of the view.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pool: TypeAlias = NDArray[np.float32]
Tables: TypeAlias = NDArray[np.float64]
Marks: TypeAlias = NDArray[np.uint8]
Numbers: TypeAlias = NDArray[np.uint16]
Records: TypeAlias = NDArray[np.void]
Record: TypeAlias = Any
Point: TypeAlias = tuple[float, float, float]

BLOCK = 4  # voxels along the side of a block
TONES = 4096  # entries of a table over a field's values, 0 to 1
MOST_CLIPS = 62  # bits that tell which clips cut what
MATERIAL = [(name, "f8") for name in ("ambient", "diffuse", "specular", "power")]

# How pixels become rays: a start and a direction are the first row, plus column and row times the others. `step` (mm)
# lies between samples. `solid` and `lit` begin in the air, cells of `cell` mm (0: there is no air) from `origin` on;
# `fold`, `groove` and `shade` say how dark wide folds, narrow ones and shadows are.
# Lights begin in the tables, four numbers each: a unit vector toward it, and how strong it is.
SIGHT = np.dtype(
    [
        ("start", "f8", (3, 3)),
        ("along", "f8", (3, 3)),
        ("nearest", "f8"),
        ("step", "f8"),
        ("width", "i8"),
        ("lights", "i8"),
        ("n_lights", "i8"),
        ("cell", "f8"),
        ("fold", "f8"),
        ("groove", "f8"),
        ("shade", "f8"),
        ("origin", "f8", 3),
        ("shape", "i8", 3),
        ("solid", "i8"),
        ("lit", "i8"),
    ]
)
# `matrix` goes from the world to the index of a voxel's centre. `start` and `peak` (of a projection, how far from its zero
# each block's values go) begin in the pool, `room` in the marks: for each block 0 if it has something, else to how many blocks
# around there is nothing either.
FIELD = np.dtype(
    [
        ("matrix", "f8", (3, 4)),
        ("shape", "i8", 3),
        ("start", "i8"),
        ("blocks", "i8", 3),
        ("room", "i8"),
        ("peak", "i8"),
        ("clips", "i8"),
        ("round", "i8"),
    ]
)
# A volume that is seen through; its field runs from 0 to 1. In the tables begin: `density`, the extinction per mm (the
# negative logarithm of what one mm lets through), `total`, its integral over the values, `rgb`, and `steep`, pairs of
# the field's change per mm and the opacity's factor. `pigments` begin in the marks, -1 where voxels have no colors.
# What is `sharp` is opaque from a threshold on. Of values below `zero` bodies are where values are lower. A change that
# is sure to be a surface's is measured against `reach` mm.
MEDIUM = np.dtype(
    [
        ("field", "i8"),
        ("density", "i8"),
        ("total", "i8"),
        ("rgb", "i8"),
        *MATERIAL,
        ("steep", "i8"),
        ("n_steep", "i8"),
        ("pigments", "i8"),
        ("sharp", "i8"),
        ("zero", "f8"),
        ("reach", "f8"),
    ]
)
# A volume of which each ray shows one value between low and high: that farthest from `zero`, or the mean; of a `signed`
# map one of those that are seen. `rgba` is in the tables.
PROJECTION = np.dtype(
    [
        ("field", "i8"),
        ("mean", "i8"),
        ("low", "f8"),
        ("high", "f8"),
        ("zero", "f8"),
        ("signed", "i8"),
        ("rgba", "i8"),
    ]
)
# Where a field crosses 0, above it inside. Normals are those of `reach` voxels around, of one if it is 0, and of those
# `far` around, if there are any, where there is no fold. Of a label map the place of each voxel's color begins in the
# numbers (0 is no label, -1 an isosurface), and the colors themselves in the tables.
SURFACE = np.dtype(
    [
        ("field", "i8"),
        ("rgba", "f8", 4),
        *MATERIAL,
        ("reach", "f8"),
        ("far", "f8"),
        ("numbers", "i8"),
        ("palette", "i8"),
    ]
)
# A picture on the plane ax + by + cz = d, inside some walls. Its texels begin in the pool, straight RGBA and how far it
# is covered; `to_pixel` gives row and column.
FACE = np.dtype(
    [
        ("plane", "f8", 4),
        ("to_pixel", "f8", (2, 4)),
        ("start", "i8"),
        ("shape", "i8", 2),
        ("first_wall", "i8"),
        ("last_wall", "i8"),
        ("clips", "i8"),
    ]
)
CLIP = np.dtype([("first_wall", "i8"), ("last_wall", "i8")])
WALL = np.dtype([("side", "f8", 4)])  # the half-space ax + by + cz > d
# A ray in a field's index space, and between which t it is in the field.
RAY = np.dtype([("at", "f8", 3), ("along", "f8", 3), ("first", "f8"), ("last", "f8")])


class Scenery(NamedTuple):
    """All of a scene; `sight` is one record."""

    pool: Pool
    air: Pool
    marks: Marks
    numbers: Numbers
    tables: Tables
    sight: Records
    fields: Records
    media: Records
    projections: Records
    surfaces: Records
    faces: Records
    clips: Records
    walls: Records
