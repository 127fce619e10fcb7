"""The one model of the app: loaded once in the background, used by one restoration at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demo.runs import Cancelled, Turns, Waiting
from learnir.console import one_line

if TYPE_CHECKING:
    from learnir.pipeline import LearnIR, Restoration

Progress = Callable[[int, int], None]
PATIENCE_S = 120


class NotReady(RuntimeError):
    """The model could not be loaded, or not yet: one line with the remedy."""


@dataclass(frozen=True)
class Settings:
    """How to restore; None takes what the checkpoint was validated with."""

    steps: int | None = None
    correction: str | None = None
    scales: tuple[int, ...] | str | None = None
    seed: int = 0
    mode: str = "auto"
    strength: float = 1.0

    def options(self) -> dict[str, Any]:
        """Keyword arguments of ``LearnIR.restore``."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Engine:
    """Loads the model in a thread; ``restore`` waits for it and for its turn."""

    def __init__(self, checkpoint: str | None = None) -> None:
        self.checkpoint = checkpoint
        self._ready = threading.Event()
        self._settled = threading.Event()
        self._turns = Turns()
        self._model: LearnIR | None = None
        self._problem = ""
        self._remote = zero_gpu(self._run) if on_zero_gpu() else None

    def start(
        self, then: Callable[[], None] | None = None, last: Callable[[], None] | None = None
    ) -> None:
        """Loads in the background, once.

        ``then`` runs there afterwards if the load succeeded; ``last`` when all that has settled.
        """
        threading.Thread(target=self._load, args=(then, last), name="model", daemon=True).start()

    def _load(self, then: Callable[[], None] | None, last: Callable[[], None] | None) -> None:
        try:
            from learnir.pipeline import LearnIR

            self._model = LearnIR.from_pretrained(self.checkpoint)
        except (ValueError, OSError, ImportError) as error:
            self._problem = one_line(error)
        finally:
            self._ready.set()
        try:
            if then is not None and self._model is not None:
                then()
        finally:
            self._settled.set()
        if last is not None:
            last()

    @property
    def loading(self) -> bool:
        """Whether the load is still under way."""
        return not self._ready.is_set()

    @property
    def problem(self) -> str:
        """Why there is no model, empty while loading and when there is one."""
        return self._problem

    @property
    def has_branch(self) -> bool:
        """Whether a model is loaded that has a correction branch."""
        return self._model is not None and self._model.model.corrector is not None

    def settle(self, patience: float) -> None:
        """Returns when the load and what follows it have ended, or after ``patience`` seconds."""
        self._settled.wait(patience)

    def model(self, patience: float = PATIENCE_S) -> LearnIR:
        """The model, waited for at most ``patience`` seconds. Raises NotReady."""
        if not self._ready.wait(patience):
            raise NotReady("the model is still loading; try again in a minute")
        if self._model is None:
            raise NotReady(f"no model: {self._problem}")
        return self._model

    def restore(
        self,
        picture: np.ndarray,
        settings: Settings,
        *,
        progress: Progress | None = None,
        flag: threading.Event | None = None,
        waiting: Waiting | None = None,
        trajectory: bool = False,
    ) -> Restoration:
        """One restoration of a uint8 or uint16 RGB picture (H, W, 3), in its turn.

        ``waiting`` is called with the number of runs that go first. Raises NotReady, Cancelled once
        ``flag`` is set, ValueError for settings the model lacks.
        """
        self.model()

        def stop_if_asked() -> None:
            if flag is not None and flag.is_set():
                raise Cancelled

        def step(done: int, total: int) -> None:
            stop_if_asked()
            if progress is not None:
                progress(done, total)

        with self._turns.turn(flag, waiting):
            if self._remote is None:
                return self._run(picture, settings, trajectory, step)
            done = self._remote(picture, settings, trajectory)  # reports nothing while it runs
            stop_if_asked()
            return done

    @contextmanager
    def lent(self) -> Iterator[LearnIR]:
        """The model for what ``restore`` cannot do, in its turn. Raises NotReady."""
        model = self.model()
        with self._turns.turn():
            yield model

    def _run(
        self,
        picture: np.ndarray,
        settings: Settings,
        trajectory: bool,
        progress: Progress | None = None,
    ) -> Restoration:
        return self.model().restore(
            picture, **settings.options(), progress=progress, trajectory=trajectory
        )

    def describe(self) -> str:
        """One line for the top of the page."""
        if self.loading:
            return "Model: loading …"
        if self._model is None:
            return f"No model: {self._problem}"
        return f"Model ready on {device_name(self._model.device)}"

    def card(self) -> dict[str, Any]:
        """State, device, configuration and size of the model; JSON values only."""
        if self._model is None:
            return {"state": "loading" if self.loading else "failed", "problem": self._problem}
        model = self._model
        return {
            "state": "ready",
            "device": device_name(model.device),
            "parameters": sum(p.numel() for p in model.model.parameters()),
            "config": model.config.to_json(),
            "training": model.training,
        }


def on_zero_gpu() -> bool:
    """Whether this is a ZeroGPU Space, which lends a GPU to single calls."""
    return bool(os.environ.get("SPACES_ZERO_GPU"))


def zero_gpu(call: Callable[..., Any]) -> Callable[..., Any]:
    """``call`` run in a lent GPU slot of at most a minute; arguments and result are pickled."""
    import spaces

    return spaces.GPU(call, duration=60)


def device_name(device: Any) -> str:
    """ "CPU (2 cores)" or the GPU's name."""
    if str(device).startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    return f"CPU ({os.cpu_count()} cores)"
