"""Growing networks: whatever is added changes nothing at first, and can be trained."""

import dataclasses

import pytest
import torch

from learnir.checkpoint import CheckpointError
from learnir.config import ModelConfig
from learnir.model import LearnIRModel
from learnir.training.warm_start import take_weights, widened


@pytest.fixture
def small(tiny_config, awake):
    """A model in double precision, every layer of which has a part in its result."""
    return awake(LearnIRModel(tiny_config).double())


@pytest.fixture
def grown(awake):
    """``grown(model, **changes)``: a larger network that has taken the model's weights."""

    def grow(model, **changes):
        arguments = {**model.config.network_args, **changes}
        config = dataclasses.replace(model.config, network_args=arguments)
        larger = awake(LearnIRModel(config).double(), seed=1)
        take_weights(larger, model)
        return larger

    return grow


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
def test_a_grown_network_gives_the_same_at_first(small, grown, changes):
    model = grown(small, **changes)
    assert torch.allclose(answers(model), answers(small), rtol=0, atol=1e-10)
    count = [sum(p.numel() for p in m.parameters()) for m in (model, small)]
    assert count[0] > count[1]


def test_some_channels_twice_change_it_little(small, grown):
    before, after = answers(small), answers(grown(small, top=12))
    assert 0 < float((after - before).norm() / before.norm()) < 0.5


def test_copies_of_a_channel_learn_different_things(small, grown):
    model = grown(small, top=16)
    answers(model).square().sum().backward()
    gradient = model.denoiser.entrance.weight.grad
    assert not torch.allclose(gradient[:8], gradient[8:], rtol=0.1)
    assert gradient.abs().sum(dim=(1, 2, 3)).min() > 0


def test_growing_is_repeatable(small, grown):
    a, b = (grown(small, top=16).state_dict() for _ in range(2))
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("changes", [{"top": 6}, {"middle": 0}, {"patch": 2}], ids=str)
def test_other_networks_are_refused(small, grown, changes):
    with pytest.raises(CheckpointError, match="another network"):
        grown(small, **changes)


def test_only_naf_networks_grow(awake, grown):
    """The ``unet`` joins maps and normalises groups of channels: copies would change its result."""
    arguments = {"width": 8, "multipliers": (1, 2, 4)}
    unet = awake(LearnIRModel(ModelConfig(network="unet", network_args=arguments)).double())
    with pytest.raises(CheckpointError, match="another network"):
        grown(unet, width=16)
    assert torch.equal(answers(grown(unet)), answers(unet))


def test_weights_that_fit_are_left_alone(small):
    weights = small.denoiser.state_dict()
    assert all(widened(weights, weights)[name] is weights[name] for name in weights)
