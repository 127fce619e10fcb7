"""The rows of a shard, without pictures, from what is published: Hub copies have nothing else.

A reader takes the dataset's folder, the shard, and which rows of its split the shard holds.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from dataset_tools.formats import PICTURES, Shard

Reader = Callable[[Path, Shard, range], Iterator[dict[str, Any]]]


def _parquet(out: Path, shard: Shard, _: range) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    path = out / f"data/{shard.name}.parquet"
    names = [n for n in pq.read_schema(path).names if n not in PICTURES]
    yield from pq.read_table(path, columns=names).to_pylist()


def _imagefolder(out: Path, shard: Shard, places: range) -> Iterator[dict[str, Any]]:
    """ImageFolder knows no shards: metadata.jsonl holds them one after the other."""
    files = {f"{name}_file_name" for name in PICTURES}
    with (out / shard.split / "metadata.jsonl").open(encoding="utf-8") as lines:
        for line in islice(lines, places.start, places.stop):
            yield {name: cell for name, cell in json.loads(line).items() if name not in files}


def _webdataset(out: Path, shard: Shard, _: range) -> Iterator[dict[str, Any]]:
    with tarfile.open(out / f"data/{shard.name}.tar") as tar:
        for entry in tar:
            if entry.name.endswith(".json") and (handle := tar.extractfile(entry)):
                yield json.loads(handle.read())


TABLES: dict[str, Reader] = {
    "parquet": _parquet,
    "imagefolder": _imagefolder,
    "webdataset": _webdataset,
}
