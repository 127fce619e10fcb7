"""Where things lie here: the repository, the data root, the developers' shared folder."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"


def shared_root() -> Path | None:
    """The developers' shared folder: ``LEARNIR_SHARED``, else ``../shared``; None where absent."""
    given = os.environ.get("LEARNIR_SHARED")
    folder = Path(given) if given else REPOSITORY.parent / "shared"
    return folder if folder.is_dir() else None


def data_root(given: str | os.PathLike[str] | None = None) -> Path | None:
    """The folder of the data sets: the argument, ``LEARNIR_DATA``, or the shared ``data/``."""
    named = given or os.environ.get("LEARNIR_DATA")
    if named:
        return Path(named)
    shared = shared_root()
    return shared / "data" if shared and (shared / "data").is_dir() else None
