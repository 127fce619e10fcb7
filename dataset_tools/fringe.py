"""The rim of a person without the light of the wall behind.

Along its outline a photograph mixes person and wall; before another wall that mixture stands out as
a pale or dark line around head and hair.
"""

from __future__ import annotations

import cv2
import numpy as np

from dataset_tools.gaussian import blur

RIM_MM = 2.0  # mixed: a pixel or two of common portraits, and a cell of the matte


def unmixed(linear: np.ndarray, person: np.ndarray, mm: float) -> np.ndarray:
    """Base whose rim takes the colours that the person has right inside of it; (H, W, 3).

    ``person`` (H, W) in [0, 1]. F = sum g I c / sum g c with c the person but for the rim and g a
    Gaussian as wide; unchanged inside the rim, and where no inside is near, as in single hairs.
    """
    reach = max(1, round(RIM_MM / mm))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    core = cv2.erode((person > 0.99).astype(np.float32), disc)
    share = blur(core, reach)[..., None]
    inner = blur(linear * core[..., None], reach) / np.maximum(share, 1e-6)
    rim = np.minimum(1, person / 0.4)[..., None] * (share > 0.01) * (1 - core[..., None])
    return (linear + rim * (inner - linear)).astype(np.float32)
