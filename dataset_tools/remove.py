"""Purging a person or a photo from every shard, split, cache and record of a dataset."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from dataset_tools import card, ledger
from dataset_tools.files import write_atomic, write_lines
from dataset_tools.formats import WRITERS, Shard, read_pictures
from dataset_tools.shards import STATE, marker_path, rows_path
from dataset_tools.survey import forget


def remove(out: Path, name: str) -> int:
    """Purge what ``name`` (identity, photo key or pair id) stands for; pairs removed.

    A pair id stands for its whole photo. A hash of the name stays in removed.txt, so that building
    again does not bring the person back.
    """
    plan = ledger.read_plan(out)
    photos = _photos_of(out, name)
    if not photos:
        raise ledger.DatasetError(f"{out}: nothing here is called {name!r}; see `faceshadow stats`")
    count = sum(_purge(out, plan, shard, photos) for shard in ledger.shards(out))
    known = ledger.removed(out).hashes
    marks = {ledger.tombstone(n) for n in {name, *photos}}
    write_lines(out / "removed.txt", sorted(known | marks))
    forget(out / STATE / "landmarks", photos)
    _clean_report(out, photos)
    ledger.write_tables(out, plan["layout"])
    card.write_card(out)
    return count


def _photos_of(out: Path, name: str) -> set[str]:
    return {
        row["photo"]
        for row in ledger.rows(out)
        if name in (row["identity"], row["photo"], row["id"])
    }


def _purge(out: Path, plan: dict[str, Any], shard: Shard, photos: set[str]) -> int:
    """Rewrite one shard without the photos; the pairs that left it."""
    rows = list(ledger.shard_rows(out, shard))
    kept = [row for row in rows if row["photo"] not in photos]
    if len(kept) == len(rows):
        return 0
    stored = read_pictures(out, plan["layout"], shard, {row["id"] for row in kept})
    marker = marker_path(out, shard.name)
    old = json.loads(marker.read_text())["files"] if marker.is_file() else []
    full = [row | stored[row["id"]] for row in kept]
    files = WRITERS[plan["layout"]](out, shard, full) if full else []
    for name in set(old) - set(files):
        (out / name).unlink(missing_ok=True)
    write_lines(rows_path(out, shard), (json.dumps(row, ensure_ascii=False) for row in kept))
    _recount(out, shard, kept, files)
    return len(rows) - len(kept)


def _recount(out: Path, shard: Shard, kept: list[dict[str, Any]], files: list[str]) -> None:
    """The shard's new size in faceshadow.json; its marker goes, as its digest no longer fits."""
    plan = ledger.read_plan(out)
    if kept:
        plan["shards"][shard.name] = len(kept)
    else:
        del plan["shards"][shard.name]
    write_atomic(out / ledger.PUBLIC, (json.dumps(plan, indent=1) + "\n").encode())
    record = {"digest": "rewritten by remove", "pairs": len(kept), "files": files, "failed": []}
    write_atomic(marker_path(out, shard.name), json.dumps(record).encode())


def _clean_report(out: Path, photos: set[str]) -> None:
    """Drop the rows of curation.csv; contact sheets may show the person, so they go."""
    folder = out / ledger.REPORT
    for sheet in folder.glob("*.png"):
        sheet.unlink()
    table = folder / "curation.csv"
    if not table.is_file():
        return
    with table.open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.reader(lines) if row and row[0] not in photos]
    write_lines(table, (_csv_line(row) for row in rows))


def _csv_line(row: list[str]) -> str:
    return ",".join(
        f'"{c.replace(chr(34), chr(34) * 2)}"' if set(c) & set(',"\n') else c for c in row
    )
