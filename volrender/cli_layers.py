"""Files into layers, as the options of the command line say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from volrender import presets
from volrender.color import QUALITATIVE, as_rgb
from volrender.console import complain
from volrender.intensity import finite_range
from volrender.layers import ABOVE, Intensity, Isosurface, LabelMap, Layer
from volrender.levels import as_level
from volrender.presets import NAMES
from volrender.sources import load
from volrender.space import Box, Clip, Plane
from volrender.volume import Volume
from volrender.words import given

WORDS = {  # of which layers options speak
    "level": "intensities that lie over others, or are alone",
    "cmap": "the first file, drawn as intensities",
    "clim": "the first file, drawn as intensities",
}
SERIES = "DICOM series, or TIFF channel, of several."


@Parameter(name="*")
@dataclass(frozen=True)
class Reading:
    """How files become layers."""

    mask: Annotated[
        tuple[str, ...], Parameter(help="A mask or labels to lay over; repeatable.", show_default=False)
    ] = ()
    clip: Annotated[
        tuple[str, ...],
        Parameter(
            help="Cut the first file, in mm: 'x=:0,z=0:' a box, '1,1,0@0,0,20' a side.",
            show_default=False,
        ),
    ] = ()
    level: Annotated[
        float | str | None,
        Parameter(help="Threshold of the overlays, or of the only file: a number, otsu, or a percentile: 95%."),
    ] = None
    labels: Annotated[bool, Parameter(help="Take the first file as a label map.", show_default=False)] = False
    cmap: Annotated[str | None, Parameter(help="Matplotlib colormap of the first file.")] = None
    clim: Annotated[tuple[float, float] | None, Parameter(help="Values at the ends of that colormap.")] = None
    opacity: Annotated[
        tuple[float, ...],
        Parameter(
            help="Of the overlays; repeated, of each file. A volume is see-through at 0.02 (per mm).",
            show_default=False,
        ),
    ] = ()
    color: Annotated[
        tuple[str, ...], Parameter(help="Of surfaces and masks, in order; repeatable.", show_default=False)
    ] = ()
    frame: Annotated[int | None, Parameter(help="Frame of a 4-D file, from 0.")] = None
    spacing: Annotated[tuple[float, float, float] | None, Parameter(help="Voxel size in mm of a .npy file.")] = None
    series: Annotated[str | None, Parameter(help=SERIES)] = None


DEFAULT = Reading()


def check(files: Sequence[str], spacing: tuple[float, float, float] | None, series: str | None) -> None:
    """What says something of some files must find one of them."""
    if spacing is not None and not any(name.endswith(".npy") for name in files):
        raise ValueError("--spacing is for .npy files, which have none; an image brings its own")
    if series is not None and not any(_has_series(name) for name in files):
        raise ValueError("--series is for a folder of DICOM slices or a TIFF; none is given")


def _has_series(name: str) -> bool:
    return Path(name).is_dir() or name.lower().endswith((".tif", ".tiff"))


def loaded(
    name: str, spacing: tuple[float, float, float] | None, series: str | None, kind: str | None = None
) -> Volume:
    """A file's volume; of a .npy file with the voxel size that is said, of several series the one that is chosen."""
    affine = None
    if name.endswith(".npy") and spacing is None and Path(name).is_file():
        raise ValueError(f"{name}: has no voxel size; give it in mm, as in --spacing 1 1 1.2")
    if spacing is not None and name.endswith(".npy"):
        if min(spacing) <= 0 or not np.isfinite(spacing).all():
            raise ValueError(f"--spacing must be three sizes above 0 mm; got {spacing}")
        affine = np.diag([*spacing, 1.0])
    chosen = series if series is not None and _has_series(name) else None
    return load(name, affine=affine, kind=kind, series=int(chosen) if chosen and chosen.isdecimal() else chosen)


