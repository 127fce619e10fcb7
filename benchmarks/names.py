"""Look-ups by name, and the one kind of error a user of the benchmark is meant to see."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import TypeVar

from learnir import names

Entry = TypeVar("Entry")
MOST_SHOWN = 6  # names in one line


class BenchmarkError(ValueError):
    """An expected failure: one line naming the thing and the remedy."""


class MethodError(BenchmarkError):
    """A user's own code raised: ``__cause__`` is what, with the traceback of its frames alone."""


def as_ascii(name: str) -> str:
    """The name with the plain letter for every Latin one that looks like it: é, ɪ and ｅ too."""
    return "".join(map(_plain, unicodedata.normalize("NFKD", name)))


def _plain(letter: str) -> str:
    """The letter that an official name such as "LATIN SMALL LETTER O WITH STROKE" ends in."""
    found = re.match(r"LATIN [A-Z ]*?\b([A-Z])\b", unicodedata.name(letter, ""))
    return letter if letter.isascii() or found is None else found[1]


def one_alphabet(name: str) -> bool:
    """Whether Latin letters stand alone: among others one cannot be told from its look-alike."""
    letters = [c for c in unicodedata.normalize("NFKD", name) if c.isalpha()]
    latin = [unicodedata.name(c, "").startswith("LATIN ") for c in letters]
    return all(latin) or not any(latin)


def look_up(kind: str, name: str, table: Mapping[str, Entry]) -> Entry:
    """``table[name]``; BenchmarkError with the nearest known names when it is not there."""
    return names.look_up(kind, name, table, BenchmarkError)


def look_up_prefix(kind: str, name: str, table: Mapping[str, Entry]) -> Entry:
    """``look_up`` by a name or a prefix of one; BenchmarkError lists those that it fits."""
    matches = [known for known in table if name and known.startswith(name)]
    if name in table or not matches:
        return look_up(kind, name, table)
    if len(matches) > 1:
        shown = [*matches[:MOST_SHOWN], *(["..."] if len(matches) > MOST_SHOWN else [])]
        raise BenchmarkError(
            f"{name!r} fits {len(matches)} {kind}s: {', '.join(shown)}; write more of it"
        )
    return table[matches[0]]
