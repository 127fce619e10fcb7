"""Layers of shadow pairs in one archive, for training that composites on the GPU.

A rendered pair freezes one light, one colour and one depth of shadow. An archive keeps what cannot
be redrawn cheaply (portrait, mattes, shading, visibility maps) and the recipe, so that a trainer
draws light, colour and cloth anew at every step. ``learnir.training.layers`` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dataset_tools import photometry, shadows, visibility
from dataset_tools.backdrops import backdrop
from dataset_tools.dye import cloth
from dataset_tools.engines import run
from dataset_tools.files import replacing
from dataset_tools.frame import draw_frame, sharpen, warp_landmarks, warp_picture
from dataset_tools.geometry import surface
from dataset_tools.landmarks import Landmarks
from dataset_tools.light import draw_light, smoothstep
from dataset_tools.photos import PhotoError, decode_picture, read_bytes
from dataset_tools.recipe import Recipe, RecipeError
from dataset_tools.relight import direct_shading, highlight
from dataset_tools.render import pair_seed
from dataset_tools.shards import Source
from dataset_tools.survey import load_landmarks
from learnir.images import decode_linear, encode_linear

SHADE_MAX = 1.25  # direct_shading's ceiling, stored as 255
MAPS = ("matte", "face", "shade", "gloss", "cloth")  # side by side in one grey picture
BACKDROPS = 192
QUALITY = {"base": 84, "maps": 66, "shadow": 72, "backdrop": 80}


@dataclass(frozen=True)
class PackPlan:
    """frames: crops of every photo, each under a light of its own. shadows: maps per frame."""

    frames: int = 1
    shadows: int = 8
    size: int = 256
    seed: int = 0
    recipe: Recipe = field(default_factory=Recipe)


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


def scene(picture: np.ndarray, face: Landmarks, seed: tuple[int, ...], plan: PackPlan) -> Scene:
    """Draws a crop, its light and ``plan.shadows`` shadows."""
    rng, size = np.random.default_rng(seed), plan.size
    shape = (picture.shape[0], picture.shape[1])
    recipe = plan.recipe
    close = recipe.face_height if rng.random() < recipe.close_up else recipe.wide_height
    frame = draw_frame(rng, face, shape, size, close)
    moved = warp_landmarks(face, frame, shape, size)
    stage = visibility.Stage(surface(moved.points, (size, size)), moved, draw_light(rng))
    person = smoothstep((moved.matte.astype(np.float32) / 255 - 0.25) / 0.5)
    crisp = float(rng.uniform(0, 0.7)) if frame.scale > 1 else 0.0
    base = sharpen(warp_picture(picture, frame, size), crisp, frame.scale)
    maps = _maps(stage, person, base)
    cast = [_shadow(rng, stage, person, recipe) for _ in range(plan.shadows)]
    shadow_files = [_webp(visible, "shadow") for visible in cast]
    return Scene([_webp(base, "base"), _webp(maps, "maps"), *shadow_files], stage.scene.mm)


def _maps(stage: visibility.Stage, person: np.ndarray, base: np.ndarray) -> np.ndarray:
    """MAPS side by side, uint8 (H, 5 W)."""
    scene, light = stage.scene, stage.light
    maps = [
        person,
        scene.face.astype(np.float32),
        direct_shading(scene, light) / SHADE_MAX,
        highlight(scene, light),
        cloth(decode_linear(base), scene, stage.face.points, person),
    ]
    return np.round(255 * np.clip(np.concatenate(maps, axis=1), 0, 1)).astype(np.uint8)


def _shadow(
    rng: np.random.Generator, stage: visibility.Stage, person: np.ndarray, recipe: Recipe
) -> np.ndarray:
    """S, the visibility after scattering in the skin, uint8 (H, W, 3), linear."""
    kinds = {kind: share for kind, share in recipe.mix.items() if kind != "none"}
    shares = np.array(list(kinds.values()))
    kind = str(rng.choice(list(kinds), p=shares / shares.sum()))
    visible, _ = visibility.draw(rng, stage, kind, recipe)
    if rng.random() < recipe.person_only:
        visible = shadows.within(visible, person)
    mm = stage.scene.mm / recipe.draw_scattering(rng)
    seen = photometry.scatter(visible, stage.scene.skin, mm)
    return np.round(255 * np.clip(seen, 0, 1)).astype(np.uint8)


def _webp(picture: np.ndarray, kind: str) -> bytes:
    order = picture[..., ::-1] if picture.ndim == 3 else picture
    done, data = cv2.imencode(".webp", order, [cv2.IMWRITE_WEBP_QUALITY, QUALITY[kind]])
    if not done:
        raise ValueError("OpenCV was built without WebP")
    return data.tobytes()


def pack_photos(job: PackJob) -> tuple[int, list[Scene]]:
    """The job's number and the scenes of its photos."""
    cv2.setNumThreads(1)
    scenes = []
    for source in job.sources:
        face = load_landmarks(source.bucket, [source.facts], job.model)[source.photo.key]
        picture = decode_picture(read_bytes(source.photo.path), str(source.photo.path))
        for index in range(job.plan.frames):
            seed = pair_seed(job.plan.seed, source.photo.key, index)
            scenes.append(scene(picture, face, seed, job.plan))
    return job.number, scenes


