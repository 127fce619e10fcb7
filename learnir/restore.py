"""``learnir restore``: many files in, as many out; each whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from PIL import Image

from learnir.encoding import check_format, encode_photo, losses
from learnir.files import FORMAT_OF, read_photo
from learnir.images import ImageError, grid, shrunk
from learnir.masks import read_mask
from learnir.memory import MORE_MEMORY, out_of_memory
from learnir.pipeline import LearnIR
from learnir.planning import Task, Writing
from learnir.progress import progress
from learnir.side_by_side import ROOM, Room, default_workers, side_by_side
from learnir.video import losses_of_video, restore_video
from learnir.writing import clear_stale, refusal, write_atomically

COMPARE_SIDE = 2048
GO_ON = "what was finished is kept, --resume goes on"
FULL = (errno.ENOSPC, errno.EDQUOT)  # no room for any other file either
NAMED = 5  # files by each note; of 8,000 from one phone every one may have the same


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

    A folder that cannot be written to is named once, and none of its files is restored; a full disk
    ends the run. A stop (KeyboardInterrupt) gets a note that says what is done. A note that many
    files share names the first of them, and how many more there are.

    Args:
        options: keyword arguments of ``LearnIR.restore``.
        workers: pictures at a time; None is one for every core.
    """
    tasks, refused = _with_places(tasks, writing)
    for line in dict.fromkeys(refused):
        print(line, file=sys.stderr)
    replaces = not writing.resume and any(os.path.lexists(task.target) for task in tasks)
    batch = _Batch(learnir, sorted(tasks, key=lambda task: task.is_video), writing, options)
    outcome = batch.outcome
    outcome.failed += refused
    pictures = side_by_side(batch.work, batch.pictures, workers or default_workers())
    videos = side_by_side(batch.work, batch.videos, 1)
    bar = progress(len(tasks), "file", desc="restore")
    try:
        with bar, closing(pictures), ExitStack() as ending, warnings.catch_warnings():
            ending.callback(batch.stopped.set)  # before the pictures under way are waited for
            # readers of pictures do so as well, each for itself, and may put back another's filters
            warnings.simplefilter("ignore")
            for task, result in chain(pictures, videos):
                bar.set_postfix_str(f"{len(outcome.failed)} failed, {task.source.name[-24:]}")
                for line in batch.count(task, result):
                    bar.write(line, file=sys.stderr)
                bar.update()
                if batch.full:
                    break
    except KeyboardInterrupt as stop:
        stop.add_note(batch.so_far() if replaces else GO_ON)
        raise
    finally:
        for note, number in batch.more.items():
            print(f"{note}: {number} more", file=sys.stderr)
    outcome.restored = len(batch.restored)  # with those that ended while others were given up
    if batch.full:
        left = len(batch.left())
        line = f"{batch.full}, so {left} not restored; make room there; "
        outcome.failed += [line + (batch.so_far() if replaces else GO_ON)] * left
        print(outcome.failed[-1], file=sys.stderr)
    return outcome


class _Batch:
    """Tasks under way, pictures before videos, and what has become of them so far."""

    def __init__(
        self, learnir: LearnIR, tasks: Sequence[Task], writing: Writing, options: dict[str, Any]
    ) -> None:
        self.learnir, self.tasks, self.writing = learnir, tasks, writing
        self.options = {**options, "progress": self._go_on}
        self.pictures = [task for task in tasks if not task.is_video]
        self.videos = [task for task in tasks if task.is_video]
        self.outcome, self.stopped, self.room = Outcome(), Event(), Room()
        self.restored: list[Task] = []  # as they end, while ``count`` goes by the tasks' order
        self.failed: list[Task] = []
        self.full = ""  # the folder on a disk without room, and what the system says of it
        self.notes: Counter[str] = Counter()

    def _go_on(self, _done: int, _total: int) -> None:
        """Called after every evaluation of the network, so that Ctrl-C waits for one at most."""
        if self.stopped.is_set():
            raise InterruptedError("stopped")

    def work(self, task: Task) -> tuple[bool, list[str]]:
        """Whether it was restored, or its result there already; what could not be kept."""
        done = _is_there(task, self.writing)
        if done and not self.writing.compare:
            return False, []
        with self.room.reserve(0 if task.is_video else _pixels(task.source)):
            if done:
                return False, _add_compare(task, self.writing)
            notes = restore_file(self.learnir, task, self.writing, self.options)
        self.restored.append(task)
        return True, notes

    def count(self, task: Task, result: Callable[[], tuple[bool, list[str]]]) -> list[str]:
        """Adds a task's result, or its failure, to the outcome; lines to print about it."""
        try:
            new, notes = result()
        except Exception as error:  # whatever one file brings about, the others go on
            if isinstance(error, OSError) and error.errno in FULL:
                self.full = f"{task.destination.parent}: disk full ({error.strerror})"
                return []
            self.failed.append(task)
            self.outcome.failed.append(_failure(task, error))
            return self.outcome.failed[-1:]
        self.outcome.skipped += not new
        self.notes.update(notes)
        return [f"{task.source}: {note}" for note in notes if self.notes[note] <= NAMED]

    @property
    def more(self) -> dict[str, int]:
        """Notes of more files than were named, and of how many."""
        return {note: number - NAMED for note, number in self.notes.items() if number > NAMED}

    def left(self) -> list[Task]:
        """Tasks without a result that have not failed by themselves."""
        ended = {id(task) for task in (*self.restored, *self.failed)}
        rest = [task for task in self.tasks if id(task) not in ended]
        return [task for task in rest if not _is_there(task, self.writing)]

    def so_far(self) -> str:
        """How far a run that replaces results has come, which --resume cannot tell."""
        if not self.restored:
            return f"none of {len(self.tasks)} restored"
        done = {id(task) for task in self.restored}
        last = max(place for place, task in enumerate(self.tasks) if id(task) in done)
        tried = done | {id(task) for task in self.failed}
        left = [task for task in self.tasks[:last] if id(task) not in tried]
        gaps = "".join(f", without {task.source}" for task in left)
        return f"{len(done)} of {len(self.tasks)} restored, up to {self.tasks[last].source}{gaps}"


