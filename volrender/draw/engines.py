"""Which engine draws a scene: VTK on OpenGL, or the ray caster, which needs none."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from volrender.draw import opengl
from volrender.words import choices

ENGINES = ("auto", "pyvista", "raycast")
VARIABLE = "VOLRENDER_ENGINE"


def as_engine(name: Any, what: str = "engine") -> str:
    """A checked name of an engine.

    Examples
    --------
    >>> as_engine("raycaster")
    Traceback (most recent call last):
    ...
    ValueError: there is no engine 'raycaster'; choose from auto, pyvista, raycast
    """
    if name not in ENGINES:
        raise ValueError(f"there is no {what} {name!r}; {choices([*ENGINES], str(name))}")
    return str(name)


def name(asked: str) -> str:
    """The engine that draws where `asked` is wanted: the environment decides about "auto", then what works here."""
    if asked == "auto":
        asked = as_engine(os.environ.get(VARIABLE) or "auto", VARIABLE)
    if asked == "auto":
        return "pyvista" if opengl.window() else "raycast"
    return asked


def chosen(asked: str, *, silhouette: bool = False) -> Any:
    """The module with `render` of the engine that draws.

    Raises
    ------
    RuntimeError
        If OpenGL is asked for, or needed for outlines, and does not work here.
    """
    found = name(asked)
    if found == "raycast" and silhouette:
        found = "pyvista"  # outlines are drawn from the depth of surfaces
    if found == "pyvista":
        opengl.require()
    return import_module(f"volrender.draw.scene_{found}")
