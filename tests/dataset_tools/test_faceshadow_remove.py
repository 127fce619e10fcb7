"""Removing people for good: whatever the format, from copies too, and however their photo is called
when it comes back."""

from __future__ import annotations

import csv
import shutil
import unicodedata
from pathlib import Path

import pytest
from builds import build
from PIL import Image

from dataset_tools import ledger, removals, remove
from dataset_tools.cli import main
from dataset_tools.report import statistics
from dataset_tools.survey import cached_facts
from dataset_tools.traces import curation_lines, names_of
from dataset_tools.verify import verify


@pytest.fixture(scope="module")
def portraits(tmp_path_factory, astronaut, write_variants) -> Path:
    folder = tmp_path_factory.mktemp("portraits")
    write_variants(folder, astronaut, 8)
    return folder


@pytest.fixture
def photos(tmp_path, portraits) -> Path:
    return Path(shutil.copytree(portraits, tmp_path / "photos"))


def removed(out: Path, name: str) -> int:
    return main(["remove", str(out), "--id", name])


def photos_in(out: Path) -> set[str]:
    return {row["photo"] for row in ledger.rows(out)}


def mentions(out: Path, text: str) -> list[Path]:
    files = [path for path in out.rglob("*") if path.is_file()]
    return [path for path in files if text in path.name or text.encode() in path.read_bytes()]


def looked_at(cache: Path) -> set[str]:
    """Keys in the landmark caches of a folder, whose files are compressed."""
    return {fact.key for fact in cached_facts(cache)}


def name_people(folder: Path, names: dict[str, str], asymmetry: int = 0) -> None:
    """A manifest of the folder; ``names`` gives the identity, and the asymmetry, of some photos."""
    cells = [(name, names[name], asymmetry) for name in sorted(names)]
    cells += [(p.name, "", 0) for p in sorted(folder.glob("*.png")) if p.name not in names]
    with (folder / "manifest.csv").open("w", newline="") as lines:
        csv.writer(lines).writerows([("path", "identity", "cheek_asym_L"), *cells])


def test_a_person_is_one_however_the_name_is_spaced_and_encoded(tmp_path, photos, cache):
    out = tmp_path / "out"
    names = ["José  Ñu", " José Ñu ", unicodedata.normalize("NFD", "José Ñu")]
    files = [p.name for p in sorted(photos.glob("*.png"))[:3]]
    name_people(photos, dict(zip(files, names, strict=True)))
    assert build(photos, out, "--landmark-cache", cache) == 0
    theirs = {row["split"] for row in ledger.rows(out) if row["photo"] in files}
    assert len(theirs) == 1
    assert removed(out, names[2]) == 0
    assert not photos_in(out) & set(files)
    assert mentions(out, "Jos") == []


def test_the_report_counts_who_is_left(tmp_path, photos, cache):
    out = tmp_path / "out"
    assert build(photos, out, "--landmark-cache", cache) == 0
    assert removed(out, sorted(photos_in(out))[0]) == 0
    left = statistics(out).markdown()
    report = (out / "report" / "report.md").read_text()
    assert report.endswith(left)
    assert f"| kept | {len(photos_in(out))} |" in report


@pytest.mark.parametrize("layout", ["parquet", "imagefolder", "webdataset"])
def test_the_last_person_of_a_split_leaves_nothing_behind(tmp_path, photos, cache, layout):
    out, copy = tmp_path / "out", tmp_path / "copy"
    assert build(photos, out, "--format", layout, "--landmark-cache", cache) == 0
    assert main(["push", str(out), str(copy)]) == 0
    held_out = [row for row in ledger.rows(out) if row["split"] != "train"]
    assert held_out
    for row in held_out:
        assert removed(out, row["photo"]) == 0
    assert verify(out).problems == []
    assert main(["push", str(out), str(copy)]) == 0
    for row in held_out:
        assert mentions(out, row["photo"]) == mentions(out, row["id"]) == []
        assert mentions(copy, row["photo"]) == mentions(copy, row["id"]) == []
    assert not [path for path in copy.glob("data/*") if not path.name.startswith("train")]
    assert verify(copy).problems == []
    assert photos_in(copy) == photos_in(out)


