"""A volume: voxels, where they lie in the world, and what was done to them.

`Volume` is immutable. Every method returns a new one and adds a line to its `history`. `data` is (i, j, k),
(i, j, k, t) or, for colors, (i, j, k, 3 | 4) in the source's own type; `affine` takes the index of a voxel's centre to
world millimetres, RAS+.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from volrender import intensity, io, space, surveys
from volrender.io import Label
from volrender.kinds import label_sizes, labels_named, voxels
from volrender.origin import Call, Origin, trace, voxel_hash
from volrender.transforms import Movement, Transform, resample


@dataclass(frozen=True, eq=False, repr=False)
class Volume:
    """A 3-D volume, or a 4-D series of them, with its place in the world.

    Parameters
    ----------
    data : ndarray, shape (i, j, k) or (i, j, k, t), or (i, j, k, 3 | 4) for colors
        Real numbers or booleans; kept in their own type without a copy (but for foreign byte order
        and floats that are not of 32 or 64 bits), read-only. Colors are uint8; from 0 to 1 they become it.
    affine : array_like, shape (4, 4)
        Index of a voxel's centre to world mm, RAS+.
    kind : {"intensity", "labels", "rgb"}
        Label maps are never interpolated; "rgb" has red, green, blue and perhaps alpha as its last axis.
    name, unit : str
        For titles and color bars.
    history : tuple of str
        What was done, a line a step.
    labels : mapping, optional
        Of a label map, each label's name, or name and color: ``{1: "putamen", 2: ("pallidum", "gold")}``.
    space : str
        What space the world is, where known: "scanner", "aligned", "talairach", "MNI152", "MNI152NLin6Asym", ...
    origin : Origin, optional
        What it was read from and the steps since; of these data, or it is dropped.

    Raises
    ------
    ValueError
        If the data have not three or four axes, the affine is not invertible, labels are not whole numbers, or colors
        are neither uint8 nor from 0 to 1.

    Examples
    --------
    >>> volume = Volume(np.zeros((4, 5, 6)), np.diag([-2, 2, 2, 1]))
    >>> volume.orientation, volume.bounds[0].tolist()
    ('LAS', [-7.0, 1.0])
    """

    data: NDArray[Any]
    affine: NDArray[np.float64]
    kind: str = "intensity"
    name: str = ""
    unit: str = ""
    history: tuple[str, ...] = ()
    labels: Mapping[int, Label] | None = field(default=None)
    space: str = ""
    origin: Origin | None = field(default=None)

    def __post_init__(self) -> None:
        for word in ("name", "unit", "space"):
            if not isinstance(getattr(self, word), str):
                raise TypeError(f"{word} of a volume must be a text; got {getattr(self, word)!r}")
        data = voxels(self.data, self.kind)
        if self.labels is not None:
            object.__setattr__(self, "labels", labels_named(self.labels))
        view = data.view()
        view.setflags(write=False)
        object.__setattr__(self, "data", view)
        object.__setattr__(self, "affine", space.as_affine(self.affine))
        if self.origin is not None and not self.origin.fits(view):
            object.__setattr__(self, "origin", None)

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.data.shape))
        mm = " x ".join(f"{s:.4g}" for s in self.spacing)
        return f"<Volume {self.name or 'unnamed'}: {size} {self.data.dtype}, {mm} mm, {self.orientation}, {self.kind}>"

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis; a fourth is time, or color."""
        return self.data.shape

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size (mm) along i, j and k."""
        i, j, k = space.spacing(self.affine).tolist()
        return i, j, k

    @property
    def orientation(self) -> str:
        """Where i, j and k run to: "RAS", "LPI", ..."""
        return space.orientation(self.affine)

    @property
    def obliquity(self) -> float:
        """The largest angle (degrees) between an index axis and the world axis nearest to it."""
        return space.obliquity(self.affine)

    @property
    def bounds(self) -> NDArray[np.float64]:
        """The world box (mm) of the outer voxel faces, shape (3, 2)."""
        return space.bounds(self.shape, self.affine)

    @cached_property
    def canonical(self) -> Volume:
        """The same voxels in closest-RAS order: flips and permutations, no interpolation, no copy."""
        order, flips, affine = space.canonical(self.shape, self.affine)
        axes = order if self.data.ndim == 3 else (*order, 3)
        return trace(replace(self, data=self.data.transpose(axes)[flips], affine=affine), self, Call("canonical", {}))

    @cached_property
    def survey(self) -> surveys.Survey:
        """What the values are like: range, background level, signed or not."""
        if self.kind == "rgb":
            raise ValueError(f"a survey needs one number a voxel; {self.name or 'the volume'} holds colors")
        try:
            return surveys.survey(self.canonical.data)
        except ValueError as error:
            raise ValueError(f"{self.name or 'the volume'}: {error}") from None

    @cached_property
    def label_sizes(self) -> dict[int, int]:
        """How many voxels each label has, in rising order of label; background is left out."""
        return label_sizes(self.data)

    @cached_property
    def luminance(self) -> Volume:
        """How bright the voxels of a color volume are, 0 to 255 (ITU-R BT.601); itself if they are no colors."""
        if self.kind != "rgb":
            return self
        luma = intensity.luma(self.data)
        return self._step(np.rint(luma).astype(np.uint8), "luminance", {}, kind="intensity")

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the voxels, their type and shape, and the affine: the same for any order in memory."""
        return voxel_hash(self)

    @property
    def grid(self) -> Volume:
        """A volume of zeros with the same voxels, that takes no memory."""
        zeros = np.broadcast_to(np.uint8(0), self.shape[:3])
        return Volume(zeros, self.affine, name=self.name, space=self.space)

    def still(self, what: str) -> Volume:
        """Itself if 3-D; else an error that says which two calls give one."""
        if self._series:
            frames = self.data.shape[3]
            raise ValueError(
                f"{what} needs a 3-D volume; {self.name or 'this one'} has {frames} frames: call .frame(t) or .mean()"
            )
        return self

    @property
    def _series(self) -> bool:
        """Whether the fourth axis is time."""
        return self.data.ndim == 4 and self.kind != "rgb"

    def _step(self, data: ArrayLike, step: str, arguments: Mapping[str, Any], **changes: Any) -> Volume:
        """What the method that `step` begins with makes of the volume, with the arguments that do it again."""
        array = np.asarray(data)
        if self.kind == "rgb" and array.dtype != np.uint8:  # interpolated on 0..255
            array = np.rint(array).clip(0, 255).astype(np.uint8)
        made = replace(self, data=array, history=(*self.history, step), **changes)
        return trace(made, self, Call(step.partition("(")[0], arguments))

    def _intensities(self, verb: str) -> NDArray[Any]:
        if self.kind == "labels":
            raise ValueError(f"{verb} would invent labels; {self.name or 'the volume'} is a label map")
        if self.kind == "rgb":
            raise ValueError(f"{verb} needs one number a voxel; {self.name or 'the volume'} holds colors")
        if not np.isfinite(self.data).any():
            raise ValueError(f"{self.name or 'the volume'}: must have finite values; all are NaN or infinite")
        return self.data

    def normalize(self) -> Volume:
        """Scale to 0..1; see `volrender.normalize`."""
        return self._step(intensity.normalize(self._intensities("normalize")), "normalize()", {}, unit="")

    def window(self, level: float, width: float) -> Volume:
        """Radiology's window to 0..1; see `volrender.window`."""
        data = intensity.window(self._intensities("window"), level, width)
        said = {"level": level, "width": width}
        return self._step(data, f"window(level={level:g}, width={width:g})", said, unit="")

    def contrast(self, black: float = 0.1, gamma: float = 0.4, gain: float = 2.0) -> Volume:
        """Cut the noise floor, lift dark tones, stretch the contrast, to 0..1; see `volrender.contrast`."""
        data = intensity.contrast(self._intensities("contrast"), black, gamma, gain)
        said = {"black": black, "gamma": gamma, "gain": gain}
        return self._step(data, f"contrast(black={black:g}, gamma={gamma:g}, gain={gain:g})", said, unit="")

    def equalize(self) -> Volume:
        """Spread the values evenly over 0..1, the lowest (background) left out."""
        return self._step(intensity.equalize(self._intensities("equalize")), "equalize()", {}, unit="")

    def threshold(self, level: float) -> Volume:
        """Set to zero what lies between -`level` and `level`, as for a statistical map."""
        data = intensity.threshold(self._intensities("threshold"), level)
        return self._step(data, f"threshold(level={level:g})", {"level": level})

    def smooth(self, fwhm: float) -> Volume:
        """Gaussian smoothing; `fwhm` in mm, the same along every axis."""
        if space.finite(fwhm, "fwhm") < 0:
            raise ValueError(f"fwhm must be 0 mm or more; got {fwhm}")
        sigma = fwhm / intensity.FWHM_PER_SIGMA / space.spacing(self.affine)
        data = intensity.smooth(self._intensities("smooth"), sigma.tolist())
        return self._step(data, f"smooth(fwhm={fwhm:g})", {"fwhm": fwhm})

    def downsize(self, size: int | Sequence[int]) -> Volume:
        """Cut the same extent into fewer voxels.

        Parameters
        ----------
        size : int or three ints
            Voxels along the longest side, the others in true proportion (never more than there are); or along each.

        Returns
        -------
        Volume
            With the same world bounds; intensities smoothed against aliasing, labels picked, never interpolated.

        Examples
        --------
        >>> Volume(np.zeros((100, 80, 20)), np.diag([1, 1, 5, 1])).downsize(50).shape
        (50, 40, 20)
        """
        shape = self._smaller_shape(size)
        if shape == self.shape[:3]:
            return self
        data = intensity.downsize(self.data, shape, labels=self.kind == "labels")
        affine = space.rescaled(self.affine, self.shape, shape)
        return self._step(data, f"downsize({' x '.join(map(str, shape))})", {"size": size}, affine=affine)

    def _smaller_shape(self, size: int | Sequence[int]) -> tuple[int, ...]:
        old = np.array(self.shape[:3])
        if isinstance(size, (int, np.integer)):
            if size < 1:
                raise ValueError(f"size must be 1 voxel or more; got {size}")
            extent = old * space.spacing(self.affine)
            wanted = np.maximum(np.rint(extent / extent.max() * int(size)), 1)
            return tuple(np.minimum(wanted, old).astype(int).tolist())
        new = tuple(size) if isinstance(size, Iterable) else ()
        if not new or not all(isinstance(n, (int, np.integer)) for n in new):
            raise TypeError(f"size must be a whole number of voxels, or three; got {size!r}")
        if len(new) != 3 or min(new) < 1 or (np.array(new) > old).any():
            have = " x ".join(map(str, self.shape[:3]))
            raise ValueError(f"size must be one number, or three that do not exceed {have}; got {size}")
        return tuple(int(n) for n in new)

    def reorient(self, codes: str = "RAS") -> Volume:
        """Store the same voxels in another order, e.g. "LPS"; nothing is interpolated and nothing moves."""
        wanted = codes.upper() if isinstance(codes, str) else ""
        pairs = ["RL", "AP", "SI"]
        worlds = [next((w for w in range(3) if c in pairs[w]), -1) for c in wanted]
        if sorted(worlds) != [0, 1, 2]:
            raise ValueError(f"an orientation must be three of R/L, A/P and S/I, such as 'RAS'; got {codes!r}")
        ras = self.canonical
        step = np.zeros((4, 4))
        step[3, 3] = 1
        flips = []
        for axis, (w, letter) in enumerate(zip(worlds, wanted, strict=True)):
            back = letter == pairs[w][1]
            flips.append(slice(None, None, -1) if back else slice(None))
            step[w, axis] = -1 if back else 1
            step[w, 3] = ras.shape[w] - 1 if back else 0
        order = worlds if self.data.ndim == 3 else [*worlds, 3]
        data = ras.data.transpose(order)[tuple(flips)]
        return self._step(data, f"reorient({wanted})", {"codes": wanted}, affine=ras.affine @ step)

    def resample_to(self, target: Volume, transform: Movement | None = None) -> Volume:
        """Sample the volume at the voxel centres of `target`, moved by `transform` if one is given.

        Parameters
        ----------
        target : Volume
            Whose grid is filled; its values do not matter.
        transform : Transform, array_like of shape (4, 4) or path, optional
            What moves the volume first, as in `transform`. It is not sampled twice: values are looked up through
            the whole chain at once.

        Returns
        -------
        Volume
            Linear between voxels, in float32 or float64; labels take the nearest voxel's, always. Zero outside;
            voxels that are NaN are left out, and give NaN where they weigh half and more. In the volume's own space;
            moved, in the one that the transform is known to lead to, else in that of `target`.

        Examples
        --------
        >>> fine = Volume(np.zeros((5, 1, 1)), np.diag([0.5, 1, 1, 1]))
        >>> Volume(np.array([0, 10, 20]).reshape(3, 1, 1), np.eye(4)).resample_to(fine).data[:, 0, 0]
        array([ 0.,  5., 10., 15., 20.])
        """
        check_volume(target, "resample_to")
        move = Transform() if transform is None else Transform(transform)
        data = resample(self.data, self.affine, target, move, labels=self.kind == "labels")
        through = "" if transform is None else f", {move.name}"
        world = self.space if transform is None else move.space or target.space
        said = {"target": target.grid} | ({} if transform is None else {"transform": move})
        step = f"resample_to({target.name or 'target'}{through})"
        return self._step(data, step, said, affine=target.affine, space=world)

    def transform(self, *transforms: Movement) -> Volume:
        """Move the volume, by one transform after the other.

        Parameters
        ----------
        *transforms : array_like of shape (4, 4), path or Transform
            Matrices that take world points (mm, RAS+) to where they go, files, or transforms made before; the first
            moves the volume first.

        Returns
        -------
        Volume
            Moved by its affine alone, the voxels as they are, where the transforms are affine; with a
            displacement field sampled once, on its own grid (``resample_to(target, transform)`` for another). In the
            space that the last transform is known to lead to, as one of `volrender.register` is; else in none.

        Examples
        --------
        >>> marker = Volume(np.ones((1, 1, 1)), np.eye(4))
        >>> moved = marker.transform(space.translation(x=10), space.rotation("z", 90))
        >>> moved.affine[:3, 3].round(6)
        array([ 0., 10.,  0.])
        """
        move = Transform(*transforms)
        step, said = f"transform({move.name})", {"transforms": [move]}
        world = move.space if move.steps else self.space
        if move.is_affine:
            return self._step(self.data, step, said, affine=move.matrix @ self.affine, space=world)
        data = resample(self.data, self.affine, self, move, labels=self.kind == "labels")
        return self._step(data, step, said, space=world)

    def crop(self) -> Volume:
        """Keep the smallest box of voxels that holds the foreground."""
        if self.kind == "rgb":
            front = self.data[..., 3] > 0 if self.shape[3] == 4 else self.data.max(axis=3) > 0
        elif self.kind == "labels" or self.survey.signed:
            front = (self.data != 0) & np.isfinite(self.data)
        else:
            front = self.data > self.survey.air
        if front.ndim == 4:
            front = front.any(axis=3)
        if not front.any():
            raise ValueError(f"crop found no foreground in {self.name or 'the volume'}")
        box = scipy.ndimage.find_objects(front.astype(np.int8))[0]
        step = np.eye(4)
        step[:3, 3] = [part.start for part in box]
        extents = " x ".join(f"{part.start}:{part.stop}" for part in box)
        return self._step(self.data[box], f"crop({extents})", {}, affine=self.affine @ step)

    def within(self, *masks: Volume) -> Volume:
        """NaN outside of all masks, which may lie on any grids: what is counted, or seen, is what they hold."""
        for mask in masks:
            check_volume(mask, "within")
        inside = np.any([mask.resample_to(self).data != 0 for mask in masks], axis=0)
        if not inside.any():
            raise ValueError(f"a mask must hold a voxel of {self.name or 'the volume'}; none does")
        data = np.where(inside, intensity.as_float(self._intensities("within")), np.nan)
        names = ", ".join(mask.name or "mask" for mask in masks)
        return self._step(data, f"within({names})", {"masks": list(masks)})

    def frame(self, t: int) -> Volume:
        """One frame of a 4-D series; negative `t` counts from the end."""
        if not self._series:
            raise ValueError(f"frame needs a 4-D volume; {self.name or 'this one'} has shape {self.shape}")
        frames = self.shape[3]
        if not isinstance(t, (int, np.integer)):
            raise TypeError(f"frame must be a whole number; got {t!r}")
        if not -frames <= t < frames:
            raise ValueError(f"frame must be between 0 and {frames - 1}; got {t}")
        return self._step(self.data[..., t], f"frame({t})", {"t": t})

    def mean(self) -> Volume:
        """The mean over time of a 4-D series; voxels that are NaN in some frames take the mean of the others."""
        if not self._series:
            raise ValueError(f"mean is over time and needs a 4-D volume; this one has shape {self.shape}")
        data = intensity.as_float(self._intensities("mean"))
        return self._step(_finite_mean(data, axis=3).astype(data.dtype), "mean()", {})

    def holds(self, mask: Volume) -> bool:
        """Whether a 3-D volume has the grid of this one, or of its frames."""
        return mask.shape == self.shape[:3] and bool(np.allclose(mask.affine, self.affine, atol=1e-3))

    def timecourse(self, mask: Volume | None = None) -> NDArray[np.float64]:
        """The mean of each frame, over all voxels or where `mask` (on the same grid) is not 0; NaN is left out."""
        if not self._series:
            raise ValueError(f"timecourse needs a 4-D volume; this one has shape {self.shape}")
        if mask is None:
            return _finite_mean(self.data.reshape(-1, self.shape[3]), axis=0)
        check_volume(mask, "timecourse")
        inside = mask.data != 0
        if not self.holds(mask):
            raise ValueError("the mask of a timecourse must be on the volume's grid: call mask.resample_to(volume)")
        if not inside.any():
            raise ValueError("the mask of a timecourse must not be empty")
        return _finite_mean(self.data[inside], axis=0)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a NIfTI-1 file, ``.nii`` or ``.nii.gz``; an existing file stays whole until the new one is.

        Names and colors of labels are kept, in an extension of the header that `load` reads and others pass over.
        Labels that a 32-bit integer cannot hold are refused: the file would have them as fractions.
        """
        labels = self.labels if self.kind == "labels" else None
        io.write(path, io.Image(self.data, self.affine, self.name, self.unit, labels, self.kind, space=self.space))


def check_volume(given: Any, owner: str) -> None:
    """Refuse what is no volume, in the words that the layers use."""
    if not isinstance(given, Volume):
        raise TypeError(f"{owner} needs a Volume, from volrender.load(...); got {type(given).__name__}")


def _finite_mean(data: NDArray[Any], axis: int) -> NDArray[np.float64]:
    """The mean of the finite values along one axis; NaN where there is none."""
    finite = np.isfinite(data)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(finite, data, 0).sum(axis=axis, dtype=np.float64) / finite.sum(axis=axis))
