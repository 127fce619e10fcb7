"""Files written whole or not at all, by every folder of the project through one module."""

import errno
import os
import subprocess
import sys
import threading
import time

import pytest

from dataset_tools.files import clear_parts, write_lines
from learnir.writing import beside, clear_stale, replacing, write_atomically, write_json


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_atomically(path, b"old")

    def full(part, _path):
        assert part.read_bytes() == b"new"
        raise OSError(28, "No space left on device", str(part))

    monkeypatch.setattr("learnir.writing.os.replace", full)
    with pytest.raises(OSError, match="No space left") as failed:
        write_atomically(path, b"new")
    assert failed.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("there", [False, True])
def test_a_file_is_on_the_disk_before_it_takes_the_name(tmp_path, monkeypatch, there):
    path, synced, replace = tmp_path / "a.jpg", [], os.replace
    if there:
        path.write_bytes(b"old")

    def sync(handle):
        told = os.fstat(handle)
        synced.append((told.st_ino, told.st_size))

    def only_what_is_synced(part, target):
        assert synced == [(os.stat(part).st_ino, 3)]
        replace(part, target)

    monkeypatch.setattr("learnir.writing.os.fsync", sync)
    monkeypatch.setattr("learnir.writing.os.replace", only_what_is_synced)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path, error):
    path = tmp_path / "folder" / "a"

    def stopped():
        with replacing(path) as handle:
            handle.write(b"half")
            raise error

    with pytest.raises(error):
        stopped()
    assert list(path.parent.iterdir()) == []


def test_a_program_that_asks_for_the_format_by_the_ending_writes_beside_too(tmp_path):
    path = tmp_path / "video.mp4"
    with beside(path, path.suffix) as part:
        assert part.parent == tmp_path
        assert part.suffix == ".mp4"
        part.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("letter", ["x", "ä"])
def test_names_as_long_as_the_disk_allows_are_written(tmp_path, letter):
    path = tmp_path / (letter * (250 // len(letter.encode())))
    write_atomically(path, b"1")
    write_json(path, {"a": 1})
    assert path.read_text() == '{\n  "a": 1\n}\n'
    write_lines(path, ["ü"])
    assert path.read_text(encoding="utf-8") == "ü\n"
    assert list(tmp_path.iterdir()) == [path]


def test_two_threads_write_one_file_and_neither_spoils_the_other(tmp_path):
    path, both, failed = tmp_path / "a", threading.Barrier(2, timeout=20), []
    contents = [b"a" * 10_000, b"b" * 10_000]

    def write(data):
        try:
            with replacing(path) as handle:
                handle.write(data[:5_000])
                both.wait()
                handle.write(data[5_000:])
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(data,)) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert path.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_processes_left_is_cleared_and_nothing_else(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from learnir.writing import replacing\n"
        "with replacing(Path(sys.argv[1])) as handle: os._exit(9)"
    )
    for place in ("a.png", ".faceshadow/rows/a.jsonl"):
        killed = subprocess.run([sys.executable, "-c", program, tmp_path / place], check=False)
        assert killed.returncode == 9
    next(tmp_path.glob(".*.part")).with_suffix(".part.mp4").touch()  # of a video
    (tmp_path / "b.png.4711.tmp").touch()  # as earlier versions left them
    kept = [tmp_path / name for name in (".keep", "a.part", ".part", ".twelve_of_it.part")]
    for path in kept:
        path.touch()
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(left) == len(kept) + 4
    clear_parts(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "a", tmp_path / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(OSError, match=path.name[:9]) as failed:
            write_atomically(path, b"1")
        assert failed.value.filename == os.fspath(path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device: '.*whole'"),
        (OSError(errno.EIO, "Input/output error", "source.jpg"), "error: 'source.jpg'$"),
        (OSError("Truncated File Read"), "^Truncated File Read$"),
    ],
)
def test_a_full_disk_is_told_with_the_file_and_other_errors_as_they_are(tmp_path, error, told):
    with pytest.raises(OSError, match=told), replacing(tmp_path / "whole"):
        raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["", ".mp4"])
def test_only_parts_that_nobody_writes_to_any_more_are_stale(tmp_path, suffix):
    with beside(tmp_path / "deep" / "video", suffix) as part:
        part.touch()
        young, old = (tmp_path / f".{k * 12}{part.name[13:]}" for k in "0f")
    deep = tmp_path / "deep" / old.name
    for path, hours in ((young, 23), (old, 25), (deep, 25)):
        path.touch()
        os.utime(path, (time.time() - 3600 * hours,) * 2)
    clear_stale(tmp_path)
    assert (young.exists(), old.exists(), deep.exists()) == (True, False, True)
    clear_stale(tmp_path / "nowhere")


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o400])
def test_a_replaced_file_keeps_its_permissions_and_is_private_until_then(tmp_path, mode):
    path = tmp_path / "private"
    path.write_bytes(b"old")
    path.chmod(mode)
    with replacing(path) as handle:
        handle.write(b"new")
        assert os.fstat(handle.fileno()).st_mode & 0o777 == 0o600
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == mode
    write_atomically(tmp_path / "fresh", b"1")
    (tmp_path / "usual").touch()
    assert (tmp_path / "fresh").stat().st_mode == (tmp_path / "usual").stat().st_mode
