"""The app in Chromium: real clicks on every tab; no console error, no request to another host."""

from __future__ import annotations

import json
import re
import time
import zipfile

import pytest
from uploads import EXAMPLES

pytestmark = pytest.mark.slow
LONG = 60_000  # ms: two busy cores


def open_tab(page, name):
    tab = page.get_by_role("tab", name=name, exact=True).first
    if tab.is_visible():
        tab.click()
    else:  # on a phone
        page.locator(".overflow-menu > button").first.click()
        page.locator(".overflow-dropdown").get_by_text(name, exact=True).click()


def visible(place, text):
    """The first text that is seen: tables keep a hidden copy to measure their columns."""
    return place.get_by_text(text).locator("visible=true").first


def source_of(page, selector):
    """The address of a picture, once there is one."""
    picture = page.locator(f"{selector} img").last
    picture.wait_for(timeout=LONG)
    return picture.get_attribute("src")


def changed(page, selector, before):
    """Waits until a picture is another one than ``before``."""
    page.wait_for_function(
        "([selector, before]) => { const all = document.querySelectorAll(selector + ' img');"
        " return all.length && all[all.length - 1].src !== before }",
        arg=[selector, before],
        timeout=LONG,
    )
    return source_of(page, selector)


def finished(page):
    page.wait_for_function(
        "() => !document.querySelector('#restore-slider .progress-text, #restore-slider .eta-bar')",
        timeout=LONG,
    )


def test_an_example_is_restored_and_reblended(page):
    first = source_of(page, "#restore-slider")
    page.locator("#restore-examples button, #restore-examples td").nth(1).click()
    page.locator("#restore-facts").get_by_text("wall.jpg").wait_for(timeout=LONG)
    page.get_by_role("button", name="Remove the shadow").click()
    second = changed(page, "#restore-slider", first)
    page.locator("#restore-facts").get_by_text("mode gain").wait_for(timeout=LONG)
    page.locator("#restore-scores").get_by_text("PSNR, dB").wait_for(timeout=LONG)
    page.locator("#restore-strength input[type=number]").fill("0.4")
    page.locator("#restore-strength input[type=number]").press("Enter")
    changed(page, "#restore-slider", second)


def test_an_upload_is_restored_and_downloaded(page, tmp_path):
    first = source_of(page, "#restore-slider")
    page.locator("#restore-input button[aria-label='Remove Image']").first.click()
    page.locator("#restore-input input[type=file]").set_input_files(str(EXAMPLES / "wall.jpg"))
    page.locator("#restore-facts").get_by_text("wall.jpg").wait_for(timeout=LONG)
    page.get_by_role("button", name="Remove the shadow").click()
    changed(page, "#restore-slider", first)
    with page.expect_download(timeout=LONG) as saved:
        page.locator("#restore-save").click()
    assert saved.value.suggested_filename == "wall-restored.jpg"


def slow_evaluations(app, monkeypatch, seconds) -> list[int]:
    """Runs wait ``seconds(n)`` after each evaluation of the n-th; the numbers of those begun."""
    engine, begun = app.context.engine, []
    run = engine._run

    def slowly(picture, settings, trajectory, progress=None):
        begun.append(len(begun))
        pause = seconds(begun[-1])

        def later(done, total):
            time.sleep(pause)
            progress(done, total)

        return run(picture, settings, trajectory, later)

    monkeypatch.setattr(engine, "_run", slowly)
    return begun


def has_begun(page, begun: list[int], runs: int) -> None:
    deadline = time.monotonic() + 60
    while len(begun) < runs and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    assert len(begun) == runs


def test_a_run_can_be_cancelled(page, app, monkeypatch):
    source_of(page, "#restore-slider")
    begun = slow_evaluations(app, monkeypatch, lambda n: 1.0)
    page.get_by_role("button", name="Remove the shadow").click()
    has_begun(page, begun, 1)
    page.locator("#restore-cancel").click()
    page.get_by_text("Stopped").first.wait_for(timeout=LONG)
    page.wait_for_timeout(2000)  # the evaluation under way ends
    assert page.locator(".toast-body.error").count() == 0
    assert page.locator("#restore-slider .error").count() == 0


