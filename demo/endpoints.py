"""Named endpoints for gradio_client, curl and MCP: the same calls as the tabs, files in, files out.

Pictures go through invisible gr.File components, so that Gradio itself checks that a path is an
upload; an endpoint is never handed a path of the client's choosing. All other arguments are checked
here, so that a client is told in one line what does not fit.
"""

from __future__ import annotations

import html
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from threading import Event
from typing import Any, Literal

import gradio as gr
from gradio.components.api_component import Api

from benchmarks.timing_days import MARK
from demo import batch, leaderboard_reading, photos, restoring, shadow_making
from demo.checking import (
    SEED,
    Argument,
    Choice,
    Flag,
    Number,
    Text,
    Whole,
    checked,
    one_upload,
    some_uploads,
)
from demo.context import Context
from demo.failures import refusal
from demo.runs import Cancelled, Crowded, Turns
from demo.storage import keep
from learnir.encoding import encode_png

NAMES = ("restore", "restore_batch", "synthesize", "leaderboard", "boards", "submit", "model")
"""Every public endpoint; all else is private."""
CORRECTION = Choice(restoring.CORRECTIONS, restoring.OWN)
STRENGTH = Number(0, 1.5, 1.0)
SAMPLER: dict[str, Argument] = {
    "steps": Whole(0, 50, 0),
    "correction": CORRECTION,
    "scales": Text(restoring.OWN),
    "seed": SEED,
    "mode": Choice(restoring.MODES, "auto"),
    "strength": STRENGTH,
}
LIGHT: dict[str, Argument] = {
    "occluder": Text("random"),
    "azimuth": Number(-180, 180, -60.0),
    "elevation": Number(5, 90, 45.0),
    "distance": Number(10, 5000, 250.0),
    "softness": Number(0.05, 10, 1.0),
    "ambient": Number(0.03, 0.8, 0.22),
    "tint": Number(-0.35, 0.35, 0.12),
    "opacity": Number(0, 1, 1.0),
    "face_shadow": Flag(False),
    "person_only": Flag(True),
    "seed": SEED,
}


def build(context: Context) -> None:
    """Declares every endpoint."""
    with gr.Column(visible=False):
        _restore(context)
        _restore_batch(context)
        _synthesize(context)
        _submit(context)
    _leaderboard(context)
    _model(context)


def _file(label: str, count: Literal["single", "multiple"] = "single") -> gr.File:
    file = gr.File(label=label, type="filepath", file_count=count)
    file.data_model = one_upload(label) if count == "single" else some_uploads(label)
    return file


def _restore(context: Context) -> None:
    line = Turns()

    def restore(
        request: gr.Request,
        picture: str | None,
        steps: int = 0,
        correction: str = restoring.OWN,
        scales: str = restoring.OWN,
        seed: int = 0,
        mode: str = "auto",
        strength: float = 1.0,
        where: str | None = None,
    ) -> tuple[str, str, dict[str, Any]]:
        """Removes the shadow from one picture.

        Args:
            picture: JPEG, PNG, WebP, TIFF, HEIC or AVIF file, at most 50 megapixels and 64 MB.
            steps: sampling steps from 2 on, or 0 = as the model was trained.
            correction: "as trained", "none", "paper", "exact" or "learned".
            scales: "as trained" (as shipped "1,2,2,4,4"), "drm" ("1,1,2,4,4" for five steps),
                "fixed" (1 throughout), or one factor per step.
            seed: of the noise; equal seeds give equal pictures.
            mode: "auto", "gain" or "tile" for pictures larger than the model works on.
            strength: 0 = input, 1 = restored, up to 1.5.
            where: a grey picture of the same proportions: white is restored, black stays as it is.

        Returns:
            The restored file (format, size and metadata of the input), the estimated shadow mask
            as PNG, and facts: width, height, megapixels, mode, seconds, device.
        """
        settings = restoring.make_settings(steps, correction, scales, seed, mode, strength)
        with _in_line(context, line, request) as flag:
            kept = restoring.restore(context, picture, settings, flag=flag, where=where)
            data, name = photos.encode_like(kept.photo, kept.at_strength(settings.strength))
            mask = encode_png(kept.restoration.shadow_mask())
        return keep(data, name), keep(mask, "mask.png"), restoring.facts(context, kept)

    _declare(
        restore,
        _file("picture"),
        SAMPLER,
        [_file("restored"), _file("mask"), gr.JSON(label="facts")],
        _file("where"),
    )


def _restore_batch(context: Context) -> None:
    line = Turns()

    def restore_batch(
        request: gr.Request,
        pictures: list[str] | None,
        correction: str = restoring.OWN,
        strength: float = 1.0,
    ) -> tuple[str, list[dict[str, Any]]]:
        """Removes the shadow from up to 100 pictures.

        Args:
            pictures: JPEG, PNG, WebP, TIFF, HEIC or AVIF files.
            correction: "as trained", "none", "paper", "exact" or "learned".
            strength: 0 = input, 1 = restored, up to 1.5.

        Returns:
            A zip with the restored files and results.csv, and one record per file; a file that
            could not be read has the reason in "message".
        """
        settings = restoring.make_settings(0, correction, restoring.OWN, 0, "auto", strength)
        with _in_line(context, line, request) as flag:
            done = batch.restore_files(
                context, pictures or [], settings, lambda *_, **__: None, flag
            )
        return done.archive, [vars(one) for one in done.lines]

    _declare(
        restore_batch,
        _file("pictures", "multiple"),
        {"correction": CORRECTION, "strength": STRENGTH},
        [_file("archive"), gr.JSON(label="results")],
    )


