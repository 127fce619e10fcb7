"""Layers of shadow pairs in one archive, for training that composites on the GPU.

A rendered pair freezes one light, one colour and one depth of shadow. An archive keeps what cannot
be redrawn cheaply (portrait, mattes, shading, visibility maps) and the recipes, so that a trainer
draws light, colour and cloth anew at every step. Portraits that only their uneven light keeps out
of a data set may be among them, under that light. Pairs to validate on and pairs of another origin
may lie beside the layers. ``learnir.training.archive`` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dataset_tools import shadows, visibility
from dataset_tools.backdrops import backdrop
from dataset_tools.clean_target import own_light
from dataset_tools.dye import cloth
from dataset_tools.engines import run
from dataset_tools.landmarks import Landmarks
from dataset_tools.photos import Photo, PhotoError, decode_picture, read_bytes
from dataset_tools.recipe import Recipe, RecipeError
from dataset_tools.relight import BRIGHTEST, direct_shading, extrapolated, highlight
from dataset_tools.render import draw_photo, draw_stage, pair_seed, render
from dataset_tools.shards import Source, bucket_order
from dataset_tools.sky import MOST, draw_surroundings, reaching
from dataset_tools.survey import load_landmarks
from dataset_tools.visibility import Stage
from learnir.images import decode_linear, encode_linear
from learnir.progress import progress
from learnir.training.data import open_pairs, reduced
from learnir.writing import clear_stale, replacing

MAPS = ("matte", "face", "shade", "gloss", "cloth", "skin", "sky")  # in one grey picture
BACKDROPS = 192
QUALITY = {"base": 72, "maps": 48, "shadow": 72, "backdrop": 80, "pair": 60}
PHOTOS_PER_JOB = 8


@dataclass(frozen=True)
class PackPlan:
    """frames: crops of every photo, each under a light of its own and as the first recipe frames
    it. shadows: maps per frame of each recipe, as many numbers as recipes. pairs: folders of pairs
    whose train split is taken in. validation: at most so many photos of the val split, rendered.
    uneven: whether photos that only their light keeps out are taken in, under that light."""

    frames: int = 1
    shadows: tuple[int, ...] = (8,)
    size: int = 256
    seed: int = 0
    recipes: tuple[Recipe, ...] = (Recipe(),)
    pairs: tuple[str, ...] = ()
    validation: int = 48
    uneven: bool = False


@dataclass(frozen=True)
class PackJob:
    """Some photos of one archive, and their place in it. model: as in ``pack``."""

    number: int
    sources: tuple[Source, ...]
    plan: PackPlan
    model: str


@dataclass(frozen=True)
class Scene:
    """One crop under one light. files: WebP bytes of the base, of the maps, then of each shadow.
    mm: of the face, per pixel."""

    files: list[bytes]
    mm: float


def scene(
    picture: np.ndarray, face: Landmarks, seed: tuple[int, ...], plan: PackPlan, own: bool
) -> Scene:
    """Draws a crop, its light, unless the picture keeps its ``own``, and every recipe's shadows."""
    rng, recipe = np.random.default_rng(seed), plan.recipes[0]
    frame, stage = draw_stage(rng, picture, face, recipe, plan.size)
    photo, stage = draw_photo(rng, picture, frame, stage, recipe)
    base = encode_linear(photo.linear)
    maps = _maps(rng, stage, base, own)
    cast = [
        _shadow(rng, stage, recipe)
        for recipe, count in zip(plan.recipes, plan.shadows, strict=True)
        for _ in range(count)
    ]
    shadow_files = [_webp(visible, "shadow") for visible in cast]
    return Scene([_webp(base, "base"), _webp(maps, "maps"), *shadow_files], stage.scene.mm)


