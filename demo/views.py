"""What the Restore tab shows of a result: previews, gain map, difference, scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from learnir.images import eight_bits, from_unit, shrunk, to_unit

PREVIEW_SIDE = 1600
SMALL_SIDE = 900
"""Longest side of views that stand side by side, and of what is painted on."""
MOST_STOPS = 4.0
"""Both ends of the gain map's scale, in stops."""
DARKER, SAME, LIGHTER = np.array(
    [(0.13, 0.40, 0.67), (0.97, 0.97, 0.97), (0.70, 0.09, 0.17)], dtype=np.float32
)


def preview(picture: np.ndarray, side: int = PREVIEW_SIDE) -> np.ndarray:
    """A uint8 picture of at most ``side`` pixels a side, for the screen."""
    return shrunk(eight_bits(picture), side)


def gain_map(gain: np.ndarray) -> np.ndarray:
    """log2 gain (h, w, 3) -> uint8 RGB: white = unchanged, red = lit up, blue = darkened.

    The mean over the channels, square-rooted so that a third of a stop is seen; MOST_STOPS stops
    saturate.
    """
    stops = np.clip(gain.mean(axis=2) / MOST_STOPS, -1, 1)
    amount = np.sqrt(np.abs(stops))[..., None]
    end = np.where(stops[..., None] >= 0, LIGHTER, DARKER)
    return from_unit((1 - amount) * SAME + amount * end)


def difference(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """2 |after - before| per channel, uint8; black = untouched."""
    return from_unit(2 * np.abs(to_unit(preview(after)) - to_unit(preview(before))))


@dataclass(frozen=True)
class Score:
    """One metric of the input and of the result; None and a reason where it cannot be had."""

    name: str
    before: float | None
    after: float | None
    note: str

    def row(self) -> list[str]:
        """Name, input, restored, note: text for a table."""
        values = ["–" if v is None else f"{v:.3f}" for v in (self.before, self.after)]
        return [self.name, *values, self.note]


def scores(before: np.ndarray, after: np.ndarray, truth: np.ndarray) -> list[Score]:
    """PSNR, SSIM and LPIPS of input and result against the shadow-free picture.

    All (H, W, 3), scored as uint8 at PREVIEW_SIDE at most, which the notes say of larger ones.
    ValueError when the sizes differ.
    """
    if not before.shape == after.shape == truth.shape:
        h, w = before.shape[:2]
        raise ValueError(f"the shadow-free picture must be {w} x {h} pixels, as the input is")
    from benchmarks.metrics import psnr, ssim
    from benchmarks.perceptual import lpips

    full = truth.shape
    before, after, truth = preview(before), preview(after), preview(truth)
    h, w = truth.shape[:2]
    at = "" if truth.shape == full else f", reduced to {w} × {h} px"
    return [
        _score("PSNR, dB", f"higher is better{at}", psnr, (before, after), truth),
        _score("SSIM", f"higher is better{at}", ssim, (before, after), truth),
        _score("LPIPS (alex)", f"lower is better{at}", lpips, (before, after), truth),
    ]


def _score(
    name: str,
    note: str,
    metric: Callable[[np.ndarray, np.ndarray], float],
    pictures: tuple[np.ndarray, np.ndarray],
    truth: np.ndarray,
) -> Score:
    from benchmarks.perceptual import MetricUnavailable

    try:
        before, after = (metric(picture, truth) for picture in pictures)
    except (MetricUnavailable, ValueError) as reason:
        return Score(name, None, None, str(reason))
    return Score(name, before, after, note)
