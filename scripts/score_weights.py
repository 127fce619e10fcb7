"""Scores a checkpoint on pairs it has never seen, at 256 x 256, and writes the table as JSON.

    python scripts/score_weights.py learnir/weights --faceshadow DIR [--ucb DIR] [-o scores.json]

--faceshadow: a built FaceShadow, whose test split holds identities outside training. --ucb: a
folder of input/ and target/ photographs. Clean faces are scored against themselves.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.learnir_methods import checkpoint_hash
from benchmarks.metrics import psnr, ssim
from benchmarks.perceptual import MetricUnavailable, lpips
from learnir import LearnIR
from learnir.describe import IDENTICAL_DB
from learnir.images import grid
from learnir.training.data import NoSplitError, Pair, open_pairs
from learnir.writing import write_json

SHADOWED = 45.0  # dB: an input this close to its target has no shadow


def load(pairs: Sequence[Pair], size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Input and target of every pair as uint8 squares."""
    return [tuple(resized(picture, size) for picture in pair.load()) for pair in pairs]


def pairs_of(folder: Path, split: str) -> list[Pair]:
    """The pairs of a split, or all of a folder that has none of that name."""
    try:
        return open_pairs(folder, split)
    except NoSplitError:
        return open_pairs(folder, "all")


def resized(picture: np.ndarray, size: int) -> np.ndarray:
    if picture.shape[:2] == (size, size):
        return picture
    return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)


def restore(learnir: LearnIR, pictures: Sequence[np.ndarray], options: dict) -> list[np.ndarray]:
    """Every picture through the pipeline, without a second look at faces."""
    return [learnir.restore(p, seed=0, faces=False, **options).picture for p in pictures]


def finite_psnr(result: np.ndarray, target: np.ndarray) -> float:
    """PSNR in dB, at most IDENTICAL_DB, so that means can be taken."""
    return min(psnr(result, target), IDENTICAL_DB)


def score(results: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> dict[str, float]:
    """Means of per-picture metrics; LPIPS only where its weights are at hand."""
    pairs = list(zip(results, targets, strict=True))
    row = {
        "psnr": float(np.mean([finite_psnr(a, b) for a, b in pairs])),
        "ssim": float(np.mean([ssim(a, b) for a, b in pairs])),
    }
    try:
        row["lpips_alex"] = float(np.mean([lpips(a, b) for a, b in pairs]))
    except MetricUnavailable as error:
        print(f"no LPIPS: {error}")
    return row


def compare(learnir: LearnIR, pairs: Sequence[Pair], size: int, options: dict) -> tuple[dict, list]:
    """Scores of the inputs and of the results, seconds a picture, and the pictures."""
    loaded = load(pairs, size)
    inputs, targets = [y for y, _ in loaded], [x for _, x in loaded]
    start = time.perf_counter()
    results = restore(learnir, inputs, options)
    seconds = (time.perf_counter() - start) / len(inputs)
    row = {
        "pairs": len(loaded),
        "input": score(inputs, targets),
        "restored": score(results, targets),
        "seconds": seconds,
    }
    return row, [list(trio) for trio in zip(inputs, results, targets, strict=True)]


def split_by_shadow(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Pairs with a shadow, and those whose input is (nearly) the target."""
    shadowed, clean = [], []
    for pair in pairs:
        (shadowed if psnr(*pair.load()) < SHADOWED else clean).append(pair)
    return shadowed, clean


def clean_copies(pairs: Sequence[Pair]) -> list[Pair]:
    """The targets as inputs."""
    return [Pair(pair.name, pair.read_target, pair.read_target) for pair in pairs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("--faceshadow", type=Path)
    parser.add_argument("--ucb", type=Path)
    parser.add_argument("--limit", type=int, default=256)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--scales", default=None)
    parser.add_argument("--correction", default=None)
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--sheet", type=Path, help="folder for contact sheets (never commit them)")
    options = parser.parse_args()
    learnir = LearnIR.from_pretrained(options.checkpoint)
    sampling = {"scales": options.scales, "correction": options.correction}
    sets: dict[str, list[Pair]] = {}
    if options.faceshadow:
        pairs = open_pairs(options.faceshadow, "test")
        shadowed, _ = split_by_shadow(pairs[:: -(-len(pairs) // options.limit)])
        sets["FaceShadow test, shadowed"] = shadowed
        sets["FaceShadow test, clean faces"] = clean_copies(shadowed)
    if options.ucb:
        sets["UCB dev, real photographs"] = open_pairs(options.ucb, "all")
    table = {}
    for name, pairs in sets.items():
        row, pictures = compare(learnir, pairs, options.size, sampling)
        table[name] = {"weights": checkpoint_hash(options.checkpoint)} | row
        print(name, json.dumps(table[name]), flush=True)
        if options.sheet:
            write_sheet(options.sheet / f"{name.replace(' ', '_').replace(',', '')}.png", pictures)
    if options.out:
        write_json(options.out, table)


def write_sheet(path: Path, pictures: list) -> None:
    """Input | restored | target, four trios a row."""
    rows = [[p for trio in pictures[i : i + 4] for p in trio] for i in range(0, len(pictures), 4)]
    sheet = grid(rows[:16])
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), sheet[..., ::-1])


if __name__ == "__main__":
    main()
