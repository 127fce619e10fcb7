"""Noise schedule: every coefficient of the process as a plain number indexed by the step t.

| symbol | attribute | meaning |
|---|---|---|
| alpha_t, beta_t = 1 - alpha_t | ``alpha``, ``beta`` | one-step schedule |
| abar_t | ``alpha_bar`` | cumulative product, abar_0 = 1 |
| a_t = sqrt(abar_t) | ``a`` | signal level, a_0 = 1 |
| s_t = sqrt(1 - abar_t) | ``s`` | noise level, s_0 = 0 |
| k_t = (1 - sqrt(alpha_t)) s_t / beta_t | ``k`` | weight of the residual in the residual noise |
| btil_t = s_{t-1}^2 / s_t^2 beta_t | ``beta_tilde`` | ancestral posterior variance |
| gamma_t = s_{t-1} (1 - sqrt(alpha_t) s_{t-1} / s_t) | ``gamma`` | exact DPSC coefficient |
| c_t = (1 - 2 a_{t-1}) - s_{t-1} (1 - 2 a_t) / s_t | ``c`` | residual error carried to t - 1 |
| T' | ``T_prime`` | smooth equivalence point: the step where sampling starts |

A whole batch is at one step, so coefficients are Python floats (float64), not tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import cos, pi, sqrt

from learnir.names import look_up

EQUIVALENCE = 0.5  # the signal level at which the residual drops out of z_t (paper Eqs. 3-4)
SNAP_TOLERANCE = 0.01
FEWEST_STEPS = 2  # the first step of every schedule stays above a_t = 1/2
MOST_STEPS = 1000  # to find the schedule of more would take minutes, to sample with it hours


@dataclass(frozen=True)
class Schedule:
    """Coefficients of the residual process: tuples of length T' + 1, entry 0 the picture.

    Attributes are named as in the table above. ``alpha[0]`` is 1 and every coefficient that has no
    meaning at t = 0 is 0 there.
    """

    a: tuple[float, ...]

    def __post_init__(self) -> None:
        decreasing = all(x > y > 0 for x, y in zip(self.a, self.a[1:], strict=False))
        if len(self.a) < 2 or self.a[0] != 1.0 or not decreasing:
            raise ValueError(f"signal levels must fall from 1 and stay above 0, got {self.a}")
        if self.a[-1] > EQUIVALENCE + SNAP_TOLERANCE:
            raise ValueError(f"the last signal level must reach 1/2 (T'), got {self.a[-1]:.3f}")

    @cached_property
    def T_prime(self) -> int:  # noqa: N802 - the paper's symbol
        """Number of sampling steps: the index of the smooth equivalence point."""
        return len(self.a) - 1

    @cached_property
    def alpha_bar(self) -> tuple[float, ...]:
        return tuple(a * a for a in self.a)

    @cached_property
    def s(self) -> tuple[float, ...]:
        return tuple(sqrt(1.0 - a * a) for a in self.a)

    @cached_property
    def alpha(self) -> tuple[float, ...]:
        levels = zip(self.a, self.a[1:], strict=False)
        return (1.0, *((now / before) ** 2 for before, now in levels))

    @cached_property
    def beta(self) -> tuple[float, ...]:
        return tuple(1.0 - x for x in self.alpha)

    @cached_property
    def k(self) -> tuple[float, ...]:
        return self._from_one(lambda t: (1 - sqrt(self.alpha[t])) * self.s[t] / self.beta[t])

    @cached_property
    def beta_tilde(self) -> tuple[float, ...]:
        return self._from_one(lambda t: self.s[t - 1] ** 2 / self.s[t] ** 2 * self.beta[t])

    @cached_property
    def gamma(self) -> tuple[float, ...]:
        return self._from_one(
            lambda t: self.s[t - 1] * (1 - sqrt(self.alpha[t]) * self.s[t - 1] / self.s[t])
        )

    @cached_property
    def c(self) -> tuple[float, ...]:
        return self._from_one(
            lambda t: (1 - 2 * self.a[t - 1]) - self.s[t - 1] * (1 - 2 * self.a[t]) / self.s[t]
        )

    def _from_one(self, coefficient: Callable[[int], float]) -> tuple[float, ...]:
        return (0.0, *(coefficient(t) for t in range(1, self.T_prime + 1)))

    @classmethod
    def linear(cls, T: int = 12) -> Schedule:
        """Linear beta schedule scaled by 1000/T (T >= 2), cut at T'; T = 12 gives T' = 5."""
        scale = 1000.0 / T
        betas = [min(scale * (1e-4 + (0.02 - 1e-4) * i / max(T - 1, 1)), 0.9999) for i in range(T)]
        return cls(_cut([1.0 - b for b in betas]))

    @classmethod
    def cosine(cls, T: int = 12) -> Schedule:
        """Squared-cosine schedule (T >= 2), cut at T'."""

        def level(t: int) -> float:
            return cos((t / T + 0.008) / 1.008 * pi / 2) ** 2

        return cls(_cut([max(level(t) / level(t - 1), 1e-4) for t in range(1, T + 1)]))


def _cut(alphas: Sequence[float]) -> tuple[float, ...]:
    """Signal levels up to the first a_t <= 1/2, that one set to 1/2 when off by more than 0.01."""
    a = [1.0]
    for alpha in alphas:
        a.append(a[-1] * sqrt(alpha))
        if a[-1] <= EQUIVALENCE:
            break
    if abs(a[-1] - EQUIVALENCE) > SNAP_TOLERANCE:
        a[-1] = EQUIVALENCE
    return tuple(a)


SCHEDULES: dict[str, Callable[[int], Schedule]] = {
    "linear": Schedule.linear,
    "cosine": Schedule.cosine,
}


@lru_cache(maxsize=64)
def make_schedule(name: str, T: int) -> Schedule:
    """The named schedule with T training steps; ValueError for an unknown name or T < 2."""
    make = look_up("schedule", name, SCHEDULES)
    if T < 2:
        raise ValueError(f"a schedule needs T >= 2, got {T}")
    return make(T)


@lru_cache(maxsize=64)
def schedule_with_steps(name: str, steps: int) -> Schedule:
    """The schedule of the smallest T whose T' equals ``steps``: 5 -> T = 12, 8 -> 20, 19 -> 50.

    Raises ValueError where there is none, and for steps outside 2 to 1000.
    """
    if not FEWEST_STEPS <= steps <= MOST_STEPS:
        raise ValueError(f"steps lies between {FEWEST_STEPS} and {MOST_STEPS}, got {steps}")
    for T in range(2, 4 * steps + 16):
        schedule = make_schedule(name, T)
        if schedule.T_prime == steps:
            return schedule
    raise ValueError(f"no {name} schedule has exactly {steps} sampling steps")
