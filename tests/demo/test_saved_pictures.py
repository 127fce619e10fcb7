"""No visitor's browser is given half a picture because another is shown the same one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from gradio import processing_utils
from PIL import Image

from demo import saved_pictures
from demo.storage import AGE_S

PICTURE = np.arange(32 * 48 * 3, dtype=np.uint8).reshape(32, 48, 3)
SHOWN = {
    "Image": lambda: gr.Image(format="png").postprocess(PICTURE).path,
    "Gallery": lambda: gr.Gallery(format="png").postprocess([PICTURE]).root[0].image.path,
    "ImageSlider": lambda: gr.ImageSlider(format="png").postprocess((PICTURE,) * 2).root[0].path,
    "ImageEditor": lambda: (
        gr.ImageEditor(format="png")
        .postprocess({"background": PICTURE, "layers": [], "composite": PICTURE})
        .background.path
    ),
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(processing_utils, "save_pil_to_cache", processing_utils.save_pil_to_cache)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    saved_pictures.save_whole()
    return tmp_path


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
def test_a_picture_shown_again_is_not_written_again(cache, show):
    path = Path(show())
    assert path.is_relative_to(cache)
    assert np.array_equal(np.asarray(Image.open(path)), PICTURE)
    path.write_bytes(b"being sent")
    then = time.time() - AGE_S
    os.utime(path, (then, then))
    assert Path(show()) == path
    assert path.read_bytes() == b"being sent"
    assert path.stat().st_mtime > then + AGE_S - 60, "it would be deleted while it is shown"


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
def test_a_picture_is_there_whole_or_not_at_all(cache, show, monkeypatch):
    """What appears under its name has been written elsewhere."""
    seen = []

    def refuse(part, path):
        seen.append((Path(part).read_bytes(), path))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("learnir.writing.os.replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        show()
    ((data, path),) = seen
    assert data == processing_utils.encode_pil_to_bytes(Image.fromarray(PICTURE), "png")
    assert not [file for file in cache.rglob("*") if file.is_file()]
    assert Path(path).name == "image.png"
