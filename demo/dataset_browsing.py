"""What the Dataset tab does: which pairs match, a page of them, their statistics, one in full."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from demo.restoring import refusal
from demo.shadow_making import sayable

if TYPE_CHECKING:
    import pandas as pd

    from dataset_tools.browse import Browser

PAGE = 24
CHOICES = ("split", "kind", "recipe", "skin_tone", "source", "occluders")
"""Columns with a chooser."""
SPANS = {"coverage": (0.0, 1.0), "light_elevation": (0.0, 90.0), "light_azimuth": (-180.0, 360.0)}
"""Columns with a lowest and a highest value."""
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Wanted:
    """A query: allowed values by column (empty = all), and spans by column."""

    values: dict[str, tuple[str, ...]]
    spans: dict[str, tuple[float, float]]


def address(typed: str | None, own: str | None) -> str:
    """The data set to open: the app's own, or a Hub id. Folders of the server are not for typing.

    Raises gr.Error when there is neither.
    """
    typed = (typed or "").strip()
    if not typed or (own is not None and typed == Path(own).name):
        if own is None:
            raise refusal(
                "No data set here: give a Hub id (owner/name), or start the app with --dataset."
            )
        return _with_prefix(own)
    if not HUB_ID.fullmatch(typed) or ".." in typed:
        raise refusal("Give the id of a data set on the Hub, written owner/name.")
    return f"hub:{typed}"


def _with_prefix(own: str) -> str:
    return own if Path(own).expanduser().is_dir() else f"hub:{own}"


@lru_cache(maxsize=2)
def opened(where: str) -> Browser:
    """The data set's table, read once."""
    from dataset_tools.browse import open_dataset

    with sayable():
        try:
            return open_dataset(where)
        except Exception as error:  # the Hub has many ways to say no
            if where.startswith("hub:"):
                text = str(error).strip().splitlines()[0][:120]
                raise refusal(f"{where[4:]}: not readable on the Hub ({text})") from error
            raise


def choices(table: pd.DataFrame) -> dict[str, list[str]]:
    """What each chooser offers."""
    return {c: sorted(table[c].astype(str).unique())[:200] for c in CHOICES if c in table}


def matching(table: pd.DataFrame, wanted: Wanted) -> np.ndarray:
    """Indices of the rows that a query lets through, in the table's order."""
    keep = np.ones(len(table), bool)
    for column, values in wanted.values.items():
        if values and column in table:
            keep &= table[column].astype(str).isin(values).to_numpy()
    for column, (low, high) in wanted.spans.items():
        if (low, high) != SPANS[column] and column in table:
            numbers = table[column].to_numpy(float)
            keep &= (numbers >= low) & (numbers <= high)
    return np.flatnonzero(keep)


def page_of(browser: Browser, indices: np.ndarray, page: int) -> list[tuple[np.ndarray, str]]:
    """Shadowed pictures and the shares of their faces in shadow; only these are decoded.

    Args:
        page: from 1.
    """
    rows = [int(i) for i in indices[(page - 1) * PAGE : page * PAGE]]
    shares = browser.table["coverage"]
    return [(browser.pictures(i)["shadow"], f"{shares.iloc[i]:.0%}") for i in rows]


def pages(count: int) -> int:
    """How many pages so many pairs fill, at least one."""
    return max(-(-count // PAGE), 1)


def page_within(number: float | None, count: int) -> int:
    """The page meant by what stands in the field, from 1, where so many pairs match."""
    return min(max(int(number or 1), 1), pages(count))


def counts(table: pd.DataFrame, indices: np.ndarray, column: str) -> pd.DataFrame:
    """value, pairs: for a bar plot."""
    import pandas as pd

    found = table[column].iloc[indices].astype(str).value_counts().head(12)
    return pd.DataFrame({"value": list(found.index), "pairs": found.to_numpy()})


def histogram(table: pd.DataFrame, indices: np.ndarray, column: str, bins: int) -> pd.DataFrame:
    """value (lower edge of the bin), pairs: for a bar plot."""
    import pandas as pd

    values = table[column].iloc[indices].to_numpy(float)
    number, edges = np.histogram(values[np.isfinite(values)], bins=bins, range=SPANS[column])
    return pd.DataFrame({"value": np.round(edges[:-1], 3), "pairs": number})


def one(browser: Browser, index: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Pictures (shadow, clean, mask) and every field of a pair."""
    return browser.pictures(index), browser.parameters(index)
