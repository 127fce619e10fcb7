"""Folders of one's own: their scenes, and the boards they stand on."""

import shlex
from dataclasses import replace

import pytest

from benchmarks.cli import main
from benchmarks.comparison import compare_runs
from benchmarks.leaderboard import board_named, boards, find_run, runs_of, table
from benchmarks.names import BenchmarkError
from benchmarks.pairs import open_collection
from benchmarks.results import load_runs, stored_problems

SCENE = r"(\d+)-\d+"


def verdicts(a, b, results):
    """What a comparison says, but for what only some data sets measure."""
    found = compare_runs(a.id, b.id, results).set_index("metric")
    return found.loc[["psnr", "ssim"], ["low", "high", "p", "scenes", "verdict"]]


def test_the_same_pairs_say_the_same_as_a_folder_and_by_name(score, data, results):
    folder = str(data / "ucb")
    named = [score(method) for method in ("input", "retinex")]
    grouped = [score(m, dataset=folder, scene=SCENE) for m in ("input", "retinex")]
    wanted = verdicts(*named, results)
    assert verdicts(*grouped, results).equals(wanted)
    assert set(wanted["scenes"]) == {6}
    assert grouped[0].facts["dataset"]["scene"] == SCENE
    assert "scene" not in named[0].facts["dataset"]
    assert stored_problems(grouped[0]) == []


def test_where_no_scenes_are_given_the_board_says_so(score, data, results):
    folder, said = str(data / "ucb"), "every picture counted as a scene of its own"
    score("input")
    alone = score("input", dataset=folder)
    grouped = score("input", dataset=folder, scene=SCENE)
    assert alone.facts["scores"]["psnr"]["scenes"] == 8
    assert grouped.facts["scores"]["psnr"]["scenes"] == 6
    labels = {board.id.rpartition(".")[2]: board.label for board in boards(results)}
    assert [said in label for label in labels.values()] == [False, True, False]
    assert list(labels)[1] == "own"
    with pytest.raises(BenchmarkError, match="or other scenes; only runs of one board"):
        compare_runs(alone.id, grouped.id, results)
    for board in boards(results):
        assert list(table(board, results)["method"]) == ["input"]


def test_the_label_says_what_a_board_is_ranked_by(score, results):
    score("input")
    (board,) = boards(results)
    assert board.label == f"{board.scored}, ranked by psnr"
    ranked_by_another = replace(board, main_score="lab_mae")
    assert ranked_by_another.label == f"{board.scored}, ranked by lab_mae"


def test_the_best_stands_first_whichever_way_its_score_goes():
    """Of the repository's own results: SRD is ranked by an error, UCB by PSNR."""
    for name, falls in (("srd.test", False), ("ucb.test", True)):
        board = board_named(name)
        means = [run.mean(board.main_score) for run in runs_of(board)]
        assert len(set(means)) > 2
        assert means == sorted(means, reverse=falls)


def test_a_folder_that_is_called_as_a_data_set_is_none(score, data, results):
    """SRD ranks by lab_mae, and declares 408 pairs."""
    (data / "ucb").rename(data / "srd")
    run = score("input", dataset=str(data / "srd"))
    (board,) = boards(results)
    assert (board.main_score, board.task, board.expected) == ("psnr", "any", 8)
    assert board.title == "srd (a folder)"
    assert board_named("srd.test.native-v1", results) == board
    assert find_run("srd.native", results).id == run.id


@pytest.mark.parametrize("method", ["input", "retinex"])
def test_a_finished_run_by_name_is_not_that_of_the_folder(score, data, results, method):
    named = score(method)
    own = score(method, dataset=str(data / "ucb"))
    grouped = score(method, dataset=str(data / "ucb"), scene=SCENE)
    assert len({named.id, own.id, grouped.id}) == 3
    assert score(method, dataset=str(data / "ucb"), scene=SCENE).id == grouped.id


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"(\d", "no regular expression"),
        (r"\d+-\d+", "has no group"),
        (r"(01)-\d", "says no scene of 00-0"),
        (r"(x)?\d+", "says no scene of 00-0"),
    ],
)
def test_patterns_that_give_no_scene_are_refused(data, pattern, said):
    with pytest.raises(BenchmarkError, match=said):
        open_collection(str(data / "ucb"), scene=pattern)


def test_the_option_reaches_the_run_and_its_command(data, results):
    words = ["run", "--method", "input", "--dataset", str(data / "ucb"), "--out", str(results)]
    assert main([*words, "--scene", SCENE]) == 0
    (run,) = load_runs(results)
    assert run.facts["scores"]["psnr"]["scenes"] == 6
    command = shlex.split(run.facts["provenance"]["command"])
    assert command[command.index("--scene") + 1] == SCENE


def test_declared_data_have_scenes_of_their_own(data):
    with pytest.raises(BenchmarkError, match="ucb: has scenes of its own; --scene is for folders"):
        open_collection("ucb", data, scene=SCENE)
