"""Transforms in files: ITK and ANTs, FSL, FreeSurfer, SPM, plain matrices.

`read` answers with the steps in the order in which they move a volume: 4x4 matrices that take the volume's points to
where they go, in world millimetres, RAS+, and `Field`s. ITK writes the way back, from the points of the result to
those of the volume, in LPS: its matrices are inverted and turned into RAS here, its fields are read backwards anyway.
Headers are held against limits and the size of the file before memory is asked for, and nothing is unpickled.
"""

from __future__ import annotations

import math
import os
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from volrender import affines
from volrender.affines import Floats
from volrender.fields import Field
from volrender.io import metaimage, nifti_vectors, nrrd
from volrender.io.files import FROM_LPS, LPS, capacity, file_at, sentence

Step: TypeAlias = Floats | Field

MAX_TEXT = 1_000_000  # bytes: a matrix takes a few hundred
MAX_VECTORS = 500_000_000
GROWTH = 1_100  # the most that HDF5's deflate can shrink
READS = (
    "a 4x4 matrix as text or .npy, ITK .tfm/.txt/.mat/.h5, a displacement field as .nii, .mha or .nrrd, "
    "SPM's y_.nii, FreeSurfer .lta"
)
ITK_HEADER = "#Insight Transform File"


def read(source: str | os.PathLike[str]) -> list[Step]:
    """Read the steps of a transform, in the order in which they move a volume."""
    if not os.fspath(source):
        raise ValueError("the path of a transform must not be empty; got ''")
    path = Path(source)
    if path.is_dir():
        raise ValueError(f"{path}: must be a file; it is a folder")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    name = path.name.lower()
    try:
        if name.endswith(".npy"):
            return [_matrix(_numpy(path))]
        if name.endswith((".nii", ".nii.gz")):
            return [Field(*nifti_vectors.read_vectors(file_at(path)))]
        if name.endswith((".mha", ".mhd")):
            return [Field(*metaimage.read_vectors(file_at(path)))]
        if name.endswith((".nrrd", ".nhdr")):
            return [Field(*nrrd.read_vectors(file_at(path)))]
        if name.endswith((".h5", ".hdf5")):
            return _itk_hdf5(path)
        return _text_or_matlab(path)
    except ImportError:
        raise
    except Exception as error:
        said = sentence(error).removeprefix(f"{path}: ")
        raise (FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError)(f"{path}: {said}") from None


