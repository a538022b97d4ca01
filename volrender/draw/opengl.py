"""Whether this machine can draw with OpenGL, found out without risk.

VTK without an OpenGL library ends the whole process, so the first scene asks a child process to draw an empty
window. The answer is kept for the life of this process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

WINDOW = "VTK_DEFAULT_OPENGL_WINDOW"
PROBE = """
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow
from vtkmodules.vtkRenderingOpenGL2 import vtkTextureObject
window = vtkRenderWindow()
window.SetOffScreenRendering(1)
window.SetSize(8, 8)
window.AddRenderer(vtkRenderer())
window.Render()
size = vtkTextureObject.GetMaximumTextureSize3D(window)
print("window", window.GetClassName(), window.SupportsOpenGL(), size)
"""
ADVICE = (
    "a Scene needs OpenGL, and none works here: install a software one, `apt install libosmesa6` (Debian, Ubuntu) or "
    "`dnf install mesa-libEGL mesa-dri-drivers` (Fedora); Voxels, Slices and Histogram do without, and so does a "
    "Scene with engine='raycast'"
)


class Window(NamedTuple):
    """A VTK window class that can draw off screen, and the most voxels along one side of a volume that it takes."""

    name: str
    largest: int


@cache
def window() -> Window | None:
    """What can draw off screen here, or None.

    VTK's own choice comes first; it does not fall back to Mesa's off-screen library when it finds an EGL that is
    broken, so EGL and OSMesa are then asked for by name.
    """
    tries: tuple[dict[str, str], ...] = ({}, {WINDOW: "vtkEGLRenderWindow"}, {WINDOW: "vtkOSOpenGLRenderWindow"})
    return next((found for chosen in tries if (found := _probe(chosen))), None)


def _probe(chosen: dict[str, str]) -> Window | None:
    """Draw an empty window in a child process; what it is, or None where the child failed or died."""
    command = [sys.executable, "-P", "-c", PROBE]
    environment = os.environ | chosen
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, env=environment, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = answer.stdout.split()
    if answer.returncode != 0 or len(words) != 4 or words[2] != "1":
        return None
    return Window(words[1], int(words[3]))


def require() -> Window:
    """What to draw with.

    Raises
    ------
    RuntimeError
        If there is none; the sentence says what to install.
    """
    found = window()
    if found is None:
        raise RuntimeError(ADVICE)
    return found


@contextmanager
def offscreen() -> Iterator[None]:
    """Let VTK open the kind of window that is known to work, and no other, so that it has nothing to warn of."""
    found = require()
    before = os.environ.get(WINDOW)
    os.environ[WINDOW] = found.name
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(WINDOW, None)
        else:
            os.environ[WINDOW] = before
