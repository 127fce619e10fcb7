"""One directional light: its direction, its shading and the shadow the face throws on itself."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

GRAZING = 0.25  # cosine to the surface under which light that only grazes it loses its strength
REACH = 120.0  # mm from a point, as far as the light is looked along for what hides it


@dataclass(frozen=True)
class Light:
    """A directional light.

    Attributes:
        azimuth: degrees in the picture plane; 0 = from the right, 90 = from below, -90 = from
            above.
        elevation: degrees above the picture plane; 90 = from the camera.
        radius: angular radius in degrees; 0.27 for the sun, 8 for a window.
    """

    azimuth: float
    elevation: float
    radius: float

    @property
    def direction(self) -> np.ndarray:
        """(3,) unit vector from the face to the light; x right, y down, z to the camera."""
        a, e = np.radians([self.azimuth, self.elevation])
        return np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], np.float32)

    @property
    def basis(self) -> tuple[np.ndarray, np.ndarray]:
        """Two unit vectors spanning the plane across the light: r level in the picture, u."""
        direction = self.direction
        r = np.cross(direction, np.array([0.0, -1.0, 0.0]))
        r = r / max(float(np.linalg.norm(r)), 1e-6)
        return r.astype(np.float32), np.cross(r, direction).astype(np.float32)


def draw_light(rng: np.random.Generator) -> Light:
    """Mostly from above, as the sun and ceiling lamps are; every azimuth occurs."""
    azimuth = rng.normal(-90, 50) if rng.random() < 0.8 else rng.uniform(0, 360)
    elevation = rng.uniform(18, 75)
    radius = np.exp(rng.uniform(np.log(0.27), np.log(8.0 if rng.random() < 0.4 else 1.5)))
    return Light(float(azimuth), float(elevation), float(radius))


def lambert(normals: np.ndarray, light: Light) -> np.ndarray:
    """max(n.l, 0) softened over the light's radius at the terminator; (H, W) in [0, 1]."""
    cosine = normals @ light.direction
    soft = np.sin(np.radians(max(light.radius, 2.0)))
    return np.where(cosine > soft, cosine, np.maximum(cosine + soft, 0) ** 2 / (4 * soft)).astype(
        np.float32
    )


def self_shadow(depth: np.ndarray, mm: float, light: Light) -> np.ndarray:
    """Share of the light each point sees past the rest of the surface; (H, W) in [0, 1].

    Horizon march along the light's picture direction d: h(p) = max_t (D(p + t d) - D(p)) / t,
    V = smoothstep((elevation + radius - atan h) / (2 radius)). depth in mm.
    """
    step = light.direction[:2] / max(float(np.hypot(*light.direction[:2])), 1e-6)
    horizon = np.full(depth.shape, -4.0, np.float32)
    height, width = depth.shape
    for t in np.geomspace(3.0, REACH, 20):
        affine = np.array([[1, 0, step[0] * t / mm], [0, 1, step[1] * t / mm]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        ahead = cv2.warpAffine(
            depth, affine, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        np.maximum(horizon, (ahead - depth - 0.5) / np.float32(t), out=horizon)
    radius = max(light.radius, 1.5)
    return smoothstep((light.elevation + radius - np.degrees(np.arctan(horizon))) / (2 * radius))


def attached_shadow(normals: np.ndarray, light: Light) -> np.ndarray:
    """min(1, n.l / GRAZING): the attached shadow, where light only grazes; (H, W) in [0, 1].

    ``self_shadow`` says which points see the light; alone it ends a side-lit forehead at a hard
    line, where on a real one the light has faded before.
    """
    return np.minimum(lambert(normals, light) / np.float32(GRAZING), 1)


def smoothstep(x: np.ndarray) -> np.ndarray:
    """3x^2 - 2x^3 on x clipped to [0, 1]; float32."""
    x = np.clip(x, 0, 1).astype(np.float32)
    return x * x * (3 - 2 * x)
