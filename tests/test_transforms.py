"""A marker at a known place must land where the program that wrote the transform would put it."""

import struct

import nibabel as nib
import numpy as np
import pytest
from helpers import affines, ball, ramp, refuses, tilted
from hypothesis import given

import volrender as vr
from volrender import Transform, Volume, space
from volrender.fields import Field

EYE = np.eye(4)
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
MOVE = space.translation(4, -6, 8) @ space.euler(10, -20, 30) @ space.zooms(1.1, 0.9, 1.05) @ space.shears(0.05, 0, 0.1)
POINTS = np.array([[0, 0, 0], [10, 0, 0], [0, 20, 0], [0, 0, 30], [-7, 8, -9.0]])


@pytest.fixture(scope="module")
def sitk():
    return pytest.importorskip("SimpleITK", reason='SimpleITK is absent: pip install "volrender[registration]"')


def smooth_field(shape=(20, 22, 18), spacing=(3, 3, 4)):
    """A gentle field on a grid around the origin."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    x, y, z = np.moveaxis(space.apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1)), -1, 0)
    return Field(np.stack([4 * np.sin(y / 15), 3 * np.cos(z / 18), 2 * np.sin(x / 12)], axis=-1), affine)


def back_to_fixed(itk_transform, points_ras):
    """What ITK does with points: from fixed to moving, in LPS."""
    flip = np.array([-1, -1, 1])
    return np.array([itk_transform.TransformPoint((p * flip).tolist()) for p in points_ras]) * flip


# What a transform is


@given(affines(), affines())
def test_matrices_compose_as_matrices_do(first, second):
    both = Transform(first, second)
    assert np.allclose(both.matrix, second @ first)
    assert np.allclose((Transform(second) @ Transform(first)).matrix, both.matrix)
    assert np.allclose((second @ Transform(first)).matrix, both.matrix)
    assert np.allclose(both.inverse.apply(both.apply(POINTS)), POINTS, atol=1e-6)
    assert np.allclose(both.pull(both.apply(POINTS)), POINTS, atol=1e-6)


def test_none_is_the_identity():
    assert Transform().is_affine
    assert np.array_equal(Transform().apply(POINTS), POINTS)
    assert repr(Transform(MOVE, smooth_field())) == "<Transform 4x4 matrix, displacement field: affine, then field>"


def test_a_field_pushes_and_pulls():
    both = Transform(MOVE, smooth_field())
    assert np.allclose(both.pull(both.apply(POINTS)), POINTS, atol=0.01)
    refuses(ValueError, lambda: both.inverse, "is a field of its own", "1InverseWarp.nii.gz")
    refuses(ValueError, lambda: both.matrix, "a displacement field has no matrix")


def test_a_folded_field_has_no_answer_there():
    vectors = np.zeros((21, 3, 3, 3))
    vectors[..., 0] = -3 * (np.arange(21) - 10)[:, None, None]
    folded = Transform(Field(vectors, space.translation(-10, -1, -1)))
    assert np.isnan(folded.apply((4, 0, 0))).all()


def test_a_transform_does_not_change():
    mine = np.zeros((2, 2, 2, 3))
    field = Field(mine, EYE)
    mine += 1
    assert not field.vectors.any()
    refuses(ValueError, lambda: field.vectors.__setitem__(0, 1), "read-only")
    refuses(ValueError, lambda: Transform(EYE).matrix.__setitem__(0, 1), "read-only")
    refuses(AttributeError, lambda: setattr(Transform(), "steps", ()), "steps")


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        (np.eye(3), ValueError, "must be 4x4; got shape (3, 3)"),
        (np.zeros((4, 4)), ValueError, "last row"),
        (object(), TypeError, "a transform must be a 4x4 matrix, a path or a Transform; got <object"),
        ("nowhere.mat", FileNotFoundError, "nowhere.mat: no such file"),
        (".", ValueError, "must be a file; it is a folder"),
    ],
)
def test_what_is_given_is_checked(given, kind, says):
    refuses(kind, lambda: Transform(given), says)


@pytest.mark.parametrize(
    ("vectors", "says"),
    [(np.zeros((2, 2, 3)), "shape (i, j, k, 3); got (2, 2, 3)"), (np.full((2, 2, 2, 3), np.nan), "must be finite")],
)
def test_a_field_is_checked(vectors, says):
    refuses(ValueError, lambda: Field(vectors, EYE), says)


# Moving volumes


def test_affines_move_the_affine_and_sample_nothing():
    volume = Volume(ramp((3, 4, 5)), tilted(1)[0], name="one")
    moved = volume.transform(MOVE, space.rotation("x", 90))
    assert np.shares_memory(moved.data, volume.data)
    assert np.allclose(moved.affine, space.rotation("x", 90) @ MOVE @ volume.affine)
    assert moved.history == ("transform(4x4 matrix, 4x4 matrix)",)


def test_a_marker_lands_where_the_chain_sends_it():
    at = np.array([3.0, -4.0, 6.0])
    field = smooth_field()
    grid = Volume(np.zeros((60, 60, 60)), space.translation(-30, -30, -30), name="grid")
    xyz = space.apply_affine(grid.affine, np.moveaxis(np.indices(grid.shape), 0, -1))
    marker = Volume(np.exp(-((xyz - at) ** 2).sum(-1) / 18), grid.affine)
    for transform in (Transform(MOVE), Transform(field), Transform(MOVE, field), Transform(field, MOVE)):
        moved = marker.resample_to(grid, transform).data
        found = np.average(xyz.reshape(-1, 3), axis=0, weights=np.where(moved > 0.5, moved, 0).ravel())
        assert np.abs(found - transform.apply(at)).max() < 0.5


def test_the_data_are_sampled_once():
    volume, field = ball(24), smooth_field()
    there_and_back = volume.resample_to(volume, Transform(MOVE, np.linalg.inv(MOVE)))
    assert np.allclose(there_and_back.data[1:-1, 1:-1, 1:-1], volume.data[1:-1, 1:-1, 1:-1], atol=1e-4)
    chained = volume.resample_to(volume, Transform(field, MOVE))
    twice = volume.transform(field).transform(MOVE).resample_to(volume)
    exact = Transform(field, MOVE).pull(space.apply_affine(volume.affine, np.moveaxis(np.indices(volume.shape), 0, -1)))
    assert np.allclose(chained.data, values_at(volume, exact), atol=1e-3)
    assert np.abs(twice.data - chained.data).max() > 1
    assert volume.transform(field).history == ("transform(displacement field)",)


def values_at(volume, points):
    from scipy.ndimage import map_coordinates

    index = np.moveaxis(space.apply_affine(np.linalg.inv(volume.affine), points), -1, 0)
    return map_coordinates(volume.data, index, order=1)


def test_a_field_invents_no_label_and_takes_every_frame():
    labels = Volume((ramp((8, 8, 8)) % 5) * 1000, space.translation(-4, -4, -4), "labels")
    moved = labels.transform(smooth_field())
    assert set(np.unique(moved.data)) <= set(np.unique(labels.data))
    assert moved.data.dtype == labels.data.dtype
    series = Volume(ramp((6, 6, 6, 3), np.int16), space.translation(-3, -3, -3))
    assert np.array_equal(series.transform(smooth_field()).data[..., 1], series.frame(1).transform(smooth_field()).data)


def test_large_grids_are_filled_in_slabs(monkeypatch):
    volume, field = ball(), smooth_field()
    whole = volume.transform(field).data
    monkeypatch.setattr("volrender.transforms.POINTS_AT_ONCE", 1000)
    assert np.array_equal(volume.transform(field).data, whole)


def test_the_space_is_that_of_the_last_step():
    known, other = Transform(MOVE).named("a", "MNI152"), Transform(smooth_field()).named("b", "scanner")
    assert (Transform().space, Transform(MOVE).space, known.space) == ("", "", "MNI152")
    assert Transform(MOVE, known).space == (known @ MOVE).space == "MNI152"
    assert Transform(known, MOVE).space == known.inverse.space == ""
    assert Transform(known, other).space == "scanner"
    assert Transform(known, Transform()).space == known.named("c").space == "MNI152"


def test_what_is_moved_is_where_the_transform_leads():
    volume, known = ball(), Transform(smooth_field()).named("found", "MNI152")
    volume = Volume(volume.data, volume.affine, space="scanner")
    target = Volume(volume.data, volume.affine, space="talairach")
    assert volume.transform(MOVE).space == volume.transform(smooth_field()).space == volume.transform(known, EYE).space
    assert volume.transform(MOVE).space == ""
    assert volume.transform(MOVE, known).space == "MNI152"
    assert volume.transform().space == volume.transform(Transform()).space == "scanner"
    assert volume.resample_to(target).space == "scanner"
    assert volume.resample_to(target, MOVE).space == volume.resample_to(target, smooth_field()).space == "talairach"
    assert volume.resample_to(target, known).space == "MNI152"


# Plain matrices, FSL, FreeSurfer


@pytest.mark.parametrize("name", ["m.txt", "m.npy", "m.xfm.txt"])
def test_a_plain_matrix_takes_the_volume_to_where_it_goes(tmp_path, name):
    path = tmp_path / name
    np.save(path, MOVE) if name.endswith("npy") else np.savetxt(path, MOVE, header="world to world")
    moved = ball().transform(path)
    assert np.allclose(moved.affine, MOVE @ ball().affine)
    assert moved.history == (f"transform({name})",)


@pytest.mark.parametrize("sides", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_fsl_measures_from_the_radiological_corner(tmp_path, sides):
    """Two grids of either handedness; flirt's matrix is the identity where their FSL corners meet."""
    moving = Volume(np.zeros((10, 12, 14)), space.translation(5, 6, 7) @ np.diag([2 * sides[0], 2, 2, 1]))
    fixed = Volume(np.zeros((20, 24, 28)), space.translation(-9, 3, 1) @ np.diag([1 * sides[1], 1, 1, 1]))
    np.savetxt(tmp_path / "omat.mat", space.translation(x=3))
    move = Transform.fsl(tmp_path / "omat.mat", moving, fixed)
    ijk = np.array([2.0, 3, 4])
    mm = ijk * 2 if sides[0] < 0 else np.array([(9 - ijk[0]) * 2, *ijk[1:] * 2])
    mm = mm + (3, 0, 0)
    there = mm if sides[1] < 0 else np.array([19 - mm[0], *mm[1:]])
    assert np.allclose(move.apply(space.apply_affine(moving.affine, ijk)), space.apply_affine(fixed.affine, there))
    assert repr(move) == "<Transform omat.mat: affine>"


