"""A board as text, Markdown, CSV, HTML, and in the two forms the Hugging Face Hub reads."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.datasets import DATASETS
from benchmarks.leaderboard import METRICS_SHOWN, Board, runs_of, table
from benchmarks.locations import RESULTS
from benchmarks.metrics import METRICS
from benchmarks.names import BenchmarkError
from benchmarks.results import Run
from benchmarks.timing_days import footnote, marks

if TYPE_CHECKING:
    import pandas as pd

DIGITS = {"psnr": 2, "ssim": 4, "lpips": 4, "lab": 2, "landmark": 4, "seconds": 3}
REPOSITORY_URL = "https://github.com/learnir/learnir"


def as_text(
    board: Board, folder: str | Path = RESULTS, metrics: Sequence[str] = METRICS_SHOWN
) -> str:
    """Columns for a terminal, below the board's label and id."""
    found = table(board, folder, tuple(metrics))
    rows = [_head(metrics), *_cells(found, metrics)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    return "\n".join([board.label, board.id, *lines, *_below(found)])


def as_markdown(
    board: Board, folder: str | Path = RESULTS, metrics: Sequence[str] = METRICS_SHOWN
) -> str:
    """A Markdown table; submitted text cannot break out of its cell."""
    found, head = table(board, folder, tuple(metrics)), _head(metrics)
    rows = [[_escaped(c) for c in row] for row in _cells(found, metrics)]
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, rows)]
    return "\n".join([*lines, *(f"\n{_escaped(line)}" for line in _below(found))])


def as_csv(
    board: Board, folder: str | Path = RESULTS, metrics: Sequence[str] = METRICS_SHOWN
) -> str:
    """Every column of ``table``; text that a spreadsheet would run as a formula is quoted."""
    found = table(board, folder, tuple(metrics))
    text = found.select_dtypes(exclude="number").columns
    return found.assign(**{c: found[c].map(no_formula) for c in text}).to_csv(index=False)


def as_html(
    board: Board, folder: str | Path = RESULTS, metrics: Sequence[str] = METRICS_SHOWN
) -> str:
    """A table element; everything in it is escaped."""
    found = table(board, folder, tuple(metrics))
    head = "".join(f"<th>{html.escape(c)}</th>" for c in _head(metrics))
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>"
        for row in _cells(found, metrics)
    )
    foot = "".join(
        f'<tfoot><tr><td colspan="{len(_head(metrics))}">{html.escape(line)}</td></tr></tfoot>'
        for line in _below(found)
    )
    return (
        f"<table><caption>{html.escape(board.label)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>{foot}</table>"
    )


FORMATS: dict[str, Callable[..., str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "csv": as_csv,
    "html": as_html,
}


def eval_results(
    board: Board, method: str, dataset_id: str | None = None, folder: str | Path = RESULTS
) -> list[dict[str, Any]]:
    """What ``.eval_results/NAME.yaml`` of a model repository holds: one entry, the main score.

    dataset_id: the Hub id of the board's data; None is that of the declared data set.
    BenchmarkError where there is none, and where the method has no result.
    """
    run = _runs_named(method, [board], folder)[0][1]
    mean = run.mean(board.main_score)
    if mean is None:
        raise BenchmarkError(f"{run.id}: has no {board.main_score}, the board's main score")
    return [
        {
            "dataset": {
                "id": dataset_id or _hub_id(board),
                "task_id": f"{board.protocol}/{board.split}",
            },
            "value": round(mean, 4),
            "date": run.facts["provenance"]["at"][:10],
            "source": {"url": REPOSITORY_URL, "name": "LearnIR benchmarks"},
            "notes": f"{board.main_score}, {board.scored}, run {run.id}",
        }
    ]


def _hub_id(board: Board) -> str:
    """Where the Hub has the board's data: those of a folder of the same name are others."""
    entry = DATASETS.get(board.dataset)
    if entry is None or entry.hub_id is None or entry.title != board.title:
        raise BenchmarkError(f"{board.id}: no Hub id is known of its data; give --dataset-id")
    return entry.hub_id


def _runs_named(method: str, found: Sequence[Board], folder: str | Path) -> list[tuple[Board, Run]]:
    """A method's runs on some boards; BenchmarkError names the methods that have one."""
    runs = [(board, run) for board in found for run in runs_of(board, folder)]
    named = [pair for pair in runs if pair[1].facts["method"]["name"] == method]
    if not named:
        known = dict.fromkeys(run.facts["method"]["name"] for _, run in runs)
        raise BenchmarkError(f"no result of {method!r} here; known: {', '.join(known) or 'none'}")
    return named


def model_index(model: str, method: str, found: Sequence[Board], folder: str | Path = RESULTS):
    """The ``model-index`` of a model card: every metric of one method on every board.

    BenchmarkError where the method has no result.
    """
    from huggingface_hub import EvalResult
    from huggingface_hub.repocard_data import eval_results_to_model_index

    results = [
        EvalResult(
            task_type="image-to-image",
            dataset_type=board.dataset,
            dataset_name=board.scored,
            dataset_split=board.split,
            dataset_revision=board.manifest,
            metric_type=name,
            metric_name=f"{name} ({METRICS[name].direction} is better)",
            metric_value=round(score["mean"], 4),
        )
        for board, run in _runs_named(method, found, folder)
        for name, score in run.facts["scores"].items()
        if name in METRICS_SHOWN
    ]
    return eval_results_to_model_index(model, results)


def _head(metrics: Sequence[str]) -> list[str]:
    return ["", "method", *metrics, "mask", "trained on", "s/picture", "M params", "badge"]


def _cells(found: pd.DataFrame, metrics: Sequence[str]) -> list[list[str]]:
    rows = zip(found.to_dict("records"), marks(found), strict=True)
    return [_one(row, metrics, mark) for row, mark in rows]


def _below(found: pd.DataFrame) -> list[str]:
    """What is said below a table, a line or none."""
    return list(filter(None, [footnote(found)]))


def _one(row: dict[str, Any], metrics: Sequence[str], mark: str) -> list[str]:
    """The cells of a row. mark: stands behind its seconds."""
    scores = [_score(row, name) for name in metrics]
    seconds, parameters = row["seconds"], row["parameters"]
    return [
        f"{row['rank']}{'=' if row['tied'] and row['rank'] > 1 else ''}",
        row["method"],
        *scores,
        row["mask"],
        row["training_data"],
        "" if _absent(seconds) else f"{'<0.001' if seconds < 1e-3 else f'{seconds:.3f}'}{mark}",
        "" if _absent(parameters) else f"{parameters / 1e6:.2f}",
        row["badge"],
    ]


def _score(row: dict[str, Any], name: str) -> str:
    """mean [low, high], "-" where the metric is missing."""
    mean, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    if _absent(mean):
        return "-"
    digits = DIGITS[next(key for key in DIGITS if name.startswith(key))]
    if _absent(low) or _absent(high):
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    plain = html.escape(text).replace("|", "\\|").replace("\n", " ")
    return plain.replace("](", "]\\(")  # no link


def no_formula(value: Any) -> Any:
    """A cell of a CSV file; text that a spreadsheet would run as a formula is quoted."""
    return (
        f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value
    )
