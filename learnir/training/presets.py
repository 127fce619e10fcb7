"""Training configurations. Frozen dataclasses; importable without torch."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, replace
from math import lcm
from typing import Any, Literal

from learnir.config import ModelConfig


@dataclass(frozen=True)
class Stage:
    """A stretch of training with one picture size, learning rate and mix of states.

    Attributes:
        iterations: optimiser steps; the learning rate warms up, then falls along a cosine to zero.
        size, batch: side of the square crops in pixels, and pairs per step over all processes.
        lr: peak learning rate.
        view: smallest and largest side of a crop as a share of the picture's shorter side.
        fixed: share of batches trained at full resolution whatever s(t) says; 1 is the paper's
            first stage, 0 its second.
        rollout: share of batches whose z_t the sampler itself reached, after ``rollout_from`` steps
            of the stage; the rest are states of the forward process.
        coarse: batches at a reduced resolution hold this many times as many pairs: they are cheap.
        clean: share of pairs whose input is replaced by the target.
        part: what is trained: the denoiser, or the correction branch beside the frozen denoiser.
    """

    iterations: int
    size: int = 128
    batch: int = 16
    lr: float = 5e-4
    view: tuple[float, float] = (0.55, 1.0)
    fixed: float = 0.2
    rollout: float = 0.75
    rollout_from: int = 0
    coarse: int = 1
    clean: float = 0.05
    part: Literal["denoiser", "corrector"] = "denoiser"

    @property
    def pairs(self) -> int:
        """Places in the stream of pairs that the stage takes: the largest batch, every step."""
        return self.iterations * self.batch * self.coarse


@dataclass(frozen=True)
class TrainConfig:
    """A whole training run.

    Attributes:
        step_weights: probability of t = 1..T'; None is uniform.
        penalty: "charbonnier" or "l2" of the output's error.
        gradient_weight: adds the Charbonnier penalty on the differences of R's error.
        perceptual: weight of LPIPS over SqueezeNet on the result of t = 1; 0 leaves it out. Taken
            of every ``perceptual_every``-th pair of a batch.
        lam: lambda of L_total = L_denoise + lambda L_consistency (poster Eq. 9).
        ema: decay of the averaged weights, which are what is validated and shipped.
        clip: largest gradient norm.
        augment: "shadow" re-draws photometry in linear light, "geometric" only crops and flips.
        mosaic: share of pairs replaced by mosaics of four at half size (``lay_mosaics``).
        turned: share of pairs turned by quarters (``turn_some``).
        faded: share of pairs in black and white or nearly so (``fade_some``).
        turn: largest rotation of a view, degrees either way; what lies outside is mirrored in.
        compile: the network compiled on the CPU; on one GPU steps recorded as CUDA graphs.
        precision: "fp32" or "bf16" autocast; None is bf16 on CUDA and fp32 on the CPU.
        minutes: how long the run takes, in place of the sum of its iterations, which then say how
            the stages share the time. The learning rate falls along the clock; such a run is not
            the same twice. For one process.
        validate_every, save_every: steps between validations and between resumable states.
        validation_pairs: pairs of the val split that are restored each time.

    ValueError for fields that do not go together.
    """

    model: ModelConfig
    stages: tuple[Stage, ...]
    seed: int = 0
    step_weights: tuple[float, ...] | None = None
    penalty: str = "charbonnier"
    gradient_weight: float = 0.0
    perceptual: float = 0.0
    perceptual_every: int = 1
    lam: float = 0.0
    weight_decay: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.99)
    warmup: int = 200
    clip: float = 1.0
    ema: float = 0.999
    augment: Literal["shadow", "geometric"] = "shadow"
    mosaic: float = 0.0
    turned: float = 0.0
    faded: float = 0.0
    turn: float = 0.0
    precision: Literal["fp32", "bf16"] | None = None
    compile: bool = False
    minutes: float | None = None
    validate_every: int = 1000
    validation_pairs: int = 48
    save_every: int = 500

    def __post_init__(self) -> None:
        steps, parts = len(self.model.scales), {stage.part for stage in self.stages}
        multiple = lcm(*self.model.scales) * (2 if self.mosaic else 1)
        if any(stage.size % multiple for stage in self.stages):
            raise ValueError(f"a stage's size is a multiple of {multiple} here (scales, mosaics)")
        if self.step_weights is not None and len(self.step_weights) != steps:
            raise ValueError(f"step_weights are {steps} numbers, one for each scale of the model")
        if len(parts) > 1:
            raise ValueError("the stages of a run train one part; the other takes a run of its own")
        if "corrector" in parts and self.model.corrector is None:
            raise ValueError("a stage trains the correction branch, which the model lacks")

    @property
    def iterations(self) -> int:
        """Optimiser steps of all stages together."""
        return sum(stage.iterations for stage in self.stages)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types (tuples become lists), as written to ``train_config.json``."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TrainConfig:
        """The run of a parsed ``train_config.json``; fields that it lacks take their defaults.

        ``clean`` was one number for all stages once, and still may be.
        """
        model = ModelConfig.from_json(values["model"])
        shared = {name: value for name, value in values.items() if name == "clean"}
        stages = tuple(Stage(**{**shared, **stage}) for stage in values["stages"])
        own = {name: value for name, value in values.items() if name not in shared}
        return cls(**{**own, "model": model, "stages": stages})


SMALL_NAF = ModelConfig(
    network="naf",
    network_args={
        "width": 32,
        "top": 64,
        "encoder": (2, 2, 6),
        "middle": 8,
        "decoder": (4, 2, 2),
        "gain": True,
    },
    scales=(1, 2, 2, 4, 4),
    work_size=320,
    enlarge=1.25,
)
NAF = replace(SMALL_NAF, network_args={**SMALL_NAF.network_args, "top": 96, "middle": 10})
STEP_WEIGHTS = (0.5, 0.2, 0.1, 0.1, 0.1)
RELEASE_STAGE = Stage(
    iterations=9_900,
    size=256,
    batch=64,
    lr=1e-3,
    view=(0.75, 1.0),
    fixed=0.03,
    rollout=1.0,
    coarse=4,
    clean=0.3,
)
PAPER_STAGE = Stage(iterations=0, size=512, view=(0.8, 1.0), rollout=0, clean=0)

PRESETS: dict[str, TrainConfig] = {
    # What CPU cores reach in an evening. The shipped weights began with this recipe as it grew:
    # docs/experiments.md.
    "cpu": TrainConfig(
        model=SMALL_NAF,
        stages=(
            Stage(
                iterations=8_000,
                size=128,
                batch=16,
                lr=1e-3,
                rollout=1.0,
                rollout_from=500,
                coarse=4,
                clean=0.25,
            ),
            Stage(
                iterations=30_000,
                size=256,
                batch=8,
                lr=5e-4,
                view=(0.7, 1.0),
                fixed=0.05,
                rollout=1.0,
                coarse=4,
                clean=0.25,
            ),
        ),
        step_weights=STEP_WEIGHTS,
        gradient_weight=0.5,
        turn=15.0,
    ),
    # One GPU and archives of layers (faceshadow pack): a wider network, grown from earlier weights.
    "release": TrainConfig(
        model=NAF,
        stages=(
            RELEASE_STAGE,
            # The last steps say that most pictures need nothing.
            replace(RELEASE_STAGE, iterations=1_800, lr=3e-4, clean=0.5),
        ),
        step_weights=STEP_WEIGHTS,
        gradient_weight=0.5,
        perceptual=0.3,
        perceptual_every=4,
        warmup=300,
        mosaic=0.125,
        turned=0.05,
        turn=20.0,
        faded=0.2,
        compile=True,
        validate_every=4000,
        save_every=1000,
    ),
    # The paper's own training: eps_res, a residual U-Net, fixed size first, then DRM.
    "paper": TrainConfig(
        model=ModelConfig(network="unet", prediction="eps_res", correction="paper", weight=0.25),
        stages=(
            replace(PAPER_STAGE, iterations=300_000, lr=1e-4, fixed=1),
            replace(PAPER_STAGE, iterations=100_000, lr=2e-5, fixed=0),
        ),
        penalty="l2",
        lam=0.1,
        augment="geometric",
    ),
    # Seconds: proves the plumbing, teaches nothing.
    "smoke": TrainConfig(
        model=ModelConfig(
            network_args={"width": 8, "encoder": (1, 1), "middle": 1, "decoder": (1, 1)},
            work_size=64,
        ),
        stages=(Stage(iterations=8, size=32, batch=2), Stage(iterations=4, size=64, batch=2)),
        warmup=2,
        validate_every=6,
        validation_pairs=2,
        save_every=4,
    ),
}

CORRECTOR_STAGE = Stage(iterations=2_000, size=256, batch=8, lr=4e-4, fixed=0, part="corrector")
"""Fits the correction branch beside a frozen denoiser (``learnir adapt``)."""
