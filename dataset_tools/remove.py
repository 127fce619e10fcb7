"""Purging a person or a photo from every shard, split, cache and record of a dataset.

The hashes of what goes are written to removed.txt first; then everything they match is purged. A
run that was killed is finished by the same command, and no rebuild brings the person back. Hashes
are all that is kept of them, in removed.txt and in the memory of the splits.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dataset_tools import card, ledger, removals, report
from dataset_tools.files import csv_bytes, read_record, write_lines
from dataset_tools.formats import WRITERS, Shard, shard_files
from dataset_tools.photos import from_manifest, person, place_name
from dataset_tools.removals import Removed
from dataset_tools.shards import STATE, marker_path, rows_path
from dataset_tools.survey import cached_facts, forget
from dataset_tools.traces import caches, curation_lines, names_of
from dataset_tools.verify import local_place, source_photos
from learnir.writing import write_atomically


def remove(out: Path, name: str) -> int:
    """Purge what ``name`` (identity, photo key or pair id) stands for; pairs removed.

    A pair id stands for its whole photo. Photos that wait for review or were dropped go as well,
    and so do other copies of the same photograph. DatasetError where nothing is called ``name``.
    """
    if not name.strip():  # as "$UNSET" is in a shell
        raise ledger.DatasetError(f"{out}: nobody named; give an identity, a photo or a pair id")
    layout = ledger.read_plan(out)["layout"]
    with ledger.locked(out):
        return _remove(out, name, layout)


def _remove(out: Path, name: str, layout: str) -> int:
    names = names_of(out, name)
    if not names and not removals.removed_from(out).has(name, person(name)):
        table = ledger.curation_table(out)
        where = f"see columns 'photo' and 'identity' of {table if table.is_file() else 'its rows'}"
        raise ledger.DatasetError(f"{out}: nothing here is called {name!r}; {where}")
    gone = removals.add(out, {name, person(name), *names})
    ledger.restore_rows(out)
    count = sum(_purge(out, layout, shard, gone) for shard in ledger.shards(out))
    _clean_state(out, gone)
    _clean_report(out, gone)
    _clean_places(out, gone)
    ledger.write_tables(out, layout)
    card.write_card(out)
    return count


def _purge(out: Path, layout: str, shard: Shard, gone: Removed) -> int:
    """Rewrite one shard without the photos; the pairs that left it.

    Its rows are written last: until then a second run finds what is still to do.
    """
    rows = list(ledger.shard_rows(out, shard))
    kept = [row for row in rows if not _held(gone, row)]
    if len(kept) == len(rows):
        return 0
    stored = ledger.shard_pictures(out, shard, {row["id"] for row in kept})
    full = [row | stored[row["id"]] for row in kept]
    files = WRITERS[layout](out, shard, full) if full else []
    for name in set(shard_files(layout, shard, [row["id"] for row in rows])) - set(files):
        (out / name).unlink(missing_ok=True)
    _recount(out, shard, len(kept))
    lines = (json.dumps(row, ensure_ascii=False) for row in kept)
    write_lines(rows_path(out, shard), lines)
    return len(rows) - len(kept)


def _held(gone: Removed, row: dict[str, Any]) -> bool:
    return gone.has(row["photo"], row["identity"], row["photo_sha256"])


def _recount(out: Path, shard: Shard, pairs: int) -> None:
    """The shard's new size in faceshadow.json; its marker goes, as its hashes no longer fit."""
    marker_path(out, shard.name).unlink(missing_ok=True)
    plan = ledger.read_plan(out)
    plan["shards"] = {k: v for k, v in plan["shards"].items() if pairs or k != shard.name}
    if pairs:
        plan["shards"][shard.name] = pairs
    ledger.write_public(out, plan)


def _clean_state(out: Path, gone: Removed) -> None:
    """What was seen of the photos, markers that name them, rows of no shard."""
    _clean_sources(out, gone, caches(out))
    for marker in (out / STATE / "done").glob("*.json"):
        if any(gone.has(key) for key, _ in read_record(marker).get("failed", [])):
            marker.unlink()
    names = {shard.name for shard in ledger.shards(out)}
    for path in (out / STATE / "rows").glob("*.jsonl"):
        if path.stem not in names:
            path.unlink()


def leave_out(out: Path, cache: Path) -> None:
    """Purge what removed.txt lists from an archive's working state and landmark cache, where an
    earlier archive of that name may have left it."""
    gone = removals.removed_from(out)
    if gone.hashes:
        _clean_sources(out, gone, [*caches(out), cache])


def _clean_sources(out: Path, gone: Removed, caches: Iterable[Path]) -> None:
    """Landmarks, and pictures fetched from the Hub."""
    for cache in caches:
        forget(cache, {fact.key for fact in cached_facts(cache) if gone.has(fact.key, fact.sha256)})
    for manifest in (out / STATE / "hub").rglob("manifest.csv"):
        _clean_hub(manifest, gone)


def _clean_hub(manifest: Path, gone: Removed) -> None:
    """Delete fetched pictures, and their lines: a picture of the Hub has a number for a key, so
    its file and its person tell whose it is."""
    held = [
        photo
        for photo in from_manifest(manifest)
        if gone.has(photo.identity, removals.photo_digest(photo.path))
    ]
    if not held:
        return
    paths = {photo.path for photo in held}
    for path in paths:  # first: without its line nothing tells a second run whose a picture is
        path.unlink(missing_ok=True)
    with manifest.open(newline="", encoding="utf-8") as lines:
        head, *rest = csv.reader(lines)
    kept = [row for row in rest if manifest.parent / row[0] not in paths]
    write_atomically(manifest, csv_bytes([head, *kept]))


def _clean_report(out: Path, gone: Removed) -> None:
    """Drop the rows of curation.csv and count the rest; contact sheets may show the person, so they
    go."""
    for sheet in (out / ledger.REPORT).glob("*.png"):
        sheet.unlink()
    lines = curation_lines(out)
    if lines:
        kept = [line for line in lines if not gone.has(*_names(line))]
        rows = [list(line.values()) for line in kept]
        write_atomically(ledger.curation_table(out), csv_bytes([list(lines[0]), *rows]))
        report.write_summary(out)


def _clean_places(out: Path, gone: Removed) -> None:
    """Forget places that hold nobody else: a folder or a file may be named after a person."""
    keys = {row["photo"] for row in ledger.rows(out)} | {x["photo"] for x in curation_lines(out)}
    there = source_photos(out)
    keys |= {photo.key for photo in there if not gone.has(photo.key, photo.identity)}
    several = len(ledger.read_private(out)["photos"]) > 1

    def kept(place: str) -> bool:
        start = f"{place_name(local_place(out, place) or '')}/" if several else ""
        return any(key.startswith(start) for key in keys)

    ledger.forget_places(out, kept)


def _names(line: dict[str, str]) -> tuple[str, str, str]:
    return line["photo"], line["sha256"], line.get("identity", "")
