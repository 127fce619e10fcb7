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
from PIL.PngImagePlugin import PngInfo

from learnir.colour import (
    Profile,
    as_srgb,
    carry_back,
    grey_profile,
    in_srgb,
    is_grey,
    is_srgb,
    srgb_icc,
    to_srgb,
)
from learnir.console import one_line
from learnir.decoding import (
    JPEG_SUFFIXES,
    MOST_PIXELS,
    bit_depth,
    deep_grey,
    open_image,
    straight_alpha,
)
from learnir.exif import SIDEWAYS, fitted, orientation_of, upright_exif, written_turn
from learnir.images import (
    ImageError,
    eight_bits,
    from_unit,
    join_channels,
    split_channels,
    to_unit,
    upright,
)
from learnir.tiff import encode_tiff, page_kinds

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
JPEG_QUALITY, WEBP_QUALITY = 95, 95
LONGEST_SIDE = {"jpeg": 65500, "webp": 16383}  # pixels, all that their encoders take
METRES_PER_INCH = 0.0254


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
    icc = image.info.get("icc_profile")
    plain = image
    if image.mode in ("CMYK", "YCbCr"):
        plain = as_srgb(image, icc)
        icc = srgb_icc()
        notes.append(f"{image.mode} converted to sRGB")
    elif image.mode in ("P", "PA"):
        notes.append("palette expanded to full colour")
    if image.format == "TIFF" and len(page_kinds(data)) > 1:
        notes.append("smaller copies on further pages left out")
    if image.info.get("bit_depth", 8) > 8 and image.format == "HEIF":
        notes.append(f"{image.info['bit_depth']} bits reduced to 8")
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
    """16-bit PNG by OpenCV, the chunks it cannot write put in behind the header."""
    if pixels.ndim == 3:
        pixels = pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]]
    _, encoded = cv2.imencode(".png", pixels)
    data, header = encoded.tobytes(), 33
    extra = b"".join(_chunk(kind, body) for kind, body in photo.chunks.items())
    if icc:
        extra += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc))
    if photo.dpi is not None:
        across, down = (round(x / METRES_PER_INCH) for x in photo.dpi)
        extra += _chunk(b"pHYs", struct.pack(">IIB", across, down, 1))  # per metre
    if exif is not None:
        extra += _chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    return data[:header] + extra + data[header:]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
