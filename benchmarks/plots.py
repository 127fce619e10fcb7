"""A board as two scatter plots: distortion against perception, and quality against time."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.leaderboard import Board, perception_distortion, quality_time, table
from benchmarks.locations import RESULTS
from benchmarks.metrics import METRICS
from benchmarks.names import BenchmarkError, look_up
from learnir.writing import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BETTER = {"higher": "higher is better", "lower": "lower is better"}


def plot(board: Board, kind: str, out: Path, folder: str | Path = RESULTS) -> Path:
    """Writes ``kind`` ("perception-distortion" or "quality-time") of a board as PNG, SVG or PDF.

    BenchmarkError where no row has what the plot needs, or for an ending that is none of these.
    """
    from matplotlib.figure import Figure

    draw = look_up("plot", kind, PLOTS)
    if out.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise BenchmarkError(f"{out}: name a .png, .svg or .pdf")
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    draw(axes, board, folder)
    axes.set_title(board.scored, fontsize=9)
    axes.grid(alpha=0.3)
    axes.margins(0.18, 0.12)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=out.suffix[1:].lower(), dpi=150)
    write_atomically(out, buffer.getvalue())
    return out


def _perception(axes: Axes, board: Board, folder: str | Path) -> None:
    rows = perception_distortion(table(board, folder))
    _points(axes, board, rows["psnr"], rows["lpips"], rows["method"])
    axes.set_xlabel("PSNR in dB, higher is better")
    axes.set_ylabel("LPIPS (AlexNet), lower is better")


def _time(axes: Axes, board: Board, folder: str | Path) -> None:
    rows = quality_time(board, table(board, folder))
    rows = rows[rows["method"] != "input"]  # doing nothing takes no time; a log axis has no zero
    _points(axes, board, rows["seconds"], rows["quality"], rows["method"])
    axes.set_xscale("log")
    axes.set_xlabel("seconds a picture, median")
    axes.set_ylabel(f"{board.main_score}, {BETTER[METRICS[board.main_score].direction]}")
    hardware = ", ".join(sorted(set(rows["hardware"])))
    axes.annotate(hardware, (0.99, 0.01), xycoords="axes fraction", ha="right", fontsize=6)


def _points(axes: Axes, board: Board, x, y, names) -> None:  # type: ignore[no-untyped-def]
    if len(names) == 0:
        raise BenchmarkError(f"{board.id}: no row has both scores of this plot")
    axes.scatter(x, y, s=28)
    for place in zip(x, y, names, strict=True):
        label = axes.annotate(place[2], place[:2], (0, 5), textcoords="offset points", fontsize=7)
        label.set(ha="center", parse_math=False)  # a name is a submitter's: never a formula


PLOTS: dict[str, Callable[[Axes, Board, str | Path], None]] = {
    "perception-distortion": _perception,
    "quality-time": _time,
}
