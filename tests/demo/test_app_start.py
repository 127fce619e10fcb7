"""What a server does before anybody comes: nobody waits for it, and none of it can end it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from demo import leaderboard_reading as leaderboard
from demo.engine import Engine
from demo.options import RESULTS, Options, parse_options


def test_what_is_done_last_keeps_no_page_waiting(tmp_path):
    order, go = [], threading.Event()

    def last():
        go.wait(60)
        order.append("last")

    engine = Engine(str(tmp_path / "none"))
    engine.start(last=last)
    engine.settle(60)
    assert order == []
    assert not engine.loading
    go.set()
    for thread in threading.enumerate():
        if thread.name == "model":
            thread.join(60)
    assert order == ["last"]


def test_the_leaderboard_is_warmed_up_by_what_opening_it_takes():
    code = (
        "import sys; from pathlib import Path; from demo import leaderboard_reading as reading\n"
        "from demo.options import Options\n"
        "reading.warm_up(Options().results); before = set(sys.modules)\n"
        "name = reading.board_choices(Options().results)[0][1]\n"
        "found = reading.ranked(Options().results, name)\n"
        "reading.ranking(found); reading.plots(found)\n"
        "late = {m.split('.')[0] for m in set(sys.modules) - before}\n"
        "print('late', *sorted(late & {'pandas', 'scipy', 'benchmarks'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout.split() == ["late"], done.stdout + done.stderr


def test_results_may_lie_where_a_space_keeps_them(tmp_path, monkeypatch):
    assert parse_options([]).results == RESULTS
    monkeypatch.setenv("LEARNIR_APP_RESULTS", str(tmp_path / "kept"))
    assert parse_options([]).results == tmp_path / "kept"
    assert parse_options(["--results", str(tmp_path)]).results == tmp_path


def test_results_that_cannot_be_read_stop_no_server(tmp_path):
    (tmp_path / "broken.native-v1.x.0000000000.json").write_text("{")
    leaderboard.warm_up(tmp_path)
    leaderboard.warm_up(tmp_path / "none")


RUNNING = """
import signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it in the background
import app, torch
from demo import interface
from demo.engine import Engine
picture = torch.rand(900, 900)
def restoring(*_):
    while True:
        torch.mm(picture, picture)
Engine._load = restoring
if "early" in sys.argv:
    interface.build = lambda _: print("now", flush=True) or threading.Event().wait()
else:
    warmed = Engine.start
    Engine.start = lambda *given, **more: warmed(*given, **more) or print("now", flush=True)
sys.argv[1:] = []
app.main()
"""


@pytest.mark.parametrize("when", ["early", "running"])
def test_whoever_stops_a_server_gets_a_line_at_most(tmp_path, when):
    """While it builds the page no traceback; while it restores no abort by PyTorch."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNING, when],
        cwd=Path(leaderboard.__file__).parents[1],
        env={**os.environ, "TMPDIR": str(tmp_path)} | {"GRADIO_TEMP_DIR": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("now"):
                break
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert "Traceback" not in told
    assert "terminate" not in told
    assert process.returncode == (1 if when == "early" else 0)
    assert not list(tmp_path.glob("learnir-app-*"))


def test_a_busy_machine_starts_it_all_the_same(monkeypatch):
    """Gradio gives its first page 3 s, and would end with a traceback about shareable links."""
    import gradio as gr
    from gradio import networking

    from demo.interface import launch_options

    monkeypatch.setattr(networking, "url_ok", lambda _: False)
    with gr.Blocks(analytics_enabled=False) as page:
        gr.Markdown("here")
    page.launch(prevent_thread_lock=True, quiet=True, **launch_options(Options()))
    page.close(verbose=False)
