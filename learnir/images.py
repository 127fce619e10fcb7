"""Pictures at the boundary: decoding, encoding and the one place that converts ranges.

Everywhere outside this file an array or tensor is one of three things:

* a *picture*: ``uint8`` or ``uint16``, ``(H, W, 3)``, RGB, sRGB-encoded;
* *signed*: ``float32`` in [-1, 1], sRGB-encoded, what the networks and the process work on;
* *linear*: ``float32`` in [0, 1], linear light, what shadows are computed in.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def _full_scale(dtype: np.dtype) -> float:
    if dtype == np.uint8:
        return 255.0
    if dtype == np.uint16:
        return 65535.0
    raise TypeError(f"a picture is uint8 or uint16, not {dtype}")


def to_unit(picture: np.ndarray) -> np.ndarray:
    """uint8 or uint16 picture of any shape -> float32 in [0, 1], still sRGB-encoded."""
    return picture.astype(np.float32) / np.float32(_full_scale(picture.dtype))


def from_unit(unit: np.ndarray, dtype: type = np.uint8) -> np.ndarray:
    """Float in [0, 1] (clipped) -> picture of ``dtype`` uint8 or uint16, rounded to nearest."""
    scale = _full_scale(np.dtype(dtype))
    return (np.clip(unit, 0.0, 1.0) * scale + 0.5).astype(dtype)


def to_signed(picture: np.ndarray) -> np.ndarray:
    """uint8 or uint16 picture -> float32 in [-1, 1]."""
    return to_unit(picture) * 2.0 - 1.0


def from_signed(signed: np.ndarray, dtype: type = np.uint8) -> np.ndarray:
    """Float in [-1, 1] (clipped) -> picture of ``dtype``."""
    return from_unit(signed * 0.5 + 0.5, dtype)


def to_tensor(picture: np.ndarray) -> torch.Tensor:
    """Picture (H, W, 3) or (B, H, W, 3) -> signed tensor (B, 3, H, W), float32, B = 1 for one."""
    import torch

    batch = picture[None] if picture.ndim == 3 else picture
    return torch.from_numpy(np.ascontiguousarray(to_signed(batch).transpose(0, 3, 1, 2)))


def to_picture(tensor: torch.Tensor, dtype: type = np.uint8) -> np.ndarray:
    """Signed tensor (3, H, W) or (B, 3, H, W) -> picture (H, W, 3) or (B, H, W, 3)."""
    signed = tensor.detach().float().cpu().numpy()
    return from_signed(np.moveaxis(signed, -3, -1), dtype)


def srgb_to_linear(unit: np.ndarray) -> np.ndarray:
    """sRGB-encoded float in [0, 1] -> linear light in [0, 1] (IEC 61966-2-1)."""
    unit = np.asarray(unit, dtype=np.float32)
    return np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )


def linear_to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light in [0, 1] (clipped) -> sRGB-encoded float in [0, 1] (IEC 61966-2-1)."""
    linear = np.clip(np.asarray(linear, dtype=np.float32), 0.0, 1.0)
    return np.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055
    ).astype(np.float32)


@cache
def _linear_table(levels: int) -> np.ndarray:
    return srgb_to_linear(np.arange(levels, dtype=np.float32) / (levels - 1))


def decode_linear(picture: np.ndarray) -> np.ndarray:
    """uint8 or uint16 picture -> linear light float32 in [0, 1], by table."""
    return _linear_table(int(_full_scale(picture.dtype)) + 1)[picture]


def encode_linear(linear: np.ndarray, dtype: type = np.uint8) -> np.ndarray:
    """Linear light in [0, 1] (clipped) -> picture of ``dtype``."""
    return from_unit(linear_to_srgb(linear), dtype)
