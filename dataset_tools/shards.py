"""Second pass: pairs, a shard at a time, each shard finished by a marker.

A shard belongs to one split and holds the pairs of up to PHOTOS_PER_SHARD photos. Its marker is
written last and carries the digest of everything that decides its bytes, and the hashes of the
bytes: a build that was killed, or whose files were damaged since, redoes only the shards without
a fitting marker.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dataset_tools.facts import Facts
from dataset_tools.files import content_hash, file_hash, read_record, write_lines
from dataset_tools.formats import WRITERS, Shard, metadata
from dataset_tools.landmarker import identify
from dataset_tools.landmarks import Landmarks
from dataset_tools.photos import Photo, PhotoError, decode_picture, read_bytes
from dataset_tools.recipe import Recipe
from dataset_tools.render import pair_seed, render
from dataset_tools.rows import make_row
from dataset_tools.survey import load_landmarks
from learnir.writing import write_atomically

PHOTOS_PER_SHARD = 32
STATE = ".faceshadow"
VERSION = "1.4.0"  # of a dataset's contents: same version and seed, same bytes


@dataclass(frozen=True)
class PairPlan:
    """What decides the bytes of every pair, apart from the photos."""

    pairs_per_photo: int = 1
    size: int = 256
    seed: int = 0
    recipe: Recipe = field(default_factory=Recipe)
    layout: str = "parquet"


@dataclass(frozen=True)
class Source:
    """A kept photo: its facts and the bucket file that holds its landmarks."""

    photo: Photo
    facts: Facts
    bucket: Path


@dataclass(frozen=True)
class ShardJob:
    """One shard to write under ``out``.

    Attributes:
        model: the .task file that found the landmarks; empty = the bundled one.
    """

    out: Path
    shard: Shard
    sources: tuple[Source, ...]
    plan: PairPlan
    model: str = ""

    @property
    def digest(self) -> str:
        """Hash of everything that decides the shard's bytes."""
        sources = [[s.facts.sha256, *_provenance(s.photo)] for s in self.sources]
        found_by = identify(self.model).name
        what = [VERSION, asdict(self.plan), asdict(self.shard), found_by, sources]
        text = json.dumps(what, sort_keys=True)
        return content_hash(text.encode())


def _provenance(photo: Photo) -> list[str]:
    """What a row says of its photo."""
    return [photo.key, photo.identity, photo.source, photo.author, photo.licence]


@dataclass(frozen=True)
class ShardResult:
    """Pairs written, files relative to the dataset, and photos that failed, with reasons."""

    name: str
    pairs: int
    files: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]


def shard_jobs(
    out: Path, dealt: dict[str, list[Source]], plan: PairPlan, model: str = ""
) -> list[ShardJob]:
    """Split -> sources, cut into shards."""
    jobs = []
    for split, sources in dealt.items():
        ordered = sorted(sources, key=bucket_order)
        cuts = range(0, len(ordered), PHOTOS_PER_SHARD)
        for number, start in enumerate(cuts):
            part = tuple(ordered[start : start + PHOTOS_PER_SHARD])
            jobs.append(ShardJob(out, Shard(split, number, len(cuts)), part, plan, model))
    return jobs


def bucket_order(source: Source) -> tuple[str, str]:
    """Sort key by which neighbours share the files that hold their landmarks: few are opened."""
    return source.bucket.name, source.photo.key


def rows_path(out: Path, shard: Shard) -> Path:
    """The shard's rows without pictures, one JSON a line."""
    return out / STATE / "rows" / f"{shard.name}.jsonl"


def marker_path(out: Path, name: str) -> Path:
    return out / STATE / "done" / f"{name}.json"


def finished(job: ShardJob) -> ShardResult | None:
    """The result on record if this very shard was completed before and its bytes are unchanged.

    Markers of older builds carry no hashes: their shards are made again. So are those in which a
    photo failed: what kept it from being read may be fixed.
    """
    record = read_record(marker_path(job.out, job.shard.name))
    if record.get("digest") != job.digest or record.get("failed"):
        return None
    try:
        whole = record.get("hashes") == _hashes(job, record["files"])
    except FileNotFoundError:
        return None
    return _result(job.shard.name, record) if whole else None


def _hashes(job: ShardJob, files: list[str]) -> list[str]:
    """Hashes of the shard's files and, last, of its rows."""
    paths = [*(job.out / name for name in files), rows_path(job.out, job.shard)]
    return [file_hash(path) for path in paths]


def _result(name: str, record: dict[str, Any]) -> ShardResult:
    failed = tuple((key, reason) for key, reason in record["failed"])
    return ShardResult(name, record["pairs"], tuple(record["files"]), failed)


def build_shard(job: ShardJob) -> ShardResult:
    """Render and write one shard, then its rows, then its marker."""
    rows: list[dict[str, Any]] = []
    failed: list[tuple[str, str]] = []
    for source, face in _faces(job):
        try:
            rows.extend(pairs_of(source, face, job.plan))
        except PhotoError as error:
            failed.append((source.photo.key, str(error)))
    files = WRITERS[job.plan.layout](job.out, job.shard, rows) if rows else []
    lines = (json.dumps(metadata(row), ensure_ascii=False) for row in rows)
    write_lines(rows_path(job.out, job.shard), lines)
    record = {"digest": job.digest, "pairs": len(rows), "files": files, "failed": failed}
    record["hashes"] = _hashes(job, files)
    write_atomically(marker_path(job.out, job.shard.name), json.dumps(record).encode())
    return _result(job.shard.name, record)


def _faces(job: ShardJob) -> Iterator[tuple[Source, Landmarks]]:
    facts: dict[Path, list[Facts]] = {}
    for source in job.sources:
        facts.setdefault(source.bucket, []).append(source.facts)
    known: dict[str, Landmarks] = {}
    for bucket, wanted in facts.items():
        known |= load_landmarks(bucket, wanted, job.model)
    for source in job.sources:
        yield source, known[source.photo.key]


def pairs_of(source: Source, face: Landmarks, plan: PairPlan) -> Iterator[dict[str, Any]]:
    """All rows of one photo."""
    picture = picture_of(source)
    for index in range(plan.pairs_per_photo):
        yield pair_row(source, picture, face, plan, index)


def picture_of(source: Source) -> np.ndarray:
    """The decoded photo; PhotoError where it is no longer the one that was surveyed."""
    data = read_bytes(source.photo.path)
    if content_hash(data) != source.facts.sha256:
        raise PhotoError(f"{source.photo.path}: changed meanwhile; run the same command again")
    return decode_picture(data, str(source.photo.path))


def pair_row(
    source: Source, picture: np.ndarray, face: Landmarks, plan: PairPlan, index: int
) -> dict[str, Any]:
    """Row ``index`` of a decoded photo."""
    seed = pair_seed(plan.seed, source.photo.key, index)
    pair = render(picture, face, seed, plan.recipe, plan.size)
    provenance = {"index": index, "seed": plan.seed, "size": plan.size, "recipe": plan.recipe.name}
    return make_row(source.photo, source.facts, pair, provenance)
