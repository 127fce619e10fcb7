"""Touching up: painted parts of a result are as they were again, or get more light.

The model takes some masks, glasses and dark cloth for shadows and leaves a part of others. Whoever
sees it can say so.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

import cv2
import gradio as gr
import numpy as np
from PIL import Image, ImageColor

from demo import views
from demo.events import DIRECT, LIVE
from demo.failures import refusal
from demo.restore_events import FIRST, FORGOTTEN, Page
from demo.views import SMALL_SIDE
from learnir.masks import same_proportions

RESULT = "result"
"""The tab on which a result that was touched up is looked at."""

BRUSHES = {"#d62728": 0.0, "#a6d96a": 1.2, "#1a7f37": 1.4}
"""What the strength is multiplied by under each colour. Of shadows that stay, a fifth more is what
helps most, of deep ones more (scripts/brush_strengths.py).
"""
OPACITY = 0.55
SOFT = 0.004  # of the longest side: deviation of the blur at the border of what is painted
HINT = (
    "Paint where the model went wrong, then *Apply*. **Red**: as it was, where a mask, glasses or "
    "dark cloth were taken for a shadow. **Light** and **dark green** (palette): a little and much "
    "more light, where some of the shadow stayed. Another run begins without what was painted."
)


def canvas() -> gr.ImageEditor:
    """Where a result is painted on: Gradio's editor for one picture of ours."""
    colours = [(colour, OPACITY) for colour in BRUSHES]
    editor = gr.ImageEditor(
        label="Paint here",
        sources=(),
        transforms=(),
        layers=False,
        buttons=[],
        brush=gr.Brush(colors=list(colours), default_color=colours[0], color_mode="fixed"),
        height=520,
        interactive=True,
        elem_id="restore-canvas",
    )
    # a way in that pages do not use: what is posted there, however much, would stay in memory
    vars(editor)["accept_blobs"] = None
    return editor


def sheet_of(painted: dict[str, Any] | None, size: tuple[int, ...]) -> np.ndarray | None:
    """What is painted on a picture of ``size`` (H, W), uint8 RGBA (h, w, 4); None if nothing is.

    Args:
        painted: what a browser says of its editor; Gradio has found its paths to be uploads.

    gr.Error where that is not one layer over a picture of ours of these proportions.
    """
    sheets = (painted or {}).get("layers") or []
    if not sheets:
        return None
    try:
        (layer,) = sheets
        with Image.open(str(layer["path"]), formats=("PNG", "WEBP")) as image:
            w, h = image.size
            if max(h, w) <= SMALL_SIDE and same_proportions((h, w), size):
                return np.asarray(image.convert("RGBA"))
    except Exception:
        pass
    raise refusal("Not painted on this result: press Undo all, then paint.")


def factor(sheet: np.ndarray | None) -> np.ndarray | None:
    """What the strength is multiplied by, (h, w) float32: that of the nearest of the BRUSHES.

    Args:
        sheet: uint8 RGBA (h, w, 4), transparent where nobody painted.

    None where nothing is painted.
    """
    if sheet is None or not sheet[..., 3].any():
        return None
    colours = np.array([ImageColor.getrgb(colour) for colour in BRUSHES], np.float32)
    strengths = np.array(list(BRUSHES.values()), np.float32)
    where = sheet[..., 3] > 0
    away = np.linalg.norm(sheet[where, None, :3] - colours, axis=-1)
    factors = np.ones(sheet.shape[:2], np.float32)
    factors[where] = strengths[away.argmin(axis=-1)]
    return cv2.GaussianBlur(factors, (0, 0), max(SOFT * max(factors.shape), 0.5))


@dataclass(frozen=True)
class Touching:
    """The tab's parts, and the events between them. ``tabs`` is where results are shown."""

    page: Page
    tabs: gr.Tabs
    apply: gr.Button
    undo: gr.Button

    def connect(self) -> None:
        """What is painted counts once it is applied, and is looked at; undone, it is gone.

        The editor's own way to clear it takes the picture away, too: that is undone as well.
        """
        canvas = self.page.shown.canvas
        given = [self.page.token, self.page.controls.strength]
        changed = [self.page.token, *self._views()]
        applied = self.apply.click(
            self.touch,
            [*given, canvas],
            changed,
            preprocess=False,
            show_progress_on=[canvas],
            **{**LIVE, "show_progress": "minimal"},
        )
        applied.success(lambda: gr.Tabs(selected=RESULT), None, [self.tabs], **DIRECT)
        undone = self.undo.click(self.touch, given, changed, **LIVE)
        undone.success(self.unpainted, given, [canvas], **LIVE)
        canvas.clear(self.unpainted, given, [canvas], **LIVE)
        for done in (applied, undone):
            self.page.then_score(done)

    def _views(self) -> list[Any]:
        """Where a result is shown, but for what is painted on."""
        shown = self.page.shown
        return [part for part in shown.outputs if part is not shown.canvas]

    def touch(
        self, token: str, strength: float, painted: dict[str, Any] | None = None
    ) -> dict[Any, Any]:
        """Token of the result as touched up, and its views.

        The result that all pages open with stays as it is; who paints on it has another.
        """
        results = self.page.context.results
        kept = results.get(token)
        if kept is None:
            raise refusal(FORGOTTEN if token else "Remove the shadow first.")
        sheet = sheet_of(painted, kept.photo.picture.shape[:2])
        touched = replace(kept, factor=factor(sheet), scored={})
        token = uuid.uuid4().hex if token == FIRST else token
        results.put(token, touched)
        shown = self.page.views(touched, strength)
        values = dict(zip(self.page.shown.outputs, shown, strict=True))
        return {self.page.token: token} | {part: values[part] for part in self._views()}

    def unpainted(self, token: str, strength: float) -> Any:
        """The result with nothing painted on it."""
        kept = self.page.context.results.get(token)
        if kept is None:
            return gr.skip()
        return views.preview(replace(kept, factor=None).at_strength(strength), SMALL_SIDE)
