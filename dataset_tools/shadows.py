"""Visibility maps: 1 = lit, 0 = the direct light is blocked; float32 (H, W)."""

from __future__ import annotations

import cv2
import numpy as np

from dataset_tools.gaussian import blur
from dataset_tools.geometry import Surface
from dataset_tools.light import Light
from dataset_tools.noise import smooth_field
from dataset_tools.occluders import EXTENT_MM

FOOTPRINT = 0.4  # deviation of what a pixel sees, in pixels: thin shadows must not be staircases


def cast(
    texture: np.ndarray, scene: Surface, light: Light, distance: float, opacity: float
) -> np.ndarray:
    """Shadow of a flat textured occluder across the light at ``distance`` mm from the face.

    For a surface point X and the face's centre C: texture coordinates ((X-C).r, (X-C).u), path to
    the occluder s = distance + max_face (X-C).L - (X-C).L, penumbra sigma = s tan(radius) / 2; the
    texture is looked up in copies blurred to that sigma and to the pixels' own. V = 1 - opacity
    T_sigma.
    """
    x, y, s = _light_coordinates(scene, light, distance)
    penumbra = np.clip(s, 2.0, None) * np.tan(np.radians(light.radius)) / 2
    sigma = np.hypot(penumbra, FOOTPRINT * scene.mm)
    n = len(texture)
    blocked = _lookup(texture, x / EXTENT_MM * n + n / 2, y / EXTENT_MM * n + n / 2, sigma)
    return (1 - opacity * blocked).astype(np.float32)


def _light_coordinates(scene: Surface, light: Light, distance: float):
    """Texture coordinates (mm) of every pixel and its distance to the occluder along the light.

    The point of the face that the light meets first is ``distance`` away: counted from the centre,
    which lies up to 90 mm deeper, the brim of a hat would cut through forehead and nose.
    """
    height, width = scene.depth.shape
    dx = (np.arange(width, dtype=np.float32) * scene.mm - scene.centre[0])[None, :]
    dy = (np.arange(height, dtype=np.float32) * scene.mm - scene.centre[1])[:, None]
    dz = scene.depth - scene.centre[2]
    r, u = light.basis
    along = light.direction
    x = dx * r[0] + dy * r[1] + dz * r[2]
    y = -(dx * u[0] + dy * u[1] + dz * u[2])
    towards = dx * along[0] + dy * along[1] + dz * along[2]
    first = towards.max(where=scene.face, initial=-np.inf) if scene.face.any() else np.float32(0)
    return x, y, distance + first - towards


def _lookup(texture: np.ndarray, x: np.ndarray, y: np.ndarray, sigma_mm: np.ndarray) -> np.ndarray:
    """Texture at (x, y) texels, blurred by sigma: linear between four levels of blur."""
    sigma = sigma_mm * (len(texture) / EXTENT_MM)
    low, high = float(sigma.min()), float(sigma.max())
    levels = np.linspace(low, high, 4) if high - low > 0.4 else np.array([low])
    looked = [
        cv2.remap(blur(texture, s), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for s in levels
    ]
    if len(levels) == 1:
        return looked[0]
    place = (sigma - low) / (levels[1] - levels[0])
    weights = [np.maximum(0, 1 - np.abs(place - k)) for k in range(len(levels))]
    return sum(w * m for w, m in zip(weights, looked, strict=True))


def flat(
    texture: np.ndarray, scene: Surface, rng: np.random.Generator, opacity: float
) -> np.ndarray:
    """The same texture laid flat on the picture with a spatially varying blur, as in Zhang 2020."""
    height, width = scene.depth.shape
    n = len(texture)
    scale = scene.mm * n / EXTENT_MM
    turn, centre = rng.uniform(0, 2 * np.pi), scene.centre[:2] / scene.mm
    c, s = np.cos(turn) * scale, np.sin(turn) * scale
    affine = np.array([[c, -s, 0], [s, c, 0]], np.float32)
    affine[:, 2] = n / 2 - affine[:, :2] @ centre
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = blur(texture, FOOTPRINT * scale)
    blocked = cv2.warpAffine(
        seen, affine, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    sharp, soft = np.exp(rng.uniform(np.log(0.4), np.log(12), 2)) / scene.mm
    share = np.clip(smooth_field(rng, (height, width), 3) + 0.5, 0, 1)
    blocked = blur(blocked, sharp) * (1 - share) + blur(blocked, soft) * share
    return (1 - opacity * blocked).astype(np.float32)


def within(visibility: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Shadow only where ``region`` (float [0, 1]) is: 1 - region (1 - V)."""
    return (1 - region * (1 - visibility)).astype(np.float32)
