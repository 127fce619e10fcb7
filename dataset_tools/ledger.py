"""What a dataset's folder records about itself, and reading it back.

``faceshadow.json`` is public: version, recipe, seed, size, layout, landmarker, shards.
``.faceshadow/`` is private working state: landmarks, rows, markers, where the photos were; it is
never published.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dataset_tools.files import content_hash, file_hash, filled, read_record, write_lines
from dataset_tools.formats import PICTURES, Shard, imagefolder_line, read_pictures
from dataset_tools.hub import PREFIX
from dataset_tools.landmarker import Landmarker
from dataset_tools.landmarks import MODEL_VARIABLE
from dataset_tools.recipe import Recipe
from dataset_tools.shards import STATE, VERSION, PairPlan, ShardResult, rows_path
from dataset_tools.splits import SPLITS
from dataset_tools.tables import TABLES
from learnir.writing import write_atomically

UNREADABLE = (OSError, ValueError, KeyError, tarfile.TarError)  # what damaged shards raise
REPORT = "report"
PUBLIC, PRIVATE, MANIFEST = "faceshadow.json", "build.json", "MANIFEST.sha256"
SHARDS = (  # what pairs are stored in, as glob patterns relative to the dataset
    *(f"data/{split}-*-of-*.{kind}" for split in SPLITS for kind in ("parquet", "tar")),
    *(f"{split}/{name}/*.png" for split in SPLITS for name in PICTURES),
)
CARD = "README.md"
OWN = "<!-- What you write below this line stays when the data set is built again. -->"


class DatasetError(Exception):
    """A folder that is not a usable FaceShadow; the message names it and the remedy."""


def check_empty_or_ours(out: Path, layout: str) -> None:
    """A build goes to a new or empty folder, or to one it wrote itself in the same layout."""
    check_ours(out)
    if read_record(out / PUBLIC).get("layout", layout) != layout:
        raise DatasetError(f"{out}: holds another format; build into another folder")


def check_ours(out: Path) -> None:
    """DatasetError unless a folder is new, empty but for what git keeps, or a FaceShadow."""
    if out.exists() and not out.is_dir():
        raise DatasetError(f"{out}: is a file; give a folder")
    if (out / PUBLIC).is_file() or (out / STATE).is_dir():
        return
    files = (path.relative_to(out) for path in out.rglob("*") if path.is_file())
    if not all(path.parts[0].startswith(".git") for path in files):
        raise DatasetError(f"{out}: not empty and not a FaceShadow; give an empty folder")


def is_built(out: Path) -> bool:
    """Whether a build wrote this folder, and goes on there; copies have no such working state."""
    return (out / STATE / PRIVATE).is_file()


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Locks the dataset for changes; DatasetError where another process holds the lock. That of a
    killed process is free."""
    (out / STATE).mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / STATE / "lock", timeout=0):
            yield
    except Timeout as error:
        raise DatasetError(f"{out}: another command is at work here; wait for it") from error


def write_plan(
    out: Path, pairs: PairPlan, shards: list[ShardResult], landmarker: Landmarker
) -> None:
    """faceshadow.json."""
    public = {"name": "FaceShadow", "version": VERSION} | asdict(pairs)
    public["landmarker"] = landmarker.record()
    public["shards"] = {shard.name: shard.pairs for shard in shards if shard.pairs}
    write_public(out, public)


def write_public(out: Path, public: dict[str, Any]) -> None:
    write_atomically(out / PUBLIC, (json.dumps(public, indent=1) + "\n").encode())


def write_private(out: Path, photos: Iterable[str], model: str, cache: Path) -> None:
    """Where the photos, the detector's .task file and all landmark caches so far are. Places keep
    their names, also those of links: several places' photos are called after them."""
    places = [str(Path(p).absolute()) if not p.startswith(PREFIX) else p for p in photos]
    caches = sorted({*read_private(out)["caches"], str(cache.resolve())})
    _write_private(out, {"photos": places, "model": model, "caches": caches})


def _write_private(out: Path, private: dict[str, Any]) -> None:
    write_atomically(out / STATE / PRIVATE, json.dumps(private, indent=1).encode())


def forget_places(out: Path, kept: Callable[[str], bool]) -> None:
    """Forget where photos were, except ``kept`` places; null stands for each of the others, as with
    several places photos are named after them."""
    private = read_private(out)
    left = [place if place and kept(place) else None for place in private["photos"]]
    if left != private["photos"]:
        _write_private(out, private | {"photos": left})


def curation_table(out: Path) -> Path:
    """CSV of every photo that a build looked at; a published copy has none."""
    return out / REPORT / "curation.csv"


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
    """``photos``, ``model`` and ``caches`` of the last build; without its working state, no photos
    and the landmarker that the environment names."""
    model = os.environ.get(MODEL_VARIABLE, "")
    nothing: dict[str, Any] = {"photos": [], "model": model, "caches": []}
    return nothing | read_record(out / STATE / PRIVATE)


