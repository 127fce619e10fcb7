"""Gaussian blur at a cost that does not grow with its width."""

from __future__ import annotations

import cv2
import numpy as np


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; wide ones at a quarter or a sixteenth of the pixels; none below 0.3."""
    if sigma < 0.3:
        return image
    if sigma < 6 or min(image.shape[:2]) < 64:
        return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    soft = blur(half, sigma / 2)
    return cv2.resize(soft, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