def test_the_line_can_be_dragged(page):
    source_of(page, "#restore-slider")
    handle = page.locator("#restore-slider .inner, #restore-slider [role=slider]").first
    handle.wait_for(timeout=LONG)
    box = handle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + box["height"] / 2, steps=6)
    page.mouse.up()
    assert handle.bounding_box()["x"] > box["x"] + 60


def loaded(page, place: str) -> None:
    page.wait_for_function(
        "place => [...document.querySelectorAll(place + ' img')].every(one => one.naturalWidth)",
        arg=place,
        timeout=LONG,
    )


def moved_by_keys(page, place: str) -> None:
    """The line of ``place`` is reached by Tab, moves by every key, and says where it is."""
    line = page.locator(f"{place} [role=slider]")
    line.wait_for(timeout=LONG)
    loaded(page, place)
    page.keyboard.press("Tab")  # so that the focus of what follows is seen
    line.focus()
    assert line.evaluate("line => line.matches(':focus-visible') && line.tabIndex") == 0
    pressed = {"Home": 0, "ArrowRight": 2, "ArrowUp": 4, "PageUp": 24}
    pressed |= {"End": 100, "ArrowLeft": 98, "ArrowDown": 96, "PageDown": 76}
    for key, percent in pressed.items():
        page.keyboard.press(key)
        page.wait_for_function(
            "([place, percent]) => document.querySelector(place + ' [role=slider]')"
            ".getAttribute('aria-valuenow') === `${percent}`",
            arg=[place, percent],
            timeout=5000,
        )
        shown = page.locator(f"{place} img").last.evaluate("one => one.style.clipPath")
        hidden = float(re.fullmatch(r"inset\(0px 0px 0px ([\d.]+)%\)", shown).group(1))
        assert abs(hidden - where_it_is(page, place, percent)) < 0.2
    assert page.evaluate("() => document.activeElement.getAttribute('role')") == "slider"


def where_it_is(page, place: str, percent: float) -> float:
    """The same place in per cent of the box, in whose middle the picture is fitted."""
    width, height, ratio = page.locator(f"{place} img").last.evaluate(
        "one => [one.clientWidth, one.clientHeight, one.naturalWidth / one.naturalHeight]"
    )
    share = min(1, height * ratio / width)
    return 50 + share * (percent - 50)


def test_the_line_moves_by_keys_with_every_result(page):
    first = source_of(page, "#restore-slider")
    moved_by_keys(page, "#restore-slider")
    page.locator("#restore-examples").get_by_role("button", name="wall").click()
    page.locator("#restore-facts").get_by_text("wall.jpg").wait_for(timeout=LONG)
    page.get_by_role("button", name="Remove the shadow").click()
    changed(page, "#restore-slider", first)
    finished(page)
    moved_by_keys(page, "#restore-slider")
    open_tab(page, "Leaderboard")
    visible(page.locator("#board-table"), "retinex").wait_for(timeout=LONG)
    page.locator("#board-compare").click()
    visible(page.locator("#board-metrics"), "psnr").wait_for(timeout=LONG)
    visible(page.locator("#board-pictures"), "0-0").click()
    source_of(page, "#board-slider")
    moved_by_keys(page, "#board-slider")


def test_a_shadow_is_made_and_sent_to_restore(page):
    open_tab(page, "Make a shadow")
    first = source_of(page, "#shadow-result")
    page.locator("#shadow-result").wait_for()
    page.get_by_label("What stands in the light").first.click()
    page.get_by_role("option", name="leaves").click()
    changed(page, "#shadow-result", first)
    page.locator("#shadow-facts").get_by_text("leaves").wait_for(timeout=LONG)
    before = page.locator("#restore-input img").first.get_attribute("src")
    page.locator("#shadow-send").click()
    page.get_by_role("button", name="Remove the shadow").wait_for(timeout=LONG)
    changed(page, "#restore-input", before)


def test_the_dataset_is_filtered_and_a_pair_is_opened(page):
    open_tab(page, "Dataset")
    told = page.locator("#dataset-told")
    told.get_by_text("of 60 pairs").wait_for(timeout=LONG)
    assert page.locator("#dataset-gallery img").count() == 24
    page.locator("#dataset-next").click()
    page.wait_for_function(
        "() => document.querySelector('#dataset-page input').value === '2'", timeout=LONG
    )
    page.locator("#dataset-kind input").click()
    page.get_by_role("option", name="flat", exact=True).click()
    page.wait_for_function(
        "() => !/(^|\\s)60 of/.test(document.querySelector('#dataset-told').innerText)",
        timeout=LONG,
    )
    number = int(re.search(r"(\d+) of 60 pairs", told.inner_text()).group(1))
    assert 0 < number < 60
    page.locator("#dataset-gallery button img").first.click()
    page.locator("#dataset-facts").get_by_text("occluders").first.wait_for(timeout=LONG)
    assert "flat" in page.locator("#dataset-facts").inner_text()


