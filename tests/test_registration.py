"""A volume that was moved by a known transform must come back."""

import io
import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers import CODES, ball, hill, placed, ramp, refuses, tilted

import volrender as vr
from volrender import Slices, Transform, Volume, checkerboard, register, space
from volrender.fields import Field

pytest.importorskip("SimpleITK", reason='SimpleITK is absent: pip install "volrender[registration]"')


def about(volume, matrix):
    """The matrix, applied about the middle of a volume."""
    x, y, z = volume.bounds.mean(axis=1)
    return space.translation(x, y, z) @ matrix @ space.translation(-x, -y, -z)


def tissue(volume):
    return space.apply_affine(volume.affine, np.argwhere(volume.data > volume.survey.air))


def rms(points, others):
    return float(np.sqrt(((points - others) ** 2).sum(axis=-1).mean()))


def phantom(size=40, spacing=3.0):
    """A head of sorts: three unlike balls in a larger one, which no reflection or turn maps onto itself."""
    affine = space.translation(*[-spacing * (size - 1) / 2] * 3) @ space.zooms(*[spacing] * 3)
    xyz = space.apply_affine(affine, np.moveaxis(np.indices((size,) * 3), 0, -1))
    data = np.zeros((size,) * 3)
    for center, radius, value in (
        ((0, 0, 0), 48, 60),
        ((18, 12, 6), 14, 140),
        ((-20, 8, -9), 11, 20),
        ((2, -22, 14), 9, 100),
    ):
        data += (value - data) / (1 + np.exp(np.linalg.norm((xyz - center) / (1, 1.15, 0.9), axis=-1) - radius))
    return Volume(data, affine, name="phantom")


HEAD = vr.sample("mni152").downsize(64)
SMALL = HEAD.downsize(48)
COLORS = Volume(ramp((5, 6, 7, 3), np.uint8), np.eye(4), "rgb", "paint")
RIGID = space.translation(6, -8, 5) @ space.euler(8, -6, 10)


def brought_back(moving, fixed, known, **options):
    """RMS (mm) over the tissue, of a known movement and the registration after it."""
    points = tissue(fixed)
    return rms(register(moving, fixed, **options).apply(space.apply_affine(known, points)), points)


# It comes back


@pytest.mark.parametrize("regridded", [False, True])
def test_the_t1_comes_back_within_a_voxel(regridded):
    known = about(HEAD, RIGID)
    moved = HEAD.transform(known)
    moved = moved.resample_to(HEAD) if regridded else moved
    assert brought_back(moved, HEAD, known) < 0.1 * min(HEAD.spacing)


def test_someones_epi_comes_back_within_a_voxel(samples):
    epi = vr.load(samples / "someones_epi.nii.gz")
    known = about(epi, RIGID)
    assert brought_back(epi.transform(known).resample_to(epi), epi, known) < 0.2 * min(epi.spacing)


def test_another_contrast_comes_back_too():
    known = about(HEAD, RIGID)
    other = Volume(np.where(HEAD.data > HEAD.survey.air, 300 - np.abs(HEAD.data - 90), 0), HEAD.affine)
    assert brought_back(other.transform(known), HEAD, known) < 0.5 * min(HEAD.spacing)


def test_an_affine_comes_back():
    known = space.translation(4, 3, -5) @ space.euler(5, -4, 6) @ space.zooms(1.08, 0.94, 1.05)
    known = known @ space.shears(0.05, 0.02, -0.03)
    fixed = phantom()
    found = brought_back(fixed.transform(known), fixed, known, kind="affine")
    assert found < 3
    assert found < 0.5 * brought_back(fixed.transform(known), fixed, known, kind="rigid")


def bent(volume):
    x, y, z = np.moveaxis(space.apply_affine(volume.affine, np.moveaxis(np.indices(volume.shape), 0, -1)), -1, 0)
    return Transform(Field(np.stack([5 * np.sin(y / 19), 4 * np.cos(z / 16), 0 * x], axis=-1), volume.affine))


@pytest.mark.parametrize("inverted", [False, True])
def test_a_bent_head_is_unbent(inverted):
    bend, points = bent(SMALL), tissue(SMALL)[::20]
    moving = SMALL.transform(bend)
    if inverted:
        moving = Volume(200 - np.abs(moving.data - 60), moving.affine)
    there = bend.apply(points)
    found = register(moving, SMALL, kind="nonlinear")
    assert not found.is_affine
    assert rms(there, points) > 4
    assert rms(found.apply(there), points) < 0.75 * min(SMALL.spacing)
    if not inverted:
        assert np.corrcoef(moving.resample_to(SMALL, found).data.ravel(), SMALL.data.ravel())[0, 1] > 0.98


