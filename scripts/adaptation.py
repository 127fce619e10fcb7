"""A frozen model moved to another domain by few real pairs: what the correction branch gains.

    python scripts/adaptation.py --data SRD_TRAIN --test SRD_TEST --other UCB [--iterations 400]
    python scripts/adaptation.py --data SRD_TRAIN --test SRD_TEST --haze I_HAZE --pairs 8

Fits the branch (``learnir adapt``) beside the shipped, frozen denoiser to the first 8, 16 and 32
pairs of --data, three seeds each, and scores the result at 256 x 256 on --test, the same domain,
and on --other, which should not get worse. Pairs of --test whose scene is known to be among those
of --data (``bench_suite.SEEN``) are left out. --haze takes a domain that the denoiser has not seen:
haze drawn over the targets of --data and --test; photographs of real haze, which no fit sees, are
scored as well. Writes docs/results/adaptation.json, or adaptation_haze.json, and the table of
docs/ablation.md. Finished fits of the same weights are not made again. Run with OMP_NUM_THREADS=1:
what a fit takes is told in seconds of all cores together.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
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
RESULTS = ROOT / "docs" / "results"
NAMES = ("adaptation", "adaptation_haze")
PAIRS, SEEDS = (8, 16, 32), (0, 1, 2)
METRICS = {"psnr": ("PSNR", 2), "ssim": ("SSIM", 3), "lpips_alex": ("LPIPS", 3)}


def hazy(clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """uint8 (H, W, 3) under haze, J t + A (1 - t): denser towards the top, and in drifts."""
    H, W = clean.shape[:2]
    rows = np.linspace(1, 0, H, dtype=np.float32)[:, None]
    drifts = rng.normal(0, 0.25, (4, 4)).astype(np.float32)
    drifts = cv2.resize(drifts, (W, H), interpolation=cv2.INTER_CUBIC)
    depth = np.clip(0.35 + 0.65 * rows + drifts, 0.05, None)
    t = np.exp(-rng.uniform(0.6, 1.8) * depth)[..., None]
    A = rng.uniform(0.7, 1.0) + rng.uniform(-0.03, 0.03, 3).astype(np.float32)[::-1]
    J = clean.astype(np.float32) / 255
    return np.rint(np.clip(J * t + A * (1 - t), 0, 1) * 255).astype(np.uint8)


def hazed(pairs: Path, out: Path) -> Path:
    """A folder of pairs: the targets of ``pairs``, at most 320 pixels wide and high, under haze."""
    for part in ("input", "target"):
        (out / part).mkdir(parents=True, exist_ok=True)
    for number, pair in enumerate(open_pairs(pairs, "all")):
        clean = pair.load()[1]
        f = min(320 / max(clean.shape), 1)
        clean = cv2.resize(clean, None, fx=f, fy=f, interpolation=cv2.INTER_AREA)
        for part, picture in (
            ("input", hazy(clean, np.random.default_rng(number))),
            ("target", clean),
        ):
            cv2.imwrite(str(out / part / f"{pair.name}.png"), picture[..., ::-1])
    return out


def fitted(k: int, seed: int, data: Path, runs: Path, iterations: int) -> tuple[Path, float]:
    """The folder of one fit, made unless it is there, and the seconds it took, of all cores."""
    folder = runs / shipped_hash() / f"{k}-{seed}"
    clock = folder / "seconds.json"
    if not clock.exists():
        began = time.process_time()
        adapt(
            None,
            [data],
            folder,
            pairs=k,
            iterations=iterations,
            resume=True,
            seed=seed,
            device="cpu",
        )
        write_json(clock, {"seconds": time.process_time() - began})
    return folder / "last", json.loads(clock.read_text())["seconds"]


def rows(options: argparse.Namespace, runs: Path) -> Iterator[dict[str, Any]]:
    """One row per fit and a test set; k = 0 is the shipped model as it is."""
    data, test = options.data, options.test
    if options.haze:
        data, test = hazed(data, runs / "data"), hazed(test, runs / "test")
    named = {"same domain": test, "real haze": options.haze, "other": options.other}
    sets = {name: place for name, place in named.items() if place}
    fits = [(0, 0), *((k, seed) for k in options.pairs for seed in options.seeds)]
    for k, seed in fits:
        folder, seconds = SHIPPED, 0.0
        if k:
            folder, seconds = fitted(k, seed, data, runs, options.iterations)
        learnir = LearnIR.from_pretrained(folder)
        for name, place in sets.items():
            pairs = [pair for pair in open_pairs(place, "all") if pair.name not in SEEN]
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
    """The tables of docs/ablation.md from the stored results."""
    for name in NAMES:
        found = read_result(RESULTS / f"{name}.json")
        fill(ROOT / "docs" / "ablation.md", name, dated(table(found["rows"]), found))


def _spread(values: list[float], digits: int) -> str:
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="pairs of the new domain")
    parser.add_argument("--test", type=Path, required=True, help="other pairs of that domain")
    parser.add_argument("--other", type=Path, help="pairs of the model's own domain")
    parser.add_argument("--haze", type=Path, help="pairs of real haze: draw haze over the others")
    parser.add_argument("--pairs", type=int, nargs="+", default=PAIRS)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--out", type=Path, default=ROOT / "runs")
    options = parser.parse_args()
    name = NAMES[options.haze is not None]
    found = list(rows(options, options.out / name))
    write_result(RESULTS / f"{name}.json", {"iterations": options.iterations, "rows": found})
    write_page()


if __name__ == "__main__":
    main()
