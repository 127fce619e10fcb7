"""Exponential moving average of weights: what is validated and shipped."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Averaged = TypeVar("Averaged", bound=nn.Module)


class EMA(Generic[Averaged]):
    """Averaged copy of a model; its decay grows with the steps, min(decay, (1 + n) / (10 + n))."""

    def __init__(self, model: Averaged, decay: float) -> None:
        self.decay = decay
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """average <- decay average + (1 - decay) weights; ``step`` counts from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averaged, weights = list(self.model.parameters()), model.parameters()
        torch._foreach_lerp_([*averaged], [w.detach() for w in weights], 1 - decay)
