"""How the commands end when Ctrl-C is pressed or nobody reads on: quietly, as other programs do.

Imports nothing that takes time: what it runs is imported when Ctrl-C is handled already.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType, TracebackType
from typing import NoReturn

from learnir.memory import MORE_MEMORY, out_of_memory

STDOUT, STDERR = 1, 2  # their file descriptors
FAILED, INTERRUPTED, BROKEN_PIPE = 1, 130, 141  # the last two as of SIGINT and SIGPIPE
_asked: list[int] = []  # signals that have asked this process to stop


class Stopped(KeyboardInterrupt):
    """A signal asked this process to stop; ``status``: exit status of programs that it kills."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.status = 128 + number


def run(command: str, module: str) -> NoReturn:
    """Imports ``module`` and ends the process with what its ``main()`` returns or exits with.

    Ctrl-C that ``main`` does not take is one line that names ``command``, and 130. So is memory
    that runs out, and 1. Output that nobody reads is no line, and 141.
    """
    _open_closed_streams()
    _handle(signal.SIGINT, signal.default_int_handler)
    sys.excepthook = _tell
    try:
        try:
            code = import_module(module).main()
        finally:
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        if is_broken_pipe(error):
            code = BROKEN_PIPE
        elif _asked or isinstance(error, KeyboardInterrupt):
            # an import that is interrupted may fail in its own words, as NumPy's by ImportError
            print(f"{command}: stopped", file=sys.stderr)
            code = 128 + _asked[-1] if _asked else INTERRUPTED
        elif out_of_memory(error):
            print(
                f"{command}: not enough memory ({one_line(error)}); {MORE_MEMORY}", file=sys.stderr
            )
            code = FAILED
        else:
            raise
    sys.exit(code)


def _open_closed_streams() -> None:
    """Streams that are closed (``>&-``) lead nowhere: their numbers are free for files, into which
    libraries would print otherwise."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - for as long as the process


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Prints an error, but no request to stop: NumPy prints what interrupts its import in C."""
    if not isinstance(error, Stopped):
        sys.__excepthook__(kind, error, trace)


def one_line(error: BaseException) -> str:
    """The text of an error on one line, or its type where it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def outcome(
    command: str,
    work: Callable[[], int],
    expected: Callable[[], tuple[type[Exception], ...]],
    extra: str,
) -> int:
    """What ``work`` returns; where it is stopped, or fails as expected, one line and a status.

    SIGTERM and SIGHUP stop it as Ctrl-C does, so that what it started and its temporary files go.

    Args:
        expected: the exceptions that say in a line what the user can do; called when one comes.
        extra: the extra that holds the packages which ``work`` may lack.
    """
    try:
        with signals_interrupt():
            code = work()
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        print(f"{command}: stopped; run the same command to go on", file=sys.stderr)
        return getattr(stop, "status", INTERRUPTED)
    except ImportError as error:  # pandas and others say by a plain one what they lack
        if _asked or out_of_memory(error):  # or an import was stopped by that, see ``run``
            raise
        remedy = f"in the repository run: pip install -e '.[{extra}]'"
        print(f"{command}: {one_line(error)}; {remedy}", file=sys.stderr)
        return FAILED
    except expected() as error:
        if is_broken_pipe(error):
            return BROKEN_PIPE
        print(f"{command}: {one_line(error)}", file=sys.stderr)
        return FAILED
    return code


def is_broken_pipe(error: BaseException) -> bool:
    """Whether ``error`` says that nobody reads the output any more, as behind ``| head -1``.

    Then the rest of it is dropped. Any other pipe or connection may break as well.
    """
    broken = _broken_outputs() if isinstance(error, BrokenPipeError) else []
    for stream in broken:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    return bool(broken)


def _broken_outputs() -> list[int]:
    """File descriptors of the outputs that nobody reads any more."""
    if not hasattr(select, "poll"):  # Windows cannot be asked; most often it is this one
        return [STDOUT]
    poll = select.poll()
    for stream in (STDOUT, STDERR):
        poll.register(stream, 0)
    return [stream for stream, event in poll.poll(0) if event & select.POLLERR]


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Within it, SIGTERM and SIGHUP do what Ctrl-C does, unless they are ignored (``nohup``)."""
    numbers = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]  # Windows: one
    handled = [n for n in numbers if n is not None and _handle(n, signal.SIG_DFL)]
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


def _handle(number: int, usual: object) -> bool:
    """Makes a signal raise Stopped where it has its ``usual`` effect; whether it had."""
    if signal.getsignal(number) is not usual:  # the shell, say, has it ignored
        return False
    signal.signal(number, _stop)
    return True


def _stop(number: int, _frame: FrameType | None) -> None:
    _asked.append(number)
    raise Stopped(number)
