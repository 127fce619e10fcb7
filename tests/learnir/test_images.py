import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from learnir import images
from learnir.images import grid, shrunk


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_code_survives_every_conversion(dtype):
    codes = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
    assert np.array_equal(images.from_unit(images.to_unit(codes), dtype), codes)
    assert np.array_equal(images.from_signed(images.to_signed(codes), dtype), codes)
    assert np.array_equal(images.encode_linear(images.decode_linear(codes), dtype), codes)
    assert np.array_equal(images.encode_linear_quickly(images.decode_linear(codes), dtype), codes)


def test_the_encoding_table_is_at_most_one_code_off():
    linear = np.random.default_rng(0).random(100_000).astype(np.float32)
    exact = images.encode_linear(linear).astype(int)
    assert np.abs(images.encode_linear_quickly(linear).astype(int) - exact).max() <= 1


def test_linear_light_follows_the_standard():
    assert images.srgb_to_linear(np.float32(0.5)) == pytest.approx(0.21404, abs=1e-5)
    assert images.linear_to_srgb(np.float32(0.18)) == pytest.approx(0.46136, abs=1e-5)
    assert images.srgb_to_linear(np.float32(0.04)) == pytest.approx(0.04 / 12.92, abs=1e-7)
    assert images.linear_to_srgb(np.float32(0.003)) == pytest.approx(0.003 * 12.92, abs=1e-7)
    assert images.linear_to_srgb(np.float32([-0.5, 1.5])) == pytest.approx([0, 1], abs=1e-6)


def test_tensors_and_pictures_are_the_same_thing(scene):
    picture = scene(20, 30, np.uint16)
    tensor = images.to_tensor(picture)
    assert tensor.shape == (1, 3, 20, 30)
    assert float(tensor.min()) >= -1
    assert np.array_equal(images.to_picture(tensor[0], np.uint16), picture)
    with pytest.raises(TypeError, match="uint8 or uint16"):
        images.to_unit(picture.astype(np.float32))


@pytest.mark.parametrize("orientation", range(0, 10))
def test_turning_is_what_pillow_does_and_is_undone(scene, orientation):
    picture = scene(5, 9)
    turned = images.upright(picture, orientation)
    tagged = Image.fromarray(picture)
    tagged.getexif()[0x0112] = orientation
    assert np.array_equal(turned, np.asarray(ImageOps.exif_transpose(tagged)))
    assert np.array_equal(images.turned_back(turned, orientation), picture)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 2), (4, 5, 3), (4, 5, 4)])
def test_channels_split_and_join(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    rgb, alpha, grey = images.split_channels(pixels)
    assert rgb.shape == (4, 5, 3)
    assert np.array_equal(images.join_channels(rgb, alpha, grey), pixels)
    with pytest.raises(ValueError, match="pixels are"):
        images.split_channels(np.zeros((4, 5, 7), np.uint8))


def test_grid_holds_every_picture_and_the_labels(scene):
    rows = [[scene(40, 60), scene(20, 30)], [scene(40, 60)[..., 0], scene(40, 60, np.uint16)]]
    plain, labelled = grid(rows), grid(rows, ["before", "after"])
    assert plain.shape == (4 + 2 * 44, 4 + 2 * 64, 3)
    assert labelled.shape == (18 + 2 * 44, 4 + 2 * 64, 3)
    assert np.array_equal(plain[4:44, 4:64], rows[0][0])
    assert np.array_equal(labelled[18:58, 4:64], rows[0][0])
    assert labelled[:14].max() > 200
    assert np.array_equal(plain[48:88, 4:64, 0], rows[1][0])


def test_the_grid_fits_pictures_into_the_middle_of_their_cells(scene):
    small, tall, wide = scene(20, 30), scene(80, 40), scene(15, 120)
    sheet = grid([[small, tall], [wide]])
    assert sheet.shape == (4 + 2 * 84, 4 + 2 * 124, 3)
    cells = [sheet[4:84, 4:124], sheet[4:84, 128:248], sheet[88:168, 4:124]]
    for cell, picture in zip(cells, (small, tall, wide), strict=True):
        h, w = picture.shape[:2]
        f = min(80 / h, 120 / w)
        shown = cv2.resize(picture, (round(w * f), round(h * f)), interpolation=cv2.INTER_LINEAR)
        top, left = (80 - shown.shape[0]) // 2, (120 - shown.shape[1]) // 2
        inside = np.s_[top : top + shown.shape[0], left : left + shown.shape[1]]
        assert np.array_equal(cell[inside], shown)
        around = cell.copy()
        around[inside] = 24
        assert (around == 24).all()
    assert (sheet[88:168, 128:248] == 24).all()


def test_a_shrunk_picture_is_the_mean_of_what_a_pixel_covers(scene):
    picture = scene(128, 256)
    small = shrunk(picture, 64)
    blocks = picture.reshape(32, 4, 64, 4, 3).mean(axis=(1, 3))
    assert np.abs(small - blocks).max() <= 0.51
    assert shrunk(picture, 256) is picture
    assert shrunk(scene(3000, 2), 64).shape == (64, 1, 3)
