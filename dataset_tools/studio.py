"""One portrait, one shadow, set by hand: what the app's shadow maker calls.

The same renderer as a build, without its random framing and relighting: the portrait stays as it
is and the light, the occluder and the colour are what the caller asks for.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import cv2
import numpy as np

from dataset_tools import occluders, photometry, shadows, visibility
from dataset_tools.geometry import Surface, surface
from dataset_tools.landmarks import Detector, Landmarks, open_detector
from dataset_tools.light import Light, attached_shadow, self_shadow
from learnir.images import decode_linear, encode_linear, shrunk

RANDOM, NONE = "random", "none"
LONGEST = 1024  # a larger portrait is reduced: a preview has to answer while a slider moves


class StudioError(ValueError):
    """A picture or setting that cannot be used; one line that names the remedy."""


@dataclass(frozen=True)
class ShadowSettings:
    """What stands in the light, and the light.

    Attributes:
        occluder: a name in OCCLUDERS, "random" or "none".
        azimuth: degrees; 0 = light from the right, -90 = from above.
        elevation: degrees above the picture plane; 90 = from the camera.
        softness: angular radius of the light in degrees (sun 0.27, window 8).
        distance: mm from the face to the occluder.
        ambient: linear luminance share of the light that stays in the shadow.
        tint: its blueness, -0.35 to 0.35.
        opacity: of the occluder.
        face_shadow: nose and brow cast shadows too.
        person_only: the shadow ends at the person.
    """

    occluder: str = RANDOM
    azimuth: float = -60.0
    elevation: float = 45.0
    softness: float = 1.0
    distance: float = 250.0
    ambient: float = 0.22
    tint: float = 0.12
    opacity: float = 1.0
    face_shadow: bool = False
    person_only: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Portrait:
    """A picture, uint8 RGB (H, W, 3), with what the renderer knows of it."""

    picture: np.ndarray
    face: Landmarks
    scene: Surface

    @property
    def person(self) -> np.ndarray:
        """Where the person is: float32 (H, W) in [0, 1]."""
        return self.face.person


@dataclass(frozen=True)
class StudioPair:
    """A portrait and its shadow.

    Attributes:
        shadow, clean: uint8 RGB (H, W, 3).
        mask: uint8 (H, W), 255 = in shadow.
        visibility: float32 (H, W), 1 = lit.
        depth: float32 (H, W), mm towards the camera.
        meta: what was drawn; JSON values.
    """

    shadow: np.ndarray
    clean: np.ndarray
    mask: np.ndarray
    visibility: np.ndarray
    depth: np.ndarray
    meta: dict[str, Any]


@cache
def _detector() -> Detector:
    return open_detector().__enter__()


_one_at_a_time = threading.Lock()  # MediaPipe graphs are not for several threads


def open_portrait(picture: np.ndarray) -> Portrait:
    """Landmarks, mattes and surface of the largest face; StudioError where there is none."""
    picture = _reduced(picture)
    with _one_at_a_time:
        face = _detector().detect(picture)
    if face is None:
        raise StudioError("no face found; take a portrait seen roughly from the front")
    H, W = picture.shape[:2]
    matte = cv2.resize(face.matte, (W, H), interpolation=cv2.INTER_LINEAR)
    face = replace(face, matte=matte)
    return Portrait(picture, face, surface(face.points, (H, W)))


def _reduced(picture: np.ndarray) -> np.ndarray:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise StudioError("the portrait has to be uint8 RGB (H, W, 3)")
    return np.ascontiguousarray(shrunk(picture, LONGEST))


def cast_shadow(portrait: Portrait, settings: ShadowSettings) -> StudioPair:
    """The portrait under the shadow that the settings describe; same settings, same bytes."""
    rng = np.random.default_rng([settings.seed, 77])
    light = Light(settings.azimuth, settings.elevation, max(settings.softness, 0.05))
    name = _occluder_name(rng, settings.occluder)
    visible = _visibility(rng, portrait, light, name, settings)
    colour = photometry.ambient_colour(settings.ambient, settings.tint)
    shape = (portrait.picture.shape[0], portrait.picture.shape[1])
    ambient = photometry.ambient_field(rng, colour, shape, 0.1)
    scene = portrait.scene
    seen = photometry.scatter(visible, scene.skin, scene.mm)
    dark = photometry.composite(decode_linear(portrait.picture), ambient, seen)
    meta = asdict(settings) | {
        "occluder": name,
        "coverage": round(visibility.coverage(visible, scene), 5),
        "mm_per_pixel": round(scene.mm, 5),
        "renderer": "faceshadow studio",
    }
    return StudioPair(
        shadow=encode_linear(dark),
        clean=portrait.picture,
        mask=np.round(255 * (1 - visible)).astype(np.uint8),
        visibility=visible,
        depth=scene.depth,
        meta=meta,
    )


def occluder_names() -> tuple[str, ...]:
    """What ``ShadowSettings.occluder`` may be."""
    return (RANDOM, NONE, *occluders.OCCLUDERS)


def _occluder_name(rng: np.random.Generator, name: str) -> str:
    if name not in occluder_names():
        raise StudioError(f"no occluder {name!r}; choose from {', '.join(occluder_names())}")
    return occluders.choose(rng) if name == RANDOM else name


def _visibility(
    rng: np.random.Generator, portrait: Portrait, light: Light, name: str, s: ShadowSettings
) -> np.ndarray:
    scene = portrait.scene
    visible = np.ones(scene.depth.shape, np.float32)
    if name != NONE:
        texture = occluders.OCCLUDERS[name].texture(rng, visibility.TEXELS)
        visible = shadows.cast(texture, scene, light, s.distance, s.opacity)
    if s.face_shadow:
        visible = visible * self_shadow(scene.depth, scene.mm, light)
        visible = visible * attached_shadow(scene.normals, light)
    if s.person_only:
        visible = shadows.within(visible, portrait.person)
    return np.clip(visible, 0, 1).astype(np.float32)


def draw_landmarks(portrait: Portrait) -> np.ndarray:
    """The portrait with its 478 landmarks; uint8 RGB."""
    drawn = portrait.picture.copy()
    radius = max(1, round(max(drawn.shape[:2]) / 500))
    for x, y in portrait.face.points[:, :2]:
        cv2.circle(
            drawn, (round(float(x)), round(float(y))), radius, (64, 224, 96), -1, cv2.LINE_AA
        )
    return drawn


def depth_picture(depth: np.ndarray) -> np.ndarray:
    """Depth in mm as a grey picture, near = white; uint8 RGB."""
    low, high = np.percentile(depth, [1, 99])
    grey = np.clip((depth - low) / max(float(high - low), 1e-3), 0, 1)
    return np.repeat(np.round(255 * grey).astype(np.uint8)[..., None], 3, axis=2)
