"""How the commands end when Ctrl-C is pressed or nobody reads on: quietly, as other programs do.

Imports nothing that takes time: what it runs is imported while Ctrl-C is minded already.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import NoReturn

STDOUT, STDERR = 1, 2  # their file descriptors
INTERRUPTED, UNREAD = 130, 141  # as of programs that SIGINT and SIGPIPE end


def run(command: str, module: str) -> NoReturn:
    """Imports ``module`` and ends the process with what its ``main()`` returns or exits with.

    Ctrl-C that ``main`` does not take is one line that names ``command``, and 130. Output that
    nobody reads is no line, and 141.
    """
    asked = _interrupts()
    try:
        try:
            code = import_module(module).main()
        finally:
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        if unread(error):
            code = UNREAD
        elif asked or isinstance(error, KeyboardInterrupt):
            print(f"{command}: stopped", file=sys.stderr)
            code = INTERRUPTED
        else:
            raise
    sys.exit(code)


def unread(error: BaseException) -> bool:
    """Whether ``error`` says that nobody reads the output any more, as behind ``| head -1``.

    Then the rest of it is dropped. Any other pipe or connection may break as well.
    """
    broken = _broken_outputs() if isinstance(error, BrokenPipeError) else []
    for stream in broken:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    return bool(broken)


def _broken_outputs() -> list[int]:
    """Which of the process' outputs has lost its reader."""
    if not hasattr(select, "poll"):  # Windows cannot be asked; most often it is this one
        return [STDOUT]
    poll = select.poll()
    for stream in (STDOUT, STDERR):
        poll.register(stream, 0)
    return [stream for stream, event in poll.poll(0) if event & select.POLLERR]


def _interrupts() -> list[int]:
    """Collects the Ctrl-C of this process from now on; each still raises KeyboardInterrupt.

    An import that is interrupted may fail in its own words, as NumPy's does with ImportError.
    """
    asked: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else the shell ignores it
        signal.signal(signal.SIGINT, interrupt)
    return asked
