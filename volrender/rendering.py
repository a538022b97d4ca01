"""How a scene is rendered, whatever the engine: how finely, in which light, with or without outlines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

QUALITIES = ("final", "draft")
LIGHTINGS = ("studio", "flat")
ENGINES = ("auto", "pyvista", "raycast")
# Camera-relative: a key light above the viewer's left shoulder, a fill from the right, a little from the front. Where
# they are strongest they come to 0.94, so that nothing that MATERIAL makes is lighter than its color.
LIGHTS = (((-0.7, 0.85, 0.75), 0.75), ((1.0, 0.1, 0.6), 0.2), ((0.0, 0.2, 1.0), 0.22))
FRONTAL = (((0.0, 0.0, 1.0), 1.0),)
MATERIAL = {"ambient": 0.24, "diffuse": 0.8, "specular": 0.06, "specular_power": 12.0}
FLAT = {"ambient": 1.0, "diffuse": 0.0, "specular": 0.0, "specular_power": 1.0}
PRESMOOTH = 0.9, 1.3  # voxels
SURFACE_SMOOTH, LABEL_SMOOTH = 0.9, 1.1  # voxels
LABEL_REACHES = 1.6, 5.0  # voxels around that the normals of labels look: in folds, and elsewhere
LABEL_KEPT = 0.14  # of what a label's voxel was beyond its surface


@dataclass(frozen=True)
class Rendering:
    """What a scene's picture is to be like.

    Parameters
    ----------
    quality : {"final", "draft"}
        Final takes two samples a voxel and smooths edges; draft one, and none.
    light : {"studio", "flat"}
        Soft light from above the viewer's left shoulder, with ambient occlusion on surfaces; or none: every color as
        it is given.
    silhouette : (red, green, blue), optional
        The ink in which every layer is outlined; None for no outlines.
    engine : {"auto", "pyvista", "raycast"}
        What draws it.

    Examples
    --------
    >>> Rendering(light="dim")
    Traceback (most recent call last):
    ...
    ValueError: light must be studio or flat; got 'dim'
    """

    quality: str = "final"
    light: str = "studio"
    silhouette: tuple[float, float, float] | None = None
    engine: str = "auto"

    def __post_init__(self) -> None:
        choices = {"quality": QUALITIES, "light": LIGHTINGS, "engine": ENGINES}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be {' or '.join(known)}; got {getattr(self, name)!r}")

    @property
    def draft(self) -> bool:
        """Whether it is only to be looked at."""
        return self.quality == "draft"

    @property
    def lit(self) -> bool:
        """Whether there are shades."""
        return self.light == "studio"


def presmooth(data: NDArray[Any]) -> float:
    """The sigma (voxels) without which normals draw rings, most of all those of 8-bit data."""
    return PRESMOOTH[data.dtype.itemsize == 1]
