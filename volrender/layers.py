"""What is in the picture: frozen descriptions, checked where they are typed; they draw nothing.

A layer holds a volume with its own affine, so two layers of one panel may lie on different grids. `clip` takes a
plane (the side its normal points to is removed), a box (its inside is removed), or several (each is removed).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, TypeAlias, TypeGuard

import numpy as np
import scipy
from matplotlib.colors import Colormap

from volrender import color, looks, presets, space, surveys
from volrender.color import RGB, Color
from volrender.io.files import warn
from volrender.levels import as_level, as_threshold
from volrender.looks import Look
from volrender.transfer import TransferFunction
from volrender.volume import Volume
from volrender.words import as_bool, our_words

BLENDS = ("composite", "maximum", "minimum", "average")
ABOVE: RGB = (0.76, 0.15, 0.18)
BELOW: RGB = (0.16, 0.38, 0.77)
SAND: RGB = (0.90, 0.70, 0.50)  # a body's surface; its line on gray slices can be seen


def _as_volume(volume: Any, owner: str) -> Volume:
    if not isinstance(volume, Volume):
        raise TypeError(f"{owner} needs a Volume, from volrender.load(...); got {type(volume).__name__}")
    return volume.still(owner)


@our_words
@dataclass(frozen=True, eq=False)
class Intensity:
    """Intensities: volume rendering in a `Scene`, colored slices in `Slices`, translucent cubes in `Voxels`.

    Parameters
    ----------
    volume : Volume
        3-D.
    clim : (low, high), optional
        Data values at the ends of the colormap; by default a robust range, symmetric for signed maps; of a maximum
        projection the range of what it shows.
    cmap : str or Colormap, optional
        By default gray, inverted for a maximum projection, or a diverging one for signed maps. In a composite volume
        rendering without a colormap of the user's choice the body has one soft tone, so that the color in the
        picture is the finding.
    opacity : float or [(value, opacity), ...], optional
        0 to 1; in a volume rendering what one millimetre absorbs, elsewhere the alpha. By default a panel shows
        tissue but not air, a signed map but not its zeros; a number is how much of that is seen: at 0.3 per mm a
        centimetre lets 3 % through, which looks like 1; **a see-through head takes about 0.02**. Nodes, in data
        units, are the whole curve.
    blend : {"composite", "maximum", "minimum", "average"}
        How a volume rendering gathers the values along a ray. Projections have no depth: surfaces and the rest of a
        scene are drawn over them, and of several the later over the earlier. The maximum of a map with a sign is what
        is farthest from 0. The minimum leaves out what is around the subject.
    clip : Plane, Box, or several
        What is removed.
    preset : str, path or TransferFunction, optional
        Colors, their limits and the opacity of a volume rendering together: a name, such as "ct-bone" (see
        `volrender.preset`), which adapts to the volume; a `.vp.json` file of 3D Slicer; or a `TransferFunction`.
        What is given as `clim`, `cmap` or `opacity` comes first; a number as opacity is how much is seen of the
        preset's. Cut faces are gray under a preset of tissue, whose colors are those of surfaces.
    level : float or str, optional
        Threshold: what is below is not drawn; of a signed map, what is between -`level` and `level`. Values are
        interpolated first, so the border is where the field crosses the level. As for `Isosurface`, a number in
        data units, "otsu" or a percentile: of a map with a sign, of how far its values are from 0.

    Examples
    --------
    >>> from volrender import sample
    >>> Intensity(sample("mni152"), clim=(0, 200)).look.clim
    (0.0, 200.0)
    >>> Intensity(sample("mni152"), preset="mr-head").look.cmap.name
    'mr-head'
    """

    volume: Volume
    clim: tuple[float, float] | None = None
    cmap: str | Colormap | None = None
    opacity: Any = None
    blend: str = "composite"
    clip: Any = ()
    preset: Any = None
    level: float | str | None = None

    on_dark: ClassVar[bool] = False  # whether it is printed on a dark page

    def __post_init__(self) -> None:
        if _as_volume(self.volume, "Intensity").kind == "labels":
            raise TypeError(f"Intensity cannot show the label map {self.volume.name!r}: use LabelMap")
        object.__setattr__(self, "clim", color.as_clim(self.clim))
        object.__setattr__(self, "opacity", color.as_opacity(self.opacity))
        object.__setattr__(self, "clip", space.as_clips(self.clip))
        if self.cmap is not None:
            color.as_cmap(self.cmap)
        if self.blend not in BLENDS:
            raise ValueError(f"blend must be one of {', '.join(BLENDS)}; got {self.blend!r}")
        if self.volume.kind == "rgb" and (self.clim or self.cmap or self.blend != "composite"):
            raise TypeError(f"Intensity of {self.volume.name!r} takes no clim, cmap or blend: its voxels are colors")
        if self.level is not None:
            if self.preset is not None or isinstance(self.opacity, tuple):
                hint = f": take preset=volrender.preset('stat', volume, level={self.level!r})"
                said = "Intensity takes a level, or the threshold of opacity nodes or a preset; got both"
                raise TypeError(said + (hint if self.preset == "stat" else ""))
            object.__setattr__(self, "level", as_threshold(self.level, self.volume))
        if self.preset is not None:
            object.__setattr__(self, "preset", presets.as_transfer(self.preset, self.volume))
            if self.opacity is None:  # engines must not take a preset's body for an opaque one
                object.__setattr__(self, "opacity", self.preset.opacity)

    @property
    def field(self) -> Volume:
        """One number a voxel, on which opacity rests: the values, or how bright the colors are."""
        return self.volume.luminance

    @cached_property
    def look(self) -> Look:
        """The colors and opacities, complete."""
        if self.preset is not None:
            return _preset_look(self, self.preset)
        assert not isinstance(self.level, str)
        ink = self.blend == "maximum" and not self.on_dark
        field, clim = self.field, self.clim
        if clim is None and self.level is None and not field.survey.signed:
            if self.blend == "maximum":
                clim = surveys.projected(field.data, field.survey.air)
            elif self.blend == "average":  # of all that lies along a ray, faint or not
                low, high = field.survey.robust
                clim = (min(low, field.survey.air), high)
        look = looks.make_look(field.survey, clim, self.cmap, self.opacity, ink=ink, level=self.level)
        if look.level is not None and field.survey.signed and 0 > look.clim[0] > -abs(look.level) > field.survey.low:
            warn(
                f"clim ({look.clim[0]:g}, {look.clim[1]:g}) begins within the threshold: values of "
                f"{-abs(look.level):g} and less have the color of {look.clim[0]:g}, which the bar does not show; "
                "begin it at 0 to leave them out"
            )
        return look

    def for_dark(self) -> Intensity:
        """The layer as a dark page shows it: a maximum projection without a `cmap` of its own is bright there."""
        layer = copy(self)
        layer.__dict__.pop("look", None)
        object.__setattr__(layer, "on_dark", True)
        return layer


@our_words
@dataclass(frozen=True, eq=False)
class Isosurface:
    """The surface where the volume crosses a level: a surface, a contour line on slices, cubes at or above it.

    Parameters
    ----------
    volume : Volume
        3-D intensities.
    level : float or str, optional
        In data units; "otsu" for Otsu's threshold, or a percentile of all finite values, such as "95%". By default
        half way between background and foreground. The layer's `level` is the number. Below 0 the surface encloses
        what is at or below the level, as for the negative side of a statistical map.
    color : color, optional
        Any matplotlib color; by default that of sand; in a statistical map red above 0 and blue below.
    opacity : float
        0 to 1.
    smooth : bool
        Whether the surface is smoothed; each of its bodies keeps its volume.
    clip : Plane, Box, or several
        What is removed. A scene's cut faces show the slice of the volume, over another layer or of a signed map the
        color.
    decimate : float
        The part of the triangles that pyvista leaves out, 0 to below 1, but for bodies of fewer than 100; a note says
        how far (mm) the surface then lies off at most. The ray caster has none.

    Raises
    ------
    ValueError
        If the level lies outside the data. A scene whose surface would be empty, as at the highest value, or hold
        all voxels, as at the lowest, is refused when it is drawn.

    Examples
    --------
    >>> from volrender import sample
    >>> Isosurface(sample("mni152"), level="95%").level
    142.0
    """

    volume: Volume
    level: float | str | None = None
    color: Color | None = None
    opacity: float = 1.0
    smooth: bool = True
    clip: Any = ()
    decimate: float = 0.0

    def __post_init__(self) -> None:
        if _as_volume(self.volume, "Isosurface").kind == "labels":
            raise TypeError(f"Isosurface cannot show the label map {self.volume.name!r}: use LabelMap")
        if self.volume.kind == "rgb":
            raise TypeError(f"Isosurface needs one number a voxel; {self.volume.name!r} holds colors: take .luminance")
        survey = self.volume.survey
        level = survey.air if self.level is None else as_level(self.level, self.volume)
        if not survey.low <= level <= survey.high:
            raise ValueError(
                f"level must lie within the data of {self.volume.name or 'the volume'}, "
                f"{survey.low:g} to {survey.high:g}; got {level:g}"
            )
        object.__setattr__(self, "level", level)
        usual = (ABOVE if self.side > 0 else BELOW) if survey.hollow else SAND
        object.__setattr__(self, "color", usual if self.color is None else color.as_rgb(self.color))
        object.__setattr__(self, "opacity", _as_alpha(self.opacity))
        object.__setattr__(self, "clip", space.as_clips(self.clip))
        decimate = space.finite(self.decimate, "decimate")
        if not 0 <= decimate < 1:
            raise ValueError(f"decimate must be 0 or more and below 1; got {self.decimate!r}")
        object.__setattr__(self, "decimate", decimate)
        object.__setattr__(self, "smooth", as_bool(self.smooth, "smooth"))

    @property
    def side(self) -> int:
        """1 where the surface encloses values at or above the level, -1 where at or below."""
        assert isinstance(self.level, float)
        return -1 if self.level < 0 and self.volume.survey.signed else 1


@our_words
@dataclass(frozen=True, eq=False)
class LabelMap:
    """Regions, each in its color: one surface per label, a color overlay on slices, cubes. A mask is one label.

    In a scene the surface of each label is closed and as large as its voxels, to 1 % where it has some dozens, and
    neighbors share their border. The ray caster smooths the outer surface of all as one. A translucent map shows the
    outer surface of all, within it that of all labels that do not reach it, and so on inward; no cavities.

    Parameters
    ----------
    volume : Volume
        3-D; of kind "labels", or whole numbers. 0 is background.
    colors : color or {label: color}, optional
        By default the volume's own, or distinct ones. Given a mapping, only its labels are shown.
    opacity : float
        0 to 1.
    clip : Plane, Box, or several
        What is removed.
    outline : bool
        Whether slices show the regions' borders as lines, and not their areas.
    """

    volume: Volume
    colors: Color | Mapping[int, Color] | None = None
    opacity: float = 1.0
    clip: Any = ()
    outline: bool = False

    def __post_init__(self) -> None:
        volume = _as_volume(self.volume, "LabelMap")
        if volume.kind == "rgb":
            raise TypeError(f"LabelMap needs labels; {volume.name!r} holds colors: use Intensity")
        if volume.kind != "labels":
            try:
                volume = Volume(
                    volume.data, volume.affine, "labels", volume.name, volume.unit, volume.history, volume.labels
                )
            except ValueError as error:
                raise ValueError(f"{volume.name or 'the volume'}: {error}") from None
            object.__setattr__(self, "volume", volume)
        if isinstance(self.colors, Mapping):
            for label in self.colors:
                if not isinstance(label, (int, np.integer)):
                    raise TypeError(f"the keys of colors must be label numbers; got {label!r}")
            checked = {int(label): color.as_rgb(c, f"the color of label {label}") for label, c in self.colors.items()}
            object.__setattr__(self, "colors", checked)
        elif self.colors is not None:
            object.__setattr__(self, "colors", color.as_rgb(self.colors, "colors"))
        object.__setattr__(self, "outline", as_bool(self.outline, "outline"))
        object.__setattr__(self, "opacity", _as_alpha(self.opacity))
        object.__setattr__(self, "clip", space.as_clips(self.clip))

    @property
    def sizes(self) -> dict[int, int]:
        """How many voxels each label has, in rising order of label; background is left out."""
        return self.volume.label_sizes

    @cached_property
    def regions(self) -> dict[int, Volume]:
        """Of each shown label the box around it, a voxel wider than it is: 1 where it is, else 0."""
        source, numbers = self.volume.canonical, np.array(list(self.table))
        place = np.searchsorted(numbers, source.data).clip(0, len(numbers) - 1)
        ranks = np.where(numbers[place] == source.data, place + 1, 0)
        found: dict[int, Volume] = {}
        for rank, box in enumerate(scipy.ndimage.find_objects(ranks), start=1):
            body = np.pad((ranks[box] == rank).astype(np.float32), 1)
            start = space.translation(*[part.start - 1 for part in box])
            found[int(numbers[rank - 1])] = Volume(body, source.affine @ start, name=self.volume.name)
        return found

    @cached_property
    def table(self) -> dict[int, tuple[str, RGB]]:
        """Name and color of each label that is shown and occurs, in rising order."""
        present = list(self.sizes)
        if not present:
            raise ValueError(f"{self.volume.name or 'the label map'}: must hold a label other than 0")
        named = self.volume.labels or {}
        if isinstance(self.colors, dict):
            chosen: dict[int, RGB] = {n: self.colors[n] for n in present if n in self.colors}
            if not chosen:
                some = ", ".join(map(str, present[:8])) + (f", ... {present[-1]}" if len(present) > 8 else "")
                raise ValueError(f"colors must name labels that occur ({some}); got {list(self.colors)}")
        elif self.colors is not None:
            chosen = dict.fromkeys(present, color.as_rgb(self.colors))
        else:
            given = {n: named[n].color for n in present if n in named}
            chosen = given if len(given) == len(present) else color.label_colors(present) | given
        single = self.volume.name or "mask"
        names = {n: named[n].name if n in named else (single if len(present) == 1 else str(n)) for n in chosen}
        return {n: (names[n], chosen[n]) for n in chosen}


@our_words
@dataclass(frozen=True, eq=False)
class CutPlane:
    """The slice of a volume on a plane: a textured plane in a `Scene`, its trace as a line in `Slices`.

    Parameters
    ----------
    volume : Volume
        3-D intensities.
    plane : Plane
        In world mm.
    clim, cmap
        As for `Intensity`.
    opacity : float or nodes, optional
        The alpha; by default the subject is opaque and the air around it empty.
    preset
        As for `Intensity`; a plane has its colors and their limits.
    """

    volume: Volume
    plane: space.Plane
    clim: tuple[float, float] | None = None
    cmap: str | Colormap | None = None
    opacity: Any = None
    preset: Any = None

    def __post_init__(self) -> None:
        if _as_volume(self.volume, "CutPlane").kind == "labels":
            raise TypeError(f"CutPlane cannot show the label map {self.volume.name!r}: clip a LabelMap instead")
        if self.volume.kind == "rgb" and (self.clim or self.cmap):
            raise TypeError(f"CutPlane of {self.volume.name!r} takes no clim or cmap: its voxels are colors")
        if not isinstance(self.plane, space.Plane):
            raise TypeError(f"CutPlane needs a Plane, such as Plane(x=0); got {self.plane!r}")
        object.__setattr__(self, "clim", color.as_clim(self.clim))
        object.__setattr__(self, "opacity", color.as_opacity(self.opacity))
        if self.cmap is not None:
            color.as_cmap(self.cmap)
        if self.preset is not None:
            object.__setattr__(self, "preset", presets.as_transfer(self.preset, self.volume))

    @property
    def field(self) -> Volume:
        """One number a voxel: the values, or how bright the colors are."""
        return self.volume.luminance

    @cached_property
    def look(self) -> Look:
        """The colors and opacities, complete."""
        if self.preset is not None:
            return _preset_look(self, self.preset)
        return looks.make_look(self.field.survey, self.clim, self.cmap, self.opacity)

    @property
    def clip(self) -> tuple[space.Clip, ...]:
        """Nothing is removed from a plane."""
        return ()


Layer: TypeAlias = Intensity | Isosurface | LabelMap | CutPlane


def is_projection(layer: Layer) -> TypeGuard[Intensity]:
    """Whether each ray of a scene shows one value of the layer, which then has no depth."""
    return isinstance(layer, Intensity) and layer.blend != "composite"


def takes_both_signs(layer: Intensity) -> bool:
    """Whether a projection is one of a signed map's values above and below 0, of those that are seen."""
    return layer.blend in ("maximum", "average") and layer.look.survey.signed


def _preset_look(layer: Intensity | CutPlane, preset: TransferFunction) -> Look:
    """The preset's look, but for what the layer says itself."""
    own = None if layer.opacity == preset.opacity else layer.opacity
    look = looks.make_look(layer.field.survey, layer.clim or preset.clim, layer.cmap or preset.cmap, own)
    distance = 1.0 if isinstance(own, tuple) else preset.distance
    return replace(
        look,
        curve=preset.opacity,
        sparse=preset.sparse,
        gradient=preset.gradient,
        shading=preset.shading,
        distance=distance,
    )


def _as_alpha(value: Any) -> float:
    opacity = color.as_opacity(value)
    if not isinstance(opacity, float):
        raise TypeError(f"the opacity of a surface must be one number, 0 to 1; got {value!r}")
    return opacity
