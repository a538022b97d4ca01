"""What a picture shows, in words: for the legend under a figure, and for those who cannot see it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import singledispatch
from itertools import pairwise

import numpy as np
from matplotlib.colors import to_rgb

from volrender import focus
from volrender.color import RGB, Nodes, as_rgb
from volrender.cuts import Cut
from volrender.draw.annotate import number
from volrender.layers import CutPlane, Intensity, Isosurface, LabelMap, Layer
from volrender.looks import Look
from volrender.space import CAMERAS, Box, Camera, Clip, Floats, Plane
from volrender.surveys import THRESHOLDED
from volrender.version import __version__
from volrender.volume import Volume
from volrender.words import given

PLANES = ("sagittal", "coronal", "axial")
MIDLINE = 3.0  # mm around x = 0 that are no side
ROUND = ("right", "right front", "front", "left front", "left", "left back", "back", "right back")
STEEP, SLANTED = 65.0, 12.0  # degrees of elevation: from above alone, and from above too
# Steps of a volume's history that change its values; a threshold that comes last is told with the colors.
STEPS = {
    r"smooth\(fwhm=(.+)\)": "smoothed with {} mm FWHM",
    r"normalize\(\)": "normalized to 0 to 1",
    r"window\(level=(.+), width=(.+)\)": "window of level {} and width {}",
    r"contrast\(black=(.+), gamma=(.+), gain=(.+)\)": "contrast enhanced, black {}, gamma {}, gain {}",
    r"equalize\(\)": "histogram equalized",
    r"threshold\(level=(.+)\)": "thresholded at {}",
}
SHOWN_LABELS = 6  # regions that are named one by one
# Plain names of colors; a color is called by the nearest.
COLORS = {
    name: np.array(to_rgb(hue))
    for name, hue in {
        "red": "#d62728",
        "dark red": "#8b0000",
        "vermilion": "#d55e00",
        "orange": "#ff8c1a",
        "amber": "#e6a000",
        "yellow": "#ffe11a",
        "green": "#2ca02c",
        "turquoise": "#2fc7b8",
        "light blue": "#7fb8ea",
        "blue": "#2a5fc4",
        "dark blue": "#0a1470",
        "purple": "#8a3fb0",
        "pink": "#f5a8c0",
        "brown": "#7d4a2d",
        "beige": "#e6d2ba",
        "black": "#000000",
        "gray": "#808080",
        "light gray": "#c8c8c8",
        "white": "#ffffff",
    }.items()
}


def listed(items: Iterable[str]) -> str:
    """Items as they are read aloud.

    Examples
    --------
    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last


def color_word(rgb: RGB) -> str:
    """The plain name that is nearest to a color.

    Examples
    --------
    >>> color_word((0.8, 0.1, 0.1)), color_word((0.2, 0.4, 0.8))
    ('red', 'blue')
    """
    return min(COLORS, key=lambda name: float((COLORS[name] - rgb) ** 2 @ (2.0, 4.0, 3.0)))


def numbers(look: Look) -> str:
    """The ends of a colormap, as in "−8 to 8"."""
    return f"{number(look.clim[0])} to {number(look.clim[1])}"


def threshold(layer: Intensity) -> str:
    """What of a map is shown, as in "|z| ≥ 3.1"; "" if all is."""
    look, survey = layer.look, layer.look.survey
    before = re.fullmatch(r"threshold\(level=(.+)\)", layer.volume.history[-1] if layer.volume.history else "")
    own = survey.smallest if survey.smallest > THRESHOLDED * max(map(abs, survey.robust)) else None
    level = look.level if look.level is not None else float(before[1]) if before else own if survey.hollow else None
    curve = look.opacity if isinstance(look.opacity, tuple) else look.curve if look.sparse else None
    if level is None and curve is not None:
        level = _begin(curve, survey.signed, look.clim[1])
    value = layer.volume.unit or "value"
    if not survey.signed:
        return "" if level is None else f"{value} ≥ {number(level)}"
    first, last = (-1.0, 1.0) if curve is not None else look.clim
    level = 0.0 if level is None else abs(level)
    if first < 0 < last:
        return f"|{value}| ≥ {number(level)}" if level else ""
    sign, least = ("≥", max(level, first)) if last > 0 else ("≤", min(-level, last) + 0.0)
    return f"{value} {sign} {number(least)}"


