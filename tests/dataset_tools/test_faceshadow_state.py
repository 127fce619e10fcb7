"""What a built folder keeps: damage is noticed and mended, markers fit what they mark, copies stand
on their own, and publishing leaves nothing old behind."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builds import build, contents

from dataset_tools import build as building
from dataset_tools import ledger, shards
from dataset_tools import verify as checking
from dataset_tools.cli import main
from dataset_tools.facts import Facts
from dataset_tools.formats import Shard
from dataset_tools.photos import Photo, PhotoError
from dataset_tools.shards import PairPlan, ShardJob, Source, pairs_of
from dataset_tools.splits import split_of
from dataset_tools.verify import verify

LAYOUTS = ["parquet", "imagefolder", "webdataset"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("damage", [b"", b"other bytes"])
def test_building_again_mends_damaged_files_and_rows(built, layout, damage):
    out = built(layout)
    whole = contents(out)
    rows = list(ledger.rows(out))
    victims = [
        next(p for p in whole if p.startswith("train/shadow/") or p.endswith((".parquet", ".tar")))
    ]
    victims += [next((out / ".faceshadow" / "rows").glob("train*")).relative_to(out).as_posix()]
    for victim in victims:
        (out / victim).write_bytes(damage)
    assert verify(out).problems
    built(layout)
    assert contents(out) == whole
    assert list(ledger.rows(out)) == rows
    assert verify(out).problems == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damage_in_an_old_manifest_is_one_line_and_no_traceback(built, layout, capsys):
    out = built(layout)
    for path in [*out.glob("data/train*"), *out.glob("train/clean/*")]:
        path.unlink() if layout == "imagefolder" else path.write_bytes(b"")
    ledger.write_manifest(out)
    name = next(ledger.rows(out, "train"))["photo"]
    capsys.readouterr()
    for words in (
        ["verify", out],
        ["preview", out, "-o", out / "x.png"],
        ["remove", out, "--id", name],
    ):
        assert main([str(word) for word in words]) == 1
        error = capsys.readouterr().err
        assert "pictures of train-00000-of-00001 cannot be read" in error
    built(layout)
    assert name not in {row["photo"] for row in ledger.rows(out)}
    assert verify(out).problems == []


@pytest.mark.parametrize("content", [b"", b"{"])
@pytest.mark.parametrize(
    "place",
    [".faceshadow/done/train*", ".faceshadow/build.json", "faceshadow.json", "CACHE/*/*.parquet"],
)
def test_empty_and_damaged_state_counts_as_absent(built, cache, place, content):
    out = built()
    whole = contents(out)
    folder = cache if place.startswith("CACHE") else out
    (victim,) = list(folder.glob(place.removeprefix("CACHE/")))[:1]
    victim.write_bytes(content)
    if place == ".faceshadow/build.json":
        assert verify(out).problems == []
    if place != "faceshadow.json":
        assert main(["remove", str(out), "--id", "nobody"]) == 1
    built()
    assert contents(out) == whole
    assert verify(out).problems == []


def test_lost_rows_are_noticed_and_made_again(built):
    out = built()
    rows = list(ledger.rows(out))
    path = next((out / ".faceshadow" / "rows").glob("train*"))
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert "rows, not" in verify(out).problems[0]
    built()
    assert list(ledger.rows(out)) == rows
    assert verify(out).problems == []


def test_markers_of_older_builds_are_made_again(built):
    out = built()
    whole = contents(out)
    for marker in out.glob(".faceshadow/done/*"):
        record = json.loads(marker.read_text())
        del record["hashes"]
        marker.write_text(json.dumps(record))
    built()
    assert contents(out) == whole
    assert all("hashes" in json.loads(m.read_text()) for m in out.glob(".faceshadow/done/*"))


def test_a_photo_that_changed_since_it_was_looked_at_makes_no_pairs(tmp_path):
    photo = tmp_path / "a.png"
    photo.write_bytes(b"other bytes than those that were looked at")
    source = Source(Photo("a.png", photo), Facts("a.png", "00"), Path("bucket"))
    with pytest.raises(PhotoError, match=r"a\.png: changed meanwhile"):
        next(pairs_of(source, None, PairPlan()))


@pytest.mark.parametrize(
    "change", [{"identity": "Zoe"}, {"source": "here"}, {"author": "me"}, {"licence": "CC0"}]
)
def test_whatever_a_row_says_is_in_the_digest(change, tmp_path):
    photo = Photo("a.png", Path("a.png"))

    def digest(of: Photo, model: str = "") -> str:
        source = Source(of, Facts("a.png", "00"), Path("bucket"))
        return ShardJob(Path("out"), Shard("train", 0, 1), (source,), PairPlan(), model).digest

    assert digest(replace(photo, **change)) != digest(photo)
    model = tmp_path / "face_landmarker.task"
    model.write_bytes(b"a model")
    before = digest(photo, str(model))
    assert before != digest(photo)
    model.write_bytes(b"another model of that name")
    assert digest(photo, str(model)) not in (before, digest(photo))


def test_a_new_version_makes_every_shard_again(built, monkeypatch):
    out = built()
    before = {marker: marker.read_bytes() for marker in out.glob(".faceshadow/done/*")}
    monkeypatch.setattr("dataset_tools.shards.VERSION", "9.9.9")
    built()
    assert before
    assert all(marker.read_bytes() != old for marker, old in before.items())


def test_one_command_at_a_time_changes_a_dataset(tmp_path, built, photos, capsys):
    out = built()
    whole = contents(out)
    with ledger.locked(out):
        assert build(photos, out, "--seed", 5) == 1
        assert main(["remove", str(out), "--id", "portrait000.png"]) == 1
    assert capsys.readouterr().err.count("another command is at work here") == 2
    assert contents(out) == whole


def test_pictures_that_differ_by_rounding_alone_are_no_problem(built, monkeypatch, capsys):
    out = built()
    rendered = checking.render_again

    def elsewhere(by: int):
        def again(*words):
            pair = rendered(*words)
            clean = pair.clean.copy()
            clean[::7, ::7] = np.maximum(clean[::7, ::7], by) - by
            return replace(pair, clean=clean)

        return again

    monkeypatch.setattr(checking, "render_again", elsewhere(1))
    assert main(["verify", str(out)]) == 0
    assert "alike but for rounding" in capsys.readouterr().out
    monkeypatch.setattr(checking, "render_again", elsewhere(60))
    assert main(["verify", str(out)]) == 1
    assert "clean renders differently now" in capsys.readouterr().err


def test_a_changed_identity_reaches_the_rows(tmp_path, photos, cache):
    folder, out = Path(shutil.copytree(photos, tmp_path / "photos")), tmp_path / "out"
    names = sorted(path.name for path in folder.glob("*.png"))
    for name in ("Ada", "Zoe New"):
        table = ["path,identity", *(f"{photo},{name}" for photo in names)]
        (folder / "manifest.csv").write_text("\n".join(table))
        assert build(folder, out, "--landmark-cache", cache) == 0
        assert {row["identity"] for row in ledger.rows(out)} == {name}
    assert main(["remove", str(out), "--id", "Zoe New"]) == 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_published_copy_stands_on_its_own(tmp_path, built, layout, capsys):
    out, copy, again = built(layout, "--pairs-per-photo", 2), tmp_path / "copy", tmp_path / "again"
    assert main(["push", str(out), str(copy)]) == 0
    assert list(ledger.rows(copy)) == list(ledger.rows(out))
    (copy / ".gitattributes").write_text("as the Hub writes it")
    capsys.readouterr()
    assert main(["verify", str(out), "--sample", "1"]) == 0
    assert capsys.readouterr().out.endswith(" 1 pairs rendered again, 0 skipped\n")
    assert main(["verify", str(copy)]) == 0
    assert " skipped (their photos are not here" in capsys.readouterr().out
    assert main(["stats", str(copy)]) == 0
    assert main(["preview", str(copy), "-o", str(tmp_path / "sheet.png"), "--count", "2"]) == 0
    assert main(["push", str(copy), str(again)]) == 0
    assert contents(again) == contents(out)


def test_rows_that_nothing_holds_any_more_are_one_clear_line(built, capsys):
    out = built()
    shutil.rmtree(out / ".faceshadow" / "rows")
    next(out.glob("data/train*")).unlink()
    assert main(["stats", str(out)]) == 1
    assert "rows of train-00000-of-00001 cannot be read" in capsys.readouterr().err
    built()
    assert verify(out).problems == []


def test_a_photo_that_failed_to_render_is_tried_again(built, photos, monkeypatch):
    names = [path.name for path in sorted(photos.glob("*.png"))]
    victim = next(name for name in names if split_of(name) == "train")
    made: list[str] = []

    def counted(job: ShardJob) -> shards.ShardResult:
        made.append(job.shard.name)
        return shards.build_shard(job)

    def failing(data: bytes, path: str) -> np.ndarray:
        if path.endswith(victim):
            raise PhotoError(f"{path}: cannot be decoded now")
        return decode(data, path)

    decode = shards.decode_picture
    monkeypatch.setattr(building, "build_shard", counted)
    with monkeypatch.context() as patch:
        patch.setattr(shards, "decode_picture", failing)
        out = built()
        (short,) = {name for name in made if name.startswith("train")}
        lacking = contents(out)
        assert victim not in {row["photo"] for row in ledger.rows(out)}
        made.clear()
        built()
        assert (made, contents(out)) == ([short], lacking)  # that shard alone, once
    made.clear()
    built()
    assert made == [short]
    assert victim in {row["photo"] for row in ledger.rows(out)}
    made.clear()
    built()
    assert made == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_somebody_keeps_beside_the_pairs_is_left_alone(built, layout):
    out = built(layout)
    own = [out / place for place in ("data/notes.txt", "data/.ipynb_checkpoints/a.txt")]
    own += [out / "train/shadow/.ipynb_checkpoints/b.txt", out / "train/shadow/notes.txt"]
    stale = [out / "data/val-00007-of-00009.parquet", out / "train/shadow/0.png"]
    for path in (*own, *stale):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    built(layout)
    assert all(path.read_text() == "mine" for path in own)
    assert not any(path.exists() for path in stale)
    assert verify(out).problems == []


def test_a_place_that_is_a_link_keeps_its_name(tmp_path, photos, cache):
    """Photos of several places are called after them."""
    link, out = tmp_path / "link", tmp_path / "out"
    link.symlink_to(photos)
    assert build(link, photos / "portrait000.png", out, "--landmark-cache", cache) == 0
    assert any(row["photo"].startswith("link/") for row in ledger.rows(out))
    found = verify(out, sample=99)
    assert found.problems == []
    assert (found.pairs, found.skipped) == (len(list(ledger.rows(out))), 0)


def test_contents_of_another_version_are_named_where_pairs_differ(built, monkeypatch):
    out = built()
    ledger.write_public(out, ledger.read_plan(out) | {"version": "0.9.0"})
    ledger.write_manifest(out)
    assert verify(out).problems == []
    monkeypatch.setattr(checking, "ROUNDING", -1.0)
    problem = verify(out, sample=1).problems[-1]
    assert problem == f"contents 0.9.0, these are {shards.VERSION} now: build it again"
