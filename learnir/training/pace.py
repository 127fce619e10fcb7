"""How far a run is: by its steps, or along the clock.

By steps, a stage ends after its iterations. Along the clock (``TrainConfig.minutes``) the stages
share the time as they would share the steps, and the learning rate falls with it: a run of an hour
is whole after an hour, however fast the machine is.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from math import cos, pi
from typing import Any, NamedTuple, Protocol

from learnir.training.presets import Stage, TrainConfig


class Position(NamedTuple):
    """Where a step lies: its stage, the step that began it, and the pairs drawn before that."""

    stage: Stage
    first: int
    pairs_before: int


class Pace(Protocol):
    """Where a step of a run lies. ``total``: of what the progress bar counts, in ``unit``."""

    total: int
    unit: str

    def start(self, step: int) -> None:
        """The next step to be taken is ``step``; the time before it does not count."""
        ...

    def at(self, step: int) -> Position:
        """The same answer whenever a step is asked for; new steps are asked for in their order."""
        ...

    def share(self, step: int) -> float:
        """How much of its stage is done when ``step`` is taken, in [0, 1]."""
        ...

    def done(self, step: int) -> int:
        """How much of ``total`` is done after ``step`` steps."""
        ...

    def over(self, step: int) -> bool:
        """Whether the run ends after ``step`` steps."""
        ...

    def state(self) -> dict[str, Any]:
        """What ``restore`` needs to go on."""
        ...

    def restore(self, state: dict[str, Any]) -> None: ...


def pace_of(config: TrainConfig) -> Pace:
    """The clock where the config gives minutes, else steps."""
    return Steps(config) if config.minutes is None else Clock(config)


class Steps:
    """A run of a given number of steps."""

    unit = "it"

    def __init__(self, config: TrainConfig) -> None:
        self.config, self.total = config, config.iterations

    def start(self, step: int) -> None: ...

    def at(self, step: int) -> Position:
        first = pairs = 0
        for stage in self.config.stages:
            if step < first + stage.iterations:
                return Position(stage, first, pairs)
            first, pairs = first + stage.iterations, pairs + stage.pairs
        raise IndexError(f"step {step} lies beyond the last stage")

    def share(self, step: int) -> float:
        stage, first, _ = self.at(step)
        return (step - first) / stage.iterations

    def done(self, step: int) -> int:
        return step

    def over(self, step: int) -> bool:
        return step >= self.total

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None: ...


class Clock:
    """A run of a given number of minutes, those before it was resumed included.

    A stage begins with the first step that is asked for after its time has come. Batches are asked
    for a few steps ahead, so the one before may lend it a little.
    """

    unit = "s"

    def __init__(self, config: TrainConfig, now: Callable[[], float] = time.monotonic) -> None:
        if config.minutes is None:
            raise ValueError("a clock needs the config's minutes")
        self.stages, self.now = config.stages, now
        seconds = 60 * config.minutes
        self.total = round(seconds)
        iterations = accumulate(stage.iterations for stage in config.stages)
        self.ends = [seconds * n / config.iterations for n in iterations]
        self.began = [(0, 0)]  # of every stage so far: its first step, pairs before it
        self.asked = 0
        self.spent, self.since = 0.0, now()

    @property
    def seconds(self) -> float:
        """What has been spent."""
        return self.spent + self.now() - self.since

    def start(self, step: int) -> None:
        self.began = [begun for begun in self.began if begun[0] <= step]
        self.asked, self.since = step, self.now()

    def at(self, step: int) -> Position:
        if step >= self.asked:
            self.asked = step + 1
            while len(self.began) < len(self.stages) and self.seconds >= self._end:
                stage, (first, pairs) = self.stages[len(self.began) - 1], self.began[-1]
                self.began.append((step, pairs + (step - first) * stage.batch * stage.coarse))
        number = self._number(step)
        return Position(self.stages[number], *self.began[number])

    @property
    def _end(self) -> float:
        return self.ends[len(self.began) - 1]

    def _number(self, step: int) -> int:
        return bisect_right([first for first, _ in self.began], step) - 1

    def share(self, step: int) -> float:
        number = self._number(step)
        begin = self.ends[number - 1] if number else 0.0
        return min(max((self.seconds - begin) / (self.ends[number] - begin), 0.0), 1.0)

    def done(self, step: int) -> int:
        return min(int(self.seconds), self.total)

    def over(self, step: int) -> bool:
        return self.seconds >= self.ends[-1]

    def state(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "began": self.began}

    def restore(self, state: dict[str, Any]) -> None:
        self.spent, self.began = state["seconds"], list(state["began"])


def learning_rate(peak: float, in_stage: int, share: float, warmup: int) -> float:
    """Linear warm-up over ``warmup`` steps of a stage; a cosine from ``peak`` to zero over it."""
    return peak * min(1.0, (in_stage + 1) / max(warmup, 1)) * 0.5 * (1 + cos(pi * share))
