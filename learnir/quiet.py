"""MediaPipe's start-up notices kept off the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_log_silenced() -> Iterator[None]:
    """Descriptor 2, where MediaPipe's C++ writes directly, leads nowhere; errors still raise."""
    sys.stderr.flush()
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)
