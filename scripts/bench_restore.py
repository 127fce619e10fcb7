"""Seconds and peak memory of restoring pictures of several sizes, each in a process of its own.

    python scripts/bench_restore.py [--checkpoint DIR] [-o docs/results/restore.json]

The picture is scikit-image's astronaut, enlarged, whose face is small in it: gain and auto look at
it closely besides. Seconds are the median of the repeats after one run to warm up, decoding and
encoding not counted; memory is the most the process ever held, with everything it imports. The last
line is the ratio to five evaluations of the RDDM-size ``unet``: as the checkpoint is configured,
without close-ups, and with mirror images.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

CASES = (
    ((256, 256), "auto"),
    ((512, 512), "auto"),
    ((512, 512), "tile"),
    ((1024, 1024), "tile"),
    ((3000, 4000), "auto"),
)
OTHERS = {"without close-ups": {"faces": False}, "with mirror images": {"mirror": True}}
"""The first case again, otherwise."""


def picture(shape: tuple[int, int]) -> np.ndarray:
    from skimage.data import astronaut

    return cv2.resize(astronaut(), shape[::-1], interpolation=cv2.INTER_CUBIC)


def one_case(
    checkpoint: str | None, shape: tuple[int, int], mode: str, repeats: int, **sampled: Any
) -> None:
    """Prints the JSON of one size and mode; runs in its own process."""
    from learnir import LearnIR

    model = LearnIR.from_pretrained(checkpoint)
    image = picture(shape)
    model.restore(image, mode=mode, **sampled)
    seconds = [model.restore(image, mode=mode, **sampled).seconds for _ in range(repeats)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": statistics.median(seconds), "peak_gib": peak}))


def unet_case() -> None:
    """Prints the seconds of one evaluation of the ``unet`` at 256 x 256, and its parameters."""
    import torch

    from learnir.config import ModelConfig
    from learnir.model import LearnIRModel

    model = LearnIRModel(ModelConfig(network="unet")).eval()
    parameters = sum(p.numel() for p in model.parameters())
    y = torch.zeros(1, 3, 256, 256)
    seconds = []
    with torch.inference_mode():
        for _ in range(3):
            start = time.perf_counter()
            model.sample(y, scales="fixed")
            seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": statistics.median(seconds), "parameters": parameters}))


def in_process(*arguments: object) -> dict[str, Any]:
    """The last line that this script prints when run with ``arguments``."""
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--checkpoint", default=None, help="default: the shipped weights")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--case", nargs=3, metavar=("HEIGHT", "WIDTH", "MODE"))
    parser.add_argument("--options", type=json.loads, default={}, help=argparse.SUPPRESS)
    parser.add_argument("--unet", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.unet:
        return unet_case()
    if options.case:
        H, W, mode = options.case
        shape = int(H), int(W)
        return one_case(options.checkpoint, shape, mode, options.repeats, **options.options)
    rows = []
    chosen = ["--checkpoint", options.checkpoint] if options.checkpoint else []
    for (H, W), mode in CASES:
        found = in_process("--case", H, W, mode, "--repeats", options.repeats, *chosen)
        rows.append({"height": H, "width": W, "mode": mode, **found})
        print(f"{W} x {H} {mode}: {found['seconds']:.2f} s, peak {found['peak_gib']:.2f} GiB")
    (H, W), mode = CASES[0]
    others = {
        name: in_process(
            "--case",
            H,
            W,
            mode,
            "--options",
            json.dumps(sampled),
            "--repeats",
            options.repeats,
            *chosen,
        )
        for name, sampled in OTHERS.items()
    }
    unet = in_process("--unet")
    print(
        f"five evaluations of the {unet['parameters'] / 1e6:.0f} M unet at 256 px: "
        f"{unet['seconds']:.1f} s, {unet['seconds'] / rows[0]['seconds']:.0f} times the restoration"
    )
    for name, found in others.items():
        print(f"{unet['seconds'] / found['seconds']:.0f} times one {name}")
    if options.out:
        from result_files import write_result

        found = {"rows": rows, "others": others, "unet": unet}
        write_result(options.out, found, options.checkpoint)


if __name__ == "__main__":
    main()
