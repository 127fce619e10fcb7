"""Reading pictures for scoring: bounded, upright, 8-bit RGB, nothing resampled."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from benchmarks.names import BenchmarkError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
MOST_PIXELS = 64_000_000  # above every data set here; a 60,000 x 60,000 PNG is refused unread


def decode(data: bytes, name: str, most_pixels: int = MOST_PIXELS) -> np.ndarray:
    """Encoded picture -> uint8 RGB (H, W, 3), EXIF orientation applied, 16 bits made 8.

    BenchmarkError names a file that is damaged, larger than ``most_pixels`` or of another depth.
    """
    from learnir.decoding import check_pixels, upright_rgb
    from learnir.images import ImageError

    image = _opened(data, name, most_pixels)
    try:
        check_pixels(image, name)
    except ImageError as error:
        raise BenchmarkError(str(error)) from error
    with _damage_named(name):
        return upright_rgb(image)


def decode_mask(data: bytes, name: str) -> np.ndarray:
    """Encoded mask -> uint8 (H, W), as stored: any nonzero value is shadow.

    BenchmarkError names a file that is damaged or enormous.
    """
    image = _opened(data, name, MOST_PIXELS)
    with _damage_named(name):
        return np.array(image.convert("L"))


def header(data: bytes, name: str) -> tuple[str, int, int]:
    """Format, width and height from the file's header, without decoding a pixel."""
    image = _opened(data, name, None)
    return str(image.format), image.width, image.height


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    """What Pillow says of pixels that it cannot decode, with the picture's name."""
    try:
        yield
    except (OSError, ValueError, SyntaxError) as error:
        raise BenchmarkError(f"{name}: damaged picture ({error}); replace the file") from error


def _opened(data: bytes, name: str, most_pixels: int | None):  # type: ignore[no-untyped-def]
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
    except Image.DecompressionBombError as error:
        raise BenchmarkError(f"{name}: too many pixels; refused unread") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise BenchmarkError(f"{name}: not a readable picture; replace the file") from error
    if most_pixels is not None and image.width * image.height > most_pixels:
        raise BenchmarkError(
            f"{name}: {image.width}x{image.height} exceeds {most_pixels:,} pixels; refused unread"
        )
    return image
