"""How deep, blue and uneven the shadows of paired data are: real pairs beside synthetic ones.

    python scripts/shadow_statistics.py UCB FACESHADOW [...] [--split test] [--limit 200]

One column a folder of pairs: medians over pictures, 5th and 95th percentile in brackets. What is
compared is the gain that takes the shadow away, log(target / input) in linear light, in the middle
of the picture and well inside the shadow, both pictures blurred so that texture and small movements
do not count. A recipe whose columns differ from the real one teaches the wrong shadows.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from fill_page import markdown
from score_weights import pairs_of

from learnir.images import decode_linear

SIDE = 256
FLOOR = 2e-3  # linear light under which a ratio says nothing
DEEP = 0.5  # log units: a shadow, not shading
ROWS = ("gain, log units", "its deviation within a picture", "blue over green", "red over green")


def gain(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """log(x / y) per channel, of uint8 pictures blurred at 4 pixels of 256; (256, 256, 3)."""
    small = (cv2.resize(p, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for p in (y, x))
    dark, light = (cv2.GaussianBlur(decode_linear(p), (0, 0), 4) for p in small)
    return np.log((light + FLOOR) / (dark + FLOOR))


def measure(g: np.ndarray) -> tuple[float, ...] | None:
    """The ROWS of one pair; None where too little of the middle lies in shadow."""
    deep = (g[..., 1] > DEEP).astype(np.uint8)
    core = cv2.erode(deep, np.ones((13, 13), np.uint8)) > 0
    core[: SIDE // 4] = core[200:] = core[:, :70] = core[:, 186:] = False
    if core.sum() < 800:
        return None
    red, green, blue = np.moveaxis(g[core], -1, 0)
    return (
        float(np.median(green)),
        float(green.std()),
        float(np.median(blue - green)),
        float(np.median(red - green)),
    )


def statistics(folder: Path, split: str, limit: int) -> Iterator[tuple[float, ...]]:
    """The ROWS of every pair of a folder that holds a shadow."""
    pairs = pairs_of(folder, split)
    step = max(len(pairs) // limit, 1)
    for pair in pairs[::step]:
        measured = measure(gain(*pair.load()))
        if measured is not None:
            yield measured


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, default=200, help="pairs of each folder, about")
    options = parser.parse_args()
    columns = []
    for folder in options.folders:
        rows = np.array(list(statistics(folder, options.split, options.limit)))
        low, middle, high = np.percentile(rows, (5, 50, 95), axis=0)
        cells = [
            f"{m:+.2f} [{a:+.2f}, {b:+.2f}]" for a, m, b in zip(low, middle, high, strict=True)
        ]
        columns.append([f"{folder.name}, {len(rows)} pairs", *cells])
    print(markdown([["", *ROWS], *columns]))


if __name__ == "__main__":
    main()
