"""The light that stays in a shadow, with ambient occlusion: how much reaches each point of a face.

Sockets of eyes, the sides of a nose and what lies under lips and chin see less of the sky than a
forehead does, the cheeks see another part of it, and what casts the shadow hides a part. Direct
light knows nothing of that, so the shadow of a face is not the sunlit face made darker. At times
a compact light from beside stays as well, a bright wall or a gap between trees, and a nose casts a
shadow of its own in the shade.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from dataset_tools.geometry import Surface
from dataset_tools.light import Light, lambert, self_shadow
from dataset_tools.relight import extrapolated

PATCHES = 24  # of the surroundings, as large as each other
BEHIND = -0.9  # z from which on they count: the side of a face sees what is behind it
RADIUS = 18.0  # degrees, of a patch
TOWARDS, APART = (0.0, -0.5, -1.4), (0.5, 0.5, 0.6)  # mean and deviation of ``towards``
COARSE = 2  # pixels between those it is summed at: it has no edges
SPARED = 0.25  # of the face's mean, the least that reaches a point
MOST = 2.0  # of the face's mean
SIDEWAYS = 35.0  # degrees, deviation of a light from beside from level in the picture
ABOVE = (-10.0, 45.0)  # degrees above the picture plane
WIDTH = (2.0, 12.0)  # degrees, angular radius; drawn log-uniformly
SHARE = (0.2, 0.75)  # of the ambient light
BRIGHTEST = 3.0  # of a light from beside over its mean on the face, where it grazes most of it


@dataclass(frozen=True)
class Surroundings:
    """The ambient light around a face.

    Attributes:
        towards: (3,), where the surroundings are brightest; their radiance in direction l is
            exp(towards.l), so that 0 is uniform light.
        hidden: how much of the patches around the key light the occluder hides, 0 to 1.
        beside: a compact light that stays in the shadow, None = none.
        share: what of the ambient light on the face is that light's, 0 to 1.
    """

    towards: np.ndarray
    hidden: float
    beside: Light | None = None
    share: float = 0.0


def draw_surroundings(rng: np.random.Generator, beside: float = 0.0) -> Surroundings:
    """Brighter beside and behind a person than where the camera stands, and mostly above.

    As fitted to the shadows of 32 photographs, one by one (docs/experiments.md, section 40). With
    probability ``beside`` a compact light stays too (section 42).
    """
    towards = rng.normal(TOWARDS, APART).astype(np.float32)
    around = Surroundings(towards, hidden=float(rng.uniform(0, 1)))
    if beside == 0 or rng.random() >= beside:
        return around
    return replace(around, beside=_light_beside(rng), share=float(rng.uniform(*SHARE)))


def _light_beside(rng: np.random.Generator) -> Light:
    """From the left or the right of the picture, seldom from behind the face."""
    azimuth = float(rng.choice([0.0, 180.0]) + rng.normal(0, SIDEWAYS))
    radius = float(np.exp(rng.uniform(*np.log(WIDTH))))
    return Light(azimuth, float(rng.uniform(*ABOVE)), radius)


def patches() -> list[Light]:
    """Lights spread evenly over the sphere before ``BEHIND`` (a Fibonacci lattice)."""
    z = BEHIND + (1 - BEHIND) * (np.arange(PATCHES) + 0.5) / PATCHES
    turn = 180 * (3 - 5**0.5) * np.arange(PATCHES)
    elevation = np.degrees(np.arcsin(z))
    return [Light(float(a), float(e), RADIUS) for a, e in zip(turn, elevation, strict=True)]


def reaching(scene: Surface, key: Light, around: Surroundings) -> np.ndarray:
    """The ambient light that reaches each point, over its mean on the face; float32 (H, W).

    (1 - s) E + s B with the ``share`` s: E of the surroundings, B of the light from beside.
    """
    total = _over_mean(_from_all_sides(scene, key, around), scene)
    if around.beside is not None:
        compact = lambert(scene.normals, around.beside)
        compact *= self_shadow(scene.depth, scene.mm, around.beside)
        compact = np.minimum(_over_mean(extrapolated(compact, scene), scene), BRIGHTEST)
        total = (1 - around.share) * total + around.share * compact
    return np.clip(total, SPARED, MOST).astype(np.float32)


def _from_all_sides(scene: Surface, key: Light, around: Surroundings) -> np.ndarray:
    """E = sum_k w_k max(n.l_k, 0) V_k over the patches of the surroundings, (H, W).

    V is the horizon of ``self_shadow`` (ambient occlusion), w the patch's radiance
    exp(towards.l_k), less what the occluder hides near the key light.
    """
    width, height = (max(side // COARSE, 1) for side in scene.depth.shape[::-1])
    depth, normals = (
        cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
        for part in (scene.depth, scene.normals)
    )
    total = np.zeros((height, width), np.float32)
    for patch in patches():
        radiance = np.exp(float(patch.direction @ around.towards))
        near = np.clip(2 * float(patch.direction @ key.direction) - 1, 0, 1)
        weight = np.float32(radiance * (1 - around.hidden * near))
        seen = self_shadow(depth, COARSE * scene.mm, patch)
        total += weight * lambert(normals, patch) * seen
    return extrapolated(cv2.resize(total, scene.depth.shape[::-1]), scene)


def _over_mean(light: np.ndarray, scene: Surface) -> np.ndarray:
    """The light over its mean on the face, or in all where no face is seen."""
    mean = float(light[scene.face].mean()) if scene.face.any() else float(light.mean())
    return light / max(mean, 1e-6)
