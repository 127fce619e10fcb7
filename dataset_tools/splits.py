"""Which split a pair belongs to: by the hash of its group, stable however the set grows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from dataset_tools.photos import Photo

SPLITS = ("train", "val", "test")
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

    A group is named after the smallest hash among its names, so that it keeps its name, and hence
    its split, when photos join it later, unless the newcomer's hash is smaller still.
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
