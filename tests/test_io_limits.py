"""What lies or explodes costs one sentence, in under 2 s and 300 MB; a child process keeps the account."""

import bz2
import gzip
import json
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from test_io_dicom import dataset, enhanced, write
from test_io_metaimage import head as meta
from test_io_nrrd import head as nrrd
from test_io_tiff import imagej

AFFINE = np.diag([2.0, 2, 2, 1])
ZEROS = 320_000_000
SENTENCE = (ValueError.__name__, FileNotFoundError.__name__)
CHILD = """
import json, re, resource, sys, time, warnings
warnings.simplefilter("ignore")
import volrender as vr
vr.sample("motor")
for path in json.loads(sys.stdin.read()):
    start = time.process_time()
    try:
        told = repr(vr.load(path))
        kind = "volume"
    except Exception as error:
        told, kind = str(error), type(error).__name__
    seconds = time.process_time() - start
    try:  # ru_maxrss would count what the parent held before this program took its place
        kilobytes = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
    except OSError:
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    megabytes = kilobytes / 1024
    print(json.dumps([path, kind, told, seconds, megabytes]))
"""


def packed_zeros(count=ZEROS, start=b""):
    """A gzip stream that unpacks to a great many zeros: one packed block again and again."""
    packer, zeros = zlib.compressobj(9, wbits=-15), bytes(1 << 20)
    first, block = (packer.compress(part) + packer.flush(zlib.Z_FULL_FLUSH) for part in (start, zeros))
    check, blocks = zlib.crc32(start), count >> 20
    for _ in range(blocks):
        check = zlib.crc32(zeros, check)
    size = (len(start) + (blocks << 20)) & 0xFFFFFFFF
    end = packer.flush() + check.to_bytes(4, "little") + size.to_bytes(4, "little")
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + first + blocks * block + end


