"""Layers of shadow pairs in one archive, for training that composites on the GPU.

A rendered pair freezes one light, one colour and one depth of shadow. An archive keeps what cannot
be redrawn cheaply (portrait, mattes, shading, visibility maps) and the recipes, so that a trainer
draws light, colour and cloth anew at every step. Portraits that only their uneven light keeps out
of a data set may be among them, under that light. Pairs to validate on and pairs of another origin
may lie beside the layers. ``learnir.training.archive`` reads it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dataset_tools import shadows, visibility
from dataset_tools.backdrops import backdrop
from dataset_tools.clean_target import own_light
from dataset_tools.drawn import Drawn, blob, joined, load
from dataset_tools.dye import cloth
from dataset_tools.engines import run
from dataset_tools.files import content_hash
from dataset_tools.landmarker import identify
from dataset_tools.landmarks import Landmarks
from dataset_tools.photos import Photo, PhotoError
from dataset_tools.recipe import Recipe, RecipeError
from dataset_tools.relight import BRIGHTEST, direct_shading, extrapolated, highlight
from dataset_tools.render import draw_photo, draw_stage, pair_seed, render
from dataset_tools.shards import STATE, VERSION, Source, bucket_order, picture_of
from dataset_tools.sky import MOST, Surroundings, draw_surroundings, reaching
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
KINDS = ("train", "uneven", "val")  # of jobs, in the archive's order


@dataclass(frozen=True)
class PackPlan:
    """What an archive holds.

    Attributes:
        frames: crops of every photo, each under a light of its own and framed as the first recipe
            frames it.
        shadows: visibility maps per frame, one number for each recipe.
        pairs: folders of pairs whose train split is taken in.
        validation: at most so many photos of the val split, rendered.
        uneven: whether photos that only their light keeps out are taken in, under that light.
    """

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
    """Some photos of one archive.

    Attributes:
        kind: what becomes of them: "train" (scenes under a new light), "uneven" (scenes under the
            light they have) or "val" (rendered pairs).
        number: counts the jobs of a kind.
        model: as in ``pack``.
    """

    kind: str
    number: int
    sources: tuple[Source, ...]
    plan: PackPlan
    model: str

    @property
    def digest(self) -> str:
        """Hash of everything that decides what the job draws."""
        photos = [[source.photo.key, source.facts.sha256] for source in self.sources]
        found_by = identify(self.model).name
        what = [VERSION, QUALITY, asdict(self.plan), self.kind, self.number, found_by, photos]
        return content_hash(json.dumps(what, sort_keys=True).encode())


@dataclass(frozen=True)
class Scene:
    """One crop under one light.

    Attributes:
        files: WebP bytes of the base, of the maps, then of each shadow.
        mm: millimetres of the face per pixel.
    """

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
    around = draw_surroundings(rng, recipe.beside)
    maps = _maps(stage, base, around, own)
    cast = [
        _shadow(rng, stage, recipe)
        for recipe, count in zip(plan.recipes, plan.shadows, strict=True)
        for _ in range(count)
    ]
    shadow_files = [_webp(visible, "shadow") for visible in cast]
    return Scene([_webp(base, "base"), _webp(maps, "maps"), *shadow_files], stage.scene.mm)


def _maps(stage: Stage, base: np.ndarray, around: Surroundings, own: bool) -> np.ndarray:
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
        reaching(scene, light, around) / MOST,
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


def draw(job: PackJob) -> tuple[str, Drawn]:
    """The job's digest and what it has drawn."""
    return job.digest, _draw_pairs(job) if job.kind == "val" else _draw_scenes(job)


def _draw_scenes(job: PackJob) -> Drawn:
    scenes = [
        scene(picture, face, pair_seed(job.plan.seed, key, index), job.plan, job.kind == "uneven")
        for key, picture, face in _opened(job)
        for index in range(job.plan.frames)
    ]
    return Drawn([data for one in scenes for data in one.files], [one.mm for one in scenes])


def _draw_pairs(job: PackJob) -> Drawn:
    """Input and target of a pair of each photo. The recipes take turns from job to job."""
    plan = job.plan
    recipe = plan.recipes[job.number % len(plan.recipes)]
    files = []
    for key, picture, face in _opened(job):
        pair = render(picture, face, pair_seed(plan.seed, key, 0), recipe, plan.size)
        files += [_webp(pair.shadow, "pair"), _webp(pair.clean, "pair")]
    return Drawn(files, [])