def test_fsl_is_as_nitransforms_reads_it(tmp_path):
    io = pytest.importorskip("nitransforms.io", reason="nitransforms is absent")
    moving, fixed = (Volume(np.zeros((10, 12, 14)), affine) for affine in tilted(4)[1:3])
    np.savetxt(tmp_path / "omat.mat", MOVE)
    theirs = io.fsl.FSLLinearTransform.from_filename(tmp_path / "omat.mat").to_ras(
        moving=nib.Nifti1Image(moving.data, moving.affine), reference=nib.Nifti1Image(fixed.data, fixed.affine)
    )
    ours = Transform.fsl(tmp_path / "omat.mat", moving, fixed)
    assert np.allclose(ours.pull(POINTS), space.apply_affine(theirs, POINTS), atol=1e-3)


def lta(kind, matrix, source, destination):
    def geometry(which, shape, affine):
        step = space.spacing(affine)
        rows = (affine[:3, :3] / step).T
        center = space.apply_affine(affine, np.array(shape) / 2)
        said = [f"{which} volume info", "valid = 1  # volume info valid", f"filename = {which}.mgz"]
        said += [f"volume = {' '.join(map(str, shape))}", f"voxelsize = {' '.join(map(str, step))}"]
        named = zip(("xras", "yras", "zras", "cras"), (*rows, center))
        return [*said, *(f"{name}   = {' '.join(map(str, row))}" for name, row in named)]

    head = ["# transform file", f"type      = {kind}", "nxforms   = 1", "mean      = 0.0 0.0 0.0", "sigma     = 1.0"]
    body = ["1 4 4", *(" ".join(f"{n:.15e}" for n in row) for row in matrix)]
    return "\n".join([*head, *body, *geometry("src", *source), *geometry("dst", *destination), "subject x", ""])


