"""The Restore tab: one picture in, the shadow out, and a look at what was changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from demo import restore_events, restoring, touching_up
from demo.checking import MOST_SEED
from demo.context import Context
from demo.parts import SHOWN_BUTTONS, shown_picture
from demo.restore_events import Controls, Shown, Source
from demo.storage import EXAMPLES

ENLARGED: Any = ["fullscreen"]
"""On previews of input and result: who saved one would take it for the result in full size."""
SAMPLES = [str(EXAMPLES / f"{n}.jpg") for n in ("hand", "wall", "brim", "blinds", "leaves")]


def build(context: Context, blocks: gr.Blocks) -> Source:
    """Lays the tab out and connects it."""
    facts = gr.Markdown(
        "Nothing restored yet.", elem_id="restore-facts", elem_classes="facts", render=False
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            source, samples = _inputs(facts)
            with gr.Row():
                run = gr.Button("Remove the shadow", variant="primary", elem_id="restore-run")
                cancel = gr.Button("Cancel", elem_id="restore-cancel", min_width=90, scale=0)
            controls, wanted = _controls(restoring.corrections(context))
        with gr.Column(scale=7, min_width=320, elem_id="restore-results"):
            shown, tabs, apply, undo = _results(facts)
    page = restore_events.Page(context, source, controls, wanted, shown, gr.State(""))
    page.connect_source(samples, SAMPLES)
    page.connect_run(run, cancel)
    touching_up.Touching(page, tabs, apply, undo).connect()
    page.connect_load(blocks)
    restoring.offer_corrections(context, blocks, controls.correction)
    return source


def _inputs(facts: gr.Markdown) -> tuple[Source, gr.Dataset]:
    first = restore_events.hand_over(restore_events.OPENING)
    shown = gr.Image(
        first[0],
        label="Shadowed picture",
        type="filepath",
        image_mode=None,
        sources=["upload", "clipboard", "webcam"],
        height=360,
        elem_id="restore-input",
        alt_text="The picture to restore",
        placeholder="Drop a portrait here, paste it, or take one with the camera",
    )
    samples = gr.Dataset(
        components=[gr.Gallery(visible=False)],  # an Image here would have no accessible name
        samples=[[[(path, Path(path).stem)]] for path in SAMPLES],
        label="Examples (astronaut with rendered shadows)",
        type="index",
        elem_id="restore-examples",
    )
    truth, fits = _truth(first[2])
    source = Source(shown, gr.State(first[1]), truth, gr.State(first[3]), fits, facts)
    return source, samples


def _truth(path: str | None) -> tuple[gr.Image, gr.Markdown]:
    with gr.Accordion("Shadow-free picture, to score the result", open=False):
        picture = gr.Image(
            path,
            label="Ground truth (optional, same size)",
            type="filepath",
            image_mode=None,
            sources=["upload", "clipboard"],
            height=220,
            elem_id="restore-truth",
            alt_text="The same picture without the shadow",
        )
        facts = gr.Markdown(elem_id="restore-truth-facts", elem_classes="facts")
    return picture, facts


def _controls(corrections: list[str]) -> tuple[Controls, gr.Checkbox]:
    strength = gr.Slider(
        0,
        1.5,
        1,
        step=0.05,
        label="Strength",
        info="0 = input, 1 = restored; blends without running the model again",
        elem_id="restore-strength",
    )
    with gr.Accordion("Sampler", open=False):
        with gr.Row():
            steps = gr.Slider(0, 20, 0, step=1, label="Steps", info="0 = as trained, else 2 on")
            # without limits: Gradio's refusal would not say of what
            seed = gr.Number(0, label="Seed", precision=0, info=f"0 to {MOST_SEED}")
        with gr.Row():
            correction = gr.Dropdown(corrections, value=restoring.OWN, label="DPSC correction")
            scales = gr.Textbox(
                restoring.OWN,
                label="DRM schedule s(1..T')",
                info=f"{restoring.OWN} (as shipped: 1,2,2,4,4), fixed (1 throughout), drm "
                "(1,1,2,4,4 for five steps), or a factor per step",
                max_length=200,
                elem_id="restore-scales",
            )
        mode = gr.Radio(
            restoring.MODES,
            value="auto",
            label="Large pictures",
            info="gain: one smooth gain for the whole picture; tile: native resolution, slower",
        )
        trajectory = gr.Checkbox(label="Show every step", elem_id="restore-steps")
    return Controls(steps, correction, scales, seed, mode, strength), trajectory


def _results(facts: gr.Markdown) -> tuple[Shown, gr.Tabs, gr.Button, gr.Button]:
    with gr.Tabs() as tabs:
        with gr.Tab("Before | after", id=touching_up.RESULT):
            slider = gr.ImageSlider(
                label="Drag the line",
                format="png",
                height=520,
                max_height=518,
                interactive=False,
                buttons=ENLARGED,
                elem_id="restore-slider",
            )
        with gr.Tab("Side by side"), gr.Row():
            before = _picture("Before", "The picture as it was given", buttons=ENLARGED)
            after = _picture("After", "The picture with its shadow removed", buttons=ENLARGED)
        with gr.Tab("What changed"), gr.Row():
            gain = _picture("Gain: red = lit up, blue = darkened", "Map of the applied gain")
            mask = _picture("Estimated shadow", "Mask: white where a shadow was found")
            change = _picture("Difference × 2", "Absolute difference of before and after")
        with gr.Tab("Step by step"):
            steps = gr.Gallery(
                label="Estimate after every step, noisiest first",
                columns=3,
                height=480,
                format="png",
                object_fit="contain",
                buttons=SHOWN_BUTTONS,
                elem_id="restore-trajectory",
            )
            gr.Markdown("Tick *Show every step* under *Sampler*, then run.", elem_classes="note")
        with gr.Tab("Touch up"):
            gr.Markdown(touching_up.HINT, elem_classes="note")
            canvas = touching_up.canvas()
            with gr.Row():
                apply = gr.Button("Apply", variant="primary", elem_id="restore-touch")
                undo = gr.Button("Undo all", elem_id="restore-untouch")
    facts.render()
    scores = gr.Dataframe(
        headers=["metric", "input", "restored", "note"],
        interactive=False,
        visible=False,
        label="Against the ground truth",
        elem_id="restore-scores",
    )
    save = gr.DownloadButton(
        "Download in the original format", interactive=False, elem_id="restore-save"
    )
    shown = Shown(slider, before, after, gain, mask, change, steps, canvas, scores, save)
    return shown, tabs, apply, undo


def _picture(label: str, alt: str, **look: Any) -> gr.Image:
    return shown_picture(label, alt, min_width=220, height=420, **look)
