"""NAF blocks by GPU kernels: the blocks' own function. Without a GPU Triton interprets them."""

import pytest
import torch

from learnir.networks.blocks import Blocks, NAFBlock, fuse

pytest.importorskip("triton", reason="Triton comes with PyTorch for Linux only")


@pytest.fixture
def level():
    """Two blocks of random weights, none of which leaves anything as it is."""
    torch.manual_seed(0)
    blocks = Blocks(NAFBlock(12, 8) for _ in range(2))
    for weight in blocks.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return blocks.to("cuda" if torch.cuda.is_available() else "cpu")


def results(blocks, x, condition, towards):
    """The output and every gradient, by name."""
    blocks.zero_grad()
    x, condition = x.clone().requires_grad_(), condition.clone().requires_grad_()
    out = blocks(x, condition)
    out.backward(towards)
    gradients = {name: weight.grad.clone() for name, weight in blocks.named_parameters()}
    return {"out": out.detach(), "x": x.grad, "condition": condition.grad} | gradients


@pytest.fixture
def wide():
    """One block wider than a tile of channels."""
    torch.manual_seed(1)
    blocks = Blocks([NAFBlock(40, 8)])
    for weight in blocks.parameters():
        torch.nn.init.normal_(weight, std=0.15)
    return blocks.to("cuda" if torch.cuda.is_available() else "cpu")


def test_kernels_take_channels_in_several_tiles(wide):
    device = next(wide.parameters()).device
    x, towards = torch.randn(2, 1, 40, 4, 5, device=device).unbind()
    condition = torch.randn(1, 8, device=device)
    plain = results(wide, x, condition, towards)
    fuse(wide)
    for name, value in results(wide, x, condition, towards).items():
        error = (value - plain[name]).norm() / plain[name].norm()
        assert error < 1e-5, f"{name}: {error:.1e}"


@pytest.mark.parametrize("shape", [(2, 12, 5, 7), (1, 12, 2, 1), (3, 12, 24, 32)])
def test_kernels_give_the_blocks_result_and_all_its_gradients(level, shape):
    device = next(level.parameters()).device
    x, towards = torch.randn(2, *shape, device=device).contiguous().unbind()
    x = x.contiguous(memory_format=torch.channels_last)
    condition = torch.randn(1, 8, device=device)
    plain = results(level, x, condition, towards)
    fuse(level)
    assert level.fused
    for name, value in results(level, x, condition, towards).items():
        error = (value - plain[name]).norm() / plain[name].norm()
        assert error < 1e-5, f"{name}: {error:.1e}"


def test_kernels_keep_to_autocast(level):
    device = next(level.parameters()).device
    x, condition = torch.randn(1, 12, 6, 6, device=device), torch.randn(1, 8, device=device)
    exact = level(x, condition)
    fuse(level)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        half = level(x, condition)
    assert half.dtype == torch.float32  # what blocks add to is not rounded
    error = (half - exact).norm() / exact.norm()
    assert 1e-4 < error < 3e-2
