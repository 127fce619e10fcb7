"""Data sets of the Hub: what a visitor names is public, small, and leads nowhere else."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from huggingface_hub import HfApi
from PIL import Image
from test_app_hostile import png_header_only

from dataset_tools import browse, ledger
from demo import dataset_browsing as browsing
from demo import storage
from demo.cache import Cache
from demo.storage import AGE_S

SHA = "0123456789abcdef0123"
SHARD = "train-00000-of-00001"


@pytest.fixture
def hub(monkeypatch, dataset, tmp_path):
    """A Hub whose every data set is ``folder``; the tokens it was shown, what was fetched."""
    from huggingface_hub.utils import filter_repo_objects

    found = SimpleNamespace(folder=tmp_path / "there", tokens=[], fetched=[], sizes={}, error=None)
    shutil.copytree(dataset, found.folder)
    (found.folder / "other.bin").write_bytes(b"x")

    def names():
        paths = [path for path in found.folder.rglob("*") if path.is_file()]
        return [path.relative_to(found.folder).as_posix() for path in paths]

    def info(self, name, **_):
        found.tokens.append(self.token)
        if found.error:
            raise found.error
        size = {n: (found.folder / n).stat().st_size for n in names()} | found.sizes
        files = [SimpleNamespace(rfilename=name, size=size) for name, size in size.items()]
        return SimpleNamespace(sha=SHA, siblings=files)

    def download(self, name, *, allow_patterns, local_dir=tmp_path / "own", **_):
        found.tokens.append(self.token)
        found.fetched = list(filter_repo_objects(names(), allow_patterns=allow_patterns))
        for one in found.fetched:
            (Path(local_dir) / one).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found.folder / one, Path(local_dir) / one)
        return str(local_dir)

    monkeypatch.setattr(HfApi, "dataset_info", info)
    monkeypatch.setattr(HfApi, "snapshot_download", download)
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_owner")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(browsing, "OPENED", Cache(2, lambda _: 1, 3600))
    return found


def refused(match: str, tmp_path: Path) -> None:
    """Opening it says so in one line without the server's folders."""
    with pytest.raises(gr.Error, match=match) as told:
        browsing.opened("hub:some/faces")
    assert "\n" not in told.value.message
    assert str(tmp_path) not in told.value.message


def write_imagefolder(folder: Path, shard: str, name: str) -> None:
    """A FaceShadow of one row, the id of which is ``name``."""
    shutil.rmtree(folder)
    (folder / "train").mkdir(parents=True)
    plan = {"layout": "imagefolder", "shards": {shard: 1}}
    (folder / ledger.PUBLIC).write_text(json.dumps(plan))
    (folder / "train" / "metadata.jsonl").write_text(json.dumps({"id": name, "coverage": 0.5}))


def test_a_visitor_reads_what_anybody_may_and_nothing_else_is_fetched(hub):
    browser = browsing.opened("hub:some/faces")
    assert hub.tokens == [False, False]
    assert "other.bin" not in hub.fetched
    assert "README.md" not in hub.fetched
    assert all(name == ledger.PUBLIC or name.startswith("data/") for name in hub.fetched)
    assert len(browsing.page_of(browser, np.arange(60), 1)) == browsing.PAGE
    assert browsing.opened("hub:some/faces") is browser


def test_files_of_a_data_set_stay_as_long_as_it_is_kept_open(hub, monkeypatch):
    own = storage.files()
    old = browsing.opened("hub:some/faces").folder / ledger.PUBLIC
    before = old.stat()
    monkeypatch.setattr(HfApi, "snapshot_download", lambda *_, local_dir, **__: str(local_dir))
    time.sleep(0.05)  # the clock of files may be coarse
    browsing.OPENED.drop("hub:some/faces")
    browsing.opened("hub:some/faces")
    assert old.stat().st_ctime > before.st_ctime
    assert old.stat().st_mtime == before.st_mtime
    storage.sweep(own, lambda: time.time() + AGE_S + 60)
    assert not old.exists()


