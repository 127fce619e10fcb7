"""Is a data set what it is said to be: every pair, the known bytes, the published do-nothing row.

``known_files.csv`` holds the SHA-256 of files as the releases (or the parts of them at hand) have
them; hashes only, no data.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from benchmarks.names import BenchmarkError
from benchmarks.pairs import Collection, decoded, load, manifest, manifest_hash, open_collection
from benchmarks.protocols import protocol_named
from benchmarks.scoring import Judge, as_seen
from benchmarks.summary import capped

KNOWN = Path(__file__).with_name("known_files.csv")
AGREES = 0.01  # of a published score: kernels that call themselves bicubic differ by about as much


@dataclass(frozen=True)
class Report:
    """What the check of a data set has found.

    Attributes:
        notes: what a reader of scores must know.
        problems: what must be put right.
    """

    name: str
    summary: str
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def verify(name: str, root: str | Path | None = None, scores: bool = False) -> Report:
    """Reads every picture of a data set's test split; never raises for data that are wrong.

    scores: the do-nothing row is computed too and held against the published one.
    """
    try:
        found = open_collection(name, root)
        for source in found.sources:
            load(found, source)
    except (BenchmarkError, OSError) as error:
        return Report(name, "not usable", problems=(str(error),))
    files = manifest(found)
    known = known_files(found.entry.name)
    changed = sorted(key for key, digest in files.items() if known.get(key, digest) != digest)
    problems = [f"{key}: not the known file; get it anew: {found.entry.where}" for key in changed]
    problems += [f"{key}: has no partner" for key in found.unpaired]
    recognised = sum(known.get(key) == digest for key, digest in files.items())
    notes = [*_notes(found), *(_published_row(found) if scores else ())]
    return Report(name, _summary(found, files, recognised), tuple(notes), tuple(problems))


@cache
def known_files(dataset: str) -> dict[str, str]:
    """SHA-256 by key and role (``9-1/input``); empty where none is recorded."""
    with KNOWN.open(encoding="utf-8", newline="") as file:
        return {r["file"]: r["sha256"] for r in csv.DictReader(file) if r["dataset"] == dataset}


def _summary(found: Collection, files: dict[str, str], recognised: int) -> str:
    expected = found.entry.expected(found.split)
    whole = "" if expected is None else f" of {expected}"
    return (
        f"{len(found.sources)}{whole} pairs, {recognised} of {len(files)} files with a known hash, "
        f"manifest {manifest_hash(files)[:16]}"
    )


def _notes(found: Collection) -> Iterator[str]:
    entry = found.entry
    if found.complete is False:
        yield f"a part only; the whole: {entry.where}"
    if found.reduced:
        yield (
            f"a reduced copy: the release's pictures are at least {entry.least_side} pixels wide "
            f"and high; scores are not those of the release ({entry.where})"
        )
    if entry.traps:
        yield entry.traps


def _published_row(found: Collection) -> Iterator[str]:
    for metric, protocol, published in found.entry.input_row:
        here = do_nothing_row(found, protocol).get(metric)
        if here is None:
            yield f"{metric} of the inputs: needs masks; published {published} ({protocol})"
            continue
        close = abs(here - published) <= AGREES * published
        word = "agrees" if close else "differs" if found.complete else "differs, as a part may"
        yield f"{metric} of the inputs: {here:.3f}, published {published} ({protocol}): {word}"


def do_nothing_row(found: Collection, protocol_id: str) -> dict[str, float]:
    """Mean scores of the untouched inputs under a protocol, without LPIPS."""
    import pandas as pd

    protocol = protocol_named(protocol_id)
    metrics = tuple(name for name in protocol.metrics if not name.startswith("lpips_"))
    judge = Judge(replace(protocol, metrics=metrics))
    seen = (as_seen(pair, protocol) for pair in decoded(found))
    rows = [scores for pair in seen for scores in judge.score([pair.input], [pair])]
    return {str(name): float(mean) for name, mean in capped(pd.DataFrame(rows)).mean().items()}
