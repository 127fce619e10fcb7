"""Light, cast shadows and self-shadow against brute force."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from dataset_tools import shadows, visibility
from dataset_tools.geometry import Surface, surface
from dataset_tools.landmarks import Landmarks
from dataset_tools.light import Light, attached_shadow, draw_light, lambert, self_shadow
from dataset_tools.occluders import OCCLUDERS
from dataset_tools.recipe import RECIPES


def plane(size: int = 160, mm: float = 1.0) -> Surface:
    """A flat wall facing the camera."""
    normals = np.zeros((size, size, 3), np.float32)
    normals[..., 2] = 1
    ones = np.ones((size, size))
    centre = np.array([size / 2 * mm, size / 2 * mm, 0], np.float32)
    return Surface(np.zeros((size, size), np.float32), normals, ones > 0, ones, mm, centre)


def edge_texture(n: int = 1024) -> np.ndarray:
    texture = np.zeros((n, n), np.float32)
    texture[:, n // 2 :] = 1
    return texture


@pytest.mark.parametrize(("distance", "radius"), [(500.0, 2.0), (1000.0, 2.0), (1000.0, 0.5)])
def test_penumbra_widens_as_distance_times_tangent(distance, radius):
    light = Light(azimuth=-90, elevation=90, radius=radius)
    visible = shadows.cast(edge_texture(), plane(), light, distance, 1.0)
    slope = np.abs(np.diff(visible[80])).astype(np.float64)
    place = np.arange(len(slope))
    mean = (slope * place).sum() / slope.sum()
    sigma = np.sqrt((slope * (place - mean) ** 2).sum() / slope.sum())
    assert sigma == pytest.approx(distance * np.tan(np.radians(radius)) / 2, rel=0.12, abs=0.5)


@pytest.mark.parametrize("azimuth", [-135, -90, 0, 120])
@pytest.mark.parametrize("elevation", [30, 60])
@pytest.mark.parametrize("at", [(256, 256), (300, 216)])
def test_shadow_falls_away_from_the_light(azimuth, elevation, at):
    """A dot of an occluder that stands upright across the light, projected onto the wall."""
    texture = np.zeros((512, 512), np.float32)
    cv2.circle(texture, at, 12, 1.0, -1)
    light = Light(azimuth, elevation, 0.3)
    visible = shadows.cast(texture, plane(240), light, 300, 1.0)
    rows, columns = np.nonzero(visible < 0.5)
    towards = light.direction
    right = np.array([towards[2], 0, -towards[0]]) / np.hypot(towards[0], towards[2])
    down = np.cross(towards, right)
    across, along = (np.array(at) - 256) * 400 / 512
    dot = 300 * towards + across * right + along * down
    shadow = dot - dot[2] / towards[2] * towards
    assert (columns.mean() - 120, rows.mean() - 120) == pytest.approx(tuple(shadow[:2]), abs=2)


def test_nearer_points_are_shifted_against_the_light():
    """A bump 50 mm high under a light from the left is hit by the shadow of what stands right."""
    scene = plane()
    raised = Surface(scene.depth + 50, scene.normals, scene.face, scene.skin, 1.0, scene.centre)
    light = Light(azimuth=180, elevation=45, radius=0.3)
    flat = shadows.cast(edge_texture(), scene, light, 300, 1.0)
    high = shadows.cast(edge_texture(), raised, light, 300, 1.0)
    shift = np.argmax(np.abs(np.diff(high[80]))) - np.argmax(np.abs(np.diff(flat[80])))
    assert shift == pytest.approx(-50, abs=2)  # 50 mm up moves 50 / tan 45 towards the light


def test_a_texture_laid_flat_keeps_its_size_and_turns_about_the_face():
    """A dot 50 mm from the middle, 20 mm wide, shades as much, as far from the face's middle."""
    texture, at = np.zeros((512, 512), np.float32), []
    cv2.circle(texture, (256 + 64, 256), 13, 1.0, -1)
    for seed in range(8):
        blocked = 1 - shadows.flat(texture, plane(200), np.random.default_rng(seed), 1.0)
        assert blocked.sum() == pytest.approx(texture.sum() * (400 / 512) ** 2, rel=0.2)
        rows, columns = np.indices(blocked.shape) - 100
        x, y = ((blocked * place).sum() / blocked.sum() for place in (columns, rows))
        assert np.hypot(x, y) == pytest.approx(50, abs=3)
        at.append(np.degrees(np.arctan2(y, x)))
    assert np.ptp(at) > 120


