"""The gain of successive frames: steady where they agree, their own where they do not."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from learnir.steady import Steady, _carry


def noisy_gains(frames, spread=0.3, seed=0):
    """Grey frames, guides and a constant gain with fresh noise in every frame."""
    rng = np.random.default_rng(seed)
    greys = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames]
    guides = [np.log2(g / 255 + 1e-2).astype(np.float32) for g in greys]
    shape = (*greys[0].shape, 3)
    gains = [(1 + spread * rng.standard_normal(shape)).astype(np.float32) for _ in frames]
    return greys, guides, gains


def test_the_gain_of_a_still_scene_becomes_steady(scene):
    greys, guides, gains = noisy_gains([cv2.GaussianBlur(scene(64, 80), (0, 0), 1.5)] * 20)
    steady = Steady(0.8)
    out = [steady(*given) for given in zip(greys, guides, gains, strict=True)]
    jump, raw = (
        np.mean([np.abs(b - a).mean() for a, b in pairwise(series[10:])]) for series in (out, gains)
    )
    assert jump < 0.3 * raw  # 0.2 / sqrt(1.8) / sqrt(0.5) = 0.21 where the frames agree in full
    assert np.abs(np.mean(out[-1]) - 1) < 0.02


def test_the_gain_moves_with_the_picture(scene):
    wide = cv2.GaussianBlur(scene(120, 200), (0, 0), 2)
    mark = np.zeros((120, 200, 3), np.float32)
    mark[40:80, 80:120] = 1
    steady, shift = Steady(0.8), 3
    for k in range(6):
        view = np.ascontiguousarray(wide[:, shift * k : shift * k + 150])
        grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY)
        guide = np.log2(grey / 255 + 1e-2).astype(np.float32)
        own = mark[:, shift * k : shift * k + 150]
        out = steady(grey, guide, own)
        if k:
            assert np.median(steady.motion[..., 0]) == pytest.approx(shift, abs=0.1)
            assert steady.agreement > 0.9
    assert np.abs(out - own).mean() < 0.02  # without motion the trail would be 12 px wide


def test_after_a_cut_the_new_frame_counts_alone(scene):
    first, second = scene(64, 80), 255 - scene(64, 80, seed=9)
    greys, guides, _ = noisy_gains([first, second])
    steady = Steady(0.8)
    steady(greys[0], guides[0], np.full((64, 80, 3), 2.0, np.float32))
    out = steady(greys[1], guides[1] + 3, np.zeros((64, 80, 3), np.float32))
    assert np.abs(out).max() < 1e-3
    assert steady.agreement < 1e-3


def test_a_frame_of_another_size_begins_anew(scene):
    steady = Steady(0.8)
    for H in (64, 48):
        grey, gain = np.zeros((H, 80), np.uint8), np.full((H, 80, 3), H, np.float32)
        np.testing.assert_array_equal(steady(grey, grey.astype(np.float32), gain), gain)
        assert steady.motion is None
        assert steady.agreement == 0


def test_thin_strips_count_as_still():
    steady, gain = Steady(0.5), np.tile(np.arange(80, dtype=np.float32)[:, None], (6, 1, 3))
    for value in (1, 3):
        out = steady(np.zeros((6, 80), np.uint8), np.zeros((6, 80), np.float32), value * gain)
    np.testing.assert_array_equal(out, 2 * gain)


@pytest.mark.parametrize("stops", [-0.5, -0.25, 0.0, 0.1, 0.25])
def test_what_is_carried_over_falls_with_the_difference_of_the_light(stops):
    """0.8 of it where two frames are alike, e^-1 of that at a quarter stop, darker or lighter."""
    steady, still = Steady(0.8), np.zeros((6, 80), np.uint8)
    for guide, gain in ((0.0, 2.0), (stops, 1.0)):
        light = np.full((6, 80), guide, np.float32)
        out = steady(still, light, np.full((6, 80, 3), gain, np.float32))
    agreement = np.exp(-((stops / 0.25) ** 2))
    assert steady.agreement == pytest.approx(agreement, rel=1e-5)
    assert out == pytest.approx(np.full((6, 80, 3), 1 + 0.8 * agreement), rel=1e-5)


def test_carrying_is_a_lookup():
    x = np.arange(20, dtype=np.float32).reshape(4, 5)
    flow = np.zeros((4, 5, 2), np.float32)
    flow[..., 0] = 1
    np.testing.assert_array_equal(_carry(x, flow), x[:, [1, 2, 3, 4, 4]])  # edges repeated
    np.testing.assert_array_equal(_carry(x, flow[..., ::-1].copy()), x[[1, 2, 3, 3]])
