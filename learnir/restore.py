"""``learnir restore``: many files in, as many out; each whole or not at all."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from learnir.files import (
    FORMAT_OF,
    check_format,
    encode_photo,
    losses,
    read_photo,
)
from learnir.images import ImageError, grid
from learnir.masks import read_mask
from learnir.pipeline import LearnIR
from learnir.planning import Task, Writing
from learnir.side_by_side import ROOM, Room, default_workers, side_by_side
from learnir.tiling import out_of_memory
from learnir.video import losses_of_video, restore_video
from learnir.ways import reduce
from learnir.writing import write_atomically

COMPARE_SIDE = 2048


@dataclass
class Outcome:
    """What became of a batch; ``failed`` holds one line per file."""

    restored: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)


def run(
    learnir: LearnIR,
    tasks: Sequence[Task],
    writing: Writing,
    options: dict[str, Any],
    workers: int | None = None,
) -> Outcome:
    """Restores pictures side by side, then videos; a file that fails does not stop the rest.

    A folder that cannot be written to is told once, and its files are not restored in vain.

    Args:
        options: keyword arguments of ``LearnIR.restore``.
        workers: pictures at a time; None is one for every core.
    """
    tasks, refused = _with_places(tasks, writing)
    outcome, room = Outcome(failed=refused), Room()
    _say(dict.fromkeys(refused))

    stopped = Event()

    def go_on(_done: int, _total: int) -> None:
        if stopped.is_set():
            raise InterruptedError("stopped")

    options = {**options, "progress": go_on}  # so that Ctrl-C waits for an evaluation at most

    def work(task: Task) -> list[str] | None:
        """What could not be kept; None for a result that was there already."""
        done = writing.resume and task.target.exists()
        if done and not writing.compare:
            return None
        with room.taken(0 if task.is_video else _pixels(task.source)):
            if done:
                _add_compare(task, writing)
                return None
            return restore_file(learnir, task, writing, options)

    pictures = side_by_side(
        work, [task for task in tasks if not task.is_video], workers or default_workers()
    )
    videos = side_by_side(work, [task for task in tasks if task.is_video], 1)
    bar = tqdm(total=len(tasks), unit="file", disable=None, desc="restore", dynamic_ncols=True)
    with bar, closing(pictures), ExitStack() as ending, warnings.catch_warnings():
        ending.callback(stopped.set)  # before the pictures under way are waited for
        # readers of pictures do the same, each for itself, and may put back what another had set
        warnings.simplefilter("ignore")
        for task, result in chain(pictures, videos):
            bar.set_postfix_str(task.source.name[-24:])
            try:
                notes = result()
            except Exception as error:  # whatever one file brings about, the others go on
                outcome.failed.append(_failure(task, error))
                _say(outcome.failed[-1:])
            else:
                outcome.skipped += notes is None
                outcome.restored += notes is not None
                _say(notes or ())
            bar.update()
    return outcome


def _pixels(path: Path) -> int:
    """Of a picture that is not read yet; as many as there is room for where its size is not told.

    Whether it can be restored is for others to say. What is no file (/dev/stdin) is read only once.
    """
    if not os.path.isfile(path):  # Path.is_file may raise
        return ROOM
    try:
        with Image.open(path) as image:
            return image.width * image.height
    except Exception:  # Pillow's parsers may raise anything
        return ROOM


def _with_places(tasks: Sequence[Task], writing: Writing) -> tuple[list[Task], list[str]]:
    """Tasks whose folder can be written to, made where it is missing; a line for each other one.

    The lines of one folder are the same.
    """
    waiting: dict[Path, list[Task]] = {}
    for task in tasks:
        if not (writing.resume and task.target.exists()):  # else there is nothing to write
            waiting.setdefault(task.place.parent, []).append(task)
    refused = {folder: why for folder in waiting if (why := _refusal(folder))}
    lines = [
        f"{folder}: cannot be written to ({why}), so {len(waiting[folder])} not restored; choose "
        "another -o, or check the permissions of the folder"
        for folder, why in refused.items()
        for _ in waiting[folder]
    ]
    left = {id(task) for folder in refused for task in waiting[folder]}
    return [task for task in tasks if id(task) not in left], lines


def _refusal(folder: Path) -> str:
    """Why no file can be made in ``folder``, itself made where it is missing; "" where one can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


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
        notes = _restore_video(learnir, task, writing, options)
        return [f"{task.source}: {note}" for note in notes]
    photo = read_photo(task.source, writing.most_pixels)
    format = FORMAT_OF.get(task.target.suffix.lower(), photo.written_as)
    check_format(photo, format)  # before the work, not after it
    task.target.parent.mkdir(parents=True, exist_ok=True)
    if task.mask is not None:
        mask = read_mask(task.mask, photo.picture.shape[:2], writing.most_pixels)
        options = {**options, "strength": options.get("strength", 1.0) * mask}
    restored = learnir.restore(photo.picture, **options).picture
    data = encode_photo(photo, restored, format, writing.strip_metadata)
    compare = _before_after(photo.picture, restored) if writing.compare else None
    if compare is not None:
        write_atomically(task.compare, compare)
    write_atomically(task.place, data)
    notes = [*photo.notes, *losses(photo, format, writing.strip_metadata)]
    return [f"{task.source}: {note}" for note in notes]


def _add_compare(task: Task, writing: Writing) -> None:
    """The before | after picture of a result that an earlier run left without one."""
    if not writing.compare or task.is_video or task.in_place or task.compare.exists():
        return
    before, after = (read_photo(x, writing.most_pixels).picture for x in (task.source, task.target))
    write_atomically(task.compare, _before_after(before, after))


def _restore_video(
    learnir: LearnIR, task: Task, writing: Writing, options: dict[str, Any]
) -> list[str]:
    """A video; returns what could not be kept."""
    lost = losses_of_video(task.source)  # first: in place, the result takes the source's name
    with tqdm(unit="frame", desc=task.source.name[-24:], disable=None, leave=False) as bar:

        def advance(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        strip = writing.strip_metadata
        restore_video(learnir, task.source, task.place, options, advance, strip)
    return lost


def _before_after(before: np.ndarray, after: np.ndarray) -> bytes:
    import io

    out = io.BytesIO()
    sheet = grid([[reduce(p, COMPARE_SIDE) for p in (before, after)]], ["before", "after"])
    Image.fromarray(sheet).save(out, "JPEG", quality=92)
    return out.getvalue()
