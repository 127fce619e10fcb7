"""Writes lines and tables; hashes files, and reads those that may be damaged."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from learnir.writing import PARTS, replacing


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """UTF-8 lines, whole or not at all, streamed."""
    with replacing(path) as handle:
        for line in lines:
            handle.write(line.encode() + b"\n")


def csv_bytes(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as a CSV table that reads back as it was.

    A writer quotes only the line breaks that its own lines end with, while a reader heeds "\\r" as
    well as "\\n".
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def clear_parts(folder: Path) -> None:
    """Remove what a killed run left half-written; earlier versions called it NAME.PID.tmp."""
    for pattern in (PARTS, "*.tmp"):
        for part in folder.rglob(pattern):
            part.unlink(missing_ok=True)


def content_hash(data: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(data).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hex, read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def filled(path: Path) -> bool:
    """Whether a file is there and holds anything: a machine that lost power leaves empty ones."""
    return path.is_file() and path.stat().st_size > 0


def read_record(path: Path) -> dict[str, Any]:
    """A JSON object; nothing where the file is missing, empty or damaged."""
    try:
        found = json.loads(path.read_bytes()) if filled(path) else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
