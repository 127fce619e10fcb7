"""What a run was made with: versions, hardware, peak memory."""

from __future__ import annotations

import getpass
import hashlib
import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.locations import REPOSITORY
from benchmarks.names import BenchmarkError

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
CODE = ("benchmarks/*.py", "dataset_tools/*.py", "learnir/*.py")
"""What makes a score, as git names it, whose star stands for folders too.

Pages, results and what lies beside the weights are not: a suite rewrites them while it runs, and
has to find its journal again.
"""
PACKAGES = (
    "learnir",
    "torch",
    "torchvision",
    "numpy",
    "opencv-contrib-python",
    "pillow",
    "scikit-image",
    "scipy",
    "pandas",
    "lpips",
    "mediapipe",
)


def environment(device: str) -> dict[str, Any]:
    """Versions and hardware, plain values."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "hardware": hardware(device),
        "device": device,
        "threads": int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1),
        "packages": {p: v for p in PACKAGES if (v := version(p))},
    }


def version(package: str) -> str | None:
    """The installed version, None where it is not."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def hardware(device: str) -> str:
    """The name of the GPU, or of the processor."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return f"{names[0] if names else platform.processor() or 'CPU'} x{os.cpu_count()}"


def best_device(wanted: str | None = None) -> str:
    """``wanted``, else the GPU when there is one, else the CPU; BenchmarkError where it is not."""
    from learnir.device import choose_device

    try:
        return str(choose_device(wanted))
    except ValueError as error:
        raise BenchmarkError(str(error)) from error


def user() -> str:
    """The user's name, "unknown" where the system has none for them, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def commit(repository: Path = REPOSITORY) -> str:
    """The repository's commit, with -dirty-HASH where its CODE is another; "unknown" outside one.

    HASH is that of the changes: equal names are equal code.
    """
    try:
        made = _git(repository, "rev-parse", "--short", "HEAD").decode().strip()
        changes = _git(repository, "diff", "HEAD", "--", *CODE)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{made}-dirty-{hashlib.sha256(changes).hexdigest()[:8]}" if changes else made


def _git(repository: Path, *words: str) -> bytes:
    line = ["git", "-C", str(repository), *words]
    return subprocess.run(line, capture_output=True, check=True).stdout


def reset_peak(device: str) -> None:
    """Starts the count of ``peak_memory`` anew, so that one method is not charged for another's."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
    elif RESET.exists():
        with suppress(OSError):  # a sandbox may forbid it: the peak is then the process' own
            RESET.write_text("5")


def peak_memory(device: str) -> int | None:
    """Peak bytes since ``reset_peak``: allocated on the GPU, or resident on the CPU.

    The latter counts the interpreter and its libraries. Where the system cannot be asked for a new
    start (macOS) it is the peak of the whole process; where it says nothing (Windows), None.
    """
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    if STATUS.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())):
        return int(found[1]) * 1024
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
