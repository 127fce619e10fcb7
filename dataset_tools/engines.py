"""Where jobs run: this machine's processes, Daft embedded, or Daft on a Ray cluster.

An engine maps a picklable function over jobs and yields results as they come, in any order; what
the jobs write does not depend on where they run.
"""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from learnir.cores import usable_cores

Function = Callable[[Any], Any]


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
    """Spawned processes; in this one where a single worker is asked for."""
    if plan.processes == 1 or len(jobs) < 2:
        yield from map(function, jobs)
        return
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(min(plan.processes, len(jobs))) as pool:
        yield from pool.imap_unordered(function, jobs)


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
    for row in frame.iter_rows():
        result, error = pickle.loads(row["result"])
        if error is not None:
            raise error
        yield result


def _worker(daft: Any, function: Function, processes: int) -> Any:
    """An actor pool whose method unpickles a job, runs it and pickles (result, error): what a job
    raises is raised again where the results are read, as by every engine, not wrapped by Daft."""

    class Worker:
        @daft.method(return_dtype=daft.DataType.binary())
        def run(self, job: bytes) -> bytes:
            try:
                return pickle.dumps((function(pickle.loads(job)), None))
            except Exception as error:
                error.add_note(traceback.format_exc())  # a traceback is lost in pickling
                return pickle.dumps((None, error))

    return daft.cls(Worker, use_process=processes > 1, max_concurrency=processes)()


ENGINES: dict[str, Callable[[EnginePlan, Function, Sequence[Any]], Iterator[Any]]] = {
    "local": _local,
    "daft": _daft,
    "ray": _ray,
}
