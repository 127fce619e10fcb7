"""Tables into pages: what stands between ``<!-- name -->`` and ``<!-- /name -->`` is replaced."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def fill(page: Path, name: str, content: str) -> None:
    """Replaces what stands between the markers ``name`` of a page; exits when there are none."""
    text = page.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(\n?<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{page}: no markers for {name!r}")
    end = f"\n<!-- /{name} -->"
    page.write_text(pattern.sub(lambda m: m[1] + content + end, text), encoding="utf-8")


def markdown(rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first row is its head."""
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([lines[0], f"|{' --- |' * len(rows[0])}", *lines[1:]])
