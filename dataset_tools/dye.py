"""Cloth of another colour, in input and target alike.

Under the chins of official portraits there is always a white shirt between dark lapels. A model
trained on them takes the grey shirt of a photograph for a white one in the shade and bleaches it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataset_tools.gaussian import blur
from dataset_tools.geometry import Surface
from dataset_tools.landmarks import CHIN
from dataset_tools.light import smoothstep
from learnir.images import luminance

NECK_MM = 8.0  # cloth begins so far below the chin,
SHOULDERS_MM = 40.0  # and so much higher beside the neck
SKIN_LIKE = (0.18, 0.45)  # distance to the face's colour, log units: skin below, cloth above


@dataclass(frozen=True)
class Dye:
    """Another colour for cloth.

    Attributes:
        level: linear luminance of the cloth's median.
        contrast: exponent on its luminance about the median; below 1, shirt and lapels come
            together.
        colour: gain per channel.
        saturation: how much of the cloth's own colour is kept.
    """

    level: float
    contrast: float
    colour: tuple[float, float, float]
    saturation: float


def draw_dye(rng: np.random.Generator) -> Dye:
    """From black to white, mostly grey."""
    vivid = 0.25 if rng.random() < 0.25 else 0.05
    red, green, blue = np.exp(rng.normal(0, vivid, 3)).tolist()
    return Dye(
        level=float(np.exp(rng.uniform(np.log(0.012), np.log(0.5)))),
        contrast=float(rng.uniform(0.15, 0.9)),
        colour=(red, green, blue),
        saturation=float(rng.uniform(0, 1)),
    )


def cloth(linear: np.ndarray, scene: Surface, points: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Where the person is, below the chin, and not of the face's colour; (H, W) in [0, 1]."""
    skin = scene.skin > 0.5
    if not skin.any():
        return np.zeros_like(person)
    colour = _chroma(linear)
    away = np.linalg.norm(colour - np.median(colour[skin], axis=0), axis=-1)
    unlike = smoothstep((away - SKIN_LIKE[0]) / (SKIN_LIKE[1] - SKIN_LIKE[0]))
    rows, columns = np.indices(person.shape, np.float32)
    down = (rows - points[CHIN, 1]) * scene.mm
    aside = np.abs(columns - points[CHIN, 0]) * scene.mm
    shoulders = SHOULDERS_MM * smoothstep((aside - 60) / 50)  # they lie higher than the collar
    below = smoothstep((down + shoulders - NECK_MM) / 12)
    return blur((unlike * below * person).astype(np.float32), 0.7)


def _chroma(linear: np.ndarray) -> np.ndarray:
    """log R/G and log G/B, (H, W, 2); near black it tends to grey."""
    red, green, blue = np.moveaxis(np.log(linear + 0.01), -1, 0)
    return np.stack([red - green, green - blue], -1)


def dyed(linear: np.ndarray, where: np.ndarray, dye: Dye) -> np.ndarray:
    """The cloth's luminance Y becomes level (Y / median Y)^contrast, its colour the dye's."""
    inside = where > 0.5
    if inside.sum() < 50:
        return linear
    y = np.maximum(luminance(linear), 1e-3)[..., None]
    middle = float(np.median(y[inside]))
    shade = np.minimum(dye.level * (y / middle) ** dye.contrast, 0.9)
    own = 1 + dye.saturation * (linear / y - 1)
    changed = np.clip(shade * own * np.array(dye.colour, np.float32), 0, 1)
    return (linear + where[..., None] * (changed - linear)).astype(np.float32)
