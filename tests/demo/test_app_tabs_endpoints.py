"""Endpoints of the shadow maker and the leaderboard, and what the tabs call, without a browser."""

from __future__ import annotations

import hashlib
import shutil
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import gradio as gr
import numpy as np
import pytest
from PIL import Image
from uploads import EXAMPLES, upload

from benchmarks import learnir_methods
from demo import dataset_browsing, leaderboard_reading, leaderboard_tab, shadow_making
from demo.about_tab import CARD, card
from demo.context import Context
from demo.endpoints import NAMES
from demo.engine import Engine
from demo.options import Options

PORTRAIT = EXAMPLES / "portrait.jpg"


def pixels(path: str | Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def test_the_public_endpoints_are_the_documented_ones(client):
    shown = client.view_api(return_format="dict")["named_endpoints"]
    assert set(shown) == {f"/{name}" for name in NAMES}
    for name, endpoint in shown.items():
        assert endpoint.get("description"), name


def test_synthesize_darkens_where_its_mask_says(client):
    shadow, clean, mask, meta = client.predict(
        upload(PORTRAIT), occluder="half_plane", seed=2, api_name="/synthesize"
    )
    before, after, shade = pixels(clean), pixels(shadow), pixels(mask)
    assert shade.max() > 200
    assert (after[shade > 200] < before[shade > 200]).mean() > 0.8
    lit = cv2.erode((shade == 0).astype(np.uint8), np.ones((25, 25)))  # light scatters in the skin
    assert np.abs(after - before)[lit > 0].max() <= 1
    assert meta["occluder"] == "half_plane"
    again = client.predict(upload(PORTRAIT), occluder="half_plane", seed=2, api_name="/synthesize")
    assert np.array_equal(pixels(again[0]), after)


def test_synthesize_says_what_is_wrong(client, tmp_path):
    Image.new("RGB", (200, 200), "grey").save(tmp_path / "grey.png")
    with pytest.raises(Exception, match="No face found"):
        client.predict(upload(tmp_path / "grey.png"), api_name="/synthesize")
    with pytest.raises(Exception, match="occluder"):
        client.predict(upload(PORTRAIT), occluder="umbrella", api_name="/synthesize")
    with pytest.raises(Exception, match="Choose a portrait"):
        client.predict(None, api_name="/synthesize")


def test_boards_and_their_rankings(client):
    (board,) = client.predict(api_name="/boards")
    rows = client.predict(board["id"], api_name="/leaderboard")
    assert {row["method"].split(" ")[0] for row in rows} == {"input", "retinex"}
    assert [row["#"] for row in rows] == [1, 2]
    assert all(row["psnr"] == row["psnr"].strip() for row in rows)
    with pytest.raises(Exception, match="unknown board"):
        client.predict("nothing", api_name="/leaderboard")


def test_seconds_of_another_day_are_marked_on_the_page_and_numbers_to_programs(
    client, results, monkeypatch
):
    name = leaderboard_reading.board_choices(results)[0][1]
    found = leaderboard_reading.ranked(results, name)
    found.table["seconds"] = 0.5  # both, however fast they were
    found.table.loc[found.table["method"] == "retinex", "date"] = "2020-01-01"
    column = leaderboard_reading.COLUMNS.index("s/picture")
    cells = {row[1].split(" ")[0]: row[column] for row in leaderboard_reading.ranking(found)}
    assert cells == {"input": "   0.500", "retinex": "   0.500†"}
    monkeypatch.setattr(leaderboard_reading, "ranked", lambda *_: found)
    rows = client.predict(name, api_name="/leaderboard")
    assert [float(row["s/picture"]) for row in rows] == [0.5, 0.5]


def test_a_hostile_submission_is_answered_with_a_reason(client, tmp_path):
    bundle = tmp_path / "evil.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("../evil.png", b"x")
    verdict = client.predict(upload(bundle), api_name="/submit")
    assert verdict["accepted"] is False
    assert "outside" in verdict["reason"]


def test_a_sound_submission_becomes_a_row(submission, results, data_root, tmp_path, monkeypatch):
    monkeypatch.setenv("LEARNIR_DATA", str(data_root))
    folder = tmp_path / "results"
    shutil.copytree(results, folder)
    accepted, reason, run = leaderboard_reading.submitted(folder, str(submission))
    assert accepted, reason
    name = leaderboard_reading.board_choices(folder)[0][1]
    rows = leaderboard_reading.ranking(leaderboard_reading.ranked(folder, name))
    assert any(row[1].startswith("Grey") for row in rows)
    assert "--protocol 256-v1" in leaderboard_reading.command(folder, run)


def test_the_drill_down_shows_both_methods_pictures(results, data_root, monkeypatch):
    monkeypatch.setenv("LEARNIR_DATA", str(data_root))
    name = leaderboard_reading.board_choices(results)[0][1]
    (_, a), (_, b) = leaderboard_reading.runs(leaderboard_reading.ranked(results, name))
    rows = leaderboard_reading.picture_table(results, a, b)
    assert [abs(row[3]) for row in rows] == sorted((abs(r[3]) for r in rows), reverse=True)
    context = Context(Options(results=results), Engine())
    left, right = leaderboard_reading.pictures(context, a, b, rows[0][0])
    assert left.shape == right.shape == (256, 256, 3)
    assert not np.array_equal(left, right)


def test_a_board_opened_again_keeps_what_is_chosen_of_it():
    runs = [("first", "1"), ("second", "2"), ("third", "3")]
    opened, again, other = (
        leaderboard_tab._offered(runs, chosen)
        for chosen in ((None,) * 3, ("3", "1", "3"), ("x", "3", "y"))
    )
    assert [update["value"] for update in opened] == ["1", "1", "2"]
    assert not any("value" in update for update in again)
    assert ["value" in update for update in other] == [True, False, True]


@pytest.fixture(scope="module")
def ours(data_root, checkpoint, tmp_path_factory):
    """Results of two ways to use the tiny model, by method, in one folder."""
    from benchmarks.methods import MethodOptions
    from benchmarks.runner import RunPlan, run

    out, options = tmp_path_factory.mktemp("ours"), MethodOptions(checkpoint=str(checkpoint))
    plan = RunPlan(
        "", "ucb", out, "256-v1", root=str(data_root), faces=False, workers=1, options=options
    )
    return {name: run(replace(plan, method=name)) for name in ("learnir-neither", "learnir-once")}


def drill_down(context, ours):
    """``pictures`` of the first test picture by both methods."""
    a, b = (run.id for run in ours.values())
    return leaderboard_reading.pictures(context, a, b, "0-0")


def test_the_drill_down_shows_what_was_scored_by_the_apps_model_in_its_turn(
    ours, checkpoint, data_root, monkeypatch
):
    """No second one is loaded; and one picture is restored at a time."""
    monkeypatch.setenv("LEARNIR_DATA", str(data_root))
    for name in ("open_pipeline", "count_macs"):
        monkeypatch.setattr(learnir_methods, name, lambda *_, **__: pytest.fail("again"))
    engine = Engine(str(checkpoint))
    engine.start()
    folder = next(iter(ours.values())).path.parent
    with ThreadPoolExecutor(1) as pool:
        with engine._turns.turn():
            asked = pool.submit(drill_down, Context(Options(results=folder), engine), ours)
            waited = time.monotonic() + 60
            while len(engine._turns._line) < 2 and time.monotonic() < waited:
                time.sleep(0.01)
            assert not asked.done()
        made = asked.result(60)
    for picture, run in zip(made, ours.values(), strict=True):
        scored = run.rows().set_index("name").loc["0-0", "result_sha256"]
        assert hashlib.sha256(picture.tobytes()).hexdigest() == scored


def test_the_drill_down_shows_no_other_checkpoints_pictures(ours, data_root, monkeypatch):
    monkeypatch.setenv("LEARNIR_DATA", str(data_root))
    engine = Engine()  # has the shipped weights
    monkeypatch.setattr(engine, "model", lambda: None)  # is loaded
    context = Context(Options(results=next(iter(ours.values())).path.parent), engine)
    with pytest.raises(gr.Error, match="the learnir-neither here is not the one that was scored"):
        drill_down(context, ours)


def test_the_drill_down_without_the_data_names_no_folder_of_the_server(
    results, tmp_path, monkeypatch
):
    monkeypatch.setenv("LEARNIR_DATA", str(tmp_path))
    name = leaderboard_reading.board_choices(results)[0][1]
    (_, a), (_, b) = leaderboard_reading.runs(leaderboard_reading.ranked(results, name))
    context = Context(Options(results=results), Engine())
    with pytest.raises(gr.Error, match="ucb is not on this machine") as told:
        leaderboard_reading.pictures(context, a, b, "0-0")
    assert str(tmp_path) not in told.value.message


def test_a_small_dataset_from_portraits(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    archive, told, statistics = shadow_making.build_dataset(
        [str(PORTRAIT)], 3, 0, "faceshadow", "public domain", "imagefolder"
    )
    with zipfile.ZipFile(archive) as file:
        names = file.namelist()
        file.extractall(tmp_path / "there")
    assert any(name.endswith("metadata.jsonl") for name in names)
    assert not any(part.startswith(".") for name in names for part in name.split("/"))
    assert "1 kept" in told
    assert "###" not in told
    assert "### kind" in statistics
    import datasets

    found = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "there" / "faceshadow"), cache_dir=str(tmp_path)
    )
    assert sum(split.num_rows for split in found.values()) == 3


