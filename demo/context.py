"""What the tabs share: options, the model, the latest results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr
import numpy as np

from demo.engine import Cancellations, Engine, Settings, Shelf
from demo.options import Options
from demo.photos import Photo
from demo.storage import AGE_S
from learnir.restoration import Restoration

SHOWN_BUTTONS: Any = ["download", "fullscreen"]
"""On every picture shown; Gradio's own choice has a third, which sends the picture to a forum."""
SHELF_BYTES = 768 << 20
MOST_UPLOAD = "64mb"
QUEUE: dict[str, Any] = {"max_size": 64, "default_concurrency_limit": 4}
MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
"""Event arguments of everything that runs the network: one at a time, the rest queue."""
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**QUIET, "concurrency_limit": None}
"""Never waits for others; queued all the same, as only queued events can show a message."""
LIVE: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "trigger_mode": "always_last",
}


def shown_picture(label: str, alt: str, **look: Any) -> gr.Image:
    """A picture to look at and to save."""
    return gr.Image(
        label=label,
        alt_text=alt,
        format="png",
        buttons=SHOWN_BUTTONS,
        interactive=False,
        **look,
    )


@dataclass(frozen=True)
class Kept:
    """A result that its page may still re-blend, show and save."""

    photo: Photo
    restoration: Restoration
    settings: Settings
    truth: str | None = None
    """Path of the shadow-free picture that was there when the run began."""

    def at_strength(self, strength: float) -> np.ndarray:
        """The picture at any strength, uint8 or uint16 RGB (H, W, 3)."""
        same = strength == self.settings.strength
        return self.restoration.picture if same else self.restoration.at_strength(strength)

    @property
    def bytes(self) -> int:
        """Memory it holds, roughly."""
        return 3 * self.restoration.picture.nbytes + self.restoration.gain.nbytes


@dataclass(frozen=True)
class Context:
    """Made once, given to every tab."""

    options: Options
    engine: Engine
    shelf: Shelf[Kept] = field(
        default_factory=lambda: Shelf(SHELF_BYTES, lambda kept: kept.bytes, AGE_S)
    )
    runs: Cancellations = field(default_factory=Cancellations)
