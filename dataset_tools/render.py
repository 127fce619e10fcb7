"""render(photo, landmarks, seed, recipe) -> Pair: the pure function everything else serves."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from dataset_tools import occluders, shadows
from dataset_tools.frame import draw_frame, sharpen, warp_landmarks, warp_picture
from dataset_tools.geometry import Surface, surface
from dataset_tools.landmarks import LEFT_CHEEK, RIGHT_CHEEK, Landmarks
from dataset_tools.light import Light, draw_light, self_shadow, smoothstep
from dataset_tools.photometry import (
    ambient_colour,
    ambient_field,
    composite,
    scatter,
    sensor_noise,
)
from dataset_tools.recipe import Recipe
from dataset_tools.relight import draw_look, relight, shoulder
from learnir.images import decode_linear, encode_linear

TEXELS = 512
ATTEMPTS = 8
NEAR = 0.12  # a coverage this close to the wanted one is taken at once
MAX_YAW = 35.0


@dataclass(frozen=True)
class Pair:
    """One training pair. shadow, clean: uint8 RGB (H, W, 3). mask: uint8 (H, W), 255 = in shadow.
    meta: every drawn parameter, JSON values only."""

    shadow: np.ndarray
    clean: np.ndarray
    mask: np.ndarray
    meta: dict[str, Any]


def generator(seed: int, key: str, index: int) -> np.random.Generator:
    """A stream of its own for pair ``index`` of photo ``key``: independent of build order."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, "little"), index])


def render(
    picture: np.ndarray, face: Landmarks, rng: np.random.Generator, recipe: Recipe, size: int
) -> Pair:
    """One pair from a uint8 RGB photo: same arguments and generator state, same bytes."""
    kind = str(rng.choice(list(recipe.mix), p=_shares(recipe)))
    close = recipe.face_height if rng.random() < recipe.close_up else recipe.wide_height
    frame = draw_frame(rng, face, size, close)
    face = warp_landmarks(face, frame, size)
    scene = surface(face.points, (size, size))
    person = smoothstep((face.matte.astype(np.float32) / 255 - 0.25) / 0.5)
    light = draw_light(rng)
    colour, meta = _draw_ambient(rng, recipe, kind)
    ambient = ambient_field(rng, colour, (size, size), recipe.ambient_spread)
    crisp = float(rng.uniform(0, 0.7)) if frame.scale > 1 else 0.0
    base = decode_linear(sharpen(warp_picture(picture, frame, size), crisp, frame.scale))
    look = draw_look(rng) if rng.random() < recipe.relit else None
    if look is None:
        stays = ambient
    else:
        base, stays = relight(base, scene, person=person, light=light, ambient=ambient, look=look)
    visible, layers = _draw_visibility(rng, scene, face, light, kind=kind, recipe=recipe)
    on_person = kind == "none" or bool(rng.random() < recipe.person_only)
    if on_person:
        visible = shadows.within(visible, person)
    darkened = composite(base, stays, scatter(visible, scene.skin, scene.mm))
    noise, noise_meta = _draw_noise(rng, recipe, base, darkened)
    finish = shoulder if look is not None else _identity
    meta |= {
        "kind": kind,
        "coverage": round(_coverage(visible, scene), 4),
        "person_only": on_person,
        "light": asdict(light),
        "layers": layers,
        "look": asdict(look) if look else None,
        "crisp": crisp,
        "frame": frame.move.round(4).tolist(),
        "mm_per_pixel": round(scene.mm, 4),
    }
    return Pair(
        shadow=encode_linear(finish(darkened) + noise),
        clean=encode_linear(finish(base)),
        mask=np.round(255 * (1 - visible)).astype(np.uint8),
        meta=meta | noise_meta,
    )


def _identity(linear: np.ndarray) -> np.ndarray:
    return linear


def _shares(recipe: Recipe) -> np.ndarray:
    shares = np.array(list(recipe.mix.values()), np.float64)
    return shares / shares.sum()


