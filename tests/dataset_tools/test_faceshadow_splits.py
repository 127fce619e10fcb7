"""Splits: nobody moves when a dataset grows, is renamed, or two groups turn out to be one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_tools import ledger, removals
from dataset_tools.adoption import adopt
from dataset_tools.build import BuildPlan, find_photos
from dataset_tools.cli import main
from dataset_tools.facts import Facts
from dataset_tools.photos import Photo
from dataset_tools.publish import push
from dataset_tools.splits import (
    MEMORY,
    SPLITS,
    deal,
    groups,
    names_of,
    remembered,
    settle,
    split_of,
)
from dataset_tools.verify import Verification, _check_splits

PHOTO = Photo("a.png", path=Path(), licence="CC0")


def people(count: int, first: int = 0) -> tuple[list[Photo], dict[str, Facts]]:
    photos = [replace(PHOTO, key=f"k{i}") for i in range(first, first + count)]
    return photos, {p.key: Facts(p.key, f"sha of {p.key}", faces=1) for p in photos}


def named(split: str, stem: str) -> str:
    """The first of stem0, stem1, ... that is dealt to ``split``."""
    return next(f"{stem}{i}" for i in range(1000) if split_of(f"{stem}{i}") == split)


joins = st.lists(st.tuples(st.integers(0, 59), st.integers(60, 79)), max_size=30)


@settings(deadline=None, max_examples=100)
@given(joins=joins)
def test_newcomers_that_duplicate_somebody_move_nobody(tmp_path_factory, joins):
    out = tmp_path_factory.mktemp("out")
    photos, facts = people(60)
    before = settle(out, photos, groups(photos), facts)
    newcomers, more = people(20, first=60)
    clusters = list({b: [f"k{a}", f"k{b}"] for a, b in joins}.values())  # each joins one group
    photos, facts = [*photos, *newcomers], facts | more
    after = settle(out, photos, groups(photos, clusters), facts)
    assert {key: after[key] for key in before} == before
    assert all(after[a] == after[b] for a, b in clusters)


def test_a_split_left_empty_by_one_author_is_told(tmp_path, astronaut, write_variants, capsys):
    write_variants(tmp_path / "photos", astronaut, 4)
    names = [path.name for path in sorted((tmp_path / "photos").iterdir())]
    me = named("test", "author:me").removeprefix("author:")
    lines = ["path,licence,author", *(f"{name},CC0,{me}" for name in names)]
    (tmp_path / "photos" / "manifest.csv").write_text("\n".join(lines))
    words = [tmp_path / "photos", tmp_path / "out", "--size", 64, "--workers", 1]
    assert main(["build", *map(str, words), "--engine", "local", "--no-sheets"]) == 0
    assert "whoever shares a person or an author shares a split" in capsys.readouterr().err


def test_an_author_in_two_splits_is_noticed(tmp_path, monkeypatch):
    row = {"identity": "", "author": "me", "photo_sha256": ""}
    rows = [row | {"photo": s, "split": s} for s in ("train", "test")]
    monkeypatch.setattr(ledger, "rows", lambda _: rows)
    found = Verification()
    _check_splits(tmp_path, found)
    assert found.problems == ["me: in train and in test"]


def test_renamed_photos_stay(tmp_path):
    photos, facts = people(200)
    before = settle(tmp_path, photos, groups(photos), facts)
    again = [replace(photo, key=f"place/{photo.key}") for photo in photos]
    facts = {photo.key: facts[photo.key.removeprefix("place/")] for photo in again}
    after = settle(tmp_path, again, groups(again), facts)
    assert {f"place/{key}": split for key, split in before.items()} == after


@pytest.mark.parametrize(("one", "other", "wins"), [(0, 2, 2), (0, 1, 1), (1, 2, 2), (2, 2, 2)])
def test_who_was_held_out_is_never_trained_on(one, other, wins):
    a, b = named(SPLITS[one], "a"), named(SPLITS[other], "b")
    photos = [replace(PHOTO, key=key) for key in (a, b)]
    facts = {p.key: Facts(p.key, p.key, faces=1) for p in photos}
    names = {p.key: names_of(p, facts[p.key]) for p in photos}
    known = {names[a][0]: SPLITS[one], names[b][0]: SPLITS[other]}
    for order in (photos, photos[::-1]):
        group = groups(order, [[a, b]])
        assert deal(group, names, known) == {a: SPLITS[wins], b: SPLITS[wins]}


def test_bytes_without_a_face_tie_nobody_together(tmp_path):
    """A placeholder, or an empty file, stands for many people."""
    held, trained = named("test", "held"), named("train", "trained")
    photos = [
        replace(PHOTO, key=key, identity=who)
        for key, who in (("a", held), ("b", trained), ("blank b", trained), ("blank a", held))
    ]
    facts = {p.key: Facts(p.key, p.key[:5], faces=int(len(p.key) == 1)) for p in photos}
    first = settle(tmp_path, photos, groups(photos), facts)
    assert first == settle(tmp_path, photos, groups(photos), facts)
    assert (first["a"], first["b"]) == ("test", "train")


def build(out: Path, *places: Path) -> dict[str, str]:
    """SHA-256 of each photo -> split."""
    words = [*map(str, places), str(out), "--licence", "CC0", "--size", "64", "--no-sheets"]
    assert main(["build", *words, "--engine", "local", "--workers", "1"]) == 0
    return {row["photo_sha256"]: row["split"] for row in ledger.rows(out)}


@pytest.fixture(scope="module")
def places(tmp_path_factory, astronaut, write_variants) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("places")
    write_variants(folder / "all", astronaut, 12)
    for name, half in (("first", range(0, 12, 2)), ("second", range(1, 12, 2))):
        (folder / name).mkdir()
        for index in half:
            shutil.copy(folder / "all" / f"portrait{index:03d}.png", folder / name)
    return folder / "first", folder / "second"


@pytest.mark.parametrize("memory", [True, False])
def test_a_second_place_moves_nobody(tmp_path, places, memory):
    """Without the memory, as in datasets of before, the rows tell."""
    out = tmp_path / "out"
    build(out, places[0])
    swap(out)
    if not memory:
        (out / MEMORY).unlink()
    before = {row["photo_sha256"]: row["split"] for row in ledger.rows(out)}
    after = build(out, *places)
    assert len(after) > len(before)
    assert {name: after[name] for name in before} == before


def swap(out: Path) -> None:
    """Make the test split what was train, so that no hash can restore it by luck."""

    def other(text: str) -> str:
        return text.replace("train", "TEST").replace("test", "train").replace("TEST", "test")

    for path in [out / MEMORY, out / ledger.PUBLIC]:
        path.write_text(other(path.read_text()))
    for path in sorted((out / ".faceshadow/rows").iterdir()):
        path.rename(path.with_name(f"{other(path.name)}.new"))
    for path in sorted((out / ".faceshadow/rows").iterdir()):
        path.rename(path.with_suffix(""))


def test_an_archive_keeps_the_splits_of_a_dataset(tmp_path, places, capsys):
    out, archive = tmp_path / "out", tmp_path / "layers.npz"
    build(out, places[0])
    memory = json.loads((out / MEMORY).read_text())
    (out / MEMORY).write_text(json.dumps(dict.fromkeys(memory, "test")))
    words = ["pack", str(places[0]), str(archive), "--licence", "CC0", "--size", "64"]
    words += ["--shadows", "1", "--engine", "local", "--workers", "1"]
    assert main([*words, "--splits", str(out)]) == 1
    assert "every photo was dealt to val or test" in capsys.readouterr().err
    assert main([*words, "--splits", str(tmp_path)]) == 1
    assert "give a folder that faceshadow build wrote" in capsys.readouterr().err


def test_a_published_copy_tells_its_splits(tmp_path, places):
    out, copy = tmp_path / "out", tmp_path / "copy"
    build(out, places[0])
    push(out, str(copy))
    adopt(tmp_path / "state", copy)
    assert remembered(tmp_path / "state") == remembered(out)


def test_splits_are_not_changed_under_whoever_packs(tmp_path, places):
    out, state = tmp_path / "out", tmp_path / "layers.state"
    build(out, places[0])
    with ledger.locked(state), pytest.raises(ledger.DatasetError, match="another command"):
        adopt(state, out)
    assert not remembered(state)
    adopt(state, out)
    assert remembered(state) == remembered(out)


@pytest.mark.parametrize("published", [False, True])
def test_who_was_removed_from_a_dataset_stays_out_of_its_archives(tmp_path, places, published):
    out, copy, state = tmp_path / "out", tmp_path / "copy", tmp_path / "layers.state"
    build(out, places[0])
    gone = ["portrait002.png", "portrait004.png"]
    removals.add(state, gone[:1])  # keeps what it knew
    assert main(["remove", str(out), "--id", gone[1]]) == 0
    push(out, str(copy))
    adopt(state, copy if published else out)
    found = [photo.key for photo in find_photos(BuildPlan((str(places[0]),), state))]
    assert found == [f"portrait{k:03d}.png" for k in (0, 6, 8, 10)]
