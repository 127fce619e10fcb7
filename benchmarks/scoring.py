"""The one place that turns (result, target) into scores; runner and submissions share it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.colour import lab_distance
from benchmarks.faces import FaceJudge
from benchmarks.metrics import check_pair, check_window, mean_squared_psnr, mean_ssim
from benchmarks.pairs import Pair
from benchmarks.perceptual import SMALLEST, lpips_batch, why_missing
from benchmarks.protocols import Protocol
from benchmarks.regions import legacy_scores, region_scores
from benchmarks.resize import KERNELS

Scores = dict[str, float]


def input_row(y: np.ndarray, x: np.ndarray) -> Scores:
    """What doing nothing scores: the fingerprint of the test set as it was scored."""
    return {"input_psnr": mean_squared_psnr(y, x), "input_ssim": mean_ssim(y, x)}


def as_seen(pair: Pair, protocol: Protocol) -> Pair:
    """The pair at the size that the method sees."""
    if protocol.method_sees == "native":
        return pair
    mask = None if pair.mask is None else protocol.fit_mask(pair.mask)
    return replace(
        pair, input=protocol.seen(pair.input), target=protocol.seen(pair.target), mask=mask
    )


@dataclass
class Judge:
    """Scores pictures under one protocol; ``missing`` holds the metrics it cannot compute, and why.

    A picture too small for LPIPS goes without it, whatever the others are.
    faces: a landmark detector for the face metrics, None leaves them out.
    """

    protocol: Protocol
    device: str = "cpu"
    faces: FaceJudge | None = None
    workers: int = 2
    missing: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for net in ("alex", "vgg"):
            reason = why_missing(net) if f"lpips_{net}" in self.protocol.metrics else None
            if reason:
                self.missing[f"lpips_{net}"] = reason

    def score(self, results: Sequence[np.ndarray], pairs: Sequence[Pair]) -> list[Scores]:
        """Scores of uint8 results against their pairs' targets, both brought to scoring size."""
        for result, pair in zip(results, pairs, strict=True):
            check_pair(result, self.protocol.seen(pair.target))
        with ThreadPoolExecutor(self.workers) as pool:  # OpenCV and NumPy release the lock
            scored = list(pool.map(self._one, results, pairs))
        if self.faces is not None:
            for scores, result, pair in zip(scored, results, pairs, strict=True):
                fitted = self.protocol.fit(result), self.protocol.fit(pair.target)
                scores.update(self.faces.scores(*fitted))
        for net in ("alex", "vgg"):
            self._add_lpips(net, results, pairs, scored)
        return scored

    def unscored(self, scored: Collection[str]) -> dict[str, str]:
        """The metrics of the protocol that are not among those scored, each with the reason."""
        small = f"every picture is below {SMALLEST}x{SMALLEST} pixels"
        asked = (name for name in self.protocol.metrics if name.startswith("lpips_"))
        return {name: self.missing.get(name, small) for name in asked if name not in scored}

    def _one(self, result: np.ndarray, pair: Pair) -> Scores:
        a, b = self._fit(result), self._fit(pair.target)
        check_window(b.shape)
        absolute, squared = lab_distance(a, b)
        scores = {
            "psnr": mean_squared_psnr(a, b),
            "ssim": mean_ssim(a, b),
            "lab_mae": float(absolute.mean()),
            "lab_rmse": float(np.sqrt(squared.mean())),
        }
        if "ssim_legacy" in self.protocol.metrics:
            scores |= legacy_scores(a, b)
        if pair.mask is not None:
            scores |= region_scores(a, b, self.protocol.fit_mask(pair.mask))
        return scores | input_row(self._fit(pair.input), b)

    def _fit(self, picture: np.ndarray) -> np.ndarray:
        protocol = self.protocol
        if protocol.dtype == "uint8" or protocol.size is None:
            return protocol.fit(picture)
        assert protocol.kernel is not None
        return KERNELS[protocol.kernel](picture.astype(np.float64), *protocol.size)

    def _add_lpips(
        self,
        net: str,
        results: Sequence[np.ndarray],
        pairs: Sequence[Pair],
        scored: list[Scores],
    ) -> None:
        name = f"lpips_{net}"
        if name not in self.protocol.metrics or name in self.missing:
            return
        fit = self.protocol.fit
        fitted = [(fit(r), fit(p.target)) for r, p in zip(results, pairs, strict=True)]
        large = [i for i, (_, x) in enumerate(fitted) if min(x.shape[:2]) >= SMALLEST]
        a, b = ([fitted[i][side] for i in large] for side in (0, 1))
        for i, value in zip(large, lpips_batch(a, b, net, self.device), strict=True):
            scored[i][name] = value
