"""The compositing equation, scattering and noise."""

from __future__ import annotations

import numpy as np
import pytest

from dataset_tools import photometry
from dataset_tools.zhang2020 import draw_darkening, remaining_share


def test_scatter_weights_sum_to_one():
    assert photometry.SCATTER_WEIGHTS.sum(1) == pytest.approx([1, 1, 1], abs=1e-6)


def test_scatter_reddens_the_shadow_side_of_an_edge():
    visible = np.ones((64, 64), np.float32)
    visible[:, 32:] = 0
    seen = photometry.scatter(visible, np.ones((64, 64), np.float32), mm=0.5)
    inside = seen[32, 34]
    assert inside[0] > inside[1] >= inside[2]
    assert seen[32, 2] == pytest.approx([1, 1, 1], abs=1e-3)
    assert seen.mean((0, 1)) == pytest.approx([0.5] * 3, abs=0.01)  # light is moved, not lost


def test_scatter_leaves_other_things_than_skin_alone():
    rng = np.random.default_rng(0)
    visible = rng.random((32, 32)).astype(np.float32)
    seen = photometry.scatter(visible, np.zeros((32, 32), np.float32), mm=0.5)
    assert np.allclose(seen, visible[..., None], atol=1e-6)


@pytest.mark.parametrize("tint", [-0.3, 0.0, 0.16, 0.35])
def test_ambient_colour_has_the_asked_luminance(tint):
    colour = photometry.ambient_colour(0.25, tint)
    assert photometry.luminance(colour) == pytest.approx(0.25, abs=1e-6)
    assert np.sign(colour[2] - colour[0]) == np.sign(tint)
    assert photometry.share_and_tint(colour) == pytest.approx((0.25, tint), abs=1e-6)


def test_composite_keeps_lit_points_and_leaves_the_ambient_in_shadow():
    base = np.full((1, 2, 3), 0.6, np.float32)
    ambient = np.broadcast_to(np.float32([0.2, 0.25, 0.3]), base.shape)
    visible = np.zeros_like(base)
    visible[:, 0] = 1
    darkened = photometry.composite(base, ambient, visible)
    assert darkened[0, 0] == pytest.approx([0.6] * 3)
    assert darkened[0, 1] == pytest.approx(0.6 * np.array([0.2, 0.25, 0.3]))


def test_sensor_noise_has_the_stated_variance():
    rng = np.random.default_rng(1)
    clean, k, a, b = 0.5, 0.2, 4e-4, 2e-6
    darkened = np.full((200, 200, 3), clean * k, np.float32)
    noise = photometry.sensor_noise(rng, darkened, np.full_like(darkened, k), a, b)
    assert noise.var() == pytest.approx(a * k * (1 - k) * clean + b * (1 - k**2), rel=0.03)
    nothing = photometry.sensor_noise(rng, darkened, np.ones_like(darkened), a, b)
    assert np.abs(nothing).max() == 0


def test_zhang2020_darkens_every_channel():
    rng = np.random.default_rng(2)
    base = rng.random((16, 16, 3)).astype(np.float32)
    share = remaining_share(base, draw_darkening(rng).matrix)
    assert share.min() >= 0
    assert share.max() <= 1
    assert share.mean() < 0.7