def shards(out: Path, split: str | None = None) -> list[Shard]:
    """Shards that hold pairs, in order."""
    parsed = []
    for name in read_plan(out)["shards"]:
        place, _, count = name.rpartition("-of-")
        kind, _, number = place.rpartition("-")
        parsed.append(Shard(kind, int(number), int(count)))
    return [s for s in parsed if split in (None, s.split)]


def shard_rows(out: Path, shard: Shard) -> Iterator[dict[str, Any]]:
    """Rows of one shard, without pictures: from the working state, else from what is published."""
    path = rows_path(out, shard)
    try:
        yield from _lines(path) if filled(path) else _table(out, shard)
    except UNREADABLE as error:
        raise DatasetError(
            f"{out}: rows of {shard.name} cannot be read ({error}); build it again, or fetch it"
        ) from error


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _table(out: Path, shard: Shard) -> Iterator[dict[str, Any]]:
    plan = read_plan(out)
    before = [s for s in shards(out, shard.split) if s.number < shard.number]
    first = sum(plan["shards"][s.name] for s in before)
    places = range(first, first + plan["shards"][shard.name])
    return TABLES[plan["layout"]](out, shard, places)


def shard_pictures(out: Path, shard: Shard, ids: set[str]) -> dict[str, dict[str, bytes]]:
    """Encoded pictures of some pairs of a shard: id -> {shadow, clean, mask}."""
    try:
        found = read_pictures(out, read_plan(out)["layout"], shard, ids)
        return {i: {name: found[i][name] for name in PICTURES} for i in ids}
    except UNREADABLE as error:
        raise DatasetError(
            f"{out}: pictures of {shard.name} cannot be read ({error}); build it again, or fetch it"
        ) from error


def restore_rows(out: Path) -> None:
    """Write the rows that the working state lacks: a published copy has none."""
    for shard in shards(out):
        if not filled(rows_path(out, shard)):
            lines = (json.dumps(row, ensure_ascii=False) for row in shard_rows(out, shard))
            write_lines(rows_path(out, shard), lines)


def rows(out: Path, split: str | None = None) -> Iterator[dict[str, Any]]:
    """Every row without pictures, shard by shard, with its split."""
    for shard in shards(out, split):
        for row in shard_rows(out, shard):
            yield row | {"split": shard.split}


def write_tables(out: Path, layout: str) -> None:
    """ImageFolder's metadata.jsonl of every split that holds pairs, from the shards' rows."""
    if layout != "imagefolder":
        return
    for split in SPLITS:
        table, held = out / split / "metadata.jsonl", shards(out, split)
        lines = (imagefolder_line(row) for shard in held for row in shard_rows(out, shard))
        write_lines(table, lines) if held else table.unlink(missing_ok=True)


def sweep(out: Path, layout: str, results: Iterable[ShardResult]) -> None:
    """Write the tables and delete pictures and markers that belong to no shard of this build; what
    else somebody put there is left alone."""
    results = list(results)
    write_tables(out, layout)
    wanted = {name for result in results for name in result.files}
    for path in [path for pattern in SHARDS for path in out.glob(pattern)]:
        if path.relative_to(out).as_posix() not in wanted:
            path.unlink()
    names = {result.name for result in results}
    state = out / STATE
    for path in [*state.glob("rows/*.jsonl"), *state.glob("done/*.json")]:
        if path.stem not in names:
            path.unlink()


def published_files(out: Path) -> list[Path]:
    """All but hidden files (working state; what git and the Hub keep), report (it shows dropped
    people) and manifest, in name order."""
    return sorted(path for path in out.rglob("*") if path.is_file() and _public(path, out))


def _public(path: Path, out: Path) -> bool:
    parts = path.relative_to(out).parts
    hidden = any(part.startswith(".") for part in parts)
    return not hidden and parts[0] != REPORT and path.name != MANIFEST


def card_parts(path: Path) -> tuple[bytes, bytes]:
    """A card up to and with the line OWN, and what somebody wrote below it."""
    generated, line, own = path.read_bytes().partition(f"{OWN}\n".encode())
    return generated + line, own


def digest(out: Path, name: str) -> str:
    """SHA-256 of a file as the manifest lists it: of the card what was generated."""
    if name == CARD:
        return content_hash(card_parts(out / name)[0])
    return file_hash(out / name)


def listed(out: Path) -> dict[str, str]:
    """Path -> SHA-256 of every file in the manifest."""
    lines = (out / MANIFEST).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def write_manifest(out: Path) -> None:
    """``sha256  path`` of every published file, in the format of sha256sum."""
    names = (path.relative_to(out).as_posix() for path in published_files(out))
    write_lines(out / MANIFEST, (f"{digest(out, name)}  {name}" for name in names))
