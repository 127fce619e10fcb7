"""Finding photos in folders, globs, manifests and on the Hub, and decoding one."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from dataset_tools import ledger
from dataset_tools.build import BuildPlan
from dataset_tools.build import find_photos as find_planned
from dataset_tools.cli import main
from dataset_tools.hub import fetched
from dataset_tools.left_out import left_out
from dataset_tools.photos import (
    PhotoError,
    decode_picture,
    find_all,
    find_photos,
    load_picture,
    person,
)
from dataset_tools.splits import groups
from dataset_tools.verify import verify
from learnir.decoding import decode_rgb
from learnir.images import ImageError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def keys(place: object) -> list[str]:
    return [photo.key for photo in find_photos(str(place))]


def test_datasets_inside_the_photo_folder_are_not_photos(tmp_path):
    touch(tmp_path / "a.png", tmp_path / "sub/b.png")
    touch(tmp_path / "out/faceshadow.json", tmp_path / "out/train/clean/c.png")
    touch(tmp_path / "sub/half/.faceshadow/done/x.json", tmp_path / "sub/half/val/mask/d.png")
    assert keys(tmp_path) == ["a.png", "sub/b.png"]
    with pytest.raises(PhotoError, match="no photos here"):
        find_photos(tmp_path / "*/*/*/*.png")
    assert keys(tmp_path / "out/train/clean/*.png") == ["c.png"]  # asked for by name


@pytest.mark.parametrize("mark", ["faceshadow.json", ".faceshadow/build.json"])
def test_a_dataset_given_as_photos_is_called_one(tmp_path, mark):
    touch(tmp_path / mark, tmp_path / "face.png")
    with pytest.raises(PhotoError, match="is a FaceShadow data set, not a folder of photos"):
        find_photos(tmp_path)


def test_pictures_that_are_not_read_are_told_once(tmp_path, capsys):
    names = ("a.JXL", "sub/b.jxl", "c.gif", "d.jp2", "notes.txt")
    touch(*(tmp_path / "photos" / name for name in names))
    touch(tmp_path / "photos/out/faceshadow.json", tmp_path / "photos/out/e.gif")
    assert main(["build", str(tmp_path / "photos"), str(tmp_path / "out")]) == 1
    told, failed = capsys.readouterr().err.splitlines()
    assert told.startswith("4 files left out: .gif 1, .jp2 1, .jxl 2; convert them to JPEG")
    assert "no photos here" in failed
    touch(tmp_path / "photos/manifest.csv")  # which says what is a photo
    assert not left_out([str(tmp_path / "photos"), str(tmp_path / "nowhere"), "", "hub:a/b"])


def test_what_is_no_picture_is_said_alike_every_time():
    with pytest.raises(PhotoError) as caught:
        decode_picture(b"not a picture", "a.png")
    assert str(caught.value) == "a.png: not a readable picture; replace or remove it"


def test_building_inside_the_photo_folder_twice_changes_nothing(
    tmp_path, astronaut, write_variants, monkeypatch
):
    write_variants(tmp_path, astronaut, 3)
    monkeypatch.chdir(tmp_path)
    words = ["build", ".", "out", "--format", "imagefolder", "--licence", "CC0", "--size", "128"]
    words += ["--engine", "local", "--workers", "1", "--no-sheets"]
    assert main(words) == 0
    looked_at = (tmp_path / "out/report/curation.csv").read_text()
    assert len(looked_at.splitlines()) == 1 + 3
    assert main(words) == 0
    assert (tmp_path / "out/report/curation.csv").read_text() == looked_at


def test_a_name_with_brackets_is_a_file_and_globs_keep_folders_apart(tmp_path):
    touch(tmp_path / "img [1].jpg", tmp_path / "deep/x/face.jpg", tmp_path / "deep/y/face.jpg")
    assert keys(tmp_path / "img [1].jpg") == ["img [1].jpg"]
    assert keys(tmp_path / "deep/*/face.jpg") == ["x/face.jpg", "y/face.jpg"]
    touch(tmp_path / "flat/x/one.jpg", tmp_path / "flat/y/two.jpg")
    assert keys(tmp_path / "flat/*/*.jpg") == ["one.jpg", "two.jpg"]  # as ever


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,author\na.jpg,Rene\u0301\nb.jpg,Zo\xeb\n".encode("cp1252", "replace"), "UTF-8"),
        (b"licence,path\nCC0,a.jpg\nCC0\n", "line 3: names no file"),
        (b"licence,path\nCC0,\n", "line 2: names no file"),
        (b"path,licence\na\0.jpg,CC0\n", "line 2: names no file"),
        (b"path,licence\n" + b"a" * 140_000 + b",CC0\n", "not a CSV"),
        (
            b'path,author\na.jpg,Jo\nb.jpg,"Big" Al\nc.jpg,"Jim"\n',
            "after line 2: .* fix its quotes",
        ),
        (b'path,author\na.jpg,Jo\nb.jpg,"Big Al\nc.jpg,Jim\n', "after line 2: .* fix its quotes"),
        (
            b"path,licence,identity\na.jpg,US Government, public domain,Ann\n",
            "line 2: .* more cells",
        ),
        (b"path;licence\na.jpg;CC0\n", "no 'path' column but 'path;licence'; .* by commas"),
    ],
)
def test_a_bad_manifest_is_one_clear_line(tmp_path, content, message):
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(PhotoError, match=message) as caught:
        find_photos(tmp_path)
    assert str(tmp_path / "manifest.csv") in str(caught.value)


def exif(*entries: tuple[int, int, int, bytes]) -> bytes:
    """Raw EXIF of (tag, type, count, four bytes of value)."""
    body = b"".join(struct.pack("<HHI4s", *entry) for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + b"\0\0\0\0"


@pytest.mark.parametrize("tag", [0x0100, 0x011A])  # ImageWidth, XResolution: not of type ASCII
def test_wrongly_typed_exif_is_no_obstacle(tag):
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, :30] = 255  # light on the left: at the top once turned
    raw = exif((tag, 2, 4, b"abc\0"), (0x0112, 3, 1, b"\x06\0\0\0"))
    if tag > 0x0112:
        raw = exif((0x0112, 3, 1, b"\x06\0\0\0"), (tag, 2, 4, b"abc\0"))
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "jpeg", exif=raw)
    turned = decode_picture(data.getvalue(), "a.jpg")
    assert turned.shape == (60, 40, 3)
    assert turned[:20].mean() > 200
    assert turned[40:].mean() < 50


@pytest.mark.parametrize(
    ("dtype", "most"),
    [("int32", 65535), ("uint32", 2**32 - 1), ("float32", 1), ("float32", 65535), ("int16", 32767)],
)
def test_grey_whose_range_nothing_tells_is_refused_as_learnir_does(tmp_path, dtype, most):
    """Pillow would clip it at 255: a face of 16 bits in 32 became a white one."""
    ramp = np.linspace(0, most, 64)[None].repeat(32, axis=0).astype(dtype)
    path = tmp_path / "grey.tif"
    tifffile.imwrite(path, ramp, photometric="minisblack")
    with pytest.raises(PhotoError) as caught:
        load_picture(path)
    with pytest.raises(ImageError) as learnirs:
        decode_rgb(path.read_bytes(), str(path))
    assert str(caught.value) == str(learnirs.value)
    assert str(caught.value).endswith("save it with 8 or 16 bits per channel")
    tifffile.imwrite(path, (ramp / most * 65535).astype(np.uint16), photometric="minisblack")
    assert np.abs(load_picture(path)[0, :, 0] - np.linspace(0, 255, 64)).max() < 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_pillow_does(orientation):
    from PIL import ImageOps

    picture = np.random.default_rng(0).integers(0, 255, (21, 34, 3), np.uint8)
    data, tags = io.BytesIO(), Image.Exif()
    tags[0x0112] = orientation
    Image.fromarray(picture).save(data, "png", exif=tags)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(data)))
    assert np.array_equal(decode_picture(data.getvalue(), "a.png"), expected)


@pytest.fixture
def hub_places(tmp_path, astronaut, write_variants) -> list[str]:
    """Two datasets as the Hub gives them, one portrait each."""
    from datasets import Dataset, Features
    from datasets import Image as Picture

    write_variants(tmp_path / "portraits", astronaut, 10)
    portraits = sorted((tmp_path / "portraits").glob("*.png"))
    places = []
    for name, portrait in (("one", portraits[0]), ("two", portraits[9])):
        rows = Dataset.from_dict({"face": [str(portrait)]}, Features({"face": Picture()}))
        rows.to_parquet(str(tmp_path / name / "train.parquet"))
        places.append(f"hub:{tmp_path / name}")
    return places


def test_two_hub_datasets_are_combined_and_verified(tmp_path, hub_places):
    out = tmp_path / "out"
    words = ["build", *hub_places, str(out), "--licence", "CC0", "--size", "64"]
    assert main([*words, "--engine", "local", "--workers", "1", "--no-sheets"]) == 0
    rows = {row["photo"] for row in ledger.rows(out)}
    assert len(rows) == 2
    assert {key.rpartition("/")[2] for key in rows} == {"00000000.img"}
    found = verify(out, sample=2)
    assert (found.problems, found.pairs, found.skipped) == ([], 2, 0)


def test_splits_of_one_hub_dataset_are_told_apart(tmp_path):
    manifests = [fetched(place, tmp_path) for place in ("hub:a/b", "hub:a/b:test", "hub:c/b")]
    for manifest in manifests:
        touch(manifest)
        manifest.write_text("path\n00000000.img\n")
    found = [photo.key.partition("/")[0] for photo in find_all([str(m) for m in manifests])]
    assert found == ["a--b", "a--b--test", "c--b"]


def test_two_stars_are_folders_at_any_depth_and_folders_are_no_photos(tmp_path):
    touch(tmp_path / "a.jpg", tmp_path / "x/b.jpg", tmp_path / "x/y/z/c.jpg")
    (tmp_path / "x" / "album.jpg").mkdir()
    assert keys(tmp_path / "**/*.jpg") == ["a.jpg", "b.jpg", "c.jpg"]
    assert keys(tmp_path / "**/**/*.jpg") == ["a.jpg", "b.jpg", "c.jpg"]
    assert keys(tmp_path / "*/*.jpg") == ["b.jpg"]
    touch(tmp_path / "x/y/a.jpg", tmp_path / "out/faceshadow.json", tmp_path / "out/d.jpg")
    assert keys(tmp_path / "**/*.jpg") == ["a.jpg", "x/b.jpg", "x/y/a.jpg", "x/y/z/c.jpg"]


@pytest.fixture
def odd(tmp_path, astronaut, write_variants) -> Path:
    """Three portraits, two of them under names that are not UTF-8."""
    folder = tmp_path / "odd"
    write_variants(folder, astronaut, 3)
    try:
        os.mkdir(os.fsencode(folder) + b"/s\xfcb")
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    for name, odd_name in (
        ("portrait001.png", b"caf\xe9.png"),
        ("portrait002.png", b"s\xfcb/b.png"),
    ):
        os.rename(folder / name, os.fsencode(folder) + b"/" + odd_name)
    return folder


@pytest.mark.parametrize("pattern", ["", "**/*.png"])
def test_names_that_are_not_utf8_are_left_out_and_told(tmp_path, odd, capsys, pattern):
    place, out = str(odd / pattern), tmp_path / "out"
    words = ["build", place, str(out), "--licence", "CC0", "--size", "64"]
    assert main([*words, "--engine", "local", "--workers", "1", "--no-sheets"]) == 0
    told = f"2 files left out, as names are not UTF-8: first {odd}/caf\\xe9.png; rename"
    assert told in capsys.readouterr().err.splitlines()
    assert [row["photo"] for row in ledger.rows(out)] == ["portrait000.png"]
    assert verify(out).problems == []


@pytest.mark.parametrize("name", [b"caf\xe9.png", b"s\xfcb", b"s\xfcb/*.png"])
def test_a_place_whose_name_is_not_utf8_is_one_line(odd, name):
    place = os.fsdecode(os.fsencode(odd) + b"/" + name)
    with pytest.raises(PhotoError) as caught:
        find_photos(place)
    spelled = name.decode("utf-8", "backslashreplace")
    assert str(caught.value) == f"{odd}/{spelled}: name is not UTF-8; rename it"


def test_a_manifest_says_what_is_a_photo_whatever_lies_beside_it(odd):
    (line,) = left_out([str(odd), "", "hub:a/b", str(odd / "nowhere")])
    assert line.startswith("2 files left out, as names are not UTF-8")
    (odd / "manifest.csv").write_text("path\nportrait000.png\n")
    assert left_out([str(odd)]) == []
    assert keys(odd) == ["portrait000.png"]


@pytest.mark.parametrize("format", ["png", "tiff"])
def test_grey_of_16_bits_is_not_white(format):
    ramp = np.linspace(0, 65535, 64 * 48).astype(np.uint16).reshape(64, 48)
    data = io.BytesIO()
    Image.fromarray(ramp).save(data, format)
    picture = decode_picture(data.getvalue(), "a")
    assert picture.shape == (64, 48, 3)
    assert np.abs(picture - ramp[..., None] / 257.0).max() <= 0.51


def test_the_folder_one_is_in_has_a_name_among_several(tmp_path, monkeypatch):
    touch(tmp_path / "here.v1/a.png", tmp_path / "here.v1/in/b.png", tmp_path / "there.v2/c.png")
    (tmp_path / "link").symlink_to(tmp_path / "there.v2")
    monkeypatch.chdir(tmp_path / "here.v1" / "in")
    assert [p.key for p in find_all([".", "../../link"])] == ["in/b.png", "link/c.png"]
    found = [p.key for p in find_all(["..", "../../there.v2", "../a.png"])]
    assert found == ["here/a.png", "here/in/b.png", "there/c.png", "a/a.png"]


def test_hidden_pictures_and_linked_folders_are_left_out_and_told(tmp_path):
    photos, album = tmp_path / "photos", tmp_path / "album"
    touch(photos / "a.jpg", photos / "sub/b.jpg", album / "c.jpg", photos / ".Trash-1000/notes.txt")
    touch(photos / ".Trash-1000/files/deleted.jpg", photos / "sub/.thumbnails/b.png")
    touch(photos / "._a.jpg", photos / ".hidden.gif")
    (photos / "album").symlink_to(album)
    (photos / "linked.jpg").symlink_to(album / "c.jpg")  # a link to a file is a photo
    assert keys(photos / "**/*.jpg") == ["a.jpg", "c.jpg", "linked.jpg", "b.jpg"]
    (photos / "sub/loop").symlink_to(photos)
    assert keys(photos) == ["a.jpg", "linked.jpg", "sub/b.jpg"]
    assert left_out([str(photos)]) == [
        f"3 hidden pictures left out: first {photos}/._a.jpg; move them where no name starts with "
        "a dot",
        f"2 linked folders left out: first {photos}/album; give them as places of their own",
    ]
    assert keys(photos / ".Trash-1000") == ["files/deleted.jpg"]  # asked for by name
    assert left_out([str(album)]) == []


def write_manifest(folder: Path, *lines: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder / "manifest.csv"


def test_where_the_photos_of_a_manifest_are_is_not_published(tmp_path, monkeypatch):
    studio, away = tmp_path / "studio", tmp_path / "home/ada/private"
    inside = [f"{studio}/a.jpg", "b.jpg", f"{studio}/sub/../c.jpg", "../other/d.jpg"]
    found = find_photos(write_manifest(studio, "path", *inside, f"{away}/x/e.jpg"))
    assert [p.key for p in found] == ["a.jpg", "b.jpg", "c.jpg", "../other/d.jpg", "e.jpg"]
    assert found[0].path == studio / "a.jpg"
    assert found[4].path == away / "x/e.jpg"
    lines = [f"{away}/x/a.jpg", f"{away}/y/a.jpg", "b.jpg"]  # one name in two folders
    manifest = write_manifest(studio, "path", *lines)
    assert keys(manifest) == ["x/a.jpg", "y/a.jpg", "b.jpg"]
    write_manifest(studio, "path", f"{studio}/a.jpg")
    monkeypatch.chdir(tmp_path)
    assert keys("studio") == keys("studio/manifest.csv") == ["a.jpg"]


def test_spaces_after_commas_and_empty_cells_at_the_end_of_a_row_mean_nothing(tmp_path):
    rows = ["a.jpg, CC0, Zoe, here", "b.jpg, CC BY 4.0, Ann, there,,"]
    found = find_photos(write_manifest(tmp_path, "path, licence, identity, source", *rows))
    said = [(p.licence, p.identity, p.source) for p in found]
    assert said == [("CC0", "Zoe", "here"), ("CC BY 4.0", "Ann", "there")]


def test_the_light_of_a_photo_may_be_told_by_any_of_its_rows(tmp_path):
    rows = ["a.jpg,CC0,", "a.jpg,,30", "b.jpg,,30", "b.jpg,,"]
    found = find_photos(write_manifest(tmp_path, "path,licence,cheek_asym_L", *rows))
    assert [photo.tags["cheek_asym_L"] for photo in found] == ["30", "30"]


def test_rows_of_one_photo_complete_one_another_or_are_refused(tmp_path):
    head = "path,licence,identity,author,source"
    rows = ["a.jpg,CC0,Zoe,,here", "a.jpg,,Zoe  ,Ada,there", "b.jpg,,,,", "./a.jpg,CC0,,,"]
    photo, other = find_photos(write_manifest(tmp_path, head, *rows))
    assert (photo.key, other.key) == ("a.jpg", "b.jpg")
    said = (photo.licence, photo.identity, photo.author, photo.source)
    assert said == ("CC0", "Zoe", "Ada", "here")


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("a.jpg,CC BY 4.0,Zoe,Ada", "licence is 'CC0' and 'CC BY 4.0'"),
        ("./a.jpg,CC0,Ann,Ada", "identity is 'Zoe' and 'Ann'"),
        ("{folder}/a.jpg,CC0,Zoe,Bob", "author is 'Ada' and 'Bob'"),
    ],
)
def test_rows_that_contradict_one_another_are_one_clear_line(tmp_path, second, said):
    rows = ["a.jpg,CC0,Zoe,Ada", "b.jpg,,,", second.format(folder=tmp_path)]
    manifest = write_manifest(tmp_path, "path,licence,identity,author", *rows)
    with pytest.raises(PhotoError) as caught:
        find_photos(tmp_path)
    assert str(caught.value).startswith(f"{manifest}: lines 2 and 4, ")
    assert f"a.jpg: {said}; keep one" in str(caught.value)


def test_a_licence_for_all_is_for_those_that_state_none(tmp_path):
    lines = ["a.jpg,", "b.jpg,Unknown", "c.jpg,n/a", "d.jpg,CC BY 4.0", "e.jpg,All rights reserved"]
    manifest = write_manifest(tmp_path, "path,licence", *lines)
    plan = BuildPlan((str(manifest),), tmp_path / "out", licence="CC0")
    found = [photo.licence for photo in find_planned(plan)]
    assert found == ["CC0", "CC0", "CC0", "CC BY 4.0", "All rights reserved"]


NOBODY = ["Unknown", "n/a", "-", "Anonymous", "None", "N.A.", " ? ", "\N{EM DASH}", "NaN", "(null)"]


@pytest.mark.parametrize("name", [*NOBODY, "Unknown author", "unknown person", "unknown. "])
def test_names_of_nobody(name):
    assert person(name) == ""


@pytest.mark.parametrize("name", ["Nan Goldin", "Anonymous 7", "unknown-12", "Una", "\U0001f642"])
def test_names_of_somebody(name):
    assert person(name) == name


def test_whoever_is_unknown_is_not_one_person(tmp_path):
    rows = [f"{k}.jpg,{name},-,{name}" for k, name in enumerate(NOBODY)]
    rows.append("z.jpg,n/a,Zoe,Ada")
    head = "path,identity_key,identity,author"
    *others, zoe = find_photos(write_manifest(tmp_path, head, *rows))
    assert (zoe.identity, zoe.author) == ("Zoe", "Ada")
    assert len(set(groups(others).values())) == len(NOBODY)
