"""Shadows and light of paired data, real pairs beside synthetic ones: depth, colour, contrast.

    python scripts/shadow_statistics.py UCB FACESHADOW [...] [--split test] [--limit 200]

One row per folder of pairs: medians over pictures, 5th and 95th percentile in brackets. The first
table is of the gain that takes the shadow away, log(target / input) in linear light, in the middle
of the picture and well inside the shadow, both pictures blurred so that texture and small movements
do not count. The second is of the pictures without shadow as they are, in sRGB values from 0 to 1:
how dark the darkest is, then brightness and colour of the middle, where the face is. A recipe whose
rows differ from the real one teaches the wrong shadows.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from fill_page import markdown
from score_weights import pairs_of

from learnir.images import decode_linear

SIDE = 256
FLOOR = 2e-3  # linear light under which a ratio says nothing
DEEP = 0.5  # log units: a shadow, not shading
SHADOW = ("gain, log units", "its deviation within a picture", "blue over green", "red over green")
LIGHT = ("1st percentile", "5th percentile", "face", "its saturation", "its red over blue")
FACE = (slice(80, 180), slice(88, 168))  # of SIDE x SIDE
LUMA = np.array([0.299, 0.587, 0.114])


def gain(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """log(x / y) per channel, of uint8 pictures blurred at 4 pixels of 256; (256, 256, 3)."""
    small = (cv2.resize(p, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for p in (y, x))
    dark, light = (cv2.GaussianBlur(decode_linear(p), (0, 0), 4) for p in small)
    return np.log((light + FLOOR) / (dark + FLOOR))


def shadow(g: np.ndarray) -> tuple[float, ...] | None:
    """SHADOW's columns of one pair; None where too little of the middle lies in shadow."""
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


def light(x: np.ndarray) -> tuple[float, ...]:
    """LIGHT's columns from one picture without shadow, uint8."""
    small = cv2.resize(x, (SIDE, SIDE), interpolation=cv2.INTER_AREA) / 255
    face = small[FACE]
    high, low = face.max(-1), face.min(-1)
    return (
        *(float(v) for v in np.percentile(small @ LUMA, (1, 5))),
        float(np.median(face @ LUMA)),
        float(np.median((high - low) / (high + 1e-3))),
        float(np.median(face[..., 0] / (face[..., 2] + 0.01))),
    )


def table(heads: Sequence[str], measured: dict[str, list[tuple[float, ...]]]) -> str:
    """Median and percentiles of every folder as Markdown."""
    rows = []
    for name, values in measured.items():
        low, middle, high = np.percentile(np.array(values), (5, 50, 95), axis=0)
        cells = [
            f"{m:+.2f} [{a:+.2f}, {b:+.2f}]" for a, m, b in zip(low, middle, high, strict=True)
        ]
        rows.append([f"{name}, {len(values)} pairs", *cells])
    return markdown([["", *heads], *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, default=200, help="pairs of each folder, about")
    options = parser.parse_args()
    shadows, lights = {}, {}
    for folder in options.folders:
        pairs = pairs_of(folder, options.split)
        loaded = [pair.load() for pair in pairs[:: max(len(pairs) // options.limit, 1)]]
        measured = [shadow(gain(*pair)) for pair in loaded]
        shadows[folder.name] = [m for m in measured if m is not None]
        lights[folder.name] = [light(x) for _, x in loaded]
    print(table(SHADOW, shadows), table(LIGHT, lights), sep="\n\n")


if __name__ == "__main__":
    main()
