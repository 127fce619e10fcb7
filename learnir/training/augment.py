"""Augmentation of shadow pairs, batched: photometry in linear light, turns, faded colour, mosaics.

A shadow multiplies linear light, so the pair itself tells its gain g = input / target; raising g to
a random power makes the same shadow lighter or deeper, which re-draws its ambient share.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
import torch.nn.functional as F
from torch import Tensor

from learnir.resolution import area_mean

GAMMA = 2.2  # close enough to sRGB for augmentation, and cheap
DARK = 2e-3  # linear light under which a ratio says nothing
LUMA = (0.299, 0.587, 0.114)  # Rec. 601, how most programs take a picture's colour away


@dataclass(frozen=True)
class Photometry:
    """Ranges of the random changes; each pair draws its own.

    Attributes:
        depth: exponents on the shadow's gain; 1 keeps it.
        darkest: gain to which the deepest part of a shadow may come, at the most: were any depth
            allowed, black cloth would look like a shadow.
        drift: deviation of the exponent in space, as a share of it: the ambient light of a real
            shadow changes over the face. hue: the same from channel to channel.
        exposure: stops, up or down, on input and target alike.
        warmth: red-blue shift, as a share of the gain, on input and target alike.
        contrast: exponents on linear light, on input and target alike.
    """

    depth: tuple[float, float] = (0.65, 1.7)
    darkest: float = 0.09
    drift: float = 0.12
    hue: float = 0.05
    exposure: float = 0.6
    warmth: float = 0.12
    contrast: tuple[float, float] = (0.85, 1.2)


def redraw_photometry(
    y: Tensor,
    x: Tensor,
    clean: float,
    generator: torch.Generator,
    ranges: Photometry = Photometry(),
) -> tuple[Tensor, Tensor]:
    """New (input, target), signed (B, 3, H, W), with shadow depth and exposure drawn anew.

    A share ``clean`` of the pairs loses its shadow, so that the model learns to leave faces alone.
    """
    B = x.shape[0]

    def uniform(low: float, high: float) -> Tensor:
        u = torch.rand(B, 1, 1, 1, generator=generator, device=x.device)
        return low + (high - low) * u

    target, observed = to_linear(x), to_linear(y)
    gain = (observed + DARK) / (target + DARK)
    depth = torch.minimum(uniform(*ranges.depth), deepest_power(gain, ranges.darkest))
    depth = depth * (uniform(0, 1) >= clean)
    depth = depth * (1 + _wave(x, ranges.drift, generator) + _hues(x, ranges.hue, generator))
    target = target ** uniform(*ranges.contrast)
    warmth = uniform(-ranges.warmth, ranges.warmth)
    tint = torch.cat([1 + warmth, torch.ones_like(warmth), 1 - warmth], dim=1)
    target = target * tint * 2 ** uniform(-ranges.exposure, ranges.exposure)
    observed = (target + DARK) * (gain**depth).clamp(min=ranges.darkest / 2) - DARK
    return from_linear(observed), from_linear(target)


def deepest_power(gain: Tensor, darkest: float) -> Tensor:
    """The power that brings the deepest part of each picture's ``gain`` (B, 3, H, W) to
    ``darkest``; (B, 1, 1, 1), infinite where there is no shadow or no bound.

    The deepest part is what a fiftieth of the pixels lies below, in the mean of log channels. A
    bound on single pixels instead would level all that is deeper, and teach that no light below it
    comes back.
    """
    if not darkest:
        return torch.full_like(gain[:, :1, :1, :1], torch.inf)
    mean = gain.clamp(min=1e-4).log().mean(dim=1).flatten(1)
    deepest = mean.kthvalue(1 + mean.shape[1] // 50, dim=1).values
    return (log(darkest) / deepest.clamp(max=-1e-6)).view(-1, 1, 1, 1)


def clean_some(
    y: Tensor, x: Tensor, share: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The pairs (B, 3, H, W), a ``share`` of the inputs replaced by their targets."""
    chosen = torch.rand(len(x), 1, 1, 1, generator=generator, device=x.device) < share
    return torch.where(chosen, x, y), x


