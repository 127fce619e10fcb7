"""The EXIF block of a picture: a damaged one is left out, and stops nothing else.

Pillow reads EXIF lazily and raises whatever its parsers meet, on reading as well as on writing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from PIL import ExifTags, Image

from learnir.tiff import EXIF_IFD, GPS_IFD, OLD_PICTURE, STRUCTURE

ORIENTATION = 0x0112
SIDEWAYS = (5, 6, 7, 8)  # the orientations that exchange width and height
PIXEL_SIZE = (0xA002, 0xA003)  # width and height of the picture, in the Exif directory
RESOLUTION = (0x011A, 0x011B)  # pixels per unit, across and down
MOST_IN_JPEG = 65533  # bytes of the one segment that holds it

Made = TypeVar("Made")


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation 1..8; 1 where the image does not say, or not readably."""
    return _tried(lambda: image.getexif().get(ORIENTATION, 1), 1)


def written_turn(image: Image.Image) -> int:
    """The orientation that the file was written with; TIFF and HEIC are decoded upright."""
    return image.info.get("original_orientation") or orientation_of(image)


def upright_exif(image: Image.Image) -> tuple[Image.Exif | None, list[str]]:
    """The EXIF that still holds once ``image`` is turned upright, or None; and notes.

    Tags that describe the old file are dropped, a damaged block as a whole, with a note.
    """
    exif = _tried(lambda: _upright(_read(image), written_turn(image)), None)
    if exif is None:
        return None, ["EXIF damaged: left out"]
    return (exif if len(exif) else None), []


def exif_bytes(image: Image.Image) -> bytes | None:
    """The EXIF of ``image`` as it is, to save it with; None where it is empty or damaged."""

    def made() -> bytes | None:
        exif = _reread(_read(image))
        return exif.tobytes() if len(exif) else None

    return _tried(made, None)


def fitted(exif: Image.Exif, most: int = MOST_IN_JPEG) -> tuple[Image.Exif, list[str]]:
    """The EXIF in at most ``most`` bytes, and the names of the tags that made room, largest first.

    ``exif`` itself stays as it is.
    """
    if len(exif.tobytes()) <= most:
        return exif, []
    small, dropped = _reread(exif), []
    while len(small.tobytes()) > most:
        inner = [small.get_ifd(tag) for tag in (EXIF_IFD, GPS_IFD) if tag in small]
        places: list[tuple[Any, int]] = [(where, tag) for where in (small, *inner) for tag in where]
        where, tag = max(places, key=lambda place: _extent(place[0][place[1]]))
        del where[tag]
        dropped.append(str(ExifTags.TAGS.get(tag, tag)))
    return small, dropped


def _tried(make: Callable[[], Made], otherwise: Made) -> Made:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own, of several lines
        try:
            return make()
        except Exception:  # a damaged block may raise anything in Pillow's parsers
            return otherwise


def _read(image: Image.Image) -> Image.Exif:
    raw = image.info.get("exif")
    if raw:
        Image.Exif().load(raw)  # Pillow tells of a damaged block once, then takes it for empty
    return image.getexif()


def _upright(exif: Image.Exif, turn: int) -> Image.Exif:
    inner = exif.get_ifd(EXIF_IFD) if EXIF_IFD in exif else {}
    for where, (across, down) in ((inner, PIXEL_SIZE), (exif, RESOLUTION)):
        if turn in SIDEWAYS and across in where and down in where:
            where[across], where[down] = where[down], where[across]
    gone = (STRUCTURE | OLD_PICTURE) - {ORIENTATION}
    for tag in [tag for tag in exif if tag in gone]:
        del exif[tag]
    if ORIENTATION in exif:
        exif[ORIENTATION] = 1
    exif.bigtiff = False  # no format but BigTIFF itself knows that layout
    return _reread(exif)


def _reread(exif: Image.Exif) -> Image.Exif:
    """A copy that has been written and read again, so that it surely can be written."""
    again = Image.Exif()
    again.load(_as_read(exif).tobytes())
    _opaque(_as_read(again)).tobytes()
    return again


class _Text(str):
    """Text of a tag, written as the bytes it was read from, whatever their encoding.

    Pillow takes every byte for a letter of Latin-1, and writes "?" for those beyond ASCII.
    """

    def encode(self, *_: Any) -> bytes:
        return super().encode("latin-1", "replace")


def _as_read(exif: Image.Exif) -> Image.Exif:
    """The same block; its text will be written as it was read."""
    for where in (exif, *(exif.get_ifd(tag) for tag in (EXIF_IFD, GPS_IFD) if tag in exif)):
        for tag, value in list(where.items()):
            if isinstance(value, str):
                where[tag] = _Text(value)
    return exif


def _opaque(exif: Image.Exif) -> Image.Exif:
    """The same block; bytes in its Exif directory will be written as such: none there are numbers.

    Pillow would declare them to be, and programs then show a comment as a row of numbers.
    """
    inner = exif.get_ifd(EXIF_IFD) if EXIF_IFD in exif else {}
    for tag, value in inner.items():
        if isinstance(value, bytes):
            inner[tag] = (bytearray(value),)  # what it knows no type for it takes for bytes
    return exif


def _extent(value: Any) -> int:
    """About how many bytes a tag takes; a directory counts by the tags in it."""
    if isinstance(value, (bytes, bytearray, str)):
        return len(value)
    return sum(_extent(one) or 8 for one in value) if isinstance(value, tuple) else 0
