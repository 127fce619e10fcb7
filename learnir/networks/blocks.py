"""Building blocks of the networks. Feature maps are (B, C, H, W), channels-last in memory."""

from __future__ import annotations

import sys
from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LevelEmbedding(nn.Module):
    """The signal levels a_t in (0, 1], (N,) -> (N, width): Fourier features and a two-layer MLP.

    N is 1 in the networks, as a whole batch is at one step: their blocks take one row alone.
    Conditioning on a_t rather than on t lets one network serve schedules of any length.
    """

    frequencies: Tensor

    def __init__(self, width: int, frequencies: int = 16) -> None:
        super().__init__()
        self.register_buffer("frequencies", pi * 2 ** torch.linspace(0, 6, frequencies), False)
        self.mlp = nn.Sequential(
            nn.Linear(2 * frequencies, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )

    def forward(self, level: Tensor) -> Tensor:
        phase = level[:, None].float() * self.frequencies
        return self.mlp(torch.cat([phase.sin(), phase.cos()], dim=1))


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of every pixel, scaled and shifted by the condition.

    The condition (1, width) is the whole batch's, so that one call normalises, scales and shifts.
    Channels-last maps make the permutations free: no data moves.
    """

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.channels = channels
        self.affine = nn.Linear(condition, 2 * channels)
        nn.init.zeros_(self.affine.weight)
        nn.init.zeros_(self.affine.bias)

    def constants(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift, each (C,), at least in single precision."""
        affine = self.affine(condition).squeeze(0)
        # the CPU's kernel does not mix half precision with single
        affine = affine.to(torch.promote_types(affine.dtype, torch.float32))
        scale, shift = affine.chunk(2, dim=-1)
        return 1 + scale, shift

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        y = F.layer_norm(x.permute(0, 2, 3, 1), (self.channels,), *self.constants(condition))
        return y.permute(0, 3, 1, 2)


class Pointwise(nn.Conv2d):
    """1 x 1 convolution as a matrix product over the channels of every pixel.

    The same parameters and result as ``nn.Conv2d(inputs, outputs, 1)``. On channels-last maps no
    data moves, and small maps keep clear of PyTorch's slow path for small convolutions on the CPU.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.flatten(1)
        return F.linear(x.permute(0, 2, 3, 1), weight, self.bias).permute(0, 3, 1, 2)


class SimpleGate(nn.Module):
    """Half of the channels times the other half: the only non-linearity of a NAF block."""

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=1)
        return a * b


class ChannelAttention(nn.Module):
    """Every channel scaled by a linear function of all channel means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = Pointwise(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mix(x.mean(dim=(2, 3), keepdim=True))


class NAFBlock(nn.Module):
    """Conditional NAFNet block (Chen et al. 2022): gated depthwise mixing, then gated channels."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels, condition)
        self.mix = nn.Sequential(
            Pointwise(channels, 2 * channels),
            nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels),
            SimpleGate(),
            ChannelAttention(channels),
            Pointwise(channels, channels),
        )
        self.norm2 = ChannelNorm(channels, condition)
        self.feed = nn.Sequential(
            Pointwise(channels, 2 * channels), SimpleGate(), Pointwise(channels, channels)
        )
        # Residual branches start small, so that depth costs nothing at the beginning of training.
        self.scale1 = nn.Parameter(torch.full((1, channels, 1, 1), 0.1))
        self.scale2 = nn.Parameter(torch.full((1, channels, 1, 1), 0.1))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        x = x + self.scale1 * self.mix(self.norm1(x, condition))
        return x + self.scale2 * self.feed(self.norm2(x, condition))


class Blocks(nn.ModuleList):
    """Blocks of one level, applied in order under one condition.

    With ``fused`` set, by kernels made for training on a GPU: the same function.
    """

    fused = False

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        if self.fused and len(self):
            from learnir.networks.fused import fused_blocks

            blocks = [block for block in self if isinstance(block, NAFBlock)]
            return fused_blocks(blocks, x, condition)
        for block in self:
            x = block(x, condition)
        return x


def fuse(module: nn.Module) -> None:
    """Makes the module's blocks use the kernels made for training on a GPU."""
    for level in module.modules():
        if isinstance(level, Blocks):
            level.fused = True


def can_fuse(device: torch.device) -> bool:
    """Whether those kernels run here: they need Triton and, to compile, a C compiler.

    What Triton says against it is passed on, one line, on stderr.
    """
    try:
        from learnir.networks.fused import try_out
    except ImportError:  # PyTorch for Windows comes without Triton
        return False
    try:
        try_out(device)
    except Exception as error:  # compilers and drivers fail in ways of their own
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        print(f"training without fused kernels, more slowly: {reason}", file=sys.stderr)
        return False
    return True


def downsample(inputs: int, outputs: int) -> nn.Module:
    """Half the size."""
    return nn.Conv2d(inputs, outputs, 2, stride=2)


def upsample(inputs: int, outputs: int) -> nn.Module:
    """Twice the size."""
    return nn.Sequential(Pointwise(inputs, 4 * outputs, bias=False), nn.PixelShuffle(2))


def zero(module: nn.Module) -> nn.Module:
    """The module with all its parameters set to 0."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module
