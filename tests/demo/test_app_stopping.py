"""Cancel stops the run of its own tab and page, and a batch hands over what it had finished."""

from __future__ import annotations

import csv
import io
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from uploads import EXAMPLES

from demo import batch_tab, restore_events
from demo.context import Context
from demo.engine import Engine, Settings
from demo.options import Options
from demo.runs import Cancellations, Cancelled, Crowded, Repeated, Turns
from learnir.restoration import Restoration

NAMES = ("hand", "wall", "brim")
PAGE = SimpleNamespace(session_hash="a page")
LONG = 60_000
SHOWN = restore_events.Shown(*(field.name for field in fields(restore_events.Shown)))


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


PATHS = [str(EXAMPLES / f"{name}.jpg") for name in NAMES]


def restore_batch(context, progress=lambda *_, **__: None):
    return batch_tab.Page(context).restore(PATHS, "as trained", 1.0, PAGE, progress)


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
    with (
        runs.run("restore", "a") as mine,
        runs.run("batch", "a") as files,
        runs.run("restore", "b") as another,
    ):
        runs.cancel("batch", "a")
        assert [flag.is_set() for flag in (mine, files, another)] == [False, True, False]
        runs.cancel_all("a")
        assert [flag.is_set() for flag in (mine, files, another)] == [True, True, False]
    runs.cancel("batch", "a")  # which has none: nothing happens


def test_a_run_goes_on_while_its_picture_is_the_present_one():
    runs = Cancellations()
    with runs.run("restore", "a", of="hand.jpg") as flag:
        runs.cancel_other("restore", "a", "hand.jpg")
        assert not flag.is_set()
        runs.cancel_other("restore", "a", None)
        assert flag.is_set()
    runs.cancel_other("restore", "a", None)


def test_a_newer_run_is_stopped_though_the_one_before_ends_late():
    runs = Cancellations()
    before = runs.run("restore", "a", of="hand.jpg")
    before.__enter__()
    with runs.run("restore", "a", of="wall.jpg") as newer:
        before.__exit__(None, None, None)
        runs.cancel("restore", "a")
        assert newer.is_set()


@pytest.mark.parametrize("newer", [("wall.jpg", "2 steps"), ("hand.jpg", "5 steps")])
def test_a_newer_run_stops_the_one_before_and_needs_no_place_of_its_own(newer):
    runs = Cancellations(most=1)
    with (
        runs.run("restore", "a", "hand.jpg", "2 steps") as before,
        runs.run("restore", "a", *newer) as flag,
    ):
        assert [before.is_set(), flag.is_set()] == [True, False]


def test_what_is_under_way_is_not_begun_again_unless_it_was_stopped():
    runs = Cancellations()
    with runs.run("restore", "a", "hand.jpg", "2 steps") as flag:
        with pytest.raises(Repeated), runs.run("restore", "a", "hand.jpg", "2 steps"):
            pytest.fail("began again")
        assert not flag.is_set()
        runs.cancel("restore", "a")
        with runs.run("restore", "a", "hand.jpg", "2 steps") as again:
            assert not again.is_set()


def test_no_more_runs_are_begun_than_there_are_threads_for(context):
    runs = Cancellations(most=2)
    with runs.run("restore", "a"), runs.run("restore", "b"):
        with (
            pytest.raises(Crowded, match="2 others are waiting; try again"),
            runs.run("batch", "c"),
        ):
            pytest.fail("was let in")
        full = replace(context, runs=runs)
        with pytest.raises(gr.Error, match="2 others are waiting"):
            restore_batch(full)
    with runs.run("batch", "c"):
        pass


def test_turns_are_taken_in_the_order_of_asking():
    turns, taken, heard = Turns(), [], []

    def ask(name):
        with turns.turn(waiting=lambda before: heard.append((name, before))):
            taken.append(name)

    with turns.turn():
        asking = []
        for n, name in enumerate("abc", 1):
            asking.append(threading.Thread(target=ask, args=(name,)))
            asking[-1].start()
            until(lambda name=name, n=n: (name, n) in heard)
        assert taken == []
    for thread in asking:
        thread.join(10)
    assert taken == ["a", "b", "c"]
    assert [before for name, before in heard if name == "c"] in ([3, 2, 1], [3, 1], [3, 2], [3])


