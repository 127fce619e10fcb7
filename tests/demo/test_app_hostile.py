"""What strangers may send: refused in one sentence, and the app goes on."""

from __future__ import annotations

import io
import json
import struct
import uuid
import zipfile
import zlib
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from uploads import HAND, upload

from demo import photos
from learnir.images import ImageError


@pytest.fixture(autouse=True)
def _still_alive(client):
    """After every attack the app restores a picture."""
    yield
    assert client.predict(upload(HAND), api_name="/restore")[2]["width"] == 512


def refused(client, path: Path, match: str) -> None:
    with pytest.raises(Exception, match=match) as caught:
        client.predict(upload(path), api_name="/restore")
    assert "Traceback" not in str(caught.value)
    assert "/" not in str(caught.value).replace("https://", ""), "a path of the server leaks"


def png_header_only(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds a few bytes of rows."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 16))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_200_megapixels(client, tmp_path):
    Image.new("1", (20_000, 10_000)).save(tmp_path / "large.png")
    refused(client, tmp_path / "large.png", "limit of 50 megapixels")


def test_picture_bomb(client, tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_header_only(60_000, 60_000))
    refused(client, tmp_path / "bomb.png", "pixels")


def test_zip_bomb_named_png(client, tmp_path):
    with zipfile.ZipFile(tmp_path / "zip.png", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(50 << 20))
    refused(client, tmp_path / "zip.png", "not a readable")


@pytest.mark.parametrize(
    "text",
    [
        '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "<!doctype html><script>alert(1)</script>",
        "",
    ],
)
def test_markup_or_nothing_named_png(client, tmp_path, text):
    (tmp_path / "page.png").write_text(text)
    refused(client, tmp_path / "page.png", "not a readable|empty file")


def test_truncated_jpeg(client, tmp_path):
    (tmp_path / "cut.jpg").write_bytes(HAND.read_bytes()[:9000])
    refused(client, tmp_path / "cut.jpg", "damaged or cut short")


def post_upload(app, name: str, data: bytes) -> httpx.Response:
    return httpx.post(f"{app.url}/gradio_api/upload", files={"files": (name, data)}, timeout=60)


def test_file_names_cannot_leave_the_cache(app):
    for name in ("../../evil.png", "..\\evil.png", "/etc/evil.png", "a/../../../evil.png"):
        answer = post_upload(app, name, b"data")
        stored = Path(answer.json()[0])
        assert stored.resolve().is_relative_to(app.cache.resolve())
        assert ".." not in stored.parts
        assert stored.read_bytes() == b"data"
        assert "\\" not in stored.name
    assert not (app.cache.parent / "evil.png").exists()


def test_oversize_upload(app):
    answer = post_upload(app, "big.png", bytes((64 << 20) + 1000))
    assert answer.status_code == 413
    assert not any(f.stat().st_size > 64 << 20 for f in app.cache.rglob("*") if f.is_file())


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "app.py",
        "demo/interface.py",
        "../../../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "file:///etc/passwd",
    ],
)
def test_no_file_outside_the_cache_is_served(app, path):
    for route in ("file=", "file/", "static/", "assets/", "stream/"):
        answer = httpx.get(f"{app.url}/gradio_api/{route}{path}", follow_redirects=False)
        assert answer.status_code in (400, 403, 404, 405, 307), (route, answer.status_code)
        assert b"root:" not in answer.content
        assert b"import" not in answer.content


def restored_by_hand(app, path: str) -> str:
    """What /restore answers to a file record that somebody wrote."""
    record = {"path": path, "meta": {"_type": "gradio.FileData"}}
    return call(app, "restore", [record, 0, "as trained", "as trained", 0, "auto", 1, None])


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../etc/passwd", "app.py", "file:///etc/passwd"]
)
def test_endpoints_take_no_path_of_the_clients_choosing(app, path, capsys):
    answer = restored_by_hand(app, path)
    assert "event: error" in answer
    assert "it was not uploaded by a user" in capsys.readouterr().err  # a stranger is told nothing
    assert "root:" not in answer
    assert "complete" not in answer.split("event: ")[1]


