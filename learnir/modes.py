"""How a picture is restored: natively (perhaps enlarged), by its gain, in tiles; and close-ups.

``LearnIR.restore`` plans; what is here carries the plan out at one size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import cv2
import numpy as np
import torch

from learnir.close_ups import Square
from learnir.gain import GainMap, apply_gain
from learnir.images import (
    decode_linear,
    encode_linear_quickly,
    from_signed,
    resized,
    shrunk,
    to_picture,
    to_signed,
    to_tensor,
)
from learnir.memory import SMALLEST
from learnir.model import LearnIRModel
from learnir.posterior import correction_named
from learnir.resolution import Scales, common_multiple, scale_at
from learnir.restoration import at_strength
from learnir.strips import each_strip
from learnir.tiling import NoiseField, count_tiles, restore_tiles

Progress = Callable[[int, int], None]

TOGETHER = 8  # pictures in one batch; more of them take more memory


@dataclass(frozen=True)
class Sampling:
    """How the sampler runs; None is the checkpoint's own setting."""

    steps: int | None = None
    schedule: str | None = None
    scales: Sequence[int] | str | None = None
    correction: str | None = None
    weight: float | None = None
    eta: float | None = None
    mirror: bool | None = None

    def check(self, model: LearnIRModel) -> Scales:
        """The scales that will be used; ValueError names what does not fit the model."""
        scales = model.scales_for(self.scales, self.steps, self.schedule)
        correction = self.correction or model.config.correction
        correction_named(correction)
        if correction == "learned" and model.corrector is None:
            raise ValueError("this checkpoint has no correction branch; use correction 'exact'")
        for name, value in (("weight", self.weight), ("eta", self.eta)):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} lies between 0 and 1, got {value}")
        return scales


@dataclass(frozen=True)
class Result:
    """What a run gives: a ``gain_map`` to relight the picture by, or the picture ``restored``.

    Attributes:
        mode: "native", "gain" or "tile".
        gain: stops (h, w, 3), at working resolution.
        restored: of the picture's size and dtype.
    """

    mode: str
    gain: np.ndarray
    gain_map: GainMap | None = None
    restored: np.ndarray | None = None


