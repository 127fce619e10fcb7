"""Results that are somebody else's: another row's pictures or scores, or the targets themselves."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.names import BenchmarkError
from benchmarks.pairs import Collection
from benchmarks.pictures import decode
from benchmarks.results import Run
from benchmarks.summary import capped

if TYPE_CHECKING:
    import pandas as pd

COPIED = 0.5  # share of pictures equal to another's from which results are a copy
SAME_SCORE = {"psnr": 0.02, "ssim": 0.002}  # nearer than two methods come, but for a few pictures
AS_TARGET = 60.0  # dB of PSNR: a quarter of a level off, which only the target itself is


def refuse_copied_pictures(results: Path, collection: Collection, stored: list[Run]) -> None:
    """BenchmarkError where the pictures in ``results`` are those of a run on the same files."""
    mine = {
        source.key: hashlib.sha256(
            decode((results / f"{source.key}.png").read_bytes(), source.key).tobytes()
        ).hexdigest()
        for source in collection.sources
    }
    for run in stored:
        rows = run.rows()
        pairs = zip(rows["name"], rows["result_sha256"], strict=True)
        equal = {key for key, value in pairs if mine.get(key) == value}  # whatever the seed
        _refuse_if_copied(len(equal), len(mine), "pictures", run)


def refuse_copied_scores(rows: pd.DataFrame, stored: list[Run]) -> None:
    """BenchmarkError for scores that agree, picture by picture, with a run's on the same board.

    They would be of its pictures, perhaps a little disturbed.
    """
    for run in stored:
        both = capped(rows).merge(capped(run.rows()), on="name", suffixes=("", "_theirs"))
        near = [(both[k] - both[f"{k}_theirs"]).abs() <= d for k, d in SAME_SCORE.items()]
        equal = both.loc[near[0] & near[1], "name"].nunique()
        _refuse_if_copied(equal, len(rows), "scores", run)


def refuse_targets(rows: pd.DataFrame, method: str) -> None:
    """BenchmarkError where results that were made elsewhere are the targets, or almost.

    Pictures whose input is the target say nothing: leaving them alone is right.
    """
    shadowed = rows[rows["input_psnr"] < AS_TARGET]
    equal = int((shadowed["psnr"] >= AS_TARGET).sum())
    if equal > COPIED * len(shadowed):
        raise BenchmarkError(
            f"{method}: {equal} of {len(shadowed)} results are the data set's targets; give what "
            "the method made of the inputs"
        )


def _refuse_if_copied(equal: int, of: int, what: str, run: Run) -> None:
    if equal > COPIED * of:
        name = run.facts["method"]["name"]
        raise BenchmarkError(f"{equal} of {of} {what} are those of {name!r}: a copy")
