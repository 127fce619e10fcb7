"""Picture files with all they carry: depth, alpha, grey, EXIF, colour profile, resolution.

Reading gives a sRGB picture to restore; writing takes the restored one and gives a file of the same
kind back. EXIF and ICC survive; XMP does not (it may hold edits that no longer apply), nor do
embedded previews (they show the old picture).
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from learnir.colour import (
    Profile,
    carry_back,
    converted,
    matrix_profile,
    srgb_icc,
    to_srgb,
)
from learnir.images import (
    MOST_PIXELS,
    ORIENTATION,
    ImageError,
    bit_depth,
    from_unit,
    join_channels,
    open_image,
    split_channels,
    to_unit,
    upright,
)
from learnir.tiff import EXIF_IFD, STRUCTURE, encode_tiff

FORMAT_OF = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".png": "png",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
}
SUFFIX_OF = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "tiff": ".tif"}
LONGEST_HEADER = 1 << 16  # the chunks of a WebP before its pixels: flags and a profile
JPEG_QUALITY, WEBP_QUALITY = 95, 95
PIXEL_SIZE = (0xA002, 0xA003)  # width and height of the picture, in the Exif directory


@dataclass(frozen=True)
class Photo:
    """A decoded file.

    Attributes:
        picture: uint8 or uint16 sRGB (H, W, 3), upright: what is restored.
        pixels: the same in the file's own colour space.
        alpha: (H, W) or None; ``grey``: whether the file has one colour channel.
        format: "jpeg", "png", "webp" or "tiff"; ``lossless``: whether that file lost nothing.
        exif, icc, dpi: what the file says of itself, the orientation set to upright.
        profile: the colour space of ``pixels`` where it is not sRGB.
        notes: what could not be kept as it was, to be said aloud.
    """

    picture: np.ndarray
    pixels: np.ndarray
    alpha: np.ndarray | None
    grey: bool
    format: str
    lossless: bool
    exif: Image.Exif | None = None
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    profile: Profile | None = None
    notes: tuple[str, ...] = field(default=())


def read_photo(path: Path, most_pixels: int = MOST_PIXELS) -> Photo:
    """The photo in a JPEG, PNG, WebP or TIFF file; ImageError with one line says why not."""
    try:
        data = path.read_bytes()
    except IsADirectoryError as error:
        raise ImageError(f"{path}: a folder, not a picture; give the files in it") from error
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}; check the path and its permissions") from error
    return decode_photo(data, str(path), most_pixels)


def decode_photo(data: bytes, name: str, most_pixels: int = MOST_PIXELS) -> Photo:
    """The photo in the bytes of a file called ``name``."""
    image = open_image(data, name, most_pixels)
    orientation = image.getexif().get(ORIENTATION, 1)
    icc, notes = image.info.get("icc_profile"), []
    plain = image
    if image.mode in ("CMYK", "YCbCr"):
        plain = (converted(image, icc) if icc else None) or image.convert("RGB")
        icc = srgb_icc()
        notes.append(f"{image.mode} converted to sRGB")
    elif image.mode in ("P", "PA"):
        notes.append("palette expanded to full colour")
    pixels = upright(_raw_pixels(plain, data, name), orientation)
    colour, alpha, grey = split_channels(pixels)
    picture, profile = colour, None
    if icc and not grey:
        colour, picture, icc, profile, note = _in_srgb(colour, icc)
        notes.extend(note)
    return Photo(
        picture=picture,
        pixels=colour,
        alpha=alpha,
        grey=grey,
        format="jpeg" if image.format == "MPO" else str(image.format).lower(),
        lossless=b"VP8L" in data[:LONGEST_HEADER]
        if image.format == "WEBP"
        else image.format != "JPEG",
        exif=_upright_exif(image, orientation),
        icc=icc,
        dpi=_dpi(image),
        profile=profile,
        notes=tuple(notes),
    )


def _raw_pixels(image: Image.Image, data: bytes, name: str) -> np.ndarray:
    """uint8 or uint16 (H, W) or (H, W, 2..4) at the depth of the file."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if image.format and bit_depth(image, data) == 16:
        return _sixteen_bits(data, name, grey=image.mode in ("L", "LA"))
    if image.mode == "1":
        image = image.convert("L")
    if image.mode == "PA" or (image.mode in ("P", "RGB", "L") and "transparency" in image.info):
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB") if image.mode == "P" else image)


