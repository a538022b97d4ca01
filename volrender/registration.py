"""Registration: the transform that moves one volume onto another, and a checkerboard to judge it by.

Coarse to fine, and by mutual information, which asks only that the two volumes' values go together in some way, as
those of a T1 and an EPI do. SimpleITK turns, shifts, stretches and shears, with a fixed seed and in one thread: the
same volumes give the same transform, bit for bit. `volrender.bending` bends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender import intensity, space
from volrender.bending import bend, in_part
from volrender.fields import Field
from volrender.transforms import Movement, Transform
from volrender.volume import Volume, check_volume

KINDS = {"rigid": ("rigid",), "affine": ("rigid", "affine"), "nonlinear": ("rigid", "affine", "nonlinear")}
METRICS = ("mutual information", "correlation", "squares")
STARTS = ("world", "centers")
SAMPLES = 40_000  # voxels that are compared at each level
ITERATIONS = 150  # at each level, at the most
SEED = 1
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # to RAS, and back

Report = Callable[[float], object]


def register(
    moving: Volume,
    fixed: Volume,
    *,
    kind: str = "rigid",
    metric: str = "mutual information",
    start: str | Movement | None = None,
    stiffness: float = 40.0,
    progress: bool | Report = True,
) -> Transform:
    """Find the transform that moves `moving` onto `fixed`.

    Parameters
    ----------
    moving, fixed : Volume
        3-D, each on a grid of its own. What is not finite counts as background.
    kind : {"rigid", "affine", "nonlinear"}
        Turned and shifted; also stretched and sheared; also bent, by a displacement field on the fixed volume's
        grid. Each begins where the one before it ended.
    metric : {"mutual information", "correlation", "squares"}
        What tells how well they agree: Mattes's mutual information, for volumes of any two sorts; the correlation of
        their values, or their squared differences, for two of one sort. Bending is by mutual information always.
    start : {"world", "centers"}, Transform, array_like of shape (4, 4) or path, optional
        Where to begin: where the volumes lie, with their centers of mass on each other, or where an affine transform
        moves the moving one. By default the better of the first two.
    stiffness : float
        Of a nonlinear registration: over what distance (mm, full width at half maximum) neighbours move together.
    progress : bool or callable
        True shows a bar, on a terminal only; a callable is told the part that is done, 0 to 1.

    Returns
    -------
    Transform
        For ``moving.transform(...)``, or ``moving.resample_to(fixed, ...)``; what it moves is in the space of `fixed`.

    Raises
    ------
    ModuleNotFoundError
        If SimpleITK is not installed.
    TypeError, ValueError
        If a volume is none, is 4-D, holds colors or is thinner than four voxels, or the two do not overlap.

    References
    ----------
    .. [1] D. Mattes et al., PET-CT image registration in the chest using free-form deformations. IEEE Transactions on
       Medical Imaging 22 (2003) 120-128.
    .. [2] E. D'Agostino et al., A viscous fluid model for multimodal non-rigid image registration using mutual
       information. Medical Image Analysis 7 (2003) 565-575.

    Examples
    --------
    >>> import volrender as vr
    >>> head = vr.sample("mni152").downsize(32)
    >>> moved = head.transform(space.translation(x=9))
    >>> bool(np.abs(vr.register(moved, head).apply((9, 0, 0))).max() < 1)
    True
    """
    for volume in (moving, fixed):
        _check(volume, "register")
    for word, known, value in (("kind", KINDS, kind), ("metric", METRICS, metric)):
        if value not in known:
            raise ValueError(f"{word} must be one of {', '.join(known)}; got {value!r}")
    if not (np.isfinite(stiffness) and stiffness > 0):
        raise ValueError(f"stiffness must be above 0 mm; got {stiffness}")
    given = start if start is None or (isinstance(start, str) and start in STARTS) else _given(start)
    if isinstance(given, Transform) and not given.is_affine:
        raise ValueError(f"start must be affine; got {given!r}")
    pair = _Pair(moving, fixed, metric)
    with pair.alone(), _reporting(progress, f"register, {kind}") as report:
        found = given if isinstance(given, Transform) else pair.start(given)
        for n, stage in enumerate(KINDS[kind]):
            part = partial(in_part, report, n, len(KINDS[kind]))
            more = pair.bend(found, stiffness, part) if stage == "nonlinear" else pair.improve(found, stage, part)
            found = Transform(found, more)
        report(1.0)
    return found.named(f"{kind} registration", fixed.space)


def _check(volume: Volume, owner: str) -> None:
    """Refuse what is no volume, is a series, or holds colors."""
    check_volume(volume, owner)
    if volume.still(owner).kind == "rgb":
        raise ValueError(
            f"{owner} needs one number a voxel; {volume.name or 'the volume'} holds colors: give its .luminance"
        )


def _given(start: str | Movement) -> Transform:
    if isinstance(start, str) and not Path(start).suffix and not Path(start).exists():
        raise ValueError(f"start must be one of {', '.join(STARTS)}, or a transform; got {start!r}")
    try:
        return Transform(start)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"start must be one of {', '.join(STARTS)}, or a transform; {error}") from None


def checkerboard(moved: Volume, fixed: Volume, *, size: float = 20.0) -> Volume:
    """The two volumes in turns, in cubes: where they agree, edges run on from cube to cube.

    Parameters
    ----------
    moved, fixed : Volume
        3-D. `moved` is sampled on the grid of `fixed`.
    size : float
        The side of a cube (mm). The cubes stand along the axes of `fixed`, whatever the order it is stored in, and one
        of their corners is in its middle.

    Returns
    -------
    Volume
        On the grid of `fixed`, which is shown alone where `moved` has no voxels; both scaled to 0..1, from the
        background to the brightest.

    Examples
    --------
    >>> ramp = Volume(np.arange(64.0).reshape(4, 4, 4), np.eye(4))
    >>> checkerboard(ramp, ramp, size=1).shape
    (4, 4, 4)
    """
    if not (np.isfinite(size) and size > 0):
        raise ValueError(f"the size of a checkerboard's cubes must be above 0 mm; got {size}")
    for volume in (moved, fixed):
        _check(volume, "checkerboard")
        if volume.kind == "labels":
            raise ValueError(
                f"checkerboard needs intensities; {volume.name or 'the volume'} is a label map: "
                "show it over the other in one Slices"
            )
    ras = fixed.canonical
    here = moved.resample_to(ras)
    seen = Volume(np.ones(moved.shape, bool), moved.affine, "labels").resample_to(ras).data & np.isfinite(here.data)
    if not seen.any():
        raise ValueError("checkerboard needs volumes that overlap; these lie apart: register them first")
    mm = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(ras.shape, ras.spacing, strict=True)]
    cells = [np.floor((along / size).round(6)).astype(int) for along in mm]
    odd = (cells[0][:, None, None] + cells[1][:, None] + cells[2]) % 2 == 1
    data = np.where(odd & seen, _shown(here, seen), _shown(ras)).astype(np.float32)
    names = f"{moved.name or 'moved'}, {fixed.name or 'fixed'}"
    board = Volume(data, ras.affine, name=names, space=fixed.space).reorient(fixed.orientation)
    return replace(board, affine=fixed.affine, history=(f"checkerboard({names}, size={size:g})",))


def _shown(volume: Volume, where: NDArray[np.bool_] | None = None) -> NDArray[Any]:
    """Values scaled to 0..1, the brightest 0.2 % (of those where the volume was seen) cut."""
    data = np.nan_to_num(intensity.as_float(volume.data), nan=volume.survey.low)
    low, high = (float(edge) for edge in np.percentile(data if where is None else data[where], (0.2, 99.8)))
    return intensity.window(data, (low + high) / 2, high - low)


class _Pair:
    """Two volumes in the hands of SimpleITK, where points are in LPS."""

    def __init__(self, moving: Volume, fixed: Volume, metric: str) -> None:
        self.itk = _simpleitk()
        self.fixed = fixed
        self.metric = metric
        self.volumes = (fixed.still("register"), moving.still("register"))
        self.images = [self._image(volume) for volume in self.volumes]
        self.centers = [_center(volume) for volume in self.volumes]
        coarsest = min(8, max(1, min(fixed.shape) // 12))
        self.shrink = [factor for factor in (8, 4, 2, 1) if factor <= coarsest]

    def start(self, wanted: str | None) -> Transform:
        """Where they lie, or with their centers on each other: the one asked for, or else the better one."""
        starts = {"world": Transform(), "centers": Transform(space.translation(*(self.centers[0] - self.centers[1])))}
        return starts[wanted] if wanted else min(starts.values(), key=self._disagreement)

    def improve(self, start: Transform, stage: str, report: Report) -> NDArray[Any]:
        """What moves the moving volume, once moved by `start`, closer to the fixed one."""
        free = self._free(stage)
        method = self._method(start, self.shrink)
        method.SetInitialTransform(free, True)
        step = 0.5 * float(np.mean(self.fixed.spacing))  # mm, at most: larger ones may leave the optimum
        method.SetOptimizerAsRegularStepGradientDescent(step, 2e-3 * step, ITERATIONS, 0.8, 1e-8)
        method.SetOptimizerScalesFromPhysicalShift()

        def tell() -> None:
            within = min(1.0, method.GetOptimizerIteration() / ITERATIONS)
            report((method.GetCurrentLevel() + within) / len(self.shrink))

        method.AddCommand(self.itk.sitkIterationEvent, tell)
        try:
            method.Execute(*self.images)
        except RuntimeError:
            raise ValueError(
                "moving and fixed must overlap where they start; they do not, or hardly: "
                "give start='centers', or a transform"
            ) from None
        return np.asarray(np.linalg.inv(_matrix(free)))

    def bend(self, start: Transform, stiffness: float, report: Report) -> Field:
        """What bends the moving volume, once moved by `start`, onto the fixed one."""
        fixed, moving = self.volumes
        affine = start.matrix @ moving.affine
        return bend(
            _filled(fixed),
            fixed.affine,
            _filled(moving),
            affine,
            stiffness=stiffness,
            levels=self.shrink,
            report=report,
        )

    def _disagreement(self, start: Transform) -> float:
        method = self._method(start, [1])
        method.SetInitialTransform(self._free("rigid"))
        try:
            return float(method.MetricEvaluate(*self.images))
        except RuntimeError:  # nothing overlaps
            return np.inf

    def _free(self, stage: str) -> Any:
        """The transform to be found, which begins as the identity."""
        free = self.itk.Euler3DTransform() if stage == "rigid" else self.itk.AffineTransform(3)
        free.SetCenter(space.apply_affine(LPS, self.centers[0]).tolist())
        return free

    def _method(self, start: Transform, shrink: list[int]) -> Any:
        method = self.itk.ImageRegistrationMethod()
        if self.metric == "mutual information":
            method.SetMetricAsMattesMutualInformation(32)
        elif self.metric == "correlation":
            method.SetMetricAsCorrelation()
        else:
            method.SetMetricAsMeanSquares()
        voxels = [int(np.prod(self.fixed.shape)) / factor**3 for factor in shrink]
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentagePerLevel([min(1.0, SAMPLES / n) for n in voxels], SEED)
        method.SetInterpolator(self.itk.sitkLinear)
        method.SetShrinkFactorsPerLevel(shrink)
        method.SetSmoothingSigmasPerLevel([factor / 2 * min(self.fixed.spacing) * (factor > 1) for factor in shrink])
        method.SetSmoothingSigmasAreSpecifiedInPhysicalUnits(True)
        pull = self.itk.AffineTransform(3)
        matrix, vector = space.to_matvec(LPS @ np.linalg.inv(start.matrix) @ LPS)
        pull.SetMatrix(matrix.ravel().tolist())
        pull.SetTranslation(vector.tolist())
        method.SetMovingInitialTransform(pull)
        return method

    def _image(self, volume: Volume) -> Any:
        if min(volume.shape) < 4:
            size = " x ".join(map(str, volume.shape))
            raise ValueError(f"register needs at least four voxels along each axis; got {size}")
        image = self.itk.GetImageFromArray(_filled(volume).transpose(2, 1, 0))
        matrix, origin = space.to_matvec(LPS @ volume.affine)
        image.SetSpacing(volume.spacing)
        image.SetDirection((matrix / volume.spacing).ravel().tolist())
        image.SetOrigin(origin.tolist())
        return image

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One thread, in which sums are always taken in the same order; then as many as before."""
        process = self.itk.ProcessObject
        before = process.GetGlobalDefaultNumberOfThreads()
        process.SetGlobalDefaultNumberOfThreads(1)
        try:
            yield
        finally:
            process.SetGlobalDefaultNumberOfThreads(before)


