"""How a scene is rendered, whatever the engine: how finely, in which light, with or without outlines."""

from __future__ import annotations

from dataclasses import dataclass

QUALITIES = ("final", "draft")
LIGHTS = ("studio", "flat")


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
    silhouette : bool
        Whether bodies, surfaces and labels have an outline.

    Examples
    --------
    >>> Rendering(light="dim")
    Traceback (most recent call last):
    ...
    ValueError: light must be studio or flat; got 'dim'
    """

    quality: str = "final"
    light: str = "studio"
    silhouette: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (("quality", self.quality, QUALITIES), ("light", self.light, LIGHTS)):
            if value not in known:
                raise ValueError(f"{name} must be {' or '.join(known)}; got {value!r}")

    @property
    def draft(self) -> bool:
        """Whether it is only to be looked at."""
        return self.quality == "draft"

    @property
    def lit(self) -> bool:
        """Whether there are shades."""
        return self.light == "studio"
