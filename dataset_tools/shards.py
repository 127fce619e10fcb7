"""Second pass: pairs, a shard at a time, each shard finished by a marker.

A shard belongs to one split and holds the pairs of up to PHOTOS_PER_SHARD photos. Its marker is
written last and carries the digest of everything that decides its bytes: a build that was killed
redoes only shards without a fitting marker.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dataset_tools.facts import Facts
from dataset_tools.files import write_atomic, write_lines
from dataset_tools.formats import WRITERS, Shard, metadata
from dataset_tools.landmarks import Landmarks
from dataset_tools.photos import Photo, PhotoError, decode_picture, read_bytes
from dataset_tools.recipe import Recipe
from dataset_tools.render import pair_seed, render
from dataset_tools.rows import make_row
from dataset_tools.survey import load_landmarks

PHOTOS_PER_SHARD = 32
STATE = ".faceshadow"


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
    """One shard to write under ``out``."""

    out: Path
    shard: Shard
    sources: tuple[Source, ...]
    plan: PairPlan

    @property
    def digest(self) -> str:
        """Hash of everything that decides the shard's bytes."""
        sources = [[s.photo.key, s.facts.sha256, s.photo.licence] for s in self.sources]
        text = json.dumps([asdict(self.plan), asdict(self.shard), sources], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class ShardResult:
    """Pairs written, files relative to the dataset, and photos that failed, with reasons."""

    name: str
    pairs: int
    files: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]


def shard_jobs(out: Path, dealt: dict[str, list[Source]], plan: PairPlan) -> list[ShardJob]:
    """Split -> sources, cut into shards. Neighbours share bucket files, so few are opened."""
    jobs = []
    for split, sources in dealt.items():
        ordered = sorted(sources, key=lambda s: (s.bucket.name, s.photo.key))
        cuts = range(0, len(ordered), PHOTOS_PER_SHARD)
        for number, start in enumerate(cuts):
            part = tuple(ordered[start : start + PHOTOS_PER_SHARD])
            jobs.append(ShardJob(out, Shard(split, number, len(cuts)), part, plan))
    return jobs


def rows_path(out: Path, shard: Shard) -> Path:
    """The shard's rows without pictures, one JSON a line."""
    return out / STATE / "rows" / f"{shard.name}.jsonl"


def marker_path(out: Path, name: str) -> Path:
    return out / STATE / "done" / f"{name}.json"


def finished(job: ShardJob) -> ShardResult | None:
    """The result on record if this very shard was completed before and its files are there."""
    marker = marker_path(job.out, job.shard.name)
    if not marker.is_file():
        return None
    record = json.loads(marker.read_text())
    whole = all((job.out / name).is_file() for name in record["files"])
    if record["digest"] != job.digest or not whole:
        return None
    return _result(job.shard.name, record)


def _result(name: str, record: dict[str, Any]) -> ShardResult:
    failed = tuple((key, reason) for key, reason in record["failed"])
    return ShardResult(name, record["pairs"], tuple(record["files"]), failed)


def build_shard(job: ShardJob) -> ShardResult:
    """Render and write one shard, then its rows, then its marker."""
    rows: list[dict[str, Any]] = []
    failed: list[tuple[str, str]] = []
    for source, face in _faces(job.sources):
        try:
            rows.extend(pairs_of(source, face, job.plan))
        except PhotoError as error:
            failed.append((source.photo.key, str(error)))
    files = WRITERS[job.plan.layout](job.out, job.shard, rows) if rows else []
    lines = (json.dumps(metadata(row), ensure_ascii=False) for row in rows)
    write_lines(rows_path(job.out, job.shard), lines)
    record = {"digest": job.digest, "pairs": len(rows), "files": files, "failed": failed}
    write_atomic(marker_path(job.out, job.shard.name), json.dumps(record).encode())
    return _result(job.shard.name, record)


def _faces(sources: tuple[Source, ...]) -> Iterator[tuple[Source, Landmarks]]:
    keys: dict[Path, list[str]] = {}
    for source in sources:
        keys.setdefault(source.bucket, []).append(source.photo.key)
    known: dict[str, Landmarks] = {}
    for bucket, wanted in keys.items():
        known |= load_landmarks(bucket, wanted)
    for source in sources:
        yield source, known[source.photo.key]


def pairs_of(source: Source, face: Landmarks, plan: PairPlan) -> Iterator[dict[str, Any]]:
    """All rows of one photo."""
    data = read_bytes(source.photo.path)
    if hashlib.sha256(data).hexdigest() != source.facts.sha256:
        raise PhotoError(f"{source.photo.path}: changed while the build ran; run it again")
    picture = decode_picture(data, str(source.photo.path))
    for index in range(plan.pairs_per_photo):
        yield pair_row(source, picture, face, plan, index)


def pair_row(
    source: Source, picture: np.ndarray, face: Landmarks, plan: PairPlan, index: int
) -> dict[str, Any]:
    """Row ``index`` of a decoded photo."""
    seed = pair_seed(plan.seed, source.photo.key, index)
    pair = render(picture, face, seed, plan.recipe, plan.size)
    provenance = {"index": index, "seed": plan.seed, "size": plan.size, "recipe": plan.recipe.name}
    return make_row(source.photo, source.facts, pair, provenance)
