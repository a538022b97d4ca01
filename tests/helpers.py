"""Random places in the world, small volumes to put there, and what an error message must look like."""

import zlib
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from volrender import Volume

CODES = ["".join(letters) for order in permutations(("RL", "AP", "SI")) for letters in product(*order)]
SHAPES = st.tuples(*[st.integers(1, 7)] * 3)


def storage_affine(code, spacing=(1, 1, 1), origin=(0, 0, 0)):
    """The affine of a volume whose index axes run to the letters of `code`."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, letter in enumerate(code):
        world = next(w for w, pair in enumerate(("RL", "AP", "SI")) if letter in pair)
        affine[world, axis] = spacing[axis] * (1 if letter in "RAS" else -1)
    affine[:3, 3] = origin
    return affine


@st.composite
def affines(draw, tilt=180.0, shear=0.3):
    """Any storage order, rotated by up to `tilt` degrees about each axis, sheared, anisotropic, anywhere."""
    small = st.floats(-1, 1, allow_nan=False, width=32)
    spacing = draw(st.tuples(*[st.floats(0.25, 6, width=32)] * 3))
    turn = Rotation.from_euler("xyz", np.array(draw(st.tuples(small, small, small))) * tilt, degrees=True)
    lean = np.eye(3)
    lean[np.triu_indices(3, 1)] = np.array(draw(st.tuples(small, small, small))) * shear
    affine = storage_affine(draw(st.sampled_from(CODES)), spacing)
    affine[:3, :3] = turn.as_matrix() @ lean @ affine[:3, :3]
    affine[:3, 3] = draw(st.tuples(*[st.floats(-200, 200, width=32)] * 3))
    return affine


def ramp(shape, dtype=np.int32):
    """Every voxel has its own value, from 1."""
    return np.arange(1, np.prod(shape) + 1).astype(dtype).reshape(shape)


def ball(size=20, radius=6.0, spacing=1.0):
    """A bright ball in air, centred on the world's origin."""
    grid = np.indices((size,) * 3) - (size - 1) / 2
    affine = np.diag([spacing] * 3 + [1.0])
    affine[:3, 3] = -spacing * (size - 1) / 2
    return Volume(np.where((grid**2).sum(axis=0) <= radius**2, 100.0, 0.0), affine, name="ball")


def placed(volume):
    """Every voxel as (x, y, z, value), sorted: what a lossless change of storage leaves as it was."""
    data, affine = np.asarray(volume.data, dtype=float), volume.affine
    ijk = np.indices(data.shape[:3]).reshape(3, -1).T
    rows = np.column_stack([ijk @ affine[:3, :3].T + affine[:3, 3], data.reshape(len(ijk), -1)])
    return rows[np.lexsort(np.round(rows, 4).T)]


def rotten(data, container=31):
    """Voxels stored without compression, one of them changed afterwards: only the checksum tells."""
    packer = zlib.compressobj(0, zlib.DEFLATED, container)
    packed = bytearray(packer.compress(data) + packer.flush())
    packed[-20] ^= 0xFF
    return bytes(packed)


def refuses(kind, call, *said):
    """`call` must raise a `kind` in one line that says all of `said`."""
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert message
    for words in said:
        assert str(words) in message, message
    return message


def tilted(count, seed=0, spacing=(1.8, 3.6)):
    """A fixed choice of affines of every sort, centred on the world's origin for a volume of 24 x 24 x 24."""
    rng = np.random.default_rng(seed)
    chosen = []
    for n in range(count):
        affine = storage_affine(CODES[rng.integers(48)], rng.uniform(*spacing, size=3))
        lean = np.eye(3)
        lean[np.triu_indices(3, 1)] = rng.uniform(-0.3, 0.3, size=3) * (n % 3 > 0)
        turn = Rotation.from_euler("xyz", rng.uniform(-180, 180, size=3), degrees=True)
        affine[:3, :3] = turn.as_matrix() @ lean @ affine[:3, :3]
        affine[:3, 3] = -affine[:3, :3] @ [11.5, 11.5, 11.5]
        chosen.append(affine)
    return chosen


def hill(affine, center=(0, 0, 0), reach=40.0, shape=(24, 24, 24), peak=100.0):
    """A volume that falls from `peak` at a world point to 0 at `reach` mm from it: its level sets are known spheres."""
    xyz = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    distance = np.linalg.norm(xyz - np.asarray(center, dtype=float), axis=-1)
    return Volume(np.clip(peak * (1 - distance / reach), 0, None), affine, name="hill")
