"""Smooth random fields."""

from __future__ import annotations

import cv2
import numpy as np


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], cells: int) -> np.ndarray:
    """Cubic interpolation of ``cells`` x ``cells`` N(0,1) values; (H, W) float32."""
    grid = rng.standard_normal((cells + 2, cells + 2)).astype(np.float32)
    return cv2.resize(grid, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def fractal(
    rng: np.random.Generator, shape: tuple[int, int], cells: int, octaves: int, gain: float = 0.5
) -> np.ndarray:
    """Sum of octaves of smooth noise, each twice as fine and ``gain`` as strong; unit variance."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        total += np.float32(gain**octave) * smooth_field(rng, shape, cells * 2**octave)
    return (total - total.mean()) / max(float(total.std()), 1e-6)
