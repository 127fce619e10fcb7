"""Uploads that are refused or cannot be shown, and settings typed by hand, in Chromium."""

from __future__ import annotations

import io
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from test_app_browser import EXAMPLES, LONG, changed, open_tab, source_of

pytestmark = pytest.mark.slow


def upload(page, selector, path):
    page.locator(f"{selector} input[type=file]").first.set_input_files(str(path))


def replace(page, selector, path):
    page.locator(f"{selector} button[aria-label='Remove Image']").first.click()
    upload(page, selector, path)


def restored(page):
    """Restores another picture than the one before, whose result has been cleared."""
    page.wait_for_function("() => !document.querySelector('#restore-slider img')", timeout=LONG)
    page.get_by_role("button", name="Remove the shadow").click()
    source_of(page, "#restore-slider")


def downloaded(page) -> tuple[str, np.ndarray]:
    with page.expect_download(timeout=LONG) as saved:
        page.locator("#restore-save").click()
    data = Path(saved.value.path()).read_bytes()
    name = saved.value.suggested_filename
    if name.endswith(".tiff"):
        return name, tifffile.imread(io.BytesIO(data))
    with Image.open(io.BytesIO(data)) as image:
        return name, np.asarray(image.convert("RGB"))


@pytest.fixture
def deep(tmp_path) -> Path:
    """A 16-bit RGB TIFF of the portrait, mirrored."""
    with Image.open(EXAMPLES / "portrait.jpg") as image:
        picture = np.asarray(image.convert("RGB"), np.uint16)[:, ::-1] * 257
    path = tmp_path / "deep.tiff"
    tifffile.imwrite(path, picture, photometric="rgb")
    return path


