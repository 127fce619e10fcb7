"""Many uploads restored into one zip: pictures under their own names, and ``results.csv``."""

from __future__ import annotations

import csv
import io
import threading
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from benchmarks.export import no_formula
from demo import photos
from demo.context import Context
from demo.engine import NotReady, Settings
from demo.failures import failures_shown, refusal
from demo.runs import WAITING, Cancelled
from demo.storage import new_file, plain_name
from learnir.images import ImageError
from learnir.writing import replacing

MOST_FILES = 100
RESTORING = "Restoring"
STOPPED = "not restored: stopped before"


@dataclass(frozen=True)
class Line:
    """One file of a batch; ``output`` is empty and ``message`` says why where it failed."""

    file: str
    message: str = ""
    output: str = ""
    width: int = 0
    height: int = 0
    mode: str = ""
    seconds: float = 0.0

    def row(self) -> list[object]:
        """Values in the order of COLUMNS."""
        return list(astuple(self))


COLUMNS = tuple(f.name for f in fields(Line))


@dataclass(frozen=True)
class Done:
    """A finished batch: a line per file, and the path of the zip."""

    lines: list[Line]
    archive: str


def restore_files(
    context: Context,
    paths: Sequence[str],
    settings: Settings,
    progress: Callable[..., object],
    flag: threading.Event | None = None,
) -> Done:
    """Restores every file, or those before ``flag`` was set; the others' lines say so.

    Raises gr.Error for none, too many or a missing model, Cancelled where no file was finished.
    """
    if not paths:
        raise refusal("Choose some pictures first.")
    if len(paths) > MOST_FILES:
        raise refusal(f"{len(paths)} files: at most {MOST_FILES} at a time; use learnir restore.")
    with failures_shown():
        context.engine.model()
        lines: list[Line] = []

        def tell(doing: str) -> None:
            progress((len(lines), len(paths)), desc=doing, unit="files")

        path = new_file("restored.zip")
        with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            try:
                for given in paths:
                    tell(RESTORING)
                    lines.append(_add(context, archive, given, settings, flag, tell))
            except Cancelled:
                if not lines:
                    raise
            rest = [plain_name(Path(given).name) for given in paths[len(lines) :]]
            lines += [Line(name, message=STOPPED) for name in rest]
            archive.writestr("results.csv", to_csv(lines))
    return Done(lines, str(path))


def _add(
    context: Context,
    archive: zipfile.ZipFile,
    path: str,
    settings: Settings,
    flag: threading.Event | None,
    tell: Callable[[str], None],
) -> Line:
    name = plain_name(Path(path).name)
    try:
        photo = photos.open_photo(path)
        result = context.engine.restore(
            photo.picture,
            settings,
            progress=lambda *_: tell(RESTORING),
            flag=flag,
            waiting=lambda n: tell(WAITING.format(n)),
        )
    except (Cancelled, NotReady):
        raise
    except (ImageError, ValueError, MemoryError) as error:
        return Line(name, str(error).removeprefix(f"{name}: ") or "out of memory")
    data, output = photos.encode_like(photo, result.picture)
    output = unused(output, set(archive.namelist()))
    archive.writestr(output, data)
    h, w = photo.picture.shape[:2]
    return Line(name, "", output, w, h, result.mode, round(result.seconds, 3))


def unused(name: str, taken: set[str]) -> str:
    """``name``, numbered when another file of the batch has it already."""
    path, number = Path(name), 2
    while name in taken:
        name, number = f"{path.stem}-{number}{path.suffix}", number + 1
    return name


def to_csv(lines: Sequence[Line]) -> str:
    """The lines with a header; text that a spreadsheet would run as a formula is quoted."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([no_formula(value) for value in line.row()] for line in lines)
    return text.getvalue()
