"""Seconds a pair by stage, pairs per second of a build, memory as the build grows.

    python scripts/bench_faceshadow.py [--pairs 24] [--photos 250] [--keep-builds]

One core for the stages; all cores for the build. Portraits are crops and tilts of scikit-image's
astronaut. Writes docs/results/faceshadow.json and the table of docs/faceshadow.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from fill_page import fill, markdown

from dataset_tools.facts import measure
from dataset_tools.formats import encode_png
from dataset_tools.landmarks import open_detector
from dataset_tools.recipe import RECIPES
from dataset_tools.render import render
from learnir.writing import write_json

ROOT = Path(__file__).resolve().parents[1]
PAGE, RESULT = ROOT / "docs" / "faceshadow.md", ROOT / "docs" / "results" / "faceshadow.json"
TARGETS = {512: 0.35, 256: 0.12}
MANY, CORE_HOUR = 10_000_000, 0.04  # pairs; US dollars, what a spot machine costs or less


def portrait(number: int, size: int) -> np.ndarray:
    """A crop of the astronaut, tilted and scaled; every number another one."""
    from skimage.data import astronaut

    rng = np.random.default_rng(number)
    move = cv2.getRotationMatrix2D((225, 120), rng.uniform(-15, 15), rng.uniform(0.9, 1.2))
    move *= size / 256
    move[:, 2] += (np.array([128, 120]) - [225, 110] + rng.uniform(-12, 12, 2)) * size / 256
    return cv2.warpAffine(astronaut(), move, (size, size), borderMode=cv2.BORDER_REFLECT_101)


def stages(size: int, pairs: int) -> dict[str, float]:
    """Median seconds of each stage on one core."""
    cv2.setNumThreads(1)
    seconds: dict[str, list[float]] = {n: [] for n in ("detect", "measure", "render", "encode")}
    with open_detector() as detector:
        detector.detect(portrait(0, size))
        for number in range(pairs):
            picture = portrait(number, size)
            marks = [time.perf_counter()]
            face = detector.detect(picture)
            marks.append(time.perf_counter())
            assert face is not None
            measure("", "", picture, face)
            marks.append(time.perf_counter())
            pair = render(picture, face, (1, number), RECIPES["faceshadow"], size)
            marks.append(time.perf_counter())
            for layer in (pair.shadow, pair.clean, pair.mask):
                encode_png(layer)
            marks.append(time.perf_counter())
            for name, took in zip(seconds, np.diff(marks), strict=True):
                seconds[name].append(float(took))
    found = {name: statistics.median(values) for name, values in seconds.items()}
    return {**found, "pair": sum(found.values())}


def build_size(photos: int, pairs: int) -> dict[str, float]:
    """Pairs per second and peak memory of one process of a build, in processes of their own."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(photos):
            path = Path(folder) / "portraits" / f"{number:05d}.jpg"
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), portrait(number, 256)[..., ::-1])
        code = (
            "import sys, resource; from dataset_tools.cli import main; code = main(sys.argv[1:]);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,"
            " resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
        )
        words = ["build", f"{folder}/portraits", f"{folder}/out", "--pairs-per-photo", str(pairs)]
        words += ["--licence", "public domain", "--engine", "local", "--no-sheets"]
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
        )
        seconds = time.perf_counter() - start
    peaks = [int(kb) / 2**20 for kb in done.stdout.strip().splitlines()[-1].split()]
    rows = photos * pairs
    return {"rows": rows, "pairs_per_second": rows / seconds, "peak_gib": max(peaks)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pairs", type=int, default=24, help="pairs of each stage timing")
    parser.add_argument(
        "--photos", type=int, default=250, help="of the smaller build, 4 pairs each"
    )
    parser.add_argument("--keep-builds", action="store_true", help="time the stages alone")
    options = parser.parse_args()
    timed = {size: stages(size, options.pairs) for size in TARGETS}
    if options.keep_builds:
        builds = json.loads(RESULT.read_text(encoding="utf-8"))["builds"]
    else:
        builds = [build_size(options.photos * k, 4) for k in (1, 4)]
    write_json(RESULT, {"cores": os.cpu_count(), "stages": timed, "builds": builds})
    print(json.dumps({"stages": timed, "builds": builds}, indent=1))
    names = list(timed[256])
    rows: list[list[object]] = [["one core, seconds", *names, "aim"]]
    rows += [[f"{s} px", *(f"{t[n]:.3f}" for n in names), TARGETS[s]] for s, t in timed.items()]
    grown: list[list[object]] = [["build at 256 px, all cores", "pairs/s", "peak memory, GiB"]]
    grown += [
        [f"{b['rows']:.0f} rows", f"{b['pairs_per_second']:.1f}", f"{b['peak_gib']:.2f}"]
        for b in builds
    ]
    fill(PAGE, "speed", f"{markdown(rows)}\n\n{markdown(grown)}\n\n{_cost(builds[-1])}")


def _cost(build: dict[str, float]) -> str:
    hours = MANY / build["pairs_per_second"] / 3600
    cores = os.cpu_count() or 1
    return (
        f"At the last rate {MANY:,.0f} pairs of 256 px take {hours:,.0f} hours of this machine, "
        f"{hours * cores:,.0f} core-hours: about ${hours * cores * CORE_HOUR:,.0f} at "
        f"${CORE_HOUR} a core-hour."
    )


if __name__ == "__main__":
    main()
