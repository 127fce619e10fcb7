"""Where batches come from: pairs read from disk, and layers composited anew at every step.

A store's work is split in two, so that the first part runs ahead in threads: ``prepare`` on the
CPU, ``finish`` on the training device. Both are pure functions of what they are given.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import ceil
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from learnir.images import to_tensor
from learnir.training.augment import (
    clean_some,
    fade_some,
    lay_mosaics,
    redraw_photometry,
    turn_some,
)
from learnir.training.data import Pair, PairStore, shuffled_indices
from learnir.training.drawing import draw_pairs
from learnir.training.layers import Layers
from learnir.training.presets import Stage, TrainConfig

Prepared = tuple[Tensor, ...]


class Store(Protocol):
    """Numbered pairs of one origin."""

    def __len__(self) -> int: ...

    def prepare(self, stage: Stage, indices: Sequence[int], rng: np.random.Generator) -> Prepared:
        """CPU tensors of the numbered pairs."""
        ...

    def finish(
        self, stage: Stage, prepared: Prepared, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Input and target on the generator's device, signed (B, 3, size, size)."""
        ...


class Pairs:
    """Rendered or photographed pairs, held no finer than the closest views of the stages need."""

    def __init__(self, config: TrainConfig, pairs: Sequence[Pair]) -> None:
        self.config = config
        closest = [ceil(stage.size / stage.view[0]) for stage in config.stages]
        self.store = PairStore(pairs, max_side=max(256, *closest))

    def __len__(self) -> int:
        return len(self.store)

    def prepare(self, stage: Stage, indices: Sequence[int], rng: np.random.Generator) -> Prepared:
        y, x = self.store.batch(indices, stage.size, stage.view, rng, self.config.turn)
        return to_tensor(y), to_tensor(x)

    def finish(
        self, stage: Stage, prepared: Prepared, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        y, x = (part.to(generator.device, non_blocking=True) for part in prepared)
        if self.config.augment == "shadow":
            return redraw_photometry(y, x, stage.clean, generator)
        return clean_some(y, x, stage.clean, generator)


class Scenes:
    """Layers held in the memory of the training device."""

    def __init__(self, config: TrainConfig, layers: Layers, device: torch.device) -> None:
        self.config, self.layers = config, layers.to(device)

    def __len__(self) -> int:
        return len(self.layers)

    def prepare(self, stage: Stage, indices: Sequence[int], rng: np.random.Generator) -> Prepared:
        return (torch.tensor(indices),)

    def finish(
        self, stage: Stage, prepared: Prepared, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        scenes = prepared[0].to(generator.device)
        y, x = draw_pairs(
            self.layers, scenes, stage.size, stage.view, stage.clean, generator, self.config.turn
        )
        if self.config.augment == "shadow":
            return redraw_photometry(y, x, 0.0, generator)
        return y, x


class Source:
    """An endless shuffled stream over all pairs of some stores.

    Of what they give, the config's shares are turned, faded, and laid in mosaics.
    """

    def __init__(self, config: TrainConfig, stores: Sequence[Store]) -> None:
        self.config, self.stores = config, stores
        self.starts = list(accumulate(map(len, stores), initial=0))

    def __len__(self) -> int:
        return self.starts[-1]

    def prepare(
        self, stage: Stage, position: int, count: int, rng: np.random.Generator
    ) -> list[tuple[Store, Prepared]]:
        """The ``count`` pairs from ``position`` on, by store."""
        shares: dict[int, list[int]] = {}
        for index in shuffled_indices(len(self), position, count, self.config.seed):
            which = bisect_right(self.starts, index) - 1
            shares.setdefault(which, []).append(index - self.starts[which])
        return [
            (self.stores[which], self.stores[which].prepare(stage, share, rng))
            for which, share in sorted(shares.items())
        ]

    def finish(
        self, stage: Stage, shares: list[tuple[Store, Prepared]], generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Input and target of the whole batch, signed (B, 3, size, size)."""
        parts = [store.finish(stage, prepared, generator) for store, prepared in shares]
        y, x = torch.cat([y for y, _ in parts]), torch.cat([x for _, x in parts])
        if len(parts) > 1:  # LPIPS judges every k-th of a batch: no store may keep to its places
            order = torch.randperm(len(y), generator=generator, device=y.device)
            y, x = y[order], x[order]
        changes = (
            (turn_some, self.config.turned),
            (fade_some, self.config.faded),
            (lay_mosaics, self.config.mosaic),
        )
        for change, share in changes:
            if share:
                y, x = change(y, x, share, generator)
        return y, x
