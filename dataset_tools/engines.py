"""Where jobs run: this machine's processes, Daft embedded, or Daft on a Ray cluster.

An engine maps a picklable function over jobs and yields results as they come, in any order; what
the jobs write does not depend on where they run.
"""

from __future__ import annotations

import itertools
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from learnir.cores import usable_cores

Function = Callable[[Any], Any]
KILLED = (
    "a worker process was killed, as where memory runs out; run the same command to go on, with "
    "fewer --workers"
)


class EngineError(Exception):
    """An engine that cannot start or stopped early; the message says what to do."""


@dataclass(frozen=True)
class EnginePlan:
    """Where to run jobs.

    Attributes:
        name: "local", "daft" or "ray".
        workers: processes; 0 is one per core.
        address: of the Ray cluster; empty starts one here.
    """

    name: str = "daft"
    workers: int = 0
    address: str = ""

    @property
    def processes(self) -> int:
        return self.workers or usable_cores()


def run(plan: EnginePlan, function: Function, jobs: Sequence[Any]) -> Iterator[Any]:
    """Results of ``function`` over ``jobs`` as they are ready; EngineError unless all come."""
    if plan.name not in ENGINES:
        raise EngineError(f"no engine called {plan.name!r}; choose from {', '.join(ENGINES)}")
    return _all(ENGINES[plan.name](plan, function, jobs), len(jobs))


def _all(results: Iterator[Any], jobs: int) -> Iterator[Any]:
    """The results, counted: Daft takes an interrupt for itself and ends as if it were done."""
    done = 0
    for result in results:
        yield result
        done += 1
    if done < jobs:
        raise EngineError(f"stopped after {done} of {jobs} jobs; run the same command to go on")


def _local(plan: EnginePlan, function: Function, jobs: Sequence[Any]) -> Iterator[Any]:
    """Spawned processes; in this one where a single worker is asked for.

    Not a ``multiprocessing.Pool``, which waits for ever for the job of a worker that was killed.
    """
    if plan.processes == 1 or len(jobs) < 2:
        yield from map(function, jobs)
        return
    import multiprocessing
    from multiprocessing.connection import wait

    spawn, waiting, workers = multiprocessing.get_context("spawn"), iter(jobs), {}
    try:
        for job in itertools.islice(waiting, plan.processes):
            ours, theirs = spawn.Pipe()
            workers[ours] = spawn.Process(target=_serve, args=(function, theirs), daemon=True)
            workers[ours].start()
            theirs.close()
            _give(ours, job)
        for _ in jobs:
            worker: Any = wait(workers)[0]
            yield _result_of(_answer_of(worker))
            for job in itertools.islice(waiting, 1):
                _give(worker, job)
    finally:
        for process in workers.values():
            process.terminate()


def _serve(function: Function, jobs: Any) -> None:
    """A worker of ``_local``: answers jobs until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches it too; the command answers
    with suppress(EOFError, ConnectionError):
        while True:
            jobs.send(_answer(function, jobs.recv()))


def _give(worker: Any, job: Any) -> None:
    with suppress(ConnectionError):  # that it was killed shows when its answer is due
        worker.send(job)


def _answer_of(worker: Any) -> tuple[Any, Exception | None]:
    try:
        answer: tuple[Any, Exception | None] = worker.recv()
    except (EOFError, ConnectionError) as error:
        raise EngineError(KILLED) from error
    return answer


def _answer(function: Function, job: Any) -> tuple[Any, Exception | None]:
    """What ``function`` returns for a job, or what it raises, to be pickled."""
    try:
        return function(job), None
    except Exception as error:
        error.add_note(traceback.format_exc())  # a traceback is lost in pickling
        return None, error


def _result_of(answer: tuple[Any, Exception | None]) -> Any:
    """The result in an ``_answer``; what the job raised is raised here."""
    result, error = answer
    if error is not None:
        raise error
    return result


def _daft(plan: EnginePlan, function: Function, jobs: Sequence[Any]) -> Iterator[Any]:
    """Daft's embedded runner: one process a core, one job at a time each."""
    os.environ.setdefault("DAFT_ANALYTICS_ENABLED", "0")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("DAFT_PROGRESS_BAR", "0")
    import daft

    yield from _through_daft(daft, plan, function, jobs)


def _ray(plan: EnginePlan, function: Function, jobs: Sequence[Any]) -> Iterator[Any]:
    """The same data frame on a Ray cluster at ``address``, or on one started here."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray  # noqa: F401
    except ImportError as error:
        raise EngineError(
            "--engine ray needs Ray; in the repository run: pip install -e '.[cluster]'"
        ) from error
    import daft

    daft.set_runner_ray(address=plan.address or None, noop_if_initialized=True)
    yield from _through_daft(daft, plan, function, jobs)


def _through_daft(
    daft: Any, plan: EnginePlan, function: Function, jobs: Sequence[Any]
) -> Iterator[Any]:
    if not jobs:
        return
    worker = _worker(daft, function, min(plan.processes, len(jobs)))
    frame = daft.from_pydict({"job": [pickle.dumps(job) for job in jobs]}).into_batches(1)
    frame = frame.select(worker.run(daft.col("job")).alias("result"))
    for row in _rows(frame):
        yield _result_of(pickle.loads(row["result"]))


def _rows(frame: Any) -> Iterator[Any]:
    """The rows of a data frame; EngineError where a worker was killed."""
    try:
        yield from frame.iter_rows()
    except (RuntimeError, ConnectionError) as error:
        if isinstance(error, RuntimeError) and "UDF process" not in str(error):
            raise
        raise EngineError(KILLED) from error


def _worker(daft: Any, function: Function, processes: int) -> Any:
    """An actor pool whose method unpickles a job and pickles its answer: what a job raises is
    raised again where the results are read, as by every engine, not wrapped by Daft."""

    class Worker:
        @daft.method(return_dtype=daft.DataType.binary())
        def run(self, job: bytes) -> bytes:
            return pickle.dumps(_answer(function, pickle.loads(job)))

    return daft.cls(Worker, use_process=processes > 1, max_concurrency=processes)()


ENGINES: dict[str, Callable[[EnginePlan, Function, Sequence[Any]], Iterator[Any]]] = {
    "local": _local,
    "daft": _daft,
    "ray": _ray,
}
