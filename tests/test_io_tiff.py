import logging
import warnings
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from helpers import ramp, refuses

import volrender as vr

tifffile = pytest.importorskip("tifffile", reason="tifffile is not installed")
STACK = ramp((5, 4, 3), np.uint16)  # slices, rows, columns
DATA = STACK.transpose(2, 1, 0)
ASSUMED = (
    "has no anatomical space and no voxel size, so where it lies is a guess; "
    r"placed RPI with its middle at \(0, 0, 0\) mm, voxels of 1 x 1 x 1 mm; give affine="
)
pytestmark = pytest.mark.filterwarnings("ignore:.*has no anatomical space, so where it lies is a guess; placed RPI")


def imagej(path, stack=STACK, axes="ZYX", spacing=2.5, unit="micron", pixels=4.0):
    metadata = {"axes": axes, "spacing": spacing, "unit": unit}
    tifffile.imwrite(path, stack, imagej=True, resolution=(pixels, pixels / 2), metadata=metadata)
    return path


def ome(path, stack=STACK, axes="ZYX", **sizes):
    metadata = {"axes": axes, **{f"PhysicalSize{axis}": size for axis, size in sizes.items()}}
    tifffile.imwrite(path, stack, ome=True, metadata=metadata, photometric="minisblack")
    return path


def test_an_imagej_stack(tmp_path):
    volume = vr.load(imagej(tmp_path / "v.tif"))
    assert np.array_equal(volume.data, DATA)
    assert volume.spacing == pytest.approx((0.25e-3, 0.5e-3, 2.5e-3))
    assert volume.orientation == "RPI"
    assert np.allclose(volume.bounds.sum(axis=1), 0)
    assert volume.history[0] == "read v.tif, TIFF of ImageJ, uint16"
    assert "taken as RPI, as on a screen" in volume.history[1]


@pytest.mark.parametrize(
    ("unit", "mm"),
    [("um", 1e-3), ("\\u00B5m", 1e-3), ("mm", 1), ("nm", 1e-6), ("cm", 10), ("inch", 25.4)],
)
def test_units(tmp_path, unit, mm):
    assert vr.load(imagej(tmp_path / "v.tif", unit=unit)).spacing == pytest.approx((0.25 * mm, 0.5 * mm, 2.5 * mm))


def test_left_and_right_are_a_guess_that_is_told_once(tmp_path):
    path = imagej(tmp_path / "v.tif", unit="mm")
    with pytest.warns(UserWarning, match="v.tif: has no anatomical space, .* placed RPI with its middle") as caught:
        vr.load(path)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vr.load(path, affine=np.eye(4))


def test_without_a_unit_it_is_said(tmp_path):
    with pytest.warns(UserWarning, match=ASSUMED):
        assert vr.load(imagej(tmp_path / "v.tif", unit="pixel")).spacing == (1, 1, 1)
    tifffile.imwrite(tmp_path / "plain.tif", STACK, photometric="minisblack")
    with pytest.warns(UserWarning, match=ASSUMED) as caught:
        volume = vr.load(tmp_path / "plain.tif")
    assert caught[0].filename == __file__
    assert np.array_equal(volume.data, DATA)
    assert "voxels of 1 mm assumed" in volume.history
    affine = np.diag([2.0, 3, 4, 1])
    assert np.array_equal(vr.load(tmp_path / "plain.tif", affine=affine).affine, affine)


def test_ome(tmp_path):
    volume = vr.load(ome(tmp_path / "v.ome.tif", X=0.5, Y=0.25, Z=2))
    assert np.array_equal(volume.data, DATA)
    assert volume.spacing == pytest.approx((0.5e-3, 0.25e-3, 2e-3))
    assert (volume.name, volume.history[0]) == ("v", "read v.ome.tif, OME-TIFF, uint16")
    with pytest.warns(
        UserWarning, match="and no distance between slices, .* voxels of 0.0005 x 0.0005 x 0.0005 mm; give"
    ):
        vr.load(ome(tmp_path / "w.ome.tif", X=0.5, Y=0.5))


def test_ome_in_other_units(tmp_path):
    path = ome(tmp_path / "v.ome.tif", X=0.5, Y=0.25, Z=2)
    tifffile.tiffcomment(
        path, tifffile.tiffcomment(path).replace('PhysicalSizeX="0.5"', 'PhysicalSizeX="500" PhysicalSizeXUnit="nm"')
    )
    assert vr.load(path).spacing == pytest.approx((0.5e-3, 0.25e-3, 2e-3))


