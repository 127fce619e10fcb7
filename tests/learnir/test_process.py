import pytest
import torch

from learnir.process import (
    PREDICTIONS,
    compose,
    forward,
    noise_from_residual,
    residual_from_residual_noise,
    residual_noise,
    start,
)
from learnir.schedule import Schedule

STEPS = [(T, t) for T in (12, 20, 50) for t in range(1, Schedule.linear(T).T_prime + 1)]


def latents(seed=0, shape=(2, 3, 8, 8)):
    generator = torch.Generator().manual_seed(seed)
    z_y, z_0, eps = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(3))
    return z_y, z_0, z_y - z_0, eps


@pytest.mark.parametrize(("T", "t"), STEPS)
def test_every_conversion_round_trips(T, t):
    schedule = Schedule.linear(T)
    z_y, z_0, R, eps = latents()
    z_t = forward(z_0, R, eps, t, schedule)
    eps_res = residual_noise(eps, R, t, schedule)
    assert torch.allclose(compose(z_y, R, eps, t, schedule), z_t, rtol=0, atol=1e-12)
    assert (noise_from_residual(z_t, z_y, R, t, schedule) - eps).abs().max() < 1e-9
    assert (residual_from_residual_noise(z_t, z_y, eps_res, t, schedule) - R).abs().max() < 1e-9


@pytest.mark.parametrize("name", PREDICTIONS)
@pytest.mark.parametrize(("T", "t"), STEPS)
def test_a_perfect_output_gives_the_residual(name, T, t):
    schedule, prediction = Schedule.linear(T), PREDICTIONS[name]
    z_y, z_0, R, eps = latents(1)
    z_t = forward(z_0, R, eps, t, schedule)
    output = prediction.target(z_y, R, eps, t, schedule)
    assert (prediction.residual(output, z_t, z_y, t, schedule) - R).abs().max() < 1e-9


def test_at_the_equivalence_point_the_residual_drops_out():
    schedule = Schedule.linear(12)
    z_y, z_0, R, eps = latents(2)
    at_equivalence = forward(z_0, R, eps, schedule.T_prime, schedule)
    assert torch.allclose(start(z_y, eps, schedule), at_equivalence, rtol=0, atol=1e-12)


def chain(schedule, z_0, R, steps, generator):
    """Brute force: the one-step process x_t = sqrt(alpha) x_{t-1} + (1 - sqrt(alpha)) R + noise."""
    x = z_0
    for t in range(1, steps + 1):
        alpha = schedule.alpha[t]
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        x = alpha**0.5 * x + (1 - alpha**0.5) * R + (1 - alpha) ** 0.5 * noise
    return x


@pytest.mark.parametrize("t", [1, 3, 5])
def test_marginals_by_monte_carlo(t):
    """200,000 chains of single steps have the mean and variance of the closed form."""
    schedule, n = Schedule.linear(12), 200_000
    generator = torch.Generator().manual_seed(t)
    z_0, R = torch.full((n,), 0.3, dtype=torch.float64), torch.full((n,), -0.8, dtype=torch.float64)
    x = chain(schedule, z_0, R, t, generator)
    mean = schedule.a[t] * 0.3 + (1 - schedule.a[t]) * -0.8
    assert float(x.mean()) == pytest.approx(mean, abs=5 * schedule.s[t] / n**0.5)
    assert float(x.var()) == pytest.approx(schedule.s[t] ** 2, rel=0.02)


@pytest.mark.parametrize("t", [2, 4])
def test_posterior_by_monte_carlo(t):
    """Regressing z_{t-1} on z_t over sampled chains gives the ancestral mean and variance."""
    from learnir.posterior import ancestral_mean

    schedule, n = Schedule.linear(12), 200_000
    generator = torch.Generator().manual_seed(10 + t)
    z_0, R = torch.full((n,), 0.5, dtype=torch.float64), torch.full((n,), 0.4, dtype=torch.float64)
    before = chain(schedule, z_0, R, t - 1, generator)
    noise = torch.randn(n, generator=generator, dtype=torch.float64)
    alpha = schedule.alpha[t]
    after = alpha**0.5 * before + (1 - alpha**0.5) * R + (1 - alpha) ** 0.5 * noise
    eps = (after - schedule.a[t] * z_0 - (1 - schedule.a[t]) * R) / schedule.s[t]
    m = ancestral_mean(after, residual_noise(eps, R, t, schedule), t, schedule)
    error = before - m
    assert abs(float(error.mean())) < 0.005
    assert abs(float((error * after).mean())) < 0.005  # nothing left to explain
    assert float(error.var()) == pytest.approx(schedule.beta_tilde[t], rel=0.02)
