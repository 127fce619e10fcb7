import cv2
import numpy as np
import pytest

from learnir import gain, strips
from learnir.gain import (
    GainMap,
    apply_gain,
    blend,
    brighten,
    enlarge_rows,
    log_gain,
    log_luminance,
)
from learnir.images import decode_linear, encode_linear


def reduced(picture, f):
    H, W = picture.shape[:2]
    return cv2.resize(picture, (W // f, H // f), interpolation=cv2.INTER_AREA)


def shadowed(picture, blur):
    """The picture with a round shadow, its true gain and a mask of the border's surroundings."""
    H, W = picture.shape[:2]
    yy, xx = np.mgrid[:H, :W]
    inside = (np.hypot(yy - H / 2, xx - W / 2) < H / 3.3).astype(np.float32)
    inside = cv2.GaussianBlur(inside, (0, 0), blur)
    light = 1 - inside[..., None] * (1 - np.array([0.25, 0.3, 0.36], np.float32))
    dark = encode_linear(decode_linear(picture) * light)
    border = cv2.dilate(((inside > 0.02) & (inside < 0.98)).astype(np.uint8), np.ones((17, 17)))
    return dark, border > 0


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b.astype(float)) ** 2))


def test_gain_and_brighten_are_inverse():
    rng = np.random.default_rng(0)
    y, x = rng.uniform(0.02, 1, (2, 30, 40, 3)).astype(np.float32)
    assert np.allclose(brighten(y, log_gain(y, x)), x, atol=1e-5)
    assert np.allclose(brighten(y, log_gain(y, x), 0.0), y, atol=1e-6)
    assert log_gain(y * 0.25, y)[y > 0.5].mean() == pytest.approx(2, abs=0.05)
    beyond = log_gain(np.float32([-0.3, 1.4, 0.2]), np.float32([0.4, -0.2, 1.7]))
    assert np.array_equal(beyond, log_gain(np.float32([0, 1, 0.2]), np.float32([0.4, 0, 1])))


def test_the_guide_is_the_luminance_of_rec_709():
    weights = np.array([0.2126, 0.7152, 0.0722])
    guide = log_luminance(np.eye(3, dtype=np.float32)[None])[0]
    assert guide == pytest.approx(np.log2(weights + 1 / 1024), abs=1e-5)


def windows(x):
    """Every pixel's 3 x 3 surroundings, edges repeated: (h, w, 9)."""
    padded = np.pad(x, 1, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).reshape(*x.shape, 9)


def test_the_slope_is_the_guided_filters_times_the_fourth_power_of_the_correlation():
    rng = np.random.default_rng(0)
    guide = rng.normal(-3, 1, (9, 12))
    follows = -0.8 * guide[..., None] + rng.normal(0, [0.02, 0.3, 2], (9, 12, 3))
    found = gain.slope(guide, follows)
    for channel in range(3):
        pairs = np.stack([windows(guide), windows(follows[..., channel])], 2)
        cov = np.array([[np.cov(pair, bias=True) for pair in row] for row in pairs])
        r2 = cov[..., 0, 1] ** 2 / ((cov[..., 0, 0] + 1e-4) * (cov[..., 1, 1] + 1e-4))
        a = cov[..., 0, 1] / (cov[..., 0, 0] + 0.05) * r2**2
        assert found[..., channel] == pytest.approx(windows(a).mean(-1), abs=1e-9)
    assert found[..., 0].mean() == pytest.approx(-0.76, abs=0.05)  # r = 1 but for the noise
    assert abs(found[..., 2]).mean() < 0.2


def test_rows_in_strips_are_the_rows_of_the_whole():
    x = np.random.default_rng(0).random((13, 17, 3)).astype(np.float32)
    whole = cv2.resize(x, (200, 150), interpolation=cv2.INTER_LINEAR)
    parts = [enlarge_rows(x, 150, 200, first, 30) for first in range(0, 150, 30)]
    assert np.allclose(np.concatenate(parts), whole, atol=1e-5)
    assert np.allclose(enlarge_rows(x[..., 0], 150, 200, 0, 150), whole[..., 0], atol=1e-5)


