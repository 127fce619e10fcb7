"""Contact sheets of a dataset: many small pictures in one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from dataset_tools.formats import encode_png
from dataset_tools.photos import PhotoError
from learnir.writing import write_atomically

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def sheet(tiles: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """uint8 RGB tiles of one shape, row by row on grey."""
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    out = np.full((rows * (height + 4) + 4, columns * (width + 4) + 4, 3), 96, np.uint8)
    for index, tile in enumerate(tiles):
        y, x = 4 + (index // columns) * (height + 4), 4 + (index % columns) * (width + 4)
        out[y : y + height, x : x + width] = tile
    return out


def square(picture: np.ndarray, side: int) -> np.ndarray:
    """uint8 grey or RGB picture fitted into a square of ``side``, centred on grey."""
    colour = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, 2)
    scale = side / max(colour.shape[:2])
    shape = [max(1, round(length * scale)) for length in colour.shape[:2]]
    small = cv2.resize(colour, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    out = np.full((side, side, 3), 96, np.uint8)
    y, x = (side - shape[0]) // 2, (side - shape[1]) // 2
    out[y : y + shape[0], x : x + shape[1]] = small
    return out


def caption(tile: np.ndarray, text: str) -> np.ndarray:
    """ASCII text along the lower edge, shortened to fit."""
    out = np.ascontiguousarray(tile)
    words = text.encode("ascii", "replace").decode()[: tile.shape[1] // 6]
    out[-13:] //= 3
    cv2.putText(out, words, (2, len(out) - 3), cv2.FONT_HERSHEY_PLAIN, 0.7, (255, 255, 160), 1)
    return out


def depth_tile(depth: np.ndarray) -> np.ndarray:
    """Depth in mm -> uint8 grey, near = white."""
    low, high = np.percentile(depth, [1, 99])
    return (np.clip((depth - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)


def check_name(path: Path) -> None:
    """PhotoError where a file's ending names no kind of picture that ``save`` can write."""
    if path.suffix.lower() not in SUFFIXES:
        raise PhotoError(f"{path}: give a name that ends in {', '.join(SUFFIXES)}")


def save(path: Path, picture: np.ndarray) -> None:
    """Write a uint8 RGB picture in the format that the file's ending names."""
    check_name(path)
    if path.suffix.lower() == ".png":
        write_atomically(path, encode_png(picture))
    else:
        _, data = cv2.imencode(path.suffix.lower(), picture[..., ::-1])
        write_atomically(path, data.tobytes())
