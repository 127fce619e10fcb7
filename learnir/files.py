"""Picture files read with all they carry: depth, alpha, grey, EXIF, colour profile, resolution.

Reading gives an sRGB picture to restore; ``learnir.encoding`` writes the restored one as a file of
the same kind.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from learnir.colour import Profile, as_srgb, in_srgb, srgb_icc
from learnir.decoding import (
    JPEG_SUFFIXES,
    MOST_PIXELS,
    bit_depth,
    deep_grey,
    open_image,
    straight_alpha,
)
from learnir.exif import SIDEWAYS, orientation_of, upright_exif, written_turn
from learnir.images import ImageError, split_channels, upright
from learnir.tiff import page_kinds

FORMAT_OF = {
    **dict.fromkeys(JPEG_SUFFIXES, "jpeg"),
    ".png": "png",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
}
SUFFIX_OF = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "tiff": ".tif"}
LONGEST_HEADER = 1 << 16  # the chunks of a WebP before its pixels: flags and a profile
PNG_KIND, GREY_ALPHA = 25, 4  # where a PNG says what its channels are, and one of the answers
SRGB_CHUNKS = {  # what a PNG may say of its colours without a profile, and says if they are sRGB
    b"cICP": bytes([1, 13, 0, 1]),
    b"gAMA": struct.pack(">I", 45455),
    b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
}
EXTRAS = {  # what phones add to a picture's file, and the bytes by which it is known
    "HDR gain map": (b"hdrgm:", b"HDRGainMap", b"hdrgainmap", b"urn:iso:std:iso:ts:21496"),
    "clip of a motion photo": (b"ftypmp4", b"ftypisom", b"MotionPhoto_Data"),
}
NCLX = b"colrnclx"  # where a HEIC or AVIF says the same in two numbers, of primaries and of a curve
NEAR_SRGB = frozenset({1, 2, 5, 6, 7}), frozenset({1, 2, 6, 13, 14, 15})  # or unknown, each of them


@dataclass(frozen=True)
class Photo:
    """A decoded file.

    Attributes:
        picture: uint8 or uint16 sRGB (H, W, 3), upright: what is restored.
        pixels: the same in the file's own colour space.
        alpha: (H, W) or None; ``grey``: whether the file has one colour channel.
        format: "jpeg", "png", "webp", "tiff", "heif" or "avif"; ``lossless``: whether that file
            lost nothing.
        exif, icc, dpi: what the file says of itself, as it is true of the upright picture.
        profile: the colour space of ``pixels`` where it is not sRGB.
        chunks: what a PNG says of its colours besides, by name, or a HEIC or AVIF as a PNG would;
            they are restored as if sRGB.
        notes: what could not be kept as it was, to be reported.
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
    chunks: dict[bytes, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = field(default=())

    @property
    def written_as(self) -> str:
        """The format of what is made of it: its own, JPEG where that is only read."""
        return self.format if self.format in SUFFIX_OF else "jpeg"


def read_photo(path: Path, most_pixels: int = MOST_PIXELS) -> Photo:
    """The photo in a JPEG, PNG, WebP, TIFF, HEIC or AVIF file.

    ImageError with one line says why not.
    """
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
    orientation, dpi = orientation_of(image), _upright_dpi(image)  # until the EXIF says upright
    exif, notes = upright_exif(image)
    notes += [f"{x} left out" for x, marks in EXTRAS.items() if any(mark in data for mark in marks)]
    plain, icc, note = _as_rgb(image)
    notes += [*note, *_not_decoded(image, data)]
    pixels = upright(_raw_pixels(plain, data, name), orientation)
    colour, alpha, grey = split_channels(pixels)
    picture, profile = colour, None
    if icc and not grey:
        colour, picture, icc, profile, note = in_srgb(colour, icc)
        notes.extend(note)
    return Photo(
        picture=picture,
        pixels=colour,
        alpha=alpha,
        grey=grey,
        format="jpeg" if image.format == "MPO" else str(image.format).lower(),
        lossless=b"VP8L" in data[:LONGEST_HEADER]
        if image.format == "WEBP"
        else image.format in ("PNG", "TIFF"),
        exif=exif,
        icc=icc,
        dpi=dpi,
        profile=profile,
        # codes that LittleCMS converted are no longer what the chunks say
        chunks=_chunks(image, data) if icc == image.info.get("icc_profile") else {},
        notes=tuple(notes),
    )


def _as_rgb(image: Image.Image) -> tuple[Image.Image, bytes | None, list[str]]:
    """The image in a mode of plain channels, the ICC profile that is true of it, and notes.

    CMYK and YCbCr become sRGB; palettes are expanded when the pixels are read.
    """
    icc = image.info.get("icc_profile")
    if image.mode in ("CMYK", "YCbCr"):
        return as_srgb(image, icc), srgb_icc(), [f"{image.mode} converted to sRGB"]
    if image.mode in ("P", "PA"):
        return image, icc, ["palette expanded to full colour"]
    return image, icc, []


def _not_decoded(image: Image.Image, data: bytes) -> list[str]:
    """Notes on pages and bits of the file that its decoders leave behind."""
    notes = []
    if image.format == "TIFF" and len(page_kinds(data)) > 1:
        notes.append("smaller copies on further pages left out")
    if image.info.get("bit_depth", 8) > 8 and image.format == "HEIF":
        notes.append(f"{image.info['bit_depth']} bits reduced to 8")
    return notes


def _chunks(image: Image.Image, data: bytes) -> dict[bytes, bytes]:
    """The chunks of ``SRGB_CHUNKS`` that count in a PNG; none where they say nothing but sRGB.

    A profile and an sRGB chunk stand above gAMA and cHRM, cICP above all of them. HEIC and AVIF say
    what a cICP does, but below a profile.
    """
    if image.format in ("HEIF", "AVIF"):
        return {} if image.info.get("icc_profile") else _coded(data)
    found: dict[bytes, bytes] = {}
    kind, at = b"", 8
    while image.format == "PNG" and kind != b"IDAT" and at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        if len(body) == len(SRGB_CHUNKS.get(kind, b"")):
            found[kind] = body
        at += size + 12
    if image.info.keys() & {"icc_profile", "srgb"}:
        found = {kind: body for kind, body in found.items() if kind == b"cICP"}
    return {} if found.items() <= SRGB_CHUNKS.items() else found


def _coded(data: bytes) -> dict[bytes, bytes]:
    """The cICP chunk of a HEIC or AVIF in other colours than those taken for sRGB anyway."""
    at = data.find(NCLX, 0, LONGEST_HEADER)
    said = data[at + len(NCLX) :][:4]
    if at < 0 or len(said) < 4:
        return {}
    primaries, curve = struct.unpack(">2H", said)
    if primaries in NEAR_SRGB[0] and curve in NEAR_SRGB[1]:
        return {}
    return {b"cICP": bytes([primaries % 256, curve % 256, 0, 1])}


def _raw_pixels(image: Image.Image, data: bytes, name: str) -> np.ndarray:
    """uint8 or uint16 (H, W) or (H, W, 2..4) at the depth of the file."""
    if image.mode.startswith("I;16"):
        grey, clear = deep_grey(image), image.info.get("transparency")
        if clear is None:
            return grey
        return np.stack([grey, np.where(grey == clear, 0, 65535).astype(np.uint16)], axis=-1)
    if image.format and bit_depth(image, data) == 16:
        grey_alpha = image.format == "PNG" and data[PNG_KIND] == GREY_ALPHA
        pixels = _sixteen_bits(data, name, grey=grey_alpha or image.mode in ("L", "LA"))
        return straight_alpha(pixels, image) if pixels.shape[2:] == (4,) else pixels
    if image.mode == "1":
        image = image.convert("L")
    if image.mode == "PA" or (image.mode in ("P", "RGB", "L") and "transparency" in image.info):
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB") if image.mode == "P" else image)


def _sixteen_bits(data: bytes, name: str, grey: bool) -> np.ndarray:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:  # more than 2^30 pixels, or 2^20 in a row
        raise ImageError(f"{name}: 16-bit picture too large to decode; reduce it") from error
    if pixels is None or pixels.dtype != np.uint16:
        raise ImageError(f"{name}: 16-bit picture of an unusual layout; save it uncompressed")
    if pixels.ndim == 2:
        return pixels
    if grey:
        return pixels[..., [0, -1]] if pixels.shape[2] == 4 else pixels[..., 0]
    return pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]]


def _upright_dpi(image: Image.Image) -> tuple[float, float] | None:
    """Pixels per inch across and down the picture once it stands upright."""
    try:
        across, down = (float(x) for x in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if not (across > 0 and down > 0):
        return None
    return (down, across) if written_turn(image) in SIDEWAYS else (across, down)
