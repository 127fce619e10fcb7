"""One training step as a module: from a batch of pairs to L_total (paper Algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from learnir.model import LearnIRModel
from learnir.objective import (
    consistency_loss,
    correction_loss,
    denoise_loss,
    gradient_loss,
)
from learnir.process import forward
from learnir.resolution import area_mean, scale_at, white
from learnir.sampler import sample
from learnir.training.perceptual import lpips_loss
from learnir.training.presets import Stage, TrainConfig


@dataclass(frozen=True)
class Draw:
    """What a whole batch shares: the step t, the schedule of scales, and where z_t comes from."""

    t: int
    scales: tuple[int, ...]
    rollout: bool


def draw_step(
    config: TrainConfig, stage: Stage, step_in_stage: int, rng: np.random.Generator
) -> Draw:
    """t by ``step_weights``; full resolution and rollouts by their shares in the stage."""
    steps = len(config.model.scales)
    t = int(rng.choice(np.arange(1, steps + 1), p=config.step_weights))
    fixed = rng.random() < stage.fixed
    rollout = rng.random() < stage.rollout and step_in_stage >= stage.rollout_from
    return Draw(t, (1,) * steps if fixed else config.model.scales, rollout and t < steps)


def _last_trained(config: TrainConfig) -> int:
    """The smallest t that is trained: 1, or T' for a direct regression."""
    weights = config.step_weights or (1.0,)
    return next(t for t, weight in enumerate(weights, 1) if weight > 0)


class TrainStep(nn.Module):
    """Loss of one batch. Wrapped whole by data-parallel training, so that gradients are shared."""

    def __init__(self, model: LearnIRModel, config: TrainConfig) -> None:
        super().__init__()
        self.model, self.config = model, config
        self.perceptual = lpips_loss() if config.perceptual else None
        self.last_t = _last_trained(config)

    def forward(
        self, y: Tensor, x: Tensor, draw: Draw, part: str, generator: torch.Generator
    ) -> Tensor:
        """L_total for observed ``y`` and clean ``x``, signed (B, 3, H, W)."""
        t, scale = draw.t, scale_at(draw.scales, draw.t)
        z_y, z_0 = area_mean(y, scale), area_mean(x, scale)
        z_t = self._state(y, z_0, z_y, draw, generator)
        if part == "corrector":
            return self._correction_loss(z_t, z_y, z_y - z_0, t)
        return self._denoising_loss(z_t, z_y, z_y - z_0, t)

    def _state(
        self, y: Tensor, z_0: Tensor, z_y: Tensor, draw: Draw, generator: torch.Generator
    ) -> Tensor:
        """z_t of the forward process, or the one the sampler reaches from y (no gradient).

        A sampled state carries the model's own errors: trained on them, it learns to correct them.
        """
        schedule, config = self.model.schedule, self.config.model
        if not draw.rollout:
            return forward(z_0, z_y - z_0, white(z_0.shape, generator, z_0), draw.t, schedule)
        correction, weight = config.correction, config.weight
        if correction == "paper":  # cancels the network, and with it the errors to learn from
            correction, weight = "exact", 1.0
        with torch.no_grad():
            state = sample(
                self.model,
                y,
                schedule,
                scales=draw.scales,
                correction=correction,
                weight=weight,
                eta=config.eta,
                until=draw.t,
                generator=generator,
            )
        torch.clear_autocast_cache()  # PyTorch before 2.11 kept weights that were cast without grad
        return state

    def _denoising_loss(self, z_t: Tensor, z_y: Tensor, R: Tensor, t: int) -> Tensor:
        """L_denoise + lambda L_consistency (poster Eq. 9), plus the gradient term of R.

        At the last step that is trained, the model's z_0 is the restored picture, and LPIPS may
        judge every ``perceptual_every``-th of the batch as well.
        """
        model, config, schedule = self.model, self.config, self.model.schedule
        output = model.output(z_t, z_y, t, schedule)
        loss = denoise_loss(output, z_t, z_y, R, t, schedule, model.prediction, config.penalty)
        R_hat = model.prediction.residual(output, z_t, z_y, t, schedule)
        if config.gradient_weight:
            loss = loss + config.gradient_weight * gradient_loss(R_hat - R)
        if self.perceptual is not None and t == self.last_t:
            some = slice(None, None, config.perceptual_every)
            distance = self.perceptual((z_y - R_hat)[some], (z_y - R)[some])
            loss = loss + config.perceptual * distance.mean()
        if config.lam:
            loss = loss + config.lam * consistency_loss(
                R_hat, z_t, z_y, R, t, schedule, config.model.correction, config.model.weight
            )
        return loss

    def _correction_loss(self, z_t: Tensor, z_y: Tensor, R: Tensor, t: int) -> Tensor:
        """The branch regresses what the frozen denoiser gets wrong."""
        model, schedule = self.model, self.model.schedule
        with torch.no_grad():
            R_hat = model.residual(z_t, z_y, t, schedule)
        g, log_variance = model.correction(z_t, z_y, R_hat, t, schedule)
        return correction_loss(g, log_variance, R_hat, R)
