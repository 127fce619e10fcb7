"""Dyed cloth and the relief of direct light: what the recipe for sunlit photographs adds."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from dataset_tools.dye import Dye, cloth, draw_dye, dyed
from dataset_tools.geometry import Surface, surface
from dataset_tools.landmarks import CHIN
from dataset_tools.light import Light, smoothstep
from dataset_tools.occluders import OCCLUDERS, choose
from dataset_tools.recipe import RECIPES
from dataset_tools.relight import Look, relief, relight
from dataset_tools.render import render
from learnir.images import decode_linear, luminance


@pytest.fixture(scope="module")
def portrait(astronaut, face):
    """The astronaut in linear light, her surface, points and person."""
    scene = surface(face.points, astronaut.shape[:2])
    height, width = astronaut.shape[:2]
    matte = cv2.resize(face.matte, (width, height)).astype(np.float32) / 255
    return decode_linear(astronaut), scene, face.points, smoothstep((matte - 0.25) / 0.5)


def test_cloth_is_the_suit_and_not_the_face(portrait):
    linear, scene, points, person = portrait
    where = cloth(linear, scene, points, person)
    assert where.min() >= 0
    assert where.max() <= 1
    assert where[scene.skin > 0.5].max() < 0.01
    suit = where[300:500, 100:330]  # orange, and brighter than skin: part of it is skin-like
    white = where[180:220, 260:300]
    assert max(suit.mean(), white.mean()) > 0.3
    assert where[:100].max() < 0.01  # hair


def test_cloth_begins_below_the_chin_higher_at_the_shoulders_and_where_skin_ends():
    """Blue cloth everywhere but on the face and in a stripe of the face's colour below it."""
    H, W, chin = 200, 300, (150, 100)
    skin = np.zeros((H, W), np.float32)
    skin[40:90, 130:170] = 1
    stripe = np.zeros((H, W), bool)
    stripe[:, 120:180] = True
    linear = np.where(stripe[..., None], np.float32([0.4, 0.2, 0.1]), np.float32([0.1, 0.2, 0.5]))
    for mm in (1.0, 2.0):
        scene = Surface(0 * skin, np.zeros((H, W, 3)), skin > 0, skin, mm, np.zeros(3))
        points = np.zeros((478, 3), np.float32)
        points[CHIN, :2] = chin
        where = cloth(linear, scene, points, np.ones((H, W), np.float32))
        beside, far = round(40 / mm), round(115 / mm)
        assert where[:, 124:176].max() < 0.01
        for side in (-1, 1):
            neck, shoulder = where[:, 150 + side * beside], where[:, 150 + side * far]
            assert neck[: 100 + round(8 / mm)].max() < 0.05
            assert shoulder[: 100 - round(36 / mm)].max() < 0.2
            assert shoulder[100 - round(16 / mm) :].min() > 0.95
        assert where[100 + round(24 / mm) :, [100, 200]].min() > 0.95


def test_the_median_of_dyed_cloth_takes_the_level_and_the_rest_stays(portrait):
    linear, scene, points, person = portrait
    where = cloth(linear, scene, points, person)
    dye = Dye(level=0.05, contrast=0.5, colour=(1.0, 1.0, 1.0), saturation=0.0)
    changed = dyed(linear, where, dye)
    whole = where > 0.99
    assert np.median(luminance(changed)[whole]) == pytest.approx(0.05, rel=0.15)
    spread = [np.log(luminance(p)[whole] + 1e-3).std() for p in (linear, changed)]
    assert spread[1] < 0.75 * spread[0]
    assert np.ptp(changed[whole], axis=-1).max() < 0.01  # grey
    assert np.array_equal(changed[where == 0], linear[where == 0])


