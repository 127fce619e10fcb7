"""Cancel stops the run of its own tab and page, and a batch hands over what it had finished."""

from __future__ import annotations

import csv
import io
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from demo import batch_tab, restore_events
from demo.context import Context
from demo.engine import Cancellations, Cancelled, Engine, Settings
from demo.options import Options
from learnir.restoration import Restoration

EXAMPLES = Path(__file__).resolve().parents[2] / "demo" / "examples"
NAMES = ("hand", "wall", "brim")
PAGE = SimpleNamespace(session_hash="a page")
LONG = 60_000


class Doubling:
    """A model of three evaluations that doubles the picture; ``seen`` is called at each."""

    def seen(self):
        """Replaced by tests."""

    def restore(self, picture, *, progress, **_):
        for done in range(3):
            self.seen()
            progress(done + 1, 3)
        brighter = (picture.clip(0, 127) * 2).astype(np.uint8)
        gain = np.ones((4, 4, 3), np.float32)
        return Restoration(brighter, gain, "gain", 0.0, (), picture, None, brighter)


@pytest.fixture
def told(monkeypatch):
    """The messages to the user."""
    messages = []
    monkeypatch.setattr(gr, "Info", messages.append)
    return messages


@pytest.fixture
def model():
    return Doubling()


@pytest.fixture
def context(monkeypatch, tmp_path, told, model):
    """One with that model."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    engine = Engine()
    monkeypatch.setattr(engine, "model", lambda *_: model)
    return Context(Options(), engine)


def restore_batch(context, progress=lambda *_, **__: None):
    paths = [str(EXAMPLES / f"{name}.jpg") for name in NAMES]
    return batch_tab.Page(context).restore(paths, "as trained", 1.0, PAGE, progress)


def column(rows, name):
    return [row[batch_tab.COLUMNS.index(name)] for row in rows]


def at_evaluation(number, act):
    """A ``seen`` that acts at the evaluation with that number."""
    count = iter(range(1, 1000))

    def seen():
        if next(count) == number:
            act()

    return seen


def test_every_tab_and_page_is_stopped_alone():
    runs = Cancellations()
    places = [("restore", "a"), ("batch", "a"), ("restore", "b")]
    begun = {place: runs.begin(*place) for place in places}
    assert runs.cancel("batch", "a") is begun["batch", "a"]
    assert [begun[place].flag.is_set() for place in places] == [False, True, False]
    runs.end("batch", "a", begun["batch", "a"])
    assert runs.cancel("batch", "a") is None
    newer = runs.begin("restore", "a")
    runs.end("restore", "a", begun["restore", "a"])
    assert runs.cancel("restore", "a") is newer


def test_cancel_on_the_restore_tab_leaves_the_batch_alone(context, model, told):
    restore = SimpleNamespace(context=context)
    model.seen = lambda: restore_events.Page.cancel(restore, PAGE)
    rows, _ = restore_batch(context)
    assert column(rows, "output") == [f"{name}-restored.jpg" for name in NAMES]
    assert set(told) == {"Nothing is running here any more."}


def stopping(context, left):
    """A press of the batch's Cancel; ``left`` gets what it will show."""
    return lambda: left.append(context.runs.cancel("batch", PAGE.session_hash).left)


def test_a_stopped_batch_hands_over_what_is_finished(context, model):
    left = []
    model.seen = at_evaluation(5, stopping(context, left))  # of the second of three files
    rows, archive = restore_batch(context)
    assert left[0].result(0) == (rows, archive)
    assert column(rows, "output") == ["hand-restored.jpg", "", ""]
    assert column(rows, "message") == ["", *["not restored: stopped before"] * 2]
    with zipfile.ZipFile(archive) as opened:
        assert set(opened.namelist()) == {"hand-restored.jpg", "results.csv"}
        listed = list(csv.DictReader(io.TextIOWrapper(opened.open("results.csv"))))
        assert Image.open(opened.open("hand-restored.jpg")).size == (512, 512)
    assert [row["file"] for row in listed] == [f"{name}.jpg" for name in NAMES]


def test_a_batch_stopped_before_its_first_file_leaves_nothing(context, model):
    left = []
    model.seen = at_evaluation(1, stopping(context, left))
    assert restore_batch(context) == gr.skip()
    assert left[0].result(0) is None


@pytest.mark.parametrize("finished", [None, ([["a.jpg"]], "restored.zip")])
def test_cancel_on_the_batch_tab_shows_what_the_run_has_left(context, told, finished):
    page = batch_tab.Page(context)
    assert page.stop(PAGE) == gr.skip()
    context.runs.begin("batch", PAGE.session_hash).left.set_result(finished)
    assert page.stop(PAGE) == (finished or gr.skip())
    assert told[0] == "Nothing is running here any more."
    assert told[1].startswith("Stopped.")
    assert ("zip" in told[1]) == (finished is not None)


def test_a_run_whose_turn_is_there_is_stopped_all_the_same(context, model):
    """As where the model runs in another process, which reports no progress."""
    flag = threading.Event()
    flag.set()
    model.seen = lambda: pytest.fail("ran the model")
    with pytest.raises(Cancelled):
        context.engine.restore(np.zeros((8, 8, 3), np.uint8), Settings(), flag=flag)


@pytest.mark.slow
def test_cancel_shows_the_finished_files_on_the_page(page, app, monkeypatch):
    from test_app_browser import has_begun, open_tab, slow_evaluations, visible

    begun = slow_evaluations(app, monkeypatch, lambda n: 2.0 if n else 0.0)
    open_tab(page, "Batch")
    files = [str(EXAMPLES / f"{name}.jpg") for name in NAMES]
    page.locator("#batch-files input[type=file]").set_input_files(files)
    page.locator("#batch-files").get_by_text("brim").first.wait_for(timeout=LONG)
    page.locator("#batch-run").click()
    has_begun(page, begun, 2)
    page.get_by_role("button", name="Cancel").locator("visible=true").first.click()
    page.get_by_text("Stopped. What was finished").first.wait_for(timeout=LONG)
    visible(page.locator("#batch-table"), "hand-restored.jpg").wait_for(timeout=LONG)
    visible(page.locator("#batch-table"), "stopped before").wait_for(timeout=LONG)
    page.locator("#batch-zip").get_by_text("restored").first.wait_for(timeout=LONG)
