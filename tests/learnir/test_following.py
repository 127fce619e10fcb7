"""Faces from frame to frame: they come and go slowly, and move as the picture does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from learnir.close_ups import Square
from learnir.following import CORRECTED, EVERY, FADING, PATIENCE, Follower

H, W = 240, 320
FRAME = np.zeros((H, W, 3), np.uint8)
STILL = np.zeros((24, 32, 2), np.float32)


class Found:
    """A search that gives what it is told to, and counts."""

    def __init__(self, *squares):
        self.squares, self.times = squares, 0

    def __call__(self, _frame):
        self.times += 1
        return self.squares


def seen(follower, frames, motion=STILL):
    """(presence, square) of every face, frame by frame."""
    return [
        [(face.presence, face.square(H, W)) for face in follower(FRAME, motion)]
        for _ in range(frames)
    ]


def test_what_the_first_frame_shows_is_there_at_once_and_stays():
    square = Square(50, 60, 80)
    search = Found(square)
    follower = Follower(search)
    assert seen(follower, 1, None) == [[(1.0, square)]]
    assert seen(follower, 2 * EVERY) == [[(1.0, square)]] * 2 * EVERY
    assert search.times == 3  # frames 0, EVERY and 2 EVERY


def test_who_appears_later_fades_in():
    search = Found()
    follower = Follower(search)
    seen(follower, 1, None)
    search.squares = (Square(50, 60, 80),)
    presences = [faces[0][0] for faces in seen(follower, EVERY + FADING) if faces]
    assert presences == pytest.approx([min((k + 1) / FADING, 1) for k in range(FADING + 1)])


def test_who_is_lost_stays_for_some_searches_and_fades_out():
    search = Found(Square(50, 60, 80))
    follower = Follower(search)
    seen(follower, 1, None)
    search.squares = ()
    rows = seen(follower, (PATIENCE + 2) * EVERY + FADING)
    presences = [faces[0][0] if faces else 0.0 for faces in rows]
    whole = (PATIENCE + 1) * EVERY - 1  # frames 1 up to the search that is one too many
    assert presences[:whole] == [1.0] * whole
    steps = np.diff(presences[whole - 1 : whole + FADING])
    assert steps == pytest.approx([-1 / FADING] * FADING)
    assert rows[-1] == []


def test_what_was_found_once_comes_half_and_goes():
    search = Found()
    follower = Follower(search)
    seen(follower, 1, None)
    seen(follower, EVERY - 1)
    search.squares = (Square(50, 60, 80),)
    presences = [faces[0][0] for faces in seen(follower, EVERY)]
    search.squares = ()
    presences += [faces[0][0] for faces in seen(follower, 3 * EVERY) if faces]
    assert max(presences) == pytest.approx(EVERY / FADING)
    assert seen(follower, EVERY)[-1] == []


def test_who_is_found_again_in_time_never_fades():
    search = Found(Square(50, 60, 80))
    follower = Follower(search)
    seen(follower, 1, None)
    square, search.squares = search.squares, ()
    seen(follower, PATIENCE * EVERY)
    search.squares = square
    assert all(faces[0][0] == 1.0 for faces in seen(follower, 4 * EVERY))


def test_squares_move_as_the_picture_does():
    follower = Follower(Found(Square(80, 40, 60)))
    seen(follower, 1, None)
    follower.search = Found()
    motion = STILL.copy()
    motion[..., 0], motion[..., 1] = -0.5, 0.2  # a tenth of the frame's size: 5 px right, 2 px up
    rows = seen(follower, 8, motion)
    assert [(f[0][1].left, f[0][1].top) for f in rows] == [
        (40 + 5 * k, 80 - 2 * k) for k in range(1, 9)
    ]


def test_only_the_motion_under_the_square_counts():
    follower = Follower(Found(Square(80, 40, 60)))
    seen(follower, 1, None)
    motion = STILL.copy()
    motion[:, 16:] = 3.0
    assert seen(follower, 1, motion)[0][0][1] == Square(80, 40, 60)


def test_a_search_corrects_by_half_and_makes_no_second_face():
    follower = Follower(Found(Square(80, 40, 60)))
    seen(follower, 1, None)
    follower.search = Found(Square(90, 50, 64))
    ((_, square),) = seen(follower, EVERY)[-1]
    assert square.side == 60 + 4 * CORRECTED
    assert square.top + square.side / 2 == pytest.approx(110 + 12 * CORRECTED, abs=0.5)


def test_neighbours_are_not_taken_for_one_another():
    """Two faces, each found nearer to where the other was than NEAR allows for: the nearest is."""
    one, two = Square(80, 40, 60), Square(80, 58, 60)
    follower = Follower(Found(one, two))
    seen(follower, 1, None)
    follower.search = Found(Square(80, 60, 60), Square(80, 42, 60))
    faces = seen(follower, EVERY)[-1]
    assert [square.left for _, square in faces] == [41, 59]


def test_a_face_of_quite_another_size_is_another():
    follower = Follower(Found(Square(80, 40, 60)))
    seen(follower, 1, None)
    follower.search = Found(Square(60, 20, 120))
    faces = seen(follower, EVERY)[-1]
    assert [square.side for _, square in faces] == [60, 120]


def test_after_a_cut_all_begins_anew():
    search = Found(Square(50, 60, 80))
    follower = Follower(search)
    seen(follower, 1, None)
    (before,) = follower.faces
    search.squares = (Square(52, 60, 80),)
    assert seen(follower, 1, None) == [[(1.0, Square(52, 60, 80))]]
    assert follower.faces[0] is not before
    assert search.times == 2


def test_squares_that_wander_off_stay_inside_the_picture():
    follower = Follower(Found(Square(100, 100, 200)))
    seen(follower, 1, None)
    follower.search = Found()
    motion = STILL.copy()
    motion[..., 0] = -4.0  # 40 px to the right, each frame
    for faces in seen(follower, 30, motion):
        for _, square in faces:
            assert 0 <= square.left <= W - square.side
            assert 0 <= square.top <= H - square.side


def test_presence_never_jumps():
    """Faces that come and go at every search."""
    rng = np.random.default_rng(0)
    search = Found()
    follower = Follower(search)
    seen(follower, 1, None)
    places = [Square(20, 20, 60), Square(120, 180, 70)]
    rows = []
    for _ in range(12):
        search.squares = tuple(s for s in places if rng.random() < 0.5)
        rows += seen(follower, EVERY)
    for place in places:
        presences = [sum(p for p, s in faces if s.side == place.side) for faces in rows]
        assert max(abs(b - a) for a, b in pairwise(presences)) <= 1 / FADING + 1e-9
        assert max(presences) > 0
