"""Restored pictures written as files of the kind that they came from.

EXIF and ICC survive; XMP does not (it may hold edits that no longer apply), nor do embedded
previews (they show the old picture).
"""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from learnir.colour import carry_back, grey_profile, is_grey, is_srgb, to_srgb
from learnir.console import one_line
from learnir.exif import fitted
from learnir.files import Photo
from learnir.images import (
    ImageError,
    eight_bits,
    from_unit,
    join_channels,
    split_channels,
    to_unit,
)
from learnir.tiff import encode_tiff

JPEG_QUALITY, WEBP_QUALITY = 95, 95
LONGEST_SIDE = {"jpeg": 65500, "webp": 16383}  # pixels, all that their encoders take
METRES_PER_INCH = 0.0254
PNG_HEADER = 33  # bytes of the signature and the first chunk, behind which the others go


def encode_png(picture: np.ndarray) -> bytes:
    """Lossless PNG of a uint8 picture (H, W, 3) or mask (H, W)."""
    ordered = picture[..., ::-1] if picture.ndim == 3 else picture
    return cv2.imencode(".png", ordered)[1].tobytes()


def encode_photo(
    photo: Photo, restored: np.ndarray, format: str | None = None, strip: bool = False
) -> bytes:
    """The file of the restored picture: what ``photo`` was, with other pixels.

    Args:
        restored: like ``photo.picture``.
        format: "jpeg", "png", "webp" or "tiff"; None is ``photo.written_as``.
        strip: leave EXIF out, and the profile where it is sRGB; a grey file's stays, as its
            pixels are in it, and so does one that was not understood.

    Raises ImageError when the format cannot hold the picture (see ``check_format``).
    """
    format = format or photo.written_as
    check_format(photo, format)
    try:
        return _encoded(photo, restored, format, strip)
    except (OSError, ValueError, struct.error, cv2.error) as error:
        raise ImageError(
            f"cannot be written as {format} ({one_line(error)[:100]}); choose another format"
        ) from error


def check_format(photo: Photo, format: str) -> None:
    """ImageError where ``format`` cannot hold the photo: JPEG transparency, some long sides."""
    clear = photo.alpha is not None and photo.alpha.min() < np.iinfo(photo.alpha.dtype).max
    if clear and format == "jpeg":
        raise ImageError("JPEG cannot hold transparency; choose --format png, webp or tiff")
    longest = max(photo.picture.shape[:2])
    if longest > LONGEST_SIDE.get(format, longest):
        raise ImageError(
            f"{longest} pixels long, {format} holds {LONGEST_SIDE[format]}; choose png or tiff"
        )


def losses(photo: Photo, format: str, strip: bool = False) -> list[str]:
    """What ``encode_photo`` leaves out because ``format`` cannot hold it, one note each."""
    notes = []
    if loses_depth(photo, format):
        notes.append(f"16 bits reduced to 8, all that {format} holds")
    if photo.chunks and format != "png":
        said = b", ".join(photo.chunks).decode()
        notes.append(f"its colour description ({said}) is left out; convert it to sRGB first")
    if photo.exif is not None and format == "jpeg" and not strip:
        notes.extend(f"{tag} left out, too long for JPEG" for tag in fitted(photo.exif)[1])
    if _needs_colour(photo, format) and is_grey(photo.icc):
        notes.append(f"its grey profile does not fit into such a {format}: sRGB instead")
    return notes


def _encoded(photo: Photo, restored: np.ndarray, format: str, strip: bool) -> bytes:
    colour = restored
    if photo.profile is not None:
        colour = carry_back(photo.pixels, photo.profile, photo.picture, restored)
    alpha = None if format == "jpeg" else photo.alpha  # opaque, or it would have been refused
    pixels = join_channels(colour, alpha, photo.grey)
    exif = None if strip else photo.exif
    icc = None if strip and not photo.grey and is_srgb(photo.icc) else photo.icc
    if _needs_colour(photo, format):
        pixels, icc = _in_colour(pixels, icc)
    if format == "tiff":
        return encode_tiff(pixels, exif, icc, photo.dpi)
    if format == "png" and pixels.dtype == np.uint16:
        return _deep_png(pixels, photo, exif, icc)
    return _by_pillow(pixels, format, photo, exif, icc)


def _needs_colour(photo: Photo, format: str) -> bool:
    """Whether grey is written as equal red, green and blue, as any WebP is.

    So is grey of 16 bits with alpha, which OpenCV does not write, nor Pillow read in a TIFF.
    """
    deep_clear = photo.pixels.dtype == np.uint16 and photo.alpha is not None and format != "jpeg"
    return photo.grey and (format == "webp" or deep_clear)


def _in_colour(pixels: np.ndarray, icc: bytes | None) -> tuple[np.ndarray, bytes | None]:
    """Grey (H, W) or (H, W, 2) as RGB or RGBA of the same depth, in sRGB where ``icc`` is of grey.

    Returns the pixels and the profile that is still true of them.
    """
    colour, alpha, _ = split_channels(pixels)
    if icc is not None and is_grey(icc):
        profile = grey_profile(icc)
        if profile is not None:
            colour = from_unit(to_unit(to_srgb(colour, profile)), pixels.dtype)
        icc = None
    return join_channels(colour, alpha, grey=False), icc


def loses_depth(photo: Photo, format: str) -> bool:
    """Whether ``format`` reduces the photo from 16 bits to 8."""
    return photo.pixels.dtype == np.uint16 and format in ("jpeg", "webp")


def _by_pillow(
    pixels: np.ndarray, format: str, photo: Photo, exif: Image.Exif | None, icc: bytes | None
) -> bytes:
    options: dict[str, object] = {"icc_profile": icc}
    if exif is not None:
        options["exif"] = (fitted(exif)[0] if format == "jpeg" else exif).tobytes()
    if photo.dpi is not None and format != "webp":
        options["dpi"] = photo.dpi
    if format == "jpeg":
        options |= {"quality": JPEG_QUALITY, "subsampling": 0, "optimize": True}
    elif format == "png":
        options["pnginfo"] = described = PngInfo()
        for kind, body in photo.chunks.items():
            described.add(kind, body)
    elif format == "webp":
        keep = photo.format == "webp" and photo.lossless
        options |= {"lossless": keep, "quality": 80 if keep else WEBP_QUALITY, "exact": True}
    out = io.BytesIO()
    Image.fromarray(eight_bits(pixels)).save(out, format, **options)
    return out.getvalue()


def _deep_png(
    pixels: np.ndarray, photo: Photo, exif: Image.Exif | None, icc: bytes | None
) -> bytes:
    """16-bit PNG by OpenCV, with the chunks that it cannot write put in behind the header."""
    if pixels.ndim == 3:
        pixels = pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]]
    _, encoded = cv2.imencode(".png", pixels)
    data = encoded.tobytes()
    extra = b"".join(_chunk(kind, body) for kind, body in photo.chunks.items())
    if icc:
        extra += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc))
    if photo.dpi is not None:
        across, down = (round(x / METRES_PER_INCH) for x in photo.dpi)
        extra += _chunk(b"pHYs", struct.pack(">IIB", across, down, 1))  # per metre
    if exif is not None:
        extra += _chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    return data[:PNG_HEADER] + extra + data[PNG_HEADER:]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