def _draw_ambient(
    rng: np.random.Generator, recipe: Recipe, kind: str
) -> tuple[np.ndarray, dict[str, Any]]:
    share = float(np.exp(rng.uniform(*np.log(recipe.ambient))))
    if kind == "tint":
        tint = float(rng.choice([-1, 1]) * rng.uniform(0.15, 0.35))
    elif rng.random() < recipe.outdoor:
        tint = float(np.clip(rng.normal(*recipe.tint_outdoor), -0.05, 0.35))
    else:
        tint = float(rng.normal(0, 0.03))
    return ambient_colour(share, tint), {"ambient": share, "tint": tint}


def _draw_visibility(
    rng, scene: Surface, face: Landmarks, light: Light, *, kind: str, recipe: Recipe
):
    """V of all layers and their parameters; retried until the covered share of skin is in range."""
    if kind == "none":
        return np.ones(scene.depth.shape, np.float32), []
    best: tuple[float, np.ndarray, list] | None = None
    wanted = float(rng.beta(*recipe.aim))
    for _ in range(ATTEMPTS):
        visible, layers = _one_visibility(rng, scene, face, light, kind=kind, recipe=recipe)
        covered = _coverage(visible, scene)
        low, high = recipe.coverage
        miss = abs(covered - wanted) + 10 * max(low - covered, covered - high, 0.0)
        if best is None or miss < best[0]:
            best = (miss, visible, layers)
        if miss < NEAR:
            break
    assert best is not None
    return best[1], best[2]


def _one_visibility(
    rng, scene: Surface, face: Landmarks, light: Light, *, kind: str, recipe: Recipe
):
    visible, layers = np.ones(scene.depth.shape, np.float32), []
    if kind in ("self", "occluder_self"):
        visible = visible * self_shadow(scene.depth, scene.mm, light)
        layers.append({"layer": "self"})
    if kind == "self":
        return visible, layers
    for _ in range(1 + int(rng.random() < recipe.second_occluder)):
        name = occluders.choose(rng)
        thing = occluders.OCCLUDERS[name]
        texture = thing.texture(rng, TEXELS)
        opacity = float(rng.uniform(*thing.opacity))
        if kind == "flat" or abs(yaw(face.points)) > MAX_YAW:
            layer = shadows.flat(texture, scene, rng, opacity)
            layers.append({"layer": "flat", "name": name, "opacity": opacity})
        else:
            distance = float(np.exp(rng.uniform(*np.log(thing.distance))))
            layer = shadows.cast(texture, scene, light, distance, opacity)
            layers.append({"layer": "cast", "name": name, "opacity": opacity, "distance": distance})
        visible = visible * layer
    return np.clip(visible, 0, 1), layers


def yaw(points: np.ndarray) -> float:
    """Degrees the head is turned about the vertical, from the line between the cheeks."""
    across = points[LEFT_CHEEK] - points[RIGHT_CHEEK]
    return float(np.degrees(np.arctan2(across[2], abs(across[0]))))


def _coverage(visible: np.ndarray, scene: Surface) -> float:
    """Share of the skin with less than half of its direct light."""
    skin = scene.skin > 0.5
    return float((visible[skin] < 0.5).mean()) if skin.any() else 0.0


def _draw_noise(rng, recipe: Recipe, base: np.ndarray, darkened: np.ndarray):
    if rng.random() >= recipe.noisy:
        return np.float32(0), {"noise_a": 0.0, "noise_b": 0.0}
    a = float(np.exp(rng.uniform(np.log(3e-5), np.log(5e-4))))
    b = float(np.exp(rng.uniform(np.log(1e-7), np.log(3e-6))))
    keep = np.clip(darkened / np.maximum(base, 1e-5), 0, 1)
    return sensor_noise(rng, darkened, keep, a, b), {"noise_a": a, "noise_b": b}


def encode_png(picture: np.ndarray) -> bytes:
    """Lossless PNG of a uint8 grey or RGB picture; one encoder for input, target and mask."""
    ordered = picture[..., ::-1] if picture.ndim == 3 else picture
    done, data = cv2.imencode(".png", ordered, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    assert done
    return data.tobytes()