@pytest.mark.parametrize("laid", ["cast", "flat"])
def test_a_thread_in_a_wide_frame_is_a_grey_line_and_no_staircase(laid):
    """1 mm wide where a pixel sees 4: wherever it lies, every row gets a quarter of its shadow."""
    texture = np.zeros((512, 512), np.float32)
    cv2.line(texture, (180, 0), (330, 511), 1.0, 1)
    wide = plane(64, mm=4.0)
    if laid == "cast":
        visible = shadows.cast(texture, wide, Light(-90, 90, 0.3), 10.0, 1.0)
        taken = (1 - visible).sum(axis=1)[4:-4]
        assert taken.std() < 0.1 * taken.mean()
        assert taken.mean() == pytest.approx((texture.sum(axis=1).mean()) * 400 / 512 / 4, rel=0.1)
        return
    for seed in range(6):
        visible = shadows.flat(texture, wide, np.random.default_rng(seed), 1.0)
        assert visible.min() > 0.5  # one point of each pixel would be black


@pytest.mark.parametrize("laid", ["cast", "flat"])
def test_a_layer_is_drawn_in_millimetres_and_lets_through_what_its_opacity_leaves(laid):
    """At twice the pixels it is the same picture, wherever it is blurred by how much."""
    texture = np.zeros((512, 512), np.float32)
    texture[128:384, 190:310] = 1
    for seed in range(6):
        layers = []
        for mm in (2.0, 1.0):
            scene, rng = plane(round(240 / mm), mm), np.random.default_rng(seed)
            if laid == "flat":
                layers.append(shadows.flat(texture, scene, rng, 0.6))
            else:
                layers.append(shadows.cast(texture, scene, Light(60 * seed, 50, 4), 300, 0.6))
        coarse, fine = layers
        assert np.abs(fine[::2, ::2] - coarse).mean() < 0.01
        assert fine.min() == pytest.approx(0.4, abs=0.02)
        assert fine.max() == pytest.approx(1, abs=1e-3)


def test_a_flat_layer_is_sharper_in_some_places_than_in_others():
    texture = np.tile(np.float32([0, 0, 0, 0, 1, 1, 1, 1]).repeat(2), (512, 32))
    uneven = 0
    for seed in range(8):
        layer = shadows.flat(texture, plane(192), np.random.default_rng(seed), 1.0)
        spread = [b.std() for rows in np.split(layer, 6) for b in np.split(rows, 6, axis=1)]
        uneven += max(spread) > 3 * min(spread)
    assert uneven >= 4


def test_one_or_two_things_stand_in_the_light_and_what_they_leave_multiplies(face, monkeypatch):
    """In the recipe's share of pairs, as far away and as dense as their kind is."""
    monkeypatch.setattr(shadows, "cast", lambda *_: np.full((8, 8), 0.5, np.float32))
    stage = visibility.Stage(plane(8), face, Light(-60, 45, 2.0))
    recipe = replace(RECIPES["faceshadow"], second_occluder=0.3)
    rng, own = np.random.default_rng(0), np.full((8, 8), 0.8, np.float32)
    drawn = [visibility._once(rng, stage, "occluder", recipe, own, ["own"]) for _ in range(200)]
    for visible, (first, *layers) in drawn:
        assert first == "own"
        assert visible == pytest.approx(0.8 * 0.5 ** len(layers))
    layers = [layer for _, found in drawn for layer in found[1:]]
    assert len(layers) / len(drawn) == pytest.approx(1.3, abs=0.1)
    places = []
    for layer in layers:
        thing = OCCLUDERS[layer["name"]]
        assert thing.opacity[0] <= layer["opacity"] <= thing.opacity[1]
        nearest, farthest = np.log(thing.distance)
        places.append((np.log(layer["distance"]) - nearest) / (farthest - nearest))
        width = 2 * layer["distance"] * np.tan(np.radians(2))  # of the light, seen from there
        assert layer["penumbra"] == pytest.approx(width / 4)
    assert 0 <= min(places) < 0.05
    assert 0.95 < max(places) <= 1
    assert np.mean(places) == pytest.approx(0.5, abs=0.08)  # as many in every octave


@pytest.mark.parametrize("kind", ["self", "occluder_self"])
def test_a_face_turned_beyond_its_mesh_throws_nothing_on_itself(face, kind):
    half = Landmarks(face.points * 0.5, face.matte, face.faces)
    c, s = np.cos(np.radians(50)), np.sin(np.radians(50))
    turned = half.points @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]], np.float32)
    turned[:, 0] += 128 - turned[:, 0].mean()
    turned = Landmarks(turned.astype(np.float32), face.matte, face.faces)
    stage = visibility.Stage(surface(turned.points, (256, 256)), turned, Light(-60, 45, 0.5))
    assert not stage.frontal
    for seed in range(4):
        visible, layers = visibility.draw(np.random.default_rng(seed), stage, kind, RECIPES["self"])
        assert layers
        assert {layer["layer"] for layer in layers} == {"flat"}
        assert visible.min() < 1