def _backdrops(plan: PackPlan) -> Iterator[bytes]:
    for number in range(BACKDROPS):
        rng = np.random.default_rng([plan.seed, number])
        yield _webp(encode_linear(backdrop(rng, (plan.size, plan.size))), "backdrop")


def pack(sources: list[Source], out: Path, plan: PackPlan, engine: Any, model: str = "") -> int:
    """Write the archive ``out`` (.npz, read without pickle); returns the number of scenes. model:
    the .task file that found the landmarks, if any."""
    from tqdm import tqdm

    ordered = sorted(sources, key=lambda s: (s.bucket.name, s.photo.key))
    jobs = [PackJob(i, tuple(ordered[i : i + 8]), plan, model) for i in range(0, len(ordered), 8)]
    parts: dict[int, list[Scene]] = {}
    with tqdm(total=len(ordered) * plan.frames, unit="scene", disable=None) as bar:
        for number, part in run(engine, pack_photos, jobs):
            parts[number] = part
            bar.update(len(part))
    scenes = [one for number in sorted(parts) for one in parts[number]]  # engines keep no order
    files = [data for one in scenes for data in one.files] + list(_backdrops(plan))
    about: dict[str, Any] = {"scenes": len(scenes), "shadows": plan.shadows, "size": plan.size}
    about |= {"seed": plan.seed, "maps": MAPS, "shade_max": SHADE_MAX, "backdrops": BACKDROPS}
    about |= {"recipe": asdict(plan.recipe)}
    with replacing(out) as handle:
        np.savez(
            handle,
            about=np.frombuffer(json.dumps(about).encode(), np.uint8),
            mm=np.array([one.mm for one in scenes], np.float32),
            lengths=np.array([len(data) for data in files], np.int64),
            blob=np.frombuffer(b"".join(files), np.uint8),
        )
    return len(scenes)


def pack_build(plan: Any, out: Path, layers: PackPlan) -> int:
    """Survey, curate and split as ``faceshadow build`` does, then pack the train split."""
    from dataset_tools.build import decide, find_photos, require_pairs, survey_photos

    recipe = plan.pairs.recipe
    if recipe.colour != "ambient":
        raise RecipeError(f"recipe {recipe.name!r} has a colour of its own; build pairs of it")
    photos = find_photos(plan)
    verdicts, dealt = decide(plan, photos, survey_photos(plan, photos))
    require_pairs(verdicts)
    if not dealt["train"]:
        raise PhotoError("every photo was dealt to val or test; give more portraits")
    layers = replace(layers, recipe=recipe)
    return pack(dealt["train"], out, layers, plan.engine, plan.landmarker)
