"""Look-ups by name, and the one kind of error a user of the benchmark is meant to see."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

Entry = TypeVar("Entry")
MOST_SHOWN = 6  # names in one line


class BenchmarkError(ValueError):
    """An expected failure: one line naming the thing and the remedy."""


class MethodError(BenchmarkError):
    """A user's own code raised: ``__cause__`` is what, with the traceback of its frames alone."""


def look_up(kind: str, name: str, table: Mapping[str, Entry]) -> Entry:
    """``table[name]``; BenchmarkError with the nearest known names when it is not there."""
    if name in table:
        return table[name]
    near = get_close_matches(name, table, n=2)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(table)}"
    raise BenchmarkError(f"unknown {kind} {name!r}; {hint}")


def look_up_begun(kind: str, name: str, table: Mapping[str, Entry]) -> Entry:
    """``look_up`` by a name or the beginning of one; BenchmarkError lists those that it fits."""
    begun = [known for known in table if name and known.startswith(name)]
    if name in table or not begun:
        return look_up(kind, name, table)
    if len(begun) > 1:
        shown = [*begun[:MOST_SHOWN], *(["..."] if len(begun) > MOST_SHOWN else [])]
        raise BenchmarkError(
            f"{name!r} fits {len(begun)} {kind}s: {', '.join(shown)}; write more of it"
        )
    return table[begun[0]]
