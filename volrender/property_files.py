"""3D Slicer's volume properties: `.vp.json` (schema volume-property-schema-v1.0.0) and the older text, `.vp`.

Plain numbers in, plain numbers out. A file's opacity holds for a `scalarOpacityUnitDistance` of d mm: a node that
absorbs `a` over d mm absorbs ``1 - (1 - a)**(1 / d)`` over one. Nothing in a file is believed before it is checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from volrender.io.files import sentence, write_beside

Point: TypeAlias = tuple[float, ...]  # value, what it becomes (1 or 3 numbers), in a file also midpoint and sharpness

SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/main/Modules/Loadable/VolumeRendering/Resources/Schema/"
    "volume-property-schema-v1.0.0.json#"
)
OWN = ("sparse", "soft")
SHADING = ("ambient", "diffuse", "specular", "power")
UNSHADED = {"ambient": 1.0, "diffuse": 0.0, "specular": 0.0, "power": 1.0}
MAX_BYTES, MAX_POINTS = 4 << 20, 1024
MOST_INTEGER = 2**64
LARGEST = 1e30  # no measured value is beyond; single precision, in which pictures are drawn, ends at 3e38
SMOOTH_STEPS = 64


class Property(NamedTuple):
    """A volume property: nodes (value, what it becomes), opacity of `distance` mm; None where a file leaves it open.

    Whether slices are sparse, and what is shown soft, are this package's own words, for which the schema leaves room.
    """

    opacity: Sequence[Point]
    colors: Sequence[Point]
    gradient: Sequence[Point] | None
    shading: Mapping[str, float] | None
    distance: float = 1.0
    sparse: bool = False
    soft: bool = False


def read(file: Path) -> Property:
    """A `.vp.json`, or a `.vp`; of several components the first."""
    text = _text(file)
    try:
        return _from_text(text) if file.suffix == ".vp" else _from_json(text)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file}: {error}") from None


def write(file: Path, held: Property) -> None:
    """Write a `.vp.json`, beside its place first, and then rename it."""
    text = json.dumps(_as_json(held), indent=2, allow_nan=False) + "\n"
    write_beside(file, lambda stream: stream.write(text.encode()))


def _text(file: Path) -> str:
    """What the file holds, if it is of a size that a person could have made."""
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file")
    with file.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"{file}: a transfer function must have at most {MAX_BYTES:,} bytes; this file has more")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: must be text in UTF-8; {sentence(error)}") from None


def _from_json(text: str) -> Property:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"must be JSON; {sentence(error)}") from None
    known = isinstance(content, dict) and "volume-property-schema-v" in str(content.get("@schema")).lower()
    if not known:
        raise ValueError("must be a volume property of 3D Slicer; its @schema is no volume-property-schema")
    whole = _first(content, "volumeProperties")
    first = _first(whole, "components")
    distance = _number(first.get("scalarOpacityUnitDistance", 1.0), "scalarOpacityUnitDistance")
    if not distance > 0:
        raise ValueError(f"scalarOpacityUnitDistance must be above 0 mm; got {distance:g}")
    opacity = _curve(_points(first, "scalarOpacity", 1))
    steep = [] if first.get("disableGradientOpacity") is True else _points(first, "gradientOpacity", 1, needed=False)
    lighting = first.get("lighting")
    return Property(
        [(at, _within(amount, "scalarOpacity")) for at, amount in _spread(opacity)],
        _spread(_curve(_points(first, "rgbTransferFunction", 3))),
        _factors(_curve(steep)),
        UNSHADED if first.get("shade") is False else None if lighting is None else _lighting(lighting),
        distance,
        *(whole.get(word) is True for word in OWN),
    )


def _first(parent: Mapping[str, Any], key: str) -> dict[str, Any]:
    items = parent.get(key)
    if not isinstance(items, list) or not items or not isinstance(items[0], dict):
        raise ValueError(f"must have an object in {key}; it has {_brief(items)}")
    return items[0]


def _points(parent: Mapping[str, Any], key: str, size: int, *, needed: bool = True) -> list[Point]:
    """The points of a function with `size` numbers at each value, in rising order of value, as Slicer sorts them."""
    function = parent.get(key)
    if function is None and not needed:
        return []
    points = function.get("points") if isinstance(function, dict) else None
    if not isinstance(points, list) or (needed and not points):
        raise ValueError(f"must have points in {key}; it has {_brief(function)}")
    if len(points) > MAX_POINTS:
        raise ValueError(f"{key} must have at most {MAX_POINTS:,} points; it has {len(points):,}")
    return sorted((_point(point, key, size) for point in points), key=lambda point: point[0])


def _point(point: Any, key: str, size: int) -> Point:
    if not isinstance(point, dict):
        raise ValueError(f"every point of {key} must be an object; it has {_brief(point)}")
    become = [point.get("y")] if size == 1 else point.get("color")
    if not isinstance(become, list) or len(become) != size:
        raise ValueError(f"every color of {key} must be {size} numbers; it has {_brief(become)}")
    numbers = [point.get("x"), *become, point.get("midpoint", 0.5), point.get("sharpness", 0.0)]
    at, *values, midpoint, sharpness = (_number(number, key) for number in numbers)
    return at, *values, _within(midpoint, f"the midpoints of {key}"), _within(sharpness, f"the sharpness of {key}")


def _curve(points: Sequence[Point]) -> list[Point]:
    """Points (value, numbers) joined by straight lines, for points with a midpoint and a sharpness.

    Without sharpness it is straight to the midpoint and beyond; else it is VTK's (`vtkPiecewiseFunction`), a cubic
    Hermite curve of a power.
    """
    nodes = [point[:-2] for point in points[:1]]
    for (x, *y, midpoint, sharpness), (end, *top, _, _) in pairwise(points):
        halves = [0.5] if sharpness < 0.01 else [n / SMOOTH_STEPS for n in range(1, SMOOTH_STEPS)]
        if (sharpness < 0.01 and midpoint == 0.5) or not 0 < midpoint < 1:
            halves = []
        steps = [2 * h * midpoint if h < 0.5 else midpoint + (2 * h - 1) * (1 - midpoint) for h in halves]
        shares = [h if sharpness < 0.01 else _eased(h, sharpness) for h in halves]
        for step, share in zip(steps, shares):
            nodes.append((x + step * (end - x), *(a + share * (b - a) for a, b in zip(y, top))))
        nodes.append((end, *top))
    return nodes


def _eased(s: float, sharpness: float) -> float:
    """VTK's curve between two nodes."""
    power = 1 + 10 * sharpness
    s = 0.5 * (2 * s) ** power if s < 0.5 else 1 - 0.5 * (2 * (1 - s)) ** power
    bend = (1 - sharpness) * (s**3 - 2 * s**2 + s + s**3 - s**2)
    return float(min(max(-2 * s**3 + 3 * s**2 + bend, 0.0), 1.0))


