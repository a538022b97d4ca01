"""Transfer functions by name, which adapt to the volume.

Those of computed tomography are in Hounsfield units. Where a volume is not, they are moved to its values; see
`preset`. Those of magnetic resonance and of microscopy are on a scale on which the background ends at 0 and the
brightest tissue lies at 1 (`surveys.Survey`). "stat" is made for each map, from its threshold and its range.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from volrender.io.files import warn
from volrender.space import finite
from volrender.surveys import Survey, enclosed, thinned
from volrender.transfer import TransferFunction
from volrender.volume import Volume
from volrender.words import choices

# Ambient and diffuse light together just reach a color, and do not bleach it.
MATTE = {"ambient": 0.3, "diffuse": 0.75, "specular": 0.05, "power": 8.0}
MOIST = {"ambient": 0.28, "diffuse": 0.75, "specular": 0.12, "power": 20.0}
GLOSS = {"ambient": 0.3, "diffuse": 0.75, "specular": 0.12, "power": 30.0}
GLOW = {"ambient": 0.6, "diffuse": 0.4, "specular": 0.0, "power": 1.0}

CT = {
    "ct-bone": TransferFunction(
        [(150, 0), (260, 0.25), (500, 0.75), (1200, 0.95)],
        [
            (-200, "#000000"),
            (100, "#7a4630"),
            (230, "#d2a47c"),
            (380, "#f3dfbf"),
            (700, "#fff6e6"),
            (1800, "#ffffff"),
        ],
        shading=GLOSS,
    ),
    "ct-soft-tissue": TransferFunction(
        [(-180, 0), (-110, 0.02), (-20, 0.02), (40, 0.06), (110, 0.08), (170, 0.1), (350, 0.5), (900, 0.9)],
        [
            (-400, "#000000"),
            (-180, "#e8b896"),
            (-100, "#ffdca0"),
            (-20, "#f0a878"),
            (30, "#e0604c"),
            (90, "#e06a58"),
            (170, "#f2c8a4"),
            (350, "#fff0d8"),
            (1500, "#ffffff"),
        ],
        shading=MOIST,
        soft=True,
    ),
    "ct-skin": TransferFunction(
        [(-500, 0), (-300, 0.4), (-100, 0.95), (3000, 0.95)],
        [
            (-1000, "#000000"),
            (-500, "#d8987a"),
            (-250, "#f7c8a8"),
            (0, "#ffdcc4"),
            (400, "#fff2e4"),
            (1500, "#ffffff"),
        ],
        shading=MATTE,
        soft=True,
    ),
    "ct-lung": TransferFunction(
        [
            (-960, 0),
            (-880, 0.006),
            (-700, 0.008),
            (-600, 0.1),
            (-450, 0.1),
            (-350, 0),
            (150, 0),
            (350, 0.03),
            (900, 0.06),
        ],
        [
            (-1000, "#000000"),
            (-960, "#3f8fd8"),
            (-750, "#8cc4f0"),
            (-550, "#c4e2fa"),
            (-350, "#e4f2fc"),
            (0, "#e09a88"),
            (250, "#f4dcc0"),
            (900, "#ffffff"),
        ],
        shading=MOIST,
        soft=True,
    ),
    "ct-angio": TransferFunction(
        [(170, 0), (230, 0.1), (320, 0.35), (420, 0.4), (500, 0.9), (1000, 0.95)],
        [
            (-200, "#000000"),
            (100, "#8c1414"),
            (190, "#d8281f"),
            (360, "#f04030"),
            (430, "#f0a080"),
            (480, "#f3dfbf"),
            (700, "#fff6e6"),
            (1500, "#ffffff"),
        ],
        shading=GLOSS,
    ),
}

RELATIVE = {
    "mr-t1": TransferFunction(
        [(-0.05, 0), (0.1, 0.01), (0.3, 0.014), (0.5, 0.06), (0.7, 0.4), (1.0, 0.6)],
        [
            (-0.2, "#000000"),
            (0.0, "#d89c7c"),
            (0.3, "#e0a888"),
            (0.5, "#f0ccb0"),
            (0.72, "#fff4e4"),
            (1.0, "#ffffff"),
        ],
        shading=MATTE,
        soft=True,
    ),
    "mr-head": TransferFunction(
        [(-0.1, 0), (0.12, 0.5), (0.3, 0.95)],
        [(-0.2, "#000000"), (-0.08, "#d8987a"), (0.12, "#f7c8a8"), (0.5, "#ffe0cc"), (1.0, "#ffffff")],
        shading=MATTE,
        soft=True,
    ),
    "mr-angio": TransferFunction(
        [(0.45, 0), (0.6, 0.3), (0.8, 0.9)],
        [(-0.2, "#000000"), (0.3, "#8c1414"), (0.5, "#e02a22"), (0.75, "#ff4a34"), (1.0, "#ffd8b8")],
        shading=GLOSS,
    ),
    "fluorescence": TransferFunction(
        [(0.0, 0), (0.15, 0.02), (0.5, 0.2), (1.0, 0.8)],
        [(0.0, "#000000"), (0.1, "#0fae38"), (0.4, "#38e860"), (0.75, "#b4ffb0"), (1.0, "#ffffff")],
        shading=GLOW,
    ),
}

PURPOSES = {
    "ct-bone": "bone in CT",
    "ct-soft-tissue": "soft tissue in CT",
    "ct-skin": "the skin in CT",
    "ct-lung": "the lungs in CT",
    "ct-angio": "contrast-filled vessels in CT",
    "mr-t1": "T1-weighted MR",
    "mr-head": "the skin of a head in MR",
    "mr-angio": "MR angiograms, in which vessels alone are bright",
    "stat": "statistical maps, with values on both sides of 0",
    "fluorescence": "what is bright on a dark ground",
}
# From where to where what a preset is made for lies (HU). What is next to something above that is the edge of it.
SHOWN = {
    "ct-bone": (300.0, np.inf),
    "ct-soft-tissue": (-150.0, np.inf),
    "ct-skin": (-300.0, np.inf),
    "ct-lung": (-900.0, -550.0),
    "ct-angio": (200.0, 480.0),
}
NEXT_TO = 3  # voxels
HARDLY_ANY = 0.0005  # of the body
BODY_HU = -300.0  # where it begins
VESSELS = 0.25  # of the foreground; more of an angiogram is not vessels
NAMES = (*CT, *list(RELATIVE)[:3], "stat", "fluorescence")
SMALL = 100.0  # mm; what is smaller is drawn as if it were enlarged to this size
AIR_HU, BRIGHT_HU = -1000.0, 1500.0  # where the background and the brightest matter of an unknown scale are put
WATER_RAW = 1024.0


def preset(name: str | os.PathLike[str], volume: Volume, *, level: float | None = None) -> TransferFunction:
    """A transfer function by its name, in the values of a volume.

    Those of computed tomography, "ct-bone", "ct-soft-tissue", "ct-skin", "ct-lung" and "ct-angio", are in Hounsfield
    units. A volume is in them if its unit is HU, or if its values reach from -100 or less to 300 or more. It is off by
    1024 if its whole numbers from 0 up reach beyond 1300, but not 8191, and a third of those above 500 lie between
    900 and 1150, where water and soft tissue would. Else the preset is spread over the values, with a warning.

    "mr-t1", "mr-head", "mr-angio" and "fluorescence" go from the end of the background to the brightest tissue.
    "stat" is two-sided, and transparent up to its level. Of what is smaller than 100 mm a shorter `distance` absorbs
    what else a millimetre does, as if it were enlarged to that, so that a mouse, or a cell, looks like a man.

    A warning tells of data that a preset is not for, such as "mr-t1" of a map with a sign, or "ct-lung" of a
    head.

    Parameters
    ----------
    name : str or path-like
        Or the path of a `.vp.json` file, whose values are taken as they are.
    volume : Volume
        3-D intensities.
    level : float, optional
        Of "stat" alone: the threshold. By default that of a map that has been thresholded, or half its range.

    Returns
    -------
    TransferFunction

    Raises
    ------
    ValueError
        If there is no such preset, or the level is not above 0 and within the map.

    Examples
    --------
    >>> from volrender import sample
    >>> preset("stat", sample("motor"), level=3.1).opacity[2:5]
    ((-3.1, 0.3), (-3.1, 0.0), (3.1, 0.0))
    """
    if level is not None and name != "stat":
        raise ValueError(f"level belongs to the preset stat; {name} has none")
    if _is_file(name):
        return TransferFunction.load(name)
    name = str(name)
    _check_name(name)
    if volume.kind != "intensity":
        raise TypeError(f"a preset needs intensities; {volume.name or 'the volume'} holds {volume.kind}")
    if level is None and (why := _unsuited(name, volume)):
        _tell(name, volume, why)
    if name == "stat":
        found = _stat(volume.survey, level)
    elif name in CT:
        found = CT[name].moved(*_from_hounsfield(name, volume))
    else:
        bright = max(volume.survey.robust[1], volume.survey.air)
        found = RELATIVE[name].moved((bright - volume.survey.air) or 1.0, volume.survey.air)
    longest = float(np.ptp(volume.bounds, axis=1).max())
    return replace(found, name=name, distance=min(longest / SMALL, 1.0) or 1.0)


def as_transfer(value: Any, volume: Volume) -> TransferFunction:
    """What a layer's `preset` means: a name, a file, or a transfer function."""
    if volume.kind == "rgb":
        raise TypeError(f"{volume.name or 'the volume'} takes no preset: its voxels are colors")
    if isinstance(value, TransferFunction):
        return value
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"preset must be a name, a .vp.json file or a TransferFunction; got {value!r}")
    return preset(value, volume)


