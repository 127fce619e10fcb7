"""PIL images, NumPy arrays and tensors to pictures and back: same kind out as in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from learnir.colour import as_srgb, carry_back, in_srgb, srgb_icc
from learnir.exif import exif_bytes, orientation_of
from learnir.images import (
    from_unit,
    join_channels,
    split_channels,
    to_unit,
    turned_back,
    upright,
)

Restore = Callable[[np.ndarray], np.ndarray]
OVERSHOOT = 0.05  # beyond [0, 1], as resampling leaves it


def restore_like(image: Any, restore: Restore) -> Any:
    """``restore`` applied to the pictures in ``image``, returned as the kind it came as.

    TypeError for anything but a PIL image, a uint8 or uint16 array (H, W) or (H, W, 1 to 4), or
    a float tensor (3, H, W) or (B, 3, H, W) in [0, 1]; ValueError for a tensor of other values.
    Those within ``OVERSHOOT`` of that are clipped.
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
    native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if native.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"an array must be uint8 or uint16, not {pixels.dtype}; scale and round it")
    rgb, alpha, grey = split_channels(native)
    restored = join_channels(restore(rgb), alpha, grey).reshape(pixels.shape)
    return restored.astype(pixels.dtype, copy=False)


PLAIN_MODES = {"1": "L", "P": "RGB"}
OTHER_SPACES = ("CMYK", "YCbCr", "HSV", "LAB")


def _pil(image: Image.Image, restore: Restore) -> Image.Image:
    """L, LA, RGB, RGBA and I;16 are kept; palettes become RGB(A), CMYK and the like sRGB.

    Colours with a profile are restored in sRGB and come back in their own space, as in files.
    """
    plain, icc = image, image.info.get("icc_profile")
    if image.mode in OTHER_SPACES:
        plain, icc = as_srgb(image, icc), srgb_icc() if icc else None
    mode = plain.mode
    if mode == "PA" or (mode in ("P", "RGB", "L") and "transparency" in image.info):
        mode = "RGBA"
    mode = PLAIN_MODES.get(mode, mode)
    if mode not in ("L", "LA", "RGB", "RGBA", "I;16"):
        deep = mode.startswith(("I", "F"))  # which Pillow cuts at 255 where it makes RGB of them
        remedy = "give its pixels as a uint16 array" if deep else "convert the image to RGB"
        raise TypeError(f"PIL mode {mode!r} is not supported; {remedy}")
    pixels = np.asarray(plain if mode == plain.mode else plain.convert(mode))
    orientation = orientation_of(image)
    colour, alpha, grey = split_channels(upright(pixels, orientation))
    if icc and not grey:
        restored, icc = _with_profile(colour, icc, restore)
    else:
        restored = restore(colour)
    result = Image.fromarray(turned_back(join_channels(restored, alpha, grey), orientation))
    result.info = {k: v for k, v in image.info.items() if k not in ("transparency", "exif")}
    if icc:
        result.info["icc_profile"] = icc
    exif = exif_bytes(image)
    if exif is not None:
        result.info["exif"] = exif
    return result


def _with_profile(colour: np.ndarray, icc: bytes, restore: Restore) -> tuple[np.ndarray, bytes]:
    """Colour pixels restored as they look, and the profile that they are in then."""
    pixels, picture, icc, profile, _ = in_srgb(colour, icc)
    restored = restore(picture)
    if profile is not None:
        restored = carry_back(pixels, profile, picture, restored)
    return restored, icc


def _tensor(image: Any, restore: Restore) -> Any:
    import torch

    if not image.is_floating_point() or image.ndim not in (3, 4) or image.shape[-3] != 3:
        raise TypeError(
            f"a tensor must be float, (3, H, W) or (B, 3, H, W) in [0, 1], not {image.dtype} "
            f"{tuple(image.shape)}"
        )
    if 0 in image.shape[-2:]:
        raise ValueError(f"tensor of shape {tuple(image.shape)} holds no picture")
    if not image.isfinite().all():
        raise ValueError("tensor with NaN or infinite values; give RGB in [0, 1]")
    least, most = (float(x) for x in image.detach().aminmax()) if image.numel() else (0.0, 1.0)
    if least < -OVERSHOOT or most > 1 + OVERSHOOT:
        raise ValueError(
            f"values from {least:.4g} to {most:.4g}; give RGB in [0, 1]: divide by 255, or take "
            "(x + 1) / 2 of what is in [-1, 1]"
        )
    batch = image.detach().float().cpu().reshape(-1, *image.shape[-3:]).numpy()
    restored = np.empty_like(batch)
    for i, x in enumerate(batch):
        picture = from_unit(x.transpose(1, 2, 0), np.uint16)
        restored[i] = to_unit(restore(picture)).transpose(2, 0, 1)
    return torch.from_numpy(restored).to(image.device, image.dtype).reshape(image.shape)
