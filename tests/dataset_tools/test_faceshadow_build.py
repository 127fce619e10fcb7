"""Whole builds: formats read back, resume, engines, bad input, verify, remove, push."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dataset_tools import ledger
from dataset_tools.cli import RUNNERS, main
from dataset_tools.preview import preview
from dataset_tools.rows import FIELDS
from dataset_tools.verify import verify
from learnir.writing import PARTS

LICENCE = "public domain (NASA)"


@pytest.fixture(scope="module")
def portraits(tmp_path_factory, astronaut, write_variants) -> Path:
    folder = tmp_path_factory.mktemp("portraits")
    write_variants(folder, astronaut, 40)
    return folder


def faceshadow(photos: Path, out: Path, *more: object) -> int:
    words = [photos, out, "--licence", LICENCE, "--size", 64, "--workers", 1, "--engine", "local"]
    words += ["--no-sheets", *more]
    return main(["build", *map(str, words)])


def manifest(out: Path) -> str:
    return (out / ledger.MANIFEST).read_text()


@pytest.mark.parametrize("layout", ["parquet", "imagefolder", "webdataset"])
def test_every_format_is_read_by_the_datasets_library(tmp_path, portraits, cache, layout):
    from datasets import load_dataset

    out = tmp_path / "out"
    more = ("--pairs-per-photo", 2, "--format", layout, "--landmark-cache", cache)
    assert faceshadow(portraits, out, *more) == 0
    loaded = load_dataset(str(out), cache_dir=str(tmp_path / "hf"))
    rows = {row["id"]: row for row in ledger.rows(out)}
    assert sum(part.num_rows for part in loaded.values()) == len(rows) > 40
    for split, part in loaded.items():
        row = part[0]
        suffix = ".png" if layout == "webdataset" else ""
        assert row["shadow" + suffix].size == row["clean" + suffix].size == (64, 64)
        assert row["mask" + suffix].mode == "L"
        fields = row["json"] if layout == "webdataset" else row
        known = rows[fields["id"]]
        assert known["split"] == split
        assert json.loads(fields["parameters"])["kind"] == known["kind"] == fields["kind"]
    found = verify(out, sample=3)
    assert (found.problems, found.pairs, found.skipped) == ([], 3, 0)


def test_engines_give_identical_bytes(tmp_path, portraits, cache):
    assert faceshadow(portraits, tmp_path / "local", "--landmark-cache", cache) == 0
    assert faceshadow(portraits, tmp_path / "daft", "--engine", "daft", "--workers", 2) == 0
    assert manifest(tmp_path / "local") == manifest(tmp_path / "daft")


def test_ray_gives_identical_bytes(tmp_path, portraits, cache):
    pytest.importorskip("ray", reason="Ray is not installed")
    assert faceshadow(portraits, tmp_path / "local", "--landmark-cache", cache) == 0
    assert faceshadow(portraits, tmp_path / "ray", "--engine", "ray") == 0
    assert manifest(tmp_path / "local") == manifest(tmp_path / "ray")


def test_a_killed_build_ends_in_the_identical_dataset(tmp_path, portraits, cache):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    more = ("--pairs-per-photo", 2, "--landmark-cache", cache)
    assert faceshadow(portraits, whole, *more) == 0
    words = [sys.executable, "-m", "dataset_tools.cli", "build", portraits, killed, "--size", 64]
    words += ["--licence", LICENCE, "--workers", 1, "--engine", "local", "--no-sheets", *more]
    run = subprocess.Popen(list(map(str, words)), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(killed.glob(".faceshadow/done/*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    done = {path: path.stat().st_mtime_ns for path in killed.glob(".faceshadow/done/*.json")}
    assert done
    assert faceshadow(portraits, killed, *more) == 0
    assert manifest(killed) == manifest(whole)
    assert all(path.stat().st_mtime_ns == when for path, when in done.items())
    assert not list(killed.rglob(PARTS))


def test_bad_photos_are_dropped_with_a_reason_and_nothing_is_lost(
    tmp_path, portraits, astronaut, capsys
):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    good = Image.open(portraits / "portrait000.png")
    good.save(folder / "größe 图.png")
    good.save(folder / "sub" / "größe 图.png")  # the same name in another folder, the same photo
    Image.open(portraits / "portrait009.png").save(folder / "sub" / "portrait.png")
    Image.fromarray(astronaut).convert("L").save(folder / "grey.jpg")
    Image.fromarray(astronaut).convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / "noface.png")
    crowd = np.hstack([cv2.resize(astronaut[:260, 80:380], (256, 220))] * 3)
    Image.fromarray(np.vstack([crowd, crowd])).save(folder / "crowd.png")
    Image.fromarray(astronaut).resize((7300, 5500)).save(folder / "large.jpg", quality=80)
    (folder / "broken.jpg").write_bytes((folder / "cmyk.jpg").read_bytes()[:900])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("not a picture")
    (folder / "loop").symlink_to(folder)
    (folder / "dangling.png").symlink_to(folder / "dangling.png")
    out = tmp_path / "out"
    assert faceshadow(folder, out) == 0
    table = (out / "report" / "curation.csv").read_text().splitlines()[1:]
    verdicts = {line.split(",")[0]: line.split(",")[1:4] for line in table}
    assert len(verdicts) == 12
    assert verdicts["größe 图.png"][0] == "kept"
    assert verdicts["sub/größe 图.png"][:2] == ["dropped", "duplicates"]
    assert verdicts["grey.jpg"][1] == "in_colour"
    assert verdicts["noface.png"][2] == "no faces found"
    assert verdicts["crowd.png"][1] == "one_face"
    for name in ("broken.jpg", "empty.png", "text.png", "dangling.png"):
        assert verdicts[name][1] == "readable"
    for name in ("cmyk.jpg", "large.jpg"):
        assert verdicts[name][0] == "kept" or verdicts[name][1] == "duplicates"
    assert verify(out).problems == []


@pytest.mark.parametrize(
    ("photos", "message"),
    [("nowhere", "no photos here"), ("hub:/no/such/data", "cannot be opened as a dataset")],
)
def test_missing_photos_are_one_clear_line(tmp_path, capsys, photos, message):
    place = photos if photos.startswith("hub:") else str(tmp_path / photos)
    assert main(["build", place, str(tmp_path / "out"), "--engine", "local"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("faceshadow: ")
    assert message in error
    assert "Traceback" not in error


def test_other_peoples_folders_are_not_built_in(tmp_path, portraits, capsys):
    (tmp_path / "precious.txt").write_text("mine")
    assert faceshadow(portraits, tmp_path) == 1
    assert "not empty and not a FaceShadow" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]


def test_a_full_disk_is_one_line_and_nothing_half_written(tmp_path, portraits, cache):
    """The limit on a file's size stands in for the full disk: the same OSError from write."""
    out = tmp_path / "out"
    code = (
        "import resource, sys; from dataset_tools.cli import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY));"
        "sys.exit(main(sys.argv[1:]))"
    )
    words = [sys.executable, "-c", code, "build", portraits, out, "--size", 128, "--no-sheets"]
    words += ["--licence", LICENCE, "--workers", 1, "--engine", "local", "--landmark-cache", cache]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr  # nothing else went wrong
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("faceshadow: ")
    assert "Traceback" not in done.stderr
    assert not list(out.rglob(PARTS))
    assert not list(out.glob("data/*"))
    more = ("--size", 128, "--landmark-cache", cache)
    assert faceshadow(portraits, out, *more) == 0
    assert verify(out).problems == []


