"""Is a dataset what it says? Hashes of every file, and a sample rendered again from its rows.

Processors with other vector instructions round otherwise, which moves landmarks by a little: there
a picture differs by up to 0.04 on average, of 255, and the sample need only agree to that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from dataset_tools import ledger
from dataset_tools.files import content_hash
from dataset_tools.formats import PICTURES, Shard, decode_png, encode_png
from dataset_tools.hub import PREFIX, fetched
from dataset_tools.landmarker import Landmarker, carries_models, identify
from dataset_tools.landmarks import MODEL_VARIABLE, Landmarks
from dataset_tools.photos import Photo, PhotoError, decode_picture, find_all, read_bytes
from dataset_tools.render import Pair, pair_seed, render
from dataset_tools.shards import STATE, VERSION, PairPlan
from dataset_tools.survey import worker_detector

ROUNDING = 0.25  # mean difference that another processor may make, of 255


@dataclass
class Verification:
    """What ``verify`` has checked, and the problems it found."""

    files: int = 0
    """files hashed"""
    pairs: int = 0
    """pairs rendered again"""
    rounded: int = 0
    """those of them that differ by rounding only"""
    skipped: int = 0
    """pairs not rendered, because the photo or the landmarker is missing"""
    missing: str = ""
    """why there is no landmarker"""
    problems: list[str] = field(default_factory=list)


def verify(
    out: Path, sample: int = 12, seed: int = 0, photos: list[str] | None = None
) -> Verification:
    """Check a built dataset; ``photos`` overrides where the source photos are looked for."""
    found = Verification()
    _check_hashes(out, found)
    if not found.problems:
        _check_counts(out, found)
        _check_splits(out, found)
        _check_pairs(out, found, sample, seed, photos)
    return found


def _check_hashes(out: Path, found: Verification) -> None:
    path = out / ledger.MANIFEST
    if not path.is_file():
        raise ledger.DatasetError(f"{path}: missing; build the dataset again")
    listed = ledger.listed(out)
    for name, digest in listed.items():
        found.files += 1
        if not (out / name).is_file():
            found.problems.append(f"{name}: missing")
        elif ledger.digest(out, name) != digest:
            found.problems.append(f"{name}: changed since it was built")
    present = {file.relative_to(out).as_posix() for file in ledger.published_files(out)}
    found.problems += [f"{name}: not in the manifest" for name in sorted(present - set(listed))]


def _check_splits(out: Path, found: Verification) -> None:
    """No person, author or photograph in two splits."""
    home: dict[tuple[str, str], str] = {}
    for row in ledger.rows(out):
        for column in ("identity", "author", "photo", "photo_sha256"):
            name = row[column]
            if name and home.setdefault((column, name), row["split"]) != row["split"]:
                found.problems.append(f"{name}: in {home[column, name]} and in {row['split']}")


def _check_counts(out: Path, found: Verification) -> None:
    """Every shard has as many rows as faceshadow.json says."""
    counts = ledger.read_plan(out)["shards"]
    for shard in ledger.shards(out):
        rows = sum(1 for _ in ledger.shard_rows(out, shard))
        if rows != counts[shard.name]:
            found.problems.append(f"{shard.name}: {rows} rows, not {counts[shard.name]}")


def _check_pairs(out: Path, found: Verification, sample: int, seed: int, photos) -> None:
    known = {p.key: p for p in source_photos(out, photos)}
    before = len(found.problems)
    for shard, rows in sampled(out, sample, seed):
        try:
            stored = ledger.shard_pictures(out, shard, {row["id"] for row in rows})
        except ledger.DatasetError as error:
            found.problems.append(str(error))
            continue
        for row in rows:
            pair = render_again(out, row, known.get(row["photo"]))
            if pair is None:
                found.skipped += 1
                if row["photo"] in known:
                    found.missing = landmarker_of(out)[1]
                continue
            found.pairs += 1
            off = {name: _off(stored[row["id"]][name], getattr(pair, name)) for name in PICTURES}
            wrong = [name for name in PICTURES if off[name] > ROUNDING]
            found.problems += [f"{row['id']}: {name} renders differently now" for name in wrong]
            found.rounded += not wrong and any(off.values())
    if len(found.problems) > before:
        found.problems += _other_version(out)


def _other_version(out: Path) -> list[str]:
    """A line each where its contents are of another version than is rendered now, and where another
    MediaPipe found the landmarks."""
    plan, lines = ledger.read_plan(out), []
    if plan.get("version") != VERSION:
        lines.append(f"contents {plan.get('version')}, these are {VERSION} now: build it again")
    by = Landmarker.of(plan.get("landmarker"))
    if by is not None and by.mediapipe != version("mediapipe"):
        this = version("mediapipe")
        lines.append(f"made with mediapipe {by.mediapipe}, this is {this}: install the other")
    return lines


def _off(stored: bytes, again: np.ndarray) -> float:
    """Mean difference of a stored picture from the one rendered now, of 255; 0 = the same bytes."""
    if encode_png(again) == stored:
        return 0.0
    kept = decode_png(stored).astype(np.int16)
    return float(np.abs(kept - again).mean()) if kept.shape == again.shape else 255.0


def source_photos(out: Path, places: list[str] | None = None) -> list[Photo]:
    """The photos a dataset was made from, as far as they are still there."""
    named = places or ledger.read_private(out)["photos"]
    try:
        return find_all([local_place(out, place) for place in named])
    except PhotoError:
        if places:
            raise
        return []


def local_place(out: Path, place: str | None) -> str | None:
    """Where the photos of a place lie: those of the Hub were fetched into the working state."""
    if place is None or not place.startswith(PREFIX):
        return place
    return str(fetched(place, out / STATE / "hub"))


def sampled(out: Path, count: int, seed: int) -> Iterator[tuple[Shard, list[dict[str, Any]]]]:
    """Random rows, grouped by shard: reservoir sampling, memory independent of the rows."""
    rng = np.random.default_rng(seed)
    kept: list[tuple[Shard, dict[str, Any]]] = []
    seen = 0
    for shard in ledger.shards(out):
        for row in ledger.shard_rows(out, shard):
            seen += 1
            if len(kept) < count:
                kept.append((shard, row))
            elif (place := int(rng.integers(seen))) < count:
                kept[place] = (shard, row)
    for shard in dict.fromkeys(shard for shard, _ in kept):
        yield shard, [row for s, row in kept if s == shard]


def render_again(out: Path, row: dict[str, Any], photo: Photo | None) -> Pair | None:
    """The pair of a row from its photo; None where the photo is gone or changed."""
    if photo is None:
        return None
    try:
        data = read_bytes(photo.path)
    except PhotoError:
        return None
    if content_hash(data) != row["photo_sha256"]:
        return None
    picture = decode_picture(data, str(photo.path))
    face = _detect(out, picture)
    plan: PairPlan = ledger.pair_plan(ledger.read_plan(out))
    seed = pair_seed(row["seed"], row["photo"], row["index"])
    return render(picture, face, seed, plan.recipe, row["size"]) if face else None


def _detect(out: Path, picture: np.ndarray) -> Landmarks | None:
    model, _ = landmarker_of(out)
    return None if model is None else worker_detector(model).detect(picture)


def landmarker_of(out: Path) -> tuple[str | None, str]:
    """The .task file, empty = bundled, that found a dataset's landmarks; None, and why, where it
    is not here. A dataset of an older version does not say: what its build used, or the
    environment names, is taken for it."""
    by = Landmarker.of(ledger.read_plan(out).get("landmarker"))
    given = ledger.read_private(out)["model"]
    if by is None:
        return given, ""
    if not by.task and carries_models():
        return "", ""
    if not by.task:
        return None, f"mediapipe {by.mediapipe} found their landmarks by models of its own"
    for model in (given, os.environ.get(MODEL_VARIABLE, "")):
        if Path(model).is_file() and identify(model).task == by.task:
            return model, ""
    return None, (
        f"another landmarker found their landmarks: set {MODEL_VARIABLE} to the "
        f"face_landmarker.task of SHA-256 {by.task}"
    )
