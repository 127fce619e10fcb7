"""Colour decontamination: the rim of a person without the light of the wall behind.

Along its outline a photograph mixes person and wall; before another wall that mixture stands out as
a pale or dark line around head and hair.
"""

from __future__ import annotations

import cv2
import numpy as np

RIM_MM = 2.0  # mixed: a pixel or two of common portraits, and a cell of the matte


def decontaminated(linear: np.ndarray, person: np.ndarray, mm: float) -> np.ndarray:
    """The base with a rim in the colours that the person has right inside of it; (H, W, 3).

    F = sum c I / sum c over a square twice as wide as the rim, c being 1 in the person but for the
    rim. Where none is near, as in single hairs, the base stays as it is.

    Args:
        person: (H, W) in [0, 1].
        mm: millimetres per pixel.
    """
    reach = max(1, round(RIM_MM / mm))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    core = cv2.erode((person > 0.99).astype(np.float32), disc)
    square = (4 * reach + 1, 4 * reach + 1)
    share, total = cv2.blur(core, square), cv2.blur(linear * core[..., None], square)
    rim = (person > 0) & (core == 0) & (share > 0.01)
    weight = np.minimum(1, person[rim] / 0.4)[:, None]
    out = linear.astype(np.float32)
    out[rim] += weight * (total[rim] / share[rim][:, None] - out[rim])
    return out
