"""Faces: which are found, and which squares around them are looked at."""

from __future__ import annotations

import importlib.util
import re
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learnir import faces
from learnir.close_ups import BORDER, FILL, MOST, SMALL, Square, close_ups
from learnir.faces import FAR_SEES, _parts, find_faces

HAS_MEDIAPIPE = importlib.util.find_spec("mediapipe") is not None
needs_mediapipe = pytest.mark.skipif(not HAS_MEDIAPIPE, reason="MediaPipe is not installed")


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


def test_a_small_face_gets_a_square_around_it():
    (square,) = close_ups([(300, 200, 90, 90)], 600, 800)
    assert square.side == 200  # 90 / 0.45
    assert square.left == 345 - 100
    assert square.top == round(245 - 0.08 * 90 - 100)


def test_a_face_that_fills_the_picture_gets_none():
    height = SMALL * 600 * FILL
    assert close_ups([(0, 0, height, height + 1)], 600, 600) == []
    assert len(close_ups([(0, 0, height, height - 1)], 600, 600)) == 1
    assert close_ups([(200, 100, 300, 400)], 600, 620) == []


def test_a_large_face_in_a_wide_picture_gets_all_of_its_height():
    assert close_ups([(200, 100, 300, 400)], 600, 900) == [Square(0, 50, 600)]


def test_a_face_as_wide_as_a_tall_picture_gets_none():
    """A square would end above the eyes or below the mouth, and what it changes with it."""
    assert close_ups([(100, 300, 300, 355)], 900, 600) == [Square(149, 0, 600)]
    assert close_ups([(100, 300, 300, 365)], 900, 600) == []


def test_a_face_in_a_much_larger_close_up_gets_its_own():
    large, small = (300, 200, 200, 200), (410, 290, 40, 40)
    assert [s.side for s in close_ups([small, large], 800, 800)] == [444, 89]
    assert len(close_ups([large, (350, 250, 120, 120)], 800, 800)) == 1


def test_faces_too_small_to_see_anything_get_none():
    assert close_ups([(50, 50, 12, 12)], 600, 800) == []


boxes = st.tuples(*[st.floats(-50, 900)] * 2, *[st.floats(1, 500)] * 2)


@given(st.lists(boxes, max_size=20), st.integers(64, 900), st.integers(64, 900))
def test_squares_lie_in_the_picture_and_do_not_repeat(found, height, width):
    squares = close_ups(found, height, width)
    assert len(squares) <= MOST
    for square in squares:
        assert 0 <= square.top <= height - square.side
        assert 0 <= square.left <= width - square.side
        assert square.side < SMALL * max(height, width)
    sides = [square.side for square in squares]
    assert sides == sorted(sides, reverse=True)


def test_the_same_face_found_twice_is_looked_at_once():
    assert len(close_ups([(300, 200, 90, 90), (304, 196, 84, 84)], 600, 800)) == 1


def test_the_weight_fades_to_nothing_at_the_border():
    weight = Square(30, 40, 100).weight(300, 300)
    assert weight.shape == (100, 100, 1)
    assert weight[0].max() == weight[:, 0].max() == weight[-1].max() == 0
    inner = int(BORDER * 100) + 1
    assert (weight[inner:-inner, inner:-inner] == 1).all()
    assert np.abs(np.diff(weight[50, :, 0])).max() <= 1.01 / (BORDER * 100)


def test_the_weight_does_not_fade_at_the_border_of_the_picture():
    inside = Square(30, 40, 100).weight(300, 300)[..., 0]
    corner = Square(0, 0, 100).weight(300, 300)[..., 0]
    assert (corner[:50, :50] == 1).all()
    np.testing.assert_array_equal(corner[50:, 50:], inside[50:, 50:])


def test_the_two_looks_are_averaged_where_they_show_the_same():
    shares = [Square(0, 0, 100).weight(100, width)[50, 50, 0] for width in (100, 125, 150, 300)]
    assert shares == [0.5, 0.75, 1, 1]
    assert (Square(0, 0, 100).weight(100, 100) == 0.5).all()


def test_the_weight_of_a_square_that_moves_to_the_border_does_not_jump():
    """From 30 px away in steps of one: a step changes no more than a pixel in all."""
    weights = [Square(top, 40, 100).weight(300, 300)[:, 50, 0] for top in range(30, -1, -1)]
    assert np.abs(np.diff(weights, axis=0)).sum(axis=1).max() <= 1
    assert (weights[-1][:50] == 1).all()


def test_without_mediapipe_there_are_none(monkeypatch, scene):
    monkeypatch.setattr(faces, "_finders", lambda: None)
    assert find_faces(scene(100, 100)) == []


@pytest.fixture
def without_mediapipe(monkeypatch):
    """A process in which it does not load."""
    cached = (faces._loaded, faces._finders)
    for made in cached:
        made.cache_clear()
    monkeypatch.setitem(sys.modules, "mediapipe.python.solutions.face_detection", None)
    yield
    for made in cached:
        made.cache_clear()


