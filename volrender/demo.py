"""The demo: five publication figures of the bundled head, and how each is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from volrender.figure import Figure
from volrender.layers import Intensity, Isosurface, LabelMap
from volrender.page import Printable
from volrender.panels import Scene, Voxels
from volrender.slices import Slices
from volrender.sources import sample
from volrender.space import Box, Plane

Maker: TypeAlias = Callable[[], Printable]
WARM, COOL = "#c1272d", "#2a62c4"


def voxels() -> Printable:
    """The exploded-voxel pictures: the full head, its upper front cut off, and a diagonal cut from the left, behind."""
    head = sample("mni152").contrast()
    front = Box(y=(0, None), z=(5, None))
    diagonal = Plane(normal=(-1, 1, 2), origin=(0, -20, 25))
    views = (((), 140), (front, 140), (diagonal, 200))
    return Figure(
        [
            Voxels(
                Intensity(head, cmap="viridis", clim=(0, 1), clip=clip),
                camera=(30, azimuth),
                colorbar=False,
                axes=False,
            )
            for clip, azimuth in views
        ]
    )


def cutaway() -> Printable:
    """The head as a volume, an octant open over the motor cortex, the activation standing whole in the opening."""
    head, motor = sample("mni152"), sample("motor")
    octant = Box(x=(None, 0), y=(-30, None), z=(0, None))
    return Scene(
        Intensity(head, clip=octant),
        Isosurface(motor, level=3.1, color=WARM),
        Isosurface(motor, level=-3.1, color=COOL),
        camera=(25, 150),
    )


def atlas() -> Printable:
    """The atlas as one surface per region."""
    return Scene(LabelMap(sample("atlas")), camera=(15, 20))


def slices() -> Printable:
    """The thresholded motor map over the T1, with its color bar."""
    return Slices(sample("mni152"), Intensity(sample("motor"), level=3.1), z=[-20, 0, 20, 40, 60])


def page() -> Printable:
    """Two panels at a double column's width: the same layers in slices and in the scene."""
    head, motor = sample("mni152"), Intensity(sample("motor"), level=3.1)
    octant = Box(x=(0, None), y=(-30, None), z=(0, None))
    scene = Scene(Intensity(head, clip=octant), Isosurface(sample("motor"), level=3.1, color=WARM), camera=(25, 30))
    return Figure([[scene, Slices(head, motor, x=40, y=-25, z=56)]])


FIGURES: dict[str, tuple[Maker, float]] = {
    "voxels.png": (voxels, 183),
    "cutaway.png": (cutaway, 89),
    "atlas.png": (atlas, 89),
    "slices.png": (slices, 183),
    "figure.png": (page, 183),
}


def draw(name: str, folder: Path, dpi: float = 300) -> Path:
    """Draw one of the figures into the folder; its path."""
    make, width = FIGURES[name]
    path = folder / name
    make().save(path, width=width, dpi=dpi)
    return path
