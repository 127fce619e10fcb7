"""The page's own handlers, called over HTTP as the page calls them, without a browser."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import numpy as np
import pytest

from demo import leaderboard_reading, restore_events, restoring, shadow_tab
from demo.failures import failures_shown, refusal
from demo.views import Score, scores


def config(app) -> dict[str, Any]:
    return httpx.get(f"{app.url}/config", timeout=60).json()


def part(app, name: str) -> dict[str, Any]:
    """The component with that elem_id."""
    return next(c for c in config(app)["components"] if c["props"].get("elem_id") == name)


def handler(app, name: str, event: str = "click") -> dict[str, Any]:
    """The server's first handler of an event of the component with that elem_id."""
    target = [part(app, name)["id"], event]
    answered = (d for d in config(app)["dependencies"] if d["backend_fn"])
    return next(d for d in answered if target in d["targets"])


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
        join(app, handler(app, "restore-run")["id"], [None, None, *settings], "leaver")
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


def test_plots_name_the_best_methods_and_no_point_lies_on_their_edge(app, results):
    board = leaderboard_reading.board_choices(results)[0][1]
    choice = part(app, "board-choice")["id"]
    opening = next(d for d in config(app)["dependencies"] if d["outputs"][:1] == [choice])
    answer(app, opening["id"], [None], "reader")  # fills the choice
    number = handler(app, "board-choice", "input")["id"]
    _, *plots = answer(app, number, [board, None, None, None], "reader")[:3]
    points = leaderboard_reading.plots(leaderboard_reading.ranked(results, board))
    axes = (("psnr", "lpips"), ("seconds", "quality"))
    assert not points[1].empty
    for plot, table, columns in zip(plots, points, axes, strict=True):
        if table.empty:  # without LPIPS the first has no points
            continue
        for name, column in zip(("x_lim", "y_lim"), columns, strict=True):
            low, high = plot[name]
            assert low < table[column].min() <= table[column].max() < high
        assert plot["colors_in_legend"] == list(table["method"][:5])


def test_a_chosen_board_is_ranked_once_for_all_that_is_shown_of_it(app, results, monkeypatch):
    """Every result is read for it, and its intervals are bootstrapped: seconds of work."""
    import benchmarks.leaderboard as board_of

    board, counted = leaderboard_reading.board_choices(results)[0][1], []
    for name in ("table", "readable_runs"):
        call = getattr(board_of, name)
        monkeypatch.setattr(
            board_of, name, lambda *of, name=name, call=call: counted.append(name) or call(*of)
        )
    number = handler(app, "board-choice", "input")["id"]
    ranking, *_ = answer(app, number, [board, None, None, None], "reader")
    assert len(ranking["data"]) == 2
    assert sorted(counted) == ["readable_runs", "readable_runs", "table"]


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
    limits = [seed.get("maximum") or seed["info"] for seed in seeds]
    assert all(str(2**31 - 1) in str(limit) for limit in limits)


@pytest.fixture
def handlers():
    """``handlers(context)``: the restore page's, which name the parts that they set."""
    names = [field.name for field in dataclasses.fields(restore_events.Shown)]
    shown = restore_events.Shown(*names)
    return lambda context: restore_events.Page(context, None, None, None, shown, "token")


HAND = restore_events.OPENING
TRUTH = restore_events.hand_over(HAND)[2]


def gone(values) -> bool:
    """Whether a result is cleared."""
    buttons = values["scores"]["visible"], values["save"]["interactive"]
    return (values["token"], values["slider"], values["steps"], *buttons) == (
        "", None, None, False, False,
    )  # fmt: skip


def test_scores_of_a_result_that_was_cleared_leave_nothing_of_it(app, handlers):
    assert gone(handlers(app.context).score("", 1.0, None, None))


@pytest.mark.parametrize("present", [None, "another.jpg"])
def test_a_result_of_another_picture_than_the_present_one_is_forgotten(app, handlers, present):
    """A run may end when its picture was removed or replaced already."""
    page, results = handlers(app.context), app.context.results
    for late in (
        lambda: page.show("mine", 1.0, present),
        lambda: page.score("mine", 1.0, present, TRUTH),
    ):
        results.put("mine", results.get(restore_events.FIRST))
        assert page.show("mine", 1.0, HAND)["slider"] is not None
        assert gone(late())
        assert results.get("mine") is None


def test_the_line_about_a_result_is_not_told_of_another_picture(app, handlers):
    """It takes a while to show a result, and a picture chosen meanwhile has a line of its own."""
    page = handlers(app.context)
    assert page.tell(restore_events.FIRST, HAND).startswith("hand.jpg: **")
    for token, present in ((restore_events.FIRST, "another.jpg"), ("", HAND), ("gone", None)):
        assert page.tell(token, present) == gr.skip()


def test_a_picture_that_a_busy_server_hears_of_late_keeps_its_result(app, handlers):
    page, results = handlers(app.context), app.context.results
    visitor = SimpleNamespace(session_hash="a page")
    results.put("mine", results.get(restore_events.FIRST))
    assert page.clear("mine", HAND, visitor) == gr.skip()
    assert results.get("mine") is not None
    assert gone(page.clear("mine", "another.jpg", visitor))
    assert results.get("mine") is None


