"""What happens on the Restore tab: choosing a picture, running, cancelling, re-blending, saving."""

from __future__ import annotations

import html
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from demo import photos, restoring, views
from demo.checking import SEED, checked
from demo.context import Context, Kept
from demo.engine import Settings
from demo.events import CHOSEN, DIRECT, EACH, LIVE, QUIET, RUN, SCORED, look_at
from demo.failures import failures_shown
from demo.runs import WAITING, Cancelled
from demo.storage import EXAMPLES, keep
from learnir.encoding import encode_png
from learnir.images import ImageError

TAB = "restore"
FIRST = "first"
"""Token of the example that every page opens with."""
OPENING = str(EXAMPLES / "hand.jpg")
MOST_SCORED = 64
"""Scores that are kept of a result."""
LOOK = look_at("#restore-results", "#restore-input img")
FORGOTTEN = "This result has left the memory: press *Remove the shadow* again."


@dataclass(frozen=True)
class Source:
    """The handles through which another tab hands a picture over."""

    shown: gr.Image
    path: gr.State
    truth: gr.Image
    truth_path: gr.State
    truth_facts: gr.Markdown
    facts: gr.Markdown

    @property
    def outputs(self) -> list[Any]:
        """What a hand-over sets: shown, its path, shadow-free picture, its path, two lines."""
        return list(vars(self).values())


@dataclass(frozen=True)
class Shown:
    """Where a result is shown."""

    slider: gr.ImageSlider
    before: gr.Image
    after: gr.Image
    gain: gr.Image
    mask: gr.Image
    change: gr.Image
    steps: gr.Gallery
    canvas: gr.ImageEditor
    scores: gr.Dataframe
    save: gr.DownloadButton

    @property
    def outputs(self) -> list[Any]:
        """All of them, as event outputs."""
        return list(vars(self).values())


@dataclass(frozen=True)
class Controls:
    """Sampler settings, in the order ``restoring.make_settings`` takes them."""

    steps: gr.Slider
    correction: gr.Dropdown
    scales: gr.Textbox
    seed: gr.Number
    mode: gr.Radio
    strength: gr.Slider

    @property
    def inputs(self) -> list[Any]:
        """As event inputs."""
        return [self.steps, self.correction, self.scales, self.seed, self.mode, self.strength]


