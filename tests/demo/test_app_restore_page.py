"""The Restore page's result stays that of one picture, one strength, one ground truth; Chromium."""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_app_browser import (
    EXAMPLES,
    LONG,
    changed,
    finished,
    has_begun,
    open_tab,
    slow_evaluations,
    source_of,
    visible,
)

from demo.shadow_making import MOST_PORTRAITS

pytestmark = pytest.mark.slow


@pytest.fixture
def held(app, monkeypatch):
    """Runs wait for the second of the two; the first lists those that have begun."""
    engine, begun, let_go = app.context.engine, [], threading.Event()
    run = engine._run

    def holding(*given):
        begun.append(len(begun))
        let_go.wait(60)
        return run(*given)

    monkeypatch.setattr(engine, "_run", holding)
    yield begun, let_go
    let_go.set()


def score_of_the_input(page) -> str:
    """PSNR of what was given, as the table of scores shows it."""
    table = page.locator("#restore-scores")
    table.get_by_text("PSNR, dB").locator("visible=true").first.wait_for(timeout=LONG)
    found = re.search(r"PSNR, dB\s+(\d+\.\d+)", table.inner_text())
    assert found
    return found.group(1)


def downloaded(page) -> np.ndarray:
    with page.expect_download(timeout=LONG) as saved:
        page.locator("#restore-save").click()
    data = Path(saved.value.path()).read_bytes()
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), float)


def example(page, name: str) -> None:
    page.locator("#restore-examples").get_by_role("button", name=name).click()


def replaced(page, path: Path) -> None:
    remove = page.locator("#restore-input button[aria-label='Remove Image']")
    remove.first.click()
    remove.first.wait_for(state="detached", timeout=LONG)
    page.wait_for_timeout(500)  # no hand is faster, and the answer to the removal could come last
    page.locator("#restore-input input[type=file]").set_input_files(str(path))


def test_a_run_is_scored_and_saved_as_it_is_shown_whatever_moves_meanwhile(page, held):
    first = source_of(page, "#restore-slider")
    of_hand = score_of_the_input(page)
    begun, let_go = held
    page.get_by_role("button", name="Remove the shadow").click()
    has_begun(page, begun, 1)
    page.locator("#restore-strength input[type=number]").fill("0")
    page.locator("#restore-strength input[type=number]").press("Enter")
    page.wait_for_timeout(1500)  # the new strength has arrived
    let_go.set()
    changed(page, "#restore-slider", first)
    finished(page)
    assert score_of_the_input(page) == of_hand
    page.wait_for_timeout(1500)
    given = np.asarray(Image.open(EXAMPLES / "hand.jpg").convert("RGB"), float)
    assert np.abs(downloaded(page) - given).mean() < 1


@pytest.mark.parametrize("kind", ["example", "upload", "refused"])
def test_a_new_picture_takes_the_result_of_the_one_before_away(page, tmp_path, kind):
    source_of(page, "#restore-slider")
    score_of_the_input(page)
    chosen = EXAMPLES / "wall.jpg"
    if kind == "refused":
        chosen = tmp_path / "torn.jpg"
        chosen.write_bytes((EXAMPLES / "wall.jpg").read_bytes()[:9000])
    if kind == "example":
        example(page, "wall")
    else:
        replaced(page, chosen)
    page.locator("#restore-facts").get_by_text(chosen.name).wait_for(timeout=LONG)
    page.wait_for_function("() => !document.querySelector('#restore-slider img')", timeout=LONG)
    page.wait_for_function(
        "() => !document.querySelector('#restore-scores')?.offsetParent", timeout=LONG
    )
    assert page.locator("#restore-save").is_disabled()


