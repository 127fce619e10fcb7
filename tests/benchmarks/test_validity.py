"""Results that say what is not so, or cannot be read: named, never ranked."""

import json
import shutil

import pandas as pd
import pytest

from benchmarks.leaderboard import boards, table
from benchmarks.names import BenchmarkError
from benchmarks.results import checked_runs, load_run, run_id, stored_problems
from benchmarks.validity import problems


@pytest.fixture
def results(two_runs, tmp_path):
    """A folder of two results that may be spoiled."""
    return shutil.copytree(two_runs, tmp_path / "results")


def run_of(results, method):
    (path,) = results.glob(f"*.{method}.*.json")
    return load_run(path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: f.pop("scores"), "scores"),
        (lambda f: f.update(method="mine"), "method: missing or not dict"),
        (lambda f: f["scores"]["psnr"].update(mean=float("nan")), "finite"),
        (lambda f: f["scores"]["ssim"].update(mean=1.2), "out of range"),
        (lambda f: f["scores"].update(ssim=0.9), "finite"),
        (lambda f: f["scores"].update(taste={"mean": 1}), "unknown metric"),
        (lambda f: f["method"].update(name="<script>alert(1)</script>"), "letters"),
        (lambda f: f["method"].update(training_data="<img src=x onerror=1>"), "plain text"),
        (lambda f: f.update(badge="best"), "badge"),
        (lambda f: f["protocol"].update(size=[1, 1]), "differs"),
        (lambda f: f["protocol"].update(id="mine"), "unknown"),
    ],
)
def test_the_validator_names_what_is_wrong(results, damage, words):
    facts = json.loads(run_of(results, "input").path.read_text())
    damage(facts)
    assert words in problems(facts, None)[0]


def test_rows_out_of_range_or_doubled_are_named(results):
    run = run_of(results, "input")
    rows = run.rows()
    assert problems(run.facts, rows.assign(ssim=1.5))
    assert problems(run.facts, pd.concat([rows, rows]))
    assert problems(run.facts, rows.drop(columns="seconds"))


@pytest.mark.parametrize("column", ["psnr", "seed", "peak_memory_bytes", "input_ssim"])
def test_rows_of_words_are_named_and_prove_nothing(results, column):
    run = run_of(results, "input")
    words = run.rows().assign(**{column: "<b>best</b>"})
    assert problems(run.facts, words) == [f"rows: {column} holds no numbers"]
    words.to_parquet(run.path.with_suffix(".parquet"), index=False)
    assert len(table(boards(results)[0], results)) == 2


def forged(run, change):
    """The run with its facts changed and hashed anew, as somebody who knows how would do it."""
    facts = json.loads(run.path.read_text())
    change(facts)
    facts["id"] = run_id(facts)
    path = run.path.with_name(f"{facts['id']}.json")
    path.write_text(json.dumps(facts))
    run.path.with_suffix(".parquet").rename(path.with_suffix(".parquet"))
    run.path.unlink()
    return load_run(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f["scores"]["psnr"].update(mean=20.0), "psnr, mean is"),
        (lambda f: f["scores"]["psnr"].update(low=1.0), "psnr, low is"),
        (lambda f: f["scores"]["psnr"].update(high=None), "psnr, high is"),
        (lambda f: f["scores"]["ssim"].update(scenes=600), "ssim, scenes is 6"),
        (lambda f: f["scores"]["ssim"].update(pictures=True), "ssim, pictures is 8"),
        (lambda f: f["scores"]["ssim"].update(seed_std=0.0), "ssim, seed_std is None"),
        (lambda f: f["scores"].pop("lab_mae"), "lab_mae is in the rows or in the summary"),
        (
            lambda f: f["scores"].update(psnr_face=dict(f["scores"]["psnr"])),
            "psnr_face is in the rows or in the summary",
        ),
        (lambda f: f["input_row"].update(psnr=12.0), "input_row, psnr is"),
        (lambda f: f["cost"].update(seconds_median=1e-9), "cost, seconds_median is"),
        (lambda f: f["cost"].update(peak_memory_bytes=None), "cost, peak_memory_bytes is"),
        (lambda f: f["dataset"].update(pairs=100), "not those of 100 pictures and 1 seeds"),
        (lambda f: f.update(seeds=[0, 1]), "not those of 8 pictures and 2 seeds"),
    ],
)
def test_false_numbers_with_a_true_hash_are_found(results, change, words):
    wrong = stored_problems(forged(run_of(results, "retinex"), change))
    assert any(words in line for line in wrong), wrong


def test_a_row_that_is_missing_is_found(results):
    run = run_of(results, "input")
    assert any("7, for" in line or "not those of" in line for line in problems(
        run.facts, run.rows().iloc[1:]
    ))  # fmt: skip
    two = pd.concat([run.rows(), run.rows().assign(seed=1)])
    line = problems({**run.facts, "seeds": [0, 1]}, two.iloc[1:])[0]
    assert line == "rows: 15, for 8 pictures and 2 seeds"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f["provenance"].pop("by"), "provenance.by: missing or not str"),
        (
            lambda f: f["dataset"].pop("expected"),
            "dataset.expected: missing or not int or NoneType",
        ),
        (lambda f: f["dataset"].update(pairs="8"), "dataset.pairs: missing or not int"),
        (lambda f: f["dataset"].update(pairs=True), "dataset.pairs: missing or not int"),
        (lambda f: f["cost"].update(seconds_median="fast"), "cost.seconds_median: missing or not"),
        (lambda f: f["input_row"].update(psnr=float("nan")), "input_row.psnr: missing or not"),
        (lambda f: f.update(seeds=[]), "seeds: a list of numbers"),
        (lambda f: f.update(seeds=["0"]), "seeds: a list of numbers"),
    ],
)
def test_a_result_of_another_shape_is_named_and_breaks_no_table(results, change, words):
    with pytest.raises(BenchmarkError, match=words):
        forged(run_of(results, "retinex"), change)
    assert list(table(boards(results)[0], results)["method"]) == ["input"]
    (line,) = checked_runs(results)[1]
    assert words in line


def test_what_is_nested_too_deep_is_no_result(results):
    (results / "deep.json").write_text("[" * 100_000 + "]" * 100_000)
    runs, wrong = checked_runs(results)
    assert [run.facts["method"]["name"] for run in runs] == ["input", "retinex"]
    assert len(wrong) == 1
    assert "deep.json: not a result file" in wrong[0]


def test_a_torn_table_of_rows_is_named(results):
    run = run_of(results, "input")
    table_of_rows = run.path.with_suffix(".parquet")
    table_of_rows.write_bytes(table_of_rows.read_bytes()[:200])
    with pytest.raises(BenchmarkError, match=r"\.parquet: cannot be read"):
        run.rows()
    assert len(checked_runs(results)[1]) == 1