def turn_some(
    y: Tensor, x: Tensor, share: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A ``share`` of the square pairs (B, 3, S, S) turned by one, two or three quarters.

    Scans lie on their sides, people lie down, and not every camera knows which way is up.
    """
    B = len(x)
    quarters = torch.randint(1, 4, (B, 1, 1, 1), generator=generator, device=x.device)
    quarters *= torch.rand(B, 1, 1, 1, generator=generator, device=x.device) < share
    pair = torch.cat([y, x], dim=1)
    turned = pair
    for k in (1, 2, 3):
        turned = torch.where(quarters == k, pair.rot90(k, dims=(2, 3)), turned)
    y, x = turned.chunk(2, dim=1)
    return y, x


def fade_some(
    y: Tensor, x: Tensor, share: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A ``share`` of the pairs, signed (B, 3, H, W), in black and white, or nearly so.

    Films and programs weigh the channels differently; half of the pictures are toned, most of
    these warm as old prints are; a third keep some of their colour, as faded ones do.
    """

    def uniform(low: float, high: float) -> Tensor:
        u = torch.rand(len(x), 1, 1, 1, generator=generator, device=x.device)
        return low + (high - low) * u

    luma = torch.tensor(LUMA, device=x.device).view(1, 3, 1, 1)
    weights = luma * _hues(x, 0.5, generator).exp()
    weights = weights / weights.sum(dim=1, keepdim=True)
    warm = uniform(-0.1, 0.35) * (uniform(0, 1) < 0.5)
    tone = torch.cat([1 + warm / 2, torch.ones_like(warm), 1 - warm], dim=1)
    tone = tone / tone.amax(dim=1, keepdim=True)  # white is the brightest that paper has
    kept = uniform(0, 1) * (uniform(0, 1) < 1 / 3)
    kept = torch.where(uniform(0, 1) < share, kept, 1.0)

    def faded(signed: Tensor) -> Tensor:
        unit = signed * 0.5 + 0.5
        grey = (weights * unit).sum(dim=1, keepdim=True) * tone
        return torch.where(kept < 1, (grey + kept * (unit - grey)) * 2 - 1, signed)

    return faded(y), faded(x)


def lay_mosaics(
    y: Tensor, x: Tensor, share: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A ``share`` of the pairs, (B, 3, H, W) each, replaced by mosaics of four at half size.

    So the model sees faces as small as they are in wide pictures, beside things that are in no
    shadow. Four tiles are drawn from the whole batch, and the mosaic is shifted cyclically by a
    random amount, so that seams lie anywhere. H and W are even; the share is rounded to whole
    pairs.
    """
    B, _, H, W = x.shape
    n = round(share * B)
    device = x.device
    tiles = torch.randint(B, (n, 2, 2), generator=generator, device=device)
    halves = area_mean(torch.cat([y, x], dim=1), 2)[tiles]  # (n, 2, 2, 6, H / 2, W / 2)
    mosaic = halves.permute(0, 3, 1, 4, 2, 5).reshape(n, 6, H, W)

    def moved(length: int) -> Tensor:
        way = torch.randint(length, (n, 1), generator=generator, device=device)
        return (torch.arange(length, device=device) + way) % length

    rows, columns = moved(H)[:, :, None], moved(W)[:, None, :]
    which = torch.arange(n, device=device)[:, None, None]
    mosaic = mosaic.permute(0, 2, 3, 1)[which, rows, columns].permute(0, 3, 1, 2)
    replaced = torch.randperm(B, generator=generator, device=device)[:n]
    m_y, m_x = mosaic.chunk(2, dim=1)
    return y.index_copy(0, replaced, m_y), x.index_copy(0, replaced, m_x)


def _wave(like: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    """A smooth field over each picture, (B, 1, H, W), within three deviations at 4 x 4 places."""
    B, _, H, W = like.shape
    coarse = torch.randn(B, 1, 4, 4, generator=generator, device=like.device).clamp(-3, 3)
    return deviation * F.interpolate(coarse, (H, W), mode="bicubic", align_corners=True)


def _hues(like: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    """One number per channel of each picture, (B, 3, 1, 1), within three deviations."""
    hues = torch.randn(len(like), 3, 1, 1, generator=generator, device=like.device)
    return deviation * hues.clamp(-3, 3)


def to_linear(signed: Tensor) -> Tensor:
    """Signed -> linear light in [0, 1] by a pure power law."""
    return (signed * 0.5 + 0.5).clamp(0, 1) ** GAMMA


def from_linear(linear: Tensor) -> Tensor:
    """Linear light (clipped to [0, 1]) -> signed."""
    return linear.clamp(0, 1) ** (1 / GAMMA) * 2 - 1
