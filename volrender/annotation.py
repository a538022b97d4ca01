"""What is written and drawn over slices, chosen one by one."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from volrender.space import triple
from volrender.words import our_words


@our_words
@dataclass(frozen=True, kw_only=True)
class Annotation:
    """What is written and drawn over slices.

    Parameters
    ----------
    positions : bool
        Where each slice lies, as in "z = 20 mm".
    letters : bool
        The subject's sides at the left and right of each slice.
    convention : bool
        "neurological" or "radiological", under the slices.
    scale_bar : bool
    crosshair : bool or (x, y, z)
        Lines through a world point (mm) on the slices that hold it; by default the point in which slices meet, of
        each direction the one next to the peak or the middle of what is shown.
    reference : bool
        A small view beside each row in which lines show where its slices are.

    Examples
    --------
    >>> Annotation(crosshair=True, scale_bar=False).crosshair
    True
    """

    positions: bool = True
    letters: bool = True
    convention: bool = True
    scale_bar: bool = True
    crosshair: bool | tuple[float, float, float] = False
    reference: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.crosshair, bool):
            x, y, z = triple(self.crosshair, "crosshair").tolist()
            object.__setattr__(self, "crosshair", (x, y, z))
        for name in (field.name for field in fields(self)):
            if name != "crosshair" and not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} of an Annotation must be True or False; got {getattr(self, name)!r}")


NOTHING = Annotation(positions=False, letters=False, convention=False, scale_bar=False)


def as_annotation(value: Any) -> Annotation:
    """An Annotation; the usual one for True, one without anything for False.

    Examples
    --------
    >>> as_annotation(False).letters
    False
    """
    if isinstance(value, Annotation):
        return value
    if not isinstance(value, bool):
        raise TypeError(f"annotate must be True, False or an Annotation; got {value!r}")
    return Annotation() if value else NOTHING
