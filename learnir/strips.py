"""Large pictures strip by strip: bounded memory, one thread per core, or the caller's alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

STRIP_PIXELS = 200_000
MOST_THREADS = min(os.cpu_count() or 1, 4)
THREADS = ContextVar("THREADS", default=MOST_THREADS)
"""Threads for one picture; 1 where others restore other pictures at the same time."""


def strips(H: int, W: int) -> list[slice]:
    """Slices of rows, of bounded size, that cover H rows."""
    height = max(STRIP_PIXELS // W, 1)
    return [slice(first, min(first + height, H)) for first in range(0, H, height)]


def each_strip(shape: tuple[int, ...], work: Callable[[slice], None]) -> None:
    """``work`` on every strip of a picture (H, W, ...), in threads; raises what it raises."""
    if THREADS.get() == 1:
        for strip in strips(*shape[:2]):
            work(strip)
        return
    with ThreadPoolExecutor(THREADS.get()) as pool:
        for _ in pool.map(work, strips(*shape[:2])):
            pass
