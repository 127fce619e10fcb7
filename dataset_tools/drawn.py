"""What the jobs of an archive have drawn, kept until it is written: a stopped ``pack`` goes on."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from learnir.writing import replacing

UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Drawn:
    """Pictures of some photos, encoded.

    Attributes:
        files: in the order in which the archive holds them.
        mm: millimetres of the face per pixel, one for each scene; empty for pairs.
    """

    files: list[bytes]
    mm: list[float]

    def save(self, path: Path) -> None:
        """Writes all of it, or nothing."""
        with replacing(path) as handle:
            np.savez(handle, mm=np.array(self.mm), **blob(self.files))


def load(path: Path) -> Drawn | None:
    """What ``Drawn.save`` wrote; None where it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as held:
            ends = np.cumsum(held["lengths"])
            data = held["blob"].tobytes()
            files = [data[end - n : end] for n, end in zip(held["lengths"], ends, strict=True)]
            return Drawn(files, held["mm"].tolist())
    except UNREADABLE:
        return None


def blob(files: list[bytes]) -> dict[str, np.ndarray]:
    """Files as two arrays: their lengths, and all of them one behind the other."""
    return {
        "lengths": np.array([len(data) for data in files], np.int64),
        "blob": np.frombuffer(b"".join(files), np.uint8),
    }


def joined(parts: Iterable[Drawn]) -> Drawn:
    """All of the parts as one."""
    whole = Drawn([], [])
    for part in parts:
        whole.files.extend(part.files)
        whole.mm.extend(part.mm)
    return whole
