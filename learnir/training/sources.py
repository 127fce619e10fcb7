"""Where batches come from: pairs read from disk, or layers composited anew at every step.

A source's work is split in two, so that the first part runs ahead in threads: ``prepare`` on the
CPU, ``finish`` on the training device. Both are pure functions of what they are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from learnir.images import to_tensor
from learnir.training.augment import redraw_photometry
from learnir.training.data import Pair, PairStore, shuffled_indices
from learnir.training.layers import Layers, draw_pairs
from learnir.training.presets import Stage, TrainConfig

Prepared = tuple[Tensor, ...]


class Source(Protocol):
    """What the training loop asks for."""

    def prepare(
        self, stage: Stage, position: int, count: int, rng: np.random.Generator
    ) -> Prepared:
        """CPU tensors of ``count`` pairs from ``position`` of an endless shuffled stream on."""
        ...

    def finish(
        self, stage: Stage, prepared: Prepared, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Input and target on the generator's device, signed (B, 3, size, size)."""
        ...


class PairSource:
    """Rendered or photographed pairs."""

    def __init__(self, config: TrainConfig, pairs: Sequence[Pair]) -> None:
        self.config = config
        self.store = PairStore(pairs, max_side=max(256, *(s.size for s in config.stages)))

    def prepare(
        self, stage: Stage, position: int, count: int, rng: np.random.Generator
    ) -> Prepared:
        indices = shuffled_indices(len(self.store), position, count, self.config.seed)
        y, x = self.store.batch(indices, stage.size, stage.view, rng, self.config.turn)
        return to_tensor(y), to_tensor(x)

    def finish(
        self, stage: Stage, prepared: Prepared, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        y, x = (part.to(generator.device, non_blocking=True) for part in prepared)
        if self.config.augment == "shadow":
            return redraw_photometry(y, x, self.config.clean, generator)
        return y, x


class LayerSource:
    """Layers held in the memory of the training device."""

    def __init__(self, config: TrainConfig, layers: Layers, device: torch.device) -> None:
        self.config, self.layers = config, layers.to(device)

    def prepare(
        self, stage: Stage, position: int, count: int, rng: np.random.Generator
    ) -> Prepared:
        indices = shuffled_indices(len(self.layers), position, count, self.config.seed)
        return (torch.tensor(indices),)

    def finish(
        self, stage: Stage, prepared: Prepared, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        scenes = prepared[0].to(generator.device)
        return draw_pairs(self.layers, scenes, stage.size, stage.view, self.config.clean, generator)
