"""How much a restored video flickers, on a synthetic pan over one shadowed picture.

    python scripts/bench_video.py [-o docs/results/video.json]

The view moves by whole pixels, so the moved frame before is exactly what a steady restoration
would give again: flicker is the mean absolute difference to it, in 8-bit levels; the input's is
zero.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from demo.quickstart import restore_all
from learnir.pipeline import LearnIR
from learnir.video import KEPT, Steady, relit
from learnir.writing import write_json

RESULT = Path(__file__).resolve().parents[1] / "docs" / "results" / "video.json"
STEP, VIEW = 3, 320  # pixels a frame, and the side of the view
WAYS = {"fresh noise": (False, 0.0), "shared noise": (True, 0.0), "steadied": (True, KEPT)}


def pan(picture: np.ndarray, frames: int) -> list[np.ndarray]:
    """Views that move to the right, each ``STEP`` pixels further."""
    top = (picture.shape[0] - VIEW) // 3
    rows = picture[top : top + VIEW]
    return [np.ascontiguousarray(rows[:, STEP * k : STEP * k + VIEW]) for k in range(frames)]


def flicker(frames: Sequence[np.ndarray]) -> float:
    """Mean |frame - moved frame before| where both see the same, in 8-bit levels."""
    now = [frame[:, : VIEW - STEP].astype(np.float32) for frame in frames[1:]]
    before = [frame[:, STEP:].astype(np.float32) for frame in frames[:-1]]
    return float(np.mean([np.abs(a - b).mean() for a, b in zip(now, before, strict=True)]))


def psnr(frames: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> float:
    """Mean PSNR in dB over the frames."""
    squares = [
        np.mean((a.astype(np.float64) - b) ** 2) for a, b in zip(frames, targets, strict=True)
    ]
    return float(np.mean(10 * np.log10(255**2 / np.array(squares))))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("-o", "--out", type=Path, default=RESULT)
    options = parser.parse_args()
    learnir = LearnIR.from_pretrained(device="cpu")
    shot = next(iter(restore_all(None, 512, 0)))
    shadowed, targets = (pan(p, options.frames) for p in (shot.shadowed, shot.clean))
    rows = {"input": {"flicker": flicker(shadowed), "psnr": psnr(shadowed, targets)}}
    for name, (shared, kept) in WAYS.items():
        steady, start = Steady(kept), time.perf_counter()
        made = [
            relit(learnir, frame, steady, {"seed": 0 if shared else k})
            for k, frame in enumerate(tqdm(shadowed, desc=name, unit="frame", leave=False))
        ]
        seconds = (time.perf_counter() - start) / len(made)
        rows[name] = {"flicker": flicker(made), "psnr": psnr(made, targets), "seconds": seconds}
        print(name, rows[name])
    write_json(options.out, {"frames": options.frames, "step": STEP, "view": VIEW, "rows": rows})


if __name__ == "__main__":
    main()
