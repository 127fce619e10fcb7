from math import hypot

import pytest
import torch

from learnir.posterior import fresh_noise_std
from learnir.process import noise_from_residual
from learnir.resolution import area_mean, scale_at
from learnir.sampler import sample
from learnir.schedule import Schedule


class Oracle:
    """Knows the true residual; refines to it from anything."""

    def __init__(self, R):
        self.R = R

    def residual(self, z_t, z_y, t, schedule):
        return area_mean(self.R, self.R.shape[-1] // z_t.shape[-1])

    def refine(self, z_t, z_y, R, t, schedule):
        return self.residual(z_t, z_y, t, schedule), None


class Liar(Oracle):
    """Says anything: a new random residual at every call."""

    def residual(self, z_t, z_y, t, schedule):
        return torch.randn(z_t.shape, dtype=z_t.dtype) * 3


class Unsure(Oracle):
    """Right, and says that its correction may be off by ``spread``."""

    def __init__(self, R, spread):
        super().__init__(R)
        self.spread = spread

    def refine(self, z_t, z_y, R, t, schedule):
        return R, torch.full_like(R, self.spread)


@pytest.mark.parametrize("weight", [1.0, 0.5])
@pytest.mark.parametrize("scales", [(1, 1, 1, 1, 1), (1, 1, 1, 2, 4), (1, 1, 1, 4, 2)])
def test_a_predicted_spread_is_noise_in_every_state_but_the_picture(scales, weight):
    """C_t^2 = std^2 + (c_t spread)^2: std of what a step adds to the same step without a spread."""
    y, x = (torch.zeros(1, 3, 128, 128, dtype=torch.float64) for _ in range(2))
    schedule = Schedule.linear(12)
    T_prime = schedule.T_prime

    def state(spread, until):
        model = Unsure(y - x, spread)
        options = {"correction": "learned", "weight": weight, "until": until}
        draws = torch.Generator().manual_seed(4)
        return sample(model, y, schedule, scales=scales, generator=draws, **options)

    sure, unsure = (state(spread, T_prime - 1) for spread in (0.0, 3.0))
    added, std = float((unsure - sure).std()), fresh_noise_std(weight, T_prime, schedule)
    assert added == pytest.approx(hypot(std, schedule.c[T_prime] * 3) - std, rel=0.03)
    assert added > 0.01
    assert float((state(3.0, 0) - x).abs().max()) < 1e-6  # at t = 1 the oracle says x


def test_the_model_is_asked_about_the_state_and_the_observation_at_its_scale():
    y, _ = pictures()
    R, scales, asked = torch.full_like(y, 0.3), (1, 2, 2, 2, 4), []

    class Watched(Oracle):
        def residual(self, z_t, z_y, t, schedule):
            asked.append(t)
            f = scales[t - 1]
            assert torch.equal(z_y, area_mean(y, f))
            eps = noise_from_residual(z_t, z_y, area_mean(R, f), t, schedule)
            assert 0.85 < float(eps.var()) < 1.15
            return super().residual(z_t, z_y, t, schedule)

        def refine(self, z_t, z_y, R, t, schedule):
            assert float((R - 0.3).abs().max()) < 1e-12
            return self.residual(z_t, z_y, t, schedule), None

    options = {"correction": "learned", "generator": generator()}
    sample(Watched(R), y, Schedule.linear(12), scales=scales, **options)
    assert asked == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]


def pictures(size=32):
    g = torch.Generator().manual_seed(0)
    y, x = (
        torch.rand(2, 3, size, size, generator=g, dtype=torch.float64) * 2 - 1 for _ in range(2)
    )
    return y, x


def generator():
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize("T", [12, 20, 50])
@pytest.mark.parametrize(
    ("correction", "weight"), [("none", 1.0), ("exact", 1.0), ("exact", 0.3), ("learned", 1.0)]
)
def test_an_oracle_restores_the_picture(T, correction, weight):
    y, x = pictures()
    schedule = Schedule.linear(T)
    fixed = (1,) * schedule.T_prime
    z_0 = sample(
        Oracle(y - x),
        y,
        schedule,
        scales=fixed,
        correction=correction,
        weight=weight,
        generator=generator(),
    )
    assert (z_0 - x).abs().max() < 1e-5


def test_learned_mends_a_lying_denoiser():
    y, x = pictures()
    schedule = Schedule.linear(12)

    class Mended(Liar):
        def refine(self, z_t, z_y, R, t, schedule):
            return Oracle.residual(self, z_t, z_y, t, schedule), None

    z_0 = sample(
        Mended(y - x), y, schedule, scales=(1,) * 5, correction="learned", generator=generator()
    )
    assert (z_0 - x).abs().max() < 1e-5


