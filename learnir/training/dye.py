"""Cloth in another colour, for whole batches: ``dataset_tools.dye`` in PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from learnir.training.compositing import luminance, mix, percentile


@dataclass(frozen=True)
class Dyes:
    """Another colour for the cloth of every picture; see ``dataset_tools.dye.Dye``.

    Attributes:
        level, contrast, saturation: (B, 1, 1, 1).
        colour: (B, 3, 1, 1).
    """

    level: Tensor
    contrast: Tensor
    colour: Tensor
    saturation: Tensor


def dyed(linear: Tensor, cloth: Tensor, dyes: Dyes) -> Tensor:
    """The cloth's luminance Y becomes level (Y / median Y)^contrast, its colour the dye's.

    Pictures (B, 3, H, W) in linear light; ``cloth`` (B, 1, H, W) is 1 where there is any. One with
    less than 50 pixels of it stays as it is.
    """
    y, inside = luminance(linear).clamp(min=1e-3), cloth > 0.5
    middle = percentile(y, inside, 0.5)
    shade = (dyes.level * (y / middle.clamp(min=1e-3)) ** dyes.contrast).clamp(max=0.9)
    own = 1 + dyes.saturation * (linear / y - 1)
    changed = (shade * own * dyes.colour).clamp(0, 1)
    enough = (inside.sum(dim=(2, 3), keepdim=True) >= 50) & (middle > 0)  # the grid met some
    return torch.where(enough, mix(changed, linear, cloth), linear)
