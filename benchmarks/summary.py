"""What the rows of a run come to: everything in a result file that can be computed again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from benchmarks.metrics import METRICS, REGIONS
from benchmarks.protocols import CAPPED_PSNR
from benchmarks.statistics import interval, seed_spread

if TYPE_CHECKING:
    import pandas as pd


def summarise(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Per metric: mean, clustered 95 % interval, number of pictures and scenes, seed spread.

    Then the metrics of POOLED, which have neither an interval nor a spread.
    """
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
    return scores | _pooled(rows)


def _pooled(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Means over pixels; none of older rows, which do not say how many a region has."""
    scores: dict[str, dict[str, Any]] = {}
    for region in REGIONS:
        name, pixels = f"lab_mae_{region}_legacy", f"pixels_{region}"
        if pixels not in rows or (kept := rows.dropna(subset=[name, pixels])).empty:
            continue
        scores[f"{name}_pooled"] = {
            "mean": float((kept[name] * kept[pixels]).sum() / kept[pixels].sum()),
            "low": None,
            "high": None,
            "pictures": int(kept["name"].nunique()),
            "scenes": int(kept["scene"].nunique()),
            "seed_std": None,
        }
    return scores


def capped(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with infinite PSNR as the protocols count it."""
    columns = [c for c in rows if c.startswith(("psnr", "input_psnr"))]
    return rows.assign(**{c: rows[c].clip(upper=CAPPED_PSNR) for c in columns})


def input_row_of(rows: pd.DataFrame) -> dict[str, float]:
    """What the untouched inputs score; empty for scores that an author reported."""
    counted = capped(rows)
    names = [n for n in ("psnr", "ssim") if f"input_{n}" in counted]
    return {n: float(counted[f"input_{n}"].mean()) for n in names}


def cost_of(rows: pd.DataFrame) -> dict[str, float | None]:
    """Seconds a picture and peak memory in bytes, None where they were not measured."""
    costs = rows.reindex(columns=["seconds", "peak_memory_bytes"]).astype(float)
    seconds, memory = costs["seconds"], costs["peak_memory_bytes"]
    return {
        "seconds_median": _number(seconds.median()),
        "seconds_mean": _number(seconds.mean()),
        "peak_memory_bytes": _number(memory.max()),
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
