from math import cos, pi, sqrt

import numpy as np
import pytest

from learnir.schedule import Schedule, make_schedule, schedule_with_steps

SCHEDULES = [Schedule.linear(T) for T in (12, 20, 50)] + [Schedule.cosine(T) for T in (12, 50)]


def test_twelve_steps_cut_at_five_as_in_the_paper():
    assert Schedule.linear(12).a == pytest.approx((1, 0.996, 0.913, 0.759, 0.557, 0.5), abs=5e-4)


@pytest.mark.parametrize(("T", "T_prime"), [(12, 5), (20, 8), (50, 19)])
def test_smooth_equivalence_point(T, T_prime):
    schedule = Schedule.linear(T)
    assert schedule.T_prime == T_prime
    assert abs(schedule.a[-1] - 0.5) <= 0.01
    assert schedule_with_steps("linear", T_prime) == schedule


@pytest.mark.parametrize("T", [12, 20, 50])
def test_the_linear_schedule_is_that_of_ddpm_scaled_to_its_steps(T):
    """beta from 1e-4 to 0.02 (Ho, Jain, Abbeel) times 1000 / T; abar_t is their product."""
    levels = np.sqrt(np.cumprod(1 - 1000 / T * np.linspace(1e-4, 0.02, T)[: T // 2]))
    cut = int(np.argmax(levels <= 0.5))
    schedule = Schedule.linear(T)
    assert schedule.a[:-1] == pytest.approx((1, *levels[:cut]), abs=1e-12)
    assert schedule.a[-1] == pytest.approx(levels[cut] if levels[cut] >= 0.49 else 0.5, abs=1e-12)


@pytest.mark.parametrize("T", [5, 12, 50, 1000])
def test_the_cosine_schedule_is_a_squared_cosine_cut_at_one_half(T):
    """abar_t = f(t) / f(0) with f(t) = cos^2((t/T + 0.008) / 1.008 pi/2), Nichol and Dhariwal."""
    angles = [(t / T + 0.008) / 1.008 * pi / 2 for t in range(T + 1)]
    levels = [cos(angle) / cos(angles[0]) for angle in angles]
    cut = next(t for t, level in enumerate(levels) if level <= 0.5)
    snapped = levels[cut] if levels[cut] >= 0.49 else 0.5
    schedule = Schedule.cosine(T)
    assert schedule.T_prime == cut
    assert schedule.a == pytest.approx((*levels[:cut], snapped), abs=1e-12)
    assert (schedule.a[-1] == 0.5) == (T in (5, 50))


@pytest.mark.parametrize("steps", [-1, 0, 1, 1001, 10**9])
def test_steps_that_no_schedule_has(steps):
    with pytest.raises(ValueError, match=f"between 2 and 1000, got {steps}"):
        schedule_with_steps("linear", steps)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_the_schedule_with_so_many_steps_is_the_shortest(name):
    for steps in range(2, 20):
        shortest = next(T for T in range(2, 200) if make_schedule(name, T).T_prime == steps)
        assert schedule_with_steps(name, steps) == make_schedule(name, shortest)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_coefficients_against_their_definitions(schedule):
    assert (schedule.alpha[0], schedule.s[0]) == (1, 0)
    assert {getattr(schedule, name)[0] for name in ("k", "beta_tilde", "gamma", "c")} == {0}
    for t in range(1, schedule.T_prime + 1):
        alpha = (schedule.a[t] / schedule.a[t - 1]) ** 2
        s, before = sqrt(1 - schedule.a[t] ** 2), sqrt(1 - schedule.a[t - 1] ** 2)
        assert schedule.alpha[t] == pytest.approx(alpha, abs=1e-14)
        assert schedule.s[t] == pytest.approx(s, abs=1e-14)
        assert schedule.k[t] == pytest.approx((1 - sqrt(alpha)) * s / (1 - alpha), abs=1e-12)
        assert schedule.beta_tilde[t] == pytest.approx(before**2 / s**2 * (1 - alpha), abs=1e-14)
        assert schedule.gamma[t] == pytest.approx(
            before * (1 - sqrt(alpha) * before / s), abs=1e-14
        )


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_residual_denominator_is_negative_at_every_step(schedule):
    for t in range(1, schedule.T_prime + 1):
        assert (1 - 2 * schedule.a[t]) - schedule.s[t] * schedule.k[t] < -1e-3


def test_the_last_residual_error_is_carried_whole():
    assert Schedule.linear(12).c[1] == -1.0


@pytest.mark.parametrize(
    "a", [(1.0,), (0.5,), (0.9, 0.5), (1.0, 0.4, 0.5), (1.0, 0.5, 0.5), (1.0, 0.5, 0.0)]
)
def test_levels_that_do_not_fall_from_1_are_refused(a):
    with pytest.raises(ValueError, match="signal levels must fall from 1 and stay above 0"):
        Schedule(a)


def test_levels_that_end_above_one_half_are_refused():
    with pytest.raises(ValueError, match="the last signal level must reach 1/2"):
        Schedule((1.0, 0.9, 0.8))


def test_unknown_names_and_lengths_are_refused():
    with pytest.raises(ValueError, match="linear"):
        make_schedule("linaer", 12)
    with pytest.raises(ValueError, match="T >= 2"):
        make_schedule("linear", 1)
