"""``learnir restore`` ended early: by whom, what it then says, what stays; and how far it is."""

import errno
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from albums import save

from learnir import progress, restore
from learnir.writing import PARTS

STOPPED = """
import os, signal, sys, time
from learnir import cli, restore
from learnir.writing import beside

def stopped(_learnir, task, _writing, _options):
    with beside(task.target):
        os.kill(os.getpid(), signal.{name})
        time.sleep(20)

restore.restore_file = stopped
cli.main(sys.argv[1:])
"""


def stop_by(name, ignored, *words):
    action = signal.SIG_IGN if ignored else signal.SIG_DFL
    program = STOPPED.format(name=name).replace("20", "0" if ignored else "20")
    return subprocess.run(
        [sys.executable, "-c", program, "restore", "--no-faces", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        preexec_fn=lambda: signal.signal(getattr(signal, name), action),
    )


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_that_asks_for_an_end_is_one_line_and_leaves_nothing(
    checkpoint, album, tmp_path, name, status
):
    out = tmp_path / "out"
    done = stop_by(name, False, album / "a.png", "-o", out, "--checkpoint", checkpoint)
    assert done.returncode == status, done.stderr
    assert done.stderr.splitlines() == ["interrupted; what was finished is kept, --resume goes on"]
    assert list(out.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_hang_up_that_nohup_ignores_stays_ignored(checkpoint, album, tmp_path):
    given = [album / "a.png", "-o", tmp_path / "out", "--checkpoint", checkpoint]
    assert "interrupted" not in stop_by("SIGHUP", True, *given).stderr


def test_signals_are_as_they_were_afterwards(command, album, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    assert command(album, "-o", tmp_path / "out")[0] == 0
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.fixture
def interrupted(monkeypatch):
    """``interrupted(name)``: Ctrl-C comes while the picture of that name is restored."""
    real = restore.restore_file

    def at(name):
        def restored(learnir, task, *rest):
            if task.source.name == name:
                raise KeyboardInterrupt
            return real(learnir, task, *rest)

        monkeypatch.setattr(restore, "restore_file", restored)

    return at


def test_in_place_one_is_told_how_far_it_came_and_not_to_resume(command, album, scene, interrupted):
    last = save(album / "b.png", scene(30, 40))
    save(album / "c.png", scene(30, 40))
    interrupted("c.png")
    given = ["-o", album, "--overwrite", "--workers", 1]
    code, _, errors = command(album, *given)
    assert code == 130
    assert errors.splitlines() == [f"interrupted; 2 of 4 restored, up to {last}"]
    interrupted("a.png")
    assert command(album, *given)[2] == "interrupted; none of 4 restored\n"


def test_what_is_left_out_before_the_last_is_told(album):
    from learnir.planning import Writing, plan

    writing = Writing(overwrite=True)
    first, second = tasks = plan([str(album)], album, writing).tasks
    batch = restore._Batch(None, tasks, writing, {})
    batch.restored.append(second)
    assert batch.so_far() == f"1 of 2 restored, up to {second.source}, without {first.source}"
    batch.failed.append(first)
    assert batch.so_far().endswith(str(second.source))


def test_replacing_results_cannot_be_resumed_either(command, album, tmp_path, interrupted):
    out = tmp_path / "out"
    assert command(album, "-o", out)[0] == 0
    interrupted("b.jpg")
    _, _, errors = command(album, "-o", out, "--overwrite", "--workers", 1)
    assert errors == f"interrupted; 1 of 2 restored, up to {album / 'a.png'}\n"
    _, _, errors = command(album, "-o", tmp_path / "new", "--overwrite", "--workers", 1)
    assert errors == "interrupted; what was finished is kept, --resume goes on\n"


@pytest.fixture
def disk(monkeypatch):
    """``disk(room)``: from now on, so many results can be written, and then no more."""
    real = restore.write_atomically

    def holds(room):
        left = iter(range(room))

        def written(path, data):
            if next(left, None) is None:
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            real(path, data)

        monkeypatch.setattr(restore, "write_atomically", written)

    return holds


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_ends_a_run_that_can_be_resumed(command, album, tmp_path, scene, disk, workers):
    for k in range(4):
        save(album / f"c{k}.png", scene(30, 40))
    (album / "0.png").write_bytes(b"no picture")
    out, given = tmp_path / "out", ["--workers", workers, "--resume"]
    disk(2)
    code, said, errors = command(album, "-o", out, *given)
    assert code == 1
    assert said.startswith("2 restored, 0 skipped, 5 failed")
    assert errors.count("No space left") == 1
    assert errors.splitlines()[-1] == (  # a slow machine says before how far it is
        f"{out}: disk full (No space left on device), so 4 not restored; make room there; what was "
        "finished is kept, --resume goes on"
    )
    disk(4)
    assert command(album, "-o", out, *given)[1].startswith("4 restored, 2 skipped, 1 failed")


def test_a_full_disk_in_place_is_told_how_far_the_run_came(command, album, disk):
    disk(1)
    _, said, errors = command(album, "-o", album, "--overwrite", "--workers", 1)
    assert said.startswith("1 restored, 0 skipped, 1 failed")
    assert errors.splitlines()[-1] == (
        f"{album / 'deep'}: disk full (No space left on device), so 1 not restored; make room "
        f"there; 1 of 2 restored, up to {album / 'a.png'}"
    )


def test_a_picture_for_which_memory_is_short_is_one_line_and_the_others_go_on(
    command, album, tmp_path, monkeypatch
):
    """Whatever size the network works at: smaller ones were tried, down to the smallest."""
    real = restore.read_photo

    def read(path, *given):
        if path.name == "a.png":
            raise MemoryError
        return real(path, *given)

    monkeypatch.setattr(restore, "read_photo", read)
    code, said, errors = command(album, "-o", tmp_path / "out")
    assert (code, said.startswith("1 restored, 0 skipped, 1 failed")) == (1, True)
    assert errors.startswith(f"{album / 'a.png'}: not enough memory; try --workers 1, close other")
    assert len(errors.splitlines()) == 1


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_in_place_a_file_keeps_its_permissions(command, album):
    before = (album / "a.png").read_bytes()
    (album / "a.png").chmod(0o640)
    assert command(album / "a.png", "-o", album, "--overwrite")[0] == 0
    assert (album / "a.png").read_bytes() != before
    assert (album / "a.png").stat().st_mode & 0o777 == 0o640


def test_what_killed_runs_left_is_removed_at_the_start(command, album, tmp_path):
    out = tmp_path / "out"
    left = [out / f".{k:012x}.part{suffix}" for k, suffix in enumerate(["", ".mp4", ""])]
    out.mkdir()
    for path in left:
        path.touch()
        os.utime(path, (time.time() - 90_000,) * 2)
    os.utime(left[2])  # one that another process writes
    assert command(album / "a.png", "-o", out)[0] == 0
    assert list(out.glob(PARTS)) == left[2:]


def test_a_log_is_told_how_far_it_is(command, album, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.001)
    (album / "0.png").write_bytes(b"no picture")
    code, _, errors = command(album, "-o", tmp_path / "out", "--workers", 1)
    assert code == 1
    assert "\r" not in errors
    lines = [line for line in errors.splitlines() if line.startswith("restore:")]
    assert any(re.search(r"2/3 \[.*<\d\d:\d\d.*1 failed, a\.png\]$", line) for line in lines), lines
    assert "3/3" in lines[-1]
    assert f"{album / '0.png'}: not a readable" in errors
