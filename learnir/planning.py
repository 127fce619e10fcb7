"""What ``learnir restore`` is about to do: which files in, and where each result goes."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from learnir.decoding import (
    IMAGE_SUFFIXES,
    MOST_PIXELS,
    OTHER_PICTURES,
    READ_ONLY,
    VIDEO_SUFFIXES,
)
from learnir.files import FORMAT_OF, SUFFIX_OF
from learnir.finding import COMPARE, OTHER_VIDEOS, find
from learnir.paths import as_spelled, composed, real

FOLDS_CASE = sys.platform in ("darwin", "win32")
"""Whether names that differ in capitals alone are one file, as disks are set up there."""
FOLDS_ACCENTS = sys.platform == "darwin"
"""Whether an accent is the same within its letter and behind it."""

Input = tuple[Path, Path]
"""A file, and its name below the folder of results."""


class PlanError(ValueError):
    """Inputs and outputs that do not go together; said before anything is written."""


@dataclass(frozen=True)
class Task:
    """One file to restore, where its result goes, and the mask that says where to restore it."""

    source: Path
    target: Path
    mask: Path | None = None

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
        return _canonical(self.source) == _canonical(self.target)

    @property
    def destination(self) -> Path:
        """The file that is written: in place, the one that a link leads to."""
        return real(self.target) if self.in_place else self.target


@dataclass(frozen=True)
class Plan:
    """What a batch is about to do.

    Attributes:
        tasks: what is restored.
        problems: a line for each input that cannot be.
        notes: a line for each that is left out on purpose.
    """

    tasks: list[Task]
    problems: list[str]
    notes: list[str]


@dataclass(frozen=True)
class Writing:
    """What to write.

    Attributes:
        format: "jpeg", "png", "webp", "tiff", or None for that of the input; HEIC and AVIF, which
            are only read, become JPEG.
        compare: a before | after picture beside every result.
        resume: leave alone what is there already.
        overwrite: results may replace what is there, inputs too.
        strip_metadata: no EXIF in the results.
        most_pixels: larger pictures are refused unread.
    """

    format: str | None = None
    compare: bool = False
    resume: bool = False
    overwrite: bool = False
    strip_metadata: bool = False
    most_pixels: int = MOST_PIXELS


def plan(paths: Sequence[str], out: Path, writing: Writing, masks: Path | None = None) -> Plan:
    """Tasks for files, folders (searched through, structure kept) and globs.

    Files in ``out`` and ``masks``, and before | after pictures, are not taken from a folder that
    holds them.

    Args:
        out: a folder, or a file name with a known suffix when there is one input file.
        masks: the mask of the one input, or a folder of masks that are named as their pictures.

    Raises PlanError for two inputs with one output, for an output that exists unless ``writing``
    says what becomes of it, for one that is an input unless ``writing.overwrite`` (and then for
    ``writing.resume``), for a format that cannot be written and for masks of no input.
    """
    if not paths:
        raise PlanError("no pictures given; name files, folders or globs")
    found, problems, notes = find(paths, out)
    if masks is not None:
        found = _without_masks(found, masks)
    single = _is_file_name(out)
    _check_out(out, found, single, writing.format)
    if not single and out.suffix and len(found) == 1 and not out.exists():
        notes.append(f"{out}: a folder; for a file, end its name with .jpg, .png or .mp4")
    mask_of = _masks(masks, found) if masks is not None else {}
    tasks = [
        Task(path, out if single else _target(out / name, writing), mask_of.get(path))
        for path, name in found
    ]
    plain, links = _without_links(tasks)
    tasks = _with_distinct_targets(plain)
    if writing.resume and not single:
        tasks = _as_left(tasks, out)
    _check_outputs(tasks, writing)
    _check_new(tasks, writing)
    if writing.resume:
        notes += _notes_on_resuming(tasks, plain)
    if masks is not None:
        notes += _notes_on_masks(masks, tasks)
    return Plan(tasks, problems, [*notes, *links])


def _check_out(out: Path, found: Sequence[Input], single: bool, format: str | None) -> None:
    """PlanError where results cannot be written to ``out``, or not those of so many inputs."""
    # no one means a folder by such a name
    if out.suffix.lower() in READ_ONLY | OTHER_PICTURES | OTHER_VIDEOS and not out.is_dir():
        raise PlanError(
            f"{out}: {out.suffix} cannot be written; name a .jpg, .png, .webp, .tif or .mp4 file"
        )
    if not single and os.path.isfile(out):
        raise PlanError(f"{out}: a file, not a folder; choose another -o")
    if single and len(found) > 1:
        raise PlanError(f"{out}: a file name for {len(found)} pictures; give a folder with -o")
    if single:
        _check_suffix(out, found, format)


def _without_masks(found: Sequence[Input], masks: Path) -> list[Input]:
    """The inputs that are no masks; links count where they lie and where they lead."""
    places = {Path(os.path.abspath(masks)), real(masks)}

    def is_mask(path: Path) -> bool:
        leads = (Path(os.path.abspath(path)), real(path))
        return any(places & {lead, *lead.parents} for lead in leads)

    left = [one for one in found if not is_mask(one[0])]
    if (found and not left) or (masks.is_file() and len(left) < len(found)):
        raise PlanError(f"{masks}: an input itself; give masks a folder of their own")
    return left


def _masks(masks: Path, found: Sequence[Input]) -> dict[Path, Path]:
    """The mask of every input that has one; beside the same name, NAME.png and NAME.jpg.png do."""
    if not (masks.is_file() or masks.is_dir()):
        raise PlanError(f"{masks}: no such mask or folder of masks; check the path")
    pictures = [(path, name) for path, name in found if path.suffix.lower() not in VIDEO_SUFFIXES]
    if found and not pictures:
        raise PlanError(f"{masks}: masks are of pictures, not of videos; leave --mask out")
    if masks.is_file():
        if len(found) > 1:
            raise PlanError(f"{masks}: a mask is of one picture; for several, give a folder")
        return {path: masks for path, _ in pictures}
    mask_of = {
        path: mask
        for path, name in pictures
        for own in (name.with_name(f"{name.name}.png"), name.with_suffix(".png"), name)
        if os.path.isfile(mask := as_spelled(masks, own))  # Path.is_file may raise
    }
    if found and not mask_of:
        raise PlanError(f"{masks}: no mask for any picture; name them as the pictures, or NAME.png")
    return mask_of


def _notes_on_masks(masks: Path, tasks: Sequence[Task]) -> list[str]:
    """What is restored whole, and masks of nothing: a name may be misspelt."""
    whole = [task.source for task in tasks if task.mask is None]
    used = {task.mask for task in tasks}
    left = sorted(
        path
        for path in masks.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and path not in used
    )
    notes = []
    if whole:
        notes.append(
            f"{masks}: no mask for {len(whole)} of {len(tasks)}, restored whole; first {whole[0]}"
        )
    if left:
        notes.append(f"{masks}: {len(left)} of no picture, left out; first {left[0]}")
    return notes


def _with_distinct_targets(tasks: Sequence[Task]) -> list[Task]:
    """The tasks, with the source's suffix kept in results that would have one name.

    Beside a.jpg, the JPEG of a.heic is a.heic.jpg. Some systems do not distinguish capitals.
    """
    results = Counter(str(task.target).casefold() for task in tasks)

    def shared(task: Task) -> bool:
        converted = task.target.name != task.source.name
        return converted and results[str(task.target).casefold()] > 1

    return [
        replace(task, target=task.target.with_name(task.source.name + task.target.suffix))
        if shared(task)
        else task
        for task in tasks
    ]


def _as_left(tasks: Sequence[Task], out: Path) -> list[Task]:
    """Tasks whose targets are the results of earlier runs, however their accents are written.

    Copying to another system may change that. A result that is another task's stays so.
    """
    claimed = {task.target for task in tasks}

    def left(target: Path) -> Path:
        existing = as_spelled(out, target.relative_to(out))
        return target if existing in claimed else existing

    return [replace(task, target=left(task.target)) for task in tasks]


def _notes_on_resuming(tasks: Sequence[Task], plain: Sequence[Task]) -> list[str]:
    """A line for every result that exists and may have been made from another input.

    An earlier run gave a.heic the name a.jpg where there was no a.jpg yet. ``plain`` are the tasks
    before ``_with_distinct_targets``.
    """
    existing = {str(t.target).casefold(): t for t in tasks if os.path.exists(t.target)}
    notes = []
    for task, before in zip(tasks, plain, strict=True):
        other = existing.get(str(before.target).casefold())
        if other is not None and task is not before and not os.path.exists(task.target):
            notes.append(
                f"{other.source}: skipped, as {other.target} is there; if that was made of "
                f"{task.source}, remove it and run again"
            )
    return notes


def _without_links(tasks: Sequence[Task]) -> tuple[list[Task], list[str]]:
    """Tasks without links that would restore a file in place once more; a note for each."""
    first: dict[tuple[Path, Path], Task] = {}
    notes = []
    for task in tasks:
        other = first.setdefault((real(task.source), real(task.target)), task)
        if other is not task:
            notes.append(f"{task.source}: the same file as {other.source}, restored once")
    return list(first.values()), notes


def _is_file_name(out: Path) -> bool:
    return out.suffix.lower() in (FORMAT_OF.keys() | VIDEO_SUFFIXES) and not out.is_dir()


def _check_suffix(out: Path, found: Sequence[Input], format: str | None) -> None:
    video = out.suffix.lower() in VIDEO_SUFFIXES
    if any((path.suffix.lower() in VIDEO_SUFFIXES) != video for path, _ in found):
        raise PlanError(f"{out}: a picture becomes a picture and a video a video; rename it")
    if not video and format not in (None, FORMAT_OF[out.suffix.lower()]):
        raise PlanError(f"{out}: not the name of a {format} file; leave --format out or rename it")


def _target(path: Path, writing: Writing) -> Path:
    suffix = path.suffix.lower()
    format = writing.format or ("jpeg" if suffix in READ_ONLY else None)
    if suffix in VIDEO_SUFFIXES or format in (None, FORMAT_OF.get(suffix)):
        return path
    return path.with_suffix(SUFFIX_OF[format])


def _outputs(task: Task, writing: Writing) -> list[Path]:
    return [task.target, task.compare] if writing.compare and not task.is_video else [task.target]


def _canonical(path: Path) -> str:
    """Where ``path`` leads, the same for all names of one file."""
    target = str(real(path))
    if FOLDS_ACCENTS:
        target = composed(target)
    return target.casefold() if FOLDS_CASE else target


def _check_outputs(tasks: Sequence[Task], writing: Writing) -> None:
    sources = {_canonical(task.source) for task in tasks}
    masks = {_canonical(task.mask) for task in tasks if task.mask is not None}
    claimed: dict[str, Path] = {}
    for task in tasks:
        for target in _outputs(task, writing):
            name = _canonical(target)
            if name in masks:
                raise PlanError(f"{target}: is a mask; choose another -o")
            if name in sources and not writing.overwrite:
                raise PlanError(f"{target}: is an input; choose another -o, or --overwrite it")
            if task.in_place and writing.resume:
                raise PlanError(
                    f"{target}: --resume cannot tell whether an input was restored already; "
                    "choose another -o, or leave --resume out"
                )
            if name in claimed:
                raise PlanError(
                    f"{claimed[name]} and {task.source}: both would become {target}; "
                    "restore them into different folders"
                )
            claimed[name] = task.source


def _check_new(tasks: Sequence[Task], writing: Writing) -> None:
    """PlanError for results that are there, unless ``writing`` says what becomes of them."""
    if writing.resume or writing.overwrite:
        return
    targets = [target for task in tasks for target in _outputs(task, writing)]
    existing = [target for target in targets if os.path.lexists(target)]
    if existing and len(targets) == 1:
        raise PlanError(f"{existing[0]}: there already; --resume skips it, --overwrite replaces it")
    if existing:
        raise PlanError(
            f"{len(existing)} of {len(targets)} results are there already, such as {existing[0]}; "
            "--resume skips them, --overwrite replaces them"
        )
