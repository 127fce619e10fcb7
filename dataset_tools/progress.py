"""How far a long piece of work is: a bar on a terminal, now and then a line in a log."""

from __future__ import annotations

import sys
from typing import Any, TextIO

from tqdm import tqdm

PATIENCE = 30.0  # seconds between two lines of a log, and before the first


class LoggedProgress(tqdm):
    """Lines of their own, for output that no terminal shows; none of work that is soon done."""

    def __init__(self, *args: Any, patience: float = PATIENCE, **options: Any) -> None:
        super().__init__(*args, delay=patience, mininterval=patience, ncols=80, **options)

    @staticmethod
    def status_printer(file: TextIO) -> Any:
        """Writes every state on a new line (``close`` ends the last); none to wipe a bar."""
        written: list[str] = []

        def write(state: str) -> None:
            if state:
                file.write("\n" + state if written else state)
                file.flush()
                written[:] = [state]

        return write


def progress(total: int, unit: str) -> tqdm:
    """A bar with rate and remaining time; ``update(n)`` moves it. Use it in a ``with``."""
    if sys.stderr.isatty():
        return tqdm(total=total, unit=unit, smoothing=0.05)
    return LoggedProgress(total=total, unit=unit, smoothing=0.05)