def _maps(rng: np.random.Generator, stage: Stage, base: np.ndarray, own: bool) -> np.ndarray:
    """MAPS side by side, uint8 (H, 7 W); shade is that of a new light or of the picture's own."""
    scene, light, linear = stage.scene, stage.light, decode_linear(base)
    person = stage.face.person
    shade = extrapolated(own_light(linear, scene), scene) if own else direct_shading(scene, light)
    maps = [
        person,
        scene.face.astype(np.float32),
        shade / BRIGHTEST,
        highlight(scene, light),
        cloth(linear, scene, stage.face.points, person),
        scene.skin,
        reaching(scene, light, draw_surroundings(rng)) / MOST,
    ]
    return np.round(255 * np.clip(np.concatenate(maps, axis=1), 0, 1)).astype(np.uint8)


def _shadow(rng: np.random.Generator, stage: Stage, recipe: Recipe) -> np.ndarray:
    """V, the visibility before it scatters in the skin, uint8 (H, W), linear.

    Not S: WebP keeps colours at half the resolution, and with them half of the red that an edge
    has. So the trainer scatters it, by other widths at every step.
    """
    kinds = {kind: share for kind, share in recipe.mix.items() if kind != "none"}
    shares = np.array(list(kinds.values()))
    kind = str(rng.choice(list(kinds), p=shares / shares.sum()))
    visible, _ = visibility.draw(rng, stage, kind, recipe)
    if rng.random() < recipe.person_only:
        visible = shadows.within(visible, stage.face.person)
    return np.round(255 * np.clip(visible, 0, 1)).astype(np.uint8)


def _webp(picture: np.ndarray, kind: str) -> bytes:
    order = picture[..., ::-1] if picture.ndim == 3 else picture
    done, data = cv2.imencode(".webp", order, [cv2.IMWRITE_WEBP_QUALITY, QUALITY[kind]])
    if not done:
        raise ValueError("OpenCV was built without WebP")
    return data.tobytes()


def pack_photos(job: PackJob, own: bool) -> tuple[int, list[Scene]]:
    """The job's number and the scenes of its photos."""
    scenes = [
        scene(picture, face, pair_seed(job.plan.seed, key, index), job.plan, own)
        for key, picture, face in _opened(job)
        for index in range(job.plan.frames)
    ]
    return job.number, scenes


def render_photos(job: PackJob) -> tuple[int, list[bytes]]:
    """The job's number and, for each of its photos, input and target of a pair, encoded. The
    recipes take turns from job to job."""
    plan = job.plan
    recipe = plan.recipes[job.number % len(plan.recipes)]
    files = []
    for key, picture, face in _opened(job):
        pair = render(picture, face, pair_seed(plan.seed, key, 0), recipe, plan.size)
        files += [_webp(pair.shadow, "pair"), _webp(pair.clean, "pair")]
    return job.number, files


def _opened(job: PackJob) -> Iterator[tuple[str, np.ndarray, Landmarks]]:
    """Key, picture and landmarks of each photo."""
    cv2.setNumThreads(1)
    for source in job.sources:
        key = source.photo.key
        face = load_landmarks(source.bucket, [source.facts], job.model)[key]
        yield key, decode_picture(read_bytes(source.photo.path), str(source.photo.path)), face


def _backdrops(plan: PackPlan) -> Iterator[bytes]:
    for number in range(BACKDROPS):
        rng = np.random.default_rng([plan.seed, number])
        yield _webp(encode_linear(backdrop(rng, (plan.size, plan.size))), "backdrop")


def _photographed(plan: PackPlan) -> Iterator[bytes]:
    """Input and target of every pair of ``plan.pairs``, the shorter side at most ``plan.size``."""
    for folder in plan.pairs:
        for pair in open_pairs(folder, "train"):
            for picture in pair.load():
                yield _webp(reduced(picture, plan.size), "pair")


