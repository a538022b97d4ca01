"""Which engine draws a scene: pyvista on graphics hardware, the ray caster everywhere else, unless one is asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from volrender.color import RGB
from volrender.console import deaf, working
from volrender.draw import opengl
from volrender.layers import Layer
from volrender.rendering import ENGINES, Rendering
from volrender.space import View

VARIABLE = "VOLRENDER_ENGINE"
SLOW = "OpenGL in software, which is slow"


def chosen(asked: str = "auto") -> str:
    """The engine that draws: "pyvista" or "raycast".

    Parameters
    ----------
    asked : {"auto", "pyvista", "raycast"}
        For "auto" the environment's VOLRENDER_ENGINE decides, if it is set.

    Raises
    ------
    ValueError
        If VOLRENDER_ENGINE is no engine.
    """
    if asked == "auto":
        asked = os.environ.get(VARIABLE) or "auto"
        if asked not in ENGINES:
            raise ValueError(f"{VARIABLE} must be one of {', '.join(ENGINES)}; got {asked!r}")
    if asked == "auto":
        return "pyvista" if opengl.hardware() else "raycast"
    return asked


def render(layers: Sequence[Layer], view: View, background: RGB | None, how: Rendering) -> NDArray[np.uint8]:
    """The bare raster (h, w, 4), by the engine that is chosen; without a background its alpha is exact.

    Raises
    ------
    RuntimeError
        If pyvista is asked for and there is no OpenGL.
    """
    if chosen(how.engine) == "pyvista":
        from volrender.draw import scene_pyvista

        with working("drawing") as done, deaf():
            if not opengl.hardware():
                done(0.0, SLOW)
            return scene_pyvista.render(layers, view, background, how)
    from volrender.draw import scene_raycast

    return scene_raycast.render(layers, view, background, how)
