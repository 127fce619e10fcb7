"""What a killed server leaves behind is removed at the next start; what a running one has stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo import storage

SERVER = "import time; from demo.storage import open_cache; print(open_cache()); time.sleep(600)"


def opened(folder: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that has opened its cache, and the cache."""
    process = subprocess.Popen(
        [sys.executable, "-uc", SERVER],
        cwd=Path(storage.__file__).parents[1],
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def aged(folder: Path) -> None:
    then = time.time() - storage.AGE_S - 60
    os.utime(folder, (then, then))


@pytest.mark.skipif(storage.fcntl is None, reason="no file locks")
def test_the_next_start_removes_what_a_killed_server_left(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    killed, left = opened(tmp_path)
    young, fresh = opened(tmp_path)
    running, used = opened(tmp_path)
    try:
        (left / "face.jpg").write_bytes(b"x")
        for process in (killed, young):
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=60)
        aged(left)
        aged(used)
        elsewhere = tmp_path / "of others"
        elsewhere.mkdir()
        (tmp_path / f"{storage.PREFIX}link").symlink_to(elsewhere)
        storage.remove_left()
        assert not left.exists()
        assert fresh.exists()
        assert used.exists()
        assert elsewhere.exists()
    finally:
        for process in (killed, young, running):
            process.kill()
