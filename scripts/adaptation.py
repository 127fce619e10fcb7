"""A frozen model moved to another domain by few real pairs: what the correction branch gains.

    python scripts/adaptation.py --data SRD_TRAIN --test SRD_TEST --other UCB [--iterations 400]

Fits the branch (``learnir adapt``) beside the shipped, frozen denoiser to the first 8, 16 and 32
pairs of --data, three seeds each, and scores the result at 256 x 256 on --test, the same domain,
and on --other, which should not get worse. Pairs of --test whose scene is known to be among those
of --data (``bench_suite.SEEN``) are left out. Writes docs/results/adaptation.json and the table of
docs/ablation.md. Finished fits of the same weights are not made again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from bench_suite import SEEN
from fill_page import fill, markdown
from result_files import dated, read_result, shipped_hash, write_result
from score_weights import compare

from learnir import LearnIR
from learnir.checkpoint import SHIPPED
from learnir.training.command import adapt
from learnir.training.data import open_pairs
from learnir.writing import write_json

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results" / "adaptation.json"
PAIRS, SEEDS = (8, 16, 32), (0, 1, 2)
METRICS = {"psnr": ("PSNR", 2), "ssim": ("SSIM", 3), "lpips_alex": ("LPIPS", 3)}


def fitted(k: int, seed: int, options: argparse.Namespace) -> tuple[Path, float]:
    """The folder of one fit, made unless it is there, and the seconds it took."""
    folder = options.out / shipped_hash() / f"{k}-{seed}"
    clock = folder / "seconds.json"
    if not clock.exists():
        began = time.perf_counter()
        adapt(
            None,
            [options.data],
            folder,
            pairs=k,
            iterations=options.iterations,
            resume=True,
            seed=seed,
            device="cpu",
        )
        write_json(clock, {"seconds": time.perf_counter() - began})
    return folder / "last", json.loads(clock.read_text())["seconds"]


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row per fit and a test set; k = 0 is the shipped model as it is."""
    sets = {"same domain": options.test, "other": options.other}
    fits = [(0, 0), *((k, seed) for k in PAIRS for seed in SEEDS)]
    for k, seed in fits:
        folder, seconds = fitted(k, seed, options) if k else (SHIPPED, 0.0)
        learnir = LearnIR.from_pretrained(folder)
        for name, data in sets.items():
            pairs = [pair for pair in open_pairs(data, "all") if pair.name not in SEEN]
            scores, _ = compare(learnir, pairs, 256, {})
            yield {"k": k, "seed": seed, "set": name, "fit_seconds": seconds, **scores}


def table(found: list[dict[str, Any]]) -> str:
    """Means over seeds with their standard deviation, one line a number of pairs."""
    names = list(dict.fromkeys(row["set"] for row in found))
    head = ["pairs", "seconds to fit"]
    head += [f"{name}: {label}" for name in names for label, _ in METRICS.values()]
    lines: list[list[object]] = [head]
    for k in dict.fromkeys(row["k"] for row in found):
        own = [row for row in found if row["k"] == k]
        took = f"{np.mean([row['fit_seconds'] for row in own]):.0f}" if k else ""
        line: list[object] = [k or "none (shipped)", took]
        for name in names:
            part = [row["restored"] for row in own if row["set"] == name]
            line += [_spread([r[m] for r in part], n) for m, (_, n) in METRICS.items()]
        lines.append(line)
    return markdown(lines)


def write_page() -> None:
    """The table of docs/ablation.md from the stored result."""
    found = read_result(RESULTS)
    fill(ROOT / "docs" / "ablation.md", "adaptation", dated(table(found["rows"]), found))


def _spread(values: list[float], digits: int) -> str:
    told = f"{np.mean(values):.{digits}f}"
    return f"{told} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else told


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", required=True, help="folder of pairs of the new domain")
    parser.add_argument("--test", required=True, help="other pairs of that domain")
    parser.add_argument("--other", required=True, help="pairs of the model's own domain")
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "adaptation")
    options = parser.parse_args()
    found = list(rows(options))
    write_result(RESULTS, {"iterations": options.iterations, "rows": found})
    write_page()


if __name__ == "__main__":
    main()
