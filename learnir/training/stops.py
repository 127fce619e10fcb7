"""Requests to stop a run: Ctrl-C, SIGTERM, and SIGHUP, which a terminal sends that closes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows lacks the last


@contextmanager
def stop_signals_call(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Within it, requests to stop call ``handler``, except those that are ignored (``nohup``)."""
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    before = {n: signal.getsignal(n) for n in numbers}
    handled = [n for n in numbers if before[n] is not signal.SIG_IGN]
    for number in handled:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """Collects the requests, so that a loop can stop between two steps.

    A step that compiles takes minutes: the second Ctrl-C gives the third its usual effect. Only
    Ctrl-C, and not the second already: others come twice of themselves, as from ``timeout``, and
    Ctrl-C reaches a fork from the terminal and from its parent.
    """
    received: list[int] = []
    usual = signal.getsignal(signal.SIGINT)

    def request(number: int, _frame: object) -> None:
        again = number == signal.SIGINT and number in received
        received.append(number)
        if again:
            signal.signal(number, usual)
        hint = "; Ctrl-C once more stops at once" if again else ""
        print(f"stopping after this step ...{hint}", file=sys.stderr)

    with stop_signals_call(request):
        yield received
