"""What the tabs share: options, the model, the latest results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr
import numpy as np

from demo.cache import Cache
from demo.engine import Engine, Settings
from demo.options import Options
from demo.photos import Photo
from demo.runs import MOST, Cancellations
from demo.storage import AGE_S
from demo.views import Score
from learnir.restoration import STRONGEST, Restoration

SHOWN_BUTTONS: Any = ["download", "fullscreen"]
"""On every picture shown; Gradio's own choice has a third, which sends the picture to a forum."""
SEEN_PX = 250
"""Pixels of a result that must be visible, or else the page scrolls to it."""
RESULTS_BYTES = 768 << 20
MOST_UPLOAD = "64mb"
THREADS = 2 * MOST + 40
"""The server's threads: one for each run of a page and each call of an endpoint, as these wait for
their turn in a thread, and Gradio's usual number.
"""
QUEUE: dict[str, Any] = {"max_size": 512, "default_concurrency_limit": 4}
"""Gradio's limit is one for all pages: a flood is refused before it gets here, by MOST."""
MOST_SESSIONS = 500
"""Pages and clients that Gradio keeps a state of, 0.4 MiB each; the longest unused go."""
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
RUN: dict[str, Any] = {**PRIVATE, "concurrency_limit": None, "trigger_mode": "multiple"}
"""Event arguments of a run: it waits for the model by itself, and can be stopped then too. By
default Gradio drops what is pressed while the run before, though stopped, is still ending.
"""
MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
"""Other long events: one at a time, the rest queue."""
LATEST: dict[str, Any] = {**PRIVATE, "trigger_mode": "always_last"}
QUIET: dict[str, Any] = {**PRIVATE, "show_progress": "hidden"}
LIVE: dict[str, Any] = {**QUIET, "trigger_mode": "always_last"}
SCORED: dict[str, Any] = {**LIVE, "concurrency_id": "scores", "concurrency_limit": 1}
"""Events that score a result: one after the other, so that the latest scores come last."""
DIRECT: dict[str, Any] = {**LIVE, "queue": False}
"""Answered by the request itself. There is no stream of events then, which Gradio closes after the
last one and may so lose the next; but only queued events can show a message or a bar, and only they
tell that a gr.State has changed. What comes while the one before is being answered is answered
after it: by default Gradio drops it, and a slow line would show what was chosen first.
"""
EACH: dict[str, Any] = {**DIRECT, "trigger_mode": "multiple"}
"""Events that another may follow at once, or with gr.SelectData: Gradio would replay the first."""
CHOSEN: dict[str, Any] = {
    **QUIET,
    "preprocess": False,
    "trigger_mode": "multiple",
    "concurrency_id": "choice",
    "concurrency_limit": 1,
}
"""Events of choosing a picture: each is answered, in turn, for what the component held then.
LIVE ones are replayed later, for what the answer before them has put there; and Gradio replays a
component's event, to all who listen: so whoever uses this listens alone.
"""


def look_at(results: str, given: str) -> str:
    """JavaScript that scrolls to ``results`` where too little of them is seen, as on a phone.

    Args:
        results, given: CSS selectors; nothing happens without something ``given``.
    """
    return f"""() => {{
        const box = document.querySelector("{results}");
        const top = box.getBoundingClientRect().top;
        const seen = top > -{SEEN_PX} && top < innerHeight - {SEEN_PX};
        const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
        if (document.querySelector("{given}") && !seen)
            box.scrollIntoView({{behavior: calm ? "auto" : "smooth"}});
    }}"""


def shown_picture(label: str, alt: str, **look: Any) -> gr.Image:
    """A picture to look at and to save."""
    return gr.Image(
        label=label,
        alt_text=alt,
        format="png",
        interactive=False,
        **{"buttons": SHOWN_BUTTONS} | look,
    )


@dataclass(frozen=True)
class Kept:
    """A result that its page may still re-blend, show and save."""

    path: str
    """The upload's."""
    photo: Photo
    restoration: Restoration
    settings: Settings
    factor: np.ndarray | None = None
    """What the strength is multiplied by, float32 (h, w), where it differs from place to place."""
    scored: dict[tuple[str, float], list[Score]] = field(default_factory=dict)
    """What was scored already, by the path of the ground truth and strength: every page opens with
    the same result.
    """

    def at_strength(self, strength: float) -> np.ndarray:
        """The picture at any strength, uint8 or uint16 RGB (H, W, 3)."""
        if self.factor is not None:
            return self.restoration.at_strength(np.minimum(strength * self.factor, STRONGEST))
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
    results: Cache[Kept] = field(
        default_factory=lambda: Cache(RESULTS_BYTES, lambda kept: kept.bytes, AGE_S)
    )
    runs: Cancellations = field(default_factory=Cancellations)
    """Runs of the pages."""
    calls: Cancellations = field(default_factory=Cancellations)
    """Runs of the endpoints that take files."""
