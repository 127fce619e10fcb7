"""Grey pictures in files that hold colour alone: any WebP, and 16 bits with alpha."""

import io
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from profiles import grey_icc

from learnir.encoding import encode_photo, losses
from learnir.files import decode_photo
from learnir.images import to_unit

GAMMA = 1.75
NOTE = "its grey profile does not fit into such a {}: sRGB instead"


def grey_photo(scene, alpha, dtype=np.uint8, icc=None):
    """Of a PNG of 8 bits or a TIFF of 16; alpha of 16 bits is put in, as only PNGs hold it."""
    grey, clear = scene(dtype=dtype)[..., 0], scene(dtype=dtype, seed=1)[..., 0]
    image, out = Image.fromarray(grey), io.BytesIO()
    if alpha and dtype == np.uint8:
        image.putalpha(Image.fromarray(clear))
    image.save(out, "PNG" if dtype == np.uint8 else "TIFF", icc_profile=icc)
    photo = decode_photo(out.getvalue(), "a")
    return replace(photo, alpha=clear) if alpha and dtype == np.uint16 else photo


def by_littlecms(grey, icc):
    """uint8 grey (H, W) with a profile as sRGB."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    srgb = ImageCms.createProfile("sRGB")
    return np.asarray(
        ImageCms.profileToProfile(Image.fromarray(grey), profile, srgb, outputMode="RGB")
    )


@pytest.mark.parametrize("alpha", [False, True])
def test_a_webp_of_grey_pixels_looks_as_their_profile_says(scene, alpha):
    icc = grey_icc(GAMMA)
    photo = grey_photo(scene, alpha, icc=icc)
    back = Image.open(io.BytesIO(encode_photo(replace(photo, format="webp"), photo.picture)))
    assert back.mode == ("RGBA" if alpha else "RGB")
    assert "icc_profile" not in back.info
    pixels = np.asarray(back).astype(int)
    assert np.abs(pixels[..., :3] - by_littlecms(photo.picture[..., 0], icc)).max() <= 2
    assert np.abs(pixels[..., :3] - photo.picture).max() > 8  # of another curve than sRGB
    if alpha:
        assert np.array_equal(pixels[..., 3], photo.alpha)
    assert losses(photo, "webp") == [NOTE.format("webp")]
    assert [losses(photo, format) for format in ("png", "tiff")] == [[], []]


def test_a_grey_profile_without_a_curve_is_left_out_of_a_webp(scene):
    icc = grey_icc(GAMMA).replace(b"kTRC", b"none")
    photo = replace(grey_photo(scene, False, icc=icc), format="webp")
    back = Image.open(io.BytesIO(encode_photo(photo, photo.picture)))
    assert "icc_profile" not in back.info
    assert np.array_equal(np.asarray(back), photo.picture)
    assert losses(photo, "webp") == [NOTE.format("webp")]


@pytest.mark.parametrize("format", ["png", "tiff"])
@pytest.mark.parametrize("icc", [None, grey_icc(GAMMA)], ids=["plain", "profile"])
def test_deep_grey_with_alpha_is_a_file_that_is_read_again(scene, format, icc):
    photo = grey_photo(scene, True, np.uint16, icc)
    data = encode_photo(photo, photo.picture, format)
    again = decode_photo(data, "a")
    assert again.pixels.dtype == np.uint16
    assert np.array_equal(again.alpha, photo.alpha)
    assert again.icc is None
    expected = photo.picture / 65535
    if icc is not None:
        linear = expected**GAMMA
        expected = np.where(
            linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
        )
    assert np.abs(to_unit(again.picture) - expected).max() < 1e-4
    assert losses(photo, format) == ([] if icc is None else [NOTE.format(format)])
    if format == "tiff":
        assert np.array_equal(tifffile.imread(io.BytesIO(data))[..., 3], photo.alpha)
