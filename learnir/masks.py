"""Masks: grey pictures that say where another one is restored; white in full, black not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from learnir.decoding import MOST_PIXELS
from learnir.files import Photo, read_photo
from learnir.images import ImageError, to_unit

DARKEST = 0.02
"""A mask whose lightest part is darker than this is taken for a mistake."""


def same_proportions(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether a picture of size ``a`` (h, w) is one of size ``b`` (H, W) at another scale.

    To a pixel of the smaller side.
    """
    (h, w), (H, W) = a, b
    return abs(h * W - w * H) <= max(h * W, w * H) / min(h, w, H, W)


def read_mask(path: Path, size: tuple[int, ...], most_pixels: int = MOST_PIXELS) -> np.ndarray:
    """The mask in a file, for a picture of ``size`` (H, W); see ``levels``."""
    return levels(read_photo(path, most_pixels), size, str(path))


def levels(photo: Photo, size: tuple[int, ...], name: str) -> np.ndarray:
    """A photo's grey levels as a mask, float32 (h, w) in [0, 1]; transparent parts are black.

    ImageError where it has not the proportions of a picture of ``size`` (H, W), to a pixel, and
    where it is not all black but nothing in it is lighter than DARKEST.
    """
    (h, w), (H, W) = photo.pixels.shape[:2], size
    if not same_proportions((h, w), size):
        raise ImageError(f"{name}: {w} x {h}, of a picture {W} x {H}; save the mask as large as it")
    grey = to_unit(photo.pixels).mean(axis=2)
    grey = grey if photo.alpha is None else grey * to_unit(photo.alpha)
    if 0 < grey.max() < DARKEST:  # labels, 0 and 1, say
        raise ImageError(f"{name}: hardly more than black; save the mask with 255 for white")
    return grey