@pytest.mark.parametrize("azimuth", [-90, -150, 0, 100])
@pytest.mark.parametrize("elevation", [18, 45, 75])
def test_no_occluder_cuts_the_face(face, azimuth, elevation):
    """All of the face lies behind it along the light, the nearest point as far as was asked for."""
    scene = surface(face.points * 0.5, (256, 256))
    light = Light(azimuth, elevation, 1.0)
    path = shadows._light_coordinates(scene, light, 20.0)[2]
    rows, columns = np.nonzero(scene.face)
    points = np.stack([columns * scene.mm, rows * scene.mm, scene.depth[rows, columns]], 1)
    towards = points @ light.direction  # a plane across the light, 20 mm beyond the first point
    assert path[rows, columns] == pytest.approx(towards.max() + 20 - towards, abs=0.05)
    assert path[scene.face].min() == pytest.approx(20, abs=0.05)


@pytest.mark.parametrize("step", [0.0, 60.0])
def test_the_edge_on_a_step_towards_the_occluder_is_as_soft_as_its_distance_says(step):
    """On a step 60 mm high the penumbra is that of 30 mm, beside it that of 90."""
    scene = plane()
    scene.depth[:80] = step
    visible = shadows.cast(edge_texture(), scene, Light(-90, 90, 8.0), 30.0, 1.0)
    for row, distance in ((40, 30), (120, 30 + step)):
        slope = np.abs(np.diff(visible[row])).astype(np.float64)
        place = np.arange(len(slope)) - (slope * np.arange(len(slope))).sum() / slope.sum()
        sigma = np.sqrt((slope * place**2).sum() / slope.sum())
        assert sigma == pytest.approx(distance * np.tan(np.radians(8)) / 2, rel=0.12, abs=0.5)


