"""Training objectives: L_total = L_denoise + lambda L_consistency (poster Eqs. 3, 8, 9)."""

from __future__ import annotations

import torch
from torch import Tensor

from learnir.posterior import correction_named
from learnir.process import Latent, Prediction, compose, noise_from_residual
from learnir.schedule import Schedule

CHARBONNIER_EPSILON = 1e-3


def charbonnier(x: Latent) -> Tensor:
    """Mean of sqrt(x^2 + 1e-6): L1 that is smooth at 0."""
    return torch.sqrt(x * x + CHARBONNIER_EPSILON**2).mean()


def l2(x: Latent) -> Tensor:
    """Mean of squares."""
    return (x * x).mean()


PENALTIES = {"charbonnier": charbonnier, "l2": l2}


def gradient(x: Latent) -> tuple[Latent, Latent]:
    """Forward differences down and across."""
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def gradient_loss(x: Latent) -> Tensor:
    """Charbonnier penalty on the differences of an error: punishes edges left behind."""
    down, across = gradient(x)
    return charbonnier(down) + charbonnier(across)


def denoise_loss(
    output: Latent,
    z_t: Latent,
    z_y: Latent,
    R: Latent,
    t: int,
    schedule: Schedule,
    prediction: Prediction,
    penalty: str = "charbonnier",
) -> Tensor:
    """L_denoise: the output against its target (poster Eq. 3; the paper's is the eps_res case).

    ``z_t`` may be any state: for one the sampler visited, eps is what the true R implies there.
    """
    eps = noise_from_residual(z_t, z_y, R, t, schedule)
    return PENALTIES[penalty](output - prediction.target(z_y, R, eps, t, schedule))


def consistency_loss(
    R_hat: Latent,
    z_t: Latent,
    z_y: Latent,
    R: Latent,
    t: int,
    schedule: Schedule,
    correction: str,
    weight: float,
) -> Tensor:
    """L_consistency (Eq. 8): what is left of the offset, |z_{t-1} - z_{t-1}^forward|^2.

    z_{t-1}^forward uses the eps of z_t. With ``exact`` at weight 1 it equals c_t^2 |R_hat - R|^2,
    the denoising loss of a residual network with another weight per step.
    """
    eps_hat = noise_from_residual(z_t, z_y, R_hat, t, schedule)
    eps = noise_from_residual(z_t, z_y, R, t, schedule)
    reverse = correction_named(correction)
    predicted = reverse.mean(z_t, z_y, R_hat, eps_hat, t, schedule, weight)
    return l2(predicted - compose(z_y, R, eps, t - 1, schedule))


def correction_loss(g: Latent, log_variance: Latent | None, R_hat: Latent, R: Latent) -> Tensor:
    """Loss of the learned correction g towards R - R_hat, the realised offset divided by -c_t.

    With a log-variance head: the Gaussian negative log-likelihood (the poster predicts the
    correction's distribution); without: Charbonnier.
    """
    error = (R - R_hat) - g
    if log_variance is None:
        return charbonnier(error)
    return 0.5 * (error * error * torch.exp(-log_variance) + log_variance).mean()
