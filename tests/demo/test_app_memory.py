"""What the app keeps in memory is forgotten as its files are; one step is refused in words."""

from __future__ import annotations

import time
from types import SimpleNamespace

import gradio as gr
import pytest

from demo import (
    dataset_browsing,
    interface,
    restore_events,
    restoring,
    shadow_making,
    storage,
)
from demo.cache import Cache, keep_swept
from demo.context import Context
from demo.engine import Engine
from demo.interface import MOST_SESSIONS
from demo.options import Options
from demo.storage import AGE_S, keep


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_results_are_forgotten_after_their_age_however_often_they_are_looked_at(clock):
    cache = Cache(100, len, 3600, clock)
    cache.put("early", "aaa")
    cache.put("ours", "oo", lasting=True)
    clock.now += 1800
    cache.put("late", "bbbb")
    clock.now += 1799
    assert cache.get("early") == "aaa"
    clock.now += 1
    assert cache.get("early") is None
    assert (cache.get("ours"), cache.get("late"), cache.weight()) == ("oo", "bbbb", 6)
    clock.now += 1800
    cache.sweep()
    assert cache.weight() == 2
    assert cache.get("ours") == "oo"


def test_the_oldest_are_forgotten_beyond_the_limit(clock):
    cache = Cache(6, len, 3600, clock)
    for key in ("a", "b"):
        cache.put(key, "xxx")
    assert cache.get("a") == "xxx"
    cache.put("c", "xxx")
    assert [cache.get(key) for key in ("a", "b", "c")] == ["xxx", None, "xxx"]
    cache.put("large", "x" * 9)
    assert cache.weight() == 9


def test_caches_are_swept_though_nobody_looks_and_another_sweep_fails(clock):
    caches = [Cache(100, len, 3600, clock) for _ in range(2)]
    for cache in caches:
        cache.put("a", "aaa")
    keep_swept([lambda: 1 // 0, *(cache.sweep for cache in caches)], 0.01)
    clock.now += 3600
    deadline = time.monotonic() + 20
    while any(cache.weight() for cache in caches) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [cache.weight() for cache in caches] == [0, 0]


def test_the_served_app_sweeps_all_that_it_keeps_but_its_examples(monkeypatch, tmp_path):
    swept = []
    page = SimpleNamespace(launch=lambda **_: keep(b"x", "upload.png"), block_thread=lambda: None)

    def build(context):
        swept.extend([context.results, keep(b"x", "example.png")])
        return page

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(interface, "build", build)
    monkeypatch.setattr(interface.signal, "signal", lambda *_: None)
    monkeypatch.setattr(interface, "keep_swept", lambda sweeps, _: swept.append(sweeps))
    monkeypatch.setattr(Engine, "start", lambda *_, **__: None)
    monkeypatch.setattr(interface, "_leave", lambda _: None)
    interface.serve(Options())
    cache, example, (*caches, files) = swept
    kept = (cache, shadow_making.PORTRAITS, dataset_browsing.OPENED)
    assert caches == [one.sweep for one in kept]
    assert (files.func, files.args) == (storage.sweep, (frozenset({example}),))


def test_gradio_keeps_the_state_of_so_many_visitors():
    with gr.Blocks() as page:
        gr.Markdown("x")
    page.launch(prevent_thread_lock=True, quiet=True, **interface.launch_options(Options()))
    assert page.app.state_holder.capacity == MOST_SESSIONS
    page.close(verbose=False)


def test_the_apps_caches_forget_after_an_hour_but_not_the_first_result(monkeypatch):
    results = Context(Options(), Engine()).results
    now = Clock()
    monkeypatch.setattr(results, "_clock", now)
    monkeypatch.setattr(restoring, "restore", lambda *_, **__: SimpleNamespace(bytes=1))
    restore_events.first_result(SimpleNamespace(results=results))
    results.put("a page's", SimpleNamespace(bytes=1))
    monkeypatch.setattr(shadow_making.PORTRAITS, "_clock", now)
    monkeypatch.setattr(shadow_making, "_detected", lambda path: f"the face of {path}")
    assert shadow_making.open_portrait("a.jpg") == "the face of a.jpg"
    monkeypatch.setattr(shadow_making, "_detected", lambda path: "anew")
    assert shadow_making.open_portrait("a.jpg") == "the face of a.jpg"
    now.now += AGE_S
    assert shadow_making.open_portrait("a.jpg") == "anew"
    assert results.get("a page's") is None
    assert results.get(restore_events.FIRST) is not None
    shadow_making.PORTRAITS.drop("a.jpg")


def test_one_step_is_refused_in_plain_words():
    def settings(steps):
        return restoring.make_settings(steps, restoring.OWN, restoring.OWN, 0, "auto", 1)

    assert [settings(steps).steps for steps in (0, 2, 20)] == [None, 2, 20]
    with pytest.raises(gr.Error, match="1 step is too few"):
        settings(1)
