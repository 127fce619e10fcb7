"""CIE Lab differences: the field's "RMSE", a mean absolute difference, and the true RMSE."""

from __future__ import annotations

import numpy as np

from benchmarks.metrics import check_pair

# sRGB (IEC 61966-2-1) to XYZ, and the D65 white of the 2-degree observer
TO_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
# the white of ICC profiles, and Bradford's adaptation to it: what MATLAB's makecform makes of sRGB
WHITE_D50 = np.array([0.9642, 1.0, 0.8251])
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def lab(picture: np.ndarray) -> np.ndarray:
    """RGB (H, W, 3), uint8 or double, both 0..255 -> Lab float64 under D65, L in [0, 100]."""
    return _lab(_linear(picture) @ TO_XYZ.T / WHITE)


def lab_d50(picture: np.ndarray) -> np.ndarray:
    """``lab`` under D50: b of yellows and blues comes out larger."""
    cones = np.diag(BRADFORD @ WHITE_D50 / (BRADFORD @ WHITE))
    to_xyz = np.linalg.inv(BRADFORD) @ cones @ BRADFORD @ TO_XYZ
    return _lab(_linear(picture) @ to_xyz.T / WHITE_D50)


def lab_mae(a: np.ndarray, b: np.ndarray) -> float:
    """Mean over pixels of |dL| + |da| + |db|: what papers on shadow removal print as "RMSE"."""
    check_pair(a, b)
    return float(lab_distance(a, b)[0].mean())


def lab_rmse(a: np.ndarray, b: np.ndarray) -> float:
    """Root of the mean over pixels of dL^2 + da^2 + db^2."""
    check_pair(a, b)
    return float(np.sqrt(lab_distance(a, b)[1].mean()))


def lab_distance(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per pixel (H, W): the sum of absolute and of squared differences of L, a, b."""
    difference = lab(a) - lab(b)
    return np.abs(difference).sum(axis=-1), np.square(difference).sum(axis=-1)


def legacy_lab_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Per pixel (H, W): |dL| + |da| + |db| under D50, as the field's script has them."""
    return np.abs(lab_d50(a) - lab_d50(b)).sum(axis=-1)


def _lab(xyz: np.ndarray) -> np.ndarray:
    """XYZ in units of the white -> Lab (CIE 15:2004)."""
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), xyz * (841 / 108) + 4 / 29)
    out = np.empty_like(f)
    out[..., 0] = 116 * f[..., 1] - 16
    out[..., 1] = 500 * (f[..., 0] - f[..., 1])
    out[..., 2] = 200 * (f[..., 1] - f[..., 2])
    return out


def _linear(picture: np.ndarray) -> np.ndarray:
    if picture.dtype == np.uint8:
        return _decode(np.arange(256) / 255.0)[picture]
    return _decode(np.clip(picture / 255.0, 0, 1))


def _decode(unit: np.ndarray) -> np.ndarray:
    return np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
