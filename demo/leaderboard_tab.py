"""The Leaderboard tab: ranking, plots, two methods picture by picture, submissions, papers."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from demo import leaderboard_reading as reading
from demo.context import Context
from demo.events import DIRECT, EACH, LATEST, MODEL, PRIVATE, QUIET

if TYPE_CHECKING:
    import pandas as pd

EMPTY = "No results yet. `make bench`, or `learnir-bench run --help`."
RULES = (
    "Rows are ranked only within one set of files under one protocol. **re-scored**: by us, from "
    "pictures; **author-reported**: the authors' own, per picture; **copied**: from a paper, shown "
    "apart, and authors' rows below ours. Intervals are 95 %, bootstrapped over scenes; to be told "
    "apart, two rows need one beside zero and a signed-rank test below 5 %. **†**: seconds of "
    "another day than the newest row's."
)
SUBMIT = (
    "A zip with `submission.json` (`learnir-bench template DATASET PROTOCOL` writes one) and "
    "`results/KEY.png`, or `scores.csv`. Pictures are scored here; names, sizes, hashes and the "
    "input row are checked, and a reason is given where something does not fit."
)


METRICS_LABEL = "A against B"
PICTURES_LABEL = "Picture by picture, widest apart first; choose one"
SLIDER_LABEL = "A | B"
RAW: dict[str, Any] = {**DIRECT, "preprocess": False}
"""Events that read a chooser while its choices change: Gradio would refuse its value."""
PLOTTED = (("psnr", "lpips"), ("seconds", "quality"))
"""x and y of the two plots."""
NAMED = 5
"""Methods that the plots' legends name."""


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

    @property
    def chosen(self) -> list[Any]:
        """The choosers of runs, as event inputs."""
        return [self.row, self.a, self.b]


def build(context: Context, tab: gr.Tab) -> None:
    """Lays the tab out and connects it."""
    folder = context.options.results
    gr.Markdown(RULES, elem_classes="note")
    with gr.Row(elem_id="board-bar"):
        board = gr.Dropdown([], label="Data set and protocol", scale=5, elem_id="board-choice")
        save = gr.DownloadButton("CSV", scale=0, min_width=90, elem_id="board-csv")
    shown = _board_parts(folder)

    def fill(name: str | None, *chosen: str | None) -> tuple[Any, ...]:
        if not name:
            return (gr.skip(),) * len(shown.outputs)
        found = reading.ranked(folder, name)
        return (
            reading.ranking(found),
            *map(_within, reading.plots(found), PLOTTED),
            *_offered(reading.runs(found), chosen),
        )

    def open_tab(chosen: str | None) -> tuple[Any, ...]:
        offered = reading.board_choices(folder)
        if not offered:
            gr.Info(EMPTY)
            return gr.skip(), gr.skip()
        known = chosen if chosen in [v for _, v in offered] else offered[0][1]
        return gr.update(choices=offered, value=known), reading.as_csv(folder, known)

    filled = tab.select(open_tab, [board], [board, save], **QUIET)
    filled.success(fill, [board, *shown.chosen], shown.outputs, **RAW)
    board.input(fill, [board, *shown.chosen], shown.outputs, **RAW).success(
        lambda name: reading.as_csv(folder, name), [board], save, **DIRECT
    )
    _drill_down(context, shown)
    _submission(context, board, save, fill, open_tab, shown)
    _papers(tab)


def _offered(runs: list[tuple[str, str]], chosen: Sequence[str | None]) -> list[Any]:
    """The runs to choose from as row, A and B. What is chosen stays where it is one of them, also
    if it is just being changed; else it is the first, the first and the second."""
    ids = [run for _, run in runs]
    usual = (ids[0], ids[0], ids[min(1, len(ids) - 1)])
    return [
        gr.update(choices=runs) if now in ids else gr.update(choices=runs, value=first)
        for now, first in zip(chosen, usual, strict=True)
    ]


def _board_parts(folder: Path) -> Shown:
    ranking = gr.Dataframe(
        headers=reading.COLUMNS,
        datatype="str",
        interactive=False,
        show_search="filter",
        max_height=420,
        label="Ranking",
        elem_id="board-table",
        elem_classes="named",
    )
    with gr.Row():
        perception = _scatter("Perception against distortion", PLOTTED[0], "PSNR, dB", "LPIPS")
        time = _scatter("Quality against time", PLOTTED[1], "seconds", "main score")
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


