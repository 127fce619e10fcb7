"""Colour profiles made of the bundled sRGB one: they need no file, and any CMS can check them."""

import struct

import numpy as np

from learnir.colour import SRGB_TO_XYZ, srgb_icc
from learnir.images import srgb_to_linear

DISPLAY_P3 = {  # XYZ of its primaries, adapted to D50
    "rXYZ": (0.51512, 0.24120, -0.00105),
    "gXYZ": (0.29198, 0.69225, 0.04189),
    "bXYZ": (0.15710, 0.06657, 0.78407),
}
D50 = struct.pack(">3i", 63190, 65536, 54061)  # the white of profiles


def _tag_starts(data):
    """Where the contents of each tag lie."""
    table = [132 + 12 * i for i in range(data[131])]
    return {data[t : t + 4].decode(): int.from_bytes(data[t + 4 : t + 8]) for t in table}


def wide_gamut_icc():
    """sRGB with its red and green columns exchanged: a wide space would do as well."""
    data = bytearray(srgb_icc())
    red, green = (_tag_starts(data)[name] for name in ("rXYZ", "gXYZ"))
    data[red : red + 20], data[green : green + 20] = data[green : green + 20], data[red : red + 20]
    return bytes(data)


def display_p3_icc():
    """Display P3: the primaries of phones and screens, the curve of sRGB."""
    data = bytearray(srgb_icc())
    for name, column in DISPLAY_P3.items():
        start = _tag_starts(data)[name] + 8
        data[start : start + 12] = struct.pack(">3i", *(round(65536 * x) for x in column))
    return bytes(data)


def grey_icc(gamma):
    """A profile of one channel, its light the code to the power of ``gamma``."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(256 * gamma)) + bytes(2)
    white = b"XYZ " + bytes(4) + D50
    head = bytearray(128)
    head[8:12], head[36:40] = b"\x02\x40\0\0", b"acsp"
    head[12:24], head[68:80] = b"mntrGRAYXYZ ", D50
    at = 128 + 4 + 2 * 12
    tags = struct.pack(">I4sII", 2, b"wtpt", at, len(white))
    tags += struct.pack(">4sII", b"kTRC", at + len(white), len(curve))
    head[0:4] = struct.pack(">I", at + len(white) + len(curve))
    return bytes(head) + tags + white + curve


def table_icc(points=17):
    """A scanner's kind of profile, look-up table to Lab: sRGB with red and green exchanged."""
    codes = np.linspace(0, 1, points, dtype=np.float32)
    green, red, blue = np.meshgrid(codes, codes, codes, indexing="ij")  # the first varies slowest
    xyz = srgb_to_linear(np.stack([red, green, blue], axis=-1)) @ SRGB_TO_XYZ.T
    f = np.cbrt(np.maximum(xyz / SRGB_TO_XYZ.sum(axis=1), 1e-9))
    lab = np.stack([1.16 * f[..., 1] - 0.16, f[..., 0] - f[..., 1], f[..., 1] - f[..., 2]], axis=-1)
    scale = np.array([0xFF00, 500 * 256, 200 * 256])  # as ICC.1 version 2 holds L, a and b
    table = np.clip(np.rint(lab * scale + (0, 0x8000, 0x8000)), 0, 65535).astype(">u2")
    identity = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    ends = struct.pack(">6H", *(0, 65535) * 3)
    tag = b"mft2" + bytes(4) + bytes([3, 3, points, 0]) + identity + struct.pack(">2H", 2, 2)
    tag += ends + table.tobytes() + ends
    tag += bytes(-len(tag) % 4)
    head = bytearray(128)
    head[8:12], head[36:40] = b"\x02\x40\0\0", b"acsp"
    head[12:24] = b"scnrRGB Lab "
    head[68:80] = D50
    table_of_tags = struct.pack(">I4sII", 1, b"A2B0", 144, len(tag))
    head[0:4] = struct.pack(">I", 144 + len(tag))
    return bytes(head) + table_of_tags + tag
