"""Several processes: forked or started by a launcher they train as one, and stop as one."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from torch.multiprocessing import ProcessRaisedException
from trained_runs import same, state

from learnir.training import command
from learnir.training.data import PairError
from learnir.training.presets import PRESETS
from learnir.training.processes import in_processes

pytestmark = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="needs torch.distributed with gloo",
)
TORCHRUN = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=0", "--standalone"]


def run_python(program, *launcher, words=()):
    return subprocess.run(
        [sys.executable, *launcher, str(program), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_two_processes_of_a_launcher_or_forked_train_the_same_model(tmp_path, pairs_folder):
    def script(name, options):
        path = tmp_path / f"{name}.py"
        path.write_text(
            "from learnir.training.command import train\n"
            f"train('smoke', [{str(pairs_folder)!r}], {str(tmp_path / name)!r}, {options})"
        )
        return path

    launched = run_python(script("launched", "device='cpu'"), *TORCHRUN)
    assert launched.returncode == 0, launched.stderr[-2000:]
    assert state(tmp_path / "launched")["step"] == PRESETS["smoke"].iterations
    forked = run_python(script("forked", "processes=2"))
    assert forked.returncode == 0, forked.stderr[-2000:]
    assert same(state(tmp_path / "forked"), state(tmp_path / "launched"))


def test_forked_processes_stop_together_and_keep_their_state(tmp_path, pairs_folder):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "learnir.cli", "train", "smoke", "--data", str(pairs_folder)]
    command += ["--out", str(out), "--processes", "2", "--iterations", "4000", "4"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not (out / "state.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=120)
    assert process.returncode == 130, told[-2000:]
    assert told.strip().splitlines()[-1].startswith("learnir: stopped at step")
    assert 0 < state(out)["step"] < 4000


def test_processes_are_for_the_cpu(tmp_path, pairs_folder):
    with pytest.raises(PairError, match="launcher"):
        command.train("smoke", [pairs_folder], tmp_path / "run", device="cuda", processes=2)


def test_what_a_fork_expects_is_raised_and_the_rest_carries_its_traceback():
    def expected():
        raise PairError("one line")

    with pytest.raises(PairError, match="one line"):
        in_processes(2, expected, (PairError,))
    with pytest.raises(ProcessRaisedException, match="ZeroDivisionError"):
        in_processes(2, lambda: 1 // 0, (PairError,))


LOADING = """
import os, signal, time
from learnir import console
from learnir.images import ImageError
from learnir.training import command

def loading(*_):
    time.sleep(1)  # all have begun
    {ended}
    time.sleep(60)

command.load_validation = loading
signal.signal(signal.SIGINT, signal.default_int_handler)  # what started this may ignore some
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
console.run("learnir", "learnir.cli")
"""
FIRST = "if os.environ['RANK'] == '0': "


@pytest.mark.parametrize(
    ("ended", "status", "told"),
    [
        (FIRST + "os.kill(os.getppid(), signal.SIGINT)", 130, "interrupted"),
        (FIRST + "os.kill(os.getppid(), signal.SIGTERM)", 143, "interrupted"),
        (FIRST + "os.kill(os.getppid(), signal.SIGHUP)", 129, "interrupted"),
        (
            "os.kill(os.getpid(), signal.SIGKILL)",
            2,
            "learnir: one of 2 processes ended with SIGKILL, as where memory runs out; try fewer "
            "--processes",
        ),
        ("raise ImageError('a.png: damaged')", 2, "learnir: a.png: damaged"),
        ("raise OSError('a.png: gone')", 2, "learnir: a.png: gone"),
    ],
)
def test_processes_that_end_while_they_load_are_one_line(
    tmp_path, pairs_folder, ended, status, told
):
    program = tmp_path / "loading.py"
    program.write_text(LOADING.format(ended=ended))
    words = ["train", "smoke", "--data", pairs_folder, "--validation", pairs_folder]
    words += ["--out", tmp_path / "run", "--processes", "2"]
    done = run_python(program, words=words)
    assert done.returncode == status, done.stderr[-2000:]
    assert done.stdout == ""
    assert done.stderr.splitlines() == [told]


STOPPED = """
import signal
from learnir.training import command, loop

report = loop.Run._report

def asked_in_different_steps(run, bar, loss, stopped, last):
    first = run.accelerator.process_index == {first}
    if run.step == (5 if first else 6):
        stopped.append(signal.SIGTERM)
    report(run, bar, loss, stopped, last)

loop.Run._report = asked_in_different_steps
try:
    command.train("smoke", [{pairs!r}], {out!r}, {options})
except loop.Interrupted as error:
    print(error, flush=True)
"""


@pytest.mark.parametrize(
    ("options", "launcher", "first"),
    [
        ("processes=2", [], 0),
        ("processes=2", [], 1),
        pytest.param("device='cpu'", TORCHRUN, 1, marks=pytest.mark.slow),
    ],
)
def test_a_request_that_arrives_in_different_steps_stops_all_after_the_same(
    tmp_path, pairs_folder, options, launcher, first
):
    """A signal reaches one process a moment before the other has finished its step."""
    out, program = tmp_path / "run", tmp_path / "stopped.py"
    program.write_text(
        STOPPED.format(first=first, pairs=str(pairs_folder), out=str(out), options=options)
    )
    done = run_python(program, *launcher)
    assert done.returncode == 0, done.stderr[-2000:]
    said = f"stopped at step 5; --resume goes on from {out}"
    assert done.stdout.splitlines() == [said] * (2 if launcher else 1)
    assert state(out)["step"] == 5
