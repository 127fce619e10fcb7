"""Procedural backgrounds: what stands behind a face outdoors, so that a model leaves it alone."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from dataset_tools.noise import fractal, smooth_field
from dataset_tools.photometry import mix

Backdrop = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def haze(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Wall, sky, grass or darkness: two colours mixed by fractal noise; linear (H, W, 3)."""
    grey = rng.uniform(0.0, 1.0, (2, 1)) ** 2 * rng.uniform(0.05, 0.9)
    colours = grey * np.exp(rng.normal(0, 0.3, (2, 3)))
    steep = rng.choice([0.6, 1.5, 5.0])
    field = fractal(rng, shape, int(rng.integers(2, 20)), 4, 0.65)
    return mix(colours[0], colours[1], 1 / (1 + np.exp(-steep * field)))


def foliage(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A hedge in the sun: leaves from dark to bright over a dark ground; linear (H, W, 3)."""
    canvas = np.zeros((*shape, 3), np.float32) + rng.uniform(0.002, 0.03)
    hue = np.array([rng.uniform(0.3, 1.1), 1.0, rng.uniform(0.05, 0.35)])
    size = rng.uniform(0.02, 0.07) * shape[0]
    for bright in np.linspace(0.05, rng.uniform(0.3, 0.9), 220) ** 1.5:
        colour = bright * hue * rng.uniform(0.7, 1.3, 3)
        _ellipse(canvas, rng, size, colour)
    light = np.exp(0.5 * smooth_field(rng, shape, 3))
    return (canvas * light[..., None]).astype(np.float32)


def _ellipse(canvas: np.ndarray, rng: np.random.Generator, size: float, colour) -> None:
    centre = tuple(int(v) for v in rng.uniform(0, canvas.shape[1], 2))
    axes = (max(1, int(size * rng.uniform(0.5, 1.5))), max(1, int(size * rng.uniform(0.2, 0.7))))
    angle = float(rng.uniform(0, 180))
    cv2.ellipse(canvas, centre, axes, angle, 0, 360, tuple(map(float, colour)), -1)


def street(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Rectangles of many brightnesses with lines: buildings, cars, windows; linear (H, W, 3)."""
    canvas = np.zeros((*shape, 3), np.float32) + rng.uniform(0.02, 0.7) * np.exp(
        rng.normal(0, 0.3, 3)
    )
    shear = rng.normal(0, 0.2)
    for _ in range(int(rng.integers(6, 40))):
        x, y = rng.uniform(-0.2, 1, 2) * shape
        w, h = rng.uniform(0.02, 0.5, 2) * shape
        grey = rng.uniform(0, 1) ** 2 * rng.uniform(0.8, 1.2, 3)
        corners = np.array([[x, y], [x + w, y + shear * w], [x + w, y + h + shear * w], [x, y + h]])
        cv2.fillPoly(canvas, [corners.astype(np.int32)], tuple(map(float, grey)))
    return canvas


# foliage twice: hedges and trees are what faces in the sun stand before
BACKDROPS: dict[str, Backdrop] = {
    "haze": haze,
    "foliage": foliage,
    "hedge": foliage,
    "street": street,
}


def backdrop(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """One of BACKDROPS, out of focus by a random amount; linear (H, W, 3), 0..1."""
    field = BACKDROPS[str(rng.choice(list(BACKDROPS)))](rng, shape)
    sigma = float(rng.choice([0.7, 1.2, 2.5, 5.0])) * shape[0] / 256
    return np.clip(cv2.GaussianBlur(field, (0, 0), sigma), 0, 1)
