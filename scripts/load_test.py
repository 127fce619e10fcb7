"""Many users at once: nothing lost, a bounded queue, bounded memory.

    python scripts/load_test.py [--requests 200] [--users 30] [-o docs/results/load.json]

Serves the app in a process of its own, lets 30 clients restore at the same time, then sends 200
requests in a row, each by a new client, and reports the server's resident memory after every 20.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "demo" / "examples" / "hand.jpg"


def serve() -> tuple[subprocess.Popen[str], str, float]:
    """The running app, its address, and the seconds until it answered."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"http://[\d.]+:\d+", line)
        if found:
            return process, found[0], time.perf_counter() - start
    raise SystemExit("the app did not start")


def resident(process: subprocess.Popen[str]) -> float:
    """GiB of memory the server holds."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 2**20 if found else float("nan")


def restore(client: Any) -> float:
    """Seconds of one restoration as a client sees it."""
    from gradio_client import handle_file

    start = time.perf_counter()
    client.predict(handle_file(str(PICTURE)), api_name="/restore")
    return time.perf_counter() - start


def together(url: str, users: int) -> dict[str, Any]:
    """What became of ``users`` simultaneous requests."""
    from gradio_client import Client

    clients = [Client(url, verbose=False) for _ in range(users)]
    with ThreadPoolExecutor(users) as pool:
        start = time.perf_counter()
        jobs = [pool.submit(restore, client) for client in clients]
        errors = [str(job.exception()) for job in jobs if job.exception()]
        seconds = sorted(job.result() for job in jobs if not job.exception())
    return {
        "users": users,
        "answered": len(seconds),
        "lost": len(errors),
        "errors": errors[:3],
        "seconds": round(time.perf_counter() - start, 2),
        "median_wait": round(seconds[len(seconds) // 2], 2) if seconds else None,
    }


def in_a_row(url: str, process: subprocess.Popen[str], requests: int) -> list[float]:
    """Memory after every 20 requests, each by a new client as of other users, GiB."""
    from gradio_client import Client

    memory = []
    for number in range(1, requests + 1):
        restore(Client(url, verbose=False))
        if number % 20 == 0:
            memory.append(round(resident(process), 3))
    return memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--users", type=int, default=30)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    process, url, started = serve()
    try:
        crowd = together(url, options.users)
        memory = in_a_row(url, process, options.requests)
    finally:
        process.terminate()
    found = {"server_up_seconds": round(started, 1), "together": crowd, "memory_gib": memory}
    print(f"server up after {started:.1f} s")
    print(f"{crowd['answered']} of {crowd['users']} answered in {crowd['seconds']} s")
    print(f"memory over {options.requests} requests, GiB: {memory}")
    if options.out:
        from result_files import write_result

        write_result(options.out, found)


if __name__ == "__main__":
    main()
