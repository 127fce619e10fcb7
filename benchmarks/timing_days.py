"""Marks and a footnote for rows that were timed on other days: a machine is not always as fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MARK = "†"


def marks(found: pd.DataFrame) -> list[str]:
    """MARK or "" for each row of a board's ``table``: whether it was timed on another day than the
    newest row.
    """
    return [MARK if other else "" for other in _timed_before(found)]


def footnote(found: pd.DataFrame) -> str:
    """The line below a table with ``marks`` that says which days they stand for; "" without any."""
    marked = found[_timed_before(found)]
    if marked.empty:
        return ""
    days = (f"{day} {', '.join(rows['method'])}" for day, rows in marked.groupby("date"))
    return f"{MARK} timed on another day than the newest row ({_newest(found)}): {'; '.join(days)}."


def _timed_before(found: pd.DataFrame) -> pd.Series:
    return found["seconds"].notna() & found["date"].ne(_newest(found))


def _newest(found: pd.DataFrame) -> str:
    return str(found["date"].max())
