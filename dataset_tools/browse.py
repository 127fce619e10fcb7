"""Looking through a built dataset: a table without pictures, pictures one pair at a time.

Reads what ``faceshadow build`` wrote, in any format, and what the Hub gives back of it.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataset_tools import ledger
from dataset_tools.card import CROISSANT
from dataset_tools.formats import PICTURES, Shard, open_parquet, open_tar
from dataset_tools.hub import PREFIX
from dataset_tools.publish import STORED
from dataset_tools.splits import SPLITS
from learnir.decoding import open_image, upright_rgb
from learnir.images import ImageError

if TYPE_CHECKING:
    import pandas as pd

NEEDED = [ledger.PUBLIC, *(pattern for pattern in STORED if pattern != CROISSANT)]
"""Glob patterns of what is fetched of a data set."""
MOST_BYTES, MOST_FILES = 1 << 30, 20_000
"""Limits of what is fetched of a data set that a stranger names."""
PLAIN = re.compile(r"[\w-][\w.-]*")
"""Names of pairs, which name files."""


@dataclass(frozen=True)
class Browser:
    """A built dataset that is open.

    Attributes:
        layout: "parquet", "imagefolder" or "webdataset".
        table: one row per pair, indexed from 0; ``shard`` and ``row`` say where its pictures are.
    """

    folder: Path
    layout: str
    table: pd.DataFrame

    def pictures(self, index: int) -> dict[str, np.ndarray]:
        """shadow, clean (uint8 RGB) and mask (uint8 grey) of one pair, read on demand.

        DatasetError where they cannot be read, or hold more than 50 megapixels.
        """
        row = self.table.iloc[index]
        place = (str(row["split"]), str(row["shard"]), int(row["row"]), str(row["id"]))
        try:
            encoded = READERS[self.layout](self.folder, *place)
        except Exception as error:  # files of strangers fail in many ways
            raise ledger.DatasetError(
                f"{row['id']}: its pictures are missing or damaged; open the data set again"
            ) from error
        return {name: _decode(data, f"{row['id']}.{name}") for name, data in encoded.items()}

    def parameters(self, index: int) -> dict[str, Any]:
        """Every field of one pair, its drawn parameters parsed."""
        row = {k: _plain(v) for k, v in self.table.iloc[index].items()}
        return row | {"parameters": json.loads(row.get("parameters") or "{}")}


def open_dataset(where: str | Path, public: Path | None = None) -> Browser:
    """A built folder, or ``hub:owner/name`` (fetched once); DatasetError where it is none.

    Args:
        public: a folder to fetch to as anybody may, without a token, and no more than MOST_BYTES:
            for a data set that a stranger names.
    """
    import pandas as pd

    folder = _local(str(where), public)
    layout = ledger.read_plan(folder)["layout"]
    rows = [row for shard in ledger.shards(folder) for row in _rows(folder, shard)]
    if not rows:
        raise ledger.DatasetError(f"{folder}: holds no pairs; build it again")
    return Browser(folder, layout, pd.DataFrame(rows))


def _local(where: str, public: Path | None) -> Path:
    if not where.startswith(PREFIX):
        return Path(where)
    name = where.removeprefix(PREFIX)
    if public is not None:
        return _fetched(name, public)
    from huggingface_hub import HfApi

    return Path(HfApi().snapshot_download(name, repo_type="dataset", allow_patterns=NEEDED))


def _fetched(name: str, into: Path) -> Path:
    """A public data set of the Hub under ``into``, judged before any of it is fetched."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError
    from huggingface_hub.utils import filter_repo_objects

    hub = HfApi(token=False)  # what its owner may read is not for everybody
    try:
        info = hub.dataset_info(name, files_metadata=True, timeout=10)
    except RepositoryNotFoundError as error:
        raise ledger.DatasetError(f"{name}: no public data set of the Hub") from error
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    if ledger.PUBLIC not in sizes:
        raise ledger.DatasetError(f"{name}: no {ledger.PUBLIC} there, so it is no FaceShadow")
    needed = list(filter_repo_objects(sizes, allow_patterns=NEEDED))
    total = sum(sizes[file] for file in needed)
    if total > MOST_BYTES or len(needed) > MOST_FILES:
        raise ledger.DatasetError(
            f"{name}: {total / 2**30:.1f} GiB in {len(needed):,} files, more than the "
            f"{MOST_BYTES >> 30} GiB and {MOST_FILES:,} that are fetched here; download it and "
            "open the folder"
        )
    folder = into / f"{name}@{str(info.sha)[:12]}"  # other contents lie elsewhere
    hub.snapshot_download(
        name, repo_type="dataset", revision=info.sha, local_dir=folder, allow_patterns=NEEDED
    )
    return folder


