"""Rendered pictures, and methods to be named python:sample_methods:NAME."""

import cv2
import numpy as np


def scene(seed, size=64):
    """A rendered picture with smooth colours and some texture, uint8 RGB."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(60, 220, (5, 5, 3)).astype(np.float32)
    smooth = cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


def write(path, picture):
    """A picture on disk, RGB in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture[..., ::-1] if picture.ndim == 3 else picture)


def halfway(picture):
    """A method for the tests: doubles what is dark."""
    dark = cv2.blur(picture, (9, 9)).mean(axis=2, keepdims=True) < 95
    return np.clip(picture * np.where(dark, 2.0, 1.0), 0, 255).astype(np.uint8)


def hungry(picture):
    """A method that takes 200 MB for a moment."""
    return picture + np.ones(200_000_000, np.uint8)[:1] - np.uint8(1)


KEPT = []


def hoarding(picture):
    """A method that takes 300 MB and keeps them."""
    if not KEPT:
        KEPT.append(np.ones(300_000_000, np.uint8))
    return picture


def inverted(picture):
    """The negative."""
    return 255 - picture


def untouched(picture):
    """A method that does nothing."""
    return picture


BUFFER = np.empty((64, 64, 3), np.uint8)


def buffered(picture):
    """The negative, always in the same array."""
    np.subtract(255, picture, out=BUFFER)
    return BUFFER


def in_place(picture):
    """The negative, written into the input."""
    picture[:] = 255 - picture
    return picture


def in_place_of_the_mask(picture, mask):
    """The picture doubled where the mask is set, which is wiped."""
    made = np.where(mask[..., None] > 0, np.clip(picture * 2.0, 0, 255), picture)
    mask[:] = 0
    return made.astype(np.uint8)


def perhaps_masked(picture, mask=None):
    """Doubled in shadow where there is a mask, else the negative."""
    return 255 - picture if mask is None else in_place_of_the_mask(picture, mask)


def speckled(picture, seed=0):
    """A method that draws at random: some pixels a little brighter."""
    bright = np.random.default_rng(seed).integers(0, 30, picture.shape)
    return np.clip(picture.astype(int) + bright, 0, 255).astype(np.uint8)
