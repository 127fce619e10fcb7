"""Growing networks: whatever is added changes nothing at first, and can be trained."""

import dataclasses

import pytest
import torch

from learnir.checkpoint import CheckpointError
from learnir.model import LearnIRModel
from learnir.training.warm_start import take_weights, widened


@pytest.fixture
def small(tiny_config):
    """An awake model in double precision: every layer has a part in its result."""
    return awake(LearnIRModel(tiny_config).double(), seed=0)


def awake(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return model


def grown(small, **changes):
    arguments = {**small.config.network_args, **changes}
    model = LearnIRModel(dataclasses.replace(small.config, network_args=arguments)).double()
    take_weights(awake(model, seed=1), small)
    return model


def answers(model):
    z = torch.randn(2, 2, 3, 32, 48, generator=torch.Generator().manual_seed(2)).double()
    return model.denoiser(list(z), torch.tensor([0.4]).double())


@pytest.mark.parametrize(
    "changes",
    [
        {"top": 16},
        {"top": 24},
        {"width": 16},
        {"encoder": (2, 3), "middle": 2},
        {"top": 32, "width": 16, "encoder": (1, 2), "decoder": (3, 1), "gain": True},
    ],
    ids=str,
)
def test_a_grown_network_gives_the_same_at_first(small, changes):
    model = grown(small, **changes)
    if set(changes) == {"width"}:  # the embedding of a_t has a hidden layer, whose copies share too
        assert len(model.denoiser.level.mlp[2].weight) == 32
    assert torch.allclose(answers(model), answers(small), rtol=0, atol=1e-10)
    count = [sum(p.numel() for p in m.parameters()) for m in (model, small)]
    assert count[0] > count[1]


def test_copies_of_a_channel_learn_different_things(small):
    model = grown(small, top=16)
    answers(model).square().sum().backward()
    gradient = model.denoiser.entrance.weight.grad
    assert not torch.allclose(gradient[:8], gradient[8:], rtol=0.1)
    assert gradient.abs().sum(dim=(1, 2, 3)).min() > 0


def test_growing_is_repeatable(small):
    a, b = (grown(small, top=16).state_dict() for _ in range(2))
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("changes", [{"top": 12}, {"middle": 0}, {"patch": 2}], ids=str)
def test_other_networks_are_refused(small, changes):
    with pytest.raises(CheckpointError, match="another network"):
        grown(small, **changes)


def test_weights_that_fit_are_left_alone(small):
    weights = small.denoiser.state_dict()
    assert all(widened(weights, weights)[name] is weights[name] for name in weights)