def found(layer: Intensity | Isosurface) -> str:
    """How a level was found that was asked for by a word, as in ", Otsu's threshold"; "" of a number."""
    asked = given(layer).get("level")
    if not isinstance(asked, str):
        return ""
    return ", Otsu's threshold" if asked == "otsu" else f", below which {asked.removesuffix('%')} % of all values lie"


def _begin(curve: Nodes, signed: bool, top: float) -> float | None:
    """The value up to which an opacity curve shows nothing; None if it shows the lowest, or what is next to 0."""
    if signed:
        return max((value for value, amount in curve if amount == 0 < value < top), default=None)
    shown = next((n for n, (_, amount) in enumerate(curve) if amount > 0), 0)
    return curve[shown - 1][0] if shown else None


def removed(clips: Sequence[Clip]) -> str:
    """What is cut away, as in "x < 0 and y > −30 mm removed"; "" if nothing is."""
    return "; ".join(f"{_half(clip)} removed" for clip in clips)


def _half(clip: Clip) -> str:
    if isinstance(clip, Box):
        parts = []
        for axis, ends in zip("xyz", (clip.x, clip.y, clip.z)):
            low, high = ends or (None, None)
            if low is not None and high is not None:
                parts.append(f"{number(low)} < {axis} < {number(high)}")
            elif low is not None or high is not None:
                parts.append(f"{axis} > {number(low)}" if low is not None else f"{axis} < {number(high or 0.0)}")
        return f"{listed(parts)} mm"
    row = clip.halfspaces[0]
    for axis, unit in zip("xyz", np.eye(3)):
        if abs(row[:3] @ unit) > 1 - 1e-9:
            return f"{axis} {'>' if row[:3] @ unit > 0 else '<'} {number(float(row[3] * (row[:3] @ unit)))} mm"
    return f"all beyond {place(clip)}"


def place(plane: Plane) -> str:
    """A plane in words."""
    assert plane.origin is not None
    assert plane.normal is not None
    normal, origin = (", ".join(number(value) for value in values) for values in (plane.normal, plane.origin))
    return f"the plane through ({origin}) mm across ({normal})"


def cuts(shown: Sequence[Cut]) -> str:
    """Slices by their kind and places, "axial slices at z = 0 and 20 mm"; oblique ones by a point and their normal."""
    groups: dict[tuple[str, str], list[str]] = {}
    for cut in shown:
        axis, equals, at = cut.label.partition(" = ")
        kind = PLANES[cut.axis] if equals else "oblique"
        groups.setdefault((kind, axis if equals else ""), []).append(at if equals else cut.label.replace("\n", " "))
    said = []
    for (kind, axis), places in groups.items():
        what = f"{kind} slice{'s' if len(places) > 1 else ''}"
        at = listed(text.removesuffix(" mm") for text in places)
        said.append(f"{what} at {axis} = {at} mm" if axis else f"{what} through {at}")
    return listed(said)


def convention(shown: Sequence[Cut]) -> str:
    """On which side of slices the subject's left is; "" where none of them shows it."""
    turned = {cut.turned for cut in shown if cut.turned is not None}
    if len(turned) != 1:
        return "Sides are as lettered." if turned else ""
    name, side = ("Radiological", "right") if turned == {True} else ("Neurological", "left")
    oblique = {" = " not in cut.label for cut in shown if cut.turned is not None}
    kinds = ["axial", "coronal"] * (False in oblique) + ["oblique"] * (True in oblique)
    return f"{name} convention: the subject's left is on the {side} of {listed(kinds)} slices."


def viewpoint(camera: Camera) -> str:
    """From where the viewer looks, as in "from the left front and above (elevation 25°, azimuth 150°)"."""
    for name, angles in CAMERAS.items():
        if (camera.elevation, camera.azimuth) == angles:
            return {"superior": "from above", "inferior": "from below"}.get(name, f"from the {_plain(name)}")
    exact = f"(elevation {number(camera.elevation)}°, azimuth {number(camera.azimuth)}°)"
    height = "above" if camera.elevation > 0 else "below"
    if abs(camera.elevation) >= STEEP:
        return f"from {height} {exact}"
    side = ROUND[round(camera.azimuth % 360 / 45) % 8]
    return f"from the {side}{f' and {height}' if abs(camera.elevation) >= SLANTED else ''} {exact}"