def _rows(folder: Path, shard: Shard) -> Iterator[dict[str, Any]]:
    """The rows of a shard; DatasetError for names that could lead out of the folder."""
    if shard.split not in SPLITS:
        raise ledger.DatasetError(f"{folder}: {shard.split[:40]!r} is no split; build it again")
    for number, row in enumerate(ledger.shard_rows(folder, shard)):
        if not PLAIN.fullmatch(str(row.get("id"))):
            raise ledger.DatasetError(
                f"{folder}: {str(row.get('id'))[:40]!r} is no name of a pair; build it again"
            )
        if "light_azimuth" in row:
            row["light_azimuth"] = _within_a_turn(row["light_azimuth"])
        yield row | {"split": shard.split, "shard": shard.name, "row": number}


def _within_a_turn(degrees: Any) -> Any:
    """Numbers in [-180, 180]: rows hold them as drawn, where -270 and 90 are one direction."""
    number = isinstance(degrees, (int, float)) and math.isfinite(degrees)
    return math.remainder(degrees, 360) if number else degrees


def _read_parquet(folder: Path, split: str, shard: str, row: int, _id: str) -> dict[str, bytes]:
    """Only the row group that holds the row is decoded."""
    file = _parquet_file(folder / f"data/{shard}.parquet")
    first = 0
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        if row < first + count:
            one_by_one = file.iter_batches(1, row_groups=[group], columns=list(PICTURES))
            found = next(islice(one_by_one, row - first, None))
            return {name: found[name][0]["bytes"].as_py() for name in PICTURES}
        first += count
    raise ledger.DatasetError(f"{folder}/data/{shard}.parquet: has no row {row}")


@lru_cache(maxsize=8)
def _parquet_file(path: Path) -> Any:
    return open_parquet(path)


def _read_imagefolder(folder: Path, split: str, _s: str, _row: int, name: str) -> dict[str, bytes]:
    return {kind: (folder / split / kind / f"{name}.png").read_bytes() for kind in PICTURES}


def _read_webdataset(folder: Path, _split: str, shard: str, _r: int, name: str) -> dict[str, bytes]:
    places = _tar_places(folder / f"data/{shard}.tar")
    with (folder / f"data/{shard}.tar").open("rb") as handle:
        return {kind: _slice(handle, *places[f"{name}.{kind}.png"]) for kind in PICTURES}


@lru_cache(maxsize=32)
def _tar_places(path: Path) -> dict[str, tuple[int, int]]:
    with open_tar(path) as tar:
        return {entry.name: (entry.offset_data, entry.size) for entry in tar}


def _slice(handle: io.BufferedReader, start: int, size: int) -> bytes:
    handle.seek(start)
    return handle.read(size)


READERS = {
    "parquet": _read_parquet,
    "imagefolder": _read_imagefolder,
    "webdataset": _read_webdataset,
}


def _decode(data: bytes, name: str) -> np.ndarray:
    """Grey stays grey."""
    try:
        image = open_image(data, name)
    except ImageError as error:
        raise ledger.DatasetError(str(error)) from error
    return np.array(image) if image.mode == "L" else upright_rgb(image)


def _plain(value: Any) -> Any:
    """NumPy scalars as JSON values."""
    return value.item() if isinstance(value, np.generic) else value