def test_freesurfer_goes_from_source_to_destination(tmp_path):
    here, there = tilted(3)[1:]
    (tmp_path / "ras.lta").write_text(lta(1, MOVE, ((9, 8, 7), here), ((5, 6, 7), there)))
    assert np.allclose(Transform(tmp_path / "ras.lta").apply(POINTS), space.apply_affine(MOVE, POINTS))
    voxels = np.linalg.inv(there) @ MOVE @ here
    (tmp_path / "vox.lta").write_text(lta(0, voxels, ((9, 8, 7), here), ((5, 6, 7), there)))
    assert np.allclose(Transform(tmp_path / "vox.lta").apply(POINTS), space.apply_affine(MOVE, POINTS))
    io = pytest.importorskip("nitransforms.io", reason="nitransforms is absent")
    for name in ("ras.lta", "vox.lta"):
        theirs = io.lta.FSLinearTransform.from_filename(tmp_path / name).to_ras()
        assert np.allclose(Transform(tmp_path / name).pull(POINTS), space.apply_affine(theirs, POINTS), atol=1e-3), name


# ITK and ANTs


def itk_affine(sitk, kind):
    free = ("AffineTransform", "TranslationTransform", "ScaleTransform")
    made = getattr(sitk, kind)(3) if kind in free else getattr(sitk, kind)()
    if kind == "Transform":
        return made
    rng = np.random.default_rng(0)
    parameters = np.array(made.GetParameters())
    made.SetParameters((parameters + rng.uniform(-0.3, 0.3, len(parameters))).tolist())
    if hasattr(made, "SetCenter"):
        made.SetCenter((7.0, -8.0, 9.0))
    return made