def test_who_waits_can_be_stopped_and_leaves_the_line():
    turns, flag, heard = Turns(), threading.Event(), []
    with turns.turn():
        asking = ThreadPoolExecutor(1)

        def ask():
            with turns.turn(flag, heard.append):
                pytest.fail("had a turn")

        left = asking.submit(ask)
        until(lambda: heard == [1])
        flag.set()
        with pytest.raises(Cancelled):
            left.result(10)
    with turns.turn(waiting=heard.append):
        assert heard == [1]


def until(holds, seconds=10.0):
    """Waits until ``holds()``; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_cancel_on_the_restore_tab_leaves_the_batch_alone(context, model, told):
    restore = SimpleNamespace(context=context)
    model.seen = lambda: restore_events.Page.cancel(restore, PAGE)
    _, rows, _ = restore_batch(context)
    assert column(rows, "output") == [f"{name}-restored.jpg" for name in NAMES]
    assert told == []


def test_a_picture_that_is_removed_takes_its_run_along(context, model, told):
    page = restore_events.Page(context, None, None, None, SHOWN, "token")
    path, settings = str(EXAMPLES / "hand.jpg"), (0, "as trained", "as trained", 0, "auto", 1.0)
    model.seen = at_evaluation(2, lambda: page.clear("", None, PAGE))
    restored = page.restore(path, "", False, *settings, PAGE, lambda *_, **__: None)
    assert restored == gr.skip()
    assert told == ["Stopped."]
    assert context.results.weight() == 0


def test_a_stopped_batch_hands_over_what_is_finished(context, model, told):
    model.seen = at_evaluation(5, pressed(context))  # of the second of three files
    _, rows, archive = restore_batch(context)
    assert column(rows, "output") == ["hand-restored.jpg", "", ""]
    assert column(rows, "message") == ["", *["not restored: stopped before"] * 2]
    with zipfile.ZipFile(archive) as opened:
        assert set(opened.namelist()) == {"hand-restored.jpg", "results.csv"}
        listed = list(csv.DictReader(io.TextIOWrapper(opened.open("results.csv"))))
        assert Image.open(opened.open("hand-restored.jpg")).size == (512, 512)
    assert [row["file"] for row in listed] == [f"{name}.jpg" for name in NAMES]
    assert told == ["Stopped."]


def test_a_batch_stopped_before_its_first_file_leaves_nothing(context, model, told, tmp_path):
    model.seen = at_evaluation(1, pressed(context))
    paths, *nothing = restore_batch(context)
    assert nothing == [[], None]
    assert len(paths) == len(NAMES)
    assert told == ["Stopped."]
    assert files_in(tmp_path) == []


def test_a_batch_says_its_place_in_the_line(context):
    said = []

    def progress(done, *, desc, unit):
        if (done, desc) not in said:
            said.append((done, desc))

    with ThreadPoolExecutor(1) as pool, context.engine.lent():
        batch = pool.submit(restore_batch, context, progress)
        waited = [((0, 3), "Restoring"), ((0, 3), "Waiting: 1 before you")]
        until(lambda: said == waited)
    assert column(batch.result()[1], "output") == [f"{name}-restored.jpg" for name in NAMES]
    assert said == [*waited, ((1, 3), "Restoring"), ((2, 3), "Restoring")]


@pytest.mark.parametrize("present", [PATHS, PATHS[:2], None])
def test_files_that_a_busy_server_hears_of_late_keep_their_batch(context, model, told, present):
    """A run is stopped by files that are not its own, whenever the page's event gets here."""
    page, before = batch_tab.Page(context), (None, *batch_tab.NOTHING)
    model.seen = at_evaluation(5, lambda: page.clear(before, present, PAGE))
    made = restore_batch(context)
    kept = present == PATHS
    assert told == ([] if kept else ["Stopped."])
    assert column(made[1], "output")[1:] == (
        ["wall-restored.jpg", "brim-restored.jpg"] if kept else ["", ""]
    )
    shown = page.clear(made, present, PAGE)  # or when all is done
    assert shown == ((gr.skip(), gr.skip()) if kept else batch_tab.NOTHING)


