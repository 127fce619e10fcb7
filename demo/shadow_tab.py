"""The Make-a-shadow tab: a portrait, a light, something in its way, and the pair they make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from dataset_tools.recipe import RECIPES
from demo import shadow_making
from demo.checking import MOST_SEED
from demo.context import Context
from demo.events import CHOSEN, DIRECT, EACH, LATEST, LIVE, PRIVATE
from demo.parts import shown_picture
from demo.restore_events import Source, hand_over, on_choice
from demo.storage import EXAMPLES

PORTRAIT = str(EXAMPLES / "portrait.jpg")
FORMATS = ["imagefolder", "parquet", "webdataset"]


@dataclass(frozen=True)
class Shown:
    """Where a made shadow is shown."""

    shadow: gr.Image
    mask: gr.Image
    visibility: gr.Image
    depth: gr.Image
    landmarks: gr.Image
    facts: gr.Markdown

    @property
    def outputs(self) -> list[Any]:
        """All of them, as event outputs."""
        return list(vars(self).values())

    def nothing(self, line: str) -> tuple[Any, ...]:
        """Values of ``outputs`` without a shadow, and the line that says why."""
        return *(None,) * (len(self.outputs) - 1), line


def build(context: Context, source: Source, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """Lays the tab out and connects it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            portrait = _portrait()
            example = gr.Button("Use the example portrait", size="sm", elem_id="shadow-example")
            controls = _controls()
        with gr.Column(scale=7, min_width=320):
            shown = _results()
            with gr.Row():
                send = gr.Button("Send to Restore", variant="primary", elem_id="shadow-send")
                save = gr.Button("Pack the pair", elem_id="shadow-pack")
            pair = gr.File(
                label="shadow-pair.zip",
                interactive=False,
                elem_id="shadow-pair",
                elem_classes="packed",
            )
            _small_dataset()
    path = gr.State(PORTRAIT)
    asked = [path, *controls]
    drawn = _connect_portrait(portrait, path, example, controls, shown, tab)
    _connect_pack(save, asked, pair, drawn)

    def give(chosen: str, *values: Any) -> tuple[Any, ...]:
        made = shadow_making.hand_over_files(_made(chosen, *values)[1])
        return gr.Tabs(selected="restore"), *hand_over(made)

    send.click(give, asked, [tabs, *source.outputs], **PRIVATE)


def _portrait() -> gr.Image:
    return gr.Image(
        PORTRAIT,
        label="Portrait",
        type="filepath",
        image_mode=None,
        sources=["upload", "clipboard", "webcam"],
        height=300,
        elem_id="shadow-portrait",
        alt_text="The portrait that will get a shadow",
        placeholder="Drop a portrait here, paste it, or take one with the camera",
    )


def _controls() -> list[Any]:
    """In the order ``shadow_making.make_settings`` takes them."""
    names = list(shadow_making.occluders())
    occluder = gr.Dropdown(names, value="hand", label="What stands in the light")
    with gr.Row():
        azimuth = _slider(-180, 180, -60, 1, "Light comes from, degrees", "0 right, -90 above")
        elevation = _slider(5, 90, 45, 1, "Height of the light, degrees", "90 = from the camera")
    with gr.Row():
        distance = _slider(10, 2000, 250, 10, "Distance, mm", "far = wide soft edge")
        softness = _slider(0.1, 10, 1, 0.1, "Softness, degrees", "sun 0.27, window 8")
    with gr.Row():
        ambient = _slider(0.03, 0.8, 0.22, 0.01, "Ambient light", "share that stays in shadow")
        tint = _slider(-0.35, 0.35, 0.12, 0.01, "Ambient colour", "- warm, + blue")
    with gr.Accordion("More", open=False):
        opacity = _slider(0, 1, 1, 0.05, "Opacity", "of what stands in the light")
        with gr.Row():
            own = gr.Checkbox(label="Nose and brow cast shadows too")
            person = gr.Checkbox(True, label="Shadow ends at the person")
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MOST_SEED)
    return [
        occluder, azimuth, elevation, distance, softness, ambient, tint, opacity, own, person, seed,
    ]  # fmt: skip


def _slider(low: float, high: float, value: float, step: float, label: str, info: str) -> gr.Slider:
    return gr.Slider(low, high, value, step=step, label=label, info=info, min_width=140)


def _results() -> Shown:
    with gr.Tabs():
        with gr.Tab("Shadowed"):
            shadow = _picture("Shadowed", "The portrait with its new shadow", "shadow-result", 480)
        with gr.Tab("Layers"):
            with gr.Row():
                mask = _picture("Mask: white = shadow", "Shadow mask", "shadow-mask", 260)
                visibility = _picture("Light that arrives", "Visibility", "shadow-light", 260)
            with gr.Row():
                depth = _picture("Depth: near = white", "Depth map", "shadow-depth", 260)
                landmarks = _picture("Landmarks", "Face mesh points", "shadow-points", 260)
    facts = gr.Markdown("…", elem_id="shadow-facts", elem_classes="facts")
    return Shown(shadow, mask, visibility, depth, landmarks, facts)


def _picture(label: str, alt: str, elem_id: str, height: int) -> gr.Image:
    return shown_picture(label, alt, elem_id=elem_id, height=height, min_width=180)


