"""One evaluation of the network: as it is trained, and folded for restoring (networks/folded.py).

    python scripts/bench_network.py [CHECKPOINT] [--repeats 40] [-o docs/results/network.json]

The two take turns, so that other work on the machine slows both alike; the fastest of all repeats
is kept, as what disturbs only ever adds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from result_files import write_result

from learnir.checkpoint import load_checkpoint
from learnir.model import LearnIRModel

SIZES = (256, 128, 64)  # pixels: the shipped schedule's full, half and quarter size
RESULT = Path("docs/results/network.json")


def measure(models: dict[str, LearnIRModel], size: int, repeats: int) -> dict:
    """Seconds of each model, and how far the outputs of the two differ."""
    z = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    seconds, outputs = dict.fromkeys(models, float("inf")), {}
    with torch.inference_mode():
        for _ in range(repeats):
            for name, model in models.items():
                start = time.perf_counter()
                outputs[name] = model.residual(z, z, 1, model.schedule)
                seconds[name] = min(seconds[name], time.perf_counter() - start)
    one, other = outputs.values()
    return {"size": size, "seconds": seconds, "difference": float((one - other).abs().max())}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("checkpoint", nargs="?", default=None, help="default: the shipped weights")
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("-o", "--out", type=Path, default=RESULT)
    options = parser.parse_args()
    model = load_checkpoint(options.checkpoint)
    models = {"as trained": model, "folded": model.folded()}
    rows = [measure(models, size, options.repeats) for size in SIZES]
    for row in rows:
        print(row)
    found = {"threads": torch.get_num_threads(), "rows": rows}
    write_result(options.out, found, options.checkpoint)


if __name__ == "__main__":
    main()
