"""Submissions that are somebody else's results, or the targets."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sample_methods import speckled, write
from sample_submissions import edit, report, sign

from benchmarks.copies import refuse_copied_scores, refuse_targets
from benchmarks.names import BenchmarkError
from benchmarks.pairs import decoded, open_collection
from benchmarks.results import load_runs
from benchmarks.submissions import submit


def test_copied_scores_are_refused(bundle, data, results, score):
    rows = score("input").rows()
    report(bundle, rows.assign(psnr=rows["psnr"] + 0.004))
    assert "8 of 8 scores are those of 'input'" in submit(bundle, results, data).reason


def test_a_copy_of_another_method_is_refused(bundle, data, results):
    assert submit(bundle, results, data).accepted
    edit(bundle, method="Brand new")
    verdict = submit(bundle, results, data)
    assert not verdict.accepted
    assert "8 of 8 pictures are those of 'Brighter'" in verdict.reason


@pytest.mark.parametrize("disturbed", [0, 1], ids=["exact", "one level off"])
def test_a_copy_of_one_seed_is_a_copy(bundle, data, results, score, disturbed):
    stored = score("python:sample_methods:speckled", seeds=(0, 1, 2))
    assert stored.facts["seeds"] == [0, 1, 2]
    rng = np.random.default_rng(0)
    for pair in decoded(open_collection("ucb", data)):
        picture = speckled(pair.input, seed=1).astype(int)
        if disturbed:
            picture += rng.integers(-1, 2, picture.shape)
        made = np.clip(picture, 0, 255).astype(np.uint8)
        write(bundle / "results" / f"{pair.key}.png", made)
    sign(bundle)
    assert "those of 'speckled': a copy" in submit(bundle, results, data).reason
    assert len(load_runs(results)) == 1


def test_the_untouched_inputs_are_a_copy_too(bundle, data, results, score):
    score("input")
    for pair in decoded(open_collection("ucb", data)):
        write(bundle / "results" / f"{pair.key}.png", pair.input)
    sign(bundle)
    assert "'input'" in submit(bundle, results, data).reason


@pytest.mark.parametrize("disturbed", [0, 1], ids=["exact", "a pixel off"])
def test_the_targets_are_no_results(bundle, data, results, disturbed):
    for pair in decoded(open_collection("ucb", data)):
        pair.target[0, 0] ^= np.uint8(disturbed)
        write(bundle / "results" / f"{pair.key}.png", pair.target)
    sign(bundle)
    verdict = submit(bundle, results, data)
    assert verdict.reason.startswith("Brighter: 8 of 8 results are the data set's targets")
    assert not list(results.glob("*"))


def rows_of(psnr, ssim):
    return pd.DataFrame({"name": list("abcdefgh"), "psnr": psnr, "ssim": ssim})


DB = 20.0 + np.arange(8)
STORED = SimpleNamespace(
    facts={"method": {"name": "theirs"}}, rows=lambda: rows_of(DB - 0.015, 0.8015)
)


def scores(equal, ssim=0.8):
    """Eight rows, of which so many are about those of ``STORED``, but for ``ssim``."""
    return rows_of(DB + 0.02 * (np.arange(8) >= equal), ssim)


@pytest.mark.parametrize(("equal", "ssim"), [(4, 0.8), (8, 0.81), (0, 0.8)])
def test_another_method_may_come_near_now_and_then(equal, ssim):
    """Half of the pictures in both scores, or all of them in one, is no copy."""
    refuse_copied_scores(scores(equal, ssim), [STORED])


def test_more_than_half_is_a_copy():
    with pytest.raises(BenchmarkError, match="5 of 8 scores are those of 'theirs'"):
        refuse_copied_scores(scores(5), [STORED])


@pytest.mark.parametrize("perfect", [2, 3])
def test_pictures_that_need_nothing_are_no_stolen_targets(perfect):
    """Six of ten inputs are their targets: of the other four, more than two tell a thief."""
    rows = pd.DataFrame(
        {"input_psnr": 6 * [np.inf] + 4 * [20.0], "psnr": 6 * [np.inf] + 4 * [30.0]}
    )
    rows.loc[10 - perfect :, "psnr"] = 61.0
    if perfect == 2:
        refuse_targets(rows, "mine")
    else:
        with pytest.raises(BenchmarkError, match="mine: 3 of 4 results are the data set's targets"):
            refuse_targets(rows, "mine")
