"""Boards, ranks, exports and the comparison of two runs."""

import dataclasses
import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from huggingface_hub import eval_result_entries_to_yaml, parse_eval_result_entries
from huggingface_hub.repocard_data import model_index_to_eval_results
from PIL import Image

from benchmarks import export
from benchmarks.cli import main
from benchmarks.comparison import compare_runs
from benchmarks.datasets import DATASETS, OWN
from benchmarks.leaderboard import (
    board_named,
    boards,
    find_run,
    per_picture,
    perception_distortion,
    quality_time,
    reproduce,
    table,
)
from benchmarks.methods import MethodOptions
from benchmarks.metrics import METRICS
from benchmarks.mirror import push
from benchmarks.names import BenchmarkError
from benchmarks.perceptual import why_missing
from benchmarks.plots import PLOTS, plot
from benchmarks.published import published
from benchmarks.results import store
from benchmarks.summary import summarise
from benchmarks.validity import problems


@pytest.fixture
def filled(four_runs, results):
    """Three methods on one board, one of them on a second."""
    return shutil.copytree(four_runs, results)


def test_ranked_by_the_main_score_within_one_board_only(filled):
    found = boards(filled)
    assert [board.protocol for board in found] == ["256-v1", "native-v1"]
    rows = table(found[1], filled)
    assert rows["method"].iloc[0] == "halfway"
    assert set(rows["method"]) == {"halfway", "input", "retinex"}
    assert list(rows["rank"]) == [1, 2, 3]
    assert rows["psnr"].is_monotonic_decreasing
    assert (rows["psnr_low"] <= rows["psnr"]).all()
    assert (rows["psnr"] <= rows["psnr_high"]).all()
    assert list(table(found[0], filled)["method"]) == ["input"]


def test_other_files_are_another_board(filled, score):
    score("input", limit=3)
    natives = [board for board in boards(filled) if board.protocol == "native-v1"]
    assert sorted(board.pairs for board in natives) == [3, 8]
    assert natives[0].manifest != natives[1].manifest


def test_the_newest_run_of_a_method_counts(filled):
    newest = find_run("ucb.native-v1.halfway", filled)
    facts = {k: v for k, v in newest.facts.items() if k not in ("id", "schema", "rows_sha256")}
    before, seconds = set(), iter(range(60))  # files that are read first and last alike
    while before != {True, False}:
        told = facts["provenance"] | {"at": f"2001-01-01T00:00:{next(seconds):02d}+00:00"}
        older = store(filled, facts | {"provenance": told}, newest.rows())
        before.add(older.id < newest.id)
    rows = table(board_named("ucb.test.native", filled), filled)
    assert list(rows["method"]).count("halfway") == 1
    assert rows.set_index("method").loc["halfway", "run"] == newest.id


def test_rows_that_cannot_be_told_from_the_best_are_tied(filled, score):
    score("python:sample_methods:halfway", options=MethodOptions(name="twin", training_data="none"))
    rows = table(board_named("ucb.test.native", filled), filled).set_index("method")
    assert rows.loc["twin", "tied"]
    assert rows.loc["halfway", "tied"]
    assert not rows.loc["retinex", "tied"]


def test_pictures_and_facts_of_a_run(filled):
    run = find_run("ucb.native-v1.retinex", filled)
    rows = per_picture(run.id, filled)
    assert rows["psnr"].mean() == pytest.approx(run.mean("psnr"))
    assert "--method retinex --dataset ucb --protocol native-v1" in reproduce(run)
    with pytest.raises(BenchmarkError, match="run"):
        find_run("nothing", filled)


def test_plots_have_their_columns(filled):
    board = board_named("ucb.test.native", filled)
    found = table(board, filled)
    assert list(quality_time(board, found)) == [
        "method", "seconds", "quality", "metric", "parameters", "hardware",
    ]  # fmt: skip
    assert set(perception_distortion(found)) == {"method", "psnr", "lpips", "badge"}


