"""Where the app keeps files: one private folder that is emptied by age and removed at the end."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: leftovers of a killed server stay until its user removes them
    fcntl = None  # type: ignore[assignment]

EXAMPLES = Path(__file__).with_name("examples")
PREFIX = "learnir-app-"
EVERY_S, AGE_S = 60, 3600
"""What is older than AGE_S is deleted, looked for every EVERY_S seconds."""


def open_cache() -> Path:
    """Points Gradio's cache at a fresh folder only this user can read, removed at exit.

    It lies in GRADIO_TEMP_DIR where that is set, beside what may be somebody else's. What a killed
    server has left behind is removed now.
    """
    within = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())
    within.mkdir(parents=True, exist_ok=True)
    remove_left(within)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=within))
    _lock(folder)  # held until this process has ended, however it ends
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def remove_left(within: Path) -> None:
    """Removes the folders, an hour old, of this user's servers that are gone."""
    for folder in within.glob(f"{PREFIX}*"):
        with suppress(OSError), _abandoned(folder) as abandoned:
            if abandoned and time.time() - folder.stat().st_mtime > AGE_S:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _abandoned(folder: Path) -> Iterator[bool]:
    """Whether no running server holds the folder; while this is open none begins to."""
    held = _lock(folder)
    try:
        yield held is not None and os.fstat(held).st_uid == os.getuid()
    finally:
        if held is not None:
            os.close(held)


def _lock(folder: Path) -> int | None:
    """A descriptor that keeps the folder locked; None where another process has it, or without
    locks."""
    if fcntl is None:
        return None
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


def files() -> frozenset[str]:
    """Paths of all files in the cache."""
    return frozenset(str(path) for path in cache_folder().rglob("*") if path.is_file())


def sweep(spared: Set[str], clock: Callable[[], float] = time.time) -> None:
    """Deletes files of the cache that are older than AGE_S, but for ``spared`` paths, and folders
    that have been empty for as long.

    Gradio deletes those alone that it knows of, and loses sight of many.
    """
    now = clock()
    for folder, _, names in os.walk(cache_folder(), topdown=False):
        for path in (os.path.join(folder, name) for name in names):
            with suppress(OSError):  # gone meanwhile
                if path not in spared and now - os.lstat(path).st_ctime > AGE_S:
                    os.unlink(path)
        with suppress(OSError):  # not empty
            if Path(folder) != cache_folder() and now - os.stat(folder).st_mtime > AGE_S:
                os.rmdir(folder)


def cache_folder() -> Path:
    """The folder that ``open_cache`` has opened."""
    return Path(os.environ["GRADIO_TEMP_DIR"])


def is_ours(path: str | Path) -> bool:
    """Whether a file lies in the cache or among the examples, wherever its links lead."""
    real = Path(path).resolve()
    cache = os.environ.get("GRADIO_TEMP_DIR")
    folders = [EXAMPLES, *([Path(cache)] if cache else [])]
    return any(real.is_relative_to(folder.resolve()) for folder in folders)


def plain_name(name: str) -> str:
    """A file name's last part without anything but letters, digits, ``. _ -``; at most 80."""
    last = re.split(r"[\\/]", name)[-1]
    return re.sub(r"[^\w.\-]+", "_", last).strip("._")[:80] or "picture"


def new_file(name: str) -> Path:
    """Where a file may be written: its own folder of the cache; Gradio serves it, ``sweep``
    deletes it."""
    folder = cache_folder() / uuid.uuid4().hex
    folder.mkdir(parents=True)
    return folder / plain_name(name)


def keep(data: bytes, name: str) -> str:
    """Writes ``data`` to a ``new_file``; returns its path."""
    path = new_file(name)
    path.write_bytes(data)
    return str(path)
