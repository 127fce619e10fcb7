"""Uploads in, downloads out: what the browser sends is judged by its bytes, never by its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from demo.storage import is_ours, plain_name
from learnir import files
from learnir.encoding import encode_photo
from learnir.images import ImageError

MOST_BYTES = 64 << 20
PREVIEW_QUALITY = 92
SUFFIXES = {
    "jpeg": (".jpg", ".jpeg"),
    "png": (".png",),
    "webp": (".webp",),
    "tiff": (".tif", ".tiff"),
}
"""Endings that fit a format; an upload with another one gets the first."""
VIDEO_BOXES = (b"ftyp", b"moov", b"mdat", b"wide")
VIDEO_BRANDS = (b"3g", b"M4V", b"MSNV", b"avc", b"dash", b"f4v", b"iso", b"mp4", b"qt")
"""What MP4 and QuickTime begin with; HEIC and AVIF are in such boxes too, of other brands."""


@dataclass(frozen=True)
class Photo:
    """An upload: a name that is safe to show and reuse, and the decoded file."""

    name: str
    file: files.Photo

    @property
    def picture(self) -> np.ndarray:
        """uint8 or uint16 sRGB (H, W, 3), upright."""
        return self.file.picture

    @property
    def size_text(self) -> str:
        """Such as "512 × 512 px (0.26 MP)"."""
        h, w = self.picture.shape[:2]
        return f"{w} × {h} px ({w * h / 1e6:.2f} MP)"


def open_photo(path: str) -> Photo:
    """The picture in an uploaded file. Raises ImageError with one line for the user."""
    name = plain_name(Path(path).name)
    if not is_ours(path):  # handlers of a page can be called with any path by hand
        raise ImageError(f"{name}: not an upload; choose it again")
    try:
        if Path(path).stat().st_size > MOST_BYTES:
            raise ImageError(f"{name}: more than {MOST_BYTES >> 20} MB; save it smaller")
        data = Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"{name}: no longer here (kept for an hour); choose it again") from error
    if is_video(data):
        raise ImageError(f"{name}: a video, not a picture; restore it by learnir restore")
    return Photo(name, files.decode_photo(data, name))


def is_video(data: bytes) -> bool:
    """Whether a file is an MP4, QuickTime, Matroska, WebM or AVI video, by its first bytes."""
    box, brand = data[4:8], data[8:12]
    if box in VIDEO_BOXES:
        return box != b"ftyp" or brand.startswith(VIDEO_BRANDS)
    return data[:4] == b"\x1aE\xdf\xa3" or (data[:4] == b"RIFF" and brand == b"AVI ")


def shown_by_browsers(photo: Photo) -> bool:
    """Whether an <img> can display the upload as it is."""
    return photo.file.format not in ("tiff", "heif")


def encode_like(photo: Photo, picture: np.ndarray) -> tuple[bytes, str]:
    """``picture`` as a file of the upload's format with its metadata, and that file's name."""
    path, usual = Path(photo.name), SUFFIXES[photo.file.written_as]
    suffix = path.suffix if path.suffix.lower() in usual else usual[0]
    return encode_photo(photo.file, picture), f"{path.stem}-restored{suffix}"


def encode_preview(picture: np.ndarray) -> bytes:
    """JPEG of a uint8 RGB picture (H, W, 3) to look at, with colours at full resolution: a sixth
    of a PNG's bytes in a fortieth of its time, 45 dB from it."""
    full = cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    how = [cv2.IMWRITE_JPEG_QUALITY, PREVIEW_QUALITY, *full]
    return cv2.imencode(".jpg", picture[..., ::-1], how)[1].tobytes()
