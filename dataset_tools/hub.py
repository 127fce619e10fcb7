"""The Hugging Face Hub: a dataset's portraits fetched to a folder, and errors of uploads."""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dataset_tools.files import content_hash, csv_bytes
from dataset_tools.photos import PhotoError, person
from dataset_tools.removals import Removed
from learnir.console import one_line
from learnir.writing import write_atomically

PREFIX = "hub:"
COLUMNS = ("licence", "license", "identity_key", "identity", "source", "author")
PARTS = ".fetching-"  # how the folder starts that is written first
COMMIT = "commit.txt"  # beside the manifest: which commit of the Hub the pictures are of
REFUSALS = (401, 403, 404)  # statuses of who is not known, may not, or may not see it


def fetch(place: str, folder: Path, removed: Removed) -> Path:
    """``hub:owner/name[:split]`` -> manifest.csv of its pictures under ``folder``, but for those
    that a dataset has ``removed``.

    Fetched are the first Image column, and licence, identity, source and author columns. What was
    fetched is kept until the Hub has another commit, and while the Hub is out of reach.
    """
    manifest = fetched(place, folder)
    name, split = _name_and_split(place)
    held, commit = _held(manifest), _commit(name)
    if held is not None and commit in ("", held):
        return manifest
    if held is not None:
        print(f"{place}: fetched again, the Hub has another commit ({commit[:7]})", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    for killed in folder.glob(f"{PARTS}*"):
        shutil.rmtree(killed)
    with tempfile.TemporaryDirectory(prefix=PARTS, dir=folder) as parts:
        new = Path(parts) / "new"
        _write(_open(name, split, commit), new, name, removed)
        write_atomically(new / COMMIT, commit.encode())
        shutil.rmtree(manifest.parent, ignore_errors=True)
        new.replace(manifest.parent)
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


def _held(manifest: Path) -> str | None:
    """The commit that was fetched; empty where it is not known, None where nothing was fetched."""
    if not manifest.is_file():
        return None
    path = manifest.parent / COMMIT
    return path.read_text().strip() if path.is_file() else ""


def _commit(name: str) -> str:
    """The Hub's newest commit; empty where the Hub is out of reach, or for a folder here."""
    from huggingface_hub import HfApi

    if Path(name).exists():
        return ""
    try:
        return HfApi().dataset_info(name, timeout=10).sha or ""
    except not_reached():
        return ""


def not_reached() -> tuple[type[Exception], ...]:
    """Errors of the HTTP client that the Hub's own error inherits from: requests, httpx, httpx2."""
    from huggingface_hub.errors import HfHubHTTPError

    bases = HfHubHTTPError.__bases__
    return (OSError, ValueError, *(base for base in bases if issubclass(base, Exception)))


def check_hub_name(where: str, failure: type[Exception]) -> None:
    """``failure`` unless ``where`` is owner/name, by which nothing but the Hub can be meant."""
    name = where.removeprefix(PREFIX)
    owner, _, rest = name.partition("/")
    if not owner or not rest or "/" in rest:
        raise failure(f"{where}: not owner/name; for a folder write ./{name}")
    if name == where and (Path(name).exists() or Path(owner).is_dir()):
        raise failure(
            f"{where}: there is a folder {owner} here; write ./{name} for the folder, "
            f"{PREFIX}{name} for the Hub"
        )


@contextmanager
def uploading(name: str, failure: type[Exception]) -> Iterator[None]:
    """Within it, errors of the Hub, or of the way there, are raised as ``failure``, one line.

    A RuntimeError is how the client says that one of the files did not arrive.
    """
    from huggingface_hub.errors import HFValidationError

    broken: tuple[type[Exception], ...] = (RuntimeError, *not_reached())
    try:
        yield
    except HFValidationError as error:
        raise failure(f"{name}: not owner/name; for a folder write ./{name}") from error
    except broken as error:
        if _is_refusal(error):
            why = f"the Hub refused ({one_line(error)}); run hf auth login"
        else:
            why = (
                f"not uploaded ({one_line(error.__cause__ or error)}); check the network and run "
                f"the same command again, or write ./{name} for a folder"
            )
        raise failure(f"{name}: {why}") from error


def _is_refusal(error: Exception) -> bool:
    """Whether the Hub asks who is there, or says no to them; not that it, or another, failed."""
    from huggingface_hub.errors import LocalTokenNotFoundError

    status = getattr(getattr(error, "response", None), "status_code", None)
    return isinstance(error, LocalTokenNotFoundError) or status in REFUSALS


def _unreadable() -> tuple[type[Exception], ...]:
    """Whatever goes wrong while rows of the Hub are read."""
    from datasets.exceptions import DatasetsError

    return (DatasetsError, *not_reached(), RuntimeError, LookupError, TypeError)


def _open(name: str, split: str, commit: str) -> Any:
    from datasets import load_dataset

    try:
        return load_dataset(name, split=split, streaming=True, revision=commit or None)
    except _unreadable() as error:
        raise PhotoError(f"{name}: cannot be opened as a dataset ({one_line(error)})") from error


def _write(rows: Any, folder: Path, name: str, removed: Removed) -> None:
    """Pictures and manifest.csv. A row without a picture is listed all the same, so that curation
    says what became of it."""
    from datasets import Image

    kinds = rows.features or {}
    pictures = [column for column, kind in kinds.items() if isinstance(kind, Image)]
    if not pictures:
        raise PhotoError(f"{name}: the dataset has no Image column")
    table = [["path", *COLUMNS]]
    for index, row, data in _read(rows, pictures[0], name):
        about = [_text(kinds.get(column), row.get(column)) for column in COLUMNS]
        identity = person(about[COLUMNS.index("identity_key")])
        identity = identity or person(about[COLUMNS.index("identity")])
        if removed.has(identity) or removed.has(content_hash(data)):
            continue
        if data:
            write_atomically(folder / f"{index:08d}.img", data)
        table.append([f"{index:08d}.img", *about])
    write_atomically(folder / "manifest.csv", csv_bytes(table))


def _read(rows: Any, column: str, name: str) -> Iterator[tuple[int, dict[str, Any], bytes]]:
    """Number, row and encoded picture, one after the other; empty where a row has no picture."""
    try:
        for index, row in enumerate(rows.decode(False)):
            yield index, row, _bytes(row[column])
    except _unreadable() as error:
        raise PhotoError(f"{name}: cannot be read ({one_line(error)})") from error


def _bytes(picture: dict[str, Any] | None) -> bytes:
    """An Image cell without decoding: its bytes, or what its path or URL leads to."""
    import fsspec

    if not picture:
        return b""
    if picture["bytes"] is None and picture["path"]:
        with fsspec.open(picture["path"], "rb") as handle:
            return handle.read()
    return picture["bytes"] or b""


def _text(kind: Any, value: Any) -> str:
    """A cell as the manifest writes it: classes by their names, nothing for what is missing."""
    from datasets import ClassLabel

    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(kind, ClassLabel) and isinstance(value, int):
        return kind.int2str(value) if value >= 0 else ""  # -1: not labelled
    return str(value)
