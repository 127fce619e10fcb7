"""Rows that were timed on another day say so; rows that nobody can make again do too."""

import pandas as pd
import pytest

from benchmarks import export
from benchmarks.leaderboard import board_named, find_run, reproduce, table
from benchmarks.results import Run
from benchmarks.summary import cost_of
from benchmarks.timing_days import MARK, footnote, marks


def timed(**days):
    rows = [{"method": name, "date": day, "seconds": 0.1} for name, day in days.items()]
    return pd.DataFrame(rows)


def test_seconds_of_another_day_are_marked_and_dated():
    found = timed(a="2026-11-29", b="2026-11-27", c="2026-11-28", d="2026-11-27")
    assert marks(found) == ["", MARK, MARK, MARK]
    told = f"{MARK} timed on another day than the newest row (2026-11-29): "
    assert footnote(found) == f"{told}2026-11-27 b, d; 2026-11-28 c."
    found.loc[[1, 3], "seconds"] = None  # nobody saw how long they took
    assert marks(found) == ["", "", MARK, ""]
    assert footnote(found) == f"{told}2026-11-28 c."


def test_rows_of_one_day_are_not_marked():
    found = timed(a="2026-11-29", b="2026-11-29")
    assert (marks(found), footnote(found)) == (["", ""], "")


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_tables_say_which_rows_are_of_another_day(two_runs, monkeypatch, form):
    board = board_named("ucb", two_runs)
    found = table(board, two_runs)
    assert MARK not in export.FORMATS[form](board, two_runs)
    older = found["date"].mask(found["method"] == "retinex", "2001-02-03")
    monkeypatch.setattr(export, "table", lambda *_: found.assign(date=older))
    said = export.FORMATS[form](board, two_runs)
    assert f"{MARK} timed on another day than the newest row" in said
    assert "2001-02-03 retinex." in said
    assert said.count(MARK) == 2


def changed(run, **parts):
    """A run whose facts are others in some parts."""
    facts = {name: run.facts[name] | values for name, values in parts.items()}
    return Run(run.path, run.facts | facts)


def test_reported_scores_have_no_command(two_runs):
    run = find_run("ucb.native-v1.input", two_runs)
    reported = changed(run, provenance={"by": "Ann", "command": ""})
    reported.facts["badge"] = "author-reported"
    said = reproduce(reported)
    assert said == "No command: these are scores that Ann reported, without the pictures."


def test_a_command_that_was_not_stored_names_split_and_limit(two_runs):
    run = find_run("ucb.native-v1.retinex", two_runs)
    command = "learnir-bench run --method retinex --dataset ucb --protocol native-v1"
    ends = "--seeds 0 --out results"
    assert reproduce(run) == f"{command} --split test --limit 8 {ends}"
    for expected in (8, None):  # the whole split, and an older row that does not say
        whole = changed(run, dataset={"split": "all", "expected": expected})
        assert reproduce(whole) == f"{command} --split all {ends}"


def test_what_a_picture_costs_by_hand():
    """A slow first picture shows in the mean alone; memory is that of the hungriest."""
    rows = pd.DataFrame({"seconds": [9.0, 1.0, 2.0, None], "peak_memory_bytes": [5, 7, 6, 6]})
    costs = {"seconds_median": 2.0, "seconds_mean": 4.0, "peak_memory_bytes": 7.0}
    assert cost_of(rows) == costs
    assert cost_of(rows[["seconds"]]) == costs | {"peak_memory_bytes": None}
