"""Darkening as in Zhang et al. 2020, section 3.1, for comparison with the ambient model.

The released code toned green and blue through the mask of red and multiplied the matrix onto the
already toned image; here both act once, on linear light, as the paper describes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Darkening:
    """A darkening of linear RGB.

    Attributes:
        gain: the share of the light that is kept, which the matrix varies from channel to channel.
        matrix: (3, 3), ``gain`` times a matrix near the identity.
    """

    gain: float
    matrix: np.ndarray

    @property
    def on_grey(self) -> np.ndarray:
        """(3,): what stays of each channel of a grey or white surface."""
        return self.matrix.sum(1)


def draw_darkening(rng: np.random.Generator) -> Darkening:
    """Gain U(0.15, 0.55); the rows of the matrix sum to 0.9..1.1 times that."""
    gain = float(rng.uniform(0.15, 0.55))
    jitter = np.eye(3) + rng.normal(0, 0.04, (3, 3))
    rows = jitter / jitter.sum(1, keepdims=True)
    return Darkening(gain, (gain * rows * rng.uniform(0.9, 1.1, (3, 1))).astype(np.float32))


def remaining_share(base: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Share of each channel that the darkened picture keeps, (H, W, 3) in [0, 1]."""
    darkened = np.clip(base @ matrix.T, 0, None)
    return np.clip(darkened / np.maximum(base, 1e-4), 0, 1).astype(np.float32)