@pytest.mark.parametrize("ending", ["tfm", "txt", "mat", "h5"])
@pytest.mark.parametrize(
    "kind",
    [
        "AffineTransform",
        "Euler3DTransform",
        "VersorRigid3DTransform",
        "Similarity3DTransform",
        "TranslationTransform",
        "ScaleTransform",
        "ScaleVersor3DTransform",
        "ScaleSkewVersor3DTransform",
        "VersorTransform",
        "Transform",
    ],
)
def test_itk_goes_back_from_fixed_to_moving(tmp_path, sitk, kind, ending):
    if ending == "h5":
        pytest.importorskip("h5py", reason='h5py is absent: pip install "volrender[transforms]"')
    made, path = itk_affine(sitk, kind), tmp_path / f"t.{ending}"
    sitk.WriteTransform(made, str(path))
    read = Transform(path)
    assert np.allclose(read.pull(POINTS), back_to_fixed(made, POINTS), atol=1e-5)
    assert np.allclose(read.apply(back_to_fixed(made, POINTS)), POINTS, atol=1e-5)


def test_itk_euler_in_the_other_order(tmp_path, sitk):
    made = itk_affine(sitk, "Euler3DTransform")
    made.SetComputeZYX(True)
    sitk.WriteTransform(made, str(tmp_path / "t.tfm"))
    assert np.allclose(Transform(tmp_path / "t.tfm").pull(POINTS), back_to_fixed(made, POINTS))


def itk_field(sitk, field):
    grid = LPS @ field.affine
    vectors = (field.vectors * [-1, -1, 1]).transpose(2, 1, 0, 3).astype(float)
    image = sitk.GetImageFromArray(vectors, isVector=True)
    image.SetSpacing(space.spacing(grid).tolist())
    image.SetDirection((grid[:3, :3] / space.spacing(grid)).ravel().tolist())
    image.SetOrigin(grid[:3, 3].tolist())
    return image


