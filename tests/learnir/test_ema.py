"""The average of weights, by hand."""

import pytest
import torch

from learnir.training.ema import EMA


@pytest.mark.parametrize(("decay", "last"), [(0.999, 3 / 12), (0.2, 0.2)])
def test_three_updates_with_a_decay_that_grows(decay, last):
    model = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(model.weight, 10.0)
    torch.nn.init.constant_(model.bias, 0.0)
    average, expected = EMA(model, decay), 10.0
    for step, (weight, share) in enumerate([(20.0, 1 / 10), (30.0, 2 / 11), (-40.0, last)]):
        torch.nn.init.constant_(model.weight, weight)
        average.update(model, step)
        expected = share * expected + (1 - share) * weight
        assert average.model.weight.item() == pytest.approx(expected, rel=1e-6)
    assert average.model.bias.item() == 0
    assert model.weight.item() == -40
    assert not any(p.requires_grad for p in average.model.parameters())
