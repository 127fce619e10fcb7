"""Training speed: images per second, TFLOP/s, its share of a measured matrix product, peak memory.

    python scripts/bench_training.py --data layers.npz --validation pairs [--preset release]

Runs steps of the preset's last stage exactly as ``learnir train`` does (drawing pairs, rollouts,
optimiser and averaging included), after one step of every kind, and prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from learnir.model import LearnIRModel
from learnir.training.command import prepare_run
from learnir.training.loop import Run
from learnir.training.presets import PRESETS, TrainConfig
from learnir.training.step import Draw


def matmul_peak(device: torch.device) -> float:
    """FLOP/s of a large bf16 matrix product on random data."""
    n = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    wait(device)
    start = time.perf_counter()
    for _ in range(10):
        a @ b
    wait(device)
    return 10 * 2 * n**3 / (time.perf_counter() - start)


def wait(device: torch.device) -> None:
    """Waits until the device has finished all work queued on it."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def macs_per_pixel(config: TrainConfig) -> float:
    """Multiply-accumulates of one denoiser evaluation, per pixel."""
    from torch.utils.flop_counter import FlopCounterMode

    model, z = LearnIRModel(config.model), torch.zeros(1, 3, 256, 256)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.residual(z, z, 1, model.schedule)
    return counter.get_total_flops() / 2 / 256**2


def evaluations(draw: Draw) -> float:
    """Cost of a step in evaluations at its own size: forward and backward are three of them."""
    rollout = draw.scales[draw.t :] if draw.rollout else ()
    return 3 / draw.scales[draw.t - 1] ** 2 + sum(1 / s**2 for s in rollout)


def measure(run: Run, steps: int) -> dict[str, float]:
    """Seconds per step and what follows from it."""
    device, config = run.accelerator.device, run.config
    run.prepare()
    first_of_kind = {}
    for number in range(steps):
        stage, draw, _ = run.batches.at(number)
        first_of_kind.setdefault((stage.size, draw), number)
    start = time.perf_counter()
    for number in first_of_kind.values():
        stage, draw, prepared = run.batches.at(number)
        run.optimise(stage, draw, *run.batches.pairs(stage, prepared, number))
    wait(device)
    warm_up = time.perf_counter() - start
    images = pixels = 0.0
    start = time.perf_counter()
    for stage, draw, y, x in run.batches.ready(0):
        run.pairs_seen = 0
        run.optimise(stage, draw, y, x)
        run.step += 1
        images += run.pairs_seen
        pixels += run.pairs_seen * stage.size**2 * evaluations(draw)
    wait(device)
    seconds = time.perf_counter() - start
    stage, _, prepared = run.batches.at(0)
    start = time.perf_counter()
    for number in range(10):
        run.batches.pairs(stage, prepared, number)
    wait(device)
    return {
        "warm_up_s": warm_up,
        "step_ms": 1e3 * seconds / steps,
        "drawing_ms": 100 * (time.perf_counter() - start),
        "images_per_second": images / seconds,
        "tflops": 2 * macs_per_pixel(config) * pixels / seconds / 1e12,
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--validation", default=None)
    parser.add_argument("--preset", default="release")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    config = PRESETS[options.preset]
    stage = replace(config.stages[-1], iterations=options.steps, rollout_from=0)
    config = replace(config, stages=(stage,), compile=config.compile and not options.no_compile)
    with tempfile.TemporaryDirectory() as folder:
        run = prepare_run(config, options.data, Path(folder), options.validation)
        result = measure(run, options.steps)
    result["share_of_peak"] = result["tflops"] * 1e12 / matmul_peak(run.accelerator.device)
    print(json.dumps({k: round(v, 4) for k, v in result.items()}), flush=True)


if __name__ == "__main__":
    main()
