"""A submission as it arrives, folder or zip: read within limits, nothing outside it touched."""

from __future__ import annotations

import json
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.layouts import left_behind
from benchmarks.names import BenchmarkError

CARD = "submission.json"
RESULTS = "results"
SCORES = "scores.csv"
CARD_BYTES = 1 << 20  # at most

# what zipfile raises for a file that is none, a method it lacks, and streams that are damaged
DAMAGED = (zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, zlib.error, LZMAError, EOFError)


@dataclass(frozen=True)
class Limits:
    """How much a submission may hold; larger ones are refused unread.

    Attributes:
        ratio: how many times its packed size a file may have, if it has more than ``ratio_from``
            bytes.
    """

    files: int = 20_000
    file_bytes: int = 64 << 20
    total_bytes: int = 4 << 30
    ratio: int = 100
    ratio_from: int = 1 << 20


@contextmanager
def opened(path: Path, limits: Limits = Limits()) -> Iterator[Path]:
    """The folder of a submission, a zip unpacked to a temporary one. BenchmarkError refuses it.

    What is ``left_behind`` is checked as the rest is, but not unpacked.
    """
    if path.is_dir():
        _check_folder(path, limits)
        yield _inside(path)
        return
    if not path.is_file():
        raise BenchmarkError(f"{path.name}: no such folder or zip file")
    with TemporaryDirectory(prefix="submission-") as folder:
        _unpack(path, Path(folder), limits)
        yield _inside(Path(folder))


def _inside(folder: Path) -> Path:
    """The submission itself: many a zip holds one folder at its top, and the rest in that."""
    seen = [path for path in folder.iterdir() if not left_behind(Path(path.name))]
    return seen[0] if len(seen) == 1 and seen[0].is_dir() else folder


def read_card(folder: Path) -> dict[str, Any]:
    """The object in submission.json, with no NaN and no infinity in it."""
    path = folder / CARD
    if not path.is_file():
        raise BenchmarkError(f"{CARD}: missing; `learnir-bench template` writes one to fill in")
    if path.stat().st_size > CARD_BYTES:
        raise BenchmarkError(f"{CARD}: larger than {CARD_BYTES >> 20} MiB")
    try:
        card = json.loads(path.read_text(encoding="utf-8"), parse_constant=_not_a_number)
    except (ValueError, RecursionError) as error:
        raise BenchmarkError(f"{CARD}: not valid JSON ({str(error)[:100]})") from error
    if not isinstance(card, dict):
        raise BenchmarkError(f"{CARD}: not a JSON object")
    return card


def _not_a_number(text: str) -> float:
    raise ValueError(f"{text} is not a score")


def _check_folder(folder: Path, limits: Limits) -> None:
    count = total = 0
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise BenchmarkError(f"{name[:80]}: a symbolic link; submit the file itself")
        if path.is_file():
            count, total = count + 1, total + path.stat().st_size
            _check_amount(name, path.stat().st_size, count, total, limits)


def _check_amount(name: str, size: int, count: int, total: int, limits: Limits) -> None:
    if size > limits.file_bytes:
        raise BenchmarkError(f"{name[:80]}: larger than {limits.file_bytes >> 20} MiB")
    if count > limits.files:
        raise BenchmarkError(f"more than {limits.files} files")
    if total > limits.total_bytes:
        raise BenchmarkError(f"more than {limits.total_bytes >> 30} GiB in all")


def _unpack(path: Path, folder: Path, limits: Limits) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            _check_members(members, limits)
            for member in members:
                if not left_behind(PurePosixPath(member.filename)):
                    _write_member(archive, member, folder)
    except DAMAGED as error:
        raise BenchmarkError(f"{path.name}: not a readable zip file ({error})") from error


def _check_members(members: list[zipfile.ZipInfo], limits: Limits) -> None:
    """Everything the archive says of itself, before a byte is unpacked."""
    seen: set[str] = set()
    total = 0
    for count, member in enumerate(members, start=1):
        name, shown = member.filename, member.filename[:80]
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\\" in name or ":" in name or "\0" in name:
            raise BenchmarkError(f"{shown!r}: points outside the submission")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise BenchmarkError(f"{shown}: a symbolic link; submit the file itself")
        if name.casefold() in seen:
            raise BenchmarkError(f"{shown}: occurs twice")
        seen.add(name.casefold())
        total += member.file_size
        _check_amount(name, member.file_size, count, total, limits)
        packed = max(member.compress_size, 1)
        if member.file_size > limits.ratio_from and member.file_size > limits.ratio * packed:
            raise BenchmarkError(f"{shown}: expands {member.file_size // packed} times; a zip bomb")


def _write_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """Unpacks one file; stops where it holds more than the archive said."""
    target, shown = folder / member.filename, member.filename[:80]
    with archive.open(member) as source:
        data = source.read(member.file_size + 1)
    if len(data) > member.file_size:
        raise BenchmarkError(f"{shown}: holds more than it says; a zip bomb")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise BenchmarkError(f"{shown}: the zip has a file where this needs a folder") from error
    except OSError as error:  # such as a name that is too long
        raise BenchmarkError(f"{shown}: cannot be unpacked ({error.strerror})") from error