class Job:
    """One run of the sampler over a picture or over its tiles, with the evaluations counted."""

    def __init__(
        self,
        model: LearnIRModel,
        sampling: Sampling,
        scales: Scales,
        noise: NoiseField,
        progress: Progress | None,
        trajectory: bool = False,
    ) -> None:
        self.model, self.sampling, self.scales = model, sampling, scales
        self.noise, self.progress, self.trajectory = noise, progress, trajectory
        self.start(1)

    def start(self, runs: int) -> None:
        """Resets the counters for so many ``runs``; previews are kept of the first alone."""
        self.done, self.total = 0, runs * len(self.scales)
        self.previews: list[tuple[int, int, np.ndarray]] = []

    def run(self, picture: np.ndarray, top: int = 0, left: int = 0) -> np.ndarray:
        """Restored float32 (h, w, 3), signed, of a picture whose corner lies at (top, left)."""
        return self.run_all(picture[None], top, left)[0]

    def run_each(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Restored float32 (h, w, 3), signed, of each.

        Pictures of one size, as a square one and its close-ups, run together: small feature maps
        cost as much in calls as in arithmetic.
        """
        self.start(len(pictures))
        restored: list[np.ndarray] = []
        for _, alike in groupby(pictures, key=lambda picture: picture.shape):
            batch = list(alike)
            for start in range(0, len(batch), TOGETHER):
                restored += list(self.run_all(np.stack(batch[start : start + TOGETHER])))
        return restored

    def run_all(self, pictures: np.ndarray, top: int = 0, left: int = 0) -> np.ndarray:
        """Restored float32 (n, h, w, 3), signed: together, under the same noise."""
        device = next(self.model.parameters()).device
        h, w = pictures.shape[1:3]
        y = to_tensor(_at_least(pictures, SMALLEST)).to(device)

        def stepped(t: int, z_0: torch.Tensor) -> None:
            self.done += len(y)
            if self.trajectory and len(self.previews) < len(self.scales):
                f = -(-y.shape[-1] // z_0.shape[-1])
                preview = to_picture(z_0[0, :, : -(-h // f), : -(-w // f)])
                self.previews.append((t, scale_at(self.scales, t), preview))
            if self.progress is not None:
                self.progress(self.done, self.total)

        settings = {**vars(self.sampling), "scales": self.scales}
        noise = self.noise.at(top, left, device)
        x = self.model.sample(y, **settings, noise=noise, callback=stepped)
        grey = (y.amax(dim=1) == y.amin(dim=1)).all(dim=(1, 2)).view(-1, 1, 1, 1)
        x = torch.where(grey, x.mean(dim=1, keepdim=True), x)  # light adds no colour to these
        return x[..., :h, :w].permute(0, 2, 3, 1).float().cpu().numpy()


def _at_least(pictures: np.ndarray, size: int) -> np.ndarray:
    """The pictures mirrored at bottom and right up to ``size``: the network needs surroundings."""
    _, H, W, _ = pictures.shape
    missing = ((0, 0), (0, max(size - H, 0)), (0, max(size - W, 0)), (0, 0))
    return np.pad(pictures, missing, mode="symmetric")


def restore_at(
    job: Job, picture: np.ndarray, mode: str, size: int, squares: Sequence[Square], close: int
) -> Result:
    """One try at ``size``, close-ups at ``close``; called again when memory runs out.

    Args:
        mode: "native", "gain" or "tile".
        size: longest side that the network sees, or of the tiles.
        squares: the close-ups.
    """
    if mode == "tile" or (mode == "native" and size < max(picture.shape[:2])):
        return _by_tiles(job, picture, size)
    whole = resized(picture, size) if mode == "native" else shrunk(picture, size)
    parts = [resized(np.ascontiguousarray(picture[square.area]), close) for square in squares]
    after, *parts_after = job.run_each([whole, *parts])
    result = _by_gain(whole, after) if mode == "gain" else _natively(picture, whole, after)
    if not squares:
        return result
    return _with_close_ups(picture, result, close, zip(squares, parts, parts_after, strict=True))


def _natively(picture: np.ndarray, whole: np.ndarray, signed: np.ndarray) -> Result:
    """What restoring the enlarged picture changes, brought back to the picture's size."""
    if whole is not picture:
        change = signed - to_signed(whole)
        sides = picture.shape[1::-1]
        signed = to_signed(picture) + cv2.resize(change, sides, interpolation=cv2.INTER_CUBIC)
    restored = from_signed(signed, picture.dtype.type)
    gain_map = GainMap.between(decode_linear(picture), decode_linear(restored))
    return Result("native", gain_map.gain, restored=restored)


def _by_gain(whole: np.ndarray, signed: np.ndarray) -> Result:
    gain_map = GainMap.between(decode_linear(whole), _linear(signed))
    return Result("gain", gain_map.gain, gain_map=gain_map)


def _with_close_ups(
    picture: np.ndarray,
    result: Result,
    size: int,
    close_ups: Iterable[tuple[Square, np.ndarray, np.ndarray]],
) -> Result:
    """The restoration of the whole picture with close-ups faded in, each relit by its own gain.

    Args:
        close_ups: (square, its part before, its part after) of each; the latter signed.
    """
    restored = at_strength(picture, result.gain_map, result.restored, 1.0)
    for square, before, after in close_ups:
        gain_map = GainMap.between(decode_linear(before), _linear(after))
        fade_in(restored, square, apply_gain(np.ascontiguousarray(picture[square.area]), gain_map))
    return Result(result.mode, _gain(picture, restored, size), restored=restored)


def _gain(picture: np.ndarray, restored: np.ndarray, size: int) -> np.ndarray:
    """The gain between two pictures, reduced to ``size``: stops (h, w, 3)."""
    observed, after = (decode_linear(shrunk(p, size)) for p in (picture, restored))
    return GainMap.between(observed, after).gain


def fade_in(picture: np.ndarray, square: Square, close: np.ndarray, share: float = 1.0) -> None:
    """Joins ``close``, a close-up as large as its square, into ``picture``, in linear light."""
    area, weight = picture[square.area], share * square.weight(*picture.shape[:2])

    def mix(rows: slice) -> None:
        far, near = decode_linear(area[rows]), decode_linear(close[rows])
        mixed = far + weight[rows] * (near - far)
        area[rows] = encode_linear_quickly(mixed, picture.dtype.type)

    each_strip(area.shape, mix)


def _by_tiles(job: Job, picture: np.ndarray, tile: int) -> Result:
    H, W = picture.shape[:2]
    multiple = common_multiple(job.scales)
    job.start(count_tiles(H, W, tile, multiple))
    restored = np.empty_like(picture)

    def restore(rows: slice, columns: slice) -> np.ndarray:
        return job.run(picture[rows, columns], rows.start, columns.start)

    for top, band in restore_tiles(H, W, tile, multiple, restore):
        restored[top : top + len(band)] = from_signed(band, picture.dtype.type)
    gain = _gain(picture, restored, job.model.config.work_size)
    return Result("tile", gain, restored=restored)


def _linear(signed: np.ndarray) -> np.ndarray:
    return decode_linear(from_signed(signed, np.uint16))
