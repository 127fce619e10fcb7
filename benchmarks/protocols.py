"""Versioned protocols: everything that moves a score, fixed under one id.

Scores are ranked only within one id. A protocol never changes; a changed one gets a new version.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from benchmarks.names import look_up
from benchmarks.resize import KERNELS, MASK_KERNELS

_METRICS = ("psnr", "ssim", "lpips_alex", "lpips_vgg", "lab_mae", "lab_rmse")


@dataclass(frozen=True)
class Protocol:
    """How a result and its target become a number.

    The method always sees the data set's input as ``method_sees`` says; result and target are then
    brought to the scoring size with ``kernel``, masks with ``masks``. ``order`` says which comes
    first.
    """

    id: str
    size: tuple[int, int] | None  # (height, width) of scoring, None = native
    kernel: str | None
    method_sees: Literal["native", "scoring size"]
    dtype: Literal["uint8", "double"] = "uint8"
    order: str = "method, quantise to uint8, metrics"
    metrics: tuple[str, ...] = _METRICS
    masks: str = "nearest"
    regions: str = "mask > 0 is shadow; true and legacy"
    averaging: str = "per picture, then the mean over pictures; infinite PSNR counts as 100 dB"
    note: str = ""

    def fit(self, picture: np.ndarray) -> np.ndarray:
        """A uint8 picture at the scoring size, uint8."""
        if self.size is None or picture.shape[:2] == self.size:
            return picture
        assert self.kernel is not None
        return KERNELS[self.kernel](picture, *self.size)

    def seen(self, picture: np.ndarray) -> np.ndarray:
        """A uint8 picture at the size that the method sees."""
        return picture if self.method_sees == "native" else self.fit(picture)

    def fit_mask(self, mask: np.ndarray) -> np.ndarray:
        """A mask (H, W) at the scoring size."""
        if self.size is None or mask.shape[:2] == self.size:
            return mask
        return MASK_KERNELS[self.masks](mask, *self.size)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for result files."""
        return asdict(self)


_RESIZED = "resize input and target, method, quantise to uint8, metrics"
_AFTERWARDS = "method at native size, quantise to uint8, resize result and target, metrics"

PROTOCOLS: dict[str, Protocol] = {
    p.id: p
    for p in (
        Protocol("native-v1", None, None, "native"),
        Protocol("256-v1", (256, 256), "pillow_bicubic", "scoring size", order=_RESIZED),
        Protocol("512-v1", (512, 512), "pillow_bicubic", "scoring size", order=_RESIZED),
        Protocol(
            "matlab-256-v2",
            (256, 256),
            "matlab_bicubic",
            "native",
            "double",
            order=_AFTERWARDS,
            metrics=(*_METRICS, "ssim_legacy", "lab_mae_legacy"),
            masks="matlab_bicubic",
            note="the field's script: im2double, imresize (antialiased bicubic) to 256x256, masks "
            "too; Lab differences are taken of the unquantised doubles; what it prints is psnr, "
            "ssim_legacy and, as 'RMSE', lab_mae_legacy",
        ),
    )
}

CAPPED_PSNR = 100.0


def protocol_named(name: str) -> Protocol:
    """The protocol, or one line with its nearest neighbours."""
    return look_up("protocol", name, PROTOCOLS)