def test_a_removed_photo_does_not_come_back_under_another_name(tmp_path, photos, cache):
    out, other = tmp_path / "out", tmp_path / "other"
    assert build(photos, out, "--landmark-cache", cache) == 0
    assert removed(out, "portrait003.png") == 0
    digest = removals.photo_digest(photos / "portrait003.png")
    (photos / "portrait003.png").rename(photos / "zoe.png")
    shutil.copytree(photos, other)
    (other / "manifest.csv").unlink(missing_ok=True)
    assert build(photos, out, "--landmark-cache", cache) == 0
    assert "zoe.png" not in photos_in(out)
    assert build(photos, other, out, "--landmark-cache", cache) == 0  # keys name the folder now
    assert digest not in {row["photo_sha256"] for row in ledger.rows(out)}


def test_copies_of_a_removed_photograph_go_with_it(tmp_path, photos, cache):
    with Image.open(photos / "portrait002.png") as picture:
        picture.save(photos / "saved again.png", compress_level=1)
        picture.save(photos / "saved again.jpg", quality=97)
        picture.transpose(Image.Transpose.ROTATE_90).save(photos / "saved again, turned.png")
    out = tmp_path / "out"
    assert build(photos, out, "--landmark-cache", cache) == 0
    assert "portrait002.png" in photos_in(out)
    assert removed(out, "portrait002.png") == 0
    assert mentions(out, "saved again") == []
    assert build(photos, out, "--landmark-cache", cache) == 0
    copies = {"saved again.png", "saved again.jpg", "saved again, turned.png"}
    assert not {"portrait002.png", *copies} & photos_in(out)


@pytest.mark.parametrize("name", ["portrait005.png", "Zoe"])
@pytest.mark.parametrize("known_by", ["report", "source"])
def test_people_who_were_dropped_can_be_removed(tmp_path, photos, name, known_by):
    cache, out = tmp_path / "cache", tmp_path / "out"
    name_people(photos, {"portrait005.png": "Zoe"}, asymmetry=40)
    assert build(photos, out, "--landmark-cache", cache) == 0
    assert "portrait005.png" not in photos_in(out)
    assert mentions(cache, "portrait005.png")
    if known_by == "report":
        photos = photos.rename(tmp_path / "elsewhere")
    else:
        (out / "report" / "curation.csv").unlink()
    assert removed(out, name) == 0
    assert mentions(out, "portrait005.png") == mentions(out, "Zoe") == []
    assert mentions(cache, "portrait005.png") == []
    name_people(photos, {})
    assert build(photos, out, "--landmark-cache", cache) == 0
    assert "portrait005.png" not in photos_in(out)


@pytest.mark.parametrize("layout", ["parquet", "imagefolder"])
@pytest.mark.parametrize("step", ["write_public", "write_lines", "forget", "write_card"])
def test_a_killed_remove_is_finished_by_the_same_command(
    tmp_path, photos, cache, monkeypatch, layout, step
):
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    out = tmp_path / "out"
    name_people(photos, {f"portrait00{k}.png": "Zoe" for k in (1, 4)})
    assert build(photos, out, "--format", layout, "--landmark-cache", cache) == 0
    before = photos_in(out)
    place = {"write_public": ledger, "write_card": remove.card}.get(step, remove)
    with monkeypatch.context() as patch:
        patch.setattr(place, step, killed)
        with pytest.raises(Killed):
            removed(out, "Zoe")
    assert (out / removals.FILE).is_file()
    photos.rename(tmp_path / "elsewhere")
    assert removed(out, "Zoe") == 0
    assert verify(out).problems == []
    assert photos_in(out) == before - {"portrait001.png", "portrait004.png"}
    assert mentions(out, "Zoe") == mentions(out, "portrait001.png") == []
    assert removed(out, "Zoe") == 0  # once more does no harm
    assert removed(out, "nobody") == 1


@pytest.mark.parametrize("layout", ["parquet", "imagefolder", "webdataset"])
def test_people_are_removed_from_a_published_copy(tmp_path, photos, cache, layout, monkeypatch):
    out, copy = tmp_path / "out", tmp_path / "copy"
    monkeypatch.setattr("dataset_tools.shards.PHOTOS_PER_SHARD", 2)
    assert build(photos, out, "--format", layout, "--landmark-cache", cache) == 0
    assert main(["push", str(out), str(copy)]) == 0
    for name in ("portrait000.png", "portrait006.png"):
        assert removed(copy, name) == 0
        assert mentions(copy, name) == []
    assert verify(copy).problems == []
    assert photos_in(copy) == photos_in(out) - {"portrait000.png", "portrait006.png"}
    ids = [row["id"] for row in ledger.rows(copy)]
    assert len(ids) == len(set(ids)) == len(photos_in(copy))
    assert main(["push", str(out), str(copy)]) == 1  # would bring them back
    for name in ("portrait000.png", "portrait006.png"):
        assert removed(out, name) == 0
    assert main(["push", str(out), str(copy)]) == 0
    assert verify(copy).problems == []


