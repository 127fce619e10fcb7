"""Draws the layers that block the key light of a pair, until they shade the wanted skin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dataset_tools import occluders, pose, shadows
from dataset_tools.geometry import Surface
from dataset_tools.landmarks import Landmarks
from dataset_tools.light import Light, attached_shadow, self_shadow
from dataset_tools.recipe import Recipe

TEXELS = 512
ATTEMPTS = 8
NEAR = 0.12  # a coverage this close to the wanted one is taken at once
MAX_YAW, MAX_PITCH = 35.0, 25.0  # beyond this the mesh is not trusted: flat masks instead


@dataclass(frozen=True)
class Stage:
    """The scene a pair is rendered in: surface, face and key light, all in frame pixels."""

    scene: Surface
    face: Landmarks
    light: Light

    @property
    def frontal(self) -> bool:
        points = self.face.points
        return abs(pose.yaw(points)) <= MAX_YAW and abs(pose.pitch(points)) <= MAX_PITCH


def coverage(visible: np.ndarray, scene: Surface) -> float:
    """Share of the skin with less than half of its direct light."""
    skin = scene.skin > 0.5
    return float((visible[skin] < 0.5).mean()) if skin.any() else 0.0


def draw(
    rng: np.random.Generator, stage: Stage, kind: str, recipe: Recipe
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """V (H, W) of all layers together, and each layer's parameters.

    A face turned so far that its mesh is not trusted throws nothing on itself: flat masks instead.
    """
    if kind == "none":
        return np.ones(stage.scene.depth.shape, np.float32), []
    wanted = float(rng.beta(*recipe.aim))
    own, layers = _own(stage, kind)
    if kind == "self" and layers:  # nothing to draw anew; the number above was taken all the same
        return np.clip(own, 0, 1), layers
    best, best_miss = (own, layers), np.inf
    for _ in range(ATTEMPTS):
        tried = _once(rng, stage, kind, recipe, own, layers)
        miss = _miss(coverage(tried[0], stage.scene), wanted, recipe.coverage)
        if miss < best_miss:
            best, best_miss = tried, miss
        if miss < NEAR:
            break
    return best


def _miss(covered: float, wanted: float, limits: tuple[float, float]) -> float:
    """Distance from the wanted coverage; ten times as bad outside the accepted range."""
    return abs(covered - wanted) + 10 * max(limits[0] - covered, covered - limits[1], 0.0)


def _own(stage: Stage, kind: str) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """V (H, W) and layers of the shadow that the face casts on itself; all lit for other kinds."""
    if kind not in ("self", "occluder_self") or not stage.frontal:
        return np.ones(stage.scene.depth.shape, np.float32), []
    visible = self_shadow(stage.scene.depth, stage.scene.mm, stage.light)
    return visible * attached_shadow(stage.scene.normals, stage.light), [{"layer": "self"}]


def _once(
    rng: np.random.Generator,
    stage: Stage,
    kind: str,
    recipe: Recipe,
    visible: np.ndarray,
    layers: list[dict[str, Any]],
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """V (H, W) and layers with one or two more occluders."""
    for _ in range(1 + int(rng.random() < recipe.second_occluder)):
        layer, meta = _occluder(rng, stage, kind, recipe)
        visible, layers = visible * layer, [*layers, meta]
    return np.clip(visible, 0, 1), layers


def _occluder(rng: np.random.Generator, stage: Stage, kind: str, recipe: Recipe):
    """One occluder's V (H, W) and parameters: placed in 3D, or laid flat where asked or where the
    pose forbids the former.
    """
    name = occluders.choose(rng, recipe.occluders, recipe.shares)
    thing = occluders.OCCLUDERS[name]
    texture = thing.texture(rng, TEXELS)
    opacity = float(rng.uniform(*thing.opacity))
    if kind == "flat" or not stage.frontal:
        layer = shadows.flat(texture, stage.scene, rng, opacity)
        return layer, {"layer": "flat", "name": name, "opacity": opacity}
    distance = float(np.exp(rng.uniform(*np.log(thing.distance))))
    layer = shadows.cast(texture, stage.scene, stage.light, distance, opacity)
    penumbra = distance * float(np.tan(np.radians(stage.light.radius))) / 2
    meta = {"layer": "cast", "name": name, "opacity": opacity, "distance": distance}
    return layer, meta | {"penumbra": penumbra}
