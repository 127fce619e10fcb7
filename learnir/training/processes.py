"""Several processes on one machine's CPU cores, which share the decoded pairs.

A launcher starts every process from nothing, and each decodes all pairs for itself. A fork has
them already: memory is copied only when written to. Two processes of one thread each are faster
than one of two threads, because the network's small layers leave threads waiting for each other.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context
from typing import Any

import cv2
import torch
from torch.multiprocessing import (
    ProcessContext,
    ProcessExitedException,
    ProcessRaisedException,
    start_processes,
)

from learnir.console import INTERRUPTED, Stopped
from learnir.training.stops import stop_signals_call

GRACE = 10.0  # seconds that the other ranks have to end by themselves after one has failed


def one_thread() -> None:
    """From here on PyTorch and OpenCV compute in the calling thread alone."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def in_processes(
    count: int, work: Callable[[], None], expected: tuple[type[BaseException], ...]
) -> None:
    """Runs ``work`` in ``count`` forks of one thread each, the ranks of one distributed group.

    After ``one_thread``: a fork waits for ever for threads that its parent had and it has not.

    Args:
        work: what every rank does; ``Accelerator`` finds the group in the environment.
        expected: exceptions that say all in one line; one of them is raised here as it was there.

    Raises:
        Stopped: a request to stop came where the ranks do not handle it, as while they load.
        ChildProcessError: a rank was ended from outside; one line.
        ProcessRaisedException: another exception in a rank, with its traceback.
    """
    if not hasattr(os, "fork"):
        raise ValueError("--processes needs a system that forks, as Linux; use a launcher instead")
    import_module("torch._dynamo")  # optimizers do, for seconds: once here, not in every rank
    failures = get_context("fork").SimpleQueue()
    arguments = (count, _free_port(), work, expected, failures)
    ranks = start_processes(_rank, arguments, count, join=False, start_method="fork")
    failure: ProcessRaisedException | ProcessExitedException | None = None
    with _passed_on(ranks) as asked:
        try:
            while not ranks.join(grace_period=GRACE):
                pass
        except (ProcessRaisedException, ProcessExitedException) as error:
            failure = error
    if not failures.empty():  # what ``join`` raised is then of a rank that lost its partner
        raise failures.get()
    if failure and asked:
        raise Stopped(asked[0]) from failure
    if isinstance(failure, ProcessExitedException):
        raise ChildProcessError(
            f"one of {count} processes ended with {failure.signal_name or failure.exit_code}, as "
            "where memory runs out; try fewer --processes"
        ) from failure
    if failure:
        raise failure


def _rank(
    rank: int,
    count: int,
    port: int,
    work: Callable[[], None],
    expected: tuple[type[BaseException], ...],
    failures: Any,
) -> None:
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": count, "RANK": rank}
    group |= {"LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": count, "OMP_NUM_THREADS": 1}
    os.environ.update({name: str(value) for name, value in group.items()})
    try:
        work()
    except expected as error:
        failures.put(error)
    except KeyboardInterrupt:  # which PyTorch takes for work that is done
        sys.exit(INTERRUPTED)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _passed_on(ranks: ProcessContext) -> Iterator[list[int]]:
    """Requests to stop go to the ranks, which stop between two steps; and into the list."""
    asked: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        asked.append(number)
        for process in ranks.processes:
            if process.is_alive():
                os.kill(process.pid, number)

    with stop_signals_call(pass_on):
        yield asked