def pack(
    dealt: Mapping[str, Sequence[Source]],
    out: Path,
    plan: PackPlan,
    engine: Any,
    model: str = "",
    uneven: Sequence[Source] = (),
) -> dict[str, int]:
    """Write the archive ``out`` (.npz, read without pickle) of the photos dealt to train and val.

    model: the .task file that found the landmarks, if any. uneven: photos whose scenes keep the
    light they have, taken in where the plan asks for them. Returns how many "scenes" it holds, how
    many of them "uneven", and how many pairs to train ("pairs") and to validate on ("val").
    """
    photographed = list(_photographed(plan))  # first: what cannot be read ends it at once
    kinds = [
        _in_order(partial(pack_photos, own=own), sources, plan, engine, model)
        for own, sources in ((False, dealt["train"]), (True, uneven if plan.uneven else ()))
    ]
    scenes = [one for kind in kinds for one in kind]
    validation = sorted(dealt.get("val", ()), key=bucket_order)[: plan.validation]
    rendered = _in_order(render_photos, validation, plan, engine, model)
    pairs = {"train": photographed, "val": rendered}
    files = [data for one in scenes for data in one.files]
    files += [*_backdrops(plan), *pairs["train"], *pairs["val"]]
    counts = {split: len(encoded) // 2 for split, encoded in pairs.items()}
    about: dict[str, Any] = {"scenes": len(scenes), "shadows": plan.shadows, "size": plan.size}
    about |= {"seed": plan.seed, "maps": MAPS, "shade_max": BRIGHTEST, "sky_max": MOST}
    about |= {"backdrops": BACKDROPS, "pairs": counts}
    about |= {"recipes": [asdict(recipe) for recipe in plan.recipes]}
    with replacing(out) as handle:
        np.savez(
            handle,
            about=np.frombuffer(json.dumps(about).encode(), np.uint8),
            mm=np.array([one.mm for one in scenes], np.float32),
            own=np.repeat([False, True], [len(kind) for kind in kinds]),
            lengths=np.array([len(data) for data in files], np.int64),
            blob=np.frombuffer(b"".join(files), np.uint8),
        )
    held = {"scenes": len(scenes), "uneven": len(kinds[1])}
    return held | {"pairs": counts["train"], "val": counts["val"]}


def _in_order(
    function: Callable[[PackJob], tuple[int, list[Any]]],
    sources: Sequence[Source],
    plan: PackPlan,
    engine: Any,
    model: str,
) -> list[Any]:
    """What ``function`` makes of the photos, in an order that no engine changes."""
    ordered, n = sorted(sources, key=bucket_order), PHOTOS_PER_JOB
    cuts = range(0, len(ordered), n)
    jobs = [PackJob(i, tuple(ordered[k : k + n]), plan, model) for i, k in enumerate(cuts)]
    parts: dict[int, list[Any]] = {}
    with progress(len(ordered), "photo") as bar:
        for number, part in run(engine, function, jobs):
            parts[number] = part
            bar.update(len(jobs[number].sources))
    return [one for number in sorted(parts) for one in parts[number]]


def pack_build(plan: Any, out: Path, layers: PackPlan) -> dict[str, int]:
    """Survey, curate and split as ``faceshadow build`` does, then ``pack``; DatasetError where
    another process does so. What a killed run left half-written beside ``out`` is removed first."""
    from dataset_tools.build import find_photos
    from dataset_tools.ledger import locked

    for recipe in layers.recipes:
        if recipe.colour != "ambient":
            raise RecipeError(f"recipe {recipe.name!r} has a colour of its own; build pairs of it")
    photos = find_photos(plan)
    with locked(plan.out):
        clear_stale(out.parent)
        return _pack_locked(plan, photos, out, layers)


def _pack_locked(plan: Any, photos: list[Photo], out: Path, layers: PackPlan) -> dict[str, int]:
    from dataset_tools.build import decide, require_pairs, survey_photos
    from dataset_tools.remove import leave_out

    leave_out(plan.out, plan.landmarks)
    decision = decide(plan, photos, survey_photos(plan, photos))
    require_pairs(decision.verdicts)
    if not decision.kept["train"]:
        raise PhotoError(
            "every photo was dealt to val or test; give more portraits, of more people and authors"
        )
    uneven = decision.uneven["train"]
    return pack(decision.kept, out, layers, plan.engine, plan.landmarker, uneven)