def test_a_dataset_is_built_without_the_portraits_that_cannot_be_used(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    (tmp_path / "torn.jpg").write_bytes(PORTRAIT.read_bytes()[:9000])
    Image.new("RGB", (300, 300), "grey").save(tmp_path / "grey.png")
    shutil.copy(PORTRAIT, tmp_path / "nameless")  # a build looks for pictures by their names
    paths = [str(tmp_path / name) for name in ("torn.jpg", "grey.png", "nameless")]
    archive, told, _ = shadow_making.build_dataset(paths, 1, 0, "self", "CC0", "imagefolder")
    head, *lines = told.splitlines()
    assert "1 kept, 1 dropped, 1 not readable" in head or "1 dropped, 1 kept" in head
    assert any(line.startswith("- torn.jpg: ") for line in lines)
    assert "- grey.png: no faces found" in lines
    assert zipfile.ZipFile(archive).namelist()
    with pytest.raises(gr.Error, match=r"torn\.jpg: "):
        shadow_making.build_dataset(paths[:1], 1, 0, "self", "CC0", "parquet")
    with pytest.raises(gr.Error, match=r"first, grey\.png: no faces"):
        shadow_making.build_dataset(paths[:2], 1, 0, "self", "CC0", "parquet")


@pytest.mark.parametrize(
    ("paths", "licence", "words"),
    [([], "CC0", "Choose 1 to"), ([str(PORTRAIT)], " ", "State the licence of the portraits")],
)
def test_a_dataset_needs_portraits_and_a_licence(paths, licence, words):
    import gradio as gr

    with pytest.raises(gr.Error, match=words):
        shadow_making.build_dataset(paths, 1, 0, "faceshadow", licence, "parquet")


def test_filters_find_exactly_the_rows_they_name(dataset):
    browser = dataset_browsing.opened(str(dataset))
    table = browser.table
    spans = {**dataset_browsing.SPANS, "coverage": (0.2, 0.6)}
    found = dataset_browsing.matching(
        table, dataset_browsing.Wanted({"kind": ("occluder",)}, spans)
    )
    assert 0 < len(found) < len(table)
    for index, row in table.iterrows():
        inside = row["kind"] == "occluder" and 0.2 <= row["coverage"] <= 0.6
        assert inside == (index in found)
    everything = dataset_browsing.matching(
        table, dataset_browsing.Wanted({}, dict(dataset_browsing.SPANS))
    )
    assert len(everything) == len(table)


def test_pages_hold_every_pair_once(dataset):
    browser = dataset_browsing.opened(str(dataset))
    indices = np.arange(len(browser.table))
    sizes = [
        len(dataset_browsing.page_of(browser, indices, page))
        for page in range(1, dataset_browsing.pages(len(indices)) + 1)
    ]
    assert sum(sizes) == len(indices)
    assert max(sizes) == dataset_browsing.PAGE


@pytest.mark.parametrize(
    ("typed", "page"), [(None, 1), (0, 1), (-3, 1), (2, 2), (4, 3), (1e300, 3)]
)
def test_a_page_out_of_range_is_the_nearest(typed, page):
    assert dataset_browsing.page_within(typed, 60) == page
    assert dataset_browsing.page_within(typed, 0) == 1


def test_plots_count_what_is_there(dataset):
    browser = dataset_browsing.opened(str(dataset))
    indices = np.arange(len(browser.table))
    assert dataset_browsing.counts(browser.table, indices, "kind")["pairs"].sum() == len(indices)
    bars = dataset_browsing.histogram(browser.table, indices, "coverage", 10)
    assert bars["pairs"].sum() == len(indices)


@pytest.mark.parametrize(
    "typed", ["/etc", "../..", "a/../b", "~/x", "a/b/c", "file:///etc", "hub:"]
)
def test_folders_of_the_server_cannot_be_typed(typed):
    import gradio as gr

    with pytest.raises(gr.Error, match="Give the id of a data set on the Hub"):
        dataset_browsing.address(typed, None)


def test_the_apps_own_dataset_is_opened_by_its_name(dataset):
    assert dataset_browsing.address(dataset.name, str(dataset)) == str(dataset)
    assert dataset_browsing.address("", str(dataset)) == str(dataset)
    assert dataset_browsing.address("someone/faces", str(dataset)) == "hub:someone/faces"


def test_the_card_is_shown_without_its_front_matter():
    shown = card(CARD.read_text())
    assert shown.lstrip().startswith("## LearnIR")
    assert "license:" not in shown
    assert "<!--" not in shown