def _is_there(task: Task, writing: Writing) -> bool:
    """Whether an earlier run has left a result that stays."""
    return writing.resume and os.path.exists(task.target)  # Path's may raise


def _pixels(path: Path) -> int:
    """The pixels of a picture, from its header; ROOM where that does not tell, never an error.

    What is no file (/dev/stdin) can be read only once, so its header is not.
    """
    if not os.path.isfile(path):  # Path.is_file may raise
        return ROOM
    try:
        with Image.open(path) as image:
            return image.width * image.height
    except Exception:  # Pillow's parsers may raise anything
        return ROOM


def _with_places(tasks: Sequence[Task], writing: Writing) -> tuple[list[Task], list[str]]:
    """Tasks whose folders can be written to, made if missing; and a line for every other task.

    Tasks of one folder have the same line. What a killed run left in the folders is removed.
    """
    waiting: dict[Path, list[Task]] = {}
    for task in tasks:
        if not _is_there(task, writing):  # else there is nothing to write
            waiting.setdefault(task.destination.parent, []).append(task)
    refused = {folder: why for folder in waiting if (why := refusal(folder))}
    for folder in waiting.keys() - refused.keys():
        clear_stale(folder)
    lines = [
        f"{folder}: cannot be written to ({why}), so {len(waiting[folder])} not restored; choose "
        "another -o, or check the permissions of the folder"
        for folder, why in refused.items()
        for _ in waiting[folder]
    ]
    left = {id(task) for folder in refused for task in waiting[folder]}
    return [task for task in tasks if id(task) not in left], lines


def _failure(task: Task, error: Exception) -> str:
    """One line that names the file first."""
    if out_of_memory(error):
        return f"{task.source}: not enough memory; try --workers 1, {MORE_MEMORY}"
    if isinstance(error, OSError):
        place = error.filename or task.target
        return f"{place}: cannot be written ({error.strerror or error}); check -o"
    text = str(error)
    if not isinstance(error, ImageError):
        return (
            f"{task.source}: unexpected {type(error).__name__} ({' '.join(text.split())}); "
            "save it again with another program, and please report it"
        )
    named = text.startswith((f"{task.source}:", f"{task.target}:"))
    return text if named else f"{task.source}: {text}"


def restore_file(
    learnir: LearnIR, task: Task, writing: Writing, options: dict[str, Any]
) -> list[str]:
    """One file; returns what could not be kept as it was, a note each that does not name it."""
    if task.is_video:
        return _restore_video(learnir, task, writing, options)
    photo = read_photo(task.source, writing.most_pixels)
    format = FORMAT_OF.get(task.target.suffix.lower(), photo.written_as)
    check_format(photo, format)  # before the work, not after it
    if task.mask is not None:
        mask = read_mask(task.mask, photo.picture.shape[:2], writing.most_pixels)
        options = {**options, "strength": options.get("strength", 1.0) * mask}
    restored = learnir.restore(photo.picture, **options).picture
    data = encode_photo(photo, restored, format, writing.strip_metadata)
    compare = _before_after(photo.picture, restored) if writing.compare else None
    write_atomically(task.destination, data)
    notes = [*photo.notes, *losses(photo, format, writing.strip_metadata)]
    return notes if compare is None else [*notes, *_write_compare(task, compare)]


def _write_compare(task: Task, data: bytes) -> list[str]:
    """Writes before | after; a note where that fails, as it may: its name is the longer one."""
    try:
        write_atomically(task.compare, data)
    except OSError as error:
        return [f"no before | after picture ({error.strerror or error})"]
    return []


def _add_compare(task: Task, writing: Writing) -> list[str]:
    """Adds the before | after picture that a result of an earlier run lacks; notes."""
    if task.is_video or task.in_place or os.path.exists(task.compare):
        return []
    before, after = (read_photo(x, writing.most_pixels).picture for x in (task.source, task.target))
    return _write_compare(task, _before_after(before, after))


def _restore_video(
    learnir: LearnIR, task: Task, writing: Writing, options: dict[str, Any]
) -> list[str]:
    """A video; returns what could not be kept."""
    lost = losses_of_video(task.source)  # first: in place, the result takes the source's name
    with progress(None, "frame", desc=task.source.name[-24:], leave=False) as bar:

        def advance(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        strip = writing.strip_metadata
        restore_video(learnir, task.source, task.destination, options, advance, strip, lost)
    return lost


def _before_after(before: np.ndarray, after: np.ndarray) -> bytes:
    out = io.BytesIO()
    sheet = grid([[shrunk(p, COMPARE_SIDE) for p in (before, after)]], ["before", "after"])
    Image.fromarray(sheet).save(out, "JPEG", quality=92)
    return out.getvalue()
