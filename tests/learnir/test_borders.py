"""Borders of one colour: found where they end, never restored, no part of what the network sees."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from learnir import LearnIR, restoration
from learnir.borders import one_colour, photograph_in
from learnir.frames import FrameRestorer


def textured(h: int, w: int, seed: int = 0) -> np.ndarray:
    """uint8 (h, w, 3) whose lines all have many colours."""
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3)).astype(np.uint8)


def framed(picture, top=0, bottom=0, left=0, right=0, colour=(0, 0, 0)) -> np.ndarray:
    margins = (top, bottom, left, right)
    return cv2.copyMakeBorder(picture, *margins, cv2.BORDER_CONSTANT, value=colour)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (40, 90, 20)])
@pytest.mark.parametrize(
    "margins", [(30, 30, 0, 0), (0, 0, 25, 31), (50, 12, 16, 40), (0, 20, 0, 0)]
)
def test_a_border_ends_where_the_photograph_begins(colour, margins):
    picture, top, left = framed(textured(120, 160), *margins, colour), margins[0], margins[2]
    assert photograph_in(picture) == (slice(top, top + 120), slice(left, left + 160))
    deep = picture.astype(np.uint16) * 257
    assert photograph_in(deep) == photograph_in(picture)


def test_bars_of_a_jpeg_are_found():
    """Compression puts ringing into the bar, up to its own grid of 8."""
    picture = framed(cv2.GaussianBlur(textured(160, 160), (0, 0), 3), 40, 40)
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 75])
    rows, columns = photograph_in(cv2.imdecode(data, cv2.IMREAD_COLOR))
    assert columns == slice(0, 160)
    assert 32 <= rows.start <= 40
    assert 200 <= rows.stop <= 208


def test_text_in_a_border_belongs_to_it():
    """A screenshot: a row of icons above, two lines of text below."""
    picture = framed(textured(200, 160), 90, 110)
    picture[20:30, 10:150] = textured(10, 140, 1)
    picture[320:330, 5:155] = textured(10, 150, 2)
    picture[345:355, 5:90] = textured(10, 85, 3)
    assert photograph_in(picture) == (slice(90, 290), slice(0, 160))


def test_a_frame_around_bars():
    """A letterboxed still in a white frame: what is beside hides what is above, and again."""
    still = framed(framed(textured(100, 150), 30, 30), 40, 40, 40, 40, (255, 255, 255))
    assert photograph_in(still) == (slice(70, 170), slice(40, 190))


def sky(h: int, w: int) -> np.ndarray:
    """Alike from side to side, brighter line by line: no border, though each line is plain."""
    return np.repeat(np.linspace(40, 240, h).astype(np.uint8), 3 * w).reshape(h, w, 3)


@pytest.mark.parametrize(
    "picture",
    [
        textured(100, 100),
        sky(100, 80),
        framed(textured(100, 100), 4, 4, 4, 4),  # thinner than is worth the trouble
        np.full((90, 90, 3), 7, np.uint8),
        framed(textured(20, 20), 60, 60, 60, 60),  # too little would be left
        np.zeros((1, 1, 3), np.uint8),
    ],
)
def test_nothing_is_taken_away_without_a_border(picture):
    assert photograph_in(picture) == (slice(0, picture.shape[0]), slice(0, picture.shape[1]))


def test_one_colour():
    black = np.full((64, 64, 3), 3, np.uint8)
    assert one_colour(black)
    assert one_colour(black.astype(np.uint16) * 257)
    assert not one_colour(framed(textured(48, 64), 8, 8))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_frame_of_one_colour_shows_nothing(dtype):
    full = np.iinfo(dtype).max
    blank = np.full((90, 120, 3), (full // 5, full // 2, full // 3), dtype)
    assert one_colour(blank)
    ramp = np.linspace(0, 1, 120)[:, None]
    for channel in range(3):
        only = np.eye(3)[channel]
        assert one_colour((blank + ramp * only * full * 7 / 255).astype(dtype))  # of compression
        assert not one_colour((blank + ramp * only * full * 12 / 255).astype(dtype))


@pytest.fixture(scope="module")
def learnir() -> LearnIR:
    return LearnIR.from_pretrained(device="cpu")


@pytest.fixture(scope="module")
def shadowed() -> np.ndarray:
    """The astronaut, half of her face darker; uint8 (256, 256, 3)."""
    picture = data.astronaut()[:256, 96:352].copy()
    picture[:, 130:] = picture[:, 130:] // 2
    return picture


@pytest.mark.parametrize("side", [160, 500])  # natively, and by its gain
def test_borders_stay_and_change_nothing(learnir, shadowed, side):
    shadowed = cv2.resize(shadowed, (side, side), interpolation=cv2.INTER_AREA)
    alone = learnir.restore(shadowed, seed=3, trajectory=True)
    picture = framed(shadowed, side // 2, side // 4, 0, side // 5, (255, 255, 255))
    result = learnir.restore(picture, seed=3, trajectory=True)
    place = (slice(side // 2, side // 2 + side), slice(0, side))
    expected = picture.copy()
    expected[place] = alone.picture
    assert np.array_equal(result.picture, expected)
    assert np.array_equal(result.at_strength(1.0), expected)
    half = picture.copy()
    half[place] = alone.at_strength(0.5)
    error = result.at_strength(0.5).astype(int) - half
    # it is joined from both pictures: light that was clipped from the restored one is not known
    assert np.abs(error[expected < 255]).max() <= 2
    assert error.max() <= 2
    assert result.observed is picture
    ratio = np.array(result.gain.shape[:2]) / alone.gain.shape[:2]
    assert ratio == pytest.approx(np.array(picture.shape[:2]) / side, rel=0.01)
    mask = result.shadow_mask()
    assert mask.shape == picture.shape[:2]
    assert not mask[: side // 2 - 2].any()
    assert np.array_equal(result.trajectory[-1][2], alone.trajectory[-1][2])
    untouched = learnir.restore(picture, seed=3, borders=False).picture
    assert not np.array_equal(untouched, expected)


def test_a_photograph_within_borders_is_relit_once(learnir, shadowed, monkeypatch):
    relit, apply_gain = [], restoration.apply_gain
    monkeypatch.setattr(restoration, "apply_gain", lambda *a: relit.append(a) or apply_gain(*a))
    picture = framed(cv2.resize(shadowed, (500, 500)), 100, 100)
    result = learnir.restore(picture, faces=False)
    assert (result.mode, len(relit)) == ("gain", 1)
    kept = result.picture.copy()
    result.picture[:] = 0  # whoever draws on it changes no other strength
    assert np.array_equal(result.at_strength(1.0), kept)
    half = learnir.restore(picture, faces=False, strength=0.5)
    assert np.array_equal(half.at_strength(1.0), kept)


def test_bars_of_a_video_stay_from_its_first_frame_that_shows_something(learnir, shadowed):
    """Black first, then two frames between bars, then one that fills the screen."""
    still = cv2.resize(shadowed, (128, 96), interpolation=cv2.INTER_AREA)
    letterboxed = framed(still, 24, 24)
    restorer = FrameRestorer(learnir, {"faces": False})
    black = np.zeros_like(letterboxed)
    assert np.array_equal(restorer(black), black)
    alone = FrameRestorer(learnir, {"faces": False})
    for _ in range(2):
        result = restorer(letterboxed)
        assert np.array_equal(result[24:120], alone(still))
        assert not result[:24].any()
        assert not result[120:].any()
    full = cv2.resize(shadowed, (128, 144), interpolation=cv2.INTER_AREA)
    expected = FrameRestorer(learnir, {"faces": False})(full)
    assert np.array_equal(restorer(full), expected)
