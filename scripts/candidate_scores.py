"""What decides between candidate weights, a line each: pairs, and pictures that have no shadow.

    python scripts/candidate_scores.py runs/a/last learnir/weights --faceshadow DIR --ucb DIR \\
        [--srd DIR] -o rows.json

Of FaceShadow the val split, as its test split is what the chosen weights are measured on.
PSNR / SSIM / LPIPS of each set at 256 x 256; PSNR of the quick start's astronauts at 512 px, of the
same without a shadow, of small ones in 1024 px, and of UCB's targets given as inputs: whoever
lightens what is dark by itself is better on the first and worse on the last.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from score_weights import (
    clean_copies,
    finite_psnr,
    load,
    pairs_of,
    restore,
    score,
    split_by_shadow,
)

from benchmarks.metrics import psnr
from demo.quickstart import shadowed_faces
from learnir import LearnIR
from learnir.training.data import open_pairs
from learnir.writing import write_json

Pictures = list[tuple[np.ndarray, np.ndarray]]
"""(input, target) of every pair, uint8."""

UNHARMED = 36.0  # dB: what a picture without a shadow may lose


def kept(learnir: LearnIR, pictures: Pictures) -> list[float]:
    """PSNR of every restored input, close-ups of small faces included."""
    return [finite_psnr(learnir.restore(y, seed=0).picture, x) for y, x in pictures]


def candidate(
    checkpoint: str, sets: dict[str, Pictures], faces: dict[str, Pictures]
) -> dict[str, Any]:
    """One row: scores of the sets, PSNR of every astronaut."""
    learnir = LearnIR.from_pretrained(checkpoint)
    row: dict[str, Any] = {"checkpoint": checkpoint}
    for name, pictures in sets.items():
        results = restore(learnir, [y for y, _ in pictures], {})
        row[name] = score(results, [x for _, x in pictures])
        if name.endswith("clean"):
            lost = [psnr(a, x) < UNHARMED for a, (_, x) in zip(results, pictures, strict=True)]
            row[name]["harmed"] = sum(lost)
    return row | {name: kept(learnir, pictures) for name, pictures in faces.items()}


def described(row: dict[str, Any]) -> str:
    """A row as one line of text."""
    parts = [row["checkpoint"]]
    for name, found in row.items():
        if isinstance(found, dict):
            numbers = (
                f"{found['psnr']:.2f} / {found['ssim']:.4f} / {found.get('lpips_alex', np.nan):.4f}"
            )
            harmed = f", {found['harmed']} under {UNHARMED:.0f} dB" if "harmed" in found else ""
            parts.append(f"{name} {numbers}{harmed}")
        elif isinstance(found, list):
            each = " ".join(f"{value:.1f}" for value in found)
            parts.append(f"{name} {np.mean(found):.2f} ({each})")
    return " | ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("--faceshadow", type=Path, required=True)
    parser.add_argument("--ucb", type=Path, required=True)
    parser.add_argument("--srd", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    shadowed, _ = split_by_shadow(open_pairs(options.faceshadow, "val"))
    ucb = pairs_of(options.ucb, "all")
    chosen = {"FaceShadow": shadowed, "UCB": ucb, "UCB clean": clean_copies(ucb)}
    if options.srd:
        chosen["SRD"] = pairs_of(options.srd, "all")
    sets = {name: load(pairs, 256) for name, pairs in chosen.items()}
    small, wide = ([(y, x) for _, y, x in shadowed_faces(size, 0)] for size in (512, 1024))
    faces = {"astronaut": small, "astronaut clean": [(x, x) for _, x in small], "small": wide}
    rows = []
    for checkpoint in options.checkpoints:
        rows.append(candidate(checkpoint, sets, faces))
        print(described(rows[-1]), flush=True)
        write_json(options.out, {"rows": rows})


if __name__ == "__main__":
    main()
