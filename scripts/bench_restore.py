"""Seconds and peak memory of restoring pictures of several sizes, each in a process of its own.

    python scripts/bench_restore.py [--checkpoint DIR] [-o docs/results/restore.json]

The picture is scikit-image's astronaut, enlarged. Seconds are the median of the repeats after one
run to warm up, decoding and encoding not counted; memory is the most the process ever held, with
everything it imports. The last line is the ratio to five evaluations of the RDDM-size ``unet``,
as the checkpoint is configured and with mirror images.
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


def picture(shape: tuple[int, int]) -> np.ndarray:
    from skimage.data import astronaut

    return cv2.resize(astronaut(), shape[::-1], interpolation=cv2.INTER_CUBIC)


def one_case(
    checkpoint: str | None, shape: tuple[int, int], mode: str, mirror: bool | None, repeats: int
) -> None:
    """Prints the JSON of one size and mode; runs in its own process."""
    from learnir import LearnIR

    model = LearnIR.from_pretrained(checkpoint)
    image = picture(shape)
    model.restore(image, mode=mode, mirror=mirror)
    seconds = [model.restore(image, mode=mode, mirror=mirror).seconds for _ in range(repeats)]
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
    parser.add_argument("--mirrored", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--unet", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.unet:
        return unet_case()
    if options.case:
        H, W, mode = options.case
        shape, mirror = (int(H), int(W)), True if options.mirrored else None
        return one_case(options.checkpoint, shape, mode, mirror, options.repeats)
    rows = []
    chosen = ["--checkpoint", options.checkpoint] if options.checkpoint else []
    for (H, W), mode in CASES:
        found = in_process("--case", H, W, mode, "--repeats", options.repeats, *chosen)
        rows.append({"height": H, "width": W, "mode": mode, **found})
        print(f"{W} x {H} {mode}: {found['seconds']:.2f} s, peak {found['peak_gib']:.2f} GiB")
    H, W, mode = rows[0]["height"], rows[0]["width"], rows[0]["mode"]
    both = in_process("--case", H, W, mode, "--mirrored", "--repeats", options.repeats, *chosen)
    unet = in_process("--unet")
    ratio, ratio_both = (unet["seconds"] / r["seconds"] for r in (rows[0], both))
    print(
        f"five evaluations of the {unet['parameters'] / 1e6:.0f} M unet at 256 px: "
        f"{unet['seconds']:.1f} s, {ratio:.0f} times the whole restoration, "
        f"{ratio_both:.0f} times one with mirror images"
    )
    if options.out:
        from learnir.writing import write_json

        options.out.parent.mkdir(parents=True, exist_ok=True)
        found = {"rows": rows, "mirrored": both, "unet": unet}
        ratios = {"ratio_to_unet": ratio, "ratio_to_unet_mirrored": ratio_both}
        write_json(options.out, found | ratios)


if __name__ == "__main__":
    main()
