"""Several processes: forked or started by a launcher they train as one, and stop as one."""

import os
import signal
import subprocess
import sys
import time
from functools import cache

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
        timeout=480,  # several runs each
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


RUNS = """
import signal
from learnir.training import command, loop

def train(name):
    command.train("smoke", [{pairs!r}], {folder!r} + "/" + name, {options})

def asked_in_different_steps(run, bar, loss, stopped, last):
    if run.step == (5 if run.accelerator.process_index == first else 6):
        stopped.append(signal.SIGTERM)
    report(run, bar, loss, stopped, last)

train("whole")
report, loop.Run._report = loop.Run._report, asked_in_different_steps
for first in {firsts}:
    try:
        train(str(first))
    except loop.Interrupted as error:
        print(error, flush=True)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory, pairs_folder):
    """``trained(kind)``: a folder with a ``whole`` run of two processes, and others, each called
    by the rank that is asked to stop first; and what the program said."""

    @cache
    def run(kind):
        options, launcher, firsts = KINDS[kind]
        folder = tmp_path_factory.mktemp(kind)
        given = {"pairs": str(pairs_folder), "folder": str(folder), "options": options}
        (folder / "runs.py").write_text(RUNS.format(firsts=firsts, **given))
        done = run_python(folder / "runs.py", *launcher)
        assert done.returncode == 0, done.stderr[-2000:]
        return folder, done.stdout.splitlines()

    return run


KINDS = {"launched": ("device='cpu'", TORCHRUN, [1]), "forked": ("processes=2", [], [0, 1])}


def test_two_processes_of_a_launcher_or_forked_train_the_same_model(trained):
    launched, forked = (state(trained(kind)[0] / "whole") for kind in KINDS)
    assert launched["step"] == PRESETS["smoke"].iterations
    assert same(forked, launched)


@pytest.mark.parametrize("kind", [pytest.param("launched", marks=pytest.mark.slow), "forked"])
def test_a_request_that_arrives_in_different_steps_stops_all_after_the_same(trained, kind):
    """A signal reaches one process a moment before the other has finished its step."""
    folder, said = trained(kind)
    runs = [folder / str(first) for first in KINDS[kind][2]]
    told = [f"stopped at step 5; --resume goes on from {run}" for run in runs]
    assert said == (told * 2 if kind == "launched" else told)
    assert [state(run)["step"] for run in runs] == [5] * len(runs)


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
import os, signal, sys, time
import torch._dynamo
from learnir import cli, console
from learnir.images import ImageError
from learnir.training import command

def loading(*_):
    time.sleep(1)  # all have begun
    exec(ended)
    time.sleep(60)

command.load_validation = loading
signal.signal(signal.SIGINT, signal.default_int_handler)  # what started this may ignore some
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
for place, ended in {endings}:
    if started := os.fork():
        status = os.waitstatus_to_exitcode(os.waitpid(started, 0)[1])
        with open(place + "/status", "w") as file:
            file.write(str(status))
        continue
    os.dup2(os.open(place + "/stdout", os.O_CREAT | os.O_WRONLY), 1)
    os.dup2(os.open(place + "/stderr", os.O_CREAT | os.O_WRONLY), 2)
    sys.argv += ["--out", place + "/run"]
    console.run("learnir", "learnir.cli")
"""
FIRST = "if os.environ['RANK'] == '0': "
ENDINGS = {
    "SIGINT": (FIRST + "os.kill(os.getppid(), signal.SIGINT)", 130, "interrupted"),
    "SIGTERM": (FIRST + "os.kill(os.getppid(), signal.SIGTERM)", 143, "interrupted"),
    "SIGHUP": (FIRST + "os.kill(os.getppid(), signal.SIGHUP)", 129, "interrupted"),
    "SIGKILL": (
        "os.kill(os.getpid(), signal.SIGKILL)",
        2,
        "learnir: one of 2 processes ended with SIGKILL, as where memory runs out; try fewer "
        "--processes",
    ),
    "damaged": ("raise ImageError('a.png: damaged')", 2, "learnir: a.png: damaged"),
    "gone": ("raise OSError('a.png: gone')", 2, "learnir: a.png: gone"),
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory, pairs_folder):
    """Of each of ENDINGS a folder: status, stdout and stderr of a command that ended so.

    All are forks of one program, which imports once.
    """
    folders = {name: tmp_path_factory.mktemp(name) for name in ENDINGS}
    program = tmp_path_factory.mktemp("program") / "loading.py"
    endings = [(str(folder), ENDINGS[name][0]) for name, folder in folders.items()]
    program.write_text(LOADING.format(endings=endings))
    words = ["train", "smoke", "--data", pairs_folder, "--validation", pairs_folder]
    done = run_python(program, words=[*words, "--processes", "2"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folders


@pytest.mark.parametrize("name", ENDINGS)
def test_processes_that_end_while_they_load_are_one_line(ended, name):
    _, status, told = ENDINGS[name]
    said = {path.name: path.read_text() for path in ended[name].iterdir() if path.is_file()}
    assert said == {"status": str(status), "stdout": "", "stderr": told + "\n"}
