"""render(picture, landmarks, seed, recipe) -> Pair: the pure function everything else serves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from dataset_tools import photometry, pose, shadows, visibility, zhang2020
from dataset_tools.dye import Dye, cloth, draw_dye, dyed
from dataset_tools.frame import Frame, draw_frame, sharpen, warp_landmarks, warp_picture
from dataset_tools.fringe import decontaminated
from dataset_tools.geometry import surface
from dataset_tools.landmarks import Landmarks
from dataset_tools.light import draw_light
from dataset_tools.recipe import Recipe
from dataset_tools.relight import Look, draw_look, relight, shoulder
from dataset_tools.sky import draw_surroundings, reaching
from dataset_tools.visibility import Stage
from dataset_tools.worn import put_on
from dataset_tools.zhang2020 import Darkening
from learnir.images import decode_linear, encode_linear

NOISE_A, NOISE_B = (3e-5, 5e-4), (1e-7, 3e-6)  # log-uniform ranges of the sensor's gain and floor


@dataclass(frozen=True)
class Pair:
    """One training pair.

    Attributes:
        shadow, clean: uint8 RGB (H, W, 3).
        mask: uint8 (H, W), 255 = in shadow.
        depth: float32 (H, W), mm towards the camera.
        meta: what was drawn, JSON values only; textures and slow fields follow from the seed.
    """

    shadow: np.ndarray
    clean: np.ndarray
    mask: np.ndarray
    depth: np.ndarray
    meta: dict[str, Any]


@dataclass(frozen=True)
class FramedPhoto:
    """The photograph in its frame.

    Attributes:
        linear: (H, W, 3), linear light.
        crisp: how much it was sharpened.
        worn: what was put on its face; "" for nothing.
    """

    linear: np.ndarray
    crisp: float
    worn: str


@dataclass(frozen=True)
class _Base:
    """The picture before any shadow is cast on it.

    Attributes:
        clean: (H, W, 3), linear light.
        ambient: (H, W, 3), the share of it that stays in shadow.
        dye, look, darkening: as drawn; None where not.
    """

    clean: np.ndarray
    ambient: np.ndarray
    dye: Dye | None
    look: Look | None = None
    darkening: Darkening | None = None


def pair_seed(seed: int, key: str, index: int) -> tuple[int, int, int]:
    """Seed of pair ``index`` of photo ``key``: independent of the order of the build."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return seed, int.from_bytes(digest, "little"), index


def render(
    picture: np.ndarray, face: Landmarks, seed: int | Sequence[int], recipe: Recipe, size: int
) -> Pair:
    """One pair from a uint8 RGB photo (H, W, 3) and its landmarks; same arguments, same bytes.

    A base is framed and, for a share of the pairs, relit; then layers of shadow darken the input
    alone: J = I [A + (1 - A) S] in linear light, S the visibility after scattering in the skin.
    """
    rng = np.random.default_rng(seed)
    kind = str(rng.choice(list(recipe.mix), p=_shares(recipe)))
    frame, stage = draw_stage(rng, picture, face, recipe, size)
    colour, meta = _draw_ambient(rng, recipe, kind)
    photo, stage = draw_photo(rng, picture, frame, stage, recipe)
    base = _draw_base(rng, photo.linear, stage, colour, recipe)
    visible, layers = visibility.draw(rng, stage, kind, recipe)
    on_person = kind == "none" or bool(rng.random() < recipe.person_only)
    if on_person:
        visible = shadows.within(visible, stage.face.person)
    spread = recipe.draw_scattering(rng)
    seen = photometry.scatter(visible, stage.scene.skin, stage.scene.mm / spread)
    darkened = photometry.composite(base.clean, base.ambient, seen)
    noise, noise_meta = _draw_noise(rng, recipe, base.clean, darkened)
    finish = shoulder if base.look is not None else _identity
    meta |= {"kind": kind, "person_only": on_person, "layers": layers}
    meta |= {"coverage": visibility.coverage(visible, stage.scene), "scattering": spread}
    return Pair(
        shadow=encode_linear(finish(darkened) + noise),
        clean=encode_linear(finish(base.clean)),
        mask=np.round(255 * (1 - visible)).astype(np.uint8),
        depth=stage.scene.depth,
        meta=meta | noise_meta | _describe(stage, frame, photo, base),
    )


def _identity(linear: np.ndarray) -> np.ndarray:
    return linear


def _shares(recipe: Recipe) -> np.ndarray:
    shares = np.array(list(recipe.mix.values()), np.float64)
    return shares / shares.sum()


def draw_stage(
    rng: np.random.Generator, picture: np.ndarray, face: Landmarks, recipe: Recipe, size: int
) -> tuple[Frame, Stage]:
    """A frame of (size, size) pixels, the face and its surface in it, and a key light."""
    shape = (picture.shape[0], picture.shape[1])
    close = recipe.face_height if rng.random() < recipe.close_up else recipe.wide_height
    frame = draw_frame(rng, face, shape, size, close)
    face = warp_landmarks(face, frame, shape, size)
    return frame, Stage(surface(face.points, (size, size)), face, draw_light(rng))


