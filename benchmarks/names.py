"""Look-ups by name, and the one kind of error a user of the benchmark is meant to see."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

Entry = TypeVar("Entry")


class BenchmarkError(ValueError):
    """An expected failure: one line naming the thing and the remedy."""


def look_up(kind: str, name: str, table: Mapping[str, Entry]) -> Entry:
    """``table[name]``; BenchmarkError with the nearest known names when it is not there."""
    if name in table:
        return table[name]
    near = get_close_matches(name, table, n=2)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(table)}"
    raise BenchmarkError(f"unknown {kind} {name!r}; {hint}")
