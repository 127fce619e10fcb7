"""Publishing to a folder and to the Hub: nothing old stays behind, nothing of others is touched,
and faces go nowhere that was not meant."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest
from builds import contents

from dataset_tools import ledger, publish, removals
from dataset_tools.cli import main
from dataset_tools.hub import uploading
from dataset_tools.verify import verify

LAYOUTS = ["parquet", "imagefolder", "webdataset"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_publishing_again_deletes_old_shards_and_nothing_else(tmp_path, built, layout):
    out, copy = built(layout, "--pairs-per-photo", 2), tmp_path / "copy"
    assert main(["push", str(out), str(copy)]) == 0
    kept = [copy / name for name in (".git/config", "notes.txt", "data/notes.txt", "train/my.png")]
    stale = [copy / name for name in ("data/val-00007-of-00009.parquet", "val/metadata.jsonl")]
    for path in (*kept, *stale):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old")
    expected = contents(built(layout, "--pairs-per-photo", 1))
    if "val/metadata.jsonl" in expected:
        stale.pop()
    assert main(["push", str(out), str(copy)]) == 0
    assert all(path.is_file() for path in kept)
    assert not any(path.exists() for path in stale)
    for path in kept:
        path.unlink()
    assert contents(copy) == expected
    assert main(["push", str(out), str(out)]) == 1


def test_other_peoples_folders_are_not_published_to(tmp_path, built, capsys):
    out, album, clone = built(), tmp_path / "album", tmp_path / "clone"
    for path in (album / "README.md", album / "sub/face.jpg", clone / ".git/config"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    capsys.readouterr()
    assert main(["push", str(out), str(album)]) == 1
    assert f"{album}: not empty and not a FaceShadow" in capsys.readouterr().err
    assert {p.name for p in album.rglob("*")} == {"README.md", "sub", "face.jpg"}
    assert (album / "README.md").read_text() == "mine"
    assert main(["push", str(out), str(album / "README.md")]) == 1
    assert main(["push", str(out), str(clone)]) == 0  # of an empty repository
    assert contents(clone) == contents(out)


def test_a_dataset_that_was_built_is_not_overwritten_by_another(built, capsys):
    out, other = built(), built("imagefolder")
    before = {path: path.read_bytes() for path in other.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(["push", str(out), str(other)]) == 1
    assert f"{other}: was built there and is no copy; give another" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in other.rglob("*") if path.is_file()} == before


@pytest.fixture
def hub(monkeypatch) -> dict:
    """What is sent to the Hub, whose copy lists under "removed" whom it has removed."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import EntryNotFoundError

    sent: dict = {}

    def download(_: object, name: str, file: str, **__: object) -> str:
        assert (name, file) == ("owner/name", removals.FILE)
        if "removed" not in sent:
            raise EntryNotFoundError(file)
        return str(sent["removed"])

    monkeypatch.setattr(HfApi, "hf_hub_download", download)
    monkeypatch.setattr(
        HfApi, "create_repo", lambda _, name, **how: sent.update(created=name, how=how)
    )
    monkeypatch.setattr(HfApi, "upload_folder", lambda _, **options: sent.update(options))
    return sent


@pytest.mark.parametrize("where", ["owner/name", "hub:owner/name"])
def test_an_upload_deletes_old_shards_on_the_hub(built, hub, where):
    from huggingface_hub.utils import filter_repo_objects

    out = built()
    ledger.write_public(out, ledger.read_plan(out) | {"version": "0.9.0"})
    ledger.write_manifest(out)
    assert main(["push", str(out), where]) == 0
    assert hub["repo_id"] == hub["created"] == "owner/name"
    assert hub["how"] == {"repo_type": "dataset", "private": True, "exist_ok": True}
    assert hub["commit_message"] == "FaceShadow 0.9.0"  # what is uploaded, not what uploads it
    ours = ["data/train-00000-of-00002.parquet", "data/val-00001-of-00002.tar"]
    ours += ["test/metadata.jsonl", "val/shadow/479230880ab0-000.png"]
    theirs = ["notes.txt", ".gitattributes", "data/notes.txt", "figures/train.png", "README.md"]
    deleted = filter_repo_objects([*ours, *theirs], allow_patterns=hub["delete_patterns"])
    assert list(deleted) == ours
    files = [path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()]
    uploaded = set(filter_repo_objects(files, ignore_patterns=hub["ignore_patterns"]))
    assert uploaded == {*contents(out), ledger.MANIFEST}


def test_faces_are_public_only_where_that_was_asked_for(built, hub):
    assert main(["push", str(built()), "owner/name", "--public"]) == 0
    assert hub["how"]["private"] is False


@pytest.mark.parametrize(
    ("where", "said"),
    [("out/", "for a folder write ./out/"), ("owner/name", "not uploaded (no network); check")],
)
def test_a_push_that_fails_is_one_clear_line(built, monkeypatch, capsys, where, said):
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    client = next(base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception))

    def unreachable(*_, **__):
        raise client("no\nnetwork")

    monkeypatch.setattr(HfApi, "hf_hub_download", unreachable)
    out = built()
    capsys.readouterr()
    assert main(["push", str(out), where]) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"faceshadow: {where}: ")
    assert said in error
    assert len(error.splitlines()) == 1


