"""Validation: restore held-out pairs with the averaged weights, score them, draw a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from learnir.describe import IDENTICAL_DB
from learnir.images import grid, to_picture, to_tensor
from learnir.model import LearnIRModel
from learnir.training.data import Pair

GRID_ROWS = 6
BATCH = 8


@dataclass(frozen=True)
class Validation:
    """Mean PSNR in dB of the inputs and of the restored pictures, and the picture grid."""

    psnr_input: float
    psnr: float
    grid: np.ndarray


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """PSNR in dB of signed pictures (B, 3, H, W), each rounded to 8 bits; at most IDENTICAL_DB."""
    levels = [((x.clamp(-1, 1) * 0.5 + 0.5) * 255).round() for x in (a.double(), b.double())]
    mse = ((levels[0] - levels[1]) ** 2).mean(dim=(1, 2, 3))
    return (10 * torch.log10(255.0**2 / mse)).clamp(max=IDENTICAL_DB)


def load_validation(pairs: Sequence[Pair], count: int, size: int) -> tuple[Tensor, Tensor]:
    """``count`` pairs spread evenly over ``pairs``, or all where they are fewer, as squares of
    ``size``: signed tensors."""
    count = min(count, len(pairs))
    chosen = [pairs[i * len(pairs) // count] for i in range(count)]
    loaded = [pair.load() for pair in chosen]

    def stack(which: int) -> Tensor:
        squares = [
            cv2.resize(pair[which], (size, size), interpolation=cv2.INTER_AREA) for pair in loaded
        ]
        return to_tensor(np.stack(squares))

    return stack(0), stack(1)


@torch.inference_mode()
def validate(model: LearnIRModel, y: Tensor, x: Tensor) -> Validation:
    """Scores ``model`` on observed ``y`` and clean ``x`` with its own sampling settings."""
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    restored = torch.cat(
        [model.sample(part.to(device), generator=generator).cpu() for part in y.split(BATCH)]
    ).clamp(-1, 1)
    rows = [
        [to_picture(y[i]), to_picture(restored[i]), to_picture(x[i])]
        for i in range(min(GRID_ROWS, len(y)))
    ]
    return Validation(
        float(psnr(y, x).mean()),
        float(psnr(restored, x).mean()),
        grid(rows, ["input", "restored", "target"]),
    )
