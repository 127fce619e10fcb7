"""The compositing equation, scattering and noise."""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
import pytest

from dataset_tools import photometry
from dataset_tools.noise import fractal
from dataset_tools.zhang2020 import draw_darkening, remaining_share
from learnir.images import luminance


def test_scatter_weights_sum_to_one():
    assert photometry.SCATTER_WEIGHTS.sum(1) == pytest.approx([1, 1, 1], abs=1e-6)


def test_skin_scatters_as_was_published():
    """d'Eon and Luebke 2007: six Gaussians, by their variances in mm^2 and weights per channel."""
    variances = [0.0064, 0.0484, 0.187, 0.567, 1.99, 7.41]
    assert np.square(photometry.SCATTER_MM) == pytest.approx(variances, rel=0.003)
    weights = [
        (0.233, 0.455, 0.649),
        (0.100, 0.336, 0.344),
        (0.118, 0.198, 0.0),
        (0.113, 0.007, 0.007),
        (0.358, 0.004, 0.0),
        (0.078, 0.0, 0.0),
    ]
    assert pytest.approx(np.array(weights)) == photometry.SCATTER_WEIGHTS.T


def test_a_straight_edge_on_skin_is_a_sum_of_error_functions():
    """S(x) = sum_i w_i Phi(x / sigma_i), x from the edge into the light."""
    mm, size = 0.1, 256
    visible = np.zeros((64, size), np.float32)
    visible[:, size // 2 :] = 1
    seen = photometry.scatter(visible, np.ones_like(visible), mm)
    x = (np.arange(size) - (size // 2 - 0.5)) * mm
    for channel in range(3):
        expected = sum(
            weight * np.array([(1 + erf(at / sigma / sqrt(2))) / 2 for at in x])
            for weight, sigma in zip(
                photometry.SCATTER_WEIGHTS[channel], photometry.SCATTER_MM, strict=True
            )
        )
        inside = slice(20, -20)  # wide blurs see the border
        assert seen[32, inside, channel] == pytest.approx(expected[inside], abs=0.015)


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
    assert luminance(colour) == pytest.approx(0.25, abs=1e-6)
    assert np.sign(colour[2] - colour[0]) == np.sign(tint)
    assert photometry.share_and_tint(colour) == pytest.approx((0.25, tint), abs=1e-6)


def test_the_ambient_field_varies_by_the_spread():
    colour, found = photometry.ambient_colour(0.3, 0.2), []
    for seed in range(20):
        field = photometry.ambient_field(np.random.default_rng(seed), colour, (24, 32), 0.4)
        share = field / colour
        assert np.ptp(share, axis=-1).max() < 1e-5
        found.append(share[..., 0])
    assert np.min(found) == pytest.approx(0.6, abs=0.05)
    assert np.max(found) == pytest.approx(1.4, abs=0.05)
    assert np.mean(found) == pytest.approx(1, abs=0.05)


def test_composite_keeps_lit_points_and_leaves_the_ambient_in_shadow():
    base = np.full((1, 2, 3), 0.6, np.float32)
    ambient = np.broadcast_to(np.float32([0.2, 0.25, 0.3]), base.shape)
    visible = np.zeros_like(base)
    visible[:, 0] = 1
    darkened = photometry.composite(base, ambient, visible)
    assert darkened[0, 0] == pytest.approx([0.6] * 3)
    assert darkened[0, 1] == pytest.approx(0.6 * np.array([0.2, 0.25, 0.3]))


@pytest.mark.parametrize(("a", "b"), [(4e-4, 2e-6), (0.0, 2e-6), (4e-4, 0.0)])
def test_sensor_noise_has_the_stated_variance(a, b):
    rng = np.random.default_rng(1)
    clean, k = 0.5, 0.2
    darkened = np.full((200, 200, 3), clean * k, np.float32)
    noise = photometry.sensor_noise(rng, darkened, np.full_like(darkened, k), a, b)
    assert noise.var() == pytest.approx(a * k * (1 - k) * clean + b * (1 - k**2), rel=0.03)
    nothing = photometry.sensor_noise(rng, darkened, np.ones_like(darkened), a, b)
    assert np.abs(nothing).max() == 0


def test_zhang2020_darkens_every_channel():
    rng = np.random.default_rng(2)
    base = rng.random((16, 16, 3)).astype(np.float32)
    for _ in range(20):
        drawn = draw_darkening(rng)
        share = remaining_share(base, drawn.matrix)
        assert share.min() >= 0
        assert share.max() <= 1
        darkened = (base * share).mean((0, 1))
        assert darkened == pytest.approx(drawn.gain * base.mean((0, 1)), rel=0.35)
        assert (darkened < 0.7 * base.mean((0, 1))).all()


@pytest.mark.parametrize(("octaves", "gain"), [(1, 0.5), (4, 0.5), (3, 0.8)])
def test_every_octave_of_noise_is_twice_as_fine_and_weaker_by_the_gain(octaves, gain):
    """Unit variance; slopes of an octave twice those of the one before, times the gain."""
    rng, power = np.random.default_rng(0), gain ** (2 * np.arange(octaves))
    fields = [fractal(rng, (160, 160), 8, octaves, gain) for _ in range(6)]
    assert np.mean(fields) == pytest.approx(0, abs=1e-5)
    assert np.std(fields, axis=(1, 2)) == pytest.approx(1, abs=1e-4)
    steep = np.mean([np.diff(field).var() for field in fields])
    coarse = np.mean([np.diff(fractal(rng, (160, 160), 8, 1)).var() for _ in range(6)])
    assert steep / coarse == pytest.approx(
        (power * 4 ** np.arange(octaves)).sum() / power.sum(), rel=0.25
    )
