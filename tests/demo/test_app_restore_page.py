"""The Restore page's result stays that of one picture, one strength, one ground truth; Chromium."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_app_browser import EXAMPLES, LONG, changed, source_of

pytestmark = pytest.mark.slow


@pytest.fixture
def slow(app, monkeypatch):
    """A run takes longer than a few clicks."""
    engine = app.context.engine
    run = engine._run

    def slowly(*given):
        time.sleep(8)
        return run(*given)

    monkeypatch.setattr(engine, "_run", slowly)


def score_of_the_input(page) -> str:
    """PSNR of what was given, as the table of scores shows it."""
    table = page.locator("#restore-scores")
    table.get_by_text("PSNR, dB").locator("visible=true").first.wait_for(timeout=LONG)
    return table.locator("tbody tr").first.locator("td").nth(1).inner_text().strip()


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


def test_a_run_is_scored_and_saved_as_it_is_shown_whatever_moves_meanwhile(page, slow):
    first = source_of(page, "#restore-slider")
    of_hand = score_of_the_input(page)
    page.get_by_role("button", name="Remove the shadow").click()
    page.wait_for_timeout(1000)
    page.locator("#restore-strength input[type=number]").fill("0")
    page.locator("#restore-strength input[type=number]").press("Enter")
    replaced(page, EXAMPLES / "wall.jpg")  # and with it goes the ground truth
    page.locator("#restore-facts").get_by_text("wall.jpg").wait_for(timeout=LONG)
    page.locator("#restore-facts").get_by_text("hand.jpg").wait_for(timeout=LONG)
    assert score_of_the_input(page) == of_hand
    changed(page, "#restore-slider", first)
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