@pytest.mark.parametrize("write", [imagej, lambda path, stack, axes: ome(path, stack, axes, X=1, Y=1, Z=1)])
def test_time_and_channels(tmp_path, write):
    series = ramp((2, 5, 4, 3), np.uint16)
    volume = vr.load(write(tmp_path / "t.tif", series, axes="TZYX"))
    assert np.array_equal(volume.data, series.transpose(3, 2, 1, 0))
    both = ramp((5, 2, 4, 3), np.uint16)
    path = write(tmp_path / "c.tif", both, axes="ZCYX")
    refuses(ValueError, lambda: vr.load(path), "has 2 channels", "choose one with series=0 to series=1")
    volume = vr.load(path, series=1)
    assert np.array_equal(volume.data, both[:, 1].transpose(2, 1, 0))
    assert "channel 1 of 2" in volume.history
    refuses(ValueError, lambda: vr.load(path, series=2), "series= must be a channel, 0 to 1; got 2")
    refuses(ValueError, lambda: vr.load(tmp_path / "t.tif", series=0), "has one channel")


def test_channels_are_named(tmp_path):
    both = ramp((2, 5, 4, 3), np.uint16)
    metadata = {"axes": "CZYX", "Channel": {"Name": ["DAPI", "GFP"]}}
    tifffile.imwrite(tmp_path / "c.ome.tif", both, ome=True, metadata=metadata, photometric="minisblack")
    refuses(ValueError, lambda: vr.load(tmp_path / "c.ome.tif"), "has 2 channels (DAPI, GFP)")


@pytest.mark.filterwarnings("ignore:.*and no voxel size")
def test_colors(tmp_path):
    colors = ramp((5, 4, 3, 3), np.uint8)
    tifffile.imwrite(tmp_path / "c.tif", colors, photometric="rgb")
    volume = vr.load(tmp_path / "c.tif")
    assert volume.kind == "rgb"
    assert np.array_equal(volume.data, colors.transpose(2, 1, 0, 3))
    tifffile.imwrite(tmp_path / "w.tif", colors.astype(np.uint16) * 257, photometric="rgb")
    assert np.array_equal(vr.load(tmp_path / "w.tif").data, volume.data)
    tifffile.imwrite(tmp_path / "o.ome.tif", colors, photometric="rgb", ome=True, metadata={"axes": "ZYXS"})
    assert np.array_equal(vr.load(tmp_path / "o.ome.tif").data, volume.data)
    tifffile.imwrite(tmp_path / "one.tif", colors[0], photometric="rgb")
    assert vr.load(tmp_path / "one.tif").shape == (3, 4, 1, 3)
    refuses(ValueError, lambda: vr.load(tmp_path / "c.tif", kind="intensity"), "holds colors; its kind must be 'rgb'")


@pytest.mark.filterwarnings("ignore:.*and no voxel size")
@pytest.mark.parametrize(
    "options", [{"compression": "zlib"}, {"bigtiff": True}, {"byteorder": ">"}, {"tile": (16, 16)}]
)
def test_ways_to_store(tmp_path, options):
    path = tmp_path / "v.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack", **options)
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.write(path, "v.tif")
    for source in (path, path.read_bytes(), f"{tmp_path / 'all.zip'}!v.tif"):
        volume = vr.load(source)
        assert np.array_equal(volume.data, DATA)
        assert volume.data.dtype == np.uint16


def changed(path, old, new):
    """The same file with another comment."""
    tifffile.tiffcomment(path, tifffile.tiffcomment(path).replace(old, new))
    return path


def test_entities_are_not_expanded(tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><OME'
    path = changed(ome(tmp_path / "v.ome.tif"), "<OME", bomb)
    refuses(ValueError, lambda: vr.load(path), "v.ome.tif: must have OME-XML without a document type")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('SizeZ="5"', 'SizeZ="6"', "must hold all its planes; its OME-XML claims 6 planes of 3 x 4, the file holds 5"),
        ('SizeZ="5"', 'SizeZ="100000"', "must hold all its planes"),
        ('SizeX="3"', 'SizeX="100000"', "must hold all its planes"),
        ('SizeZ="5"', 'SizeZ="10000000000000000000"', "must have at most"),
        ('SizeZ="5"', 'SizeZ="-5"', "must have planes in its OME-XML"),
        ('SizeZ="5"', 'SizeZ="five"', "must have its sizes and their order"),
        ("<Pixels", "<Pxls", "must have whole OME-XML"),
        ('IFD="0"', 'IFD="3"', "must hold all its planes; its OME-XML places some elsewhere"),
        ('PlaneCount="5"', 'PlaneCount="2"', "must hold all its planes; its OME-XML places some elsewhere"),
    ],
)
def test_ome_that_lies(tmp_path, old, new, says):
    refuses(ValueError, lambda: vr.load(changed(ome(tmp_path / "v.ome.tif"), old, new)), "v.ome.tif: ", says)


