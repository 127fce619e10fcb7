"""Many clients at once: what one asks for keeps neither pages nor single pictures waiting."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from gradio_client import Client
from uploads import EXAMPLES, HAND, upload

from demo.runs import MOST

PATIENT = {"timeout": 60}
"""Seconds: the machine may be busy with other things as well."""


def crowd(app, clients: int) -> Client:
    return Client(
        app.url, verbose=False, download_files=False, max_workers=clients, httpx_kwargs=PATIENT
    )


def until(holds, seconds: float = 60.0) -> None:
    """Waits until ``holds()``; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Page:
    """What the browser of a visitor sends."""

    def __init__(self, app, session: str) -> None:
        self.url, self.session = f"{app.url}/gradio_api", session
        self.config = httpx.get(f"{app.url}/config").json()

    def upload(self, path: Path) -> dict[str, Any]:
        sent = {"files": (path.name, path.read_bytes())}
        stored = httpx.post(f"{self.url}/upload", files=sent, **PATIENT).json()[0]
        return {"path": stored, "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}

    def answered(self, elem_id: str, event: str, data: list[Any]) -> bool:
        """Whether the event of a component with a function is answered without an error."""
        parts, events = self.config["components"], self.config["dependencies"]
        part = next(p["id"] for p in parts if p["props"].get("elem_id") == elem_id)
        found = [e for e in events if [part, event] in e["targets"] and e["backend_fn"]]
        body = {"data": data, "fn_index": found[0]["id"], "session_hash": self.session}
        httpx.post(f"{self.url}/queue/join", json=body, **PATIENT).raise_for_status()
        told = f"{self.url}/queue/data?session_hash={self.session}"
        with httpx.stream("GET", told, timeout=120) as stream:
            said = next(text for text in stream.iter_lines() if "process_completed" in text)
        return json.loads(said.removeprefix("data: "))["success"]


RUN = [None, None, False, 0, "as trained", "as trained", 0, "auto", 1.0]


def test_clients_too_many_are_told_at_once_and_pages_go_on(app):
    """While the model is busy: who finds a place is answered later, the others hear it now."""
    many = MOST + 8
    clients, visitor = crowd(app, many), Page(app, "a visitor")
    with ThreadPoolExecutor(1) as pool:
        with app.context.engine._turns.turn():
            jobs = [clients.submit(upload(HAND), api_name="/restore") for _ in range(many)]
            until(lambda: sum(job.done() for job in jobs) >= 8)
            told = [str(job.exception()) for job in jobs if job.done()]
            assert told == [f"{MOST} others are waiting; try again in a minute"] * 8
            assert visitor.answered("restore-input", "upload", [visitor.upload(HAND)])
            running = pool.submit(visitor.answered, "restore-run", "click", RUN)
            until(lambda: app.context.runs._flags)
            # of all the clients' pictures one is before that of the page
            assert len(app.context.engine._turns._line) <= 3
        assert running.result(60)
    problems = [job.exception(timeout=120) for job in jobs]
    assert sum(problem is None for problem in problems) == MOST


def test_a_picture_does_not_wait_for_the_files_of_another_client(app):
    clients, order = crowd(app, 2), []
    turns = app.context.engine._turns
    files = [upload(path) for path in sorted(EXAMPLES.glob("*-clean.jpg"))] * 3
    with turns.turn():
        batch = clients.submit(files, api_name="/restore_batch")
        until(lambda: len(turns._line) == 2)
        single = clients.submit(upload(HAND), api_name="/restore")
        until(lambda: len(turns._line) == 3)
        for name, job in (("files", batch), ("picture", single)):
            job.future.add_done_callback(lambda _, name=name: order.append(name))
    _, lines = batch.result(120)
    assert [bool(line["output"]) for line in lines] == [True] * len(files)
    until(lambda: len(order) == 2)
    assert order == ["picture", "files"]


def test_what_a_client_that_has_left_asked_for_is_given_up(app):
    visitor, calls = Page(app, "a client that leaves"), app.context.calls
    number = next(
        e["id"] for e in visitor.config["dependencies"] if e["api_name"] == "restore_batch"
    )
    files = [visitor.upload(HAND)] * 3
    body = {"data": [files, None, None], "fn_index": number, "session_hash": visitor.session}
    with app.context.engine._turns.turn():
        alive = f"{visitor.url}/heartbeat/{visitor.session}"
        with httpx.stream("GET", alive, timeout=60):
            httpx.post(f"{visitor.url}/queue/join", json=body, **PATIENT).raise_for_status()
            until(lambda: calls._flags)
        until(lambda: not calls._flags)
