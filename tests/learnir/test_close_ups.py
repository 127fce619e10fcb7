"""Close-ups as they are restored: beside the whole picture, in batches, joined without an edge."""

import dataclasses

import numpy as np
import pytest
import torch

from learnir import LearnIR, strips
from learnir.close_ups import Square, close_ups
from learnir.memory import SMALLEST
from learnir.model import LearnIRModel
from learnir.modes import TOGETHER, fade_in


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
