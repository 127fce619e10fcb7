"""Checkpoints: a folder with ``model.safetensors``, ``config.json`` and a model card.

Local folders and Hub repositories are read alike. Half precision on disk, float32 in memory.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch

from learnir.config import ModelConfig
from learnir.model import LearnIRModel
from learnir.paths import is_hub_id
from learnir.writing import write_atomically, write_json

WEIGHTS, CONFIG, TRAINING = "model.safetensors", "config.json", "training.json"
SHIPPED = Path(__file__).parent / "weights"


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: one line that names it and the remedy."""


def save_checkpoint(
    folder: str | os.PathLike[str],
    model: LearnIRModel,
    training: dict[str, Any] | None = None,
) -> Path:
    """Writes weights (float16), config and, if given, the record of the training; atomically."""
    from safetensors.torch import save

    folder = Path(folder)
    weights = {name: w.detach().to("cpu", torch.float16) for name, w in model.state_dict().items()}
    state = {name: w.contiguous() for name, w in weights.items()}
    write_atomically(folder / WEIGHTS, save(state, metadata={"format": "pt"}))
    write_json(folder / CONFIG, model.config.to_json())
    if training is not None:
        write_json(folder / TRAINING, training)
    return folder


def load_checkpoint(
    where: str | os.PathLike[str] | None = None, device: str | torch.device = "cpu"
) -> LearnIRModel:
    """The model in a local folder, a Hub repository id, or (None) the one shipped with the package.

    Raises CheckpointError for a missing, damaged or mismatched checkpoint.
    """
    folder = find_checkpoint(where)
    model = _build(folder, read_config(folder))
    try:
        model.load_state_dict(_read_weights(folder / WEIGHTS), strict=True)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise CheckpointError(
            f"{folder / WEIGHTS}: does not fit {CONFIG} ({reason[:160]}); "
            "take both files from the same training"
        ) from error
    model.to(device, torch.float32)  # whatever the caller's default is
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.eval()


def find_checkpoint(where: str | os.PathLike[str] | None) -> Path:
    """The local folder of a checkpoint, fetched from the Hub when ``where`` is a repository id."""
    if where is None:
        where = SHIPPED
    folder = Path(where)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise CheckpointError(f"{folder}: not a folder; give the folder that holds {WEIGHTS}")
    if isinstance(where, str) and is_hub_id(where):
        return _download(where)
    raise CheckpointError(f"{folder}: no such checkpoint folder; check the path or the Hub id")


def _download(repository: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(repository, allow_patterns=["*.safetensors", "*.json", "*.md"])
        )
    except Exception as error:  # every network and Hub failure has the same remedy
        reason = str(error).strip().splitlines()[0][:120]
        raise CheckpointError(
            f"{repository}: neither a local folder nor readable on the Hub ({reason}); "
            "check the name and the network"
        ) from error


def weights_hash(folder: Path) -> str:
    """First 16 hex digits of the SHA-256 of a folder's weights: what measured scores are known by.

    OSError where they cannot be read.
    """
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()[:16]


def read_config(folder: Path) -> ModelConfig:
    """The resolved config of a checkpoint folder."""
    path = folder / CONFIG
    try:
        return ModelConfig.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        if (last := folder / "last" / CONFIG).is_file():
            raise CheckpointError(
                f"{folder}: the folder of a training; give {last.parent}"
            ) from error
        raise CheckpointError(f"{path}: missing; a checkpoint is {WEIGHTS} and {CONFIG}") from error
    except (ValueError, TypeError, AttributeError, OSError) as error:
        raise CheckpointError(f"{path}: not a model config ({error}); restore the file") from error


def read_training(folder: Path) -> dict[str, Any]:
    """The record of the training (command, seed, data, scores), empty when there is none.

    Raises CheckpointError for a file that is damaged.
    """
    path = folder / TRAINING
    if not path.exists():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict):
            raise ValueError("not a JSON object")
    except (ValueError, OSError) as error:
        raise CheckpointError(
            f"{path}: damaged ({error}); fetch it again, or delete it: the weights work without"
        ) from error
    return record


def _build(folder: Path, config: ModelConfig) -> LearnIRModel:
    try:
        return LearnIRModel(config)
    except (ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{folder / CONFIG}: {error}; restore the file") from error


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.exists():
        raise CheckpointError(f"{path}: missing; train one (learnir train) or fetch it again")
    try:
        return {k: v.float() for k, v in load_file(path).items()}
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); fetch it again") from error
