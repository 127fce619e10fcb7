"""Two runs against each other, picture by picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.leaderboard import find_run
from benchmarks.locations import RESULTS
from benchmarks.metrics import METRICS
from benchmarks.names import BenchmarkError
from benchmarks.statistics import Comparison, compare
from benchmarks.summary import capped

if TYPE_CHECKING:
    import pandas as pd

NOT_DISTINGUISHABLE = "not distinguishable"


def compare_runs(run_a: str, run_b: str, folder: str | Path = RESULTS) -> pd.DataFrame:
    """One row per metric both have: means, paired difference with its 95 % interval, p, verdict.

    Each metric is compared on the pictures where both have it (``pictures`` says how many): a
    result in which no face is found has no landmark shift. Infinite PSNR counts as the protocol's
    cap. BenchmarkError for runs of two boards: other files or another protocol make other numbers.
    """
    import pandas as pd

    a, b = find_run(run_a, folder), find_run(run_b, folder)
    if a.key != b.key:
        raise BenchmarkError(
            f"{a.id} and {b.id}: other test files, another protocol or other scenes; only runs of "
            "one board are compared"
        )
    rows_a, rows_b = (capped(run.rows()) for run in (a, b))
    shared = [m for m in METRICS if m in a.facts["scores"] and m in b.facts["scores"]]
    paired = ((m, *_on_shared_pictures(rows_a, rows_b, m)) for m in shared)
    return pd.DataFrame([_row(compare(x, y, m), x, y) for m, x, y in paired if len(x)])


def _on_shared_pictures(
    a: pd.DataFrame, b: pd.DataFrame, metric: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both runs' rows of the pictures where both have the metric."""
    a, b = (rows.dropna(subset=[metric]) for rows in (a, b))
    return a[a["name"].isin(b["name"])], b[b["name"].isin(a["name"])]


def _row(found: Comparison, a: pd.DataFrame, b: pd.DataFrame) -> dict[str, object]:
    difference, metric = found.difference, METRICS[found.metric]
    up = metric.direction == "higher"
    return {
        "metric": found.metric,
        "a": float(a[found.metric].mean()),
        "b": float(b[found.metric].mean()),
        "difference": difference.mean,
        "low": difference.low,
        "high": difference.high,
        "p": found.p,
        "a_better": found.wins if up else found.losses,
        "b_better": found.losses if up else found.wins,
        "pictures": difference.pictures,
        "scenes": difference.scenes,
        "verdict": _verdict(found, up),
    }


def _verdict(found: Comparison, up: bool) -> str:
    """Who is better for certain: scenes enough, and the whole interval on one side of zero."""
    if not found.certain:
        return NOT_DISTINGUISHABLE
    return "a is better" if (found.difference.low > 0) == up else "b is better"
