"""Metrics inside and outside the shadow: the true ones, and the legacy ones papers print.

A true region metric averages over the region's pixels only. The legacy script sets the other
region to zero in both pictures and averages over everything: PSNR then gains 10 log10(1/area) and
SSIM counts the zeroed pixels as perfect. Both are computed and named apart; the script's scores
of whole pictures, where they differ from the true ones, are here too.
"""

from __future__ import annotations

import numpy as np

from benchmarks.colour import lab_distance, legacy_lab_distance
from benchmarks.metrics import (
    RADIUS,
    mean_squared_psnr,
    mean_volume_ssim,
    psnr_of_mse,
    squared_error,
    ssim_map,
)


def region_scores(a: np.ndarray, b: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Per-region metrics for a mask (H, W), nonzero = shadow; an empty region gives none.

    pixels_REGION is how many it has: what its mean counts in one over all pixels of a data set.
    """
    shadow = mask > 0
    if shadow.shape != a.shape[:2]:
        raise ValueError(f"mask is {mask.shape}, pictures are {a.shape[:2]}: sizes must agree")
    scores: dict[str, float] = {}
    distance = legacy_lab_distance(a, b)
    for name, region in (("shadow", shadow), ("lit", ~shadow)):
        if region.any():
            scores |= {f"{key}_{name}": v for key, v in true_scores(a, b, region).items()}
            scores |= {f"{key}_{name}_legacy": v for key, v in zeroed_scores(a, b, region).items()}
            scores[f"lab_mae_{name}_legacy"] = float(distance[region].mean())
            scores[f"pixels_{name}"] = int(region.sum())
    return scores


def legacy_scores(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """What the field's script prints of whole pictures."""
    return {
        "ssim_legacy": mean_volume_ssim(a, b),
        "lab_mae_legacy": float(legacy_lab_distance(a, b).mean()),
    }


def true_scores(a: np.ndarray, b: np.ndarray, region: np.ndarray) -> dict[str, float]:
    """psnr, ssim, lab_mae, lab_rmse over the pixels of ``region`` (H, W) bool."""
    absolute, squared = lab_distance(a, b)
    scores = {
        "psnr": psnr_of_mse(float(squared_error(a, b)[region].mean())),
        "lab_mae": float(absolute[region].mean()),
        "lab_rmse": float(np.sqrt(squared[region].mean())),
    }
    inner = region[RADIUS:-RADIUS, RADIUS:-RADIUS]
    if inner.any():
        scores["ssim"] = float(ssim_map(a, b)[inner].mean())
    return scores


def zeroed_scores(a: np.ndarray, b: np.ndarray, region: np.ndarray) -> dict[str, float]:
    """psnr and ssim with the pixels outside ``region`` set to zero in both pictures."""
    keep = region[..., None]
    x, y = np.where(keep, a, a.dtype.type(0)), np.where(keep, b, b.dtype.type(0))
    return {"psnr": mean_squared_psnr(x, y), "ssim": mean_volume_ssim(x, y)}
