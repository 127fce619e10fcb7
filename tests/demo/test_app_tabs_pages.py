"""Leaderboard, Dataset and Make a shadow in Chromium: what is shown is of what is chosen now."""

from __future__ import annotations

import json
import threading
import zipfile

import pytest
from PIL import Image
from test_app_browser import LONG, open_tab, source_of, visible

from demo import leaderboard_reading as reading
from demo import shadow_making
from demo.storage import EXAMPLES, keep

pytestmark = pytest.mark.slow
PHONE = {"viewport": {"width": 390, "height": 844}}
NARROW = {"viewport": {"width": 320, "height": 640}}
LAPTOP = {"viewport": {"width": 1280, "height": 800}}
CELLS = "#board-metrics [role=gridcell], #board-pictures [role=gridcell], #board-slider img"


def choose(page, selector, name):
    page.locator(f"{selector} input").click()
    page.get_by_role("option", name=name, exact=True).click()


def holds(page, selector, value):
    page.wait_for_function(
        "([selector, value]) => document.querySelector(selector + ' input').value === value",
        arg=[selector, value],
        timeout=LONG,
    )


def test_a_comparison_goes_with_a_and_b(page):
    open_tab(page, "Leaderboard")
    page.wait_for_function("() => document.querySelector('#board-b input')?.value", timeout=LONG)
    names = [page.locator(f"#board-{which} input").input_value() for which in "ab"]
    page.locator("#board-compare").click()
    table = page.locator("#board-pictures")
    visible(table, "0-0").click()
    source_of(page, "#board-slider")
    assert f"{names[0]} | {names[1]}: 0-0" in page.locator("#board-slider").inner_text()
    assert f"A: {names[0]}, B: {names[1]}" in page.locator("#board-metrics").inner_text()
    open_tab(page, "About")
    open_tab(page, "Leaderboard")  # filled anew, and nothing else is chosen
    page.wait_for_timeout(1000)
    assert page.locator(CELLS).count() > 0
    choose(page, "#board-b", names[0])
    page.wait_for_function("all => !document.querySelector(all)", arg=CELLS, timeout=LONG)
    shown = page.locator("#board-metrics, #board-slider").all_inner_texts()
    assert len(shown) == 2
    assert not any(names[1] in text for text in shown)
    page.locator("#board-compare").click()
    visible(table, "0-0").wait_for(timeout=LONG)
    assert f"A: {names[0]}, B: {names[0]}" in page.locator("#board-metrics").inner_text()


def test_what_was_compared_before_another_choice_is_not_shown(page, monkeypatch):
    open_tab(page, "Leaderboard")
    page.wait_for_function("() => document.querySelector('#board-b input')?.value", timeout=LONG)
    name = page.locator("#board-a input").input_value()
    compare, chosen = reading.comparison, threading.Event()
    monkeypatch.setattr(reading, "comparison", lambda *of: chosen.wait(60) and compare(*of))
    page.locator("#board-compare").click()
    choose(page, "#board-b", name)
    page.wait_for_timeout(500)
    with page.expect_response(lambda r: "run/predict" in r.url, timeout=LONG):
        chosen.set()
    page.wait_for_timeout(500)
    assert page.locator(CELLS).count() == 0


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_on_a_phone_numbers_keep_their_methods_and_tables_their_names(page):
    open_tab(page, "Leaderboard")
    page.get_by_text("Published numbers").click()
    visible(page.locator("#board-published"), "DHAN").wait_for(timeout=LONG)
    for table in ("#board-table", "#board-published"):
        place = page.locator(table)
        place.locator(".virtual-table-viewport").evaluate("e => { e.scrollLeft = 500 }")
        edge = place.bounding_box()["x"]
        for cell in ("[data-heading='1']", "[data-col='1']"):
            box = place.locator(cell).first.bounding_box()
            assert edge <= box["x"] < edge + 4
            assert box["width"] <= 160
        assert place.locator(".label p").bounding_box()["x"] >= edge


@pytest.mark.parametrize("page", [NARROW], indirect=True)
def test_names_and_numbers_are_whole_on_a_narrow_screen(page, monkeypatch):
    """Or on a laptop at 400 %."""
    cut = "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).length"
    text = "### kind\n\n| kind | count | |\n| --- | --- | --- |\n"
    made = f"{text}| occluder_self | 4 | {'#' * 30} |\n"
    monkeypatch.setattr(
        shadow_making, "build_dataset", lambda *_: (keep(b"a zip", "faceshadow.zip"), "", made)
    )
    open_tab(page, "Batch")
    page.locator("#batch-files input[type=file]").set_input_files(str(EXAMPLES / "leaves.jpg"))
    page.locator("#batch-files .stem").wait_for(timeout=LONG)
    assert page.locator("#batch-files .stem").evaluate_all(cut) == 0
    open_tab(page, "Make a shadow")
    page.get_by_text("A small data set from several portraits").click()
    page.locator("#shadow-build").click()
    page.get_by_role("button", name="Statistics").click()
    words = [page.locator(f"#shadow-statistics {cell}").first for cell in ("td", "th")]
    words[0].wait_for(timeout=LONG)
    assert all(word.bounding_box()["height"] < 60 for word in words)
    open_tab(page, "Dataset")
    page.locator("#dataset-gallery button img").nth(23).wait_for(timeout=LONG, state="attached")
    assert page.locator("#dataset-gallery .caption-label").evaluate_all(cut) == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_ends_of_every_slider_are_seen(page):
    open_tab(page, "Dataset")
    page.get_by_role("button", name="Coverage and light").click()
    sliders = page.locator("#dataset-parts input[type=range]")
    sliders.first.wait_for(timeout=LONG)
    assert (
        sliders.evaluate_all(
            "all => all.filter(e => { const box = e.closest('.block').parentElement"
            ".getBoundingClientRect(), end = e.parentElement.lastElementChild"
            ".getBoundingClientRect(); return end.right > box.right - 4 }).length"
        )
        == 0
    )