def forged(shape=(100_000,) * 3):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(10 + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.fixture(scope="module")
def bombs(tmp_path_factory):
    """Small files that claim or hold far more than they may."""
    folder = tmp_path_factory.mktemp("bombs")
    small = nib.Nifti1Image(np.zeros((8, 8, 8), np.uint8), AFFINE).to_bytes()
    gz = packed_zeros()
    huge = {"DimSize": "100000 100000 100000"}
    large = {"DimSize": "1000 1000 1000", "ElementType": "MET_UCHAR"}
    honest = nib.Nifti1Header()
    honest.set_data_dtype(np.uint8)
    honest.set_data_shape((1100, 1100, 1100))
    honest["vox_offset"], honest["sform_code"] = 352, 1
    honest.set_sform(AFFINE)
    wide = nib.Nifti2Header()
    wide.set_data_dtype(np.uint8)
    wide.set_data_shape((100_000,) * 3)
    surface = nib.MGHImage(np.zeros((2, 2, 2), np.uint8), AFFINE).header.binaryblock
    mgh = surface[:4] + np.array([100_000] * 3, ">i4").tobytes() + surface[16:] + bytes(1000)
    files = {
        "claim.nii": wide.binaryblock + bytes(1000),
        "claim.nii.gz": gzip.compress(wide.binaryblock + bytes(1000)),
        "claim.mgh": mgh,
        "claim.mgz": gzip.compress(mgh),
        "honest.nii.gz": packed_zeros(1100**3, honest.binaryblock + bytes(4)),
        "after.nii.gz": gzip.compress(small) + gz,
        "zeros.nii.gz": gz,
        "claim.nrrd": nrrd((100_000,) * 3).encode(),
        "half.nrrd": nrrd((1500, 1500, 1500), "uchar", "gzip").encode() + gz,
        "small.nrrd": nrrd((8, 8, 8), "uchar", "gzip").encode() + gz,
        "bz.nrrd": nrrd((1500, 1500, 1500), "uchar", "bzip2").encode() + bz2.compress(bytes(1000)),
        "long.nrrd": b"NRRD0004\n" + b"a" * 30_000_000,
        "claim.mha": meta(**huge),
        "half.mha": meta(**{**large, "DimSize": "1500 1500 1500"}, CompressedData=True) + gz,
        "small.mha": meta(DimSize="8 8 8", ElementType="MET_UCHAR", CompressedData=True) + gz,
        "long.mha": b"ObjectType = Image\n" + b"a" * 30_000_000,
        "claim.npz": b"",
        "bomb.npz": b"",
    }
    for name, body in files.items():
        (folder / name).write_bytes(body)
    with zipfile.ZipFile(folder / "claim.npz", "w") as bundle:
        bundle.writestr("data.npy", forged())
        bundle.writestr("affine.npy", forged((4, 4)) + AFFINE.tobytes())
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, start in (("z.nii", small), ("z.tif", b"II*\0"), ("z.dcm", bytes(128) + b"DICM"), ("z.x", b"")):
            with bundle.open(name, "w") as member:
                member.write(start)
                for _ in range(ZEROS >> 22):
                    member.write(bytes(1 << 22))
    with (
        zipfile.ZipFile(folder / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as bundle,
        bundle.open("data.npy", "w") as member,
    ):
        member.write(forged((8, 8, 8)) + bytes(ZEROS >> 1))
    with zipfile.ZipFile(folder / "bomb.npz", "a") as bundle:
        bundle.writestr("affine.npy", forged((4, 4)) + AFFINE.tobytes())
    frames = enhanced()
    frames.NumberOfFrames = 2_000_000_000
    write(folder / "claim.dcm", dataset(0, Rows=60_000, Columns=60_000))
    write(folder / "frames.dcm", frames)
    whole = write(folder / "cut.dcm", dataset(0)).read_bytes()
    (folder / "cut.dcm").write_bytes(whole[:-30])
    import tifffile

    path = imagej(folder / "claim.tif")
    tifffile.tiffcomment(path, tifffile.tiffcomment(path).replace("=5", "=2000000000"))
    (folder / "empty").mkdir()
    members = [f"{folder / 'all.zip'}!{name}" for name in ("z.nii", "z.tif", "z.dcm", "z.x")]
    return folder, [
        *(str(folder / name) for name in files),
        *members,
        *map(str, sorted(folder.glob("*.dcm"))),
        str(path),
        str(folder / "empty"),
    ]


def test_bombs_and_claims_cost_a_sentence(bombs):
    folder, paths = bombs
    child = subprocess.run(
        [sys.executable, "-c", CHILD], input=json.dumps(paths), capture_output=True, text=True, check=True
    )
    rows = [json.loads(line) for line in child.stdout.splitlines()]
    assert [row[0] for row in rows] == paths
    harmless = {"after.nii.gz", "small.nrrd", "small.mha", "all.zip!z.nii", "bomb.npz"}  # read up to their claim
    for path, kind, told, seconds, megabytes in rows:
        name = path.removeprefix(f"{folder}/")
        print(f"{name:16} {seconds:6.3f} s {megabytes:6.0f} MB  {kind}: {told.replace(str(folder), '')}")
        assert kind in (("volume",) if name in harmless else SENTENCE), (path, told)
        assert "\n" not in told
        assert kind == "volume" or name in told
        assert seconds < 2
        assert megabytes < 300


PEAK = """
import re, sys
import volrender as vr
vr.sample("motor")
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
before = peak()
data = vr.load(sys.argv[1]).data
print((peak() - before) * 1024 / data.nbytes)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc to ask for the memory")
@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_the_voxels_are_in_memory_once(tmp_path, name):
    data = np.zeros((200, 200, 400), np.float32)
    data[100] = np.random.default_rng(0).random((200, 400))
    nib.save(nib.Nifti1Image(data, AFFINE), tmp_path / name)
    child = subprocess.run([sys.executable, "-c", PEAK, tmp_path / name], capture_output=True, text=True, check=True)
    assert float(child.stdout) < 1.5