@pytest.mark.parametrize("ending", ["nii.gz", "nii", "mha", "mhd", "nrrd", "nhdr", "tfm", "h5"])
def test_displacement_fields_as_itk_and_ants_write_them(tmp_path, sitk, ending):
    field = smooth_field((6, 7, 5), (9, 8, 10))
    image, path = itk_field(sitk, field), tmp_path / f"1Warp.{ending}"
    if ending in ("nrrd", "nhdr"):
        pytest.importorskip("nrrd", reason="pynrrd is absent")
    if ending == "h5":
        pytest.importorskip("h5py", reason='h5py is absent: pip install "volrender[transforms]"')
    made = sitk.DisplacementFieldTransform(sitk.Image(image))
    if ending in ("tfm", "h5"):
        sitk.WriteTransform(made, str(path))
    else:
        sitk.WriteImage(image, str(path))
    points = np.vstack([POINTS, np.random.default_rng(0).uniform(-20, 20, (50, 3)), [[500, 0, 0]]])
    assert np.allclose(Transform(path).pull(points), back_to_fixed(made, points), atol=1e-4)


@pytest.mark.parametrize("ending", ["mha", "nrrd"])
def test_images_that_are_no_fields(tmp_path, sitk, ending):
    path = tmp_path / f"v.{ending}"
    for image in (sitk.Image(3, 4, 5, sitk.sitkFloat32), sitk.Image([3, 4, 5], sitk.sitkVectorInt16, 3)):
        sitk.WriteImage(image, str(path))
        refuses(ValueError, lambda: Transform(path), f"{path}: must hold three floating-point numbers a voxel")


def test_fields_in_another_space_or_unit(tmp_path, sitk):
    image = itk_field(sitk, smooth_field((6, 7, 5), (9, 8, 10)))
    swaps = {
        "v.nrrd": (b"left-posterior-superior", b"right-anterior-superior", "in LPS and mm; its header says right-ant"),
        "v.mha": (b"ElementSpacing", b"DistanceUnits = um\nElementSpacing", "in mm; its DistanceUnits are um"),
    }
    for name, (old, new, says) in swaps.items():
        sitk.WriteImage(image, str(tmp_path / name))
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes().replace(old, new))
        refuses(ValueError, lambda name=name: Transform(tmp_path / name), "must be a displacement field", says)


@pytest.mark.parametrize("ending", ["tfm", "h5"])
def test_a_composite_is_in_itks_order(tmp_path, sitk, ending):
    if ending == "h5":
        pytest.importorskip("h5py", reason='h5py is absent: pip install "volrender[transforms]"')
    field = smooth_field((6, 7, 5), (9, 8, 10))
    parts = [itk_affine(sitk, "AffineTransform"), sitk.DisplacementFieldTransform(itk_field(sitk, field))]
    made = sitk.CompositeTransform([*parts, itk_affine(sitk, "Euler3DTransform")])
    sitk.WriteTransform(made, str(tmp_path / f"c.{ending}"))
    read = Transform(tmp_path / f"c.{ending}")
    assert np.allclose(read.pull(POINTS), back_to_fixed(made, POINTS), atol=1e-3)


def test_a_volume_lands_where_antsapplytransforms_puts_it(tmp_path, sitk):
    """ANTs's pair of files, and ITK's own resampling of the moving image onto the fixed grid."""
    fixed = Volume(np.zeros((24, 26, 22)), space.translation(-24, -26, -22) @ np.diag([2.0, 2, 2, 1]))
    moving = ball(30, 8.0, 1.5)
    affine, field = itk_affine(sitk, "Euler3DTransform"), smooth_field()
    sitk.WriteTransform(affine, str(tmp_path / "0GenericAffine.mat"))
    sitk.WriteImage(itk_field(sitk, field), str(tmp_path / "1Warp.nii.gz"))
    both = sitk.CompositeTransform([affine, sitk.DisplacementFieldTransform(itk_field(sitk, field))])
    images = []
    for volume in (moving, fixed):
        grid = LPS @ volume.affine
        image = sitk.GetImageFromArray(volume.data.transpose(2, 1, 0))
        image.SetSpacing(volume.spacing)
        image.SetDirection((grid[:3, :3] / volume.spacing).ravel().tolist())
        image.SetOrigin(grid[:3, 3].tolist())
        images.append(image)
    theirs = sitk.GetArrayFromImage(sitk.Resample(*images, both, sitk.sitkLinear)).transpose(2, 1, 0)
    ours = moving.resample_to(fixed, Transform(tmp_path / "0GenericAffine.mat", tmp_path / "1Warp.nii.gz"))
    assert ours.history[-1] == "resample_to(target, 0GenericAffine.mat, 1Warp.nii.gz)"
    assert theirs.max() > 50
    assert np.allclose(ours.data, theirs, atol=0.01)