def test_the_leaderboard_is_searched_compared_and_looked_into(page):
    open_tab(page, "Leaderboard")
    table = page.locator("#board-table")
    visible(table, "retinex").wait_for(timeout=LONG)
    assert "input" in table.inner_text()
    page.locator("#board-compare").click()
    visible(page.locator("#board-metrics"), "psnr").wait_for(timeout=LONG)
    visible(page.locator("#board-pictures"), "0-0").click()
    source_of(page, "#board-slider")
    loaded(page, "#board-slider")
    lowest = "parts => Math.max(...parts.map(one => one.getBoundingClientRect().bottom))"
    picture = page.locator("#board-slider img").evaluate_all(lowest)
    assert picture <= page.locator("#board-slider").evaluate_all(lowest)
    search = table.locator("input[placeholder]").first
    search.fill("retinex")
    search.press("Enter")
    page.wait_for_function(
        "() => !document.querySelector('#board-table tbody').innerText.includes('input')",
        timeout=LONG,
    )


@pytest.mark.parametrize("kind", ["hostile", "incomplete"])
def test_a_bad_submission_is_refused_in_words(page, tmp_path, kind):
    bundle = tmp_path / "bundle.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        if kind == "hostile":
            archive.writestr("../../evil.png", b"x")
        else:
            archive.writestr("submission.json", json.dumps({"method": "<b>x</b>"}))
    open_tab(page, "Leaderboard")
    page.get_by_text("Submit results").click()
    page.locator("#board-upload input[type=file]").set_input_files(str(bundle))
    page.locator("#board-upload").get_by_text("bundle").first.wait_for(timeout=LONG)
    page.locator("#board-submit").click()
    page.locator("#board-verdict").get_by_text("Refused").wait_for(timeout=LONG)


def test_a_sound_submission_becomes_a_row(page, submission, results):
    before = set(results.iterdir())
    try:
        open_tab(page, "Leaderboard")
        visible(page.locator("#board-table"), "retinex").wait_for(timeout=LONG)
        page.get_by_text("Submit results").click()
        page.locator("#board-upload input[type=file]").set_input_files(str(submission))
        page.locator("#board-upload").get_by_text("bundle").first.wait_for(timeout=LONG)
        page.locator("#board-submit").click()
        page.locator("#board-verdict").get_by_text("Accepted").wait_for(timeout=LONG)
        visible(page.locator("#board-table"), "Grey").wait_for(timeout=LONG)
    finally:
        for path in set(results.iterdir()) - before:
            path.unlink()


def test_about_shows_equations_and_the_card(page):
    open_tab(page, "About")
    page.locator("#about-method .katex").first.wait_for(timeout=LONG)
    assert "Limits" in page.locator("#about-card").inner_text()


@pytest.mark.parametrize("page", [{"viewport": {"width": 390, "height": 844}}], indirect=True)
def test_a_phone_needs_no_sideways_scrolling(page):
    source_of(page, "#restore-slider")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 392
    assert page.get_by_role("button", name="Remove the shadow").is_visible()


@pytest.mark.parametrize("page", [{"viewport": {"width": 390, "height": 844}}], indirect=True)
def test_on_a_phone_a_long_formula_scrolls_by_itself(page):
    open_tab(page, "About")
    formula = page.locator(".about .katex-display").first
    formula.wait_for(timeout=LONG)
    assert formula.evaluate("e => { e.scrollLeft = 9999; return e.scrollLeft }") > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 392


@pytest.mark.parametrize("page", [{"color_scheme": "dark"}], indirect=True)
def test_dark_mode_is_dark(page):
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", colour)[:3])) < 60


def test_run_and_cancel_are_reached_by_the_keyboard(page):
    source_of(page, "#restore-slider")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.innerText?.trim().slice(0, 30) || ''"))
    assert any("Remove the shadow" in text for text in reached)
    assert any("Cancel" in text for text in reached)
