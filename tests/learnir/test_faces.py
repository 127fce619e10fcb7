"""Close-ups: which squares are looked at, and what they change in the picture."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from learnir import LearnIR, faces, strips
from learnir.faces import (
    BORDER,
    FAR_SEES,
    FILL,
    MOST,
    SMALL,
    Square,
    _parts,
    close_ups,
    find_faces,
)
from learnir.model import LearnIRModel
from learnir.tiling import SMALLEST
from learnir.ways import TOGETHER, fade_in

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


@pytest.fixture
def looking_at(monkeypatch):
    """``looking_at(boxes)``: what the finder is made to say."""

    def say(*found):
        monkeypatch.setattr("learnir.pipeline.find_faces", lambda _: list(found))

    return say


@pytest.mark.parametrize("shape", [(64, 64), (200, 300)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_only_the_square_changes(learnir, scene, looking_at, shape, dtype):
    picture = scene(*shape, dtype)
    looking_at((20, 16, 22, 22))
    far, near = (learnir.restore(picture, faces=faces, seed=1) for faces in (False, True))
    (square,) = close_ups([(20, 16, 22, 22)], *shape)
    change = np.abs(near.picture.astype(int) - far.picture).max(axis=-1)
    assert (change[square.area] > 0).mean() > 0.3
    change[square.area] = 0
    rounding = {np.uint8: 1, np.uint16: 6}[dtype]  # of another batch
    assert change.max() <= (rounding if shape[0] == shape[1] else 0)
    assert near.picture.dtype == dtype
    assert near.mode == far.mode
    np.testing.assert_array_equal(near.at_strength(0), picture)
    again = learnir.restore(picture, seed=1)
    np.testing.assert_array_equal(again.picture, near.picture)


def test_close_ups_are_the_restorations_of_their_parts(learnir, scene, looking_at):
    """Where nothing fades, the result is what the pipeline makes of each part alone."""
    picture = scene(300, 300)
    boxes = [(x, y, 28.8, 28.8) for x in (18, 92, 166, 240) for y in (20, 120, 220)]
    assert len(boxes) > TOGETHER  # more than one batch
    looking_at(*boxes)
    squares = close_ups(boxes, 300, 300)
    assert [s.side for s in squares] == len(boxes) * [learnir.config.work_size]
    restored = learnir.restore(picture, seed=2).picture
    for square in squares:
        part, near = picture[square.area], restored[square.area]
        alone = learnir.restore(part, mode="gain", faces=False, seed=2).picture
        inner = slice(10, -10)
        assert np.abs(near[inner, inner].astype(int) - alone[inner, inner]).max() <= 1


def test_a_square_picture_runs_together_with_its_close_ups(learnir, scene, looking_at, monkeypatch):
    """One batch where sizes agree, and its steps show the picture as they do without close-ups."""
    batches, real = [], LearnIRModel.sample

    def sample(model, y, **options):
        batches.append(tuple(y.shape))
        return real(model, y, **options)

    monkeypatch.setattr(LearnIRModel, "sample", sample)
    work_size = learnir.config.work_size
    high, low = (work_size, work_size), (max(work_size * 3 // 4, SMALLEST), work_size)
    looking_at((60, 60, 40, 40), (200, 190, 40, 40))
    for shape, expected in (
        ((300, 300), [(3, 3, *high)]),
        ((300, 400), [(1, 3, *low), (2, 3, *high)]),
    ):
        picture = scene(*shape)
        batches.clear()
        near = learnir.restore(picture, seed=1, trajectory=True)
        assert batches == expected
        far = learnir.restore(picture, seed=1, trajectory=True, faces=False)
        for (t, scale, seen), (u, other, alone) in zip(
            near.trajectory, far.trajectory, strict=True
        ):
            assert (t, scale) == (u, other)
            assert np.abs(seen.astype(int) - alone).max() <= 1


def test_close_ups_of_large_pictures_fade_in_strip_by_strip(monkeypatch):
    """As in one piece, in place, whatever the height of a strip."""
    rng = np.random.default_rng(0)
    picture, close = (rng.integers(0, 256, (90, 70, 3), np.uint8) for _ in range(2))
    square = Square(10, 5, 60)
    whole, parts = picture.copy(), picture.copy()
    fade_in(whole, square, close[:60, :60], 0.7)
    monkeypatch.setattr(strips, "STRIP_PIXELS", 7 * 60)
    fade_in(parts, square, close[:60, :60], 0.7)
    np.testing.assert_array_equal(parts, whole)
    assert (whole != picture).any()


def test_a_close_up_has_no_edge(learnir, scene, looking_at):
    """Its outermost pixels are those of the whole picture's restoration."""
    picture = scene(200, 300)
    looking_at((120, 90, 30, 30))
    (square,) = close_ups([(120, 90, 30, 30)], 200, 300)
    far, near = (
        learnir.restore(picture, faces=faces, seed=1).picture[square.area].astype(int)
        for faces in (False, True)
    )
    change = np.abs(near - far)
    for edge in (change[0], change[-1], change[:, 0], change[:, -1]):
        assert edge.max() <= 1
    assert change[10:-10, 10:-10].max() > 3


@pytest.fixture
def sides(monkeypatch):
    """Longest sides of what the network is shown; over 200 pixels memory runs out."""
    seen, real = [], LearnIRModel.sample

    def sample(model, y, **options):
        seen.append(max(y.shape[-2:]))
        if seen[-1] > 200:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(model, y, **options)

    monkeypatch.setattr(LearnIRModel, "sample", sample)
    return seen


def test_close_ups_are_no_larger_than_asked_for(learnir, scene, looking_at, sides):
    learnir.model.config = dataclasses.replace(learnir.config, work_size=128)
    wide = LearnIR(learnir.model)
    looking_at((120, 130, 28.8, 28.8))
    for work_size, expected in ((None, [128, 128]), (96, [96, 96]), (160, [160, 128])):
        sides.clear()
        wide.restore(scene(280, 300), work_size=work_size)
        assert sides == expected


def test_close_ups_shrink_too_when_memory_runs_out(learnir, scene, looking_at, sides):
    learnir.model.config = dataclasses.replace(learnir.config, work_size=320)
    wide = LearnIR(learnir.model)
    looking_at((200, 200, 120, 120))
    wide.restore(scene(380, 400))
    assert sides == [320, 160, 160]
    sides.clear()
    wide.restore(scene(400, 400))  # together
    assert sides == [320, 160]


def test_progress_counts_the_close_ups(learnir, scene, looking_at):
    looking_at((20, 16, 22, 22), (90, 90, 24, 24))
    for shape, expected in (
        ((140, 150), (*range(1, 6), *range(7, 16, 2))),
        ((150, 150), range(3, 16, 3)),  # all in one batch
    ):
        seen = []
        result = learnir.restore(
            scene(*shape), progress=lambda *p, seen=seen: seen.append(p), trajectory=True
        )
        assert seen == [(n, 15) for n in expected]
        assert len(result.trajectory) == 5


def test_tiles_have_no_close_ups(learnir, scene, looking_at):
    looking_at((20, 16, 22, 22))
    picture = scene(150, 150)
    a, b = (learnir.restore(picture, mode="tile", faces=f).picture for f in (True, False))
    np.testing.assert_array_equal(a, b)


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
        r"pip install 'learnir\[faces\]'"
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
    assert re.fullmatch(line, faces.missing())


@needs_mediapipe
def test_where_mediapipe_loads_nothing_is_missing(scene):
    assert faces.missing() == ""


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
