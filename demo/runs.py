"""Runs of the model: one at a time, first come first served, each stopped by who started it.

Cancel sets a flag that the run itself checks, so that it ends as any other event does. Gradio's own
cancelling answers with nothing, which the page takes for a failure when that answer comes late.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

Waiting = Callable[[int], object]
"""Called with the number of runs that go first, whenever it has changed."""
WAITING = "Waiting: {} before you"
LOOK_S = 0.2
MOST = 64
"""Most runs waiting or running at a time: each of them holds a thread of the server."""


class Cancelled(Exception):
    """Raised inside a restoration whose user pressed Cancel or left."""

    said = "Stopped."


class Repeated(Cancelled):
    """Raised instead of a run that is under way already, as where the button is pressed twice."""

    said = "Under way already."


class Flag(threading.Event):
    """Stops the run of a picture, or of many, with some settings, once it is set."""

    def __init__(self, of: Hashable, how: Hashable) -> None:
        super().__init__()
        self.of, self.how = of, how


class Crowded(RuntimeError):
    """Too many runs are under way: one line with the remedy."""


class Cancellations:
    """The run that each browser session has under way on each tab, at most ``most`` of them."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._flags: dict[tuple[str, Hashable], Flag] = {}
        self._lock = threading.Lock()

    @contextmanager
    def run(
        self, tab: str, session: Hashable, of: Hashable = None, how: Hashable = None
    ) -> Iterator[Flag]:
        """A run of ``session`` on ``tab``, ``of`` a picture, with the settings ``how``: its flag.

        It stops the one before. Raises Crowded, Repeated.
        """
        flag = Flag(of, how)
        with self._lock:
            before = self._flags.get((tab, session))
            if before is None:
                if len(self._flags) >= self._most:
                    raise Crowded(f"{self._most} others are waiting; try again in a minute")
            elif (before.of, before.how) == (of, how) and not before.is_set():
                raise Repeated
            else:
                before.set()
            self._flags[tab, session] = flag
        try:
            yield flag
        finally:
            with self._lock:
                if self._flags.get((tab, session)) is flag:  # a newer one may have begun
                    del self._flags[tab, session]

    def cancel(self, tab: str, session: Hashable) -> None:
        """Raises the flag of the run under way, if there is one."""
        if flag := self._flag(tab, session):
            flag.set()

    def cancel_other(self, tab: str, session: Hashable, of: Hashable) -> None:
        """Raises the flag of the run under way unless the run is ``of`` that picture."""
        flag = self._flag(tab, session)
        if flag and flag.of != of:
            flag.set()

    def _flag(self, tab: str, session: Hashable) -> Flag | None:
        with self._lock:
            return self._flags.get((tab, session))

    def cancel_all(self, session: Hashable) -> None:
        """Raises the flags of all that a session which has left has under way."""
        with self._lock:
            flags = [flag for (_, whose), flag in self._flags.items() if whose == session]
        for flag in flags:
            flag.set()


class Turns:
    """A queue for one worker: first come, first served."""

    def __init__(self) -> None:
        self._line: deque[object] = deque()
        self._moved = threading.Condition()

    @contextmanager
    def turn(
        self, flag: threading.Event | None = None, waiting: Waiting | None = None
    ) -> Iterator[None]:
        """Waits for the turn and holds it. Raises Cancelled once ``flag`` is set."""
        ticket = object()
        with self._moved:
            self._line.append(ticket)
        try:
            self._wait(ticket, flag, waiting)
            yield
        finally:
            with self._moved:
                self._line.remove(ticket)
                self._moved.notify_all()

    def _wait(self, ticket: object, flag: threading.Event | None, waiting: Waiting | None) -> None:
        reported = 0
        while True:
            if flag is not None and flag.is_set():
                raise Cancelled
            with self._moved:
                before = self._line.index(ticket)
                if before == reported > 0:
                    self._moved.wait(LOOK_S)
            if before == 0:
                return
            if waiting is not None and before != reported:
                waiting(before)
            reported = before