def _synthesize(context: Context) -> None:
    line = Turns()

    def synthesize(
        request: gr.Request,
        portrait: str | None,
        occluder: str = "random",
        azimuth: float = -60.0,
        elevation: float = 45.0,
        distance: float = 250.0,
        softness: float = 1.0,
        ambient: float = 0.22,
        tint: float = 0.12,
        opacity: float = 1.0,
        face_shadow: bool = False,
        person_only: bool = True,
        seed: int = 0,
    ) -> tuple[str, str, str, dict[str, Any]]:
        """Puts a shadow on a portrait.

        Args:
            portrait: JPEG, PNG, WebP, TIFF, HEIC or AVIF file, a face from the front.
            occluder: what stands in the light, such as "hand" or "leaves"; "random" or "none".
            azimuth: direction of the light in degrees, 0 = from the right, -90 = from above.
            elevation: height of the light above the picture plane in degrees, 5 to 90.
            distance: from the face to what stands in the light, mm.
            softness: angular radius of the light in degrees; sun 0.27, window 8.
            ambient: share of the light that stays in the shadow, linear, 0.03 to 0.8.
            tint: blueness of that light, -0.35 to 0.35.
            opacity: of what stands in the light, 0 to 1.
            face_shadow: nose and brow cast shadows too.
            person_only: the shadow ends at the person.
            seed: equal seeds give equal pictures.

        Returns:
            The shadowed, the clean and the mask picture as PNG, and every parameter.
        """
        settings = shadow_making.make_settings(
            occluder, azimuth, elevation, distance, softness, ambient, tint, opacity,
            face_shadow, person_only, seed,
        )  # fmt: skip
        with _in_line(context, line, request):
            return shadow_making.synthesize(portrait, settings)

    _declare(
        synthesize,
        _file("portrait"),
        LIGHT,
        [_file("shadow"), _file("clean"), _file("mask"), gr.JSON(label="parameters")],
    )


def _submit(context: Context) -> None:
    line = Turns()

    def submit(request: gr.Request, bundle: str | None) -> dict[str, Any]:
        """Checks a submission to the leaderboard and adds it.

        Args:
            bundle: zip with submission.json and results/KEY.png, or scores.csv.

        Returns:
            accepted, reason, and the new row's run id.
        """
        with _in_line(context, line, request):
            accepted, reason, run = leaderboard_reading.submitted(context.options.results, bundle)
        return {"accepted": accepted, "reason": reason, "run": run}

    _declare(submit, _file("bundle"), {}, [gr.JSON(label="verdict")])


def _leaderboard(context: Context) -> None:
    folder = context.options.results

    def boards() -> list[dict[str, str]]:
        """The boards that have results: id and label."""
        with plainly():
            found = leaderboard_reading.board_choices(folder)
        return [{"id": name, "label": label} for label, name in found]

    def leaderboard(board: str) -> list[dict[str, Any]]:
        """The ranking of a board (an id of /boards), best first; scores with 95 % intervals."""
        with plainly():
            if not board:
                raise refusal("board: give an id of /boards.")
            name = checked("board", Text(""), board)
            found = leaderboard_reading.ranked(folder, name)
        table = leaderboard_reading.ranking(found)  # padded and marked, for who reads the page
        rows = ([c.strip(f" {MARK}") if isinstance(c, str) else c for c in row] for row in table)
        return [dict(zip(leaderboard_reading.COLUMNS, row, strict=True)) for row in rows]

    gr.api(boards, api_name="boards")
    gr.api(leaderboard, api_name="leaderboard")


@contextmanager
def _in_line(context: Context, line: Turns, request: gr.Request) -> Iterator[Event]:
    """A call's turn among those of its endpoint: who waits here has no picture in memory yet, and
    takes no place in Gradio's queue, which is one for all pages.

    The flag is raised once the client has left. Raises gr.Error for it, and for a call too many.
    """
    call = uuid.uuid4().hex  # a client may have several
    try:
        with context.calls.run(call, request.session_hash) as flag, line.turn(flag):
            yield flag
    except Crowded as error:
        raise refusal(str(error)) from error
    except Cancelled as error:
        raise refusal("Stopped: the client that asked has left.") from error


@contextmanager
def plainly() -> Iterator[None]:
    """Messages without the entities that keep them text on the page: no page shows these."""
    try:
        yield
    except gr.Error as error:
        raise gr.Error(
            html.unescape(error.message), title=error.title, print_exception=False
        ) from error


def _declare(
    call: Any,
    file: gr.File,
    arguments: dict[str, Argument],
    outputs: list[Any],
    *more: gr.File,
) -> None:
    """An endpoint /NAME for ``call`` of a file, arguments and more files, which need not be given.

    Nothing on the page triggers it.
    """

    @wraps(call)
    def answer(request: gr.Request, path: Any, *values: Any) -> Any:
        with plainly():
            pairs = zip(arguments.items(), values, strict=False)
            known = (checked(name, kind, value) for (name, kind), value in pairs)
            return call(request, path, *known, *values[len(arguments) :])

    # the components of the page would refuse what does not fit in words of their own, or in none
    rest = [Api(kind.default, kind.schema(), name) for name, kind in arguments.items()]
    gr.Button().click(
        answer,
        [file, *rest, *more],
        outputs,
        api_name=call.__name__,
        concurrency_limit=None,  # it waits by itself
    )


def _model(context: Context) -> None:
    def model() -> dict[str, Any]:
        """The model in use: its state, device, configuration and number of parameters."""
        return context.engine.card()

    gr.api(model, api_name="model")
