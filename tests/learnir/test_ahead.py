"""Pairs drawn beside the step before: the same batches in the same order."""

from dataclasses import replace

import pytest
import torch

from learnir.training import batches
from learnir.training.ahead import start_on
from learnir.training.command import prepare_run
from learnir.training.presets import PRESETS


def test_drawing_ahead_changes_neither_batches_nor_their_order(pairs, tmp_path, monkeypatch):
    run = prepare_run(PRESETS["smoke"], [pairs], tmp_path / "run", None, "cpu")
    run.prepare()
    expected = list(run.batches.ready(0))
    assert len(expected) == run.config.iterations
    events = []

    def noted(stream, work):
        number = sum(event == "drawn" for event in events)
        events.append("drawn")
        tensors = work()
        return lambda: events.append(f"taken {number}") or tensors

    monkeypatch.setattr(batches, "start_on", noted)
    found = replace(run.batches, stream="a stream").ready(0)
    for (stage, draw, y, x), (stage_, draw_, y_, x_) in zip(found, expected, strict=True):
        assert (stage, draw) == (stage_, draw_)
        assert torch.equal(y, y_)
        assert torch.equal(x, x_)
    assert events[:4] == ["drawn", "drawn", "taken 0", "drawn"]  # one ahead, never two
    assert events[-3:] == ["drawn", f"taken {len(expected) - 2}", f"taken {len(expected) - 1}"]


def test_batches_go_on_from_a_step(pairs, tmp_path):
    run = prepare_run(PRESETS["smoke"], [pairs], tmp_path / "run", None, "cpu")
    run.prepare()
    whole = [y for _, _, y, _ in run.batches.ready(0)]
    rest = [y for _, _, y, _ in run.batches.ready(5)]
    assert all(torch.equal(a, b) for a, b in zip(rest, whole[5:], strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_result_is_waited_for_on_the_stream_that_takes_it():
    a = torch.randn(4096, 4096, device="cuda")
    expected = (a @ a).sum()

    def work():
        product = a
        for _ in range(20):
            product = a @ a
        return (product,)

    torch.cuda.synchronize()  # ``start_on`` waits for nothing that was begun before
    taken = start_on(torch.cuda.Stream(), work)
    (product,) = taken()
    assert torch.allclose(product.sum(), expected, rtol=1e-4)
