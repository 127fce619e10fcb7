"""``unet``: residual U-Net in the manner of RDDM (Liu et al. 2024), for fidelity to the paper."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learnir.networks.blocks import LevelEmbedding, zero
from learnir.resolution import pad_to_multiple


class ResidualBlock(nn.Module):
    """Two normalised 3x3 convolutions, the first scaled and shifted by the condition."""

    def __init__(self, inputs: int, outputs: int, condition: int, groups: int = 8) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm1 = nn.GroupNorm(groups, outputs)
        self.affine = nn.Linear(condition, 2 * outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.affine(condition)[..., None, None].chunk(2, dim=1)
        h = F.silu(self.norm1(self.conv1(x)) * (1 + scale) + shift)
        return F.silu(self.norm2(self.conv2(h))) + self.skip(x)


class LinearAttention(nn.Module):
    """Attention whose cost grows linearly with the pixels (Shen et al. 2021), with a residual."""

    def __init__(self, channels: int, heads: int = 4, width: int = 32) -> None:
        super().__init__()
        self.heads, self.width = heads, width
        self.norm = nn.GroupNorm(1, channels)
        self.qkv = nn.Conv2d(channels, 3 * heads * width, 1, bias=False)
        self.out = nn.Sequential(nn.Conv2d(heads * width, channels, 1), nn.GroupNorm(1, channels))

    def forward(self, x: Tensor) -> Tensor:
        B, _, H, W = x.shape
        q, k, v = self.qkv(self.norm(x)).view(B, 3, self.heads, self.width, H * W).unbind(1)
        q, k = q.softmax(dim=-2) * self.width**-0.5, k.softmax(dim=-1)
        context = torch.einsum("bhdn,bhen->bhde", k, v / (H * W))
        mixed = torch.einsum("bhde,bhdn->bhen", context, q)
        return x + self.out(mixed.reshape(B, -1, H, W))


class SelfAttention(nn.Module):
    """Full attention at the coarsest level, with a residual."""

    def __init__(self, channels: int, heads: int = 4, width: int = 32) -> None:
        super().__init__()
        self.heads, self.width = heads, width
        self.norm = nn.GroupNorm(1, channels)
        self.qkv = nn.Conv2d(channels, 3 * heads * width, 1, bias=False)
        self.out = nn.Conv2d(heads * width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        B, _, H, W = x.shape
        qkv = self.qkv(self.norm(x)).view(B, 3, self.heads, self.width, H * W)
        q, k, v = qkv.transpose(-1, -2).unbind(1)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(-1, -2)
        return x + self.out(mixed.reshape(B, -1, H, W))


class ResidualUNet(nn.Module):
    """(z_t, z_y, a_t) -> prediction; width 64 and multipliers (1, 2, 4, 8) are RDDM's.

    Fully convolutional apart from the attention, which takes any size: H and W are padded inside.
    """

    def __init__(self, width: int = 64, multipliers: Sequence[int] = (1, 2, 4, 8)) -> None:
        super().__init__()
        widths = [width * m for m in multipliers]
        condition = 4 * width
        self.multiple = 2 ** (len(widths) - 1)
        self.level = LevelEmbedding(condition)
        self.entrance = nn.Conv2d(6, width, 7, padding=3)
        self.encoders, self.decoders = nn.ModuleList(), nn.ModuleList()
        before = width
        for i, channels in enumerate(widths):
            last = i == len(widths) - 1
            self.encoders.append(_encoder_level(before, channels, condition, last))
            self.decoders.insert(0, _decoder_level(before, channels, condition, i == 0))
            before = channels
        self.middle1 = ResidualBlock(before, before, condition)
        self.attention = SelfAttention(before)
        self.middle2 = ResidualBlock(before, before, condition)
        self.final = ResidualBlock(2 * width, width, condition)
        self.exit = zero(nn.Conv2d(width, 3, 1))

    def forward(self, pictures: Sequence[Tensor], level: Tensor) -> Tensor:
        """(B, 3, H, W) pictures z_t and z_y, a_t of shape (1,) -> (B, 3, H, W)."""
        H, W = pictures[0].shape[-2:]
        condition = self.level(level)
        x = self.entrance(pad_to_multiple(torch.cat(tuple(pictures), dim=1), self.multiple))
        first, skips = x, []
        for level_modules in self.encoders:
            block1, block2, attend, resize = level_modules.children()
            x = block1(x, condition)
            skips.append(x)
            x = attend(block2(x, condition))
            skips.append(x)
            x = resize(x)
        x = self.middle2(self.attention(self.middle1(x, condition)), condition)
        for level_modules in self.decoders:
            block1, block2, attend, resize = level_modules.children()
            x = block1(torch.cat([x, skips.pop()], dim=1), condition)
            x = attend(block2(torch.cat([x, skips.pop()], dim=1), condition))
            x = resize(x)
        x = self.final(torch.cat([x, first], dim=1), condition)
        return self.exit(x)[..., :H, :W]


def _encoder_level(before: int, channels: int, condition: int, last: bool) -> nn.ModuleList:
    resize = (
        nn.Conv2d(before, channels, 3, padding=1)
        if last
        else nn.Conv2d(before, channels, 4, stride=2, padding=1)
    )
    blocks = [ResidualBlock(before, before, condition) for _ in range(2)]
    return nn.ModuleList([*blocks, LinearAttention(before), resize])


def _decoder_level(before: int, channels: int, condition: int, first: bool) -> nn.ModuleList:
    smooth = nn.Conv2d(channels, before, 3, padding=1)
    resize = smooth if first else nn.Sequential(nn.Upsample(scale_factor=2), smooth)
    blocks = [ResidualBlock(channels + before, channels, condition) for _ in range(2)]
    return nn.ModuleList([*blocks, LinearAttention(channels), resize])
