"""Is a portrait a clean target? Skin brightness that its own shape does not explain is a shadow.

Order-2 spherical harmonics on the mesh normals explain the shading of a convex matte object under
any distant light to within a few per cent (Ramamoorthi and Hanrahan 2001). What remains clearly
darker, in one piece, is a cast shadow, a beard or dirt.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dataset_tools.geometry import Surface
from learnir.images import luminance

DARK_RESIDUAL = -0.35  # log units below what the shape explains
FLOOR = 0.03  # linear; keeps highlights and noise on dark skin from looking like shadows
ROUNDS = 6  # of the robust fit
LEAST_SKIN = 100  # pixels of a 128-pixel face
EDGE_STEP = 0.25  # log units across three pixels of a 128-pixel face


@dataclass(frozen=True)
class CleanTarget:
    """How likely a portrait is shadowed already.

    Attributes:
        dark_share: the largest connected region that is darker than the shape explains, as a share
            of the skin.
        edge_share: pixels on edges of brightness without colour, as a share of the skin.
        asymmetry: |mean log light of the left half of the face - that of the right half|.
    """

    dark_share: float
    edge_share: float
    asymmetry: float

    @property
    def score(self) -> float:
        """The weights rank synthetic shadows over portraits best; edges did not add to it."""
        return self.dark_share + 0.15 * self.asymmetry


def spherical_harmonics(normals: np.ndarray) -> np.ndarray:
    """The nine real harmonics to order 2, unnormalised, of unit normals (N, 3) -> (N, 9)."""
    x, y, z = normals.T
    return np.stack(
        [np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1], 1
    )


def fitted_shading(log_light: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Log brightness (N,) as the shape explains it, from that seen and the normals (N, 3); (N,)."""
    return spherical_harmonics(normals) @ fit_shading(log_light, normals)


def fit_shading(log_light: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Nine coefficients of the light, a robust fit to log brightness (N,) at normals (N, 3).

    Reweighted least squares that trusts the brighter side: shadows must not pull the fit down.
    """
    basis = spherical_harmonics(normals)
    weight = np.ones(len(log_light))
    coefficients = np.zeros(9)
    for _ in range(ROUNDS):
        gram = basis.T @ (basis * weight[:, None]) + 0.01 * len(basis) * np.eye(9)
        coefficients = np.linalg.solve(gram, basis.T @ (weight * log_light))
        residual: np.ndarray = log_light - basis @ coefficients
        weight = np.where(
            residual > 0, 1 / (1 + (residual / 0.3) ** 2), 1 / (1 + (residual / 0.12) ** 2)
        )
    return coefficients


def own_light(linear: np.ndarray, scene: Surface) -> np.ndarray:
    """The light that a linear picture (H, W, 3) shows, as far as the shape explains it.

    Relative to the best-lit skin, float32 (H, W) in [0, 1]; ones where too little skin is seen.
    """
    small, skin, normals = _small(linear, scene)
    if skin.sum() < LEAST_SKIN:
        return np.ones(scene.depth.shape, np.float32)
    fit = fit_shading(_log_light(small)[skin], normals[skin])
    best = np.percentile(spherical_harmonics(normals[skin]) @ fit, 95)
    everywhere = spherical_harmonics(scene.normals.reshape(-1, 3)) @ fit
    over: np.ndarray = np.exp(np.minimum(everywhere - best, 0)).reshape(scene.depth.shape)
    return over.astype(np.float32)


def _log_light(linear: np.ndarray) -> np.ndarray:
    return np.log(cv2.GaussianBlur(luminance(linear), (0, 0), 1) + FLOOR)


def examine(linear: np.ndarray, scene: Surface) -> CleanTarget:
    """Measure a linear picture (H, W, 3) whose surface is ``scene``."""
    linear, skin, normals = _small(linear, scene)
    light = _log_light(linear)
    if skin.sum() < LEAST_SKIN:
        return CleanTarget(0.0, 0.0, 0.0)
    residual: np.ndarray = np.zeros(light.shape)
    residual[skin] = light[skin] - fitted_shading(light[skin], normals[skin])
    return CleanTarget(
        dark_share=_largest(skin & (residual < DARK_RESIDUAL)) / float(skin.sum()),
        edge_share=_neutral_edges(linear, skin),
        asymmetry=_asymmetry(light, skin, normals),
    )


def _small(linear: np.ndarray, scene: Surface) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The face, cropped, its longer side 128 pixels: linear light, skin (bool), normals."""
    rows, columns = np.nonzero(scene.face)
    if not len(rows):
        return linear[:1, :1], np.zeros((1, 1), bool), scene.normals[:1, :1]
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = 128 / max(scene.face[box].shape)
    parts = [
        cv2.resize(
            np.ascontiguousarray(a[box]), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
        )
        for a in (linear, scene.skin, scene.normals)
    ]
    return parts[0], cv2.erode(parts[1], np.ones((3, 3))) > 0.9, parts[2]


def _largest(mask: np.ndarray) -> float:
    """Pixels of the largest connected piece after thin ones are opened away."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(opened)
    return float(stats[1:, cv2.CC_STAT_AREA].max()) if count > 1 else 0.0


def _neutral_edges(linear: np.ndarray, skin: np.ndarray) -> float:
    """Share of skin pixels where brightness steps but colour hardly does."""
    log = np.log(np.maximum(cv2.GaussianBlur(linear, (0, 0), 1), 2e-3))
    step = [
        np.hypot(cv2.Sobel(c, -1, 1, 0), cv2.Sobel(c, -1, 0, 1)) / 8 * 3 for c in cv2.split(log)
    ]
    mean = sum(step) / 3
    spread = np.max(step, axis=0) - np.min(step, axis=0)
    edge = skin & (mean > EDGE_STEP) & (spread < 0.45 * mean)
    return _largest(cv2.dilate(edge.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) / float(
        skin.sum()
    )


def _asymmetry(light: np.ndarray, skin: np.ndarray, normals: np.ndarray) -> float:
    left, right = skin & (normals[..., 0] < -0.15), skin & (normals[..., 0] > 0.15)
    if left.sum() < 20 or right.sum() < 20:
        return 0.0
    return float(abs(light[left].mean() - light[right].mean()))
