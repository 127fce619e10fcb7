"""Small pictures restored as enlargements: what the network changes comes back to their size."""

import dataclasses

import cv2
import numpy as np
import pytest
import torch

from learnir import LearnIR
from learnir.frames import FrameRestorer
from learnir.model import LearnIRModel


@pytest.fixture
def enlarging(learnir):
    """The tiny pipeline, working size 64, for pictures enlarged to five quarters."""
    learnir.model.config = dataclasses.replace(learnir.config, enlarge=1.25)
    return LearnIR(learnir.model)


@pytest.mark.parametrize(
    ("size", "seen"),
    [((40, 48), (50, 60)), ((60, 30), (64, 32)), ((64, 64), (64, 64)), ((80, 40), (64, 32))],
)
def test_the_network_sees_small_pictures_enlarged_and_no_others(
    enlarging, scene, monkeypatch, size, seen
):
    sides = []

    def sample(model, y, **options):
        sides.append(tuple(y.shape[-2:]))
        return real(model, y, **options)

    real = LearnIRModel.sample
    monkeypatch.setattr(LearnIRModel, "sample", sample)
    result = enlarging.restore(scene(*size))
    assert result.picture.shape == (*size, 3)
    # a network needs at least 64 pixels to look around in
    assert sides == [tuple(max(side, 64) for side in seen)]
    assert result.mode == ("native" if max(size) <= 64 else "gain")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_comes_back_is_the_change_of_the_enlargement(enlarging, scene, monkeypatch, dtype):
    monkeypatch.setattr(LearnIRModel, "sample", lambda _model, y, **_: 0.7 * y + 0.1)
    picture = scene(64, 51, dtype)[:40, :48]
    largest = np.iinfo(dtype).max
    large = cv2.resize(picture, (60, 50), interpolation=cv2.INTER_CUBIC) / largest * 2 - 1
    change = cv2.resize(0.1 - 0.3 * large, (48, 40), interpolation=cv2.INTER_CUBIC)
    expected = picture + change / 2 * largest
    away = enlarging.restore(picture).picture - expected
    assert np.abs(away).max() < 0.51
    assert np.abs(change).max() > 0.1


def test_without_memory_for_the_enlargement_the_picture_itself_is_tried(
    enlarging, scene, monkeypatch
):
    sides = []

    def sample(_model, y, **_):
        sides.append(max(y.shape[-2:]))
        if sides[-1] > 130:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 0.7 * y

    monkeypatch.setattr(LearnIRModel, "sample", sample)
    result = enlarging.restore(scene(100, 120), work_size=200)
    assert sides == [150, 120]
    assert result.mode == "native"


def test_without_a_change_every_pixel_stays(enlarging, scene, monkeypatch):
    monkeypatch.setattr(LearnIRModel, "sample", lambda _model, y, **_: y)
    picture = scene(33, 47, np.uint16)
    assert np.array_equal(enlarging.restore(picture).picture, picture)


@pytest.mark.parametrize("work_size", [72, 96])
def test_a_frame_of_a_video_is_seen_at_the_size_asked_for(enlarging, scene, monkeypatch, work_size):
    sides = []

    def sample(_model, y, **_):
        sides.append(max(y.shape[-2:]))
        return y

    monkeypatch.setattr(LearnIRModel, "sample", sample)
    FrameRestorer(enlarging, {"work_size": work_size})(scene(100, 120))
    assert sides == [work_size]
