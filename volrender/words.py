"""One name per idea: a word from another library is answered with ours.

The table maps what users of matplotlib, nilearn, pyvista and napari may type to the word used here. `our_words`
wraps a class so that an unknown keyword raises a TypeError that names the right one.
"""

from __future__ import annotations

import copy
import difflib
import functools
import inspect
import re
from typing import Any, TypeVar

C = TypeVar("C", bound=type)

MADE: dict[str, type] = {}  # the classes that a user constructs, by name
# Where a thing holds others, which were made of whatever was given under a word.
HELD = {"rows": "rows", "layers": "layers", "layer": "_layer", "mask": "_mask"}

FOREIGN = {
    "alpha": "opacity",
    "vmin": "clim",
    "vmax": "clim",
    "contrast_limits": "clim",
    "colormap": "cmap",
    "color_map": "cmap",
    "threshold": "level",
    "isovalue": "level",
    "isosurfaces": "level",
    "blending": "blend",
    "rendering": "blend",
    "elev": "camera",
    "azim": "camera",
    "cpos": "camera",
    "camera_position": "camera",
    "view": "camera",
    "cut_coords": "x, y or z",
    "display_mode": "x, y or z",
    "figsize": "width",
    "bgcolor": "background",
    "facecolor": "background",
    "black_bg": "background",
    "n_iter": "smooth",
    "gap": "explode",
    "draw_cross": "annotate",
    "crosshair": "annotate",
    "reference": "annotate",
    "scale_bar": "annotate",
    "clipping": "clip",
    "clip_plane": "clip",
    "clip_box": "clip",
}


LAYER_WORDS = ("clim", "cmap", "opacity", "blend", "clip", "level", "color", "colors", "smooth")


def unknown_word(word: str, owner: str, known: list[str]) -> TypeError:
    """The error for a keyword that `owner` does not take."""
    ours = FOREIGN.get(word)
    if ours is not None and any(name in known for name in re.split(", | or ", ours)):
        return TypeError(f"{owner} takes {ours}, not {word}")
    ours = ours or word
    if ours in LAYER_WORDS and "background" in known:  # a panel
        said = "" if ours == word else f"{word} is {ours} here, and "
        return TypeError(
            f"{owner} takes no {word}: {said}{ours} belongs to the layer, as in Intensity(volume, {ours}=...)"
        )
    close = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return TypeError(f"{owner} has no {word}; {hint}it takes {', '.join(known)}")


def choices(names: list[str], word: str) -> str:
    """The tail of an error about an unknown name: near names, or all if they are few."""
    if len(names) <= 12:
        return "choose from " + ", ".join(names)
    close = difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"choose from {', '.join(names[:12])}, ..."


def our_words(cls: C) -> C:
    """Let the constructor of `cls` answer a foreign or mistyped keyword with the word that it takes.

    What it is given can be asked for with `given`, so that it can be written down and made again.
    """
    construct = cls.__init__  # type: ignore[misc]
    signature = inspect.signature(construct)
    known = [p.name for p in signature.parameters.values() if p.name != "self" and p.kind is not p.VAR_POSITIONAL]

    @functools.wraps(construct)
    def checked(self: Any, *args: Any, **options: Any) -> None:
        for word in options:
            if word not in known:
                raise unknown_word(word, cls.__name__, known)
        construct(self, *args, **options)
        words = signature.bind(self, *args, **options).arguments
        kept = {word: _kept(value) for word, value in words.items() if word not in ("self", *HELD)}
        object.__setattr__(self, "_given", kept)

    cls.__init__ = checked  # type: ignore[misc]
    MADE[cls.__name__] = cls
    return cls


def given(item: Any) -> dict[str, Any]:
    """What a thing was made with: the words that were said, and what it holds of those that stand for other things.

    Examples
    --------
    >>> from volrender import Plane
    >>> given(Plane(x=10))
    {'x': 10}
    """
    said: dict[str, Any] = dict(item._given)
    parameters = inspect.signature(type(item)).parameters
    held = {word: getattr(item, name) for word, name in HELD.items() if word in parameters}
    return {word: value for word, value in held.items() if value is not None} | said


def _kept(value: Any) -> Any:
    """A value that nobody changes afterwards."""
    changes = isinstance(value, (list, dict, set)) or hasattr(value, "__array_interface__")
    return copy.copy(value) if changes else value


def as_text(value: Any, name: str) -> str:
    """A checked text.

    Examples
    --------
    >>> as_text(5, "title")
    Traceback (most recent call last):
    TypeError: title must be a text; got 5
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text; got {value!r}")
    return value


def as_bool(value: Any, name: str) -> bool:
    """A checked True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False; got {value!r}")
    return value
