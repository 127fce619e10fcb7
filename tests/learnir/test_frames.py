"""The frames of a video: like pictures one by one, and steady; faces looked at closely."""

from __future__ import annotations

import importlib.util
from itertools import pairwise

import cv2
import numpy as np
import pytest

from learnir import LearnIR, frames, pipeline
from learnir.close_ups import close_ups
from learnir.following import FADING
from learnir.frames import FrameRestorer

needs_mediapipe = pytest.mark.skipif(
    importlib.util.find_spec("mediapipe") is None, reason="MediaPipe is not installed"
)
BOX = (150, 90, 36, 36)


@pytest.fixture
def looking_at(monkeypatch):
    """``looking_at(*boxes)``: what the finder says from now on, of pictures and of frames."""

    def say(*boxes):
        for module in (frames, pipeline):
            monkeypatch.setattr(module, "find_faces", lambda _picture: list(boxes))

    return say


def views(picture, count, step, width):
    return [np.ascontiguousarray(picture[:, step * k : step * k + width]) for k in range(count)]


@pytest.mark.parametrize("faces", [False, True])
def test_the_first_frame_is_restored_as_a_picture(learnir, scene, looking_at, faces):
    picture = scene(200, 300)
    looking_at(BOX)
    options = {"seed": 3, "faces": faces}
    frame = FrameRestorer(learnir, {**options, "mode": "tile"})(picture)
    still = learnir.restore(picture, **options).picture
    assert frame.shape == picture.shape
    assert frame.dtype == np.uint8
    apart = np.abs(frame.astype(int) - still)
    assert apart.mean() < 0.5  # the whole is seen in 8 bits here, in finer steps there
    assert apart.max() <= 4


def test_only_the_square_of_a_face_changes(learnir, scene, looking_at):
    picture = scene(200, 300)
    looking_at(BOX)
    near, far = (FrameRestorer(learnir, {"faces": faces})(picture) for faces in (True, False))
    (square,) = close_ups([BOX], 200, 300)
    changed = (near != far).any(-1)
    assert changed[square.area].mean() > 0.3
    changed[square.area] = False
    assert not changed.any()


def test_close_ups_of_a_frame_are_looked_at_together(learnir, scene, looking_at, monkeypatch):
    """Two faces far apart: both squares change, by one batch of two a frame."""
    picture, batches = scene(200, 500), []
    boxes = [BOX, (360, 60, 36, 36)]
    looking_at(*boxes)
    restore_all = LearnIR.restore_all

    def counted(self, pictures, **options):
        batches.append(len(pictures))
        return restore_all(self, pictures, **options)

    monkeypatch.setattr(LearnIR, "restore_all", counted)
    restored = FrameRestorer(learnir, {})
    near, far = restored(picture), FrameRestorer(learnir, {"faces": False})(picture)
    restored(picture)
    assert batches == [2, 2]
    changed = (near != far).any(-1)
    for square in close_ups(boxes, 200, 500):
        assert changed[square.area].mean() > 0.3


def test_a_face_that_appears_comes_slowly(learnir, scene, looking_at):
    """Frame by frame its square goes from what the whole picture's look gives to the close-up."""
    picture = cv2.GaussianBlur(scene(200, 300), (0, 0), 2)
    looking_at()
    restored, far = FrameRestorer(learnir, {}), FrameRestorer(learnir, {"faces": False})
    restored(picture), far(picture)
    looking_at(BOX)
    (square,) = close_ups([BOX], 200, 300)
    away = [
        np.abs(restored(picture)[square.area].astype(float) - far(picture)[square.area]).mean()
        for _ in range(4 + FADING)
    ]
    assert away[:4] == [0] * 4  # the next search is at the fifth frame after the first
    assert all(b > a for a, b in pairwise(away[3:]))
    assert max(np.diff(away)) < 2 / FADING * away[-1]


def test_after_a_cut_faces_are_looked_for_at_once(learnir, scene, looking_at):
    first = cv2.GaussianBlur(scene(200, 300), (0, 0), 2)
    second = cv2.GaussianBlur(255 - scene(200, 300, seed=5), (0, 0), 2) // 4
    looking_at()
    restored = FrameRestorer(learnir, {})
    restored(first), restored(first)
    looking_at(BOX)
    np.testing.assert_array_equal(restored(second), FrameRestorer(learnir, {})(second))


def test_without_steadying_every_frame_is_its_own(learnir, scene):
    restored = FrameRestorer(learnir, {}, kept=0.0)
    for view in views(scene(100, 160), 3, 8, 140):
        np.testing.assert_array_equal(restored(view), FrameRestorer(learnir, {})(view))


@needs_mediapipe
@pytest.mark.slow
def test_a_small_face_in_a_pan_loses_its_shadow_and_does_not_flicker(scene):
    """Against one look at every frame, and against close-ups of every frame by itself."""
    pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    from demo.quickstart import shadowed_faces

    learnir = LearnIR.from_pretrained(device="cpu")
    step, width, top, left, side = 8, 900, 200, 400, 256
    _, *pair = next(shadowed_faces(side, 0))
    around = cv2.GaussianBlur(scene(640, 960), (0, 0), 3)
    shadowed, clean = around.copy(), around.copy()
    for wide, face in zip((shadowed, clean), pair, strict=True):
        wide[top : top + side, left : left + side] = face
    shadowed, clean = (views(wide, 7, step, width) for wide in (shadowed, clean))

    def score(made):
        """PSNR of the face, mean over the frames."""
        found = []
        for k, (a, b) in enumerate(zip(made, clean, strict=True)):
            area = slice(top, top + side), slice(left - step * k, left - step * k + side)
            found.append(10 * np.log10(255**2 / np.mean((a[area].astype(float) - b[area]) ** 2)))
        return np.mean(found)

    def flicker(made):
        moved = [(b[:, :-step].astype(float), a[:, step:]) for a, b in pairwise(made)]
        return np.mean([np.abs(b - a).mean() for b, a in moved])

    one_look = FrameRestorer(learnir, {"faces": False})
    followed = FrameRestorer(learnir, {})
    far, near = ([restored(frame) for frame in shadowed] for restored in (one_look, followed))
    alone = [learnir.restore(frame).picture for frame in shadowed]
    assert score(near) > score(far) + 1
    assert score(near) > score(shadowed) + 6
    assert flicker(near) < 0.5 * flicker(alone)