def test_volumes_that_lie_apart_meet_at_their_centers():
    known = space.translation(300, -200, 100) @ about(SMALL, space.euler(5, 5, 5))
    assert brought_back(SMALL.transform(known), SMALL, known) < 0.1 * min(HEAD.spacing)
    assert brought_back(SMALL.transform(known), SMALL, known, start=np.linalg.inv(known)) < 0.1 * min(HEAD.spacing)
    refuses(
        ValueError, lambda: register(SMALL.transform(known), SMALL, start="world"), "must overlap", "start='centers'"
    )


@pytest.mark.parametrize("affine", tilted(3, seed=4, spacing=(3.0, 4.5)))
def test_any_two_grids_go_together(affine):
    """Left-handed, rotated and sheared storage of the moving volume; where its voxels lie is what counts."""
    fixed = SMALL.transform(space.translation(*-SMALL.bounds.mean(axis=1)))
    grid = Volume(np.zeros((60, 60, 60)), affine @ space.translation(-18, -18, -18))
    known = space.translation(4, -3, 5) @ space.euler(6, 5, -7)
    assert brought_back(fixed.resample_to(grid).transform(known), fixed, known) < 0.2 * min(fixed.spacing)


@pytest.mark.parametrize("metric", ["correlation", "squares"])
def test_the_other_metrics(metric):
    known = about(SMALL, RIGID)
    assert brought_back(SMALL.transform(known), SMALL, known, metric=metric) < 0.5 * min(HEAD.spacing)


# How it behaves


@pytest.mark.parametrize("kind", ["rigid", "nonlinear"])
def test_the_same_volumes_give_the_same_transform(kind):
    fixed = phantom(24, 5.0)
    moving = fixed.transform(about(fixed, RIGID))
    one, two = (register(moving, fixed, kind=kind) for _ in range(2))
    assert all(np.array_equal(getattr(a, "vectors", a), getattr(b, "vectors", b)) for a, b in zip(one.steps, two.steps))
    assert moving.transform(one).history[-1] == f"transform({kind} registration)"


@pytest.mark.parametrize("kind", ["rigid", "nonlinear"])
def test_what_is_registered_is_in_the_fixed_volumes_space(kind):
    fixed = replace(phantom(24, 5.0), space="MNI152NLin6Asym")
    moving = replace(fixed.transform(about(fixed, RIGID)), space="scanner")
    found = register(moving, fixed, kind=kind)
    for moved in (moving.transform(found), moving.resample_to(fixed, found)):
        assert moved.space == "MNI152NLin6Asym"
        Slices(fixed, moved)  # a warning would be an error


def test_threads_are_left_as_they_were():
    import SimpleITK as sitk

    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    register(phantom(24, 5.0), phantom(24, 5.0))
    assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == before


def test_nan_is_background():
    fixed = phantom(24, 5.0)
    holes = fixed.data.copy()
    holes[:3] = np.nan
    known = about(fixed, RIGID)
    assert brought_back(Volume(holes, fixed.affine).transform(known), fixed, known) < 0.3 * 5


