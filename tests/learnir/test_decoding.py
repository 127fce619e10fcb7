import io

import cv2
import numpy as np
import pytest
import tifffile
from albums import encoded
from PIL import Image, ImageOps

from learnir import decoding
from learnir.decoding import IMAGE_SUFFIXES, OTHER_PICTURES, READ_ONLY, decode_rgb, open_image
from learnir.exif import ORIENTATION
from learnir.images import ImageError, from_unit, to_unit


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_decodes_every_format(scene, format):
    picture = scene()
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(Image.fromarray(picture), format, **options)
    decoded = decode_rgb(data, "x")
    assert decoded.dtype == np.uint8
    if format == "JPEG":
        assert np.array_equal(decoded, np.asarray(Image.open(io.BytesIO(data))))
    else:
        assert np.array_equal(decoded, picture)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_decodes_every_mode_to_rgb(scene, mode):
    image = Image.fromarray(scene()).convert("RGB").convert(mode)
    decoded = decode_rgb(encoded(image, "TIFF" if mode == "CMYK" else "PNG"), "x")
    assert np.array_equal(decoded, np.asarray(image.convert("RGB")))


def test_sixteen_bits_become_eight(scene):
    deep = scene(dtype=np.uint16)
    expected = from_unit(to_unit(deep))
    grey = cv2.imencode(".png", deep[..., 0])[1].tobytes()
    assert np.array_equal(decode_rgb(grey, "x")[..., 1], expected[..., 0])
    for order in ("<", ">"):
        out = io.BytesIO()
        tifffile.imwrite(out, deep[..., 0], byteorder=order)
        assert np.array_equal(decode_rgb(out.getvalue(), "x")[..., 2], expected[..., 0])
    colour = cv2.imencode(".png", deep[..., ::-1])[1].tobytes()
    assert np.abs(decode_rgb(colour, "x").astype(int) - expected).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_orientation_is_applied_once(scene, orientation, format):
    image = Image.fromarray(scene(40, 56))
    exif = image.getexif()
    exif[ORIENTATION] = orientation
    data = encoded(image, format, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    assert np.array_equal(decode_rgb(data, "x"), expected)


def bad_files(picture):
    jpeg = encoded(Image.fromarray(picture), "JPEG")
    png = encoded(Image.fromarray(picture), "PNG")
    frames = [Image.fromarray(picture), Image.fromarray(picture[::-1].copy())]
    animated = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    pages = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    depth = io.BytesIO()
    tifffile.imwrite(depth, picture[..., 0].astype(np.float32))
    return {
        "empty": (b"", "0 bytes"),
        "text": (b"not a picture at all", "not a readable"),
        "half a JPEG": (jpeg[: len(jpeg) // 2], "cut short"),
        "half a PNG": (png[: len(png) // 2], "cut short"),
        "header only": (png[:20], "not a readable"),
        "animated": (animated, "2 frames"),
        "pages": (pages, "2 frames or pages"),
        "float": (depth.getvalue(), "8 or 16 bits"),
        "gif": (encoded(Image.fromarray(picture).quantize(), "GIF"), "convert it"),
    }


@pytest.mark.parametrize("kind", list(bad_files(np.zeros((16, 16, 3), np.uint8))))
def test_bad_files_get_one_line_with_name_and_remedy(scene, kind):
    data, words = bad_files(scene())[kind]
    with pytest.raises(ImageError) as caught:
        decode_rgb(data, "holiday/7.jpg")
    line = str(caught.value)
    assert line.startswith("holiday/7.jpg: ")
    assert words in line
    assert "\n" not in line


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch):
    bomb = encoded(Image.new("1", (9000, 9000)), "PNG")
    huge = encoded(Image.new("1", (8, 8)), "PNG").replace(
        b"IHDR" + (8).to_bytes(4, "big") * 2, b"IHDR" + (60_000).to_bytes(4, "big") * 2
    )
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded a bomb"))
    with pytest.raises(ImageError, match=r"9000 x 9000 is 81 megapixels"):
        open_image(bomb, "bomb.png")
    with pytest.raises(ImageError, match=r"bomb\.png"):
        open_image(huge, "bomb.png")


@pytest.mark.parametrize("format", ["PNG", "TIFF", "JPEG"])
def test_a_higher_limit_holds_where_pillow_has_a_lower_one(monkeypatch, format):
    data = encoded(Image.new("L", (40, 30)), format)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    monkeypatch.setattr(decoding, "MOST_OF_PILLOW", 200)
    assert open_image(data, "large", most_pixels=1200).size == (40, 30)
    with pytest.raises(ImageError, match=r"large: 40 x 30 is 0\.0012 megapixels, more than"):
        open_image(data, "large", most_pixels=1199)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_suffixes_are_those_that_can_be_read():
    jpeg = {".jpg", ".jpeg", ".jpe", ".jfif"}
    assert jpeg | {".png", ".webp", ".tif", ".tiff"} == IMAGE_SUFFIXES
    assert not READ_ONLY & IMAGE_SUFFIXES
    assert not OTHER_PICTURES & (READ_ONLY | IMAGE_SUFFIXES)  # what is said to be left out
