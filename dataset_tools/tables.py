"""The rows of a shard, without pictures, from what is published: Hub copies have nothing else.

A reader takes the dataset's folder, the shard, and which rows of its split the shard holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from dataset_tools.formats import MOST_ROW, PICTURES, Shard, open_parquet, open_tar

Reader = Callable[[Path, Shard, range], Iterator[dict[str, Any]]]


def _parquet(out: Path, shard: Shard, _: range) -> Iterator[dict[str, Any]]:
    with open_parquet(out / f"data/{shard.name}.parquet") as file:
        names = [name for name in file.schema_arrow.names if name not in PICTURES]
        for batch in file.iter_batches(16, columns=names):  # the file holds a text once, rows each
            if batch.nbytes > MOST_ROW * batch.num_rows:
                raise ValueError("rows of more than a MiB")
            yield from batch.to_pylist()


def _imagefolder(out: Path, shard: Shard, places: range) -> Iterator[dict[str, Any]]:
    """ImageFolder knows no shards: metadata.jsonl holds them one after the other."""
    files = {f"{name}_file_name" for name in PICTURES}
    with (out / shard.split / "metadata.jsonl").open(encoding="utf-8") as lines:
        for line in islice(lines, places.start, places.stop):
            yield {name: cell for name, cell in json.loads(line).items() if name not in files}


def _webdataset(out: Path, shard: Shard, _: range) -> Iterator[dict[str, Any]]:
    with open_tar(out / f"data/{shard.name}.tar") as tar:
        for entry in tar:
            if entry.name.endswith(".json") and (handle := tar.extractfile(entry)):
                if entry.size > MOST_ROW:  # a sparse one is no larger than it says
                    raise ValueError(f"{entry.name} is larger than a MiB")
                yield json.loads(handle.read())


TABLES: dict[str, Reader] = {
    "parquet": _parquet,
    "imagefolder": _imagefolder,
    "webdataset": _webdataset,
}
