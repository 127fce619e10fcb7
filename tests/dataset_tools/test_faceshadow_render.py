"""Property tests: what holds for every pair, whatever the photo, pose and seed."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataset_tools import photometry, pose, visibility
from dataset_tools import render as rendering
from dataset_tools.frame import sharpen
from dataset_tools.noise import fractal
from dataset_tools.recipe import RECIPES, Recipe, RecipeError, recipe_named
from dataset_tools.render import pair_seed, render
from learnir.images import decode_linear, encode_linear, luminance

SIZE = 96
quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
seeds = st.integers(0, 2**32 - 1)
angles = st.tuples(st.floats(-45, 45), st.floats(-25, 25))
recipes = st.sampled_from(sorted(RECIPES))


def picture_of(astronaut: np.ndarray, seed: int) -> np.ndarray:
    """The portrait itself, or a picture of noise in its place."""
    if seed % 3:
        return astronaut
    rng = np.random.default_rng(seed)
    fields = [fractal(rng, (512, 512), 6, 4) for _ in range(3)]
    return np.clip(128 + 60 * np.stack(fields, -1), 0, 255).astype(np.uint8)


def far_from_shadow(pair) -> np.ndarray:
    """Pixels whose V is 1 as far as light travels in skin."""
    widest = 2.722 * pair.meta["scattering"]
    reach = 2 * int(np.ceil(3 * widest / pair.meta["mm_per_pixel"])) + 3
    return cv2.dilate(pair.mask, np.ones((reach, reach), np.uint8)) == 0


@quick
@given(seed=seeds, angle=angles, recipe=recipes)
def test_lit_points_stay_and_shadow_never_brightens(
    turned, astronaut, face, *, seed, angle, recipe
):
    noiseless = replace(RECIPES[recipe], noisy=0.0)
    pair = render(picture_of(astronaut, seed), turned(face, *angle), seed, noiseless, SIZE)
    change = pair.shadow.astype(int) - pair.clean.astype(int)
    assert change.max() <= 0
    lit = far_from_shadow(pair)
    assert np.abs(change[lit]).max(initial=0) <= 1


@pytest.mark.parametrize("seed", [1, 3, 5])
@pytest.mark.parametrize("recipe", RECIPES)
def test_deep_shadow_is_dark_and_coverage_is_its_share_of_the_skin(
    astronaut, face, monkeypatch, recipe, seed
):
    scenes, covered = [], visibility.coverage
    monkeypatch.setattr(
        visibility, "coverage", lambda *seen: scenes.append(seen[1]) or covered(*seen)
    )
    pair = render(astronaut, face, seed, replace(RECIPES[recipe], noisy=0.0), SIZE)
    skin, deep = scenes[-1].skin > 0.5, pair.mask > 200
    assert deep.sum() > 100
    stays = decode_linear(pair.shadow)[deep].sum() / decode_linear(pair.clean)[deep].sum()
    assert 0.5 * pair.meta["ambient"] < stays < pair.meta["ambient"] + 0.3
    assert pair.meta["coverage"] == pytest.approx((pair.mask[skin] > 127.5).mean(), abs=0.01)
    assert pair.meta["coverage"] > 0.05


@quick
@given(seed=seeds, angle=angles)
def test_pictures_have_the_promised_shape_and_metadata_is_json(
    turned, astronaut, face, seed, angle
):
    pair = render(astronaut, turned(face, *angle), seed, Recipe(), SIZE)
    for picture in (pair.shadow, pair.clean):
        assert picture.shape == (SIZE, SIZE, 3)
        assert picture.dtype == np.uint8
    assert pair.mask.shape == (SIZE, SIZE)
    assert pair.mask.dtype == np.uint8
    assert np.isfinite(pair.depth).all()
    assert 0 <= pair.meta["coverage"] <= 1
    json.dumps(pair.meta, allow_nan=False)


@settings(quick, max_examples=8)
@given(seed=seeds, recipe=recipes)
def test_same_seed_same_bytes(astronaut, face, seed, recipe):
    first, second = (render(astronaut, face, seed, RECIPES[recipe], SIZE) for _ in range(2))
    assert first.shadow.tobytes() == second.shadow.tobytes()
    assert first.clean.tobytes() == second.clean.tobytes()
    assert first.mask.tobytes() == second.mask.tobytes()
    assert first.meta == second.meta


@settings(quick, max_examples=8)
@given(seed=seeds)
def test_without_shadow_input_is_target(astronaut, face, seed):
    pair = render(astronaut, face, seed, Recipe(mix={"none": 1.0}, noisy=0.0), SIZE)
    assert pair.shadow.tobytes() == pair.clean.tobytes()
    assert pair.mask.max() == 0


def test_noise_is_in_the_input_only_and_only_in_shadow(astronaut, face):
    quiet, noisy = (
        render(astronaut, face, 11, Recipe(mix={"occluder": 1.0}, noisy=n), 256) for n in (0.0, 1.0)
    )
    assert quiet.clean.tobytes() == noisy.clean.tobytes()
    assert (quiet.shadow != noisy.shadow).any()
    lit = far_from_shadow(noisy)
    change = np.abs(quiet.shadow.astype(int) - noisy.shadow)
    assert change[lit].max() <= 1 < change.max()
    assert (change[lit] > 0).mean() < 0.01


def test_mix_and_coverage_follow_the_recipe(astronaut, face):
    pairs = [render(astronaut, face, pair_seed(0, "a", k), Recipe(), 64) for k in range(100)]
    kinds = [pair.meta["kind"] for pair in pairs]
    assert 0.03 < kinds.count("none") / 100 < 0.24
    assert 0.45 < sum(pair.meta["look"] is not None for pair in pairs) / 100 < 0.77
    covered = [p.meta["coverage"] for p in pairs if p.meta["kind"] not in ("none", "self")]
    assert np.mean([0.03 <= c <= 0.87 for c in covered]) > 0.95


def test_pairs_of_a_photo_do_not_depend_on_each_other():
    assert len({pair_seed(1, key, k) for key in ("a", "b") for k in range(5)}) == 10


@pytest.mark.parametrize("way", [-1, 1])
def test_steep_poses_fall_back_to_flat_masks(turned, astronaut, face, way):
    """Beyond 35 degrees of yaw and 25 of pitch."""
    recipe, straight = Recipe(mix={"occluder": 1.0}), face.points
    yaw, pitch = (pose_of(straight) for pose_of in (pose.yaw, pose.pitch))
    for beyond, laid in ((-3, "cast"), (3, "flat")):
        for angle in ((yaw - way * (35 + beyond), pitch), (yaw, pitch - way * (25 + beyond))):
            layers = render(astronaut, turned(face, *angle), 5, recipe, 64).meta["layers"]
            assert {layer["layer"] for layer in layers} == {laid}


def test_shadow_ends_at_the_person_or_crosses_what_is_behind(astronaut, face, monkeypatch):
    """By the recipe's share; it scatters as far as the drawn factor says."""
    behind, widths, scatter = [], [], photometry.scatter
    monkeypatch.setattr(
        photometry, "scatter", lambda v, skin, mm: widths.append(mm) or scatter(v, skin, mm)
    )
    for share in (0.0, 1.0):
        recipe = Recipe(person_only=share, mix={"occluder": 1.0}, scattering=(2.0, 2.5))
        pairs = [render(astronaut, face, seed, recipe, 64) for seed in range(4)]
        assert {pair.meta["person_only"] for pair in pairs} == {share == 1}
        for pair in pairs:
            move, (rows, columns) = np.array(pair.meta["frame"]), face.matte.shape
            move = move[:, :2] * [512 / columns, 512 / rows], move[:, 2:]
            shown = cv2.warpAffine(face.matte, np.hstack(move).astype(np.float32), (64, 64),
                                   borderMode=cv2.BORDER_REFLECT_101)  # fmt: skip
            wall = cv2.dilate(shown, np.ones((5, 5), np.uint8)) < 20
            behind.append(pair.mask[wall].max(initial=0))
            assert widths.pop(0) * pair.meta["scattering"] == pytest.approx(
                pair.meta["mm_per_pixel"], rel=1e-3
            )
            assert 2.0 <= pair.meta["scattering"] <= 2.5
    assert max(behind[:4]) == 255
    assert max(behind[4:]) == 0