def test_the_apps_own_data_set_may_be_a_private_one(hub):
    assert browsing.address("", "own/faces") == "own/faces"
    assert browsing.address("own/faces", "own/faces") == "own/faces"
    assert len(browsing.opened("own/faces").table) == 60
    assert set(hub.tokens) == {None}  # that of the environment


def test_another_of_the_owners_is_asked_for_without_the_token(hub):
    from huggingface_hub.errors import RepositoryNotFoundError

    hub.error = RepositoryNotFoundError.__new__(RepositoryNotFoundError)
    with pytest.raises(gr.Error, match="own/secret: no public data set of the Hub"):
        browsing.opened(browsing.address("own/secret", "own/faces"))
    assert hub.tokens == [False]


def test_what_is_too_large_is_refused_unfetched(hub, tmp_path):
    hub.sizes = {f"data/{SHARD}.parquet": browse.MOST_BYTES + 1}
    refused("some/faces: 1.0 GiB in .* more than the 1 GiB", tmp_path)
    hub.sizes = {f"train/mask/{n}.png": 1 for n in range(browse.MOST_FILES)}
    refused("some/faces: .* files, more than", tmp_path)
    assert hub.fetched == []


def test_what_is_no_faceshadow_is_refused_unfetched(hub, tmp_path):
    (hub.folder / ledger.PUBLIC).unlink()
    refused("some/faces: no faceshadow.json there", tmp_path)
    assert hub.fetched == []


def test_a_hub_that_cannot_be_reached_is_one_line(hub, tmp_path):
    hub.error = OSError()
    refused("some/faces: not readable on the Hub", tmp_path)
    hub.error = OSError("no\nnetwork")
    refused("no network", tmp_path)


@pytest.mark.parametrize("name", ["/secret", "../../secret", "a/b", "..", "", "a\n"])
def test_names_that_lead_elsewhere_are_refused(hub, tmp_path, name):
    write_imagefolder(hub.folder, SHARD, f"{tmp_path}{name}" if name == "/secret" else name)
    refused("some/faces@0123456789ab: .* is no name of a pair", tmp_path)


def test_a_split_that_leads_elsewhere_is_refused(hub, tmp_path):
    write_imagefolder(hub.folder, f"{tmp_path}/private/train-00000-of-00001", "fine")
    with pytest.raises(gr.Error, match="is no split"):
        browsing.opened("hub:some/faces")


def test_picture_bombs_are_refused_undecoded(hub, tmp_path):
    write_imagefolder(hub.folder, SHARD, "bomb")
    for kind in browse.PICTURES:
        (hub.folder / "train" / kind).mkdir()
        Image.new("L", (9, 9)).save(hub.folder / "train" / kind / "bomb.png")
    (hub.folder / "train" / "shadow" / "bomb.png").write_bytes(png_header_only(12_000, 12_000))
    browser = browsing.opened("hub:some/faces")
    for look in (lambda: browsing.one(browser, 0), lambda: browsing.page_of(browser, [0], 1)):
        with pytest.raises(gr.Error, match="more than the limit of 50") as told:
            look()
        assert "\n" not in told.value.message


def test_pictures_that_are_missing_are_one_line(hub, tmp_path):
    write_imagefolder(hub.folder, SHARD, "none")
    with pytest.raises(gr.Error, match="its pictures are missing") as told:
        browsing.one(browsing.opened("hub:some/faces"), 0)
    assert str(tmp_path) not in told.value.message


def test_large_pictures_are_shown_small(hub):
    write_imagefolder(hub.folder, SHARD, "large")
    for kind in browse.PICTURES:
        (hub.folder / "train" / kind).mkdir()
        Image.new("RGB", (3000, 2000)).save(hub.folder / "train" / kind / "large.png")
    (shown, _), *_ = browsing.page_of(browsing.opened("hub:some/faces"), np.array([0]), 1)
    assert shown.shape == (600, 900, 3)