def draw_photo(
    rng: np.random.Generator, picture: np.ndarray, frame: Frame, stage: Stage, recipe: Recipe
) -> tuple[FramedPhoto, Stage]:
    """The photograph in its frame, and the stage without what of the skin is covered."""
    size = len(stage.scene.depth)
    crisp = float(rng.uniform(0, 0.7)) if frame.scale > 1 else 0.0
    linear = decode_linear(sharpen(warp_picture(picture, frame, size), crisp, frame.scale))
    if not (recipe.worn and rng.random() < recipe.worn):
        return FramedPhoto(linear, crisp, ""), stage
    linear, scene, worn = put_on(rng, linear, stage.face.points, stage.scene)
    return FramedPhoto(linear, crisp, worn), replace(stage, scene=scene)


def _draw_base(
    rng: np.random.Generator, base: np.ndarray, stage: Stage, colour: np.ndarray, recipe: Recipe
) -> _Base:
    person = stage.face.person
    dye = draw_dye(rng) if recipe.dyed and rng.random() < recipe.dyed else None
    if dye is not None:
        base = dyed(base, cloth(base, stage.scene, stage.face.points, person), dye)
    sky, shape = _draw_sky(rng, stage, recipe), (person.shape[0], person.shape[1])
    ambient = photometry.ambient_field(rng, colour, shape, recipe.ambient_spread, sky)
    if recipe.colour == "matrix":
        darkening = zhang2020.draw_darkening(rng)
        ambient = zhang2020.remaining_share(base, darkening.matrix)
        return _Base(base, ambient, dye, darkening=darkening)
    if rng.random() >= recipe.relit:
        return _Base(base, ambient, dye)
    look = draw_look(rng, recipe)
    lit, ambient = relight(
        decontaminated(base, person, stage.scene.mm),
        stage.scene,
        person=person,
        light=stage.light,
        ambient=ambient,
        look=look,
        wall=base,
    )
    return _Base(lit, ambient, dye, look)


def _draw_ambient(
    rng: np.random.Generator, recipe: Recipe, kind: str
) -> tuple[np.ndarray, dict[str, Any]]:
    share = float(np.exp(rng.uniform(*np.log(recipe.ambient))))
    if kind == "tint":
        tint = float(rng.choice([-1, 1]) * rng.uniform(0.15, 0.35))
    elif rng.random() < recipe.outdoor:
        tint = float(np.clip(rng.normal(*recipe.tint_outdoor), -0.05, 0.35))
    else:
        tint = float(rng.normal(0, 0.03))
    return photometry.ambient_colour(share, tint), {"ambient": share, "tint": tint}


def _draw_sky(rng: np.random.Generator, stage: Stage, recipe: Recipe) -> np.ndarray | float:
    """Ambient light that reaches each point over its mean, (H, W); not drawn without a range."""
    low, high = recipe.sky
    if high == 0:
        return 1.0
    around = draw_surroundings(rng, recipe.beside)
    return reaching(stage.scene, stage.light, around) ** np.float32(rng.uniform(low, high))


def _draw_noise(rng: np.random.Generator, recipe: Recipe, base, darkened):
    if rng.random() >= recipe.noisy:
        return np.float32(0), {"noise_a": 0.0, "noise_b": 0.0}
    a, b = (float(np.exp(rng.uniform(*np.log(limits)))) for limits in (NOISE_A, NOISE_B))
    keep = np.clip((darkened + 1e-4) / (base + 1e-4), 0, 1)  # black stays black, not noisy
    noise = photometry.sensor_noise(rng, darkened, keep, a, b)
    return noise, {"noise_a": a, "noise_b": b}


def _describe(stage: Stage, frame: Frame, photo: FramedPhoto, base: _Base) -> dict[str, Any]:
    points = stage.face.points
    worn = {"worn": photo.worn} if photo.worn else {}  # pairs of other recipes stay as they are
    return _darkened_by(base.darkening) | {
        "light": asdict(stage.light),
        "look": asdict(base.look) if base.look else None,
        "dye": asdict(base.dye) if base.dye else None,
        "crisp": photo.crisp,
        "frame": frame.affine.astype(float).round(5).tolist(),
        "mirrored": frame.mirrored,
        "yaw": round(pose.yaw(points), 2),
        "pitch": round(pose.pitch(points), 2),
        "mm_per_pixel": round(stage.scene.mm, 5),
        **worn,
    }


def _darkened_by(darkening: Darkening | None) -> dict[str, Any]:
    """The matrix, and in place of the ambient light drawn without use what it leaves of grey."""
    if darkening is None:
        return {"darkening": None}
    ambient, tint = photometry.share_and_tint(darkening.on_grey)
    drawn = {"gain": darkening.gain, "matrix": darkening.matrix.tolist()}
    return {"darkening": drawn, "ambient": ambient, "tint": tint}
