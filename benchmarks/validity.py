"""What is wrong with a result, one line each.

A result is read by people who did not make it: no field of it may break a table or a page, and
nothing that follows from its rows may say otherwise than they do.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.metrics import METRICS, POOLED
from benchmarks.protocols import PROTOCOLS
from benchmarks.summary import cost_of, input_row_of, summarise

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
BADGES = ("re-scored", "author-reported")  # "copied" numbers are no runs: published.py
MASKS = ("none", "detected", "ground truth", "unknown")
NUMBER = (int, float)
MEASURED = (int, float, type(None))
SHAPE: dict[str, Any] = {
    "schema": int,
    "id": str,
    "badge": str,
    "method": {"name": str, "mask": str},
    "dataset": {
        "name": str,
        "title": str,
        "split": str,
        "pairs": int,
        "expected": (int, type(None)),
        "manifest_sha256": str,
    },
    "protocol": {"id": str},
    "scores": dict,
    "missing": dict,
    "input_row": {"psnr": NUMBER, "ssim": NUMBER},
    "cost": {
        "parameters": MEASURED,
        "macs": MEASURED,
        "seconds_median": MEASURED,
        "seconds_mean": MEASURED,
        "peak_memory_bytes": MEASURED,
    },
    "seeds": list,
    "environment": dict,
    "provenance": {"by": str, "at": str, "commit": str},
    "rows_sha256": str,
}
ROW_COLUMNS = ("name", "scene", "seed", "psnr", "ssim", "seconds", "result_sha256")
TEXT_COLUMNS = ("name", "scene", "result_sha256")
TEXT = re.compile(r"[\w .,;:+\-()/#@={}'\[\]*|&%~?]{0,300}", re.UNICODE)
NAME = re.compile(r"[\w.+\-() ]{1,80}", re.UNICODE)


def problems(facts: Any, rows: pd.DataFrame | None) -> list[str]:
    """What is wrong with a result, one line each; empty when it is valid."""
    if not isinstance(facts, dict):
        return ["a result is a JSON object"]
    wrong = list(_misshapen(facts, SHAPE))
    if wrong:
        return wrong
    wrong += _fact_problems(facts)
    wrong += [line for name, score in facts["scores"].items() for line in _score(name, score)]
    return wrong if wrong or rows is None else row_problems(rows, facts)


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


def row_problems(rows: pd.DataFrame, facts: dict[str, Any]) -> list[str]:
    """Rows that are missing, doubled, out of range, or come to something else than is said."""
    from pandas.api.types import is_numeric_dtype

    absent = [c for c in ROW_COLUMNS if c not in rows]
    if absent:
        return [f"rows: no column {absent[0]!r}"]
    if text := [c for c in rows if c not in TEXT_COLUMNS and not is_numeric_dtype(rows[c])]:
        return [f"rows: {text[0]} holds no numbers"]
    return [*_miscounted(rows, facts), *_out_of_range(rows), *_misstated(rows, facts)]


def _misshapen(facts: Mapping[str, Any], shape: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """Keys that are missing or hold another kind of value than ``shape`` says."""
    for key, kind in shape.items():
        value = facts.get(key)
        if isinstance(kind, dict) and isinstance(value, dict):
            yield from _misshapen(value, kind, f"{at}{key}.")
        elif key not in facts or not _is(value, dict if isinstance(kind, dict) else kind):
            yield f"{at}{key}: missing or not {_called(kind)}"


def _is(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind; True and NaN, which JSON lets through, are no numbers."""
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        return False
    return isinstance(value, kind)


def _called(kind: Any) -> str:
    if isinstance(kind, dict):
        return "dict"
    return " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))


def _fact_problems(facts: dict[str, Any]) -> list[str]:
    wrong = []
    if facts["schema"] != SCHEMA:
        wrong.append(f"schema: {facts['schema']}, this version reads {SCHEMA}")
    if facts["badge"] not in BADGES:
        wrong.append(f"badge: {facts['badge']!r}, one of {', '.join(BADGES)}")
    wrong += card_problems(facts["method"])
    if facts["protocol"]["id"] not in PROTOCOLS:
        wrong.append(f"protocol.id: unknown {facts['protocol']['id']!r}")
    elif facts["protocol"] != json.loads(json.dumps(PROTOCOLS[facts["protocol"]["id"]].to_json())):
        wrong.append("protocol: differs from the protocol of that id")
    if not facts["seeds"] or not all(_is(seed, int) for seed in facts["seeds"]):
        wrong.append("seeds: a list of numbers")
    return wrong


def _score(name: str, score: Any) -> list[str]:
    metric = METRICS.get(name) or POOLED.get(name)
    if metric is None:
        return [f"scores.{name}: unknown metric"]
    mean = score.get("mean") if isinstance(score, dict) else None
    if not isinstance(mean, int | float) or not math.isfinite(mean):
        return [f"scores.{name}: the mean is not a finite number"]
    return [] if metric.accepts(mean) else [f"scores.{name}: {mean} is out of range"]


def _miscounted(rows: pd.DataFrame, facts: dict[str, Any]) -> Iterator[str]:
    """Every picture once for every seed, as many pictures as the data set is said to have."""
    if rows.duplicated(["name", "seed"]).any():
        yield "rows: a picture and seed occurs twice"
    seeds, pairs = facts["seeds"], facts["dataset"]["pairs"]
    if set(rows["seed"]) != set(seeds) or rows["name"].nunique() != pairs:
        yield f"rows: not those of {pairs} pictures and {len(seeds)} seeds"
    elif len(rows) != pairs * len(seeds):
        yield f"rows: {len(rows)}, for {pairs} pictures and {len(seeds)} seeds"


def _out_of_range(rows: pd.DataFrame) -> Iterator[str]:
    for name in METRICS:
        if name in rows and not rows[name].dropna().map(METRICS[name].accepts).all():
            yield f"rows: {name} out of range"


def _misstated(rows: pd.DataFrame, facts: dict[str, Any]) -> Iterator[str]:
    """What the rows come to, against what the result says."""
    scores = facts["scores"]
    if set(found := summarise(rows)) != set(scores):
        name = min(set(found) ^ set(scores))
        yield f"rows: {name} is in the rows or in the summary, not in both"
    both = [name for name in scores if name in found]
    pairs = [(f"{n}, {key}", found[n][key], scores[n].get(key)) for n in both for key in found[n]]
    costs, inputs = cost_of(rows), input_row_of(rows)
    pairs += [(f"cost, {key}", value, facts["cost"][key]) for key, value in costs.items()]
    pairs += [
        (f"input_row, {key}", value, facts["input_row"][key]) for key, value in inputs.items()
    ]
    for what, value, stated in pairs:
        if not _agree(value, stated):
            yield f"rows: {what} is {value}, the summary says {stated}"


def _agree(value: float | None, stated: Any) -> bool:
    if value is None or stated is None:
        return value is stated
    return _is(stated, NUMBER) and math.isclose(value, stated, rel_tol=1e-6, abs_tol=1e-6)


def _refused(text: Any, pattern: re.Pattern[str]) -> str:
    """The first character that a pattern does not allow, to be said behind its rule."""
    first = next((c for c in str(text or "") if not pattern.fullmatch(c)), None)
    return "" if first is None else f"; it holds {first!r}"
