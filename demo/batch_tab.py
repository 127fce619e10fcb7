"""The Batch tab: many pictures in, one zip with the restored ones and a CSV of what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo import batch, restoring
from demo.context import Context
from demo.events import DIRECT, EACH, QUIET, RUN, look_at
from demo.failures import failures_shown
from demo.runs import Cancelled

TAB = "batch"
NOTHING: tuple[list[list[object]], None] = ([], None)
"""Rows and zip of no batch."""
BEGUN = look_at("#batch-results", "#batch-files .file-preview")
ENDED = look_at("#batch-results", "#batch-zip .file-preview")
"""The table grows at the end: before, a phone may have no room to scroll to."""
COLUMNS = list(batch.COLUMNS)
WIDTHS: list[str | int] = ["115px", "205px", "150px", "70px", "70px", "60px", "80px"]
NOTE = (
    f"JPEG, PNG, WebP or TIFF, 8 or 16 bit, HEIC or AVIF; at most {batch.MOST_FILES} files at a "
    "time. Every file comes back in its own format (HEIC and AVIF as JPEG) and size with its "
    "metadata; a file that cannot be read is listed with the reason, the rest go on."
)


@dataclass(frozen=True)
class Page:
    """What the buttons of the tab do, and the files' own events."""

    context: Context

    def restore(
        self,
        paths: list[str] | None,
        correction: str,
        strength: float,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio injects it
    ) -> Any:
        """Runs the model over the files: these, the table's rows and the zip's path.

        Once stopped, of those that are finished; empty where none is.
        """
        settings = restoring.make_settings(0, correction, restoring.OWN, 0, "auto", strength)
        runs, page, of = self.context.runs, request.session_hash, tuple(paths or ())
        try:
            with failures_shown(), runs.run(TAB, page, of, settings) as flag:
                done = batch.restore_files(self.context, paths or [], settings, progress, flag)
        except Cancelled as end:
            gr.Info(end.said)
            return paths, *NOTHING
        if flag.is_set():
            gr.Info("Stopped.")
        return paths, [line.row() for line in done.lines], done.archive

    def show(self, made: tuple[Any, ...], paths: list[str] | None) -> tuple[Any, ...]:
        """Rows and zip of what was made, none where other files are here by now."""
        return made[1:] if made[0] == paths else NOTHING

    def clear(
        self, made: tuple[Any, ...], paths: list[str] | None, request: gr.Request
    ) -> tuple[Any, ...]:
        """Stops the run of files that are no longer here, and clears what is shown of them.

        A busy server may hear of files after their own run has begun, or ended: that one stays.
        """
        self.context.runs.cancel_other(TAB, request.session_hash, tuple(paths or ()))
        return (gr.skip(), gr.skip()) if paths and made[0] == paths else NOTHING

    def cancel(self, request: gr.Request) -> None:
        """Ends this page's run after the evaluation under way."""
        self.context.runs.cancel(TAB, request.session_hash)


def build(context: Context, blocks: gr.Blocks) -> None:
    """Lays the tab out and connects it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            gr.Markdown(NOTE, elem_classes="note")
            files = gr.File(
                label="Pictures", file_count="multiple", type="filepath", elem_id="batch-files"
            )
            strength = gr.Slider(0, 1.5, 1, step=0.05, label="Strength")
            correction = gr.Dropdown(
                restoring.corrections(context), value=restoring.OWN, label="DPSC correction"
            )
            with gr.Row():
                run = gr.Button("Restore all", variant="primary", elem_id="batch-run")
                cancel = gr.Button("Cancel", min_width=90, scale=0)
        with gr.Column(scale=7, min_width=320, elem_id="batch-results"):
            table = gr.Dataframe(
                headers=COLUMNS,
                column_widths=WIDTHS,
                interactive=False,
                label="What happened to each file",
                elem_id="batch-table",
                wrap=True,
            )
            archive = gr.File(
                label="restored.zip", interactive=False, elem_id="batch-zip", elem_classes="packed"
            )

    page, shown = Page(context), [table, archive]
    made = gr.State((None, *NOTHING))  # the latest: files, rows, zip
    asked = [files, correction, strength]
    run.click(None, None, None, js=BEGUN, **QUIET)  # first: the page awaits one after the other
    running = run.click(page.restore, asked, made, show_progress_on=shown, **RUN)
    ended = running.success(page.show, [made, files], shown, **DIRECT)
    ended.success(None, None, None, js=ENDED, **QUIET)
    for other in (files.upload, files.delete, files.clear):
        other(page.clear, [made, files], shown, **EACH)
    restoring.offer_corrections(context, blocks, correction)
    cancel.click(page.cancel, None, None, **DIRECT)
