import pytest
import torch

from learnir.objective import (
    charbonnier,
    consistency_loss,
    correction_loss,
    denoise_loss,
    gradient_loss,
    l2,
)
from learnir.process import PREDICTIONS, forward
from learnir.schedule import Schedule

SCHEDULE = Schedule.linear(12)


def latents():
    g = torch.Generator().manual_seed(3)
    z_y, z_0, eps, error = (
        torch.randn(2, 3, 8, 8, generator=g, dtype=torch.float64) for _ in range(4)
    )
    return z_y, z_y - z_0, z_0, eps, error


@pytest.mark.parametrize("name", PREDICTIONS)
def test_a_perfect_network_has_no_loss(name):
    z_y, R, z_0, eps, error = latents()
    z_t = forward(z_0, R, eps, 3, SCHEDULE)
    output = PREDICTIONS[name].target(z_y, R, eps, 3, SCHEDULE)
    perfect = denoise_loss(output, z_t, z_y, R, 3, SCHEDULE, PREDICTIONS[name], "l2")
    wrong = denoise_loss(output + error, z_t, z_y, R, 3, SCHEDULE, PREDICTIONS[name], "l2")
    assert float(perfect) < 1e-18
    assert float(wrong) == pytest.approx(float(l2(error)), rel=1e-9)


@pytest.mark.parametrize("t", range(1, 6))
def test_consistency_with_the_exact_correction_is_a_reweighted_residual_loss(t):
    z_y, R, z_0, eps, error = latents()
    z_t = forward(z_0, R, eps, t, SCHEDULE)
    loss = consistency_loss(R + error, z_t, z_y, R, t, SCHEDULE, "exact", 1.0)
    assert float(loss) == pytest.approx(SCHEDULE.c[t] ** 2 * float(l2(error)), rel=1e-9)


def test_consistency_with_the_printed_correction_does_not_see_the_network():
    z_y, R, z_0, eps, error = latents()
    z_t = forward(z_0, R, eps, 3, SCHEDULE)
    right, wrong = (
        consistency_loss(r, z_t, z_y, R, 3, SCHEDULE, "paper", 1.0) for r in (R, R + error)
    )
    assert float(right) == pytest.approx(float(wrong), rel=1e-9)
    assert float(right) > 0.01


def test_correction_loss_is_least_at_the_true_mean_and_variance():
    _, R, _, _, error = latents()
    R_hat = R - 0.5 * error
    log_variance = torch.full_like(error, 0.0)
    at = [
        float(correction_loss(0.5 * error + shift, log_variance, R_hat, R))
        for shift in (-0.1, 0, 0.1)
    ]
    assert at[1] == min(at)
    spread = (0.5 * error).var().log().expand_as(error)
    narrow, best, wide = (
        float(correction_loss(0 * error, spread + d, R_hat, R)) for d in (-0.5, 0.0, 0.5)
    )
    assert best < min(narrow, wide)
    assert float(correction_loss(0.5 * error, None, R_hat, R)) == pytest.approx(1e-3)


def test_correction_loss_is_the_gaussian_likelihood_of_torch():
    _, R, g, log_variance, R_hat = latents()
    known = torch.nn.GaussianNLLLoss(eps=0.0)(g, R - R_hat, log_variance.exp())
    assert float(correction_loss(g, log_variance, R_hat, R)) == pytest.approx(float(known))


def test_penalties_are_means():
    x = torch.tensor([[[[3.0, -1.0], [0.0, 2.0]]]])
    assert float(l2(x)) == (9 + 1 + 0 + 4) / 4
    assert float(charbonnier(x)) == pytest.approx((3 + 1 + 0.001 + 2) / 4, abs=1e-6)


def test_gradient_loss_ignores_constants_and_sees_edges():
    flat = torch.full((1, 3, 8, 8), 0.7)
    edge = torch.zeros(1, 3, 8, 8)
    edge[..., 4:] = 0.7
    assert float(gradient_loss(flat)) == pytest.approx(2e-3)
    assert float(gradient_loss(edge)) > 0.09
    assert float(charbonnier(flat)) == pytest.approx(0.7, abs=1e-3)