def test_without_mediapipe_a_warning_says_so_once(without_mediapipe, learnir, scene):
    line = (
        r"faces are not looked at closely, as MediaPipe does not load \(import of mediapipe.+\): "
        r"in the repository run pip install -e '\.\[faces\]'"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learnir.restore(scene(40, 40), faces=False)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(2):
            learnir.restore(scene(40, 40))
            find_faces(scene(100, 100))
    (told,) = said
    assert re.fullmatch(line + ", or faces=False", str(told.message))
    assert re.fullmatch(line, faces.unavailable())


@needs_mediapipe
def test_where_mediapipe_loads_nothing_is_missing(scene):
    assert faces.unavailable() == ""


@needs_mediapipe
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_astronaut_is_found_whole_and_small(dtype):
    import cv2

    skimage = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    picture = skimage.astronaut()
    small = cv2.resize(picture, (192, 192), interpolation=cv2.INTER_AREA)
    wide = np.full((900, 1200, 3), 90, np.uint8)
    wide[600:792, 800:992] = small
    if dtype == np.uint16:
        picture, wide = picture.astype(np.uint16) * 257, wide.astype(np.uint16) * 257
    (face,) = find_faces(picture)
    assert 0.15 < face[3] / 512 < 0.35
    assert abs(face[0] + face[2] / 2 - 225) < 25
    (square,) = close_ups(find_faces(wide), 900, 1200)  # 48 pixels of 900
    assert abs(square.left + square.side / 2 - 800 - 84) < 20
    assert abs(square.top + square.side / 2 - 600 - 43) < 20
    assert find_faces(wide[:500]) == []


@needs_mediapipe
@pytest.mark.parametrize("large", [True, False])
def test_everyone_in_a_group_is_found_once(large):
    """Also those behind a face so large that the first look finds it alone."""
    import cv2

    skimage = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    astronaut = skimage.astronaut()[:256, 96:352]
    places = [(20, 40, 140), (20, 460, 160), (700, 20, 200), (760, 420, 180)]
    if large:
        places.append((240, 200, 420))
    group = np.full((960, 640, 3), 90, np.uint8)
    for top, left, side in places:
        part = cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA)
        group[top : top + side, left : left + side] = part
    found = find_faces(group)
    assert len(found) == len(places)
    for top, left, side in places:
        middles = [(y + h / 2, x + w / 2) for x, y, w, h in found]
        assert sum(top < y < top + side and left < x < left + side for y, x in middles) == 1
    assert len(close_ups(found, 960, 640)) == len(places)


@needs_mediapipe
def test_somebody_in_a_panorama_is_found():
    import cv2

    skimage = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    wide = np.full((1200, 6000, 3), 90, np.uint8)
    part = cv2.resize(skimage.astronaut(), (384, 384), interpolation=cv2.INTER_AREA)
    wide[500:884, 4000:4384] = part
    square = close_ups(find_faces(wide), 1200, 6000)[-1]  # the whole of her may pass for a face
    assert 120 < square.side < 260
    assert abs(square.left + square.side / 2 - 4000 - 168) < 30
    assert abs(square.top + square.side / 2 - 500 - 86) < 40


@needs_mediapipe
def test_a_collar_is_no_face():
    """The finder gives the ring of the astronaut's suit 0.55, and keeps it whatever it is told."""
    pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    from demo.quickstart import shadowed_faces

    for name, shadowed, clean in shadowed_faces(512, 0):
        for picture in (shadowed, clean):
            (face,) = find_faces(picture)
            assert face[3] > 180, name  # the ring's box has 75 pixels
            (square,) = close_ups([face], 512, 512)
            assert square.side > 400, name


@needs_mediapipe
@pytest.mark.slow
def test_a_face_in_a_wide_picture_loses_its_shadow():
    """In a close-up of the face, on the whole better than over the whole picture at once."""
    pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    from demo.quickstart import shadowed_faces
    from learnir.pipeline import LearnIR

    learnir = LearnIR.from_pretrained(device="cpu")
    before, far, near = [], [], []
    for _, shadowed, clean in shadowed_faces(1024, 0):
        before.append(psnr(shadowed, clean))
        far.append(psnr(learnir.restore(shadowed, faces=False).picture, clean))
        near.append(psnr(learnir.restore(shadowed, faces=True).picture, clean))
        assert near[-1] > before[-1] + 1
    assert np.mean(near) > np.mean(before) + 6
    assert np.mean(near) > np.mean(far) + 1
    assert psnr(learnir.restore(clean).picture, clean) > 40


@pytest.mark.parametrize(("height", "width"), [(6, 2000), (2000, 6), (380, 1500)])
def test_a_narrow_strip_is_not_searched_in_thousands_of_parts(height, width):
    assert _parts(height, width) == []
    assert len(_parts(2 * FAR_SEES, 2 * FAR_SEES)) == 9
