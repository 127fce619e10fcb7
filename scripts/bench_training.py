"""Training speed: images per second, TFLOP/s, its share of a measured matrix product, peak memory.

    python scripts/bench_training.py --data layers.npz [--preset release] [--compile dynamic]

Runs the steps of each stage of a preset as training does (drawing pairs, rollouts, optimiser and
averaging included) after a warm-up over all step kinds, and prints one line per stage.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator

import numpy as np
import torch

from learnir.model import LearnIRModel
from learnir.training.ema import EMA
from learnir.training.layers import load_layers
from learnir.training.presets import PRESETS, Stage, TrainConfig
from learnir.training.sources import Scenes, Source
from learnir.training.step import Draw, TrainStep, draw_step


def matmul_peak(device: torch.device) -> float:
    """FLOP/s of a large bf16 matrix product on random data."""
    n = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    _wait(device)
    start = time.perf_counter()
    for _ in range(10):
        a @ b
    _wait(device)
    return 10 * 2 * n**3 / (time.perf_counter() - start)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def macs(model: LearnIRModel, size: int, device: torch.device) -> float:
    """Multiply-accumulates of one denoiser evaluation on one picture of ``size``."""
    from torch.utils.flop_counter import FlopCounterMode

    z = torch.zeros(1, 3, size, size, device=device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.residual(z, z, 1, model.schedule)
    return counter.get_total_flops() / 2


def step_flops(model: LearnIRModel, stage: Stage, draw: Draw, full: float) -> float:
    """Operations of one training step: forward and backward, and the rollout before it."""
    scales = draw.scales
    share = {t: 1 / scales[t - 1] ** 2 for t in range(1, len(scales) + 1)}
    rollout = sum(share[t] for t in range(draw.t + 1, len(scales) + 1)) if draw.rollout else 0
    return 2 * full * stage.batch * (3 * share[draw.t] + rollout)


def draws(config: TrainConfig, stage: Stage, count: int) -> Iterator[Draw]:
    for step in range(count):
        yield draw_step(config, stage, 10_000 + step, np.random.default_rng([0, step]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--preset", default="release")
    parser.add_argument("--compile", choices=["no", "dynamic", "static"], default="static")
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--width", type=int, default=0)
    parser.add_argument("--stages", type=int, nargs="*", default=None)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--memory-format", choices=["last", "first"], default="last")
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")
    torch._dynamo.config.recompile_limit = 64
    config = PRESETS[options.preset]
    if options.width:
        arguments = {**config.model.network_args, "width": options.width}
        config = dataclasses.replace(
            config, model=dataclasses.replace(config.model, network_args=arguments)
        )
    peak = matmul_peak(device)
    layers = [load_layers(path) for path in options.data]
    for number, stage in enumerate(config.stages):
        if options.stages is not None and number not in options.stages:
            continue
        batch = options.batch or stage.batch
        result = measure(config, dataclasses.replace(stage, batch=batch), layers, device, options)
        result["share_of_peak"] = result["tflops"] * 1e12 / peak
        print(json.dumps({k: round(v, 4) for k, v in result.items()}), flush=True)


def measure(config, stage, layers, device, options) -> dict[str, float]:
    """Seconds per step and what follows from it, for one stage."""
    torch.manual_seed(0)
    model = LearnIRModel(config.model)
    full = macs(model, stage.size, torch.device("cpu"))
    ema = EMA(model, config.ema)
    form = torch.channels_last if options.memory_format == "last" else torch.contiguous_format
    model.to(device, memory_format=form)
    ema.model.to(device, memory_format=form)
    optimizer = torch.optim.AdamW(model.denoiser.parameters(), lr=1e-6)
    if options.compile != "no":
        model.denoiser.compile(dynamic=options.compile == "dynamic")
    source = Source([Scenes(config, one, device) for one in layers], config.seed)
    step = TrainStep(model, config)
    kind = device.type

    def run(number: int, draw: Draw) -> None:
        generator = torch.Generator(device).manual_seed(number)
        rng = np.random.default_rng(number)
        prepared = source.prepare(stage, number * stage.batch, stage.batch, rng)
        y, x = source.finish(stage, prepared, generator)
        with torch.autocast(kind, dtype=torch.bfloat16):
            loss = step(y, x, draw, stage.part, generator)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        optimizer.zero_grad()
        ema.update(model, number)

    start = time.perf_counter()
    for number, draw in enumerate(draws(config, stage, 40)):
        run(number, draw)
    _wait(device)
    warm = time.perf_counter() - start
    chosen = list(draws(config, stage, options.steps))
    start = time.perf_counter()
    for number, draw in enumerate(chosen):
        run(number, draw)
    _wait(device)
    seconds = (time.perf_counter() - start) / len(chosen)
    start = time.perf_counter()
    for number in range(10):
        generator = torch.Generator(device).manual_seed(number)
        prepared = source.prepare(stage, number, stage.batch, np.random.default_rng(0))
        source.finish(stage, prepared, generator)
    _wait(device)
    flops = sum(step_flops(model, stage, draw, full) for draw in chosen) / len(chosen)
    return {
        "size": stage.size,
        "batch": stage.batch,
        "warm_up_s": warm,
        "step_ms": 1e3 * seconds,
        "drawing_ms": 100 * (time.perf_counter() - start),
        "images_per_second": stage.batch / seconds,
        "tflops": flops / seconds / 1e12,
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30 if kind == "cuda" else 0.0,
    }


if __name__ == "__main__":
    main()
