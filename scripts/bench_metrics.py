"""Pictures scored per second: ours against the reference packages, and torchmetrics if installed.

    python scripts/bench_metrics.py [--pairs 100] [-o docs/results/metrics.json]

PSNR, SSIM and LPIPS-alex of 100 pairs of 256 x 256; the two take turns in one run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.pairs import Pair
from benchmarks.perceptual import lpips_batch, network, why_missing
from benchmarks.protocols import PROTOCOLS
from benchmarks.scoring import Judge
from learnir.images import to_tensor
from learnir.writing import write_json

Pictures = list[np.ndarray]


def pictures(count: int) -> tuple[Pictures, Pictures]:
    """Rendered results and targets, uint8 256 x 256."""
    import cv2

    rng = np.random.default_rng(0)
    targets = []
    for _ in range(count):
        small = rng.uniform(0, 255, (16, 16, 3)).astype(np.float32)
        targets.append(np.clip(cv2.resize(small, (256, 256)), 0, 255).astype(np.uint8))
    results = [np.clip(t + rng.normal(0, 8, t.shape), 0, 255).astype(np.uint8) for t in targets]
    return results, targets


def ours(results: Pictures, targets: Pictures) -> None:
    """The runner's own judge: also the Lab metrics and the input row."""
    judge = Judge(PROTOCOLS["256-v1"])
    pairs = [Pair(str(i), str(i), t, t, None) for i, t in enumerate(targets)]
    for i in range(0, len(pairs), 16):
        judge.score(results[i : i + 16], pairs[i : i + 16])


def plain(results: Pictures, targets: Pictures) -> None:
    """One picture at a time through scikit-image and lpips, as most scripts do."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    model = network("alex")
    for a, b in zip(results, targets, strict=True):
        peak_signal_noise_ratio(b, a, data_range=255)
        structural_similarity(a, b, channel_axis=2, data_range=255, **options)
        model(to_tensor(a), to_tensor(b)).item()


def by_torchmetrics(results: Pictures, targets: Pictures) -> None:
    """PSNR and SSIM by torchmetrics, batched; LPIPS by the same network."""
    import torch
    from torchmetrics.functional.image import (
        peak_signal_noise_ratio,
        structural_similarity_index_measure,
    )

    model = network("alex")
    with torch.inference_mode():
        for i in range(0, len(targets), 16):
            a, b = (to_tensor(np.stack(side[i : i + 16])) for side in (results, targets))
            peak_signal_noise_ratio(a, b, data_range=2.0, reduction="none", dim=(1, 2, 3))
            structural_similarity_index_measure(a, b, data_range=2.0, reduction="none")
            model(a, b)


def only_lpips(results: Pictures, targets: Pictures) -> None:
    """The floor: the network alone."""
    lpips_batch(results, targets)


def timed(call: Callable[[Pictures, Pictures], None], sides: tuple[Pictures, Pictures]) -> float:
    start = time.perf_counter()
    call(*sides)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    if reason := why_missing("alex"):
        raise SystemExit(reason)
    sides = pictures(options.pairs)
    scorers = {"ours": ours, "scikit-image + lpips": plain, "LPIPS alone": only_lpips}
    if find_spec("torchmetrics"):
        scorers["torchmetrics + lpips"] = by_torchmetrics
    only_lpips(sides[0][:4], sides[1][:4])
    seconds = {
        name: min(timed(s, sides) for _ in range(options.repeats)) for name, s in scorers.items()
    }
    for name, took in seconds.items():
        print(f"{name:<22}{took:6.2f} s  {options.pairs / took:6.1f} pictures/s")
    for name in scorers:
        print(f"ours / {name}: {seconds['ours'] / seconds[name]:.2f} of the time")
    if options.out:
        write_json(options.out, {"pairs": options.pairs, "seconds": seconds})


if __name__ == "__main__":
    main()
