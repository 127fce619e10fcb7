"""``learnir info``: what a checkpoint is, in lines to read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from learnir.checkpoint import (
    WEIGHTS,
    find_checkpoint,
    load_checkpoint,
    read_training,
    weights_hash,
)
from learnir.model import LearnIRModel
from learnir.resolution import relative_cost

SCORES = "scores.json"
STALE = ", measured with weights that others have replaced since"
IDENTICAL_DB = 80.0  # of identical pictures, whose PSNR is infinite; benchmarks take 100


def describe(where: str | os.PathLike[str] | None = None) -> list[str]:
    """Lines on the checkpoint in a folder or on the Hub, loaded to be sure that it works.

    Raises CheckpointError when it does not.
    """
    folder = find_checkpoint(where)
    model = load_checkpoint(folder)
    size = (folder / WEIGHTS).stat().st_size
    rows = {"checkpoint": f"{folder} ({size / 2**20:.1f} MiB)"}
    rows |= _network(model) | _sampling(model) | _training(read_training(folder))
    rows |= _scores(folder)
    return [f"{name:<13}{value}" for name, value in rows.items()]


def _millions(module: Any) -> str:
    return f"{sum(p.numel() for p in module.parameters()) / 1e6:.2f} M parameters"


def _network(model: LearnIRModel) -> dict[str, str]:
    config = model.config
    arguments = ", ".join(f"{k}={v}" for k, v in config.network_args.items())
    branch = "none" if model.corrector is None else _millions(model.corrector)
    return {
        "network": f"{config.network}({arguments}), {_millions(model.denoiser)}",
        "predicts": config.prediction,
        "branch": branch,
    }


def _sampling(model: LearnIRModel) -> dict[str, str]:
    config, cost = model.config, relative_cost(model.scales)
    return {
        "schedule": f"{config.schedule}, T = {config.T}, T' = {model.schedule.T_prime} steps",
        "scales": f"{model.scales}, the cost of {cost:.3g} full-size evaluations",
        "correction": f"{config.correction}, weight {config.weight:g}, eta {config.eta:g}",
        "mirror": "at the last step, mean of both" if config.mirror else "no",
        "work size": f"{config.work_size} px"
        + (f", smaller pictures enlarged {config.enlarge:g} times" if config.enlarge > 1 else ""),
    }


def _training(record: dict[str, Any]) -> dict[str, str]:
    names = ("command", "seed", "step", "data", "data_command", "pairs", "scenes", "data_sha256")
    return {name: _plain(record[name]) for name in names if name in record}


def _scores(folder: Path) -> dict[str, str]:
    """What ``scripts/score_weights.py`` measured, a line per set; nothing where it was not run.

    A set that was measured with other weights than the folder's says so.
    """
    path, weights = folder / SCORES, weights_hash(folder)
    if not path.exists():
        return {}
    try:
        sets = json.loads(path.read_text(encoding="utf-8"))
        lines = [
            f"{name}: {_means(**means)}{_stale(means, weights)}" for name, means in sets.items()
        ]
    except (ValueError, TypeError, KeyError, AttributeError):
        return {"scores": f"{path.name} is damaged"}
    return {"scores": ("\n" + 13 * " ").join(lines)}


def _means(input: dict[str, float], restored: dict[str, float], **_: Any) -> str:
    """PSNR before and after, SSIM, and LPIPS where it was measured."""
    before, after = (psnr_text(means["psnr"]) for means in (input, restored))
    text = f"{before} -> {after} dB, SSIM {restored['ssim']:.3f}"
    lpips = restored.get("lpips_alex")
    return text if lpips is None else f"{text}, LPIPS {lpips:.3f}"


def _stale(means: dict[str, Any], weights: str) -> str:
    """A remark on scores of other weights; none where scores do not say of which they are."""
    return "" if means.get("weights", weights) == weights else STALE


def psnr_text(psnr: float) -> str:
    """dB with two digits; "same" for the mean over pictures that all equal their targets."""
    return "same" if psnr >= IDENTICAL_DB else f"{psnr:.2f}"


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def plain_card(model: LearnIRModel) -> str:
    """A model card for weights that have none of their own."""
    return (
        "---\nlibrary_name: learnir\ntags: [image-restoration, shadow-removal]\n---\n\n"
        f"# LearnIR checkpoint\n\nNetwork `{model.config.network}`, "
        f"{_millions(model)}.\n\n"
        "    from learnir import LearnIR\n"
        '    restored = LearnIR.from_pretrained("this repository")(image)\n'
    )
