"""Every method of ``make bench`` has a process of its own."""

from pathlib import Path

import pytest

from benchmarks.results import load_runs

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_method_is_not_charged_for_what_another_keeps(suite, data, results, capfd):
    methods = ("python:sample_methods:hoarding", "input")
    suite.run_board(suite.Board("ucb", "native-v1", methods, limit=2), str(data), None, results)
    peaks = {
        run.facts["method"]["name"]: run.facts["cost"]["peak_memory_bytes"]
        for run in load_runs(results)
    }
    assert peaks["hoarding"] > peaks["input"] + 200_000_000
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ucb", "ucb"]


def test_data_that_are_not_here_start_no_process(suite, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(suite, "apart", lambda *_: pytest.fail("started"))
    suite.run_board(suite.SUITE[0], str(tmp_path), None, tmp_path)
    assert capsys.readouterr().err.count("left out: ucb: none of") == 1


@pytest.mark.slow
def test_a_process_that_fails_stops_the_suite(suite, data, tmp_path):
    """Only what a user can mend is a row left out."""
    plan = suite.RunPlan("python:sample_methods:untouched", "ucb", tmp_path, root=5)
    with pytest.raises(SystemExit, match=r"^one: failed, see above$"):
        suite.apart(plan, "one ")
