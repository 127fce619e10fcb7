"""Progress of long work: a bar on a terminal, now and then a line in a log."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

PATIENCE = 30.0  # seconds between two lines of a log, and before the first


class LoggedProgress(tqdm):
    """Progress as lines, for output that is not a terminal; none for work that is soon done."""

    printed = False

    def __init__(self, *args: Any, patience: float = PATIENCE, **options: Any) -> None:
        own = {"delay": patience, "mininterval": patience, "miniters": 1, "ncols": 80}
        super().__init__(*args, **{**options, **own, "leave": False})

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Prints the state as a line; a ``msg``, which would wipe a bar, is not printed."""
        if msg is None:
            print(self, file=self.fp, flush=True)
            self.printed = True
        return False

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """Shown with the next line, which comes no earlier for it."""
        super().set_postfix_str(s, refresh=False)

    @classmethod
    def write(cls, s: str, file: Any = None, end: str = "\n", nolock: bool = False) -> None:
        """Prints a message; there is no bar to make way for it."""
        print(s, file=file, end=end)

    def close(self) -> None:
        """Prints the last state if an earlier one was printed."""
        if self.printed and not self.disable:
            self.display()
        super().close()


def progress(total: int | None, unit: str, **options: Any) -> tqdm:
    """A bar with rate and remaining time; ``update(n)`` moves it. Use it in a ``with``.

    Args:
        total: how many units; None where nobody knows.
        options: further ones of ``tqdm``.
    """
    given = {"total": total, "unit": unit, "smoothing": 0.05, **options}
    if sys.stderr.isatty():
        return tqdm(dynamic_ncols=True, **given)
    return LoggedProgress(patience=PATIENCE, **given)
