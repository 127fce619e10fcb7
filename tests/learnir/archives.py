"""Little archives of layers, and arrays as batches of one."""

import json
from dataclasses import asdict

import cv2
import numpy as np
import torch

from dataset_tools.recipe import RECIPES
from learnir.training.layers import MAPS


def batched(array: np.ndarray) -> torch.Tensor:
    """(H, W[, 3]) -> (1, C, H, W)."""
    planes = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    return torch.from_numpy(np.ascontiguousarray(planes, np.float32))[None]


def scalar(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 1), float(value))


def write_archive(path, rng, recipes=("sunlit",), shadows=(3,), pairs=None, own=0):
    """A little archive as ``faceshadow pack`` writes them, of random layers.

    own: so many scenes, the first, keep the light they have.
    """
    size, pairs = 32, pairs or {"train": 0, "val": 0}

    def noise(low=0, high=255, shape=(size, size, 3)):
        return rng.integers(low, high, shape, dtype=np.uint8)

    pictures = []
    for _ in range(5):
        maps = noise(shape=(size, len(MAPS) * size))
        sky = noise(64, 180, shape=(4, 4))  # the last, which is smooth
        maps[:, -size:] = cv2.resize(sky, (size, size), interpolation=cv2.INTER_LINEAR)
        cast = [noise(shape=(size, size)) for _ in range(sum(shadows))]
        pictures += [noise(20, 230), maps, *cast]
    pictures += [noise() for _ in range(1 + 2 * sum(pairs.values()))]
    files = [cv2.imencode(".webp", p)[1] for p in pictures]
    about = {"scenes": 5, "shadows": shadows, "size": size, "shade_max": 1.25, "backdrops": 1}
    about |= {"maps": MAPS, "sky_max": 2.0}
    about |= {
        "pairs": pairs,
        "recipes": [asdict(RECIPES[name]) for name in recipes],
    }
    np.savez(
        path,
        about=np.frombuffer(json.dumps(about).encode(), np.uint8),
        mm=np.full(5, 1.2, np.float32),
        own=np.arange(5) < own,
        lengths=np.array([len(f) for f in files]),
        blob=np.concatenate([f.ravel() for f in files]),
    )
    return path
