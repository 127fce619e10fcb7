"""Looking through a built dataset: a table without pictures, pictures one pair at a time.

Reads what ``faceshadow build`` wrote, in any format, and what the Hub gives back of it.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from dataset_tools import ledger
from dataset_tools.formats import PICTURES, Shard
from dataset_tools.hub import PREFIX

if TYPE_CHECKING:
    import pandas as pd

FILTERS = ("split", "kind", "occluders", "relit", "skin_tone", "source", "recipe")
RANGES = ("coverage", "penumbra", "ambient", "tint", "light_azimuth", "light_elevation", "yaw")


@dataclass(frozen=True)
class Browser:
    """table: one row a pair, its ``shard`` and place ``row`` in it; index 0, 1, ..."""

    folder: Path
    layout: str
    table: pd.DataFrame

    def pictures(self, index: int) -> dict[str, np.ndarray]:
        """shadow, clean (uint8 RGB) and mask (uint8 grey) of one pair, read on demand."""
        row = self.table.iloc[index]
        place = (str(row["split"]), str(row["shard"]), int(row["row"]), str(row["id"]))
        encoded = READERS[self.layout](self.folder, *place)
        return {name: _decode(data) for name, data in encoded.items()}

    def parameters(self, index: int) -> dict[str, Any]:
        """Every field of one pair, its drawn parameters parsed."""
        row = {k: _plain(v) for k, v in self.table.iloc[index].items()}
        return row | {"parameters": json.loads(row.get("parameters") or "{}")}


def open_dataset(where: str | Path) -> Browser:
    """A built folder, or ``hub:owner/name`` (fetched once); DatasetError where it is none."""
    import pandas as pd

    folder = _local(str(where))
    layout = ledger.read_plan(folder)["layout"]
    rows = [row for shard in ledger.shards(folder) for row in _rows(folder, shard)]
    if not rows:
        raise ledger.DatasetError(f"{folder}: holds no pairs; build it again")
    return Browser(folder, layout, pd.DataFrame(rows))


def _local(where: str) -> Path:
    if not where.startswith(PREFIX):
        return Path(where)
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(where.removeprefix(PREFIX), repo_type="dataset"))


def _rows(folder: Path, shard: Shard) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(ledger.shard_rows(folder, shard)):
        yield row | {"split": shard.split, "shard": shard.name, "row": number}


def _read_parquet(folder: Path, split: str, shard: str, row: int, _id: str) -> dict[str, bytes]:
    """Only the row group that holds the row is decoded."""
    file = _parquet_file(folder / f"data/{shard}.parquet")
    first = 0
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        if row < first + count:
            table = file.read_row_group(group, columns=list(PICTURES)).slice(row - first, 1)
            return {name: table[name][0]["bytes"].as_py() for name in PICTURES}
        first += count
    raise ledger.DatasetError(f"{folder}/data/{shard}.parquet: has no row {row}")


@lru_cache(maxsize=8)
def _parquet_file(path: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path)


def _read_imagefolder(folder: Path, split: str, _s: str, _row: int, name: str) -> dict[str, bytes]:
    return {kind: (folder / split / kind / f"{name}.png").read_bytes() for kind in PICTURES}


def _read_webdataset(folder: Path, _split: str, shard: str, _r: int, name: str) -> dict[str, bytes]:
    places = _tar_places(folder / f"data/{shard}.tar")
    with (folder / f"data/{shard}.tar").open("rb") as handle:
        return {kind: _slice(handle, *places[f"{name}.{kind}.png"]) for kind in PICTURES}


@lru_cache(maxsize=32)
def _tar_places(path: Path) -> dict[str, tuple[int, int]]:
    with tarfile.open(path) as tar:
        return {entry.name: (entry.offset_data, entry.size) for entry in tar}


def _slice(handle: io.BufferedReader, start: int, size: int) -> bytes:
    handle.seek(start)
    return handle.read(size)


READERS = {
    "parquet": _read_parquet,
    "imagefolder": _read_imagefolder,
    "webdataset": _read_webdataset,
}


def _decode(data: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return picture[..., ::-1] if picture.ndim == 3 else picture


def _plain(value: Any) -> Any:
    """NumPy scalars as JSON values."""
    return value.item() if isinstance(value, np.generic) else value
