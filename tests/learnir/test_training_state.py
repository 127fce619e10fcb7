"""The state that a training goes on from: damaged, of other data, on a full disk."""

import json
import os
import shutil
from itertools import count

import pytest
import torch
from trained_runs import same, state

from learnir.checkpoint import CheckpointError
from learnir.training import command
from learnir.training.state import load_state, save_state, take_over
from learnir.training.validate import validate


def test_a_damaged_state_says_so(tmp_path):
    (tmp_path / "state.pt").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match=r"(?s)state\.pt: damaged .* another --out from"):
        load_state(tmp_path, {})


def test_a_run_is_resumed_on_its_own_data_only(tmp_path, pairs_folder):
    command.train("smoke", [pairs_folder], tmp_path / "run", device="cpu", pairs=8)
    with pytest.raises(CheckpointError, match="other data"):
        command.train("smoke", [pairs_folder], tmp_path / "run", resume=True, device="cpu", pairs=7)
    command.train("smoke", [pairs_folder], tmp_path / "run", resume=True, device="cpu", pairs=8)
    older = state(tmp_path / "run")
    del older["data"]
    torch.save(older, tmp_path / "run" / "state.pt")
    command.train("smoke", [pairs_folder], tmp_path / "run", resume=True, device="cpu", pairs=7)


def test_a_resumed_log_holds_every_step_once(tmp_path, pairs_folder, smoke_run):
    log = shutil.copytree(smoke_run, tmp_path / "run") / "log.jsonl"
    before = log.read_text()
    last = state(tmp_path / "run")["step"]
    log.write_text(before + json.dumps({"step": last + 50, "loss": 1.0}) + '\n{"step": 9')
    command.train("smoke", [pairs_folder], tmp_path / "run", resume=True, device="cpu")
    assert log.read_text() == before


def test_a_run_that_starts_anew_starts_its_log_anew(tmp_path, pairs_folder, smoke_run):
    shutil.copytree(smoke_run, tmp_path / "run")
    (tmp_path / "run" / "state.pt").unlink()  # as one that was killed before it saved any
    shutil.rmtree(tmp_path / "run" / "last")
    with pytest.raises(CheckpointError, match="--resume it or"):
        command.train("smoke", [pairs_folder], tmp_path / "run", device="cpu")
    command.train("smoke", [pairs_folder], tmp_path / "run", resume=True, device="cpu")
    lines = map(json.loads, (tmp_path / "run" / "log.jsonl").read_text().splitlines())
    steps = [line["step"] for line in lines if "loss" in line]
    assert len(steps) == len(set(steps))


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_that_lost_its_state_is_not_replaced(tmp_path, pairs_folder, resume):
    (tmp_path / "run" / "last").mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"without its state\.pt.* another --out.*--init"):
        command.train("smoke", [pairs_folder], tmp_path / "run", resume=resume, device="cpu")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["last"]


def test_of_two_runs_in_one_folder_the_earlier_stops(
    tmp_path, pairs_folder, smoke_run, monkeypatch
):
    """Without a lock, which a drive may lack; what the later one has written is left alone."""
    out, validations = tmp_path / "run", count()

    def begun_meanwhile(*given):
        if next(validations) == 0:
            command.train("smoke", [pairs_folder], out, resume=True, device="cpu")
        return validate(*given)

    monkeypatch.setattr("learnir.training.loop.validate", begun_meanwhile)
    with pytest.raises(CheckpointError, match=rf"another training .*process {os.getpid()} on"):
        command.train("smoke", [pairs_folder], out, device="cpu")
    steps = [json.loads(line)["step"] for line in (out / "log.jsonl").open()]
    assert steps == [json.loads(line)["step"] for line in (smoke_run / "log.jsonl").open()]
    assert same(state(out)["model"], state(smoke_run)["model"])


def test_parts_that_a_killed_run_left_are_removed(tmp_path):
    part = tmp_path / "run" / "last" / f".{0:012x}.part"
    part.parent.mkdir(parents=True)
    part.touch()
    os.utime(part, (0, 0))
    take_over(tmp_path / "run")
    assert not part.exists()


@pytest.mark.parametrize("name", ["best", "log.jsonl"])
def test_what_a_run_has_left_is_not_replaced(tmp_path, pairs_folder, name):
    (tmp_path / "run" / name).mkdir(parents=True)
    with pytest.raises(CheckpointError, match="holds a training already"):
        command.train("smoke", [pairs_folder], tmp_path / "run", device="cpu")


def test_a_full_disk_keeps_the_state_before(tmp_path, monkeypatch):
    save_state(tmp_path, {"config": {}, "step": 1})

    def full(state, path):
        path.write_bytes(b"half")
        raise RuntimeError("unexpected pos 64 vs 0\nand a page of C++")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match=r"state\.pt: cannot be written") as told:
        save_state(tmp_path, {"config": {}, "step": 2})
    assert "C++" not in str(told.value)
    assert state(tmp_path)["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]
