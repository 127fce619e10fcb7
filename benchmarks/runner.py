"""``learnir-bench run``: method x data set x protocol -> one result; resumable, several seeds."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.copies import refuse_targets
from benchmarks.datasets import OWN
from benchmarks.faces import FaceJudge
from benchmarks.journal import Journal, Output
from benchmarks.machine import best_device, commit, environment, peak_memory, reset_peak, user
from benchmarks.methods import Method, MethodOptions, checked_result, make_method
from benchmarks.names import BenchmarkError
from benchmarks.pairs import (
    Collection,
    Pair,
    decoded,
    manifest,
    manifest_hash,
    open_collection,
)
from benchmarks.protocols import Protocol, protocol_named
from benchmarks.results import Run, check_folder, readable_runs, store
from benchmarks.scoring import Judge, as_seen
from benchmarks.summary import cost_of, input_row_of, summarise
from benchmarks.validity import card_problems

PIXELS_A_BATCH = 16 * 256 * 256
SIZES = ("parameters", "macs", "macs_size")
"""Fields of a method's card that follow from its name, source and settings, or are measured."""


@dataclass(frozen=True)
class RunPlan:
    """Everything that a run depends on.

    Attributes:
        clean: score the targets, given as inputs.
        limit: score only the first so many pairs.
        faces: whether to score faces; None is the data set's own setting.
        by: who made the results, where that is not the user.
        scene: for a plain folder, the pattern whose first group is the scene.
    """

    method: str
    dataset: str
    out: Path
    protocol: str | None = None
    split: str = "test"
    root: str | None = None
    seeds: tuple[int, ...] = (0,)
    clean: bool = False
    limit: int | None = None
    workers: int = 2
    faces: bool | None = None
    command: str = ""
    by: str | None = None
    scene: str | None = None
    options: MethodOptions = field(default_factory=MethodOptions)


Progress = Callable[[int, int, float], None]  # made, of how many, PSNR of those scored last or NaN
Say = Callable[[str], None]


def _quiet(*_: object) -> None: ...


def run(plan: RunPlan, progress: Progress | None = None, say: Say | None = None) -> Run:
    """Restores and scores every pair, then stores the result in ``plan.out``.

    Results are written down as they come; the same plan started again with the same code goes on
    where it stopped, and one that is finished is returned as it was stored. Methods that are not
    settled start anew each time: rows of what may have been another version are not mixed with
    today's. ``progress`` is called after every result, ``say`` with a line for whatever is left
    out and for another row that has the method's name.
    """
    progress, say = progress or _quiet, say or _quiet
    check_folder(plan.out)
    _check_seeds(plan.seeds)
    plan = replace(plan, by=plan.by or user())
    experiment = _experiment(plan)
    code = commit()  # as it is loaded: it may be edited while this runs
    stored, unreadable = readable_runs(plan.out)
    namesakes = _namesakes(stored, experiment)
    for line in (*_without_partner(experiment.collection), *unreadable, *namesakes):
        say(line)
    key, settled = experiment.key, experiment.method.card.settled
    finished = [r for r in stored if r.facts["provenance"].get("plan") == key]
    if finished and settled:
        _tell_of_other_code(finished[0], code, say)
        return finished[0]
    journal = Journal(plan.out / ".partial" / f"{key}-{code}.jsonl")
    _tell_of_other_journals(journal.path, key, say)
    if not settled:
        journal.clear()
    with FaceJudge() if experiment.faces else nullcontext() as judge_of_faces:
        experiment.judge.faces = judge_of_faces
        for seed in experiment.seeds:
            _run_seed(experiment, seed, journal, progress)
    facts = _facts(plan, experiment)
    facts["provenance"] |= {"commit": code, "plan": key}
    return _finish(plan.out, facts, journal, experiment.judge)


@dataclass(frozen=True)
class Experiment:
    """What is run; the same for every seed.

    Attributes:
        files: one hash of all test files.
        seeds: one for a method that does not draw at random.
        faces: whether faces are scored.
    """

    collection: Collection
    protocol: Protocol
    method: Method
    judge: Judge
    workers: int
    files: str
    seeds: tuple[int, ...]
    faces: bool

    @property
    def key(self) -> str:
        """A hash that two runs share if they are the same one."""
        entry = self.collection.entry
        grouped = [entry.scene] if entry.title == OWN else []
        judged = [self.faces, sorted(self.judge.missing), *grouped]
        card = {k: v for k, v in self.method.card.to_json().items() if k not in SIZES}
        parts = [entry.name, self.collection.split, card, self.protocol.id, self.files]
        plan = json.dumps([*parts, list(self.seeds), judged], sort_keys=True)
        return hashlib.sha256(plan.encode()).hexdigest()[:20]


