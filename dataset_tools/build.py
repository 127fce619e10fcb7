"""faceshadow build: survey -> judge -> split -> render -> describe."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dataset_tools import card, ledger, report
from dataset_tools.curation import (
    Thresholds,
    Verdict,
    copies,
    drop_duplicates,
    is_unknown,
    judge,
    only_unevenly_lit,
)
from dataset_tools.duplicates import duplicate_clusters
from dataset_tools.engines import EnginePlan, run
from dataset_tools.facts import Facts
from dataset_tools.files import clear_parts, csv_bytes
from dataset_tools.hub import PREFIX, fetch
from dataset_tools.landmarker import identify
from dataset_tools.landmarks import MODEL_VARIABLE
from dataset_tools.photos import Photo, PhotoError, find_all
from dataset_tools.removals import Removed, removed_from
from dataset_tools.shards import (
    STATE,
    PairPlan,
    ShardResult,
    Source,
    build_shard,
    finished,
    shard_jobs,
)
from dataset_tools.splits import SPLITS, groups, settle
from dataset_tools.survey import bucket_count, bucket_of, bucket_path, survey, survey_jobs
from learnir.progress import progress
from learnir.writing import write_atomically

ABOUT = ("licence", "source", "identity")  # what the curation table says of a photo's origin


@dataclass(frozen=True)
class BuildPlan:
    """A whole build.

    Attributes:
        photos: folders, globs, manifests and Hub data sets.
        licence: stated for photos that state none.
        model: a face_landmarker.task; empty = LEARNIR_FACE_LANDMARKER, else the bundled one.
        cache: folder of the landmark cache; None = inside ``out``.
        sheets: whether to draw contact sheets.
    """

    photos: tuple[str, ...]
    out: Path
    pairs: PairPlan = field(default_factory=PairPlan)
    limits: Thresholds = field(default_factory=Thresholds)
    engine: EnginePlan = field(default_factory=EnginePlan)
    licence: str = ""
    model: str = ""
    cache: Path | None = None
    sheets: bool = True

    @property
    def landmarks(self) -> Path:
        return self.cache or self.out / STATE / "landmarks"

    @property
    def landmarker(self) -> str:
        """Whole path of the .task file, also where the environment names it; empty = bundled."""
        model = self.model or os.environ.get(MODEL_VARIABLE, "")
        return str(Path(model).resolve()) if model else ""


@dataclass(frozen=True)
class Decision:
    """Verdict of every photo; by split, the kept ones and those that only their light keeps out."""

    verdicts: list[Verdict]
    kept: dict[str, list[Source]]
    uneven: dict[str, list[Source]]


@dataclass
class BuildResult:
    """Pairs per split, photos per verdict, seconds per stage."""

    pairs: dict[str, int] = field(default_factory=dict)
    photos: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def build(plan: BuildPlan) -> BuildResult:
    """Build or finish the dataset in ``plan.out``; running it again changes nothing."""
    ledger.check_empty_or_ours(plan.out, plan.pairs.layout)
    photos = find_photos(plan)
    with ledger.locked(plan.out):
        clear_parts(plan.out)
        return _build(plan, photos)


def _build(plan: BuildPlan, photos: list[Photo]) -> BuildResult:
    result = BuildResult()
    with _Timed(result, "survey"):
        facts = survey_photos(plan, photos)
    with _Timed(result, "curate"):
        decision = decide(plan, photos, facts)
        require_pairs(decision.verdicts)
    with _Timed(result, "render"):
        shards = _render(plan, decision.kept)
    with _Timed(result, "describe"):
        verdicts = _with_failures(decision.verdicts, shards)
        _describe(plan, photos, facts, verdicts, shards)
    result.photos = Counter(v.status for v in verdicts)
    result.pairs = {s: sum(r.pairs for r in shards if _split(r) == s) for s in SPLITS}
    return result


class _Timed:
    """Adds the seconds of a ``with`` block to the result."""

    def __init__(self, result: BuildResult, name: str) -> None:
        self._result, self._name = result, name

    def __enter__(self) -> None:
        self._start = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._result.seconds[self._name] = round(time.monotonic() - self._start, 2)


def find_photos(plan: BuildPlan) -> list[Photo]:
    """The photos that the plan names, without those that were removed; PhotoError if none is
    left."""
    removed = removed_from(plan.out)
    found = [p for p in find_all(_places(plan, removed)) if not removed.holds(p)]
    if not found:
        raise PhotoError(f"{plan.out}: every photo given was removed from it; give other photos")
    if not plan.licence:
        return found
    return [replace(p, licence=plan.licence) if is_unknown(p.licence) else p for p in found]


def _places(plan: BuildPlan, removed: Removed) -> list[str]:
    """Where the photos are here: those of the Hub are fetched first."""
    if not any(place.startswith(PREFIX) for place in plan.photos):
        return list(plan.photos)
    hub = plan.out / STATE / "hub"
    with ledger.locked(plan.out):
        return [str(fetch(p, hub, removed)) if p.startswith(PREFIX) else p for p in plan.photos]


def _progress(plan: BuildPlan, function: Callable[[Any], Any], jobs: list, unit: str, size):
    """Results of ``jobs`` with a bar that counts ``size(job result)`` units."""
    with progress(sum(size(job) for job in jobs), unit) as bar:
        for result in run(plan.engine, function, jobs):
            bar.update(len(result) if isinstance(result, list) else result.pairs)
            yield result


def survey_photos(plan: BuildPlan, photos: list[Photo]) -> dict[str, Facts]:
    """Facts of every photo; landmarks go to the cache."""
    jobs = survey_jobs(photos, plan.landmarks, plan.landmarker)
    facts: dict[str, Facts] = {}
    for part in _progress(plan, survey, jobs, "photo", lambda job: len(job.photos)):
        facts |= {fact.key: fact for fact in part}
    return facts


def decide(plan: BuildPlan, photos: list[Photo], facts: dict[str, Facts]) -> Decision:
    """Judge every photo and deal them to the splits."""
    clusters = duplicate_clusters(list(facts.values()))
    verdicts = [judge(photo, facts[photo.key], plan.limits) for photo in photos]
    verdicts = drop_duplicates(verdicts, clusters)
    settled = settle(plan.out, photos, groups(photos, clusters), facts)
    buckets = bucket_count(len(photos))

    def dealt(keys: set[str]) -> dict[str, list[Source]]:
        splits: dict[str, list[Source]] = {split: [] for split in SPLITS}
        for photo in photos:
            if photo.key in keys:
                bucket = bucket_path(plan.landmarks, bucket_of(photo.key, buckets), buckets)
                splits[settled[photo.key]].append(Source(photo, facts[photo.key], bucket))
        return splits

    kept = {v.key for v in verdicts if v.status == "kept"}
    uneven = {p.key for p in photos if only_unevenly_lit(p, facts[p.key], plan.limits)}
    kept_first = [sorted(cluster, key=lambda key: key not in kept) for cluster in clusters]
    uneven -= copies(kept | uneven, kept_first).keys()
    return Decision(verdicts, dealt(kept), dealt(uneven - kept))


def require_pairs(verdicts: list[Verdict]) -> None:
    """PhotoError, with the first reason, when no photo was kept."""
    if any(v.status == "kept" for v in verdicts):
        return
    first = verdicts[0]
    raise PhotoError(
        f"none of {len(verdicts)} photos can be used; the first, {first.key}: {first.reason}"
    )


def _render(plan: BuildPlan, dealt: dict[str, list[Source]]) -> list[ShardResult]:
    jobs = shard_jobs(plan.out, dealt, plan.pairs, plan.landmarker)
    done = [result for job in jobs if (result := finished(job))]
    names = {result.name for result in done}
    missing = [job for job in jobs if job.shard.name not in names]
    count = plan.pairs.pairs_per_photo
    results = _progress(plan, build_shard, missing, "pair", lambda job: len(job.sources) * count)
    return sorted([*done, *results], key=lambda result: result.name)


def _split(result: ShardResult) -> str:
    return result.name.partition("-")[0]


def _with_failures(verdicts: list[Verdict], shards: Iterable[ShardResult]) -> list[Verdict]:
    failed = dict(pair for shard in shards for pair in shard.failed)
    return [
        Verdict(v.key, "dropped", "render", failed[v.key]) if v.key in failed else v
        for v in verdicts
    ]


def _describe(
    plan: BuildPlan,
    photos: list[Photo],
    facts: dict[str, Facts],
    verdicts: list[Verdict],
    shards: list[ShardResult],
) -> None:
    """Tables, card, reports and, last of all, the manifest."""
    ledger.write_plan(plan.out, plan.pairs, shards, identify(plan.landmarker))
    ledger.write_private(plan.out, plan.photos, plan.landmarker, plan.landmarks)
    ledger.sweep(plan.out, plan.pairs.layout, shards)
    by_key = {photo.key: photo for photo in photos}
    table = csv_bytes(_verdict_table(by_key, facts, verdicts))
    write_atomically(ledger.curation_table(plan.out), table)
    report.write_summary(plan.out)
    if plan.sheets:
        report.write_sheets(plan.out, by_key, verdicts)
    card.write_card(plan.out)


def _verdict_table(
    photos: dict[str, Photo], facts: dict[str, Facts], verdicts: list[Verdict]
) -> Iterator[list[Any]]:
    """A head, then a row for every photo that was looked at: verdict, reason, licence, facts."""
    names = [name for name in facts[verdicts[0].key].row() if name not in ("key", "thumb")]
    yield ["photo", "status", "step", "reason", *ABOUT, *names]
    for v in verdicts:
        row, photo = facts[v.key].row(), photos[v.key]
        cells = [round(row[n], 5) if isinstance(row[n], float) else row[n] for n in names]
        about = [getattr(photo, name) for name in ABOUT]
        yield [v.key, v.status, v.step, v.reason, *about, *cells]
