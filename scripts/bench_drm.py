"""Time of the Dynamic Resolution Module against the fixed schedule: same weights, one run.

    python scripts/bench_drm.py [CHECKPOINT] [--size 256] [--repeats 7] [-o docs/results/drm.json]

Runs of the two schedules alternate, so that other work on the machine slows both alike; medians and
their ratio are printed beside the ratio of the multiply-adds, which is the floor. Measured without
mirror images and with: they double the last step of both. The shadows are those of the quick start,
put on scikit-image's astronaut.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from result_files import write_result

from benchmarks.metrics import psnr
from demo.quickstart import shadowed_faces
from learnir.checkpoint import load_checkpoint
from learnir.images import to_picture, to_tensor
from learnir.model import LearnIRModel
from learnir.resolution import relative_cost

SCHEDULES = {"drm": None, "fixed": "fixed"}  # None: as the checkpoint says


def timed(
    model: LearnIRModel, y: torch.Tensor, scales: str | None, mirror: bool
) -> tuple[float, torch.Tensor]:
    """Seconds of one sampling run, and its result."""
    generator = torch.Generator().manual_seed(0)
    start = time.perf_counter()
    with torch.inference_mode():
        restored = model.sample(y, scales=scales, mirror=mirror, generator=generator)
    return time.perf_counter() - start, restored


def measure(model: LearnIRModel, size: int, mirror: bool, repeats: int) -> dict:
    """Median seconds and mean PSNR of both schedules over the quick start's shadows."""
    faces = list(shadowed_faces(size, 0))
    seconds: dict[str, list[float]] = {name: [] for name in SCHEDULES}
    quality: dict[str, float] = {}
    for scales in SCHEDULES.values():  # the first call of each size warms caches up
        timed(model, to_tensor(faces[0][1]), scales, mirror)
    for _ in range(repeats):
        for name, scales in SCHEDULES.items():
            scores = []
            for _, shadowed, clean in faces:
                took, restored = timed(model, to_tensor(shadowed), scales, mirror)
                seconds[name].append(took)
                scores.append(psnr(to_picture(restored)[0], clean))
            quality[name] = statistics.mean(scores)
    rows = {
        name: {"seconds": statistics.median(seconds[name]), "psnr": quality[name]}
        for name in SCHEDULES
    }
    floor = (relative_cost(model.scales) + mirror) / (len(model.scales) + mirror)
    return {
        "size": size,
        "mirror": mirror,
        "scales": list(model.scales),
        **rows,
        "ratio": rows["drm"]["seconds"] / rows["fixed"]["seconds"],
        "floor": floor,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("checkpoint", nargs="?", default=None, help="default: the shipped weights")
    parser.add_argument("--size", type=int, nargs="+", default=[256, 320, 512])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    model = load_checkpoint(options.checkpoint).folded()
    found = [
        measure(model, size, mirror, options.repeats)
        for size in options.size
        for mirror in (False, True)
    ]
    for row in found:
        drm, fixed = row["drm"], row["fixed"]
        print(
            f"{row['size']} px{', mirror images' * row['mirror']}: DRM {drm['seconds']:.3f} s, "
            f"fixed {fixed['seconds']:.3f} s, ratio {row['ratio']:.2f} "
            f"(multiply-adds {row['floor']:.2f}); PSNR {drm['psnr']:.2f} and {fixed['psnr']:.2f} dB"
        )
    if options.out:
        result = {"threads": torch.get_num_threads(), "rows": found}
        write_result(options.out, result, options.checkpoint)
    else:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
