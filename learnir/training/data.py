"""Paired data: folders of input/ and target/, or a built FaceShadow; decoded once into memory."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from learnir.decoding import IMAGE_SUFFIXES, decode_rgb
from learnir.paths import composed, contents

Read = Callable[[], bytes]
PLAIN_SPLITS = ("train", "val", "all")


class PairError(ValueError):
    """Paired data that cannot be used: one line naming the folder and the remedy."""


class NoSplitError(PairError):
    """A folder that is there and has no pairs of the split asked for."""


@dataclass(frozen=True)
class Pair:
    """One degraded / clean pair, still encoded: where its two pictures come from."""

    name: str
    read_input: Read
    read_target: Read

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        """The two pictures, uint8 (H, W, 3), of equal size."""
        y = decode_rgb(self.read_input(), self.name)
        x = decode_rgb(self.read_target(), self.name)
        if x.shape != y.shape:
            raise PairError(f"{self.name}: input is {y.shape[:2]} but target is {x.shape[:2]}")
        return y, x


def open_pairs(folder: str | os.PathLike[str], split: str = "train") -> list[Pair]:
    """The pairs of one split, sorted by name.

    ``folder`` is a built FaceShadow (ImageFolder or parquet), or holds input/ and target/, or has
    one such folder per split. Of plain folders without splits every pair whose name hashes below
    5 % is "val", the rest "train", "all" is both. PairError for anything else, NoSplitError where
    only the split is missing, for pictures without a partner, and for two of one name, such as
    a.png and a.jpg.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise PairError(f"{folder}: no such folder; give one with input/ and target/")
    if (folder / split / "metadata.jsonl").exists():
        return _image_folder(folder / split)
    shards = sorted((folder / "data").glob(f"{split}-*.parquet"))
    if shards:
        return [pair for shard in shards for pair in _parquet(shard)]
    if any((folder / "data").glob("*-of-*.tar")):
        raise PairError(
            f"{folder}: webdataset cannot be trained on; build it with --format parquet or "
            "imagefolder"
        )
    if (folder / split / "input").is_dir():
        return _plain(folder / split)
    if (folder / "input").is_dir() and split in PLAIN_SPLITS:
        pairs = _plain(folder)
        return [p for p in pairs if split in ("all", "val" if _share(p.name) < 0.05 else "train")]
    raise NoSplitError(
        f"{folder}: neither input/ and target/ nor a FaceShadow with a {split!r} split is here"
    )


def _share(name: str) -> float:
    """A number in [0, 1) that depends on the name alone, however a system spells its letters."""
    return int(hashlib.sha256(composed(name).encode()).hexdigest()[:8], 16) / 2**32


def _reader(path: Path) -> Read:
    return partial(contents, path)


def _plain(folder: Path) -> list[Pair]:
    inputs, targets = _by_stem(folder / "input"), _by_stem(folder / "target")
    unpaired = sorted(set(inputs) ^ set(targets))
    if unpaired:
        raise PairError(
            f"{folder}: {len(unpaired)} pictures without a partner, first {unpaired[0]!r}; "
            "input/ and target/ must hold the same names"
        )
    if not inputs:
        raise PairError(f"{folder}: input/ holds no picture")
    pairs = [Pair(inputs[s].stem, _reader(inputs[s]), _reader(targets[s])) for s in inputs]
    return sorted(pairs, key=lambda pair: pair.name)


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise PairError(f"{folder}: missing; paired data needs input/ and target/")
    found: dict[str, Path] = {}
    pictures = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES]
    for path in sorted(p for p in pictures if not p.name.startswith(".")):  # as macOS's ._a.jpg
        other = found.setdefault(composed(path.stem), path)
        if other is not path:
            raise PairError(
                f"{folder}: {other.name} and {path.name} are both named {path.stem!r}, which names "
                "one pair; rename or remove one"
            )
    return found


def _image_folder(folder: Path) -> list[Pair]:
    path = folder / "metadata.jsonl"
    try:
        text = path.read_text(encoding="utf-8")
        rows = [json.loads(line) for line in text.split("\n") if line]  # a name may hold U+2028
        names = sorted((row["shadow_file_name"], row["clean_file_name"]) for row in rows)
        return [
            Pair(shadow, _reader(folder / shadow), _reader(folder / clean))
            for shadow, clean in names
        ]
    except (ValueError, LookupError, TypeError) as error:
        raise _no_table(path, error) from error


