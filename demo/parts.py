"""Components that several tabs show."""

from __future__ import annotations

from typing import Any

import gradio as gr

SHOWN_BUTTONS: Any = ["download", "fullscreen"]
"""On every picture shown; Gradio's own choice has a third, which sends the picture to a forum."""


def shown_picture(label: str, alt: str, **look: Any) -> gr.Image:
    """A picture to look at and to save."""
    return gr.Image(
        label=label,
        alt_text=alt,
        format="png",
        interactive=False,
        **{"buttons": SHOWN_BUTTONS} | look,
    )
