"""Small builds by the command line, and what they wrote."""

from __future__ import annotations

from pathlib import Path

from dataset_tools import ledger
from dataset_tools.cli import main


def build(*words: object) -> int:
    more = ["--licence", "CC0", "--size", 64, "--workers", 1, "--engine", "local", "--no-sheets"]
    return main(["build", *map(str, [*words, *more])])


def contents(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in ledger.published_files(out)}
