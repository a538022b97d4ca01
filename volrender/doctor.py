"""What draws here: OpenGL as it is found, the engine that draws scenes, and what would improve it."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib import metadata
from typing import Any

from rich.console import Console
from rich.table import Table

from volrender.draw import engines, opengl
from volrender.version import __version__

SHOWN = ("numpy", "matplotlib", "pyvista", "vtk", "numba")
# What puts a software OpenGL where there is none. VTK loads EGL or OSMesa when it draws; no wheel brings either.
LINES = {
    "Debian, Ubuntu": "sudo apt install libegl1 libgl1-mesa-dri",
    "Fedora": "sudo dnf install mesa-libEGL mesa-dri-drivers",
    "conda": 'conda install -c conda-forge "vtk>=9.5" "mesalib<25.1"',  # the last with OSMesa
}
LEAST = {"vtk": (9, 5), "pyvista": (0, 47), "numba": (0, 60)}
NO_WHEEL = "no package brings OpenGL; vtk loads the system's EGL or OSMesa"
HARDWARE = {
    "Debian, Ubuntu": "sudo apt install libegl1 libgl1-mesa-dri libglx-mesa0",
    "Fedora": "sudo dnf install mesa-libEGL mesa-dri-drivers mesa-vulkan-drivers",
}


def examine() -> dict[str, Any]:
    """Everything that was found, as plain values.

    Nothing that is tried can end this process: OpenGL is tried in a child.
    """
    window = opengl.window()
    engine, loops = _engine(), _loops()
    works = {"pyvista": window is not None, "raycast": loops is not None}
    return {
        "volrender": __version__,
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "versions": {name: _version(name) for name in SHOWN},
        "opengl": {
            "libraries": opengl.libraries(),
            "display": os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"),
            "devices": opengl.devices(),
            "asked_for": os.environ.get(opengl.WINDOW),
            "window": None if window is None else window.name,
            "renderer": None if window is None else window.renderer,
            "hardware": window is not None and window.hardware,
        },
        "raycast": loops,
        "engine": engine,
        "asked_for": os.environ.get(engines.VARIABLE),
        "figures": works.get(engine, False),
        "improve": _improvements(window),
    }


def _engine() -> str:
    try:
        return engines.chosen()
    except ValueError as error:
        return str(error)


def _loops() -> dict[str, Any] | None:
    """The compiled loops of the ray caster: threads, and where they are kept; None if they cannot be had."""
    try:
        import numba

        from volrender.draw.rays.march import trace
    except Exception:  # numba is particular about what it is installed beside
        return None
    return {"threads": numba.config.NUMBA_NUM_THREADS, "kept_in": trace.folder}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _improvements(window: opengl.Window | None) -> dict[str, str]:
    """The line, for each way to install, that would let pyvista draw scenes, or draw them on the hardware there is."""
    if window is None:
        return LINES | {"pip": _pip() or NO_WHEEL}
    return HARDWARE if opengl.devices() and not window.hardware else {}


def _pip() -> str:
    """The line that installs what is missing or too old; "" if nothing is."""
    wanted = [f'"{name}>={".".join(map(str, least))}"' for name, least in LEAST.items() if _age(name) < least]
    return f"pip install --upgrade {' '.join(wanted)}" if wanted else ""


def _age(name: str) -> tuple[int, ...]:
    """The first two numbers of a version, (0,) of what is not installed."""
    return tuple(int(number) for number in re.findall(r"\d+", _version(name) or "0")[:2])


def show(found: dict[str, Any]) -> None:
    """Print what was found as a table, and what would improve it line by line."""
    gl = found["opengl"]
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for word, value in (
        ("volrender", found["volrender"]),
        ("python", f"{found['python']}, {found['platform']}"),
        *((name, version or "not installed") for name, version in found["versions"].items()),
        ("OpenGL libraries", _listed(gl["libraries"])),
        ("display", gl["display"] or "none"),
        ("graphics devices", ", ".join(gl["devices"]) or "none"),
        ("OpenGL", _drawn(gl)),
        ("ray caster", _cast(found["raycast"])),
        ("scenes are drawn by", found["engine"] + (f", by {engines.VARIABLE}" if found["asked_for"] else "")),
        ("figures", "can be drawn" if found["figures"] else "cannot be drawn"),
    ):
        table.add_row(word, value)
    Console().print(table, highlight=False)
    for system, line in found["improve"].items():
        print(f"{'For pyvista to draw' if found['opengl']['window'] is None else 'For hardware'}, {system}: {line}")


def _listed(libraries: dict[str, str] | None) -> str:
    return "unknown" if libraries is None else ", ".join(sorted(libraries)) or "none"


def _drawn(gl: dict[str, Any]) -> str:
    if gl["window"] is None:
        return "does not work"
    return f"{'hardware' if gl['hardware'] else 'software'}: {gl['renderer'] or 'unknown'}, {gl['window']}"


def _cast(loops: dict[str, Any] | None) -> str:
    if loops is None:
        return "does not work: numba cannot be imported"
    return f"{loops['threads']} threads, compiled loops kept in {loops['kept_in'] or 'memory alone'}"
