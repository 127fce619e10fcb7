"""An app that asks for a login answers nobody else, whatever they ask for."""

from __future__ import annotations

import httpx
import pytest

USER = {"username": "ann", "password": "secret"}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """An app behind a login; its model is never loaded."""
    from demo.context import Context
    from demo.engine import Engine
    from demo.interface import build, launch_options
    from demo.options import Options

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("cache")))
        options = Options(auth=("ann", "secret"))
        page = build(Context(options, Engine(options.checkpoint)))
        _, served, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options(options))
        yield served.rstrip("/")
        page.close(verbose=False)


def ask(there, url: str) -> dict[str, int]:
    """What one who may or may not come in is answered: status by route."""
    upload = {"files": ("a.png", b"data")}
    join = {"data": ["ucb"], "fn_index": 5, "session_hash": "a"}
    return {
        "config": there.get(f"{url}/config").status_code,
        "info": there.get(f"{url}/gradio_api/info").status_code,
        "call": there.post(f"{url}/gradio_api/call/boards", json={"data": []}).status_code,
        "join": there.post(f"{url}/gradio_api/queue/join", json=join).status_code,
        "upload": there.post(f"{url}/gradio_api/upload", files=upload).status_code,
    }


def test_nobody_is_answered_without_the_login(url):
    with httpx.Client(timeout=60) as stranger:
        assert set(ask(stranger, url).values()) == {401}
        wrong = stranger.post(f"{url}/login", data=USER | {"password": "secrets"})
        assert wrong.status_code == 400
        assert set(ask(stranger, url).values()) == {401}
        assert "Remove the shadow" not in stranger.get(url).text


def test_whoever_logs_in_is_answered(url):
    with httpx.Client(timeout=60) as ann:
        assert ann.post(f"{url}/login", data=USER).status_code == 200
        assert set(ask(ann, url).values()) == {200}
        assert "Remove the shadow" in ann.get(url).text
