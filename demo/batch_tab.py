"""The Batch tab: many pictures in, one zip with the restored ones and a CSV of what happened."""

from __future__ import annotations

from typing import Any

import gradio as gr

from demo import batch, restoring
from demo.context import AT_ONCE, MODEL, PRIVATE, Context
from demo.engine import Cancelled

COLUMNS = list(batch.COLUMNS)
NOTE = (
    f"JPEG, PNG, WebP or TIFF, 8 or 16 bit; at most {batch.MOST_FILES} files at a time. Every file "
    "comes back in its own format and size with its metadata; a file that cannot be read is listed "
    "with the reason, the rest go on."
)


def build(context: Context) -> None:
    """Lays the tab out and connects it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            gr.Markdown(NOTE, elem_classes="note")
            files = gr.File(
                label="Pictures", file_count="multiple", type="filepath", elem_id="batch-files"
            )
            strength = gr.Slider(0, 1.5, 1, step=0.05, label="Strength")
            correction = gr.Dropdown(
                restoring.CORRECTIONS, value=restoring.OWN, label="DPSC correction"
            )
            with gr.Row():
                run = gr.Button("Restore all", variant="primary", elem_id="batch-run")
                cancel = gr.Button("Cancel", min_width=90, scale=0)
        with gr.Column(scale=7, min_width=320):
            table = gr.Dataframe(
                headers=COLUMNS,
                interactive=False,
                label="What happened to each file",
                elem_id="batch-table",
                wrap=True,
            )
            archive = gr.File(
                label="restored.zip", interactive=False, elem_id="batch-zip", elem_classes="packed"
            )

    def restore_all(
        paths: list[str] | None,
        correction: str,
        strength: float,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio injects it
    ) -> Any:
        settings = restoring.make_settings(0, correction, restoring.OWN, 0, "auto", strength)
        flag = context.runs.begin(request.session_hash)
        try:
            done = batch.restore_files(context, paths or [], settings, progress, flag)
        except Cancelled:
            return gr.skip()
        finally:
            context.runs.end(request.session_hash, flag)
        return [line.row() for line in done.lines], done.archive

    def stop(request: gr.Request) -> None:
        stopped = context.runs.cancel(request.session_hash)
        gr.Info("Stopped." if stopped else "Nothing is running.")

    running = run.click(
        restore_all, [files, correction, strength], [table, archive], **MODEL, **PRIVATE
    )
    cancel.click(stop, None, None, cancels=[running], **AT_ONCE)
