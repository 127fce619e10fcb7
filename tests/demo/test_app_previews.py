"""Previews of a result: as small as a page needs them, and no different to the eye."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
from PIL import Image

from demo.cache import Cache
from demo.restore_events import Page
from demo.storage import EXAMPLES


def test_a_moved_strength_sends_small_previews(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    portrait = Image.open(EXAMPLES / "portrait.jpg").convert("RGB")
    picture = np.asarray(portrait.resize((2000, 2000), Image.Resampling.BICUBIC))
    results: Cache = Cache(1 << 30, lambda _: 1, 60)
    photo = SimpleNamespace(picture=picture)
    results.put("mine", SimpleNamespace(photo=photo, at_strength=lambda _: picture))
    page = Page(SimpleNamespace(results=results), *[None] * 5)
    pair, after = page.blend("mine", 1.0)
    for path, side in ((pair[0], 1600), (pair[1], 1600), (after, 900)):
        shown = Image.open(path)
        assert shown.size == (side, side)
        buffer = io.BytesIO()
        reduced = portrait.resize((2000, 2000), Image.Resampling.BICUBIC).resize(
            (side, side), Image.Resampling.BOX
        )
        reduced.save(buffer, "png")
        with open(path, "rb") as file:
            assert len(file.read()) < len(buffer.getvalue()) / 3
        away = np.asarray(shown, float) - np.asarray(reduced, float)
        assert np.abs(away).mean() < 1.5
