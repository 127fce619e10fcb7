"""Files that appear whole or not at all: the one place that writes beside them first.

Importable without torch, so that the other folders may.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

PART = ".part"
PARTS = f".{'?' * 12}{PART}"
"""Pattern of the files that a killed process leaves behind, for those who clear them away."""


@contextmanager
def beside(path: Path, suffix: str = PART) -> Iterator[Path]:
    """A hidden path in the folder of ``path``, to write to; at the end it takes that name.

    It is removed where anything goes wrong. Its own name is short, however long that of ``path``,
    which may be as long as the disk allows, and no two are alike: threads may write one file.
    OSError names ``path``.
    """
    with blamed_on(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.urandom(6).hex()}{suffix}")
    try:
        yield part
        with blamed_on(path):
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


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
    """Errors of a kind that has ``errno``, as the OSError that names ``path``."""
    try:
        yield
    except kind as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