def _experiment(plan: RunPlan) -> Experiment:
    """The data, method and metrics that a plan names; BenchmarkError where one cannot be had."""
    collection = open_collection(plan.dataset, plan.root, plan.split, plan.clean, plan.scene)
    collection = collection.first(plan.limit)
    protocol = protocol_named(plan.protocol or collection.entry.main_protocol)
    device = best_device(plan.options.device)
    method = make_method(plan.method, replace(plan.options, device=device))
    _check_card(method)
    return Experiment(
        collection,
        protocol,
        method,
        files=manifest_hash(manifest(collection)),
        seeds=plan.seeds if method.card.stochastic else plan.seeds[:1],
        judge=Judge(protocol, device, workers=plan.workers),
        workers=plan.workers,
        faces=collection.entry.faces if plan.faces is None else plan.faces,
    )


def _tell_of_other_code(stored: Run, now: str, say: Say) -> None:
    """Says so where a stored row was made by other code, which is no part of the plan."""
    made = stored.facts["provenance"]["commit"]
    if made != now:
        say(
            f"{stored.id}: stored with the code of {made}, here is {now}; to run it anew, move "
            f"{stored.path} away"
        )


def _tell_of_other_journals(path: Path, key: str, say: Say) -> None:
    """Says which rows of other code are not continued: one result is of one version."""
    for other in sorted(path.parent.glob(f"{key}-*.jsonl")):
        if other != path:
            say(f"{other}: begun with other code and not continued; delete it")


def _check_seeds(seeds: Sequence[int]) -> None:
    if twice := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
        raise BenchmarkError(f"seed {twice[0]} is given twice; give every seed once")


def _check_card(method: Method) -> None:
    """Refuses before the first picture what would be refused after the last one."""
    wrong = card_problems(method.card.to_json())
    if wrong:
        raise BenchmarkError(f"{wrong[0]}; say it with --name, --source or --training-data")


def _without_partner(collection: Collection) -> list[str]:
    alone = collection.unpaired
    if not alone:
        return []
    return [
        f"{collection.entry.name}: left out, without a partner: {len(alone)}, such as {alone[0]}; "
        "learnir-bench verify names them all"
    ]


def _namesakes(stored: list[Run], experiment: Experiment) -> list[str]:
    """Names the newest row that is not of this method but has its name, and so is no longer shown
    on the board."""
    card = experiment.method.card.to_json()
    board = experiment.collection.entry.name, experiment.protocol.id, experiment.files
    hidden = [
        run
        for run in stored
        if run.facts["badge"] == "re-scored"
        and (run.data, run.facts["protocol"]["id"], run.facts["dataset"]["manifest_sha256"])
        == board
        and run.facts["method"]["name"] == card["name"]
        and any(run.facts["method"].get(key) != card[key] for key in ("source", "settings", "mask"))
    ]
    if not hidden:
        return []
    other = max(hidden, key=lambda run: run.facts["provenance"]["at"])
    return [
        f"{other.id}: is called {card['name']} as well, and is not of the same; tables show the "
        "newest row of a name, --name tells them apart"
    ]


def _run_seed(experiment: Experiment, seed: int, journal: Journal, progress: Progress) -> None:
    before = journal.rows()
    total = len(experiment.collection.sources) * len(experiment.seeds)
    done = len(before)
    names = {row["name"] for row in before if row["seed"] == seed}
    pairs = decoded(experiment.collection, experiment.workers, skip=names)
    psnr = math.nan
    for batch in _batches(as_seen(pair, experiment.protocol) for pair in pairs):
        outputs = []
        for pair in batch:
            outputs.append(_output(experiment, pair, seed, journal))
            progress(done + len(outputs), total, psnr)
        rows = _scored(experiment.judge, batch, outputs, seed)
        journal.append(rows)
        done, psnr = done + len(rows), float(np.mean([row["psnr"] for row in rows]))
    progress(done, total, psnr)


