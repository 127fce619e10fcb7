"""Steps on a copy whose matrices are in bfloat16: autocast's loss and gradients."""

import pytest
import torch

from learnir.model import LearnIRModel
from learnir.networks.blocks import fuse
from learnir.training.half import HalfCopy
from learnir.training.presets import PRESETS
from learnir.training.step import Draw, TrainStep


@pytest.fixture
def model(tiny_config, awake):
    return awake(LearnIRModel(tiny_config))


def gradients(model, half=None, size=32):
    """Loss and gradients of one step at t = 2 from a state of the sampler's, under autocast."""
    model.zero_grad()
    y, x = torch.rand(2, 2, 3, size, size, generator=torch.Generator().manual_seed(2)) * 2 - 1
    step = TrainStep(half.model if half else model, PRESETS["smoke"])
    draw = Draw(2, (1, 1, 2, 4, 4), rollout=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = step(y, x, draw, "denoiser", torch.Generator().manual_seed(1))
    loss.backward()
    if half:
        half.give_gradients()
    return float(loss.detach()), [weight.grad for weight in model.denoiser.parameters()]


def test_a_half_copy_gives_the_model_autocasts_gradients(model):
    expected_loss, expected = gradients(model)
    half = HalfCopy(model)
    assert {weight.dtype for weight in half.halves} == {torch.bfloat16}
    assert all(weight.dtype == torch.float32 for weight in model.parameters())
    for number in range(2):  # nothing is left over from the first
        loss, got = gradients(model, half)
        assert loss == expected_loss
        for ours, theirs in zip(got, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=0, msg=f"step {number}")
        assert all(weight.grad is None for weight in half.halves)


def test_kernels_take_a_half_copy(model):
    pytest.importorskip("triton", reason="Triton comes with PyTorch for Linux only")
    if torch.cuda.is_available():
        pytest.skip("Triton interprets kernels on the CPU only where there is no GPU")
    expected_loss, expected = gradients(model, size=24)  # interpreted, but in several tiles
    half = HalfCopy(model)
    fuse(half.model)
    loss, got = gradients(model, half, size=24)
    assert loss == pytest.approx(expected_loss, rel=0.02)
    away = sum((a - b).square().sum() for a, b in zip(got, expected, strict=True))
    assert away < 0.1**2 * sum(b.square().sum() for b in expected)


def test_a_half_copy_follows_the_model(model):
    half = HalfCopy(model)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1)
    half.take_weights()
    pairs = zip(model.parameters(), half.model.parameters(), strict=True)
    shared = sum(ours is theirs for ours, theirs in pairs)
    assert 0 < shared < len(list(model.parameters()))
    for ours, theirs in zip(model.parameters(), half.model.parameters(), strict=True):
        assert torch.equal(theirs, ours.to(theirs.dtype))
