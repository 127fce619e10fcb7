"""Where a dataset's folder mentions a photo: rows, curation table, landmark caches, sources."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dataset_tools import ledger
from dataset_tools.duplicates import duplicate_clusters
from dataset_tools.facts import Facts
from dataset_tools.photos import person
from dataset_tools.shards import STATE
from dataset_tools.survey import cached_facts
from dataset_tools.verify import source_photos


@dataclass(frozen=True)
class Trace:
    """One mention of a photo; empty strings where the place does not say."""

    key: str
    sha256: str = ""
    identity: str = ""
    pair: str = ""

    @property
    def names(self) -> set[str]:
        """What the photo is called; who has no name here is called nothing, not ''."""
        return {name for name in (self.key, self.identity, self.pair) if name.strip()}


def names_of(out: Path, name: str) -> set[str]:
    """Keys and file hashes of the photos that ``name`` (identity, photo key or pair id) stands
    for, and of their duplicates; empty where nothing is called that."""
    hashes: dict[str, str] = {}
    keys: set[str] = set()
    for trace in traces(out):
        if trace.sha256:
            hashes[trace.key] = trace.sha256
        if not trace.names.isdisjoint((name, person(name))):
            keys.add(trace.key)
    for cluster in duplicate_clusters(_own_facts(out, hashes)) if keys else ():
        keys |= set(cluster) if keys & set(cluster) else set()
    return keys | {hashes[key] for key in keys if key in hashes}


def traces(out: Path) -> Iterator[Trace]:
    """Every mention, kept photos and others alike."""
    for row in ledger.rows(out):
        yield Trace(row["photo"], row["photo_sha256"], row["identity"], row["id"])
    for line in curation_lines(out):
        yield Trace(line["photo"], line["sha256"], line.get("identity", ""))
    for photo in source_photos(out):
        yield Trace(photo.key, identity=photo.identity)


def curation_lines(out: Path) -> list[dict[str, str]]:
    """report/curation.csv, one line a photo that was looked at. DatasetError where it was changed
    so that no photo can be found in it."""
    table = ledger.curation_table(out)
    if not table.is_file():
        return []
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:  # as spreadsheets save it
            reader = csv.DictReader(lines)
            if not {"photo", "sha256", "status"} <= set(reader.fieldnames or ()):
                raise ValueError("its first line does not name the columns")
            return list(reader)
    except ValueError as error:
        raise ledger.DatasetError(
            f"{table}: another program changed it ({error}); build the dataset again, which writes "
            "it anew"
        ) from error


def _own_facts(out: Path, hashes: dict[str, str]) -> list[Facts]:
    """Cached facts of this dataset's photos: a cache may be shared with other datasets."""
    known = (fact for cache in caches(out) for fact in cached_facts(cache))
    return list({f.key: f for f in known if hashes.get(f.key) == f.sha256}.values())


def caches(out: Path) -> list[Path]:
    """Folders of all landmark caches that builds of this dataset used."""
    inside = out / STATE / "landmarks"
    return list(dict.fromkeys([inside, *map(Path, ledger.read_private(out)["caches"])]))
