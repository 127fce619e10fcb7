"""How far the colours of a shadow lag behind each other at its edge: real pairs beside synthetic.

    python scripts/edge_colour.py UCB FACESHADOW [...] [--split test] [--limit 100]

Light that enters skin leaves it some millimetres on, red the farthest: in a shadow red is darkened
less near the edge than deep inside. Per pair, the gain log(target / input) of every channel on skin
of the middle of the picture, as a share of its own depth, by signed distance from the edge (inside
is positive). One column a folder: median over pairs of green's rise, and of red's less green's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from error_profile import FACE, FLOOR, SIDE
from fill_page import markdown
from score_weights import load, pairs_of

from learnir.images import decode_linear

DISTANCES = np.arange(-10, 11)  # pixels
SHOWN = (-6, -4, -2, 0, 2, 4, 6, 8)
DEEP = 0.5  # log units, of the shallowest channel
RING = 25  # pixels that a distance needs


def gain(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """log(x / y) per channel in linear light, (H, W, 3)."""
    dark, light = (cv2.GaussianBlur(decode_linear(p), (0, 0), 0.7) for p in (y, x))
    return np.log((light + FLOOR) / (dark + FLOOR))


def skin_of(x: np.ndarray) -> np.ndarray:
    """bool (H, W): lit and reddish."""
    light = decode_linear(x)
    return (light[..., 0] > 1.25 * light[..., 1]) & (light.mean(-1) > 0.08)


def distance_to_edge(g: np.ndarray) -> np.ndarray:
    """Signed pixels from the line where the shadow has half of its depth, inside positive."""
    mean = cv2.GaussianBlur(g.mean(-1), (0, 0), 1.0)
    inside = (mean > np.percentile(mean[FACE], 95) / 2).astype(np.uint8)
    box = np.ones((7, 7), np.uint8)
    inside = cv2.morphologyEx(inside, cv2.MORPH_OPEN, box)
    inside = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, box)
    within = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    without = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    return np.where(inside > 0, within - 0.5, 0.5 - without)


def profile(y: np.ndarray, x: np.ndarray) -> np.ndarray | None:
    """Every channel's rise from 0 to 1 across the edge, (distances, 3); None without an edge."""
    g = gain(y, x)
    distance, skin = distance_to_edge(g)[FACE], skin_of(x)[FACE]
    rings = [(np.abs(distance - d) <= 0.5) & skin for d in DISTANCES]
    if min(ring.sum() for ring in rings) < RING:
        return None
    medians = np.array([np.median(g[FACE][ring], axis=0) for ring in rings])
    low, high = medians[:3].mean(0), medians[-3:].mean(0)
    return None if (high - low).min() < DEEP else (medians - low) / (high - low)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, default=100, help="pairs of each folder, about")
    options = parser.parse_args()
    columns = []
    for folder in options.folders:
        pairs = pairs_of(folder, options.split)
        loaded = load(pairs[:: max(len(pairs) // options.limit, 1)], SIDE)
        found = np.array([p for p in (profile(y, x) for y, x in loaded) if p is not None])
        rise, lag = np.median(found[..., 1], 0), np.median(found[..., 0] - found[..., 1], 0)
        at = [int(np.flatnonzero(d == DISTANCES)[0]) for d in SHOWN]
        cells = [f"{rise[i]:.2f} / {lag[i]:+.2f}" for i in at]
        columns.append([f"{folder.name}, {len(found)} pairs", *cells])
    names = ["green's rise / red's less green's", *(f"{d:+d} px" for d in SHOWN)]
    print(markdown(list(zip(names, *columns, strict=True))))


if __name__ == "__main__":
    main()