def test_pictures_fetched_from_the_hub_are_deleted(tmp_path, portraits):
    from datasets import Dataset, Features, Value
    from datasets import Image as Picture

    names = sorted(map(str, portraits.glob("*.png")))[:3]
    rows = {"face": names, "licence": ["CC0"] * 3, "identity": ["a", "Zoe", "c"]}
    kinds = {"face": Picture(), "licence": Value("string"), "identity": Value("string")}
    (tmp_path / "data").mkdir()
    source = Dataset.from_dict(rows, features=Features(kinds))
    source.to_parquet(str(tmp_path / "data/train.parquet"))
    out = tmp_path / "out"
    assert build(f"hub:{tmp_path / 'data'}", out) == 0
    pictures = set(out.rglob("*.img"))
    assert removed(out, "Zoe") == 0
    assert len(pictures - set(out.rglob("*.img"))) == 1
    assert mentions(out, "Zoe") == []
    assert build(f"hub:{tmp_path / 'data'}", out) == 0
    assert {row["identity"] for row in ledger.rows(out)} == {"a", "c"}


@pytest.mark.parametrize("step", ["unlink", "write_atomically"])
def test_a_killed_remove_leaves_no_picture_of_the_hub(tmp_path, monkeypatch, step):
    """Which nothing tells apart from others once the manifest does not name it."""

    class Killed(BaseException):
        pass

    unlink = Path.unlink

    def killed(path: Path, *more: object, **options: object) -> None:
        if path.suffix == ".img" or path.name == "manifest.csv":
            raise Killed
        unlink(path, *more, **options)

    folder = tmp_path / ".faceshadow" / "hub" / "some"
    folder.mkdir(parents=True)
    (folder / "manifest.csv").write_text("path,identity\n0.img,Ann\n1.img,Zoe\n")
    for number in range(2):
        (folder / f"{number}.img").write_bytes(b"%d" % number)
    gone = removals.add(tmp_path, ["Zoe"])
    with monkeypatch.context() as patch:
        patch.setattr(
            *((Path, "unlink") if step == "unlink" else (remove, "write_atomically")), killed
        )
        with pytest.raises(Killed):
            remove._clean_hub(folder / "manifest.csv", gone)
    remove._clean_hub(folder / "manifest.csv", gone)
    assert [path.name for path in sorted(folder.iterdir())] == ["0.img", "manifest.csv"]
    assert (folder / "manifest.csv").read_text() == "path,identity\n0.img,Ann\n"


def test_building_after_everybody_was_removed_is_one_clear_line(tmp_path, photos, cache, capsys):
    out = tmp_path / "out"
    name_people(photos, {path.name: "Zoe" for path in photos.glob("*.png")})
    assert build(photos, out, "--landmark-cache", cache) == 0
    assert removed(out, "Zoe") == 0
    assert verify(out).problems == []
    capsys.readouterr()
    assert build(photos, out, "--landmark-cache", cache) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"faceshadow: {out}: every photo given was removed")
    assert main(["preview", str(out), "-o", str(tmp_path / "sheet.png")]) == 1
    assert f"faceshadow: {out}: holds no pairs" in capsys.readouterr().err
    with (out / "report" / "curation.csv").open(newline="") as lines:
        assert len(list(csv.reader(lines))) == 1


TABLE = "photo,status,identity,sha256\r\nZo\xeb.png,dropped,Zo\xeb,1f\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_curation_table_may_have_been_saved_by_a_spreadsheet(tmp_path, encoding):
    table = ledger.curation_table(tmp_path)
    table.parent.mkdir()
    table.write_bytes(TABLE.encode(encoding))
    found = {"photo": "Zo\xeb.png", "status": "dropped", "identity": "Zo\xeb", "sha256": "1f"}
    assert curation_lines(tmp_path) == [found]


@pytest.mark.parametrize("content", [TABLE.replace(",", ";").encode(), TABLE.encode("cp1252"), b""])
def test_a_curation_table_that_tells_nothing_stops_a_removal(tmp_path, content):
    table = ledger.curation_table(tmp_path)
    table.parent.mkdir()
    table.write_bytes(content)
    with pytest.raises(ledger.DatasetError) as caught:  # one that passed it over would leave people
        curation_lines(tmp_path)
    assert str(caught.value).startswith(f"{table}: another program changed it (")
    assert str(caught.value).endswith("); build the dataset again, which writes it anew")


