"""What went in, what was dropped and why, and how the pairs are distributed: report/ of a build."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from dataset_tools import ledger, sheets
from dataset_tools.curation import Verdict
from dataset_tools.facts import skin_bin
from dataset_tools.markdown import table
from dataset_tools.photos import Photo, PhotoError, load_picture
from dataset_tools.rows import FIELDS
from dataset_tools.traces import curation_lines
from learnir.writing import write_atomically

SHEET_TILES, SHEET_COLUMNS, SHEET_SIDE = 60, 10, 128
HISTOGRAMS: dict[str, tuple[float, ...]] = {
    "coverage": (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.01),
    "penumbra": (0, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 1e9),
    "distance": (0, 1, 50, 100, 200, 400, 800, 1600, 3200, 1e9),
    "ambient": (0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.45, 1.01),
    "tint": (-1, -0.2, -0.1, 0, 0.05, 0.1, 0.15, 0.2, 0.3, 1),
    "yaw": (-90, -45, -30, -20, -10, 0, 10, 20, 30, 45, 90),
    "pitch": (-90, -30, -20, -10, 0, 10, 20, 30, 90),
}
COUNTS = ("split", "kind", "relit", "person_only", "occluders", "skin_tone", "source", "licence")


class Statistics:
    """Counts and histograms gathered row by row, so that memory does not grow with the rows."""

    def __init__(self) -> None:
        self.pairs = 0
        self.people: set[str] = set()
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in COUNTS}
        self.bins = {name: np.zeros(len(edges) - 1, int) for name, edges in HISTOGRAMS.items()}

    def add(self, row: dict[str, Any]) -> None:
        self.pairs += 1
        self.people.add(row["identity"] or row["photo"])
        for name, counter in self.counts.items():
            values = str(row[name]).split(",") if name == "occluders" else [str(row[name])]
            counter.update(values)
        for name, edges in HISTOGRAMS.items():
            place = int(np.searchsorted(edges, row[name], side="right")) - 1
            self.bins[name][min(max(place, 0), len(edges) - 2)] += 1

    def markdown(self) -> str:
        pairs, people = self.pairs, len(self.people)
        parts = [
            f"{pairs} pair{'s' * (pairs != 1)} of {people} {'person' if people == 1 else 'people'}."
            "\n"
        ]
        for name, counter in self.counts.items():
            parts.append(_table(name, counter.most_common(25)))
        for name, edges in HISTOGRAMS.items():
            labels = [f"{a:g} .. {b:g}" if b < 1e8 else f">= {a:g}" for a, b in pairwise(edges)]
            counted = list(zip(labels, self.bins[name].tolist(), strict=True))
            parts.append(_table(name, counted, FIELDS[name]))
        return "\n".join(parts)


def statistics(out: Path) -> Statistics:
    """Statistics of a built dataset."""
    gathered = Statistics()
    for row in ledger.rows(out):
        gathered.add(row)
    return gathered


def _table(name: str, counted: list[tuple[str, int]], about: str = "") -> str:
    """Markdown table with a bar a row, below what it is ``about``."""
    most = max((n for _, n in counted), default=1) or 1
    rows = [(label or "(none)", n, "#" * round(30 * n / most)) for label, n in counted]
    head = f"### {name}\n\n{about}\n" if about else f"### {name}\n"
    return f"{head}\n{table((name, 'count', ''), rows)}\n"


def write_summary(out: Path) -> None:
    """report/report.md, from report/curation.csv and the rows as they are now."""
    text = "\n".join(["# Curation\n", _curation(curation_lines(out)), "# Pairs\n"])
    path = out / ledger.REPORT / "report.md"
    write_atomically(path, (text + statistics(out).markdown()).encode())


def write_sheets(out: Path, photos: dict[str, Photo], verdicts: list[Verdict]) -> None:
    """Contact sheets of kept, review and dropped photos."""
    for status in ("kept", "review", "dropped"):
        chosen = spread([v for v in verdicts if v.status == status], SHEET_TILES)
        tiles = [tile for v in chosen if (tile := _tile(photos[v.key], v)) is not None]
        path = out / ledger.REPORT / f"{status}.png"
        if tiles:
            sheets.save(path, sheets.sheet(tiles, SHEET_COLUMNS))
        else:
            path.unlink(missing_ok=True)


def spread(items: list, count: int) -> list:
    """At most ``count`` items evenly over the list."""
    if len(items) <= count:
        return items
    return [items[int(k)] for k in np.linspace(0, len(items) - 1, count)]


def _tile(photo: Photo, verdict: Verdict) -> np.ndarray | None:
    try:
        picture = load_picture(photo.path, longest=512)
    except PhotoError:
        return None
    tile = sheets.square(picture, SHEET_SIDE)
    return sheets.caption(tile, f"{verdict.step}: {verdict.reason}") if verdict.step else tile


def _curation(lines: list[dict[str, str]]) -> str:
    status = Counter(line["status"] for line in lines)
    steps = Counter(f"{line['status']}: {line['step']}" for line in lines if line["step"])
    tones = Counter(skin_bin(float(line["ita"])) for line in lines if line["status"] == "kept")
    tables = (("verdict", status), ("step", steps), ("skin tone of the kept", tones))
    return "\n".join(_table(name, counter.most_common()) for name, counter in tables)
