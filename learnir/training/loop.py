"""The training loop: steps of the optimiser, averaging, validation, exact resume."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from tqdm import tqdm

from learnir.checkpoint import save_checkpoint
from learnir.encoding import encode_png
from learnir.model import LearnIRModel
from learnir.networks.blocks import can_fuse, fuse
from learnir.progress import progress
from learnir.training.batches import STEP, Batches
from learnir.training.ema import EMA
from learnir.training.half import HalfCopy
from learnir.training.pace import Pace, learning_rate, pace_of
from learnir.training.presets import Stage, TrainConfig
from learnir.training.recorded import RecordedSteps
from learnir.training.sources import Source
from learnir.training.state import check_owned, load_state, save_state, take_over
from learnir.training.step import Draw, TrainStep
from learnir.training.stops import stop_requests
from learnir.training.validate import validate
from learnir.writing import write_atomically, write_json

LOG = "log.jsonl"
DATA_FACTS = ("pairs", "data_sha256", "scenes", "archives_sha256")  # in the record, of the data


class TrainingDiverged(RuntimeError):
    """The loss stopped being a number; the last good state is on disk."""


class Interrupted(RuntimeError):
    """The run was stopped by a signal after it had saved a resumable state."""


@dataclass
class Run:
    """A training run.

    Attributes:
        validation: observed and clean pictures; None writes no scores, no grids and no best/.
        folder: where the run writes.
        record: what its checkpoints say of their making.
        mark: by which the run knows that the folder is still its own.
        step: how many steps are done.
        best: the best PSNR so far, dB; ``scores``: those of the last validation.
    """

    config: TrainConfig
    model: LearnIRModel
    source: Source
    validation: tuple[Tensor, Tensor] | None
    folder: Path
    record: dict[str, Any]
    accelerator: Accelerator
    mark: str = ""
    step: int = 0
    best: float = float("-inf")
    scores: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pace: Pace = pace_of(self.config)

    def train(self) -> None:
        """Runs from the saved state, if any, to the end of the last stage."""
        self.prepare()
        if self.accelerator.is_main_process:
            # not before: a refused state leaves the folder as it was
            write_json(self.folder / "train_config.json", self.config.to_json())
            self.mark = take_over(self.folder)
        with stop_requests() as stopped, self._progress() as bar:
            for stage, draw, y, x in self.batches.ready(self.step):
                loss = self.optimise(stage, draw, y, x)
                self.step += 1
                bar.update(self.pace.done(self.step) - bar.n)
                last = self.pace.over(self.step)
                self._report(bar, loss, stopped, last)
                if last:  # along the clock a few more batches wait
                    break

    def prepare(self) -> None:
        """Average, optimiser, saved state and accelerated step: all that comes before the first."""
        self.on_gpu = self.accelerator.device.type == "cuda"
        self.ema = EMA(self.model, self.config.ema)
        for model in (self.model, self.ema.model):
            model.to(self.accelerator.device)
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._choose_trained()
        self._restore()
        self._accelerate()
        self.batches = Batches(
            self.config,
            self.source,
            self.pace,
            self.accelerator.device,
            rank=self.accelerator.process_index,
            processes=self.accelerator.num_processes,
            stream=torch.cuda.Stream() if self.on_gpu else None,
        )
        self.losses: list[Tensor] = []
        self.pairs_seen = 0
        self.clock = time.perf_counter()
        self.pace.start(self.step)

    def _choose_trained(self) -> None:
        """The parameters of the part that is trained, and their optimiser; the rest is frozen."""
        config, part = self.config, self.config.stages[0].part
        trained = self.model.corrector if part == "corrector" else self.model.denoiser
        assert isinstance(trained, nn.Module)
        self.model.requires_grad_(False)
        trained.requires_grad_(True)
        self.trained = list(trained.parameters())
        self.optimizer = torch.optim.AdamW(
            self.trained,
            lr=0.0,
            betas=config.betas,
            weight_decay=config.weight_decay,
            fused=self.on_gpu,
        )

    def _restore(self) -> None:
        state = load_state(self.folder, self.config.to_json(), self._data())
        if state is not None:
            self.model.load_state_dict(state["model"])
            self.ema.model.load_state_dict(state["ema"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.best, self.scores = state["step"], state["best"], state["scores"]
            self.pace.restore(state.get("pace", {}))
        if self.accelerator.is_main_process:
            _trim_log(self.folder / LOG, self.step)

    def _accelerate(self) -> None:
        """The step as the device runs it fastest: compiled on the CPU, recorded on a GPU."""
        config, device = self.config, self.accelerator.device
        # several processes exchange gradients within the backward pass, which is not recorded
        recorded = config.compile and self.on_gpu and self.accelerator.num_processes == 1
        if config.compile and not self.on_gpu:
            # one graph for each resolution and batch, with and without gradients: when it is met
            torch._dynamo.config.recompile_limit = 64
            self.model.denoiser.compile(dynamic=False)
        half = recorded and self.accelerator.mixed_precision == "bf16"
        self.half = HalfCopy(self.model) if half else None
        worker = self.half.model if self.half else self.model
        if recorded and can_fuse(device):
            fuse(worker)
        step = TrainStep(worker, config)
        self.train_step, self.optimizer = self.accelerator.prepare(step, self.optimizer)
        self.recorded = RecordedSteps(self._backward, self.trained) if recorded else None

    def _data(self) -> dict[str, Any]:
        """What the record says of the data."""
        return {name: self.record.get(name) for name in DATA_FACTS}

    def _progress(self) -> tqdm:
        return progress(
            self.pace.total,
            self.pace.unit,
            initial=self.pace.done(self.step),
            desc="train",
            disable=not self.accelerator.is_main_process,
        )

    def optimise(self, stage: Stage, draw: Draw, y: Tensor, x: Tensor) -> Tensor:
        """One step of the optimiser; its loss."""
        config, generator = self.config, self.batches.generator(self.step, STEP)
        self.pairs_seen += len(y) * self.accelerator.num_processes
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate(self.step)
        if self.recorded is None:
            loss = self._backward(y, x, draw, stage.part, generator)
        else:
            loss = self.recorded(y, x, draw, stage.part, generator.initial_seed())
        norm = self.accelerator.clip_grad_norm_(self.trained, config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.update(self.model, self.step)
        return loss + 0 * norm  # no number where the gradient, and now the weights, are none

    def _learning_rate(self, step: int) -> float:
        stage, first, _ = self.pace.at(step)
        return learning_rate(stage.lr, step - first, self.pace.share(step), self.config.warmup)

    def _backward(
        self, y: Tensor, x: Tensor, draw: Draw, part: str, generator: torch.Generator
    ) -> Tensor:
        """The step's loss; its gradients are added to those of the parameters."""
        if self.half:
            self.half.take_weights()
        with self.accelerator.autocast():
            loss = self.train_step(y, x, draw, part, generator)
        self.accelerator.backward(loss)
        if self.half:
            self.half.give_gradients()
        return loss.detach()

    def _report(self, bar: tqdm, loss: Tensor, stopped: list[int], last: bool) -> None:
        self.losses.append(loss)
        config = self.config
        if last or self.step % config.validate_every == 0:
            self._validate(bar)
        saves = last or self.step % config.save_every == 0
        stops = self._shall_stop(stopped)  # by now: what comes before takes its time
        if self.step % 50 == 0 or saves or stops:
            self._log_losses(bar)
        if saves or stops:
            self._save()
        if stops:
            raise Interrupted(f"stopped at step {self.step}; --resume goes on from {self.folder}")

    def _shall_stop(self, stopped: list[int]) -> bool:
        """Whether any process was asked to stop, agreed on by all of them after every step.

        Signals reach the processes between different steps; one that stopped alone would leave the
        others waiting for its gradients.
        """
        if self.accelerator.num_processes == 1:
            return bool(stopped)
        asked = torch.tensor(float(len(stopped)), device=self.accelerator.device)
        return bool(self.accelerator.reduce(asked, reduction="sum") > 0)

    def _log_losses(self, bar: tqdm) -> None:
        mean = float(torch.stack(self.losses).mean())
        if not isfinite(mean):
            last = self.folder / "last"
            kept = f"; the last good weights are kept: add --init {last}" if last.exists() else ""
            raise TrainingDiverged(
                f"the loss is {mean} at step {self.step}; start another --out, with --precision "
                f"fp32 if it was bf16{kept}"
            )
        now = time.perf_counter()
        rate = self.pairs_seen / (now - self.clock)
        lr = self._learning_rate(self.step - 1)
        self._log({"step": self.step, "loss": mean, "lr": lr, "images_per_second": rate})
        known = {"psnr": f"{self.scores['psnr']:.2f}"} if self.scores else {}
        bar.set_postfix(refresh=False, loss=f"{mean:.4f}", **known)  # a log has its own pace
        self.losses, self.pairs_seen, self.clock = [], 0, now

    def _validate(self, bar: tqdm) -> None:
        if self.validation is None or not self.accelerator.is_main_process:
            return
        started = time.perf_counter()
        with self.accelerator.autocast():
            result = validate(self.ema.model, *self.validation)
        self.scores = {"psnr": result.psnr, "psnr_input": result.psnr_input}
        self._log({"step": self.step, **self.scores})
        line = f"step {self.step}: {result.psnr_input:.2f} -> {result.psnr:.2f} dB"
        bar.write(line, file=sys.stderr)
        write_atomically(self.folder / "grids" / f"{self.step:07d}.png", encode_png(result.grid))
        if result.psnr > self.best:
            self.best = result.psnr
            self._write_checkpoint(self.folder / "best")
        self.clock += time.perf_counter() - started

    def _save(self) -> None:
        if not self.accelerator.is_main_process:
            return
        self._write_checkpoint(self.folder / "last")
        state = {
            "config": self.config.to_json(),
            "data": self._data(),
            "model": self.model.state_dict(),
            "ema": self.ema.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "pace": self.pace.state(),
            "best": self.best,
            "scores": self.scores,
        }
        save_state(self.folder, state)

    def _write_checkpoint(self, folder: Path) -> None:
        record = {**self.record, "step": self.step, "validation": self.scores}
        if pace := self.pace.state():
            record["pace"] = pace
        save_checkpoint(folder, self.ema.model, record)

    def _log(self, values: dict[str, float]) -> None:
        """Adds a line; all that a run writes besides, it writes after one."""
        if self.accelerator.is_main_process:
            check_owned(self.folder, self.mark)
            with (self.folder / LOG).open("a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")


def _trim_log(path: Path, step: int) -> None:
    """Drops lines of steps after ``step``, which are taken again, and one that was cut short."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            keeps = json.loads(line)["step"] <= step
        except ValueError:
            continue
        if keeps:
            kept.append(line + "\n")
    write_atomically(path, "".join(kept).encode())
