"""Transfer functions by name, which adapt to the volume.

Those of computed tomography are in Hounsfield units. Where a volume is not, they are moved to its values; see
`preset`. Those of magnetic resonance and of microscopy are on a scale on which the background ends at 0 and the
brightest tissue lies at 1 (`color.Survey`). "stat" is made for each map, from its threshold and its range.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender.color import Survey
from volrender.io.files import warn
from volrender.space import finite
from volrender.transfer import TransferFunction
from volrender.volume import Volume

MATTE = {"ambient": 0.2, "diffuse": 0.85, "specular": 0.08, "power": 8.0}
MOIST = {"ambient": 0.2, "diffuse": 0.8, "specular": 0.25, "power": 20.0}
GLOSS = {"ambient": 0.18, "diffuse": 0.8, "specular": 0.35, "power": 30.0}
GLOW = {"ambient": 0.55, "diffuse": 0.5, "specular": 0.0, "power": 1.0}

CT = {
    "ct-bone": TransferFunction(
        [(150, 0), (260, 0.25), (500, 0.75), (1200, 0.95)],
        [
            (-200, "#000000"),
            (100, "#5a2f20"),
            (240, "#a4704e"),
            (420, "#dcbf98"),
            (800, "#f4e8d2"),
            (1800, "#fffdf6"),
        ],
        shading=GLOSS,
    ),
    "ct-soft-tissue": TransferFunction(
        [(-160, 0), (-90, 0.012), (-10, 0.012), (40, 0.06), (110, 0.08), (170, 0.1), (350, 0.5), (900, 0.9)],
        [
            (-400, "#000000"),
            (-110, "#e8c98a"),
            (-30, "#d9976a"),
            (30, "#b5483a"),
            (90, "#c0564a"),
            (180, "#e0b490"),
            (400, "#f4e6cc"),
            (1500, "#ffffff"),
        ],
        shading=MOIST,
    ),
    "ct-skin": TransferFunction(
        [(-500, 0), (-300, 0.4), (-100, 0.95), (3000, 0.95)],
        [
            (-1000, "#000000"),
            (-450, "#a06a52"),
            (-250, "#d9a585"),
            (100, "#efc8ac"),
            (400, "#fbeee0"),
            (1500, "#ffffff"),
        ],
        shading=MATTE,
    ),
    "ct-lung": TransferFunction(
        [
            (-960, 0),
            (-900, 0.012),
            (-750, 0.02),
            (-550, 0.015),
            (-420, 0),
            (-60, 0),
            (20, 0.004),
            (200, 0.01),
            (500, 0.05),
        ],
        [(-1000, "#000000"), (-900, "#2f6fb0"), (-700, "#7fb2dc"), (-450, "#cfe4f2"), (0, "#d98878"), (400, "#f6ead8")],
        shading=MATTE,
    ),
    "ct-angio": TransferFunction(
        [(120, 0), (190, 0.35), (330, 0.8), (520, 0.5), (700, 0.06), (2000, 0.08)],
        [
            (-200, "#000000"),
            (100, "#5c0f0f"),
            (200, "#b01818"),
            (350, "#dc3a28"),
            (520, "#f0a070"),
            (700, "#f5e8d0"),
            (1500, "#ffffff"),
        ],
        shading=GLOSS,
    ),
}

RELATIVE = {
    "mr-t1": TransferFunction(
        [(-0.05, 0), (0.1, 0.03), (0.35, 0.1), (0.6, 0.3), (0.9, 0.5)],
        [(-0.2, "#000000"), (0.1, "#5a2a1c"), (0.35, "#9c6248"), (0.55, "#c9a183"), (0.8, "#efe0cb"), (1.0, "#ffffff")],
        shading=MATTE,
    ),
    "mr-head": TransferFunction(
        [(-0.1, 0), (0.12, 0.5), (0.3, 0.95)],
        [(-0.2, "#000000"), (0.0, "#b07a60"), (0.2, "#dfae90"), (0.6, "#f2d3ba"), (1.0, "#ffffff")],
        shading=MATTE,
    ),
    "mr-angio": TransferFunction(
        [(0.45, 0), (0.6, 0.3), (0.8, 0.9)],
        [(-0.2, "#000000"), (0.4, "#5c0f0f"), (0.6, "#b01818"), (0.8, "#dc3a28"), (1.0, "#ffc9a0")],
        shading=GLOSS,
    ),
    "fluorescence": TransferFunction(
        [(0.0, 0), (0.15, 0.02), (0.5, 0.2), (1.0, 0.8)],
        [(-0.2, "#000000"), (0.1, "#003d10"), (0.5, "#12b83c"), (0.85, "#8dff8a"), (1.0, "#ffffff")],
        shading=GLOW,
    ),
}

NAMES = (*CT, *list(RELATIVE)[:3], "stat", "fluorescence")
SMALL = 100.0  # mm; what is smaller is drawn as if it were enlarged to this size
AIR_HU, BRIGHT_HU = -1000.0, 1500.0  # where the background and the brightest matter of an unknown scale are put
WATER_RAW = 1024.0


def preset(name: str, volume: Volume, *, level: float | None = None) -> TransferFunction:
    """A transfer function by its name, in the values of a volume.

    Those of computed tomography, "ct-bone", "ct-soft-tissue", "ct-skin", "ct-lung" and "ct-angio", are in Hounsfield
    units. A volume is in them if its unit is HU, or if its values reach from -100 or less to 300 or more. It is off by
    1024 if its whole numbers from 0 up reach beyond 1300, but not 8191, and a third of those above 500 lie between
    900 and 1150, where water and soft tissue would. Else the preset is spread over the values, with a warning.

    "mr-t1", "mr-head", "mr-angio" and "fluorescence" go from the end of the background to the brightest tissue.
    "stat" is two-sided, and transparent up to its level. What is smaller than 100 mm absorbs as if it were enlarged
    to that, so that a mouse looks like a man.

    Parameters
    ----------
    name : str
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
    >>> preset("stat", sample("motor"), level=3.1).opacity[1:4]
    ((-3.1, 0.25), (-3.1, 0.0), (3.1, 0.0))
    """
    _check_name(name)
    if level is not None and name != "stat":
        raise ValueError(f"level belongs to the preset stat; got it for {name}")
    if volume.kind != "intensity":
        raise TypeError(f"a preset needs intensities; {volume.name or 'the volume'} holds {volume.kind}")
    if name == "stat":
        found = _stat(volume.survey, level)
    elif name in CT:
        found = CT[name].moved(*_from_hounsfield(name, volume))
    else:
        bright = max(volume.survey.robust[1], volume.survey.air)
        found = RELATIVE[name].moved((bright - volume.survey.air) or 1.0, volume.survey.air)
    longest = float(np.ptp(volume.bounds, axis=1).max())
    return replace(found.over(min(longest / SMALL, 1.0)), name=name)


def as_transfer(value: Any, volume: Volume) -> TransferFunction:
    """What a layer's `preset` means: a name, a file, or a transfer function."""
    if volume.kind == "rgb":
        raise TypeError(f"{volume.name or 'the volume'} takes no preset: its voxels are colors")
    if isinstance(value, TransferFunction):
        return value
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"preset must be a name, a .vp.json file or a TransferFunction; got {value!r}")
    path = Path(value)
    if isinstance(value, os.PathLike) or path.suffix in (".json", ".vp") or len(path.parts) > 1:
        return TransferFunction.load(path)
    return preset(value, volume)