def test_a_comparison_says_who_is_better_and_by_how_much(filled):
    a, b = (f"ucb.native-v1.{name}" for name in ("halfway", "input"))
    rows = compare_runs(a, b, filled).set_index("metric")
    assert rows.loc["psnr", "verdict"] == "a is better"
    assert rows.loc["lab_mae", "difference"] < 0
    assert rows.loc["lab_mae", "verdict"] == "a is better"
    assert list(rows.loc[["psnr", "lab_mae"], "a_better"]) == [8, 8]
    assert rows.loc["psnr", "pictures"] == 8
    mirrored = compare_runs(b, a, filled).set_index("metric")
    for one, other in (("a", "b"), ("b", "a"), ("a_better", "b_better"), ("b_better", "a_better")):
        assert list(mirrored[one]) == list(rows[other])
    assert list(mirrored["difference"]) == pytest.approx(list(-rows["difference"]))
    assert list(mirrored["low"]) == pytest.approx(list(-rows["high"]))
    assert mirrored.loc[["psnr", "lab_mae"], "verdict"].eq("b is better").all()


def test_pictures_that_are_perfect_are_tied_and_compared(score, results):
    score("input", clean=True)
    score("python:sample_methods:untouched", clean=True)
    score("retinex", clean=True)
    board = board_named("ucb-clean", results)
    rows = table(board, results).set_index("method")
    assert rows.loc["untouched", "tied"]
    assert rows.loc["input", "tied"]
    assert not rows.loc["retinex", "tied"]
    found = compare_runs("ucb-clean.native-v1.input", "ucb-clean.native-v1.unt", results)
    assert set(found["verdict"]) == {"not distinguishable"}


@pytest.mark.parametrize("kind", PLOTS)
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_boards_are_drawn(filled, tmp_path, kind, suffix):
    if kind == "perception-distortion" and (reason := why_missing("alex")):
        pytest.skip(reason)
    board = board_named("ucb.test.native", filled)
    out = plot(board, kind, tmp_path / f"plot.{suffix}", filled)
    if suffix == "png":
        with Image.open(out) as picture:
            colours = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)
        assert len(colours) > 20
    else:
        assert out.read_text().count("<use ") >= 2


def test_a_plot_that_cannot_be_drawn_is_one_line(filled, tmp_path):
    board = board_named("ucb.test.native", filled)
    with pytest.raises(BenchmarkError, match="unknown plot"):
        plot(board, "pie", tmp_path / "a.png", filled)
    with pytest.raises(BenchmarkError, match=r"name a \.png"):
        plot(board, "quality-time", tmp_path / "a.exe", filled)


def test_runs_of_two_boards_are_not_compared(filled):
    with pytest.raises(BenchmarkError, match="one board"):
        compare_runs("ucb.native-v1.input", "ucb.256-v1.input", filled)


def test_a_lost_face_costs_one_picture_not_the_comparison(score, results):
    stored = score("input")
    rows = stored.rows().assign(psnr_face=np.arange(8.0))
    runs = []
    for name, lost in (("all", []), ("some", [0, 3]), ("others", [1, 2, 4, 5, 6, 7])):
        found = rows.assign(psnr_face=rows["psnr_face"].drop(lost))
        facts = {k: v for k, v in stored.facts.items() if k not in ("id", "schema", "rows_sha256")}
        facts |= {"method": {**facts["method"], "name": name}, "scores": summarise(found)}
        runs.append(store(results, facts, found))
    whole, some, others = runs
    found = compare_runs(whole.id, some.id, results).set_index("metric")
    assert (found.loc["psnr", "pictures"], found.loc["psnr_face", "pictures"]) == (8, 6)
    assert found.loc["psnr_face", "difference"] == 0
    assert found.loc["psnr_face", "a"] == found.loc["psnr_face", "b"] == (28 - 0 - 3) / 6
    assert "psnr_face" not in set(compare_runs(some.id, others.id, results)["metric"])


@pytest.mark.parametrize("format", export.FORMATS)
def test_every_format_holds_every_row(filled, format):
    text = export.FORMATS[format](board_named("ucb.test.native", filled), filled)
    for name in ("halfway", "input", "retinex"):
        assert name in text
    if format == "csv":
        assert len(pd.read_csv(io.StringIO(text))) == 3


def test_every_metric_has_its_digits():
    for name in METRICS:
        assert any(name.startswith(key) for key in export.DIGITS)


def test_submitted_text_stays_text(filled, monkeypatch):
    board = board_named("ucb.test.native", filled)
    real = table(board, filled)
    evil = real.assign(method="<script>alert(1)</script>|x", training_data="=HYPERLINK(1)")
    monkeypatch.setattr(export, "table", lambda *_: evil)
    assert "<script" not in export.as_html(board, filled)
    markdown = export.as_markdown(board, filled)
    assert "<script" not in markdown
    assert "\\|x" in markdown
    assert "'=HYPERLINK" in export.as_csv(board, filled)