@pytest.mark.parametrize("kind", ["removed", "example"])
def test_a_run_ends_with_its_picture(page, app, monkeypatch, kind):
    source_of(page, "#restore-slider")
    replaced(page, EXAMPLES / "brim.jpg")
    page.locator("#restore-facts").get_by_text("brim.jpg").wait_for(timeout=LONG)
    page.wait_for_function("() => !document.querySelector('#restore-slider img')", timeout=LONG)
    begun = slow_evaluations(app, monkeypatch, lambda n: 1.0)
    page.get_by_role("button", name="Remove the shadow").click()
    has_begun(page, begun, 1)
    if kind == "removed":
        page.locator("#restore-input button[aria-label='Remove Image']").first.click()
    else:
        example(page, "wall")
    told = "No picture chosen." if kind == "removed" else "wall.jpg: 512 × 512 px (0.26 MP)"
    page.locator("#restore-facts").get_by_text(told).wait_for(timeout=LONG)
    page.get_by_text("Stopped.").first.wait_for(timeout=LONG)
    page.wait_for_timeout(1500)
    assert page.locator("#restore-slider img").count() == 0
    assert page.locator("#restore-facts").inner_text().strip() == told


def test_another_picture_is_restored_though_the_run_before_is_still_ending(page, held):
    """Gradio would drop the press. One that repeats what is under way changes nothing."""
    source_of(page, "#restore-slider")
    begun, let_go = held
    run, facts = (
        page.get_by_role("button", name="Remove the shadow"),
        page.locator("#restore-facts"),
    )
    run.dblclick()
    page.get_by_text("Under way already.").first.wait_for(timeout=LONG)
    has_begun(page, begun, 1)
    example(page, "wall")
    facts.get_by_text("wall.jpg").wait_for(timeout=LONG)
    run.click()
    page.wait_for_timeout(1500)  # the press has arrived
    let_go.set()
    facts.get_by_text("mode gain").wait_for(timeout=LONG)
    page.wait_for_function(  # once Gradio's clock over it has gone
        "() => document.querySelector('#restore-facts').innerText.startsWith('wall.jpg')",
        timeout=LONG,
    )
    assert len(begun) == 2


def test_scores_are_those_of_the_ground_truth_that_is_there(page):
    source_of(page, "#restore-slider")
    of_hand, table = score_of_the_input(page), page.locator("#restore-scores")
    told = page.locator("#restore-facts").inner_text()
    page.get_by_text("Shadow-free picture, to score the result").click()
    page.locator("#restore-truth button[aria-label='Remove Image']").click()
    table.wait_for(state="hidden", timeout=LONG)
    before = source_of(page, "#restore-slider")
    page.locator("#restore-strength input[type=number]").fill("0.5")
    page.locator("#restore-strength input[type=number]").press("Enter")
    changed(page, "#restore-slider", before)
    page.wait_for_timeout(2000)
    assert table.is_hidden()
    page.locator("#restore-truth input[type=file]").set_input_files(str(EXAMPLES / "brim.jpg"))
    page.locator("#restore-truth-facts").get_by_text("brim.jpg").wait_for(timeout=LONG)
    assert score_of_the_input(page) != of_hand
    assert page.locator("#restore-facts").inner_text() == told


def test_factors_of_a_schedule_are_taken_as_typed(page):
    page.get_by_text("Sampler", exact=True).click()
    factors = page.locator("#restore-scales textarea, #restore-scales input").first
    while factors.input_value() != "1,2":  # what has just been unfolded takes its own value late
        factors.fill("1,2")
        page.wait_for_timeout(500)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Remove the shadow").click()
    toast(page, "5 steps need 5 scales s(1..T'), got (1, 2). Change the sampler settings.")


def test_what_is_missing_is_said_in_the_same_words_on_every_tab(page):
    page.locator("#restore-input button[aria-label='Remove Image']").first.click()
    page.locator("#restore-facts").get_by_text("No picture chosen.").wait_for(timeout=LONG)
    page.get_by_role("button", name="Remove the shadow").click()
    toast(page, "Choose a picture first: upload one or take an example.")
    open_tab(page, "Batch")
    page.locator("#batch-run").click()
    toast(page, "Choose some pictures first.")
    open_tab(page, "Make a shadow")
    page.get_by_text("A small data set from several portraits").click()
    page.locator("#shadow-build").click()
    toast(page, f"Choose 1 to {MOST_PORTRAITS} portraits; larger sets: faceshadow build.")


