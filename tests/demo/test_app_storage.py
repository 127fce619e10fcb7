"""What a killed server leaves behind is removed at the next start, what a running one has after an
hour."""

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
        storage.remove_left(tmp_path)
        assert not left.exists()
        assert fresh.exists()
        assert used.exists()
        assert elsewhere.exists()
    finally:
        for process in (killed, young, running):
            process.kill()


def test_files_are_deleted_by_their_age_whoever_has_written_them(tmp_path, monkeypatch):
    """Also those that never became an output, which Gradio does not know of."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    example = storage.new_file("example.jpg")
    example.write_bytes(b"x")
    own = storage.files()
    kept = [Path(storage.keep(b"a face", name)) for name in ("preview.png", "restored.zip")]
    (tmp_path / "loose.png").write_bytes(b"a face")
    storage.sweep(own)
    assert all(path.exists() for path in (*kept, example, tmp_path / "loose.png"))
    storage.sweep(own, lambda: time.time() + storage.AGE_S + 60)
    assert storage.files() == own == {str(example)}
    assert list(tmp_path.iterdir()) == [example.parent]  # no empty folders either


def test_a_fresh_empty_folder_is_left_to_whoever_is_about_to_write_there(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    place = storage.new_file("restored.jpg")
    storage.sweep(frozenset())
    place.write_bytes(b"x")


def test_a_cache_that_is_given_is_shared_with_others(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "given"))
    folder = storage.open_cache()
    assert folder.parent == tmp_path / "given"
    assert storage.cache_folder() == folder
    assert folder.stat().st_mode & 0o777 == 0o700
    other = tmp_path / "given" / "other.png"
    other.write_bytes(b"x")
    storage.sweep(frozenset(), lambda: time.time() + storage.AGE_S + 60)
    assert other.exists()