def _parquet(shard: Path) -> list[Pair]:
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(shard, columns=["shadow", "clean"])
    except ValueError as error:  # PyArrow's own, too
        raise _no_table(shard, error) from error

    def reader(column: str, row: int) -> Read:
        return table[column][row]["bytes"].as_py

    return [
        Pair(f"{shard.stem}/{i:06d}", reader("shadow", i), reader("clean", i))
        for i in range(table.num_rows)
    ]


def _no_table(path: Path, error: Exception) -> PairError:
    why = str(error).partition("\n")[0]  # PyArrow's lists all columns
    return PairError(
        f"{path}: damaged, or not of a FaceShadow ({type(error).__name__}: {why}); build or fetch "
        "it anew, or give a folder with input/ and target/"
    )


def manifest_hash(pairs: Iterable[Pair]) -> str:
    """SHA-256 over the names and bytes of the pairs, in order: what a training record cites."""
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(pair.name.encode())
        digest.update(pair.read_input())
        digest.update(pair.read_target())
    return digest.hexdigest()


class PairStore:
    """All pairs decoded in memory.

    Pictures whose shorter side exceeds ``max_side`` are reduced to it (area mean) when read.
    """

    def __init__(self, pairs: Sequence[Pair], max_side: int) -> None:
        if not pairs:
            raise PairError("no pairs to train on; check --data and its split")

        def load(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
            y, x = pair.load()
            return reduced(y, max_side), reduced(x, max_side)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            self.pictures = list(pool.map(load, pairs))

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(
        self,
        indices: Sequence[int],
        size: int,
        view: tuple[float, float],
        rng: np.random.Generator,
        turn: float = 0.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Random square views, flipped at random, turned by up to ``turn`` degrees.

        Two uint8 arrays (B, size, size, 3).
        """
        views = [_view(*self.pictures[i], size, view, turn, rng) for i in indices]
        return np.stack([y for y, _ in views]), np.stack([x for _, x in views])


def shuffled_indices(n: int, first: int, count: int, seed: int) -> list[int]:
    """``count`` indices below ``n`` from position ``first`` of endless shuffled epochs."""

    def index(position: int) -> int:
        epoch, offset = divmod(position, n)
        return int(_permutation(n, seed, epoch)[offset])

    return [index(position) for position in range(first, first + count)]


@lru_cache(maxsize=8)
def _permutation(n: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch, 7]).permutation(n)


def reduced(picture: np.ndarray, max_side: int) -> np.ndarray:
    """The shorter side at most ``max_side``, every pixel the mean of those it covers."""
    H, W = picture.shape[:2]
    f = max_side / min(H, W)
    if f >= 1:
        return picture
    return cv2.resize(picture, (round(W * f), round(H * f)), interpolation=cv2.INTER_AREA)


def _view(
    y: np.ndarray,
    x: np.ndarray,
    size: int,
    view: tuple[float, float],
    turn: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    H, W = x.shape[:2]
    side = max(round(min(H, W) * rng.uniform(*view)), 1)
    top, left = rng.integers(H - side + 1), rng.integers(W - side + 1)
    flip, angle = rng.random() < 0.5, rng.uniform(-turn, turn)

    def cut(picture: np.ndarray) -> np.ndarray:
        turned = _turned(picture, angle, (left + side / 2, top + side / 2)) if turn else picture
        crop = turned[top : top + side, left : left + side]
        kernel = cv2.INTER_AREA if side >= size else cv2.INTER_LINEAR
        crop = cv2.resize(crop, (size, size), interpolation=kernel)
        return crop[:, ::-1] if flip else crop

    return cut(y), cut(x)


def _turned(picture: np.ndarray, degrees: float, centre: tuple[float, float]) -> np.ndarray:
    """Turned about a point; what lies outside is mirrored in."""
    H, W = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    return cv2.warpAffine(picture, matrix, (W, H), borderMode=cv2.BORDER_REFLECT_101)
