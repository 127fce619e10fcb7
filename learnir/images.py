"""Pictures at the boundary: decoding, encoding and the one place that converts ranges.

Everywhere outside this file an array or tensor is one of three things:

* a *picture*: ``uint8`` or ``uint16``, ``(H, W, 3)``, RGB, sRGB-encoded;
* *signed*: ``float32`` in [-1, 1], sRGB-encoded, what the networks and the process work on;
* *linear*: ``float32`` in [0, 1], linear light, what shadows are computed in.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from learnir.exif import ORIENTATION, orientation_of  # noqa: F401

if TYPE_CHECKING:
    import torch

JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
IMAGE_SUFFIXES = JPEG_SUFFIXES | {".png", ".webp", ".tif", ".tiff"}
"""Suffixes of pictures that are read and written."""
READ_ONLY = frozenset({".avif", ".heic", ".heif", ".hif"})
"""Suffixes of pictures that are read; what is made of them is written as JPEG."""
OTHER_PICTURES = frozenset(
    {".bmp", ".dng", ".exr", ".gif", ".jp2", ".jxl", ".pdf", ".ppm", ".psd", ".raw", ".svg"}
    | {".tga", ".arw", ".cr2", ".cr3", ".nef", ".orf", ".raf", ".rw2"}
)
"""Suffixes of pictures that are neither read nor written."""
TIFF_STARTS = (b"II*\0", b"MM\0*")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I;16B", "I;16L")
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
SEVERAL = ("MPO", "HEIF")  # a JPEG with a preview behind it, as of phones; one picture is the main
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")
BITS, PHOTOMETRIC, PLANES, EXTRA_SAMPLES = 258, 262, 284, 338  # tags of a TIFF
BLACK_IS_ZERO = 1
MOST_PIXELS = 50_000_000
MOST_OF_PILLOW = 178_956_970  # more is a bomb to Pillow, whatever is asked of it


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


def open_image(data: bytes, name: str, most_pixels: int = MOST_PIXELS) -> Image.Image:
    """The single frame in ``data``, decoded, not yet turned upright.

    Raises ImageError, naming ``name``, for anything that is not one whole JPEG, PNG, WebP, TIFF,
    HEIC or AVIF picture of at most ``most_pixels``; the size is read before any pixel is decoded.
    """
    if not data:
        raise ImageError(f"{name}: empty file (0 bytes); replace it")
    with warnings.catch_warnings(), _room_for(most_pixels):
        warnings.simplefilter("ignore")  # Pillow's own bomb and metadata warnings
        image = _identify(data, name, most_pixels)
        try:
            _check(image, name, most_pixels)
            image.load()
        except (ImageError, MemoryError):
            raise
        except Exception as error:  # as damaged pixels or pages may
            raise ImageError(
                f"{name}: damaged or cut short ({one_line(error)}); export or copy it again"
            ) from error
    return image


_ROOM = threading.Lock()


@contextmanager
def _room_for(most_pixels: int) -> Iterator[None]:
    """Pillow's own limit, one for the whole process, raised where more is asked for."""
    if most_pixels <= MOST_OF_PILLOW:
        yield
        return
    with _ROOM:  # one thread at a time, or the limit would be put back under another's hands
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = most_pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def prepare_heic(data: bytes, name: str) -> None:
    """Teaches Pillow to read HEIC where ``data`` may be one; ImageError without what that takes."""
    if data[4:8] != b"ftyp" or data[8:12] not in HEIC_BRANDS:
        return
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise ImageError(
            f"{name}: HEIC needs pillow-heif; run: pip install 'learnir[heic]', or convert it"
        ) from error
    register_heif_opener()


def _identify(data: bytes, name: str, most_pixels: int) -> Image.Image:
    prepare_heic(data, name)
    boxes = data[4:8] == b"ftyp"
    try:
        return Image.open(io.BytesIO(data), formats=_boxed() if boxes else FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{name}: far more than the limit of {most_pixels / 1e6:.0f} megapixels; reduce it"
        ) from error
    except Exception as error:  # a damaged header may raise anything in Pillow's parsers
        if data.startswith(TIFF_STARTS):
            raise ImageError(
                f"{name}: a TIFF of a kind that is not read here, or damaged; save it with 8 or 16 "
                "bits per channel, not as floating point"
            ) from error
        if boxes:
            raise ImageError(
                f"{name}: no HEIC or AVIF picture, or cut short; export or copy it again"
            ) from error
        raise ImageError(
            f"{name}: not a readable JPEG, PNG, WebP, TIFF, HEIC or AVIF picture; convert it"
        ) from error


