"""What is not a plain picture: colour spaces, odd shapes, damaged EXIF in what a caller holds."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from learnir.kinds import restore_like


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
    ],
)
def test_tensors_that_are_no_pictures_are_refused(tensor, words):
    with pytest.raises(ValueError, match=words):
        restore_like(tensor, inverted)
