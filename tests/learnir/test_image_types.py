"""What is not a plain picture: colour spaces, odd shapes, damaged EXIF in what a caller holds."""

import io
import time

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from profiles import display_p3_icc, wide_gamut_icc

from learnir.colour import srgb_icc
from learnir.encoding import encode_photo
from learnir.files import decode_photo
from learnir.image_types import restore_like


def inverted(picture):
    return np.iinfo(picture.dtype).max - picture


def test_cmyk_comes_back_as_srgb_and_says_so(scene):
    image = Image.fromarray(scene()).convert("CMYK")
    image.info["icc_profile"] = b"a profile of some press"
    image.info["dpi"] = (300, 300)
    restored = restore_like(image, inverted)
    assert restored.mode == "RGB"
    assert np.array_equal(np.asarray(restored), 255 - np.asarray(image.convert("RGB")))
    profile = ImageCms.ImageCmsProfile(io.BytesIO(restored.info["icc_profile"]))
    assert "sRGB" in ImageCms.getProfileDescription(profile)
    assert restored.info["dpi"] == (300, 300)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
@pytest.mark.parametrize("icc", [wide_gamut_icc(), display_p3_icc()], ids=["turned", "p3"])
def test_an_image_with_a_profile_is_restored_as_its_file_is(scene, mode, icc):
    def brighter(picture):  # by another factor in each channel, so that spaces matter
        most = np.iinfo(picture.dtype).max
        return (picture * (1.4, 1.1, 0.8)).clip(0, most).astype(picture.dtype)

    image = Image.fromarray(scene()).convert(mode)
    out = io.BytesIO()
    image.save(out, "PNG", icc_profile=icc)
    photo = decode_photo(out.getvalue(), "a")
    by_file = np.asarray(Image.open(io.BytesIO(encode_photo(photo, brighter(photo.picture)))))
    restored = restore_like(Image.open(out), brighter)
    assert restored.info["icc_profile"] == icc
    assert restored.mode == ("RGB" if mode == "P" else mode)
    assert np.abs(np.asarray(restored).astype(int) - by_file).max() <= 2


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_array_may_have_the_byte_order_of_files(channels):
    pixels = np.random.default_rng(0).integers(0, 65536, (5, 7, channels)).astype(np.uint16)
    restored = restore_like(pixels.astype(">u2"), inverted)
    assert restored.dtype == np.dtype(">u2")
    assert np.array_equal(restored, restore_like(pixels, inverted))


def test_our_profile_is_the_same_file_at_any_time():
    first = srgb_icc()
    time.sleep(1.1)  # LittleCMS counts seconds
    assert srgb_icc() == first
    profile = ImageCms.ImageCmsProfile(io.BytesIO(first))
    assert ImageCms.getProfileName(profile).strip() == "sRGB built-in"


def test_an_image_with_a_profile_of_srgb_stays_8_bits(scene):
    image, given = Image.fromarray(scene()), []
    image.info["icc_profile"] = srgb_icc()
    restored = restore_like(image, lambda picture: given.append(picture) or inverted(picture))
    assert given[0].dtype == np.uint8
    assert np.array_equal(np.asarray(restored), 255 - np.asarray(image))
    assert restored.info["icc_profile"] == srgb_icc()


def test_without_a_profile_none_is_made_up(scene):
    image = Image.fromarray(scene()).convert("YCbCr")
    assert "icc_profile" not in restore_like(image, inverted).info


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 2), (9, 7, 3), (9, 7, 4)])
def test_arrays_keep_their_shape(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert restore_like(pixels, inverted).shape == shape


def test_an_empty_batch_is_an_empty_batch():
    restored = restore_like(torch.zeros(0, 3, 8, 6, dtype=torch.float64), inverted)
    assert restored.shape == (0, 3, 8, 6)
    assert restored.dtype == torch.float64


@pytest.mark.parametrize("sound", [True, False])
def test_damaged_exif_of_an_image_is_left_out(scene, sound):
    exif = Image.Exif()
    exif[0x013B] = "Ann"
    block = exif.tobytes()
    image = Image.fromarray(scene())
    image.info["exif"] = block if sound else block.replace(b"MM", b"XX", 1)
    restored = restore_like(image, inverted)
    assert np.array_equal(np.asarray(restored), 255 - np.asarray(image))
    assert restored.info.get("exif") == (block if sound else None)


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.full((3, 8, 6), float("nan")), "NaN"),
        (torch.full((1, 3, 8, 6), float("inf")), "infinite"),
        (torch.zeros(1, 3, 0, 6), "holds no picture"),
        (torch.linspace(0, 255, 144).reshape(3, 8, 6), "values from 0 to 255; .* divide by 255"),
        (torch.linspace(-1, 1, 144).reshape(3, 8, 6), r"values from -1 to 1; .* \(x \+ 1\) / 2"),
        (torch.full((2, 3, 8, 6), 1.06), "values from 1.06 to 1.06; give RGB in"),
        (torch.full((3, 8, 6), -0.06, dtype=torch.bfloat16), "values from -0.06"),
    ],
)
def test_tensors_that_are_no_pictures_are_refused(tensor, words):
    with pytest.raises(ValueError, match=words):
        restore_like(tensor, inverted)


@pytest.mark.parametrize(
    ("mode", "remedy"),
    [
        ("I", "give its pixels as a uint16 array"),
        ("I;16B", "give its pixels as a uint16 array"),
        ("F", "give its pixels as a uint16 array"),
        ("La", "convert the image to RGB"),
    ],
)
def test_what_is_told_of_an_image_does_not_cost_its_light(mode, remedy):
    image = Image.new(mode, (6, 8))
    with pytest.raises(TypeError, match=f"^PIL mode '{mode}' is not supported; {remedy}$"):
        restore_like(image, inverted)


def test_what_resampling_leaves_beyond_black_and_white_is_clipped():
    tensor = torch.linspace(-0.04, 1.04, 144).reshape(3, 8, 6)
    restored = restore_like(tensor, inverted)
    assert torch.allclose(restored, 1 - tensor.clamp(0, 1), atol=1e-4)
