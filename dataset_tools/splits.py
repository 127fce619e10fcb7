"""Which split a pair belongs to: where its group was dealt before, else by the group's hash.

A dataset remembers where it dealt every photo, person and author, so that growing it moves nobody:
newcomers may join a group or rename its photos, either of which changes the group's hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dataset_tools.facts import Facts
from dataset_tools.files import read_record
from dataset_tools.photos import Photo
from dataset_tools.shards import STATE
from learnir.writing import write_atomically

SPLITS = ("train", "val", "test")
MEMORY = Path(STATE, "splits.json")  # hash of a name -> split
VAL_SHARE, TEST_SHARE = 0.04, 0.06


def split_of(group: str) -> str:
    """'train', 'val' or 'test' for everything that belongs to ``group``."""
    digest = hashlib.blake2b(group.encode(), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    if place < TEST_SHARE:
        return "test"
    return "val" if place < TEST_SHARE + VAL_SHARE else "train"


def groups(photos: Iterable[Photo], clusters: Iterable[list[str]] = ()) -> dict[str, str]:
    """Photo key -> group name, joining whatever shares an identity, author or duplicate cluster.

    A group is named after the smallest hash among its names, so that the order of photos does not
    matter.
    """
    union: dict[str, str] = {}
    names: dict[str, str] = {}
    for photo in photos:
        names[photo.key] = photo.group
        for tag in (names[photo.key], f"author:{photo.author}" if photo.author else ""):
            if tag:
                _join(union, names[photo.key], tag)
    for cluster in clusters:
        for key in cluster[1:]:
            if key in names and cluster[0] in names:
                _join(union, names[cluster[0]], names[key])
    return {key: _find(union, name) for key, name in names.items()}


def settle(
    out: Path, photos: Iterable[Photo], group: Mapping[str, str], facts: Mapping[str, Facts]
) -> dict[str, str]:
    """Photo key -> split: where ``out`` dealt the photo's group before, else by the group's hash.
    What was settled is written down before anything is rendered."""
    names = {photo.key: names_of(photo, facts[photo.key]) for photo in photos}
    known = remembered(out)
    split = deal(group, names, known)
    remember(out, known | {name: split[key] for key, own in names.items() for name in own})
    return split


def remember(out: Path, known: Mapping[str, str]) -> None:
    """Writes down name -> split, for later builds in ``out``."""
    write_atomically(out / MEMORY, json.dumps(known, sort_keys=True).encode())


def deal(
    group: Mapping[str, str], names: Mapping[str, list[str]], known: Mapping[str, str]
) -> dict[str, str]:
    """Photo key -> split. group, names: of every photo. known: where names were dealt before.

    Where a newcomer makes one group of several, test wins over val and val over train: nobody who
    was held out is ever trained on.
    """
    held: dict[str, str] = {}
    for key, group_name in group.items():
        before = [known[name] for name in names[key] if name in known]
        if before:
            held[group_name] = max(*before, held.get(group_name, SPLITS[0]), key=SPLITS.index)
    return {key: held.get(group_name) or split_of(group_name) for key, group_name in group.items()}


def names_of(photo: Photo, facts: Facts) -> list[str]:
    """Hashes of what a photo is known by whatever its file is called: its bytes, its person, its
    author. Bytes without a face may be a placeholder that many people share."""
    seen = facts.sha256 if facts.faces else ""
    known_by = {"photo": seen, "identity": photo.identity, "author": photo.author}
    return [_rank(f"{kind}:{name}").hex() for kind, name in known_by.items() if name]


def remembered(out: Path) -> dict[str, str]:
    """Name -> split as ``out`` dealt them; empty where nothing was dealt yet."""
    return read_record(out / MEMORY) or dict(_dealt_in_rows(out))


def _dealt_in_rows(out: Path) -> Iterator[tuple[str, str]]:
    """Name -> split, from the rows of a dataset built before splits were recorded. Files of rows
    that are damaged are skipped: their photos are dealt by hash, as they were."""
    for path in sorted((out / STATE / "rows").glob("*.jsonl")):
        try:
            rows = [json.loads(line) for line in path.read_bytes().split(b"\n") if line]
        except ValueError:
            continue
        split = path.name.partition("-")[0]
        yield from dealt(row | {"split": split} for row in rows)


def dealt(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Name -> split, of rows that say their split."""
    for row in rows:
        key = row["photo"]
        photo = Photo(key, Path(key), identity=row["identity"], author=row["author"])
        for name in names_of(photo, Facts(key, row["photo_sha256"], faces=1)):
            yield name, row["split"]


def _rank(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=8).digest()


def _find(union: dict[str, str], name: str) -> str:
    root = name
    while union.get(root, root) != root:
        root = union[root]
    while union.get(name, name) != root:
        union[name], name = root, union[name]
    return root


def _join(union: dict[str, str], a: str, b: str) -> None:
    first, second = sorted((_find(union, a), _find(union, b)), key=_rank)
    union[second] = first
    union.setdefault(first, first)