@dataclass(frozen=True)
class Page:
    """The tab's parts, and the events between them; ``token`` is a key of ``context.results``."""

    context: Context
    source: Source
    controls: Controls
    wanted: gr.Checkbox
    shown: Shown
    token: gr.State

    def connect_source(self, samples: gr.Dataset, paths: Sequence[str]) -> None:
        """Uploads are checked when they arrive; an example brings its ground truth along.

        The latest counts, also where it comes while the one before is being checked: every choice
        is answered with its own picture, one after the other.
        Whatever puts another picture here, or none, stops the run of the one before and clears its
        result; another ground truth, or none, scores the result anew.
        """
        source, scores = self.source, self.shown.scores
        _, removed = on_choice(
            source.shown,
            [source.path, source.facts, source.truth, source.truth_path, source.truth_facts],
            lambda *taken: (*taken, None, None, ""),  # another picture has another truth
        )
        _, unjudged = on_choice(
            source.truth,
            [source.truth_path, source.truth_facts, scores],
            lambda *taken: (*taken, gr.update(visible=False)),
        )
        now = [self.token, source.path]
        for gone in (source.path.change, removed.then):  # a direct event changes no state aloud
            self.then_score(gone(self.clear, now, self.result, **DIRECT))
        for judged in (source.truth_path.change, unjudged.then):
            self.score_on(judged)
        samples.click(lambda number: hand_over(paths[number]), [samples], source.outputs, **CHOSEN)

    def connect_run(self, run: gr.Button, cancel: gr.Button) -> None:
        """Run and cancel; strength re-blends while it moves, and the download follows."""
        path, strength = self.source.path, self.controls.strength
        now = [self.token, strength]
        run.click(None, None, None, js=LOOK, **QUIET)  # first: the page awaits one after the other
        running = run.click(
            self.restore,
            [path, self.token, self.wanted, *self.controls.inputs],
            self.token,
            show_progress_on=[self.shown.slider],
            **RUN,
        )
        self.then_judge(running.success(self.show, [*now, path], self.result, **DIRECT))
        cancel.click(self.cancel, None, None, **DIRECT)
        view = [self.shown.slider, self.shown.after]
        moved = strength.input(self.blend, now, view, **DIRECT)  # arrow keys have no release
        self.then_score(moved.then(self.save, now, [self.shown.save], **LIVE))

    def connect_load(self, blocks: gr.Blocks) -> None:
        """A page opens with the example's result, once there is one."""
        settled = blocks.load(lambda: self.context.engine.settle(60), None, None, **DIRECT)
        now = [self.source.path, self.controls.strength]
        self.then_judge(settled.success(self.open, now, self.result, **DIRECT))

    def then_judge(self, shown: Any) -> None:
        """The line about the result, which takes the place of the picture's, and the scores."""
        shown.success(self.tell, [self.token, self.source.path], self.source.facts, **DIRECT)
        self.then_score(shown)

    def then_score(self, done: Any) -> None:
        """The scores; and nothing of it all where the result was cleared while it was shown."""
        self.score_on(done.success)

    def score_on(self, event: Callable[..., Any]) -> None:
        """The same whenever ``event`` comes."""
        source = self.source
        now = [self.token, self.controls.strength, source.path, source.truth_path]
        event(self.score, now, self.result, **SCORED)

    def open(self, path: str | None, strength: float) -> Any:
        """The first result's token and views, unless another picture is here by now."""
        kept = self.context.results.get(FIRST)
        if path != OPENING or kept is None:
            return gr.skip()
        return FIRST, *self.views(kept, strength)

    @property
    def result(self) -> list[Any]:
        """What is set where a result is shown or cleared."""
        return [self.token, *self.shown.outputs]

    def clear(self, token: str, path: str | None, request: gr.Request) -> Any:
        """Stops the run and forgets the result of a picture that is no longer here.

        ``path`` is that of the present one, which may have its own result already where a busy
        server hears of it late. Values of ``result``.
        """
        self.context.runs.cancel_other(TAB, request.session_hash, path)
        kept = self.context.results.get(token)
        return gr.skip() if kept is not None and kept.path == path else self.forget(token)

    def forget(self, token: str) -> dict[Any, Any]:
        """Drops a result, but for the one that all pages open with: values of ``result``."""
        if token != FIRST:
            self.context.results.drop(token)
        return dict.fromkeys(self.result) | {
            self.token: "",
            self.shown.scores: gr.update(visible=False),
            self.shown.save: gr.update(value=None, interactive=False),
        }

    def restore(
        self,
        path: str | None,
        token: str,
        wanted: bool,
        steps: float,
        correction: str,
        scales: str,
        seed: float,
        mode: str,
        strength: float,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio injects it
    ) -> Any:
        """Runs the model: the token of the result; nothing once cancelled."""
        seed = checked("Seed", SEED, seed)
        settings = restoring.make_settings(steps, correction, scales, seed, mode, strength)
        runs, page = self.context.runs, request.session_hash
        progress(0, desc="Waiting for the model")
        try:
            with failures_shown(), runs.run(TAB, page, path, (settings, wanted)) as flag:
                kept = restoring.restore(
                    self.context,
                    path,
                    settings,
                    progress=partial(report, progress),
                    flag=flag,
                    waiting=lambda n: progress(0, desc=WAITING.format(n)),
                    trajectory=wanted,
                )
        except Cancelled as end:
            gr.Info(end.said)
            return gr.skip()
        token = uuid.uuid4().hex if token in ("", FIRST) else token
        self.context.results.put(token, kept)
        return token

    def show(self, token: str, strength: float, path: str | None) -> Any:
        """Values of ``shown.outputs`` for the result, if there is one.

        It is forgotten where it was made from another picture than the present one.
        """
        kept = self.context.results.get(token)
        if kept is None:
            return gr.skip()
        if kept.path != path:
            return self.forget(token)
        return dict(zip(self.shown.outputs, self.views(kept, strength), strict=True))

    def tell(self, token: str, path: str | None) -> Any:
        """A line about the result; nothing where another picture is here by now."""
        kept = self.context.results.get(token)
        if kept is None or kept.path != path:
            return gr.skip()
        return restoring.facts_line(self.context, kept)

    def views(self, kept: Kept, strength: float) -> tuple[Any, ...]:
        """Every view of a result, in the order of ``shown.outputs``."""
        before, after = kept.photo.picture, kept.at_strength(strength)
        result = kept.restoration
        small = views.preview(before, views.SMALL_SIDE), views.preview(after, views.SMALL_SIDE)
        steps = [
            (picture, f"t = {t}, at 1/{scale} resolution")
            for t, scale, picture in result.trajectory
        ]
        return (
            (seen(views.preview(before)), seen(views.preview(after))),
            *map(seen, small),
            views.gain_map(result.gain),
            views.preview(result.shadow_mask(), views.SMALL_SIDE),
            views.difference(*small),
            steps,
            small[1],
            gr.update(visible=False),
            gr.update(value=save_file(kept, after), interactive=True),
        )

    def score(self, token: str, strength: float, path: str | None, truth: str | None) -> Any:
        """Scores of the result against the present ground truth; hidden without one.

        Values of ``result``: nothing is left where the result was cleared meanwhile, or is that of
        another picture.
        """
        kept = self.context.results.get(token)
        if not token or (kept is not None and kept.path != path):
            return self.forget(token)
        if kept is None or not truth:
            return {self.shown.scores: gr.update(visible=False)}
        rows = kept.scored.get((truth, strength))
        if rows is None:
            with failures_shown("Choose the same picture without its shadow."):
                target = photos.open_photo(truth).picture
                rows = views.scores(kept.photo.picture, kept.at_strength(strength), target)
            if all(score.after is not None for score in rows):  # else there may be more later
                if len(kept.scored) >= MOST_SCORED:
                    kept.scored.clear()
                kept.scored[truth, strength] = rows
        table = [score.row() for score in rows]
        return {self.shown.scores: gr.update(value=table, visible=True)}

    def blend(self, token: str, strength: float) -> tuple[Any, Any]:
        """Slider and side-by-side view at another strength."""
        kept = self.context.results.get(token)
        if kept is None:
            return gr.skip(), gr.skip()
        after = kept.at_strength(strength)
        pair = seen(views.preview(kept.photo.picture)), seen(views.preview(after))
        return pair, seen(views.preview(after, views.SMALL_SIDE))

    def save(self, token: str, strength: float) -> Any:
        """The download at another strength."""
        kept = self.context.results.get(token)
        if kept is None:
            if token:
                gr.Warning(FORGOTTEN)
            return gr.skip()
        return save_file(kept, kept.at_strength(strength))

    def cancel(self, request: gr.Request) -> None:
        """Stops this page's run after the evaluation under way."""
        self.context.runs.cancel(TAB, request.session_hash)


