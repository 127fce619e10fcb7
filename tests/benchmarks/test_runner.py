"""Runs: what they store, that they resume, that stored results cannot be changed unseen."""

import dataclasses
import json
import shutil
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
from sample_methods import write

from benchmarks import machine, runner
from benchmarks.journal import Output
from benchmarks.methods import MethodOptions
from benchmarks.metrics import psnr
from benchmarks.names import BenchmarkError
from benchmarks.pairs import decoded, open_collection
from benchmarks.protocols import PROTOCOLS
from benchmarks.results import load_run, load_runs, stored_problems
from benchmarks.verification import do_nothing_row


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


@pytest.mark.parametrize("pixels", [1, runner.PIXELS_A_BATCH])
def test_a_run_that_was_stopped_loses_no_picture(score, monkeypatch, results, pixels):
    """Stopped between two batches of one picture, and within a batch of all of them."""
    monkeypatch.setattr(runner, "PIXELS_A_BATCH", pixels)
    whole = score("retinex").rows()
    for path in results.iterdir():
        path.unlink()
    timed, seen, shown = runner.timed, [], []

    def stops(method, pair, *rest):
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(pair.key)
        return timed(method, pair, *rest)

    monkeypatch.setattr(runner, "timed", stops)
    with pytest.raises(KeyboardInterrupt):
        score("retinex", progress=lambda *given: shown.append(given[:2]))
    assert load_runs(results) == []
    assert shown == [(1, 8), (2, 8), (3, 8)]
    again = []
    monkeypatch.setattr(runner, "timed", lambda m, p, *r: again.append(p.key) or timed(m, p, *r))
    rows = score("retinex").rows()
    assert len(again) == 5
    assert not set(again) & set(seen)
    measured = ["seconds", "peak_memory_bytes"]
    assert rows.drop(columns=measured).equals(whole.drop(columns=measured))
    assert not (results / ".partial").exists()


def test_a_result_that_waits_comes_back_as_it_was(tmp_path):
    journal = runner.Journal(tmp_path / ".partial" / "key.jsonl")
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    for key, seconds, memory in (("a/b", 0.1, 123456789012), ("a/c", None, None)):
        journal.save(key, 1, Output(picture, seconds, memory))
        made = journal.saved(key, 1)
        assert np.array_equal(made.result, picture)
        assert (made.seconds, made.peak_memory) == (seconds, memory)
    assert journal.saved("a/b", 0) is None
    journal.append([{"name": "a/b"}, {"name": "a/c"}])
    assert journal.saved("a/b", 1) is None


def test_a_file_in_place_of_the_results_is_said(score, tmp_path):
    (tmp_path / "taken").write_text("")
    for out in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(BenchmarkError, match=r"taken: a file; results need a folder"):
            score("input", out=out)


def test_rows_of_two_versions_of_a_tool_are_never_mixed(score, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "PIXELS_A_BATCH", 1)
    tool, seen = tmp_path / "tool.py", tmp_path / "seen"
    tool.write_text(
        "import pathlib, shutil, sys\n"
        "seen = pathlib.Path(sys.argv[3])\n"
        "assert not seen.exists() or len(seen.read_text()) < 4\n"
        "seen.open('a').write('.')\n"
        "shutil.copy(sys.argv[1], sys.argv[2])\n"
    )
    method = f"exec:{sys.executable} {tool} {{input}} {{output}} {seen}"
    with pytest.raises(BenchmarkError, match="AssertionError"):
        score(method)
    tool.write_text("import cv2, sys\ncv2.imwrite(sys.argv[2], 255 - cv2.imread(sys.argv[1]))")
    mended, wanted = score(method).rows(), score("python:sample_methods:inverted").rows()
    assert list(mended["result_sha256"]) == list(wanted["result_sha256"])


