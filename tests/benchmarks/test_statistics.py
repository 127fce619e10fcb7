"""Intervals and tests against brute force and scipy."""

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.statistics import compare, holm, interval, seed_spread, wilcoxon


def test_bootstrap_is_the_full_enumeration_of_scene_draws():
    values = np.array([1.0, 2.0, 4.0, 8.0, 9.0])
    scenes = np.array(["a", "a", "b", "c", "c"])
    groups = [values[scenes == s] for s in "abc"]
    draws = product(range(3), repeat=3)
    every = np.array([np.concatenate([groups[i] for i in draw]).mean() for draw in draws])
    found = interval(values, scenes, level=0.5, draws=60_000)
    assert found.mean == pytest.approx(4.8)
    for bound, share in ((found.low, 0.25), (found.high, 0.75)):  # a step of the exact distribution
        assert (every < bound - 1e-9).mean() <= share <= (every <= bound + 1e-9).mean()


def test_frames_of_one_scene_do_not_count_as_many():
    rng = np.random.default_rng(0)
    scene_means = rng.normal(0, 1, 8)
    values = np.repeat(scene_means, 20) + rng.normal(0, 0.01, 160)
    clustered = interval(values, np.repeat(np.arange(8), 20))
    naive = interval(values, np.arange(160))
    assert clustered.high - clustered.low > 2.5 * (naive.high - naive.low)
    assert clustered.scenes == 8


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for i in range(200):
        values = rng.normal(3, 1, 40)
        found = interval(values, np.arange(40), seed=i, draws=400)
        hits += found.low <= 3 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_one_scene_has_no_interval():
    assert np.isnan(interval(np.arange(5.0), np.zeros(5)).low)


def test_wilcoxon_is_scipys_on_scene_means():
    difference = np.array([0.5, -0.1, 0.7, 0.9, 1.2, 0.2, 0.8, 1.0])
    expected = stats.wilcoxon(difference).pvalue
    assert wilcoxon(difference, np.arange(8)) == pytest.approx(expected)
    assert np.isnan(wilcoxon(difference[:5], np.arange(5)))
    assert wilcoxon(np.zeros(8), np.arange(8)) == 1.0


def exact(values):
    """Two-sided p of the signed ranks by all 2^n signs."""
    ranks = np.argsort(np.argsort(np.abs(values))) + 1
    sums = np.array([np.dot(signs, ranks) for signs in product((-1, 1), repeat=len(ranks))])
    return np.mean(np.abs(sums) >= abs(np.dot(np.sign(values), ranks)))


def test_scenes_that_do_not_differ_change_no_p():
    """With zeros SciPy would approximate: p = .043 for these five, where .0625 is the least."""
    difference = np.zeros(64)
    difference[:5] = [1.0, 1.1, 1.2, 1.3, 1.4]
    assert np.isnan(wilcoxon(difference, np.arange(64)))
    difference[5:9] = [0.4, -0.3, -0.2, 0.1]
    assert wilcoxon(difference, np.arange(64)) == pytest.approx(exact(difference[:9]))


def test_holm_is_the_closed_test_of_bonferroni():
    """Marcus, Peritz, Gabriel 1976: a p is the largest of all sets of tests that it is in."""
    p = np.random.default_rng(3).uniform(0, 0.2, 6)
    for i, found in enumerate(holm(p)):
        sets = [s for n in range(1, 7) for s in combinations(range(6), n) if i in s]
        assert found == pytest.approx(max(min(1, len(s) * p[list(s)].min()) for s in sets))


def test_holm_gives_what_statsmodels_gives():
    """``multipletests(p, method="holm")``; what was no test, nan, is counted by none."""
    nan = float("nan")
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    found = holm(np.array([nan, 0.6, 0.02, nan, 0.7]))
    assert found == pytest.approx([nan, 1, 0.06, nan, 1], nan_ok=True)


def frame(shift, seeds=(0,)):
    return pd.DataFrame(
        {
            "name": [f"{i}" for i in range(8)] * len(seeds),
            "scene": [f"{i}" for i in range(8)] * len(seeds),
            "seed": np.repeat(seeds, 8),
            "psnr": np.tile(np.arange(8.0) + shift, len(seeds)) + np.repeat(seeds, 8),
        }
    )


def test_comparison_is_paired_and_counts_wins():
    found = compare(frame(0.5), frame(0.0), "psnr")
    assert found.difference.mean == pytest.approx(0.5)
    assert found.difference.low == pytest.approx(0.5)
    assert (found.wins, found.losses) == (8, 0)
    assert found.p < 0.01


def test_a_verdict_takes_six_scenes_and_an_interval_beside_zero():
    assert compare(frame(0.5), frame(0.0), "psnr").certain
    assert not compare(frame(0.0), frame(0.0), "psnr").certain
    few = [
        f.assign(scene=f["scene"].astype(int).floordiv(2).astype(str)) for f in (frame(1), frame(0))
    ]
    assert not compare(*few, "psnr").certain


def test_a_verdict_takes_a_signed_rank_test_too():
    """The bootstrap alone would tell these apart; five of six scenes reach p = .0625 only."""
    one = frame(0).iloc[:6]
    other = one.assign(psnr=one["psnr"] + [1, 1.1, 1.2, 1.3, 1.4, -0.1])
    found = compare(other, one, "psnr")
    assert found.difference.low > 0
    assert found.p == pytest.approx(0.0625)
    assert not found.certain


def test_seeds_are_averaged_before_comparing():
    assert compare(frame(0, (0, 2)), frame(1), "psnr").difference.mean == pytest.approx(0)
    assert seed_spread(frame(0, (0, 2)), "psnr") == pytest.approx(np.sqrt(2))
    assert seed_spread(frame(0), "psnr") is None


def test_other_pictures_are_not_compared():
    with pytest.raises(ValueError, match="same pictures"):
        compare(frame(0), frame(0).iloc[1:], "psnr")
