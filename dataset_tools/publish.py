"""Copying a finished dataset to the Hugging Face Hub, or to a folder.

Shards that were published before and are no longer part of the dataset are deleted there, so that
somebody who was removed is gone from the copy as well; other files are left alone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from dataset_tools import card, ledger, removals
from dataset_tools.hub import PREFIX, check_hub_name, uploading
from dataset_tools.shards import STATE
from dataset_tools.splits import SPLITS
from dataset_tools.verify import verify
from learnir.writing import clear_stale, replacing

# what a copy holds of its pairs, as glob patterns relative to the dataset
STORED = (*ledger.SHARDS, *(f"{split}/metadata.jsonl" for split in SPLITS), card.CROISSANT)


class PublishError(Exception):
    """A dataset that cannot be published as it is."""


def push(out: Path, where: str, *, allow_unlicensed: bool = False, private: bool = True) -> str:
    """Publish ``out`` to a Hub id or a folder; where it went. Working state stays behind.

    Meanwhile nobody is removed from it, who would lie in the copy all the same.
    """
    folder = Path(where.removeprefix("file://"))
    local = where.startswith(("/", ".", "file://"))
    if local:
        _check(out, folder)
    else:
        check_hub_name(where, PublishError)
    if not ledger.shards(out):
        raise PublishError(f"{out}: holds no pairs; delete what was published of it instead")
    with ledger.locked(out) if os.access(out, os.W_OK) else nullcontext():  # else nobody can
        card.require_licences(out, allow_unlicensed)
        problems = verify(out, sample=0).problems
        if problems:
            raise PublishError(f"{out}: {problems[0]}; build the dataset again before publishing")
        return _copy(out, folder) if local else _upload(out, where.removeprefix(PREFIX), private)


def _check(out: Path, folder: Path) -> None:
    """PublishError for a folder of other files, or one from which somebody was removed."""
    if folder.resolve() == out.resolve():
        raise PublishError(f"{folder}: is the dataset itself; give another folder")
    ledger.check_ours(folder)
    if ledger.is_built(folder):
        raise PublishError(f"{folder}: was built there and is no copy; give another folder")
    _check_removed(out, str(folder), removals.removed_from(folder))


def _check_removed(out: Path, where: str, there: removals.Removed) -> None:
    if there.hashes - removals.removed_from(out).hashes:
        raise PublishError(f"{where}: somebody was removed there; remove them from {out} first")


def _copy(out: Path, folder: Path) -> str:
    """faceshadow.json goes first, to mark the folder as ours, the manifest last."""
    files = [path for path in ledger.published_files(out) if path.name != ledger.PUBLIC]
    files = [out / ledger.PUBLIC, *files, out / ledger.MANIFEST]
    names = [path.relative_to(out).as_posix() for path in files]
    for path in list(_stale(folder, set(names))):
        path.unlink()
    for place in {(folder / name).parent for name in names}:
        clear_stale(place)
    for name in names:
        with (out / name).open("rb") as source, replacing(folder / name) as target:
            shutil.copyfileobj(source, target)
    return str(folder)


def _stale(folder: Path, wanted: set[str]) -> Iterator[Path]:
    """Files of an earlier copy to delete: shards that are gone, and working state about them."""
    if not (folder / ledger.PUBLIC).is_file():
        return
    for pattern in STORED:
        for path in folder.glob(pattern):
            if path.relative_to(folder).as_posix() not in wanted:
                yield path
    for name in ("rows", "done"):
        yield from (folder / STATE / name).glob("*")


def _removed_on_the_hub(api: Any, name: str) -> removals.Removed:
    """What removed.txt of the Hub's copy lists: nothing without such a list, or without a copy."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        path = api.hf_hub_download(
            name,
            removals.FILE,
            repo_type="dataset",
            force_download=True,  # no older copy
        )
    except (LocalEntryNotFoundError, GatedRepoError):  # which say that it could not be asked
        raise
    except (EntryNotFoundError, RepositoryNotFoundError):
        return removals.Removed(frozenset())
    return removals.read(Path(path))


def _upload(out: Path, name: str, private: bool) -> str:
    from huggingface_hub import HfApi

    api = HfApi()
    with uploading(name, PublishError):
        _check_removed(out, name, _removed_on_the_hub(api, name))
        api.create_repo(name, repo_type="dataset", private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=name,
            repo_type="dataset",
            folder_path=str(out),
            ignore_patterns=[".*", "*/.*", f"{ledger.REPORT}/*"],
            delete_patterns=list(STORED),
            commit_message=f"FaceShadow {ledger.read_plan(out)['version']}",
        )
    return str(done)
