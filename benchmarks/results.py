"""Result files: one JSON and one parquet a run, append-only, with a schema that is checked.

``ID.json`` says what was run, under which protocol, on which files, with what outcome;
``ID.parquet`` holds one row per picture and seed. The id carries a hash of the content: files are
never rewritten.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.datasets import OWN
from benchmarks.names import BenchmarkError
from benchmarks.validity import SCHEMA, problems
from learnir.writing import write_atomically

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Run:
    """A stored result: its JSON and where its rows are."""

    path: Path
    facts: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.facts["id"])

    @property
    def key(self) -> tuple[str, str, str, str | None]:
        """Data set, test files, protocol, scenes: runs are compared only within one key."""
        dataset = self.facts["dataset"]
        protocol = self.facts["protocol"]["id"]
        return dataset["name"], dataset["manifest_sha256"], protocol, self.scenes

    @property
    def scenes(self) -> str | None:
        """What the pictures of a folder of one's own are grouped by: a pattern, "" for nothing.

        None for declared data, whose scenes are declared too.
        """
        dataset = self.facts["dataset"]
        return str(dataset.get("scene") or "") if dataset["title"] == OWN else None

    @property
    def clean(self) -> bool:
        """Whether the targets stood in as inputs; older results say so by their name alone."""
        dataset = self.facts["dataset"]
        return bool(dataset.get("clean", dataset["name"].endswith("-clean")))

    @property
    def data(self) -> str:
        """The data set's name, as it is given to a run."""
        name = str(self.facts["dataset"]["name"])
        return name.removesuffix("-clean") if self.clean else name

    def rows(self) -> pd.DataFrame:
        """One row per picture and seed; BenchmarkError for a file that cannot be read."""
        import pandas as pd

        table = self.path.with_suffix(".parquet")
        try:
            return pd.read_parquet(table)
        except (OSError, ValueError) as error:  # Arrow's own errors are one or the other
            raise BenchmarkError(
                f"{table}: cannot be read ({error}); fetch the result anew or take it away"
            ) from error

    def mean(self, metric: str) -> float | None:
        """The mean score, None where the metric is missing."""
        score = self.facts["scores"].get(metric)
        return None if score is None else float(score["mean"])


def check_folder(folder: Path) -> None:
    """BenchmarkError where results cannot lie in ``folder``, as a file is in its place."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise BenchmarkError(f"{there}: a file; results need a folder (--out FOLDER)")


def store(folder: Path, facts: dict[str, Any], rows: pd.DataFrame) -> Run:
    """Writes a run; BenchmarkError if its facts do not pass ``problems`` or it is there already."""
    table = parquet_bytes(rows)
    facts = {"schema": SCHEMA, **facts, "rows_sha256": hashlib.sha256(table).hexdigest()}
    facts["id"] = run_id(facts)
    wrong = problems(facts, rows)
    if wrong:
        raise BenchmarkError(f"{facts['id']}: {wrong[0]}")
    path = folder / f"{facts['id']}.json"
    if path.exists():
        raise BenchmarkError(f"{path}: exists already; results are append-only")
    write_atomically(path.with_suffix(".parquet"), table)
    write_atomically(path, (json.dumps(facts, indent=1) + "\n").encode())
    return Run(path, facts)


def move(run: Run, folder: Path) -> Run:
    """The run's two files in another folder of results."""
    there = Run(folder / run.path.name, run.facts)
    for path in (run.path.with_suffix(".parquet"), run.path):
        write_atomically(folder / path.name, path.read_bytes())
        path.unlink()
    return there


def run_id(facts: dict[str, Any]) -> str:
    """dataset.protocol.method.HASH, safe as a file name."""
    parts = (facts["dataset"].get("name"), facts["protocol"]["id"], facts["method"]["name"])
    body = json.dumps({k: v for k, v in facts.items() if k != "id"}, sort_keys=True)
    digest = hashlib.sha256(body.encode()).hexdigest()[:10]
    return ".".join([*(re.sub(r"[^\w+-]+", "-", str(p)) for p in parts), digest])


def load_run(path: Path) -> Run:
    """One stored run; BenchmarkError names a file that is no result."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BenchmarkError(f"{path}: not a result file ({error})") from error
    wrong = problems(facts, None)
    if wrong:
        raise BenchmarkError(f"{path}: {wrong[0]}")
    if run_id(facts) != facts["id"] or path.stem != facts["id"]:
        raise BenchmarkError(f"{path}: changed after the run was stored")
    return Run(path, facts)


def load_runs(folder: Path) -> list[Run]:
    """Every run in a folder, by id; BenchmarkError names a file that is no result."""
    return [load_run(path) for path in sorted(folder.glob("*.json"))]


def readable_runs(folder: Path) -> tuple[list[Run], list[str]]:
    """The runs in a folder that can be read, by id, and one line for each file that is none."""
    runs, wrong = [], []
    for path in sorted(folder.glob("*.json")):
        try:
            runs.append(load_run(path))
        except BenchmarkError as error:
            wrong.append(str(error))
    return runs, wrong


def checked_runs(folder: Path) -> tuple[list[Run], list[str]]:
    """``readable_runs``, with a line for everything that was changed after it was stored."""
    runs, wrong = readable_runs(folder)
    return runs, wrong + [f"{run.id}: {line}" for run in runs for line in stored_problems(run)]


def check_not_empty(folder: Path, found: Sequence[object]) -> None:
    """BenchmarkError for a folder of results that is not there, or in which none was found."""
    if not folder.is_dir():
        raise BenchmarkError(f"{folder}: no such folder of results")
    if not found:
        raise BenchmarkError(f"{folder}: holds no results; learnir-bench run writes some")


def parquet_bytes(rows: pd.DataFrame) -> bytes:
    """The rows as parquet."""
    buffer = io.BytesIO()
    rows.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def stored_problems(run: Run) -> list[str]:
    """``problems`` of a stored run with its rows, whose hash must agree too."""
    table = run.path.with_suffix(".parquet")
    if not table.is_file():
        return [f"{table.name}: missing"]
    if hashlib.sha256(table.read_bytes()).hexdigest() != run.facts["rows_sha256"]:
        return [f"{table.name}: changed after the run was stored"]
    if run_id(run.facts) != run.id or run.path.stem != run.id:
        return [f"{run.path.name}: changed after the run was stored"]
    try:
        return problems(run.facts, run.rows())
    except BenchmarkError as error:
        return [str(error)]