def test_the_hub_reads_the_model_index_back(filled):
    index = export.model_index("LearnIR", "retinex", boards(filled), filled)
    name, results = model_index_to_eval_results(yaml.safe_load(yaml.safe_dump(index)))
    assert name == "LearnIR"
    run = find_run("ucb.native-v1.retinex", filled)
    values = {r.metric_type: r.metric_value for r in results}
    assert values["psnr"] == pytest.approx(run.mean("psnr"), abs=1e-4)


def test_the_hub_reads_the_eval_results_back(filled):
    board = board_named("ucb.test.native", filled)
    made = export.eval_results(board, "retinex", "someone/ucb", filled)
    (entry,) = parse_eval_result_entries(yaml.safe_load(yaml.safe_dump(made)))
    assert entry.dataset_id == "someone/ucb"
    assert entry.task_id == "native-v1/test"
    assert eval_result_entries_to_yaml([entry]) == made


def test_eval_results_are_one_entry_of_plain_values(filled):
    board = board_named("ucb.test.native", filled)
    (entry,) = yaml.safe_load(
        yaml.safe_dump(export.eval_results(board, "retinex", "someone/ucb", filled))
    )
    assert entry["dataset"] == {"id": "someone/ucb", "task_id": "native-v1/test"}
    assert entry["value"] == pytest.approx(
        find_run("ucb.native-v1.ret", filled).mean("psnr"), abs=1e-3
    )


def test_the_data_of_a_score_are_the_declared_ones_or_asked_for(filled):
    board = board_named("ucb.test.native", filled)
    with pytest.raises(BenchmarkError, match=r"^ucb\.test\.native.*; give --dataset-id$"):
        export.eval_results(board, "retinex", folder=filled)
    title = DATASETS["faceshadow"].title
    declared = dataclasses.replace(board, dataset="faceshadow", title=title)
    (entry,) = export.eval_results(declared, "retinex", folder=filled)
    assert entry["dataset"]["id"] == "learnir/faceshadow"
    for other in (f"faceshadow ({OWN})", f"{title}, shadow-free inputs"):
        with pytest.raises(BenchmarkError, match="give --dataset-id"):
            export.eval_results(dataclasses.replace(declared, title=other), "retinex", None, filled)


def test_a_method_without_a_result_is_not_exported(filled, score):
    found = boards(filled)
    with pytest.raises(BenchmarkError, match="'nix' here; known: input, halfway, retinex"):
        export.model_index("nix", "nix", found, filled)
    with pytest.raises(BenchmarkError, match="'retinex' here; known: input"):
        export.eval_results(found[0], "retinex", "someone/ucb", filled)


def test_a_score_that_is_missing_is_not_exported_as_zero(filled):
    board = dataclasses.replace(board_named("ucb.test.native", filled), main_score="psnr_face")
    with pytest.raises(BenchmarkError, match="has no psnr_face"):
        export.eval_results(board, "retinex", "someone/ucb", filled)


def test_a_folder_of_ones_own_is_titled_by_its_name(score, data, results):
    (data / "ucb").rename(data / "my pairs")
    score("input", dataset=str(data / "my pairs"))
    score("input", dataset=str(data / "my pairs"), clean=True)
    titles = [board.title for board in boards(results)]
    assert titles == ["my pairs (a folder)", "my pairs (a folder), shadow-free inputs"]


def test_a_folder_whose_name_ends_as_shadow_free_inputs_do_is_none(score, data, results):
    folder = str((data / "ucb").rename(data / "portraits-clean"))
    for clean in (False, True):
        run = score("input", dataset=folder, clean=clean)
        assert "--dataset portraits-clean --protocol" in reproduce(run)
        assert ("--clean" in reproduce(run)) is clean
    titles = [board.title for board in boards(results)]
    assert titles == [
        "portraits-clean (a folder)",
        "portraits-clean (a folder), shadow-free inputs",
    ]


def test_older_results_of_shadow_free_inputs_stay_what_they_are():
    """They say so by their name alone."""
    found = [board for board in boards() if board.dataset.endswith("-clean")]
    assert [board.dataset for board in found] == ["faceshadow-clean", "ucb-clean"]
    for board in found:
        assert board.clean
        assert board.title.endswith(", shadow-free inputs")


def test_the_text_shows_the_id_that_commands_take(filled):
    for board in boards(filled):
        assert export.as_text(board, filled).splitlines()[:2] == [board.label, board.id]


