"""How many cores this process has. Importable without torch."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Cores that this process may use; all of the machine's where the system keeps no such list."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
