"""Pictures a minute of ``learnir restore`` over a folder: one after the other, and side by side.

    python scripts/bench_folder.py [--repeats 5] [-o docs/results/folder.json]

Folders of scikit-image's astronaut, enlarged, as JPEGs; everything is counted that a batch does
(decoding, finding faces, both looks, encoding), in this process and once warm. The two take turns,
in both orders; seconds a picture are medians over the repeats, and the ratio is the median of the
repeats' own. Memory is the most that this process ever held.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
from result_files import write_result
from skimage.data import astronaut

from learnir import LearnIR
from learnir.planning import Writing, plan
from learnir.restore import run
from learnir.side_by_side import default_workers

CASES = ((512, 512, 16), (1024, 1024, 12), (3000, 4000, 4))
"""Height, width, pictures."""


def seconds_a_picture(learnir: LearnIR, folder: Path, count: int, workers: int) -> float:
    """Seconds a picture of one batch, whose results are thrown away."""
    with TemporaryDirectory() as out:
        writing = Writing()
        tasks = plan([str(folder)], Path(out), writing).tasks
        began = time.perf_counter()
        outcome = run(learnir, tasks, writing, {}, workers)
        took = time.perf_counter() - began
    if outcome.restored != count:
        raise SystemExit(f"{folder}: {outcome}")
    return took / count


def case(learnir: LearnIR, shape: tuple[int, int], count: int, repeats: int) -> dict[str, object]:
    """One folder, one by one and side by side."""
    worker_counts = [1, default_workers()]
    with TemporaryDirectory() as name:
        picture = cv2.resize(astronaut(), shape[::-1], interpolation=cv2.INTER_CUBIC)
        for k in range(count):
            cv2.imwrite(f"{name}/{k}.jpg", picture[..., ::-1])
        found: list[dict[int, float]] = []
        for repeat in range(repeats + 1):
            order = worker_counts if repeat % 2 else worker_counts[::-1]
            took = {n: seconds_a_picture(learnir, Path(name), count, n) for n in order}
            found.append(took)
            print(shape, took, flush=True)
    found = found[1:]  # the first warms up
    alone, beside = ([took[n] for took in found] for n in worker_counts)
    return {
        "height": shape[0],
        "width": shape[1],
        "pictures": count,
        "one": statistics.median(alone),
        "side by side": statistics.median(beside),
        "ratio": statistics.median(b / a for a, b in zip(alone, beside, strict=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    learnir = LearnIR.from_pretrained(device="cpu")
    rows = [case(learnir, (h, w), count, options.repeats) for h, w, count in CASES]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found = {"workers": default_workers(), "rows": rows, "peak_gib": peak}
    write_result(options.out, found)


if __name__ == "__main__":
    main()
