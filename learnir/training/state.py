"""Resumable state of a run: weights, average, optimiser and step; written atomically.

Every random number of the training is a pure function of (seed, step) and, with ``--processes``, of
their number, so the step alone restores the data position and all generators.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from learnir.checkpoint import CheckpointError
from learnir.training.presets import TrainConfig
from learnir.writing import beside

STATE = "state.pt"


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