@pytest.mark.parametrize("scales", [(1, 1, 2, 4, 4), (1, 2, 4, 2, 1), (2, 2, 4, 4, 4)])
def test_an_oracle_restores_through_every_resolution(scales):
    """A residual that is smooth enough to survive the coarsest scale comes back exactly."""
    y, _ = pictures()
    R = torch.full_like(y, 0.3)
    z_0 = sample(Oracle(R), y, Schedule.linear(12), scales=scales, generator=generator())
    assert (z_0 - (y - R)).abs().max() < 1e-5


@pytest.mark.parametrize("T", [12, 20, 50])
def test_the_printed_correction_returns_the_observation_whatever_the_network_says(T):
    """At weight 1 the network cancels out of m_t - mu: without noise, z_0 is z_y itself."""
    y, x = pictures()
    schedule = Schedule.linear(T)
    z_0 = sample(
        Liar(y - x),
        y,
        schedule,
        scales=(1,) * schedule.T_prime,
        correction="paper",
        noise=lambda draw, f, shape: torch.zeros(shape, dtype=y.dtype),
    )
    assert (z_0 - y).abs().max() < 1e-9


def test_with_noise_the_printed_correction_keeps_even_an_oracle_from_the_picture():
    y, x = pictures()
    z_0 = sample(
        Oracle(y - x),
        y,
        Schedule.linear(12),
        scales=(1,) * 5,
        correction="paper",
        weight=1.0,
        generator=generator(),
    )
    assert (z_0 - x).abs().mean() > 0.1


@pytest.mark.parametrize("size", [(16, 16), (17, 23), (30, 41)])
def test_any_size_comes_back_whole(size):
    y = torch.rand(1, 3, *size) * 2 - 1

    class Nothing:
        def residual(self, z_t, z_y, t, schedule):
            return torch.zeros_like(z_t)

    z_0 = sample(Nothing(), y, Schedule.linear(12), scales=(1, 1, 2, 4, 4), generator=generator())
    assert z_0.shape == y.shape
    assert (z_0 - y).abs().max() < 1e-5


def test_one_seed_one_picture_and_stopping_on_the_way():
    y, x = pictures()
    schedule, scales = Schedule.linear(12), (1, 1, 2, 4, 4)
    first, second = (
        sample(Oracle(y - x), y, schedule, scales=scales, correction="none", generator=generator())
        for _ in range(2)
    )
    assert torch.equal(first, second)
    R = torch.full_like(y, 0.3)
    z_3 = sample(Oracle(R), y, schedule, scales=scales, until=3, generator=generator())
    assert z_3.shape[-1] == 16
    eps = noise_from_residual(z_3, area_mean(y, 2), area_mean(R, 2), 3, schedule)
    assert 0.9 < float(eps.var()) < 1.1


@pytest.mark.parametrize("scales", [(1, 1, 1, 1, 1), (1, 1, 2, 2, 4)])
def test_without_eta_nothing_is_drawn_but_the_start_and_what_finer_scales_need(scales):
    y, x = pictures()
    schedule = Schedule.linear(12)
    states, drawn = [], []

    def noise(_, scale, shape):
        drawn[-1].append(scale)
        seed = torch.Generator().manual_seed(len(drawn[-1]))
        return torch.randn(shape, generator=seed, dtype=y.dtype)

    for eta in (0, 1):
        drawn.append([])
        options = {"correction": "none", "eta": eta, "until": 1, "noise": noise}
        states.append(sample(Oracle(y - x), y, schedule, scales=scales, **options))
    assert drawn[0] == [scales[-1], *([] if scales[-1] == 1 else [2, 1])]
    assert len(drawn[1]) == len(drawn[0]) + 4  # steps 5 to 2
    assert (states[1] - states[0]).abs().mean() > 0.01


def test_callback_sees_the_picture_of_every_step_and_cancels():
    y, _ = pictures()
    R, scales, seen = torch.full_like(y, 0.3), (1, 1, 2, 4, 4), []

    def watch(t, z_0_hat):
        seen.append(t)
        assert (z_0_hat - area_mean(y - R, scale_at(scales, t - 1))).abs().max() < 1e-9
        if t == 2:
            raise KeyboardInterrupt

    options = {"scales": scales, "generator": generator(), "callback": watch}
    with pytest.raises(KeyboardInterrupt):
        sample(Oracle(R), y, Schedule.linear(12), **options)
    assert seen == [5, 4, 3, 2]