def test_progress_is_told(capfd):
    told = []
    register(phantom(24, 5.0), phantom(24, 5.0), kind="nonlinear", progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1
    assert 0 <= told[0] < 0.1
    assert len(told) > 10
    register(phantom(24, 5.0), phantom(24, 5.0), progress=True)
    assert capfd.readouterr() == ("", "")  # a pipe, not a terminal


class Terminal(io.StringIO):
    """What is written to a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "progress", "shown"), [(Terminal, True, True), (Terminal, False, False), (io.StringIO, True, False)]
)
def test_a_bar_is_shown_on_a_terminal(monkeypatch, stream, progress, shown):
    for word in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(word, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stderr", stream())
    register(phantom(24, 5.0), phantom(24, 5.0), progress=progress)
    told = sys.stderr.getvalue()
    assert ("register, rigid" in told) == ("100%" in told) == ("\u2501" in told) == shown
    assert bool(told) == shown


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        (lambda: register(HEAD, HEAD, kind="elastic"), ValueError, "kind must be one of rigid, affine, nonlinear; got"),
        (lambda: register(HEAD, HEAD, metric="ssd"), ValueError, "metric must be one of mutual information,"),
        (lambda: register(HEAD, HEAD, stiffness=0), ValueError, "stiffness must be above 0 mm; got 0"),
        (lambda: register(HEAD, HEAD, start=bent(HEAD)), ValueError, "start must be affine; got"),
        (
            lambda: register(HEAD, HEAD, start="centres.mat"),
            FileNotFoundError,
            "start must be one of world, centers, or a transform; centres.mat: no such file",
        ),
        (lambda: register(Volume(ramp((5, 5, 5, 2)), np.eye(4)), HEAD), ValueError, "register needs a 3-D volume"),
        (
            lambda: register(HEAD, HEAD, start="foo"),
            ValueError,
            "start must be one of world, centers, or a transform; got 'foo'",
        ),
        (lambda: register("T1.nii", HEAD), TypeError, "register needs a Volume, from volrender.load(...); got str"),
        (lambda: register(HEAD, HEAD.data), TypeError, "from volrender.load(...); got ndarray"),
        (lambda: register(HEAD, COLORS), ValueError, "needs one number a voxel; paint holds colors: give its .lumi"),
        (lambda: register(Volume(ramp((9, 9, 2)), np.eye(4)), HEAD), ValueError, "four voxels along each axis"),
        (lambda: register(Volume(np.zeros((9, 9, 9)), np.eye(4)), HEAD), ValueError, "nothing but background"),
    ],
)
def test_what_cannot_be_registered_is_said(call, kind, says):
    refuses(kind, call, says)


def test_what_it_needs_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    refuses(ModuleNotFoundError, lambda: register(HEAD, HEAD), 'pip install "volrender[registration]"')


# Judging it


def test_a_checkerboard_takes_turns():
    one, two = ball(20), hill(ball(20).affine, shape=(20, 20, 20))
    board = checkerboard(one, two, size=5)
    cells = (np.indices(board.shape) - 9.5) // 5
    odd = cells.sum(axis=0) % 2 == 1
    assert np.array_equal(board.data[odd] > 0.5, one.data[odd] > 50)
    assert not np.array_equal(board.data[~odd] > 0.5, one.data[~odd] > 50)
    assert np.array_equal(board.affine, two.affine)
    assert board.history == ("checkerboard(ball, hill, size=5)",)
    assert 0 <= board.data.min() < board.data.max() <= 1


def test_a_checkerboard_samples_the_moved_volume_on_the_fixed_grid(tmp_path):
    fine = ball(40, 12.0, 0.5)
    board = checkerboard(fine, ball(20), size=4)
    assert np.corrcoef(board.data.ravel(), ball(20).data.ravel())[0, 1] > 0.95
    Slices(board, z=[0]).save(tmp_path / "board.png", dpi=60)


@pytest.mark.parametrize("affine", [space.zooms(2, 3, 4), *tilted(2, seed=3)])
def test_a_checkerboard_does_not_ask_how_the_fixed_volume_is_stored(affine):
    """Of all 48 orders, and from nothing but the fixed volume where the moved one was not seen."""
    fixed = hill(affine, shape=(11, 12, 14))
    moved = Volume(ramp((9, 9, 9)).astype(float), affine @ space.translation(1.25, 2.25, 3.25), name="moved")
    first = placed(checkerboard(moved, fixed, size=7))
    for code in CODES:
        stored = fixed.reorient(code)
        board = checkerboard(moved, stored, size=7)
        assert np.array_equal(board.affine, stored.affine)
        assert np.allclose(placed(board), first, atol=1e-4)


def test_a_checkerboard_shows_the_fixed_volume_where_the_moved_one_has_no_voxels():
    fixed = hill(space.translation(-9.5, -9.5, -9.5), shape=(20, 20, 20))
    alone = checkerboard(fixed, fixed, size=4).data
    holes = 100 - fixed.data
    holes[:, 15:] = np.nan
    half = Volume(holes[:10], fixed.affine)
    board = checkerboard(half, fixed, size=4).data
    assert np.allclose(board[10:], alone[10:])
    assert np.allclose(board[:, 15:], alone[:, 15:])
    assert not np.allclose(board[:10, :15], alone[:10, :15])
    far = fixed.transform(space.translation(x=300))
    refuses(ValueError, lambda: checkerboard(far, fixed), "needs volumes that overlap", "register them first")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: checkerboard(ball(), ball(), size=0), "must be above 0 mm; got 0"),
        (lambda: checkerboard(vr.sample("atlas"), ball()), "is a label map: show it over the other in one Slices"),
        (lambda: checkerboard(ball(), Volume(ramp((5, 5, 5, 2)), np.eye(4))), "checkerboard needs a 3-D volume"),
        (lambda: checkerboard(COLORS, ball()), "checkerboard needs one number a voxel; paint holds colors: give its"),
        (lambda: checkerboard(ball(), "T1.nii"), "checkerboard needs a Volume, from volrender.load(...); got str"),
    ],
)
def test_a_checkerboard_is_checked(call, says):
    refuses((ValueError, TypeError), call, says)
