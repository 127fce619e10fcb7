"""Files that appear whole or not at all: the one place that writes beside them first.

Importable without torch, so that the other folders may.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

PART = ".part"
PARTS = f".{'[0-9a-f]' * 12}{PART}*"
"""Glob pattern of the files that a killed process leaves behind."""
STALE = 24 * 3600  # seconds since anything was written to a part
PERMISSIONS = 0o777


@contextmanager
def beside(path: Path, suffix: str = "") -> Iterator[Path]:
    """A hidden path in the folder of ``path``, to write to; at the end it is renamed to ``path``.

    On failure it is removed. Its name is random, so that threads may write one file, short, as
    ``path`` may be as long as the disk allows, and ends with ``suffix``. It is flushed to the disk
    before it is renamed, so that a power cut leaves the old or the new file whole. It gets the
    permissions of a file that it replaces, and is its owner's alone until then. OSError names
    ``path``.
    """
    with blamed_on(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    part, mode = path.with_name(f".{os.urandom(6).hex()}{PART}{suffix}"), _permissions(path)
    try:
        if mode is not None:
            with blamed_on(path):
                part.touch(0o600)
        yield part
        with blamed_on(path):
            with part.open("rb+") as handle:  # Windows flushes only what may be written to
                os.fsync(handle.fileno())
            if mode is not None:
                with suppress(OSError):  # some file systems have none to set
                    part.chmod(mode)
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _permissions(path: Path) -> int | None:
    """The permission bits of a file; None where there is none."""
    try:
        return path.stat().st_mode & PERMISSIONS
    except OSError:
        return None


def clear_stale(folder: Path) -> None:
    """Removes half-written files from ``folder`` itself that are more than a day old.

    Younger ones may belong to a process that is still writing.
    """
    for part in folder.glob(PARTS):
        with suppress(OSError):
            if time.time() - part.lstat().st_mtime > STALE:
                part.unlink()


def refusal(folder: Path) -> str:
    """Why files cannot be written to ``folder``, made if missing; "" where they can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file to write that becomes ``path``; nothing is left of it where anything fails.

    An OSError of the system that names no file, as of a full disk, names ``path``.
    """
    with beside(path) as part:
        with blamed_on(path):
            handle = part.open("wb")
        try:
            with handle:
                yield handle
        except OSError as error:
            if error.errno and error.filename is None:
                error.filename = str(path)
            raise


def write_atomically(path: Path, data: bytes) -> None:
    """The file appears whole or not at all; OSError names it."""
    with beside(path) as part, blamed_on(path):
        part.write_bytes(data)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Indented JSON, written atomically."""
    write_atomically(path, (json.dumps(values, indent=2) + "\n").encode())


@contextmanager
def blamed_on(path: Path, kind: type[Any] = OSError) -> Iterator[None]:
    """Raises errors of ``kind``, which has ``errno``, as OSErrors that name ``path``."""
    try:
        yield
    except kind as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
