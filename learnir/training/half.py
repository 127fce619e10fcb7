"""Mixed precision with few casts: steps run on a copy whose matrices are in bfloat16.

Autocast makes the same numbers, but casts every weight at each of the five evaluations of a step
and every gradient singly: two thousand kernels that each take longer to start than to run.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from learnir.model import LearnIRModel
from learnir.networks.blocks import ChannelAttention


class HalfCopy:
    """A copy of a model for steps to run on.

    Its matrices are bfloat16; all other parameters are the model's own.
    """

    def __init__(self, model: LearnIRModel) -> None:
        self.model = copy.deepcopy(model)
        modules = list(zip(model.modules(), self.model.modules(), strict=True))
        attention = [made.mix for _, made in modules if isinstance(made, ChannelAttention)]
        self.weights: list[Tensor] = []
        self.halves: list[Tensor] = []
        for module, made in modules:
            if _is_matrix(made) and made not in attention:  # which means over pixels pass
                made.to(torch.bfloat16)
                self.weights += module.parameters(recurse=False)
                self.halves += made.parameters(recurse=False)
            else:
                for name, weight in module.named_parameters(recurse=False):
                    setattr(made, name, weight)

    @torch.no_grad()
    def take_weights(self) -> None:
        """Copies the model's matrices into the copy."""
        torch._foreach_copy_(self.halves, self.weights)

    @torch.no_grad()
    def give_gradients(self) -> None:
        """Moves the copy's gradients to the model, in the model's precision."""
        made, given = [], []
        for weight, half in zip(self.weights, self.halves, strict=True):
            if half.grad is not None:
                weight.grad = torch.empty_like(weight)
                given.append(weight.grad)
                made.append(half.grad)
                half.grad = None
        torch._foreach_copy_(given, made)


def _is_matrix(module: nn.Module) -> bool:
    """Whether a layer runs on matrix units, which a depthwise convolution does not."""
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)
