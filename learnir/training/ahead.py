"""Work on a GPU beside other work, on a stream of its own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def start_on(stream: torch.cuda.Stream, work: Callable[[], tuple[Tensor, ...]]) -> Callable:
    """Starts ``work`` on ``stream``; returns at once a function that gives the work's tensors.

    The stream that is current when it is called waits for them; the host does not.
    """
    with torch.cuda.stream(stream):
        tensors = work()
        done = stream.record_event()

    def result() -> tuple[Tensor, ...]:
        current = torch.cuda.current_stream()
        current.wait_event(done)
        for tensor in tensors:
            tensor.record_stream(current)
        return tensors

    return result
