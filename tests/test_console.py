"""How the commands end when Ctrl-C is pressed while they load, or when nobody reads on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from learnir.console import is_broken_pipe

ROOT = Path(__file__).resolve().parents[1]
INTERRUPTED = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n"
IN_OTHER_WORDS = """
try:
    import stopped_in_here
except KeyboardInterrupt as error:
    raise ImportError("as NumPy's, which catches what its core raises") from error
"""
MODULES = {"learnir": "learnir", "faceshadow": "dataset_tools", "learnir-bench": "benchmarks"}


def start(command: str, *words: object, **given: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", MODULES[command], *map(str, words)]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | given
    return subprocess.run(line, check=False, **given)


@pytest.mark.parametrize("words", [INTERRUPTED, IN_OTHER_WORDS], ids=["plain", "converted"])
@pytest.mark.parametrize(
    ("command", "loads"),
    [
        ("learnir", "tyro"),
        ("learnir", "torch"),
        ("faceshadow", "numpy"),
        ("learnir-bench", "numpy"),
    ],
)
def test_ctrl_c_while_loading_is_one_line(tmp_path, command, loads, words):
    (tmp_path / f"{loads}.py").write_text(words)
    (tmp_path / "stopped_in_here.py").write_text(INTERRUPTED)
    task = {"learnir": ["info"], "faceshadow": ["stats", tmp_path], "learnir-bench": ["table"]}
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = start(
        command,
        *task[command],
        env=os.environ | {"PYTHONPATH": paths},
        timeout=60,
        # whatever the shell that runs the tests ignores, as it does for jobs in the background
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert done.returncode == 130, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        'raise ImportError("libtorch.so: failed to map segment from shared object")',
        "raise MemoryError",
    ],
)
@pytest.mark.parametrize(
    ("command", "loads"),
    [("learnir", "torch"), ("faceshadow", "numpy"), ("learnir-bench", "numpy")],
)
def test_memory_that_runs_out_while_loading_is_one_line(tmp_path, command, loads, words):
    """As under a limit (``ulimit -v``) that a cluster sets."""
    (tmp_path / f"{loads}.py").write_text(words)
    task = {"learnir": ["info"], "faceshadow": ["stats", tmp_path], "learnir-bench": ["table"]}
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = start(command, *task[command], env=os.environ | {"PYTHONPATH": paths}, timeout=60)
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith(f"{command}: not enough memory (")


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_sigterm_while_restore_loads_is_one_line(tmp_path):
    (tmp_path / "torch.py").write_text(IN_OTHER_WORDS)
    (tmp_path / "stopped_in_here.py").write_text(INTERRUPTED.replace("SIGINT", "SIGTERM"))
    (tmp_path / "photo.png").touch()
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = start(
        "learnir", "restore", tmp_path / "photo.png", "-o", tmp_path / "out",
        env=os.environ | {"PYTHONPATH": paths},
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (143, "learnir: stopped\n")


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_stop_that_an_extension_prints_itself_is_one_line_all_the_same(tmp_path):
    """NumPy's ``import_array`` prints what stops it, in C, and raises something else."""
    printed = "    sys.excepthook(type(error), error, None)\n    raise"
    (tmp_path / "torch.py").write_text("import sys" + IN_OTHER_WORDS.replace("    raise", printed))
    (tmp_path / "stopped_in_here.py").write_text(INTERRUPTED)
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = start(
        "learnir", "info",
        env=os.environ | {"PYTHONPATH": paths},
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "learnir: stopped\n")


STOPPED = """
import os, signal, sys, tempfile, time
from learnir.console import outcome

def work():
    with tempfile.TemporaryDirectory(dir=sys.argv[1]):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(9)

sys.exit(outcome("faceshadow", work, lambda: (), "data"))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_sigterm_ends_other_work_in_order_too(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL),
    )
    said = "faceshadow: stopped; run the same command to go on\n"
    assert (done.returncode, done.stderr) == (143, said)
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_loading_is_not_taken_for_ctrl_c(tmp_path):
    (tmp_path / "tyro.py").write_text("raise ImportError('broken here')")
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = start("learnir", "info", env=os.environ | {"PYTHONPATH": paths})
    assert done.returncode == 1
    assert done.stderr.endswith("ImportError: broken here\n")


def test_what_the_shell_ignores_stays_ignored(tmp_path):
    """``nohup`` and jobs of scripts behind ``&`` are not stopped by the terminal's Ctrl-C."""
    (tmp_path / "tyro.py").write_text(INTERRUPTED.replace("9", "0") + "print('went on')")
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = start(
        "learnir",
        env=os.environ | {"PYTHONPATH": paths},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert done.stdout == "went on\n"


@pytest.mark.parametrize("buffered", [False, True])
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("learnir", ["info"]),
        ("learnir", ["--help"]),
        ("learnir-bench", ["protocols"]),
        ("faceshadow", ["build", "--help"]),
        ("faceshadow", ["stats", "gone"]),  # what it says goes nowhere, too
    ],
)
def test_a_reader_that_has_seen_enough_ends_the_output_quietly(command, words, buffered):
    reader, writer = os.pipe()
    os.close(reader)  # as ``| head -1`` does
    both = {"stdout": writer, "stderr": writer if "gone" in words else subprocess.PIPE}
    environment = os.environ | {"PYTHONUNBUFFERED": "" if buffered else "1"}
    done = start(command, *words, env=environment, cwd=ROOT, **both)
    os.close(writer)
    swallowed = "--help" in words and command == "faceshadow"  # by argparse
    assert done.returncode in ({0, 141} if swallowed else {141}), done.stderr
    assert not done.stderr


@pytest.mark.skipif(os.name != "posix", reason="closes streams as POSIX has them")
@pytest.mark.parametrize("command", MODULES)
@pytest.mark.parametrize("stream", [0, 1, 2])
def test_a_stream_that_is_closed_stops_nothing(command, stream):
    words = {"learnir": ["--help"], "faceshadow": ["stats", "gone"], "learnir-bench": ["methods"]}
    done = start(command, *words[command], cwd=ROOT, preexec_fn=lambda: os.close(stream))
    assert done.returncode == (command == "faceshadow"), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="closes streams as POSIX has them")
def test_no_file_takes_the_place_of_a_closed_stream(tmp_path):
    (tmp_path / "tyro.py").write_text("import sys\nprint(open(__file__).fileno() > 2)\nsys.exit()")
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    given = {"env": os.environ | {"PYTHONPATH": paths}, "preexec_fn": lambda: os.close(2)}
    assert start("learnir", **given).stdout == "True\n"


@pytest.mark.parametrize("columns", ["1", "5"])
def test_help_ends_however_narrow_a_terminal_is(columns):
    given = {"env": os.environ | {"COLUMNS": columns}, "cwd": ROOT, "timeout": 60}
    assert start("learnir", "info", "--help", **given).returncode == 0


def test_another_broken_pipe_is_an_error():
    assert not is_broken_pipe(BrokenPipeError(32, "Broken pipe"))
    assert not is_broken_pipe(ValueError("nothing of the kind"))


def test_exit_codes_pass_through():
    assert start("faceshadow", "nonsense", cwd=ROOT).returncode == 2
    assert start("faceshadow", "--help", cwd=ROOT).returncode == 0
    done = start("learnir", "info", "gone", cwd=ROOT)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
