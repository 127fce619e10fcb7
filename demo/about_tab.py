"""The About tab: the method in one page, the model card, limits, privacy."""

from __future__ import annotations

import re
from pathlib import Path

import gradio as gr

import learnir
from demo.context import Context
from demo.storage import AGE_S

CARD = Path(learnir.__file__).parent / "weights" / "README.md"
HERE = Path(__file__).parent


def build(context: Context) -> None:
    """Lays the tab out."""
    with gr.Column(elem_classes="about"):
        gr.Markdown(page("method"), latex_delimiters=_delimiters(), elem_id="about-method")
        gr.Markdown(card(CARD.read_text(encoding="utf-8")), elem_id="about-card")
        gr.Markdown(page("privacy"))


def page(name: str) -> str:
    """Text of about_NAME.md."""
    text = (HERE / f"about_{name}.md").read_text(encoding="utf-8")
    return text.replace("MINUTES", str(AGE_S // 60))


def card(text: str) -> str:
    """A model card without its front matter and comments, one heading level down."""
    body = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\n?", "", body, flags=re.DOTALL)
    return re.sub(r"^(#+ )", r"#\1", body, flags=re.MULTILINE)


def _delimiters() -> list[dict[str, str | bool]]:
    return [
        {"left": "$$", "right": "$$", "display": True},
        {"left": "$", "right": "$", "display": False},
    ]
