"""Portraits from a Hugging Face dataset: written once to a folder with a manifest, then read."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from dataset_tools.photos import PhotoError
from learnir.writing import write_atomically

PREFIX = "hub:"
COLUMNS = ("licence", "license", "identity_key", "identity", "source", "author")


def fetch(place: str, folder: Path) -> Path:
    """``hub:owner/name[:split]`` -> manifest.csv of its pictures under ``folder``.

    The first Image column is taken; licence, identity, source and author columns come along.
    """
    manifest = fetched(place, folder)
    if not manifest.is_file():
        _write(_open(*_name_and_split(place)), manifest)
    return manifest


def fetched(place: str, folder: Path) -> Path:
    """Where ``fetch`` puts the manifest. Its folder tells datasets and splits apart: photos of
    several places are called after it."""
    name, split = _name_and_split(place)
    own = name.replace("/", "--") + ("" if split == "train" else f"--{split}")
    return folder / own / "manifest.csv"


def _name_and_split(place: str) -> tuple[str, str]:
    name, _, split = place.removeprefix(PREFIX).partition(":")
    return name, split or "train"


def _open(name: str, split: str) -> Any:
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError

    try:
        return load_dataset(name, split=split, streaming=True)
    except (DatasetNotFoundError, FileNotFoundError, ValueError, ConnectionError) as error:
        raise PhotoError(f"{name}: cannot be opened as a dataset ({error})") from error


def _write(rows: Any, manifest: Path) -> None:
    from datasets import Image

    pictures = [c for c, kind in (rows.features or {}).items() if isinstance(kind, Image)]
    if not pictures:
        raise PhotoError(f"{manifest.parent.name}: the dataset has no Image column")
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", *COLUMNS])
    for index, row in enumerate(rows.cast_column(pictures[0], Image(decode=False))):
        data = row[pictures[0]]["bytes"]
        if data is None:
            data = Path(row[pictures[0]]["path"]).read_bytes()
        write_atomically(manifest.parent / f"{index:08d}.img", data)
        table.writerow([f"{index:08d}.img", *(row.get(column) or "" for column in COLUMNS)])
    write_atomically(manifest, text.getvalue().encode())
