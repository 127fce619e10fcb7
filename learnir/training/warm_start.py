"""Starting a training from the weights of a smaller network, whose result it gives at first."""

from __future__ import annotations

import operator
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from learnir.checkpoint import CheckpointError
from learnir.model import LearnIRModel
from learnir.networks.blocks import NAFBlock
from learnir.networks.naf import NAFUNet

GATED = ("affine", "mix.0", "mix.1", "feed.0")
"""Layers of a NAF block whose outputs are two halves: scale and shift, or the sides of a gate."""


def take_weights(model: LearnIRModel, source: LearnIRModel) -> None:
    """Gives ``model`` the weights of another training, whose network may be smaller.

    A ``naf`` may lack the gain, channels or blocks. The gain begins as zero, channels as copies and
    blocks as the identity: nothing changes until they are trained, where every channel of a level
    gets as many copies. Where some get more than others, normalisation sees those more often and
    the result is the old one only nearly.

    Raises:
        CheckpointError: the networks differ in something else.
    """
    ours, weights = model.denoiser.state_dict(), source.denoiser.state_dict()
    for name in ("exit.weight", "exit.bias"):
        if name in ours and name in weights and len(ours[name]) == 2 * len(weights[name]):
            weights[name] = torch.cat([weights[name], torch.zeros_like(weights[name])])
    if isinstance(source.denoiser, NAFUNet):
        weights = widened(weights, ours)
    for name, block in model.denoiser.named_modules():
        if isinstance(block, NAFBlock) and f"{name}.scale1" not in weights:
            nn.init.zeros_(block.scale1)
            nn.init.zeros_(block.scale2)
            weights |= {f"{name}.{key}": value for key, value in block.state_dict().items()}
    try:
        model.denoiser.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"--init: another network than the preset's ({error})") from error
    if model.corrector is not None and source.corrector is not None:
        model.corrector.load_state_dict(source.corrector.state_dict())


def widened(weights: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """NAF weights with copies of the channels, in order and over again, while ``like`` has room.

    The layers after copies share what they made of the one channel, every weight in random parts:
    equal parts would have equal gradients, and copies would stay copies (Net2WiderNet, Chen et al.
    2016). With as many of each, the mean and variance over channels are the same, so normalisation
    does not notice.
    """
    generator = torch.Generator().manual_seed(0)
    return {
        name: _widened(weight, like[name].shape, name, generator) if name in like else weight
        for name, weight in weights.items()
    }


def _widened(weight: Tensor, shape: torch.Size, name: str, generator: torch.Generator) -> Tensor:
    if weight.ndim != len(shape) or any(map(operator.gt, weight.shape, shape)):
        return weight  # another layer: loading it says so
    if shape[0] > len(weight):
        halves = 2 if any(f".{layer}." in name for layer in GATED) else 1
        weight = weight.unflatten(0, (halves, -1))
        weight = weight[:, _copies(shape[0] // halves, weight.shape[1])].flatten(0, 1)
    if weight.ndim == 1 or shape[1] == weight.shape[1]:
        return weight
    copies = _copies(shape[1], weight.shape[1])
    if len(weight) == 1:  # a factor per channel
        return weight[:, copies]
    size = (len(weight), shape[1], *weight.shape[2:])
    parts = torch.rand(size, generator=generator, dtype=weight.dtype)
    whole = torch.zeros_like(weight).index_add(1, copies, parts)
    return parts / whole[:, copies] * weight[:, copies]


def _copies(new: int, old: int) -> Tensor:
    """The old channel of each new one."""
    return torch.arange(new) % old