def _output(experiment: Experiment, pair: Pair, seed: int, journal: Journal) -> Output:
    """What the method makes of a pair, written down at once so that no stop loses it."""
    output = journal.saved(pair.key, seed)
    if output is None:
        output = timed(experiment.method, pair, seed, experiment.judge.device)
        journal.save(pair.key, seed, output)
    return output


def _scored(
    judge: Judge, batch: list[Pair], outputs: list[Output], seed: int
) -> list[dict[str, Any]]:
    scored = judge.score([output.result for output in outputs], batch)
    return [
        {
            "name": pair.key,
            "scene": pair.scene,
            "seed": seed,
            **scores,
            "seconds": output.seconds,
            "peak_memory_bytes": output.peak_memory,
            "result_sha256": hashlib.sha256(output.result.tobytes()).hexdigest(),
            "width": pair.input.shape[1],
            "height": pair.input.shape[0],
        }
        for pair, scores, output in zip(batch, scored, outputs, strict=True)
    ]


def timed(method: Method, pair: Pair, seed: int, device: str = "cpu") -> Output:
    """The checked result, the seconds it took, and the peak memory meanwhile.

    The method gets copies, which it may write into, and its result is copied, as it may use that
    array again for the next picture. Copying counts towards neither time nor memory.
    """
    given = _copied(pair)
    reset_peak(device)
    start = time.perf_counter()
    result = method.restore(given, seed)
    seconds = time.perf_counter() - start
    peak = peak_memory(device)
    return Output(
        checked_result(result, pair, method.card.name).copy(),
        None if method.card.runs == "before" else seconds,
        peak if method.card.runs == "here" else None,
    )


def _copied(pair: Pair) -> Pair:
    mask = None if pair.mask is None else pair.mask.copy()
    return replace(pair, input=pair.input.copy(), target=pair.target.copy(), mask=mask)


def _batches(pairs: Iterator[Pair]) -> Iterator[list[Pair]]:
    """Lists of about a megapixel, so that memory stays bounded whatever the pictures' size."""
    batch: list[Pair] = []
    for pair in pairs:
        batch.append(pair)
        if sum(p.input.shape[0] * p.input.shape[1] for p in batch) >= PIXELS_A_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _facts(plan: RunPlan, experiment: Experiment) -> dict[str, Any]:
    found = experiment.collection
    return {
        "badge": "re-scored",
        "method": experiment.method.card.to_json(),
        "dataset": {
            "name": found.entry.name,
            "title": found.entry.title,
            "split": found.split,
            "pairs": len(found.sources),
            "expected": found.whole,
            "revision": found.entry.revision,
            "reduced": found.reduced,
            "clean": plan.clean,
            **({"scene": found.entry.scene} if found.entry.title == OWN else {}),
            "manifest_sha256": experiment.files,
        },
        "protocol": json.loads(json.dumps(experiment.protocol.to_json())),
        "seeds": list(experiment.seeds),
        "environment": environment(experiment.judge.device),
        "provenance": {
            "by": plan.by,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": plan.command,
        },
    }


def _finish(out: Path, facts: dict[str, Any], journal: Journal, judge: Judge) -> Run:
    import pandas as pd

    made = {(row["name"], row["seed"]): row for row in journal.rows()}
    expected = facts["dataset"]["pairs"] * len(facts["seeds"])
    if len(made) != expected:
        raise BenchmarkError(
            f"{out}: {len(made)} of {expected} rows are left, as another process made the same "
            "run; start it again"
        )
    rows = pd.DataFrame(made.values()).sort_values(["seed", "name"], ignore_index=True)
    rows = rows.astype({"seconds": float, "peak_memory_bytes": float})  # None where not measured
    if facts["method"]["runs"] == "before":
        try:
            refuse_targets(rows, facts["method"]["name"])
        except BenchmarkError:
            journal.clear()
            raise
    facts["scores"] = summarise(rows)
    facts["missing"] = judge.unscored(facts["scores"])
    facts["input_row"] = input_row_of(rows)
    sizes = {k: facts["method"][k] for k in SIZES}
    facts["cost"] = {**sizes, **cost_of(rows)}
    stored = store(out, facts, rows)
    journal.clear()
    return stored