def _plain(side: str) -> str:
    return {"anterior": "front", "posterior": "back"}.get(side, side)


@singledispatch
def layer_words(layer: Layer, drawn_as: str) -> str:
    """A layer by its name and what its colors mean, as a panel of a kind draws it."""
    raise NotImplementedError(type(layer).__name__)


@layer_words.register
def _(layer: Intensity, drawn_as: str) -> str:
    name = named(layer.volume)
    if layer.volume.kind == "rgb":
        said = ["colors as stored"]
    else:
        shown = threshold(layer)
        shown = f"{shown}{found(layer)}" if shown else ""
        plain = drawn_as == "volume" and layer.blend == "composite" and layer.preset is None
        if plain and not layer.look.chosen:
            said = [shown]
        else:
            said = [_tones(layer.look, layer.volume.unit), f"shown where {shown}" if shown else ""]
            said += [_faded(layer)] if drawn_as == "slice" else []
    if layer.blend != "composite" and drawn_as == "volume":
        name = f"{'an' if layer.blend == 'average' else 'a'} {layer.blend} projection of {name}"
    return _with(name, [*said, *processed(layer.volume), removed(layer.clip)])


@layer_words.register
def _(layer: Isosurface, drawn_as: str) -> str:
    value = f"{_beyond(layer)}{found(layer)}"
    what = "outline" if drawn_as == "slice" else "surface"
    name = named(layer.volume)
    said = [value, color_word(as_rgb(layer.color)), _opacity(layer.opacity)]
    return _with(f"the {what} of {name}", [*said, *processed(layer.volume), removed(layer.clip)])


@layer_words.register
def _(layer: LabelMap, drawn_as: str) -> str:
    name = named(layer.volume, "the label map")
    names = dict(layer.table.values())
    if len(layer.sizes) == 1:
        ((_, rgb),) = names.items()
        said = [color_word(rgb)]
    elif len(names) <= SHOWN_LABELS:
        said = [", ".join(f"{region} in {color_word(rgb)}" for region, rgb in names.items())]
    else:
        alike = len(set(names.values())) < len(names)
        said = [f"{len(names)} regions, {'some in like colors' if alike else 'each in a color of its own'}"]
    lined = drawn_as == "slice" and layer.outline
    return _with(f"the outlines of {name}" if lined else name, [*said, _opacity(layer.opacity), removed(layer.clip)])


@layer_words.register
def _(layer: CutPlane, drawn_as: str) -> str:
    if drawn_as == "slice":
        return f"the place of {_where(layer.plane)}"
    return _with(f"{named(layer.volume)} on {_where(layer.plane)}", [_tones(layer.look, ""), *processed(layer.volume)])


def _opacity(amount: float | None) -> str:
    """An alpha in words; "" of what is opaque."""
    return "" if amount is None or amount == 1 else f"opacity {number(amount)}"


def _faded(layer: Intensity) -> str:
    """The opacity of a map on a slice, as in "fading below |z| = 3.1" of a curve; "" if what is shown is opaque."""
    curve = layer.look.opacity
    if not isinstance(curve, tuple):
        return _opacity(curve)
    value, signed = layer.volume.unit or "value", layer.look.survey.signed
    top = max(amount for _, amount in curve)
    if {amount for _, amount in curve} <= {0.0, top} and all(a == b or x == y for (x, a), (y, b) in pairwise(curve)):
        return _opacity(top)
    sides = [[(abs(x), a) for x, a in curve if x * sign >= 0] for sign in (1, -1)] if signed else [list(curve)]
    if any(b < a for side in sides for (_, a), (_, b) in pairwise(sorted(side))):
        return "opacity varies with the value"
    full = min(x for side in sides for x, amount in side if amount == top)
    fading = f"fading below {f'|{value}|' if signed else value} = {number(full)}"
    return ", ".join(filter(None, [_opacity(top), fading]))


def _beyond(layer: Isosurface) -> str:
    """What a surface encloses, as in "z ≥ 3.1"."""
    assert isinstance(layer.level, float)
    return f"{layer.volume.unit or 'value'} {'≤' if layer.side < 0 else '≥'} {number(layer.level)}"