def test_rows_of_two_versions_of_this_code_are_never_mixed(data, results, monkeypatch):
    plan = runner.RunPlan("retinex", "ucb", results, "native-v1", root=str(data), faces=False)
    monkeypatch.setattr(runner, "PIXELS_A_BATCH", 1)
    monkeypatch.setattr(runner, "commit", lambda: "0lder")

    def stops(done, *_):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run(plan, progress=stops)
    monkeypatch.setattr(runner, "commit", lambda: "newer")
    timed, made, told = runner.timed, [], []
    monkeypatch.setattr(runner, "timed", lambda m, p, *r: made.append(p.key) or timed(m, p, *r))
    stored = runner.run(plan, say=told.append)
    assert len(made) == 8
    assert stored.facts["provenance"]["commit"] == "newer"
    (line,) = told
    assert "0lder.jsonl: begun with other code" in line


@pytest.mark.parametrize("error", [KeyError("uid not found: 54321"), OSError("No username set")])
def test_a_user_without_a_name_costs_no_picture(score, monkeypatch, error):
    """Asked before the first picture, as in some containers nobody has a name."""
    order = []

    def nameless():
        order.append("user")
        raise error

    monkeypatch.setattr(machine, "getpass", SimpleNamespace(getuser=nameless))
    run = score("python:sample_methods:untouched", progress=lambda *_: order.append("picture"))
    assert run.facts["provenance"]["by"] == "unknown"
    assert order[:2] == ["user", "picture"]


def test_a_seed_given_twice_is_refused(score):
    with pytest.raises(BenchmarkError, match="seed 1 is given twice"):
        score("python:sample_methods:speckled", seeds=(1, 0, 1))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "Méthode/2"}, "method.name: letters.* it holds '/'; say it with --name"),
        ({"source": "see <here>"}, "method.source: plain text.* it holds '<'"),
        ({"training_data": "x" * 301}, "method.training_data: .* at most 300 characters; say"),
    ],
)
def test_a_card_is_refused_before_the_first_picture(score, monkeypatch, options, words):
    monkeypatch.setattr(runner, "timed", lambda *_: pytest.fail("restored a picture"))
    with pytest.raises(BenchmarkError, match=words):
        score("python:sample_methods:untouched", options=MethodOptions(**options))


def test_a_source_may_be_an_address_with_a_question(score):
    options = MethodOptions(source="https://x.org/?id=3")
    run = score("python:sample_methods:untouched", options=options)
    assert run.facts["method"]["source"] == "https://x.org/?id=3"


def test_pictures_without_a_partner_are_said(data, results):
    (data / "ucb" / "target" / "00-0.png").unlink()
    said = []
    runner.run(
        runner.RunPlan("input", "ucb", results, root=str(data), faces=False), say=said.append
    )
    (line,) = said
    assert line.startswith("ucb: left out, without a partner: 1, such as 00-0")


def small_pair(data, key):
    for part in ("input", "target", "mask"):
        path = data / "ucb" / part / f"{key}.png"
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[:24, :24]
        cv2.imwrite(str(path), picture)


def test_a_picture_too_small_for_lpips_costs_no_other_its_score(score, data, monkeypatch):
    from benchmarks import scoring

    monkeypatch.setattr(runner, "PIXELS_A_BATCH", 1)
    monkeypatch.setattr(scoring, "why_missing", lambda net: "none" if net == "vgg" else None)
    monkeypatch.setattr(scoring, "lpips_batch", lambda a, b, *_: [0.25] * len(a))
    small_pair(data, "01-0")
    run = score("input")
    rows = run.rows().set_index("name")["lpips_alex"]
    assert list(rows.index[rows.isna()]) == ["01-0"]
    assert run.facts["scores"]["lpips_alex"]["pictures"] == 7
    assert run.facts["missing"] == {"lpips_vgg": "none"}
    for key in rows.index.drop("01-0"):
        small_pair(data, key)
    assert score("input").facts["missing"]["lpips_alex"] == "every picture is below 33x33 pixels"


