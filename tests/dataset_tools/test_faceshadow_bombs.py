"""Data sets of strangers whose shards are small and unpack to very much."""

from __future__ import annotations

import io
import json
import random
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_tools.browse import open_dataset
from dataset_tools.ledger import DatasetError

NAME = "train-00000-of-00001"
PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def dataset(folder: Path, layout: str, pairs: int) -> Path:
    """A folder that says it is a data set of one shard; where that shard lies."""
    (folder / "data").mkdir()
    plan = {"layout": layout, "shards": {NAME: pairs}}
    (folder / "faceshadow.json").write_text(json.dumps(plan))
    return folder / f"data/{NAME}.{'tar' if layout == 'webdataset' else layout}"


def write_parquet(path: Path, texts: list[str], pictures: list[bytes], **how: object) -> None:
    cells = pa.array([{"bytes": data, "path": "x.png"} for data in pictures], PICTURE)
    ids = [f"a-{number:03d}" for number in range(len(texts))]
    columns = {"id": ids, "author": texts, **dict.fromkeys(("shadow", "clean", "mask"), cells)}
    pq.write_table(pa.table(columns), path, compression="zstd", **how)


def test_a_text_that_all_rows_share_is_not_held_for_each(tmp_path):
    path = dataset(tmp_path, "parquet", 40)
    text = random.Random(0).randbytes(800_000).hex()
    write_parquet(path, [text] * 40, [b"x"] * 40, dictionary_pagesize_limit=9 << 20)
    assert path.stat().st_size < len(text)
    with pytest.raises(DatasetError, match=r"rows of train-.* \(rows of more than a MiB\)"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("column", ["texts", "pictures"])
def test_a_shard_that_unpacks_to_far_more_than_it_is_is_not_read(tmp_path, column):
    much = [bytes([97 + k]) * (4 << 20) for k in range(8)]
    path = dataset(tmp_path, "parquet", 8)
    texts = [one.decode() for one in much] if column == "texts" else ["Ada"] * 8
    write_parquet(path, texts, much if column == "pictures" else [b"x"] * 8, use_dictionary=False)
    assert path.stat().st_size < 1 << 16
    with pytest.raises(DatasetError, match=r"rows of train-.* \(it unpacks to \d+ MiB\)"):
        open_dataset(tmp_path)


def test_a_packed_tar_is_not_read(tmp_path):
    path = dataset(tmp_path, "webdataset", 1)
    with tarfile.open(path, "w:gz") as tar:
        entry = tarfile.TarInfo("a-000.json")
        entry.size = len(data := json.dumps({"id": "a-000", "author": "a" * 1000}).encode())
        tar.addfile(entry, io.BytesIO(data))
    with pytest.raises(DatasetError, match=r"rows of train-.* cannot be read"):
        open_dataset(tmp_path)


def test_a_sparse_row_of_a_tar_is_not_unpacked(tmp_path):
    path = dataset(tmp_path, "webdataset", 1)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo("a-000.json")
        entry.size = len(data := b'{"id": "a-000"}\n')
        entry.pax_headers = {"GNU.sparse.size": str(9 << 20), "GNU.sparse.map": f"0,{len(data)}"}
        tar.addfile(entry, io.BytesIO(data))
    with pytest.raises(DatasetError, match=r"a-000\.json is larger than a MiB"):
        open_dataset(tmp_path)


def test_a_direction_is_browsed_within_a_turn(tmp_path):
    path = dataset(tmp_path, "parquet", 4)
    azimuths = [-200.5, 270.0, -60.3, None]
    ids = [f"a-{k:03d}" for k in range(4)]
    pq.write_table(pa.table({"id": ids, "light_azimuth": azimuths}), path)
    shown = open_dataset(tmp_path).table["light_azimuth"]
    assert list(shown[:3]) == [159.5, -90.0, -60.3]
