"""Measurements of the shipped weights: which are stale, and what the pages then say."""

import json
import shlex
import string
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def scripts(monkeypatch):
    """The modules of scripts/ that this file is about."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import bench_suite
    import measure
    import result_files

    return SimpleNamespace(measure=measure, results=result_files, suite=bench_suite)


def test_commands_are_of_scripts_that_know_their_options(scripts):
    known = {*scripts.measure.PLACES, "faceshadow"}
    for each in scripts.measure.MEASUREMENTS:
        script, *words = shlex.split(each.command)
        text = (ROOT / "scripts" / script).read_text(encoding="utf-8")
        for word in words:
            assert not word.startswith("-") or f'"{word}"' in text, (each.name, word)
            assert {name for _, name, _, _ in string.Formatter().parse(word) if name} <= known
        assert (ROOT / each.result).exists(), each.name


def measurement(scripts, path):
    return scripts.measure.Measurement("one", 1, "one.py", str(path))


def test_a_result_is_stale_when_it_is_missing_of_other_weights_or_of_unknown_ones(
    scripts, tmp_path
):
    path = tmp_path / "one.json"
    assert measurement(scripts, path).stale()
    scripts.results.write_result(path, {"rows": [1]})
    assert not measurement(scripts, path).stale()
    assert scripts.results.dated("table", scripts.results.read_result(path)) == "table"
    for former in ({"weights": "0" * 16, "rows": [1]}, {"rows": [1]}):
        path.write_text(json.dumps(former))
        assert measurement(scripts, path).stale()


def test_a_table_of_former_weights_says_so(scripts):
    dated = scripts.results.dated("table", {"weights": "0" * 16})
    assert dated == f"table\n\n{scripts.results.STALE}"
    assert scripts.results.dated("table", {"pairs": 3}) == "table"  # nothing that weights change


def test_scores_are_stale_when_one_set_is(scripts, tmp_path):
    path, shipped = tmp_path / "scores.json", scripts.results.shipped_hash()
    for other, stale in ((shipped, False), ("0" * 16, True)):
        path.write_text(json.dumps({"a": {"weights": shipped}, "b": {"weights": other}}))
        assert measurement(scripts, path).stale() is stale
        dated = scripts.results.dated("table", scripts.results.read_result(path))
        assert (scripts.results.STALE in dated) is stale


def boards_of(scripts, *left_out, weights=None):
    """The rows that the suite makes, but for some commands, as far as they matter here."""
    for board in scripts.suite.SUITE:
        for method in board.methods:
            command = scripts.suite.command(board, method)
            source = f"checkpoint {weights or scripts.results.shipped_hash()}"
            if command not in left_out:
                told = {"name": method, "source": source if method in scripts.suite.OURS else ""}
                yield SimpleNamespace(facts={"method": told, "provenance": {"command": command}})


def test_boards_are_stale_when_a_row_is_missing_or_of_former_weights(scripts, monkeypatch):
    suite = scripts.suite
    one = suite.command(suite.SUITE[0], "retinex")
    for rows, stale in (
        (boards_of(scripts), False),
        (boards_of(scripts, one), True),
        (boards_of(scripts, weights="0" * 16), True),
        ([], True),
    ):
        found = list(rows)
        monkeypatch.setattr(scripts.measure, "readable_runs", lambda _, found=found: (found, []))
        assert scripts.measure.boards_stale() is stale


def test_what_failed_is_said_before_the_pages_are_filled(scripts, monkeypatch, capsys):
    said = []

    def fails(command, **_):
        said.append(capsys.readouterr().err)
        raise scripts.measure.subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(scripts.measure.sys, "argv", ["measure.py"])
    monkeypatch.setattr(scripts.measure, "run", lambda *_: ["groups: failed", "drm: left out"])
    monkeypatch.setattr(scripts.measure.subprocess, "run", fails)
    with pytest.raises(scripts.measure.subprocess.CalledProcessError):
        scripts.measure.main()
    assert said == ["groups: failed\ndrm: left out\n"]


@pytest.mark.parametrize(
    ("folder", "called"),
    [
        ("ucb_dev", "UCB dev, real faces"),
        ("faceshadow", "FaceShadow test"),
        ("faceshadow-test", "FaceShadow test"),
        ("my pairs", "my pairs"),
    ],
)
def test_groups_are_named_whatever_their_folder_is_called(scripts, folder, called):
    import make_figures

    looks = {look: {"psnr": 20.0} for look in make_figures.LOOKS}
    table = make_figures.group_table({"scenes": 16, "sets": {folder: looks}})
    assert table.splitlines()[-1].startswith(f"| {called} | 16 | ")


def test_what_cannot_be_measured_is_named_and_the_others_go_on(scripts, monkeypatch, capsys):
    ran = []

    def run(command, **_):
        ran.append(command[1:])
        return SimpleNamespace(returncode=int("bad.py" in command[1]))

    monkeypatch.setattr(scripts.measure.subprocess, "run", run)
    make = scripts.measure.Measurement
    wanted = [make("a", 1, "a.py {ucb}", ""), make("b", 2, "bad.py", ""), make("c", 3, "c.py", "")]
    problems = scripts.measure.run(wanted, {})
    assert ran == [["scripts/bad.py"], ["scripts/c.py"]]
    assert problems[0] == "a: left out, ucb is not here"
    assert problems[1].startswith("b: failed")
    assert len(problems) == 2
    assert "[1/3] a: about 6 minutes left" in capsys.readouterr().out


def stored(folder, name, command, by="LearnIR project"):
    """A row of a leaderboard as far as it matters here, with its two files."""
    path = folder / f"{name}.json"
    for each in (path, path.with_suffix(".parquet")):
        each.touch()
    facts = {"provenance": {"by": by, "command": command}}
    return SimpleNamespace(id=name, path=path, facts=facts)


def test_a_new_row_takes_the_place_of_the_former_of_the_same_command(
    scripts, monkeypatch, tmp_path
):
    rows = [
        stored(tmp_path, "former", "run x"),
        stored(tmp_path, "new", "run x"),
        stored(tmp_path, "other", "run y"),
        stored(tmp_path, "foreign", "run x", by="somebody"),
    ]
    monkeypatch.setattr(scripts.suite, "readable_runs", lambda _: (rows, []))
    scripts.suite.replace_former(rows[1], tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {
        f"{name}.{kind}" for name in ("new", "other", "foreign") for kind in ("json", "parquet")
    }


def test_verdicts_name_what_can_be_told_apart(scripts):
    columns = ("board", "against", "metric", "difference", "verdict")
    rows = [
        ("faces", "once", "psnr", 1.726, "a is better"),
        ("faces", "once", "ssim", -0.00123, "b is better"),
        ("real", "once", "psnr", 0.2, "not distinguishable"),
        ("faces", "neither", "psnr", 0.2, "not distinguishable"),
    ]
    told = scripts.suite.verdicts(pd.DataFrame(rows, columns=columns))
    assert told.split("\n") == [
        "* Against **once**: on faces better in psnr +1.73 and worse in ssim -0.0012; "
        "on real nothing can be told apart.",
        "* Against **neither**: on faces nothing can be told apart.",
    ]
