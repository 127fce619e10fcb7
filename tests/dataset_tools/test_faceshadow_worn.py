"""What faces wear: in input and target alike, never light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dataset_tools.geometry import surface
from dataset_tools.recipe import RECIPES
from dataset_tools.render import render
from dataset_tools.worn import EYES, THINGS, Canvas, _lens_outline, draw_colour, put_on
from learnir.images import decode_linear, luminance

SEEDS = range(12)
OPAQUE = ("glasses", "mask", "band", "patch")


@pytest.fixture(scope="module")
def astronauts_face(astronaut, face):
    """The astronaut in linear light, her points and her surface."""
    return decode_linear(astronaut), face.points, surface(face.points, astronaut.shape[:2])


def draw(name, portrait, seed):
    return THINGS[name][0](np.random.default_rng(seed), Canvas.of(*portrait))


@pytest.mark.parametrize("name", THINGS)
def test_things_are_on_the_head_and_are_seen(name, astronauts_face):
    linear, points, scene = astronauts_face
    x, y = points[:, 0], points[:, 1]
    margin = 0.6 * (y.max() - y.min())
    for seed in SEEDS:
        put = draw(name, astronauts_face, seed).linear
        assert put.dtype == np.float32
        assert np.isfinite(put).all()
        rows, columns = np.nonzero(np.abs(put - linear).max(-1) > 0.01)
        assert len(rows) > 20
        assert rows.min() > y.min() - margin
        assert rows.max() < y.max() + margin
        assert columns.min() > x.min() - margin
        assert columns.max() < x.max() + margin
        assert scene.face[rows, columns].mean() > 0.25  # a band goes on over the hair


@pytest.mark.parametrize("name", OPAQUE)
def test_covered_skin_is_not_skin(name, astronauts_face):
    linear, _, scene = astronauts_face
    for seed in SEEDS:
        put = draw(name, astronauts_face, seed)
        hidden = put.covered > 0.95
        assert (hidden & (scene.skin > 0.5)).sum() > 50
        assert np.array_equal(put.linear[put.covered == 0], linear[put.covered == 0])


def test_every_thing_is_put_on_and_all_but_marks_take_skin_away(astronauts_face):
    linear, points, scene = astronauts_face
    rng = np.random.default_rng(0)
    names = set()
    for _ in range(200):
        _, left, worn = put_on(rng, linear, points, scene)
        names.add(worn)
        assert (left.skin <= scene.skin).all()
        assert (left.skin < scene.skin).any() == (worn != "pigment")
    assert names == set(THINGS)


def test_sunglasses_hide_both_eyes_alike(astronauts_face):
    _, points, _ = astronauts_face
    x, y = np.round([points[list(eye), :2].mean(0) for eye in EYES]).astype(int).T
    for seed in SEEDS:
        covered = draw("glasses", astronauts_face, seed).covered
        assert (covered[y, x] > 0.9).all()
        middle = int(x.mean())
        halves = covered[:, :middle].sum(), covered[:, middle:].sum()
        assert max(halves) < 1.5 * min(halves)


def test_a_birthmark_keeps_less_of_blue_than_of_red(astronauts_face):
    linear, _, scene = astronauts_face
    for seed in SEEDS:
        put = draw("pigment", astronauts_face, seed)
        marked = np.abs(put.linear - linear).max(-1) > 0.02
        assert scene.skin[marked].min() > 0
        kept = np.log((put.linear[marked] + 1e-6) / (linear[marked] + 1e-6)).mean(0)
        assert kept[0] > kept[1] > kept[2]
        assert kept[0] < 0


def test_half_of_the_things_are_nearly_black_and_some_are_white():
    rng = np.random.default_rng(0)
    levels = np.array([luminance(draw_colour(rng, 0.5)) for _ in range(400)])
    assert 0.4 < (levels < 0.06).mean() < 0.8
    assert (levels > 0.3).any()
    assert levels.max() <= 0.9


def test_what_is_worn_is_in_input_and_target_alike(astronaut, face):
    plain = replace(RECIPES["sunlit"], mix={"none": 1.0}, noisy=0.0, dyed=0.0, relit=0.0, worn=1.0)
    bare = replace(plain, worn=0.0)
    for seed in range(4):
        pair = render(astronaut, face, seed, plain, 256)
        assert pair.meta["worn"] in THINGS
        assert np.array_equal(pair.shadow, pair.clean)
        assert "worn" not in render(astronaut, face, seed, bare, 256).meta
        again = render(astronaut, face, seed, plain, 256)
        assert np.array_equal(pair.shadow, again.shadow)


def test_a_shadow_falls_on_what_is_worn_as_well(astronaut, face):
    """Black glass stays black in the target; a shadow is cast over it, not instead of it."""
    recipe = replace(RECIPES["sunlit"], mix={"occluder": 1.0}, noisy=0.0, dyed=0.0, worn=1.0)
    darker = 0
    for seed in range(6):
        pair = render(astronaut, face, seed, recipe, 256)
        shadow, clean = (luminance(decode_linear(p)) for p in (pair.shadow, pair.clean))
        darker += bool((shadow < 0.8 * clean).mean() > 0.01)
        assert (shadow <= clean + 0.02).all()
    assert darker >= 4


@pytest.mark.parametrize("eye", [0, 1])
@pytest.mark.parametrize(("yaw", "pitch"), [(20, -15), (-25, 10)])
def test_a_mirrored_face_wears_its_glasses_as_a_mirror_shows_them(
    astronaut, face, turned, eye, yaw, pitch
):
    """In front of the eyes, not in the head."""
    width = astronaut.shape[1]
    points = turned(face, yaw, pitch).points
    mirrored = points * np.float32([-1, 1, 1]) + np.float32([width - 1, 0, 0])
    centres = []
    for p in (points, mirrored):
        canvas = Canvas.of(decode_linear(astronaut), p, surface(p, astronaut.shape[:2]))
        assert canvas.z[2] > 0.5
        outline = _lens_outline(canvas, eye, np.array([26.0, 20.0]), 2.5, 0.1, 16.0)
        centres.append(outline.mean(0))
    (x, y), (other_x, other_y) = centres
    assert other_x == pytest.approx(width - 1 - x, abs=0.5)
    assert other_y == pytest.approx(y, abs=0.5)