def _check_name(name: str) -> None:
    if name not in NAMES:
        close = difflib.get_close_matches(str(name), NAMES, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}? Choose" if close else "choose"
        raise ValueError(f"there is no preset {name!r}; {hint} from {', '.join(NAMES)}, or give a .vp.json file")


def _from_hounsfield(name: str, volume: Volume) -> tuple[float, float]:
    """Scale and offset from Hounsfield units to the volume's values."""
    low, high = volume.survey.low, volume.survey.high
    if volume.unit.upper() == "HU" or (low <= -100 and high >= 300):
        return 1.0, 0.0
    if low >= 0 and 1300 < high < 8192 and _water_at_1024(volume.data):
        return 1.0, WATER_RAW
    dark, bright = volume.survey.robust
    warn(
        f"{volume.name or 'the volume'} is not in Hounsfield units ({low:g} to {high:g}): "
        f"{name} is spread over its values"
    )
    scale = (bright - dark) / (BRIGHT_HU - AIR_HU) or 1.0
    return scale, dark - scale * AIR_HU


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
    hot = [(at, "#a8101c"), (half, "#f0641e"), (top, "#ffd84a")]
    cool = [(-top, "#6fe0f0"), (-half, "#2a86d8"), (-at, "#1a2f9c")]
    weak, strong = 0.25, 0.9
    up = [(at, 0.0), (at, weak), (top, strong)]
    down = [(-top, strong), (-at, weak), (-at, 0.0)] if survey.low < 0 else [(0.0, 0.0)]
    colors = [*(cool if survey.low < 0 else []), (0.0, "#f2f2f2"), *hot]
    return TransferFunction((*down, *up), tuple(colors), shading=MOIST, sparse=True)