def _is_file(name: str | os.PathLike[str]) -> bool:
    """Whether a preset is given by a path."""
    path = Path(name)
    return isinstance(name, os.PathLike) or path.suffix in (".json", ".vp") or len(path.parts) > 1


def _check_name(name: str) -> None:
    if name not in NAMES:
        close = difflib.get_close_matches(str(name), NAMES, n=1, cutoff=0.5)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ValueError(f"there is no preset {name!r}{hint}; {choices([*NAMES], name)}, or give a .vp.json file")


def _tell(name: str, volume: Volume, why: str) -> None:
    what, survey = volume.name or "the volume", volume.survey
    warn(f"the preset {name} is for {PURPOSES[name]}; {what}, {survey.low:g} to {survey.high:g}, {why}")


def _unsuited(name: str, volume: Volume) -> str:
    """What speaks against a preset for a volume; nothing, or what else tells of it, if none does."""
    survey = volume.survey
    if name == "stat":
        return "has none below 0" if survey.low >= 0 else ""
    if name in CT:
        return ""
    if survey.signed:
        return "has a sign, as a map does"
    if name.startswith("mr-") and volume.unit.upper() == "HU":
        return "is a CT in Hounsfield units"
    if name == "mr-angio":
        seen = survey.air + RELATIVE[name].opacity[0][0] * (survey.robust[1] - survey.air)
        data = volume.data[np.isfinite(volume.data)]
        share = (data > seen).sum() / max((data > survey.air).sum(), 1)
        return f"is as bright in {100 * share:.0f} % of its foreground" if share > VESSELS else ""
    return ""


