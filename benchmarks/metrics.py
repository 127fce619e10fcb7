"""Full-reference metrics on pictures, and what each of them means.

Every function takes ``uint8`` RGB pictures (H, W, 3), the result first and the target second.
Formulae follow the references named in ``METRICS``; regions are in ``benchmarks.regions``, LPIPS in
``benchmarks.perceptual``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import cv2
import numpy as np

RADIUS, SIGMA = 5, 1.5  # Wang 2004: an 11 x 11 window, standard deviation 1.5
K1, K2, PEAK = 0.01, 0.03, 255.0


@dataclass(frozen=True)
class Metric:
    """What a number in a result means; part of the schema, so that columns explain themselves."""

    name: str
    direction: Literal["higher", "lower"]
    low: float
    high: float
    space: str  # the colour space and unit the difference is taken in
    version: str
    source: str

    def accepts(self, value: float) -> bool:
        """Whether a value can be this metric's (PSNR of identical pictures is infinite)."""
        return self.low <= value <= self.high


_INF = float("inf")
_PSNR = "PSNR in dB, float64, MSE over the three RGB channels of one picture, peak 255"
_SSIM = "Wang 2004, Gaussian 11x11 sigma 1.5, population covariance, mean of R, G, B, 5 px cropped"
_LAB = "CIE Lab (D65, 2 degrees) of sRGB, float64"
_VOLUME = (
    "MATLAB's ssim, which takes RGB for a volume: 11x11x11 window, edges repeated, not cropped"
)
_D50 = "|dL|+|da|+|db| under D50, to which MATLAB's makecform adapts sRGB"

METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        Metric("psnr", "higher", 0, _INF, "sRGB 0..255", "1", _PSNR),
        Metric("ssim", "higher", -1, 1, "sRGB 0..255", "1", _SSIM),
        Metric("lpips_alex", "lower", 0, 5, "sRGB -1..1", "lpips 0.1", "Zhang 2018, AlexNet"),
        Metric("lpips_vgg", "lower", 0, 5, "sRGB -1..1", "lpips 0.1", "Zhang 2018, VGG-16"),
        Metric("lab_mae", "lower", 0, 500, "Lab", "1", f"{_LAB}; |dL|+|da|+|db|, mean of pixels"),
        Metric("lab_rmse", "lower", 0, 300, "Lab", "1", f"{_LAB}; root of mean dL2+da2+db2"),
        Metric("psnr_shadow", "higher", 0, _INF, "sRGB 0..255", "1", f"{_PSNR}; mask > 0 only"),
        Metric("psnr_lit", "higher", 0, _INF, "sRGB 0..255", "1", f"{_PSNR}; mask = 0 only"),
        Metric(
            "psnr_shadow_legacy",
            "higher",
            0,
            _INF,
            "sRGB 0..255",
            "1",
            "pixels outside the region set to 0 in both pictures, MSE over the whole picture: "
            "10 log10(1/area) too high; printed by the field's script",
        ),
        Metric("psnr_lit_legacy", "higher", 0, _INF, "sRGB 0..255", "1", "as psnr_shadow_legacy"),
        Metric("ssim_shadow", "higher", -1, 1, "sRGB 0..255", "1", "SSIM map averaged where > 0"),
        Metric("ssim_lit", "higher", -1, 1, "sRGB 0..255", "1", "SSIM map averaged where mask = 0"),
        Metric("ssim_shadow_legacy", "higher", -1, 1, "sRGB 0..255", "2", f"{_VOLUME}; zeroed"),
        Metric("ssim_lit_legacy", "higher", -1, 1, "sRGB 0..255", "2", f"{_VOLUME}; zeroed"),
        Metric("ssim_legacy", "higher", -1, 1, "sRGB 0..255", "1", _VOLUME),
        Metric("lab_mae_legacy", "lower", 0, 500, "Lab", "1", f"{_D50}; printed as RMSE"),
        Metric("lab_mae_shadow_legacy", "lower", 0, 500, "Lab", "1", f"{_D50}; mask > 0"),
        Metric("lab_mae_lit_legacy", "lower", 0, 500, "Lab", "1", f"{_D50}; mask = 0"),
        Metric("lab_mae_shadow", "lower", 0, 500, "Lab", "1", "lab_mae over mask > 0"),
        Metric("lab_mae_lit", "lower", 0, 500, "Lab", "1", "lab_mae over mask = 0"),
        Metric("lab_rmse_shadow", "lower", 0, 300, "Lab", "1", "lab_rmse over mask > 0"),
        Metric("lab_rmse_lit", "lower", 0, 300, "Lab", "1", "lab_rmse over mask = 0"),
        Metric("psnr_face", "higher", 0, _INF, "sRGB 0..255", "1", f"{_PSNR}; in the face oval"),
        Metric("ssim_face", "higher", -1, 1, "sRGB 0..255", "1", "SSIM map in the face oval"),
        Metric("lab_mae_face", "lower", 0, 500, "Lab", "1", "lab_mae in the face oval"),
        Metric(
            "landmark_shift",
            "lower",
            0,
            _INF,
            "fraction of the inter-ocular distance",
            "1",
            "mean distance of the face-mesh landmarks of result and target: an identity proxy",
        ),
        Metric("seconds", "lower", 0, _INF, "seconds", "1", "wall time of the method, one picture"),
    )
}

