"""Picture files decoded: which are read, how large they may be, and one line for each that is not.

Importable without torch.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

from learnir.console import one_line
from learnir.exif import orientation_of
from learnir.images import ImageError, from_unit, to_unit, upright
from learnir.tiff import KIND, REDUCED, page_kinds

JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
IMAGE_SUFFIXES = JPEG_SUFFIXES | {".png", ".webp", ".tif", ".tiff"}
"""Suffixes of pictures that are read and written."""
READ_ONLY = frozenset({".avif", ".heic", ".heif", ".hif"})
"""Suffixes of pictures that are read; what is made of them is written as JPEG."""
OTHER_PICTURES = frozenset(
    {".bmp", ".dng", ".exr", ".gif", ".jp2", ".jxl", ".mpo", ".pdf", ".ppm", ".psd", ".raw"}
    | {".svg", ".tga"}
    | {".arw", ".cr2", ".cr3", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw"}
)
"""Suffixes of pictures that are neither read nor written."""
VIDEO_SUFFIXES = frozenset({".m4v", ".mkv", ".mov", ".mp4", ".webm"})
"""Suffixes of videos that are read and written; here, as ``learnir.video`` loads torch."""
TIFF_STARTS = (b"II*\0", b"MM\0*")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I;16B", "I;16L")
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
SEVERAL = ("MPO", "HEIF")  # a JPEG with a preview behind it, as of phones; one picture is the main
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")
BITS, PHOTOMETRIC, PLANES, SUB_IFDS, EXTRA_SAMPLES = 258, 262, 284, 330, 338  # tags of a TIFF
BLACK_IS_ZERO = 1
MOST_PIXELS = 50_000_000
MOST_OF_PILLOW = 178_956_970  # more is a bomb to Pillow, whatever is asked of it


def open_image(data: bytes, name: str, most_pixels: int = MOST_PIXELS) -> Image.Image:
    """The single frame in ``data``, decoded, not yet turned upright but for TIFF and HEIC.

    Behind the page of a TIFF there may be smaller copies of it.

    Raises ImageError, naming ``name``, for anything that is not one whole JPEG, PNG, WebP, TIFF,
    HEIC or AVIF picture of at most ``most_pixels``; the size is read before any pixel is decoded.
    """
    if not data:
        raise ImageError(f"{name}: empty file (0 bytes); replace it")
    with warnings.catch_warnings(), _room_for(most_pixels):
        warnings.simplefilter("ignore")  # Pillow's own bomb and metadata warnings
        image = _identify(data, name, most_pixels)
        try:
            _check(image, data, name, most_pixels)
            if image.format == "TIFF":  # turned upright by Pillow, which forgets then that it was
                image.info["original_orientation"] = orientation_of(image)
            image.load()
        except (ImageError, MemoryError):
            raise
        except Exception as error:  # as damaged pixels or pages may
            raise ImageError(
                f"{name}: damaged or cut short ({one_line(error)[:100]}); export or copy it again"
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
    """Makes Pillow read HEIC where ``data`` may be HEIC; ImageError where pillow-heif is
    missing."""
    if data[4:8] != b"ftyp" or data[8:12] not in HEIC_BRANDS:
        return
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise ImageError(
            f"{name}: HEIC needs pillow-heif; in the repository run: pip install -e '.[heic]', "
            "or convert it"
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
    """The formats in MP4's container that this Pillow reads; a file's brand does not tell which."""
    Image.init()
    return tuple(name for name in ("AVIF", "HEIF") if name in Image.OPEN)


def _mega(pixels: int) -> str:
    return f"{pixels / 1e6:.0f}" if pixels >= 1e7 else f"{pixels / 1e6:.2g}"


def _check(image: Image.Image, data: bytes, name: str, most_pixels: int) -> None:
    """ImageError for a picture, not yet decoded, that cannot be used."""
    W, H = image.size
    pixels = W * H
    if pixels > most_pixels:
        raise ImageError(
            f"{name}: {W} x {H} is {_mega(pixels)} megapixels, more than the limit of "
            f"{_mega(most_pixels)}; reduce it"
        )
    if (frames := _frames(image, data)) > 1:
        raise ImageError(
            f"{name}: {image.format} with {frames} frames or pages; "
            "save the one you want as its own file"
        )
    if _tag(image, KIND) & REDUCED and _tag(image, SUB_IFDS):
        raise ImageError(
            f"{name}: a RAW photograph (DNG, NEF), of which only a small preview is read here; "
            "export it as JPEG or TIFF"
        )
    check_pixels(image, name)


def _frames(image: Image.Image, data: bytes) -> int:
    """The number of frames or pages; smaller copies of the first one do not count."""
    if image.format in SEVERAL:
        return 1
    if image.format != "TIFF":
        return getattr(image, "n_frames", 1)
    kinds = page_kinds(data)
    return len(kinds) if any(not kind & REDUCED for kind in kinds[1:]) else 1


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


def deep_grey(image: Image.Image) -> np.ndarray:
    """uint16 (H, W) of a grey picture of 9 to 16 bits: 0 is black, whatever it is in the file."""
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
