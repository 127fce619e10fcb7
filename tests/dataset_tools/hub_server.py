"""A Hub on this machine that holds one dataset, the files of a folder: enough of its API to read
one. The commit follows from the files."""

from __future__ import annotations

import hashlib
import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@contextmanager
def serving(root: Path, log: list[str]) -> Iterator[str]:
    """The address of a Hub; ``log`` gets the files that are asked for."""
    server = ThreadingHTTPServer(("localhost", 0), partial(_Hub, root, log))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def __init__(self, root: Path, log: list[str], *words: Any) -> None:
        self.root, self.log = root, log
        super().__init__(*words)

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path = urllib.parse.unquote(urllib.parse.urlparse(self.path).path)
        match path.removeprefix("/api").removeprefix("/datasets/").split("/"):
            case [_, _, "resolve", _, *name]:
                self._file(self.root.joinpath(*name))
            case [_, _, "paths-info", _]:
                asked = urllib.parse.parse_qs(body).get("paths") or json.loads(body)["paths"]
                there = (self.root / name for name in asked)
                self._json([self._entry(path) for path in there if path.exists()])
            case [_, _, "tree", _, *name]:
                base = self.root.joinpath(*name)
                deep = "recursive=true" in self.path.lower()
                found = sorted(base.rglob("*") if deep else base.glob("*"))
                self._json([self._entry(path) for path in found])
            case [owner, name] | [owner, name, "revision", _]:
                files = [{"rfilename": self._name(path)} for path in self._files()]
                about = {"id": f"{owner}/{name}", "sha": self._commit(), "siblings": files}
                none = {"private": False, "gated": False, "disabled": False, "tags": []}
                self._json({"_id": "1", "downloads": 0, "likes": 0} | about | none)
            case _:
                self._json({"error": "not here"}, 404)

    do_HEAD = do_POST = do_GET

    def _files(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file())

    def _commit(self) -> str:
        return hashlib.sha1(b"".join(path.read_bytes() for path in self._files())).hexdigest()

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _entry(self, path: Path) -> dict[str, Any]:
        if path.is_dir():
            return {"type": "directory", "oid": "b" * 40, "size": 0, "path": self._name(path)}
        oid = hashlib.sha1(path.read_bytes()).hexdigest()
        return {"type": "file", "oid": oid, "size": path.stat().st_size, "path": self._name(path)}

    def _file(self, path: Path) -> None:
        if not path.is_file():
            return self._json({"error": "not here"}, 404, {"X-Error-Code": "EntryNotFound"})
        data = path.read_bytes()
        head = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": self._commit()}
        if self.command == "GET":
            self.log.append(self._name(path))
        span = self.headers.get("Range")
        if not span or self.command == "HEAD":
            return self._send(data, 200, head)
        first, _, last = span.removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last or len(data)), len(data) - 1) + 1
        head["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        return self._send(data[start:stop], 206, head)

    def _json(self, value: Any, code: int = 200, head: dict[str, str] | None = None) -> None:
        self._send(json.dumps(value).encode(), code, head or {})

    def _send(self, data: bytes, code: int, head: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(data))} | head).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
