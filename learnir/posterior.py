"""DPSC, Diffusion Posterior Sampling Correction: the reverse step and its corrections.

The reverse step is z_{t-1} = z'_{t-1} - w mu + C xi, with z' the ancestral step and mu the expected
offset Delta_t = z_{t-1}^pred - z_{t-1}^forward (poster Eqs. 4-8, paper Algorithms 1-2). Each
correction is a class with the mean of the step and the standard deviation of its fresh noise.
"""

from __future__ import annotations

from math import sqrt
from typing import Protocol

from learnir.names import look_up
from learnir.process import Latent, residual_noise
from learnir.schedule import Schedule

ROUNDING = 1e-12  # a variance this small is 0 in exact arithmetic: no noise need be drawn for it


def ancestral_mean(z_t: Latent, eps_res: Latent, t: int, schedule: Schedule) -> Latent:
    """m_t = (z_t - beta_t / s_t eps_res) / sqrt(alpha_t) (paper Eq. 16)."""
    ratio = schedule.beta[t] / schedule.s[t]
    return (z_t - ratio * eps_res) / sqrt(schedule.alpha[t])


def paper_offset(z_t: Latent, z_y: Latent, eps_res: Latent, t: int, schedule: Schedule) -> Latent:
    """mu as printed (poster Eq. 6, paper Eq. 51).

    It replaces z_0 by (z_t - s_t eps) / a_t, which forgets R: with weight 1 the network cancels out
    of m_t - mu, and the noise-free iteration returns z_y. See docs/method.md.
    """
    a, s, alpha, beta = schedule.a, schedule.s, schedule.alpha, schedule.beta
    return (
        (1 / sqrt(alpha[t]) - (2 * a[t - 1] - 1) / a[t]) * z_t
        - (1 - a[t - 1]) * z_y
        - beta[t] / (sqrt(alpha[t]) * s[t]) * eps_res
    )


def paper_sigma(t: int, schedule: Schedule) -> float:
    """sigma of the printed offset: one eps, three coefficients (poster Eq. 7, bars restored)."""
    a, s, beta = schedule.a, schedule.s, schedule.beta
    return s[t - 1] * sqrt(beta[t]) / s[t] - s[t - 1] + (2 * a[t - 1] - 1) * s[t] / a[t]


def exact_offset(eps: Latent, t: int, schedule: Schedule) -> Latent:
    """mu = -gamma_t eps: the offset with R kept; its sigma is 0 for the shared-noise coupling."""
    return -schedule.gamma[t] * eps


def realised_offset(
    R_hat: Latent, R: Latent, eps_hat: Latent, t: int, schedule: Schedule
) -> Latent:
    """Delta_t = c_t (R_hat - R) - gamma_t eps_hat, of the ancestral mean against the shared eps.

    Learning the correction is learning the frozen denoiser's residual error.
    """
    return schedule.c[t] * (R_hat - R) + exact_offset(eps_hat, t, schedule)


def fresh_noise_std(weight: float, t: int, schedule: Schedule) -> float:
    """Standard deviation that keeps the marginal of z_{t-1} right between ancestral and exact.

    sqrt(s_{t-1}^2 - (sqrt(alpha_t) s_{t-1}^2 / s_t + w gamma_t)^2): sqrt(btil_t) at w = 0, and 0 at
    w = 1.
    """
    s, before = schedule.s[t], schedule.s[t - 1]
    kept = sqrt(schedule.alpha[t]) * before**2 / s + weight * schedule.gamma[t]
    variance = before**2 - kept**2
    return sqrt(variance) if variance > ROUNDING else 0.0


class Correction(Protocol):
    """One reverse step: mean and fresh-noise standard deviation, given the estimates at step t."""

    def mean(
        self, z_t: Latent, z_y: Latent, R: Latent, eps: Latent, t: int, schedule: Schedule, w: float
    ) -> Latent:
        """E z_{t-1} from the estimates R and eps."""
        ...

    def std(self, t: int, schedule: Schedule, w: float) -> float:
        """Standard deviation of the fresh noise at eta = 1; 0 at t = 1."""
        ...


class NoCorrection:
    """The ancestral step (the sampler of Resfusion): w is ignored."""

    def mean(
        self, z_t: Latent, z_y: Latent, R: Latent, eps: Latent, t: int, schedule: Schedule, w: float
    ) -> Latent:
        return ancestral_mean(z_t, residual_noise(eps, R, t, schedule), t, schedule)

    def std(self, t: int, schedule: Schedule, w: float) -> float:
        return sqrt(schedule.beta_tilde[t])


class PaperCorrection:
    """The correction as printed."""

    def mean(
        self, z_t: Latent, z_y: Latent, R: Latent, eps: Latent, t: int, schedule: Schedule, w: float
    ) -> Latent:
        eps_res = residual_noise(eps, R, t, schedule)
        mu = paper_offset(z_t, z_y, eps_res, t, schedule)
        return ancestral_mean(z_t, eps_res, t, schedule) - w * mu

    def std(self, t: int, schedule: Schedule, w: float) -> float:
        if t == 1:  # sigma_1 is not 0 in Eq. 7: it would leave noise in the restored picture
            return 0.0
        return sqrt(schedule.beta_tilde[t] + (w * paper_sigma(t, schedule)) ** 2)


class ExactCorrection:
    """The offset with R kept: w = 1 is the deterministic residual step, w = 0 the ancestral one.

    ``learned`` takes the same step after its branch has refined R (see ``docs/method.md``: moving
    z_{t-1} by c_t g is the same as taking the exact step with R + g).
    """

    def mean(
        self, z_t: Latent, z_y: Latent, R: Latent, eps: Latent, t: int, schedule: Schedule, w: float
    ) -> Latent:
        ancestral = ancestral_mean(z_t, residual_noise(eps, R, t, schedule), t, schedule)
        return ancestral - w * exact_offset(eps, t, schedule)

    def std(self, t: int, schedule: Schedule, w: float) -> float:
        return fresh_noise_std(w, t, schedule)


CORRECTIONS: dict[str, Correction] = {
    "none": NoCorrection(),
    "paper": PaperCorrection(),
    "exact": ExactCorrection(),
    "learned": ExactCorrection(),
}


def correction_named(name: str) -> Correction:
    """The named correction; ValueError suggests the nearest known one."""
    return look_up("correction", name, CORRECTIONS)
