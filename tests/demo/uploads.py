"""Files that tests send to the app, and pictures that come back."""

from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[2] / "demo" / "examples"
HAND = EXAMPLES / "hand.jpg"


def upload(path: Path):
    from gradio_client import handle_file

    return handle_file(str(path))


def pixels(path: str | Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)
