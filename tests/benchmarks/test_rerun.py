"""The command that a result tells."""

import json
import shlex

import pytest

from benchmarks.arguments import parser
from benchmarks.cli import main
from benchmarks.rerun import command_of


def told(*words):
    """What is stored of a run with these options."""
    return command_of(parser().parse_args(["run", *words]))


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (["--method", "input", "--dataset", "ucb"], "--dataset ucb --method input"),
        (
            ["--method", "results:/home/ann/my secret/made", "--dataset", "./pairs"],
            "--dataset ./pairs --method results:made",
        ),
        (
            [
                "--data-root=/home/ann/data",
                "--out=/home/ann/out",
                "--method=input",
                "--dataset=ucb",
            ],
            "--dataset ucb --data-root data --out out --method input",
        ),
        (
            ["--dataset", "/home/ann/pairs/", "--method", "input", "--checkpoint", "../weights"],
            "--dataset pairs --checkpoint weights --method input",
        ),
        (
            ["--exec", "/home/ann/tool {input} {output} -w /data/w.pt", "--dataset", "ucb"],
            "--dataset ucb --exec 'tool {input} {output} -w w.pt'",
        ),
        (
            ["--dataset=ucb", "--exec=tool --weights=/home/ann/w '{input}' 'a b' x/y {output}"],
            """--dataset ucb --exec "tool --weights=w {input} 'a b' x/y {output}" """.strip(),
        ),
        (
            ["--method", "exec:~ann/tool {input} {output} ''", "--dataset", "C:\\Users\\ann\\ucb"],
            """--dataset ucb --method "exec:tool {input} {output} ''" """.strip(),
        ),
        (
            ["--method", "python:m:f", "--dataset", "ucb", "--seeds", "1", "2", "--clean"],
            "--dataset ucb --method python:m:f --clean --seeds 1 2",
        ),
        (
            ["--method", "input", "--dataset", "ucb", "--source", "https://x.org/a?b=/c"],
            "--dataset ucb --method input --source 'https://x.org/a?b=/c'",
        ),
    ],
)
def test_options_are_told_without_the_folders_they_lie_in(given, stored):
    words = shlex.split(told(*given))
    assert words[:2] == ["learnir-bench", "run"]
    parsed, wanted = (
        parser().parse_args(each) for each in (words[1:], ["run", *shlex.split(stored)])
    )
    assert vars(parsed) == vars(wanted)
    assert "ann" not in told(*given)


def test_a_folder_above_is_told_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "pairs" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "pairs" / "below")
    assert "--dataset pairs" in told("--dataset", "..", "--method", "input")


def test_quotes_that_are_not_closed_are_left_to_the_run(data, capsys):
    words = ["run", "--exec", "tool '{input} {output}", "--dataset", "ucb"]
    assert main([*words, "--data-root", str(data)]) == 1
    assert "No closing quotation; close its quotes" in capsys.readouterr().err


def test_the_stored_command_holds_no_folder_of_this_machine(data, results):
    words = ["run", "--method", "input", "--dataset", "ucb", f"--data-root={data}"]
    words += ["--out", str(results), "--limit", "2", "--by", "Ann"]
    assert main(words) == 0
    (stored,) = results.glob("*.json")
    facts = json.loads(stored.read_text())
    command = shlex.split(facts["provenance"]["command"])
    assert command[:6] == ["learnir-bench", "run", "--method", "input", "--dataset", "ucb"]
    assert {"--limit", "--by", "--data-root"} < set(command)
    assert facts["provenance"]["by"] == "Ann"
    assert str(data.parent) not in stored.read_text()
