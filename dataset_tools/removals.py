"""removed.txt: hashes of the people and photos purged from a dataset, so that none comes back."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path

from dataset_tools.files import content_hash, file_hash, write_lines
from dataset_tools.photos import Photo

FILE = "removed.txt"


@dataclass(frozen=True)
class Removed:
    """People and photos purged from a dataset, by hash.

    A photo is known by its key, its person and the SHA-256 of its file: keys change when a file is
    renamed or a second place is built from.
    """

    hashes: frozenset[str]

    def has(self, *names: str) -> bool:
        """Whether any of the names was purged; empty names are nobody's."""
        return any(tombstone(name) in self.hashes for name in names if name)

    def holds(self, photo: Photo) -> bool:
        """Whether the photo was purged; reads the file unless nothing was."""
        if not self.hashes:
            return False
        return self.has(photo.key, photo.stem, photo.identity) or self.has(photo_digest(photo.path))


def photo_digest(path: Path) -> str:
    """SHA-256 of a photo; empty where it cannot be read."""
    try:
        return file_hash(path)
    except OSError:
        return ""


def tombstone(name: str) -> str:
    """The hash that stands for a purged name."""
    return content_hash(f"faceshadow:{name}".encode())


def removed_from(out: Path) -> Removed:
    """What removed.txt of a dataset lists."""
    return read(out / FILE)


def read(path: Path) -> Removed:
    """What a removed.txt lists; nothing where there is none."""
    return Removed(frozenset(path.read_text().split()) if path.is_file() else frozenset())


def add(out: Path, names: Iterable[str]) -> Removed:
    """Adds names to removed.txt; returns all that it lists now."""
    return _add_hashes(out, {tombstone(name) for name in names if name})


def take_over(out: Path, dataset: Path) -> None:
    """Keeps what ``dataset`` has removed out of ``out`` as well."""
    if gone := removed_from(dataset).hashes:
        _add_hashes(out, gone)


def _add_hashes(out: Path, hashes: Set[str]) -> Removed:
    listed = Removed(removed_from(out).hashes | hashes)
    write_lines(out / FILE, sorted(listed.hashes))
    return listed