REGIONS = ("shadow", "lit")
POOLED: dict[str, Metric] = {
    f"lab_mae_{region}_legacy_pooled": Metric(
        f"lab_mae_{region}_legacy_pooled",
        "lower",
        0,
        500,
        "Lab",
        "1",
        f"{_D50}; over the region's pixels of all pictures at once: the field's script prints it "
        f"beside lab_mae_{region}_legacy, the mean over pictures",
    )
    for region in REGIONS
}
"""Metrics of a whole run: no single picture has them."""


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """PSNR in dB of two pictures, MSE over all pixels and channels; inf when they are equal."""
    check_pair(a, b)
    return mean_squared_psnr(a, b)


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Mean SSIM of two pictures (Wang 2004), averaged over R, G, B; in [-1, 1].

    Equal to scikit-image's ``structural_similarity(..., gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, channel_axis=2, data_range=255)``.
    """
    check_pair(a, b)
    return mean_ssim(a, b)


def ssim_map(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """SSIM at every pixel whose window lies inside, mean of R, G, B: (H - 10, W - 10) float64."""
    check_window(a.shape)
    return _similarity(a, b).mean(axis=2)


def mean_squared_psnr(a: np.ndarray, b: np.ndarray) -> float:
    """PSNR of two equally large pictures, uint8 or double, both on the scale 0..255."""
    return psnr_of_mse(float(np.mean(squared_error(a, b))))


def mean_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM of two equally large pictures, uint8 or double, both on the scale 0..255."""
    check_window(a.shape)
    return float(_similarity(a, b).mean())


def mean_volume_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM of two equally large RGB pictures on the scale 0..255, taken for volumes (H, W, 3).

    MATLAB's ``ssim`` filters an array of three dimensions along all three; published SSIM of
    shadow removal is this one.
    """
    check_window(a.shape)
    return float(_ssim_of(_volume_mean, a.astype(np.float64), b.astype(np.float64)).mean())


def squared_error(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(a - b)^2, the shape of the pictures; exact integers for uint8."""
    return np.square(a.astype(np.int32) - b if a.dtype == np.uint8 else a - b)


def psnr_of_mse(mse: float) -> float:
    """10 log10(255^2 / MSE), inf at 0."""
    return _INF if mse == 0 else 10.0 * float(np.log10(PEAK**2 / mse))


def check_pair(a: np.ndarray, b: np.ndarray) -> None:
    """ValueError unless both are uint8 RGB pictures of one size; nothing is converted here."""
    for name, picture in (("result", a), ("target", b)):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(
                f"{name} is {picture.dtype} {picture.shape}; metrics take uint8 RGB (H, W, 3)"
            )
    if a.shape != b.shape:
        raise ValueError(f"result is {size_text(a)} and target {size_text(b)}: sizes must agree")


def check_window(shape: Iterable[int]) -> None:
    """ValueError for a picture smaller than the SSIM window."""
    height, width = tuple(shape)[:2]
    if min(height, width) < 2 * RADIUS + 1:
        raise ValueError(f"picture is {width}x{height}; SSIM needs at least 11x11 pixels")


def size_text(picture: np.ndarray) -> str:
    """Width x height, as people write it."""
    return f"{picture.shape[1]}x{picture.shape[0]}"


@cache
def gaussian_window() -> np.ndarray:
    """The 11 weights of the separable Gaussian window, float64, sum 1."""
    x = np.arange(-RADIUS, RADIUS + 1, dtype=np.float64)
    weights = np.exp(-0.5 * (x / SIGMA) ** 2)
    return weights / weights.sum()


def _similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """SSIM per channel, where the window fits: (H - 10, W - 10, 3)."""
    return _ssim_of(_mean, a.astype(np.float64), b.astype(np.float64))


def _ssim_of(mean: Callable[[np.ndarray], np.ndarray], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """SSIM at every place (Wang 2004, Eq. 13), ``mean`` being that over a window."""
    mx, my, mxy = mean(x), mean(y), mean(x * y)
    squares = mx * mx + my * my
    cov, variances = mxy - mx * my, mean(x * x + y * y) - squares
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    return (2 * mx * my + c1) * (2 * cov + c2) / ((squares + c1) * (variances + c2))


def _mean(picture: np.ndarray) -> np.ndarray:
    window = gaussian_window()
    filtered = cv2.sepFilter2D(picture, cv2.CV_64F, window, window, borderType=cv2.BORDER_REFLECT)
    return filtered[RADIUS:-RADIUS, RADIUS:-RADIUS]


def _volume_mean(picture: np.ndarray) -> np.ndarray:
    window = gaussian_window()
    rows = cv2.sepFilter2D(picture, cv2.CV_64F, window, window, borderType=cv2.BORDER_REPLICATE)
    return rows @ _across_channels().T


@cache
def _across_channels() -> np.ndarray:
    """The window over R, G, B with the outer ones repeated, as a matrix (3, 3)."""
    weights = np.zeros((3, 3))
    for channel in range(3):
        seen = np.clip(channel + np.arange(-RADIUS, RADIUS + 1), 0, 2)
        np.add.at(weights[channel], seen, gaussian_window())
    return weights