def test_unlicensed_photos_need_asking(tmp_path, portraits, cache, capsys):
    words = ["build", str(portraits), str(tmp_path / "out"), "--size", "64", "--engine", "local"]
    words += ["--workers", "1", "--landmark-cache", str(cache), "--no-sheets"]
    assert main(words) == 1
    assert "licence unknown" in capsys.readouterr().err
    assert main([*words, "--allow-unlicensed"]) == 0
    assert main(["push", str(tmp_path / "out"), str(tmp_path / "there")]) == 1
    assert "--allow-unlicensed" in capsys.readouterr().err


@pytest.fixture(scope="module")
def people(tmp_path_factory, portraits, cache) -> Path:
    """A dataset of ten people, four photos each."""
    folder = tmp_path_factory.mktemp("people")
    lines = ["path,licence,identity_key"]
    for index, photo in enumerate(sorted(portraits.glob("*.png"))):
        shutil.copy(photo, folder)
        lines.append(f"{photo.name},{LICENCE},person{index % 10}")
    (folder / "manifest.csv").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize("layout", ["parquet", "imagefolder", "webdataset"])
def test_remove_purges_a_person_for_good(tmp_path, people, cache, layout):
    out = tmp_path / "out"
    assert faceshadow(people, out, "--format", layout) == 0
    before = list(ledger.rows(out))
    theirs = {row["id"] for row in before if row["identity"] == "person3"}
    assert theirs
    assert main(["remove", str(out), "--id", "person3"]) == 0
    rest = list(ledger.rows(out))
    assert {row["id"] for row in before} - {row["id"] for row in rest} == theirs
    assert verify(out, sample=4).problems == []
    files = [p for p in out.rglob("*") if p.is_file()]
    assert not any(key in p.name for key in theirs for p in files)
    assert not any(b"person3" in p.read_bytes() for p in files)
    assert faceshadow(people, out, "--format", layout) == 0
    assert {row["id"] for row in ledger.rows(out)} == {row["id"] for row in rest}
    assert main(["remove", str(out), "--id", "nobody"]) == 1


