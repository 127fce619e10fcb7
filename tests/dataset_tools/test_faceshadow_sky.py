"""The ambient light that reaches each point of a face, against brute force."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from dataset_tools import photometry, render
from dataset_tools.geometry import Surface, surface
from dataset_tools.light import Light
from dataset_tools.recipe import RECIPES
from dataset_tools.sky import (
    APART,
    BEHIND,
    BRIGHTEST,
    MOST,
    SHARE,
    SIDEWAYS,
    SPARED,
    TOWARDS,
    Surroundings,
    draw_surroundings,
    patches,
    reaching,
)

KEY = Light(-90, 45, 1.0)
ALIKE = Surroundings(np.zeros(3, np.float32), hidden=0.0)
USUAL = Surroundings(np.array(TOWARDS, np.float32), hidden=0.0)


def wall(size: int = 64) -> Surface:
    """A flat wall facing the camera."""
    normals = np.zeros((size, size, 3), np.float32)
    normals[..., 2] = 1
    ones = np.ones((size, size), np.float32)
    centre = np.array([size / 2, size / 2, 0], np.float32)
    return Surface(np.zeros((size, size), np.float32), normals, ones > 0, ones, 1.0, centre)


def seen_from(scene: Surface, direction: np.ndarray) -> np.ndarray:
    """Whether the ray of each pixel of the face leaves it, in steps of a millimetre; (N, 1)."""
    depth = scene.depth
    rows, columns = (at.astype(np.float32)[:, None] for at in np.nonzero(scene.face))
    own, seen = depth[scene.face][:, None], np.ones((len(rows), 1), bool)
    for t in np.arange(2.0, 120.0, 1.0):
        x, y = columns + direction[0] * t / scene.mm, rows + direction[1] * t / scene.mm
        ahead = cv2.remap(depth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        seen &= ahead <= own + direction[2] * t + 0.5
    return seen


def test_a_wall_is_lit_evenly():
    assert reaching(wall(), KEY, ALIKE) == pytest.approx(1.0, abs=1e-3)


def many_rays() -> np.ndarray:
    """Unit vectors all around, mirrored at both axes so that none of the sides is favoured."""
    rays = np.random.default_rng(0).normal(size=(240, 3))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    mirrors = np.array([[x, y, 1] for x in (-1, 1) for y in (-1, 1)])
    rays = (rays[:, None] * mirrors).reshape(-1, 3).astype(np.float32)
    return rays[rays[:, 2] > BEHIND]


@pytest.mark.parametrize("around", [ALIKE, USUAL])
def test_a_face_gets_what_many_rays_say(face, around):
    """Nearly a thousand rays, each followed until it leaves the face, in place of 24 patches."""
    scene = surface(face.points * 0.5, (256, 256))
    total = np.zeros(scene.depth.shape)
    for ray in many_rays():
        seen = seen_from(scene, ray)[:, 0]
        radiance = np.exp(ray @ around.towards)
        total[scene.face] += radiance * np.maximum(scene.normals[scene.face] @ ray, 0) * seen
    inner = cv2.erode(scene.face.astype(np.uint8), np.ones((15, 15))) > 0
    wanted, found = total / total[scene.face].mean(), reaching(scene, KEY, around)
    assert np.corrcoef(found[inner], wanted[inner])[0, 1] > 0.9
    assert np.abs(found - wanted)[inner].mean() < 0.04


def test_sockets_see_less_than_the_forehead(face):
    scene = surface(face.points * 0.5, (256, 256))
    found = reaching(scene, KEY, ALIKE)
    inner_corners, forehead = face.points[[133, 362], :2] * 0.5, face.points[[151], :2] * 0.5
    at = [found[round(y), round(x)] for x, y in (*inner_corners, *forehead)]
    assert max(at[:2]) < 0.85 * at[2]


def test_the_bright_side_of_the_surroundings_lights_its_side_of_the_face(face):
    scene = surface(face.points * 0.5, (256, 256))
    columns = np.arange(256) < face.points[1, 0] * 0.5
    left = scene.face & columns
    right = scene.face & ~columns
    for x in (-1, 1):
        around = Surroundings(np.array([x, 0, 0], np.float32), 0.0)
        found = reaching(scene, KEY, around)
        ratio = found[left].mean() / found[right].mean()
        assert ratio > 1.15 if x < 0 else ratio < 1 / 1.15


def inside(light: Light, count: int = 60) -> np.ndarray:
    """Directions spread evenly over the disc of a light."""
    right, up = light.basis
    radius = np.sqrt((np.arange(count) + 0.5) / count) * np.radians(light.radius)
    turn = np.pi * (3 - 5**0.5) * np.arange(count)
    rays = light.direction + np.tan(radius)[:, None] * (
        np.cos(turn)[:, None] * right + np.sin(turn)[:, None] * up
    )
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


@pytest.mark.parametrize("azimuth", [0.0, 200.0])
def test_a_light_from_beside_is_what_rays_to_it_say(face, azimuth):
    scene, lamp, share = surface(face.points * 0.5, (256, 256)), Light(azimuth, 25, 8), 0.6
    compact = np.zeros(scene.depth.shape)
    for ray in inside(lamp):
        seen = seen_from(scene, ray)[:, 0]
        compact[scene.face] += np.maximum(scene.normals[scene.face] @ ray, 0) * seen
    compact /= compact[scene.face].mean()
    sky = reaching(scene, KEY, USUAL)
    wanted = np.clip((1 - share) * sky + share * np.minimum(compact, BRIGHTEST), SPARED, MOST)
    found = reaching(scene, KEY, replace(USUAL, beside=lamp, share=share))
    inner = cv2.erode(scene.face.astype(np.uint8), np.ones((15, 15))) > 0
    assert np.corrcoef(found[inner], wanted[inner])[0, 1] > 0.9
    assert np.abs(found - wanted)[inner].mean() < 0.1


def test_a_nose_casts_a_shadow_within_the_shadow(face):
    """Beside the nose, away from the light, less than half arrives of what the cheek gets."""
    scene = surface(face.points * 0.5, (256, 256))
    around = replace(USUAL, beside=Light(0, 20, 3), share=0.7)
    found = reaching(scene, KEY, around) / reaching(scene, KEY, USUAL)
    beside, cheek = (face.points[k, :2] * 0.5 for k in (203, 425))
    assert found[round(beside[1]), round(beside[0])] < 0.5 * found[round(cheek[1]), round(cheek[0])]


def test_how_often_and_from_where_a_light_from_beside_comes():
    rng = np.random.default_rng(0)
    drawn = [draw_surroundings(rng, beside=0.5) for _ in range(4000)]
    lamps = [around.beside for around in drawn if around.beside is not None]
    assert len(lamps) == pytest.approx(2000, abs=120)
    x, y, z = np.array([lamp.direction for lamp in lamps]).T
    assert np.mean(x > 0) == pytest.approx(0.5, abs=0.1)
    from_level = np.degrees(np.arctan2(np.abs(y), np.abs(x)))
    assert np.median(from_level) == pytest.approx(0.674 * SIDEWAYS, abs=3)
    assert z.min() > -0.2
    shares = [around.share for around in drawn if around.beside is not None]
    assert SHARE[0] <= min(shares) < max(shares) <= SHARE[1]


def test_without_a_light_from_beside_nothing_is_drawn_for_it():
    one, other = (np.random.default_rng(3) for _ in range(2))
    around = draw_surroundings(one)
    assert around.beside is None
    assert around.share == 0
    other.normal(TOWARDS, APART)
    other.uniform(0, 1)
    assert one.bit_generator.state == other.bit_generator.state


def test_what_casts_the_shadow_hides_what_is_near_the_key(face):
    """Under a key from above the forehead loses more than the chin."""
    scene = surface(face.points * 0.5, (256, 256))
    open_sky, hidden = (reaching(scene, KEY, replace(USUAL, hidden=h)) for h in (0.0, 1.0))
    (fx, fy), (cx, cy) = (face.points[k, :2] * 0.5 for k in (151, 199))
    change = hidden / open_sky
    assert change[round(fy), round(fx)] < change[round(cy), round(cx)]


def test_the_sides_of_a_face_get_more_than_its_middle(face):
    """As in the shadows of photographs: the camera stands where surroundings are darkest."""
    scene = surface(face.points * 0.5, (256, 256))
    across = np.abs(scene.normals[..., 0])
    sides, middle = scene.face & (across > 0.6), scene.face & (across < 0.35)
    alike, usual = (np.log(reaching(scene, KEY, around)) for around in (ALIKE, USUAL))
    assert alike[sides].mean() < alike[middle].mean()
    assert usual[sides].mean() > usual[middle].mean() + 0.1


def test_patches_are_even_and_surroundings_drawn_as_photographs_have_them():
    directions = np.array([patch.direction for patch in patches()])
    assert directions[:, :2].mean(0) == pytest.approx(0, abs=0.05)
    assert directions[:, 2].mean() == pytest.approx((1 + BEHIND) / 2, abs=0.02)
    rng = np.random.default_rng(0)
    drawn = np.array([draw_surroundings(rng).towards for _ in range(800)])
    assert drawn.mean(0) == pytest.approx(TOWARDS, abs=0.1)
    assert drawn.std(0) == pytest.approx(APART, rel=0.1)


def test_a_full_shadow_is_left_with_what_the_sky_gives():
    """J = I A E where nothing of the key arrives, E = 1 on the whole of a picture for others."""
    rng, colour = np.random.default_rng(0), np.array([0.1, 0.2, 0.3], np.float32)
    sky = np.linspace(0.5, 2, 64, dtype=np.float32).reshape(8, 8)
    base = rng.uniform(0.1, 0.9, (8, 8, 3)).astype(np.float32)
    ambient = photometry.ambient_field(rng, colour, (8, 8), 0.0, sky)
    dark = photometry.composite(base, ambient, np.zeros((8, 8, 3), np.float32))
    assert dark == pytest.approx(base * colour * sky[..., None], rel=1e-5)


def test_only_recipes_with_a_sky_draw_one(face):
    stage = render.Stage(surface(face.points * 0.5, (256, 256)), face, KEY)
    rng = np.random.default_rng(0)
    assert render._draw_sky(rng, stage, RECIPES["faceshadow"]) == 1.0
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state
    drawn = [render._draw_sky(rng, stage, RECIPES["sunlit"]) for _ in range(6)]
    spreads = [float(np.log(one)[stage.scene.face].std()) for one in drawn]
    assert 0.04 < min(spreads) < max(spreads) / 2  # by another power each time
