"""How paired pictures lie on disk: as the originals unpack, and as this project writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from benchmarks.names import BenchmarkError
from benchmarks.pictures import SUFFIXES
from learnir.paths import composed, contents

Read = Callable[[], bytes]


@dataclass(frozen=True)
class Source:
    """One pair, still encoded: its key, the bytes of its pictures, and its scene if stated."""

    key: str
    input: Read
    target: Read
    mask: Read | None = None
    scene: str | None = None


@dataclass(frozen=True)
class Layout:
    """Folders below the data set's root, and the endings that the two file names add to the key.

    ``{split}`` (``{Split}``) stands for the split's name where the release has a folder for each.
    Pictures in sub-folders (REVIDE's sequences) keep the sub-folder in their key.
    """

    input: str
    target: str
    mask: str | None = None
    input_ending: str = ""
    target_ending: str = ""

    def at(self, split: str) -> Layout | None:
        """The folders of one split; None where this layout holds the test pictures only."""
        if split != "test" and "{" not in self.input:
            return None
        names = {"split": split, "Split": split.capitalize()}
        return replace(
            self,
            input=self.input.format(**names),
            target=self.target.format(**names),
            mask=self.mask and self.mask.format(**names),
        )

    def targets(self, root: Path) -> list[Path]:
        """The target pictures alone."""
        return list(self._keys(root / self.target, self.target_ending).values())

    def found_in(self, root: Path) -> bool:
        """Whether this layout lies under ``root``: a picture on either side, with its ending.

        Two releases of one set may differ in their targets' folder or names alone.
        """
        sides = ((self.input, self.input_ending), (self.target, self.target_ending))
        return all(self._keys(root / folder, ending, first=True) for folder, ending in sides)

    def sources(self, root: Path) -> tuple[list[Source], list[str]]:
        """The pairs by key, and the keys that lack a partner."""
        inputs = self._keys(root / self.input, self.input_ending)
        targets = self._keys(root / self.target, self.target_ending)
        masks = self._keys(root / self.mask, "") if self.mask else {}
        both = sorted(set(inputs) & set(targets), key=natural)
        if masks and (bare := [key for key in both if key not in masks]):
            raise BenchmarkError(
                f"{root / str(self.mask)}: no mask for {len(bare)} of {len(both)} pairs, such as "
                f"{bare[0]}; a mask has its pair's name: complete the folder or take it away"
            )
        pairs = [
            Source(
                _key(inputs[k], root / self.input, self.input_ending),
                partial(contents, inputs[k]),
                partial(contents, targets[k]),
                _reader(masks.get(k)),
            )
            for k in both
        ]
        return pairs, sorted(set(inputs) ^ set(targets), key=natural)

    def _keys(self, folder: Path, ending: str, first: bool = False) -> dict[str, Path]:
        keys: dict[str, Path] = {}
        for path in folder.rglob("*") if folder.is_dir() else ():
            stem, inside = path.stem.lower(), path.relative_to(folder)
            named = path.suffix.lower() in SUFFIXES and stem.endswith(ending.lower())
            if named and not left_behind(inside):
                key = composed(_key(path, folder, ending))
                if other := keys.get(key):
                    one, two = sorted(str(p.relative_to(folder)) for p in (other, path))
                    raise BenchmarkError(f"{folder}: {one} and {two} are both {key}; keep one")
                keys[key] = path
                if first:
                    break
        return keys


def _key(path: Path, folder: Path, ending: str) -> str:
    """The key of a picture, as its own name spells it."""
    cut = path.stem[: len(path.stem) - len(ending)]
    return (path.relative_to(folder).parent / cut).as_posix()


def left_behind(path: PurePath) -> bool:
    """Whether systems leave such a file beside one's own: hidden, or below ``__MACOSX``."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


SHADOW_FREE = "none"  # ``kind`` of a FaceShadow pair whose input is its target
SHARDS = (".parquet", ".tar")  # of a built FaceShadow
PLAIN = Layout("input", "target", "mask")


def natural(key: str) -> tuple[Any, ...]:
    """Sort key that puts 2 before 10."""
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d+)", key))