def _made(chosen: str, *values: Any) -> tuple[Any, Any]:
    return shadow_making.make(chosen, shadow_making.make_settings(*values))


def _connect_portrait(
    portrait: gr.Image,
    path: gr.State,
    example: gr.Button,
    controls: list[Any],
    shown: Shown,
    tab: gr.Tab,
) -> list[Any]:
    """A new portrait, a moved control or the opened tab draws the shadow anew; the latest wins.

    Returns the events that draw.
    """
    reason = gr.State("")  # why there is no portrait
    asked = [path, reason, *controls]

    def draw(chosen: str | None, line: str, *values: Any) -> tuple[Any, ...]:
        if not chosen:
            return shown.nothing(line)
        try:
            made = _made(chosen, *values)
        except gr.Error as error:  # what is shown is never of another portrait
            gr.Warning(error.message, title="Not possible")
            return shown.nothing(error.message)
        pictures = vars(shadow_making.layers(*made)).values()
        return *pictures, shadow_making.facts_line(made[1])

    chosen, removed = on_choice(portrait, [path, reason], lambda *taken: taken)
    taken = example.click(lambda: (PORTRAIT, PORTRAIT), None, [portrait, path], **CHOSEN)
    moved = [getattr(c, "change" if isinstance(c, gr.Slider) else "input") for c in controls]
    return [
        chosen.success(draw, asked, shown.outputs, **LIVE),
        removed.success(draw, asked, shown.outputs, **DIRECT),
        taken.success(draw, asked, shown.outputs, **LATEST),
        gr.on([tab.select, *moved], draw, asked, shown.outputs, **LIVE),
    ]


def _connect_pack(save: gr.Button, asked: list[Any], pair: gr.File, drawn: list[Any]) -> None:
    """A packed pair is offered while it is that of the present portrait and settings."""
    packed = gr.State()

    def pack(*now: Any) -> tuple[tuple[Any, ...], str]:
        return now, shadow_making.save_pair(_made(*now)[1])

    def fitting(last: tuple[tuple[Any, ...], str] | None, *now: Any) -> str | None:
        if last is None or last[0] != now or not Path(last[1]).exists():  # kept for an hour
            return None
        return last[1]

    done = save.click(pack, asked, packed, show_progress_on=[pair], **PRIVATE)
    for event in (done, *drawn):
        event.success(fitting, [packed, *asked], pair, **DIRECT)


def _small_dataset() -> None:
    with gr.Accordion("A small data set from several portraits", open=False):
        portraits = gr.File(label="Portraits", file_count="multiple", elem_id="shadow-portraits")
        with gr.Row():
            pairs = gr.Slider(1, shadow_making.MOST_PAIRS, 4, step=1, label="Pairs a portrait")
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MOST_SEED)
        with gr.Row():
            recipe = gr.Dropdown(list(RECIPES), value="faceshadow", label="Recipe")
            format = gr.Dropdown(FORMATS, value=FORMATS[0], label="Format")
        licence = gr.Textbox(label="Licence of the portraits", placeholder="CC BY 4.0")
        run = gr.Button("Build the data set", elem_id="shadow-build")
        archive = gr.File(
            label="faceshadow.zip",
            interactive=False,
            elem_id="shadow-dataset",
            elem_classes="packed",
        )
        report = gr.Markdown(elem_classes="note", elem_id="shadow-report")
        with gr.Accordion("Statistics", open=False, visible=False) as more:
            statistics = gr.Markdown(elem_classes="note", elem_id="shadow-statistics")
    asked = [portraits, pairs, seed, recipe, licence, format]
    _connect_dataset(run, asked, [archive, report, statistics, more])


UNBUILT: tuple[Any, ...] = (None, "", "", gr.update(visible=False))
"""What is shown without a built data set: no zip, no texts, nothing to unfold."""


def unbuilt(built: tuple[Any, ...], files: list[str] | None) -> tuple[Any, ...]:
    """``UNBUILT`` where other portraits are here by now than those of the latest data set, which a
    busy server may hear of when it is built."""
    return (gr.skip(),) * len(UNBUILT) if files and built[0] == files else UNBUILT


def _connect_dataset(run: gr.Button, asked: list[Any], results: list[Any]) -> None:
    """A built data set is shown while its portraits, the first of ``asked``, are there.

    ``results`` are the zip, two texts, and what unfolds the second.
    """
    portraits = asked[0]
    built = gr.State((None, *UNBUILT))

    def build(files: list[str] | None, n: float, s: float | None, *how: Any) -> tuple[Any, ...]:
        made = shadow_making.build_dataset(files or [], int(n), int(s or 0), *how)
        return files, *made, gr.update(visible=True)

    def fitting(last: tuple[Any, ...], files: list[str] | None) -> tuple[Any, ...]:
        return last[1:] if last[0] == files else UNBUILT

    cleared = run.click(lambda: UNBUILT, None, results, **DIRECT)
    cleared.then(
        build, asked, built, show_progress_on=results[:3], concurrency_limit=1, **PRIVATE
    ).success(fitting, [built, portraits], results, **DIRECT)
    for other in (portraits.upload, portraits.delete, portraits.clear):
        other(unbuilt, [built, portraits], results, **EACH)
