"""Named endpoints for gradio_client, curl and MCP: the same calls as the tabs, files in, files out.

Pictures go through invisible gr.File components, so that Gradio itself checks that a path is an
upload; an endpoint is never handed a path of the client's choosing.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from demo import batch, photos, restoring
from demo.context import MODEL, Context
from demo.storage import keep

NAMES = ("restore", "restore_batch", "model")
"""Every public endpoint; all else is private."""


def build(context: Context) -> None:
    """Declares every endpoint."""
    with gr.Column(visible=False):
        _restore(context)
        _restore_batch(context)
    _model(context)


def _file(label: str, **options: Any) -> gr.File:
    return gr.File(label=label, type="filepath", **options)


def _settings() -> list[Any]:
    return [
        gr.Number(0, label="steps", precision=0, minimum=0, maximum=50),
        gr.Dropdown(restoring.CORRECTIONS, value=restoring.OWN, label="correction"),
        gr.Textbox(restoring.OWN, label="scales"),
        gr.Number(0, label="seed", precision=0, minimum=0),
        gr.Radio(restoring.MODES, value="auto", label="mode"),
        gr.Slider(0, 1.5, 1, step=0.01, label="strength"),
    ]


def _restore(context: Context) -> None:
    def restore(
        picture: str | None,
        steps: int = 0,
        correction: str = restoring.OWN,
        scales: str = restoring.OWN,
        seed: int = 0,
        mode: str = "auto",
        strength: float = 1.0,
    ) -> tuple[str, str, dict[str, Any]]:
        """Removes the shadow from one picture.

        Args:
            picture: JPEG, PNG, WebP or TIFF file, at most 50 megapixels and 64 MB.
            steps: sampling steps, 0 = as the model was trained.
            correction: "as trained", "none", "paper", "exact" or "learned".
            scales: "as trained", "drm", "fixed", or one factor per step such as "1,1,2,4,4".
            seed: of the noise; equal seeds give equal pictures.
            mode: "auto", "gain" or "tile" for pictures larger than the model works on.
            strength: 0 = input, 1 = restored, up to 1.5.

        Returns:
            The restored file (format, size and metadata of the input), the estimated shadow mask
            as PNG, and facts: width, height, megapixels, mode, seconds, device.
        """
        settings = restoring.make_settings(steps, correction, scales, seed, mode, strength)
        kept = restoring.restore(context, picture, settings)
        data, name = photos.encode_like(kept.photo, kept.restoration.picture)
        mask = photos.encode_png(kept.restoration.shadow_mask())
        return keep(data, name), keep(mask, "mask.png"), restoring.facts(context, kept)

    _declare(
        restore,
        [_file("picture"), *_settings()],
        [_file("restored"), _file("mask"), gr.JSON(label="facts")],
        **MODEL,
    )


def _restore_batch(context: Context) -> None:
    def restore_batch(
        pictures: list[str] | None, correction: str = restoring.OWN, strength: float = 1.0
    ) -> tuple[str, list[dict[str, Any]]]:
        """Removes the shadow from up to 100 pictures.

        Args:
            pictures: JPEG, PNG, WebP or TIFF files.
            correction: "as trained", "none", "paper", "exact" or "learned".
            strength: 0 = input, 1 = restored, up to 1.5.

        Returns:
            A zip with the restored files and results.csv, and one record per file; a file that
            could not be read has the reason in "message".
        """
        settings = restoring.make_settings(0, correction, restoring.OWN, 0, "auto", strength)
        done = batch.restore_files(context, pictures or [], settings, lambda *_, **__: None)
        return done.archive, [vars(line) for line in done.lines]

    _declare(
        restore_batch,
        [
            _file("pictures", file_count="multiple"),
            gr.Dropdown(restoring.CORRECTIONS, value=restoring.OWN, label="correction"),
            gr.Slider(0, 1.5, 1, step=0.01, label="strength"),
        ],
        [_file("archive"), gr.JSON(label="results")],
        **MODEL,
    )


def _declare(call: Any, inputs: list[Any], outputs: list[Any], **options: Any) -> None:
    """An endpoint /NAME for ``call``; nothing on the page triggers it."""
    gr.Button().click(call, inputs, outputs, api_name=call.__name__, **options)


def _model(context: Context) -> None:
    def model() -> dict[str, Any]:
        """The model in use: its state, device, configuration and number of parameters."""
        return context.engine.card()

    gr.api(model, api_name="model")
