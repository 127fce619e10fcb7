"""Colour spaces of files: pictures to sRGB for the model, and its changes back to their space.

Only matrix profiles are read here (Display P3, Adobe RGB, ProPhoto, Rec. 2020, ...), in full
precision at any bit depth; profiles with look-up tables go through Pillow's LittleCMS at 8 bits.
The change travels back in linear light, so that colours outside sRGB keep what lies outside.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from learnir.images import decode_linear, encode_linear, srgb_to_linear
from learnir.strips import each_strip

# sRGB primaries to XYZ, adapted to the D50 white of ICC profiles
SRGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
CURVE_SAMPLES = 4096
ICC_DATE = struct.pack(">6H", 2026, 1, 1, 0, 0, 0)  # where LittleCMS writes the present


@dataclass(frozen=True)
class Profile:
    """An RGB space: codes to linear light by ``curves``, linear light to linear sRGB by ``matrix``.

    Attributes:
        matrix: (3, 3) float64.
        curves: (3, n) float64, linear light of n evenly spaced codes, rising from 0 to 1.
    """

    matrix: np.ndarray
    curves: np.ndarray

    def is_srgb(self) -> bool:
        """Whether it differs from sRGB by less than the eye sees."""
        codes = np.linspace(0, 1, self.curves.shape[1])
        same_light = np.abs(self.curves - srgb_to_linear(codes)).max() < 0.005
        return bool(same_light and np.abs(self.matrix - np.eye(3)).max() < 0.005)

    def linear(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 or uint16 (..., 3) in this space -> its linear light, float32."""
        full = np.iinfo(pixels.dtype).max
        codes = np.linspace(0, 1, self.curves.shape[1])
        tables = [np.interp(np.arange(full + 1) / full, codes, c) for c in self.curves]
        planes = [t.astype(np.float32)[pixels[..., i]] for i, t in enumerate(tables)]
        return np.stack(planes, axis=-1)

    def encoded(self, linear: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Linear light (..., 3) in this space, clipped -> pixels of ``dtype``."""
        full = np.iinfo(dtype).max
        codes = np.linspace(0, full, self.curves.shape[1])
        planes = [np.interp(linear[..., i], c, codes) for i, c in enumerate(self.curves)]
        return np.rint(np.stack(planes, axis=-1)).astype(dtype)


def matrix_profile(icc: bytes) -> Profile | None:
    """The profile in ``icc``, None when it is not an RGB matrix profile or is damaged."""
    try:
        if icc[16:20] != b"RGB " or icc[20:24] != b"XYZ ":
            return None
        tags = _tags(icc)
        columns = [_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        curves = [_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")]
        matrix = np.linalg.inv(SRGB_TO_XYZ) @ np.array(columns).T
        np.linalg.inv(matrix)
    except (KeyError, ValueError, struct.error, np.linalg.LinAlgError):
        return None
    return Profile(matrix, np.stack(curves))


def grey_profile(icc: bytes) -> Profile | None:
    """A profile of grey as that of an RGB space of the same tones; None where it has no curve."""
    try:
        if icc[20:24] != b"XYZ ":
            return None
        curve = _curve(_tags(icc)[b"kTRC"])
    except (KeyError, ValueError, struct.error):
        return None
    return Profile(np.eye(3), np.stack([curve] * 3))


def is_grey(icc: bytes | None) -> bool:
    """Whether this profile is of one channel, so that RGB cannot be in it."""
    return icc is not None and icc[16:20] == b"GRAY"


def _tags(icc: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", icc, 128)
    entries = [struct.unpack_from(">4sII", icc, 132 + 12 * i) for i in range(min(count, 200))]
    return {name: icc[offset : offset + size] for name, offset, size in entries}


def _fixed(data: bytes, offset: int, count: int) -> np.ndarray:
    return np.array(struct.unpack_from(f">{count}i", data, offset)) / 65536


def _xyz(tag: bytes) -> np.ndarray:
    return _fixed(tag, 8, 3)


def _curve(tag: bytes) -> np.ndarray:
    """Linear light at evenly spaced codes, of a ``curv`` or ``para`` tag; rising from 0 to 1."""
    codes = np.linspace(0, 1, CURVE_SAMPLES)
    values = _sampled(tag, codes) if tag[:4] == b"curv" else _parametric(tag, codes)
    rising = np.maximum.accumulate(np.clip(values, 0, 1)) + np.arange(CURVE_SAMPLES) * 1e-12
    if rising[-1] <= rising[0] + 0.5:
        raise ValueError("a tone curve that does not rise")
    return (rising - rising[0]) / (rising[-1] - rising[0])


def _sampled(tag: bytes, codes: np.ndarray) -> np.ndarray:
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return codes
    table = np.array(struct.unpack_from(f">{count}H", tag, 12))
    if count == 1:
        return codes ** (table[0] / 256)
    return np.interp(codes, np.linspace(0, 1, count), table / 65535)


def _parametric(tag: bytes, x: np.ndarray) -> np.ndarray:
    """The five functions of ICC.1, 10.18."""
    if tag[:4] != b"para":
        raise ValueError("unknown curve type")
    (kind,) = struct.unpack_from(">H", tag, 8)
    g, a, b, c, d, e, f = np.pad(_fixed(tag, 12, (1, 3, 4, 5, 7)[min(kind, 4)]), (0, 6))[:7]
    if kind == 0:
        return x**g
    power = np.maximum(a * x + b, 0) ** g
    if kind in (1, 2):
        return np.where(x >= -b / a, power, 0) + (c if kind == 2 else 0)
    return np.where(x >= d, power + e, c * x + f)


def to_srgb(pixels: np.ndarray, profile: Profile) -> np.ndarray:
    """Pixels (H, W, 3) of a space -> sRGB uint16, colours outside clipped."""
    out = np.empty(pixels.shape, np.uint16)
    matrix = profile.matrix.T.astype(np.float32)

    def convert(rows: slice) -> None:
        out[rows] = encode_linear(profile.linear(pixels[rows]) @ matrix, np.uint16)

    each_strip(pixels.shape, convert)
    return out


def carry_back(
    pixels: np.ndarray, profile: Profile, view: np.ndarray, restored: np.ndarray
) -> np.ndarray:
    """``pixels`` changed, in their own space, as ``restored`` differs from their sRGB ``view``.

    Where nothing changed the pixels stay what they were, bit for bit.
    """
    out = np.empty_like(pixels)
    matrix = np.linalg.inv(profile.matrix).T.astype(np.float32)

    def change(rows: slice) -> None:
        moved = decode_linear(restored[rows]) - decode_linear(view[rows])
        linear = profile.linear(pixels[rows]) + moved @ matrix
        same = (restored[rows] == view[rows]).all(axis=-1, keepdims=True)
        out[rows] = np.where(same, pixels[rows], profile.encoded(linear, pixels.dtype))

    each_strip(pixels.shape, change)
    return out


def in_srgb(
    colour: np.ndarray, icc: bytes
) -> tuple[np.ndarray, np.ndarray, bytes, Profile | None, list[str]]:
    """What to restore of colour pixels (H, W, 3), uint8 or uint16, with an ICC profile.

    Returns the pixels, their sRGB picture, the ICC profile of the pixels, that profile read where
    it is not sRGB (``carry_back`` takes it), and notes on what could not be kept.
    """
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


def is_srgb(icc: bytes | None) -> bool:
    """Whether pixels look the same without this profile: sRGB is what they are taken for then."""
    profile = matrix_profile(icc) if icc else None
    return profile is not None and profile.is_srgb()


def srgb_icc() -> bytes:
    """An sRGB profile to embed: the same bytes whenever it is made."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return data[:24] + ICC_DATE + data[36:]


def converted(image: Image.Image, icc: bytes) -> Image.Image | None:
    """An 8-bit image of any space in sRGB by LittleCMS; None when the profile cannot be used."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def as_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """An 8-bit image of any space in sRGB, by its profile, or as Pillow converts it without one."""
    return (converted(image, icc) if icc else None) or image.convert("RGB")