def _sixteen_bits(data: bytes, name: str, grey: bool) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ImageError(f"{name}: 16-bit picture of an unusual layout; save it uncompressed")
    if pixels.ndim == 2:
        return pixels
    if grey:
        return pixels[..., [0, -1]] if pixels.shape[2] == 4 else pixels[..., 0]
    return pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]]


def _in_srgb(
    colour: np.ndarray, icc: bytes
) -> tuple[np.ndarray, np.ndarray, bytes, Profile | None, list[str]]:
    """(pixels, sRGB picture, their ICC, profile, notes) of colour pixels with an ICC profile."""
    profile = matrix_profile(icc)
    if profile is not None:
        if profile.is_srgb():
            return colour, colour, icc, None, []
        return colour, to_srgb(colour, profile), icc, profile, []
    if colour.dtype == np.uint8:
        image = converted(Image.fromarray(colour), icc)
        if image is not None:
            picture = np.asarray(image)
            return picture, picture, srgb_icc(), None, ["colour profile converted to sRGB"]
    return colour, colour, icc, None, ["colour profile not understood: treated as sRGB"]


def _upright_exif(image: Image.Image, orientation: int) -> Image.Exif | None:
    """The EXIF without what described the old file, told that the picture stands upright."""
    exif = image.getexif()
    inner = exif.get_ifd(EXIF_IFD)
    for tag in [tag for tag in exif if tag in STRUCTURE and tag != ORIENTATION]:
        del exif[tag]
    if ORIENTATION in exif:
        exif[ORIENTATION] = 1
    if orientation in (5, 6, 7, 8) and set(PIXEL_SIZE) <= set(inner):
        W, H = PIXEL_SIZE
        inner[W], inner[H] = inner[H], inner[W]
    return exif if len(exif) or inner else None


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        across, down = (float(x) for x in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if across > 0 and down > 0 else None


def encode_photo(
    photo: Photo, restored: np.ndarray, format: str | None = None, strip: bool = False
) -> bytes:
    """The file of the restored picture: what ``photo`` was, with other pixels.

    Args:
        restored: like ``photo.picture``.
        format: "jpeg", "png", "webp" or "tiff"; None is the photo's own.
        strip: leave EXIF out, and the profile where it is sRGB.

    Raises ImageError when the format cannot hold the picture (alpha in JPEG).
    """
    format = format or photo.format
    if photo.alpha is not None and format == "jpeg":
        raise ImageError("JPEG cannot hold transparency; choose --format png, webp or tiff")
    colour = restored
    if photo.profile is not None:
        colour = carry_back(photo.pixels, photo.profile, photo.picture, restored)
    pixels = join_channels(colour, photo.alpha, photo.grey)
    exif = None if strip else photo.exif
    icc = None if strip and photo.profile is None else photo.icc
    if format == "tiff":
        return encode_tiff(pixels, exif, icc, photo.dpi)
    if format == "png" and pixels.dtype == np.uint16:
        return _deep_png(pixels, exif, icc)
    return _by_pillow(pixels, format, photo, exif, icc)


def loses_depth(photo: Photo, format: str) -> bool:
    """Whether ``format`` reduces the photo from 16 bits to 8."""
    return photo.pixels.dtype == np.uint16 and format in ("jpeg", "webp")


def _by_pillow(
    pixels: np.ndarray, format: str, photo: Photo, exif: Image.Exif | None, icc: bytes | None
) -> bytes:
    if pixels.dtype == np.uint16:
        pixels = from_unit(to_unit(pixels))
    options: dict[str, object] = {"icc_profile": icc}
    if exif is not None:
        options["exif"] = exif.tobytes()
    if photo.dpi is not None and format != "webp":
        options["dpi"] = photo.dpi
    if format == "jpeg":
        options |= {"quality": JPEG_QUALITY, "subsampling": 0, "optimize": True}
    elif format == "webp":
        keep = photo.format == "webp" and photo.lossless
        options |= {"lossless": keep, "quality": 80 if keep else WEBP_QUALITY, "exact": True}
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format, **options)
    return out.getvalue()


def _deep_png(pixels: np.ndarray, exif: Image.Exif | None, icc: bytes | None) -> bytes:
    """16-bit PNG by OpenCV, the chunks it cannot write put in behind the header."""
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        pixels = pixels[..., [0, 0, 0, 1]]
    elif pixels.ndim == 3:
        pixels = pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]]
    _, encoded = cv2.imencode(".png", pixels)
    data, header = encoded.tobytes(), 33
    extra = b""
    if icc:
        extra += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc))
    if exif is not None:
        extra += _chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    return data[:header] + extra + data[header:]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
