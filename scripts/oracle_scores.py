"""What a checkpoint's scores would be if one thing were right, and what they reward besides.

    python scripts/oracle_scores.py learnir/weights PAIRS [...] [--split test] [--limit 64]

Every row scores the restored pictures at 256 x 256 after one change. "Tone" multiplies linear light
so that its mean within a Gaussian is the target's: what is left if everything coarser were right;
done to the input, it needs no model, only an oracle. "Blurred" is no oracle: it shows how far a
score rewards a picture that is worse. "Restored again" is the sampler's result of its own result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from error_profile import FLOOR, SIDE, asked_for, blurred, shadow_of, shadowed
from fill_page import markdown
from score_weights import load, restore, score

from learnir import LearnIR
from learnir.images import decode_linear, encode_linear

TONES = (32, 16, 8, 4)  # pixels
BLURS = (0.4, 0.6)  # pixels

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Input, restored, target: uint8 (H, W, 3)."""


def toned(picture: np.ndarray, target: np.ndarray, sigma: float) -> np.ndarray:
    """``picture`` with the tone of ``target`` at scale ``sigma``."""
    light, aim = decode_linear(picture), decode_linear(target)
    gain = (blurred(aim, sigma) + FLOOR) / (blurred(light, sigma) + FLOOR)
    return encode_linear(np.clip(light * gain, 0, 1), np.uint8)


def softened(picture: np.ndarray, sigma: float) -> np.ndarray:
    return blurred(picture.astype(np.float32), sigma).round().clip(0, 255).astype(np.uint8)


def in_shadow(inside: np.ndarray, outside: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """``inside`` where the pair (y, x) has its shadow, ``outside`` elsewhere."""
    return np.where(shadow_of(y, x)[..., None] > 0, inside, outside)


def changes() -> Iterator[tuple[str, Callable[[Triple], np.ndarray]]]:
    """Row by row: what is done to the restored picture."""
    yield "as restored", lambda p: p[1]
    yield "the input itself", lambda p: p[0]
    yield "shadow from the target", lambda p: in_shadow(p[2], p[1], p[0], p[2])
    yield "lit parts from the target", lambda p: in_shadow(p[1], p[2], p[0], p[2])
    yield "lit parts from the input", lambda p: in_shadow(p[1], p[0], p[0], p[2])
    for sigma in TONES:
        yield f"the target's tone, {sigma} px", lambda p, s=sigma: toned(p[1], p[2], s)
    for sigma in TONES:
        yield f"the input in the target's tone, {sigma} px", lambda p, s=sigma: toned(p[0], p[2], s)
    for sigma in BLURS:
        yield f"blurred by {sigma} px", lambda p, s=sigma: softened(p[1], s)


def rows(learnir: LearnIR, folder: Path, split: str, limit: int) -> dict[str, str]:
    """The cells of one folder: PSNR / SSIM / LPIPS of every change."""
    pairs = load(shadowed(folder, split)[:limit], SIDE)
    inputs, targets = zip(*pairs, strict=True)
    restored = restore(learnir, inputs, {})
    triples = list(zip(inputs, restored, targets, strict=True))
    results = {name: list(map(change, triples)) for name, change in changes()}
    results["restored again"] = restore(learnir, restored, {})
    return {name: cell(pictures, targets) for name, pictures in results.items()}


def cell(pictures: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> str:
    found = score(pictures, targets)
    return f"{found['psnr']:.2f} / {found['ssim']:.3f} / {found['lpips_alex']:.4f}"


def main() -> None:
    options = asked_for(__doc__)
    learnir = LearnIR.from_pretrained(options.checkpoint)
    columns = [rows(learnir, f, options.split, options.limit) for f in options.folders]
    table = [["PSNR / SSIM / LPIPS", *(folder.name for folder in options.folders)]]
    table += [[name, *(column[name] for column in columns)] for name in columns[0]]
    print(markdown(table))


if __name__ == "__main__":
    main()