def _spread(nodes: Sequence[Point]) -> Sequence[Point]:
    """A curve of one node is the same everywhere."""
    return nodes if len(nodes) != 1 else [nodes[0], (nodes[0][0] + 1.0, *nodes[0][1:])]


def _factors(nodes: Sequence[Point]) -> Sequence[Point] | None:
    """A gradient's nodes; None where it changes nothing."""
    factors = [(at, _within(factor, "gradientOpacity")) for at, factor in _spread(nodes)]
    return factors if any(factor != 1 for _, factor in factors) else None


def _lighting(lighting: Any) -> dict[str, float]:
    if not isinstance(lighting, dict):
        raise ValueError(f"lighting must be an object; it is {_brief(lighting)}")
    usual = {"ambient": 0.1, "diffuse": 0.7, "specular": 0.2, "specularPower": 10.0}
    numbers = [_number(lighting.get(key, value), key) for key, value in usual.items()]
    return dict(zip(SHADING, numbers))


def _number(value: Any, what: str) -> float:
    """A finite number of JSON, which knows true, strings, NaN and 1e999 too."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -LARGEST <= value <= LARGEST:
        raise ValueError(f"{what} must hold finite numbers; it has {_brief(value)}")
    return float(value)


def _within(value: float, what: str) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{what} must be between 0 and 1; it has {value:g}")
    return value


def _brief(value: Any) -> str:
    """A value of a file, as short as an error can bear."""
    if value is None:
        return "none"
    if isinstance(value, int) and abs(value) > MOST_INTEGER:
        return "an integer beyond reason"
    return " ".join(repr(value)[:60].split()) if isinstance(value, (str, int, float)) else type(value).__name__


def _as_json(held: Property) -> dict[str, Any]:
    """The volume property, as Slicer writes it."""
    straight = {"midpoint": 0.5, "sharpness": 0.0}
    ends = [node[0] for node in (*held.opacity, *held.colors)]

    def piecewise(nodes: Sequence[Point]) -> dict[str, Any]:
        return {"type": "piecewiseLinearFunction", "points": [{"x": x, "y": y} | straight for x, y in nodes]}

    colors = [{"x": at, "color": rgb} | straight for at, *rgb in held.colors]
    component: dict[str, Any] = {
        "componentWeight": 1.0,
        "shade": held.shading != UNSHADED,
        "disableGradientOpacity": held.gradient is None,
        "scalarOpacityUnitDistance": held.distance,
        "scalarOpacity": piecewise(held.opacity),
        "gradientOpacity": piecewise(held.gradient or [(0.0, 1.0), (255.0, 1.0)]),
        "rgbTransferFunction": {"type": "colorTransferFunction", "points": colors},
    }
    if held.shading is not None:
        *parts, power = (held.shading[name] for name in SHADING)
        component["lighting"] = dict(zip(SHADING, parts)) | {"specularPower": power}
    one = {
        "effectiveRange": [min(ends), max(ends)],
        "isoSurfaceValues": [],
        "independentComponents": True,
        "interpolationType": "linear",
        "components": [component],
    }
    return {"@schema": SCHEMA, "volumeProperties": [one | {word: True for word in OWN if getattr(held, word)}]}


def _from_text(text: str) -> Property:
    """The older text: nine lines, each a number or a count and as many numbers."""
    lines = [line.split("=>")[0].split() for line in text.splitlines() if line.strip()]
    if len(lines) < 9:
        raise ValueError(f"must have nine lines of numbers; it has {len(lines)}")
    try:
        rows = [[float(word) for word in line] for line in lines[:9]]
    except ValueError as error:
        raise ValueError(f"must hold numbers; {sentence(error)}") from None
    opacity, steep, colors = (_columns(row, size) for row, size in zip(rows[6:], (2, 2, 4)))
    shade, diffuse, ambient, specular, power = (row[0] for row in rows[1:6])
    lighting = {"ambient": ambient, "diffuse": diffuse, "specular": specular, "power": power}
    return Property(_spread(opacity), _spread(colors), _factors(steep), lighting if shade else UNSHADED)


def _columns(row: Sequence[float], size: int) -> list[Point]:
    """The points of a row that begins with how many numbers follow."""
    if not row or row[0] != len(row) - 1 or row[0] % size or len(row) > size * MAX_POINTS:
        raise ValueError(f"must begin each function with how many numbers follow, {size} to a point")
    return [tuple(row[n : n + size]) for n in range(1, len(row), size)]
