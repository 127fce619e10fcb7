"""The Leaderboard tab: ranking, plots, two methods picture by picture, submissions, papers."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from demo import leaderboard_reading as reading
from demo.context import DIRECT, MODEL, PRIVATE, QUIET, Context

if TYPE_CHECKING:
    import pandas as pd

EMPTY = "No results yet. `make bench`, or `learnir-bench run --help`."
RULES = (
    "Rows are ranked only within one set of files under one protocol. **re-scored**: by us, from "
    "pictures; **author-reported**: the authors' own, per picture; **copied**: from a paper, shown "
    "apart, and authors' rows below ours. Intervals are 95 %, bootstrapped over scenes; to be told "
    "apart, two rows need one beside zero and a signed-rank test below 5 %."
)
SUBMIT = (
    "A zip with `submission.json` (`learnir-bench template DATASET PROTOCOL` writes one) and "
    "`results/KEY.png`, or `scores.csv`. Pictures are scored here; names, sizes, hashes and the "
    "input row are checked, and a reason is given where something does not fit."
)


PLOTTED = (("psnr", "lpips"), ("seconds", "quality"))
"""x and y of the two plots."""


@dataclass(frozen=True)
class Shown:
    """What a chosen board fills, in this order."""

    ranking: gr.Dataframe
    perception: gr.ScatterPlot
    time: gr.ScatterPlot
    row: gr.Dropdown
    a: gr.Dropdown
    b: gr.Dropdown

    @property
    def outputs(self) -> list[Any]:
        """All of them, as event outputs."""
        return list(vars(self).values())


def build(context: Context, tab: gr.Tab) -> None:
    """Lays the tab out and connects it."""
    folder = context.options.results
    gr.Markdown(RULES, elem_classes="note")
    with gr.Row(elem_id="board-bar"):
        board = gr.Dropdown([], label="Data set and protocol", scale=5, elem_id="board-choice")
        save = gr.DownloadButton("CSV", scale=0, min_width=90, elem_id="board-csv")
    shown = _board_parts(folder)

    def fill(name: str | None) -> tuple[Any, ...]:
        if not name:
            return (gr.skip(),) * len(shown.outputs)
        runs = reading.runs(folder, name)
        first, second = runs[0][1], runs[min(1, len(runs) - 1)][1]
        return (
            reading.ranking(folder, name),
            *map(_within, reading.plots(folder, name), PLOTTED),
            *(gr.update(choices=runs, value=v) for v in (first, first, second)),
        )

    def open_tab(chosen: str | None) -> tuple[Any, ...]:
        offered = reading.board_choices(folder)
        if not offered:
            gr.Info(EMPTY)
            return gr.skip(), gr.skip()
        known = chosen if chosen in [v for _, v in offered] else offered[0][1]
        return gr.update(choices=offered, value=known), reading.as_csv(folder, known)

    filled = tab.select(open_tab, [board], [board, save], **QUIET)
    filled.success(fill, [board], shown.outputs, **DIRECT)
    board.input(fill, [board], shown.outputs, **DIRECT).success(
        lambda name: reading.as_csv(folder, name), [board], save, **DIRECT
    )
    _drill_down(context, shown)
    _submission(context, board, save, fill, open_tab, shown)
    _papers(tab)


def _board_parts(folder: Path) -> Shown:
    ranking = gr.Dataframe(
        headers=reading.COLUMNS,
        datatype="str",
        interactive=False,
        show_search="filter",
        pinned_columns=2,
        max_height=420,
        label="Ranking",
        elem_id="board-table",
    )
    with gr.Row():
        perception = _scatter("Perception against distortion", *PLOTTED[0], "badge")
        time = _scatter("Quality against time", *PLOTTED[1], "metric")
    with gr.Accordion("Make a row again", open=False):
        row = gr.Dropdown([], label="Row", elem_id="board-row")
        text = gr.Code(
            label="Command", language="shell", interactive=False, elem_id="board-command"
        )
        row.change(lambda run: reading.command(folder, run) if run else "", [row], text, **DIRECT)
    with gr.Row():
        a = gr.Dropdown([], label="A", elem_id="board-a")
        b = gr.Dropdown([], label="B", elem_id="board-b")
    return Shown(ranking, perception, time, row, a, b)


def _scatter(title: str, x: str, y: str, color: str) -> gr.ScatterPlot:
    return gr.ScatterPlot(
        x=x, y=y, color=color, title=title, tooltip="all", height=260, min_width=300
    )


def _within(points: pd.DataFrame, axes: tuple[str, str]) -> Any:
    """The points, and axes that leave a margin around them: Gradio's cut the outermost."""
    x, y = (reading.span(points[axis]) for axis in axes)
    return gr.update(value=points, x_lim=x, y_lim=y)


def _drill_down(context: Context, shown: Shown) -> None:
    """Two methods: every metric, then picture by picture, then both results under the slider."""
    folder = context.options.results
    compare = gr.Button("Compare A with B", elem_id="board-compare")
    metrics = gr.Dataframe(
        headers=reading.COMPARED, interactive=False, label="A against B", elem_id="board-metrics"
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            rows = gr.Dataframe(
                headers=["picture", "PSNR A", "PSNR B", "A - B"],
                interactive=False,
                max_height=420,
                show_search="filter",
                label="Picture by picture, widest apart first; choose one",
                elem_id="board-pictures",
            )
        with gr.Column(scale=5, min_width=300):
            slider = gr.ImageSlider(
                label="A | B", format="png", height=420, interactive=False, elem_id="board-slider"
            )
    compare.click(
        lambda a, b: (reading.compared(folder, a, b), reading.picture_table(folder, a, b)),
        [shown.a, shown.b],
        [metrics, rows],
        **PRIVATE,
    )

    def show(a: str, b: str, event: gr.SelectData) -> Any:
        return reading.pictures(folder, a, b, str(event.row_value[0]))

    rows.select(show, [shown.a, shown.b], slider, **MODEL, **PRIVATE)


def _submission(
    context: Context, board: gr.Dropdown, save: Any, fill: Any, open_tab: Any, shown: Shown
) -> None:
    with gr.Accordion("Submit results", open=False):
        gr.Markdown(SUBMIT, elem_classes="note")
        bundle = gr.File(
            label="Submission (zip)", file_types=[".zip"], elem_id="board-upload", type="filepath"
        )
        send = gr.Button("Check and submit", variant="primary", elem_id="board-submit")
        verdict = gr.Markdown(elem_id="board-verdict")

    def submit(path: str | None) -> str:
        accepted, reason, _ = reading.submitted(context.options.results, path)
        return f"**{'Accepted' if accepted else 'Refused'}**: {html.escape(reason)}"

    sent = send.click(submit, [bundle], verdict, **MODEL, **PRIVATE)
    sent.success(open_tab, [board], [board, save], **QUIET).success(
        fill, [board], shown.outputs, **DIRECT
    )


def _papers(tab: gr.Tab) -> None:
    with gr.Accordion("Published numbers (copied from papers, never ranked with ours)", open=False):
        table = gr.Dataframe(
            headers=reading.PUBLISHED,
            datatype="str",
            interactive=False,
            show_search="filter",
            max_height=420,
            wrap=True,
            label="As printed, with protocol, source and red flags",
            elem_id="board-published",
        )
    tab.select(reading.published_rows, None, table, **DIRECT)
