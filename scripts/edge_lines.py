"""Lines that restorations leave where the edge of a shadow was: what the eye finds first.

    python scripts/edge_lines.py UCB CHECKPOINT [...] [--split test]

Per pair, the error of the restored gain log(result / input) against the true one, medians over
rings of skin at equal signed distance from the edge; a line is what departs, from 3 px outside to
5 px inside, from the straight line through both sides. Root mean square of that, mean over pairs,
in log units: of the channels' mean (lines), and of red less green and blue less green (coloured
fringes). Restored in one look, as boards are scored.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from edge_colour import across_edge, gain
from error_profile import SIDE
from fill_page import markdown
from score_weights import load, pairs_of

from learnir import LearnIR

DISTANCES = np.arange(-12, 17)  # pixels, inside positive
NEAR = (DISTANCES >= -3) & (DISTANCES <= 5)
RING = 15  # pixels that a distance needs

Pair = tuple[np.ndarray, np.ndarray]


def error_rings(y: np.ndarray, x: np.ndarray, restored: np.ndarray) -> np.ndarray | None:
    """Median error of every channel's gain at each distance, (distances, 3); None if few pixels."""
    true = gain(y, x)
    return across_edge(gain(y, restored) - true, true, x, DISTANCES, RING)


def departure(profile: np.ndarray) -> float:
    """Root mean square, near the edge, about the straight line through what is farther."""
    line = np.polyval(np.polyfit(DISTANCES[~NEAR], profile[~NEAR], 1), DISTANCES)
    return float(np.sqrt(((profile - line)[NEAR] ** 2).mean()))


def rings_of(checkpoint: str, pairs: list[Pair]) -> Iterator[np.ndarray]:
    """``error_rings`` of every pair that has a long enough edge on skin."""
    learnir = LearnIR.from_pretrained(checkpoint, device="cpu")
    for y, x in pairs:
        rings = error_rings(y, x, learnir.restore(y, seed=0, faces=False).picture)
        if rings is not None:
            yield rings


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("pairs", type=Path)
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("--split", default="test")
    options = parser.parse_args()
    pairs = load(pairs_of(options.pairs, options.split), SIDE)
    rows = []
    for checkpoint in options.checkpoints:
        found = list(rings_of(checkpoint, pairs))
        departures = [
            [departure(r.mean(-1)), departure(r[:, 0] - r[:, 1]), departure(r[:, 2] - r[:, 1])]
            for r in found
        ]
        rows.append(
            [checkpoint, str(len(found)), *(f"{m:.4f}" for m in np.mean(departures, axis=0))]
        )
    columns = ["weights", "pairs", "lines", "red - green", "blue - green"]
    print(markdown([columns, *rows]))


if __name__ == "__main__":
    main()
