"""Things chosen by name: networks, corrections, recipes, methods."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import TypeVar

Entry = TypeVar("Entry")


def check_name(
    kind: str, name: str, known: Collection[str], error: type[ValueError] = ValueError
) -> None:
    """An ``error`` unless ``name`` is known; it suggests the nearest ones, or lists all."""
    if name in known:
        return
    near = get_close_matches(name, known, n=2)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
    raise error(f"unknown {kind} {name!r}; {hint}")


def look_up(
    kind: str, name: str, table: Mapping[str, Entry], error: type[ValueError] = ValueError
) -> Entry:
    """``table[name]``, or an ``error`` as of ``check_name``."""
    check_name(kind, name, table, error)
    return table[name]
