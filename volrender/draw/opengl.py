"""Whether this machine can draw with OpenGL, and by what, found out without risk.

VTK without an OpenGL library ends the whole process, so a child process is asked to draw an empty window, after a look
at what costs nothing: libraries, display and devices. The answers are kept for the life of this process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

WINDOW = "VTK_DEFAULT_OPENGL_WINDOW"
PROBE = """
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash leaves no file
except ImportError:  # Windows
    pass
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow
from vtkmodules.vtkRenderingOpenGL2 import vtkTextureObject
window = vtkRenderWindow()
window.SetOffScreenRendering(1)
window.SetSize(8, 8)
window.AddRenderer(vtkRenderer())
window.Render()
size = vtkTextureObject.GetMaximumTextureSize3D(window)
lines = window.ReportCapabilities().splitlines()
said = next((line.partition(":")[2].strip() for line in lines if line.startswith("OpenGL renderer string")), "")
print("window", window.GetClassName(), window.SupportsOpenGL(), size, said)
"""
ADVICE = (
    "pyvista needs OpenGL, and none works here: take engine='raycast', which needs none, or install a software one, "
    "`apt install libegl1 libgl1-mesa-dri` (Debian, Ubuntu) or `dnf install mesa-libEGL mesa-dri-drivers` (Fedora)"
)
SOFTWARE = ("llvmpipe", "softpipe", "swrast", "software", "swiftshader", "swr", "basic render", "gdi generic")
LIBRARIES = ("libEGL", "libGL", "libGLX", "libOpenGL", "libOSMesa", "libX11")
DEVICES = ("dev/dri/renderD*", "dev/nvidia[0-9]*", "dev/kgsl*", "dev/dxg")  # of graphics hardware, on Linux


class Window(NamedTuple):
    """A VTK window class that can draw off screen.

    Attributes
    ----------
    name : str
    largest : int
        The most voxels along one side of a volume that it takes.
    renderer : str
        What draws, in its own words.
    """

    name: str
    largest: int
    renderer: str = ""

    @property
    def hardware(self) -> bool:
        """Whether graphics hardware draws, and not the processor in its place."""
        return bool(self.renderer) and not any(word in self.renderer.lower() for word in SOFTWARE)


def devices() -> list[str]:
    """Graphics hardware that Linux shows."""
    return sorted(str(path) for pattern in DEVICES for path in Path("/").glob(pattern))


def libraries() -> dict[str, str] | None:
    """Libraries of OpenGL that the system's loader knows, by name; None where it cannot be asked."""
    try:
        listed = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, path = line.strip().partition(" => ")
        if name.split(".so")[0] in LIBRARIES and Path(path).is_file() and Path(path).stat().st_size:
            found.setdefault(name.split(".so")[0], path)
    return found


@cache
def hardware() -> bool:
    """Whether graphics hardware draws here. Without a device there is no need to try."""
    if sys.platform.startswith("linux") and not devices():
        return False
    found = window()
    return found is not None and found.hardware


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
    words = answer.stdout.strip().split(maxsplit=4)
    if answer.returncode != 0 or len(words) < 4 or words[0] != "window" or words[2] != "1":
        return None
    return Window(words[1], int(words[3]), *words[4:])


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


@cache
def display() -> Window | None:
    """What can open a window on this machine's display, or None; a hidden one is tried."""
    if not sys.platform.startswith("linux"):
        return _probe({})
    name = "vtkXOpenGLRenderWindow"
    found = _probe({WINDOW: name}) if os.environ.get("DISPLAY") else None
    return found if found is not None and found.name == name else None


def require_display() -> Window:
    """What to open a window with.

    Raises
    ------
    RuntimeError
        If there is none.
    """
    found = display()
    if found is None:
        raise RuntimeError(
            "show() opens a window, and there is no display with OpenGL here: save(path) writes the picture, "
            "and plotter() gives pyvista's Plotter off screen"
        )
    return found


def offscreen() -> AbstractContextManager[None]:
    """Let VTK draw without a window, as it is known to work."""
    return _opening(require())


def onscreen() -> AbstractContextManager[None]:
    """Let VTK open windows, as it is known to work."""
    return _opening(require_display())


@contextmanager
def _opening(found: Window) -> Iterator[None]:
    """Let VTK open that kind of window, and no other, so that it has nothing to warn of."""
    before = os.environ.get(WINDOW)
    os.environ[WINDOW] = found.name
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(WINDOW, None)
        else:
            os.environ[WINDOW] = before
