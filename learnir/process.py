"""The residual diffusion process and what a network may predict of it.

Symbols as in ``schedule.py``. Latents ``z_0`` (clean), ``z_y`` (observed), ``z_t`` and the residual
R = z_y - z_0 are float tensors (B, C, H, W) at one resolution, images signed in [-1, 1].
"""

from __future__ import annotations

from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from learnir.schedule import Schedule

Latent = Float[Tensor, "B C H W"]


def forward(z_0: Latent, R: Latent, eps: Latent, t: int, schedule: Schedule) -> Latent:
    """z_t = a_t z_0 + (1 - a_t) R + s_t eps (poster Eq. 2, paper Eq. 12)."""
    a, s = schedule.a[t], schedule.s[t]
    return a * z_0 + (1 - a) * R + s * eps


def compose(z_y: Latent, R: Latent, eps: Latent, t: int, schedule: Schedule) -> Latent:
    """z_t = a_t z_y + (1 - 2 a_t) R + s_t eps: the forward process seen from the observation."""
    a, s = schedule.a[t], schedule.s[t]
    return a * z_y + (1 - 2 * a) * R + s * eps


def start(z_y: Latent, eps: Latent, schedule: Schedule) -> Latent:
    """z_T' = a_T' z_y + s_T' eps: where sampling starts, from y alone (paper Eqs. 3-4)."""
    t = schedule.T_prime
    return schedule.a[t] * z_y + schedule.s[t] * eps


def residual_noise(eps: Latent, R: Latent, t: int, schedule: Schedule) -> Latent:
    """eps_res = eps + k_t R (paper Eq. 5, with sqrt(alpha_t) where it prints sqrt(abar_t))."""
    return eps + schedule.k[t] * R


def noise_from_residual(z_t: Latent, z_y: Latent, R: Latent, t: int, schedule: Schedule) -> Latent:
    """eps = (z_t - a_t z_y - (1 - 2 a_t) R) / s_t, for t >= 1."""
    a, s = schedule.a[t], schedule.s[t]
    return (z_t - a * z_y - (1 - 2 * a) * R) / s


def residual_from_residual_noise(
    z_t: Latent, z_y: Latent, eps_res: Latent, t: int, schedule: Schedule
) -> Latent:
    """R = (z_t - a_t z_y - s_t eps_res) / ((1 - 2 a_t) - s_t k_t).

    The denominator is negative for every 1 <= t <= T', so nothing is ever divided by zero.
    """
    a, s, k = schedule.a[t], schedule.s[t], schedule.k[t]
    return (z_t - a * z_y - s * eps_res) / ((1 - 2 * a) - s * k)


class Prediction(Protocol):
    """What the network's output means: its training target, and how to read R from it.

    Plain eps is not among them: reading R from it divides by 1 - 2 a_t, which is 0 at T'.
    """

    def target(self, z_y: Latent, R: Latent, eps: Latent, t: int, schedule: Schedule) -> Latent:
        """The output a perfect network gives."""
        ...

    def residual(
        self, output: Latent, z_t: Latent, z_y: Latent, t: int, schedule: Schedule
    ) -> Latent:
        """R read from an output."""
        ...


class ResidualPrediction:
    """The network predicts R = z_y - z_0."""

    def target(self, z_y: Latent, R: Latent, eps: Latent, t: int, schedule: Schedule) -> Latent:
        return R

    def residual(
        self, output: Latent, z_t: Latent, z_y: Latent, t: int, schedule: Schedule
    ) -> Latent:
        return output


class SamplePrediction:
    """The network predicts the clean picture z_0."""

    def target(self, z_y: Latent, R: Latent, eps: Latent, t: int, schedule: Schedule) -> Latent:
        return z_y - R

    def residual(
        self, output: Latent, z_t: Latent, z_y: Latent, t: int, schedule: Schedule
    ) -> Latent:
        return z_y - output


class ResidualNoisePrediction:
    """The network predicts eps_res, as in the paper (its Algorithm 1; poster Eq. 3)."""

    def target(self, z_y: Latent, R: Latent, eps: Latent, t: int, schedule: Schedule) -> Latent:
        return residual_noise(eps, R, t, schedule)

    def residual(
        self, output: Latent, z_t: Latent, z_y: Latent, t: int, schedule: Schedule
    ) -> Latent:
        return residual_from_residual_noise(z_t, z_y, output, t, schedule)


PREDICTIONS: dict[str, Prediction] = {
    "residual": ResidualPrediction(),
    "sample": SamplePrediction(),
    "eps_res": ResidualNoisePrediction(),
}
