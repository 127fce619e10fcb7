"""Published numbers, copied from papers and repositories: beside ours, never ranked with them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.names import BenchmarkError

if TYPE_CHECKING:
    import pandas as pd

FILE = Path(__file__).with_name("published.csv")
TEXT = ("dataset", "protocol", "method", "venue", "source", "confidence", "note")


def published(dataset: str | None = None) -> pd.DataFrame:
    """One row per published number; ``note`` holds red flags, ``badge`` is "copied" throughout.

    Args:
        dataset: a data set of ours (``istd+``) or the name as published (``ISTD+``); None is all.
            BenchmarkError names those that have a number where this one has none.
    """
    found = rows = _read()
    if dataset is not None:
        found = rows[rows["dataset"].map(_plain) == _plain(dataset)]
    if found.empty:
        known = ", ".join(sorted(rows["dataset"].unique()))
        raise BenchmarkError(f"no published number on {dataset!r}; known: {known}")
    return found.reset_index(drop=True)


def _plain(name: str) -> str:
    """ "O-HAZE" and "o-haze" are one data set, as are "FaceShadow-real" and "ucb"."""
    text = name.casefold().removesuffix("-clean")
    return {"ucb": "faceshadow-real", "faceshadow-synthetic": "faceshadow"}.get(text, text)


@cache
def _read() -> pd.DataFrame:
    import pandas as pd

    rows = pd.read_csv(FILE)
    rows[list(TEXT)] = rows[list(TEXT)].fillna("")
    rows["year"] = rows["year"].astype("Int64")
    return rows.assign(badge="copied")
