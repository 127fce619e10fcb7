"""What a training run on a GPU did, from its log: pairs a second, TFLOP/s, share of time busy.

    python scripts/training_speed.py RUN/log.jsonl --config RUN/last/training.json \\
        --usage usage.csv --device "NVIDIA H200" -o docs/results/training.json

``usage.csv`` is what ``nvidia-smi --query-gpu=utilization.gpu,memory.used
--format=csv,noheader,nounits -l 5`` printed beside the run. Steps, and with them the operations,
are functions of the configuration; the seconds follow from the log's pairs a second.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import numpy as np
from bench_training import evaluations, macs_per_pixel

from learnir.training.batches import at_its_resolution
from learnir.training.pace import Pace, pace_of
from learnir.training.presets import TrainConfig
from learnir.training.step import draw_step
from learnir.writing import write_json


def work(config: TrainConfig, pace: Pace, step: int) -> tuple[int, float]:
    """Pairs of a step, and its pixels times evaluations of the network."""
    stage, first, _ = pace.at(step)
    rng = np.random.default_rng([config.seed, step, 13])
    drawn = draw_step(config, stage, step - first, rng)
    stage, draw, batch = at_its_resolution(stage, drawn)
    return batch, batch * stage.size**2 * evaluations(draw)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--usage", type=Path, required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    record = json.loads(options.config.read_text(encoding="utf-8"))
    config = TrainConfig.from_json(record["config"])
    pace = pace_of(config)
    pace.restore(record.get("pace", {}))
    pace.start(record["step"])
    rows = [json.loads(line) for line in options.log.read_text(encoding="utf-8").splitlines()]
    seconds = images = pixels = 0.0
    done = 0
    for row in (row for row in rows if "images_per_second" in row):
        steps = [work(config, pace, step) for step in range(done, row["step"])]
        pairs, done = sum(batch for batch, _ in steps), row["step"]
        images, seconds = images + pairs, seconds + pairs / row["images_per_second"]
        pixels += sum(cost for _, cost in steps)
    usage = [
        [float(value) for value in line.split(",")[:2]]
        for line in options.usage.read_text(encoding="utf-8").splitlines()
    ]
    training = [busy for busy, memory in usage if memory > 0.5 * max(m for _, m in usage)]
    found = {
        "device": options.device,
        "steps": done,
        "seconds": seconds,
        "images_per_second": images / seconds,
        "tflops": 2 * macs_per_pixel(config) * pixels / seconds / 1e12,
        "busy": statistics.mean(training) / 100,
        "memory_gib": max(memory for _, memory in usage) / 1024,
    }
    write_json(options.out, found)
    print(json.dumps({k: v if isinstance(v, str) else round(v, 3) for k, v in found.items()}))


if __name__ == "__main__":
    main()
