"""Result files: what was measured and of which weights, so that a page can tell what is stale."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.learnir_methods import checkpoint_hash
from benchmarks.results import Run
from learnir.writing import write_json

STALE = "*Measured with weights that others have replaced since.*"
shipped_hash = cache(lambda: checkpoint_hash(None))


def write_result(path: Path, found: dict[str, Any], checkpoint: str | None = None) -> None:
    """Writes a result with the hash of the checkpoint that it is of (None: the shipped one)."""
    write_json(path, {"weights": checkpoint_hash(checkpoint)} | found)


def weights_of(run: Run) -> str | None:
    """The hash of the checkpoint that a leaderboard's row is of; None for other methods."""
    kind, _, name = run.facts["method"]["source"].partition(" ")
    return name if kind == "checkpoint" else None


def read_result(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def parts_of(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What says of which weights it is: the whole result, or every set in it."""
    sets = [part for part in found.values() if isinstance(part, dict)]
    return [found] if "weights" in found or not sets else sets


def is_stale(found: dict[str, Any]) -> bool:
    """Whether a part is of other weights than those shipped; one of no weights never is."""
    return any(part.get("weights", shipped_hash()) != shipped_hash() for part in parts_of(found))


def dated(table: str, found: dict[str, Any]) -> str:
    """A result's table for a page, with a line below it when the result is stale."""
    return f"{table}\n\n{STALE}" if is_stale(found) else table
