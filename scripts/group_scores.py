"""How well the faces of a group are restored: pairs at several sizes in one large picture.

    python scripts/group_scores.py PAIRS [...] --behind BACKGROUNDS [-o docs/results/groups.json]

PAIRS and BACKGROUNDS are folders of input/ and target/, or built data sets; of the backgrounds only
the targets are taken. Every scene of 1280 x 960 holds four pairs. PSNR inside each pair's square,
mean over scenes: as they come, restored in one look, restored with close-ups of whoever is found.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from result_files import write_result
from score_weights import load, pairs_of, split_by_shadow

from benchmarks.metrics import psnr
from learnir import LearnIR

WIDTH, HEIGHT = 1280, 960
SIDES = (256, 200, 160, 120)
"""Sides of the pairs in a scene, pixels; a face is a little less than half as high."""
GAP = 60
LOOKS = {"as they come": None, "one look": False, "close-ups": True}

Scene = tuple[np.ndarray, np.ndarray, list[tuple[slice, slice]]]
"""Observed and clean (HEIGHT, WIDTH, 3), uint8, and where the faces are."""


def scene(
    background: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator
) -> Scene:
    """Pairs side by side, one for each of SIDES, at random heights."""
    behind = cv2.resize(background, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    observed, clean = behind.copy(), behind.copy()
    places, left = [], GAP
    for side, pair in zip(SIDES, pairs, strict=True):
        top = int(rng.integers(0, HEIGHT - side))
        place = slice(top, top + side), slice(left, left + side)
        for whole, part in zip((observed, clean), pair, strict=True):
            whole[place] = cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)
        places.append(place)
        left += side + GAP
    return observed, clean, places


def scenes(pairs: Path, backgrounds: Path, count: int) -> list[Scene]:
    """``count`` scenes, the same at every call."""
    rng = np.random.default_rng(0)
    faces = load(split_by_shadow(pairs_of(pairs, "test"))[0], 256)
    behind = [pair.load()[1] for pair in pairs_of(backgrounds, "test")[:count]]
    order = rng.permutation(len(faces))
    chosen = np.resize(order, (count, len(SIDES)))
    return [
        scene(behind[i % len(behind)], [faces[j] for j in row], rng) for i, row in enumerate(chosen)
    ]


def row(learnir: LearnIR, made: list[Scene], looks: bool | None) -> dict[str, Any]:
    """PSNR of the squares, mean and by size, and seconds a picture; None for the scenes as made."""
    found, seconds = [], 0.0
    for observed, clean, places in made:
        began = time.perf_counter()
        result = observed if looks is None else learnir.restore(observed, faces=looks).picture
        seconds += (time.perf_counter() - began) / len(made)
        found.append([psnr(result[place], clean[place]) for place in places])
    by_side = dict(zip(map(str, SIDES), np.mean(found, axis=0).tolist(), strict=True))
    return {"psnr": float(np.mean(found)), "sides": by_side, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("pairs", type=Path, nargs="+")
    parser.add_argument("--behind", type=Path, required=True, metavar="BACKGROUNDS")
    parser.add_argument("--checkpoint", default=None)
    parser.add_argument("--scenes", type=int, default=16)
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    learnir = LearnIR.from_pretrained(options.checkpoint)
    sets = {}
    for pairs in options.pairs:
        made = scenes(pairs, options.behind, options.scenes)
        sets[pairs.name] = {name: row(learnir, made, looks) for name, looks in LOOKS.items()}
        for name, found in sets[pairs.name].items():
            sides = ", ".join(f"{side} px {value:.2f}" for side, value in found["sides"].items())
            scores = f"{found['psnr']:.2f} dB ({sides}), {found['seconds']:.2f} s a picture"
            print(f"{pairs.name}, {name}: {scores}", flush=True)
    if options.out:
        found = {"scenes": options.scenes, "sets": sets}
        write_result(options.out, found, options.checkpoint)


if __name__ == "__main__":
    main()
