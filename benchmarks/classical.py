"""Classical baselines, written from their papers: no training data, deterministic, on the CPU."""

from __future__ import annotations

import cv2
import numpy as np

from learnir.images import from_unit, to_unit

PATCH, OMEGA, T_FLOOR = 15, 0.95, 0.1  # He 2009, section 4
GUIDED_RADIUS, GUIDED_EPS = 40, 1e-3
RETINEX_SIGMAS = (15.0, 80.0, 250.0)  # Jobson 1997


def dark_channel(picture: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """He, Sun, Tang 2009: single image haze removal using the dark channel prior.

    Transmission is refined with the guided filter (He 2010), as its authors later recommend.
    """
    image = to_unit(picture)
    air = airlight(image)
    t = 1 - OMEGA * _dark(image / air)
    t = np.clip(_guided(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), t), T_FLOOR, 1)[..., None]
    return from_unit((image - air) / t + air)


def airlight(image: np.ndarray) -> np.ndarray:
    """Mean colour of the brightest tenth of a percent of the dark channel (He 2009, 4.4)."""
    dark = _dark(image).ravel()
    count = max(dark.size // 1000, 1)
    top = np.argpartition(dark, -count)[-count:]
    return np.maximum(image.reshape(-1, 3)[top].mean(axis=0), 0.05)


def retinex(picture: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Multi-scale Retinex on the luminance (Jobson 1997), brought back to the input's own range.

    The input's 1st and 99th percentile of luminance are kept, and its chromaticity.
    """
    image = to_unit(picture) + 1e-3
    luminance = image.mean(axis=2)
    log = np.log(luminance)
    surround = [
        np.log(cv2.GaussianBlur(luminance, (0, 0), _fitting(s, image))) for s in RETINEX_SIGMAS
    ]
    detail = log - np.mean(surround, axis=0)
    low, high = np.percentile(detail, (1, 99))
    darkest, brightest = np.percentile(luminance, (1, 99))
    wanted = darkest + (detail - low) / max(high - low, 1e-6) * (brightest - darkest)
    return from_unit(image * (np.clip(wanted, 0.02, 1) / luminance)[..., None])


def region_transfer(picture: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Colour transfer (Reinhard 2001) of the lit region's Lab statistics onto the shadow region.

    The shadow is the mask where one is given, else Otsu's threshold on the luminance; the seam is
    blended over a few pixels.
    """
    shadow = detect_shadow(picture) if mask is None else mask > 0
    if shadow.mean() < 0.005 or shadow.mean() > 0.995:
        return picture.copy()
    lab = cv2.cvtColor(to_unit(picture), cv2.COLOR_RGB2LAB)
    dark, lit = lab[shadow], lab[~shadow]
    gain = lit.std(axis=0) / np.maximum(dark.std(axis=0), 1e-3)
    moved = (lab - dark.mean(axis=0)) * np.clip(gain, 0.5, 2.0) + lit.mean(axis=0)
    weight = cv2.GaussianBlur(shadow.astype(np.float32), (0, 0), 3)[..., None]
    mixed = (lab + weight * (moved - lab)).astype(np.float32)
    return from_unit(cv2.cvtColor(mixed, cv2.COLOR_LAB2RGB))


def detect_shadow(picture: np.ndarray) -> np.ndarray:
    """Shadow guess (H, W) bool: darker than Otsu's threshold after smoothing."""
    gray = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 3)
    return cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)[1] > 0


def _dark(image: np.ndarray) -> np.ndarray:
    return cv2.erode(image.min(axis=2), np.ones((PATCH, PATCH), np.uint8))


def _guided(guide: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Guided filter (He 2010, Eqs. 5 and 6)."""

    def mean(x: np.ndarray) -> np.ndarray:
        return cv2.blur(x, (2 * GUIDED_RADIUS + 1,) * 2)

    guide, values = guide.astype(np.float64), values.astype(np.float64)
    m, p = mean(guide), mean(values)
    a = (mean(guide * values) - m * p) / (mean(guide * guide) - m * m + GUIDED_EPS)
    return (mean(a) * guide + mean(p - a * m)).astype(np.float32)


def _fitting(sigma: float, image: np.ndarray) -> float:
    """The surround for a picture of this size; Jobson's scales are meant for about 512 pixels."""
    return sigma * min(image.shape[:2]) / 512
