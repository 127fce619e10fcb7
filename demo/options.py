"""Options of ``python app.py``; importable in milliseconds."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from learnir.paths import is_hub_id

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"


@dataclass(frozen=True)
class Options:
    """What the app is started with.

    Attributes:
        host, port: where it listens; None leaves it to Gradio (GRADIO_SERVER_NAME and
            GRADIO_SERVER_PORT, else 127.0.0.1 and the first free port from 7860).
        auth: (user, password) asked for before anything is shown, None = open to all.
        dataset: a built FaceShadow folder or a Hub data set id; None = the tab tells how.
        results: folder of benchmark results; submissions are written there, and stay as long
            as it does.
        checkpoint: checkpoint folder or Hub id, None = the shipped weights.
        mcp: also serve the endpoints to language models by the Model Context Protocol.
    """

    host: str | None = None
    port: int | None = None
    auth: tuple[str, str] | None = None
    dataset: str | None = None
    results: Path = RESULTS
    checkpoint: str | None = None
    mcp: bool = False


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """The options in ``arguments`` (default: the command line); exits with one line when wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    auth = os.environ.get("LEARNIR_APP_AUTH") if given.auth is None else given.auth
    try:
        return Options(
            host=given.host,
            port=_port(given.port),
            auth=_credentials(auth),
            dataset=_dataset(given.dataset),
            results=_folder(given.results or os.environ.get("LEARNIR_APP_RESULTS") or str(RESULTS)),
            checkpoint=given.checkpoint,
            mcp=given.mcp,
        )
    except ValueError as error:
        parser.exit(2, f"app.py: {error}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="app.py",
        description="LearnIR in the browser: restore shadowed portraits, make shadows, browse the "
        "data set, read and extend the leaderboard.",
    )
    add = parser.add_argument
    add("--host", help="address to listen on; 0.0.0.0 opens it to the network (127.0.0.1)")
    add("--port", type=int, help="port to listen on (first free one from 7860)")
    add("--auth", metavar="USER:PASSWORD", help="ask for a login; or set LEARNIR_APP_AUTH")
    add("--dataset", metavar="DIR|ID", help="built FaceShadow folder or Hub data set to browse")
    add("--results", metavar="DIR", help="benchmark results; or set LEARNIR_APP_RESULTS")
    add("--checkpoint", metavar="DIR|ID", help="checkpoint folder or Hub id (shipped weights)")
    add("--mcp", action="store_true", help="serve the endpoints by MCP too (needs gradio[mcp])")
    return parser


def _port(port: int | None) -> int | None:
    if port is not None and not 0 < port < 65536:
        raise ValueError(f"--port {port}: choose one from 1 to 65535")
    return port


def _credentials(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise ValueError("--auth: write USER:PASSWORD, both not empty")
    return user, password


def _dataset(where: str | None) -> str | None:
    if where is not None and not is_hub_id(where) and not Path(where).expanduser().is_dir():
        raise ValueError(f"--dataset {where}: no such folder; build one with faceshadow build")
    return where


def _folder(where: str) -> Path:
    folder = Path(where).expanduser()
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--results {where}: not a folder; give the folder of result files")
    return folder