def test_verify_notices_damage(tmp_path, people, cache, capsys):
    out = tmp_path / "out"
    assert faceshadow(people, out, "--landmark-cache", cache) == 0
    shard = next(out.glob("data/*.parquet"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    assert main(["verify", str(out)]) == 1
    assert "changed since it was built" in capsys.readouterr().err
    assert faceshadow(people, out, "--seed", 9, "--landmark-cache", cache) == 0
    assert verify(out).problems == []


def test_push_to_a_folder_leaves_the_working_state_behind(tmp_path, people, cache):
    out, there = tmp_path / "out", tmp_path / "there"
    assert faceshadow(people, out, "--landmark-cache", cache) == 0
    assert main(["push", str(out), str(there)]) == 0
    assert not (there / ".faceshadow").exists()
    assert not (there / "report").exists()
    assert manifest(there) == manifest(out)
    card = (there / "README.md").read_text()
    assert card.startswith("---\n")
    assert LICENCE in card
    croissant = json.loads((there / "croissant.json").read_text())
    assert croissant["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert str(tmp_path) not in "".join(p.read_text() for p in there.glob("*.*"))


def test_stats_and_preview(tmp_path, people, cache, capsys):
    out = tmp_path / "out"
    assert faceshadow(people, out, "--landmark-cache", cache) == 0
    assert main(["stats", str(out)]) == 0
    text = capsys.readouterr().out
    assert "pairs of 10 people" in text
    assert f"### penumbra\n\n{FIELDS['penumbra']}\n\n| penumbra |" in text
    assert "sharpest" in FIELDS["penumbra"]
    page = Path(__file__).resolve().parents[2] / "docs" / "faceshadow.md"
    for place in (page, out / "README.md"):
        assert FIELDS["penumbra"] in place.read_text()
    assert preview(out, tmp_path / "sheet.png", count=4, side=64) == 4
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] > 4 * 64


def test_photos_of_a_hub_dataset(tmp_path, portraits, cache):
    from datasets import Dataset, Features, Image, Value

    names = sorted(map(str, portraits.glob("*.png")))[:3]
    rows = {"face": names, "licence": ["CC0"] * 3, "identity": ["a", "b", "c"]}
    features = Features({"face": Image(), "licence": Value("string"), "identity": Value("string")})
    (tmp_path / "data").mkdir()
    Dataset.from_dict(rows, features=features).to_parquet(str(tmp_path / "data/train.parquet"))
    out = tmp_path / "out"
    words = ["build", f"hub:{tmp_path / 'data'}", str(out), "--size", "64", "--engine", "local"]
    assert main([*words, "--workers", "1"]) == 0
    assert {row["identity"] for row in ledger.rows(out)} == {"a", "b", "c"}


def test_help_is_quick():
    start = time.monotonic()
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    words = [sys.executable, "-m", "dataset_tools.cli", "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    assert "build" in done.stdout
    assert time.monotonic() - start < 1.0 * max(1.0, os.getloadavg()[0] / 2)


@pytest.mark.parametrize("letters", [10, 200_000])
@pytest.mark.parametrize("buffered", [False, True])
def test_a_reader_that_has_seen_enough_ends_the_output_quietly(letters, buffered):
    reader, writer = os.pipe()
    os.close(reader)  # as ``| head -1`` does
    runner = f"cli.RUNNERS['stats'] = lambda _: print('x' * {letters}) or 0"
    code = f"import sys; from dataset_tools import cli; {runner}; raise SystemExit(cli.main())"
    environment = os.environ | {"PYTHONUNBUFFERED": "" if buffered else "1"}
    words = [sys.executable, "-c", code, "stats", "data"]
    done = subprocess.run(
        words, stdout=writer, stderr=subprocess.PIPE, env=environment, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_another_broken_pipe_is_told(monkeypatch, capsys):
    def broken(_: object) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setitem(RUNNERS, "stats", broken)
    assert main(["stats", "data"]) == 1
    assert capsys.readouterr().err == "faceshadow: [Errno 32] Broken pipe\n"


def test_backends_agree(shared, astronaut, face):
    from dataset_tools.landmarks import open_detector

    with open_detector(shared / "assets" / "face_landmarker.task") as tasks:
        other = tasks.detect(astronaut)
    assert other is not None
    distance = np.linalg.norm(other.points[:, :2] - face.points[:, :2], axis=1)
    assert np.median(distance) < 3
    assert tasks.name != "mediapipe-solutions"


def test_two_manifests_are_told_apart_by_their_folders(tmp_path):
    from dataset_tools.photos import find_all

    places = []
    for name in ("studio", "street"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.csv").write_text("path,licence\na.jpg,CC0\n")
        places.append(str(tmp_path / name / "manifest.csv"))
    assert [photo.key for photo in find_all(places)] == ["studio/a.jpg", "street/a.jpg"]