def ray_cast(depth: np.ndarray, mm: float, light: Light) -> np.ndarray:
    """Lit or not, by stepping every pixel's ray in half-pixel steps until it leaves the surface."""
    height, width = depth.shape
    d = light.direction
    steps = np.arange(3.0, 150.0, 0.5 * mm)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    lit = np.ones(depth.shape, bool)
    flat = float(np.hypot(d[0], d[1]))
    for t in steps:
        x = columns + d[0] / flat * t / mm
        y = rows + d[1] / flat * t / mm
        ground = cv2.remap(depth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        lit &= ground <= depth + t * d[2] / flat + 0.5
    return lit


@pytest.mark.parametrize(
    ("azimuth", "elevation"), [(-90, 30), (-60, 45), (0, 25), (-140, 55), (180, 40)]
)
def test_horizon_march_agrees_with_ray_casting(face, azimuth, elevation):
    scene = surface(face.points * 0.5, (256, 256))
    light = Light(azimuth, elevation, 0.27)
    marched = self_shadow(scene.depth, scene.mm, light) > 0.5
    exact = ray_cast(scene.depth, scene.mm, light)
    assert (marched == exact)[scene.face].mean() >= 0.95


@pytest.mark.parametrize(("radius", "fades"), [(8.0, 8.0), (0.27, 1.5)])
@pytest.mark.parametrize("nearer", [-1.2, -0.5, 0.0, 0.5, 1.2])
def test_the_horizons_shadow_fades_over_the_lights_radius(radius, fades, nearer):
    """A hillside that rises towards the light by its elevation and some of its radius more."""
    hill = 45 + nearer * fades
    depth = np.tile(-4 * np.arange(160, dtype=np.float32) * np.tan(np.radians(hill)), (40, 1))
    lit = self_shadow(depth.astype(np.float32), 4.0, Light(180, 45, radius))[20, 80]
    x = np.clip((1 - nearer) / 2, 0, 1)
    assert lit == pytest.approx(3 * x**2 - 2 * x**3, abs=0.09 if radius < 1 else 0.02)


def test_self_shadow_of_a_flat_wall_is_none():
    assert self_shadow(plane().depth, 1.0, Light(-90, 20, 1.0)).min() > 0.99


def test_lambert_is_the_cosine_and_never_negative():
    normals = np.array([[0, 0, 1], [0, -1, 0], [0, 1, 0]], np.float32)
    shading = lambert(normals[None], Light(-90, 30, 0.27))[0]
    assert shading == pytest.approx([0.5, np.cos(np.radians(30)), 0.0], abs=1e-4)


@pytest.mark.parametrize("radius", [0.27, 5.0, 20.0])
def test_shading_fades_over_the_lights_radius(radius):
    """The mean of max(n.l + u, 0), |u| up to the sine of the radius or of 2 degrees."""
    soft = np.sin(np.radians(max(radius, 2.0)))
    angles = np.radians(np.linspace(40, 130, 91))  # of surfaces turned away from the light
    normals = np.stack([np.sin(angles), np.zeros(91), np.cos(angles)], -1).astype(np.float32)
    spread = np.linspace(-soft, soft, 20_001)[:, None]
    expected = np.maximum(np.cos(angles) + spread, 0).mean(0)
    assert lambert(normals[None], Light(0, 90, radius))[0] == pytest.approx(expected, abs=1e-4)


def test_drawn_lights_shine_from_before_the_face_and_mostly_from_above():
    rng = np.random.default_rng(0)
    lights = [draw_light(rng) for _ in range(400)]
    for light in lights:
        assert np.linalg.norm(light.direction) == pytest.approx(1, abs=1e-5)
        assert light.direction[2] > 0
        assert 0.26 < light.radius < 8.1
    heights, radii = zip(*((light.elevation, light.radius) for light in lights), strict=True)
    assert 18 <= min(heights) < 20
    assert 73 < max(heights) <= 75
    # two in five are log-uniform up to a window's 8 degrees, the others up to 1.5
    wide = 0.4 * np.log(8 / 1.5) / np.log(8 / 0.27)
    assert np.mean(np.array(radii) > 1.5) == pytest.approx(wide, abs=0.05)
    # four in five are drawn about the vertical, 92.8 % of which above, the others all around
    above = np.mean([light.direction[1] < 0 for light in lights])
    assert above == pytest.approx(0.8 * 0.928 + 0.2 * 0.5, abs=0.05)


@pytest.mark.parametrize("name", OCCLUDERS)
def test_every_occluder_is_an_opacity_that_covers_something(name):
    covered = []
    for seed in range(12):
        texture = OCCLUDERS[name].texture(np.random.default_rng(seed), 128)
        assert texture.shape == (128, 128)
        assert texture.dtype == np.float32
        assert texture.min() >= 0
        assert texture.max() <= 1
        covered.append(texture.mean())
    assert 0.005 < np.mean(covered) < 0.95
    assert np.ptp(covered) > 0


@pytest.mark.parametrize(
    ("covers", "taken", "drawn"),
    [
        ([0.9, 0.1, 0.65, 0.55, 0.7, 0.05, 0.8, 0.19], 0.55, 8),  # the nearest of all
        ([0.9, 0.45, 0.4], 0.45, 2),  # near enough, at once
        ([0.62, 0.2, 0.9, 0.8, 0.7, 0.1, 0.1, 0.1], 0.2, 8),  # 0.62 is beyond what is accepted
    ],
)
def test_what_covers_most_nearly_the_wanted_share_of_skin_is_taken(
    monkeypatch, covers, taken, drawn
):
    """About 0.4 of the skin is wanted, from 0.2 to 0.6 accepted."""
    tried = []

    def once(*_):
        tried.append(covers[len(tried)])
        visible = np.ones((100, 100), np.float32)
        visible[: round(100 * tried[-1])] = 0.4
        return visible, [{"covers": tried[-1]}]

    monkeypatch.setattr(visibility, "_once", once)
    recipe = replace(RECIPES["self"], aim=(40_000, 60_000), coverage=(0.2, 0.6))
    stage = visibility.Stage(plane(100), None, Light(-90, 45, 1.0))
    visible, layers = visibility.draw(np.random.default_rng(0), stage, "occluder", recipe)
    assert layers == [{"covers": taken}]
    assert visibility.coverage(visible, stage.scene) == pytest.approx(taken)
    assert len(tried) == drawn


@pytest.mark.parametrize("kind", ["self", "occluder_self"])
def test_what_the_face_throws_on_itself_is_computed_once(face, monkeypatch, kind):
    """However often occluders are drawn until they cover enough."""
    computed: list[object] = []
    monkeypatch.setattr(
        visibility, "self_shadow", lambda *words: computed.append(words) or self_shadow(*words)
    )
    half = Landmarks(face.points * 0.5, face.matte, face.faces)
    stage = visibility.Stage(surface(half.points, (256, 256)), half, Light(-60, 45, 0.5))
    recipe = replace(RECIPES["self"], coverage=(0.999, 1.0))
    rng, other = np.random.default_rng(3), np.random.default_rng(3)
    visible, layers = visibility.draw(rng, stage, kind, recipe)
    assert len(computed) == 1
    own = self_shadow(stage.scene.depth, stage.scene.mm, stage.light)
    own = own * attached_shadow(stage.scene.normals, stage.light)
    assert layers[0] == {"layer": "self"}
    if kind == "occluder_self":
        assert [layer["layer"] for layer in layers[1:]] in (["cast"], ["cast", "cast"])
        assert (visible <= own).all()
        return
    assert len(layers) == 1
    assert np.array_equal(visible, np.clip(own, 0, 1))
    other.beta(*recipe.aim)  # as before: pairs of a seed stay what they are
    assert rng.bit_generator.state == other.bit_generator.state
