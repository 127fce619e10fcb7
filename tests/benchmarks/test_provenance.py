"""What makes two runs the same one, and which code and device a row is of."""

import dataclasses
import shutil
import subprocess

import numpy as np
import pytest
import torch
from sample_methods import write

from benchmarks import machine, runner
from benchmarks.methods import MethodCard, make_method
from benchmarks.pairs import open_collection
from benchmarks.protocols import PROTOCOLS
from benchmarks.runner import Experiment
from benchmarks.scoring import Judge


@pytest.fixture
def key(data):
    """``key(card, **found)``: the plan's key of a method on the small data set."""

    def made(card, **found):
        collection = dataclasses.replace(open_collection("ucb", data), **found)
        method = dataclasses.replace(make_method("input"), card=card)
        protocol = PROTOCOLS["native-v1"]
        judge = Judge(protocol)
        return Experiment(collection, protocol, method, judge, 1, "files", (0,), False).key

    return made


def test_what_a_method_costs_does_not_make_another_run(key):
    card = MethodCard("one", parameters=8, macs=697_449_472, macs_size="64x64")
    assert key(card) == key(dataclasses.replace(card, macs=691_684_352))
    assert key(card) == key(MethodCard("one"))
    assert key(card) != key(dataclasses.replace(card, settings=(("close_ups", "no"),)))


def test_another_split_or_data_set_is_another_run(key, data):
    entry = dataclasses.replace(open_collection("ucb", data).entry, name="other")
    assert (
        len({key(MethodCard("one"), **of) for of in ({}, {"split": "all"}, {"entry": entry})}) == 3
    )


def test_a_stored_run_of_another_split_is_not_returned(score, data):
    """Of O-HAZE's last pairs alone, which are the test split and all that is here."""
    picture = np.full((512, 512, 3), 90, np.uint8)
    for number in (41, 42):
        write(data / "o-haze" / "input" / f"{number}.png", picture)
        write(data / "o-haze" / "target" / f"{number}.png", picture + np.uint8(number))
    made = [score("input", dataset="o-haze", split=split) for split in ("test", "all")]
    assert [run.facts["dataset"]["split"] for run in made] == ["test", "all"]


@pytest.fixture
def repository(tmp_path):
    """A repository of one commit, and ``write(name, text)`` for its working tree."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    folder = tmp_path / "repository"

    def put(name, text):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    for name in ("benchmarks/a/b.py", "benchmarks/results/row.json", "docs/page.md", "README.md"):
        put(name, "as it was\n")
    author = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    for words in (("init",), ("add", "."), (*author, "commit", "-m", "first")):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    return folder, put


def test_code_that_is_not_committed_is_told_by_its_changes(repository):
    folder, put = repository
    committed = machine.commit(folder)
    assert "dirty" not in committed
    put("benchmarks/a/b.py", "changed\n")
    changed = machine.commit(folder)
    assert changed.startswith(f"{committed}-dirty-")
    put("benchmarks/a/b.py", "changed again\n")
    assert machine.commit(folder) not in (committed, changed)
    put("benchmarks/a/b.py", "changed\n")
    assert machine.commit(folder) == changed


def test_what_a_suite_writes_is_no_change_of_the_code(repository, tmp_path):
    folder, put = repository
    committed = machine.commit(folder)
    for name in ("benchmarks/results/row.json", "docs/page.md", "README.md"):
        put(name, "written meanwhile\n")
    assert machine.commit(folder) == committed
    (tmp_path / "none").mkdir()
    assert machine.commit(tmp_path / "none") == "unknown"


def test_a_row_is_of_the_code_that_it_was_begun_with(score, monkeypatch):
    codes = iter(["begun", "edited meanwhile"])
    monkeypatch.setattr(runner, "commit", lambda: next(codes))
    assert score("input").facts["provenance"]["commit"] == "begun"


def test_memory_is_that_of_the_device_of_the_run(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda *on: asked.append(on))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda *on: asked.append(on) or 7)
    machine.reset_peak("cuda:1")
    assert machine.peak_memory("cuda:1") == 7
    assert asked == [("cuda:1",), ("cuda:1",)]
