"""What the benchmark's page says beside the boards follows from the stored rows."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from benchmarks.leaderboard import board_named, runs_of
from benchmarks.locations import RESULTS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"


def block(name):
    """What stands between the markers of a generated part of the page."""
    text = PAGE.read_text(encoding="utf-8")
    return text.split(f"<!-- {name} -->\n")[1].split(f"\n<!-- /{name} -->")[0]


def test_pairs_whose_scene_was_trained_on_are_left_out(suite, monkeypatch):
    names = [*suite.SEEN, *(f"other-{i}" for i in range(6))]
    rows = pd.DataFrame({"name": names, "scene": names, "seed": 0, "lab_mae": 1.0})
    rows["psnr"] = [40.0] * 2 + [30.0] * 3 + [20.0] * 6
    run = SimpleNamespace(facts={"method": {"name": "one"}}, rows=lambda: rows)
    monkeypatch.setattr(suite, "runs_of", lambda *_: [run])
    head, _, line = suite.seen_scenes(None, None).splitlines()
    assert head.startswith("| method | PSNR, dB, all | PSNR, dB, without the two | PSNR, dB, with")
    cells = [cell.split(" [")[0] for cell in line.strip("| ").split(" | ")]
    assert cells == ["one", "26.36", "23.33", "20.00", "1.00", "1.00", "1.00"]


def test_the_scenes_left_out_are_pairs_of_the_board(suite):
    board = board_named("srd.", RESULTS)
    assert len(suite.SEEN) == 5
    assert set(suite.SEEN) < set(runs_of(board, RESULTS)[0].rows()["name"])


def test_the_page_says_what_the_rows_say(suite):
    boards = {name: board_named(f"{name}.test.", RESULTS) for name in ("srd", "faceshadow", "ucb")}
    assert block("seen_scenes") == suite.seen_scenes(boards["srd"], RESULTS)
    counted = [suite.people(boards[name], RESULTS) for name in ("faceshadow", "ucb")]
    assert block("people").splitlines() == counted
    for board in boards.values():
        assert f"### {board.label}\n" in block("boards")
    compared = suite.comparisons([boards["faceshadow"], boards["ucb"]], RESULTS)
    assert block("comparisons") == suite.comparison_table(compared)
    assert block("verdicts") == suite.verdicts(compared)


def test_verdicts_stand_for_all_tests_of_the_table_at_once(suite, monkeypatch):
    """Of twelve tests of p = .02 and .0001 only the latter succeeds."""
    rows = {"metric": suite.COMPARED, "p": [0.02, 0.0001, 0.9]}
    rows["verdict"] = ["a is better", "b is better", suite.NOT_DISTINGUISHABLE]
    runs = [SimpleNamespace(id=name, facts={"method": {"name": name}}) for name in suite.OURS]
    monkeypatch.setattr(suite, "compare_runs", lambda *_: pd.DataFrame(rows))
    monkeypatch.setattr(suite, "runs_of", lambda *_: runs)
    found = suite.comparisons([SimpleNamespace(dataset="one")], None)
    assert (
        list(found["verdict"])
        == [suite.NOT_DISTINGUISHABLE, "b is better", suite.NOT_DISTINGUISHABLE] * 4
    )
    assert found["p"].iloc[:3].tolist() == pytest.approx([0.16, 0.0012, 1])
