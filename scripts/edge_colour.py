"""How far the colours of a shadow lag behind each other at its edge: real pairs beside synthetic.

    python scripts/edge_colour.py UCB FACESHADOW layers.npz [...] [--split test] [--limit 100]

Light that enters skin leaves it some millimetres on, red the farthest: in a shadow red is darkened
less near the edge than deep inside. Per pair, the gain log(target / input) of every channel on skin
of the middle of the picture, as a share of its own depth, by signed distance from the edge (inside
is positive). One column a folder, or archive of layers, of which pairs are drawn as a training
draws them: median over pairs of green's rise, and of red's and blue's less green's with their 10th
and 90th percentile.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from error_profile import FACE, FLOOR, SIDE
from fill_page import markdown
from score_weights import load, pairs_of

from learnir.images import decode_linear, to_picture
from learnir.training.archive import is_archive, load_archive
from learnir.training.drawing import draw_pairs

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


def across_edge(
    values: np.ndarray, g: np.ndarray, x: np.ndarray, distances: np.ndarray, ring: int
) -> np.ndarray | None:
    """Medians of ``values`` (H, W, 3) over skin at each distance from the edge of the gain g.

    (distances, 3); None where a distance has less than ``ring`` pixels.
    """
    distance, skin = distance_to_edge(g)[FACE], skin_of(x)[FACE]
    rings = [(np.abs(distance - d) <= 0.5) & skin for d in distances]
    if min(at.sum() for at in rings) < ring:
        return None
    return np.array([np.median(values[FACE][at], axis=0) for at in rings])


def profile(y: np.ndarray, x: np.ndarray) -> np.ndarray | None:
    """Every channel's rise from 0 to 1 across the edge, (distances, 3); None without an edge."""
    g = gain(y, x)
    medians = across_edge(g, g, x, DISTANCES, RING)
    if medians is None:
        return None
    low, high = medians[:3].mean(0), medians[-3:].mean(0)
    return None if (high - low).min() < DEEP else (medians - low) / (high - low)


def pictures(path: Path, split: str, limit: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """About ``limit`` pairs of a folder, or drawn from an archive, uint8."""
    if not is_archive(path):
        pairs = pairs_of(path, split)
        return load(pairs[:: max(len(pairs) // limit, 1)], SIDE)
    layers, generator = load_archive(path).layers, torch.Generator().manual_seed(0)
    scenes = torch.randint(len(layers), (limit,), generator=generator)
    y, x = draw_pairs(layers, scenes, SIDE, (0.75, 1.0), 0.0, generator)
    return [(to_picture(a), to_picture(b)) for a, b in zip(y, x, strict=True)]


def cells(values: np.ndarray) -> list[str]:
    """Median, 10th and 90th percentile over pairs, at SHOWN."""
    at = [int(np.flatnonzero(d == DISTANCES)[0]) for d in SHOWN]
    low, middle, high = np.percentile(values, [10, 50, 90], axis=0)
    return [f"{middle[i]:+.2f} [{low[i]:+.2f}, {high[i]:+.2f}]" for i in at]


def places_named(about: str | None) -> argparse.Namespace:
    """places, split and limit, from the command line of a script that ``about`` describes."""
    parser = argparse.ArgumentParser(description=(about or "").split("\n\n")[0])
    parser.add_argument("places", nargs="+", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, default=100, help="pairs of each place, about")
    return parser.parse_args()


def main() -> None:
    options = places_named(__doc__)
    columns = []
    for place in options.places:
        profiles = (profile(y, x) for y, x in pictures(place, options.split, options.limit))
        found = np.array([p for p in profiles if p is not None])
        green = found[..., 1]
        parts = [green, found[..., 0] - green, found[..., 2] - green]
        shown = (cell for part in parts for cell in cells(part))
        columns.append([f"{place.name}, {len(found)} pairs", *shown])
    rises = ("green", "red - green", "blue - green")
    names = [f"{rise}, {d:+d} px" for rise in rises for d in SHOWN]
    print(markdown(list(zip(["of the depth", *names], *columns, strict=True))))


if __name__ == "__main__":
    main()
