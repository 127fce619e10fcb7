"""Pictures as arrays: the one place that converts ranges, sizes, channels, and sheets of several.

Everywhere outside this file an array or tensor is one of three things:

* a *picture*: ``uint8`` or ``uint16``, ``(H, W, 3)``, RGB, sRGB-encoded;
* *signed*: ``float32`` in [-1, 1], sRGB-encoded, what the networks and the process work on;
* *linear*: ``float32`` in [0, 1], linear light, what shadows are computed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import torch


LUMINANCE = (0.2126, 0.7152, 0.0722)  # Rec. 709


class ImageError(ValueError):
    """A picture that cannot be used: one line that names the file and the remedy."""


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


def eight_bits(picture: np.ndarray) -> np.ndarray:
    """uint8 picture as it is, uint16 rounded to 8 bits."""
    return picture if picture.dtype == np.uint8 else from_unit(to_unit(picture))


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


def luminance(linear: np.ndarray) -> np.ndarray:
    """Rec. 709 relative luminance of linear RGB (..., 3)."""
    return linear @ np.array(LUMINANCE, np.float32)


@cache
def _linear_table(levels: int) -> np.ndarray:
    return srgb_to_linear(np.arange(levels, dtype=np.float32) / (levels - 1))


def decode_linear(picture: np.ndarray) -> np.ndarray:
    """uint8 or uint16 picture -> linear light float32 in [0, 1], by table."""
    return _linear_table(int(_full_scale(picture.dtype)) + 1)[picture]


def encode_linear(linear: np.ndarray, dtype: type = np.uint8) -> np.ndarray:
    """Linear light in [0, 1] (clipped) -> picture of ``dtype``."""
    return from_unit(linear_to_srgb(linear), dtype)


@cache
def _encoding_table() -> np.ndarray:
    return encode_linear(np.arange(65536, dtype=np.float32) / 65535)


def encode_linear_quickly(linear: np.ndarray, dtype: type = np.uint8) -> np.ndarray:
    """``encode_linear``, for uint8 by a table of 65,536 levels: at most one code off.

    ``encode_linear_quickly(decode_linear(picture))`` is the picture itself.
    """
    if np.dtype(dtype) != np.uint8:
        return encode_linear(linear, dtype)
    return _encoding_table()[(np.clip(linear, 0.0, 1.0) * 65535 + 0.5).astype(np.uint16)]


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels (H, W, ...) turned as the EXIF orientation 1..8 says; any other value is 1."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return np.ascontiguousarray(pixels[rows, columns])


def turned_back(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The inverse of ``upright``."""
    return upright(pixels, {6: 8, 8: 6}.get(orientation, orientation))


def resized(picture: np.ndarray, longest: int) -> np.ndarray:
    """The picture (H, W) or (H, W, 3) with a longest side of this many pixels.

    Smaller, every pixel is the mean of those it covers; larger, it is bicubic.
    """
    H, W = picture.shape[:2]
    f = longest / max(H, W)
    if f == 1:
        return picture
    kernel = cv2.INTER_AREA if f < 1 else cv2.INTER_CUBIC
    return cv2.resize(picture, (max(round(W * f), 1), max(round(H * f), 1)), interpolation=kernel)


def shrunk(picture: np.ndarray, longest: int) -> np.ndarray:
    """The picture itself, or ``resized`` where its longest side is longer."""
    return resized(picture, min(longest, max(picture.shape[:2])))


def split_channels(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """(H, W), (H, W, 1..4) -> RGB (H, W, 3), alpha (H, W) or None, whether it was grey.

    Two channels are grey and alpha, four are RGB and alpha.
    """
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    channels = pixels.shape[2] if pixels.ndim == 3 else 0
    if channels not in (1, 2, 3, 4):
        raise ValueError(f"pixels are (H, W) or (H, W, 1 to 4), got {pixels.shape}")
    grey = channels < 3
    colour = np.repeat(pixels[..., :1], 3, axis=2) if grey else pixels[..., :3]
    alpha = pixels[..., -1] if channels in (2, 4) else None
    return np.ascontiguousarray(colour), alpha, grey


def join_channels(rgb: np.ndarray, alpha: np.ndarray | None, grey: bool) -> np.ndarray:
    """The inverse of ``split_channels``, (H, W) or (H, W, 2..4); grey is the luma."""
    colour = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None] if grey else rgb
    if alpha is not None:
        return np.concatenate([colour, alpha[..., None]], axis=2)
    return colour[..., 0] if grey else colour


GAP, LABEL_HEIGHT = 4, 18


def grid(rows: Sequence[Sequence[np.ndarray]], labels: Sequence[str] | None = None) -> np.ndarray:
    """A montage of pictures: uint8 RGB, a column per position, ``labels`` above the columns.

    Every picture (uint8 or uint16, (H, W, 3) or grey (H, W), any size) is fitted, aspect kept, into
    a cell as large as the largest.
    """
    pictures = [picture for row in rows for picture in row]
    H, W = (max(p.shape[axis] for p in pictures) for axis in (0, 1))
    columns, top = max(map(len, rows)), LABEL_HEIGHT if labels else GAP
    sheet = np.full((top + len(rows) * (H + GAP), GAP + columns * (W + GAP), 3), 24, np.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            y, x = top + i * (H + GAP), GAP + j * (W + GAP)
            _fit(sheet[y : y + H, x : x + W], picture)
    for j, label in enumerate(labels or ()):
        _write(sheet, label, GAP + j * (W + GAP), W)
    return sheet


def _fit(cell: np.ndarray, picture: np.ndarray) -> None:
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    picture = eight_bits(picture)
    (H, W), (h, w) = cell.shape[:2], picture.shape[:2]
    f = min(H / h, W / w)
    h, w = max(round(h * f), 1), max(round(w * f), 1)
    kernel = cv2.INTER_AREA if f < 1 else cv2.INTER_LINEAR
    top, left = (H - h) // 2, (W - w) // 2
    cell[top : top + h, left : left + w] = cv2.resize(picture, (w, h), interpolation=kernel)


def _write(sheet: np.ndarray, label: str, x: int, width: int) -> None:
    text = label.encode("ascii", "replace").decode()
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.4
    wide = cv2.getTextSize(text, font, size, 1)[0][0]
    size *= min(1.0, width / max(wide, 1))
    cv2.putText(sheet, text, (x, LABEL_HEIGHT - 5), font, size, (230, 230, 230), 1, cv2.LINE_AA)