def test_an_upload_is_taken_by_the_same_call(app):
    uploaded = post_upload(app, "hand.jpg", HAND.read_bytes()).json()[0]
    assert "event: complete" in restored_by_hand(app, uploaded)


def call(app, name: str, data: list) -> str:
    """The raw event stream of an endpoint, as curl sees it."""
    joined = httpx.post(f"{app.url}/gradio_api/call/{name}", json={"data": data}, timeout=60)
    if joined.status_code != 200:
        return f"event: error\n{joined.text}"
    event = joined.json()["event_id"]
    return httpx.get(f"{app.url}/gradio_api/call/{name}/{event}", timeout=60).text


def handlers(app, *names):
    """Numbers of the page's private handlers with these names."""
    found = httpx.get(f"{app.url}/config").json()["dependencies"]
    return [
        (d["id"], d["inputs"])
        for d in found
        if d["api_visibility"] == "private" and str(d["api_name"]).startswith(names)
    ]


def test_private_handlers_are_not_in_the_documentation(app, client):
    assert handlers(app, "restore", "take", "draw")
    info = json.dumps(httpx.get(f"{app.url}/gradio_api/info").json())
    for word in ("restore_1", "/take", "/draw", "connect_run"):
        assert word not in info


def choosing(app) -> dict[str, int]:
    """Numbers of the handlers that open a picture somebody chose, by its component."""
    page = httpx.get(f"{app.url}/config").json()
    names = {part["id"]: part["props"].get("elem_id") for part in page["components"]}
    return {
        names[part]: d["id"]
        for d in page["dependencies"]
        for part, event in d["targets"]
        if event == "upload" and d["inputs"][:1] == [part]
    }


def chosen_by_hand(app, number: int, path: str) -> str:
    """The last line of the stream that tells what a page's handler has made of a file record."""
    raw = {"path": path, "meta": {"_type": "gradio.FileData"}}
    session = f"hand-{uuid.uuid4().hex}"
    body = {"data": [raw], "fn_index": number, "session_hash": session}
    assert httpx.post(f"{app.url}/gradio_api/queue/join", json=body).status_code == 200
    there = f"{app.url}/gradio_api/queue/data?session_hash={session}"
    with httpx.stream("GET", there, timeout=60) as stream:
        return next(line for line in stream.iter_lines() if "process_completed" in line)


def test_a_page_handler_called_by_hand_reads_no_file_of_the_server(app, tmp_path):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (30, 30), "red").save(secret)
    uploaded = post_upload(app, "mine.png", secret.read_bytes()).json()[0]
    found = choosing(app)
    assert set(found) == {"restore-input", "restore-truth", "shadow-portrait"}
    for number in found.values():
        taken = json.loads(chosen_by_hand(app, number, uploaded).removeprefix("data: "))
        assert taken["success"]
        assert uploaded in json.dumps(taken["output"])
        refused = json.loads(chosen_by_hand(app, number, str(secret)).removeprefix("data: "))
        assert not refused["success"]
        assert refused["output"] == {"error": None}


def test_the_app_opens_uploads_alone_whatever_gradio_lets_through(app, tmp_path):
    secret, link = tmp_path / "secret.png", app.cache / "link.png"
    Image.new("RGB", (30, 30), "red").save(secret)
    link.symlink_to(secret)
    for path in (secret, link, app.cache / ".." / secret.name, Path("/etc/passwd")):
        with pytest.raises(ImageError, match=f"^{path.name}: not an upload; choose it again$"):
            photos.open_photo(str(path))
    link.unlink()


def test_grey_alpha_and_palette_uploads_are_fine(client, tmp_path):
    rng = np.random.default_rng(1)
    rgb = Image.fromarray(rng.integers(0, 255, (40, 50, 3), np.uint8))
    for mode in ("L", "LA", "RGBA", "P"):
        path = tmp_path / f"{mode}.png"
        rgb.convert(mode).save(path)
        restored = client.predict(upload(path), api_name="/restore")[0]
        kept = Image.open(io.BytesIO(Path(restored).read_bytes()))
        assert kept.size == (50, 40)
        assert ("A" in kept.mode) == ("A" in mode)
