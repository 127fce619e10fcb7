"""Pictures written for tests."""

import io
import struct
import zlib

from PIL import Image


def save(path, picture, **options):
    """The picture as a file of the format that its name says, its folder made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, **options)
    return path


def png_chunk(kind, body):
    """One chunk of a PNG, with its length and check sum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def encoded(image, format, **options):
    """The bytes of a PIL image as a file."""
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()
