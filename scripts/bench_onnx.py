"""ONNX Runtime against PyTorch: the same sampler, both schedules, taking turns.

python scripts/bench_onnx.py [CHECKPOINT] [-o docs/results/onnx.json]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from result_files import write_result

from demo.quickstart import shadowed_faces
from learnir.checkpoint import load_checkpoint
from learnir.export import Sampler, export_onnx, noise_for, session
from learnir.images import to_tensor

RESULT = Path(__file__).resolve().parents[1] / "docs" / "results" / "onnx.json"
SCHEDULES = {"drm": None, "fixed": "fixed"}  # None: as the checkpoint says
SIZES = (256, 512)
Run = Callable[[np.ndarray, dict[str, np.ndarray]], np.ndarray]


def cases(
    checkpoint: str | None, folder: Path
) -> tuple[dict[tuple[str, str], tuple[Run, tuple]], dict[str, dict[str, float]]]:
    """(engine, schedule) -> how to run it, and its draws; schedule -> what exporting took."""
    model, found, exports = load_checkpoint(checkpoint), {}, {}
    fast = model.folded()
    for name, scales in SCHEDULES.items():
        began = time.perf_counter()
        graph = export_onnx(model, folder / f"{name}.onnx", scales=scales)
        seconds = time.perf_counter() - began
        exports[name] = {"seconds": seconds, "mib": graph.path.stat().st_size / 2**20}
        sampler, graph_run = Sampler(fast, {"scales": scales}), session(graph.path)

        def in_torch(y: np.ndarray, noise: dict, sampler: Sampler = sampler) -> np.ndarray:
            with torch.inference_mode():
                return sampler(*map(torch.from_numpy, (y, *noise.values()))).numpy()

        def in_onnx(y: np.ndarray, noise: dict, run: Callable = graph_run) -> np.ndarray:
            return run({"observed": y, **noise})

        found["PyTorch", name] = in_torch, graph.draws
        found["ONNX Runtime", name] = in_onnx, graph.draws
    return found, exports


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("checkpoint", nargs="?", default=None, help="default: the shipped weights")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("-o", "--out", type=Path, default=RESULT)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        runs, exports = cases(options.checkpoint, Path(folder))
        rows = [measure(runs, size, options.repeats) for size in SIZES]
    for row in (*rows, exports):
        print(row)
    found = {"threads": torch.get_num_threads(), "rows": rows, "exports": exports}
    write_result(options.out, found, options.checkpoint)


def measure(runs: dict, size: int, repeats: int) -> dict[str, object]:
    """Median seconds of each case on one shadowed face, and the largest difference of the two."""
    _, shadowed, _ = next(iter(shadowed_faces(size, 0)))
    y = to_tensor(shadowed).numpy()
    seconds: dict[tuple[str, str], list[float]] = {case: [] for case in runs}
    results = {}
    for turn in range(repeats + 1):  # the first warms up
        for case, (run, draws) in runs.items():
            noise = noise_for(draws, size, size)
            time.sleep(0.05)  # ONNX Runtime's threads go on spinning for a while
            start = time.perf_counter()
            results[case] = run(y, noise)
            if turn:
                seconds[case].append(time.perf_counter() - start)
    medians = {f"{engine}, {name}": statistics.median(s) for (engine, name), s in seconds.items()}
    apart = [
        float(np.abs(results["PyTorch", n] - results["ONNX Runtime", n]).max()) for n in SCHEDULES
    ]
    return {"size": size, "seconds": medians, "difference": max(apart)}


if __name__ == "__main__":
    main()
