"""Where a NIfTI header says that the volume is: its sform, its qform, or neither, and what to do when it lies.

The sform counts before the qform, as everywhere. Two forms that disagree, a form that cannot be, voxel sizes of zero
and a header without a form are warned of or refused, in words that name both answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender.io.files import by, short_name, warn
from volrender.space import as_affine, orientation, spacing

CODES = {1: "scanner", 2: "aligned", 3: "talairach", 4: "MNI152", 5: "template"}
ENTITY = re.compile(r"(?:^|_)(?:space|tpl)-([A-Za-z0-9]+)")
UNITS = {1: ("meter", 1000.0), 3: ("micron", 1e-3)}  # of NIfTI's xyzt_units, in mm; 0 is unknown, 2 is mm
LIMIT = 1.0  # mm between two answers that are taken for one
APART = 0.01  # of a voxel size: how far pixdim may be from the sform


def placement(image: Any, where: str, shape: tuple[int, ...]) -> tuple[NDArray[np.float64], str]:
    """The affine (mm) of a nibabel image and the name of the space that it leads to, "" if unknown."""
    named = named_space(where)
    if not hasattr(image.header, "get_sform"):
        if image.affine is None:
            raise ValueError(f"{where}: must have a position; its header holds none")
        scanner = type(image).__name__ == "MGHImage" and bool(image.header["goodRASFlag"])
        affine = usable(image.affine, where, f"its affine is {np.asarray(image.affine).round(3).tolist()}")
        return affine, named or ("scanner" if scanner else "")
    header, mm = image.header, length_unit(image.header)[1]
    to_mm = np.diag([mm, mm, mm, 1.0])
    sizes = np.array(_as_written(image)["pixdim"][1:4], dtype=float) * mm
    absent = not np.isfinite(sizes).all() or (sizes == 0).any()
    forms = {name: int(header[f"{name}_code"]) for name in ("sform", "qform") if header[f"{name}_code"] > 0}
    answers: dict[str, NDArray[np.float64]] = {}
    for name in forms:
        with suppress(Exception):
            answers[name] = as_affine(to_mm @ _form(header, name, absent))
    if not forms:
        if absent:
            raise ValueError(f"{where}: must have voxel sizes above 0 mm or an sform; its pixdim is {by(sizes)}")
        affine = to_mm @ image.affine
        warn(
            f"{where}: has neither sform nor qform, so left and right are a guess; placed as Analyze would, "
            f"{told(affine, shape)}, where NIfTI's own rule is {told(np.diag([*np.abs(sizes), 1]), shape)}"
        )
        return affine, named
    if not answers:
        if absent and "sform" not in forms:
            raise ValueError(
                f"{where}: must have voxel sizes above 0 mm; its pixdim is {by(sizes)} and it has no sform"
            )
        raise ValueError(
            f"{where}: must have a position that is finite and invertible; its {' and its '.join(forms)} "
            f"{'is' if len(forms) == 1 else 'are'} not ({_written(header, list(forms))})"
        )
    name, affine = next(iter(answers.items()))
    for lost in forms.keys() - answers.keys():
        warn(
            f"{where}: its {lost} is no position (singular, or not a number); "
            f"placed by its {name}, {told(affine, shape)}"
        )
    if absent or (sizes < 0).any() or (len(answers) == 1 and _apart(sizes, affine)):
        warn(
            f"{where}: its pixdim claims voxels of {by(sizes)} mm, its {name} {by(spacing(affine))}; "
            f"placed by the {name}"
        )
    if len(answers) == 2:
        gap = _gap(answers["sform"], answers["qform"], shape)
        if gap > LIMIT:
            warn(
                f"{where}: its sform, {told(affine, shape)}, and its qform, {told(answers['qform'], shape)}, "
                f"disagree by up to {gap:.3g} mm; placed by the sform"
            )
    return affine, named or CODES.get(forms[name], "")


def length_unit(header: Any) -> tuple[str, float]:
    """The unit of length of a NIfTI header, if it is neither mm nor unknown, and how many mm it is."""
    if not hasattr(header, "get_xyzt_units"):
        return "", 1.0
    return UNITS.get(int(header["xyzt_units"]) & 7, ("", 1.0))


def code_of(space: str) -> int:
    """The NIfTI code that comes nearest to a space."""
    codes = {name: code for code, name in CODES.items()}
    return codes.get(space.lower(), 4 if space.upper().startswith("MNI") else 2)


def named_space(where: str) -> str:
    """The space that a file's name tells, as BIDS and TemplateFlow write it.

    Examples
    --------
    >>> named_space("sub-01_space-MNI152NLin2009cAsym_desc-preproc_T1w.nii.gz")
    'MNI152NLin2009cAsym'
    """
    found = ENTITY.search(short_name(where))
    return found[1] if found else ""


def _as_written(image: Any) -> Any:
    """The header before nibabel mended it; the mended one where there is no file."""
    holder = image.file_map.get("header") or image.file_map["image"]
    with suppress(Exception), holder.get_prepare_fileobj("rb") as file:
        return type(image.header).from_fileobj(file, check=False)
    return image.header


def _form(header: Any, name: str, absent: bool) -> Any:
    if name == "sform":
        return header.get_sform()
    if absent:
        raise ValueError("a qform needs voxel sizes")
    return header.get_qform()


def _written(header: Any, forms: Sequence[str]) -> str:
    """The numbers of the forms, as the header's fields hold them."""
    rows = {"sform": ("srow_x", "srow_y", "srow_z"), "qform": ("quatern_b", "quatern_c", "quatern_d")}
    fields = [field for form in forms for field in rows[form]]
    return ", ".join(f"{field} {' '.join(f'{n:.4g}' for n in np.ravel(header[field]))}" for field in fields)


def warn_of_guess(
    where: str, missing: Sequence[str], affine: NDArray[np.float64], shape: Sequence[int], advice: str = ""
) -> None:
    """Say, once a file, what its header does not tell and where it was placed; nothing if nothing is missing."""
    if missing:
        with suppress(ValueError):  # what is no position is refused later
            place = f"{told(as_affine(affine), shape)}, voxels of {by(spacing(affine))} mm{advice}"
            warn(f"{where}: has no {' and no '.join(missing)}, so where it lies is a guess; placed {place}")


def _apart(sizes: NDArray[np.float64], affine: NDArray[np.float64]) -> bool:
    """Whether the voxel sizes of a header are not those of its affine."""
    return bool((np.abs(sizes / spacing(affine) - 1) > APART).any())


def usable(affine: Any, where: str, told: str) -> NDArray[np.float64]:
    """The affine, checked; `told` is what the header holds of it."""
    try:
        return as_affine(affine)
    except ValueError:
        raise ValueError(f"{where}: must have a position that is finite and invertible; {told}") from None


def _gap(a: NDArray[np.float64], b: NDArray[np.float64], shape: tuple[int, ...]) -> float:
    """The farthest (mm) that two affines put one outer corner of the volume apart."""
    corners = np.array([[*corner, 1] for corner in product(*[(-0.5, n - 0.5) for n in shape[:3]])])
    return float(np.linalg.norm((corners @ (a - b).T)[:, :3], axis=1).max())


def told(affine: NDArray[np.float64], shape: Sequence[int]) -> str:
    """Where an affine puts a volume, in words."""
    x, y, z = (affine[:3, :3] @ ((np.array(shape[:3]) - 1) / 2) + affine[:3, 3]).round(1).tolist()
    return f"{orientation(affine)} with its middle at ({x:g}, {y:g}, {z:g}) mm"
