"""``learnir train --precision`` and ``--compile``: what they change of the steps on a CPU."""

from __future__ import annotations

import json

import pytest
import torch

from learnir.cli import main
from learnir.model import LearnIRModel


@pytest.fixture(autouse=True)
def _own_accelerator():
    """Accelerate holds a process to the precision that it began with."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def trained(pairs, tmp_path):
    """``trained(*words)``: the folder of a run of two steps of the smoke preset."""

    def run(*words):
        given = ["--data", pairs, "--out", tmp_path / "run", "--device", "cpu", *words]
        with pytest.raises(SystemExit) as ended:
            main(["train", "smoke", "--iterations", "2", "0", *map(str, given)])
        assert ended.value.code == 0
        return tmp_path / "run" / "last"

    return run


@pytest.fixture
def seen(monkeypatch):
    """Of every evaluation in training, in which precision its products are."""
    output, found = LearnIRModel.output, []

    def watched(self, z_t, z_y, t, schedule):
        if torch.is_grad_enabled():
            found.append((z_t @ z_t.mT).dtype)
        return output(self, z_t, z_y, t, schedule)

    monkeypatch.setattr(LearnIRModel, "output", watched)
    return found


@pytest.mark.parametrize(
    ("words", "precision"),
    [(["--precision", "bf16"], torch.bfloat16), ([], torch.float32)],
)
def test_steps_are_of_the_precision_that_was_asked_for(trained, seen, words, precision):
    last = trained(*words)
    assert len(seen) >= 2
    assert set(seen) == {precision}
    config = json.loads((last / "training.json").read_text())["config"]
    assert config["precision"] == (words[1] if words else None)


@pytest.mark.parametrize(("words", "count"), [(["--compile", "True"], 1), ([], 0)])
def test_the_denoiser_is_compiled_where_that_is_asked_for(trained, monkeypatch, words, count):
    compiled = []
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda self, **how: compiled.append((type(self).__name__, how))
    )
    trained(*words)
    assert compiled == count * [("NAFDenoiser", {"dynamic": False})]