@pytest.mark.parametrize(("blur", "near_border", "overall"), [(0.8, 33, 40), (8, 40, 42)])
def test_a_shadow_goes_without_a_halo(blur, near_border, overall):
    """A quarter of the size is enough to take even a hard shadow off, border included."""
    from skimage.data import astronaut

    clean = astronaut()
    dark, border = shadowed(clean, blur)
    small = [decode_linear(reduced(p, 4)) for p in (dark, clean)]
    restored = apply_gain(dark, GainMap.between(*small))
    assert psnr(dark, clean) < 25
    assert psnr(restored, clean) > overall
    assert psnr(restored[border], clean[border]) > near_border
    smooth = cv2.resize(log_gain(*small), (512, 512), interpolation=cv2.INTER_LINEAR)
    plain = encode_linear(brighten(decode_linear(dark), smooth))
    if blur < 1:
        assert psnr(restored[border], clean[border]) > psnr(plain[border], clean[border]) + 3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_no_gain_changes_nothing(scene, dtype):
    picture = scene(100, 130, dtype)
    linear = decode_linear(reduced(picture, 2))
    none = GainMap.between(linear, linear)
    out = apply_gain(picture, none)
    assert out.dtype == dtype
    assert np.abs(out.astype(int) - picture).max() <= (0 if dtype == np.uint8 else 1)


def test_strips_change_nothing(scene, monkeypatch):
    picture = scene(130, 70)
    dark, _ = shadowed(picture, 2)
    gain_map = GainMap.between(*(decode_linear(reduced(p, 2)) for p in (dark, picture)))
    whole = apply_gain(dark, gain_map)
    monkeypatch.setattr(strips, "STRIP_PIXELS", 700)
    assert np.array_equal(apply_gain(dark, gain_map), whole)


def test_strength_goes_from_input_over_restored_and_beyond(scene):
    clean = scene()
    dark, _ = shadowed(clean, 3)
    assert np.array_equal(blend(dark, clean, 1.0), clean)
    assert np.array_equal(blend(dark, clean, 0.0), dark)
    means = [blend(dark, clean, s).mean() for s in (0, 0.5, 1, 1.5)]
    assert means == sorted(means)
    assert means[3] > means[2] + 1


def test_a_blend_has_so_much_of_the_gain_and_its_ends_are_the_pictures_themselves(scene):
    """Of 16 bits, which no table carries there and back."""
    observed, restored = scene(40, 50, np.uint16), scene(40, 50, np.uint16, seed=1)
    half = blend(observed, restored, 0.5)
    y, x = decode_linear(observed), decode_linear(restored)
    expected = encode_linear(np.sqrt((y + 1 / 1024) * (x + 1 / 1024)) - 1 / 1024, np.uint16)
    assert np.abs(half.astype(int) - expected).max() <= 64
    ends = np.zeros((40, 50), np.float32)
    ends[:, 25:] = 1
    joined = blend(observed, restored, ends)
    assert np.array_equal(joined[:, :25], observed[:, :25])
    assert np.array_equal(joined[:, 25:], restored[:, 25:])


def test_detail_that_is_not_shadow_stays(scene):
    """A uniform gain of one stop doubles the light of every pixel, fine pattern and all."""
    picture = (scene(200, 240) // 2).astype(np.uint8)
    linear = decode_linear(reduced(picture, 4))
    gain_map = GainMap.between(linear, brighten(linear, np.float32(1)))
    expected = encode_linear(brighten(decode_linear(picture), np.float32(1)))
    assert np.abs(apply_gain(picture, gain_map).astype(int) - expected).max() <= 1


def test_mask_shows_where_light_was_added():
    stops = np.zeros((10, 12, 3), np.float32)
    stops[:, 6:] = 1.5
    mask = gain.shadow_mask(stops, 100, 120)
    assert mask.shape == (100, 120)
    assert mask.dtype == np.uint8
    assert mask[:, :50].max() == 0
    assert mask[:, 70:].min() == 255


@pytest.mark.parametrize(
    ("stops", "level"),
    [
        ((0.25, 0.25, 0.25), 0),
        ((0.375, 0.375, 0.375), 64),
        ((0.5, 0.5, 0.5), 128),
        ((0.75, 0.75, 0.75), 255),
        ((0.0, 1.0, 0.0), round(255 * (0.7152 - 0.25) / 0.5)),
    ],
)
def test_the_mask_is_grey_between_a_quarter_and_three_quarters_of_a_stop(stops, level):
    added = np.broadcast_to(np.float32(stops), (4, 5, 3))
    assert np.abs(gain.shadow_mask(added, 8, 10).astype(int) - level).max() <= 1