@pytest.mark.parametrize("page", [PHONE, LAPTOP], indirect=True)
def test_a_chosen_pair_is_seen_and_goes_where_it_is_filtered_out(page):
    open_tab(page, "Dataset")
    thumbnails = page.locator("#dataset-gallery button img")
    thumbnails.nth(23).wait_for(timeout=LONG, state="attached")
    cut = "all => all.filter(e => e.scrollWidth > e.clientWidth).length"
    assert page.locator("#dataset-gallery .caption-label").evaluate_all(cut) == 0
    width = page.locator("#dataset-gallery").bounding_box()["width"]
    assert page.locator("#dataset-gallery .grid-container").evaluate("e => e.scrollWidth") <= width
    thumbnails.first.click()
    facts = page.locator("#dataset-facts")
    facts.get_by_text("occluders").first.wait_for(timeout=LONG)
    page.wait_for_function(
        "() => { const box = document.querySelector('#dataset-pair').getBoundingClientRect();"
        " return box.top >= 0 && box.top < innerHeight - 200 }",
        timeout=LONG,
    )
    own = page.evaluate("() => document.querySelector('#dataset-facts').innerText")
    kinds = ("flat", "occluder", "tint", "none")
    other = next(kind for kind in kinds if f'"{kind}"' not in own)
    choose(page, "#dataset-kind", other)
    facts.wait_for(state="detached", timeout=LONG)
    assert page.locator("#dataset-pair img").count() == 0


def test_a_page_number_out_of_range_is_the_nearest(page):
    open_tab(page, "Dataset")
    page.locator("#dataset-gallery img").nth(23).wait_for(timeout=LONG, state="attached")
    number = page.locator("#dataset-page input")
    for typed, shown, pictures in (("999", "3", 12), ("-3", "1", 24), ("0", "1", 24)):
        number.fill(typed)
        holds(page, "#dataset-page", shown)
        page.wait_for_function(
            "n => document.querySelectorAll('#dataset-gallery button img').length === n",
            arg=pictures,
            timeout=LONG,
        )


def test_pair_and_pictures_are_of_the_present_shadow_and_portrait(page, tmp_path):
    open_tab(page, "Make a shadow")
    source_of(page, "#shadow-result")
    packed = page.locator("#shadow-pair a")
    page.locator("#shadow-pack").click()
    packed.first.wait_for(timeout=LONG)
    page.get_by_label("What stands in the light").first.click()
    page.get_by_role("option", name="leaves").click()
    page.locator("#shadow-facts").get_by_text("leaves").wait_for(timeout=LONG)
    packed.first.wait_for(state="detached", timeout=LONG)
    page.locator("#shadow-pack").click()
    packed.first.wait_for(timeout=LONG)
    with page.expect_download(timeout=LONG) as saved:
        packed.first.click()
    with zipfile.ZipFile(saved.value.path()) as archive:
        assert json.loads(archive.read("metadata.json"))["occluder"] == "leaves"
    Image.new("RGB", (300, 200), "green").save(tmp_path / "noface.jpg")
    page.locator("#shadow-portrait input[type=file]").first.set_input_files(
        str(tmp_path / "noface.jpg")
    )
    page.locator("#shadow-facts").get_by_text("No face found").wait_for(timeout=LONG)
    packed.first.wait_for(state="detached", timeout=LONG)
    assert page.locator("#shadow-result img").count() == 0


def test_a_small_data_set_goes_with_its_portraits(page, monkeypatch):
    begun, exchanged = threading.Event(), threading.Event()

    def build(paths, *_):
        begun.set()
        assert exchanged.wait(60)
        return keep(b"a zip", "faceshadow.zip"), f"{len(paths)} kept", "### kind"

    monkeypatch.setattr(shadow_making, "build_dataset", build)
    open_tab(page, "Make a shadow")
    page.get_by_text("A small data set from several portraits").click()
    portraits, packed = page.locator("#shadow-portraits"), page.locator("#shadow-dataset a")
    report = page.locator("#shadow-report")

    def choose_portraits(*names):
        files = [str(EXAMPLES / f"{name}.jpg") for name in names]
        portraits.locator("input[type=file]").set_input_files(files)
        portraits.get_by_text(names[-1]).first.wait_for(timeout=LONG)

    choose_portraits("portrait", "hand")
    page.locator("#shadow-build").click()
    assert begun.wait(60)
    portraits.get_by_label("Clear").first.click()
    choose_portraits("wall")
    with page.expect_response(lambda r: "run/predict" in r.url, timeout=LONG):
        exchanged.set()
    page.wait_for_timeout(500)
    assert packed.count() == 0
    assert report.get_by_text("2 kept").count() == 0
    page.locator("#shadow-build").click()
    report.get_by_text("1 kept").wait_for(timeout=LONG)
    packed.first.wait_for(timeout=LONG)
    portraits.get_by_label("Clear").first.click()
    packed.first.wait_for(state="detached", timeout=LONG)
    report.get_by_text("1 kept").wait_for(state="detached", timeout=LONG)