def test_the_zip_grows_on_the_disk_and_goes_where_a_run_fails(context, model, tmp_path):
    """It may be larger than the memory."""
    sizes = []

    def seen():
        sizes.append(sum(path.stat().st_size for path in files_in(tmp_path)))
        if len(sizes) == 7:  # of the third of three files
            raise OSError("no space left")

    model.seen = seen
    with pytest.raises(OSError, match="no space left"):
        restore_batch(context)
    assert 10_000 < sizes[3] < sizes[6]
    assert files_in(tmp_path) == []


def files_in(folder):
    """All of them, however deep."""
    return [path for path in folder.rglob("*") if path.is_file()]


def pressed(context):
    """A press of the batch's Cancel."""
    return lambda: batch_tab.Page(context).cancel(PAGE)


def test_another_picture_gets_in_between_the_files_of_a_batch(context, model):
    """Nobody with one picture waits for another's hundred."""
    order, alone = [], ThreadPoolExecutor(1)
    single = np.zeros((8, 8, 3), np.uint8)
    asked = []

    def ask():
        heard = threading.Event()
        asked.append(
            alone.submit(context.engine.restore, single, Settings(), waiting=lambda _: heard.set())
        )
        assert heard.wait(10)

    first = at_evaluation(1, ask)
    restore = model.restore

    def noted(picture, **options):
        order.append("one" if picture.shape == single.shape else "batch")
        return restore(picture, **options)

    model.seen, model.restore = first, noted
    restore_batch(context)
    asked[0].result(10)
    assert order == ["batch", "one", "batch", "batch"]


def test_a_run_whose_turn_is_there_is_stopped_all_the_same(context, model):
    """As where the model runs in another process, which reports no progress."""
    flag = threading.Event()
    flag.set()
    model.seen = lambda: pytest.fail("ran the model")
    with pytest.raises(Cancelled):
        context.engine.restore(np.zeros((8, 8, 3), np.uint8), Settings(), flag=flag)


def test_what_another_process_made_after_a_cancel_is_not_shown(context, monkeypatch):
    flag = threading.Event()
    monkeypatch.setattr(context.engine, "_remote", lambda *_: flag.set())
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
    page.get_by_text("Stopped.", exact=True).first.wait_for(timeout=LONG)
    visible(page.locator("#batch-table"), "hand-restored.jpg").wait_for(timeout=LONG)
    visible(page.locator("#batch-table"), "stopped before").wait_for(timeout=LONG)
    page.locator("#batch-zip").get_by_text("restored").first.wait_for(timeout=LONG)


@pytest.mark.slow
def test_files_that_are_exchanged_take_their_batch_along(page, app, monkeypatch):
    from test_app_browser import has_begun, open_tab, slow_evaluations, visible

    begun = slow_evaluations(app, monkeypatch, lambda n: 1.0 if n == 1 else 0.0)
    open_tab(page, "Batch")
    files, table = page.locator("#batch-files"), page.locator("#batch-table")
    pictures = [str(EXAMPLES / f"{name}.jpg") for name in NAMES]
    files.locator("input[type=file]").set_input_files(pictures)
    files.get_by_text("brim").first.wait_for(timeout=LONG)
    page.locator("#batch-run").click()
    has_begun(page, begun, 2)
    files.get_by_label("Clear").first.click()
    files.locator("input[type=file]").set_input_files(str(EXAMPLES / "leaves.jpg"))
    files.get_by_text("leaves").first.wait_for(timeout=LONG)
    page.get_by_text("Stopped.", exact=True).first.wait_for(timeout=LONG)
    page.wait_for_timeout(1000)
    assert len(begun) == 2
    assert "hand-restored" not in table.inner_text()
    assert page.locator("#batch-zip").get_by_text("KB").count() == 0
    page.locator("#batch-run").click()
    visible(table, "leaves-restored.jpg").wait_for(timeout=LONG)