@pytest.mark.parametrize("name", ["", "  "])
def test_a_blank_name_removes_nobody(tmp_path, photos, cache, capsys, name):
    out = tmp_path / "out"
    name_people(photos, {"portrait001.png": name})
    assert build(photos, out, "--landmark-cache", cache) == 0
    before = photos_in(out)
    assert names_of(out, name) == set()  # though nobody's identity is known
    assert removed(out, name) == 1
    assert "nobody named; give an identity, a photo or a pair id" in capsys.readouterr().err
    assert photos_in(out) == before
    assert not (out / removals.FILE).exists()


def test_unknown_is_nobodys_name(tmp_path, photos, cache, capsys):
    out = tmp_path / "out"
    name_people(photos, {path.name: "Unknown" for path in photos.glob("*.png")})
    assert build(photos, out, "--landmark-cache", cache) == 0
    before = photos_in(out)
    for name in ("Unknown", "unknown"):
        assert removed(out, name) == 1
        assert f"nothing here is called {name!r}" in capsys.readouterr().err
    assert photos_in(out) == before
    assert {row["identity"] for row in ledger.rows(out)} == {""}


def test_an_unknown_name_is_told_where_names_are(tmp_path, photos, cache, capsys):
    out, copy = tmp_path / "out", tmp_path / "copy"
    assert build(photos, out, "--landmark-cache", cache) == 0
    assert main(["push", str(out), str(copy)]) == 0
    for folder, place in ((out, out / "report/curation.csv"), (copy, "its rows")):
        assert removed(folder, "nobody") == 1
        assert f"see columns 'photo' and 'identity' of {place}" in capsys.readouterr().err
    assert {"photo", "identity"} <= set(next(ledger.rows(copy)))
    with (out / "report/curation.csv").open(newline="") as lines:
        assert {"photo", "identity"} <= set(next(csv.reader(lines)))


def test_the_state_of_an_archive_forgets_whom_the_next_one_leaves_out(tmp_path, photos, cache):
    out, archive = tmp_path / "out", tmp_path / "layers.npz"
    name_people(photos, {f"portrait00{k}.png": "Zoe" for k in (1, 4)})
    landmarks = tmp_path / "layers.state" / ".faceshadow" / "landmarks"
    assert build(photos, out, "--landmark-cache", cache) == 0
    words = ["pack", photos, archive, "--size", 64, "--shadows", 1, "--licence", "CC0"]
    words += ["--engine", "local", "--workers", 1]
    assert main([*map(str, words)]) == 0
    assert removed(out, "Zoe") == 0
    assert {"portrait001.png", "portrait004.png"} < looked_at(landmarks)
    assert main([*map(str, words), "--splits", str(out)]) == 0
    left = {path.name for path in photos.glob("*.png")} - {"portrait001.png", "portrait004.png"}
    assert looked_at(landmarks) == left
    assert mentions(tmp_path / "layers.state", "Zoe") == []


def test_a_place_that_is_called_after_the_person_is_not_remembered(tmp_path, photos, cache):
    places = [tmp_path / "ann", tmp_path / "zoe", photos / "portrait005.png", photos]
    for number, place in enumerate(places[:2]):
        place.mkdir()
        (photos / f"portrait00{number}.png").rename(place / "a.png")
    out = tmp_path / "out"
    assert build(*places[:3], out, "--landmark-cache", cache) == 0
    assert mentions(out / ".faceshadow", "zoe")
    assert removed(out, "zoe/a.png") == removed(out, "portrait005/portrait005.png") == 0
    assert mentions(out, "zoe") == mentions(out, "portrait005") == []
    found = verify(out, sample=9)
    assert (found.problems, found.pairs, found.skipped) == ([], 1, 0)  # ann, called as before
    assert removed(out, "ann/a.png") == 0
    assert mentions(out, "ann/") == []


def test_what_is_kept_of_the_removed_is_said(tmp_path, photos, cache, capsys):
    out = tmp_path / "out"
    assert build(photos, out, "--landmark-cache", cache) == 0
    capsys.readouterr()
    assert removed(out, "portrait001.png") == 0
    said = capsys.readouterr().out
    assert said.startswith("1 pair removed; ")
    assert f"{out / 'removed.txt'} keeps hashes of names and files" in said
    with pytest.raises(SystemExit):
        main(["remove", "--help"])
    assert "removed.txt keeps hashes" in " ".join(capsys.readouterr().out.split())
