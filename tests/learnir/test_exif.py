"""EXIF: a damaged block costs itself, never the picture; what is true of the old file goes."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image, TiffImagePlugin

from learnir.decoding import decode_rgb
from learnir.encoding import encode_photo, losses
from learnir.exif import fitted
from learnir.files import decode_photo
from learnir.image_types import restore_like

ORIENTATION, ARTIST, EXIF_IFD = 0x0112, 0x013B, 0x8769
MAKER_NOTE, USER_COMMENT, EXPOSURE = 0x927C, 0x9286, 0x829A
X_RESOLUTION, Y_RESOLUTION = 0x011A, 0x011B
UNDEFINED = 7  # the type of what only the tag's own rules can tell
XMP, PHOTOSHOP, LAYERS = 700, 34377, 37724
FORMATS = ("jpeg", "png", "webp", "tiff")


def encoded(picture, format, **options):
    out = io.BytesIO()
    Image.fromarray(picture).save(out, format, **options)
    return out.getvalue()


def reopened(data):
    return Image.open(io.BytesIO(data))


def whole_exif():
    exif = Image.Exif()
    exif[ORIENTATION], exif[ARTIST] = 6, "Ann Ann"
    exif.get_ifd(EXIF_IFD)[EXPOSURE] = TiffImagePlugin.IFDRational(1, 60)
    exif.get_ifd(EXIF_IFD)[MAKER_NOTE] = b"note" * 20
    return exif.tobytes().removeprefix(b"Exif\0\0")


def damage(kind, block):
    """A block with an unknown byte order, or one whose artist is said to be a rational."""
    if kind == "header":
        return b"XX" + block[2:]
    place = block.index(ARTIST.to_bytes(2, "big"))
    return block[: place + 2] + (10).to_bytes(2, "big") + block[place + 4 :]


def with_exif(picture, format, block):
    return encoded(picture, format, exif=b"Exif\0\0" + block)


@pytest.mark.parametrize("kind", ["header", "type"])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_is_left_out_with_a_note(scene, format, kind):
    data = with_exif(scene(40, 56), format, damage(kind, whole_exif()))
    photo = decode_photo(data, "a")
    assert photo.notes == ("EXIF damaged: left out",)
    assert photo.exif is None
    turned = kind == "type"  # the orientation can be read, what is behind it cannot be written
    assert photo.picture.shape == ((56, 40, 3) if turned else (40, 56, 3))
    assert decode_rgb(data, "a").shape == photo.picture.shape
    for other in FORMATS:
        assert ARTIST not in reopened(encode_photo(photo, photo.picture, other)).getexif()


def test_any_damaged_byte_of_the_exif_leaves_a_picture(scene):
    rng = np.random.default_rng(0)
    block = whole_exif()
    for _ in range(300):
        broken = bytearray(block)
        broken[rng.integers(len(block))] = rng.integers(256)
        photo = decode_photo(with_exif(scene(8, 8), "JPEG", bytes(broken)), "a")
        for format in FORMATS:
            assert reopened(encode_photo(photo, photo.picture, format)).size


def uneven(picture, format, orientation):
    """A file of 300 x 150 dpi; of a deep TIFF only tifffile makes one."""
    if picture.dtype == np.uint8:
        exif = Image.Exif()
        exif[ORIENTATION], exif[X_RESOLUTION], exif[Y_RESOLUTION] = orientation, 300.0, 150.0
        return encoded(picture, format, exif=exif, dpi=(300, 150))
    out, turn = io.BytesIO(), (ORIENTATION, "H", 1, orientation, True)
    told = {"resolution": (300, 150), "resolutionunit": 2, "extratags": [turn]}
    tifffile.imwrite(out, picture, photometric="rgb", **told)
    return out.getvalue()


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize(
    ("format", "dtype"),
    [("JPEG", np.uint8), ("PNG", np.uint8), ("TIFF", np.uint8), ("TIFF", np.uint16)],
)
def test_an_uneven_resolution_turns_with_the_picture(scene, format, dtype, orientation):
    expected = (300, 150) if orientation < 5 else (150, 300)
    photo = decode_photo(uneven(scene(20, 30, dtype), format, orientation), "a")
    assert photo.picture.shape[:2] == ((20, 30) if orientation < 5 else (30, 20))
    assert photo.dpi == pytest.approx(expected, rel=0.001)
    back = reopened(encode_photo(photo, photo.picture))
    assert back.info["dpi"] == pytest.approx(expected, rel=0.001)
    said = back.getexif()
    assert (said[X_RESOLUTION], said[Y_RESOLUTION]) == expected


ARTIST, COPYRIGHT, LENS, EXIF_IFD = 0x013B, 0x8298, 0xA434, 0x8769


@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "tiff"])
@pytest.mark.parametrize("target", ["jpeg", "png", "webp", "tiff"])
def test_text_keeps_its_bytes_whatever_its_encoding(scene, source, target):
    """UTF-8, as most programs write, and Latin-1; the type stays text, so that readers find it."""
    exif = Image.Exif()
    words = [b"J\xc3\xbcrgen M\xc3\xbcller", "© Łódź 日本".encode(), b"Gr\xf6\xdfe"]
    exif[ARTIST], exif[COPYRIGHT] = (Letters(word) for word in words[:2])
    exif.get_ifd(EXIF_IFD)[LENS] = Letters(words[2])
    data = encoded(scene(), "PNG" if source == "tiff" else source, exif=exif)
    if source == "tiff":
        photo = decode_photo(data, "a")
        data = encode_photo(photo, photo.picture, "tiff")
    photo = decode_photo(data, "a")
    assert photo.notes == ()
    back = Image.open(io.BytesIO(encode_photo(photo, photo.picture, target))).getexif()
    found = back[ARTIST], back[COPYRIGHT], back.get_ifd(EXIF_IFD)[LENS]
    assert [text.encode("latin-1") for text in found] == words


class Letters(str):
    """Text that Pillow writes as these bytes."""

    def __new__(cls, raw):
        return super().__new__(cls, raw.decode("latin-1"))

    def encode(self, *_):
        return super().encode("latin-1")


def test_the_exif_of_a_bigtiff_can_be_read_in_every_format(scene):
    out = io.BytesIO()
    tifffile.imwrite(
        out, scene(), photometric="rgb", bigtiff=True, extratags=[(ARTIST, "s", 0, "Ann", True)]
    )
    photo = decode_photo(out.getvalue(), "a")
    for format in FORMATS:
        assert reopened(encode_photo(photo, photo.picture, format)).getexif()[ARTIST] == "Ann"


@pytest.mark.parametrize("format", FORMATS)
def test_a_tiff_loses_edits_and_previews_of_the_old_picture(scene, format):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag in (XMP, PHOTOSHOP, LAYERS):
        tags.tagtype[tag] = 7
        tags[tag] = b"8BIM the old picture"
    tags[ARTIST] = "Ann"
    photo = decode_photo(encoded(scene(), "TIFF", tiffinfo=tags), "a")
    data = encode_photo(photo, photo.picture, format)
    assert reopened(data).getexif()[ARTIST] == "Ann"
    assert b"the old picture" not in data


def test_what_is_too_long_for_a_jpeg_is_left_out_and_named(scene):
    exif = Image.Exif()
    exif[ARTIST] = "Ann"
    exif.get_ifd(EXIF_IFD)[MAKER_NOTE] = b"m" * 50_000
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = b"c" * 40_000
    photo = decode_photo(encoded(scene(), "PNG", exif=exif), "a")
    back = reopened(encode_photo(photo, photo.picture, "jpeg")).getexif()
    assert back[ARTIST] == "Ann"
    assert list(back.get_ifd(EXIF_IFD)) == [USER_COMMENT]
    assert losses(photo, "jpeg") == ["MakerNote left out, too long for JPEG"]
    assert losses(photo, "png") == losses(photo, "jpeg", strip=True) == []
    whole = reopened(encode_photo(photo, photo.picture, "png")).getexif()
    assert set(whole.get_ifd(EXIF_IFD)) == {MAKER_NOTE, USER_COMMENT}


@pytest.mark.parametrize("format", FORMATS)
def test_a_comment_is_not_declared_to_be_numbers(scene, format):
    """Programs would show them instead of the words."""
    exif = Image.Exif()
    exif[ARTIST] = "Ann"
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = b"ASCII\0\0\0by the river"
    exif.get_ifd(EXIF_IFD)[MAKER_NOTE] = b"note" * 20
    read = Image.open(io.BytesIO(encoded(scene(), "PNG", exif=exif)))
    image = restore_like(read, np.copy)
    assert read.getexif().get_ifd(EXIF_IFD)[MAKER_NOTE] == b"note" * 20
    photo = decode_photo(encoded(np.asarray(image), "PNG", exif=image.info["exif"]), "a")
    data = encode_photo(photo, photo.picture, format)
    assert reopened(data).getexif().get_ifd(EXIF_IFD) == dict(exif.get_ifd(EXIF_IFD))
    for written in (image.info["exif"], data):
        for tag in (USER_COMMENT, MAKER_NOTE):
            assert any(
                tag.to_bytes(2, order) + UNDEFINED.to_bytes(2, order) in written
                for order in ("big", "little")
            )


def test_fitting_what_fits_changes_nothing():
    exif = Image.Exif()
    exif.load(whole_exif())
    small, dropped = fitted(exif)
    assert not dropped
    assert small.tobytes() == exif.tobytes()
