"""What the Dataset tab does: which pairs match, a page of them, their statistics, one in full."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from demo.cache import Cache
from demo.failures import dataset_failures_shown, refusal
from demo.storage import AGE_S, cache_folder
from demo.views import SMALL_SIDE, preview
from learnir.console import one_line

if TYPE_CHECKING:
    import pandas as pd

    from dataset_tools.browse import Browser

PAGE = 24
CHOICES = ("split", "kind", "recipe", "skin_tone", "source", "occluders")
"""Columns with a chooser."""
SPANS = {"coverage": (0.0, 1.0), "light_elevation": (0.0, 90.0), "light_azimuth": (-180.0, 180.0)}
"""Columns with a lowest and a highest value."""
HUB, HUB_ID = "hub:", re.compile(r"[\w.-]+/[\w.-]+")
OPENED: Cache[Browser] = Cache(2, lambda _: 1, AGE_S)
"""Data sets that are open, by their addresses."""


@dataclass(frozen=True)
class Wanted:
    """A query: allowed values by column (empty = all), and spans by column."""

    values: dict[str, tuple[str, ...]]
    spans: dict[str, tuple[float, float]]


def address(typed: str | None, own: str | None) -> str:
    """The data set to open: the app's own as it was given, or HUB and the id of a visitor's.

    Folders of the server are not for typing. Raises gr.Error when there is neither.
    """
    typed = (typed or "").strip()
    if not typed or (own is not None and typed in (own, Path(own).name)):
        if own is None:
            raise refusal(
                "No data set here: give a Hub id (owner/name), or start the app with --dataset."
            )
        return own
    if not HUB_ID.fullmatch(typed) or ".." in typed:
        raise refusal("Give the id of a data set on the Hub, written owner/name.")
    return f"{HUB}{typed}"


def opened(where: str) -> Browser:
    """The data set of an ``address``, read once an hour."""
    browser = OPENED.get(where)
    if browser is None:
        browser = _of_a_visitor(where) if where.startswith(HUB) else _own(where)
        OPENED.put(where, browser)
    return browser


def _own(where: str) -> Browser:
    """The data set that the app was started with: a folder, or one of the Hub, by its token."""
    from dataset_tools.browse import open_dataset

    folder = Path(where).expanduser()
    if folder.is_dir():
        with dataset_failures_shown():
            return open_dataset(folder)
    with _hub_failures_shown(where):
        return open_dataset(f"{HUB}{where}")


def _of_a_visitor(where: str) -> Browser:
    """Any public one of the Hub, in the cache: its files stay as long as it is kept open."""
    from dataset_tools.browse import open_dataset

    with _hub_failures_shown(where.removeprefix(HUB)):
        browser = open_dataset(where, cache_folder() / "hub")
    for path in browser.folder.rglob("*"):
        path.chmod(path.stat().st_mode)  # young to the sweep, unmodified to the Hub's client
    return browser


@contextmanager
def _hub_failures_shown(name: str) -> Iterator[None]:
    """What goes wrong with a data set of the Hub, in one line without the server's folders."""
    from dataset_tools.ledger import DatasetError

    try:
        yield
    except Exception as error:  # the Hub has many ways to say no, and so has what strangers build
        text = one_line(error).replace(f"{cache_folder() / 'hub'}/", "")
        if not isinstance(error, DatasetError):
            text = f"{name}: not readable on the Hub ({text[:120]})"
        raise refusal(text) from error


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
    with dataset_failures_shown():
        return [(_thumbnail(browser, i), f"{shares.iloc[i]:.0%}") for i in rows]


def _thumbnail(browser: Browser, index: int) -> np.ndarray:
    """The shadowed picture, small enough for a whole page of the largest to be held."""
    return preview(browser.pictures(index)["shadow"], SMALL_SIDE)


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
    with dataset_failures_shown():
        return browser.pictures(index), browser.parameters(index)