# SPM, and those who write other things in files of the same shape


def five_axes(path, vectors, affine, name="", about="", code=1007):
    """A NIfTI file of vectors, i x j x k x 1 x 3."""
    image = nib.Nifti1Image(np.asarray(vectors, np.float32)[:, :, :, None, :], affine)
    image.header["intent_code"], image.header["intent_name"], image.header["descrip"] = code, name, about
    nib.save(image, path)
    return path


@pytest.mark.parametrize(
    ("name", "about"),
    [("Mapping", ""), ("Mapping", "Deformation"), ("", "Deformation field"), ("", "Inverse deformation")],
)
@pytest.mark.parametrize("affine", tilted(3))
def test_spm_writes_places_and_not_displacements(tmp_path, affine, name, about):
    """A mapping of every voxel to itself moves nothing; one to where it came from by a matrix is the matrix."""
    here = space.apply_affine(affine, np.moveaxis(np.indices((24, 24, 24)), 0, -1))
    identity = Transform(five_axes(tmp_path / "y_same.nii", here, affine, name, about))
    points = POINTS / 3
    assert np.abs(identity.pull(points) - points).max() < 1e-4
    for matrix in (space.translation(5, -7, 3), MOVE):
        came_from = space.apply_affine(np.linalg.inv(matrix), here)
        moved = Transform(five_axes(tmp_path / "y_T1.nii", came_from, affine, name, about))
        assert np.abs(moved.pull(points) - Transform(matrix).pull(points)).max() < 1e-4


def test_spm_brings_a_volume_to_its_template(tmp_path):
    volume, shift = ball(24, 6.0), space.translation(3, -2, 1)
    here = space.apply_affine(volume.affine, np.moveaxis(np.indices(volume.shape), 0, -1))
    path = five_axes(tmp_path / "y_T1.nii", here - (3, -2, 1), volume.affine, "Mapping", "Deformation")
    ours, plain = (volume.resample_to(volume, move).data for move in (path, shift))
    assert np.allclose(ours, plain, atol=1e-2)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"name": "NREG_TRANS"}, "it is a transform of NiftyReg's (NREG_TRANS)"),
        ({"about": "Flow Field"}, "it is DARTEL's (Flow Field)"),
        ({"about": "Velocity (0 1)"}, "it is DARTEL's (Velocity (0 1))"),
        *(({"code": code}, "it is a warp of FSL's") for code in (2006, 2007, 2008, 2009)),
    ],
)
def test_vectors_that_mean_something_else_are_refused(tmp_path, said, says):
    path = five_axes(tmp_path / "w.nii.gz", np.zeros((2, 3, 4, 3)), EYE, **said)
    refuses(ValueError, lambda: Transform(path), f"{path}: must be a displacement field as ANTs", "as SPM does", says)


def test_the_grids_of_fsl_are_volumes(tmp_path):
    np.savetxt(tmp_path / "m.mat", EYE)
    image = nib.Nifti1Image(np.zeros((3, 4, 5)), EYE)
    said = "Transform.fsl needs two Volumes, from volrender.load(...); got str"
    refuses(TypeError, lambda: Transform.fsl(tmp_path / "m.mat", image, "T1.nii"), said)
    assert np.allclose(Transform.fsl(tmp_path / "m.mat", image, image).matrix, EYE)