def _scatter(title: str, axes: tuple[str, str], x_title: str, y_title: str) -> gr.ScatterPlot:
    """One point a method."""
    return gr.ScatterPlot(
        x=axes[0],
        y=axes[1],
        color="method",
        title=title,
        x_title=x_title,
        y_title=y_title,
        tooltip="all",
        height=300,
        min_width=300,
    )


def _within(points: pd.DataFrame, axes: tuple[str, str]) -> Any:
    """The points, best first, and axes that leave a margin around them: Gradio's cut the outermost.
    The legend has one line, so it names the best only; pointing at the others names them."""
    x, y = (reading.span(points[axis]) for axis in axes)
    named = list(points["method"][:NAMED])
    return gr.update(value=points, x_lim=x, y_lim=y, colors_in_legend=named)


def _drill_down(context: Context, shown: Shown) -> None:
    """Two methods: every metric, then picture by picture, then both results under the slider.

    What is shown belongs to A and B as they are chosen: another choice clears it, and an answer
    that comes after another choice is not shown.
    """
    folder = context.options.results
    compare = gr.Button("Compare A with B", elem_id="board-compare")
    views = _comparison_views()
    metrics, rows, slider = views
    # the latest comparison, row chosen and pictures made; the comparison that is shown
    made, picked, drawn, now = gr.State(), gr.State(), gr.State(), gr.State()
    chosen = [shown.a, shown.b]

    def pick(event: gr.SelectData) -> list[Any]:
        return event.row_value

    def draw(found: reading.Comparison | None, row: list[Any]) -> Any:
        return gr.skip() if found is None else reading.drawn(context, found, str(row[0]))

    compare.click(
        lambda a, b: reading.comparison(folder, a, b),
        chosen,
        made,
        show_progress_on=[metrics, rows],
        **LATEST,
    ).success(_compared, [made, *chosen], [now, *views], **RAW)
    gr.on(
        [c.change for c in chosen],
        _cleared,
        [now, *chosen],
        [now, *views],
        **RAW,
    )
    rows.select(pick, None, picked, **EACH).success(
        draw, [now, picked], drawn, show_progress_on=[slider], **MODEL, **LATEST
    ).success(_drawn, [drawn, now], slider, **DIRECT)


def _compared(found: reading.Comparison | None, a: str | None, b: str | None) -> tuple[Any, ...]:
    """The comparison with its tables and labels; nothing where A or B was changed meanwhile."""
    if found is None or found.runs != (a, b):
        return (gr.skip(),) * 4
    first, second = found.methods
    return (
        found,
        gr.update(value=found.metrics, label=f"A: {first}, B: {second}"),
        gr.update(value=found.pictures, label=f"{first} - {second}: choose a picture"),
        gr.update(value=None, label=f"{first} | {second}"),
    )


def _cleared(found: reading.Comparison | None, a: str | None, b: str | None) -> tuple[Any, ...]:
    """Nothing in the place of a comparison of runs that are no longer chosen."""
    if found is None or found.runs == (a, b):
        return (gr.skip(),) * 4
    labels = (METRICS_LABEL, PICTURES_LABEL, SLIDER_LABEL)
    return None, *(gr.update(value=None, label=label) for label in labels)


def _drawn(ready: reading.Drawn | None, found: reading.Comparison | None) -> Any:
    """Both results of a picture; nothing where another comparison is shown meanwhile."""
    if ready is None or found is None or ready.runs != found.runs:
        return gr.skip()
    return gr.update(value=ready.files, label=ready.label)


def _comparison_views() -> tuple[gr.Dataframe, gr.Dataframe, gr.ImageSlider]:
    metrics = gr.Dataframe(
        headers=reading.COMPARED, interactive=False, label=METRICS_LABEL, elem_id="board-metrics"
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            rows = gr.Dataframe(
                headers=reading.PICTURES,
                interactive=False,
                max_height=420,
                show_search="filter",
                label=PICTURES_LABEL,
                elem_id="board-pictures",
            )
        with gr.Column(scale=5, min_width=300):
            slider = gr.ImageSlider(
                label=SLIDER_LABEL,
                format="png",
                height=420,
                max_height=418,  # within the borders; without it, the picture would be cut
                interactive=False,
                elem_id="board-slider",
            )
    return metrics, rows, slider


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
        fill, [board, *shown.chosen], shown.outputs, **RAW
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
            elem_classes="named",
        )
    tab.select(reading.published_rows, None, table, **DIRECT)
