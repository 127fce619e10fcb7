"""Algorithm 2: from the observation to the restored picture, as one readable loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Protocol

import torch
from torch import Tensor

from learnir.posterior import correction_named
from learnir.process import Latent, compose, noise_from_residual, start
from learnir.resolution import (
    area_mean,
    common_multiple,
    cross,
    nearest,
    pad_to_multiple,
    scale_at,
    white,
)
from learnir.schedule import Schedule

Noise = Callable[[int, int, tuple[int, ...]], Tensor]
"""noise(draw, scale, shape) -> standard normal; ``draw`` counts the draws of a run, from 0."""


class ResidualEstimator(Protocol):
    """What the sampler needs of a model: an estimate of R at step t."""

    def residual(self, z_t: Latent, z_y: Latent, t: int, schedule: Schedule) -> Latent:
        """R_hat at the resolution of ``z_t``."""
        ...

    def refine(
        self, z_t: Latent, z_y: Latent, R: Latent, t: int, schedule: Schedule
    ) -> tuple[Latent, Latent | None]:
        """R_hat + g, and the standard deviation of g where the branch predicts one."""
        ...


def sample(
    model: ResidualEstimator,
    y: Latent,
    schedule: Schedule,
    *,
    scales: Sequence[int],
    correction: str = "exact",
    weight: float = 1.0,
    eta: float = 1.0,
    until: int = 0,
    generator: torch.Generator | None = None,
    noise: Noise | None = None,
    callback: Callable[[int, Latent], None] | None = None,
) -> Latent:
    """z_0, the restored picture (paper Algorithm 2), or the latent z_until on the way.

    Args:
        y: observed pictures (B, 3, H, W), signed; any H and W.
        scales: s(1..T') of the Dynamic Resolution Module.
        correction: "none", "paper", "exact" or "learned", applied with ``weight`` w, which
            does not scale what the branch of "learned" adds to R.
        eta: factor on the fresh noise of every step ("exact" with w = 1 has none). At 0, noise is
            drawn only for the start and for crossings to finer scales.
        until: stop at z_until, returned at the resolution s(until); 0 runs to the picture.
        generator: source of all noise; ``noise`` replaces it (tiles share one field through it).
        callback: called with (t, z_0_hat) after each step; raising in it cancels the run.
    """
    scales, H, W = tuple(scales), y.shape[-2], y.shape[-1]
    reverse = correction_named(correction)
    draw = _numbered(noise or (lambda _, __, shape: white(shape, generator, y)))
    y = pad_to_multiple(y, common_multiple(scales))
    z_y = area_mean(y, scales[-1])
    z_t = start(z_y, draw(scales[-1], z_y.shape), schedule)
    for t in range(schedule.T_prime, until, -1):
        now, then = scale_at(scales, t), scale_at(scales, t - 1)
        R, spread = model.residual(z_t, z_y, t, schedule), None
        if correction == "learned":
            R, spread = model.refine(z_t, z_y, R, t, schedule)
        eps = noise_from_residual(z_t, z_y, R, t, schedule)
        if now != then:
            R, eps = cross(R, eps, now, then, partial(draw, then))
            z_y = area_mean(y, then)
            z_t = compose(z_y, R, eps, t, schedule)
        z_t = reverse.mean(z_t, z_y, R, eps, t, schedule, weight)
        C = eta * _noise_level(reverse.std(t, schedule, weight), spread, now, then, t, schedule)
        if torch.is_tensor(C) or C > 0:
            z_t = z_t + C * draw(then, z_t.shape)
        if callback is not None:
            callback(t, z_y - R)
    return z_t[..., :H, :W] if until == 0 else z_t


def _noise_level(
    std: float, spread: Latent | None, now: int, then: int, t: int, schedule: Schedule
) -> float | Latent:
    """C of the step: the correction's own std, joined by |c_t| times the predicted spread of g.

    No noise enters the picture itself: at t = 1 the spread is left out.
    """
    if spread is None or t == 1:
        return std
    spread = nearest(spread, now // then) if now >= then else area_mean(spread, then // now)
    return torch.sqrt(std**2 + (schedule.c[t] * spread) ** 2)


def _numbered(noise: Noise) -> Callable[[int, tuple[int, ...]], Tensor]:
    """``noise`` with its draws counted, so that each gets its own number."""
    number = count()
    return lambda scale, shape: noise(next(number), scale, tuple(shape))
