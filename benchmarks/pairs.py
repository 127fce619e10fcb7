"""From a data set's name, or any folder, to the pairs of one split; and what is missing of it."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.datasets import DATASETS, OWN, Dataset
from benchmarks.layouts import PLAIN, Layout, Source, face_shadow, is_face_shadow
from benchmarks.locations import data_root
from benchmarks.names import BenchmarkError, look_up
from benchmarks.pictures import decode, decode_mask, header

OF_TEST = ("all", "disjoint")  # splits that are parts of the test folder


@dataclass(frozen=True)
class Collection:
    """The pairs of one split as found on disk.

    Attributes:
        unpaired: keys without a partner.
        left_out: how many pairs ``first`` took away.
    """

    entry: Dataset
    split: str
    folder: Path
    sources: tuple[Source, ...]
    unpaired: tuple[str, ...] = ()
    left_out: int = 0

    def first(self, limit: int | None) -> Collection:
        """The first so many pairs, None is all."""
        kept = self.sources[:limit]
        return replace(self, sources=kept, left_out=len(self.sources) - len(kept))

    @property
    def whole(self) -> int:
        """How many pairs the whole split has: as declared, else as many as are here."""
        return self.entry.expected(self.split) or len(self.sources) + self.left_out

    @property
    def complete(self) -> bool | None:
        """Whether every expected pair is here; None where no number is declared."""
        expected = self.entry.expected(self.split)
        return None if expected is None else len(self.sources) == expected

    @property
    def reduced(self) -> bool:
        """Whether the pictures are smaller than the release's: scores of another test."""
        first = self.sources[0]
        _, width, height = header(first.target(), f"{self.entry.name}/{first.key} target")
        return min(width, height) < self.entry.least_side

    def scene(self, source: Source) -> str:
        """What the pair is clustered by."""
        if source.scene is not None:
            return source.scene
        match = re.match(self.entry.scene, source.key) if self.entry.scene else None
        return match.group(1) if match else source.key


@dataclass(frozen=True)
class Pair:
    """One decoded pair: input and target uint8 RGB of one size, mask (H, W) or None."""

    key: str
    scene: str
    input: np.ndarray
    target: np.ndarray
    mask: np.ndarray | None


def open_collection(
    name: str,
    root: str | Path | None = None,
    split: str = "test",
    clean: bool = False,
    scene: str | None = None,
) -> Collection:
    """The pairs of a declared data set under the data root, or of a folder.

    ``clean`` scores how well shadow-free pictures come back: the targets stand in as inputs.
    ``scene``, for a plain folder: the pattern whose first group is the scene, as ``Dataset.scene``.
    BenchmarkError says what is missing and where to get it.
    """
    found = _folder(Path(name), split) if name not in DATASETS and is_path(name) else None
    if found is None:
        found = _declared(look_up("data set", name, DATASETS), root, split)
    if not found.sources:
        raise BenchmarkError(f"{found.folder}: the {split} split of {name} holds no pair")
    _check_count(found)
    if scene is not None:
        found = _grouped(found, scene)
    return _clean(found) if clean else found


def _grouped(found: Collection, scene: str) -> Collection:
    """The pairs of a plain folder with scenes; BenchmarkError where the pattern fits not all."""
    if found.entry.title != OWN:
        raise BenchmarkError(
            f"{found.entry.name}: has scenes of its own; --scene is for folders of input/ and "
            "target/"
        )
    try:
        pattern = re.compile(scene)
    except re.error as error:
        raise BenchmarkError(f"--scene {scene}: no regular expression ({error})") from error
    if not pattern.groups:
        raise BenchmarkError(f"--scene {scene}: has no group; put brackets around the scene")
    for source in found.sources:
        match = pattern.match(source.key)
        if match is None or match.group(1) is None:
            raise BenchmarkError(f"--scene {scene}: says no scene of {source.key}")
    return replace(found, entry=replace(found.entry, scene=scene))


def _check_count(found: Collection) -> None:
    """BenchmarkError for copies among the pairs: a key twice, or more than the release has."""
    keys, expected = [source.key for source in found.sources], found.entry.expected(found.split)
    if twice := [key for key, count in Counter(keys).items() if count > 1]:
        raise BenchmarkError(f"{found.folder}: two pairs are called {twice[0]}; keep one")
    if expected is not None and len(keys) > expected:
        raise BenchmarkError(
            f"{found.folder}: {len(keys)} pairs, the {found.split} split has {expected}; take away "
            f"what the release does not hold, such as copies in folders: {max(keys, key=len)}"
        )


def find_folder(entry: Dataset, root: Path) -> Path | None:
    """The first of the entry's folders that is there, None when none is."""
    return next((root / f for f in entry.folders if (root / f).is_dir()), None)


def decoded(collection: Collection, workers: int = 2, skip: Iterable[str] = ()) -> Iterator[Pair]:
    """The pairs in order, decoded ahead by ``workers`` threads; ``skip`` names keys left out."""
    done = set(skip)
    waiting = iter([s for s in collection.sources if s.key not in done])
    with ThreadPoolExecutor(workers) as pool:
        ahead = [pool.submit(load, collection, s) for s in islice(waiting, workers + 1)]
        while ahead:
            pair = ahead.pop(0).result()
            ahead += [pool.submit(load, collection, s) for s in islice(waiting, 1)]
            yield pair


