"""The whole interface: header, tabs, endpoints; and how it is served."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import gradio as gr

from demo import (
    about_tab,
    batch_tab,
    dataset_browsing,
    dataset_tab,
    endpoints,
    head,
    leaderboard_tab,
    restore_tab,
    saved_pictures,
    shadow_making,
    shadow_tab,
    storage,
    theme,
)
from demo import leaderboard_reading as leaderboard
from demo.cache import keep_swept
from demo.context import Context
from demo.engine import Engine
from demo.events import DIRECT
from demo.options import Options
from demo.photos import MOST_BYTES
from demo.restore_events import first_result
from demo.runs import MOST
from demo.storage import EVERY_S, EXAMPLES

TITLE = "LearnIR: facial shadow removal"
HEADER = (
    "# LearnIR\nRemoves shadows from portraits by learnable posterior sampling: five steps, any "
    "picture size, on a plain CPU."
)

THREADS = 2 * MOST + 40
"""The server's threads: one for each run of a page and each call of an endpoint, as these wait for
their turn in a thread, and Gradio's usual number.
"""
QUEUE: dict[str, Any] = {"max_size": 512, "default_concurrency_limit": 4}
"""Gradio's limit is one for all pages: a flood is refused before it gets here, by MOST."""
MOST_SESSIONS = 500
"""Pages and clients that Gradio keeps a state of, 0.4 MiB each; the longest unused go."""


def serve(options: Options) -> None:
    """Serves until Ctrl-C or SIGTERM, which end the process; the model loads once it answers.

    Exits with one line when the port is taken.
    """
    if options.mcp:
        check_mcp()
    cache = storage.open_cache()
    context = Context(options, Engine(options.checkpoint))
    page = build(context)
    own = storage.files()  # examples, before anybody comes
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: uploads are removed
    try:
        page.launch(prevent_thread_lock=True, **launch_options(options))
    except OSError as error:
        raise SystemExit(f"app.py: {_first_sentence(error)}; try another --port") from None
    caches = (context.results, shadow_making.PORTRAITS, dataset_browsing.OPENED)
    keep_swept([*(one.sweep for one in caches), partial(storage.sweep, own)], EVERY_S)
    with suppress(KeyboardInterrupt):  # in block_thread, Gradio minds it
        context.engine.start(
            then=partial(first_result, context), last=partial(leaderboard.warm_up, options.results)
        )
        page.block_thread()
    _leave(cache)


def _leave(cache: Path) -> NoReturn:
    """Ends the process at once: PyTorch aborts an interpreter that shuts down in order while a
    thread loads the model or restores."""
    shutil.rmtree(cache, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _first_sentence(error: OSError) -> str:
    return str(error).split(". ")[0].rstrip(". ")


def launch_options(options: Options) -> dict[str, Any]:
    """Arguments of ``launch``: nothing but uploads, results and the examples is ever served."""
    return {
        "server_name": options.host,
        "server_port": options.port,
        "auth": options.auth,
        "mcp_server": options.mcp,
        "theme": theme.theme(),
        "css": theme.CSS,
        "head": head.HEAD,
        "max_file_size": f"{MOST_BYTES >> 20}mb",
        "max_threads": THREADS,
        "state_session_capacity": MOST_SESSIONS,
        "allowed_paths": [str(EXAMPLES)],  # wherever the app is started from
        "footer_links": ["api"],
        "ssr_mode": False,
        "show_error": False,
        "_frontend": False,  # else Gradio gives up where its own first page takes 3 s
    }


def check_mcp() -> None:
    """Exits with one line when the MCP extra is not installed."""
    from importlib.util import find_spec

    if find_spec("mcp") is None:
        raise SystemExit("app.py: --mcp needs the extra: pip install 'gradio[mcp]==6.31.0'")


def build(context: Context) -> gr.Blocks:
    """The page with every tab and endpoint; nothing heavy is loaded."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    saved_pictures.save_whole()
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as page:
        endpoints.build(context)  # first: their names must not be taken by handlers of the tabs
        with gr.Row(elem_id="top"):
            gr.Markdown(HEADER, elem_id="title", min_width=300)
            status = gr.Markdown("Model: loading …", elem_id="status", min_width=200)
        with gr.Tabs() as tabs:
            with gr.Tab("Restore", id="restore"):
                source = restore_tab.build(context, page)
            with gr.Tab("Batch", id="batch"):
                batch_tab.build(context, page)
            with gr.Tab("Make a shadow", id="shadow") as tab:
                shadow_tab.build(context, source, tabs, tab)
            with gr.Tab("Dataset", id="dataset") as tab:
                dataset_tab.build(context, tab)
            with gr.Tab("Leaderboard", id="leaderboard") as tab:
                leaderboard_tab.build(context, tab)
            with gr.Tab("About", id="about"):
                about_tab.build(context)
        page.load(
            lambda: status_line(context),
            None,
            status,
            **DIRECT,
        )

        def leave(request: gr.Request) -> None:
            for runs in (context.runs, context.calls):
                runs.cancel_all(request.session_hash)

        page.unload(leave)
    page.queue(**QUEUE)
    return page


def status_line(context: Context) -> str:
    """The model's state, told once it has settled."""
    context.engine.settle(60)
    return context.engine.describe()
