"""The Dataset tab: filters, a paged gallery, statistics, and one pair with all that is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from demo import dataset_browsing as browsing
from demo.context import Context
from demo.dataset_browsing import CHOICES, PAGE, SPANS, Wanted
from demo.events import DIRECT, EACH, LATEST, QUIET
from demo.parts import SHOWN_BUTTONS, shown_picture

LABELS = {
    "split": "Split",
    "kind": "Kind of shadow",
    "recipe": "Recipe",
    "skin_tone": "Skin tone",
    "source": "Source",
    "occluders": "What stands in the light",
}
Choice = tuple[str, int]
"""A data set's address and the row of a pair in it."""
TO_THE_PAIR = """() => setTimeout(() => {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    document.querySelector("#dataset-pair")?.scrollIntoView(
        {block: "nearest", behavior: calm ? "auto" : "smooth"});
}, 100)"""
"""The pair lies below the gallery: no further than it takes to see its pictures."""
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
    status = gr.Markdown(NONE_HERE if own is None else "…", elem_id="dataset-told")
    with gr.Column(visible=False, elem_id="dataset-parts") as parts:  # until there is something
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=260):
                filters = _filters()
            with gr.Column(scale=8, min_width=320):
                gallery, turn = _gallery()
        pair = _pair()
        with gr.Row():
            plots = [_plot(title) for title in ("Kind of shadow", "Skin tone", "Face in shadow")]
    opened, shown, chosen = gr.State(""), gr.State([]), gr.State()
    page = turn[1]
    found = [gallery, page, status, shown, *plots, chosen, *pair]
    fresh = [opened, parts, *filters[: len(CHOICES)]]

    def find(open_now: str, now: Choice | None, *query: Any) -> tuple[Any, ...]:
        return _found(open_now, now, _wanted(query)) if open_now else (gr.skip(),) * len(found)

    opening = gr.on(
        [load.click, where.submit],
        lambda typed: _open(browsing.address(typed, own)),
        [where],
        fresh,
        show_progress_on=[status],
        **LATEST,
    )
    opening.success(find, [opened, chosen, *filters], found, **DIRECT)
    if own is not None:
        tab.select(
            lambda now: (gr.skip(),) * len(fresh) if now else _open(_own(own)),
            [opened],
            fresh,
            **DIRECT,
        ).success(find, [opened, chosen, *filters], found, **DIRECT)
    gr.on([f.input for f in filters], find, [opened, chosen, *filters], found, **DIRECT)
    gallery.select(_choose, [opened, shown, page], [chosen, *pair], **EACH).success(
        None, js=TO_THE_PAIR, **QUIET
    )
    _connect_pages(gallery, turn, opened, shown)


def _connect_pages(
    gallery: gr.Gallery, turn: tuple[gr.Button, gr.Number, gr.Button], opened: Any, shown: Any
) -> None:
    """The page typed, or the one before or after it, of the pairs ``shown``."""
    before, page, after = turn
    now, turned = [opened, shown, page], [gallery, page]
    page.input(_turn, now, turned, **DIRECT)
    for button, step in ((before, -1), (after, 1)):
        button.click(
            lambda number, indices, step=step: _step(number, len(indices), step),
            [page, shown],
            page,
            **DIRECT,
        ).then(_turn, now, turned, **DIRECT)


def _turn(where: str, indices: list[int], number: float | None) -> tuple[Any, Any]:
    """The gallery's pictures on a page, and its number where another one was asked for."""
    if not where:
        return gr.skip(), gr.skip()
    known = browsing.page_within(number, len(indices))
    pictures = browsing.page_of(browsing.opened(where), np.asarray(indices, int), known)
    typed = gr.skip() if number in (known, None) else known  # None: being typed
    return pictures, typed


def _choose(
    where: str, indices: list[int], number: float | None, event: gr.SelectData
) -> tuple[Any, ...]:
    """The pair that was pressed in the gallery, and the values of ``_pair()`` for it."""
    place = (browsing.page_within(number, len(indices)) - 1) * PAGE + event.index
    if place >= len(indices):
        return (gr.skip(),) * 6
    return (where, indices[place]), *_opened_pair(where, indices[place])


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


def _found(where: str, chosen: Choice | None, wanted: Wanted) -> tuple[Any, ...]:
    """The first page of what a query lets through; the chosen pair goes where it is kept back."""
    browser = browsing.opened(where)
    table = browser.table
    indices = browsing.matching(table, wanted)
    kept = chosen is None or (chosen[0] == where and chosen[1] in indices)
    return (
        browsing.page_of(browser, indices, 1),
        gr.update(value=1, label=f"Page of {browsing.pages(len(indices))}"),
        f"**{len(indices):,}** of {len(table):,} pairs, "
        f"{table['identity'].iloc[indices].nunique():,} people",
        indices.tolist(),
        browsing.counts(table, indices, "kind"),
        browsing.counts(table, indices, "skin_tone"),
        browsing.histogram(table, indices, "coverage", 20),
        *((gr.skip(),) * 6 if kept else (None, gr.update(visible=False), *(None,) * 4)),
    )


def _opened_pair(where: str, index: int) -> tuple[Any, ...]:
    """Values of ``_pair()`` for one of the data set's pairs."""
    layers, parameters = browsing.one(browsing.opened(where), index)
    return gr.update(visible=True), layers["shadow"], layers["clean"], layers["mask"], parameters


def _step(number: float | None, count: int, step: int) -> int:
    return browsing.page_within(browsing.page_within(number, count) + step, count)


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
                ends = (low, f"{label}, from"), (high, "to")
                chosen += [_slider(low, high, value, step, name) for value, name in ends]
    return chosen


def _slider(low: float, high: float, value: float, step: float, label: str) -> gr.Slider:
    """As wide as its ends need: two beside each other would be cut."""
    return gr.Slider(low, high, value, step=step, label=label, min_width=200)


def _gallery() -> tuple[gr.Gallery, tuple[gr.Button, gr.Number, gr.Button]]:
    gallery = gr.Gallery(
        label="Share of the face in shadow; choose one",
        columns=6,
        height="auto",
        format="jpeg",
        object_fit="cover",
        allow_preview=False,
        buttons=SHOWN_BUTTONS,
        interactive=False,
        elem_id="dataset-gallery",
    )
    with gr.Row():
        before = gr.Button("Previous", min_width=90, elem_id="dataset-previous")
        # no limits here: Gradio answers a number beyond them with nothing
        page = gr.Number(1, label="Page of 1", precision=0, elem_id="dataset-page")
        after = gr.Button("Next", min_width=90, elem_id="dataset-next")
    return gallery, (before, page, after)


def _pair() -> list[Any]:
    """What shows the chosen pair, and is hidden until there is one: the whole, three pictures, all
    that is known."""
    with gr.Column(visible=False) as whole, gr.Accordion("The chosen pair", open=True):
        with gr.Row(elem_id="dataset-pair"):
            pictures = [_picture(name) for name in ("Shadowed", "Clean", "Mask")]
        facts = gr.JSON(label="Every parameter", elem_id="dataset-facts", max_height=360)
    return [whole, *pictures, facts]


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
