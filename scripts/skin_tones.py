"""Scores of the FaceShadow board by skin tone: whether a shadow goes from every face alike.

    python scripts/skin_tones.py DATASET [--results benchmarks/results] \\
        [-o docs/results/skin_tones.json]

DATASET: the build of FaceShadow that the board was made on; its rows say each face's tone, by the
individual typology angle of its skin. Intervals: 95 %, of the mean over people.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from fill_page import markdown
from result_files import weights_of

from benchmarks.leaderboard import find_run
from benchmarks.results import Run
from benchmarks.statistics import interval
from dataset_tools.facts import ITA_BINS
from learnir.writing import write_json

TONES = (*(name for _, name in ITA_BINS), "dark")
METRICS = (("psnr", "PSNR, dB", 2), ("lpips_alex", "LPIPS", 4))


def scored(dataset: Path, observed: Run, restored: Run) -> list[dict[str, Any]]:
    """For every tone: faces, mean of each metric before and after, and the interval after."""
    tones = {
        row["id"]: row["skin_tone"]
        for row in map(json.loads, (dataset / "test" / "metadata.jsonl").open(encoding="utf-8"))
    }
    pictures = [_of_pictures(run.rows()) for run in (observed, restored)]
    found = []
    for tone in TONES:
        before, after = (rows[rows["name"].map(tones) == tone] for rows in pictures)
        if len(after):
            row: dict[str, Any] = {"tone": tone, "faces": len(after)}
            for metric, _, _ in METRICS:
                mean = interval(after[metric].to_numpy(), after["scene"].to_numpy())
                row[metric] = [float(before[metric].mean()), mean.mean, mean.low, mean.high]
            found.append(row)
    return found


def _of_pictures(rows: pd.DataFrame) -> pd.DataFrame:
    """The mean over seeds."""
    return rows.groupby(["name", "scene"], as_index=False).mean(numeric_only=True)


def table(found: Sequence[dict[str, Any]]) -> str:
    """Markdown: one row per tone, metrics before -> after."""
    rows = [
        [row["tone"], row["faces"], *(_change(row[m], digits) for m, _, digits in METRICS)]
        for row in found
    ]
    return markdown([["skin", "faces", *(label for _, label, _ in METRICS)], *rows])


def _change(scores: Sequence[float], digits: int) -> str:
    before, after, low, high = (f"{score:.{digits}f}" for score in scores)
    return f"{before} → **{after}** [{low}, {high}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    runs = [
        find_run(f"faceshadow.native-v1.{method}.", options.results)
        for method in ("input", "learnir")
    ]
    found = scored(options.dataset, *runs)
    print(table(found))
    if options.out:
        write_json(options.out, {"weights": weights_of(runs[1]), "rows": found})


if __name__ == "__main__":
    main()
