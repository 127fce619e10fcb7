"""Touching up: painted parts of a result are as they were again, or get more light.

The model takes some masks, glasses and dark cloth for shadows and leaves a part of others. Whoever
sees it can say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import gradio as gr
import numpy as np
from PIL import Image, ImageColor

SIDE = 900
"""Longest side of what is painted on, pixels."""
BRUSHES = {"#d62728": 0.0, "#a6d96a": 1.2, "#1a7f37": 1.4}
"""What the strength is multiplied by under each colour. Of shadows that stay, a fifth more is what
helps most, of deep ones more (scripts/brush_strengths.py).
"""
OPACITY = 0.55
SOFT = 0.004  # of the longest side: deviation of the blur at the border of what is painted
HINT = (
    "Paint where the model went wrong, then *Apply*. **Red**: as it was, where a mask, glasses or "
    "dark cloth were taken for a shadow. **Light** and **dark green** (palette): a little and much "
    "more light, where some of the shadow stayed."
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


def layers(painted: dict[str, Any] | None) -> list[np.ndarray]:
    """The painted layers, uint8 RGBA (h, w, 4), of what a browser says of its editor.

    gr.Error where one is no picture of our size; their paths Gradio has found to be uploads.
    """
    sheets = (painted or {}).get("layers") or []
    return [_sheet(str(sheet.get("path") or "")) for sheet in sheets]


def _sheet(path: str) -> np.ndarray:
    try:
        with Image.open(path) as image:
            if max(image.size) <= 2 * SIDE:
                return np.asarray(image.convert("RGBA"))
    except Exception:
        pass
    raise gr.Error("This is no painting of this page.", print_exception=False)


def factor(sheets: Sequence[np.ndarray]) -> np.ndarray | None:
    """What the strength is multiplied by, (h, w) float32: that of the nearest of the BRUSHES.

    Args:
        sheets: uint8 RGBA (h, w, 4), transparent where nobody painted.

    None where nothing is painted.
    """
    painted = [sheet for sheet in sheets if sheet[..., 3].any()]
    if not painted:
        return None
    colours = np.array([ImageColor.getrgb(colour) for colour in BRUSHES], np.float32)
    strengths = np.array(list(BRUSHES.values()), np.float32)
    factors = np.ones(painted[0].shape[:2], np.float32)
    for sheet in painted:
        where = sheet[..., 3] > 0
        away = np.linalg.norm(sheet[where, None, :3] - colours, axis=-1)
        factors[where] = strengths[away.argmin(axis=-1)]
    return cv2.GaussianBlur(factors, (0, 0), max(SOFT * max(factors.shape), 0.5))
