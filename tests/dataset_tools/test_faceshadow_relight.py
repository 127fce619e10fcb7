"""A new light on a wall whose halves face the camera and the light, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dataset_tools.geometry import Surface, surface
from dataset_tools.light import Light
from dataset_tools.relight import (
    Look,
    _grade,
    direct_shading,
    highlight,
    relief,
    relight,
    shoulder,
)

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def test_a_pixel_of_a_relit_wall():
    """I = gain {albedo A + albedo (1 - A) K D + gloss (n.h)^24 D}, D = 1 - strength (1 - n.l)."""
    light, size = Light(azimuth=-90, elevation=30, radius=0.3), 160
    normals = np.zeros((size, size, 3), np.float32)
    normals[:, : size // 2] = 0, 0, 1  # n.l = sin 30 degrees
    normals[:, size // 2 :] = light.direction  # n.l = 1: the best lit, which counts as 1
    ones, centre = np.ones((size, size), np.float32), np.array([80, 80, 0], np.float32)
    depth = np.zeros((size, size), np.float32)
    wall = Surface(depth, normals, ones > 0, ones, 1.0, centre)
    albedo, ambient = np.array([0.3, 0.2, 0.15]), np.array([0.2, 0.25, 0.3])
    look = Look(
        strength=0.8, warmth=0.1, exposure=1.3, contrast=1.0, saturation=1.0, gloss=0.5,
        background=1.0, backdrop=None,
    )  # fmt: skip
    lit, stays = relight(
        np.broadcast_to(albedo, (size, size, 3)).astype(np.float32),
        wall,
        person=ones,
        light=light,
        ambient=np.broadcast_to(ambient, (size, size, 3)).astype(np.float32),
        look=look,
    )
    key, halves = np.array([1.1, 1.0, 0.9]), np.cos(np.radians(30)) ** 24
    indirect, expected = albedo * ambient, []
    for facing in (0.5, 1.0):
        reaching = 1 - 0.8 * (1 - facing)
        mirrored = 0.5 * halves * reaching
        expected.append(indirect + albedo * (1 - ambient) * key * reaching + mirrored)
    gain = 1.3 * (albedo @ LUMINANCE) / (np.mean(expected, axis=0) @ LUMINANCE)
    for column, known in zip((30, 130), expected, strict=True):
        assert lit[80, column] == pytest.approx(gain * known, rel=0.02)
        assert stays[80, column] == pytest.approx(indirect / known, rel=0.02)


def test_the_shoulder_rolls_highlights_off():
    given = np.float32([0, 0.3, 0.75, 1.0, 3.0])
    expected = [0, 0.3, 0.75, 0.75 + 0.25 * (1 - np.exp(-1)), 0.75 + 0.25 * (1 - np.exp(-9))]
    assert shoulder(given) == pytest.approx(np.array(expected), abs=1e-6)


def test_contrast_is_an_exponent_about_middle_grey_and_keeps_the_hue():
    rng = np.random.default_rng(0)
    linear = rng.uniform(0.02, 0.9, (20, 20, 3)).astype(np.float32)
    look = Look(0.0, 0.0, 1.0, 1.3, 1.0, 0.0, 1.0, None)
    graded, y = _grade(linear, look), linear @ LUMINANCE
    assert graded @ LUMINANCE == pytest.approx(0.18 * (y / 0.18) ** 1.3, rel=1e-4)
    colour, before = (p / p.sum(-1, keepdims=True) for p in (graded, linear))
    assert colour == pytest.approx(before, abs=1e-5)
    faded = _grade(linear, replace(look, contrast=1.0, saturation=0.25))
    assert faded == pytest.approx(y[..., None] + 0.25 * (linear - y[..., None]), abs=1e-5)


def test_no_exposure_bleaches_the_face():
    """However much is asked for, its brightest 3 % reach 0.95."""
    rng, ones = np.random.default_rng(0), np.ones((64, 64), np.float32)
    normals = np.zeros((64, 64, 3), np.float32)
    normals[..., 2] = 1
    wall = Surface(0 * ones, normals, ones > 0, ones, 1.0, np.array([32, 32, 0], np.float32))
    look = Look(0.5, 0.0, 30.0, 1.0, 1.0, 0.0, 1.0, None)
    lit, _ = relight(
        rng.uniform(0.1, 0.4, (64, 64, 3)).astype(np.float32),
        wall,
        person=ones,
        light=Light(-90, 60, 1.0),
        ambient=np.full((64, 64, 3), 0.2, np.float32),
        look=look,
    )
    assert (lit > 0.95).mean() == pytest.approx(0.03, abs=0.002)


def test_light_and_detail_are_drawn_in_millimetres(face):
    """At twice the pixels they are the same pictures."""
    light, points = Light(-60, 40, 1.0), face.points.copy()
    points[:, :2] += 100 - points[:468, :2].mean(0)
    small, large = surface(points, (200, 200)), surface(points * 2, (400, 400))
    for drawn in (direct_shading, highlight):
        away = np.abs(drawn(large, light)[::2, ::2] - drawn(small, light))
        assert away[small.face].mean() < 0.015
        assert away.mean() < 0.009
    rough = np.exp(np.random.default_rng(0).normal(0, 0.2, (64, 64, 1))) * np.full(3, 0.2)
    fine = relief(np.repeat(np.repeat(rough, 2, 0), 2, 1).astype(np.float32), 0.5)
    assert np.abs(fine[::2, ::2] - relief(rough.astype(np.float32), 1.0)).mean() < 0.01