def test_only_psnr_is_capped(score, data):
    colours = {"input": (255, 0, 255), "target": (0, 255, 0)}
    for part, colour in colours.items():
        for path in (data / "ucb" / part).iterdir():
            write(path, np.full((64, 64, 3), colour, np.uint8))
    run = score("input")
    assert run.mean("lab_mae") == pytest.approx(run.rows()["lab_mae"].mean())
    assert run.mean("lab_mae") > 300
    assert stored_problems(run) == []
    row = do_nothing_row(open_collection("ucb", data), "native-v1")
    assert row["lab_mae"] == pytest.approx(run.mean("lab_mae"))


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
    if change == "rows":
        assert stored_problems(load_run(run.path))
    else:
        with pytest.raises(BenchmarkError, match="changed after the run was stored"):
            load_run(run.path)


def test_a_changed_result_is_not_ranked(score, results):
    from benchmarks.leaderboard import boards, table

    score("input")
    forged = score("retinex").path
    facts = json.loads(forged.read_text())
    facts["scores"]["psnr"]["mean"] += 1  # a number like any other: only the hash tells
    forged.write_text(json.dumps(facts))
    assert list(table(boards(results)[0], results)["method"]) == ["input"]


def test_two_processes_on_one_run_store_whole_rows_or_none(score, results):
    from benchmarks.journal import Journal

    first = score("retinex")
    rows, key = first.rows(), first.facts["provenance"]["plan"]
    first.path.unlink()
    Journal(results / ".partial" / f"{key}-{runner.commit()}.jsonl").append(
        2 * json.loads(rows.to_json(orient="records"))
    )  # both wrote every row
    assert len(score("retinex").rows()) == len(rows) == 8
    with pytest.raises(BenchmarkError, match="another process"):
        score("dark-channel", progress=lambda *at: _all_gone(results))


def _all_gone(results):
    for path in (results / ".partial").glob("*.jsonl"):
        path.unlink()


def test_a_stored_row_of_other_code_says_so(data, results, monkeypatch):
    plan = runner.RunPlan("input", "ucb", results, "native-v1", root=str(data), faces=False)
    told = []
    stored = runner.run(plan, say=told.append)
    assert runner.run(plan, say=told.append).id == stored.id
    assert not told
    monkeypatch.setattr(runner, "commit", lambda: "0ther")
    assert runner.run(plan, say=told.append).id == stored.id
    assert "here is 0ther" in told[0]


def test_a_method_that_needs_masks_is_not_given_a_guess(score, data):
    shutil.rmtree(data / "ucb" / "mask")
    with pytest.raises(BenchmarkError, match="needs a mask"):
        score("region-transfer-gt-mask")


def test_results_are_append_only(score, results):
    from benchmarks.results import store

    run = score("input")
    facts = {k: v for k, v in run.facts.items() if k not in ("id", "schema", "rows_sha256")}
    with pytest.raises(BenchmarkError, match="append-only"):
        store(results, facts, run.rows())


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


def test_a_limit_says_of_how_many_pairs(score, data, results):
    """Where no number is declared it is as many as are there."""
    from benchmarks.leaderboard import boards

    for limit in (None, 3):
        score("input", dataset=str(data / "ucb"), limit=limit)
    told = sorted(board.scored for board in boards(results))
    assert told == [
        "ucb (a folder), 3 of 8 pairs, native-v1",
        "ucb (a folder), 8 pairs, native-v1",
    ]


def test_missing_data_says_where_to_get_it(score, tmp_path):
    plan = runner.RunPlan("input", "srd", tmp_path, root=str(tmp_path))
    with pytest.raises(BenchmarkError, match="ghost-free-shadow-removal"):
        runner.run(plan)
    with pytest.raises(BenchmarkError, match="did you mean"):
        runner.run(dataclasses.replace(plan, dataset="sdr"))
