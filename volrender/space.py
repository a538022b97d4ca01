"""World space: affines, planes, boxes, cameras and views, in numpy alone.

World coordinates are millimetres, RAS+: x grows to the subject's right, y to the anterior, z to the superior. An
affine is 4x4 and takes the index (i, j, k) of a voxel's **centre** to the world, so a volume's outer faces lie half
a voxel beyond its first and last centres. Points are arrays of shape (..., 3); names say their space (`xyz`, `ijk`).
What works on affines alone is written in `volrender.affines` and has its name here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from volrender.affines import (
    AXES,
    Floats,
    apply_affine,
    as_affine,
    axis_order,
    bounds,
    canonical,
    corners,
    euler,
    from_matvec,
    obliquity,
    orientation,
    reflection,
    rescaled,
    rotation,
    shears,
    spacing,
    to_matvec,
    translation,
    zooms,
)
from volrender.words import given, our_words

__all__ = [
    "AXES",
    "CAMERAS",
    "Box",
    "Camera",
    "Clip",
    "Floats",
    "Plane",
    "View",
    "apply_affine",
    "as_affine",
    "as_camera",
    "as_clips",
    "axis_order",
    "bounds",
    "canonical",
    "corners",
    "euler",
    "finite",
    "from_matvec",
    "meets",
    "obliquity",
    "orientation",
    "reflection",
    "removed",
    "rescaled",
    "rotation",
    "shears",
    "spacing",
    "to_matvec",
    "translation",
    "triple",
    "zooms",
]

Range: TypeAlias = tuple[float | None, float | None] | None


@our_words
@dataclass(frozen=True, kw_only=True)
class Plane:
    """A plane in world millimetres: ``Plane(x=10)``, or ``Plane(normal=(1, 1, 0), origin=(0, 0, 20))``.

    As a clip, the side that the normal points to is removed: ``Plane(x=10)`` removes what is right of x = 10 mm.

    Parameters
    ----------
    x, y, z : float, optional
        One of them, for a plane across that axis; its normal points to the right, anterior or superior.
    normal : (3,) floats, optional
        Any direction, of any length.
    origin : (3,) floats
        A point of the plane (mm).

    Raises
    ------
    ValueError
        If not exactly one of `x`, `y`, `z` and `normal` is given, or the normal is zero.

    Examples
    --------
    >>> Plane(z=20).normal, Plane(z=20).origin
    ((0.0, 0.0, 1.0), (0.0, 0.0, 20.0))
    """

    x: float | None = None
    y: float | None = None
    z: float | None = None
    normal: tuple[float, float, float] | None = None
    origin: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        given = [axis for axis in range(3) if getattr(self, AXES[axis]) is not None]
        if len(given) + (self.normal is not None) != 1 or (given and self.origin is not None):
            raise ValueError("a Plane is one of x=, y=, z=, or normal= with origin=")
        if given:
            normal = np.eye(3)[given[0]]
            origin = normal * finite(getattr(self, AXES[given[0]]), f"{AXES[given[0]]} of a Plane")
        else:
            normal = triple(self.normal, "normal")
            origin = triple((0, 0, 0) if self.origin is None else self.origin, "origin")
        length = float(np.linalg.norm(normal))
        if length == 0:
            raise ValueError("the normal of a Plane must not be zero")
        object.__setattr__(self, "normal", tuple((normal / length).tolist()))
        object.__setattr__(self, "origin", tuple(origin.tolist()))

    def __repr__(self) -> str:
        return _as_typed(self)

    @property
    def halfspaces(self) -> Floats:
        """The removed side, as one row (a, b, c, d): points with ax + by + cz > d."""
        normal = np.asarray(self.normal, dtype=float)
        return np.array([[*normal, normal @ np.asarray(self.origin)]])


@our_words
@dataclass(frozen=True, kw_only=True)
class Box:
    """A box in world millimetres; as a clip, its inside is removed.

    Parameters
    ----------
    x, y, z : (lo, hi), optional
        The range along each axis (mm); None for an end, or for the whole axis, leaves it open.

    Raises
    ------
    ValueError
        If every side is open, or a range is not increasing.

    Examples
    --------
    The left anterior superior octant:

    >>> Box(x=(None, 0), y=(0, None), z=(0, None)).halfspaces.tolist()
    [[-1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    """

    x: Range = None
    y: Range = None
    z: Range = None

    def __post_init__(self) -> None:
        for axis in AXES:
            ends = getattr(self, axis)
            if ends is None:
                continue
            if not isinstance(ends, (tuple, list)) or len(ends) != 2:
                raise TypeError(f"Box {axis} must be (lo, hi) in mm, or None; got {ends!r}")
            lo, hi = (None if end is None else finite(end, f"{axis} of a Box") for end in ends)
            if lo is not None and hi is not None and lo >= hi:
                raise ValueError(f"Box {axis} must be increasing; got {ends}")
            object.__setattr__(self, axis, (lo, hi))
        if len(self.halfspaces) == 0:
            raise ValueError("a Box needs at least one finite side; got none")

    def __repr__(self) -> str:
        return _as_typed(self)

    @property
    def halfspaces(self) -> Floats:
        """The inside, as rows (a, b, c, d): points with ax + by + cz > d in every row."""
        rows = []
        for axis, ends in enumerate((self.x, self.y, self.z)):
            lo, hi = ends or (None, None)
            if lo is not None:
                rows.append([*np.eye(3)[axis], lo])
            if hi is not None:
                rows.append([*-np.eye(3)[axis], -hi])
        return np.array(rows, dtype=float).reshape(-1, 4) + 0.0  # no -0


def _as_typed(item: Any) -> str:
    said = (f"{word}={value!r}" for word, value in given(item).items() if value is not None)
    return f"{type(item).__name__}({', '.join(said)})"


Clip: TypeAlias = Plane | Box


def as_clips(clip: Any) -> tuple[Clip, ...]:
    """One clip, several or none, as a tuple."""
    several = isinstance(clip, Iterable) and not isinstance(clip, str)
    clips = () if clip is None else tuple(clip) if several else (clip,)
    for item in clips:
        if not isinstance(item, (Plane, Box)):
            raise TypeError(f"clip must be a Plane, a Box, or several of them; got {item!r}")
    return tuple(dict.fromkeys(clips))


def removed(clips: Iterable[Clip], points_xyz: ArrayLike, *, tolerance: float = 0.0) -> NDArray[np.bool_]:
    """Which of the points (..., 3) the clips take away; those within `tolerance` mm of a cut face stay.

    Examples
    --------
    >>> removed([Plane(x=0)], [[-1, 0, 0], [1, 0, 0]])
    array([False,  True])
    """
    points = np.asarray(points_xyz, dtype=float)
    gone = np.zeros(points.shape[:-1], dtype=bool)
    for clip in clips:
        rows = clip.halfspaces
        gone |= (points @ rows[:, :3].T - rows[:, 3] > tolerance).all(axis=-1)
    return gone


def meets(clip: Clip, bounds_xyz: ArrayLike) -> bool:
    """Whether a clip may remove something within bounds (3, 2) in mm.

    Examples
    --------
    >>> bounds = [[-10, 10]] * 3
    >>> meets(Plane(x=5), bounds), meets(Plane(x=10), bounds), meets(Box(x=(0, 5), z=(20, 30)), bounds)
    (True, False, False)
    """
    rows = clip.halfspaces
    low, high = np.asarray(bounds_xyz, dtype=float).T
    farthest = np.where(rows[:, :3] > 0, high, low)
    return bool((np.einsum("ij,ij->i", rows[:, :3], farthest) > rows[:, 3]).all())


MOST_PERSPECTIVE = 90
NEAREST = 0.05  # of the viewer's distance: what is nearer is drawn as if it were there
CENTERINGS = 30
CAMERAS = {
    "left": (0.0, 180.0),
    "right": (0.0, 0.0),
    "anterior": (0.0, 90.0),
    "posterior": (0.0, 270.0),
    "superior": (90.0, 270.0),
    "inferior": (-90.0, 90.0),
}


@our_words
@dataclass(frozen=True)
class Camera:
    """Where the viewer stands: far away, so that the projection is parallel, unless `perspective` brings him near.

    Parameters
    ----------
    elevation, azimuth : float
        Degrees, as in matplotlib's ``view_init`` with x to the subject's right: azimuth 0 looks from the right, 90
        from the front, 180 from the left, 270 from behind.
    roll : float
        Degrees by which the picture turns clockwise.
    zoom : float
        How much larger than the frame that fits.
    look_at : (x, y, z), optional
        The world point (mm) in the middle of the picture; by default the middle of the subject.
    perspective : float
        Degrees that the picture's height spans, as seen by the viewer; 0 is parallel.

    Examples
    --------
    >>> np.round(Camera(0, 180).toward, 6).tolist()
    [-1.0, 0.0, 0.0]
    """

    elevation: float = 25.0
    azimuth: float = 150.0
    roll: float = 0.0
    zoom: float = 1.0
    look_at: tuple[float, float, float] | None = None
    perspective: float = 0.0

    def __post_init__(self) -> None:
        values = (self.elevation, self.azimuth, self.roll, self.zoom, self.perspective)
        if not all(isinstance(v, (int, float, np.number)) and np.isfinite(v) for v in values):
            raise ValueError(f"a Camera's angles and zoom must be finite numbers; got {values}")
        if self.zoom <= 0:
            raise ValueError(f"the zoom of a Camera must be above 0; got {self.zoom}")
        if not 0 <= self.perspective <= MOST_PERSPECTIVE:
            got = f"got {self.perspective}"
            raise ValueError(f"the perspective of a Camera must be 0 to {MOST_PERSPECTIVE} degrees; {got}")
        if self.look_at is not None:
            x, y, z = triple(self.look_at, "the look_at of a Camera").tolist()
            object.__setattr__(self, "look_at", (x, y, z))

    @property
    def axes(self) -> Floats:
        """The picture's axes in the world, as rows: right, up, and toward the viewer."""
        el, az, roll = np.radians([self.elevation, self.azimuth, self.roll])
        right = np.array([-np.sin(az), np.cos(az), 0.0])
        up = np.array([-np.sin(el) * np.cos(az), -np.sin(el) * np.sin(az), np.cos(el)])
        toward = np.array([np.cos(el) * np.cos(az), np.cos(el) * np.sin(az), np.sin(el)])
        turned = (np.cos(roll) * right + np.sin(roll) * up, np.cos(roll) * up - np.sin(roll) * right, toward)
        return np.round(np.stack(turned), 15)

    @property
    def toward(self) -> Floats:
        """The unit vector from the subject to the viewer."""
        return np.asarray(self.axes[2])


def as_camera(value: str | Sequence[float] | Camera) -> Camera:
    """A camera from a name ("left", "anterior", ...), an (elevation, azimuth) pair or a Camera.

    Examples
    --------
    >>> as_camera("anterior")
    Camera(elevation=0.0, azimuth=90.0, roll=0.0, zoom=1.0, look_at=None, perspective=0.0)
    """
    if isinstance(value, Camera):
        return value
    if isinstance(value, str):
        if value not in CAMERAS:
            raise ValueError(f"camera must be one of {', '.join(CAMERAS)}, or (elevation, azimuth); got {value!r}")
        return Camera(*CAMERAS[value])
    try:
        elevation, azimuth = (float(angle) for angle in value)
    except (TypeError, ValueError):
        raise TypeError(
            f"camera must be a name ({', '.join(CAMERAS)}), (elevation, azimuth) in degrees, or a Camera; got {value!r}"
        ) from None
    return Camera(elevation, azimuth)


@dataclass(frozen=True)
class View:
    """A projection of the world onto a raster: the one map from xyz to pixels that every engine obeys.

    Parameters
    ----------
    camera : Camera
    center : (3,) floats
        The world point (mm) at the middle of the raster.
    mm_per_pixel : float
        In perspective, at the depth of `center`.
    size : (width, height)
        Pixels.
    """

    camera: Camera
    center: tuple[float, float, float]
    mm_per_pixel: float
    size: tuple[int, int]

    @property
    def distance(self) -> float:
        """How far (mm) the viewer stands from `center`; infinite in parallel projection."""
        if not self.camera.perspective:
            return np.inf
        unzoomed = self.mm_per_pixel * self.camera.zoom * self.size[1] / 2
        return float(unzoomed / np.tan(np.radians(self.camera.perspective) / 2))

    def project(self, points_xyz: ArrayLike) -> Floats:
        """Where world points (..., 3) fall, as (column, row): the first pixel's centre is (0, 0), rows grow down."""
        x, y, depth = np.moveaxis((np.asarray(points_xyz, float) - self.center) @ self.camera.axes.T, -1, 0)
        width, height = self.size
        pixel = self.mm_per_pixel * np.maximum(1 - depth / self.distance, NEAREST)
        return np.stack([x / pixel + (width - 1) / 2, (height - 1) / 2 - y / pixel], axis=-1)

    def points(self, pixels: ArrayLike, ways: ArrayLike) -> Floats:
        """World points (..., 3) that a ray through a pixel (column, row) meets after so many mm.

        It starts at the viewer, or in parallel projection at the depth of `center`, where it ends if it meets nothing.
        """
        column, row = np.moveaxis(np.asarray(pixels, float), -1, 0)
        width, height = self.size
        x, y = self.mm_per_pixel * (column - (width - 1) / 2), self.mm_per_pixel * ((height - 1) / 2 - row)
        right, up, toward = self.camera.axes
        middle = self.center + x[..., None] * right + y[..., None] * up
        ways = np.asarray(ways, float)[..., None]
        if not self.camera.perspective:
            return np.asarray(middle - np.where(np.isfinite(ways), ways, 0) * toward)
        eye = self.center + self.distance * toward
        along = middle - eye
        length = np.linalg.norm(along, axis=-1, keepdims=True)
        return np.asarray(eye + np.where(np.isfinite(ways), ways / length, 1) * along)

    @staticmethod
    def fit(points_xyz: ArrayLike, camera: Camera, size: tuple[int, int], fill: float = 0.96) -> View:
        """The view in which the points fill `fill` of the raster in the direction that is the tighter one."""
        flat = np.asarray(points_xyz, dtype=float).reshape(-1, 3) @ camera.axes.T
        whole = (int(size[0]), int(size[1]))
        low, high = flat.min(axis=0), flat.max(axis=0)
        middle = (low + high) / 2 if camera.look_at is None else camera.axes @ camera.look_at
        if not camera.perspective:
            reach = np.maximum(np.abs(flat - middle).max(axis=0), 5e-7)[:2]
            mm_per_pixel = float((2 * reach / (fill * np.array(whole))).max())
        else:
            slope = np.tan(np.radians(camera.perspective) / 2)
            middle, distance = _frustum(flat, middle, slope * fill * np.array(whole) / whole[1], camera.look_at is None)
            mm_per_pixel = float(2 * distance * slope / whole[1])
        x, y, z = (middle @ camera.axes).tolist()
        return View(camera, (x, y, z), mm_per_pixel / camera.zoom, whole)


def _frustum(flat: Floats, middle: Floats, slopes: Floats, free: bool) -> tuple[Floats, float]:
    """Where a viewer looks, and from how far, who has all points just within a pyramid of these slopes.

    A point is within the right side if x - x0 <= slope * (eye - depth), with the eye's depth; so of all points the
    largest x + slope * depth counts, and of the left side the largest -x + slope * depth.
    """
    depth = flat[:, 2:]
    right, left = ((sign * flat[:, :2] + slopes * depth).max(axis=0) for sign in (1, -1))
    across = (right - left) / 2 if free else middle[:2]
    eye = float((np.maximum(right - across, left + across) / slopes).max())
    for _ in range(CENTERINGS if free else 0):  # where there is room to both sides, it is shared
        near = np.maximum(eye - depth, 1e-6)
        seen = (flat[:, :2] - across) / near
        across = across + (seen.min(axis=0) + seen.max(axis=0)) / 2 * near.min()
    return np.array([*across, middle[2]]), max(eye - float(middle[2]), 1e-6)


def finite(value: Any, what: str) -> float:
    """One finite number, or an error that names what it is."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{what} must be a number; got {value!r}") from None
    if not np.isfinite(number):
        raise ValueError(f"{what} must be finite; got {value}")
    return number


def triple(value: Any, what: str) -> Floats:
    """Three finite numbers as an array, or an error that names what they are."""
    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != (3,) or not np.isfinite(array).all():
        raise ValueError(f"{what} must be three finite numbers; got {value!r}")
    return array