def _still(name: str, reading: Reading, kind: str | None = None) -> Volume:
    """A file's volume; of a series, the frame that is asked for."""
    with naming(name):
        volume = loaded(name, reading.spacing, reading.series, kind)
        if volume.data.ndim == 4 and volume.kind != "rgb":
            if reading.frame is None:
                frames = volume.shape[3]
                raise ValueError(f"has {frames} frames; choose one with --frame 0 to {frames - 1}")
            volume = volume.frame(reading.frame)
        elif reading.frame is not None:
            raise ValueError("is one volume; --frame chooses among those of a series")
        if volume.kind != "rgb":
            finite_range(volume.data)
    return volume


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Let what is said of a file say its name, and the option instead of the argument."""
    try:
        yield
    except (TypeError, ValueError) as error:
        text = str(error).replace("series=", "--series ")
        raise ValueError(text if name in text else f"{name}: {text}") from None


def as_layers(
    files: Sequence[str],
    reading: Reading,
    advance: Any,
    *,
    surfaces: bool,
    contrast: bool = False,
    cmap: str | None = None,
    blend: str = "composite",
    preset: str | None = None,
) -> list[Layer]:
    """The first file as the ground, further files over it, masks on top."""
    check([*files, *reading.mask], reading.spacing, reading.series)
    clips = [parse_clip(text) for text in reading.clip]
    layers: list[Layer] = []
    idle = {word for word in WORDS if getattr(reading, word) is not None}  # what is said and changes nothing yet
    for n, name in enumerate(files):
        volume = _still(name, reading, "labels" if reading.labels and n == 0 else None)
        if volume.kind == "labels":
            if n == 0 and preset:
                raise ValueError(f"{name}: --preset is for intensities; this is a label map")
            layers.append(LabelMap(volume, clip=clips if n == 0 else ()))
        elif n == 0 and (len(files) > 1 or reading.level is None or preset):
            volume = volume.contrast() if contrast else volume
            look = _preset(volume, preset, _level(volume, reading.level) if len(files) == 1 else None)
            plain = volume.kind != "rgb" and not volume.survey.signed and look is None
            mapped = reading.cmap or (cmap if plain else None)
            idle -= {"cmap", "clim", *(["level"] if len(files) == 1 else [])}
            layers.append(Intensity(volume, reading.clim, mapped, blend=blend, clip=clips, preset=look))
        elif surfaces:
            idle -= {"level"}
            layers.extend(_surfaces(volume, reading.level, clips if n == 0 else [], alone=len(files) == 1))
        else:
            level = _level(volume, reading.level)
            if level is not None and not (np.abs(volume.data) >= level).any():
                raise _outside(volume, level)
            own = reading.cmap or (None if volume.survey.signed else cmap)
            idle -= {"level", *(["cmap", "clim"] if n == 0 else [])}
            alone: dict[str, Any] = {"clim": reading.clim, "cmap": own, "clip": clips}
            layers.append(Intensity(volume, level=reading.level, **(alone if n == 0 else {})))
        advance()
    for word in idle:
        raise ValueError(f"--{word} would change nothing: it is for {WORDS[word]}")
    opacity = 1.0 if surfaces else 0.6
    for name in reading.mask:
        layer = LabelMap(_still(name, reading, "labels"), opacity=opacity)
        layers.append(_with(layer, colors=_free(layers)) if _is_plain(layer) else layer)
    return _painted(_faded(layers, reading.opacity), reading.color)


def _with(layer: Layer, **words: Any) -> Layer:
    """The layer, made with these words too."""
    return type(layer)(**(given(layer) | words))


def _is_plain(layer: Layer) -> bool:
    """Whether it is a mask: one label, without a name."""
    return isinstance(layer, LabelMap) and len(layer.sizes) == 1 and not layer.volume.labels


def _faded(layers: Sequence[Layer], opacities: Sequence[float]) -> list[Layer]:
    """The layers with one opacity for those over the first, or for it if it is alone; or with one for each file."""
    files = list(dict.fromkeys(id(layer.volume) for layer in layers))  # both sides of a map are one file
    if not opacities:
        return list(layers)
    if len(opacities) == 1:
        chosen = dict.fromkeys(files[1:] or files, opacities[0])
    elif len(opacities) == len(files):
        chosen = dict(zip(files, opacities))
    else:
        counted = f"each of the {len(files)} files and masks" if len(files) > 1 else "the only file"
        raise ValueError(f"--opacity must be one number, or one for {counted}; got {len(opacities)}")
    return [_with(layer, opacity=chosen[id(layer.volume)]) if id(layer.volume) in chosen else layer for layer in layers]


def _painted(layers: Sequence[Layer], colors: Sequence[str]) -> list[Layer]:
    """The layers with the colors of surfaces and masks, in their order; those without one keep their own."""
    able = [n for n, layer in enumerate(layers) if isinstance(layer, Isosurface) or _is_plain(layer)]
    if len(colors) > len(able):
        if not able:
            raise ValueError("--color would change nothing: it is for surfaces and masks, and there is none")
        raise ValueError(f"--color must be at most one for each surface and mask, here {len(able)}; got {len(colors)}")
    painted = list(layers)
    for n, color in zip(able, colors):
        painted[n] = _with(layers[n], **{"color" if isinstance(layers[n], Isosurface) else "colors": color})
    return painted


def _free(layers: Sequence[Layer]) -> str:
    """The first of the usual label colors that no label of the layers has."""
    taken = {rgb for layer in layers if isinstance(layer, LabelMap) for _, rgb in layer.table.values()}
    return next((color for color in QUALITATIVE if as_rgb(color) not in taken), QUALITATIVE[0])


def _preset(volume: Volume, name: str | None, level: float | None) -> Any:
    """A preset as it was asked for; the level of an only file is that of "stat"."""
    return presets.preset(name, volume, level=level) if name in NAMES and level is not None else name


def _level(volume: Volume, level: float | str | None) -> float | None:
    """The level that was asked for, in the volume's data units; what a word comes to is told."""
    try:
        found = None if level is None else as_level(level, volume, both=volume.survey.signed)
    except ValueError as error:
        raise ValueError(f"--{error}" if str(error).startswith("level") else f"--level: {error}") from None
    if isinstance(level, str):
        complain(f"note: --level {level} of {volume.name or 'the volume'} is {found:.4g}")
    return found


