"""Intervals and tests on per-picture scores, clustered by scene: its frames count as one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 4000
FEWEST_SCENES = 6
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """Mean over pictures with a bootstrap interval; nan bounds for fewer than two scenes."""

    mean: float
    low: float
    high: float
    pictures: int
    scenes: int


@dataclass(frozen=True)
class Comparison:
    """A minus B on the same pictures. p: ``wilcoxon`` on scene means."""

    metric: str
    difference: Interval
    p: float
    wins: int
    losses: int

    @property
    def certain(self) -> bool:
        """Whether the two can be told apart: zero outside the interval, and p below 5 %.

        Both are asked for, as the bootstrap of few scenes promises more than it holds; where fewer
        than six scenes differ there is no p, as no signed-rank test can reach 5 %.
        """
        difference = self.difference
        return (difference.low > 0 or difference.high < 0) and self.p < 1 - LEVEL


def interval(
    values: np.ndarray, scenes: np.ndarray, level: float = LEVEL, seed: int = 0, draws: int = DRAWS
) -> Interval:
    """Percentile bootstrap of the mean over pictures; whole scenes are drawn with replacement.

    Davison, Hinkley 1997, section 3.8: the mean of a draw is (sum of values) / (sum of counts).
    Of normal scores it holds the mean in 85 % of cases with 6 scenes, 93 % with 25, 94 % with 64;
    with 3 it would be 75 %.
    """
    _, scene_of = np.unique(scenes, return_inverse=True)
    count = np.bincount(scene_of).astype(float)
    total = np.bincount(scene_of, weights=values)
    mean = float(values.mean())
    if len(count) < 2:
        return Interval(mean, float("nan"), float("nan"), len(values), len(count))
    drawn = _drawn(len(count), draws, seed)
    means = (drawn @ total) / (drawn @ count)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), len(values), len(count))


@lru_cache(maxsize=2)
def _drawn(scenes: int, draws: int, seed: int) -> np.ndarray:
    """How often each scene is in each draw: (draws, scenes); the same for every metric."""
    drawn = np.random.default_rng(seed).integers(0, scenes, (draws, scenes))
    drawn += scenes * np.arange(draws)[:, None]
    counted = np.bincount(drawn.ravel(), minlength=draws * scenes)
    return counted.reshape(draws, scenes).astype(float)


def compare(a: pd.DataFrame, b: pd.DataFrame, metric: str) -> Comparison:
    """Paired comparison of two runs' rows on one metric; seeds are averaged per picture first.

    ValueError unless both hold the same pictures.
    """
    x, y = (_per_picture(rows, metric) for rows in (a, b))
    if list(x.index) != list(y.index):
        raise ValueError(f"{metric}: the two runs do not hold the same pictures")
    difference = (x[metric] - y[metric]).to_numpy()
    scenes = x["scene"].to_numpy()
    return Comparison(
        metric,
        interval(difference, scenes),
        wilcoxon(difference, scenes),
        int((difference > 0).sum()),
        int((difference < 0).sum()),
    )


def wilcoxon(difference: np.ndarray, scenes: np.ndarray) -> float:
    """Two-sided Wilcoxon signed-rank p on the scenes' mean differences.

    Scenes that do not differ say nothing: 1 where none does, nan where fewer than six do.
    """
    from scipy.stats import wilcoxon as signed_rank

    _, scene_of = np.unique(scenes, return_inverse=True)
    means = np.bincount(scene_of, weights=difference) / np.bincount(scene_of)
    differing = means[means != 0]  # any zero makes SciPy approximate, however few the others are
    if not len(differing):
        return 1.0
    return float(signed_rank(differing).pvalue) if len(differing) >= FEWEST_SCENES else float("nan")


def holm(p: np.ndarray) -> np.ndarray:
    """p of several tests, adjusted so that a table of verdicts holds as a whole; nan stays nan.

    Holm 1979, Scandinavian Journal of Statistics 6, p. 65: of m tests the i-th smallest p counts
    m - i + 1 times, at most 1 and never less than a smaller one. nan was no test.
    """
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    adjusted = np.full(len(p), np.nan)
    weighted = np.arange(len(order), 0, -1) * p[order]
    adjusted[order] = np.minimum(np.maximum.accumulate(weighted), 1)
    return adjusted


def seed_spread(rows: pd.DataFrame, metric: str) -> float | None:
    """Standard deviation over seeds of the mean score; None for a single seed."""
    means = rows.groupby("seed")[metric].mean()
    return float(means.std(ddof=1)) if len(means) > 1 else None


def _per_picture(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    kept = rows.dropna(subset=[metric])
    return kept.groupby("name", sort=True).agg({metric: "mean", "scene": "first"})
