"""The page's own handlers, called over HTTP as the page calls them, without a browser."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from typing import Any

import httpx
import pytest

from demo import leaderboard_reading, restore_events


def config(app) -> dict[str, Any]:
    return httpx.get(f"{app.url}/config", timeout=60).json()


def part(app, name: str) -> dict[str, Any]:
    """The component with that elem_id."""
    return next(c for c in config(app)["components"] if c["props"].get("elem_id") == name)


def handler(app, name: str, event: str = "click") -> dict[str, Any]:
    """The first handler of an event of the component with that elem_id."""
    target = [part(app, name)["id"], event]
    return next(d for d in config(app)["dependencies"] if target in d["targets"])


def join(app, number: int, data: list[Any], session: str) -> None:
    body = {"data": data, "fn_index": number, "session_hash": session}
    assert httpx.post(f"{app.url}/gradio_api/queue/join", json=body, timeout=60).status_code == 200


def answer(app, number: int, data: list[Any], session: str) -> list[Any]:
    """What a handler of the page returns."""
    join(app, number, data, session)
    address = f"{app.url}/gradio_api/queue/data?session_hash={session}"
    with httpx.stream("GET", address, timeout=60) as stream:
        said = next(line for line in stream.iter_lines() if "process_completed" in line)
    told = json.loads(said.removeprefix("data: "))
    assert told["success"], told
    return told["output"]["data"]


def test_examples_are_there_wherever_the_app_was_started(app, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shown, *_, told = answer(app, handler(app, "restore-examples")["id"], [1], "elsewhere")
    assert httpx.get(shown["url"], timeout=60).status_code == 200
    assert told.startswith("wall.jpg: 512 × 512")


def test_who_leaves_the_page_stops_the_run(app, monkeypatch):
    engine, go = app.context.engine, threading.Event()
    run = engine._run
    monkeypatch.setattr(engine, "_run", lambda *given: go.wait(60) and run(*given))
    settings = [False, 0, "as trained", "as trained", 0, "auto", 1]
    try:
        join(app, handler(app, "restore-run")["id"], [None, None, None, *settings], "leaver")
        under_way = _until(lambda: app.context.runs._flags.get((restore_events.TAB, "leaver")))
        address = f"{app.url}/gradio_api/heartbeat/leaver"
        with httpx.stream("GET", address, timeout=60) as alive:
            lines = alive.iter_lines()  # kept: a generator that is thrown away hangs up
            next(lines)
            assert not under_way.is_set()
        assert under_way.wait(30)
    finally:
        go.set()
    assert _until(lambda: (restore_events.TAB, "leaver") not in app.context.runs._flags)


def test_nothing_is_cancelled_behind_its_back(app):
    """Gradio answers for what it cancels with nothing: an error badge where that comes late."""
    assert [d["id"] for d in config(app)["dependencies"] if d["cancels"]] == []


def _until(found):
    for _ in range(300):
        value = found()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError("waited in vain")


def test_no_point_of_a_plot_lies_on_its_edge(app, results):
    board = leaderboard_reading.board_choices(results)[0][1]
    choice = part(app, "board-choice")["id"]
    opening = next(d for d in config(app)["dependencies"] if d["outputs"][:1] == [choice])
    answer(app, opening["id"], [None], "reader")  # fills the choice
    number = handler(app, "board-choice", "input")["id"]
    _, *plots = answer(app, number, [board], "reader")[:3]
    points = leaderboard_reading.plots(results, board)
    axes = (("psnr", "lpips"), ("seconds", "quality"))
    assert not points[1].empty
    for plot, table, columns in zip(plots, points, axes, strict=True):
        if table.empty:  # without LPIPS the first has no points
            continue
        for name, column in zip(("x_lim", "y_lim"), columns, strict=True):
            low, high = plot[name]
            assert low < table[column].min() <= table[column].max() < high


@pytest.mark.parametrize("values", [[], [None], [float("nan")]])
def test_an_axis_without_numbers_is_left_to_gradio(values):
    assert leaderboard_reading.span(values) is None


def test_an_axis_with_one_number_has_a_width():
    for value in (0.0, -3.0, 0.2, None):
        low, high = leaderboard_reading.span([value, 0.2]) or (0, 0)
        assert low < high


def test_the_dataset_tab_is_empty_until_one_is_open(app, dataset):
    assert part(app, "dataset-parts")["props"]["visible"] is False
    opening = handler(app, "dataset-open")
    assert opening["show_progress_on"] == [part(app, "dataset-told")["id"]]
    opened = answer(app, opening["id"], [dataset.name], "browser")
    shown = opening["outputs"].index(part(app, "dataset-parts")["id"])
    assert opened[shown]["visible"] is True


def test_the_batch_table_gives_the_reason_room_next_to_the_file(app):
    table = part(app, "batch-table")["props"]
    assert table["headers"][:2] == ["file", "message"]
    assert sum(int(width.removesuffix("px")) for width in table["column_widths"][:2]) <= 326


def test_seeds_of_the_page_have_the_limit_of_the_endpoints(app):
    seeds = [c["props"] for c in config(app)["components"] if c["props"].get("label") == "Seed"]
    assert len(seeds) == 3
    assert {seed["maximum"] for seed in seeds} == {2**31 - 1}


@pytest.fixture
def handlers():
    """``handlers(context)``: the restore page's, which name the parts that they set."""
    names = [field.name for field in dataclasses.fields(restore_events.Shown)]
    shown = restore_events.Shown(*names)
    return lambda context: restore_events.Page(context, None, None, None, shown, None)


def test_scores_of_a_result_that_was_cleared_leave_nothing_of_it(handlers):
    page = handlers(None)
    values = dict(zip(page.shown.results, page.score("", 1.0), strict=True))
    assert values["slider"] is None
    assert values["steps"] is None
    assert values["scores"]["visible"] is False
    assert values["save"]["interactive"] is False


def test_a_result_is_scored_once_at_every_strength(app, handlers, monkeypatch):
    """Every page opens with the same result. What could not be had may be had later."""
    told: list[float | None] = [None, 20.0, 30.0]

    def scores(*_):
        return [restore_events.views.Score("PSNR, dB", 10.0, told.pop(0), "")]

    monkeypatch.setattr(restore_events.views, "scores", scores)
    page, strengths = handlers(app.context), (0.9, 0.9, 0.9, 0.4, 0.9)
    tables = [page.score(restore_events.FIRST, s)["scores"]["value"] for s in strengths]
    assert [row[2] for (row,) in tables] == ["–", "20.000", "20.000", "30.000", "20.000"]
    app.context.shelf.get(restore_events.FIRST).scored.clear()