def test_a_plane_count_beyond_all_bounds_is_cut(tmp_path):
    path = changed(ome(tmp_path / "v.ome.tif", X=1, Y=1, Z=1), 'PlaneCount="5"', 'PlaneCount="1000000000000"')
    assert np.array_equal(vr.load(path).data, DATA)


def test_planes_in_another_order(tmp_path):
    path = ome(tmp_path / "v.ome.tif", X=1, Y=1, Z=1)
    planes = "".join(f'<TiffData IFD="{4 - z}" FirstZ="{z}"/>' for z in range(5))
    changed(path, '<TiffData IFD="0" PlaneCount="5"/>', planes)
    assert np.array_equal(vr.load(path).data, DATA[..., ::-1])


@pytest.mark.filterwarnings("ignore:.*and no voxel size")
@pytest.mark.parametrize(("old", "new"), [("images=5", "images=5000000"), ("slices=5", "slices=5000000")])
def test_imagej_that_lies(tmp_path, old, new):
    path = changed(imagej(tmp_path / "v.tif"), old, new)
    with suppress(ValueError):
        assert vr.load(path).data.nbytes <= path.stat().st_size


def plain(path, **options):
    tifffile.imwrite(path, STACK, photometric="minisblack", **options)
    return path


def sized(path):
    return ome(path, X=1, Y=1, Z=1)


def packed(path):
    return plain(path, compression="zlib", metadata=None)


@pytest.mark.filterwarnings("ignore:.*and no voxel size")
@pytest.mark.parametrize("write", [imagej, sized, plain, packed, lambda path: plain(path, bigtiff=True)])
def test_cut_short(tmp_path, write, caplog):
    """Wherever it is cut, it is refused, if it is not whole as it is; and tifffile says nothing beside."""
    whole = write(tmp_path / "whole.tif").read_bytes()
    path = tmp_path / "v.tif"
    for keep in range(4, len(whole), 7):
        path.write_bytes(whole[:keep])
        volume = None
        with suppress(ValueError):
            volume = vr.load(path)
        if volume is None:
            refuses(ValueError, lambda: vr.load(path), f"{path}: ")
        else:
            assert np.array_equal(volume.data, DATA)
    assert not caplog.records


def test_cut_short_it_says_where(tmp_path):
    path = tmp_path / "v.tif"
    whole = imagej(path).read_bytes()
    with tifffile.TiffFile(path) as tif:
        second = tif.pages[1].offset
    for keep, says in ((second, "it ends before its page 2"), (second + 4, "its page 2 is cut short")):
        path.write_bytes(whole[:keep])
        refuses(ValueError, lambda: vr.load(path), f"v.tif: must be whole; {says}")
    tifffile.imwrite(path, STACK[:1], metadata=None, compression="zlib")
    path.write_bytes(path.read_bytes()[:-1])
    refuses(ValueError, lambda: vr.load(path), "v.tif: must be whole; it ends before the pixels of its page 1")


def test_fewer_images_than_imagej_claims(tmp_path):
    path = changed(imagej(tmp_path / "v.tif"), "images=5", "images=9")
    refuses(ValueError, lambda: vr.load(path), "v.tif: must be whole; its ImageJ header claims 9 images, it has 5")


def test_the_log_of_tifffile_is_its_own_again(tmp_path, caplog):
    vr.load(imagej(tmp_path / "v.tif", unit="mm"))
    logging.getLogger("tifffile").error("heard")
    assert caplog.messages == ["heard"]


def test_a_picture_that_is_far_too_large(tmp_path):
    path = tmp_path / "v.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as tif:
        for page in tif.pages:
            page.tags["ImageWidth"].overwrite(100_000)
            page.tags["ImageLength"].overwrite(60_000)
    refuses(ValueError, lambda: vr.load(path), "v.tif: must")
