"""What a brush that asks for more light is worth: which strength helps where a shadow stayed.

    python scripts/brush_strengths.py learnir/weights PAIRS [...] [--split test] [--limit 64]

Painted by an oracle: wherever the restored picture, at 256 x 256, is darker than its target by more
than so many log units of linear light (blurred by 2 px), as patches of the face that are neither
specks nor half of it. PSNR within what is painted, mean over the pictures that have such patches,
as restored and at other strengths there.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from error_profile import FACE, FLOOR, SIDE, asked_for, blurred, shadowed
from fill_page import markdown
from score_weights import load, restore

from learnir import LearnIR
from learnir.gain import blend
from learnir.images import decode_linear

DARKER = (0.25, 0.4, 0.6, 0.9)  # log units
STRENGTHS = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5)
PATCH = (40, 2500)  # pixels


def painted(restored: np.ndarray, target: np.ndarray, darker: float) -> np.ndarray:
    """Where somebody would paint, bool (H, W)."""
    light = (blurred(np.log(decode_linear(p) + FLOOR), 2.0).mean(-1) for p in (restored, target))
    wanting = np.zeros(target.shape[:2], np.uint8)
    wanting[FACE] = (np.subtract(*light) < -darker)[FACE]
    brushed = cv2.dilate(wanting, np.ones((5, 5), np.uint8))
    _, names, facts, _ = cv2.connectedComponentsWithStats(brushed)
    sizes = facts[:, cv2.CC_STAT_AREA]
    fitting = (sizes > PATCH[0]) & (sizes < PATCH[1])
    fitting[0] = False  # what is not painted
    return fitting[names]


def psnr_there(picture: np.ndarray, target: np.ndarray, where: np.ndarray) -> float:
    error = picture[where].astype(np.float64) - target[where]
    return float(10 * np.log10(255**2 / max((error**2).mean(), 1e-9)))


def rows(learnir: LearnIR, folder: Path, split: str, limit: int) -> list[list[str]]:
    """For every amount of darkness: pictures, and PSNR at each of STRENGTHS."""
    inputs, targets = zip(*load(shadowed(folder, split)[:limit], SIDE), strict=True)
    results = restore(learnir, inputs, {})
    table = []
    for darker in DARKER:
        found = []
        for y, r, x in zip(inputs, results, targets, strict=True):
            where = painted(r, x, darker)
            if where.any():
                found.append([psnr_there(blend(y, r, s), x, where) for s in STRENGTHS])
        means = np.mean(found, axis=0) if found else []
        table.append([folder.name, f"{darker}", f"{len(found)}", *(f"{m:.1f}" for m in means)])
    return table


def main() -> None:
    options = asked_for(__doc__)
    learnir = LearnIR.from_pretrained(options.checkpoint)
    strengths = [f"strength {s}" if s != 1 else "as restored" for s in STRENGTHS]
    table = [["pairs", "darker by more than", "pictures", *strengths]]
    for folder in options.folders:
        table += rows(learnir, folder, options.split, options.limit)
    print(markdown(table))


if __name__ == "__main__":
    main()
