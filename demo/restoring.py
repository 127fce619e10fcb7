"""Restore: from an upload and settings to everything the tab and the endpoint return."""

from __future__ import annotations

import threading

import gradio as gr
import numpy as np

from demo.context import Context, Kept
from demo.engine import Progress, Settings, device_name
from demo.events import DIRECT
from demo.failures import failures_shown, refusal
from demo.photos import open_photo
from demo.runs import Waiting
from learnir.masks import levels

OWN = "as trained"
BRANCH = "learned"
"""The correction that only checkpoints with a correction branch have."""
CORRECTIONS = [OWN, "none", "paper", "exact", BRANCH]
MODES = ["auto", "gain", "tile"]


def corrections(context: Context) -> list[str]:
    """The CORRECTIONS that the loaded model has."""
    return [name for name in CORRECTIONS if name != BRANCH or context.engine.has_branch]


def offer_corrections(context: Context, blocks: gr.Blocks, choice: gr.Dropdown) -> None:
    """Whoever opens the page may choose what the model has, once it is loaded."""

    def offered() -> gr.Dropdown:
        context.engine.settle(60)
        return gr.Dropdown(choices=corrections(context))

    blocks.load(offered, None, choice, **DIRECT)


def make_settings(
    steps: float, correction: str, scales: str, seed: float | None, mode: str, strength: float
) -> Settings:
    """Settings from the controls' values; 0 steps and OWN leave the checkpoint's, no seed is 0.

    Raises gr.Error for one step, which no schedule has, and for scales that are neither a name nor
    comma-separated whole numbers.
    """
    if int(steps) == 1:
        raise refusal("1 step is too few: choose 0, as the model was trained, or 2 and more.")
    return Settings(
        steps=int(steps) or None,
        correction=None if correction in (OWN, "", None) else correction,
        scales=_scales(scales),
        seed=int(seed or 0),
        mode=mode,
        strength=float(strength),
    )


def _scales(text: str) -> tuple[int, ...] | str | None:
    text = (text or "").strip().strip("()")
    if text in (OWN, ""):
        return None
    if text in ("drm", "fixed"):
        return text
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise refusal(
            f"DRM schedule {text[:40]!r}: write one factor per step, such as 1,1,2,4,4"
        ) from None


def restore(
    context: Context,
    path: str | None,
    settings: Settings,
    *,
    progress: Progress | None = None,
    flag: threading.Event | None = None,
    waiting: Waiting | None = None,
    trajectory: bool = False,
    where: str | None = None,
) -> Kept:
    """One uploaded file restored.

    ``where`` is the path of a mask, white where the picture is to be restored. Raises gr.Error for
    whatever the user can mend, Cancelled once ``flag`` is set.
    """
    if not path:
        raise refusal("Choose a picture first: upload one or take an example.")
    with failures_shown():
        photo = open_photo(path)
        factor = _mask(where, photo.picture.shape[:2]) if where else None
        done = context.engine.restore(
            photo.picture,
            settings,
            progress=progress,
            flag=flag,
            waiting=waiting,
            trajectory=trajectory,
        )
    return Kept(path, photo, done, settings, factor)


def _mask(path: str, size: tuple[int, ...]) -> np.ndarray:
    mask = open_photo(path)
    return levels(mask.file, size, mask.name)


def facts(context: Context, kept: Kept) -> dict[str, object]:
    """What the page says of a result: size, megapixels, mode, seconds, device."""
    h, w = kept.restoration.picture.shape[:2]
    return {
        "width": w,
        "height": h,
        "megapixels": round(w * h / 1e6, 2),
        "mode": kept.restoration.mode,
        "seconds": round(kept.restoration.seconds, 2),
        "device": device_name(context.engine.model().device),
    }


def facts_line(context: Context, kept: Kept) -> str:
    """``facts`` as one line of Markdown."""
    known = facts(context, kept)
    line = (
        f"{kept.photo.name}: **{known['seconds']:.2f} s** on {known['device']} · "
        f"{kept.photo.size_text} · mode {known['mode']} · seed {kept.settings.seed}"
    )
    return " · ".join([line, *chosen(kept.settings)])


def chosen(settings: Settings) -> list[str]:
    """The sampler settings that are not the checkpoint's, in words."""
    scales = settings.scales
    known = {
        "steps": settings.steps,
        "correction": settings.correction,
        "scales": ",".join(map(str, scales)) if isinstance(scales, tuple) else scales,
    }
    return [f"{name} {value}" for name, value in known.items() if value is not None]