def test_a_path_that_is_empty_and_a_matrix_that_is_cut_short(tmp_path):
    refuses(ValueError, lambda: Transform(""), "the path of a transform must not be empty")
    refuses(ValueError, lambda: vr.load(""), "a path must not be empty")
    np.save(tmp_path / "m.npy", EYE)
    (tmp_path / "m.npy").write_bytes((tmp_path / "m.npy").read_bytes()[:-9])
    refuses(ValueError, lambda: Transform(tmp_path / "m.npy"), "m.npy: must be a whole .npy file of 4x4 numbers; it is")


def test_vectors_in_another_unit_are_refused(tmp_path):
    path = five_axes(tmp_path / "w.nii.gz", np.zeros((2, 3, 4, 3)), EYE)
    image = nib.load(path)
    image.header.set_xyzt_units("micron")
    nib.save(nib.Nifti1Image(image.get_fdata(), EYE, image.header), tmp_path / "um.nii")
    refuses(
        ValueError, lambda: Transform(tmp_path / "um.nii"), "must be a displacement field", "its header says micron"
    )


def test_a_warp_of_fnirt_is_told_by_its_intent(tmp_path):
    image = nib.Nifti1Image(np.zeros((2, 3, 4, 3), np.float32), EYE)
    image.header["intent_code"] = 2006
    nib.save(image, tmp_path / "warp.nii.gz")
    refuses(ValueError, lambda: Transform(tmp_path / "warp.nii.gz"), "it is a warp of FSL's")


# Files that are none


def matlab(name, values, code=0):
    column = np.asarray(values, "<f8")
    return struct.pack("<5i", code, len(column), 1, 0, len(name) + 1) + name + b"\0" + column.tobytes()


