"""What Windows and macOS lack is taken away: everything loads, and the commands still work."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("learnir", "dataset_tools", "benchmarks", "demo")
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.stem not in ("__init__", "__main__")
]
LACKING = {
    "win32": """
import os, select, signal, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
del select.poll, signal.SIGKILL
for name in ("fork", "getuid", "sched_getaffinity", "O_DIRECTORY", "O_NOFOLLOW"):
    delattr(os, name)
""",
    "darwin": "import os\ndel os.sched_getaffinity\n",
}
THEIRS = "import cv2, gradio, pandas, torch  # which may need what is taken away\n"
FRESH = "from pathlib import Path\nfrom benchmarks import machine\nmachine.STATUS = Path('none')\n"


def program(system: str, *words: str, first: str = "") -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", first + LACKING[system] + "".join(words)]
    return subprocess.run(line, capture_output=True, text=True, check=False, cwd=ROOT)


def test_every_module_loads():
    pytest.importorskip("gradio")
    load = f"import importlib\nfor m in {MODULES!r}: importlib.import_module(m)\nprint('all')"
    done = program("win32", load, first=THEIRS)  # macOS lacks a part of that
    assert done.stdout.endswith("all\n"), done.stderr


@pytest.mark.parametrize("system", LACKING)
def test_workers_are_as_many_as_cores(system):
    ask = "from dataset_tools.engines import EnginePlan\nprint(EnginePlan().processes)"
    assert int(program(system, ask).stdout) >= 1
    assert int(program(system, ask.replace("()", "(workers=3)")).stdout) == 3


@pytest.mark.parametrize(("system", "known"), [("win32", False), ("darwin", True)])
def test_peak_memory_is_measured_where_the_system_tells(system, known):
    done = program(system, FRESH, "print(machine.peak_memory('cpu'))")
    assert done.stdout.strip().isdigit() == known, done.stderr


def test_output_that_nobody_reads_ends_quietly_without_poll():
    told = "from learnir import console\n"
    told += "print(console.is_broken_pipe(BrokenPipeError(32, 'gone')), flush=True)"
    done = program("win32", told)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")  # the rest is dropped


NAMELESS = """
import os, pwd
for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
    os.environ.pop(name, None)
def getpwuid(number):
    raise KeyError(f"getpwuid(): uid not found: {number}")
pwd.getpwuid = getpwuid
"""


@pytest.mark.skipif(sys.platform == "win32", reason="users have names there")
def test_a_container_may_run_under_a_number_that_nobody_has():
    """``docker run --user 1234``: the compiler that LPIPS loads asks for a name."""
    load = "import learnir, lpips\nprint('loaded')"
    line = [sys.executable, "-c", NAMELESS + load]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout == "loaded\n", done.stderr
