"""The batches of a run: each follows from its step alone, and the next are made beside a step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, islice, takewhile
from math import gcd

import numpy as np
import torch
from torch import Tensor

from learnir.resolution import scale_at
from learnir.training.ahead import start_on
from learnir.training.pace import Pace
from learnir.training.presets import Stage, TrainConfig
from learnir.training.sources import Prepared, Source, Store
from learnir.training.step import Draw, draw_step

Batch = tuple[Stage, Draw, list[tuple[Store, Prepared]]]
"""A step's stage at its resolution, its draw, and its pairs by store."""
PAIRS, STEP = 0, 1
"""What a generator of a step is for: finishing its pairs, or the step itself."""


@dataclass(frozen=True)
class Batches:
    """The batches of a run, on the device that trains.

    Attributes:
        source: where the pairs come from.
        pace: the stage of every step, and when the run is over.
        device: the device that trains.
        rank, processes: this process, of those that share every batch.
        stream: makes a GPU's next batch beside the step before; None: without such a stream.
    """

    config: TrainConfig
    source: Source
    pace: Pace
    device: torch.device
    rank: int = 0
    processes: int = 1
    stream: torch.cuda.Stream | None = None

    def ready(self, first: int) -> Iterator[tuple[Stage, Draw, Tensor, Tensor]]:
        """Stage, draw, input and target of every step from ``first`` on."""
        ahead: deque[tuple[Stage, Draw, Callable]] = deque()
        for step, (stage, draw, prepared) in enumerate(self.prepared(first), first):
            pairs = partial(self.pairs, stage, prepared, step)
            ahead.append((stage, draw, start_on(self.stream, pairs) if self.stream else pairs))
            if len(ahead) > (self.stream is not None):
                *what, result = ahead.popleft()
                yield *what, *result()
        for *what, result in ahead:
            yield *what, *result()

    def prepared(self, first: int) -> Iterator[Batch]:
        """Batches in order from the step ``first`` on; threads prepare the next few."""
        steps = takewhile(lambda step: not self.pace.over(step), count(first))
        with ThreadPoolExecutor(4 if self.device.type == "cuda" else 1) as pool:

            def prepare(step: int) -> Future:
                self.pace.at(step)  # in order; threads may ask in another
                return pool.submit(self.at, step)

            waiting = [prepare(step) for step in islice(steps, 6)]
            while waiting:
                batch = waiting.pop(0).result()
                waiting += map(prepare, islice(steps, 1))
                yield batch

    def at(self, step: int) -> Batch:
        """This process's share of the batch of a step, whatever was done before it."""
        stage, first, pairs_before = self.pace.at(step)
        rng = np.random.default_rng([self.config.seed, step, 13])
        draw = draw_step(self.config, stage, step - first, rng)
        stage, draw, batch = at_its_resolution(stage, draw)
        share = batch // self.processes
        position = pairs_before + (step - first) * stage.batch * stage.coarse + self.rank * share
        rng = np.random.default_rng([self.config.seed, step, self.rank, 11])
        return stage, draw, self.source.prepare(stage, position, share, rng)

    def pairs(
        self, stage: Stage, prepared: list[tuple[Store, Prepared]], step: int
    ) -> tuple[Tensor, Tensor]:
        """A step's input and target on the training device, signed (B, 3, size, size)."""
        return self.source.finish(stage, prepared, self.generator(step, PAIRS))

    def generator(self, step: int, use: int) -> torch.Generator:
        """Random numbers of a step on this process's device, for one use (PAIRS or STEP)."""
        seed = _seed(self.config.seed, step, self.rank, use)
        return torch.Generator(self.device).manual_seed(seed)


def at_its_resolution(stage: Stage, draw: Draw) -> tuple[Stage, Draw, int]:
    """The stage and draw of a step that needs no finer resolution than s(t), and its batch.

    Pairs are read at that size: what is averaged away needs no photometry and no memory. A rollout
    needs the resolutions of the steps before t as well.
    """
    needed = draw.scales[draw.t - 1 :] if draw.rollout else (scale_at(draw.scales, draw.t),)
    f = gcd(*needed)
    scales = tuple(max(s // f, 1) for s in draw.scales)
    batch = stage.batch * (stage.coarse if f > 1 else 1)
    return replace(stage, size=stage.size // f), replace(draw, scales=scales), batch


def _seed(*numbers: int) -> int:
    """Well-mixed 63 bits."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]) >> 1
