"""A cache with a limit and an age, and the thread that empties it while nobody looks."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """Least recently used values go beyond ``limit``, all of them after ``age`` seconds.

    Args:
        limit: largest sum of ``weigh`` over the values, such as bytes.
        clock: seconds, from any start.
    """

    def __init__(
        self,
        limit: int,
        weigh: Callable[[Value], int],
        age: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit, self._weigh, self._age, self._clock = limit, weigh, age, clock
        self._entries: OrderedDict[Hashable, tuple[Value, float]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: Hashable, value: Value, *, lasting: bool = False) -> None:
        """Keeps ``value``, beyond its age if ``lasting``; a single one however large it is."""
        with self._lock:
            self._drop_old()
            self._entries.pop(key, None)
            self._entries[key] = value, math.inf if lasting else self._clock() + self._age
            while len(self._entries) > 1 and self.weight() > self._limit:
                self._entries.popitem(last=False)

    def get(self, key: Hashable) -> Value | None:
        """Value of ``key``, None once it is gone; reading it does not extend its age."""
        with self._lock:
            self._drop_old()
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def drop(self, key: Hashable) -> None:
        """Forgets ``key`` if it is there."""
        with self._lock:
            self._entries.pop(key, None)

    def sweep(self) -> None:
        """Forgets values past their age."""
        with self._lock:
            self._drop_old()

    def _drop_old(self) -> None:
        now = self._clock()
        for key in [key for key, (_, until) in self._entries.items() if until <= now]:
            del self._entries[key]

    def weight(self) -> int:
        """Sum of ``weigh`` over the values."""
        return sum(self._weigh(value) for value, _ in self._entries.values())


def keep_swept(sweeps: Sequence[Callable[[], None]], every: float) -> None:
    """Calls all ``sweeps`` in a thread, every so many seconds."""

    def sweep() -> None:
        while True:
            time.sleep(every)
            for one in sweeps:
                with suppress(Exception):  # the next one is tried all the same
                    one()

    threading.Thread(target=sweep, name="sweep", daemon=True).start()
