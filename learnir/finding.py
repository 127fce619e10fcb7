"""Finds the files that the paths given to ``learnir restore`` name, and what is left out."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from learnir.decoding import IMAGE_SUFFIXES, OTHER_PICTURES, READ_ONLY, VIDEO_SUFFIXES
from learnir.paths import expanded_path, real

COMPARE = ".compare.jpg"
"""What the names of before | after pictures end with."""
OTHER_VIDEOS = frozenset(
    {".3g2", ".3gp", ".asf", ".avi", ".dv", ".flv", ".m2ts", ".mpeg", ".mpg", ".mts"}
    | {".ogv", ".vob", ".wmv"}
)
"""Suffixes of videos that are neither read nor written."""


def find(paths: Sequence[str], out: Path) -> tuple[list[tuple[Path, Path]], list[str], list[str]]:
    """(file, its name below ``out``) of every input, each once; a line per problem; notes.

    ``out`` itself is skipped among other paths, as ``photos/*`` may name it; alone, it is restored
    in place.
    """
    found: dict[Path, Path] = {}
    matches: list[Path] = []
    problems, notes = [], []
    for text in paths:
        try:
            named = _expand(text)
        except OSError as error:
            problems.append(f"{text}: {error.strerror}; check the path and its permissions")
            continue
        if not named:
            problems.append(f"{text or repr(text)}: no such file or folder; check the path")
        matches += named
    alone = len(set(matches)) == 1
    for match in matches:
        if match.is_dir() and not alone and real(match) == real(out):
            notes.append(f"{match}: where the results go, not searched")
        elif match.is_dir():
            folder = _search(match, out)
            problems += folder.problems
            notes += folder.notes()
            if not (folder.pictures or folder.problems):
                problems.append(f"{match}: no picture in this folder; give one with JPEG, PNG, ...")
            for path in folder.pictures:
                found.setdefault(path, path.relative_to(match))
        elif match.suffix.lower() in OTHER_VIDEOS:
            problems.append(f"{match}: {match.suffix} videos are not read; convert it to MP4")
        elif _is_pipe_or_device(match):
            problems.append(f"{match}: a pipe or device, not a file; give a picture file")
        else:
            found.setdefault(match, Path(match.name))
    return list(found.items()), problems, notes


def _is_pipe_or_device(path: Path) -> bool:
    """Whether it exists and is no file; what shells put below /dev, as /dev/stdin, can be read."""
    here = path.absolute().parts[1:2]
    return path.exists() and not path.is_file() and here not in (("dev",), ("proc",))


def _expand(text: str) -> list[Path]:
    if not text:  # to Path the same as "."
        return []
    path = expanded_path(text)
    if path.exists() or path.is_symlink():
        return [path]
    return [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]


@dataclass
class _Folder:
    """What a folder was found to hold."""

    root: Path
    pictures: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    links: list[Path] = field(default_factory=list)

    def refuse(self, error: OSError) -> None:
        self.problems.append(
            f"{error.filename}: cannot be listed ({error.strerror}); check its permissions"
        )

    def take(self, path: Path) -> None:
        suffix = path.suffix.lower()
        if suffix in OTHER_PICTURES | OTHER_VIDEOS:
            self.left_out[suffix] += 1
        elif suffix not in IMAGE_SUFFIXES | READ_ONLY | VIDEO_SUFFIXES:
            return
        elif os.path.isfile(path):  # Path.is_file raises where a link may not be followed
            self.pictures.append(path)
        elif path.is_symlink():
            self.problems.append(f"{path}: a link to nothing that can be read; remove or repair it")

    def notes(self) -> list[str]:
        linked = [f"{path}: a link to a folder, not searched; name it too" for path in self.links]
        if not self.left_out:
            return linked
        counts = ", ".join(f"{suffix} {n}" for suffix, n in sorted(self.left_out.items()))
        number = self.left_out.total()
        files = "file" if number == 1 else "files"
        left = f"{self.root}: {number} {files} left out ({counts}); convert to JPEG, PNG or MP4"
        return [*linked, left]


def _search(folder: Path, out: Path) -> _Folder:
    """Pictures and videos below ``folder``, sorted.

    Not hidden files, those in hidden folders or below ``out``, nor the before | after pictures of
    an earlier run.
    """
    found, results = _Folder(folder), real(out)
    for inside, folders, names in os.walk(folder, onerror=found.refuse):
        here = Path(inside)
        folders[:] = [n for n in folders if n[0] != "." and real(here / n) != results]
        found.links += [here / n for n in sorted(folders) if (here / n).is_symlink()]
        for name in names:
            if name[0] != "." and not name.lower().endswith(COMPARE):
                found.take(here / name)
    found.pictures.sort()
    return found
