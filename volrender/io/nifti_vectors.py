"""Displacement fields in NIfTI, as ANTs, ITK and SPM write them; what looks alike but is something else is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volrender.io.files import FROM_LPS, GROWTH, File, by, capacity, check_claim, quiet, sentence
from volrender.io.forms import length_unit

LOG = "nibabel.global"
FIELDS = "a displacement field as ANTs and ITK write it, or a deformation as SPM does"
DEFORMATION = re.compile(r"(inverse )?deformation", re.IGNORECASE)  # how SPM describes its y_ and iy_ files
FLOW = re.compile(r"flow field|velocity", re.IGNORECASE)  # and its u_ and v_ files


def read_vectors(file: File) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """A displacement at each voxel (mm, RAS+), (i, j, k, 3), and the affine: five axes, the fourth of length one.

    ITK and ANTs write displacements, in LPS; SPM writes a mapping, the places (mm, RAS+) that the values come from.
    Both lie on the grid of the result. What FSL, NiftyReg and DARTEL write in files of such a shape is refused.
    """
    import nibabel as nib

    try:
        with quiet(LOG):
            image: Any = nib.load(file.path)
    except Exception as error:
        raise ValueError(f"must be a NIfTI displacement field; {sentence(error)}") from None
    mapping = _is_mapping(image.header)
    shape = tuple(int(n) for n in image.shape)
    if unit := length_unit(image.header)[0]:
        raise ValueError(f"must be {FIELDS}, in mm; its header says {unit}")
    if len(shape) != 5 or shape[3:] != (1, 3):
        raise ValueError(f"must be {FIELDS}, i x j x k x 1 x 3; got {by(shape)}")
    growth = GROWTH.get(Path(file.where).suffix.lower(), 1)
    check_claim(file.where, shape, image.get_data_dtype(), capacity(file.size, growth))
    vectors = np.asarray(image.dataobj, dtype=np.float32)[:, :, :, 0, :]
    if not mapping:
        return vectors * FROM_LPS, image.affine
    i, j, k = np.ogrid[: shape[0], : shape[1], : shape[2]]
    for world, (to_i, to_j, to_k, start) in enumerate(image.affine[:3]):
        vectors[..., world] -= to_i * i + to_j * j + to_k * k + start
    return vectors, image.affine


def _is_mapping(header: Any) -> bool:
    """Whether vectors are places, as SPM writes them, and not displacements; an error if they are neither."""
    said = {
        key: bytes(header[key]).rstrip(b"\0").decode("latin-1") for key in ("intent_name", "descrip") if key in header
    }
    name, about = said.get("intent_name", ""), said.get("descrip", "")
    other = ""
    if "intent_code" in header and 2006 <= int(header["intent_code"]) <= 2018:
        other = "a warp of FSL's, in FSL's own millimetres: convert it first"
    elif name.startswith("NREG"):
        other = f"a transform of NiftyReg's ({name}): convert it first"
    elif FLOW.match(about):
        other = f"DARTEL's ({about}), which is no displacement: export it as a deformation first"
    if other:
        raise ValueError(f"must be {FIELDS}; it is {other}")
    return name == "Mapping" or DEFORMATION.match(about) is not None
