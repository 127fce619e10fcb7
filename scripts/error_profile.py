"""Where the error of a checkpoint lies: at which scale, in the texture, across the shadow's edge.

    python scripts/error_profile.py learnir/weights PAIRS [...] [--split test] [--limit 64]

One column a folder of pairs, restored at 256 x 256. Texture: what a Gaussian of 1.5 pixels takes
away, well inside the shadow; its contrast beside the target's (1 is right) and the correlation with
the target's (photographed pairs are never quite aligned, so theirs is low). Edge: the median error
log(restored / target) in linear light at a signed distance from the shadow's edge, inside positive.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from fill_page import markdown
from score_weights import load, pairs_of, restore, split_by_shadow

from learnir import LearnIR
from learnir.images import decode_linear
from learnir.training.data import Pair

SIDE = 256
FLOOR = 4e-3  # linear light under which a ratio says nothing
DEEP = 0.5  # log units: a shadow, not shading
SCALES = (2, 8, 32)  # pixels
DISTANCES = (-4, -2, 0, 2, 4, 8, 12)  # pixels
FACE = (slice(50, 215), slice(60, 196))  # where the frame holds the face


def blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), sigma)


def log_light(picture: np.ndarray) -> np.ndarray:
    """Log of linear light, blurred by a pixel."""
    return np.log(blurred(decode_linear(picture), 1) + FLOOR)


def shadow_of(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """uint8 (H, W), 1 where the target is brighter by more than DEEP; specks removed."""
    gain = (log_light(x) - log_light(y)).mean(axis=-1)
    deep, box = (blurred(gain, 1.5) > DEEP).astype(np.uint8), np.ones((5, 5), np.uint8)
    return cv2.morphologyEx(cv2.morphologyEx(deep, cv2.MORPH_OPEN, box), cv2.MORPH_CLOSE, box)


def shares(r: np.ndarray, x: np.ndarray) -> list[float]:
    """The share of the squared error that a Gaussian of each of SCALES leaves."""
    error = r.astype(np.float32) - x
    total = max(float((error**2).mean()), 1e-9)
    return [float((blurred(error, sigma) ** 2).mean()) / total for sigma in SCALES]


def texture(r: np.ndarray, x: np.ndarray, shadow: np.ndarray) -> tuple[float, float]:
    """Contrast relative to the target's, and correlation with it; NaN where there is no shadow."""
    core = cv2.erode(shadow, np.ones((9, 9), np.uint8)) > 0
    if core.sum() < 500:
        return np.nan, np.nan
    ours, theirs = (
        (p - blurred(p, 1.5))[core].ravel() for p in (r.astype(np.float32), x.astype(np.float32))
    )
    return float(ours.std() / theirs.std()), float(np.corrcoef(ours, theirs)[0, 1])


def across_edge(r: np.ndarray, x: np.ndarray, shadow: np.ndarray) -> list[float]:
    """Median log(restored / target) of the channels' mean at each of DISTANCES."""
    inside = cv2.distanceTransform(shadow, cv2.DIST_L2, 5)
    outside = cv2.distanceTransform(1 - shadow, cv2.DIST_L2, 5)
    distance = np.where(shadow > 0, inside - 0.5, 0.5 - outside)[FACE]
    error = (log_light(r) - log_light(x)).mean(axis=-1)[FACE]
    rings = (np.abs(distance - d) <= 0.5 for d in DISTANCES)
    return [float(np.median(error[ring])) if ring.sum() >= 20 else np.nan for ring in rings]


def shadowed(folder: Path, split: str) -> list[Pair]:
    return split_by_shadow(pairs_of(folder, split))[0]


def column(learnir: LearnIR, pairs: Sequence[Pair]) -> list[str]:
    """The cells of one folder."""
    loaded = load(pairs, SIDE)
    results = restore(learnir, [y for y, _ in loaded], {})
    rows = []
    for (y, x), r in zip(loaded, results, strict=True):
        shadow = shadow_of(y, x)
        rows.append([*shares(r, x), *texture(r, x, shadow), *across_edge(r, x, shadow)])
    means = np.nanmean(rows, axis=0)
    count = len(SCALES)
    return (
        [f"{share:.0%}" for share in means[:count]]
        + [f"{value:.2f}" for value in means[count : count + 2]]
        + [f"{error:+.3f}" for error in means[count + 2 :]]
    )


def asked_for(about: str | None) -> argparse.Namespace:
    """The command line: a checkpoint and folders of pairs."""
    parser = argparse.ArgumentParser(description=(about or "").split("\n\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, default=64, help="shadowed pairs of each folder")
    return parser.parse_args()


def main() -> None:
    options = asked_for(__doc__)
    learnir = LearnIR.from_pretrained(options.checkpoint)
    names = [
        "",
        *(f"share of the squared error coarser than {sigma} px" for sigma in SCALES),
        "texture in the shadow: contrast beside the target's",
        "texture in the shadow: correlation with the target's",
        *(f"error at {d:+d} px from the edge, log units" for d in DISTANCES),
    ]
    columns = [
        [folder.name, *column(learnir, shadowed(folder, options.split)[: options.limit])]
        for folder in options.folders
    ]
    print(markdown(list(zip(names, *columns, strict=True))))


if __name__ == "__main__":
    main()
