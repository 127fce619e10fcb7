"""What a dataset's folder records about itself, and reading it back.

``faceshadow.json`` is public: version, recipe, seed, size, layout, shards. ``.faceshadow/`` is
private working state: landmarks, rows, markers, where the photos were; it is never published.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dataset_tools.files import write_atomic, write_lines
from dataset_tools.formats import PICTURES, Shard, imagefolder_line
from dataset_tools.photos import Photo
from dataset_tools.recipe import Recipe
from dataset_tools.shards import STATE, PairPlan, ShardResult, rows_path
from dataset_tools.splits import SPLITS

VERSION = "1.0.0"  # of the dataset's contents: same version and seed, same bytes
REPORT = "report"
PUBLIC, PRIVATE, MANIFEST = "faceshadow.json", "build.json", "MANIFEST.sha256"


class DatasetError(Exception):
    """A folder that is not a usable FaceShadow; the message names it and the remedy."""


def check_empty_or_ours(out: Path, layout: str) -> None:
    """A build goes to a new or empty folder, or to one it wrote itself in the same layout."""
    if not out.exists():
        return
    if not out.is_dir():
        raise DatasetError(f"{out}: is a file; give a folder to build in")
    if (out / PUBLIC).is_file():
        if read_plan(out)["layout"] != layout:
            raise DatasetError(f"{out}: holds another format; build into another folder")
    elif not (out / STATE).is_dir() and any(path.is_file() for path in out.rglob("*")):
        raise DatasetError(f"{out}: not empty and not a FaceShadow; give an empty folder")


def write_plan(
    out: Path, pairs: PairPlan, photos: list[str], model: str, shards: list[ShardResult]
) -> None:
    """faceshadow.json, and privately where the photos are."""
    public = {"name": "FaceShadow", "version": VERSION} | asdict(pairs)
    public["shards"] = {shard.name: shard.pairs for shard in shards if shard.pairs}
    write_atomic(out / PUBLIC, (json.dumps(public, indent=1) + "\n").encode())
    places = [str(Path(p).resolve()) if not p.startswith("hub:") else p for p in photos]
    private = {"photos": places, "model": model}
    write_atomic(out / STATE / PRIVATE, json.dumps(private, indent=1).encode())


def read_plan(out: Path) -> dict[str, Any]:
    """The public record of a built dataset."""
    path = out / PUBLIC
    if not path.is_file():
        raise DatasetError(f"{out}: no {PUBLIC} here; give a folder that faceshadow build wrote")
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise DatasetError(f"{path}: damaged ({error}); build the dataset again") from error


def pair_plan(public: dict[str, Any]) -> PairPlan:
    """The plan that faceshadow.json records."""
    recipe: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in public["recipe"].items()
    }
    names = ("pairs_per_photo", "size", "seed", "layout")
    return PairPlan(**{name: public[name] for name in names}, recipe=Recipe(**recipe))


def read_private(out: Path) -> dict[str, Any]:
    """Where the photos were, if the working state is still there."""
    path = out / STATE / PRIVATE
    return json.loads(path.read_text()) if path.is_file() else {"photos": [], "model": ""}


def shards(out: Path, split: str | None = None) -> list[Shard]:
    """Shards that hold pairs, in order."""
    parsed = []
    for name in read_plan(out)["shards"]:
        place, _, of = name.rpartition("-of-")
        kind, _, number = place.rpartition("-")
        parsed.append(Shard(kind, int(number), int(of)))
    return [s for s in parsed if split in (None, s.split)]


def shard_rows(out: Path, shard: Shard) -> Iterator[dict[str, Any]]:
    """Rows of one shard, without pictures."""
    path = rows_path(out, shard)
    if not path.is_file():
        raise DatasetError(f"{path}: missing; run faceshadow build again to restore it")
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def rows(out: Path, split: str | None = None) -> Iterator[dict[str, Any]]:
    """Every row without pictures, shard by shard, with its split."""
    for shard in shards(out, split):
        for row in shard_rows(out, shard):
            yield row | {"split": shard.split}


def write_tables(out: Path, layout: str) -> None:
    """ImageFolder's metadata.jsonl of every split, from the shards' rows."""
    if layout != "imagefolder":
        return
    for split in SPLITS:
        if shards(out, split):
            lines = (
                imagefolder_line(row) for s in shards(out, split) for row in shard_rows(out, s)
            )
            write_lines(out / split / "metadata.jsonl", lines)


def sweep(out: Path, layout: str, results: Iterable[ShardResult]) -> None:
    """Write the tables and delete pictures and markers that belong to no shard of this build."""
    results = list(results)
    write_tables(out, layout)
    wanted = {name for result in results for name in result.files}
    folders = [out / "data", *(out / split / name for split in SPLITS for name in PICTURES)]
    for folder in folders:
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            if path.relative_to(out).as_posix() not in wanted:
                path.unlink()
    names = {result.name for result in results}
    for path in [*(out / STATE / "rows").glob("*"), *(out / STATE / "done").glob("*")]:
        if path.stem not in names:
            path.unlink()


@dataclass(frozen=True)
class Removed:
    """People and photos purged from a dataset, by hash, so that no rebuild brings them back."""

    hashes: frozenset[str]

    def holds(self, photo: Photo) -> bool:
        names = [photo.key, photo.stem, photo.identity]
        return any(tombstone(name) in self.hashes for name in names if name)


def tombstone(name: str) -> str:
    return hashlib.sha256(f"faceshadow:{name}".encode()).hexdigest()


def removed(out: Path) -> Removed:
    path = out / "removed.txt"
    return Removed(frozenset(path.read_text().split()) if path.is_file() else frozenset())


def published_files(out: Path) -> list[Path]:
    """All but working state, report (it shows dropped people) and manifest, in name order."""
    hidden = {out / STATE, out / REPORT}
    return sorted(
        path
        for path in out.rglob("*")
        if path.is_file() and not hidden & set(path.parents) and path.name != MANIFEST
    )


def content_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_hash(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_manifest(out: Path) -> None:
    """``sha256  path`` of every published file, in the format of sha256sum."""
    files = published_files(out)
    write_lines(
        out / MANIFEST, (f"{file_hash(path)}  {path.relative_to(out).as_posix()}" for path in files)
    )