NIFTI = nib.Nifti1Image(np.zeros((2, 2, 2), np.float32), EYE).to_bytes()
WRONG = {
    "empty.txt": (b"", "must be 4x4; got shape (0,)"),
    "prose.txt": (b"hello world", "must be a 4x4 matrix as text or .npy, ITK", "it starts with 'hello world'"),
    "ragged.txt": (b"1 2 3\n4 5\n", "its rows have 3, 2 numbers"),
    "flat.txt": (b"1 0 0 0\n" * 3 + b"0 0 0 1\n", "invertible"),
    "binary.txt": (bytes(range(256)), "must be a 4x4 matrix"),
    "long.txt": (b"0 " * 600_000, "more than 1,000,000 bytes"),
    "small.npy": (b"", "small.npy"),
    "fsl.mat": (b"1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n", "vr.Transform.fsl(path, moving, reference)"),
    "two.mat": (matlab(b"AffineTransform_double_3_3", range(12)), "got 1 variables"),
    "claims.mat": (struct.pack("<5i", 0, 10**9, 10**9, 0, 4) + b"abc\0", "must be a MATLAB 4 file"),
    "short.mat": (matlab(b"AffineTransform_double_3_3", range(12))[:60], "must be whole"),
    "other.mat": (matlab(b"a", [1]) + matlab(b"b", [2]), "must be affine or a displacement field; got a"),
    "none.lta": (b"type = 1\n", "must be FreeSurfer's LTA"),
    "kind.lta": (b"type = 14\nnxforms = 1\n1 4 4\n1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n", "got type 14"),
    "voxels.lta": (b"type = 0\nnxforms = 1\n1 4 4\n1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n", "geometry of its src volume"),
    "nothing.tfm": (b"#Insight Transform File V1.0\n", "must hold a transform; got none"),
    "spline.tfm": (
        b"#Insight Transform File V1.0\n#Transform 0\nTransform: BSplineTransform_double_3_3\nParameters: 1\n",
        "must be affine or a displacement field; got BSplineTransform_double_3_3",
    ),
    "plane.tfm": (
        b"#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_2_2\nParameters: 1\n",
        "must be a transform in three dimensions",
    ),
    "few.tfm": (
        b"#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\nParameters: 1 2\n",
        "must have 12 parameters, as AffineTransform has; got 2",
    ),
    "claims.tfm": (
        b"#Insight Transform File V1.0\n#Transform 0\nTransform: DisplacementFieldTransform_double_3_3\n"
        b"Parameters: 1\nFixedParameters: 100000 100000 100000 0 0 0 1 1 1 1 0 0 0 1 0 0 0 1\n",
        "must have a vector for each of 100000 x 100000 x 100000 voxels; got 1 numbers",
    ),
    "volume.nii": (NIFTI, "i x j x k x 1 x 3; got 2 x 2 x 2"),
    "noise.nii.gz": (b"noise", "must be a NIfTI displacement field"),
    "noise.h5": (b"noise", "must be an HDF5 file with an ITK transform"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_no_transform_is_named(tmp_path, name):
    raw, *says = WRONG[name]
    if name.endswith("h5"):
        pytest.importorskip("h5py", reason='h5py is absent: pip install "volrender[transforms]"')
    (tmp_path / name).write_bytes(raw)
    refuses(ValueError, lambda: Transform(tmp_path / name), f"{tmp_path / name}: ", *says)


def test_a_header_that_claims_too_much_is_refused_before_it_is_read(tmp_path):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.float32)
    header["dim"] = [5, 30000, 30000, 30000, 1, 3, 1, 1]
    (tmp_path / "warp.nii").write_bytes(header.binaryblock + b"\0" * 100)
    refuses(ValueError, lambda: Transform(tmp_path / "warp.nii"), "its header claims 30000 x 30000 x 30000 x 1 x 3")


@pytest.fixture
def h5(tmp_path):
    """A maker of ITK's .h5, whose parameters are made by a function."""
    h5py = pytest.importorskip("h5py", reason='h5py is absent: pip install "volrender[transforms]"')

    def make(parameters, name="TransformParameters"):
        with h5py.File(tmp_path / "t.h5", "w") as file:
            group = file.create_group("TransformGroup/0")
            group["TransformType"] = np.array([b"AffineTransform_double_3_3"])
            group["TransformFixedParameters"] = np.zeros(3)
            parameters(h5py, group, name)
        return tmp_path / "t.h5"

    return make


def test_an_h5_of_either_spelling_is_read(h5):
    for name in ("TransformParameters", "TranformParameters"):
        path = h5(lambda h5py, group, name: group.create_dataset(name, data=[*np.eye(3).ravel(), 1, 2, 3.0]), name)
        assert np.allclose(Transform(path).matrix, space.translation(1, 2, -3))


@pytest.mark.parametrize("count", [1_000_000_000, 10**13])
def test_an_h5_that_claims_what_it_does_not_hold_costs_nothing(h5, count):
    path = h5(lambda h5py, group, name: group.create_dataset(name, (count,), "f8", chunks=(1 << 16,)))
    assert path.stat().st_size < 1_000_000
    refuses(ValueError, lambda: Transform(path), f"{path}: must be whole", f"it claims {count:,}")


def test_an_h5_that_points_elsewhere_is_refused(h5, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(96))

    def link(h5py, group, name):
        group[name] = h5py.ExternalLink("other.h5", "/x")

    def external(h5py, group, name):
        group.create_dataset(name, (12,), "f8", external=str(tmp_path / "secret"))

    def virtual(h5py, group, name):
        layout = h5py.VirtualLayout((12,), "f8")
        layout[:] = h5py.VirtualSource("other.h5", "/x", (12,))
        group.create_virtual_dataset(name, layout)

    for way, says in ((link, "is a link"), (external, "names other files"), (virtual, "names other files")):
        refuses(ValueError, lambda way=way: Transform(h5(way)), "t.h5: must hold its own numbers", says)


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "o.npy", np.array([print], dtype=object), allow_pickle=True)
    refuses(ValueError, lambda: Transform(tmp_path / "o.npy"), "o.npy: ")


def test_what_h5_needs_is_said(tmp_path, monkeypatch):
    (tmp_path / "t.h5").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    refuses(ModuleNotFoundError, lambda: Transform(tmp_path / "t.h5"), 'pip install "volrender[transforms]"')


def test_the_public_name():
    assert vr.Transform is Transform
