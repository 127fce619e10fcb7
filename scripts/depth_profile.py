"""How far the light that checkpoints give back follows the light that was taken, by depth.

    python scripts/depth_profile.py PAIRS CHECKPOINT [CHECKPOINT ...] [--split test] [--limit 64]

Per pixel of skin in the middle of the pictures, log(target / input) in linear light, mean of the
channels, blurred by 3 pixels, is the gain to be found. A row an interval of it: how much of the
skin lies there, then for every checkpoint the mean error of its own gain and the 90th percentile of
that gain. A percentile that stays while the true gain rises is a ceiling.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from edge_colour import gain, skin_of
from error_profile import FACE, SIDE, shadowed
from fill_page import markdown
from score_weights import load, restore

from learnir import LearnIR

STARTS = (-0.1, 0.2, 0.5, 0.8, 1.1, 1.4, 1.7, 2.0, 2.3, 2.6)  # log units; the last is open
FEW = 100  # pixels that say nothing


def gain_of_skin(y: np.ndarray, to: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The blurred gain from y to another picture, where x shows skin; (N,)."""
    smooth = cv2.GaussianBlur(gain(y, to).mean(axis=-1).astype(np.float32), (0, 0), 3)
    return smooth[FACE][skin_of(x)[FACE]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("pairs", type=Path)
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, default=64, help="shadowed pairs")
    options = parser.parse_args()
    pairs = load(shadowed(options.pairs, options.split)[: options.limit], SIDE)
    true = np.concatenate([gain_of_skin(y, x, x) for y, x in pairs])
    which = np.digitize(true, STARTS)
    inside = [which == 1 + i for i in range(len(STARTS))]
    columns = [
        ["true gain, from", *(f"{start:.1f}" for start in STARTS)],
        ["share of skin", *(f"{rows.mean():.3f}" for rows in inside)],
    ]
    for checkpoint in options.checkpoints:
        restored = restore(LearnIR.from_pretrained(checkpoint), [y for y, _ in pairs], {})
        found = np.concatenate(
            [gain_of_skin(y, r, x) for (y, x), r in zip(pairs, restored, strict=True)]
        )
        cells = [
            f"{(found - true)[rows].mean():+.2f}, {np.quantile(found[rows], 0.9):.2f}"
            if rows.sum() >= FEW
            else "-"
            for rows in inside
        ]
        columns.append([f"{checkpoint}: error, 90 %", *cells])
    print(markdown(list(zip(*columns, strict=True))))


if __name__ == "__main__":
    main()