def answer(status: int) -> Exception:
    """The client's error for what the Hub answers."""
    from huggingface_hub.errors import HfHubHTTPError

    error = HfHubHTTPError.__new__(HfHubHTTPError)
    error.args, error.response = (f"status {status}",), SimpleNamespace(status_code=status)
    return error


def a_file_did_not_arrive() -> Exception:
    error = RuntimeError("Error while uploading 'data/train.parquet' to the Hub.")
    error.__cause__ = answer(503)
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (answer(401), "the Hub refused (status 401); run hf auth login"),
        (answer(503), "not uploaded (status 503); check the network and run the same command"),
        (a_file_did_not_arrive(), "not uploaded (status 503); check the network and run"),
    ],
)
def test_an_upload_that_breaks_off_is_one_line_that_says_what_helps(error, said):
    with pytest.raises(publish.PublishError) as caught, uploading("a/b", publish.PublishError):
        raise error
    assert str(caught.value).startswith(f"a/b: {said}")


def test_whom_the_copy_on_the_hub_has_removed_stays_out(tmp_path, built, hub, capsys):
    out = built()
    names = [row["photo"] for row in ledger.rows(out, "train")][:2]
    for name in names:
        assert main(["remove", str(out), "--id", name]) == 0
    there = tmp_path / "removed.txt"
    there.write_bytes((out / removals.FILE).read_bytes())
    hub["removed"] = there
    assert main(["push", str(out), "owner/name"]) == 0
    there.write_text(f"{there.read_text()}{removals.tombstone('Zoe')}\n")
    hub.pop("created")
    capsys.readouterr()
    assert main(["push", str(out), "owner/name"]) == 1
    assert "owner/name: somebody was removed there; remove them from" in capsys.readouterr().err
    assert "created" not in hub


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("published", "not owner/name; for a folder write ./published"),
        ("a/b/c", "not owner/name; for a folder write ./a/b/c"),
        ("hub:x/y/z", "not owner/name; for a folder write ./x/y/z"),
        ("out/", "not owner/name"),
        ("out/published", "write ./out/published for the folder, hub:out/published for the Hub"),
        ("out/new", "write ./out/new for the folder, hub:out/new for the Hub"),
    ],
)
def test_what_may_be_meant_for_a_folder_is_not_uploaded(
    tmp_path, built, hub, monkeypatch, capsys, where, said
):
    out = built()
    (tmp_path / "out" / "published").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert main(["push", str(out), where]) == 1
    assert said in capsys.readouterr().err
    assert hub == {}
    assert not list((tmp_path / "out" / "published").iterdir())


def test_a_dataset_without_pairs_is_not_published(tmp_path, built, hub, capsys):
    out = built()
    for row in list(ledger.rows(out)):
        assert main(["remove", str(out), "--id", row["photo"]]) == 0
    capsys.readouterr()
    for where in ("owner/name", str(tmp_path / "copy")):
        assert main(["push", str(out), where]) == 1
        assert f"{out}: holds no pairs; delete what was published" in capsys.readouterr().err
    assert hub == {}
    assert not (tmp_path / "copy").exists()


def test_what_somebody_wrote_below_the_card_stays_and_is_no_damage(tmp_path, built):
    out, copy = built(), tmp_path / "copy"
    card = out / ledger.CARD
    generated = card.read_text()
    assert generated.endswith(f"{ledger.OWN}\n")
    card.write_text(generated + "## Thanks\n\nTo Ada.\n")
    assert verify(out, sample=0).problems == []
    assert main(["push", str(out), str(copy)]) == 0
    assert (copy / ledger.CARD).read_text() == card.read_text()
    built("parquet", "--seed", 3)
    again, line, own = card.read_text().partition(f"{ledger.OWN}\n")
    assert ("seed 3" in again, line, own) == (True, f"{ledger.OWN}\n", "## Thanks\n\nTo Ada.\n")
    assert verify(out, sample=0).problems == []
    card.write_text(card.read_text().replace("# FaceShadow", "# Mine"))
    assert verify(out, sample=0).problems == ["README.md: changed since it was built"]


def test_nothing_is_removed_while_it_is_published(tmp_path, built, monkeypatch, capsys):
    """Else whoever is removed then lies in the copy, of which nobody is told."""
    out, copy = built(), tmp_path / "copy"
    photo, real = next(ledger.rows(out))["photo"], publish.replacing
    tried: list[int] = []

    def copied(path):
        if path.suffix == ".parquet" and not tried:
            tried.append(main(["remove", str(out), "--id", photo]))
        return real(path)

    monkeypatch.setattr(publish, "replacing", copied)
    capsys.readouterr()
    assert main(["push", str(out), str(copy)]) == 0
    assert tried == [1]
    assert "another command is at work here; wait for it" in capsys.readouterr().err
    assert verify(copy, sample=0).problems == []
    assert main(["remove", str(out), "--id", photo]) == 0


def test_what_a_killed_push_left_in_the_copy_is_removed(tmp_path, built):
    out, copy = built(), tmp_path / "copy"
    old, young = (copy / "data" / f".{k * 12}.part" for k in "0f")
    assert main(["push", str(out), str(copy)]) == 0
    for path, hours in ((old, 25), (young, 1)):
        path.touch()
        os.utime(path, (time.time() - 3600 * hours,) * 2)
    assert main(["push", str(out), str(copy)]) == 0
    assert (old.exists(), young.exists()) == (False, True)
