"""Photos in, an ImageFolder of pairs out, on all cores, written as it goes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_tools.landmarks import BundledDetector
from dataset_tools.photos import Photo, PhotoError, find_all, load_picture
from dataset_tools.recipe import RECIPES
from dataset_tools.render import Pair, encode_png, generator, render
from dataset_tools.splits import SPLITS, split_of

SIDE_LIT_L = 15.0  # difference of the cheeks' mean L* beyond which a portrait is no clean target


@dataclass(frozen=True)
class BuildPlan:
    """Everything that decides the dataset's bytes, apart from the photos."""

    out: Path
    pairs_per_photo: int = 1
    size: int = 256
    seed: int = 0
    recipe: str = "faceshadow"


_detector: BundledDetector | None = None


def _worker_detector() -> BundledDetector:
    """One detector a process, made at first use."""
    global _detector  # noqa: PLW0603 -- models load once in a worker process
    if _detector is None:
        import cv2

        cv2.setNumThreads(1)
        _detector = BundledDetector().__enter__()
    return _detector


def side_lit(photo: Photo) -> bool:
    """Whether the manifest says that one cheek is visibly darker than the other."""
    try:
        return abs(float(photo.tags.get("cheek_asym_L") or 0)) > SIDE_LIT_L
    except ValueError:
        return False


def build_photo(job: tuple[Photo, BuildPlan]) -> tuple[list[dict[str, Any]], str]:
    """Write all pairs of one photo; the rows written, or none and the reason."""
    photo, plan = job
    try:
        picture = load_picture(photo.path)
    except PhotoError as error:
        return [], str(error)
    face = _worker_detector().detect(picture)
    if face is None or face.faces != 1:
        return [], f"{photo.path}: {'no face' if face is None else f'{face.faces} faces'}"
    rows = []
    for index in range(plan.pairs_per_photo):
        rng = generator(plan.seed, photo.key, index)
        pair = render(picture, face, rng, RECIPES[plan.recipe], plan.size)
        rows.append(_write(pair, photo, index, plan))
    return rows, ""


def _write(pair: Pair, photo: Photo, index: int, plan: BuildPlan) -> dict[str, Any]:
    split = split_of(photo.group)
    key = f"{photo.stem}-{index:03d}"
    row: dict[str, Any] = {"id": key, "split": split}
    for name, picture in (("shadow", pair.shadow), ("clean", pair.clean), ("mask", pair.mask)):
        file_name = f"{name}/{key}.png"
        write_atomic(plan.out / split / file_name, encode_png(picture))
        row[f"{name}_file_name"] = file_name
    row |= {"photo": photo.key, "index": index, "seed": plan.seed, "size": plan.size}
    row |= {"recipe": plan.recipe, "licence": photo.licence, "source": photo.source}
    return row | {"identity": photo.identity, "author": photo.author} | pair.meta


def write_atomic(path: Path, data: bytes) -> None:
    """Whole or not at all: written beside the target, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".tmp")
    part.write_bytes(data)
    os.replace(part, path)


def build(photos: list[str], plan: BuildPlan, workers: int = 0) -> dict[str, int]:
    """Build the dataset; pairs written per split."""
    from tqdm import tqdm

    found = find_all(photos)
    kept = [p for p in found if not side_lit(p)]
    dropped = [f"{p.path}: side-lit" for p in found if side_lit(p)]
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SPLITS}
    for done, (new, reason) in enumerate(
        tqdm(_mapped(kept, plan, workers), total=len(kept), unit="photo"), start=1
    ):
        for row in new:
            rows[row["split"]].append(row)
        dropped.extend([reason] if reason else [])
        if done % 250 == 0:
            _write_tables(plan.out, rows)
    _write_tables(plan.out, rows)
    write_atomic(plan.out / "dropped.txt", ("\n".join(dropped) + "\n").encode())
    return {name: len(found) for name, found in rows.items()}


def _mapped(photos: list[Photo], plan: BuildPlan, workers: int) -> Iterator:
    import multiprocessing

    jobs = [(photo, plan) for photo in photos]
    count = workers or os.cpu_count() or 1
    if count == 1:
        yield from map(build_photo, jobs)
        return
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        yield from pool.imap(build_photo, jobs, chunksize=4)


def _write_tables(out: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    for split, table in rows.items():
        if table:
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table)
            write_atomic(out / split / "metadata.jsonl", lines.encode())
