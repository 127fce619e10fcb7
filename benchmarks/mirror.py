"""The results folder on the Hub as a dataset, or in another folder."""

from __future__ import annotations

from pathlib import Path

from benchmarks.names import BenchmarkError
from benchmarks.results import check_not_empty, checked_runs
from dataset_tools.hub import PREFIX, check_hub_name, uploading
from learnir.writing import write_atomically


def push(folder: Path, where: str, private: bool = True) -> str:
    """Copies every valid result to ``where``.

    BenchmarkError if one was changed since it was made, where there is none, and for a ``where``
    that may be a folder as well as the Hub.
    Files that are there already are left alone: results are append-only.
    """
    runs, wrong = checked_runs(folder)
    check_not_empty(folder, [*runs, *wrong])
    if wrong:
        raise BenchmarkError(wrong[0])
    if where.startswith(("/", ".", "file://")):
        target = Path(where.removeprefix("file://"))
        for run in runs:
            for path in (run.path.with_suffix(".parquet"), run.path):
                if not (target / path.name).exists():
                    write_atomically(target / path.name, path.read_bytes())
        return f"{len(runs)} results in {target}"
    check_hub_name(where, BenchmarkError)
    return _upload(folder, where.removeprefix(PREFIX), private)


def _upload(folder: Path, name: str, private: bool) -> str:
    from huggingface_hub import HfApi

    api = HfApi()
    with uploading(name, BenchmarkError):
        api.create_repo(name, repo_type="dataset", private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=name,
            repo_type="dataset",
            folder_path=str(folder),
            allow_patterns=["*.json", "*.parquet"],
            commit_message="LearnIR benchmark results",
        )
    return str(done)
