"""Paths as people and shells hand them over. Imports nothing that takes time."""

from __future__ import annotations

import errno
import os
import unicodedata
from pathlib import Path


def expanded(text: str) -> str:
    """``text`` with a leading ~ or ~name replaced by that home, which shells leave after a ``=``.

    Unchanged where a file has that very name, and where there is no such user.
    """
    return text if os.path.lexists(text) else os.path.expanduser(text)


def expanded_path(text: str) -> Path:
    """``expanded`` as a path."""
    return Path(expanded(text))


def real(path: Path) -> Path:
    """``path`` without links. A loop of links stays one, where ``Path.resolve`` may raise."""
    return Path(os.path.realpath(path))


def contents(path: Path) -> bytes:
    """The bytes of a file. OSError for a pipe or device as well, which may never come to an end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a file", str(path))
    return path.read_bytes()


def is_hub_id(text: str) -> bool:
    """Whether ``text`` reads as the id of a Hub repository, owner/name, rather than as a path."""
    return text.count("/") == 1 and not text.startswith((".", "/", "~"))


def composed(name: str) -> str:
    """``name`` in composed form (NFC); macOS and some archives write accents apart (NFD)."""
    return unicodedata.normalize("NFC", name)


def as_spelled(folder: Path, name: Path) -> Path:
    """``folder / name``, its accents as they are written in what is there, if anything is."""
    path = folder
    for part in name.parts:
        forms = (part, composed(part), unicodedata.normalize("NFD", part))
        path /= next((form for form in forms if os.path.lexists(path / form)), part)
    return path
