"""What a PNG says of its colours without a profile: gAMA, cHRM and cICP."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from profiles import display_p3_icc, table_icc

from learnir.encoding import encode_photo, losses
from learnir.files import SRGB_CHUNKS, decode_photo

P3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
GAMA, CHRM = struct.pack(">I", 100000), struct.pack(">8I", *P3)
PQ = bytes([9, 16, 0, 1])
ODD = {b"gAMA": GAMA, b"cHRM": CHRM, b"cICP": PQ}


def png(pixels, chunks, icc=None):
    """A PNG by Pillow, of 16 bits for grey of that depth."""
    said, out = PngInfo(), io.BytesIO()
    for kind, body in chunks.items():
        said.add(kind, body)
    Image.fromarray(pixels).save(out, "PNG", pnginfo=said, icc_profile=icc)
    return out.getvalue()


def chunks_of(data):
    """The chunks before the pixels, by name, in their order."""
    found, at = {}, 8
    while (kind := data[at + 4 : at + 8]) != b"IDAT":
        size = int.from_bytes(data[at : at + 4])
        found[kind] = data[at + 8 : at + 8 + size]
        at += 12 + size
    return found


def colours(data):
    return {kind: body for kind, body in chunks_of(data).items() if kind in SRGB_CHUNKS}


def pictures(scene):
    return scene(20, 30), scene(20, 30)[..., 0], scene(20, 30, np.uint16)[..., 0]


@pytest.mark.parametrize("chunks", [*({kind: ODD[kind]} for kind in ODD), ODD], ids=str)
def test_a_png_keeps_what_it_says_of_its_colours(scene, chunks):
    for pixels in pictures(scene):
        data = png(pixels, chunks)
        photo = decode_photo(data, "a")
        assert losses(photo, "png") == list(photo.notes) == []
        for strip in (False, True):  # as of a profile, the pixels are in it
            written = encode_photo(photo, photo.picture, strip=strip)
            assert colours(written) == chunks
            back, before = (Image.open(io.BytesIO(x)) for x in (written, data))
            assert np.array_equal(np.asarray(back), pixels)  # Pillow checks their checksums
            for name in ("gamma", "chromaticity"):
                assert back.info.get(name) == before.info.get(name)


def test_so_does_one_of_16_bits_a_channel(scene):
    photo, deep = decode_photo(png(scene(20, 30), ODD), "a"), scene(20, 30, np.uint16)
    written = encode_photo(replace(photo, pixels=deep, picture=deep), deep)
    assert colours(written) == ODD
    assert Image.open(io.BytesIO(written)).info["gamma"] == 1
    again = decode_photo(written, "a")
    assert np.array_equal(again.picture, deep)
    assert again.chunks == ODD


@pytest.mark.parametrize("format", ["jpeg", "webp", "tiff"])
def test_other_formats_leave_it_out_and_say_so(scene, format):
    photo = decode_photo(png(scene(20, 30), {b"gAMA": GAMA, b"cHRM": CHRM}), "a")
    told = "its colour description (gAMA, cHRM) is left out; convert it to sRGB first"
    assert losses(photo, format) == [told]
    assert encode_photo(photo, photo.picture, format)


@pytest.mark.parametrize(
    ("chunks", "icc"),
    [
        ({}, None),
        (SRGB_CHUNKS, None),
        ({b"sRGB": b"\0", b"gAMA": GAMA}, None),
        ({b"gAMA": GAMA, b"cHRM": CHRM}, display_p3_icc()),
        (ODD, table_icc()),  # whose codes are converted to sRGB
    ],
)
def test_where_it_does_not_count_or_says_srgb_nothing_is_said(scene, chunks, icc):
    photo = decode_photo(png(scene(20, 30), chunks, icc), "a")
    assert losses(photo, "jpeg") == []
    assert colours(encode_photo(photo, photo.picture)) == {}


def test_what_stands_above_a_profile_stays_beside_it(scene):
    photo = decode_photo(png(scene(20, 30), ODD, display_p3_icc()), "a")
    written = encode_photo(photo, photo.picture)
    assert colours(written) == {b"cICP": PQ}
    assert Image.open(io.BytesIO(written)).info["icc_profile"] == display_p3_icc()
    told = "its colour description (cICP) is left out; convert it to sRGB first"
    assert losses(photo, "jpeg") == [told]