def _matrix(found: Any) -> NDArray[Any]:
    """The 4x4 matrix, in RAS, of a linear transform of SimpleITK."""
    matrix, center = np.reshape(found.GetMatrix(), (3, 3)), np.array(found.GetCenter())
    return np.asarray(LPS @ space.from_matvec(matrix, found.GetTranslation() + center - matrix @ center) @ LPS)


def _filled(volume: Volume) -> NDArray[np.float32]:
    """The values as float32; what is not finite becomes background."""
    background = np.float32(0 if volume.survey.signed else volume.survey.low)
    data = volume.data.astype(np.float32)
    return np.where(np.isfinite(data), data, background)


def _center(volume: Volume) -> NDArray[np.float64]:
    """The center of mass (mm) of what stands out from the background."""
    data = _filled(volume).astype(float)
    weight = np.abs(data) if volume.survey.signed else np.maximum(data - volume.survey.air, 0)
    total = weight.sum()
    if not total > 0:
        raise ValueError(f"register found nothing but background in {volume.name or 'a volume'}")
    index = [(weight.sum(axis=tuple({0, 1, 2} - {a})) * np.arange(n)).sum() / total for a, n in enumerate(weight.shape)]
    return space.apply_affine(volume.affine, index)


@contextmanager
def _reporting(progress: bool | Report, task: str) -> Iterator[Report]:
    """Who is told how far it is: the caller's function, a bar on a terminal, or nobody."""
    if callable(progress):
        yield progress
        return
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not (progress and console.is_terminal):
        yield lambda done: None
        return
    with Progress(console=console, transient=True) as bar:
        line = bar.add_task(task, total=1.0)
        yield lambda done: bar.update(line, completed=done)


def _simpleitk() -> Any:
    try:
        import SimpleITK
    except ModuleNotFoundError:
        raise ModuleNotFoundError('register needs SimpleITK: pip install "volrender[registration]"') from None
    return SimpleITK