def fsl_matrix(source: str | os.PathLike[str]) -> Floats:
    """Read the 4x4 text matrix that FSL's flirt writes, as it stands there."""
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        return _matrix(_numbers(_text(path.read_bytes()[: MAX_TEXT + 1]), "4x4 numbers"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _text_or_matlab(path: Path) -> list[Step]:
    with path.open("rb") as file:
        raw = file.read(MAX_TEXT + 1)
    if raw.startswith(ITK_HEADER.encode()):
        return _itk_text(path)
    if path.suffix.lower() == ".mat" and b"\0" in raw[:20]:
        return _itk_matlab(raw)
    text = _text(raw)
    if path.suffix.lower() == ".lta" or re.search(r"^type\s*=", text, re.MULTILINE):
        return [_lta(text)]
    if path.suffix.lower() == ".mat":
        raise ValueError(
            "must say its two images, if it is FSL's: give vr.Transform.fsl(path, moving, reference); "
            "a .mat alone must be ITK's"
        )
    return [_matrix(_numbers(text, READS))]


def _text(raw: bytes) -> str:
    if len(raw) > MAX_TEXT:
        raise ValueError(f"must be {READS}; it has more than {MAX_TEXT:,} bytes")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"must be {READS}; it starts with {raw[:8]!r}") from None


def _numbers(text: str, wanted: str) -> Floats:
    lines = [line.partition("#")[0].replace(",", " ").split() for line in text.splitlines()]
    try:
        rows = [[float(word) for word in line] for line in lines if line]
    except ValueError:
        raise ValueError(f"must be {wanted}; it starts with {text.strip()[:20]!r}") from None
    if len({len(row) for row in rows}) > 1:
        raise ValueError(f"must be {wanted}; its rows have {', '.join(str(len(row)) for row in rows[:6])} numbers")
    return np.array(rows, dtype=float)


def _matrix(value: NDArray[Any]) -> Floats:
    if value.dtype.kind not in "biuf":
        raise ValueError(f"must hold a 4x4 matrix of numbers; got {value.dtype}")
    return affines.as_affine(value)


def _numpy(path: Path) -> NDArray[Any]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:
        raise ValueError("must be a whole .npy file of 4x4 numbers; it is cut short or holds something else") from None
    if array.shape != (4, 4):
        raise ValueError(f"must hold a 4x4 matrix; got shape {array.shape}")
    return np.array(array)


def _lta(text: str) -> Floats:
    """FreeSurfer's linear transform, from its source to its destination volume."""
    kind = re.search(r"^type\s*=\s*(\d+)", text, re.MULTILINE)
    body = re.search(r"^1 4 4\s*$((?:\s+[-+.\deE]+){16})", text, re.MULTILINE)
    if kind is None or body is None or re.search(r"^nxforms\s*=\s*1\s*$", text, re.MULTILINE) is None:
        raise ValueError("must be FreeSurfer's LTA with a type, one transform (nxforms = 1) and its 4x4 matrix")
    matrix = _matrix(np.array(body[1].split(), dtype=float).reshape(4, 4))
    if int(kind[1]) == 1:  # LINEAR_RAS_TO_RAS
        return matrix
    if int(kind[1]) == 0:  # LINEAR_VOX_TO_VOX
        source, destination = (_lta_geometry(text, which) for which in ("src", "dst"))
        return np.asarray(destination @ matrix @ np.linalg.inv(source))
    raise ValueError(f"must be an LTA of type 0 (voxels) or 1 (RAS); got type {kind[1]}: convert it with lta_convert")


def _lta_geometry(text: str, which: str) -> Floats:
    """Index to world mm of one of the two volumes that an LTA describes."""
    info = re.search(rf"^{which} volume info(.*?)(?=^\w+ volume info|\Z)", text, re.MULTILINE | re.DOTALL)
    lines = re.findall(r"^(\w+)\s*=\s*([^#\n]*)", info[1] if info else "", re.MULTILINE)
    said = {key: value.split() for key, value in lines}
    try:
        if said["valid"] != ["1"]:
            raise KeyError
        axes = np.array([said[key] for key in ("xras", "yras", "zras")], dtype=float).T
        step = axes * np.array(said["voxelsize"], dtype=float)
        center = np.array(said["cras"], dtype=float) - step @ (np.array(said["volume"], dtype=float) / 2)
        return affines.as_affine(affines.from_matvec(step, center))
    except (KeyError, ValueError):
        raise ValueError(f"must say the geometry of its {which} volume: voxels mean nothing without") from None


def _itk_text(path: Path) -> list[Step]:
    if path.stat().st_size > 40 * MAX_VECTORS:
        raise ValueError(f"must be at most {40 * MAX_VECTORS:,} bytes; it has {path.stat().st_size:,}")
    parts: list[tuple[str, Floats, Floats]] = []
    for block in re.split(r"^#Transform \d+.*$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        said = dict(re.findall(r"^(\w+):(.*)$", block, re.MULTILINE))
        if "Transform" not in said:
            raise ValueError("must name the kind of each transform; one has no Transform: line")
        numbers = (np.array(said.get(key, "").split(), dtype=float) for key in ("Parameters", "FixedParameters"))
        parts.append((said["Transform"].strip(), *numbers))
    return _itk_steps(parts)


def _itk_matlab(raw: bytes) -> list[Step]:
    """ANTs's ``0GenericAffine.mat``: a MATLAB 4 file of two columns, the parameters and "fixed"."""
    columns: list[tuple[str, Floats]] = []
    while raw:
        order = "<" if struct.unpack("<i", raw[:4])[0] in (0, 10) else ">"
        code, rows, cols, imaginary, letters = struct.unpack(order + "5i", raw[:20])
        kind = {0: "f8", 10: "f4"}.get(code % 1000)
        count = rows * cols
        if kind is None or imaginary or not (0 < letters < 200 and 0 <= rows <= 100 and 0 <= cols <= 100):
            raise ValueError("must be a MATLAB 4 file with the parameters of an ITK transform; it is another .mat")
        name = raw[20 : 20 + letters].rstrip(b"\0").decode("ascii")
        end = 20 + letters + count * int(kind[1])
        if len(raw) < end:
            raise ValueError(f"must be whole; {name} needs {end} bytes and has {len(raw)}")
        columns.append((name, np.frombuffer(raw[20 + letters : end], order + kind).astype(float)))
        raw = raw[end:]
    if len(columns) != 2:
        raise ValueError(f"must hold one ITK transform and its fixed parameters; got {len(columns)} variables")
    (name, parameters), (_, fixed) = columns
    return _itk_steps([(name, parameters, fixed)])


def _itk_hdf5(path: Path) -> list[Step]:
    try:
        import h5py
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f'{path}: reading ITK\'s .h5 needs h5py: pip install "volrender[transforms]"'
        ) from None
    try:
        file = h5py.File(path, "r")
    except OSError:
        raise ValueError("must be an HDF5 file with an ITK transform; it cannot be opened as one") from None
    with file:
        groups = _own(file, "TransformGroup")
        if groups is None:
            raise ValueError("must hold an ITK transform; it has no TransformGroup")
        return _itk_steps([_hdf5_part(_own(groups, key)) for key in sorted(groups, key=int)])


def _hdf5_part(group: Any) -> tuple[str, NDArray[Any], NDArray[Any]]:
    """Kind, parameters and fixed parameters of one transform; before version 5 ITK left the first "s" out."""
    kind = _hdf5_values(_own(group, "TransformType"), most=1)[0]
    parameters = (_own(group, f"Transform{what}", f"Tranform{what}") for what in ("Parameters", "FixedParameters"))
    return kind.decode(), *(_hdf5_values(data, 3 * MAX_VECTORS) for data in parameters)


def _own(group: Any, *names: str) -> Any:
    """The first of the names that a group has, in its own file; None if it has none."""
    name = next((name for name in names if name in group), None)
    if name is None:
        return None
    if type(group.get(name, getlink=True)).__name__ != "HardLink":
        raise ValueError(f"must hold its own numbers; {name} is a link")
    return group[name]


def _hdf5_values(data: Any, most: int) -> NDArray[Any]:
    """What a dataset holds, if the file does (it may claim more, or name other files); nothing for no dataset."""
    if data is None:
        return np.empty(0)
    if data.external or data.is_virtual:
        raise ValueError(f"must hold its own numbers; {data.name} names other files")
    if data.size > most or data.size * data.dtype.itemsize > capacity(data.id.get_storage_size(), GROWTH):
        raise ValueError(f"must be whole, with at most {most:,} parameters; it claims {data.size:,}")
    return np.ravel(data[()])


def _itk_steps(parts: Sequence[tuple[str, NDArray[Any], NDArray[Any]]]) -> list[Step]:
    """The steps of an ITK file: the first of a composite is the last that a point of the result goes back through."""
    if parts and parts[0][0].startswith("CompositeTransform"):
        parts = parts[1:]
    elif len(parts) > 1:
        raise ValueError(f"must hold one transform, or a CompositeTransform of several; got {len(parts)} side by side")
    if not parts:
        raise ValueError("must hold a transform; got none")
    return [_itk_step(*part) for part in parts]


def _itk_step(kind: str, parameters: NDArray[Any], fixed: NDArray[Any]) -> Step:
    name, _, dimensions = kind.partition("_")
    if dimensions and not dimensions.endswith("3_3"):
        raise ValueError(f"must be a transform in three dimensions; got {kind}")
    if name == "DisplacementFieldTransform":
        return _itk_field(parameters, fixed)
    linear = _itk_linear(name, parameters.astype(float), fixed.astype(float))
    if linear is None:
        raise ValueError(f"must be affine or a displacement field; got {kind}, which is neither")
    matrix, offset, center = linear
    pull = LPS @ affines.from_matvec(matrix, offset + center - matrix @ center) @ LPS
    return np.asarray(np.linalg.inv(affines.as_affine(pull)))


def _itk_linear(name: str, p: Floats, fixed: Floats) -> tuple[Floats, Floats, Floats] | None:
    """Matrix, translation and center of ITK's linear transforms; None for any other."""
    wanted = {"IdentityTransform": 0, "TranslationTransform": 3, "Euler3DTransform": 6, "VersorRigid3DTransform": 6}
    wanted |= {"Rigid3DTransform": 12, "Similarity3DTransform": 7, "AffineTransform": 12}
    wanted |= {"MatrixOffsetTransformBase": 12, "ScaleTransform": 3, "VersorTransform": 3}
    wanted |= {"ScaleVersor3DTransform": 9, "ScaleSkewVersor3DTransform": 15}
    if name not in wanted:
        return None
    if name != "IdentityTransform" and len(p) != wanted[name]:
        raise ValueError(f"must have {wanted[name]} parameters, as {name} has; got {len(p)}")
    center = fixed[:3] if len(fixed) >= 3 else np.zeros(3)
    if name == "IdentityTransform":
        return np.eye(3), np.zeros(3), np.zeros(3)
    if name == "TranslationTransform":
        return np.eye(3), p, np.zeros(3)
    if name == "ScaleTransform":
        return np.diag(p), np.zeros(3), center
    if len(p) == 12:
        return p[:9].reshape(3, 3), p[9:], center
    if name == "Euler3DTransform":
        x, y, z = (affines.rotation(a, math.degrees(t))[:3, :3] for a, t in zip("xyz", p[:3], strict=True))
        return (z @ y @ x if len(fixed) > 3 and fixed[3] else z @ x @ y), p[3:6], center
    matrix = _from_versor(p[:3])
    if name == "Similarity3DTransform":
        matrix = matrix * p[6]
    elif name.startswith("Scale"):  # ITK adds scales and skews to the rotation, it does not multiply
        matrix = matrix + np.diag(p[6:9] - 1)
        matrix[~np.eye(3, dtype=bool)] += p[9:] if len(p) > 9 else 0
    return matrix, p[3:6] if len(p) > 3 else np.zeros(3), center


def _from_versor(vector: Floats) -> Floats:
    """The rotation of a unit quaternion whose vector part is given."""
    x, y, z = vector
    w = math.sqrt(max(0.0, 1 - x * x - y * y - z * z))
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _itk_field(parameters: NDArray[Any], fixed: NDArray[Any]) -> Field:
    if len(fixed) != 18:
        raise ValueError(f"must describe the grid of its field in 18 numbers; got {len(fixed)}")
    size = tuple(int(n) for n in fixed[:3])
    if min(size) < 1 or parameters.size != 3 * math.prod(size):
        claimed = " x ".join(map(str, size))
        raise ValueError(f"must have a vector for each of {claimed} voxels; got {parameters.size:,} numbers")
    origin, spacing, direction = fixed[3:6], fixed[6:9], fixed[9:].reshape(3, 3)
    vectors = parameters.reshape(*size[::-1], 3).transpose(2, 1, 0, 3) * FROM_LPS
    return Field(vectors, LPS @ affines.from_matvec(direction * spacing, origin))