def _where(plane: Plane) -> str:
    row = plane.halfspaces[0]
    axis = int(np.argmax(np.abs(row[:3])))
    squarely = abs(abs(row[axis]) - 1) < 1e-9
    return f"the plane {'xyz'[axis]} = {number(float(row[3] * np.sign(row[axis])))} mm" if squarely else place(plane)


def named(volume: Volume, otherwise: str = "the volume") -> str:
    """A volume's name, and which of its frames is seen."""
    name = volume.name or otherwise
    frame = next((found[1] for step in volume.history if (found := re.fullmatch(r"frame\((.+)\)", step))), "")
    return f"frame {frame} of {name}" if frame else f"the mean of {name}" if "mean()" in volume.history else name


def processed(volume: Volume) -> list[str]:
    """What was done to a volume's values, as in "smoothed with 4 mm FWHM".

    Examples
    --------
    >>> from volrender import sample
    >>> processed(sample("mni152").smooth(4).normalize())
    ['smoothed with 4 mm FWHM', 'normalized to 0 to 1']
    """
    steps = volume.history[:-1] if volume.history and volume.history[-1].startswith("threshold(") else volume.history
    matches = ((said, re.fullmatch(pattern, step)) for step in steps for pattern, said in STEPS.items())
    return [said.format(*(number(float(value)) for value in found.groups())) for said, found in matches if found]


def _tones(look: Look, unit: str) -> str:
    """Colormap and its ends."""
    return f"{look.cmap.name}, {numbers(look)}{f' {unit}' if unit else ''}"


def _with(name: str, details: Iterable[str]) -> str:
    said = "; ".join(detail for detail in details if detail)
    return f"{name} ({said})" if said else name


def heading(title: str) -> str:
    """A title as a sentence, in one line: with a full stop, unless it ends in one or in another mark.

    Examples
    --------
    >>> heading("Two  patients"), heading("Patients."), heading("Is it so?"), heading("")
    ('Two patients.', 'Patients.', 'Is it so?', '')
    """
    line = " ".join(title.split())
    return line if line.endswith(("?", "!", "…", ":")) or not line else f"{line.rstrip('.')}."


def sentence(view: str, layers: Sequence[Layer], drawn_as: str) -> str:
    """What a panel shows: its view, of the first layer, with the others."""
    words = [layer_words(layer, drawn_as) for layer in layers]
    text = view + (f" of {words[0]}" if words else "") + (f", with {listed(words[1:])}" if words[1:] else "")
    return f"{text[0].upper()}{text[1:]}."


def closing(layers: Sequence[Layer], sides: str) -> str:
    """What is true of all panels: the sides, the space and what drew them."""
    spaces = sorted({layer.volume.space for layer in layers} - {"", "aligned", "template"})
    where = f", in {listed(spaces)} space" if spaces else ""
    said = [sides] if sides else []
    if layers:
        said.append(f"Coordinates are in mm{where} (x to the right, y to the front, z up).")
    return " ".join([*said, f"Drawn with volrender {__version__}."])


def finding(layers: Sequence[Layer], is_seen: Callable[[Layer, Floats], bool]) -> str:
    """Where the strongest values of an overlay are that the picture shows, for those who cannot see them; else ""."""
    if len(layers) < 2:
        return ""
    layer = focus.finding(layers)
    if layer is layers[0] or not isinstance(layer, (Intensity, Isosurface)) or layer.volume.kind == "rgb":
        return ""
    told = focus.told(layers, is_seen)
    if told is None:
        return ""
    layer, point = told.layer, told.point
    side = f", on the subject's {'right' if point[0] > 0 else 'left'} side" if abs(point[0]) > MIDLINE else ""
    at = ", ".join(f"{axis} = {number(float(value))}" for axis, value in zip("xyz", point))
    whole = isinstance(layer, Intensity) and not threshold(layer)
    what = "strongest value" if whole else "largest cluster" if told.largest else "largest visible cluster"
    name = named(layer.volume, "the map") + (f" ({_beyond(layer)})" if isinstance(layer, Isosurface) else "")
    return f"The {what} of {name} {'is' if whole else 'peaks'} at {at} mm{side}."
