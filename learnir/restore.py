"""``learnir restore``: many files in, as many out; each whole or not at all."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from learnir.checkpoint import write_atomically
from learnir.files import (
    FORMAT_OF,
    SUFFIX_OF,
    check_format,
    encode_photo,
    losses,
    read_photo,
)
from learnir.images import IMAGE_SUFFIXES, MOST_PIXELS, ImageError, grid
from learnir.pipeline import LearnIR, reduce
from learnir.tiling import out_of_memory
from learnir.video import VIDEO_SUFFIXES, restore_video

COMPARE = ".compare.jpg"
COMPARE_SIDE = 2048
UNWRITABLE = frozenset(
    {".avif", ".bmp", ".dng", ".exr", ".gif", ".heic", ".heif", ".jp2", ".jxl", ".pdf", ".ppm"}
    | {".psd", ".raw", ".svg", ".tga", ".3gp", ".avi", ".flv", ".mpeg", ".mpg", ".mts", ".wmv"}
)
"""Suffixes of pictures and videos that nothing here writes: no one means a folder by them."""


class PlanError(ValueError):
    """Inputs and outputs that do not go together; said before anything is written."""


@dataclass(frozen=True)
class Task:
    """One file to restore and where its result goes."""

    source: Path
    target: Path

    @property
    def is_video(self) -> bool:
        """Whether it is restored frame by frame."""
        return self.source.suffix.lower() in VIDEO_SUFFIXES

    @property
    def compare(self) -> Path:
        """Where the before | after picture goes; a.jpg and a.png have one each."""
        return self.target.with_name(self.target.name + COMPARE)

    @property
    def in_place(self) -> bool:
        """Whether the result replaces the source."""
        return self.source.resolve() == self.target.resolve()


@dataclass(frozen=True)
class Writing:
    """What to write.

    Attributes:
        format: "jpeg", "png", "webp", "tiff", or None for that of the target's name.
        compare: a before | after picture beside every result.
        resume: leave alone what is there already.
        overwrite: results may replace inputs.
        strip_metadata: no EXIF in the results.
        most_pixels: larger pictures are refused unread.
    """

    format: str | None = None
    compare: bool = False
    resume: bool = False
    overwrite: bool = False
    strip_metadata: bool = False
    most_pixels: int = MOST_PIXELS


@dataclass
class Outcome:
    """What became of a batch; ``failed`` holds one line per file."""

    restored: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)


def plan(paths: Sequence[str], out: Path, writing: Writing) -> tuple[list[Task], list[str]]:
    """Tasks for files, folders (searched through, structure kept) and globs; a line per miss.

    ``out`` is a folder, or a file name with a known suffix when there is one input file. What lies
    in ``out`` is not taken from a folder that holds it, nor are before | after pictures. PlanError
    for two inputs with one output, for an output that is an input unless ``writing.overwrite`` (and
    then for ``writing.resume``), and for one of a format that cannot be written.
    """
    if not paths:
        raise PlanError("no pictures given; name files, folders or globs")
    found, problems = _find(paths, out)
    single = _is_file_name(out)
    if out.suffix.lower() in UNWRITABLE and not out.is_dir():
        raise PlanError(
            f"{out}: {out.suffix} cannot be written; name a .jpg, .png, .webp, .tif or .mp4 file"
        )
    if single and len(found) > 1:
        raise PlanError(f"{out}: a file name for {len(found)} pictures; give a folder with -o")
    if single:
        _check_suffix(out, found, writing.format)
    tasks = [Task(path, out if single else _target(out / name, writing)) for path, name in found]
    _check_outputs(tasks, writing)
    return tasks, problems


def _is_file_name(out: Path) -> bool:
    return out.suffix.lower() in (FORMAT_OF.keys() | VIDEO_SUFFIXES) and not out.is_dir()


def _check_suffix(out: Path, found: Sequence[tuple[Path, Path]], format: str | None) -> None:
    video = out.suffix.lower() in VIDEO_SUFFIXES
    if any((path.suffix.lower() in VIDEO_SUFFIXES) != video for path, _ in found):
        raise PlanError(f"{out}: a picture becomes a picture and a video a video; rename it")
    if not video and format not in (None, FORMAT_OF[out.suffix.lower()]):
        raise PlanError(f"{out}: not the name of a {format} file; leave --format out or rename it")


def _find(paths: Sequence[str], out: Path) -> tuple[list[tuple[Path, Path]], list[str]]:
    """(file, its name below ``out``) of every input, each once; a line per problem."""
    found: dict[Path, Path] = {}
    problems = []
    for text in paths:
        matches = _expand(text)
        if not matches:
            problems.append(f"{text}: no such file or folder; check the path")
        for match in matches:
            pictures = _pictures_in(match, out) if match.is_dir() else [match]
            if match.is_dir() and not pictures:
                problems.append(f"{match}: no picture in this folder; give one with JPEG, PNG, ...")
            for path in pictures:
                name = path.relative_to(match) if match.is_dir() else Path(path.name)
                found.setdefault(path, name)
    return list(found.items()), problems


def _expand(text: str) -> list[Path]:
    path = Path(text).expanduser()
    if path.exists() or path.is_symlink():
        return [path]
    return [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]


def _pictures_in(folder: Path, out: Path) -> list[Path]:
    """Pictures and videos below ``folder``, sorted.

    Not hidden files, those in hidden folders or below ``out``, nor the before | after pictures of
    an earlier run.
    """
    results = out.resolve()
    inside = results if results != folder.resolve() else None
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in (IMAGE_SUFFIXES | VIDEO_SUFFIXES)
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not path.name.lower().endswith(COMPARE)
        and not (inside and path.resolve().is_relative_to(inside))
    ]


def _target(path: Path, writing: Writing) -> Path:
    if path.suffix.lower() in VIDEO_SUFFIXES or writing.format is None:
        return path
    if FORMAT_OF.get(path.suffix.lower()) == writing.format:
        return path
    return path.with_suffix(SUFFIX_OF[writing.format])


def _check_outputs(tasks: Sequence[Task], writing: Writing) -> None:
    sources = {task.source.resolve() for task in tasks}
    taken: dict[Path, Path] = {}
    for task in tasks:
        compare = [task.compare] if writing.compare and not task.is_video else []
        for target in [task.target, *compare]:
            place = target.resolve()
            if place in sources and not writing.overwrite:
                raise PlanError(f"{target}: is an input; choose another -o, or --overwrite it")
            if task.in_place and writing.resume:
                raise PlanError(
                    f"{target}: --resume cannot tell whether an input was restored already; "
                    "choose another -o, or leave --resume out"
                )
            if place in taken:
                raise PlanError(
                    f"{taken[place]} and {task.source}: both would become {target}; "
                    "restore them into different folders"
                )
            taken[place] = task.source


def run(
    learnir: LearnIR, tasks: Sequence[Task], writing: Writing, options: dict[str, Any]
) -> Outcome:
    """Restores the tasks one after the other; a file that fails is told and does not stop the rest.

    Args:
        options: keyword arguments of ``LearnIR.restore``.
    """
    outcome = Outcome()
    with tqdm(tasks, unit="file", disable=None, desc="restore", dynamic_ncols=True) as bar:
        for task in bar:
            bar.set_postfix_str(task.source.name[-24:])
            try:
                if writing.resume and task.target.exists():
                    _add_compare(task, writing)
                    outcome.skipped += 1
                else:
                    _say(restore_file(learnir, task, writing, options))
                    outcome.restored += 1
            except Exception as error:  # whatever one file brings about, the others go on
                outcome.failed.append(_failure(task, error))
                _say(outcome.failed[-1:])
    return outcome


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        tqdm.write(line, file=sys.stderr)


def _failure(task: Task, error: Exception) -> str:
    """One line that names the file first."""
    if out_of_memory(error):
        return f"{task.source}: not enough memory; use a smaller --work-size"
    if isinstance(error, OSError):
        place = error.filename or task.target
        return f"{place}: cannot be written ({error.strerror or error}); check -o"
    text = " ".join(str(error).split())
    if not isinstance(error, ImageError):
        return (
            f"{task.source}: unexpected {type(error).__name__} ({text}); "
            "save it anew with another program, and please report it"
        )
    named = text.startswith((f"{task.source}:", f"{task.target}:"))
    return text if named else f"{task.source}: {text}"


def restore_file(
    learnir: LearnIR, task: Task, writing: Writing, options: dict[str, Any]
) -> list[str]:
    """One file; returns what could not be kept as it was, one line each."""
    if task.is_video:
        _restore_video(learnir, task, options)
        return []
    photo = read_photo(task.source, writing.most_pixels)
    format = FORMAT_OF.get(task.target.suffix.lower(), photo.format)
    check_format(photo, format)  # before the work, not after it
    restored = learnir.restore(photo.picture, **options).picture
    data = encode_photo(photo, restored, format, writing.strip_metadata)
    compare = _before_after(photo.picture, restored) if writing.compare else None
    task.target.parent.mkdir(parents=True, exist_ok=True)
    if compare is not None:
        write_atomically(task.compare, compare)
    write_atomically(task.target, data)
    notes = [*photo.notes, *losses(photo, format, writing.strip_metadata)]
    return [f"{task.source}: {note}" for note in notes]


def _add_compare(task: Task, writing: Writing) -> None:
    """The before | after picture of a result that an earlier run left without one."""
    if not writing.compare or task.is_video or task.in_place or task.compare.exists():
        return
    before, after = (read_photo(x, writing.most_pixels).picture for x in (task.source, task.target))
    write_atomically(task.compare, _before_after(before, after))


def _restore_video(learnir: LearnIR, task: Task, options: dict[str, Any]) -> None:
    with tqdm(unit="frame", desc=task.source.name[-24:], disable=None, leave=False) as bar:

        def advance(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        restore_video(learnir, task.source, task.target, options, advance)


def _before_after(before: np.ndarray, after: np.ndarray) -> bytes:
    import io

    out = io.BytesIO()
    sheet = grid([[reduce(p, COMPARE_SIDE) for p in (before, after)]], ["before", "after"])
    Image.fromarray(sheet).save(out, "JPEG", quality=92)
    return out.getvalue()