def _from_hounsfield(name: str, volume: Volume) -> tuple[float, float]:
    """Scale and offset from Hounsfield units to the volume's values."""
    low, high = volume.survey.low, volume.survey.high
    known = volume.unit.upper() == "HU" or (low <= -100 and high >= 300)
    raw = not known and low >= 0 and 1300 < high < 8192 and _water_at_1024(volume.data)
    if known or raw:
        offset = WATER_RAW if raw else 0.0
        if _share(volume.data, offset, *SHOWN[name]) < HARDLY_ANY:
            _tell(name, volume, "has almost none")
        return 1.0, offset
    dark, bright = volume.survey.floor, volume.survey.robust[1]
    warn(
        f"{volume.name or 'the volume'} is not in Hounsfield units ({low:g} to {high:g}): "
        f"{name}, for {PURPOSES[name]}, is spread over its values"
    )
    scale = (bright - dark) / (BRIGHT_HU - AIR_HU) or 1.0
    return scale, dark - scale * AIR_HU


def _share(data: NDArray[Any], offset: float, low: float, high: float) -> float:
    """The part of the body in a CT that lies between two values (HU), less where something above is near.

    On the way from air to skin there are the values of lungs, about bone those of vessels. Where a scan ends in the
    lungs they are enclosed from the sides alone.
    """
    some = thinned(data)
    body = enclosed(some > BODY_HU + offset, axes=2)
    near = ndimage.maximum_filter(body & (some > high + offset), 2 * NEXT_TO + 1)
    found = body & (some >= low + offset) & (some <= high + offset) & ~near
    return float(found.sum() / max(body.sum(), 1))


def _water_at_1024(data: NDArray[Any]) -> bool:
    """Whether whole numbers pile up where soft tissue lies in a CT whose units are offset by 1024."""
    values = data[np.isfinite(data) & (data > 500)]
    whole = data.dtype.kind in "iu" or bool((values[:: max(1, values.size // 4096)] % 1 == 0).all())
    return whole and bool(((values >= 900) & (values <= 1150)).sum() * 3 >= max(values.size, 1))


def _stat(survey: Survey, level: float | None) -> TransferFunction:
    """Hot and cool beyond the level, nothing between."""
    top = max(map(abs, survey.robust)) or 1.0
    own = survey.smallest if survey.smallest > 0.1 * top else 0.5 * top
    at = own if level is None else finite(level, "level")
    if not 0 < at <= max(abs(survey.low), abs(survey.high), top):
        raise ValueError(f"level must be above 0 and within the map, {survey.low:g} to {survey.high:g}; got {at:g}")
    step = 10.0 ** (np.floor(np.log10(top)) - 1)  # two digits, for a color bar that can be read
    top = max(float(np.round(np.ceil(top / step - 1e-9) * step, 12)), 1.01 * at)
    half = (at + top) / 2
    hot = [(at, "#e02a1c"), (half, "#ff8a2a"), (top, "#ffe85a")]
    cool = [(-top, "#8ff4ff"), (-half, "#3aa0f4"), (-at, "#2848d8")]
    soft = at + 0.15 * (top - at)
    up = [(at, 0.0), (at, 0.3), (soft, 0.9), (top, 0.95)]
    down = [(-value, amount) for value, amount in reversed(up)] if survey.low < 0 else [(0.0, 0.0)]
    colors = [*(cool if survey.low < 0 else []), (0.0, "#f2f2f2"), *hot]
    return TransferFunction((*down, *up), tuple(colors), shading=MOIST, sparse=True)
