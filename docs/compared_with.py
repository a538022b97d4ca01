"""The pairs of pictures of docs/compared_with.rst: another tool's default call, and ours, on the same volume.

    python docs/compared_with.py --samples FOLDER

Needs nilearn besides the package. The head, the z-map and the atlas are bundled. The CT head, the engine block and the
tooth come from FOLDER (`ct_headsq_nrrd/quarter.nhdr`, `engine_ct.nii.gz`, `tooth_ct.nrrd`); without it their pictures
stay as they are. Each function is one picture: `theirs` return RGB pixels, `ours` a panel. Nothing is retouched; white
margins that a tool leaves are kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel as nib
import pyvista as pv  # noqa: TID253
from nilearn import plotting
from PIL import Image

import volrender as vr

OUT = Path(__file__).parent / "images" / "compared"
WIDTH = 700  # pixels
QUALITY = 88
SAMPLES = {"ct": "ct_headsq_nrrd/quarter.nhdr", "engine": "engine_ct.nii.gz", "tooth": "tooth_ct.nrrd"}


def grid(volume: vr.Volume) -> pv.ImageData:
    """The volume as pyvista holds one: axis-aligned, with spacing and origin in mm."""
    upright = volume.reorient("RAS")
    image = pv.ImageData(dimensions=upright.shape, spacing=upright.spacing, origin=upright.affine[:3, 3])
    image["values"] = upright.data.ravel(order="F")
    return image


def nifti(volume: vr.Volume) -> nib.Nifti1Image:
    """The volume as nilearn takes one."""
    return nib.Nifti1Image(volume.data, volume.affine)


def rendered(volume: vr.Volume) -> Image.Image:
    """pyvista's volume rendering."""
    plotter = pv.Plotter(off_screen=True)
    plotter.add_volume(grid(volume))
    return shot(plotter)


def shot(plotter: pv.Plotter) -> Image.Image:
    try:
        return Image.fromarray(plotter.screenshot(return_img=True))
    finally:
        plotter.close()


def printed(display: plotting.displays.OrthoSlicer) -> Image.Image:
    with TemporaryDirectory() as folder:
        display.savefig(Path(folder) / "theirs.png", dpi=150)
        display.close()
        return Image.open(Path(folder) / "theirs.png").convert("RGB")


def map_theirs() -> Image.Image:
    head, motor = nifti(vr.sample("mni152")), nifti(vr.sample("motor"))
    return printed(plotting.plot_stat_map(motor, bg_img=head, threshold=3.1))


def map_ours() -> vr.Slices:
    head, motor = vr.sample("mni152"), vr.sample("motor")
    return vr.Slices(head, vr.Intensity(motor, level=3.1))


def glass_theirs() -> Image.Image:
    return printed(plotting.plot_glass_brain(nifti(vr.sample("motor")), threshold=3.1))


def glass_ours() -> vr.Scene:
    head, motor = vr.sample("mni152"), vr.sample("motor")
    octant = vr.Box(x=(None, 0), y=(-30, None), z=(0, None))
    right_hand = vr.Isosurface(motor, level=-3.1, color="royalblue")
    return vr.Scene(vr.Intensity(head, clip=octant), right_hand, camera=(25, 150))


def atlas_theirs() -> Image.Image:
    plotter = pv.Plotter(off_screen=True)
    plotter.add_mesh(grid(vr.sample("atlas")).contour_labels())
    return shot(plotter)


def ct_ours(ct: vr.Volume) -> vr.Scene:
    return vr.Scene(vr.Intensity(ct, preset="ct-bone"), camera=(12, 140))


def engine_ours(engine: vr.Volume) -> vr.Scene:
    corner = vr.Box(x=(None, 0), y=(0, None), z=(0, None))
    return vr.Scene(vr.Intensity(engine, clip=corner), camera=(30, 130), annotate=False)


def tooth_ours(tooth: vr.Volume) -> vr.Scene:
    half = vr.Plane(y=-47)
    enamel = vr.Intensity(tooth, clim=(90, 247), opacity=[(100, 0), (125, 1)], clip=half)
    return vr.Scene(enamel, camera=(20, 110), annotate=False)


BUNDLED: dict[str, tuple[Callable, Callable]] = {
    "head": (lambda: rendered(vr.sample("mni152")), lambda: vr.Scene(vr.sample("mni152"))),
    "map": (map_theirs, map_ours),
    "glass": (glass_theirs, glass_ours),
    "atlas": (atlas_theirs, lambda: vr.Scene(vr.LabelMap(vr.sample("atlas")), camera="left")),
}
FOREIGN: dict[str, tuple[Callable, Callable]] = {
    "ct": (rendered, ct_ours),
    "engine": (rendered, engine_ours),
    "tooth": (rendered, tooth_ours),
}


def keep(name: str, theirs: Image.Image, panel: vr.Scene | vr.Slices, width: float = 89) -> None:
    """Write both pictures, `WIDTH` pixels wide; ours drawn at twice that, `width` mm."""
    with TemporaryDirectory() as folder:
        panel.save(Path(folder) / "ours.png", width=width, dpi=2 * WIDTH * 25.4 / width)
        ours = Image.open(Path(folder) / "ours.png").convert("RGB")
    for which, picture in (("theirs", theirs.convert("RGB")), ("ours", ours)):
        height = round(picture.height * WIDTH / picture.width)
        small = picture.resize((WIDTH, height), Image.Resampling.LANCZOS)
        small.save(OUT / f"{name}_{which}.jpg", quality=QUALITY, optimize=True)
        print(OUT / f"{name}_{which}.jpg")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=Path, help="the folder of the volumes that are not bundled")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BUNDLED | FOREIGN)}; by default all")
    chosen = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    for name in chosen.names or BUNDLED | FOREIGN:
        if name in BUNDLED:
            theirs, ours = BUNDLED[name]
            keep(name, theirs(), ours())
            continue
        path = chosen.samples and chosen.samples / SAMPLES[name]
        if path is None or not path.exists():
            print(f"{name} is left out: --samples must name the folder that holds {SAMPLES[name]}")
            continue
        volume = vr.load(path)
        theirs, ours = FOREIGN[name]
        keep(name, theirs(volume), ours(volume))


if __name__ == "__main__":
    main()