def load(collection: Collection, source: Source) -> Pair:
    """Decodes one pair; BenchmarkError when its sizes differ."""
    label = f"{collection.entry.name}/{source.key}"
    y, x = decode(source.input(), f"{label} input"), decode(source.target(), f"{label} target")
    mask = decode_mask(source.mask(), f"{label} mask") if source.mask else None
    for other in (x, *(() if mask is None else (mask,))):
        if other.shape[:2] != y.shape[:2]:
            raise BenchmarkError(
                f"{label}: sizes {y.shape[:2]} and {other.shape[:2]} differ; the copy is not the "
                "original one"
            )
    return Pair(source.key, collection.scene(source), y, x, mask)


def manifest(collection: Collection) -> dict[str, str]:
    """SHA-256 of every file, by key and role: which test set exactly was scored."""
    files: dict[str, str] = {}
    for source in collection.sources:
        for role in ("input", "target", "mask"):
            if (read := getattr(source, role)) is not None:
                files[f"{source.key}/{role}"] = hashlib.sha256(read()).hexdigest()
    return files


def manifest_hash(files: dict[str, str]) -> str:
    """One SHA-256 over a manifest, independent of the order."""
    lines = "".join(f"{k} {files[k]}\n" for k in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def _declared(entry: Dataset, root: str | Path | None, split: str) -> Collection:
    base = data_root(root)
    if base is None:
        raise BenchmarkError(
            f"{entry.name}: no data root; give --data-root or LEARNIR_DATA (get the data: "
            f"{entry.where})"
        )
    folder = find_folder(entry, base)
    if folder is None:
        raise BenchmarkError(
            f"{entry.name}: none of {', '.join(entry.folders)} under {base}; get it: {entry.where}"
        )
    return _read(entry, folder, split)


def _folder(folder: Path, split: str) -> Collection:
    if not folder.is_dir():
        raise BenchmarkError(f"{folder}: no such folder; give one with input/ and target/")
    if is_face_shadow(folder):
        return _read(DATASETS["faceshadow"], folder, split)
    entry = Dataset(
        folder.resolve().name,
        OWN,
        "any",
        "unknown",
        "-",
        "-",
        "the folder's owner",
        "every pair",
        (),
        "psnr",
        "native-v1",
        (),
    )
    return _read(entry, folder, split)


def _read(entry: Dataset, folder: Path, split: str) -> Collection:
    if split not in entry.splits:
        known = ", ".join(entry.splits)
        raise BenchmarkError(f"{entry.name}: no split {split!r}; it has {known}")
    if entry.built:
        return Collection(entry, split, folder, tuple(face_shadow(folder, split)))
    part = "test" if split in OF_TEST else split
    for layout in entry.layouts or (PLAIN,):
        there = layout.at(part)
        if there is not None and there.found_in(folder):
            sources, unpaired = there.sources(folder)
            kept = _of_split(entry, split, sources, layout.at("train"), folder)
            alone = (key for key in unpaired if re.fullmatch(_rule(entry, split), key))
            return Collection(entry, split, folder, tuple(kept), tuple(alone))
    raise BenchmarkError(_no_layout(entry, folder, split))


def _no_layout(entry: Dataset, folder: Path, split: str) -> str:
    """What was looked for: releases as they unpack are known by name, plain folders by path."""
    if entry.folders:
        return (
            f"{folder}: no known layout of the {split} split; expected input/ and target/, or the "
            f"original one ({entry.where})"
        )
    root, name = folder.resolve().parent, folder.resolve().name
    meant = next((d.name for d in DATASETS.values() if name in d.folders), "NAME")
    return (
        f"{folder}: no pictures in input/ and target/; a release as it unpacks is read by its "
        f"name: --dataset {meant} --data-root {root}"
    )


def _rule(entry: Dataset, split: str) -> str:
    """The pattern of the split's keys, where the split is a part of a folder."""
    return entry.test if split == "test" else ".*"


def _of_split(
    entry: Dataset, split: str, sources: list[Source], train: Layout | None, folder: Path
) -> list[Source]:
    if split == "disjoint":
        return _unseen(sources, train.targets(folder) if train else [], folder)
    return [s for s in sources if re.fullmatch(_rule(entry, split), s.key)]


def _unseen(sources: list[Source], trained: list[Path], folder: Path) -> list[Source]:
    """The pairs whose target does not stand in the training split too, byte for byte."""
    if not trained:
        raise BenchmarkError(
            f"{folder}: the disjoint split is what train/ does not hold; unpack train/ beside test/"
        )
    seen = {hashlib.sha256(path.read_bytes()).digest() for path in trained}
    return [s for s in sources if hashlib.sha256(s.target()).digest() not in seen]


def _clean(found: Collection) -> Collection:
    entry = replace(found.entry, name=f"{found.entry.name}-clean", input_row=())
    sources = tuple(replace(s, input=s.target, mask=None) for s in found.sources)
    return replace(found, entry=entry, sources=sources)


def is_path(name: str) -> bool:
    """Whether a data set's name is that of a folder."""
    return "/" in name or "\\" in name or Path(name).is_dir()
