"""First pass: landmarks and facts of every photo, kept in parquet so that a rebuild need not look.

Photos are dealt into buckets by the hash of their key; a bucket is one parquet file. A row belongs
to a key, the source file's SHA-256 and a landmarker, by version and hash: several builds may share
a cache, also at the same time, though their photos be called alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from filelock import FileLock

from dataset_tools.facts import Facts, measure
from dataset_tools.files import content_hash, filled
from dataset_tools.landmarker import identify
from dataset_tools.landmarks import Detector, Landmarks, open_detector
from dataset_tools.photos import Photo, PhotoError, decode_picture, read_bytes
from learnir.writing import replacing

PHOTOS_PER_BUCKET = 64
FACT_NAMES = tuple(f.name for f in fields(Facts))
Name = tuple[str, str, str]  # of a row: the photo's key, its SHA-256, the landmarker's name


@dataclass(frozen=True)
class SurveyJob:
    """One bucket: its photos, the parquet file, and the .task file of the detector, if any."""

    photos: tuple[Photo, ...]
    path: Path
    model: str = ""


def bucket_count(photos: int) -> int:
    """The power of two that leaves at most 64 photos a bucket on average."""
    return 1 << max(0, (max(1, photos) - 1) // PHOTOS_PER_BUCKET).bit_length()


def bucket_of(key: str, buckets: int) -> int:
    """Bucket of a photo; halving ``buckets`` merges bucket i and i + buckets / 2."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest(), "big") % buckets


def bucket_path(cache: Path, bucket: int, buckets: int) -> Path:
    return cache / f"{buckets:06d}" / f"{bucket:06d}.parquet"


def survey_jobs(photos: Iterable[Photo], cache: Path, model: str = "") -> list[SurveyJob]:
    """One job a bucket."""
    photos = list(photos)
    buckets = bucket_count(len(photos))
    dealt: dict[int, list[Photo]] = {}
    for photo in photos:
        dealt.setdefault(bucket_of(photo.key, buckets), []).append(photo)
    return [
        SurveyJob(tuple(dealt[b]), bucket_path(cache, b, buckets), model) for b in sorted(dealt)
    ]


_detectors: dict[str, Detector] = {}


def worker_detector(model: str) -> Detector:
    """One detector a process and landmarker, made at first use and kept until the process ends."""
    name = identify(model).name
    if name not in _detectors:
        cv2.setNumThreads(1)
        _detectors[name] = open_detector(model).__enter__()
    return _detectors[name]


def survey(job: SurveyJob) -> list[Facts]:
    """Facts of every photo of the bucket; detects only what the cache does not hold."""
    held = _named(_read_rows(job.path))
    known = held or _named(_coarser_rows(job.path))
    landmarker = identify(job.model).name
    rows = [_row(photo, known, job.model, landmarker) for photo in job.photos]
    if any(held.get(_name(row)) != row for row in rows):
        _add_rows(job.path, rows)
    return [_facts(row) for row in rows]


def _name(row: dict[str, Any]) -> Name:
    return row["key"], row["sha256"], row["model"]


def _named(rows: Iterable[dict[str, Any]]) -> dict[Name, dict[str, Any]]:
    return {_name(row): row for row in rows}


def _row(
    photo: Photo, known: dict[Name, dict[str, Any]], model: str, landmarker: str
) -> dict[str, Any]:
    try:
        data = read_bytes(photo.path)
    except PhotoError as error:
        return _pack(Facts(photo.key, unreadable=str(error)), None, landmarker)
    digest = content_hash(data)
    found = known.get((photo.key, digest, landmarker))
    if found and not found["unreadable"]:  # a decoder may have been installed since
        return found
    try:
        picture = decode_picture(data, str(photo.path))
    except PhotoError as error:
        return _pack(Facts(photo.key, digest, unreadable=str(error)), None, landmarker)
    face = worker_detector(model).detect(picture)
    return _pack(measure(photo.key, digest, picture, face), face, landmarker)


def _pack(facts: Facts, face: Landmarks | None, landmarker: str) -> dict[str, Any]:
    points = face.points.astype("<f4").tobytes() if face else b""
    return asdict(facts) | {"points": points, "matte": _matte_png(face), "model": landmarker}


def _matte_png(face: Landmarks | None) -> bytes:
    return cv2.imencode(".png", face.matte)[1].tobytes() if face else b""


def _facts(row: dict[str, Any]) -> Facts:
    return Facts(**{name: row[name] for name in FACT_NAMES})


def _coarser_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of the bucket that covered this one when there were fewer photos."""
    bucket, buckets = int(path.stem), int(path.parent.name) // 2
    while buckets >= 1:
        candidate = bucket_path(path.parent.parent, bucket % buckets, buckets)
        if rows := _read_rows(candidate):
            return rows
        buckets //= 2
    return []


def _read_rows(path: Path, columns: list[str] | None = None) -> list[dict[str, Any]]:
    """Rows of one file, or some columns of them; none where it is missing or damaged: they can be
    found again."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, columns=columns).to_pylist() if filled(path) else []
    except (pa.ArrowException, OSError, ValueError):  # as the damage is in pages, footer or text
        return []


def _add_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Add to a bucket file what it does not hold; another build may be doing the same."""
    with _locked(path):
        _write_rows(path, list(_named([*_read_rows(path), *rows]).values()))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time rewrites the bucket files beside ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.parent / "lock"):
        yield


def _write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with replacing(path) as handle:
        pq.write_table(pa.Table.from_pylist(rows), handle, compression="zstd")


def load_landmarks(path: Path, facts: Iterable[Facts], model: str = "") -> dict[str, Landmarks]:
    """Photo key -> landmarks, of some photos of one bucket file, as the landmarker of the .task
    file ``model`` saw them, empty = bundled."""
    import pyarrow.parquet as pq

    landmarker = identify(model).name
    wanted = {(fact.key, fact.sha256, landmarker) for fact in facts}
    columns = ["key", "sha256", "model", "points", "matte", "faces"]
    keys = [key for key, _, _ in wanted]
    rows = pq.read_table(path, columns=columns, filters=[("key", "in", keys)]).to_pylist()
    return {row["key"]: _landmarks(row) for row in rows if row["points"] and _name(row) in wanted}


def _landmarks(row: dict[str, Any]) -> Landmarks:
    points = np.frombuffer(row["points"], "<f4").reshape(-1, 3).astype(np.float32)
    matte = cv2.imdecode(np.frombuffer(row["matte"], np.uint8), cv2.IMREAD_GRAYSCALE)
    return Landmarks(points, matte, row["faces"])


def cached_facts(cache: Path) -> Iterator[Facts]:
    """Key, file hash and thumbnail of every photo in a landmark cache."""
    for path in _bucket_files(cache):
        for row in _read_rows(path, ["key", "sha256", "thumb"]):
            yield Facts(row["key"], row["sha256"], thumb=row["thumb"])


def _bucket_files(cache: Path) -> list[Path]:
    return sorted(cache.glob("*/*.parquet"))


def forget(cache: Path, keys: set[str]) -> None:
    """Remove photos from every bucket file, under whatever other key they were looked at too."""
    paths = _bucket_files(cache)
    seen = {row["sha256"] for path in paths for row in _read_rows(path) if row["key"] in keys}
    seen.discard("")  # of files that could not be read
    for path in paths:
        with _locked(path):
            rows = _read_rows(path)
            kept = [r for r in rows if r["key"] not in keys and r["sha256"] not in seen]
            if not kept:
                path.unlink()
            elif len(kept) < len(rows):
                _write_rows(path, kept)