def test_what_is_left_in_a_shadow_and_how_near_the_face_is_are_drawn_as_the_recipe_says(
    astronaut, face
):
    """Strong tints either way, light log-uniform in its range, faces tall or small."""
    rng, recipe = np.random.default_rng(0), Recipe(outdoor=1.0, ambient=(0.05, 0.4))
    tints, place = {}, []
    for kind in ("tint", "occluder"):
        drawn = [rendering._draw_ambient(rng, recipe, kind) for _ in range(200)]
        tints[kind] = np.array([meta["tint"] for _, meta in drawn])
        place += [np.log(meta["ambient"] / 0.05) / np.log(0.4 / 0.05) for _, meta in drawn]
        for colour, meta in drawn:
            assert luminance(colour) == pytest.approx(meta["ambient"], rel=1e-4)
    assert 0.15 <= np.abs(tints["tint"]).min() < 0.17
    assert 0.33 < np.abs(tints["tint"]).max() <= 0.35
    assert np.mean(tints["tint"] > 0) == pytest.approx(0.5, abs=0.12)
    assert np.mean(tints["occluder"]) == pytest.approx(0.2, abs=0.02)
    assert np.std(tints["occluder"]) == pytest.approx(0.07, abs=0.02)
    assert 0 <= min(place) < 0.02
    assert 0.98 < max(place) <= 1
    assert np.mean(place) == pytest.approx(0.5, abs=0.05)
    tall = np.hypot(*(face.points[10, :2] - face.points[152, :2])) / 256
    for share, low, high in ((1.0, 0.62, 0.78), (0.0, 0.28, 0.60)):
        frames = replace(recipe, close_up=share)
        for seed in range(5):
            args = np.random.default_rng(seed), astronaut, face, frames, 256
            scale = rendering.draw_stage(*args)[0].scale
            assert low <= scale * tall <= max(high, 1.2 * 256 / 512 * tall)


