"""Things chosen by name: networks, corrections, schedules, presets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import TypeVar

Entry = TypeVar("Entry")


def check_name(kind: str, name: str, known: Collection[str]) -> None:
    """ValueError unless ``name`` is known; it suggests the nearest one, or lists all."""
    if name in known:
        return
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    raise ValueError(f"unknown {kind} {name!r}; {hint}")


def look_up(kind: str, name: str, table: Mapping[str, Entry]) -> Entry:
    """``table[name]``; ValueError as ``check_name`` raises it."""
    check_name(kind, name, table)
    return table[name]