@pytest.fixture
def torn(tmp_path) -> Path:
    """A JPEG that ends in the middle."""
    data = (EXAMPLES / "wall.jpg").read_bytes()
    path = tmp_path / "torn.jpg"
    path.write_bytes(data[: len(data) // 2])
    return path


@pytest.fixture
def slowly(monkeypatch) -> threading.Event:
    """Uploads are not looked at before this is set."""
    from demo import restore_events

    now, open_photo = threading.Event(), restore_events.photos.open_photo

    def waiting(path):
        now.wait(60)
        return open_photo(path)

    monkeypatch.setattr(restore_events.photos, "open_photo", waiting)
    return now


def test_a_tiff_is_shown_restored_and_downloaded_as_it_came(page, deep):
    source_of(page, "#restore-slider")
    replace(page, "#restore-input", deep)
    page.locator("#restore-facts").get_by_text("the original is restored").wait_for(timeout=LONG)
    assert "preview.png" in source_of(page, "#restore-input")
    restored(page)
    name, picture = downloaded(page)
    assert name == "deep-restored.tiff"
    assert picture.dtype == np.uint16


def test_a_heic_is_shown_restored_and_downloaded_as_jpeg(page, tmp_path):
    """Named as iPhones do: Chromium knows no type of capitals."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    with Image.open(EXAMPLES / "portrait.jpg") as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "IMG_1.HEIC", "HEIF")
        size = image.size
    source_of(page, "#restore-slider")
    replace(page, "#restore-input", tmp_path / "IMG_1.HEIC")
    page.locator("#restore-facts").get_by_text("the original is restored").wait_for(timeout=LONG)
    assert "preview.png" in source_of(page, "#restore-input")
    restored(page)
    name, picture = downloaded(page)
    assert (name, picture.shape) == ("IMG_1-restored.jpg", (*size[::-1], 3))


@pytest.mark.parametrize("first", ["other.tiff", "torn.jpg"])
def test_what_comes_while_another_is_checked_counts(page, deep, torn, first, slowly):
    """Whatever is chosen and removed before: the last picture is shown, told and restored."""
    other = deep.with_name("other.tiff")
    tifffile.imwrite(other, np.zeros((300, 300, 3), np.uint16), photometric="rgb")
    source_of(page, "#restore-slider")
    page.locator("#restore-input button[aria-label='Remove Image']").first.click()
    upload(page, "#restore-input", deep.with_name(first))
    replace(page, "#restore-input", deep)
    page.locator("#restore-input img").wait_for(timeout=LONG)
    slowly.set()
    page.locator("#restore-facts").get_by_text("deep.tiff").wait_for(timeout=LONG)
    page.wait_for_timeout(1000)  # nothing comes after it
    assert "deep.tiff" in page.locator("#restore-facts").inner_text()
    assert "preview.png" in source_of(page, "#restore-input")
    restored(page)
    assert downloaded(page)[0] == "deep-restored.tiff"


COPY = """async address => {
    const picture = await createImageBitmap(await (await fetch(address)).blob());
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [picture.width, picture.height];
    canvas.getContext("2d").drawImage(picture, 0, 0);
    const png = await new Promise(done => canvas.toBlob(done, "image/png"));
    await navigator.clipboard.write([new ClipboardItem({"image/png": png})]);
}"""


def test_a_picture_is_pasted(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(COPY, source_of(page, "#restore-input"))
    page.locator("#restore-input").get_by_label("Remove Image").click()
    page.locator("#restore-facts").get_by_text("No picture chosen").wait_for(timeout=LONG)
    page.locator("#restore-input").get_by_label("Paste from clipboard").click()
    page.locator("#restore-facts").get_by_text("clipboard.png").wait_for(timeout=LONG)
    restored(page)
    assert downloaded(page)[0] == "clipboard-restored.png"


def test_a_picture_is_taken_with_the_camera(page):
    # as its camera opens, Gradio 6.31 asks how far an upload without a name is, and the server
    # answers 404 after three seconds
    page.route(re.compile("upload_progress.upload_id=$"), lambda asked: asked.fulfill(body=""))
    page.context.grant_permissions(["camera"])
    page.locator("#restore-input").get_by_label("Remove Image").click()
    page.locator("#restore-input").get_by_label("Capture from camera").click()
    page.locator("#restore-input").get_by_text("Click to Access Webcam").click()
    seen = "() => document.querySelector('#restore-input video')?.videoWidth > 0"
    page.wait_for_function(seen, timeout=LONG)
    page.locator("#restore-input").get_by_label("capture photo").click()
    page.locator("#restore-facts").get_by_text("image.png").wait_for(timeout=LONG)
    assert source_of(page, "#restore-input")


def test_a_tiff_gets_a_shadow(page, deep):
    open_tab(page, "Make a shadow")
    first = source_of(page, "#shadow-result")
    replace(page, "#shadow-portrait", deep)
    changed(page, "#shadow-result", first)
    assert "preview.png" in source_of(page, "#shadow-portrait")


def test_after_a_refused_file_nothing_else_is_restored(page, torn):
    source_of(page, "#restore-slider")
    upload(page, "#restore-input", torn)
    page.locator("#restore-facts").get_by_text("torn.jpg").wait_for(timeout=LONG)
    assert page.locator("#restore-input img").count() == 0
    page.get_by_role("button", name="Remove the shadow").click()
    page.get_by_text("Choose a picture first").first.wait_for(timeout=LONG)


@pytest.mark.parametrize(
    ("name", "start", "said"),
    [
        ("clip.mov", b"\0\0\0\x14ftypqt  ", "clip.mov: a video, not a picture; restore it by"),
        ("IMG_1.DNG", b"II*\0", "IMG_1.DNG: a TIFF of a kind that is not read here"),
        ("note.txt", b"Dear", "note.txt: not a readable JPEG, PNG, "),
    ],
)
def test_what_no_browser_takes_for_a_picture_is_refused_in_our_words(
    page, tmp_path, name, start, said
):
    (tmp_path / name).write_bytes(start + bytes(1000))
    source_of(page, "#restore-slider")
    upload(page, "#restore-input", tmp_path / name)
    page.locator("#restore-facts").get_by_text(said).wait_for(timeout=LONG)
    assert page.locator("#restore-input img").count() == 0


def test_after_a_refused_portrait_no_shadow_is_shown(page, torn):
    open_tab(page, "Make a shadow")
    source_of(page, "#shadow-result")
    upload(page, "#shadow-portrait", torn)
    page.locator("#shadow-facts").get_by_text("torn.jpg").wait_for(timeout=LONG)
    assert page.locator("#shadow-result img").count() == 0


def test_the_download_has_the_strength_that_is_shown(page):
    source_of(page, "#restore-slider")
    replace(page, "#restore-input", EXAMPLES / "wall.jpg")
    page.locator("#restore-facts").get_by_text("wall.jpg").wait_for(timeout=LONG)
    restored(page)
    with Image.open(EXAMPLES / "wall.jpg") as image:
        given = np.asarray(image.convert("RGB"), float)

    def departs() -> float:
        return float(np.abs(downloaded(page)[1] - given).mean())

    def settled() -> None:  # the slider's picture is there before the file is
        page.wait_for_timeout(1500)

    whole = departs()
    number = page.locator("#restore-strength input[type=number]")
    before = source_of(page, "#restore-slider")
    number.fill("0.4")
    number.press("Enter")
    before = changed(page, "#restore-slider", before)
    settled()
    typed = departs()
    page.locator("#restore-strength input[type=range]").focus()
    page.keyboard.press("Home")
    changed(page, "#restore-slider", before)
    settled()
    assert typed < 0.7 * whole
    assert departs() < 0.5 * typed


def test_an_empty_seed_is_seed_0(page):
    source_of(page, "#restore-slider")
    replace(page, "#restore-input", EXAMPLES / "brim.jpg")
    page.locator("#restore-facts").get_by_text("brim.jpg").wait_for(timeout=LONG)
    page.get_by_text("Sampler", exact=True).click()
    page.get_by_label("Seed").locator("visible=true").first.fill("")
    restored(page)
    page.locator("#restore-facts").get_by_text("seed 0").wait_for(timeout=LONG)


def test_no_picture_can_be_sent_elsewhere(page):
    source_of(page, "#restore-slider")
    for name in ("Side by side", "What changed"):
        open_tab(page, name)
        page.get_by_label("Fullscreen").locator("visible=true").first.wait_for(timeout=LONG)
    assert page.locator("button[aria-label='Share'], button[title='Share']").count() == 0


def test_cells_of_the_leaderboard_sort_as_numbers_do():
    from demo.leaderboard_reading import _number, _score

    rows = [{"psnr": v, "psnr_low": v - 1, "psnr_high": v + 1} for v in (9.5, 10.2, 110.0)]
    cells = [_score(row, "psnr", 2) for row in rows]
    assert sorted(cells) == cells
    assert cells[0].strip() == "9.50 [8.50, 10.50]"
    assert _number(9.5, 1, 3) < _number(10.2, 1, 3) < _number(110.2, 1, 3)


def served(folder: Path, port: int) -> subprocess.Popen[str]:
    """The app in a process of its own, answering."""
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)],
        cwd=EXAMPLES.parents[1],
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder), "HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for _ in range(600):
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.2)
    return process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_sigterm_removes_the_uploads_and_a_taken_port_is_one_line(tmp_path):
    port = free_port()
    first = served(tmp_path, port)
    try:
        assert list(tmp_path.glob("learnir-app-*"))
        second = served(tmp_path, port)
        told, _ = second.communicate(timeout=120)
        assert second.returncode == 1
        assert "Traceback" not in told
        assert told.strip().splitlines()[-1].startswith("app.py: ")
        assert "--port" in told
        assert "GRADIO" not in told
        first.send_signal(signal.SIGTERM)
        first.wait(timeout=60)
        assert not list(tmp_path.glob("learnir-app-*"))
    finally:
        first.kill()