def report(progress: gr.Progress, done: int, total: int) -> None:
    """Network evaluations on Gradio's progress bar."""
    progress((done, total), desc="Removing the shadow", unit="evaluations")


def on_choice(
    picture: gr.Image, others: Sequence[Any], answer: Callable[..., tuple[Any, ...]]
) -> tuple[Any, Any]:
    """Binds choosing and removing a picture; returns both events, for what follows.

    ``answer`` turns what ``take`` returns into values of ``picture`` and ``others``. Removing is
    bound separately: ``input`` may come before the browser has dropped the picture, and would bring
    it back.
    """
    outputs = [picture, *others]
    chosen = picture.upload(lambda raw: answer(*take(raw)), [picture], outputs, **CHOSEN)
    return chosen, picture.clear(lambda: answer(*take(None)), None, outputs, **EACH)


def take(raw: dict[str, Any] | None) -> tuple[Any, str | None, str]:
    """A picture the user chose: itself or a preview of it, its path, a line about it.

    ``raw`` is the browser's file record, whose path Gradio has found to be an upload. A file that
    is none we can read clears the picture, so that nobody restores the one before it instead.
    """
    if not raw:
        return gr.skip(), None, "No picture chosen."
    try:
        photo = photos.open_photo(raw.get("path") or "")
    except (ImageError, MemoryError) as error:
        message = html.escape(str(error) or "Out of memory: choose a smaller picture.")
        gr.Warning(message, title="Not possible")
        return None, None, message
    line = _line(photo)
    if photos.shown_by_browsers(photo):
        return raw["path"], raw["path"], line
    preview = keep(encode_png(views.preview(photo.picture)), "preview.png")
    return preview, raw["path"], f"{line} (preview; the original is restored)"


def _line(photo: photos.Photo) -> str:
    return f"{photo.name}: {photo.size_text}"


def hand_over(path: str) -> tuple[str, str, str | None, str | None, str, str]:
    """Values of ``Source.outputs`` for an example or a picture made here.

    ``NAME-clean.jpg`` beside it is its ground truth.
    """
    truth = Path(path).with_name(f"{Path(path).stem}-clean{Path(path).suffix}")
    known = str(truth) if truth.exists() else None
    return path, path, known, known, "", _line(photos.open_photo(path))


def seen(picture: Any) -> str:
    """Path of a preview that is looked at and not saved."""
    return keep(photos.encode_preview(picture), "preview.jpg")


def save_file(kept: Kept, picture: Any) -> str:
    """Path of the result in the format and with the metadata of the upload."""
    data, name = photos.encode_like(kept.photo, picture)
    return keep(data, name)


def first_result(context: Context) -> None:
    """Restores the example that pages open with; it also warms the model up."""
    first = restoring.restore(context, OPENING, Settings())
    context.results.put(FIRST, first, lasting=True)  # ours, and every page opens with it
    import benchmarks.perceptual  # noqa: F401 - slow to import: not in a user's time
