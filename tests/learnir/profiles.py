"""Colour profiles made of the bundled sRGB one: they need no file, and any CMS can check them."""

import struct

from learnir.colour import srgb_icc

DISPLAY_P3 = {  # XYZ of its primaries, adapted to D50
    "rXYZ": (0.51512, 0.24120, -0.00105),
    "gXYZ": (0.29198, 0.69225, 0.04189),
    "bXYZ": (0.15710, 0.06657, 0.78407),
}


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
