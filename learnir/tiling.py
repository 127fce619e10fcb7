"""Tiles: native resolution in bounded memory, without seams.

Tiles overlap, are joined by weights that add up to one everywhere, and draw their noise from one
field over the whole picture, so that two tiles see the same noise where they overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

BLOCK = 64
OVERLAP = 0.25
KEPT = 512 * 512  # pixels of noise that are kept for the next picture


@dataclass(frozen=True)
class NoiseField:
    """Standard normal noise as a function of seed, draw, scale and place.

    The plane is cut into blocks, each drawn by its own Philox counter.
    """

    seed: int

    def window(
        self, draw: int, scale: int, top: int, left: int, shape: tuple[int, ...]
    ) -> np.ndarray:
        """float32 (1, C, h, w): one draw at ``scale``, its window with the corner (top, left)."""
        _, C, h, w = shape
        out = np.empty((C, h, w), np.float32)
        for by in range(top // BLOCK, (top + h - 1) // BLOCK + 1):
            for bx in range(left // BLOCK, (left + w - 1) // BLOCK + 1):
                y, x = by * BLOCK, bx * BLOCK
                y0, y1 = max(y, top), min(y + BLOCK, top + h)
                x0, x1 = max(x, left), min(x + BLOCK, left + w)
                block = self._block(draw, scale, by, bx, C)
                out[:, y0 - top : y1 - top, x0 - left : x1 - left] = block[
                    :, y0 - y : y1 - y, x0 - x : x1 - x
                ]
        return out[None]

    def _block(self, draw: int, scale: int, by: int, bx: int, C: int) -> np.ndarray:
        key = np.array([self.seed % 2**64, draw << 32 | scale], np.uint64)
        philox = np.random.Philox(key=key, counter=np.array([0, by, bx, 0], np.uint64))
        return np.random.Generator(philox).standard_normal((C, BLOCK, BLOCK), dtype=np.float32)

    def at(
        self, top: int, left: int, device: torch.device
    ) -> Callable[[int, int, tuple[int, ...]], torch.Tensor]:
        """The sampler's ``noise`` for a tile whose corner, at full size, is (top, left)."""
        import torch

        def noise(draw: int, scale: int, shape: tuple[int, ...]) -> torch.Tensor:
            window = _kept if shape[-2] * shape[-1] <= KEPT else NoiseField.window
            drawn = window(self, draw, scale, top // scale, left // scale, tuple(shape))
            return torch.tensor(drawn, device=device)

        return noise


@lru_cache(maxsize=8)
def _kept(field: NoiseField, *window: Any) -> np.ndarray:
    """Small windows are drawn once: pictures of one size, such as frames, ask for the same."""
    return field.window(*window)


def spans(length: int, tile: int, multiple: int) -> list[tuple[int, int]]:
    """(start, stop) of overlapping tiles that cover ``length``; every start a multiple.

    The scales of the sampler divide ``multiple``, so that coarse pixels of two tiles coincide.
    """
    tile = max(tile // multiple, 2) * multiple
    if length <= tile:
        return [(0, length)]
    step = tile - max(round(tile * OVERLAP / multiple), 1) * multiple
    count = -(-(length - tile) // step) + 1
    even = (length - tile) / (count - 1)
    starts = [-(-round(k * even) // multiple) * multiple for k in range(count)]
    return [(start, min(start + tile, length)) for start in starts]


def weights(parts: list[tuple[int, int]]) -> list[np.ndarray]:
    """One float32 window per tile of an axis; at every place they add up to 1."""
    length = parts[-1][1]
    hats = [_hat(stop - start) for start, stop in parts]
    total = np.zeros(length, np.float32)
    for (start, stop), hat in zip(parts, hats, strict=True):
        total[start:stop] += hat
    return [hat / total[start:stop] for (start, stop), hat in zip(parts, hats, strict=True)]


def _hat(length: int) -> np.ndarray:
    x = np.arange(length, dtype=np.float32)
    ramp = np.minimum(x + 1, length - x) / max(length * OVERLAP, 1)
    return np.sin(np.minimum(ramp, 1.0) * np.float32(np.pi / 2)) ** 2


def count_tiles(H: int, W: int, tile: int, multiple: int) -> int:
    """How many tiles ``restore_tiles`` will ask for."""
    return len(spans(H, tile, multiple)) * len(spans(W, tile, multiple))


def restore_tiles(
    H: int,
    W: int,
    tile: int,
    multiple: int,
    restore: Callable[[slice, slice], np.ndarray],
) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, finished rows (n, W, 3)) from the top down; only one row of tiles is in memory.

    Args:
        restore: the restored tile (h, w, 3), float32, for its rows and columns.
    """
    down, across = spans(H, tile, multiple), spans(W, tile, multiple)
    row_weights, column_weights = weights(down), weights(across)
    carried = np.zeros((0, W, 3), np.float32)
    for i, (top, bottom) in enumerate(down):
        band = np.zeros((bottom - top, W, 3), np.float32)
        band[: len(carried)] = carried
        for (left, right), weight in zip(across, column_weights, strict=True):
            window = row_weights[i][:, None, None] * weight[None, :, None]
            band[:, left:right] += window * restore(slice(top, bottom), slice(left, right))
        finished = (down[i + 1][0] if i + 1 < len(down) else bottom) - top
        yield top, band[:finished]
        carried = band[finished:]
