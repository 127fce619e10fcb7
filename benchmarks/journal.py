"""What a run has done so far, on disk, so that a stopped run goes on where it was."""

from __future__ import annotations

import hashlib
import io
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from learnir.writing import blamed_on, write_atomically


@dataclass(frozen=True)
class Output:
    """A method's result for a picture, and its cost as far as that could be measured here."""

    result: np.ndarray
    seconds: float | None
    peak_memory: int | None


@dataclass
class Journal:
    """Rows on disk while a run lasts: one JSON line each, a torn last line is dropped.

    Outputs wait beside them, one file each, until the batch they are scored in is whole: the last
    digits of LPIPS depend on which pictures share a forward pass.
    """

    path: Path

    def rows(self) -> list[dict[str, Any]]:
        """The rows so far."""
        if not self.path.is_file():
            return []
        lines = self.path.read_bytes().split(b"\n")[:-1]
        return [json.loads(line) for line in lines if line]

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Adds rows, after cutting a torn line away, and removes the outputs that they are of."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with blamed_on(self.path), open(self.path, "ab+") as file:
            file.seek(0)
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)
            file.write("".join(json.dumps(row) + "\n" for row in rows).encode())
        self._remove_outputs()

    def save(self, name: str, seed: int, output: Output) -> None:
        """Writes down an output that is not scored yet."""
        buffer = io.BytesIO()
        cost = [math.nan if c is None else c for c in (output.seconds, output.peak_memory)]
        np.savez(buffer, result=output.result, cost=np.array(cost, float))
        write_atomically(self._output_path(name, seed), buffer.getvalue())

    def saved(self, name: str, seed: int) -> Output | None:
        """An output that waits to be scored, None where there is none."""
        path = self._output_path(name, seed)
        if not path.is_file():
            return None
        with np.load(path) as found:
            seconds, peak = (None if math.isnan(c) else c for c in found["cost"].tolist())
            return Output(found["result"], seconds, None if peak is None else int(peak))

    def clear(self) -> None:
        """Removes the journal and its folder when that is empty."""
        self._remove_outputs()
        self.path.unlink(missing_ok=True)
        if self.path.parent.is_dir() and not any(self.path.parent.iterdir()):
            self.path.parent.rmdir()

    def _output_path(self, name: str, seed: int) -> Path:
        key = hashlib.sha256(f"{seed} {name}".encode()).hexdigest()[:20]
        return self.path.with_suffix("") / f"{key}.npz"

    def _remove_outputs(self) -> None:
        shutil.rmtree(self.path.with_suffix(""), ignore_errors=True)
