"""Archives of ``faceshadow pack``: layers to composite from, and pairs kept beside them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
import torch

from learnir.training.data import Pair, PairError
from learnir.training.layers import MAPS, Layers, Ranges


@dataclass(frozen=True)
class Archive:
    """The contents of one archive.

    Attributes:
        pairs: "train" and "val" pairs, still encoded; there may be none.
    """

    layers: Layers
    pairs: dict[str, list[Pair]]


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Whether ``path`` names an archive of layers rather than a folder of pairs."""
    return Path(path).suffix == ".npz"


def load_archive(path: str | os.PathLike[str]) -> Archive:
    """The scenes of an archive, decoded, and its pairs; PairError for a file that is none."""
    try:
        with np.load(path) as archive:
            about = json.loads(archive["about"].tobytes())
            files = iter(np.split(archive["blob"], archive["lengths"].cumsum()))
            mm, own = (torch.from_numpy(archive[name]) for name in ("mm", "own"))
        ranges = tuple(Ranges.of(recipe) for recipe in about["recipes"])
        cast = [number for number, n in enumerate(about["shadows"]) for _ in range(n)]
        scenes, backdrops, pairs = about["scenes"], about["backdrops"], about["pairs"]
        shade_max, sky_max = about["shade_max"], about["sky_max"]
        if tuple(about["maps"]) != MAPS:
            raise ValueError(f"maps {', '.join(about['maps'])}")
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise PairError(
            f"{path}: no archive of layers, or one of another version ({error}); make one with "
            "faceshadow pack"
        ) from error
    layers = Layers(
        **_decoded(files, scenes, len(cast), backdrops),
        cast=torch.tensor(cast).expand(scenes, -1),
        mm=mm,
        own=own,
        shade_max=shade_max,
        sky_max=sky_max,
        ranges=ranges,
    )
    name = Path(path).name
    return Archive(layers, {s: _pairs(files, f"{name}/{s}", n) for s, n in pairs.items()})


def _decoded(
    files: Iterator[np.ndarray], scenes: int, shadows: int, backdrops: int
) -> dict[str, torch.Tensor]:
    """The pictures of an archive: scene by scene base, maps and shadows, then the backdrops."""
    per_scene = [[next(files) for _ in range(2 + shadows)] for _ in range(scenes)]
    behind = [next(files) for _ in range(backdrops)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        stacks = {
            "base": pool.map(_colour, [s[0] for s in per_scene]),
            "maps": pool.map(_maps, [s[1] for s in per_scene]),
            "shadows": pool.map(_shadows, [s[2:] for s in per_scene]),
            "backdrops": pool.map(_colour, behind),
        }
        return {name: torch.from_numpy(np.stack(list(s))) for name, s in stacks.items()}


def _pairs(files: Iterator[np.ndarray], name: str, count: int) -> list[Pair]:
    """The next ``count`` pairs of an archive, still encoded."""
    return [Pair(f"{name}/{i:06d}", next(files).tobytes, next(files).tobytes) for i in range(count)]


def _colour(data: np.ndarray) -> np.ndarray:
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].transpose(2, 0, 1)


def _grey(data: np.ndarray) -> np.ndarray:
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def _maps(data: np.ndarray) -> np.ndarray:
    return np.stack(np.split(_grey(data), len(MAPS), axis=1))


def _shadows(files: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([_grey(data) for data in files])
