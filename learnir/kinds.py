"""PIL images, NumPy arrays and tensors to pictures and back: same kind out as in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from learnir.images import (
    ORIENTATION,
    from_unit,
    join_channels,
    split_channels,
    to_unit,
    turned_back,
    upright,
)

Restore = Callable[[np.ndarray], np.ndarray]


def restore_like(image: Any, restore: Restore) -> Any:
    """``restore`` applied to the pictures in ``image``, returned as the kind it came as.

    TypeError for anything but a PIL image, a uint8 or uint16 array (H, W), (H, W, 3) or
    (H, W, 4), or a float tensor (3, H, W) or (B, 3, H, W) in [0, 1].
    """
    if isinstance(image, Image.Image):
        return _pil(image, restore)
    if isinstance(image, np.ndarray):
        return _array(image, restore)
    if type(image).__module__.split(".")[0] == "torch":
        return _tensor(image, restore)
    raise TypeError(
        f"give a PIL image, a NumPy array or a torch tensor, not {type(image).__name__}"
    )


def _array(pixels: np.ndarray, restore: Restore) -> np.ndarray:
    if pixels.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"an array must be uint8 or uint16, not {pixels.dtype}; scale and round it")
    rgb, alpha, grey = split_channels(pixels)
    return join_channels(restore(rgb), alpha, grey)


PLAIN_MODES = {"1": "L", "P": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB", "LAB": "RGB"}


def _pil(image: Image.Image, restore: Restore) -> Image.Image:
    """L, LA, RGB, RGBA and I;16 are kept; palettes and other colour spaces become RGB(A)."""
    mode = image.mode
    if mode == "PA" or (mode in ("P", "RGB", "L") and "transparency" in image.info):
        mode = "RGBA"
    mode = PLAIN_MODES.get(mode, mode)
    if mode not in ("L", "LA", "RGB", "RGBA", "I;16"):
        raise TypeError(f"PIL mode {mode!r} is not supported; convert the image to RGB")
    pixels = np.asarray(image if mode == image.mode else image.convert(mode))
    orientation = image.getexif().get(ORIENTATION, 1)
    restored = turned_back(_array(upright(pixels, orientation), restore), orientation)
    result = Image.fromarray(restored)
    result.info = {k: v for k, v in image.info.items() if k != "transparency"}
    if len(image.getexif()):
        result.info["exif"] = image.getexif().tobytes()
    return result


def _tensor(image: Any, restore: Restore) -> Any:
    import torch

    if not image.is_floating_point() or image.ndim not in (3, 4) or image.shape[-3] != 3:
        raise TypeError(
            f"a tensor must be float, (3, H, W) or (B, 3, H, W) in [0, 1], not {image.dtype} "
            f"{tuple(image.shape)}"
        )
    batch = image.detach().float().cpu().reshape(-1, *image.shape[-3:]).numpy()
    pictures = [from_unit(x.transpose(1, 2, 0), np.uint16) for x in batch]
    restored = np.stack([to_unit(restore(p)).transpose(2, 0, 1) for p in pictures])
    return torch.from_numpy(restored).to(image.device, image.dtype).reshape(image.shape)
