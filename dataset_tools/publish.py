"""Copying a finished dataset to the Hugging Face Hub, or to a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from dataset_tools import card, ledger
from dataset_tools.verify import verify


class PublishError(Exception):
    """A dataset that cannot be published as it is."""


def push(out: Path, where: str, *, allow_unlicensed: bool = False, private: bool = True) -> str:
    """Publish ``out`` to a Hub id or a folder; where it went. Working state stays behind."""
    card.require_licences(out, allow_unlicensed)
    problems = verify(out, sample=0).problems
    if problems:
        raise PublishError(f"{out}: {problems[0]}; build the dataset again before publishing")
    if where.startswith(("/", ".", "file://")):
        return _copy(out, Path(where.removeprefix("file://")))
    return _upload(out, where, private)


def _copy(out: Path, folder: Path) -> str:
    for path in [*ledger.published_files(out), out / ledger.MANIFEST]:
        target = folder / path.relative_to(out)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return str(folder)


def _upload(out: Path, name: str, private: bool) -> str:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi()
    try:
        api.create_repo(name, repo_type="dataset", private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=name,
            repo_type="dataset",
            folder_path=str(out),
            ignore_patterns=[f"{ledger.STATE}/*", f"{ledger.REPORT}/*", ".faceshadow/**"],
            commit_message=f"FaceShadow {ledger.VERSION}",
        )
    except (HfHubHTTPError, OSError) as error:
        raise PublishError(f"{name}: the Hub refused ({error}); run hf auth login") from error
    return str(done)