def _outside(volume: Volume, level: float) -> ValueError:
    low, high = volume.survey.low, volume.survey.high
    return ValueError(f"{volume.name}: --level must lie within the data, {low:g} to {high:g}; got {level:g}")


def _surfaces(volume: Volume, asked: float | str | None, clips: Sequence[Clip], *, alone: bool) -> list[Layer]:
    """Both sides of a signed map, one side of any other, in the tone of a body if there is nothing else."""
    level = _level(volume, asked)
    if not volume.survey.signed:
        return [Isosurface(volume, level=asked, color=None if alone else ABOVE, clip=clips)]
    at = 0.5 * volume.survey.robust[1] if level is None else level
    found = [side for side in (at, -at) if volume.survey.low <= side <= volume.survey.high]
    if not found:
        raise _outside(volume, at)
    return [Isosurface(volume, level=side, clip=clips) for side in found]


def parse_clip(text: str) -> Clip:
    """A clip from its command-line form.

    Examples
    --------
    >>> parse_clip("x=:0,z=10:")
    Box(x=(None, 0.0), z=(10.0, None))
    >>> parse_clip("0,1,1@0,0,20")
    Plane(normal=(0.0, 1.0, 1.0), origin=(0.0, 0.0, 20.0))
    """
    if "@" in text:
        return parse_plane(text, "--clip")
    ranges: dict[str, tuple[float | None, float | None]] = {}
    try:
        for part in text.split(","):
            axis, ends = part.split("=")
            low, high = ends.split(":")
            if axis.strip() not in ("x", "y", "z") or axis.strip() in ranges:
                raise ValueError
            ranges[axis.strip()] = (float(low) if low.strip() else None, float(high) if high.strip() else None)
    except ValueError:
        raise ValueError(
            f"--clip must be ranges in mm such as 'x=:0,y=-30:,z=0:50', or normal@point; got {text!r}"
        ) from None
    return Box(**ranges)


def parse_plane(text: str, option: str = "--plane") -> Plane:
    """A plane from its command-line form.

    Examples
    --------
    >>> parse_plane("0,0,2@0,0,20")
    Plane(normal=(0.0, 0.0, 2.0), origin=(0.0, 0.0, 20.0))
    """
    normal, _, origin = text.partition("@")
    try:
        vectors = [[float(part) for part in side.split(",")] for side in (normal, origin or "0,0,0")]
        if [len(vector) for vector in vectors] != [3, 3]:
            raise ValueError
    except ValueError:
        raise ValueError(f"{option} must be normal@point in mm, such as 0,0.5,1@0,-20,40; got {text!r}") from None
    (a, b, c), (x, y, z) = vectors
    return Plane(normal=(a, b, c), origin=(x, y, z))
