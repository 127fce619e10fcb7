"""Pictures that Gradio saves for the browser, written whole."""

from __future__ import annotations

import os
from pathlib import Path

from gradio import processing_utils
from PIL import Image

from learnir.writing import write_atomically


def save_whole() -> None:
    """Has Gradio save every component's pictures with ``saved``.

    Its own function names a file by its content and writes it in place: where a second visitor is
    shown the same picture, the first, whose browser is loading it, gets the half that is there.
    """
    processing_utils.save_pil_to_cache = saved


def saved(
    img: Image.Image, cache_dir: str | Path, name: str = "image", format: str = "webp"
) -> str:
    """Path of the picture in the cache, by its content; its age there counts from now.

    Errors: KeyError and ValueError of formats that Pillow cannot write.
    """
    data = processing_utils.encode_pil_to_bytes(img, format)
    path = (Path(cache_dir) / processing_utils.hash_bytes(data) / f"{name}.{format}").resolve()
    try:
        os.utime(path)
    except FileNotFoundError:
        write_atomically(path, data)
    return str(path)
