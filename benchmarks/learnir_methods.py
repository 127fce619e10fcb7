"""LearnIR and its ablations as methods; one loaded pipeline serves all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.methods import MethodCard, MethodOptions
from benchmarks.names import BenchmarkError
from benchmarks.pairs import Pair

if TYPE_CHECKING:
    from torch import Tensor

    from learnir.model import LearnIRModel
    from learnir.pipeline import LearnIR

MACS_SIDE = 256
OF_SAMPLING = ("scales", "correction", "weight", "eta")  # settings without a meaning for one step
ONE_STEP: dict[str, Any] = {"scales": "fixed", "correction": "none"}
"""Settings of a pipeline that ``asks_once``."""


@dataclass(frozen=True)
class LearnIRMethod:
    """The pipeline with some of its settings replaced; the others are the checkpoint's own."""

    card: MethodCard
    pipeline: LearnIR
    settings: Mapping[str, Any]

    @classmethod
    def load(cls, name: str, settings: Mapping[str, Any], options: MethodOptions) -> LearnIRMethod:
        """BenchmarkError where the checkpoint is missing or damaged."""
        pipeline = open_pipeline(options.checkpoint, options.device)
        return cls(_card(name, pipeline, settings, options), pipeline, dict(settings))

    def restore(self, pair: Pair, seed: int) -> np.ndarray:
        return self.pipeline.restore(pair.input, seed=seed, **self.settings).picture


def one_evaluation(name: str, options: MethodOptions) -> LearnIRMethod:
    """The network asked once, at the noisiest step and full size: no sampling."""
    pipeline = asks_once(open_pipeline(options.checkpoint, options.device))
    card = _card(name, pipeline, ONE_STEP, options)
    asked = {key: value for key, value in card.settings if key not in OF_SAMPLING}
    card = replace(card, settings=(("evaluations", "1"), *asked.items()))
    return LearnIRMethod(card, pipeline, ONE_STEP)


def asks_once(whole: LearnIR) -> LearnIR:
    """The pipeline with its network as ``asked_once``, to be used with ONE_STEP."""
    from learnir.pipeline import LearnIR

    return LearnIR(asked_once(whole.model), whole.training)


def regression(options: MethodOptions) -> LearnIRMethod:
    """A network of the same size, trained only to say the residual in one evaluation.

    BenchmarkError for a checkpoint that was trained on several steps.
    """
    if options.checkpoint is None:
        raise BenchmarkError(
            "regression: needs its own checkpoint, trained with step_weights (0, ..., 0, 1); "
            "give --checkpoint FOLDER (docs/benchmarks.md)"
        )
    method = one_evaluation("regression", options)
    weights = method.pipeline.training.get("config", {}).get("step_weights") or [1, 1]
    if any(weights[:-1]):
        raise BenchmarkError(
            f"{options.checkpoint}: was trained on {len(weights)} steps; give the checkpoint of a "
            "training with step_weights (0, ..., 0, 1)"
        )
    return method


def asked_once(model: LearnIRModel) -> LearnIRModel:
    """The same network as a model whose ``sample`` is a single evaluation at t = T'."""
    from learnir.model import LearnIRModel
    from learnir.process import start
    from learnir.resolution import white

    class OneEvaluation(LearnIRModel):
        def sample(self, y: Tensor, **options: Any) -> Tensor:
            draw, generator = options.get("noise"), options.get("generator")
            eps = white(y.shape, generator, y) if draw is None else draw(0, 1, tuple(y.shape))
            R = self.residual(start(y, eps, self.schedule), y, self.schedule.T_prime, self.schedule)
            return y - R

    once = OneEvaluation(model.config)
    once.load_state_dict(model.state_dict())
    device = next(model.parameters()).device
    return once.to(device).eval()


@lru_cache(maxsize=2)
def open_pipeline(checkpoint: str | None, device: str | None) -> LearnIR:
    """The pipeline of a checkpoint (None: the shipped one), loaded once a process."""
    from learnir.checkpoint import CheckpointError
    from learnir.pipeline import LearnIR

    try:
        return LearnIR.from_pretrained(checkpoint, device)
    except CheckpointError as error:
        raise BenchmarkError(str(error)) from error


def checkpoint_hash(checkpoint: str | None) -> str:
    """First 16 hex digits of the SHA-256 of the weights: which checkpoint a row is of."""
    from learnir.checkpoint import find_checkpoint, weights_hash

    return weights_hash(find_checkpoint(checkpoint))


def trained_on(checkpoint: str | None) -> str:
    """The data a checkpoint was trained on, in the few words of its record."""
    from learnir.checkpoint import find_checkpoint, read_training

    return read_training(find_checkpoint(checkpoint)).get("trained_on", "unknown")


def count_macs(pipeline: LearnIR, settings: Mapping[str, Any], side: int = MACS_SIDE) -> int:
    """Multiply-accumulates of restoring a side x side picture in which there is no face.

    A picture that the checkpoint enlarges is counted at the size that the network sees. What is
    worked out once a checkpoint, at the first picture, is not counted.
    """
    from torch.utils.flop_counter import FlopCounterMode

    black = np.zeros((side, side, 3), np.uint8)
    pipeline.restore(black, faces=False, **settings)
    with FlopCounterMode(display=False) as counter:
        pipeline.restore(black, faces=False, **settings)
    return int(counter.get_total_flops()) // 2


def resolved(pipeline: LearnIR, settings: Mapping[str, Any]) -> dict[str, str]:
    """The settings a run really uses, as text."""
    from learnir import faces

    model, config = pipeline.model, pipeline.config
    correction = settings.get("correction")
    scales = model.scales_for(
        settings.get("scales"), settings.get("steps"), settings.get("schedule")
    )
    return {
        "prediction": config.prediction,
        "schedule": settings.get("schedule") or config.schedule,
        "T": str(config.T),
        "steps": str(len(scales)),
        "scales": " ".join(map(str, scales)),
        "correction": correction or config.correction,
        "weight": str(settings.get("weight", model.weight_of(correction))),
        "eta": str(settings.get("eta", config.eta)),
        "mirror": str(settings.get("mirror", config.mirror)),
        "work_size": str(config.work_size),
        "enlarge": str(config.enlarge),
        "close_ups": "no" if faces.unavailable() else "yes",
    }


def _card(
    name: str, pipeline: LearnIR, settings: Mapping[str, Any], options: MethodOptions
) -> MethodCard:
    weights = checkpoint_hash(options.checkpoint)
    return MethodCard(
        options.name or name,
        "none",
        options.training_data
        if options.training_data != "unknown"
        else trained_on(options.checkpoint),
        f"checkpoint {weights}",
        stochastic=True,
        parameters=sum(p.numel() for p in pipeline.model.parameters()),
        macs=count_macs(pipeline, settings),
        macs_size=f"{MACS_SIDE}x{MACS_SIDE}",
        settings=tuple(resolved(pipeline, settings).items()),
    )