def is_face_shadow(root: Path) -> bool:
    """Whether a built FaceShadow lies here, whatever its splits and its format."""
    shards = (root / "data").glob("*-of-*.*")
    return any(root.glob("*/metadata.jsonl")) or any(s.suffix in SHARDS for s in shards)


def face_shadow(root: Path, split: str) -> list[Source]:
    """The pairs of a built FaceShadow (ImageFolder or parquet); empty where none is there.

    Pairs without a shadow are left out: their input is the target, and a mean with an infinite PSNR
    in it says nothing. Scoring with clean inputs asks what they are there for. BenchmarkError for
    one in webdataset format.
    """
    metadata = root / split / "metadata.jsonl"
    if metadata.is_file():
        rows = [_parsed(line, metadata) for line in _lines(metadata)]
        return [_row(root / split, row) for row in rows if row.get("kind") != SHADOW_FREE]
    if any((root / "data").glob("*-of-*.tar")):
        raise BenchmarkError(
            f"{root}: a FaceShadow in webdataset format, which is not scored; build it with "
            "--format parquet or imagefolder"
        )
    shards = sorted((root / "data").glob(f"{split}-*.parquet"))
    _check_shards(shards)
    return [source for shard in shards for source in _parquet(shard)]


def _check_shards(shards: list[Path]) -> None:
    """BenchmarkError unless these are all the shards of one build: names end in I-of-N."""
    if shards and {s.stem.partition("-")[2] for s in shards} != {
        f"{i:05d}-of-{len(shards):05d}" for i in range(len(shards))
    }:
        raise BenchmarkError(
            f"{shards[0].parent}: {len(shards)} shards, from {shards[0].name} to "
            f"{shards[-1].name}, are not those of one build; build or fetch it anew"
        )


def _lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").split("\n")  # a name may hold U+2028
    return [line for line in lines if line.strip()]


def _parsed(line: str, path: Path) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BenchmarkError(f"{path}: a damaged line ({error}); rebuild it") from error
    if not isinstance(row, dict):
        raise BenchmarkError(f"{path}: a line is no JSON object; rebuild it")
    return row


def _row(folder: Path, row: dict[str, Any]) -> Source:
    try:
        shadow, clean = (folder / row[f"{k}_file_name"] for k in ("shadow", "clean"))
    except KeyError as error:
        raise BenchmarkError(f"{folder}/metadata.jsonl: a row lacks {error}; rebuild it") from error
    mask = row.get("mask_file_name")
    if len({PurePath(name).stem for name in (shadow, clean, *([mask] if mask else []))}) > 1:
        raise BenchmarkError(
            f"{folder}/metadata.jsonl: a row joins {shadow.name} and {clean.name}, files of "
            "different pairs; rebuild it"
        )
    return Source(
        shadow.stem,
        partial(contents, shadow),
        partial(contents, clean),
        _reader(folder / mask if mask else None),
        _scene(row),
    )


def _parquet(shard: Path) -> list[Source]:
    import pyarrow.parquet as pq

    table = pq.read_table(shard)
    heavy = {"shadow", "clean", "mask"}
    rows = table.drop_columns([c for c in table.column_names if c in heavy]).to_pylist()

    def reader(column: str, i: int) -> Read:
        def read() -> bytes:
            data = (table[column][i].as_py() or {}).get("bytes")
            if data is None:
                raise BenchmarkError(f"{shard}: row {i} has no {column}; rebuild it")
            return data

        return read

    for needed in ("shadow", "clean"):
        if needed not in table.column_names:
            raise BenchmarkError(f"{shard}: no column {needed!r}; rebuild it")
    masked = "mask" in table.column_names
    return [
        Source(
            f"{shard.stem}/{i:06d}",
            reader("shadow", i),
            reader("clean", i),
            reader("mask", i) if masked else None,
            _scene(row),
        )
        for i, row in enumerate(rows)
        if row.get("kind") != SHADOW_FREE
    ]


def _scene(row: dict[str, Any]) -> str | None:
    value = row.get("identity_key") or row.get("identity") or row.get("photo")
    return None if value is None else str(value)


def _reader(path: Path | None) -> Read | None:
    return None if path is None else partial(contents, path)
