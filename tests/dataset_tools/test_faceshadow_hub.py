"""Photos of the Hub: an ImageFolder there, fetched again once it changed; what the cells say."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hub_server import serving

from dataset_tools import hub
from dataset_tools.files import content_hash
from dataset_tools.hub import COMMIT, fetch, fetched
from dataset_tools.photos import PhotoError, find_photos
from dataset_tools.removals import Removed, tombstone

FETCH = """
import sys
from pathlib import Path
from dataset_tools.hub import fetch
from dataset_tools.removals import Removed, tombstone
root, folder = map(Path, sys.argv[1:])
log = lambda: print(sorted(p.name for p in folder.rglob("*.img")), flush=True)
for step in range(3):
    if step == 2:
        (root / "train/b.jpg").write_bytes(b"another picture")
    fetch("hub:owner/portraits", folder, Removed(frozenset()))
    log()
"""


def test_an_image_folder_of_the_hub_is_fetched_again_when_it_changed(tmp_path):
    """In a process of its own: the libraries read where the Hub is once, when they load."""
    root, folder = tmp_path / "hub", tmp_path / "fetched"
    (root / "train").mkdir(parents=True)
    about = {"a.jpg": ("CC0", 0), "b.jpg": ("CC BY 4.0", 1)}
    for name in about:
        (root / "train" / name).write_bytes(f"picture {name}".encode())
    rows = [{"file_name": n, "licence": a, "identity": b} for n, (a, b) in about.items()]
    (root / "train/metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    log: list[str] = []
    with serving(root, log) as address:
        more = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
        more |= {"HF_DATASETS_OFFLINE": "0", "NO_PROXY": "localhost", "no_proxy": "localhost"}
        words = [sys.executable, "-c", FETCH, str(root), str(folder)]
        done = subprocess.run(
            words, env=os.environ | more, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['00000000.img', '00000001.img']"] * 3
    assert done.stderr.count("hub:owner/portraits: fetched again, the Hub has another commit") == 1
    assert [n for n in log if n.endswith(".jpg")] == ["train/a.jpg", "train/b.jpg"] * 2
    photos = find_photos(fetched("hub:owner/portraits", folder))
    assert [(p.licence, p.identity) for p in photos] == [("CC0", "0"), ("CC BY 4.0", "1")]
    assert [p.path.read_bytes() for p in photos] == [b"picture a.jpg", b"another picture"]
    assert not list(folder.glob(".*"))


def removed(*names: str) -> Removed:
    return Removed(frozenset(map(tombstone, names)))


@pytest.fixture
def on_the_hub(monkeypatch):
    """A function: a dataset with these columns is what the Hub holds, under a commit."""
    from datasets import Dataset, Features, Image

    def put(columns: dict[str, list], commit: str, **kinds: object) -> None:
        rows = Dataset.from_dict(columns, Features({"face": Image(), **kinds}))
        monkeypatch.setattr(hub, "_commit", lambda _: commit)
        monkeypatch.setattr(hub, "_open", lambda *_: rows.to_iterable_dataset())

    return put


def faces(*pictures: bytes | None) -> list[dict | None]:
    return [data and {"bytes": data, "path": None} for data in pictures]


def test_cells_are_read_as_they_are_meant(tmp_path, on_the_hub):
    from datasets import ClassLabel, Value

    columns = {
        "face": faces(b"a", b"b", b"c", None),
        "identity": [0, 1, None, 2],
        "licence": ["CC0", None, "", "CC0"],
        "author": [1, 0, None, 1],
    }
    kinds = {"identity": Value("int64"), "licence": Value("string")}
    on_the_hub(columns, "1", **kinds, author=ClassLabel(names=["Ada", "Zoe"]))
    photos = find_photos(fetch("hub:a/b", tmp_path, removed()))
    assert [photo.identity for photo in photos] == ["0", "1", "", "2"]
    assert [photo.author for photo in photos] == ["Zoe", "Ada", "", "Zoe"]
    assert [photo.licence for photo in photos] == ["CC0", "", "", "CC0"]
    assert [photo.path.is_file() for photo in photos] == [True, True, True, False]


def test_cells_of_several_lines_stay_one_row(tmp_path, on_the_hub):
    from datasets import Value

    ends = ["a\rb", "a\nb", "a\r\nb"]
    on_the_hub({"face": faces(b"a", b"b", b"c"), "licence": ends}, "1", licence=Value("string"))
    found = find_photos(fetch("hub:a/b", tmp_path, removed()))
    assert [photo.licence for photo in found] == ends


def test_a_new_commit_replaces_what_was_fetched_but_for_the_removed(tmp_path, on_the_hub, capsys):
    from datasets import Value

    kinds = {"identity": Value("string")}
    on_the_hub({"face": faces(b"a", b"b", b"c"), "identity": ["x", "y", "z"]}, "1", **kinds)
    manifest = fetch("hub:a/b", tmp_path, removed())
    assert (manifest.parent / COMMIT).read_text() == "1"
    on_the_hub({"face": faces(b"e", b"y2", b"a"), "identity": ["", " y ", ""]}, "2", **kinds)
    gone = removed("y", content_hash(b"a"))
    assert fetch("hub:a/b", tmp_path, gone) == manifest
    assert "hub:a/b: fetched again" in capsys.readouterr().err
    assert [photo.path.read_bytes() for photo in find_photos(manifest)] == [b"e"]
    assert len(list(tmp_path.rglob("*.img"))) == 1
    for commit in ("2", ""):  # as it was; out of reach
        on_the_hub({"face": faces(b"f")}, commit)
        fetch("hub:a/b", tmp_path, gone)
    assert [photo.path.read_bytes() for photo in find_photos(manifest)] == [b"e"]


def test_what_cannot_be_read_is_one_line_and_spoils_nothing(tmp_path, on_the_hub):
    on_the_hub({"face": faces(b"a")}, "1")
    manifest = fetch("hub:a/b", tmp_path, removed())
    on_the_hub({"face": [{"bytes": None, "path": "hf://datasets/a/b@2/gone.jpg"}]}, "2")
    with pytest.raises(PhotoError, match="a/b: cannot be read"):
        fetch("hub:a/b", tmp_path, removed())
    assert find_photos(manifest)[0].path.read_bytes() == b"a"
    assert [path.name for path in tmp_path.iterdir()] == ["a--b"]
