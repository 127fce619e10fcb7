"""``learnir train`` and ``learnir adapt``: from options to a finished run."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from learnir import __version__
from learnir.checkpoint import CheckpointError, load_checkpoint
from learnir.device import choose_device
from learnir.memory import out_of_memory
from learnir.model import LearnIRModel
from learnir.names import look_up
from learnir.networks.naf import CORRECTOR_WIDTH
from learnir.training.data import PairError
from learnir.training.inputs import Inputs, open_inputs
from learnir.training.loop import LOG, Interrupted, Run, TrainingDiverged
from learnir.training.presets import CORRECTOR_STAGE, PRESETS, Stage, TrainConfig
from learnir.training.processes import in_processes, one_thread
from learnir.training.state import STATE
from learnir.training.validate import load_validation
from learnir.training.warm_start import take_weights

MOST_MINUTES = 60 * 24 * 365


def train(
    preset: str | TrainConfig,
    data: Sequence[str | Path],
    out: str | Path,
    *,
    validation: str | Path | None = None,
    resume: bool = False,
    init: str | None = None,
    pairs: int | None = None,
    iterations: Sequence[int] | None = None,
    minutes: float | None = None,
    seed: int | None = None,
    precision: str | None = None,
    compile: bool | None = None,
    device: str | None = None,
    processes: int = 1,
) -> Path:
    """Trains a preset on paired data; returns the folder of the averaged weights.

    Args:
        preset: name in PRESETS, or a configuration of one's own.
        data: folders of pairs (see ``open_pairs``) and archives of layers, joined; what is named
            twice counts twice.
        validation: folder or archive whose val split is scored, or a plain folder of pairs, which
            is scored whole unless it is among ``data``; the first of ``data`` that has a val split
            if not given.
        resume: go on from the state in ``out``; without it a used ``out`` is refused.
        init: checkpoint whose weights are the starting point.
        pairs: train on only this many pairs, the first ones.
        iterations: one number per stage, in place of the preset's; 0 leaves a stage out.
        minutes: train for this long instead; see ``TrainConfig``.
        device: "cpu", "cuda", "cuda:1"; None takes a GPU when there is one.
        processes: on the CPU, this many of one thread each share every batch.

    Raises ValueError, one line, for options, data or a checkpoint that do not go together, and
    MemoryError, one line, where memory runs out.
    """
    _check_numbers(seed, pairs=pairs, processes=processes)
    if processes > 1:
        if device not in (None, "cpu"):
            raise PairError(f"--processes is for the CPU; with --device {device} use a launcher")
        one_thread()
    config = look_up("preset", preset, PRESETS) if isinstance(preset, str) else preset
    config = _override(config, iterations, minutes, seed, precision, compile)
    torch.manual_seed(config.seed)
    model = LearnIRModel(config.model)
    if init is not None:
        take_weights(model, load_checkpoint(init))
    return _run(config, model, data, validation, Path(out), resume, device, pairs, processes)


def adapt(
    checkpoint: str | None,
    data: Sequence[str | Path],
    out: str | Path,
    *,
    validation: str | Path | None = None,
    pairs: int | None = None,
    iterations: int | None = None,
    variance: bool = False,
    resume: bool = False,
    seed: int = 0,
    device: str | None = None,
) -> Path:
    """Fits the correction branch to paired data beside the frozen denoiser of ``checkpoint``.

    ``pairs`` takes only this many, the first ones: a handful is enough for a new camera or studio.
    Raises ValueError, one line, as ``train`` does.
    """
    _check_numbers(seed, pairs=pairs, iterations=iterations)
    frozen = load_checkpoint(checkpoint)
    if variance and frozen.corrector is not None and not frozen.corrector.variance:
        raise CheckpointError(
            f"{checkpoint or 'the shipped weights'}: has a correction branch already, which "
            "predicts no spread; leave out --variance"
        )
    model_config = dataclasses.replace(
        frozen.config,
        correction="learned",
        weight=frozen.config.weight if frozen.config.correction == "learned" else 1.0,
        corrector=frozen.config.corrector or {"width": CORRECTOR_WIDTH, "variance": variance},
    )
    stage = CORRECTOR_STAGE
    if iterations is not None:
        stage = dataclasses.replace(stage, iterations=iterations)
    config = TrainConfig(
        model_config,
        (stage,),
        seed=seed,
        gradient_weight=0.0,
        warmup=min(200, stage.iterations // 10),
        augment="geometric",  # the light of the new camera or studio is what is to be learnt
    )
    torch.manual_seed(seed)
    model = LearnIRModel(model_config)
    take_weights(model, frozen)
    return _run(config, model, data, validation, Path(out), resume, device, pairs)


def _check_numbers(seed: int | None, **counts: int | None) -> None:
    """ValueError names the option whose number makes no sense."""
    if seed is not None and not 0 <= seed < 2**63:
        raise ValueError(f"--seed lies between 0 and 2^63 - 1, got {seed}")
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ValueError(f"--{name} is at least 1, got {count}")


def _override(
    config: TrainConfig,
    iterations: Sequence[int] | None,
    minutes: float | None,
    seed: int | None,
    precision: str | None,
    compile: bool | None,
) -> TrainConfig:
    """The config with the options that are given in place of its own; ValueError for odd ones."""
    if minutes is not None and not 0 < minutes < MOST_MINUTES:
        raise ValueError(f"--minutes lies between 0 and {MOST_MINUTES}, got {minutes}")
    options: dict[str, Any] = {
        "stages": None if iterations is None else _stages(config, iterations),
        "minutes": minutes,
        "seed": seed,
        "precision": precision,
        "compile": compile,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return dataclasses.replace(config, **given)


def _stages(config: TrainConfig, iterations: Sequence[int]) -> tuple[Stage, ...]:
    """The config's stages with other numbers of iterations, those of 0 left out."""
    if len(iterations) != len(config.stages):
        raise PairError(f"--iterations needs {len(config.stages)} numbers, one per stage")
    if min(iterations) < 0 or not any(iterations):
        given = " ".join(map(str, iterations))
        raise ValueError(f"--iterations: 0 leaves a stage out, one must be more; got {given}")
    stages = zip(config.stages, iterations, strict=True)
    return tuple(dataclasses.replace(s, iterations=n) for s, n in stages if n)