def toast(page, text: str) -> None:
    """Waits for a message of exactly that text."""
    page.locator(".toast-body").get_by_text(text, exact=True).first.wait_for(timeout=LONG)


PHONE = {"viewport": {"width": 390, "height": 844}}


@pytest.mark.parametrize(
    ("page", "jumps"), [(PHONE, True), ({}, False)], indirect=["page"], ids=["phone", "desk"]
)
def test_a_run_is_seen_to_begin(page, held, jumps):
    """Where the result is below the fold, and only there; with nothing to restore nobody moves."""
    begun, let_go = held
    open_tab(page, "Batch")
    run = page.locator("#batch-run")
    run.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    run.click()
    toast(page, "Choose some pictures first.")
    page.wait_for_timeout(700)
    assert page.evaluate("scrollY") == before
    page.locator("#batch-files input[type=file]").set_input_files(str(EXAMPLES / "wall.jpg"))
    page.locator("#batch-files").get_by_text("wall").first.wait_for(timeout=LONG)
    run.click()
    has_begun(page, begun, 1)
    page.wait_for_timeout(1500)
    assert (page.evaluate("scrollY") > before) == jumps
    let_go.set()
    visible(page.locator("#batch-table"), "wall-restored.jpg").wait_for(timeout=LONG)
    page.wait_for_timeout(1500)
    assert page.locator("#batch-table").bounding_box()["y"] < 844 - 250
    let_go.clear()
    open_tab(page, "Restore")
    page.evaluate("scrollTo(0, 0)")
    page.get_by_role("button", name="Remove the shadow").click()
    has_begun(page, begun, 2)
    page.wait_for_timeout(1500)
    assert (page.evaluate("scrollY") > 100) == jumps
    assert page.locator("#restore-slider").bounding_box()["y"] < 400


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_on_a_phone_both_halves_of_a_tall_picture_are_one(page, tmp_path):
    """And all of the screen is theirs where they are enlarged; what is saved is the whole file."""
    wall = Image.open(EXAMPLES / "wall.jpg")
    wall.crop((100, 0, 400, wall.height)).save(tmp_path / "tall.png")
    replaced(page, tmp_path / "tall.png")
    page.locator("#restore-facts").get_by_text("tall.png").wait_for(timeout=LONG)
    page.get_by_role("button", name="Remove the shadow").click()
    slider = page.locator("#restore-slider")
    page.wait_for_function(
        "() => { const two = [...document.querySelectorAll('#restore-slider img')];"
        " return two.length === 2 && two.every(e => e.naturalHeight) }",
        timeout=LONG,
    )
    finished(page)
    before, after = (picture.bounding_box() for picture in slider.locator("img").all())
    box = slider.bounding_box()
    assert before == after
    assert box["y"] <= before["y"]
    assert before["y"] + before["height"] <= box["y"] + box["height"]
    assert slider.get_by_role("button", name="Download").count() == 0
    slider.get_by_role("button", name="Fullscreen").click()
    page.wait_for_timeout(1500)
    assert slider.bounding_box()["height"] > 800


def test_a_batch_is_shown_beside_its_own_files(page):
    open_tab(page, "Batch")
    files, zipped = page.locator("#batch-files"), page.locator("#batch-zip")
    table = page.locator("#batch-table")
    for removal in ("Remove this file", "Clear"):
        pictures = [str(EXAMPLES / f"{name}.jpg") for name in ("wall", "brim")]
        if removal != "Clear":
            files.locator("input[type=file]").set_input_files(pictures)
        files.get_by_text("brim").first.wait_for(timeout=LONG)
        page.locator("#batch-run").click()
        visible(table, "brim-restored.jpg").wait_for(timeout=LONG)
        zipped.get_by_text("KB").first.wait_for(timeout=LONG)
        files.get_by_label(removal).first.click()
        zipped.get_by_text("KB").first.wait_for(state="detached", timeout=LONG)
        assert "brim-restored" not in table.inner_text()
