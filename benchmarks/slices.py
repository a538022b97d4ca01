"""Slices with overlays: nilearn against `volrender.Slices`, the same data, figures of the same width in pixels.

    python benchmarks/slices.py
    python benchmarks/slices.py --repeat 9 --only map mosaic

Warm: in one process, data in memory, the median of `--repeat` figures after one that does not count, ours and theirs in
turn, each from the call to a closed PNG. Cold: each figure in a process of its own, from the start of Python to its
end, imports and reading of files included; the median of three. Times are of the processor (user and system), as the
clock also counts what else the machine does; `--clock` takes the clock.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import volrender as vr

DPI, WIDTH = 300, 183
DATA = Path(vr.__file__).parent / "data"
FILES = {"head": "mni152_t1.nii.gz", "motor": "motor_zmap.nii.gz", "atlas": "allen_atlas.nii.gz"}


def theirs(data: dict) -> dict[str, Callable]:
    """Their figures, 7.2 inches wide or as wide as they come."""
    from nilearn import plotting

    over = {"bg_img": data["head"], "threshold": 3.1}
    return {
        "map": lambda: plotting.plot_stat_map(data["motor"], **over),
        "anatomy": lambda: plotting.plot_anat(data["head"]),
        "atlas": lambda: plotting.plot_roi(data["atlas"], bg_img=data["head"], alpha=0.7),
        "row": lambda: plotting.plot_stat_map(data["motor"], display_mode="z", cut_coords=7, **over),
        "mosaic": lambda: plotting.plot_stat_map(data["motor"], display_mode="mosaic", cut_coords=7, **over),
    }


def ours(data: dict) -> dict[str, Callable]:
    """The same, 183 mm wide."""

    def motor() -> vr.Intensity:
        return vr.Intensity(data["motor"], level=3.1)

    cross = vr.Annotation(crosshair=True)
    return {
        "map": lambda: vr.Slices(data["head"], motor(), annotate=cross),
        "anatomy": lambda: vr.Slices(data["head"], annotate=cross),
        "atlas": lambda: vr.Slices(data["head"], vr.LabelMap(data["atlas"], opacity=0.7), annotate=cross),
        "row": lambda: vr.Slices(data["head"], motor(), n=(0, 0, 7)),
        "mosaic": lambda: vr.Slices(data["head"], motor(), n=7),
    }


NAMES = ("map", "anatomy", "atlas", "row", "mosaic")


def save(who: str, figure: Callable, path: Path) -> None:
    if who == "volrender":
        figure().save(path, width=WIDTH, dpi=DPI)
        return
    display = figure()
    display.savefig(path, dpi=DPI)
    display.close()


def figures(who: str) -> dict[str, Callable]:
    """The figures of one of the two, of data that are in memory."""
    if who == "volrender":
        return ours({name: vr.sample({"head": "mni152"}.get(name, name)) for name in FILES})
    import matplotlib
    import nibabel as nib

    matplotlib.use("Agg")
    images = {name: nib.load(DATA / file) for name, file in FILES.items()}
    for image in images.values():
        image.get_fdata()
    return theirs(images)


def single(who: str, name: str, path: Path) -> None:
    """One figure from its files, as a script would."""
    if who == "volrender":
        overlay = {"anatomy": None, "atlas": "atlas"}.get(name, "motor")
        wanted = ["head", *([overlay] if overlay else [])]
        volumes = {each: vr.load(DATA / FILES[each], kind="labels" if each == "atlas" else None) for each in wanted}
        save(who, ours(volumes)[name], path)
    else:
        import matplotlib

        matplotlib.use("Agg")
        save(who, theirs({each: str(DATA / file) for each, file in FILES.items()})[name], path)


def warm(name: str, both: dict[str, dict], repeat: int, folder: Path, now: Callable[[], float]) -> dict[str, float]:
    times: dict[str, list[float]] = {who: [] for who in both}
    for _ in range(repeat + 1):
        for who, made in both.items():
            start = now()
            save(who, made[name], folder / f"{name}_{who}.png")
            times[who].append(now() - start)
    return {who: median(seconds[1:]) for who, seconds in times.items()}


def cold(name: str, folder: Path, clock: bool) -> dict[str, float]:
    times: dict[str, list[float]] = {"volrender": [], "nilearn": []}
    for _ in range(3):
        for who, seconds in times.items():
            command = [sys.executable, "-W", "ignore", __file__, "--single", who, name, str(folder / "cold.png")]
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run(command, check=True, env=os.environ)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            seconds.append(time.perf_counter() - start if clock else spent)
    return {who: median(seconds) for who, seconds in times.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7, help="warm figures of each (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="figures; by default all")
    parser.add_argument("--clock", action="store_true", help="the clock's time, not the processor's")
    parser.add_argument("--save", type=Path, help="an existing folder for the pictures")
    parser.add_argument("--single", nargs=3, metavar=("WHO", "NAME", "PATH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.single:
        who, name, path = options.single
        single(who, name, Path(path))
        return 0
    now = time.perf_counter if options.clock else time.process_time
    both = {who: figures(who) for who in ("volrender", "nilearn")}
    print(f"{'':>8} {'figure':>8} {'nilearn':>9} {'volrender':>9} {'ratio':>6}")
    with TemporaryDirectory() as scratch:
        folder = options.save or Path(scratch)
        for name in options.only:
            for how, found in (("warm", warm(name, both, options.repeat, folder, now)), ("cold", None)):
                seconds = found or cold(name, folder, options.clock)
                fast, slow = seconds["volrender"], seconds["nilearn"]
                print(f"{how:>8} {name:>8} {slow:7.3f} s {fast:7.3f} s {fast / slow:6.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
