"""Figures and tables of docs/faceshadow.md: the layers of a pair, every occluder, fields, ranges.

    python scripts/faceshadow_figures.py

The face is scikit-image's astronaut (NASA, public domain).
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from fill_page import fill, markdown
from PIL import Image

from dataset_tools.light import Light, lambert, self_shadow
from dataset_tools.occluders import OCCLUDERS
from dataset_tools.recipe import RECIPES
from dataset_tools.render import render
from dataset_tools.rows import FIELDS
from dataset_tools.studio import (
    Portrait,
    ShadowSettings,
    cast_shadow,
    depth_picture,
    draw_landmarks,
    open_portrait,
)
from demo.quickstart import astronaut_face
from learnir.images import from_unit, grid

ROOT = Path(__file__).resolve().parents[1]
PAGE, FIGURES = ROOT / "docs" / "faceshadow.md", ROOT / "docs" / "figures"
CROP = np.s_[0:250, 100:350]


def crop() -> np.ndarray:
    """Head and shoulders of the astronaut, twice as large."""
    from skimage.data import astronaut

    picture = Image.fromarray(astronaut()[CROP]).resize((512, 512), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def layers() -> np.ndarray:
    """What the renderer knows and makes of one portrait, in the order of the work."""
    portrait = open_portrait(crop())
    scene = portrait.scene
    light = Light(-140.0, 35.0, 1.0)
    pair = cast_shadow(portrait, ShadowSettings("hand", -120.0, 40.0, 1.0, 220.0, seed=4))
    normals = from_unit(scene.normals * 0.5 + 0.5)
    first = [
        portrait.picture,
        draw_landmarks(portrait),
        depth_picture(scene.depth),
        normals,
        from_unit(portrait.person),
    ]
    second = [
        from_unit(lambert(scene.normals, light)),
        from_unit(self_shadow(scene.depth, scene.mm, light)),
        from_unit(pair.visibility),
        pair.mask,
        pair.shadow,
    ]
    top = grid([first], ["portrait", "landmarks", "depth", "normals", "person"])
    bottom = grid([second], ["shading n.l", "self-shadow", "visibility", "mask", "shadowed"])
    return np.concatenate([top, bottom])


def every_occluder() -> np.ndarray:
    """One shadow of each kind on the same face."""
    portrait = open_portrait(crop())
    made = [best_seed(portrait, name, min(o.distance) * 2.0) for name, o in OCCLUDERS.items()]
    names = list(OCCLUDERS)
    rows = [
        grid([made[i : i + 4]], names[i : i + 4]) for i in range(0, len(made) - len(made) % 4, 4)
    ]
    rest = len(made) % 4
    if rest:
        padded = made[-rest:] + [np.full_like(made[0], 24)] * (4 - rest)
        rows.append(grid([padded], names[-rest:]))
    return np.concatenate(rows)


def best_seed(portrait: Portrait, name: str, distance: float) -> np.ndarray:
    """The draw of an occluder, of ten, that comes nearest to shading a third of the face."""
    tries = [
        cast_shadow(portrait, ShadowSettings(name, -110.0, 45.0, 0.8, distance, seed=seed))
        for seed in range(10)
    ]
    return min(tries, key=lambda pair: abs(pair.meta["coverage"] - 0.33)).shadow


def random_pairs() -> np.ndarray:
    """Pairs as a build draws them: shadowed over clean."""
    picture, face = astronaut_face()
    pairs = [render(picture, face, (5, i), RECIPES["faceshadow"], 256) for i in range(6)]
    return grid([[p.shadow for p in pairs], [p.clean for p in pairs]])


def save(picture: np.ndarray, name: str, width: int) -> None:
    height = round(picture.shape[0] * width / picture.shape[1])
    small = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
    small.save(FIGURES / name, quality=85)


def main() -> None:
    FIGURES.mkdir(parents=True, exist_ok=True)
    save(layers(), "faceshadow_layers.jpg", 1300)
    save(every_occluder(), "faceshadow_occluders.jpg", 1100)
    save(random_pairs(), "faceshadow_pairs.jpg", 1300)
    fill(PAGE, "fields", markdown([["column", "meaning"], *FIELDS.items()]))
    rows = [["occluder", "distance, mm", "opacity", "share"]]
    rows += [
        [
            n,
            "{:.0f} to {:.0f}".format(*o.distance),
            "{:g} to {:g}".format(*o.opacity),
            f"{o.share:.0%}",
        ]
        for n, o in OCCLUDERS.items()
    ]
    fill(PAGE, "occluders", markdown(rows))
    recipes = [[f.name, *(getattr(r, f.name) for r in RECIPES.values())] for f in _parameters()]
    fill(PAGE, "recipes", markdown([["parameter", *RECIPES], *map(_plain, recipes)]))


def _parameters() -> list[dataclasses.Field]:
    recipe = RECIPES["faceshadow"]
    return [f for f in dataclasses.fields(recipe) if f.name not in ("name", "occluders")]


def _plain(row: list) -> list[str]:
    """A parameter's name and its values as people write them."""
    name = row[0]
    pattern = {
        "aim": "Beta({:g}, {:g})",
        "tint_outdoor": "{:g} ± {:g}",
        "warmth": "{:g} ± {:g}",
        "exposure": "{:g} ± {:g}",
    }.get(name, "{:g} to {:g}")

    def text(value: object) -> str:
        if isinstance(value, dict):
            return ", ".join(f"{k} {v:.0%}" for k, v in value.items()) or "as above"
        return pattern.format(*value) if isinstance(value, tuple) else str(value)

    return [text(value) for value in row]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
