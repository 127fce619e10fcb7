"""What the Leaderboard tab does: tables of plain text, plots, pictures of two methods, submissions.

Submitted names are text wherever they appear; nothing here makes HTML of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from demo.engine import Settings
from demo.failures import benchmark_failures_shown, failures_shown, refusal
from demo.storage import keep
from learnir.encoding import encode_png

if TYPE_CHECKING:
    import pandas as pd

    from benchmarks.leaderboard import Board
    from benchmarks.pairs import Collection, Pair
    from benchmarks.results import Run
    from demo.context import Context

METRICS = {"psnr": 2, "ssim": 4, "lpips_alex": 4, "lab_mae": 2}
"""Columns shown, and their digits."""
COLUMNS = ["#", "method", *METRICS, "mask", "trained on", "s/picture", "M params", "badge", "run"]
PUBLISHED = [
    "dataset", "method", "year", "psnr", "ssim", "lpips", "rmse_all", "badge", "protocol", "source",
    "confidence", "note",
]  # fmt: skip


def board_choices(folder: Path) -> list[tuple[str, str]]:
    """(label, id) of every board that has a result."""
    from benchmarks.leaderboard import boards

    with benchmark_failures_shown():
        return [(board.label, board.id) for board in boards(folder)]


def warm_up(folder: Path) -> None:
    """Ranks a board before anybody opens the tab: what that imports takes seconds."""
    with suppress(gr.Error):  # a page that opens the tab is told
        for _, name in board_choices(folder)[:1]:
            ranking(ranked(folder, name))


def board(folder: Path, name: str) -> Board:
    """The board of that id; gr.Error where there is none."""
    from benchmarks.leaderboard import board_named

    with benchmark_failures_shown():
        return board_named(name, folder)


@dataclass(frozen=True, eq=False)
class Ranked:
    """A board and its ``benchmarks.leaderboard.table``, which takes seconds to make."""

    board: Board
    table: pd.DataFrame


def ranked(folder: Path, name: str) -> Ranked:
    """The board of that id, read once for all that is shown of it; gr.Error without one."""
    from benchmarks.leaderboard import table

    chosen = board(folder, name)
    return Ranked(chosen, table(chosen, folder))


def ranking(found: Ranked) -> list[list[Any]]:
    """Rows of COLUMNS, best first; scores with their 95 % interval, as text.

    Behind seconds of another day than the newest row's is a mark, as on all boards.
    """
    from benchmarks.timing_days import marks

    rows = zip(found.table.to_dict("records"), marks(found.table), strict=True)
    return [_row(row, mark) for row, mark in rows]


def _row(row: dict[str, Any], mark: str) -> list[Any]:
    return [
        row["rank"],
        row["method"] + (" (tied with the best)" if row["tied"] and row["rank"] > 1 else ""),
        *(_score(row, metric, digits) for metric, digits in METRICS.items()),
        row["mask"],
        row["training_data"],
        _number(row["seconds"], 1, 3) + mark,
        _number(row["parameters"], 1e6, 2),
        row["badge"],
        row["run"],
    ]


def _score(row: dict[str, Any], metric: str, digits: int) -> str:
    mean, low, high = (row[metric], row[f"{metric}_low"], row[f"{metric}_high"])
    if mean is None or np.isnan(mean):
        return "–"
    known = _padded(mean, digits)
    if low is None or np.isnan(low):
        return known
    return f"{known} [{low:.{digits}f}, {high:.{digits}f}]"


def _number(value: float | None, unit: float, digits: int) -> str:
    return "" if value is None or np.isnan(value) else _padded(value / unit, digits)


def _padded(value: float, digits: int) -> str:
    """Padded with spaces, which browsers fold: tables sort their cells as text."""
    return f"{value:{5 + digits}.{digits}f}"


def plots(found: Ranked) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Perception against distortion, and quality against time."""
    from benchmarks.leaderboard import perception_distortion, quality_time

    return perception_distortion(found.table), quality_time(found.board, found.table)


def span(values: Iterable[float | None]) -> list[float] | None:
    """Lowest and highest with a margin, for an axis that cuts no point; None without numbers."""
    known = [float(v) for v in values if v is not None and np.isfinite(v)]
    if not known:
        return None
    low, high = min(known), max(known)
    margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    return [low - margin, high + margin]


def runs(found: Ranked) -> list[tuple[str, str]]:
    """(method, run id) of a board, best first."""
    return list(zip(found.table["method"], found.table["run"], strict=True))


