"""Work on a GPU beside other work, on a stream of its own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def beside(stream: torch.cuda.Stream, work: Callable[[], tuple[Tensor, ...]]) -> Callable:
    """Starts ``work`` on ``stream`` and returns at once.

    Calling what it returns gives the work's tensors to the stream that is then current, which waits
    for them; the host does not.
    """
    with torch.cuda.stream(stream):
        tensors = work()
        done = stream.record_event()

    def taken() -> tuple[Tensor, ...]:
        current = torch.cuda.current_stream()
        current.wait_event(done)
        for tensor in tensors:
            tensor.record_stream(current)
        return tensors

    return taken
