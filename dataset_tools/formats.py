"""Three ways to lay a shard of pairs on disk: parquet, ImageFolder, WebDataset.

A writer takes the rows of one shard, each with the encoded pictures ``shadow``, ``clean``,
``mask``, and writes the same bytes whenever the rows are the same. ``files`` are relative to the
dataset's folder.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from learnir.writing import replacing, write_atomically

PICTURES = ("shadow", "clean", "mask")
MOST_ROW = 1 << 20  # bytes that a row without its pictures may hold
UNPACKED = 8  # times its file, at most, that a shard's columns fill
Row = dict[str, Any]


@dataclass(frozen=True)
class Shard:
    """Place of a shard in its split."""

    split: str
    number: int
    of: int

    @property
    def name(self) -> str:
        return f"{self.split}-{self.number:05d}-of-{self.of:05d}"


def encode_png(picture: np.ndarray) -> bytes:
    """Lossless PNG of a uint8 grey or RGB picture; one encoder for input, target and mask."""
    ordered = picture[..., ::-1] if picture.ndim == 3 else picture
    done, data = cv2.imencode(".png", ordered, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise ValueError(f"OpenCV could not encode a picture of shape {picture.shape}")
    return data.tobytes()


def decode_png(data: bytes) -> np.ndarray:
    """What ``encode_png`` was given."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return picture[..., ::-1] if picture.ndim == 3 else picture


def metadata(row: Row) -> Row:
    """The row without its pictures."""
    return {name: value for name, value in row.items() if name not in PICTURES}


def write_parquet(out: Path, shard: Shard, rows: list[Row]) -> list[str]:
    """``data/{shard}.parquet`` with Hugging Face Image() columns."""
    import pyarrow.parquet as pq

    file_name = f"data/{shard.name}.parquet"
    with replacing(out / file_name) as handle:
        pq.write_table(_table(rows), handle, compression="zstd", row_group_size=100)
    return [file_name]


def _table(rows: list[Row]) -> Any:
    import pyarrow as pa

    columns: dict[str, Any] = {}
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for name in PICTURES:
        cells = [{"bytes": row[name], "path": f"{row['id']}.{name}.png"} for row in rows]
        columns[name] = pa.array(cells, picture)
    for name in metadata(rows[0]):
        columns[name] = pa.array([row[name] for row in rows])
    table = pa.table(columns)
    return table.replace_schema_metadata({"huggingface": json.dumps(_features(table.schema))})


def _features(schema: Any) -> Row:
    kinds = {"string": "string", "int64": "int64", "double": "float64", "bool": "bool"}
    features: Row = {}
    for column in schema:
        if column.name in PICTURES:
            features[column.name] = {"_type": "Image"}
        else:
            features[column.name] = {"dtype": kinds[str(column.type)], "_type": "Value"}
    return {"info": {"features": features}}


def open_parquet(path: Path) -> Any:
    """A shard as a pyarrow ParquetFile; ValueError where it unpacks to far more than it is, as
    pictures do not: somebody else's may be made to fill the memory."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    groups = range(file.metadata.num_row_groups)
    unpacked = sum(file.metadata.row_group(group).total_byte_size for group in groups)
    if unpacked > UNPACKED * path.stat().st_size + MOST_ROW:
        raise ValueError(f"it unpacks to {unpacked / 2**20:.0f} MiB")
    return file


def open_tar(path: Path) -> tarfile.TarFile:
    """A shard as it is written: not packed, so no entry is larger than the file."""
    return tarfile.open(path, mode="r:")


def read_parquet(path: Path) -> list[Row]:
    """The rows of one shard as they were given to the writer."""
    rows = open_parquet(path).read().to_pylist()
    return [row | {name: row[name]["bytes"] for name in PICTURES} for row in rows]


def write_imagefolder(out: Path, shard: Shard, rows: list[Row]) -> list[str]:
    """``{split}/shadow/{id}.png`` and so on; metadata.jsonl is written when all shards are done."""
    files = []
    for row in rows:
        for name in PICTURES:
            file_name = f"{shard.split}/{name}/{row['id']}.png"
            write_atomically(out / file_name, row[name])
            files.append(file_name)
    return files


def imagefolder_line(row: Row) -> str:
    """One line of metadata.jsonl; paths relative to the split's folder."""
    names = {f"{name}_file_name": f"{name}/{row['id']}.png" for name in PICTURES}
    return json.dumps(names | metadata(row), ensure_ascii=False)


def write_webdataset(out: Path, shard: Shard, rows: list[Row]) -> list[str]:
    """``data/{shard}.tar`` with {id}.shadow.png, .clean.png, .mask.png, .json."""
    file_name = f"data/{shard.name}.tar"
    with (
        replacing(out / file_name) as handle,
        tarfile.open(fileobj=handle, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for row in rows:
            for name in PICTURES:
                _add(tar, f"{row['id']}.{name}.png", row[name])
            _add(tar, f"{row['id']}.json", json.dumps(metadata(row), ensure_ascii=False).encode())
    return [file_name]


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def shard_files(layout: str, shard: Shard, ids: list[str]) -> list[str]:
    """The files that hold the pairs ``ids`` of a shard, relative to the dataset."""
    if layout == "imagefolder":
        return [f"{shard.split}/{name}/{i}.png" for i in ids for name in PICTURES]
    return [f"data/{shard.name}.{'tar' if layout == 'webdataset' else 'parquet'}"]


Writer = Callable[[Path, Shard, list[Row]], list[str]]
WRITERS: dict[str, Writer] = {
    "parquet": write_parquet,
    "imagefolder": write_imagefolder,
    "webdataset": write_webdataset,
}


def read_pictures(
    out: Path, layout: str, shard: Shard, ids: set[str]
) -> dict[str, dict[str, bytes]]:
    """Encoded pictures of some pairs of a shard: id -> {shadow, clean, mask}."""
    if layout == "parquet":
        rows = read_parquet(out / f"data/{shard.name}.parquet")
        return {r["id"]: {n: r[n] for n in PICTURES} for r in rows if r["id"] in ids}
    if layout == "imagefolder":
        base = out / shard.split
        return {i: {n: (base / n / f"{i}.png").read_bytes() for n in PICTURES} for i in ids}
    found: dict[str, dict[str, bytes]] = {}
    with open_tar(out / f"data/{shard.name}.tar") as tar:
        for entry in tar:
            key, _, rest = entry.name.partition(".")
            data = tar.extractfile(entry)
            if key in ids and rest.endswith(".png") and data:
                found.setdefault(key, {})[rest.removesuffix(".png")] = data.read()
    return found
