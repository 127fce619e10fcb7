"""Pictures restored side by side, one thread each.

The network's maps are small: a second core makes one picture less than twice as fast, and can
restore another one instead, while files are read and written.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from threading import Condition, Lock
from typing import TypeVar

import torch

from learnir import strips
from learnir.cores import usable_cores

MOST = 8  # more wait for each other's Python and for the finder of faces
ROOM = 30_000_000  # pixels: two pictures of 12 megapixels, or a larger one alone

Item = TypeVar("Item")
Result = TypeVar("Result")


def default_workers() -> int:
    """One for every core that this process may use, up to ``MOST``."""
    return min(usable_cores(), MOST)


def side_by_side(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Generator[tuple[Item, Callable[[], Result]]]:
    """Every item in order, and what returns its result, or raises what the work raised.

    Each of the workers computes with one thread. Closing the iterator waits for what is under way
    and begins nothing more. One worker, or one item, is worked on when its result is asked for, by
    all threads.
    """
    if min(workers, len(items)) < 2:
        for item in items:
            yield item, partial(work, item)
        return
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(min(workers, len(items)), initializer=_with_one_thread)
    futures: list[Future[Result]] = []
    try:
        futures += (pool.submit(work, item) for item in items)
        for item, future in zip(items, futures, strict=True):
            yield item, future.result
    finally:
        _end(pool, futures)
        torch.set_num_threads(threads)


def _end(pool: ThreadPoolExecutor, futures: Sequence[Future]) -> None:
    """Begins nothing more, and waits for what is under way, also where Ctrl-C is pressed again.

    A thread within PyTorch that outlives the interpreter would abort the process. Not by the pool's
    own waiting: an interrupted ``Thread.join`` takes the thread for ended.
    """
    while True:
        try:
            wait([future for future in futures if not future.cancel()])
            pool.shutdown(wait=False)
            return
        except KeyboardInterrupt:
            continue


def _with_one_thread() -> None:
    torch.set_num_threads(1)
    strips.THREADS.set(1)


class Room:
    """Room in memory for so many pixels at a time; a larger picture is restored alone."""

    def __init__(self, pixels: int = ROOM) -> None:
        self.whole = self.left = pixels
        self._turn, self._changed = Lock(), Condition()

    @contextmanager
    def reserve(self, pixels: int) -> Iterator[None]:
        """Waits until there is room for ``pixels``: first come, first served."""
        pixels = min(pixels, self.whole)
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self.left >= pixels)
            self.left -= pixels
        try:
            yield
        finally:
            with self._changed:
                self.left += pixels
                self._changed.notify_all()
