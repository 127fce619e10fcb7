"""NAF blocks by GPU kernels: the blocks' own function. Without a GPU Triton interprets them."""

import sys
from copy import deepcopy

import pytest
import torch

from learnir.networks.blocks import Blocks, NAFBlock, can_fuse, fuse

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


def fused_copy(blocks):
    copy = deepcopy(blocks)
    fuse(copy)
    return copy


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


@pytest.mark.parametrize("shape", [(2, 12, 5, 7), (1, 12, 2, 1), (2, 12, 9, 29)])  # two tiles
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


def test_a_program_sums_gradients_over_several_tiles(level, monkeypatch):
    from learnir.networks import fused

    device = next(level.parameters()).device
    x, towards = torch.randn(2, 2, 12, 9, 7, device=device).unbind()
    condition = torch.randn(1, 8, device=device)
    few = results(fused_copy(level), x, condition, towards)
    monkeypatch.setattr(fused, "PROGRAMS", 3)  # 8 tiles, 2 to a program
    for name, value in results(fused_copy(level), x, condition, towards).items():
        error = (value - few[name]).norm() / few[name].norm()  # single numbers cancel: 1 of 5 seeds
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


def test_whether_the_kernels_run_is_tried_out(monkeypatch, capsys):
    from learnir.networks import fused

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    assert can_fuse(device)
    assert not capsys.readouterr().err

    def fails(*_args, **_options):
        raise RuntimeError("Failed to find C compiler.\nPlease specify via CC")

    monkeypatch.setattr(fused, "_gate", {(1,): fails})
    assert not can_fuse(device)
    assert capsys.readouterr().err == (
        "training without fused kernels, more slowly: Failed to find C compiler.\n"
    )


def test_without_triton_nothing_is_fused(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "learnir.networks.fused", raising=False)
    assert not can_fuse(torch.device("cpu"))
    assert not capsys.readouterr().err
