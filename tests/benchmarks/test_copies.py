"""Submissions that are somebody else's results, or the targets."""

import numpy as np
import pytest
from sample_methods import speckled, write
from sample_submissions import edit, report, sign

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
