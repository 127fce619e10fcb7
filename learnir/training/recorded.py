"""Training steps recorded as CUDA graphs: a GPU need not wait for Python between small kernels.

A step's forward and backward passes are a thousand kernels of some microseconds each. Recorded
once for every kind of step, they are started together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from learnir.training.step import Draw

Backward = Callable[[Tensor, Tensor, Draw, str, torch.Generator], Tensor]
"""(y, x, draw, part, generator) -> the step's loss, after adding its gradients."""


@dataclass(frozen=True)
class Recording:
    """A graph, the tensors it reads and those it writes."""

    graph: torch.cuda.CUDAGraph
    y: Tensor
    x: Tensor
    loss: Tensor
    gradients: list[Tensor | None]


class RecordedSteps:
    """``backward``, recorded for every shape of pictures and every draw that it is called with.

    The graphs share their memory: what one leaves is used up before the next one runs.
    """

    def __init__(self, backward: Backward, parameters: Sequence[Tensor]) -> None:
        self.backward, self.parameters = backward, parameters
        self.generator = torch.Generator(parameters[0].device)
        self.pool = torch.cuda.graph_pool_handle()
        self.recordings: dict[tuple[torch.Size, Draw, str], Recording] = {}

    def __call__(self, y: Tensor, x: Tensor, draw: Draw, part: str, seed: int) -> Tensor:
        """The step's loss; the parameters' gradients are its own and no others."""
        kind = (y.shape, draw, part)
        if kind not in self.recordings:
            self.recordings[kind] = self._record(y.clone(), x.clone(), draw, part)
        recording = self.recordings[kind]
        recording.y.copy_(y)
        recording.x.copy_(x)
        self.generator.manual_seed(seed)
        recording.graph.replay()
        for parameter, gradient in zip(self.parameters, recording.gradients, strict=True):
            parameter.grad = gradient
        return recording.loss.clone()

    def _record(self, y: Tensor, x: Tensor, draw: Draw, part: str) -> Recording:
        self._warm_up(y, x, draw, part)
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        with torch.cuda.graph(graph, pool=self.pool):
            loss = self.backward(y, x, draw, part, self.generator)
        return Recording(graph, y, x, loss, self._take_gradients())

    def _warm_up(self, y: Tensor, x: Tensor, draw: Draw, part: str) -> None:
        """Libraries choose their kernels and take their workspaces before anything is recorded."""
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(2):
                self.backward(y, x, draw, part, self.generator)
                self._take_gradients()
        torch.cuda.current_stream().wait_stream(aside)

    def _take_gradients(self) -> list[Tensor | None]:
        gradients = [parameter.grad for parameter in self.parameters]
        for parameter in self.parameters:
            parameter.grad = None
        return gradients