def test_dyed_cloth_takes_the_colour_of_the_dye():
    """Three greys about their median, each a factor of two from the next."""
    linear = np.repeat(np.float32([0.1, 0.2, 0.4])[:, None], 30, 1)[..., None] * np.ones(3)
    dye = Dye(level=0.05, contrast=0.5, colour=(1.2, 1.0, 0.7), saturation=1.0)
    changed = dyed(linear.astype(np.float32), np.ones((3, 30), np.float32), dye)
    expected = 0.05 * np.sqrt([0.5, 1, 2])[:, None] * np.array(dye.colour)
    assert changed[:, 0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("stays", [0.0, 0.5, 1.0])
def test_dyed_cloth_keeps_a_share_of_its_own_colour_and_of_its_white(stays):
    """Three brightnesses of one orange, each half of the next but the last: far above."""
    orange = np.float32([1.6, 0.9, 0.22])
    orange /= luminance(orange)
    bright = np.float32([0.02, 0.04, 0.9]) if stays == 0 else np.float32([0.02, 0.04, 0.08])
    linear = np.repeat(bright[:, None], 40, 1)[..., None] * orange
    dye = Dye(level=0.3, contrast=0.9, colour=(1.0, 1.0, 1.0), saturation=stays)
    changed = dyed(linear, np.ones((3, 40), np.float32), dye)[:, 0]
    shade = luminance(changed)
    assert shade[1] == pytest.approx(0.3, rel=1e-4)
    assert shade[2] == pytest.approx(0.9 if stays == 0 else 0.3 * 2**0.9, rel=1e-4)
    assert changed / shade[:, None] == pytest.approx(
        np.tile(1 + stays * (orange - 1), (3, 1)), abs=1e-4
    )


def test_dyes_run_from_black_to_white_and_are_mostly_grey():
    dyes = [draw_dye(np.random.default_rng(seed)) for seed in range(400)]
    for name, low, high in (("level", 0.012, 0.5), ("contrast", 0.15, 0.9), ("saturation", 0, 1)):
        drawn = [getattr(dye, name) for dye in dyes]
        assert low < min(drawn) < low + 0.04
        assert high - 0.04 < max(drawn) < high
    vivid = np.mean([np.ptp(np.log(dye.colour)) > 0.2 for dye in dyes])
    assert vivid == pytest.approx(0.24, abs=0.06)  # a quarter, and nearly all of that


def test_dye_changes_input_and_target_alike(astronaut, face):
    plain = replace(RECIPES["sunlit"], mix={"none": 1.0}, noisy=0.0, relit=0.0, dyed=1.0)
    pair = render(astronaut, face, 3, plain, 256)
    assert pair.meta["dye"] is not None
    assert np.array_equal(pair.shadow, pair.clean)
    undyed = render(astronaut, face, 3, replace(plain, dyed=0.0), 256)
    assert undyed.meta["dye"] is None


def test_relief_is_the_detail_alone():
    rng = np.random.default_rng(0)
    flat = np.full((64, 64, 3), 0.3, np.float32)
    assert relief(flat, 1.0) == pytest.approx(1.0, abs=1e-5)
    slope = flat * np.linspace(0.5, 1.5, 64, dtype=np.float32)[:, None, None]
    assert relief(slope, 1.0)[16:48] == pytest.approx(1.0, abs=0.02)
    rough = flat * np.exp(rng.normal(0, 0.2, (64, 64, 1))).astype(np.float32)
    own = luminance(rough) / luminance(rough).mean()
    assert np.corrcoef(relief(rough, 1.0).ravel(), own.ravel())[0, 1] > 0.95
    assert relief(rough, 1.0).min() >= 0.5
    assert relief(rough, 1.0).max() <= 2.0


def test_what_mirrors_the_key_follows_the_strands():
    """What sheen adds to the direct light, times the albedo, goes with the square of the detail."""
    size, rng = 64, np.random.default_rng(0)
    strands = 0.1 * np.exp(rng.normal(0, 0.2, (1, size, 1)))
    hair = np.broadcast_to(strands, (size, size, 3)).astype(np.float32)
    normals = np.zeros((size, size, 3), np.float32)
    normals[..., 2] = 1
    ones = np.ones((size, size), np.float32)
    scene = Surface(0 * ones, normals, ones > 0, 0 * ones, 1.0, np.array([32, 32, 0], np.float32))
    ambient = np.full((size, size, 3), 0.2, np.float32)

    def over_ambient(sheen: float) -> np.ndarray:
        look = Look(1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, None, sheen=sheen)
        _, share = relight(
            hair, scene, person=ones, light=Light(-90, 45, 1.0), ambient=ambient, look=look
        )
        return 1 / share[..., 1] - 1

    added = (over_ambient(0.02) - over_ambient(0.0)) * hair[..., 1]
    assert added.min() > 0
    detail = relief(hair, 1.0)
    slope, _ = np.polyfit(np.log(detail).ravel(), np.log(added).ravel(), 1)
    assert slope == pytest.approx(2.0, abs=0.02)


def test_relief_is_an_exponent_of_the_direct_light_alone():
    """Direct over ambient light, against the same without relief: detail^relief."""
    size, rng = 64, np.random.default_rng(0)
    skin = 0.1 * np.exp(rng.normal(0, 0.2, (size, size, 1))) * np.float32([1.2, 1, 0.8])
    skin = skin.astype(np.float32)
    normals = np.zeros((size, size, 3), np.float32)
    normals[..., 2] = 1
    ones = np.ones((size, size), np.float32)
    scene = Surface(0 * ones, normals, ones > 0, ones, 1.0, np.array([32, 32, 0], np.float32))
    ambient = np.full((size, size, 3), 0.2, np.float32)

    def over_ambient(exponent: float) -> np.ndarray:
        look = Look(1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, None, relief=exponent)
        _, share = relight(
            skin, scene, person=ones, light=Light(-90, 45, 1.0), ambient=ambient, look=look
        )
        return 1 / share - 1

    drawn = over_ambient(0.7) / over_ambient(0.0)
    assert drawn == pytest.approx(np.repeat(relief(skin, 1.0)[..., None] ** 0.7, 3, 2), rel=1e-3)


def test_shares_of_a_recipe_replace_those_of_the_mix():
    rng = np.random.default_rng(0)
    assert {choose(rng, shares={name: 0.0 for name in OCCLUDERS} | {"twig": 1.0})} == {"twig"}
    assert choose(rng, ("twig",)) == "twig"  # by name alone, though its share is none
    assert "twig" not in {choose(rng) for _ in range(2000)}
    drawn = [choose(rng, ("twig", "hand"), {"twig": 0.17}) for _ in range(1000)]
    assert 400 < drawn.count("twig") < 600