@contextmanager
def _memory_told() -> Iterator[None]:
    """Raises whatever says that memory ran out as a MemoryError of one line."""
    try:
        yield
    except Exception as error:
        if not out_of_memory(error):
            raise
        raise MemoryError(
            "not enough memory; close other programs, then --resume goes on; or begin another "
            "--out with fewer --pairs"
        ) from error


@_memory_told()
def _run(
    config: TrainConfig,
    model: LearnIRModel,
    data: Sequence[str | Path],
    validation: str | Path | None,
    out: Path,
    resume: bool,
    device: str | None,
    limit: int | None = None,
    processes: int = 1,
) -> Path:
    _check_folder(out, resume)
    if processes > 1:
        _check_processes(config, processes)
        inputs = open_inputs(config, data, validation, torch.device("cpu"), limit)
        in_processes(
            processes,
            lambda: _make_run(config, model, out, "cpu", inputs).train(),
            (ValueError, OSError, Interrupted, TrainingDiverged),
        )
    else:
        accelerator = _accelerator(config, device)
        _check_processes(config, accelerator.num_processes)
        inputs = open_inputs(config, data, validation, accelerator.device, limit)
        _make_run(config, model, out, device, inputs).train()
    return out / "last"


def _check_folder(out: Path, resume: bool) -> None:
    """CheckpointError where a run would replace the results of another."""
    there = [name for name in (STATE, "last", "best", LOG) if (out / name).exists()]
    if "last" in there and STATE not in there:
        raise CheckpointError(
            f"{out}: holds a training without its {STATE}, which cannot be resumed; choose another "
            f"--out, to go on from {out / 'last'} with --init"
        )
    if there and not resume:
        raise CheckpointError(
            f"{out}: holds a training already; --resume it or choose another --out"
        )


def prepare_run(
    config: TrainConfig,
    data: Sequence[str | Path],
    out: Path,
    validation: str | Path | None = None,
    device: str | None = None,
) -> Run:
    """A run of a new model that has not begun, in this process; for benchmarks."""
    torch.manual_seed(config.seed)
    accelerator = _accelerator(config, device)
    inputs = open_inputs(config, data, validation, accelerator.device, None)
    return _make_run(config, LearnIRModel(config.model), out, device, inputs)


def _make_run(
    config: TrainConfig, model: LearnIRModel, out: Path, device: str | None, inputs: Inputs
) -> Run:
    count, size = config.validation_pairs, config.stages[-1].size
    return Run(
        config=config,
        model=model,
        source=inputs.source,
        validation=load_validation(inputs.held_out, count, size) if inputs.held_out else None,
        folder=out,
        record=_record(config) | inputs.facts,
        accelerator=_accelerator(config, device),
    )


def _accelerator(config: TrainConfig, device: str | None) -> Accelerator:
    chosen = choose_device(device)
    if chosen.type not in ("cpu", "cuda"):
        raise ValueError(f"device {device!r} does not train; use 'cpu' or 'cuda'")
    cpu = chosen.type == "cpu"
    precision = config.precision or ("fp32" if cpu else "bf16")
    mixed = "no" if precision == "fp32" else "bf16"
    if not cpu:  # TF32 for what autocast leaves in float32
        torch.set_float32_matmul_precision("high")
        if chosen.index is not None:  # Accelerate takes the current GPU, or its own by rank
            torch.cuda.set_device(chosen)
    return Accelerator(cpu=cpu, mixed_precision=mixed)


def _check_processes(config: TrainConfig, processes: int) -> None:
    if processes > 1 and config.minutes is not None:
        raise PairError("--minutes is for one process: several do not read the same clock")
    for stage in config.stages:
        if stage.batch % processes:
            raise PairError(f"a batch of {stage.batch} cannot be shared by {processes} processes")


def _record(config: TrainConfig) -> dict[str, Any]:
    """What a checkpoint records of its making, beside its data."""
    return {
        "learnir": __version__,
        "torch": torch.__version__,
        "command": " ".join(["learnir", *sys.argv[1:]]),
        "seed": config.seed,
        "config": config.to_json(),
    }
