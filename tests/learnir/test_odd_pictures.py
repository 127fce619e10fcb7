"""Pictures as people have them: on their sides, and in black and white."""

from __future__ import annotations

import importlib.util
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from learnir import LearnIR, faces
from learnir.faces import CERTAIN, PLAINLY, UPRIGHT, way_up

needs_mediapipe = pytest.mark.skipif(
    importlib.util.find_spec("mediapipe") is None, reason="MediaPipe is not installed"
)
QUARTERS = (0, 1, 2, 3)
UNSEEN = (0, 0, 0, 0)


@pytest.fixture
def finder_says(monkeypatch):
    """``finder_says(near, far)``: how certain the two finders are after so many quarter turns.

    Told by a white corner, which lies at the top left when no turn was made. Returns the turns in
    which the near one was asked.
    """

    def say(near, far=(0, 0.1, 0, 0)):
        asked = {near: [], far: []}

        def found(scores, seen):
            assert seen.dtype == np.uint8
            corners = [seen[0, 0], seen[-1, 0], seen[-1, -1], seen[0, -1]]  # as np.rot90 moves it
            (turns,) = (k for k, corner in enumerate(corners) if corner.min() > 128)
            asked[scores].append(turns)
            faces_found = [SimpleNamespace(score=[scores[turns]])] if scores[turns] else None
            return SimpleNamespace(detections=faces_found)

        finders = partial(found, near), partial(found, far)
        monkeypatch.setattr(faces, "_finders", lambda: finders)
        return asked[near]

    return say


def cornered(shape, dtype=np.uint8):
    picture = np.zeros((*shape, 3), dtype)
    picture[: shape[0] // 4, : shape[1] // 4] = np.iinfo(dtype).max
    return picture


@pytest.mark.parametrize("shape", [(40, 60), (1200, 700)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_the_way_up_is_where_a_face_is_most_certain(finder_says, shape, dtype, quarters):
    scores = [0.7, 0.72, 0.74, 0.71]
    scores[quarters] = 0.95
    for told in ((tuple(scores),), (UNSEEN, tuple(scores))):
        finder_says(*told)
        assert way_up(cornered(shape, dtype)) == quarters


@pytest.mark.parametrize(
    "scores",
    [
        UNSEEN,
        (0, CERTAIN - 0.01, 0, 0),  # perhaps one
        (0.8, 0.8 + PLAINLY - 0.01, 0.7, 0.7),  # not plainly another
    ],
)
def test_a_picture_stays_where_turning_tells_nothing(finder_says, scores):
    asked = finder_says(scores)
    assert way_up(cornered((40, 60))) == 0
    assert set(asked) == {0, 1, 2, 3}


def test_no_other_way_is_tried_for_a_face_that_stands(finder_says):
    asked = finder_says((UPRIGHT, 1, 1, 1))
    assert way_up(cornered((40, 60))) == 0
    assert asked == [0]


def test_without_a_finder_a_picture_stays(monkeypatch):
    monkeypatch.setattr(faces, "_finders", lambda: None)
    assert way_up(cornered((40, 60))) == 0


@pytest.mark.parametrize("mode", ["auto", "gain", "tile"])
@pytest.mark.parametrize("shape", [(50, 64), (150, 110)])
def test_a_turned_picture_is_restored_upright_and_turned_back(
    learnir, scene, monkeypatch, mode, shape
):
    upright = scene(*shape)
    monkeypatch.setattr("learnir.pipeline.way_up", lambda _picture: 0)
    expected = learnir.restore(upright, mode=mode, trajectory=True)
    monkeypatch.setattr("learnir.pipeline.way_up", lambda _picture: 3)
    lying = np.rot90(upright, 1)
    result = learnir.restore(lying, mode=mode, trajectory=True)
    np.testing.assert_array_equal(result.picture, np.rot90(expected.picture, 1))
    np.testing.assert_array_equal(result.observed, lying)
    np.testing.assert_array_equal(result.gain, np.rot90(expected.gain, 1))
    np.testing.assert_array_equal(result.shadow_mask(), np.rot90(expected.shadow_mask(), 1))
    half, other = result.at_strength(0.5), np.rot90(expected.at_strength(0.5), 1)
    assert np.abs(half.astype(int) - other).max() <= 1  # a gain map is enlarged along rows first
    assert len(result.trajectory) == len(expected.trajectory)
    for (*step, preview), (*same, before) in zip(
        result.trajectory, expected.trajectory, strict=True
    ):
        assert step == same
        np.testing.assert_array_equal(preview, np.rot90(before, 1))
    # without faces nobody asks which way is up
    plain = learnir.restore(lying, mode=mode, faces=False)
    assert not np.array_equal(plain.picture, result.picture)


@needs_mediapipe
@pytest.mark.parametrize("size", [256, 900])
def test_the_astronaut_is_put_upright(size):
    import cv2
    from skimage import data

    astronaut = cv2.resize(data.astronaut(), (size, size), interpolation=cv2.INTER_AREA)
    for quarters in QUARTERS:
        assert way_up(np.rot90(astronaut, quarters)) == -quarters % 4


@needs_mediapipe
def test_the_shipped_model_restores_a_lying_face_as_a_standing_one():
    from demo.quickstart import shadowed_faces

    _, shadowed, _ = next(iter(shadowed_faces(256, 0)))
    learnir = LearnIR.from_pretrained(device="cpu")
    standing = learnir.restore(shadowed).picture
    for quarters in (1, 2):
        lying = np.ascontiguousarray(np.rot90(shadowed, quarters))
        np.testing.assert_array_equal(learnir.restore(lying).picture, np.rot90(standing, quarters))


@pytest.mark.usefixtures("faceless")
@pytest.mark.parametrize("mode", ["auto", "gain", "tile"])
@pytest.mark.parametrize("shape", [(40, 50), (64, 64), (150, 130)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_black_and_white_stays_black_and_white(learnir, scene, mode, shape, dtype):
    picture = np.repeat(scene(*shape, dtype)[..., :1], 3, axis=2)
    result = learnir.restore(picture, mode=mode)
    assert not np.array_equal(result.picture, picture)
    for restored in (result.picture, result.at_strength(0.6)):
        assert (restored == restored[..., :1]).all()
    coloured = picture.copy()
    coloured[0, 0, 0] ^= 128  # one pixel of colour, and it is another picture
    restored = learnir.restore(coloured, mode=mode).picture
    assert not (restored == restored[..., :1]).all()
