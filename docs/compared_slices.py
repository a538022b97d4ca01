"""The pairs of pictures of docs/slices.rst: nilearn's call, and ours, on the bundled volumes.

    python docs/compared_slices.py

Needs nilearn besides the package. Each function is one picture; nothing is retouched.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from compared_with import keep, nifti, printed
from nilearn import plotting
from PIL import Image

import volrender as vr

HEAD, MOTOR, ATLAS = vr.sample("mni152"), vr.sample("motor"), vr.sample("atlas")


def map_theirs() -> Image.Image:
    return printed(plotting.plot_stat_map(nifti(MOTOR), bg_img=nifti(HEAD), threshold=3.1))


def map_ours() -> vr.Slices:
    return vr.Slices(HEAD, vr.Intensity(MOTOR, level=3.1), annotate=vr.Annotation(crosshair=True))


def anatomy_theirs() -> Image.Image:
    return printed(plotting.plot_anat(nifti(HEAD)))


def anatomy_ours() -> vr.Slices:
    return vr.Slices(HEAD, annotate=vr.Annotation(crosshair=True))


def roi_theirs() -> Image.Image:
    return printed(plotting.plot_roi(nifti(ATLAS), bg_img=nifti(HEAD), view_type="contours", cut_coords=(-20, -10, 5)))


def roi_ours() -> vr.Slices:
    return vr.Slices(HEAD, vr.LabelMap(ATLAS, outline=True), x=-20, y=-10, z=5, colorbar=False)


def mosaic_theirs() -> Image.Image:
    return printed(
        plotting.plot_stat_map(nifti(MOTOR), bg_img=nifti(HEAD), threshold=3.1, display_mode="mosaic", cut_coords=5)
    )


def mosaic_ours() -> vr.Slices:
    return vr.Slices(HEAD, vr.Intensity(MOTOR, level=3.1), n=5, annotate=vr.Annotation(reference=True))


PAIRS: dict[str, tuple[Callable, Callable]] = {
    "slices_map": (map_theirs, map_ours),
    "slices_anatomy": (anatomy_theirs, anatomy_ours),
    "slices_roi": (roi_theirs, roi_ours),
    "slices_mosaic": (mosaic_theirs, mosaic_ours),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PAIRS)}; by default all")
    for name in parser.parse_args().names or PAIRS:
        theirs, ours = PAIRS[name]
        keep(name, theirs(), ours(), width=183)


if __name__ == "__main__":
    main()