def test_unknown_recipe_names_its_neighbour():
    with pytest.raises(RecipeError, match="did you mean faceshadow"):
        recipe_named("face-shadow")


@pytest.mark.parametrize("seed", [3, 6, 8])
def test_a_pair_that_a_matrix_darkened_says_by_which(astronaut, face, seed):
    pair = render(astronaut, face, seed, RECIPES["zhang2020"], 160)
    meta = json.loads(json.dumps(pair.meta, allow_nan=False))
    matrix = np.array(meta["darkening"]["matrix"], np.float32)
    assert 0.9 <= matrix.sum() / 3 / meta["darkening"]["gain"] <= 1.1
    deep = cv2.erode(pair.mask, np.ones((9, 9))) == 255
    assert deep.sum() > 200
    darkened = encode_linear(np.minimum(decode_linear(pair.clean) @ matrix.T, 1))
    assert np.percentile(np.abs(darkened[deep].astype(int) - pair.shadow[deep]), 95) <= 2
    red, green, blue = matrix @ np.ones(3, np.float32)  # what stays of grey
    assert meta["ambient"] == pytest.approx(luminance(np.array([red, green, blue])), rel=1e-5)
    assert meta["tint"] == pytest.approx((blue - red) / (2 * green), abs=1e-5)


def test_how_much_the_base_was_sharpened_is_stored(astronaut, face, monkeypatch):
    seen = []
    monkeypatch.setattr(rendering, "sharpen", lambda *a: seen.append(a[1]) or sharpen(*a))
    for recipe in RECIPES.values():
        meta = render(astronaut, face, 3, recipe, 512).meta
        assert meta["crisp"] == seen[-1] > 0
        assert (meta["darkening"] is None) == (recipe.colour == "ambient")
