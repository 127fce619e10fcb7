"""Memory that runs out, on the CPU or on the GPU: recognised, and another try at a smaller size.

Importable without torch or OpenCV.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
SMALLEST = 64  # pixels: what the network sees at once is never smaller
NO_MEMORY = (
    *("out of memory", "can't allocate", "alloc_failed", "insufficient memory"),
    "failed to map segment",
)
"""Words of PyTorch, cuBLAS, cuDNN, OpenCV and the loader of libraries where memory has run out."""
MORE_MEMORY = "close other programs, or allow it more (ulimit -v, docker run --memory)"


def with_smaller_sizes(run: Callable[[int], Result], *sizes: int) -> Result:
    """``run`` at the first of ``sizes``; when memory runs out, at the next.

    After the last follow its halves, down to the smallest that is of use.
    """
    import cv2

    size, *others = sizes
    while True:
        try:
            return run(size)
        except (RuntimeError, MemoryError, cv2.error) as error:
            if size <= SMALLEST or not out_of_memory(error):
                raise
        size = others.pop(0) if others else max(size // 2, SMALLEST)
        _release()


def out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory ran out, on the CPU or on the GPU."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in NO_MEMORY)


def _release() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
