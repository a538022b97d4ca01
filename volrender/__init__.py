"""volrender turns 3-D volumes into publication figures.

Layers say what is in the picture, panels say how it is drawn, a figure says how it is printed::

    import volrender as vr

    head = vr.load("T1.nii.gz")
    vr.Slices(head, z=[0, 20, 40]).save("slices.png", width=89, dpi=300)

The names load when they are first used: importing the package starts neither pyvista nor matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from volrender.version import __version__ as __version__

if TYPE_CHECKING:
    from volrender import space as space
    from volrender.annotation import Annotation as Annotation
    from volrender.drawing import Drawing as Drawing
    from volrender.figure import Figure as Figure
    from volrender.intensity import contrast as contrast
    from volrender.intensity import expand_coordinates as expand_coordinates
    from volrender.intensity import explode as explode
    from volrender.intensity import normalize as normalize
    from volrender.intensity import scale_by as scale_by
    from volrender.intensity import window as window
    from volrender.layers import CutPlane as CutPlane
    from volrender.layers import Intensity as Intensity
    from volrender.layers import Isosurface as Isosurface
    from volrender.layers import LabelMap as LabelMap
    from volrender.panels import Histogram as Histogram
    from volrender.panels import Scene as Scene
    from volrender.panels import Timecourse as Timecourse
    from volrender.panels import Voxels as Voxels
    from volrender.presets import preset as preset
    from volrender.registration import checkerboard as checkerboard
    from volrender.registration import register as register
    from volrender.slices import Slices as Slices
    from volrender.sources import load as load
    from volrender.sources import sample as sample
    from volrender.space import Box as Box
    from volrender.space import Camera as Camera
    from volrender.space import Plane as Plane
    from volrender.spec import read_recipe as read_recipe
    from volrender.spec import read_spec as read_spec
    from volrender.spec import redo as redo
    from volrender.transfer import TransferFunction as TransferFunction
    from volrender.transforms import Transform as Transform
    from volrender.volume import Volume as Volume

_HOMES = {
    "annotation": ("Annotation",),
    "drawing": ("Drawing",),
    "figure": ("Figure",),
    "intensity": ("contrast", "expand_coordinates", "explode", "normalize", "scale_by", "window"),
    "layers": ("CutPlane", "Intensity", "Isosurface", "LabelMap"),
    "panels": ("Histogram", "Scene", "Timecourse", "Voxels"),
    "presets": ("preset",),
    "registration": ("checkerboard", "register"),
    "slices": ("Slices",),
    "sources": ("load", "sample"),
    "space": ("Box", "Camera", "Plane"),
    "spec": ("read_recipe", "read_spec", "redo"),
    "transfer": ("TransferFunction",),
    "transforms": ("Transform",),
    "volume": ("Volume",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME, "space", "__version__"])


def __getattr__(name: str) -> Any:
    if name == "space":
        return import_module("volrender.space")
    if name not in _HOME:
        raise AttributeError(f"module 'volrender' has no attribute {name!r}")
    return getattr(import_module(f"volrender.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
