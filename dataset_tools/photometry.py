"""What a blocked light does to a picture, in linear light (float32 [0, 1], sRGB decoded)."""

from __future__ import annotations

import cv2
import numpy as np

from dataset_tools.gaussian import blur
from dataset_tools.noise import smooth_field
from learnir.images import luminance

# Skin scattering: widths in mm and weights per channel (sum to 1), d'Eon and Luebke 2007.
SCATTER_MM = (0.08, 0.22, 0.432, 0.753, 1.411, 2.722)
SCATTER_WEIGHTS = np.array(
    [
        [0.233, 0.100, 0.118, 0.113, 0.358, 0.078],
        [0.455, 0.336, 0.198, 0.007, 0.004, 0.000],
        [0.649, 0.344, 0.000, 0.007, 0.000, 0.000],
    ],
    np.float32,
)
SKEW = 0.5  # w of ``ambient_colour``


def scatter(visibility: np.ndarray, skin: np.ndarray, mm: float) -> np.ndarray:
    """S: visibility (H, W) blurred per channel as light diffuses in skin -> (H, W, 3).

    Red travels furthest, hence the thin reddish line along a sharp edge. Off the skin S = V.
    """
    if visibility.min() > 0.999:
        return np.repeat(visibility[..., None], 3, axis=2)
    blurred = [blur(visibility, width / mm) for width in SCATTER_MM]
    channels = [sum(w * b for w, b in zip(row, blurred, strict=True)) for row in SCATTER_WEIGHTS]
    weight = skin[..., None]
    return (cv2.merge(channels) * weight + visibility[..., None] * (1 - weight)).astype(np.float32)


def ambient_colour(luminance_share: float, tint: float) -> np.ndarray:
    """A_c = A (1 - (1-w) d, 1, 1 + (1+w) d), renormalised to luminance A; (3,).

    w = SKEW: 0 would be the symmetric tint; 0.5 follows shadows measured on skin in sunlight, where
    blue rises about four times as far (B/G 1.27) as red falls (R/G 0.93).
    """
    colour = np.array([1 - (1 - SKEW) * tint, 1.0, 1 + (1 + SKEW) * tint], np.float32)
    return luminance_share * colour / float(luminance(colour))


def share_and_tint(colour: np.ndarray) -> tuple[float, float]:
    """Luminance and blueness d of the light (3,) that stays: the inverse of ``ambient_colour``;
    of any other colour, d = (B - R) / 2 G."""
    red, green, blue = (float(channel) for channel in colour)
    return float(luminance(colour)), (blue - red) / (2 * green)


def ambient_field(
    rng: np.random.Generator,
    colour: np.ndarray,
    shape: tuple[int, int],
    spread: float,
    sky: np.ndarray | float = 1.0,
) -> np.ndarray:
    """The ambient share varying slowly in space by about +-``spread``; (H, W, 3).

    sky (H, W): what of the ambient light reaches each point, over its mean.
    """
    wave = (1 + spread * np.clip(smooth_field(rng, shape, 2), -1.5, 1.5) / 1.5) * sky
    return np.clip(wave[..., None] * colour, 0, 1).astype(np.float32)


def composite(base: np.ndarray, ambient: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """J = I [A + (1 - A) S], per channel; all (H, W, 3)."""
    return base * (ambient + (1 - ambient) * visible)


def mix(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``a`` where the weight (H, W) is 1, ``b`` where it is 0; (H, W, 3) float32."""
    w = weight[..., None]
    return (a * w + b * (1 - w)).astype(np.float32)


def sensor_noise(
    rng: np.random.Generator, linear: np.ndarray, keep: np.ndarray, a: float, b: float
) -> np.ndarray:
    """Noise a camera would have in the darkened picture beyond what the clean one carries.

    Darkening x by k removes noise that the sensor would have kept: variance
    a k (1 - k) x + b (1 - k^2) with x the clean value, k = ``keep``; returned, not yet added.
    """
    clean = linear / np.maximum(keep, 1e-3)
    variance = a * keep * (1 - keep) * clean + b * (1 - keep**2)
    sample = rng.standard_normal(linear.shape, np.float32)
    return sample * np.sqrt(np.maximum(variance, 0)).astype(np.float32)
