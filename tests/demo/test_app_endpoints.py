"""The named endpoints through gradio_client, as a user of the API calls them."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from uploads import EXAMPLES, HAND, pixels, upload


def test_restore_returns_the_picture_its_mask_and_the_facts(client):
    restored, mask, facts = client.predict(upload(HAND), api_name="/restore")
    before, after = Image.open(HAND), Image.open(restored)
    assert (after.size, after.format) == (before.size, "JPEG")
    assert Path(restored).name == "hand-restored.jpg"
    assert np.abs(pixels(restored) - pixels(HAND)).mean() > 1
    assert Image.open(mask).size == before.size
    assert facts["width"] == 512
    assert facts["mode"] == "gain"
    assert facts["seconds"] > 0


def test_restore_obeys_strength_and_seed(client):
    def run(**options):
        return pixels(client.predict(upload(HAND), **options, api_name="/restore")[0])

    assert np.abs(run(strength=0) - pixels(HAND)).mean() < 1
    assert np.array_equal(run(seed=3), run(seed=3))
    assert not np.array_equal(run(seed=3), run(seed=4))


def test_restore_keeps_depth_and_metadata(client, tmp_path):
    picture = (np.random.default_rng(0).random((48, 64, 3)) * 65535).astype(np.uint16)
    import tifffile

    path = tmp_path / "deep.tif"
    tifffile.imwrite(path, picture, photometric="rgb")
    restored = client.predict(upload(path), api_name="/restore")[0]
    assert Path(restored).suffix == ".tif"
    assert tifffile.imread(restored).dtype == np.uint16
    exif = Image.Exif()
    exif[0x010E] = "<script>alert(1)</script>"
    exif[0x0112] = 6
    Image.fromarray((picture >> 8).astype(np.uint8)).save(tmp_path / "turned.jpg", exif=exif)
    restored = client.predict(upload(tmp_path / "turned.jpg"), api_name="/restore")[0]
    kept = Image.open(restored)
    assert kept.size == (48, 64)
    assert kept.getexif()[0x010E] == "<script>alert(1)</script>"
    assert kept.getexif()[0x0112] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scales": "1,1,x"}, "one factor per step"),
        ({"scales": "1,2"}, "Change the sampler settings"),
        ({"correction": "learned"}, "no correction branch"),
    ],
)
def test_settings_that_do_not_fit_are_explained(client, options, said):
    with pytest.raises(Exception, match=said):
        client.predict(upload(HAND), **options, api_name="/restore")


ONE_LINE_EACH = [
    ("restore", {"strength": "abc"}, "strength: a number from 0 to 1.5, not 'abc'."),
    ("restore", {"strength": True}, "strength: a number from 0 to 1.5, not True."),
    ("restore", {"strength": 1.6}, "strength: a number from 0 to 1.5, not 1.6."),
    ("restore", {"seed": 2**70}, f"seed: a whole number from 0 to 2147483647, not {2**70}."),
    ("restore", {"steps": 2.5}, "steps: a whole number from 0 to 50, not 2.5."),
    ("restore", {"mode": 7}, "mode: one of auto, gain, tile, not 7."),
    ("restore", {"scales": [1, 2]}, "scales: a text, not [1, 2]."),
    ("restore_batch", {"strength": []}, "strength: a number from 0 to 1.5, not []."),
    ("synthesize", {"seed": 2**65}, f"seed: a whole number from 0 to 2147483647, not {2**65}."),
    ("synthesize", {"person_only": "no"}, "person_only: true or false, not 'no'."),
]


@pytest.mark.parametrize(("endpoint", "options", "said"), ONE_LINE_EACH)
def test_what_an_argument_cannot_mean_is_told_in_one_line(client, endpoint, options, said):
    given = [upload(HAND)] if endpoint == "restore_batch" else upload(HAND)
    with pytest.raises(Exception, match=re.escape(said)):
        client.predict(given, **options, api_name=f"/{endpoint}")


A_FILE, FILES = 'give a file, handle_file("photo.jpg")', "give a list of files, [handle_file("


@pytest.mark.parametrize(
    ("endpoint", "given", "said"),
    [
        ("restore", str(HAND), f"picture: {A_FILE}"),
        ("restore", [HAND, HAND], f"picture: {A_FILE}"),
        ("restore", {"path": "/etc/passwd"}, f"picture: {A_FILE}"),
        ("restore_batch", HAND, f"pictures: {FILES}"),
        ("restore_batch", [str(HAND)], f"pictures: {FILES}"),
        ("synthesize", 5, f"portrait: {A_FILE}"),
        ("submit", "results.zip", f"bundle: {A_FILE}"),
    ],
)
def test_what_is_no_file_is_told_in_one_line(client, endpoint, given, said):
    if isinstance(given, list):
        given = [upload(path) if isinstance(path, Path) else path for path in given]
    with pytest.raises(Exception, match=re.escape(said)) as caught:
        client.predict(upload(given) if isinstance(given, Path) else given, api_name=f"/{endpoint}")
    assert "\n" not in str(caught.value)


def test_a_mask_is_a_file_too(client):
    with pytest.raises(Exception, match=re.escape(f"where: {A_FILE}")):
        client.predict(upload(HAND), where="mask.png", api_name="/restore")


def test_files_are_documented_as_files(client):
    api = client.view_api(return_format="dict")["named_endpoints"]
    kinds = [api[f"/{name}"]["parameters"][0] for name in ("restore", "restore_batch")]
    assert [kind["component"] for kind in kinds] == ["File", "File"]
    assert [kind["python_type"]["type"] for kind in kinds] == ["filepath", "list[filepath]"]


@pytest.mark.parametrize("start", [b"\0\0\0 ftypisom", b"\0\0\0\x14ftypqt  ", b"\x1aE\xdf\xa3"])
def test_a_video_is_called_one(client, tmp_path, start):
    (tmp_path / "clip.jpg").write_bytes(start + bytes(5000))
    with pytest.raises(Exception, match=r"clip\.jpg: a video, not a picture"):
        client.predict(upload(tmp_path / "clip.jpg"), api_name="/restore")


@pytest.mark.parametrize("board", [None, 5, ["x"]])
def test_a_board_is_the_id_of_one(client, board):
    with pytest.raises(Exception, match="board: "):
        client.predict(board, api_name="/leaderboard")


def test_no_argument_given_is_the_one_documented(client):
    given = dict.fromkeys(("steps", "correction", "scales", "seed", "mode", "strength"))
    assert client.predict(upload(HAND), **given, api_name="/restore")[2]["mode"] == "gain"


def test_errors_reach_clients_without_entities(client):
    with pytest.raises(Exception, match=">= 1") as caught:
        client.predict(upload(HAND), scales="0,1,1,1,1", api_name="/restore")
    assert "&" not in str(caught.value)


def test_batch_names_good_and_bad_files(client, tmp_path):
    bad = tmp_path / "=note.png"
    bad.write_text("not a picture")
    files = [upload(HAND), upload(EXAMPLES / "wall.jpg"), upload(bad)]
    archive, lines = client.predict(files, api_name="/restore_batch")
    assert [bool(line["output"]) for line in lines] == [True, True, False]
    assert lines[2]["message"].startswith("not a readable")  # the name is in its own column
    with zipfile.ZipFile(archive) as opened:
        assert set(opened.namelist()) == {"hand-restored.jpg", "wall-restored.jpg", "results.csv"}
        rows = list(csv.DictReader(io.TextIOWrapper(opened.open("results.csv"))))
    assert len(rows) == 3
    assert not any(value.startswith(("=", "+", "@")) for row in rows for value in row.values())


def test_model_endpoint_tells_what_runs(client):
    card = client.predict(api_name="/model")
    assert card["state"] == "ready"
    assert card["config"]["network"] == "naf"
    assert card["parameters"] > 1000


def test_every_public_endpoint_is_documented_and_nothing_else_is_public(client):
    from demo.endpoints import NAMES

    api = client.view_api(return_format="dict")["named_endpoints"]
    assert set(api) == {f"/{name}" for name in NAMES}
    for name, endpoint in api.items():
        assert endpoint["description"], name
        assert all(p["parameter_name"] and p["python_type"]["type"] for p in endpoint["parameters"])
    assert client.view_api(return_format="dict")["unnamed_endpoints"] == {}
