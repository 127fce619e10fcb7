"""Result files: one JSON and one parquet a run, append-only, with a schema that is checked.

``ID.json`` says what was run, under which protocol, on which files, with what outcome;
``ID.parquet`` holds one row a picture and seed. The id carries a hash of the content: files are
never rewritten.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.metrics import METRICS
from benchmarks.names import BenchmarkError
from benchmarks.protocols import CAPPED_PSNR, PROTOCOLS
from benchmarks.statistics import interval, seed_spread
from learnir.writing import write_atomically

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
BADGES = ("re-scored", "author-reported")  # "copied" numbers are no runs: published.py
MASKS = ("none", "detected", "ground truth", "unknown")
REQUIRED: dict[str, type] = {
    "schema": int,
    "id": str,
    "badge": str,
    "method": dict,
    "dataset": dict,
    "protocol": dict,
    "scores": dict,
    "missing": dict,
    "input_row": dict,
    "cost": dict,
    "seeds": list,
    "environment": dict,
    "provenance": dict,
    "rows_sha256": str,
}
ROW_COLUMNS = ("name", "scene", "seed", "psnr", "ssim", "seconds", "result_sha256")
TEXT = re.compile(r"[\w .,;:+\-()/#@={}'\[\]*|&%~?]{0,300}", re.UNICODE)
NAME = re.compile(r"[\w.+\-() ]{1,80}", re.UNICODE)


@dataclass(frozen=True)
class Run:
    """A stored result: its JSON and where its rows are."""

    path: Path
    facts: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.facts["id"])

    @property
    def key(self) -> tuple[str, str, str]:
        """Data set, test files, protocol: runs are compared only within one key."""
        dataset = self.facts["dataset"]
        return dataset["name"], dataset["manifest_sha256"], self.facts["protocol"]["id"]

    def rows(self) -> pd.DataFrame:
        """One row a picture and seed."""
        import pandas as pd

        return pd.read_parquet(self.path.with_suffix(".parquet"))

    def mean(self, metric: str) -> float | None:
        """The mean score, None where the metric is missing."""
        score = self.facts["scores"].get(metric)
        return None if score is None else float(score["mean"])


def summarise(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Per metric: mean, clustered 95 % interval, number of pictures and scenes, seed spread."""
    scores: dict[str, dict[str, Any]] = {}
    rows = capped(rows)
    for name in METRICS:
        kept = rows.dropna(subset=[name]) if name in rows else rows.iloc[:0]
        if name == "seconds" or kept.empty:
            continue
        found = interval(kept[name].to_numpy(float), kept["scene"].to_numpy(str))
        scores[name] = {
            "mean": found.mean,
            "low": _number(found.low),
            "high": _number(found.high),
            "pictures": int(kept["name"].nunique()),
            "scenes": found.scenes,
            "seed_std": seed_spread(kept, name),
        }
    return scores


def capped(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with infinite PSNR as the protocols count it."""
    columns = [c for c in rows if c.startswith(("psnr", "input_psnr"))]
    return rows.assign(**{c: rows[c].clip(upper=CAPPED_PSNR) for c in columns})


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
    except (OSError, ValueError) as error:
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


def problems(facts: Any, rows: pd.DataFrame | None) -> list[str]:
    """What is wrong with a result, one line each; empty when it is valid."""
    if not isinstance(facts, dict):
        return ["a result is a JSON object"]
    wrong = [
        f"{key}: missing or not {kind.__name__}"
        for key, kind in REQUIRED.items()
        if not isinstance(facts.get(key), kind)
    ]
    if wrong:
        return wrong
    wrong += _fact_problems(facts)
    wrong += [line for name, score in facts["scores"].items() for line in _score(name, score)]
    return wrong + ([] if rows is None else row_problems(rows, facts))


def card_problems(method: dict[str, Any]) -> list[str]:
    """What is wrong with what a result says of its method, one line each."""
    wrong = []
    if method.get("mask") not in MASKS:
        wrong.append(f"method.mask: one of {', '.join(MASKS)}")
    name = method.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        allowed = "letters, digits, space and . + - ( ) only, at most 80"
        wrong.append(f"method.name: {allowed}{_refused(name, NAME)}")
    for key in ("training_data", "source"):
        text = str(method.get(key) or "")
        if not TEXT.fullmatch(text):
            wrong.append(
                f"method.{key}: plain text only, at most 300 characters{_refused(text, TEXT)}"
            )
    return wrong


def _refused(text: Any, pattern: re.Pattern[str]) -> str:
    """The first character that a pattern does not allow, to be said behind its rule."""
    first = next((c for c in str(text or "") if not pattern.fullmatch(c)), None)
    return "" if first is None else f"; it holds {first!r}"


def row_problems(rows: pd.DataFrame, facts: dict[str, Any]) -> list[str]:
    """Rows that are missing columns, out of range, doubled, or disagree with the summary."""
    absent = [c for c in ROW_COLUMNS if c not in rows]
    if absent:
        return [f"rows: no column {absent[0]!r}"]
    wrong = (
        ["rows: a picture and seed occurs twice"] if rows.duplicated(["name", "seed"]).any() else []
    )
    counted = capped(rows)
    for name, score in facts["scores"].items():
        if name not in rows:
            wrong.append(f"rows: no column {name!r}, but the summary has it")
            continue
        values = rows[name].dropna()
        if not values.map(METRICS[name].accepts).all():
            wrong.append(f"rows: {name} out of range")
        elif abs(counted[name].mean() - score["mean"]) > 1e-6:
            wrong.append(f"rows: the mean of {name} is not the summary's")
    return wrong


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
    return problems(run.facts, run.rows())


def _fact_problems(facts: dict[str, Any]) -> list[str]:
    wrong = []
    if facts["schema"] != SCHEMA:
        wrong.append(f"schema: {facts['schema']}, this version reads {SCHEMA}")
    if facts["badge"] not in BADGES:
        wrong.append(f"badge: {facts['badge']!r}, one of {', '.join(BADGES)}")
    wrong += card_problems(facts["method"])
    if facts["protocol"].get("id") not in PROTOCOLS:
        wrong.append(f"protocol.id: unknown {facts['protocol'].get('id')!r}")
    elif facts["protocol"] != json.loads(json.dumps(PROTOCOLS[facts["protocol"]["id"]].to_json())):
        wrong.append("protocol: differs from the protocol of that id")
    return wrong


def _score(name: str, score: Any) -> list[str]:
    if name not in METRICS:
        return [f"scores.{name}: unknown metric"]
    mean = score.get("mean") if isinstance(score, dict) else None
    if not isinstance(mean, int | float) or not math.isfinite(mean):
        return [f"scores.{name}: the mean is not a finite number"]
    return [] if METRICS[name].accepts(mean) else [f"scores.{name}: {mean} is out of range"]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
