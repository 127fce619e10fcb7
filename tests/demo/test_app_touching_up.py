"""Touching up: painted parts of a result go back or lose more shadow; on the page and in calls."""

from __future__ import annotations

import io
from pathlib import Path

import gradio as gr
import httpx
import numpy as np
import pytest
from PIL import Image
from test_app_browser import LONG, changed, open_tab, source_of
from test_app_restore_page import downloaded
from uploads import HAND, pixels, upload

from demo import touching_up

RED, LIGHT, DARK = (213, 38, 41, 140), (165, 217, 105, 140), (26, 126, 55, 140)  # as browsers send


def layer(*painted) -> np.ndarray:
    """A layer of 100 x 80 pixels with rectangles (rows, columns, colour)."""
    empty = np.zeros((80, 100, 4), np.uint8)
    for rows, columns, colour in painted:
        empty[rows, columns] = colour
    return empty


def test_red_is_nothing_and_green_is_more_and_what_is_not_painted_is_as_it_was():
    corners = (slice(0, 30), slice(50, 80))
    left, right = slice(0, 40), slice(60, 100)
    factor = touching_up.factor(
        layer((corners[0], left, RED), (corners[1], left, LIGHT), (corners[1], right, DARK))
    )
    assert factor.shape == (80, 100)
    assert (factor[:25, :35] == 0).all()
    np.testing.assert_allclose(factor[55:, :35], 1.2, rtol=1e-6)
    np.testing.assert_allclose(factor[55:, 65:], 1.4, rtol=1e-6)
    np.testing.assert_allclose(factor[:45, 45:], 1, rtol=1e-6)
    assert 0 < factor[30, 20] < 1  # no hard border
    assert touching_up.factor(None) is None
    assert touching_up.factor(layer()) is None


def painting(folder: Path, data: bytes) -> dict:
    (folder / "layer_0.png").write_bytes(data)
    return {"layers": [{"path": str(folder / "layer_0.png")}]}


def png(size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA", size, RED).save(out, "PNG")
    return out.getvalue()


def test_a_painting_is_read_and_none_is_none(tmp_path):
    painted = painting(tmp_path, png((100, 80)))
    assert touching_up.sheet_of(painted, (80, 100)).shape == (80, 100, 4)
    assert touching_up.sheet_of(painted, (2399, 3000)).shape == (80, 100, 4)  # reduced for screens
    assert touching_up.sheet_of(None, (80, 100)) is None
    assert touching_up.sheet_of({"background": None, "layers": None}, (80, 100)) is None


@pytest.mark.parametrize(
    ("data", "times"),
    [(b"no picture", 1), (png((4000, 3200)), 1), (png((80, 80)), 1), (png((100, 80)), 120)],
)
def test_what_is_no_painting_of_this_result_is_refused(tmp_path, data, times):
    painted = painting(tmp_path, data)
    painted["layers"] *= times  # each would be opened
    with pytest.raises(gr.Error, match="Not painted on this result"):
        touching_up.sheet_of(painted, (80, 100))


def test_nothing_is_held_in_memory_for_whoever_posts(app):
    """Gradio's own would make a list as long as the index that it is told."""
    config = httpx.get(f"{app.url}/config").json()
    (number,) = (
        part["id"]
        for part in config["components"]
        if part["props"].get("elem_id") == "restore-canvas"
    )
    body = {"component_id": number, "fn_name": "accept_blobs", "session_hash": "x"}
    blob = {"data": {"type": "layer", "index": 10**6, "file": "", "id": "a"}, "files": []}
    answer = httpx.post(f"{app.url}/gradio_api/component_server", json=body | {"data": blob})
    assert answer.status_code == 404


def test_the_endpoint_restores_where_a_mask_is_white(client, tmp_path):
    mask = np.zeros((256, 256), np.uint8)  # half as large as the picture
    mask[:, 128:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    whole = client.predict(upload(HAND), api_name="/restore")[0]
    where = upload(tmp_path / "mask.png")
    part = client.predict(upload(HAND), where=where, api_name="/restore")[0]
    assert np.abs(pixels(part) - pixels(HAND))[:, :250].mean() < 1  # JPEG
    assert np.abs(pixels(part) - pixels(whole))[:, 262:].mean() < 1
    assert np.abs(pixels(part) - pixels(HAND))[:, 262:].mean() > 3
    Image.fromarray(mask[:100]).save(tmp_path / "low.png")
    with pytest.raises(Exception, match="256 x 100, of a picture 512 x 512"):
        client.predict(
            upload(HAND),
            where=upload(tmp_path / "low.png"),
            api_name="/restore",
        )


def stroke(page) -> None:
    """A horizontal stroke through the middle of the picture."""
    canvas = page.locator("#restore-canvas canvas").first
    canvas.wait_for(timeout=LONG)
    page.wait_for_timeout(1500)  # until the picture is on it
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 60, y)
    page.mouse.down()
    for step in range(13):
        page.mouse.move(x - 60 + 10 * step, y)
    page.mouse.up()
    page.wait_for_timeout(500)


@pytest.mark.slow
def test_what_is_painted_red_comes_back_as_it_was_until_it_is_undone(page):
    first = source_of(page, "#restore-slider")
    restored = downloaded(page)
    given = np.asarray(Image.open(HAND).convert("RGB"), float)
    open_tab(page, "Touch up")
    stroke(page)
    page.get_by_role("button", name="Apply").click()  # and the result is shown
    second = changed(page, "#restore-slider", first)
    page.locator("#restore-scores").get_by_text("PSNR, dB").wait_for(timeout=LONG)
    touched = downloaded(page)
    middle = slice(253, 259), slice(240, 272)
    kept, changed_before = (np.abs(p - given)[middle].mean() for p in (touched, restored))
    assert kept < 0.5 * changed_before  # what is left is JPEG
    assert np.abs(touched - restored)[:150].mean() < 0.2
    open_tab(page, "Touch up")
    page.get_by_role("button", name="Undo all").click()
    open_tab(page, "Before | after")
    changed(page, "#restore-slider", second)
    page.wait_for_timeout(1000)
    assert np.abs(downloaded(page) - restored).mean() < 0.1


@pytest.mark.slow
def test_the_editors_own_bin_leaves_the_picture(page):
    source_of(page, "#restore-slider")
    open_tab(page, "Touch up")
    stroke(page)
    page.locator("#restore-canvas button[aria-label='Clear canvas']").click()
    page.wait_for_timeout(2000)
    box = page.locator("#restore-canvas canvas").first.bounding_box()
    shot = Image.open(io.BytesIO(page.screenshot(clip=box))).convert("RGB")
    assert np.asarray(shot, float).std() > 30  # the picture; a blank page has 7


@pytest.mark.slow
def test_nobody_paints_on_the_result_that_other_pages_open_with(page, app):
    from demo.restore_events import FIRST

    first = source_of(page, "#restore-slider")
    open_tab(page, "Touch up")
    stroke(page)
    page.get_by_role("button", name="Apply").click()  # and the result is shown
    changed(page, "#restore-slider", first)
    assert app.context.results.get(FIRST).factor is None
