"""What a build says of its progress where no terminal shows a bar."""

import io
import re
import sys
import time

from learnir.progress import LoggedProgress, progress


def counted(patience: float, seconds: float) -> str:
    log = io.StringIO()
    with LoggedProgress(total=40, unit="photo", file=log, patience=patience) as bar:
        for _ in range(40):
            bar.update(1)
            time.sleep(seconds / 40)
    return log.getvalue()


def test_a_log_gets_lines_with_the_count_and_the_time_left():
    began = time.monotonic()
    log = counted(patience=0.1, seconds=0.6)
    most = (time.monotonic() - began) / 0.1 + 1  # the last may come twice
    lines = log.splitlines()
    assert log.endswith("\n")
    assert "\r" not in log
    assert 2 <= len(lines) <= most, lines
    assert all(re.search(r"\d+/40 \[.*photo/s\]$", line) for line in lines), lines
    assert re.search(r"<\d\d:\d\d,", lines[0]), lines  # the time left
    assert "40/40" in lines[-1]


def test_work_that_is_soon_done_leaves_no_line():
    assert counted(patience=5, seconds=0.05) == ""


def test_a_terminal_shows_a_bar_and_a_file_does_not(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, logged in ((Terminal(), False), (io.StringIO(), True)):
        monkeypatch.setattr(sys, "stderr", stream)
        with progress(3, "photo") as bar:
            assert isinstance(bar, LoggedProgress) is logged
            bar.update(3)
        assert ("3/3" in stream.getvalue()) is not logged
