"""Resumable state of a run: weights, average, optimiser and step; written atomically.

Every random number of the training is a pure function of (seed, step) and, with ``--processes``, of
their number, so the step alone restores the data position and all generators.

A folder belongs to the run that started there last: an earlier one stops. A lock would not hold on
every network drive, and may outlive who held it.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch

from learnir.checkpoint import CheckpointError
from learnir.training.presets import TrainConfig
from learnir.writing import beside, clear_stale, write_atomically

STATE, OWNER = "state.pt", "run.txt"
FOLDERS = (".", "last", "best", "grids")  # of a run


def take_over(folder: Path) -> str:
    """Marks ``folder`` as this run's own; returns the mark, for ``check_owned``.

    Parts that killed runs left there are removed.
    """
    mark = f"process {os.getpid()} on {platform.node()}\n{os.urandom(8).hex()}\n"
    write_atomically(folder / OWNER, mark.encode())
    for name in FOLDERS:
        clear_stale(folder / name)
    return mark


def check_owned(folder: Path, mark: str) -> None:
    """CheckpointError where another run has taken over ``folder`` since that of ``mark``."""
    path = folder / OWNER
    found = path.read_text(encoding="utf-8") if path.is_file() else mark
    if found != mark:
        raise CheckpointError(
            f"{folder}: another training was started there ({found.splitlines()[0]}), so this one "
            "has stopped; for both, give each an --out of its own"
        )


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """``state`` replaces the previous one whole or not at all."""
    try:
        with beside(folder / STATE) as part:
            torch.save(state, part)
    except RuntimeError as error:  # PyTorch's own for a disk that is full
        raise CheckpointError(
            f"{folder / STATE}: cannot be written ({str(error).splitlines()[0]}); make room, then "
            "--resume goes on from the state before"
        ) from error


def load_state(
    folder: Path, config: dict[str, Any], data: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """The saved state or None; CheckpointError when it belongs to another config or other data.

    States of before ``data`` was saved with them fit any.
    """
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise CheckpointError(
            f"{path}: damaged ({error}); start another --out from {folder / 'last'} with --init"
        ) from error
    saved = _completed(state["config"])
    if saved != config:
        changed = [k for k in {**config, **saved} if saved.get(k) != config.get(k)]
        raise CheckpointError(
            f"{path}: was trained with another {', '.join(changed)}; "
            "resume with the same options or choose another --out"
        )
    if data is not None and state.get("data", data) != data:
        raise CheckpointError(
            f"{path}: was trained on other data; resume with the same --data and --pairs, or start "
            f"another --out from {folder / 'last'} with --init"
        )
    return state


def _completed(saved: dict[str, Any]) -> dict[str, Any]:
    """A saved config with the defaults of options that it is older than; others stay as they are.

    An option's default is what was done before it existed.
    """
    try:
        return TrainConfig.from_json(saved).to_json()
    except (TypeError, ValueError):  # an option that no longer exists
        return saved