@pytest.mark.parametrize("present", [["a.jpg"], ["b.jpg"], [], None])
def test_portraits_that_a_busy_server_hears_of_late_keep_their_data_set(present):
    kept = present == ["a.jpg"]
    assert shadow_tab.unbuilt((["a.jpg"], "faceshadow.zip", "", "", {}), present) == (
        (gr.skip(),) * 4 if kept else shadow_tab.UNBUILT
    )
    assert shadow_tab.unbuilt((None, *shadow_tab.UNBUILT), present) == shadow_tab.UNBUILT


def test_scores_are_those_of_the_present_ground_truth(app, handlers, monkeypatch):
    page = handlers(app.context)
    monkeypatch.setattr(
        restore_events.views, "scores", lambda *pictures: [Score("x", 0, pictures[2].mean(), "")]
    )
    given = [
        page.score(restore_events.FIRST, 0.7, HAND, truth)["scores"]
        for truth in (TRUTH, HAND, None, TRUTH)
    ]
    tables = [table.get("value") for table in given]
    assert tables[0] == tables[3] != tables[1]
    assert given[2]["visible"] is False
    app.context.results.get(restore_events.FIRST).scored.clear()


def test_what_was_scored_takes_no_end(app, handlers, monkeypatch):
    """All pages share the first result."""
    monkeypatch.setattr(restore_events.views, "scores", lambda *_: [Score("x", 0, 0, "")])
    for n in range(restore_events.MOST_SCORED + 3):
        handlers(app.context).score(restore_events.FIRST, n / 1000, HAND, TRUTH)
    scored = app.context.results.get(restore_events.FIRST).scored
    assert len(scored) == 3
    scored.clear()


def test_a_result_names_the_settings_that_are_not_the_checkpoints():
    def told(*values):
        return restoring.chosen(restoring.make_settings(*values, 0, "auto", 1))

    assert told(0, restoring.OWN, restoring.OWN) == []
    assert told(3, "none", "1,1,2") == ["steps 3", "correction none", "scales 1,1,2"]


@pytest.mark.parametrize("branch", [False, True])
def test_a_correction_is_offered_by_models_that_have_it(branch):
    context = SimpleNamespace(engine=SimpleNamespace(has_branch=branch))
    assert ("learned" in restoring.corrections(context)) == branch


def test_nothing_learned_is_offered_by_a_model_without_branch(app):
    """Neither as the page is built nor once the model is loaded."""
    assert not app.context.engine.has_branch
    parts = config(app)["components"]
    chosen = [c for c in parts if c["props"].get("label") == "DPSC correction"]
    assert len(chosen) == 2
    for choice in chosen:
        loads = [d for d in config(app)["dependencies"] if d["outputs"] == [choice["id"]]]
        (update,) = answer(app, loads[0]["id"], [], "opener")
        for offered in (choice["props"]["choices"], update["choices"]):
            assert "learned" not in [name for name, _ in offered]


def test_what_a_refusal_says_is_said_once():
    """Gradio's errors are ValueErrors, and so are those that get a remedy."""
    with pytest.raises(gr.Error) as caught, failures_shown():
        raise refusal("Choose a picture first.")
    assert caught.value.message == "Choose a picture first."
    with pytest.raises(gr.Error) as caught, failures_shown():
        raise ValueError("scales are integers")
    assert caught.value.message == "scales are integers. Change the sampler settings."


def test_a_seed_that_is_none_is_named(app, handlers):
    settings = (0, restoring.OWN, restoring.OWN, -1, "auto", 1.0)
    with pytest.raises(gr.Error, match="Seed: a whole number from 0 to 2147483647, not -1"):
        handlers(app.context).restore(HAND, "", False, *settings, None, None)


def test_scores_of_a_reduced_picture_say_its_size(monkeypatch):
    monkeypatch.setattr("benchmarks.perceptual.lpips", lambda *_: 0.1)
    for width, at in ((1600, ""), (3200, ", reduced to 1600 × 32 px")):
        before, after, truth = (np.full((width // 50, width, 3), n, np.uint8) for n in (9, 5, 4))
        told = [score.note for score in scores(before, after, truth)]
        assert told == [f"{which} is better{at}" for which in ("higher", "higher", "lower")]


def test_a_result_is_scored_once_at_every_strength(app, handlers, monkeypatch):
    """Every page opens with the same result. What could not be had may be had later."""
    told: list[float | None] = [None, 20.0, 30.0]

    def told_scores(*_):
        return [Score("PSNR, dB", 10.0, told.pop(0), "")]

    monkeypatch.setattr(restore_events.views, "scores", told_scores)
    page, strengths = handlers(app.context), (0.9, 0.9, 0.9, 0.4, 0.9)
    shown = [page.score(restore_events.FIRST, s, HAND, TRUTH)["scores"] for s in strengths]
    tables = [table["value"] for table in shown]
    assert [row[2] for (row,) in tables] == ["–", "20.000", "20.000", "30.000", "20.000"]
    app.context.results.get(restore_events.FIRST).scored.clear()
