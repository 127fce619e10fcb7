"""Runs: what they store, that they resume, that stored results cannot be changed unseen."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from benchmarks import runner
from benchmarks.metrics import psnr
from benchmarks.names import BenchmarkError
from benchmarks.pairs import decoded, open_collection
from benchmarks.protocols import PROTOCOLS
from benchmarks.results import load_run, load_runs, problems, stored_problems


def test_a_run_says_everything_about_itself(score, data, results):
    run = score("input")
    facts = json.loads(run.path.read_text())
    assert facts["method"]["name"] == "input"
    assert facts["dataset"]["pairs"] == 8
    assert facts["dataset"]["expected"] == 100
    assert facts["protocol"]["id"] == "native-v1"
    assert facts["environment"]["packages"]["numpy"] == np.__version__
    assert {"lpips_vgg"} <= facts["missing"].keys() | facts["scores"].keys()
    assert stored_problems(run) == []
    assert [p.name for p in results.iterdir() if p.suffix == ".jsonl"] == []


def test_rows_are_the_metrics_picture_by_picture(score, data):
    rows = pd.read_parquet(score("input").path.with_suffix(".parquet")).set_index("name")
    for pair in decoded(open_collection("ucb", data)):
        assert rows.loc[pair.key, "psnr"] == pytest.approx(psnr(pair.input, pair.target))
        assert rows.loc[pair.key, "input_psnr"] == rows.loc[pair.key, "psnr"]
        assert rows.loc[pair.key, "scene"] == pair.key.split("-")[0]
    assert {"psnr_shadow", "psnr_lit_legacy", "seconds", "seed"} <= set(rows)


def test_protocols_give_other_boards_and_sizes(score):
    native, small = score("input"), score("input", protocol="256-v1")
    assert native.key != small.key
    assert set(small.rows()["width"]) == {256}
    assert set(native.rows()["width"]) == {64}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_fingerprint_is_what_the_input_scores(score, protocol):
    run = score("input", protocol=protocol, limit=2)
    for name in ("psnr", "ssim"):
        assert run.facts["input_row"][name] == pytest.approx(run.mean(name), abs=1e-12)


def test_an_interrupted_run_goes_on_where_it_stopped(score, monkeypatch, results):
    whole = score("retinex").rows()
    for path in results.iterdir():
        path.unlink()
    monkeypatch.setattr(runner, "PIXELS_A_BATCH", 1)
    timed, seen = runner.timed, []

    def stops(method, pair, *rest):
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(pair.key)
        return timed(method, pair, *rest)

    monkeypatch.setattr(runner, "timed", stops)
    with pytest.raises(KeyboardInterrupt):
        score("retinex")
    assert load_runs(results) == []
    again = []
    monkeypatch.setattr(runner, "timed", lambda m, p, *r: again.append(p.key) or timed(m, p, *r))
    resumed = score("retinex")
    assert len(again) == 5
    assert not set(again) & set(seen)
    columns = ["name", "psnr", "ssim", "result_sha256"]
    assert resumed.rows()[columns].equals(whole[columns])


def test_a_finished_run_is_not_made_again(score, monkeypatch):
    first = score("input")
    monkeypatch.setattr(runner, "timed", lambda *_: pytest.fail("restored again"))
    assert score("input").id == first.id


def test_memory_and_time_are_each_methods_own(score, monkeypatch):
    hungry = score("python:sample_methods:hungry").facts["cost"]["peak_memory_bytes"]
    modest = score("input").facts["cost"]["peak_memory_bytes"]
    assert hungry > modest + 150_000_000  # the hungry method's 200 MB are not charged to the next


def test_a_metric_that_was_missing_makes_another_run(score, monkeypatch):
    from benchmarks import scoring

    monkeypatch.setattr(scoring, "why_missing", lambda net: "no weights")
    without = score("input")
    assert set(without.facts["missing"]) == {"lpips_alex", "lpips_vgg"}
    monkeypatch.setattr(scoring, "why_missing", lambda net: "none" if net == "vgg" else None)
    monkeypatch.setattr(scoring, "lpips_batch", lambda a, b, *_: [0.25] * len(a))
    with_it = score("input")
    assert with_it.id != without.id
    assert with_it.mean("lpips_alex") == 0.25


def test_a_torn_line_of_the_journal_is_dropped(tmp_path):
    journal = runner.Journal(tmp_path / "j.jsonl")
    journal.append([{"name": "a"}])
    with journal.path.open("a") as file:
        file.write('{"name": "b"')
    assert [row["name"] for row in journal.rows()] == ["a"]
    journal.append([{"name": "c"}])
    assert [row["name"] for row in journal.rows()] == ["a", "c"]


def test_clean_inputs_score_as_infinitely_good_when_left_alone(score):
    run = score("input", clean=True)
    assert run.facts["dataset"]["name"] == "ucb-clean"
    assert run.mean("psnr") == 100
    assert run.mean("ssim") == pytest.approx(1)


@pytest.mark.parametrize("change", ["facts", "rows", "mean", "name"])
def test_changed_results_are_found(score, change):
    run = score("input")
    table = run.path.with_suffix(".parquet")
    facts = json.loads(run.path.read_text())
    if change == "facts":
        facts["provenance"]["by"] = "somebody else"
    elif change == "mean":
        facts["scores"]["psnr"]["mean"] += 1
    elif change == "rows":
        rows = pd.read_parquet(table)
        rows.loc[0, "psnr"] += 1
        rows.to_parquet(table, index=False)
    else:
        facts["method"]["name"] = "other"
    run.path.write_text(json.dumps(facts))
    assert stored_problems(load_run(run.path))


def test_results_are_append_only(score, results):
    from benchmarks.results import store

    run = score("input")
    facts = {k: v for k, v in run.facts.items() if k not in ("id", "schema", "rows_sha256")}
    with pytest.raises(BenchmarkError, match="append-only"):
        store(results, facts, run.rows())


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: f.pop("scores"), "scores"),
        (lambda f: f["scores"]["psnr"].update(mean=float("nan")), "finite"),
        (lambda f: f["scores"]["ssim"].update(mean=1.2), "out of range"),
        (lambda f: f["scores"].update(taste={"mean": 1}), "unknown metric"),
        (lambda f: f["method"].update(name="<script>alert(1)</script>"), "letters"),
        (lambda f: f["method"].update(training_data="<img src=x onerror=1>"), "plain text"),
        (lambda f: f.update(badge="best"), "badge"),
        (lambda f: f["protocol"].update(size=[1, 1]), "differs"),
        (lambda f: f["protocol"].update(id="mine"), "unknown"),
    ],
)
def test_the_validator_names_what_is_wrong(score, damage, words):
    facts = json.loads(score("input").path.read_text())
    damage(facts)
    assert words in problems(facts, None)[0]


def test_rows_out_of_range_or_doubled_are_named(score):
    run = score("input")
    rows = run.rows()
    assert problems(run.facts, rows.assign(ssim=1.5))
    assert problems(run.facts, pd.concat([rows, rows]))
    assert problems(run.facts, rows.drop(columns="seconds"))


def test_every_seed_is_run_for_a_stochastic_method(score, monkeypatch, data):
    from benchmarks.methods import FunctionMethod, MethodCard

    class Random(FunctionMethod):
        def restore(self, pair, seed):
            noise = np.random.default_rng(seed).integers(0, 9, pair.input.shape)
            return np.clip(pair.input + noise, 0, 255).astype(np.uint8)

    card = MethodCard("random", stochastic=True)
    monkeypatch.setattr(runner, "make_method", lambda *_: Random(card, lambda p, m: p))
    run = score("random", seeds=(0, 1, 2))
    assert sorted(set(run.rows()["seed"])) == [0, 1, 2]
    assert run.facts["scores"]["psnr"]["seed_std"] > 0
    assert run.facts["scores"]["psnr"]["pictures"] == 8


def test_a_limit_is_another_set_of_files(score):
    whole, part = score("input"), score("input", limit=3)
    assert part.facts["dataset"]["pairs"] == 3
    assert part.key != whole.key


def test_missing_data_says_where_to_get_it(score, tmp_path):
    plan = runner.RunPlan("input", "srd", tmp_path, root=str(tmp_path))
    with pytest.raises(BenchmarkError, match="ghost-free-shadow-removal"):
        runner.run(plan)
    with pytest.raises(BenchmarkError, match="did you mean"):
        runner.run(dataclasses.replace(plan, dataset="sdr"))