def _opened(job: PackJob) -> Iterator[tuple[str, np.ndarray, Landmarks]]:
    """Key, picture and landmarks of each photo."""
    cv2.setNumThreads(1)
    for source in job.sources:
        key = source.photo.key
        face = load_landmarks(source.bucket, [source.facts], job.model)[key]
        yield key, picture_of(source), face


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
    kept: Path | None = None,
) -> dict[str, int]:
    """Write the archive ``out`` (.npz, read without pickle) of the photos dealt to train and val.

    Args:
        model: the .task file that found the landmarks, if any.
        uneven: photos whose scenes keep the light they have, taken in where the plan asks for them.
        kept: a folder for what is drawn until the archive is written, so that a run that was
            stopped goes on; deleted in the end.

    Returns how many "scenes" it holds, how many of them "uneven", and how many pairs to train
    ("pairs") and to validate on ("val").
    """
    photographed = list(_photographed(plan))  # first: what cannot be read ends it at once
    jobs = _jobs(dealt, plan, model, uneven)
    drawn = _draw_all(jobs, engine, kept)
    new, own, validation = (
        joined(drawn[job.digest] for job in jobs if job.kind == kind) for kind in KINDS
    )
    scenes = joined([new, own])
    files = [*scenes.files, *_backdrops(plan), *photographed, *validation.files]
    counts = {"train": len(photographed) // 2, "val": len(validation.files) // 2}
    about: dict[str, Any] = {"scenes": len(scenes.mm), "shadows": plan.shadows, "size": plan.size}
    about |= {"seed": plan.seed, "maps": MAPS, "shade_max": BRIGHTEST, "sky_max": MOST}
    about |= {"backdrops": BACKDROPS, "pairs": counts}
    about |= {"recipes": [asdict(recipe) for recipe in plan.recipes]}
    with replacing(out) as handle:
        np.savez(
            handle,
            about=np.frombuffer(json.dumps(about).encode(), np.uint8),
            mm=np.array(scenes.mm, np.float32),
            own=np.repeat([False, True], [len(new.mm), len(own.mm)]),
            **blob(files),
        )
    if kept is not None:
        shutil.rmtree(kept, ignore_errors=True)
    held = {"scenes": len(scenes.mm), "uneven": len(own.mm)}
    return held | {"pairs": counts["train"], "val": counts["val"]}


def _jobs(
    dealt: Mapping[str, Sequence[Source]], plan: PackPlan, model: str, uneven: Sequence[Source]
) -> list[PackJob]:
    """The jobs of an archive, in its order, which no engine changes."""
    validation = sorted(dealt.get("val", ()), key=bucket_order)[: plan.validation]
    photos = zip(KINDS, (dealt["train"], uneven if plan.uneven else (), validation), strict=True)
    jobs = []
    for kind, sources in photos:
        ordered, n = sorted(sources, key=bucket_order), PHOTOS_PER_JOB
        for number, start in enumerate(range(0, len(ordered), n)):
            part = tuple(ordered[start : start + n])
            jobs.append(PackJob(kind, number, part, plan, model))
    return jobs


def _draw_all(jobs: Sequence[PackJob], engine: Any, kept: Path | None) -> dict[str, Drawn]:
    """What every job has drawn, by its digest; what ``kept`` holds already is not drawn again."""
    by_digest = {job.digest: job for job in jobs}
    found = _kept(kept, by_digest) if kept is not None else {}
    photos = {digest: len(job.sources) for digest, job in by_digest.items()}
    done = sum(photos[digest] for digest in found)
    missing = [job for digest, job in by_digest.items() if digest not in found]
    with progress(sum(photos.values()), "photo", initial=done) as bar:
        for digest, drawn in run(engine, draw, missing) if missing else ():
            found[digest] = drawn
            if kept is not None:
                drawn.save(kept / f"{digest}.npz")
            bar.update(photos[digest])
    return found


def _kept(folder: Path, digests: Collection[str]) -> dict[str, Drawn]:
    """What a stopped run has drawn of these jobs; what it has of others is deleted."""
    for path in folder.glob("*.npz"):
        if path.stem not in digests:
            path.unlink()
    loaded = {digest: load(folder / f"{digest}.npz") for digest in digests}
    return {digest: drawn for digest, drawn in loaded.items() if drawn is not None}


def pack_build(plan: Any, out: Path, layers: PackPlan) -> dict[str, int]:
    """Survey, curate and split as ``faceshadow build`` does, then ``pack``; DatasetError where
    another process does so. What a killed run left half-written beside ``out`` is removed first;
    what it has drawn is taken up."""
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
    kept = plan.out / STATE / "drawn"
    return pack(decision.kept, out, layers, plan.engine, plan.landmarker, uneven, kept)
