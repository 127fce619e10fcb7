"""The Dataset tab: filters, a paged gallery, statistics, and one pair with all that is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from demo import dataset_browsing as browsing
from demo.context import DIRECT, LATEST, PRIVATE, SHOWN_BUTTONS, Context, shown_picture
from demo.dataset_browsing import CHOICES, PAGE, SPANS, Wanted

LABELS = {
    "split": "Split",
    "kind": "Kind of shadow",
    "recipe": "Recipe",
    "skin_tone": "Skin tone",
    "source": "Source",
    "occluders": "What stands in the light",
}
NONE_HERE = (
    "No data set is open. Type the Hub id of one (owner/name), or start the app with "
    "`python app.py --dataset FOLDER`; `faceshadow build` makes one from portraits."
)


def build(context: Context, tab: gr.Tab) -> None:
    """Lays the tab out and connects it."""
    own = context.options.dataset
    with gr.Row():
        where = gr.Textbox(
            Path(own).name if own else "",
            label="Data set",
            placeholder="owner/name on the Hub",
            scale=4,
            elem_id="dataset-where",
        )
        load = gr.Button("Open", scale=1, min_width=90, elem_id="dataset-open")
    told = gr.Markdown(NONE_HERE if own is None else "…", elem_id="dataset-told")
    with gr.Column(visible=False, elem_id="dataset-parts") as parts:  # until there is something
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=260):
                filters = _filters()
            with gr.Column(scale=8, min_width=320):
                gallery, turn = _gallery()
        with gr.Row():
            plots = [_plot(title) for title in ("Kind of shadow", "Skin tone", "Face in shadow")]
        with gr.Accordion("The chosen pair", open=True):
            with gr.Row():
                pictures = [_picture(name) for name in ("Shadowed", "Clean", "Mask")]
            facts = gr.JSON(label="Every parameter", elem_id="dataset-facts", max_height=360)
    opened, shown = gr.State(""), gr.State([])
    page = turn[1]
    found = [gallery, page, told, shown, *plots]
    fresh = [opened, parts, *filters[: len(CHOICES)]]

    def find(open_now: str, *query: Any) -> tuple[Any, ...]:
        return _found(open_now, _wanted(query), 0) if open_now else (gr.skip(),) * len(found)

    def show(open_now: str, indices: list[int], number: float) -> Any:
        if not open_now:
            return gr.skip()
        return browsing.page_of(
            browsing.opened(open_now), np.asarray(indices, int), int(number or 1) - 1
        )

    def choose(open_now: str, indices: list[int], number: float, event: gr.SelectData) -> Any:
        index = indices[(int(number or 1) - 1) * PAGE + event.index]
        layers, parameters = browsing.one(browsing.opened(open_now), index)
        return layers["shadow"], layers["clean"], layers["mask"], parameters

    opening = gr.on(
        [load.click, where.submit],
        lambda typed: _open(browsing.address(typed, own)),
        [where],
        fresh,
        show_progress_on=[told],
        **PRIVATE,
    )
    opening.success(find, [opened, *filters], found, **DIRECT)
    if own is not None:
        tab.select(
            lambda now: (gr.skip(),) * len(fresh) if now else _open(_own(own)),
            [opened],
            fresh,
            **DIRECT,
        ).success(find, [opened, *filters], found, **DIRECT)
    gr.on([f.input for f in filters], find, [opened, *filters], found, **LATEST)
    page.input(show, [opened, shown, page], gallery, **LATEST)
    for button, step in ((turn[0], -1), (turn[2], 1)):
        button.click(
            lambda number, indices, step=step: _step(number, len(indices), step),
            [page, shown],
            page,
            **DIRECT,
        ).then(show, [opened, shown, page], gallery, **DIRECT)
    gallery.select(choose, [opened, shown, page], [*pictures, facts], **DIRECT)


def _own(own: str) -> str:
    return browsing.address(None, own)


def _open(where: str) -> tuple[Any, ...]:
    """The data set's address, the parts shown, and the choosers filled with its values."""
    offered = browsing.choices(browsing.opened(where).table)
    chosen = (gr.update(choices=offered.get(c, []), value=[]) for c in CHOICES)
    return where, gr.update(visible=True), *chosen


def _wanted(query: tuple[Any, ...]) -> Wanted:
    values = dict(zip(CHOICES, (tuple(v or ()) for v in query), strict=False))
    edges = query[len(CHOICES) :]
    spans = {
        column: (float(edges[2 * i]), float(edges[2 * i + 1])) for i, column in enumerate(SPANS)
    }
    return Wanted(values, spans)


def _found(where: str, wanted: Wanted, number: int) -> tuple[Any, ...]:
    browser = browsing.opened(where)
    table = browser.table
    indices = browsing.matching(table, wanted)
    pages = browsing.pages(len(indices))
    return (
        browsing.page_of(browser, indices, number),
        gr.update(value=1, maximum=pages, label=f"Page of {pages}"),
        f"**{len(indices):,}** of {len(table):,} pairs, "
        f"{table['identity'].iloc[indices].nunique():,} people",
        indices.tolist(),
        browsing.counts(table, indices, "kind"),
        browsing.counts(table, indices, "skin_tone"),
        browsing.histogram(table, indices, "coverage", 20),
    )


def _step(number: float, count: int, step: int) -> int:
    return int(np.clip(int(number or 1) + step, 1, browsing.pages(count)))


def _filters() -> list[Any]:
    """Choosers in the order of CHOICES, then lowest and highest of every span."""
    chosen: list[Any] = [
        gr.Dropdown(
            [], value=[], multiselect=True, label=LABELS[column], elem_id=f"dataset-{column}"
        )
        for column in CHOICES
    ]
    names = {"coverage": "Face in shadow", "light_elevation": "Height of the light, degrees"}
    with gr.Accordion("Coverage and light", open=False):
        for column, (low, high) in SPANS.items():
            label = names.get(column, "Direction of the light, degrees")
            step = 0.01 if column == "coverage" else 1
            with gr.Row():
                chosen.append(gr.Slider(low, high, low, step=step, label=f"{label}, from"))
                chosen.append(gr.Slider(low, high, high, step=step, label="to"))
    return chosen


def _gallery() -> tuple[gr.Gallery, tuple[gr.Button, gr.Number, gr.Button]]:
    gallery = gr.Gallery(
        label="Pairs, shadowed; choose one",
        columns=6,
        height=560,
        format="jpeg",
        object_fit="cover",
        allow_preview=False,
        buttons=SHOWN_BUTTONS,
        interactive=False,
        elem_id="dataset-gallery",
    )
    with gr.Row():
        before = gr.Button("Previous", min_width=90, elem_id="dataset-previous")
        page = gr.Number(1, label="Page of 1", precision=0, minimum=1, elem_id="dataset-page")
        after = gr.Button("Next", min_width=90, elem_id="dataset-next")
    return gallery, (before, page, after)


def _plot(title: str) -> gr.BarPlot:
    return gr.BarPlot(
        x="value",
        y="pairs",
        title=title,
        height=260,
        min_width=240,
        x_title=" ",
        y_lim=[0, None],
        x_label_angle=-30,
    )


def _picture(name: str) -> gr.Image:
    return shown_picture(name, f"{name} picture of the chosen pair", height=260, min_width=160)
