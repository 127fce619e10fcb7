"""The light that stays in a shadow, with ambient occlusion: how much reaches each point of a face.

Sockets of eyes, the sides of a nose and what lies under lips and chin see less of the sky than a
forehead does, the cheeks see another part of it, and what casts the shadow hides a part. Direct
light knows nothing of that, so the shadow of a face is not the sunlit face made darker.
"""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Surroundings:
    """The ambient light around a face.

    Attributes:
        towards: (3,), where the surroundings are brightest; their radiance in direction l is
            exp(towards.l), so that 0 is uniform light.
        hidden: how much of the patches around the key light the occluder hides, 0 to 1.
    """

    towards: np.ndarray
    hidden: float


def draw_surroundings(rng: np.random.Generator) -> Surroundings:
    """Brighter beside and behind a person than where the camera stands, and mostly above.

    As fitted to the shadows of 32 photographs, one by one (docs/experiments.md, section 40).
    """
    towards = rng.normal(TOWARDS, APART).astype(np.float32)
    return Surroundings(towards, hidden=float(rng.uniform(0, 1)))


def patches() -> list[Light]:
    """Lights spread evenly over the sphere before ``BEHIND`` (a Fibonacci lattice)."""
    z = BEHIND + (1 - BEHIND) * (np.arange(PATCHES) + 0.5) / PATCHES
    turn = 180 * (3 - 5**0.5) * np.arange(PATCHES)
    elevation = np.degrees(np.arcsin(z))
    return [Light(float(a), float(e), RADIUS) for a, e in zip(turn, elevation, strict=True)]


def reaching(scene: Surface, key: Light, around: Surroundings) -> np.ndarray:
    """The ambient light that reaches each point, over its mean on the face; float32 (H, W).

    E = sum_k w_k max(n.l_k, 0) V_k over the patches of the surroundings, V the horizon of
    ``self_shadow`` (ambient occlusion), w the patch's radiance exp(towards.l_k), less what the
    occluder hides near the key light.
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
    total = extrapolated(cv2.resize(total, scene.depth.shape[::-1]), scene)
    mean = float(total[scene.face].mean()) if scene.face.any() else float(total.mean())
    return np.clip(total / max(mean, 1e-6), SPARED, MOST).astype(np.float32)
