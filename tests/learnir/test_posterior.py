from math import sqrt

import pytest
import torch

from learnir.posterior import (
    CORRECTIONS,
    ancestral_mean,
    correction_named,
    exact_offset,
    fresh_noise_std,
    paper_offset,
    paper_sigma,
    realised_offset,
)
from learnir.process import compose, forward, noise_from_residual, residual_noise
from learnir.schedule import Schedule

STEPS = [(T, t) for T in (12, 20, 50) for t in range(1, Schedule.linear(T).T_prime + 1)]


def state(T, t, seed=0):
    schedule = Schedule.linear(T)
    g = torch.Generator().manual_seed(seed)
    z_y, z_0, eps, R_hat = (
        torch.randn(2, 3, 8, 8, generator=g, dtype=torch.float64) for _ in range(4)
    )
    R = z_y - z_0
    return schedule, z_y, R, R_hat, eps, forward(z_0, R, eps, t, schedule)


@pytest.mark.parametrize(("T", "t"), STEPS)
def test_exact_is_the_deterministic_residual_step(T, t):
    schedule, z_y, _, R_hat, _, z_t = state(T, t)
    eps_hat = noise_from_residual(z_t, z_y, R_hat, t, schedule)
    step = CORRECTIONS["exact"].mean(z_t, z_y, R_hat, eps_hat, t, schedule, 1.0)
    assert (step - compose(z_y, R_hat, eps_hat, t - 1, schedule)).abs().max() < 1e-9
    assert CORRECTIONS["exact"].std(t, schedule, 1.0) == 0  # not nearly: no noise may be drawn


@pytest.mark.parametrize(("T", "t"), STEPS)
def test_the_realised_offset_is_the_ancestral_step_minus_the_forward_state(T, t):
    schedule, z_y, R, R_hat, eps, z_t = state(T, t)
    eps_hat = noise_from_residual(z_t, z_y, R_hat, t, schedule)
    predicted = ancestral_mean(z_t, residual_noise(eps_hat, R_hat, t, schedule), t, schedule)
    delta = predicted - compose(z_y, R, eps, t - 1, schedule)
    assert (realised_offset(R_hat, R, eps_hat, t, schedule) - delta).abs().max() < 1e-9


@pytest.mark.parametrize(("T", "t"), STEPS)
def test_refining_the_residual_is_moving_the_step_by_c_t_g(T, t):
    """``learned`` with mu = -gamma eps_hat - c_t g equals the exact step taken with R_hat + g."""
    schedule, z_y, g, R_hat, _, z_t = state(T, t)
    eps_hat = noise_from_residual(z_t, z_y, R_hat, t, schedule)
    ancestral = ancestral_mean(z_t, residual_noise(eps_hat, R_hat, t, schedule), t, schedule)
    moved = ancestral - (exact_offset(eps_hat, t, schedule) - schedule.c[t] * g)
    refined = noise_from_residual(z_t, z_y, R_hat + g, t, schedule)
    step = CORRECTIONS["learned"].mean(z_t, z_y, R_hat + g, refined, t, schedule, 1.0)
    assert (moved - step).abs().max() < 1e-9


@pytest.mark.parametrize(("T", "t"), STEPS)
def test_paper_offset_is_the_printed_expression_with_the_residual_forgotten(T, t):
    """mu_paper = m_t - [a z_y + (1 - 2a) (z_y - (z_t - s eps) / a_t)] + noise terms it drops.

    Put otherwise: m_t - mu_paper is (2 a_{t-1} - 1)/a_t z_t + (1 - a_{t-1}) z_y, no network in it.
    """
    schedule, z_y, _, R_hat, _, z_t = state(T, t)
    eps_hat = noise_from_residual(z_t, z_y, R_hat, t, schedule)
    eps_res = residual_noise(eps_hat, R_hat, t, schedule)
    a = schedule.a
    left = ancestral_mean(z_t, eps_res, t, schedule) - paper_offset(z_t, z_y, eps_res, t, schedule)
    right = (2 * a[t - 1] - 1) / a[t] * z_t + (1 - a[t - 1]) * z_y
    assert (left - right).abs().max() < 1e-9


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
@pytest.mark.parametrize(("T", "t"), STEPS)
def test_the_printed_correction_goes_from_the_ancestral_step_to_one_without_a_network(T, t, weight):
    schedule, z_y, _, R_hat, _, z_t = state(T, t)
    a, s, k, alpha, beta = schedule.a, schedule.s, schedule.k, schedule.alpha, schedule.beta
    eps_hat = noise_from_residual(z_t, z_y, R_hat, t, schedule)
    m = (z_t - beta[t] / s[t] * (eps_hat + k[t] * R_hat)) / sqrt(alpha[t])
    networkless = (2 * a[t - 1] - 1) / a[t] * z_t + (1 - a[t - 1]) * z_y
    step = CORRECTIONS["paper"].mean(z_t, z_y, R_hat, eps_hat, t, schedule, weight)
    assert (step - (1 - weight) * m - weight * networkless).abs().max() < 1e-9
    none = CORRECTIONS["none"].mean(z_t, z_y, R_hat, eps_hat, t, schedule, weight)
    assert (none - m).abs().max() < 1e-9


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("t", [2, 3, 5])
def test_fresh_noise_keeps_the_marginal_by_monte_carlo(weight, t):
    """Stepping forward states with a perfect network lands on the forward marginal of t - 1."""
    schedule, n = Schedule.linear(12), 200_000
    g = torch.Generator().manual_seed(t)
    eps, xi = (torch.randn(n, 1, 1, 1, generator=g, dtype=torch.float64) for _ in range(2))
    z_y, R = torch.full_like(eps, 0.2), torch.full_like(eps, -0.6)
    z_t = compose(z_y, R, eps, t, schedule)
    exact = CORRECTIONS["exact"]
    step = exact.mean(z_t, z_y, R, eps, t, schedule, weight) + exact.std(t, schedule, weight) * xi
    mean = schedule.a[t - 1] * 0.2 + (1 - 2 * schedule.a[t - 1]) * -0.6
    assert float(step.mean()) == pytest.approx(mean, abs=0.01)
    assert float(step.var()) == pytest.approx(schedule.s[t - 1] ** 2, rel=0.02)


def test_fresh_noise_runs_from_ancestral_to_none():
    schedule = Schedule.linear(12)
    for t in range(1, schedule.T_prime + 1):
        assert fresh_noise_std(0.0, t, schedule) == pytest.approx(sqrt(schedule.beta_tilde[t]))
        assert fresh_noise_std(1.0, t, schedule) == pytest.approx(0, abs=1e-7)


def test_paper_sigma_against_its_three_terms():
    schedule, t = Schedule.linear(12), 3
    a, s, beta = schedule.a, schedule.s, schedule.beta
    expected = s[2] * sqrt(beta[3]) / s[3] - s[2] + (2 * a[2] - 1) * s[3] / a[3]
    assert paper_sigma(t, schedule) == pytest.approx(expected)
    drawn = CORRECTIONS["paper"].std(t, schedule, 0.4)
    assert drawn**2 == pytest.approx(schedule.beta_tilde[t] + (0.4 * expected) ** 2)
    assert CORRECTIONS["paper"].std(1, schedule, 1.0) == 0.0


def test_unknown_corrections_are_refused():
    with pytest.raises(ValueError, match="exact"):
        correction_named("exakt")