def _boxed() -> tuple[str, ...]:
    """Formats in the boxes of MP4 that Pillow knows; a brand may be of either."""
    Image.init()
    return tuple(name for name in ("AVIF", "HEIF") if name in Image.OPEN)


def _mega(pixels: int) -> str:
    return f"{pixels / 1e6:.0f}" if pixels >= 1e7 else f"{pixels / 1e6:.2g}"


def _check(image: Image.Image, name: str, most_pixels: int) -> None:
    """ImageError for a picture, not yet decoded, that cannot be used."""
    W, H = image.size
    pixels = W * H
    if pixels > most_pixels:
        raise ImageError(
            f"{name}: {W} x {H} is {_mega(pixels)} megapixels, more than the limit of "
            f"{_mega(most_pixels)}; reduce it"
        )
    if image.format not in SEVERAL and getattr(image, "n_frames", 1) > 1:
        raise ImageError(
            f"{name}: {image.format} with {image.n_frames} frames or pages; "  # type: ignore[attr-defined]
            "save the one you want as its own file"
        )
    check_pixels(image, name)


def check_pixels(image: Image.Image, name: str) -> None:
    """ImageError for pixels of a type that is not read, decoded or not."""
    if image.mode not in MODES:
        raise ImageError(
            f"{name}: pixels of type {image.mode!r}; save it with 8 or 16 bits per channel"
        )
    apart = _tag(image, PLANES) == 2 and len(image.getbands()) > 1
    if apart and _tag(image, BITS) == 16:  # decoders disagree on these
        raise ImageError(
            f"{name}: 16-bit TIFF with channels stored apart; save it with them interleaved"
        )


def _tag(image: Image.Image, tag: int, default: int = 0) -> int:
    """The first value of a TIFF's tag; ``default`` without it, and for other formats."""
    value = getattr(image, "tag_v2", {}).get(tag, default)
    return value[0] if isinstance(value, tuple) else value


def one_line(error: Exception) -> str:
    """What an error says, in at most 100 letters."""
    return " ".join(str(error).split())[:100]


def deep_grey(image: Image.Image) -> np.ndarray:
    """uint16 (H, W) of a grey picture of 9 to 16 bits: 0 black, 65535 white, as in no scanner's."""
    pixels = np.asarray(image).astype(np.uint16)
    bits = _tag(image, BITS, 16)
    if bits < 16:
        pixels = from_unit(pixels.astype(np.float32) / (2**bits - 1), np.uint16)
    return 65535 - pixels if _tag(image, PHOTOMETRIC, BLACK_IS_ZERO) == 0 else pixels


def straight_alpha(pixels: np.ndarray, image: Image.Image) -> np.ndarray:
    """uint16 (H, W, 4), colours freed of the alpha that a TIFF may have multiplied them by."""
    if _tag(image, EXTRA_SAMPLES) != 1:
        return pixels
    alpha = pixels[..., 3:].astype(np.float32)
    colour = from_unit(pixels[..., :3] / np.maximum(alpha, 1), np.uint16)
    return np.concatenate([colour, pixels[..., 3:]], axis=2)


def bit_depth(image: Image.Image, data: bytes) -> int:
    """Bits per channel in the file, which Pillow hides: it hands 16-bit colour over as 8-bit."""
    if image.format == "PNG":
        return data[24]
    if image.format == "TIFF":
        return max(image.tag_v2.get(BITS, (1,)))  # type: ignore[attr-defined]
    return 8


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


def decode_rgb(data: bytes, name: str) -> np.ndarray:
    """An encoded picture -> uint8 RGB (H, W, 3), upright; alpha is dropped, 16 bits become 8.

    Args:
        data: the bytes of a JPEG, PNG, WebP, TIFF, HEIC or AVIF file.
        name: what an error calls it. Raises ImageError.
    """
    return upright_rgb(open_image(data, name))


def upright_rgb(image: Image.Image) -> np.ndarray:
    """A picture that ``check_pixels`` passes -> uint8 RGB (H, W, 3), as ``decode_rgb`` gives it."""
    image.load()  # a TIFF is turned upright by that, and says so afterwards
    if image.mode.startswith("I;16"):
        pixels = from_unit(np.repeat(to_unit(deep_grey(image))[..., None], 3, axis=2))
    else:
        pixels = np.array(image.convert("RGB"))  # a copy: that of Pillow's cannot be written to
    return upright(pixels, orientation_of(image))


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
    picture = picture if picture.dtype == np.uint8 else from_unit(to_unit(picture))
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
