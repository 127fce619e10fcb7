"""Several processes on one machine's CPU cores, which share the decoded pairs.

A launcher starts every process from nothing, and each decodes all pairs for itself. A fork has
them already: memory is copied only when written to. Two processes of one thread each are faster
than one of two threads, because the network's small layers leave threads waiting for each other.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import cv2
import torch
from torch.multiprocessing import ProcessContext, ProcessRaisedException, start_processes


def one_thread() -> None:
    """From here on PyTorch and OpenCV compute in the calling thread alone."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def in_processes(
    count: int, work: Callable[[], None], expected: tuple[type[BaseException], ...]
) -> None:
    """Runs ``work`` in so many forks of one thread each, the ranks of one distributed group.

    After ``one_thread``: a fork waits for ever for threads that its parent had and it has not.

    Args:
        work: what every rank does; ``Accelerator`` finds the group in the environment.
        expected: exceptions that say all in one line; one of them is raised here as it was there.

    Raises:
        ProcessRaisedException: another exception in a rank, with its traceback.
    """
    if not hasattr(os, "fork"):
        raise ValueError("--processes needs a system that forks, as Linux; use a launcher instead")
    told = get_context("fork").SimpleQueue()
    arguments = (count, _free_port(), work, expected, told)
    ranks = start_processes(_rank, arguments, count, join=False, start_method="fork")
    try:
        with _signals_to(ranks):
            while not ranks.join():
                pass
    except ProcessRaisedException:
        if told.empty():  # else it is one that lost its partner
            raise
    if not told.empty():
        raise told.get()


def _rank(
    rank: int,
    count: int,
    port: int,
    work: Callable[[], None],
    expected: tuple[type[BaseException], ...],
    told: Any,
) -> None:
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": count, "RANK": rank}
    group |= {"LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": count, "OMP_NUM_THREADS": 1}
    os.environ.update({name: str(value) for name, value in group.items()})
    try:
        work()
    except expected as error:
        told.put(error)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _signals_to(ranks: ProcessContext) -> Iterator[None]:
    """Requests to stop go to the ranks, which stop between two steps."""

    def pass_on(number: int, _frame: object) -> None:
        for process in ranks.processes:
            if process.is_alive():
                os.kill(process.pid, number)

    before = {n: signal.signal(n, pass_on) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