def test_a_beginning_that_fits_several_lists_them(filled):
    known = ", ".join(board.id for board in boards(filled))
    with pytest.raises(BenchmarkError, match=rf"^'ucb' fits 2 boards: {known}; write more of it$"):
        board_named("ucb", filled)
    with pytest.raises(BenchmarkError, match=r"^'ucb\.native' fits 3 runs: ucb\.nat"):
        find_run("ucb.native", filled)
    assert board_named(boards(filled)[0].id, filled) == boards(filled)[0]


def test_mirroring_copies_what_is_valid_and_only_adds(filled, tmp_path):
    target = tmp_path / "mirror"
    assert push(filled, str(target)).startswith("4 results")
    assert boards(target) == boards(filled)
    kept = next(target.glob("*.json"))
    before = kept.stat().st_mtime_ns
    push(filled, str(target))
    assert kept.stat().st_mtime_ns == before
    victim = next(filled.glob("*.parquet"))
    victim.write_bytes(victim.read_bytes()[:-1])
    with pytest.raises(BenchmarkError, match="changed"):
        push(filled, str(target))


def test_a_push_that_cannot_be_says_what_to_do(filled, monkeypatch):
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    def unreachable(*_, **__):
        raise HfHubHTTPError.__bases__[0]("no route to host")  # the network library's own

    with pytest.raises(BenchmarkError, match=r"for a folder write \./out/"):
        push(filled, "out/")
    monkeypatch.setattr(HfApi, "create_repo", unreachable)
    with pytest.raises(BenchmarkError, match=r"not uploaded \(no route to host\); check"):
        push(filled, "owner/name")


def test_a_push_is_private_unless_told_otherwise(filled, monkeypatch):
    from huggingface_hub import HfApi

    created, sent = [], []
    monkeypatch.setattr(HfApi, "create_repo", lambda _, *name, **how: created.append((name, how)))
    monkeypatch.setattr(HfApi, "upload_folder", lambda _, **what: sent.append(what))
    words = ["push", "owner/name", "--results", str(filled)]
    assert [main(words), main([*words, "--public"])] == [0, 0]
    assert [how["private"] for _, how in created] == [True, False]
    assert {(name, how["repo_type"]) for name, how in created} == {(("owner/name",), "dataset")}
    assert {(one["repo_id"], one["repo_type"]) for one in sent} == {("owner/name", "dataset")}


def test_published_numbers_all_have_a_source_and_a_protocol():
    rows = published()
    assert len(rows) >= 227
    assert (rows["source"] != "").all()
    assert (rows["protocol"] != "").all()
    assert set(rows["badge"]) == {"copied"}
    assert (rows["note"] != "").sum() >= 4
    assert set(published("istd+")["dataset"]) == {"ISTD+"}
    assert set(published("ucb")["dataset"]) == {"FaceShadow-real"}
    with pytest.raises(BenchmarkError, match="no published number on 'nix'; known: FaceShadow, "):
        published("nix")


def test_the_spread_over_seeds_is_that_of_the_main_score(score, results):
    method = "python:sample_methods:speckled"
    run = score(method, seeds=(0, 1, 2))
    spread = {name: run.facts["scores"][name]["seed_std"] for name in ("psnr", "lab_mae")}
    assert spread["psnr"] != spread["lab_mae"]
    (board,) = boards(results)
    for name, expected in spread.items():
        rows = table(dataclasses.replace(board, main_score=name), results)
        assert rows["seed_std"].iloc[0] == expected


def test_numbers_copied_from_papers_are_no_results(score):
    facts = json.loads(json.dumps(score("input").facts))
    assert problems(facts, None) == []
    assert problems(facts | {"badge": "copied"}, None) == [
        "badge: 'copied', one of re-scored, author-reported"
    ]


def test_boards_are_frozen_values(filled):
    board = boards(filled)[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        board.dataset = "x"
    assert "8 of 100 pairs" in board.label


def test_too_few_scenes_have_no_brackets_and_unreadable_rows_prove_nothing(score, results):
    whole, torn = score("input", limit=4), score("retinex", limit=4)  # of three scenes
    torn.path.with_suffix(".parquet").write_bytes(b"")
    rows = table(boards(results)[0], results)
    assert rows["tied"].all()
    assert rows["psnr_low"].isna().all()
    assert whole.facts["scores"]["psnr"]["scenes"] < 6


def test_markdown_of_a_submitter_makes_no_link():
    assert export._escaped("[best](http://x) |") == r"[best]\(http://x) \|"