def command(folder: Path, run_id: str) -> str:
    """The command that makes a row again."""
    from benchmarks.leaderboard import find_run, reproduce

    with benchmark_failures_shown():
        return reproduce(find_run(run_id, folder))


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two runs as they were compared: ids and methods, rows of COMPARED, rows of PICTURES."""

    runs: tuple[str, str]
    methods: tuple[str, str]
    metrics: list[list[Any]]
    pictures: list[list[Any]]


def comparison(folder: Path, a: str | None, b: str | None) -> Comparison:
    """The runs a and b compared; gr.Error says what keeps them from it."""
    from benchmarks.leaderboard import find_run

    if not (a and b):
        raise refusal("Choose two methods first.")
    with benchmark_failures_shown():
        first, second = (find_run(run, folder).facts["method"]["name"] for run in (a, b))
    return Comparison((a, b), (first, second), compared(folder, a, b), picture_table(folder, a, b))


def compared(folder: Path, a: str, b: str) -> list[list[Any]]:
    """One row per metric: means of a and b, difference with its interval, p, verdict."""
    from benchmarks.comparison import compare_runs

    with benchmark_failures_shown():
        rows = compare_runs(a, b, folder).to_dict("records")
    return [
        [
            row["metric"],
            f"{row['a']:.4f}",
            f"{row['b']:.4f}",
            f"{row['difference']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]",
            f"{row['p']:.3g}",
            f"{row['a_better']} : {row['b_better']}",
            row["verdict"],
        ]
        for row in rows
    ]


COMPARED = ["metric", "A", "B", "A - B, 95 %", "p", "pictures better", "verdict"]
PICTURES = ["picture", "PSNR A", "PSNR B", "A - B"]


def picture_table(folder: Path, a: str, b: str) -> list[list[Any]]:
    """name, metric of A, of B, difference, the widest apart first."""
    from benchmarks.leaderboard import per_picture

    with benchmark_failures_shown():
        tables = [per_picture(run, folder).groupby("name")["psnr"].mean() for run in (a, b)]
    joined = tables[0].to_frame("a").join(tables[1].to_frame("b"), how="inner")
    joined = joined.assign(d=joined["a"] - joined["b"])
    joined = joined.reindex(joined["d"].abs().sort_values(ascending=False).index)
    return [[n, round(r.a, 2), round(r.b, 2), round(r.d, 2)] for n, r in joined.iterrows()]


def pictures(context: Context, a: str, b: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """What two methods make of one test picture, restored now: results keep scores only.

    gr.Error where the data set is not on this machine, a method is not one of ours, or the app's
    model is not the one that was scored.
    """
    from benchmarks.leaderboard import find_run
    from benchmarks.pairs import load
    from benchmarks.protocols import protocol_named
    from benchmarks.scoring import as_seen

    with failures_shown(), benchmark_failures_shown():
        found = [find_run(run, context.options.results) for run in (a, b)]
        own = found[0].data
        collection = _opened(own, found[0].facts["dataset"]["split"], found[0].clean)
        source = next((s for s in collection.sources if s.key == name), None)
        if source is None:
            raise refusal(f"{name}: not in the copy of {own} that is here.")
        pair = as_seen(load(collection, source), protocol_named(found[0].facts["protocol"]["id"]))
        first, second = (_restored(context, run, pair) for run in found)
    return first, second


def _restored(context: Context, run: Run, pair: Pair) -> np.ndarray:
    """A pair as the method of a run restores it, where that is the one that was scored."""
    from benchmarks.methods import METHODS, make_method

    name, seed = run.facts["method"]["name"], run.facts["seeds"][0]
    if name not in METHODS:
        raise refusal(f"{name}: its pictures are not stored, and it cannot be run here.")
    if name.startswith("learnir"):
        context.engine.model()  # is loaded, or it is said why not
        source = _source(context.engine.checkpoint)
        restore: Callable[[Pair, int], np.ndarray] = partial(_by_model, context, name)
    else:
        made = make_method(name)
        source, restore = made.card.source, made.restore
    if source != run.facts["method"].get("source"):  # as by --checkpoint
        raise refusal(
            f"{name}: its pictures are not stored, and the {name} here is not the one that was "
            "scored."
        )
    return restore(pair, seed)


def _by_model(context: Context, name: str, pair: Pair, seed: int) -> np.ndarray:
    """A pair as a method restores it that is the app's own model, in its turn."""
    from benchmarks.learnir_methods import ONE_STEP, asks_once
    from benchmarks.methods import LEARNIR

    if name in LEARNIR:
        return context.engine.restore(pair.input, Settings(seed=seed, **LEARNIR[name])).picture
    with context.engine.lent() as model:
        return asks_once(model).restore(pair.input, seed=seed, **ONE_STEP).picture


@lru_cache(maxsize=1)
def _source(checkpoint: str | None) -> str:
    """How results name the checkpoint they were made with."""
    from benchmarks.learnir_methods import checkpoint_hash

    return f"checkpoint {checkpoint_hash(checkpoint)}"


@dataclass(frozen=True, eq=False)
class Drawn:
    """What two runs made of one picture: their ids, a line, the paths of both results."""

    runs: tuple[str, str]
    label: str
    files: tuple[str, str]


def drawn(context: Context, of: Comparison, name: str) -> Drawn:
    """``pictures`` of a comparison, as files; gr.Error as there."""
    first, second = of.methods
    left, right = (encode_png(made) for made in pictures(context, *of.runs, name))
    files = keep(left, f"{name}-{first}.png"), keep(right, f"{name}-{second}.png")
    return Drawn(of.runs, f"{first} | {second}: {name}", files)


def _opened(name: str, split: str, clean: bool) -> Collection:
    """The data set a board was scored on; gr.Error, without the server's paths, where it is not."""
    from benchmarks.names import BenchmarkError
    from benchmarks.pairs import open_collection

    try:
        return open_collection(name, None, split, clean)
    except BenchmarkError as error:
        raise refusal(
            f"{name} is not on this machine, and results keep scores only: nothing to show."
        ) from error


def as_csv(folder: Path, name: str) -> str:
    """Path of the whole ranking as CSV."""
    from benchmarks.export import as_csv as text

    chosen = board(folder, name)
    return keep(text(chosen, folder).encode(), f"{chosen.id}.csv")


_SUBMITTING = threading.Lock()


def submitted(folder: Path, path: str | None) -> tuple[bool, str, str | None]:
    """(accepted, reason, run id) of an uploaded zip; one is checked at a time, whoever sent it."""
    from benchmarks.submissions import submit

    if not path:
        raise refusal("Choose the zip of a submission first.")
    with _SUBMITTING:
        verdict = submit(path, folder)
    return verdict.accepted, verdict.reason, verdict.run_id


def published_rows() -> list[list[Any]]:
    """Rows of PUBLISHED: numbers copied from papers."""
    from benchmarks.published import published

    found = published()[PUBLISHED].astype(object)
    return found.where(found.notna(), "").values.tolist()
