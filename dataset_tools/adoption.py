"""Splits and removals of a dataset taken over by an archive that is packed from the same photos."""

from __future__ import annotations

from pathlib import Path

from dataset_tools import ledger, removals
from dataset_tools.splits import dealt, remember, remembered


def adopt(out: Path, dataset: Path) -> None:
    """Gives ``out`` the splits of ``dataset``, which may be a published copy, and keeps out people
    whom it has removed; DatasetError where it is no dataset, or another process is at work in
    ``out``."""
    known = remembered(dataset) or dict(dealt(ledger.rows(dataset)))
    with ledger.locked(out):
        remember(out, remembered(out) | known)
        removals.take_over(out, dataset)
