"""TIFF with 8 or 16 bits, alpha, EXIF and ICC together, which neither Pillow nor tifffile writes.

The directory is Pillow's; the strips are deflated here.
"""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
from PIL import Image, TiffTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2

STRUCTURE = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 274, 277, 278, 279, 280, 281, 284, 290, 291}
    | {292, 293, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 333, 334, 338, 339}
    | {340, 341, 342, 347, 512, 513, 514, 529, 530, 531, 532, 34675}
)
"""Tags that say how the pixels lie in a file: true of the old file only."""
OLD_PICTURE = frozenset({700, 34377, 37724})
"""XMP, Photoshop's resources and its layers: edits, previews and pixels of the old picture."""
EXIF_IFD, GPS_IFD, INTEROP_IFD, ICC = 34665, 34853, 40965, 34675
STRIP_BYTES = 1 << 20
DEFLATE, HORIZONTAL = 8, 2
KIND, REDUCED = 254, 1  # NewSubfileType, and its bit for a smaller copy of another page
BIG = 43  # what stands in place of 42 in a BigTIFF, whose header is twice as long


def page_kinds(data: bytes) -> list[int]:
    """NewSubfileType of every page of a TIFF, 0 where a page has none.

    Pillow's own walk through the pages leaves profile and resolution of later ones with the first.
    """
    stream = io.BytesIO(data)
    ifd = ImageFileDirectory_v2(data[: 16 if data[2] == BIG else 8])
    kinds: dict[int, int] = {}
    while ifd.next and ifd.next not in kinds:  # else it begins anew
        place = ifd.next
        stream.seek(place)
        ifd.load(stream)
        kinds[place] = ifd.get(KIND, 0)
    return list(kinds.values())


def encode_tiff(
    pixels: np.ndarray,
    exif: Image.Exif | None = None,
    icc: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """uint8 or uint16 (H, W) or (H, W, 2..4) -> little-endian TIFF, deflate with prediction.

    The last of two or four channels is unassociated alpha.
    """
    H, W = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    rows = max(STRIP_BYTES // (W * channels * pixels.itemsize), 1)
    planes = pixels.reshape(H, W, channels)
    strips = [_strip(planes[first : first + rows]) for first in range(0, H, rows)]
    ifd: Any = ImageFileDirectory_v2(prefix=b"II")
    _copy(exif, ifd)
    ifd.update({256: W, 257: H, 258: (8 * pixels.itemsize,) * channels, 259: DEFLATE})
    ifd.update({262: 1 if channels < 3 else 2, 274: 1, 277: channels, 278: rows, 284: 1})
    ifd[317] = HORIZONTAL
    if channels in (2, 4):
        ifd[338] = (2,)
    if dpi is not None:
        ifd.update({282: float(dpi[0]), 283: float(dpi[1]), 296: 2})
    if icc:
        ifd.tagtype[ICC] = TiffTags.UNDEFINED
        ifd[ICC] = icc
    for tag in (273, 279):
        ifd.tagtype[tag] = TiffTags.LONG
    ifd[279] = tuple(map(len, strips))
    ifd[273] = tuple(int(x) for x in np.cumsum([0, *map(len, strips)])[:-1])
    header = b"II\x2a\x00\x08\x00\x00\x00"
    return header + ifd.tobytes(len(header)) + b"".join(strips)


def _strip(rows: np.ndarray) -> bytes:
    """Horizontal differences (modulo the depth), deflated."""
    left = np.zeros_like(rows)
    left[:, 1:] = rows[:, :-1]
    return zlib.compress((rows - left).astype(rows.dtype.newbyteorder("<")).tobytes(), 6)


def _copy(exif: Image.Exif | None, ifd: Any) -> None:
    for tag, value in (exif or {}).items():
        if tag not in STRUCTURE and tag not in (EXIF_IFD, GPS_IFD):
            ifd[tag] = value
    for tag in (EXIF_IFD, GPS_IFD):
        inner = dict(exif.get_ifd(tag)) if exif is not None else {}
        inner.pop(INTEROP_IFD, None)  # a place in the old file
        if inner:
            ifd.tagtype[tag] = TiffTags.LONG
            ifd[tag] = inner
