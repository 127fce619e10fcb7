"""Where the app keeps files: one private folder that is emptied by age and removed at the end."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
import uuid
from pathlib import Path

EXAMPLES = Path(__file__).with_name("examples")
EVERY_S, AGE_S = 300, 3600
"""Gradio deletes what is older than AGE_S, looking every EVERY_S seconds."""


def open_cache() -> Path:
    """Points Gradio's cache at a fresh folder only this user can read, removed at exit.

    A GRADIO_TEMP_DIR that is set already is used as it is.
    """
    given = os.environ.get("GRADIO_TEMP_DIR")
    if given:
        return Path(given)
    folder = Path(tempfile.mkdtemp(prefix="learnir-app-"))
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def is_ours(path: str | Path) -> bool:
    """Whether a file lies in the cache or among the examples, wherever its links lead."""
    real = Path(path).resolve()
    cache = os.environ.get("GRADIO_TEMP_DIR")
    folders = [EXAMPLES, *([Path(cache)] if cache else [])]
    return any(real.is_relative_to(folder.resolve()) for folder in folders)


def plain_name(name: str, fallback: str = "picture") -> str:
    """A file name's last part without anything but letters, digits, ``. _ -``; at most 80."""
    last = re.split(r"[\\/]", name)[-1]
    return re.sub(r"[^\w.\-]+", "_", last).strip("._")[:80] or fallback


def keep(data: bytes, name: str) -> str:
    """Writes ``data`` under its own folder of the cache; Gradio serves and later deletes it."""
    folder = Path(os.environ["GRADIO_TEMP_DIR"]) / uuid.uuid4().hex
    folder.mkdir(parents=True)
    path = folder / plain_name(name)
    path.write_bytes(data)
    return str(path)
