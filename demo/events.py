"""Arguments of Gradio's event listeners, by what kind of event it is, and a script of the pages."""

from __future__ import annotations

from typing import Any

SEEN_PX = 250
"""Pixels of a result that must be visible, or else the page scrolls to it."""
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
